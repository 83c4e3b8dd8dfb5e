"""SciPy's solvers in our hands, and our tableaus in SciPy's."""

import numpy as np
import pytest
from problems import BATTERY, LINEAR, LOTKA_VOLTERRA, NEURAL, OSCILLATING_RATE, backwards, cotangent
from scipy import integrate
from scipy.integrate import solve_ivp

from odelearn import (
    Backsolve,
    Discrete,
    Dynamics,
    SolverError,
    bosh3,
    complex_step,
    counted,
    dop853,
    dopri5,
    grad,
    odeint,
    odesolve,
    unrolled,
)
from odelearn.gradients.checkpointed import Checkpointed
from odelearn.gradients.forward import Forward
from odelearn.gradients.interpolating import Interpolating
from odelearn.gradients.reversible import Reversible
from odelearn.neural_ode import odeint_event
from odelearn.solvers.events import Event
from odelearn.solvers.scipy_bridge import METHODS, scipy_solver

ALL = list(METHODS)
IMPLICIT = ["Radau", "BDF", "LSODA"]
BOTH_WAYS = [way(p) for p in BATTERY for way in (lambda p: p, backwards)]


def flat(g):
    return np.concatenate([np.ravel(g.z0), g.theta, g.ts])


def gradients(p, method, solver):
    return method.vjp(p.z0, p.f, p.ts, p.theta, solver)[1](cotangent(p))


# ---- the forward solve


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("p", [p for p in BOTH_WAYS if p.exact])
def test_a_black_box_solves_to_its_tolerance(p, method):
    f = counted(p.f)
    trajectory = odesolve(p.z0, f, p.ts, p.theta, scipy_solver(method, 1e-8, 1e-10))
    exact = np.array([p.exact(t) for t in p.ts])
    np.testing.assert_allclose(trajectory.zs, exact, rtol=0, atol=3e-6)
    assert (trajectory.zs[0] == p.z0).all() and trajectory.zs.dtype == np.float64
    stats = trajectory.stats
    assert stats.evals == f.evals and stats.accepted == len(trajectory.steps) == len(trajectory.ledger)
    assert {step.t_next for step in trajectory.steps} >= set(p.ts[1:])
    ts = np.linspace(p.ts[0], p.ts[-1], 30)
    between = np.array([p.exact(t) for t in ts])
    np.testing.assert_allclose(trajectory(ts), between, rtol=0, atol=1e-4)  # the dense output of Radau has order 3


@pytest.mark.parametrize("method", ALL)
def test_one_interval_is_what_solve_ivp_does(method):
    p = LOTKA_VOLTERRA
    for ts in ((0.0, 2.5), (2.5, 0.0)):
        trajectory = odesolve(p.z0[0], p.f, ts, p.theta, scipy_solver(method, 1e-6, 1e-9))
        f = counted(p.f)
        fun = lambda t, z, f=f: f(z, t, p.theta)
        scipys = solve_ivp(fun, ts, p.z0[0], method, rtol=1e-6, atol=1e-9, dense_output=True)
        np.testing.assert_array_equal(trajectory.zs[-1], scipys.y[:, -1])
        np.testing.assert_array_equal(trajectory(1.2), scipys.sol(1.2))
        assert trajectory.stats.accepted == len(scipys.t) - 1
        assert trajectory.stats.evals == f.evals + 1  # ours asks once more, whether f changes its arguments


@pytest.mark.parametrize("method", ["RK23", "RK45", "DOP853"])
@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.complex128])
def test_explicit_methods_keep_every_dtype(method, dtype):
    seen = set()

    def f(z, t, theta):
        seen.add((z.dtype, z.shape, theta.dtype))
        return theta[0] * z

    trajectory = odesolve(np.ones((2, 1), dtype), f, (0.0, 0.5), [-1.0], scipy_solver(method, 1e-4, 1e-5))
    assert trajectory.zs.dtype == trajectory(0.3).dtype == dtype
    assert seen == {(np.dtype(dtype), (2, 1), np.zeros((), dtype).real.dtype)}
    np.testing.assert_allclose(trajectory.zs[-1], np.exp(-0.5), rtol=1e-3)


