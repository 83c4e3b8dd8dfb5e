"""Continuous normalizing flows: Theorem 1 against exact densities, determinants, the tape, and total probability."""

import math

import numpy as np
import pytest

from odelearn import MLP, check_gradient, complex_step, dopri5, odesolve, rk4, unrolled, value_and_grad, vjp
from odelearn.models.flow import draw_noise, log_density, log_standard_normal, push_forward, with_log_density
from odelearn.models.flow_penalties import penalised_log_density, with_penalties
from odelearn.models.planar import PlanarField, PlanarFlow, planar_layer

EPS = np.finfo(float).eps
FIELDS = [MLP([2, 6, 2], time="concat"), MLP([3, 5, 4, 3], "softplus", time="concat", power=2), PlanarField(5)]
TIGHT = dopri5(1e-11, 1e-11)


def point(f, N=6, seed=0):
    rng = np.random.default_rng(seed)
    D = f.sizes[0] if isinstance(f, MLP) else f.D
    return rng.normal(size=(N, D)), f.init(rng) + 0.2 * rng.normal(size=f.size)


def plain(f):
    """f as an ordinary function, of which only the tape knows derivatives."""
    return lambda z, t, theta: f(z, t, theta)


def close(x, y, ulps=2000):
    x, y = np.asarray(x), np.asarray(y)
    return x.shape == y.shape and np.abs(x - y).max() <= ulps * EPS * max(1.0, np.abs(y).max())


def jacobian_of(fun, z):
    """d fun(z)[n] / d z[n] (N, D, D) by the complex step: rows do not see each other."""
    steps = [np.imag(fun(z + 1e-30j * e)) / 1e-30 for e in np.eye(z.shape[1])]
    return np.stack(steps, axis=2)


# ---- the field of [z, log p]


@pytest.mark.parametrize("trace", ["exact", "hutchinson"])
@pytest.mark.parametrize("f", FIELDS, ids=str)
def test_by_hand_and_by_the_tape(f, trace):
    """Value and pullback of the field of Theorem 1, for both ways to the trace, to round-off."""
    z, theta = point(f)
    rng = np.random.default_rng(1)
    noise = None if trace == "exact" else draw_noise(rng, *z.shape, "gaussian")
    s, a = rng.normal(size=(2, len(z), z.shape[1] + 1))
    s[:, :-1] = z
    ds, pullback = with_log_density(f, trace, noise).vjp(s, 0.4, theta)
    taped, taped_pullback = with_log_density(plain(f), trace, noise).vjp(s, 0.4, theta)
    assert close(ds, taped) and close(ds[:, :-1], f(z, 0.4, theta))
    J = jacobian_of(lambda z: f(z, 0.4, theta + 0j), z)
    expected = np.einsum("nii->n", J) if trace == "exact" else np.einsum("ni,nij,nj->n", noise, J, noise)
    assert close(ds[:, -1], -expected)  # the minus sign of (8), which (10) lacks
    for mine, other in zip(pullback(a), taped_pullback(a), strict=True):
        assert close(mine, other)
    assert pullback(a)[1] != 0 and not pullback(a)[0][:, -1].any()


@pytest.mark.parametrize("f", [PlanarField(4), PlanarField(3, D=3, gated=False)], ids=str)
def test_9_10_the_planar_field_and_its_trace(f):
    """(9) as it is printed, one unit after the other; (10) with its minus sign; both pullbacks against the tape."""
    z, theta = point(f)
    W, b, U, alpha, beta = f.unravel(theta)
    t, D, dz, trace = 0.3, f.D, 0.0, 0.0
    for m in range(f.M):
        gate = 1.0 if alpha is None else 1 / (1 + np.exp(-(alpha[m] * t + beta[m])))
        pre = z @ W[:, m] + b[m]
        dz = dz + gate * np.tanh(pre)[:, np.newaxis] * U[m]
        trace = trace + gate / np.cosh(pre) ** 2 * (U[m] @ W[:, m])
    assert close(f(z, t, theta), dz) and close(f.vjp(z, t, theta)[0], dz) and close(f.trace_vjp(z, t, theta)[0], trace)
    assert close(with_log_density(f)(np.c_[z, np.zeros(len(z))], t, theta)[:, -1], -trace)
    rng = np.random.default_rng(2)
    a, a_trace = rng.normal(size=(len(z), D)), rng.normal(size=len(z))
    for mine, taped in zip(f.vjp(z, t, theta)[1](a), vjp(plain(f), z, t, theta)[1](a), strict=True):
        assert close(mine, taped)
    weighted = lambda z, t, theta: np.sum(a_trace * f.trace_vjp(z, t, theta)[0])
    a_z, a_t, a_theta = f.trace_vjp(z, t, theta)[1](a_trace)
    assert close(a_z, complex_step(lambda z: weighted(z, t, theta + 0j), z))
    assert close(a_theta, complex_step(lambda theta: weighted(z + 0j, t, theta), theta))
    if f.gated:
        assert close(a_t, complex_step(lambda t: weighted(z + 0j, t, theta + 0j), np.float64(t)))


