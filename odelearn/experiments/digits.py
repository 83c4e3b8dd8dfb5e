"""Handwritten digits by the four nets of Table 1: cross-validation, memory, and what Figure 3 measures."""

import math
import time
import tracemalloc
import warnings
from contextlib import contextmanager

import numpy as np

from ..datasets.digits import digits, split_folds
from ..gradients.backsolve import Backsolve
from ..gradients.drift import DriftWarning
from ..models.classify import (
    Chain,
    ODEBlock,
    cross_entropy_vjp,
    digit_classifier,
    loss_and_gradient,
    predict_classes,
    train_classifier,
)
from ..solvers.odesolve import odesolve
from ..solvers.solver import dop853, dopri5, rk4

# lr and noise were chosen on validation parts: see classify_settings.
TRAINING = {
    "mlp": {"epochs": 60, "batch": 64, "lr": 0.01, "noise": 0.2},
    "resnet": {"epochs": 60, "batch": 64, "lr": 0.01, "noise": 0.1},
    "rk-net": {"epochs": 60, "batch": 64, "lr": 0.01, "noise": 0.1},
    "ode-net": {"epochs": 60, "batch": 64, "lr": 0.01, "noise": 0.1},
}
# The nets with convolutions have the same settings, and fewer epochs for their price. They were not tuned.
CONVOLUTIONAL = {form: {**training, "epochs": 20} for form, training in TRAINING.items()}
FOLDS = 5
BATCH = 64  # images in the batch by which memory and evaluations are measured
FEW = 16  # images for the memory of nets with convolutions: 64 of them would take gigabytes
DEPTHS = (16, 64, 256)  # evaluations of f, or residual blocks, at which the memory of a gradient is measured
TOLERANCES = tuple(10.0**-i for i in range(1, 9))
WATCHED = (1e-3, 1e-6)  # tolerances at which evaluations are counted during the training: its own, and a finer one


def training_settings(form, full=False):
    return {"folds": FOLDS, "convolutional": full, **(CONVOLUTIONAL if full else TRAINING)[form]}


def images_and_labels():
    """The digits in single precision, in which a training takes half the time."""
    x, labels = digits()
    return x.astype(np.float32), labels


def cross_validate(form, seed, full=False, progress=True):
    """Train a form of digit_classifier on 4/5 of the digits and test it on the rest, five times: each image once.

    Returns a dict:
        test_error, standard_error   in % of all images: share wrong, and sqrt(share (1 - share) / images)
        wrong                        how many images of each fold's test part came out wrong
        parameters                   P
        training_steps               in all folds, and training_seconds of CPU; drift_warnings of the adjoint in them
        history                      the mean loss of each fold (rows) in each epoch
        peak_bytes, depths, depth_bytes              see memory
        figure_3                     of "ode-net", first fold: see watch_evaluations and measure_tolerances
    Raises TrainingStopped where a training fails, KeyboardInterrupt after Ctrl-C.
    """
    x, labels = images_and_labels()
    settings = training_settings(form, full)
    net, wrong, histories, seconds, figure_3 = digit_classifier(form, full), [], [], 0.0, {}
    folds = split_folds(np.random.default_rng(seed), len(x), FOLDS)
    with counted_drift() as drift_warnings:
        for k, (train, test) in enumerate(folds):
            watched = form == "ode-net" and k == 0
            evaluations, callback = watch_evaluations(net, x[train], settings) if watched else ({}, None)
            theta, history, cpu = train_fold(net, x[train], labels[train], [seed, k], settings, progress, callback)
            wrong.append(int(np.sum(predict_classes(net, theta, x[test]) != labels[test])))
            histories.append(epoch_means(history, settings["epochs"]))
            seconds += cpu
            if watched:
                figure_3 = {"evaluations": evaluations, **measure_tolerances(net, theta, x[test], labels[test])}
    share = sum(wrong) / len(x)
    return {
        "test_error": round(100 * share, 4),
        "standard_error": round(100 * math.sqrt(share * (1 - share) / len(x)), 4),
        "wrong": wrong,
        "parameters": net.size,
        "training_seconds": round(seconds, 2),
        "training_steps": sum(steps_of(len(train), settings) for train, _ in folds),
        "drift_warnings": len(drift_warnings),
        "history": np.round(histories, 5).tolist(),
        **memory(form, full, x[: FEW if full else BATCH], labels[: FEW if full else BATCH]),
        **({"figure_3": figure_3} if figure_3 else {}),
    }


def train_fold(net, x, labels, seed, settings, progress, callback=None):
    """theta, the losses and the seconds of CPU of one training. Raises KeyboardInterrupt after Ctrl-C."""
    start = time.process_time()
    options = {name: settings[name] for name in ("epochs", "batch", "lr", "noise")}
    rng = np.random.default_rng(seed)
    theta, history = train_classifier(net, x, labels, rng, **options, progress=progress, callback=callback)
    if len(history) < steps_of(len(x), settings):
        raise KeyboardInterrupt
    return theta, history, time.process_time() - start


def steps_of(n, settings):
    """Steps of Adam in a training on n images."""
    return settings["epochs"] * math.ceil(n / settings["batch"])


