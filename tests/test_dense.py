"""Observations inside steps: the states at ts are read from interpolants, and differentiated as what they are."""

import copy
import pickle
import tracemalloc

import numpy as np
import pytest
from problems import BATTERY, LINEAR, LOTKA_VOLTERRA, NEURAL, OSCILLATING_RATE, Problem, backwards

from odelearn import (
    BOSH3,
    DOPRI5,
    EULER,
    HEUN,
    MLP,
    RK4,
    TABLEAUS,
    AdaptiveSteps,
    Backsolve,
    Checkpointed,
    Discrete,
    DriftWarning,
    EnsembleWarning,
    Event,
    FixedSteps,
    Forward,
    Interpolating,
    Reversible,
    Solver,
    audit,
    bosh3,
    compare_gradients,
    complex_step,
    counted,
    dop853,
    dopri5,
    grad,
    observed_order,
    odeint,
    odeint_event,
    odesolve,
    odesolve_vjp,
    rk4,
    tsit5,
    unrolled,
    vjp,
)
from odelearn.solvers.unrolled import unrolled_reading, unrolled_step


def observed_often(p):
    """The problem, observed at six times more, two of them in one step of any solver, at places that are no mesh's."""
    s = np.array([0.01, 0.017, 0.23, 0.37, 0.71, 0.93])
    ts = np.sort(np.concatenate([p.ts, np.min(p.ts) + s * np.ptp(p.ts)]))
    return Problem(p.name, p.f, p.z0, ts if p.ts[-1] > p.ts[0] else ts[::-1].copy(), p.theta, p.exact)


OFTEN = [observed_often(way(p)) for p in BATTERY for way in (lambda p: p, backwards)]


def cotangent(p, seed=0):
    return np.random.default_rng(seed).normal(size=(len(p.ts), *np.shape(p.z0)))


def gradients(p, method, solver):
    zs, pullback = odesolve_vjp(p.z0, p.f, p.ts, p.theta, solver, method)
    return pullback(cotangent(p))


def flat(g):
    return np.concatenate([np.ravel(g.z0), g.theta, g.ts])


def complex_step_through(solve, p):
    """d/dx sum(a_zs zs) for every component x of z0, theta and ts, from solve(z0, ts, theta) on complex numbers."""
    n, P = np.size(p.z0), len(p.theta)
    loss = lambda x: np.sum(cotangent(p) * solve(x[:n].reshape(np.shape(p.z0)), x[n + P :], x[n : n + P]))
    return complex_step(loss, np.concatenate([np.ravel(p.z0), p.theta, p.ts]))


def assert_same(g, reference, tolerance):
    np.testing.assert_allclose(flat(g), reference, rtol=0, atol=tolerance * np.abs(reference).max())
    assert np.mean(np.abs(reference) > 1e-3 * np.abs(reference).max()) > 0.5


# ---- the states


@pytest.mark.parametrize("tableau", TABLEAUS.values(), ids=TABLEAUS)
@pytest.mark.parametrize("p", [observed_often(NEURAL), observed_often(backwards(LOTKA_VOLTERRA))])
def test_fixed_steps_are_the_formulas_spelled_out(p, tableau):
    solver = Solver(tableau, FixedSteps(3), dense=True)
    zs, spelled_out = (solve(p.z0, p.f, p.ts, p.theta, solver) for solve in (odesolve, unrolled))
    np.testing.assert_allclose(zs.zs, spelled_out, rtol=0, atol=1e-13 * np.abs(spelled_out).max())


