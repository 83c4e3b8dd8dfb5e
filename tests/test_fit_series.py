"""fit_series, load and FittedModel: what was learned, used from Python, in the units of the data."""

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest

import odelearn
from odelearn import DataError, FittedModel, TrainingStopped, fit_series, load, rk4
from odelearn.fitting.options import UsageError
from odelearn.fitting.store import save_model

HERE = Path(__file__).parent
TS = np.linspace(0, 4, 26)
YS = np.stack([np.exp(-0.3 * TS) * np.cos(TS), np.exp(-0.3 * TS) * np.sin(TS)], axis=1)
POSITIVE = np.exp(YS)
FEW = {"steps": 4, "quiet": True}


def csv_of(path, ts, ys, names="t,x,y"):
    np.savetxt(path, np.column_stack([ts, ys]), delimiter=",", header=names, comments="")
    return path


class Frame:
    """What fit_series needs to know of a DataFrame."""

    def __init__(self, columns):
        self.columns, self.values = list(columns), np.array(list(columns.values()), dtype=object).T

    def to_numpy(self):
        return self.values


# ---- sources


def test_a_path_arrays_and_a_frame_are_one_series(tmp_path):
    """The same numbers, and so the same bits."""
    frame = Frame({"t": TS, "x": YS[:, 0], "note": ["text"] * 26, "y": YS[:, 1]})
    path = tmp_path / "series.csv"
    path.write_text("t,x,y\n" + "".join(f"{t!r},{x!r},{y!r}\n" for t, (x, y) in zip(TS.tolist(), YS.tolist())))  # noqa: B905
    models = [fit_series(source, **FEW) for source in (path, str(path), (TS, YS), frame)]
    for model in models[1:]:
        assert np.array_equal(model.theta, models[0].theta) and model.history == models[0].history
    assert models[3].columns == ["x", "y"] and models[2].columns == ["y1", "y2"]


def test_missing_values_of_every_kind_are_missing():
    holes = Frame({"t": TS, "x": [None, *YS[1:, 0]], "y": [float("nan"), *YS[1:, 1]]})
    ys = YS.copy()
    ys[0] = np.nan
    one, two = fit_series(holes, **FEW), fit_series((TS, ys), **FEW)
    assert np.array_equal(one.theta, two.theta)


def test_a_data_frame_of_pandas_may_come_with_its_own_missing_values_and_times():
    pandas = pytest.importorskip("pandas")
    days = pandas.date_range("2020-01-30", periods=26, freq="12h")
    frame = pandas.DataFrame({"day": days, "x": YS[:, 0], "y": pandas.array(YS[:, 1], dtype="Float64")})
    frame.loc[3, "y"] = pandas.NA
    model = fit_series(frame, **FEW)
    assert model.columns == ["x", "y"] and np.isfinite(model(np.array([1.0]))).all()
    assert model.time_of("2020-02-01") == 2.0


def test_arrays_get_names_and_inputs():
    us = np.sin(TS)
    model = fit_series((TS, np.column_stack([YS, us])), columns=["a", "b"], input=["u"], **FEW)
    assert model.columns == ["a", "b"] and model.training.series.inputs == ["u"]


def test_a_list_is_several_series(tmp_path):
    """Files by their names, each a trial of its own; trials of a column too."""
    one, two = csv_of(tmp_path / "one.csv", TS, YS), csv_of(tmp_path / "two.csv", TS[:20] + 1, -YS[:20])
    model = fit_series([one, two], **FEW)
    assert model.labels == ["one", "two"] and model(TS, series="two").shape == (26, 2)
    rows = [f"{label},{t},{x},{y}" for label, sign in (("A", 1), ("B", -1)) for t, (x, y) in zip(TS, sign * YS)]  # noqa: B905
    (tmp_path / "both.csv").write_text("who,t,x,y\n" + "\n".join(rows) + "\n")
    both = fit_series(tmp_path / "both.csv", series="who", **FEW)
    assert both.labels == ["A", "B"]
    with pytest.raises(ValueError, match="series must be one of A, B, got None"):
        both(TS)


# ---- the fitted model


@pytest.fixture(scope="module")
def plain():
    return fit_series((TS, POSITIVE), log=True, hold_out=5, steps=60, lr=0.05, quiet=True)


