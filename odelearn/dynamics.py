"""The right-hand side f of dz/dt = f(z, t, theta), and how a cotangent of dz/dt flows back through it."""

from collections import namedtuple

import numpy as np

from .autodiff import tape

Bound = namedtuple("Bound", "value vjp sum_theta")
Bound.__doc__ = """f for one theta, as three functions of the state alone: what f.bind(theta, z0) returns.

value(z, t, out)             out = f(z, t, theta); z is lent, and may be another state at the next call
vjp(z, t, out) -> pullback   the same; pullback(a) -> a_z, a_t, term
sum_theta(terms, weights=None) -> (P,)    sum_i weights_i a_theta_i, from the terms of many pullbacks; weights 1 if None

Solvers call these thousands of times with one theta, so a layer may prepare itself first. Nothing in a solve depends on
a_theta, which is only ever summed. So a pullback may put it off, and a layer may sum many terms at once, at less cost.
"""


class Dynamics:
    """A vector field dz/dt = f(z, t, theta) with its vector-Jacobian products.

        dz, pullback = f.vjp(z, t, theta)
        a_z, a_t, a_theta = pullback(a)            # a df/dz, a df/dt, a df/dtheta

    z and dz have one shape, t is a float, theta is a vector (P,) or None; the cotangents have the shapes
    of what they belong to, and a_theta is summed over the batch (all leading axes of z).

    fun   an ordinary NumPy function fun(z, t, theta) -> dz
    vjp   its hand-written vjp(z, t, theta) -> dz, pullback; without it the tape supplies the pullback

    Raises TypeError for a `fun` that cannot be called. A subclass writes __call__, vjp and, to be faster, bind.

    >>> f = Dynamics(lambda z, t, theta: theta[0] * z)
    >>> dz, pullback = f.vjp(np.array([2.0, 3.0]), 0.0, np.array([0.5]))
    >>> a_z, a_t, a_theta = pullback(np.array([1.0, 1.0]))
    >>> a_z, a_theta
    (array([0.5, 0.5]), array([5.]))
    """

    def __init__(self, fun, vjp=None):
        if not callable(fun):
            raise TypeError(f"f must be a function f(z, t, theta) -> dz/dt, got {type(fun).__name__}")
        self.fun = fun
        if vjp is not None:
            self.vjp = vjp

    def __call__(self, z, t, theta):
        return self.fun(z, t, theta)

    def vjp(self, z, t, theta):
        """dz = f(z, t, theta), and pullback(a) -> a_z, a_t, a_theta, by the tape."""
        if theta is None:
            dz, pull = tape.vjp(lambda z, t: self.fun(z, t, None), z, t)
            return dz, lambda a: (*pull(a), np.zeros(0))
        return tape.vjp(self.fun, z, t, theta)

    def bind(self, theta, z0):
        """The Bound of f for this theta and for states like z0: here a term is a_theta itself."""
        looked_at = False

        def evaluate_at(fun, z, t):
            """fun(z, t, theta) on a copy of z, which f may keep. Whether f leaves it alone is asked once."""
            nonlocal looked_at
            own = z.copy()
            result = evaluate(fun, own, t, theta)
            if not looked_at and not np.array_equal(own, z, equal_nan=True):
                raise ValueError("f changed its argument z in place (z += ...); compute dz/dt in a new array")
            looked_at = True
            return result

        def value(z, t, out):
            assign(out, evaluate_at(self, z, t))

        def vjp(z, t, out):
            dz, pullback = evaluate_at(self.vjp, z, t)
            assign(out, dz)
            return pullback

        return Bound(value, vjp, weighted_sum)


def weighted_sum(terms, weights=None):
    """sum_i weights_i terms_i; weights 1 if None."""
    if weights is None:
        return np.add.reduce(terms)
    terms = np.stack(terms)
    return weights.dot(terms.reshape(len(terms), -1)).reshape(terms.shape[1:])


def evaluate(f, z, t, theta):
    """f(z, t, theta). The errors that beginners make are told in the words of the problem. theta is read-only."""
    try:
        return f(z, t, theta)
    except IndexError as error:
        P = None if theta is None else theta.shape
        raise ValueError(f"f(z, t, theta) with z of shape {z.shape} and theta of shape {P}: {error}") from error
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise ValueError("f changed its argument theta in place (theta += ...); compute in a new array") from error


