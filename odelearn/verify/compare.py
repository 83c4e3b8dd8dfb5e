"""Every gradient method on one problem, side by side: its error, and what it costs."""

import textwrap
import time
import warnings
from collections import namedtuple
from dataclasses import fields, is_dataclass

import numpy as np

from ..autodiff.tape import value_and_grad
from ..dynamics import counted
from ..gradients.backsolve import Backsolve
from ..gradients.base import Gradients
from ..gradients.checkpointed import Checkpointed
from ..gradients.discrete import Discrete
from ..gradients.drift import DriftWarning
from ..gradients.forward import Forward
from ..gradients.interpolating import Interpolating
from ..gradients.reversible import Reversible
from ..solvers.dense_output import is_dense
from ..solvers.errors import MethodError, SolverError
from ..solvers.problem import initial_value_problem
from ..solvers.solver import Solver, dop853
from .gradient_report import table

METHODS = (Backsolve(), Interpolating(), Discrete(), Checkpointed(), Forward(), Reversible())
REFERENCE = dop853(rtol=1e-12, atol=1e-14)

Row = namedtuple(
    "Row",
    "method error evals_forward evals_backward pullbacks bytes seconds drift traced_bytes peak_bytes note",
    defaults=[np.nan] * 9 + [""],
)


def compare_gradients(z0, f, ts, theta, loss, solver, methods=METHODS, exact=None):
    """The gradient g of  L = loss(zs),  zs = ODESolve(z0, f, ts, theta),  by every method, and the error of each:

        error = max |g - exact| / max |exact|,   over all components of dL/dz0, dL/dts and dL/dtheta

    Arguments:
        z0        any shape; leading axes are a batch
        f         f(z, t, theta) -> dz/dt of the shape of z: a function, a Dynamics or a network
        ts        (T,) strictly increasing or strictly decreasing
        theta     (P,), or None for no parameters
        loss      an ordinary function of zs (T, *z0.shape) that returns one number; the tape supplies dL/dzs
        solver    a Solver, for the forward pass of every method
        methods   Backsolve(), Discrete() and the like; by default one of each of the six
        exact     the true gradient, as Gradients or as a tuple of z0, ts and theta; by default that of Discrete by
                  DOP853 at rtol = 1e-12, atol = 1e-14, in double precision: that of the exact flow to about 1e-11

    Returns a Comparison: .rows has a Row for each method, and it prints as a table.
    Raises ValueError or TypeError for a bad problem, ValueError if `exact` is not shaped like it, SolverError if the
    reference fails. A method that fails with a SolverError, or cannot work with the solver, has a row that says so. A
    DriftWarning is not issued, it is the note of its row.

    >>> from odelearn import Discrete, dopri5
    >>> table = compare_gradients(
    ...     [1.0], lambda z, t, theta: theta * z, [0.0, 1.0], [-1.0], lambda zs: zs[-1, 0], dopri5(), [Discrete()]
    ... )
    >>> table.rows[0].method, table.rows[0].error < 1e-5
    ('Discrete', True)
    """
    z0, f, ts, theta = initial_value_problem(z0, f, ts, theta)
    dloss = lambda zs: value_and_grad(loss)(zs)[1]
    solve = lambda method, f: method.vjp(z0, f, ts, theta, solver)
    g = reference_gradient(z0, f, ts, theta, dloss) if exact is None else as_gradients(exact, z0, ts, theta)
    return Comparison([measure_method(method, solve, f, dloss, flatten(g)) for method in methods], describe(solver))


def reference_gradient(z0, f, ts, theta, dloss):
    """Discrete's gradient at a tight tolerance, by Checkpointed, which needs less memory for the same bits."""
    try:
        zs, pullback = Checkpointed().vjp(z0.astype(np.result_type(z0, float)), f, ts, theta, REFERENCE)
    except SolverError as error:
        error.add_note(
            "This was the solve for the reference, at rtol = 1e-12; pass exact=(a_z0, a_ts, a_theta) instead"
        )
        raise
    return pullback(dloss(zs))


def as_gradients(exact, z0, ts, theta):
    """exact as Gradients. Raises ValueError where it is not shaped like z0, ts and theta."""
    g = exact if isinstance(exact, Gradients) else Gradients(*exact, stats=None)
    for name, x in {"z0": z0, "ts": ts, "theta": np.empty(0) if theta is None else theta}.items():
        if np.shape(getattr(g, name)) != x.shape:
            raise ValueError(f"exact.{name} must have the shape {x.shape}, got {np.shape(getattr(g, name))}")
    return g


def flatten(g):
    """A gradient as one vector."""
    return np.concatenate([np.ravel(g.z0), g.ts, g.theta])


# ---- one method, in runs of their own for work, time and memory: to count slows down, and so does tracemalloc


def measure_method(method, solve, f, dloss, reference):
    """The Row of a method. solve(method, f) -> zs, pullback."""
    row = measure_work(method, solve, f, dloss, reference)
    if np.isnan(row.error):
        return row
    with warnings.catch_warnings(action="ignore", category=DriftWarning):
        seconds = min(measure_seconds(method, solve, f, dloss) for _ in range(3))
        traced, peak = measure_memory(method, solve, f, dloss)
    return row._replace(seconds=seconds, traced_bytes=traced, peak_bytes=peak)


