"""Flows whose paths are short and straight, and so are solved in fewer steps: the penalties of Finlay et al. 2020."""

import numpy as np

from ..dynamics import Dynamics
from ..gradients.discrete import Discrete
from ..neural_ode import odeint
from ..solvers.solver import dopri5
from .flow import log_standard_normal


def with_penalties(f):
    """The field of Theorem 1 with two more states, the kinetic energy and the Frobenius norm of the Jacobian:

        dz/dt = f,   d log p/dt = -tr(df/dz),   dK/dt = |f|^2,   dJ/dt = sum_ij (df_i/dz_j)^2

    A flow that minimises K goes in straight lines at constant speed; J keeps neighbours from going apart. Both are
    computed from the whole Jacobian; Finlay et al. estimate J by one random direction, as Hutchinson does.

    f  a field with jacobian_vjp, such as MLP or PlanarField

    Returns a Dynamics on states [z, log p, K, J] (N, D + 3) with the theta of f. Raises TypeError for another f.
    Source: Finlay, Jacobsen, Nurbekyan and Oberman 2020, "How to train your Neural ODE" (arXiv 2002.02798), (8).
    """
    return WithPenalties(f)


class WithPenalties(Dynamics):
    """What with_penalties returns."""

    def __init__(self, f):
        if not hasattr(f, "jacobian_vjp"):
            raise TypeError(f"f must have jacobian_vjp, as MLP and PlanarField have it, got {f!r}")
        self.f, self.size = f, f.size

    def __call__(self, s, t, theta):
        return self.vjp(s, t, theta)[0]

    def vjp(self, s, t, theta):
        dz, J, jacobian_pullback = self.f.jacobian_vjp(s[:, :-3], t, theta)
        rates = [-np.einsum("nii->n", J), np.sum(dz * dz, axis=1), np.sum(J * J, axis=(1, 2))]

        def pullback(a):
            a_log_p, a_K, a_J = (a[:, i, np.newaxis] for i in (-3, -2, -1))
            I = np.eye(dz.shape[1], dtype=dz.dtype)
            a_dz, a_jacobian = a[:, :-3] + 2 * a_K * dz, 2 * a_J[:, :, np.newaxis] * J - a_log_p[:, :, np.newaxis] * I
            a_z, a_t, a_theta = jacobian_pullback(a_dz, a_jacobian)
            return np.concatenate([a_z, np.zeros_like(a[:, -3:])], axis=1), a_t, a_theta

        return np.concatenate([dz, np.stack(rates, axis=1)], axis=1), pullback


def penalised_log_density(x, f, theta, ts=(0.0, 1.0), solver=dopri5(1e-6, 1e-6), method=Discrete()):  # noqa: B008
    """log p(x), K and J (N,) each: log_density of f = with_penalties(...), and both integrals along the paths, >= 0.

    The arguments are those of flow.log_density; x and theta may be traced. A loss to train with is
    mean(-log_p + lambda_K K + lambda_J J).
    """
    s = np.concatenate([x, np.zeros((x.shape[0], 3), x.dtype)], axis=1)
    s = odeint(s, f, ts[::-1], theta, solver, method)[-1]
    return log_standard_normal(s[:, :-3]) - s[:, -3], -s[:, -2], -s[:, -1]  # solved backwards: the signs turn
