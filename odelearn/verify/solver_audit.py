"""Is a solver what it says? Anybody's: it is tried on problems with known solutions, and watched.

    print(audit(dopri5()))
    print(audit(my_solver, declared=4))                                     # my_solver(z0, f, ts) -> zs
    print(audit(lambda z0, f, ts, tol=1e-6: solve_ivp(                      # SciPy's
        lambda t, z: f(z, t), ts[[0, -1]], z0, t_eval=ts, rtol=tol, atol=tol).y.T))

solver_problems.py has the problems, solver_trials.py runs them, solver_order.py and solver_conformance.py measure,
solver_diagnosis.py says what it means.
"""

import inspect
from dataclasses import replace

import numpy as np

from ..solvers.odesolve import odesolve
from ..solvers.solver import Solver
from ..solvers.step_size import AdaptiveSteps, FixedSteps
from .gradient_report import table
from .solver_conformance import manner_rows, tableau_rows, variation_rows
from .solver_order import ORDER, Subject, control_rows, dense_rows, is_fixed, opening_rows, order_rows
from .solver_trials import Bench


def audit(solver, declared=None, name=None):
    """Observe the order of a solver, and its manners, on problems with known solutions, in both directions of time.

    solver    what odesolve takes, or any function (z0, f, ts) -> zs; it may call f(z, t) or f(z, t, theta). If it has a
              parameter tol, that is its tolerance; if its result has .zs and can be called, that is dense output
    declared  the order it should have; for a Solver, that of its tableau. Without it, orders are only compared

    Returns an AuditReport: true if passed, a table when printed. Raises TypeError for what is no solver.
    """
    subject, bench = subject_of(solver, declared, name), Bench()
    rows = opening_rows(bench, subject)
    if bench.open:
        rows += order_rows(bench, subject)
        if all(row.verdict != "WRONG" for row in rows):  # the rest of the steps would only show the same mistake again
            rows += dense_rows(bench, subject) + control_rows(bench, subject)
        rows += variation_rows(bench, subject)
    return AuditReport(subject, rows + manner_rows(bench) + tableau_rows(subject.tableau))


def subject_of(solver, declared, name):
    """Which knobs there are to turn. An adaptive Solver shows its order with one step between observations."""
    if hasattr(solver, "control"):  # something that odesolve understands
        tableau = solver.tableau if isinstance(solver, Solver) else None
        solve = steps = by(solver)
        at = None
        if isinstance(solver.control, AdaptiveSteps):
            steps = tableau and by(Solver(tableau, FixedSteps(n=1)))
            free = replace(solver.control, first=None, min_step=0.0, max_step=np.inf)  # no length that is fixed in time
            at = lambda tol: by(replace(solver, control=replace(free, rtol=tol, atol=tol)))
        name = name or (tableau.name if tableau else type(solver).__name__)
        return Subject(name, solve, steps, at, declared or (tableau and tableau.order), tableau)
    if not callable(solver):
        raise TypeError(f"solver must be a Solver or a function (z0, f, ts) -> zs, got {type(solver).__name__}")
    at = None
    if "tol" in inspect.signature(solver).parameters:
        at = lambda tol: lambda z0, f, ts: solver(z0, f, ts, tol=tol)
    steps = solver if is_fixed(solver) else None
    return Subject(name or getattr(solver, "__name__", "a solver"), solver, steps, at, declared, None)


def by(solver):
    return lambda z0, f, ts: odesolve(z0, f, ts, None, solver)


class AuditReport:
    """The outcome of an audit: true if it passed; str() is a table with one line a check.

    name, declared
    rows       check, forwards, backwards, expected, verdict ("ok", "note" or "WRONG"), why
    orders     {name of the problem: (forwards, backwards)}
    diagnosis  what is wrong, in words; "" if passed
    notes      what may be wanted otherwise, in words
    """

    def __init__(self, subject, rows):
        self.name, self.declared, self.rows = subject.name, subject.declared, rows
        self.passed = all(row.verdict != "WRONG" for row in rows)
        self.diagnosis, self.notes = said(rows, "WRONG"), said(rows, "note")
        of_order = [row for row in rows if row.check.startswith(ORDER)]
        self.orders = {row.check.removeprefix(ORDER): (row.forwards, row.backwards) for row in of_order}

    def __bool__(self):
        return self.passed

    def __str__(self):
        cells = [("check", "forwards", "backwards", "expected", "")]
        cells += [(row.check, *map(shown, row[1:4]), row.verdict) for row in self.rows]
        lines = [f"audit of {self.name}: {'passed' if self.passed else 'FAILED'}", table(cells, "<>>><")]
        for title, text in ("notes", self.notes), ("diagnosis", self.diagnosis):
            if text:
                lines += [f"{title}:", *("  " + line for line in text.split("\n"))]
        return "\n".join(lines)

    __repr__ = __str__


def said(rows, verdict):
    """What the rows of this verdict say, each thing once."""
    return "\n".join(dict.fromkeys(row.why for row in rows if row.verdict == verdict))


def shown(value):
    if isinstance(value, str):
        return value
    if np.isnan(value):
        return "-"
    if np.isinf(value):
        return "exact"
    return f"{value:.2f}" if 0.005 <= abs(value) < 1000 else f"{value:.1e}" if value else "0"
