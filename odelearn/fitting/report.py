"""What the command `fit` has to say of its models: their data, their R^2, and a picture."""

import numpy as np

from ..verify.gradient_report import table
from .store import atomic_write
from .training import r_squared


def description(training, settings, steps):
    series, model = training.series, training.model
    names = ", ".join(series.columns)
    return (
        f"{len(series.ts)} rows, {series.time} = {series.ts[0]:.6g} ... {series.ts[-1]:.6g}, {series.hold_out} of them "
        f"held out; state z = {'log ' if series.log else ''}({names})\n"
        f"{model.label}: dz/dt = f(z, t, theta) with {model.theta0.size} parameters, learned together with z0;\n"
        f"{steps} steps of Adam, gradient by {settings['method']}, solver {settings['solver']}"
    )


def in_sample_score(training):
    """R^2 for the rows to learn from; -inf if the model fails among them."""
    series, n = training.series, training.series.rows
    try:
        return r_squared(training.trajectory(series.ts[:n]).zs, series.zs[:n])
    except Exception:  # a SolverError, or whatever the function in a model's own file raises
        return -np.inf


def score_table(trainings):
    """R^2 of every model, for the rows it learned from and for the rows held out, as text."""
    series, n = trainings[0].series, trainings[0].series.rows
    what = "R^2 of log counts" if series.log else "R^2"
    cells = [(what, f"in sample ({n} rows)", f"held out ({series.hold_out} rows)")]
    for training in trainings:
        zs = training.predictions()
        scores = r_squared(zs[:n], series.zs[:n]), r_squared(zs[n:], series.zs[n:])
        numbers = ["-" if np.isnan(score) else f"{score:.3f}" for score in scores]
        cells.append((f"{training.model.label} ({training.p.size} numbers)", *numbers))
    return table(cells)


def draw(trainings, path):
    from ..plotting.fit import Curve, fit_figure  # here, because matplotlib takes its time
    from ..plotting.style import save

    with atomic_write(path) as draft:
        curves = [Curve(*curve_of(training)) for training in trainings]
        save(fit_figure(trainings[0].series, curves), draft)
    print(f"Drawn in {path}")


def curve_of(training):
    """What is drawn of a model: its name, its curve over the whole series (as far as it goes), and its field."""
    series, model = training.series, training.model
    end = series.ts[-1] if np.isfinite(training.predictions()).all() else series.ts[series.rows - 1]
    ts = np.linspace(series.ts[0], end, 400)
    _, theta = training.split(training.p)
    return model.label, ts, training.forecast(ts), lambda z: model.f(z, end, theta)
