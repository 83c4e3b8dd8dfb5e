"""Pictures, drawn off screen: no display is needed. A function draws the numbers that it is given, and computes none.

Read style first; then fit (and fit_axes), spiral, ledger, gradients, solvers, classify, fields, flow, latent: one file
a subject, one function a picture. film writes the GIFs; slider lets a figure follow a slider. course/ has the pictures
of the notebooks, one file a notebook.
"""

from .ledger import ledger
from .style import STYLE, save

__all__ = ["STYLE", "ledger", "save"]
