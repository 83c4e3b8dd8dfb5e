"""What every gradient in this house is measured against: derivatives from first principles, and tests made of them.

Nothing here knows how a gradient was found: fun is evaluated near x, that is all.

    finite_difference   (f(x + h) - f(x - h)) / 2h and its like, also extrapolated to h = 0 (Richardson)
    complex_step        Im f(x + ih) / h with h = 1e-20: exact to round-off, if fun is analytic
    taylor_slope        f(x + h v) - f(x) - h g.v shrinks like h^2 if g is the gradient, like h if it is not
    dot_product_test    <a, J v> = <J^T a, v>: a pullback against the map it claims to transpose
    observed_order      the slope of log error over log h
    check_gradient      every component, by the best of these, with a diagnosis (gradient_report.py) if it is wrong

The three derivatives of an adaptive solve. An adaptive solver chooses its mesh by looking at the solution, so "the
derivative of the solve" can mean three things, which differ by about the solver's tolerance:

    of the exact flow       what the differential equation means, and what the adjoint equations approximate
    of the frozen mesh      of the numbers that were computed, the accepted mesh held constant: `Discrete` is exactly
                            this one. So is the complex step: step sizes are chosen from absolute values, which an
                            imaginary part of 1e-20 does not move
    with the mesh included  of all that happened, step-size control too. Differences of an adaptive solve measure this
                            one, and badly: where a perturbed step is rejected that was accepted before, the solution
                            jumps by about the tolerance, and a difference quotient divides that jump by h

A gradient of the frozen mesh may therefore fail a difference check and be right. To test it, take differences of what
it is the gradient of: the replay on the frozen mesh, `traj.replay`, or a solver with a fixed number n of steps.
"""

import numpy as np

from ..params import leaf_names, leaves, tree_map
from .differences import (
    as_float,
    complex_step,
    extrapolated,
    finite_difference,
    imaginary_quotient,
    keep_imaginary,
    richardson,
)
from .gradient_report import Leaf, Report
from .order import loglog_slope, observed_order

__all__ = [
    "finite_difference",
    "complex_step",
    "taylor_slope",
    "dot_product_test",
    "observed_order",
    "check_gradient",
    "Report",
]

# ---- tests of a gradient, of a pullback, of an order


def taylor_slope(fun, x, gradient, rng):
    """The slope of log r(h) over log h, where  r(h) = |fun(x + h v) - fun(x) - h g.v|  along a random v.

    2 if g is the gradient of the scalar fun at x (3 if fun has no curvature along v), 1 if it is not. Measured at the
    four smallest h whose r is well above round-off. inf if r is nothing but round-off: fun is affine, and g right;
    nan if fun or g is not finite. `gradient` is g, or the function of x that returns it.
    """
    x = as_float(x)
    g = gradient(x) if callable(gradient) else np.asarray(gradient)
    v = random_direction(x, rng)
    value, rise = scalar(fun(x)), np.sum(g * v)
    hs = 0.5 ** np.arange(3, 15)
    with np.errstate(all="ignore"):  # a long step may leave the domain of fun
        r = np.array([abs(fun(x + float(h) * v) - value - h * rise) for h in hs])
    clear = r > 1000 * np.finfo(x.dtype).eps * (abs(value) + hs * abs(rise))
    if not np.isfinite(r).any():
        return np.nan
    return loglog_slope(hs[clear][-4:], r[clear][-4:]) if clear.sum() > 2 else np.inf


