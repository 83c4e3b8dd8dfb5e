"""What the experiments rest on: the loss and its mask, units, horizons, the files, the forecast."""

import errno
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from odelearn import (
    MLP,
    Backsolve,
    DataError,
    Discrete,
    Dynamics,
    Solver,
    TrainingStopped,
    check_gradient,
    dop853,
    dopri5,
    euler,
    odesolve,
    rk4,
)
from odelearn.autodiff.tape import grad, vjp
from odelearn.experiments import audit, compare
from odelearn.experiments.spiral import A, H, film_steps
from odelearn.experiments.windows import learn_from_windows
from odelearn.fitting import lotka_volterra
from odelearn.fitting.gradient_check import check_training, convergence_line, with_fixed_steps
from odelearn.fitting.models import Model, model_from
from odelearn.fitting.options import solver_from
from odelearn.fitting.report import curve_of, in_sample_score
from odelearn.fitting.series import Series
from odelearn.fitting.sources import series_from_csv
from odelearn.fitting.store import atomic_write, save_model
from odelearn.fitting.training import FIRST_ROWS, Training, r_squared
from odelearn.plotting.fit import Curve, fit_figure

rng = np.random.default_rng(1806)
TS = np.array([0.0, 0.4, 1.1, 1.5, 2.5, 3.0, 4.2, 4.4, 5.0])
YS = 3 + np.stack([np.cos(TS), 1.5 * np.sin(TS)], axis=1) + 0.1 * rng.normal(size=(9, 2))
HOLES = [(0, 0), (2, 1), (3, 0), (3, 1)]  # the very first value, one alone, and a whole row


def series(ts=TS, ys=YS, log=False, hold_out=2, columns=("x", "y")):
    return Series("test", "t", list(columns), ts, ys, log, hold_out)


def with_holes(fill=np.nan):
    ys = YS.copy()
    for hole in HOLES:
        ys[hole] = fill
    return ys


def training(series, spec="mlp", solver=rk4(n=2), method=Discrete(), lr=0.01, planned=10):  # noqa: B008
    return Training(series, model_from(spec, series, np.random.default_rng(0)), solver, method, lr, planned)


def rotation(z, t, theta):
    """Around (3, 3), with theta = (damping, speed), pushed by time."""
    x, y = z[0] - 3, z[1] - 3
    return np.stack([theta[0] * x - theta[1] * y, theta[1] * x + theta[0] * y]) + 0.1 * np.cos(t)


ROTATION = Model(Dynamics(rotation), np.array([-0.1, 1.0]), "rotation")


# ---- the loss


def test_the_loss_is_the_mean_over_what_was_observed():
    """Cell by cell, beside the unmasked formula for the cells that are there."""
    t = Training(series(ys=with_holes()), ROTATION, rk4(n=2), Discrete(), 0.01, 10)
    zs = t.predictions()[:7]
    cells = [(i, j) for i in range(7) for j in range(2) if (i, j) not in HOLES]
    terms = [((zs[i, j] - YS[i, j]) / t.series.scale[j]) ** 2 for i, j in cells]
    assert np.isclose(t.loss(t.p, 7), np.mean(terms), rtol=1e-13)


def test_the_loss_over_all_rows_is_one_minus_r_squared():
    """With columns of one scale; the loss weighs columns by their own."""
    s = series(ys=YS / YS[:7].std(axis=0))
    t = Training(s, ROTATION, rk4(n=2), Discrete(), 0.01, 10)
    assert np.isclose(t.loss(t.p, 7), 1 - r_squared(t.predictions()[:7], s.zs[:7]), rtol=1e-12)


@pytest.mark.parametrize("spec", ["mlp", "linear", "lotka-volterra"])
@pytest.mark.parametrize("log", [False, True])
def test_the_gradient_of_the_loss_is_right_for_every_model(spec, log):
    """Missing cells, irregular times; by the complex step through the whole solve."""
    t = training(series(ys=with_holes(), log=log), spec)
    t.p = t.p + 0.1 * np.random.default_rng(2).normal(size=t.p.size)
    report = check_gradient(lambda p: t.loss(p, 7), grad(lambda p: t.loss(p, 7)), t.p)
    assert report, str(report)
    assert [row.method for row in report.rows] == ["complex step"]


