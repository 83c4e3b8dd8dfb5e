"""The pictures of the experiments, and the style of all pictures. They are drawn off screen: no display is needed."""

from collections import namedtuple

import matplotlib
import numpy as np
from matplotlib.animation import PillowWriter
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

# Okabe and Ito's palette tells its colours apart for every common kind of colour blindness, and these also in grey.
INK, BLUE, ORANGE, SKY, GREY = "#000000", "#0072B2", "#D55E00", "#56B4E9", "#9A9A9A"
GREEN, YELLOW, PINK = "#009E73", "#E69F00", "#CC79A7"  # the rest of it, for more than five things

STYLE = {
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.edgecolor": "#444444",
    "legend.frameon": False,
    "lines.solid_capstyle": "round",
}

Curve = namedtuple("Curve", "label ts zs f")  # f(z) -> dz/dt: the field that the curve follows, at its last time
LINES = [  # the model that is shown, then one beside it: told apart by width as well
    {"color": BLUE, "lw": 2.4, "zorder": 3},
    {"color": ORANGE, "lw": 1.1, "zorder": 2},
]


def save(fig, path):
    """As PNG, the same bytes each time."""
    with matplotlib.rc_context(STYLE):
        fig.savefig(path, metadata={"Software": None}, format="png")


# ---- a fit


def fit_figure(series, curves):
    """Observations and models over time, the rows held out and forecast in the shade, and the phase portrait."""
    with matplotlib.rc_context(STYLE):
        D = len(series.columns)
        fig = Figure(figsize=(10.5, max(4.4, 1.7 * D)))
        grid = fig.add_gridspec(D, 2, width_ratios=(1.25, 1))
        over_time = None
        for i in range(D):
            over_time = fig.add_subplot(grid[i, 0], sharex=over_time)
            draw_over_time(over_time, series, curves, i)
            over_time.tick_params(labelbottom=i == D - 1)
            if i == 0:
                over_time.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.1)
        over_time.set_xlabel(f"{series.time}  $= t$")
        phase = fig.add_subplot(grid[:, 1])
        (draw_phase_plane if D > 1 else draw_phase_line)(phase, series, curves)
    return fig


def draw_over_time(ax, series, curves, i):
    n, ts, zs = series.rows, series.ts, series.zs[:, i]
    draw_observations(ax, ts, zs, n)
    for curve, line in zip(curves, LINES, strict=False):
        draw_forecast(ax, curve.ts, curve.zs[:, i], curve.ts, ts[n - 1], label=curve.label, **line)
    if series.hold_out:
        ax.axvspan((ts[n - 1] + ts[n]) / 2, ts[-1], color="#EFEFEF", lw=0)
        note = {"transform": ax.get_xaxis_transform(), "fontsize": 8.5, "color": "#555555"}
        ax.text(ts[-1], 0.98, "held out ", ha="right", va="top", **note)
    if np.array_equal(ts, np.round(ts)):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    ax.margins(x=0.02)
    ax.set_ylabel(axis_label(series, i))
    value_axis(ax.yaxis, series.log, zs)


def draw_observations(ax, x, y, n):
    """Dots for the rows to learn from, rings for those held out."""
    dots = {"ls": "", "marker": "o", "mec": INK, "ms": 4.5, "zorder": 4}
    ax.plot(x[:n], y[:n], mfc=INK, label="observed", **dots)
    ax.plot(x[n:], y[n:], mfc="white", **dots)


def draw_forecast(ax, x, y, t, t_learned, label, **line):
    """Solid as far as the model has learned, dashed where it forecasts."""
    learned, beyond = t <= t_learned, t >= t_learned
    ax.plot(x[learned], y[learned], label=label, **line)
    ax.plot(x[beyond], y[beyond], ls=(0, (3, 1.5)), **line)


def draw_phase_plane(ax, series, curves):
    """The first two components against each other; on the field of the first model if there are no others."""
    n, zs = series.rows, series.zs
    draw_observations(ax, zs[:, 0], zs[:, 1], n)
    for curve, line in zip(curves, LINES, strict=False):
        draw_forecast(ax, curve.zs[:, 0], curve.zs[:, 1], curve.ts, series.ts[n - 1], label=curve.label, **line)
    z0 = curves[0].zs[0]
    ax.plot(z0[0], z0[1], "s", color=BLUE, ms=6, zorder=5)
    ax.annotate("$z_0$", z0[:2], (-17, -4), textcoords="offset points", color=BLUE, zorder=5)
    ax.set_title("phase portrait")
    if zs.shape[1] == 2:
        draw_field(ax, curves[0].f)
        ax.set_title(f"phase portrait and learned field dz/dt at t = {curves[0].ts[-1]:.6g}")
    ax.set(xlabel=axis_label(series, 0), ylabel=axis_label(series, 1))
    value_axis(ax.xaxis, series.log, zs[:, 0])
    value_axis(ax.yaxis, series.log, zs[:, 1])


