"""From what a solver does wrong to what is wrong with it, in words; and the rows of the table that show it.

Each `diagnose_...` looks at one kind of evidence, and returns "" if nothing is wrong.
"""

from collections import namedtuple
from dataclasses import replace

import numpy as np

from ..solvers.order_conditions import TOLERANCE, certified_order, interpolant_conditions, largest
from .solver_problems import LINEAR, SYSTEM

Row = namedtuple("Row", "check forwards backwards expected verdict why")


def as_row(check, values, expected, faults, verdict="WRONG"):
    """A Row of what was seen forwards and backwards in time, and of what is wrong: a text for both, or one for each."""
    forwards, backwards = [faults, faults] if isinstance(faults, str) else faults
    if not (forwards or backwards):
        return Row(check, *values, expected, "ok", "")
    why = forwards if forwards and backwards else f"forwards: {forwards}" if forwards else f"backwards: {backwards}"
    return Row(check, *values, expected, verdict, why)


# ---- one solve of y' = 1, whose solution is the time that has passed


def diagnose_shape(trial):
    """zs is (T, *z0.shape)."""
    if trial.raised:
        return f"the solver raises {trial.raised}"
    shape, expected = trial.zs.shape, trial.exact.shape
    if shape == expected:
        return ""
    fault = f"zs has shape {shape} instead of (T, *z0.shape) = {expected}"
    if shape == expected[::-1]:
        return f"{fault}: it is transposed"
    if shape == expected[1:]:
        return f"{fault}: the last state only, where every observation wants its own"
    if shape[:1] == (expected[0] - 1,):
        return f"{fault}: a row is missing, perhaps the first: zs[0] is z0 itself"
    return fault


def diagnose_first_row(trial):
    """zs[0] = z0."""
    zs, exact = trial.zs, trial.exact
    if np.abs(zs[0] - exact[0]).max() <= 1e-9:
        return ""
    if np.all(zs == zs[0]):
        return "all rows of zs are the same: z += ... changes an array that was stored before; use z = z + ..."
    if np.abs(zs[:-1] - exact[1:]).max() <= 1e-9:
        return "zs[i] is the state at ts[i + 1], one step off: zs[0] is z0, before any step"
    return f"zs[0] = {zs[0]} is not z0 = {exact[0]}"


def diagnose_speed(trial):
    """y' = 1 moves z from one observation to the next by the time between them: to round-off, whatever the method."""
    moves, dt = np.diff(trial.zs[:, 0]), np.diff(trial.ts)
    i = int(np.argmax(np.abs(moves / dt - 1)))
    speed = moves[i] / dt[i]
    if abs(speed - 1) <= 1e-6:
        return ""
    if abs(speed + 1) <= 1e-6:
        return "z moves the wrong way: h = ts[i + 1] - ts[i] keeps its sign, which is negative backwards in time"
    fault = f"from ts[{i}] to ts[{i + 1}], y' = 1 moves z by {moves[i]:.6g} instead of {dt[i]:.6g}"
    if moves[i] == 0:
        return f"{fault}: no step is made. Does the loop wait for t >= ts[i + 1], or make one step too few?"
    n = 1 / (speed - 1)
    if abs(n - round(n)) < 1e-6:
        fault += f", as by {abs(round(n) + 1)} steps where {abs(round(n))} are due"
    return f"{fault}. Off by one, or do the weights b not sum to 1?"


# ---- the orders observed, and the unit of time


def diagnose_orders(orders, declared, least):
    """What a pattern of orders {problem: (forwards, backwards)} means, where those below `least` are too low."""
    fine = {problem: ~(np.array(pair) < least) for problem, pair in orders.items()}  # nan: not measured
    forwards, backwards = np.transpose(list(fine.values()))
    if forwards.all() and backwards.all():
        return ""
    worst = {problem: np.nanmin(pair) for problem, pair in orders.items()}
    low = next(problem for problem in orders if not fine[problem].all())
    low_forwards, low_backwards = orders[low]
    if (forwards.all() or backwards.all()) and abs(low_forwards - low_backwards) > 0.7:
        wrong = "backwards" if forwards.all() else "forwards"
        return (
            f"wrong {wrong} only, {low_forwards:.1f} forwards and {low_backwards:.1f} backwards on {low.name}: "
            "h must have its sign in Z_i, in t + c_i h and in z_next alike"
        )
    text = f"declared {declared}, " if declared else ""
    text += f"observed {worst[low]:.1f} on {low.name}"
    if fine[LINEAR].all():
        text += f" but {worst[LINEAR]:.1f} on {LINEAR.name}: "
        if fine[SYSTEM].all():
            return f"{text}the nodes c are off"
        return f"{text}a coefficient of A or b is off, in conditions that linear problems do not see"
    if max(worst.values()) < 0.5:
        return f"{text} already: the error does not fall. Do the steps get shorter as ts gets closer?"
    if declared and round(min(worst.values())) == declared - 1:
        text += " already: one order low."
        return f"{text} Are the embedded weights used for the solution, or is a coefficient of A or b off?"
    return f"{text} already: a coefficient of A or b is off"


