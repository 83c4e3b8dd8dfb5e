"""Derivatives from first principles: fun is evaluated near x, and nothing else is known of it.

A difference (f(x + h) - f(x - h)) / 2h is a compromise: its truncation error grows with h, its round-off error grows
with 1 / h. There are two ways to avoid the compromise. Richardson's method takes several h, extrapolates to h = 0 and
estimates the error that is left. The complex step evaluates f at x + ih; it subtracts nothing, so h can be 1e-20, and
the derivative is exact to round-off.
"""

import warnings

import numpy as np

# ---- differences

# fmt: off
SCHEMES = {  # f is evaluated at x + up h and x + down h; the best h is a power of eps_mach
    "forward":  (1,  0, 1 / 2),
    "backward": (0, -1, 1 / 2),
    "central":  (1, -1, 1 / 3),
}
# fmt: on


def finite_difference(fun, x, scheme="central", eps=None):
    """The derivative dy_j/dx_i of y = fun(x) from differences, one component x_i after the other.

        scheme        formula                           truncation error    digits in double precision
        "forward"     (f(x + h) - f(x)) / h             O(h)                 8, with h = eps_mach^(1/2)
        "backward"    (f(x) - f(x - h)) / h             O(h)                 8
        "central"     (f(x + h) - f(x - h)) / 2h        O(h^2)              10, with h = eps_mach^(1/3)
        "richardson"  central, extrapolated to h = 0    it estimates it     13

    Arguments:
        fun      function of an array like x; fun(x) is a number or an array of any shape Y
        x        number or array of real numbers, any shape; integers become float64, float32 stays float32
        scheme   one of the four above
        eps      the step h > 0, in the unit of x; by default the h above times max(1, |x_i|). For "richardson" it is
                 the first and largest step; by default 0.1 max(1, |x_i|), and for a small |x_i| also 0.1 |x_i|, of
                 which the better one is kept

    Returns the derivative, an array of shape (*Y, *x.shape).
    Raises ValueError for another scheme, TypeError if x is not real.

    >>> finite_difference(lambda x: x**2, [1.0, 3.0]).round(6)
    array([[2., 0.],
           [0., 6.]])
    """
    x = as_float(x)
    if scheme == "richardson":
        return extrapolate(fun, x, eps)[0]
    if scheme not in SCHEMES:
        raise ValueError(f"scheme must be one of {', '.join(SCHEMES)}, richardson, got {scheme!r}")
    up, down, power = SCHEMES[scheme]
    best = float(np.finfo(x.dtype).eps) ** power
    columns = []
    for e in unit_vectors(x):
        quotient, _ = difference_quotient(fun, x, e, eps or best * length_scales(x, e)[0], up, down)
        columns.append(quotient)
    return stack_columns(columns, x)


def difference_quotient(fun, x, v, h, up=1, down=-1):
    """(f(x + up h v) - f(x + down h v)) / ((up - down) h), with the h that is left when x + h v has been rounded.

    And the larger |f| of the two, of which round-off is a part.
    """
    above, below = x + up * h * v, x + down * h * v
    taken = np.sum((above - below) * v) / np.sum(v * v)
    f_above, f_below = fun(above), fun(below)
    return np.subtract(f_above, f_below) / taken, np.maximum(np.abs(f_above), np.abs(f_below))


def extrapolate_along(fun, x, v, *hs):
    """J v, the derivative of fun at x along v, an estimate of its error, and the round-off in that estimate.

    All three have the shape of fun(x). hs are first and largest steps, the longest first. The result of a shorter one
    is kept if its error is smaller, and if it is known to three digits: long steps do not see a short wave.
    """
    best, error, noise = extrapolate_from(fun, x, v, hs[0])
    for h in hs[1:]:
        J_v, own_error, own_noise = extrapolate_from(fun, x, v, h)
        better = (own_error < error) | (own_error < 1e-3 * np.abs(J_v))
        best, error = np.where(better, J_v, best), np.where(better, own_error, error)
        noise = np.where(better, own_noise, noise)
    return best, error, noise


@np.errstate(all="ignore")  # the first, longest steps may leave the domain of fun
def extrapolate_from(fun, x, v, h):
    """The three of extrapolate_along for one h.

    A central quotient is even in h,  D(h) = J v + c_2 h^2 + c_4 h^4 + ...,  so that with h_i = h / 4^i
        T_i0 = D(h_i),   T_ik = T_i,k-1 + (T_i,k-1 - T_i-1,k-1) / (16^k - 1)
    removes one power after another. The entry kept is the one that differs least from the two it is made of, with the
    round-off of D, eps |f| / h_i, added. Entries that are not finite are never kept.
    Ridders, Adv. Eng. Software 4 (1982).
    """
    limits = np.finfo(x.dtype)
    best, error, noise, row_above = np.nan, np.inf, np.inf, []
    for _ in range(7):
        quotient, size = difference_quotient(fun, x, v, h)
        row, round_off = [quotient], (limits.eps * size + limits.smallest_subnormal) / h
        for k, above in enumerate(row_above, 1):
            T = row[-1] + (row[-1] - above) / (16.0**k - 1)
            gap = np.maximum(np.abs(T - row[-1]), np.abs(T - above)) + round_off
            better = gap < error
            best, error, noise = (np.where(better, *pair) for pair in ((T, best), (gap, error), (round_off, noise)))
            row.append(T)
        row_above, h = row, h / 4
    return best, error, noise


