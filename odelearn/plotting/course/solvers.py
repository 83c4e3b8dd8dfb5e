"""The figures of notebook 03 From Euler to Dormand-Prince."""

from itertools import cycle

import numpy as np
from matplotlib import rc_context

from ..style import BLUE, GREY, INK, ORANGE, SKY, STYLE, Figure

NOTE = "#555555"
STYLES = [dict(color=ORANGE, marker="s"), dict(color=SKY, marker="^"), dict(color=BLUE, marker="o")]


@rc_context(STYLE)
def polygons(field, exact, paths):
    """Euler's polygons with more and more steps beside the exact solution, on the direction field that they follow.

    field  field(z, t) -> dz/dt, of arrays of one shape
    exact  ts and zs, (m,) each
    paths  {label: (ts, zs)}, Euler's mesh points and the states there, (n + 1,) each
    Returns the Figure.
    """
    fig = Figure(figsize=(6.5, 4))
    ax = fig.subplots()
    low, high = (choose([choose(zs) for _, zs in [exact, *paths.values()]]) for choose in (np.min, np.max))
    low, room = min(low, 0), 0.07 * (high - low)
    T, Z = np.meshgrid(np.linspace(exact[0][0], exact[0][-1], 26), np.linspace(low, high + room / 2, 17))
    slope = field(Z, T)
    lines = dict(pivot="mid", headwidth=1, headlength=0, headaxislength=0, color="#BBBBBB", width=2.5e-3, scale=38)
    ax.quiver(T, Z, 1 / np.hypot(1, slope), slope / np.hypot(1, slope), angles="xy", **lines)
    ax.plot(*exact, color=INK, lw=1.5, label="exact")
    for (label, path), style in zip(paths.items(), cycle(STYLES), strict=False):
        ax.plot(*path, ms=min(5, 60 / len(path[0])), lw=1, label=label, **style)
    ax.set(xlabel="$t$", ylabel="$z$", ylim=(low, high + room), title="Euler's polygons on the direction field of $f$")
    ax.legend(loc="upper right", frameon=True, framealpha=0.9, edgecolor="none")
    return fig


@rc_context(STYLE)
def step_size(h, exact, path, errors):
    """Euler's polygon for one step h, and where its error lies among those of other steps.

    h       the step
    exact   ts and zs, (m,) each
    path    ts and zs of the polygon, (n + 1,) and (n + 1, 1)
    errors  steps and errors at the end, (k,) each, the shortest step first
    Returns the Figure.
    """
    fig = Figure(figsize=(9, 3.6))
    left, right = fig.subplots(1, 2)
    left.plot(*exact, color=INK, lw=1.5, label="exact")
    left.plot(path[0], np.ravel(path[1]), "s-", color=ORANGE, ms=min(5, 60 / len(path[0])), lw=1, label="Euler")
    top = 1.15 * np.max(exact[1])
    left.set(xlabel="$t$", ylabel="$z$", ylim=(0, top), title=f"{len(path[0]) - 1} steps of $h = {h:.3g}$")
    left.legend(loc="upper right")
    steps, sizes = map(np.asarray, errors)
    right.loglog(steps, sizes[0] * steps / steps[0], color=GREY, lw=1, zorder=0, label="slope 1")
    right.loglog(steps, sizes, "o", mfc="white", mec=ORANGE, ms=5)
    nearest = np.argmin(np.abs(steps - h))
    right.loglog(steps[nearest], sizes[nearest], "o", color=ORANGE, ms=9)
    right.set(xlabel="$h$", ylabel="error at the end", title="large dot: this step")
    right.legend(loc="upper left")
    return fig


@rc_context(STYLE)
def depth(field, residual, ode):
    """A residual net and an ODE net, state across and depth upwards, with the points at which f is evaluated.

    field          field(z, t) -> dz/dt, of arrays of one shape
    residual, ode  for each input (ts, zs, points): its curve, (m,) each, and the pairs (z, t) where f was evaluated
    Returns the Figure.
    """
    fig = Figure(figsize=(9, 4.6))
    left, right = fig.subplots(1, 2, sharey=True)
    layers = sorted({t for _, _, points in residual for _, t in points})
    _draw_net(left, field, residual, layers, ORANGE)
    _draw_net(right, field, ode, np.linspace(0, 4.8, 17), BLUE)
    left.set(title="residual net", ylabel="depth $t$")
    right.set(title="ODE net")
    return fig


def _draw_net(ax, field, curves, levels, colour):
    reach = 1.1 * max(np.abs(zs).max() for _, zs, _ in curves)
    Z, T = np.meshgrid(np.linspace(-reach, reach, 26), levels)
    dz = field(Z, T)
    ax.quiver(Z, T, dz, np.ones_like(dz), angles="xy", color="#B8B8B8", scale=40, width=2.6e-3, headwidth=4)
    for ts, zs, points in curves:
        ax.plot(zs, ts, color=colour, lw=1.1)
        ax.plot(*np.transpose(points), "o", mfc="white", mec=INK, mew=0.7, ms=3.2)
    ax.set(xlabel="state $z$: input below, output above", xlim=(-1.08 * reach, 1.08 * reach))


