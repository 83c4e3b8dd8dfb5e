"""Solutions that are read at irregular times, other times in every row of the batch."""

import numpy as np

from ..gradients.discrete import Discrete
from ..neural_ode import odesolve_vjp
from ..solvers.solver import rk4


def solve_at_vjp(z0, f, ts, theta, h):
    """Each row of a batch at its own times:  zs[n, k] = z_n(ts[n, k])  where  dz/dt = f(z, theta), z_n(0) = z0[n].

    z0     (N, D), the states at t = 0
    f      a Dynamics that does not depend on t, such as MLP
    ts     (N, K), times >= 0 in any order
    theta  (P,)
    h      the longest step that the solver may take, in the unit of t

    One solve of the whole batch by rk4, in equal steps up to the last time. Between the steps the solution is the cubic
    through the states and slopes at both ends (Hermite), whose error is O(h^4), as that of the solver. So the number of
    evaluations does not depend on the number of times. rk4(n, dense=True) reads the same cubics, but all rows at all
    times of the batch.

    Returns zs (N, K, D), and pullback(a_zs) -> a_z0 (N, D), a_theta (P,), the derivatives of what was computed.
    Raises ValueError for negative times and for an h that is not positive, SolverError where the solution diverges.
    """
    if not (ts.size and ts.min() >= 0 and h > 0):
        raise ValueError(f"ts must be times >= 0, and h > 0, got ts from {np.min(ts, initial=0):g}, h = {h:g}")
    n = max(1, int(np.ceil(ts.max() / h)))
    nodes = np.linspace(0, max(ts.max(), h / n), n + 1)  # (M,)
    A, B = hermite_weights(nodes, ts, z0.dtype)
    states, solve_pullback = odesolve_vjp(z0, f, nodes, theta, rk4(n=1), Discrete())  # (M, N, D)
    slopes, slopes_pullback = f.vjp(states, 0.0, theta)
    zs = A @ states.swapaxes(0, 1) + B @ slopes.swapaxes(0, 1)  # (N, K, M) (N, M, D)

    def pullback(a_zs):
        a_states, a_slopes = (np.swapaxes(W.swapaxes(1, 2) @ a_zs, 0, 1) for W in (A, B))  # (M, N, D)
        a_by_slopes, _, a_theta = slopes_pullback(a_slopes)
        gradients = solve_pullback(a_states + a_by_slopes)
        return gradients.z0, gradients.theta + a_theta

    return zs, pullback


def hermite_weights(nodes, ts, dtype=float):
    """A and B (N, K, M) with  z(ts[n, k]) = sum_m A[n, k, m] z(nodes[m]) + B[n, k, m] dz/dt(nodes[m]).

    nodes (M,) equally spaced, ts (N, K) between the first and the last. With s = (t - nodes[m]) / h in [0, 1],

        z = (1 + 2 s) (1 - s)^2 z_m + s^2 (3 - 2 s) z_m+1 + s (1 - s)^2 h dz_m - s^2 (1 - s) h dz_m+1

    is the cubic with these values and slopes. Each row of A and B has two numbers that are not zero.
    """
    h = nodes[1] - nodes[0]
    m = np.clip((ts - nodes[0]) // h, 0, len(nodes) - 2).astype(int)  # (N, K)
    s = (ts - nodes[m]) / h
    A, B = np.zeros((2, *ts.shape, len(nodes)), dtype)
    i, j = np.indices(ts.shape)
    A[i, j, m], A[i, j, m + 1] = (1 + 2 * s) * (1 - s) ** 2, s * s * (3 - 2 * s)
    B[i, j, m], B[i, j, m + 1] = h * s * (1 - s) ** 2, -h * s * s * (1 - s)
    return A, B
