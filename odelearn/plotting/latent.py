"""The latent ODE: its forecasts beside those of an RNN, the space between its spirals, and recovered intensities."""

import numpy as np
from matplotlib import rc_context

from .style import BLUE, GREY, INK, ORANGE, SKY, STYLE, Figure

LINES = {"latent": {"color": BLUE, "label": "latent ODE"}, "rnn": {"color": ORANGE, "label": "RNN"}}


@rc_context(STYLE)
def extrapolation(found, observations, paper):
    """Table 2 as a picture, the training, and forecasts of one spiral of each direction.

    found         {method: its results, one a seed}, with the methods "latent-30", "rnn-30", ...; some may be missing
    observations  the numbers of observations, such as (30, 50, 100)
    paper         {"latent": {30: the paper's RMSE, ...}, "rnn": ...}
    Returns the Figure.
    """
    fig = Figure(figsize=(10.5, 7.4))
    top, bottom = fig.subfigures(2, 1, height_ratios=(1, 1.15))
    scores, training = top.subplots(1, 2)
    draw_scores(scores, found, observations, paper)
    draw_training(training, found, observations)
    shown = next((K for K in observations if f"latent-{K}" in found and f"rnn-{K}" in found), None)
    panels = bottom.subplots(1, 4)
    for ax in panels:
        ax.axis("off")
    for i, name in enumerate(LINES):
        for j, example in enumerate(found[f"{name}-{shown}"][0]["examples"] if shown else ()):
            draw_forecast(panels[2 * j + i], name, example, shown)
    if shown:
        handles, labels = panels[0].get_legend_handles_labels()
        rnn_handles, rnn_labels = panels[1].get_legend_handles_labels()
        bottom.legend(handles + rnn_handles[-1:], labels + rnn_labels[-1:], loc="outside lower center", ncols=5)
    return fig


def draw_scores(ax, found, observations, paper):
    x = np.arange(len(observations))
    for shift, (name, line) in zip((-0.06, 0.06), LINES.items(), strict=True):
        ax.plot(x, [paper[name][K] for K in observations], "s:", mfc="none", color=line["color"], alpha=0.6, lw=1,
                label=f"{line['label']}, the paper's")  # fmt: skip
        for i, K in enumerate(observations):
            rmses = [result["rmse"] for result in found.get(f"{name}-{K}", ())]
            if rmses:
                ax.plot(
                    x[i] + shift, np.mean(rmses), "o", color=line["color"], ms=7, label=line["label"] if not i else None
                )
                ax.plot([x[i] + shift] * 2, [min(rmses), max(rmses)], color=line["color"], lw=1.4)  # all seeds
    ax.set(
        xticks=x, xticklabels=observations, xlabel="observations in the first turn", ylabel="RMSE in the second turn"
    )
    ax.set(ylim=(0, None), xlim=(-0.4, len(x) - 0.6), title="Extrapolation (Table 2)")
    ax.legend(fontsize=8.5)


def draw_training(ax, found, observations):
    styles = ("-", "--", ":")
    for name, line in LINES.items():
        for K, style in zip(observations, styles, strict=False):
            for result in found.get(f"{name}-{K}", ())[:1]:
                steps = [look["step"] for look in result["validation"]]
                best = [look["rmse"][str(result["read"])] for look in result["validation"]]
                ax.semilogy(steps, best, style, color=line["color"], lw=1.6, label=f"{line['label']}, {K}")
    ax.set(xlabel="steps of Adam", ylabel="RMSE of validation spirals", title="Training")
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter("")
    ax.set_yticks([0.1, 0.2, 0.5, 1.0])
    ax.legend(ncols=2, fontsize=8.5)


def draw_forecast(ax, name, example, K):
    truth, observed, forecast = (np.array(example[key]) for key in ("truth", "observed", "forecast"))
    ax.plot(*truth.T, color=GREY, lw=1, label="truth")
    ax.plot(*observed.T, "o", color=INK, ms=2.5, mew=0, label=f"{K} observations")
    ax.plot(*forecast.T, color=LINES[name]["color"], lw=1.6, label=f"forecast of the {LINES[name]['label']}")
    ax.set(aspect="equal")


@rc_context(STYLE)
def interpolation(K, found):
    """Curves from the line in latent space between a clockwise and a counter-clockwise spiral, left to right.

    K      how many observations the model was trained with
    found  {"curves": (n, m, 2), "turns": (n,) how often each goes around the origin, negative: clockwise}
    Returns the Figure.
    """
    fig = Figure(figsize=(10.5, 2.1))
    draw_interpolation(fig, np.array(found["curves"]), found["turns"])
    fig.suptitle(
        f"From a clockwise to a counter-clockwise spiral on a straight line in latent space ({K} observations), "
        "with the turns of each"
    )
    return fig


def draw_interpolation(fig, curves, turns):
    reach = np.abs(curves).max() * 1.08
    for ax, curve, turn in zip(fig.subplots(1, len(curves)), curves, turns, strict=True):
        ax.plot(*curve.T, color=BLUE, lw=1.5)
        ax.plot(*curve[0], "o", color=INK, ms=3.5)
        ax.set(aspect="equal", xlim=(-reach, reach), ylim=(-reach, reach), title=f"{turn:+.2f}")
        ax.axis("off")


@rc_context(STYLE)
def intensities(result):
    """Recovered intensities of sequences of events, a row each.

    result  has "grid" (J,) and "examples", each with "events" (K,), "truth", "recovered" and "kernel" (J,), and the
            errors "error" and "error_kernel"
    Returns the Figure.
    """
    grid, examples = result["grid"], result["examples"]
    fig = Figure(figsize=(10.5, 1.9 * len(examples) + 0.6))
    axes = np.atleast_1d(fig.subplots(len(examples), 1, sharex=True, sharey=True))
    for ax, example in zip(axes, examples, strict=True):
        ax.plot(grid, example["truth"], color=INK, lw=1, ls="--", label="true intensity")
        ax.plot(
            grid,
            example["kernel"],
            color=SKY,
            lw=1.2,
            label=f"kernel estimate, error {100 * result['error_kernel']:.1f} %",
        )
        ax.plot(grid, example["recovered"], color=BLUE, lw=2, label=f"latent ODE, error {100 * result['error']:.1f} %")
        ax.plot(example["events"], np.full(len(example["events"]), -0.8), "|", color=INK, ms=6, mew=0.7, label="events")
        ax.set(ylabel=r"$\lambda(t)$", xlim=(grid[0], grid[-1]), ylim=(-1.6, None))
    axes[0].legend(ncols=4, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, fontsize=9)
    axes[-1].set_xlabel("$t$")
    return fig
