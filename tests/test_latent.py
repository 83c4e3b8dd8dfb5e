"""The latent ODE: its bound against a known evidence, the gradient of the whole, and the RNN beside it."""

import numpy as np
import pytest

from odelearn import MLP, Adam, Discrete, TrainingStopped, check_gradient, complex_step, fit, odesolve_vjp, rk4
from odelearn.datasets import irregular_spirals, sub_stretches
from odelearn.models.encoder import Encoder
from odelearn.models.irregular import hermite_weights, solve_at_vjp
from odelearn.models.latent import LatentODE, kl_vjp, log_likelihood_vjp
from odelearn.models.recurrent import RecurrentForecast
from odelearn.nn import GRU
from odelearn.nn.losses import gaussian_kl, gaussian_log_likelihood

EPS = np.finfo(float).eps


def close(x, y, ulps=2000):
    x, y = np.asarray(x), np.asarray(y)
    return x.shape == y.shape and np.abs(x - y).max() <= ulps * EPS * np.abs(y).max()


def series(rng, N=3, K=6, D=2):
    """xs (N, K, D) and ts (N, K), irregular and of each row its own, not from 0 on."""
    return rng.normal(size=(N, K, D)), 0.4 + np.sort(rng.random((N, K)), axis=1)


# ---- solutions at irregular times

F = MLP([3, 5, 3])


def rows_at_their_times(seed=0):
    rng = np.random.default_rng(seed)
    ts = rng.uniform(0, 1.3, (4, 7))
    ts[0, 0] = 0.0  # the start and the very end are read too
    return rng.normal(size=(4, 3)), ts, F.init(rng) + 0.1 * rng.normal(size=F.size), rng.normal(size=(4, 7, 3))


def test_reading_rows_at_their_own_times_is_dense_output_at_all_times():
    """The solver's own interpolant, asked at the union of the times, has the same cubic: to round-off, and so its
    gradient."""
    z0, ts, theta, a = rows_at_their_times()
    zs, pullback = solve_at_vjp(z0, F, ts, theta, h=0.3)
    times, where = np.unique(ts, return_inverse=True)
    dense, dense_pullback = odesolve_vjp(z0, F, times, theta, rk4(n=5, dense=True), Discrete())  # ceil(1.3 / 0.3)
    where, rows = where.reshape(ts.shape), np.arange(4)[:, np.newaxis]
    assert close(zs, dense[where, rows])
    a_dense = np.zeros_like(dense)
    a_dense[where, rows] = a
    gradients = dense_pullback(a_dense)
    for mine, theirs in zip(pullback(a), (gradients.z0, gradients.theta), strict=True):
        assert close(mine, theirs)


def test_the_pullback_of_the_reading_agrees_with_the_complex_step():
    z0, ts, theta, a = rows_at_their_times()
    a_z0, a_theta = solve_at_vjp(z0, F, ts, theta, h=0.3)[1](a)
    assert close(a_z0, complex_step(lambda z0: np.sum(a * solve_at_vjp(z0, F, ts, theta + 0j, 0.3)[0]), z0))
    assert close(a_theta, complex_step(lambda theta: np.sum(a * solve_at_vjp(z0 + 0j, F, ts, theta, 0.3)[0]), theta))


def test_hermite_weights_reproduce_every_cubic():
    nodes, ts = np.linspace(0, 2, 6), np.random.default_rng(0).uniform(0, 2, (3, 8))
    ts[0, :2] = 0.0, 2.0
    A, B = hermite_weights(nodes, ts)
    for coefficients in np.eye(4):
        cubic = np.polynomial.Polynomial(coefficients)
        assert close(A @ cubic(nodes) + B @ cubic.deriv()(nodes), cubic(ts))


def test_one_time_at_the_start_needs_no_interval():
    z0, _, theta, _ = rows_at_their_times()
    zs, pullback = solve_at_vjp(z0, F, np.zeros((4, 1)), theta, h=0.3)
    assert np.array_equal(zs[:, 0], z0)
    a_z0, a_theta = pullback(np.ones((4, 1, 3)))
    assert np.array_equal(a_z0, np.ones_like(z0)) and not a_theta.any()


# ---- the encoder


def encoder_case(seed=0):
    rng = np.random.default_rng(seed)
    encoder = Encoder(GRU(3, 5), latent=3, gap=0.2)
    return (*series(rng), encoder, encoder.init(rng) + 0.1 * rng.normal(size=encoder.size), rng)


