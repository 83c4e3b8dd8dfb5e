"""Every gradient of a solve, against theory: closed forms, the complex step, the tape, and each other."""

import numpy as np
import pytest
from problems import (
    BATTERY,
    LINEAR,
    LOTKA_VOLTERRA,
    NEURAL,
    OSCILLATING_RATE,
    ROTATION,
    backwards,
    cotangent,
    lotka_volterra,
)

from odelearn import (
    BOSH3,
    DOPRI5,
    EULER,
    HEUN,
    MIDPOINT,
    RK4,
    RK38,
    AdaptiveSteps,
    Backsolve,
    Discrete,
    Dynamics,
    FixedSteps,
    Solver,
    SolverError,
    bosh3,
    counted,
    dopri5,
    euler,
    grad,
    observed_order,
    odeint,
    odesolve,
    odesolve_vjp,
    rk4,
    unrolled,
    vjp,
)

TABLEAUS = [EULER, MIDPOINT, HEUN, RK4, RK38, BOSH3, DOPRI5]
BOTH_WAYS = [way(p) for p in BATTERY for way in (lambda p: p, backwards)]


def gradients(p, method, solver, a_zs=None):
    zs, pullback = odesolve_vjp(p.z0, p.f, p.ts, p.theta, solver, method)
    return pullback(cotangent(p) if a_zs is None else a_zs)


def flat(g):
    return np.concatenate([np.ravel(g.z0), g.theta, g.ts])


def assert_same(g, reference, tolerance):
    np.testing.assert_allclose(flat(g), reference, rtol=0, atol=tolerance * np.abs(reference).max())
    assert (np.abs(reference) > 1e-3 * np.abs(reference).max()).any()


# the oracle of four independent libraries: y' = a y cos t, L = y(ts[1])^2 + 3 y(ts[2])

ORACLE = np.array([11.120901779520, 9.867990505116, -9.918293976102, 3.334353916239, -0.612779185468])


@pytest.mark.parametrize("method", [Discrete(), Backsolve()])
@pytest.mark.parametrize("solver", [rk4(n=300), dopri5(1e-12, 1e-14)])
def test_the_oracle(method, solver):
    p = OSCILLATING_RATE
    zs, pullback = odesolve_vjp(p.z0, p.f, p.ts, p.theta, solver, method)
    assert zs[1, 0] ** 2 + 3 * zs[2, 0] == pytest.approx(10.625700023174, abs=1e-10)
    g = pullback(np.array([[0.0], [2 * zs[1, 0]], [3.0]]))
    np.testing.assert_allclose(flat(g), ORACLE, rtol=0, atol=1e-10)


# Discrete is the derivative of the numbers that were computed


def test_discrete_euler_is_a_power_of_a_matrix():
    """z_N = (I + hA)^N z0, so dL/dz0 = a (I + hA)^N."""
    h, N, a = 0.1, 12, np.array([0.3, -1.7])
    _, pullback = Discrete().vjp(LINEAR.z0, LINEAR.f, (0.0, h * N), LINEAR.theta, euler(n=N))
    exact = a @ np.linalg.matrix_power(np.eye(2) + h * ROTATION, N)
    np.testing.assert_allclose(pullback(np.stack([0 * a, a])).z0, exact, rtol=1e-14)


def test_discrete_rk4_is_its_stability_polynomial():
    """y' = lambda y: y_N = R(h lambda)^N y0 with R(x) = 1 + x + x^2/2 + x^3/6 + x^4/24."""
    lam, h, N, y0 = -1.3, 0.2, 9, 0.8
    R, dR = np.polynomial.Polynomial([1, 1, 1 / 2, 1 / 6, 1 / 24]), np.polynomial.Polynomial([1, 1, 1 / 2, 1 / 6])
    g = Discrete().vjp(y0, lambda y, t, theta: theta[0] * y, (0.0, h * N), [lam], rk4(n=N))[1](np.array([0.0, 1.0]))
    x = h * lam
    np.testing.assert_allclose(g.z0, R(x) ** N, rtol=1e-14)
    np.testing.assert_allclose(g.theta, [N * R(x) ** (N - 1) * dR(x) * h * y0], rtol=1e-14)
    np.testing.assert_allclose(g.ts, np.array([-1, 1]) * R(x) ** (N - 1) * dR(x) * lam * y0, rtol=1e-14)


