"""The solve spelled out in plain NumPy operations: the formulas, with nothing made fast.

It is the reference that the engine is tested against, and it runs on whatever has arithmetic: traced values, so that
a whole solve can stand on the tape (with derivatives of any order), and complex times, for the complex step in ts.
"""

import numpy as np

from .step_size import FixedSteps


def unrolled_step(f, z, t, h, theta, tableau):
    """z_next = z + h sum_i b_i k_i  with  k_i = f(z + h sum_j A_ij k_j, t + c_i h, theta)."""
    return z + h * combination(tableau.b, slopes(f, z, t, h, theta, tableau))


def unrolled_reading(f, z, t, h, theta, tableau, x):
    """z(t + x h) = z + h sum_i b_i(x) k_i  with  b_i(x) = sum_j P_ij x^(j+1),  from the interpolant of that step."""
    k = slopes(f, z, t, h, theta, tableau.dense, slopes(f, z, t, h, theta, tableau))
    powers = [x ** (j + 1) for j in range(tableau.dense.P.shape[1])]
    return z + h * sum(combination(P_i, powers) * k_i for P_i, k_i in zip(tableau.dense.P, k, strict=True) if P_i.any())


def slopes(f, z, t, h, theta, stages, before=()):
    """[k_1, ..., k_s] of stages that have A and c, which stand over those `before`."""
    k = [*before]
    for A_i, c_i in zip(stages.A, stages.c, strict=True):
        k.append(f(z + h * combination(A_i, k), t + c_i * h, theta))
    return k


def combination(weights, k):
    """sum_j weights_j k_j, without the terms that are zero."""
    return sum((float(w) * k_j for w, k_j in zip(weights, k, strict=False) if w != 0), start=0.0)


def unrolled(z0, f, ts, theta, solver):
    """zs (T, *z0.shape) by fixed steps: what odesolve computes, to round-off, in plain NumPy operations.

    z0, ts, theta   as in odesolve; any of them may be traced, or complex for the complex step. Nothing is checked
    f               f(z, t, theta) -> dz/dt; it is called with whatever z, t and theta are
    solver          a Solver with FixedSteps(n=...), with dense=True or without

    Returns an array, or a traced value, of which derivatives of any order can be taken. Raises TypeError for another
    step-size control: adaptive steps depend on what is traced.
    """
    if not isinstance(solver.control, FixedSteps) or solver.control.n is None:
        raise TypeError(f"unrolled takes a solver with FixedSteps(n=...), got {solver.control}")
    n, tableau = solver.control.n, solver.tableau
    if solver.dense and len(ts) > 2:
        return unrolled_dense(z0, f, ts, theta, tableau, n)
    zs = [z0]
    for i in range(len(ts) - 1):
        zs.append(states(zs[-1], f, ts[i], (ts[i + 1] - ts[i]) / n, theta, tableau, n)[-1])
    return np.stack(zs)


def states(z, f, t, h, theta, tableau, n):
    """[z, z(t + h), ..., z(t + n h)]."""
    zs = [z]
    for j in range(n):
        zs.append(unrolled_step(f, zs[-1], t + j * h, h, theta, tableau))
    return zs


def unrolled_dense(z0, f, ts, theta, tableau, n):
    """n steps from ts[0] to ts[-1], and the times between by the interpolant of the step in which they lie."""
    h = (ts[-1] - ts[0]) / n
    mesh, zs = states(z0, f, ts[0], h, theta, tableau, n), [z0]
    for i in range(1, len(ts) - 1):
        steps = (ts[i] - ts[0]) / h
        j = min(int(np.floor(np.abs(steps))), n - 1)
        zs.append(unrolled_reading(f, mesh[j], ts[0] + j * h, h, theta, tableau, steps - j))
    return np.stack([*zs, mesh[-1]])