def draw_field(ax, f, points=24):
    """Streamlines of dz/dt = f(z) over the whole of the axes, thicker where it is faster."""
    xlim, ylim = ax.get_xlim(), ax.get_ylim()
    x, y = np.linspace(*xlim, points), np.linspace(*ylim, points)
    dz = np.array([[f(np.array([x_j, y_i])) for x_j in x] for y_i in y])  # (points, points, 2)
    speed = np.hypot(dz[..., 0] / np.ptp(xlim), dz[..., 1] / np.ptp(ylim))
    width = 0.4 + 1.2 * speed / max(speed.max(), np.finfo(float).tiny)
    ax.streamplot(x, y, dz[..., 0], dz[..., 1], color="#B9C7D3", linewidth=width, density=1.1, arrowsize=0.8, zorder=0)
    ax.set(xlim=xlim, ylim=ylim)


def draw_phase_line(ax, series, curves):
    """dz/dt against z, for a state with one component: it rests where the curve crosses zero."""
    z = np.linspace(np.nanmin(series.zs), np.nanmax(series.zs), 200)
    ax.axhline(0, color=GREY, lw=0.8)
    for curve, line in zip(curves, LINES, strict=False):
        ax.plot(z, [curve.f(np.array([z_i]))[0] for z_i in z], **line)
    ax.set(xlabel=axis_label(series, 0), ylabel="dz/dt", title="the learned field dz/dt")
    value_axis(ax.xaxis, series.log, series.zs[:, 0])


def axis_label(series, i):
    name = series.columns[i]
    return f"{name}  $= e^{{z_{i + 1}}}$" if series.log else f"{name}  $= z_{i + 1}$"


def value_axis(axis, log, zs):
    """Ticks in the units of the file: where z = log y they stand at 1, 2, 5, 10, ..."""
    if log:
        low, high = np.exp(np.nanmin(zs)) / 3, np.exp(np.nanmax(zs)) * 3
        decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))))
        ticks = [m * 10.0**k for k in decades for m in ((1, 2, 5) if len(decades) < 5 else (1,))]
        axis.set_major_locator(FixedLocator(np.log(ticks)))
        axis.set_major_formatter(FuncFormatter(lambda z, _: f"{np.exp(z):.6g}"))


# ---- the spirals


def spiral_figure(zs, zs_true, curves, errors, cubic):
    """The linear spiral with what was learned of it and how fast; the cubic spiral in its learned field and over time.

    curves and errors: name -> (m, 2) and name -> (steps + 1,), first Euler, then Dormand-Prince.
    """
    with matplotlib.rc_context(STYLE):
        fig = Figure(figsize=(10.5, 8.2))
        (plane, learning), (cubic_plane, over_time) = fig.subplots(2, 2)
        draw_spiral(plane, zs, curves)
        plane.plot(*zs_true.T, color=INK, lw=0.8, ls=":", label="true")
        plane.set_title("dz/dt = A z: observations and learned spirals")
        plane.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8.5)
        draw_errors(learning, errors)
        learning.set_title("A, learned from random windows by the adjoint")
        draw_cubic_plane(cubic_plane, cubic)
        draw_cubic_over_time(over_time, cubic)
    return fig


SPIRAL_LINES = [{"color": ORANGE, "lw": 3.2, "alpha": 0.75}, {"color": BLUE, "lw": 1.4}]


def draw_spiral(ax, zs, curves):
    ax.plot(*zs.T, "o", color=GREY, ms=2.5, mew=0, label="observed")
    for (name, curve), line in zip(curves.items(), SPIRAL_LINES, strict=False):
        ax.plot(*curve.T, label=name, **line)
    ax.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal")


def draw_errors(ax, errors):
    for (name, error), line in zip(errors.items(), SPIRAL_LINES, strict=True):
        ax.semilogy(error, label=f"{name}: {error[-1]:.4f} at last", **line)
    ax.axhline(0.02, color=GREY, lw=0.8, ls="--")
    ax.text(0, 0.0205, "0.02", color="#555555", fontsize=8.5, va="bottom")
    ax.set(xlabel="steps of Adam", ylabel="max $|A_\\mathrm{learned} - A|$")
    ax.legend(loc="upper right", fontsize=8.5)


def draw_cubic_plane(ax, cubic):
    ax.plot(*cubic.zs_true.T, color=INK, lw=0.9, ls=":", label="true")
    ax.plot(*cubic.zs.T, color=BLUE, lw=1.4, label="learned by the network")
    ax.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal", title="dz/dt = $z^3$ A: learned field and spiral from $z_0$")
    draw_field(ax, cubic.field)


