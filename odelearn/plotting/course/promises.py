"""The figures of notebook 08 Four promises, tested."""

import numpy as np
from matplotlib import rc_context

from ..gradients import method_line
from ..style import BLUE, GREY, INK, ORANGE, STYLE, Figure


@rc_context(STYLE)
def memory(N, held):
    """Bytes held between the two passes over the number of steps N.

    N     (m,): numbers of steps, the smallest first
    held  {name of the method: (m,), the bytes for each N}
    Returns the Figure. Raises KeyError for a name that is no method.
    """
    fig = Figure(figsize=(7, 4))
    ax = fig.subplots()
    height = np.inf
    for name, points in sorted(held.items(), key=lambda item: -item[1][-1]):  # the uppermost line first
        ax.loglog(N, points, **method_line(name))
        height = min(points[-1], height / 2)  # of the label: clear of the one above it
        ax.text(N[-1] * 1.2, height, f"{name}, {points[-1]:,} bytes", va="center", fontsize=9)
    ax.set(xlabel="steps $N$", ylabel="bytes held between the passes", xticks=N, xticklabels=N)
    ax.set(xlim=(0.75 * N[0], 40 * N[-1]), ylim=(15, None))
    ax.minorticks_off()
    return fig


@rc_context(STYLE)
def way_back(lam, drift, errors, atol):
    """What becomes of dL/dlambda where the state contracts like e^(lambda t), and the drift of Backsolve.

    lam     (m,): negative numbers
    drift   (m,): the drift of Backsolve for each lam
    errors  {name of the method: (m,), the relative error of dL/dlambda for each lam}
    atol    the absolute tolerance of the solver
    Returns the Figure. Raises KeyError for a name that is no method.
    """
    fig = Figure(figsize=(8, 4))
    ax = fig.subplots()
    ax.semilogy(-lam, drift, color=INK, lw=4, alpha=0.25, label="drift of Backsolve")
    ax.semilogy(-lam, atol * np.exp(-lam), color=GREY, lw=1, ls=":", label=r"atol $e^{|\lambda|}$")
    for name, error in errors.items():
        ax.semilogy(-lam, error, **method_line(name))
    ax.set(xlabel=r"$-\lambda$", ylabel=r"relative error of $dL/d\lambda$", ylim=(1e-10, 1e8))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


@rc_context(STYLE)
def frozen_mesh(x, solved, replayed, flow):
    """The loss over one entry of A: solved adaptively it jumps; on the mesh of x = 0 it is smooth, as the exact one is.

    x                 (m,): A_12 - 2, from below to above 0
    solved, replayed  (m,): the loss of an adaptive solve at each x, and on the mesh of x = 0
    flow              (ceil(m / 10),): the loss of the exact flow at every tenth x
    Returns the Figure.
    """
    fig = Figure(figsize=(7, 4))
    ax = fig.subplots()
    ax.plot(x, solved, ".", ms=3, color=ORANGE, label="adaptive solve")
    ax.plot(x, replayed, color=BLUE, lw=1.4, label="the mesh of $A_{12} = 2$, replayed")
    ax.plot(x[::10], flow, color=INK, lw=1, ls="--", label="exact flow")
    ax.plot(0, np.interp(0, x, replayed), "o", color=BLUE, ms=6)
    ax.set(xlabel="$A_{12} - 2$", ylabel="$L = |z(2)|^2$")
    ax.legend()
    return fig


@rc_context(STYLE)
def precision(points):
    """The error of the gradient over the work for it.

    points  {name of the method: [(evaluations of f and pullbacks, relative error of the gradient), ...]}
    Returns the Figure. Raises KeyError for a name that is no method.
    """
    fig = Figure(figsize=(7, 4))
    ax = fig.subplots()
    for name, line in points.items():
        ax.loglog(*np.transpose(line), **method_line(name))
    ax.set(xlabel="evaluations of $f$ and pullbacks, both passes", ylabel="error of the gradient")
    ax.set(xticks=[300, 1000, 3000], xticklabels=["300", "1000", "3000"])
    ax.minorticks_off()
    ax.legend(ncols=2, loc="lower left", fontsize=8.5)
    return fig


@rc_context(STYLE)
def members(t, paths, years, counts, learned):
    """The forecasts of all members of an ensemble, and that of the first alone.

    t        (m,): years
    paths    (m, E, 2): counts of hares and lynxes that the members give
    years    (T,) and counts (T, 2): the observations, the first `learned` of them used for training
    Returns the Figure.
    """
    fig = Figure(figsize=(9, 3.6))
    for k, (ax, name) in enumerate(zip(fig.subplots(1, 2), ("hares", "lynxes"), strict=True)):
        ax.semilogy(t, paths[:, :, k], color=BLUE, lw=0.8, alpha=0.5)
        ax.semilogy([], [], color=BLUE, lw=0.8, label=f"{paths.shape[1]} seeds")
        ax.semilogy(t, paths[:, 0, k], color=ORANGE, lw=1.5, label="one seed")
        ax.semilogy(years[:learned], counts[:learned, k], "o", color=INK, ms=4, label="learned from")
        ax.semilogy(years[learned:], counts[learned:, k], "o", color=INK, mfc="white", ms=5, label="held out")
        ax.set(xlabel="year", ylabel=f"{name}, thousands of pelts", yticks=(5, 10, 20, 50), yticklabels=(5, 10, 20, 50))
        ax.minorticks_off()
    fig.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return fig
