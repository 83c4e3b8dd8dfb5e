"""The gradient laboratory: what the table says is so, and it survives a method that fails."""

import tracemalloc
from html.parser import HTMLParser

import numpy as np
import pytest
from problems import LINEAR, LOTKA_VOLTERRA, NEURAL, OSCILLATING_RATE

from odelearn import (
    MLP,
    Backsolve,
    Checkpointed,
    Discrete,
    Forward,
    Interpolating,
    Reversible,
    SolverError,
    bosh3,
    counted,
    dopri5,
    odesolve,
    odesolve_vjp,
    rk4,
)
from odelearn.verify.compare import compare_gradients, measure_memory

p = LOTKA_VOLTERRA


def loss(zs):
    return np.sum(np.sin(zs))


@pytest.fixture(scope="module")
def table():
    return compare_gradients(p.z0, p.f, p.ts, p.theta, loss, dopri5())


def flat(g):
    return np.concatenate([np.ravel(g.z0), g.ts, g.theta])


def test_there_is_a_row_for_each_of_the_six(table):
    assert [
        row.method for row in table.rows
    ] == "Backsolve Interpolating Discrete Checkpointed Forward Reversible".split()
    fields = (
        "method error evals_forward evals_backward pullbacks bytes seconds drift traced_bytes peak_bytes note".split()
    )
    assert list(table.rows[0]._fields) == fields
    assert all(0 < row.seconds < 10 and row.traced_bytes > row.bytes > 0 and not row.note for row in table.rows)
    assert all(row.peak_bytes > row.traced_bytes for row in table.rows)  # what is held is part of it


def test_the_error_is_relative_to_the_largest_component_of_the_gradient_of_the_exact_flow(table):
    """Here by another solver, at another tolerance; the loss looks at its own zs."""
    zs, pullback = odesolve_vjp(p.z0, p.f, p.ts, p.theta, dopri5(1e-12, 1e-13), Discrete())
    exact = flat(pullback(np.cos(zs)))
    for row, method in zip(table.rows, [Backsolve(), Interpolating(), Discrete()], strict=False):
        zs, pullback = odesolve_vjp(p.z0, p.f, p.ts, p.theta, dopri5(), method)
        error = np.abs(flat(pullback(np.cos(zs))) - exact).max() / np.abs(exact).max()
        assert row.error == pytest.approx(error, rel=1e-3) and 1e-9 < error < 1e-4
    discrete, checkpointed, forward = table.rows[2:5]
    assert discrete.error == checkpointed.error == pytest.approx(forward.error, rel=1e-6)


def test_work_and_drift_are_those_of_the_methods(table):
    for row, method in zip(table.rows, [Backsolve(), Interpolating(), Discrete()], strict=False):
        f = counted(p.f)
        zs, pullback = odesolve_vjp(p.z0, f, p.ts, p.theta, dopri5(), method)
        forward, g = f.evals, pullback(np.cos(zs))
        assert (row.evals_forward, row.evals_backward, row.pullbacks) == (forward, f.evals - forward, f.pullbacks)
        assert row.bytes == g.stats.bytes and (row.drift == g.drift if g.drift else np.isnan(row.drift))


def test_an_exact_gradient_may_be_given():
    """For L = y(t_1) + 2 y(t_2) with y = y0 exp(a (sin t - sin t0)), as a tuple or as Gradients."""
    p = OSCILLATING_RATE
    y0, a, s = p.z0[0], p.theta[0], np.sin(p.ts) - np.sin(p.ts[0])
    y, w = y0 * np.exp(a * s), np.array([0.0, 1.0, 2.0])
    a_ts = w * a * y * np.cos(p.ts)
    a_ts[0] = -np.sum(w * y) * a * np.cos(p.ts[0])
    exact = [np.sum(w * y) / y0], a_ts, [np.sum(w * y * s)]
    linear_loss = lambda zs: zs[1, 0] + 2 * zs[2, 0]
    arguments = p.z0, p.f, p.ts, p.theta, linear_loss, rk4(n=5)
    given = compare_gradients(*arguments, exact=exact)
    for row, same in zip(given.rows, compare_gradients(*arguments).rows, strict=True):
        assert row.error == pytest.approx(same.error, rel=1e-3) and 1e-8 < row.error < 1e-5
    zs, pullback = odesolve_vjp(p.z0, p.f, p.ts, p.theta, rk4(n=5), Discrete())
    itself = compare_gradients(*arguments, methods=[Discrete()], exact=pullback(w[:, None]))
    assert itself.rows[0].error == 0
    with pytest.raises(ValueError, match=r"exact.ts must have the shape \(3,\), got \(2,\)"):
        compare_gradients(*arguments, exact=(exact[0], a_ts[:2], exact[2]))


