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
                 the first and largest step; by default 0.1 max(1, |x_i|)

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
    return stack_columns(
        [difference_quotient(fun, x, e, eps or best * step_scale(e * x), up, down) for e in unit_vectors(x)], x
    )


def difference_quotient(fun, x, v, h, up=1, down=-1):
    """(f(x + up h v) - f(x + down h v)) / ((up - down) h), with the h that is left when x + h v has been rounded."""
    above, below = x + up * h * v, x + down * h * v
    taken = np.sum((above - below) * v) / np.sum(v * v)
    return np.subtract(fun(above), fun(below)) / taken


@np.errstate(all="ignore")  # the first, longest steps may leave the domain of fun
def extrapolate_along(fun, x, v, h):
    """J v, the derivative of fun at x along v, and an estimate of its error; both have the shape of fun(x).

    A central quotient is even in h,  D(h) = J v + c_2 h^2 + c_4 h^4 + ...,  so that with h_i = h / 4^i
        T_i0 = D(h_i),   T_ik = T_i,k-1 + (T_i,k-1 - T_i-1,k-1) / (16^k - 1)
    removes one power after another. The entry kept is the one that differs least from the two it is made of, with the
    round-off of D, eps |f| / h_i, added. Entries that are not finite are never kept.
    Ridders, Adv. Eng. Software 4 (1982).
    """
    noise = np.finfo(x.dtype).eps * np.abs(fun(x))
    best, error, row_above = np.nan, np.inf, []
    for _ in range(7):
        row = [difference_quotient(fun, x, v, h)]
        for k, above in enumerate(row_above, 1):
            T = row[-1] + (row[-1] - above) / (16.0**k - 1)
            gap = np.maximum(np.abs(T - row[-1]), np.abs(T - above)) + noise / h
            best, error = np.where(gap < error, T, best), np.where(gap < error, gap, error)
            row.append(T)
        row_above, h = row, h / 4
    return best, error


def extrapolate(fun, x, first=None):
    """The derivative of fun at x by Richardson extrapolation, and the error estimate of every component of it."""
    limits = [extrapolate_along(fun, x, e, first or 0.1 * step_scale(e * x)) for e in unit_vectors(x)]
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


def complex_step_along(fun, x, v):
    """J v = Im f(x + ih v) / h."""
    return np.imag(evaluate_complex(fun, x + 1j * STEP * v)) / STEP


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
    """x as an array of floats (a NumPy number if 0-d): float32 stays float32, integers become float64."""
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


def step_scale(x):
    """max(1, |x|): the length that steps are relative to."""
    return max(1.0, float(np.max(np.abs(x))))


def stack_columns(columns, x):
    """The derivative (*Y, *x.shape) from its columns dy/dx_i, each of shape Y."""
    columns = np.stack(columns, axis=-1)
    return columns.reshape(columns.shape[:-1] + x.shape)
