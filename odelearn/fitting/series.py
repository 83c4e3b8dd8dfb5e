"""A series of observations as the states z(t) that a model is to follow: one trajectory, or several trials."""

from collections import namedtuple
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..datasets.times import UNITS, Calendar

# One trajectory of a Series: its label; ts (T,), zs (T, D), observed (T, D), us (T, I); its first `learned` rows are
# trained on, those up to `rows` are for validation, the rest is held out; start, its first row in the Series.
Trial = namedtuple("Trial", "label ts zs observed us learned rows start")


@dataclass(frozen=True)
class Series:
    """Observations ys (N, D) at times ts (N,), nan where a cell is missing; the last `hold_out` rows are for testing.

    The state is z = log y with `log`, else z = y: the model, the loss and R^2 live there, and files hold y.

    inputs, us        I names and (N, I): what drives the system and is no state, nan where a cell is missing
    labels, lengths   several trials stand below one another: K names, K numbers of rows; then hold_out is a list, too
    validate          the fraction of the rows to learn from, the last ones of each trial, on which training is judged
    origin, unit      of dates, as in datasets.times.Calendar; None for times that are numbers in the file
    """

    name: str  # of the file, without its ending: what the outputs are called
    time: str
    columns: list
    ts: np.ndarray
    ys: np.ndarray
    log: bool
    hold_out: int | list
    inputs: list = ()
    us: np.ndarray = None
    labels: list = ()
    lengths: list = ()
    validate: float = 0.0
    origin: str = None
    unit: str = None

    @cached_property
    def trials(self):
        """The Trials, K of them."""
        lengths = list(self.lengths) or [len(self.ts)]
        held_out = self.hold_out if isinstance(self.hold_out, list) else [self.hold_out]
        labels, trials, start = list(self.labels) or [self.name], [], 0
        us = np.zeros((len(self.ts), 0)) if self.us is None else self.us
        for label, length, out in zip(labels, lengths, held_out, strict=True):
            part, rows = slice(start, start + length), length - out
            learned = rows - int(round(self.validate * rows))
            trials.append(
                Trial(label, self.ts[part], self.zs[part], self.observed[part], us[part], learned, rows, start)
            )
            start += length
        return trials

    @property
    def rows(self):
        """How many rows there are to learn from, those for validation among them; of the longest trial."""
        return max(trial.rows for trial in self.trials)

    @property
    def held_out(self):
        """How many rows are held out, in all."""
        return sum(len(trial.ts) - trial.rows for trial in self.trials)

    def rows_that(self, choose):
        """(N,) True for the rows from choose(trial)[0] to choose(trial)[1] of every trial."""
        chosen = np.zeros(len(self.ts), bool)
        for trial in self.trials:
            first, last = choose(trial)
            chosen[trial.start + first : trial.start + last] = True
        return chosen

    @cached_property
    def learned(self):
        """(N,) True for the rows that are trained on."""
        return self.rows_that(lambda trial: (0, trial.learned))

    @cached_property
    def zs(self):
        return self.to_state(self.ys)

    @cached_property
    def observed(self):
        return ~np.isnan(self.ys)

    def to_state(self, ys):
        return np.log(ys) if self.log else ys

    def to_data(self, zs):
        """y from z, in the units of the file."""
        with np.errstate(over="ignore"):
            return np.exp(zs) if self.log else zs

    @property
    def calendar(self):
        return Calendar(self.origin, self.unit) if self.origin else None

    @property
    def calendar_seconds(self):
        """How many seconds a unit of time has, where the times are dates."""
        return UNITS[self.unit]

    # The sizes of things, from the rows that are trained on: (D,), (D,), a number; (I,), (I,) for the inputs.

    @cached_property
    def mean(self):
        return np.nanmean(self.zs[self.learned], axis=0)

    @cached_property
    def scale(self):
        """The standard deviation of each column, or 1 where nothing varies."""
        return deviation(self.zs[self.learned])

    @cached_property
    def input_mean(self):
        return np.nanmean(self.us[self.learned], axis=0)

    @cached_property
    def input_scale(self):
        return deviation(self.us[self.learned])

    @cached_property
    def span(self):
        return max(trial.ts[trial.learned - 1] - trial.ts[0] for trial in self.trials)

    @cached_property
    def first_values(self):
        """The first value observed in each column, a first guess at z0: (D,), or (K, D) for several trials."""
        firsts = [first_observed(trial.zs, self.mean) for trial in self.trials]
        return np.array(firsts) if self.labels else firsts[0]


def deviation(xs):
    """The standard deviation of each column without its nan, or 1 where nothing varies."""
    deviations = np.nanstd(xs, axis=0)
    return np.where(deviations > 0, deviations, 1.0)


def first_observed(zs, otherwise):
    """(D,) the first value in each column that is not nan; `otherwise` (D,) where there is none."""
    observed = ~np.isnan(zs)
    first = zs[np.argmax(observed, axis=0), np.arange(zs.shape[1])]
    return np.where(observed.any(axis=0), first, otherwise)


def check_series(series):
    """Raises ValueError where a Series cannot have come from series_from."""
    N, D = len(series.ts), len(series.columns)
    if not all(isinstance(name, str) for name in (series.name, series.time, *series.columns, *series.labels)):
        raise ValueError("the names are not text")
    check_lengths(series, N)
    if D < 1 or series.ys.shape != (N, D) or np.isinf(series.ys).any():
        raise ValueError(f"ys are not {D} columns of {N} numbers")
    held_out = series.hold_out if series.labels else [series.hold_out]
    for out, length in zip(held_out, series.lengths or [N], strict=True):
        if type(out) is not int or not 0 <= out <= length - 3:
            raise ValueError(f"hold_out = {out} of {length} rows")
    if not (isinstance(series.validate, int | float) and 0 <= series.validate < 1):
        raise ValueError(f"validate = {series.validate}")
    if type(series.log) is not bool or series.log and (series.ys <= 0).any():
        raise ValueError("log is not true or false, or ys have values that have no logarithm")
    if np.isnan(series.ys[series.learned]).all(axis=0).any():
        raise ValueError("ys have a column without values to learn from")
    if series.inputs and (series.us is None or series.us.shape != (N, len(series.inputs)) or np.isinf(series.us).any()):
        raise ValueError(f"us are not {len(series.inputs)} columns of {N} numbers")
    if (series.origin is None) != (series.unit is None) or series.unit not in (None, *UNITS):
        raise ValueError(f"unit = {series.unit}, origin = {series.origin}")


def check_lengths(series, N):
    lengths = list(series.lengths) or [N]
    if len(lengths) != max(1, len(series.labels)) or sum(lengths) != N or min(lengths) < 3:
        raise ValueError("ts are not times that increase")
    for ts in np.split(series.ts, np.cumsum(lengths)[:-1]) if series.ts.ndim == 1 else [series.ts]:
        if ts.ndim != 1 or not np.isfinite(ts).all() or not (np.diff(ts) > 0).all():
            raise ValueError("ts are not times that increase")
