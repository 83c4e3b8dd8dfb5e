"""Is a solver what it claims to be? Any solver: it is run on problems with known solutions, and its calls are recorded.

solver_problems.py has the problems, solver_trials.py runs them, solver_order.py and solver_conformance.py measure,
solver_diagnosis.py turns what was measured into words.
"""

import numpy as np

from .gradient_report import table
from .solver_conformance import (
    check_basics,
    check_kinds_of_z0,
    check_side_effects,
    check_step_control,
    check_tableau,
    check_time,
)
from .solver_order import ORDER, measure_dense_order, measure_orders
from .solver_trials import Trials, describe_solver


def audit(solver, declared=None, name=None):
    """Measure the order of a solver, and check what every solver must do, on problems with known solutions.

    The order is the p of  error = C h^p,  observed on four problems (linear, forced by t, a system, a system forced by
    t), forwards and backwards in time. Checked as well: shapes, zs[0] = z0, the times at which f is evaluated, dense
    output, error against tolerance, dtypes of z0, inputs left unchanged; of a Solver also the order conditions of its
    tableau.

    Arguments:
        solver     a Solver; or any function (z0, f, ts) -> zs (T, *z0.shape), which may call f(z, t) or f(z, t, theta).
                   If it has a parameter tol, that is its tolerance; if its result has .zs and can be called with an
                   array of times, that is its dense output
        declared   the order it should have; by default that of a Solver's tableau. Without it, the orders on the four
                   problems are only compared with each other
        name       for the report; by default that of the tableau or of the function

    Returns an AuditReport: true if passed, a table when printed.
    Raises TypeError if `solver` is neither a Solver nor callable. What the solver raises is reported, not raised.
    Source: Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I, sections II.2 (order conditions) and
    II.4 (step-size control).

    >>> from odelearn import rk4
    >>> bool(audit(rk4(n=1)))
    True
    >>> def euler(z0, f, ts):
    ...     zs = [z0]
    ...     for t, t_next in zip(ts[:-1], ts[1:]):
    ...         zs.append(zs[-1] + (t_next - t) * f(zs[-1], t))
    ...     return np.array(zs)
    >>> audit(euler, declared=2).diagnosis.split(":")[0]
    "declared 2, observed 1.0 on y' = -y already"

    SciPy's solvers:  audit(lambda z0, f, ts, tol=1e-6: solve_ivp(
        lambda t, z: f(z, t), ts[[0, -1]], z0, t_eval=ts, rtol=tol, atol=tol).y.T)
    """
    audited, trials = describe_solver(solver, declared, name), Trials()
    rows = check_basics(trials, audited)
    if trials.directions:
        rows += [*measure_orders(trials, audited), check_time(trials, audited)]
        if all(row.verdict != "WRONG" for row in rows):  # the rest of the steps would only show the same mistake again
            rows += measure_dense_order(trials, audited) + check_step_control(trials, audited)
        rows += check_kinds_of_z0(trials, audited)
    return AuditReport(audited, rows + check_side_effects(trials) + check_tableau(audited.tableau))


class AuditReport:
    """The outcome of `audit`: true if the solver passed; str() is a table with one line a check.

    name        of the solver
    declared    the order it should have, or None
    passed      whether no row is wrong
    rows        a tuple for each check: check, forwards, backwards (what was measured in each direction of time),
                expected, verdict ("ok", "note" or "WRONG"), why
    orders      {name of the problem: (order forwards, order backwards)}; inf: exact, nan: not measured
    diagnosis   what is wrong, in words; "" if passed
    notes       what works, but may be wanted otherwise, in words
    """

    def __init__(self, audited, rows):
        self.name, self.declared, self.rows = audited.name, audited.declared, rows
        self.passed = all(row.verdict != "WRONG" for row in rows)
        self.diagnosis, self.notes = collect_texts(rows, "WRONG"), collect_texts(rows, "note")
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


def collect_texts(rows, verdict):
    """The texts of the rows of this verdict, each once."""
    return "\n".join(dict.fromkeys(row.why for row in rows if row.verdict == verdict))


def shown(value):
    if isinstance(value, str):
        return value
    if np.isnan(value):
        return "-"
    if np.isinf(value):
        return "exact"
    return f"{value:.2f}" if 0.005 <= abs(value) < 1000 else f"{value:.1e}" if value else "0"
