"""Is this a solver of dz/dt = f(z, t, theta), and of what order?

As for a step: first dz/dt = 1, where the state shows how much time has passed; then `audit` measures the order.
"""

import numpy as np

from .step import THETA, Z0, RecordedSlope, audit_solve, find_misuse, is_all
from .verdict import NOTHING_YET, Verdict, find_non_finite

TS = np.array([0.2, 0.9, 1.7, 1.9])  # uneven


def check_solver(solve, order=None):
    """Does  zs = solve(z0, f, ts, theta)  follow dz/dt = f(z, t, theta) from z0 through all of ts, and with what order?

    Arguments:
        solve   your function. It receives z0, an array of any shape, (3, 2) here, a batch of three; f, a plain function
                f(z, t, theta) -> dz/dt; ts (T,), uneven, increasing or decreasing; theta (P,). It returns zs
                (T, *z0.shape) with zs[0] = z0
        order   the order p it should reach when ts is refined: error O(h^p). Without it, any order will do that is the
                same for all f

    Returns a Verdict: true if passed; .details is the AuditReport. Found and named: one step too many or too few, one h
    for uneven ts, h missing, a wrong sign, abs(h), each interval started from z0, stale time or nodes that are off,
    coefficients that are off, a wrong shape, z0 changed in place, theta not handed on; what is not finite, with its
    place. What `solve` raises is not caught.

    >>> def my_solver(z0, f, ts, theta):
    ...     zs = [z0]
    ...     for t in ts[1:]:
    ...         zs.append(zs[-1] + 0.1 * f(zs[-1], t, theta))
    ...     return np.stack(zs)
    >>> print(check_solver(my_solver).mistakes[0].split(":")[0])
    one h for all
    """
    z0 = np.stack([Z0, -Z0, 2 * Z0])  # (3, 2): a batch
    for direction, ts in ("", TS), ("backwards in time: ", TS[::-1].copy()):
        z, f = z0.copy(), RecordedSlope()
        zs = solve(z, f, ts.copy(), THETA)
        mistakes = [*find_misuse(f)] or [*find_wrong_states(zs, z, z0, len(ts))]
        mistakes = mistakes or [*find_wrong_moves(np.asarray(zs) - z0, ts)]
        if mistakes := mistakes or [*find_times_outside(f.times, ts)]:
            return Verdict("check_solver", "", [direction + text for text in mistakes])
    return audit_solve("check_solver", solve, order, "Solves dz/dt = 1 exactly, in both directions of time")


# ---- a solve of dz/dt = 1


def find_wrong_states(zs, z, z0, T):
    shape = (T, *z0.shape)
    if zs is None:
        yield NOTHING_YET
    elif np.shape(zs) != shape:
        yield f"zs has shape {np.shape(zs)}; for {T} times and z0 {z0.shape} it must be {shape}, zs[0] included"
    elif not np.array_equal(z, z0):
        yield "z0 was changed in place (z += ...); write z = z + ..., or start from z0.copy()"
    elif text := find_non_finite("zs", zs):
        yield text
    elif not np.array_equal(zs[0], z0):
        yield "zs[0] is not z0: the solve starts at the first of ts"


def find_wrong_moves(moved, ts):
    """What the states give away: how much time has passed at each of ts."""
    should = (ts - ts[0]).reshape(-1, 1, 1)
    steps = np.diff(ts, prepend=ts[0]).reshape(-1, 1, 1)
    first, span = moved[1].flat[0], ts[1] - ts[0]
    if is_all(moved, should):
        return
    if is_all(moved, np.abs(should)):
        yield "sign: an abs(), or a sorted ts? For decreasing ts, h = ts[i+1] - ts[i] is negative; use it as it comes"
    elif is_all(moved, -should):
        yield "sign: the state moves against time. h = ts[i+1] - ts[i] is signed, and a step adds h f"
    elif is_all(moved, 0):
        yield "the state never moves; does the loop run, from ts[0] to ts[-1]?"
    elif is_all(moved, steps):
        yield "each interval starts from z0: go on from the state at the end of the interval before, zs[-1]"
    elif is_all(moved, np.arange(len(ts)).reshape(-1, 1, 1) * first) and not is_all(first, np.round(first)):
        yield "one h for all: the times are uneven, but the state moves by the same in each interval"
    elif is_all(moved, np.round(moved)):
        yield f"missing h: by ts[1] the state has moved by {first:g}, the number of steps. A step is z + h f"
    elif is_all(moved, should * first / span):
        yield f"factor: time passes {first / span:.3g} times as fast as it should{explain_pace(first / span)}"
    else:
        late = np.diff(moved - should, axis=0)[:, 0, 0] * np.sign(span)
        i = int(np.argmax(np.abs(late)))
        how = "past its end: one step too many?" if late[i] > 0 else "short of its end: one step too few?"
        yield (
            f"the solve from ts[{i}] = {ts[i]:g} to ts[{i + 1}] = {ts[i + 1]:g} ends {abs(late[i]):.3g} {how} Take n "
            "steps of (ts[i+1] - ts[i]) / n, or shorten the last step so that it ends on ts[i+1]"
        )


def explain_pace(pace):
    """Whether that pace is (n + 1) / n or (n - 1) / n: steps of length 1/n of the interval, and not n of them."""
    n = 1 / abs(pace - 1)
    if n < 1.5 or abs(n - round(n)) > 1e-6 * n:
        return ""
    what = "many" if pace > 1 else "few"
    return f", like {round(n * pace)} steps where {round(n)} fill the interval: one step too {what}"


def find_times_outside(times, ts):
    low, high = min(ts), max(ts)
    beyond = [t for t in times if not low - 1e-12 <= t <= high + 1e-12]
    if beyond:
        yield f"f was asked at t = {beyond[0]:.6g}, outside [{low:g}, {high:g}]: a time that is not t + c h?"
