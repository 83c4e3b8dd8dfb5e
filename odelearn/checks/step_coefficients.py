"""Reading the coefficients A, b, c off a step, and what is wrong with them.

A step is called with an f that returns the i-th unit vector at its i-th call, k_i = e_i. Then the point at which f is
called for stage i is z + h (A_i1, A_i2, ...), its time is t + c_i h, and the result is z + h (b_1, b_2, ...).
"""

from collections import namedtuple

import numpy as np

from ..solvers.coefficients import TABLEAUS
from ..solvers.order_conditions import order_conditions
from ..solvers.tableau import ButcherTableau

# Of one step, relative to (z, t): Z (s, s) = h A and t (s,) = h c, where f was called, and z_next (s,) = h b.
Moves = namedtuple("Moves", "h Z t z_next")


def read_moves(step, stages, h, theta, t=0.3):
    """The Moves of step(f, z, t, h, theta) with that many calls of f; None if it does not call f so often."""
    z, moves = np.linspace(0.5, 1.5, stages), []

    def f(Z, tau, theta):
        moves.append((np.array(Z, float) - z, float(tau) - t))
        return np.eye(stages)[min(len(moves), stages) - 1]

    z_next = np.asarray(step(f, z.copy(), t, h, theta), float)
    if len(moves) != stages or z_next.shape != z.shape:
        return None
    Z, times = zip(*moves, strict=True)
    return Moves(h, np.array(Z), np.array(times), z_next - z)


def find_wrong_coefficients(step, stages, theta, order):
    """Texts for what is wrong in single stages; if nothing is, for the order condition that fails."""
    moves = [read_moves(step, stages, h, theta) for h in (0.1, -0.25)]
    if None in moves:
        return
    wrong = [text for i in range(stages) for text in find_wrong_stage(i, *moves)]
    yield from wrong or find_failing_condition(moves[0], order)


def find_wrong_stage(i, first, second):
    """What is wrong with the point (Z_i, t_i) at which stage i evaluates f, from steps of two lengths, one negative."""
    for what, x, y in ("state", first.Z[i], second.Z[i]), ("time", first.t[i], second.t[i]):
        if not np.any(np.abs(x) > 1e-12):
            continue
        if are_equal(x, y):
            yield f"missing h in the {what} of stage {i + 1}: f is evaluated at {PLACES[what]}"
            return
        if are_equal(x / abs(first.h), y / abs(second.h)):
            yield f"sign: abs(h) in the {what} of stage {i + 1}; h is signed, use it as it comes"
            return
    row, node = np.sum(first.Z[i]) / first.h, first.t[i] / first.h
    if abs(row - node) < 1e-9:
        return
    if abs(row) < 1e-9:
        yield (
            f"stage {i + 1} stands still: f is evaluated at the time t + {node:.4g} h, but at the state z. It should "
            f"be at z + {node:.4g} h times a mean of the slopes before"
        )
    else:
        yield (
            f"stale time: stage {i + 1} evaluates f at a state that has moved by {row:.4g} h times a mean of slopes. "
            f"Its time must be t + {row:.4g} h; it is t + {node + 0.0:.4g} h"
        )


PLACES = {"state": "z + a k, not at z + h a k", "time": "t + c, not at t + c h"}


def find_failing_condition(moves, order):
    """The first order condition that fails, of order <= `order`."""
    tableau = as_tableau(moves)
    if tableau is None or order is None:
        return
    for tree, residual in order_conditions(tableau, order).items():
        if abs(residual) > 1e-9:
            p = str(tree).count("(")  # the nodes of the tree
            name, value = CONDITIONS.get(tree, ("", 0.0))
            what = f"{name} = {value + residual:.4g} and should be {value:.4g}" if name else "one of them fails"
            yield f"coefficients: they do not satisfy the conditions of order {p}: {what}"
            return


CONDITIONS = {  # rooted tree: its condition, and the value it must have
    ((),): ("sum b_i c_i", 1 / 2),
    ((), ()): ("sum b_i c_i^2", 1 / 3),
    (((),),): ("sum b_i A_ij c_j", 1 / 6),
}


def find_other_method(step, stages, theta, like):
    """Texts for the difference to the method `like`, if a step does not give the same numbers."""
    if all(are_equal(step(f, z, t, h, theta), step_by(like, f, z, t, h, theta)) for f, z, t, h in TRIES):
        return
    moves = read_moves(step, stages, 0.1, theta)
    tableau = moves and as_tableau(moves)
    if tableau is None:
        yield f"another method: z_next is not that of {like.name}"
    elif same := [other for other in TABLEAUS.values() if is_same_method(tableau, other)]:
        yield f"another method: this is {same[0].name}, asked for is {like.name}"
    else:
        yield f"another method: {compare_coefficients(tableau, like)}, asked for is {like.name}"


def nonlinear_field(z, t, theta):
    """A field that depends on everything, with no symmetry."""
    return np.sin(theta[0] * z[::-1]) * np.cos(t) + z * z / 3


TRIES = [(nonlinear_field, np.array([0.4, -0.7]), 0.3, 0.2), (nonlinear_field, np.array([0.9, 0.5]), 1.3, -0.3)]


def step_by(tableau, f, z, t, h, theta):
    """z_next = z + h sum_i b_i k_i,  k_i = f(z + h sum_j A_ij k_j, t + c_i h, theta)."""
    k = []
    for A_i, c_i in zip(tableau.A, tableau.c, strict=True):
        k.append(f(z + h * sum((A_ij * k_j for A_ij, k_j in zip(A_i, k, strict=False)), 0 * z), t + c_i * h, theta))
    return z + h * sum(b_i * k_i for b_i, k_i in zip(tableau.b, k, strict=True))


def as_tableau(moves):
    """The coefficients as a ButcherTableau; None if they are not those of an explicit method, with nodes in [0, 1]."""
    A = moves.Z / moves.h
    try:
        return ButcherTableau("yours", A=clean(A), b=moves.z_next / moves.h, c=clean(moves.t / moves.h), order=1)
    except ValueError:
        return None


def clean(x):
    """x, where round-off around 0 and 1 is removed."""
    return np.where(np.abs(x - np.round(x)) < 1e-9, np.round(x), x)


def is_same_method(tableau, other):
    """Whether all coefficients agree, last stages that only an error estimate uses apart."""
    s = min(tableau.stages, other.stages)
    unused = np.concatenate([tableau.b[s:], other.b[s:]])
    used = lambda t: np.concatenate([t.A[:s, :s].ravel(), t.b[:s], t.c[:s]])
    return not unused.any() and are_equal(used(tableau), used(other))


def compare_coefficients(tableau, like):
    """The first of c, A, b that is not that of `like`, in words."""
    if tableau.stages != like.stages:
        return f"f is called {tableau.stages} times, {like.name} has {like.stages} stages"
    for name, x, y in ("c", tableau.c, like.c), ("A", tableau.A, like.A), ("b", tableau.b, like.b):
        off = np.argwhere(np.abs(x - y) > 1e-9)
        if off.size:
            place = tuple(off[0])
            return f"{name}[{', '.join(map(str, place))}] = {x[place]:.4g}, {like.name} has {y[place]:.4g}"
    return "the coefficients are the same, but z_next is not"


def are_equal(x, y):
    return np.allclose(x, y, rtol=1e-9, atol=1e-11)
