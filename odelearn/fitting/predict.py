"""The forecast of a saved model, as a CSV file in the units of the data."""

import csv
import math
from pathlib import Path

import numpy as np

from .fit import restored
from .options import UsageError
from .store import atomic_write, load_model


def predict(model, until, points=201, out=None):
    """Write the curve of a saved model from the first time of its data to `until`, at `points` equally spaced times.

    Raises UsageError for a file that is no model, or nowhere to go; SolverError if the model blows up on the way.
    """
    series, settings, planned, state = load_model(model)
    start = series.ts[0]
    if not math.isfinite(until) or until == start or points < 2:
        raise UsageError(
            f"--until {until:g} --points {points}: the forecast needs two times at least, the first is {start:g}"
        )
    ts = np.linspace(start, until, points)
    zs = restored(series, settings, planned, state).forecast(ts)
    out = Path(out or Path(model).with_name(f"{Path(model).stem}_forecast.csv"))
    with atomic_write(out) as draft, open(draft, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([series.time, *series.columns])
        writer.writerows(np.column_stack([ts, series.to_data(zs)]).tolist())
    print(f"Wrote {out}: {points} rows, {series.time} = {start:g} ... {until:g}")
    return 0
