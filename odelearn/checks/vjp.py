"""Is a pullback the transpose of the derivative of its value?"""

import numpy as np

from ..verify.differences import extrapolate_along
from ..verify.gradient_check import check_gradient
from ..verify.gradient_diagnosis import (
    NO_PATTERN,
    are_close,
    find_multiple,
    find_non_finite,
    find_pattern,
    find_place,
    find_sign_pattern,
    find_transpose,
)
from .verdict import NOTHING_YET, Verdict

SEED = 180606366  # nobody else's: if a_y were drawn like the caller's x, x^T a_y would hide that it is transposed


def check_vjp(fun, *args):
    """Is `pullback` the transpose of the derivative of the value?  y, pullback = fun(*args);  a_args = pullback(a_y).

        (a_x)_i = sum_j (a_y)_j dy_j/dx_i      for every argument x and every component i, for a random a_y

    is compared with the derivative of sum_j (a_y)_j y_j from first principles, as check_gradient does it.

    Arguments:
        fun    your function, y, pullback = fun(*args); y is a number or an array of any shape. pullback(a_y) returns a
               tuple, one cotangent for each of args, of the shape of what it belongs to; for a single argument it may
               be the bare cotangent. An object with such a method .vjp will do: check_vjp(MLP([2, 8, 2]))
        args   the numbers and arrays to check it at, the batch first: check_vjp(dense, x, W, b). Without them `fun` is
               taken for f(z, t, theta), with z (3, 2), t = 0.7 and theta (4,), or what suits an MLP

    Returns a Verdict: true if passed; .details is the Report of check_gradient. Found and named: a sign, a factor, a
    transposed matrix, J a in place of a J, a mean over the batch, a missing cotangent, cotangents in the wrong order, a
    wrong corner, a pullback that does not use a_y or is not linear in it, arguments changed in place; what is not
    finite, with its place. What `fun` raises is not caught.

    >>> def square(x):
    ...     return x * x, lambda a_y: a_y * x
    >>> check_vjp(square, np.array([1.0, 2.0])).mistakes[0].split(":")[1]
    ' factor'
    """
    fun = getattr(fun, "vjp", fun)
    args = args or field_arguments(getattr(fun, "__self__", None))
    x = {n: np.array(arg, float)[()] for n, arg in zip(argument_names(fun, len(args)), args, strict=True)}
    kept = {name: np.copy(arg) for name, arg in x.items()}
    result = fun(*x.values())
    if mistakes := [*find_no_pair(result), *find_changed(x, kept)]:
        return Verdict("check_vjp", "", mistakes)
    y, pullback = result
    a_y = np.random.default_rng(SEED).standard_normal(np.shape(y))[()]
    given = np.copy(a_y)[()]
    found = as_tuple(pullback(given))
    if mistakes := [*find_wrong_shapes(found, x), *find_changed({"a_y": given} | x, {"a_y": a_y} | kept)]:
        return Verdict("check_vjp", "", mistakes)
    found = [np.array(a, float) for a in found]
    report = check_gradient(lambda x: np.sum(a_y * fun(*x.values())[0]), dict(zip(x, found, strict=True)), x)
    mistakes = [explain(leaf, report.rows, x, fun, a_y) for leaf in report.rows if not leaf.passed]
    if mistakes:
        mistakes = [*find_swapped(report.rows)] or [*find_forgotten_slope(pullback, a_y, y, report.rows)] or mistakes
    mistakes = [*find_nonlinear(pullback, a_y, found, x)] or mistakes
    compared = ", ".join(f"a_{name}" for name in x)
    return Verdict("check_vjp", f"{compared}: every component against the derivative of the value.", mistakes, report)


# ---- what to check it at


def field_arguments(f):
    """(z, t, theta) that suit f: a batch of three z, and theta with as many components as f says it has."""
    rng = np.random.default_rng(SEED + 1)
    D, P = getattr(f, "sizes", (2,))[0], getattr(f, "size", 4)
    return rng.standard_normal((3, D)), 0.7, 0.5 * rng.standard_normal(P)


def argument_names(fun, n):
    """The names of the first n arguments of fun, as its definition writes them; x0, x1, ... if it has fewer names."""
    code = getattr(getattr(fun, "__func__", fun), "__code__", None)
    names = code.co_varnames[hasattr(fun, "__self__") : code.co_argcount] if code else ()
    return names[:n] if len(names) >= n else [f"x{i}" for i in range(n)]


def as_tuple(found):
    return found if isinstance(found, tuple | list) else (found,)


# ---- what is wrong apart from numbers


def find_no_pair(result):
    if result is None:
        yield NOTHING_YET
    elif not (isinstance(result, tuple) and len(result) == 2 and callable(result[1])):
        yield "your function must return two things: the value, and the pullback, a function of a_y"


def find_changed(x, kept):
    """Arguments that were written to."""
    for name, value in x.items():
        if not np.array_equal(value, kept[name]):
            who = "pullback(a) changed a" if name == "a_y" else f"your function changed its argument {name}"
            yield f"{who} in place; make a new array, others still need the old one"


def find_wrong_shapes(found, x):
    """What is wrong with the cotangents before a number is looked at."""
    if len(found) != len(x):
        yield f"pullback returned {len(found)} cotangents, but there are {len(x)} arguments: {', '.join(x)}"
        return
    shapes, expected = [np.shape(a) for a in found], [value.shape for value in x.values()]
    if shapes != expected and sorted(shapes) == sorted(expected) and not any(a is None for a in found):
        yield f"wrong order: return the cotangents in the order of the arguments, {', '.join(x)}"
        return
    for (name, value), a in zip(x.items(), found, strict=True):
        got, want = np.shape(a), value.shape
        if a is None:
            yield f"a_{name} is None"
        elif got != want:
            yield f"a_{name} has shape {got}, but {name} has {want}. {advise_on_shape(got, want)}"


