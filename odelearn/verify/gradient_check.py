"""Tests of a gradient and of a pullback, by derivatives from first principles.

    finite_difference   (f(x + h) - f(x - h)) / 2h and its like, also extrapolated to h = 0      differences.py
    complex_step        Im f(x + ih) / h with h = 1e-20: exact to round-off, if fun is analytic  differences.py
    observed_order      the slope of log error over log h                                        order.py
    taylor_slope        the order of f(x + h v) - f(x) - h g.v: 2 if g is the gradient           order.py
    dot_product_test    <a, J v> = <J^T a, v>: is a pullback the transpose of the derivative?    here
    check_gradient      every component, by the best of these, with a diagnosis if it is wrong   here

The three derivatives of an adaptive solve. An adaptive solver chooses its mesh by looking at the solution, so "the
derivative of the solve" can mean three things. They differ by about the solver's tolerance:

    of the exact flow       what the differential equation means, and what the adjoint equations approximate
    of the frozen mesh      of the numbers that were computed, the accepted mesh held constant: `Discrete` is exactly
                            this one. So is the complex step: step sizes are chosen from absolute values, and an
                            imaginary part of 1e-20 does not change these
    with the mesh included  of everything that was computed, step sizes too. Differences of an adaptive solve measure
                            this one, and badly: where a perturbed step is rejected that was accepted before, the
                            solution jumps by about the tolerance, and a difference quotient divides that jump by h

A gradient of the frozen mesh may therefore fail a difference check and be right. To test it, take differences of what
it is the gradient of: the replay on the frozen mesh, `traj.replay`, or a solver with a fixed number n of steps.
"""

import numpy as np

from ..params import leaf_names, leaves, tree_map
from .differences import (
    STEP,
    as_float,
    as_scalar,
    complex_step,
    complex_step_along,
    draw_direction,
    evaluate_complex,
    extrapolate,
    extrapolate_along,
    finite_difference,
    length_scales,
)
from .gradient_report import Leaf, Report
from .order import observed_order, taylor_slope

__all__ = [
    "finite_difference",
    "complex_step",
    "taylor_slope",
    "dot_product_test",
    "observed_order",
    "check_gradient",
    "Report",
]

UNDERFLOW = 10 * float(np.finfo(float).smallest_subnormal) / STEP  # a smaller Im f(x + ih) / h is lost

# ---- the test of a pullback


def dot_product_test(fun, pullback, x, rng):
    """The relative gap between the two sides of  <a, J v> = <J^T a, v>,  for random a and v; J = d fun / dx at x.

        gap = |<a, J v> - <J^T a, v>| / max(sum |a_j (J v)_j|, sum |(J^T a)_i v_i|)

    Round-off if pullback is right: 1e-16 to 1e-13 in double precision where fun takes complex numbers, 1e-10 where it
    does not. The gap is relative to the absolute values of the terms, so that a sum which happens to be small does not
    enlarge it.

    Arguments:
        fun        function of an array like x; fun(x) is a number or an array of any shape Y
        pullback   pullback(a) for a of shape Y: J^T a, an array shaped like x, or a tuple whose first item that is
        x          number or array of real numbers, any shape
        rng        numpy.random.Generator; it draws a and v

    Returns the gap as a float, nan if pullback(a) is not finite. J v is computed from fun alone: by the complex step
    where differences confirm it, otherwise by Richardson extrapolation.
    Raises ValueError if pullback(a) is not shaped like x, TypeError if x is not real.

    >>> A = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> rng = np.random.default_rng(0)
    >>> dot_product_test(lambda x: A @ x, lambda a: A.T @ a, np.ones(2), rng) < 1e-14
    True
    >>> dot_product_test(lambda x: A @ x, lambda a: A @ a, np.ones(2), rng) < 1e-14
    False
    """
    x = as_float(x)
    a, v = rng.standard_normal(np.shape(fun(x))), draw_direction(x, rng)
    by_differences, error, by_step = differentiate_along(fun, x, v)
    J_v = by_step if is_confirmed(by_step, by_differences, error) else by_differences
    a_x = pullback(a)
    a_x = a_x[0] if isinstance(a_x, tuple) else a_x
    if np.shape(a_x) != x.shape:
        raise ValueError(f"pullback(a) must have the shape of x, {x.shape}, got {np.shape(a_x)}")
    left, right = a * J_v, a_x * v
    gap = abs(np.sum(left) - np.sum(right))
    return float(gap and gap / max(np.sum(np.abs(left)), np.sum(np.abs(right))))


