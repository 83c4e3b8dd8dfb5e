"""Checks to call on your own code: is it right, and if it is not, what does the mistake look like?

    check_vjp(f)            f(z, t, theta) -> dz, pullback;  or any fun(*args) -> y, pullback
    check_step(step)        step(f, z, t, h, theta) -> z_next
    check_solver(solve)     solve(z0, f, ts, theta) -> zs
    check_adjoint(adjoint)  adjoint(z0, f, ts, theta, a_zs) -> a_z0, a_ts, a_theta

Each runs your function on small problems whose answers are known, and returns a Verdict: true if all is well, and a few
sentences when printed. An exception inside your function comes through as it is.
"""

import numpy as np

from .checks_solvers import check_solver, check_step
from .gradients.discrete import Discrete
from .nn.mlp import MLP
from .params import leaf_names
from .slips import distance, what_slip
from .solvers.solver import dop853
from .verdict import NOTHING_YET, Verdict
from .verify.gradient_check import check_gradient
from .verify.gradient_report import Leaf, multiple, not_finite, place, transposed

__all__ = ["check_vjp", "check_step", "check_solver", "check_adjoint", "Verdict"]

SEED = 180606366  # nobody else's: were a_y drawn like the caller's x, then x^T a_y would hide that it is transposed

# ---- a value and its pullback


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


# ---- a gradient through a solve


def check_adjoint(adjoint, rtol=1e-2):
    """Are these dL/dz0, dL/dts and dL/dtheta?  a_z0, a_ts, a_theta = adjoint(z0, f, ts, theta, a_zs).

    f is a Dynamics: f(z, t, theta) -> dz, and f.vjp(z, t, theta) -> dz, pullback with pullback(a) -> a_z, a_t, a_theta.
    z0 (3, 2), ts (3,), theta (P,), and a_zs (3, 3, 2) = dL/dz(t_i), the cotangent of zs; f depends on t.
    An item you have not got to yet may be None, and is not looked at.
    rtol  how far off they may be, relative to the largest component: what the accuracy of your solver explains

    Found and named: everything in `slips.SLIPS` (the boundary term of dL/dt_0, a stale f or a stale time, a dropped
    jump, each sign, a mean over the batch), a solve that runs one step too far, and factors such as a missing h.
    """
    for direction, (z0, f, ts, theta, a_zs) in problems():
        found = adjoint(z0, f, ts, theta, a_zs)
        if mistakes := [*not_three(found, z0, ts, theta)]:
            return Verdict("check_adjoint", "", mistakes)
        _, pullback = Discrete().vjp(z0, f, ts, theta, dop853(1e-11, 1e-13))
        g = pullback(a_zs)
        right = {"a_z0": g.z0, "a_ts": g.ts, "a_theta": g.theta}
        gaps = {name: distance([x], [r]) for (name, r), x in zip(right.items(), found, strict=True) if x is not None}
        if not all(gap <= rtol for gap in gaps.values()):
            mistakes = [direction + text for text in slipped(found, right, rtol, (z0, f, ts, theta, a_zs))]
            break
    evidence = ", ".join(f"{name} off by {gap:.0e}" for name, gap in gaps.items()) + " (relative)."
    return Verdict("check_adjoint", evidence, mistakes)


def problems():
    """The same small network with time as an input, solved forwards and backwards in time."""
    rng = np.random.default_rng(2)
    f = MLP([2, 3, 2], time="concat")
    theta, z0 = rng.normal(size=f.size), rng.normal(size=(3, 2))
    ts, a_zs = np.array([0.2, 0.9, 1.7]), rng.normal(size=(3, 3, 2))
    yield "", (z0, f, ts, theta, a_zs)
    yield "only when time runs backwards: ", (z0, f, ts[::-1].copy(), theta, a_zs)


def not_three(found, z0, ts, theta):
    if found is None or not (isinstance(found, tuple | list) and len(found) == 3):
        yield NOTHING_YET if found is None else "your function must return three things: a_z0, a_ts, a_theta"
        return
    for name, x, like in ("a_z0", found[0], z0), ("a_ts", found[1], ts), ("a_theta", found[2], theta):
        if x is not None and np.shape(x) != like.shape:
            yield f"{name} has shape {np.shape(x)}, but what it belongs to has {like.shape}"


def slipped(found, right, rtol, problem):
    """The slip of the adjoint that explains all three, or else what each of them looks like on its own."""
    if slip := what_slip(found, right.values(), *problem):
        return [f"{slip[0]}: {slip[1]}"]
    rows = [
        Leaf(name, leaf_names({name: r}), np.asarray(x), r, 0 * r, rtol * np.abs(r).max(), "", np.nan, False)
        for (name, r), x in zip(right.items(), found, strict=True)
        if x is not None
    ]
    if all(distance([leaf.gradient], [leaf.reference]) < 0.05 for leaf in rows):
        return ["close: a solver of low accuracy explains that, a slip seldom. Take more steps, or pass a larger rtol"]
    looks = not_finite, multiple, place
    kind = lambda leaf: next((text for look in looks if (text := look(leaf, rows))), "no simple pattern")
    return [f"{leaf.name}: {kind(leaf)}" for leaf in rows if not leaf.passed]
