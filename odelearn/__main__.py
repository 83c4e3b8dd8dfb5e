"""The command line: python -m odelearn COMMAND ...; without one, fit."""

import argparse
import contextlib
import os
import pkgutil
import sys

import odelearn

from .datasets.cells import DataError
from .experiments import EXPERIMENTS
from .fitting import signals
from .fitting.option_table import COUNT, OPTIONS, POSITIVE, help_of
from .fitting.options import ModelFileError, SavedElsewhere, UsageError, WorseThanMean
from .optim import TrainingStopped
from .solvers.errors import SolverError

EPILOG = """\
examples:
  python -m odelearn                                  the lynx and the hare
  python -m odelearn fit my.csv --time day --columns prey,predator --log --hold-out 5
  python -m odelearn fit my.csv --model my_model.py:f --solver dopri5:rtol=1e-8,atol=1e-10
  python -m odelearn fit --resume odelearn-out/lynx_hare.npz --steps 500
  python -m odelearn predict odelearn-out/lynx_hare.npz --until 1940
  python -m odelearn spiral --out figures
  python -m odelearn compare
  python -m odelearn audit

exit status:
  0    done
  1    training or a solve failed, or a file could not be written; what had been learned is saved
  2    the arguments or a file cannot be used
  3    the training ended with a model worse than the mean of the data
  130  stopped by Ctrl-C, SIGTERM or SIGHUP; what had been learned is saved
"""


def main(argv=None):
    """Run one command of the command line.

    argv  the arguments after the name of the program, a list of strings; None: those of this process

    Returns the exit status:

        0    done
        1    training or a solve failed, or a file could not be written; what had been learned is saved, and one line
             says where
        2    the arguments or a file cannot be used; one line says why
        3    the training ended with a model worse than the mean of the data; it is saved
        130  stopped by Ctrl-C, SIGTERM or SIGHUP; what had been learned is saved

    Raises SystemExit(0) for --help and --version, as argparse does.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    if not argv or argv[0].startswith("-") and argv[0] not in ("-h", "--help", "--version"):
        argv = ["fit", *argv]
    if sys.stderr is None or not sys.stderr.isatty():
        os.environ.setdefault("TQDM_MININTERVAL", "2")  # a log file wants fewer bars than a screen
    with signals.signals_stop():
        try:
            return run(argv)
        except (UsageError, DataError) as error:
            return complain(error, 2)
        except BrokenPipeError:
            return complain("nobody reads the output any more (broken pipe)", 1)
        except OSError as error:
            return complain(f"{error.filename}: {error.strerror}" if error.filename else error, 2)
        except (SolverError, ModelFileError, TrainingStopped, SavedElsewhere) as error:
            return complain(error, 1)
        except WorseThanMean as error:
            return complain(error, 3)
        except KeyboardInterrupt:
            return complain(f"stopped by {signals.last}", 130)
        finally:
            forget_unwritten_output()


def run(argv):
    arguments = vars(parser().parse_args(argv))
    command = pkgutil.resolve_name(f"odelearn.{arguments.pop('command')}")  # so late, that --help is answered at once
    status = command(**arguments)
    if sys.stdout is not None:
        sys.stdout.flush()  # now, while an error can still be told
    return status


def complain(error, status):
    """One line on stderr, or on stdout where stderr is closed."""
    with contextlib.suppress(OSError):
        print("odelearn:", " ".join(str(error).split()), file=sys.stderr, flush=True)
    return status


def forget_unwritten_output():
    """What a stream cannot take is dropped now. Otherwise Python tries again at its end, and the status is 120."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise UsageError(f"{message} ({self.prog} --help)")


def parser():
    top = Parser(
        prog="python -m odelearn",
        description="Neural ODEs: train on a time series, forecast it, or put gradients and solvers to the test.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EPILOG,
    )
    top.add_argument("--version", action="version", version=f"odelearn {odelearn.__version__}")
    names = ["fit", "predict", "spiral", "compare", "audit", "figures", *EXPERIMENTS, "scoreboard"]
    commands = top.add_subparsers(required=True, metavar=" | ".join(names))
    add_fit(commands)
    add_predict(commands)
    add_spiral(commands)
    add_studies(commands)
    add_experiments(commands)
    add_scoreboard(commands)
    return top


def add_fit(commands):
    fit = commands.add_parser("fit", help="train a model on a CSV file (default: the lynx and the hare)")
    fit.set_defaults(command="fitting.fit:fit")
    fit.add_argument("csv", nargs="*", help="CSV files whose first line names the columns; empty cells are missing")
    titles = {"read": "how the files are written", "data": "which of it is the series", "set": "the model, and how it "
              "is trained", "run": "this run"}  # fmt: skip
    for group, title in titles.items():
        part = fit.add_argument_group(title)
        for option in OPTIONS:
            if option.group == group:
                add_option(part, option)
    part.add_argument("--resume", metavar="MODEL.npz", help="go on from a saved model; takes only --steps and --out,"
                      " and --model FILE.py:f or --trust if it names a file")  # fmt: skip
    part.add_argument("--trust", action="store_true", help="run the Python file that a saved model names")
    part.add_argument("--out", metavar="DIR", help="for the model and the figure (default: odelearn-out)")
    part.add_argument("--quiet", action="store_true", help="say nothing but what goes wrong, and show no bar")


