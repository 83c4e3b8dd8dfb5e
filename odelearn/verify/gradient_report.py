"""What a gradient check has to say: the verdict, a table, and what kind of mistake a wrong gradient looks like.

Wrong gradients are rarely wrong at random. A lost sign, a mean for a sum, a transposed matrix, a forgotten time term
each leave a pattern when the gradient is laid beside a reference, and the pattern names the line to look at.
"""

from collections import namedtuple

import numpy as np

CLOSE = 1e-3  # patterns are recognised to three digits, so that an approximate gradient shows them too

ADAPTIVE = """\
If fun is an adaptive solve, differences of it move the mesh as well (verify.gradient_check: the three derivatives).
Before looking for a bug, check the replay on the frozen mesh (traj.replay), or a solver with n fixed steps."""


class Leaf(namedtuple("Leaf", "name components gradient reference error allowed method slope frozen")):
    """One array of a gradient beside its reference.

    components  their names
    error       the estimated error of each component of the reference, known to `method`
    allowed     how far each component of the gradient may be off
    slope       of the Taylor remainder
    frozen      the gradient agrees with the complex step, but differences of fun do not
    """

    @property
    def gap(self):
        return np.abs(self.gradient - self.reference)

    @property
    def bad(self):
        return ~(self.gap <= self.allowed)  # so that nan is bad

    @property
    def passed(self):
        return not self.bad.any()

    @property
    def worst(self):
        """(excess, i): by what factor the worst component breaks its allowance, and its flat index."""
        excess = np.nan_to_num(self.gap / self.allowed, nan=np.inf, posinf=np.inf).reshape(-1)
        i = int(np.argmax(excess))
        return excess[i], i

    @property
    def scale(self):
        """The largest component of the reference: what errors are relative to."""
        return np.max(np.abs(self.reference))

    def holds(self, *names):
        """Whether this leaf is what the paper calls by one of these names: ts, or ts[2], or problem.ts[0]."""
        return all(name.split(".")[-1].split("[")[0] in names for name in self.components)

    @property
    def is_zero(self):
        """Whether the true gradient is zero as far as anyone can tell."""
        return bool(np.all(np.abs(self.reference) <= self.allowed))


class Report:
    """The outcome of a gradient check: true if it passed; str() is a table with one line a leaf.

    passed     every component agrees with the reference
    worst      the name of the worst component
    slope      the smallest Taylor slope: 2 right, 1 wrong
    diagnosis  what the mistake looks like, "" if passed
    rows       the leaves compared
    """

    def __init__(self, rows, diagnosis=""):
        self.rows = rows
        self.passed = bool(rows) and all(leaf.passed for leaf in rows)
        self.diagnosis = diagnosis or diagnose(rows)
        self.slope = float(np.min([leaf.slope for leaf in rows])) if rows else np.nan
        worst = max(rows, key=lambda leaf: leaf.worst, default=None)
        self.worst = worst and worst.components[worst.worst[1]]

    def __bool__(self):
        return self.passed

    def __str__(self):
        lines = [f"gradient check {'passed' if self.passed else 'FAILED'}", table([*cells_of(self.rows)], "<<>>>><><")]
        lines += [f"warning: {text}" for text in cautions(self.rows)]
        if not self.passed:
            lines += ["diagnosis:", *("  " + line for line in self.diagnosis.split("\n")), ADAPTIVE]
        return "\n".join(lines)

    __repr__ = __str__


def table(rows, align=None):
    """Cells in columns as one text: a line for each row, two blanks between columns, none at the end of a line.

    rows   lists of strings, all of one length; the first row is the header
    align  a character for each column, "<" to the left or ">" to the right; by default all but the first go right

    >>> print(table([("n", "error"), ("10", "1e-3"), ("100", "1e-4")]))
    n    error
    10    1e-3
    100   1e-4
    """
    align = align or "<" + ">" * (len(rows[0]) - 1)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(f"{c:{a}{w}}" for c, a, w in zip(row, align, widths, strict=True)) for row in rows]
    return "\n".join(map(str.rstrip, lines))


def cells_of(rows):
    """The cells of the table: for each leaf its worst component, errors relative to the leaf's largest component."""
    yield "leaf", "worst component", "gradient", "reference", "error", "allowed", "reference by", "slope", ""
    for leaf in rows:
        _, i = leaf.worst
        g, r, gap, allowed = (np.asarray(a).flat[i] for a in (leaf.gradient, leaf.reference, leaf.gap, leaf.allowed))
        scale = 1 if leaf.is_zero else leaf.scale
        numbers = f"{g:.8g}", f"{r:.8g}", f"{gap / scale:.1e}", f"{allowed / scale:.1e}"
        verdict = "ok" if leaf.passed else "WRONG"
        yield leaf.name, leaf.components[i], *numbers, leaf.method, f"{leaf.slope:.2f}", verdict


