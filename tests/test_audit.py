"""The auditor finds every bug that was planted for it, names it, and has nothing to say against sound solvers."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from odelearn import TABLEAUS, AdaptiveSteps, ButcherTableau, FixedSteps, Solver, odesolve, rk4
from odelearn.experiments import audit as experiment
from odelearn.solvers.coefficients import BOSH3, DOP853, DOPRI5, EULER, HEUN, RALSTON, RK4, TSIT5
from odelearn.solvers.order_conditions import certify
from odelearn.solvers.runge_kutta import Step
from odelearn.solvers.scipy_bridge import scipy_solver
from odelearn.verify.solver_audit import audit, shown
from odelearn.verify.solver_diagnosis import (
    add_at,
    as_row,
    diagnose_first_row,
    diagnose_orders,
    diagnose_shape,
    diagnose_speed,
    diagnose_tableau,
    diagnose_unit_of_time,
)
from odelearn.verify.solver_order import estimate_order, refine_mesh, study_convergence
from odelearn.verify.solver_problems import FORCED, PROBLEMS, SPANS, UNIT_SLOPE
from odelearn.verify.solver_trials import Trial, Trials, describe_solver

EPS = np.finfo(float).eps
FEW_STAGES = [tableau for tableau in TABLEAUS.values() if tableau.stages < 12]
EMBEDDED = [HEUN, RALSTON, BOSH3, DOPRI5, TSIT5, DOP853]


# ---- students' solvers: one step from each observation to the next


def classical(z, f, t, h, nodes=(0, 1 / 2, 1 / 2, 1), a=1 / 2):
    k1 = f(z, t + nodes[0] * h)
    k2 = f(z + a * h * k1, t + nodes[1] * h)
    k3 = f(z + h / 2 * k2, t + nodes[2] * h)
    k4 = f(z + h * k3, t + nodes[3] * h)
    return z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def loop(step):
    def solve(z0, f, ts):
        zs = [z0]
        for t0, t1 in zip(ts[:-1], ts[1:], strict=True):
            zs.append(step(zs[-1], f, t0, t1 - t0))
        return np.array(zs)

    return solve


def euler(z, f, t, h):
    return z + h * f(z, t)


def euler_steps(h, n_of):
    """Euler: n_of(|dt| / h) steps of length h in every interval. int finds one too few in 1.9999999999999996."""

    def step(z, f, t, dt):
        n = n_of(abs(dt) / h)
        for i in range(n):
            z = z + np.sign(dt) * h * f(z, t + i * np.sign(dt) * h)
        return z

    return loop(step)


def in_place(z0, f, ts):
    z, zs = z0, [z0]
    for t0, t1 in zip(ts[:-1], ts[1:], strict=True):
        z += (t1 - t0) * f(z, t0)
        zs.append(z)
    return np.array(zs)


def in_place_on_a_copy(z0, f, ts):
    return in_place(z0.copy(), f, ts)


def one_row_late(z0, f, ts):
    zs = loop(classical)(z0, f, ts)
    return np.concatenate([zs[1:], zs[-1:]])


def waits_for_the_end(z0, f, ts):
    t, z, zs = ts[0], z0, [z0]
    for t1 in ts[1:]:
        while t < t1:
            h = min(0.1, t1 - t)
            z, t = classical(z, f, t, h), t + h
        zs.append(z)
    return np.array(zs)


def twenty_steps(z0, f, ts):
    """RK4 with twenty steps for all of ts, whatever that is."""
    t = np.linspace(ts[0], ts[-1], 21)
    zs, order = loop(classical)(z0, f, t), np.argsort(t)
    return np.stack([np.interp(ts, t[order], z[order]) for z in zs.T], axis=-1)


def never_arrives(z0, f, ts):
    t, z = ts[0], z0
    while t != ts[-1]:
        z, t = euler(z, f, t, 0.01), t + 0.01
    return np.array([z])


def not_on_time(z0, f, ts):
    """RK4, but what it returns stands at equally spaced times."""
    return loop(classical)(z0, f, np.linspace(ts[0], ts[-1], len(ts)))


def adaptive(tableau, estimate=lambda h: h):
    """A plain controller around a tableau; estimate(h) sum_i b_err_i k_i is taken for the error of a step."""

    def solve(z0, f, ts, tol=1e-6):
        z, zs, h = z0, [z0], 0.01
        for t, t_end in zip(ts[:-1], ts[1:], strict=True):
            while t != t_end:
                last = h >= abs(t_end - t)
                dt = t_end - t if last else np.copysign(h, t_end - t)
                k = []
                for A_i, c_i in zip(tableau.A, tableau.c, strict=True):
                    k.append(f(z + dt * sum((a * k_j for a, k_j in zip(A_i, k, strict=False)), 0 * z), t + c_i * dt))
                z_next = z + dt * (tableau.b @ k)
                scale = tol + tol * np.maximum(abs(z), abs(z_next))
                error = max(np.abs(estimate(dt) * (tableau.b_err @ k) / scale).max(), 1e-10)
                if error <= 1:
                    z, t = z_next, t_end if last else t + dt
                h = abs(dt) * min(5.0, max(0.2, 0.9 * error ** (-1 / tableau.order)))
            zs.append(z)
        return np.array(zs)

    return solve


def shifted(tableau):
    """The nodes off by one stage."""
    return replace(tableau, c=np.roll(tableau.c, 1))


def swapped(tableau):
    """The embedded weights used for the solution."""
    return replace(tableau, b=tableau.b - tableau.b_err)


def without_tol(solve):
    return lambda z0, f, ts: solve(z0, f, ts)


NODES_OFF = loop(lambda z, f, t, h: classical(z, f, t, h, nodes=(0, 0, 1 / 2, 1 / 2)))
COEFFICIENT_OFF = loop(lambda z, f, t, h: classical(z, f, t, h, a=0.501))
SIGN_LOST = loop(lambda z, f, t, h: classical(z, f, t, abs(h)))
SIGN_LOST_IN_NODE = loop(lambda z, f, t, h: z + h * f(z + h / 2 * f(z, t), t + abs(h) / 2))
TOO_FAR = loop(lambda z, f, t, h: classical(z, f, t, h) + 0 * f(z, t + 1.5 * h))
HALF_A_STEP = loop(lambda z, f, t, h: z + h / 2 * f(z, t))
NOT_QUITE_A_STEP = loop(lambda z, f, t, h: z + 0.97 * h * f(z, t))
ARGUMENTS_SWAPPED = loop(lambda z, f, t, h: z + h * f(t, z))
no_h = np.ones_like
SOLVE = loop(classical)

# fmt: off
BUGS = [
    (NODES_OFF,                                 4,    "declared 4, observed 1.0 on y' = y cos t but 4.0 on y' = -y: t"),
    (NODES_OFF,                                 None, "observed 1.0 on y' = y cos t but 4.0 on y' = -y: the nodes c a"),
    (COEFFICIENT_OFF,                           4,    "declared 4, observed 1.0 on y' = -y already: a coefficient of"),
    (COEFFICIENT_OFF,                           None, "some c_i is not the sum of row i of A"),
    (SOLVE,                                     5,    "declared 5, observed 4.0 on y' = -y already: one order low"),
    (SIGN_LOST,                                 4,    "backwards: z moves the wrong way: h = ts[i + 1] - ts[i] keeps"),
    (SIGN_LOST_IN_NODE,                         2,    "wrong backwards only, 2.0 forwards and 1.0 backwards on y' = y"),
    (TOO_FAR,                                   4,    "f is called outside [ts[0], ts[-1]], by 0.1"),
    (HALF_A_STEP,                               1,    "y' = 1 moves z by 0.1 instead of 0.2, as by 1 steps where 2 ar"),
    (NOT_QUITE_A_STEP,                          1,    "do the weights b not sum to 1?"),
    (euler_steps(0.1, lambda n: round(n) + 1),  1,    "by 0.3 instead of 0.2, as by 3 steps where 2 are due. Off by o"),
    (euler_steps(0.1, int),                     1,    "from ts[1] to ts[2], y' = 1 moves z by 0.1 instead of 0.2"),
    (euler_steps(0.1, lambda n: 0),             1,    "no step is made. Does the loop wait for t >= ts[i + 1], or"),
    (in_place,                                  None, "the solver writes into its argument z0: z = z + ..."),
    (in_place_on_a_copy,                        None, "all rows of zs are the same: z += ... changes an array"),
    (one_row_late,                              None, "zs[i] is the state at ts[i + 1], one step off"),
    (not_on_time,                               None, "from ts[1] to ts[2], y' = 1 moves z by 0.5 instead of 0.2"),
    (waits_for_the_end,                         None, "backwards: from ts[0] to ts[1], y' = 1 moves z by 0 instead of"),
    (twenty_steps,                              4,    "the error does not fall. Do the steps get shorter as ts gets"),
    (never_arrives,                             None, "given up after 30000 evaluations of f"),
    (lambda z0, f, ts: SOLVE(z0, f, ts)[1:],    None, "zs has shape (4, 2) instead of (T, *z0.shape) = (5, 2): a row"),
    (lambda z0, f, ts: SOLVE(z0, f, ts).T,      None, "zs has shape (2, 5) instead of (T, *z0.shape) = (5, 2): it is"),
    (lambda z0, f, ts: SOLVE(z0, f, ts)[-1],    None, "the last state only, where every observation wants its own"),
    (lambda z0, f, ts: SOLVE(z0, f, ts)[:, :1], None, "zs has shape (5, 1) instead of (T, *z0.shape) = (5, 2)"),
    (lambda z0, f, ts: SOLVE(z0, f, ts) + 1,    None, "is not z0 = "),
    (lambda z0, f, ts: SOLVE(z0.real, f, ts),   4,    "complex128: zs of shape (33, 2) and float64 has a relative err"),
    (lambda z0, f, ts: None,                    None, "the solver must return an array of floats, got object"),
    (ARGUMENTS_SWAPPED,                         None, "its arguments are f(z, t), in this order"),
    (without_tol(adaptive(DOPRI5, no_h)),       None, "a factor h is missing from the error estimate"),
    (without_tol(adaptive(BOSH3, np.square)),   None, "there is a factor h too many in the error estimate"),
    (without_tol(adaptive(shifted(BOSH3))),     None, "Are the nodes c shifted"),
    (adaptive(shifted(DOPRI5)),                 5,    "but 5.0 on y' = -y: the nodes c are off"),
    (adaptive(swapped(DOPRI5)),                 5,    "on y' = -y already: one order low. Are the embedded weights us"),
]
# fmt: on


@pytest.mark.parametrize("solver, declared, said", BUGS, ids=lambda x: x if isinstance(x, str) else "")
def test_a_students_bug_is_named(solver, declared, said):
    report = audit(solver, declared)
    assert not report
    assert said in report.diagnosis


# Jameson's low-storage scheme: its stability function is that of RK4, but z'' = f''(f, f) comes out wrong.
FOURTH_ORDER_ON_LINEAR = ButcherTableau(
    "JAMESON", order=4, c=[0, 1 / 4, 1 / 3, 1 / 2], b=[0, 0, 0, 1],
    A=[[0, 0, 0, 0], [1 / 4, 0, 0, 0], [0, 1 / 3, 0, 0], [0, 0, 1 / 2, 0]],
)  # fmt: skip


# ---- the same bugs in a Solver, where the tableau tells more


def with_one_coefficient_off(tableau):
    return replace(tableau, A=add_at(tableau.A, (2, 1), 1e-3))


# fmt: off
TABLEAU_BUGS = [
    (shifted,                  "observed 1.0 on y' = y cos t but", "the nodes c are off by one stage: c = (1, "),
    (swapped,                  "observed 4.0 on y' = -y already",  "b + b_err of order 5: the embedded weights are"),
    (with_one_coefficient_off, "observed 1.0 on y' = -y already",  "a coefficient is off: A[2, 1] = 0.226 by 0.001"),
]
# fmt: on


@pytest.mark.parametrize("control", [FixedSteps(n=2), AdaptiveSteps()], ids=["fixed", "adaptive"])
@pytest.mark.parametrize("bug, observed, located", TABLEAU_BUGS)
def test_a_bug_in_a_tableau_is_observed_and_located(bug, observed, located, control):
    report = audit(Solver(bug(DOPRI5), control))
    assert not report
    assert observed in report.diagnosis and located in report.diagnosis


def test_an_error_estimate_without_h_in_our_own_engine_is_named(monkeypatch):
    estimate = Step.error.fget
    monkeypatch.setattr(Step, "error", property(lambda step: estimate(step) / step.h))
    report = audit(Solver(DOPRI5, AdaptiveSteps()))
    assert not report
    assert report.diagnosis.startswith("with time counted in units 10^4 times longer")
    assert "a factor h is missing from the error estimate" in report.diagnosis


@pytest.mark.parametrize("tableau", [*FEW_STAGES, pytest.param(DOP853, marks=pytest.mark.slow)])
def test_every_single_wrong_coefficient_is_located(tableau):
    """Wrong by 1e-6, which no slope shows: the order conditions do."""
    assert diagnose_tableau(tableau) == ""
    for place in zip(*np.nonzero(tableau.A), strict=True):
        i, j = place
        assert f"A[{i}, {j}] = " in diagnose_tableau(replace(tableau, A=add_at(tableau.A, place, 1e-6)))
    for i in range(1, tableau.stages):
        fault = diagnose_tableau(replace(tableau, c=add_at(tableau.c, i, -1e-6)))
        assert fault.startswith(f"the nodes c are off: c[{i}] = ")
        if tableau.c[i] + 1e-6 < 1:
            fault = diagnose_tableau(replace(tableau, c=add_at(tableau.c, i, 1e-6)))
            assert fault.startswith(f"the nodes c are off: c[{i}] = ") and "by 1e-06" in fault
    if tableau.stages > 2:
        assert diagnose_tableau(shifted(tableau)).startswith("the nodes c are off by one stage")
    P = tableau.dense.P
    off = replace(tableau, interpolant=replace(tableau.dense, P=add_at(P, (0, 1), 1e-6)))
    assert diagnose_tableau(off).startswith(f"the interpolant is not of order {tableau.dense.order}")


@pytest.mark.parametrize("tableau", EMBEDDED)
def test_swapped_weights_are_named_whatever_became_of_the_estimate(tableau):
    assert f"b + b_err of order {tableau.order}" in diagnose_tableau(swapped(tableau))
    consistent = replace(swapped(tableau), b_err=-tableau.b_err)
    assert f"b - b_err of order {tableau.order}" in diagnose_tableau(consistent)


NAN = np.nan
# fmt: off
PATTERNS = [  # orders on LINEAR, FORCED, SYSTEM, FORCED_SYSTEM (forwards, backwards), declared, least; what they mean
    ([(4, 4), (4, 4), (4, 4), (4, 4)],         4,    3.5, ""),
    ([(4, NAN), (4, NAN), (4, NAN), (4, NAN)], 4,    3.5, ""),
    ([(4, 4), (1, 1), (4, 4), (1, 1)],         4,    3.5, "declared 4, observed 1.0 on y' = y cos t but 4.0 on y' = -"),
    ([(4, 4), (4, 1), (4, 4), (4, 1)],         4,    3.5, "wrong backwards only, 4.0 forwards and 1.0 backwards on y'"),
    ([(4, 4), (1, 4), (4, 4), (1, 4)],         4,    3.5, "wrong forwards only, 1.0 forwards and 4.0 backwards on y'"),
    ([(4, 4), (4, 3.4), (4, 4), (4, 4)],       4,    3.5, "declared 4, observed 3.4 on y' = y cos t but 4.0 on y' = -"),
    ([(1, NAN), (1, NAN), (1, NAN), (1, NAN)], 4,    3.5, "declared 4, observed 1.0 on y' = -y already: a coefficient"),
    ([(4, 4), (4, 4), (3, 3), (3, 3)],         None, 3.5, "observed 3.0 on x' = y - sin x, y' = x' cos x - x but 4.0"),
    ([(4, 4), (4, 4), (3, 3), (3, 3)],         4,    3.5, "a coefficient of A or b is off, in conditions that linear"),
    ([(4, 4), (4, 4), (4, 4), (3, 3)],         4,    3.5, "but 4.0 on y' = -y: the nodes c are off"),
    ([(3, 3), (3, 3), (3, 3), (3, 3)],         4,    3.5, "declared 4, observed 3.0 on y' = -y already: one order low"),
    ([(3, 3), (2, 2), (3, 3), (3, 3)],         4,    3.5, "declared 4, observed 3.0 on y' = -y already: a coefficient"),
    ([(3, 3), (3, 3), (3, 3), (3, 3)],         None, 3.5, "observed 3.0 on y' = -y already: a coefficient of A or b i"),
    ([(0, 0.4), (0, 0), (0, 0), (0, 0)],       4,    3.5, "already: the error does not fall. Do the steps get shorter"),
    ([(0, 0), (0.6, 0.6), (0, 0), (0, 0)],     4,    3.5, "already: a coefficient of A or b is off"),
]
# fmt: on


@pytest.mark.parametrize("pairs, declared, least, said", PATTERNS, ids=range(len(PATTERNS)))
def test_what_a_pattern_of_orders_means(pairs, declared, least, said):
    fault = diagnose_orders(dict(zip(PROBLEMS, pairs, strict=True)), declared, least)
    assert said in fault if said else fault == ""


def test_what_the_evaluations_in_another_unit_of_time_mean():
    """Up to a factor of 2 it may be chance; the direction of time that shows it more is the one that is told."""
    for ratios in ([1, 1], [1.9, 0.6], [0.55, NAN], [NAN, NAN]):
        assert diagnose_unit_of_time(ratios) == ""
    assert "takes 2.1 times as many evaluations: a factor h is missing" in diagnose_unit_of_time([1, 2.1])
    assert "takes 0.45 times as many evaluations: there is a factor h too many" in diagnose_unit_of_time([0.45, 1.9])
    assert "takes 30 times" in diagnose_unit_of_time([NAN, 30]) and "takes 5 times" in diagnose_unit_of_time([5, 0.3])


def test_what_a_solve_of_unit_slope_means():
    ts = np.array([0.0, 1.0, 3.0])
    exact = UNIT_SLOPE.exact(ts)
    trial = lambda zs, raised=None: Trial(UNIT_SLOPE, ts, zs, [], None, raised)
    assert diagnose_shape(trial(exact)) == diagnose_first_row(trial(exact)) == diagnose_speed(trial(exact)) == ""
    assert diagnose_shape(trial(None, "ValueError: no")) == "the solver raises ValueError: no"
    assert diagnose_shape(trial(exact[:, :1])).endswith("= (3, 2)")
    assert diagnose_shape(trial(exact[:2])).endswith("zs[0] is z0 itself")
    assert diagnose_first_row(trial(exact + 1)).startswith("zs[0] = [2. 3.] is not z0 = [1. 2.]")
    assert "one step off" in diagnose_first_row(trial(exact[[1, 2, 2]])) and "the same" in diagnose_first_row(
        trial(exact[[2, 2, 2]])
    )
    assert "one step off" not in diagnose_first_row(trial(exact[[2, 2, 1]]))
    assert "the wrong way" in diagnose_speed(trial(exact[0] - ts[:, None]))
    for speed, said in ((2, "as by 2 steps where 1 are due"), (1.25, "as by 5 steps where 4 are due"),
                        (0.5, "as by 1 steps where 2 are due"), (0.75, "as by 3 steps where 4 are due")):  # fmt: skip
        assert said in diagnose_speed(trial(exact[0] + speed * ts[:, None]))
    assert "steps where" not in diagnose_speed(trial(exact[0] + 0.97 * 1.01 * ts[:, None]))
    late = exact + [[0], [0], [0.5]]
    assert diagnose_speed(trial(late)).startswith(
        "from ts[1] to ts[2], y' = 1 moves z by 2.5 instead of 2, as by 5 steps"
    )
    still = exact[[0, 1, 1]]
    assert diagnose_speed(trial(still)).startswith(
        "from ts[1] to ts[2], y' = 1 moves z by 0 instead of 2: no step is made"
    )


def test_a_row_tells_the_direction_of_time_that_is_wrong():
    assert as_row("check", [1, 2], "3", "") == ("check", 1, 2, "3", "ok", "")
    assert as_row("check", [1, 2], "3", "both") == ("check", 1, 2, "3", "WRONG", "both")
    assert as_row("check", [1, 2], "3", ["here", ""], "note") == ("check", 1, 2, "3", "note", "forwards: here")
    assert as_row("check", [1, 2], "3", ["", "there"])[-2:] == ("WRONG", "backwards: there")
    assert as_row("check", [1, 2], "3", ["here", "there"])[-2:] == ("WRONG", "here")


def test_numbers_in_the_table():
    shows = {
        "text": "text",
        0: "0",
        0.004: "4.0e-03",
        0.005: "0.01",
        -2.5: "-2.50",
        999.0: "999.00",
        1000.0: "1.0e+03",
    }
    assert all(shown(value) == text for value, text in shows.items())


def test_what_no_single_coefficient_explains_is_said_to_be_so():
    unexplained = "and no single coefficient explains it"
    assert diagnose_tableau(replace(BOSH3, order=4)) == f"b is of order 3 instead of 4, {unexplained}"
    assert diagnose_tableau(replace(RK4, order=5)) == f"b is of order 4 instead of 5, {unexplained}"
    assert unexplained in diagnose_tableau(replace(RK4, b=[1 / 4] * 4))
    assert (
        "in conditions that linear problems do not see"
        in audit(Solver(FOURTH_ORDER_ON_LINEAR, FixedSteps(n=1))).diagnosis
    )


def test_an_error_estimate_that_lacks_its_h_in_one_direction_of_time_is_told_which():
    def solve(z0, f, ts, tol=1e-6):
        return adaptive(DOPRI5, np.ones_like if ts[-1] < ts[0] else lambda h: h)(z0, f, ts, tol)

    (row,) = [row for row in audit(solve).rows if row.check == "evaluations, other unit of time"]
    assert row.verdict == "WRONG" and row.forwards == pytest.approx(1, abs=0.1) and row.backwards > 2


def test_a_wrong_estimate_is_named():
    b_err = DOPRI5.b_err + 1e-3 * np.array([1, -1, 0, 0, 0, 0, 0])
    assert diagnose_tableau(replace(DOPRI5, b_err=b_err)).startswith("b - b_err is of order 1 only, far below 5")


# ---- sound solvers


def scipys(method):
    """SciPy's in three lines."""

    def solve(z0, f, ts, tol=1e-6):
        return solve_ivp(lambda t, z: f(z, t), ts[[0, -1]], z0, method, t_eval=ts, rtol=tol, atol=tol).y.T

    return solve


