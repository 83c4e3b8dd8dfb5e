"""The table of derivatives: what the tape knows of NumPy's elementwise functions and reductions.

A rule is a pullback, (a, y, *args) -> a_x, written in functions that have rules themselves: second derivatives, and all
higher ones, come free. `rules_arrays.py` has the functions that move entries about, `rules_linalg.py` linear algebra.
"""

import math

import numpy as np

from .tracer import COMPOSED, RULES, Traced, as_constant, as_operand, record, shape_of, untrace


def rule(fun, *pullbacks):
    """For y = fun(*args): pullbacks[i](a, y, *args) is the cotangent of args[i], given a, that of y."""
    RULES[fun] = pullbacks


def unary(fun, derivative):
    """y = fun(x) entry by entry:  a_x = a dy/dx,  where dy/dx = derivative(y, x)."""
    rule(fun, lambda a, y, x: a * derivative(y, x))


def binary(fun, derivative1, derivative2):
    """y = fun(x1, x2) entry by entry, both broadcast to the shape of y; derivative1 = dy/dx1, derivative2 = dy/dx2."""
    rule(
        fun,
        lambda a, y, x1, x2: unbroadcast(a * derivative1(y, x1, x2), x1),
        lambda a, y, x1, x2: unbroadcast(a * derivative2(y, x1, x2), x2),
    )


def unbroadcast(a, x):
    """The pullback of broadcasting x to the shape of a: where x was repeated, the cotangents add up."""
    shape_a, shape = shape_of(a), shape_of(x)
    if shape_a == shape:
        return a
    if new := len(shape_a) - len(shape):  # broadcasting puts new axes in front,
        a = np.add.reduce(a, tuple(range(new)))
    if shape_a[new:] != shape:  # and stretches those of length 1
        a = np.add.reduce(a, tuple([i for i, n in enumerate(shape) if n == 1]), keepdims=True)
    return a


LOG2, LOG10 = float(np.log(2)), float(np.log(10))  # Python floats: a NumPy float64 would turn float32 into float64

# fmt: off
# --- Elementwise, one argument: dy/dx ---------------------------------------------------------------------------------

unary(np.positive,   lambda y, x: 1)
unary(np.negative,   lambda y, x: -1)
unary(np.square,     lambda y, x: 2 * x)
unary(np.sqrt,       lambda y, x: 0.5 / y)
unary(np.cbrt,       lambda y, x: 1 / (3 * y * y))
unary(np.reciprocal, lambda y, x: -y * y)

unary(np.exp,        lambda y, x: y)
unary(np.exp2,       lambda y, x: y * LOG2)
unary(np.expm1,      lambda y, x: y + 1)
unary(np.log,        lambda y, x: 1 / x)
unary(np.log2,       lambda y, x: 1 / (x * LOG2))
unary(np.log10,      lambda y, x: 1 / (x * LOG10))
unary(np.log1p,      lambda y, x: 1 / (1 + x))

unary(np.sin,        lambda y, x: np.cos(x))
unary(np.cos,        lambda y, x: -np.sin(x))
unary(np.tan,        lambda y, x: 1 + y * y)
unary(np.arcsin,     lambda y, x: 1 / np.sqrt(1 - x * x))
unary(np.arccos,     lambda y, x: -1 / np.sqrt(1 - x * x))
unary(np.arctan,     lambda y, x: 1 / (1 + x * x))

unary(np.sinh,       lambda y, x: np.cosh(x))
unary(np.cosh,       lambda y, x: np.sinh(x))
unary(np.tanh,       lambda y, x: 1 - y * y)
unary(np.arcsinh,    lambda y, x: 1 / np.sqrt(x * x + 1))
unary(np.arccosh,    lambda y, x: 1 / np.sqrt(x * x - 1))
unary(np.arctanh,    lambda y, x: 1 / (1 - x * x))

# --- Elementwise, two arguments: dy/dx1, dy/dx2 -----------------------------------------------------------------------

