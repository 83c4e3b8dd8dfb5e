"""How an array lies in memory never matters to vjp, grad, jacobian and ravel; subclasses of ndarray are refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from odelearn import (
    Backsolve,
    Discrete,
    finite_difference,
    grad,
    jacobian,
    odeint,
    ravel,
    rk4,
    value_and_grad,
    vjp,
)

examples = settings(deadline=None, derandomize=True, max_examples=60, database=None)

# fmt: off
LAYOUTS = {  # name -> the same numbers, laid out otherwise
    "C":          lambda x: np.array(x, order="C"),
    "Fortran":    lambda x: np.array(x, order="F"),
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
    "little":     lambda x: x.astype(x.dtype.newbyteorder("<")),
    "transposed": lambda x: np.array(x.T, order="C").T,
    "strided":    lambda x: np.repeat(x[..., None], 3, axis=-1)[..., 1],
    "reversed":   lambda x: x[(slice(None, None, -1),) * x.ndim].copy()[(slice(None, None, -1),) * x.ndim],
    "unaligned":  lambda x: unaligned(x),
    "read-only":  lambda x: read_only(x.copy()),
    "broadcast":  lambda x: np.broadcast_to(x, (2, *x.shape))[1],
    "list":       lambda x: x.tolist() if x.ndim and x.size else x,
}
# fmt: on


def unaligned(x):
    """x in memory that does not begin at a multiple of its itemsize."""
    memory = np.zeros(x.nbytes + 1, np.uint8)
    y = memory[1:].view(x.dtype).reshape(x.shape) if x.size else x.copy()
    y[...] = x
    return y


def read_only(x):
    x.flags.writeable = False
    return x


shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
dtypes = st.sampled_from(["f4", "f8", "c8", "c16", "i4", "u1", "?"])
layouts = st.sampled_from(sorted(LAYOUTS))
seeds = st.integers(0, 2**32 - 1)


def draw(shape, dtype, seed):
    """Numbers of the size of 1, none of them 0 or close to it."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.5, 1.5, shape) * rng.choice([-1, 1], shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.uniform(0.5, 1.5, shape)
    return np.asarray(10 * x if np.dtype(dtype).kind in "iu" else x).astype(dtype)


def precision(x):
    """The dtype in which the tape differentiates x: floating point in native byte order, float64 for lists."""
    dtype = np.asarray(x).dtype
    return dtype.newbyteorder("=") if dtype.kind in "fc" else np.dtype(float)


def smooth(x, y):
    """z_ij... = sin(x) y + x^2, for each entry, with views and copies in between."""
    return np.sin(x).T.T * y + np.reshape(x * x, np.shape(x))


def by_hand(x, y, a):
    return a * (np.cos(x) * y + 2 * x), a * np.sin(x)


def close(mine, exact, *others):
    """Equal to a few roundings in the coarsest of the dtypes."""
    eps = max(np.finfo(x.dtype).eps for x in (mine, *others))
    np.testing.assert_allclose(mine, exact, rtol=30 * eps, atol=30 * eps)


@examples
@given(shapes, dtypes, layouts, dtypes, layouts, layouts, seeds)
def test_vjp_sees_the_numbers_only(shape, dtype_x, layout_x, dtype_y, layout_y, layout_a, seed):
    x, y, a = draw(shape, dtype_x, seed), draw(shape, dtype_y, seed + 1), draw(shape, "f8", seed + 2)
    laid = [LAYOUTS[layout](v) for layout, v in ((layout_x, x), (layout_y, y), (layout_a, a))]
    z, pullback = vjp(smooth, *laid[:2])
    cotangents = pullback(laid[2])
    x, y = x.astype(precision(laid[0])), y.astype(precision(laid[1]))
    close(z, smooth(x, y), x, y)
    assert z.dtype == np.result_type(x, y) and z.dtype.isnative and z.shape == shape
    for a_v, exact, v in zip(cotangents, by_hand(x, y, a), (x, y), strict=True):
        assert a_v.shape == shape and a_v.dtype.isnative
        assert a_v.dtype == (v.dtype if z.dtype.kind == "f" else np.result_type(v.dtype, "c8"))
        close(a_v, exact.astype(a_v.dtype), x, y)
        assert isinstance(a_v, np.generic) or (a_v.flags.writeable and not np.shares_memory(a_v, laid[2]))
    handed_on, _ = vjp(lambda x: x, laid[0])
    assert handed_on.dtype.isnative and np.array_equal(handed_on, x)
    if not isinstance(laid[0], list):
        assert np.array_equal(laid[0], draw(shape, dtype_x, seed))  # as it was


