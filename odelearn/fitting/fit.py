"""Learn a model from a series: check the gradient, train, save, measure, draw."""

from pathlib import Path

import numpy as np

from ..datasets.csv_series import LYNX_HARE
from ..optim import ForgivingStderr, TrainingStopped
from . import signals
from .gradient_check import check_training, drift_note, dry_run
from .model_file import absolute, confirmed, errors_with_their_line, is_file, place
from .models import model_from
from .options import METHODS, SETTINGS, SavedElsewhere, UsageError, WorseThanMean, solver_from
from .report import description, draw, in_sample_score, score_table
from .series import series_from_csv
from .store import load_model, save_model, save_model_somewhere, writable_directory
from .training import Training

SERIES = {"time": None, "columns": None, "log": False, "hold_out": None}
STEPS = 600
TRIAL_STEPS = 100  # a run shorter than this may end worse than the mean of the data


def fit(csv=None, out=None, resume=None, trust=False, **options):
    """The command `fit`: train a model on a series, by default the lynx and the hare, or go on from a saved model.

        minimise over z0 and theta   L = mean ((z(t_i) - z_i) / scale)^2   with   dz/dt = f(z, t, theta)

    csv      a CSV file
    out      the directory for NAME.npz and NAME.png, where NAME is that of the CSV file; None: odelearn-out, or that of
             the saved model
    resume   a saved model, NAME.npz, to go on from; then only steps, out, and the files of its models may be given
    trust    run the Python files that a saved model names
    options  those of the command line by the same names, None if not given: time, columns, log, hold_out (see
             series_from_csv); model, beside, solver, method, lr, seed (see SETTINGS); steps

    Prints a check of the gradient, and R^2 in sample and for the rows held out. The model is saved at least every
    minute, and at the end.

    Returns the exit status: 0, or 130 after Ctrl-C, SIGTERM or SIGHUP. Raises UsageError or DataError for what cannot
    be done, before any training. When these are raised the model is saved: TrainingStopped for a step that failed,
    WorseThanMean if the mean of each column is a better model, SavedElsewhere if it could not be written to `out`.
    Raises SolverError or ModelFileError where the model fails at the beginning or at the end.
    """
    given = {name: value for name, value in options.items() if value is not None}
    training, settings, steps = resumed_run(resume, csv, given, trust) if resume else new_run(csv, given, trust)
    dry_run(training, settings)
    name = Path(resume or csv or LYNX_HARE).stem
    out = writable_directory(out or (Path(resume).parent if resume else "odelearn-out"), f"{name}.npz", f"{name}.png")
    with errors_with_their_line(training.model):
        return run(training, settings, steps, out / f"{name}.npz")


def run(training, settings, steps, npz):
    """Check, train, save, measure, draw. Returns the exit status."""
    print(description(training, settings, steps), flush=True)
    passed, report = check_training(training)
    print(f"\nBefore training:\n{report}\n", flush=True)
    if not passed:
        print("Training goes on, but its gradient may be wrong: look at the diagnosis above.\n", flush=True)

    score_before = in_sample_score(training)
    complete, path, reason = train(training, settings, steps, npz)
    fits = [training]
    if complete and settings["beside"] != "none":
        fits.append(baseline(training, settings))
    print(score_table(fits))
    draw(fits, path.with_suffix(".png"))
    if not complete:
        return 130
    if reason:
        raise SavedElsewhere(f"{reason}; the model is in {path}")
    check_score(training, score_before)
    return 0


def new_run(csv, given, trust):
    """(training, settings, steps) of a new run."""
    if trust:
        raise UsageError("--trust goes with --resume: it is about the file that a saved model names")
    if csv is None:
        given = {"log": True, "beside": "lotka-volterra"} | given
    series = series_from_csv(csv or LYNX_HARE, **{name: given.pop(name, value) for name, value in SERIES.items()})
    steps = given.pop("steps", STEPS)
    settings = SETTINGS | given
    settings |= {role: absolute(settings[role]) for role in ("model", "beside")}
    training = new_training(series, settings, steps)
    return training, settings | {"sources": sources_of(training, settings)}, steps


