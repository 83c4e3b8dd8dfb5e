"""Activation functions: each with its pullback, and with a place where it is 1."""

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
    return np.maximum(x, 0)


def elu(x):
    """x where x > 0, e^x - 1 elsewhere."""
    return np.maximum(x, 0) + np.expm1(np.minimum(x, 0))


# fmt: off
ACTIVATIONS = {
    # name       y = sigma(x)   a_x = a_y sigma'(x), from the stored y where y gives the slope
    "identity": (lambda x: x,   lambda a_y, y, x: a_y),
    "tanh":     (np.tanh,       lambda a_y, y, x: a_y - a_y * y * y),            # 1 - y^2
    "sigmoid":  (sigmoid,       lambda a_y, y, x: a_y * (y * (1 - y))),
    "softplus": (softplus,      lambda a_y, y, x: a_y * -np.expm1(-y)),          # 1 - e^-y = e^x / (1 + e^x)
    "relu":     (relu,          lambda a_y, y, x: a_y * (x > 0)),                # at the kink: 0
    "elu":      (elu,           lambda a_y, y, x: a_y * (1 + np.minimum(y, 0))),
    "sin":      (np.sin,        lambda a_y, y, x: a_y * np.cos(x)),
}
# fmt: on

ONE = {  # name: c with sigma(c) = 1, to round-off
    "identity": 1.0,
    "tanh": 40.0,
    "sigmoid": 40.0,
    "softplus": math.log(math.e - 1),
    "relu": 1.0,
    "elu": 1.0,
    "sin": math.pi / 2,
}