def test_a_method_that_fails_has_a_row_that_says_so():
    methods = [Backsolve(dopri5(max_steps=2)), Discrete()]
    table = compare_gradients(p.z0, p.f, p.ts, p.theta, loss, dopri5(), methods)
    failed, fine = table.rows
    assert np.isnan(failed[1:10]).all() and "max_steps = 2" in failed.note
    assert fine.error < 1e-5 and not fine.note
    lines = str(table).split("\n")
    assert lines[2].split() == ["Backsolve(solver=DOPRI5(rtol=1e-06,", "atol=1e-09,", "max_steps=2))", "failed"]
    assert lines[4].startswith("Backsolve(solver=DOPRI5(rtol=1e-06, atol=1e-09, max_steps=2)): max_steps = 2")
    assert "max_steps = 2" in table._repr_html_()


def test_a_reference_that_fails_is_raised_with_advice():
    with pytest.raises(SolverError) as failure:
        compare_gradients([1.0], lambda z, t, theta: z * z, [0.0, 2.0], None, loss, rk4(n=3))
    assert any("exact=" in note for note in failure.value.__notes__)


def test_drift_is_a_note_not_a_warning():
    decay = lambda z, t, theta: theta[0] * z
    exact = [np.exp(-30)], [30 * np.exp(-30), -30 * np.exp(-30)], [np.exp(-30)]
    methods = [Backsolve(), Interpolating()]
    table = compare_gradients([1.0], decay, [0.0, 1.0], [-30.0], lambda zs: zs[-1, 0], dopri5(), methods, exact)
    assert table.rows[0].drift > 100 and "rebuilt backwards" in table.rows[0].note and not table.rows[1].note
    assert str(table).split("\n")[4].startswith("Backsolve: z rebuilt backwards at ts[0] = 0")


def test_text_and_html_say_the_same(table):
    heading, *rows = str(table).split("\n")[1:]
    assert str(table).startswith("DOPRI5(rtol=1e-06, atol=1e-09)\n") and repr(table) == str(table)
    assert len(heading) == len(rows[0]) == len(rows[-1])  # the columns are aligned
    for name in "method error pullbacks bytes traced peak seconds drift".split():
        assert name in heading

    class Cells(HTMLParser):
        def __init__(self):
            super().__init__()
            self.data = []

        def handle_data(self, data):
            self.data.append(data)

    cells = Cells()
    cells.feed(table._repr_html_())
    for row in rows:
        assert all(word in cells.data for word in row.split())


@pytest.mark.parametrize("tracing", [False, True])
def test_the_peak_is_that_of_the_way_back_and_holds_what_is_held(tracing):
    """A method that keeps 8 MB, makes 80 MB on the way forward and 24 MB on the way back, of which no trace is left."""

    def solve(method, f):
        kept = np.ones(10**6)
        del (dropped := [np.ones(10**7)])[:]
        return np.ones(2), lambda a_zs: len([np.ones(3 * 10**6), dropped, kept])

    if tracing:
        tracemalloc.start()
    try:
        held, peak = measure_memory(None, solve, None, lambda zs: zs)
        assert tracemalloc.is_tracing() == tracing
    finally:
        tracemalloc.stop()
    assert held == pytest.approx(8e6, rel=0.01) and peak == pytest.approx(32e6, rel=0.01)


def test_the_peaks_grow_as_the_methods_promise():
    """Per step: nothing for Backsolve, a state or more for Discrete; Checkpointed's is between."""
    net = MLP([2, 16, 2])
    theta, z0 = net.init(np.random.default_rng(0)), np.random.default_rng(1).normal(size=(8, 2))

    def peak(method, n):
        solve = lambda method, f: method.vjp(z0, net, (0.0, 1.0), theta, rk4(n=n))
        return measure_memory(method, solve, net, lambda zs: zs)[1]

    growth = []
    for method in (Backsolve(), Checkpointed(), Discrete()):
        peak(method, 4)  # the first call leaves things behind that later ones find
        growth.append((peak(method, 512) - peak(method, 64)) / (512 - 64))
    state = z0.nbytes
    assert abs(growth[0]) < 0.1 * state and growth[2] > 4 * state and growth[2] > 3 * growth[1] > 0


def test_methods_are_named_by_what_sets_them_apart():
    methods = [Backsolve(rk4(n=7), reset=False), Reversible(0.9), Forward()]
    table = compare_gradients(LINEAR.z0, LINEAR.f, LINEAR.ts, LINEAR.theta, loss, bosh3(1e-3, 1e-4), methods)
    assert [row.method for row in table.rows] == [
        "Backsolve(solver=RK4(n=7), reset=False)",
        "Reversible(coupling=0.9)",
        "Forward",
    ]
    assert table.solver == "BOSH3(rtol=0.001, atol=0.0001)"