def test_the_pullback_of_the_encoder_agrees_with_the_complex_step():
    xs, ts, encoder, theta, rng = encoder_case()
    mask = np.arange(6) < np.array([[6], [3], [1]])
    a_mean, a_log_std = rng.normal(size=(2, 3, 3))
    along = lambda theta: sum(
        np.sum(a * q) for a, q in zip((a_mean, a_log_std), encoder.vjp(xs, ts, theta, mask)[:2], strict=True)
    )
    assert close(encoder.vjp(xs, ts, theta, mask)[2](a_mean, a_log_std), complex_step(along, theta))


def test_padding_is_not_read_and_the_origin_of_time_does_not_matter():
    xs, ts, encoder, theta, _ = encoder_case()
    mask = np.arange(6) < np.array([[6], [4], [1]])
    padded = encoder.vjp(np.where(mask[:, :, np.newaxis], xs, 99.0), np.where(mask, ts, ts.max()), theta, mask)[:2]
    for n, K in enumerate((6, 4, 1)):
        for whole, row in zip(padded, encoder.vjp(xs[n : n + 1, :K], ts[n : n + 1, :K] + 17, theta)[:2], strict=True):
            np.testing.assert_allclose(whole[n], row[0], rtol=1e-12)


def test_what_stands_first_in_time_is_read_last():
    """A GRU that forgets all but its last input: then only the first observation counts, and its gap."""
    xs, ts, encoder, theta, _ = encoder_case()
    encoder.gru.unravel(theta[: encoder.gru.size])["b"][5:10] = -1e3  # u = 0
    encoder.gru.unravel(theta[: encoder.gru.size])["U"][:] = 0
    mean = encoder.vjp(xs, ts, theta)[0]
    assert close(encoder.vjp(np.concatenate([xs[:, :1], 0 * xs[:, 1:]], axis=1), ts, theta)[0], mean)
    assert not close(encoder.vjp(np.concatenate([0 * xs[:, :1], xs[:, 1:]], axis=1), ts, theta)[0], mean)


