"""theta is one vector.

A solver, an optimiser and a gradient check want the parameters as one flat vector (P,); a person wants names. Both are
the same numbers in the same order, component after component, leaf after leaf, as the tree is written down:

    {"W": (2, 3), "b": (3,)}   <->   theta = [W00 W01 W02 W10 W11 W12 b0 b1 b2]

A tree is a nested dict, list or tuple; whatever else stands in it is a leaf, an array or a number.
"""

import numpy as np


def ravel(tree):
    """theta, one flat vector of all the leaves of a tree, and unravel, the way back:  unravel(theta) = tree.

    tree:     a nested dict, list or tuple of arrays and numbers, of any shapes; or one array, or one number.
    Returns theta (P,), a fresh array, where P is the number of all entries: leaf after leaf as the tree is written
    down, each leaf row by row; and unravel(theta), for any theta of shape (P,): a tree like this one, with arrays for
    leaves. theta has the dtype to which the leaves promote; integers become float64. unravel only slices and reshapes:
    its leaves are views of the theta it gets, have that dtype, and are traced where that theta is traced.

        >>> theta, unravel = ravel({"W": np.array([[1.0, 2.0], [3.0, 4.0]]), "b": [5.0, 6.0]})
        >>> theta
        array([1., 2., 3., 4., 5., 6.])
        >>> unravel(10 * theta)["W"]
        array([[10., 20.],
               [30., 40.]])

    Raises TypeError for a leaf that is not made of numbers, or is a masked array or another subclass of ndarray.
    unravel raises ValueError for a theta of another shape, and TypeError for a subclass of ndarray.
    """
    flat, size = [], 0

    def slot(name, leaf):
        """Where this leaf lives in theta: the function that cuts it out stands in its place in the skeleton."""
        nonlocal size
        refuse_subclass(f"leaf {name}" if name else "the tree", leaf)
        leaf = np.asarray(leaf)
        if leaf.dtype.kind not in "biufc":
            raise TypeError(f"leaf {name} must be an array of numbers, got {leaf!r}; leave it out of the tree")
        flat.append(leaf.reshape(-1))
        i, j, shape = size, size + leaf.size, leaf.shape
        size = j
        cut = slice(i, j)
        return lambda theta: theta[cut].reshape(shape)

    skeleton = tree_map(slot, tree)
    theta = np.concatenate(flat) if flat else np.zeros(0)

    def unravel(theta):
        """The tree whose leaves are views of theta (P,)."""
        refuse_subclass("theta", theta)
        if getattr(theta, "shape", None) != (size,):
            got = getattr(theta, "shape", type(theta).__name__)
            raise ValueError(f"theta must have shape ({size},) to fill this tree, got {got}")
        return fill(skeleton, theta)

    return (theta.astype(np.float64) if theta.dtype.kind in "biu" else theta), unravel


def fill(skeleton, theta):
    """The skeleton with cut(theta) in place of every function cut."""
    if isinstance(skeleton, dict):
        return {key: fill(branch, theta) for key, branch in skeleton.items()}
    if isinstance(skeleton, list | tuple):
        branches = [fill(branch, theta) for branch in skeleton]
        return branches if isinstance(skeleton, list) else tuple(branches)
    return skeleton(theta)


def refuse_subclass(name, x):
    """Raises TypeError for an array with a mask, units or a meaning of its own for *, which theta would lose."""
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array, and theta knows no masks: pick what is there, x[~x.mask]")
    if isinstance(x, np.ndarray) and type(x) not in (np.ndarray, np.memmap):
        raise TypeError(f"{name} must be an ordinary array, got {type(x).__name__}; np.asarray(x) makes it one")


def tree_map(fun, tree, name=""):
    """The same tree with fun(name, leaf) in place of every leaf, in ravel order.

    A name is the path as Python would write it: "z0", "theta.W1", "layers[0].b"; "" for a tree that is one leaf.
    """
    if isinstance(tree, dict):
        return {key: tree_map(fun, branch, f"{name}.{key}" if name else str(key)) for key, branch in tree.items()}
    if isinstance(tree, list | tuple):
        branches = [tree_map(fun, branch, f"{name}[{i}]") for i, branch in enumerate(tree)]
        return branches if isinstance(tree, list) else tuple(branches)
    return fun(name, tree)


def leaves(tree):
    """{name: array} of all the leaves, in ravel order."""
    found = {}
    tree_map(lambda name, leaf: found.setdefault(name, np.asarray(leaf)), tree)
    return found


def leaf_names(tree):
    """The name of every component in ravel order: "W1[3, 0]", "theta.b0[2]"; the bare path for a single number."""
    return [
        f"{name}[{', '.join(map(str, index))}]" if index else name
        for name, leaf in leaves(tree).items()
        for index in np.ndindex(leaf.shape)
    ]