@pytest.fixture(scope="module")
def ensemble():
    return fit_series((TS, POSITIVE), log=True, hold_out=5, ensemble=6, steps=60, lr=0.05, quiet=True)


def test_the_forecast_is_the_solution_of_the_field(plain):
    """Solved by another method, in the units of the data, from where the model begins: dy/dt = field(y, t)."""
    start = plain(TS[:1])[0]
    f = lambda y, t, theta: plain.field(y, t)
    exact = odelearn.odesolve(start, f, TS, solver=odelearn.dopri5(1e-9, 1e-9)).zs
    assert np.abs(plain(TS) - exact).max() < 1e-5
    assert np.abs(plain.predict(start, TS) - exact).max() < 1e-5


def test_the_field_is_that_of_a_logarithm(plain):
    """dy/dt = y d(log y)/dt, for any leading axes."""
    y = np.array([[1.2, 0.7], [0.9, 2.0], [3.0, 0.4]])
    f, theta = plain.training.model.f, plain.theta
    expected = [row * f(np.log(row), 0.5, theta) for row in y]
    assert np.allclose(plain.field(y, 0.5), expected, rtol=1e-13)
    assert np.array_equal(plain.field(y[0], 0.5), plain.field(y, 0.5)[0])
    with pytest.raises(ValueError, match="must be positive"):
        plain.field(-y, 0.5)
    with pytest.raises(ValueError, match=r"z must have 2 components as its last axis, y1, y2; got \(3,\)"):
        plain.field(np.ones(3), 0.5)


def test_times_come_in_any_order_and_from_before_the_data(plain):
    mixed = np.array([3.0, -1.0, 0.0, 7.5, -0.2, 0.0])
    alone = [plain(np.array([t]))[0] for t in mixed]
    assert np.allclose(plain(mixed), alone, rtol=1e-6)
    assert plain(2.0).shape == (1, 2)
    with pytest.raises(ValueError, match="finite times"):
        plain(np.array([0.0, np.nan]))


def test_another_start_is_another_trajectory(plain):
    """Backwards in time from where a forward one ended it comes back."""
    there = plain.predict([1.5, 1.5], np.linspace(0, 2, 41))
    back = plain.predict(there[-1], np.linspace(2, 0, 41))
    assert np.allclose(back[-1], [1.5, 1.5], rtol=1e-6)


def test_what_it_says_of_itself(plain, ensemble):
    assert "Neural ODE" in repr(plain) and "y1, y2" in repr(plain) and "60 steps" in repr(plain)
    assert "6 members of 84 numbers" in repr(ensemble)
    assert plain.theta.shape == (82,) and ensemble.theta.shape == (6, 82) and len(plain.history) == 60
    assert isinstance(plain, FittedModel)


def test_its_report_and_its_figure_are_those_of_the_command(plain, ensemble):
    assert plain.report().splitlines()[1].startswith("Neural ODE (84 numbers)") and "band" not in plain.report()
    assert "held out: the 50 % band holds" in ensemble.report()
    assert ensemble.figure().axes[-1].get_ylabel() == "loss"


def test_a_fitted_model_can_be_copied(ensemble):
    for copied in (pickle.loads(pickle.dumps(ensemble)), copy.deepcopy(ensemble)):
        assert np.array_equal(copied(TS, bands=True), ensemble(TS, bands=True))


def test_what_is_saved_is_loaded(tmp_path, plain, ensemble):
    for model in (plain, ensemble):
        model.save(tmp_path / "model.npz")
        again = load(tmp_path / "model.npz")
        assert np.array_equal(again(TS), model(TS)) and np.array_equal(again.theta, model.theta)
        assert again.history == model.history and again.columns == model.columns and repr(again) == repr(model)


def test_the_command_line_trains_the_same_model(tmp_path, monkeypatch):
    from odelearn.__main__ import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("odelearn.fitting.fit.draw", lambda *_: None)
    path = csv_of(tmp_path / "my.csv", TS, YS)
    options = ["--ensemble", "3", "--lr-schedule", "cosine", "--weight-decay", "0.01", "--clip", "1", "--depth", "2"]
    assert main(["fit", str(path), *options, "--width", "5", "--activation", "softplus", "--steps", "5"]) == 0
    settings = dict(lr_schedule="cosine", weight_decay=0.01, clip=1, depth=2, width=5, activation="softplus", steps=5)
    model = fit_series(path, ensemble=3, quiet=True, **settings)
    assert np.array_equal(load("odelearn-out/my.npz").theta, model.theta)


