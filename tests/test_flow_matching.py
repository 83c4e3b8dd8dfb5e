"""Training without a solve, and fields that take a time for each row."""

import numpy as np
import pytest

from odelearn import MLP, check_gradient, complex_step, dopri5, odesolve
from odelearn.models.flow_matching import flow_matching_loss
from odelearn.models.planar import PlanarField

FIELDS = [MLP([2, 6, 2], time="concat"), PlanarField(5), PlanarField(4, D=3)]


def point(f, N=6, seed=0):
    rng = np.random.default_rng(seed)
    D = f.sizes[0] if isinstance(f, MLP) else f.D
    return (*rng.normal(size=(2, N, D)), rng.uniform(size=N), f.init(rng) + 0.2 * rng.normal(size=f.size))


@pytest.mark.parametrize("f", FIELDS, ids=str)
def test_gradient_of_flow_matching(f):
    x0, x1, t, theta = point(f)
    loss, g = flow_matching_loss(f, theta, x0, x1, t, sigma=0.1)
    assert check_gradient(lambda theta: flow_matching_loss(f, theta, x0, x1, t, sigma=0.1)[0], g, theta)
    by_rows = [flow_matching_loss(f, theta, x0[n : n + 1], x1[n : n + 1], t[n : n + 1], sigma=0.1) for n in range(6)]
    assert loss == pytest.approx(np.mean([row[0] for row in by_rows]), rel=1e-13)


@pytest.mark.parametrize("f", FIELDS[1:], ids=str)
def test_a_time_for_each_row(f):
    """Row n moves with t_n, and a_t is each row's own."""
    z, a, t, theta = point(f)
    dz, pullback = f.vjp(z, t[:, np.newaxis], theta)
    a_z, a_t, a_theta = pullback(a)
    rows = [f.vjp(z[n : n + 1], t[n], theta) for n in range(6)]
    np.testing.assert_allclose(dz, np.concatenate([row[0] for row in rows]), rtol=1e-13)
    parts = [row[1](a[n : n + 1]) for n, row in enumerate(rows)]
    np.testing.assert_allclose(a_t[:, 0], [part[1] for part in parts], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(a_theta, sum(part[2] for part in parts), rtol=1e-12, atol=1e-14)
    stepped = complex_step(lambda t: np.sum(a * f(z + 0j, t, theta)), np.float64(0.3))
    assert f.vjp(z, 0.3, theta)[1](a)[1] == pytest.approx(stepped, rel=1e-12)


@pytest.mark.parametrize("sigma", [0.0, 0.3])
def test_one_point_of_data_has_a_field_of_loss_0(sigma):
    """u(z, t) = (x_1 - (1 - sigma) z) / (1 - (1 - sigma) t), Lipman et al.'s (21), goes from x_0 to x_1 + sigma x_0."""
    x1, rng = np.array([0.7, -1.2]), np.random.default_rng(0)

    def u(z, t, theta):
        return (x1 - (1 - sigma) * z) / (1 - (1 - sigma) * t)

    class Field:
        def vjp(self, z, t, theta):
            return u(z, t, theta), lambda a: (None, None, np.zeros(0))

    x0, t = rng.normal(size=(50, 2)), rng.uniform(0, 0.9, 50)
    loss, _ = flow_matching_loss(Field(), None, x0, np.tile(x1, (50, 1)), t, sigma)
    assert loss == pytest.approx(0, abs=1e-25)
    end = odesolve(x0, u, (0.0, 0.9), None, dopri5(1e-10, 1e-10)).zs[-1]
    np.testing.assert_allclose(end, (1 - (1 - sigma) * 0.9) * x0 + 0.9 * x1, atol=1e-8)


def test_times_of_another_shape_are_refused():
    x0, x1, t, theta = point(FIELDS[0])
    with pytest.raises(ValueError, match=r"t must have one time for each of the 6 rows of x1, got shape \(6, 1\)"):
        flow_matching_loss(FIELDS[0], theta, x0, x1, t[:, np.newaxis])
