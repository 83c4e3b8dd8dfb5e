"""The figures of notebook 07 Four promises, tested."""

import warnings

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from ...dynamics import Dynamics, counted
from ...gradients.backsolve import Backsolve
from ...gradients.checkpointed import Checkpointed
from ...gradients.discrete import Discrete
from ...gradients.drift import DriftWarning
from ...gradients.forward import Forward
from ...gradients.interpolating import Interpolating
from ...gradients.reversible import Reversible
from ...nn.mlp import MLP
from ...solvers.odesolve import odesolve
from ...solvers.solver import dop853, dopri5, midpoint
from ..gradients import method_line
from ..style import BLUE, GREY, INK, ORANGE, STYLE


def memory(N, held):
    """Bytes held between the two passes over the number of steps N.  held: {name of the method: bytes for each N}."""
    with matplotlib.rc_context(STYLE):
        fig = Figure(figsize=(7, 4))
        ax = fig.subplots()
        for name, points in held.items():
            ax.loglog(N, points, **method_line(name))
            ax.text(N[-1] * 1.2, points[-1], f"{name}, {points[-1]:,} bytes", va="center", fontsize=9)
        ax.set(xlabel="steps $N$", ylabel="bytes held between the passes", xticks=N, xticklabels=N)
        ax.set(xlim=(0.75 * N[0], 40 * N[-1]), ylim=(15, None))
        ax.minorticks_off()
    return fig


def way_back(lam, drift, errors, atol):
    """What becomes of dL/dlambda where the state contracts like e^(lambda t), and the drift of Backsolve.

    errors  {name of the method: relative error for each lam}
    """
    with matplotlib.rc_context(STYLE):
        fig = Figure(figsize=(8, 4))
        ax = fig.subplots()
        ax.semilogy(-lam, drift, color=INK, lw=4, alpha=0.25, label="drift of Backsolve")
        ax.semilogy(-lam, atol * np.exp(-lam), color=GREY, lw=1, ls=":", label=r"atol $e^{|\lambda|}$")
        for name, error in errors.items():
            ax.semilogy(-lam, error, **method_line(name))
        ax.set(xlabel=r"$-\lambda$", ylabel=r"relative error of $dL/d\lambda$", ylim=(1e-10, 1e8))
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


def frozen_mesh(x, solved, replayed, flow):
    """The loss over one entry of A: solved adaptively it jumps; on the mesh of x = 0 it is smooth, as the exact one is.

    flow  at every tenth of x
    """
    with matplotlib.rc_context(STYLE):
        fig = Figure(figsize=(7, 4))
        ax = fig.subplots()
        ax.plot(x, solved, ".", ms=3, color=ORANGE, label="adaptive solve")
        ax.plot(x, replayed, color=BLUE, lw=1.4, label="the mesh of $A_{12} = 2$, replayed")
        ax.plot(x[::10], flow, color=INK, lw=1, ls="--", label="exact flow")
        ax.plot(0, np.interp(0, x, replayed), "o", color=BLUE, ms=6)
        ax.set(xlabel="$A_{12} - 2$", ylabel="$L = |z(2)|^2$")
        ax.legend()
    return fig


def precision(points):
    """The error of the gradient over the work for it: {name of the method: [(work, error), ...]}."""
    with matplotlib.rc_context(STYLE):
        fig = Figure(figsize=(7, 4))
        ax = fig.subplots()
        for name, line in points.items():
            ax.loglog(*np.transpose(line), **method_line(name))
        ax.set(xlabel="evaluations of $f$ and pullbacks, both passes", ylabel="error of the gradient")
        ax.set(xticks=[300, 1000, 3000], xticklabels=["300", "1000", "3000"])
        ax.minorticks_off()
        ax.legend(ncols=2, loc="lower left", fontsize=8.5)
    return fig


# ---- the same with odelearn's numbers

METHODS = {
    type(m).__name__: m for m in (Backsolve(), Interpolating(), Discrete(), Checkpointed(), Forward(), Reversible())
}
A = np.array([-0.1, 2.0, -2.0, -0.1])


def spiral_vjp(z, t, theta):
    """dz/dt = z^3 A."""
    matrix, cube = theta.reshape(2, 2), z**3
    return cube @ matrix, lambda a: (3 * z**2 * (matrix @ a), 0.0, np.outer(cube, a).ravel())


