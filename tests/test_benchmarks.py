"""The benchmarks measure what they say: the limits give odelearn's numbers, tables and figures come out of what is
measured. No test asserts a time."""

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import classifier, report, scaling, timing, workloads
from benchmarks.workloads import Entry, Problem, Workload
from odelearn import odesolve

EVEN, UNEVEN = np.linspace(0, 1, 4), np.array([0.0, 0.3, 1.0])
SMALL_ROTATION = workloads.rotation(H=5, N=3, ts=np.linspace(0, 3, 7))


@pytest.mark.parametrize(
    "workload, problem",
    [
        (workloads.w1(), Problem(5, 3, EVEN, n=2, power=3)),
        (workloads.w1(), Problem(5, 3, UNEVEN, n=2)),
        (workloads.w2a(), Problem(5, 3, EVEN, n=2, power=3)),
        (workloads.w2a(), Problem(5, 3, UNEVEN, n=2)),
        (workloads.w2b(), Problem(5, 3, EVEN, n=2, power=3)),
        (workloads.w2b(), Problem(5, 3, UNEVEN, n=2)),
        (workloads.w3(), SMALL_ROTATION),
        (workloads.w3_gradient(), SMALL_ROTATION),
        (workloads.w4(16, 1), Problem(16, 1, UNEVEN, n=3)),
        (workloads.w4(1024, 256), Problem(1024, 128, UNEVEN, n=1)),  # large enough to be cut into blocks of rows
        (workloads.tape(), Problem(5, 3, EVEN, n=2, power=3)),
        (workloads.w6(16, 20), workloads.Ensemble(4, 5, 3, EVEN, n=2)),
    ],
    ids=lambda x: x.name if isinstance(x, Workload) else f"{len(x.ts)} times, z^{x.power}",
)
def test_limits_and_tape_give_the_numbers_of_odelearn(workload, problem):
    """The same arithmetic in another order: round-off, of which an adaptive mesh makes a little more."""
    checked = [entry for entry in workload.entries if entry.check and not command.is_peer(entry.name)]
    assert checked
    for entry in checked:
        gap = workloads.disagreement(workload._replace(problem=problem), entry, entry.build(problem))
        assert gap < (1e-13 if problem.n else 1e-10), entry.name


def test_the_limit_of_an_adaptive_solve_rejects_the_same_steps():
    """Steep kinks in f, which cut steps to a half and to the fifth that the controller allows at least."""
    problem = workloads.rotation(H=5, N=3, ts=np.linspace(0, 2, 3), size=1.0)
    problem.theta[:15] *= 200  # the hidden layer
    traj = odesolve(problem.z0, problem.f, problem.ts, problem.theta, problem.solver())
    assert traj.stats.rejected > 20 and max(attempt.error for attempt in traj.ledger) > (0.9 / 0.2) ** 5
    workload = workloads.w3()._replace(problem=problem)
    (entry,) = [entry for entry in workload.entries if entry.name == workloads.LIMIT]
    assert workloads.disagreement(workload, entry, entry.build(problem)) < 1e-8


def test_a_contender_with_other_numbers_or_not_installed_is_left_out_and_named():
    def wrong(p):
        return workloads.Contender(lambda: 1.0001 * workloads.forward(p).run())

    def missing(p):
        raise ImportError("no module named fast")

    entries = [
        Entry("odelearn", workloads.forward),
        Entry("wrong", wrong, {"odelearn": 1.0}, workloads.forward),
        Entry("missing", missing, {"odelearn": 1.0}, workloads.forward),
    ]
    result = command.measure(Workload("W0", "", Problem(3, 2, EVEN, n=1), entries), rounds=1, with_peers=True)
    assert list(result.seconds) == ["odelearn"]
    assert result.rows == []
    assert "wrong" in result.notes[0] and "1.0e-04" in result.notes[0]
    assert "missing" in result.notes[1] and "no module named fast" in result.notes[1]


def test_the_command_prints_its_tables(capsys, tmp_path):
    results = command.main(["--quick", "--no-peers", "--only", "W1,W2b,W4,tape"])
    printed = capsys.readouterr().out
    assert [r.name for r in results] == ["W1", "W2b", "tape", "W4 H=16 N=1", "W4 H=16 N=16"]
    for line in ("## W1", "| odelearn Discrete ", "| - NumPy limit ", "1.65 x its time", "products and tanh alone"):
        assert line in printed
    report.benchmark_figure(results, workloads.OWN, tmp_path / "benchmark.png")
    assert (tmp_path / "benchmark.png").stat().st_size > 10_000


def test_contenders_take_turns_and_ratios_are_taken_within_a_round():
    calls = []
    times = timing.interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=4, slice=0.0)
    assert times["a"].shape == times["b"].shape == (4,)
    assert "".join(calls[4:]) == "abbaabba"  # after the first runs, and the first of a round changes
    assert timing.ratio({"a": np.array([2.0, 30.0, 8.0]), "b": np.array([1.0, 10.0, 8.0])}, "a", "b") == 2.0


def test_memory_grows_as_theory_says():
    """Flat for methods that run back, like sqrt with checkpoints, linear where every stage is kept."""
    steps = 2 ** np.arange(4, 9)
    problems = [Problem(4, 2, scaling.END, n=int(n)) for n in steps]
    slopes = {}
    for name, method in scaling.METHODS.items():
        slopes[name] = scaling.slope(steps, np.array([scaling.bytes_held(p, method) for p in problems]))
    assert slopes["Backsolve"] == pytest.approx(0, abs=1e-12)
    assert slopes["Reversible"] == pytest.approx(0, abs=1e-12)
    assert slopes["Checkpointed"] == pytest.approx(0.5, abs=0.2)  # the number kept jumps between sqrt N and 2 sqrt N
    assert slopes["Discrete"] == pytest.approx(1, abs=0.05)
    assert scaling.slope(steps, 3.0 * steps**0.5) == pytest.approx(0.5)


def test_all_classifiers_have_one_loss_and_one_gradient(capsys):
    by_hand, *by_tape = [run(classifier.THETA) for run in classifier.contenders().values()]
    assert np.abs(by_hand[1]).max() > 1e-3
    for value, g in by_tape:
        assert value == pytest.approx(by_hand[0], rel=1e-14)
        np.testing.assert_allclose(g, by_hand[1], rtol=1e-12, atol=1e-16)
    classifier.main(["--rounds", "2"])
    printed = capsys.readouterr().out
    assert all(name in printed for name in classifier.contenders()) and "(1.00)" in printed


def test_no_target_against_a_peer_but_for_ensembles_of_a_batch():
    """What a peer takes depends on the processor. The hand-inlined limit and odelearn itself are measured beside."""
    against_peers = [
        (workload.name, entry.name)
        for workload in workloads.all_workloads()
        for entry in workload.entries
        if command.is_peer(entry.name) and any(bound is not None for bound in entry.targets.values())
    ]
    assert against_peers == [("W6 H=16 N=20", "jax.vmap of a scan"), ("W6 H=50 N=20", "jax.vmap of a scan")]


def test_the_header_says_whether_tanh_is_fast():
    assert "np.tanh fast" in report.machine(2e-6)
    assert "np.tanh slow" in report.machine(2.3e-5)


def test_an_ensemble_of_one_is_the_first_member():
    p = workloads.Ensemble(3, 4, 2, EVEN, n=2)
    one, alone = (
        workloads.numbers(run(p, workloads.Discrete())) for run in (workloads.ensemble_of_one, workloads.one_member)
    )
    for x, y in zip(one, alone, strict=True):
        np.testing.assert_array_equal(np.squeeze(x), np.squeeze(y))
