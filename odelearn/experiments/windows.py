"""Learning a field from random windows of a trajectory, which is how both spirals are learned."""

import numpy as np

from ..autodiff.tape import value_and_grad
from ..datasets import synthetic
from ..fitting.training import no_warnings
from ..gradients.backsolve import Backsolve
from ..neural_ode import odeint
from ..optim import Adam, fit


def learn_from_windows(
    f,
    theta,
    ts,
    zs,
    solver,
    *,
    steps,
    rng,
    length,
    batch,
    rates,
    method=Backsolve(),  # noqa: B008
    progress=True,
):
    """theta of dz/dt = f(z, t, theta) from zs at equally spaced ts (T,); zs is (T, 2), or (T, n, 2) for n trajectories.

    Every step draws `batch` windows of `length` observations, solves from the first observation of each, and lowers

        L = mean (z(t_i) - observed z_i)^2

    by Adam. A window is one of all n trajectories. The learning rate falls from rates[0] to rates[1] by one factor a
    step: large steps find the field, small ones settle.

    theta     (P,), where the training starts
    solver    a Solver
    steps     how many steps of Adam
    rng       a numpy Generator: it draws the windows
    method    of the gradient; the adjoint method of the paper if nothing is said
    progress  whether to show a bar

    Returns every theta on the way, (steps + 1, P), and the losses before each step, a list.
    Raises KeyboardInterrupt if Ctrl-C came, TrainingStopped for a step that failed.
    """
    lr_start, lr_end = rates
    opt, thetas = Adam(lr=lr_start), []

    def loss(theta, z0s, window_ts, targets):
        residuals = odeint(z0s, f, window_ts, theta, solver, method) - targets  # (length, batch, ..., 2)
        return np.sum(residuals * residuals) / residuals.size

    def loss_and_grad(theta):
        return value_and_grad(loss)(theta, *synthetic.windows(rng, ts, zs, length, batch))

    def before_step(step, theta, loss):
        thetas.append(theta)
        opt.lr = lr_start * (lr_end / lr_start) ** (step / steps)

    with no_warnings():
        theta, history = fit(loss_and_grad, theta, opt, steps, progress=progress, callback=before_step)
    if len(history) < steps:
        raise KeyboardInterrupt
    return np.array([*thetas, theta]), history