def test_no_parameters_and_single_precision():
    """The reference is in double precision, so the error of float32 is its round-off."""
    z0 = np.array([1.0, 0.5], np.float32)
    swing = lambda z, t, theta: z * (np.float32(1) - z)
    table = compare_gradients(z0, swing, [0.0, 1.0], None, loss, rk4(n=30), [Discrete(), Backsolve()])
    assert all(1e-8 < row.error < 1e-5 for row in table.rows)


def test_tracemalloc_is_left_as_it_was():
    few = NEURAL.z0[:1], NEURAL.f, NEURAL.ts, NEURAL.theta, loss, rk4(n=2), [Discrete()]
    compare_gradients(*few)
    assert not tracemalloc.is_tracing()
    tracemalloc.start()
    try:
        compare_gradients(*few)
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()


# ---- the experiment, and its pictures


def png(path):
    return path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_the_stiff_sweep_shows_drift():
    """What contracts by e^lambda expands by e^-lambda on the way back; Discrete does not go back that way."""
    from odelearn.experiments.compare import stiff_sweep, sweep_table

    sweep = stiff_sweep([-1.0, -40.0])
    (mild, *_), (strong, interpolating, discrete, _) = sweep.values()
    assert mild.drift < 1e-6 and mild.error < 1e-6 and not mild.note
    assert strong.drift > 1e6 and strong.error > 1e3 and strong.note
    assert interpolating.error < 1e-6 and discrete.error < 1e-6
    calm, warned, _ = sweep_table(sweep).split("\n")[-3:]
    assert warned.endswith("DriftWarning") and not calm.endswith("DriftWarning")


def test_memory_grows_as_it_should():
    """From 32 to 256 steps: not at all, by a few states, or by as many bytes for each step."""
    from odelearn.experiments.compare import METHODS, memory

    measured = memory([32, 144, 256])
    assert len(measured) == len(METHODS)
    assert all(p > h for held, peak in measured.values() for h, p in zip(held, peak, strict=True))
    held = {name: held for name, (held, _) in measured.items()}
    for name in "Backsolve", "Forward", "Reversible":  # Python's own objects come and go
        assert held[name] == pytest.approx([held[name][0]] * 3, abs=2048)
        assert measured[name][1] == pytest.approx([measured[name][1][0]] * 3, abs=4096)  # the peak of the way back
    assert held["Discrete"][-1] > 100 * held["Backsolve"][-1]
    grown = {name: bytes[-1] - bytes[0] for name, bytes in held.items()}
    assert 1000 < grown["Checkpointed"] < 0.002 * grown["Discrete"]  # about 8 states more, and no pullbacks
    for name in "Discrete", "Interpolating":
        before, middle, after = held[name]
        assert after - middle == pytest.approx(middle - before, rel=0.03) and after > 5 * before


@pytest.mark.slow
def test_compare_prints_tables_and_draws(tmp_path, capsys):
    from odelearn.experiments.compare import compare

    assert compare(out=tmp_path / "figures", quick=True) == 0
    out = capsys.readouterr().out
    assert png(tmp_path / "figures" / "gradients.png")
    for text in ("The spiral", "MLP([2, 50, 2]", "Lorenz, T = 1", "Stiff:", "gradients.png"):
        assert text in out


def test_the_picture_of_a_ledger(tmp_path):
    """A bar for every attempt, a cross for every rejected one; forward alone, or above the backward ledger."""
    from odelearn import plotting

    solver = bosh3(1e-3, 1e-5)
    traj = odesolve(p.z0, p.f, p.ts, p.theta, solver)
    g = odesolve_vjp(p.z0, p.f, p.ts, p.theta, solver, Backsolve(ledger=True))[1](np.ones_like(traj.zs))
    for gradients, ledgers in (None, [traj.ledger]), (g, [traj.ledger, g.stats.ledger]):
        fig = plotting.ledger(traj, gradients)
        assert len(fig.axes) == 1 + len(ledgers)
        for ax, ledger in zip(fig.axes[1:], ledgers, strict=True):
            crosses = [line for line in ax.lines if line.get_marker() == "x"]
            bars = [line for line in ax.lines if line.get_linestyle() == "-"]
            assert len(bars) == len(ledger)
            assert len(crosses) == sum(not attempt.accepted for attempt in ledger) > 0
    with pytest.raises(ValueError, match=r"Backsolve\(ledger=True\)"):
        plotting.ledger(traj, odesolve_vjp(p.z0, p.f, p.ts, p.theta, solver, Backsolve())[1](np.ones_like(traj.zs)))
    plotting.save(fig, tmp_path / "ledger.png")
    assert png(tmp_path / "ledger.png")
