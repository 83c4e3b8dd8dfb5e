"""Series that are computed: the two spirals of the literature, and windows of a series. Points in the plane."""

import numpy as np

from ..solvers.odesolve import odesolve
from ..solvers.solver import dopri5


def spiral(rng, points=200, noise=0.01):
    """The damped rotation dz/dt = A z, A = [[-0.1, -1], [1, -0.1]], z(0) = (0.6, 0.3), on [0, 31.45], with noise.

    As the complex number w = z_1 + i z_2 it is dw/dt = (-0.1 + i) w, so w(t) = exp((-0.1 + i) t) w(0).

    rng     a numpy Generator, which draws the noise
    points  T, how many times, equally spaced
    noise   the standard deviation of the noise on each component

    Returns ts (T,), zs_true (T, 2) and zs_noisy = zs_true + noise N(0, 1). Raises TypeError for a seed instead of rng.

    >>> ts, zs_true, zs_noisy = spiral(np.random.default_rng(0))
    >>> ts.shape, zs_noisy.shape, zs_true[0]
    ((200,), (200, 2), array([0.6, 0.3]))
    """
    check_generator(rng)
    ts = np.linspace(0, 31.45, points)  # (T,)
    w = np.exp((-0.1 + 1j) * ts) * (0.6 + 0.3j)  # (T,)
    zs = np.stack([w.real, w.imag], axis=1)  # (T, 2)
    return ts, zs, zs + noise * rng.normal(size=zs.shape)


def cubic_spiral(points=1000):
    """The spiral dz/dt = z^3 A (rows; z^3 elementwise), A = [[-0.1, 2], [-2, -0.1]], z(0) = (2, 0), on [0, 25].

    points  T, how many times, equally spaced, at least 1

    Returns ts (T,) and zs (T, 2), solved to a tolerance of 1e-10. Raises ValueError for no points.
    Source: the demo problem of torchdiffeq, https://github.com/rtqichen/torchdiffeq, examples/ode_demo.py.

    >>> ts, zs = cubic_spiral(points=3)
    >>> ts, zs[0]
    (array([ 0. , 12.5, 25. ]), array([2., 0.]))
    """
    A = np.array([[-0.1, 2.0], [-2.0, -0.1]])
    ts = np.linspace(0, 25, points)
    trajectory = odesolve(np.array([2.0, 0.0]), lambda z, t, theta: z**3 @ A, ts, solver=dopri5(1e-10, 1e-12))
    return ts, trajectory.zs


def windows(rng, ts, zs, length, batch):
    """`batch` random windows of `length` consecutive observations each, as initial value problems to learn from.

    rng     a numpy Generator, which draws where the windows start; a window may be drawn twice
    ts      (T,), equally spaced, so that all windows share their times, counted from each window's start
    zs      (T, *shape), the observations
    length  from 1 to T
    batch   at least 1

    Returns z0s (batch, *shape), ts (length,) from 0 on, and targets (length, batch, *shape) with targets[0] = z0s.
    Raises ValueError where one of these does not hold, TypeError for a seed instead of rng.

    >>> ts = np.linspace(0, 1, 11)
    >>> z0s, window_ts, targets = windows(np.random.default_rng(0), ts, np.cos(ts), length=4, batch=20)
    >>> z0s.shape, window_ts, targets.shape
    ((20,), array([0. , 0.1, 0.2, 0.3]), (4, 20))
    """
    check_generator(rng)
    T = len(ts)
    if len(zs) != T:
        raise ValueError(f"ts and zs must be of one length, got {T} and {len(zs)}")
    if batch < 1:
        raise ValueError(f"batch must be at least 1, got {batch}")
    if not 1 <= length <= T:
        raise ValueError(f"length must be between 1 and the {T} observations, got {length}")
    gaps = np.diff(ts)
    if not np.allclose(gaps, gaps[:1], rtol=1e-6, atol=0):
        raise ValueError(f"ts must be equally spaced for windows, got gaps from {gaps.min():g} to {gaps.max():g}")
    starts = rng.integers(T - length + 1, size=batch)  # (batch,)
    targets = zs[starts + np.arange(length)[:, np.newaxis]]  # (length, batch, *shape)
    return targets[0], ts[:length] - ts[0], targets


def two_moons(rng, n, noise=0.1):
    """n points on two half circles that hold each other, with noise: half of the points belong to each.

        moon 0: (cos s, sin s),    moon 1: (1 - cos s, 1/2 - sin s),    s uniform on [0, pi]

    rng    a numpy Generator, which draws s and the noise
    n      how many points; the odd one belongs to moon 0
    noise  the standard deviation of the noise on each coordinate

    Returns points (n, 2) and labels (n,), 0 or 1, in random order. Raises TypeError for a seed instead of rng, and
    ValueError for a negative n or noise.

    >>> points, labels = two_moons(np.random.default_rng(0), 100)
    >>> points.shape, np.bincount(labels)
    ((100, 2), array([50, 50]))
    """
    labels = alternating_labels(rng, n, noise)
    s = rng.uniform(0, np.pi, n)
    x = np.where(labels == 0, np.cos(s), 1 - np.cos(s))
    y = np.where(labels == 0, np.sin(s), 0.5 - np.sin(s))
    return np.stack([x, y], axis=1) + noise * rng.normal(size=(n, 2)), labels


def circles(rng, n, noise=0.1):
    """n points on two circles around 0, of the radii 1 (label 0) and 1/2 (label 1), with noise: half of them on each.

    The angle is uniform on [0, 2 pi]. rng, n, noise, what is returned and raised are those of two_moons.

    >>> points, labels = circles(np.random.default_rng(0), 100, noise=0.0)
    >>> np.unique(np.round(np.hypot(*points.T), 12))
    array([0.5, 1. ])
    """
    labels = alternating_labels(rng, n, noise)
    s = rng.uniform(0, 2 * np.pi, n)
    points = np.stack([np.cos(s), np.sin(s)], axis=1) / (1 + labels[:, np.newaxis])
    return points + noise * rng.normal(size=(n, 2)), labels


def alternating_labels(rng, n, noise):
    """(n,) zeros and ones, as many of one as of the other, in random order. Checks the arguments of those who ask."""
    check_generator(rng)
    if n < 0 or not noise >= 0:
        raise ValueError(f"n and noise must not be negative, got n = {n}, noise = {noise}")
    return rng.permutation(np.arange(n) % 2)


def check_generator(rng):
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy Generator, such as np.random.default_rng(0), got {rng!r}")
