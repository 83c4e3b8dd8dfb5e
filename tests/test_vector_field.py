"""The experiment `vector-field` in small: what is measured, told, drawn and claimed."""

import json

import numpy as np
import pytest

from odelearn import MLP, Discrete, check_gradient, grad, odeint, odesolve
from odelearn.__main__ import main
from odelearn.datasets.synthetic import windows
from odelearn.datasets.vector_fields import FIELDS, noisy_trajectories
from odelearn.experiments import field_learning, vector_field
from odelearn.experiments.claims import by_method
from odelearn.experiments.jobs import as_json, result_of
from odelearn.experiments.windows import learn_from_windows
from odelearn.solvers.solver import rk4


@pytest.fixture
def quick(monkeypatch):
    """30 steps of small nets, few trajectories, and an energy over a short time."""
    monkeypatch.setattr(field_learning, "TRAJECTORIES", 4)
    monkeypatch.setattr(field_learning, "OTHERS", 3)
    monkeypatch.setattr(field_learning, "ENERGY_TS", np.linspace(0, 10, 101))
    small = field_learning.NET | {"hidden": [8], "steps": 30, "batch": 2}
    monkeypatch.setattr(field_learning, "NET", small)
    monkeypatch.setattr(field_learning, "CANDIDATES", [small, small | {"hidden": [4], "steps": 60, "length": 6}])


def test_the_command_trains_tells_and_draws(quick, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["vector-field", "--quiet", "--out", "out"]) == 0
    told = capsys.readouterr().out
    for name in FIELDS:
        assert f"{name}, parameters" in told
    assert "energy over 100 time units" in told and "B_22" in told
    for name in ("vector_field.png", "vector_field_energy.png"):
        assert (tmp_path / "out" / name).stat().st_size > 20_000
    files = list((tmp_path / "out/vector-field").iterdir())
    assert len(files) == len(vector_field.METHODS)
    results = [result_of(json.loads(file.read_text())) for file in files]
    error = by_method(results)["pendulum-net"][0]["field_error"]
    assert any(f"{100 * error:.3g} % (1 seed)" == claim.ours for claim in vector_field.claims(results))


@pytest.mark.parametrize("method", ["pendulum-net", "pendulum-form"])
def test_the_same_seed_gives_the_same_numbers_and_another_one_others(quick, method):
    one, two, other = (as_json(vector_field.run(method, seed, progress=False)) for seed in (3, 3, 4))
    assert one == two and one["field_error"] != other["field_error"]


def test_net_and_form_see_the_same_data_and_no_two_parts_are_alike():
    field = FIELDS["pendulum"]
    one, two = field_learning.draw_data(field, 1), field_learning.draw_data(field, 1)
    assert all(np.array_equal(one[part], two[part]) for part in one)
    starts = np.concatenate([one[part][0][0] for part in one])
    assert len(np.unique(starts, axis=0)) == 16 + 8 + 8
    assert len(one["test"][0]) == 101 and len(one["train"][0]) == 51


def test_the_long_run_takes_what_is_best_in_validation(quick):
    result = vector_field.run("pendulum-net", 0, full=True, progress=False)
    errors = [trial["validation_rmse"] for trial in result["tried"]]
    assert len(errors) == 2 and result["validation_rmse"] == min(errors)
    assert result["chosen"] == field_learning.CANDIDATES[int(np.argmin(errors))]


def test_held_out_trajectories_do_not_change_what_is_learned(quick, monkeypatch):
    field = FIELDS["pendulum"]
    data = field_learning.draw_data(field, 0)
    other = data | {"validation": data["test"], "test": tuple(9 + part for part in data["test"])}
    z = np.random.default_rng(0).normal(size=(5, 2))
    (f, _), (g, _) = (field_learning.learn("net", d, 0, False, False) for d in (data, other))
    assert np.array_equal(f(z), g(z))
    (f, _), (g, _) = (field_learning.recover(field, d) for d in (data, other))
    assert np.array_equal(f(z), g(z))


def test_the_true_field_has_no_error_and_half_the_field_has_half():
    """And a field that is half as fast is at t = 20 where the true one is at t = 10."""
    field = FIELDS["pendulum"]
    data = field_learning.draw_data(field, 0)
    true = field_learning.measure_field(field, lambda z: field.f(z, 0.0, field.theta), data)
    assert true["field_error_max"] == 0 and true["rmse_beyond"] < 1e-4
    half = field_learning.measure_field(field, lambda z: field.f(z, 0.0, field.theta) / 2, data)
    z = field_learning.grid(field.box)
    speed = np.linalg.norm(field.f(z, 0.0, field.theta), axis=-1)
    assert half["field_error"] == pytest.approx(0.5 * np.median(speed) / np.sqrt(np.mean(speed**2)), rel=1e-3)
    assert np.allclose(half["paths"][-1], data["test"][0][50, :3, 0], atol=2e-3)
    zs_true, _ = data["test"]
    slow = odesolve(zs_true[0], lambda z, t, theta: field.f(z, t, theta) / 2, field_learning.BEYOND, field.theta).zs
    for key, part in (("rmse_known", slice(0, 51)), ("rmse_beyond", slice(51, 101))):
        assert half[key] == pytest.approx(np.sqrt(np.mean((slow - zs_true)[part] ** 2)), rel=1e-3)
    assert half["relative_beyond"] == pytest.approx(half["rmse_beyond"] / zs_true.std(axis=(0, 1)).mean(), rel=1e-3)


