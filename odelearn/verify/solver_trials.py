"""Trial solves: an f that records how it is called, what came out, and all trials of one audit together."""

import inspect
import warnings
from collections import namedtuple
from dataclasses import replace

import numpy as np

from ..solvers.dense_output import is_dense
from ..solvers.odesolve import odesolve
from ..solvers.solver import Solver
from ..solvers.step_size import AdaptiveSteps, FixedSteps
from .solver_problems import OSCILLATION, SPANS, UNIT_SLOPE

MAX_EVALS = 30_000  # then a solve is given up: a loop that waits for t >= t1 never ends backwards
UNEVEN = np.array([0.3, 0.8, 1.0, 1.9, 2.3])  # times that are not equally spaced

# ---- the solver under audit


class AuditedSolver(namedtuple("AuditedSolver", "name solve refined at_tolerance declared tableau")):
    """A solver, and the ways there are to make it more accurate.

    solve(z0, f, ts)      as it is
    refined(z0, f, ts)    by steps that get shorter as ts gets closer; None if its steps do not follow ts
    at_tolerance(tol)     as it is, but to this tolerance; None if it has none
    declared              the order it should have, or None
    tableau               that of a Solver, or None
    """

    __slots__ = ()

    @property
    def moderate(self):
        """The solver at a tolerance that takes a moderate number of steps."""
        return self.at_tolerance(1e-5) if self.at_tolerance else self.solve


def describe_solver(solver, declared, name):
    """The AuditedSolver of what `audit` was given. Raises TypeError for what is no solver.

    An adaptive Solver shows its order with one step between observations. FixedSteps(n) of a dense Solver are n in all;
    to show its order it makes n for each interval between observations.
    """
    if hasattr(solver, "control"):  # something that odesolve understands
        tableau = solver.tableau if isinstance(solver, Solver) else None
        solve = refined = solve_by(solver)
        at_tolerance = None
        if isinstance(solver.control, AdaptiveSteps):
            refined = tableau and solve_by(Solver(tableau, FixedSteps(n=1)))
            free = replace(solver.control, first=None, min_step=0.0, max_step=np.inf)  # no length that is fixed in time
            at_tolerance = lambda tol: solve_by(replace(solver, control=replace(free, rtol=tol, atol=tol)))
        elif is_dense(solver) and solver.control.n is not None:
            more = lambda ts: replace(solver, control=FixedSteps(n=solver.control.n * (len(ts) - 1)))
            refined = lambda z0, f, ts: solve_by(more(ts))(z0, f, ts)
        name = name or (tableau.name if tableau else type(solver).__name__)
        return AuditedSolver(name, solve, refined, at_tolerance, declared or (tableau and tableau.order), tableau)
    if not callable(solver):
        raise TypeError(f"solver must be a Solver or a function (z0, f, ts) -> zs, got {type(solver).__name__}")
    at_tolerance = None
    if "tol" in inspect.signature(solver).parameters:
        at_tolerance = lambda tol: lambda z0, f, ts: solver(z0, f, ts, tol=tol)
    refined = solver if has_fixed_steps(solver) else None
    return AuditedSolver(name or getattr(solver, "__name__", "a solver"), solver, refined, at_tolerance, declared, None)


def solve_by(solver):
    """The function (z0, f, ts) -> Trajectory of a Solver."""
    return lambda z0, f, ts: odesolve(z0, f, ts, None, solver)


def has_fixed_steps(solve):
    """Whether f is evaluated at the same times whatever f is: then the steps do not adapt."""
    times = [set(Trials().run(solve, problem, UNEVEN).times) for problem in (UNIT_SLOPE, OSCILLATION)]
    return times[0] == times[1]


# ---- one trial


