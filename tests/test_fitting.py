"""How a series is learned: members, trials, inputs, hidden states, windows, noise, validation."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import CubicHermiteSpline, PchipInterpolator

from odelearn import Adam, DataWarning, Discrete, check_gradient, dopri5, fit_series, load, odesolve, rk4
from odelearn.__main__ import main
from odelearn.autodiff.tape import grad
from odelearn.fitting.bootstrap import bootstrap_targets
from odelearn.fitting.build import new_training
from odelearn.fitting.forcing import interpolant
from odelearn.fitting.models import model_from
from odelearn.fitting.option_table import defaults
from odelearn.fitting.report import coverage
from odelearn.fitting.series import Series
from odelearn.fitting.sources import series_from
from odelearn.fitting.training import Training

rng = np.random.default_rng(7)
TS = np.linspace(0, 3, 16)
YS = np.stack([np.exp(-0.2 * TS) * np.cos(2 * TS), np.exp(-0.2 * TS) * np.sin(2 * TS)], axis=1)
NOISY = YS + 0.03 * rng.normal(size=YS.shape)


def trials(*parts, inputs=()):
    """The Series of several (ts, ys), or (ts, ys, us), of which nothing is held out."""
    ts, ys, *us = (np.concatenate(column) for column in zip(*parts, strict=True))
    names, labels, lengths = ["y0", "y1"][: ys.shape[1]], list("ABCDE"[: len(parts)]), [len(part[0]) for part in parts]
    us = us[0] if inputs else None
    return Series("test", "t", names, ts, ys, False, [0] * len(parts), list(inputs), us, labels, lengths)


def single(ys=NOISY, **more):
    return Series("test", "t", [f"y{i}" for i in range(ys.shape[1])], TS, ys, False, 0, **more)


def training(series, steps=20, **settings):
    return new_training(series, defaults("set") | {"method": "discrete", "solver": "rk4:n=1"} | settings, steps)


def moved(t, e=None):
    """p a little away from where it begins, so that no gradient is zero by symmetry."""
    p = t.p if e is None else t.p[e]
    return p + 0.1 * np.random.default_rng(3).normal(size=p.shape)


# ---- gradients: every part of the loss against the complex step through the whole solve

OTHER = (np.array([0.0, 0.3, 0.4, 1.1, 2.0]), NOISY[:5] + 0.5)
US = np.column_stack([np.sin(3 * TS), np.cos(TS)])
DRIVEN = [(TS, NOISY, US), (TS + 1, -NOISY, 2 - US), (OTHER[0], OTHER[1], US[:5])]
HOLES = np.where(np.random.default_rng(5).random(NOISY.shape) < 0.2, np.nan, NOISY)
CASES = {
    "hidden": (single(NOISY[:, :1]), {"hidden": 1}),
    "noise": (single(HOLES), {"noise": True}),
    "trials": (trials((TS, NOISY), (TS + 5, NOISY[::-1]), OTHER), {}),
    "inputs": (trials(*DRIVEN, inputs=["u", "v"]), {"interpolation": "hermite", "hidden": 1}),
    "one with inputs": (single(HOLES, inputs=["u"], us=US[:, :1]), {"model": "linear", "noise": True}),
    "windows": (single(), {"window": 6, "batch": 3}),
    "deep": (single(), {"width": 5, "depth": 3, "activation": "softplus"}),
    "counts": (single(np.exp(HOLES)), {"model": "lotka-volterra"}),
}


@pytest.mark.parametrize(("series", "settings"), CASES.values(), ids=CASES)
def test_the_gradient_of_every_kind_of_loss(series, settings):
    t = training(series, **settings)
    report = check_gradient(lambda p: t.loss(p, 16), grad(lambda p: t.loss(p, 16)), moved(t))
    assert report, str(report)
    assert [row.method for row in report.rows] == ["complex step"]


@pytest.mark.parametrize(("series", "settings"), CASES.values(), ids=CASES)
def test_every_member_has_the_loss_and_gradient_that_it_has_alone(series, settings):
    together = training(series, ensemble=3, **settings)
    p = together.p + 0.1 * np.random.default_rng(4).normal(size=together.p.shape)
    g = grad(lambda p: np.sum(together.loss(p, 16)))(p)
    for e in range(3):
        alone = training(series, seed=e, **settings)
        assert np.isclose(together.loss(p, 16)[e], alone.loss(p[e], 16), rtol=1e-12)
        assert np.allclose(g[e], grad(lambda q, t=alone: t.loss(q, 16))(p[e]), rtol=1e-9, atol=1e-11)


OWN = """\
import numpy as np
theta0 = np.array([-0.3, 0.2, 0.1])
def f(z, t, theta{u}):
    return theta[0] * z + theta[1] * np.cos(t){force}
