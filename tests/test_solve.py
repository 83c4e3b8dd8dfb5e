"""The engine: order, mesh, dtype, direction, evaluations, dense output, and what happens to bad input."""

from itertools import pairwise

import numpy as np
import pytest
from problems import BATTERY, CUBIC_SPIRAL, LINEAR, OSCILLATING_RATE, backwards

from odelearn import (
    BOSH3,
    DOP853,
    DOPRI5,
    EULER,
    HEUN,
    MIDPOINT,
    RALSTON,
    RK4,
    RK38,
    AdaptiveSteps,
    FixedSteps,
    Solver,
    SolverError,
    bosh3,
    counted,
    dop853,
    dopri5,
    euler,
    heun,
    midpoint,
    observed_order,
    odesolve,
    ralston,
    rk4,
    rk38,
    unrolled,
)

TABLEAUS = [EULER, MIDPOINT, HEUN, RK4, RK38, BOSH3, DOPRI5]
SOLVED = [p for p in BATTERY if p.exact]


def fixed(tableau, n):
    return Solver(tableau, FixedSteps(n=n))


C = np.array([1.5, 2.0, 3.0])


def nonlinear(y, t, theta):
    """y' = cos(t) / (2 y): non-autonomous and nonlinear, so that every order condition counts. y = sqrt(C + sin t)."""
    return np.cos(t) / (2 * y)


def exactly(t):
    return np.sqrt(C + np.sin(np.asarray(t)[..., None]))


@pytest.mark.parametrize("ts", [np.linspace(0, 3, 5), np.linspace(3, 0, 5)], ids=["forwards", "backwards"])
@pytest.mark.parametrize("tableau", TABLEAUS)
def test_error_closes_at_the_order_of_the_tableau(tableau, ts):
    solve = lambda n: odesolve(exactly(ts[0]), nonlinear, ts, None, fixed(tableau, n)).zs
    errors = [np.abs(solve(n) - exactly(ts)).max() for n in (6, 12, 24)]
    assert observed_order(errors) == pytest.approx(tableau.order, abs=0.15)


@pytest.mark.parametrize("tableau", TABLEAUS)
@pytest.mark.parametrize("problem", BATTERY)
def test_fixed_steps_are_the_spelled_out_formulas_to_round_off(problem, tableau):
    for p in (problem, backwards(problem)):
        solver = fixed(tableau, 7)
        zs = odesolve(p.z0, p.f, p.ts, p.theta, solver).zs
        reference = unrolled(p.z0, p.f, p.ts, p.theta, solver)
        np.testing.assert_allclose(zs, reference, rtol=0, atol=1e-13 * np.abs(reference).max())


@pytest.mark.parametrize("solver", [bosh3, dopri5])
@pytest.mark.parametrize("problem", SOLVED)
def test_adaptive_error_is_proportional_to_the_tolerance(problem, solver):
    for p in (problem, backwards(problem)):
        exact = np.array([p.exact(t) for t in p.ts])
        errors = [
            np.abs(odesolve(p.z0, p.f, p.ts, p.theta, solver(tol, tol)).zs - exact).max() for tol in (1e-4, 1e-7, 1e-10)
        ]
        assert errors[0] < 1e-2 and errors[1] < 1e-5 and errors[2] < 1e-8
        assert errors[2] < 1e-4 * errors[0]


def test_euler_on_a_linear_field_is_a_power_of_a_matrix():
    """z_N = (I + h A)^N z0, exactly."""
    A, h, N = LINEAR.theta.reshape(2, 2), 0.05, 20
    z = odesolve(LINEAR.z0, LINEAR.f, (0.0, h * N), LINEAR.theta, euler(n=N)).zs[-1]
    np.testing.assert_allclose(z, np.linalg.matrix_power(np.eye(2) + h * A, N) @ LINEAR.z0, rtol=1e-14)


@pytest.mark.parametrize(
    "convenience, tableau",
    [(euler, EULER), (midpoint, MIDPOINT), (heun, HEUN), (ralston, RALSTON), (rk4, RK4), (rk38, RK38)],
)
def test_named_solvers(convenience, tableau):
    assert convenience(n=3) == Solver(tableau, FixedSteps(n=3))
    assert convenience(h=0.1) == Solver(tableau, FixedSteps(h=0.1))


