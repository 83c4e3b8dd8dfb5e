"""Densities that are known: potentials of Rezende and Mohamed, and what two moons and two circles are drawn from."""

import math

import numpy as np

from ..nn.activations import sigmoid


def ring(z):
    """U1, two arcs of a ring of radius 2:

    ((|z| - 2) / 0.4)^2 / 2 - log(e^(-((z_1 - 2) / 0.6)^2 / 2) + e^(-((z_1 + 2) / 0.6)^2 / 2)).
    """
    radius = np.sqrt(np.sum(z * z, axis=1) + 1e-300)  # 1e-300: the slope of the root is infinite at 0
    arcs = np.logaddexp(-(((z[:, 0] - 2) / 0.6) ** 2) / 2, -(((z[:, 0] + 2) / 0.6) ** 2) / 2)
    return ((radius - 2) / 0.4) ** 2 / 2 - arcs


def wave(z):
    """U2, a wave:  ((z_2 - w_1) / 0.4)^2 / 2  with  w_1 = sin(2 pi z_1 / 4); see `walls`."""
    return ((z[:, 1] - np.sin(np.pi / 2 * z[:, 0])) / 0.4) ** 2 / 2 + walls(z)


def fork(z):
    """U4, a wave that splits:  -log(e^(-((z_2 - w_1) / 0.4)^2 / 2) + e^(-((z_2 - w_1 + w_3) / 0.35)^2 / 2)).

    w_1 is that of `wave`, and w_3 = 3 sigmoid((z_1 - 1) / 0.3); see `walls`.
    """
    w1, w3 = np.sin(np.pi / 2 * z[:, 0]), 3 * sigmoid((z[:, 0] - 1) / 0.3)
    branches = np.logaddexp(-(((z[:, 1] - w1) / 0.4) ** 2) / 2, -(((z[:, 1] - w1 + w3) / 0.35) ** 2) / 2)
    return walls(z) - branches


def walls(z):
    """0 for |z_1| <= 4 and |z_2| <= 4, and (d / 0.4)^2 / 2 at a distance d beyond each.

    As they are printed U2 and U4 are periodic in z_1: e^-U has no finite integral, and a loss no lower bound.
    """
    beyond = np.maximum(np.maximum(z, -z) - 4, 0) / 0.4
    return np.sum(beyond * beyond, axis=1) / 2


# U(z) (N,) of points z (N, 2); the density is e^-U up to a factor. Source: Rezende and Mohamed 2015 (arXiv 1505.05770),
# Table 1. Plain NumPy, which the tape differentiates.
POTENTIALS = {"U1": ring, "U2": wave, "U4": fork}


def log_two_moons(x, noise):
    """The log-density (N,) that synthetic.two_moons draws from, at points x (N, 2), in nats."""
    s = (np.arange(200) + 0.5) * (np.pi / 200)  # an integral over each half circle by the midpoint rule
    upper = np.stack([np.cos(s), np.sin(s)], axis=1)
    return log_mean_of_normals(x, np.concatenate([upper, [1.0, 0.5] - upper]), noise)


def log_circles(x, noise):
    """The log-density (N,) that synthetic.circles draws from, at points x (N, 2), in nats."""
    s = np.arange(200) * (np.pi / 100)
    circle = np.stack([np.cos(s), np.sin(s)], axis=1)
    return log_mean_of_normals(x, np.concatenate([circle, circle / 2]), noise)


def log_mean_of_normals(x, centres, noise):
    """log (1/C) sum_c N(x; centre_c, noise^2 I) for rows x (N, 2), for noise well above the spacing of the centres."""
    out = np.empty(len(x))
    for start in range(0, len(x), 1000):  # (1000, C) at a time
        rows = x[start : start + 1000]
        squares = np.sum((rows[:, np.newaxis] - centres) ** 2, axis=2) / (-2 * noise**2)
        most = squares.max(axis=1, keepdims=True)
        out[start : start + 1000] = most[:, 0] + np.log(np.mean(np.exp(squares - most), axis=1))
    return out - math.log(2 * np.pi * noise**2)


def grid_of(half_width, points):
    """Points (points^2, 2) of a square grid over [-half_width, half_width]^2, and the area of its cells."""
    axis = np.linspace(-half_width, half_width, points)
    return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2), (axis[1] - axis[0]) ** 2


def lowest_loss(potential):
    """-log of the integral of e^-U: the lowest value of E_q[log q + U] over all densities q, in nats."""
    z, area = grid_of(7.0, 281)
    return -math.log(np.sum(np.exp(-potential(z))) * area)


def entropy(log_p, half_width=3.5, points=141):
    """-int p log p in nats of a density that vanishes outside of the grid, with log_p(x) (N,) its logarithm."""
    x, area = grid_of(half_width, points)
    values = log_p(x)
    return -float(np.sum(np.exp(values) * values)) * area
