"""Files that are written whole or not at all, and the model file among them."""

import json
import os
import tempfile
from collections import namedtuple
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..optim import Adam
from .options import METHODS, SETTINGS, UsageError, one_line, solver_from
from .series import Series, check_series
from .signals import signals_deferred

TRIAL_BYTES = 1 << 20  # a file of this size is written before the work begins: a model is smaller


@contextmanager
def atomic_write(path):
    """A name to write to, in the same directory, that becomes `path` when all is written.

    Whatever happens, `path` holds either what it held before or all that is new, even after a power failure. Raises
    OSError, with `path` as its filename, where that cannot be written.
    """
    path = Path(path)
    draft = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield draft
        with open(draft, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        if error.filename in (None, str(draft)):
            error.filename = str(path)
        raise
    finally:
        draft.unlink(missing_ok=True)


def writable_directory(path, *names):
    """The directory, made if need be. Raises UsageError, before any work, if these files cannot be written there."""
    for name in names or [".trial"]:
        check_writable(Path(path) / name)
    return Path(path)


def check_writable(path):
    """Try to write beside `path`, as atomic_write will. Raises UsageError if that fails, or `path` is a directory."""
    path = Path(path)
    draft = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise UsageError(f"--out: {path} is a directory, where a file is to be written; move it away")
        try:
            draft.write_bytes(bytes(TRIAL_BYTES))
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"--out {path.parent}: cannot write {path.name} there: {error.strerror}") from None


# ---- the model file


def save_model(path, training, settings):
    """Everything that predict and --resume need, as one .npz: arrays, and `settings` (model, solver, ...) as JSON."""
    series, (z0, theta) = training.series, training.split(training.p)
    facts = asdict(series)
    arrays = {"ts": facts.pop("ts"), "ys": facts.pop("ys"), "z0": z0, "theta": theta, "p": training.p}
    adam = {f"adam_{key}": value for key, value in training.opt.state().items()}
    text = json.dumps({"series": facts, "planned": training.planned, **settings})
    with signals_deferred(), atomic_write(path) as draft, open(draft, "wb") as file:
        np.savez(file, settings=text, history=training.history, **arrays, **adam)


def save_model_somewhere(path, training, settings):
    """save_model(path, ...), or the same elsewhere if that fails: in a new directory among the temporary files, in the
    home directory, or in the current one. Returns where it was written, and why there, None if at `path`.

    Raises OSError if none of them takes the model.
    """
    with signals_deferred():
        try:
            save_model(path, training, settings)
            return path, None
        except OSError as error:
            reason = error
        for find_directory in (tempfile.gettempdir, Path.home, Path.cwd):
            try:
                second = Path(tempfile.mkdtemp(prefix="odelearn-", dir=find_directory())) / path.name
                save_model(second, training, settings)
                return second, f"{path}: {reason.strerror or reason}"
            except OSError:
                continue
        raise reason


Saved = namedtuple("Saved", "series settings planned p history adam")  # what save_model has written


def load_model(path):
    """What save_model has written, checked: a Saved. Raises UsageError for any other file, and for an altered one."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        settings = json.loads(str(arrays["settings"]))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or 'not a model file'}") from None
    except Exception as error:
        raise UsageError(f"{path}: not a model file; python -m odelearn fit writes them") from error
    try:
        return checked_model(settings, arrays)
    except Exception as error:
        raise UsageError(f"{path}: this model file was altered or damaged: {one_line(error)}") from error


def checked_model(settings, arrays):
    """The Saved in a model file. Raises an exception of any kind where a part is missing, or is not as it was."""
    series = Series(**settings.pop("series"), ts=arrays["ts"].astype(float), ys=arrays["ys"].astype(float))
    check_series(series)
    planned, sources = settings.pop("planned"), settings["sources"]
    require(settings.keys() == SETTINGS.keys() | {"sources"}, f"the settings are {', '.join(settings)}")
    require(type(planned) is int and planned > 0, f"planned = {planned}")
    require(all(isinstance(settings[role], str) for role in ("model", "beside")), "the models have no names")
    require(settings["method"] in METHODS, f"there is no method {settings['method']!r}")
    require(sources.keys() == {"model", "beside"}, f"the sources are {', '.join(sources)}")
    solver_from(settings["solver"])
    require(type(settings["seed"]) is int and settings["seed"] >= 0, f"seed = {settings['seed']}")

    p, history = finite("p", arrays["p"]), finite("history", arrays["history"])
    x0, theta = p[: len(series.columns)], p[len(series.columns) :]
    z0 = series.mean + series.scale * x0
    agree = np.array_equal(theta, arrays["theta"]) and np.allclose(z0, arrays["z0"], rtol=1e-9, atol=0)
    require(agree, "z0 and theta are not those in p = [(z0 - mean) / scale, theta]")
    adam = {key.removeprefix("adam_"): finite(key, arrays[key]) for key in arrays if key.startswith("adam_")}
    require(history.ndim == 1 and adam["t"] == history.size, f"adam_t = {adam['t']} after {history.size} steps")
    for key in "m", "v":
        require(adam[key].shape in ((), p.shape), f"adam_{key} has shape {adam[key].shape}, p has {p.shape}")
    Adam(lr=settings["lr"]).load(adam)
    return Saved(series, settings, planned, p, history.tolist(), adam)


def finite(name, x):
    """x as an array of float64. Raises ValueError where it is not finite, or is no array of numbers."""
    x = x.astype(float)
    require(np.isfinite(x).all(), f"{name} is not finite")
    return x


def require(condition, message):
    if not condition:
        raise ValueError(message)
