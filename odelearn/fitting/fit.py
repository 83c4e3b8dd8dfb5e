"""The command `fit`: learn a model from a series, and check, save, measure, draw, with words, files and exit status."""

import warnings
from pathlib import Path

import numpy as np

from ..datasets.csv_series import LYNX_HARE
from ..optim import ForgivingStderr, TrainingStopped
from . import signals
from .build import new_training
from .fit_series import beside_of, new_run, restored, sources_of
from .gradient_check import check_training, drift_note, dry_run
from .load import load_model
from .model_file import confirmed, errors_with_their_line, is_file, place
from .options import SavedElsewhere, UsageError, WorseThanMean
from .report import (
    band_report,
    description,
    draw,
    in_sample_score,
    left_out_note,
    noise_note,
    one_forecast_note,
    score_table,
)
from .store import save_model, save_model_somewhere, writable_directory

TRIAL_STEPS = 100  # a run shorter than this may end worse than the mean of the data


def fit(csv=None, out=None, resume=None, trust=False, quiet=False, **options):
    """The command `fit`: train a model on a series, by default the lynx and the hare, or go on from a saved model.

        minimise over z0 and theta   L = mean ((z(t_i) - z_i) / scale)^2   with   dz/dt = f(z, t, theta)

    csv      a CSV file, or a list of them
    out      the directory for NAME.npz and NAME.png, where NAME is that of the CSV file; None: odelearn-out, or that of
             the saved model
    resume   a saved model, NAME.npz, to go on from; then only steps, out, and the files of its models may be given
    trust    run the Python files that a saved model names
    quiet    say nothing but what goes wrong
    options  those of the command line by the same names, None if not given; fit_series has the same

    Prints a check of the gradient, R^2 in sample and for the rows held out, and for an ensemble its bands there. The
    model is saved at least every minute, and at the end.

    Returns the exit status: 0, or 130 after Ctrl-C, SIGTERM or SIGHUP. Raises UsageError or DataError for what cannot
    be done, before any training. When these are raised the model is saved: TrainingStopped for a step that failed,
    WorseThanMean if the mean of each column is a better model, SavedElsewhere if it could not be written to `out`.
    Raises SolverError or ModelFileError where the model fails at the beginning or at the end.
    """
    given = {name: value for name, value in options.items() if value is not None}
    files = [csv] if isinstance(csv, str | Path) else list(csv or [])
    if resume:
        training, settings, steps = resumed_run(resume, files, given, trust)
    elif trust:
        raise UsageError("--trust goes with --resume: it is about the file that a saved model names")
    else:
        with warnings_as_lines():
            training, settings, steps = new_run(files or None, given)
    dry_run(training, settings)
    name = Path(resume or (files[0] if files else LYNX_HARE)).stem
    out = writable_directory(out or (Path(resume).parent if resume else "odelearn-out"), f"{name}.npz", f"{name}.png")
    with errors_with_their_line(training.model):
        return run(training, settings, steps, out / f"{name}.npz", (lambda *_, **__: None) if quiet else print)


class warnings_as_lines(warnings.catch_warnings):
    """In here a warning about the data becomes a line on stderr, when it is over."""

    def __init__(self):
        super().__init__(record=True)

    def __enter__(self):
        self.caught = super().__enter__()
        warnings.simplefilter("always")

    def __exit__(self, *error):
        super().__exit__(*error)
        for warning in self.caught:
            print(f"odelearn: {warning.message}", file=ForgivingStderr())


def run(training, settings, steps, npz, say=print):
    """Check, train, save, measure, draw. Returns the exit status."""
    say(description(training, settings, steps), flush=True)
    passed, report = check_training(training)
    say(f"\nBefore training:\n{report}\n", flush=True)
    if not passed:
        say("Training goes on, but its gradient may be wrong: look at the diagnosis above.\n", flush=True)

    score_before = in_sample_score(training)
    complete, path, reason = train(training, settings, steps, npz, say)
    fits = [training]
    if complete and settings["beside"] != "none":
        fits.append(baseline(training, settings, say))
    say(score_table(fits))
    for text in one_forecast_note(training), noise_note(training), band_report(training) if training.members else "":
        if text:
            say(text)
    draw(fits, path.with_suffix(".png"))
    say(f"Drawn in {path.with_suffix('.png')}")
    if not complete:
        return 130
    if reason:
        raise SavedElsewhere(f"{reason}; the model is in {path}")
    check_score(training, score_before, say)
    return 0


