"""The forecast of a saved model, as a CSV file in the units of the data."""

import csv
import math
from pathlib import Path

import numpy as np

from ..optim import progress_bar
from .fit import restored
from .model_file import confirmed, errors_with_their_line
from .options import UsageError, steps_of
from .store import atomic_write, check_writable, load_model

MOST = 10_000_000  # steps or points: minutes of work, or most of a gigabyte


def predict(npz, until, points=201, out=None, model=None, trust=False):
    """The command `predict`: write z(t) of a saved model as a CSV file, in the names and units of the data.

    npz     a file written by fit
    until   the last time, in the units of the data; it may precede the first time, and then z(t) is solved backwards
    points  how many times, equally spaced from the first time of the data to `until`, at least 2
    out     the name of the CSV file; None: MODEL_forecast.csv beside MODEL.npz
    model   FILE.py:f, the model again, where it has a file of its own
    trust   run the file that `npz` names

    Returns the exit status 0. Raises UsageError for a file that is no model or may not be run, for times that lead
    nowhere, and for a forecast that would take too long; SolverError or ModelFileError if the model fails on the way.
    """
    saved = load_model(npz)
    start, D = saved.series.ts[0], len(saved.series.columns)
    if not math.isfinite(until) or until == start or points < 2:
        raise UsageError(
            f"--until {until:g} --points {points}: the forecast needs two times at least, the first is {start:g}"
        )
    if points > MOST:
        size = points * (D + 1) * 20 / 1e9  # 20 characters a number
        raise UsageError(f"--points {points}: a file of {size:.3g} GB, at most {MOST:,} points can be written")
    saved.settings["model"] = confirmed(npz, "model", saved.settings, model, trust)
    training = restored(saved)
    check_reach(training, until)
    out = Path(out or Path(npz).with_name(f"{Path(npz).stem}_forecast.csv"))
    check_writable(out)
    with errors_with_their_line(training.model):
        write_forecast(out, training, np.linspace(start, until, points))
    print(f"Wrote {out}: {points} rows, {saved.series.time} = {start:g} ... {until:g}")
    return 0


def check_reach(training, until):
    """Raises UsageError if it would take too many steps to get there."""
    ts = training.series.ts
    span = max(float(ts[-1]), until) - min(float(ts[0]), until)
    steps = steps_of(training.solver, span / float(np.median(np.diff(ts))), span)
    if steps > MOST:
        raise UsageError(
            f"--until {until:g}: the forecast would take {steps:.3g} steps, as long as those of the training; at most "
            f"{MOST:,} can be made. The data end at {ts[-1]:g}"
        )


def write_forecast(path, training, ts):
    """The curve at the times ts, in pieces, with a bar if it takes more than a second."""
    series = training.series
    bar = progress_bar(total=abs(ts[-1] - ts[0]), delay=1, bar_format="{l_bar}{bar}| {elapsed}<{remaining}")
    with bar, atomic_write(path) as draft, open(draft, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([series.time, *series.columns])
        t = ts[0]
        for part, zs in training.forecast_pieces(ts):
            writer.writerows(np.column_stack([part, series.to_data(zs)]).tolist())
            bar.update(abs(part[-1] - t))
            t = part[-1]
