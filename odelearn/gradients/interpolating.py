"""The adjoint along the forward solution itself, looked up in its dense output."""

from dataclasses import dataclass

import numpy as np

from ..dynamics import counted
from ..solvers.odesolve import odesolve
from ..solvers.solver import Solver
from .backsolve import run_back
from .base import cotangent_of, held_by


@dataclass(frozen=True)
class Interpolating:
    """da/dt = -a df/dz(z(t), t, theta), eq. (35), solved back along the stored z(t) instead of a rebuilt one.

    z is never solved backwards, so it cannot drift. The price is memory for the slopes of every forward step. The
    interpolant is of order p - 1 at least, which is enough: its error in one step is O(h^p), and the gradient meets
    that of the exact flow at the order p of the tableau. Serban and Hindmarsh 2005 (CVODES) work so.

    solver  for the backward solve; None: the forward solver
    """

    solver: Solver | None = None

    def vjp(self, z0, f, ts, theta, solver):
        """zs (T, *shape), and pullback(a_zs) -> Gradients."""
        z = odesolve(z0, counted(f), ts, theta, solver)
        f, ts, theta = z.problem
        held = z.zs.nbytes + held_by(z.steps, theta)

        def pullback(a_zs):
            a_zs, evals = cotangent_of(a_zs, z.zs), f.evals
            arrive = lambda i, a: a + a_zs[i]  # the loss sees z(t_i) directly: a jumps
            a, g = run_back(along(z, f, theta), a_zs[-1], arrive, f, ts, theta, a_zs, self.solver or solver, held)
            g.z0 = a
            g.stats = g.stats._replace(evals=f.evals - evals)  # z(t) too may ask for slopes of f, once in every step
            return g

        return z.zs, pullback


def along(z, f, theta):
    """The right-hand side da/dt = -a df/dz at z(t); each measurement keeps f, a df/dt and a df/dtheta."""
    linearise = f.stage_vjp(z.zs[0], theta)

    def measure(a, t, k):
        dz = np.empty_like(a)
        a_df_dz, a_df_dt, a_df_dtheta = linearise(z.step_at(t)(t), t, dz)(a)
        np.negative(a_df_dz, out=k)  # (35)
        return dz, a_df_dt, a_df_dtheta

    return measure
