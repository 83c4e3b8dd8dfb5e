"""Does a solver keep to what every solver must do? Apart from its order, see solver_order.py:

    shapes, zs[0] = z0, and y' = 1 solved exactly              check_basics
    time given to f as t, or carried as one more state         check_time
    step sizes that follow the tolerance, and nothing else     check_step_control
    dtypes and shapes of z0                                    check_kinds_of_z0
    f called inside the interval, inputs left as they are      check_side_effects
    the order conditions of a tableau, without any solve       check_tableau

Each returns rows of the audit's table.
"""

import numpy as np

from ..solvers.order_conditions import TOLERANCE, certify
from .solver_diagnosis import (
    Row,
    as_row,
    diagnose_first_row,
    diagnose_shape,
    diagnose_speed,
    diagnose_tableau,
    diagnose_unit_of_time,
)
from .solver_order import FLOOR, SPACING, TOLERANCES, refine_tolerance, study_convergence
from .solver_problems import FORCED, PROBLEMS, SPANS, UNIT_SLOPE, Problem
from .solver_trials import UNEVEN

# ---- the first questions


def check_basics(trials, solver):
    """Shape, first row, and y' = 1. A direction of time in which one of them is wrong is not measured any further."""
    by_direction = zip(SPANS, (UNEVEN, UNEVEN[::-1]), strict=True)
    solved = {direction: trials.run(solver.solve, UNIT_SLOPE, ts) for direction, ts in by_direction}
    shape = lambda trial: str(np.shape(trial.zs))
    first_row = lambda trial: np.abs(trial.zs[0] - trial.exact[0]).max()
    speed = lambda trial: (trial.zs[-1, 0] - trial.zs[0, 0]) / (trial.ts[-1] - trial.ts[0])
    rows = []
    for check, measure, expected, diagnose in (
        ("shape of zs", shape, str(solved["forwards"].exact.shape), diagnose_shape),
        ("zs[0] - z0", first_row, "0", diagnose_first_row),
        ("dz/dt for f = 1", speed, "1", diagnose_speed),
    ):
        values = trials.measure_both(lambda direction, measure=measure: measure(solved[direction]))
        faults = [diagnose(solved[direction]) if direction in trials.directions else "" for direction in SPANS]
        rows.append(as_row(check, values, expected, faults))
        right = [direction for direction, fault in zip(SPANS, faults, strict=True) if not fault]
        trials.directions = [direction for direction in trials.directions if direction in right]
    return rows


def check_time(trials, solver):
    """z' = f(z, t) as it is, and with time as one more state, tau' = 1.

    By every method whose rows of A sum to c the same numbers come out, since every stage finds tau = t + c_i h.
    An adaptive solver makes about the same steps.
    """
    stated = FORCED.with_time_as_state()

    def gap(direction):
        ts = np.linspace(*SPANS[direction], 49)
        unit = abs(ts[-1] - ts[0]) / (48 * SPACING)
        z, z_tau = (trials.run(solver.refined, p.in_unit_of_time(unit), ts / unit).zs for p in (FORCED, stated))
        return np.nan if z is None or z_tau is None else float(np.abs(z_tau[:, :-1] - z).max())

    def ratio(direction):
        given, found = (trials.run(solver.moderate, p, np.array(SPANS[direction])).evals for p in (FORCED, stated))
        return given / max(found, 1)

    text = (
        "some c_i is not the sum of row i of A: f is given the wrong time. Are the nodes c shifted, or is an A_ij off?"
    )
    values = trials.measure_both(gap if solver.refined else ratio)
    faults = [text if value > (1e-8 if solver.refined else 2) else "" for value in values]
    if solver.refined:
        return as_row("time as a state: z moves by", values, "0", faults)
    return as_row("time as a state: evaluations", values, "1", faults)


# ---- step-size control


def check_step_control(trials, solver):
    """For adaptive steps: the error against the tolerance, the unit of time, and the effect of more observations."""
    if solver.refined is solver.solve:
        return []
    rows = [check_tolerance(trials, solver)] if solver.at_tolerance else []
    return [*rows, check_unit_of_time(trials, solver), check_observations(trials, solver)]


def check_tolerance(trials, solver):
    """The largest error / tol on any problem, from loose tolerances to tight ones."""

    def largest(direction):
        studies = [study_convergence(refine_tolerance, trials, solver, p, direction) for p in PROBLEMS]
        return max(trial.error / tol for study in studies for tol, (_, trial) in zip(TOLERANCES, study, strict=False))

    values = trials.measure_both(largest)
    worst = np.nanmax(values)
    fault = f"the error is up to {worst:.2g} times the tolerance: is the error estimate that of this method?"
    return as_row("error / tolerance, at most", values, "< 1000", fault if worst > 1000 else "")


