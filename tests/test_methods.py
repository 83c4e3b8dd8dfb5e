"""Six ways to the same gradient: what each is exactly, what it costs, and where it ends."""

import tracemalloc
import warnings
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from problems import BATTERY, LINEAR, LOTKA_VOLTERRA, NEURAL, OSCILLATING_RATE, Problem, backwards, cotangent

from odelearn import (
    BOSH3,
    DOPRI5,
    EULER,
    HEUN,
    MIDPOINT,
    MLP,
    RK4,
    AdaptiveSteps,
    Backsolve,
    Checkpointed,
    Discrete,
    FixedSteps,
    Forward,
    Interpolating,
    Reversible,
    Solver,
    bosh3,
    check_gradient,
    complex_step,
    counted,
    dop853,
    dopri5,
    euler,
    finite_difference,
    midpoint,
    observed_order,
    odesolve,
    rk4,
    unrolled,
)
from odelearn.gradients.drift import Drift, DriftWarning
from odelearn.solvers.unrolled import unrolled_step

METHODS = [Backsolve(), Interpolating(), Discrete(), Checkpointed(), Forward(), Reversible()]
BOTH_WAYS = [way(p) for p in BATTERY for way in (lambda p: p, backwards)]


def gradients(p, method, solver):
    zs, pullback = method.vjp(p.z0, p.f, p.ts, p.theta, solver)
    return pullback(cotangent(p))


def flat(g):
    return np.concatenate([np.ravel(g.z0), g.theta, g.ts])


def gap(g, reference):
    """Relative to the largest component."""
    return np.abs(flat(g) - reference).max() / np.abs(reference).max()


@cache
def exact(name):
    """The gradient of the exact flow of a problem, with the cotangent of the battery."""
    p = next(p for p in BOTH_WAYS if p.name == name)
    return flat(gradients(p, Discrete(), dop853(1e-14, 1e-15)))


def complex_step_through(solve, p):
    """d/dx sum(a_zs zs) for every component x of z0, theta and ts, from solve(z0, ts, theta) on complex numbers."""
    n, P = np.size(p.z0), len(p.theta)
    loss = lambda x: np.sum(cotangent(p) * solve(x[:n].reshape(np.shape(p.z0)), x[n + P :], x[n : n + P]))
    return complex_step(loss, np.concatenate([np.ravel(p.z0), p.theta, p.ts]))


# ---- all six


@pytest.mark.parametrize("p", BOTH_WAYS)
def test_all_six_agree_at_a_tolerance(p):
    reference = exact(p.name)
    assert np.mean(np.abs(reference) > 1e-3 * np.abs(reference).max()) > 0.5
    for method in METHODS:
        assert gap(gradients(p, method, dop853(1e-8, 1e-10)), reference) < 30 * 1e-8


@pytest.mark.parametrize("p", BOTH_WAYS)
def test_all_six_agree_on_fixed_steps(p):
    """None is further from the truth than a few times the error of Discrete, which halving the steps shows."""
    coarse, fine = (gradients(p, Discrete(), Solver(DOPRI5, FixedSteps(n))) for n in (10, 20))
    error = gap(coarse, flat(fine))
    assert error < 1e-3
    for method in METHODS:
        assert gap(gradients(p, method, Solver(DOPRI5, FixedSteps(10))), flat(fine)) < 10 * error


@pytest.mark.parametrize("method", METHODS)
def test_work_is_counted(method):
    p = LOTKA_VOLTERRA
    for solver in dopri5(), rk4(n=3):
        f = counted(p.f)
        zs, pullback = method.vjp(p.z0, f, p.ts, p.theta, solver)
        evals_forward = f.evals
        g = pullback(cotangent(p))
        assert (g.stats.evals, g.stats.pullbacks) == (f.evals - evals_forward, f.pullbacks)


