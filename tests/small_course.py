"""A course of one lecture and one problem set of three parts, for the tests of `odelearn.course`."""

import nbformat

LECTURE = """\
# %% [markdown]
# # A lecture
#
# ![a picture](../figures/one.png)
# %% [markdown] tags=["predict"]
# **Predict.** What is 6 times 7?
# %%
6 * 7
# %% [markdown] tags=["exercise"]
# **1 (fill in).** Do it again.
# %% [markdown] tags=["solution"]
# <details><summary>Solution</summary>It is forty-two.</details>
"""

PROBLEM_SET = '''\
# %% [markdown]
# # PS1 A small one
# %% nbgrader={"grade_id": "imports", "locked": true}
import numpy as np

LANDMARK = 17.0
# %% nbgrader={"grade_id": "euler", "solution": true}
def euler_step(f, z, t, h):
    """z + h f(z, t)"""
    ### BEGIN SOLUTION
    slope_of_the_model_solution = f(z, t)
    return z + h * slope_of_the_model_solution
    ### END SOLUTION
# %% nbgrader={"grade_id": "euler-tests", "grade": true, "points": 2}
assert euler_step(lambda z, t: 1.0, 0.0, 0.0, 0.5) == 0.5, "slope 1 for a time of 0.5 leads from 0 to 0.5"
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand
drawn = np.random.default_rng([COURSE_SEED, 1]).normal(size=3)
with by_hand():
    stepped = euler_step(lambda z, t: z * np.cos(t), drawn, 0.3, 0.1)
assert np.allclose(stepped, drawn * (1 + 0.1 * np.cos(0.3)), rtol=1e-14), "f depends on t: at which t is it taken?"
### END HIDDEN TESTS
# %% nbgrader={"grade_id": "square", "solution": true}
def square(x):
    ### BEGIN SOLUTION
    return x * x
    ### END SOLUTION
# %% nbgrader={"grade_id": "square-tests", "grade": true, "points": 1}
### BEGIN HIDDEN TESTS
assert square(LANDMARK) == LANDMARK**2, "square(x) is x * x"
assert square(float(COURSE_SEED)) == COURSE_SEED**2, f"square({COURSE_SEED}) is {COURSE_SEED**2}"
### END HIDDEN TESTS
# %% [markdown] nbgrader={"grade_id": "why", "grade": true, "solution": true, "points": 3}
# Because h is small, says the model answer.
#
# === BEGIN MARK SCHEME ===
# A point for each reason.
# === END MARK SCHEME ===
'''


def write_sources(folder):
    """A folder notebooks/ as the real one, with one lecture, its committed notebook, a picture, and PS1."""
    notebooks = folder / "notebooks"
    (notebooks / "src").mkdir(parents=True)
    (notebooks / "problem_sets").mkdir()
    (folder / "figures").mkdir()
    (folder / "figures" / "one.png").write_bytes(b"PNG")
    (notebooks / "src" / "00_lecture.py").write_text(LECTURE)
    (notebooks / "problem_sets" / "ps1_small.py").write_text(PROBLEM_SET)
    from odelearn.course.sources import read_source

    lecture = read_source(notebooks / "src" / "00_lecture.py")
    lecture.cells[2].outputs = [nbformat.v4.new_output("stream", text="42")]
    nbformat.write(lecture, notebooks / "00_lecture.ipynb")
    return notebooks


def replace_cells(notebook, cells):
    """The notebook with other sources in the cells of the given grade_ids."""
    for cell in notebook.cells:
        part = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.source = cells.get(part, cell.source)
    return notebook


def hand_in(folder, student, notebook, name="ps1"):
    (folder / student).mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / student / f"{name}.ipynb")
