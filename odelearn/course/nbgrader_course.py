"""What nbgrader is told: the folder of the teacher as one of its courses, without a hub and without a database server.

OUT/teacher/
    course.json       the seed of the course
    gradebook.db      marks, nbgrader's own database
    source/ps1/ps1.ipynb      with solutions and hidden tests
    release/ps1/ps1.ipynb     without them: this goes to the students
    submitted/ autograded/    what was handed in, and what it did
"""

import json
import os
import sys
import warnings
from pathlib import Path

from .errors import CourseError
from .sandbox import Limits

STUB = "# YOUR CODE HERE\nraise NotImplementedError"


def need_nbgrader():
    """Import nbgrader, or say how to get it. Its database needs the console script alembic on PATH."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    try:
        import nbgrader
    except ImportError:
        raise CourseError(
            "nbgrader is not installed, and problem sets are made and graded with it: pip install '.[teach]'"
        ) from None
    if not nbgrader.__version__.startswith("0.9."):
        raise CourseError(f"nbgrader {nbgrader.__version__} is installed; the course needs 0.9: pip install '.[teach]'")


def open_course(teacher, limits=None, seed=0):
    """nbgrader's interface to the course in the folder `teacher`.

    limits, seed  for grading: of `nbgrader_step.ExecuteIsolated`
    """
    need_nbgrader()
    from nbgrader.apps import NbGraderAPI
    from nbgrader.preprocessors import CheckCellMetadata, LimitOutput, SaveAutoGrades
    from traitlets.config import Config

    from .nbgrader_step import ExecuteIsolated

    c = Config()
    c.CourseDirectory.root = str(Path(teacher).resolve())
    c.CourseDirectory.course_id = "odelearn"
    c.ClearSolutions.code_stub = {"python": STUB}
    c.ClearSolutions.text_stub = "*YOUR ANSWER HERE*"
    c.Autograde.autograde_preprocessors = [ExecuteIsolated, LimitOutput, SaveAutoGrades, CheckCellMetadata]
    c.ExecuteIsolated.limits = vars(limits or Limits())
    c.ExecuteIsolated.seed = seed
    return NbGraderAPI(config=c)


def read_settings(teacher):
    """{"seed": 0} of the course, or a CourseError that says how to make one."""
    path = Path(teacher) / "course.json"
    if not path.is_file():
        raise CourseError(
            f"there is no course in {Path(teacher).parent}; make it: python -m odelearn.course build FOLDER, and name "
            "the folder with --course"
        )
    return json.loads(path.read_text(encoding="utf-8"))


def write_settings(teacher, settings):
    path = Path(teacher) / "course.json"
    path.with_suffix(".new").write_text(json.dumps(settings) + "\n", encoding="utf-8")
    path.with_suffix(".new").replace(path)


def succeed(step, what):
    """Take one step of nbgrader; CourseError with the end of its log if it fails. Its own warnings are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = step()
    if not result["success"]:
        told = "\n".join((result.get("error") or result.get("log") or "").strip().splitlines()[-12:])
        raise CourseError(f"nbgrader could not {what}:\n{told}")
