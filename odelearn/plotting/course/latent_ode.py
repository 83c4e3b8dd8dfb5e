"""The figures of notebook 12 A latent ODE."""

import numpy as np
from matplotlib import rc_context

from ..latent import LINES, draw_interpolation
from ..style import BLUE, GREY, INK, STYLE, Figure


@rc_context(STYLE)
def spirals(observed, truths):
    """A few spirals: what is observed in the first turn, and the whole of it.

    observed  list of (K, 2), one of each spiral
    truths    list of (m, 2)
    Returns the Figure.
    """
    fig = Figure(figsize=(2.6 * len(truths), 2.9))
    for ax, xs, truth in zip(np.atleast_1d(fig.subplots(1, len(truths))), observed, truths, strict=True):
        ax.plot(*truth.T, color=GREY, lw=1)
        ax.plot(*xs.T, "o", color=INK, ms=2.8, mew=0)
        ax.set(aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
    return fig


@rc_context(STYLE)
def learning(losses, errors):
    """A short training: the loss of each step, and the error on the second turn before and after.

    losses  {"latent": (steps,), "rnn": (steps,)}
    errors  {"latent": (before, after), "rnn": (before, after)}
    Returns the Figure.
    """
    fig = Figure(figsize=(7.5, 3.2))
    ax = fig.subplots()
    for name, loss in losses.items():
        before, after = errors[name]
        smooth = np.convolve(loss, np.ones(20) / 20, mode="valid")
        label = f"{LINES[name]['label']}: RMSE {before:.2f} before, {after:.2f} after"
        ax.plot(np.arange(len(smooth)) + 10, smooth, color=LINES[name]["color"], lw=1.6, label=label)
    ax.set(xlabel="steps of Adam", ylabel="loss, nats per number")
    ax.legend()
    return fig


@rc_context(STYLE)
def forecasts(truths, observed, found):
    """Forecasts of the second turn, of spirals that were not trained on.

    truths    list of (m, 2)
    observed  list of (K, 2), those observations that were read
    found     list of (m, 2), the forecast of each
    Returns the Figure.
    """
    fig = Figure(figsize=(2.6 * len(truths), 3.1))
    axes = np.atleast_1d(fig.subplots(1, len(truths)))
    for ax, truth, xs, forecast in zip(axes, truths, observed, found, strict=True):
        ax.plot(*truth.T, color=GREY, lw=1, label="truth")
        ax.plot(*xs.T, "o", color=INK, ms=2.8, mew=0, label="read")
        ax.plot(*forecast.T, color=BLUE, lw=1.6, label="forecast")
        ax.set(aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
    fig.legend(*axes[0].get_legend_handles_labels(), ncols=3, loc="outside upper center")
    return fig


@rc_context(STYLE)
def between(curves, turns):
    """Curves from a straight line in latent space, left to right.

    curves  (n, m, 2);  turns  (n,) how often each goes around the origin, negative: clockwise
    Returns the Figure.
    """
    fig = Figure(figsize=(10.5, 1.9))
    draw_interpolation(fig, curves, turns)
    return fig


@rc_context(STYLE)
def rates(t, intensity, events, counts):
    """Events of a Poisson process under their intensity, and how many there are in each bin.

    t, intensity  (m,);  events (K,);  counts (bins,), over the same time as t
    Returns the Figure.
    """
    fig = Figure(figsize=(8, 2.8))
    ax = fig.subplots()
    width = (t[-1] - t[0]) / len(counts)
    left = t[0] + width * np.arange(len(counts))
    ax.bar(left, counts / width, width, align="edge", color=BLUE, alpha=0.25, label="events in each bin, by its width")
    ax.plot(t, intensity, color=INK, lw=1.4, label=r"$\lambda(t)$")
    ax.plot(events, np.full(len(events), -0.06 * intensity.max()), "|", color=INK, ms=7, mew=0.7)
    ax.set(xlabel="$t$", ylabel="events per unit of time", xlim=(t[0], t[-1]))
    ax.legend(loc="upper right")
    ax.margins(y=0.25)
    ax.set_yticks([tick for tick in ax.get_yticks() if tick >= 0])
    ax.set_ylim(-0.15 * intensity.max(), None)
    return fig
