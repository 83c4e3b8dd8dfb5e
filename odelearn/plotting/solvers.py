"""Solvers side by side: error over evaluations."""

import numpy as np
from matplotlib import rc_context

from .style import BLUE, GREEN, GREY, INK, ORANGE, PINK, SKY, STYLE, YELLOW, Figure

DASHED = dict(ls=(0, (3, 1.5)))
COLUMNS = (  # of the legend: ours, and around its markers the rings of SciPy's with the same tableau; then the others
    {"bosh3": dict(color=SKY, marker="o"), "SciPy RK23": dict(marker="o")},
    {"dopri5": dict(color=BLUE, marker="D"), "SciPy RK45": dict(marker="D")},
    {"dop853": dict(color=ORANGE, marker="^"), "SciPy DOP853": dict(marker="^")},
    {"tsit5": dict(color=GREEN, marker="s"), "SciPy LSODA": DASHED | dict(color=PINK, marker="v")},
    {"SciPy Radau": DASHED | dict(color=YELLOW, marker="P"), "SciPy BDF": DASHED | dict(color=INK, marker="X", lw=1.1)},
)
LINE = dict(ms=5.5, mew=0.6, mec="white", lw=1.6)
RING = dict(ms=9.5, mew=0.7, mec=INK, mfc="none", ls="none", zorder=3)
FIXED = "euler", "midpoint", "rk4"


@rc_context(STYLE)
def work_precision_figure(curves):
    """A panel for every problem: the error at the end over the evaluations of f that it took, on logarithmic axes.

    curves  {title of the problem: {name of the solver: [(evaluations, error), ...]}}; FIXED must be among the solvers,
            the others are those in COLUMNS
    Returns the Figure. Raises KeyError where one of FIXED is missing.
    """
    fig = Figure(figsize=(13.5, 5.8))
    panels = fig.subplots(1, len(curves), sharex=True, sharey=True)
    for ax, (title, of_solver) in zip(panels, curves.items(), strict=True):
        draw_work_precision(ax, of_solver)
        ax.set(title=title, xlabel="evaluations of f")
    panels[0].set_ylabel("error at the end")
    for name in FIXED:  # enough to say it once
        last = next(iter(curves.values()))[name][-1]
        box = dict(fc="white", ec="none", pad=0.8)  # rk4 ends among other curves
        panels[0].annotate(name, last, (5, 0), textcoords="offset points", va="center", color="#555555", bbox=box)
    fig.legend(*panels[0].get_legend_handles_labels(), ncols=len(COLUMNS), loc="outside upper center")
    return fig


def draw_work_precision(ax, of_solver):
    ax.set(xscale="log", yscale="log", xlim=(70, 8000), ylim=(1e-12, 9))
    ax.grid(color="#EEEEEE", lw=0.7)
    ax.set_axisbelow(True)
    for name in FIXED:
        ax.plot(*points(of_solver[name]), color=GREY, lw=1.1, marker=".", ms=4, zorder=1)
    for column in COLUMNS:
        for name, style in column.items():
            if name in of_solver:
                ax.plot(*points(of_solver[name]), label=name, **(LINE if "color" in style else RING) | style)


def points(curve):
    """Abscissas and ordinates; a curve without points still has its place in the legend."""
    return np.transpose(curve or [(np.nan, np.nan)])
