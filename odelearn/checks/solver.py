"""Checks of your own step and your own solver: do they keep time, and are they of the order they should be?

First they run on the clock, dz/dt = 1, where the state shows how much time has passed, exactly, whatever the method: a
lost h, a wrong sign, one step too many can be read off it. Then `audit` measures the order, on fields that depend on t
and on fields that do not: a method that asks f at the wrong times loses its order on the first kind only.
"""

import numpy as np

from ..verify.solver_audit import audit
from .verdict import NOTHING_YET, Verdict

Z0, THETA = np.array([0.4, -0.7]), np.array([2.0])


def recorded_clock():
    """dz/dt = 1, and the list of the times at which it will have been asked."""
    asked = []

    def clock(z, t, theta):
        asked.append(float(t))
        return np.ones_like(z)

    return clock, asked


# ---- one step


def check_step(step, order=None):
    """Is  z_next = step(f, z, t, h, theta)  a step of length h from (t, z), and of what order?

    f is a plain function f(z, t, theta) -> dz/dt, h may be negative, z is an array of any shape.
    order  what the step should reach; without it, any order will do that is the same on all fields

    Found and named: h missing, a wrong sign, abs(h), a factor, the change returned without z, stale time or nodes that
    are off, coefficients that are off, z changed in place.
    """
    z, t, h = Z0.copy(), 0.3, 0.1
    clock, asked = recorded_clock()
    z_next = step(clock, z, t, h, THETA)
    nodes = ", ".join(f"{(tau - t) / h + 0.0:.3g}" for tau in asked)
    mistakes = [*bad_state(z_next, z)] or [*clock_of_step(z_next, h)]
    mistakes = mistakes or [*clock_of_step(step(clock, z, t, -h, THETA), -h)]
    if mistakes:
        return Verdict("check_step", "", mistakes)

    def solve(z0, f, ts, theta):
        zs = [z0]
        for t, t_next in zip(ts[:-1], ts[1:], strict=True):
            zs.append(step(f, zs[-1], t, t_next - t, theta))
        return np.stack(zs)

    return verdict_of_audit("check_step", solve, order, f"Asks f at t + c h with c = {nodes}; ")


def bad_state(z_next, z):
    if z_next is None:
        yield NOTHING_YET
    elif np.shape(z_next) != Z0.shape:
        yield f"z_next has shape {np.shape(z_next)}, but z has {Z0.shape}"
    elif not np.array_equal(z, Z0):
        yield "z was changed in place (z += ..., z[i] = ...); write z = z + ..., others still need the old one"


def clock_of_step(z_next, h):
    """What the state of the clock gives away after one step. It should have moved by h."""
    moved = np.asarray(z_next) - Z0
    if is_all(moved, h):
        return
    if is_all(moved, 1.0):
        yield "missing h: the state moved by f, not by h f. A step is z + h (a mean of slopes)"
    elif is_all(moved, abs(h)):
        yield "sign: for h = -0.1 the state moved forwards: an abs(h)? h is signed; use it as it comes"
    elif is_all(moved, -h):
        yield "sign: the state moved by -h f. A step adds h f; when time runs backwards, h itself is negative"
    elif is_all(np.asarray(z_next), h):
        yield "the step returned only the change; add it to z"
    elif is_all(moved, moved.flat[0]):
        yield f"factor: the state moved by {moved.flat[0] / h:.3g} h f. The weights of the slopes must add up to 1"
    else:
        yield f"on dz/dt = 1 the state must move by h = {h:g} in every component; it moved by {moved}"


# ---- a whole solve


def check_solver(solve, order=None):
    """Does  zs = solve(z0, f, ts, theta)  follow dz/dt = f(z, t, theta) from z0 through all of ts, and with what order?

    ts (T,) increases or decreases, unevenly; zs (T, *z0.shape), zs[0] = z0; z0 may be a batch (B, D).
    order  what the solver should reach when ts is refined; without it, any that is the same on all fields

    Found and named: one step too many or too few, one h for uneven ts, h missing, a wrong sign, abs(h), stale time or
    nodes that are off, coefficients that are off, a wrong shape, z0 changed in place.
    """
    ts = np.array([0.2, 0.9, 1.7, 1.9])
    z0 = np.stack([Z0, -Z0, 2 * Z0])  # (3, 2): a batch
    for direction, times in ("", ts), ("backwards in time: ", ts[::-1].copy()):
        z, (clock, asked) = z0.copy(), recorded_clock()
        zs = solve(z, clock, times.copy(), THETA)
        mistakes = [*bad_states(zs, z, z0, len(ts))] or [*clock_of_solve(np.asarray(zs) - z0, times)]
        if mistakes := mistakes or [*outside(asked, times)]:
            return Verdict("check_solver", "", [direction + text for text in mistakes])
    return verdict_of_audit("check_solver", solve, order, "Keeps time in both directions; ")


