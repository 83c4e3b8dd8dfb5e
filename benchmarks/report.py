"""Tables and pictures of what was measured."""

import platform
from importlib.metadata import PackageNotFoundError, version

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from odelearn.plotting.style import BLUE, GREY, INK, ORANGE, SKY, STYLE, save

PACKAGES = ("numpy", "scipy", "torch", "torchdiffeq", "jax", "jaxlib", "diffrax", "autograd")


FAST_TANH = 6e-6  # seconds for 1000 numbers; NumPy's vector code takes 2e-6, the C library 2e-5


def machine(tanh):
    """CPU, Python and the packages that were met, no names of hosts, no paths. tanh: seconds for a (20, 50) array."""
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            pass
    speed = "fast" if tanh < FAST_TANH else "slow"
    return f"{cpu()}, np.tanh {speed}, one thread. Python {platform.python_version()}, " + ", ".join(found)


def cpu():
    try:
        with open("/proc/cpuinfo") as info:
            return next(line.split(":", 1)[1].strip() for line in info if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def table(header, rows):
    """A Markdown table, aligned so that it reads as plain text too."""
    cells = [[str(c) for c in row] for row in [header, *rows]]
    widths = [max(len(row[j]) for row in cells) for j in range(len(header))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in cells]
    return "\n".join([lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]])


def times(ratio):
    """odelearn's time over another's, in words."""
    return f"{ratio:.2f} x its time" if ratio >= 1 else f"{1 / ratio:.{1 if ratio > 0.1 else 0}f} x faster"


def met(ratio, bound):
    return "" if bound is None else "yes" if ratio <= bound else "NO"


def workload_table(result):
    """One row for each competitor of each odelearn entry, after a row for that entry itself."""
    rows = []
    for ours in result.ours:
        rows.append((ours, f"{1e3 * np.median(result.seconds[ours]):.3g}", "", "", "", ""))
        for row in result.rows:
            if row.ours == ours:
                target = "" if row.bound is None else times(row.bound)
                compile = f"{row.compile:.1f}" if row.compile else ""
                ms = f"{1e3 * np.median(result.seconds[row.other]):.3g}"
                rows.append((f"- {row.other}", ms, times(row.ratio), target, met(row.ratio, row.bound), compile))
    return table(("", "ms", "odelearn takes", "target", "met", "compile, s"), rows)


def plain_table(rows):
    """(what, value, unit, target)."""
    cells = [(what, f"{value:.3g} {unit}", f"{bound:g} {unit}", met(value, bound)) for what, value, unit, bound in rows]
    return table(("", "median", "at most", "met"), cells)


# --- Pictures ---------------------------------------------------------------------------------------------------------


def colour(name, own):
    if name.startswith(("NumPy limit", "products")):
        return GREY
    return BLUE if name in own or name.startswith("MLP") else ORANGE


@matplotlib.rc_context(STYLE)
def benchmark_figure(results, own, path):
    """Every contender of every workload on one axis of time, and the grid of W4 beside it."""
    listed = [r for r in results if not r.name.startswith("W4")]
    lines = sum(len(r.seconds) + 1.6 for r in listed)
    fig = Figure(figsize=(11, max(7.5, 0.16 * lines)))
    contenders, grid = fig.subplots(1, 2, width_ratios=(1.5, 1))
    draw_contenders(contenders, listed, own)
    draw_grid(grid, [r for r in results if r.name.startswith("W4")])
    save(fig, path)


def draw_contenders(ax, results, own):
    """A dot for the median, a bar from quartile to quartile; the fastest on top."""
    y, labels = 0, []
    for result in results:
        labels.append((y, f"{result.name}: {result.title}", "bold"))
        for name, seconds in sorted(result.seconds.items(), key=lambda item: np.median(item[1])):
            y += 1
            low, ms, high = 1e3 * np.quantile(seconds, (0.25, 0.5, 0.75))
            ax.plot((low, high), (y, y), color=colour(name, own), lw=1.5)
            ax.plot(ms, y, "o", color=colour(name, own), ms=5)
            labels.append((y, name, "normal"))
        y += 1.6
    ys, texts, weights = zip(*labels, strict=True)
    ax.set_yticks(ys, texts, fontsize=7.5)
    for tick, weight in zip(ax.get_yticklabels(), weights, strict=True):
        tick.set_fontweight(weight)
    ax.set(xscale="log", xlabel="milliseconds a call: median, quartiles", ylim=(y, -1))
    ax.grid(axis="x", color="#E5E5E5", lw=0.6)
    ax.set_axisbelow(True)


def draw_grid(ax, results):
    """Time against batch, a colour for each width: odelearn, its limit, a peer."""
    cells = {tuple(int(part[2:]) for part in r.name.split()[1:]): r for r in results}  # "W4 H=16 N=1": (16, 1)
    lines = (("odelearn Discrete", "o-", 2), ("NumPy limit", "--", 1.2), ("torchdiffeq backprop", ":", 1.2))
    for H, c in zip(sorted({H for H, _ in cells}), (INK, BLUE, ORANGE, SKY), strict=False):
        batches = sorted(N for h, N in cells if h == H)
        for name, line, lw in lines:
            ms = [1e3 * np.median(cells[H, N].seconds.get(name, np.nan)) for N in batches]
            ax.plot(batches, ms, line, color=c, lw=lw, ms=4, label=f"{name}, H = {H}" if name == lines[0][0] else None)
    for name, line, lw in lines[1:]:
        ax.plot([], [], line, color=GREY, lw=lw, label=name)
    ax.set(xscale="log", yscale="log", xlabel="batch", ylabel="milliseconds", title="W4: gradient by Discrete")
    ax.legend(fontsize=7.5, loc="upper right", bbox_to_anchor=(1.02, -0.08), ncols=2)


@matplotlib.rc_context(STYLE)
def scaling_figure(measured, held, slope, path):
    """Time against steps, batch and width, and memory against steps, one line a method; the legend has the slopes."""
    fig = Figure(figsize=(11, 7))
    axes = dict(zip(("steps", "batch", "width", "memory"), fig.subplots(2, 2).flat, strict=True))
    styles = dict(zip(held, ((BLUE, "o"), (ORANGE, "s"), (SKY, "^"), (INK, "v")), strict=True))
    for (axis, name), (x, seconds) in measured.items():
        draw_line(axes[axis], x, 1e3 * seconds, name, styles[name], slope)
    for name, (x, size) in held.items():
        draw_line(axes["memory"], x, size / 1024, name, styles[name], slope)
    for axis, ax in axes.items():
        what = "KiB held between the passes" if axis == "memory" else "milliseconds a gradient"
        ax.set(xscale="log", yscale="log", xlabel="steps" if axis == "memory" else axis, ylabel=what)
        ax.legend(fontsize=8, title="slope at the upper end", title_fontsize=8, alignment="left")
    save(fig, path)


def draw_line(ax, x, y, name, style, slope):
    colour, marker = style
    ax.plot(x, y, color=colour, marker=marker, ms=4, lw=1.5, label=f"{name}  {abs(slope(x, y)):.2f}")
