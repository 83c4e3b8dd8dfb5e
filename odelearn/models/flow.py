"""Continuous normalizing flows: Theorem 1 of Chen et al. 2018. A field carries a log-density along with its points."""

import numpy as np

from ..autodiff import tape
from ..dynamics import Dynamics, as_dynamics
from ..gradients.discrete import Discrete
from ..neural_ode import odeint
from ..nn.mlp import MLP
from ..solvers.solver import dopri5

TIGHT = dopri5(1e-6, 1e-6)  # every likelihood that is reported is solved like this, whatever the training did


def with_log_density(f, trace="exact", noise=None):
    """The field of points and their log-density, Theorem 1:  dz/dt = f(z, t, theta),  d log p(z(t))/dt = -tr(df/dz).

    f      f(z, t, theta) on rows z (N, D): a Dynamics or a function. MLP and PlanarField have their trace by hand;
           for others the tape differentiates f twice, so f must be made of functions that the tape knows
    trace  "exact": tr(df/dz). It costs D derivatives of f; or "hutchinson": eps^T (df/dz) eps, which costs one and
           whose mean over eps is the trace
    noise  eps (N, D) for "hutchinson", a row for every row of z: draw it once a solve with draw_noise, so that the
           solver sees one fixed field. None for "exact"

    Returns a Dynamics on states [z, log p] of shape (N, D + 1). Its theta is that of f, and its last component may
    start from anything: the solve adds the change of log p to it. Raises ValueError for another trace, for noise that
    is missing or not wanted, and, when it is called, for a state or noise of another shape.
    Source: Chen et al. 2018, (8); M. F. Hutchinson (1990); Grathwohl et al. 2019, "FFJORD" (arXiv 1810.01367).

    >>> from odelearn import odesolve
    >>> f = with_log_density(lambda z, t, theta: theta * z)             # z(1) = e^theta z(0), so log p falls by D theta
    >>> odesolve(np.zeros((1, 3)), f, (0.0, 1.0), np.array([0.25])).zs[-1]
    array([[ 0. ,  0. , -0.5]])
    """
    return WithLogDensity(f, trace, noise)


class WithLogDensity(Dynamics):
    """What with_log_density returns."""

    def __init__(self, f, trace="exact", noise=None):
        if trace not in ("exact", "hutchinson"):
            raise ValueError(f'trace must be "exact" or "hutchinson", got {trace!r}')
        if (noise is None) != (trace == "exact"):
            need = (
                "needs noise (N, D), drawn once a solve: draw_noise(rng, N, D)" if noise is None else "takes no noise"
            )
            raise ValueError(f'trace="{trace}" {need}')
        self.f, self.noise = as_dynamics(f), None if noise is None else np.asarray(noise)
        if hasattr(f, "size"):
            self.size = f.size  # of theta

    def __call__(self, s, t, theta):
        return self.vjp(s, t, theta)[0]

    def vjp(self, s, t, theta):
        dz, trace, trace_pullback = self.value_and_trace(self.points(s), t, theta)

        def pullback(a):
            a_z, a_t, a_theta = trace_pullback(a[:, :-1], -a[:, -1])
            return beside(a_z, np.zeros_like(a[:, -1])), a_t, a_theta  # nothing depends on log p

        return beside(dz, -trace), pullback  # (8)

    def points(self, s):
        """z (N, D) of the state [z, log p]."""
        if len(s.shape) != 2 or s.shape[1] < 2:
            raise ValueError(f"the state must be [z, log p] of shape (N, D + 1), got {s.shape}")
        N, D = s.shape[0], s.shape[1] - 1
        if self.noise is not None and self.noise.shape != (N, D):
            raise ValueError(
                f"noise must have the shape of z, {(N, D)}, got {self.noise.shape}; draw it for this batch"
            )
        return s[:, :-1]

    def value_and_trace(self, z, t, theta):
        """dz (N, D), the trace or its estimate (N,), and pullback(a, a_trace) -> a_z, a_t, a_theta."""
        if self.noise is not None:
            eps = self.noise.astype(z.dtype)
            by_hand = estimate_of_mlp if isinstance(self.f, MLP) else estimate_by_tape
            return by_hand(self.f, z, t, theta, eps)
        if hasattr(self.f, "value_and_trace_vjp"):
            return self.f.value_and_trace_vjp(z, t, theta)
        return exact_by_tape(self.f, z, t, theta)


