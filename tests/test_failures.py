"""Failures name the time, the step, the component, a number and a remedy: soon, and only if they must."""

import math
import re
import time

import numpy as np
import pytest
from problems import LINEAR

from odelearn import (
    HEUN,
    MLP,
    TABLEAUS,
    AdaptiveSteps,
    Backsolve,
    Discrete,
    FixedSteps,
    Solver,
    SolverError,
    bosh3,
    counted,
    dopri5,
    euler,
    odeint,
    odesolve,
    rk4,
)
from odelearn.solvers import errors
from odelearn.solvers.solver import dop853, tsit5

ADAPTIVE = [dopri5(), tsit5(), bosh3(), dop853(), Solver(HEUN, AdaptiveSteps())]
with_adaptive = pytest.mark.parametrize("solver", ADAPTIVE, ids=lambda solver: solver.tableau.name)


def failure(z0, f, *problem):
    """The message of the SolverError. In a second, f can be called 100000 times or more."""
    f = counted(f)
    with pytest.raises(SolverError) as error:
        odesolve(z0, f, *problem)
    assert f.evals < 60_000
    return str(error.value)


def number(pattern, message):
    """The number that the message states in the place of ( )."""
    found = re.search(pattern.replace("()", r"(-?\d[\d.e+-]*\d|-?\d)"), message)
    assert found, f"{pattern} is not in: {message}"
    return float(found.group(1))


# ---- stiffness


def relaxation(rate):
    """y' = rate (y - cos t): whatever y starts from is cos t very soon."""
    return lambda y, t, theta: rate * (y - np.cos(t))


@with_adaptive
def test_a_stiff_problem_is_called_stiff(solver):
    message = failure(1.0, relaxation(-1e6), (0.0, 100.0), None, solver)
    assert "The problem is stiff" in message and solver.tableau.name in message
    assert 'odelearn.scipy_solver("Radau")' in message
    assert number(r"rate lambda = ()", message) == pytest.approx(-1e6, rel=0.01)
    end = errors.stability_limit(solver.tableau)
    assert number(r"\(now ()\)", message) == pytest.approx(-end, rel=0.5)
    assert number(r"h up to ()", message) == pytest.approx(end / 1e6, rel=0.05)
    assert number(r"the rest takes () more", message) == pytest.approx(100 / (end / 1e6), rel=0.5)
    assert 0 < number(r"led only to t = () of 100", message) < 0.1


def test_a_second_is_enough_to_see_that_it_is_stiff():
    start = time.process_time()
    with pytest.raises(SolverError, match="stiff"):
        odesolve(1.0, relaxation(-1e6), (0.0, 100.0))
    assert time.process_time() - start < 1


def test_stiffness_backwards_in_time_and_in_one_member_of_a_batch():
    message = failure(1.0, relaxation(1e6), (100.0, 0.0))
    assert number(r"rate lambda = ()", message) == pytest.approx(1e6, rel=0.01)
    rates = np.array([[-1.0, -2.0], [-1e6, -3.0]])
    message = failure(np.ones((2, 2)), lambda z, t, theta: rates * (z - np.cos(t)), (0.0, 100.0))
    assert "z[1, 0] = " in message and number(r"rate lambda = ()", message) == pytest.approx(-1e6, rel=0.01)


def test_a_long_solve_that_max_steps_allows_is_left_alone():
    """7000 steps at the stability limit, and then as many as one likes."""
    f = counted(relaxation(-1e3))
    trajectory = odesolve(1.0, f, (0.0, 20.0))
    assert trajectory.stats.attempts > 5000 and trajectory.stats.evals == f.evals
    assert trajectory.zs[-1] == pytest.approx(np.cos(20.0), abs=2e-3)


def test_a_fast_beginning_that_is_not_stiff_is_left_alone():
    """At the pace of the first 20 the rest would take ten times max_steps; what was asked to see that is counted."""
    f = counted(lambda y, t, theta: np.array(np.cos(60 * t) if t < 20 else 0.1))
    trajectory = odesolve(0.0, f, (0.0, 800.0), None, dopri5(max_steps=6000))
    assert trajectory.stats.evals == f.evals and trajectory.stats.attempts > 1200
    assert trajectory.zs[-1] == pytest.approx(np.sin(1200) / 60 + 78, rel=1e-6)


