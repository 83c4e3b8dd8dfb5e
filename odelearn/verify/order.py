"""The observed order: the slope of log error over log h."""

import numpy as np


def observed_order(errors, ratio=2):
    """The p of  error = C h^p:  the least-squares slope of log errors[i] over log h_i, where h_i = h_0 / ratio^i.

    Raises ValueError for fewer than two errors, and for one that is zero or not finite.
    """
    errors = np.abs(np.asarray(errors, float))
    if errors.size < 2 or not np.all((errors > 0) & np.isfinite(errors)):
        raise ValueError(f"errors must be two or more finite numbers above round-off, got {errors}")
    return loglog_slope(float(ratio) ** -np.arange(errors.size), errors)


def loglog_slope(h, errors):
    """cov(log h, log error) / var(log h)."""
    log_h = np.log(h) - np.mean(np.log(h))
    return float(np.dot(log_h, np.log(errors)) / np.dot(log_h, log_h))
