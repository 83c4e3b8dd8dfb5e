"""Spirals in both directions, seen at irregular times: the data of section 5, and stretches of them to learn from."""

import os
from collections import namedtuple

import numpy as np

from .synthetic import check_generator

WEIGHTS = os.path.join(os.path.dirname(__file__), "latent_spirals.npz")
GRID, TURN = 200, 2 * np.pi  # the times of a spiral lie on a grid of 200 points in each of its two turns
GROWTH = 0.25  # of the radius in each turn

IrregularSpirals = namedtuple("IrregularSpirals", "ts xs ts_beyond xs_beyond clockwise phase radius")
IrregularSpirals.__doc__ = """N spirals. ts (N, K) and xs (N, K, 2): the noisy observations, in the first turn;
ts_beyond (N, K) and xs_beyond (N, K, 2): times of the second turn, and where the spiral is then, without noise;
clockwise (N,) bool; phase and radius (N,): the angle and the radius at t = 0."""


def irregular_spirals(rng, observations, n=1000, noise=0.1):
    """Spirals, half of them clockwise, each seen at times of its own in its first turn, and asked for in its second.

        x(t) = r (cos phi, sin phi),   r = radius + t / (8 pi),   phi = phase + t, or phase - t if clockwise

    for t from 0 to 4 pi, two turns. radius is uniform in [0.5, 1.5] and phase in [0, 2 pi]. The times of each spiral
    are drawn without replacement from a grid of 200 points in the first turn, and as many from the 200 of the second.

    rng           a numpy Generator, which draws all of it
    observations  K, from 1 to 200
    n             N, how many spirals
    noise         the standard deviation of the noise on each component of an observation

    Returns IrregularSpirals. The standard deviation of a component of x in the first turn is 0.82.
    Raises TypeError for a seed instead of rng, ValueError for another number of observations.

    >>> data = irregular_spirals(np.random.default_rng(0), observations=30, n=10)
    >>> data.xs.shape, data.ts_beyond.shape, int(data.clockwise.sum())
    ((10, 30, 2), (10, 30), 5)
    """
    check_generator(rng)
    if not 1 <= observations <= GRID:
        raise ValueError(f"observations must be from 1 to the {GRID} points of the grid, got {observations}")
    clockwise, phase, radius = rng.permutation(n) % 2 == 1, rng.uniform(0, TURN, n), rng.uniform(0.5, 1.5, n)
    draw = lambda: np.sort(rng.random((n, GRID)).argpartition(observations - 1)[:, :observations]) * (TURN / GRID)
    ts, ts_beyond = draw(), TURN + draw()
    xs = spiral_at(ts, clockwise, phase, radius)
    xs = xs + noise * rng.normal(size=xs.shape)
    beyond = spiral_at(ts_beyond, clockwise, phase, radius)
    return IrregularSpirals(ts, xs, ts_beyond, beyond, clockwise, phase, radius)


def spiral_at(ts, clockwise, phase, radius):
    """x(t) of irregular_spirals at the times ts (N, K), without noise: (N, K, 2)."""
    angle = phase[:, np.newaxis] + np.where(clockwise, -1, 1)[:, np.newaxis] * ts
    r = radius[:, np.newaxis] + GROWTH / TURN * ts
    return np.stack([r * np.cos(angle), r * np.sin(angle)], axis=2)


def sub_stretches(rng, ts, xs, length, batch):
    """`batch` stretches of `length` consecutive observations, each from a random series and a random start.

    rng   a numpy Generator
    ts    (N, K), the times of N series;  xs  (N, K, D), what was observed

    Returns ts (batch, length) and xs (batch, length, D). Raises TypeError for a seed instead of rng, ValueError for a
    length outside 1 ... K.

    >>> data = irregular_spirals(np.random.default_rng(0), observations=30, n=10)
    >>> ts, xs = sub_stretches(np.random.default_rng(0), data.ts, data.xs, length=8, batch=64)
    >>> ts.shape, xs.shape
    ((64, 8), (64, 8, 2))
    """
    check_generator(rng)
    N, K = ts.shape
    if not 1 <= length <= K:
        raise ValueError(f"length must be between 1 and the {K} observations, got {length}")
    rows = rng.integers(N, size=(batch, 1))
    columns = rng.integers(K - length + 1, size=(batch, 1)) + np.arange(length)
    return ts[rows, columns], xs[rows, columns]


def latent_spirals(observations):
    """theta of a latent ODE that was trained on these spirals, for `experiments.latent.latent_ode(observations)`.

    observations  30, 50 or 100

    Returns theta (P,), float32, as `python -m odelearn latent --full` with its seed 0 makes it; that takes minutes.
    Raises ValueError for another number of observations.

    >>> latent_spirals(50).shape
    (6235,)
    """
    with np.load(WEIGHTS) as file:
        name = f"observations_{observations}"
        if name not in file:
            there = ", ".join(key.removeprefix("observations_") for key in file)
            raise ValueError(f"there are weights for {there} observations, not for {observations}")
        return file[name]
