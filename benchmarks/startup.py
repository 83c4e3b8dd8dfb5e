"""What it costs to begin: import, memory, the first gradient, a trained model. Each in an interpreter of its own."""

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
INSTALLED = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}  # pip compiles, and so do we, once

IMPORT = """
import time
import numpy
start = time.perf_counter()
import odelearn
print(time.perf_counter() - start)
"""

FIRST_GRADIENT = """
import numpy as np
from odelearn import MLP, {method}, odesolve_vjp, rk4

f = MLP([2, 50, 2], power=3)
rng = np.random.default_rng(0)
zs, pullback = odesolve_vjp(rng.normal(size=(20, 2)), f, np.linspace(0, 1, 10), f.init(rng), rk4(n=4), {method}())
pullback(2 / zs.size * (zs - 1)).theta
with open("/proc/self/status") as status:  # getrusage would count the parent's memory before exec too
    (peak,) = [line.split()[1] for line in status if line.startswith("VmHWM")]
print(int(peak) / 1024)  # MiB
"""


def python(code):
    """What the code printed, a number, and the seconds from the start of the interpreter to its end."""
    how = {"check": True, "capture_output": True, "text": True, "cwd": ROOT, "env": INSTALLED}
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], **how)
    return float(done.stdout.split()[-1]), time.perf_counter() - start


def w5(rounds):
    """[(what, value, unit, target)], medians."""
    python(IMPORT)  # whatever is read or compiled the first time
    imports = [python(IMPORT)[0] for _ in range(rounds)]
    gradients = {m: [python(FIRST_GRADIENT.format(method=m)) for _ in range(rounds)] for m in ("Backsolve", "Discrete")}
    rows = [("import odelearn, beyond import numpy", median(imports), "s", 0.05)]
    for m, runs in gradients.items():
        rows.append((f"peak memory of W2 by {m}, the whole process", median(mib for mib, _ in runs), "MiB", 60.0))
    for m, runs in gradients.items():
        rows.append((f"start of the interpreter to end of W2 by {m}", median(s for _, s in runs), "s", 0.5))
    return rows


# --- Time to a trained model ------------------------------------------------------------------------------------------

TRAINING = """
from benchmarks.workloads import w2b
w = w2b()
(entry,) = [e for e in w.entries if e.name == {name!r}]
contender = entry.build(w.problem)
for _ in range({steps}):
    result = contender.run()
    contender.descend(result, 0.05)
print(float(contender.to_numpy(result)[0]))
"""


def trained_model(names, steps, rounds):
    """[(name, seconds, loss)]: import, compile and `steps` steps of gradient descent on W2b, in turns; medians."""
    runs = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            runs[name].append(python(TRAINING.format(name=name, steps=steps)))
    return [(name, median(s for _, s in ran), ran[0][0]) for name, ran in runs.items()]
