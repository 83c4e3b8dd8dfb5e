"""What all pictures share: their style, a Figure that shows itself in a notebook, and how a picture is saved."""

import io

import matplotlib
import matplotlib.figure

# Okabe and Ito's palette tells its colours apart for every common kind of colour blindness, and these also in grey.
INK, BLUE, ORANGE, SKY, GREY = "#000000", "#0072B2", "#D55E00", "#56B4E9", "#9A9A9A"
GREEN, YELLOW, PINK = "#009E73", "#E69F00", "#CC79A7"  # the rest of it, for more than five things

STYLE = {
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.edgecolor": "#444444",
    "legend.frameon": False,
    "lines.solid_capstyle": "round",
}


class Figure(matplotlib.figure.Figure):
    """matplotlib's Figure, which also shows itself at the end of a notebook's cell: as the PNG that `save` writes."""

    def _repr_png_(self):
        png = io.BytesIO()
        save(self, png)
        return png.getvalue()


def save(fig, path):
    """Write a figure as PNG, the same bytes each time: matplotlib's signature, which has its version, is left out.

    fig   a matplotlib Figure; it is drawn in STYLE
    path  a file name, or a file that is open for writing bytes
    Returns None. Raises OSError where the file cannot be written.
    """
    with matplotlib.rc_context(STYLE):
        fig.savefig(path, metadata={"Software": None}, format="png")
