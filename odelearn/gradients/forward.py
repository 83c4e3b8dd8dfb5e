"""Forward sensitivities: the derivative of the state, carried along with the state."""

from dataclasses import dataclass

import numpy as np

from ..solvers.problem import initial_value_problem
from ..solvers.solver import Log, accepted_steps
from .base import BackwardStats, Gradients, cotangent_of


@dataclass(frozen=True)
class Forward:
    """dS/dt = df/dz S + df/dtheta  for S = dz/d[z0, theta, ts], on the same mesh as z.

    Each step is differentiated as it is taken, so the result is Discrete's, to round-off: to differentiate a
    Runge-Kutta method and to apply it to the differentiated equation is the same thing on a fixed mesh. The price is a
    Jacobian df/dz a stage, one pullback for each component of z; memory does not grow with the number of steps.
    Hairer, Norsett, Wanner, Solving ODEs I, section I.14, eq. (14.14).
    """

    def vjp(self, z0, f, ts, theta, solver):
        """zs (T, *shape), and pullback(a_zs) -> Gradients."""
        z0, f, ts, theta = initial_value_problem(z0, f, ts, theta)
        n, P, T = z0.size, 0 if theta is None else theta.size, len(ts)
        zs = np.empty((T, *z0.shape), z0.dtype)
        Ss = np.zeros((T, n, n + P + T), z0.dtype)
        zs[0], Ss[0] = z0, np.eye(n, n + P + T)
        S, log, stages = Ss[0], Log(), 0
        with np.errstate(all="ignore"):
            for i, step in accepted_steps(f.stage_vjp(z0, theta), z0, ts, solver, log):
                S = step_sensitivity(step, S, *mesh_sensitivity(i, step, ts, n + P), f, n, P)
                stages += step.scheme.m
                if step.t_next == ts[i + 1]:
                    zs[i + 1], Ss[i + 1] = step.z_next, S

        def pullback(a_zs):
            a = np.tensordot(cotangent_of(a_zs, zs).reshape(T, n), Ss, 2)  # (n + P + T,)
            stats = BackwardStats(0, stages * n, zs.nbytes + Ss.nbytes)
            return Gradients(a[:n].reshape(z0.shape), a[n + P :].astype(np.result_type(a, float)), a[n : n + P], stats)

        return zs, pullback


def mesh_sensitivity(i, step, ts, first):
    """dt and dh, rows (first + T,): t = ts[i] + s span, h = sigma span, span = ts[i+1] - ts[i]; s, sigma fixed."""
    dt, dh = np.zeros((2, first + len(ts)))
    span = ts[i + 1] - ts[i]
    s, sigma = (step.t - ts[i]) / span, step.h / span
    dt[first + i], dt[first + i + 1] = 1 - s, s
    dh[first + i], dh[first + i + 1] = -sigma, sigma
    return dt, dh


def step_sensitivity(step, S, dt, dh, f, n, P):
    """dz_next from dz = S: the step's own formulas, differentiated.

    dZ_i = S + sum_j A_ij (h dk_j + k_j dh),   dk_i = df/dz dZ_i + df/dtheta + df/dt (dt + c_i dh)
    """
    scheme, h = step.scheme, step.h
    A, k = scheme.per_h, step.k.reshape(len(step.k), n)
    hk = np.empty((scheme.m, *S.shape), S.dtype)  # h dk_j + k_j dh
    for i in range(scheme.m + 1):
        dZ = S + np.tensordot(A[i, :i], hk[:i], 1)
        if i == scheme.m:
            return dZ
        df_dz, df_dt, df_dtheta = stage_jacobian(step.kept[i], f, step.z.shape, S.dtype, n, P)
        dk = df_dz.dot(dZ) + np.outer(df_dt, dt + scheme.nodes[i] * dh)
        dk[:, n : n + P] += df_dtheta
        hk[i] = h * dk + np.outer(k[i], dh)


def stage_jacobian(pullback, f, shape, dtype, n, P):
    """df/dz (n, n), df/dt (n,), df/dtheta (n, P): row by row, one pullback for each component of f."""
    df_dz, df_dt, df_dtheta = np.empty((n, n), dtype), np.empty(n, dtype), np.zeros((n, P), dtype)
    for row, e in enumerate(np.eye(n, dtype=dtype)):
        a_z, df_dt[row], deferred = pullback(e.reshape(shape))
        df_dz[row] = np.reshape(a_z, n)
        if P:
            df_dtheta[row] = f.collect([deferred])
    return df_dz, df_dt, df_dtheta