@np.errstate(all="ignore")  # an imaginary part of 1e-20 is not small where fun varies on a shorter length
def differentiate_along(fun, x, v):
    """J v by Richardson extrapolation, its error, and J v by the complex step (None where fun does not take that)."""
    own = length_scales(x, v)[1:]
    by_differences, error, _ = extrapolate_along(fun, x, v, 0.1, *(0.1 * scale for scale in own))
    try:
        by_step = complex_step_along(fun, x, v)
        if own and not are_same(by_step, complex_step_along(fun, x, v, 1000 * STEP)):  # h is not small beside x
            by_step = None
    except TypeError:
        by_step = None
    return by_differences, error, by_step


def are_same(J_v, other):
    return bool(np.all(np.abs(J_v - other) <= round_off(J_v) * np.abs(J_v) + UNDERFLOW))


def is_confirmed(by_step, by_differences, error):
    """Whether differences confirm a complex step. A random v has a part along every component, so one v is enough."""
    if by_step is None:
        return False
    return bool(np.all(np.abs(by_step - by_differences) <= 10 * error + round_off(by_step) * np.abs(by_step)))


# ---- the gradient check


def check_gradient(fun, gradient, x, names=None, rng=None, rtol=None):
    """Is `gradient` the gradient of the scalar fun at x? Every component g_i is compared with a reference r_i.

        passed if  |g_i - r_i| <= rtol max_j |r_j| + 10 e_i + zero   for every i, with j in the same leaf

    r is the complex step where differences along a random direction confirm it, and then e = 0; otherwise r is found
    by Richardson extrapolation, which estimates its own error e (no more than 1 % of the largest r counts, unless
    round-off alone is more). `zero` is what cannot be told from 0: 1000 eps_mach (|fun(x)| + max |r|) + 5e-303. All is
    computed in double precision, whatever the dtype of x. There is no step to choose.

    The arguments stand in the order (fun, gradient, x); in taylor_slope the order is (fun, x, gradient, rng). If in
    doubt, name them: check_gradient(fun, gradient=g, x=x).

    Arguments:
        fun        function of x; returns one real number
        gradient   the gradient at x, shaped like x (a tree for a tree); or the function of x that returns it
        x          array of real numbers; or a tree (dict, list or tuple) of arrays, and then fun receives a tree:
                   check_gradient(loss, gradient, {"z0": z0, "theta": mlp.unravel(theta), "ts": ts})
        names      of all components in the order of `ravel`; by default those of the tree: "theta.W1[3, 0]", "ts[2]"
        rng        numpy.random.Generator that draws the directions; by default the same ones every time
        rtol       how far off g may be, relative to the largest component of its leaf. By default what round-off may
                   grow to: eps_mach^(5/8), 1.6e-10 if x and g are double, 5e-5 if one is single. Give it for a gradient
                   that is approximate by design, such as Backsolve's

    Returns a Report: true if passed, a table when printed, with a diagnosis if not. If g or fun is not finite, it has
    not passed.
    Raises ValueError if there is nothing to compare: fun does not return one real number, gradient is not shaped like
    x, names are too few or too many, x is empty; TypeError if x or gradient is not real.

    >>> x = np.array([1.0, 2.0])
    >>> bool(check_gradient(lambda x: np.sum(x**3), lambda x: 3 * x**2, x))
    True
    >>> check_gradient(lambda x: np.sum(x**3), lambda x: -3 * x**2, x).diagnosis
    'x: sign: gradient = -reference'
    """
    rng = np.random.default_rng(0) if rng is None else rng
    g = gradient(x) if callable(gradient) else gradient
    if not is_tree(x):
        fun, x, g = (lambda tree, fun=fun: fun(tree["x"])), {"x": as_float(x)}, {"x": as_float(g, "gradient at x")}
    x = tree_map(lambda name, leaf: as_float(leaf, name), x)
    names, g = check_names(x, names), match_leaves(x, g)
    rtol = rtol or max(round_off(leaf) for leaf in [*leaves(x).values(), *g.values()])

    x = tree_map(lambda _, leaf: leaf.astype(float), x)
    value = as_scalar(fun(x))
    if not np.isfinite(value):
        return Report([], f"not finite: fun(x) = {value}, so there is no gradient to compare with")
    complex_ones = find_complex_leaves(fun, x)
    rows = []
    for name, leaf in leaves(x).items():
        components, names = names[: leaf.size], names[leaf.size :]
        if leaf.size:
            rows.append(compare_leaf(name, components, restrict(fun, x, name, complex_ones), leaf, g[name], rng))

    largest = max(np.max(np.abs(np.nan_to_num(row.reference))) for row, _ in rows)
    zero = 1000 * np.finfo(float).eps * (abs(value) + largest) + UNDERFLOW
    allow = lambda row, noise: rtol * row.scale + np.minimum(10 * row.error, np.maximum(0.01 * largest, noise)) + zero
    return Report([row._replace(allowed=allow(row, 10 * noise)) for row, noise in rows])


