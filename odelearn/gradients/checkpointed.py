"""The discrete gradient in less memory: keep some states, and run each stretch between them once more."""

from dataclasses import dataclass

import numpy as np

from ..solvers.problem import initial_value_problem
from ..solvers.runge_kutta import Scheme, rk_step
from ..solvers.solver import Log, accepted_steps
from .base import cotangent_of
from .discrete import Sweep
from .mesh import mesh_of


@dataclass(frozen=True)
class Checkpointed:
    """Discrete, bit for bit, with about sqrt(N) states kept from N steps instead of every stage's pullback.

    The backward sweep runs the steps after the last kept state once more, now with pullbacks, goes back through them,
    and so on to the first: sqrt(N) states and sqrt(N) steps at a time, for one more evaluation of every stage.
    Griewank, Walther, Evaluating Derivatives, chapter 12.

    every  keep the state after every so many steps; None: the spacing doubles whenever twice as many states are kept
    """

    every: int | None = None

    def __post_init__(self):
        if self.every is not None and (int(self.every) != self.every or self.every < 1):
            raise ValueError(f"every must be a whole number of steps, at least 1, or None, got {self.every}")

    def vjp(self, z0, f, ts, theta, solver):
        """zs (T, *shape), and pullback(a_zs) -> Gradients."""
        z0, f, ts, theta = initial_value_problem(z0, f, ts, theta)
        scheme = Scheme(solver.tableau, z0.dtype)
        zs = np.empty((len(ts), *z0.shape), z0.dtype)
        zs[0] = z0
        mesh, states, every, n = mesh_of(solver.control, ts), [z0], self.every or 1, 0
        with np.errstate(all="ignore"):
            for n, (i, step) in enumerate(accepted_steps(f.stage(z0, theta), z0, ts, solver, Log()), start=1):
                mesh.append(i, step)
                if step.t_next == ts[i + 1]:
                    zs[i + 1] = step.z_next
                if n % every == 0:
                    states.append(step.z_next.copy())  # a copy: z_next alone, not the stages it may be a view of
                if self.every is None and len(states) > 2 * every:
                    states, every = states[::2], 2 * every
        N, held = n, zs.nbytes + mesh.nbytes + sum(z.nbytes for z in states)

        def pullback(a_zs):
            evals, sweep, measure = 0, Sweep(f, ts, theta, cotangent_of(a_zs, zs)), f.stage_vjp(zs[0], theta)
            for start in reversed(range(0, N, every)):
                stretch = [mesh[n] for n in range(start, min(start + every, N))]
                steps = again(measure, states[start // every], stretch, scheme)
                evals += sum(len(step.k) for _, step in steps) - scheme.tableau.fsal * (len(steps) - 1)
                while steps:
                    sweep.back(*steps.pop())
            return sweep.gradients(evals, held)

        return zs, pullback


def again(measure, z, stretch, scheme):
    """The steps of a stretch once more from z, now keeping pullbacks: [(i, step), ...]."""
    steps, first = [], None
    with np.errstate(all="ignore"):
        for i, t, h, t_next in stretch:
            step = rk_step(measure, z, t, h, t_next, scheme, first)
            z, first = step.z_next, (step.k[-1], step.kept[-1]) if scheme.tableau.fsal else None
            steps.append((i, step))
    return steps