@pytest.mark.parametrize("solver", [rk4(n=3), rk4(h=0.4), bosh3(1e-4, 1e-6), dopri5(), tsit5(), dop853(1e-9, 1e-11)])
@pytest.mark.parametrize("p", OFTEN)
def test_the_steps_are_those_of_the_ends_and_the_states_those_of_the_trajectory(p, solver):
    """zs[i] is the interpolant at ts[i], and the mesh is the same, bit for bit, whoever looks."""
    alone = odesolve(p.z0, p.f, p.ts[[0, -1]], p.theta, solver)
    seen = odesolve(p.z0, p.f, p.ts, p.theta, Solver(solver.tableau, solver.control, dense=True))
    assert [(s.t, s.h, s.t_next) for s in seen.steps] == [(s.t, s.h, s.t_next) for s in alone.steps]
    assert seen.zs[-1].tobytes() == alone.zs[-1].tobytes() and seen.zs[0].tobytes() == alone.zs[0].tobytes()
    for same in alone(p.ts), seen(p.ts):
        np.testing.assert_allclose(seen.zs, same, rtol=0, atol=1e-13 * np.abs(same).max())
    assert seen.ledger == alone.ledger or np.isnan(alone.ledger[0].error)


@pytest.mark.parametrize("tableau", TABLEAUS.values(), ids=TABLEAUS)
def test_the_order_is_that_of_the_tableau(tableau):
    """An interpolant of order q is wrong by h^(q + 1) in one step, and q >= p - 1."""
    p, ts = OSCILLATING_RATE, np.linspace(0.2, 1.7, 200)
    exact = np.stack([p.exact(t) for t in ts])
    ns = (3, 6) if tableau.order == 8 else (10, 20, 40) if tableau.order > 3 else (40, 80, 160)
    solve = lambda n: odesolve(p.z0, p.f, ts, p.theta, Solver(tableau, FixedSteps(int(n)), dense=True)).zs
    errors = [np.abs(solve(n) - exact).max() for n in ns]
    assert observed_order(errors) > tableau.order - 0.3


def test_a_time_at_the_end_of_a_step_is_the_state_there():
    solver = rk4(n=4, dense=True)
    every = odesolve(LINEAR.z0, LINEAR.f, [0.0, 0.25, 0.5, 0.75, 1.0], LINEAR.theta, solver)
    steps = odesolve(LINEAR.z0, LINEAR.f, [0.0, 1.0], LINEAR.theta, rk4(n=4)).steps
    np.testing.assert_allclose(every.zs[1:], [step.z_next for step in steps], rtol=1e-15)


@pytest.mark.parametrize("method", [None, Discrete(), Checkpointed()])
@pytest.mark.parametrize("solver", [dopri5(dense=True), rk4(n=10, dense=True), dop853(dense=True)])
def test_evaluations_do_not_grow_with_the_number_of_observations(solver, method):
    """DOPRI5's interpolant needs none at all; others need some in each step that is read, and not for each time."""
    p, evals = LOTKA_VOLTERRA, []
    for T in (100, 1000):
        f, ts = counted(p.f), np.linspace(0.0, 2.5, T)
        if method is None:
            odesolve(p.z0, f, ts, p.theta, solver)
        else:
            zs, pullback = method.vjp(p.z0, f, ts, p.theta, solver)
            forward = f.evals
            g = pullback(zs)
            assert (g.stats.evals, g.stats.pullbacks) == (f.evals - forward, f.pullbacks)
        evals.append(f.evals)
    assert evals[0] == evals[1]
    if solver == dopri5(dense=True) and not isinstance(method, Checkpointed):
        assert evals[0] == odesolve(p.z0, p.f, (0.0, 2.5), p.theta, dopri5()).stats.evals


# ---- Discrete is the derivative of the numbers that were computed


@pytest.mark.parametrize("tableau", TABLEAUS.values(), ids=TABLEAUS)
@pytest.mark.parametrize("p", [*OFTEN, OSCILLATING_RATE])  # the last has one time between its ends
def test_discrete_is_the_complex_step_through_the_whole_dense_solve(p, tableau):
    solver = Solver(tableau, FixedSteps(6), dense=True)
    reference = complex_step_through(lambda z0, ts, theta: unrolled(z0, p.f, ts, theta, solver), p)
    assert_same(gradients(p, Discrete(), solver), reference, 1e-12)


