"""The command of an experiment, `python -m odelearn NAME`: run its methods, print the table, draw the figures."""

import sys
from pathlib import Path

from ..fitting.store import writable_directory
from .jobs import jobs_of, module_of, run_jobs


def experiment(name, seed=0, full=False, out="odelearn-out", jobs=1, quiet=False):
    """Run all methods of an experiment with one seed, print its table and draw its figures.

    name   a name in EXPERIMENTS
    seed   of the data, the first parameters and the batches
    full   the long run
    out    the directory of the figures, and of a JSON file for each method, OUT/NAME/METHOD-seedS.json; methods whose
           file is there are not run again
    jobs   how many methods run at once
    quiet  without bars

    Returns the exit status: 0, or 1 where a method failed; those that did not are in their files, and nothing is drawn.
    Raises UsageError where `out` cannot be written to, KeyboardInterrupt after Ctrl-C.
    """
    module = module_of(name)
    out = writable_directory(out)
    results, failures = run_jobs(jobs_of(name, [seed], full), out, jobs, progress=None if quiet else "steps")
    if failures:
        print(f"odelearn: {len(failures)} of {len(module.METHODS)} methods failed", file=sys.stderr, flush=True)
        return 1
    print(module.table(results), flush=True)
    for path in module.draw(results, out):
        print(f"Drawn in {Path(path)}")
    print(f"Results in {out / name}", flush=True)
    return 0