@pytest.mark.parametrize(("spec", "units"), [("mlp", (2, 16, 2)), ("linear", (2, 2))])
def test_the_network_sees_and_returns_numbers_of_size_one(spec, units):
    """dz/dt = (s / tau) net((z - m) / s), with tau a tenth of the time: the value, and the value inside of vjp."""
    s = series()
    model = model_from(spec, s, np.random.default_rng(0))
    z, m, scale = np.array([2.0, 5.0]), YS[:7].mean(axis=0), YS[:7].std(axis=0)
    expected = scale / (TS[6] / 10) * MLP(units)((z - m) / scale, 0.3, model.theta0)
    assert np.allclose(model.f(z, 0.3, model.theta0), expected, rtol=1e-13)
    assert np.allclose(model.f.vjp(z, 0.3, model.theta0)[0], expected, rtol=1e-13)


def test_held_out_rows_teach_nothing():
    """Whatever stands in them, every number of the training is the same."""
    other = YS.copy()
    other[7:] = [[100.0, np.nan], [-5.0, 7.0]]
    ts = np.append(TS[:7], [50.0, 60.0])
    one, two = training(series(hold_out=2)), training(series(ts, other, hold_out=2))
    one.learn(3), two.learn(3)
    assert np.array_equal(one.p, two.p) and one.history == two.history


@pytest.mark.parametrize("spec", ["mlp", "linear"])
def test_units_do_not_matter(spec):
    """In units of 1/8 of a day and 1/1024 of a pelt all numbers change by powers of 2, and so not one bit of p."""
    one, two = training(series(), spec), training(series(TS * 8, YS * 1024), spec)
    one.learn(5), two.learn(5)
    assert np.array_equal(one.p, two.p) and one.history == two.history
    assert np.array_equal(1024 * one.predictions(), two.predictions())


def test_the_horizon_grows_from_a_few_rows_to_all_of_them():
    t = training(series(), planned=10)
    rows = [t.rows_at(step) for step in range(20)]
    assert rows[0] == FIRST_ROWS and rows == sorted(rows) and rows[5:] == [7] * 15
    assert training(series(hold_out=6)).rows_at(0) == 3  # a short series is looked at whole


def test_lotka_volterra_in_logarithms_is_lotka_volterra():
    """d log y / dt = (dy/dt) / y: the same field in two coordinates."""
    y, theta = np.array([30.0, 4.0]), np.log([0.5, 0.9, 0.02, 0.03])
    in_logarithms = lotka_volterra.logs(np.log(y), 0.0, theta)
    assert np.allclose(in_logarithms, lotka_volterra.counts(y, 0.0, theta) / y, rtol=1e-14)
    assert np.allclose(
        lotka_volterra.counts(np.array([30.0, 25.0]), 0.0, theta), 0, atol=1e-14
    )  # gamma/delta, alpha/beta


@pytest.mark.parametrize("shapes", [((2,), (4,)), ((3, 2), (4,)), ((5, 2), (5, 4)), ((5, 3, 2), (5, 4))], ids=str)
@pytest.mark.parametrize("name", ["counts", "logs"])
def test_the_pullbacks_of_lotka_volterra_are_those_of_the_tape(name, shapes):
    """One state, several rows, an ensemble, an ensemble of rows."""
    rng = np.random.default_rng(0)
    z, theta = (rng.normal(size=shape) for shape in shapes)
    a, field = rng.normal(size=z.shape), getattr(lotka_volterra, name)
    dz, pullback = getattr(lotka_volterra, f"{name}_vjp")(z, 0.3, theta)
    taped, tape_pullback = vjp(field, z, 0.3, theta)
    assert np.array_equal(dz, taped) and np.array_equal(dz, field(z, 0.3, theta))
    for mine, expected in zip(pullback(a), tape_pullback(a), strict=True):
        assert np.shape(mine) == np.shape(expected) and np.allclose(mine, expected, rtol=1e-12, atol=1e-13)


def test_r_squared():
    observed = np.array([[1.0, 10.0], [2.0, np.nan], [3.0, 30.0]])
    mean = np.array([2.0, 20.0])
    assert r_squared(observed, observed) == 1
    assert np.isclose(r_squared(np.tile(mean, (3, 1)), observed), 0)
    assert np.isclose(r_squared(observed + [[1, 0], [0, 0], [0, 0]], observed), 1 - 1 / 202)
    assert np.isnan(r_squared(np.full((3, 2), np.nan), observed))  # a model that blew up has not explained anything
    assert np.isnan(r_squared(observed[:0], observed[:0])) and np.isnan(r_squared(mean[None], mean[None]))


