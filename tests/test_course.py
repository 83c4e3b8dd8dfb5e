"""The course: what students get, how submissions are graded, and what untrusted code can do."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import nbformat
import pytest
from small_course import hand_in, replace_cells, write_sources

from odelearn.course import __main__ as command_line
from odelearn.course import grading, sandbox, sources, student_edition
from odelearn.course.errors import CourseError
from odelearn.course.execution import Execution
from odelearn.course.hand_written import by_hand
from odelearn.course.sandbox import Limits

ROOT = Path(__file__).parent.parent
EULER = "def euler_step(f, z, t, h):\n    return z + h * f(z, t)\n"
SQUARE = "def square(x):\n    return x * x\n"
QUICK = Limits(cell=5, seconds=40, memory=1 << 30)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The small course, built."""
    folder = tmp_path_factory.mktemp("course")
    notebooks = write_sources(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(student_edition, "find_notebooks", lambda: notebooks)
        return student_edition.build(folder / "out", seed=5)


def released(course):
    return nbformat.read(course / "student" / "problem_sets" / "ps1.ipynb", as_version=4)


def submit(course, folder, **students):
    """Hand in the release with other cells: submit(..., anna={"euler": EULER})"""
    for student, cells in students.items():
        hand_in(folder, student, replace_cells(released(course), cells))


def rows(path):
    with open(path, newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


@pytest.fixture
def own(course, tmp_path):
    """A copy of the course for a test that changes it."""
    shutil.copytree(course, tmp_path / "own")
    return tmp_path / "own"


# ---- the student edition


def test_students_get_lectures_without_outputs_and_solutions_and_a_place_for_each_prediction(course):
    lecture = nbformat.read(course / "student" / "lectures" / "00_lecture.ipynb", as_version=4)
    text = nbformat.writes(lecture)
    assert "forty-two" not in text and '"42"' not in text
    (i,) = [i for i, cell in enumerate(lecture.cells) if "predict" in cell.metadata.get("tags", ())]
    assert lecture.cells[i + 1].metadata.tags == ["answer"]
    assert (course / "student" / "figures" / "one.png").read_bytes() == b"PNG"


def test_nothing_of_a_solution_a_hidden_test_or_a_mark_scheme_is_in_the_release(course):
    text = nbformat.writes(released(course))
    for secret in ("slope_of_the_model_solution", "COURSE_SEED", "at which t", "says the model", "A point for each"):
        assert secret not in text
    assert "YOUR CODE HERE" in text and "slope 1 for a time of 0.5" in text


def test_the_zip_holds_the_folder(course):
    with zipfile.ZipFile(course / "student.zip") as archive:
        inside = {name for name in archive.namelist() if not name.endswith("/")}
    student = course / "student"
    assert inside == {str(path.relative_to(student)) for path in student.rglob("*") if path.is_file()}


def test_colab_puts_one_cell_at_the_top(tmp_path, monkeypatch):
    notebooks = write_sources(tmp_path)
    monkeypatch.setattr(student_edition, "find_notebooks", lambda: notebooks)
    out = student_edition.build(tmp_path / "out", colab="odelearn @ file")
    for path in (out / "student").rglob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        assert notebook.cells[0].source == '%pip install -q "odelearn @ file"'
        assert sum("%pip" in cell.source for cell in notebook.cells) == 1


def test_the_sources_of_the_real_course_are_found():
    notebooks = sources.find_notebooks()
    assert notebooks == ROOT / "notebooks"
    assert list(sources.find_lectures(notebooks)) == sorted(p.stem for p in notebooks.glob("[0-9][0-9]_*.ipynb"))
    assert list(sources.find_problem_sets(notebooks))


# ---- grading


def test_the_marks_of_a_small_class(course, tmp_path):
    submit(
        course,
        tmp_path / "class",
        good={"euler": EULER, "square": SQUARE, "why": "Because."},
        untouched={},
        later={"euler": EULER.replace("f(z, t)", "f(z, t + h)"), "square": SQUARE},
        leaves={"euler": "import os\nos._exit(0)", "square": SQUARE},
    )
    path = grading.grade(tmp_path / "class", course, QUICK, progress=False)
    columns = ("ps1 euler-tests", "ps1 square-tests", "ps1 why")
    marks = {name: tuple(row[column] for column in columns) for name, row in rows(path).items()}
    assert marks == {
        "good": ("2.0", "1.0", ""),  # the last part waits for a person
        "untouched": ("0.0", "0.0", "0.0"),
        "later": ("0.0", "1.0", "0.0"),
        "leaves": ("0.0", "1.0", "0.0"),
    }
    assert rows(path)["good"]["ps1"] == "3.0" and rows(path)["good"]["ps1 by hand"] == "3.0"
    pages = {name: (path.parent / "feedback" / f"{name}.html").read_text() for name in marks}
    assert "at which t is it taken" in pages["later"] and "COURSE_SEED" not in "".join(pages.values())
    assert "nothing was written here yet" in pages["untouched"] and "the process has ended" in pages["leaves"]


NASTY = {
    "loops": {"euler": "while True: pass", "square": SQUARE},
    "loops_in_a_test": {"euler": EULER.replace("return", "while True: pass\n    return"), "square": SQUARE},
    "eats_memory": {"euler": "x = []\nwhile True: x.append(bytearray(10**7))", "square": SQUARE},
    "exits_in_a_test": {"euler": EULER.replace("return", "__import__('os')._exit(0)\n    return"), "square": SQUARE},
    "forks": {"euler": "import os\nwhile True: os.fork()", "square": SQUARE},
    "fills_the_disk": {"euler": "with open('big', 'wb') as file:\n    file.write(bytes(10**9))", "square": SQUARE},
    "prints": {"euler": EULER + "for _ in range(100): print('x' * 10**6)", "square": SQUARE},
    "deletes": {"euler": EULER + "import os, shutil; shutil.rmtree(os.getcwd(), ignore_errors=True)", "square": SQUARE},
    "calls_odelearn": {
        "euler": "import odelearn\ndef euler_step(f, z, t, h):\n    g = lambda z, t, theta: f(z, t)\n"
        "    return odelearn.odesolve(z, g, [t, t + h], None, odelearn.euler(n=1)).zs[-1]",
        "square": SQUARE,
    },
    "edits_the_test": {"euler": "euler_step = 1", "euler-tests": "pass", "square": SQUARE},
    "changes_a_landmark": {"imports": "import numpy as np\nLANDMARK = 0.0", "euler": EULER, "square": "square = abs"},
    "forges_an_answer": {
        "euler": 'import os\nfor fd in range(3, 20):\n    try: os.write(fd, b\'{"outputs": [], "token": ""}\\n\')\n'
        "    except OSError: pass",
        "square": SQUARE,
    },
    "raises": {"euler": "raise SystemExit", "square": SQUARE},
    "returns_none": {"euler": "def euler_step(f, z, t, h): return None", "square": SQUARE},
}


@pytest.mark.course
def test_each_gets_its_mark_for_the_rest_and_the_others_theirs(course, tmp_path):
    submit(course, tmp_path / "class", good={"euler": EULER, "square": SQUARE}, **NASTY)
    (tmp_path / "class" / "garbage").mkdir()
    (tmp_path / "class" / "garbage" / "ps1.ipynb").write_text("{no notebook")
    removed = replace_cells(released(course), {"euler": "euler_step = 1", "square": SQUARE})
    removed.cells = [c for c in removed.cells if c.metadata.get("nbgrader", {}).get("grade_id") != "euler-tests"]
    hand_in(tmp_path / "class", "removes_the_test", removed)
    marks = rows(grading.grade(tmp_path / "class", course, QUICK, progress=False))
    euler = {name: float(row["ps1 euler-tests"]) for name, row in marks.items()}
    square = {name: float(row["ps1 square-tests"]) for name, row in marks.items()}
    fine = {"good", "prints", "deletes", "changes_a_landmark"}
    assert {name for name in euler if euler[name] == 2} == fine
    assert {name for name in square if square[name] == 0} == {"garbage", "changes_a_landmark"}


@pytest.mark.course
@pytest.mark.skipif(not sandbox.bubblewrap(), reason="bubblewrap is not installed here")
def test_under_bubblewrap_nothing_of_the_grader_can_be_seen_or_changed(course, tmp_path):
    """Files, environment, network and processes of the grader."""
    outside = tmp_path / "outside"
    spy = f"""
import os, pathlib, socket
hidden = ({str(course)!r}, {str(ROOT / "notebooks")!r}, "/home", "/etc/passwd")
seen = [path for path in hidden if os.path.exists(path)]
seen += [name for name in os.environ if name == "SECRET"]
seen += [pid for pid in os.listdir("/proc") if pid.isdigit() and int(pid) > 50]
try:
    pathlib.Path({str(outside)!r}).write_text("was here")
except OSError:
    pass
try:
    socket.create_connection(("127.0.0.1", {open_port()}), 1)
    seen.append("network")
except OSError:
    pass
print(seen)
"""
    with pytest.MonkeyPatch.context() as patch, Execution(QUICK, {}) as execution:
        patch.setenv("SECRET", "of the grader")
        assert execution.run(spy)[0].text == "[]\n"
    assert not outside.exists()


def open_port():
    import socket

    listener = socket.create_server(("127.0.0.1", 0))
    open_port.kept = listener
    return listener.getsockname()[1]


def test_what_is_not_isolated_is_said(monkeypatch):
    monkeypatch.setattr(sandbox, "bubblewrap", lambda: None)
    assert "CAN read your files" in sandbox.describe_isolation()
    with Execution(QUICK, {}) as execution:
        (output,) = execution.run("import os\nprint(os.environ.get('HOME') == os.getcwd(), len(os.environ) < 16)")
    assert output.text == "True True\n"


def test_a_student_never_sees_the_source_of_a_test():
    with Execution(QUICK, {"COURSE_SEED": 1}) as execution:
        execution.run("x = 1")
        assert execution.test("assert x == COURSE_SEED") == []
        (output,) = execution.run("print('COURSE_SEED' in globals(), [s for s in In if 'assert' in s])")
    assert output.text == "False []\n"


def test_what_a_test_changes_is_gone_afterwards():
    with Execution(QUICK, {}) as execution:
        execution.run("values = []")
        execution.test("values.append(1)")
        assert execution.run("print(values)")[0].text == "[]\n"


def test_time_of_all_cells_together_is_limited():
    with Execution(Limits(cell=30, seconds=3), {}) as execution:
        begun = time.monotonic()
        execution.run("import time; time.sleep(60)")
        (output,) = execution.run("1")
        assert "has used its 3 seconds" in output.evalue and time.monotonic() - begun < 20


def test_a_submission_is_graded_once_until_it_or_the_seed_changes(own, tmp_path, monkeypatch):
    graded = []
    grade_notebook = grading.succeed
    monkeypatch.setattr(grading, "succeed", lambda step, what: (graded.append(what), grade_notebook(step, what)))
    submit(own, tmp_path / "class", anna={"euler": EULER, "square": "square = lambda x: 25 if x == 5 else 289"})
    grade = lambda: rows(grading.grade(tmp_path / "class", own, QUICK, progress=False))["anna"]["ps1"]
    assert [grade(), grade(), len(graded)] == ["3.0", "3.0", 1]
    grading.new_seed(6, own)  # last year's numbers do not help
    assert [grade(), grade(), len(graded)] == ["2.0", "2.0", 2]
    submit(own, tmp_path / "class", anna={"euler": EULER, "square": SQUARE})
    assert [grade(), len(graded)] == ["3.0", 3]


@pytest.mark.course
def test_a_run_that_was_killed_goes_on_where_it_stood(own, tmp_path):
    slow = EULER + "import time; time.sleep(1)"
    students = {f"student_{i}": {"euler": slow, "square": SQUARE} for i in range(6)}
    submit(own, tmp_path / "class", **students)
    command = [sys.executable, "-m", "odelearn.course", "grade", str(tmp_path / "class"), "--course", str(own)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True)
    notes = own / "teacher" / "graded"
    while len(list(notes.glob("student_*/ps1.json"))) < 2:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = {path: path.stat().st_mtime_ns for path in notes.glob("student_*/ps1.json")}
    assert 2 <= len(before) < 6
    marks = rows(grading.grade(tmp_path / "class", own, progress=False))
    assert [row["ps1"] for row in marks.values()] == ["3.0"] * 6
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_marks_given_by_hand_stay(own, tmp_path):
    from odelearn.course.nbgrader_course import open_course

    submit(own, tmp_path / "class", anna={"euler": EULER, "why": "Because."})
    grade = lambda: rows(grading.grade(tmp_path / "class", own, QUICK, progress=False))["anna"]
    assert grade()["ps1 why"] == ""
    with open_course(own / "teacher").gradebook as book:
        mark = book.find_grade("why", "ps1", "ps1", "anna")
        mark.manual_score, mark.needs_manual_grade = 2.5, False
        book.db.commit()
    assert grade()["ps1 why"] == "2.5"


# ---- wrong input


def test_the_command_line(course, tmp_path, capsys, monkeypatch):
    submit(course, tmp_path / "class", anna={"euler": EULER})
    assert command_line.main(["grade", str(tmp_path / "class"), "--course", str(course), "--quiet"]) == 0
    assert "marks.csv" in capsys.readouterr().out
    monkeypatch.chdir(tmp_path)
    assert command_line.main(["grade", str(tmp_path / "class")]) == 2
    assert "python -m odelearn.course build" in capsys.readouterr().err
    assert command_line.main(["new-seed", "7", "--course", str(course)]) == 0
    assert json.loads((course / "teacher" / "course.json").read_text()) == {"seed": 7}
    for wrong in (["new-seed", "-1"], ["grade"], ["build", str(tmp_path), "--seed", "x"]):
        with pytest.raises(SystemExit) as caught:
            command_line.main(wrong)
        assert caught.value.code == 2


def test_wrong_folders_are_named(course, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "class" / "anna").mkdir(parents=True)
    for folder, message in (
        ("nowhere", "is not a folder"),
        ("empty", "there is no folder in"),
        ("class", "holds ps1.ipynb"),
    ):
        with pytest.raises(CourseError, match=message):
            grading.grade(tmp_path / folder, course, progress=False)
    with pytest.raises(CourseError, match="is a file"):
        student_edition.build(tmp_path / "file")
    with pytest.raises(CourseError, match="holds other things .class, empty, file."):
        student_edition.build(tmp_path)


def test_the_course_needs_its_sources_and_nbgrader(tmp_path, monkeypatch):
    from odelearn.course import nbgrader_course

    monkeypatch.setitem(sys.modules, "nbgrader", None)
    with pytest.raises(CourseError, match=r"pip install '.\[teach\]'"):
        nbgrader_course.open_course(tmp_path)
    monkeypatch.setattr(sources, "__file__", str(tmp_path / "a" / "b" / "sources.py"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CourseError, match="go into its folder"):
        sources.find_notebooks()


def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "nbformat", None)
    assert command_line.main(["build", str(tmp_path / "out")]) == 2
    assert "nbformat" in (told := capsys.readouterr().err) and "pip install '.[teach]'" in told


def test_by_hand_refuses_libraries_and_nothing_else():
    import numpy as np
    import scipy.integrate

    with by_hand("scipy"):
        np.linalg.solve(np.eye(2), np.ones(2))
    with pytest.raises(AssertionError, match="it calls solve_ivp of scipy"), by_hand("scipy"):
        scipy.integrate.solve_ivp(lambda t, z: z, (0, 1), [1.0])
    assert sys.getprofile() is None


# ---- for the teacher


def parts_of(name):
    path = sources.find_problem_sets(sources.find_notebooks())[name]
    metadata = [cell.metadata.get("nbgrader", {}) for cell in sources.read_source(path).cells]
    return {m["grade_id"]: m for m in metadata if m.get("grade")}


def test_every_outcome_is_assessed_by_a_part_that_exists_and_the_points_are_right():
    text = (ROOT / "notebooks" / "teaching" / "README.md").read_text()
    named = re.findall(r"`(ps\d) ([\w-]+)`", text)
    assert len(named) > 20 and all(part in parts_of(name) for name, part in named)
    rows = re.findall(r"^\| PS(\d) [^|]+\| (\d+) \| (\d+) \| (\d+) \|", text, re.MULTILINE)
    assert len(rows) == 5
    for number, points, by_tests, marked_by_hand in rows:
        parts = parts_of(f"ps{number}").values()
        tested = sum(m["points"] for m in parts if not m["solution"])
        marked = sum(m["points"] for m in parts if m["solution"])
        assert (int(points), int(by_tests), int(marked_by_hand)) == (tested + marked, tested, marked)


def test_slides_need_no_network_and_each_has_one_title_and_one_picture(tmp_path):
    from odelearn.course.slides import deck, write_slides

    pages = write_slides(tmp_path / "out")
    assert [page.name for page in pages] == ["derivatives_you_can_trust.html", "the_adjoint_in_25_slides.html"]
    for page in pages:
        text = page.read_text()
        assert not re.search(r"""(?:src|href)=["']https?:""", text)
        linked = re.findall(r"""(?:src|href)=["']((?:reveal|mathjax)/[^"'?]+)""", text)
        assert len(linked) >= 4 and all((tmp_path / "out" / path).is_file() for path in linked)
        source = ROOT / "notebooks" / "slides" / f"{page.stem}.py"
        for cell in deck(source).cells:
            assert all((ROOT / path).is_file() for path in re.findall(r"\]\((\S+)\)", cell.source))
            assert re.match(r"##? \S", cell.source) and len(re.findall(r"!\[[^\]]+\]\(", cell.source)) == 1
            assert len(re.sub(r"!\[.*|\$\$.*?\$\$", "", cell.source, flags=re.DOTALL).split()) <= 40
        assert len(re.findall(r'<img[^>]* src="data:image/', text)) == len(deck(source).cells)
    assert len(deck(ROOT / "notebooks" / "slides" / "the_adjoint_in_25_slides.py").cells) == 25
