"""The report of a gradient check: whether it passed, a table with one line a leaf, and a diagnosis if it failed."""

from collections import namedtuple

import numpy as np

from .gradient_diagnosis import diagnose

ADAPTIVE = """\
If fun is an adaptive solve, differences of it move the mesh as well (verify.gradient_check: the three derivatives).
Before looking for a bug, check the replay on the frozen mesh (traj.replay), or a solver with n fixed steps."""


class Leaf(namedtuple("Leaf", "name components gradient reference error allowed method slope frozen")):
    """One array of a gradient beside its reference.

    name         of the leaf in the tree x: "theta.W1", "ts"
    components   names of its components, in the order of `ravel`: "theta.W1[3, 0]", "ts[2]"
    gradient     the array under test, shaped like the leaf
    reference    the derivative from first principles, of the same shape
    error        the estimated error of each component of the reference
    allowed      how far each component of the gradient may be from the reference
    method       "complex step" or "differences": where the reference comes from
    slope        the order of the Taylor remainder
    frozen       whether the gradient agrees with the complex step, and differences of fun do not
    """

    @property
    def gap(self):
        """|gradient - reference|, component by component."""
        return np.abs(self.gradient - self.reference)

    @property
    def bad(self):
        """Which components are wrong."""
        return ~(self.gap <= self.allowed)  # so that nan is bad

    @property
    def passed(self):
        return not self.bad.any()

    @property
    def worst(self):
        """(excess, i): by what factor the worst component breaks its allowance, and its flat index."""
        with np.errstate(all="ignore"):
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
    """The outcome of check_gradient: true if it passed; str() is a table with one line a leaf.

    passed      whether every component agrees with the reference
    worst       the name of the component that is farthest off, relative to what is allowed; None if none was compared
    slope       the smallest order of a Taylor remainder: 2 if the gradient is right, 1 if it is wrong
    diagnosis   what kind of mistake it looks like, a line for each kind; "" if passed
    rows        a Leaf for each array that was compared
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

    @np.errstate(all="ignore")
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
