"""The right-hand side f of dz/dt = f(z, t, theta), and how a cotangent of dz/dt flows back through it."""

import numpy as np

from . import tape


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

    # Nothing in a solve depends on a_theta, and it is only ever summed: over stages, with weights. So the solvers ask
    # for it in two moves, and a layer that can sum cheaper than stage by stage overrides both.

    def vjp_deferred(self, z, t, theta):
        """As vjp, but the pullback's third result may be anything that `collect` understands in place of a_theta."""
        return self.vjp(z, t, theta)

    def collect(self, deferred, weights):
        """sum_i weights[i] a_theta_i  (P,), from the third results of many pullbacks."""
        return weights.dot(np.stack(deferred))


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
        return self.counting(*self.f.vjp(z, t, theta))

    def vjp_deferred(self, z, t, theta):
        return self.counting(*self.f.vjp_deferred(z, t, theta))

    def counting(self, dz, pullback):
        self.evals += 1

        def counted_pullback(a):
            self.pullbacks += 1
            return pullback(a)

        return dz, counted_pullback