SOUND = [
    *((Solver(tableau, FixedSteps(n=1)), None) for tableau in TABLEAUS.values()),
    *((Solver(tableau, AdaptiveSteps()), None) for tableau in (BOSH3, TSIT5, DOP853)),
    *(
        (scipys(method), order)
        for method, order in dict(RK23=3, RK45=5, DOP853=8, LSODA=None, BDF=None, Radau=None).items()
    ),
    (adaptive(BOSH3), 3),
]
QUICK = [
    (rk4(h=0.03), None),
    (Solver(DOPRI5), None),
    (scipys("RK45"), 5),
    (scipy_solver("LSODA"), None),
    (loop(classical), 4),
]


@pytest.mark.parametrize("solver, declared", QUICK + [pytest.param(*case, marks=pytest.mark.slow) for case in SOUND])
def test_sound_solvers_pass(solver, declared):
    report = audit(solver, declared)
    assert report, report
    assert report.diagnosis == ""


@pytest.mark.parametrize("backwards_only", [True, False], ids=["wrong backwards", "wrong forwards"])
def test_a_solver_that_is_wrong_in_one_direction_of_time_is_told_which(backwards_only):
    """Euler one way and RK4 the other, declared of order 4."""

    def solve(z0, f, ts):
        return loop(euler if (ts[-1] < ts[0]) == backwards_only else classical)(z0, f, ts)

    report = audit(solve, 4)
    wrong, (forwards, backwards) = ("backwards", (4, 1)) if backwards_only else ("forwards", (1, 4))
    said = f"wrong {wrong} only, {forwards:.1f} forwards and {backwards:.1f} backwards on y' = -y"
    assert not report and said in report.diagnosis


