"""Cost grows as theory says: time linear in steps, batch and width, memory flat, like sqrt, or linear, by method."""

import numpy as np

from odelearn import Backsolve, Checkpointed, Discrete, Reversible, odesolve_vjp

from .timing import interleaved
from .workloads import Problem, gradient

METHODS = {"Backsolve": Backsolve(), "Reversible": Reversible(), "Checkpointed": Checkpointed(), "Discrete": Discrete()}
STEPS, BATCH, WIDTH = 2 ** np.arange(4, 11), 4 ** np.arange(0, 7), 4 ** np.arange(1, 7)
END = np.array([0.0, 1.0])


def measure(rounds, quick=False):
    """{(axis, method): (x, seconds)} and {method: (steps, bytes held between the passes)}."""
    steps, batch, width = (x[:3] if quick else x for x in (STEPS, BATCH, WIDTH))
    sweeps = {
        "steps": {n: Problem(50, 20, END, n=int(n)) for n in steps},
        "batch": {N: Problem(50, int(N), END, n=20) for N in batch},
        "width": {H: Problem(int(H), 20, END, n=20) for H in width},
    }
    times = {}
    for axis, problems in sweeps.items():
        runs = {(name, x): gradient(p, m).run for name, m in METHODS.items() for x, p in problems.items()}
        measured = interleaved(runs, rounds)
        for name in METHODS:
            times[axis, name] = np.array(list(problems)), np.array([np.median(measured[name, x]) for x in problems])
    held = {
        name: (steps, np.array([bytes_held(p, m) for p in sweeps["steps"].values()])) for name, m in METHODS.items()
    }
    return times, held


def bytes_held(p, method):
    zs, pullback = odesolve_vjp(p.z0, p.f, p.ts, p.theta, p.solver(), method)
    return pullback(np.ones_like(zs)).stats.bytes


def slope(x, y):
    """d log y / d log x over the last three points: 0 flat, 0.5 sqrt, 1 linear."""
    return float(np.polyfit(np.log(x[-3:]), np.log(y[-3:]), 1)[0])
