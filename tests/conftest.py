"""What all tests share."""

import os
import re
from dataclasses import is_dataclass

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ.setdefault(name, "1")  # each of the two workers has a core; read when NumPy is imported, here for both

from odelearn.verify.compare import describe  # noqa: E402, after the environment


def pytest_make_parametrize_id(config, val, argname):
    """Ids that say what is tested and are the same in every run, so that a test can be run again by its id."""
    if isinstance(name := getattr(val, "name", None), str):
        return name
    if is_dataclass(val) and not isinstance(val, type):
        return re.sub(r" at 0x\w+", "", describe(val))
    if callable(val):
        return getattr(val, "__name__", type(val).__name__).strip("<>")
    return None
