"""Learn a model from a series: check the gradient, train, save, measure, draw."""

from pathlib import Path

import numpy as np

from ..datasets.csv_series import LYNX_HARE
from ..optim import TrainingStopped
from ..verify.gradient_report import table
from .gradient_check import check_training, drift_note, dry_run
from .models import absolute, model_from
from .options import METHODS, UsageError, solver_from
from .series import series_from_csv
from .store import atomic_write, load_model, save_model, writable_directory
from .training import Training, r_squared

SERIES = {"time": None, "columns": None, "log": False, "hold_out": None}
SETTINGS = {"model": "mlp", "beside": "none", "solver": "rk4:n=2", "method": "backsolve", "lr": 0.01, "seed": 0}
STEPS = 600


def fit(csv=None, out=None, resume=None, **options):
    """Train on a CSV file, by default that of the lynx and the hare, or go on from a saved model.

    Options that are None were not given. Writes NAME.npz and NAME.png into `out`, where NAME is that of the CSV file.
    Returns the exit status: 0, or 130 after Ctrl-C. Raises UsageError or DataError for what cannot be done, and
    TrainingStopped for a step that failed; what had been learned is saved by then.
    """
    given = {name: value for name, value in options.items() if value is not None}
    training, settings, steps = resumed_run(resume, csv, given) if resume else new_run(csv, given)
    dry_run(training, f"--model {settings['model']}")
    name = Path(resume or csv or LYNX_HARE).stem
    out = writable_directory(out or (Path(resume).parent if resume else "odelearn-out"))
    print(description(training, settings, steps), flush=True)
    passed, report = check_training(training)
    print(f"\nBefore training:\n{report}\n", flush=True)
    if not passed:
        print("Training goes on, but its gradient may be wrong: look at the diagnosis above.\n", flush=True)

    complete = train(training, settings, steps, out / f"{name}.npz")
    fits = [training]
    if complete and settings["beside"] != "none":
        fits.append(baseline(training, settings))
    print(score_table(fits))
    draw(fits, out / f"{name}.png")
    return 0 if complete else 130


def new_run(csv, given):
    """(training, settings, steps) of a new run."""
    if csv is None:
        given = {"log": True, "beside": "lotka-volterra"} | given
    series = series_from_csv(csv or LYNX_HARE, **{name: given.pop(name, value) for name, value in SERIES.items()})
    steps = given.pop("steps", STEPS)
    settings = SETTINGS | given
    settings |= {role: absolute(settings[role]) for role in ("model", "beside")}
    if settings["beside"] != "none":
        model_from(settings["beside"], series, np.random.default_rng(0))  # complains now rather than after training
    return new_training(series, settings, steps), settings, steps


def resumed_run(path, csv, given):
    """(training, settings, steps) of a saved run: the steps it had left, as many again if none, or those given."""
    series, settings, planned, state = load_model(path)
    steps = given.pop("steps", None)
    if csv or given:
        extra = csv or "--" + next(iter(given)).replace("_", "-")
        raise UsageError(f"{extra} cannot go with --resume {path}, which has its own data and settings")
    training = restored(series, settings, planned, state)
    return training, settings, steps or max(0, planned - len(training.history)) or planned


def new_training(series, settings, planned):
    model = model_from(settings["model"], series, np.random.default_rng(settings["seed"]))
    solver, method = solver_from(settings["solver"]), METHODS[settings["method"]]
    return Training(series, model, solver, method, settings["lr"], planned)


def restored(series, settings, planned, state):
    """The training that stood where a saved one stood; the arguments are those of load_model."""
    training = new_training(series, settings, planned)
    if state["p"].shape != training.p.shape:
        raise UsageError(f"{settings['model']} has {training.p.size} numbers, but {state['p'].size} were saved")
    training.restore(**state)
    return training


def train(training, settings, steps, path):
    """Train and save, however the training ends; returns whether it was complete."""
    try:
        complete = training.learn(steps)
    except TrainingStopped as stopped:
        save_model(path, training, settings)
        raise TrainingStopped(f"{stopped}; saved in {path}", stopped.theta, stopped.history) from stopped
    save_model(path, training, settings)
    steps = len(training.history)
    seen = training.rows_at(max(0, steps - 1))
    saved = f"Saved in {path}: the model after {steps} steps, the last of which looked at {seen} rows."
    if complete:
        print(f"\n{saved}\n{drift_note(training)}")
    else:
        print(f"\nStopped by Ctrl-C. {saved} To go on:\n    python -m odelearn fit --resume {path}\n")
    return complete


def baseline(training, settings):
    """Another model of the same series, by the same code, in as many steps."""
    other = new_training(training.series, settings | {"model": settings["beside"]}, training.planned)
    print(f"Beside it, by the same code: {other.model.label}, {other.model.theta0.size} parameters", flush=True)
    if not other.learn(len(training.history)):
        raise KeyboardInterrupt
    return other


def description(training, settings, steps):
    series, model = training.series, training.model
    names = ", ".join(series.columns)
    return (
        f"{len(series.ts)} rows, {series.time} = {series.ts[0]:.6g} ... {series.ts[-1]:.6g}, {series.hold_out} of them "
        f"held out; state z = {'log ' if series.log else ''}({names})\n"
        f"{model.label}: dz/dt = f(z, t, theta) with {model.theta0.size} parameters, learned together with z0;\n"
        f"{steps} steps of Adam, gradient by {settings['method']}, solver {settings['solver']}"
    )


def score_table(fits):
    """R^2 of every model, for the rows it learned from and for the rows held out, as text."""
    series, n = fits[0].series, fits[0].series.rows
    what = "R^2 of log counts" if series.log else "R^2"
    cells = [(what, f"in sample ({n} rows)", f"held out ({series.hold_out} rows)")]
    for training in fits:
        zs = training.predictions()
        scores = r_squared(zs[:n], series.zs[:n]), r_squared(zs[n:], series.zs[n:])
        numbers = ["-" if np.isnan(score) else f"{score:.3f}" for score in scores]
        cells.append((f"{training.model.label} ({training.p.size} numbers)", *numbers))
    return table(cells)


def draw(fits, path):
    from ..plotting.fit import Curve, fit_figure  # here, because matplotlib takes its time
    from ..plotting.style import save

    with atomic_write(path) as draft:
        curves = [Curve(*curve_of(training)) for training in fits]
        save(fit_figure(fits[0].series, curves), draft)
    print(f"Drawn in {path}")


def curve_of(training):
    """What is drawn of a model: its name, its curve over the whole series (as far as it goes), and its field."""
    series, model = training.series, training.model
    end = series.ts[-1] if np.isfinite(training.predictions()).all() else series.ts[series.rows - 1]
    ts = np.linspace(series.ts[0], end, 400)
    _, theta = training.split(training.p)
    return model.label, ts, training.forecast(ts), lambda z: model.f(z, end, theta)
