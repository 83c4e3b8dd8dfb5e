"""The six gradients side by side: a spiral, a network, Lorenz's equations, a stiff sweep; tables and a picture."""

import numpy as np

from ..autodiff.tape import grad
from ..fitting.store import atomic_write, writable_directory
from ..gradients.backsolve import Backsolve
from ..gradients.discrete import Discrete
from ..gradients.forward import Forward
from ..gradients.interpolating import Interpolating
from ..gradients.reversible import Reversible
from ..nn.mlp import MLP
from ..solvers.solver import dopri5, rk4
from ..verify.compare import (
    METHODS,
    compare_gradients,
    describe,
    flatten,
    measure_memory,
    measure_work,
    reference_gradient,
)
from ..verify.gradient_report import table

NET = MLP((2, 50, 2), power=3)
SWEPT = (Backsolve(), Interpolating(), Discrete(), Reversible())  # the methods of the stiff sweep


def spiral(z, t, theta):
    """dz/dt = z^3 A for each row z, with theta = A row by row."""
    return (z * z * z) @ theta.reshape(2, 2)


def lorenz(z, t, theta):
    """dx/dt = sigma (y - x),  dy/dt = x (rho - w) - y,  dw/dt = x y - beta w."""
    x, y, w = z
    sigma, rho, beta = theta
    return np.stack([sigma * (y - x), x * (rho - w) - y, x * y - beta * w])


def stiff(z, t, theta):
    """dy/dt = lambda y,  dw/dt = y: y decays, and w is the integral of y."""
    y, w = z
    return np.stack([theta[0] * y, y])


def mean_square(zs):
    return np.sum(zs * zs) / zs.size


def problems():
    """(name, remark, (z0, f, ts, theta, loss)) of each table."""
    rng = np.random.default_rng(0)
    A = np.array([-0.1, 2.0, -2.0, -0.1])
    return [
        (
            "The spiral, dz/dt = z^3 A",
            "Discrete, Checkpointed and Forward are one gradient, that of the discretisation, at three prices.",
            ([2.0, 0.0], spiral, np.linspace(0, 2, 5), A, mean_square),
        ),
        (
            f"{NET}, a batch of 20",
            "Forward pays a pullback for each of the 40 components of z.",
            (rng.normal(size=(20, 2)), NET, np.linspace(0, 1, 5), NET.init(rng), mean_square),
        ),
        (
            "Lorenz, T = 1",
            "The flow contracts by e^-14 in one direction. Backwards that expands, so Backsolve drifts; and the two\n"
            "copies of Reversible part: its gradient is exact, but of a solution that is not Lorenz's.",
            ([-8.0, 7.0, 27.0], lorenz, [0.0, 1.0], [10.0, 28.0, 8 / 3], mean_square),
        ),
    ]


def compare(out="figures", quick=False):
    """The command `compare`: the six gradients on three problems, and four of them where a decay becomes stiff.

    Prints a table for each problem (error, evaluations of f, pullbacks, bytes, seconds, drift) and draws gradients.png.

    out    the directory for the picture; it is made if need be
    quick  fewer points in the picture

    Returns the exit status 0. Raises UsageError where `out` cannot be written to.
    """
    out = writable_directory(out, "gradients.png")
    for name, remark, problem in problems():
        print(f"{name}\n{compare_gradients(*problem, dopri5())}\n{remark}\n", flush=True)
    sweep = stiff_sweep(-np.array([1, 10, 20, 30, 40] if quick else [1, *range(4, 42, 4)], float))
    print(sweep_table(sweep), flush=True)
    draw(out, sweep, quick)
    return 0


def draw(out, sweep, quick):
    from ..plotting import gradients, style  # here, because matplotlib takes its time

    rtols = 10.0 ** -np.arange(2, 7 if quick else 10)
    ns = 4 ** np.arange(1, 4 if quick else 6)
    _, _, problem = problems()[0]
    fig = gradients.gradients_figure(precision(problem, rtols), ns, memory(ns), sweep)
    with atomic_write(out / "gradients.png") as draft:
        style.save(fig, draft)
    print(f"\nDrawn in {out / 'gradients.png'}")


def stiff_sweep(lambdas):
    """lambda -> Rows, for L = w(1) from y(0) = 1: L = (e^lambda - 1) / lambda, so all gradients are known exactly."""
    rows = {}
    for lam in lambdas:
        e = np.exp(lam)
        exact = np.array([(e - 1) / lam, 1.0, -e, e, (e * (lam - 1) + 1) / lam**2])  # of z0, ts, lambda
        problem = np.array([1.0, 0.0]), stiff, [0.0, 1.0], [lam], lambda zs: zs[-1, 1]
        rows[lam] = rows_of(SWEPT, problem, dopri5(), exact)
    return rows


def rows_of(methods, problem, solver, reference):
    """What compare_gradients would measure, but for seconds and what tracemalloc sees: one run a method."""
    z0, f, ts, theta, loss = problem
    solve = lambda method, f: method.vjp(z0, f, ts, theta, solver)
    return [measure_work(method, solve, f, grad(loss), reference) for method in methods]


def sweep_table(sweep):
    """Drift and errors over lambda, as text."""
    cells = [("lambda", "drift", *map(describe, SWEPT), "")]
    for lam, rows in sweep.items():
        errors = [f"{row.error:.1e}" for row in rows]
        cells.append((f"{lam:g}", f"{rows[0].drift:.1e}", *errors, "DriftWarning" if rows[0].note else ""))
    return (
        f"Stiff: dy/dt = lambda y, dw/dt = y, L = w(1): the drift of Backsolve, and errors\n{describe(dopri5())}\n"
        f"{table(cells, '>' * (len(cells[0]) - 1) + '<')}\n"
        "What contracts by e^lambda forwards expands by as much backwards, and so do errors."
    )


# ---- what the picture shows


def precision(problem, rtols):
    """method -> [(evaluations and pullbacks, error), ...], a point for each tolerance; nan for a failure."""
    z0, f, ts, theta, loss = problem
    reference = flatten(reference_gradient(np.array(z0), f, ts, theta, grad(loss)))
    points = {describe(method): [] for method in METHODS}
    for rtol in rtols:
        for row in rows_of(METHODS, problem, dopri5(rtol, rtol / 1000), reference):
            points[row.method].append((row.evals_forward + row.evals_backward + row.pullbacks, row.error))
    return points


def memory(ns):
    """method -> (bytes held between the passes, peaks of the backward pass), each a list for n steps of RK4, by
    tracemalloc: the network, a batch of 8.

    Forward, with a pullback for each of 16 components, soon takes too long; its memory does not grow anyway.
    """
    rng = np.random.default_rng(0)
    z0, theta = rng.normal(size=(8, 2)), NET.init(rng)

    def measure(method, n):
        solve = lambda method, f: method.vjp(z0, f, [0.0, 1.0], theta, rk4(n=int(n)))
        return measure_memory(method, solve, NET, lambda zs: zs)

    measured = {}
    for method in METHODS:
        measure(method, ns[0])  # the first time warms up
        points = [measure(method, n) for n in (ns[:3] if isinstance(method, Forward) else ns)]
        measured[describe(method)] = tuple(zip(*points, strict=True))
    return measured
