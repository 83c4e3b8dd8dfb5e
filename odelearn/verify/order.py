"""The observed order p of an error C h^p: the slope of log error over log h."""

import numpy as np

from .differences import as_float, as_scalar, draw_direction, length_scales


def observed_order(errors, ratio=2):
    """The p of  error_i = C h_i^p:  the least-squares slope of log |error_i| over log h_i, where h_i = h_0 / ratio^i.

    Arguments:
        errors   (n,) errors of n >= 2 runs, the coarsest first; their signs do not count
        ratio    by what factor h shrinks from one run to the next

    Returns p as a float. Raises ValueError for fewer than two errors, and for one that is zero or not finite.

    >>> round(observed_order([0.1, 0.025, 0.00625]), 6)
    2.0
    """
    errors = np.abs(np.asarray(errors, float))
    if errors.size < 2 or not np.all((errors > 0) & np.isfinite(errors)):
        raise ValueError(f"errors must be two or more finite numbers above round-off, got {errors}")
    return loglog_slope(float(ratio) ** -np.arange(errors.size), errors)


def loglog_slope(h, errors):
    """cov(log h, log error) / var(log h)."""
    log_h = np.log(h) - np.mean(np.log(h))
    return float(np.dot(log_h, np.log(errors)) / np.dot(log_h, log_h))


def taylor_slope(fun, x, gradient, rng):
    """The order of the Taylor remainder  r(h) = |fun(x + h v) - fun(x) - h <g, v>|  for h -> 0, along a random v.

    2 if g is the gradient of fun at x (3 if fun has no curvature along v), 1 if it is not. The slope of log r over
    log h is measured at the four smallest h = 1/8, 1/16, ... where r is well above round-off. If all components of x
    are small, h is taken relative to the largest of them first.

    The arguments stand in the order (fun, x, gradient), as they do in the formula; in check_gradient the order is
    (fun, gradient, x). If in doubt, name them: taylor_slope(fun, x=x, gradient=g, rng=rng).

    Arguments:
        fun        function of an array like x; returns one real number
        x          number or array of real numbers, any shape
        gradient   g, an array shaped like x; or the function of x that returns it
        rng        numpy.random.Generator; it draws v

    Returns the slope as a float; inf if r is nothing but round-off (fun is affine and g is right), nan if fun or g is
    not finite. Raises ValueError if fun does not return one number, TypeError if x is not real.

    >>> rng = np.random.default_rng(0)
    >>> x = np.array([1.0, 2.0])
    >>> round(taylor_slope(lambda x: np.sum(x**4), x, 4 * x**3, rng), 1)
    2.0
    >>> round(taylor_slope(lambda x: np.sum(x**4), x, -4 * x**3, rng), 1)
    1.0
    """
    x = as_float(x)
    g = gradient(x) if callable(gradient) else np.asarray(gradient)
    v = draw_direction(x, rng)
    value, rise = as_scalar(fun(x)), np.sum(g * v)
    eps, of_x = np.finfo(x.dtype).eps, 10 * np.sum(np.abs(g * x))  # x + h v is rounded, too
    for scale in (*length_scales(x, v)[1:], 1.0):
        hs = scale * 0.5 ** np.arange(3, 15)
        with np.errstate(all="ignore"):  # a long step may leave the domain of fun
            r = np.array([abs(fun(x + float(h) * v) - value - h * rise) for h in hs])
            clear = r > eps * (1000 * (abs(value) + hs * abs(rise)) + of_x)
        if clear.sum() > 2:
            return loglog_slope(hs[clear][-4:], r[clear][-4:])
    return np.inf if np.isfinite(r).any() else np.nan
