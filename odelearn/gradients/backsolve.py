"""Algorithm 2 of Chen et al. (2018), Appendix C: the adjoint method. appendix_b.py proves it, equation by equation."""

from collections import namedtuple
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from ..solvers.dense_output import observations_of, solver_between
from ..solvers.errors import SolverError
from ..solvers.members import members_of
from ..solvers.problem import initial_value_problem
from ..solvers.solver import Solver, solve, states_like, steps
from .base import BackwardStats, Gradients, ThetaSum, cotangent_of
from .drift import Drift


@dataclass(frozen=True)
class Backsolve:
    """The paper's adjoint, Algorithm 2: solve z, a, a_theta, a_t back from t_N to t_0, one interval after the other.

        dz/dt = f,    da/dt = -a df/dz,    da_theta/dt = -a df/dtheta,    da_t/dt = -a df/dt        (35), (50)

    Nothing is kept from the forward solve but zs. The result is the gradient of the exact flow, to the accuracy of the
    solver. It needs a z that can be rebuilt backwards: a field that contracts forwards amplifies errors backwards. How
    far the rebuilt z is from zs is the drift; a DriftWarning says when it is more than the tolerance explains.

    With dense=True the forward solve reads zs from inside its steps. The backward solve cannot: a jumps at every ts[i],
    so a step ends there, and evaluations grow with the number of observations; Discrete's do not.

    solver  for the backward solve; None: the forward solver, of which n steps in all become steps no longer than those
    reset   start each interval from the stored zs[i] instead of the rebuilt z(t_i)
    ledger  keep the ledger of the backward solve, as gradients.stats.ledger; it grows with the number of steps

    Source: Chen et al. 2018, Appendix B and Algorithm 2.
    """

    solver: Solver | None = None
    reset: bool = True
    ledger: bool = False

    def vjp(self, z0, f, ts, theta, solver):
        """zs (T, *z0.shape), and pullback(a_zs) -> Gradients. Arguments and errors are those of odesolve_vjp."""
        z0, f, ts, theta = initial_value_problem(z0, f, ts, theta)
        times, N, back = ts.tolist(), len(ts) - 1, solver_between(self.solver or solver, ts)
        zs, drift = states_like(z0, ts), Drift(z0, N, (solver, back), self.reset, observations_of(solver, ts))
        stepper = solver.stepper(f.bind(theta, z0).value, z0, ts, None, members_of(theta, z0), lend=True)
        with np.errstate(all="ignore"):
            for i, step in solve(stepper, z0, zs, ts):
                drift.note(i, step)

        def pullback(a_zs):
            a_zs, gaps = cotangent_of(a_zs, zs), np.zeros(N)
            bound, s = f.bind(theta, zs[0]), np.stack([zs[N], a_zs[N]])  # (34) at t_N
            integrals = integrals_for(back, a_zs, theta, bound.sum_theta)
            ledger, members = [] if self.ledger else None, members_of(theta, s, axis=1)
            stepper = integrals.stepper(back, augmented(bound), s, ts[::-1], ledger, members)
            with solving_back():
                for i in range(N, 0, -1):
                    _, (f_i, _, _) = stepper.slope(s, times[i])
                    if i < N and not self.reset:  # s has the rebuilt z; Algorithm 2 has f at z(t_i) itself
                        f_i = integrals.value(bound, zs[i], times[i])
                    integrals.observe(i, f_i)  # (52) at t_i
                    for step in steps(stepper, s, times[i], times[i - 1]):
                        integrals.add(step)  # (51), (52)
                    z, a = step.z_next
                    gaps[i - 1] = np.fmax.reduce(np.abs(z - zs[i - 1]), axis=None)  # nan: a member that diverged
                    s = np.stack([zs[i - 1] if self.reset else z, a + a_zs[i - 1]])  # the loss sees z(t_i): a jumps
            drift.warn(gaps, ts)
            return integrals.gradients(s[1], stepper, 2 * zs.nbytes, drift=float(gaps.max(initial=0.0)))

        return zs.copy(), pullback  # a copy, which may be written to: the pullback needs its own


def augmented(bound):
    """The right-hand side of Algorithm 2 on s = [z, a], shape (2, *z0.shape): ds/dt = [f, -a df/dz].

    Each stage keeps f, and a df/dt and the term of a df/dtheta, the integrands of (52) and (51). Nothing depends on
    a_theta and a_t, so they need not be states. Their sums have the weights h b_i that a step would give them as
    states.
    """

    def field(s, t, k):
        z, a, dz = s[0], s[1].copy(), k[0, ...]  # s is lent, and a term may keep a
        pullback = bound.vjp(z, t, dz)
        a_df_dz, a_df_dt, term = pullback(a)
        np.negative(a_df_dz, k[1, ...])  # (35)
        return dz, a_df_dt, term

    return field