def diagnose_unit_of_time(ratios):
    """ratios: how many times more evaluations with time in units 10^4 times longer. There should be as many."""
    ratio = max(ratios, key=lambda ratio: np.nan_to_num(abs(np.log(ratio))))
    if not (ratio > 2 or ratio < 0.5):
        return ""
    factor = "a factor h is missing from" if ratio > 1 else "there is a factor h too many in"
    return (
        f"with time counted in units 10^4 times longer, the same problem takes {ratio:.2g} times as many evaluations: "
        f"{factor} the error estimate h sum_i b_err_i k_i, or a length of step is fixed somewhere"
    )


# ---- the numbers of a tableau


def diagnose_tableau(tableau):
    """Which numbers of a tableau are wrong, by its order conditions."""
    p, b, b_err = tableau.order, tableau.b, tableau.b_err
    of_b, of_b_hat, _, interpolates = measure_quality(tableau)
    sums = tableau.A.sum(axis=1)
    off = np.flatnonzero(np.abs(sums - tableau.c) > TOLERANCE)
    if off.size == 1:
        return diagnose_row_of_A(tableau, int(off[0]), sums)
    if off.size and measure_quality(replace(tableau, c=np.clip(sums, 0, 1)))[0] == p:
        shifted = np.allclose(tableau.c[1:], sums[:-1]) or np.allclose(tableau.c[:-1], sums[1:])
        by = " by one stage" if shifted else ""
        c, row_sums = format_numbers(tableau.c), format_numbers(sums)
        return f"the nodes c are off{by}: c = {c}, where the rows of A sum to {row_sums}"
    if of_b < p and b_err is not None:
        for name, other in ("b - b_err", b - b_err), ("b + b_err", b + b_err):
            if certified_order(tableau, other) >= p:
                return f"b is of order {of_b}, {name} of order {p}: the embedded weights are used for the solution"
    if off.size or of_b < p:
        return f"b is of order {of_b} instead of {p}, and no single coefficient explains it"
    if b_err is not None and of_b_hat < p / 2:
        return f"b - b_err is of order {of_b_hat} only, far below {p}: b_err is off, and steps will be too short"
    return "" if interpolates else f"the interpolant is not of order {tableau.dense.order}: its P, A or c is off"


def diagnose_row_of_A(tableau, i, sums):
    """Row i of A alone does not sum to c_i. The wrong one, c_i or an A_ij, is the one whose repair mends the most."""
    A, c, excess = tableau.A, tableau.c, sums[i] - tableau.c[i]
    repaired = {f"c[{i}] = {c[i]:.10g}": replace(tableau, c=np.clip(add_at(c, i, excess), 0, 1))}
    for j in range(i):
        repaired[f"A[{i}, {j}] = {A[i, j]:.10g}"] = replace(tableau, A=add_at(A, (i, j), -excess))
    mended = {name: measure_quality(candidate) for name, candidate in repaired.items()}
    names = [name for name in mended if mended[name] == max(mended.values())]
    what = "the nodes c are off" if names == [*mended][:1] else "a coefficient is off"
    sum_i = f"row {i} of A sums to {sums[i]:.10g} and c[{i}] is {c[i]:.10g}"
    return f"{what}: {' or '.join(names)} by {abs(excess):.3g}, as {sum_i}"


def format_numbers(x):
    return f"({', '.join(f'{x_i:.4g}' for x_i in x)})"


def add_at(x, place, by):
    """x with x[place] + by in the place of x[place]."""
    x = x.copy()
    x[place] += by
    return x


def measure_quality(tableau):
    """What is right of a tableau: (order of b, up to the declared one; of b_hat; first same as last; interpolant)."""
    order = min(certified_order(tableau), tableau.order)
    last = np.abs(tableau.A[-1] - tableau.b).max() < TOLERANCE  # up to the round-off of a repair
    interpolates = largest(interpolant_conditions(tableau, tableau.dense.order)) < TOLERANCE
    return order, tableau.embedded_order or 0, last, interpolates