def test_implicit_methods_take_no_single_precision_and_only_bdf_complex_states():
    f = lambda z, t, theta: 1j * np.cos(t) * z
    z = odesolve(np.ones(1, complex), f, (0.0, 2.0), None, scipy_solver("BDF", 1e-8, 1e-10)).zs[-1, 0]
    assert z == pytest.approx(np.exp(1j * np.sin(2.0)), rel=1e-6)
    for method, dtype in (("Radau", np.float32), ("BDF", np.complex64), ("LSODA", np.complex128)):
        with pytest.raises(TypeError, match=f"SciPy's {method} does not solve for z of {np.dtype(dtype)}"):
            odesolve(np.ones(1, dtype), lambda z, t, theta: -z, (0.0, 1.0), None, scipy_solver(method))


def test_first_and_largest_step_are_handed_on():
    solve = lambda solver: odesolve(LINEAR.z0, LINEAR.f, LINEAR.ts, LINEAR.theta, solver)
    lengths = lambda **options: [step.h for step in solve(scipy_solver("RK45", **options)).steps]
    assert lengths(first=0.01)[0] == pytest.approx(0.01, rel=1e-12)
    assert max(lengths(max_step=0.05)) <= 0.05 * (1 + 1e-12)
    assert lengths(first=1.0)  # longer than the first interval


def test_no_intervals_nothing_to_do():
    assert odesolve([1.0], LINEAR.f, [0.3], None, scipy_solver()).zs.tolist() == [[1.0]]
    g = Backsolve().vjp([1.0], LINEAR.f, [0.3], None, scipy_solver())[1](np.array([[2.0]]))
    assert g.z0.tolist() == [2.0] and g.ts.tolist() == [0.0] and g.theta.shape == (0,)


# ---- the paper's adjoint around any ODE solver


@pytest.mark.parametrize("p", BOTH_WAYS)
def test_the_adjoint_through_a_black_box(p):
    reference = flat(gradients(p, Discrete(), dopri5(1e-10, 1e-12)))
    g = gradients(p, Backsolve(), scipy_solver("LSODA", 1e-8, 1e-10))
    np.testing.assert_allclose(flat(g), reference, rtol=0, atol=2e-6 * np.abs(reference).max())
    assert g.stats.evals > 0 and 0 < g.drift < 1e-5


@pytest.mark.parametrize("method", [Backsolve(reset=False), Interpolating()])
@pytest.mark.parametrize("solver", ["DOP853", "Radau"])
@pytest.mark.parametrize("p", [NEURAL, backwards(OSCILLATING_RATE)])
def test_the_other_adjoints_through_a_black_box(p, solver, method):
    reference = flat(gradients(p, Discrete(), dopri5(1e-10, 1e-12)))
    g = gradients(p, method, scipy_solver(solver, 1e-8, 1e-10))
    np.testing.assert_allclose(flat(g), reference, rtol=0, atol=2e-6 * np.abs(reference).max())


@pytest.mark.parametrize("solver", ALL)
def test_the_error_of_the_gradient_closes_with_the_tolerance(solver):
    p = NEURAL
    reference = flat(gradients(p, Discrete(), dopri5(1e-12, 1e-14)))
    for tol in (1e-4, 1e-6):
        gap = np.abs(flat(gradients(p, Backsolve(), scipy_solver(solver, tol, tol))) - reference).max()
        assert 0 < gap < 50 * tol * np.abs(reference).max()


def test_algorithm_2_to_the_letter_is_the_sum_with_the_weights_b():
    """SciPy's RK45 is DOPRI5: on the same steps, a_theta and a_t as states are what Backsolve sums, to round-off."""
    steps = dict(rtol=10.0, atol=10.0, first=0.25, max_step=0.25)  # whatever the error
    for p in (NEURAL, LOTKA_VOLTERRA, backwards(OSCILLATING_RATE)):
        ours = flat(gradients(p, Backsolve(), dopri5(**steps)))
        theirs = flat(gradients(p, Backsolve(), scipy_solver("RK45", **steps)))
        np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-13 * np.abs(ours).max())


def test_odeint_and_events_on_the_tape():
    p = OSCILLATING_RATE
    loss = lambda theta: np.sum(odeint(p.z0, p.f, p.ts, theta, scipy_solver("LSODA", 1e-9, 1e-11))[1:] ** 2)
    exact = lambda theta: sum((1.3 * np.exp(theta[0] * (np.sin(t) - np.sin(0.2)))) ** 2 for t in p.ts[1:])
    np.testing.assert_allclose(grad(loss)(p.theta), complex_step(exact, p.theta), rtol=1e-6)
    fall = lambda z, t, theta: np.stack([z[1], 0 * z[1] - 9.81])
    ground = Event(lambda z, t, theta: z[0])
    for solver in (scipy_solver("Radau", 1e-9, 1e-9), scipy_solver("DOP853", 1e-9, 1e-9)):
        time = lambda v, solver=solver: odeint_event(np.stack([0.0, v]), fall, (0.0, 9.0), None, ground, solver)[0]
        assert time(3.0) == pytest.approx(6 / 9.81, rel=1e-9)
        assert grad(time)(3.0) == pytest.approx(2 / 9.81, rel=1e-7)


