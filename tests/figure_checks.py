"""What must be true of every figure: its axes say what they are, and nothing is cut off at its edge."""

import matplotlib

from odelearn.plotting.style import STYLE


def assert_labelled(figure):
    for ax in figure.axes:
        if ax.axison:
            assert ax.get_xlabel() or not ax.get_xticklabels() or ax.get_shared_x_axes().get_siblings(ax) != [ax]
            assert ax.get_ylabel() or ax.get_title() or ax.get_shared_y_axes().get_siblings(ax) != [ax]


def assert_inside(figure):
    with matplotlib.rc_context(STYLE):
        figure.draw_without_rendering()
        box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 > -0.02 and box.y0 > -0.02 and box.x1 < width + 0.02 and box.y1 < height + 0.02, f"{box} cut off"


def faults_of(figure):
    """What is wrong with a figure, in words; "" if nothing is."""
    for check in assert_labelled, assert_inside:
        try:
            check(figure)
        except AssertionError as error:
            return f"{check.__name__}: {error}"
    return ""
