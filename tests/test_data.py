"""Files that are right are read, files that are wrong are refused in one line; toy data obey their equations."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from odelearn.datasets.cells import DataError
from odelearn.datasets.csv_series import load_csv, lynx_hare
from odelearn.datasets.digits import digits, split_folds
from odelearn.datasets.heated_room import HEATED_ROOM, as_csv, field, heated_room
from odelearn.datasets.synthetic import circles, cubic_spiral, spiral, two_moons, windows


@pytest.fixture
def csv_file(tmp_path):
    """Writes a CSV and returns its path."""

    def write(text):
        path = tmp_path / "my.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


# ---- csv files

APART = "name the column that tells them apart: --series COLUMN"
MUST_INCREASE = (
    ", but times must increase; sort the rows, and keep one for each time. If several series share the times, " + APART
)
NA = "; if it means that nothing was observed, use na=['{0}'] (--na {0})"
LATIN = "say what it is: perhaps use encoding='latin-1' (--encoding latin-1)"
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
        (GOOD, {"columns": ["note"]}, "'note': 'x' is not a finite number" + NA.format("x")),
        ("t,a\n0,1\n1,two\n2,3\n", {}, "my.csv, row 3, column 'a': 'two' is not a finite number" + NA.format("two")),
        ("t,a\n0,1\n\n1,inf\n2,3\n", {}, "my.csv, row 4, column 'a': 'inf' is not a finite number" + NA.format("inf")),
        ("t,a\n0,1\nMay,2\n2,3\n", {}, "my.csv, row 3, column 't': 'May' is not a finite number"),
        ("t,a\n0,1\n,2\n2,3\n", {}, "my.csv, row 3, column 't': the time is missing; write it, or drop the row"),
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
        (
            "t,ä\n0,1\n1,2\n2,3\n".encode("latin-1"),
            {},
            "my.csv: not UTF-8 text (byte 0xe4); save it as UTF-8, or " + LATIN,
        ),
        ('t,a\n0,"' + "1" * 200_000 + '"\n', {}, "my.csv, row 2: field larger than field limit (131072)"),
        (GOOD, {"columns": ["a", "t"]}, "my.csv: columns names 't', which is the column of times; leave it out"),
        (GOOD, {"columns": ["a", "b", "a"]}, "my.csv: columns names 'a' twice; name it once"),
        (GOOD, {"columns": []}, "my.csv: columns names no column; leave columns out to take all with numbers"),
    ],
)
def test_a_bad_file_gets_one_line_that_names_file_row_and_column(csv_file, text, options, message):
    with pytest.raises(DataError) as caught:
        load_csv(csv_file(text), **options)
    assert str(caught.value).endswith(message)


SEPARATED_BY = "my.csv, row 1: the columns are separated by {0}s; use sep='{0}' (--sep {0})"
OR_COMMA = ", or use decimal='comma' (--decimal comma)"
DECIMAL_COMMA = "'1,5' is not a finite number; write it with a decimal point: 1.5" + OR_COMMA
THOUSAND = (
    "'1,000' is not a finite number; write 1000 if the comma separates thousands; 1.000 if it is a decimal comma"
    + OR_COMMA
)
AS_IN = "; write it without separators and with a decimal point, as in 1234.5"
ISO = "is no ISO date; write year-month-day, with or without the time: 2020-01-31 18:30"
TRIALS = (
    "my.csv, row 5, column 't': the time starts again, 0 follows 2; if several series stand below one another (rows 2 "
    f"to 4 are the first), {APART}; if not, sort the rows"
)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("t;a\n0;1\n1;2\n2;3\n", {}, SEPARATED_BY.format("semicolon")),
        ('"t";"a b";c\n0;1,5;2\n1;2,5;2\n2;3,5;2\n', {}, SEPARATED_BY.format("semicolon")),
        ("t;a, in m;b;c\n0;1;2;3\n", {}, SEPARATED_BY.format("semicolon")),
        ("t\ta\n0\t1\n1\t2\n2\t3\n", {}, SEPARATED_BY.format("tab")),
        ("t a\n0 1\n1 2\n2 3\n", {}, SEPARATED_BY.format("blank")),
        ('t,a\n0,1\n1,"1,5"\n2,3\n', {}, f"my.csv, row 3, column 'a': {DECIMAL_COMMA}"),
        ('t,a,b\n0,1,"1,5"\n1,2,"1,5"\n2,3,"1,5"\n', {}, f"my.csv, row 2, column 'b': {DECIMAL_COMMA}"),
        ('t,a\n"1,5",1\n"2,5",2\n"3,5",3\n', {}, f"my.csv, row 2, column 't': {DECIMAL_COMMA}"),
        (
            "t,a\n0,1,5\n1,2,5\n2,3,5\n",
            {},
            "write a point: 1.5, or separate columns by semicolons, and use decimal='comma' (--decimal comma)",
        ),
        ('t,a\n0,1\n1,"1,000"\n2,3\n', {}, f"my.csv, row 3, column 'a': {THOUSAND}"),
        ('t,a\n0,1\n1,"-1,234,567.5"\n2,3\n', {}, f"not a finite number{AS_IN}"),
        ('t,a\n0,1\n1,"1.234,5"\n2,3\n', {}, f"not a finite number{AS_IN}"),
        ("t,a\n0,1\n1,2_5\n2,3\n", {}, f"'2_5' is not a finite number{AS_IN}"),
        ("t,a\n0,1\n1,1 000\n2,3\n", {}, f"'1 000' is not a finite number{AS_IN}"),
        ("t,a\n0,2_5\n1,2_5\n2,2_5\n", {}, f"'2_5' is not a finite number{AS_IN}"),
        (
            "t,a\n0,1\n1,\u0661\n2,3\n",
            {},
            "'\u0661' is not a finite number" + NA.format("\u0661"),
        ),  # float() reads Arabic digits
        ("day,a\n5.1.2020 10:30,1\n6.1.2020,2\n7.1.2020,3\n", {}, f"column 'day': '5.1.2020 10:30' {ISO}"),
        ("t,a\n0,1\n1,2\n2,3\n0,1\n1,2\n2,3\n", {}, TRIALS),
        ("t,a\n0,1\n1,2\n1,3\n2,4\n", {}, "1 follows 1" + MUST_INCREASE),
        ("t,a\n2,1\n1,2\n0,3\n", {}, "1 follows 2" + MUST_INCREASE),
    ],
)
def test_a_file_in_another_notation_gets_a_line_that_names_the_remedy(csv_file, text, options, message):
    with pytest.raises(DataError) as caught:
        load_csv(csv_file(text), **options)
    assert str(caught.value).endswith(message)


def test_names_may_have_blanks(csv_file):
    _, _, names = load_csv(csv_file("time in days,hares per year,a b c\n0,1,2\n1,2,3\n2,3,4\n"))
    assert names == ["hares per year", "a b c"]


def test_text_beside_the_numbers_is_left_out_dates_too(csv_file):
    _, ys, names = load_csv(csv_file("t,day,a\n0,2020-01-05,1\n1,2020-01-06,2\n2,5.1.2020,3\n"))
    assert names == ["a"] and np.array_equal(ys, [[1], [2], [3]])


@pytest.mark.parametrize("cell", ["7", "+7", "-7.", ".7", "7e-3", "7.5E+2"])
def test_numbers_in_all_their_spellings(csv_file, cell):
    _, ys, _ = load_csv(csv_file(f"t,a\n0,{cell}\n1,2\n2,3\n"))
    assert ys[0, 0] == float(cell)


def test_columns_must_be_a_list(csv_file):
    with pytest.raises(TypeError, match=r"columns must be a list of names, got the string 'ab'; write \['ab'\]"):
        load_csv(csv_file(GOOD), columns="ab")


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


# ---- the heated room


def test_the_file_of_the_heated_room_is_what_its_command_makes():
    with open(HEATED_ROOM, newline="") as file:
        assert file.read() == as_csv(heated_room(np.random.default_rng(2018)))


def room_of(ts, us, z0):
    """The air of a room that begins with air and walls z0; by SciPy, in short steps, as inputs have corners."""
    f = lambda t, z: field(z, t, ts, *us.T)
    return solve_ivp(f, ts[[0, -1]], z0, t_eval=ts, max_step=0.1, rtol=1e-9, atol=1e-9).y[0]


def test_the_heated_room_obeys_its_equations():
    """Without noise; they are linear in the first value of the walls, which is not known, from 2 below to 1 above."""
    for ts, ys, us in heated_room(np.random.default_rng(3), days=3, noise=0.0):
        low, high = (room_of(ts, us, [ys[0, 0], ys[0, 0] + walls]) for walls in (-2, 1))
        part = (ys[:, 0] - low) @ (high - low) / np.sum((high - low) ** 2)
        assert 0 <= part <= 1 and np.abs(low + part * (high - low) - ys[:, 0]).max() < 2e-3


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
    default = spiral(np.random.default_rng(0), points=10_000)[2] - zs
    assert np.allclose(default / 0.01, e, rtol=1e-9, atol=1e-9)
    assert abs(e.mean()) < 5 / np.sqrt(e.size) and abs(np.mean(e * e) - 1) < 5 * np.sqrt(2 / e.size)
    assert np.array_equal(noisy, spiral(np.random.default_rng(0), 10_000, 0.02)[2])  # same seed, same bits


def test_the_cubic_spiral_solves_its_equation():
    """dx/dt = -0.1 x^3 - 2 y^3, dy/dt = 2 x^3 - 0.1 y^3, so x^4 + y^4 shrinks all the way."""
    ts, zs = cubic_spiral()
    assert ts.shape == (1000,) and ts[0] == 0 and ts[-1] == 25 and tuple(zs[0]) == (2, 0)
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


@pytest.mark.parametrize("make", [spiral, lambda rng: windows(rng, np.arange(5.0), np.ones(5), 2, 1)])
def test_a_seed_is_no_generator(make):
    with pytest.raises(TypeError, match=r"rng must be a numpy Generator, such as np.random.default_rng\(0\), got 7"):
        make(7)


def test_the_shortest_windows_and_the_longest():
    ts, zs = np.arange(5.0), np.arange(5.0) ** 2
    z0s, window_ts, targets = windows(np.random.default_rng(0), ts, zs, length=1, batch=2)
    assert np.array_equal(targets, [z0s]) and np.array_equal(window_ts, [0])
    z0s, window_ts, targets = windows(np.random.default_rng(0), ts, zs, length=5, batch=1)
    assert np.array_equal(targets[:, 0], zs) and np.array_equal(window_ts, ts) and z0s == [0]


def test_gaps_may_differ_by_round_off_and_no_more():
    ts = np.arange(5.0)
    for off, allowed in ((0.9e-6, True), (1.1e-6, False), (-1.1e-6, False)):
        moved = ts + off * (ts == 4)
        if allowed:
            windows(np.random.default_rng(0), moved, ts, 2, 1)
        else:
            with pytest.raises(ValueError, match="equally spaced"):
                windows(np.random.default_rng(0), moved, ts, 2, 1)


def test_windows_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="ts and zs must be of one length, got 4 and 3"):
        windows(np.random.default_rng(0), np.arange(4.0), np.ones((3, 2)), 2, 3)
    with pytest.raises(ValueError, match="batch must be at least 1, got 0"):
        windows(np.random.default_rng(0), np.arange(4.0), np.ones((4, 2)), 2, 0)
    ts, zs, rng = np.array([0.0, 1.0, 2.0, 4.0]), np.ones((4, 2)), np.random.default_rng(0)
    with pytest.raises(ValueError, match="equally spaced for windows, got gaps from 1 to 2"):
        windows(rng, ts, zs, 2, 3)
    for length in (0, 5):
        with pytest.raises(ValueError, match=f"length must be between 1 and the 4 observations, got {length}"):
            windows(rng, ts, zs, length, 3)


# ---- points in the plane, and digits


def test_without_noise_the_moons_are_half_circles():
    points, labels = two_moons(np.random.default_rng(0), 2001, noise=0.0)
    assert np.bincount(labels).tolist() == [1001, 1000]
    upper, lower = points[labels == 0], points[labels == 1]
    assert np.allclose(np.hypot(*upper.T), 1, rtol=1e-14) and (upper[:, 1] >= 0).all()
    assert np.allclose(np.hypot(*(lower - [1, 0.5]).T), 1, rtol=1e-14) and (lower[:, 1] <= 0.5).all()
    for moon, side in (upper, 1), (lower - [1, 0.5], -1):  # the mean of sin s is 2 / pi, its variance 1/2 - 4 / pi^2
        assert abs(side * moon[:, 1].mean() - 2 / np.pi) < 5 * np.sqrt((0.5 - 4 / np.pi**2) / len(moon))
        assert abs(moon[:, 0].mean()) < 5 * np.sqrt(0.5 / len(moon))


def test_the_circles_have_their_radii_and_the_angle_is_uniform():
    points, labels = circles(np.random.default_rng(0), 4000, noise=0.0)
    assert np.allclose(np.hypot(*points.T), np.where(labels == 0, 1, 0.5), rtol=1e-14)
    for power in 1, 2:  # the means of cos and sin of s, and of 2 s, are 0
        w = (points @ [1, 1j] / np.hypot(*points.T)) ** power
        assert abs(w.mean()) < 5 / np.sqrt(4000)


@pytest.mark.parametrize("make", [two_moons, circles])
def test_points_have_the_noise_that_was_asked_for_and_are_the_same_for_the_same_seed(make):
    points, labels = make(np.random.default_rng(3), 10_000, 0.2)
    e = (points - make(np.random.default_rng(3), 10_000, 0.0)[0]) / 0.2
    assert abs(e.mean()) < 5 / np.sqrt(e.size) and abs(np.mean(e * e) - 1) < 5 * np.sqrt(2 / e.size)
    again, labels_again = make(np.random.default_rng(3), 10_000, 0.2)
    assert np.array_equal(points, again) and np.array_equal(labels, labels_again)
    assert 0.4 < labels[:5000].mean() < 0.6  # in random order


@pytest.mark.parametrize("make", [two_moons, circles])
def test_points_that_cannot_be_are_refused(make):
    with pytest.raises(TypeError, match="rng must be a numpy Generator"):
        make(0, 10)
    for n, noise in (-1, 0.1), (10, -0.1), (10, np.nan):
        with pytest.raises(ValueError, match=f"must not be negative, got n = {n}, noise = {noise}"):
            make(np.random.default_rng(0), n, noise)


def test_the_digits_are_those_of_uci():
    """The number of images of each class is that in UCI's description of optdigits.tes."""
    images, labels = digits()
    assert images.shape == (1797, 8, 8) and images.dtype == np.float64
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert np.array_equal(np.unique(16 * images), np.arange(17))
    zero = """
        0  0  5 13  9  1  0  0
        0  0 13 15 10 15  5  0
        0  3 15  2  0 11  8  0
        0  4 12  0  0  8  8  0
        0  5  8  0  0  9  8  0
        0  4 11  0  1 12  7  0
        0  2 14  5 10 12  0  0
        0  0  6 13 10  0  0  0"""
    assert np.array_equal(16 * images[0], np.array(zero.split(), float).reshape(8, 8))  # the first line of that file


@pytest.mark.parametrize(("n", "k"), [(1797, 5), (10, 10), (7, 2)])
def test_folds_are_a_partition(n, k):
    folds = split_folds(np.random.default_rng(1), n, k)
    assert len(folds) == k and sorted(np.concatenate([test for _, test in folds])) == list(range(n))
    for train, test in folds:
        assert sorted(np.concatenate([train, test])) == list(range(n)) and len(test) in (n // k, n // k + 1)
    assert not np.array_equal(folds[0][1], split_folds(np.random.default_rng(2), n, k)[0][1])


@pytest.mark.parametrize("k", [1, 6])
def test_folds_that_cannot_be_are_refused(k):
    with pytest.raises(ValueError, match=f"k must be between 2 and n = 5, got {k}"):
        split_folds(np.random.default_rng(0), 5, k)