@pytest.mark.parametrize("p", [observed_often(NEURAL), observed_often(backwards(LOTKA_VOLTERRA))])
def test_discrete_is_the_tape_through_the_whole_dense_solve(p):
    solver = Solver(TABLEAUS["DOP853"], FixedSteps(2), dense=True)
    _, pullback = vjp(lambda z0, theta, ts: unrolled(z0, p.f, ts, theta, solver), p.z0, p.theta, p.ts)
    reference = np.concatenate([np.ravel(a) for a in pullback(cotangent(p))])
    assert_same(gradients(p, Discrete(), solver), reference, 1e-12)


ADAPTIVE = [
    dopri5(1e-4, 1e-6, dense=True),
    bosh3(1e-3, 1e-5, dense=True),
    tsit5(1e-4, 1e-6, dense=True),
    dop853(1e-6, 1e-8, dense=True),
    Solver(HEUN, AdaptiveSteps(1e-3, 1e-5), dense=True),
]


@pytest.mark.parametrize("solver", ADAPTIVE, ids=lambda solver: solver.tableau.name)
@pytest.mark.parametrize("p", OFTEN)
def test_adaptive_discrete_is_the_derivative_on_the_frozen_mesh(p, solver):
    """The accepted steps, as fractions of the whole interval, are held constant: complex step through those steps."""
    steps = odesolve(p.z0, p.f, p.ts, p.theta, solver).steps
    t0, span = p.ts[0], p.ts[-1] - p.ts[0]

    def replay(z0, ts, theta):
        z, zs = z0, {0: z0}
        for step in steps:
            t, h = ts[0] + (step.t - t0) / span * (ts[-1] - ts[0]), step.h / span * (ts[-1] - ts[0])
            for i in range(1, len(ts) - 1):
                if 0 < (p.ts[i] - step.t) / step.h <= 1:
                    zs[i] = unrolled_reading(p.f, z, t, h, theta, solver.tableau, (ts[i] - t) / h)
            z = unrolled_step(p.f, z, t, h, theta, solver.tableau)
        return np.stack([*(zs[i] for i in range(len(ts) - 1)), z])

    assert_same(gradients(p, Discrete(), solver), complex_step_through(replay, p), 1e-12)


@pytest.mark.parametrize("p", [observed_often(NEURAL), observed_often(backwards(OSCILLATING_RATE))])
def test_the_slope_of_an_inner_time_is_that_of_the_interpolant(p):
    """dL/dts[i] = a_zs[i] . dz/dt, where dz/dt = sum_i b_i'(x) k_i."""
    solver, a_zs = dopri5(1e-3, 1e-5, dense=True), cotangent(p)
    traj = odesolve(p.z0, p.f, p.ts, p.theta, solver)
    g = gradients(p, Discrete(), solver)
    for i in range(1, len(p.ts) - 1):
        step = traj.step_at(p.ts[i])
        x, polynomials = (p.ts[i] - step.t) / step.h, [np.polynomial.Polynomial([0, *P_i]) for P_i in DOPRI5.dense.P]
        slope = sum(b_i.deriv()(x) * k_i for b_i, k_i in zip(polynomials, step.k, strict=True))
        assert g.ts[i] == pytest.approx(np.sum(a_zs[i] * slope), rel=1e-11)


@pytest.mark.parametrize("solver", [*ADAPTIVE, rk4(n=7, dense=True), Solver(TABLEAUS["DOP853"], FixedSteps(3), True)])
@pytest.mark.parametrize("p", [observed_often(NEURAL), observed_often(backwards(LOTKA_VOLTERRA))])
def test_checkpointed_is_discrete_bit_for_bit(p, solver):
    zs, pullback = Discrete().vjp(p.z0, p.f, p.ts, p.theta, solver)
    expected = flat(pullback(cotangent(p))).tobytes()
    for every in None, 1, 3:
        zs_again, pullback = Checkpointed(every).vjp(p.z0, p.f, p.ts, p.theta, solver)
        assert zs_again.tobytes() == zs.tobytes()
        assert flat(pullback(cotangent(p))).tobytes() == expected


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.complex128])
@pytest.mark.parametrize("solver", [dopri5(1e-4, 1e-6, dense=True), rk4(n=4, dense=True), dop853(1e-4, dense=True)])
def test_the_dtype_is_that_of_z0(solver, dtype):
    p = observed_often(NEURAL)
    zs, pullback = Discrete().vjp(p.z0.astype(dtype), p.f, p.ts, p.theta, solver)
    g, exact = pullback(cotangent(p).astype(dtype)), gradients(p, Discrete(), dopri5(1e-9, 1e-11))
    assert zs.dtype == g.z0.dtype == g.theta.dtype == dtype
    assert g.ts.dtype == np.result_type(dtype, float)
    np.testing.assert_allclose(g.theta, exact.theta, atol=1e-2 * np.abs(exact.theta).max())