"""


@pytest.mark.parametrize("driven", [False, True])
def test_a_field_for_one_row_is_right_for_trials_members_and_their_own_times(tmp_path, driven):
    """f depends on t, so trials that begin at other times have other fields; f is written for z (D,)."""
    own = tmp_path / "own.py"
    own.write_text(OWN.format(u=", u" if driven else "", force=" + theta[2] * u[0]" if driven else ""))
    series = trials(*DRIVEN, inputs=["u", "v"]) if driven else trials(*[part[:2] for part in DRIVEN])
    settings = {"model": f"{own}:f"}
    t = training(series, **settings)
    assert len(t.groups_of(16)) == 2
    report = check_gradient(lambda p: t.loss(p, 16), grad(lambda p: t.loss(p, 16)), moved(t))
    assert report, str(report)
    ours = together = 0.0
    for k, part in enumerate(DRIVEN):
        one = trials(part, inputs=["u", "v"]) if driven else trials(part[:2])
        alone = training(one, **settings)
        z0, theta = t.split(t.p)
        f = lambda z, time, theta, part=part: theta[0] * z + theta[1] * np.cos(time) + (
            theta[2] * np.interp(time, part[0], part[2][:, 0]) if driven else 0.0
        )  # fmt: skip
        zs = odesolve(z0[k], f, part[0], theta, rk4(n=1)).zs
        ours += np.sum(((zs - part[1]) / series.scale) ** 2)
        assert np.allclose(alone.trajectory(part[0]).zs, zs, rtol=1e-12)
        together += part[1].size
    assert np.isclose(t.loss(t.p, 16), ours / together, rtol=1e-12)
    members = training(series, ensemble=2, **settings)
    assert np.allclose(members.loss(members.p, 16), t.loss(t.p, 16), rtol=1e-12)


# ---- trials


def test_trials_with_the_same_times_are_solved_together_and_others_in_groups():
    parts = [(TS, NOISY), (TS + 100, NOISY), (TS[:9], NOISY[:9]), OTHER, (TS * 1.5, NOISY)]
    t = training(trials(*parts))
    assert sorted(len(group.pieces) for group in t.groups_of(16)) == [1, 1, 1, 2]
    assert sorted(len(group.pieces) for group in t.groups_of(4)) == [1, 1, 3]  # so far, the third is like the first


def test_the_loss_of_trials_is_the_mean_over_all_that_was_observed():
    parts = [(TS, HOLES), (TS + 3, NOISY), OTHER]
    t = training(trials(*parts))
    z0, theta = t.split(t.p)
    total = count = 0
    for k, (ts, ys) in enumerate(parts):
        zs = odesolve(z0[k], t.model.f, ts, theta, rk4(n=1)).zs
        seen = ~np.isnan(ys)
        total += np.sum((((zs - ys) / t.series.scale)[seen]) ** 2)
        count += seen.sum()
    assert np.isclose(t.loss(t.p, 16), total / count, rtol=1e-12)


def test_a_trial_forecasts_as_it_would_alone():
    t = training(trials((TS, NOISY), (TS + 3, -NOISY), OTHER))
    for k in range(3):
        ts = t.series.trials[k].ts
        zs = odesolve(t.split(t.p)[0][k], t.model.f, ts, t.split(t.p)[1], rk4(n=1)).zs
        assert np.allclose(t.forecast(ts, k), zs, rtol=1e-13) and np.allclose(t.predictions_of(k), zs, rtol=1e-13)
    assert t.predictions().shape == (37, 2)


def test_each_trial_holds_out_its_own_fifth_and_its_own_rows_for_validation(tmp_path):
    rows = [f"{who},{t},{t * t}" for who, T in (("A", 20), ("B", 7)) for t in range(T)]
    (tmp_path / "two.csv").write_text("who,t,x\n" + "\n".join(rows) + "\n")
    series = series_from(tmp_path / "two.csv", series="who", validate=0.25)
    assert series.time == "t" and series.hold_out == [4, 1] and series.held_out == 5
    assert [(trial.learned, trial.rows) for trial in series.trials] == [(12, 16), (4, 6)]
    assert series.learned.sum() == 16 and np.isclose(series.mean, np.mean([t * t for t in [*range(12), *range(4)]]))


# ---- inputs

KNOTS = np.array([0.0, 0.5, 0.7, 1.6, 2.0])
HEIGHTS = np.array([1.0, -1.0, 0.5, 2.0, 0.0])


def test_hermite_s_slopes_are_backward_differences():
    """SciPy draws the same cubic through these slopes."""
    slopes = np.diff(HEIGHTS) / np.diff(KNOTS)
    reference = CubicHermiteSpline(KNOTS, HEIGHTS, np.append(slopes[:1], slopes))
    u = interpolant("hermite", KNOTS, HEIGHTS)
    for t in np.linspace(0, 2, 101):
        assert u(t) == pytest.approx(reference(t), abs=1e-13)


def test_hermite_looks_no_further_than_the_end_of_its_interval():
    later = HEIGHTS.copy()
    later[3:] = [9.0, -9.0]
    one, two = interpolant("hermite", KNOTS, HEIGHTS), interpolant("hermite", KNOTS, later)
    assert all(one(t) == two(t) for t in np.linspace(0, 0.7, 20)) and one(0.71) != two(0.71)


def test_the_other_kinds():
    assert interpolant("linear", KNOTS, HEIGHTS)(0.6) == pytest.approx(-0.25)
    assert interpolant("pchip", KNOTS, HEIGHTS)(1.3) == pytest.approx(PchipInterpolator(KNOTS, HEIGHTS)(1.3))
    for kind in ("linear", "hermite", "pchip", "akima", "cubic"):
        u = interpolant(kind, KNOTS, HEIGHTS)
        assert [u(t) for t in KNOTS] == pytest.approx(HEIGHTS, abs=1e-12) and (u(-5.0), u(7.0)) == pytest.approx((1, 0))
        assert interpolant(kind, KNOTS[:1], HEIGHTS[:1])(0.3) == 1.0


def test_without_scipy_its_kinds_say_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scipy", None)
    with pytest.raises(ImportError, match="interpolation = 'pchip' .* needs SciPy: pip install scipy"):
        interpolant("pchip", KNOTS, HEIGHTS)
    assert interpolant("hermite", KNOTS, HEIGHTS)(0.5) == -1.0


def test_what_an_input_does_is_learned():
    """dy/dt = -y + u(t), two trials with other inputs; the linear model holds it exactly."""
    parts = []
    for phase in (0.0, 1.0):
        u = lambda t, phase=phase: np.sin(3 * t + phase)
        zs = odesolve([0.5], lambda z, t, theta, u=u: -z + u(t), TS, solver=dopri5(1e-9, 1e-9)).zs
        parts.append((TS, zs, u(TS)[:, np.newaxis]))
    t = training(trials(*parts, inputs=["u"]), 300, model="linear", interpolation="hermite", lr=0.05)
    assert t.learn(300, progress=False) and t.history[-1] < 1e-3
    without = training(trials(*[part[:2] for part in parts]), 300, model="linear", lr=0.05)
    assert without.learn(300, progress=False) and without.history[-1] > 0.1
    f, theta = t.field(0), t.split(t.chosen)[1]
    slope_in_z = f(np.array([1.0]), 0.4, theta) - f(np.array([0.0]), 0.4, theta)
    assert slope_in_z[0] == pytest.approx(-1.0, abs=0.1)


def test_missing_inputs_are_bridged(tmp_path):
    us = US[:, :1].copy()
    us[[0, 4, 5]] = np.nan
    t = training(single(inputs=["u"], us=us), model="linear")
    inputs = t.grouping.field(t.series.trials, np.zeros(1)).net.u
    seen = ~np.isnan(us[:, 0])
    assert inputs.raw(TS[4])[0, 0] == pytest.approx(np.interp(TS[4], TS[seen], us[seen, 0]))
    assert np.isfinite(t.loss(t.p, 16))


# ---- ensembles


def test_members_learn_as_they_would_alone_until_they_get_their_own_data():
    """Member e begins from seed + e. The bootstrap comes at 60 % of the steps planned: here after the 12 made."""
    together = training(single(), 20, ensemble=3, seed=5)
    assert together.learn(12, progress=False) and together.own_targets is None
    for e in range(3):
        alone = training(single(), 20, seed=5 + e)
        assert alone.learn(12, progress=False)
        assert np.allclose(together.p[e], alone.p, rtol=1e-8, atol=1e-10)
    first = [alone.loss(alone.p, 4) for alone in (training(single(), seed=5 + e) for e in range(3))]
    assert np.isclose(together.history[0], np.mean(first), rtol=1e-12)


def test_bootstrapped_data_are_the_median_curve_with_residuals_drawn_anew():
    t = training(single(HOLES), ensemble=4)
    targets = bootstrap_targets(t, t.p)
    fitted = np.median(t.member_predictions(), axis=1)
    residuals = HOLES - fitted
    residuals = residuals - np.nanmean(residuals, axis=0)
    assert targets.shape == (4, 16, 2) and not np.allclose(targets[0], targets[1])
    for drawn in targets - fitted:
        for column, known in zip(drawn.T, residuals.T, strict=True):
            distance = np.abs(column[:, np.newaxis] - known[~np.isnan(known)])
            assert distance.min(axis=1).max() < 1e-12
    assert np.array_equal(targets, bootstrap_targets(t, t.p))


def test_the_members_spread_is_that_of_the_noise():
    """A model that holds the truth, p numbers and n rows with noise of deviation s: the spread of the curves is s
    sqrt(p / n), once they have settled; the residuals have lost as much. Both have the accuracy of 20 members."""
    ts, n, s = np.linspace(0, 3, 31), 31, 0.05
    ys = np.exp(-0.5 * ts)[:, np.newaxis] + s * np.random.default_rng(1).normal(size=(n, 1))
    settings = dict(steps=800, lr=0.1, lr_schedule="cosine", method="discrete", solver="rk4:n=1")
    model = fit_series((ts, ys), model="linear", ensemble=20, hold_out=0, quiet=True, **settings)
    members = model.training.member_predictions()[:, :, 0]
    assert np.sqrt(np.mean(members.var(axis=1))) == pytest.approx(s * np.sqrt(3 / n), rel=0.3)
    assert model.training.noise_scale()[0] == pytest.approx(s, rel=0.25)
    half, most, count = coverage(model.training)["in sample"]
    assert count == n and 0.3 < half / n < 0.7 and most / n > 0.8


BLOW_UP = """\
import numpy as np
theta0 = [0.1]
def f(z, t, theta):
    return theta[0] * z * z
