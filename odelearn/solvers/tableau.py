"""Butcher tableaus of explicit Runge-Kutta methods, as frozen, validated data.

One step of size h from (t, z), with stages i = 1 ... s:

    Z_i    = z + h sum_{j<i} A_ij k_j              c | A
    k_i    = f(Z_i, t + c_i h, theta)             ---+---
    z_next = z + h sum_i b_i k_i                     | b

The numbers alone settle the order of a method: `order_conditions.py` has the conditions.
Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I (below: HNW), section II.1 for the form, II.4 for
embedded weights, II.6 for dense output.
"""

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from .order_conditions import TOLERANCE, certified_order


@dataclass(frozen=True, eq=False, repr=False)
class Interpolant:
    """Dense output: weights that depend on the place x in the step.

        z(t + x h) = z + h sum_i b_i(x) k_i     b_i(x) = sum_j P_ij x^(j+1)     0 <= x <= 1

    P (stages, degree)   the coefficients, one row a stage
    order                of the interpolant, >= 1
    A (extra, stages), c (extra,)   of extra slopes, for interpolants that evaluate f again once the step is made. The
                         last rows of P weigh them; a row of A stands over all stages before its own

    Raises ValueError for arrays of other shapes or values, and names the argument.
    Source: Hairer, Norsett, Wanner, Solving ODEs I, section II.6.
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

    def __eq__(self, other):
        return isinstance(other, Interpolant) and parts_equal(self, other)

    def __hash__(self):
        return hash((self.order, self.P.tobytes()))

    def __reduce__(self):
        return Interpolant, (self.P, self.order, self.A, self.c)

    def weights(self, x):
        """b(x) for x of any shape: shape (*x.shape, stages)."""
        powers = np.arange(1, self.P.shape[1] + 1)
        return np.asarray(x)[..., None] ** powers @ self.P.T

    def slope_weights(self, x):
        """b'(x), so that  dz/dt = sum_i b_i'(x) k_i  at t + x h; shapes as in `weights`."""
        powers = np.arange(1, self.P.shape[1] + 1)
        return powers * np.asarray(x)[..., None] ** (powers - 1) @ self.P.T


@dataclass(frozen=True, eq=False, repr=False)
class ButcherTableau:
    """An explicit Runge-Kutta method as frozen data; the arrays are float64 and read-only.

        k_i = f(z + h sum_j A_ij k_j, t + c_i h, theta)        z_next = z + h sum_i b_i k_i

    name            how it prints
    A (s, s)        strictly lower triangular
    b (s,), c (s,)  weights that sum to 1, nodes in [0, 1]
    order           the order it claims, >= 1
    b_err (s,)      b - b_hat for a second set of weights b_hat on the same slopes: h sum_i b_err_i k_i estimates the
                    error of the step. None: no error estimate, so fixed steps only
    interpolant     an Interpolant for dense output; None: the Hermite cubic
    b_err3 (s,)     a second and rougher estimate, for Hairer's combined one (DOP853)

    Raises ValueError for what no explicit step can use, and names the argument. A tableau that is merely wrong (not of
    its order, or rows of A that do not sum to c) can be made, so that it can be examined: `order_conditions` and
    `certify` detect it. Source: Hairer, Norsett, Wanner, Solving ODEs I, section II.1.

    >>> ButcherTableau("Heun's method of order 3", A=[[0, 0, 0], [1/3, 0, 0], [0, 2/3, 0]], b=[1/4, 0, 3/4],
    ...                c=[0, 1/3, 2/3], order=3)
    ButcherTableau("Heun's method of order 3", order=3, stages=3)
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

    def __eq__(self, other):
        return isinstance(other, ButcherTableau) and parts_equal(self, other)

    def __hash__(self):
        return hash((self.name, self.order, self.b.tobytes()))

    def __reduce__(self):
        return ButcherTableau, tuple(getattr(self, field.name) for field in fields(self))

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


def parts_equal(one, other):
    """Whether all fields of two frozen dataclasses are equal, arrays component by component."""
    pairs = [(getattr(one, field.name), getattr(other, field.name)) for field in fields(one)]
    return all(np.array_equal(x, y) if np.ndarray in (type(x), type(y)) else x == y for x, y in pairs)


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
