"""What an audit sees besides errors: dtypes and shapes kept, inputs untouched, f asked only inside the interval.

And of a tableau, what takes no solve at all: the certificate of its order conditions.
"""

import numpy as np

from ..solvers.order_conditions import TOLERANCE, certify
from .solver_diagnosis import tableau_fault
from .solver_order import Row, row
from .solver_problems import FORCED, SPANS, Problem

STARTS = {
    "float32": np.array([1, 2], np.float32),
    "complex64": np.array([1 + 1j, 2], np.complex64),
    "complex128": np.array([1 + 1j, 2]),
    "a matrix": np.array([[1.0, 2.0], [3.0, 4.0]]),
}


def variation_rows(bench, subject):
    """y' = y cos t from other kinds of z0. A Solver must take them and keep their dtype; of a stranger it is noted."""
    rows = []
    for name, start in STARTS.items():
        problem = Problem(FORCED.name, FORCED.f, lambda t, start=start: np.multiply.outer(np.exp(np.sin(t)), start))
        outcomes = bench.both(lambda d, p=problem, start=start: outcome(bench, subject, p, d, start.dtype))
        values, faults = zip(*(o if isinstance(o, tuple) else (o, "") for o in outcomes), strict=True)
        verdict = "WRONG" if subject.tableau or "inaccurate" in values else "note"
        faults = [fault and f"{name}: {fault}" for fault in faults]
        rows.append(row(f"z0 is {name}", values, str(start.dtype), faults, verdict))
    return rows


def outcome(bench, subject, problem, d, dtype):
    """(what becomes of this dtype, what is wrong with that)."""
    ts = np.linspace(*SPANS[d], 33)
    usual = bench.run(subject.typical, FORCED, ts).error
    trial = bench.run(subject.typical, problem, ts, dtype)
    if trial.raised:
        return "raises", f"the solver raises {trial.raised}"
    kind = str(trial.zs.dtype)
    if not trial.error <= 100 * usual + 1000 * np.finfo(dtype).eps:
        return "inaccurate", f"zs of shape {trial.zs.shape} and {kind} has a relative error of {trial.error:.2g}"
    return kind, "" if kind == dtype else f"becomes {kind}, as it does when h is a NumPy float64 and not a float"


def manner_rows(bench):
    """What the bench has noted in all trials together."""
    outside, changed = ([noted[d] for d in SPANS] for noted in (bench.outside, bench.changed))
    beyond = f"f is called outside [ts[0], ts[-1]], by {max(outside):.2g} of its length, where it may not exist"
    written = "the solver writes into its argument {}: z = z + ... makes a new array, z += ... does not"
    return [
        row("f called outside, by", outside, "0", [beyond if value else "" for value in outside]),
        row("inputs changed", [n or "none" for n in changed], "none", [n and written.format(n) for n in changed]),
    ]


def tableau_rows(tableau):
    """All that the tableau claims, and how far it is from true."""
    if tableau is None:
        return []
    fault = tableau_fault(tableau)
    judged = lambda wrong: ("WRONG", fault) if wrong else ("ok", "")
    rows = [
        Row(claim, residual, "", "0", *judged(residual > TOLERANCE)) for claim, residual in certify(tableau).items()
    ]
    if tableau.b_err is not None:
        least = tableau.order / 2
        of_b_hat = tableau.embedded_order
        rows.append(Row("b - b_err is of order", f"{of_b_hat}", "", f"> {least:.3g}", *judged(of_b_hat < least)))
    return rows
