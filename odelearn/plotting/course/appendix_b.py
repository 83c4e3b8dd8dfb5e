"""The figures of notebook 05 The adjoint equation, line by line."""

import numpy as np
from matplotlib import rc_context

from ..style import BLUE, GREY, INK, ORANGE, SKY, STYLE, Figure


@rc_context(STYLE)
def loss_to_come(z, a, L, moments):
    """The lines on which the loss to come is constant, a panel a moment, and the adjoint at right angles to them.

    z        the Trajectory of the state (angle, velocity), callable at times in between
    a        a(t) -> (2,): the adjoint at time t
    L        L(z, t) -> (...): the loss to come from each state z (..., 2) at time t
    moments  the times of the panels; ValueError from z outside of its interval
    Returns the Figure.
    """
    x, v = np.meshgrid(np.linspace(-1.9, 2.3, 57), np.linspace(-2.5, 1.4, 53))
    fig = Figure(figsize=(9, 3.2))
    axes = fig.subplots(1, len(moments), sharey=True)
    for ax, t in zip(axes, moments, strict=True):
        levels = L(z(t), t) * np.array([0.01, 0.15, 0.45, 1, 1.8, 2.8, 4])
        widths = [0.8] * 3 + [1.8, 0.8]  # thicker: the line through z(t)
        ax.contour(x, v, L(np.stack([x, v], axis=-1), t), levels=levels, colors=SKY, linewidths=widths)
        ax.plot(*z(np.linspace(z.ts[0], z.ts[-1], 100)).T, color=GREY, lw=1)
        ax.quiver(*z(t), *a(t), color=BLUE, angles="xy", scale_units="xy", scale=3.2, width=0.012, zorder=3)
        ax.plot(*z(t), "o", color=INK, ms=5, zorder=4)
        ax.set(xlabel="angle $x$", aspect="equal", title=f"$t = {t}$" + (" $= t_N$" if t == z.ts[-1] else ""))
    axes[0].set_ylabel("velocity $v$")
    return fig


LEFT_OUT = (
    r"(41): $T_\varepsilon - (z + \varepsilon f)$",
    r"(42): $\partial T_\varepsilon / \partial z - (I + \varepsilon\, \partial f / \partial z)$",
)
OFF = "(39) $-$ (45): quotient $-$ limit", r"(40) $-$ (44): the remainder, divided by $\varepsilon$"


@rc_context(STYLE)
def limits(epsilons, left_out, off):
    """How the O-symbols of the proof shrink with epsilon: left those of (41) and (42), right those of (39) and (43).

    epsilons  (m,), the largest first
    left_out  a pair of curves (m,) that should shrink like epsilon^2: the remainders of (41) and of (42)
    off       a pair that should shrink like epsilon: (39) less its limit (45), and (40) less (44)
    Returns the Figure.
    """
    fig = Figure(figsize=(9, 3.6))
    for ax, order, curves, labels in zip(fig.subplots(1, 2), (2, 1), (left_out, off), (LEFT_OUT, OFF), strict=True):
        for errors, label, colour, marker in zip(curves, labels, (BLUE, ORANGE), "os", strict=True):
            ax.loglog(epsilons, errors[-1] * (epsilons / epsilons[-1]) ** order, color=GREY, lw=1, zorder=0)
            ax.loglog(epsilons, errors, marker, color=colour, ms=5, label=label)
        ax.set(xlabel=r"$\varepsilon$", ylabel="size of the difference", title=f"grey: slope {order}")
        ax.legend(fontsize=8.5)
    return fig


@rc_context(STYLE)
def short_time(eps, curve, chord, slope, gaps):
    """The difference quotient of the adjoint as the slope of a chord, and its distance from the slope of the tangent.

    eps    the length of the interval
    curve  times and one component of the adjoint there, (m,) each; the first time is t
    chord  the times t and t + eps, and the two values of that component
    slope  da/dt at t, of that component
    gaps   lengths and distances of the quotient from its limit, (k,) each
    Returns the Figure.
    """
    fig = Figure(figsize=(9, 3.6))
    left, right = fig.subplots(1, 2)
    times, values = map(np.asarray, curve)
    left.plot(times, values, color=INK, lw=1.5, label="$a(t)$, one component")
    left.plot(times, values[0] + slope * (times - times[0]), "--", color=BLUE, lw=1.5, label="tangent, (35)")
    left.plot(*chord, "o-", color=ORANGE, lw=1.8, ms=6, label="chord, (39)")
    left.set(xlabel="time", ylabel="adjoint", title=rf"$\varepsilon = {eps:.3g}$")
    left.legend()
    lengths, distances = map(np.asarray, gaps)
    right.loglog(lengths, distances[-1] * lengths / lengths[-1], color=GREY, lw=1, zorder=0, label="slope 1")
    right.loglog(lengths, distances, "o", mfc="white", mec=ORANGE, ms=5)
    nearest = np.argmin(np.abs(lengths - eps))
    right.loglog(lengths[nearest], distances[nearest], "o", color=ORANGE, ms=9)
    right.set(xlabel=r"$\varepsilon$", ylabel="size of quotient $-$ limit", title=r"large dot: this $\varepsilon$")
    right.legend(loc="upper left")
    return fig


