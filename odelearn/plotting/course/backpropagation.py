"""The figures of notebook 04 Backpropagation through a solver."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from ...dynamics import Dynamics
from ...gradients.appendix_b import adjoint, da_dt, through_layer
from ...gradients.backsolve import Backsolve
from ...gradients.checkpointed import Checkpointed
from ...gradients.discrete import Discrete
from ...solvers.coefficients import EULER, MIDPOINT, RK4
from ...solvers.odesolve import odesolve
from ...solvers.solver import Solver, dop853, rk4
from ...solvers.step_size import FixedSteps
from ..style import BLUE, GREY, INK, ORANGE, SKY, STYLE

THREE = [(ORANGE, "o"), (SKY, "^"), (BLUE, "s")]  # told apart in grey by their markers


def arrows(exact, zs, a, scale=10):
    """Euler's states zs beside the exact curve, in the plane, with a_n = dL/dz_n as an arrow at each z_n."""
    with matplotlib.rc_context(STYLE):
        fig = Figure(figsize=(6.5, 4.4))
        ax = fig.subplots()
        ax.plot(*exact.T, color=GREY, lw=1.2, label="exact $z(t)$")
        ax.plot(*zs.T, "o-", color=ORANGE, ms=4, lw=1, label=f"Euler's $z_n$, {len(zs) - 1} layers")
        ax.quiver(*zs.T, *a.T, color=BLUE, angles="xy", scale_units="xy", scale=scale, width=0.004, zorder=3)
        ax.plot([], [], color=BLUE, label=f"$a_n = dL/dz_n$ (scaled by 1/{scale})")
        ax.plot(0, 0, "+", color=INK, ms=12)
        ax.annotate("rest", (0, 0), (7, 5), textcoords="offset points")
        for z, name, shift in (zs[0], "$z_0$", (-17, 3)), (zs[-1], "$z_N$", (0, 8)):
            ax.annotate(name, z, shift, textcoords="offset points")
        ax.set(xlabel="angle $x$", ylabel="velocity $v$")
        ax.margins(0.14, 0.12)
        ax.legend(loc="upper left")
    return fig


def limit(t, exact, discrete):
    """The a_n of Euler with more and more steps approach the solution a(t) of (35).

    t, exact  times, and a(t) there, shape (m, 2)
    discrete  {N: a_n, shape (N + 1, 2)} for three N, the smallest first
    """
    with matplotlib.rc_context(STYLE):
        fig = Figure(figsize=(9, 3.4))
        axes = fig.subplots(1, 2, sharex=True)
        lines = [(SKY, "^", ":"), (ORANGE, "s", "--"), (BLUE, "", "-.")]
        for i, (ax, name) in enumerate(zip(axes, ("$dL/dx$", "$dL/dv$"), strict=True)):
            ax.plot(t, exact[:, i], color=INK, lw=1.2, label="solution of (35)")
            for (N, a), (colour, marker, dash) in zip(discrete.items(), lines, strict=True):
                t_n, style = np.linspace(t[0], t[-1], N + 1), dict(color=colour, ms=4, lw=1.3)
                ax.plot(t_n, a[:, i], marker + dash, label=f"$a_n$, {N} steps", **style)
            ax.axhline(0, color=GREY, lw=0.6, zorder=0)
            ax.set(xlabel="time $t$", ylabel=name)
        axes[1].legend()
    return fig


def orders(h, gaps):
    """The largest gap between a_n and a(t_n) over the step h, for three methods: as steep as the method's order.

    gaps  {(name, order): the gap for each h}
    """
    with matplotlib.rc_context(STYLE):
        fig = Figure(figsize=(6.5, 3.8))
        ax = fig.subplots()
        for ((name, order), gap), (colour, marker) in zip(gaps.items(), THREE, strict=True):
            ax.loglog(h, gap[-1] * (h / h[-1]) ** order, color=GREY, lw=1, zorder=0)
            ax.loglog(h, gap, marker, color=colour, ms=6, label=f"{name}, slope {order}")
        ax.set(xlabel="step $h$", ylabel="largest gap $|a_n - a(t_n)|$")
        ax.legend(loc="lower right")
    return fig


def riemann(t, integrand, bars):
    """The shares of the layers in dL/dtheta_0 as bars, for a few layers and for many, and the integrand of (51).

    bars  one array for each panel: a_{n+1} df/dtheta_0 for all the n of a solve from t[0] to t[-1]
    """
    with matplotlib.rc_context(STYLE):
        fig = Figure(figsize=(9, 3.4))
        axes = fig.subplots(1, len(bars), sharey=True)
        for ax, heights in zip(axes, bars, strict=True):
            N = len(heights)
            h = (t[-1] - t[0]) / N
            paint = dict(color=SKY, edgecolor="white", lw=0.4, label=f"{N} steps of Euler")
            ax.bar(t[0] + h * np.arange(N), heights, width=h, align="edge", **paint)
            ax.plot(t, integrand, color=INK, lw=1.4, label=r"$a\, df/d\theta_0$")
            ax.axhline(0, color=GREY, lw=0.6)
            ax.set(xlabel="time $t$", title=f"area of the bars: {h * np.sum(heights):.3f}")
            ax.legend(loc="lower center")
        axes[0].set_ylabel(r"share of $dL/d\theta_0$ per unit of time")
    return fig


