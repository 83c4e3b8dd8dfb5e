"""The Poisson process: thinning, the likelihood and its integral, and the gradient of the whole model."""

import numpy as np
import pytest

from odelearn import MLP, check_gradient, complex_step
from odelearn.autodiff import tape
from odelearn.models.encoder import Encoder
from odelearn.models.poisson import LatentPoisson, WithIntegral, draw_events, pad_events
from odelearn.nn import GRU

EPS = np.finfo(float).eps


def close(x, y, ulps=2000):
    x, y = np.asarray(x), np.asarray(y)
    return x.shape == y.shape and np.abs(x - y).max() <= ulps * EPS * np.abs(y).max()


# ---- thinning


def test_thinned_events_have_the_intensity():
    """Counts in bins are Poisson: each within 5 standard deviations of its integral, their scatter that of chance."""
    rng, T = np.random.default_rng(0), 2000 * 2 * np.pi
    events = draw_events(rng, lambda t: 3 + 2 * np.sin(t), T, bound=6.0)
    assert (np.diff(events) > 0).all() and 0 <= events[0] and events[-1] <= T
    edges = np.linspace(0, 2 * np.pi, 13)
    counts, _ = np.histogram(events % (2 * np.pi), edges)
    expected = 2000 * np.diff(3 * edges - 2 * np.cos(edges))
    scaled = (counts - expected) / np.sqrt(expected)
    assert np.abs(scaled).max() < 5 and abs(np.mean(scaled**2) - 1) < 5 * np.sqrt(2 / 12)
    totals = np.array([len(draw_events(rng, lambda t: 3 + 2 * np.sin(t), 2 * np.pi, 5.0)) for _ in range(2000)])
    assert abs(totals.var() / totals.mean() - 1) < 5 * np.sqrt(2 / 2000)  # variance = mean: the number is random too


def test_an_intensity_above_its_bound_is_refused():
    for wrong in (lambda t: 3 + 2 * np.sin(t), lambda t: -1 + 0 * t):
        with pytest.raises(ValueError, match=r"must stay in \[0, bound = 4\]"):
            draw_events(np.random.default_rng(0), wrong, 10.0, 4.0)


def test_sequences_are_padded_at_the_end():
    ts, mask = pad_events([[1.0, 2.0], [], [3.0]])
    assert ts.tolist() == [[1, 2], [0, 0], [3, 0]] and mask.tolist() == [[1, 1], [0, 0], [1, 0]]
    assert pad_events([[], []])[0].shape == (2, 1)


# ---- the model


def small(seed=0):
    rng = np.random.default_rng(seed)
    model = LatentPoisson(Encoder(GRU(2, 4), 2), MLP([2, 5, 2]), MLP([2, 4, 1]), h=0.4, bin=0.5)
    ts, mask = pad_events([np.sort(rng.uniform(0, 3.0, K)) for K in (5, 2, 0)])
    return model, ts, mask, rng.normal(size=(3, 2)), model.init(rng) + 0.1 * rng.normal(size=model.size)


def test_the_field_with_its_integral_agrees_with_the_tape():
    rng = np.random.default_rng(0)
    f, g = MLP([2, 5, 2], time="concat"), MLP([2, 4, 1], time="concat")
    both, s, a = WithIntegral(f, g), rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    theta = np.concatenate([f.init(rng), g.init(rng)])
    plain = lambda s, t, theta: np.concatenate(
        [f(s[:, :-1], t, theta[: f.size]), np.exp(g(s[:, :-1], t, theta[f.size :]))], axis=1
    )
    ds, pullback = both.vjp(s, 0.7, theta)
    by_tape, tape_pullback = tape.vjp(plain, s, 0.7, theta)
    assert close(ds, by_tape) and close(both(s, 0.7, theta), ds)
    for mine, taped in zip(pullback(a), tape_pullback(a), strict=True):
        assert close(mine, taped)


