"""The experiment `flow`: trainings that learn, the same numbers for the same seed, claims that follow the numbers."""

import json

import numpy as np
import pytest
from PIL import Image

from odelearn import TrainingStopped, rk4
from odelearn.experiments import density_matching, flow, flow_cost, flow_likelihood
from odelearn.experiments.claims import VERDICTS
from odelearn.models.flow import log_density, with_log_density
from odelearn.models.planar import PlanarField
from odelearn.plotting import flow as pictures


@pytest.fixture
def short(monkeypatch):
    """Few iterations, few points."""
    monkeypatch.setattr(flow_likelihood, "ROWS", {"train": 400, "validation": 50, "test": 60})
    for how in flow_likelihood.TRAININGS.values():
        monkeypatch.setitem(how, "iterations", 3)
    settings = density_matching.settings
    monkeypatch.setattr(density_matching, "settings", lambda *a: {**settings(*a), "iterations": 3})
    monkeypatch.setattr(flow_likelihood, "entropy", lambda log_p, half_width: 1.6)
    monkeypatch.setattr(flow_likelihood, "GRID", 8)
    monkeypatch.setattr(density_matching, "SAMPLES", 500)
    monkeypatch.setattr(density_matching, "lowest_loss", lambda potential: -2.0)
    monkeypatch.setattr(density_matching, "stratified_normal", lambda n: np.random.default_rng(0).normal(size=(50, 2)))
    monkeypatch.setattr(flow_cost, "TRACE_WIDTHS", (8, 16))
    monkeypatch.setattr(flow_cost, "DETERMINANT_WIDTHS", (8, 16))


@pytest.mark.parametrize("kind", ["cnf", "nf"])
def test_density_matching_learns(kind, monkeypatch):
    """In 200 iterations the divergence from U2 falls to less than half of what it was."""
    settings = density_matching.settings
    divergence = []
    for iterations in 1, 200:
        monkeypatch.setattr(density_matching, "settings", lambda *a, n=iterations: {**settings(*a), "iterations": n})
        result = density_matching.match(kind, "U2", 8, seed=0, progress=False)
        divergence.append(result["loss"] - result["floor"])
    assert 0 < divergence[1] < divergence[0] / 2


@pytest.mark.parametrize(
    ("kind", "iterations", "factor"), [("likelihood", 200, 2), ("penalised", 200, 2), ("matching", 1000, 1.4)]
)
def test_points_are_learned(kind, iterations, factor):
    """The nats above the true density fall by this factor in a short training, judged by finer steps than its own."""
    x = flow_likelihood.draw_points("moons", np.random.default_rng(0), 500)
    field, how = PlanarField(16), {"solver": 4, "lr": 0.03, "lambda": 0.01}
    above = []
    for n in 1, iterations:
        rng = np.random.default_rng(1)
        theta, history = flow_likelihood.train_field(kind, {**how, "iterations": n}, field, x, rng, progress=False)
        assert len(history) == n
        log_p = log_density(x, with_log_density(field), theta, solver=rk4(n=16))
        above.append(np.mean(flow_likelihood.log_true_density("moons", x) - log_p))
    assert 0 < above[1] < above[0] / factor


def test_the_same_seed_gives_the_same_numbers(short):
    """Whatever is measured, save the time it took; and another seed gives others."""
    for method in "cnf-U4-2", "nf-params-U1-8", "matching-moons", "penalised-circles":
        first, again, other = (flow.run(method, seed, progress=False) for seed in (3, 3, 4))
        same = {key for key in first if first[key] == again[key]}
        assert same >= first.keys() - {"train_seconds"}
        assert first != {**other, "train_seconds": first["train_seconds"]}
        json.dumps(first)


def all_results(methods):
    return [{"method": method, "seed": 0, **flow.run(method, 0, progress=False)} for method in methods]


def test_the_table_and_the_claims_of_a_whole_experiment(short):
    """Every method runs, and what it returns is what they ask for."""
    results = all_results(flow.METHODS)
    text = flow.table([*results, {**results[0], "seed": 1}])
    assert all(f"{r['loss']:.3f} (" in text for r in results if "loss" in r)
    assert all(f"{r['test']:.3f}" in text for r in results if "test" in r)
    rows = flow.claims(results)
    assert len(rows) == 16 and all(row.verdict in VERDICTS for row in rows)


