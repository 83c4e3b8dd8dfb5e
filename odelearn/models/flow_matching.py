"""Flow matching: a continuous flow that is learned without any solve, by regression on straight paths."""

import numpy as np


def flow_matching_loss(f, theta, x0, x1, t, sigma=0.0):
    """The loss of flow matching and its gradient: f shall be the velocity of straight paths from noise to data.

        x_t = (1 - (1 - sigma) t) x_0 + t x_1,     L = mean_n |f(x_t, t, theta) - (x_1 - (1 - sigma) x_0)|^2

    The mean over all paths through a point is the velocity of a flow that carries the noise to the data (blurred by
    sigma). L never gets to 0, because paths cross.

    f       a Dynamics that takes a time for each row, such as MLP(..., time="concat")
    theta   (P,)
    x0, x1  (N, D), points of the base density and of the data, in independent pairs
    t       (N,), each in [0, 1]
    sigma   the standard deviation around each point of the data

    Returns L and dL/dtheta (P,). Raises ValueError for t of another shape.
    Source: Lipman et al. 2023, "Flow matching for generative modeling" (arXiv 2210.02747), (20) to (23).
    """
    if np.shape(t) != (len(x1),):
        raise ValueError(f"t must have one time for each of the {len(x1)} rows of x1, got shape {np.shape(t)}")
    t = t[:, np.newaxis]  # (N, 1)
    x_t = (1 - (1 - sigma) * t) * x0 + t * x1
    dz, pullback = f.vjp(x_t, t, theta)
    residual = dz - (x1 - (1 - sigma) * x0)
    return float(np.sum(residual * residual)) / len(x1), pullback(2 / len(x1) * residual)[2]
