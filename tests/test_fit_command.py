"""`fit` and `predict` with data as they come: dates, notations, trials, inputs; and what they say of what cannot be."""

import csv
from pathlib import Path

import numpy as np
import pytest

from odelearn import load, load_csv
from odelearn.__main__ import main
from odelearn.datasets.times import Calendar, from_date, to_date
from odelearn.fitting.report import curve_of, draw, shown_part
from odelearn.fitting.sources import series_from
from odelearn.plotting.fit import Curve, fit_figure


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("odelearn.fitting.fit.draw", lambda *_: None)
    return tmp_path


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


NUMBERS = [(0.0, 1.5), (1.0, 2.25), (2.0, 1000.5), (3.0, -4.0)]
SPELLINGS = {  # text of the file, options
    "semicolons and decimal commas": ("t;a\n0;1,5\n1;2,25\n2;1000,5\n3;-4,0\n", {"sep": ";", "decimal": ","}),
    "by name": ("t;a\n0;1,5\n1;2,25\n2;1000,5\n3;-4\n", {"sep": "semicolon", "decimal": "comma"}),
    "tabs": ("t\ta\n0\t1.5\n1\t2.25\n2\t1000.5\n3\t-4\n", {"sep": "tab"}),
    "blanks, several of them": ("t  a\n0  1.5\n1 2.25\n2   1000.5\n3 -4\n", {"sep": "blank"}),
    "another encoding": ("t,a\n0,1.5\n1,2.25\n2,1000.5\n3,-4\n".encode("utf-16"), {"encoding": "utf-16"}),
    "decimal commas in quotes": ('t,a\n0,"1.5"\n1,2.25\n2,1000.5\n3,-4\n', {}),
}


@pytest.mark.parametrize(("text", "options"), SPELLINGS.values(), ids=SPELLINGS)
def test_the_same_numbers_in_other_notations(folder, text, options):
    Path("my.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    ts, ys, names = load_csv("my.csv", **options)
    assert np.array_equal(np.column_stack([ts, ys]), NUMBERS) and names == ["a"]


def test_markers_of_missing_cells(folder):
    Path("my.csv").write_text("t,a\n0,1\n1,-999\n2,missing\n3,-999.0\n4,2\n")
    _, ys, _ = load_csv("my.csv", na=["-999", "missing"])
    assert np.array_equal(ys[:, 0], [1, np.nan, np.nan, np.nan, 2], equal_nan=True)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [(None, [0, 1, 1.5, 31]), ("h", [0, 24, 36, 744]), ("week", [0, 1 / 7, 3 / 14, 31 / 7])],
)  # fmt: skip
def test_iso_dates_are_times(folder, unit, expected):
    Path("my.csv").write_text("day,a\n2020-01-01,1\n2020-01-02,2\n2020-01-02T12:00,3\n2020-02-01 00:00:00,4\n")
    ts, _, _ = load_csv("my.csv", time_unit=unit)
    assert np.allclose(ts, expected, rtol=1e-15)


def test_time_zones_are_respected(folder):
    Path("my.csv").write_text("t,a\n2020-01-01T00:00+00:00,1\n2020-01-01T02:00+01:00,2\n2020-01-01T03:00+01:00,3\n")
    assert np.array_equal(load_csv("my.csv", time_unit="h")[0], [0, 1, 2])


def test_a_date_is_a_number_and_back():
    calendar = Calendar("2020-02-28T00:00:00", "h")
    assert from_date("2020-03-01", calendar) == 48 and to_date(48.0, calendar) == "2020-03-01"
    assert to_date(0.1, calendar) == "2020-02-28 00:06:00"


