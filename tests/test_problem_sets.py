"""Known problems, known solutions: torchdiffeq's, SciPy's, and all of DETEST."""

import numpy as np
import pytest
from detest import DETEST, TS, end
from problem_sets import SCIPY, TORCHDIFFEQ
from problems import backwards
from scipy.integrate import solve_ivp

from odelearn import TABLEAUS, FixedSteps, Solver, bosh3, counted, dopri5, observed_order, odesolve
from odelearn.solvers.solver import dop853, tsit5
from odelearn.verify.solver_problems import FORCED_SYSTEM

CLOSED = TORCHDIFFEQ + SCIPY
ADAPTIVE = {bosh3: 1e-5, dopri5: 1e-8, tsit5: 1e-8, dop853: 1e-10}  # with tolerances at which they are at home
each = pytest.mark.parametrize


def solved(problem, solver):
    return odesolve(problem.z0, problem.f, problem.ts, problem.theta, solver)


def error(problem, zs):
    """max |z - exact| over all observations, relative to the largest |exact|."""
    exact = np.array([problem.exact(t) for t in problem.ts])
    return np.abs(zs - exact).max() / np.abs(exact).max()


# ---- closed forms


@each("solver", ADAPTIVE)
@each("problem", CLOSED)
def test_the_error_is_at_most_a_thousand_tolerances(problem, solver):
    tol = ADAPTIVE[solver]
    for p in (problem, backwards(problem)):
        assert error(p, solved(p, solver(tol, tol)).zs) < 1000 * tol


@each("tableau", TABLEAUS.values())
@each("problem", CLOSED)
def test_the_error_of_equal_steps_falls_like_a_power_of_their_length(problem, tableau):
    """error(n) = C (1/n)^p, with a C that is the same to within a factor of 16 on all meshes, coarse ones too."""
    for p in (problem, backwards(problem)):
        meshes = [int(n) for n in 2 ** np.arange(2, 9) if n * tableau.stages < 400]
        errors = [error(p, solved(p, Solver(tableau, FixedSteps(n=n))).zs) for n in meshes]
        for n, e in zip(meshes, errors, strict=True):
            assert e < 16 * errors[0] * (meshes[0] / n) ** tableau.order + 1e-12  # round-off


# ---- DETEST


def scale(problem):
    return max(np.abs(problem.z0).max(), np.abs(end(problem)).max())


def distance(problem, z):
    return np.abs(z - end(problem)).max() / scale(problem)


@each("problem", DETEST)
def test_a_reference_at_1e_12_meets_the_closed_form_or_the_published_value(problem):
    assert distance(problem, solved(problem, dop853(1e-12, 1e-12)).zs[-1]) < 100e-12


@each("problem", [p for p in DETEST if p.exact])
def test_the_closed_forms_are_solutions(problem):
    """At the start, and in their slope at t = 3: differences are good to the square of their step, 1e-8."""
    np.testing.assert_allclose(problem.exact(0.0), problem.z0, rtol=0, atol=1e-14)
    slope = (problem.exact(3.0 + 1e-4) - problem.exact(3.0 - 1e-4)) / 2e-4
    np.testing.assert_allclose(problem.f(problem.exact(3.0), 3.0, None), slope, rtol=0, atol=1e-6)


@each("solver", ADAPTIVE)
@each("problem", DETEST)
def test_detest_at_usual_tolerances(problem, solver):
    tol = ADAPTIVE[solver]
    assert distance(problem, solved(problem, solver(tol, tol)).zs[-1]) < 1000 * tol


@each("method, tol", [("DOP853", 1e-12), ("LSODA", 1e-12), pytest.param("Radau", 1e-8, marks=pytest.mark.slow)])
def test_scipy_at_tight_tolerances_finds_the_same(method, tol):
    """LSODA's global error is the largest, about 4000 tolerances after two orbits of eccentricity 0.9."""
    for p in DETEST:
        z = solve_ivp(lambda t, y, p=p: p.f(y, t, None), TS, p.z0, method, rtol=tol, atol=tol).y[:, -1]
        assert distance(p, z) < 10_000 * tol, p


EXPLODE_BACKWARDS = {"A1", "B2", "B3", "C1", "C2", "C3", "C4", "E2"}  # what decays by e^-20 or more on the way there


@each("problem", DETEST)
def test_there_and_back(problem):
    """dy/dt = f is solved backwards as well: the whole way, or where nothing could be found again, from t = 1/2."""
    solver = dop853(1e-12, 1e-12)
    far = 0.5 if problem.name in EXPLODE_BACKWARDS else 20.0
    there = odesolve(problem.z0, problem.f, [0.0, far], None, solver).zs[-1]
    back = odesolve(there, problem.f, [far, 0.0], None, solver).zs[-1]
    assert np.abs(back - problem.z0).max() < 100_000 * 1e-12 * scale(problem)


