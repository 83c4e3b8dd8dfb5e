"""Section 3 of the paper: Table 1 and Figure 3 for the digits, and the ways of points in the plane."""

import numpy as np
from matplotlib import rc_context

from .style import BLUE, GREEN, GREY, INK, ORANGE, STYLE, YELLOW, Figure

FORM_COLORS = {"mlp": GREY, "resnet": ORANGE, "rk-net": GREEN, "ode-net": BLUE}
CLASS_COLORS = (BLUE, ORANGE)


@rc_context(STYLE)
def digits_figure(seeds):
    """Test errors, memory, and the four panels of the paper's Figure 3.

    seeds  {"mlp", "resnet", "rk-net", "ode-net": the results of experiments.digits.cross_validate, a list, one a seed}.
           The errors are means over the seeds; everything else is of the first
    Returns the Figure.
    """
    fig = Figure(figsize=(11.5, 6.6))
    (errors, a, b), (memory, c, d) = fig.subplots(2, 3)
    draw_errors(errors, seeds)
    deep = {name: results[0] for name, results in seeds.items() if "depths" in results[0]}
    draw_memory(memory, deep["ode-net"]["depths"], {name: r["depth_bytes"] for name, r in deep.items()})
    memory.set_title("Table 1: memory")
    figure_3 = seeds["ode-net"][0]["figure_3"]
    for ax, draw in (a, draw_error), (b, draw_time), (c, draw_backward):
        draw(ax, figure_3)
    draw_evaluations(d, figure_3["evaluations"])
    return fig


def draw_errors(ax, seeds):
    names = []
    for i, (name, results) in enumerate(seeds.items()):
        error = np.mean([r["test_error"] for r in results])
        ax.bar(i, error, 0.6, yerr=results[0]["standard_error"], capsize=4, color=FORM_COLORS[name])
        ax.text(i, 0, f"{error:.2f}", ha="center", va="bottom", color="white", fontweight="bold")
        names.append(f"{name}\n{results[0]['parameters'] / 1000:.0f} k")
    ax.set_xticks(range(len(names)), names)
    ax.set(xlabel="and number of parameters", ylabel="test error in %, $\\pm$ standard error")
    ax.set_title("Table 1: error")


def draw_memory(ax, depths, peaks):
    """Megabytes over the depth, a line for each net; peaks in bytes."""
    for name, peak in peaks.items():
        ax.loglog(depths, np.array(peak) / 1e6, "o-", color=FORM_COLORS[name], label=name)
    ax.set(xlabel="residual blocks, or evaluations of $f$", ylabel="peak of one gradient in MB")
    ax.set(ylim=(0.8 * min(map(min, peaks.values())) / 1e6, 1.5 * max(map(max, peaks.values())) / 1e6))
    for axis, ticks in (ax.xaxis, depths), (ax.yaxis, (0.1, 1, 2, 5, 10, 20, 50, 100, 200)):
        low, high = axis.get_view_interval()
        ticks = [tick for tick in ticks if low <= tick <= high]
        axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.legend()


def draw_error(ax, r):
    """Figure 3a: a point for each tolerance."""
    forward = np.array(r["forward"])
    ax.loglog(forward, r["error"], "o", color=BLUE)
    loosest, tightest = r["tolerances"][0], r["tolerances"][-1]
    ax.set(xlabel="evaluations forward", ylabel="error of $z(1)$, root mean square")
    ax.set_title(f"3a: error, tolerances {loosest:g} to {tightest:g}")
    ticks = [tick for tick in (10, 20, 50, 100, 200, 500) if forward.min() / 1.5 < tick < forward.max() * 1.5]
    ax.set(xticks=ticks, xticklabels=ticks)
    ax.minorticks_off()


def draw_time(ax, r):
    """Figure 3b."""
    ax.plot(r["forward"], 1000 * np.array(r["seconds"]), "o", color=BLUE)
    ax.set(xlabel="evaluations forward", ylabel="ms of CPU, forward pass", title="3b: time over evaluations")
    ax.set(xlim=(0, None), ylim=(0, None))


