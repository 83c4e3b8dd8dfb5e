"""Learning a field from random windows of a trajectory, which is how both spirals are learned."""

import numpy as np

from ..autodiff.tape import value_and_grad
from ..datasets import synthetic
from ..fitting.training import minimise
from ..neural_ode import odeint
from ..optim import Adam


def learn_from_windows(f, theta, ts, zs, solver, steps, rng, length, batch, rates):
    """theta of dz/dt = f(z, t, theta) from zs (T, 2) at equally spaced ts (T,).

    Every step draws `batch` windows of `length` observations, starts where each one starts, and lessens the mean of
    (z - observed)^2, with the gradient by the adjoint. rates = (first, last) of Adam's learning rate: large steps find
    the field, small ones settle.
    Returns every theta on the way, (steps + 1, P), and the losses. Raises KeyboardInterrupt if Ctrl-C came.
    """
    first, last = rates
    opt, thetas = Adam(lr=first), []

    def loss(theta, z0s, window_ts, targets):
        residuals = odeint(z0s, f, window_ts, theta, solver) - targets  # (length, batch, 2)
        return np.sum(residuals * residuals) / residuals.size

    def loss_and_grad(theta):
        return value_and_grad(loss)(theta, *synthetic.windows(rng, ts, zs, length, batch))

    def before_step(step, theta, loss):
        thetas.append(theta)
        opt.lr = first * (last / first) ** (step / steps)

    theta, history = minimise(loss_and_grad, theta, opt, steps, callback=before_step)
    if len(history) < steps:
        raise KeyboardInterrupt
    return np.array([*thetas, theta]), history