def test_discrete_meets_the_frechet_derivative_of_the_exponential_at_slope_4():
    from scipy.linalg import expm_frechet

    a = np.array([0.3, -1.7])
    exact = np.array(
        [
            [a @ expm_frechet(ROTATION, E)[1] @ LINEAR.z0 for E in np.eye(4)[2 * i : 2 * i + 2].reshape(2, 2, 2)]
            for i in (0, 1)
        ]
    )
    errors = []
    for n in (5, 10, 20, 40):
        _, pullback = Discrete().vjp(LINEAR.z0, LINEAR.f, (0.0, 1.0), LINEAR.theta, rk4(n=n))
        errors.append(np.abs(pullback(np.stack([0 * a, a])).theta - exact.ravel()).max())
    assert observed_order(errors) == pytest.approx(4, abs=0.15)


def complex_step_through(solve, p, a_zs, h=1e-30):
    """d/dx sum(a_zs zs) for every component x of z0, theta and ts, from solve(z0, ts, theta) on complex numbers."""
    x = np.concatenate([np.ravel(p.z0), p.theta, p.ts])
    n, P = np.size(p.z0), len(p.theta)

    def loss(x):
        return np.sum(a_zs * solve(x[:n].reshape(np.shape(p.z0)), x[n + P :], x[n : n + P]))

    return np.array([loss(x + 1j * h * e).imag / h for e in np.eye(x.size)])


@pytest.mark.parametrize("tableau", TABLEAUS)
@pytest.mark.parametrize("p", BOTH_WAYS)
def test_discrete_is_the_complex_step_through_the_whole_solve(p, tableau):
    solver, a_zs = Solver(tableau, FixedSteps(n=4)), cotangent(p)
    reference = complex_step_through(lambda z0, ts, theta: unrolled(z0, p.f, ts, theta, solver), p, a_zs)
    assert_same(gradients(p, Discrete(), solver, a_zs), reference, 1e-12)


