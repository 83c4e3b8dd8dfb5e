"""Two moons and two circles, told apart by an ODE in the plane, and with one dimension more."""

import numpy as np

from ..datasets.synthetic import circles, two_moons
from ..gradients.discrete import Discrete
from ..models.classify import (
    Augment,
    Chain,
    ODEBlock,
    Once,
    cross_entropy_vjp,
    predict_classes,
    train_classifier,
)
from ..nn.mlp import MLP
from ..solvers.odesolve import odesolve
from ..solvers.solver import rk4

PROBLEMS = {"moons-plain": (two_moons, 0), "circles-plain": (circles, 0), "circles-augmented": (circles, 1)}
# The points lie so densely that there is no gap through which a ring could be opened: with 400 of them there is one.
SETTINGS = {"points": 2000, "noise": 0.05, "hidden": 32, "rk4_steps": 8, "epochs": 60, "batch": 200, "lr": 0.01}
SHOWN = 40  # points of each class whose way is drawn
FRAMES = 21  # times at which they are drawn
PIXELS = 61  # of the picture of probabilities, along each side


def plane_net(extra):
    """[x, 0] with `extra` zeros moves by dz/dt = MLP(z, t) from t = 0 to 1; then one straight cut tells the classes."""
    D, hidden = 2 + extra, SETTINGS["hidden"]
    f = MLP([D, hidden, D], time="concat")
    return Chain(Augment(extra), ODEBlock(f, rk4(n=SETTINGS["rk4_steps"]), Discrete()), Once(MLP([D, 2])))


def separate(problem, seed, progress=True):
    """Train plane_net on the points of one of PROBLEMS.

    Returns a dict:
        training_loss, fine_loss   the mean cross-entropy of all points at the end; the same by 8 times as many steps
        training_error             in %
        history                    the mean loss of each epoch
        paths, labels              (FRAMES, M, D) and (M,): z(t) of M points, and their classes
        probabilities, box         (PIXELS, PIXELS) of class 1 at x_1 (columns) and x_2 (rows), each between its two
                                   numbers in box
    Raises TrainingStopped where the training fails, KeyboardInterrupt after Ctrl-C.
    """
    make, extra = PROBLEMS[problem]
    rng, net = np.random.default_rng(seed), plane_net(extra)
    x, labels = make(rng, SETTINGS["points"], SETTINGS["noise"])
    options = {name: SETTINGS[name] for name in ("epochs", "batch", "lr")}
    theta, history = train_classifier(net, x, labels, rng, **options, progress=progress)
    if len(history) < SETTINGS["epochs"] * SETTINGS["points"] // SETTINGS["batch"]:
        raise KeyboardInterrupt
    loss = cross_entropy_vjp(net.vjp(x, theta)[0], labels)[0]
    shown = np.concatenate([np.flatnonzero(labels == c)[:SHOWN] for c in (0, 1)])
    box = [[float(side.min()) - 0.2, float(side.max()) + 0.2] for side in x.T]
    return {
        "training_loss": loss,
        "fine_loss": fine_loss(net, theta, x, labels),
        "training_error": 100 * float(np.mean(predict_classes(net, theta, x) != labels)),
        "history": np.round([np.mean(part) for part in np.array_split(history, SETTINGS["epochs"])], 6).tolist(),
        "paths": np.round(follow(net, theta, x[shown]), 3).tolist(),
        "labels": labels[shown].tolist(),
        "probabilities": np.round(probabilities(net, theta, box), 2).tolist(),
        "box": box,
    }


def fine_loss(net, theta, x, labels):
    """The loss when the same field is solved by 8 times as many steps. If it is the same, no step leapt over a path."""
    augment, block, out = net.layers
    fine = Chain(augment, ODEBlock(block.f.f, rk4(n=8 * SETTINGS["rk4_steps"]), Discrete()), out)
    return cross_entropy_vjp(fine.vjp(x, theta)[0], labels)[0]


def follow(net, theta, x):
    """z(t) (FRAMES, M, D) of the points x (M, 2), at equal distances in time."""
    augment, block, _ = net.layers
    ts, theta_f = np.linspace(0, 1, FRAMES), theta[: block.size]
    return odesolve(augment.vjp(x, theta[:0])[0], block.f, ts, theta_f, rk4(n=4)).zs


def probabilities(net, theta, box):
    """The probability of class 1, (PIXELS, PIXELS), on a grid over the box [[x_1 low, high], [x_2 low, high]]."""
    x, y = np.meshgrid(*[np.linspace(*side, PIXELS) for side in box])
    logits, _ = net.vjp(np.stack([x.ravel(), y.ravel()], axis=1), theta)
    return (1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))).reshape(x.shape)
