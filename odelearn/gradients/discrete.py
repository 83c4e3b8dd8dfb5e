"""The exact gradient of the discretisation: the chain rule back through every step that was taken."""

from dataclasses import dataclass
from operator import add

import numpy as np

from ..solvers.dense_output import mesh_times, observations_of
from ..solvers.members import members_of
from ..solvers.problem import check_memory, initial_value_problem
from ..solvers.runge_kutta import PointCotangents, rk_step_pullback
from ..solvers.solver import solve, states_like
from ..solvers.step_size import FixedSteps
from .base import BackwardStats, Gradients, ThetaSum, cotangent_of, held_by, ignoring_nan


@dataclass(frozen=True)
class Discrete:
    """Discretise, then differentiate: eq. (36) with a Runge-Kutta step as the layer.

    Every stage's pullback is kept from the forward pass, so nothing is evaluated twice, and memory grows with the
    number of steps. The result is the derivative of the numbers that were computed, to round-off, not of the exact
    flow. The accepted mesh is held constant as fractions s_n of each interval, t_n = ts[i] + s_n (ts[i+1] - ts[i]);
    that makes dL/dts exact as well. For a solver with dense=True they are fractions of the whole, t_n = ts[0] +
    s_n (ts[-1] - ts[0]), and zs[i] is differentiated as what it is, the interpolant at ts[i].
    Source: Chen et al. 2018, (36); Griewank, Walther, Evaluating Derivatives, chapter 3.
    """

    def vjp(self, z0, f, ts, theta, solver):
        """zs (T, *z0.shape), and pullback(a_zs) -> Gradients. Arguments and errors are those of odesolve_vjp."""
        z0, f, ts, theta = initial_value_problem(z0, f, ts, theta)
        if isinstance(solver.control, FixedSteps):
            check_memory(solver.control.steps_for(mesh_times(solver, ts)), solver.tableau.stages, z0)
        bound, zs = f.bind(theta, z0), states_like(z0, ts)
        with np.errstate(all="ignore"):
            steps = list(solve(solver.stepper(bound.vjp, z0, ts, None, members_of(theta, z0)), z0, zs, ts))

        def pullback(a_zs):
            a_zs = cotangent_of(a_zs, zs)
            sums = StepSums(ts, ThetaSum(bound.sum_theta, theta, zs.dtype), observations_of(solver, ts))
            with ignoring_nan(zs):
                a_z0 = sweep_back(reversed(steps), a_zs, sums)
            held = held_by(zs.nbytes, [step for _, step in steps], theta)
            return sums.gradients(a_z0, evals=0, held=held)

        return zs, pullback


def sweep_back(steps, a_zs, sums):
    """dL/dz0 by the chain rule through all steps, given as (i, step), the last one first. It fills the sums."""
    a, room = a_zs[-1], None  # (34) at t_N
    for i, step in steps:
        room = room or PointCotangents(step.scheme)
        read = sums.observations and sums.observations.pullback(step, a_zs)
        if read:
            seen, a_ts, a_k_read, parts = read
            sums.observe(seen, a_ts)
            a, *to_sum = map(add, rk_step_pullback(step, a, room, a_k_read), parts)
        else:
            a, *to_sum = rk_step_pullback(step, a, room)  # (36), the layer being a step
        sums.add(i, step, *to_sum)
        if step.t == sums.ts[i]:
            a = a + a_zs[i]  # the loss looks at z(t_i) directly, so a jumps here
    return a


class StepSums:
    """dL/dts and dL/dtheta, to which every step adds its part. observations: those read from inside steps, or None."""

    def __init__(self, ts, a_theta, observations=None):
        self.observations = observations
        self.ts, self.a_theta = ts.tolist(), a_theta  # floats in lists: one by one they are quicker than in arrays
        self.a_ts = [0.0] * len(ts)
        self.pullbacks = 0

    def add(self, i, step, a_t, a_h, terms):
        """The part of a step of [ts[i], ts[i+1]], by  t = ts[i] + s span  and  h = sigma span  with s, sigma fixed.

        If observations are read from inside steps, i is 0 and the interval is the whole, [ts[0], ts[-1]].
        """
        end = -1 if self.observations else i + 1
        span = self.ts[end] - self.ts[i]
        s, sigma = (step.t - self.ts[i]) / span, step.h / span
        self.a_ts[i] += (1 - s) * a_t - sigma * a_h
        self.a_ts[end] += s * a_t + sigma * a_h
        self.a_theta.add(terms)
        self.pullbacks += len(terms)

    def observe(self, seen, a_ts):
        """dL/dts of times inside a step."""
        self.a_ts[seen] = a_ts.tolist()

    def gradients(self, a_z0, evals, held, drift=None):
        a_theta = self.a_theta.total
        a_ts = np.array(self.a_ts, np.result_type(a_theta, np.float64))
        return Gradients(a_z0, a_ts, a_theta, BackwardStats(evals, self.pullbacks, held), drift)