# ---- training, stopped and failing


@pytest.mark.parametrize("evaluation", [1, 60, 100, 177])
def test_wherever_ctrl_c_falls_going_on_gives_the_same_bits(evaluation):
    """In the forward or the backward solve of any step: f itself raises, once."""
    left = [-1]

    def f(z, t, theta):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return rotation(z, t, theta)

    straight, stopped = (
        Training(series(), Model(f, ROTATION.theta0, "f"), rk4(n=1), Backsolve(), 0.05, 6) for _ in "12"
    )
    assert straight.learn(6)
    left[0] = evaluation
    assert not stopped.learn(6)
    assert left[0] == 0 and len(stopped.history) < 6
    assert stopped.learn(6 - len(stopped.history))
    assert np.array_equal(stopped.p, straight.p) and stopped.history == straight.history
    assert all(np.array_equal(stopped.opt.state()[key], value) for key, value in straight.opt.state().items())


def test_ctrl_c_between_steps_loses_at_most_one(monkeypatch):
    """The bar is closed outside of the loop that returns early: there, too, p, moments and history stay together."""

    def fit(*args, **kwargs):
        original(*args, **kwargs)
        raise KeyboardInterrupt

    import odelearn.fitting.training as module

    original = module.fit
    straight, stopped = training(series()), training(series())
    straight.learn(3)
    with monkeypatch.context() as patch:
        patch.setattr(module, "fit", fit)
        assert not stopped.learn(3)
    assert len(stopped.history) == 2 and stopped.learn(1)
    assert np.array_equal(stopped.p, straight.p) and stopped.history == straight.history


def test_a_failing_step_leaves_the_last_good_p():
    def f(z, t, theta):
        return z * (np.nan if theta[0] ** 2 > 0.02 else theta[0])

    t = Training(series(), Model(f, np.array([0.0]), "f"), rk4(n=1), Discrete(), 0.1, 9)
    with pytest.raises(TrainingStopped, match="not finite"):
        t.learn(9)
    assert 0 < len(t.history) < 9 and np.isfinite(t.loss(t.p, 4))


def test_adam_learns_the_parameters_that_made_the_data():
    """rotation, seen without noise through its own solve, comes back as near as Adam's steps are long."""
    made = Training(series(), ROTATION, rk4(n=1), Discrete(), 0.02, 120)
    guess = ROTATION._replace(theta0=np.array([0.1, 0.8]))
    t = Training(series(ys=made.predictions()), guess, rk4(n=1), Discrete(), 0.02, 120)
    assert t.learn(120)
    assert np.abs(t.split(t.p)[1] - ROTATION.theta0).max() < 0.02


# ---- the forecast


def test_the_forecast_goes_through_the_predictions():
    t = Training(series(), ROTATION, rk4(n=1), Discrete(), 0.01, 10)
    assert np.allclose(t.forecast(TS), t.predictions(), rtol=1e-14)


@pytest.mark.parametrize("solver", [rk4(n=5), rk4(n=60), euler(h=0.1), dopri5()])
def test_a_long_forecast_is_solved_in_short_pieces(monkeypatch, solver):
    """Of 50 steps or nearly so, or of one interval if that has more; the last may be shorter."""
    import odelearn.fitting.forecast as module

    made, t = [], Training(series(), ROTATION, solver, Discrete(), 0.01, 10)
    ts = np.linspace(0, 200, 1000)
    whole = t.forecast(ts)
    solve = module.odesolve
    monkeypatch.setattr(module, "PIECE", 50)
    monkeypatch.setattr(module, "odesolve", lambda *args: made.append(solve(*args)) or made[-1])
    assert np.allclose(t.forecast(ts), whole, rtol=1e-4)
    intervals = [len(trajectory.ts) - 1 for trajectory in made]
    assert sum(intervals) == len(t.mesh(200)) - 1 and min(intervals[:-1]) == max(intervals)
    if solver.tableau.b_err is None:
        steps = [len(trajectory.steps) for trajectory in made[1:]]  # the first has the uneven times of the data
        assert 40 <= max(steps) <= 55 or solver == rk4(n=60) and max(steps) == 60


