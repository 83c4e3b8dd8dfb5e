"""Activation functions y = sigma(x), entry by entry: each with its pullback, and with a place where it is 1.

ACTIVATIONS[name] is the pair (sigma, pullback):

    y = sigma(x)                        x of any shape, real or complex; y has its shape and dtype
    a_x = pullback(a_y, y, x)           a_x = a_y sigma'(x); all of one shape

The names are those that MLP(sizes, activation=name) takes. To add one, add a row to TABLE. SECOND[name](y, x) is
sigma''(x), for the derivative of a Jacobian; a row of it is needed only by those who ask for one.
"""

import math

import numpy as np


def sigmoid(x):
    """e^x / (1 + e^x), both multiplied by e^-m with m = max(x, 0), so that nothing overflows."""
    m = np.maximum(x, 0)
    return np.exp(x - m) / (np.exp(-m) + np.exp(x - m))


def softplus(x):
    """log(1 + e^x) = m + log(1 + e^-|x|), with m = max(x, 0) and |x| = 2 m - x, so that nothing overflows."""
    m = np.maximum(x, 0)
    return m + np.log1p(np.exp(x - 2 * m))


def relu(x):
    """x where x > 0, 0 elsewhere."""
    return np.maximum(x, 0)


def elu(x):
    """x where x > 0, e^x - 1 elsewhere (Clevert, Unterthiner and Hochreiter 2016)."""
    return np.maximum(x, 0) + np.expm1(np.minimum(x, 0))


# fmt: off
TABLE = [
    # name       y = sigma(x)   a_x = a_y sigma'(x)                           1 = sigma(...)        does y tell sigma'?
    ("identity", lambda x: x,   lambda a_y, y, x: a_y,                        1.0,                  True),
    ("tanh",     np.tanh,       lambda a_y, y, x: a_y - a_y * y * y,          40.0,                 True),  # 1 - y^2
    ("sigmoid",  sigmoid,       lambda a_y, y, x: a_y * (y * (1 - y)),        40.0,                 True),
    ("softplus", softplus,      lambda a_y, y, x: a_y * -np.expm1(-y),        math.log(math.e - 1), True),  # 1 - e^-y
    ("relu",     relu,          lambda a_y, y, x: a_y * (y > 0),              1.0,                  True),  # at 0: 0
    ("elu",      elu,           lambda a_y, y, x: a_y * (1 + np.minimum(y, 0)), 1.0,                True),
    ("sin",      np.sin,        lambda a_y, y, x: a_y * np.cos(x),            math.pi / 2,          False),
]

SECOND = {
    "identity": lambda y, x: 0 * y,
    "tanh":     lambda y, x: 2 * y * (y * y - 1),
    "sigmoid":  lambda y, x: y * (1 - y) * (1 - 2 * y),
    "softplus": lambda y, x: -np.expm1(-y) * np.exp(-y),
    "relu":     lambda y, x: 0 * y,
    "elu":      lambda y, x: (y < 0) * (1 + y),  # at 0: 0
    "sin":      lambda y, x: -y,
}
# fmt: on

ACTIVATIONS = {name: (sigma, pullback) for name, sigma, pullback, _, _ in TABLE}
ONE = {name: one for name, _, _, one, _ in TABLE}  # sigma(one) = 1 to round-off: so mlp_fast makes a column of ones
SLOPE_FROM_Y = {name for name, _, _, _, told in TABLE if told}  # for the others mlp_fast works out x once more
