"""Files that are right are read, files that are wrong are refused in one line; toy data obey their equations."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from odelearn.datasets.csv_series import DataError, load_csv, lynx_hare
from odelearn.datasets.synthetic import cubic_spiral, spiral, windows


@pytest.fixture
def csv_file(tmp_path):
    """Writes a CSV and returns its path."""

    def write(text):
        path = tmp_path / "my.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


# ---- csv files

MUST_INCREASE = ", but times must increase; sort the rows, and keep one for each time"
GOOD = "t,a,note,b\n0,1,x,10\n0.5,2,,20\n2,3,z,30\n"


def test_the_first_column_is_time_and_every_column_of_numbers_is_data(csv_file):
    ts, ys, names = load_csv(csv_file(GOOD))
    assert np.array_equal(ts, [0, 0.5, 2])
    assert np.array_equal(ys, [[1, 10], [2, 20], [3, 30]])
    assert names == ["a", "b"]


def test_columns_are_taken_by_name_and_in_that_order(csv_file):
    ts, ys, names = load_csv(csv_file(GOOD), time="a", columns=["b", "t"])
    assert np.array_equal(ts, [1, 2, 3])
    assert np.array_equal(ys, [[10, 0], [20, 0.5], [30, 2]])
    assert names == ["b", "t"]


def test_missing_cells_are_nan(csv_file):
    _, ys, names = load_csv(csv_file("t,a,b,c\n0,1,NA,\n1,,nan,\n2,3, 5 ,\n"))
    assert np.array_equal(ys, [[1, np.nan], [np.nan, np.nan], [3, 5]], equal_nan=True)
    assert names == ["a", "b"]  # c holds no numbers


@pytest.mark.parametrize(
    "text",
    [
        "\ufefft,a\n0,1\n1,2\n2,3\n",  # a byte order mark, as spreadsheets write it
        "t,a\r\n0,1\r\n1,2\r\n2,3",  # line ends of another system, none at the end
        't ,"a" \n\n0,1\n\n1,2e0\n"2",3\n\n',  # blanks, blank lines and quotes
    ],
)
def test_the_same_series_in_other_spellings(csv_file, text):
    ts, ys, _ = load_csv(csv_file(text), time="t", columns=["a"])
    assert np.array_equal(ts, [0, 1, 2]) and np.array_equal(ys, [[1], [2], [3]])


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "my.csv: the file is empty"),
        ("\n\n", {}, "my.csv: the file is empty"),
        (GOOD, {"columns": ["a", "hare"]}, "my.csv: no column 'hare'; the file has t, a, note, b"),
        (GOOD, {"time": "year"}, "my.csv: no column 'year'; the file has t, a, note, b"),
        (GOOD, {"columns": ["note"]}, "my.csv, row 2, column 'note': 'x' is not a finite number"),
        ("t,a\n0,1\n1,two\n2,3\n", {}, "my.csv, row 3, column 'a': 'two' is not a finite number"),
        ("t,a\n0,1\n\n1,inf\n2,3\n", {}, "my.csv, row 4, column 'a': 'inf' is not a finite number"),
        ("t,a\n0,1\nMay,2\n2,3\n", {}, "my.csv, row 3, column 't': 'May' is not a finite number"),
        ("t,a\n0,1\n,2\n2,3\n", {}, "my.csv, row 3, column 't': the time is missing"),
        ("t,a\n0,1\n1901,2\n1901,3\n", {}, "my.csv, row 4, column 't': 1901 follows 1901" + MUST_INCREASE),
        ("t,a\n0,1\n2,2\n1.5,3\n", {}, "my.csv, row 4, column 't': 1.5 follows 2" + MUST_INCREASE),
        ("t,a\n0,1\n1,2\n", {}, "my.csv: 2 rows of data; a series needs at least 3"),
        ("t,a\n", {}, "my.csv: 0 rows of data; a series needs at least 3"),
        ("t,a\n0,1\n1,2,7\n2,3\n", {}, "my.csv, row 3: 3 cells, but row 1 names 2 columns"),
        ("t,a\n0,1\n1\n2,3\n", {}, "my.csv, row 3: 1 cells, but row 1 names 2 columns"),
        (
            "t,a,a\n0,1,1\n1,2,2\n2,3,3\n",
            {},
            "my.csv, row 1: more than one column is named 'a'; give each its own name",
        ),
        ("0,1\n1,2\n2,3\n", {}, "my.csv, row 1: only numbers, but the first line must name the columns"),
        ("t,a\n0,x\n1,y\n2,z\n", {}, "my.csv: no column of numbers beside the time column 't'"),
        ("t,a\n0,\n1,\n2,\n", {"columns": ["a"]}, "my.csv, column 'a': every cell is missing"),
        ("t,ä\n0,1\n1,2\n2,3\n".encode("latin-1"), {}, "my.csv: not UTF-8 text (byte 0xe4); save it as UTF-8"),
        ('t,a\n0,"' + "1" * 200_000 + '"\n', {}, "my.csv, row 2: field larger than field limit (131072)"),
    ],
)
def test_a_bad_file_gets_one_line_that_names_file_row_and_column(csv_file, text, options, message):
    with pytest.raises(DataError) as caught:
        load_csv(csv_file(text), **options)
    assert str(caught.value).endswith(message)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no.csv"):
        load_csv(tmp_path / "no.csv")


def test_lynx_and_hare():
    ts, ys = lynx_hare()
    assert np.array_equal(ts, np.arange(1900, 1921)) and ys.shape == (21, 2)
    assert tuple(ys[3]) == (77.4, 35.2) and tuple(ys[-1]) == (24.7, 8.6)
    hare, lynx = ys.T
    assert ts[np.argmax(hare)] == 1903 and ts[np.argmax(lynx)] == 1904  # the predator follows its prey
    assert np.allclose(ys.sum(axis=0), [715.7, 423.5], rtol=1e-14)


# ---- toy data


def reference(field, z0, ts):
    return solve_ivp(lambda t, z: field(z), (ts[0], ts[-1]), z0, "DOP853", ts, rtol=1e-12, atol=1e-13).y.T


def test_the_spiral_solves_its_equation():
    A = np.array([[-0.1, -1.0], [1.0, -0.1]])
    ts, zs, _ = spiral(np.random.default_rng(0))
    assert ts.shape == (200,) and ts[0] == 0 and ts[-1] == 31.45 and tuple(zs[0]) == (0.6, 0.3)
    assert np.abs(zs - reference(lambda z: A @ z, zs[0], ts)).max() < 1e-10


def test_the_noise_of_the_spiral_is_what_was_asked_for():
    """Of n = 20000 normal numbers, mean and variance are within five standard errors."""
    ts, zs, noisy = spiral(np.random.default_rng(0), points=10_000, noise=0.02)
    e = (noisy - zs) / 0.02
    assert abs(e.mean()) < 5 / np.sqrt(e.size) and abs(np.mean(e * e) - 1) < 5 * np.sqrt(2 / e.size)
    assert np.array_equal(noisy, spiral(np.random.default_rng(0), 10_000, 0.02)[2])  # same seed, same bits


def test_the_cubic_spiral_solves_its_equation():
    """dx/dt = -0.1 x^3 - 2 y^3, dy/dt = 2 x^3 - 0.1 y^3, so x^4 + y^4 shrinks all the way."""
    ts, zs = cubic_spiral()
    assert ts.shape == (1000,) and ts[-1] == 25 and tuple(zs[0]) == (2, 0)
    field = lambda z: np.array([-0.1 * z[0] ** 3 - 2 * z[1] ** 3, 2 * z[0] ** 3 - 0.1 * z[1] ** 3])
    assert np.abs(zs - reference(field, zs[0], ts)).max() < 1e-7
    assert (np.diff(np.sum(zs**4, axis=1)) < 0).all()


def test_windows_are_pieces_of_the_series():
    ts = np.linspace(3, 8, 51)
    zs = np.stack([ts, -ts], axis=1)  # so a state tells its time
    z0s, window_ts, targets = windows(np.random.default_rng(0), ts, zs, length=10, batch=400)
    assert z0s.shape == (400, 2) and window_ts.shape == (10,) and targets.shape == (10, 400, 2)
    assert window_ts[0] == 0 and np.array_equal(targets[0], z0s)
    assert np.allclose(targets[:, :, 0], z0s[:, 0] + window_ts[:, np.newaxis], rtol=1e-14)
    assert set(z0s[:, 0]) == set(ts[:42])  # every start that leaves room for ten, the last one too
    assert np.array_equal(z0s, windows(np.random.default_rng(0), ts, zs, 10, 400)[0])


def test_windows_that_cannot_be_are_refused():
    ts, zs, rng = np.array([0.0, 1.0, 2.0, 4.0]), np.ones((4, 2)), np.random.default_rng(0)
    with pytest.raises(ValueError, match="equally spaced for windows, got gaps from 1 to 2"):
        windows(rng, ts, zs, 2, 3)
    for length in (0, 5):
        with pytest.raises(ValueError, match=f"length must be between 1 and the 4 observations, got {length}"):
            windows(rng, ts, zs, length, 3)