def test_the_integral_of_a_known_intensity():
    """f = 0 and g = 2 z_1 - 1: lambda = exp(2 z0_1 - 1) for ever."""
    model, ts, mask, _, theta = small()
    model = LatentPoisson(model.encoder, MLP([2, 2]), MLP([2, 1]), h=0.4, bin=0.5)
    theta = np.concatenate([theta[: model.encoder.size], np.zeros(6), [2.0, 0.0, -1.0]])
    z0 = np.array([[0.5, 9.0], [-1.0, 9.0], [0.3, 9.0]])
    (log_intensity, Lambda), _ = model.log_intensity_vjp(z0, ts, 3.0, theta)
    assert close(log_intensity, np.tile(2 * z0[:, :1] - 1, ts.shape[1])) and close(Lambda, 3 * np.exp(2 * z0[:, 0] - 1))


def test_the_likelihood_is_that_of_counts_in_small_bins():
    """Independent of the formula: a bin of width d has one event with probability lambda d, and none with 1 - lambda d.
    So log p - K log d meets the density like d."""
    model, _, _, _, theta = small()
    z0, events = np.array([[0.4, -0.7]]), np.array([[0.31, 1.27, 2.93]])
    (at_events, Lambda), _ = model.log_intensity_vjp(z0, events, 3.0, theta)
    density = at_events.sum() - Lambda[0]
    gaps = []
    for bins in (2000, 4000):
        d = 3.0 / bins
        middles = (np.arange(bins) + 0.5) * d
        rates = np.exp(model.log_intensity_vjp(z0, middles[np.newaxis], 3.0, theta)[0][0][0]) * d
        hit = np.zeros(bins, bool)
        hit[(events[0] / d).astype(int)] = True
        gaps.append(np.sum(np.log(np.where(hit, rates, 1 - rates))) - 3 * np.log(d) - density)
    assert abs(gaps[0]) < 0.02 and abs(gaps[1]) < 0.75 * abs(gaps[0])


def test_the_gradient_of_encoder_solver_intensity_and_integral_together():
    model, ts, mask, eps, theta = small()
    value = lambda theta: model.elbo_vjp(ts, mask, 3.0, eps, theta)[0]
    gradient = model.elbo_vjp(ts, mask, 3.0, eps, theta)[1]()
    assert check_gradient(value, gradient, theta)
    assert close(gradient, complex_step(value, theta))


def test_padding_changes_nothing():
    model, ts, mask, eps, theta = small()
    value, pullback = model.elbo_vjp(ts, mask, 3.0, eps, theta)
    more = np.pad(ts, ((0, 0), (0, 3)), constant_values=1.0), np.pad(mask, ((0, 0), (0, 3)))
    padded, padded_pullback = model.elbo_vjp(*more, 3.0, eps, theta)
    assert close(padded, value) and close(padded_pullback(), pullback())


def test_the_encoder_reads_the_counts_in_bins():
    """Events may move in their bins, [0, 0.5) the first, but not to another."""
    model, _, _, _, theta = small()
    q = lambda *events: model.infer_vjp(*pad_events([list(events)]), 3.0, theta)[0]
    assert np.array_equal(q(0.1, 0.6, 2.9), q(0.49, 0.99, 3.0))
    assert not np.isclose(q(0.1, 0.6, 2.9), q(0.51, 0.6, 2.9)).any()
    with pytest.raises(ValueError, match=r"T must be a multiple of bin = 0.5, got T = 2.7"):
        model.infer_vjp(*pad_events([[0.1]]), 2.7, theta)
    for outside in (-0.1, 3.1):
        with pytest.raises(ValueError, match=r"events must lie in \[0, T = 3\], got"):
            q(0.5, outside)


def test_nets_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"with encoder.latent = 2, f must be MLP\(\[2, ..., 2\]\)"):
        LatentPoisson(Encoder(GRU(2, 4), 2), MLP([2, 5, 2]), MLP([2, 4, 2]), h=0.4, bin=0.5)