def test_8_a_linear_flow_of_a_gaussian():
    """dz/dt = A z carries N(0, I) to N(0, e^(TA) e^(TA)^T), and log p along a path falls by exactly T tr A."""
    A, T = np.array([[0.3, -1.0], [0.7, -0.8]]), 1.7
    f = with_log_density(lambda z, t, theta: z @ theta.reshape(2, 2).T)
    z0 = np.random.default_rng(0).normal(size=(50, 2))
    x, log_p = push_forward(z0, f, A.ravel(), (0.0, T), TIGHT)
    np.testing.assert_allclose(log_p, log_standard_normal(z0) - T * np.trace(A), atol=1e-13)
    values, vectors = np.linalg.eig(A)
    E = (vectors * np.exp(T * values) @ np.linalg.inv(vectors)).real
    C = E @ E.T
    exact = -0.5 * np.einsum("ni,ij,nj->n", x, np.linalg.inv(C), x) - 0.5 * np.log((2 * np.pi) ** 2 * np.linalg.det(C))
    np.testing.assert_allclose(log_p, exact, atol=1e-8)
    np.testing.assert_allclose(log_density(x, f, A.ravel(), (0.0, T), TIGHT), exact, atol=1e-8)


@pytest.mark.parametrize("f", FIELDS, ids=str)
def test_the_change_of_log_p_is_minus_log_det_of_the_flow_map(f):
    """(6) and (8) say the same: int tr(df/dz) dt = log|det dz(t_1)/dz(t_0)|, the determinant by the complex step."""
    z0, theta = point(f)
    flow = lambda z0: odesolve(z0, f, (0.2, 1.1), theta, rk4(n=200)).zs[-1]
    _, log_p = push_forward(z0, with_log_density(f), theta, (0.2, 1.1), rk4(n=200))
    J = jacobian_of(flow, z0)
    np.testing.assert_allclose(log_p - log_standard_normal(z0), -np.log(np.abs(np.linalg.det(J))), atol=1e-8)
    assert np.abs(log_p - log_standard_normal(z0)).max() > 0.01


@pytest.mark.parametrize("f", FIELDS, ids=str)
def test_there_and_back_is_the_identity(f):
    z0, theta = point(f)
    flow = with_log_density(f)
    x, log_p = push_forward(z0, flow, theta, solver=TIGHT)
    np.testing.assert_allclose(odesolve(x, f, (1.0, 0.0), theta, TIGHT).zs[-1], z0, atol=1e-8)
    np.testing.assert_allclose(log_density(x, flow, theta, solver=TIGHT), log_p, atol=1e-8)


def test_total_probability_is_one():
    """The sum of a smooth density over a grid is its integral, to far less than the tails that the grid cuts off."""
    f = MLP([2, 8, 2], time="concat")
    theta = f.init(np.random.default_rng(3))
    axis = np.linspace(-8, 8, 161)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    p = np.exp(log_density(grid, with_log_density(f), theta, solver=dopri5(1e-8, 1e-8)))
    assert np.sum(p) * 0.1**2 == pytest.approx(1, abs=1e-6)
    assert np.abs(p - np.exp(log_standard_normal(grid))).max() > 0.05  # it is another density than the base


# ---- Hutchinson's estimator


@pytest.mark.parametrize("kind", ["rademacher", "gaussian"])
def test_mean_and_variance_of_the_estimator(kind):
    """The mean is tr J. With S = (J + J^T) / 2 the variance is 2 (|S|^2 - sum S_ii^2), or for normal noise 2 |S|^2.

    From n draws a mean is within 5 standard errors, and a variance within 5 sqrt((kurtosis - 1) / n).
    """
    f = MLP([3, 7, 3], time="concat")
    z, theta = point(f, N=1)
    n, z = 200_000, np.repeat(z, 200_000, axis=0)
    noise = draw_noise(np.random.default_rng(5), n, 3, kind)
    flow = with_log_density(f, trace="hutchinson", noise=noise)
    draws = -flow(np.c_[z, np.zeros(n)], 0.4, theta)[:, -1]
    J = jacobian_of(lambda z: f(z, 0.4, theta + 0j), z[:1])[0]
    pairs = sum((J[i, j] + J[j, i]) ** 2 for i in range(3) for j in range(i))
    variance = {"rademacher": pairs, "gaussian": np.sum((J + J.T) ** 2) / 2}[kind]
    assert variance == pytest.approx(pairs + (2 * np.sum(np.diag(J) ** 2) if kind == "gaussian" else 0))
    off = draws - np.trace(J)
    kurtosis = np.mean(off**4) / np.mean(off**2) ** 2
    assert abs(np.mean(off)) < 5 * math.sqrt(variance / n)
    assert abs(np.mean(off**2) / variance - 1) < 5 * math.sqrt((kurtosis - 1) / n)


