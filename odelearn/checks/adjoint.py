"""Are these the gradients of a loss through a solve?"""

import numpy as np

from ..gradients.discrete import Discrete
from ..nn.mlp import MLP
from ..params import leaf_names
from ..solvers.solver import dop853
from ..verify.gradient_diagnosis import find_multiple as multiple
from ..verify.gradient_diagnosis import find_non_finite as not_finite
from ..verify.gradient_diagnosis import find_place as place
from ..verify.gradient_report import Leaf
from .known_mistakes import distance, what_slip
from .verdict import NOTHING_YET, Verdict


def check_adjoint(adjoint, rtol=1e-2):
    """Are these dL/dz0, dL/dts and dL/dtheta?  a_z0, a_ts, a_theta = adjoint(z0, f, ts, theta, a_zs).

    f is a Dynamics: f(z, t, theta) -> dz, and f.vjp(z, t, theta) -> dz, pullback with pullback(a) -> a_z, a_t, a_theta.
    z0 (3, 2), ts (3,), theta (P,), and a_zs (3, 3, 2) = dL/dz(t_i), the cotangent of zs; f depends on t.
    An item you have not got to yet may be None, and is not looked at.
    rtol  how far off they may be, relative to the largest component: what the accuracy of your solver explains

    Found and named: everything in `known_mistakes.SLIPS` (the boundary term of dL/dt_0, a stale f or a stale time,
    a dropped jump, each sign, a mean over the batch), a solve that runs one step too far, and factors such as a
    missing h.
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
