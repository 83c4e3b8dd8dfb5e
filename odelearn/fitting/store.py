"""Files that are written whole or not at all, and the model file among them."""

import json
import os
import tempfile
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np

from .options import UsageError
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

FORMAT = 2  # of the model file; format 1 had one trial, one member and a network of 16 units


def save_model(path, training, settings):
    """Everything that predict and --resume need, as one .npz: arrays, and `settings` (model, solver, ...) as JSON."""
    series = training.series
    z0, theta = training.split(training.p)
    facts = asdict(series)
    arrays = {name: facts.pop(name) for name in ("ts", "ys", "us")}
    arrays |= {"z0": z0, "theta": theta, "p": training.p}
    arrays = {name: value for name, value in (arrays | training.more_state()).items() if value is not None}
    adam = {f"adam_{key}": value for key, value in training.opt.state().items()}
    text = json.dumps({"format": FORMAT, "series": facts, "planned": training.planned, **settings})
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
