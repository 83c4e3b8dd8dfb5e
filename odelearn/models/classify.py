"""Classifiers of section 3 of the paper: the same layers, with a residual net or an ODE in the middle.

A layer here is a function y = layer(x, theta) of a batch x (N, ...), with a pullback and `size` parameters:

    y, pullback = layer.vjp(x, theta)
    a_x, a_theta = pullback(a_y)

A network f(z, t, theta), an MLP say, becomes a layer in three ways:

    Once(f)        y = f(x)                              an ordinary layer
    Residual(f)    y = z + f(z)                          (1), one block of a residual net
    ODEBlock(f)    y = z(1),  dz/dt = f(z, t), z(0) = z  (3), an ODE net

Chain puts layers one after the other. digit_classifier makes the four nets of Table 1, train_classifier trains one.
"""

import math

import numpy as np

from ..dynamics import counted
from ..gradients.backsolve import Backsolve
from ..gradients.discrete import Discrete
from ..neural_ode import odesolve_vjp
from ..nn.conv import Conv2d, ConvDynamics
from ..nn.mlp import MLP
from ..optim import Adam, batches, fit
from ..solvers.solver import dopri5, rk4


class Once:
    """y = f(x, 0, theta) for a network f with `init(rng)`, `size` and `vjp(z, t, theta)`, such as MLP([64, 10])."""

    def __init__(self, f):
        self.f, self.size, self.init = f, f.size, f.init

    def vjp(self, x, theta):
        """y, and pullback(a_y) -> a_x, a_theta."""
        y, f_pullback = self.f.vjp(x, 0.0, theta)

        def pullback(a_y):
            a_x, _, a_theta = f_pullback(a_y)
            return a_x, a_theta

        return y, pullback


class Residual(Once):
    """One block of a residual net, y = z + f(z, 0, theta): a step of Euler's method of length 1, eq. (1)."""

    def vjp(self, z, theta):
        """y, and pullback(a_y) -> a_z, a_theta."""
        dz, f_pullback = super().vjp(z, theta)

        def pullback(a_y):
            a_z, a_theta = f_pullback(a_y)
            return a_y + a_z, a_theta

        return z + dz, pullback


class ODEBlock:
    """y = z(1) where dz/dt = f(z, t, theta) and z(0) = z, eq. (3).

    f       a network that is dynamics, with `init(rng)` and `size`, such as MLP([64, 64, 64], time="concat")
    solver  a Solver
    method  of the gradient: Backsolve() is the ODE-Net of Table 1, Discrete() its RK-Net

    It counts: block.f.evals is how often f was evaluated so far, forwards and backwards.
    """

    def __init__(self, f, solver=dopri5(1e-3, 1e-3), method=Backsolve()):  # noqa: B008, both are frozen
        self.f, self.size, self.init = counted(f), f.size, f.init
        self.solver, self.method = solver, method

    def vjp(self, z, theta):
        """y, and pullback(a_y) -> a_z, a_theta. Raises what odesolve_vjp raises, SolverError among it."""
        zs, solve_pullback = odesolve_vjp(z, self.f, (0.0, 1.0), theta, self.solver, self.method)

        def pullback(a_y):
            gradients = solve_pullback(np.stack([np.zeros_like(a_y), a_y]))  # the loss does not look at z(0)
            return gradients.z0, gradients.theta

        return zs[-1], pullback


class Parameterless:
    """What layers without parameters have in common."""

    size = 0

    def init(self, rng):
        return np.zeros(0)


class Reshape(Parameterless):
    """Each item in another shape: (N, ...) -> (N, *shape)."""

    def __init__(self, *shape):
        self.shape = shape

    def vjp(self, x, theta):
        """y, and pullback(a_y) -> a_x, a_theta (0,)."""
        return x.reshape(-1, *self.shape), lambda a_y: (a_y.reshape(x.shape), theta)


