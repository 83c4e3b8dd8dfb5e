"""A figure with a slider, in a notebook with a live kernel."""

import os
import sys


def slide(draw, values, start, label):
    """A figure that follows a slider over some values; without a live kernel or ipywidgets, the figure for one of them.

    draw    draw(value) -> Figure of this package
    values  a list of numbers, from left to right; start is one of them: ValueError otherwise
    start   where the slider stands first
    label   what is written beside the slider, such as "h"

    Returns a widget of ipywidgets, or draw(start): where ipywidgets is not installed, outside of Jupyter, and where the
    environment has ODELEARN_STATIC, as when the notebooks are built.

    >>> from odelearn.plotting.style import Figure
    >>> figure = slide(lambda h: Figure(figsize=(h, 1)), [1.0, 2.0, 4.0], start=2.0, label="h")
    >>> float(figure.get_figwidth())
    2.0
    """
    values = [float(value) for value in values]
    if float(start) not in values:
        raise ValueError(f"start must be one of the values of the slider, got {start:g}; there are {values}")
    figure, ipywidgets = draw(float(start)), find_ipywidgets()
    if ipywidgets is None:
        return figure
    options = [(f"{value:.3g}", value) for value in values]
    slider = ipywidgets.SelectionSlider(
        options=options, value=float(start), description=label, continuous_update=False, layout={"width": "60%"}
    )
    image = ipywidgets.Image(value=figure._repr_png_(), format="png", layout={"object_fit": "contain"})

    def redraw(change):
        image.value = draw(change["new"])._repr_png_()

    slider.observe(redraw, names="value")
    return ipywidgets.VBox([slider, image])


def find_ipywidgets():
    """The module, or None where a widget cannot be shown."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if os.environ.get("ODELEARN_STATIC") or not hasattr(shell, "kernel"):
        return None
    try:
        import ipywidgets
    except ImportError:
        return None
    return ipywidgets