def dot_product_test(fun, pullback, x, rng):
    """The relative gap between the sides of  <a, J v> = <J^T a, v>  for random a and v: round-off if pullback is right.

    J v comes from first principles, J^T a is pullback(a), or its first item if that is a tuple. The gap is relative to
    the absolute values of the terms in the two sums, so that a sum which happens to be small counts for nothing.
    """
    x = as_float(x)
    a, v = rng.standard_normal(np.shape(fun(x))), random_direction(x, rng)
    real, error, step = directional(fun, x, v)
    J_v = step if confirmed(step, real, error) else real
    a_x = pullback(a)
    a_x = a_x[0] if isinstance(a_x, tuple) else a_x
    if np.shape(a_x) != x.shape:
        raise ValueError(f"pullback(a) must have the shape of x, {x.shape}, got {np.shape(a_x)}")
    left, right = a * J_v, a_x * v
    gap = abs(np.sum(left) - np.sum(right))
    return float(gap and gap / max(np.sum(np.abs(left)), np.sum(np.abs(right))))


def directional(fun, x, v):
    """J v by Richardson extrapolation, its error, and J v by the complex step (None where fun does not take that)."""
    real, error = richardson(fun, x, v, 0.1)
    try:
        return real, error, imaginary_quotient(fun, x, v)
    except TypeError:
        return real, error, None


def confirmed(step, real, error):
    """Whether differences confirm a complex step. One random v sees every component of x, so it speaks for them all."""
    return step is not None and bool(np.all(np.abs(step - real) <= 10 * error + accumulated(step) * np.abs(step)))


# ---- the gradient check


def check_gradient(fun, gradient, x, names=None, rng=None, rtol=None):
    """Is `gradient` the gradient of the scalar fun at x? Every component is compared, and there is no eps to tune.

    x         an array; or a tree of arrays, and then fun receives a tree:
              check_gradient(loss, gradient, {"z0": z0, "theta": mlp.unravel(theta), "ts": ts})
    gradient  the gradient at x, shaped like x (a tree for a tree), or the function of x that returns it
    names     of all components in the order of `ravel`; by default they come from the tree: "theta.W1[3, 0]", "ts[2]"
    rng       draws the directions; the same ones every time if not given
    rtol      how far off a gradient may be that is approximate by design, such as Backsolve's, relative to the largest
              component of its leaf. Without it, accumulated round-off: 1.6e-10 in double, 5e-5 in single precision

    The reference is the complex step wherever differences confirm it, otherwise Richardson extrapolation, which is
    allowed ten times its own error estimate. It is computed in double precision whatever the dtype of x.
    Returns a Report: true if passed, a table when printed. A gradient or fun that is not finite does not pass.
    Raises TypeError or ValueError where there is nothing to compare: fun not scalar, gradient not shaped like x.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    g = gradient(x) if callable(gradient) else gradient
    if not is_tree(x):
        fun, x, g = (lambda tree, fun=fun: fun(tree["x"])), {"x": np.asarray(x)}, {"x": np.asarray(g)}
    x = tree_map(lambda name, leaf: as_float(leaf, name), x)
    names, g = checked_names(x, names), shaped_like(x, g)
    rtol = rtol or max(accumulated(leaf) for leaf in [*leaves(x).values(), *g.values()])

    x = tree_map(lambda _, leaf: leaf.astype(float), x)
    value = scalar(fun(x))
    if not np.isfinite(value):
        return Report([], f"not finite: fun(x) = {value}, so there is no gradient to compare with")
    willing = complex_leaves(fun, x)
    rows = []
    for name, leaf in leaves(x).items():
        components, names = names[: leaf.size], names[leaf.size :]
        if leaf.size:
            rows.append(compare(name, components, one_leaf(fun, x, name, willing), leaf, g[name], rng))

    largest = max(np.max(np.abs(np.nan_to_num(row.reference))) for row in rows)
    zero = 1000 * np.finfo(float).eps * (abs(value) + largest) + np.finfo(float).tiny  # round-off, in any leaf
    allowed = lambda row: rtol * row.scale + np.minimum(10 * row.error, 0.01 * largest) + zero
    return Report([row._replace(allowed=allowed(row)) for row in rows])


def compare(name, components, fun, x, g, rng):
    """The gradient g of one leaf beside its reference: by complex step where differences confirm it, else by those."""
    v = random_direction(x, rng)
    real, error, step = directional(fun, x, v)
    if confirmed(step, real, error):
        method, r, error, frozen = "complex step", complex_step(fun, x), np.zeros(x.shape), False
    else:
        method, (r, error) = "differences", extrapolated(fun, x)
        frozen = step is not None and abs(np.sum(g * v) - step) <= accumulated(x) * np.sum(np.abs(g * v))
    return Leaf(name, components, g, r, error, None, method, taylor_slope(fun, x, g, rng), bool(frozen))


def one_leaf(fun, x, name, willing):
    """fun as a function of one leaf of the tree x. When that is complex, so are the others that are willing.

    A point that fun refuses counts as nan: a long step may take a time beyond its neighbour, or a solve to infinity.
    """

    def fun_of_leaf(part):
        is_complex = np.iscomplexobj(part)
        put = lambda other, leaf: part if other == name else leaf + 0j if is_complex and other in willing else leaf
        try:
            value = fun(tree_map(put, x))
        except (ValueError, ArithmeticError, RuntimeError):
            return np.nan
        return value if is_complex else np.real(value)

    return fun_of_leaf


def complex_leaves(fun, x):
    """The names of the leaves that fun takes as complex together: all, or all but one (a solve wants its ts real)."""
    names = [name for name, leaf in leaves(x).items() if leaf.size]
    for real in (None, *names):
        try:
            keep_imaginary(fun, tree_map(lambda name, leaf, real=real: leaf if name == real else leaf + 0j, x))
            return {name for name in names if name != real}
        except (TypeError, ValueError):
            continue
    return set()


# ---- small things


def is_tree(x):
    """A list of numbers is a vector, as everywhere; a list of arrays is a tree."""
    return isinstance(x, dict) or (isinstance(x, list | tuple) and not all(map(np.isscalar, x)))


def shaped_like(x, g):
    """{name: array} of the gradient's leaves, in the order of x. Raises ValueError where they are not shaped like x."""
    x, g = leaves(x), leaves(g)
    if x.keys() != g.keys():
        raise ValueError(f"gradient must be a tree like x, with the leaves {', '.join(x)}; got {', '.join(g)}")
    for name in x:
        if g[name].shape != x[name].shape:
            raise ValueError(f"gradient must be shaped like x: at {name} it is {g[name].shape}, x is {x[name].shape}")
    return {name: as_float(g[name], f"gradient at {name}") for name in x}


