"""Gradient descent, plain and adaptive, and the loop that trains."""

import math
import warnings

import numpy as np


class SGD:
    """Steepest descent with Polyak's (1964) momentum:  u = momentum u + g,  theta = theta - lr u."""

    def __init__(self, lr, momentum=0.0):
        self.lr, self.momentum = positive("lr", lr), fraction("momentum", momentum)
        self.u = 0.0

    def step(self, theta, g):
        g = checked_gradient(theta, g)
        self.u = self.momentum * self.u + g
        return theta - self.lr * self.u

    def state(self):
        """What the next step depends on, as a dict of arrays; `load` takes it back."""
        return {"u": self.u}

    def load(self, state):
        self.u = np.array(state["u"])


class Adam:
    """Adaptive moments (Kingma and Ba 2015, Algorithm 1): every parameter moves by about lr, whatever its scale.

    m = beta1 m + (1 - beta1) g      a running mean of the gradient,
    v = beta2 v + (1 - beta2) g^2    and of its square; after t steps from zero they have the weight 1 - beta^t, so
    theta = theta - lr m_hat / (sqrt(v_hat) + eps)  with  m_hat = m / (1 - beta1^t),  v_hat = v / (1 - beta2^t).
    """

    def __init__(self, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        beta1, beta2 = betas
        self.lr, self.eps = positive("lr", lr), eps
        self.beta1, self.beta2 = fraction("betas[0]", beta1), fraction("betas[1]", beta2)
        self.t, self.m, self.v = 0, 0.0, 0.0

    def step(self, theta, g):
        g = checked_gradient(theta, g)
        t = self.t + 1
        m = self.beta1 * self.m + (1 - self.beta1) * g
        v = self.beta2 * self.v + (1 - self.beta2) * g * g
        m_hat = m / (1 - self.beta1**t)
        v_hat = v / (1 - self.beta2**t)
        self.t, self.m, self.v = t, m, v
        return theta - self.lr * m_hat / (np.sqrt(v_hat) + self.eps)

    def state(self):
        """What the next step depends on, as a dict of arrays; `load` takes it back."""
        return {"t": self.t, "m": self.m, "v": self.v}

    def load(self, state):
        self.t, self.m, self.v = int(state["t"]), np.array(state["m"]), np.array(state["v"])


def positive(name, value):
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be positive and finite, got {value}")
    return value


def fraction(name, value):
    if not 0 <= value < 1:
        raise ValueError(f"{name} must be in [0, 1), got {value}")
    return value


def checked_gradient(theta, g):
    """g as an array shaped like theta, all of it finite.

    Raises ValueError for another shape, FloatingPointError for a component that is not finite.
    """
    g = np.asarray(g)
    if g.shape != np.shape(theta):
        raise ValueError(f"the gradient has shape {g.shape}, theta has shape {np.shape(theta)}; they must agree")
    if not np.isfinite(g).all():
        i = tuple(int(n) for n in np.argwhere(~np.isfinite(g))[0])
        raise FloatingPointError(f"the gradient is not finite: g[{', '.join(map(str, i))}] = {g[i]}")
    return g


class TrainingStopped(RuntimeError):
    """A training step failed: `.theta` is the last one it could step away from, `.history` the losses up to there."""

    def __init__(self, message, theta, history):
        super().__init__(message)
        self.theta, self.history = theta, history


def fit(loss_and_grad, theta, opt, steps, progress=True, callback=None):
    """Minimise a loss:  loss, g = loss_and_grad(theta),  theta = opt.step(theta, g),  over and over.

    Returns theta and history, the loss before each step. `progress` shows a bar with the loss (tqdm).
    callback(step, theta, loss) sees each theta together with its own loss, before the step away from it.
    Ctrl-C ends the training early and loses nothing: it returns what was learned so far, with a warning.
    Raises TrainingStopped from whatever made a step fail (a SolverError, a loss or gradient that is not finite).
    """
    good, history = theta, []
    bar = progress_bar(steps) if progress else range(steps)
    try:
        for step in bar:
            loss, g = loss_and_grad(theta)
            loss = float(loss)
            if not math.isfinite(loss):
                raise FloatingPointError(f"the loss is {loss}")
            if callback is not None:
                callback(step, theta, loss)
            good, theta = theta, opt.step(theta, g)
            history.append(loss)
            if progress:
                bar.set_postfix_str(f"loss {loss:.4g}", refresh=False)
    except KeyboardInterrupt:
        message = f"stopped by Ctrl-C after {len(history)} of {steps} steps; theta is what was learned so far"
        warnings.warn(message, stacklevel=2)
    except Exception as error:
        raise TrainingStopped(stopped_message(error, steps, history), good, history) from error
    return theta, history


def progress_bar(steps):
    from tqdm import tqdm  # here, because only this needs more than NumPy

    return tqdm(range(steps), unit="step")


def stopped_message(error, steps, history):
    if history:
        so_far = (
            f"the loss went from {history[0]:.6g} to {history[-1]:.6g}; .theta and .history of this error keep that"
        )
        advice = "go on from there with a smaller lr, or clip or penalise what grows"
    else:
        so_far = "no step was made"
        advice = "check loss_and_grad(theta) at the initial theta"
    return f"step {len(history)} of {steps} failed with {type(error).__name__}: {error}. So far {so_far}; {advice}"
