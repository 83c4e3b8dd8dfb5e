"""Vector fields of the plane that are known, to be learned as if they were not, and noisy trajectories of them."""

from collections import namedtuple

import numpy as np

from ..solvers.odesolve import odesolve
from ..solvers.solver import dopri5
from .synthetic import check_generator

KnownField = namedtuple("KnownField", "f theta names box canonical")
KnownField.__doc__ = """A field dz/dt = f(z, t, theta) of the plane with its true parameters.

f          plain NumPy, (..., 2) -> (..., 2); also for complex z and theta
theta      (P,), the true parameters
names      their P names
box        ((left, right), (bottom, top)): where trajectories start, and where a learned field is compared with this one
canonical  canonical(theta) -> theta: of the theta that make the same field, always the same one
"""


def two_centres(z, t, theta):
    """A spiral around c, and another around -c; in between they pass into each other:

        dz/dt = s(z.c) A (z - c) + s(-z.c) B (z + c),    s(x) = 1 / (1 + exp(-x))

    theta = (A_11, A_12, A_21, A_22, B_11, B_12, B_21, B_22, c_1, c_2). Exchanging A with B, and c with -c, changes
    nothing: two theta are one field.
    Source: M. Surtsukov, Neural ODEs (notebook), https://github.com/msurtsukov/neural-ode, class TestODEF.
    """
    A, B, c = theta[:4].reshape(2, 2), theta[4:8].reshape(2, 2), theta[8:]
    side = z @ c
    near = 1 / (1 + np.exp(-side))[..., np.newaxis]  # (..., 1)
    return near * ((z - c) @ A.T) + (1 - near) * ((z + c) @ B.T)


def first_centre_left(theta):
    """Of the two theta that make the same field of two centres, the one with c_1 <= 0."""
    return theta if theta[8] <= 0 else np.concatenate([theta[4:8], theta[:4], -theta[8:]])


def pendulum(z, t, theta):
    """A pendulum with friction:  dq/dt = p,  dp/dt = -k sin q - g p,  with z = (q, p) and theta = (k, g)."""
    q, p = z[..., 0], z[..., 1]
    return np.stack([p, -theta[0] * np.sin(q) - theta[1] * p], axis=-1)


def lotka_volterra(z, t, theta):
    """Prey x and predator y:  dx/dt = alpha x - beta x y,  dy/dt = delta x y - gamma y,  z = (x, y).

    theta = (alpha, beta, delta, gamma). Source: A. J. Lotka (1920), V. Volterra (1926).
    """
    x, y = z[..., 0], z[..., 1]
    alpha, beta, delta, gamma = theta
    return np.stack([alpha * x - beta * x * y, delta * x * y - gamma * y], axis=-1)


def unique(theta):
    """theta itself, where no other makes the same field."""
    return theta


FIELDS = {
    "two-centres": KnownField(
        two_centres,
        np.array([-0.1, -0.5, 0.5, -0.1, 0.2, 1.0, -1.0, 0.2, -1.0, 0.0]),
        ("A_11", "A_12", "A_21", "A_22", "B_11", "B_12", "B_21", "B_22", "c_1", "c_2"),
        ((-2.5, 2.5), (-2.0, 2.0)),
        first_centre_left,
    ),
    "pendulum": KnownField(pendulum, np.array([1.0, 0.15]), ("k", "g"), ((-2.0, 2.0), (-1.0, 1.0)), unique),
    "lotka-volterra": KnownField(
        lotka_volterra,
        np.array([1.1, 0.7, 0.5, 0.9]),
        ("alpha", "beta", "delta", "gamma"),
        ((0.5, 4.0), (0.4, 3.5)),
        unique,
    ),
}


def noisy_trajectories(rng, field, ts, n, noise):
    """`n` solutions of a KnownField from random starts in its box, and the same as they are observed.

    rng    a numpy Generator: it draws the starts, then the noise
    field  a KnownField, such as FIELDS["pendulum"]
    ts     (T,), the times
    n      how many trajectories
    noise  the standard deviation of the noise on each component

    Returns zs_true (T, n, 2), solved to a tolerance of 1e-9, and zs_noisy = zs_true + noise N(0, 1).
    Raises TypeError for a seed instead of rng.

    >>> ts = np.linspace(0, 10, 51)
    >>> zs_true, zs_noisy = noisy_trajectories(np.random.default_rng(0), FIELDS["pendulum"], ts, n=3, noise=0.05)
    >>> zs_true.shape, bool(np.std(zs_noisy - zs_true) < 0.06)
    ((51, 3, 2), True)
    """
    check_generator(rng)
    low, high = np.transpose(field.box)
    z0s = rng.uniform(low, high, (n, 2))
    zs = odesolve(z0s, field.f, ts, field.theta, dopri5(1e-9, 1e-11)).zs
    return zs, zs + noise * rng.normal(size=zs.shape)