@pytest.mark.parametrize(
    "dt, h, n", [(0.1, 0.1, 1), (0.3, 0.1, 3), (0.9 - 0.2, 0.1, 7), (-0.3, 0.1, 3), (0.31, 0.1, 4), (1e-3, 0.1, 1)]
)
def test_fixed_steps_are_counted_with_a_guard_against_round_off(dt, h, n):
    assert FixedSteps(h=h).count(dt) == n


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("solver", [rk4(n=3), dopri5(1e-3, 1e-4), bosh3(1e-3, 1e-4)])
def test_dtype_follows_z0_and_f_sees_it(dtype, solver):
    seen = set()

    def f(z, t, theta):
        seen.add((z.dtype, theta.dtype, type(t)))
        return theta[0] * z

    trajectory = odesolve(np.ones(3, dtype), f, (0.0, 0.5, 1.0), np.array([-1.0]), solver)
    assert trajectory.zs.dtype == trajectory(0.3).dtype == dtype
    assert seen == {(np.dtype(dtype), np.zeros((), dtype).real.dtype, float)}


def test_integers_and_lists_become_float64():
    zs = odesolve([1, 2], lambda z, t, theta: [-z[0], 1], [0, 1]).zs
    assert zs.dtype == np.float64
    np.testing.assert_allclose(zs[-1], [np.exp(-1), 3], rtol=1e-5)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (4, 1, 2)])
def test_any_shape_of_state(shape):
    z0 = np.linspace(1, 2, int(np.prod(shape))).reshape(shape)
    trajectory = odesolve(z0, lambda z, t, theta: -z * t, (0.0, 1.0), None, dopri5(1e-9, 1e-9))
    assert (
        trajectory.zs.shape == (2, *shape)
        and trajectory(0.5).shape == shape
        and trajectory([0.5, 0.6, 1]).shape == (3, *shape)
    )
    np.testing.assert_allclose(trajectory.zs[-1], z0 * np.exp(-0.5), rtol=1e-8)


def test_one_observation_is_the_start():
    trajectory = odesolve(np.array([1.0, 2.0]), LINEAR.f, [0.5], LINEAR.theta)
    assert trajectory.zs.tolist() == [[1.0, 2.0]] and trajectory.stats.evals == 0
    assert trajectory(0.5).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("solver", [rk4(n=5), dopri5(), bosh3(), Solver(HEUN, AdaptiveSteps(1e-4, 1e-6))])
@pytest.mark.parametrize("problem", BATTERY)
def test_statistics_are_what_was_counted(problem, solver):
    f = counted(problem.f)
    trajectory = odesolve(problem.z0, f, problem.ts, problem.theta, solver)
    stats = trajectory.stats
    assert stats.evals == f.evals > 0
    assert stats.accepted + stats.rejected == stats.attempts == len(trajectory.ledger)
    assert stats.accepted == len(trajectory.steps)
    assert {step.t_next for step in trajectory.steps} >= set(problem.ts[1:])


@pytest.mark.parametrize("solver", [rk4(h=0.07), dopri5(), bosh3()])
def test_f_is_never_called_outside_the_interval(solver):
    times = []

    def f(z, t, theta):
        times.append(t)
        return z * np.cos(t)

    for ts in ((0.1, 0.77, 1.9), (1.9, 0.77, 0.1)):
        times.clear()
        odesolve(1.0, f, ts, None, solver)(np.linspace(0.1, 1.9, 50))
        assert min(times) == 0.1 and max(times) == 1.9


@pytest.mark.parametrize("solver", [dopri5, bosh3, dop853])
def test_the_look_ahead_for_a_first_step_stays_inside_a_short_interval(solver):
    """So slow a field would allow a first step of 1e4. Nor does the look go further than max_step."""
    times = []
    slow = lambda z, t, theta: times.append(t) or 1e-6 * np.cos(t) * z
    for ts in (0.1, 0.2), (0.2, 0.1):
        odesolve(1.0, slow, ts, None, solver())
        assert min(times) == 0.1 and max(times) == 0.2
        times.clear()
        odesolve(1.0, slow, ts, None, solver(max_step=0.05))
        assert abs(times[1] - ts[0]) <= 0.05 * (1 + 1e-12)  # times[0] is ts[0]
        times.clear()


