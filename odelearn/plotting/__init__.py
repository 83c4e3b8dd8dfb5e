"""Pictures, drawn off screen: no display is needed.

Read style first; then fit, spiral, ledger, gradients, solvers: one file a subject, one function a picture.
course/ has the pictures of the notebooks.
"""

from .ledger import ledger
from .style import STYLE, save

__all__ = ["STYLE", "ledger", "save"]