@examples
@given(shapes, dtypes, layouts, seeds)
def test_grad_sees_the_numbers_only(shape, dtype, layout, seed):
    x = draw(shape, dtype, seed)
    laid = LAYOUTS[layout](x)
    x = x.astype(precision(laid))
    g = grad(lambda x: np.sum(smooth(x, 0.5)))(laid)
    value, same = value_and_grad(lambda s, x: s * np.sum(smooth(x, 0.5)), 1)(1.0, laid)
    assert g.shape == shape and g.dtype == x.dtype and g.dtype.isnative
    close(g, by_hand(x, x.dtype.type(0.5), x.dtype.type(1))[0])
    close(value, np.sum(smooth(x, 0.5)))
    close(same, g)


@examples
@given(shapes, dtypes, layouts, seeds)
def test_jacobian_sees_the_numbers_only(shape, dtype, layout, seed):
    x = draw(shape, dtype, seed)
    laid = LAYOUTS[layout](x)
    x = x.astype(precision(laid))
    J = jacobian(lambda x: np.stack([np.sin(x), x * x]))(laid)
    assert J.shape == (2, *shape, *shape) and J.dtype.isnative
    eye = np.eye(x.size).reshape((*shape, *shape))
    slopes = np.stack([np.cos(x), 2 * x])
    close(J, slopes.reshape((2, *shape, *[1] * x.ndim)) * eye)
    assert J.dtype == x.dtype


@examples
@given(st.lists(st.tuples(shapes, dtypes, layouts), max_size=4), seeds)
def test_ravel_sees_the_numbers_only(leaves, seed):
    tree, rows = {}, [np.zeros(0, "?")]
    for i, (shape, dtype, layout) in enumerate(leaves):
        x = draw(shape, dtype, seed + i)
        rows.append(x.reshape(-1))
        tree[f"x{i}"] = LAYOUTS[layout](x) if layout != "list" else x  # a list would be a branch
    theta, unravel = ravel(tree)
    expected = np.concatenate(rows)
    assert np.array_equal(theta, expected) and theta.dtype.isnative and theta.flags.writeable
    for i, (shape, _, _) in enumerate(leaves):
        leaf = unravel(theta)[f"x{i}"]
        assert leaf.shape == shape and np.array_equal(leaf, tree[f"x{i}"])
        assert leaf.size == 0 or np.shares_memory(leaf, theta) and not np.shares_memory(leaf, tree[f"x{i}"])
    for layout in LAYOUTS.keys() - {"list"}:
        again = unravel(LAYOUTS[layout](theta))
        assert all(np.array_equal(again[name], tree[name]) for name in tree)


# --- What is refused --------------------------------------------------------------------------------------------------


class Tagged(np.ndarray):
    """Stands for arrays with units and the like."""


MASKED = np.ma.masked_array([[1.0, 2.0], [3.0, 4.0]], [[False, True], [False, False]])
OTHERS = [MASKED.data.view(np.matrix), MASKED.data.view(Tagged)]
x = np.array([[0.5, -1.0], [2.0, 0.25]])

# fmt: off
OPERATIONS = [
    lambda x, m: (x - m) ** 2,            lambda x, m: (m - x) ** 2,          lambda x, m: np.mean((x - m) ** 2),
    lambda x, m: m * x,                   lambda x, m: x / m,                 lambda x, m: m @ x,
    lambda x, m: x @ m,                   lambda x, m: x ** m,                lambda x, m: m ** x,
    lambda x, m: np.add(m, x),            lambda x, m: np.maximum(x, m),      lambda x, m: x * (x > m),
    lambda x, m: np.where(x > 0, x, m),   lambda x, m: np.where(m > 0, x, 0), lambda x, m: np.dot(m, x),
    lambda x, m: np.stack([x, m]),        lambda x, m: np.concatenate([m, x]), lambda x, m: np.einsum("ij,jk", m, x),
    lambda x, m: np.tensordot(x, m),      lambda x, m: np.outer(m, x),        lambda x, m: np.linalg.solve(m, x),
    lambda x, m: m,                       lambda x, m: x * 2 if np.any(x == m) else x,
]
# fmt: on
TAKE_NUMBERS = (8, 19)  # np.matrix refuses m ** x with words of its own, and np.outer takes the numbers out of both


@pytest.mark.parametrize("operation", OPERATIONS, ids=range(len(OPERATIONS)))
def test_a_masked_array_beside_a_traced_value_is_refused_with_advice(operation):
    """Its mask would be lost on the way, and the gradient would be wrong."""
    advice = r"Index what was observed, z\[seen\] - y\[seen\], or weigh it, np\.sum\(w \* \(z - y\) \*\* 2\)"
    with pytest.raises(TypeError, match=f"does not know masks.*{advice}"):
        vjp(lambda x: operation(x, MASKED), x)
    assert vjp(lambda x: operation(x, MASKED.data), x)


