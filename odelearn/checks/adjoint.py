"""Are these the gradients of a loss through a solve?"""

import numpy as np

from ..gradients.backsolve import Backsolve
from ..gradients.discrete import Discrete
from ..nn.mlp import MLP
from ..params import leaf_names
from ..solvers.solver import Solver, dop853
from ..verify.compare import describe
from ..verify.gradient_diagnosis import find_multiple, find_pattern, find_place, find_sign_pattern
from ..verify.gradient_report import Leaf
from .discrete_mistakes import name_discrete_mistake
from .known_mistakes import name_mistake, relative_gap
from .verdict import NOTHING_YET, Verdict, find_non_finite

NAMES = ("z0", "ts", "theta")
ROUND_OFF = 1e-9  # what the order of additions may change in a few dozen steps, generously


def check_adjoint(adjoint, of=NAMES, exact=None, rtol=None):
    """Are these dL/dz0, dL/dts and dL/dtheta?  a_z0, a_ts, a_theta = adjoint(z0, f, ts, theta, a_zs).

        error of each = max |found - right| / max |right|  <=  rtol

    right is the gradient of the exact flow; or, with `exact`, that of the numbers that this solver computes. The
    problem is a small network with t as an input, once with increasing and once with decreasing ts.

    Arguments:
        adjoint   your function. It receives z0 (3, 2), a batch of three; f, a Dynamics: f(z, t, theta) -> dz, and
                  f.vjp(z, t, theta) -> dz, pullback with pullback(a) -> a df/dz, a df/dt, a df/dtheta; ts (3,);
                  theta (P,); a_zs (3, 3, 2) = dL/dz(t_i), the cotangent of zs. It returns three arrays, shaped like
                  z0, ts and theta
        of        which of the three are asked for: all, or some of "z0", "ts", "theta". The others may be None; they
                  are not looked at, and the verdict says so
        exact     a Solver, such as euler(n=10): your function has to return what Discrete() of this solver returns, to
                  round-off. A mistake that vanishes with h is found only so
        rtol      largest relative error; by default 1e-2, which a solver of moderate accuracy explains, or 1e-9 with
                  `exact`

    Returns a Verdict: true if passed. Found and named: every one of `known_mistakes.KNOWN_MISTAKES`, or with `exact` of
    `discrete_mistakes.DISCRETE_MISTAKES` (the boundary term of dL/dt_0, a stale f or time, a jump that is dropped or
    made at another place, each sign, a missing h, a mean over the batch, ...); a solve that runs one step too far;
    factors; what is not finite, with its place.
    Raises ValueError for another `of`, TypeError if `exact` is no Solver. What `adjoint` raises is not caught.

    >>> from odelearn import Backsolve, dopri5
    >>> def my_adjoint(z0, f, ts, theta, a_zs):
    ...     zs, pullback = Backsolve().vjp(z0, f, ts, theta, dopri5())
    ...     g = pullback(a_zs)
    ...     return g.z0, None, -g.theta
    >>> check_adjoint(my_adjoint, of=("z0", "theta"))
    check_adjoint: not yet. a_z0 off by 4e-07, a_theta off by 2e+00 (relative). Not looked at: a_ts.
      - sign of a_theta: da_theta/dt = -a df/dtheta, eq. (50); the minus stays when time runs backwards
    """
    asked = check_arguments(of, exact)
    rtol = rtol or (ROUND_OFF if exact else 1e-2)
    solver = exact or dop853(1e-11, 1e-13)
    for direction, problem in problems():
        found = adjoint(*problem)
        if mistakes := [*find_wrong_items(found, problem, asked)]:
            evidence = "" if found is None else say_what_is_not_looked_at(asked)
            return Verdict("check_adjoint", evidence, [direction + text for text in mistakes])
        found = [np.asarray(x, float) if name in asked else None for name, x in zip(NAMES, found, strict=True)]
        right = gradients_by(Discrete(), problem, solver)
        gaps = {name: relative_gap([x], [r]) for name, x, r in zip(NAMES, found, right, strict=True) if name in asked}
        if not all(gap <= rtol for gap in gaps.values()):
            name_them = name_against_solver if exact else name_against_flow
            mistakes = [direction + text for text in name_them(found, right, problem, rtol, exact)]
            break
    measured = ", ".join(f"a_{name} off by {gap:.0e}" for name, gap in gaps.items())
    against = f"relative to Discrete() of {describe(exact)}" if exact else "relative"
    return Verdict("check_adjoint", f"{measured} ({against}). {say_what_is_not_looked_at(asked)}".rstrip(), mistakes)


def check_arguments(of, exact):
    """The names asked for, in the order of NAMES. Raises ValueError or TypeError for what cannot be asked."""
    asked = (of,) if isinstance(of, str) else tuple(of)
    if not asked or not set(asked) <= set(NAMES):
        raise ValueError(f"of must be one or more of {', '.join(NAMES)}, got {of!r}")
    if exact is not None and not isinstance(exact, Solver):
        raise TypeError(f"exact must be a Solver, such as euler(n=10), got {exact!r}")
    return [name for name in NAMES if name in asked]


