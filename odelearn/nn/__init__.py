"""Neural networks as dynamics, with pullbacks derived by hand.

Read mlp first; mlp_fast does the same in fewer NumPy calls, mlp_tanh for the commonest shape, mlp_ensemble for many
nets in one solve; activations is the table of them all. mlp_jacobian has df/dz and its trace, gru reads sequences,
conv sees images, losses has what training minimises.
"""

from . import losses
from .activations import ACTIVATIONS
from .conv import Conv2d, ConvDynamics
from .gru import GRU
from .mlp import MLP

__all__ = ["ACTIVATIONS", "MLP", "GRU", "Conv2d", "ConvDynamics", "losses"]