class MeanPool(Parameterless):
    """The mean of each square of 2 x 2 pixels: (N, H, W, C) -> (N, H/2, W/2, C), for even H and W."""

    def vjp(self, x, theta):
        """y, and pullback(a_y) -> a_x, a_theta (0,)."""
        N, H, W, C = x.shape
        y = x.reshape(N, H // 2, 2, W // 2, 2, C).mean(axis=(2, 4))
        return y, lambda a_y: (np.repeat(np.repeat(a_y / 4, 2, axis=1), 2, axis=2), theta)


class Augment(Parameterless):
    """[x, 0]: p more components, which begin at 0: (N, D) -> (N, D + p). Dupont, Doucet and Teh (2019).

    In more dimensions trajectories can pass each other.
    """

    def __init__(self, p):
        self.p = p

    def vjp(self, x, theta):
        """y, and pullback(a_y) -> a_x, a_theta (0,)."""
        y = np.concatenate([x, np.zeros((len(x), self.p), x.dtype)], axis=1)
        return y, lambda a_y: (a_y[:, : x.shape[1]], theta)


class Chain:
    """Layers one after the other; theta (P,) is that of the first layer, of the second, ..., end to end.

    >>> net = Chain(Once(MLP([2, 3])), ODEBlock(MLP([3, 8, 3], time="concat")), Once(MLP([3, 2])))
    >>> theta = net.init(np.random.default_rng(0))
    >>> logits, pullback = net.vjp(np.ones((5, 2)), theta)
    >>> a_x, a_theta = pullback(np.ones((5, 2)))
    >>> logits.shape, a_x.shape, a_theta.shape == (net.size,)
    ((5, 2), (5, 2), True)
    """

    def __init__(self, *layers):
        self.layers = layers
        self.ends = np.cumsum([layer.size for layer in layers]).tolist()
        self.size = self.ends[-1]

    def init(self, rng):
        """Random theta (P,), each layer's own."""
        return np.concatenate([layer.init(rng) for layer in self.layers])

    def vjp(self, x, theta):
        """y, and pullback(a_y) -> a_x, a_theta. Raises ValueError for a theta of another shape."""
        if theta.shape != (self.size,):
            raise ValueError(f"theta must have shape ({self.size},), got {theta.shape}; init(rng) makes one")
        pullbacks = []
        for layer, part in zip(self.layers, np.split(theta, self.ends[:-1]), strict=True):
            x, pullback = layer.vjp(x, part)
            pullbacks.append(pullback)

        def pullback(a):
            parts = []
            for pullback in reversed(pullbacks):
                a, a_part = pullback(a)
                parts.append(a_part)
            return a, np.concatenate(parts[::-1])

        return x, pullback


# ---- the four nets of Table 1

FORMS = ("mlp", "resnet", "rk-net", "ode-net")
RK, ODE = rk4(n=2), dopri5(1e-3, 1e-3)  # the solvers of RK-Net and ODE-Net; 1e-3 is the paper's tolerance


def digit_classifier(form, convolutional=False, blocks=6):
    """A net from images (N, 8, 8) to logits (N, 10): into z, through the middle, out of it.

    form           "resnet": six residual blocks, each with its own theta. "rk-net" and "ode-net": one ODE, z(1) of
                   z(0) = z, by RK4 in two steps and backpropagation through them, or by adaptive steps of
                   Dormand-Prince and the adjoint method. "mlp": one hidden layer, with as many parameters as the ODEs
    convolutional  False: z has 64 numbers, f(z, t) is MLP([64, 64, 64], time="concat"). True: z is an image of 16
                   channels, f(z, t) two convolutions, and z(1) is halved before it is looked at
    blocks         of "resnet"

    Returns a Chain. Raises ValueError for another form.
    """
    if form not in FORMS:
        raise ValueError(f"form must be one of {', '.join(FORMS)}, got {form!r}")
    if form == "mlp":
        return Chain(Reshape(64), Once(MLP([64, 175, 10])))
    if convolutional:
        into, out = (Reshape(8, 8, 1), Conv2d(1, 16)), (MeanPool(), Reshape(256), Once(MLP([256, 10])))
        f = lambda time: ConvDynamics(16, 16, time=time)
    else:
        into, out = (Reshape(64), Once(MLP([64, 64]))), (Once(MLP([64, 10])),)
        f = lambda time: MLP([64, 64, 64], time="concat" if time else None)
    middle = {
        "resnet": lambda: [Residual(f(time=False)) for _ in range(blocks)],
        "rk-net": lambda: [ODEBlock(f(time=True), RK, Discrete())],
        "ode-net": lambda: [ODEBlock(f(time=True), ODE, Backsolve())],
    }
    return Chain(*into, *middle[form](), *out)


# ---- training


def cross_entropy_vjp(logits, labels):
    """L = mean_n -log softmax(logits_n)[labels_n], and a_logits = (softmax - one-hot) / N: nn.losses, by hand."""
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    p = np.exp(shifted)
    total = p.sum(axis=1, keepdims=True)
    loss = float(np.mean(np.log(total[:, 0]) - shifted[rows, labels]))
    p /= total
    p[rows, labels] -= 1
    return loss, p / np.asarray(len(labels), p.dtype)


def loss_and_gradient(net, theta, x, labels):
    """The cross-entropy of a batch, and its gradient (P,)."""
    logits, pullback = net.vjp(x, theta)
    loss, a_logits = cross_entropy_vjp(logits, labels)
    return loss, pullback(a_logits)[1]


def predict_classes(net, theta, x):
    """The class of the largest logit for each item of x, (N,) integers."""
    return net.vjp(x, theta)[0].argmax(axis=1)


def train_classifier(net, x, labels, rng, *, epochs, batch=64, lr=0.01, noise=0.0, progress=True, callback=None):
    """Minimise the cross-entropy by Adam, from a random theta. The learning rate falls to 0 along half a cosine.

    net       a Chain, or any layer whose y are logits (N, C)
    x         (N, ...), whose dtype theta gets: float32 is the faster one
    labels    (N,), integers from 0 to C - 1
    rng       a numpy Generator: it draws theta, the batches and the noise
    epochs    how often each item is seen
    batch     items in a batch
    lr        the learning rate at first
    noise     the standard deviation of the noise that is added to x, drawn anew for each batch
    progress  whether to show a bar; it needs tqdm
    callback  callback(step, theta, L) before each step

    Returns theta (P,) and the losses before each step, a list. Ctrl-C ends the training early: what was learned is
    returned, with a UserWarning. Raises TrainingStopped, which has the last good theta, where a step fails or the loss
    is not finite, and ValueError for x and labels of different lengths.
    """
    if len(x) != len(labels):
        raise ValueError(f"x and labels must be of one length, got {len(x)} and {len(labels)}")
    theta = net.init(rng).astype(x.dtype)
    steps = epochs * math.ceil(len(x) / batch)
    stream = (items for _ in range(epochs) for items in batches(rng, len(x), batch))

    def next_loss_and_gradient(theta):
        items = next(stream)
        seen = x[items] + x.dtype.type(noise) * rng.standard_normal(x[items].shape, x.dtype) if noise else x[items]
        return loss_and_gradient(net, theta, seen, labels[items])

    opt = Adam(lr=lambda n: lr * (1 + math.cos(math.pi * n / steps)) / 2)
    return fit(next_loss_and_gradient, theta, opt, steps, progress, callback)
