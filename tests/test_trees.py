"""Rooted trees: how many there are, what they weigh, and that their residuals are the errors of real steps."""

from collections import Counter
from dataclasses import replace
from math import factorial, prod

import numpy as np
import pytest

from odelearn.solvers.coefficients import DOP853, DOPRI5, RK4, TABLEAUS, TSIT5
from odelearn.solvers.order_conditions import (
    certified_order,
    certify,
    density,
    interpolant_conditions,
    order,
    order_conditions,
    rooted_trees,
    trees_up_to,
)

DENSITIES_BY_HAND = {
    (): 1,
    ((),): 2,
    ((), ()): 3,
    (((),),): 6,
    ((), (), ()): 4,
    ((), ((),)): 8,
    (((), ()),): 12,
    ((((),),),): 24,
}


def symmetry(tree):
    """sigma(tree): in how many ways its branches can be swapped without changing it."""
    return prod(symmetry(child) for child in tree) * prod(factorial(n) for n in Counter(tree).values())


def test_there_are_as_many_trees_as_cayley_counted():
    assert [len(rooted_trees(n)) for n in range(1, 10)] == [1, 1, 2, 4, 9, 20, 48, 115, 286]


def test_small_trees_and_their_densities_by_hand():
    assert {tree: density(tree) for tree in trees_up_to(4)} == DENSITIES_BY_HAND


@pytest.mark.parametrize("n", range(1, 9))
def test_densities_count_the_growing_trees(n):
    """A tree of n nodes can grow leaf by leaf in n! / (gamma sigma) ways, and all such trees in (n-1)! ways."""
    trees = rooted_trees(n)
    assert all(order(tree) == n and tree == tuple(sorted(tree)) for tree in trees)
    assert sum(factorial(n) // (density(tree) * symmetry(tree)) for tree in trees) == factorial(n - 1)


def step_on_trees(tableau, p, clock):
    """One naive step of h = 1 from y = 0 of the system  y_tree' = prod over the children of y_child.

    Its exact solution is y_tree(x) = x^|tree| / gamma(tree). With clock, leaves are read off t instead of y_leaf = t.
    Returns y(1) as {tree: value}, and y(x) by dense output as a function with values {tree: value}.
    """
    trees, dense = trees_up_to(p), tableau.dense

    def f(y, t):
        y = dict(zip(trees, y, strict=True))
        return np.array([prod(t if clock and child == () else y[child] for child in tree) for tree in trees])

    k = []
    for A_i, c_i in zip([*tableau.A, *dense.A], [*tableau.c, *dense.c], strict=True):
        y = sum((a * k_j for a, k_j in zip(A_i, k, strict=False)), np.zeros(len(trees)))
        k.append(f(y, c_i))
    end = dict(zip(trees, tableau.b @ k[: tableau.stages], strict=True))
    return end, lambda x: dict(zip(trees, dense.weights(x) @ k, strict=True))


NODES_OFF = replace(RK4, name="RK4 with its nodes shifted by one stage", c=[0, 0, 1 / 2, 1 / 2])
WEIGHTS_OFF = replace(RK4, name="RK4 with its weights in the wrong order", b=[1 / 3, 1 / 6, 1 / 3, 1 / 6])


@pytest.mark.parametrize("tableau", [*TABLEAUS.values(), NODES_OFF, WEIGHTS_OFF], ids=lambda tableau: tableau.name)
def test_the_residual_of_a_tree_is_the_error_of_a_real_step(tableau):
    """Every tree has a differential equation of its own, on which the error of one step is the residual."""
    by_clock, by_state = (step_on_trees(tableau, 5, clock)[0] for clock in (True, False))
    for tree, residual in order_conditions(tableau, 5).items():
        errors = [end[tree] - 1 / density(tree) for end in (by_clock, by_state)]
        assert residual == pytest.approx(max(errors, key=abs), abs=1e-13)


@pytest.mark.parametrize("tableau", [RK4, NODES_OFF, DOPRI5, TSIT5, DOP853], ids=lambda tableau: tableau.name)
@pytest.mark.parametrize("x", [0.3, 0.8])
def test_dense_output_is_exact_on_the_trees_that_it_is_certified_for(tableau, x):
    p = tableau.dense.order + 1
    residuals = interpolant_conditions(tableau, p)
    along = [step_on_trees(tableau, p, clock)[1](x) for clock in (True, False)]
    exact = {tree: max(abs(y[tree] - x ** order(tree) / density(tree)) for y in along) < 1e-12 for tree in residuals}
    assert exact == {tree: residual < 1e-11 for tree, residual in residuals.items()}
    assert not all(exact.values())


def test_a_shifted_node_hides_from_autonomous_problems_only():
    """Read as the state, the leaves still give RK4 its order 4: only the clock is wrong, from y' = t on."""
    assert certified_order(replace(NODES_OFF, c=NODES_OFF.A.sum(1))) == 4
    assert certified_order(NODES_OFF) == 1
    assert order_conditions(NODES_OFF, 2)[((),)] == pytest.approx(1 / 3 * 1 / 2 + 1 / 6 * 1 / 2 - 1 / 2)
    assert certify(NODES_OFF)["rows of A sum to c"] == 0.5


def test_weights_can_be_certified_on_their_own():
    assert certified_order(DOPRI5) == 5
    assert certified_order(DOPRI5, DOPRI5.b - DOPRI5.b_err) == 4
    euler = order_conditions(RK4, 3, weights=[1, 0, 0, 0])
    assert euler == {(): 0, ((),): -1 / 2, ((), ()): -1 / 3, (((),),): -1 / 6}