def test_a_solver_has_a_name():
    class Callable:
        def __call__(self, z0, f, ts):
            return loop(euler)(z0, f, ts)

    def my_solver(z0, f, ts):
        return loop(euler)(z0, f, ts)

    assert describe_solver(my_solver, 1, None).name == "my_solver" and audit(my_solver, 1).name == "my_solver"
    assert describe_solver(Callable(), 1, None).name == "a solver"
    assert describe_solver(my_solver, 1, "mine").name == describe_solver(rk4(n=1), 1, "mine").name == "mine"
    assert describe_solver(rk4(n=1), None, None).name == "RK4"
    assert describe_solver(scipy_solver("LSODA"), None, None).name == "ScipySolver"


def test_observations_stay_as_far_apart_as_they_were_in_the_solvers_unit_of_time():
    """And the step in the problem's own time is 1 / N of the interval."""
    solver = describe_solver(loop(classical), 4, None)
    for direction, sign in ("forwards", 1), ("backwards", -1):
        study = study_convergence(refine_mesh, Trials(), solver, FORCED, direction)
        for h, trial in study:
            np.testing.assert_allclose(np.diff(trial.ts), 0.1 * sign, rtol=1e-9)
            assert h == pytest.approx(1 / (len(trial.ts) - 1))
            exact = FORCED.exact(np.linspace(*SPANS[direction], len(trial.ts)))
            np.testing.assert_allclose(trial.exact, exact, rtol=1e-9)
        assert [round(1 / h) for h, _ in study][:4] == [4, 6, 8, 12]


