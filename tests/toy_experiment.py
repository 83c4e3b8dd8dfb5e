"""An experiment of the form that odelearn.experiments.jobs asks for, so small that tests can run it in processes."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from odelearn.experiments.claims import Claim, by_method, judge, mean_and_spread

METHODS = ("plain", "fast-8")
LR = 0.5


def settings(method, full=False):
    return {"lr": LR, "steps": (2, 20)[full]}


def run(method, seed, full=False, progress=True):
    """(seed + 1) lr of the method. The files in $TOY are how the tests look on, and make it fail, wait or die."""
    folder = Path(os.environ["TOY"])
    with open(folder / "log", "a") as log:
        log.write(f"{method} {seed} {os.getpid()}\n")
    if (folder / f"fail-{method}-{seed}").exists():
        raise ZeroDivisionError("the toy\nfails")
    if (folder / f"interrupt-{method}-{seed}").exists():
        raise KeyboardInterrupt
    if (folder / f"kill-{method}-{seed}").exists():
        (folder / f"kill-{method}-{seed}").unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    while (folder / "wait").exists():
        time.sleep(0.01)
    return {"error": np.float64((seed + 1) * LR), "curve": (1, 2), "progress": progress}


def draw(results, folder):
    (path := Path(folder) / "toy.png").write_text(str(len(results)))
    return [path]


def table(results):
    return "\n".join(f"{result['method']} {result['seed']}: {result['error']:.2f}" for result in results)


def claims(results):
    plain, fast = (np.array([r["error"] for r in by_method(results)[method]]) for method in METHODS)
    why = "the same numbers"
    return [Claim("fast is better", "here", "none", mean_and_spread(fast), judge(plain - fast), why)]
