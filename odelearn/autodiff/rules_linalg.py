"""Rules for matrix products and linear algebra. Nothing is conjugated: cotangents are bilinear, also complex ones."""

import math
import string

import numpy as np

from .rules import real, restore_axes, rule, unbroadcast
from .tracer import COMPOSED, RULES, as_operand, record, untrace

# --- Products: y = x1 x2 has a_x1 = a x2^T and a_x2 = x1^T a ----------------------------------------------------------
# One matrix x2 that multiplies a stack x1 (..., N, D) multiplies all its rows: one product of matrices each, no sum.


def matmul_left(a, y, x1, x2):
    if x2.ndim == 2:
        return np.dot(rows(a), x2.T).reshape(x1.shape)  # np.dot is faster than @ on small matrices
    a, row, column = as_matrices(a, x1, x2)
    return np.reshape(unbroadcast(a @ T(column), row), x1.shape)


def matmul_right(a, y, x1, x2):
    if x2.ndim == 2:
        return np.dot(rows(x1).T, rows(a))
    a, row, column = as_matrices(a, x1, x2)
    return np.reshape(unbroadcast(T(row) @ a, column), x2.shape)


def rows(x):
    """x (..., D) as one matrix (N, D)."""
    return x if x.ndim == 2 else x.reshape(-1, x.shape[-1])


def as_matrices(a, x1, x2):
    """A vector on the left of @ is a row, on the right a column; a gets back the axis that it lost in the product."""
    if x2.ndim == 1:
        a, x2 = a[..., None], x2[:, None]
    if x1.ndim == 1:
        a, x1 = a[..., None, :], x1[None, :]
    return a, x1, x2


def T(x):
    """The transpose of each matrix in a stack."""
    return np.swapaxes(x, -1, -2)


rule(np.matmul, matmul_left, matmul_right)


def dot(x1, x2):
    x1, x2 = as_operand(x1), as_operand(x2)
    if np.ndim(x1) == 0 or np.ndim(x2) == 0:
        return x1 * x2
    if x1.ndim <= 2 and x2.ndim <= 2:
        return record(np.dot, RULES[np.matmul], (x1, x2))
    return np.tensordot(x1, x2, (-1, x2.ndim - 2))  # the second last axis of x2, or its only one


def tensordot(x1, x2, axes=2):
    """One product of matrices: the axes to sum over last in x1 and first in x2, the others counted as one."""
    x1, x2 = as_operand(x1), as_operand(x2)
    last, first = (range(-axes, 0), range(axes)) if isinstance(axes, int) else map(np.atleast_1d, axes)
    last, first = [i % x1.ndim for i in last], [j % x2.ndim for j in first]
    rows, columns = [i for i in range(x1.ndim) if i not in last], [j for j in range(x2.ndim) if j not in first]
    summed = math.prod(x1.shape[i] for i in last)
    left = np.transpose(x1, rows + last).reshape(-1, summed)
    right = np.transpose(x2, first + columns).reshape(summed, -1)
    return (left @ right).reshape([x1.shape[i] for i in rows] + [x2.shape[j] for j in columns])


def inner(x1, x2):
    return x1 * x2 if np.ndim(x1) == 0 or np.ndim(x2) == 0 else np.tensordot(x1, x2, (-1, -1))


def outer(x1, x2):
    return np.ravel(x1)[:, None] * np.ravel(x2)


def vdot(x1, x2):
    return np.dot(np.ravel(real(x1, "np.vdot")), np.ravel(x2))


# --- einsum: the pullback is another einsum, with a in the place of x -------------------------------------------------


def einsum(subscripts, *xs, **options):
    """With every letter made explicit, and diagonals taken where one array has a letter twice, there is one rule."""
    xs = [as_operand(x) for x in xs]
    inputs, output = make_explicit(subscripts, xs)
    inputs, xs = zip(*[take_diagonals(letters, x) for letters, x in zip(inputs, xs, strict=True)], strict=True)
    rules = [None] + [einsum_rule(i, inputs, output) for i in range(len(xs))]
    return record(np.einsum, rules, (f"{','.join(inputs)}->{output}", *xs), options)


def einsum_rule(i, inputs, output):
    """y[output] = sum of x_0[inputs_0] x_1[inputs_1] ...:  a_x_i[inputs_i] = sum of a[output] and all x but x_i."""
    others = [letters for j, letters in enumerate(inputs) if j != i]
    summed_alone = not set(inputs[i]) <= set("".join(others) + output)

    def pullback(a, y, subscripts, *xs, **options):
        factors, letters = [a, *xs[:i], *xs[i + 1 :]], [output, *others]
        if summed_alone:  # x_i has an axis that nothing else knows of: ones spread the sum along it
            factors, letters = [*factors, np.ones(np.shape(xs[i]))], [*letters, inputs[i]]
        return unbroadcast(np.einsum(f"{','.join(letters)}->{inputs[i]}", *factors, **options), xs[i])

    return pullback


