"""An algebraically reversible solver: the exact gradient of a discretisation in constant memory.

McCallum and Foster 2024, "Efficient, accurate and stable gradients for neural ODEs" (arXiv 2410.11648). With
Psi_h(t, z) = h sum_i b_i k_i, the increment of any Runge-Kutta step, two copies y and v of the state advance by

    y' = lambda y + (1 - lambda) v + Psi_h(t, v)                  v' = v - Psi_{-h}(t + h, y')

and go back in closed form, with the same two increments:

    v = v' + Psi_{-h}(t + h, y')                                  y = (y' - (1 - lambda) v - Psi_h(t, v)) / lambda
"""

import warnings
from dataclasses import dataclass
from itertools import pairwise
from numbers import Real

import numpy as np

from ..solvers.dense_output import refuse_dense
from ..solvers.members import members_of
from ..solvers.problem import initial_value_problem
from ..solvers.runge_kutta import Scheme, rk_step, rk_step_pullback
from ..solvers.solver import states_like
from .base import ThetaSum, cotangent_of
from .discrete import StepSums
from .drift import DriftWarning
from .mesh import mesh_of


@dataclass(frozen=True)
class Reversible:
    """Discrete's gradient, for a solver whose steps can be undone: nothing is kept but the last (y, v) and the mesh.

    zs are the y's: another discretisation than odesolve's, at twice the evaluations. coupling = lambda in (0, 1] pulls
    the two copies together.

    Order: that of the tableau. Measured with coupling 1: EULER 1.0, MIDPOINT and HEUN 2.0, BOSH3 3.0, RK4 4.0,
    DOPRI5 5.0. With 0.99 or 0.9 the even ones stay as they are; the odd ones waver, above and below, until N steps
    make N (1 - coupling) large, and come to rest at 1, 3, 5 with a smaller error.

    Stability: where f contracts at a rate mu, the gap between the copies grows like (lambda e^(mu h))^N. It dies out
    only if mu h < -log lambda, a hundredth at 0.99 and nothing at 1: no solver for stiff problems.

    Round-off: going back divides by lambda, so it grows like lambda^-N, by 4.4 digits every thousand steps at 0.99.
    Measured error of the gradient: 1e-12 for N = 1000, 2e-8 for 2000, 1e-3 for 3000, and nothing is right at 4000. At
    0.999 and 1, 4000 steps lose nothing. drift, how far y is from zs[i] when it is back at ts[i], shows the loss; when
    half the digits are gone a DriftWarning says so.
    """

    coupling: float = 0.99

    def __post_init__(self):
        if not (isinstance(self.coupling, Real) and 0 < self.coupling <= 1):
            raise ValueError(f"coupling must lie in (0, 1], got {self.coupling!r}")

    def vjp(self, z0, f, ts, theta, solver):
        """zs (T, *z0.shape), and pullback(a_zs) -> Gradients. Arguments and errors are those of odesolve_vjp."""
        refuse_dense(solver, "Reversible()")
        z0, f, ts, theta = initial_value_problem(z0, f, ts, theta)
        times, mesh = ts.tolist(), mesh_of(solver.control, ts)
        value = f.bind(theta, z0).value
        scheme = Scheme(solver.tableau, value, z0, estimate=False)
        stepper = solver.stepper(value, z0, ts, None, members_of(theta, z0), lend=True)
        zs, y_N, v_N = self.forwards(stepper, scheme, z0, ts, mesh)
        held = 2 * zs.nbytes + mesh.nbytes + y_N.nbytes + v_N.nbytes

        def pullback(a_zs):
            a_zs, bound = cotangent_of(a_zs, zs), f.bind(theta, zs[0])
            sums, drift = StepSums(ts, ThetaSum(bound.sum_theta, theta, zs.dtype)), 0.0
            scheme = Scheme(solver.tableau, bound.vjp, v_N, estimate=False)
            y, v, a_y, a_v = y_N, v_N, a_zs[-1], np.zeros_like(v_N)  # (34) at t_N
            with np.errstate(all="ignore"):
                for n in reversed(range(len(mesh))):
                    i, t, h, t_next = mesh[n]
                    back = rk_step(scheme, y, t_next, -h, t)
                    v = v + increment(back)
                    there = rk_step(scheme, v, t, h, t_next)
                    y = (y - (1 - self.coupling) * v - increment(there)) / self.coupling
                    a_y, a_v, *to_sum = self.step_pullback(a_y, a_v, there, back)
                    sums.add(i, there, *to_sum)
                    if t == times[i]:
                        drift = max(drift, float(np.abs(y - zs[i]).max()))
                        a_y = a_y + a_zs[i]  # the loss looks at y(t_i) directly, so a_y jumps here
            self.warn(drift, zs, len(mesh))
            return sums.gradients(a_y + a_v, scheme.evals, held, drift)  # y and v both began at z0

        return zs.copy(), pullback  # a copy, which may be written to: the pullback needs its own

    def forwards(self, stepper, scheme, z0, ts, mesh):
        """zs, and the last y and v. The step from v, there, also brings the error estimate for an adaptive mesh."""
        zs, times = states_like(z0, ts), ts.tolist()
        y = v = zs[0] = z0
        with np.errstate(all="ignore"):
            for i, (t, t_end) in enumerate(pairwise(times)):
                while t != t_end:
                    there = stepper.step(v, t, t_end)
                    mesh.append(i, there)
                    y = self.coupling * y + (1 - self.coupling) * v + increment(there)
                    v = v - increment(rk_step(scheme, y, there.t_next, -there.h, t, lend=True))
                    t = there.t_next
                zs[i + 1] = y
        return zs, y, v

    def step_pullback(self, a_y_next, a_v_next, there, back):
        """a_y, a_v, a_t, a_h, terms from the cotangents of y' and v': the last formula of a step first."""
        a_back, b_t, b_h, back_terms = rk_step_pullback(back, -a_v_next)  # v' = v - Psi_{-h}(t + h, y')
        a_y = a_y_next + (a_back + a_v_next)  # Psi is the step less the identity
        a_there, c_t, c_h, there_terms = rk_step_pullback(there, a_y)  # y' = lambda y + (1 - lambda) v + Psi_h(t, v)
        a_v = a_v_next + (1 - self.coupling) * a_y + (a_there - a_y)
        return self.coupling * a_y, a_v, c_t + b_t, c_h + b_t - b_h, there_terms + back_terms  # back: from t + h, by -h

    def warn(self, drift, zs, N):
        eps, size = np.finfo(zs.dtype).eps, np.abs(zs).max()
        if drift > np.sqrt(eps) * size:
            warnings.warn(
                f"y came back {drift / size:.1g} of its size away from the true one: half of its digits are lost, and "
                f"of the gradient's. On the way back round-off grows by coupling^-N = {self.coupling}^-{N} = "
                f"{self.coupling ** -float(N):.1g}, and where f contracts. Take a coupling nearer to 1 (0.999), fewer "
                "steps, or Checkpointed()",
                DriftWarning,
                stacklevel=3,
            )


def increment(step):
    """Psi_h(t, z) = h sum_i b_i k_i = z_next - z."""
    return step.z_next - step.z