def test_steps_that_grow_are_left_alone():
    """y' = -y / t over twelve decades of t: at its first pace it would never be done, but each decade goes as fast."""
    trajectory = odesolve(1.0, lambda y, t, theta: -y / t, (1e-3, 1e9), None, dopri5(1e-13, 1e-30))
    assert trajectory.stats.attempts > 2000
    assert trajectory.zs[-1] == pytest.approx(1e-12, rel=1e-9)


def test_patience_is_for_the_user_to_choose():
    """300 takes 105000 steps: beyond 25 times 3000, but not beyond fifty times 3000."""
    told = lambda **control: failure(1.0, relaxation(-1e3), (0.0, 300.0), None, dopri5(max_steps=3000, **control))
    assert number("() of max_steps = 3000 attempts", told()) < 2000
    for patience in (50.0, math.inf):
        assert told(patience=patience).startswith("max_steps = 3000 attempts")


def test_a_hopeless_solve_is_given_up_after_2_percent_of_max_steps():
    """Two reviews, each after 1 % of max_steps but no sooner than after 500 attempts."""
    for max_steps, after in (100_000, 2000), (60_000, 1200), (5000, 1000):
        message = failure(1.0, relaxation(-1e3), (0.0, 1e6), None, dopri5(max_steps=max_steps))
        assert number(f"() of max_steps = {max_steps} attempts", message) == after


def test_an_end_that_cannot_be_reached_is_seen_early_and_is_no_blow_up():
    """z = sin t up to t = 1e300: z / z' is far below that, but it does not shrink."""
    message = failure(0.0, lambda z, t, theta: np.array(np.cos(t)), (0.0, 1e300))
    assert "2000 of max_steps = 100000 attempts" in message and "It is not stiff" in message
    assert "blows up" not in message


def test_accuracy_is_not_mistaken_for_stiffness():
    message = failure([1.0, 0.0], lambda z, t, theta: 1e6 * np.stack([z[1], -z[0]]), (0.0, 1e4))
    assert "It is not stiff" in message and abs(number(r"h lambda = ()", message)) < 0.1
    message = failure(1.0, lambda y, t, theta: np.cos(9 * t), (0.0, 100.0), None, dopri5(max_steps=20))
    assert "It is not stiff" in message and number("max_steps = () attempts led only to t", message) == 20


# ---- solutions that end


@pytest.mark.parametrize("ts, sign", [((0.0, 2.0), 1.0), ((2.0, 0.0), -1.0)], ids=["forwards", "backwards"])
@with_adaptive
def test_the_time_of_a_blow_up(solver, ts, sign):
    """y' = y^2 from 1: y = 1 / (1 - t)."""
    message = failure(np.array([0.0, 1.0]), lambda y, t, theta: sign * y * y, ts, None, solver)
    assert "The solution blows up: z[1] = " in message
    assert number(r"infinite at t = ()", message) == pytest.approx(1.0, abs=1e-3)
    assert number(r"led only to t = ()", message) if solver is ADAPTIVE[-1] else "fell to h = " in message
    y, slope = number(r"blows up: z\[1\] = ()", message), number(r"and dz/dt\[1\] = ()", message)
    assert slope == pytest.approx(sign * y * y, rel=1e-4)  # both at the start of the step


def test_overflow_in_fixed_steps_is_a_blow_up_or_instability():
    message = failure(1.0, lambda y, t, theta: y * y, (0.0, 9.0), None, euler(n=4000))
    assert "blows up" in message and number(r"infinite at t = ()", message) == pytest.approx(1.0, abs=0.05)
    for rates in (np.array([-50.0]), np.array([-1.0, -50.0])):
        message = failure(np.ones_like(rates), lambda y, t, theta, r=rates: r * y, (0.0, 100.0), None, euler(n=1000))
        assert "The steps are too long" in message and "blows up" not in message
        assert number(r"rate lambda = ()", message) == pytest.approx(-50, rel=1e-3)
        assert number(r"\(now ()\)", message) == pytest.approx(-5, rel=1e-3)
        assert number(r"h up to ()", message) == pytest.approx(2 / 50, rel=0.01)
    assert "blows up" in failure(1.0, lambda y, t, theta: 50 * y, (0.0, 100.0), None, rk4(n=200))
    assert "blows up" in failure(1.0, lambda y, t, theta: 50 * y, (0.0, 100.0))