@pytest.mark.parametrize("solver", [dopri5(1e-6, 1e-8), rk4(n=8)])
@pytest.mark.parametrize("method", METHODS)
def test_bytes_are_what_tracemalloc_sees(method, solver):
    """Held between the passes; on arrays so large that Python's own objects count for little."""
    net = MLP((2, 20, 2))
    rows = 6 if isinstance(method, Forward) else 500
    rng = np.random.default_rng(0)
    z0, theta, ts = rng.normal(size=(rows, 2)), net.init(rng), np.linspace(0, 1, 4)
    method.vjp(z0, net, ts, theta, solver)
    tracemalloc.start()
    zs, pullback = method.vjp(z0, net, ts, theta, solver)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 1 <= held / pullback(zs).stats.bytes < 1.25


@pytest.mark.parametrize("method", METHODS)
def test_one_observation_no_parameters_single_precision(method):
    """dtype follows z0; theta=None means P = 0; with T = 1 the gradient is what the loss says of z0."""
    f = lambda z, t, theta: z * np.cos(t).astype(z.dtype) if hasattr(t, "astype") else z * float(np.cos(t))
    zs, pullback = method.vjp(np.ones(2, "f"), f, [0.3], None, rk4(n=2))
    g = pullback(np.array([[3.0, 4.0]]))
    assert g.z0.tolist() == [3, 4] and g.z0.dtype == np.float32 and g.ts.tolist() == [0] and g.theta.shape == (0,)
    zs, pullback = method.vjp(np.ones(2, "f"), f, [0.3, 1.0], None, rk4(n=8))
    g = pullback(np.ones((2, 2)))
    assert zs.dtype == g.z0.dtype == np.float32
    np.testing.assert_allclose(g.z0, 1 + np.exp(np.sin(1) - np.sin(0.3)), rtol=1e-6)


# ---- Checkpointed is Discrete, bit for bit


SOLVERS = [rk4(n=7), Solver(DOPRI5, FixedSteps(h=0.11)), dopri5(), bosh3(1e-4, 1e-6), Solver(HEUN, AdaptiveSteps(1e-2))]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("p", [NEURAL, backwards(NEURAL), LOTKA_VOLTERRA, backwards(OSCILLATING_RATE)])
def test_checkpointed_is_discrete_bit_for_bit(p, solver):
    zs, pullback = Discrete().vjp(p.z0, p.f, p.ts, p.theta, solver)
    expected = flat(pullback(cotangent(p))).tobytes()
    for every in None, 1, 2, 3, 8, 10_000:
        zs_again, pullback = Checkpointed(every).vjp(p.z0, p.f, p.ts, p.theta, solver)
        assert zs_again.tobytes() == zs.tobytes()
        assert flat(pullback(cotangent(p))).tobytes() == expected


def test_checkpointed_keeps_about_sqrt_n_states():
    """The spacing E doubles when 2 E states are kept, so N steps leave between sqrt(N / 2) and sqrt(2 N) of them."""
    p, T = LINEAR, 2
    for N in 10, 37, 100, 300, 1000:
        zs, pullback = Checkpointed().vjp(p.z0, p.f, (0.0, 1.0), p.theta, euler(n=N))
        states = pullback(zs).stats.bytes / p.z0.nbytes - T
        assert np.sqrt(N / 2) <= states <= np.sqrt(2 * N) + 1


def test_checkpointed_wants_a_whole_number():
    with pytest.raises(ValueError, match="every must be a whole number of steps, at least 1, or None, got 0"):
        Checkpointed(every=0)


# ---- Forward is Discrete, to round-off


@pytest.mark.parametrize("solver", [rk4(n=4), Solver(DOPRI5, FixedSteps(3)), dopri5(1e-4, 1e-6)])
@pytest.mark.parametrize("p", BOTH_WAYS)
def test_forward_is_discrete_to_round_off(p, solver):
    """To differentiate a Runge-Kutta method, or to apply it to the differentiated equation, is the same."""
    assert gap(gradients(p, Forward(), solver), flat(gradients(p, Discrete(), solver))) < 1e-13


def test_forward_holds_no_more_for_more_steps():
    held = [gradients(LINEAR, Forward(), rk4(n=n)).stats.bytes for n in (5, 50)]
    assert held[0] == held[1]


