"""The grading is itself graded: every wrong submission gets the marks that it must get, part by part."""

import csv
import importlib
import re

import nbformat
import pytest
from small_course import hand_in, replace_cells
from wrong_submissions import KINDS

from odelearn.course import grading, sources, student_edition
from odelearn.course.nbgrader_course import write_settings
from odelearn.course.sandbox import Limits

pytestmark = pytest.mark.course
NOTEBOOKS = sources.find_notebooks()
PROBLEM_SETS = sources.find_problem_sets(NOTEBOOKS)
SECRET = re.compile(
    r"### BEGIN (SOLUTION|HIDDEN TESTS)\n(.*?)### END \1|=== BEGIN MARK SCHEME ===\n(.*?)=== END", re.DOTALL
)


@pytest.fixture(scope="module", params=PROBLEM_SETS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def source(name):
    return sources.read_source(PROBLEM_SETS[name])


@pytest.fixture(scope="module")
def teacher(name, tmp_path_factory):
    folder = tmp_path_factory.mktemp("course") / "teacher"
    folder.mkdir()
    student_edition.release({name: PROBLEM_SETS[name]}, folder)
    write_settings(folder, {"seed": 11})
    return folder


@pytest.fixture(scope="module")
def release(name, teacher):
    return nbformat.read(teacher / "release" / name / f"{name}.ipynb", as_version=4)


@pytest.fixture(scope="module")
def wrong(name):
    return importlib.import_module(f"wrong_{name}").WRONG


def parts(notebook, by_hand):
    """{part: points} of those that are marked by hand, or of those that are not."""
    metadata = [cell.metadata.nbgrader for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    return {m["grade_id"]: float(m["points"]) for m in metadata if m["solution"] == by_hand}


def test_every_kind_of_wrong_submission_is_tried(wrong):
    assert set(KINDS) <= set(wrong) and len(wrong) >= len(KINDS) + 4


def test_the_marks(name, source, teacher, release, wrong, tmp_path):
    """The model solution gets all points, the untouched release none, each wrong submission what is said of it."""
    full = parts(source, by_hand=False)
    expected = {"model": full, "untouched": dict.fromkeys(full, 0.0)}
    hand_in(tmp_path / "class", "model", source, name)
    hand_in(tmp_path / "class", "untouched", release, name)
    for label, case in wrong.items():
        student = label.replace(" ", "_")
        start = nbformat.from_dict(source if case.start == "model" else release)
        notebook = replace_cells(nbformat.reads(nbformat.writes(start), as_version=4), case.cells)
        hand_in(tmp_path / "class", student, case.change(notebook) if case.change else notebook, name)
        expected[student] = (full if case.start == "model" else dict.fromkeys(full, 0.0)) | case.marks
        assert set(case.marks) <= set(full), label
    limits = Limits(cell=20, seconds=120)
    with open(grading.grade(tmp_path / "class", teacher.parent, limits, progress=False), newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    marks = {student: {part: float(rows[student][f"{name} {part}"]) for part in full} for student in expected}
    for student, points in expected.items():
        assert marks[student] == points, (student, (teacher / "feedback" / f"{student}.html").read_text())


def test_nothing_secret_survives_in_the_release(source, release):
    """Searched for by the lines of solutions, hidden tests and mark schemes."""
    text = "\n".join(cell.source for cell in release.cells)
    shown = {line.strip() for line in text.splitlines()}
    open_lines = set()
    for cell in source.cells:
        open_lines |= {line.strip() for line in SECRET.sub("", cell.source).splitlines()}
    secrets = set()
    for cell in source.cells:
        for match in SECRET.finditer(cell.source):
            secrets |= {line.strip() for line in (match[2] or match[3]).splitlines() if len(line.strip()) > 8}
    assert len(secrets) > 20
    assert not (secrets - open_lines) & shown
    assert not re.search(r"BEGIN|END SOLUTION|MARK SCHEME|COURSE_SEED", text)


def test_points_parts_and_hours_stand_on_top(source):
    by_hand, by_tests = parts(source, True), parts(source, False)
    top = source.cells[0].source
    points = sum(by_hand.values()) + sum(by_tests.values())
    assert 8 <= len(by_hand) + len(by_tests) <= 12
    assert re.search(rf"\b{points:g} points\b", top) and re.search(r"\bhours\b", top)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_model_solution_passes_for_other_seeds(source, seed):
    namespace = {"COURSE_SEED": seed}
    for cell in source.cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, "model", "exec"), namespace)
