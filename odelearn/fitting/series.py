"""A series of observations as the state z(t) that a model is to follow."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..datasets.csv_series import DataError, load_csv, read_table


@dataclass(frozen=True)
class Series:
    """Observations ys (T, D) at times ts (T,), nan where a cell is missing; the last `hold_out` rows are for testing.

    The state is z = log y with `log`, else z = y: the model, the loss and R^2 live there, and files hold y.
    """

    name: str  # of the file, without its ending: what the outputs are called
    time: str
    columns: list
    ts: np.ndarray
    ys: np.ndarray
    log: bool
    hold_out: int

    @property
    def rows(self):
        """How many rows there are to learn from."""
        return len(self.ts) - self.hold_out

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
        return np.exp(zs) if self.log else zs

    # The sizes of things, from the rows to learn from: (D,), (D,), and a number.

    @cached_property
    def mean(self):
        return np.nanmean(self.zs[: self.rows], axis=0)

    @cached_property
    def scale(self):
        """The standard deviation of each column, or 1 where nothing varies."""
        deviation = np.nanstd(self.zs[: self.rows], axis=0)
        return np.where(deviation > 0, deviation, 1.0)

    @cached_property
    def span(self):
        return self.ts[self.rows - 1] - self.ts[0]

    @cached_property
    def first_values(self):
        """The first value observed in each column (D,): a first guess at z0."""
        return self.zs[np.argmax(self.observed, axis=0), np.arange(len(self.columns))]


def series_from_csv(path, time=None, columns=None, log=False, hold_out=None):
    """The Series in a CSV file.

    path, time, columns  as in load_csv
    log                  whether the state is z = log y
    hold_out             how many of the last rows are not learned from; None: a fifth of all

    Raises DataError if the file holds no such series, OSError if it cannot be read.
    """
    ts, ys, columns = load_csv(path, time, columns)
    time = time or read_table(path)[0][0]
    hold_out = len(ts) // 5 if hold_out is None else hold_out
    if hold_out > len(ts) - 3:
        raise DataError(f"{path}: {hold_out} of {len(ts)} rows held out leave fewer than 3 rows to learn from")
    for name, column in zip(columns, ys.T, strict=True):
        if np.isnan(column[: len(ts) - hold_out]).all():
            raise DataError(f"{path}, column {name!r}: no value among the {len(ts) - hold_out} rows to learn from")
        if log and (column <= 0).any():
            i = int(np.argmax(column <= 0))
            line, _ = read_table(path)[1][i]
            raise DataError(f"{path}, row {line}, column {name!r}: {column[i]:g} has no logarithm; leave --log out")
    return Series(Path(path).stem, time, columns, ts, ys, log, hold_out)


def check_series(series):
    """Raises ValueError where a Series cannot have come from series_from_csv."""
    T, D = len(series.ts), len(series.columns)
    if not all(isinstance(name, str) for name in (series.name, series.time, *series.columns)):
        raise ValueError("the names are not text")
    in_order = T >= 3 and np.isfinite(series.ts).all() and (np.diff(series.ts) > 0).all()
    if series.ts.shape != (T,) or not in_order:
        raise ValueError("ts are not times that increase")
    if D < 1 or series.ys.shape != (T, D) or np.isinf(series.ys).any():
        raise ValueError(f"ys are not {D} columns of {T} numbers")
    if type(series.hold_out) is not int or not 0 <= series.hold_out <= T - 3:
        raise ValueError(f"hold_out = {series.hold_out} of {T} rows")
    if np.isnan(series.ys[: series.rows]).all(axis=0).any():
        raise ValueError("ys have a column without values to learn from")
    if type(series.log) is not bool or series.log and (series.ys <= 0).any():
        raise ValueError("log is not true or false, or ys have values that have no logarithm")