@pytest.mark.parametrize("shape", [(), (1,), (2, 3, 4)], ids=str)
@pytest.mark.parametrize("solver", [dopri5(1e-4, 1e-6, dense=True), rk4(n=4, dense=True), dop853(1e-5, dense=True)])
def test_any_shape_of_state(shape, solver):
    """Every component moves alone by the same equation, so its gradient is that of the scalar."""
    f, ts = lambda z, t, theta: theta[0] * z * np.cos(t), np.array([0.0, 0.3, 0.31, 1.0])
    zs, pullback = odesolve_vjp(np.ones(shape), f, ts, [0.7], solver, Discrete())
    a_zs = np.array([0.3, -1.0, 0.5, 2.0])
    g = pullback(np.multiply.outer(a_zs, np.ones(shape)))
    assert zs.shape == (4, *shape) and g.z0.shape == shape
    exact = np.exp(0.7 * np.sin(ts))
    np.testing.assert_allclose(g.z0, a_zs @ exact, rtol=1e-3)
    np.testing.assert_allclose(g.theta / np.ones(shape).size, a_zs @ (np.sin(ts) * exact), rtol=1e-3)
    np.testing.assert_allclose(g.ts[1:3] / np.ones(shape).size, (0.7 * a_zs * exact * np.cos(ts))[1:3], rtol=1e-2)


@pytest.mark.parametrize("T", [1, 2])
def test_with_nothing_between_the_ends_dense_changes_nothing(T):
    for method in Discrete(), Checkpointed():
        one, other = (
            method.vjp(LINEAR.z0, LINEAR.f, LINEAR.ts[:T], LINEAR.theta, dopri5(dense=dense)) for dense in (False, True)
        )
        assert one[0].tobytes() == other[0].tobytes()
        assert flat(one[1](one[0])).tobytes() == flat(other[1](one[0])).tobytes()


@pytest.mark.parametrize("method", [Discrete(), Checkpointed()])
@pytest.mark.parametrize("solver", [rk4(n=3, dense=True), Solver(TABLEAUS["DOPRI5"], FixedSteps(3), dense=True)])
def test_each_member_of_an_ensemble_gets_its_own_numbers(method, solver):
    net, rng, ts = MLP([2, 5, 2], time="concat"), np.random.default_rng(1), np.array([0.0, 0.1, 0.15, 0.7, 1.0])
    theta, z0 = np.stack([net.init(rng) for _ in range(3)]), rng.normal(size=(3, 4, 2))
    zs, pullback = odesolve_vjp(z0, net, ts, theta, solver, method)
    a_zs, a_ts = rng.normal(size=zs.shape), 0
    g = pullback(a_zs)
    for e in range(3):
        own_zs, own_pullback = odesolve_vjp(z0[e], net, ts, theta[e], solver, method)
        own = own_pullback(a_zs[:, e])
        np.testing.assert_allclose(zs[:, e], own_zs, rtol=1e-13)
        np.testing.assert_allclose(g.z0[e], own.z0, rtol=1e-12)
        np.testing.assert_allclose(g.theta[e], own.theta, rtol=0, atol=1e-13 * np.abs(own.theta).max())
        a_ts = a_ts + own.ts
    np.testing.assert_allclose(g.ts, a_ts, rtol=1e-11)


# ---- events


def fall(z, t, theta):
    """A ball, thrown up."""
    return np.array([z[1], -theta[0]])


