"""Files that are written whole or not at all, and the model file among them."""

import json
import os
import signal
import tempfile
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np

from .options import UsageError
from .series import Series


def writable_directory(path):
    """The directory, made if need be. Raises UsageError if nothing can be written there, before any work is done."""
    try:
        os.makedirs(path, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return Path(path)
    except OSError as error:
        raise UsageError(f"--out {path}: cannot write there: {error.strerror}") from None


@contextmanager
def atomic_write(path):
    """A name to write to, in the same directory, that becomes `path` when all is written.

    Whatever happens, `path` holds either what it held before or all that is new.
    """
    path = Path(path)
    draft = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield draft
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def uninterrupted():
    """Ctrl-C is noted, and takes effect at the end."""
    noted = []
    before = signal.signal(signal.SIGINT, lambda *_: noted.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if noted:
        raise KeyboardInterrupt


def save_model(path, training, settings):
    """Everything that predict and --resume need, as one .npz: arrays, and `settings` (model, solver, ...) as JSON."""
    series, (z0, theta) = training.series, training.split(training.p)
    facts = asdict(series)
    arrays = {"ts": facts.pop("ts"), "ys": facts.pop("ys"), "z0": z0, "theta": theta, "p": training.p}
    adam = {f"adam_{key}": value for key, value in training.opt.state().items()}
    text = json.dumps({"series": facts, "planned": training.planned, **settings})
    with uninterrupted(), atomic_write(path) as draft, open(draft, "wb") as file:
        np.savez(file, settings=text, history=training.history, **arrays, **adam)


def load_model(path):
    """(series, settings, planned, state) as they were saved; state (p, history, adam) is for Training.restore."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        settings = json.loads(str(arrays["settings"]))
        series = Series(**settings.pop("series"), ts=arrays["ts"], ys=arrays["ys"])
        adam = {key.removeprefix("adam_"): value for key, value in arrays.items() if key.startswith("adam_")}
        state = {"p": arrays["p"], "history": arrays["history"].tolist(), "adam": adam}
        return series, settings, settings.pop("planned"), state
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or 'not a model file'}") from None
    except Exception as error:
        raise UsageError(f"{path}: not a model file; python -m odelearn fit writes them") from error
