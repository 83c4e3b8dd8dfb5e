"""The figures of notebook 06 Parameters, times and the algorithms."""

import numpy as np
from matplotlib import rc_context

from ..style import BLUE, INK, ORANGE, STYLE, Figure


@rc_context(STYLE)
def starts(t, a_t, minus_af, measured):
    """a_t solved back from three values at t_N: only from -dL/dt_N is it -a f, and arrives at dL/dt_0.

    t         (m,), from t_N to t_0
    a_t       three curves (m,): from 0, from dL/dt_N, from -dL/dt_N
    minus_af  (m,): -a f at the same times
    measured  the number dL/dt_0, by differences of the loss
    Returns the Figure.
    """
    lines = [("from $0$", ORANGE, "--"), ("from $dL/dt_N$", ORANGE, ":"), ("from $-dL/dt_N$", BLUE, "-")]
    fig = Figure(figsize=(7.5, 3.6))
    ax = fig.subplots()
    for curve, (label, colour, dash) in zip(a_t, lines, strict=True):
        ax.plot(t, curve, dash, color=colour, lw=1.8, label=label)
    ax.plot(t[::9], minus_af[::9], "o", mfc="white", mec=INK, ms=5, label="$-a f$")
    ax.plot(np.min(t), measured, "*", color=INK, ms=13, label="$dL/dt_0$, measured")
    ax.set(xlabel="time $t$", ylabel="$a_t(t)$")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return fig