def add_option(part, option):
    """An option of the table as an argument. Its default stays None here: what was not given is decided later."""
    flag, text = "--" + option.name.replace("_", "-"), help_of(option)
    if option.kind.type is bool:
        part.add_argument(flag, action=argparse.BooleanOptionalAction, help=text)
    else:
        part.add_argument(flag, metavar=option.metavar, type=parser_of(option.kind), help=text)


def add_predict(commands):
    predict = commands.add_parser("predict", help="write the forecast of a saved model as a CSV file")
    predict.set_defaults(command="fitting.predict:predict")
    predict.add_argument("npz", metavar="MODEL.npz", help="a file written by fit")
    predict.add_argument("--until", metavar="T", required=True, help="the last time, a number or an ISO date; it may "
                         "precede the data")  # fmt: skip
    predict.add_argument("--points", metavar="N", type=positive, default=201, help="equally spaced (default: 201)")
    predict.add_argument("--series", metavar="LABEL", help="one of several series (default: all)")
    predict.add_argument("--out", metavar="FILE.csv", help="(default: MODEL_forecast.csv beside the model)")
    predict.add_argument("--model", metavar="FILE.py:f", help="the file of the model, if it has one of its own")
    predict.add_argument("--trust", action="store_true", help="run the Python file that the saved model names")


def add_spiral(commands):
    spiral = commands.add_parser("spiral", help="learn the linear and the cubic spiral; a figure and a GIF")
    spiral.set_defaults(command="experiments.spiral:spiral")
    spiral.add_argument("--steps", metavar="N", type=positive, help="of each training (default: 150 and 2500)")
    spiral.add_argument("--seed", metavar="N", type=count, default=0, help="of noise, windows, network (default: 0)")
    spiral.add_argument("--out", metavar="DIR", default="odelearn-out", help="(default: odelearn-out)")


def add_studies(commands):
    for name, what in (
        ("compare", "lay the six gradients side by side; tables and gradients.png"),
        ("audit", "audit every solver, SciPy's too; a table and work_precision.png"),
        ("figures", "write the figures of the README and of all these commands"),
    ):
        study = commands.add_parser(name, help=what)
        study.set_defaults(command=f"experiments.{name}:{name}")
        study.add_argument("--out", metavar="DIR", default="figures", help="(default: figures)")
        study.add_argument("--quick", action="store_true", help="fewer points and steps, for a first look")


def add_experiments(commands):
    for name, (_, what) in EXPERIMENTS.items():
        study = commands.add_parser(name, help=what)
        study.set_defaults(command="experiments.command:experiment", name=name)
        study.add_argument("--seed", metavar="N", type=count, default=0, help="of data and training (default: 0)")
        study.add_argument("--full", action="store_true", help="the long run")
        study.add_argument("--out", metavar="DIR", default="odelearn-out",
                           help="for figures and JSON files (default: odelearn-out)")  # fmt: skip
        study.add_argument("--jobs", metavar="N", type=positive, default=1,
                           help="methods that run at once (default: 1; more need joblib)")  # fmt: skip
        study.add_argument("--quiet", action="store_true", help="no progress bars")


def add_scoreboard(commands):
    board = commands.add_parser("scoreboard", help="run these experiments with several seeds; which claims hold?")
    board.set_defaults(command="experiments.scoreboard:scoreboard")
    board.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(EXPERIMENTS)} (default: all)")
    board.add_argument("--seeds", metavar="N", type=positive, default=3, help="0, ..., N - 1 (default: 3)")
    board.add_argument("--full", action="store_true", help="the long runs")
    board.add_argument("--render", action="store_true", help="run nothing, only write the page from the JSON files")
    board.add_argument("--jobs", metavar="N", type=positive, default=1, help="trainings that run at once (default: 1;"
                       " more need joblib: the extra odelearn[scoreboard])")  # fmt: skip
    board.add_argument("--dask", metavar="ADDRESS", help="of a Dask scheduler, which runs them instead, such as"
                       " tcp://127.0.0.1:8786 (the extra odelearn[dask])")  # fmt: skip
    board.add_argument("--out", metavar="DIR", default="figures/scoreboard", help="for the JSON files; what is finished"
                       " there is not run again (default: figures/scoreboard)")  # fmt: skip
    board.add_argument("--page", metavar="FILE.md", default="notebooks/scoreboard.md", help="what is written (default:"
                       " notebooks/scoreboard.md)")  # fmt: skip
    board.add_argument("--draw", metavar="DIR", help="also draw the figures of each experiment there, of seed 0")
    board.add_argument("--quiet", action="store_true", help="no progress bar")


# What an argument may be. argparse puts the name of the argument before the message.


def parser_of(kind):
    """The function that makes of a text what an option of this Kind is."""
    if kind.type is list:
        return lambda text: [name.strip() for name in text.split(",")]
    return lambda text: number(text, kind.type, kind.allowed, kind.words)


def count(text):
    return number(text, *COUNT)


def positive(text):
    return number(text, *POSITIVE)


def number(text, kind, allowed, description):
    try:
        if allowed(value := kind(text)):
            return value
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"must be {description}, got {text!r}")


if __name__ == "__main__":
    sys.exit(main())