rule(np.add,         lambda a, y, x1, x2: unbroadcast(a, x1),    lambda a, y, x1, x2: unbroadcast(a, x2))
rule(np.subtract,    lambda a, y, x1, x2: unbroadcast(a, x1),    lambda a, y, x1, x2: -unbroadcast(a, x2))
binary(np.multiply,  lambda y, x1, x2: x2,                       lambda y, x1, x2: x1)
binary(np.divide,    lambda y, x1, x2: 1 / x2,                   lambda y, x1, x2: -y / x2)
binary(np.remainder, lambda y, x1, x2: 1,                        lambda y, x1, x2: -(x1 // x2))
binary(np.power,     lambda y, x1, x2: power_slope(x1, x2),      lambda y, x1, x2: y * log_of_base(x1))
binary(np.logaddexp, lambda y, x1, x2: np.exp(x1 - y),           lambda y, x1, x2: np.exp(x2 - y))
binary(np.hypot,     lambda y, x1, x2: x1 / y,                   lambda y, x1, x2: x2 / y)
binary(np.arctan2,   lambda y, x1, x2: x2 / (x1 * x1 + x2 * x2), lambda y, x1, x2: -x1 / (x1 * x1 + x2 * x2))
binary(np.maximum,   lambda y, x1, x2: larger(x1, x2),           lambda y, x1, x2: larger(x2, x1))
binary(np.minimum,   lambda y, x1, x2: larger(x2, x1),           lambda y, x1, x2: larger(x1, x2))
# fmt: on


def power_slope(x, n):
    """d x^n / dx = n x^(n-1), which is 0 for n = 0, also at x = 0 where x^(-1) is infinite."""
    if isinstance(n, (int, float)):  # stays a Python number: x^2 is much faster than x^array, and float32 stays float32
        return n * x ** (n - 1) if n else 0 * x
    return n * x ** np.where(n == 0, 1, n - 1)


def log_of_base(x):
    """log x for d x^n / dn = x^n log x, which is 0 at x = 0 (for n > 0)."""
    return np.log(np.where(x == 0, 1, x))


def larger(x1, x2):
    """1 where x1 > x2, 0 where x1 < x2, and one half for a tie: of max(x, x) = x both halves make 1."""
    return (x1 > x2) + 0.5 * (x1 == x2)


def absolute(x):
    """|x| = x sign(x); with NumPy's sign(0) = 0 its derivative is 0 at the kink."""
    return x * np.sign(x)


def clip(x, a_min=None, a_max=None):
    x = x if a_min is None else np.maximum(x, a_min)
    return x if a_max is None else np.minimum(x, a_max)


def interp(x, xp, fp):
    """The straight line between the neighbours of x; outside of xp, the value at its nearer end."""
    xp, fp = as_operand(xp), as_operand(fp)
    x = np.clip(x, xp[0], xp[-1])
    right = np.clip(np.searchsorted(xp, x), 1, len(xp) - 1)
    left = right - 1
    return fp[left] + (x - xp[left]) / (xp[right] - xp[left]) * (fp[right] - fp[left])


def where(condition, x1=None, x2=None):
    condition = untrace(condition)
    return np.where(condition) if x1 is None else record(np.where, RULES[np.where], (condition, x1, x2))


rule(
    np.where,
    None,
    lambda a, y, condition, x1, x2: unbroadcast(np.where(condition, a, 0), x1),
    lambda a, y, condition, x1, x2: unbroadcast(np.where(condition, 0, a), x2),
)
COMPOSED |= {np.absolute: absolute, np.clip: clip, np.interp: interp, np.where: where}


# --- Reductions: x shrinks along some axes, so its cotangent is spread along them -------------------------------------


def restore_axes(a, axis, keepdims):
    """a with the axes that a reduction took away put back, with length 1."""
    return a if keepdims or axis is None else np.expand_dims(a, axis)


def spread_evenly(a, y, x, axis=None, keepdims=False):
    a = restore_axes(a, axis, keepdims)
    if type(a) is Traced:
        return np.broadcast_to(a, shape_of(x))
    a_x = np.empty(shape_of(x), a.dtype)
    a_x[...] = a  # faster than np.broadcast_to
    return a_x


def spread_over_extremes(a, y, x, axis=None, keepdims=False):
    """All of a goes to the entry that is the largest (or smallest); equal ones share it."""
    chosen = x == restore_axes(y, axis, keepdims)
    return restore_axes(a, axis, keepdims) / np.add.reduce(chosen, axis, keepdims=True) * chosen


def spread_backwards(a, y, x, axis=None):
    """x_i is part of y_i and of all after it, so its cotangent is the sum from the end back to i."""
    return np.reshape(np.flip(np.cumsum(np.flip(a, axis), axis), axis), shape_of(x))


def spread_mean(a, y, x, axis=None, *, keepdims=False):
    """Each entry of x is the n-th part of a mean of n."""
    n = math.prod(shape_of(x)) // math.prod(shape_of(y))
    return spread_evenly(a * (1 / n), y, x, axis, keepdims)


rule(np.sum, spread_evenly)
rule(np.mean, spread_mean)
rule(np.max, spread_over_extremes)
rule(np.min, spread_over_extremes)
rule(np.cumsum, spread_backwards)


def var(x, axis=None, *, ddof=0, keepdims=False):
    x = real(x, "np.var")
    total = np.sum(np.square(x - np.mean(x, axis, keepdims=True)), axis, keepdims=keepdims)
    return total / (x.size // total.size - ddof)


def std(x, axis=None, *, ddof=0, keepdims=False):
    return np.sqrt(np.var(x, axis, ddof=ddof, keepdims=keepdims))


def prod(x, axis=None, *, keepdims=False):
    """The product by halving: log2(n) products entry by entry, whose rule, unlike y / x, is right where x is 0."""
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    factors = np.moveaxis(x, axes, range(len(axes)))
    factors = factors.reshape(-1, *factors.shape[len(axes) :])
    while len(factors) > 1:
        half = len(factors) // 2
        factors = np.concatenate([factors[:half] * factors[half : 2 * half], factors[2 * half :]])
    return np.expand_dims(factors[0], tuple(axes)) if keepdims else factors[0]


COMPOSED |= {
    np.var: var,
    np.std: std,
    np.prod: prod,
    np.amax: lambda x, *args, **kwargs: np.max(x, *args, **kwargs),
    np.amin: lambda x, *args, **kwargs: np.min(x, *args, **kwargs),
    np.add.reduce: lambda x, axis=0, **kwargs: np.sum(x, axis, **kwargs),
    np.multiply.reduce: lambda x, axis=0, **kwargs: np.prod(x, axis, **kwargs),
    np.maximum.reduce: lambda x, axis=0, **kwargs: np.max(x, axis, **kwargs),
    np.minimum.reduce: lambda x, axis=0, **kwargs: np.min(x, axis, **kwargs),
    np.add.accumulate: lambda x, axis=0: np.cumsum(x, axis),
}


# --- Functions whose derivative is zero: ordinary values, no node -----------------------------------------------------


def sign(x):
    return np.sign(untrace(real(x, "np.sign or np.abs")))


def real(x, name):
    """x, unless it is complex: |x| and its relatives are not holomorphic."""
    if np.iscomplexobj(x):
        raise TypeError(f"{name} of complex values has no complex derivative; np.sqrt(x * x) has, in place of |x|")
    return x


# fmt: off
COMPOSED[np.sign] = sign
COMPOSED |= {fun: as_constant(fun) for fun in (
    np.shape, np.ndim, np.size, np.result_type, np.isrealobj, np.iscomplexobj,
    np.zeros_like, np.ones_like, np.empty_like,
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal,
    np.array_equal, np.isclose, np.allclose, np.isfinite, np.isinf, np.isnan, np.signbit,
    np.logical_and, np.logical_or, np.logical_not, np.any, np.all,
    np.argmax, np.argmin, np.argsort, np.nonzero, np.count_nonzero, np.searchsorted,
    np.floor, np.ceil, np.rint, np.trunc, np.round, np.floor_divide, np.heaviside,
)}
# fmt: on
