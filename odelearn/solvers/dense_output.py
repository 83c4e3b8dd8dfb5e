"""Observations inside steps: read from the interpolant of a step, and the pullback of that.

With dense=True a solver steps from ts[0] to ts[-1] as if nobody looked, and the states at the times between are

    zs_i = z + h sum_j b_j(x_i) k_j          x_i = (ts_i - t) / h          for ts_i in the step from t to t + h

This is linear in z and in the slopes, so the chain rule goes through it as through the step itself.
"""

from bisect import bisect_right
from dataclasses import replace

import numpy as np

from .errors import MethodError
from .step_size import FixedSteps


def mesh_times(solver, ts):
    """The times at which a step has to end: all of ts, or the two ends of it for dense=True."""
    return ts[[0, -1]] if is_dense(solver) and len(ts) > 1 else ts


def is_dense(solver):
    return getattr(solver, "dense", False)


def observations_of(solver, ts):
    """The Observations of a solve, or None where every time ends a step."""
    return Observations(ts) if is_dense(solver) and len(ts) > 2 else None


def solver_between(solver, ts):
    """The same solver for a solve that must stop at every one of ts: an adjoint, which jumps there.

    FixedSteps(n), which are n steps in all for dense=True, become steps no longer than those.
    """
    if not is_dense(solver):
        return solver
    control = solver.control
    if isinstance(control, FixedSteps) and control.n is not None and len(ts) > 1:
        control = FixedSteps(h=float(abs(ts[-1] - ts[0])) / control.n)
    return replace(solver, control=control, dense=False)


def refuse_dense(solver, method):
    """Raises MethodError for a gradient method that reads no interpolant."""
    if is_dense(solver):
        raise MethodError(
            f"{method} does not read observations from inside steps; take the solver without dense=True, or "
            "Discrete(), Checkpointed(), Backsolve() or Interpolating()"
        )


class Observations:
    """The times ts[1] ... ts[N-1] of a solve from ts[0] to ts[N], which are read from inside its steps."""

    def __init__(self, ts):
        self.ts, self.direction = ts, 1.0 if ts[-1] >= ts[0] else -1.0
        self.ahead = (self.direction * ts[1:-1]).tolist()  # in the order in which they come

    def inside(self, step):
        """The slice of those i whose ts[i] lies in the step, its end included and its start not."""
        before, until = (bisect_right(self.ahead, self.direction * t) for t in (step.t, step.t_next))
        return slice(1 + before, 1 + until)

    def read(self, step, zs):
        """Write the states inside the step into zs. A member of an ensemble that the step has dropped is nan."""
        seen = self.inside(step)
        if seen.start < seen.stop:
            zs[seen] = np.where(np.isnan(step.z_next), np.nan, step(self.ts[seen]))

    def pullback(self, step, a_zs):
        """seen, a_ts, a_k_read, (a_z, a_t, a_h, terms) from a_zs, for a step that was read; None for any other.

            a_ts_i = a_zs_i . sum_j b_j'(x_i) k_j                  the slope of the interpolant
            a_k_j  = h sum_i b_j(x_i) a_zs_i
            a_z    = sum_i a_zs_i
            a_t    = - sum_i a_ts_i                                x_i = (ts_i - t) / h  moves with t and h
            a_h    = - sum_i x_i a_ts_i

        then back through the stages that z_next does not need, the last one first, as in rk_step_pullback. That takes
        a_k_read (m, z.size), the a_k of all others, and what it returns is to be added to (a_z, a_t, a_h, terms).
        """
        seen = self.inside(step)
        if seen.start == seen.stop:
            return None
        scheme, h, z = step.scheme, step.h, step.z
        dense, (k, kept), m = scheme.tableau.dense, step.dense_stages(), scheme.m
        k_rows, a, x = k.reshape(len(k), -1), a_zs[seen].reshape(-1, z.size), (self.ts[seen] - step.t) / h
        a_ts = np.add.reduce(a * dense.slope_weights(x).astype(scheme.real).dot(k_rows), axis=1)
        a_k = (h * dense.weights(x)).astype(scheme.real).T.dot(a)
        a_z, a_t, a_h, terms = np.add.reduce(a), -a_ts.sum(), -x.dot(a_ts), []
        for i, A_i, c_i in reversed(stages_after(scheme.tableau, m)):
            a_Z, a_tau, term = kept[i](a_k[i].reshape(z.shape))
            a_Z = np.reshape(a_Z, -1)
            a_k[:i] += np.outer((h * A_i[:i]).astype(scheme.real), a_Z)
            a_z, a_t, a_h = a_z + a_Z, a_t + a_tau, a_h + c_i * a_tau + a_k[i].dot(k_rows[i]) / h
            terms.append(term)
        return seen, a_ts, a_k[:m], (a_z.reshape(z.shape), a_t, a_h, terms)


def stages_after(tableau, m):
    """[(i, A_i, c_i), ...] of the stages from number m on, which the interpolant weighs and z_next does not need."""
    A = [*tableau.A[m:], *tableau.dense.A]
    c = [*tableau.c[m:].tolist(), *tableau.dense.c.tolist()]
    return list(zip(range(m, m + len(c)), A, c, strict=True))