def test_a_study_ends_at_round_off_or_when_it_takes_long():
    trials, sound = Trials(), describe_solver(Solver(DOP853, FixedSteps(n=1)), None, None)
    *_, (_, last) = study = study_convergence(refine_mesh, trials, sound, FORCED, "forwards")
    assert all(trial.error >= 1000 * EPS and trial.evals <= 1000 for _, trial in study[:-1])
    assert last.error < 1000 * EPS or last.evals > 1000
    assert study_convergence(refine_mesh, trials, sound, FORCED, "forwards") is study  # it is not run again


def test_the_end_of_an_interpolant_is_certified():
    """b_i(1) = b_i: dense output arrives where the step does."""
    claim = "the interpolant ends at z_next"
    for tableau in TABLEAUS.values():
        assert certify(tableau)[claim] < 1e-12
        dense = tableau.dense
        P = dense.P.copy()
        P[0, :2] += [1e-6, -3e-6]
        off = certify(replace(tableau, interpolant=replace(dense, P=P))) if P.shape[1] > 1 else {claim: 2e-6}
        assert off[claim] == pytest.approx(2e-6, rel=1e-3)
    report = audit(
        Solver(replace(RK4, interpolant=replace(RK4.dense, P=add_at(RK4.dense.P, (0, 2), 1e-6))), FixedSteps(n=1))
    )
    (row,) = [row for row in report.rows if row.check == claim]
    assert not report and row.verdict == "WRONG" and row.forwards == pytest.approx(1e-6, rel=1e-3)


