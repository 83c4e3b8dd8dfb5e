"""The command line of the course: python -m odelearn.course COMMAND ..."""

import argparse
import sys

from .errors import CourseError
from .sandbox import Limits

EPILOG = """\
examples:
  python -m odelearn.course build odelearn-course           writes odelearn-course/student and .../teacher
  python -m odelearn.course grade handed-in                 a folder per student, ps1.ipynb ... in each
  python -m odelearn.course new-seed 2027                   other numbers in the hidden tests
  python -m odelearn.course slides odelearn-slides          two decks of slides
"""


def main(argv=None):
    """Run one command. Returns the exit status: 0 done, 1 nbgrader or a file failed, 2 the arguments cannot be used."""
    arguments = vars(parser().parse_args(argv))
    command = arguments.pop("command")
    try:
        command(**arguments)
    except CourseError as error:
        print(f"odelearn.course: {error}", file=sys.stderr)
        return 2
    except ImportError as error:
        print(f"odelearn.course: {error.name} is not installed, and is needed: pip install '.[teach]'", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"odelearn.course: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("odelearn.course: stopped; what has been graded is kept, the same command goes on", file=sys.stderr)
        return 130
    return 0


def parser():
    raw = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser("python -m odelearn.course", description=__doc__, epilog=EPILOG, formatter_class=raw)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("build", help="write the student edition and the folder of the teacher")
    command.add_argument("out", metavar="OUT", help="a folder; made if it is not there")
    command.add_argument(
        "--colab",
        nargs="?",
        const="odelearn",
        metavar="REQUIREMENT",
        help="a cell at the top of each notebook installs REQUIREMENT by pip (%(const)s)",
    )
    command.add_argument("--seed", type=seed, default=0, metavar="N", help="seed of the hidden tests of a new course")
    command.set_defaults(command=run_build)

    command = commands.add_parser("grade", help="grade the submissions of a class")
    command.add_argument("submissions", metavar="SUBMISSIONS", help="a folder with a folder per student")
    add_course(command)
    command.add_argument("--seconds", type=positive, default=Limits.seconds, help="of a notebook (%(default)s)")
    command.add_argument("--memory", type=positive, default=Limits.memory / 2**30, metavar="GIB", help="(%(default)s)")
    command.add_argument("--quiet", action="store_true", help="no progress bar")
    command.set_defaults(command=run_grade)

    command = commands.add_parser("slides", help="write the decks of slides, for a browser without a network")
    command.add_argument("out", metavar="OUT", help="a folder; made if it is not there")
    command.set_defaults(command=run_slides)

    command = commands.add_parser("new-seed", help="let the hidden tests draw other numbers")
    command.add_argument("seed", type=seed, metavar="N", help="a whole number, 0 or more")
    add_course(command)
    command.set_defaults(command=run_new_seed)
    return top


def add_course(command):
    command.add_argument("--course", default="odelearn-course", metavar="OUT", help="what build wrote (%(default)s)")


def seed(text):
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 0 or more")
    return int(text)


def positive(text):
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def run_build(out, colab, seed):
    from . import student_edition

    folder = student_edition.build(out, colab, seed)
    print(f"students get {folder}/student (or student.zip); {folder}/teacher is for you alone")


def run_grade(submissions, course, seconds, memory, quiet):
    from . import grading
    from .sandbox import describe_isolation

    print(describe_isolation(), file=sys.stderr)
    limits = Limits(cell=min(Limits.cell, seconds), seconds=seconds, memory=int(memory * 2**30))
    path = grading.grade(submissions, course, limits, progress=not quiet)
    print(f"marks: {path}\nfeedback: {path.parent / 'feedback'}")


def run_slides(out):
    from . import slides

    print("open in a browser:", *slides.write_slides(out), sep="\n  ")


def run_new_seed(seed, course):
    from . import grading

    grading.new_seed(seed, course)
    print(f"the hidden tests of {course} draw from seed {seed}; grade again")


if __name__ == "__main__":
    sys.exit(main())