class RecordedField:
    """f as a solver sees it, called as f(z, t) or f(z, t, theta). Records the time of every call."""

    def __init__(self, f, max_evals):
        self.f, self.max_evals, self.times = f, max_evals, []

    def __call__(self, z, t, theta=None):
        if np.ndim(t) > 0:
            raise TypeError(
                f"f was called with a time of shape {np.shape(t)}; its arguments are f(z, t), in this order"
            )
        if len(self.times) == self.max_evals:
            raise RuntimeError(f"given up after {self.max_evals} evaluations of f, at t = {float(t):.6g}")
        self.times.append(float(t))
        z = np.asarray(z)
        return self.f(z, float(t)).astype(z.dtype, copy=False)


class Trial(namedtuple("Trial", "problem ts zs times trajectory raised")):
    """One solve. zs is None where the solver raised an error; trajectory is what it returned, if that can be called."""

    __slots__ = ()

    @property
    def evals(self):
        return len(self.times)

    @property
    def exact(self):
        return self.problem.exact(self.ts)

    @property
    def error(self):
        """max |z - exact| / max |exact| over all observations; inf where there is nothing to compare."""
        return self.distance(self.zs, self.ts)

    @property
    def dense_error(self):
        """The error at 0.3 and 0.7 of the way between observations."""
        t = np.concatenate([self.ts[:-1] + x * np.diff(self.ts) for x in (0.3, 0.7)])
        return self.distance(None if self.zs is None else self.trajectory(t), t)

    def distance(self, zs, t):
        exact = self.problem.exact(t)
        if np.shape(zs) != exact.shape or not np.isfinite(zs).all():
            return np.inf
        return float(np.abs(zs - exact).max() / np.abs(exact).max())


# ---- all trials of an audit


class Trials:
    """Runs trials, and keeps what no error shows: how far outside f was called, which inputs were written to.

    directions   the directions of time that are still worth measuring
    studies      the convergence studies that have been run already
    outside      by direction: how far outside [ts[0], ts[-1]] f was called, relative to the length of the interval
    changed      by direction: the name of an input that was written to, or ""
    """

    def __init__(self, max_evals=MAX_EVALS):
        self.max_evals = max_evals
        self.directions = list(SPANS)
        self.studies = {}
        self.outside = dict.fromkeys(SPANS, 0.0)
        self.changed = dict.fromkeys(SPANS, "")

    def run(self, solve, problem, ts, dtype=float):
        """The Trial of solve(z0, f, ts) on a problem, from its exact z(ts[0])."""
        z0 = problem.exact(ts[0]).astype(dtype)
        given_z0, given_ts, f = z0.copy(), ts.copy(), RecordedField(problem.f, self.max_evals)
        result = zs = raised = None
        with (
            np.errstate(all="ignore"),
            warnings.catch_warnings(action="ignore"),
        ):  # a long step may leave the domain of f
            warnings.simplefilter("error", np.exceptions.ComplexWarning)  # a lost imaginary part is a mistake
            try:
                result = solve(given_z0, f, given_ts)
                zs = as_states(getattr(result, "zs", result))
            except Exception as error:  # a solver that is not ours may raise anything
                raised = f"{type(error).__name__}: {error}"
        self.record(f.times, ts, {"z0": (z0, given_z0), "ts": (ts, given_ts)})
        return Trial(problem, ts, zs, f.times, result if callable(result) else None, raised)

    def measure_both(self, measure):
        """[measure(direction) for both directions of time], nan for one that is no longer measured."""
        return [measure(direction) if direction in self.directions else np.nan for direction in SPANS]

    def record(self, times, ts, inputs):
        direction = "forwards" if ts[-1] > ts[0] else "backwards"
        low, high = sorted((ts[0], ts[-1]))
        beyond = max([low - min(times), max(times) - high]) / (high - low) if times else 0.0
        if beyond > 1e-12:  # t0 + n h may miss t1 by round-off
            self.outside[direction] = max(self.outside[direction], beyond)
        for name, (before, after) in inputs.items():
            if not np.array_equal(before, after):
                self.changed[direction] = name


def as_states(zs):
    zs = np.asarray(zs)
    if zs.dtype.kind not in "fc":
        raise TypeError(f"the solver must return an array of floats, got {zs.dtype}")
    return zs