def bad_states(zs, z, z0, T):
    shape = (T, *z0.shape)
    if zs is None:
        yield NOTHING_YET
    elif np.shape(zs) != shape:
        yield f"zs has shape {np.shape(zs)}; for {T} times and z0 {z0.shape} it must be {shape}, zs[0] included"
    elif not np.array_equal(z, z0):
        yield "z0 was changed in place (z += ...); write z = z + ..., or start from z0.copy()"
    elif not np.array_equal(zs[0], z0):
        yield "zs[0] is not z0: the solve starts at the first of ts"


def clock_of_solve(passed, ts):
    """What the states of the clock give away: how much time has passed at each of ts."""
    should = (ts - ts[0]).reshape(-1, 1, 1)
    first, span = passed[1].flat[0], ts[1] - ts[0]
    if is_all(passed, should):
        return
    if is_all(passed, np.abs(should)):
        yield "sign: an abs(), or a sorted ts? For decreasing ts, h = ts[i+1] - ts[i] is negative; use it as it comes"
    elif is_all(passed, -should):
        yield "sign: the state moves against time. h = ts[i+1] - ts[i] is signed, and a step adds h f"
    elif is_all(passed, 0):
        yield "the state never moves; does the loop run, from ts[0] to ts[-1]?"
    elif is_all(passed, np.arange(len(ts)).reshape(-1, 1, 1) * span):
        yield "one h for all: the times are uneven, but each interval was given the length of the first"
    elif is_all(passed, np.round(passed)):
        yield f"missing h: by ts[1] the state has moved by {first:g}, the number of steps. A step is z + h f"
    elif is_all(passed, should * first / span):
        yield f"factor: time passes {first / span:.3g} times as fast as it should{miscounted(first / span)}"
    else:
        late = np.diff(passed - should, axis=0)[:, 0, 0] * np.sign(span)
        i = int(np.argmax(np.abs(late)))
        how = "past its end: one step too many?" if late[i] > 0 else "short of its end: one step too few?"
        yield (
            f"the solve from ts[{i}] = {ts[i]:g} to ts[{i + 1}] = {ts[i + 1]:g} ends {abs(late[i]):.3g} {how} Take n "
            "steps of (ts[i+1] - ts[i]) / n, or shorten the last step so that it ends on ts[i+1]"
        )


def miscounted(pace):
    """Whether that pace is (n + 1) / n or (n - 1) / n: steps of length 1/n of the interval, and not n of them."""
    n = 1 / abs(pace - 1)
    if n < 1.5 or abs(n - round(n)) > 1e-6 * n:
        return ""
    what = "many" if pace > 1 else "few"
    return f", like {round(n * pace)} steps where {round(n)} fill the interval: one step too {what}"


def outside(asked, ts):
    low, high = min(ts), max(ts)
    beyond = [t for t in asked if not low - 1e-12 <= t <= high + 1e-12]
    if beyond:
        yield f"f was asked at t = {beyond[0]:.6g}, outside [{low:g}, {high:g}]: a time that is not t + c h?"


# ---- what both have in common


def verdict_of_audit(check, solve, order, evidence):
    """The verdict of an audit, in a few words; all of it is in .details."""
    report = audit(lambda z0, f, ts: solve(z0, lambda z, t, theta: f(z, t), ts, THETA), declared=order)
    orders = [order for pair in report.orders.values() for order in pair if np.isfinite(order)]
    evidence += (
        f"order {min(orders):.1f}, in both directions of time."
        if orders
        else "takes steps of its own, so the order is not measured."
    )
    mistakes = report.diagnosis.splitlines()
    if any("node" in text for text in mistakes):
        mistakes.append(
            "stale time: stage i asks f at t + c_i h, where c_i is the sum of row i of A; every step has its t"
        )
    return Verdict(check, evidence, mistakes, report)


def is_all(x, value):
    """Whether every component of x is that value, to round-off."""
    return np.allclose(x, value, rtol=1e-9, atol=1e-12)
