"""Every rule, and the rule of its rule, against derivatives that know nothing of the tape: one row a function."""

import operator

import numpy as np
import pytest

from odelearn.autodiff import rules, rules_arrays
from odelearn.autodiff.rules_linalg import logabsdet
from odelearn.autodiff.tape import grad, jacobian, vjp
from odelearn.autodiff.tracer import COMPOSED, RULES, Traced

rng = np.random.default_rng(1)
KNOTS = np.array([-1.0, -0.4, 0.1, 0.6, 1.2])  # none is close to an entry of M
S = np.float64(0.7)  # a scalar
V, W = rng.normal(size=3), rng.normal(size=3)
M, N = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
X, Y = rng.normal(size=(2, 3, 4)), rng.normal(size=(3, 4))  # Y broadcasts to X
P, Q = 0.3 + rng.random((2, 3)), 1.5 + rng.random((2, 1))  # positive; Q broadcasts to P
U = rng.uniform(-0.9, 0.9, (2, 3))
A, B = np.eye(3) + 0.3 * rng.normal(size=(2, 3, 3)), rng.normal(size=(3, 3))
ZEROS = np.array([[1.2, 0.0, -0.7, 0.0, 0.4], [0.0, 2.0, 1.0, -3.0, 0.5]])  # products with one and with two zeros
PICK = np.array([2, 0, 2, 1, 2])  # entry 2 three times: its cotangents add up
MASK = M > 0