@np.errstate(all="ignore")
def compare_leaf(name, components, fun, x, g, rng):
    """The gradient g of one leaf beside its reference: by complex step where differences confirm it, else by those.

    Returns the Leaf, without what is allowed, and the round-off of its reference.
    """
    v = draw_direction(x, rng)
    by_differences, error, by_step = differentiate_along(fun, x, v)
    if is_confirmed(by_step, by_differences, error):
        method, r, error, frozen, noise = "complex step", complex_step(fun, x), np.zeros(x.shape), False, 0.0
    else:
        method, (r, error, noise) = "differences", extrapolate(fun, x)
        frozen = by_step is not None and abs(np.sum(g * v) - by_step) <= round_off(x) * np.sum(np.abs(g * v))
    return Leaf(name, components, g, r, error, None, method, taylor_slope(fun, x, g, rng), bool(frozen)), noise


def restrict(fun, x, name, complex_ones):
    """fun as a function of one leaf of the tree x. When that is complex, so are the others in complex_ones.

    A point that fun refuses counts as nan: a long step may take a time beyond its neighbour, or a solve to infinity.
    """

    def fun_of_leaf(part):
        is_complex = np.iscomplexobj(part)
        put = lambda other, leaf: part if other == name else leaf + 0j if is_complex and other in complex_ones else leaf
        try:
            value = fun(tree_map(put, x))
        except (ValueError, ArithmeticError, RuntimeError):
            return np.nan
        return value if is_complex else np.real(value)

    return fun_of_leaf


def find_complex_leaves(fun, x):
    """The names of the leaves that fun takes as complex together: all, or all but one (a solve wants its ts real)."""
    names = [name for name, leaf in leaves(x).items() if leaf.size]
    for real in (None, *names):
        try:
            evaluate_complex(fun, tree_map(lambda name, leaf, real=real: leaf if name == real else leaf + 0j, x))
            return {name for name in names if name != real}
        except (TypeError, ValueError):
            continue
    return set()


# ---- trees, names, tolerance


def is_tree(x):
    """A list of numbers is a vector, as everywhere; a list of arrays is a tree."""
    return isinstance(x, dict) or (isinstance(x, list | tuple) and not all(map(np.isscalar, x)))


def match_leaves(x, g):
    """{name: array} of the gradient's leaves, in the order of x. Raises ValueError where they are not shaped like x."""
    x, g = leaves(x), leaves(g)
    if x.keys() != g.keys():
        raise ValueError(f"gradient must be a tree like x, with the leaves {', '.join(x)}; got {', '.join(g)}")
    for name in x:
        if g[name].shape != x[name].shape:
            raise ValueError(f"gradient must be shaped like x: at {name} it is {g[name].shape}, x is {x[name].shape}")
    return {name: as_float(g[name], f"gradient at {name}") for name in x}


def check_names(x, names):
    """The names of the components of x. Raises ValueError if those given are too few or too many, or there is no x."""
    own = leaf_names(x)
    if not own:
        raise ValueError("x holds no numbers: there is nothing to check")
    if names is not None and len(names) != len(own):
        raise ValueError(f"names must name all {len(own)} components of x, got {len(names)}")
    return own if names is None else list(names)


def round_off(x):
    """What round-off may have grown to in a long computation, relative: eps_mach^(5/8), 10 digits of 16 or 4 of 7."""
    return float(np.finfo(x.dtype).eps) ** 0.625