@pytest.mark.parametrize("solver", [dopri5(), rk4(n=40)])
def test_a_field_that_is_undefined_is_told_from_both(solver):
    """y' = -sqrt(y) arrives at 0 when t = 2, and a stage looks beyond."""
    message = failure([5.0, 1.0], lambda y, t, theta: -np.stack([0 * y[0], np.sqrt(y[1])]), (0.0, 3.0), None, solver)
    assert number(r"f is not finite: dz/dt\[1\] = nan at t = ()", message) == pytest.approx(2, abs=0.1)
    assert -0.01 < number(r"where z\[1\] = ()", message) < 0
    assert number(r"in step () of length", message) > 20 and "z was harmless, max|z| = 5," in message


def test_a_singular_field_and_a_smallest_step():
    message = failure(1.0, lambda y, t, theta: -1 / (2 * y), (0.0, 3.0))  # y = sqrt(1 - t)
    assert "singular" in message and number(r"at t = () in step", message) == pytest.approx(1, abs=1e-5)
    y, slope = number("most of it in z = ()", message), number("dz/dt = ()", message)
    assert slope == pytest.approx(-1 / (2 * y), rel=1e-4)  # both at the start of the step
    message = failure(1.0, lambda y, t, theta: np.cos(50 * t), (0.0, 1.0), None, dopri5(1e-12, 1e-14, min_step=0.1))
    assert "min_step = 0.1 forbids shorter ones" in message


def test_a_first_step_that_fails_has_nothing_before_it():
    message = failure(1e200, lambda y, t, theta: y * y if t > 0 else y, (0.0, 1.0), None, rk4(n=1))
    assert "f is not finite: dz/dt = inf at t = 0.5" in message and "in step 1 of length" in message
    bad_at_last = lambda y, t, theta: y if t < 1 else np.full_like(y, np.inf)
    assert "dz/dt = inf at t = 1" in failure(1.0, bad_at_last, (0.0, 1.0), None, Solver(HEUN, FixedSteps(n=1)))


def test_a_state_that_overflows_though_every_slope_is_finite():
    message = failure([1.0, 1e308], lambda y, t, theta: np.array([0.0, 1e308]), (0.0, 10.0), None, euler(n=2))
    assert "the state is not finite: z[1] = inf at t = 5" in message


LIMITS = dict(EULER=2.0, HEUN=2.0, RK4=2.785, BOSH3=2.513, DOPRI5=3.307)


@pytest.mark.parametrize("name", LIMITS)
def test_stability_limit_is_where_the_steps_begin_to_grow(name):
    """As published; and a step a little shorter damps y' = -y, one a little longer makes it grow."""
    limit, one_step = errors.stability_limit(TABLEAUS[name]), Solver(TABLEAUS[name], FixedSteps(n=1))
    assert limit == pytest.approx(LIMITS[name], abs=0.01)
    after = lambda h: abs(odesolve(1.0, lambda y, t, theta: -y, (0.0, h), None, one_step).zs[-1])
    assert after(limit - 0.01) < 1 < after(limit + 0.02)


def test_h_lambda_is_the_fastest_rate_of_the_field():
    rng = np.random.default_rng(0)
    X = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    A = X @ np.diag([-40.0, 3.0, -2.0, 1.0]) @ X.T
    step = odesolve(rng.normal(size=4), lambda z, t, theta: A @ z + np.cos(t), (0.0, 0.1), None, rk4(n=1)).steps[0]
    assert errors.h_lambda(step) == pytest.approx(-4.0, rel=1e-3)


# ---- wrong arguments, before the first step


two = dict(z0=[1.0, 2.0], f=lambda z, t, theta: -z, ts=[0.0, 1.0], theta=None, solver=dopri5())


