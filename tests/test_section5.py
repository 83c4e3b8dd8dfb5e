"""The experiments of section 5: what they measure is what they say, and their verdicts follow from the numbers."""

import json

import numpy as np
import pytest

from odelearn.datasets import irregular_spirals, latent_spirals
from odelearn.experiments import latent, poisson
from odelearn.experiments.jobs import Job, as_json, run_jobs
from odelearn.models.poisson import draw_events


@pytest.fixture(scope="module")
def short():
    """All methods of seed 0, trained for a few steps."""
    patch = pytest.MonkeyPatch()
    patch.setattr(latent, "STEPS", {False: 6, True: 4})
    patch.setattr(poisson, "STEPS", {False: 4, True: 4})
    yield [
        {"method": method, "seed": 0, **as_json(latent.run(method, 0, full=method == "latent-30", progress=False))}
        for method in latent.METHODS
    ]
    patch.undo()


def result(short, method):
    return next(r for r in short if r["method"] == method)


def test_a_result_is_finite_and_small_enough_for_a_file(short):
    for r in short:
        text = json.dumps(r, allow_nan=False)
        assert len(text) < (250_000 if "theta" in r else 60_000)
    assert [r["method"] for r in short if "theta" in r] == ["latent-30"]  # the long run of seed 0 ships its weights


def test_both_models_have_about_as_many_parameters(short):
    for K in latent.OBSERVATIONS:
        sizes = [result(short, f"{name}-{K}")["parameters"] for name in ("latent", "rnn")]
        assert sizes[0] <= sizes[1] <= 1.06 * sizes[0]


def test_what_is_read_is_chosen_on_the_validation_spirals(short):
    for r in short[:-1]:
        last = r["validation"][-1]
        assert last["step"] == (4 if "theta" in r else 6)
        assert last["rmse"][str(r["read"])] == min(last["rmse"].values())


@pytest.mark.parametrize("name", latent.MODELS)
def test_the_rmse_of_a_perfect_and_of_an_ignorant_forecast(name):
    """Against the spiral without noise, in units of the deviation of what was observed."""
    data = irregular_spirals(np.random.default_rng(0), 30)

    class Told:
        def __init__(self, scale):
            self.scale = scale

        def predict(self, xs, ts, ts_beyond, theta):
            assert xs.shape[1] == ts.shape[1] == 12 and np.array_equal(ts, data.ts[latent.TEST, -12:])
            return self.scale * data.xs_beyond[latent.TEST]

    score = lambda scale: latent.rmse(Told(scale), np.zeros(1), data, latent.TEST, 12)
    assert score(1) == 0
    ignorant = np.sqrt(np.mean(data.xs_beyond[latent.TEST] ** 2)) / data.xs[latent.TRAIN].std()
    assert score(0) == pytest.approx(ignorant) and 1.1 < ignorant < 1.6


def test_the_same_seed_gives_the_same_numbers(short, monkeypatch):
    monkeypatch.setattr(latent, "STEPS", {False: 6, True: 4})
    again = as_json(latent.run("rnn-30", 0, progress=False))
    assert again == {key: value for key, value in result(short, "rnn-30").items() if key not in ("method", "seed")}
    other = as_json(latent.run("rnn-30", 1, progress=False))
    assert other["rmse"] != again["rmse"]


def test_a_longer_run_is_another_job(tmp_path, monkeypatch):
    monkeypatch.setattr(latent, "STEPS", {False: 2, True: 3})
    (first,), _ = run_jobs([Job("latent", "rnn-30", 0)], tmp_path, progress=None)
    (second,), _ = run_jobs([Job("latent", "rnn-30", 0, full=True)], tmp_path, progress=None)
    assert first["validation"][-1]["step"] == 2 and second["validation"][-1]["step"] == 3


def test_the_turns_of_circles(short):
    assert set(latent.rounded(np.array([1.23456]))) == {1.235}
    for K in latent.OBSERVATIONS:
        found = result(short, f"latent-{K}")["interpolation"]
        assert np.shape(found["curves"]) == (9, 60, 2) and len(found["turns"]) == 9
    angle = np.linspace(0, 2 * np.pi, 60)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    assert latent.count_turns(np.stack([circle, circle * [1, -1], 3 * circle])) == pytest.approx([1, -1, 1], abs=0.01)


# ---- the Poisson process


def test_a_kernel_estimate_of_many_sequences_averages_to_the_intensity():
    rng = np.random.default_rng(0)
    rate = lambda t: 10 * (1 + 0.8 * np.sin(t))
    events = [draw_events(rng, rate, poisson.T, 18.0) for _ in range(400)]
    mean = poisson.kernel_estimate(events, 0.3).mean(axis=0)
    inside = slice(30, -30)  # a bump of width s makes the sine smaller by exp(-s^2 / 2), and is bent at the ends
    expected = 10 * (1 + 0.8 * np.exp(-0.5 * 0.3**2) * np.sin(poisson.GRID))
    assert np.abs(mean - expected)[inside].max() < 5 * np.sqrt(18 / (2 * np.sqrt(np.pi) * 0.3) / 400)


def test_the_error_of_an_intensity_is_relative_to_its_integral():
    truth = poisson.true_intensity(10.0, 0.0, poisson.GRID)[np.newaxis]
    assert poisson.error_of(1.2 * truth, truth) == pytest.approx(0.2)
    assert poisson.error_of(0 * truth, truth) == pytest.approx(1)
    constant = poisson.error_of(np.full_like(truth, 10.0), truth)
    assert constant == pytest.approx(0.8 * 2 / np.pi, rel=1e-3)  # the mean of |0.8 sin|


