"""Every tableau is what it says, to the last coefficient."""

import copy
import pickle
from dataclasses import FrozenInstanceError, replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.integrate import DOP853 as ScipyDOP853
from scipy.integrate import RK23, RK45
from scipy.integrate._ivp.rk import Dop853DenseOutput

from odelearn import FixedSteps, Solver
from odelearn.solvers.coefficients import BOSH3, DOP853, DOPRI5, HEUN, RK4, TABLEAUS, TSIT5
from odelearn.solvers.order_conditions import (
    TOLERANCE,
    certified_order,
    certify,
    interpolant_conditions,
    largest,
    order_conditions,
)
from odelearn.solvers.tableau import ButcherTableau, Interpolant

# fmt: off
KNOWN = {
    #        order  stages  fsal  embedded  dense
    "EULER":    (1,   1,   False,   None,    1),
    "MIDPOINT": (2,   2,   False,   None,    2),
    "HEUN":     (2,   2,   False,      1,    2),
    "RALSTON":  (2,   2,   False,      1,    2),
    "RK4":      (4,   4,   False,   None,    3),
    "RK38":     (4,   4,   False,   None,    3),
    "BOSH3":    (3,   4,    True,      2,    3),
    "DOPRI5":   (5,   7,    True,      4,    4),
    "TSIT5":    (5,   7,    True,      4,    4),
    "DOP853":   (8,  12,   False,      5,    7),
}
# fmt: on
every_tableau = pytest.mark.parametrize("tableau", TABLEAUS.values(), ids=TABLEAUS)


@every_tableau
def test_every_tableau_is_the_method_of_that_name(tableau):
    known = (tableau.order, tableau.stages, tableau.fsal, tableau.embedded_order, tableau.dense.order)
    assert known == KNOWN[tableau.name]
    assert len(TABLEAUS) == len(KNOWN)


@every_tableau
def test_all_that_a_tableau_claims_is_true_to_round_off(tableau):
    """The largest entries of A are 43, those of P 1000, and round-off grows with them."""
    of_A, of_b, *of_the_interpolant = certify(tableau).values()
    assert max(of_A, of_b) < 43 * 2 * np.finfo(float).eps
    assert max(of_the_interpolant) < TOLERANCE


@every_tableau
def test_no_tableau_is_better_than_it_says(tableau):
    assert certified_order(tableau) == tableau.order
    assert largest(interpolant_conditions(tableau, tableau.dense.order + 1)) > 0.1


@every_tableau
def test_dense_output_joins_the_steps_smoothly(tableau):
    """b(0) = 0, b(1) = b, b'(0) picks f(z) and b'(1) picks f(z_next): value and slope meet at both ends."""
    dense = tableau.dense
    b = np.append(tableau.b, np.zeros(len(dense.c)))
    at_end = tableau.stages - 1 if tableau.fsal else tableau.stages
    powers = np.arange(1, dense.P.shape[1] + 1)
    round_off = 4 * np.finfo(float).eps * np.abs(dense.P * powers).sum()
    assert np.all(dense.weights(0.0) == 0)
    assert np.abs(dense.weights(1.0) - b).max() < round_off
    assert np.abs(dense.P[:, 0] - np.eye(len(b))[0]).max() < round_off
    assert np.abs(dense.P @ powers - np.eye(len(b))[at_end]).max() < round_off
    if not tableau.fsal:
        assert np.array_equal(dense.A[0], b) and dense.c[0] == 1


def sound(tableau, claimed):
    """Does the tableau keep all that the claimed one says: its certificate, its embedded orders, first same as last?"""
    residuals = list(certify(tableau).values())
    if tableau.b_err is not None:
        residuals.append(largest(order_conditions(tableau, claimed.embedded_order, tableau.b - tableau.b_err)))
    if tableau.b_err3 is not None:
        residuals.append(largest(order_conditions(tableau, 3, tableau.b - tableau.b_err3)))
    return max(residuals) < TOLERANCE and tableau.fsal == claimed.fsal


