"""The course: a student edition of the notebooks, problem sets that are graded by nbgrader, and their isolation.

    python -m odelearn.course build OUT          what a class gets, and the folder of the teacher
    python -m odelearn.course grade SUBMISSIONS  marks, and a page of feedback a student
    python -m odelearn.course new-seed N         other numbers in the hidden tests
    python -m odelearn.course slides OUT         slides for a lecture

Reading order: sources, student_edition, nbgrader_course (what nbgrader is told); then grading, handed_in,
nbgrader_step, execution, sandbox, worker (how untrusted code is run), feedback; slides; hand_written and bug_hunt are
used inside the problem sets, errors everywhere. nbgrader comes with `pip install .[teach]`.
"""
