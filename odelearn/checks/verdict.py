"""What a check of somebody's own code has to say."""


class Verdict:
    """True if no mistake was found; str() says in words what was measured, and each mistake in a sentence or two.

    check     the name of the check
    evidence  what was measured
    mistakes  the mistakes found
    details   the numbers behind: a Report of check_gradient where gradients were compared, otherwise None
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