def test_the_complex_step_runs_through_odesolve_itself():
    p, solver, h = NEURAL, rk4(n=4), 1e-30
    g, a_zs = gradients(p, Discrete(), solver), cotangent(p)
    for j in (0, p.theta.size // 2, p.theta.size - 1):
        theta = p.theta + 1j * h * np.eye(p.theta.size)[j]
        zs = odesolve(p.z0 + 0j, p.f, p.ts, theta, solver).zs
        assert np.sum(a_zs * zs).imag / h == pytest.approx(g.theta[j], rel=1e-11)


@pytest.mark.parametrize("p", BOTH_WAYS)
def test_discrete_is_the_tape_through_the_whole_solve(p):
    solver, a_zs = rk4(n=3), cotangent(p)
    _, pullback = vjp(lambda z0, theta, ts: unrolled(z0, p.f, ts, theta, solver), p.z0, p.theta, p.ts)
    reference = np.concatenate([np.ravel(a) for a in pullback(a_zs)])
    assert_same(gradients(p, Discrete(), solver, a_zs), reference, 1e-12)


@pytest.mark.parametrize("solver", [dopri5(1e-4, 1e-6), bosh3(1e-4, 1e-6), Solver(HEUN, AdaptiveSteps(1e-3, 1e-5))])
@pytest.mark.parametrize("p", BOTH_WAYS)
def test_adaptive_discrete_is_the_derivative_on_the_frozen_mesh(p, solver):
    """The accepted mesh, as fractions of each interval, is held constant: complex step through those very steps."""
    from odelearn.solvers.unrolled import unrolled_step

    steps = odesolve(p.z0, p.f, p.ts, p.theta, solver).steps
    ends = [0, *(1 + next(i for i, s in enumerate(steps) if s.t_next == t) for t in p.ts[1:])]

    def replay(z0, ts, theta):
        zs = [z0]
        for i in range(len(ts) - 1):
            z, span = zs[-1], p.ts[i + 1] - p.ts[i]
            for s in steps[ends[i] : ends[i + 1]]:
                t = ts[i] + (s.t - p.ts[i]) / span * (ts[i + 1] - ts[i])
                z = unrolled_step(p.f, z, t, s.h / span * (ts[i + 1] - ts[i]), theta, solver.tableau)
            zs.append(z)
        return np.stack(zs)

    assert_same(gradients(p, Discrete(), solver), complex_step_through(replay, p, cotangent(p)), 1e-12)


def test_discrete_evaluates_nothing_twice():
    f = counted(LOTKA_VOLTERRA.f)
    p = LOTKA_VOLTERRA
    evals = odesolve(p.z0, p.f, p.ts, p.theta).stats.evals
    zs, pullback = Discrete().vjp(p.z0, f, p.ts, p.theta, dopri5())
    assert f.evals == evals
    g = pullback(cotangent(p))
    assert f.evals == evals and g.stats.evals == 0 and g.stats.pullbacks == f.pullbacks > 0


# Backsolve is the gradient of the exact flow, as far as the solver goes


@pytest.mark.parametrize("tableau", [EULER, RK4, DOPRI5])
@pytest.mark.parametrize("p", BOTH_WAYS)
def test_backsolve_meets_discrete_at_the_order_of_the_method(p, tableau):
    """Both estimate one gradient, so their gap closes like h^p."""
    ns = np.array([10, 20, 40]) * (4 if tableau is EULER else 1)
    gaps = []
    for n in ns:
        solver = Solver(tableau, FixedSteps(n=n))
        gaps.append(np.abs(flat(gradients(p, Backsolve(), solver)) - flat(gradients(p, Discrete(), solver))).max())
    above_round_off = [gap for gap in gaps if gap > 1e-12]
    assert len(above_round_off) >= 2
    assert observed_order(above_round_off) >= tableau.order - 0.3  # some problems are kinder than the order


@pytest.mark.parametrize("tableau", [EULER, RK4, DOPRI5])
def test_the_gap_closes_at_exactly_the_order_on_a_generic_problem(tableau):
    gaps = []
    for n in np.array([6, 12, 24]) * (10 if tableau is EULER else 1):
        solver = Solver(tableau, FixedSteps(n=n))
        backsolve, discrete = (flat(gradients(NEURAL, method, solver)) for method in (Backsolve(), Discrete()))
        gaps.append(np.abs(backsolve - discrete).max())
    assert observed_order(gaps) == pytest.approx(tableau.order, abs=0.2)


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "rebuilt"])
@pytest.mark.parametrize("p", BOTH_WAYS)
def test_backsolve_and_discrete_agree_at_tight_tolerance(p, reset):
    solver = dopri5(1e-11, 1e-13)
    discrete = flat(gradients(p, Discrete(), solver))
    g = gradients(p, Backsolve(reset=reset), solver)
    assert_same(g, discrete, 1e-8)
    assert 0 < g.drift < 1e-8


@pytest.mark.parametrize("p", BOTH_WAYS)
def test_minus_a_t_is_the_hamiltonian(p):
    """a_t + a.f = 0 along the adjoint: at t_0, dL/dt_0 = -a f, with a as it arrives, before the loss sees z0."""
    g, a_zs = gradients(p, Backsolve(), dopri5(1e-11, 1e-13)), cotangent(p)
    H = np.sum((g.z0 - a_zs[0]) * p.f(p.z0, float(p.ts[0]), p.theta))
    assert abs(H) > 1e-3
    assert g.ts[0] == pytest.approx(-H, rel=1e-8)


@pytest.mark.parametrize("method", [Backsolve(), Discrete()])
@pytest.mark.parametrize("solver", [rk4(n=6), dopri5(1e-5, 1e-7)])
def test_an_autonomous_field_does_not_care_what_time_it_is(method, solver):
    """Shifting all ts shifts nothing else: the sum of dL/dts is 0, to round-off."""
    g = gradients(LOTKA_VOLTERRA, method, solver)
    assert np.abs(g.ts).min() > 1e-3
    assert abs(g.ts.sum()) < 1e-13 * np.abs(g.ts).sum()


