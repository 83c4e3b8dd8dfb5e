"""Six methods for one gradient side by side, and the adjoint on its way back."""

import numpy as np
from matplotlib import rc_context

from .film import film
from .style import BLUE, GREEN, GREY, INK, ORANGE, PINK, SKY, STYLE, YELLOW, Figure

METHODS = {  # two that solve the adjoint equation, three that differentiate the discretisation, one with its own
    "Backsolve": dict(color=ORANGE, marker="o"),
    "Interpolating": dict(color=YELLOW, marker="s"),
    "Discrete": dict(color=BLUE, marker="D"),
    "Checkpointed": dict(color=SKY, marker="^"),
    "Forward": dict(color=GREEN, marker="v", ls=(0, (2.5, 1.5))),
    "Reversible": dict(color=PINK, marker="X", ms=6.5),
}


def method_line(name):
    """How the line of a method looks in every picture: arguments of `ax.plot`. Raises KeyError for another name."""
    return dict(ms=5.5, mew=0.7, mec="white", lw=1.6, label=name) | METHODS[name]


# ---- the six gradients side by side


@rc_context(STYLE)
def gradients_figure(precision, ns, memory, sweep):
    """Three panels: the error over the work, memory over the number of steps, drift and error over -lambda.

    precision  {method: [(evaluations of f and pullbacks, relative error of the gradient), ...]}
    ns         numbers of steps N, the smallest first
    memory     {method: (bytes held between the passes, peaks of the backward pass), for each of ns or the first}
    sweep      {lambda: [Row, ...]}, the mildest first: rows with .method, .error, .drift, .note, Backsolve first
    Returns the Figure.
    """
    fig = Figure(figsize=(13.5, 4.9))
    left, middle, right = fig.subplots(1, 3)
    draw_precision(left, precision)
    draw_memory(middle, ns, memory)
    draw_sweep(right, sweep)
    fig.legend(*left.get_legend_handles_labels(), ncols=6, loc="outside upper center")
    return fig


def draw_precision(ax, precision):
    for name, points in precision.items():
        ax.loglog(*np.transpose(points), **method_line(name))
    ax.set_title("Precision: the spiral, DOPRI5, rtol = $10^{-2}, 10^{-3}, \\ldots$")
    ax.set(xlabel="evaluations of f and pullbacks", ylabel="error of the gradient")


def draw_memory(ax, ns, memory):
    """Solid lines: held between the passes. Dotted lines: the most at any time of the backward pass."""
    n = np.array([ns[0], ns[-1]], float)
    for label, growth, name in ("O(1)", n**0, "Backsolve"), ("O(√N)", n**0.5, "Checkpointed"), ("O(N)", n, "Discrete"):
        line = 0.6 * memory[name][0][-1] * growth / growth[-1]
        ax.plot(n, line, color=GREY, lw=1.1, ls=(0, (4, 2)), zorder=0)
        ax.annotate(label, (n[-1], line[-1]), (5, 0), textcoords="offset points", color="#555555", va="center")
    for name, (held, peak) in memory.items():
        look = method_line(name)
        ax.loglog(ns[: len(held)], held, **look)
        ax.loglog(ns[: len(peak)], peak, color=look["color"], lw=1.2, ls=":")
    ax.set(title="Memory: MLP(2, 50, 2), RK4", xlabel="number of steps N")
    ax.set_ylabel("bytes held between the passes;\ndotted: peak of the backward pass")
    ax.set_xlim(0.8 * n[0], 2.6 * n[-1])


def draw_sweep(ax, sweep):
    speeds, drift = [-lam for lam in sweep], [rows[0].drift for rows in sweep.values()]
    for i, row in enumerate(sweep[-speeds[0]]):
        ax.semilogy(speeds, [rows[i].error for rows in sweep.values()], **method_line(row.method))
    ax.semilogy(speeds, drift, color=INK, lw=1.5, ls=(0, (4, 1.5)), marker="o", ms=4.5, mfc="white")
    ax.annotate("drift of\nBacksolve", (speeds[-1], drift[-1]), (7, 0), textcoords="offset points", va="center")
    ax.annotate("its error", (speeds[-1], sweep[-speeds[-1]][0].error), (7, 0), textcoords="offset points", va="center")
    warned = [speed for speed, rows in zip(speeds, sweep.values(), strict=True) if rows[0].note]
    if warned:
        ax.axvspan(warned[0], speeds[-1], color="#F0F0F0", lw=0, zorder=0)
        ax.text(warned[0], 0.02, " DriftWarning", transform=ax.get_xaxis_transform(), color="#555555")
    ax.set_title("Drift: dy/dt = λ y,  dw/dt = y,  L = w(1)")
    ax.set(xlabel="−λ", ylabel="drift, and error of the gradient", xlim=(0, 1.22 * speeds[-1]), ylim=(1e-13, 1e12))


# ---- the adjoint on its way back


@rc_context(STYLE)
def adjoint_film(traj, observed, path, frames, out):
    """Write a GIF: above, z(t) and the observations; below, a(t) from t_N back to t_0, which jumps at each t_i.

    traj      a Trajectory of two components, callable at times in between
    observed  (T, 2): the observations at traj.ts
    path      [(t, a), ...] from t_N to t_0, a = dL/dz(t) of shape (2,); two entries with one t are a jump
    frames    how many frames to show
    out       the name of the GIF
    Returns None. Raises OSError where the file cannot be written.
    """
    ts, a = np.array([t for t, _ in path]), np.array([a for _, a in path])
    lines = [{"color": BLUE, "lw": 1.8, "ls": "-"}, {"color": ORANGE, "lw": 1.8, "ls": "--"}]
    fig = Figure(figsize=(6.6, 4.6))
    above, below = fig.subplots(2, 1, sharex=True)
    fine = np.linspace(traj.ts[0], traj.ts[-1], 300)
    drawn = []
    for i, line in enumerate(lines):
        above.plot(fine, traj(fine)[:, i], **line, label=f"$z_{i + 1}$")
        above.plot(traj.ts, observed[:, i], "o", color=line["color"], ms=4.5, mfc="white")
        drawn.append(*below.plot([], [], **line, label=f"$a_{i + 1} = dL/dz_{i + 1}$"))
    (now,) = above.plot([], [], color=INK, lw=0.8)
    for t in traj.ts:
        below.axvline(t, color=GREY, lw=0.6, ls=":")
    margin = 0.1 * np.ptp(a)
    below.set(xlabel="$t$", ylabel="$a(t)$", ylim=(a.min() - margin, a.max() + margin))
    above.set_ylabel("$z(t)$, observed")
    above.set_title("$da/dt = -a\\,\\partial f/\\partial z$ runs back, and jumps by $\\partial L/\\partial z(t_i)$")
    for ax in above, below:
        ax.legend(loc="upper right", ncols=2, fontsize=8.5)

    def draw(end):
        now.set_data([ts[end - 1]] * 2, above.get_ylim())
        for i, line in enumerate(drawn):
            line.set_data(ts[:end], a[:end, i])

    film(fig, draw, np.linspace(1, len(path), frames).astype(int), out, fps=10)