# ---- Reversible is the exact gradient of its own discretisation


def reversible(z0, f, ts, theta, tableau, n, coupling):
    """zs by the two formulas of McCallum and Foster, spelled out."""
    psi = lambda z, t, h: unrolled_step(f, z, t, h, theta, tableau) - z
    y, v, zs = z0, z0, [z0]
    for i in range(len(ts) - 1):
        h = (ts[i + 1] - ts[i]) / n
        for k in range(n):
            t = ts[i] + k * h
            y = coupling * y + (1 - coupling) * v + psi(v, t, h)
            v = v - psi(y, t + h, -h)
        zs.append(y)
    return np.stack(zs)


@pytest.mark.parametrize("tableau, coupling", [(RK4, 0.99), (DOPRI5, 0.9), (HEUN, 1.0)])
@pytest.mark.parametrize("p", BOTH_WAYS)
def test_reversible_is_the_complex_step_through_its_own_formulas(p, tableau, coupling):
    method, solver = Reversible(coupling), Solver(tableau, FixedSteps(6))
    solve = lambda z0, ts, theta: reversible(z0, p.f, ts, theta, tableau, 6, coupling)
    zs, _ = method.vjp(p.z0, p.f, p.ts, p.theta, solver)
    np.testing.assert_allclose(zs, solve(p.z0, p.ts, p.theta), rtol=0, atol=1e-13 * np.abs(zs).max())
    assert gap(gradients(p, method, solver), complex_step_through(solve, p)) < 1e-10


@pytest.mark.parametrize("p", [NEURAL, backwards(LOTKA_VOLTERRA)])
def test_adaptive_reversible_is_the_complex_step_through_its_own_forward(p):
    """An imaginary part of 1e-20 does not move the mesh, so this is the gradient on the frozen one."""
    solver = dopri5(1e-5, 1e-7)
    g = gradients(p, Reversible(), solver)
    zs = lambda z0, theta: Reversible().vjp(z0 + 0j, p.f, p.ts, theta, solver)[0]
    a_z0 = complex_step(lambda z0: np.sum(cotangent(p) * zs(z0, p.theta)), p.z0)
    a_theta = complex_step(lambda theta: np.sum(cotangent(p) * zs(p.z0, theta)), p.theta)
    np.testing.assert_allclose(g.z0, a_z0, rtol=0, atol=1e-10 * np.abs(a_z0).max())
    np.testing.assert_allclose(g.theta, a_theta, rtol=0, atol=1e-10 * np.abs(a_theta).max())


def test_reversible_needs_no_more_memory_for_more_steps():
    """Neither between the passes nor at the peak of the backward pass."""
    net = MLP((2, 16, 2))
    theta, z0 = net.init(np.random.default_rng(0)), np.ones((4, 2))

    def memory(n):
        tracemalloc.start()
        zs, pullback = Reversible().vjp(z0, net, (0.0, 1.0), theta, midpoint(n=n))
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        pullback(zs)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return np.array([held, peak])

    memory(100)
    few, many = memory(100), memory(600)
    assert (np.abs(many - few) / 500 < z0.nbytes / 10).all()  # bytes a step: a few are Python's own


@pytest.mark.parametrize("tableau", [EULER, MIDPOINT, HEUN, BOSH3, RK4, DOPRI5])
def test_reversible_is_of_the_order_of_its_tableau(tableau):
    p = NEURAL
    ns = np.array([8, 16, 32]) * (2 if tableau is EULER else 1)
    order = lambda coupling: observed_order(
        [gap(gradients(p, Reversible(coupling), Solver(tableau, FixedSteps(int(n)))), exact(p.name)) for n in ns]
    )
    assert order(1.0) == pytest.approx(tableau.order, abs=0.4 if tableau is DOPRI5 else 0.15)
    if tableau.order % 2 == 0:
        assert order(0.99) == pytest.approx(tableau.order, abs=0.1)


