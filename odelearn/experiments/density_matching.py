"""Figure 4 of the paper: planar flows, continuous and discrete, are fitted to densities known up to a factor."""

import time

import numpy as np

from ..autodiff.tape import value_and_grad
from ..datasets.densities import POTENTIALS, lowest_loss
from ..models.flow import TIGHT, log_standard_normal, push_forward, with_log_density
from ..models.planar import PlanarField, PlanarFlow
from ..optim import Adam, fit
from ..solvers.solver import rk4

SIZES = 2, 8, 32  # M units of the continuous flow (CNF), K layers of the discrete one (NF)
BATCH = 128
SOLVER = rk4(n=4)
SAMPLES, BINS, HALF_WIDTH = 40_000, 44, 4.0  # of the histograms that are drawn


def settings(kind, target, size, full=False):
    """What the numbers depend on: of "cnf" with M = size, or of "nf" against it, with

    nf         K = M layers and as many iterations
    nf-params  about as many parameters: a CNF has 7 M, a layer of NF 5
    nf-time    K = M layers, and about as much time: as many times the iterations as a CNF's costs those of NF
    """
    iterations = 10_000 if full else 700
    if kind == "cnf":
        return {"size": size, "iterations": iterations, "lr": 0.03, "parameters": PlanarField(size).size}
    layers = round(7 * size / 5) if kind == "nf-params" else size
    if kind == "nf-time":
        iterations *= {2: 6, 8: 4, 32: 2}[size]
    return {"size": layers, "iterations": iterations, "lr": 0.02, "parameters": PlanarFlow(layers).size}


def match(kind, target, size, seed, full=False, progress=True):
    """Train one flow on one target by lowering L = E[log q(x) + U(x)] = KL(q || e^-U / Z) - log Z over its samples x.

    Returns a dict: `loss`, L by a tight solve over stratified points of the base density; `floor` = -log Z, the lowest
    possible; `iterations`, `parameters`, `train_seconds` of this process; and a histogram of x for the picture.
    """
    how, rng = settings(kind, target, size, full), np.random.default_rng(seed)
    potential, steps, lr = POTENTIALS[target], how["iterations"], how["lr"]
    loss_of, loss_and_grad, push, theta = (continuous if kind == "cnf" else discrete)(how["size"], potential, rng)
    k = 0

    def batch_loss_and_grad(theta):
        nonlocal k
        k += 1
        return loss_and_grad(theta, rng.normal(size=(BATCH, 2)), min(1.0, 0.01 + 2.5 * k / steps))

    start = time.process_time()
    opt = Adam(lr=lambda step: lr * (0.505 + 0.495 * np.cos(np.pi * step / steps)))
    theta, _ = fit(batch_loss_and_grad, theta, opt, steps, progress)
    seconds = time.process_time() - start
    x = push(theta, rng.normal(size=(SAMPLES, 2)))
    edges = np.linspace(-HALF_WIDTH, HALF_WIDTH, BINS + 1)
    counts = np.histogram2d(x[:, 1], x[:, 0], (edges, edges))[0]
    return {
        **{key: how[key] for key in ("iterations", "parameters")},
        "loss": loss_of(theta, stratified_normal(100)),
        "floor": lowest_loss(potential),
        "train_seconds": seconds,
        "counts": counts.astype(int).tolist(),
    }


def continuous(M, potential, rng):
    """loss(theta, z0), its value and gradient, the map of points, and the first theta, of the CNF with M units."""
    field = PlanarField(M)
    flow = with_log_density(field)

    def loss(theta, z0, beta=1.0, solver=TIGHT):
        x, log_q = push_forward(z0, flow, theta, solver=solver)
        return np.mean(log_q + beta * potential(x))

    def loss_and_grad(theta, z0, beta):
        return value_and_grad(lambda theta: loss(theta, z0, beta, SOLVER))(theta)

    push = lambda theta, z0: push_forward(z0, flow, theta, solver=rk4(n=8))[0]
    return lambda theta, z0: float(loss(theta, z0)), loss_and_grad, push, field.init(rng)


def discrete(K, potential, rng):
    """The same of the NF with K layers."""
    flow = PlanarFlow(K)

    def loss_and_grad(theta, z0, beta):
        (x, log_det), pullback = flow.vjp(z0, theta)
        U, a_x = value_and_grad(lambda x: beta * np.mean(potential(x)))(x)
        L = float(np.mean(log_standard_normal(z0) - log_det) + U)
        return L, pullback(a_x, np.full(len(z0), -1 / len(z0)))[1]

    loss = lambda theta, z0: loss_and_grad(theta, z0, 1.0)[0]
    return loss, loss_and_grad, lambda theta, z0: flow(z0, theta)[0], flow.init(rng)


def stratified_normal(n):
    """n^2 points, one in the middle of each of n^2 cells to which N(0, I) gives one probability: (n^2, 2)."""
    from statistics import NormalDist

    axis = [NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)]
    return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