def with_wrong_digit(tableau, **wrong):
    """Can a tableau be made of it, and is that sound?"""
    try:
        return sound(replace(tableau, **wrong), tableau)
    except ValueError:
        return False


def changed(array, *places):
    """The array with 1e-6 more at the first place and, for sums to stay what they are, 1e-6 less at the second."""
    array = array.copy()
    for place, change in zip(places, (1e-6, -1e-6), strict=False):
        array[place] += change
    return array


@every_tableau
def test_one_wrong_digit_is_caught(tableau):
    """In every coefficient on or below the diagonal, zeros included."""
    assert sound(tableau, tableau)
    for i in range(tableau.stages):
        for argument in ("b", "c", "b_err", "b_err3"):
            if (array := getattr(tableau, argument)) is not None:
                assert not with_wrong_digit(tableau, **{argument: changed(array, i)}), f"{argument}[{i}]"
        for j in range(i):
            assert not with_wrong_digit(tableau, A=changed(tableau.A, (i, j))), f"A[{i}, {j}]"


@every_tableau
def test_two_wrong_digits_that_leave_the_sums_alone_are_caught(tableau):
    """Now no row sum and no sum of weights can tell: the trees must. (b_hat of order 1 is only asked for its sum.)"""
    arguments = ["b", "b_err", "b_err3"] if tableau.embedded_order != 1 else ["b"]
    for i in range(1, tableau.stages):
        for argument in arguments:
            if (array := getattr(tableau, argument)) is not None:
                assert not with_wrong_digit(tableau, **{argument: changed(array, i, i - 1)}), f"{argument}[{i}]"
        for j in range(1, i):
            assert not with_wrong_digit(tableau, A=changed(tableau.A, (i, j), (i, j - 1))), f"A[{i}, {j}]"


@every_tableau
def test_one_wrong_digit_in_the_interpolant_is_caught(tableau):
    dense, first = tableau.dense, tableau.stages
    for place in np.ndindex(dense.P.shape):
        wrong = replace(tableau, interpolant=replace(dense, P=changed(dense.P, place)))
        assert largest(interpolant_conditions(wrong, 1)) > TOLERANCE, f"P{place}"  # sum_i b_i(x) = x alone finds it out
    for i, c_i in enumerate(dense.c):
        wrong = [{"A": changed(dense.A, (i, j))} for j in range(first + i)]
        wrong += [{"c": changed(dense.c, i)}] if c_i < 1 else []
        if dense.order > 3:  # lower ones do not ask so much of z_next that two changes could not make up for each other
            wrong += [{"A": changed(dense.A, (i, j), (i, j - 1))} for j in range(1, first + i)]
        for fields in wrong:
            assert not with_wrong_digit(tableau, interpolant=replace(dense, **fields)), fields


@pytest.mark.parametrize("ours, scipys", [(BOSH3, RK23), (DOPRI5, RK45)])
def test_tables_agree_with_scipys(ours, scipys):
    """SciPy leaves the last stage, f(z_next), out of A, b and c, and its E is b_hat - b."""
    assert np.allclose(ours.A[:-1, : scipys.A.shape[1]], scipys.A, rtol=1e-15, atol=0)
    assert np.allclose(ours.b[:-1], scipys.B, rtol=1e-15, atol=0)
    assert np.allclose(ours.c[:-1], scipys.C, rtol=1e-15, atol=0)
    assert np.allclose(-ours.b_err, scipys.E, rtol=1e-13, atol=0)
    assert np.allclose(ours.dense.P, scipys.P, rtol=1e-14, atol=1e-14)


def test_dop853_agrees_with_scipys():
    assert np.array_equal(DOP853.A, ScipyDOP853.A)
    assert np.array_equal(DOP853.b, ScipyDOP853.B)
    assert np.array_equal(DOP853.c, ScipyDOP853.C)
    assert np.array_equal(DOP853.b_err, ScipyDOP853.E5[:-1])
    assert np.allclose(DOP853.b_err3, ScipyDOP853.E3[:-1], rtol=1e-15, atol=0)
    assert np.array_equal(DOP853.dense.A[1:], ScipyDOP853.A_EXTRA)
    assert np.array_equal(DOP853.dense.c[1:], ScipyDOP853.C_EXTRA)
    assert certified_order(DOP853, DOP853.b - DOP853.b_err3) == 3


