"""Butcher tableaus of explicit Runge-Kutta methods, as frozen, validated data.

One step of size h from (t, z), with stages i = 1 ... s:

    Z_i    = z + h sum_{j<i} A_ij k_j              c | A
    k_i    = f(Z_i, t + c_i h, theta)             ---+---
    z_next = z + h sum_i b_i k_i                     | b

The numbers alone settle the order of a method: `trees.py` has the conditions. Hairer, Norsett, Wanner, Solving Ordinary
Differential Equations I (below: HNW), section II.1 for the form, II.4 for embedded weights, II.6 for dense output.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from . import dop853
from .trees import TOLERANCE, certified_order


@dataclass(frozen=True, eq=False, repr=False)
class Interpolant:
    """Dense output: weights that depend on where in the step one looks.

        z(t + x h) = z + h sum_i b_i(x) k_i     b_i(x) = sum_j P_ij x^(j+1)     0 <= x <= 1

    P (stages, degree). Some interpolants measure f a few times more once the step is made: the last rows of P weigh
    those extra slopes, which have nodes c (extra,) and rows A (extra, stages), each over all the stages before it.
    """

    P: np.ndarray
    order: int
    A: np.ndarray = ()
    c: np.ndarray = ()

    def __post_init__(self):
        P = constants("Interpolant", "P", self.P, (None, None))
        c = nodes("Interpolant", self.c, (None,))
        A = explicit("Interpolant", self.A if len(c) else np.empty((0, len(P))), (len(c), len(P)))
        freeze(self, P=P, order=positive("Interpolant", self.order), A=A, c=c)

    def weights(self, x):
        """b(x) for x of any shape: shape (*x.shape, stages)."""
        powers = np.arange(1, self.P.shape[1] + 1)
        return np.asarray(x)[..., None] ** powers @ self.P.T


@dataclass(frozen=True, eq=False, repr=False)
class ButcherTableau:
    """An explicit Runge-Kutta method: A (s, s) strictly lower triangular, b (s,), c (s,), all float64 and read-only.

    b_err (s,) = b - b_hat for a second set of weights b_hat on the same slopes, so that h sum_i b_err_i k_i estimates
    the error of the step. b_err3, if given, is a second and rougher estimate beside it.

    A ValueError refuses what no explicit step could use. A tableau that is merely wrong (not of its order, or rows of A
    that do not sum to c) can be made, so that it can be examined: `order_conditions` and `certify` find it out.
    """

    name: str
    A: np.ndarray
    b: np.ndarray
    c: np.ndarray
    order: int
    b_err: np.ndarray | None = None
    interpolant: Interpolant | None = None
    b_err3: np.ndarray | None = None

    def __post_init__(self):
        name = self.name
        b = weights_summing_to(1, name, "b", self.b, (None,))
        s = len(b)
        freeze(self, A=explicit(name, self.A, (s, s)), b=b, c=nodes(name, self.c, (s,)))
        freeze(self, order=positive(name, self.order))
        for argument in ("b_err", "b_err3"):
            if getattr(self, argument) is not None:
                freeze(self, **{argument: weights_summing_to(0, name, argument, getattr(self, argument), (s,))})
        if self.interpolant is not None:
            rows, extra = self.interpolant.A.shape[::-1]
            if rows != s + extra:
                raise ValueError(f"{name}: interpolant.P must have {s} + {extra} rows, one a stage, got {rows}")

    def __repr__(self):
        return f"ButcherTableau({self.name!r}, order={self.order}, stages={self.stages})"

    @property
    def stages(self):
        """s, the number of slopes in one step."""
        return len(self.b)

    @cached_property
    def fsal(self):
        """First same as last: the last stage is f(z_next), which is the first of the next step."""
        return bool(self.c[-1] == 1 and np.array_equal(self.A[-1], self.b))

    @cached_property
    def embedded_order(self):
        """The order of b_hat = b - b_err, measured by the order conditions; None without b_err."""
        return None if self.b_err is None else certified_order(self, self.b - self.b_err)

    @cached_property
    def dense(self):
        """The Interpolant: the one given, or else the Hermite cubic, of order 3 at most."""
        if self.interpolant is not None:
            return self.interpolant
        order = min(self.order, 3)
        if self.fsal:
            return Interpolant(hermite(self.b, end=-1), order)
        b = np.append(self.b, 0)
        return Interpolant(hermite(b, end=-1), order, A=[b], c=[1])  # f(z_next) is one extra stage


def hermite(b, end, degree=3):
    """P (stages, degree) of the cubic that meets z and z_next with the slopes f(z) = k_first and f(z_next) = k_end.

    b_i(x) = (3x^2 - 2x^3) b_i,  plus x - 2x^2 + x^3 for the first stage,  plus x^3 - x^2 for the stage at z_next.
    """
    P = np.zeros((len(b), degree))
    P[:, :3] = np.outer(b, [0, 3, -2])
    P[0, :3] += [1, -2, 1]
    P[end, :3] += [0, -1, 1]
    return P


def constants(owner, argument, values, shape):
    """A read-only float64 array of these values; None in shape stands for any length."""
    try:
        x = np.array(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{owner}: {argument} must be an array of real numbers: {error}") from None
    if x.ndim != len(shape) or any(n not in (None, m) for n, m in zip(shape, x.shape, strict=True)):
        raise ValueError(f"{owner}: {argument} must have shape {shape}, got {x.shape}".replace("None", "any"))
    refuse(~np.isfinite(x), owner, argument, x, "must be finite")
    x.flags.writeable = False
    return x


def explicit(owner, A, shape):
    """Rows of A, each over the stages before its own, the last rows belonging to the last of all stages."""
    A = constants(owner, "A", A, shape)
    later = np.triu(A, shape[1] - shape[0])
    refuse(later != 0, owner, "A", A, "must be strictly lower triangular: a stage may use only those before it")
    return A


def nodes(owner, c, shape):
    """c, inside the step."""
    c = constants(owner, "c", c, shape)
    refuse((c < 0) | (c > 1), owner, "c", c, "must lie in [0, 1]: f is never called outside the step")
    return c


def weights_summing_to(total, owner, argument, values, shape):
    """Weights with this sum: 1, or not even z' = 1 comes out right; 0 for the difference of two such."""
    weights = constants(owner, argument, values, shape)
    if abs(weights.sum() - total) > TOLERANCE:
        raise ValueError(f"{owner}: {argument} must sum to {total}, got {weights.sum():.15g}: are all digits there?")
    return weights