def test_every_row_of_a_sound_adaptive_solver_says_what_theory_says():
    """In both directions of time, each measured on its own."""
    rows = {row.check: row for row in audit(adaptive(BOSH3), 3).rows}
    both = lambda check: [rows[check].forwards, rows[check].backwards]
    assert both("shape of zs") == ["(5, 2)"] * 2 and rows["shape of zs"].expected == "(5, 2)"
    assert both("zs[0] - z0") == [0, 0] and both("dz/dt for f = 1") == pytest.approx([1, 1], abs=1e-12)
    for problem in PROBLEMS:
        assert both(f"order on {problem.name}") == pytest.approx([3, 3], abs=0.5)
    assert both("time as a state: evaluations") == pytest.approx([1, 1], abs=0.3)
    assert both("evaluations, other unit of time") == pytest.approx([1, 1], abs=0.1)
    assert all(0.1 < value < 100 for value in both("error / tolerance, at most"))
    assert all(0 < value < 2 for value in both("error, observed more often"))
    assert both("z0 is float32") == ["float64"] * 2 and both("z0 is complex64") == ["complex128"] * 2
    assert both("z0 is a matrix") == ["raises"] * 2  # b @ k is another product there
    assert both("f called outside, by") == [0, 0] and both("inputs changed") == ["none", "none"]
    assert [rows[check].expected for check in ("zs[0] - z0", "dz/dt for f = 1", "f called outside, by")] == [
        "0",
        "1",
        "0",
    ]
    verdicts = {check: row.verdict for check, row in rows.items() if row.verdict != "ok"}
    assert verdicts == {f"z0 is {kind}": "note" for kind in ("float32", "complex64", "a matrix")}


