"""Reading what `fit` has saved, checked part by part; and load, which makes a FittedModel of it."""

import json
from collections import namedtuple

import numpy as np

from ..optim import Adam
from .fit_series import restored
from .fitted import FittedModel
from .model_file import confirmed
from .option_table import BY_NAME, as_kind, defaults
from .options import METHODS, UsageError, one_line, solver_from
from .series import Series, check_series
from .store import FORMAT
from .training import MORE

# What save_model has written: p, history and adam stand where the training stood; more is what it knew beside them.
Saved = namedtuple("Saved", "series settings planned p history adam more")


def load(path, *, model=None, trust=False):
    """The FittedModel in a file that `odelearn fit` or FittedModel.save has written.

    path   the file, NAME.npz
    model  "FILE.py:f", if the model has a Python file of its own: to load it means to run that file
    trust  run the Python file that the saved model names, without its being named again

    Raises UsageError (a ValueError) for a file that is none, that was altered, or that may not be run.

    >>> import tempfile
    >>> ts = np.linspace(0, 3, 16)
    >>> from odelearn import fit_series
    >>> folder = tempfile.mkdtemp()
    >>> learned = fit_series((ts, np.exp(-ts)), model="linear", steps=5, out=folder, quiet=True)
    >>> bool(np.all(load(f"{folder}/series.npz")(ts) == learned(ts)))
    True
    """
    saved = load_model(path)
    saved.settings["model"] = confirmed(path, "model", saved.settings, model, trust)
    return FittedModel(restored(saved), saved.settings)


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
    settings = of_this_format(settings)
    us = arrays["us"].astype(float) if "us" in arrays else None
    facts = settings.pop("series")
    series = Series(**facts, ts=arrays["ts"].astype(float), ys=arrays["ys"].astype(float), us=us)
    check_series(series)
    planned = settings.pop("planned")
    check_settings(settings, planned)

    p, history = finite("p", arrays["p"]), finite("history", arrays["history"])
    require(history.ndim == 1, "history is no list of numbers")
    check_parts(series, settings, p, arrays)
    adam = {key.removeprefix("adam_"): finite(key, arrays[key]) for key in arrays if key.startswith("adam_")}
    require(adam["t"] == history.size, f"adam_t = {adam['t']} after {history.size} steps")
    for key in "m", "v":
        require(adam[key].shape in ((), p.shape), f"adam_{key} has shape {adam[key].shape}, p has {p.shape}")
    Adam(lr=settings["lr"]).load(adam)
    return Saved(series, settings, planned, p, history.tolist(), adam, more_of(arrays, p))


def of_this_format(settings):
    """The settings of a file of format 1 as they are now: what has come since has its default. Raises ValueError for a
    file of a later format."""
    version = settings.pop("format", 1)
    require(version in range(1, FORMAT + 1), f"it has format {version}, and this odelearn reads up to {FORMAT}")
    return defaults("set") | settings if version == 1 else settings


def check_settings(settings, planned):
    require(settings.keys() == defaults("set").keys() | {"sources"}, f"the settings are {', '.join(settings)}")
    require(type(planned) is int and planned > 0, f"planned = {planned}")
    require(all(isinstance(settings[role], str) for role in ("model", "beside")), "the models have no names")
    require(settings["method"] in METHODS, f"there is no method {settings['method']!r}")
    sources = settings["sources"]
    require(sources.keys() == {"model", "beside"}, f"the sources are {', '.join(sources)}")
    solver_from(settings["solver"])
    require(type(settings["seed"]) is int and settings["seed"] >= 0, f"seed = {settings['seed']}")
    Adam(lr=settings["lr"])
    for name in defaults("set"):
        if settings[name] is not None:
            as_kind(name, BY_NAME[name].kind, settings[name])


def check_parts(series, settings, p, arrays):
    """Raises ValueError where z0 and theta are not the parts of p that they should be."""
    members = settings["ensemble"]
    require(p.ndim == (1 if members is None else 2), f"p has shape {p.shape}")
    hidden, z0 = settings["hidden"], arrays.get("z0")
    size = 0 if z0 is None else z0.size // (members or 1)
    theta = p[..., size : size + arrays["theta"].shape[-1]]
    agree = np.array_equal(theta, arrays["theta"])
    if z0 is not None and agree:
        mean, scale = np.append(series.mean, np.zeros(hidden)), np.append(series.scale, np.ones(hidden))
        z0 = z0.reshape(*p.shape[:-1], -1, len(mean))
        x0 = p[..., :size].reshape(z0.shape)
        agree = np.allclose(mean + scale * x0, z0, rtol=1e-9, atol=1e-12)
    require(agree, "z0 and theta are not those in p = [(z0 - mean) / scale, theta]")


def more_of(arrays, p):
    """What a training with validation, or of an ensemble, has beside p: {} for another."""
    more = {}
    for name, shape in MORE.items():
        if name not in arrays:
            continue
        value = arrays[name]
        if name != "best_loss":  # inf before the first look
            finite(name, value)
        if shape == "p":
            require(value.shape == p.shape, f"{name} has shape {value.shape}, p has {p.shape}")
        elif shape == "E":
            require(value.shape == (len(np.atleast_2d(p)),), f"{name} has shape {value.shape}")
        more[name] = value
    return more


def finite(name, x):
    """x as an array of float64. Raises ValueError where it is not finite, or is no array of numbers."""
    x = x.astype(float)
    require(np.isfinite(x).all(), f"{name} is not finite")
    return x


def require(condition, message):
    if not condition:
        raise ValueError(message)
