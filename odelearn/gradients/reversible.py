"""An algebraically reversible solver: the exact gradient of a discretisation in constant memory.

McCallum and Foster 2024, "Efficient, accurate and stable gradients for neural ODEs" (arXiv 2410.11648). With
Psi_h(t, z) = h sum_i b_i k_i, the increment of any Runge-Kutta step, two copies y and v of the state advance by

    y' = lambda y + (1 - lambda) v + Psi_h(t, v)                  v' = v - Psi_{-h}(t + h, y')

and go back in closed form, with the same two increments:

    v = v' + Psi_{-h}(t + h, y')                                  y = (y' - (1 - lambda) v - Psi_h(t, v)) / lambda
"""

import warnings
from dataclasses import dataclass

import numpy as np

from ..solvers.problem import initial_value_problem
from ..solvers.runge_kutta import Scheme, rk_step, rk_step_pullback
from ..solvers.solver import Log, accepted_steps
from .base import cotangent_of
from .discrete import Sweep
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
        if not 0 < self.coupling <= 1:
            raise ValueError(f"coupling must lie in (0, 1], got {self.coupling}")

    def vjp(self, z0, f, ts, theta, solver):
        """zs (T, *shape), and pullback(a_zs) -> Gradients."""
        z0, f, ts, theta = initial_value_problem(z0, f, ts, theta)
        mesh = mesh_of(solver.control, ts)
        zs, y_N, v_N = self.forwards(z0, f, ts, theta, solver, mesh)
        held = zs.nbytes + mesh.nbytes + y_N.nbytes + v_N.nbytes

        def pullback(a_zs):
            sweep, drift = Sweep(f, ts, theta, cotangent_of(a_zs, zs)), 0.0
            scheme, measure = Scheme(solver.tableau, zs.dtype, estimate=False), f.stage_vjp(zs[0], theta)
            y, v, a_v = y_N, v_N, np.zeros_like(v_N)
            with np.errstate(all="ignore"):
                for n in reversed(range(len(mesh))):
                    i, t, h, t_next = mesh[n]
                    sweep.arrive(i + 1)
                    back = rk_step(measure, y, t_next, -h, t, scheme)
                    v = v + increment(back)
                    there = rk_step(measure, v, t, h, t_next, scheme)
                    y = (y - (1 - self.coupling) * v - increment(there)) / self.coupling
                    a_v = self.step_pullback(sweep, a_v, i, there, back)
                    if t == ts[i]:
                        drift = max(drift, float(np.abs(y - zs[i]).max()))
            g = sweep.gradients(evals=2 * scheme.m * len(mesh), held=held)
            g.z0, g.drift = g.z0 + a_v, drift  # y and v both began at z0
            self.warn(drift, zs, len(mesh))
            return g

        return zs, pullback

    def forwards(self, z0, f, ts, theta, solver, mesh):
        """zs, and the last y and v. The step from v, there, also brings the error estimate for an adaptive mesh."""
        measure, log = f.stage(z0, theta), Log()
        scheme = Scheme(solver.tableau, z0.dtype, estimate=False)
        y, v = z0, z0
        zs = np.empty((len(ts), *z0.shape), z0.dtype)
        zs[0] = z0

        def land(i, there):
            nonlocal y, v
            mesh.append(i, there)
            y = self.coupling * y + (1 - self.coupling) * v + increment(there)
            v = v - increment(rk_step(measure, y, there.t_next, -there.h, there.t, scheme))
            return v

        with np.errstate(all="ignore"):
            for i, there in accepted_steps(measure, z0, ts, solver, log, land):
                if there.t_next == ts[i + 1]:
                    zs[i + 1] = y
        return zs, y, v

    def step_pullback(self, sweep, a_v, i, there, back):
        """Cotangents (a_y', a_v') of a step become (a_y, a_v), the last formula first. sweep.a is a_y."""
        a_back, b_t, b_h, back_deferred = rk_step_pullback(back, -a_v)  # v' = v - Psi_{-h}(t + h, y')
        a_y = sweep.a + (a_back + a_v)  # Psi is the step less the identity
        a_there, c_t, c_h, there_deferred = rk_step_pullback(there, a_y)  # y' = lambda y + (1 - lambda) v + Psi_h(t, v)
        sweep.a = self.coupling * a_y
        a_t, a_h = c_t + b_t, c_h + b_t - b_h  # back began at t + h, with -h
        sweep.add(i, there.t, there.h, a_t, a_h, there_deferred + back_deferred)
        return a_v + (1 - self.coupling) * a_y + (a_there - a_y)

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