# fmt: off
ANALYTIC = [  # these take complex numbers, so the complex step gives their derivatives to round-off
    (np.positive,   lambda x: +x * x,                            M),
    (np.negative,   lambda x: -x * x,                            M),
    (np.square,     np.square,                                   M),
    (np.sqrt,       np.sqrt,                                     P),
    (np.reciprocal, np.reciprocal,                               P),
    (np.exp,        np.exp,                                      M),
    (np.exp2,       np.exp2,                                     M),
    (np.expm1,      np.expm1,                                    M),
    (np.log,        np.log,                                      P),
    (np.log2,       np.log2,                                     P),
    (np.log10,      np.log10,                                    P),
    (np.log1p,      np.log1p,                                    P),
    (np.sin,        np.sin,                                      M),
    (np.cos,        np.cos,                                      M),
    (np.tan,        np.tan,                                      U),
    (np.arcsin,     np.arcsin,                                   U),
    (np.arccos,     np.arccos,                                   U),
    (np.arctan,     np.arctan,                                   U),
    (np.sinh,       np.sinh,                                     M),
    (np.cosh,       np.cosh,                                     M),
    (np.tanh,       np.tanh,                                     M),
    (np.arcsinh,    np.arcsinh,                                  M),
    (np.arccosh,    lambda x: np.arccosh(1 + x),                 P),
    (np.arctanh,    np.arctanh,                                  U),

    (np.add,        np.add,                                      X, Y),
    (np.add,        lambda x, y: (2 + x) + (y + 1.5),            V, Q),
    (np.subtract,   np.subtract,                                 Y, X),
    (np.subtract,   lambda x, y: (2 - x) - (y - 1.5),            Q, V),
    (np.multiply,   np.multiply,                                 X, Y),
    (np.multiply,   lambda x, y: (2 * x) * (y * 1.5),            M, S),
    (np.divide,     np.divide,                                   M, Q),
    (np.divide,     lambda x, y: (2 / x) / (y / 1.5),            Q, P),
    (np.power,      np.power,                                    P, Q),
    (np.power,      lambda x: x**3 + 2**x,                       M),
    (np.power,      lambda x: x**-2 + x**0.5,                    P),
    (np.power,      lambda x: x ** np.array([0, 1, 2]),          M),
    (np.maximum,    np.maximum,                                  M, V),
    (np.minimum,    np.minimum,                                  M, V),
    (np.clip,       lambda x: np.clip(x, a_min=-0.5, a_max=None) + np.clip(x, None, 0.5),          M),
    (np.clip,       lambda x, low, high: np.clip(x, low, high),  X, Y - 0.5, Y + 0.5),
    (np.clip,       lambda x: x.clip(-0.5, 0.5),                 M),
    (np.where,      lambda x, y: np.where(MASK, x, y),           M, V),
    (np.where,      lambda x, y: np.where(x > 0, x * y, y),      M, S),

    (np.sum,        np.sum,                                      M),
    (np.sum,        lambda x: x.sum(-1),                         X),
    (np.sum,        lambda x: np.sum(x, axis=(0, -1), keepdims=True),                  X),
    (np.add.reduce, np.add.reduce,                               X),
    (np.mean,       lambda x: x.mean(),                          M),
    (np.mean,       lambda x: np.mean(x, axis=(0, 2)),           X),
    (np.mean,       lambda x: np.mean(x, -2, keepdims=True),     X),
    (np.prod,       lambda x: x.prod(),                          M),
    (np.prod,       lambda x: np.prod(x, axis=1),                ZEROS),
    (np.prod,       lambda x: np.prod(x, (0, -1), keepdims=True), X),
    (np.multiply.reduce, np.multiply.reduce,                     X),
    (np.cumsum,     lambda x: x.cumsum(),                        M),
    (np.cumsum,     lambda x: np.cumsum(x, axis=-2),             X),
    (np.add.accumulate, np.add.accumulate,                       X),
    (np.max,        lambda x: x.max(),                           M),
    (np.max,        lambda x: np.max(x, axis=-1),                X),
    (np.max,        lambda x: np.max(x, axis=(0, 2), keepdims=True), X),
    (np.amax,       lambda x: np.amax(x, axis=1),                M),
    (np.maximum.reduce, np.maximum.reduce,                       M),
    (np.min,        lambda x: x.min(axis=1),                     X),
    (np.amin,       lambda x: np.amin(x),                        M),
    (np.minimum.reduce, np.minimum.reduce,                       M),

    (np.reshape,    lambda x: np.reshape(x, (4, -1)) * x.reshape(4, 6),                X),
    (np.ravel,      lambda x: np.ravel(x) * x.flatten(),         M),
    (np.squeeze,    lambda x: np.squeeze(x[:, None], axis=1) * x[None].squeeze(),      M),
    (np.expand_dims, lambda x: np.expand_dims(x, (0, -1)),       M),
    (np.broadcast_to, lambda x: np.broadcast_to(x, (2, 3, 4)),   Y),
    (np.broadcast_to, lambda x: np.broadcast_to(x, (2, 2, 5)),   Q),
    (np.broadcast_arrays, lambda x, y: operator.mul(*np.broadcast_arrays(x, y)),       X, Y),
    (np.transpose,  lambda x: np.transpose(x, (1, -1, 0)) * x.transpose(1, 2, 0),      X),
    (np.transpose,  lambda x: x.T * x.transpose(),               X),
    (np.transpose,  lambda x: x.transpose((2, 0, 1)) * x.reshape((4, 2, 3)),           X),
    (np.matrix_transpose, lambda x: np.matrix_transpose(x) * x.mT, X),
    (np.swapaxes,   lambda x: np.swapaxes(x, 0, -1),             X),
    (np.moveaxis,   lambda x: np.moveaxis(x, (0, 1), (-1, 0)),   X),
    (np.flip,       lambda x: np.flip(x) * np.flip(x, (0, 2)),   X),
    (np.copy,       lambda x: np.copy(x) * x.copy(),             M),
    (np.atleast_1d, lambda x: np.atleast_1d(x),                  S),
    (np.atleast_1d, lambda x: np.atleast_1d(x),                  V),
    (np.atleast_2d, lambda x: np.atleast_2d(x) * np.atleast_2d(np.atleast_2d(x)),      V),
    (np.full_like,  lambda x: np.full_like(x, x[0, 1]) * x,      M),

    (np.stack,      lambda x, y: np.stack([x, y, x * y]),        M, N),
    (np.stack,      lambda x, y: np.stack([x, N, y], axis=-1),   M, V.reshape(1, 3) + N),
    (np.concatenate, lambda x, y: np.concatenate([x, M, y]),     M, W.reshape(1, 3)),
    (np.concatenate, lambda x, y: np.concatenate([x, y, x], axis=-1),                  M, Q),
    (np.concatenate, lambda x, y: np.concatenate([x, y], axis=None),                   M, V),
    (np.split,      lambda x: operator.mul(*np.split(x, 2, axis=-1)),                  X),
    (np.split,      lambda x: np.split(x, [1, 2], axis=1)[1],    X),
    (np.split,      lambda x: operator.mul(*np.split(x, 2)),     M),
    (np.split,      lambda x: sum(i * part**i for i, part in enumerate(np.split(x, 4, axis=-1), 1)), X),
    (np.split,      lambda x: np.split(x, np.int64(3))[2] * np.split(x, 1)[0],         V),
    (np.hstack,     lambda x, y: np.hstack([x, y]),              M, Q),
    (np.hstack,     lambda x, y: np.hstack([x, y]),              V, S),
    (np.vstack,     lambda x, y: np.vstack([x, y]),              M, V),
    (np.column_stack, lambda x, y: np.column_stack([x, y]),      M, Q[:, 0]),

    (operator.getitem, lambda x: x[1] * x[-1, None, ..., 2:0:-1].sum(),                X),
    (operator.getitem, lambda x: x[:, PICK] * x[0, PICK],        M),
    (operator.getitem, lambda x: x[PICK[:, None], [1, 0]],       B),
    (operator.getitem, lambda x: x[MASK],                        M),
    (operator.getitem, lambda x: sum(row * row for row in x),    M),
    (rules_arrays.scatter, lambda a: rules_arrays.scatter(a, PICK, (3, 4)),            rng.normal(size=(5, 4))),
    (rules_arrays.scatter, lambda a: rules_arrays.scatter(a, (slice(1, 3), None), (4, 4)), rng.normal(size=(2, 1, 4))),
    (np.roll,       lambda x: np.roll(x, (1, -2), axis=(0, 2)),  X),
    (np.rot90,      lambda x: np.rot90(x, 3),                    X),
    (np.fliplr,     lambda x: np.fliplr(x),                      X),
    (np.flipud,     lambda x: np.flipud(x),                      X),
    (np.repeat,     lambda x: x.repeat([1, 0, 2], axis=1),       M),
    (np.tile,       lambda x: np.tile(x, (2, 1, 3)),             M),
    (np.take,       lambda x: x.take(PICK, axis=-1),             M),
    (np.take_along_axis, lambda x: np.take_along_axis(x, np.argsort(x, axis=1), axis=1), M),
    (np.delete,     lambda x: np.delete(x, 1, axis=1),           M),
    (np.diagonal,   lambda x: x.diagonal(1, -2, -1),             A),
    (np.diag,       lambda x: np.diag(x, -1) @ np.diag(np.diag(x, 1)), B),
    (np.diag,       lambda x: np.diag(x, 1),                     V),
    (np.diag,       np.diag,                                     B),
    (np.trace,      lambda x: x.trace() * np.trace(x, 1, 0, 2),  A),
    (np.tril,       lambda x: np.tril(x, -1) + np.tril(x),       A),
    (np.triu,       lambda x: np.triu(x, 1) + np.triu(x),        A),
    (np.diff,       lambda x: np.diff(x),                        V),
    (np.diff,       lambda x: np.diff(x, 2, axis=1),             X),
    (np.diff,       lambda x: np.diff(x, n=3),                   X),
    (np.pad,        lambda x: np.pad(x, ((1, 0), (2, 3))),       M),
    (np.pad,        lambda x: np.pad(x, 2, constant_values=7.0), M),
    (np.pad,        lambda x: np.pad(x, (2, 1), mode="wrap") * np.pad(x, (1, 2), mode="edge"), M),

    (np.matmul,     lambda x, y: x @ y,                          V, W),
    (np.matmul,     lambda x, y: x @ y,                          M, V),
    (np.matmul,     lambda x, y: x @ y,                          V, M.T),
    (np.matmul,     lambda x, y: x @ y,                          M, B),
    (np.matmul,     lambda x, y: x @ y,                          A, B),
    (np.matmul,     lambda x, y: x @ y,                          M, A[:, None]),
    (np.matmul,     lambda x, y: x @ y,                          A, V),
    (np.matmul,     lambda x, y: x @ y,                          V, A),
    (np.dot,        np.dot,                                      S, M),
    (np.dot,        np.dot,                                      M, S),
    (np.dot,        np.dot,                                      V, W),
    (np.dot,        np.dot,                                      M, Y),
    (np.dot,        lambda x: x.dot(Y).dot(x),                  rng.normal(size=(4, 3))),
    (np.dot,        lambda x, y: np.dot(x, y),                   A, V),
    (np.dot,        lambda x, y: np.dot(x, y),                   M, A),
    (np.outer,      np.outer,                                    M, V),
    (np.inner,      np.inner,                                    A, M),
    (np.inner,      np.inner,                                    M, rng.normal(size=(2, 4, 3))),
    (np.inner,      np.inner,                                    S, M),
    (np.inner,      np.inner,                                    M, S),
    (np.tensordot,  lambda x, y: np.tensordot(x, y),             X, Y),
    (np.tensordot,  lambda x, y: np.tensordot(x, y, axes=([0, -1], [1, 0])),           X, rng.normal(size=(4, 2, 3))),
    (np.tensordot,  lambda x, y: np.tensordot(x, y, axes=0),     M, V),
    (np.einsum,     lambda x, y: np.einsum("bij,ij->b", x, y),   X, Y),
    (np.einsum,     lambda x, y: np.einsum("bij, kj", x, y),     X, Y),
    (np.einsum,     lambda x, y: np.einsum("...ij,...j->...i", x, y),                  X, rng.normal(size=(5, 1, 4))),
    (np.einsum,     lambda x, y: np.einsum("...i,...ij", x, y),  V, A),
    (np.einsum,     lambda x, y: np.einsum("...j,jk", x, y),     X, rng.normal(size=(4, 2))),
    (np.einsum,     lambda x, y: np.einsum("ij,kl->k", x, y, optimize=True),           M, N),
    (np.einsum,     lambda x, y, z: np.einsum("i,ij,j->", x, y, z),                    V, B, W),
    (np.einsum,     lambda x: np.einsum("ii->", x) * np.einsum("ii->i", x),            B),
    (np.einsum,     lambda x: np.einsum("iji,j", x, V[:2]),      rng.normal(size=(3, 2, 3))),
    (np.linalg.solve, np.linalg.solve,                           A, V),
    (np.linalg.solve, np.linalg.solve,                           A[0], B),
    (np.linalg.solve, np.linalg.solve,                           A, B),
    (np.linalg.inv, np.linalg.inv,                               A),
    (np.linalg.det, np.linalg.det,                               A),
]
REAL = [  # these know no complex numbers: central differences
    (np.cbrt,       np.cbrt,                                     P),
    (np.absolute,   lambda x: np.abs(x) * abs(x),                M),
    (np.hypot,      np.hypot,                                    M, V),
    (np.arctan2,    np.arctan2,                                  M, V),
    (np.logaddexp,  np.logaddexp,                                M, Q),
    (np.interp,     lambda x, xp, fp: np.interp(x, xp, fp),      M, KNOTS, np.cos(3 * KNOTS)),
    (np.interp,     lambda x, xp, fp: np.interp(3 * x, xp, fp),  M, KNOTS, np.cos(3 * KNOTS)),  # beyond the ends too
    (np.remainder,  lambda x, y: (x % y) * np.remainder(3 * x, y), M, Q),
    (np.var,        lambda x: np.var(x, axis=1, ddof=1),         X),
    (np.var,        lambda x: x.var(),                           M),
    (np.std,        lambda x: x.std(axis=(0, 2), keepdims=True), X),
    (np.vdot,       np.vdot,                                     M, N),
    (np.linalg.norm, lambda x: np.linalg.norm(x),                M),
    (np.linalg.norm, lambda x: np.linalg.norm(x, axis=-1, keepdims=True), X),
    (np.linalg.norm, lambda x: np.linalg.norm(x, "fro", axis=(0, 2)), X),
    (np.linalg.norm, lambda x: np.linalg.norm(x, 1) * np.linalg.norm(x, np.inf) * np.linalg.norm(x, 2), V),
    (np.linalg.slogdet, lambda x: np.linalg.slogdet(x)[1],       A),
    (logabsdet,     lambda x: np.linalg.slogdet(-x).logabsdet,   A),
]
CONSTANT = [  # derivative zero: ordinary results
    *[(fun, fun, M) for fun in (
        np.shape, np.ndim, np.size, np.result_type, np.isrealobj, np.iscomplexobj, np.zeros_like, np.ones_like,
        np.isfinite, np.isinf, np.isnan, np.signbit, np.logical_not, np.any, np.all, np.argmax, np.argmin, np.argsort,
        np.nonzero, np.count_nonzero, np.sign, np.floor, np.ceil, np.rint, np.trunc, np.round)],
    *[(fun, fun, M, N) for fun in (
        np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal, np.array_equal, np.isclose,
        np.allclose, np.logical_and, np.logical_or, np.floor_divide, np.heaviside)],
    *[(op, op, M, N) for op in (
        operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge, operator.floordiv)],
    (operator.floordiv, lambda x: 2 // x, M),
    (np.empty_like, lambda x: np.empty_like(x).shape, M),
    (np.searchsorted, lambda x, y: np.searchsorted(x, y), np.sort(V), W),
    (np.where, lambda x: np.where(x > 0)[0], M), (np.where, lambda x: np.where(x)[1], ZEROS),
    (np.where, lambda x: np.where(x, 1.0, 2.0), MASK + 0.0),
    (len, len, M),
    (bool, bool, S), (bool, bool, 0 * S), (round, lambda x: x.round(1), M), (any, lambda x: x.any() and not x.all(), M),
    (np.argmax, lambda x: x.argmax(0) - x.argmin(), M), (int, lambda x: x.astype(int), M),
]
# fmt: on


def complex_step(fun, xs, vs, h=1e-30):
    """d/ds fun(x + s v) at s = 0, without subtraction: the imaginary part of fun(x + i h v), over h."""
    return fun(*[x + 1j * h * v for x, v in zip(xs, vs, strict=True)]).imag / h


def central_difference(fun, xs, vs, h=1e-5):
    """d/ds fun(x + s v) at s = 0, up to h^2 and round-off / h."""
    ahead, behind = (fun(*[x + s * v for x, v in zip(xs, vs, strict=True)]) for s in (h, -h))
    return (ahead - behind) / (2 * h)


def check(fun, xs, derivative, rtol, order=2):
    """<a, J v> = <J^T a, v> for fun, and for its own pullback, as a function of a and xs."""
    rng = np.random.default_rng(order)  # of its own: a new row changes nothing for the others
    y, pullback = vjp(fun, *xs)
    np.testing.assert_allclose(y, fun(*xs), rtol=1e-14, atol=1e-14)
    a, vs = rng.normal(size=np.shape(y)), [rng.normal(size=np.shape(x)) for x in xs]
    a_xs, Jv = pullback(a), derivative(fun, xs, vs)
    terms = [np.sum(a_x * v) for a_x, v in zip(a_xs, vs, strict=True)]
    size = sum(map(abs, terms)) + np.sum(np.abs(a * Jv)) + 1
    assert abs(np.sum(a * Jv) - sum(terms)) < rtol * size
    assert [np.shape(a_x) for a_x in a_xs] == [np.shape(x) for x in xs]
    for i, x in enumerate(xs):  # with the other arguments left untraced
        _, alone = vjp(lambda x, i=i: fun(*xs[:i], x, *xs[i + 1 :]), x)
        np.testing.assert_allclose(alone(a)[0], a_xs[i], rtol=1e-14, atol=1e-14)
    if order == 1:
        return
    assert all(np.any(a_x) for a_x in a_xs)
    ws = [rng.normal(size=np.shape(x)) for x in xs]

    def pulled_back(a, *xs):
        return sum(np.sum(w * a_x) for w, a_x in zip(ws, vjp(fun, *xs)[1](a), strict=True))

    check(pulled_back, [a, *xs], derivative, rtol, order - 1)


def label(row):
    return getattr(row, "__name__", None)


@pytest.mark.parametrize("row", ANALYTIC, ids=lambda row: label(row[0]))
def test_rule_and_its_rule_meet_the_complex_step(row):
    _, fun, *xs = row
    check(fun, xs, complex_step, rtol=1e-13)


@pytest.mark.parametrize("row", REAL, ids=lambda row: label(row[0]))
def test_rule_and_its_rule_meet_central_differences(row):
    _, fun, *xs = row
    check(fun, xs, central_difference, rtol=1e-8)


@pytest.mark.parametrize("row", CONSTANT, ids=lambda row: label(row[0]))
def test_functions_of_zero_derivative_give_ordinary_results(row):
    _, fun, *xs = row
    results = []
    vjp(lambda *xs: results.append(fun(*xs)) or 0.0, *xs)
    assert not isinstance(results[0], Traced)
    np.testing.assert_equal(results[0], fun(*xs))


@pytest.mark.parametrize("row", ANALYTIC + REAL, ids=lambda row: label(row[0]))
def test_single_precision_stays_single(row):
    """In the rule, and in the rule of the rule, whose results nothing casts before they come out."""
    _, fun, *xs = row
    xs = [np.float32(x) for x in xs]
    if fun(*xs).dtype != np.float32:
        pytest.skip("the function brings numbers in double precision of its own")
    ws = [np.ones_like(x) for x in xs]

    def pulled_back(a, *xs):
        a_xs = vjp(fun, *xs)[1](a)
        assert {a_x.dtype for a_x in a_xs} == {np.dtype(np.float32)}
        return sum(np.sum(w * a_x) for w, a_x in zip(ws, a_xs, strict=True))

    y, pullback = vjp(pulled_back, np.ones_like(fun(*xs)), *xs)
    assert y.dtype == np.float32


def test_every_function_the_tape_knows_has_its_row():
    known = RULES.keys() | COMPOSED.keys()
    assert known <= {row[0] for row in ANALYTIC + REAL + CONSTANT}


# fmt: off
@pytest.mark.parametrize("fun, x, expected", [
    (lambda x: np.max(x),                          [1, 3, 3, 2],    [0, 0.5, 0.5, 0]),
    (lambda x: np.sum(np.min(x, axis=1)),          [[1, 1], [2, 0]], [[0.5, 0.5], [0, 1]]),
    (lambda x: np.sum(np.maximum(x, 1.0)),         [0, 1, 2],       [0, 0.5, 1]),
    (lambda x: np.sum(np.minimum(1.0, x)),         [0, 1, 2],       [1, 0.5, 0]),
    (lambda x: np.sum(np.maximum(x, x)),           [0, 1],          [1, 1]),
    (lambda x: np.sum(abs(x)),                     [-2, 0, 3],      [-1, 0, 1]),
    (lambda x: np.sum(x**0 + 2 * x),               [0, 1],          [2, 2]),
    (lambda x: np.sum(np.zeros(2) ** (x + 1)),     [1, 2],          [0, 0]),
    (lambda x: np.sum(x ** np.array([0, 1])),      [0, 0],          [0, 1]),
    (lambda x: np.linalg.norm(x) + np.sum(x),      [0, 0],          [1, 1]),
    (lambda x: np.linalg.norm(x, np.inf),          [3, -4],         [0, -1]),
])
# fmt: on
def test_kinks_and_corners(fun, x, expected):
    """Ties share the derivative, |x| and |x|_2 have slope 0 at 0, and a power of exponent 0 has slope 0 everywhere."""
    np.testing.assert_allclose(grad(fun)(np.array(x, float)), expected, rtol=1e-15)


@pytest.mark.parametrize("fun", [np.abs, np.sign, np.linalg.norm, np.var, lambda x: np.vdot(x, x), np.linalg.slogdet])
def test_what_is_not_holomorphic_has_no_complex_derivative(fun):
    with pytest.raises(TypeError, match="of complex values has no complex derivative"):
        vjp(fun, A[0] + 0j)


# fmt: off
@pytest.mark.parametrize("fun, error, message", [
    (np.fft.fft,                                        TypeError,  r"no rule for np\.fft\.fft: .* odelearn\.custom"),
    (np.sort,                                           TypeError,  r"no rule for np\.sort"),
    (np.spacing,                                        TypeError,  r"no rule for np\.spacing"),
    (lambda x: np.multiply.outer(x, M),                 TypeError,  r"no rule for np\.multiply\.outer"),
    (lambda x: np.linalg.norm(x, "nuc"),                TypeError,  r"no rule for this norm, ord='nuc'"),
    (lambda x: np.linalg.norm(x, 1),                    TypeError,  r"no rule for this norm, ord=1; .* for vectors 1"),
    (lambda x: np.linalg.norm(x, 2),                    TypeError,  r"no rule for this norm, ord=2"),
    (lambda x: np.linalg.norm(x, np.inf, axis=(0, 1)),  TypeError,  r"no rule for this norm, ord=inf"),
    (lambda x: np.linalg.norm(x[0], 3),                 TypeError,  r"no rule for this norm, ord=3"),
    (lambda x: np.linalg.norm(x, -np.inf, axis=1),      TypeError,  r"no rule for this norm, ord=-inf"),
    (lambda x: np.linalg.norm(x[0], "fro"),             TypeError,  r"no rule for this norm, ord='fro'"),
    (lambda x: np.sum(x, where=MASK),                   TypeError,  r"rule for np\.sum does not know \['where'\]"),
    (lambda x: np.exp(x, where=MASK),                   TypeError,  r"rule for np\.exp does not know \['where'\]"),
    (lambda x: np.einsum(x, [0, 1], [1, 0]),            TypeError,  r"write np\.einsum\('ij,j->i', x1, x2\)"),
    (lambda x: np.split(x, 2, axis=1),                  ValueError, r"cannot cut 3 entries into 2 equal parts"),
])
# fmt: on
def test_what_has_no_rule_says_so_at_the_line(fun, error, message):
    with pytest.raises(error, match=message):
        vjp(fun, M)


def test_a_row_of_ones_own(monkeypatch):
    """What the error message promises: a derivative added to the table is all that a new function needs."""
    monkeypatch.setitem(RULES, np.sinc, None)  # restored after the test
    rules.unary(np.sinc, lambda y, x: (np.cos(np.pi * x) - y) / x)
    check(np.sinc, [P], central_difference, rtol=1e-8)


# fmt: off
@pytest.mark.parametrize("fun", [
    lambda x: x @ B.tolist(),                        lambda x: B.tolist() @ x,
    lambda x: np.dot(x, B.tolist()),                 lambda x: np.matmul(B.tolist(), x),
    lambda x: np.inner(B.tolist(), x),               lambda x: np.tensordot(B.tolist(), x, 1),
    lambda x: np.linalg.solve(B.tolist(), x),        lambda x: np.linalg.solve(np.diag(x), V.tolist()),
    lambda x: np.einsum("ij,j->i", B.tolist(), x),   lambda x: np.outer(V.tolist(), x)[0],
    lambda x: x ** [0, 1, 2],                        lambda x: np.maximum(V.tolist(), x),
    lambda x: np.concatenate([[1.0, 2.0], x]),       lambda x: np.stack([V.tolist(), x])[1],
    lambda x: x * np.broadcast_arrays([2.0], x)[0],  lambda x: np.where([True, False, True], x, [0, 1, 2]),
])
# fmt: on
def test_lists_count_as_arrays(fun):
    np.testing.assert_allclose(jacobian(fun)(W), complex_jacobian(fun, W), rtol=1e-13)


def complex_jacobian(fun, x):
    return np.stack([complex_step(fun, [x], [e]) for e in np.eye(len(x))], axis=-1)
