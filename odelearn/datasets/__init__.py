"""Time series: from a CSV file, shipped with odelearn, or computed.

Read csv_series (files, and the lynx and the hare), then synthetic (the spirals, and windows of a series).
"""

from .csv_series import DataError, load_csv, lynx_hare
from .synthetic import cubic_spiral, spiral, windows

__all__ = ["DataError", "load_csv", "lynx_hare", "spiral", "cubic_spiral", "windows"]
