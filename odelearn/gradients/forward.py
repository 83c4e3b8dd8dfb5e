"""Forward sensitivities: the derivative of the state, carried along with the state."""

from dataclasses import dataclass

import numpy as np

from ..solvers.dense_output import refuse_dense
from ..solvers.problem import initial_value_problem
from ..solvers.solver import solve, states_like
from .base import BackwardStats, Gradients, cotangent_of


@dataclass(frozen=True)
class Forward:
    """dS/dt = df/dz S + df/dtheta  for S = dz/d[z0, theta, ts], on the same mesh as z.

    Each step is differentiated as it is taken, so the result is Discrete's, to round-off: to differentiate a
    Runge-Kutta method and to apply it to the differentiated equation is the same thing on a fixed mesh. The price is a
    Jacobian df/dz a stage, one pullback for each component of z; memory does not grow with the number of steps.
    Hairer, Norsett, Wanner, Solving ODEs I, section I.14, eq. (14.14).
    The Jacobian of an ensemble has all members in it, so one that diverges is a SolverError here.
    """

    def vjp(self, z0, f, ts, theta, solver):
        """zs (T, *z0.shape), and pullback(a_zs) -> Gradients. Arguments and errors are those of odesolve_vjp."""
        refuse_dense(solver, "Forward()")
        z0, f, ts, theta = initial_value_problem(z0, f, ts, theta)
        n, P, T = z0.size, 0 if theta is None else theta.size, len(ts)
        bound, zs, Ss = f.bind(theta, z0), states_like(z0, ts), np.zeros((T, n, n + P + T), z0.dtype)
        Ss[0] = np.eye(n, n + P + T)
        S, stages = Ss[0], 0
        with np.errstate(all="ignore"):
            for i, step in solve(solver.stepper(bound.vjp, z0, ts, lend=True), z0, zs, ts):
                jacobians = [stage_jacobian(pullback, step.z, bound, P) for pullback in step.kept[: step.scheme.m]]
                S = step_sensitivity(step, S, jacobians, *mesh_sensitivity(i, step, ts, n + P))
                stages += len(jacobians)
                if step.t_next == ts[i + 1]:
                    Ss[i + 1] = S

        def pullback(a_zs):
            a = np.tensordot(cotangent_of(a_zs, zs).reshape(T, n), Ss, 2)  # (n + P + T,)
            stats = BackwardStats(0, stages * n, zs.nbytes + Ss.nbytes)
            a_theta = a[n : n + P].reshape(0 if theta is None else theta.shape)
            return Gradients(a[:n].reshape(z0.shape), a[n + P :].astype(np.result_type(a, float)), a_theta, stats)

        return zs, pullback


def mesh_sensitivity(i, step, ts, first):
    """dt and dh, rows (first + T,): t = ts[i] + s span, h = sigma span, span = ts[i+1] - ts[i]; s, sigma fixed."""
    dt, dh = np.zeros((2, first + len(ts)))
    span = ts[i + 1] - ts[i]
    s, sigma = (step.t - ts[i]) / span, step.h / span
    dt[first + i], dt[first + i + 1] = 1 - s, s
    dh[first + i], dh[first + i + 1] = -sigma, sigma
    return dt, dh


def step_sensitivity(step, S, jacobians, dt, dh):
    """dz_next from dz = S: the step's own formulas, differentiated, with the Jacobians of its stages.

    dZ_i = S + sum_j A_ij (h dk_j + k_j dh),   dk_i = df/dz dZ_i + df/dtheta + df/dt (dt + c_i dh)
    """
    scheme, h, n = step.scheme, step.h, len(S)
    A, k = scheme.per_h, step.k.reshape(len(step.k), n)
    hk = np.empty((scheme.m, *S.shape), S.dtype)  # h dk_j + k_j dh
    for i, (df_dz, df_dt, df_dtheta) in enumerate(jacobians):
        dZ = S + np.tensordot(A[i, :i], hk[:i], 1)
        dk = df_dz.dot(dZ) + np.outer(df_dt, dt + scheme.nodes[i] * dh)
        dk[:, n : n + df_dtheta.shape[1]] += df_dtheta
        hk[i] = h * dk + np.outer(k[i], dh)
    return S + np.tensordot(A[-1], hk, 1)


def stage_jacobian(pullback, z, bound, P):
    """df/dz (n, n), df/dt (n,), df/dtheta (n, P): row by row, one pullback for each component of f."""
    n, dtype = z.size, z.dtype
    df_dz, df_dt, df_dtheta = np.empty((n, n), dtype), np.empty(n, dtype), np.zeros((n, P), dtype)
    for row, e in enumerate(np.eye(n, dtype=dtype)):
        a_z, df_dt[row], term = pullback(e.reshape(z.shape))
        df_dz[row] = np.reshape(a_z, n)
        if P:
            df_dtheta[row] = bound.sum_theta([term]).reshape(-1)
    return df_dz, df_dt, df_dtheta
