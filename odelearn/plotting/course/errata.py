"""The figures of notebook 07 Errata."""

import numpy as np
from matplotlib import rc_context

from ..style import BLUE, GREY, INK, ORANGE, SKY, STYLE, Figure


@rc_context(STYLE)
def boundary_terms(versions, minus_H, ts, dL_dt0):
    """a_t solved back with the right boundary terms, without them, and with the wrong sign: only one of them is -H.

    versions  three lists of pairs t, a_t, one pair for each interval: right, dropped, wrong sign
    minus_H   a list of pairs t, -a f, one for each interval
    ts        (T,): the observation times
    dL_dt0    the number that is the true dL/dt_0
    Returns the Figure.
    """
    lines = [
        (BLUE, "-", 3, "right: $a_t(t_N) = -dL/dt_N$"),
        (ORANGE, "--", 1.8, "dropped: 0"),
        (SKY, "-.", 1.8, "wrong sign: $+dL/dt_N$"),
    ]
    fig = Figure(figsize=(7.6, 4))
    ax = fig.subplots()
    for pieces, (colour, dash, width, label) in zip(versions, lines, strict=True):
        for i, piece in enumerate(pieces):
            ax.plot(*piece, dash, color=colour, lw=width, label="_" * (i > 0) + label)
    for i, piece in enumerate(minus_H):
        ax.plot(*piece, "o", color=INK, ms=3, label="_" * (i > 0) + "$-H = -a f$", zorder=4)
    ax.plot(ts[0], dL_dt0, "*", color=INK, ms=14, label="the true $dL/dt_0$", zorder=5)
    ax.axhline(0, color=GREY, lw=0.6, zorder=0)
    ax.set(xlabel="$t$  (solved from right to left)", ylabel="$a_t$", xticks=ts)
    ax.set_xticklabels([f"$t_{i}$" for i in range(len(ts))])
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


@rc_context(STYLE)
def one_too_many(n, errors):
    """The error of dL/dtheta over the number of steps, for n steps in each interval and for one more than that.

    n       (m,): numbers of steps, m >= 2, the smallest first
    errors  {("RK4" or "Euler", 0 or 1 step more): (m,), the absolute error for each n}; the slope between the last two
            is the order in the label
    Returns the Figure. Raises KeyError for another method.
    """
    beside = {("RK4", 1): 3, ("Euler", 1): 1, ("Euler", 0): 0.3, ("RK4", 0): 1}  # where the label stands
    fig = Figure(figsize=(6.8, 3.9))
    ax = fig.subplots()
    for (name, extra), points in errors.items():
        marker, dash = "s" if name == "Euler" else "o", "--" if extra else "-"
        ax.loglog(n, points, marker + dash, color=ORANGE if extra else BLUE, ms=5, lw=1.3)
        order = np.log(points[-2] / points[-1]) / np.log(n[-1] / n[-2])
        label = f"{name}, $n{'+1' if extra else ''}$ steps: order {order:.1f}"
        place = (1.45 * n[-1], points[-1] * beside[name, extra])
        line = dict(arrowstyle="-", color=GREY, lw=0.8, shrinkA=2, shrinkB=5)
        ax.annotate(label, (n[-1], points[-1]), place, va="center", arrowprops=line)
    ax.set(xlabel="steps $n$ in an interval", ylabel=r"error of $dL/d\theta$", xlim=(0.9 * n[0], 6.5 * n[-1]))
    ax.set(xticks=n, xticklabels=n)
    ax.minorticks_off()
    return fig


@rc_context(STYLE)
def evidence_bound(sigma, minus_KL, plus_KL, log_evidence, best):
    """The ELBO over sigma of q, right and with the sign of KL turned: the right one touches log p(x) at `best`.

    sigma              (m,): standard deviations of q
    minus_KL, plus_KL  (m,): the right bound, and the one with the wrong sign
    log_evidence       the number log p(x)
    best               the sigma of the posterior
    Returns the Figure.
    """
    fig = Figure(figsize=(6.5, 3.6))
    ax = fig.subplots()
    ax.semilogx(sigma, minus_KL, "-", color=BLUE, lw=1.8)
    ax.semilogx(sigma, plus_KL, "--", color=ORANGE, lw=1.8)
    ax.text(0.02, -5.1, "minus KL", color=BLUE)
    ax.text(0.02, 4.0, "plus KL", color=ORANGE)
    ax.axhline(log_evidence, color=INK, lw=1)
    ax.text(sigma[0], log_evidence + 0.15, r"$\log p(x)$")
    ax.plot(best, log_evidence, "o", color=INK, ms=5)
    line = dict(arrowstyle="-", color="#666666")
    ax.annotate("the posterior", (best, log_evidence), (0.13, -4.2), arrowprops=line)
    ax.set(xlabel=r"$\sigma$ of $q$", ylabel="ELBO", ylim=(-8, 5))
    return fig