def test_the_forecast_goes_on_with_steps_as_long_as_in_training():
    t = Training(series(), ROTATION, rk4(n=1), Discrete(), 0.01, 10)
    median = np.median(np.diff(TS))
    mesh = t.mesh(12.3)
    assert np.array_equal(mesh[:9], TS) and mesh[-1] == 12.3
    assert len(mesh) == 9 + np.ceil((12.3 - 5) / median) and len(t.mesh(-2.0)) == 1 + np.ceil(2 / median)
    assert np.diff(mesh[8:]).max() <= median and np.allclose(np.diff(mesh[8:], 2), 0, atol=1e-14)
    back = t.mesh(-2.0)
    assert back[0] == 0 and back[-1] == -2 and -np.diff(back).min() <= median
    assert np.array_equal(t.mesh(1.2), TS[:4]) and np.array_equal(t.mesh(5.0), TS)


def test_a_model_that_blows_up_in_the_held_out_rows_is_nan_there():
    """dz/dt = z^2 from z0 = 1 / 4.3 ends at t = 4.3, between the last row learned from and the next."""
    s = series(ys=np.full((9, 1), 1 / 4.3), columns="z")
    t = Training(s, Model(lambda z, t, theta: z * z, np.zeros(0), "z^2"), dopri5(), Discrete(), 0.01, 10)
    zs = t.predictions()
    assert np.allclose(zs[:7, 0], 1 / (4.3 - TS[:7]), rtol=1e-4) and np.isnan(zs[7:]).all()


def test_the_score_in_sample_is_that_of_the_table_and_minus_infinity_if_the_model_fails():
    """dz/dt = z^2 from z0 = 1 / 3 ends at t = 3, among the rows to learn from."""
    t = Training(series(), ROTATION, rk4(n=1), Discrete(), 0.01, 10)
    assert in_sample_score(t) == r_squared(t.predictions()[:7], YS[:7])
    s = series(ys=np.full((9, 1), 1 / 3), columns="z")
    t = Training(s, Model(lambda z, t, theta: z * z, np.zeros(0), "z^2"), dopri5(), Discrete(), 0.01, 10)
    assert in_sample_score(t) == -np.inf


def test_a_curve_goes_as_far_as_the_model():
    t = Training(series(), ROTATION, rk4(n=1), Discrete(), 0.01, 10)
    label, ts, zs, f, bands = curve_of(t)
    assert (
        label == "rotation"
        and bands is None
        and ts[0] == 0
        and ts[-1] == 5
        and np.allclose(zs[-1], t.predictions()[-1], rtol=1e-13)
    )
    assert np.array_equal(f(zs[0]), rotation(zs[0], 5.0, ROTATION.theta0))
    s = series(ys=np.full((9, 1), 1 / 4.3), columns="z")  # dz/dt = z^2 ends at t = 4.3, the rows to learn from at 4.2
    t = Training(s, Model(lambda z, t, theta: z * z, np.zeros(0), "z^2"), dopri5(), Discrete(), 0.01, 10)
    assert curve_of(t)[1][-1] == 4.2


# ---- the check before training


def test_backsolve_is_said_to_close_at_the_order_of_the_method():
    for solver, factor in ((euler(n=20), 2), (rk4(n=6), 16)):
        passed, text = check_training(training(series(), "linear", solver))
        assert passed and f"theory: about {factor}," in text
        measured = float(text.split(" times smaller")[0].split()[-1])
        assert np.log2(measured) == pytest.approx(np.log2(factor), abs=0.15)
    assert "round-off" in convergence_line([1e-14, 1e-15], rk4(n=1).tableau)


def test_the_check_takes_fixed_steps():
    assert with_fixed_steps(rk4(n=3)) == rk4(n=3) and with_fixed_steps(rk4(n=3), halved=True) == rk4(n=6)
    assert with_fixed_steps(euler(h=0.1), halved=True) == euler(h=0.05)
    assert with_fixed_steps(dopri5()).control.n == 2 and with_fixed_steps(dopri5(), halved=True).control.n == 4


# ---- options and files