def estimate_of_mlp(f, z, t, theta, eps):
    """eps^T (df/dz) eps for every row by the derivative along eps, and its pullback."""
    dz, J_eps, pullback = f.jacobian_vjp(z, t, theta, eps)
    return (
        dz,
        np.einsum("nij,nj->n", J_eps, eps),
        lambda a, a_trace: pullback(a, (a_trace[:, np.newaxis] * eps)[:, np.newaxis]),
    )


def exact_by_tape(f, z, t, theta):
    """sum_i e_i^T (df/dz) e_i: D pullbacks of f on the tape, which is on a tape itself."""
    D = z.shape[1]

    def packed(z, t, theta):
        dz, pull = tape.vjp(lambda z: f(z, t, theta), z)
        ones = np.ones((z.shape[0], 1), z.dtype)
        trace = sum(pull(ones * e.astype(z.dtype))[0][:, i] for i, e in enumerate(np.eye(D)))
        return beside(dz, trace)

    return split(packed, z, t, theta)


def estimate_by_tape(f, z, t, theta, eps):
    def packed(z, t, theta):
        dz, pull = tape.vjp(lambda z: f(z, t, theta), z)
        return beside(dz, np.sum(pull(eps)[0] * eps, axis=1))

    return split(packed, z, t, theta)


def split(packed, z, t, theta):
    """dz, trace and pullback(a, a_trace) from a function of z, t and theta that returns both side by side."""
    both, pullback = Dynamics(packed).vjp(z, t, theta)
    return both[:, :-1], both[:, -1], lambda a, a_trace: pullback(beside(a, a_trace))


def beside(z, column):
    """[z, column] (N, D + 1)."""
    return np.concatenate([z, column[:, np.newaxis]], axis=1)


def draw_noise(rng, N, D, kind="rademacher"):
    """eps (N, D) for Hutchinson's estimator, with mean 0 and covariance I.

    kind  "rademacher": each component -1 or 1. The variance of eps^T J eps is  sum_{i<j} (J_ij + J_ji)^2.
          "gaussian": N(0, I). The variance is  sum_{ij} (J_ij + J_ji)^2 / 2, larger by 2 sum_i J_ii^2

    Raises ValueError for another kind.
    """
    if kind == "rademacher":
        return rng.integers(2, size=(N, D)) * 2.0 - 1.0
    if kind == "gaussian":
        return rng.normal(size=(N, D))
    raise ValueError(f'kind must be "rademacher" or "gaussian", got {kind!r}')


def log_standard_normal(z):
    """log N(z; 0, I) for every row of z (N, D), in nats."""
    return -0.5 * np.sum(z * z, axis=1) - 0.5 * z.shape[1] * float(np.log(2 * np.pi))


def log_density(x, f, theta, ts=(0.0, 1.0), solver=TIGHT, method=Discrete(), log_base=log_standard_normal):  # noqa: B008
    """log p(x) (N,) in nats where the flow of f carries the base density at ts[0] to p at ts[-1].

        log p(x) = log p_0(z(t_0)) - int_{t_0}^{t_1} tr(df/dz) dt      along the path that ends in z(t_1) = x

    x         (N, D); x and theta may be traced, and the solve is then differentiated by `method`
    f         what with_log_density returned
    theta     (P,), of f
    ts        (t_0, t_1); it is solved from t_1 back to t_0
    solver    for a number that is reported: TIGHT, dopri5 with tolerances 1e-6. A coarse solver gives a number that is
              no likelihood: its map does not have the determinant that its trace claims
    log_base  log p_0 of rows (N, D); the standard normal density

    Raises what odeint raises.
    """
    s = np.concatenate([x, np.zeros((x.shape[0], 1), x.dtype)], axis=1)
    s = odeint(s, f, ts[::-1], theta, solver, method)[-1]
    return log_base(s[:, :-1]) - s[:, -1]  # s: [z(t_0), minus the change of log p on the way to x]


def push_forward(z0, f, theta, ts=(0.0, 1.0), solver=TIGHT, method=Discrete(), log_base=log_standard_normal):  # noqa: B008
    """x (N, D) = z(t_1) and log p(x) (N,) of the points that start in z0 (N, D): with z0 drawn from the base, samples.

    The other arguments are those of log_density; z0 and theta may be traced. It is one solve, of the same cost as that
    of log_density: a flow is sampled as cheaply as it is evaluated. Raises what odeint raises.
    """
    s = np.concatenate([z0, log_base(z0)[:, np.newaxis]], axis=1)
    s = odeint(s, f, ts, theta, solver, method)[-1]
    return s[:, :-1], s[:, -1]
