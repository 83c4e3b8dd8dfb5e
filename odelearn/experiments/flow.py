"""The command `flow`: normalizing flows, continuous and discrete; Theorem 1, Figures 4 and 5 of the paper."""

from pathlib import Path

import numpy as np

from ..datasets.densities import POTENTIALS
from ..fitting.store import atomic_write
from . import density_matching, flow_claims, flow_cost, flow_likelihood
from .claims import by_method
from .density_matching import SIZES

MATCHED = [f"{kind}-{U}-{size}" for U in POTENTIALS for kind in ("cnf", "nf", "nf-params", "nf-time") for size in SIZES]
LEARNED = ["likelihood-moons", "likelihood-circles", "coarse-moons", "matching-moons", "penalised-circles"]
METHODS = (*MATCHED, *LEARNED, "cost")


def parts_of(method):
    """(module, its arguments): "nf-time-U1-8" is density_matching with ("nf-time", "U1", 8)."""
    if method == "cost":
        return flow_cost, ()
    if method in LEARNED:
        return flow_likelihood, tuple(method.split("-"))
    kind, target, size = method.rsplit("-", 2)
    return density_matching, (kind, target, int(size))


def settings(method, full=False):
    """What the numbers of a method depend on, besides the seed."""
    module, arguments = parts_of(method)
    return module.settings() if method == "cost" else module.settings(*arguments, full=full)


def run(method, seed, full=False, progress=True):
    """Train and measure one method: see density_matching.match, flow_likelihood.learn, flow_cost.cost."""
    module, arguments = parts_of(method)
    if method == "cost":
        return flow_cost.cost(seed)
    work = density_matching.match if module is density_matching else flow_likelihood.learn
    return work(*arguments, seed, full, progress)


def table(results):
    """What the command prints: means over the seeds of what is there."""
    methods = by_method(results)
    mean = lambda method, key: np.mean([r[key] for r in methods[method]])
    lines = ["Density matching, loss in nats (lower is better), and seconds of training", ""]
    lines.append(" " * 24 + "".join(f"M or K = {size}".rjust(20) for size in SIZES))
    for U in POTENTIALS:
        lines.append(f"{U}, lowest possible {mean(f'cnf-{U}-{SIZES[0]}', 'floor'):.3f}")
        for kind, name in NAMES.items():
            cells = [(mean(f"{kind}-{U}-{n}", "loss"), mean(f"{kind}-{U}-{n}", "train_seconds")) for n in SIZES]
            lines.append(f"  {name:22}" + "".join(f"{loss:.3f} ({seconds:.1f} s)".rjust(20) for loss, seconds in cells))
    lines += ["", "Two moons and two circles, -log p of test points in nats", ""]
    lines += [f"{'':22}{'claimed':>9}{'tight':>9}{'true':>9}{'evaluations':>13}{'seconds':>9}"]
    for method in LEARNED:
        claimed = methods[method][0]["claimed"]
        first = "-" if claimed is None else f"{mean(method, 'claimed'):.3f}"
        tight, true = mean(method, "test"), mean(method, "true")
        cost = f"{mean(method, 'evaluations'):>13.0f}{mean(method, 'train_seconds'):>9.1f}"
        lines.append(f"  {method:20}{first:>9}{tight:>9.3f}{true:>9.3f}{cost}")
    slopes = (
        f"trace: time ~ M^{mean('cost', 'trace_slope'):.2f}, determinant: M^{mean('cost', 'determinant_slope'):.2f}"
    )
    return "\n".join([*lines, "", f"Cost against the width M: {slopes}"])


NAMES = {"cnf": "CNF", "nf": "NF", "nf-params": "NF, as many parameters", "nf-time": "NF, as much time"}
SHORT = {
    "likelihood-moons": "moons, rk4(n=8)",
    "coarse-moons": "moons, rk4(n=2)",
    "matching-moons": "moons, flow matching",
    "likelihood-circles": "circles, rk4(n=8)",
    "penalised-circles": "circles, penalties",
}


def draw(results, folder):
    """flow_targets.png, flow_paths.png, flow_costs.png and flow.gif, of the first seed."""
    from ..plotting import flow as pictures  # here, because matplotlib takes its time
    from ..plotting.style import save

    first = {method: rows[0] for method, rows in by_method(results).items()}
    axis = np.linspace(-density_matching.HALF_WIDTH, density_matching.HALF_WIDTH, 120)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    targets = {name: np.exp(-U(grid)).reshape(len(axis), -1) for name, U in POTENTIALS.items()}
    cell = lambda name: (np.array(first[name]["counts"]), first[name]["loss"])
    titles = {f"{NAMES[k]} {'MK'[k == 'nf']} = {n}": f"{k}-{{}}-{n}" for k in ("cnf", "nf") for n in SIZES}
    models = {U: {title: cell(name.format(U)) for title, name in titles.items()} for U in POTENTIALS}
    learned = {
        title: (np.array(first[f"likelihood-{data}"]["paths"]), np.array(first[f"likelihood-{data}"]["density"]))
        for title, data in (("two circles", "circles"), ("two moons", "moons"))
    }
    losses = {name: (SIZES, [first[f"{kind}-U1-{n}"]["loss"] for n in SIZES]) for kind, name in NAMES.items()}
    nats = {name: above_true(first[method]) for method, name in SHORT.items()}
    cost = first["cost"]
    widths = {
        name: (cost[f"{key}_widths"], cost[f"{key}_microseconds"], cost[f"{key}_slope"])
        for name, key in (("trace", "trace"), ("determinant", "determinant"))
    }
    figures = {
        "flow_targets.png": pictures.matched(targets, models, density_matching.HALF_WIDTH),
        "flow_paths.png": pictures.flows(learned),
        "flow_costs.png": pictures.costs(losses, first["cnf-U1-2"]["floor"], nats, widths),
    }
    folder = Path(folder)
    for name, figure in figures.items():
        with atomic_write(folder / name) as draft:
            save(figure, draft)
    with atomic_write(folder / "flow.gif") as draft:
        pictures.flow_film(learned, draft)
    return [folder / name for name in (*figures, "flow.gif")]


def above_true(result):
    """Nats above the true density: claimed by the solver of the training, if there was one, and solved tightly."""
    claimed = result["claimed"]
    return None if claimed is None else claimed - result["true"], result["test"] - result["true"]


def claims(results):
    """The rows of the scoreboard: see flow_claims."""
    return flow_claims.claims(by_method(results))
