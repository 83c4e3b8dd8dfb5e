"""One hidden layer of tanh, as in the paper's demo, bound to one theta: what mlp_fast.py does for any MLP, written out.

    x = [z^p, 1]    y = [tanh(z^p W0 + b0), 1] = tanh(x [W0; b0])    dz/dt = y [W1; b1]

and back, from a = dL/d(dz/dt):

    a_pre = a W1^T (1 - y^2)    a_z = (a_pre W0^T) p z^(p-1)    a_theta = x^T a_pre and y^T a, summed later
"""

import threading
from functools import partial

import numpy as np

from ..dynamics import Bound, weighted_sum
from .mlp_fast import by_rows, check_fit, is_small, join_stages, lower_power, matrices


def fits(f):
    """Whether the MLP has one hidden layer, of tanh, and no time."""
    return len(f.sizes) == 3 and f.activation == "tanh" and f.time is None


def bind(f, theta, z0):
    """The Bound of such an MLP: value, vjp and sum_theta for this theta and for states like z0."""
    check_fit(f, z0)
    D, p, small = f.sizes[0], f.power, is_small(f, z0)
    W0, W1 = matrices(f, theta)  # (D + 1, H + 1), (H + 1, D)
    W0_back, W1_back = W0[:-1].T.copy(), W1.T.copy()
    W0_back *= p
    ones = np.ones((z0.size // D, D + 1), z0.dtype)
    x0, y0 = ones.copy(), np.empty((len(ones), W0.shape[1]), z0.dtype)  # value writes into the same arrays
    x0_z = x0[:, :D]

    def value(Z, t, k):
        x0_z[...] = Z if p == 1 else lower_power(Z, p) * Z
        x0.dot(W0, y0)
        np.tanh(y0, y0)  # (N, H + 1), the last column 1
        y0.dot(W1, k)  # (N, D)

    def vjp(Z, t, k):
        lower = None if p == 1 else lower_power(Z, p)  # z^(p-1)
        x = ones.copy()
        x[:, :D] = Z if p == 1 else lower * Z
        y = x.dot(W0)
        np.tanh(y, y)
        y.dot(W1, k)
        return partial(pullback, x, y, lower)

    def pullback(x, y, lower, a):
        a_y = a.dot(W1_back)
        a_y_y2 = a_y * y
        a_y_y2 *= y
        a_pre = np.subtract(a_y, a_y_y2, a_y)  # (N, H + 1), in the place of a_y
        a_z = a_pre.dot(W0_back)  # (N, D)
        if p > 1:
            a_z *= lower
        uses = x, y, a, a_pre
        return a_z, 0.0, uses if small else a_theta(*uses)

    sum_theta = partial(sum_uses, threading.local()) if small else weighted_sum
    return Bound(value, vjp, sum_theta) if z0.ndim == 2 else by_rows(value, vjp, sum_theta, D)


def a_theta(x, y, a, a_pre):
    """(P,), from the rows of one stage or of many: a_W0, a_b0 (not those of the column that makes a 1), a_W1, a_b1."""
    return np.concatenate([x.T.dot(a_pre)[:, :-1].reshape(-1), y.T.dot(a).reshape(-1)])


def sum_uses(rooms, terms, weights=None):
    """sum_i weights_i a_theta_i from (x, y, a, a_pre) of many stages: their rows become those of one large batch."""
    x, y, a, a_pre = join_stages(rooms, "rows", terms)
    if weights is not None:
        for rows in x, a:  # one in each product
            stages = rows.reshape(len(weights), -1)
            np.multiply(weights[:, np.newaxis], stages, stages)
    return a_theta(x, y, a, a_pre)
