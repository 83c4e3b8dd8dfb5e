"""Figure 5 of the paper: flows are fitted to two moons and two circles, by maximum likelihood and without a solve."""

import time

import numpy as np

from ..autodiff.tape import value_and_grad
from ..datasets.densities import entropy, log_circles, log_two_moons
from ..datasets.synthetic import circles, two_moons
from ..models.flow import TIGHT, log_density, push_forward, with_log_density
from ..models.flow_matching import flow_matching_loss
from ..models.flow_penalties import penalised_log_density, with_penalties
from ..models.planar import PlanarField
from ..optim import Adam, fit
from ..solvers.odesolve import odesolve
from ..solvers.solver import dopri5, rk4

UNITS, BATCH, NOISE, ROWS = 64, 128, 0.08, {"train": 4000, "validation": 2000, "test": 4000}
CENTRE = {"moons": np.array([0.5, 0.25]), "circles": np.zeros(2)}  # of the densities, and their standard deviations
SCALE = {"moons": np.array([0.8697, 0.5006]), "circles": np.array([0.5647, 0.5647])}
GRID = 56  # points of a side, where a density is drawn
USUAL = dopri5(1e-5, 1e-5)  # the paper's tolerance for densities: evaluations are counted with it

# fmt: off
TRAININGS = {  # how each kind is trained; chosen on validation data
    "likelihood": {"solver": 8, "iterations": 2500, "lr": 0.02},                  # maximum likelihood, rk4(n=8)
    "coarse":     {"solver": 2, "iterations": 2500, "lr": 0.02},                  # the same, trusting rk4(n=2)
    "penalised":  {"solver": 4, "iterations": 2500, "lr": 0.02, "lambda": 0.01},  # with short, smooth paths
    "matching":   {"solver": None, "iterations": 20_000, "lr": 0.01},             # flow matching: no solve
}
# fmt: on


def settings(kind, data, full=False):
    """What the numbers depend on. The long run has the paper's 10,000 iterations, and finer steps for them."""
    how = dict(TRAININGS[kind])
    if full:
        how["iterations"] = max(10_000, 4 * how["iterations"])
        how["solver"] = how["solver"] and 2 * how["solver"]
    return {**how, "units": UNITS, "batch": BATCH, "noise": NOISE, "rows": ROWS}


def draw_points(data, rng, n):
    """n points (n, 2) of two moons or two circles, centred and scaled by the constants above."""
    points, _ = {"moons": two_moons, "circles": circles}[data](rng, n, NOISE)
    return (points - CENTRE[data]) / SCALE[data]


def log_true_density(data, x):
    """What the points are drawn from, in their units."""
    raw = {"moons": log_two_moons, "circles": log_circles}[data]
    return raw(x * SCALE[data] + CENTRE[data], NOISE) + np.log(SCALE[data]).sum()


def learn(kind, data, seed, full=False, progress=True):
    """Train one flow and measure it. Returns a dict of numbers, all likelihoods in nats per point:

    test, validation    the mean of -log p by the tight solver; `test` is for the report alone
    claimed             what the solver of the training says of the same test points (None for flow matching)
    true, entropy       the mean of -log p of the true density on the test points, and its expectation
    evaluations         of f with tolerance 1e-5, from the test points to the base density; `evaluations_sampling` back
    train_seconds, ...  of this process
    """
    how, rng = settings(kind, data, full), np.random.default_rng(seed)
    train, validation, test = (draw_points(data, rng, n) for n in ROWS.values())
    field, start = PlanarField(UNITS), time.process_time()
    theta, _ = train_field(kind, how, field, train, rng, progress)
    seconds = time.process_time() - start
    flow = with_log_density(field)
    nats = lambda x, solver: float(-np.mean(log_density(x, flow, theta, solver=solver)))
    result = {
        "test": nats(test, TIGHT),
        "validation": nats(validation, TIGHT),
        "claimed": nats(test, rk4(n=how["solver"])) if how["solver"] else None,
        "true": float(-np.mean(log_true_density(data, test))),
        "entropy": entropy(lambda x: log_true_density(data, x), half_width=5.0),
        "train_seconds": seconds,
        "iterations": how["iterations"],
        "parameters": field.size,
    }
    return result | both_ways(flow, theta, test, rng) | pictures(field, flow, theta, rng)


def train_field(kind, how, field, train, rng, progress=True):
    """(theta, history) after all iterations; float32 in the solves, which is faster and loses nothing here."""
    solver, steps, rows = rk4(n=how["solver"] or 1), how["iterations"], train.astype(np.float32)
    flow, penalised = with_log_density(field), with_penalties(field)

    def loss(theta, x):
        if kind == "penalised":
            log_p, K, J = penalised_log_density(x, penalised, theta, solver=solver)
            return np.mean(how["lambda"] * (K + J) - log_p)
        return -np.mean(log_density(x, flow, theta, solver=solver))

    def loss_and_grad(theta):
        x = rows[rng.integers(len(rows), size=BATCH)]
        if kind == "matching":
            x0, t = rng.normal(size=x.shape).astype(x.dtype), rng.uniform(size=BATCH).astype(x.dtype)
            return flow_matching_loss(field, theta.astype(x.dtype), x0, x, t)
        return value_and_grad(loss)(theta, x)

    opt = Adam(lr=lambda step: how["lr"] * (0.505 + 0.495 * np.cos(np.pi * step / steps)), clip=10.0)
    return fit(loss_and_grad, field.init(rng), opt, steps, progress)


def both_ways(flow, theta, test, rng):
    """What it costs to evaluate a density and to sample, and how well the one undoes the other."""
    start = np.concatenate([test, np.zeros((len(test), 1))], axis=1)
    to_base = odesolve(start, flow, (1.0, 0.0), theta, USUAL)
    z0 = rng.normal(size=test.shape)
    to_data = odesolve(np.concatenate([z0, np.zeros((len(z0), 1))], axis=1), flow, (0.0, 1.0), theta, USUAL)
    back, _ = push_forward(to_base.zs[-1][:, :-1], flow, theta, solver=USUAL)
    return {
        "evaluations": to_base.stats.evals,
        "evaluations_sampling": to_data.stats.evals,
        "round_trip": float(np.abs(back - test).max()),
    }


def pictures(field, flow, theta, rng):
    """For the figures: 400 paths at 21 times, and the density on a grid; rounded."""
    axis = np.linspace(-2.5, 2.5, GRID)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    density = np.exp(log_density(grid, flow, theta, solver=USUAL)).reshape(len(axis), -1)
    paths = odesolve(rng.normal(size=(400, 2)), field, np.linspace(0, 1, 21), theta, rk4(n=3)).zs
    return {"density": density.round(3).tolist(), "paths": paths.round(2).tolist()}