def checked_names(x, names):
    """The names of the components of x. Raises ValueError if those given are too few or too many, or there is no x."""
    own = leaf_names(x)
    if not own:
        raise ValueError("x holds no numbers: there is nothing to check")
    if names is not None and len(names) != len(own):
        raise ValueError(f"names must name all {len(own)} components of x, got {len(names)}")
    return own if names is None else list(names)


def scalar(value):
    """fun(x) as one real number. Raises ValueError if it is something else."""
    value = np.asarray(value)
    if value.dtype.kind not in "biufc" or value.shape:
        raise ValueError(
            f"fun must return one number, got {value.dtype} of shape {value.shape}. Reduce it to a loss, such as "
            "np.sum(w * y) with fixed weights w, or test the pullback with dot_product_test"
        )
    if abs(np.imag(value)) > 0:
        raise ValueError(
            f"fun must be real where x is, got {value}; return its .real, or abs(y)**2 as y.real**2 + y.imag**2"
        )
    return float(np.real(value))


def random_direction(x, rng):
    """A random direction in the space of x: a unit vector, its components stretched by max(1, |x_i|)."""
    v = np.asarray(rng.standard_normal(x.shape), x.dtype)
    return v / np.sqrt(np.sum(v * v)) * np.maximum(1, np.abs(x))


def accumulated(x):
    """What round-off may have grown to in a long computation, relative: eps_mach^(5/8), 10 digits of 16 or 4 of 7."""
    return float(np.finfo(x.dtype).eps) ** 0.625