def extrapolate(fun, x, first=None):
    """The derivative of fun at x by Richardson extrapolation, its error estimate, and the round-off in that."""
    limits = []
    for e in unit_vectors(x):
        hs = [first] if first else [0.1 * scale for scale in length_scales(x, e)]
        limits.append(extrapolate_along(fun, x, e, *hs))
    return [stack_columns(columns, x) for columns in zip(*limits, strict=True)]


# ---- the complex step

STEP = 1e-20  # h^2 is far below round-off, and h is still a normal number in complex64


def complex_step(fun, x):
    """The derivative dy_j/dx_i of y = fun(x) without a subtraction, exact to round-off.

    From  f(x + ih) = f(x) + ih f'(x) - h^2 f''(x) / 2 - ...  follows

        f'(x) = Im f(x + ih) / h + O(h^2),   h = 1e-20.

    fun has to be analytic: arithmetic, exp, sin, tanh and the like; branches may only look at the real part.

    Arguments:
        fun   function of a complex array like x; fun(x) is a number or an array of any shape Y
        x     number or array of real numbers, any shape; integers become float64, float32 stays float32

    Returns the derivative, an array of shape (*Y, *x.shape).
    Raises TypeError if x is not real, and if fun drops the imaginary part: if it refuses complex numbers, returns real
    ones, or writes complex numbers into a real array. If only one term of fun drops it (abs, norm, .real), nothing is
    raised and the derivative is wrong: compare with finite_difference(fun, x, "richardson"), as check_gradient does.
    Source: Squire and Trapp, SIAM Review 40 (1998).

    >>> complex_step(lambda x: x**3, 2.0)
    array(12.)
    """
    x = as_float(x)
    return stack_columns([complex_step_along(fun, x, e) for e in unit_vectors(x)], x)


def complex_step_along(fun, x, v, h=STEP):
    """J v = Im f(x + ih v) / h."""
    return np.imag(evaluate_complex(fun, x + 1j * h * v)) / h


def evaluate_complex(fun, z):
    """fun(z) for complex z. Raises TypeError if the result is real; NumPy only warns where imaginary parts are lost."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        try:
            y = np.asarray(fun(z))
        except (TypeError, np.exceptions.ComplexWarning) as error:
            raise TypeError(f"fun does not take complex numbers ({error}). {ADVICE}") from error
    if not np.iscomplexobj(y):
        raise TypeError(f"fun drops the imaginary part of x: its result is {y.dtype}. {ADVICE}")
    return y


ADVICE = (
    "The complex step needs an analytic fun: write x * x for abs(x)**2, np.sum(x * x) for norm(x)**2 or vdot(x, x), "
    "allocate arrays with x's dtype, avoid .real, float() and math. Or use finite_difference(fun, x, 'richardson')"
)


# ---- what all tests of derivatives share


def as_float(x, what="x"):
    """x as an array of floats (a NumPy number if 0-d): float32 stays float32, integers become float64.

    Raises TypeError if x is not real, and for subclasses of ndarray: a mask would be lost without a word.
    """
    if isinstance(x, np.ndarray) and type(x) is not np.ndarray:
        raise TypeError(
            f"{what} is a {type(x).__name__}; give an ordinary array: index what was observed, or use weights"
        )
    x = np.asarray(x)
    if x.dtype.kind not in "biuf":
        raise TypeError(f"{what} must be real numbers, got {x.dtype}; take real and imaginary part as two arguments")
    return (x.astype(float) if x.dtype.kind in "biu" else x)[()]


def as_scalar(value):
    """fun(x) as one real number. Raises ValueError if it is something else."""
    value = np.asarray(value)
    if value.dtype.kind not in "biufc" or value.shape:
        raise ValueError(
            f"fun must return one number, got {value.dtype} of shape {value.shape}. Reduce it to a loss, such as "
            "np.sum(w * y) with fixed weights w, or test the pullback with dot_product_test"
        )
    if abs(np.imag(value)) > 0:
        raise ValueError(
            f"fun must be real where x is, got {value}; return its .real, or abs(y)**2 as y.real**2 + y.imag**2"
        )
    return float(np.real(value))


def draw_direction(x, rng):
    """A random direction in the space of x: a unit vector, its components stretched by max(1, |x_i|)."""
    v = np.asarray(rng.standard_normal(x.shape), x.dtype)
    return v / np.sqrt(np.sum(v * v)) * np.maximum(1, np.abs(x))


def unit_vectors(x):
    """The unit vectors of the space of x, one a component."""
    for i in range(x.size):
        e = np.zeros(x.shape, x.dtype)
        e.flat[i] = 1
        yield e


SMALL = 0.01  # what is smaller may also be the length on which fun varies


def length_scales(x, v):
    """The lengths that steps along v are relative to: max(1, |x|); and |x|, if that is small.

    |x| is the largest of the components along v, or of all components if those are zero.
    """
    along, overall = float(np.max(np.abs(x * (v != 0)))), float(np.max(np.abs(x)))
    own = along or overall
    return [max(1.0, along), own] if 0 < own < SMALL else [max(1.0, along)]


def stack_columns(columns, x):
    """The derivative (*Y, *x.shape) from its columns dy/dx_i, each of shape Y."""
    columns = np.stack(columns, axis=-1)
    return columns.reshape(columns.shape[:-1] + x.shape)
