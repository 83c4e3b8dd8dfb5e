"""The cubic spiral dz/dt = z^3 A, learned by a small network: the demo problem of torchdiffeq, with its windows."""

from collections import namedtuple

import numpy as np

from ..datasets import synthetic
from ..nn.mlp import MLP
from ..solvers.odesolve import odesolve
from ..solvers.solver import rk4
from .windows import learn_from_windows

NET = MLP((2, 50, 2), power=3)  # tanh(z^3 W0 + b0) W1 + b1
SOLVER = rk4(n=1)  # one step of 0.025 between observations

# error: the mean of |z - z_true| over all times and both components; size: that of |z_true|; field: the learned f(z)
Cubic = namedtuple("Cubic", "ts zs_true zs error size field")


def learn_cubic(steps, rng):
    """Learn the field by NET in `steps` steps of Adam; rng draws the first theta and the windows. Returns a Cubic.

    The test is the whole spiral from z0, which no window shows: there, errors of the speed add up to an error of the
    phase.
    """
    ts, zs_true = synthetic.cubic_spiral()
    theta = rng.normal(0, 0.1, NET.size)
    settings = {"steps": steps, "rng": rng, "length": 10, "batch": 20, "rates": (0.03, 0.0002)}
    thetas, _ = learn_from_windows(NET, theta, ts, zs_true, SOLVER, **settings)
    zs = odesolve(zs_true[0], NET, ts, thetas[-1], SOLVER).zs
    error, size = np.abs(zs - zs_true).mean(), np.abs(zs_true).mean()
    return Cubic(ts, zs_true, zs, error, size, lambda z: NET(z, 0.0, thetas[-1]))
