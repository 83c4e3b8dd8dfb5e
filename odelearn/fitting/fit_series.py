"""Learn a model from a series, from Python: what the command `fit` does, without its files and its words."""

import warnings

from ..datasets.cells import DataError
from ..datasets.csv_series import LYNX_HARE
from ..optim import TrainingStopped
from .build import new_training
from .fitted import FittedModel
from .gradient_check import dry_run
from .model_file import absolute, errors_with_their_line
from .option_table import checked, defaults
from .options import UsageError
from .sources import series_from
from .store import save_model_somewhere, writable_directory


def fit_series(source=None, *, out=None, quiet=False, **options):
    """Train a model on a series, as the command `odelearn fit` does.

        minimise over z0 and theta   L = mean ((z(t_i) - z_i) / scale)^2   with   dz/dt = f(z, t, theta)

    source   the path of a CSV file; two arrays (ts, ys), of shapes (T,) and (T, D); an object with .columns and
             .to_numpy(), such as a pandas DataFrame; or a list of these, of which each holds a trial or more. None: the
             lynx and the hare
    out      a directory for the model, NAME.npz; None: nothing is written
    quiet    whether to leave out the progress bar
    options  those of the command line by the same names (python -m odelearn fit --help):
             how files are written   sep, decimal, na, encoding
             which series            time, time_unit, columns, series, input, log, hold_out, validate
             which model             model, width, depth, activation, hidden, interpolation, ensemble, noise
             how it is trained       steps, lr, lr_schedule, weight_decay, clip, solver, method, window, batch, seed
             None means the default, as if it were not given

    Returns a FittedModel. After Ctrl-C it is what was learned so far, with a UserWarning.
    Raises DataError for a source that holds no such series, UsageError (a ValueError) or TypeError for options that
    cannot be, before any training; TrainingStopped for a step that fails, SolverError for a model that fails.

    >>> import numpy as np
    >>> ts = np.linspace(0, 6, 31)
    >>> model = fit_series((ts, np.cos(ts)), model="linear", hidden=1, steps=5, quiet=True)
    >>> model(ts[:3]).shape, model.columns
    ((3, 1), ['y1'])
    """
    given = checked({name: value for name, value in options.items() if value is not None})
    training, settings, steps = new_run(source, given)
    dry_run(training, settings)
    name = training.series.name
    out = writable_directory(out, f"{name}.npz") if out is not None else None
    with errors_with_their_line(training.model):
        try:
            complete = training.learn(steps, progress=not quiet)
        except TrainingStopped:
            if out is not None:
                save_model_somewhere(out / f"{name}.npz", training, settings)
            raise
    if out is not None:
        save_model_somewhere(out / f"{name}.npz", training, settings)
    if not complete:
        done = len(training.history)
        warnings.warn(f"stopped by Ctrl-C after {done} of {steps} steps; this is what was learned so far", stacklevel=2)
    return FittedModel(training, settings)


def new_run(source, given):
    """(training, settings, steps) of a new run, from options that are of their kinds."""
    if source is None:
        given = {"log": True, "beside": "lotka-volterra", "ensemble": 20} | given
    chosen = lambda group: {name: given.get(name, default) for name, default in defaults(group).items()}
    try:
        series = series_from(LYNX_HARE if source is None else source, **chosen("read"), **chosen("data"))
    except DataError:
        raise
    except ValueError as error:  # of how the file is said to be written
        raise UsageError(str(error)) from None
    settings, steps = chosen("set"), chosen("run")["steps"]
    settings |= {role: absolute(settings[role]) for role in ("model", "beside")}
    training = new_training(series, settings, steps)
    return training, settings | {"sources": sources_of(training, settings)}, steps


def sources_of(training, settings):
    """The hashes of the files behind both models. Raises UsageError for a baseline that cannot be."""
    beside = {}
    if settings["beside"] != "none":
        beside = new_training(training.series, beside_of(settings), 1).model.sources
    return {"model": training.model.sources, "beside": beside}


def beside_of(settings):
    """The settings of the model to compare with: one member, and for those that have them, inputs and hidden states."""
    plain = {"ensemble": None}
    if settings["beside"] == "lotka-volterra":
        plain["hidden"] = 0
    return settings | {"model": settings["beside"]} | plain


def restored(saved):
    """The training that stood where a saved one stood."""
    training = new_training(saved.series, saved.settings, saved.planned)
    if saved.p.shape != training.p.shape:
        raise UsageError(f"{saved.settings['model']} has {training.p.size} numbers, but {saved.p.size} were saved")
    training.restore(saved.p, saved.history, saved.adam, saved.more)
    return training