@pytest.mark.parametrize(
    ("text", "solver"),
    [
        ("rk4", rk4(n=2)),
        ("rk4:n=5", rk4(n=5)),
        ("euler:h=0.05", euler(h=0.05)),
        ("dopri5", dopri5()),
        ("dopri5:rtol=1e-4", dopri5(rtol=1e-4)),
        ("dopri5:rtol=1e-4,atol=1e-5", dopri5(1e-4, 1e-5)),
    ],
)
def test_solvers_by_name(text, solver):
    read = solver_from(text)
    assert isinstance(read, Solver) and read.tableau is solver.tableau and read.control == solver.control


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        ("t,a\n1,2\n2,3\n", {}, ["series.csv", "2 rows"]),
        ("t,a\n1,2\n2,3\n3,4\n4,5\n", {"hold_out": 2}, ["series.csv", "2 of 4"]),
        ("t,a,b\n1,,1\n2,,2\n3,,3\n4,4,4\n", {"hold_out": 1}, ["series.csv", "'a'", "3 rows"]),
        ("t,a\n1,2\n\n2,0\n3,4\n", {"log": True}, ["series.csv", "row 4", "'a'", "0"]),
    ],
)
def test_what_is_no_series_says_where(tmp_path, content, options, words):
    (tmp_path / "series.csv").write_text(content)
    with pytest.raises(DataError) as error:
        series_from_csv(tmp_path / "series.csv", **options)
    assert all(word in str(error.value) for word in words)


def test_an_interrupted_file_leaves_the_one_before(tmp_path):
    path = tmp_path / "model.npz"
    path.write_bytes(b"before")
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as draft:
        Path(draft).write_bytes(b"half of what w")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"before" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["good", "no/such/directory"])
def test_an_error_in_writing_a_file_names_the_file_and_not_its_draft(tmp_path, name):
    with pytest.raises(OSError) as error, atomic_write(tmp_path / name) as draft:
        Path(draft).write_bytes(b"half of what w")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert error.value.filename == str(tmp_path / name) and list(tmp_path.iterdir()) == []


def test_ctrl_c_waits_for_the_model_to_be_written(tmp_path, monkeypatch):
    savez = np.savez

    def interrupted(*args, **kwargs):
        os.kill(os.getpid(), signal.SIGINT)
        savez(*args, **kwargs)

    monkeypatch.setattr(np, "savez", interrupted)
    t = training(series(), "linear")
    with pytest.raises(KeyboardInterrupt):
        save_model(tmp_path / "model.npz", t, {})
    with np.load(tmp_path / "model.npz") as saved:
        assert np.array_equal(saved["p"], t.p)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# ---- the picture of a fit


def drawn(series, ts):
    """The axes of the figure for a solved rotation in as many dimensions as the series has."""
    f = lambda z: np.roll(z - 3, 1) * np.resize([-1.0, 1.0], z.size)
    zs = odesolve(series.zs[1], lambda z, t, theta: f(z), ts).zs
    return fit_figure(series, [Curve("one", ts, zs, f), Curve("two", ts, zs + 0.1, f)]).axes


@pytest.mark.parametrize("log", [False, True])
def test_the_phase_plane_has_the_field_behind_the_curves(log):
    over_time, _, phase = drawn(series(log=log), np.linspace(0, 5, 40))
    assert phase.collections and "learned field" in phase.get_title()  # streamlines
    assert phase.get_xlabel() == ("x  $= e^{z_1}$" if log else "x  $= z_1$")
    labels = [line.get_label() for line in over_time.lines]
    assert labels.index("observed") < labels.index("one") < labels.index("two")
    if log:  # ticks stand at the logarithms of round numbers of the file's units
        ticks = phase.xaxis.get_major_locator().tick_values(0, 1)
        assert {1, 2, 5} <= {float(phase.xaxis.get_major_formatter()(tick)) for tick in ticks}


def test_the_forecast_is_dashed_and_the_held_out_rows_are_rings():
    over_time = drawn(series(hold_out=3), np.linspace(0, 5, 40))[0]
    dots, rings, solid, dashed = over_time.lines[:4]
    assert len(dots.get_xdata()) == 6 and len(rings.get_xdata()) == 3
    assert rings.get_markerfacecolor() == "white" != dots.get_markerfacecolor()
    assert max(solid.get_xdata()) <= TS[5] <= min(dashed.get_xdata()) and dashed.is_dashed() and not solid.is_dashed()


def test_a_third_dimension_leaves_out_the_field_and_a_single_one_draws_it_as_a_line():
    *over_time, phase = drawn(series(ys=np.c_[YS, YS[:, 0]], columns="xyz"), TS)
    assert len(over_time) == 3 and phase.get_title() == "phase portrait" and not phase.collections
    _, line = drawn(series(ys=YS[:, :1], columns="x", hold_out=0), TS)
    assert line.get_ylabel() == "dz/dt"


