"""What kind of mistake does a wrong gradient look like?

Wrong gradients are rarely wrong at random. A lost sign, a mean in place of a sum, a transposed matrix and a forgotten
time term each leave a pattern when the gradient is laid beside a reference. The pattern names the line to look at.

Every `find_...` looks for one pattern. It is given a wrong leaf (one array of the gradient, see gradient_report.Leaf)
and all the leaves it was checked with; it returns a text, or None if the pattern is not there.
"""

import numpy as np

CLOSE = 1e-3  # patterns are recognised to three digits, so that an approximate gradient shows them too
NO_PATTERN = "no simple pattern"


def diagnose(leaves):
    """One line for each kind of mistake, with the names of the wrong leaves that show it; "" if none is wrong."""
    shown = {}
    for leaf in leaves:
        if not leaf.passed:
            shown.setdefault(find_pattern(leaf, leaves), []).append(leaf.name)
    return "\n".join(f"{', '.join(names)}: {text}" for text, names in shown.items())


@np.errstate(all="ignore")
def find_pattern(leaf, leaves, among=None):
    """The text of the first pattern that fits a wrong leaf; `among`: the patterns to look for, in their order."""
    for find in ALL if among is None else among:
        if text := find(leaf, leaves):
            return text
    return NO_PATTERN


def are_close(a, b):
    return np.max(np.abs(a - b)) <= CLOSE * np.max(np.abs(b))


def find_non_finite(leaf, leaves):
    for what, values in ("gradient", leaf.gradient), ("the differences of fun near x", leaf.reference):
        bad = ~np.isfinite(values)
        if bad.any():
            i = int(np.argmax(bad))
            place = f"{leaf.components[i]}, which is {values.flat[i]}"
            return f"not finite: {what}, first at {place}; {bad.sum()} of {bad.size} components"


def find_frozen_mesh(leaf, leaves):
    if leaf.frozen:
        return (
            "frozen mesh: gradient = complex step, but not = differences. Either fun is an adaptive solve, and this is "
            "the gradient of its accepted mesh; or both drop the same term (abs, norm, .real), or x is at a kink of fun"
        )


def find_truncation(leaf, leaves):
    if are_close(leaf.gradient, leaf.reference) and np.mean(leaf.bad) > 0.5:
        return (
            "close: right to three digits or more, not to round-off. Truncation (Backsolve) or a moving mesh does so, "
            "seldom a mistake: tighten the solver and see the error shrink, or pass rtol"
        )


def find_multiple(leaf, leaves):
    """gradient = c reference. A single number is a multiple of any other; there c must be one that means something."""
    if leaf.is_zero:
        return f"spurious: the true gradient is zero, this one is up to {np.max(np.abs(leaf.gradient)):.2g}"
    g, r = leaf.gradient / leaf.scale, leaf.reference / leaf.scale  # so that no square under- or overflows
    c = np.sum(g * r) / np.sum(r * r)
    if not g.any() or are_close(g, r) or not are_close(g, c * r):
        return None
    for B in possible_batch_sizes(leaves):
        if abs(c * B - 1) < CLOSE:
            return f"batch averaged, not summed: gradient = reference / {B}, and z0, which is right, has batch size {B}"
    if abs(c + 1) < CLOSE:
        return "sign: gradient = -reference"
    if abs(c - 2) < CLOSE:
        return "factor: gradient = 2 reference, as if counted twice"
    if r.size > 1 or abs(c - 0.5) < CLOSE:
        return (
            f"factor: gradient = {c:.5g} reference (1 / {1 / c:.5g}): a step h, a weight or a mean too many or too few"
        )


def possible_batch_sizes(leaves):
    """The sizes a batch of z0 may have, one or more leading axes together, where the gradient of z0 is right."""
    return [int(B) for leaf in leaves if leaf.holds("z0") and leaf.passed for B in np.cumprod(leaf.bad.shape) if B > 1]


def find_transpose(leaf, leaves):
    g, r = leaf.gradient, leaf.reference
    if r.ndim > 1 and (are_close(g.reshape(-1), r.T.reshape(-1)) or are_close(g.T.reshape(-1), r.reshape(-1))):
        return "transposed: gradient = reference.T, reshaped if that is another shape"


def find_time_term(leaf, leaves):
    """dL/dts is wrong: alone, or because a is wrong from some observation on."""
    if not leaf.holds("t", "ts"):
        return None
    wrong = [name for name, bad in zip(leaf.components, leaf.bad.flat, strict=True) if bad]
    if all(other.passed or other.holds("t", "ts") for other in leaves):
        return (
            f"time term missing: all is right but {', '.join(wrong)}. dL/dt_i = dL/dz(t_i).f and dL/dt_0 = -a.f, with "
            "f at (z(t_i), t_i): is the term dropped, or f evaluated at another state or another time?"
        )
    if not any(other.holds("z0") and not other.passed for other in leaves):
        return None
    lost = leaf.bad & (np.abs(leaf.gradient) <= CLOSE * np.abs(leaf.reference))
    zero = [leaf.components[i] for i in np.flatnonzero(lost) if 0 < i < leaf.bad.size - 1]
    if zero:
        return (
            f"jump dropped: {', '.join(zero)} zero. The loss looks at z(t_i) directly, so a jumps there by dL/dz(t_i)"
        )
    if len(wrong) == 1 and leaf.bad.flat[0] and leaf.bad.size > 1:
        return "jump dropped, it seems: a is wrong at t_0, and dL/dt_i is right at every later time"


def find_sign_pattern(leaf, leaves):
    """Every component is right, or right but for its sign."""
    g, r = leaf.gradient, leaf.reference
    flipped = leaf.bad & (g * r < 0)
    if flipped.any() and are_close(np.abs(g), np.abs(r)):
        names = [leaf.components[i] for i in np.flatnonzero(flipped)]
        return f"sign: all is right but the sign of {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"


def find_place(leaf, leaves):
    """Only one corner of the leaf is wrong: the smallest of component, rows, columns that holds it."""
    bad = leaf.bad
    verb = "wrong" if leaf.gradient[bad].any() else "zero"
    kind = "local" if verb == "wrong" else "missing"
    if bad.all():
        return "missing: gradient = 0" if verb == "zero" else None
    if bad.sum() == 1:
        return f"{kind}: only {leaf.components[int(np.argmax(bad))]} is {verb}"
    for axis, word in ((0, "row"), (-1, "column")) if bad.ndim > 1 else ():
        hit = np.flatnonzero(np.moveaxis(bad, axis, 0).reshape(bad.shape[axis], -1).any(axis=1))
        if hit.size <= bad.shape[axis] / 2:
            return f"{kind}: only {word} {', '.join(map(str, hit))} is {verb}"


ALL = (
    find_non_finite,
    find_frozen_mesh,
    find_truncation,
    find_multiple,
    find_transpose,
    find_time_term,
    find_sign_pattern,
    find_place,
)