def test_a_forecast_of_dates_has_dates(folder, capsys):
    rows = [f"2020-01-{day:02d},{np.cos(day / 4):.6f}" for day in range(1, 21)]
    Path("my.csv").write_text("day,x\n" + "\n".join(rows) + "\n")
    assert main(["fit", "my.csv", "--ensemble", "3", "--steps", "3", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["predict", "odelearn-out/my.npz", "--until", "2020-02-10", "--points", "5"]) == 0
    assert "day = 2020-01-01 ... 2020-02-10" in capsys.readouterr().out
    header, *rows = rows_of("odelearn-out/my_forecast.csv")
    assert header == ["day", "x", "x 5%", "x 25%", "x 75%", "x 95%"]
    assert [row[0] for row in rows] == ["2020-01-01", "2020-01-11", "2020-01-21", "2020-01-31", "2020-02-10"]
    values = np.array([row[1:] for row in rows], float)
    model = load("odelearn-out/my.npz")
    bands = model(np.array([0.0, 10, 20, 30, 40]), bands=True)[:, 0]
    assert np.allclose(values, bands[:, [2, 0, 1, 3, 4]], rtol=1e-12)


TRIALS = "who,t,u,x\n" + "".join(
    f"{who},{t},{np.sin(t + k):.4f},{np.exp(-t / 3) + k:.5f}\n" for k, who in enumerate("AB") for t in range(8 + 2 * k)
)


def test_trials_with_inputs_from_file_to_forecast(folder, capsys):
    Path("my.csv").write_text(TRIALS)
    assert main(["fit", "my.csv", "--series", "who", "--input", "u", "--interpolation", "hermite", "--steps", "3"]) == 0
    out = capsys.readouterr().out
    assert "18 rows in 2 series" in out and "driven by u" in out and "gradient check passed" in out
    assert main(["predict", "odelearn-out/my.npz", "--until", "12", "--points", "4"]) == 0
    assert "After t = 7 the inputs keep their last values: u." in capsys.readouterr().out
    header, *rows = rows_of("odelearn-out/my_forecast.csv")
    assert header == ["series", "t", "x"] and [row[0] for row in rows] == ["A"] * 4 + ["B"] * 4
    assert (
        main(["predict", "odelearn-out/my.npz", "--until", "12", "--points", "4", "--series", "B", "--out", "b.csv"])
        == 0
    )
    assert rows_of("b.csv")[1:] == [row[1:] for row in rows[4:]]
    model = load("odelearn-out/my.npz")
    with pytest.warns(UserWarning, match="u known from 0 to 9; outside, the first or the last value is kept"):
        late = model(np.array([12.0]), series="B")
    assert late[0, 0] == pytest.approx(float(rows[-1][2]), rel=1e-12)


def test_many_files_are_trials_by_their_names(folder, capsys):
    for name, sign in (("one", 1), ("two", -1)):
        Path(f"{name}.csv").write_text("t,x\n" + "".join(f"{t},{sign * np.cos(t):.5f}\n" for t in range(10)))
    assert main(["fit", "one.csv", "two.csv", "--steps", "2"]) == 0
    assert "20 rows in 2 series" in capsys.readouterr().out
    assert load("odelearn-out/one.npz").labels == ["one", "two"]


def test_a_sentinel_is_pointed_out_and_training_goes_on(folder, capsys):
    Path("my.csv").write_text("t,x\n0,1\n1,2\n2,-999\n3,2\n4,1\n5,-999\n")
    assert main(["fit", "my.csv", "--steps", "2", "--model", "linear"]) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "-999" in line]
    assert line.startswith("odelearn: my.csv, row 4, column 'x': -999 stands in 2 cells") and line.endswith(
        "(--na=-999)"
    )
    assert main(["fit", "my.csv", "--steps", "2", "--model", "linear", "--na=-999"]) == 0
    assert "-999" not in capsys.readouterr().err


def test_a_large_value_that_is_no_sentinel_is_left_alone(folder, recwarn):
    Path("my.csv").write_text("t,x\n0,999\n1,1200\n2,990\n3,9\n4,-1\n")
    load_csv("my.csv")
    assert not recwarn.list


# ---- what cannot be done is said in one line, which names the option that mends it