@pytest.mark.parametrize("solver", [dopri5(dense=True), rk4(n=9, dense=True), dop853(dense=True)])
@pytest.mark.parametrize("direction", [1, -1])
def test_a_terminal_event_is_the_last_time_after_those_that_were_reached(solver, direction):
    """It is at 2 v / g = 0.4 s. What comes after it is not observed; the trajectory can be replayed."""
    ts, g = direction * np.array([0.0, 0.1, 0.15, 0.33, 0.5, 2.0]), [10.0]
    traj = odesolve([0.0, 2.0 * direction], fall, ts, g, solver, Event(lambda z, t, theta: z[0]))
    np.testing.assert_allclose(traj.ts, direction * np.array([0.0, 0.1, 0.15, 0.33, 0.4]), rtol=1e-12)
    t = np.abs(traj.ts)
    np.testing.assert_allclose(traj.zs[:, 0], 2 * t - 5 * t**2, atol=1e-12)
    np.testing.assert_allclose(traj(traj.ts), traj.zs, atol=1e-13)
    assert [c.t for c in traj.events[0]] == [traj.ts[-1]]
    np.testing.assert_allclose(traj.replay(traj.zs[0], np.array(g)).zs, traj.zs, atol=1e-13)


def test_an_event_at_an_observation_is_that_observation():
    for t_event in 0.25, 0.3:  # the end of a step, and inside one
        event = Event(lambda z, t, theta, t_event=t_event: t - t_event)
        traj = odesolve([0.0, 2.0], fall, [0.0, 0.1, t_event, 0.5, 1.0], [10.0], rk4(n=4, dense=True), event)
        assert traj.ts[-1] == pytest.approx(t_event, abs=1e-15) and np.all(np.diff(traj.ts) > 0)


# ---- Backsolve and Interpolating: a jumps at the observations, so a backward step ends there


ADJOINTS = [Backsolve(), Backsolve(reset=False), Interpolating()]


@pytest.mark.parametrize("method", ADJOINTS, ids=repr)
@pytest.mark.parametrize("p", OFTEN)
def test_adjoint_solves_meet_the_gradient_of_the_exact_flow_at_a_tolerance(p, method):
    """Without a DriftWarning: warnings are errors here."""
    reference = flat(gradients(p, Discrete(), dop853(1e-13, 1e-14)))
    for solver in dopri5(1e-8, 1e-10, dense=True), dop853(1e-8, 1e-10, dense=True):
        assert_same(gradients(p, method, solver), reference, 1e-7)


@pytest.mark.parametrize("method", ADJOINTS[::2], ids=repr)
@pytest.mark.parametrize("tableau", [EULER, HEUN, RK4, BOSH3, DOPRI5], ids=lambda tableau: tableau.name)
@pytest.mark.parametrize("p", [observed_often(NEURAL), observed_often(backwards(OSCILLATING_RATE))])
def test_adjoint_solves_meet_discrete_at_the_order_of_the_method(p, tableau, method):
    """dL/dz0 and dL/dtheta at the order p. dL/dts has in it the slope of the interpolant, which is of its order q."""
    gaps = []
    for n in np.array([8, 16, 32, 64]) * (2 if tableau is EULER else 1):
        solver = Solver(tableau, FixedSteps(int(n)), dense=True)
        g, exact = gradients(p, method, solver), gradients(p, Discrete(), solver)
        gaps.append([np.abs(flat(g) - flat(exact))[: -len(p.ts)].max(), np.abs(g.ts - exact.ts).max()])
    gaps = np.transpose(gaps)
    assert observed_order(gaps[0]) > tableau.order - 0.3
    assert observed_order(gaps[1]) > tableau.dense.order - 0.3


def test_the_backward_solve_of_n_steps_in_all_takes_steps_no_longer_than_those():
    """Ten intervals of two different lengths: 4 steps of 0.25 in all become 1 step in each short one, 2 in the long."""
    p, ts = LINEAR, np.array([0.0, 0.1, 0.2, 0.3, 0.7, 1.0])
    for method in Backsolve(), Backsolve(rk4(n=4, dense=True)), Interpolating():
        zs, pullback = method.vjp(p.z0, p.f, ts, p.theta, rk4(n=4, dense=True))
        assert pullback(zs).stats.pullbacks == 4 * (1 + 1 + 1 + 2 + 2)
    zs, pullback = Backsolve(rk4(n=4)).vjp(p.z0, p.f, ts, p.theta, rk4(n=4, dense=True))
    assert pullback(zs).stats.pullbacks == 4 * 4 * 5