def advise_on_shape(got, want):
    if got == want[::-1]:
        return "Transposed: for rows y = x W, a_x = a_y W^T and a_W = x^T a_y"
    if got[len(got) - len(want) :] == want:
        return "What was broadcast forwards is summed backwards: sum over the axes it was repeated along"
    return "A cotangent has the shape of what it belongs to"


def find_nonlinear(pullback, a_y, found, x):
    """pullback(2 a_y) must be 2 pullback(a_y), and the same when it is called again."""
    again, doubled = as_tuple(pullback(np.copy(a_y)[()])), as_tuple(pullback(2 * a_y))
    for name, a, a_again, a_doubled in zip(x, found, again, doubled, strict=True):
        if not np.isfinite(a).all() or not np.any(a):
            continue
        if not are_close(np.asarray(a_again), a):
            yield f"a_{name}: called twice, pullback returns something else: it changes what it has kept from the value"
        elif are_close(np.asarray(a_doubled), a):
            yield f"a_{name}: pullback does not use a_y; multiply the derivative by it, as in the chain rule"
        elif not are_close(np.asarray(a_doubled), 2 * a):
            yield f"a_{name}: pullback is not linear: for 2 a_y it does not return 2 a_{name}"


def find_swapped(leaves):
    """Two cotangents of one shape, each right for the other argument."""
    wrong = [leaf for leaf in leaves if not leaf.passed]
    if len(wrong) == 2 and wrong[0].gradient.shape == wrong[1].gradient.shape:
        first, second = wrong
        if are_close(first.gradient, second.reference) and are_close(second.gradient, first.reference):
            yield f"wrong order: a_{first.name} and a_{second.name} are swapped"


def find_forgotten_slope(pullback, a_y, y, leaves):
    """Whether pullback(a_y s) would be right for the slope s of a usual activation y = g(...), as a function of y."""
    for text, slope in SLOPES.items():
        found = as_tuple(pullback(a_y * slope(np.asarray(y, float))))
        if all(are_close(np.asarray(a), leaf.reference) for a, leaf in zip(found, leaves, strict=True)):
            yield f"activation: {text}; a_y must be multiplied by the derivative before it goes further back"
            return


SLOPES = {
    "the derivative of tanh, 1 - y^2, is forgotten": lambda y: 1 - y * y,
    "it has 1 - y where the derivative of tanh is 1 - y^2": lambda y: 1 + y,
    "the derivative of the sigmoid, y (1 - y), is forgotten": lambda y: y * (1 - y),
    "the derivative of exp, y, is forgotten": lambda y: y,
    "the derivative of relu, 1 where y > 0, is forgotten": lambda y: 1.0 * (y > 0),
}

# ---- what kind of mistake is it?


def explain(leaf, leaves, x, fun, a_y):
    """The kind of mistake that one wrong cotangent shows, what to do about it, and its worst component."""
    special = find_untransposed_matrix(x), find_forward(x, fun, a_y)
    patterns = find_non_finite, find_mean(x), find_multiple, find_transpose, *special, find_sign_pattern, find_place
    text = find_pattern(leaf, leaves, patterns)
    _, i = leaf.worst
    g, r = leaf.gradient.flat[i], leaf.reference.flat[i]
    hint = next((hint for kind, hint in HINTS.items() if text.startswith(kind)), "")
    return f"a_{leaf.name}: {text}. {hint}Worst: a_{leaf.components[i]} = {g:.4g}, should be {r:.4g}"


HINTS = {
    "sign": "Look for a minus that is lost or doubled. ",
    "transposed": "For rows y = x W, a_x = a_y W^T and a_W = x^T a_y. ",
    "missing: gradient = 0": "The value depends on it, so a cotangent must flow to it. ",
    "averaged": "Each row of the batch used the same parameters, so their cotangents add up: a sum, no mean. ",
    NO_PATTERN: "Try it with one row, one component, one layer at a time. ",
}


def find_mean(x):
    """Looks for a cotangent divided by the size of the batch, the leading axes of the first argument."""
    first, *_ = x.values()
    sizes = [int(B) for B in np.cumprod(np.shape(first)[:-1]) if B > 1]

    def find(leaf, leaves):
        for B in sizes:
            if leaf is not leaves[0] and are_close(leaf.gradient * B, leaf.reference):
                return f"averaged over the batch of {B}, not summed"

    return find


def find_untransposed_matrix(x):
    """Looks for a W in the place of a W^T, where W is an argument, or is made of one, and square."""

    def find(leaf, leaves):
        n = leaf.gradient.shape[-1] if leaf.gradient.ndim > 1 else 0
        for name, value in x.items():
            if n > 1 and np.size(value) == n * n and name != leaf.name:
                M = np.reshape(value, (n, n))
                if np.linalg.cond(M) < 1e6 and are_close(leaf.gradient @ np.linalg.inv(M) @ M.T, leaf.reference):
                    return f"transposed: it is made with {name}, where its transpose belongs"

    return find


def find_forward(x, fun, a_y):
    """Looks for J a, the derivative of y along a, in the place of a J. The two have one shape if y is shaped like x."""

    def find(leaf, leaves):
        if leaf.gradient.shape != np.shape(a_y):
            return None
        value = lambda part: np.asarray(fun(*{**x, leaf.name: part}.values())[0], float)
        J_a, *_ = extrapolate_along(value, x[leaf.name], a_y, 0.1)
        if are_close(leaf.gradient, J_a):
            return "transposed: this is J a, the derivative of the value along a; the pullback is a J, that is J^T a"

    return find
