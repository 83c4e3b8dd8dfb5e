"""What drives a system from outside, u(t), between the times at which it was observed."""

import numpy as np

KINDS = ("linear", "hermite", "pchip", "akima", "cubic")  # the last three are SciPy's
KEPT = 200_000  # values of u(t) that are remembered, for the solves that come back to the same times


class Inputs:
    """u(t) (K, I) of K trials solved together, in units of the mean and the standard deviation of each column.

    Trial k is `offsets[k]` ahead of the common time t. Outside of the times observed u keeps its first or last value.
    `known` keeps the interpolants of trials, by their first row.
    """

    def __init__(self, series, trials, offsets, kind, known):
        for trial in trials:
            if trial.start not in known:
                known[trial.start] = [interpolant(kind, *without_gaps(trial.ts, u)) for u in trial.us.T]
        self.curves = [known[trial.start] for trial in trials]
        self.offsets, self.mean, self.scale, self.kept = offsets, series.input_mean, series.input_scale, {}

    def raw(self, t):
        """(K, I) in the units of the file."""
        return np.array([[u(t + offset) for u in us] for us, offset in zip(self.curves, self.offsets, strict=True)])

    def __call__(self, t):
        if t not in self.kept:
            if len(self.kept) >= KEPT:
                self.kept.clear()
            self.kept[t] = (self.raw(t) - self.mean) / self.scale
        return self.kept[t]


def without_gaps(ts, us):
    """The times at which us (T,) was observed, and what it was; a column never observed in this trial is 0."""
    seen = ~np.isnan(us)
    return (ts[seen], us[seen]) if seen.any() else (ts[:1], np.zeros(1))


def interpolant(kind, ts, us):
    """u(t), a function of a number t, through us (T,) at ts (T,); constant before the first time and after the last.

    linear               straight lines
    hermite              cubic pieces whose slopes at t_i are the backward differences (u_i - u_{i-1}) / (t_i -
                         t_{i-1}): smooth, and up to t_i they depend on nothing later (at t_0: the first slope)
    pchip, akima, cubic  the classes of these names in scipy.interpolate

    Source of "hermite": Morrill, Kidger, Yang, Lyons (2021), Neural controlled differential equations for online
    prediction tasks, arXiv 2106.11028. Raises ImportError where SciPy is needed and missing.
    """
    if len(ts) == 1:
        return lambda t: us[0]
    if kind == "linear":
        return lambda t: np.interp(t, ts, us)
    curve = hermite(ts, us) if kind == "hermite" else of_scipy(kind, ts, us)
    return lambda t: curve(min(max(t, ts[0]), ts[-1]))


def hermite(ts, us):
    """The cubic Hermite interpolant with backward differences, for t in [ts[0], ts[-1]]."""
    slopes = np.diff(us) / np.diff(ts)
    slopes = np.concatenate([slopes[:1], slopes])  # (T,): at t_i the slope of the interval before it

    def curve(t):
        i = min(max(np.searchsorted(ts, t, side="right") - 1, 0), len(ts) - 2)
        h = ts[i + 1] - ts[i]
        s = (t - ts[i]) / h
        return (
            (1 + 2 * s) * (1 - s) ** 2 * us[i] + s * s * (3 - 2 * s) * us[i + 1]
            + h * s * (1 - s) * ((1 - s) * slopes[i] - s * slopes[i + 1])
        )  # fmt: skip

    return curve


def of_scipy(kind, ts, us):
    try:
        from scipy import interpolate  # here, because only these kinds need it
    except ImportError:
        raise ImportError(f"interpolation = {kind!r} (--interpolation) needs SciPy: pip install scipy") from None
    name = {"pchip": "PchipInterpolator", "akima": "Akima1DInterpolator", "cubic": "CubicSpline"}[kind]
    return getattr(interpolate, name)(ts, us)
