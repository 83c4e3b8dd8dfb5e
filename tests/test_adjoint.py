"""Appendix B, equation by equation: each function of adjoint.py says what the paper says, as a number."""

import numpy as np
import pytest
from problems import LINEAR, LOTKA_VOLTERRA, NEURAL, OSCILLATING_RATE, rotation

from odelearn import MLP, Backsolve, complex_step, dopri5, observed_order, odesolve
from odelearn.gradients import appendix_b as B

PROBLEMS = [NEURAL, LOTKA_VOLTERRA, OSCILLATING_RATE]  # two of them depend on t
EPS = 0.1 / 2.0 ** np.arange(2, 6)  # for observed_order, which halves h from one entry to the next
with_problem = pytest.mark.parametrize("p", PROBLEMS)


def point(p, seed=3):
    """(z, t, theta, a) somewhere on the way, with a generic cotangent."""
    rng = np.random.default_rng(seed)
    return p.z0, 0.4, p.theta, rng.normal(size=p.z0.shape)


def gap(x, y):
    return float(np.abs(x - y).max())


@with_problem
def test_34_the_adjoint_is_the_derivative_of_the_loss(p):
    z, t, theta, dL_dz = point(p)
    loss = lambda z: np.sum(dL_dz * odesolve(z, p.f, (t, 1.0), theta, B.ACCURATE).zs[-1])
    np.testing.assert_allclose(B.adjoint(dL_dz, p.f, z, t, 1.0, theta), complex_step(loss, z), rtol=1e-9)


def test_36_a_layer_hands_its_cotangent_back():
    layer, rng = MLP((3, 5, 2)), np.random.default_rng(0)
    theta, h, a = layer.init(rng), rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
    as_layer = lambda h: (lambda y, pull: (y, lambda a: pull(a)[0]))(*layer.vjp(h, 0.0, theta))
    exact = complex_step(lambda h: np.sum(a * layer(h, 0.0, theta)), h)
    np.testing.assert_allclose(B.through_layer(a, as_layer, h), exact, rtol=1e-12)


def test_37_T_is_the_flow():
    """On a known solution; and two short times are one long one, T_(s+r)(z, t) = T_r(T_s(z, t), t + s)."""
    np.testing.assert_allclose(B.T(0.7, LINEAR.f, rotation(0.3), 0.3, LINEAR.theta), rotation(1.0), rtol=1e-10)
    z, t, theta, _ = point(NEURAL)
    halfway = B.T(0.2, NEURAL.f, z, t, theta)
    np.testing.assert_allclose(B.T(0.3, NEURAL.f, halfway, t + 0.2, theta), B.T(0.5, NEURAL.f, z, t, theta), rtol=1e-10)


@with_problem
def test_38_the_chain_rule_through_T(p):
    z, t, theta, a_after = point(p)
    exact = complex_step(lambda z: np.sum(a_after * B.T(0.3, p.f, z, t, theta)), z)
    np.testing.assert_allclose(B.a_before(a_after, 0.3, p.f, z, t, theta), exact, rtol=1e-9)


def along(p, eps):
    """a(t), a(t + eps) and z(t), for the loss sum(dL_dz z(1)): the true adjoint."""
    z, t, theta, dL_dz = point(p)
    a_now = B.adjoint(dL_dz, p.f, z, t, 1.0, theta)
    a_after = B.adjoint(dL_dz, p.f, B.T(eps, p.f, z, t, theta), t + eps, 1.0, theta)
    return z, t, theta, a_now, a_after


@with_problem
def test_39_45_the_quotient_tends_to_the_adjoint_equation_like_eps(p):
    errors = []
    for eps in EPS:
        z, t, theta, a_now, a_after = along(p, eps)
        errors.append(gap(B.quotient(a_after, a_now, eps), B.da_dt(a_now, p.f, z, t, theta)))
    assert observed_order(errors) == pytest.approx(1, abs=0.15)


@with_problem
def test_40_is_39_by_the_chain_rule(p):
    z, t, theta, a_now, a_after = along(p, 0.1)
    through = B.quotient_through_layer(a_after, 0.1, p.f, z, t, theta)
    np.testing.assert_allclose(through, B.quotient(a_after, a_now, 0.1), atol=1e-8)


@with_problem
def test_41_42_taylor_remainders_shrink_like_eps_squared(p):
    z, t, theta, a = point(p)
    of_T = [gap(B.T_taylor(eps, p.f, z, t, theta), B.T(eps, p.f, z, t, theta)) for eps in EPS]
    of_a = [gap(B.a_before_taylor(a, eps, p.f, z, t, theta), B.a_before(a, eps, p.f, z, t, theta)) for eps in EPS]
    assert observed_order(of_T) == pytest.approx(2, abs=0.15)
    assert observed_order(of_a) == pytest.approx(2, abs=0.15)


@with_problem
def test_43_meets_40_like_eps(p):
    z, t, theta, a = point(p)
    gaps = [
        gap(B.quotient_taylor(a, eps, p.f, z, t, theta), B.quotient_through_layer(a, eps, p.f, z, t, theta))
        for eps in EPS
    ]
    assert observed_order(gaps) == pytest.approx(1, abs=0.15)


