"""Rules for functions that move the entries of arrays about: shape, order, joining, splitting, indexing, padding."""

import operator

import numpy as np

from .rules import rule, unbroadcast
from .tracer import COMPOSED, RULES, Traced, record, shape_of

# --- Shape and order: the pullback moves back -------------------------------------------------------------------------

# fmt: off
rule(np.reshape,      lambda a, y, x, shape:                 a.reshape(np.shape(x)))
rule(np.squeeze,      lambda a, y, x, axis=None:             a.reshape(np.shape(x)))
rule(np.expand_dims,  lambda a, y, x, axis:                  a.reshape(np.shape(x)))
rule(np.broadcast_to, lambda a, y, x, shape:                 unbroadcast(a, x))
rule(np.transpose,    lambda a, y, x, axes=None:             np.transpose(a, invert(axes)))
rule(np.swapaxes,     lambda a, y, x, axis1, axis2:          np.swapaxes(a, axis1, axis2))
rule(np.moveaxis,     lambda a, y, x, source, destination:   np.moveaxis(a, destination, source))
rule(np.flip,         lambda a, y, x, axis=None:             np.flip(a, axis))
# fmt: on


def invert(axes):
    """The permutation that undoes a permutation of the axes; None, their reversal, undoes itself."""
    return None if axes is None else np.argsort(np.mod(axes, len(axes)))


COMPOSED |= {
    np.copy: lambda x: x,  # nothing writes into a traced array, so it is its own copy
    np.ravel: lambda x: np.reshape(x, -1),
    np.matrix_transpose: lambda x: np.swapaxes(x, -1, -2),
    np.atleast_1d: lambda x: x if x.ndim >= 1 else np.reshape(x, 1),
    np.atleast_2d: lambda x: x if x.ndim >= 2 else np.reshape(x, (1, -1)),
    np.full_like: lambda x, fill_value: np.zeros_like(x) + fill_value,
    np.broadcast_arrays: lambda *xs: tuple(np.broadcast_to(x, np.broadcast_shapes(*map(np.shape, xs))) for x in xs),
}


# --- Joining and splitting --------------------------------------------------------------------------------------------


def index_along(axis, y, i):
    """The index that takes i, a number or a slice, along one axis of y."""
    return (slice(None),) * (axis % y.ndim) + (i,)


def stack(arrays, axis=0):
    def take_back(i):
        return lambda a, y, *xs: a[index_along(axis, y, i)]

    return record(lambda *xs: np.stack(xs, axis), [take_back(i) for i in range(len(arrays))], arrays)


def concatenate(arrays, axis=0):
    def take_back(i):
        def pullback(a, y, *xs):
            start = sum(np.shape(x)[axis] for x in xs[:i])
            return a[index_along(axis, y, slice(start, start + np.shape(xs[i])[axis]))]

        return pullback

    if axis is None:
        arrays, axis = [np.ravel(x) for x in arrays], 0
    return record(lambda *xs: np.concatenate(xs, axis), [take_back(i) for i in range(len(arrays))], arrays)


