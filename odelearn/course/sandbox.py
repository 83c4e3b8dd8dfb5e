"""A process of its own for untrusted code: with limits, in a temporary folder, without the environment of the grader.

Where bubblewrap (the program bwrap) is installed, the process sees Python, the installed packages and an empty folder,
and nothing else: no network, no home, no hidden test. Without it, limits of time, memory, files and processes hold
still, but the code can read what the user who grades can read, and use the network; `describe_isolation` says so.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Limits:
    """What a submission may use.

    cell       seconds of a single cell, waiting included
    seconds    seconds of the processor, and of waiting, of all cells of a submission together
    memory     bytes of address space of a process
    processes  number of processes
    file_size  bytes of one file
    disk       bytes of all files together (with bubblewrap)
    output     characters of text that are kept of a cell
    """

    cell: float = 30.0
    seconds: float = 300.0
    memory: int = 2 << 30
    processes: int = 64
    file_size: int = 16 << 20
    disk: int = 64 << 20
    output: int = 20_000


@cache
def bubblewrap():
    """The path of a bwrap that works on this machine, or None."""
    path = shutil.which("bwrap")
    if path is None:
        return None
    trial = [path, "--ro-bind", "/", "/", "--unshare-all", "--proc", "/proc", "--dev", "/dev", "true"]
    return path if subprocess.run(trial, capture_output=True).returncode == 0 else None


def describe_isolation():
    """One sentence for the teacher: what is isolated here, and what is not."""
    if bubblewrap():
        return (
            "Submissions run under bubblewrap: no network, no files but Python's and an empty folder of their own, "
            "and limits of time, memory, processes and file size."
        )
    return (
        "bubblewrap (bwrap) is not installed or not allowed here: submissions run with limits of time, memory and file "
        "size, in a temporary folder and without your environment variables, but they CAN read your files (also the "
        "hidden tests), write where you may write, and use the network. Install bubblewrap, or grade in a container."
    )


class Sandbox:
    """A running worker process. `send` and `receive` speak lines with it; `kill` ends it and all that it started."""

    def __init__(self, limits):
        self.folder = tempfile.TemporaryDirectory(prefix="odelearn-submission-")
        self.process = subprocess.Popen(
            command(limits, self.folder.name),
            cwd=self.folder.name,
            env=environment(self.folder.name),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        shutil.rmtree(self.folder.name, ignore_errors=True)
        self.folder._finalizer.detach()


def command(limits, folder):
    worker = [sys.executable, "-m", "odelearn.course.worker", json.dumps(asdict(limits))]
    if not bubblewrap():
        return worker
    python = [sys.base_prefix, sys.prefix, str(PACKAGE)]
    read_only = dict.fromkeys(["/usr", "/lib", "/lib64", "/bin", "/etc/fonts", *python])
    visible = [argument for path in read_only if os.path.exists(path) for argument in ("--ro-bind", path, path)]
    return [
        *(bubblewrap(), "--unshare-all", "--die-with-parent", "--new-session", "--uid", "65534", "--gid", "65534"),
        *("--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev", "--size", str(limits.disk), "--tmpfs", "/tmp"),
        *visible,
        *("--size", str(limits.disk), "--tmpfs", folder, "--chdir", folder, "--", *worker),
    ]


def environment(folder):
    """All that a submission gets as environment variables: nothing of the grader's own."""
    return {
        "PATH": os.path.dirname(sys.executable) + ":/usr/bin:/bin",
        "HOME": folder,
        "TMPDIR": folder,
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(PACKAGE.parent),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MPLCONFIGDIR": folder,
        "IPYTHONDIR": folder,
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
