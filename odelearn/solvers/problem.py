"""The initial value problem z(ts[0]) = z0, dz/dt = f(z, t, theta), checked before any work starts."""

import math
import os

import numpy as np

from ..dynamics import as_dynamics, refuse_subclass

RAVEL = "{}, unravel = odelearn.ravel(tree) makes one vector of a dict or tuple, and unravel({}) gives it back inside f"
REAL_OF = {"f": np.float32, "d": np.float64, "F": np.float32, "D": np.float64}  # the four dtypes a state may have


def initial_value_problem(z0, f, ts, theta):
    """(z0, f, ts, theta) as arrays and Dynamics that every solver can rely on.

    z0    any shape, finite, contiguous; float32, float64, complex64, complex128 stay, anything else becomes float64
    ts    (T,) float64, finite, strictly increasing or strictly decreasing, T >= 1
    theta (P,) finite, in the precision of z0, complex only if z0 is; or None. A layer's own P is f.size. A copy, and
          read-only: what is derived from it in a solve, and kept for the way back, stays true. Or (E, P) for an
          ensemble, with z0 (E, ..., D): member e moves by theta[e]
    Raises ValueError or TypeError that names the argument.
    """
    for name, x in (("z0", z0), ("ts", ts), ("theta", theta)):
        if hasattr(x, "tape"):
            raise TypeError(
                f"{name} is a traced value; odeint(z0, f, ts, theta) is the solve that can be differentiated"
            )
        refuse_subclass(name, x)
    if callable(z0):
        raise TypeError("z0 is a function; the arguments are odesolve(z0, f, ts, theta), in this order")
    f, z0, ts = as_dynamics(f), checked_state(z0), checked_times(ts)
    theta = None if theta is None else checked_parameters(theta, z0)
    P = 0 if theta is None else theta.shape[-1]
    if getattr(f, "size", P) != P:
        raise ValueError(f"theta must have the {f.size} parameters of f, got {P}")
    return z0, f, ts, theta


def checked_state(z0):
    try:
        x = np.array(z0, order="C")  # a copy: the solution keeps it as zs[0]
    except ValueError as error:
        raise ValueError(
            f"z0 must be an array of numbers, its rows of the same length; {RAVEL.format('z0', 'z')} ({error})"
        ) from None
    if x.dtype.char not in REAL_OF:
        if x.dtype.kind not in "biuf":
            what = f"dtype {x.dtype}" if isinstance(z0, np.ndarray) else type(z0).__name__
            raise TypeError(f"z0 must be an array of numbers, got {what}; {RAVEL.format('z0', 'z')}")
        x = x.astype(np.float64)
    if x.size == 0:
        raise ValueError(f"z0 has shape {x.shape}: there is nothing to integrate")
    check_finite("z0", x)
    return x.astype(x.dtype.newbyteorder("="), copy=False)


def checked_times(ts):
    ts = np.asarray(ts)
    if ts.dtype.kind not in "biuf":
        raise TypeError(f"ts must be real numbers, got dtype {ts.dtype}")
    ts = ts.astype(np.float64)
    if ts.ndim == 2:
        raise ValueError(
            f"ts must be (T,), and all rows of z0 share it; got shape {ts.shape}. Rows that start together can be "
            "solved at all their times, np.unique(ts), by a solver with dense=True; take from zs what belongs to each "
            "row. Otherwise give each row a unit of time of its own, dz/ds = span f(z, start + s span) for s from 0 to "
            "1 with start and span (N, 1), or solve in groups of rows that share their times"
        )
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


def checked_parameters(theta, z0):
    what, dtype = type(theta).__name__, z0.dtype
    try:
        theta = np.asarray(theta)
    except ValueError as error:
        raise ValueError(f"theta must be one flat vector (P,); {RAVEL.format('theta', 'theta')} ({error})") from None
    if theta.ndim not in (1, 2):
        got = what if theta.dtype == object else f"shape {theta.shape}"
        raise ValueError(f"theta must be one flat vector (P,), got {got}; {RAVEL.format('theta', 'theta')}")
    if theta.ndim == 2 and (z0.ndim < 2 or len(z0) != len(theta)):
        raise ValueError(
            f"theta of shape {theta.shape} has {len(theta)} members, so z0 must be ({len(theta)}, ..., D), one state a "
            f"member, got shape {z0.shape}. One vector of parameters is theta (P,); odelearn.ravel makes it"
        )
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


def is_finite(z):
    """All components finite: one dot product, and a closer look only where that overflows."""
    x = z.ravel()
    return math.isfinite(abs(x.dot(x))) or bool(np.isfinite(x).all())


def check_memory(steps, stages, z0):
    """Raises ValueError if the slopes of so many steps, which are to be kept, exceed the memory of this machine."""
    needed = steps * (stages + 1) * z0.nbytes
    if needed > 2**30 and needed > memory_of_this_machine():
        raise ValueError(
            f"{steps:.3g} steps of {stages} slopes each would take {needed / 1e9:,.0f} GB; take fewer steps, or a "
            "method that keeps less: Backsolve() or Checkpointed()"
        )


def memory_of_this_machine():
    """Bytes of physical memory, or infinity where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return math.inf