GOOD = "t,a,b\n0,1,2\n1,2,1\n2,3,2\n3,2,3\n4,1,2\n5,2,2\n"
WRONG = {  # text of bad.csv, arguments, words that the line must have
    "another separator": ("t;a\n0;1\n1;2\n2;3\n", [], ["row 1", "semicolons", "--sep semicolon"]),
    "a separator that is none": (GOOD, ["--sep", ";"], ["row 1", "commas", "--sep comma"]),
    "two characters": (GOOD, ["--sep", "::"], ["sep", "'::'", "semicolon"]),
    "comma twice": (GOOD, ["--decimal", ","], ["sep and decimal", "','"]),
    "decimal mark": (GOOD, ["--decimal", "x"], ["decimal", "'x'"]),
    "decimal commas": ("t;a\n0;1,5\n1;2,5\n2;3,5\n", ["--sep", ";"], ["row 2", "'a'", "'1,5'", "--decimal comma"]),
    "thousands": ('t,a\n0,1\n1,"1,234,567"\n2,3\n', [], ["row 3", "'a'", "without separators"]),
    "thousands, decimal commas": ("t;a\n0;1\n1;1.234,5\n2;3\n", ["--sep=;", "--decimal", ","], ["row 3", "thousands"]),
    "a word": ("t,a\n0,1\n1,none\n2,3\n", [], ["row 3", "'a'", "'none'", "--na none"]),
    "words": ("t,a\n0,1\n1,not there\n2,3\n", [], ["row 3", '--na "not there"']),
    "encoding": ("t,\xe4\n0,1\n1,2\n2,3\n".encode("latin-1"), [], ["0xe4", "--encoding latin-1"]),
    "utf-16": ("t,a\n0,1\n".encode("utf-16"), [], ["0xff", "--encoding utf-16"]),
    "no such encoding": (GOOD, ["--encoding", "klingon"], ["encoding", "klingon"]),
    "no date": ("t,a\n2020-01-01,1\n2020-01-02,2\n2020-13-01,3\n", [], ["row 4", "'t'", "'2020-13-01'", "ISO"]),
    "another date": ("t,a\n1.2.2020,1\n2.2.2020,2\n3.2.2020,3\n", [], ["row 2", "'1.2.2020'", "ISO", "2020-01-31"]),
    "a date among numbers": ("t,a\n0,1\n2020-01-01,2\n3,4\n", [], ["row 3", "'t'", "'2020-01-01'"]),
    "dates that go back": ("t,a\n2020-01-02,1\n2020-01-01,2\n2020-01-03,3\n", [], ["row 3", "2020-01-01 follows"]),
    "time zones": ("t,a\n2020-01-01,1\n2020-01-02T00:00Z,2\n2020-01-03,3\n", [], ["row 3", "time zone"]),
    "a unit of no dates": (GOOD, ["--time-unit", "h"], ["--time-unit", "dates"]),
    "no such unit": (GOOD, ["--time-unit", "month"], ["--time-unit", "day", "'month'"]),
    "trials in one column": ("who,t,a\nA,0,1\nA,1,2\nB,0,1\nB,1,2\n", ["--time", "t"], ["row 4", "--series"]),
    "no such series": (GOOD, ["--series", "who"], ["'who'", "t, a, b"]),
    "a trial too short": ("who,t,a\nA,0,1\nA,1,2\nA,2,3\nB,0,1\nB,1,2\n", ["--series", "who"], ["'B'", "2 rows"]),
    "a trial without name": ("who,t,a\nA,0,1\nA,1,2\n,2,3\nB,0,1\n", ["--series", "who"], ["row 4", "'who'"]),
    "no such input": (GOOD, ["--input", "c"], ["'c'", "t, a, b"]),
    "an input that is learned": (GOOD, ["--input", "a", "--columns", "a,b"], ["'a'", "--input"]),
    "an input that is the time": (GOOD, ["--input", "t", "--time", "t"], ["'t'", "input"]),
    "inputs alone": (GOOD, ["--input", "a,b"], ["no column of numbers"]),
    "no such interpolation": (GOOD, ["--input", "a", "--interpolation", "spline"], ["--interpolation", "hermite"]),
    "interpolation of nothing": (GOOD, ["--interpolation", "hermite"], ["--input"]),
    "validation of all": (GOOD, ["--validate", "0.9"], ["--validate", "3 rows"]),
    "validation of more": (GOOD, ["--validate", "20"], ["--validate", "'20'", "below 1"]),
    "one member": (GOOD, ["--ensemble", "1"], ["--ensemble 1"]),
    "no members": (GOOD, ["--ensemble", "0"], ["--ensemble", "'0'"]),
    "no width": (GOOD, ["--width", "0"], ["--width", "'0'"]),
    "no such activation": (GOOD, ["--activation", "cube"], ["--activation", "tanh", "'cube'"]),
    "a negative decay": (GOOD, ["--weight-decay", "-1"], ["--weight-decay", "'-1'"]),
    "no such schedule": (GOOD, ["--lr-schedule", "linear"], ["--lr-schedule", "cosine"]),
    "hidden and windows": (GOOD, ["--hidden", "1", "--window", "3"], ["--window 3 --hidden 1", "--window 0"]),
    "a long window": (GOOD, ["--window", "30"], ["--window 30", "a, b"]),
    "prey, predator, and more": (GOOD, ["--model", "lotka-volterra", "--hidden", "1"], ["--hidden"]),
    "nothing to resume": (None, ["--resume", "bad.npz", "--input", "u"], ["bad.npz", "No such file"]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "arguments", "words"), WRONG.values(), ids=WRONG)
