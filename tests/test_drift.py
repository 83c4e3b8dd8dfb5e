"""How far a rebuilt state is from the true one: what is measured, what is explained, and when a warning comes."""

import warnings
from itertools import pairwise

import numpy as np
import pytest
from problems import CUBIC_SPIRAL, LINEAR, LOTKA_VOLTERRA, NEURAL, OSCILLATING_RATE, backwards

from odelearn import Backsolve, Discrete, Reversible, dopri5, euler, odesolve, rk4
from odelearn.gradients.drift import Drift, DriftWarning

TS = np.array([0.0, 1.0, 1.5, 3.0])
SEVERAL = [LINEAR, LOTKA_VOLTERRA, CUBIC_SPIRAL, NEURAL]  # with several components and times


def decay_beside_rest(z, t, theta):
    """z' = [0, theta z]: the first component rests."""
    return np.stack([0 * z[0], theta[0] * z[1]])


def drift_of(p, method, solver):
    zs, pullback = method.vjp(p.z0, p.f, p.ts, p.theta, solver)
    return pullback(np.ones_like(zs)).drift


# ---- what is measured


@pytest.mark.parametrize("p", [way(p) for p in SEVERAL for way in (lambda p: p, backwards)])
def test_drift_is_the_largest_gap_of_z_solved_back(p):
    """By equal steps [z, a] goes back by the same formulas as z alone. The loss does not matter."""
    solver, zs = rk4(n=2), odesolve(p.z0, p.f, p.ts, p.theta, rk4(n=2)).zs
    back = lambda z, *ts: odesolve(z, p.f, ts, p.theta, solver).zs[1:]
    reset = [back(z, t1, t0)[0] for (t0, t1), z in zip(pairwise(p.ts), zs[1:], strict=True)]
    rebuilt = back(zs[-1], *p.ts[::-1])[::-1]
    for states, method in (reset, Backsolve()), (rebuilt, Backsolve(reset=False)):
        gaps = np.abs(np.array(states) - zs[:-1])
        assert gaps.min() < 0.5 * gaps.max()
        with warnings.catch_warnings(action="ignore", category=DriftWarning):
            assert drift_of(p, method, solver) == pytest.approx(gaps.max(), rel=1e-8)


@pytest.mark.parametrize("rate", [-20.0, -40.0])
def test_a_component_at_rest_does_not_silence_the_warning(rate):
    """It is rebuilt without error, beside one that is not: the largest gap counts."""
    zs, pullback = Backsolve().vjp([0.0, 1.0], decay_beside_rest, (0.0, 1.0), [rate], dopri5())
    with pytest.warns(DriftWarning, match=r"ts\[0\] = 0"):
        drift = pullback(np.ones_like(zs)).drift
    assert 1e-12 < drift * np.exp(rate) < 1e-6
    zs, pullback = Reversible(0.9).vjp([0.0, 1.0], decay_beside_rest, (0.0, 1.0), [-1.0], euler(n=250))
    with pytest.warns(DriftWarning, match="half of its digits"):
        assert pullback(np.ones_like(zs)).drift > 1e-8


def test_the_drift_of_reversible_is_the_largest_of_all_observations():
    """Round-off grows by 0.99^-1000 on the way back, so the largest gap is that at ts[0]: an observation more on the
    way does not hide it."""
    p = OSCILLATING_RATE
    drift = {}
    for ts in (0.2, 1.7), (0.2, 1.6, 1.7):
        zs, pullback = Reversible(0.99).vjp(p.z0, p.f, ts, p.theta, rk4(h=1.5 / 1000))
        drift[len(ts)] = pullback(np.ones_like(zs)).drift
    grown = np.finfo(float).eps * 0.99**-1000  # 5e-12
    assert 0.1 * grown < drift[2] < 1e4 * grown and 0.01 < drift[3] / drift[2] < 100


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_reversible_warns_from_half_of_the_digits_on(dtype):
    """sqrt(eps) of the largest |z|, be that above 1 or below it."""
    for zs in np.array([[[1.0, -8.0]], [[2.0, 0.0]]], dtype), np.array([[0.125, 0.0], [0.0625, 0.0]], dtype):
        limit = np.sqrt(np.finfo(dtype).eps) * np.abs(zs).max()
        Reversible().warn(0.99 * limit, zs, 10)
        with pytest.warns(DriftWarning, match=r"half of its digits .* coupling\^-N = 0.99\^-10 = 1,"):
            Reversible().warn(1.01 * limit, zs, 10)


