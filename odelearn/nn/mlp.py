"""Neural networks as dynamics, with pullbacks derived by hand: forward above, backward below in reverse order."""

import math

import numpy as np

from ..dynamics import Dynamics
from . import mlp_ensemble, mlp_fast, mlp_jacobian, mlp_tanh
from .activations import ACTIVATIONS


def dense(x, W, b, activation):
    """One layer, y = sigma(x W + b) for each row x of the batch. The pullback: a_y -> a_x, and a_pre for a_theta."""
    sigma, sigma_pullback = activation
    pre = np.dot(x, W) + b  # (N, H) = (N, D) (D, H) + (H,)
    y = sigma(pre)  # (N, H)

    def pullback(a_y):
        a_pre = sigma_pullback(a_y, y, pre)  # (N, H)
        a_x = np.dot(a_pre, W.T)  # (N, D)
        return a_x, a_pre

    return y, pullback


def a_theta(uses):
    """a_W0, a_b0, a_W1, ... end to end, (P,), from how each layer used its W and b: the rows x, and a_pre.

    Every row n used the same W and b, so a_W = sum_n x_n^T a_pre_n and a_b = sum_n a_pre_n.
    """
    parts = []
    for x, a_pre in uses:
        a_W, a_b = np.dot(x.T, a_pre), np.add.reduce(a_pre)  # (D, H), (H,)
        parts += [a_W.reshape(-1), a_b]
    return np.concatenate(parts)


def member_pullbacks(pullbacks, a, t):
    """a_z (E, ..., D), a_t, a_theta (E, P): each member's own cotangents; a_t is their sum where they share one t."""
    a_zs, a_ts, a_thetas = zip(*[pullback(a_e) for pullback, a_e in zip(pullbacks, a, strict=True)], strict=True)
    return np.stack(a_zs), np.stack(a_ts) if np.ndim(t) else sum(a_ts), np.stack(a_thetas)


def member_time(t, e):
    return t[e] if np.ndim(t) else t


def check_time(z, t):
    """Whether t has a time for each row of z (..., D). Raises ValueError if it is neither that nor a number."""
    if np.ndim(t) == 0:
        return False
    if np.shape(t) != (*z.shape[:-1], 1):
        raise ValueError(
            f"t must be a number, or a time for each row, of shape {(*z.shape[:-1], 1)} for z of shape {z.shape}; "
            f"got shape {np.shape(t)}"
        )
    return True


def integer_power(z, p):
    """x = z^p by repeated multiplication, which is cheaper than z ** p. The pullback: a_x -> a_z = a_x p z^(p-1)."""
    if p == 1:
        return z, lambda a_x: a_x
    lower = z
    for _ in range(p - 2):
        lower = lower * z
    x = lower * z  # lower = z^(p-1)

    def pullback(a_x):
        return a_x * (p * lower)

    return x, pullback


def with_time(x, t):
    """[x, t]: one more column, the same t in every row, or each row's own, t (N, 1). The pullback: a_xt -> a_x, a_t."""
    if np.ndim(t) == 0:
        t = float(t) if isinstance(t, float) else t  # NumPy's own float64 would turn float32 into float64
        column = t * np.ones((x.shape[0], 1), x.dtype)
    else:
        column = t if t.dtype.kind == "c" else t.astype(x.dtype)  # (N, 1)
    xt = np.concatenate([x, column], axis=1)  # (N, D + 1)

    def pullback(a_xt):
        a_t = a_xt[:, -1:]  # (N, 1); a t that all rows share gets the sum
        return a_xt[:, :-1], a_t if np.ndim(t) else np.add.reduce(a_t[:, 0])

    return xt, pullback


