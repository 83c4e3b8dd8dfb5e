"""What a change of density costs against the width M: a trace, (10), and the determinant that it replaces, (6)."""

import time

import numpy as np

from ..models.planar import PlanarField

TRACE_WIDTHS = 64, 128, 256, 512, 1024, 2048
DETERMINANT_WIDTHS = 64, 128, 256, 512
ROWS = {"trace": 128, "determinant": 4}


def settings():
    return {"trace_widths": TRACE_WIDTHS, "determinant_widths": DETERMINANT_WIDTHS, "rows": ROWS}


def cost(seed):
    """Microseconds a point (of this process, the least of several runs), and the slopes of their logarithms.

    trace        value and trace of a planar field with M units, in two dimensions
    determinant  log|det| of an M x M matrix, which a layer with M units in M dimensions asks for
    """
    rng = np.random.default_rng(seed)
    measured = {"trace": [], "determinant": []}
    for M in TRACE_WIDTHS:
        field, z = PlanarField(M), rng.normal(size=(ROWS["trace"], 2))
        theta = field.init(rng)
        measured["trace"].append(
            least_time(lambda f=field, z=z, p=theta: f.value_and_trace_vjp(z, 0.5, p), 30) / len(z)
        )
    for M in DETERMINANT_WIDTHS:
        J = np.eye(M) + 0.1 * rng.normal(size=(ROWS["determinant"], M, M)) / M**0.5
        measured["determinant"].append(least_time(lambda J=J: np.linalg.slogdet(J), 5) / len(J))
    widths = {"trace": TRACE_WIDTHS, "determinant": DETERMINANT_WIDTHS}
    slope = lambda name: float(np.polyfit(np.log(widths[name]), np.log(measured[name]), 1)[0])
    return {
        **{f"{name}_microseconds": [round(1e6 * x, 4) for x in measured[name]] for name in measured},
        **{f"{name}_widths": list(widths[name]) for name in measured},
        **{f"{name}_slope": slope(name) for name in measured},
    }


def least_time(work, repeats):
    """Seconds of this process for work(), the least of `repeats`: what the others add is not its own."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)
