"""nbgrader's step "execute", done by `Execution`: every submission in a sandbox, every test in a process of its own."""

from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade, is_solution
from traitlets import Dict, Integer

from .execution import Execution
from .sandbox import Limits


class ExecuteIsolated(NbGraderPreprocessor):
    """Fill the outputs of the code cells of a notebook.

    A test that raises gets no points. One whose last line is a number gets so many of its points, and what it prints
    says why. Any other gets all.
    """

    limits = Dict({}, help="fields of odelearn.course.sandbox.Limits").tag(config=True)
    seed = Integer(0, help="the seed of the course, COURSE_SEED in the tests").tag(config=True)

    def preprocess(self, nb, resources):
        with Execution(Limits(**self.limits), {"COURSE_SEED": self.seed}) as execution:
            for cell in nb.cells:
                if cell.cell_type != "code":
                    continue
                if is_grade(cell) and not is_solution(cell):
                    cell.outputs = [output for output in execution.test(cell.source) if decides(output)]
                else:
                    cell.outputs = execution.run(cell.source)
        return nb, resources


def decides(output):
    """Whether an output of a test counts: its error, its number of points, and what it prints for the student."""
    return output.output_type in ("error", "execute_result") or output.get("name") == "stdout"
