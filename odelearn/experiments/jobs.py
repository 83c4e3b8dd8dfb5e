"""Experiments as independent jobs. Each that is finished is a JSON file, and is never computed again."""

import contextlib
import importlib
import json
import platform
import sys
import threading
import time
import traceback
import warnings
from collections import namedtuple
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..fitting.options import UsageError, one_line
from ..fitting.signals import signals_deferred
from ..fitting.store import atomic_write, writable_directory
from ..optim import progress_bar
from . import EXPERIMENTS


@dataclass(frozen=True)
class Job:
    """One training: a method of an experiment with one seed.

    experiment  a name in EXPERIMENTS, whose module has these five, and METHODS, the names of its methods:
                    settings(method, full=False) -> dict        what the numbers depend on, besides the seed
                    run(method, seed, full=False, progress=True) -> dict
                    draw(results, folder) -> list of Path       the figures
                    table(results) -> str                       what the command prints
                    claims(results) -> list of Claim            the rows of the scoreboard
                Everything that run and settings return is numbers, strings, lists and dicts
    method      one of METHODS
    seed        a whole number, 0 or more
    full        the long run

    Raises UsageError for an experiment or a method that does not exist.
    """

    experiment: str
    method: str
    seed: int
    full: bool = False

    def __post_init__(self):
        if self.method not in self.module.METHODS:
            methods = ", ".join(self.module.METHODS)
            raise UsageError(f"{self.experiment} has no method {self.method!r}; there are {methods}")

    def __str__(self):
        return f"{self.experiment} {self.method}, seed {self.seed}{', full' if self.full else ''}"

    @property
    def module(self):
        return module_of(self.experiment)

    def path(self, folder):
        """FOLDER/EXPERIMENT/METHOD-seedS.json, of a long run METHOD-seedS-full.json."""
        return Path(folder) / self.experiment / f"{self.method}-seed{self.seed}{'-full' if self.full else ''}.json"

    def head(self):
        """What a file must begin with to be that of this job: its four parts, and the settings. As JSON has them."""
        return as_json({**asdict(self), "settings": self.module.settings(self.method, full=self.full)})


def module_of(experiment):
    """The module of an experiment. Raises UsageError if there is none of that name."""
    if experiment not in EXPERIMENTS:
        raise UsageError(f"there is no experiment {experiment!r}; there are {', '.join(EXPERIMENTS)}")
    return importlib.import_module(EXPERIMENTS[experiment][0])


def jobs_of(experiment, seeds, full=False):
    """All methods of an experiment with each of the seeds: a list of Jobs."""
    return [Job(experiment, method, seed, full) for seed in seeds for method in module_of(experiment).METHODS]


def versions():
    odelearn = sys.modules["odelearn"].__version__  # odelearn itself is above all its rooms, and so is not imported
    return {"odelearn": odelearn, "numpy": np.__version__, "python": platform.python_version()}


def as_json(x):
    """x as it comes back from a JSON file: tuples are lists, keys are strings, and NumPy's numbers are Python's.

    Raises TypeError for what JSON does not know.
    """
    return json.loads(json.dumps(x, default=plain))


def plain(x):
    if isinstance(x, np.ndarray | np.generic):
        return x.tolist()
    raise TypeError(f"a result must be made of numbers, strings, lists and dicts, got {type(x).__name__}")


# ---- the files


def result_of(record):
    """What draw, table and claims get of a file: what run returned, and experiment, method, seed, full, settings,
    versions, seconds and cpu_seconds unless run returned something else by that name."""
    head = {key: value for key, value in record.items() if key != "result"}
    return head | record["result"]


def read_record(job, folder):
    """(record, None) from the file of a job, or (None, why it cannot be used); (None, None) if there is no file."""
    path = job.path(folder)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None, None
    except (OSError, ValueError) as error:
        return None, f"{path} cannot be read ({one_line(error)})"
    if not (isinstance(record, dict) and isinstance(record.get("result"), dict)):
        return None, f"{path} is not the file of a job"
    for key, value in job.head().items():
        if record.get(key) != value:
            return None, f"{path} was made with {key} = {record.get(key)!r}, not {value!r}"
    return record, None