def test_backsolve_takes_a_solver_of_its_own():
    p = LOTKA_VOLTERRA
    exact = flat(gradients(p, Discrete(), dopri5(1e-12, 1e-13)))
    coarse, fine = (
        gradients(p, Backsolve(solver), dopri5(1e-10, 1e-12)) for solver in (rk4(n=2), dopri5(1e-11, 1e-12))
    )
    assert np.abs(flat(fine) - exact).max() < 1e-8 < 1e-5 < np.abs(flat(coarse) - exact).max()
    assert coarse.stats.evals == 3 * 2 * 4 and coarse.stats.evals == coarse.stats.pullbacks


def test_backsolve_counts_its_work():
    f = counted(LOTKA_VOLTERRA.f)
    p = LOTKA_VOLTERRA
    zs, pullback = Backsolve().vjp(p.z0, f, p.ts, p.theta, dopri5())
    forward = f.evals
    g = pullback(cotangent(p))
    assert f.evals - forward == g.stats.evals == f.pullbacks == g.stats.pullbacks


# what both must do


METHODS = [Discrete(), Backsolve()]


@pytest.mark.parametrize("method", METHODS)
def test_no_parameters(method):
    with_theta = gradients(OSCILLATING_RATE, method, rk4(n=9))
    p = OSCILLATING_RATE
    for f in (
        lambda y, t, theta: 0.7 * y * np.cos(t),
        Dynamics(
            lambda y, t, theta: 0.7 * y * np.cos(t),
            lambda y, t, theta: (
                0.7 * y * np.cos(t),
                lambda a: (0.7 * a * np.cos(t), -np.sum(0.7 * a * y * np.sin(t)), None),
            ),
        ),
    ):
        g = method.vjp(p.z0, f, p.ts, None, rk4(n=9))[1](cotangent(p))
        assert g.theta.shape == (0,)
        np.testing.assert_allclose(g.z0, with_theta.z0, rtol=1e-14)
        np.testing.assert_allclose(g.ts, with_theta.ts, rtol=1e-13)


@pytest.mark.parametrize("method", METHODS)
def test_one_observation_at_the_start(method):
    zs, pullback = method.vjp([1.0, 2.0], LINEAR.f, [0.3], LINEAR.theta, rk4(n=2))
    g = pullback(np.array([[3.0, 4.0]]))
    assert zs.tolist() == [[1, 2]] and g.z0.tolist() == [3, 4] and g.ts.tolist() == [0] and g.theta.tolist() == [0] * 4


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("method", METHODS)
def test_gradients_have_the_dtype_of_the_state(method, dtype):
    p = NEURAL
    zs, pullback = method.vjp(p.z0.astype(dtype), p.f, p.ts, p.theta, rk4(n=4))
    g = pullback(cotangent(p))
    exact = gradients(p, method, rk4(n=4))
    assert g.z0.dtype == g.theta.dtype == dtype
    np.testing.assert_allclose(g.theta, exact.theta, atol=100 * np.finfo(dtype).eps * np.abs(exact.theta).max())


@pytest.mark.parametrize("method", METHODS)
def test_a_pullback_may_be_called_again_and_is_linear(method):
    _, pullback = method.vjp(LOTKA_VOLTERRA.z0, LOTKA_VOLTERRA.f, LOTKA_VOLTERRA.ts, LOTKA_VOLTERRA.theta, rk4(n=5))
    a, b = cotangent(LOTKA_VOLTERRA, 1), cotangent(LOTKA_VOLTERRA, 2)
    combined = flat(pullback(2 * a - 3 * b))
    np.testing.assert_allclose(
        combined, 2 * flat(pullback(a)) - 3 * flat(pullback(b)), rtol=0, atol=1e-13 * np.abs(combined).max()
    )


