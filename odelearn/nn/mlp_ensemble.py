"""Many MLPs of one shape in one solve: theta (E, P), states (E, ..., D), each layer one batched product.

The formulas are those of mlp.py, and the tricks those of mlp_fast.py. An axis of members stands first everywhere:

    x (E, N, D + 1)  @  [W; b] (E, D + 1, H)  =  (E, N, H)        member by member

Member e is what it would be alone, to round-off.
"""

import math
import threading
from functools import partial
from itertools import repeat

import numpy as np

from ..dynamics import Bound, weighted_sum
from .activations import SLOPE_FROM_Y
from .mlp_fast import SMALL, check_fit, in_place, join_stages, lower_power, matrices

BLOCK = 2**24


def bind(f, theta, z0):
    """The Bound of an ensemble: value, vjp and sum_theta for theta (E, P) and for states like z0 (E, ..., D)."""
    if len(theta) == 1:
        return of_one(f.bind(theta[0], z0[0]))
    check_fit(f, z0)
    E, D, p, time = len(theta), f.sizes[0], f.power, f.time is not None
    Ws = matrices(f, theta)
    *hidden, W_out = Ws
    sigma, sigma_pullback = in_place(f.activation)
    backs, back_0 = [transpose(W).copy() for W in Ws[1:]], transpose(Ws[0][:, :-1]).copy()
    back_0[..., :D] *= p
    ones = np.ones((E, z0.size // (E * D), D + 1 + time), z0.dtype)
    small, from_y = ones[..., 0].size * max(f.sizes) <= SMALL, f.activation in SLOPE_FROM_Y
    x0, rows, like = ones.copy(), (E, -1, D), lambda W: np.empty((*ones.shape[:2], W.shape[-1]), z0.dtype)
    layers, fresh = [(W, like(W)) for W in hidden], [fresh_like(like(W)) for W in hidden]
    own = threading.local()  # the rooms of pullbacks, each thread's own

    def write_input(x, Z, t):
        """x = [Z^p, 1] or [Z^p, t, 1]; returns Z^(p-1), or None for p = 1."""
        lower = None if p == 1 else lower_power(Z, p)
        x[..., :D] = Z if p == 1 else lower * Z
        if time:
            x[..., D] = t
        return lower

    def value(Z, t, k):
        write_input(x0, Z.reshape(rows), t)
        x = x0
        for W, y in layers:
            x = sigma(np.matmul(x, W, y), y)  # (E, N, H + 1), the last column 1
        np.matmul(x, W_out, k.reshape(rows))  # (E, N, D)

    def vjp(Z, t, k):
        x = ones.copy()
        lower, xs = write_input(x, Z.reshape(rows), t), [x]
        for W, rooms in zip(hidden, fresh, strict=True):
            y = np.matmul(x, W, next(rooms))
            x = sigma(y, y)  # (E, N, H + 1)
            xs.append(x)
        np.matmul(x, W_out, k.reshape(rows))
        return partial(pullback, xs, lower)

    def pullback(xs, lower, a):
        if not hasattr(own, "a_fresh"):  # small a_pre are kept until they are summed; large ones stand in one room
            own.a_fresh = [fresh_like(like(W)) if small else repeat(like(W)) for W in hidden]
            own.scratch = [like(W) for W in hidden]
        a_pre, a_t = a.reshape(rows), 0.0
        a_pres = [a_pre]
        for i in range(len(hidden) - 1, -1, -1):
            y = xs[i + 1]
            pre = y if from_y else np.matmul(xs[i], hidden[i])
            a_pre = sigma_pullback(np.matmul(a_pre, backs[i], next(own.a_fresh[i])), y, pre, own.scratch[i])
            a_pres.append(a_pre)
        a_x = np.matmul(a_pre, back_0)
        if time:
            a_t, a_x = np.sum(a_x[..., D]), a_x[..., :D]
        if p > 1:
            a_x = a_x * lower
        uses = xs, a_pres
        return a_x.reshape(a.shape), a_t, uses if small else a_theta(f, *uses)

    return Bound(value, vjp, partial(sum_uses, f, threading.local()) if small else weighted_sum)


def of_one(bound):
    """The Bound of an ensemble of one member, from that of the member alone."""

    def value(Z, t, k):
        bound.value(Z[0], t, k[0])

    def vjp(Z, t, k):
        return partial(pullback, bound.vjp(Z[0], t, k[0]))

    def pullback(own, a):
        a_z, a_t, term = own(a[0])
        return a_z[np.newaxis], a_t, term

    return Bound(value, vjp, lambda terms, weights=None: bound.sum_theta(terms, weights)[np.newaxis])


def fresh_like(y):
    """New arrays like y for ever, large ones cut from blocks of BLOCK bytes.

    Memory that comes fresh from the system costs a page fault for every 4 KiB. NumPy asks for pages of 2 MiB where an
    array has 4 MiB or more. With small arrays a solve of many members spends half of its time on page faults.
    """
    while True:
        if y.nbytes < 2**14:
            yield np.empty_like(y)
        else:
            yield from np.empty((math.ceil(BLOCK / y.nbytes), *y.shape), y.dtype)


def transpose(W):
    """The transposed matrix of every member."""
    return np.swapaxes(W, -1, -2)


def a_theta(f, xs, a_pres):
    """(E, P), from the rows x of every layer, and a_pre, the last layer's first: [a_W; a_b] = x^T a_pre, end to end."""
    E = len(xs[0])
    parts = [np.matmul(transpose(x), a)[..., :H] for x, a, H in zip(xs, reversed(a_pres), f.sizes[1:], strict=True)]
    return np.concatenate([part.reshape(E, -1) for part in parts], axis=1)


def sum_uses(f, rooms, terms, weights=None):
    """sum_i weights_i a_theta_i from (xs, a_pres) of many stages: their rows become those of one large batch."""
    xs, a_pres = (join_stages(rooms, name, part, 1) for name, part in zip("xa", zip(*terms, strict=True), strict=True))
    if weights is not None:
        for x, a_pre in zip(xs, reversed(a_pres), strict=True):
            smaller = min(x, a_pre, key=np.size)  # (E, n N, ...): of each stage N rows
            stages = smaller.reshape(len(smaller), len(weights), -1)
            np.multiply(weights[:, np.newaxis], stages, stages)
    return a_theta(f, xs, a_pres)
