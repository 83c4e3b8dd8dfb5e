"""Densities that are known: normalised, of the samples that they belong to, and of the right entropy."""

import math

import numpy as np
import pytest

from odelearn import check_gradient, grad
from odelearn.datasets import POTENTIALS, circles, entropy, log_circles, log_two_moons, lowest_loss, two_moons
from odelearn.datasets.densities import grid_of, log_mean_of_normals

PAIRS = [(two_moons, log_two_moons), (circles, log_circles)]


@pytest.mark.parametrize(("sampler", "log_p"), PAIRS)
def test_a_density_and_its_sampler_belong_together(sampler, log_p):
    """It integrates to 1, and -log p of samples has the entropy as its mean, within 5 standard errors."""
    noise = 0.08
    x, area = grid_of(3.5, 281)
    assert np.sum(np.exp(log_p(x, noise))) * area == pytest.approx(1, abs=1e-9)
    samples, _ = sampler(np.random.default_rng(0), 20_000, noise)
    nats = -log_p(samples, noise)
    assert abs(nats.mean() - entropy(lambda x: log_p(x, noise))) < 5 * nats.std() / math.sqrt(20_000)
    for power in 1, 2:  # and the first two moments
        moment = np.sum(np.exp(log_p(x, noise))[:, np.newaxis] * x**power, axis=0) * area
        assert (np.abs(np.mean(samples**power, axis=0) - moment) < 5 * np.std(samples**power, axis=0) / 141).all()


def test_entropy_of_a_normal_density():
    """log(2 pi e sigma^2) in two dimensions."""
    normal = lambda x: log_mean_of_normals(x, np.array([[0.2, 0.1]]), 0.3)
    assert entropy(normal) == pytest.approx(math.log(2 * math.pi * math.e * 0.09), abs=1e-9)


@pytest.mark.parametrize("name", POTENTIALS)
def test_potentials(name):
    """As they are printed; smooth on the tape; and the lowest loss is reached by the density itself."""
    U, z = POTENTIALS[name], np.random.default_rng(1).normal(size=(6, 2)) * 2
    w1, w3 = np.sin(2 * np.pi * z[:, 0] / 4), 3 / (1 + np.exp(-(z[:, 0] - 1) / 0.3))
    bump = lambda x, width: np.exp(-0.5 * (x / width) ** 2)
    printed = {
        "U1": 0.5 * ((np.hypot(*z.T) - 2) / 0.4) ** 2 - np.log(bump(z[:, 0] - 2, 0.6) + bump(z[:, 0] + 2, 0.6)),
        "U2": 0.5 * ((z[:, 1] - w1) / 0.4) ** 2,
        "U4": -np.log(bump(z[:, 1] - w1, 0.4) + bump(z[:, 1] - w1 + w3, 0.35)),
    }[name]
    assert (np.abs(z) < 4).all()
    np.testing.assert_allclose(U(z), printed, rtol=1e-12)
    far = np.array([[4.4, -4.8]])  # d = 0.4 and 0.8: walls of 1/2 and 2
    if name != "U1":
        inside = {"U2": 0.5 * ((-4.8 - np.sin(2.2 * np.pi)) / 0.4) ** 2}.get(name)
        assert inside is None or U(far)[0] == pytest.approx(inside + 2.5)
    loss = lambda z: np.sum(U(z))
    assert check_gradient(loss, grad(loss)(z), z)
    assert np.isfinite(grad(loss)(np.array([[0.0, 0.0], [30.0, -40.0]]))).all()
    x, area = grid_of(7.0, 401)
    log_q = -U(x) + lowest_loss(U)  # log of e^-U / Z
    assert np.sum(np.exp(log_q)) * area == pytest.approx(1, abs=1e-6)
    assert np.sum(np.exp(log_q) * (log_q + U(x))) * area == pytest.approx(lowest_loss(U), abs=1e-5)
