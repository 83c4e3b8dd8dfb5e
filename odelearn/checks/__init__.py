"""Checks to call on your own code: is it right, and if it is not, what does the mistake look like?

    check_vjp(f)                          f(z, t, theta) -> dz, pullback;  or any fun(*args) -> y, pullback
    check_step(step, order, like)         step(f, z, t, h, theta) -> z_next
    check_solver(solve, order)            solve(z0, f, ts, theta) -> zs
    check_adjoint(adjoint, of, exact)     adjoint(z0, f, ts, theta, a_zs) -> a_z0, a_ts, a_theta

Each returns a Verdict: true if passed, and in words what is probably wrong if not. Read vjp, step, step_coefficients,
solver, adjoint, known_mistakes, discrete_mistakes, verdict.
"""

from . import known_mistakes
from .adjoint import check_adjoint
from .solver import check_solver
from .step import check_step
from .verdict import Verdict
from .vjp import check_vjp

__all__ = ["check_vjp", "check_step", "check_solver", "check_adjoint", "known_mistakes", "Verdict"]
