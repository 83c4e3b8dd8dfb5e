"""The figures of notebook 01 Derivatives you can trust."""

from itertools import cycle

import numpy as np
from matplotlib import rc_context

from ..style import BLUE, GREY, INK, ORANGE, STYLE, Figure

EPS, FLOOR = np.finfo(float).eps, 1e-17  # an error of exactly zero is drawn at FLOOR
NOTE = "#555555"


@rc_context(STYLE)
def differences(hs, forward, central):
    """The error of forward and central differences over the step h, with the powers of h that explain it.

    hs                (m,): steps, some of them below 1e-4
    forward, central  (m,): the absolute errors of the derivative at these steps; zero is drawn at FLOOR
    Returns the Figure.
    """
    fig = Figure(figsize=(6.5, 3.8))
    ax = fig.subplots()
    _draw_errors(ax, hs, forward, central)
    _draw_power(ax, hs[hs > 1e-9], 1, _near(1e-2, hs, forward), "$h$", (-8, 6))
    _draw_power(ax, hs[hs > 1e-7], 2, _near(1e-2, hs, central), "$h^2$", (6, -12))
    small = hs[hs < 1e-4]
    ax.loglog(small, EPS / small, color=GREY, lw=1, zorder=0)
    ax.text(3e-14, 4e-6, r"$\varepsilon_{mach} / h$", color=NOTE)
    ax.legend(loc="lower right")
    return fig


@rc_context(STYLE)
def complex_step(hs, forward, central, imaginary, round_off):
    """The error of the complex step beside those of the differences: it has no left arm, only round-off of the result.

    hs                           (m,): steps
    forward, central, imaginary  (m,): the absolute errors of both differences and of the complex step; zero is drawn
                                 at FLOOR
    round_off                    the number eps |F'|
    Returns the Figure.
    """
    fig = Figure(figsize=(6.5, 3.8))
    ax = fig.subplots()
    _draw_errors(ax, hs, forward, central)
    ax.loglog(hs, np.maximum(imaginary, FLOOR), "^", ms=4, color=INK, label="complex step")
    ax.axhline(round_off, color=GREY, lw=1, zorder=0)
    ax.text(1e-4, 0.6 * round_off, r"$\varepsilon_{mach} |F'|$", color=NOTE, va="top")
    ax.text(1e-6, FLOOR, "exactly zero", color=NOTE, va="center")
    ax.legend(loc="upper right", ncols=3)
    return fig


def _draw_errors(ax, hs, forward, central):
    ax.loglog(hs, np.maximum(forward, FLOOR), "o", ms=4, color=ORANGE, label="forward")
    ax.loglog(hs, np.maximum(central, FLOOR), "s", ms=4, color=BLUE, label="central")
    ax.set(xlabel="step $h$", ylabel="error of the derivative", ylim=(1e-18, 1e3))


def _draw_power(ax, hs, power, point, label, offset):
    """A line like h^power above the given point of a curve, named there."""
    h, error = point
    ax.loglog(hs, 3 * error * (hs / h) ** power, color=GREY, lw=1, zorder=0)
    ax.annotate(label, (h, 3 * error), offset, textcoords="offset points", color=NOTE)


def _near(h, hs, errors):
    i = np.argmin(abs(np.log(hs / h)))
    return hs[i], errors[i]


@rc_context(STYLE)
def taylor(hs, remainders):
    """What a gradient leaves unexplained over the step h: a line of slope 2 if it is right, of slope 1 if it is wrong.

    hs          (m,): steps along the direction v
    remainders  {label: (m,), r(h) = |F(x + h v) - F(x) - h g.v| at each of hs}
    Returns the Figure.
    """
    fig = Figure(figsize=(6.5, 3.6))
    ax = fig.subplots()
    styles = cycle([dict(color=BLUE, marker="o"), dict(color=ORANGE, marker="s"), dict(color=INK, marker="^")])
    for (label, r), style in zip(remainders.items(), styles, strict=False):
        ax.loglog(hs, r, ms=4, lw=1, label=label, **style)
    ax.set(xlabel="step $h$ along $v$", ylabel="$r(h)$, what $g$ does not explain")
    ax.legend()
    return fig