@rc_context(STYLE)
def orders(hs, errors):
    """The error at the end over the step, on logarithmic axes: a line for each method, whose slope is its order.

    hs      (m,): steps, the shortest last
    errors  {label: (m,), the absolute errors at hs}
    Returns the Figure.
    """
    fig = Figure(figsize=(6.5, 3.8))
    ax = fig.subplots()
    for (label, e), style in zip(errors.items(), cycle(STYLES), strict=False):
        ax.loglog(hs, e, ms=5, lw=1.2, **style)
        ax.text(hs[-1] * 0.92, e[-1], label, ha="right", va="center")
    ax.set(xlabel="step $h$", ylabel="error at $t_1$", xlim=(hs[-1] / 5, 1.6 * hs[0]))
    return fig


@rc_context(STYLE)
def spending(exact, equal, adaptive):
    """The same number of evaluations spent in equal steps of Euler, and where Dormand-Prince needs them.

    exact            t and z_1, (m,) each
    equal, adaptive  t, z_1 and the times at which f was evaluated: mesh points of Euler and of the adaptive solver
    Returns the Figure.
    """
    fig = Figure(figsize=(10.5, 3.2))
    axes = fig.subplots(1, 3, sharey=True)
    low, high = np.min(exact[1]), np.max(exact[1])
    for ax in axes:
        ax.plot(*exact, color=INK, lw=1.2, label="exact")
        ax.set(xlabel="$t$", ylim=(low - 0.3 * (high - low), high + 0.15 * (high - low)))  # room for the ticks below
    axes[1].plot(*equal[:2], color=ORANGE, lw=1.6, ls=(0, (4, 1.2)), label="Euler")
    axes[2].plot(*adaptive[:2], "o", color=BLUE, ms=4, label="Dormand-Prince")
    for ax, times, colour in (axes[1], equal[2], ORANGE), (axes[2], adaptive[2], BLUE):
        in_panel = dict(transform=ax.get_xaxis_transform())  # heights as parts of the panel
        ax.vlines(times, 0.025, 0.085, color=colour, lw=0.5, snap=False, **in_panel)
        ax.text(times[0], 0.095, "evaluations of $f$", color=NOTE, fontsize=8.5, va="bottom", **in_panel)
        ax.legend(loc="upper center", fontsize=8.5)
    axes[0].set(ylabel="$z_1$", title="exact")
    axes[1].set(title=f"Euler, {len(equal[0]) - 1} equal steps")
    axes[2].set(title=f"Dormand-Prince, {len(adaptive[0]) - 1} steps")
    return fig


@rc_context(STYLE)
def attempts(ledger):
    """The length and the scaled error of every step that was tried, and which of them were rejected.

    ledger  [(t, h, err, accepted), ...]: a row an attempt; err is the scaled error, accepted where it is at most 1
    Returns the Figure.
    """
    fig = Figure(figsize=(7, 4.6))
    above, below = fig.subplots(2, 1, sharex=True)
    t, h, err, accepted = np.array(ledger).T
    for kind, style in (
        (accepted == 1, dict(color=BLUE, marker="o", ms=4, label="accepted")),
        (accepted == 0, dict(color=ORANGE, marker="x", ms=6, mew=1.5, ls="none", label="rejected")),
    ):
        above.semilogy(t[kind], h[kind], **dict(lw=0.8) | style)
        below.semilogy(t[kind], err[kind], **style | dict(ls="none"))
    above.set(ylabel="step $h$")
    above.legend(ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1), borderaxespad=0.1)
    below.axhline(1, color=GREY, lw=1)
    below.text(1, 1.2, "tolerance", ha="right", va="bottom", color=NOTE, transform=below.get_yaxis_transform())
    below.set(xlabel="$t$", ylabel="err")
    return fig


@rc_context(STYLE)
def stability(x, factors, runs):
    """Left: where in the plane of h lambda each method is stable; right: Euler outside, inside and well inside of it.

    x        (n, m) complex: a grid of h lambda
    factors  {name of the method: (n, m), |R(x)|, by which a step multiplies y}
    runs     {number of steps n: (ts, ys)}, mesh points and states of Euler
    Returns the Figure.
    """
    fig = Figure(figsize=(9.5, 3.8))
    left, right = fig.subplots(1, 2, width_ratios=(1, 1.4))
    for (name, factor), style, dash in zip(factors.items(), cycle(STYLES), cycle([":", "--", "-"]), strict=False):
        line = dict(colors=[style["color"]], linestyles=[dash], linewidths=1.8)
        left.contour(x.real, x.imag, factor, [1], **line)
        left.plot([], [], color=style["color"], ls=dash, lw=1.8, label=name)
    left.axhline(0, color=GREY, lw=0.6, zorder=0)
    left.axvline(0, color=GREY, lw=0.6, zorder=0)
    left.set(xlabel=r"Re $h\lambda$", ylabel=r"Im $h\lambda$", title="stable inside", aspect="equal")
    left.legend(loc="upper left", fontsize=8.5, borderaxespad=0)
    for (n, (ts, ys)), style in zip(runs.items(), cycle(STYLES), strict=False):
        right.plot(ts, ys, "-", ms=min(4, 200 / n), lw=0.9, label=f"$n = {n}$", **style)
    right.set(xlabel="$t$", ylabel="$y$", title=r"Euler on $y' = \lambda y$ with $n$ steps")
    right.legend(loc="lower left", ncols=3)
    return fig