@pytest.mark.parametrize("loss", [lambda zs, m: np.mean((zs - m) ** 2), lambda zs, m: np.mean((m - zs) ** 2)])
@pytest.mark.parametrize("method", [Backsolve(), Discrete()])
def test_a_loss_with_missing_data_is_refused_and_the_advice_works(loss, method):
    """The mean over what was observed, by indexing and by weights: both have the gradient of finite differences."""
    f = lambda z, t, theta: theta[0] * z * np.cos(t)
    ts, theta = np.array([0.2, 0.5, 0.9]), np.array([0.2])
    data = np.ma.masked_array([[1.0, 2.0], [np.nan, 2.5], [1.5, np.nan]], [[0, 0], [1, 0], [0, 1]])
    solve = lambda theta: odeint(np.array([1.0, 2.0]), f, ts, theta, rk4(n=20), method)
    with pytest.raises(TypeError, match="does not know masks"):
        grad(lambda theta: loss(solve(theta), data))(theta)
    seen = ~np.ma.getmaskarray(data)
    w, y = seen.astype(float), data.filled(0)
    indexed = lambda theta: loss(solve(theta)[seen], y[seen])
    weighed = lambda theta: np.sum(w * (solve(theta) - y) ** 2) / np.sum(w)
    by_differences = finite_difference(lambda theta: float(weighed(theta)), theta)
    for g in grad(indexed)(theta), grad(weighed)(theta):
        np.testing.assert_allclose(g, by_differences, rtol=1e-5)
        assert abs(g[0]) > 0.1


@pytest.mark.parametrize("other", OTHERS, ids=["matrix", "Tagged"])
@pytest.mark.parametrize("i", [i for i in range(len(OPERATIONS)) if i not in TAKE_NUMBERS])
def test_other_subclasses_beside_a_traced_value_are_refused_with_advice(i, other):
    name = type(other).__name__
    with pytest.raises(TypeError, match=rf"ordinary arrays only, got {name}, .*pass np\.asarray\(x\)"):
        vjp(lambda x: OPERATIONS[i](x, other), x)


@pytest.mark.parametrize("index", [MASKED > 1, np.ma.masked_array([0, 1], [True, False])], ids=["truths", "numbers"])
def test_a_masked_index_is_refused(index):
    with pytest.raises(TypeError, match="does not know masks"):
        vjp(lambda x: np.sum(x[index]), x)


@pytest.mark.parametrize("method", ["dot", "ma.dot"])
def test_masked_methods_that_ask_for_an_ordinary_array_are_refused(method):
    dot = MASKED.dot if method == "dot" else lambda x: np.ma.dot(MASKED, x)
    with pytest.raises(TypeError, match="cannot hold traced values"):
        vjp(dot, x)


@pytest.mark.parametrize("other", [MASKED, *OTHERS], ids=["masked", "matrix", "Tagged"])
def test_arguments_cotangents_and_leaves_must_be_ordinary_arrays(other):
    asked = r"does not know masks" if other is MASKED else rf"got {type(other).__name__}, a subclass"
    _, pullback = vjp(np.sin, x)
    for entry in (
        lambda: vjp(np.sin, other),
        lambda: vjp(lambda x, y: x, x, other),
        lambda: grad(np.sum)(other),
        lambda: grad(lambda x, y: np.sum(x), 1)(x, other),
        lambda: jacobian(np.sin)(other),
        lambda: pullback(other),
    ):
        with pytest.raises(TypeError, match=asked):
            entry()
    asked = "masked array, and theta knows no masks" if other is MASKED else f"got {type(other).__name__}; np.asarray"
    with pytest.raises(TypeError, match=f"leaf net.W .*{asked}"):
        ravel({"net": {"W": other}})
    with pytest.raises(TypeError, match=f"the tree .*{asked}"):
        ravel(other)
    with pytest.raises(TypeError, match=f"theta .*{asked}"):
        ravel(np.zeros(2))[1](other[0])


def test_an_array_in_a_file_is_an_ordinary_array(tmp_path):
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.array_equal(grad(lambda y: np.sum(y * y * mapped))(mapped), 2 * x * x)
    theta, unravel = ravel({"W": mapped})
    assert np.array_equal(theta, x.ravel()) and type(theta) is np.ndarray
    assert np.array_equal(unravel(np.load(tmp_path / "x.npy", mmap_mode="r").reshape(-1))["W"], x)
