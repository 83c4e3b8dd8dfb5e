"""theta is one vector: ravel and unravel are inverse to each other, and names follow the order."""

import numpy as np
import pytest

from odelearn.params import leaf_names, leaves, ravel, tree_map

TREE = {
    "W": np.arange(6.0).reshape(2, 3),
    "deep": [np.array(6.0), (np.array([7.0, 8.0]), {})],
    "none": np.zeros((0, 3)),
}


def assert_same_tree(a, b):
    """Same containers, same names, same arrays bit for bit."""
    assert tree_map(lambda name, _: name, a) == tree_map(lambda name, _: name, b)
    for one, other in zip(leaves(a).values(), leaves(b).values(), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other, strict=True)


def test_unravel_undoes_ravel():
    theta, unravel = ravel(TREE)
    np.testing.assert_array_equal(theta, np.arange(9.0))
    assert_same_tree(unravel(theta), TREE)
    assert [type(branch) for branch in unravel(theta)["deep"]] == [np.ndarray, tuple]
    assert type(unravel(theta)) is dict and type(unravel(theta)["deep"]) is list


def test_ravel_undoes_unravel():
    theta = np.random.default_rng(0).standard_normal(9)
    np.testing.assert_array_equal(ravel(ravel(TREE)[1](theta))[0], theta)


def test_names_stand_in_ravel_order():
    """Component i of theta is what names[i] says: evaluated as Python on the tree, the name finds the number."""
    tree = {"a": TREE["W"], "b": {"c": [np.array([[6.0], [7.0]]), np.array(8.0)]}}
    names = leaf_names(tree)
    assert names == [
        "a[0, 0]",
        "a[0, 1]",
        "a[0, 2]",
        "a[1, 0]",
        "a[1, 1]",
        "a[1, 2]",
        "b.c[0][0, 0]",
        "b.c[0][1, 0]",
        "b.c[1]",
    ]
    for name, number in zip(names, ravel(tree)[0], strict=True):
        scope = type("Scope", (), {"c": tree["b"]["c"]})
        assert eval(name, {"a": tree["a"], "b": scope}) == number


@pytest.mark.parametrize(
    "tree, names", [(np.zeros(2), ["[0]", "[1]"]), (3.0, [""]), ({}, []), ([], []), ((1.0,), ["[0]"])]
)
def test_smallest_trees(tree, names):
    """A bare array, a single number and an empty container are trees as well."""
    theta, unravel = ravel(tree)
    assert leaf_names(tree) == names
    assert theta.shape == (len(names),)
    assert_same_tree(unravel(theta), tree_map(lambda _, leaf: np.asarray(leaf), tree))


@pytest.mark.parametrize(
    "dtypes, expected",
    [
        (("float32", "float32"), "float32"),
        (("float32", "float64"), "float64"),
        (("float32", "complex64"), "complex64"),
        (("float64", "complex64"), "complex128"),
        (("int64", "bool"), "float64"),
        (("int32",), "float64"),
    ],
)
def test_dtype_is_what_the_leaves_promote_to(dtypes, expected):
    assert ravel([np.ones(2, dtype) for dtype in dtypes])[0].dtype == expected


def test_ravel_copies():
    """An optimiser may write into theta; the arrays it came from stay as they are."""
    W = np.ones(3)
    theta, _ = ravel({"W": W})
    theta[:] = 2
    np.testing.assert_array_equal(W, 1)


def test_unravel_follows_theta():
    """unravel only slices and reshapes: views of a complex theta, and whatever else has shape, slices and reshape."""
    theta, unravel = ravel(TREE)
    assert np.shares_memory(unravel(theta)["W"], theta)
    assert unravel(theta + 1j)["W"].dtype == complex

    class Recorder:
        """Stands in for a traced theta: it knows its shape and writes down what is done to it."""

        def __init__(self, did, shape):
            self.did, self.shape = did, shape

        def __getitem__(self, index):
            return Recorder((*self.did, index), None)

        def reshape(self, shape):
            return (*self.did, shape)

    cuts = ravel({"W": np.zeros((2, 3)), "b": np.zeros(()), "c": np.zeros(2)})[1](Recorder((), (9,)))
    assert cuts == {"W": (slice(0, 6), (2, 3)), "b": (slice(6, 7), ()), "c": (slice(7, 9), (2,))}


@pytest.mark.parametrize("shape", [(8,), (10,), (9, 1), ()])
def test_a_theta_of_another_length_is_refused(shape):
    with pytest.raises(
        ValueError, match=r"must have shape \(9,\).*got " + str(shape).replace("(", r"\(").replace(")", r"\)")
    ):
        ravel(TREE)[1](np.zeros(shape))


@pytest.mark.parametrize("leaf", [None, "tanh", np.array([{}])])
def test_a_leaf_must_be_made_of_numbers(leaf):
    with pytest.raises(TypeError, match=r"leaf net\.b must be an array of numbers"):
        ravel({"net": {"W": np.zeros(2), "b": leaf}})
