"""Where a solver steps and where it looks."""

import numpy as np
from matplotlib import rc_context

from .style import BLUE, GREEN, GREY, INK, ORANGE, PINK, STYLE, Figure


@rc_context(STYLE)
def ledger(traj, gradients=None):
    """The solution with its evaluation points, as in Figure 1 of the paper, over every attempted step: |h| at t.

    traj       a Trajectory; its first four components are drawn
    gradients  Gradients of the same solve, from Backsolve or Interpolating: their backward solve is drawn below. It is
               taken to have the tableau of traj
    Returns the Figure. Raises ValueError for gradients without a ledger: Backsolve(ledger=True) keeps one.
    """
    if gradients is not None and gradients.stats.ledger is None:
        raise ValueError("these gradients have no ledger; take Backsolve(ledger=True) or Interpolating(ledger=True)")
    ledgers = [("forward", traj.ledger, BLUE)] + ([("backward", gradients.stats.ledger, ORANGE)] if gradients else [])
    fig = Figure(figsize=(9, 3.4 + 1.7 * len(ledgers)))
    top, *below = fig.subplots(1 + len(ledgers), sharex=True, height_ratios=[2] + [1] * len(ledgers))
    draw_solution(top, traj)
    for ax, (way, attempts, colour) in zip(below, ledgers, strict=True):
        draw_attempts(ax, attempts, traj.solver.tableau.c, colour)
        ax.set_ylabel(f"|h|, {way}")
    below[-1].set_xlabel("t")
    return fig


def draw_solution(ax, traj, most=4):
    """The first components of z, and the points Z_i = z + h sum_j A_ij k_j at which f was evaluated."""
    t = np.linspace(traj.ts[0], traj.ts[-1], 1000)
    z = traj(t).reshape(len(t), -1)[:, :most]
    for i, line in enumerate(z.T):
        colour = (BLUE, ORANGE, GREEN, PINK)[i]
        ax.plot(t, line, color=colour, lw=1.4, label=f"$z_{i + 1}$")
        ax.plot(traj.ts, traj.zs.reshape(len(traj.ts), -1)[:, i], "o", color=colour, ms=6, zorder=4)
    A, c = traj.solver.tableau.A, traj.solver.tableau.c
    for step in traj.steps:
        Z = step.z.reshape(-1) + step.h * A @ step.k.reshape(len(A), -1)
        ax.plot(step.t + step.h * c, Z[:, :most], "o", color=INK, ms=2.6, mfc="white", mew=0.6, zorder=3)
    ax.plot([], [], "o", color=INK, ms=2.6, mfc="white", mew=0.6, label="evaluations of f")
    ax.plot([], [], "o", color=GREY, ms=6, label="observations")
    ax.legend(ncols=6, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.1)
    ax.set_ylabel("z(t)")


def draw_attempts(ax, attempts, c, colour):
    """A bar from t to t + h at the height |h| for every attempt, with the nodes t + c_i h on it; rejected: a cross."""
    for t, h, _, accepted in attempts:
        paint = colour if accepted else GREY
        ax.plot([t, t + h], [abs(h)] * 2, color=paint, lw=1.6, zorder=2 + accepted)
        ax.plot(t + h * c, [abs(h)] * len(c), "o", color=paint, ms=2.6, mfc="white", mew=0.6, zorder=2 + accepted)
        if not accepted:
            ax.plot(t, abs(h), "x", color=INK, ms=5, mew=1.2, zorder=4)
    accepted = sum(attempt.accepted for attempt in attempts)
    title = f"{accepted} steps accepted, {len(attempts) - accepted} rejected (×)"
    ax.set_title(title, loc="right", fontsize=9, color="#555555", pad=2)
    ax.set_yscale("log")
