"""The forecast of a saved model, as a CSV file in the units of the data."""

import csv
import math
from pathlib import Path

import numpy as np

from ..datasets.times import from_date, to_date
from ..optim import progress_bar
from .fit_series import restored
from .forecast import median, no_warnings
from .load import load_model
from .model_file import confirmed, errors_with_their_line
from .options import UsageError, steps_of
from .store import atomic_write, check_writable

MOST = 10_000_000  # steps or points: minutes of work, or most of a gigabyte
BANDS = ("5%", "25%", "75%", "95%")


def predict(npz, until, points=201, out=None, model=None, trust=False, series=None):
    """The command `predict`: write z(t) of a saved model as a CSV file, in the names and units of the data.

    npz     a file written by fit
    until   the last time, in the units of the data, or an ISO date where those are dates; it may precede the first
            time, and then z(t) is solved backwards
    points  how many times, equally spaced from the first time of the data to `until`, at least 2
    out     the name of the CSV file; None: MODEL_forecast.csv beside MODEL.npz
    model   FILE.py:f, the model again, where it has a file of its own
    trust   run the file that `npz` names
    series  of several series the label of one; None: all, with their labels in a column

    For an ensemble the columns are the medians, and after each its quantiles: "prey", "prey 5%", ...
    Returns the exit status 0. Raises UsageError for a file that is no model or may not be run, for times that lead
    nowhere, and for a forecast that would take too long; SolverError or ModelFileError if the model fails on the way.
    """
    saved = load_model(npz)
    until = time_from(until, saved.series)
    ks = trials_named(saved.series, series)
    for k in ks:
        check_times(saved.series.trials[k].ts[0], until, points, len(saved.series.columns))
    saved.settings["model"] = confirmed(npz, "model", saved.settings, model, trust)
    training = restored(saved)
    check_reach(training, until, ks)
    out = Path(out or Path(npz).with_name(f"{Path(npz).stem}_forecast.csv"))
    check_writable(out)
    with errors_with_their_line(training.model):
        starts = [training.series.trials[k].ts[training.starts(k)[0]] for k in ks]
        write_forecast(out, training, [np.linspace(start, until, points) for start in starts], ks)
    shown = [show_time(t, saved.series) for t in (starts[0], until)]
    print(f"Wrote {out}: {points * len(ks)} rows, {saved.series.time} = {shown[0]} ... {shown[1]}")
    if note := inputs_note(training, until, ks):
        print(note)
    return 0


def time_from(until, series):
    """`until` as a number: it may be an ISO date. Raises UsageError for another text."""
    if not isinstance(until, str):
        return until
    try:
        return float(until)
    except ValueError:
        pass
    if series.calendar is None:
        raise UsageError(f"--until {until}: the times of this model are numbers")
    try:
        return from_date(until, series.calendar)
    except ValueError:
        raise UsageError(f"--until {until}: neither a number nor an ISO date, such as 2020-01-31") from None


def trials_named(series, label):
    """The numbers of the trials to forecast."""
    if label is None:
        return list(range(len(series.trials)))
    if label not in series.labels:
        known = ", ".join(series.labels) or "one, without a name"
        raise UsageError(f"--series {label}: there is no such series in this model; there are {known}")
    return [series.labels.index(label)]


def check_times(start, until, points, D):
    if not math.isfinite(until) or until == start or points < 2:
        raise UsageError(
            f"--until {until:g} --points {points}: the forecast needs two times at least, the first is {start:g}"
        )
    if points > MOST:
        size = points * (D + 1) * 20 / 1e9  # 20 characters a number
        raise UsageError(f"--points {points}: a file of {size:.3g} GB, at most {MOST:,} points can be written")


def check_reach(training, until, ks=(0,)):
    """Raises UsageError if it would take too many steps to get there."""
    for k in ks:
        ts = training.series.trials[k].ts
        span = max(float(ts[-1]), until) - min(float(ts[0]), until)
        steps = steps_of(training.solver, span / float(np.median(np.diff(ts))), span)
        if steps > MOST:
            raise UsageError(
                f"--until {until:g}: the forecast would take {steps:.3g} steps, as long as those of the training; at "
                f"most {MOST:,} can be made. The data end at {ts[-1]:g}"
            )


def inputs_note(training, until, ks):
    """What is assumed of inputs that are not known, as a line, or ""."""
    series = training.series
    end = min(series.trials[k].ts[-1] for k in ks)
    if not series.inputs or until <= end:
        return ""
    names = ", ".join(series.inputs)
    return f"After {series.time} = {show_time(end, series)} the inputs keep their last values: {names}."


def show_time(t, series):
    return to_date(t, series.calendar) if series.calendar else f"{t:g}"


def write_forecast(path, training, times, ks=(0,)):
    """The curves of trials ks at their times, in pieces, with a bar if it takes more than a second."""
    series = training.series
    total = sum(abs(ts[-1] - ts[0]) for ts in times)
    bar = progress_bar(total=total, delay=1, bar_format="{l_bar}{bar}| {elapsed}<{remaining}")
    with bar, atomic_write(path) as draft, open(draft, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*["series"] * (len(ks) > 1), series.time, *header(training)])
        for k, ts in zip(ks, times, strict=True):
            t, label = ts[0], [series.trials[k].label] * (len(ks) > 1)
            with no_warnings():
                for part, zs in training.forecast_pieces(ts, k):
                    writer.writerows(rows_of(training, part, zs[..., : training.D], label))
                    bar.update(abs(part[-1] - t))
                    t = part[-1]


def header(training):
    """The names of the columns: those of the data, and after each its quantiles if there are any."""
    bands = BANDS if training.members else ()
    return [text for name in training.series.columns for text in (name, *(f"{name} {level}" for level in bands))]


def rows_of(training, ts, zs, label):
    """The rows of the file for times ts (m,) and zs (m, D), or (m, E, D)."""
    series = training.series
    if training.members:
        bands = training.bands(zs)  # (m, D, 5)
        zs = np.concatenate([median(zs)[..., np.newaxis], np.delete(bands, 2, axis=2)], axis=2).reshape(len(zs), -1)
    rows = np.column_stack([ts, series.to_data(zs)]).tolist()
    if series.calendar:
        rows = [[to_date(row[0], series.calendar), *row[1:]] for row in rows]
    return [[*label, *row] for row in rows] if label else rows
