"""Pictures of normalizing flows: densities that were matched, flows of moons and circles, what they cost."""

import matplotlib

from .film import film
from .style import BLUE, GREEN, GREY, INK, ORANGE, PINK, STYLE, Figure


def matched(targets, models, half_width):
    """Figure 4: one row a target, its density at the left, then those of the models.

    targets     {name: density (n, n)}
    models      {name of a target: {title: (counts (m, m), loss)}}, the same titles in every row
    half_width  of the square that is shown
    """
    with matplotlib.rc_context(STYLE):
        columns = 1 + len(next(iter(models.values())))
        fig = Figure(figsize=(1.55 * columns, 1.75 * len(targets)))
        axes = fig.subplots(len(targets), columns, squeeze=False)
        for row, (name, density) in zip(axes, targets.items(), strict=True):
            show(row[0], density, half_width)
            row[0].set_title(f"{name}: $e^{{-U}}$")
            for ax, (title, (counts, loss)) in zip(row[1:], models[name].items(), strict=True):
                show(ax, counts, half_width)
                ax.set_title(f"{title}\n{loss:.2f}", fontsize=9)
    return fig


def show(ax, density, half_width):
    """A density on a square, without axes."""
    ax.imshow(density, origin="lower", extent=2 * [-half_width, half_width], cmap="viridis", interpolation="bilinear")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def flows(learned, times=(0, 4, 8, 12, 16, 20)):
    """Figure 5: one row a set of data: points on their way from noise to data, then the density that was learned.

    learned  {name: (paths (T, n, 2), density (m, m))}; the paths run from t = 0 to t = 1 in equal steps
    times    which of the T times to show
    """
    with matplotlib.rc_context(STYLE):
        fig = Figure(figsize=(1.6 * (len(times) + 1), 1.8 * len(learned)))
        axes = fig.subplots(len(learned), len(times) + 1, squeeze=False)
        for row, (name, (paths, density)) in zip(axes, learned.items(), strict=True):
            for ax, i in zip(row, times, strict=False):
                ax.plot(*paths[i].T, ".", color=BLUE, ms=2, alpha=0.6)
                frame(ax, f"{100 * i / (len(paths) - 1):.0f} %")
            show(row[-1], density, 2.5)
            row[-1].set_title("p(x) at 100 %")
            row[0].set_ylabel(name)
    return fig


def frame(ax, title):
    ax.set(xlim=(-2.5, 2.5), ylim=(-2.5, 2.5), aspect="equal", xticks=[], yticks=[], title=title)


def flow_film(learned, path, fps=12):
    """A GIF: points of every set of data, from noise to data and back. learned: as in `flows`."""
    with matplotlib.rc_context(STYLE):
        fig = Figure(figsize=(3.2 * len(learned), 3.4))
        axes = fig.subplots(1, len(learned), squeeze=False)[0]
        dots = []
        for ax, (name, (paths, _)) in zip(axes, learned.items(), strict=True):
            frame(ax, f"{name}, t = 0.00")
            dots += ax.plot(*paths[0].T, ".", color=BLUE, ms=3, alpha=0.6)

    last = len(next(iter(learned.values()))[0]) - 1

    def draw(i):
        for ax, dot, (name, (paths, _)) in zip(axes, dots, learned.items(), strict=True):
            dot.set_data(*paths[i].T)
            ax.set_title(f"{name}, t = {i / last:.2f}")

    film(fig, draw, [*range(last), *[last] * fps, *range(last, 0, -1), 0], path, fps)


def costs(losses, floor, nats, widths):
    """Three panels: matching U1 by size; nats of every training on points; microseconds against M.

    losses  {name: (sizes, losses)}
    floor   the lowest possible loss
    nats    {name: (claimed by the solver of the training or None, by the tight solver)}, above the true density
    widths  {name: (M, microseconds, slope)}
    """
    with matplotlib.rc_context(STYLE):
        fig = Figure(figsize=(10.5, 3.2))
        left, middle, right = fig.subplots(1, 3, width_ratios=(1, 1.25, 1))
        for (name, (sizes, values)), color, marker in zip(
            losses.items(), (BLUE, ORANGE, GREEN, PINK), "osv^", strict=False
        ):
            left.plot(sizes, values, color=color, marker=marker, ms=5, lw=1.2, label=name)
        left.axhline(floor, color=INK, lw=0.8, ls=":", label="lowest possible")
        left.set(xscale="log", xticks=sizes, xticklabels=sizes, xlabel="M or K", ylabel="loss on U1 (nats)")
        left.minorticks_off()
        low, high = left.get_ylim()
        left.set_ylim(low, high + 0.6 * (high - low))  # room for the legend
        left.legend(fontsize=8, loc="upper right")
        for y, (claimed, tight) in enumerate(nats.values()):
            middle.plot(tight, y, "o", color=BLUE, label="solved tightly" if y == 0 else None)
            if claimed is not None:
                middle.plot(claimed, y, "x", color=ORANGE, ms=7, label="claimed in training" if y == 0 else None)
        middle.axvline(0, color=INK, lw=0.8, ls=":")
        middle.set(yticks=range(len(nats)), yticklabels=list(nats), xlabel="nats above the true density")
        middle.set_xscale("symlog", linthresh=0.1)
        middle.margins(x=0.1)
        middle.set_ylim(len(nats) + 0.6, -0.6)
        middle.legend(fontsize=8, loc="lower center", ncols=2)
        for (name, (M, microseconds, slope)), color in zip(widths.items(), (BLUE, ORANGE), strict=False):
            right.loglog(M, microseconds, "o-", color=color, lw=1.2, ms=4, label=f"{name}: slope {slope:.2f}")
        right.set(xlabel="width M", ylabel="microseconds a point")
        right.grid(color=GREY, alpha=0.3, lw=0.5)
        right.legend(fontsize=8)
    return fig
