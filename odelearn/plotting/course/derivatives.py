"""The figures of notebook 01 Derivatives you can trust."""

from itertools import cycle

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from ...verify.differences import complex_step as derivative
from ...verify.gradient_check import taylor_slope
from ..style import BLUE, GREY, INK, ORANGE, STYLE

EPS, FLOOR = np.finfo(float).eps, 1e-17  # an error of exactly zero is drawn at FLOOR
NOTE = "#555555"


@rc_context(STYLE)
def differences(hs, forward, central):
    """The error of forward and central differences over the step h, with the powers of h that explain it."""
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

    forward, central, imaginary: their errors at hs.  round_off: eps |F'|
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

    remainders  label -> r(h) at each of hs
    """
    fig = Figure(figsize=(6.5, 3.6))
    ax = fig.subplots()
    styles = cycle([dict(color=BLUE, marker="o"), dict(color=ORANGE, marker="s"), dict(color=INK, marker="^")])
    for (label, r), style in zip(remainders.items(), styles, strict=False):
        ax.loglog(hs, r, ms=4, lw=1, label=label, **style)
    ax.set(xlabel="step $h$ along $v$", ylabel="$r(h)$, what $g$ does not explain")
    ax.legend()
    return fig


# ---- the gallery, with odelearn's numbers


def _errors_of_quotients(hs, x=1.0):
    """The errors of the forward, the central and the complex quotient at each of hs, and the derivative itself."""
    F = lambda x: np.exp(x) * np.sin(3 * x)
    slope = derivative(F, x)
    quotients = (F(x + hs) - F(x)) / hs, (F(x + hs) - F(x - hs)) / (2 * hs), np.imag(F(x + 1j * hs)) / hs
    return *[abs(quotient - slope) for quotient in quotients], slope


def _differences():
    hs = 10.0 ** np.arange(-16, 0, 0.25)
    return differences(hs, *_errors_of_quotients(hs)[:2])


def _complex_step():
    hs = 10.0 ** np.arange(-16, 0, 0.25)
    *errors, slope = _errors_of_quotients(hs)
    return complex_step(hs, *errors, EPS * abs(slope))


def _taylor():
    rng = np.random.default_rng(1)
    X, y, w = rng.normal(size=(20, 5)), rng.normal(size=20), rng.normal(size=5)
    loss = lambda w: np.sum((np.tanh(X @ w) - y) ** 2)
    p, v, hs, remainders = np.tanh(X @ w), rng.normal(size=5), 0.5 ** np.arange(2, 16), {}
    v /= np.linalg.norm(v)
    for name, slope_of_tanh in ("right", 1 - p**2), ("wrong", 1 - p):
        g = X.T @ (2 * (p - y) * slope_of_tanh)
        label = f"{name}: slope {taylor_slope(loss, w, g, rng):.2f}"
        remainders[label] = [abs(loss(w + h * v) - loss(w) - h * g @ v) for h in hs]
    return taylor(hs, remainders)


FIGURES = {"01_differences.png": _differences, "01_complex_step.png": _complex_step, "01_taylor.png": _taylor}
