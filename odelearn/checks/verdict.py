"""What a check of a student's own code returns."""

import numpy as np


class Verdict:
    """The result of a check: true if no mistake was found; str() says what was measured, and names each mistake.

    check      the name of the check
    passed     whether no mistake was found
    evidence   what was measured, in a sentence
    mistakes   a text for each mistake: what kind it is, and what to do about it
    details    the numbers behind it: a Report of check_gradient, an AuditReport, or None
    """

    def __init__(self, check, evidence, mistakes, details=None):
        self.check, self.evidence, self.mistakes, self.details = check, evidence, list(mistakes), details

    @property
    def passed(self):
        return not self.mistakes

    def __bool__(self):
        return self.passed

    @property
    def title(self):
        return f"{self.check}: {'passed' if self.passed else 'not yet'}. {self.evidence}".rstrip()

    def __str__(self):
        return "\n".join([self.title, *("  - " + mistake for mistake in self.mistakes)])

    __repr__ = __str__

    def _repr_html_(self):
        from html import escape  # here, because only notebooks need it

        colour, mark = ("#0072B2", "&#10003;") if self.passed else ("#D55E00", "&#10007;")
        items = "".join(f"<li>{escape(mistake)}</li>" for mistake in self.mistakes)
        return (
            f'<div style="border-left: 4px solid {colour}; padding-left: 0.7em">'
            f"{mark} {escape(self.title)}{items and f'<ul>{items}</ul>'}</div>"
        )


NOTHING_YET = "nothing to check yet: your function returned None"


def find_non_finite(name, x):
    """A text that names the first component of x that is nan or inf, "" if all are finite."""
    x = np.asarray(x, float)
    bad = ~np.isfinite(x)
    if not bad.any():
        return ""
    place = np.unravel_index(np.argmax(bad), x.shape)
    index = f"[{', '.join(map(str, place))}]" if place else ""
    number = f"; {bad.sum()} of {x.size} components are not finite" if x.size > 1 else ""
    return f"not finite: {name}{index} is {x[place]}{number}"