def resumed_run(npz, csv, given, trust):
    """(training, settings, steps) of a saved run: the steps it had left, as many again if none, or those given."""
    saved = load_model(npz)
    steps, settings = given.pop("steps", None), saved.settings
    specs = {role: given.pop(role, None) if is_file(settings[role]) else None for role in ("model", "beside")}
    if csv or given:
        extra = csv or "--" + next(iter(given)).replace("_", "-")
        raise UsageError(f"{extra} cannot go with --resume {npz}, which has its own data and settings")
    settings |= {role: confirmed(npz, role, settings, spec, trust) for role, spec in specs.items()}
    training = restored(saved)
    settings["sources"] = sources_of(training, settings)
    return training, settings, steps or max(0, saved.planned - len(training.history)) or saved.planned


def new_training(series, settings, planned):
    model = model_from(settings["model"], series, np.random.default_rng(settings["seed"]))
    solver, method = solver_from(settings["solver"]), METHODS[settings["method"]]
    return Training(series, model, solver, method, settings["lr"], planned)


def restored(saved):
    """The training that stood where a saved one stood."""
    training = new_training(saved.series, saved.settings, saved.planned)
    if saved.p.shape != training.p.shape:
        raise UsageError(f"{saved.settings['model']} has {training.p.size} numbers, but {saved.p.size} were saved")
    training.restore(saved.p, saved.history, saved.adam)
    return training


def sources_of(training, settings):
    """The hashes of the files behind both models. Raises UsageError for a baseline that cannot be."""
    beside = {}
    if settings["beside"] != "none":
        beside = model_from(settings["beside"], training.series, np.random.default_rng(0)).sources
    return {"model": training.model.sources, "beside": beside}


# ---- training


def train(training, settings, steps, path):
    """Train and save, however the training ends.

    Returns whether it was complete, where the model is, and why there, None if it is at `path`.
    """

    def save():
        try:
            save_model(path, training, settings)
        except OSError as error:
            text = f"\n{path}: {error.strerror}; training goes on, and the model will be saved later"
            print(text, file=ForgivingStderr())

    stopped = None
    try:
        complete = training.learn(steps, save)
    except TrainingStopped as error:
        stopped = error
    path, reason = save_model_somewhere(path, training, settings)
    if stopped:
        where = place(stopped.__cause__, training.model.file).rstrip(": ")
        text = str(stopped) + (f"; it comes from {where}" if where else "") + (f"; {reason}" if reason else "")
        raise TrainingStopped(f"{text}; saved in {path}", stopped.theta, stopped.history) from stopped
    steps_done = len(training.history)
    rows = training.rows_at(max(0, steps_done - 1))
    text = f"Saved in {path}: the model after {steps_done} steps, the last of which looked at {rows} rows."
    if complete:
        print(f"\n{text}\n{drift_note(training)}")
    else:
        print(f"\nStopped by {signals.last}. {text} To go on:\n    {resume_command(path, settings)}\n", flush=True)
    return complete, path, reason


def resume_command(path, settings):
    """What to type to go on. A model from a file has to be named again."""
    files = [f"--{role} {settings[role]}" for role in ("model", "beside") if is_file(settings[role])]
    return " ".join([f"python -m odelearn fit --resume {path}", *files])


def baseline(training, settings):
    """Another model of the same series, by the same code, in as many steps."""
    other = new_training(training.series, settings | {"model": settings["beside"]}, training.planned)
    print(f"Beside it, by the same code: {other.model.label}, {other.model.theta0.size} parameters", flush=True)
    if not other.learn(len(training.history)):
        raise KeyboardInterrupt
    return other


def check_score(training, score_before):
    """Raises WorseThanMean if the mean of each column would have been a better model: R^2 < 0 in sample.

    A training that has not yet looked at all rows is not at its end, and does not fail. A run of fewer than TRIAL_STEPS
    steps is a trial: it fails only if its squared error 1 - R^2 has more than doubled.
    """
    score, steps_done = in_sample_score(training), len(training.history)
    if score >= 0 or np.isnan(score):
        return
    at_its_end = training.rows_at(steps_done - 1) == training.series.rows
    if not at_its_end or steps_done < TRIAL_STEPS and 1 - score <= 2 * (1 - score_before):
        print(f"R^2 = {score:.3g} in sample is worse than the mean of each column, which has 0: train with more steps.")
        return
    raise WorseThanMean(
        f"the model ends worse than the mean of each column: R^2 = {score:.3g} in sample, where the mean has 0. "
        f"Train with a smaller --lr (it was {training.opt.lr:g}), more --steps, or another --model"
    )
