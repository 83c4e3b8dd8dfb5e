"""The observed order of a solver, on problems with known solutions.

How can the order of a solver be observed if it does not say how long its steps are? A problem is given with N + 1
observations. They are always the same length of time apart, and the problem is written in a unit of time in which it
runs the slower the larger N is: dz/ds = unit f(z, unit s). Whether the solver makes one step between observations, or n
of them, or steps of length h, it makes the same number every time, and in the problem's own time they are as long as
1 / N. An adaptive solver chooses its steps by a tolerance: there the tolerance is refined, and h is measured by the
reciprocal of the evaluations of f.
"""

import numpy as np

from .order import loglog_slope
from .solver_diagnosis import as_row, diagnose_orders
from .solver_problems import FORCED_SYSTEM, LINEAR, PROBLEMS, SPANS

MESHES = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384)
SPACING = 0.1  # between observations, in the solver's unit of time
TOLERANCES = tuple(10.0**-n for n in range(3, 12))
MANY_EVALS = 1000  # the first trial that takes more evaluations of f is the last of its study
FLOOR = 1000 * np.finfo(float).eps  # smaller relative errors are round-off
ORDER = "order on "


def refine_mesh(trials, solver, problem, t0, t1):
    """(h, trial) on ever finer observation times, in a unit of time in which they stay as far apart as they were."""
    for N in MESHES:
        unit = abs(t1 - t0) / (N * SPACING)
        yield 1 / N, trials.run(solver.refined, problem.in_unit_of_time(unit), np.linspace(t0, t1, N + 1) / unit)


def refine_tolerance(trials, solver, problem, t0, t1):
    """(h, trial) at ever tighter tolerances, where h is the reciprocal of the evaluations that were needed."""
    for tol in TOLERANCES:
        trial = trials.run(solver.at_tolerance(tol), problem, np.array([t0, t1]))
        yield 1 / max(trial.evals, 1), trial


def study_convergence(refine, trials, solver, problem, direction):
    """[(h, trial), ...] until the error is round-off or the trials take long. It is run once in an audit."""
    key = refine, problem, direction
    if key not in trials.studies:
        trials.studies[key] = study = []
        for h, trial in refine(trials, solver, problem, *SPANS[direction]):
            study.append((h, trial))
            if trial.error < FLOOR or trial.evals > MANY_EVALS:
                break
    return trials.studies[key]


def estimate_order(study, last, error_of=lambda trial: trial.error):
    """The p of error = C h^p, from the `last` few trials above round-off; inf: all is round-off, 0: all is wrong."""
    points = [(h, error_of(trial)) for h, trial in study]
    clear = [(h, error) for h, error in points if FLOOR < error < 1][-last:]
    if len(clear) < 2:
        return np.inf if points[-1][1] <= FLOOR else 0.0
    return loglog_slope(*np.transpose(clear))


def measure_orders(trials, solver):
    """A row for each problem: the order observed on it."""
    if not (solver.refined or solver.at_tolerance):
        unknown = "the order is not measured: give the solver a parameter tol"
        return [as_row("order", ["", ""], "", unknown, "note")]
    refine, last = (refine_mesh, 3) if solver.refined else (refine_tolerance, 5)
    measure = lambda problem: trials.measure_both(
        lambda direction: estimate_order(study_convergence(refine, trials, solver, problem, direction), last)
    )
    orders = {problem: measure(problem) for problem in PROBLEMS}
    linear = np.nanmin(orders[LINEAR])
    if solver.refined:
        least = (solver.declared or round(linear)) - 0.5
    else:  # evaluations are a rough measure of 1 / h, and some solvers change their order as they go
        least = solver.declared * 7 / 8 if solver.declared else linear / 2
    fault = diagnose_orders(orders, solver.declared, least)
    low = {problem: np.nanmin(orders[problem]) < least for problem in PROBLEMS}
    return [as_row(ORDER + p.name, orders[p], f"> {least:.2f}", fault if low[p] else "") for p in PROBLEMS]


def measure_dense_order(trials, solver):
    """Between observations an interpolant of order q is off by O(h^(q + 1)), and the solution by O(h^p)."""
    if not solver.refined:
        return []
    studies = {d: study_convergence(refine_mesh, trials, solver, FORCED_SYSTEM, d) for d in trials.directions}
    if not any(trial.trajectory for study in studies.values() for _, trial in study):
        return []
    p = solver.declared or round(min(estimate_order(study, 3) for study in studies.values()))
    q = solver.tableau.dense.order if solver.tableau else p - 1
    values = trials.measure_both(lambda d: estimate_order(studies[d], 3, lambda trial: trial.dense_error))
    lowest, least = np.nanmin(values), min(p, q + 1) - 0.5
    fault = f"dense output is of order {lowest:.1f}, not {min(p, q + 1)}" if lowest < least else ""
    return [as_row("order of dense output", values, f"> {least:.2f}", fault)]