def draw_cubic_over_time(ax, cubic):
    ax.plot(cubic.ts, cubic.zs_true[:, 0], color=INK, lw=0.9, ls=":", label="true")
    ax.plot(cubic.ts, cubic.zs[:, 0], color=BLUE, lw=1.4, label="learned by the network")
    ax.set(xlabel="$t$", ylabel="$z_1$", title=f"over time: mean $|z - z_\\mathrm{{true}}|$ = {cubic.error:.3f}")
    ax.legend(loc="lower right", fontsize=8.5)


def spiral_film(zs, steps, films, errors, path):
    """A GIF of the learning: a panel for each solver, a frame for each of `steps`; films: name -> curves (m, 2)."""
    with matplotlib.rc_context(STYLE):
        fig = Figure(figsize=(7.2, 3.9))
        lines = []
        for ax, name, line in zip(fig.subplots(1, 2), films, SPIRAL_LINES, strict=True):
            draw_spiral(ax, zs, {})
            ax.set(xlim=(-0.75, 0.75), ylim=(-0.75, 0.75), xticks=(-0.5, 0, 0.5), yticks=(-0.5, 0, 0.5))
            lines.append((name, ax, *ax.plot([], [], **line)))
            ax.set_title("\n")
        fig.draw_without_rendering()
        fig.set_layout_engine("none")  # what was found now is kept: nothing jumps between frames
        writer = PillowWriter(fps=8)
        writer.setup(fig, path, dpi=80)
        for frame in [*range(len(steps)), *[len(steps) - 1] * 8]:  # the last one stays
            for name, ax, line in lines:
                line.set_data(*films[name][frame].T)
                error = errors[name][steps[frame]]
                ax.set_title(f"{name}, step {steps[frame]}\nmax $|A_\\mathrm{{learned}} - A|$ = {error:.3f}")
            writer.grab_frame()
        writer.finish()


# ---- where a solver steps and where it looks


def ledger(traj, gradients=None):
    """The solution with its evaluation points, as in Figure 1 of the paper, over every attempted step: |h| at t.

    traj       a Trajectory
    gradients  of the same solve, from Backsolve or Interpolating: their backward solve is drawn below. It is taken to
               have the tableau of traj
    """
    ledgers = [("forward", traj.ledger, BLUE)] + ([("backward", gradients.stats.ledger, ORANGE)] if gradients else [])
    with matplotlib.rc_context(STYLE):
        fig = Figure(figsize=(9, 3.4 + 1.7 * len(ledgers)))
        top, *below = fig.subplots(1 + len(ledgers), sharex=True, height_ratios=[2] + [1] * len(ledgers))
        draw_solution(top, traj)
        for ax, (way, attempts, colour) in zip(below, ledgers, strict=True):
            draw_attempts(ax, attempts, traj.solver.tableau.c, colour)
            ax.set_ylabel(f"|h|, {way}")
        below[-1].set_xlabel("t")
    return fig


def draw_solution(ax, traj, most=4):
    """The first components of z, and the points Z_i at which f was measured."""
    t = np.linspace(traj.ts[0], traj.ts[-1], 1000)
    z = traj(t).reshape(len(t), -1)[:, :most]
    for i, line in enumerate(z.T):
        colour = (BLUE, ORANGE, GREEN, PINK)[i]
        ax.plot(t, line, color=colour, lw=1.4, label=f"$z_{i + 1}$")
        ax.plot(traj.ts, traj.zs.reshape(len(traj.ts), -1)[:, i], "o", color=colour, ms=6, zorder=4)
    for step in traj.steps:
        A, c = step.scheme.tableau.A, step.scheme.tableau.c
        Z = step.z.reshape(-1) + step.h * A @ step.k.reshape(len(A), -1)
        ax.plot(step.t + step.h * c, Z[:, :most], "o", color=INK, ms=2.6, mfc="white", mew=0.6, zorder=3)
    ax.plot([], [], "o", color=INK, ms=2.6, mfc="white", mew=0.6, label="evaluations of f")
    ax.plot([], [], "o", color=GREY, ms=6, label="observations")
    ax.legend(ncols=6, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.1)
    ax.set_ylabel("z(t)")


def draw_attempts(ax, attempts, c, colour):
    """A bar from t to t + h at the height |h| for every attempt, with the nodes t + c_i h on it; rejected: a cross."""
    for t, h, _, accepted in attempts:
        paint = colour if accepted else GREY
        ax.plot([t, t + h], [abs(h)] * 2, color=paint, lw=1.6, zorder=2 + accepted)
        ax.plot(t + h * c, [abs(h)] * len(c), "o", color=paint, ms=2.6, mfc="white", mew=0.6, zorder=2 + accepted)
        if not accepted:
            ax.plot(t, abs(h), "x", color=INK, ms=5, mew=1.2, zorder=4)
    accepted = sum(attempt.accepted for attempt in attempts)
    title = f"{accepted} steps accepted, {len(attempts) - accepted} rejected (×)"
    ax.set_title(title, loc="right", fontsize=9, color="#555555", pad=2)
    ax.set_yscale("log")
