"""Appendix B of Chen et al. (2018), line by line: the adjoint of an ODE.

One function for each displayed equation, in the paper's order and letters; the number at a line's end is the paper's
(arXiv 1806.07366). Vectors are rows, as in Appendix B: a df/dz is the cotangent a pulled back through f, so each
`a df/d.` below is one call of a pullback. notebooks/paper_map.md lists equation, function and test.
"""

import numpy as np

from ..dynamics import as_dynamics
from ..solvers.odesolve import odesolve
from ..solvers.solver import dopri5, steps
from .backsolve import augmented
from .discrete import Discrete

ACCURATE = dopri5(rtol=1e-12, atol=1e-14)  # "the exact flow", wherever the proof speaks of it

# B.1, the proof of (35): what a layer does to dL/dh, in the limit of a layer that lasts no time


def adjoint(dL_dzN, f, z, t, tN, theta):
    """a(t) = dL/dz(t), for a loss that looks at z(t_N): the chain rule through the exact flow from t to t_N."""
    _, pullback = Discrete().vjp(z, f, (t, tN), theta, ACCURATE)
    return pullback(np.stack([np.zeros_like(dL_dzN), dL_dzN])).z0  # (34)


def through_layer(dL_dh_next, layer, h):
    """dL/dh_t = dL/dh_{t+1} dh_{t+1}/dh_t: layer(h) -> (h_next, pullback)."""
    _, pullback = layer(h)
    return pullback(dL_dh_next)  # (36)


def T(eps, f, z, t, theta):
    """T_eps(z(t), t) = z(t) + int_t^{t+eps} f(z, t, theta) dt = z(t + eps): the flow as a layer that lasts eps."""
    return odesolve(z, f, (t, t + eps), theta, ACCURATE).zs[-1]  # (37)


def a_before(a_after, eps, f, z, t, theta):
    """a(t) = a(t + eps) dT_eps(z(t), t)/dz(t), with a_after = a(t + eps): the chain rule (36) for the layer T_eps."""
    return adjoint(a_after, f, z, t, t + eps, theta)  # (38)


def quotient(a_after, a_now, eps):
    """(a(t + eps) - a(t)) / eps, whose limit as eps -> 0+ is da/dt."""
    return (a_after - a_now) / eps  # (39)


def quotient_through_layer(a_after, eps, f, z, t, theta):
    """(a(t + eps) - a(t + eps) dT_eps/dz) / eps: (39) with (38) put in."""
    return quotient(a_after, a_before(a_after, eps, f, z, t, theta), eps)  # (40)


def T_taylor(eps, f, z, t, theta):
    """z + eps f(z, t, theta), which is T_eps(z, t) up to O(eps^2)."""
    return z + eps * f(z, t, theta)  # (41)


def a_before_taylor(a_after, eps, f, z, t, theta):
    """a(t + eps) (I + eps df/dz), which is a(t + eps) dT_eps/dz up to O(eps^2)."""
    return a_after + eps * pull_back(a_after, f, z, t, theta)  # (42)


def quotient_taylor(a_after, eps, f, z, t, theta):
    """(a(t + eps) - a(t + eps)(I + eps df/dz)) / eps, which is (40) up to O(eps)."""
    return quotient(a_after, a_before_taylor(a_after, eps, f, z, t, theta), eps)  # (43)


def quotient_reduced(a_after, f, z, t, theta):
    """-a(t + eps) df/dz: what is left of (43) when I cancels and eps divides out."""
    return -pull_back(a_after, f, z, t, theta)  # (44)


def da_dt(a, f, z, t, theta):
    """da/dt = -a(t) df(z(t), t, theta)/dz(t): the limit eps -> 0 of (44)."""
    return -pull_back(a, f, z, t, theta)  # (35), (45)


def pull_back(a, f, z, t, theta):
    """a df/dz: one vector-Jacobian product."""
    _, pullback = as_dynamics(f).vjp(z, t, theta)
    return pullback(a)[0]


def a_at_start(a_N, z_N, f, ts, theta, solver=ACCURATE):
    """a(t_0) = a(t_N) - int_{t_N}^{t_0} a df/dz dt, along z(t) rebuilt from z(t_N), for ts = (t_0, t_N)."""
    s, (t0, tN) = np.stack([z_N, a_N]), ts
    stepper = solver.stepper(augmented(as_dynamics(f).bind(theta, z_N)), s, (tN, t0))
    for step in steps(stepper, s, tN, t0):
        s = step.z_next
    return s[1]  # (46)


# B.2: the same for theta and t, by making them states


def f_aug(z, theta, t, f):
    """d/dt [z, theta, t] = [f(z, t, theta), 0, 1]: parameters do not move, and time runs at speed 1."""
    return f(z, t, theta), np.zeros_like(theta), 1.0  # (47), (48)


def df_aug(z, theta, t, f):
    """df_aug/d[z, theta, t] = [[df/dz, df/dtheta, df/dt], [0, 0, 0], [0, 0, 0]], one row (D + P + 1) a component."""
    _, pullback = as_dynamics(f).vjp(z, t, theta)
    rows = []
    for e_i in np.eye(z.size):
        df_dz, df_dt, df_dtheta = pullback(e_i.reshape(z.shape))
        rows.append(np.concatenate([np.ravel(df_dz), df_dtheta, [df_dt]]))
    return np.vstack([rows, np.zeros((theta.size + 1, z.size + theta.size + 1))])  # (49)


def da_aug_dt(a, z, theta, t, f):
    """d/dt [a, a_theta, a_t] = -[a, a_theta, a_t] df_aug = -[a df/dz, a df/dtheta, a df/dt]; a_theta, a_t meet 0."""
    _, pullback = as_dynamics(f).vjp(z, t, theta)
    a_df_dz, a_df_dt, a_df_dtheta = pullback(a)
    return -a_df_dz, -a_df_dtheta, -a_df_dt  # (50)
