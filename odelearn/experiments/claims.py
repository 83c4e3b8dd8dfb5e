"""A claim, the numbers for and against it, and a verdict that follows from them: a row of the scoreboard."""

from dataclasses import dataclass

import numpy as np

VERDICTS = ("holds", "holds weakly", "does not hold")


@dataclass(frozen=True)
class Claim:
    """A row of notebooks/scoreboard.md. All six are strings.

    claim    a sentence that can be true or false: "An ODE net needs at most 30 % of the parameters."
    where    where it is made: "section 3, Table 1"
    paper    the paper's number, or "none"
    ours     our number: mean and spread over the seeds, as `mean_and_spread` writes them
    verdict  "holds", "holds weakly" or "does not hold"; computed from the numbers, by `judge` or another stated rule
    why      the rule of the verdict, and what explains it

    Raises TypeError for what is no string, ValueError for another verdict.

    >>> margins = [0.3 - share for share in (0.24, 0.24, 0.25)]
    >>> Claim("at most 30 % of the parameters", "Table 1", "0.37", "0.24", judge(margins), "24 %").verdict
    'holds'
    """

    claim: str
    where: str
    paper: str
    ours: str
    verdict: str
    why: str

    def __post_init__(self):
        for name, value in vars(self).items():
            if not isinstance(value, str):
                raise TypeError(f"{name} of a Claim must be a string, got {value!r}")
        if self.verdict not in VERDICTS:
            raise ValueError(f"verdict must be one of {', '.join(map(repr, VERDICTS))}, got {self.verdict!r}")


def judge(margins):
    """The verdict from one margin a seed, which is positive where the claim is true.

        holds          every seed has a positive margin
        holds weakly   not every one, but their mean is positive
        does not hold  the mean is not positive, or a margin is no number

    margins  (seeds,), at least one

    Raises ValueError where there are none.

    >>> judge([0.2, 0.1]), judge([0.2, -0.1]), judge([0.2, -0.3]), judge([0.2, float("nan")])
    ('holds', 'holds weakly', 'does not hold', 'does not hold')
    """
    margins = np.asarray(margins, float)
    if not margins.size:
        raise ValueError("a verdict needs the margin of at least one seed, got none")
    if (margins > 0).all():
        return "holds"
    return "holds weakly" if margins.mean() > 0 else "does not hold"


def mean_and_spread(values, digits=3, unit=""):
    """The mean of the seeds and their standard deviation (with n - 1), as text.

    values  (seeds,), at least one
    digits  significant digits of the mean
    unit    written after both numbers, such as " %"

    Raises ValueError where there are no values.

    >>> mean_and_spread([1.0, 2.0, 3.0]), mean_and_spread([1 / 3]), mean_and_spread([98.0, 99.0], unit=" %")
    ('2 +- 1 (3 seeds)', '0.333 (1 seed)', '98.5 % +- 0.71 % (2 seeds)')
    """
    values = np.asarray(values, float)
    if not values.size:
        raise ValueError("a mean needs the value of at least one seed, got none")
    mean = f"{rounded(values.mean(), digits)}{unit}"
    if values.size == 1:
        return f"{mean} (1 seed)"
    return f"{mean} +- {rounded(values.std(ddof=1), 2)}{unit} ({values.size} seeds)"


def rounded(x, digits):
    """x with so many significant digits, as text; 260, not 2.6e+02: no exponent between 0.0001 and a million."""
    x = float(f"{x:.{digits}g}")
    return f"{x:.{max(digits, 6)}g}"


def by_method(results):
    """{method: its results, one a seed, in the order of the seeds} from a list of results in any order.

    >>> by_method([{"method": "a", "seed": 1}, {"method": "b", "seed": 0}, {"method": "a", "seed": 0}])["a"]
    [{'method': 'a', 'seed': 0}, {'method': 'a', 'seed': 1}]
    """
    methods = {}
    for result in sorted(results, key=lambda result: result["seed"]):
        methods.setdefault(result["method"], []).append(result)
    return methods
