"""How a known field is learned from noisy trajectories, by a net or by its form, and how far off it then is."""

import numpy as np

from ..datasets.vector_fields import FIELDS, noisy_trajectories
from ..gradients.discrete import Discrete
from ..models.hamiltonian import HamiltonianNet
from ..models.least_squares import fit_parameters
from ..nn.mlp import MLP
from ..solvers.odesolve import odesolve
from ..solvers.solver import dopri5, rk4
from .windows import learn_from_windows

TS = np.linspace(0, 10, 51)  # of the observations
BEYOND = np.linspace(0, 20, 101)  # of the test: twice as long
ENERGY_TS = np.linspace(0, 100, 1001)
NOISE, TRAJECTORIES, OTHERS, GRID = 0.05, 16, 8, 25
NET = {"hidden": [32, 32], "length": 11, "steps": 2500, "batch": 8, "rates": [0.02, 0.001]}
CANDIDATES = [
    NET | {"hidden": hidden, "length": length, "steps": 4000}
    for hidden in ([64], [32, 32], [64, 64])
    for length in (6, 11, 21)
]
STAGES = (6, 51)  # observations in a stretch: short ones find the parameters, whole trajectories settle them
SOLVER = rk4(n=1)  # a step of 0.2 between observations
FRICTIONLESS = FIELDS["pendulum"]._replace(theta=np.array([1.0, 0.0]))


# ---- learning


def draw_data(field, seed):
    """{"train", "validation", "test"}: each (zs_true, zs_noisy), (T, n, 2); the test goes on to t = 20."""
    rng = np.random.default_rng([seed, 2])
    parts = {"train": (TS, TRAJECTORIES), "validation": (TS, OTHERS), "test": (BEYOND, OTHERS)}
    return {name: noisy_trajectories(rng, field, ts, n, NOISE) for name, (ts, n) in parts.items()}


def learn(kind, data, seed, full, progress):
    """A net that was learned from the observations: the function z -> dz/dt, and what there is to say of it."""
    trials = []
    for chosen in CANDIDATES if full else [NET]:
        rng = np.random.default_rng([seed, 3])
        net = HamiltonianNet([2, *chosen["hidden"], 1]) if kind == "hamiltonian" else MLP([2, *chosen["hidden"], 2])
        options = {key: chosen[key] for key in ("steps", "length", "batch", "rates")}
        theta = net.init(rng)
        thetas, losses = learn_from_windows(
            net, theta, TS, data["train"][1], SOLVER, rng=rng, method=Discrete(), progress=progress, **options
        )
        trials.append((validation_error(net, thetas[-1], data["validation"][1]), chosen, net, thetas[-1], losses))
    error, chosen, net, theta, losses = min(trials, key=lambda trial: trial[0])
    found = {
        "parameters": net.size,
        "validation_rmse": error,
        "chosen": chosen,
        "tried": [{**settings, "validation_rmse": error} for error, settings, *_ in trials],
        "loss": thinned(losses),
    }
    return lambda z: net(z, 0.0, theta), found


def validation_error(net, theta, zs, length=11):
    """The root mean square of z - observed over all stretches of `length` observations, from the first of each."""
    _, stretches = cut(zs, length)
    predicted = odesolve(stretches[0], net, TS[:length], theta, SOLVER).zs
    return float(np.sqrt(np.mean((predicted - stretches)[1:] ** 2)))


def recover(field, data):
    """The true equation with the parameters that fit best, from 0.5 + 0.1 N(0, 1) on, and those with their errors."""
    rng = np.random.default_rng(0)
    theta = 0.5 + 0.1 * rng.normal(size=field.theta.size)  # all 0.5 would make the two centres one
    for length in STAGES:
        fitted = fit_parameters(field.f, field.canonical(theta), *cut(data["train"][1], length))
        theta = fitted.theta
    found = {
        "parameters": theta.size,
        "names": field.names,
        "theta": theta,
        "true": field.theta,
        "standard_errors": fitted.errors,
        "noise_found": fitted.noise,
    }
    return lambda z: field.f(z, 0.0, theta), found


def cut(zs, length):
    """Trajectories (T, n, 2) in stretches of `length` observations, each with its first and last: ts and zs of them."""
    starts = range(0, len(zs) - length + 1, length - 1)
    return TS[:length], np.concatenate([zs[i : i + length] for i in starts], axis=1)


def thinned(losses, points=100):
    """The mean of every so many losses: at most `points` numbers."""
    return [significant(part.mean()) for part in np.array_split(losses, min(points, len(losses)))]


# ---- measuring


def measure_field(field, learned, data):
    """Errors of a field relative to the root mean square of the true one over the box, and of trajectories of the test.

    The trajectories start where the true ones do, without noise. Until t = 10 they are as long as those learned from,
    from there to t = 20 they are extrapolated; relative errors are in standard deviations of the true states.
    """
    zs_true, _ = data["test"]
    z_grid = grid(field.box)  # (GRID, GRID, 2)
    true = field.f(z_grid, 0.0, field.theta)
    error = np.linalg.norm(learned(z_grid) - true, axis=-1) / np.sqrt(np.mean(np.sum(true**2, axis=-1)))
    zs = odesolve(zs_true[0], lambda z, t, theta: learned(z), BEYOND, solver=dopri5()).zs
    known, scale = BEYOND <= TS[-1], zs_true.std(axis=(0, 1)).mean()
    rmse = lambda part: significant(np.sqrt(np.mean((zs - zs_true)[part] ** 2)))
    return {
        "field_error": significant(np.median(error)),
        "field_error_mean": significant(error.mean()),
        "field_error_max": significant(error.max()),
        "rmse_known": rmse(known),
        "rmse_beyond": rmse(~known),
        "relative_beyond": significant(rmse(~known) / scale),
        "heat": np.round(error, 4),
        "box": field.box,
        "paths": np.round(zs[:, :3, 0], 3),
    }


def pictured(data):
    """What the figure shows of the data: the observations, and the true paths of three trajectories of the test."""
    return {"observed": np.round(data["train"][1], 2), "paths_true": np.round(data["test"][0][:, :3, 0], 3)}


def measure_energy(field, learned, data):
    """The true energy p^2 / 2 + k (1 - cos q) along the learned field, for 100 units of time from the test's starts.

    drift      |mean over the last tenth of the time - mean over the first tenth|, the mean of that over the starts
    deviation  the largest |energy - energy at the start|, the mean of that over the starts
    """
    z0s = data["test"][0][0]
    zs = odesolve(z0s, lambda z, t, theta: learned(z), ENERGY_TS, solver=dopri5(1e-8, 1e-10)).zs
    energy = zs[..., 1] ** 2 / 2 + field.theta[0] * (1 - np.cos(zs[..., 0]))  # (T, n)
    tenth = len(ENERGY_TS) // 10
    return {
        "drift": significant(np.mean(np.abs(energy[-tenth:].mean(axis=0) - energy[:tenth].mean(axis=0)))),
        "deviation": significant(np.mean(np.abs(energy - energy[0]).max(axis=0))),
        "energy_start": significant(energy[0].mean()),
        "energies": np.round(energy[::10], 4),
        "path": np.round(zs[::2, np.argmax(energy[0])], 3),
    }


def grid(box):
    """GRID by GRID points of a box, (GRID, GRID, 2): rows from bottom to top."""
    (left, right), (bottom, top) = box
    return np.stack(np.meshgrid(np.linspace(left, right, GRID), np.linspace(bottom, top, GRID)), axis=-1)


def significant(x, digits=4):
    return float(f"{x:.{digits}g}")
