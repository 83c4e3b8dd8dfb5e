"""A fitted model beside its data: over time with its bands, in the phase plane, and the loss of its training."""

from collections import namedtuple

import numpy as np
from matplotlib import rc_context

from .fit_axes import axis_label, date_or_integer_axis, draw_losses, value_axis
from .style import BLUE, GREY, INK, ORANGE, STYLE, Figure

# A curve of a model: label; ts (m,); zs (m, D), the states there; f(z) -> dz/dt, the field at the last of these times,
# or None; bands (m, D, 5), the quantiles 5, 25, 50, 75, 95 % of an observation, or None.
Curve = namedtuple("Curve", "label ts zs f bands", defaults=(None,))
LINES = [  # the model that is shown, then one beside it: told apart by width as well
    {"color": BLUE, "lw": 2.0, "zorder": 3},
    {"color": ORANGE, "lw": 1.1, "zorder": 2.5},
]
BANDS = [(0, 4, 0.13, "90 % band"), (1, 3, 0.25, "50 % band")]  # quantiles from and to, opacity, label
MOST_BESIDE = 4  # columns that stand below one another, beside the phase portrait; more make a grid


@rc_context(STYLE)
def fit_figure(series, curves, losses=None, trials=None):
    """Observations and models over time with their bands, the rows held out in the shade; the phase portrait; the loss.

    series  the data, a fitting.series.Series: .trials with ts (T,), zs (T, D), nan where nothing was observed, rows to
            learn from, and label; .columns (D names), .time (a name), .log, .calendar
    curves  the Curve of the model, and perhaps one more to compare it with, over the same time; of several trials a
            dict, {number of the trial: curves}
    losses  (history, {step: validation loss}, what the loss is called), or None for no such picture
    trials  {number of the trial: what is shown of it}, like series.trials; None: all
    Returns the Figure.
    """
    curves = curves if isinstance(curves, dict) else {0: curves}
    trials = trials or dict(enumerate(series.trials))
    D = len(series.columns)
    if len(curves) > 1:
        return trials_figure(series, trials, curves, losses)
    if D > MOST_BESIDE:
        return grid_figure(series, trials, curves, losses)
    ((k, own),) = curves.items()
    trial = trials[k]
    fig = Figure(figsize=(10.5, max(5.2, 1.7 * D)))
    halves = fig.add_gridspec(1, 2, width_ratios=(1.25, 1))
    left = halves[0].subgridspec(D, 1)
    right = halves[1].subgridspec(2, 1, height_ratios=(2.3, 1)) if losses else halves[1].subgridspec(1, 1)
    over_time = None
    for i in range(D):
        over_time = fig.add_subplot(left[i], sharex=over_time)
        draw_over_time(over_time, series, trial, own, i)
        over_time.tick_params(labelbottom=i == D - 1)
        if i == 0:
            over_time.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.1, columnspacing=1.2)
    over_time.set_xlabel(time_label(series))
    phase = fig.add_subplot(right[0])
    (draw_phase_plane if D > 1 else draw_phase_line)(phase, series, trial, own)
    if losses:
        draw_losses(fig.add_subplot(right[1]), *losses)
    return fig