def test_where_round_off_ends_reversible():
    """It grows like coupling^-N: 9 digits in 2000 steps at 0.99, and none that matters at 0.999."""
    p, solver, ts = OSCILLATING_RATE, midpoint(n=2000), (0.2, 2.0)

    def error_and_drift(coupling):
        solve = lambda theta, one: Reversible(coupling).vjp(one * p.z0, p.f, ts, theta, solver)
        derivative = complex_step(lambda a: solve(np.array([a]), 1 + 0j)[0][-1, 0], 0.7)
        _, pullback = solve(p.theta, 1)
        with warnings.catch_warnings(action="ignore", category=DriftWarning):
            g = pullback(np.array([[0.0], [1.0]]))
        return abs(g.theta[0] / derivative - 1), g.drift

    grown = np.finfo(float).eps * 0.99**-2000  # 1e-7
    error, drift = error_and_drift(0.99)
    assert 0.01 * grown < error < 30 * grown and 0.01 * grown < drift < 30 * grown
    error, drift = error_and_drift(0.999)
    assert error < 1e-12 and drift < 1e-12


def test_reversible_warns_when_half_of_the_digits_are_gone():
    zs, pullback = Reversible(0.9).vjp(LINEAR.z0, LINEAR.f, (0.0, 1.0), LINEAR.theta, euler(n=250))
    with pytest.warns(DriftWarning, match=r"coupling\^-N = 0.9\^-250 = 3e\+11"):
        pullback(zs)