@pytest.mark.parametrize("solver", IMPLICIT)
def test_a_stiff_problem_and_its_gradient(solver):
    """y' = -k (y - theta cos t), k = 10^6, so that y = theta (k^2 cos t + k sin t) / (k^2 + 1) soon."""
    k, ts = 1e6, (0.0, 50.0, 100.0)
    f = lambda y, t, theta: -k * (y - theta[0] * np.cos(t))
    exact = (k * k * np.cos(100.0) + k * np.sin(100.0)) / (k * k + 1)
    zs, pullback = Interpolating().vjp(1.0, f, ts, [1.5], scipy_solver(solver))
    assert zs[-1] == pytest.approx(1.5 * exact, abs=1e-5)
    g = pullback(np.array([0.0, 0.0, 1.0]))
    np.testing.assert_allclose(g.theta, [exact], rtol=1e-6)
    assert abs(g.z0) < 1e-9 and g.stats.evals < 5000


@pytest.mark.parametrize("method", [Discrete(), Checkpointed(), Forward(), Reversible()])
def test_what_needs_stages_refuses_a_black_box(method):
    with pytest.raises(TypeError, match=r"LSODA is a black box.*Backsolve\(\) and Interpolating\(\)"):
        gradients(LINEAR, method, scipy_solver("LSODA"))


def test_what_repeats_steps_refuses_a_black_box():
    p, solver = LINEAR, scipy_solver("LSODA")
    with pytest.raises(TypeError, match="black box: its steps cannot be repeated"):
        odesolve(p.z0, p.f, p.ts, p.theta, solver).replay(p.z0, p.theta)
    with pytest.raises(TypeError, match="FixedSteps"):
        unrolled(p.z0, p.f, p.ts, p.theta, solver)


# ---- failures


@pytest.mark.parametrize("method", ALL)
def test_a_failure_has_scipys_reason_and_ours(method):
    undefined = lambda z, t, theta: np.array([1.0, np.nan if t > 0.5 else 1.0])
    with pytest.raises(SolverError, match=rf"SciPy's {method} failed in step \d+ at t = .*dz/dt\[1\] = nan at t = "):
        odesolve([1.0, 2.0], undefined, (0.0, 2.0), None, scipy_solver(method))
    with pytest.raises(SolverError, match=r"z\[0\] = .*blows up: .* infinite at t = (1|0\.9999\d*|1\.0000\d*)\. Stop"):
        odesolve([1.0], lambda z, t, theta: z * z, (0.0, 2.0), None, scipy_solver(method))


@pytest.mark.parametrize("method", ALL)
def test_what_f_raises_comes_through(method):
    with pytest.raises(ValueError, match=r"f returned shape \(1,\)"):
        odesolve([1.0, 2.0], lambda z, t, theta: z if t < 0.5 else z[:1], (0.0, 2.0), None, scipy_solver(method))
    with pytest.raises(SolverError, match="not finite at the start"):
        odesolve([1.0, 2.0], lambda z, t, theta: z * np.inf, (0.0, 2.0), None, scipy_solver(method))


def test_too_many_steps():
    with pytest.raises(SolverError, match="max_steps = 50 steps of SciPy's RK45 led only to t = .*Radau"):
        odesolve(1.0, lambda y, t, theta: -1e6 * (y - np.cos(t)), (0.0, 9.0), None, scipy_solver("RK45", max_steps=50))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: scipy_solver("RK4"), "method must be one of RK23, RK45, .* got 'RK4'"),
        (lambda: scipy_solver("RK45", rtol=[1e-3, 1e-4]), "rtol and atol must be numbers"),
        (lambda: scipy_solver("RK45", atol=-1.0), "atol must be finite and not negative"),
    ],
)
def test_bad_solvers_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# ---- our solvers beside SciPy's


def lotka_volterra(t, y):
    return np.array([1.5 * y[0] - y[0] * y[1], -3 * y[1] + y[0] * y[1] * (1 + 0.1 * np.sin(t))])