# ---- what is explained


def drift_after(steps, solvers, reset=True, z0=(2.0,)):
    """A Drift that has seen a solve with so many steps in each interval, and |z| = 2 throughout."""
    drift = Drift(np.array(z0), len(steps), solvers, reset)
    rest = odesolve(np.array(z0), lambda z, t, theta: 0 * z, (0.0, 1.0), None, euler(n=1)).steps[0]
    for i, n in enumerate(steps):
        for _ in range(n):
            drift.note(i, rest)
    return drift


def test_of_two_solvers_the_looser_explains():
    """The forward solver and the one of the way back both err."""
    loose, tight = dopri5(1e-3, 1e-5), dopri5(1e-8, 1e-10)
    for solvers in (loose, tight), (tight, loose), (loose, loose):
        assert drift_after([3, 1], solvers).explained() == pytest.approx(20 * np.array([3, 1]) * (1e-5 + 2e-3))
    assert drift_after([3], (tight, tight)).explained() == pytest.approx(60 * (1e-10 + 2e-8))


def test_of_an_array_of_tolerances_the_largest_explains():
    solver = dopri5(np.array([1e-8, 1e-3]), np.array([1e-5, 1e-9]))
    assert drift_after([2], (solver, solver)).explained() == pytest.approx(40 * (1e-5 + 2e-3))


@pytest.mark.parametrize("z0, factor", [([-5.0, 1.0], 0.1), ([0.5, -0.1], 10.0)], ids=["falling", "rising"])
def test_the_largest_component_at_either_end_of_a_step_explains(z0, factor):
    """|z| is 5 at the start or at the end of the first step, beside a component of 1."""
    solver = dopri5(1e-3, 0.0)
    step = odesolve(z0, lambda z, t, theta: (factor - 1) * z, (0.0, 1.0), None, euler(n=1)).steps[0]
    drift = Drift(np.array(z0), 2, (solver, solver), reset=True)
    drift.note(0, step)
    drift.note(1, step)
    assert drift.explained() == pytest.approx(20e-3 * np.array([5.0, max(np.abs(step.z_next))]))


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "rebuilt"])
@pytest.mark.parametrize("solver", [dopri5(1e-3, 1e-5), rk4(n=3)])
def test_the_warning_comes_just_above_what_is_explained_and_names_the_worst_place(solver, reset):
    drift = drift_after([3, 1, 2], (solver, solver), reset)
    explained = drift.explained()
    drift.warn(explained * (1 - 1e-9), TS)  # no warning: pytest would make it an error
    drift.warn(np.zeros(3), TS)
    for i in range(3):
        gaps = explained * 0.9
        gaps[i] = 1.001 * explained[i]
        if i:
            gaps[0] = 1.0005 * explained[0]  # too large as well, but not the worst
        message = rf"ts\[{i}\] = {TS[i]:g} is {gaps[i]:.2g} from the true one, .* explains {explained[i]:.2g}: f contr"
        with pytest.warns(DriftWarning, match=message.replace("+", r"\+")):
            drift.warn(gaps, TS)


def test_a_gap_that_nothing_explains_is_warned_of_and_no_gap_is_not():
    """z = 0 and atol = 0 leave nothing to explain a gap with."""
    solver = rk4(n=1)
    drift = drift_after([1], (solver, solver), z0=[0.0])
    drift.warn(np.zeros(1), TS[:2])
    with pytest.warns(DriftWarning):
        drift.warn(np.full(1, 1e-30), TS[:2])


def test_without_an_interval_nothing_drifts():
    zs, pullback = Backsolve().vjp([1.0], lambda z, t, theta: -z, [0.5], None, dopri5())
    assert pullback(np.ones_like(zs)).drift == 0.0
    zs, pullback = Discrete().vjp([1.0], lambda z, t, theta: -z, [0.5, 1.0], None, dopri5())
    assert pullback(np.ones_like(zs)).drift is None
