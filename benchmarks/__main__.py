"""python -m benchmarks: measure, print the tables, write benchmarks/RESULTS.md and figures/."""

import argparse
from collections import namedtuple
from pathlib import Path

from . import report, scaling, startup, timing
from .timing import interleaved, ratio, seconds
from .workloads import GRID, OWN, all_workloads, disagreement

HERE = Path(__file__).parent
FIGURES = HERE.parent / "figures"
OURS = ("odelearn", "NumPy limit", "products", "MLP")  # whatever is called otherwise is a peer
TRAINED = ("odelearn Discrete", "jax.lax.scan by hand", "Diffrax checkpointed", "torchdiffeq backprop")

SAME = 1e-8  # relative to the largest component

Result = namedtuple("Result", "name title ours seconds rows notes")
Row = namedtuple("Row", "ours other ratio bound compile")  # odelearn's time over the other's, and what it may be


def is_peer(name):
    return not name.startswith(OURS)


def measure(workload, rounds, with_peers):
    """A Result, of the contenders that are installed and give odelearn's numbers."""
    contenders, compile, notes = {}, {}, []
    entries = [e for e in workload.entries if with_peers or not is_peer(e.name)]
    for entry in entries:
        try:
            contender = entry.build(workload.problem)
        except ImportError as error:
            notes.append(f"{entry.name} is left out: {error}")
            continue
        first = seconds(contender.run)
        gap = disagreement(workload, entry, contender) if entry.check else 0.0
        if gap <= SAME:
            contenders[entry.name] = contender.run
            compile[entry.name] = first if contender.compiles else None
        else:
            notes.append(f"{entry.name} is left out: its numbers differ by {gap:.1e}")
    measured = interleaved(contenders, rounds)
    rows = [
        Row(ours, entry.name, ratio(measured, ours, entry.name), bound, compile[entry.name])
        for entry in entries
        if entry.name in contenders
        for ours, bound in entry.targets.items()
    ]
    return Result(workload.name, workload.title, [n for n in contenders if n in OWN], measured, rows, notes)


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="interleaved rounds, whose medians are taken (30)")
    parser.add_argument("--only", metavar="W1,W2", help="only the workloads whose names begin so; writes nothing")
    parser.add_argument("--quick", action="store_true", help="three rounds, small problems; writes nothing")
    parser.add_argument("--no-peers", action="store_true", help="odelearn and its limit only")
    options = parser.parse_args(argv)
    rounds = 3 if options.quick else options.rounds
    only = tuple(options.only.split(",")) if options.only else ("",)
    wanted = lambda name: name.startswith(only)
    lines, results = [], []

    def say(*text):
        print(*text, sep="\n", flush=True)
        lines.extend(text)

    tanh = timing.of_tanh()
    say("# How fast odelearn is", "", f"`python -m benchmarks --rounds {rounds}` on {report.machine(tanh)}.", "")
    say(EXPLANATION, TANH.format(tanh=1e6 * tanh), "")
    for workload in all_workloads(GRID[:2] if options.quick else GRID):
        if wanted(workload.name):
            result = measure(workload, rounds, not options.no_peers)
            results.append(result)
            say(f"## {result.name}: {result.title}", "", report.workload_table(result), "", *result.notes)
    if wanted("W5"):
        say("## W5: what it costs to begin", "", report.plain_table(startup.w5(min(rounds, 11))), "")
    if wanted("training") and not options.quick:
        say(*training(results, rounds))
    if wanted("scaling"):
        say(*scaling_section(rounds, options.quick))
    say(*targets(results))
    if options.only is None and not options.quick:
        (HERE / "RESULTS.md").write_text("\n".join(lines) + "\n")
        report.benchmark_figure(results, OWN, FIGURES / "benchmark.png")
    return results


def targets(results):
    """How many are met, and by how much the others are missed."""
    rows = [(result.name, row) for result in results for row in result.rows if row.bound is not None]
    missed = [(name, row) for name, row in rows if row.ratio > row.bound]
    yield from (f"## {len(rows) - len(missed)} of {len(rows)} targets for ratios are met", "")
    cells = [(name, row.ours, row.other, report.times(row.ratio), report.times(row.bound)) for name, row in missed]
    yield from (report.table(("missed in", "by", "against", "it takes", "target"), cells), "")


def training(results, rounds):
    """Import, compilation and 500 steps: what somebody waits for who has written a model and wants it trained."""
    installed = {name for result in results if result.name == "W2b" for name in result.seconds}
    names = [name for name in TRAINED if name in installed]
    trained = startup.trained_model(names, steps=500, rounds=max(1, min(rounds // 10, 3)))
    rows = [(name, f"{s:.1f}", f"{loss:.10f}") for name, s, loss in trained]
    yield from ("## Time to a trained model: import, compilation and 500 steps of gradient descent on W2b", "")
    yield from (report.table(("", "seconds", "loss"), rows), "")


def scaling_section(rounds, quick):
    """The exponents: time against steps, batch and width, bytes against steps."""
    measured, held = scaling.measure(max(3, rounds // 4), quick)
    rows = []
    for name in held:
        curves = (*(measured[axis, name] for axis in ("steps", "batch", "width")), held[name])
        rows.append((name, *(f"{abs(scaling.slope(x, y)):.2f}" for x, y in curves)))
    yield from ("## How cost grows: exponents at the upper end", "")
    yield from (report.table(("", "time / steps", "time / batch", "time / width", "bytes held / steps"), rows), "")
    if not quick:
        report.scaling_figure(measured, held, scaling.slope, FIGURES / "scaling.png")


EXPLANATION = """\
Times are medians over rounds in which all contenders take turns; the ratios are medians of the ratios within a round.
The NumPy limit is `limit.py`, its set-up for each shape not counted; odelearn's own set-up is. Whoever is listed has
first been checked to give the same numbers to 1e-8. Against peers there are no targets, but for ensembles.
torchdiffeq's "rk4" is the 3/8 rule, which costs the same.
"""

TANH = """\
np.tanh of a (20, 50) array takes {tanh:.1f} us here. It takes about 2 us on a processor for which NumPy has fast vector
code (AVX-512), and about 20 us on others; PyTorch and JAX bring fast code for all. "Products and tanh alone" has
nothing but np.dot and np.tanh in it."""


if __name__ == "__main__":
    main()
