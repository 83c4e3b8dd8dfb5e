"""The solve spelled out in plain NumPy operations: the formulas, with nothing made fast.

It is the reference that the engine is tested against, and it runs on whatever has arithmetic: traced values, so that
a whole solve can stand on the tape (with derivatives of any order), and complex times, for the complex step in ts.
"""

import numpy as np

from .step_size import FixedSteps


def unrolled_step(f, z, t, h, theta, tableau):
    """z_next = z + h sum_i b_i k_i  with  k_i = f(z + h sum_j A_ij k_j, t + c_i h, theta)."""
    k = []
    for A_i, c_i in zip(tableau.A, tableau.c, strict=True):
        Z_i = z + h * combination(A_i, k)
        k.append(f(Z_i, t + c_i * h, theta))
    return z + h * combination(tableau.b, k)


def combination(weights, k):
    """sum_j weights_j k_j, without the terms that are zero."""
    return sum((float(w) * k_j for w, k_j in zip(weights, k, strict=False) if w != 0), start=0.0)


def unrolled(z0, f, ts, theta, solver):
    """zs (T, *z0.shape) by fixed steps: what odesolve computes, to round-off, in plain NumPy operations.

    z0, ts, theta   as in odesolve; any of them may be traced, or complex for the complex step. Nothing is checked
    f               f(z, t, theta) -> dz/dt; it is called with whatever z, t and theta are
    solver          a Solver with FixedSteps(n=...)

    Returns an array, or a traced value, of which derivatives of any order can be taken. Raises TypeError for another
    step-size control: adaptive steps depend on what is traced.
    """
    if not isinstance(solver.control, FixedSteps) or solver.control.n is None:
        raise TypeError(f"unrolled takes a solver with FixedSteps(n=...), got {solver.control}")
    n = solver.control.n
    zs = [z0]
    for i in range(len(ts) - 1):
        z, h = zs[-1], (ts[i + 1] - ts[i]) / n
        for j in range(n):
            z = unrolled_step(f, z, ts[i] + j * h, h, theta, solver.tableau)
        zs.append(z)
    return np.stack(zs)