def resumed_run(npz, files, given, trust):
    """(training, settings, steps) of a saved run: the steps it had left, as many again if none, or those given."""
    saved = load_model(npz)
    steps, settings = given.pop("steps", None), saved.settings
    specs = {role: given.pop(role, None) if is_file(settings[role]) else None for role in ("model", "beside")}
    if files or given:
        extra = files[0] if files else "--" + next(iter(given)).replace("_", "-")
        raise UsageError(f"{extra} cannot go with --resume {npz}, which has its own data and settings")
    settings |= {role: confirmed(npz, role, settings, spec, trust) for role, spec in specs.items()}
    training = restored(saved)
    settings["sources"] = sources_of(training, settings)
    return training, settings, steps or max(0, saved.planned - len(training.history)) or saved.planned


# ---- training


def train(training, settings, steps, path, say=print):
    """Train and save, however the training ends.

    Returns whether it was complete, where the model is, and why there, None if it is at `path`.
    """

    def save():
        try:
            save_model(path, training, settings)
        except OSError as error:
            text = f"\n{path}: {error.strerror}; training goes on, and the model will be saved later"
            print(text, file=ForgivingStderr())

    stopped, done_before = None, len(training.history)
    try:
        complete = training.learn(steps, save, progress=say is print)
    except TrainingStopped as error:
        stopped = error
    path, reason = save_model_somewhere(path, training, settings)
    if stopped:
        where = place(stopped.__cause__, training.model.file).rstrip(": ")
        text = str(stopped) + (f"; it comes from {where}" if where else "") + (f"; {reason}" if reason else "")
        raise TrainingStopped(f"{text}; saved in {path}", stopped.theta, stopped.history) from stopped
    if complete:
        early = len(training.history) - done_before < steps
        notes = [validation_note(training, early), left_out_note(training), drift_note(training)]
        say("\n" + "\n".join([f"Saved in {path}: {extent(training)}.", *filter(None, notes), ""]))
    else:
        text = f"Saved in {path}: {extent(training)}. To go on:\n    {resume_command(path, settings)}\n"
        say(f"\nStopped by {signals.last}. {text}", flush=True)
    return complete, path, reason


def extent(training):
    """How far the training has come, in words."""
    steps_done = len(training.history)
    rows = f"{'windows of ' * bool(training.window)}{training.rows_at(max(0, steps_done - 1))} rows"
    return f"the model after {steps_done} steps, the last of which looked at {rows}"


def validation_note(training, early):
    """Which parameters are kept, as a line, or ""."""
    if training.validation is None:
        return ""
    steps, losses = training.validation.best_step, training.validation.best_loss
    first, last = steps[training.alive].min(), steps[training.alive].max()
    at = f"step {first}" if first == last else f"steps {first} to {last}, of each member its own,"
    ended = f", and training ended at step {len(training.history)}, no better for long" if early else ""
    best = losses[training.alive & np.isfinite(losses)]
    kept = f"Kept are the parameters of {at} with the best validation loss"
    return f"{kept}, {np.mean(best):.4g}{ended}." if best.size else ""


def resume_command(path, settings):
    """What to type to go on. A model from a file has to be named again."""
    files = [f"--{role} {settings[role]}" for role in ("model", "beside") if is_file(settings[role])]
    return " ".join([f"python -m odelearn fit --resume {path}", *files])


def baseline(training, settings, say=print):
    """Another model of the same series, by the same code, in as many steps."""
    other = new_training(training.series, beside_of(settings), training.planned)
    say(f"Beside it, by the same code: {other.model.label}, {other.model.theta0.size} parameters", flush=True)
    if not other.learn(len(training.history), progress=say is print):
        raise KeyboardInterrupt
    return other


def check_score(training, score_before, say=print):
    """Raises WorseThanMean if the mean of each column would have been a better model: R^2 < 0 in sample.

    A training that has not yet looked at all rows is not at its end, and does not fail. A run of fewer than TRIAL_STEPS
    steps is a trial: it fails only if its squared error 1 - R^2 has more than doubled.
    """
    score, steps_done = in_sample_score(training), len(training.history)
    if score >= 0 or np.isnan(score):
        return
    at_its_end = training.rows_at(steps_done - 1) == training.horizon
    if not at_its_end or steps_done < TRIAL_STEPS and 1 - score <= 2 * (1 - score_before):
        say(f"R^2 = {score:.3g} in sample is worse than the mean of each column, which has 0: train with more steps.")
        return
    raise WorseThanMean(
        f"the model ends worse than the mean of each column: R^2 = {score:.3g} in sample, where the mean has 0. "
        f"Train with a smaller --lr (it was {training.lr:g}), more --steps, or another --model"
    )