def epoch_means(history, epochs):
    return [float(np.mean(part)) for part in np.array_split(history, epochs)]


@contextmanager
def counted_drift():
    """A list of the DriftWarnings in here, which are not shown; all other warnings are, afterwards."""
    drift = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DriftWarning)
        yield drift
        drift += [w for w in caught if issubclass(w.category, DriftWarning)]
    for w in caught:
        if not issubclass(w.category, DriftWarning):
            warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)


# ---- memory


def memory(form, full, x, labels):
    """peak_bytes of one gradient of the net as it is trained, and depth_bytes of nets with as many blocks, or solves
    with as many evaluations of f, as depths says."""
    theta_of = lambda net: net.init(np.random.default_rng(0)).astype(x.dtype)
    peak = lambda net: peak_bytes(net, theta_of(net), x, labels)
    sizes = {"peak_bytes": peak(digit_classifier(form, full))}
    if form == "mlp":
        return sizes
    return sizes | {"depths": list(DEPTHS), "depth_bytes": [peak(deep_net(form, full, depth)) for depth in DEPTHS]}


def deep_net(form, full, depth):
    """The net with `depth` residual blocks, or with depth / 4 steps of RK4: the same number of evaluations of f."""
    net = digit_classifier(form, full, blocks=depth)
    for layer in net.layers:
        if isinstance(layer, ODEBlock):
            layer.solver = rk4(n=depth // 4)
    return net


def peak_bytes(net, theta, x, labels):
    """The most bytes that one gradient has in use at a time, beyond theta and x, by tracemalloc."""
    loss_and_gradient(net, theta, x, labels)  # the first call leaves things behind that later ones find
    tracemalloc.start()
    try:
        loss_and_gradient(net, theta, x, labels)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# ---- Figure 3


def parts_around_solve(net, theta):
    """(layers, theta) before the ODEBlock of a net, the block itself and its theta, (layers, theta) after it."""
    (i,) = [i for i, layer in enumerate(net.layers) if isinstance(layer, ODEBlock)]
    before, into, out = net.ends[i - 1], net.ends[i], net.layers[i + 1 :]
    return (Chain(*net.layers[:i]), theta[:before]), (net.layers[i], theta[before:into]), (Chain(*out), theta[into:])


def watch_evaluations(net, x, settings):
    """A dict, and a callback of the training that fills it: {str(tolerance): [evaluations of f in a forward solve at
    the beginning of each epoch]} for each of WATCHED. The images are always the same: only theta makes a difference.
    """
    evaluations, steps = {str(tolerance): [] for tolerance in WATCHED}, math.ceil(len(x) / settings["batch"])

    def callback(step, theta, loss):
        if step % steps == 0:
            (into, theta_into), (block, theta_f), _ = parts_around_solve(net, theta.astype(float))
            z0, _ = into.vjp(x[:BATCH].astype(float), theta_into)
            for tolerance in WATCHED:
                solved = odesolve(z0, block.f, (0.0, 1.0), theta_f, dopri5(tolerance, tolerance))
                evaluations[str(tolerance)].append(solved.stats.evals)

    return evaluations, callback


def measure_tolerances(net, theta, x, labels):
    """What Figure 3 shows of a trained ODE-Net, and the images that come out wrong, for each of TOLERANCES.

    Solved in double precision for all of x (N, 8, 8) at once, by Dormand-Prince with rtol = atol.

    Returns a dict of lists: tolerances; forward and backward, the evaluations of f in each pass; error, the root mean
    square of z(1) minus that of a tight solve; seconds of CPU of the forward pass, the best of 3; wrong, a number.
    """
    x, theta = x.astype(float), theta.astype(float)
    (into, theta_into), (block, theta_f), (out, theta_out) = parts_around_solve(net, theta)
    z0, f, ts = into.vjp(x, theta_into)[0], block.f, (0.0, 1.0)
    exact = odesolve(z0, f, ts, theta_f, dop853(1e-11, 1e-11)).zs[-1]
    rows = {name: [] for name in ("forward", "backward", "error", "seconds", "wrong")}
    for tolerance in TOLERANCES:
        solver = dopri5(tolerance, tolerance)
        zs, pullback = Backsolve().vjp(z0, f, ts, theta_f, solver)
        logits, out_pullback = out.vjp(zs[-1], theta_out)
        a_z, _ = out_pullback(cross_entropy_vjp(logits, labels)[1])
        backward = pullback(np.stack([0 * a_z, a_z])).stats.evals
        rows["forward"].append(odesolve(z0, f, ts, theta_f, solver).stats.evals)
        rows["backward"].append(backward)
        rows["error"].append(float(f"{np.sqrt(np.mean((zs[-1] - exact) ** 2)):.3e}"))
        rows["seconds"].append(min(solve_seconds(z0, f, ts, theta_f, solver) for _ in range(3)))
        rows["wrong"].append(int(np.sum(logits.argmax(axis=1) != labels)))
    return {"tolerances": list(TOLERANCES), **rows}


def solve_seconds(*problem):
    start = time.process_time()
    odesolve(*problem)
    return round(time.process_time() - start, 5)
