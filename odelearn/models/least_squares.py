"""The parameters of a known equation, recovered from noisy trajectories by nonlinear least squares."""

from collections import namedtuple

import numpy as np

from ..solvers.odesolve import odesolve
from ..solvers.solver import rk4

STEP = 1e-20  # of the complex step
Fitted = namedtuple("Fitted", "theta z0s errors noise losses")
Fitted.__doc__ = """Parameters that were fitted to trajectories.

theta   (P,)
z0s     (n, D), the starts, fitted too
errors  (P,), the standard error of each parameter: sqrt of the diagonal of  noise^2 (J^T J)^-1
noise   the standard deviation of the residuals, with one degree of freedom less for each number fitted
losses  the mean square of the residuals before the first step and after each step that was accepted, a list
"""


def fit_parameters(f, theta, ts, zs, solver=rk4(n=2), steps=100, tol=1e-8):  # noqa: B008
    """theta and the starts z0s that minimise  sum_i |z(t_i) - zs_i|^2  over n trajectories of dz/dt = f(z, t, theta).

    Levenberg and Marquardt's damped Gauss-Newton method. With r the residuals and J = dr / d(theta, z0s) a step solves

        (J^T J + damping diag(J^T J)) step = -J^T r

    and is taken if the sum becomes less; the damping is then divided by 10, otherwise multiplied by 10. A column of J
    is the imaginary part of one solve from a complex number, exact to round-off. The trajectories do not know each
    other, so P + D solves are enough for the columns of all starts.

    f       plain NumPy, (n, D) -> (n, D) row by row, also for complex z and theta: no abs, no max, no comparisons
    theta   (P,), the first guess
    ts      (T,), the times
    zs      (T, n, D), the observations; the first guess of the starts is zs[0]
    solver  a Solver
    steps   how many steps are tried at most
    tol     a step that lowers the sum by a smaller fraction than this is the last

    Returns a Fitted. Raises ValueError where there are no more observations than numbers to fit, SolverError where the
    first guess cannot be solved; a step that leads there is not taken.
    Sources: K. Levenberg (1944); D. W. Marquardt (1963), An algorithm for least-squares estimation of nonlinear
    parameters.

    >>> ts, decay = np.linspace(0, 2, 11), lambda z, t, theta: theta[0] * z
    >>> zs = np.exp(-0.7 * ts)[:, np.newaxis, np.newaxis]
    >>> fit_parameters(decay, [0.0], ts, zs).theta
    array([-0.7])
    """
    zs = np.asarray(zs, float)
    (_, n, D), P = zs.shape, len(theta)
    if zs.size <= P + n * D:
        raise ValueError(f"zs has {zs.size} numbers, which cannot fit {P} parameters and {n} starts of {D} components")
    x, losses, damping = np.concatenate([theta, zs[0].ravel()]), [], 1e-3

    def residuals(x):
        return (odesolve(x[P:].reshape(n, D), f, ts, x[:P], solver).zs - zs).ravel()

    r = residuals(x)
    losses.append(np.mean(r * r))
    for _ in range(steps):
        J = jacobian(f, x, ts, (n, D), solver)
        r_next, x_next, damping = damped_step(residuals, x, r, J, damping)
        if r_next is None:
            break
        gain = 1 - np.sum(r_next**2) / np.sum(r**2)
        x, r = x_next, r_next
        losses.append(np.mean(r * r))
        if gain < tol:
            break
    J = jacobian(f, x, ts, (n, D), solver)
    noise = np.sqrt(np.sum(r * r) / (r.size - x.size))
    errors = noise * np.sqrt(np.diag(np.linalg.pinv(J.T @ J)))
    return Fitted(x[:P], x[P:].reshape(n, D), errors[:P], noise, losses)


def damped_step(residuals, x, r, J, damping):
    """The residuals after a step that lowers their sum of squares, x there, and the next damping; (None, None, damping)
    if even tiny steps do not."""
    normal, slope = J.T @ J, J.T @ r
    while damping < 1e12:
        with np.errstate(all="ignore"):  # a step too long may overflow; it is not taken
            x_next = x - np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-12), slope)
            try:
                r_next = residuals(x_next)
            except RuntimeError:  # SolverError: the state became infinite
                r_next = np.array(np.inf)
        if np.sum(r_next**2) < np.sum(r**2):
            return r_next, x_next, damping / 10
        damping *= 10
    return None, None, damping


def jacobian(f, x, ts, shape, solver):
    """d z(ts) / d(theta, z0s), (T n D, P + n D), by the complex step."""
    n, D = shape
    P = x.size - n * D
    J = np.zeros((len(ts), n, D, x.size))
    for j in range(P):
        theta = x[:P] + 1j * STEP * (np.arange(P) == j)
        J[..., j] = odesolve(x[P:].reshape(n, D) + 0j, f, ts, theta, solver).zs.imag / STEP
    starts = J[..., P:].reshape(len(ts), n, D, n, D)  # a view: what is written here stands in J
    for d in range(D):
        z0s = x[P:].reshape(n, D) + 1j * STEP * (np.arange(D) == d)
        slopes = odesolve(z0s, f, ts, x[:P] + 0j, solver).zs.imag / STEP  # (T, n, D)
        for i in range(n):
            starts[:, i, :, i, d] = slopes[:, i]
    return J.reshape(-1, x.size)