def test_a_field_that_contracts_is_warned_of_also_when_observations_are_dense():
    decay = lambda y, t, theta: theta * y
    zs, pullback = Backsolve().vjp([1.0], decay, np.linspace(0, 3, 4), [-30.0], dopri5(dense=True))
    with pytest.warns(DriftWarning, match=r"ts\[\d\]"):
        pullback(np.ones_like(zs))


@pytest.mark.parametrize("method", [Forward(), Reversible()], ids=repr)
def test_methods_that_read_no_interpolant_say_so(method):
    with pytest.raises(TypeError, match=f"{type(method).__name__}.* does not read .* without dense=True"):
        method.vjp(LINEAR.z0, LINEAR.f, LINEAR.ts, LINEAR.theta, dopri5(dense=True))


def test_compare_gradients_has_a_row_for_each_method():
    p = observed_often(OSCILLATING_RATE)
    table = compare_gradients(p.z0, p.f, p.ts, p.theta, lambda zs: np.sum(zs * zs), dopri5(1e-8, 1e-10, dense=True))
    rows = {row.method: row for row in table.rows}
    assert rows["Discrete"].error == rows["Checkpointed"].error
    assert all(rows[name].error < 1e-6 for name in ("Backsolve", "Interpolating", "Discrete"))
    assert all("does not read observations" in rows[name].note for name in ("Forward", "Reversible"))
    assert str(table).startswith("DOPRI5(rtol=1e-08, atol=1e-10, dense=True)")


@pytest.mark.parametrize("solver", [dopri5(dense=True), rk4(n=3, dense=True)])
def test_a_dense_solver_passes_its_audit(solver):
    report = audit(solver)
    assert report.passed, report


@pytest.mark.parametrize("method", [Discrete(), Checkpointed(), Backsolve(), Interpolating()], ids=repr)
def test_odeint_on_the_tape(method):
    p, solver = observed_often(NEURAL), dopri5(1e-7, 1e-9, dense=True)
    loss = lambda z0, ts, theta: np.sum(np.sin(odeint(z0, p.f, ts, theta, solver, method)))
    zs, pullback = odesolve_vjp(p.z0, p.f, p.ts, p.theta, solver, method)
    g = pullback(np.cos(zs))
    for argnum, exact in enumerate((g.z0, g.ts, g.theta)):
        np.testing.assert_allclose(grad(loss, argnum)(p.z0, p.ts, p.theta), exact, rtol=1e-14)


def test_the_time_of_an_event_does_not_care():
    """odeint_event has two times, so nothing lies between them."""
    event = Event(lambda z, t, theta: z[0])
    for method in Discrete(), Backsolve():
        t = lambda g, dense, method=method: odeint_event(
            np.array([0.0, 2.0]), lambda z, t, theta: np.stack([z[1], -theta[0]]), (0.0, 9.0), g, event,
            dopri5(dense=dense), method=method,
        )[0]  # fmt: skip
        assert t(np.array([10.0]), True) == t(np.array([10.0]), False) == pytest.approx(0.4, rel=1e-9)
        assert grad(lambda g, t=t: t(g, True))(np.array([10.0])) == pytest.approx(-0.04, rel=1e-8)


# ---- ensembles whose members diverge


def growing(z, t, theta):
    """z' = theta z^2: z = 1 / (1 / z0 - theta t); theta (E, 1), z (E, 2)."""
    return theta * z * z


GROWTH, START = np.array([[0.2], [2.0], [-1.0]]), np.array([[1.0, 0.5], [1.0, 0.9], [1.0, 2.0]])
LATE, REST = (0.0, 0.3, 0.31, 0.7, 1.1, 2.0), np.array([0, 2])  # member 1 is infinite at t = 0.5