@contextmanager
def solving_back():
    """Around a backward solve: an error of it says that it is one."""
    try:
        with np.errstate(all="ignore"):
            yield
    except SolverError as error:
        error.add_note(
            "This was the backward solve of an adjoint method. If the forward solve went well, z may not be rebuilt "
            "backwards where f contracts forwards; Discrete() and Checkpointed() need no backward solve"
        )
        raise


# ---- the integrals (51) and (52)


def integrals_for(solver, a_zs, theta, sum_theta):
    """Sums over the stages of a Solver; states, if the solver is a black box."""
    kind = Integrals if isinstance(solver, Solver) else IntegralsAsStates
    return kind(a_zs, ThetaSum(sum_theta, theta, a_zs.dtype))


class Integrals:
    """dL/dts and dL/dtheta by (52) and (51), summed over the stages of all steps with the weights b of the tableau.

    With H = a.f,  dH/dt = a df/dt  along the solution, so a_t = -H throughout: from -dL/dt_N it comes to dL/dt_0.
    """

    def __init__(self, a_zs, a_theta):
        self.a_zs, self.a_theta = a_zs, a_theta
        self.a_ts, self.a_t = np.zeros(len(a_zs), np.result_type(a_zs, float)), 0.0
        self.values = 0  # evaluations of f beside those of the steps

    def stepper(self, solver, field, s, ts, ledger, members):
        self.b = solver.tableau.b.tolist()
        return solver.stepper(field, s, ts, ledger, members, lend=True)

    def value(self, bound, z, t):
        """f at (z, t)."""
        self.values += 1
        f_i = np.empty_like(z)
        bound.value(z, t, f_i)
        return f_i

    def observe(self, i, f_i):
        """At t_i the loss sees z, which moves with velocity f."""
        dL_dti = np.sum(self.a_zs[i] * f_i)  # (52): a f at t_i
        self.a_ts[i] += dL_dti
        self.a_t -= dL_dti  # s0 of Algorithm 2: a_t starts at -dL/dt_N

    def add(self, step):
        _, a_df_dt, terms = zip(*step.kept, strict=True)
        weights = [-step.h * b_i for b_i in self.b]
        for weight, a_df_dt_i in zip(weights, a_df_dt, strict=True):
            self.a_t += weight * a_df_dt_i  # (52): int a df/dt dt
        self.a_theta.add(terms, weights)  # (51)

    def gradients(self, a_z0, stepper, held, drift=None):
        self.a_ts[0] += self.a_t
        stats = BackwardStats(stepper.evals + self.values, stepper.evals, held, stepper.ledger)
        return Gradients(a_z0, self.a_ts, self.a_theta.total, stats, drift)


class IntegralsAsStates(Integrals):
    """The same by Algorithm 2 to the letter, for a solver that is a black box: the state is S = [s, a_theta, a_t].

    It is the stepper of s as well: it packs s and the integrals, has S stepped by the black box, and unpacks.
    """

    def stepper(self, solver, field, s, ts, ledger, members):
        self.field, self.like, self.s, self.observed = field, s, None, 0
        self.inner = solver.stepper(self.packed_field, self.pack(s), ts, ledger)
        return self

    def pack(self, s):
        return np.concatenate([s.reshape(-1), self.a_theta.total.reshape(-1), np.array([self.a_t], s.dtype)])

    def packed_field(self, S, t, k):
        n, ds = self.like.size, np.empty_like(self.like)
        _, a_df_dt, term = self.field(S[:n].reshape(ds.shape), t, ds)
        k[:n] = ds.reshape(-1)
        k[n:-1] = -self.a_theta.sum_theta([term]).reshape(-1) if len(S) > n + 1 else 0  # (51)
        k[-1] = -a_df_dt  # (52)

    def slope(self, s, t):
        self.observed += 1
        ds = np.empty_like(s)
        return ds, self.field(s, t, ds)

    def step(self, s, t, t_end):
        n = self.like.size
        step = self.inner.step(self.S if s is self.s else self.pack(s), t, t_end)
        self.S, self.s = step.z_next, step.z_next[:n].reshape(self.like.shape)
        self.a_theta.summed, self.a_t = self.S[n:-1].reshape(self.a_theta.summed.shape), self.S[-1]
        return PartOfStep(step.t_next, self.s)

    def add(self, step):
        """Nothing is left to add: the step of S has moved a_theta and a_t."""

    @property
    def evals(self):
        return self.inner.evals + self.observed

    @property
    def ledger(self):
        return self.inner.ledger


PartOfStep = namedtuple("PartOfStep", "t_next z_next")  # of a step of S, what concerns s