def assign(out, dz):
    """out[...] = dz, once it is certain that f returned what it should for a state like out."""
    like = type(dz) is np.ndarray and dz.shape == out.shape and dz.dtype == out.dtype
    out[...] = dz if like else checked_slope(dz, out)


def refuse_subclass(name, x, verb="is"):
    """Raises TypeError for an array that means something else by the same operations: a masked one, an np.matrix."""
    if not isinstance(x, np.ndarray) or type(x) in (np.ndarray, np.memmap):  # a memmap is an ordinary array in a file
        return
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(
            f"{name} {verb} a masked array, and its mask would be lost. Give every component a value, x.filled(0), and "
            "in the loss index what was observed, or weigh it"
        )
    must = "must be" if verb == "is" else "must return"
    raise TypeError(f"{name} {must} an ordinary array, got {type(x).__name__}; np.asarray(x) makes it one")


def checked_slope(dz, z):
    """What f returned, as an array like z. Plain Python numbers and lists take z's dtype; arrays must have it.

    Raises ValueError for another shape, TypeError for another dtype or a traced value.
    """
    if hasattr(dz, "tape"):
        raise TypeError(
            "f returned a traced value: it closes over something that is being differentiated. "
            "Pass that through theta, as in odeint(z0, f, ts, theta)"
        )
    if dz is None:
        raise TypeError("f returned None; f(z, t, theta) must return dz/dt")
    refuse_subclass("f", dz, verb="returned")
    if not hasattr(dz, "dtype"):
        kind = type(dz).__name__
        try:
            dz = np.array(dz)
        except ValueError:  # parts of several shapes
            dz = np.array(None)
        if dz.dtype == object:
            raise TypeError(
                f"f returned a {kind}; dz/dt is one array of the shape of z, {z.shape}. odelearn.ravel makes one "
                "vector of a dict or tuple; inside f join the parts by np.concatenate or np.stack"
            )
        if dz.dtype.kind in "biuf" or dz.dtype.kind == z.dtype.kind:
            dz = dz.astype(z.dtype)
    if dz.shape != z.shape:
        raise ValueError(f"f returned shape {dz.shape} for a state z of shape {z.shape}; dz/dt has the shape of z")
    if dz.dtype.newbyteorder("=") != z.dtype:
        raise TypeError(f"f returned {dz.dtype} for a state z of {z.dtype}; the dtype follows z0: cast one of them")
    return dz


def as_dynamics(f):
    """f itself if it is a Dynamics, otherwise f as one: with f.vjp if it has that, or with the tape's."""
    return f if isinstance(f, Dynamics) else Dynamics(f, getattr(f, "vjp", None))


def counted(f):
    """The same f, counting its work: `.evals` values (also those inside `.vjp`), `.pullbacks` calls of a pullback.

    f  a function f(z, t, theta) or a Dynamics. Returns a Dynamics. Raises TypeError if f cannot be called.

    >>> from odelearn import odesolve, rk4
    >>> f = counted(lambda z, t, theta: -z)
    >>> _ = odesolve(1.0, f, (0.0, 1.0), solver=rk4(n=5))
    >>> f.evals
    20
    """
    return Counted(as_dynamics(f))


class Counted(Dynamics):
    def __init__(self, f):
        self.f = f
        self.evals = self.pullbacks = 0

    def __call__(self, z, t, theta):
        self.evals += 1
        return self.f(z, t, theta)

    def vjp(self, z, t, theta):
        self.evals += 1
        dz, pullback = self.f.vjp(z, t, theta)
        return dz, self.count_calls(pullback)

    def bind(self, theta, z0):
        bound = self.f.bind(theta, z0)

        def value(z, t, out):
            self.evals += 1
            return bound.value(z, t, out)

        def vjp(z, t, out):
            self.evals += 1
            return self.count_calls(bound.vjp(z, t, out))

        return Bound(value, vjp, bound.sum_theta)

    def count_calls(self, pullback):
        def counted_pullback(a):
            self.pullbacks += 1
            return pullback(a)

        return counted_pullback