def in_place(x):
    x *= 2.0
    return x


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (dict(f=MLP((2, 3, 2)), theta=np.ones(5)), ValueError, "theta must have the 17 parameters of f, got 5"),
        (dict(f=MLP((2, 3, 2))), ValueError, "theta must have the 17 parameters of f, got 0"),
        (dict(f=lambda z, t, theta: theta[1] * z, theta=[1.0]), ValueError, r"theta of shape \(1,\): index 1"),
        (dict(f=lambda z, t, theta: z * z[2]), ValueError, r"z of shape \(2,\) and theta of shape None: index 2"),
        (dict(f=lambda z, t, theta: in_place(z)), ValueError, "changed its argument z in place"),
        (dict(f=lambda z, t, theta: z * in_place(theta), theta=[1.0]), ValueError, "its argument theta in place"),
        (dict(solver=dopri5(rtol=np.ones(3))), ValueError, r"rtol has shape \(3,\), which does not broadcast with z"),
        (dict(solver=dopri5(atol=np.ones((4, 2)))), ValueError, r"atol has shape \(4, 2\), .*, of shape \(2,\)"),
        (dict(solver="dopri5"), TypeError, "solver must be a Solver, .* got 'dopri5'"),
        (dict(solver=dopri5), TypeError, "with its parentheses"),
        (dict(solver=Solver), TypeError, "solver must be a Solver"),
    ],
)
def test_what_a_solve_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        odesolve(**(two | arguments))
    with pytest.raises(error, match=message):
        odeint(**(two | arguments))


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: AdaptiveSteps(shrink=1.5), ValueError, "0 < shrink < 1 < grow, got shrink = 1.5"),
        (lambda: AdaptiveSteps(grow=0.9), ValueError, "grow = 0.9"),
        (lambda: AdaptiveSteps(safety=0.0), ValueError, "safety = 0.0"),
        (lambda: AdaptiveSteps(beta=-1.0), ValueError, "beta = -1.0"),
        (lambda: AdaptiveSteps(patience=0.0), ValueError, "patience = 0.0"),
        (lambda: AdaptiveSteps(rtol=[1e-3, -1e-3]), ValueError, "rtol must be finite and not negative"),
        (lambda: Solver("RK4", FixedSteps(n=2)), TypeError, "Solver takes a ButcherTableau"),
        (lambda: Solver(HEUN, 0.1), TypeError, "FixedSteps.* got .*HEUN.* and 0.1"),
    ],
)
def test_what_cannot_be_a_solver(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_tolerances_for_each_component():
    """Where one component may be wrong, it does not shorten the steps for the other."""
    f = lambda z, t, theta: np.stack([-z[0], 30 * np.cos(30 * t)])
    solve = lambda atol: odesolve([1.0, 0.0], f, (0.0, 4.0), None, dopri5(0.0, atol))
    both, one = solve(np.array([1e-8, 1e-8])), solve(np.array([1e-8, 1e2]))
    assert one.stats.accepted < both.stats.accepted / 3
    assert abs(one.zs[-1, 0] - np.exp(-4)) < 1e-7
    zs, pullback = Backsolve().vjp([1.0, 0.0], f, (0.0, 4.0), None, dopri5(1e-9, np.array([1e-9, 1e-9])))
    np.testing.assert_allclose(pullback(np.array([[0, 0], [1.0, 1.0]])).z0, [np.exp(-4), 1.0], rtol=1e-6)


def test_a_backward_solve_that_fails_says_so():
    """Forwards z' = -30 z contracts; backwards it grows past all bounds."""
    f, ts = lambda z, t, theta: -theta[0] * z * z * z, (0.0, 40.0)
    zs, pullback = Backsolve(reset=False).vjp(np.ones(1), f, ts, [30.0], dopri5(1e-3, 1e-6))
    with pytest.raises(SolverError) as error:
        pullback(np.ones((2, 1)))
    assert any("Discrete" in note for note in error.value.__notes__)
    _, pullback = Discrete().vjp(np.ones(1), f, ts, [30.0], dopri5(1e-3, 1e-6))
    assert np.isfinite(pullback(np.ones((2, 1))).theta).all()


def test_a_good_solve_stays_good():
    assert odesolve(LINEAR.z0, LINEAR.f, LINEAR.ts, LINEAR.theta).stats.rejected < 5
