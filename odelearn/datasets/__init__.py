"""Time series, points and images: from a CSV file, shipped with odelearn, or computed.

Read csv_series (files, and the lynx and the hare), with cells (numbers) and times (dates); then synthetic (the
spirals, windows of a series, two moons and two circles), irregular_spirals (many spirals, each seen at times of its
own), and digits (images of handwritten digits, and the folds of cross-validation).
"""

from .cells import DataError, DataWarning
from .csv_series import load_csv, lynx_hare
from .digits import digits, split_folds
from .irregular_spirals import irregular_spirals, sub_stretches
from .synthetic import circles, cubic_spiral, spiral, two_moons, windows

__all__ = [
    "DataError",
    "DataWarning",
    "circles",
    "cubic_spiral",
    "digits",
    "irregular_spirals",
    "load_csv",
    "lynx_hare",
    "spiral",
    "split_folds",
    "sub_stretches",
    "two_moons",
    "windows",
]
