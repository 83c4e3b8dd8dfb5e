"""The battery: problems (f, z0, ts, theta) for every test that needs one, with the exact z(t) where there is one."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from odelearn import MLP, Dynamics


@dataclass(frozen=True)
class Problem:
    name: str
    f: Callable
    z0: np.ndarray
    ts: np.ndarray
    theta: np.ndarray | None
    exact: Callable | None = None  # exact(t) -> z(t)

    def __repr__(self):
        return self.name


ROTATION = np.array([[-0.1, -1.0], [1.0, -0.1]])


def rotation(t, z0=(0.6, 0.3)):
    """exp(A t) z0 for A = ROTATION: turning at speed 1 while shrinking at rate 0.1."""
    c, s = np.exp(-0.1 * t) * np.cos(t), np.exp(-0.1 * t) * np.sin(t)
    return np.array([c * z0[0] - s * z0[1], s * z0[0] + c * z0[1]])


def lotka_volterra(z, t, theta):
    hare, lynx = z[..., 0], z[..., 1]
    alpha, beta, gamma, delta = theta
    return np.stack([alpha * hare - beta * hare * lynx, delta * hare * lynx - gamma * lynx], axis=-1)


def hand_written_oscillator():
    """y' = a y cos t with its pullback by hand."""

    def vjp(y, t, theta):
        def pullback(a_dy):
            return (
                a_dy * theta[0] * np.cos(t),
                -np.sum(a_dy * y) * theta[0] * np.sin(t),
                np.array([np.sum(a_dy * y) * np.cos(t)]),
            )

        return theta[0] * y * np.cos(t), pullback

    return Dynamics(lambda y, t, theta: theta[0] * y * np.cos(t), vjp)


rng = np.random.default_rng(20181203)
mlp = MLP((2, 8, 2), time="concat")
cubic_A = np.array([[-0.1, 2.0], [-2.0, -0.1]])

LINEAR = Problem(
    "linear",
    lambda z, t, theta: z @ theta.reshape(2, 2).T,
    np.array([0.6, 0.3]),
    np.array([0.0, 0.4, 1.1, 2.0]),
    ROTATION.ravel(),
    rotation,
)
LOGISTIC = Problem(
    "logistic",
    lambda z, t, theta: theta[0] * z * (1 - z / theta[1]),
    np.array([0.3]),
    np.array([0.0, 0.5, 1.5]),
    np.array([1.5, 2.0]),
    lambda t: np.array([2.0 / (1 + (2.0 / 0.3 - 1) * np.exp(-1.5 * t))]),
)
OSCILLATING_RATE = Problem(
    "y' = a y cos t",
    hand_written_oscillator(),
    np.array([1.3]),
    np.array([0.2, 0.9, 1.7]),
    np.array([0.7]),
    lambda t: 1.3 * np.exp(0.7 * (np.sin(t) - np.sin(0.2))) * np.ones(1),
)
LOTKA_VOLTERRA = Problem(
    "Lotka-Volterra",
    lotka_volterra,
    np.array([[1.0, 0.5], [0.8, 1.2], [1.5, 0.9]]),
    np.array([0.0, 0.7, 1.3, 2.5]),
    np.array([1.1, 0.9, 1.2, 0.8]),
)
CUBIC_SPIRAL = Problem(
    "cubic spiral",
    lambda z, t, theta: (z * z * z) @ theta.reshape(2, 2),
    np.array([[2.0, 0.0], [1.0, 0.5]]),
    np.array([0.0, 0.2, 0.5]),
    cubic_A.ravel(),
)
NEURAL = Problem(
    "MLP with time",
    mlp,
    rng.normal(size=(3, 2)),
    np.array([0.1, 0.6, 1.4]),
    mlp.init(rng) + 0.1 * rng.normal(size=mlp.size),
)

BATTERY = [LINEAR, LOGISTIC, OSCILLATING_RATE, LOTKA_VOLTERRA, CUBIC_SPIRAL, NEURAL]


def backwards(problem):
    """The same field with time running the other way."""
    exact = problem.exact
    z0 = exact(problem.ts[-1]) if exact else problem.z0
    return Problem(problem.name + ", backwards", problem.f, z0, problem.ts[::-1].copy(), problem.theta, exact)


def cotangent(problem, seed=0):
    """A cotangent of zs that looks at every observation, z0 included."""
    shape = (len(problem.ts), *np.shape(problem.z0))
    return np.random.default_rng(seed).normal(size=shape)