def test_series_that_do_not_fit_are_refused_by_name():
    xs, ts, encoder, theta, _ = encoder_case()
    for wrong, message in (
        ((xs[:, :, :1], ts), r"xs must be \(N, K, 2\) and ts \(N, K\), K >= 1, got \(3, 6, 1\) and \(3, 6\)"),
        ((xs, ts[:, :5]), r"got \(3, 6, 2\) and \(3, 5\)"),
        ((xs, ts[:, ::-1]), r"must not decrease, got ts\[0, 0\] = .*; sort xs and ts by time"),
        ((xs, ts, theta, np.ones(6)), r"mask must have the shape of ts, \(3, 6\), got \(6,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            encoder.vjp(*wrong, *(theta,) * (len(wrong) == 2))


def test_nets_that_do_not_fit_are_refused():
    encoder, f, g = Encoder(GRU(3, 5), 4), MLP([4, 6, 4]), MLP([4, 6, 2])
    for parts, message in (
        ((encoder, MLP([3, 3]), g), r"z has encoder.latent = 4 components, but f is MLP\(\[3, 3\]"),
        ((encoder, f, MLP([4, 6, 3])), r"GRU\(3, 5\) must have 4 inputs: an observation, and the gap"),
    ):
        with pytest.raises(ValueError, match=message):
            LatentODE(*parts, h=0.3)
    with pytest.raises(ValueError, match=r"must have the inputs \[x, gap\], and .* must lead from h to x"):
        RecurrentForecast(GRU(3, 5), MLP([4, 2]))
    model = LatentODE(encoder, f, g, h=0.3)
    with pytest.raises(ValueError, match=rf"theta must have shape \({model.size},\), got \(3,\); init"):
        model.predict(np.ones((1, 2, 2)), np.array([[0.0, 1.0]]), np.array([[2.0]]), np.ones(3))
    with pytest.raises(ValueError, match="ts must be times >= 0, and h > 0, got ts from -0.5"):
        model.predict(
            np.ones((1, 2, 2)), np.array([[0.0, 1.0]]), np.array([[-0.5]]), model.init(np.random.default_rng(0))
        )


# ---- the bound


def test_likelihood_and_divergence_are_those_of_nn_losses():
    rng = np.random.default_rng(0)
    xs, means = rng.normal(size=(2, 3, 6, 2))
    mean, log_std = rng.normal(size=(2, 3, 4))
    assert close(log_likelihood_vjp(xs, means, 0.3)[0], 6 * gaussian_log_likelihood(xs, means, 0.3))  # a sum over times
    assert close(kl_vjp(mean, log_std)[0], gaussian_kl(mean, log_std))
    assert kl_vjp(np.zeros((1, 2)), np.zeros((1, 2)))[0] == 0


def rotation(K=7, log_sigma=-0.5):
    """x_i = C z(t_i) + noise, z rotates with its length growing, C is a rotation and stretch: all linear, z0 ~ N(0, I).

    Then x is Gaussian, its evidence is known, and so is the posterior of z0; it has no correlations, because sum_i
    |C z(t_i)|^2 depends on |z0| alone.
    """
    model = LatentODE(Encoder(GRU(3, 4), 2), MLP([2, 2]), MLP([2, 2]), h=0.4)
    theta = model.init(np.random.default_rng(0))
    parts = model.unravel(theta)
    model.f.unravel(parts["f"])["W0"][:] = [[0.2, 1.5], [-1.5, 0.2]]
    model.decoder.unravel(parts["decoder"])["W0"][:] = [[0.6, 0.8], [-0.8, 0.6]]
    theta[-1] = log_sigma
    xs, ts = series(np.random.default_rng(1), N=1, K=K)
    J = np.stack([model.decode_vjp(e[np.newaxis], ts - ts[:, :1], theta)[0].ravel() for e in np.eye(2)], axis=1)
    return model, theta, xs, ts, J  # the mean of x, end to end, is J z0


def exact_bound(model, xs, ts, mean, log_std, theta):
    """The bound without chance: it is quadratic in eps, and eps in {-1, 1}^2 has the mean and variance of N(0, I)."""
    signs = np.array([[[i, j]] for i in (-1.0, 1.0) for j in (-1.0, 1.0)])
    return np.mean([model.bound_vjp(xs, ts, mean, log_std, eps, theta)[0] for eps in signs])


@pytest.mark.parametrize("log_sigma", [-0.5, 0.4])
def test_evidence_minus_bound_is_the_divergence_from_the_posterior(log_sigma):
    """log p(x) = ELBO(q) + KL(q || p(z0 | x)) for every q: so the bound is one, and is met by the posterior alone."""
    model, theta, xs, ts, J = rotation(log_sigma=log_sigma)
    x, variance = xs.ravel(), np.exp(2 * log_sigma)
    covariance = J @ J.T + variance * np.eye(x.size)
    evidence = -0.5 * (x @ np.linalg.solve(covariance, x) + np.linalg.slogdet(2 * np.pi * covariance)[1])
    precision = np.eye(2) + J.T @ J / variance
    assert abs(precision[0, 1]) < 1e-12 * precision[0, 0]
    posterior_variance = 1 / np.diag(precision)
    posterior_mean = posterior_variance * (J.T @ x) / variance
    assert close(
        exact_bound(model, xs, ts, posterior_mean[np.newaxis], 0.5 * np.log([posterior_variance]), theta), evidence
    )
    for mean, log_std in np.random.default_rng(2).normal(size=(5, 2, 1, 2)):
        q_variance = np.exp(2 * log_std)
        kl = 0.5 * np.sum(
            (q_variance + (mean - posterior_mean) ** 2) / posterior_variance
            - 1
            - np.log(q_variance / posterior_variance)
        )
        bound = exact_bound(model, xs, ts, mean, log_std, theta)
        assert kl > 0 and close(bound + kl, evidence)


# ---- gradients of whole models


def small_latent(seed=0):
    rng = np.random.default_rng(seed)
    model = LatentODE(Encoder(GRU(3, 5), 3), MLP([3, 6, 3]), MLP([3, 4, 2], "elu"), h=0.3)
    xs, ts = series(rng)
    return model, xs, ts, rng.normal(size=(3, 3)), model.init(rng) + 0.1 * rng.normal(size=model.size)


@pytest.mark.parametrize("read", [None, 3])
@pytest.mark.parametrize("masked", [False, True])
def test_the_gradient_of_encoder_solver_decoder_and_loss_together(read, masked):
    model, xs, ts, eps, theta = small_latent()
    mask = np.arange(6) < np.array([[6], [5], [4]]) if masked else None
    value = lambda theta: model.elbo_vjp(xs, ts, eps, theta, read, mask)[0]
    gradient = model.elbo_vjp(xs, ts, eps, theta, read, mask)[1]()
    assert check_gradient(value, gradient, model.unravel(theta) and theta)
    assert close(gradient, complex_step(value, theta))


def test_the_bound_has_slopes_in_mean_and_log_std():
    model, xs, ts, eps, theta = small_latent()
    mean, log_std = np.random.default_rng(3).normal(size=(2, 3, 3))
    a_mean, a_log_std, _ = model.bound_vjp(xs, ts, mean, log_std, eps, theta)[1]()
    along = lambda mean, log_std: model.bound_vjp(xs, ts, mean, log_std, eps, theta + 0j)[0]
    assert close(a_mean, complex_step(lambda mean: along(mean, log_std + 0j), mean))
    assert close(a_log_std, complex_step(lambda log_std: along(mean + 0j, log_std), log_std))


def test_masked_observations_do_not_count():
    model, xs, ts, eps, theta = small_latent()
    mask = np.arange(6) < 4
    short = model.elbo_vjp(xs[:, :4], ts[:, :4], eps, theta)[0]
    xs[:, 4:], ts[:, 4:] = 99.0, 0.0
    assert close(model.elbo_vjp(xs, ts, eps, theta, mask=np.tile(mask, (3, 1)))[0], short)


def small_recurrent(seed=0):
    rng = np.random.default_rng(seed)
    model = RecurrentForecast(GRU(3, 5), MLP([5, 4, 2]))
    return model, *series(rng), model.init(rng) + 0.1 * rng.normal(size=model.size)


@pytest.mark.parametrize("read", [1, 3, 5])
def test_the_gradient_of_the_recurrent_forecast(read):
    """Also through the predictions that it reads itself."""
    model, xs, ts, theta = small_recurrent()
    value = lambda theta: model.log_likelihood_vjp(xs, ts, theta, read)[0]
    gradient = model.log_likelihood_vjp(xs, ts, theta, read)[1]()
    assert check_gradient(value, gradient, theta)
    assert close(gradient, complex_step(value, theta))


def test_a_forecast_knows_the_times_but_not_the_observations_to_come():
    model, xs, ts, theta = small_recurrent()
    means = model.forecast_vjp(xs, ts, theta, read=3)[0]
    xs_changed, ts_changed = xs.copy(), ts.copy()
    xs_changed[:, 3:] = 99.0
    ts_changed[:, 5] += 0.5
    assert np.array_equal(model.forecast_vjp(xs_changed, ts, theta, read=3)[0], means)
    changed = model.forecast_vjp(xs, ts_changed, theta, read=3)[0]
    assert np.array_equal(changed[:, :4], means[:, :4]) and not np.isclose(changed[:, 4], means[:, 4]).any()
    assert close(model.predict(xs[:, :3], ts[:, :3], ts[:, 3:], theta), means[:, 2:])


def test_a_forecast_feeds_on_its_own_predictions():
    model, xs, ts, theta = small_recurrent()
    means = model.forecast_vjp(xs, ts, theta, read=3)[0]
    fed = np.concatenate([xs[:, :3], means[:, 2:]], axis=1)
    assert close(model.forecast_vjp(fed, ts, theta, read=5)[0], means)


# ---- training


def loss_and_grad(model, data, seed=0, batch=25, dtype=float):
    """-ELBO, or minus the log-likelihood of the RNN, of random stretches: a function of theta with its own rng."""
    rng = np.random.default_rng(seed)

    def of(theta):
        ts, xs = sub_stretches(rng, data.ts, data.xs, 16, batch)
        if isinstance(model, LatentODE):
            value, pullback = model.elbo_vjp(xs, ts, rng.normal(size=(batch, model.encoder.latent)), theta, read=10)
        else:
            value, pullback = model.log_likelihood_vjp(xs, ts, theta, read=10)
        return -value, -pullback()

    return of


MODELS = {
    "latent ODE": LatentODE(Encoder(GRU(3, 12), 4), MLP([4, 16, 4]), MLP([4, 12, 2]), h=0.5),
    "RNN": RecurrentForecast(GRU(3, 16), MLP([16, 12, 2])),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_short_training_gains_a_nat_per_observation_and_repeats_itself(name):
    """The loss of noise alone, sigma = 1, is 16 log 2 pi = 29.4 and more; it falls by 16 nats at least."""
    model, data = MODELS[name], irregular_spirals(np.random.default_rng(0), 30, n=100)
    train = lambda: fit(
        loss_and_grad(model, data), model.init(np.random.default_rng(1)), Adam(lr=0.02), 150, progress=False
    )
    theta, history = train()
    assert np.mean(history[:5]) > 29 and np.mean(history[-20:]) < np.mean(history[:5]) - 16
    again, history_again = train()
    assert np.array_equal(theta, again) and history == history_again


@pytest.mark.parametrize("name", MODELS)
def test_a_diverging_training_stops_with_the_step_and_the_last_good_theta(name):
    model, data = MODELS[name], irregular_spirals(np.random.default_rng(0), 30, n=100)
    theta = model.init(np.random.default_rng(1))
    with (
        pytest.raises(TrainingStopped, match=r"step \d+ of 50 failed with .*smaller lr") as stopped,
        np.errstate(all="ignore"),
    ):
        fit(loss_and_grad(model, data), theta, Adam(lr=1e5), 50, progress=False)
    assert np.isfinite(stopped.value.theta).all() and np.isfinite(stopped.value.history).all()
    assert np.isfinite(loss_and_grad(model, data)(stopped.value.theta)[0])
