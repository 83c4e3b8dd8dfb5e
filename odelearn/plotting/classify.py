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
    draw_memory(memory, {name: results[0] for name, results in seeds.items() if "depths" in results[0]})
    draw_tolerances((a, b, c), seeds["ode-net"][0]["figure_3"])
    draw_evaluations(d, seeds["ode-net"][0]["figure_3"]["evaluations"])
    return fig


def draw_errors(ax, seeds):
    for i, (name, results) in enumerate(seeds.items()):
        error = np.mean([r["test_error"] for r in results])
        label = f"{name}\n{results[0]['parameters'] / 1000:.0f} k"
        ax.bar(i, error, 0.6, yerr=results[0]["standard_error"], capsize=4, color=FORM_COLORS[name])
        ax.text(i, 0.05, f"{error:.2f}", ha="center", va="bottom", color="white", fontweight="bold")
        ax.text(i, -0.07, label, ha="center", va="top", transform=ax.get_xaxis_transform())
    ax.set(xticks=[], ylabel="test error in %", title="Table 1: error and number of parameters")
    ax.set_xlabel("\n\nbars: one standard error", fontsize=9)


def draw_memory(ax, results):
    for name, r in results.items():
        ax.loglog(r["depths"], np.array(r["depth_bytes"]) / 1e6, "o-", color=FORM_COLORS[name], label=name)
    depths = next(iter(results.values()))["depths"]
    ax.set(xticks=depths, xticklabels=depths, xlabel="evaluations of $f$, or residual blocks")
    ax.set(ylabel="peak of one gradient in MB", title="Table 1: memory")
    ax.minorticks_off()
    ax.legend()


def draw_tolerances(axes, r):
    """Figure 3 a, b, c: a point for each tolerance."""
    a, b, c = axes
    forward = np.array(r["forward"])
    a.loglog(forward, r["error"], "o", color=BLUE)
    for i, side in (0, "left"), (-1, "right"):
        a.annotate(f"tolerance {r['tolerances'][i]:g}", (forward[i], r["error"][i]), (0, -14 if i else 8),
                   textcoords="offset points", ha=side, fontsize=8.5)  # fmt: skip
    a.set(
        ylabel="error of $z(1)$, root mean square",
        title="3a: error over evaluations",
        ylim=(None, 30 * max(r["error"])),
    )
    b.plot(forward, 1000 * np.array(r["seconds"]), "o", color=BLUE)
    b.set(ylabel="ms of CPU, forward pass", title="3b: time over evaluations", xlim=(0, None), ylim=(0, None))
    most = forward.max() * 1.08
    c.plot([0, most], [0, most], color=GREY, lw=1, ls=":")
    c.plot([0, most], [0, most / 2], color=GREY, lw=1, ls="--")
    c.text(most, most, "equal ", ha="right", va="top", fontsize=8.5, color="#555555")
    c.text(most, most / 2, "half, as in the paper ", ha="right", va="top", fontsize=8.5, color="#555555")
    c.plot(forward, r["backward"], "o", color=BLUE)
    c.set(ylabel="evaluations backward", title="3c: backward over forward", xlim=(0, most), ylim=(0, most * 1.1))
    ticks = [tick for tick in (10, 20, 50, 100, 200, 500) if forward.min() / 1.5 < tick < forward.max() * 1.5]
    a.set(xticks=ticks, xticklabels=ticks)
    a.minorticks_off()
    for ax in axes:
        ax.set_xlabel("evaluations forward")


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
    fig = Figure(figsize=(3.6 * len(results), 7.6))
    for i, (name, r) in enumerate(results.items()):
        paths, labels = np.array(r["paths"]), np.array(r["labels"])
        D = paths.shape[2]
        top = fig.add_subplot(2, len(results), i + 1, **({"projection": "3d"} if D == 3 else {}))
        draw_paths(top, paths, labels)
        top.set_title(f"{name}: $z(0)$ (rings) to $z(1)$ (dots)")
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
        ax.set_aspect("equal", adjustable="datalim")


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
