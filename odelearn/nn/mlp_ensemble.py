"""Many MLPs of one shape in one solve: theta (E, P), states (E, ..., D), each layer one batched product.

The formulas are those of mlp.py, and the tricks those of mlp_fast.py. An axis of members stands first everywhere:

    x (E, N, D + 1)  @  [W; b] (E, D + 1, H)  =  (E, N, H)        member by member

Member e is what it would be alone, to round-off.
"""

from functools import partial

import numpy as np

from ..dynamics import Bound, weighted_sum
from .activations import SLOPE_FROM_Y
from .mlp_fast import SMALL, check_fit, in_place, lower_power, matrices


def bind(f, theta, z0):
    """The Bound of an ensemble: value, vjp and sum_theta for theta (E, P) and for states like z0 (E, ..., D)."""
    check_fit(f, z0)
    E, D, p, time = len(theta), f.sizes[0], f.power, f.time is not None
    Ws = matrices(f, theta)
    *hidden, W_out = Ws
    sigma, sigma_pullback = in_place(f.activation)
    backs, back_0 = [transpose(W).copy() for W in Ws[1:]], transpose(Ws[0][:, :-1]).copy()
    back_0[..., :D] *= p
    ones = np.ones((E, z0.size // (E * D), D + 1 + time), z0.dtype)
    small, from_y = ones[..., 0].size * max(f.sizes) <= SMALL, f.activation in SLOPE_FROM_Y
    x0, rows = ones.copy(), (E, -1, D)
    layers = [(W, np.empty((*ones.shape[:2], W.shape[-1]), z0.dtype)) for W in hidden]

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
        for W in hidden:
            y = np.matmul(x, W)
            x = sigma(y, y)  # (E, N, H + 1)
            xs.append(x)
        np.matmul(x, W_out, k.reshape(rows))
        return partial(pullback, xs, lower)

    def pullback(xs, lower, a):
        a_pre, a_t = a.reshape(rows), 0.0
        a_pres = [a_pre]
        for i in range(len(hidden) - 1, -1, -1):
            y = xs[i + 1]
            pre = y if from_y else np.matmul(xs[i], hidden[i])
            a_pre = sigma_pullback(np.matmul(a_pre, backs[i]), y, pre)
            a_pres.append(a_pre)
        a_x = np.matmul(a_pre, back_0)
        if time:
            a_t, a_x = np.sum(a_x[..., D]), a_x[..., :D]
        if p > 1:
            a_x = a_x * lower
        uses = xs, a_pres
        return a_x.reshape(a.shape), a_t, uses if small else a_theta(f, *uses)

    return Bound(value, vjp, partial(sum_uses, f) if small else weighted_sum)


def transpose(W):
    """The transposed matrix of every member."""
    return np.swapaxes(W, -1, -2)


def a_theta(f, xs, a_pres):
    """(E, P), from the rows x of every layer, and a_pre, the last layer's first: [a_W; a_b] = x^T a_pre, end to end."""
    E = len(xs[0])
    parts = [np.matmul(transpose(x), a)[..., :H] for x, a, H in zip(xs, reversed(a_pres), f.sizes[1:], strict=True)]
    return np.concatenate([part.reshape(E, -1) for part in parts], axis=1)


def sum_uses(f, terms, weights=None):
    """sum_i weights_i a_theta_i from (xs, a_pres) of many stages: their rows become those of one large batch."""
    join = lambda part: [np.concatenate(layer, axis=1) for layer in zip(*part, strict=True)]
    xs, a_pres = (join(part) for part in zip(*terms, strict=True))
    if weights is not None:
        for x, a_pre in zip(xs, reversed(a_pres), strict=True):
            smaller = min(x, a_pre, key=np.size)  # (E, n N, ...): of each stage N rows
            stages = smaller.reshape(len(smaller), len(weights), -1)
            np.multiply(weights[:, np.newaxis], stages, stages)
    return a_theta(f, xs, a_pres)