def test_dense_output_of_dop853_agrees_with_scipys():
    """The same polynomial, expanded in powers of x here and nested there, on slopes that no solution has."""
    rng = np.random.default_rng(0)
    k, h, x = rng.standard_normal((16, 3)), 0.1, rng.random(5)
    dz = h * DOP853.b @ k[:12]
    F = np.vstack([dz, h * k[0] - dz, 2 * dz - h * (k[12] + k[0]), h * ScipyDOP853.D @ k])
    scipys = Dop853DenseOutput(0.0, h, np.zeros(3), F)
    size = h * np.abs(DOP853.dense.P).sum() * np.abs(k).max()
    assert np.abs(h * DOP853.dense.weights(x) @ k - scipys(x * h).T).max() < np.finfo(float).eps * size


def test_tsit5_has_the_published_last_weight():
    assert TSIT5.b[6] - TSIT5.b_err[6] == 1 / 66


def test_the_embedded_weights_may_be_the_better_ones():
    """An Euler step that Heun's weights watch over: b_hat = b - b_err is of order 2, b + b_err would be of order 1."""
    watched = ButcherTableau("WATCHED", HEUN.A, [1, 0], HEUN.c, order=1, b_err=[1 / 2, -1 / 2])
    assert watched.embedded_order == 2


def test_hermite_is_built_for_a_tableau_without_interpolant():
    kutta3 = ButcherTableau(
        name="KUTTA3", order=3, A=[[0, 0, 0], [1 / 2, 0, 0], [-1, 2, 0]], b=[1 / 6, 2 / 3, 1 / 6], c=[0, 1 / 2, 1]
    )
    assert kutta3.dense.order == 3 and max(certify(kutta3).values()) < 1e-15
    assert replace(DOPRI5, interpolant=None).dense.order == 3
    assert kutta3.dense.weights(np.zeros((2, 5))).shape == (2, 5, 4)


def test_a_tableau_is_a_constant():
    """Its own copy of the numbers, in float64, that nobody can write to."""
    A = np.array([[0, 0], [1, 0]])
    half = Fraction(1, 2)
    tableau = ButcherTableau("HEUN", A, [half, half], [0, 1], 2, b_err=[-half, half])
    A[1, 0] = 7
    assert np.array_equal(tableau.A, HEUN.A) and tableau.A.dtype == tableau.b.dtype == float
    assert repr(tableau) == "ButcherTableau('HEUN', order=2, stages=2)"
    for array in (tableau.A, tableau.b, tableau.c, tableau.b_err, tableau.dense.P, tableau.dense.A, tableau.dense.c):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 7
    with pytest.raises(FrozenInstanceError):
        tableau.order = 3


@every_tableau
def test_tableaus_are_equal_where_all_their_numbers_are(tableau):
    """Equal tableaus have one hash. One number that differs is enough, in whatever field."""
    copies = copy.deepcopy(tableau), pickle.loads(pickle.dumps(tableau))
    for same in copies:
        assert same is not tableau and same == tableau and hash(same) == hash(tableau)
        assert Solver(same, FixedSteps(n=2)) == Solver(tableau, FixedSteps(n=2))
        if tableau.interpolant is not None:
            assert same.interpolant == tableau.interpolant and hash(same.interpolant) == hash(tableau.interpolant)
    last = tableau.stages - 1
    different = [dict(name="ANOTHER"), dict(order=tableau.order + 1), dict(c=tableau.c / 2 + 0.25)]
    if last > 0:
        different += [dict(A=changed(tableau.A, (last, 0))), dict(b=changed(tableau.b, 0, last))]
    if tableau.b_err is not None:
        different += [dict(b_err=changed(tableau.b_err, 0, last)), dict(b_err=None)]
    if tableau.interpolant is not None:
        shifted = replace(tableau.dense, P=changed(tableau.dense.P, (0, 0)))
        assert shifted != tableau.interpolant
        different += [dict(interpolant=shifted), dict(interpolant=None)]
    for fields in different:
        assert replace(tableau, **fields) != tableau
    assert tableau != tableau.name and tableau.dense != tableau


