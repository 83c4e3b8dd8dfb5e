"""The initial value problem z(ts[0]) = z0, dz/dt = f(z, t, theta), checked before any work starts."""

import numpy as np

from ..dynamics import as_dynamics

REAL_OF = {"f": np.float32, "d": np.float64, "F": np.float32, "D": np.float64}  # the four dtypes a state may have


def initial_value_problem(z0, f, ts, theta):
    """(z0, f, ts, theta) as arrays and Dynamics that every solver can rely on.

    z0    any shape, finite, contiguous; float32, float64, complex64, complex128 stay, anything else becomes float64
    ts    (T,) float64, finite, strictly increasing or strictly decreasing, T >= 1
    theta (P,) finite, in the precision of z0, complex only if z0 is; or None. A layer's own P is f.size. A copy, and
          read-only: what is derived from it in a solve, and kept for the way back, stays true
    Raises ValueError or TypeError that names the argument.
    """
    for name, x in (("z0", z0), ("ts", ts), ("theta", theta)):
        if hasattr(x, "tape"):
            raise TypeError(
                f"{name} is a traced value; odeint(z0, f, ts, theta) is the solve that can be differentiated"
            )
    z0, ts, f = checked_state(z0), checked_times(ts), as_dynamics(f)
    theta = None if theta is None else checked_parameters(theta, z0.dtype)
    P = 0 if theta is None else len(theta)
    if getattr(f, "size", P) != P:
        raise ValueError(f"theta must have the {f.size} parameters of f, got {P}")
    return z0, f, ts, theta


def checked_state(z0):
    z0 = np.array(z0, order="C")  # a copy: the solution keeps it as zs[0]
    if z0.dtype.char not in REAL_OF:
        if z0.dtype.kind not in "biuf":
            raise TypeError(f"z0 must be an array of numbers, got dtype {z0.dtype}")
        z0 = z0.astype(np.float64)
    if z0.size == 0:
        raise ValueError(f"z0 has shape {z0.shape}: there is nothing to integrate")
    check_finite("z0", z0)
    return z0


def checked_times(ts):
    ts = np.asarray(ts)
    if ts.dtype.kind not in "biuf":
        raise TypeError(f"ts must be real numbers, got dtype {ts.dtype}")
    ts = ts.astype(np.float64)
    if ts.ndim != 1 or ts.size == 0:
        raise ValueError(f"ts must be a vector of at least one time, got shape {ts.shape}")
    check_finite("ts", ts)
    if ts.size > 1:
        forwards = ts[1:] > ts[:-1] if ts[1] > ts[0] else ts[1:] < ts[:-1]
        if not forwards.all():
            i = int(np.argmin(forwards))
            raise ValueError(
                f"ts must strictly increase or strictly decrease, got ts[{i}] = {ts[i]:g}, ts[{i + 1}] = {ts[i + 1]:g}"
            )
    return ts


def checked_parameters(theta, dtype):
    theta = np.asarray(theta)
    if theta.ndim != 1:
        raise ValueError(f"theta must be one flat vector (P,), got shape {theta.shape}; odelearn.ravel makes it one")
    if theta.dtype.kind == "c":
        if dtype.kind != "c":
            raise TypeError(f"theta is complex but z0 is {dtype}; make z0 complex too: z0 + 0j")
        theta = theta.astype(dtype)
    elif theta.dtype.kind in "biuf":
        theta = theta.astype(REAL_OF[dtype.char])
    else:
        raise TypeError(f"theta must be numbers, got dtype {theta.dtype}")
    check_finite("theta", theta)
    theta.flags.writeable = False
    return theta


def check_finite(name, x):
    if not np.isfinite(x).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise ValueError(f"{name} must be finite, got {name}[{', '.join(map(str, where))}] = {x[where]}")
