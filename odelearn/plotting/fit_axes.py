"""Beside a fitted model: names and units of the file, round numbers where the state is a logarithm, dates; the loss."""

from datetime import datetime, timedelta

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from .style import BLUE, ORANGE


def axis_label(series, i):
    z = f"z_{i + 1}" if i < 9 else f"z_{{{i + 1}}}"
    return f"{series.columns[i]}  $= e^{{{z}}}$" if series.log else f"{series.columns[i]}  $= {z}$"


def value_axis(axis, log, limits):
    """Ticks in the units of the file: where z = log y they stand at 1, 2, 5, 10, ... within these limits of z."""
    if log:
        low, high = np.exp(limits[0]), np.exp(limits[1])
        decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))))
        ticks = [m * 10.0**k for k in decades for m in ((1, 2, 5) if len(decades) < 5 else (1,))]
        axis.set_major_locator(FixedLocator(np.log(ticks)))
        axis.set_major_formatter(FuncFormatter(lambda z, _: f"{np.exp(z):.6g}"))


def date_or_integer_axis(ax, series, ts):
    """Dates where the times of the file are dates; whole numbers where they are."""
    if series.calendar:
        seconds = series.calendar_seconds
        origin = datetime.fromisoformat(series.origin).replace(tzinfo=None)
        day = lambda t: date2num(origin + timedelta(seconds=float(t) * seconds))
        low, high = ax.get_xlim()
        dates = AutoDateLocator(maxticks=7)
        ticks = dates.tick_values(*(origin + timedelta(seconds=float(t) * seconds) for t in (low, high)))
        formatter = ConciseDateFormatter(dates)
        labels = formatter.format_ticks(ticks)
        places = (np.array(ticks) - day(0)) * 86400 / seconds
        ax.set_xticks(places, labels)
        ax.set_xlim(low, high)
    elif np.array_equal(ts, np.round(ts)):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], nbins=6))


def draw_losses(ax, history, validation, name):
    """The loss before each step, and that of the rows for validation, whose smallest is marked."""
    positive = all(np.array([*history, *validation.values()]) > 0) and len(history) > 0
    ax.plot(np.arange(len(history)), history, color=BLUE, lw=1.2, label="training")
    if validation:
        steps, losses = list(validation), list(validation.values())
        ax.plot(steps, losses, color=ORANGE, lw=1.2, label="validation")
        best = int(np.argmin(losses))
        ax.plot(steps[best], losses[best], "o", color=ORANGE, ms=5, label="the best")
        ax.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.1, fontsize=8.5)
    if positive:
        ax.set_yscale("log")
    ax.set(xlabel="step", ylabel=name)