def split(x, sections, axis=0):
    """x in equal parts, if sections is their number, or cut before each of the indices in it."""
    n = x.shape[axis]
    if np.ndim(sections) == 0:
        if n % sections:
            raise ValueError(f"np.split cannot cut {n} entries into {sections} equal parts")
        sections = range(n // sections, n, n // sections)
    return [x[index_along(axis, x, slice(i, j))] for i, j in zip([0, *sections], [*sections, n], strict=True)]


def hstack(arrays):
    arrays = [np.atleast_1d(x) for x in arrays]
    return np.concatenate(arrays, axis=min(1, arrays[0].ndim - 1))


COMPOSED |= {
    np.stack: stack,
    np.concatenate: concatenate,
    np.split: split,
    np.hstack: hstack,
    np.vstack: lambda arrays: np.concatenate([np.atleast_2d(x) for x in arrays]),
    np.column_stack: lambda arrays: np.concatenate([np.reshape(x, (len(x), -1)) for x in arrays], axis=1),
}


# --- Indexing, and what can be written as indexing --------------------------------------------------------------------


def scatter(a, index, shape_x):
    """The pullback of y = x[index]: zeros of the shape of x, with a added in at the index."""
    if type(a) is Traced:
        return record(scatter, RULES[scatter], (a, index, shape_x))
    x = np.zeros(shape_x, a.dtype)
    if picks_no_entry_twice(index):
        x[index] = a  # faster than adding
    else:
        np.add.at(x, index, a)
    return x


def picks_no_entry_twice(index):
    if type(index) is slice:
        return True
    parts = index if isinstance(index, tuple) else (index,)
    return all(i is None or i is Ellipsis or isinstance(i, (int, slice, np.integer)) for i in parts)


class Pieces:
    """The cotangent of an x that is used by slices, y = x[index]: a sum of `scatter(a, index, shape)` in one array.

    A vector of parameters is cut into all its leaves. An array of zeros like x for each of them would cost the number
    of leaves times the size of x; here each piece is added in at its place. It is made by the rule of y = x[index], and
    summed by `add_up`. Only the walk that made it holds it, so it may be written into.
    """

    __slots__ = ("a", "index", "shape", "total")

    def __init__(self, a, index, shape):
        self.a, self.index, self.shape, self.total = a, index, shape, None

    def add(self, piece):
        x = self.sum()
        if x.dtype != piece.a.dtype:
            x = self.total = x.astype(np.result_type(x, piece.a))
        if picks_no_entry_twice(piece.index):
            x[piece.index] += piece.a
        else:
            np.add.at(x, piece.index, piece.a)

    def sum(self):
        """The array of all pieces."""
        if self.total is None:
            self.total = scatter(self.a, self.index, self.shape)
        return self.total


def add_up(x, y):
    """x + y of two cotangents that flow back into one value, arrays or Pieces."""
    if type(y) is Pieces:
        x, y = y, x
    if type(x) is not Pieces:
        return x + y
    if type(y) is Pieces:
        y.add(x)  # y came first
        return y
    if type(y) is Traced:
        return x.sum() + y
    x.total = x.sum() + y  # a new array
    return x


rule(operator.getitem, lambda a, y, x, index: (scatter if type(a) is Traced else Pieces)(a, index, shape_of(x)))
rule(scatter, lambda a, y, x, index, shape_x: a[index])


def by_numbers(fun):
    """A function that moves, repeats or drops entries: let it do that to their numbers, then index by number."""

    def indexed(x, *args, **kwargs):
        return np.ravel(x)[fun(np.arange(x.size).reshape(x.shape), *args, **kwargs)]

    return indexed


MOVES = np.roll, np.rot90, np.fliplr, np.flipud, np.repeat, np.tile, np.take, np.take_along_axis, np.delete, np.diagonal
COMPOSED |= {fun: by_numbers(fun) for fun in MOVES}


def diag(x, k=0):
    """The k-th diagonal of a matrix, or the matrix that has the vector x there."""
    if x.ndim == 2:
        return np.diagonal(x, k)
    i, n = np.arange(x.size), x.size + abs(k)
    return scatter(x, (i + max(-k, 0), i + max(k, 0)), (n, n))


def pad(x, pad_width, mode="constant", constant_values=0):
    if mode != "constant":
        return by_numbers(np.pad)(x, pad_width, mode)
    before = np.broadcast_to(pad_width, (x.ndim, 2))[:, 0]
    inside = tuple(slice(start, start + n) for start, n in zip(before, x.shape, strict=True))
    return record(lambda x: np.pad(x, pad_width, constant_values=constant_values), [lambda a, y, x: a[inside]], (x,))


def diff(x, n=1, axis=-1):
    for _ in range(n):
        x = x[index_along(axis, x, slice(1, None))] - x[index_along(axis, x, slice(None, -1))]
    return x


COMPOSED |= {
    np.diag: diag,
    np.pad: pad,
    np.diff: diff,
    np.trace: lambda x, offset=0, axis1=0, axis2=1: np.sum(np.diagonal(x, offset, axis1, axis2), axis=-1),
    np.tril: lambda x, k=0: np.where(np.tri(*x.shape[-2:], k, dtype=bool), x, 0),
    np.triu: lambda x, k=0: np.where(np.tri(*x.shape[-2:], k - 1, dtype=bool), 0, x),
}
