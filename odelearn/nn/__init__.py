"""Neural networks as dynamics, with pullbacks derived by hand.

Read mlp first; mlp_fast does the same in fewer NumPy calls, mlp_ensemble for many nets in one solve; activations is
the table of all three.
"""

from .activations import ACTIVATIONS
from .mlp import MLP

__all__ = ["ACTIVATIONS", "MLP"]