def test_a_model_of_format_1_is_read_and_goes_on(tmp_path, capsys, monkeypatch):
    """It was written before there were ensembles, trials and inputs: tests/models/format_1.npz."""
    from odelearn.__main__ import main

    monkeypatch.setattr("odelearn.fitting.fit.draw", lambda *_: None)
    old = HERE / "models" / "format_1.npz"
    model = load(old)
    assert model.columns == ["prey", "predator"] and len(model.history) == 3 and model.theta.shape == (82,)
    assert np.isfinite(model(np.array([0.0, 9.0]))).all()
    assert main(["fit", "--resume", str(old), "--steps", "2", "--out", str(tmp_path)]) == 0
    again = load(tmp_path / "format_1.npz")
    assert again.history[:3] == model.history and len(again.history) == 5


def test_a_model_of_a_format_to_come_is_refused(tmp_path, plain):
    import json

    plain.save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as file:
        arrays = dict(file)
    arrays["settings"] = json.dumps(json.loads(str(arrays["settings"])) | {"format": 3})
    np.savez(tmp_path / "later.npz", **arrays)
    with pytest.raises(UsageError, match="it has format 3, and this odelearn reads up to 2"):
        load(tmp_path / "later.npz")


def test_a_model_with_a_file_of_its_own_needs_consent(tmp_path):
    own = tmp_path / "own.py"
    own.write_text("theta0 = [-0.1]\ndef f(z, t, theta): return theta * z\n")
    model = fit_series((TS, YS), model=f"{own}:f", out=tmp_path, **FEW)
    path = tmp_path / "series.npz"
    with pytest.raises(UsageError, match="--trust"):
        load(path)
    for consent in ({"trust": True}, {"model": f"{own}:f"}):
        assert np.array_equal(load(path, **consent)(TS), model(TS))
    own.write_text("theta0 = [-0.1]\ndef f(z, t, theta): return 2 * theta * z\n")
    with pytest.raises(UsageError, match="own.py has changed"):
        load(path, trust=True)


# ---- bands


def test_bands_are_ordered_and_their_middle_is_the_forecast(ensemble):
    bands = ensemble(TS, bands=True)
    assert bands.shape == (26, 2, 5) and (np.diff(bands, axis=2) > 0).all()
    assert np.array_equal(bands[:, :, 2], ensemble(TS))
    start = ensemble(TS[:1])[0]
    assert ensemble.predict(start, TS, bands=True).shape == (26, 2, 5)


def test_bands_add_the_noise_to_the_spread_of_the_members(ensemble):
    """In the coordinates of the state, distances from the median as squares: exact for normal distributions."""
    t = ensemble.training
    with np.errstate(all="ignore"):
        members = t.forecast(TS)  # (T, E, D)
    sigma, middle = t.noise_scale(), np.median(members, axis=1)
    upper = np.hypot(np.quantile(members, 0.95, axis=1) - middle, 1.6448536269514722 * sigma)
    assert np.allclose(np.log(ensemble(TS, bands=True)[:, :, 4]), middle + upper, rtol=1e-10)
    left = (middle - np.log(POSITIVE))[:21]
    assert np.allclose(sigma, np.sqrt(np.mean(left**2, axis=0)), rtol=1e-3)  # members at rows and at any time


def test_one_member_has_no_bands(plain):
    for call in (plain, lambda ts, bands: plain.predict([1.0, 1.0], ts, bands)):
        with pytest.raises(ValueError, match="bands need an ensemble"):
            call(TS, True)