def test_a_wrong_tableau_can_be_made_and_is_found_out():
    nodes_off = replace(RK4, name="NODES_OFF", c=[0, 0, 1 / 2, 1 / 2])
    assert certify(nodes_off) == pytest.approx(
        {
            "rows of A sum to c": 1 / 2,
            "b is of order 4": 1 / 4,
            "the interpolant is of order 3": 3 / 4,
            "the interpolant ends at z_next": 0,
        },
        abs=1e-15,
    )


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"b": [1, 1]}, "MINE: b must sum to 1, got 2"),
        ({"b": [[1], [0]]}, r"MINE: b must have shape \(any,\), got \(2, 1\)"),
        ({"b": [0, "one"]}, "MINE: b must be an array of real numbers: could not convert"),
        ({"b": [0, 1j]}, "MINE: b must be an array of real numbers"),
        ({"A": [[0, 0], [1]]}, "MINE: A must be an array of real numbers"),
        ({"A": [[0, 0]]}, r"MINE: A must have shape \(2, 2\), got \(1, 2\)"),
        ({"A": [[0, 0], [1, 0.5]]}, r"MINE: A must be strictly lower triangular.*, got A\[1, 1\] = 0.5"),
        ({"A": [[0, 0], [np.nan, 0]]}, r"MINE: A must be finite, got A\[1, 0\] = nan"),
        ({"c": [0, 1.5]}, r"MINE: c must lie in \[0, 1\].*, got c\[1\] = 1.5"),
        ({"c": [0, 1, 1]}, r"MINE: c must have shape \(2,\), got \(3,\)"),
        ({"b_err": [1 / 2, 1 / 2]}, "MINE: b_err must sum to 0, got 1"),
        ({"b_err": [0]}, r"MINE: b_err must have shape \(2,\), got \(1,\)"),
        ({"order": 0}, "MINE: order must be a positive integer, got 0"),
        ({"order": "two"}, "MINE: order must be a positive integer, got 'two'"),
        ({"interpolant": RK4.dense}, r"MINE: interpolant.P must have 2 \+ 1 rows, one a stage, got 5"),
    ],
)
def test_what_no_step_could_use_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        replace(HEUN, name="MINE", **wrong)


def test_an_interpolant_checks_its_extra_stages():
    with pytest.raises(ValueError, match=r"Interpolant: A must be strictly lower triangular.*got A\[0, 2\] = 1"):
        Interpolant(P=np.ones((3, 1)), order=1, A=[[0, 0, 1]], c=[1])
    with pytest.raises(ValueError, match=r"Interpolant: A must have shape \(1, 3\), got \(1, 2\)"):
        Interpolant(P=np.ones((3, 1)), order=1, A=[[1, 0]], c=[1])


def test_a_dense_output_that_does_not_end_at_z_next_is_found_out():
    """z + x h k_1 is of order 1, and ends where Euler's step does: off by the weights of RK4, and by 1 - 1/6."""
    straight = Interpolant(P=[[1], [0], [0], [0]], order=1)
    claims = certify(replace(RK4, interpolant=straight))
    assert claims["the interpolant is of order 1"] == 0
    assert claims["the interpolant ends at z_next"] == pytest.approx(5 / 6)
    late = Interpolant(P=[[1, 1 / 6 - 1], [0, 1 / 3], [0, 1 / 3], [0, 1 / 6]], order=1)  # ends at z_next
    assert certify(replace(RK4, interpolant=late))["the interpolant ends at z_next"] < TOLERANCE


def test_rows_of_A_that_do_not_sum_to_c_are_measured():
    claims = certify(replace(RK4, c=[0, 1 / 2, 3 / 4, 1]))
    assert claims["rows of A sum to c"] == 1 / 4
