"""Parameters by least squares: exact without noise, and with it as far off as their standard errors say."""

import numpy as np
import pytest

from odelearn import SolverError, finite_difference, odesolve, rk4
from odelearn.datasets.vector_fields import FIELDS, first_centre_left, noisy_trajectories
from odelearn.models.least_squares import fit_parameters, jacobian

TS = np.linspace(0, 5, 26)
rng = np.random.default_rng(2)


@pytest.mark.parametrize("name", FIELDS)
def test_the_columns_of_the_jacobian_are_derivatives_of_the_solve(name):
    """By differences, of theta and of every start; trajectories do not move with each other's starts."""
    field, ts, n = FIELDS[name], TS[:4], 2
    x = np.concatenate([field.theta, [0.6, 0.7, 1.1, 0.9]])
    P = field.theta.size
    J = jacobian(field.f, x, ts, (n, 2), rk4(n=2))
    solve = lambda x: odesolve(x[P:].reshape(n, 2), field.f, ts, x[:P], rk4(n=2)).zs.ravel()
    differences = np.stack([finite_difference(lambda x, i=i: solve(x)[i], x) for i in range(J.shape[0])])
    assert np.allclose(J, differences, atol=1e-7) and np.abs(J).max() > 0.1
    cells = J.reshape(len(ts), n, 2, -1)
    assert not cells[:, 0, :, P + 2 :].any() and not cells[:, 1, :, P : P + 2].any()


@pytest.mark.parametrize("name", FIELDS)
def test_without_noise_the_parameters_come_back(name):
    """Seen through the same solver, so to round-off times the condition of the problem."""
    field = FIELDS[name]
    zs_true, _ = noisy_trajectories(np.random.default_rng(1), field, TS, 6, 0.0)
    zs = odesolve(zs_true[0], field.f, TS, field.theta, rk4(n=2)).zs
    guess = field.theta + 0.1 * np.random.default_rng(3).normal(size=field.theta.size)
    fitted = fit_parameters(field.f, guess, TS, zs, tol=1e-15)
    assert np.abs(fitted.theta - field.theta).max() < 1e-8 and np.abs(fitted.z0s - zs[0]).max() < 1e-8
    assert fitted.noise < 1e-8 and fitted.losses == sorted(fitted.losses, reverse=True)


def test_errors_are_as_large_as_the_standard_errors_say():
    """32 data sets: the errors in standard errors have variance 1, to its own spread sqrt(2 / 64) = 0.18, and mean 0;
    the noise is found, to its own spread: 36 numbers and 8 that are fitted leave 28."""
    field, scaled, noises = FIELDS["pendulum"], [], []
    zs_true, _ = noisy_trajectories(rng, field, TS[::5], 3, 0.0)
    for seed in range(32):
        zs = zs_true + 0.05 * np.random.default_rng(seed).normal(size=zs_true.shape)
        fitted = fit_parameters(field.f, [0.9, 0.1], TS[::5], zs, rk4(n=5), tol=1e-3)
        scaled.append((fitted.theta - field.theta) / fitted.errors)
        noises.append(fitted.noise)
    assert np.mean(np.square(scaled)) == pytest.approx(1, abs=3.5 * 0.18)
    assert np.abs(np.mean(scaled, axis=0)).max() < 3.5 / np.sqrt(32)
    assert np.mean(noises) == pytest.approx(0.05, rel=3.5 / np.sqrt(2 * 28 * 32))


def test_the_last_steps_converge_faster_than_linearly():
    field = FIELDS["lotka-volterra"]
    zs_true, _ = noisy_trajectories(np.random.default_rng(1), field, TS, 4, 0.0)
    zs = odesolve(zs_true[0], field.f, TS, field.theta, rk4(n=2)).zs
    losses = fit_parameters(field.f, [1.0, 0.6, 0.4, 0.8], TS, zs, tol=1e-15).losses
    losses = [loss for loss in losses if loss > 1e-27]  # what is less is round-off
    assert losses[-1] / losses[-2] < 1e-4 and losses[0] > 1e-3


def test_two_theta_are_one_field_of_two_centres():
    field, z = FIELDS["two-centres"], rng.normal(size=(5, 2))
    other = np.concatenate([field.theta[4:8], field.theta[:4], -field.theta[8:]])
    assert np.allclose(field.f(z, 0.0, other), field.f(z, 0.0, field.theta), rtol=1e-14)
    assert np.array_equal(first_centre_left(other), field.theta)
    assert np.array_equal(first_centre_left(field.theta), field.theta)


def test_the_fields_are_what_their_docstrings_say():
    """Written out for one state each."""
    (x, y), s = (0.3, -0.8), lambda x: 1 / (1 + np.exp(-x))
    A, B, c = np.array([[-0.1, -0.5], [0.5, -0.1]]), np.array([[0.2, 1.0], [-1.0, 0.2]]), np.array([-1.0, 0.0])
    z = np.array([x, y])
    by_hand = {
        "two-centres": s(z @ c) * A @ (z - c) + s(-z @ c) * B @ (z + c),
        "pendulum": [y, -1.0 * np.sin(x) - 0.15 * y],
        "lotka-volterra": [1.1 * x - 0.7 * x * y, 0.5 * x * y - 0.9 * y],
    }
    for name, field in FIELDS.items():
        assert np.allclose(field.f(z, 0.0, field.theta), by_hand[name], rtol=1e-14)
        assert len(field.names) == len(field.theta)
        low, high = np.transpose(field.box)
        zs, _ = noisy_trajectories(np.random.default_rng(0), field, [0.0, 1.0], 50, 0.1)
        assert (zs[0] > low).all() and (zs[0] < high).all()


def test_what_cannot_be_fitted_is_refused():
    zs = np.ones((2, 3, 2))
    with pytest.raises(ValueError, match="12 numbers, which cannot fit 6 parameters and 3 starts of 2"):
        fit_parameters(lambda z, t, theta: z, np.zeros(6), [0.0, 1.0], zs)
    with pytest.raises(SolverError):
        fit_parameters(lambda z, t, theta: theta[0] * z * z, [100.0], TS, np.ones((26, 1, 1)))
    with pytest.raises(TypeError, match="rng must be a numpy Generator"):
        noisy_trajectories(0, FIELDS["pendulum"], TS, 3, 0.1)


def test_a_step_that_blows_up_is_not_taken():
    """dz/dt = theta z^2 from z0 = 1: a full step of Gauss and Newton from theta = -3 leads to theta > 1 / 5, where the
    solution ends before t = 5."""
    decay = lambda z, t, theta: theta[0] * z * z
    zs = odesolve(np.ones((1, 1)), decay, TS, np.array([0.15]), rk4(n=2)).zs
    fitted = fit_parameters(decay, [-3.0], TS, zs, tol=1e-15)
    assert fitted.theta[0] == pytest.approx(0.15, rel=1e-8)
