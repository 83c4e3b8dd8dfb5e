"""The figures of notebook 09 Digits and moons."""

from matplotlib import rc_context

from ..classify import draw_backward, draw_error, draw_memory, draw_paths
from ..style import BLUE, GREY, ORANGE, STYLE, Figure


@rc_context(STYLE)
def images(rows):
    """Images in rows, each with a word above it.

    rows  {name of the row: [(image (8, 8), word), ...]}; all rows of one length, two at least
    Returns the Figure.
    """
    fig = Figure(figsize=(9, 1.35 * len(rows)))
    axes = fig.subplots(len(rows), len(next(iter(rows.values()))))
    for line, (name, pictures) in zip(axes, rows.items(), strict=True):
        line[0].text(-0.2, 0.5, name, ha="right", va="center", transform=line[0].transAxes)
        for ax, (image, word) in zip(line, pictures, strict=True):
            ax.imshow(image, cmap="gray_r", vmin=0, vmax=1)
            ax.set_title(word, fontsize=10)
            ax.axis("off")
    return fig


@rc_context(STYLE)
def memory(depths, peaks):
    """The peak of the memory of one gradient over the depth.

    depths  (m,): residual blocks, or evaluations of f
    peaks   {"resnet", "rk-net", "ode-net": (m,) bytes}
    Returns the Figure.
    """
    fig = Figure(figsize=(6.5, 4))
    draw_memory(fig.subplots(), depths, peaks)
    return fig


@rc_context(STYLE)
def tolerances(measured):
    """Figure 3 a and c of the paper: a point for each tolerance.

    measured  a dict of lists, one number for each tolerance: tolerances, forward, backward, error
    Returns the Figure.
    """
    fig = Figure(figsize=(8.5, 3.8))
    left, right = fig.subplots(1, 2)
    draw_error(left, measured)
    draw_backward(right, measured)
    return fig


@rc_context(STYLE)
def order(ts, ode, residual):
    """Solutions of one equation in one dimension from many starts, which keep their order; and one residual step.

    ts        (T,)
    ode       (T, M): z(t) from M starts
    residual  (2, M): the starts, and where one step leads
    Returns the Figure.
    """
    fig = Figure(figsize=(8, 3.4))
    left, right = fig.subplots(1, 2, sharey=True)
    left.plot(ts, ode, color=BLUE, lw=1)
    left.set(xlabel="$t$", ylabel="$z(t)$", title="dz/dt = f(z): no two meet")
    right.plot([0, 1], residual, color=ORANGE, lw=1)
    right.set(xticks=[0, 1], xlabel="layer", title="z + f(z), one step: all meet")
    for ax in (left, right):
        ax.axhline(0, color=GREY, lw=0.6)
    return fig


@rc_context(STYLE)
def ways(paths, labels, losses):
    """The ways of points from z(0) to z(1): in the plane, and in the space above it.

    paths   {title: (frames, points, 2 or 3)}, two of them
    labels  (points,): 0 or 1
    losses  {title: the mean loss of each epoch}
    Returns the Figure.
    """
    fig = Figure(figsize=(11.5, 3.9))
    for i, (title, way) in enumerate(paths.items()):
        projection = {"projection": "3d"} if way.shape[2] == 3 else {}
        ax = fig.add_subplot(1, 3, i + 1, **projection)
        draw_paths(ax, way, labels)
        ax.set_title(f"{title}: rings to dots")
    ax = fig.add_subplot(1, 3, 3)
    for (title, history), color in zip(losses.items(), (ORANGE, BLUE), strict=True):
        ax.semilogy(history, color=color, label=title)
    ax.set(xlabel="epochs", ylabel="training loss", title="mean loss of an epoch")
    ax.legend()
    return fig