def grid_figure(series, trials, curves, losses):
    """Many columns: a grid of small pictures over time, and the loss at its end."""
    ((k, own),) = curves.items()
    D, cells = len(series.columns), len(series.columns) + bool(losses)
    wide = 3 if cells <= 9 else 4
    high = -(-cells // wide)
    fig = Figure(figsize=(3.6 * wide, 2.0 * high + 0.6))
    grid = fig.add_gridspec(high, wide)
    for i in range(D):
        ax = fig.add_subplot(grid[i // wide, i % wide])
        draw_over_time(ax, series, trials[k], own, i)
        ax.tick_params(labelsize=8)
        if i == 0:
            fig.legend(*ax.get_legend_handles_labels(), ncols=5, loc="outside upper left")
        if i + wide >= D:
            ax.set_xlabel(time_label(series))
    if losses:
        draw_losses(fig.add_subplot(grid[high - 1, wide - 1]), *losses)
    return fig


def trials_figure(series, trials, curves, losses):
    """Several trials: one column of pictures for each, one row for each component; the loss below."""
    D, ks = len(series.columns), list(curves)
    high = 2.6 if D == 1 else 1.9
    fig = Figure(figsize=(min(3.4 * len(ks), 11.5), high * D + (2.0 if losses else 0.4)))
    parts = fig.add_gridspec(2 if losses else 1, 1, height_ratios=(high * D, 1.4) if losses else (1,))
    grid = parts[0].subgridspec(D, len(ks))
    for i in range(D):
        first, limits = None, []
        for j, k in enumerate(ks):
            first = ax = fig.add_subplot(grid[i, j], sharey=first)
            draw_over_time(ax, series, trials[k], curves[k], i)
            ax.tick_params(labelsize=8, labelleft=j == 0)
            if j:
                ax.set_ylabel("")
            if i == 0:
                ax.set_title(f"series {trials[k].label}" if trials[k].label.isdigit() else trials[k].label)
            if i == D - 1:
                ax.set_xlabel(time_label(series))
            if i == j == 0:
                fig.legend(*ax.get_legend_handles_labels(), ncols=5, loc="outside upper left")
            limits.append(ax.get_ylim())
        ax.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
        value_axis(ax.yaxis, series.log, ax.get_ylim())
    if losses:
        draw_losses(fig.add_subplot(parts[1]), *losses)
    if len(ks) < len(series.trials):
        fig.suptitle(f"{len(ks)} of {len(series.trials)} series", x=0.99, ha="right", fontsize=9)
    return fig


def time_label(series):
    return series.time if series.calendar or series.time == "t" else f"{series.time}  $= t$"


# ---- over time


def draw_over_time(ax, series, trial, curves, i):
    n, ts, zs = trial.rows, trial.ts, trial.zs[:, i]
    draw_observations(ax, ts, zs, n)
    for curve, line in zip(curves, LINES, strict=False):
        draw_forecast(ax, curve.ts, curve.zs[:, i], curve.ts, ts[n - 1], label=curve.label, **line)
        if curve.bands is not None:
            draw_bands(ax, curve.ts, curve.bands[:, i], line["color"])
    if n < len(ts):
        shade(ax, (ts[n - 1] + ts[n]) / 2, ts[-1], "held out", "#EFEFEF")
    if trial.learned < n:
        shade(ax, (ts[trial.learned - 1] + ts[trial.learned]) / 2, (ts[n - 1] + ts[min(n, len(ts) - 1)]) / 2,
              "validation", "#F6F1E4")  # fmt: skip
    ax.margins(x=0.02)
    date_or_integer_axis(ax, series, ts)
    ax.set_ylabel(axis_label(series, i))
    limit_values(ax, curves, zs, i)
    value_axis(ax.yaxis, series.log, ax.get_ylim())


def shade(ax, start, end, text, color):
    ax.axvspan(start, end, color=color, lw=0, zorder=0)
    note = {"transform": ax.get_xaxis_transform(), "fontsize": 7.5, "color": "#555555"}
    ax.text(end, 0.98, f"{text} ", ha="right", va="top", **note)


def limit_values(ax, curves, zs, i):
    """Around the data and the 50 % bands: a band that runs away does not press the rest together."""
    low, high = np.nanmin(zs), np.nanmax(zs)
    room = max(high - low, 1e-9 * max(abs(high), 1.0))
    values = [curve.zs[:, i] for curve in curves]
    values += [curve.bands[:, i, j] for curve in curves if curve.bands is not None for j in (0, 4)]
    values = np.concatenate(values)
    values = values[np.isfinite(values)]
    if values.size:
        low, high = min(low, max(values.min(), low - room)), max(high, min(values.max(), high + room))
    ax.set_ylim(low - 0.06 * room, high + 0.1 * room)


def draw_observations(ax, x, y, n):
    """Dots for the rows to learn from, rings for those held out; many of them small, pale and behind the curve."""
    size, alpha = (4.5, 1.0) if len(x) <= 60 else (2.8, 0.6) if len(x) <= 400 else (1.6, 0.35)
    dots = {"ls": "", "marker": "o", "mec": INK, "ms": size, "zorder": 4 if len(x) <= 60 else 1.5, "alpha": alpha}
    dots |= {} if len(x) <= 60 else {"mew": 0.4}
    ax.plot(x[:n], y[:n], mfc=INK, label="observed", **dots)
    ax.plot(x[n:], y[n:], mfc="white", **dots)


def draw_forecast(ax, x, y, t, t_learned, label, **line):
    """Solid as far as the model has learned, dashed where it forecasts."""
    learned, beyond = t <= t_learned, t >= t_learned
    ax.plot(x[learned], y[learned], label=label, **line)
    ax.plot(x[beyond], y[beyond], ls=(0, (3, 1.5)), **line)


def draw_bands(ax, ts, bands, color):
    """bands (m, 5): the quantiles 5, 25, 50, 75, 95 %."""
    for low, high, alpha, label in BANDS:
        ax.fill_between(ts, bands[:, low], bands[:, high], color=color, alpha=alpha, lw=0, zorder=2, label=label)


# ---- the phase plane


def draw_phase_plane(ax, series, trial, curves):
    """The first two components against each other; on the field of the first model if there are no others."""
    n, zs = trial.rows, trial.zs
    draw_observations(ax, zs[:, 0], zs[:, 1], n)
    for curve, line in zip(curves, LINES, strict=False):
        draw_forecast(ax, curve.zs[:, 0], curve.zs[:, 1], curve.ts, trial.ts[n - 1], label=curve.label, **line)
    z0 = curves[0].zs[0]
    ax.plot(z0[0], z0[1], "s", color=BLUE, ms=6, zorder=5)
    ax.annotate("$z_0$", z0[:2], (-17, -4), textcoords="offset points", color=BLUE, zorder=5)
    ax.set_title("phase portrait")
    if zs.shape[1] == 2 and curves[0].f is not None:
        draw_field(ax, curves[0].f)
        ax.set_title(f"phase portrait and learned field dz/dt at t = {curves[0].ts[-1]:.6g}")
    ax.set(xlabel=axis_label(series, 0), ylabel=axis_label(series, 1))
    value_axis(ax.xaxis, series.log, ax.get_xlim())
    value_axis(ax.yaxis, series.log, ax.get_ylim())


def draw_field(ax, f, points=24):
    """Streamlines of dz/dt = f(z) over the whole of the axes, thicker where it is faster."""
    xlim, ylim = ax.get_xlim(), ax.get_ylim()
    x, y = np.linspace(*xlim, points), np.linspace(*ylim, points)
    dz = np.array([[f(np.array([x_j, y_i])) for x_j in x] for y_i in y])  # (points, points, 2)
    speed = np.hypot(dz[..., 0] / np.ptp(xlim), dz[..., 1] / np.ptp(ylim))
    width = 0.4 + 1.2 * speed / max(speed.max(), np.finfo(float).tiny)
    ax.streamplot(x, y, dz[..., 0], dz[..., 1], color="#B9C7D3", linewidth=width, density=1.1, arrowsize=0.8, zorder=0)
    ax.set(xlim=xlim, ylim=ylim)


def draw_phase_line(ax, series, trial, curves):
    """dz/dt against z, for a state with one component: it rests where the curve crosses zero. Where others are not
    observed there is no such line, and what the model says is laid against what was observed."""
    if curves[0].f is None:
        draw_agreement(ax, series, trial, curves[0])
        return
    z = np.linspace(np.nanmin(trial.zs), np.nanmax(trial.zs), 200)
    ax.axhline(0, color=GREY, lw=0.8)
    for curve, line in zip(curves, LINES, strict=False):
        if curve.f is not None:
            ax.plot(z, [curve.f(np.array([z_i]))[0] for z_i in z], **line)
    ax.set(xlabel=axis_label(series, 0), ylabel="dz/dt", title="the learned field dz/dt")
    value_axis(ax.xaxis, series.log, ax.get_xlim())


def draw_agreement(ax, series, trial, curve):
    fitted = np.interp(trial.ts, curve.ts, curve.zs[:, 0])
    low, high = np.nanmin(trial.zs), np.nanmax(trial.zs)
    ax.plot([low, high], [low, high], color=GREY, lw=0.8)
    draw_observations(ax, fitted, trial.zs[:, 0], trial.rows)
    ax.set(xlabel=f"model: {axis_label(series, 0)}", ylabel="observed", title="observed against the model")
    for axis, limits in (ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim()):
        value_axis(axis, series.log, limits)