@with_problem
def test_44_is_43_when_eps_divides_out(p):
    z, t, theta, a = point(p)
    reduced = B.quotient_reduced(a, p.f, z, t, theta)
    np.testing.assert_allclose(B.quotient_taylor(a, 0.01, p.f, z, t, theta), reduced, atol=1e-12)


@with_problem
def test_35_45_is_minus_a_times_the_jacobian(p):
    z, t, theta, a = point(p)
    jacobian = complex_step(lambda z: p.f(z, t, theta), z)
    np.testing.assert_allclose(B.da_dt(a, p.f, z, t, theta), -np.tensordot(a, jacobian, a.ndim), rtol=1e-12)


@with_problem
def test_46_the_integral_carries_a_from_tN_to_t0(p):
    z, t, theta, a_N = point(p)
    z_N = odesolve(z, p.f, (t, 1.0), theta, B.ACCURATE).zs[-1]
    carried = B.a_at_start(a_N, z_N, p.f, np.array([t, 1.0]), theta)
    np.testing.assert_allclose(carried, B.adjoint(a_N, p.f, z, t, 1.0, theta), rtol=1e-9)


@with_problem
def test_47_48_theta_rests_and_time_runs(p):
    """(z, theta, t) moves along f_aug: a short straight move and the true flow differ by O(eps^2)."""
    z, t, theta, _ = point(p)
    dz, dtheta, dt = B.f_aug(z, theta, t, p.f)
    assert dt == 1.0 and dtheta.shape == theta.shape and not dtheta.any()
    gaps = [gap(z + eps * dz, B.T(eps, p.f, z, t, theta)) for eps in EPS]
    assert observed_order(gaps) == pytest.approx(2, abs=0.15)


@with_problem
def test_49_the_augmented_jacobian_has_two_zero_rows(p):
    z, t, theta, _ = point(p)
    D, P = z.size, theta.size

    def packed(s):
        return np.concatenate([np.ravel(x) for x in B.f_aug(s[:D].reshape(z.shape), s[D : D + P], s[-1], p.f)])

    J = B.df_aug(z, theta, t, p.f)
    np.testing.assert_allclose(J, complex_step(packed, np.concatenate([z.ravel(), theta, [t]])), atol=1e-12)
    assert J.shape == (D + P + 1, D + P + 1) and J[:D].any() and not J[D:].any()


@with_problem
def test_50_the_augmented_adjoint_is_minus_a_times_that_jacobian(p):
    z, t, theta, a = point(p)
    rng = np.random.default_rng(1)
    a_aug = np.concatenate([a.ravel(), rng.normal(size=theta.size), rng.normal(size=1)])  # a_theta and a_t meet zeros
    packed = np.concatenate([np.ravel(x) for x in B.da_aug_dt(a, z, theta, t, p.f)])
    np.testing.assert_allclose(packed, -a_aug @ B.df_aug(z, theta, t, p.f), atol=1e-12)


@with_problem
def test_51_52_are_what_backsolve_returns(p):
    """dL/dtheta and dL/dts by (51), (52), against the complex step through the exact flow."""
    z, t, theta, dL_dz = point(p)
    ts = np.array([t, 1.0])
    _, pullback = Backsolve().vjp(z, p.f, ts, theta, B.ACCURATE)
    g = pullback(np.stack([0 * dL_dz, dL_dz]))

    loss = lambda theta: np.sum(dL_dz * odesolve(z + 0j, p.f, ts, theta, B.ACCURATE).zs[-1])
    np.testing.assert_allclose(g.theta, complex_step(loss, theta), atol=1e-9 * np.abs(g.theta).max())

    z_N = odesolve(z, p.f, ts, theta, B.ACCURATE).zs[-1]
    H = lambda a, z, t: np.sum(a * p.f(z, t, theta))
    assert g.ts[1] == pytest.approx(H(dL_dz, z_N, 1.0), rel=1e-12)  # dL/dt_N = a f at t_N
    assert g.ts[0] == pytest.approx(-H(g.z0, z, t), rel=1e-8)  # dL/dt_0 = -a f at t_0: a_t = -H


def test_52_needs_its_boundary_term():
    """With a_t(t_N) = 0 instead of -dL/dt_N the second line of (52) is off by dL/dt_N."""
    p = OSCILLATING_RATE
    _, pullback = Backsolve().vjp(p.z0, p.f, p.ts, p.theta, dopri5(1e-11, 1e-13))
    a_zs = np.array([[0.0], [0.0], [1.0]])
    g = pullback(a_zs)
    solved = lambda t0: np.squeeze(odesolve(p.z0, p.f, (t0, *p.ts[1:]), p.theta, dopri5(1e-12, 1e-14)).zs[-1])
    exact = (solved(p.ts[0] + 1e-5) - solved(p.ts[0] - 1e-5)) / 2e-5
    assert g.ts[0] == pytest.approx(exact, rel=1e-7)
    assert abs(g.ts[2]) > 0.1  # so that the slip would have shown
