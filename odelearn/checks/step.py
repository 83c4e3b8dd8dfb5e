"""Is this one step of a Runge-Kutta method, and of which?

First comes dz/dt = 1: the state shows how much time has passed, exactly, whatever the method, so a missing h or a wrong
sign can be read off it. Then `audit` measures the order, on f that depend on t and on f that do not: a step that
evaluates f at wrong times loses its order on the first kind only. If something is wrong, the coefficients of the step
are read off, to say in which stage.
"""

import numpy as np

from ..solvers.tableau import ButcherTableau
from ..verify.solver_audit import audit
from .step_coefficients import find_other_method, find_wrong_coefficients
from .verdict import NOTHING_YET, Verdict, find_non_finite

Z0, THETA = np.array([0.4, -0.7]), np.array([2.0])
T0, H = 0.3, 0.1


def check_step(step, order=None, like=None):
    """Is  z_next = step(f, z, t, h, theta)  a step of length h from (t, z), of what order, and of what method?

        z_next = z + h sum_i b_i k_i,   k_i = f(z + h sum_j A_ij k_j, t + c_i h, theta)

    Arguments:
        step    your function. It receives f, a plain function f(z, t, theta) -> dz/dt; z, an array of any shape; t and
                h, floats (h may be negative); theta (P,). It returns z_next, shaped like z
        order   the order p it should reach: error O(h^(p+1)) in a step. Without it, any order will do that is the same
                for all f
        like    a ButcherTableau, such as MIDPOINT: the step must be of this method, that is, give the same z_next to
                round-off. Its order is then the order asked for

    Returns a Verdict: true if passed; .details is the AuditReport. Found and named: h missing from the step, from a
    stage or from a time; a wrong sign, abs(h), a factor; the change returned without z; stale time or nodes that are
    off; coefficients that are off; another method than the one asked for; z changed in place; theta not handed on; what
    is not finite, with its place.
    Raises TypeError if `like` is no ButcherTableau. What `step` raises is not caught.

    >>> def my_step(f, z, t, h, theta):
    ...     return z + f(z, t, theta)
    >>> check_step(my_step, order=1)
    check_step: not yet.
      - missing h: the state moved by f, not by h f. A step is z + h (a mean of slopes)
    """
    if like is not None and not isinstance(like, ButcherTableau):
        raise TypeError(f"like must be a ButcherTableau, such as MIDPOINT, got {like!r}")
    f, z = RecordedSlope(), Z0.copy()
    z_next, times = step(f, z, T0, H, THETA), f.times.copy()
    mistakes = [*find_misuse(f)] or [*find_wrong_state(z_next, z)] or [*find_wrong_move(z_next, H)]
    mistakes = mistakes or [*find_wrong_move(step(f, Z0.copy(), T0, -H, THETA), -H)]
    if mistakes:
        return Verdict("check_step", "", mistakes)

    def solve(z0, f, ts, theta):
        zs = [z0]
        for t, t_next in zip(ts[:-1], ts[1:], strict=True):
            zs.append(step(f, zs[-1], t, t_next - t, theta))
        return np.stack(zs)

    order = order or (like and like.order)
    nodes = ", ".join(f"{(t - T0) / H + 0.0:.3g}" for t in times)
    evidence = f"Asks f at t + c h with c = {nodes}"
    other = [*find_other_method(step, len(times), THETA, like)] if like else []
    if other:
        verdict = Verdict("check_step", f"{evidence}.", other)
    else:
        verdict = audit_solve("check_step", solve, order, evidence)
    if not verdict:
        wrong = [*find_wrong_coefficients(step, len(times), THETA, None if other else order)]
        found = [text for text in verdict.mistakes if text != STALE_TIME or not any("stale time" in w for w in wrong)]
        verdict.mistakes = wrong + found
    return verdict


class RecordedSlope:
    """f of dz/dt = 1; it records the times it is called with, and whether it is called as f(z, t, theta)."""

    def __init__(self):
        self.times, self.misuse = [], ""

    def __call__(self, z, t, theta=None):
        if np.ndim(t) > 0:
            self.misuse = "the arguments of f are f(z, t, theta), in this order: t is a number"
            return np.ones_like(t)
        if not np.array_equal(theta, THETA):
            self.misuse = "theta: f(z, t, theta) was not given the theta that your function was given"
        self.times.append(float(t))
        return np.ones_like(z)


# ---- one step of dz/dt = 1


def find_misuse(f):
    if f.misuse:
        yield f.misuse


def find_wrong_state(z_next, z):
    if z_next is None:
        yield NOTHING_YET
    elif isinstance(z_next, tuple):
        yield f"your function returned {len(z_next)} things; it must return z_next alone"
    elif np.shape(z_next) != Z0.shape:
        yield f"z_next has shape {np.shape(z_next)}, but z has {Z0.shape}"
    elif not np.array_equal(z, Z0):
        yield "z was changed in place (z += ..., z[i] = ...); write z = z + ..., others still need the old one"
    elif text := find_non_finite("z_next", z_next):
        yield text


def find_wrong_move(z_next, h):
    """What the state gives away after one step. It should have moved by h."""
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
    elif is_all(moved, 0):
        yield "the state did not move: the step returned z itself"
    elif is_all(moved, moved.flat[0]):
        yield f"factor: the state moved by {moved.flat[0] / h:.3g} h f. The weights of the slopes must add up to 1"
    else:
        yield f"on dz/dt = 1 the state must move by h = {h:g} in every component; it moved by {moved}"


# ---- the order, of a step or of a whole solve

STALE_TIME = "stale time: stage i asks f at t + c_i h, where c_i is the sum of row i of A; every step has its t"


def audit_solve(check, solve, order, evidence):
    """The verdict of an audit of solve(z0, f, ts, theta), in a few words; all of it is in .details."""
    report = audit(lambda z0, f, ts: solve(z0, lambda z, t, theta: f(z, t), ts, THETA), declared=order)
    orders = [order for pair in report.orders.values() for order in pair if np.isfinite(order)]
    unknown = "takes steps of its own, so the order is not measured."
    seen = f"order {min(orders):.1f}, in both directions of time." if orders else unknown
    mistakes = report.diagnosis.splitlines()
    if any("node" in text for text in mistakes):
        mistakes.append(STALE_TIME)
    return Verdict(check, f"{evidence}; {seen}", mistakes, report)


def is_all(x, value):
    """Whether every component of x is that value, to round-off."""
    return np.allclose(x, value, rtol=1e-9, atol=1e-12)