def cautions(rows):
    for leaf in rows:
        if leaf.passed and leaf.is_zero:
            yield f"{leaf.name}: the true gradient is zero: this check proves little"
        elif leaf.passed and leaf.slope < 1.5:
            yield f"{leaf.name}: Taylor slope {leaf.slope:.2f}, not 2: near x fun has a kink, or noise"


# ---- what does it look like?


def diagnose(rows):
    """One line for each kind of mistake, and the wrong leaves that show it; "" if none is wrong."""
    shown = {}
    for leaf in rows:
        if not leaf.passed:
            shown.setdefault(pattern(leaf, rows), []).append(leaf.name)
    return "\n".join(f"{', '.join(names)}: {text}" for text, names in shown.items())


def pattern(leaf, rows):
    """The first pattern that fits a wrong leaf, among all the leaves it was checked with."""
    for look in (not_finite, frozen_mesh, close, multiple, transposed, time_term, place):
        if text := look(leaf, rows):
            return text
    return "no simple pattern"


def same(a, b):
    return np.max(np.abs(a - b)) <= CLOSE * np.max(np.abs(b))


def not_finite(leaf, rows):
    for what, values in ("gradient", leaf.gradient), ("the differences of fun near x", leaf.reference):
        bad = ~np.isfinite(values)
        if bad.any():
            return f"not finite: {what}, first at {leaf.components[int(np.argmax(bad))]}"


def frozen_mesh(leaf, rows):
    if leaf.frozen:
        return (
            "frozen mesh: gradient = complex step, but not = differences. Either fun is an adaptive solve, and this is "
            "the gradient of its accepted mesh; or both drop the same term (abs, norm, .real), or x is at a kink of fun"
        )


def close(leaf, rows):
    if same(leaf.gradient, leaf.reference) and np.mean(leaf.bad) > 0.5:
        return (
            "close: right to three digits or more, not to round-off. Truncation (Backsolve) or a moving mesh does so, "
            "seldom a slip: tighten the solver and see the error shrink, or pass rtol"
        )


def multiple(leaf, rows):
    """gradient = c reference. A single number is a multiple of any other; there c must be one that means something."""
    g, r = leaf.gradient, leaf.reference
    if leaf.is_zero:
        return f"spurious: the true gradient is zero, this one is up to {np.max(np.abs(g)):.2g}"
    c = np.sum(g * r) / np.sum(r * r)
    if not g.any() or same(g, r) or not same(g, c * r):
        return None
    for B in batch_sizes(rows):
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


def batch_sizes(rows):
    """The sizes a batch of z0 may have, one or more leading axes together, where the gradient of z0 is right."""
    return [int(B) for leaf in rows if leaf.holds("z0") and leaf.passed for B in np.cumprod(leaf.bad.shape) if B > 1]


def transposed(leaf, rows):
    g, r = leaf.gradient, leaf.reference
    if r.ndim > 1 and (same(g.reshape(-1), r.T.reshape(-1)) or same(g.T.reshape(-1), r.reshape(-1))):
        return "transposed: gradient = reference.T, reshaped if that is another shape"


def time_term(leaf, rows):
    """dL/dts wrong: alone, or because a is wrong from some observation on."""
    if not leaf.holds("t", "ts"):
        return None
    wrong = [name for name, bad in zip(leaf.components, leaf.bad.flat, strict=True) if bad]
    if all(other.passed or other.holds("t", "ts") for other in rows):
        return (
            f"time term missing: all is right but {', '.join(wrong)}. dL/dt_i = dL/dz(t_i).f and dL/dt_0 = -a.f, with "
            "f at (z(t_i), t_i): is the term dropped, or f stale, or at another time?"
        )
    if not any(other.holds("z0") and not other.passed for other in rows):
        return None
    lost = leaf.bad & (np.abs(leaf.gradient) <= CLOSE * np.abs(leaf.reference))
    zero = [leaf.components[i] for i in np.flatnonzero(lost) if 0 < i < leaf.bad.size - 1]
    if zero:
        return (
            f"jump dropped: {', '.join(zero)} zero. The loss looks at z(t_i) directly, so a jumps there by dL/dz(t_i)"
        )
    if len(wrong) == 1 and leaf.bad.flat[0] and leaf.bad.size > 1:
        return "jump dropped, it seems: a is wrong when it arrives at t_0, and no later time shows it"


def place(leaf, rows):
    """Only one corner of the leaf wrong: the smallest of component, rows, columns that holds it."""
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