# ---- the same work as SciPy


@pytest.mark.parametrize("rtol, atol", [(1e-3, 1e-6), (1e-6, 1e-9)])
@each("problem", SCIPY)
def test_the_steps_are_those_of_scipy(problem, rtol, atol):
    """Same tableau, same estimate, same control, same first step. SciPy's DOP853 also measures f(z_next) after rejected
    steps and after the last one, where nobody needs it."""
    for method, solver in ("RK23", bosh3), ("RK45", dopri5), ("DOP853", dop853):
        ts = problem.ts[[0, -1]]
        ours = odesolve(problem.z0, problem.f, ts, None, solver(rtol, atol))
        scipys = solve_ivp(lambda t, y: problem.f(y, t, None), ts, problem.z0, method, rtol=rtol, atol=atol)
        unneeded = ours.stats.rejected + 1 if method == "DOP853" else 0
        assert ours.stats.evals + unneeded == pytest.approx(scipys.nfev, rel=0.02)
        assert ours.stats.accepted == len(scipys.t) - 1
        np.testing.assert_allclose([step.t_next for step in ours.steps], scipys.t[1:], rtol=1e-6)
        np.testing.assert_allclose(ours.zs[-1], scipys.y[:, -1], rtol=1e-9)


@each("solver", [dopri5(1e-8, 1e-8), dop853(1e-8, 1e-8)])
def test_a_step_cut_short_by_an_observation_does_not_slow_down_the_next(solver):
    """Two more observations, 1e-9 apart, cost the steps that land on them, and no new start."""
    p = TORCHDIFFEQ[2]
    seldom, often = (odesolve(p.z0, p.f, ts, None, solver).stats for ts in ((1, 8), (1, 4, 4 + 1e-9, 8)))
    assert often.attempts <= seldom.attempts + 3


# ---- dense output, and where f is asked


@pytest.mark.parametrize("direction", [1, -1], ids=["forwards", "backwards"])
@each("tableau", TABLEAUS.values())
def test_dense_output_within_one_step_is_of_its_order(tableau, direction):
    """An interpolant of order q is off by h^(q+1): at a third of a step from an exact start, the worst of twelve."""
    starts = np.linspace(0, 6, 12, endpoint=False)

    def largest_error(h):
        errors = []
        for t in starts:
            end = t + direction * h
            f = lambda z, t, theta: FORCED_SYSTEM.f(z, t)
            traj = odesolve(FORCED_SYSTEM.exact(t), f, [t, end], None, Solver(tableau, FixedSteps(n=1)))
            inside = t + direction * h / 3
            errors.append(np.abs(traj(inside) - FORCED_SYSTEM.exact(inside)).max())
        return max(errors)

    q = tableau.dense.order
    errors = [largest_error(h) for h in (0.8, 0.4, 0.2, 0.1, 0.05)]
    clear = [e for e in errors if e > 1e-13][-3:]
    assert observed_order(clear) == pytest.approx(q + 1, abs=0.4)


@each("solver", [*ADAPTIVE, *(Solver(tableau, FixedSteps(h=0.3)) for tableau in TABLEAUS.values())])
def test_f_is_never_asked_outside(solver):
    solver = solver(1e-4, 1e-6, first=100.0) if callable(solver) else solver  # far too long for a first step
    for problem in CLOSED:
        for p in (problem, backwards(problem)):
            times = []

            def f(y, t, theta, p=p, times=times):
                times.append(t)
                return p.f(y, t, theta)

            traj = odesolve(p.z0, f, p.ts, None, solver)
            traj(np.linspace(p.ts[0], p.ts[-1], 37))
            assert (min(times), max(times)) == (min(p.ts), max(p.ts))


@each("solver", [dop853(1e-6, 1e-8), bosh3(1e-3, 1e-5)])
def test_the_books_balance(solver):
    """Every evaluation is counted, and every attempt is either accepted or rejected. There are some of both."""
    rejected = 0
    for problem in CLOSED + DETEST:
        f = counted(problem.f)
        traj = odesolve(problem.z0, f, problem.ts, None, solver)
        stats, ledger = traj.stats, traj.ledger
        assert stats.evals == f.evals
        assert stats.accepted == len(traj.steps) == sum(attempt.accepted for attempt in ledger)
        assert stats.rejected == sum(not attempt.accepted for attempt in ledger)
        assert stats.accepted + stats.rejected == stats.attempts
        rejected += stats.rejected
    assert rejected > 100
