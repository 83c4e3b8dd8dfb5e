"""Rooted trees, and the order conditions of Runge-Kutta methods.

Differentiate z' = f(z) again and again: z'' = f'f, z''' = f''(f, f) + f'f'f, and so on. Every term is a rooted tree: a
node is an f, and its children are what that derivative of f is applied to. A Runge-Kutta step expands in the same
terms, so it is of order p exactly when the two expansions agree on every tree with at most p nodes.

    term         tree        gamma   condition  sum_i b_i Phi_i(tree) = 1 / gamma(tree)
    f            ()              1   sum b_i            = 1
    f'f          ((),)           2   sum b_i c_i        = 1/2
    f''(f, f)    ((), ())        3   sum b_i c_i^2      = 1/3
    f'f'f        (((),),)        6   sum b_i A_ij c_j   = 1/6

A tree is the sorted tuple of its children; so a leaf is (), and equal trees are equal tuples.
Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I, section II.2, Theorem 2.13.
"""

from functools import cache
from math import prod

import numpy as np

TOLERANCE = 1e-11  # round-off leaves 1e-16 to 1e-12 of a condition, more as the coefficients are larger


@cache
def rooted_trees(n):
    """All rooted trees with n nodes, 1, 1, 2, 4, 9, 20, 48, 115, ... of them: those with n - 1, and a leaf anywhere."""
    if n == 1:
        return ((),)
    return tuple(sorted({grown for tree in rooted_trees(n - 1) for grown in one_leaf_more(tree)}))


def one_leaf_more(tree):
    """Every tree that a new leaf makes of this one: hung on the root, or somewhere in a child."""
    yield tuple(sorted([*tree, ()]))
    for i, child in enumerate(tree):
        for grown in one_leaf_more(child):
            yield tuple(sorted([*tree[:i], grown, *tree[i + 1 :]]))


def trees_up_to(p):
    """All rooted trees of order <= p, small ones first: 200 of them for p = 8."""
    return [tree for n in range(1, p + 1) for tree in rooted_trees(n)]


def order(tree):
    """|tree|, the number of nodes."""
    return 1 + sum(map(order, tree))


def density(tree):
    """gamma(tree) = |tree| product over the children of gamma(child).

    In the exact solution the term of a tree grows like x^|tree| / gamma(tree): each node integrates once, and
    1 / gamma(tree) = int_0^1 product over the children of (x^|child| / gamma(child)) dx.
    """
    return order(tree) * prod(map(density, tree))


def elementary_weights(A, c, p):
    """Phi_i(tree) = product over the children of sum_j A_ij Phi_j(child), the tree's term in stage i, for |tree| <= p.

    Stages sum where the exact solution integrates. A leaf is where f notices that its argument has moved: in stage i
    t by c_i h, the state by sum_j A_ij h f. The two should be equal. If they are not, then only t shows a wrong node
    c_i, and only the state shows a wrong A_i1. So Phi (s, 2) has a column for each reading.
    """
    leaf = np.stack([c, A.sum(1)], axis=1)
    Phi = {}
    for tree in trees_up_to(p):  # small ones first, so that every child is there when it is wanted
        factors = [A @ Phi[child] if child else leaf for child in tree]
        Phi[tree] = prod(factors, start=np.ones_like(leaf))
    return Phi


def order_conditions(tableau, p, weights=None):
    """The residual  sum_i b_i Phi_i(tree) - 1 / gamma(tree)  of every rooted tree of order <= p.

    tableau      a ButcherTableau of s stages
    p            the order to test, >= 1; the method is of order p if all residuals are zero to round-off
    weights (s,) instead of b, for instance b_hat = b - b_err

    Returns a dict {tree: residual}, small trees first; a tree is the tuple of its children, so a leaf is (). Of the two
    readings of the leaves (see elementary_weights) the worse one counts.
    Source: Hairer, Norsett, Wanner, Solving ODEs I, section II.2, Theorem 2.13.

    >>> from odelearn import HEUN
    >>> order_conditions(HEUN, 2)
    {(): 0.0, ((),): 0.0}
    """
    b = tableau.b if weights is None else weights
    Phi = elementary_weights(tableau.A, tableau.c, p)
    return {tree: float(max(b @ Phi[tree] - 1 / density(tree), key=abs)) for tree in Phi}


def interpolant_conditions(tableau, p):
    """How far  sum_i b_i(x) Phi_i(tree)  is from  x^|tree| / gamma(tree),  for every rooted tree of order <= p.

    tableau   a ButcherTableau; its dense output has the weights b_i(x) = sum_j P_ij x^(j+1)
    p         the order to test, >= 1; the dense output is of order p if both sides are the same polynomial

    Returns a dict {tree: residual}, where the residual is the largest |difference| of the coefficients.
    Source: Hairer, Norsett, Wanner, Solving ODEs I, section II.6, Theorem 6.1.
    """
    P = tableau.dense.P
    degree = max(P.shape[1], p)
    P = np.pad(P, [(0, 0), (0, degree - P.shape[1])])
    powers = np.eye(degree)[:, :, None]  # x^n as coefficients (degree, 1), the same for both readings
    Phi = elementary_weights(*with_extra_stages(tableau), p)
    return {tree: float(np.abs(P.T @ Phi[tree] - powers[order(tree) - 1] / density(tree)).max()) for tree in Phi}


def with_extra_stages(tableau):
    """A and c of all the stages that the dense output uses: the step's own, and then the interpolant's."""
    dense = tableau.dense
    A = np.zeros((len(dense.P), len(dense.P)))
    A[: tableau.stages, : tableau.stages] = tableau.A
    A[tableau.stages :] = dense.A
    return A, np.append(tableau.c, dense.c)


def certified_order(tableau, weights=None):
    """The largest p whose order conditions all hold to round-off, for b or for other weights."""
    p = 0
    while largest(order_conditions(tableau, p + 1, weights)) < TOLERANCE:
        p += 1
    return p


def certify(tableau):
    """Every claim of a tableau with its largest |residual|, as a dict {claim: residual}.

    tableau   a ButcherTableau. It claims that the rows of A sum to c, the order of b and that of its dense output, and
              that the dense output ends at z_next. A claim holds if its residual is below TOLERANCE = 1e-11.
    """
    dense = tableau.dense
    A, c = with_extra_stages(tableau)
    b = np.pad(tableau.b, (0, len(c) - tableau.stages))
    return {
        "rows of A sum to c": float(np.abs(A.sum(1) - c).max()),
        f"b is of order {tableau.order}": largest(order_conditions(tableau, tableau.order)),
        f"the interpolant is of order {dense.order}": largest(interpolant_conditions(tableau, dense.order)),
        "the interpolant ends at z_next": float(np.abs(dense.weights(1) - b).max()),
    }


def largest(residuals):
    """The largest |residual| of a dict of them."""
    return max(map(abs, residuals.values()))