def write_record(job, folder, record):
    path = job.path(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    with signals_deferred(), atomic_write(path) as draft:
        draft.write_text(json.dumps(record) + "\n", encoding="utf-8")


# ---- the work

Finished = namedtuple("Finished", "results failures")
PATIENCE = "10s"  # with a Dask scheduler that does not answer


def run_jobs(jobs, folder, n_jobs=1, dask=None, progress="jobs"):
    """Run the jobs whose files are not in `folder` yet. A file is written as soon as its job is finished.

    jobs      a list of Jobs
    folder    the directory for their files, Job.path; it is made if need be
    n_jobs    how many jobs run at once, in processes of joblib; 1 needs no joblib
    dask      the address of a Dask scheduler, "tcp://...", to run the jobs there. If a worker dies, its job is run anew
    progress  "jobs": one bar over all jobs; "steps": the bars of each experiment, which only n_jobs = 1 has;
              None: neither

    Returns Finished(results, failures): the results, as `result_of` says, in the order of the jobs; and {job: one line}
    for those that raised an exception, whose traceback is in a file beside. The other jobs go on.

    A file that cannot be read, or that was made with other settings, is named on stderr and computed again.
    Ctrl-C raises KeyboardInterrupt; the files of the finished jobs stay.
    Raises UsageError, before any work, where `folder` cannot be written to, joblib or Dask is not installed, or there
    is no scheduler.
    """
    writable_directory(folder)
    records, failures = {}, {}
    for job in jobs:
        records[job], why = read_record(job, folder)
        if why:
            print(f"odelearn: {why}; it is computed again", file=sys.stderr, flush=True)
    waiting = [job for job in records if records[job] is None]
    own_bars = progress == "steps" and n_jobs == 1 and dask is None
    bar = progress_bar(total=len(records), initial=len(records) - len(waiting), unit="job", disable=progress != "jobs")
    with bar, contextlib.closing(attempts(waiting, n_jobs, dask, own_bars)) as outcomes:
        for job, body, error in outcomes:
            if error is None:
                records[job] = {**job.head(), **body}
                write_record(job, folder, records[job])
            failures |= tell_failure(job, folder, error)
            bar.set_postfix_str(str(job), refresh=False)
            bar.update()
    return Finished([result_of(record) for record in records.values() if record], failures)


def tell_failure(job, folder, error):
    """{job: the last line of the traceback}, which is written beside the job's file; {} without an error."""
    path = job.path(folder).with_suffix(".traceback")
    if error is None:
        path.unlink(missing_ok=True)
        return {}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(error, encoding="utf-8")
    line = error.strip().splitlines()[-1]
    print(f"odelearn: {job}: {line} (traceback in {path})", file=sys.stderr, flush=True)
    return {job: line}


def attempts(jobs, n_jobs, dask, own_bars):
    """Yield attempt(job, its run, own_bars) of every job, in the order in which they end."""
    calls = [(job, job.module.run, own_bars) for job in jobs]
    if dask is None and n_jobs == 1 or not jobs:
        yield from (attempt(*call) for call in calls)
        return
    joblib = needed("joblib", "scoreboard" if dask is None else "dask")
    backend = {"n_jobs": n_jobs} if dask is None else {"backend": "dask", "n_jobs": -1}
    with connected(dask), joblib.parallel_config(**backend):
        run = joblib.Parallel(batch_size=1, pre_dispatch="all", return_as="generator_unordered")
        yield from run(joblib.delayed(attempt)(*call) for call in calls)


def attempt(job, run, own_bars):
    """Run a job, here or in another process: (job, body, None), or (job, None, the traceback).

    body  versions, seconds on the clock, cpu_seconds of this process, and the result of run(method, seed, ...)
    """
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        with no_half_trainings():
            result = run(job.method, job.seed, full=job.full, progress=own_bars)
        times = {"seconds": round(time.perf_counter() - wall, 3), "cpu_seconds": round(time.process_time() - cpu, 3)}
        return job, as_json({"versions": versions(), **times, "result": result}), None
    except Exception:
        return job, None, traceback.format_exc()


@contextlib.contextmanager
def no_half_trainings():
    """odelearn.fit ends early at Ctrl-C, with a warning. No file may hold such a result: raises KeyboardInterrupt."""
    if threading.current_thread() is not threading.main_thread():  # there comes no Ctrl-C
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "stopped by Ctrl-C")
        try:
            yield
        except UserWarning as warning:
            if "stopped by Ctrl-C" not in str(warning):
                raise
            raise KeyboardInterrupt from None


@contextlib.contextmanager
def connected(dask):
    """In here joblib's backend "dask" finds the cluster; nothing is done for None."""
    if dask is None:
        yield
        return
    Client = needed("distributed", "dask").Client
    try:
        client = Client(dask, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise UsageError(f"--dask {dask}: no scheduler answers there: {one_line(error)}") from None
    with client:
        yield


def needed(module, extra):
    """An optional module. Raises UsageError, which says how to install it, where it is missing."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        raise UsageError(f"more than one job at once needs {module}: pip install 'odelearn[{extra}]'") from None
