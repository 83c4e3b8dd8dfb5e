"""Time series, points and images: from a CSV file, shipped with odelearn, or computed.

Read csv_series (files, and the lynx and the hare), with cells (numbers) and times (dates); then synthetic (the
spirals, windows of a series, two moons and two circles), heated_room (trials with inputs), irregular_spirals (many
spirals, each seen at times of its own), vector_fields (known fields of the plane, to be learned from noisy
trajectories), digits (images of handwritten digits, and the folds of cross-validation), and densities (potentials to
match, and what moons and circles are drawn from).
"""

from .cells import DataError, DataWarning
from .csv_series import load_csv, lynx_hare
from .densities import POTENTIALS, entropy, log_circles, log_two_moons, lowest_loss
from .digits import digits, split_folds
from .irregular_spirals import irregular_spirals, latent_spirals, sub_stretches
from .synthetic import circles, cubic_spiral, spiral, two_moons, windows
from .vector_fields import FIELDS, noisy_trajectories

__all__ = [
    "DataError",
    "DataWarning",
    "FIELDS",
    "POTENTIALS",
    "circles",
    "cubic_spiral",
    "digits",
    "entropy",
    "irregular_spirals",
    "latent_spirals",
    "load_csv",
    "log_circles",
    "log_two_moons",
    "lowest_loss",
    "lynx_hare",
    "noisy_trajectories",
    "spiral",
    "split_folds",
    "sub_stretches",
    "two_moons",
    "windows",
]
