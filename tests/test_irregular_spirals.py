"""The spirals of section 5, and the stretches of them that a model learns from."""

import numpy as np
import pytest

from odelearn.datasets import irregular_spirals, sub_stretches
from odelearn.datasets.irregular_spirals import spiral_at
from odelearn.models.stretches import cosine, stretch_loss


def test_the_times_are_points_of_the_grid_each_at_most_once_and_differ_between_spirals():
    data = irregular_spirals(np.random.default_rng(0), 50, n=100)
    step = 2 * np.pi / 200
    for ts, first in (data.ts, 0), (data.ts_beyond, 200):
        index = np.round(ts / step).astype(int)
        assert ts.shape == (100, 50) and np.allclose(ts, index * step, rtol=1e-12, atol=1e-12)
        assert index.min() >= first and index.max() < first + 200 and (np.diff(index) >= 1).all()
        assert len({tuple(row) for row in index}) == 100
        counts = np.bincount(index.ravel() - first, minlength=200)  # each point is drawn by a quarter of the spirals
        assert np.abs(counts - 25).max() < 5 * np.sqrt(25)


def test_a_spiral_turns_at_unit_speed_and_grows():
    """In polar coordinates: the angle moves by +-t, the radius by t / (8 pi); half of the spirals each way."""
    data = irregular_spirals(np.random.default_rng(1), 200, n=60, noise=0.0)
    w = data.xs[..., 0] + 1j * data.xs[..., 1]
    assert data.clockwise.sum() == 30
    np.testing.assert_allclose(np.abs(w), data.radius[:, None] + data.ts / (8 * np.pi), rtol=1e-12)
    turned = np.unwrap(np.angle(w), axis=1)
    sign = np.where(data.clockwise, -1, 1)[:, None]
    np.testing.assert_allclose(turned - turned[:, :1], sign * (data.ts - data.ts[:, :1]), atol=1e-12)
    assert data.radius.min() >= 0.5 and data.radius.max() <= 1.5


def test_noise_is_on_what_is_observed_and_not_on_what_is_asked_for():
    data = irregular_spirals(np.random.default_rng(2), 100, noise=0.1)
    where = data.clockwise, data.phase, data.radius
    noise = data.xs - spiral_at(data.ts, *where)
    assert abs(noise.std() / 0.1 - 1) < 5 / np.sqrt(2 * noise.size) and abs(noise.mean()) < 0.5 / np.sqrt(noise.size)
    assert np.array_equal(data.xs_beyond, spiral_at(data.ts_beyond, *where))
    assert abs((data.xs - noise).std() - 0.82) < 0.01  # what the docstring says


def test_the_same_seed_gives_the_same_spirals():
    one, two, other = (irregular_spirals(np.random.default_rng(seed), 30, n=10) for seed in (0, 0, 1))
    assert all(np.array_equal(x, y) for x, y in zip(one, two, strict=True)) and not np.array_equal(one.xs, other.xs)


def test_stretches_are_consecutive_observations_of_one_spiral():
    data = irregular_spirals(np.random.default_rng(0), 30, n=5)
    ts, xs = sub_stretches(np.random.default_rng(1), data.ts, data.xs, length=8, batch=200)
    starts = set()
    for stretch_ts, stretch_xs in zip(ts, xs, strict=True):
        (n,) = [n for n in range(5) if np.isin(stretch_xs[:, 0], data.xs[n, :, 0]).all()]
        i = int(np.flatnonzero(data.xs[n, :, 0] == stretch_xs[0, 0])[0])
        assert np.array_equal(stretch_ts, data.ts[n, i : i + 8]) and np.array_equal(stretch_xs, data.xs[n, i : i + 8])
        starts.add(i)
    assert min(starts) == 0 and max(starts) == 30 - 8


def test_a_whole_series_is_a_stretch():
    data = irregular_spirals(np.random.default_rng(0), 30, n=1)
    ts, xs = sub_stretches(np.random.default_rng(1), data.ts, data.xs, length=30, batch=2)
    assert np.array_equal(ts, np.repeat(data.ts, 2, axis=0)) and np.array_equal(xs, np.repeat(data.xs, 2, axis=0))


def test_what_cannot_be_drawn_is_refused():
    rng = np.random.default_rng(0)
    data = irregular_spirals(rng, 30, n=2)
    for observations in (0, 201):
        with pytest.raises(ValueError, match=f"observations must be from 1 to the 200 .* got {observations}"):
            irregular_spirals(rng, observations)
    with pytest.raises(TypeError, match="rng must be a numpy Generator"):
        irregular_spirals(0, 30)
    with pytest.raises(ValueError, match="length must be between 1 and the 30 observations, got 31"):
        sub_stretches(rng, data.ts, data.xs, 31, 5)
    for lengths in ((1, 5), (6, 5), (5, 31)):
        with pytest.raises(ValueError, match="lengths must be 2 <= smallest <= largest <= 30 observations, got"):
            stretch_loss(None, data.ts, data.xs, rng, 5, lengths, (0.3, 0.7))
    for shares in ((0, 0.5), (0.6, 0.5), (0.5, 1.1)):
        with pytest.raises(ValueError, match="shares must be 0 < smallest <= largest <= 1, got"):
            stretch_loss(None, data.ts, data.xs, rng, 5, (5, 9), shares)


class Asked:
    """A model that notes what it is asked for, and whose objective is the number of observations."""

    def __init__(self):
        self.asked = []

    def objective_vjp(self, xs, ts, theta, read, rng):
        self.asked.append((xs.shape, xs.dtype, read))
        return float(xs.size), lambda: np.full(3, float(xs.size))


def test_the_loss_is_per_number_and_lengths_and_shares_are_as_said():
    data, model = irregular_spirals(np.random.default_rng(0), 30, n=9), Asked()
    loss_and_grad = stretch_loss(model, data.ts, data.xs, np.random.default_rng(1), 4, (10, 20), (0.3, 0.7))
    for _ in range(300):
        loss, g = loss_and_grad(np.zeros(3, np.float32))
        assert loss == -4 and np.array_equal(g, np.full(3, -4.0))  # the objective is a mean over the batch of 4
    lengths, shares = {shape[1] for shape, _, _ in model.asked}, [read / shape[1] for shape, _, read in model.asked]
    assert lengths == set(range(10, 21)) and {dtype for _, dtype, _ in model.asked} == {np.dtype(np.float32)}
    assert 0.25 <= min(shares) < 0.35 and 0.65 < max(shares) <= 0.75


def test_the_cosine_schedule_warms_up_and_ends_at_zero():
    rates = [cosine(0.1, 200, warm_up=20)(n) for n in range(201)]
    assert np.all(np.diff(rates[:20]) > 0) and np.all(np.diff(rates[25:]) < 0) and rates[-1] == 0
    assert max(rates) < 0.1 and rates[100] == pytest.approx(0.05)