def measure_work(method, solve, f, dloss, reference):
    """The Row without seconds and what tracemalloc sees: the error, how often f was evaluated, and what went wrong."""
    f = counted(f)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", DriftWarning)
            zs, pullback = solve(method, f)
            evals_forward = f.evals
            g = pullback(dloss(zs))
    except (SolverError, MethodError) as error:
        return Row(describe(method), note=str(error))
    gap = np.abs(flatten(g) - reference).max() / (np.abs(reference).max() or 1)
    work = evals_forward, f.evals - evals_forward, f.pullbacks
    drift, note = np.nan if g.drift is None else g.drift, "; ".join(str(warning.message) for warning in caught)
    return Row(describe(method), float(gap), *work, g.stats.bytes, drift=drift, note=note)


def measure_seconds(method, solve, f, dloss):
    """Seconds for both passes."""
    start = time.perf_counter()
    zs, pullback = solve(method, f)
    pullback(dloss(zs))
    return time.perf_counter() - start


def measure_memory(method, solve, f, dloss):
    """Bytes that are still allocated when the forward pass is over, and the most at any time of the backward pass.

    Both as Python's tracemalloc sees them, above what was allocated before.
    """
    import tracemalloc  # here, because it takes its time

    already = tracemalloc.is_tracing()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        zs, pullback = solve(method, f)
        held, _ = tracemalloc.get_traced_memory()
        a_zs = dloss(zs)
        tracemalloc.reset_peak()
        pullback(a_zs)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        if not already:
            tracemalloc.stop()
    return held - before, peak - before


# ---- the table

# fmt: off
COLUMNS = [  # of a Row: heading, format, and what it says
    ("method",         "method",     "{}",     "how the gradient was computed"),
    ("error",          "error",      "{:.1e}", "max |g - reference| / max |reference|, over z0, ts and theta"),
    ("evals_forward",  "f forward",  "{:,}",   "evaluations of f in the forward pass"),
    ("evals_backward", "f backward", "{:,}",   "evaluations of f in the backward pass"),
    ("pullbacks",      "pullbacks",  "{:,}",   "vector-Jacobian products of f, in both passes"),
    ("bytes",          "bytes",      "{:,}",   "of the arrays that are held between the passes"),
    ("traced_bytes",   "traced",     "{:,}",   "the same as tracemalloc sees it, Python's objects and all"),
    ("peak_bytes",     "peak",       "{:,}",   "the most at any time of the backward pass, as tracemalloc sees it"),
    ("seconds",        "seconds",    "{:.2g}", "for both passes, the best of three"),
    ("drift",          "drift",      "{:.1e}", "max |z(t_i) rebuilt - zs[i]|, where z is rebuilt"),
]
# fmt: on


class Comparison:
    """The result of compare_gradients; str() is a table, and a notebook shows it as one.

    solver   the forward solver, as text
    rows     a Row for each method, in the order of the methods:
        method           the method, as text
        error            max |g - exact| / max |exact|, over all components of dL/dz0, dL/dts and dL/dtheta
        evals_forward    evaluations of f in the forward pass
        evals_backward   evaluations of f in the backward pass
        pullbacks        vector-Jacobian products of f, in both passes
        bytes            of the arrays that are held between the passes
        traced_bytes     the same as tracemalloc sees it, with Python's own objects
        peak_bytes       the most at any time of the backward pass, what is held included, as tracemalloc sees it
        seconds          for both passes, the best of three
        drift            max |z(t_i) rebuilt - zs[i]|; nan if the method does not rebuild z
        note             what went wrong: a failure (then all numbers are nan), or the text of a DriftWarning; else ""
    """

    def __init__(self, rows, solver):
        self.rows, self.solver = rows, solver
        self.cells = [[cell(getattr(row, name), name, form) for name, _, form, _ in COLUMNS] for row in rows]
        self.notes = [f"{row.method}: {row.note}" for row in rows if row.note]

    def __str__(self):
        headings = [heading for _, heading, _, _ in COLUMNS]
        notes = [textwrap.fill(note, 118, subsequent_indent="  ") for note in self.notes]
        return "\n".join([self.solver, table([headings, *self.cells]), *notes])

    __repr__ = __str__

    def _repr_html_(self):
        from html import escape  # here, because few need it

        lines = ["".join(f'<th title="{escape(text)}">{heading}</th>' for _, heading, _, text in COLUMNS)]
        lines += ["".join(f"<td>{escape(c)}</td>" for c in cells) for cells in self.cells]
        body = "".join(f"<tr>{line}</tr>" for line in lines)
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return f"<table><caption>{escape(self.solver)}</caption>{body}</table>{notes}"


def cell(value, name, form):
    if value != value:  # nan: there is no such number
        return "failed" if name == "error" else ""
    return form.format(value)


def describe(x):
    """A solver or a method by its name and what sets it apart: RK4(n=10), DOPRI5(rtol=1e-06, atol=1e-09), Discrete."""
    dense = ["dense=True"] if is_dense(x) else []
    name, x = (x.tableau.name, x.control) if isinstance(x, Solver) else (type(x).__name__, x)
    settings = []
    for field in fields(x):
        value = getattr(x, field.name)
        if value is not field.default or field.name in ("rtol", "atol"):
            settings.append(f"{field.name}={describe(value) if is_dataclass(value) else value}")
    settings += dense
    return f"{name}({', '.join(settings)})" if settings else name