def draw_backward(ax, r):
    """Figure 3c."""
    most = 1.08 * max(*r["forward"], *r["backward"])
    for slope, name, dashes in (1, "equal", ":"), (0.5, "half, as in the paper", "--"):
        ax.plot([0, most], [0, slope * most], color=GREY, lw=1, ls=dashes, label=name)
    ax.plot(r["forward"], r["backward"], "o", color=BLUE, label="a tolerance")
    ax.set(xlabel="evaluations forward", ylabel="evaluations backward", title="3c: backward over forward")
    ax.set(xlim=(0, most), ylim=(0, most))
    ax.legend(loc="upper left", fontsize=8.5)


def draw_evaluations(ax, evaluations):
    for (tolerance, counts), color in zip(evaluations.items(), (BLUE, YELLOW), strict=True):
        ax.plot(counts, color=color, label=f"tolerance {float(tolerance):g}")
    ax.set(xlabel="epochs of training", ylabel="evaluations forward", title="3d: evaluations during training")
    ax.set_ylim(0, 1.3 * max(map(max, evaluations.values())))
    ax.legend(loc="upper right", fontsize=8.5)


@rc_context(STYLE)
def plane_figure(results):
    """For each problem the ways of some points, where they end, and the classes that the net sees in the plane.

    results  {name: a result of experiments.plane.separate}; with paths of shape (frames, points, 2 or 3)
    Returns the Figure.
    """
    fig = Figure(figsize=(3.9 * len(results), 7.6))
    fig.suptitle(
        "above: the ways from $z(0)$ (rings) to $z(1)$ (dots); below: the classes that the net sees", fontsize=11
    )
    for i, (name, r) in enumerate(results.items()):
        paths, labels = np.array(r["paths"]), np.array(r["labels"])
        D = paths.shape[2]
        top = fig.add_subplot(2, len(results), i + 1, **({"projection": "3d"} if D == 3 else {}))
        draw_paths(top, paths, labels)
        top.set_title(name)
        bottom = fig.add_subplot(2, len(results), len(results) + i + 1)
        draw_classes(bottom, r, paths[0, :, :2], labels)
        bottom.set_title(f"training loss {r['training_loss']:.1e}")
    return fig


def draw_paths(ax, paths, labels):
    for color, of_class in zip(CLASS_COLORS, (labels == 0, labels == 1), strict=True):
        for way in np.moveaxis(paths[:, of_class], 1, 0):
            ax.plot(*way.T, color=color, lw=0.6, alpha=0.6)
        ax.plot(*paths[0, of_class].T, "o", ms=3.5, mfc="white", mec=color, mew=0.8)
        ax.plot(*paths[-1, of_class].T, "o", ms=3.5, color=color, mec=INK, mew=0.4)
    names = ("$z_1$", "$z_2$", "$z_3$")[: paths.shape[2]]
    for axis, name in zip("xyz", names, strict=False):
        getattr(ax, f"set_{axis}label")(name)
    if paths.shape[2] == 2:
        ax.set_aspect("equal")
    else:
        ax.set_box_aspect(None, zoom=0.78)  # room for the names of the axes


def draw_classes(ax, r, points, labels):
    (left, right), (low, high) = r["box"]
    options = {"extent": (left, right, low, high), "origin": "lower", "vmin": 0, "vmax": 1, "alpha": 0.45}
    ax.imshow(np.array(r["probabilities"]), cmap=class_colormap(), interpolation="bilinear", **options)
    for color, of_class in zip(CLASS_COLORS, (labels == 0, labels == 1), strict=True):
        ax.plot(*points[of_class].T, "o", ms=3.5, color=color, mec="white", mew=0.5)
    ax.set(xlabel="$x_1$", ylabel="$x_2$")


def class_colormap():
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("classes", [CLASS_COLORS[0], "white", CLASS_COLORS[1]])
