"""The one door: zs = ODESolve(z0, f, ts, theta) as a function that can be differentiated, by any method."""

import numpy as np

from .autodiff import tape
from .gradients.backsolve import Backsolve
from .gradients.event_time import event_vjp
from .solvers.solver import checked_solver, dopri5


def odesolve_vjp(z0, f, ts, theta, solver, method=Backsolve()):  # noqa: B008, methods are frozen
    """The value and the pullback of a whole solve:  zs = ODESolve(z0, f, ts, theta), and a_zs -> dL/d(z0, ts, theta).

        zs, pullback = odesolve_vjp(z0, f, ts, theta, solver, method)
        gradients = pullback(a_zs)                       # a_zs = dL/dzs, where L is a real loss
        gradients.z0, gradients.ts, gradients.theta      # dL/dz0, dL/dts, dL/dtheta

    z0      the state at ts[0], of any shape; leading axes are a batch
    f       f(z, t, theta) -> dz/dt of the shape and dtype of z: a Dynamics, a layer such as MLP, or an ordinary NumPy
            function, for which the tape supplies the pullback
    ts      (T,) times, strictly increasing or strictly decreasing, T >= 1. Their unit is that of t in f
    theta   (P,) parameters, or None for no parameters. (E, P) is an ensemble: z0 is (E, ..., D), member e moves by
            theta[e], and Gradients.theta is (E, P). A layer does all members in one product
    solver  a Solver, such as dopri5(rtol, atol) or rk4(n=10). For Backsolve and Interpolating also scipy_solver(...)
    method  Backsolve(), Interpolating(), Discrete(), Checkpointed(), Forward() or Reversible(). The last two take no
            solver with dense=True

    Returns zs (T, *z0.shape) and pullback(a_zs) -> Gradients, with a_zs of the shape of zs. Gradients has z0
    (*z0.shape), ts (T,) and theta (P,), or (0,) for theta = None; stats, the work of the backward pass; and drift where
    a state is rebuilt. dL/dts holds the mesh constant as fractions s_n of each interval, t_n = ts[i] + s_n (ts[i+1] -
    ts[i]); with dense=True of the whole, t_n = ts[0] + s_n (ts[-1] - ts[0]), and dL/dts[i] between the ends is a_zs[i]
    times the slope of the interpolant. The pullback may be called many times.

    Raises ValueError or TypeError for bad arguments before the first step, and SolverError when the forward solve
    cannot go on. The pullback raises ValueError if a_zs has another shape, TypeError if a_zs is complex where zs is
    real, and SolverError when a backward solve cannot go on. It warns with a DriftWarning when z cannot be rebuilt.
    Source: Chen et al. 2018, (3) for the value; the methods name theirs.

    >>> from odelearn import Discrete, rk4
    >>> f = lambda z, t, theta: theta * z                  # z(1) = exp(theta) z0, so dz(1)/dtheta = z(1)
    >>> zs, pullback = odesolve_vjp([2.0], f, (0.0, 1.0), np.array([0.5]), rk4(n=100), Discrete())
    >>> g = pullback(np.array([[0.0], [1.0]]))             # L = z(1)
    >>> bool(np.isclose(g.theta[0], zs[-1, 0], rtol=1e-9))
    True
    """
    check_method(method, solver)
    return method.vjp(z0, f, ts, theta, checked_solver(solver))


def check_method(method, solver):
    """Raises TypeError for a method that is none, and says what to write."""
    if hasattr(solver, "vjp") and hasattr(method, "stepper"):
        raise TypeError(f"solver and method seem to be swapped: got solver = {solver!r}, method = {method!r}")
    if isinstance(method, type) and hasattr(method, "vjp"):
        raise TypeError(f"method must be an object: {method.__name__}(), with its parentheses")
    if not hasattr(method, "vjp"):
        raise TypeError(
            f"method must be Backsolve(), Interpolating(), Discrete(), Checkpointed(), Forward() or Reversible(), got "
            f"{method!r}. How to step is said by solver, for instance solver=dopri5()"
        )


def odeint(z0, f, ts, theta=None, solver=dopri5(), method=Backsolve()):  # noqa: B008, solvers and methods are frozen
    """zs = ODESolve(z0, f, ts, theta) of (3), where z0, ts and theta may be traced: the solve is one node on the tape.

        grad(lambda theta: loss(odeint(z0, f, ts, theta)))(theta)        # runs the paper's adjoint

    z0, f, ts, theta, solver, method   as in odesolve_vjp

    Returns zs (T, *z0.shape), an array, or a traced value if z0, ts or theta is one. Raises and warns as odesolve_vjp
    does, and raises TypeError for derivatives of second order, which an adjoint solve does not trace.

    >>> from odelearn import grad
    >>> z_end = lambda theta: odeint([2.0], lambda z, t, theta: theta * z, (0.0, 1.0), theta)[-1, 0]
    >>> bool(np.isclose(grad(z_end)(np.array([0.5]))[0], 2 * np.exp(0.5), rtol=1e-5))
    True
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


def odeint_event(z0, f, ts, theta, event, solver=dopri5(), *, method=Backsolve()):  # noqa: B008, methods are frozen
    """The first t after ts[0] with g(z(t), t, theta) = 0, and z(t) there; z0, ts and theta may be traced.

    ts      (t_0, t_stop): the start, and where to stop looking
    event   an Event, whose g(z, t, theta) is one real number
    z0, f, theta, solver, method   as in odesolve_vjp

    Returns t, a number, and z (*z0.shape), both traced if z0, ts or theta is. Raises what event_vjp raises, and
    TypeError for derivatives of second order. Source: the implicit function theorem; Chen, Amos and Nickel 2021,
    "Learning Neural Event Functions for Ordinary Differential Equations" (arXiv 2011.03902).

    >>> from odelearn import Event, grad
    >>> f = lambda z, t, theta: np.stack([z[1], -9.81 + 0 * z[1]])                  # a ball, thrown up at the speed v
    >>> fall = lambda v: odeint_event(np.stack([0 * v, v]), f, (0.0, 9.0), None, Event(lambda z, t, theta: z[0]))[0]
    >>> bool(np.isclose(grad(fall)(2.0), 2 / 9.81, rtol=1e-6))                      # it falls for 2 v / g seconds
    True
    """
    like = None

    def solve(z0, ts, theta):
        nonlocal like
        refuse_second_order(z0, ts, theta)
        (t, like), pullback = event_vjp(z0, f, ts, theta, event, solver, method=method)

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