def test_reversible_is_stable_only_where_a_step_contracts_less_than_the_coupling():
    """The gap between the copies grows like (coupling e^(mu h))^N, so mu h = -log(coupling) is the border."""
    f, lam = lambda y, t, theta: theta[0] * y, -10.0

    def error(n):
        zs, _ = Reversible(0.95).vjp(np.ones(1), f, (0.0, 1.0), [lam], rk4(n=n))
        return abs(zs[-1, 0] - np.exp(lam))

    border = int(-lam / -np.log(0.95))  # 194 steps
    assert error(border // 3) > 1e-3 * np.exp(lam) and error(border * 2) < 1e-6 * np.exp(lam)


def test_coupling_lies_between_0_and_1():
    with pytest.raises(ValueError, match=r"coupling must lie in \(0, 1\], got 1.5"):
        Reversible(1.5)


# ---- Backsolve and Interpolating are the gradient of the exact flow, at the order of the method


@pytest.mark.parametrize("method", [Backsolve(), Interpolating()])
@pytest.mark.parametrize("tableau", [EULER, MIDPOINT, HEUN, BOSH3, RK4, DOPRI5])
@pytest.mark.parametrize("p", [NEURAL, backwards(OSCILLATING_RATE)])
def test_adjoint_solves_converge_at_the_order_of_the_method(p, tableau, method):
    """Also Interpolating, whose interpolants are of order p - 1: within one step they are wrong by h^p."""
    ns = np.array([8, 16, 32]) * (2 if tableau is EULER else 1)
    errors = [gap(gradients(p, method, Solver(tableau, FixedSteps(int(n)))), exact(p.name)) for n in ns]
    assert observed_order(errors) == pytest.approx(tableau.order, abs=0.3 if tableau is DOPRI5 else 0.15)


def test_adjoint_solves_meet_a_gradient_in_closed_form():
    """y = y0 exp(a (sin t - sin t0)): dL/dy0, dL/da and all dL/dts are known."""
    p, a_zs = OSCILLATING_RATE, cotangent(OSCILLATING_RATE).ravel()
    y0, a, s = p.z0[0], p.theta[0], np.sin(p.ts) - np.sin(p.ts[0])
    e = np.exp(a * s)
    a_y = a_zs @ e, y0 * a_zs @ (s * e)
    a_ts = y0 * a * a_zs * e * np.cos(p.ts)
    a_ts[0] -= y0 * a * a_zs @ e * np.cos(p.ts[0])
    for method in METHODS:
        assert gap(gradients(p, method, dopri5(1e-10, 1e-12)), np.array([*a_y, *a_ts])) < 1e-9


def test_interpolating_takes_a_solver_of_its_own_and_never_rebuilds():
    p = LOTKA_VOLTERRA
    fine, coarse = (gradients(p, Interpolating(own), dopri5(1e-9, 1e-11)) for own in (dop853(1e-9, 1e-11), rk4(n=2)))
    assert gap(fine, exact(p.name)) < 1e-7 < 1e-5 < gap(coarse, exact(p.name))
    assert fine.drift is None


@pytest.mark.parametrize("method", [Backsolve(), Interpolating()])
@pytest.mark.parametrize("p", [LOTKA_VOLTERRA, backwards(LOTKA_VOLTERRA)])
def test_the_backward_ledger(p, method):
    """Every attempted step from t_N back to t_0: those accepted follow each other, those rejected are tried again."""
    g = gradients(p, replace(method, ledger=True), bosh3(1e-4, 1e-6))
    t = p.ts[-1]
    for attempt in g.stats.ledger:
        assert attempt.t == pytest.approx(t, abs=1e-14) and np.sign(attempt.h) == np.sign(p.ts[0] - p.ts[-1])
        assert attempt.accepted == (attempt.error <= 1)
        t += attempt.h * attempt.accepted
    assert t == pytest.approx(p.ts[0], abs=1e-13)
    assert any(not attempt.accepted for attempt in g.stats.ledger)
    assert gradients(p, method, bosh3(1e-4, 1e-6)).stats.ledger is None  # unless asked for
    assert gradients(p, Discrete(), rk4(n=2)).stats.ledger is None


@pytest.mark.parametrize("method", [Backsolve(), Backsolve(reset=False), Reversible(coupling=1.0)])
def test_the_peak_of_the_way_back_does_not_grow_with_the_number_of_steps(method):
    """O(1) memory, measured by tracemalloc in both passes: 64 times as many steps take not one byte a step more."""
    net = MLP([2, 16, 2])
    theta, z0 = net.init(np.random.default_rng(0)), np.random.default_rng(1).normal(size=(8, 2))

    def peaks(n):
        tracemalloc.start()
        zs, pullback = method.vjp(z0, net, (0.0, 1.0), theta, rk4(n=n))
        forward = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        pullback(zs)
        backward = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return np.array([forward, backward])

    peaks(4)  # the first call leaves things behind that later ones find
    assert (np.abs(peaks(4096) - peaks(64)) / (4096 - 64) < 1).all()


# ---- drift


def drift_of_decay(lam, solver, T=1.0, method=Backsolve(), n=1):  # noqa: B008, methods are frozen
    """|y(0) rebuilt - 1| for y' = lambda y."""
    ts = np.linspace(0, T, n + 1)
    zs, pullback = method.vjp(np.ones(1), lambda y, t, theta: theta[0] * y, ts, [lam], solver)
    return pullback(np.ones_like(zs)).drift


def test_drift_of_exponential_decay():
    """What contracts by e^lambda forwards expands by e^-lambda backwards: so does the error that atol leaves at T."""
    assert drift_of_decay(-1.0, dopri5()) < 1e-6
    with pytest.warns(DriftWarning, match=r"ts\[0\] = 0 is .* from the true one, .* Discrete\(\)"):
        drift = drift_of_decay(-40.0, dopri5())
    assert 1e-12 * np.exp(40) < drift < 1e-8 * np.exp(40)


@pytest.mark.parametrize("solver", [dopri5(), rk4(n=20)])
def test_the_drift_warning_comes_where_the_gradient_is_lost_and_not_before(solver):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for lam in 5.0, -1.0, -5.0, -10.0, -14.0:
            assert drift_of_decay(lam, solver) < 0.1 * max(1, np.exp(lam))
    for lam in -20.0 if isinstance(solver.control, AdaptiveSteps) else -40.0, -45.0:
        with pytest.warns(DriftWarning):
            drift_of_decay(lam, solver)


def test_more_observations_are_a_cure_for_drift():
    with pytest.warns(DriftWarning):
        once = drift_of_decay(-20.0, dopri5(1e-6, 1e-8))
    assert drift_of_decay(-20.0, dopri5(1e-6, 1e-8), n=10) < 1e-4 * once
    with pytest.warns(DriftWarning):  # unless each interval goes on from where the last one strayed to
        drift_of_decay(-20.0, dopri5(1e-6, 1e-8), n=10, method=Backsolve(reset=False))


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "rebuilt"])
@pytest.mark.parametrize("p", BOTH_WAYS)
def test_no_false_alarm_on_the_battery(p, reset):
    """pytest makes every warning an error."""
    for rtol in 1e-3, 1e-5, 1e-8:
        g = gradients(p, Backsolve(reset=reset), dopri5(rtol, rtol / 1000))
        assert 0 < g.drift < 1000 * rtol * np.abs(p.z0).max()


