"""The right-hand side f of dz/dt = f(z, t, theta), and how a cotangent of dz/dt flows back through it."""

import numpy as np

from .autodiff import tape


class Dynamics:
    """A vector field dz/dt = f(z, t, theta) with its vector-Jacobian products.

        dz, pullback = f.vjp(z, t, theta)
        a_z, a_t, a_theta = pullback(a)            # a df/dz, a df/dt, a df/dtheta

    z and dz have one shape, t is a float, theta is a vector (P,) or None; the cotangents have the shapes
    of what they belong to, and a_theta is summed over the batch (all leading axes of z).

    `fun` is an ordinary NumPy function. `vjp(z, t, theta) -> dz, pullback` is written by hand;
    without it the tape supplies the pullback.
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
        if theta is None:
            dz, pull = tape.vjp(lambda z, t: self.fun(z, t, None), z, t)
            return dz, lambda a: (*pull(a), np.zeros(0))
        return tape.vjp(self.fun, z, t, theta)

    # What the solvers ask for, thousands of times with one theta: so a layer may prepare itself for theta first. And
    # nothing in a solve depends on a_theta, it is only ever summed over stages, with weights: so a pullback may put it
    # off, and a layer may sum many stages cheaper than one by one.

    def stage(self, z0, theta):
        """measure(Z, t, k), for states like z0: writes f(Z, t, theta) into k."""

        def measure(Z, t, k):
            write(k, asked(self, Z, t, theta))

        return measure

    def stage_vjp(self, z0, theta):
        """measure(Z, t, k) -> pullback: the same, and pullback(a) -> a_z, a_t, and what `collect` makes a_theta of."""

        def measure(Z, t, k):
            dz, pullback = asked(self.vjp, Z, t, theta)
            write(k, dz)
            return pullback

        return measure

    def collect(self, deferred, weights=None):
        """sum_i weights[i] a_theta_i  (P,), from the third results of many pullbacks; weights 1 if None."""
        return np.add.reduce(deferred) if weights is None else weights.dot(np.stack(deferred))


def asked(f, z, t, theta):
    """f(z, t, theta), where errors that beginners make are told in the words of the problem. theta is read-only."""
    try:
        return f(z, t, theta)
    except IndexError as error:
        P = None if theta is None else theta.shape
        raise ValueError(f"f(z, t, theta) with z of shape {z.shape} and theta of shape {P}: {error}") from error
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise ValueError("f changed its argument theta in place (theta += ...); compute in a new array") from error


def write(k, dz):
    """k[...] = dz, once it is certain that f returned what it should for a state like k."""
    like = type(dz) is np.ndarray and dz.shape == k.shape and dz.dtype == k.dtype
    k[...] = dz if like else conform(dz, k)


def conform(dz, z):
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
    if not hasattr(dz, "dtype"):
        dz = np.array(dz)
        if dz.dtype.kind in "biuf" or dz.dtype.kind == z.dtype.kind:
            dz = dz.astype(z.dtype)
    if dz.shape != z.shape:
        raise ValueError(f"f returned shape {dz.shape} for a state z of shape {z.shape}; dz/dt has the shape of z")
    if dz.dtype != z.dtype:
        raise TypeError(f"f returned {dz.dtype} for a state z of {z.dtype}; the dtype follows z0: cast one of them")
    return dz


def as_dynamics(f):
    """f itself if it is a Dynamics, otherwise f as one: with f.vjp if it has that, or with the tape's."""
    return f if isinstance(f, Dynamics) else Dynamics(f, getattr(f, "vjp", None))


def counted(f):
    """The same f, counting its work: `.evals` values (also those inside `.vjp`), `.pullbacks` calls of a pullback."""
    return Counted(as_dynamics(f))


class Counted(Dynamics):
    def __init__(self, f):
        self.f, self.collect = f, f.collect
        self.evals = self.pullbacks = 0

    def __call__(self, z, t, theta):
        self.evals += 1
        return self.f(z, t, theta)

    def vjp(self, z, t, theta):
        self.evals += 1
        dz, pullback = self.f.vjp(z, t, theta)
        return dz, self.counting(pullback)

    def stage(self, z0, theta):
        return self.measuring(self.f.stage(z0, theta))

    def stage_vjp(self, z0, theta):
        measure = self.measuring(self.f.stage_vjp(z0, theta))
        return lambda Z, t, k: self.counting(measure(Z, t, k))

    def measuring(self, measure):
        def counted_measure(Z, t, k):
            self.evals += 1
            return measure(Z, t, k)

        return counted_measure

    def counting(self, pullback):
        def counted_pullback(a):
            self.pullbacks += 1
            return pullback(a)

        return counted_pullback
