"""What the command `fit` has to say of its models: their data, their R^2, their bands, and a picture."""

import numpy as np

from ..datasets.times import to_date
from ..solvers.errors import SolverError
from ..verify.gradient_report import table
from .forecast import median, no_warnings
from .store import atomic_write
from .training import r_squared

LINES = 12  # of the table of held-out rows, at most
SHOWN = 4  # trials in the picture, at most


def description(training, settings, steps):
    series, model = training.series, training.model
    names, span = ", ".join(series.columns), (series.ts.min(), series.ts.max())
    first, last = [to_date(t, series.calendar) if series.calendar else f"{t:.6g}" for t in span]
    lines = [
        f"{len(series.ts)} rows{f' in {training.K} series' if series.labels else ''}, "
        f"{series.time} = {first} ... {last}, {series.held_out} of them held out; "
        f"state z = {'log ' if series.log else ''}({names})"
        + (f" and {training.hidden} hidden" if training.hidden else "")
        + (f"; driven by {', '.join(series.inputs)}" if series.inputs else ""),
        f"{model.label}: dz/dt = f(z, t, theta) with {training.P} parameters"
        + ("" if training.window else ", learned together with z0")
        + (f"; {training.members} members" if training.members else "")
        + (f"; {training.D} standard deviations of noise" if training.noise else ""),
        f"{steps} steps of Adam, gradient by {settings['method']}, solver {settings['solver']}",
    ]
    if training.window:
        lines.append(f"minibatches of {training.batch} windows of {training.horizon} rows, each from what was observed")
    return ";\n".join(lines)


def in_sample_score(training):
    """R^2 for the rows trained on; -inf if the model fails among them."""
    try:
        zs = np.concatenate([training.rows_of(k, trial.rows) for k, trial in enumerate(training.series.trials)])
        ours = training.series.rows_that(lambda trial: (0, trial.rows))
        learned = training.series.learned[ours]
        zs = zs if training.members is None else median(zs)
        return r_squared(zs[learned], training.series.zs[ours][learned])
    except Exception:  # a SolverError, or whatever the function in a model's own file raises
        return -np.inf


def kinds_of_rows(series):
    """[(what they are called, (N,) which of the rows)]: trained on, for validation if there are any, held out."""
    kinds = [("in sample", series.learned)]
    if series.validate:
        kinds.append(("validation", series.rows_that(lambda trial: (trial.learned, trial.rows))))
    return [*kinds, ("held out", series.rows_that(lambda trial: (trial.rows, len(trial.ts))))]


def score_table(trainings):
    """R^2 of every model, for the rows it learned from and for the rows held out, as text."""
    series = trainings[0].series
    kinds = kinds_of_rows(series)
    what = "R^2 of log counts" if series.log else "R^2"
    cells = [(what, *(f"{name} ({rows.sum()} rows)" for name, rows in kinds))]
    for training in trainings:
        zs = training.predictions()
        scores = [r_squared(zs[rows], series.zs[rows]) for _, rows in kinds]
        numbers = ["-" if np.isnan(score) else f"{score:.3f}" for score in scores]
        members = f"{int(training.alive.sum())} members of " if training.members else ""
        cells.append((f"{training.model.label} ({members}{training.p.shape[-1]} numbers)", *numbers))
    return table(cells)


def coverage(training):
    """{"in sample": (in the 50 % band, in the 90 % band, values), ...}: how many observations the bands hold."""
    series, bands = training.series, training.bands(training.member_predictions())  # (N, D, 5)
    held = {}
    for name, rows in kinds_of_rows(series):
        z, band = series.zs[rows], bands[rows]
        seen = ~np.isnan(z) & np.isfinite(band[..., 0])
        inside = [((band[..., i] <= z) & (z <= band[..., 4 - i]) & seen).sum() for i in (1, 0)]
        held[name] = (*map(int, inside), int(seen.sum()))
    return held


def band_report(training):
    """The held-out rows with their bands, and how many of the observations the bands hold, as text."""
    series = training.series
    zs = training.member_predictions()
    ys, bands = series.ys, series.to_data(training.bands(zs))
    rows = np.flatnonzero(series.rows_that(lambda trial: (trial.rows, len(trial.ts))))
    cells = [("held out", "", "observed", "5 %", "25 %", "median", "75 %", "95 %")]
    pairs = [(i, j) for i in rows for j in range(training.D)]
    for i, j in pairs if len(pairs) <= LINES else [pairs[n] for n in np.linspace(0, len(pairs) - 1, LINES).astype(int)]:
        t = to_date(series.ts[i], series.calendar) if series.calendar else f"{series.ts[i]:.6g}"
        trial = next((f"{one.label}, " for one in series.trials if one.start <= i < one.start + len(one.ts)), "")
        numbers = [f"{x:.4g}" for x in (ys[i, j], *bands[i, j])]
        cells.append((f"{trial if series.labels else ''}{series.time} {t}", series.columns[j], *numbers))
    text = [table(cells, "<<>>>>>>")] if pairs else []
    for name, (half, most, count) in coverage(training).items():
        if count:
            text.append(
                f"{name}: the 50 % band holds {half} of {count} values ({half / count:.0%}), the 90 % band {most} "
                f"({most / count:.0%})"
            )
    diverged = np.flatnonzero(np.isnan(zs[rows]).any(axis=(0, 2))) if len(rows) else []
    if len(diverged):
        who = named(np.flatnonzero(training.alive)[diverged])
        text.append(f"In the rows held out {who} diverged; the bands there are those of the others.")
    return "\n".join(text)


