"""The problems that torchdiffeq and SciPy test their solvers with, and their solutions. (DETEST is in detest.py.)"""

import numpy as np
from problems import Problem
from scipy.linalg import expm


def problem(name, f, exact, ts):
    return Problem(name, lambda y, t, theta: f(y, t), np.asarray(exact(ts[0])), np.array(ts, float), None, exact)


# ---- torchdiffeq, tests/problems.py: t from 1 to 8

U = 0.1 * np.random.default_rng(0).standard_normal((10, 10))
ROTATION = U - U.T


def sine(t):
    s, c = np.sin(2 * t), np.cos(2 * t)
    return np.array([-(t**4) * c / 2 + t**3 * s / 2 + t**2 * c / 4 - t**3 + 2 * t**4 + (np.pi - 0.25) * t**2])


TORCHDIFFEQ = [
    problem("constant", lambda y, t: 0.2 + (y - (0.2 * t + 3)) ** 5, lambda t: np.array([0.2 * t + 3]), (1, 4, 8)),
    problem("linear", lambda y, t: ROTATION @ y, lambda t: expm(ROTATION * t) @ np.ones(10), (1, 4, 8)),
    problem("sine", lambda y, t: 2 * y / t + t**4 * np.sin(2 * t) - t**2 + 4 * t**3, sine, (1, 4, 8)),
    problem("exp", lambda y, t: y, lambda t: np.exp([t]), (1, 4, 8)),
]


# ---- SciPy, integrate/_ivp/tests/test_ivp.py


def rational(y, t):
    return np.array([y[1] / t, y[1] * (y[0] + 2 * y[1] - 1) / (t * (y[0] - 1))])


def rational_exact(t):
    return np.array([t / (t + 10), 10 * t / (t + 10) ** 2])


SPIRAL = np.array([[-1.0, -5.0], [1.0, 1.0]])

SCIPY = [
    problem("rational", rational, rational_exact, (5, 7, 9)),
    problem("rational, backwards", rational, rational_exact, (5, 3, 1)),
    problem(
        "spiral",
        lambda y, t: SPIRAL @ y,
        lambda t: np.array([-5 * np.sin(2 * t), 2 * np.cos(2 * t) + np.sin(2 * t)]),
        (0, 1, 2),
    ),
    problem("complex", lambda y, t: -y, lambda t: (0.5 + 1j) * np.exp([-t]), (0, 0.5, 1)),
    problem("falling, then rising", lambda y, t: y * (t - 2), lambda t: np.exp([t * t / 2 - 2 * t - 4]), (-2, 0, 2)),
    problem("three decays", lambda y, t: -y / 2, lambda t: np.array([2.0, 4.0, 8.0]) * np.exp(-t / 2), (0, 5, 10)),
]