def memory(N, held):
    """Bytes held between the passes over the number of steps N.

    held  {(method, slope): the bytes for each N}, for three methods
    """
    with matplotlib.rc_context(STYLE):
        fig = Figure(figsize=(6.5, 3.8))
        ax = fig.subplots()
        marks = [(BLUE, "s"), (SKY, "^"), (ORANGE, "o")]
        for ((name, slope), points), (colour, marker) in zip(held.items(), marks, strict=True):
            ax.loglog(N, points[-1] * (N / N[-1]) ** slope, color=GREY, lw=1, zorder=0)
            ax.loglog(N, points, marker, color=colour, ms=6, label=f"{name}, slope {slope:g}")
        ax.set(xlabel="number of RK4 steps $N$", ylabel="bytes held between the passes", xticks=N, xticklabels=N)
        ax.minorticks_off()
        ax.legend()
    return fig


# ---- the same with odelearn's numbers: a pushed pendulum, and the loss |z_N|^2 / 2, so that a_N = z_N


def value(z, t, theta):
    x, v = z[..., 0], z[..., 1]
    return np.stack([v, -theta[0] * np.sin(x) - theta[1] * v + theta[2] * np.cos(t)], axis=-1)


def value_and_pullback(z, t, theta):
    (x, v), (gravity, friction, push) = z, theta

    def pullback(a):
        a_z = np.array([-gravity * np.cos(x) * a[1], a[0] - friction * a[1]])
        return a_z, -push * np.sin(t) * a[1], a[1] * np.array([-np.sin(x), -v, np.cos(t)])

    return value(z, t, theta), pullback


pendulum = Dynamics(value, value_and_pullback)
Z0, T0, TN, THETA = np.array([1.2, 0.5]), 0.5, 2.5, np.array([3.0, 0.2, 1.0])
EXACT = dop853(rtol=1e-11, atol=1e-13)
FINE = np.linspace(T0, TN, 200)


def flow(z, t, t_end):
    return z if t_end == t else odesolve(z, pendulum, (t, t_end), THETA, EXACT).zs[-1]


def a_at(t):
    """(34) at one time, from its definition."""
    z = flow(Z0, T0, t)
    z_N = flow(z, t, TN)
    return adjoint(z_N, pendulum, z, t, TN, THETA) if t < TN else z_N


def z_and_a(s, t, theta):
    """(35) beside the equation of z, for s = [z, a], shape (2, 2)."""
    z, a = s
    return np.stack([pendulum(z, t, theta), da_dt(a, pendulum, z, t, theta)])


def exact_a(ts):
    """a(t) at increasing times from T0 to TN, by (46)."""
    z_N = flow(Z0, T0, TN)
    return odesolve(np.stack([z_N, z_N]), z_and_a, ts[::-1], THETA, EXACT).zs[::-1, 1]


def swept(tableau, N):
    """zs and a, shape (N + 1, 2), and each step's share of dL/dtheta: (36), where a layer is a step of the solver."""
    ts, step = np.linspace(T0, TN, N + 1), Solver(tableau, FixedSteps(n=1))
    zs = odesolve(Z0, pendulum, ts, THETA, step).zs
    a, shares = [zs[-1]], []
    for n in reversed(range(N)):

        def layer(z, n=n):
            z_next, pullback = Discrete().vjp(z, pendulum, ts[n : n + 2], THETA, step)
            return z_next[-1], lambda a_next: pullback(np.stack([0 * a_next, a_next]))

        g = through_layer(a[0], layer, zs[n])
        a, shares = [g.z0, *a], [g.theta, *shares]
    return zs, np.stack(a), np.stack(shares)


def arrows_by_odelearn():
    return arrows(odesolve(Z0, pendulum, FINE, THETA, EXACT).zs, *swept(EULER, 24)[:2])


def limit_by_odelearn():
    return limit(FINE, exact_a(FINE), {N: swept(EULER, N)[1] for N in (10, 40, 160)})


def orders_by_odelearn():
    Ns, gaps = 2 ** np.arange(3, 9), {}
    exact = {N: exact_a(np.linspace(T0, TN, N + 1)) for N in Ns}
    for tableau in EULER, MIDPOINT, RK4:
        gaps[tableau.name, tableau.order] = [np.abs(swept(tableau, N)[1] - exact[N]).max() for N in Ns]
    return orders((TN - T0) / Ns, gaps)


def riemann_by_odelearn():
    zs = odesolve(Z0, pendulum, FINE, THETA, EXACT).zs
    integrand = [pendulum.vjp(z, t, THETA)[1](a)[2][0] for z, t, a in zip(zs, FINE, exact_a(FINE), strict=True)]
    bars = [swept(EULER, N)[2][:, 0] * N / (TN - T0) for N in (12, 60)]
    return riemann(FINE, integrand, bars)


def memory_by_odelearn():
    Ns, held = 2 ** np.arange(3, 10, 2), {}
    for method, slope in (Discrete(), 1), (Checkpointed(), 1 / 2), (Backsolve(), 0):
        runs = [method.vjp(Z0, pendulum, (T0, TN), THETA, rk4(n=int(N))) for N in Ns]
        held[type(method).__name__, slope] = [pullback(zs).stats.bytes for zs, pullback in runs]
    return memory(Ns, held)


FIGURES = {
    "04_arrows.png": arrows_by_odelearn,
    "04_limit.png": limit_by_odelearn,
    "04_orders.png": orders_by_odelearn,
    "04_riemann.png": riemann_by_odelearn,
    "04_memory.png": memory_by_odelearn,
}
