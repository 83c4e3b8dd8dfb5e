"""The discrete gradient in less memory: keep some states, and repeat the steps between them."""

from dataclasses import dataclass

import numpy as np

from ..solvers.dense_output import mesh_times, observations_of
from ..solvers.members import members_of
from ..solvers.problem import initial_value_problem
from ..solvers.runge_kutta import Scheme, rk_step
from ..solvers.solver import solve, states_like
from ..solvers.step_size import is_count
from .base import ThetaSum, cotangent_of, ignoring_nan
from .discrete import StepSums, sweep_back
from .mesh import mesh_of


@dataclass(frozen=True)
class Checkpointed:
    """Discrete, bit for bit, with about sqrt(N) states kept from N steps instead of every stage's pullback.

    The backward pass repeats the steps after the last kept state, now with pullbacks, goes back through them, and so on
    to the first: sqrt(N) states and sqrt(N) steps at a time, for one more evaluation of every stage.
    Griewank, Walther, Evaluating Derivatives, chapter 12.

    every  keep the state after every so many steps; None: the spacing doubles whenever twice as many states are kept

    Raises ValueError if `every` is no whole number >= 1.
    """

    every: int | None = None

    def __post_init__(self):
        if self.every is not None and not is_count(self.every):
            raise ValueError(f"every must be a whole number of steps, at least 1, or None, got {self.every!r}")

    def vjp(self, z0, f, ts, theta, solver):
        """zs (T, *z0.shape), and pullback(a_zs) -> Gradients. Arguments and errors are those of odesolve_vjp."""
        z0, f, ts, theta = initial_value_problem(z0, f, ts, theta)
        zs, mesh = states_like(z0, ts), mesh_of(solver.control, mesh_times(solver, ts))
        states, every = [z0], int(self.every or 1)
        stepper = solver.stepper(f.bind(theta, z0).value, z0, ts, None, members_of(theta, z0), lend=True)
        with np.errstate(all="ignore"):
            for n, (i, step) in enumerate(solve(stepper, z0, zs, ts), start=1):
                mesh.append(i, step)
                if n % every == 0:
                    states.append(step.z_next.copy())  # a copy: z_next alone, not the stages it may be a view of
                if self.every is None and len(states) > 2 * every:
                    states, every = states[::2], 2 * every
        held = zs.nbytes + mesh.nbytes + sum(z.nbytes for z in states)

        def pullback(a_zs):
            a_zs = cotangent_of(a_zs, zs)
            bound = f.bind(theta, z0)
            scheme = Scheme(solver.tableau, bound.vjp, z0)
            sums = StepSums(ts, ThetaSum(bound.sum_theta, theta, zs.dtype), observations_of(solver, ts))
            with ignoring_nan(zs):
                a_z0 = sweep_back(steps_again(scheme, mesh, states, every), a_zs, sums)
            return sums.gradients(a_z0, scheme.evals, held)

        return zs, pullback


def steps_again(scheme, mesh, states, every):
    """(i, step) for all steps of the mesh, the last one first: those after each kept state are repeated from it."""
    for start in reversed(range(0, len(mesh), every)):
        stretch = [mesh[n] for n in range(start, min(start + every, len(mesh)))]
        steps = repeat(scheme, states[start // every], stretch)
        while steps:
            yield steps.pop()  # and its pullbacks are forgotten


def repeat(scheme, z, stretch):
    """[(i, step), ...]: the steps of a stretch of the mesh once more, from z."""
    steps, first_slope = [], None
    with np.errstate(all="ignore"):
        for i, t, h, t_next in stretch:
            step = rk_step(scheme, z, t, h, t_next, first_slope)
            z, first_slope = step.z_next, (step.k[-1], step.kept[-1]) if scheme.tableau.fsal else None
            steps.append((i, step))
    return steps