def test_inputs_are_untouched_and_not_aliased():
    z0, theta, ts = CUBIC_SPIRAL.z0.copy(), CUBIC_SPIRAL.theta.copy(), CUBIC_SPIRAL.ts.copy()
    zs = odesolve(z0, CUBIC_SPIRAL.f, ts, theta).zs
    assert (z0 == CUBIC_SPIRAL.z0).all() and (theta == CUBIC_SPIRAL.theta).all() and (ts == CUBIC_SPIRAL.ts).all()
    z0[:] = 0
    assert (zs[0] == CUBIC_SPIRAL.z0).all()


def test_same_evaluations_and_end_state_as_scipy_rk45():
    """Same tableau, same controller, same starting step: the same steps."""
    from scipy.integrate import solve_ivp

    p = CUBIC_SPIRAL
    for rtol, atol in ((1e-3, 1e-6), (1e-6, 1e-9), (1e-9, 1e-12)):
        for ts in ((0.0, 12.0), (0.5, 0.0)):
            ours = odesolve(p.z0[0], p.f, ts, p.theta, dopri5(rtol, atol))
            scipys = solve_ivp(lambda t, z: p.f(z, t, p.theta), ts, p.z0[0], "RK45", rtol=rtol, atol=atol)
            assert ours.stats.evals == pytest.approx(scipys.nfev, rel=0.02)
            np.testing.assert_allclose(ours.zs[-1], scipys.y[:, -1], rtol=1e-9)


@pytest.mark.parametrize("ts", [(0.0, 3.0), (3.0, 0.0)], ids=["forwards", "backwards"])
@pytest.mark.parametrize("tableau", TABLEAUS)
def test_dense_output_closes_at_its_order(tableau, ts):
    """An interpolant of order q is off by h^(q+1) within a step, the solution by h^p: together h^min(p, q+1)."""
    errors = []
    for n in (24, 48, 96):
        trajectory = odesolve(exactly(ts[0]), nonlinear, ts, None, fixed(tableau, n))
        t = np.array([step.t + 0.4 * step.h for step in trajectory.steps])
        errors.append(np.abs(trajectory(t) - exactly(t)).max())
    assert observed_order(errors) == pytest.approx(min(tableau.order, tableau.dense.order + 1), abs=0.15)
    assert tableau.dense.order >= min(tableau.order - 1, 3)


def test_dense_output_meets_the_mesh_and_refuses_what_is_outside():
    trajectory = odesolve(LINEAR.z0, LINEAR.f, LINEAR.ts, LINEAR.theta)
    np.testing.assert_allclose(trajectory(LINEAR.ts), trajectory.zs, rtol=1e-13)
    for t in (-0.001, 2.001, np.nan):
        with pytest.raises(ValueError, match=r"outside the solved interval \[0, 2\]"):
            trajectory(t)


