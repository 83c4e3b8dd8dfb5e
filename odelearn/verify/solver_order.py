"""What an audit measures, a row of its table at a time.

How can the order of a stranger be observed, who does not say how long its steps are? By its clock. A problem is given
with N + 1 observations, always a fixed length apart, and runs the slower the larger N is: dz/ds = rate f(z, rate s).
Whether a solver makes one step between observations, or n of them, or steps of length h, it makes the same number every
time, and in the problem's own time they are as long as 1 / N.
An adaptive solver chooses its steps by a tolerance: there that is the knob, and evaluations of f measure 1 / h.
"""

from collections import namedtuple

import numpy as np

from .order import loglog_slope
from .solver_diagnosis import clock_fault, first_row_fault, orders_fault, shape_fault, speed_fault
from .solver_problems import CLOCK, EVERYTHING, FORCED, LINEAR, PROBLEMS, RESTLESS, SPANS
from .solver_trials import Bench

UNEVEN = np.array([0.3, 0.8, 1.0, 1.9, 2.3])  # times that are not equally spaced
MESHES = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384)
SPACING = 0.1  # between observations, on the solver's clock
TOLERANCES = tuple(10.0**-n for n in range(3, 12))
ENOUGH = 1000  # evaluations: the first trial that takes more is the last of its ladder
FLOOR = 1000 * np.finfo(float).eps  # smaller relative errors are round-off
ORDER = "order on "

Row = namedtuple("Row", "check forwards backwards expected verdict why")


def row(check, values, expected, faults, verdict="WRONG"):
    """A Row of what was seen forwards and backwards in time, and of what is wrong: a text for both, or one for each."""
    forwards, backwards = [faults, faults] if isinstance(faults, str) else faults
    if not (forwards or backwards):
        return Row(check, *values, expected, "ok", "")
    why = forwards if forwards and backwards else f"forwards: {forwards}" if forwards else f"backwards: {backwards}"
    return Row(check, *values, expected, verdict, why)


class Subject(namedtuple("Subject", "name solve steps at declared tableau")):
    """The solver under audit.

    solve(z0, f, ts)  as it is
    steps(z0, f, ts)  by steps that get shorter as ts gets closer; None if there is no such knob
    at(tol)           as it is, but to this tolerance; None if there is no such knob
    """

    __slots__ = ()

    @property
    def typical(self):
        """The solver at a tolerance that takes a moderate number of steps."""
        return self.at(1e-5) if self.at else self.solve


def is_fixed(solve):
    """Whether f is asked at the same times whatever f is: then nothing about the steps adapts."""
    asked = [set(Bench().run(solve, problem, UNEVEN).times) for problem in (CLOCK, RESTLESS)]
    return asked[0] == asked[1]


# ---- first questions: is there a solution at all, and what time does it believe it is?


def opening_rows(bench, subject):
    """Shape, first row, and y' = 1. A direction of time in which one of them is wrong is not measured any further."""
    trials = {d: bench.run(subject.solve, CLOCK, ts) for d, ts in zip(SPANS, (UNEVEN, UNEVEN[::-1]), strict=True)}
    shape = lambda trial: str(np.shape(trial.zs))
    first = lambda trial: np.abs(trial.zs[0] - trial.exact[0]).max()
    speed = lambda trial: (trial.zs[-1, 0] - trial.zs[0, 0]) / (trial.ts[-1] - trial.ts[0])
    rows = []
    for check, measure, expected, fault in (
        ("shape of zs", shape, str(trials["forwards"].exact.shape), shape_fault),
        ("zs[0] - z0", first, "0", first_row_fault),
        ("dz/dt for f = 1", speed, "1", speed_fault),
    ):
        values = bench.both(lambda d, measure=measure: measure(trials[d]))
        faults = [fault(trials[d]) if d in bench.open else "" for d in SPANS]
        rows.append(row(check, values, expected, faults))
        bench.open = [d for d, why in zip(SPANS, faults, strict=True) if d in bench.open and not why]
    return rows


# ---- the order


def by_mesh(bench, subject, problem, t0, t1):
    """(h, trial) on ever finer observation times, the clock slowed so that they stay as far apart as they were."""
    for N in MESHES:
        rate = abs(t1 - t0) / (N * SPACING)
        yield 1 / N, bench.run(subject.steps, problem.on_clock(rate), np.linspace(t0, t1, N + 1) / rate)


def by_tolerance(bench, subject, problem, t0, t1):
    """(h, trial) at ever tighter tolerances, where h is the reciprocal of the evaluations that were needed."""
    for tol in TOLERANCES:
        trial = bench.run(subject.at(tol), problem, np.array([t0, t1]))
        yield 1 / max(trial.evals, 1), trial


def ladder(climb, bench, subject, problem, direction):
    """[(h, trial), ...] as far as that leads: to round-off, or to trials that take long. Climbed once in an audit."""
    key = climb, problem, direction
    if key not in bench.climbed:
        bench.climbed[key] = rungs = []
        for h, trial in climb(bench, subject, problem, *SPANS[direction]):
            rungs.append((h, trial))
            if trial.error < FLOOR or trial.evals > ENOUGH:
                break
    return bench.climbed[key]


def order_of(rungs, last, error=lambda trial: trial.error):
    """The p of error = C h^p, from the last few trials above round-off; inf if all is round-off, 0 if all is wrong."""
    points = [(h, error(trial)) for h, trial in rungs]
    clear = [(h, e) for h, e in points if FLOOR < e < 1][-last:]
    if len(clear) < 2:
        return np.inf if points[-1][1] <= FLOOR else 0.0
    return loglog_slope(*np.transpose(clear))


