"""The adjoint along the forward solution itself, looked up in its dense output."""

from dataclasses import dataclass

import numpy as np

from ..dynamics import counted
from ..solvers.dense_output import solver_between
from ..solvers.members import members_of
from ..solvers.odesolve import odesolve
from ..solvers.solver import Solver, steps
from .backsolve import integrals_for, solving_back
from .base import cotangent_of, held_by


@dataclass(frozen=True)
class Interpolating:
    """da/dt = -a df/dz(z(t), t, theta), eq. (35), solved back along the stored z(t) instead of a rebuilt one.

    z is never solved backwards, so it cannot drift. The price is memory for the slopes of every forward step. The
    interpolant is of order p - 1 at least, which is enough: its error in one step is O(h^p), and the gradient meets
    that of the exact flow at the order p of the tableau. Serban and Hindmarsh 2005 (CVODES) work so.

    solver  for the backward solve, which stops at every ts[i], where a jumps; None: the forward solver
    ledger  keep the ledger of the backward solve, as gradients.stats.ledger
    """

    solver: Solver | None = None
    ledger: bool = False

    def vjp(self, z0, f, ts, theta, solver):
        """zs (T, *z0.shape), and pullback(a_zs) -> Gradients. Arguments and errors are those of odesolve_vjp."""
        z = odesolve(z0, counted(f), ts, theta, solver)
        f, ts, theta, _ = z.problem
        times, back = ts.tolist(), solver_between(self.solver or solver, ts)
        held = held_by(z.zs.nbytes, z.steps, theta)

        def pullback(a_zs):
            a_zs, evals = cotangent_of(a_zs, z.zs), f.evals
            bound, a = f.bind(theta, a_zs[0]), a_zs[-1]  # (34) at t_N
            integrals = integrals_for(back, a_zs, theta, bound.sum_theta)
            ledger, members = [] if self.ledger else None, members_of(theta, z.zs[-1])
            stepper = integrals.stepper(back, along(z, bound), a, ts[::-1], ledger, members)
            with solving_back():
                for i in range(len(times) - 1, 0, -1):
                    _, (f_i, _, _) = stepper.slope(a, times[i])
                    integrals.observe(i, f_i)  # (52) at t_i
                    for step in steps(stepper, a, times[i], times[i - 1]):
                        integrals.add(step)  # (51), (52)
                    a = step.z_next + a_zs[i - 1]  # the loss sees z(t_i) directly: a jumps
            g = integrals.gradients(a, stepper, held)
            g.stats.evals = f.evals - evals  # z(t) too may ask for slopes of f, once in every step
            return g

        return z.zs, pullback


def along(z, bound):
    """The right-hand side da/dt = -a df/dz at z(t); each stage keeps f, a df/dt and the term of a df/dtheta."""

    def field(a, t, k):
        dz = np.empty_like(a)
        a_df_dz, a_df_dt, term = bound.vjp(z.step_at(t)(t), t, dz)(a.copy())  # a is lent, and a term may keep it
        np.negative(a_df_dz, out=k)  # (35)
        return dz, a_df_dt, term

    return field