def test_every_row_of_a_sound_solver_with_fixed_steps_says_what_theory_says():
    report = audit(rk4(n=2))
    rows = {row.check: row for row in report.rows}
    both = lambda check: [rows[check].forwards, rows[check].backwards]
    for problem in PROBLEMS:
        assert both(f"order on {problem.name}") == pytest.approx([4, 4], abs=0.2)
        assert report.orders[problem.name] == tuple(both(f"order on {problem.name}"))
    assert all(0 < value < 1e-11 for value in both("time as a state: z moves by"))
    assert both("order of dense output") == pytest.approx([4, 4], abs=0.2)
    assert both("z0 is float32") == ["float32"] * 2 and both("z0 is complex64") == ["complex64"] * 2
    for check in (
        "rows of A sum to c",
        "b is of order 4",
        "the interpolant is of order 3",
        "the interpolant ends at z_next",
    ):
        assert 0 <= rows[check].forwards < 1e-15 and rows[check].backwards == "" and rows[check].expected == "0"
    assert {row.verdict for row in report.rows} == {"ok"} and report.notes == report.diagnosis == ""
    embedded = [row for row in audit(Solver(DOPRI5)).rows if row.check == "b - b_err is of order"]
    assert [tuple(row[1:5]) for row in embedded] == [("4", "", "> 2.5", "ok")]


