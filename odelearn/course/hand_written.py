"""Used inside the tests of problem sets: was this written by hand, or does it call a library?"""

import sys
from contextlib import contextmanager
from pathlib import Path

PACKAGE = str(Path(__file__).resolve().parents[1])


@contextmanager
def by_hand(*libraries):
    """While this is on, a call of a function of odelearn or of one of the libraries is an AssertionError.

    libraries  more names of packages: by_hand("scipy") refuses scipy too

    Raises AssertionError at the first such call, which names the function.

    >>> import odelearn
    >>> with by_hand():
    ...     odelearn.ravel({"W": [1.0]})
    Traceback (most recent call last):
    AssertionError: this part is to be written by hand, but it calls ravel of odelearn.params
    """
    names = ("odelearn", *libraries)
    own = str(Path(__file__).resolve())

    def refuse(frame, event, argument):
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.split(".")[0] in names and frame.f_code.co_filename != own:
            sys.setprofile(before)
            raise AssertionError(f"this part is to be written by hand, but it calls {frame.f_code.co_name} of {module}")

    before = sys.getprofile()
    sys.setprofile(refuse)
    try:
        yield
    finally:
        sys.setprofile(before)
