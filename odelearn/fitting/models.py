"""What dz/dt may be: a network, a linear field, Lotka and Volterra's, or a function from anybody's Python file."""

import numpy as np

from ..autodiff import tape
from ..dynamics import Dynamics
from ..nn.mlp import MLP
from .fields import RowByRow, Standardised, WithInputs
from .lotka_volterra import counts, counts_vjp, logs, logs_vjp
from .model_file import Model, is_file, model_from_file
from .options import UsageError

NET = {"width": 16, "depth": 1, "activation": "tanh", "hidden": 0}  # hidden: states that are not observed


def model_from(spec, series, rng, span=None, **net):
    """The Model named on the command line: mlp, linear, lotka-volterra, or FILE.py:f. Raises UsageError for another.

    rng   a Generator for the first parameters (P,); or a list of E of them, for those of an ensemble (E, P)
    span  the time that a trajectory takes while the model learns; None: that of the series
    net   width and depth of the hidden layers, their activation, hidden: see NET
    """
    net, D, I = NET | net, len(series.columns), len(series.inputs)
    S = D + net["hidden"]
    if spec == "mlp":
        sizes = (S + I, *[net["width"]] * net["depth"], S + I)
        return network(MLP(sizes, net["activation"]), "Neural ODE", series, rng, S, span)
    if spec == "linear":
        return network(MLP((S + I, S + I)), "linear", series, rng, S, span)
    if spec == "lotka-volterra":
        return for_members(lotka_volterra(series, net["hidden"]), rng)
    if is_file(spec):
        return for_members(model_from_file(spec), rng)
    raise UsageError(f"--model {spec}: not one of mlp, linear, lotka-volterra, FILE.py:f")


def for_members(model, rng):
    """The model whose members, if rng is a list, all begin with the same theta0."""
    return model._replace(theta0=np.stack([model.theta0] * len(rng))) if isinstance(rng, list) else model


def network(net, label, series, rng, S, span=None):
    """dz/dt = (s / tau) net((z - m) / s), with m and s the mean and standard deviation of each column and tau a tenth
    of the time that a trajectory takes: whatever the units, the net sees and returns numbers of size about 1. Inputs
    are standardised likewise, and join what the net sees; states that are not observed have no units."""
    hidden = S - len(series.columns)
    mean, scale = np.append(series.mean, np.zeros(hidden)), np.append(series.scale, np.ones(hidden))
    inside = WithInputs(net, len(series.inputs)) if series.inputs else net
    field = Standardised(inside, mean, scale, (span or series.span) / 10)
    first = lambda rng: net.init(rng)[inside.used] if series.inputs else net.init(rng)
    theta0 = np.stack([first(one) for one in rng]) if isinstance(rng, list) else first(rng)
    return Model(field, theta0, label)


def field_for(model, K, offsets, inputs):
    """The Dynamics of a model for K trials that are solved together, whose states are rows; K = None for a single row.

    offsets  (K,): trial k is at time t + offsets[k]
    inputs   the Inputs of these trials, or None
    """
    if isinstance(model.f, Standardised):
        if inputs is None:
            return model.f
        f = model.f
        driven = Standardised(f.net.driven_by(inputs), f.m, f.s, 1.0)
        driven.v = f.v
        return driven
    if model.by_rows:
        return model.f
    fs = [with_u(model.f, inputs, k) for k in range(K or 1)] if inputs else [model.f]
    if K is None and model.theta0.ndim == 1:
        return fs[0]
    if len(fs) < (K or 1) and np.any(offsets):
        fs = fs * K
    return RowByRow(fs, offsets if len(fs) > 1 else np.zeros(1))


def with_u(f, inputs, k):
    """f(z, t, theta, u) of a file as f(z, t, theta): u (I,) are the inputs of trial k in the units of the data."""
    u_at = lambda t: inputs.raw(t - inputs.offsets[k])[k]

    def vjp(z, t, theta):
        u = u_at(t)  # a number for the tape, which leaves du/dt out
        return tape.vjp(lambda z, t, theta: f.fun(z, t, theta, u), z, t, theta)

    return Dynamics(lambda z, t, theta: f.fun(z, t, theta, u_at(t)), vjp)


def lotka_volterra(series, hidden=0):
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
    if hidden or series.inputs:
        raise UsageError("--model lotka-volterra has no --hidden states and no --input; --model mlp has")
    means = np.nanmean(series.ys[series.learned], axis=0)  # (2,) of x and y
    if not (means > 0).all():
        raise UsageError(f"--model lotka-volterra counts individuals, but the means are {means[0]:g} and {means[1]:g}")
    omega = 2 * np.pi / series.span
    theta0 = np.log([omega, omega, omega / means[1], omega / means[0]])
    field = Dynamics(logs, logs_vjp) if series.log else Dynamics(counts, counts_vjp)
    return Model(field, theta0, "Lotka-Volterra", by_rows=True)
