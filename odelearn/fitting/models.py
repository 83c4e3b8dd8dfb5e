"""What dz/dt may be: a network, a linear field, Lotka and Volterra's, or a function from anybody's Python file."""

from functools import partial

import numpy as np

from ..dynamics import Bound, Dynamics
from ..nn.mlp import MLP
from .model_file import Model, is_file, model_from_file
from .options import UsageError

HIDDEN = 16  # units of the network's one hidden layer


def model_from(spec, series, rng):
    """The Model named on the command line: mlp, linear, lotka-volterra, or FILE.py:f. Raises UsageError for another."""
    D = len(series.columns)
    if spec == "mlp":
        return network(MLP((D, HIDDEN, D)), "Neural ODE", series, rng)
    if spec == "linear":
        return network(MLP((D, D)), "linear", series, rng)
    if spec == "lotka-volterra":
        return lotka_volterra(series)
    if is_file(spec):
        return model_from_file(spec)
    raise UsageError(f"--model {spec}: not one of mlp, linear, lotka-volterra, FILE.py:f")


def network(net, label, series, rng):
    """dz/dt = (s / tau) net((z - m) / s), with m and s the mean and standard deviation of each column and tau a tenth
    of the time that the series spans: whatever the units, the net sees and returns numbers of size about 1."""
    return Model(Standardised(net, series.mean, series.scale, series.span / 10), net.init(rng), label)


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


def lotka_volterra(series):
    """Prey x and predator y, the first and the second column, with theta = log (alpha, gamma, beta, delta):

        dx/dt =  alpha x - beta  x y
        dy/dt = -gamma y + delta x y

    or, with --log, the same for z = (log x, log y). The first guess turns once in the time that the series spans,
    around the means: the equilibrium is x = gamma / delta, y = alpha / beta.
    """
    if len(series.columns) != 2:
        raise UsageError(
            f"--model lotka-volterra takes 2 columns, prey and predator, got {len(series.columns)}: "
            f"{', '.join(series.columns)}; name two with --columns"
        )
    means = np.nanmean(series.ys[: series.rows], axis=0)  # (2,) of x and y
    if not (means > 0).all():
        raise UsageError(f"--model lotka-volterra counts individuals, but the means are {means[0]:g} and {means[1]:g}")
    omega = 2 * np.pi / series.span
    theta0 = np.log([omega, omega, omega / means[1], omega / means[0]])
    return Model(Dynamics(lotka_volterra_log if series.log else lotka_volterra_counts), theta0, "Lotka-Volterra")


SIGNS = np.array([1.0, -1.0])  # prey grows alone and is eaten; the predator starves alone and eats


def lotka_volterra_log(z, t, theta):
    rates = np.exp(theta)
    return SIGNS * (rates[:2] - rates[2:] * np.exp(z[::-1]))


def lotka_volterra_counts(z, t, theta):
    rates = np.exp(theta)
    return SIGNS * z * (rates[:2] - rates[2:] * z[::-1])