def order_rows(bench, subject):
    """The order on every problem, and the clock against a state that tells the time."""
    if not (subject.steps or subject.at):
        unknown = "the order is not measured: give the solver a parameter tol"
        return [row("order", ["", ""], "", unknown, "note"), time_row(bench, subject)]
    climb, last = (by_mesh, 3) if subject.steps else (by_tolerance, 5)
    measure = lambda p: bench.both(lambda d: order_of(ladder(climb, bench, subject, p, d), last))
    orders = {p: measure(p) for p in PROBLEMS}
    linear = np.nanmin(orders[LINEAR])
    if subject.steps:
        least = (subject.declared or round(linear)) - 0.5
    else:  # evaluations are a rough measure of 1 / h, and some change their order as they go
        least = subject.declared * 7 / 8 if subject.declared else linear / 2
    fault = orders_fault(orders, subject.declared, least)
    low = {p: np.nanmin(orders[p]) < least for p in PROBLEMS}
    rows = [row(ORDER + p.name, orders[p], f"> {least:.2f}", fault if low[p] else "") for p in PROBLEMS]
    return [*rows, time_row(bench, subject)]


def time_row(bench, subject):
    """z' = f(z, t) as it is, and with time as one more state, tau' = 1.

    By every method whose rows of A sum to c the same numbers come out, since every stage finds tau = t + c_i h.
    An adaptive solver makes about the same steps.
    """
    stated = FORCED.with_time_as_state()

    def gap(d):
        ts = np.linspace(*SPANS[d], 49)
        rate = abs(ts[-1] - ts[0]) / (48 * SPACING)
        z, z_tau = (bench.run(subject.steps, p.on_clock(rate), ts / rate).zs for p in (FORCED, stated))
        return np.nan if z is None or z_tau is None else float(np.abs(z_tau[:, :-1] - z).max())

    def ratio(d):
        told, found = (bench.run(subject.typical, p, np.array(SPANS[d])).evals for p in (FORCED, stated))
        return told / max(found, 1)

    text = (
        "some c_i is not the sum of row i of A: f is told the wrong time. Are the nodes c shifted, or is an A_ij off?"
    )
    values = bench.both(gap if subject.steps else ratio)
    faults = [text if value > (1e-8 if subject.steps else 2) else "" for value in values]
    if subject.steps:
        return row("time as a state: z moves by", values, "0", faults)
    return row("time as a state: evaluations", values, "1", faults)


def dense_rows(bench, subject):
    """Between observations an interpolant of order q is off by h^(q + 1), and the solution by h^p."""
    rungs = {d: ladder(by_mesh, bench, subject, EVERYTHING, d) for d in bench.open} if subject.steps else {}
    if not any(trial.trajectory for points in rungs.values() for _, trial in points):
        return []
    p = subject.declared or round(min(order_of(points, 3) for points in rungs.values()))
    q = subject.tableau.dense.order if subject.tableau else p - 1
    values = bench.both(lambda d: order_of(rungs[d], 3, lambda trial: trial.dense_error))
    lowest, least = np.nanmin(values), min(p, q + 1) - 0.5
    fault = f"dense output is of order {lowest:.1f}, not {min(p, q + 1)}" if lowest < least else ""
    return [row("order of dense output", values, f"> {least:.2f}", fault)]


# ---- step control


def control_rows(bench, subject):
    """For what adapts: the error against the tolerance, the unit of time, and what more observations do."""
    if subject.steps is subject.solve:
        return []
    rows = [tolerance_row(bench, subject)] if subject.at else []
    return [*rows, unit_row(bench, subject), observing_row(bench, subject)]


def tolerance_row(bench, subject):
    """The largest error / tol on any problem, from loose tolerances to tight ones."""

    def largest(d):
        rungs = [zip(TOLERANCES, ladder(by_tolerance, bench, subject, p, d), strict=False) for p in PROBLEMS]
        return max(trial.error / tol for points in rungs for tol, (_, trial) in points)

    values = bench.both(largest)
    worst = np.nanmax(values)
    fault = f"the error is up to {worst:.2g} times the tolerance: is the error estimate that of this method?"
    return row("error / tolerance, at most", values, "< 1000", fault if worst > 1000 else "")


def unit_row(bench, subject):
    """Evaluations with time in long units over those in units 10^4 times shorter: no unit is the natural one."""

    def evals(d, rate):
        ts = np.array([0.3, 30.3] if d == "forwards" else [30.3, 0.3])
        return bench.run(subject.typical, FORCED.on_clock(rate), ts / rate).evals

    values = bench.both(lambda d: evals(d, 100.0) / max(evals(d, 0.01), 1))
    return row("evaluations, other unit of time", values, "1", clock_fault(values))


def observing_row(bench, subject):
    """The error at 61 times over the error at the last of them: looking more often must not make a solution worse."""
    error = lambda d, T: max(bench.run(subject.typical, p, np.linspace(*SPANS[d], T)).error for p in PROBLEMS)
    values = bench.both(lambda d: error(d, 61) / max(error(d, 2), FLOOR))
    largest = np.nanmax(values)
    fault = (
        f"observed more often, the error is {largest:.2g} times as large: how are states between steps interpolated?"
    )
    return row("error, observed more often", values, "< 20", fault if largest > 20 else "")
