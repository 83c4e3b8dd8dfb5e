"""Neural networks as dynamics, with pullbacks derived by hand.

Read mlp first; mlp_fast does the same in fewer NumPy calls; activations is the table of both.
"""

from .activations import ACTIVATIONS
from .mlp import MLP

__all__ = ["ACTIVATIONS", "MLP"]
