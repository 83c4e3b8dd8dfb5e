"""The derivative of the time of an event, by the implicit function theorem."""

import math
from dataclasses import replace

import numpy as np

from ..dynamics import as_dynamics
from ..solvers.errors import SolverError
from ..solvers.odesolve import odesolve
from .backsolve import Backsolve
from .base import BackwardStats, Gradients


def event_vjp(z0, f, ts, theta, event, solver, *, method=Backsolve()):  # noqa: B008, methods are frozen
    """The first t after ts[0] with g(z(t), t, theta) = 0, and z(t), as ((t, z), pullback).

    ts      (t_0, t_stop): the start, and where to stop looking
    event   an Event, whose g(z, t, theta) is one real number
    z0, f, theta, solver, method   as in odesolve_vjp

    Returns (t, z), with z (*z0.shape), and pullback(a_t, a_z) -> Gradients.

    With Z(t) = ODESolve(z0, f, (ts[0], t), theta), the time solves  g(Z(t), t, theta) = 0.  By the implicit function
    theorem it depends on z0, theta and ts[0] by

        dt = -(dg/dz dZ + dg/dtheta dtheta) / (dg/dt + dg/dz dZ/dt)        and z = Z(t) by  dz = dZ + dZ/dt dt

    The method differentiates this very Z; so Discrete gives the derivatives of the t and z returned, to round-off, for
    a fixed number n of steps. dL/dts[1] = 0, since ts[1] only says where to stop looking.

    Raises ValueError if ts are not two times, and SolverError if the event does not occur before ts[1], or if the
    solution touches g = 0 without going through, where dt is infinite. Raises what odesolve_vjp raises.
    """
    if len(ts) != 2:
        raise ValueError(f"ts must be two times here, the start and where to stop looking, got {len(ts)}")
    (t0, t_stop), f, g = ts, as_dynamics(f), as_dynamics(event.g)
    first = odesolve(z0, f, ts, theta, solver, replace(event, terminal=True))
    if not first.events[0]:
        raise SolverError(f"the event did not occur between ts[0] = {t0:g} and ts[1] = {t_stop:g}")

    solve = lambda t: method.vjp(z0, f, (t0, t), theta, solver)
    t, zs, pullback, (g_z, g_t, g_theta) = refined(first.ts[-1], solve, f, g, theta)

    def event_pullback(a_t, a_z):
        by_z, by_g = (pullback(np.stack([np.zeros_like(a), a])) for a in (a_z, g_z))  # their ts[1]: a dZ/dt
        weight = -(a_t + by_z.ts[1]) / (g_t + by_g.ts[1])
        evals, pullbacks = (getattr(by_z.stats, name) + getattr(by_g.stats, name) for name in ("evals", "pullbacks"))
        return Gradients(
            by_z.z0 + weight * by_g.z0,
            np.array([by_z.ts[0] + weight * by_g.ts[0], 0.0]),
            by_z.theta + weight * (by_g.theta + g_theta),
            BackwardStats(evals, pullbacks, by_z.stats.held, by_z.stats.ledger),
        )

    return (t, zs[1]), event_pullback


def refined(t, solve, f, g, theta):
    """t, zs, pullback, (dg/dz, dg/dt, dg/dtheta) where g(zs[1], t, theta) = 0 to round-off; zs, pullback = solve(t).

    The secant rule, whose first slope comes from f. The first t is off by no more than the error of a solve.
    """
    dt = last = None
    for _ in range(20):
        zs, pullback = solve(t)
        value, g_pullback = g.vjp(zs[1], t, theta)
        g_z, g_t, g_theta = g_pullback(1.0)
        slope = g_t + np.sum(g_z * f(zs[1], float(t), theta)) if last is None else (value - last) / dt
        if slope == 0:
            raise SolverError(f"the event at t = {t:.6g} has no derivative: the solution touches g = 0, but dg/dt = 0")
        before, dt, last = dt, -value / slope, value
        if abs(dt) <= 4 * math.ulp(t) or (before is not None and abs(dt) > abs(before) / 2):
            break  # it is round-off that moves t now
        t = t + dt
    return t, zs, pullback, (g_z, g_t, g_theta)
