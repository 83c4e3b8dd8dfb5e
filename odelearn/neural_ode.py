"""The one door: zs = ODESolve(z0, f, ts, theta) as a function that can be differentiated, by any method."""

from . import tape
from .adjoint import Backsolve
from .stepping import dopri5


def odesolve_vjp(z0, f, ts, theta, solver, method=Backsolve()):  # noqa: B008, methods are frozen
    """zs (T, *z0.shape), and pullback(a_zs) -> Gradients(z0, ts, theta): method.vjp(z0, f, ts, theta, solver)."""
    return method.vjp(z0, f, ts, theta, solver)


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


def refuse_second_order(*values):
    if any(isinstance(x, tape.Traced) for x in values):
        raise TypeError(
            "odeint has first derivatives only: its pullback is a numerical solve, which is not traced. For derivatives "
            "of derivatives put the discretisation itself on the tape: unrolled(z0, f, ts, theta, solver), whose "
            "gradient is that of Discrete()"
        )