@rc_context(STYLE)
def jumps(solution, observations, adjoint):
    """Figure 2 of the paper: the solution and what is observed of it, and the adjoint that jumps at each observation.

    solution      t and x, (m,) each: the angle over time
    observations  ts, x(ts), and the angles y that were observed, (T,) each
    adjoint       T - 1 pairs t, dL/dx of 100 points each: the last interval first, and t from right to left
    Returns the Figure.
    """
    ts, x, y = observations
    fig = Figure(figsize=(7.5, 5))
    above, below = fig.subplots(2, 1, sharex=True)
    above.plot(*solution, color=INK, lw=1.6)
    above.plot(ts, y, "o", mfc="white", mec=INK, ms=6, label="observations $y_i$")
    above.vlines(ts, x, y, color=ORANGE, lw=2, label=r"$\partial \ell_i / \partial x = x(t_i) - y_i$")
    above.set_ylabel("state: angle $x(t)$")
    above.legend(loc="upper right", bbox_to_anchor=(0.9, 1.05))
    below.axhline(0, color=GREY, lw=0.6)
    for t, a in adjoint:
        below.plot(t, a, color=BLUE, lw=1.8)
        tail, head = zip(t[[45, 55]], a[[45, 55]], strict=True)
        below.annotate("", head, tail, arrowprops=dict(arrowstyle="->", color=BLUE, lw=1.8))
    before = [0.0, *[a[-1] for _, a in adjoint]]  # each jump, from t_N back to t_0
    below.vlines(ts, before[::-1], before[::-1] + x - y, color=ORANGE, lw=2)
    for t_i, start, jump in zip(ts, before[::-1], x - y, strict=True):
        arrow = dict(arrowstyle="-|>", color=ORANGE, lw=2, shrinkA=0, shrinkB=0)
        below.annotate("", (t_i, start + jump), (t_i, start), arrowprops=arrow)
        for ax in above, below:
            ax.axvline(t_i, color=GREY, lw=0.6, ls=":", zorder=0)
    below.set(xlabel="time $t$", ylabel="adjoint: $dL/dx(t)$", xticks=ts)
    below.set_xticklabels(f"$t_{i}$" for i in range(len(ts)))
    return fig


@rc_context(STYLE)
def kink(e, short, relu, softplus):
    """What a kink does: to what (41) and (42) leave out, over epsilon, and to the errors of RK4, over its step h.

    e               (m,): the values of epsilon, the smallest first
    short           five remainders (m,): (42) on the kink of a ReLU, (42) from 0.03 before it, (41) on it; (42) and
                    (41) for softplus
    relu, softplus  three arrays (n,) each: the steps h, the longest first, and the errors of the solution and of its
                    gradient
    Returns the Figure.
    """
    filled = lambda colour, marker: dict(color=colour, marker=marker, ms=4)
    hollow = lambda colour, marker: dict(mec=colour, mfc="white", marker=marker, ms=4, ls="")
    fig = Figure(figsize=(9, 4))
    left, right = fig.subplots(1, 2)
    on_42, before_42, on_41, smooth_42, smooth_41 = short
    seen = before_42 > 0  # as long as the kink is out of reach, (42) leaves out nothing
    left.loglog(e, on_42, lw=1, **filled(ORANGE, "s"), label="(42), ReLU on the kink")
    left.loglog(e[seen], before_42[seen], "--", color=ORANGE, lw=1.6, label="(42), ReLU, 0.03 before it")
    left.loglog(e, on_41, **hollow(ORANGE, "s"), label="(41), ReLU on the kink")
    left.loglog(e, smooth_42, ls="", **filled(BLUE, "o"), label="(42), softplus")
    left.loglog(e, smooth_41, **hollow(BLUE, "o"), label="(41), softplus")
    left.set(xlabel=r"$\varepsilon$", ylabel="what is left out", title="one short step", ylim=(1e-7, 300))
    rows = ("ReLU", ORANGE, "s", relu), ("softplus", BLUE, "o", softplus)
    for name, colour, marker, (h, solution, gradient) in rows:
        right.loglog(h, gradient, ls="", **filled(colour, marker), label=f"gradient, {name}")
        right.loglog(h, solution, **hollow(colour, marker), label=f"solution, {name}")
    right.set(xlabel="step $h$ of RK4", ylabel="error at $t = 2$", title="a whole solve", ylim=(1e-15, 30))
    _guide(left, e, {(1, 2.5): r"$\varepsilon$", (2, 0.2): r"$\varepsilon^2$"})
    _guide(right, relu[0], {(1, 3): "$h$", (2, 0.6): "$h^2$", (4, 0.01): "$h^4$"})
    left.legend(fontsize=8, loc="upper left")
    right.legend(fontsize=8, loc="lower right")
    return fig


def _guide(ax, x, lines):
    """Grey lines factor * x^power with their labels; lines: {(power, factor): label}."""
    for (power, factor), label in lines.items():
        ax.loglog(x, factor * x**power, color=GREY, lw=1, zorder=0)
        ax.text(x.max() * 1.1, factor * x.max() ** power, label, color="#555555", va="center")
