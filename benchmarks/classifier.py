"""python -m benchmarks.classifier: a step of training through the tape, beside the same step by hand.

The classifier is 64-64-10 with tanh, on a batch of 64; a step is the loss and its gradient by value_and_grad, through
`unravel`, and a step of Adam. Its softmax is written out, or taken from nn.losses. With --before FOLDER an older
odelearn takes turns with this one in the same process:

    git archive ba42495 odelearn | tar x -C /tmp/before && mv /tmp/before/odelearn /tmp/before/odelearn_before
    python -m benchmarks.classifier --before /tmp/before
"""

import argparse
import importlib
import sys
import time

import numpy as np

import odelearn
from odelearn.nn.losses import softmax_cross_entropy

rng = np.random.default_rng(0)
X, LABELS, ROWS = rng.normal(size=(64, 64)), rng.integers(0, 10, 64), np.arange(64)
TREE = {
    "W0": rng.normal(size=(64, 64)) / 8,
    "b0": 0.1 * rng.normal(size=64),
    "W1": rng.normal(size=(64, 10)) / 8,
    "b1": 0.1 * rng.normal(size=10),
}


def logits(p):
    return np.tanh(X @ p["W0"] + p["b0"]) @ p["W1"] + p["b1"]


def written_out(p):
    """The loss as somebody writes it who knows NumPy."""
    x = logits(p)
    x = x - np.max(x, axis=1, keepdims=True)
    log_p = x - np.log(np.sum(np.exp(x), axis=1, keepdims=True))
    return -np.mean(log_p[ROWS, LABELS])


def from_losses(p):
    return softmax_cross_entropy(logits(p), LABELS)


def by_tape(library, loss):
    """theta -> loss and gradient."""
    _, unravel = library.ravel(TREE)
    return library.value_and_grad(lambda theta: loss(unravel(theta)))


def by_hand(theta):
    """The same numbers, with every pullback written out: what a tape can at best come to."""
    p = UNRAVEL(theta)
    h = np.tanh(np.dot(X, p["W0"]) + p["b0"])
    x = np.dot(h, p["W1"]) + p["b1"]
    x -= x.max(axis=1, keepdims=True)
    e = np.exp(x)
    total = e.sum(axis=1, keepdims=True)
    L = np.mean(np.log(total[:, 0]) - x[ROWS, LABELS])
    a = e / total
    a[ROWS, LABELS] -= 1
    a /= len(X)
    a_pre = np.dot(a, p["W1"].T) * (1 - h * h)
    return L, np.concatenate([np.dot(X.T, a_pre).ravel(), a_pre.sum(0), np.dot(h.T, a).ravel(), a.sum(0)])


THETA, UNRAVEL = odelearn.ravel(TREE)


def contenders(before=None):
    """{name: theta -> loss and gradient}, the one that is compared with first."""
    found = {"by hand": by_hand}
    if before is not None:
        found = {"before, softmax written out": by_tape(before, written_out), **found}
    found["the tape, softmax written out"] = by_tape(odelearn, written_out)
    found["the tape, softmax of nn.losses"] = by_tape(odelearn, from_losses)
    return found


def step(loss_and_grad, library):
    opt = library.Adam(lr=0.01)
    return lambda: opt.step(THETA, loss_and_grad(THETA)[1])


def measure(runs, rounds, calls=20):
    """{name: seconds of CPU a call (rounds,)}; all take turns in every round."""
    times = {name: np.empty(rounds) for name in runs}
    for i in range(rounds):
        for name, run in runs.items():
            run()
            start = time.process_time()
            for _ in range(calls):
                run()
            times[name][i] = (time.process_time() - start) / calls
    return times


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.classifier", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=60, help="rounds, whose medians are taken (60)")
    parser.add_argument("--before", metavar="FOLDER", help="where an older odelearn lies as odelearn_before")
    options = parser.parse_args(argv)
    before = None
    if options.before:
        sys.path.insert(0, options.before)
        before = importlib.import_module("odelearn_before")
    found = contenders(before)
    steps = {name: step(run, before if name.startswith("before") else odelearn) for name, run in found.items()}
    gradients = {name: lambda run=run: run(THETA) for name, run in found.items()}
    first, *_ = found
    print(f"microseconds of CPU, medians of {options.rounds} rounds; in brackets how many times faster than {first}")
    print(f"{'':32}{'gradient':>18}{'step of Adam too':>20}")
    measured = [measure(runs, options.rounds) for runs in (gradients, steps)]
    for name in found:
        cells = [f"{1e6 * np.median(t[name]):8.0f} ({np.median(t[first] / t[name]):.2f})" for t in measured]
        print(f"{name:32}{cells[0]:>18}{cells[1]:>20}")


if __name__ == "__main__":
    main()
