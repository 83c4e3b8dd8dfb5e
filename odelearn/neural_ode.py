"""The one door: zs = ODESolve(z0, f, ts, theta) as a function that can be differentiated, by any method."""

import numpy as np

from .autodiff import tape
from .gradients.backsolve import Backsolve
from .gradients.event_time import event_vjp
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