"""


def test_a_member_that_diverges_is_left_out_and_named(tmp_path, capsys, monkeypatch):
    """dz/dt = theta z^2 from z0 = 1 ends at t = 1 / theta: one member begins with theta = 3."""
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(BLOW_UP)
    Path("my.csv").write_text("t,z\n" + "".join(f"{t},{1 / (1 - 0.1 * t):.5f}\n" for t in np.linspace(0, 3, 16)))
    monkeypatch.setattr("odelearn.fitting.fit.draw", lambda *_: None)
    first_p = Training.first_p

    def one_diverges(self):
        p = first_p(self)
        p[1, -1] = 3.0
        return p

    monkeypatch.setattr(Training, "first_p", one_diverges)
    assert main(["fit", "my.csv", "--model", "own.py:f", "--ensemble", "3", "--steps", "30"]) == 0
    out = capsys.readouterr().out
    assert "not finite: member 1 at step " in out and "f (2 members of 2 numbers)" in out
    model = load("odelearn-out/my.npz", trust=True)
    assert model.theta.shape == (2, 1) and np.allclose(model.theta, 0.1, atol=0.05)
    assert np.isfinite(model(np.array([1.0, 3.0]), bands=True)).all()
    assert main(["fit", "--resume", "odelearn-out/my.npz", "--steps", "2", "--trust"]) == 0
    assert "member 1 at step " in capsys.readouterr().out


def test_a_member_that_diverges_in_the_forecast_is_left_out_there(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(BLOW_UP)
    times = np.append(np.linspace(0, 3, 12), [8.0, 9.0])
    Path("my.csv").write_text("t,z\n" + "".join(f"{t},{1 / (1 - 0.1 * t):.5f}\n" for t in times))
    monkeypatch.setattr("odelearn.fitting.fit.draw", lambda *_: None)
    first_p = Training.first_p
    monkeypatch.setattr(Training, "first_p", lambda self: first_p(self) + [[0, 0], [0, 0.06], [0, 0]])
    options = ["--model", "own.py:f", "--ensemble", "3", "--hold-out", "2", "--lr", "1e-9", "--steps", "1"]
    assert main(["fit", "my.csv", *options, "--solver", "dopri5"]) == 0
    assert "In the rows held out member 1 diverged; the bands there are those of the others." in capsys.readouterr().out


# ---- validation


def test_validation_keeps_the_best_parameters_and_never_trains_on_its_rows():
    other = NOISY.copy()
    other[-4:] += 3.0
    one, two = training(single(validate=0.25), 60), training(single(other, validate=0.25), 60)
    one.learn(60, progress=False), two.learn(60, progress=False)
    assert np.array_equal(one.p, two.p) and one.history == two.history
    looks = one.validation.history
    assert one.validation.best_loss[0] == min(looks.values()) == looks[one.validation.best_step[0]]
    assert min(looks) >= 30 and list(looks) == [30, 40, 50, 60]
    zs = one.predictions()[12:]
    assert np.isclose(np.mean(((zs - NOISY[12:]) / one.series.scale) ** 2), one.validation.best_loss[0], rtol=1e-12)


def test_a_training_that_gets_no_better_ends_early(tmp_path, capsys, monkeypatch):
    """Rows for validation that nothing can fit: they jump to the other side."""
    ys = NOISY.copy()
    ys[-4:] *= -8
    t = training(single(ys, validate=0.25), 400, lr=0.05)
    assert t.learn(400, progress=False)
    assert 200 < len(t.history) < 400 and len(t.history) - t.validation.best_step[0] == 100


def test_each_member_keeps_its_own_best():
    t = training(single(validate=0.25), 80, ensemble=3, lr=0.05)
    t.learn(80, progress=False)
    assert np.allclose(t.validation.loss(t.validation.best_p), t.validation.best_loss, rtol=1e-12)
    assert np.array_equal(t.chosen, t.validation.best_p)


SETTINGS = [
    [
        "--ensemble",
        "3",
        "--validate",
        "0.25",
        "--noise",
        "--lr-schedule",
        "cosine",
        "--weight-decay",
        "0.1",
        "--clip",
        "2",
    ],
    ["--window", "5", "--batch", "3", "--validate", "0.3"],
    ["--ensemble", "3"],
]


@pytest.mark.parametrize("options", SETTINGS, ids=["ensemble with validation", "windows", "ensemble"])
@pytest.mark.parametrize("stop", [4, 14, 17])
def test_stopped_and_resumed_has_the_bits_of_never_stopped(tmp_path, monkeypatch, capsys, options, stop):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("odelearn.fitting.fit.draw", lambda *_: None)
    np.savetxt("my.csv", np.c_[TS, NOISY], delimiter=",", header="t,x,y", comments="")
    command = ["fit", "my.csv", "--steps", "20", *options]
    assert main([*command, "--out", "straight"]) == 0
    step, calls = Adam.step, itertools.count(1)

    def interrupted(self, p, g):
        if next(calls) == stop:
            raise KeyboardInterrupt
        return step(self, p, g)

    with monkeypatch.context() as patch:
        patch.setattr(Adam, "step", interrupted)
        assert main([*command, "--out", "stopped"]) == 130
    assert len(load("stopped/my.npz").history) == stop - 1
    assert main(["fit", "--resume", "stopped/my.npz"]) == 0
    assert Path("stopped/my.npz").read_bytes() == Path("straight/my.npz").read_bytes()


# ---- the steps


def test_the_cosine_falls_from_the_rate_to_a_hundredth():
    t = training(single(), 100, lr=0.02, lr_schedule="cosine")
    rates = [t.opt.lr(n) for n in range(150)]
    assert rates[0] == 0.02 and rates[50] == pytest.approx(0.02 * 0.505) and rates[100] == pytest.approx(2e-4)
    assert (np.diff(rates[:101]) < 0).all() and rates[100:] == [rates[100]] * 50


def test_weight_decay_shrinks_theta_and_nothing_else():
    t = training(single(), weight_decay=0.5, noise=True, lr=0.1)
    p, zero = moved(t), np.zeros_like(t.p)
    x0, theta, log_s = np.split(p, [2, -2])
    assert np.allclose(t.opt.step(p, zero), np.concatenate([x0, theta * (1 - 0.1 * 0.5), log_s]), rtol=1e-13)


def test_each_window_comes_once_an_epoch_and_its_loss_is_that_of_its_own_rows():
    t = training(single(HOLES), window=5, batch=4)
    whole = [i for i in range(12) if not np.isnan(HOLES[i]).any()]
    batches = -(-len(whole) // 4)
    for epoch in range(2):
        seen = [
            piece.first for i in range(batches) for group in t.groups_at(epoch * batches + i) for piece in group.pieces
        ]
        assert sorted(seen) == whole
    groups = t.groups_at(1)
    total = count = 0
    for piece in (piece for group in groups for piece in group.pieces):
        rows = slice(piece.first, piece.first + 5)
        zs = odesolve(HOLES[piece.first], t.model.f, TS[rows], t.split(t.p)[1], rk4(n=1)).zs
        seen = ~np.isnan(HOLES[rows])
        total += np.sum((((zs - HOLES[rows]) / t.series.scale)[seen]) ** 2)
        count += seen.sum()
    assert np.isclose(t.loss_of(groups, t.p), total / count, rtol=1e-10)


def test_more_than_two_thousand_rows_are_learned_from_windows():
    ts = np.arange(2600.0)
    series = Series("long", "t", ["x"], ts, np.sin(ts)[:, np.newaxis], False, 500)
    t = training(series)
    assert t.window == 50 and t.rows_at(0) == 50 and len(t.places) == 2100 - 49
    assert training(series, window=0).window == 0
    short = Series("short", "t", ["x"], ts[:2500], np.sin(ts[:2500])[:, np.newaxis], False, 500)
    assert training(short).window == 0
    predictions = t.predictions()
    assert np.array_equal(predictions[::50], series.zs[::50])  # each begins at what was observed


def test_the_noise_that_was_there_is_learned():
    """By maximum likelihood the variance is that of what is left, for each column its own."""
    ts = np.linspace(0, 3, 51)
    truth, sigma = np.stack([np.exp(-ts), np.exp(-0.3 * ts)], axis=1), np.array([0.02, 0.1])
    ys = truth + sigma * np.random.default_rng(2).normal(size=truth.shape)
    settings = dict(steps=300, lr=0.03, lr_schedule="cosine", method="discrete", solver="rk4:n=1", quiet=True)
    t = fit_series((ts, ys), model="linear", noise=True, hold_out=0, **settings).training
    left = np.sqrt(np.mean((t.predictions() - ys) ** 2, axis=0))
    assert np.allclose(t.noise_scale(), left, rtol=0.02) and np.allclose(t.noise_scale(), sigma, rtol=0.25)


def test_hidden_states_let_an_angle_swing():
    """A second-order equation seen by its angle alone: of one state the best field is a point of rest."""
    ys = np.cos(2 * TS)[:, np.newaxis]
    scores = []
    for hidden in (0, 1):
        model = fit_series((TS, ys), hidden=hidden, model="linear", hold_out=4, steps=400, lr=0.03, quiet=True)
        left = (model(TS) - ys)[12:]
        scores.append(1 - np.sum(left**2) / np.sum((ys[12:] - ys[12:].mean()) ** 2))
    assert scores[0] < 0 and scores[1] > 0.9
    assert model.field(np.zeros(2), 0.0).shape == (2,)


@pytest.mark.slow
def test_the_pendulum_by_its_angle_alone():
    ts = np.linspace(0, 10, 200)
    f = lambda z, t, theta: np.stack([z[1], -4 * np.sin(z[0]) - 0.15 * z[1]])
    ys = odesolve([1.5, 0.0], f, ts, solver=dopri5(1e-9, 1e-9)).zs[:, :1]
    ys = ys + 0.02 * np.random.default_rng(0).normal(size=ys.shape)
    scores = []
    for hidden in (0, 1):
        model = fit_series((ts, ys), hidden=hidden, quiet=True)
        left = (model(ts) - ys)[160:]
        scores.append(1 - np.sum(left**2) / np.sum((ys[160:] - ys[160:].mean()) ** 2))
    assert scores[0] < 0.1 and scores[1] > 0.9


def test_the_same_seed_gives_the_same_numbers():
    for settings in ({"ensemble": 3}, {"window": 6, "batch": 3}, {"hidden": 1}):
        one, two, three = (fit_series((TS, NOISY), steps=15, quiet=True, seed=s, **settings) for s in (1, 1, 2))
        assert np.array_equal(one.theta, two.theta) and not np.array_equal(one.theta, three.theta)


def test_a_sentinel_is_pointed_out():
    ys = NOISY.copy()
    ys[5, 0] = -999
    with pytest.warns(
        DataWarning, match=r"row 5, column 'y1': -999 stands in 1 cell, far from all others .* \(--na=-999\)"
    ):
        series_from((TS, ys))
    assert len(model_from("mlp", single(), [np.random.default_rng(e) for e in range(2)]).theta0) == 2
    assert isinstance(training(single()).method, Discrete)