def positive(owner, order):
    """A declared order."""
    if not (isinstance(order, int) and order >= 1):
        raise ValueError(f"{owner}: order must be a positive integer, got {order!r}")
    return order


def refuse(wrong, owner, argument, x, must):
    """Raise for the first entry of x that is marked wrong, with its place and value."""
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(f"{owner}: {argument} {must}, got {argument}[{', '.join(map(str, place))}] = {x[place]:g}")


def freeze(frozen, **fields):
    """Set what validation has made of the arguments: the one time that a frozen dataclass is written to."""
    for field, value in fields.items():
        object.__setattr__(frozen, field, value)


# Fractions where the published coefficients are fractions; the decimals are theirs, to the last digit of a float64.
# fmt: off
EULER = ButcherTableau(
    "EULER", order=1,
    c=[0],
    A=[[0]],
    b= [1],
)
MIDPOINT = ButcherTableau(
    "MIDPOINT", order=2,
    c=[0, 1/2],
    A=[[  0, 0],
       [1/2, 0]],
    b= [  0, 1],
)
HEUN = ButcherTableau(  # the trapezoidal rule, Euler embedded
    "HEUN", order=2,
    c=[0, 1],
    A=[[0, 0],
       [1, 0]],
    b=     [1/2,     1/2],
    b_err= [1/2 - 1, 1/2],
)
RALSTON = ButcherTableau(  # Ralston 1962: the two stages of least error bound; Euler embedded
    "RALSTON", order=2,
    c=[0, 2/3],
    A=[[  0, 0],
       [2/3, 0]],
    b=     [1/4,     3/4],
    b_err= [1/4 - 1, 3/4],
)
RK4 = ButcherTableau(  # Kutta 1901: HNW Table II.1.2
    "RK4", order=4,
    c=[0, 1/2, 1/2, 1],
    A=[[  0,   0,   0, 0],
       [1/2,   0,   0, 0],
       [  0, 1/2,   0, 0],
       [  0,   0,   1, 0]],
    b= [1/6, 2/6, 2/6, 1/6],
)
RK38 = ButcherTableau(  # Kutta 1901, the 3/8 rule: HNW Table II.1.2
    "RK38", order=4,
    c=[0, 1/3, 2/3, 1],
    A=[[   0,   0,   0, 0],
       [ 1/3,   0,   0, 0],
       [-1/3,   1,   0, 0],
       [   1,  -1,   1, 0]],
    b= [ 1/8, 3/8, 3/8, 1/8],
)
BOSH3 = ButcherTableau(  # Bogacki and Shampine 1989
    "BOSH3", order=3,
    c=[0, 1/2, 3/4, 1],
    A=[[  0,   0,   0,   0],
       [1/2,   0,   0,   0],
       [  0, 3/4,   0,   0],
       [2/9, 1/3, 4/9,   0]],
    b= [2/9, 1/3, 4/9,   0],  # b_hat = [7/24, 1/4, 1/3, 1/8]
    b_err=[2/9 - 7/24, 1/3 - 1/4, 4/9 - 1/3, -1/8],
)

