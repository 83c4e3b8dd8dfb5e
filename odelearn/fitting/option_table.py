"""Every option of `fit`: its name, what it may be, its default and its help, for the command line and for Python."""

from collections import namedtuple

import numpy as np

from ..datasets.cells import SEPARATORS
from ..datasets.times import UNITS
from ..nn.activations import ACTIVATIONS
from .forcing import KINDS
from .options import METHODS, UsageError

# What a value may be: its kind (int, float, str, bool, or list: of texts), whether it is allowed, and that in words.
Kind = namedtuple("Kind", "type allowed words")

ANY = lambda value: True
TEXT, NAMES, FLAG = Kind(str, ANY, "text"), Kind(list, ANY, "a list of names"), Kind(bool, ANY, "True or False")
COUNT = Kind(int, lambda n: n >= 0, "a whole number, 0 or more")
POSITIVE = Kind(int, lambda n: n > 0, "a whole number, 1 or more")
RATE = Kind(float, lambda x: 0 < x < float("inf"), "a positive number")
NOT_NEGATIVE = Kind(float, lambda x: 0 <= x < float("inf"), "a number, 0 or more")
FRACTION = Kind(float, lambda x: 0 <= x < 1, "a number from 0 to below 1")


def one_of(*names):
    return Kind(str, lambda name: name in names, f"one of {', '.join(names)}")


# Where an option belongs to: "read" how a file is written, "data" which of it is the series, "set" what is trained and
# saved with it, "run" this training alone. default None: see the help.
Option = namedtuple("Option", "group name kind default metavar help")

OPTIONS = [
    Option("read", "sep", TEXT, ",", "SEP", f"between columns: one character, or {', '.join(SEPARATORS)}"),
    Option("read", "decimal", TEXT, ".", "MARK", 'the decimal mark: "." or comma'),
    Option("read", "na", NAMES, (), "A,B", "cells that are missing, beside empty ones, NA and nan: --na=-999,missing"),
    Option("read", "encoding", TEXT, "utf-8-sig", "NAME", "of the text (default: UTF-8)"),
    Option("data", "time", TEXT, None, "COLUMN", "the column of times: numbers, or ISO dates (default: the first)"),
    Option("data", "time_unit", one_of(*UNITS), None, "UNIT", f"of dates: {', '.join(UNITS)} (default: day)"),
    Option("data", "columns", NAMES, None, "A,B", "the columns to learn (default: all with numbers)"),
    Option("data", "series", TEXT, None, "COLUMN", "the column that tells several series apart: patient, trial"),
    Option("data", "input", NAMES, (), "A,B", "columns that drive the system and are not learned, u(t)"),
    Option("data", "log", FLAG, False, None, "the logarithms are the state"),
    Option("data", "hold_out", COUNT, None, "N", "rows at the end of each series to forecast (default: a fifth)"),
    Option("data", "validate", FRACTION, 0.0, "PART", "of the other rows, the last ones: they judge the training, "
           "which ends when they stop getting better; the best parameters are kept (default: 0)"),
    Option("set", "model", TEXT, "mlp", "MODEL", "mlp (default), linear, lotka-volterra (prey, predator), or FILE.py:f "
           "with f(z, t, theta) and theta0 defined in the file; with inputs f(z, t, theta, u)"),
    Option("set", "beside", TEXT, "none", "MODEL", "a second model to compare with, or none"),
    Option("set", "width", POSITIVE, 16, "N", "units in a hidden layer of the network"),
    Option("set", "depth", POSITIVE, 1, "N", "how many hidden layers"),
    Option("set", "activation", one_of(*ACTIVATIONS), "tanh", "NAME", f"{', '.join(ACTIVATIONS)}"),
    Option("set", "hidden", COUNT, 0, "N", "states that are not observed, with initial values that are learned"),
    Option("set", "interpolation", one_of(*KINDS), "linear", "KIND", f"of inputs: {', '.join(KINDS)}; the last three "
           "are SciPy's"),
    Option("set", "ensemble", POSITIVE, None, "N", "members, from different seeds and bootstrapped residuals; their "
           "forecasts give bands (default: one member, and no bands)"),
    Option("set", "noise", FLAG, False, None, "learn the standard deviation of each column's noise, by maximum "
           "likelihood"),
    Option("set", "solver", TEXT, "rk4:n=2", "NAME:SETTINGS", "euler, midpoint, heun, ralston, rk4, rk38 with :n=STEPS"
           " in every interval or :h=LENGTH; bosh3, dopri5, tsit5, dop853 with :rtol=R,atol=A (default: rk4:n=2)"),
    Option("set", "method", one_of(*METHODS), "backsolve", "NAME", "of the gradient: backsolve (default, the paper's "
           "adjoint) or discrete"),
    Option("set", "lr", RATE, 0.01, "LR", "learning rate of Adam"),
    Option("set", "lr_schedule", one_of("constant", "cosine"), "constant", "NAME", "constant, or cosine: it falls to a "
           "hundredth over the steps planned"),
    Option("set", "weight_decay", NOT_NEGATIVE, 0.0, "W", "shrink theta by lr W of itself in every step (AdamW)"),
    Option("set", "clip", RATE, None, "C", "shorten gradients that are longer than this (default: no limit)"),
    Option("set", "window", COUNT, None, "ROWS", "learn from windows of so many rows, each from what was observed "
           "where it begins; 0: from whole series (default: 0, or 50 if there are more than 2,000 rows to learn from)"),
    Option("set", "batch", POSITIVE, 64, "N", "windows that a step looks at"),
    Option("set", "seed", COUNT, 0, "N", "of the first parameters, the bootstrap and the batches"),
    Option("run", "steps", POSITIVE, 600, "N", "steps of Adam"),
]  # fmt: skip
BY_NAME = {option.name: option for option in OPTIONS}


def defaults(group):
    return {option.name: option.default for option in OPTIONS if option.group == group}


def help_of(option):
    """The help, with the default where it does not say so itself."""
    simple = option.default not in (None, (), False, 0.0) and "(default" not in option.help
    shown = option.default if option.group != "read" or option.name != "sep" else "comma"
    return (option.help + (f" (default: {shown})" if simple else "")).replace("%", "%%")


def checked(given):
    """The options as they were given in Python, each of its kind. Raises TypeError for a name that is none, UsageError
    (a ValueError) for a value that cannot be."""
    values = {}
    for name, value in given.items():
        if name not in BY_NAME:
            close = ", ".join(BY_NAME)
            raise TypeError(f"there is no option {name!r}; there are {close}")
        kind = BY_NAME[name].kind
        if value is not None:
            values[name] = as_kind(name, kind, value)
    return values


def as_kind(name, kind, value):
    """The value as its kind has it. A single text for a list of names is refused: it is probably a mistake."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool | np.bool_)
    fits = {
        int: number and value == value and value % 1 == 0,
        float: number,
        str: isinstance(value, str),
        bool: isinstance(value, bool | np.bool_),
        list: isinstance(value, list | tuple) and all(isinstance(x, str) for x in value),
    }
    if not fits[kind.type] or not kind.allowed(value := kind.type(value)):
        raise UsageError(f"{name} must be {kind.words}, got {value!r}")
    return value