def make_explicit(subscripts, xs):
    """The letters of each input and of the output, with letters of their own for the axes that `...` stands for."""
    if not isinstance(subscripts, str):
        raise TypeError("the tape knows np.einsum by its letters: write np.einsum('ij,j->i', x1, x2)")
    left, arrow, output = subscripts.replace(" ", "").partition("->")
    inputs = left.split(",")
    counts = [np.ndim(x) - len(letters.replace("...", "")) for letters, x in zip(inputs, xs, strict=True)]
    unused = [c for c in string.ascii_letters if c not in subscripts]
    batch = "".join(unused[: max(n if "..." in letters else 0 for n, letters in zip(counts, inputs, strict=True))])
    inputs = [letters.replace("...", batch[len(batch) - n :]) for n, letters in zip(counts, inputs, strict=True)]
    if not arrow:  # by NumPy's convention: the axes of `...`, then what occurs once, in order of the alphabet
        output = "..." + "".join(c for c in sorted(left) if c.isalpha() and left.count(c) == 1)
    return inputs, output.replace("...", batch)


def take_diagonals(letters, x):
    """x with the axes of a repeated letter, as in 'ii', replaced by their diagonal."""
    for c in sorted(set(letters)):
        while letters.count(c) > 1:
            i = letters.index(c)
            j = letters.index(c, i + 1)
            x, letters = np.diagonal(x, axis1=i, axis2=j), letters[:i] + letters[i + 1 : j] + letters[j + 1 :] + c
    return letters, x


# --- Linear algebra ---------------------------------------------------------------------------------------------------


def solve(A, b):
    """y with A y = b. A vector b is one column; for columns the rules are below."""
    A, b = as_operand(A), as_operand(b)
    if b.ndim == 1:
        return np.linalg.solve(A, b[:, None])[..., 0]
    return record(np.linalg.solve, RULES[np.linalg.solve], (A, b))


def solve_matrix(a, y, A, b):
    """From A dy = -dA y:  a_A = -(A^-T a) y^T."""
    return unbroadcast(-np.linalg.solve(T(A), a) @ T(y), A)


def solve_right_side(a, y, A, b):
    """From A dy = db:  a_b = A^-T a."""
    return unbroadcast(np.linalg.solve(T(A), a), b)


def slogdet(A):
    result = np.linalg.slogdet(untrace(real(A, "np.linalg.slogdet")))
    return result._replace(logabsdet=record(logabsdet, RULES[logabsdet], (A,)))


def logabsdet(A):
    return np.linalg.slogdet(A)[1]


rule(np.linalg.solve, solve_matrix, solve_right_side)
rule(np.linalg.inv, lambda a, y, A: -T(y) @ a @ T(y))  # from d(A^-1) = -A^-1 dA A^-1
rule(np.linalg.det, lambda a, y, A: (a * y)[..., None, None] * T(np.linalg.inv(A)))  # Jacobi's formula
rule(logabsdet, lambda a, y, A: a[..., None, None] * T(np.linalg.inv(A)))


def norm(x, ord=None, axis=None, keepdims=False):
    """The root of the sum of squares; of vectors also the sum (ord=1) and the largest (ord=inf) of the |x_i|."""
    x = real(x, "np.linalg.norm")
    vector = x.ndim == 1 if axis is None else isinstance(axis, int)
    if ord is None or (ord == 2 and vector) or (ord == "fro" and not vector):
        return record(np.linalg.norm, RULES[np.linalg.norm], (x,), {"axis": axis, "keepdims": keepdims})
    if ord == 1 and vector:
        return np.sum(np.abs(x), axis, keepdims=keepdims)
    if ord == np.inf and vector:
        return np.max(np.abs(x), axis, keepdims=keepdims)
    raise TypeError(f"the tape has no rule for this norm, ord={ord!r}; it knows None, and for vectors 1, 2 and inf")


def towards_x(a, y, x, axis, keepdims):
    """d|x|/dx = x / |x|, the unit vector; at x = 0, where there is none, 0."""
    a, y = restore_axes(a, axis, keepdims), restore_axes(y, axis, keepdims)
    return a * x / np.where(y == 0, 1, y)


rule(np.linalg.norm, towards_x)
COMPOSED |= {
    np.dot: dot,
    np.tensordot: tensordot,
    np.outer: outer,
    np.inner: inner,
    np.vdot: vdot,
    np.einsum: einsum,
    np.linalg.solve: solve,
    np.linalg.slogdet: slogdet,
    np.linalg.norm: norm,
}