QUARTIC = [0, 1, -2, 1]  # x^2 (1-x)^2 vanishes with its slope at both ends, so a multiple of it can be added to a cubic

DOPRI5_B = [35/384, 0, 500/1113, 125/192, -2187/6784, 11/84, 0]
DOPRI5 = ButcherTableau(  # Dormand and Prince 1980: HNW Table II.5.2
    "DOPRI5", order=5,
    c=[0, 1/5, 3/10, 4/5, 8/9, 1, 1],
    A=[[         0,            0,           0,        0,            0,     0, 0],
       [       1/5,            0,           0,        0,            0,     0, 0],
       [      3/40,         9/40,           0,        0,            0,     0, 0],
       [     44/45,       -56/15,        32/9,        0,            0,     0, 0],
       [19372/6561, -25360/2187,  64448/6561, -212/729,             0,     0, 0],
       [ 9017/3168,     -355/33,  46732/5247,   49/176,  -5103/18656,     0, 0],
       [    35/384,            0,   500/1113,  125/192,   -2187/6784, 11/84, 0]],
    b=DOPRI5_B,
    b_err=[71/57600, 0, -71/16695, 71/1920, -17253/339200, 22/525, -1/40],
    interpolant=Interpolant(order=4, P=hermite(DOPRI5_B, end=6, degree=4) + np.outer([  # Shampine 1986
        -12715105075/11282082432, 0, 87487479700/32700410799, -10690763975/1880347072,
        701980252875/199316789632, -1453857185/822651844, 69997945/29380423], QUARTIC)),
)

TSIT5_B = [0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774, 0]
TSIT5 = ButcherTableau(  # Tsitouras 2011
    "TSIT5", order=5,
    c=[0, 0.161, 0.327, 0.9, 0.9800255409045097, 1, 1],
    A=[
    [ 0,                     0,                  0,                  0,                    0,                    0, 0],
    [ 0.161,                 0,                  0,                  0,                    0,                    0, 0],
    [-0.008480655492356989,  0.335480655492357,  0,                  0,                    0,                    0, 0],
    [ 2.8971530571054935,   -6.359448489975075,  4.3622954328695815, 0,                    0,                    0, 0],
    [ 5.325864828439257,   -11.748883564062828,  7.4955393428898365, -0.09249506636175525, 0,                    0, 0],
    [ 5.86145544294642,    -12.92096931784711,   8.159367898576159,  -0.071584973281401,  -0.028269050394068383, 0, 0],
    TSIT5_B],
    b=TSIT5_B,
    b_err=[0.0017800110522257714, 0.0008164344596567469, -0.007880878010261995, 0.1447110071732629, -0.5823571654525552,
           0.45808210592918697, -1/66],
    interpolant=Interpolant(order=4, P=hermite(TSIT5_B, end=6, degree=4) + np.outer([
        -1.0530884977290216, 0.1017, 2.490627285651253, -16.548102889244902, 47.37952196281928, -34.87065786149661,
        2.5], QUARTIC)),
)

DOP853 = ButcherTableau(  # Dormand and Prince; Hairer, Norsett and Wanner 1993
    "DOP853", order=8,
    A=dop853.A[:12, :12], b=dop853.B, c=dop853.C[:12], b_err=dop853.B_ERR, b_err3=dop853.B_ERR3,
    interpolant=Interpolant(order=7, P=hermite(dop853.A[12], end=12, degree=7) + dop853.D.T @ dop853.BUMPS,
                            A=dop853.A[12:], c=dop853.C[12:]),
)
# fmt: on

TABLEAUS = {
    tableau.name: tableau for tableau in (EULER, MIDPOINT, HEUN, RALSTON, RK4, RK38, BOSH3, DOPRI5, TSIT5, DOP853)
}