def test_each_wrong_file_or_option_gets_one_line(folder, capsys, text, arguments, words):
    if text is not None:
        Path("bad.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert main(["fit", *["bad.csv"] * (text is not None), *arguments]) == 2
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert line.startswith("odelearn: ") and all(word in line for word in words), line
    assert out == "" and not Path("odelearn-out").exists()


def test_what_predict_refuses(folder, capsys):
    Path("my.csv").write_text(TRIALS)
    assert main(["fit", "my.csv", "--series", "who", "--columns", "x", "--steps", "1", "--quiet"]) == 0
    for arguments, words in (
        (["--until", "9", "--series", "C"], ["--series C", "A, B"]),
        (["--until", "2020-01-01"], ["--until 2020-01-01", "numbers"]),
        (["--until", "soon"], ["--until soon"]),
    ):
        capsys.readouterr()
        assert main(["predict", "odelearn-out/my.npz", *arguments]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert all(word in line for word in words), line


# ---- pictures


def learned(ts, ys, **options):
    from odelearn import fit_series

    return fit_series((ts, ys), steps=4, quiet=True, **options).training


def picture(training, ks=(0,)):
    trials = {k: shown_part(training, k) for k in ks}
    curves = {k: [Curve(*curve_of(training, k))] for k in ks}
    return fit_figure(training.series, curves, (training.history, {3: 0.5}, "loss"), trials)


TS = np.linspace(0, 5, 30)


def test_bands_stand_around_the_curve():
    axes = picture(learned(TS, np.stack([np.cos(TS), np.sin(TS)], axis=1), ensemble=3)).axes
    labels = axes[0].get_legend_handles_labels()[1]
    assert labels == ["observed", "Neural ODE, median", "90 % band", "50 % band"]
    wide, narrow = (band.get_paths()[0].vertices[:, 1] for band in axes[0].collections[:2])
    assert wide.min() < narrow.min() < narrow.max() < wide.max()
    assert axes[-1].get_ylabel() == "loss" and axes[-1].get_yscale() == "log"


def test_many_columns_are_a_grid():
    ys = np.cos(TS[:, np.newaxis] + np.arange(11))
    figure = picture(learned(TS, ys))
    assert len(figure.axes) == 12 and {ax.get_subplotspec().get_gridspec().ncols for ax in figure.axes} == {4}
    assert figure.get_size_inches()[1] < 8


def test_trials_stand_side_by_side_on_one_scale():
    one, two = (TS, np.cos(TS)), (TS[:20], 3 * np.cos(TS[:20]))
    from odelearn import fit_series

    training = fit_series([one, two], steps=2, quiet=True).training
    axes = picture(training, (0, 1)).axes
    assert [ax.get_title() for ax in axes[:2]] == training.series.labels
    assert axes[0].get_ylim() == axes[1].get_ylim() and axes[0].get_ylim()[1] > 3


def test_a_long_series_shows_its_end():
    ts = np.arange(2600.0)
    training = learned(ts, np.sin(ts), window=20, batch=8, method="discrete", solver="rk4:n=1")
    part = shown_part(training, 0)
    assert part.ts[0] == 2080 - 160 and part.ts[-1] == 2080 + 39 and part.ts[part.rows] == 2080
    assert picture(training).axes[0].get_xlim()[0] > 1900


def test_a_state_that_is_not_observed_has_no_field_to_draw(tmp_path):
    training = learned(TS, np.cos(TS), hidden=1)
    assert "observed against the model" in [ax.get_title() for ax in picture(training).axes]
    draw([training], tmp_path / "fit.png")
    assert (tmp_path / "fit.png").read_bytes().startswith(b"\x89PNG")


def test_dates_stand_below_the_axis(folder):
    Path("my.csv").write_text("day,x\n" + "".join(f"2020-01-{d:02d},{np.cos(d / 4):.5f}\n" for d in range(1, 25)))
    from odelearn import fit_series

    axes = picture(fit_series("my.csv", steps=2, quiet=True).training).axes
    labels = [label.get_text() for label in axes[0].get_xticklabels()]
    assert axes[0].get_xlabel() == "day" and any("Jan" in text or text.isdigit() for text in labels)
    assert series_from("my.csv").origin == "2020-01-01T00:00:00"
