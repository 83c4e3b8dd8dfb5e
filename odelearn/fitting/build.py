"""A Training from a series and the settings of the command line, and how it is described."""

import numpy as np

from .models import model_from
from .options import METHODS, UsageError, solver_from
from .training import Training

MANY_ROWS = 2000  # to learn from: above that, from windows
WINDOW = 50


def new_training(series, settings, planned):
    """The Training that stands at its beginning. Raises UsageError for settings that do not go together."""
    window = window_of(series, settings)
    check_together(series, settings, window)
    members, seed = settings["ensemble"], settings["seed"]
    rng = [np.random.default_rng(seed + e) for e in range(members)] if members else np.random.default_rng(seed)
    net = {name: settings[name] for name in ("width", "depth", "activation", "hidden")}
    model = model_from(settings["model"], series, rng, window_span(series, window) if window else None, **net)
    more = ("hidden", "noise", "interpolation", "seed", "batch", "lr_schedule", "weight_decay", "clip")
    return Training(
        series, model, solver_from(settings["solver"]), METHODS[settings["method"]], settings["lr"], planned,
        window=window, **{name: settings[name] for name in more},
    )  # fmt: skip


def window_of(series, settings):
    """Rows of a window; 0 for whole series."""
    if settings["window"] is not None:
        return settings["window"]
    return WINDOW if int(series.learned.sum()) > MANY_ROWS and not settings["hidden"] else 0


def window_span(series, window):
    """The time that a window takes, the median over all trials."""
    gaps = np.concatenate([np.diff(trial.ts[: trial.learned]) for trial in series.trials])
    return float(min(series.span, (window - 1) * np.median(gaps)))


def check_together(series, settings, window):
    """Raises UsageError where one setting contradicts another, or the series."""
    rows, hidden = int(series.learned.sum()), settings["hidden"]
    if window and hidden:
        raise UsageError(
            f"--window {window} --hidden {hidden}: a window begins at what was observed, and hidden states are not; "
            "train on whole series: --window 0"
        )
    if hidden and rows > MANY_ROWS and settings["window"] is None:
        raise UsageError(
            f"--hidden {hidden} needs whole series, and {rows:,} rows to learn from would take long: keep every n-th "
            f"row, up to {MANY_ROWS:,}, or say --window 0 to do it all the same"
        )
    if window == 1:
        raise UsageError("--window 1: a window needs 2 rows at least")
    begins = [trial.observed[: max(0, trial.learned - window + 1)] for trial in series.trials]
    if window and not any(rows.all(axis=1).any() for rows in begins):
        names = ", ".join(series.columns)
        raise UsageError(f"--window {window}: no window of so many rows begins with all of {names} observed")
    if settings["interpolation"] != "linear" and not series.inputs:
        raise UsageError(f"--interpolation {settings['interpolation']} is about inputs; name them with --input")
    if settings["ensemble"] == 1:
        raise UsageError("--ensemble 1 has no spread; leave it out for one member, or take 2 or more")
