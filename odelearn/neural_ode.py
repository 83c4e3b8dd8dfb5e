"""The one door: zs = ODESolve(z0, f, ts, theta) as a function that can be differentiated, by any method."""

import math
from dataclasses import replace

import numpy as np

from .adjoint import Backsolve
from .autodiff import tape
from .dynamics import as_dynamics
from .gradients import Gradients
from .solvers.errors import SolverError
from .solvers.odesolve import odesolve
from .solvers.solver import checked_solver, dopri5


def odesolve_vjp(z0, f, ts, theta, solver, method=Backsolve()):  # noqa: B008, methods are frozen
    """zs (T, *z0.shape), and pullback(a_zs) -> Gradients(z0, ts, theta): method.vjp(z0, f, ts, theta, solver)."""
    return method.vjp(z0, f, ts, theta, checked_solver(solver))


def odeint(z0, f, ts, theta=None, solver=dopri5(), method=Backsolve()):  # noqa: B008, solvers and methods are frozen
    """zs (T, *z0.shape), where z0, ts and theta may be traced: the whole solve is one node on the tape.

        grad(lambda theta: loss(odeint(z0, f, ts, theta)))(theta)        # runs the paper's adjoint

    Raises what odesolve raises, and TypeError for derivatives of second order, which an adjoint solve does not trace.
    """

    def solve(z0, ts, theta):
        refuse_second_order(z0, ts, theta)
        zs, pullback = odesolve_vjp(z0, f, ts, theta, solver, method)

        def pull(a_zs):
            refuse_second_order(a_zs)
            gradients = pullback(a_zs)
            return gradients.z0, gradients.ts, gradients.theta

        return zs, pull

    return tape.custom(solve, z0, ts, theta)


def event_vjp(z0, f, ts, theta, event, solver, method=Backsolve()):  # noqa: B008, methods are frozen
    """((t, z), pullback), for the first time t after ts[0] with g(z(t), t, theta) = 0; pullback(a_t, a_z) -> Gradients.

    With Z(t) = ODESolve(z0, f, (ts[0], t), theta), the time solves  g(Z(t), t, theta) = 0.  By the implicit function
    theorem it moves with z0, theta and ts[0] by

        dt = -(dg/dz dZ + dg/dtheta dtheta) / (dg/dt + dg/dz dZ/dt)        and z = Z(t) by  dz = dZ + dZ/dt dt

    The method differentiates this very Z; so Discrete gives the derivatives of the t and z returned, to round-off, for
    a fixed number n of steps. dL/dts[1] = 0: ts[1] only says where to stop looking. Raises SolverError if the event
    does not occur before, or if the solution touches g = 0 without going through, where dt is infinite.
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
        return Gradients(
            by_z.z0 + weight * by_g.z0,
            np.array([by_z.ts[0] + weight * by_g.ts[0], 0.0]),
            by_z.theta + weight * (by_g.theta + g_theta),
            by_z.stats._replace(
                evals=by_z.stats.evals + by_g.stats.evals, pullbacks=by_z.stats.pullbacks + by_g.stats.pullbacks
            ),
        )

    return (t, zs[1]), event_pullback


def refined(t, solve, f, g, theta):
    """t, zs, pullback, (dg/dz, dg/dt, dg/dtheta) where g(zs[1], t, theta) = 0 to round-off; zs, pullback = solve(t).

    By the secant rule, with f for the first slope. The t to begin with is off by no more than a solve's error.
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


def odeint_event(z0, f, ts, theta, event, solver=dopri5(), method=Backsolve()):  # noqa: B008, solvers and methods are frozen
    """t and z (*z0.shape) of the first event between ts[0] and ts[1]; z0, ts and theta may be traced.

        fall = lambda v0: odeint_event(np.stack([0.0, v0]), f, (0.0, 9.0), theta, Event(lambda z, t, theta: z[0]))[0]
        grad(fall)(2.0)                                                 # how the time of the fall depends on the throw

    Raises what event_vjp raises, and TypeError for derivatives of second order.
    """
    like = None

    def solve(z0, ts, theta):
        nonlocal like
        refuse_second_order(z0, ts, theta)
        (t, like), pullback = event_vjp(z0, f, ts, theta, event, solver, method)

        def pull(a):
            refuse_second_order(a)
            gradients = pullback(a[0], a[1:].reshape(like.shape))
            return gradients.z0, gradients.ts, gradients.theta

        return np.append(t, like), pull

    tz = tape.custom(solve, z0, ts, theta)  # a node of the tape is one array
    return tz[0], tz[1:].reshape(like.shape).astype(like.dtype)


def refuse_second_order(*values):
    if any(isinstance(x, tape.Traced) for x in values):
        raise TypeError(
            "odeint has first derivatives only: its pullback is a numerical solve, which is not traced. For those of "
            "second order put the discretisation itself on the tape: unrolled(z0, f, ts, theta, solver), whose "
            "gradient is that of Discrete()"
        )
