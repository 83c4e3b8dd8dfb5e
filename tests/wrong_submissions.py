"""How the wrong submissions of a problem set are written down, in tests/wrong_psN.py."""

from collections.abc import Callable
from dataclasses import dataclass, field

KINDS = (  # every problem set has these, beside the plausible mistakes of its own
    "empty",  # a notebook without cells
    "loops",  # `while True: pass` in a cell of the student
    "raises",  # a cell raises, and the cells after it are right
    "edits the tests",  # wrong code, and test cells that pass
    "prints the answer",  # prints the expected values instead of computing them
    "returns None",  # None for the hard part
    "calls odelearn",  # for what was to be written by hand
)


@dataclass(frozen=True)
class Wrong:
    """A submission, and the marks that it must get.

    cells   {grade_id: source} that stand in the place of those cells
    marks   {part: points} of the parts that do not get all their points; parts that a person marks are left out
    start   "model": the rest is the model solution; "release": the rest is untouched (marks then names every part that
            gets points)
    change  a function of the whole notebook that returns another, after `cells`
    """

    cells: dict = field(default_factory=dict)
    marks: dict = field(default_factory=dict)
    start: str = "model"
    change: Callable | None = None


def remove_all_cells(notebook):
    notebook.cells = []
    return notebook


def edit_all_tests(notebook):
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade") and cell.cell_type == "code":
            cell.source = "assert True"
    return notebook