def test_observing_more_often_keeps_the_accuracy():
    p = OSCILLATING_RATE
    few, many = (odesolve(p.z0, p.f, np.linspace(0.2, 1.7, T), p.theta, dopri5(1e-8, 1e-10)) for T in (2, 60))
    assert abs(few.zs[-1] - p.exact(1.7)) < 1e-6 and abs(many.zs[-1] - p.exact(1.7)) < 1e-6
    assert many.stats.evals < 60 * 7 + few.stats.evals  # a step cut short by an observation does not slow the next ones


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (dict(z0=[np.nan, 1.0]), ValueError, r"z0 must be finite, got z0\[0\] = nan"),
        (dict(z0=["a"]), TypeError, "z0 must be an array of numbers"),
        (dict(z0=[]), ValueError, "nothing to integrate"),
        (dict(ts=[0.0, 1.0, 1.0]), ValueError, r"got ts\[1\] = 1, ts\[2\] = 1"),
        (dict(ts=[0.0, 1.0, 0.5]), ValueError, r"ts must strictly increase or strictly decrease"),
        (dict(ts=[0.0, np.inf]), ValueError, r"ts must be finite"),
        (dict(ts=[]), ValueError, "at least one time"),
        (dict(ts=0.3), ValueError, "vector"),
        (dict(ts=[0, 1j]), TypeError, "ts must be real"),
        (dict(theta=[[1.0]]), ValueError, "ravel"),
        (dict(theta=[np.inf]), ValueError, r"theta must be finite, got theta\[0\] = inf"),
        (dict(theta=[1j]), TypeError, "z0 \\+ 0j"),
        (dict(theta=["x"]), TypeError, "theta must be numbers"),
        (dict(f=3), TypeError, "f must be a function"),
        (dict(f=lambda z, t, theta: z[:1]), ValueError, r"f returned shape \(1,\) for a state z of shape \(2,\)"),
        (dict(f=lambda z, t, theta: z.astype(np.float32)), TypeError, "f returned float32"),
        (dict(f=lambda z, t, theta: 1j * z), TypeError, "f returned complex128"),
        (dict(f=lambda z, t, theta: None), TypeError, "f returned None"),
        (dict(f=lambda z, t, theta: z.__imul__(2.0)), ValueError, "in place"),
    ],
)
def test_bad_arguments_are_named_before_the_first_step(arguments, error, message):
    good = dict(z0=[1.0, 2.0], f=lambda z, t, theta: -z, ts=[0.0, 1.0], theta=None)
    with pytest.raises(error, match=message):
        odesolve(**(good | arguments))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: FixedSteps(), "either n .* or h"),
        (lambda: FixedSteps(n=2, h=0.1), "either n .* or h"),
        (lambda: FixedSteps(n=0), "at least 1, got 0"),
        (lambda: FixedSteps(n=2.5), "whole number of steps"),
        (lambda: FixedSteps(h=-0.1), "positive length"),
        (lambda: AdaptiveSteps(rtol=-1e-3), "rtol must be finite and not negative, got -0.001"),
        (lambda: AdaptiveSteps(atol=np.nan), "atol must be finite"),
        (lambda: AdaptiveSteps(0, 0), "must not both be zero"),
        (lambda: AdaptiveSteps(first=0.0), "first must be a positive length"),
        (lambda: AdaptiveSteps(max_steps=0), "max_steps"),
        (lambda: AdaptiveSteps(min_step=2.0, max_step=1.0), "min_step <= max_step"),
        (lambda: AdaptiveSteps(max_step=0.0), "0 <= min_step <= max_step, got min_step = 0.0, max_step = 0.0"),
        (lambda: AdaptiveSteps(min_step=-0.1), "got min_step = -0.1"),
        (lambda: AdaptiveSteps(grow=1.0), "0 < shrink < 1 < grow, got shrink = 0.2, grow = 1.0"),
        (lambda: AdaptiveSteps(shrink=1.0), "shrink = 1.0"),
        (lambda: AdaptiveSteps(shrink=0.0), "shrink = 0.0"),
        (lambda: AdaptiveSteps(safety=1.01), "0 < safety <= 1, .* got safety = 1.01"),
        (lambda: AdaptiveSteps(rtol=np.inf), "rtol must be finite"),
        (lambda: AdaptiveSteps(rtol=[1e-3, 0.0], atol=[0.0, 0.0]), "must not both be zero"),
        (lambda: Solver(RK4, AdaptiveSteps()), "RK4 has no error estimate"),
    ],
)
def test_bad_solvers_are_refused_when_they_are_made(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_ends_of_the_allowed_ranges_are_allowed():
    p = LINEAR
    ends = dict(safety=1.0, beta=0.0, min_step=0.05, max_step=0.05, max_steps=40, shrink=0.999, grow=1.001)
    solve = lambda **control: odesolve(p.z0, p.f, (0.0, 2.0), p.theta, dopri5(0.0, 1e-3, **control))
    assert solve(**ends).stats.attempts == 40  # as many as max_steps are allowed
    with pytest.raises(SolverError, match="max_steps = 39 attempts"):
        solve(**(ends | dict(max_steps=39)))
    assert odesolve(p.z0, p.f, (0.0, 1.0), p.theta, dopri5(1e-3, 0.0, max_steps=1, first=2.0)).stats.attempts == 1
    assert FixedSteps(n=1).count(7.0) == FixedSteps(n=np.int64(1)).count(-7.0) == 1


def test_a_time_before_the_start_by_round_off_belongs_to_the_first_step():
    for ts in (0.1, 2.0), (2.0, 0.1):
        trajectory = odesolve(LINEAR.z0, LINEAR.f, ts, LINEAR.theta, rk4(n=5))
        for past, step in (2 * ts[0] - ts[1], 0), (2 * ts[1] - ts[0], -1):
            assert trajectory.step_at(np.nextafter(ts[0] if step == 0 else ts[1], past)) is trajectory.steps[step]


def test_first_min_max_step_and_norm_are_obeyed():
    p = LINEAR
    lengths = lambda **control: [
        a.h for a in odesolve(p.z0, p.f, (0.0, 6.0), p.theta, dopri5(1e-5, 1e-7, **control)).ledger
    ]
    assert lengths(first=0.01)[0] == 0.01
    assert max(lengths(max_step=0.1)) <= 0.1 * (1 + 1e-12)
    assert min(lengths(first=1e-3, min_step=0.05)[:-1]) >= 0.05 * (1 - 1e-12)
    largest = lambda e: float(np.abs(e).max())
    assert len(lengths(norm=largest)) > len(lengths())  # the largest error is at least the root mean square


def test_pi_control_keeps_the_tolerance():
    p = OSCILLATING_RATE
    for beta in (0.0, 0.04):
        z = odesolve(p.z0, p.f, p.ts, p.theta, dopri5(1e-8, 1e-10, beta=beta)).zs[-1]
        assert abs(z - p.exact(1.7)) < 1e-6


@pytest.mark.parametrize("beta", [0.0, 0.04, 0.1])
@pytest.mark.parametrize("tableau, q", [(DOPRI5, 5), (BOSH3, 3), (DOP853, 8)])
def test_every_step_is_as_long_as_the_formula_of_the_controller_says(tableau, q, beta):
    """After an accepted step  safety error^(-1/q + 0.75 beta) previous^beta  times as long, at most grow, and not
    longer after a rejection; after a rejected one  safety error^(-1/q)  times as long, at least shrink."""
    safety, shrink, grow = 0.8, 0.5, 1.5
    control = AdaptiveSteps(1e-5, 1e-6, beta=beta, safety=safety, shrink=shrink, grow=grow, first=0.3)
    f = lambda z, t, theta: np.stack([z[1], 5 * (1 - z[0] ** 2) * z[1] - z[0]])  # van der Pol: slow, then fast
    *ledger, _, _ = odesolve(
        [2.0, 0.0], f, (0.0, 12.0), None, Solver(tableau, control)
    ).ledger  # the end cuts steps short
    previous, rejected, free = 1.0, False, 0
    for attempt, after in pairwise(ledger):
        factor = safety * attempt.error ** (-1 / q)
        if attempt.accepted:
            factor = min(1.0 if rejected else grow, factor * attempt.error ** (0.75 * beta) * previous**beta)
            previous = max(attempt.error, 1e-4)
        else:
            factor = max(shrink, factor)
        free += factor not in (1.0, shrink, grow)
        rejected = not attempt.accepted
        assert after.h == pytest.approx(factor * attempt.h, rel=1e-9)
    assert free > len(ledger) / 2 and any(not attempt.accepted for attempt in ledger)


@pytest.mark.parametrize("solver", [rk4(n=100), dopri5(), bosh3()])
def test_a_field_that_is_not_finite_is_reported_as_such(solver):
    with pytest.raises(SolverError, match=r"f is not finite at the start: dz/dt\[1\] = nan at t = 0"):
        odesolve([1.0, 2.0], lambda z, t, theta: np.array([1.0, np.nan]), (0.0, 1.0), None, solver)
    with pytest.raises(SolverError, match=r"not finite: .*dz/dt\[1\] = nan at t = 0\.[56]"):
        odesolve([1.0, 2.0], lambda z, t, theta: np.array([1.0, np.nan if t > 0.5 else 1.0]), (0.0, 1.0), None, solver)


def test_blow_up_and_too_many_steps_are_explained():
    with pytest.raises(SolverError, match=r"fell to h = .* at t = 1[ ,]|not finite.*t = 1[ ,]"):
        odesolve(1.0, lambda y, t, theta: y * y, (0.0, 2.0))
    with pytest.raises(SolverError, match="not finite: .*blows up"):
        odesolve(1.0, lambda y, t, theta: y * y, (0.0, 9.0), None, euler(n=400))
    with pytest.raises(SolverError, match=r"max_steps = 20 attempts led only to t = .* of 100"):
        odesolve(1.0, lambda y, t, theta: np.cos(9 * t), (0.0, 100.0), None, dopri5(max_steps=20))
