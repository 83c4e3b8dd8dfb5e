"""The adjoint runs back: Figure 2 of the paper in motion."""

import numpy as np

from ..dynamics import as_dynamics
from ..fitting.store import atomic_write, writable_directory
from ..gradients.backsolve import augmented
from ..solvers.odesolve import odesolve
from ..solvers.solver import rk4, steps

THETA = np.array([1.1, 0.9, 1.2, 0.8])
TS = np.linspace(0, 8, 6)
SOLVER = rk4(n=60)


def field(z, t, theta):
    """Lotka and Volterra's prey and predators."""
    prey, predators = z
    alpha, beta, gamma, delta = theta
    return np.stack([prey * (alpha - beta * predators), predators * (delta * prey - gamma)])


def film(out="figures", frames=60):
    """Write adjoint.gif into the directory `out`: z(t) and what was observed, then a(t) on its way back, in `frames`
    frames. Returns the exit status 0. Raises UsageError where `out` cannot be written to."""
    from ..plotting import gradients  # here, because matplotlib takes its time

    out = writable_directory(out, "adjoint.gif")
    z = odesolve([1.2, 0.6], field, TS, THETA, SOLVER)
    observed = z.zs + np.random.default_rng(4).normal(0, 0.15, z.zs.shape)
    path = backward_path(z.zs, 2 * (z.zs - observed))  # of L = sum |z(t_i) - observed_i|^2
    with atomic_write(out / "adjoint.gif") as draft:
        gradients.adjoint_film(z, observed, path, frames, draft)
    print(f"Filmed in {out / 'adjoint.gif'}")
    return 0


def backward_path(zs, a_zs):
    """[(t, a), ...] from t_N to t_0 along Algorithm 2; two entries with one t are a jump."""
    N, times = len(TS) - 1, TS.tolist()
    s = np.stack([zs[N], a_zs[N]])
    path = [(times[N], 0 * a_zs[N]), (times[N], a_zs[N])]
    stepper = SOLVER.stepper(augmented(as_dynamics(field).bind(THETA, zs[0])), s, TS[::-1])
    for i in range(N, 0, -1):
        for step in steps(stepper, s, times[i], times[i - 1]):
            path.append((step.t_next, step.z_next[1]))
        a = step.z_next[1] + a_zs[i - 1]
        path.append((times[i - 1], a))
        s = np.stack([zs[i - 1], a])
    return path