def test_energy_is_measured_by_its_drift_and_its_deviation():
    """Without friction there is neither; with it, nearly all energy is gone at t = 100."""
    field = field_learning.FRICTIONLESS
    data = field_learning.draw_data(field, 0)
    kept = field_learning.measure_energy(field, lambda z: field.f(z, 0.0, field.theta), data)
    assert kept["drift"] < 1e-4 and kept["deviation"] < 1e-4
    lost = field_learning.measure_energy(field, lambda z: field.f(z, 0.0, np.array([1.0, 0.2])), data)
    assert lost["deviation"] == pytest.approx(lost["energy_start"], rel=1e-3)
    assert 0.2 * lost["energy_start"] < lost["drift"] < lost["deviation"]


def test_stretches_end_where_the_next_ones_start():
    zs = np.arange(51 * 2 * 2.0).reshape(51, 2, 2)
    ts, stretches = field_learning.cut(zs, 6)
    assert len(ts) == 6 and stretches.shape == (6, 20, 2)
    assert np.array_equal(stretches[-1, :2], stretches[0, 2:4]) and np.array_equal(stretches[-1, -2:], zs[-1])
    whole = field_learning.cut(zs, 51)[1]
    assert np.array_equal(whole, zs)


def test_the_validation_error_of_the_truth_is_the_noise():
    """The start is noisy too, and so about sqrt(2) times as large; every observation is noise of its own."""
    field = FIELDS["pendulum"]
    data = field_learning.draw_data(field, 0)
    error = field_learning.validation_error(field.f, field.theta, data["validation"][1])
    assert 0.05 < error < 2 * 0.05
    exact = odesolve(data["validation"][0][0], field.f, field_learning.TS, field.theta, rk4(n=1)).zs
    assert field_learning.validation_error(field.f, field.theta, exact) < 1e-12


def fake(method, seed, **numbers):
    name, kind = method.rsplit("-", 1)
    result = {"method": method, "seed": seed, "field": name, "field_error": 0.02, "relative_beyond": 0.05}
    if kind == "form":
        result |= {"theta": [1.0, 2.0], "true": [1.0, 2.1], "standard_errors": [0.1, 0.1]}
    if name == "energy":
        result |= {"drift": 0.001, "deviation": 0.02} if kind == "hamiltonian" else {"drift": 0.1, "deviation": 0.1}
    return result | numbers


def verdicts(results):
    return {claim.claim: claim.verdict for claim in vector_field.claims(results)}


def test_the_verdicts_follow_from_the_numbers():
    results = [fake(method, seed) for method in vector_field.METHODS for seed in range(3)]
    rows = verdicts(results)
    assert len(rows) == 9 and list(rows.values()).count("holds") == 8
    assert (
        rows["a Hamiltonian net's energy has a largest deviation 10 times smaller over 100 time units"]
        == "does not hold"
    )

    def changed(method, seeds, **numbers):
        return [r | numbers if r["method"] == method and r["seed"] in seeds else r for r in results]

    learns, extrapolates = "a net learns the field pendulum from noisy trajectories", "the learned field pendulum extr"
    assert verdicts(changed("pendulum-net", [0], field_error=0.06))[learns] == "holds weakly"
    assert verdicts(changed("pendulum-net", [0, 1, 2], field_error=0.06))[learns] == "does not hold"
    rows = verdicts(changed("pendulum-net", [0, 1, 2], relative_beyond=0.11))
    assert [v for claim, v in rows.items() if claim.startswith(extrapolates)] == ["does not hold"]
    recovered = "with the form known, all parameters are recovered within their standard errors"
    assert verdicts(changed("pendulum-form", [0, 1, 2], theta=[1.0, 2.5]))[recovered] == "does not hold"
    drift = "a Hamiltonian net's energy has a drift 10 times smaller over 100 time units"
    assert verdicts(changed("energy-net", [0, 1, 2], drift=0.0099))[drift] == "does not hold"


@pytest.mark.parametrize("name", FIELDS)
def test_a_short_training_lowers_the_loss_and_its_gradient_is_right(name):
    """60 steps of a small net on windows of noisy trajectories: to a third at least; the loss by the complex step."""
    rng, ts, net = np.random.default_rng(0), np.linspace(0, 4, 21), MLP([2, 16, 2])
    _, zs = noisy_trajectories(rng, FIELDS[name], ts, 8, 0.05)
    options = {"steps": 60, "length": 6, "batch": 4, "rates": (0.05, 0.01), "method": Discrete(), "progress": False}
    thetas, losses = learn_from_windows(net, net.init(rng), ts, zs, rk4(n=1), rng=rng, **options)
    assert np.mean(losses[-5:]) < losses[0] / 3
    z0s, window_ts, targets = windows(rng, ts, zs, 3, 2)
    loss = lambda theta: np.mean((odeint(z0s, net, window_ts, theta, rk4(n=1), Discrete()) - targets) ** 2)
    assert check_gradient(loss, grad(loss), thetas[30])


@pytest.mark.slow
def test_a_training_finds_the_field_and_the_energy():
    """With the default settings: the loss falls 15 times, the field is off by less than 5 %."""
    result = vector_field.run("pendulum-net", 0, progress=False)
    assert result["loss"][-1] < result["loss"][0] / 15 and result["field_error"] < 0.05
    assert vector_field.run("energy-hamiltonian", 0, progress=False)["drift"] < 0.01