def say_what_is_not_looked_at(asked):
    left = [f"a_{name}" for name in NAMES if name not in asked]
    return f"Not looked at: {', '.join(left)}." if left else ""


def problems():
    """(what to say before a mistake, (z0, f, ts, theta, a_zs)): a network with time as an input, in both directions."""
    rng = np.random.default_rng(2)
    f = MLP([2, 3, 2], time="concat")
    theta, z0 = rng.normal(size=f.size), rng.normal(size=(3, 2))
    ts, a_zs = np.array([0.2, 0.9, 1.7]), rng.normal(size=(3, 3, 2))
    yield "", (z0, f, ts, theta, a_zs)
    yield "only when time runs backwards: ", (z0, f, ts[::-1].copy(), theta, a_zs)


def gradients_by(method, problem, solver):
    """[dL/dz0, dL/dts, dL/dtheta] by a method of the library."""
    *problem, a_zs = problem
    _, pullback = method.vjp(*problem, solver)
    g = pullback(a_zs)
    return [g.z0, g.ts, g.theta]


def find_wrong_items(found, problem, asked):
    """What is wrong before a number is compared: items that are missing, misshapen, in another order, not finite."""
    z0, _, ts, theta, _ = problem
    like = dict(zip(NAMES, (z0, ts, theta), strict=True))
    if found is None:
        yield NOTHING_YET
        return
    if not (isinstance(found, tuple | list) and len(found) == 3):
        yield "your function must return three things: a_z0, a_ts, a_theta"
        return
    shapes, expected = [np.shape(x) for x in found], [x.shape for x in like.values()]
    if shapes != expected and sorted(shapes) == sorted(expected):
        yield "wrong order: return a_z0, a_ts, a_theta, in this order; the shapes are those of another order"
        return
    for name, x in zip(NAMES, found, strict=True):
        if name not in asked:
            continue
        if x is None:
            yield f"a_{name} is None, and this exercise asks for it"
        elif np.shape(x) != like[name].shape:
            yield f"a_{name} has shape {np.shape(x)}, but what it belongs to has {like[name].shape}"
        elif text := find_non_finite(f"a_{name}", x):
            yield text


# ---- what kind of mistake is it?


def name_against_flow(found, right, problem, rtol, _):
    """The known mistake that explains all items, or else what each of them looks like on its own."""
    if any(x is not None and np.any(x == 0) for x in found):  # no component of the right ones is zero: it is missing
        return name_one_by_one(found, right, rtol)
    if mistake := name_mistake(found, right, *problem):
        return [f"{mistake[0]}: {mistake[1]}"]
    asked = [(x, r) for x, r in zip(found, right, strict=True) if x is not None]
    if max(relative_gap([x], [r]) for x, r in asked) < 0.05:
        return [
            "close: a solver of low accuracy explains that, a mistake seldom. Take more steps, or pass a larger rtol"
        ]
    return name_one_by_one(found, right, rtol)


def name_against_solver(found, right, problem, rtol, exact):
    """The mistake in the chain rule that gives the same numbers; or whose gradient it is, if not that of `exact`."""
    if mistake := name_discrete_mistake(found, right, *problem, exact):
        return [f"{mistake[0]}: {mistake[1]}"]
    if relative_gap(found, gradients_by(Backsolve(), problem, exact)) < 1e-6:
        return [
            f"continuous adjoint: this is eq. (35) solved backwards by {describe(exact)}. Asked for is the chain rule "
            "through its steps, which gives the gradient of the computed numbers"
        ]
    if relative_gap(found, gradients_by(Discrete(), problem, dop853(1e-11, 1e-13))) < 0.5 * relative_gap(found, right):
        return [
            f"another discretisation: closer to the gradient of the exact flow than to that of {describe(exact)}. Does "
            "your function take the same steps?"
        ]
    return name_one_by_one(found, right, rtol)


def name_one_by_one(found, right, rtol):
    """For each wrong item the pattern that it shows beside the right one."""
    rows = []
    for name, x, r in zip(NAMES, found, right, strict=True):
        if x is not None:
            components, allowed = leaf_names({f"a_{name}": r}), rtol * np.abs(r).max()
            rows.append(Leaf(f"a_{name}", components, x, r, 0 * r, allowed, "", np.nan, False))
    patterns = find_multiple, find_sign_pattern, find_growth, find_place
    return [f"{leaf.name}: {find_pattern(leaf, rows, patterns)}" for leaf in rows if not leaf.passed]


def find_growth(leaf, leaves):
    ratio = np.abs(leaf.gradient).max() / leaf.scale
    if ratio > 1000:
        return f"missing h, it seems: {ratio:.0e} times too large, as if every step added a df/dz to a, not h a df/dz"
