"""Pictures of solvers, in the style of plotting.py."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from .plotting import BLUE, GREY, INK, ORANGE, SKY, STYLE, save  # noqa: F401, what is drawn here is saved as there
from .plotting_lab import GREEN, PINK, YELLOW

LINES = {
    "euler": dict(color=GREY, marker=".", lw=1.0),
    "midpoint": dict(color=GREY, marker=".", lw=1.0),
    "rk4": dict(color=GREY, marker=".", lw=1.0),
    "bosh3": dict(color=SKY, marker="o"),
    "dopri5": dict(color=BLUE, marker="D"),
    "tsit5": dict(color=GREEN, marker="s"),
    "dop853": dict(color=ORANGE, marker="^"),
    "SciPy LSODA": dict(color=PINK, marker="v", ls=(0, (3, 1.5))),
    "SciPy Radau": dict(color=YELLOW, marker="P", ls=(0, (3, 1.5))),
    "SciPy BDF": dict(color=INK, marker="X", ls=(0, (3, 1.5)), lw=1.0),
}
RINGS = {"SciPy RK23": "o", "SciPy RK45": "D", "SciPy DOP853": "^"}  # of the tableaus of bosh3, dopri5 and dop853


def work_precision_figure(curves):
    """A panel for every problem: the error at the end over the evaluations of f that it took, on logarithmic axes.

    curves  title -> {solver: [(evaluations, error), ...]}
    """
    with matplotlib.rc_context(STYLE):
        fig = Figure(figsize=(13.5, 5.8))
        panels = fig.subplots(1, len(curves), sharex=True, sharey=True)
        for ax, (title, of_solver) in zip(panels, curves.items(), strict=True):
            draw_work_precision(ax, of_solver)
            ax.set(title=title, xlabel="evaluations of f")
        panels[0].set_ylabel("error at the end")
        fig.legend(*panels[0].get_legend_handles_labels(), ncols=5, loc="outside upper center")
    return fig


def draw_work_precision(ax, of_solver):
    """Ours as lines; SciPy's of the same tableau as rings, which should lie around the markers; the others dashed."""
    for name, line in LINES.items():
        if of_solver.get(name):
            style = dict(ms=5, mew=0.6, mec="white", lw=1.6, label=name) | line
            ax.plot(*np.transpose(of_solver[name]), **style)
    for name, marker in RINGS.items():
        if of_solver.get(name):
            ax.plot(*np.transpose(of_solver[name]), marker, ms=9, mfc="none", mec=INK, mew=0.7, label=name, zorder=3)
    ax.set(xscale="log", yscale="log", xlim=(30, 30_000), ylim=(1e-12, 30))
    ax.grid(color="#EEEEEE", lw=0.7)
    ax.set_axisbelow(True)
