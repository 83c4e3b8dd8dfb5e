"""The figures of notebook 04 Backpropagation through a solver."""

import numpy as np
from matplotlib import rc_context

from ..style import BLUE, GREY, INK, ORANGE, SKY, STYLE, Figure

THREE = [(ORANGE, "o"), (SKY, "^"), (BLUE, "s")]  # told apart in grey by their markers


@rc_context(STYLE)
def arrows(exact, zs, a, scale=10):
    """Euler's states beside the exact curve, in the plane, with a_n = dL/dz_n as an arrow at each z_n.

    exact  (m, 2): the exact curve, angle and velocity
    zs, a  (N + 1, 2) each: the states z_n and the gradients a_n there
    scale  how many units of a are one unit of z in the picture
    Returns the Figure.
    """
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


@rc_context(STYLE)
def limit(t, exact, discrete):
    """The a_n of Euler with more and more steps approach the solution a(t) of (35).

    t, exact  (m,) times from t_0 to t_N, and (m, 2): a(t) there
    discrete  {N: (N + 1, 2), the a_n at N + 1 equally spaced times}, for three N, the smallest first
    Returns the Figure. Raises ValueError for another number of N.
    """
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


@rc_context(STYLE)
def orders(h, gaps):
    """The largest gap between a_n and a(t_n) over the step h, for three methods: as steep as the method's order.

    h     (m,): steps, the longest first
    gaps  {(name of the method, its order): (m,), the gap for each h}, for three methods
    Returns the Figure. Raises ValueError for another number of methods.
    """
    fig = Figure(figsize=(6.5, 3.8))
    ax = fig.subplots()
    for ((name, order), gap), (colour, marker) in zip(gaps.items(), THREE, strict=True):
        ax.loglog(h, gap[-1] * (h / h[-1]) ** order, color=GREY, lw=1, zorder=0)
        ax.loglog(h, gap, marker, color=colour, ms=6, label=f"{name}, slope {order}")
    ax.set(xlabel="step $h$", ylabel="largest gap $|a_n - a(t_n)|$")
    ax.legend(loc="lower right")
    return fig


@rc_context(STYLE)
def riemann(t, integrand, bars):
    """The shares of the layers in dL/dtheta_0 as bars, for a few layers and for many, and the integrand of (51).

    t, integrand  (m,) each: times from t_0 to t_N, and a df/dtheta_0 there
    bars          an array (N,) for each panel: a_{n+1} df/dtheta_0 at each of the N steps of Euler from t_0 to t_N
    Returns the Figure.
    """
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


@rc_context(STYLE)
def memory(N, held):
    """Bytes held between the passes over the number of steps N.

    N     (m,): numbers of steps, the smallest first
    held  {(name of the method, expected slope): (m,), the bytes for each N}, for three methods
    Returns the Figure. Raises ValueError for another number of methods.
    """
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
