"""The figures of notebook 05 Appendix B, line by line."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from ...dynamics import Dynamics
from ...gradients import appendix_b as B
from ...gradients.discrete import Discrete
from ...solvers.odesolve import odesolve
from ...solvers.solver import rk4
from ...verify.gradient_check import finite_difference
from ..style import BLUE, GREY, INK, ORANGE, SKY, STYLE
from .backpropagation import EXACT, T0, THETA, TN, Z0, a_at, flow, pendulum, z_and_a


def loss_to_come(z, a, L, moments):
    """The lines on which the loss to come is constant, at three moments, and the adjoint at right angles to them.

    z, a  the Trajectory of the state, and the adjoint at a time t
    L     L(z, t): the loss to come from each state z (..., 2) at time t
    """
    x, v = np.meshgrid(np.linspace(-1.9, 2.3, 57), np.linspace(-2.5, 1.4, 53))
    with matplotlib.rc_context(STYLE):
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


def limits(epsilons, left_out, off):
    """How the O-symbols of the proof shrink with epsilon: those of (41) and (42), and those of (39) and (43).

    left_out, off  a pair of curves each, over epsilons: of order 2 and of order 1
    """
    with matplotlib.rc_context(STYLE):
        fig = Figure(figsize=(9, 3.6))
        for ax, order, curves, labels in zip(fig.subplots(1, 2), (2, 1), (left_out, off), (LEFT_OUT, OFF), strict=True):
            for errors, label, colour, marker in zip(curves, labels, (BLUE, ORANGE), "os", strict=True):
                ax.loglog(epsilons, errors[-1] * (epsilons / epsilons[-1]) ** order, color=GREY, lw=1, zorder=0)
                ax.loglog(epsilons, errors, marker, color=colour, ms=5, label=label)
            ax.set(xlabel=r"$\varepsilon$", ylabel="size of the difference", title=f"grey: slope {order}")
            ax.legend(fontsize=8.5)
    return fig


def jumps(solution, observations, adjoint):
    """Figure 2 of the paper: the solution and what is observed of it, and the adjoint that jumps at each observation.

    solution      t, x: the angle
    observations  ts, x at these times, and the y_i that were observed
    adjoint       pairs t, dL/dx, 100 points in each interval: the last interval first, and t from right to left
    """
    ts, x, y = observations
    with matplotlib.rc_context(STYLE):
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


def starts(t, a_t, minus_af, measured):
    """a_t solved back from three values at t_N: only from -dL/dt_N is it -a f, and arrives at dL/dt_0.

    a_t       three curves over t: from 0, from dL/dt_N, from -dL/dt_N
    minus_af  -a f at the same times; measured: dL/dt_0
    """
    lines = [("from $0$", ORANGE, "--"), ("from $dL/dt_N$", ORANGE, ":"), ("from $-dL/dt_N$", BLUE, "-")]
    with matplotlib.rc_context(STYLE):
        fig = Figure(figsize=(7.5, 3.6))
        ax = fig.subplots()
        for curve, (label, colour, dash) in zip(a_t, lines, strict=True):
            ax.plot(t, curve, dash, color=colour, lw=1.8, label=label)
        ax.plot(t[::9], minus_af[::9], "o", mfc="white", mec=INK, ms=5, label="$-a f$")
        ax.plot(np.min(t), measured, "*", color=INK, ms=13, label="$dL/dt_0$, measured")
        ax.set(xlabel="time $t$", ylabel="$a_t(t)$")
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


def kink(e, short, relu, softplus):
    """What a kink does: to what (41) and (42) leave out, over epsilon, and to the errors of RK4, over its step h.

    short           for each e: (42) on the kink of a ReLU and 0.03 before it, (41) on it; (42) and (41) for softplus
    relu, softplus  h, and the errors of the solution and of its gradient
    """
    filled = lambda colour, marker: dict(color=colour, marker=marker, ms=4)
    hollow = lambda colour, marker: dict(mec=colour, mfc="white", marker=marker, ms=4, ls="")
    with matplotlib.rc_context(STYLE):
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
        guide(left, e, {(1, 2.5): r"$\varepsilon$", (2, 0.2): r"$\varepsilon^2$"})
        guide(right, relu[0], {(1, 3): "$h$", (2, 0.6): "$h^2$", (4, 0.01): "$h^4$"})
        left.legend(fontsize=8, loc="upper left")
        right.legend(fontsize=8, loc="lower right")
    return fig


def guide(ax, x, lines):
    """Grey lines factor * x^power with their labels; lines: {(power, factor): label}."""
    for (power, factor), label in lines.items():
        ax.loglog(x, factor * x**power, color=GREY, lw=1, zorder=0)
        ax.text(x.max() * 1.1, factor * x.max() ** power, label, color="#555555", va="center")


# ---- the same with odelearn's numbers, for the pendulum of notebook 04


def loss_to_come_by_odelearn():
    L = lambda z, t: 0.5 * np.sum(flow(z, t, TN) ** 2, axis=-1)
    return loss_to_come(odesolve(Z0, pendulum, (T0, TN), THETA, EXACT), a_at, L, (T0, 1.5, TN))


def limits_by_odelearn():
    t, e, rows = 1.2, 0.4 * 0.5 ** np.arange(9), np.eye(2)
    z, a = flow(Z0, T0, t), a_at(t)
    at = (pendulum, z, t, THETA)
    later = [(a_at(t + x), x) for x in e]
    size = lambda x: np.abs(x).max()
    on_41 = [size(B.T(x, *at) - B.T_taylor(x, *at)) for x in e]
    on_42 = [size([B.a_before(row, x, *at) - B.a_before_taylor(row, x, *at) for row in rows]) for x in e]
    on_39 = [size(B.quotient(b, a, x) - B.da_dt(a, *at)) for b, x in later]
    on_43 = [size(B.quotient_through_layer(b, x, *at) - B.quotient_reduced(b, *at)) for b, x in later]
    return limits(e, (on_41, on_42), (on_39, on_43))


def jumps_by_odelearn():
    ts = np.array([0.5, 1.4, 2.6, 3.3, 4.5])
    z = odesolve(Z0, pendulum, ts, THETA, EXACT)
    ys = z.zs + np.array([[0.4], [-0.6], [0.5], [-0.4], [0.5]])
    a, pieces = z.zs[-1] - ys[-1], []
    for i in reversed(range(len(ts) - 1)):
        back = odesolve(np.stack([z.zs[i + 1], a]), z_and_a, (ts[i + 1], ts[i]), THETA, EXACT)
        t = np.linspace(*back.ts, 100)
        a = back.zs[-1, 1] + z.zs[i] - ys[i]
        pieces.append((t, back(t)[:, 1, 0]))
    fine = np.linspace(ts[0], ts[-1], 300)
    return jumps((fine, z(fine)[:, 0]), (ts, z.zs[:, 0], ys[:, 0]), pieces)


def with_a_t(s, t, theta):
    """(50) without a_theta, for s = [z, a, a_t], shape (5,)."""
    z, a = s[:2], s[2:4]
    da_dt, _, da_t_dt = B.da_aug_dt(a, z, theta, t, pendulum)
    return np.concatenate([pendulum(z, t, theta), da_dt, [da_t_dt]])


def starts_by_odelearn():
    t, z_N = np.linspace(TN, T0, 100), flow(Z0, T0, TN)
    H = z_N @ pendulum(z_N, TN, THETA)
    solved = [odesolve([*z_N, *z_N, a_t], with_a_t, t, THETA, EXACT).zs for a_t in (0.0, H, -H)]
    minus_af = [-s[2:4] @ pendulum(s[:2], t_i, THETA) for s, t_i in zip(solved[0], t, strict=True)]
    L = lambda start: 0.5 * np.sum(flow(Z0, start, TN) ** 2)
    return starts(t, [s[:, 4] for s in solved], minus_af, finite_difference(L, T0, "richardson"))


def scalar(value, slope):
    """dz/dt = value(z) as a Dynamics, with the derivative `slope` of value."""
    return Dynamics(
        lambda z, t, theta: value(z),
        lambda z, t, theta: (value(z), lambda a: (a * slope(z), 0.0, np.zeros(0))),
    )


relu = scalar(lambda z: 1 + np.maximum(z, 0), lambda z: z > 0)
softplus = scalar(lambda z: 1 + np.log1p(np.exp(z)), lambda z: 1 / (1 + np.exp(-z)))


def end_and_slope(f, z, t, solver):
    """z(t) from z(0) = z, and dz(t)/dz(0)."""
    zs, pullback = Discrete().vjp(np.array([z]), f, (0, t), None, solver)
    return zs[-1, 0], pullback(np.array([[0.0], [1.0]])).z0[0]


def relu_in_closed_form(z, t):
    """The same for relu: z rises like t to the kink at 0, and from there on like e^t - 1."""
    if z >= 0:
        return (1 + z) * np.exp(t) - 1, np.exp(t)
    return (np.expm1(t + z), np.exp(t + z)) if t > -z else (z + t, 1.0)


def kink_by_odelearn():
    e, ns = 10.0 ** np.arange(-3, 0.01, 0.125), np.unique(np.round(10 ** np.arange(0.6, 2.4, 0.04))).astype(int)
    smooth = lambda z, t: end_and_slope(softplus, z, t, EXACT)
    left_out = lambda T, z, f, df: np.abs([np.subtract(T(z, x), (z + x * f, 1 + x * df)) for x in e]).T
    on, before = left_out(relu_in_closed_form, 0.0, 1.0, 0.0), left_out(relu_in_closed_form, -0.03, 1.0, 0.0)
    soft = left_out(smooth, 0.0, 1 + np.log(2), 0.5)
    errors = lambda f, T, ns: np.abs([np.subtract(end_and_slope(f, -0.7, 2, rk4(n=int(n))), T(-0.7, 2)) for n in ns]).T
    whole = [(2 / n, *errors(f, T, n)) for f, T, n in ((relu, relu_in_closed_form, ns), (softplus, smooth, ns[::4]))]
    return kink(e, (on[1], before[1], on[0], soft[1], soft[0]), *whole)


FIGURES = {
    "05_loss_to_come.png": loss_to_come_by_odelearn,
    "05_limits.png": limits_by_odelearn,
    "05_jumps.png": jumps_by_odelearn,
    "05_starts.png": starts_by_odelearn,
    "05_kink.png": kink_by_odelearn,
}