class MLP(Dynamics):
    """A chain of dense layers as dynamics: dz/dt = sigma(... sigma(x W0 + b0) ...) W_last + b_last with x = z^power.

    sizes = (D, H, ..., D) are the widths from input to output:
        MLP([2, 2])                       z W0 + b0
        MLP([2, 50, 2])                   tanh(z W0 + b0) W1 + b1
        MLP([2, 50, 2], time="concat")    tanh([z, t] W0 + b0) W1 + b1, W0 with a third row, that of t
        MLP([2, 50, 2], power=3)          tanh(z^3 W0 + b0) W1 + b1, the paper's spiral demo
    z is (..., D), leading axes are batch. t is a number; or (..., 1), a time for each row, and then a_t has that shape.
    theta is W0, b0, W1, b1, ... end to end, each W (in, out) row by row.
    For an ensemble theta is (E, P) and z (E, ..., D): member e moves by theta[e].
    The result has the wider dtype of z and theta (the solvers give theta in the precision of z).
    A net with sizes[0] != sizes[-1] is a function like any other, but no dynamics: dz/dt has the shape of z.
    Raises ValueError for a z, t or theta that does not fit.
    """

    def __init__(self, sizes, activation="tanh", time=None, power=1):
        if len(sizes) < 2 or any(n != int(n) or n < 1 for n in sizes):
            raise ValueError(f"sizes must be two or more positive integers, input to output, got {sizes}")
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
        if time not in (None, "concat"):
            raise ValueError(f'time must be None or "concat" (f sees [z, t]), got {time!r}')
        if power != int(power) or power < 1:
            raise ValueError(f"power must be a positive integer, got {power}")
        self.sizes = tuple(int(n) for n in sizes)
        self.activation, self.time, self.power = activation, time, int(power)
        self.shapes = {}
        for i, (n_in, n_out) in enumerate(zip(self.sizes, self.sizes[1:], strict=False)):
            self.shapes[f"W{i}"] = (n_in + (i == 0 and time == "concat"), n_out)
            self.shapes[f"b{i}"] = (n_out,)
        self.size = sum(math.prod(shape) for shape in self.shapes.values())

    def __repr__(self):
        return f"MLP({list(self.sizes)}, {self.activation!r}, time={self.time!r}, power={self.power})"

    def init(self, rng):
        """Random theta: W ~ N(0, 2 / (in + out)), b = 0 (Glorot and Bengio 2010).

        A layer multiplies the variance of its rows by `in` Var W on the way forward and that of their cotangents
        by `out` Var W on the way back; no W keeps both unless in = out, and this one is their compromise.
        """
        theta = np.zeros(self.size)
        for part in self.unravel(theta).values():  # views: what is written here stands in theta
            if part.ndim == 2:
                part[:] = rng.normal(0, np.sqrt(2 / sum(part.shape)), part.shape)
        return theta

    def unravel(self, theta):
        """{"W0": (in, out), "b0": (out,), "W1": ...}, as views of theta (P,)."""
        if getattr(theta, "shape", None) != (self.size,):
            raise ValueError(
                f"theta must be an array of shape ({self.size},) for {self}, "
                f"got {getattr(theta, 'shape', theta)}; init(rng) makes one"
            )
        parts, start = {}, 0
        for name, shape in self.shapes.items():
            stop = start + math.prod(shape)
            parts[name], start = theta[start:stop].reshape(shape), stop
        return parts

    def __call__(self, z, t, theta):
        if len(getattr(theta, "shape", ())) == 2:  # an ensemble: member e moves by theta[e]
            return np.stack([self(z[e], member_time(t, e), theta[e]) for e in self._members(z, t, theta)])
        x, _ = self._input(z, t)
        for W, b, (sigma, _) in self._layers(theta):
            x = sigma(np.dot(x, W) + b)
        return self._like(z, x)

    def vjp(self, z, t, theta):
        if len(getattr(theta, "shape", ())) == 2:
            members = [self.vjp(z[e], member_time(t, e), theta[e]) for e in self._members(z, t, theta)]
            dzs, pullbacks = zip(*members, strict=True)
            return np.stack(dzs), lambda a: member_pullbacks(pullbacks, a, t)
        x, input_pullback = self._input(z, t)  # (N, D)
        inputs, pullbacks = [], []
        for W, b, activation in self._layers(theta):
            inputs.append(x)
            x, pullback = dense(x, W, b, activation)  # (N, H), ..., (N, D)
            pullbacks.append(pullback)

        def pullback(a):
            a_x, uses = a.reshape(-1, self.sizes[-1]), []  # (N, D)
            for x, pullback in zip(reversed(inputs), reversed(pullbacks), strict=True):
                a_x, a_pre = pullback(a_x)  # (N, H), ..., (N, D)
                uses.append((x, a_pre))
            a_z, a_t = input_pullback(a_x)
            return a_z.reshape(z.shape), a_t, a_theta(reversed(uses))

        return self._like(z, x), pullback

    def bind(self, theta, z0):
        """The same for solvers, which come back thousands of times with one theta, or with theta (E, P)."""
        if theta.ndim == 2:
            return mlp_ensemble.bind(self, theta, z0)
        return (mlp_tanh if mlp_tanh.fits(self) else mlp_fast).bind(self, theta, z0)

    def trace_vjp(self, z, t, theta):
        """tr df/dz (N,) for every row, by hand, and pullback(a) -> a_z (N, D), a_t, a_theta (P,) for a (N,).

        z (N, D), with D = sizes[0] = sizes[-1]; t and theta (P,) as in f(z, t, theta)

        The trace costs O(N D^2 H) for one hidden layer of width H, with no determinant. Raises ValueError for a z or
        theta that does not fit, and for a net that has no trace. Source: Chen et al. 2018, (8).

        >>> f = MLP([2, 2])                                     # dz/dt = z W0 + b0
        >>> trace, pullback = f.trace_vjp(np.ones((3, 2)), 0.0, np.array([1.0, 2.0, 3.0, 4.0, 0.0, 0.0]))
        >>> trace, pullback(np.ones(3))[2]
        (array([5., 5., 5.]), array([3., 0., 0., 3., 0., 0.]))
        """
        dz, trace, pullback = self.value_and_trace_vjp(z, t, theta)
        return trace, lambda a: pullback(np.zeros_like(dz), a)

    def value_and_trace_vjp(self, z, t, theta):
        """dz, trace, and pullback(a, a_trace) of both: vjp and trace_vjp at once, which share most of their work."""
        return mlp_jacobian.value_and_trace_vjp(self, z, t, theta)

    def jacobian_vjp(self, z, t, theta, v=None):
        """dz, the Jacobian J[n, i, j] = d dz_nj / d z_ni, and pullback(a, a_J) of both: see mlp_jacobian."""
        return mlp_jacobian.jacobian_vjp(self, z, t, theta, v)

    def _members(self, z, t, theta):
        """0 ... E - 1, for theta (E, P) and z (E, ..., D)."""
        if len(z.shape) < 2 or z.shape[0] != theta.shape[0]:
            raise ValueError(f"z must be ({theta.shape[0]}, ..., D) for theta of shape {theta.shape}, got {z.shape}")
        check_time(z, t)
        return range(theta.shape[0])

    def _layers(self, theta):
        """[(W0, b0, activation), (W1, b1, activation), ...], the last one without activation."""
        parts = list(self.unravel(theta).values())
        activations = [ACTIVATIONS[self.activation]] * (len(self.sizes) - 2) + [ACTIVATIONS["identity"]]
        return list(zip(parts[::2], parts[1::2], activations, strict=True))

    def _input(self, z, t):
        """The first layer's input, rows z^power (N, D) or [z^power, t] (N, D + 1). The pullback: a_x -> a_z, a_t."""
        if z.shape[-1:] != self.sizes[:1]:
            raise ValueError(f"z must have sizes[0] = {self.sizes[0]} as its last axis, got shape {z.shape}")
        rows = check_time(z, t)
        x, power_pullback = integer_power(z.reshape(-1, self.sizes[0]), self.power)
        if self.time is None:
            return x, lambda a_x: (power_pullback(a_x), np.zeros(t.shape) if rows else 0.0)
        x, time_pullback = with_time(x, t.reshape(-1, 1) if rows else t)

        def pullback(a_x):
            a_x, a_t = time_pullback(a_x)
            return power_pullback(a_x), a_t.reshape(t.shape) if rows else a_t

        return x, pullback

    def _like(self, z, x):
        """x (N, D) with the leading axes of z (..., D)."""
        return x if z.ndim == 2 else x.reshape(z.shape[:-1] + x.shape[-1:])