def test_what_the_tolerance_explains_of_drift():
    """2 n (atol + rtol max|z|), ten times; and of all the way from t_N where z is not reset. |z| falls from 2."""
    ts, z0, halving = [0.0, 1.0, 2.0], np.array([2.0]), lambda z, t, theta: -np.log(2.0) * z
    solver = dopri5(1e-3, 1e-5)
    traj = odesolve(z0, halving, ts, None, solver)
    n = np.bincount(traj.intervals)
    tolerance = 1e-5 + 1e-3 * np.array([2, 1])

    def explained(solvers, reset):
        drift = Drift(z0, 2, solvers, reset)
        for accepted in zip(traj.intervals, traj.steps, strict=True):
            drift.note(*accepted)
        return drift.explained()

    np.testing.assert_allclose(explained([solver, solver], reset=True), 20 * n * tolerance, rtol=1e-4)
    np.testing.assert_allclose(
        explained([solver, solver], reset=False), 20 * np.array([n.sum(), n[1]]) * tolerance, rtol=1e-4
    )
    np.testing.assert_allclose(explained([solver, rk4(n=3)], reset=True), [2, 1], rtol=1e-4)


# ---- the three derivatives of an adaptive solve


@pytest.mark.parametrize("p", [LOTKA_VOLTERRA, BATTERY[4]])
def test_differences_of_the_replay_are_discrete_and_those_of_the_adaptive_solve_are_not(p):
    solver = dopri5(1e-3, 1e-5)
    traj, g = odesolve(p.z0, p.f, p.ts, p.theta, solver), gradients(p, Discrete(), solver)
    adaptive = lambda theta: np.sum(cotangent(p) * odesolve(p.z0, p.f, p.ts, theta, solver).zs)
    replayed = lambda theta: np.sum(cotangent(p) * traj.replay(p.z0, theta).zs)
    off = [
        np.abs(finite_difference(fun, p.theta) - g.theta).max() / np.abs(g.theta).max() for fun in (replayed, adaptive)
    ]
    assert off[0] < 1e-8 < 1e-3 < off[1]


@pytest.mark.parametrize("solver", [dopri5(1e-4, 1e-6), rk4(n=3)])
@pytest.mark.parametrize("p", BOTH_WAYS)
def test_a_replay_repeats_the_solve_and_its_gradient_is_discrete_in_ts_too(p, solver):
    traj, g = odesolve(p.z0, p.f, p.ts, p.theta, solver), gradients(p, Discrete(), solver)
    again = traj.replay(p.z0, p.theta)
    np.testing.assert_allclose(again.zs, traj.zs, rtol=0, atol=1e-14 * np.abs(traj.zs).max())
    assert again.stats.accepted == again.stats.attempts == traj.stats.accepted
    a_ts = finite_difference(lambda ts: np.sum(cotangent(p) * traj.replay(p.z0, p.theta, ts).zs), p.ts, "richardson")
    np.testing.assert_allclose(g.ts, a_ts, rtol=0, atol=1e-9 * np.abs(a_ts).max())