def test_the_noise_of_a_solve_is_the_same_in_every_stage():
    """For a linear field the estimate is constant: over T it is exactly T eps^T A eps, whatever the steps."""
    A, noise = np.array([[0.5, 1.0], [-0.3, 0.2]]), draw_noise(np.random.default_rng(0), 4, 2)
    f = with_log_density(lambda z, t, theta: z @ A.T, "hutchinson", noise)
    end = odesolve(np.zeros((4, 3)), f, (0.0, 2.0), solver=rk4(n=3)).zs[-1]
    np.testing.assert_allclose(end[:, -1], -2 * np.einsum("ni,ij,nj->n", noise, A, noise), rtol=20 * EPS)


# ---- gradients of whole objectives


@pytest.mark.parametrize("trace", ["exact", "hutchinson"])
@pytest.mark.parametrize("f", FIELDS, ids=str)
def test_gradient_of_the_likelihood(f, trace):
    """Trace, solver and log-density in one: against the complex step through all of it, and by check_gradient."""
    x, theta = point(f, N=3)
    noise = draw_noise(np.random.default_rng(1), *x.shape) if trace == "hutchinson" else None
    flow = with_log_density(f, trace, noise)
    loss = lambda theta: -np.mean(log_density(x, flow, theta, solver=rk4(n=2)))
    value, g = value_and_grad(loss)(theta)
    stepped = complex_step(lambda theta: -np.mean(log_density(x + 0j, flow, theta, solver=rk4(n=2))), theta)
    assert close(g, stepped, ulps=20_000)
    if f is FIELDS[0]:
        assert check_gradient(loss, g, theta)
    a_x = value_and_grad(lambda x: np.sum(log_density(x, flow, theta, solver=rk4(n=2))))(x)[1]
    assert close(a_x, complex_step(lambda x: np.sum(log_density(x, flow, theta + 0j, solver=rk4(n=2))), x), ulps=20_000)


def test_gradient_of_density_matching_by_another_door():
    """push_forward through odeint, and the same steps unrolled on the tape with a trace by the nested tape."""
    f = PlanarField(4)
    z0, theta = point(f)

    def loss(x, log_p):
        return np.mean(log_p + np.sum(np.sin(x) + x * x / 4, axis=1))

    def unrolled_loss(theta):
        s0 = np.c_[z0, log_standard_normal(z0)]
        s = unrolled(s0, with_log_density(plain(f)), (0.0, 1.0), theta, rk4(n=3))[-1]
        return loss(s[:, :-1], s[:, -1])

    value, g = value_and_grad(lambda theta: loss(*push_forward(z0, with_log_density(f), theta, solver=rk4(n=3))))(theta)
    other_value, other = value_and_grad(unrolled_loss)(theta)
    assert value == pytest.approx(other_value, rel=1e-13) and close(g, other, ulps=20_000)


def test_the_dtype_of_the_state_is_kept():
    for f in FIELDS:
        z, theta = point(f)
        x, log_p = push_forward(z.astype(np.float32), with_log_density(f), theta, solver=rk4(n=2))
        assert x.dtype == log_p.dtype == np.float32
        exact = push_forward(z, with_log_density(f), theta, solver=rk4(n=2))
        assert np.abs(log_p - exact[1]).max() < 1e-4


# ---- the planar normalizing flow


def test_6_7_log_det_of_the_planar_flow():
    """(7) and its pullback: log|det| by numpy.linalg, and the tape through the same formulas."""
    flow = PlanarFlow(5)
    z, theta = point(flow)
    (x, log_det), pullback = flow.vjp(z, theta)
    J = jacobian_of(lambda z: flow(z, theta + 0j)[0], z)
    assert close(log_det, np.log(np.abs(np.linalg.det(J))), ulps=10_000)
    rng = np.random.default_rng(3)
    a, a_log_det = rng.normal(size=z.shape), rng.normal(size=len(z))
    a_z, a_theta = pullback(a, a_log_det)

    def weighted(z, theta):
        x, log_det = flow(z, theta)
        return np.sum(a * x) + np.sum(a_log_det * log_det)

    assert close(a_z, complex_step(lambda z: weighted(z, theta + 0j), z), ulps=10_000)
    assert close(a_theta, complex_step(lambda theta: weighted(z + 0j, theta), theta), ulps=10_000)


