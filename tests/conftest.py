"""What all tests share."""

import re
from dataclasses import is_dataclass

from odelearn.verify.compare import describe


def pytest_make_parametrize_id(config, val, argname):
    """Ids that say what is tested and are the same in every run, so that a test can be run again by its id."""
    if isinstance(name := getattr(val, "name", None), str):
        return name
    if is_dataclass(val) and not isinstance(val, type):
        return re.sub(r" at 0x\w+", "", describe(val))
    if callable(val):
        return getattr(val, "__name__", type(val).__name__).strip("<>")
    return None