def test_the_posterior_mean_is_what_weighted_draws_from_the_prior_give():
    """Importance sampling, which knows no grid: to 5 of its standard errors."""
    rng = np.random.default_rng(0)
    events = draw_events(rng, lambda t: poisson.true_intensity(9.0, 1.0, t), poisson.T, 18.0)
    levels, phases = rng.uniform(*poisson.LEVELS, (4000, 1)), rng.uniform(0, 2 * np.pi, (4000, 1))
    integral = levels[:, 0] * poisson.T  # the sine goes round twice
    log_weight = np.log(poisson.true_intensity(levels, phases, events)).sum(axis=1) - integral
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    curves = poisson.true_intensity(levels, phases, poisson.GRID)
    mean = weight @ curves
    standard_error = np.sqrt(weight**2 @ (curves - mean) ** 2)
    assert (np.abs(poisson.posterior_mean([events])[0] - mean) < 5 * standard_error).all()
    assert standard_error.max() < 0.1 * mean.mean()


def test_a_stretch_of_events_counts_from_its_start():
    rng, events = np.random.default_rng(0), np.arange(0.05, 12.5, 0.1)
    for _ in range(50):
        cut = poisson.stretch(rng, events, 3.0)
        assert cut.min() >= 0 and cut.max() < 3 and len(cut) in (29, 30, 31)
        np.testing.assert_allclose(np.diff(cut), 0.1)


# ---- what all seeds say


def made_up(latent_rmse, rnn_rmse, turns=(-1.0, -0.4, 0.3, 1.0), error=0.1):
    """Results of two seeds with these numbers."""
    results = []
    for seed in (0, 1):
        for K in latent.OBSERVATIONS:
            common = {"seed": seed, "parameters": 6000, "read": 20}
            results.append(
                {"method": f"latent-{K}", "rmse": latent_rmse[seed], "interpolation": {"turns": turns}, **common}
            )
            results.append({"method": f"rnn-{K}", "rmse": rnn_rmse[seed], **common})
        errors = {"error": error, "error_kernel": 0.2, "error_constant": 0.5, "error_informed": 0.08}
        results.append({"method": "poisson", "seed": seed, **errors})
    return results


def verdicts(*args, **options):
    return [claim.verdict for claim in latent.claims(made_up(*args, **options))]


def test_verdicts_follow_from_the_numbers():
    better, below, both = "holds", "holds", ["holds", "holds"]
    assert verdicts((0.1, 0.11), (0.2, 0.12)) == [better, below] * 3 + both
    assert verdicts((0.1, 0.11), (0.2, 0.105))[0] == "holds weakly"
    assert verdicts((0.1, 0.11), (0.05, 0.06))[::2][:3] == ["does not hold"] * 3
    assert verdicts((0.14, 0.141), (0.5, 0.5))[1:6:2] == ["holds", "holds", "does not hold"]  # 0.1346 is the paper's
    assert verdicts((0.1, 0.1), (0.2, 0.2), error=0.16)[-1] == "does not hold"


@pytest.mark.parametrize("turns", [(-1.0, 0.4, 0.1, 1.0), (1.0, 0.3, -0.4, -1.0), (-0.4, 0.0, 0.4, 1.0), (1, 1, 1, 1)])
def test_an_interpolation_that_turns_back_or_does_not_turn_round_is_none(turns):
    assert verdicts((0.1, 0.1), (0.2, 0.2), turns=turns)[6] == "does not hold"


def test_the_table_has_a_row_for_each_model_and_says_the_papers_numbers():
    text = latent.table(made_up((0.1, 0.12), (0.2, 0.3)))
    assert (
        text.count(" latent ODE ") == 3 and "0.11 +- 0.014 (2 seeds)" in text and "0.1642" in text and "0.3937" in text
    )
    assert "latent ODE 10 %" in text.splitlines()[-2] and "8 %" in text.splitlines()[-1]


def test_figures_are_drawn_also_from_a_part_of_the_methods(short, tmp_path):
    names = lambda results: sorted(path.name for path in latent.draw(results, tmp_path))
    assert names(short) == ["latent.png", "latent_interpolation.png", "latent_spirals.npz", "poisson.png"]
    assert names(short[-1:]) == ["poisson.png"] and names(short[1:2]) == ["latent.png"]
    with np.load(tmp_path / "latent_spirals.npz") as file:
        theta = file["observations_30"]
    assert theta.dtype == np.float32 and theta.size == latent.latent_ode(30).size
    np.testing.assert_allclose(theta, result(short, "latent-30")["theta"], rtol=1e-6)


# ---- the weights that are shipped


@pytest.mark.parametrize("K", latent.OBSERVATIONS)
def test_the_shipped_weights_extrapolate_better_than_the_papers(K):
    """On spirals of another seed than theirs."""
    data, theta = irregular_spirals(np.random.default_rng(99), K, n=1000), latent_spirals(K)
    assert latent.rmse(latent.latent_ode(K), theta, data, latent.TEST, 20) < latent.PAPER["latent"][K]


def test_there_are_weights_for_three_numbers_of_observations():
    with pytest.raises(ValueError, match="there are weights for 30, 50, 100 observations, not for 40"):
        latent_spirals(40)
