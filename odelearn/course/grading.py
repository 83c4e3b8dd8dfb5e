"""Grade the submissions of a class: marks as one CSV, and a page of feedback a student. A run that was interrupted goes
on where it stood, since what has been marked is written down submission by submission."""

import csv
import hashlib
import json
import shutil
from functools import partial
from pathlib import Path

from tqdm import tqdm

from .errors import CourseError
from .feedback import write_feedback
from .handed_in import hand_over
from .nbgrader_course import open_course, read_settings, succeed, write_settings
from .sandbox import Limits


def grade(submissions, course, limits=None, progress=True):
    """Grade every notebook psN.ipynb in SUBMISSIONS/student/.

    submissions  a folder with a folder per student; the folder's name is the student's
    course       the folder that `build` wrote
    limits       a Limits, what a submission may use; None: the usual ones
    progress     show a bar

    A submission that has not changed since it was graded, with the same seed, keeps its marks. Marks given by hand (in
    nbgrader's formgrader, or its database) stay.

    Returns the path of COURSE/teacher/marks.csv: one row a student, a column a part, a total a problem set. A part that
    waits for a mark by hand is empty. Feedback is in COURSE/teacher/feedback/STUDENT.html.

    Raises CourseError if there are no submissions, or no course.
    """
    teacher, submissions = Path(course) / "teacher", Path(submissions)
    limits, seed = limits or Limits(), read_settings(teacher)["seed"]
    students, names = find_students(submissions), [path.name for path in sorted((teacher / "release").iterdir())]
    api = open_course(teacher, limits, seed)
    found = [(s, ps, path) for s in students for ps in names if (path := find_notebook(submissions / s, ps))]
    if not found:
        raise CourseError(
            f"no folder in {submissions} holds {names[0]}.ipynb or another problem set; SUBMISSIONS is a folder with a "
            "folder per student, and the notebooks in there keep their names"
        )
    for student, name, path in tqdm(found, "grading", unit=" notebooks", disable=not progress):
        grade_notebook(api, teacher, student, name, path, seed)
    marks = read_marks(api, students, names)
    for student in students:
        write_feedback(teacher, student, marks[student], seed)
    return write_marks(teacher / "marks.csv", marks)


def find_students(submissions):
    if not submissions.is_dir():
        raise CourseError(f"SUBMISSIONS = {submissions} is not a folder; it is a folder with a folder per student")
    students = sorted(path.name for path in submissions.iterdir() if path.is_dir() and path.name[0] not in "._")
    if not students:
        raise CourseError(f"there is no folder in {submissions}; it is a folder with a folder per student")
    return students


def find_notebook(folder, name):
    """The notebook of a problem set in a student's folder, also one folder deeper; None if there is none."""
    places = (folder / f"{name}.ipynb", folder / name / f"{name}.ipynb", folder / "problem_sets" / f"{name}.ipynb")
    return next((path for path in places if path.is_file() and not path.is_symlink()), None)


def grade_notebook(api, teacher, student, name, path, seed):
    """Let nbgrader grade one notebook, if it is new. What is finished leaves a note; a half-done one is done again."""
    note = teacher / "graded" / student / f"{name}.json"
    done = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "seed": seed}
    if note.is_file() and read_note(note) == done:
        return
    place = teacher / "submitted" / student / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    note.parent.mkdir(parents=True, exist_ok=True)
    problem = hand_over(path, place / f"{name}.ipynb", teacher / "release" / name / f"{name}.ipynb")
    succeed(partial(api.autograde, name, student, force=True), f"grade {name} of {student}")
    note.with_suffix(".new").write_text(json.dumps(done), encoding="utf-8")
    note.with_suffix(".new").replace(note)
    problems = teacher / "graded" / student / f"{name}.problem.txt"
    problems.write_text(problem, encoding="utf-8") if problem else problems.unlink(missing_ok=True)


def read_note(note):
    try:
        return json.loads(note.read_text(encoding="utf-8"))
    except ValueError:
        return None


def read_marks(api, students, names):
    """{student: {"ps1": {part: (points or None, of), ...}, ...}}; None waits for a mark by hand."""
    marks = {student: {} for student in students}
    with api.gradebook as book:
        for name in names:
            parts = {part: (0.0, of) for part, of in find_parts(api, name)}
            for submission in book.assignment_submissions(name):
                if submission.student_id in marks:
                    given = {
                        grade.name: (None if grade.needs_manual_grade else grade.score, grade.max_score)
                        for notebook in submission.notebooks
                        for grade in notebook.grades
                    }
                    marks[submission.student_id][name] = {part: given[part] for part in parts}
            for student in students:
                marks[student].setdefault(name, parts)
    return marks


def find_parts(api, name):
    """[(part, points), ...] of a problem set, in the order of its notebook."""
    import nbformat

    release = nbformat.read(Path(api.coursedir.root) / "release" / name / f"{name}.ipynb", as_version=4)
    parts = [cell.metadata.nbgrader for cell in release.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    return [(part["grade_id"], float(part["points"])) for part in parts]


def write_marks(path, marks):
    """One row a student: the total of each problem set and what it is out of, then every part."""
    rows = []
    for student, sets in marks.items():
        row = {"student": student}
        for name, parts in sets.items():
            row[name] = sum(points or 0.0 for points, _ in parts.values())
            row[f"{name} of"] = sum(of for _, of in parts.values())
            row[f"{name} by hand"] = sum(of for points, of in parts.values() if points is None)
        row |= {
            f"{name} {part}": "" if points is None else points
            for name, parts in sets.items()
            for part, (points, _) in parts.items()
        }
        rows.append(row)
    with open(path.with_suffix(".new"), "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    path.with_suffix(".new").replace(path)
    return path


def new_seed(seed, course):
    """Let the hidden tests draw their numbers from another seed; the next `grade` grades everything anew."""
    teacher = Path(course) / "teacher"
    write_settings(teacher, {**read_settings(teacher), "seed": seed})