def test_what_is_recorded_of_all_trials():
    """By direction: the largest excursion outside the interval, relative to its length, and what was written to."""
    trials, ts = Trials(), np.array([0.0, 2.0])
    trials.run(lambda z0, f, ts: [f(z0, 2.5), f(z0, -0.1)], FORCED, ts)
    trials.run(lambda z0, f, ts: [f(z0, 2.1)], FORCED, ts)
    trials.run(lambda z0, f, ts: [f(z0, 2.0 + 1e-13)], FORCED, ts[::-1])
    assert trials.outside == {"forwards": pytest.approx(0.25), "backwards": 0}
    assert trials.changed == {"forwards": "", "backwards": ""}

    def writes(z0, f, ts):
        ts += 1
        return z0

    trials.run(writes, FORCED, ts[::-1])
    assert trials.changed == {"forwards": "", "backwards": "ts"}
    np.testing.assert_array_equal(ts, [0.0, 2.0])
    trials.directions = ["backwards"]
    np.testing.assert_equal(trials.measure_both(len), [np.nan, 9])


def test_a_trial_gives_up_after_so_many_evaluations():
    forever = lambda z0, f, ts: [f(z0, 0.5) for _ in range(100)]
    trial = Trials(10).run(forever, FORCED, np.array([0.0, 1.0]))
    assert trial.evals == 10 and trial.zs is None
    assert trial.raised == "RuntimeError: given up after 10 evaluations of f, at t = 0.5"
    assert Trials(100).run(forever, FORCED, np.array([0.0, 1.0])).evals == 100


def test_the_error_of_a_trial_is_relative_to_the_largest_component():
    ts = np.array([0.0, 1.0])
    off = lambda t: FORCED.exact(t) + [0.01, 0]
    trial = Trial(FORCED, ts, off(ts), [], off, None)
    assert trial.error == pytest.approx(0.01 / FORCED.exact(ts).max())
    between = FORCED.exact(np.array([0.3, 0.7]))
    assert trial.dense_error == pytest.approx(0.01 / between.max())
    assert trial._replace(zs=None).dense_error == np.inf


def test_the_orders_observed_are_those_of_the_method():
    for tableau in (EULER, DOP853):
        report = audit(Solver(tableau, FixedSteps(n=1)))
        assert set(report.orders) == {problem.name for problem in PROBLEMS}
        assert np.min(list(report.orders.values())) == pytest.approx(tableau.order, abs=0.4)


@pytest.mark.parametrize("solver", [rk4(h=0.03), rk4(h=10.0), rk4(n=3), waits_for_the_end])
def test_steps_that_do_not_follow_ts_show_their_order_by_the_unit_of_time(solver):
    """However the steps between two observations are chosen, they are the same as long as f is not looked at."""
    study = study_convergence(refine_mesh, Trials(), describe_solver(solver, 4, None), FORCED, "forwards")
    assert estimate_order(study, 3) == pytest.approx(4, abs=0.2)


def test_dense_output_of_a_solver_that_is_not_ours_is_measured():
    good = audit(lambda z0, f, ts: odesolve(z0, f, ts, None, rk4(n=1)))
    assert good and any(row.check == "order of dense output" and row.forwards > 3.5 for row in good.rows)

    class Linear:
        def __init__(self, ts, zs):
            self.ts, self.zs = ts, zs

        def __call__(self, t):
            order = np.argsort(self.ts)
            return np.stack([np.interp(t, self.ts[order], z[order]) for z in self.zs.T], axis=-1)

    bad = audit(lambda z0, f, ts: Linear(ts, loop(classical)(z0, f, ts)))
    assert "dense output is of order 2.0, not 4" in bad.diagnosis

    def bad_backwards(z0, f, ts):
        if ts[-1] > ts[0]:
            return odesolve(z0, f, ts, None, rk4(n=1))
        return Linear(ts, loop(classical)(z0, f, ts))

    (row,) = [row for row in audit(bad_backwards).rows if row.check == "order of dense output"]
    assert (round(row.forwards), round(row.backwards), row.verdict) == (4, 2, "WRONG")


def test_states_interpolated_linearly_between_steps_are_found():
    def solve(z0, f, ts, tol=1e-6):
        few = solve_ivp(lambda t, z: f(z, t), ts[[0, -1]], z0, "DOP853", rtol=tol, atol=tol)
        order = np.argsort(few.t)
        return np.stack([np.interp(ts, few.t[order], z[order]) for z in few.y], axis=-1)

    assert "how are states between steps interpolated?" in audit(solve).diagnosis


def test_what_another_solver_cannot_do_is_noted_and_does_not_fail():
    report = audit(scipys("LSODA"))
    assert report and "complex128: the solver raises ValueError" in report.notes
    assert "float32: becomes float64" in report.notes
    assert "give the solver a parameter tol" in audit(without_tol(adaptive(DOPRI5))).notes


