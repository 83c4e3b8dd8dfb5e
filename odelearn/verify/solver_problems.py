"""What a solver is tried on: problems with known solutions.

    LINEAR         y' = -y             a few of the conditions on A and b; no condition on the nodes c
    FORCED         y' = y cos t        conditions on the nodes as well
    SYSTEM         x' = ..., y' = ...  every condition on A and b, none on the nodes: f does not depend on t
    FORCED_SYSTEM  the same with t     every condition there is

So a method of order p must show p on all four, and where it does not, the pattern says which part of it is wrong.
The last two are systems, because an equation with one component fulfils some conditions of order 5 and more by itself.
"""

from collections import namedtuple

import numpy as np

SPANS = {"forwards": (0.3, 6.3), "backwards": (6.3, 0.3)}  # ts[0] and ts[-1], by the direction of time


class Problem(namedtuple("Problem", "name f exact")):
    """dz/dt = f(z, t), and its solution exact(t), of shape (*t.shape, D) for an array t."""

    __slots__ = ()

    def in_unit_of_time(self, unit):
        """The same problem in another unit of time, s = t / unit: dz/ds = unit f(z, unit s)."""
        return Problem(self.name, lambda z, s: unit * self.f(z, unit * s), lambda s: self.exact(unit * s))

    def with_time_as_state(self):
        """The same problem, made autonomous: time is one more component tau, and tau' = 1."""
        return Problem(
            self.name,
            lambda z, t: np.append(self.f(z[:-1], z[-1]), 1.0),
            lambda t: np.concatenate([self.exact(t), t[..., None]], axis=-1),
        )


PAIR = np.array([1.0, 2.0])

UNIT_SLOPE = Problem("y' = 1", lambda z, t: np.ones_like(z), lambda t: PAIR + t[..., None])
LINEAR = Problem("y' = -y", lambda z, t: -z, lambda t: PAIR * np.exp(6 - t)[..., None])
FORCED = Problem("y' = y cos t", lambda z, t: z * np.cos(t), lambda t: PAIR * np.exp(np.sin(t))[..., None])


def sheared_circle(t):
    """The circle (sin t, cos t), its second component shifted by the sine of the first."""
    x = np.sin(t)
    return np.stack([x, np.cos(t) + np.sin(x)], axis=-1)


def system(z, t):
    """On sheared_circle(t), x' = cos t = y - sin x, and y' = x' cos x - sin t."""
    x, y = z
    dx = y - np.sin(x)
    return np.array([dx, dx * np.cos(x) - x])


def forced_system(z, t):
    """The same, with half of cos t and half of sin t taken from t, not from the state."""
    x, y = z
    dx = (y - np.sin(x) + np.cos(t)) / 2
    return np.array([dx, dx * np.cos(x) - (x + np.sin(t)) / 2])


SYSTEM = Problem("x' = y - sin x, y' = x' cos x - x", system, sheared_circle)
FORCED_SYSTEM = Problem("x' = (y - sin x + cos t)/2, y' = x' cos x - (x + sin t)/2", forced_system, sheared_circle)
PROBLEMS = (LINEAR, FORCED, SYSTEM, FORCED_SYSTEM)
OSCILLATION = Problem(
    "y' = cos 30 t", lambda z, t: np.cos(30 * t) + 0 * z, lambda t: PAIR + np.sin(30 * t)[..., None] / 30
)
