"""An MLP bound to one theta, for thousands of stages: the numbers of mlp.py from fewer, cheaper NumPy calls.

The derivation stands in mlp.py. The same products in the same order stand here, with three tricks:

    [x, 1] [W; b] = x W + b   The rows carry a 1, and the bias rides in the product. W and b follow each other in theta,
                              so [W; b] is one block of it, (D + 1, H), and [x, 1]^T a_pre is one block of a_theta.
    sigma(c) = 1              A hidden layer makes the next 1 itself: its [W; b] has one more column, (0, ..., 0, c).
    a_theta later             A small stage only keeps x and a_pre. To W it is the same whether its rows come from one
                              batch or from many stages; all together get one product, at half the price of one each.
"""

import threading
from functools import partial

import numpy as np

from ..dynamics import Bound, weighted_sum
from .activations import ACTIVATIONS, ONE, SLOPE_FROM_Y

SMALL = 1024  # numbers in the widest layer up to which a stage waits; a larger one gains nothing, and fills memory


def matrices(f, theta):
    """[W; b] of every layer (D + 1, H), the hidden ones with the column that makes a 1 (D + 1, H + 1).

    theta (P,), or (E, P) for an ensemble: then each [W; b] has the axis E first.
    """
    Ws, start, last = [], 0, len(f.sizes) - 2
    for i, (D, H) in enumerate(f.shapes[f"W{i}"] for i in range(last + 1)):
        stop = start + (D + 1) * H
        W = theta[..., start:stop].reshape(*theta.shape[:-1], D + 1, H)
        if i < last:
            W_and_ones = np.zeros((*theta.shape[:-1], D + 1, H + 1), theta.dtype)
            W_and_ones[..., :H], W_and_ones[..., D, H] = W, ONE[f.activation]
            W = W_and_ones
        Ws.append(W)
        start = stop
    return Ws