def test_a_report_reads_as_a_table():
    report = audit(loop(classical), declared=4, name="mine")
    text = str(report)
    assert text.startswith("audit of mine: passed\ncheck ") and "order on y' = y cos t" in text
    assert (report.name, report.declared, report.passed, bool(report)) == ("mine", 4, True, True)
    assert "diagnosis:\n  zs has shape" in str(audit(lambda z0, f, ts: z0))
    with pytest.raises(TypeError, match="solver must be a Solver or a function"):
        audit("dopri5")


def test_the_problems_are_solved_by_their_solutions():
    """d exact / dt = f(exact, t), by the complex step: also in another unit of time, and with time as a state."""
    for problem in PROBLEMS:
        for p in (
            problem,
            problem.in_unit_of_time(0.3),
            problem.with_time_as_state(),
            problem.with_time_as_state().in_unit_of_time(3.0),
        ):
            for t in (0.4, 1.7):
                slope = p.exact(np.array(t + 1e-20j)).imag / 1e-20
                np.testing.assert_allclose(p.f(p.exact(np.array(t)), t), slope, rtol=1e-13, atol=1e-14)


def test_an_order_needs_errors_between_round_off_and_nonsense():
    orders = [
        estimate_order([(1 / n, errors(n)) for n in (4, 8, 16)], 3, error_of=float)
        for errors in (lambda n: 0.0, lambda n: np.inf)
    ]
    assert orders == [np.inf, 0.0] and [shown(order) for order in (*orders, np.nan)] == ["exact", "0", "-"]


def test_the_last_trial_tells_round_off_from_nonsense():
    order = lambda *errors: estimate_order(
        [(1 / n, e) for n, e in zip((4, 8, 16), errors, strict=True)], 3, error_of=float
    )
    assert order(np.inf, np.inf, 0.0) == np.inf and order(0.0, np.inf, np.inf) == 0.0
    assert order(1.0, 4.0**-8, 0.0) == np.inf  # one error alone has no slope


def test_what_is_expected_of_an_order_depends_on_how_it_is_measured():
    """Half an order below by the lengths of the steps; an eighth of it, or half of that on y' = -y, by evaluations."""
    expected = lambda *arguments: {row.expected for row in audit(*arguments).rows if row.check.startswith("order on")}
    assert expected(loop(euler), 1) == {"> 0.50"} and expected(loop(classical)) == {"> 3.50"}
    assert expected(Solver(DOP853, FixedSteps(n=1))) == {"> 7.50"}
    assert expected(adaptive(BOSH3), 3) == {"> 2.62"}
    report = audit(adaptive(BOSH3))
    (least,) = {row.expected for row in report.rows if row.check.startswith("order on")}
    assert float(least[2:]) == pytest.approx(min(report.orders["y' = -y"]) / 2, abs=0.01)


def test_time_as_a_state_is_tried_on_observations_as_far_apart_as_all_others():
    """For a solver with steps of a fixed length would take others if they were not."""
    spacings = []

    def solve(z0, f, ts):
        if z0.shape == (3,):
            spacings.append(np.diff(ts))
        return loop(classical)(z0, f, ts)

    assert audit(solve, 4)
    forwards, backwards = spacings
    np.testing.assert_allclose(forwards, np.full(48, 0.1), rtol=1e-9)
    np.testing.assert_allclose(backwards, np.full(48, -0.1), rtol=1e-9)


def test_a_solver_that_takes_no_third_component_is_audited_all_the_same():
    """The row with time as a state stays empty."""

    def two_components(z0, f, ts):
        if z0.shape == (3,):
            raise ValueError("z must have two components")
        return loop(classical)(z0, f, ts)

    report = audit(two_components, 4)
    (row,) = [row for row in report.rows if row.check.startswith("time as a state")]
    assert report and np.isnan(row.forwards) and np.isnan(row.backwards)


def test_a_trial_that_did_not_come_out_is_infinitely_wrong():
    ts = np.array([0.0, 1.0])
    assert Trial(PROBLEMS[0], ts, None, [], None, "raised").error == np.inf
    assert Trials().run(lambda z0, f, ts: np.full((2, 2), np.nan), PROBLEMS[0], ts).error == np.inf


# ---- python -m odelearn audit


def test_the_command_prints_a_table_and_draws(tmp_path, capsys):
    assert experiment.audit(tmp_path, quick=True) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines if line.startswith(experiment.QUICK)] == ["passed"] * 3
    assert (tmp_path / "work_precision.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_shows_what_failed_and_does_without_scipy(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "odelearn.solvers.scipy_bridge", None)
    monkeypatch.setitem(experiment.ADAPTIVE, "dopri5", lambda *tol: Solver(shifted(DOPRI5), AdaptiveSteps(1e-3, 1e-3)))
    monkeypatch.setattr(experiment, "draw", lambda *_: None)
    assert experiment.audit(tmp_path, quick=True) == 1
    out = capsys.readouterr().out
    assert "SciPy is not installed" in out and "the nodes c are off by one stage" in out