@pytest.mark.parametrize("method", METHODS)
def test_bad_cotangents_and_pullbacks_are_named(method):
    zs, pullback = method.vjp(LINEAR.z0, LINEAR.f, LINEAR.ts, LINEAR.theta, rk4(n=2))
    with pytest.raises(ValueError, match=r"a_zs = dL/dzs must have the shape of zs, \(4, 2\), got \(2,\)"):
        pullback(np.ones(2))
    with pytest.raises(TypeError, match="a_zs is complex"):
        pullback(1j * zs)
    wrong = Dynamics(
        lambda z, t, theta: theta[0] * z, lambda z, t, theta: (theta[0] * z, lambda a: (theta[0] * a, 0.0, np.ones(3)))
    )
    zs, pullback = method.vjp(LINEAR.z0, wrong, LINEAR.ts, [1.0], rk4(n=2))
    with pytest.raises(ValueError, match=r"a_theta of shape \(3,\), theta has \(1,\)"):
        pullback(zs)


# the one door


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("p", BATTERY)
def test_odeint_on_the_tape(p, method):
    """grad through odeint is the method's own gradient, with f a plain NumPy function or a hand-written one."""
    solver, a_zs = rk4(n=5), cotangent(p)
    g = gradients(p, method, solver, a_zs)
    loss = lambda z0, ts, theta: np.sum(np.sin(a_zs * odeint(z0, p.f, ts, theta, solver, method)))
    zs, pullback = odesolve_vjp(p.z0, p.f, p.ts, p.theta, solver, method)
    g = pullback(a_zs * np.cos(a_zs * zs))
    for argnum, exact in enumerate((g.z0, g.ts, g.theta)):
        np.testing.assert_allclose(grad(loss, argnum)(p.z0, p.ts, p.theta), exact, rtol=1e-14)


def test_odeint_without_parameters_or_traces():
    zs = odeint([1.0], lambda z, t, theta: -z, [0.0, 1.0])
    assert type(zs) is np.ndarray and zs[-1, 0] == pytest.approx(np.exp(-1), rel=1e-5)
    g = grad(lambda z0: np.sum(odeint(z0, lambda z, t, theta: -z, [0.0, 1.0])))(np.ones(1))
    assert g[0] == pytest.approx(1 + np.exp(-1), rel=1e-5)


def test_closing_over_a_traced_value_is_an_error_that_says_what_to_do():
    with pytest.raises(TypeError, match="Pass that through theta"):
        grad(lambda a: np.sum(odeint(np.ones(1), lambda z, t, theta: a * z, [0.0, 1.0])))(0.5)


def test_traced_values_belong_into_odeint():
    with pytest.raises(TypeError, match="odeint"):
        grad(lambda z0: np.sum(odesolve(z0, LINEAR.f, LINEAR.ts, LINEAR.theta).zs))(LINEAR.z0)


def test_second_derivatives_name_the_alternative_and_it_works():
    p, solver = LOTKA_VOLTERRA, rk4(n=5)
    through = lambda solve: lambda theta: np.sum(np.sin(solve(p.z0, p.f, p.ts, theta, solver)))
    v = np.array([0.3, -0.2, 0.5, 0.1])
    with pytest.raises(TypeError, match="unrolled"):
        grad(lambda theta: grad(through(odeint))(theta) @ v)(p.theta)
    Hv = grad(lambda theta: grad(through(unrolled))(theta) @ v)(p.theta)
    h = 1e-30
    complex_theta = p.theta + 1j * h * v
    zs, pullback = odesolve_vjp(p.z0 + 0j, lotka_volterra, p.ts, complex_theta, solver, Discrete())
    np.testing.assert_allclose(Hv, pullback(np.cos(zs)).theta.imag / h, rtol=1e-10)


def test_unrolled_wants_a_fixed_number_of_steps():
    with pytest.raises(TypeError, match="FixedSteps"):
        unrolled(LINEAR.z0, LINEAR.f, LINEAR.ts, LINEAR.theta, dopri5())


def test_a_failed_backward_solve_says_that_it_was_the_adjoint():
    decay = lambda y, t, theta: theta[0] * y * y * np.abs(y)
    _, pullback = Backsolve(dopri5(max_steps=3)).vjp(np.ones(1), decay, (0.0, 2.0), [-1.0], dopri5())
    with pytest.raises(SolverError, match="max_steps = 3") as failure:
        pullback(np.ones((2, 1)))
    assert any("Discrete" in note for note in failure.value.__notes__)