def test_a_replay_wants_as_many_times():
    traj = odesolve(LINEAR.z0, LINEAR.f, LINEAR.ts, LINEAR.theta)
    with pytest.raises(ValueError, match=r"as many times as the solve to replay, 4, got shape \(3,\)"):
        traj.replay(LINEAR.z0, LINEAR.theta, LINEAR.ts[:3])


# ---- mutations: an adjoint with one line wrong, and what check_gradient says to it


def algorithm_2(z0, f, ts, theta, a_zs, slip=None, n=10):
    """a_z0, a_ts, a_theta by Algorithm 2, [z, a, a_theta, a_t] in one vector, with RK4; with one slip."""
    zs, D, N = unrolled(z0, f, ts, theta, rk4(n=n)), z0.size, len(ts) - 1
    a, a_theta, a_t, a_ts = a_zs[N], np.zeros_like(theta), 0.0, np.zeros(N + 1)

    def dynamics(s, t, _):
        z, a = s[:D].reshape(z0.shape), s[D : 2 * D].reshape(z0.shape)
        dz, pullback = f.vjp(z, t, theta)
        a_df_dz, a_df_dt, a_df_dtheta = pullback(a)
        if slip == "flipped sign":
            a_df_dtheta = -a_df_dtheta
        if slip == "missing factor h":
            a_df_dtheta = a_df_dtheta / h
        return np.concatenate([dz.ravel(), -a_df_dz.ravel(), -a_df_dtheta, [-a_df_dt]])

    for i in range(N, 0, -1):
        at = (zs[i], ts[i - 1]) if slip == "f at the wrong time" else (zs[i], ts[i])
        a_ts[i] = np.sum(a_zs[i] * f(*at, theta))
        a_t -= np.sum(a_zs[i] * f(zs[i], ts[i], theta))
        s, h = np.concatenate([zs[i].ravel(), a.ravel(), a_theta, [a_t]]), (ts[i - 1] - ts[i]) / n
        for k in range(n):
            s = unrolled_step(dynamics, s, ts[i] + k * h, h, None, RK4)
        a, a_theta, a_t = s[D : 2 * D].reshape(z0.shape), s[2 * D : -1], s[-1]
        if not (slip == "dropped jump" and i == 2):
            a = a + a_zs[i - 1]  # the loss looks at z(t_i) too
    a_ts[0] = a_t
    if slip == "stale f at t0":
        a_ts[0] = -np.sum((a - a_zs[0]) * f(zs[N], ts[N], theta))
    if slip == "averaged batch":
        a_theta = a_theta / len(z0)
    return {"z0": a, "theta": a_theta, "ts": a_ts}


SMALL = Problem("MLP", MLP((2, 3, 2), time="concat"), NEURAL.z0, np.array([0.1, 0.6, 1.1]), np.linspace(-0.6, 0.9, 20))


@pytest.mark.parametrize("p", [SMALL, pytest.param(backwards(SMALL), marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "slip, diagnosis",
    [
        (None, ""),
        ("flipped sign", "theta: sign: gradient = -reference"),
        ("dropped jump", "jump dropped"),
        ("stale f at t0", "ts: time term missing: all is right but ts[0]."),
        ("f at the wrong time", "ts: time term missing: all is right but ts[1], ts[2]."),
        ("missing factor h", "theta: factor: gradient = "),
        ("averaged batch", "theta: batch averaged, not summed: gradient = reference / 3"),
    ],
)
def test_check_gradient_tells_what_is_wrong_with_an_adjoint(p, slip, diagnosis):
    a_zs = cotangent(p)
    loss = lambda x: np.sum(a_zs * unrolled(x["z0"], p.f, x["ts"], x["theta"], rk4(n=10)))
    g = algorithm_2(p.z0, p.f, p.ts, p.theta, a_zs, slip)
    report = check_gradient(loss, g, {"z0": p.z0, "theta": p.theta, "ts": p.ts}, rtol=1e-5)
    assert report.passed == (slip is None)
    assert diagnosis in report.diagnosis and bool(diagnosis) == bool(report.diagnosis)
