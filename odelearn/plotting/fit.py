"""A fitted model beside its data: over time, and in the phase plane."""

from collections import namedtuple

import numpy as np
from matplotlib import rc_context
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from .style import BLUE, GREY, INK, ORANGE, STYLE, Figure

# A curve of a model: label; ts (m,); zs (m, D), the states there; f(z) -> dz/dt, the field at the last of these times.
Curve = namedtuple("Curve", "label ts zs f")
LINES = [  # the model that is shown, then one beside it: told apart by width as well
    {"color": BLUE, "lw": 2.4, "zorder": 3},
    {"color": ORANGE, "lw": 1.1, "zorder": 2},
]


@rc_context(STYLE)
def fit_figure(series, curves):
    """Observations and models over time, the rows held out and forecast in the shade, and the phase portrait.

    series  the data, a fitting.series.Series: .ts (T,) in the units of the file, .zs (T, D) with nan where nothing was
            observed, .columns (D names), .time (a name), .rows to learn from, .hold_out rows after them, .log
    curves  the Curve of the model, and perhaps one more to compare it with, over the same time
    Returns the Figure.
    """
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