def bind(f, theta, z0):
    """The Bound of an MLP: value, vjp and sum_theta for this theta and for states like z0."""
    check_fit(f, z0)
    D, p, time = f.sizes[0], f.power, f.time is not None
    Ws = matrices(f, theta)
    *hidden, W_out = Ws
    sigma, sigma_pullback = in_place(f.activation)
    backs, back_0 = [W.T.copy() for W in Ws[1:]], Ws[0][:-1].T.copy()  # nobody wants the cotangent of a 1
    back_0[:, :D] *= p  # a_z = (a_pre W0^T) p z^(p-1)
    ones = np.ones((z0.size // D, D + 1 + time), z0.dtype)
    small, from_y = is_small(f, z0), f.activation in SLOPE_FROM_Y
    x0 = ones.copy()  # value keeps nothing: it always writes into the same arrays
    x0_z, layers = x0[:, :D], [(W, np.empty((len(ones), W.shape[1]), z0.dtype)) for W in hidden]

    def value(Z, t, k):
        x0_z[...] = Z if p == 1 else lower_power(Z, p) * Z  # whole, then copied: faster than a product written there
        if time:
            x0[:, D] = t
        x = x0  # [Z^p, 1] or [Z^p, t, 1]
        for W, y in layers:
            x = sigma(x.dot(W, y), y)  # (N, H + 1), the last column 1
        x.dot(W_out, k)  # (N, D)

    def vjp(Z, t, k):
        x, lower = ones.copy(), None
        if p == 1:
            x[:, :D] = Z
        else:
            lower = lower_power(Z, p)
            x[:, :D] = lower * Z
        if time:
            x[:, D] = t
        xs = [x]
        for W in hidden:
            y = x.dot(W)
            x = sigma(y, y)  # (N, H + 1)
            xs.append(x)
        x.dot(W_out, k)  # (N, D)
        return partial(pullback, xs, lower)

    def pullback(xs, lower, a):
        a_pre, a_pres, a_t = a, [a], 0.0
        for i in range(len(hidden) - 1, -1, -1):
            y = xs[i + 1]
            pre = y if from_y else xs[i].dot(hidden[i])  # worked out once more where y does not tell the slope
            a_pre = sigma_pullback(a_pre.dot(backs[i]), y, pre)
            a_pres.append(a_pre)
        a_x = a_pre.dot(back_0)
        if time:
            a_t, a_x = np.add.reduce(a_x[:, D]), a_x[:, :D]
        if p > 1:
            a_x = a_x * lower
        uses = xs, a_pres
        return a_x, a_t, uses if small else a_theta(f, *uses)

    sum_theta = partial(sum_uses, f, threading.local()) if small else weighted_sum
    return Bound(value, vjp, sum_theta) if z0.ndim == 2 else by_rows(value, vjp, sum_theta, D)


def is_small(f, z0):
    """Whether a_theta of a stage waits to be summed with that of others."""
    return z0.size // f.sizes[0] * max(f.sizes) <= SMALL


def check_fit(f, z0):
    """Raises ValueError if f is no dynamics for states like z0."""
    D = f.sizes[0]
    if z0.shape[-1:] != (D,):
        raise ValueError(f"z must have sizes[0] = {D} as its last axis, got shape {z0.shape}")
    if f.sizes[-1] != D:
        raise ValueError(f"{f} is no dynamics: dz/dt has the shape of z, so sizes[-1] must be sizes[0]")


def in_place(activation):
    """sigma(x, y), which writes into y and returns it, and its pullback, which may write into a_y, and into a room."""
    sigma, pullback = ACTIVATIONS[activation]
    if activation == "tanh":
        return sigma, tanh_pullback
    without_room = lambda a_y, y, x, room=None: pullback(a_y, y, x)
    return sigma if isinstance(sigma, np.ufunc) else partial(fill, sigma), without_room


def fill(sigma, x, y):
    y[...] = sigma(x)
    return y


def tanh_pullback(a_y, y, _, room=None):
    """a_y (1 - y^2), the same operations as in the table of activations."""
    a = np.multiply(a_y, y, room)
    a *= y
    return np.subtract(a_y, a, a_y)


def lower_power(Z, p):
    """Z^(p-1) for p > 1, in an array of its own."""
    x = Z * Z if p > 2 else Z.copy()
    for _ in range(p - 3):
        x = x * Z
    return x


def by_rows(value, vjp, sum_theta, D):
    """The same for states (..., D), whose leading axes become one."""

    def value_of_rows(Z, t, k):
        value(Z.reshape(-1, D), t, k.reshape(-1, D))

    def vjp_of_rows(Z, t, k):
        return partial(pullback_of_rows, vjp(Z.reshape(-1, D), t, k.reshape(-1, D)))

    def pullback_of_rows(pullback, a):
        a_z, a_t, term = pullback(a.reshape(-1, D))
        return a_z.reshape(a.shape), a_t, term

    return Bound(value_of_rows, vjp_of_rows, sum_theta)


def join_stages(rooms, name, part, axis=0):
    """For every layer the rows of all stages, in arrays that are used again: large ones cost page faults when new.

    rooms: a threading.local() that keeps these arrays under the name, for as many stages as it was last asked for.
    """
    layers = list(zip(*part, strict=True))
    known, joined = getattr(rooms, name, (0, None))
    if known == len(layers[0]):
        for layer, room in zip(layers, joined, strict=True):
            np.concatenate(layer, axis, room)
    else:
        joined = [np.concatenate(layer, axis) for layer in layers]
        setattr(rooms, name, (len(layers[0]), joined))
    return joined


def a_theta(f, xs, a_pres):
    """(P,), from the rows x of every layer, and a_pre, the last layer's first: [a_W; a_b] = x^T a_pre, end to end."""
    parts = [x.T.dot(a_pre)[:, :H] for x, a_pre, H in zip(xs, reversed(a_pres), f.sizes[1:], strict=True)]
    return np.concatenate([part.reshape(-1) for part in parts])


def sum_uses(f, rooms, terms, weights=None):
    """sum_i weights_i a_theta_i from (xs, a_pres) of many stages: their rows become those of one large batch."""
    xs, a_pres = (join_stages(rooms, name, part) for name, part in zip("xa", zip(*terms, strict=True), strict=True))
    if weights is not None:
        for x, a_pre in zip(xs, reversed(a_pres), strict=True):
            stages = min(x, a_pre, key=np.size).reshape(len(weights), -1)
            np.multiply(weights[:, np.newaxis], stages, stages)
    return a_theta(f, xs, a_pres)
