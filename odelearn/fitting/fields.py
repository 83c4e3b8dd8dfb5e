"""Fields that make one model fit all: standardised, driven by inputs, or for one row of a state at a time."""

from functools import partial

import numpy as np

from ..dynamics import Bound, Dynamics


class Standardised(Dynamics):
    """dz/dt = v net(x, t, theta)  with  x = (z - m) / s  and  v = s / tau."""

    def __init__(self, net, m, s, tau):
        self.net, self.m, self.s, self.v = net, m, s, s / tau

    def __call__(self, z, t, theta):
        return self.v * self.net((z - self.m) / self.s, t, theta)

    def vjp(self, z, t, theta):
        dz, pullback = self.net.vjp((z - self.m) / self.s, t, theta)
        return self.v * dz, partial(self.pullback, pullback)

    def bind(self, theta, z0):
        net = self.net.bind(theta, z0)

        def value(z, t, out):
            net.value((z - self.m) / self.s, t, out)
            out *= self.v

        def vjp(z, t, out):
            pullback = net.vjp((z - self.m) / self.s, t, out)
            out *= self.v
            return partial(self.pullback, pullback)

        return Bound(value, vjp, net.sum_theta)

    def pullback(self, net_pullback, a):
        a_x, a_t, a_theta = net_pullback(a * self.v)
        return a_x / self.s, a_t, a_theta


class WithInputs(Dynamics):
    """dx/dt = net([x, u(t)], theta), where u(t) (K, I) are the Inputs of the trials that are solved together.

    The net maps [x, u] (S + I) to as many numbers. Of these the last I are not used: the columns of its last W and b
    that make them are 0, and are no part of theta.

    net  an MLP of sizes (S + I, ..., S + I)
    u    t -> (K, I), for states x (K, S) or (E, K, S); (1, I) for (S,) and (E, S)

    df/dt leaves du/dt out: gradients with respect to z0 and theta are whole, those with respect to times are not.
    """

    def __init__(self, net, inputs, u=None):
        self.net, self.I, self.u = net, inputs, u
        self.used = used_parameters(net, inputs)  # (P,) places of theta among the parameters of the net

    @property
    def size(self):
        return self.used.size

    def driven_by(self, u):
        return WithInputs(self.net, self.I, u)

    def whole(self, theta):
        """The parameters of the net, (P',) or (E, P'), from theta (P,) or (E, P)."""
        all_of_it = np.zeros((*theta.shape[:-1], self.net.size), theta.dtype)
        all_of_it[..., self.used] = theta
        return all_of_it

    def with_u(self, x, t, room=None):
        """[x, u(t)] (..., S + I)."""
        xu = np.empty((*x.shape[:-1], x.shape[-1] + self.I), x.dtype) if room is None else room
        xu[..., : x.shape[-1]] = x
        u = self.u(t)
        xu[..., x.shape[-1] :] = u if x.ndim > 1 and x.shape[-2] == len(u) else u[0]
        return xu

    def __call__(self, x, t, theta):
        return self.net(self.with_u(x, t), t, self.whole(theta))[..., : x.shape[-1]]

    def vjp(self, x, t, theta):
        bound, out = self.bind(theta, x), np.empty_like(x)
        pullback = bound.vjp(x, t, out)

        def pullback_to_theta(a):
            a_x, a_t, term = pullback(a)
            return a_x, a_t, bound.sum_theta([term])

        return out, pullback_to_theta

    def bind(self, theta, z0):
        S, room = z0.shape[-1], np.empty((*z0.shape[:-1], z0.shape[-1] + self.I), z0.dtype)
        net, dxu = self.net.bind(self.whole(theta), room), np.empty_like(room)

        def value(x, t, out):
            net.value(self.with_u(x, t, room), t, dxu)
            out[...] = dxu[..., :S]

        def vjp(x, t, out):
            pullback = net.vjp(self.with_u(x, t), t, dxu)
            out[...] = dxu[..., :S]
            return partial(pull, pullback)

        def pull(pullback, a):
            a_dxu = np.zeros(room.shape, a.dtype)
            a_dxu[..., :S] = a
            a_xu, a_t, term = pullback(a_dxu)
            return a_xu[..., :S], a_t, term

        return Bound(value, vjp, lambda terms, weights=None: net.sum_theta(terms, weights)[..., self.used])


def used_parameters(net, inputs):
    """The places in theta of everything but what makes the last `inputs` outputs of an MLP."""
    marks = net.unravel(np.ones(net.size))
    last = len(net.sizes) - 2
    for part in marks[f"W{last}"], marks[f"b{last}"]:
        part[..., part.shape[-1] - inputs :] = 0
    return np.flatnonzero(np.concatenate([part.ravel() for part in marks.values()]))


class RowByRow(Dynamics):
    """f(z, t, theta) for a state z (S,), applied to each row of a state (..., S), which f was not written for.

    fs       a Dynamics for each row of the last axis but one: K of them, or one for all
    offsets  (K,) or (1,): row k is at time t + offsets[k]
    theta is (P,) for all rows, or (E, P): then z is (E, ..., S), and the rows of member e move by theta[e].
    """

    def __init__(self, fs, offsets):
        self.fs, self.offsets = fs, offsets

    def rows(self, z, theta):
        """(index, f, offset, theta) of every row."""
        K = len(self.fs)
        for i in np.ndindex(z.shape[:-1]):
            k = i[-1] if K > 1 else 0
            yield i, self.fs[k], self.offsets[k], theta[i[0]] if theta.ndim == 2 else theta

    def __call__(self, z, t, theta):
        bound, out = self.bind(theta, z), np.empty_like(z)
        bound.value(z, t, out)
        return out

    def vjp(self, z, t, theta):
        bound, out = self.bind(theta, z), np.empty_like(z)
        pullback = bound.vjp(z, t, out)

        def pullback_to_theta(a):
            a_z, a_t, term = pullback(a)
            return a_z, a_t, bound.sum_theta([term])

        return out, pullback_to_theta

    def bind(self, theta, z0):
        rows = [(i, f.bind(own, z0[i]), offset) for i, f, offset, own in self.rows(z0, theta)]

        def value(z, t, out):
            for i, bound, offset in rows:
                bound.value(z[i], t + offset, out[i])

        def vjp(z, t, out):
            return partial(pull, [bound.vjp(z[i], t + offset, out[i]) for i, bound, offset in rows])

        def pull(pullbacks, a):
            a_z, a_t, terms = np.empty(z0.shape, a.dtype), 0.0, []
            for (i, _, _), pullback in zip(rows, pullbacks, strict=True):
                a_z[i], a_t_row, term = pullback(a[i])
                a_t, terms = a_t + a_t_row, [*terms, term]
            return a_z, a_t, terms

        def sum_theta(terms, weights=None):
            total = np.zeros(theta.shape, np.result_type(theta, z0))
            for j, (i, bound, _) in enumerate(rows):
                own = total[i[0]] if theta.ndim == 2 else total
                own += bound.sum_theta([term[j] for term in terms], weights)
            return total

        return Bound(value, vjp, sum_theta)
