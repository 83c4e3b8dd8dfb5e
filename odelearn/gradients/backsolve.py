"""Algorithm 2 of Chen et al. (2018), Appendix C: the adjoint method. appendix_b.py has the proof."""

from dataclasses import dataclass

import numpy as np

from ..solvers.errors import SolverError
from ..solvers.problem import initial_value_problem
from ..solvers.solver import Log, Solver, accepted_steps, solution
from .base import BackwardStats, Gradients, ThetaSum, cotangent_of
from .drift import Drift


def augmented(f, z0, theta):
    """The right-hand side of Algorithm 2 on s = [z, a], shape (2, *z0.shape): ds/dt = [f, -a df/dz].

    Each measurement keeps f, a df/dt and a df/dtheta, the integrands of (51) and (52). Nothing depends on a_theta and
    a_t, so they need not be states: the step sums them with the same weights h b_i that it would give them as states.
    """
    linearise = f.stage_vjp(z0, theta)

    def measure(s, t, k):
        (z, a), dz = s, k[0, ...]
        pullback = linearise(z, t, dz)
        a_df_dz, a_df_dt, a_df_dtheta = pullback(a)
        np.negative(a_df_dz, k[1, ...])  # (35)
        return dz, a_df_dt, a_df_dtheta

    return measure


@dataclass(frozen=True)
class Backsolve:
    """The paper's adjoint, Algorithm 2: solve z, a, a_theta, a_t back from t_N to t_0, one interval after the other.

    Nothing is kept from the forward solve but zs. The result is the gradient of the exact flow, to the accuracy of the
    solver, and only if z can be rebuilt backwards: a field that contracts forwards amplifies errors backwards. How far
    z is from zs when it arrives is the drift; a DriftWarning says when it is more than the tolerance explains.

    solver  for the backward solve; None: the forward solver
    reset   start each interval from the stored zs[i] instead of the rebuilt z(t_i)
    """

    solver: Solver | None = None
    reset: bool = True

    def vjp(self, z0, f, ts, theta, solver):
        """zs (T, *shape), and pullback(a_zs) -> Gradients."""
        z0, f, ts, theta = initial_value_problem(z0, f, ts, theta)
        back = self.solver or solver
        drift = Drift(z0, len(ts) - 1, (solver, back), self.reset)
        zs = solution(f.stage(z0, theta), z0, ts, solver, Log(), drift)

        def pullback(a_zs):
            a_zs, gaps = cotangent_of(a_zs, zs), np.zeros(len(ts) - 1)

            def arrive(i, s):
                z, a = s
                gaps[i] = np.abs(z - zs[i]).max()
                return np.array([zs[i] if self.reset else z, a + a_zs[i]])  # the loss sees z(t_i) directly: a jumps

            s = np.stack([zs[-1], a_zs[-1]])  # (34) at t_N
            s, g = run_back(augmented(f, zs[0], theta), s, arrive, f, ts, theta, a_zs, back, zs.nbytes)
            g.z0, g.drift = s[1], float(gaps.max(initial=0.0))
            drift.warn(gaps, ts)
            return g

        return zs, pullback


def run_back(measure, s, arrive, f, ts, theta, a_zs, solver, held):
    """Solve s back from t_N to t_0, and with it (51) and (52): the s that arrives, and Gradients but for z0.

    measure keeps (f, a df/dt, a df/dtheta); arrive(i, s) is the state to go on with from t_i: s with a's jump.
    With H = a.f,  dH/dt = a df/dt  along the solution, so a_t = -H throughout: from -dL/dt_N it comes to dL/dt_0.
    """
    log = Log(ledger=[])
    integrals = summed if isinstance(solver, Solver) else packed
    try:
        with np.errstate(all="ignore"):
            s, a_ts, a_theta = integrals(measure, s, arrive, f, ts, theta, a_zs, solver, log)
    except SolverError as error:
        error.add_note(
            "This was the backward solve of an adjoint method. If the forward solve went well, z may not be rebuilt "
            "backwards where f contracts forwards; Discrete() and Checkpointed() need no backward solve"
        )
        raise
    return s, Gradients(None, a_ts, a_theta, BackwardStats(log.evals, log.evals, held, log.ledger))


def summed(measure, s, arrive, f, ts, theta, a_zs, solver, log):
    """s at t_0, a_ts, a_theta: the integrals (51), (52) summed over the steps of s, by the weights b of the tableau."""
    N, times, b = len(ts) - 1, ts.tolist(), solver.tableau.b.tolist()
    a_ts, a_t, a_theta = np.zeros(N + 1, np.result_type(a_zs, float)), 0.0, ThetaSum(f, theta, a_zs.dtype)

    def land(j, step):  # the engine counts intervals from the end: its ts[j] is t_{N-j}
        nonlocal s
        if step.t_next == times[N - j - 1]:
            s = arrive(N - j - 1, step.z_next)
            return s
        return step.z_next

    for j, step in accepted_steps(measure, s, ts[::-1], solver, log, land):
        i = N - j
        if step.t == times[i]:
            dL_dti = np.sum(a_zs[i] * step.kept[0][0])  # (52): a f at t_i
            a_ts[i] += dL_dti
            a_t -= dL_dti  # s0 of Algorithm 2: a_t starts at -dL/dt_N
        _, a_df_dt, a_df_dtheta = zip(*step.kept, strict=True)
        weights = [-step.h * b_i for b_i in b]
        for weight, a_df_dt_i in zip(weights, a_df_dt, strict=True):
            a_t += weight * a_df_dt_i  # (52): int a df/dt dt
        a_theta.add(a_df_dtheta, weights)  # (51)
    a_ts[0] += a_t
    return s, a_ts, a_theta.result()


def packed(measure, s, arrive, f, ts, theta, a_zs, solver, log):
    """The same by Algorithm 2 to the letter, for a solver that is a black box: its state is [s, a_theta, a_t]."""
    n, P = s.size, 0 if theta is None else theta.size
    a_ts, a_t, a_theta = np.zeros(len(ts), np.result_type(a_zs, float)), 0.0, np.zeros(P, s.dtype)
    ds = np.empty_like(s)

    def dynamics(S, t, k):
        _, a_df_dt, a_df_dtheta = measure(S[:n].reshape(s.shape), t, ds)
        k[:n] = ds.reshape(-1)
        k[n:-1] = -f.collect([a_df_dtheta]) if P else 0  # (51)
        k[-1] = -a_df_dt  # (52)

    for i in reversed(range(1, len(ts))):
        f_i, _, _ = measure(s, float(ts[i]), ds)
        log.evals += 1
        a_ts[i] = np.sum(a_zs[i] * f_i)  # (52): a f at t_i
        S = np.concatenate([s.reshape(-1), a_theta, np.array([a_t - a_ts[i]], s.dtype)])  # s0 of Algorithm 2
        S = solution(dynamics, S, ts[[i, i - 1]], solver, log)[-1]
        s, a_theta, a_t = arrive(i - 1, S[:n].reshape(s.shape)), S[n:-1], S[-1]
    a_ts[0] += a_t
    return s, a_ts, a_theta
