"""The figures of notebook 00 Start here."""

from itertools import cycle

import numpy as np
from matplotlib import rc_context

from ..style import BLUE, GREY, INK, ORANGE, STYLE, Figure


@rc_context(STYLE)
def layers(smooth, nets):
    """A residual network with few layers, with more, and the solution of the ODE that it turns into.

    smooth  (m, 2): the solution at many times
    nets    {number of layers n: (n + 1, 2), the input and the state after each layer}
    Returns the Figure.
    """
    fig = Figure(figsize=(6.5, 3.2))
    ax = fig.subplots()
    ax.plot(*smooth.T, color=BLUE, lw=2.4, label="the ODE: infinitely many layers")
    styles = cycle([dict(color=ORANGE, marker="o"), dict(color=GREY, marker="s"), dict(color=INK, marker="^")])
    for (n, zs), style in zip(nets.items(), styles, strict=False):
        ax.plot(*zs.T, ls="--", lw=1, ms=4, label=f"{n} layers (Euler steps)", **style)
    ax.plot(*smooth[0], "o", color=INK, ms=7)
    ax.annotate("$z(0)$", smooth[0], (8, -3), textcoords="offset points")
    ax.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal", xlim=(None, ax.get_xlim()[1] + 1.9))  # for the legend
    ax.legend(loc="upper right", fontsize=9)
    return fig


@rc_context(STYLE)
def learned(field, before, after, data, history, noise):
    """Left: observations, and the path before and after training on the learned field; right: the loss.

    field          field(z) -> dz/dt, of an array (..., 2)
    before, after  (m, 2): the path with the first and with the learned parameters
    data           (n, 2): the observations
    history        (steps,): the loss at each step of the optimiser
    noise          the loss that the noise alone would leave
    Returns the Figure.
    """
    fig = Figure(figsize=(9, 3.8))
    left, right = fig.subplots(1, 2, width_ratios=(1.2, 1))
    xlim, ylim = np.stack([data.min(axis=0) - 0.4, data.max(axis=0) + 0.4], axis=1)
    grid = np.stack(np.meshgrid(np.linspace(*xlim, 20), np.linspace(*ylim, 20)), axis=-1)
    arrows = field(grid).transpose(2, 0, 1)
    left.streamplot(*grid.transpose(2, 0, 1), *arrows, color="#C9D3DC", linewidth=0.7, arrowsize=0.7)
    left.plot(*before.T, "--", color=ORANGE, lw=1.6, label="before training")
    left.plot(*after.T, color=BLUE, lw=2.4, label="after")
    left.plot(*data.T, "o", color=INK, ms=4, label="observations")
    left.set(xlabel="$z_1$", ylabel="$z_2$", xlim=xlim, ylim=ylim)
    left.set_title("the path, on the learned field $f$")
    left.legend(loc="lower right", fontsize=8.5, frameon=True, framealpha=0.9, edgecolor="none")
    right.semilogy(history, color=BLUE)
    right.axhline(noise, color=GREY, lw=1, ls="--")
    right.text(2, 1.1 * noise, "noise alone", color="#555555")
    right.set(xlabel="steps of the optimiser", ylabel="loss $L$", title="learning")
    return fig
