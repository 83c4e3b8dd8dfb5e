"""The exact gradient of the discretisation: the chain rule back through every step that was taken."""

from dataclasses import dataclass

import numpy as np

from ..solvers.problem import initial_value_problem
from ..solvers.runge_kutta import rk_step_pullback
from ..solvers.solver import Log, solution
from .base import BackwardStats, Gradients, ThetaSum, cotangent_of, held_by


@dataclass(frozen=True)
class Discrete:
    """Discretise, then differentiate: eq. (36) with a Runge-Kutta step as the layer.

    Every stage's pullback is kept from the forward sweep, so nothing is evaluated twice, and memory grows with the
    number of steps. The result is the derivative of the numbers that were computed, to round-off, not of the exact
    flow. The accepted mesh is held constant as fractions s_n of each interval, t_n = ts[i] + s_n (ts[i+1] - ts[i]);
    that makes dL/dts exact as well.
    """

    def vjp(self, z0, f, ts, theta, solver):
        """zs (T, *shape), and pullback(a_zs) -> Gradients."""
        z0, f, ts, theta = initial_value_problem(z0, f, ts, theta)
        steps = []
        zs = solution(f.stage_vjp(z0, theta), z0, ts, solver, Log(), steps)

        def pullback(a_zs):
            sweep = Sweep(f, ts, theta, cotangent_of(a_zs, zs))
            for i, step in reversed(steps):
                sweep.back(i, step)
            return sweep.gradients(evals=0, held=zs.nbytes + held_by([step for _, step in steps], theta))

        return zs, pullback


class Sweep:
    """The backward sweep over the steps: a = dL/dz(t), from the last t to the first, and the sums it leaves."""

    def __init__(self, f, ts, theta, a_zs):
        self.ts, self.a_zs = ts.tolist(), a_zs  # floats in lists: one by one they are quicker than in arrays
        self.i = len(ts) - 1
        self.a = a_zs[self.i]  # (34) at t_N
        self.a_ts = [0.0] * len(ts)
        self.a_theta = ThetaSum(f, theta, a_zs.dtype)
        self.pullbacks = 0

    def back(self, i, step):
        """Through one step of the interval [ts[i], ts[i+1]]: a(t + h) becomes a(t)."""
        self.arrive(i + 1)
        self.a, a_t, a_h, deferred = rk_step_pullback(step, self.a)  # (36), the layer being a step
        self.add(i, step.t, step.h, a_t, a_h, deferred)

    def arrive(self, i):
        """Back at ts[i], if not there already: the loss looks at z(t_i) directly, so a jumps."""
        if i < self.i:
            self.i = i
            self.a = self.a + self.a_zs[i]

    def add(self, i, t, h, a_t, a_h, deferred):
        """What a step adds to dL/dts, by  t = ts[i] + s span  and  h = sigma span,  and to dL/dtheta."""
        span = self.ts[i + 1] - self.ts[i]
        s, sigma = (t - self.ts[i]) / span, h / span
        self.a_ts[i] += (1 - s) * a_t - sigma * a_h
        self.a_ts[i + 1] += s * a_t + sigma * a_h
        self.a_theta.add(deferred)
        self.pullbacks += len(deferred)

    def gradients(self, evals, held):
        self.arrive(0)
        a_ts = np.array(self.a_ts, np.result_type(self.a_zs, np.float64))
        return Gradients(self.a, a_ts, self.a_theta.result(), BackwardStats(evals, self.pullbacks, held))
