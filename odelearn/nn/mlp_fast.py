"""An MLP prepared for thousands of stages with one theta: the numbers of layers.py from fewer, cheaper NumPy calls.

The derivation stands in layers.py. The same products in the same order stand here, with three tricks:

    [x, 1] [W; b] = x W + b   The rows carry a 1, and the bias rides in the product. W and b follow each other in theta,
                              so [W; b] is one block of it, (D + 1, H), and [x, 1]^T a_pre is one block of a_theta.
    sigma(c) = 1              A hidden layer makes the next 1 itself: its [W; b] has one more column, (0, ..., 0, c).
    a_theta later             A small stage only keeps x and a_pre. To W it is the same whether its rows come from one
                              batch or from many stages; all together get one product, at half the price of one each.
"""

from functools import partial

import numpy as np

from .activations import ACTIVATIONS, ONE

SMALL = 1024  # numbers in the widest layer up to which a stage waits; a larger one gains nothing, and fills memory


def matrices(f, theta):
    """[W; b] of every layer (D + 1, H), the hidden ones with the column that makes a 1 (D + 1, H + 1)."""
    Ws, start, last = [], 0, len(f.sizes) - 2
    for i, (D, H) in enumerate(f.shapes[f"W{i}"] for i in range(last + 1)):
        stop = start + (D + 1) * H
        W = theta[start:stop].reshape(D + 1, H)
        if i < last:
            W_and_ones = np.zeros((D + 1, H + 1), theta.dtype)
            W_and_ones[:, :H], W_and_ones[D, H] = W, ONE[f.activation]
            W = W_and_ones
        Ws.append(W)
        start = stop
    return Ws


def rows(f, z0):
    """ones (N, D + 1), and power(Z, x): writes Z^p into x, both (N, D), and returns Z^(p-1)."""
    D, p = f.sizes[0], f.power
    if z0.shape[-1:] != (D,):
        raise ValueError(f"z must have sizes[0] = {D} as its last axis, got shape {z0.shape}")
    if f.sizes[-1] != D:
        raise ValueError(f"{f} is no dynamics: dz/dt has the shape of z, so sizes[-1] must be sizes[0]")

    def power(Z, x):
        if p == 1:
            x[...] = Z
            return None
        lower = Z
        for _ in range(p - 2):
            lower = lower * Z
        np.multiply(lower, Z, x)
        return lower

    return np.ones((z0.size // D, D + 1 + (f.time is not None)), z0.dtype), power


def stage(f, z0, theta):
    """Dynamics.stage for an MLP."""
    (*hidden, W_out), D, time = matrices(f, theta), f.sizes[0], f.time is not None
    sigma, _ = ACTIVATIONS[f.activation]
    x0, power = rows(f, z0)  # nothing is kept, so one x is enough
    x0_z = x0[:, :D]

    def measure(Z, t, k):
        power(Z, x0_z)
        if time:
            x0[:, D] = t
        x = x0  # [Z^p, 1] or [Z^p, t, 1]
        for W in hidden:
            x = sigma(x.dot(W))  # (N, H + 1), the last column 1
        x.dot(W_out, k)  # (N, D)

    return measure if z0.ndim == 2 else by_rows(measure, D)


def stage_vjp(f, z0, theta):
    """Dynamics.stage_vjp for an MLP."""
    Ws, D, p, time = matrices(f, theta), f.sizes[0], f.power, f.time is not None
    *hidden, W_out = Ws
    sigma, sigma_pullback = ACTIVATIONS[f.activation]
    backs, back_0 = [W.T.copy() for W in Ws[1:]], Ws[0][:-1].T.copy()  # nobody wants the cotangent of a 1
    back_0[:, :D] *= p  # a_z = (a_pre W0^T) p z^(p-1)
    ones, power = rows(f, z0)
    small, from_y = len(ones) * max(f.sizes) <= SMALL, f.activation != "sin"

    def measure(Z, t, k):
        x = ones.copy()
        lower = power(Z, x[:, :D])
        if time:
            x[:, D] = t
        xs = [x]
        for W in hidden:
            x = sigma(x.dot(W))  # (N, H + 1)
            xs.append(x)
        x.dot(W_out, k)  # (N, D)
        return partial(pullback, xs, lower)

    def pullback(xs, lower, a):
        a_pre, a_pres, a_t = a, [a], 0.0
        for i in range(len(hidden) - 1, -1, -1):
            y = xs[i + 1] if from_y else xs[i].dot(hidden[i])  # y tells the slope of sigma, but for sin
            a_pre = sigma_pullback(a_pre.dot(backs[i]), y, y)
            a_pres.append(a_pre)
        a_x = a_pre.dot(back_0)
        if time:
            a_t, a_x = np.add.reduce(a_x[:, D]), a_x[:, :D]
        if p > 1:
            a_x = a_x * lower
        uses = xs, a_pres
        return a_x, a_t, uses if small else a_theta(f, *uses)

    return measure if z0.ndim == 2 else by_rows(measure, D)


def by_rows(measure, D):
    """The same for states (..., D), whose leading axes become one."""

    def measure_rows(Z, t, k):
        pullback = measure(Z.reshape(-1, D), t, k.reshape(-1, D))
        return None if pullback is None else partial(pullback_rows, pullback)

    def pullback_rows(pullback, a):
        a_z, a_t, deferred = pullback(a.reshape(-1, D))
        return a_z.reshape(a.shape), a_t, deferred

    return measure_rows


def a_theta(f, xs, a_pres):
    """(P,), from the rows x of every layer, and a_pre, the last layer's first: [a_W; a_b] = x^T a_pre, end to end."""
    parts = [x.T.dot(a_pre)[:, :H] for x, a_pre, H in zip(xs, reversed(a_pres), f.sizes[1:], strict=True)]
    return np.concatenate([part.reshape(-1) for part in parts])


def collect(f, deferred, weights=None):
    """Dynamics.collect for (xs, a_pres) of many stages: their rows become those of one large batch."""
    xs, a_pres = ([np.concatenate(layer) for layer in zip(*part, strict=True)] for part in zip(*deferred, strict=True))
    if weights is not None:
        for x, a_pre in zip(xs, reversed(a_pres), strict=True):
            stages = min(x, a_pre, key=np.size).reshape(len(weights), -1)
            np.multiply(weights[:, np.newaxis], stages, stages)
    return a_theta(f, xs, a_pres)