# ---- what cannot be


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"stepz": 3}, TypeError, "there is no option 'stepz'; there are sep, .*steps"),
        ({"steps": 0}, UsageError, "steps must be a whole number, 1 or more, got 0"),
        ({"steps": 2.5}, UsageError, "steps must be a whole number"),
        ({"lr": "fast"}, UsageError, "lr must be a positive number, got 'fast'"),
        ({"lr": True}, UsageError, "lr must be a positive number, got True"),
        ({"log": 1}, UsageError, "log must be True or False, got 1"),
        ({"columns": "y1"}, UsageError, "columns must be a list of names, got 'y1'"),
        ({"validate": 1.0}, UsageError, "validate must be a number from 0 to below 1, got 1.0"),
        ({"activation": "sine"}, UsageError, "activation must be one of identity, tanh"),
        ({"method": "guess"}, UsageError, "method must be one of backsolve, discrete"),
        ({"model": "arima"}, UsageError, "arima: not one of mlp"),
        ({"ensemble": 1}, UsageError, "--ensemble 1 has no spread"),
        ({"interpolation": "hermite"}, UsageError, "is about inputs"),
        ({"window": 9, "hidden": 1}, UsageError, "hidden states are not"),
        ({"window": 1}, UsageError, "a window needs 2 rows"),
        ({"window": 22}, UsageError, "no window of so many rows"),
        ({"hold_out": 24}, DataError, "24 of 26 rows held out"),
        ({"validate": 0.95}, DataError, "validate = 0.95 .* leaves fewer than 3 rows"),
        ({"time_unit": "h"}, DataError, "time_unit .* is for dates"),
        ({"sep": ";;"}, ValueError, "sep must be one character"),
        ({"model": "lotka-volterra", "hidden": 1}, UsageError, "has no --hidden states"),
    ],
)
def test_options_that_cannot_be(options, error, message):
    with pytest.raises(error, match=message):
        fit_series((TS, YS), **{"quiet": True} | options)


@pytest.mark.parametrize(
    "source, error, message",
    [
        (3.0, TypeError, "comes from the path of a CSV file"),
        ([TS, YS], TypeError, "got ndarray"),
        ([], DataError, "empty"),
        ((TS, YS[:5]), DataError, r"shapes \(T,\) and \(T, D\), got \(26,\) and \(5, 2\)"),
        ((TS[::-1], YS), DataError, "the arrays, row 1, column 't': .* follows"),
        ((TS, np.where(TS[:, np.newaxis] == 0, np.inf, YS)), DataError, "row 0, column 'y1': 'inf' is not a finite"),
        ((TS, np.full_like(YS, np.nan)), DataError, "no column of numbers"),
        ((TS[:2], YS[:2]), DataError, "2 rows of data"),
    ],
)
def test_sources_that_cannot_be(source, error, message):
    with pytest.raises(error, match=message), np.errstate(all="ignore"):
        fit_series(source, **FEW)


# ---- stopped


def test_ctrl_c_gives_what_was_learned(tmp_path, monkeypatch):
    step, calls = odelearn.Adam.step, iter(range(100))

    def interrupted(self, p, g):
        if next(calls) == 3:
            raise KeyboardInterrupt
        return step(self, p, g)

    monkeypatch.setattr(odelearn.Adam, "step", interrupted)
    with pytest.warns(UserWarning, match="stopped by Ctrl-C after 3 of 10 steps"):
        model = fit_series((TS, YS), steps=10, out=tmp_path, quiet=True)
    assert len(model.history) == 3 and load(tmp_path / "series.npz").history == model.history


def test_a_step_that_fails_leaves_the_file(tmp_path):
    own = tmp_path / "own.py"
    own.write_text("theta0 = [0.1]\ndef f(z, t, theta): return theta * z\n")
    with pytest.raises(TrainingStopped):
        fit_series((TS, YS), model=f"{own}:f", lr=1000, steps=50, out=tmp_path, quiet=True)
    assert np.isfinite(load(tmp_path / "series.npz", trust=True).theta).all()


def test_nothing_is_written_unless_asked(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fit_series((TS, YS), **FEW)
    assert list(tmp_path.iterdir()) == [] and capsys.readouterr() == ("", "")
    fit_series((TS, YS), steps=2)
    assert "2/2" in capsys.readouterr().err


def test_the_settings_are_those_of_a_solver(tmp_path):
    model = fit_series((TS, YS), solver="rk4:n=3", method="discrete", **FEW)
    assert model.training.solver == rk4(n=3)
    save_model(tmp_path / "m.npz", model.training, model.settings)
    assert load(tmp_path / "m.npz").settings["method"] == "discrete"