@pytest.mark.parametrize("method", [Discrete(), Checkpointed(), Backsolve(), Interpolating()], ids=repr)
@pytest.mark.parametrize("solver", [rk4(n=200, dense=True), dopri5(1e-9, 1e-11, dense=True)])
def test_a_member_that_diverges_becomes_nan_and_the_others_go_on(solver, method):
    with pytest.warns(EnsembleWarning, match="member 1 diverged"):
        zs, pullback = odesolve_vjp(START, growing, LATE, GROWTH, solver, method)
    exact = 1 / (1 / START - GROWTH * np.array(LATE)[:, np.newaxis, np.newaxis])
    np.testing.assert_allclose(zs[:3], exact[:3], rtol=1e-4)
    np.testing.assert_allclose(zs[:, REST], exact[:, REST], rtol=1e-7)
    assert np.isnan(zs[3:, 1]).all()
    g = pullback(2 * zs)
    own_zs, own_pullback = odesolve_vjp(START[REST], growing, LATE, GROWTH[REST], solver, method)
    own = own_pullback(2 * own_zs)
    rtol = 1e-12 if isinstance(solver.control, FixedSteps) else 1e-5
    np.testing.assert_allclose(g.z0[REST], own.z0, rtol=rtol)
    np.testing.assert_allclose(g.theta[REST], own.theta, rtol=rtol)


def test_a_member_is_nan_from_the_start_of_the_step_in_which_it_leaves_the_range():
    """z' = theta: member 1 is finite at t = 1.01, but the step that goes by there ends beyond all numbers."""
    f, theta = lambda z, t, theta: theta * np.ones_like(z), np.array([[1.0], [1.7e308]])
    with pytest.warns(EnsembleWarning, match="member 1"):
        zs = odesolve(np.zeros((2, 1)), f, (0.0, 0.5, 1.01, 2.0), theta, rk4(n=2, dense=True)).zs
    np.testing.assert_allclose(zs[:, 0, 0], (0.0, 0.5, 1.01, 2.0), rtol=1e-14)
    np.testing.assert_allclose(zs[1, 1, 0], 0.85e308, rtol=1e-14)
    assert np.isnan(zs[2:, 1]).all()


# ---- what does not fit


def test_dense_is_a_switch():
    with pytest.raises(TypeError, match="dense must be True or False, got 1"):
        Solver(dense=1)
    assert dopri5(1e-3, dense=True) == Solver(DOPRI5, AdaptiveSteps(1e-3), True) != dopri5(1e-3)
    assert pickle.loads(pickle.dumps(dopri5(dense=True))) == dopri5(dense=True)


@pytest.mark.parametrize("solver", [dopri5(dense=True), dop853(dense=True)])
def test_a_trajectory_survives_a_copy(solver):
    p = observed_often(OSCILLATING_RATE)
    traj = odesolve(p.z0, p.f, p.ts, p.theta, solver)
    again = copy.deepcopy(traj)
    np.testing.assert_array_equal(again(p.ts), traj(p.ts))


# ---- bytes


@pytest.mark.parametrize("solver", [dopri5(1e-5, 1e-7, dense=True), rk4(n=8, dense=True), dop853(1e-7, dense=True)])
@pytest.mark.parametrize("method", [Discrete(), Checkpointed(), Interpolating(), Backsolve()], ids=repr)
def test_bytes_are_what_tracemalloc_sees(method, solver):
    """On arrays so large that Python's own objects count for little. Steps that are read hold more than others. Not
    counted is what the last stage of the very last step keeps, one of 19."""
    net, rng = MLP((2, 20, 2)), np.random.default_rng(0)
    z0, theta, ts = rng.normal(size=(2000, 2)), net.init(rng), np.array([0.0, 0.5, 0.53, 1.0])
    method.vjp(z0, net, ts, theta, solver)
    tracemalloc.start()
    zs, pullback = method.vjp(z0, net, ts, theta, solver)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 1 <= held / pullback(zs).stats.bytes < 1.15