def one_forecast_note(training):
    """R^2 of one forecast over all rows held out, where the table has that of windows, as a line, or ""."""
    series = training.series
    if not training.window or not series.held_out:
        return ""
    zs = series.zs.copy()
    with no_warnings():
        for k, trial in enumerate(series.trials):
            if trial.rows < len(trial.ts):
                zs[trial.start + trial.rows : trial.start + len(trial.ts)] = forecast_or_nan(training, k)
    held_out = kinds_of_rows(series)[-1][1]
    score = r_squared(zs[held_out], series.zs[held_out])
    return (
        f"These are forecasts of at most {training.window} rows, each from what was observed. "
        f"One forecast of all rows held out: R^2 = {score:.3f}"
    )


def forecast_or_nan(training, k):
    """z at the rows of trial k that are held out, by one forecast from the last window before them; nan if it fails."""
    trial = training.series.trials[k]
    try:
        zs = training.forecast(trial.ts[trial.rows :], k)[..., : training.D]
    except SolverError:
        return np.nan
    return zs if training.members is None else median(zs)


def left_out_note(training):
    """Which members were left out of the training, as a line, or ""."""
    gone = np.flatnonzero(~training.alive)
    if not len(gone) or training.members is None:
        return ""
    when = ", ".join(f"member {e} at step {training.left_at[e]}" for e in gone)
    return f"Left out, because their loss or gradient was not finite: {when}. The others went on."


def named(members):
    return f"member{'s' if len(members) > 1 else ''} {', '.join(map(str, members))}"


def noise_note(training):
    """The standard deviations that were learned, as a line, or ""."""
    if not training.noise:
        return ""
    of = "log " if training.series.log else ""
    pairs = zip(training.series.columns, training.noise_scale(), strict=True)
    return "Standard deviation of the noise: " + ", ".join(f"{of}{name} {s:.3g}" for name, s in pairs)


# ---- the picture


def draw(trainings, path):
    from ..plotting.style import save  # here, because matplotlib takes its time

    with atomic_write(path) as draft:
        save(figure(trainings), draft)


def figure(trainings):
    from ..plotting.fit import Curve, fit_figure

    series = trainings[0].series
    shown = np.unique(np.linspace(0, trainings[0].K - 1, SHOWN).astype(int)).tolist()
    trials = {k: shown_part(trainings[0], k) for k in shown}
    curves = {k: [Curve(*curve_of(training, k)) for training in trainings] for k in shown}
    return fit_figure(series, curves, losses_of(trainings[0]), trials)


def shown_part(training, k):
    """Trial k as it is drawn: whole, or where it is long the last windows learned from, and the rows that follow."""
    trial = training.series.trials[k]
    if not training.window or len(trial.ts) <= 20 * training.window:
        return trial
    first, last = max(0, trial.rows - 8 * training.window), trial.rows + 2 * training.window
    cut = {name: getattr(trial, name)[first:last] for name in ("ts", "zs", "observed", "us")}
    return trial._replace(**cut, learned=max(0, trial.learned - first), rows=trial.rows - first)


def losses_of(training):
    """history, {step: validation loss}, and what the loss is called."""
    known = {} if training.validation is None else training.validation.history
    return training.history, known, "negative log-likelihood" if training.noise else "loss"


def curve_of(training, k=0):
    """What is drawn of a model: its name, its curve over trial k (as far as it goes), its field, and its bands.

    The field is None where there are states that are not observed.
    """
    series, trial = training.series, shown_part(training, k)
    with no_warnings():
        whole = training.members or training.window or np.isfinite(training.predictions_of(k)).all()
        start = trial.ts[0] if training.window else series.trials[k].ts[0]
        ts = np.linspace(start, trial.ts[-1] if whole else trial.ts[trial.rows - 1], min(2000, max(400, len(trial.ts))))
        end, zs = ts[-1], training.forecast(ts, k)[..., : training.D]
    field, theta = training.field(k), training.split(training.chosen)[1]
    f = lambda z: np.median([field(z, end, one) for one in np.atleast_2d(theta)], axis=0)
    f = None if training.hidden else (lambda z: field(z, end, theta)) if theta.ndim == 1 else f
    bands = training.bands(zs) if training.members else None
    if bands is None:
        return training.model.label, ts, zs, f, None
    return f"{training.model.label}, median", ts, median(zs), f, bands