# ---- the problems of the studies


def test_arenstorf_s_orbit_is_closed():
    f, z0, ts = audit.PROBLEMS["Close encounters: Arenstorf's orbit"]
    assert np.abs(odesolve(z0, f, ts, solver=dop853(1e-13, 1e-13)).zs[-1] - z0).max() < 1e-8


def test_lotka_and_volterra_keep_what_they_keep():
    """y - 1.5 log y + x - 3 log x is constant."""
    f, z0, ts = audit.PROBLEMS["Smooth: Lotka and Volterra"]
    zs = odesolve(z0, f, np.linspace(*ts, 20), solver=dop853(1e-12, 1e-12)).zs
    kept = zs[:, 1] - 1.5 * np.log(zs[:, 1]) + zs[:, 0] - 3 * np.log(zs[:, 0])
    assert np.ptp(kept) < 1e-10 and np.ptp(zs, axis=0).min() > 1


def test_van_der_pol_s_relaxation_has_the_period_of_theory():
    """(3 - 2 log 2) mu + 3 a mu^(-1/3) + ..., with -a = -2.338 the first zero of the Airy function; |z| <= 2."""
    f, _, _ = audit.PROBLEMS["Stiff: Van der Pol, μ = 15"]
    trajectory = odesolve([2.0, 0.0], f, np.linspace(0, 100, 20_001), solver=dop853(1e-9, 1e-9))
    z, ts = trajectory.zs[:, 0], trajectory.ts
    upwards = ts[1:][(z[:-1] < 0) & (z[1:] >= 0)]
    period = np.diff(upwards).mean()
    assert period == pytest.approx((3 - 2 * np.log(2)) * 15 + 3 * 2.338 * 15 ** (-1 / 3), rel=0.03)
    assert np.abs(z).max() == pytest.approx(2, abs=0.02)


def test_the_fields_of_compare():
    z = rng.normal(size=(4, 2))
    A = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert np.allclose(compare.spiral(z, 0.0, A.ravel()), z**3 @ A, rtol=1e-13)
    root = np.sqrt(8 / 3 * 27)  # Lorenz's equations rest at x = y = +-sqrt(beta (rho - 1)), w = rho - 1
    assert np.allclose(compare.lorenz(np.array([root, root, 27.0]), 0.0, np.array([10.0, 28.0, 8 / 3])), 0, atol=1e-12)
    assert np.array_equal(compare.lorenz(np.array([1.0, 2.0, 3.0]), 0.0, np.array([10.0, 28.0, 2.0])), [10, 23, -4])
    assert compare.mean_square(A) == 7.5


# ---- the spirals


def test_euler_learns_the_matrix_that_makes_its_own_steps_exact():
    """From data without noise, A_h with I + h A_h = exp(h A): it is A + h A^2 / 2 up to O(h^2)."""
    h = 0.05
    w = np.exp((-0.1 + 1j) * h * np.arange(60)) * (0.6 + 0.3j)
    zs, ts = np.stack([w.real, w.imag], axis=1), h * np.arange(60)
    eigenvalue = (np.exp((-0.1 + 1j) * h) - 1) / h
    A_h = np.array([[eigenvalue.real, -eigenvalue.imag], [eigenvalue.imag, eigenvalue.real]])

    field = lambda z, t, theta: z @ theta.reshape(2, 2).T
    settings = {"steps": 150, "rng": np.random.default_rng(0), "length": 5, "batch": 30, "rates": (0.05, 1e-4)}
    thetas, history = learn_from_windows(field, A.ravel(), ts, zs, euler(n=1), **settings)
    assert np.abs(thetas[-1].reshape(2, 2) - A_h).max() < 1e-3 < np.abs(A - A_h).max() / 10
    assert np.abs(A + h / 2 * A @ A - A_h).max() < h**2
    assert len(thetas) == 151 and len(history) == 150
    assert np.abs(H / 2 * A @ A).max() < 0.005


def test_the_film_shows_the_first_step_and_the_last():
    for steps in (2, 3, 151):
        frames = film_steps(steps)
        assert frames[0] == 0 and frames[-1] == steps - 1 and len(frames) <= 40 and (np.diff(frames) > 0).all()