@pytest.mark.parametrize("span", [(0.0, 10.0), (10.0, 0.0)], ids=["forwards", "backwards"])
@pytest.mark.parametrize("solver, name", [(dopri5, "RK45"), (bosh3, "RK23"), (dop853, "DOP853")])
def test_ours_cannot_be_told_from_scipys(solver, name, span):
    """The same tableaus and the same step control: the same steps, evaluations, events and dense output."""
    tolerances = dict(rtol=1e-5, atol=1e-7)  # round-off in an error estimate moves the mesh, and z by 1e-8
    event = Event(lambda z, t, theta: z[0] - 2, terminal=False)
    ours = odesolve([10.0, 5.0], lambda z, t, theta: lotka_volterra(t, z), span, None, solver(**tolerances))
    crossed = odesolve([10.0, 5.0], lambda z, t, theta: lotka_volterra(t, z), span, None, solver(**tolerances), event)
    options = dict(events=lambda t, y: y[0] - 2, dense_output=True)
    plain = solve_ivp(lotka_volterra, span, [10.0, 5.0], name, **tolerances)
    theirs = solve_ivp(lotka_volterra, span, [10.0, 5.0], name, **tolerances, **options)
    assert len(ours.steps) == len(theirs.t) - 1
    assert 0.97 * plain.nfev < ours.stats.evals <= plain.nfev  # SciPy's DOP853 takes a new slope after a rejection
    np.testing.assert_allclose([step.t_next for step in ours.steps], theirs.t[1:], rtol=1e-6)
    np.testing.assert_allclose(np.stack([step.z_next for step in ours.steps]), theirs.y.T[1:], rtol=1e-6)
    assert len(crossed.events[0]) > 3
    np.testing.assert_allclose([crossing.t for crossing in crossed.events[0]], theirs.t_events[0], rtol=1e-7)
    ts = np.linspace(0, 10, 77)
    np.testing.assert_allclose(ours(ts), theirs.sol(ts).T, rtol=1e-6)


STARTS = {  # z0, f: as it is usually, and where z, dz/dt or d^2z/dt^2 is zero or huge
    "usual": ([10.0, 5.0], lambda t, y: lotka_volterra(t, y)),
    "z is 0": ([0.0, 0.0], lambda t, y: np.cos(t) + y[::-1]),
    "dz/dt is 0": ([1.0, 2.0], lambda t, y: 3 * (t - 0.5) * y),
    "z is small": ([1e-13, 0.0], lambda t, y: 1 + y[::-1]),
    "all is 0": ([0.0, 0.0], lambda t, y: 0 * y),
    "no curvature": ([1.0, 2.0], lambda t, y: np.array([1.0, -1.0])),
    "rests": ([1.0, 2.0], lambda t, y: 0 * y),
    "curved": ([1.0, 2.0], lambda t, y: 1e-3 * np.cos(1e4 * t + y)),
    "fast": ([1.0, 2.0], lambda t, y: -1e6 * y),
}


@pytest.mark.parametrize("t_end, max_step", [(3.0, np.inf), (-4.0, np.inf), (0.5 + 1e-5, np.inf), (3.0, 1e-4)])
@pytest.mark.parametrize(
    "solver, scipys", [(dopri5, integrate.RK45), (bosh3, integrate.RK23), (dop853, integrate.DOP853)]
)
@pytest.mark.parametrize("start", STARTS)
def test_the_first_step_is_that_of_scipy(start, solver, scipys, t_end, max_step):
    z0, f = STARTS[start]
    tolerances = dict(rtol=1e-5, atol=1e-7)
    first = scipys(f, 0.5, np.array(z0), t_end, max_step=max_step, **tolerances).h_abs
    field = Dynamics(lambda z, t, theta: f(t, z)).bind(None, np.array(z0)).value
    ts, ledger = np.array([0.5, t_end]), []
    solver(max_step=max_step, **tolerances).stepper(field, np.array(z0), ts, ledger).step(np.array(z0), *ts)
    assert ledger[0].h == pytest.approx(np.copysign(min(first, max_step, abs(t_end - 0.5)), t_end - 0.5), rel=1e-9)


def test_a_black_box_asks_at_the_start_what_our_solvers_ask():
    with pytest.raises(ValueError, match="changed its argument z in place"):
        odesolve([1.0, 2.0], lambda z, t, theta: z.__imul__(2.0), (0.0, 1.0), None, scipy_solver())