@pytest.mark.slow
def test_the_figures_of_a_whole_experiment(short, tmp_path):
    files = flow.draw(all_results(flow.METHODS), tmp_path)
    assert [path.name for path in files] == ["flow_targets.png", "flow_paths.png", "flow_costs.png", "flow.gif"]
    assert all(path.stat().st_size > 10_000 for path in files)


def test_the_pictures_draw_what_they_are_given(tmp_path):
    square, rng = np.eye(6), np.random.default_rng(0)
    learned = {"two moons": (rng.normal(size=(3, 10, 2)), square)}
    figures = [
        pictures.matched({"U1": square}, {"U1": {"CNF": (square, -1.5), "NF": (square, -1.0)}}, 4.0),
        pictures.flows(learned, times=(0, 2)),
        pictures.costs(
            {"CNF": ((2, 8), (-1.0, -1.5))}, -1.9, {"a": (None, 0.1), "b": (0.1, 0.2)}, {"trace": ((2, 4), (1, 2), 1.0)}
        ),
    ]
    assert [len(figure.axes) for figure in figures] == [3, 3, 3]
    assert "-1.50" in figures[0].axes[1].get_title() and "100 %" in figures[1].axes[1].get_title()
    for figure in figures:
        figure.draw_without_rendering()
    pictures.flow_film(learned, tmp_path / "flow.gif", fps=1)
    with Image.open(tmp_path / "flow.gif") as gif:
        assert gif.n_frames == 5  # there and back; a rest is one frame that is shown longer


def verdicts(changes):
    """{claim: verdict} for made-up results in which every claim holds, with the changes {method: {key: value}}."""
    learned = {
        "test": 1.65,
        "true": 1.6,
        "entropy": 1.6,
        "evaluations": 80,
        "evaluations_sampling": 80,
        "claimed": 1.651,
    }
    learned |= {"round_trip": 1e-5, "train_seconds": 10.0}
    made_up = {m: {"loss": -1.0 - m.startswith("cnf"), "train_seconds": 1.0} for m in flow.MATCHED}
    made_up |= {m: dict(learned) for m in flow.LEARNED}
    made_up["penalised-circles"] |= {"evaluations": 30}
    made_up["matching-moons"] |= {"train_seconds": 5.0}
    made_up["cost"] = {"trace_slope": 1.0, "determinant_slope": 2.6}
    results = [{"method": m, "seed": 0, **r, **changes.get(m, {})} for m, r in made_up.items()]
    return {row.claim: row.verdict for row in flow.claims(results)}


def test_claims_hold_where_the_numbers_say_so():
    assert set(verdicts({}).values()) == {"holds"}


@pytest.mark.parametrize(
    ("method", "change", "words"),
    [
        ("nf-U1-8", {"loss": -2.5}, "U1 better than a planar NF at M = K and equal iterations"),
        ("nf-time-U4-2", {"loss": -2.1}, "U4 better than a planar NF at M = K and about equal time"),
        ("nf-params-U2-32", {"loss": -2.1}, "U2 better than a planar NF at equal numbers of parameters"),
        ("likelihood-circles", {"test": 1.8}, "learns two circles"),
        ("likelihood-moons", {"evaluations_sampling": 130}, "sampled at about the cost"),
        ("coarse-moons", {"claimed": 1.5}, "can be trusted"),
        ("penalised-circles", {"evaluations": 41}, "halve the evaluations"),
        ("penalised-circles", {"test": 1.71}, "halve the evaluations"),
        ("matching-moons", {"train_seconds": 11.0}, "Flow matching"),
        ("matching-moons", {"test": 1.71}, "Flow matching"),
        ("cost", {"trace_slope": 1.3}, "linearly with the width"),
        ("cost", {"determinant_slope": 1.9}, "linearly with the width"),
    ],
)
def test_and_do_not_hold_where_they_do_not(method, change, words):
    """Exactly the claim that rests on the number changes its verdict."""
    fallen = [claim for claim, verdict in verdicts({method: change}).items() if verdict == "does not hold"]
    assert len(fallen) == 1 and words in fallen[0]


def test_a_training_that_diverges_says_so_and_keeps_what_was_good(short, monkeypatch):
    monkeypatch.setitem(flow_likelihood.TRAININGS["likelihood"], "lr", 1e39)
    monkeypatch.setitem(flow_likelihood.TRAININGS["likelihood"], "iterations", 50)
    with pytest.raises(TrainingStopped, match=r"step \d+ of 50 failed with .*smaller lr") as stopped:
        flow_likelihood.learn("likelihood", "moons", 0, progress=False)
    assert np.isfinite(stopped.value.theta).all() and len(stopped.value.history) >= 1
