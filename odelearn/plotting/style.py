"""The style of all pictures, and how they are saved."""

import matplotlib

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


def save(fig, path):
    """As PNG, the same bytes each time."""
    with matplotlib.rc_context(STYLE):
        fig.savefig(path, metadata={"Software": None}, format="png")
