"""What is written on the command line, as objects: solvers, gradient methods, and the error for what cannot be one."""

from ..gradients.backsolve import Backsolve
from ..gradients.discrete import Discrete
from ..solvers.solver import bosh3, dop853, dopri5, euler, heun, midpoint, ralston, rk4, rk38, tsit5

FIXED = {"euler": euler, "midpoint": midpoint, "heun": heun, "ralston": ralston, "rk4": rk4, "rk38": rk38}
ADAPTIVE = {"bosh3": bosh3, "dopri5": dopri5, "tsit5": tsit5, "dop853": dop853}
METHODS = {"backsolve": Backsolve(), "discrete": Discrete()}


class UsageError(ValueError):
    """What was asked for cannot be done: one line that says why, and what to do."""


class ModelFileError(RuntimeError):
    """The function in a model's own file fails: one line with file, line and error."""


class WorseThanMean(RuntimeError):
    """A training is over, and the mean of the data is a better model: one line with R^2, and what to do."""


class SavedElsewhere(RuntimeError):
    """A training is over, and its model could not be written where it should be: one line that says why, and where it
    is."""


def one_line(error):
    """An exception as one line: its kind, unless it is one of ours, and its message."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def steps_of(solver, intervals, span):
    """How many steps a solver takes in so many intervals of time, which together have the length `span`: a number that
    may be infinite. Of an adaptive solver it is the least that is possible, one an interval."""
    n, h = getattr(solver.control, "n", None), getattr(solver.control, "h", None)
    return n * intervals if n else max(intervals, span / h) if h else intervals


def solver_from(text):
    """A Solver from "name" or "name:setting=value,...":  rk4  rk4:n=4  euler:h=0.05  dopri5:rtol=1e-8,atol=1e-10.

    A method with fixed steps takes n = 2 of them between neighbouring observations if nothing else is said. Raises
    UsageError for an unknown name, setting or value.
    """
    name, _, settings = text.partition(":")
    if name in FIXED:
        make, form, kinds, default = FIXED[name], "n=STEPS or h=LENGTH", {"n": int, "h": float}, {"n": 2}
    elif name in ADAPTIVE:
        make, form, kinds, default = ADAPTIVE[name], "rtol=R,atol=A", {"rtol": float, "atol": float}, {}
    else:
        raise UsageError(f"--solver {text}: no solver {name!r}; there are {', '.join(FIXED | ADAPTIVE)}")
    try:
        pairs = [setting.partition("=") for setting in settings.split(",") if setting]
        values = {key: kinds[key](value) for key, _, value in pairs}
    except (KeyError, ValueError):
        raise UsageError(f"--solver {text}: {name} takes {form}") from None
    try:
        return make(**(values or default))
    except ValueError as error:
        raise UsageError(f"--solver {text}: {error}") from None