@pytest.mark.parametrize("pull", [-5.0, -1.0, 0.5])
def test_a_planar_layer_can_be_inverted_whatever_its_parameters(pull):
    """The layer is increasing along w also where the parameter v alone has w^T v < -1."""
    w = np.array([1.5, -0.5])
    row = np.array([*w, 0.2, *(pull * w)])
    line = np.linspace(-3, 3, 400)[:, np.newaxis] * w
    z, log_det, _ = planar_layer(line, row)
    assert (np.diff(z @ w) > 0).all() and np.isfinite(log_det).all()


# ---- what cannot be


def test_what_makes_no_sense_is_refused_by_name():
    f = MLP([2, 3, 2])
    theta = f.init(np.random.default_rng(0))
    with pytest.raises(ValueError, match="""trace must be "exact" or "hutchinson", got 'exakt'"""):
        with_log_density(f, trace="exakt")
    with pytest.raises(ValueError, match="needs noise.*draw_noise"):
        with_log_density(f, trace="hutchinson")
    with pytest.raises(ValueError, match='trace="exact" takes no noise'):
        with_log_density(f, noise=np.ones((4, 2)))
    with pytest.raises(ValueError, match=r"noise must have the shape of z, \(5, 2\), got \(4, 2\)"):
        with_log_density(f, "hutchinson", np.ones((4, 2)))(np.ones((5, 3)), 0.0, theta)
    with pytest.raises(ValueError, match=r"the state must be \[z, log p\] of shape \(N, D \+ 1\)"):
        with_log_density(f)(np.ones(3), 0.0, theta)
    with pytest.raises(ValueError, match='kind must be "rademacher" or "gaussian", got 2'):
        draw_noise(np.random.default_rng(0), 3, 2, 2)
    with pytest.raises(ValueError, match=r"theta must have shape \(20,\) for PlanarFlow\(4, D=2\), got \(19,\)"):
        PlanarFlow(4)(np.ones((3, 2)), np.ones(19))
    with pytest.raises(ValueError, match=r"theta must have shape \(28,\) for PlanarField\(4.*got \(27,\)"):
        PlanarField(4)(np.ones((3, 2)), 0.0, np.ones(27))
    with pytest.raises(ValueError, match=r"z must be \(N, 2\) for PlanarField"):
        PlanarField(4).trace_vjp(np.ones((3, 3)), 0.0, np.ones(28))


# ---- penalties


@pytest.mark.parametrize("f", FIELDS, ids=str)
def test_the_penalties_and_the_gradient_of_a_penalised_likelihood(f):
    """K and J are the integrals of |f|^2 and |df/dz|^2 along the path; the gradient is that of the complex step."""
    x, theta = point(f, N=3)
    flow, weights = with_penalties(f), np.random.default_rng(1).normal(size=(3, 3))

    def loss(x, theta):
        return np.sum(weights * np.stack(penalised_log_density(x, flow, theta, solver=rk4(n=2))))

    for mine, stepped in (
        (
            value_and_grad(lambda theta: loss(x, theta))(theta)[1],
            complex_step(lambda theta: loss(x + 0j, theta), theta),
        ),
        (value_and_grad(lambda x: loss(x, theta))(x)[1], complex_step(lambda x: loss(x, theta + 0j), x)),
    ):
        assert close(mine, stepped, ulps=20_000)

    log_p, K, J = penalised_log_density(x, flow, theta, solver=TIGHT)
    np.testing.assert_allclose(log_p, log_density(x, with_log_density(f), theta, solver=TIGHT), atol=1e-8)
    ts = np.linspace(1, 0, 401)
    path = odesolve(x, f, ts, theta, TIGHT).zs
    speed = np.stack([np.sum(f(z, t, theta) ** 2, axis=1) for z, t in zip(path, ts, strict=True)])
    norms = [jacobian_of(lambda z, t=t: f(z, t, theta + 0j), z) for z, t in zip(path, ts, strict=True)]
    norm = np.sum(np.stack(norms) ** 2, axis=(2, 3))
    np.testing.assert_allclose(K, np.trapezoid(speed[::-1], ts[::-1], axis=0), rtol=1e-4)
    np.testing.assert_allclose(J, np.trapezoid(norm[::-1], ts[::-1], axis=0), rtol=1e-4)


def test_penalties_need_a_jacobian():
    with pytest.raises(TypeError, match="f must have jacobian_vjp, as MLP and PlanarField"):
        with_penalties(lambda z, t, theta: z)
