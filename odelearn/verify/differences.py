"""Derivatives from first principles. Nothing is known of fun but its values near x.

Every difference (f(x + h) - f(x - h)) / 2h is a compromise: truncation grows with h, round-off with 1 / h. There are
two ways out. Richardson takes several h and extrapolates to h = 0, with an estimate of the error that is left. The
complex step goes off the real line, where nothing is subtracted, so with h = 1e-20 it is exact to round-off.
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
    """The derivative of fun at x from differences, in one component of x after the other.

        "forward"     (f(x + h) - f(x)) / h             truncation ~ h      8 digits at the best h, eps_mach^(1/2)
        "backward"    (f(x) - f(x - h)) / h             ~ h                 8
        "central"     (f(x + h) - f(x - h)) / 2h        ~ h^2              10 digits at the best h, eps_mach^(1/3)
        "richardson"  central, extrapolated to h = 0    its own estimate   13

    eps is h; without it, the best h times max(1, |x_i|). For richardson it is the first and largest h.
    x real, of any shape; fun(x) of any shape Y; the result is (*Y, *x.shape). Raises ValueError for another scheme.
    """
    x = as_float(x)
    if scheme == "richardson":
        return extrapolated(fun, x, eps)[0]
    if scheme not in SCHEMES:
        raise ValueError(f"scheme must be one of {', '.join(SCHEMES)}, richardson, got {scheme!r}")
    up, down, power = SCHEMES[scheme]
    best = float(np.finfo(x.dtype).eps) ** power
    return stack([quotient(fun, x, e, eps or best * magnitude(e * x), up, down) for e in units(x)], x)


def quotient(fun, x, v, h, up=1, down=-1):
    """(f(x + up h v) - f(x + down h v)) / ((up - down) h), with the h that is left when x + h v has been rounded."""
    above, below = x + up * h * v, x + down * h * v
    taken = np.sum((above - below) * v) / np.sum(v * v)
    return np.subtract(fun(above), fun(below)) / taken


@np.errstate(all="ignore")  # the first, longest steps may leave the domain of fun
def richardson(fun, x, v, h):
    """J v, the derivative of fun at x along v, and an estimate of its error; both have the shape of fun(x).

    A central quotient is even in h,  D(h) = J v + c_2 h^2 + c_4 h^4 + ...,  so that at h_i = h / 4^i
        T_i0 = D(h_i),   T_ik = T_i,k-1 + (T_i,k-1 - T_i-1,k-1) / (16^k - 1)
    removes one power after another. The entry kept is the one that differs least from the two it is made of, with the
    round-off of D, eps |f| / h_i, added. Entries that are not finite never win. Ridders, Adv. Eng. Software 4 (1982).
    """
    noise = np.finfo(x.dtype).eps * np.abs(fun(x))
    best, error, row_above = np.nan, np.inf, []
    for _ in range(7):
        row = [quotient(fun, x, v, h)]
        for k, above in enumerate(row_above, 1):
            T = row[-1] + (row[-1] - above) / (16.0**k - 1)
            gap = np.maximum(np.abs(T - row[-1]), np.abs(T - above)) + noise / h
            best, error = np.where(gap < error, T, best), np.where(gap < error, gap, error)
            row.append(T)
        row_above, h = row, h / 4
    return best, error


def extrapolated(fun, x, first=None):
    """The derivative of fun at x by Richardson extrapolation, and the error estimate of every component of it."""
    limits = [richardson(fun, x, e, first or 0.1 * magnitude(e * x)) for e in units(x)]
    return [stack(columns, x) for columns in zip(*limits, strict=True)]


# ---- the complex step

STEP = 1e-20  # h^2 is far below round-off, and h is still a normal number in complex64


def complex_step(fun, x):
    """The derivative of fun at x without a subtraction:  f(x + ih) = f(x) + ih f'(x) - h^2 f''(x) / 2 - ...,  so

        f'(x) = Im f(x + ih) / h + O(h^2),   h = 1e-20.

    fun has to be analytic: arithmetic, exp, sin, tanh, ..., branches on the real part. x real, of any shape; fun(x) of
    any shape Y; the result is (*Y, *x.shape). Raises TypeError where fun drops the imaginary part. If only one term
    drops it, the derivative is wrong: compare with "richardson", as check_gradient does.
    Squire and Trapp, SIAM Review 40 (1998).
    """
    x = as_float(x)
    return stack([imaginary_quotient(fun, x, e) for e in units(x)], x)


def imaginary_quotient(fun, x, v):
    """J v = Im f(x + ih v) / h."""
    return np.imag(keep_imaginary(fun, x + 1j * STEP * v)) / STEP


def keep_imaginary(fun, z):
    """fun(z) for complex z. Raises TypeError if the result is real; NumPy only warns where imaginary parts are lost."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        try:
            y = np.asarray(fun(z))
        except (TypeError, np.exceptions.ComplexWarning) as error:
            raise TypeError(f"fun does not take complex numbers ({error}). {ANALYTIC}") from error
    if not np.iscomplexobj(y):
        raise TypeError(f"fun drops the imaginary part of x: its result is {y.dtype}. {ANALYTIC}")
    return y


ANALYTIC = (
    "The complex step needs an analytic fun: write x * x for abs(x)**2, np.sum(x * x) for norm(x)**2 or vdot(x, x), "
    "allocate arrays with x's dtype, avoid .real, float() and math. Or use finite_difference(fun, x, 'richardson')"
)


# ---- small things


def as_float(x, what="x"):
    """x as an array of floats (a NumPy number if 0-d): float32 stays float32, integers become float64."""
    x = np.asarray(x)
    if x.dtype.kind not in "biuf":
        raise TypeError(f"{what} must be real numbers, got {x.dtype}; take real and imaginary part as two arguments")
    return (x.astype(float) if x.dtype.kind in "biu" else x)[()]


def units(x):
    """The unit vectors of the space of x, one a component."""
    for i in range(x.size):
        e = np.zeros(x.shape, x.dtype)
        e.flat[i] = 1
        yield e


def magnitude(x):
    """max(1, |x|): what a step is measured by."""
    return max(1.0, float(np.max(np.abs(x))))


def stack(columns, x):
    """The derivative (*Y, *x.shape) from its columns dy/dx_i, each of shape Y."""
    columns = np.stack(columns, axis=-1)
    return columns.reshape(columns.shape[:-1] + x.shape)
