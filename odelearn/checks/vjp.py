"""Is a pullback the transpose of the derivative of its value?"""

import numpy as np

from ..verify.gradient_check import check_gradient
from ..verify.gradient_diagnosis import find_multiple as multiple
from ..verify.gradient_diagnosis import find_non_finite as not_finite
from ..verify.gradient_diagnosis import find_place as place
from ..verify.gradient_diagnosis import find_transpose as transposed
from .verdict import NOTHING_YET, Verdict

SEED = 180606366  # nobody else's: were a_y drawn like the caller's x, then x^T a_y would hide that it is transposed


def check_vjp(fun, *args):
    """Is `pullback` the transpose of the derivative of the value?  y, pullback = fun(*args);  a_args = pullback(a_y).

    fun   f(z, t, theta) of your own; or any other function, and args to check it at; or an object with such a .vjp
          check_vjp(f)    check_vjp(dense, x, W, b)    check_vjp(MLP([2, 8, 2]))
    args  numbers and arrays, the batch first; by default z (3, 2), t = 0.7 and theta (4,)

    pullback(a_y) returns a tuple, one cotangent for each of args; for a single argument it may be the bare cotangent.
    Found and named: a sign, a factor, a transposed matrix, a mean over the batch, a missing cotangent, a wrong corner.
    """
    fun = getattr(fun, "vjp", fun)
    args = args or field_arguments(getattr(fun, "__self__", None))
    x = {n: np.asarray(arg, float)[()] for n, arg in zip(argument_names(fun, len(args)), args, strict=True)}
    result = fun(*x.values())
    if mistakes := [*not_a_pair(result)]:
        return Verdict("check_vjp", "", mistakes)
    y, pullback = result
    a_y = np.random.default_rng(SEED).standard_normal(np.shape(y))[()]
    before = a_y.copy()
    found = pullback(a_y)
    found = found if isinstance(found, tuple | list) else (found,)
    if mistakes := [*misshapen(found, x, np.array_equal(a_y, before))]:
        return Verdict("check_vjp", "", mistakes)
    report = check_gradient(lambda x: np.sum(a_y * fun(*x.values())[0]), dict(zip(x, found, strict=True)), x)
    mistakes = [explained(leaf, report.rows, x) for leaf in report.rows if not leaf.passed]
    compared = ", ".join(f"a_{name}" for name in x)
    return Verdict("check_vjp", f"{compared}: every component against the derivative of the value.", mistakes, report)


def field_arguments(f):
    """(z, t, theta) that suit f: a batch of three z, and theta with as many components as f says it has."""
    rng = np.random.default_rng(SEED + 1)
    D, P = getattr(f, "sizes", (2,))[0], getattr(f, "size", 4)
    return rng.standard_normal((3, D)), 0.7, 0.5 * rng.standard_normal(P)


def argument_names(fun, n):
    """The names of the first n arguments of fun, as its definition writes them."""
    code = getattr(getattr(fun, "__func__", fun), "__code__", None)
    names = code.co_varnames[hasattr(fun, "__self__") : code.co_argcount] if code else ()
    return names[:n] if len(names) >= n else [f"x{i}" for i in range(n)]


def not_a_pair(result):
    if result is None:
        yield NOTHING_YET
    elif not (isinstance(result, tuple) and len(result) == 2 and callable(result[1])):
        yield "your function must return two things: the value, and the pullback, a function of a_y"


def misshapen(found, x, a_y_kept):
    """What is wrong with the cotangents before a number is looked at."""
    if not a_y_kept:
        yield "pullback(a) changed a in place; make new arrays, for others still need it"
    if len(found) != len(x):
        yield f"pullback returned {len(found)} cotangents, but there are {len(x)} arguments: {', '.join(x)}"
        return
    for (name, value), a in zip(x.items(), found, strict=True):
        got, want = np.shape(a), value.shape
        if a is None:
            yield f"a_{name} is None"
        elif got != want:
            yield f"a_{name} has shape {got}, but {name} has {want}. {shape_advice(got, want)}"


def shape_advice(got, want):
    if got == want[::-1]:
        return "Transposed: for rows y = x W, a_x = a_y W^T and a_W = x^T a_y"
    if got[len(got) - len(want) :] == want:
        return "What was broadcast forwards is summed backwards: sum over the axes it was repeated along"
    return "A cotangent has the shape of what it belongs to"


def explained(leaf, rows, x):
    """The kind of mistake that one wrong cotangent shows, what to do about it, and its worst component."""
    looks = not_finite, averaged(x), multiple, transposed, place
    text = next((text for look in looks if (text := look(leaf, rows))), "no simple pattern")
    _, i = leaf.worst
    g, r = leaf.gradient.flat[i], leaf.reference.flat[i]
    hint = next((hint for kind, hint in HINTS.items() if text.startswith(kind)), "")
    return f"a_{leaf.name}: {text}. {hint}Worst: a_{leaf.components[i]} = {g:.4g}, should be {r:.4g}"


HINTS = {
    "sign": "Look for a minus that is lost or doubled. ",
    "transposed": "For rows y = x W, a_x = a_y W^T and a_W = x^T a_y. ",
    "missing: gradient = 0": "The value depends on it, so a cotangent must flow to it. ",
    "averaged": "Each row of the batch used the same parameters, so their cotangents add up: a sum, no mean. ",
    "no simple": "Try it with one row, one component, one layer at a time. ",
}


def averaged(x):
    """Recognises a cotangent divided by the size of the batch, the leading axes of the first argument."""
    first, *_ = x.values()
    sizes = [int(B) for B in np.cumprod(np.shape(first)[:-1]) if B > 1]

    def look(leaf, rows):
        for B in sizes:
            if leaf is not rows[0] and near(leaf.gradient * B, leaf.reference):
                return f"averaged over the batch of {B}, not summed"

    return look


def near(g, r):
    return bool(np.max(np.abs(g - r)) <= 1e-3 * np.max(np.abs(r)))