spiral = Dynamics(lambda z, t, theta: z**3 @ theta.reshape(2, 2), spiral_vjp)


def decay_vjp(z, t, theta):
    """dy/dt = lambda y and dw/dt = y."""
    pullback = lambda a: (np.array([theta[0] * a[0] + a[1], 0.0]), 0.0, np.array([a[0] * z[0]]))
    return np.array([theta[0] * z[0], z[0]]), pullback


decay = Dynamics(lambda z, t, theta: np.array([theta[0] * z[0], z[0]]), decay_vjp)


def run(method, f, z0, ts, theta, solver, a_of):
    """The Gradients with a_zs = a_of(zs), and the evaluations and pullbacks that it took."""
    f = counted(f)
    with warnings.catch_warnings(action="ignore", category=DriftWarning):
        zs, pullback = method.vjp(z0, f, ts, theta, solver)
        g = pullback(a_of(zs))
    return g, f.evals + f.pullbacks


def memory_by_odelearn():
    net, rng, Ns = MLP([2, 50, 2]), np.random.default_rng(1), 4 ** np.arange(1, 5)
    z0, theta = rng.normal(size=(1, 2)), net.init(rng)
    held = lambda method, N: run(method, net, z0, (0, 1), theta, midpoint(n=int(N)), np.asarray)[0].stats.bytes
    return memory(Ns, {name: [held(method, N) for N in Ns] for name, method in METHODS.items()})


def way_back_by_odelearn():
    """L = w(1) from y(0) = 1, w(0) = 0, which is (e^lambda - 1) / lambda."""
    lam, runs = -np.arange(1.0, 41.0, 3), {}
    exact = (np.exp(lam) * (lam - 1) + 1) / lam**2
    a_zs = np.array([[0.0, 0.0], [0.0, 1.0]])
    for name in "Backsolve", "Interpolating", "Discrete", "Reversible":
        problem = decay, np.array([1.0, 0.0]), (0, 1)
        runs[name] = [run(METHODS[name], *problem, np.array([x]), dopri5(), lambda zs: a_zs)[0] for x in lam]
    errors = {name: np.abs([g.theta[0] for g in gs] / exact - 1) for name, gs in runs.items()}
    return way_back(lam, [g.drift for g in runs["Backsolve"]], errors, atol=1e-9)


def frozen_mesh_by_odelearn():
    z0, x, e, coarse = np.array([2.0, 0.0]), np.linspace(-0.05, 0.05, 161), np.eye(4)[1], dopri5(1e-3, 1e-3)
    recorded = odesolve(z0, spiral, (0, 2), A, coarse)
    loss = lambda traj: np.sum(traj.zs[-1] ** 2)
    solved = lambda x, solver: [loss(odesolve(z0, spiral, (0, 2), A + x_i * e, solver)) for x_i in x]
    replayed = [loss(recorded.replay(z0, A + x_i * e)) for x_i in x]
    return frozen_mesh(x, solved(x, coarse), replayed, solved(x[::10], dop853(1e-10, 1e-12)))


def precision_by_odelearn():
    """L = the mean of zs^2, at five times."""
    problem = spiral, np.array([2.0, 0.0]), np.linspace(0, 2, 5), A
    flat = lambda g: np.concatenate([np.ravel(g.z0), g.ts, g.theta])
    a_of = lambda zs: 2 * zs / zs.size
    exact = flat(run(METHODS["Discrete"], *problem, dop853(1e-12, 1e-14), a_of)[0])
    points = {name: [] for name in METHODS}
    for rtol in 10.0 ** -np.arange(3, 8):
        for name, method in METHODS.items():
            g, work = run(method, *problem, dopri5(rtol, rtol / 1000), a_of)
            points[name].append((work, np.abs(flat(g) - exact).max() / np.abs(exact).max()))
    return precision(points)


FIGURES = {
    "07_memory.png": memory_by_odelearn,
    "07_way_back.png": way_back_by_odelearn,
    "07_frozen_mesh.png": frozen_mesh_by_odelearn,
    "07_precision.png": precision_by_odelearn,
}
