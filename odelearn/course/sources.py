"""The sources of the course, in the folder notebooks/ of a checkout: src/NN_*.py are the lectures, and
problem_sets/psN_*.py the problem sets. Both are text files in jupytext's percent format."""

import hashlib
import re
from pathlib import Path

from .errors import CourseError

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
NBGRADER = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False}


def find_notebooks():
    """The folder notebooks/ of the checkout: beside the package, or in the current folder."""
    for parent in (Path(__file__).resolve().parents[2], Path.cwd()):
        if (parent / "notebooks" / "problem_sets").is_dir():
            return parent / "notebooks"
    raise CourseError(
        "the sources of the course (notebooks/src, notebooks/problem_sets) are not here: the course is built from a "
        "checkout of odelearn; go into its folder, and run the command again"
    )


def find_lectures(notebooks):
    """{name: path} of the lectures, in their order: {"00_start_here": .../00_start_here.py, ...}"""
    return {path.stem: path for path in sorted((notebooks / "src").glob("[0-9][0-9]_*.py"))}


def find_problem_sets(notebooks):
    """{name: path} of the problem sets, in their order: {"ps1": .../ps1_solvers.py, ...}"""
    return {path.stem.split("_")[0]: path for path in sorted((notebooks / "problem_sets").glob("ps[0-9]*.py"))}


def read_source(path):
    """The notebook of a source, each cell with an id made from its place and its text.

    A cell's header holds what is special about it; the rest of nbgrader's metadata is filled in. A graded cell that is
    no solution is locked.

        # %% nbgrader={"grade_id": "euler", "solution": true}
        # %% nbgrader={"grade_id": "euler-tests", "grade": true, "points": 2}
    """
    import jupytext
    import nbformat

    notebook = jupytext.read(path, fmt="py:percent")
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for i, cell in enumerate(notebook.cells):
        cell.id = f"{i:02d}-{hashlib.sha256(cell.source.encode()).hexdigest()[:8]}"
        metadata = {key: cell.metadata[key] for key in ("tags", "nbgrader") if key in cell.metadata}
        if "nbgrader" in metadata:
            given = metadata["nbgrader"]
            locked = given.get("grade", False) and not given.get("solution", False)
            metadata["nbgrader"] = {**NBGRADER, "locked": locked, "cell_type": cell.cell_type, **given}
        cell.metadata = nbformat.from_dict(metadata)
    return notebook


def pictures_of(notebook):
    """The pictures that the prose shows, as they are written there: "../figures/adjoint.gif"."""
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return sorted({a or b for a, b in re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)|<img[^>]*src=\"([^\"]+)\"", prose)})
