"""Write what a class gets: lectures without outputs and solutions, problem sets without solutions and hidden tests."""

import shutil
from functools import partial
from pathlib import Path

from .errors import CourseError
from .nbgrader_course import open_course, succeed, write_settings
from .sources import find_lectures, find_notebooks, find_problem_sets, pictures_of, read_source

ANSWER = "*Your prediction, before you run the next cell:*"


def build(out, colab=None, seed=0):
    """Write OUT/student (and OUT/student.zip) and OUT/teacher.

    out    a folder; made if it is not there. What is in OUT/student is replaced; marks in OUT/teacher stay
    colab  None, or what pip shall install: each notebook then begins with a cell that does it
    seed   seed of the hidden tests, if the course is new

    Returns the folder. Raises CourseError if the sources or nbgrader are not there, or if `out` is a file, or holds
    other things.
    """
    import nbformat

    out, notebooks = check_out(out), find_notebooks()
    student, teacher = out / "student", out / "teacher"
    fresh = out / "student.new"
    shutil.rmtree(fresh, ignore_errors=True)
    (fresh / "lectures").mkdir(parents=True)
    for name, path in find_lectures(notebooks).items():
        notebook = lecture(path, notebooks / f"{name}.ipynb")
        copy_pictures(notebook, notebooks, fresh / "lectures")
        nbformat.write(with_install(notebook, colab), fresh / "lectures" / f"{name}.ipynb")
    for name, notebook in release(find_problem_sets(notebooks), teacher).items():
        copy_pictures(notebook, notebooks / "problem_sets", fresh / "problem_sets")
        (fresh / "problem_sets").mkdir(exist_ok=True)
        nbformat.write(with_install(notebook, colab), fresh / "problem_sets" / f"{name}.ipynb")
    if not (teacher / "course.json").exists():
        write_settings(teacher, {"seed": seed})
    shutil.rmtree(student, ignore_errors=True)
    fresh.replace(student)
    shutil.make_archive(str(student), "zip", student)
    return out


def check_out(out):
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise CourseError(f"OUT = {out} is a file; name a folder")
    strangers = [p.name for p in out.iterdir() if not p.name.startswith(("student", "teacher"))] if out.exists() else []
    if strangers:
        raise CourseError(f"OUT = {out} holds other things ({', '.join(sorted(strangers)[:3])}); name an empty folder")
    out.mkdir(parents=True, exist_ok=True)
    return out


def lecture(source, committed):
    """A lecture for students: the prose of the committed notebook, with its numbers; no outputs, no solutions, and
    after each "Predict" a cell for the answer."""
    import nbformat

    notebook = nbformat.read(committed, as_version=4)
    cells = []
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", ())
        if "solution" in tags:
            continue
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        cells.append(cell)
        if "predict" in tags:
            answer = nbformat.v4.new_markdown_cell(ANSWER, id=f"{cell.id[:50]}-answer")
            answer.metadata.tags = ["answer"]
            cells.append(answer)
    notebook.cells = cells
    return notebook


def release(problem_sets, teacher):
    """{"ps1": the notebook of the students, ...}: nbgrader takes out solutions, hidden tests and mark schemes."""
    import nbformat

    course, released = open_course(teacher), {}
    for name, path in problem_sets.items():
        source = teacher / "source" / name / f"{name}.ipynb"
        source.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(read_source(path), source)
        succeed(partial(course.generate_assignment, name), f"make the release of {name} from {path.name}")
        released[name] = nbformat.read(teacher / "release" / name / f"{name}.ipynb", as_version=4)
    return released


def with_install(notebook, colab):
    """The notebook, with a cell at the top that installs odelearn, if colab says what pip shall install."""
    import nbformat

    if colab is not None:
        cell = nbformat.v4.new_code_cell(f'%pip install -q "{colab}"', id="install")
        notebook.cells.insert(0, cell)
    return notebook


def copy_pictures(notebook, origin, folder):
    """Copy the pictures that the prose shows, so that the links of the notebook are right from `folder`."""
    for link in pictures_of(notebook):
        if "://" not in link:
            target = folder / link
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(origin / link, target)