def check_unit_of_time(trials, solver):
    """Evaluations with time in long units over those in units 10^4 times shorter: they must not depend on the unit."""

    def evals(direction, unit):
        ts = np.array([0.3, 30.3] if direction == "forwards" else [30.3, 0.3])
        return trials.run(solver.moderate, FORCED.in_unit_of_time(unit), ts / unit).evals

    values = trials.measure_both(lambda direction: evals(direction, 100.0) / max(evals(direction, 0.01), 1))
    return as_row("evaluations, other unit of time", values, "1", diagnose_unit_of_time(values))


def check_observations(trials, solver):
    """The error at 61 times over the error at the last of them: more observations must not make a solution worse."""

    def error(direction, T):
        ts = np.linspace(*SPANS[direction], T)
        return max(trials.run(solver.moderate, problem, ts).error for problem in PROBLEMS)

    values = trials.measure_both(lambda direction: error(direction, 61) / max(error(direction, 2), FLOOR))
    largest = np.nanmax(values)
    fault = (
        f"observed more often, the error is {largest:.2g} times as large: how are states between steps interpolated?"
    )
    return as_row("error, observed more often", values, "< 20", fault if largest > 20 else "")


# ---- inputs


STARTS = {
    "float32": np.array([1, 2], np.float32),
    "complex64": np.array([1 + 1j, 2], np.complex64),
    "complex128": np.array([1 + 1j, 2]),
    "a matrix": np.array([[1.0, 2.0], [3.0, 4.0]]),
}


def check_kinds_of_z0(trials, solver):
    """y' = y cos t from other kinds of z0. A Solver must take them and keep their dtype.

    Of any other solver it is noted if it does not; a wrong result counts as wrong for all.
    """
    rows = []
    for name, start in STARTS.items():
        problem = Problem(FORCED.name, FORCED.f, lambda t, start=start: np.multiply.outer(np.exp(np.sin(t)), start))
        outcomes = trials.measure_both(lambda d, p=problem, start=start: try_dtype(trials, solver, p, d, start.dtype))
        values, faults = zip(*(o if isinstance(o, tuple) else (o, "") for o in outcomes), strict=True)
        verdict = "WRONG" if solver.tableau or "inaccurate" in values else "note"
        faults = [fault and f"{name}: {fault}" for fault in faults]
        rows.append(as_row(f"z0 is {name}", values, str(start.dtype), faults, verdict))
    return rows


def try_dtype(trials, solver, problem, direction, dtype):
    """(what becomes of this dtype, what is wrong with that)."""
    ts = np.linspace(*SPANS[direction], 33)
    usual_error = trials.run(solver.moderate, FORCED, ts).error
    trial = trials.run(solver.moderate, problem, ts, dtype)
    if trial.raised:
        return "raises", f"the solver raises {trial.raised}"
    result = str(trial.zs.dtype)
    if not trial.error <= 100 * usual_error + 1000 * np.finfo(dtype).eps:
        return "inaccurate", f"zs of shape {trial.zs.shape} and {result} has a relative error of {trial.error:.2g}"
    return result, "" if result == dtype else f"becomes {result}, as it does when h is a NumPy float64 and not a float"


def check_side_effects(trials):
    """What was recorded in all trials together: calls of f outside the interval, and changes of the inputs."""
    outside, changed = ([recorded[d] for d in SPANS] for recorded in (trials.outside, trials.changed))
    beyond = f"f is called outside [ts[0], ts[-1]], by {max(outside):.2g} of its length, where it may not exist"
    written = "the solver writes into its argument {}: z = z + ... makes a new array, z += ... does not"
    return [
        as_row("f called outside, by", outside, "0", [beyond if value else "" for value in outside]),
        as_row("inputs changed", [n or "none" for n in changed], "none", [n and written.format(n) for n in changed]),
    ]


# ---- the tableau


def check_tableau(tableau):
    """All that the tableau claims, and how far it is from true. No row without a tableau."""
    if tableau is None:
        return []
    fault = diagnose_tableau(tableau)
    judge = lambda wrong: ("WRONG", fault) if wrong else ("ok", "")
    rows = [Row(claim, residual, "", "0", *judge(residual > TOLERANCE)) for claim, residual in certify(tableau).items()]
    if tableau.b_err is not None:
        least = tableau.order / 2
        of_b_hat = tableau.embedded_order
        rows.append(Row("b - b_err is of order", f"{of_b_hat}", "", f"> {least:.3g}", *judge(of_b_hat < least)))
    return rows
