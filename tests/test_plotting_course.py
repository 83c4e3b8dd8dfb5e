"""The figures of the notebooks: the gallery shows all of them, each is drawn by its function, and its axes say what
they are."""

import re
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from odelearn.experiments.figures import course_figures
from odelearn.plotting.course import derivatives, solvers, start_here
from odelearn.plotting.style import STYLE

ROOT = Path(__file__).parent.parent
GALLERY = (ROOT / "figures" / "README.md").read_text()
NUMBERS = [path.name[:2] for path in sorted((ROOT / "notebooks" / "src").glob("*.py"))]


def test_the_gallery_shows_every_figure_of_every_notebook_with_its_function():
    functions = course_figures()
    assert set(re.findall(r"!\[\]\((\d\d_\w+\.png)\)", GALLERY)) == set(functions)
    for name in functions:
        (row,) = [line for line in GALLERY.splitlines() if f"({name})" in line]
        assert f".{name[3:-4]}`" in row  # `solvers.polygons` draws 03_polygons.png
        assert (ROOT / "figures" / name).exists()


def test_every_figure_in_a_notebook_is_drawn_by_one_of_these_functions():
    for source in sorted((ROOT / "notebooks" / "src").glob("*.py")):
        text = source.read_text()
        assert not re.search(r"plt\.|subplots", text), source.name
        for name in course_figures():
            if name.startswith(source.name[:2]):
                assert f".{name[3:-4]}(" in text, (source.name, name)


@pytest.mark.parametrize("name", course_figures())
def test_every_figure_is_drawn_and_its_axes_are_labelled(name):
    figure = course_figures()[name]()
    assert isinstance(figure, Figure)
    for ax in figure.axes:
        if ax.axison:
            assert ax.get_xlabel() or not ax.get_xticklabels() or ax.get_shared_x_axes().get_siblings(ax) != [ax]
            assert ax.get_ylabel() or ax.get_title() or ax.get_shared_y_axes().get_siblings(ax) != [ax]


@pytest.mark.slow
@pytest.mark.parametrize("name", course_figures())
def test_nothing_is_cut_off_at_the_edge_of_a_figure(name):
    """Notebooks make room for what sticks out, a PNG in the gallery does not."""
    with matplotlib.rc_context(STYLE):
        figure = course_figures()[name]()
        figure.draw_without_rendering()
        box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 > -0.02 and box.y0 > -0.02 and box.x1 < width + 0.02 and box.y1 < height + 0.02


def test_a_student_may_draw_more_curves_than_the_notebook_does():
    t, hs = np.linspace(0, 1, 9), np.logspace(-3, -1, 5)
    start_here.layers(np.stack([t, t], 1), {n: np.ones((n + 1, 2)) for n in range(1, 6)})
    derivatives.taylor(hs, {str(p): hs**p for p in range(1, 6)})
    solvers.polygons(lambda z, t: z + t, (t, t), {str(n): (t, n * t) for n in range(5)})
    solvers.orders(hs, {str(p): hs**p for p in range(1, 6)})
