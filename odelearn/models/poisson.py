"""Events at random times, whose intensity is told by a latent ODE: the Poisson process of section 5, Figure 7.

    log p(t_1, ..., t_K) = sum_i log lambda(t_i) - int_0^T lambda(t) dt,   lambda(t) = exp(g(z(t)))

The integral is one more state of the same solve, and z0 is inferred from the events by an encoder, as in (53).
"""

import numpy as np

from ..dynamics import Dynamics
from .irregular import solve_at_vjp
from .latent import kl_vjp


class WithIntegral(Dynamics):
    """Dynamics of [z, Lambda] (N, L + 1):  dz/dt = f(z),  dLambda/dt = lambda(z) = exp(g(z)).

    f, g   MLP([L, ..., L]) and MLP([L, ..., 1]); theta (P,) is that of f, then that of g
    """

    def __init__(self, f, g):
        self.f, self.g, self.size = f, g, f.size + g.size

    def __call__(self, s, t, theta):
        return self.vjp(s, t, theta)[0]

    def vjp(self, s, t, theta):
        z = s[..., :-1]
        dz, f_pullback = self.f.vjp(z, t, theta[: self.f.size])
        y, g_pullback = self.g.vjp(z, t, theta[self.f.size :])
        intensity = np.exp(y)  # (..., 1)

        def pullback(a):
            a_z, a_t, a_f = f_pullback(a[..., :-1])
            a_z_by_g, a_t_by_g, a_g = g_pullback(a[..., -1:] * intensity)
            a_s = np.concatenate([a_z + a_z_by_g, np.zeros_like(intensity)], axis=-1)  # nothing depends on Lambda
            return a_s, a_t + a_t_by_g, np.concatenate([a_f, a_g])

        return np.concatenate([dz, intensity], axis=-1), pullback


class LatentPoisson:
    """A Poisson process whose log-intensity is a function of a latent trajectory.

        z0 ~ N(0, I),   dz/dt = f(z),   lambda(t) = exp(g(z(t))),   0 <= t <= T

    encoder  an Encoder of one number and a gap, Encoder(GRU(2, H), L): it reads how many events are in each bin
    f, g     MLP([L, ..., L]) and MLP([L, ..., 1])
    h        the longest step of the solver. Choose it short: the integral sees lambda at the ends and middles of steps
             alone, and a training will let lambda be large between them. In experiments/poisson.py it did so at h = 0.8
    bin      the width of the bins, in the unit of t. Only the encoder sees bins; the likelihood has the times

    theta (P,) is that of encoder, f and g end to end. P is `size`.

    Many sequences of events are a batch: ts (N, K), the events of each in [0, T] in increasing order, and mask (N, K),
    1 for an event and 0 for padding, which stands at the end of a row. `pad_events` makes both.

    >>> from odelearn.models.encoder import Encoder
    >>> from odelearn.nn import GRU, MLP
    >>> model = LatentPoisson(Encoder(GRU(2, 16), 3), MLP([3, 20, 3]), MLP([3, 20, 1]), h=0.5, bin=1.0)
    >>> theta = model.init(np.random.default_rng(0))
    >>> ts, mask = pad_events([[0.3, 2.0, 7.5], [4.0]])
    >>> model.intensity(ts, mask, 10.0, np.linspace(0, 10, 5), theta).shape
    (2, 5)
    """

    def __init__(self, encoder, f, g, h, bin):
        if not f.sizes[0] == f.sizes[-1] == g.sizes[0] == encoder.latent or g.sizes[-1] != 1 or encoder.gru.inputs != 2:
            raise ValueError(
                f"with encoder.latent = {encoder.latent}, f must be MLP([{encoder.latent}, ..., {encoder.latent}]), g "
                f"MLP([{encoder.latent}, ..., 1]), and the GRU have 2 inputs; got {f}, {g}, {encoder.gru}"
            )
        self.encoder, self.dynamics, self.h, self.bin = encoder, WithIntegral(f, g), h, bin
        self.size = encoder.size + self.dynamics.size

    def init(self, rng):
        """Random theta (P,); f is scaled to a tenth, as in LatentODE."""
        encoder, f, g = (part.init(rng) for part in (self.encoder, self.dynamics.f, self.dynamics.g))
        return np.concatenate([encoder, 0.1 * f, g])

    def infer_vjp(self, ts, mask, T, theta):
        """mean and log_std (N, L) of q(z0 | events), and pullback(a_mean, a_log_std) -> a_theta of the encoder.

        Raises ValueError for a T that is no multiple of `bin`, and for events outside of [0, T].
        """
        bins = round(T / self.bin)
        if bins < 1 or abs(bins * self.bin - T) > 1e-9 * T:
            raise ValueError(f"T must be a multiple of bin = {self.bin:g}, got T = {T:g}")
        counts, starts = np.zeros((len(ts), bins)), np.tile(np.arange(bins) * self.bin, (len(ts), 1))
        rows, columns = np.nonzero(mask)
        events = ts[rows, columns]
        if events.size and not (events.min() >= 0 and events.max() <= T):
            raise ValueError(f"events must lie in [0, T = {T:g}], got {events.min():g} to {events.max():g}")
        np.add.at(counts, (rows, np.minimum(events // self.bin, bins - 1).astype(int)), 1)
        return self.encoder.vjp(counts[:, :, np.newaxis], starts, theta[: self.encoder.size])

    def log_intensity_vjp(self, z0, ts, T, theta):
        """log lambda at the times ts (N, K) in [0, T], and Lambda = int_0^T lambda dt (N,), from z0 (N, L).

        Returns both, and pullback(a_log_intensity, a_Lambda) -> a_z0, a_theta, without the part of the encoder.
        """
        theta, start = theta[self.encoder.size :], np.zeros((len(z0), 1), z0.dtype)
        times = np.concatenate([ts, np.full((len(ts), 1), T)], axis=1)
        s, solve_pullback = solve_at_vjp(np.concatenate([z0, start], axis=1), self.dynamics, times, theta, self.h)
        g, cut = self.dynamics.g, self.dynamics.f.size
        log_intensity, g_pullback = g.vjp(s[:, :-1, :-1], 0.0, theta[cut:])

        def pullback(a_log_intensity, a_Lambda):
            a_s = np.zeros_like(s)
            a_s[:, :-1, :-1], _, a_g = g_pullback(a_log_intensity[:, :, np.newaxis])
            a_s[:, -1, -1] = a_Lambda
            a_s0, a_theta = solve_pullback(a_s)
            return a_s0[:, :-1], a_theta + np.concatenate([np.zeros(cut, theta.dtype), a_g])

        return (log_intensity[:, :, 0], s[:, -1, -1]), pullback

    def elbo_vjp(self, ts, mask, T, eps, theta):
        """The bound on log p(events), by the sample z0 = mean + exp(log_std) eps from q, eps (N, L) from N(0, I).

            sum_i log lambda(t_i) - Lambda(T) - KL(q || N(0, I)),   averaged over the batch

        Returns a number and pullback() -> a_theta (P,).
        """
        N = len(ts)
        mean, log_std, encoder_pullback = self.infer_vjp(ts, mask, T, theta)
        std = np.exp(log_std)
        at_events, pullback_at_events = self.log_intensity_vjp(mean + std * eps, np.where(mask, ts, 0), T, theta)
        log_intensity, Lambda = at_events
        kl, a_mean_kl, a_log_std_kl = kl_vjp(mean, log_std)

        def pullback():
            a_Lambda = np.full(N, -1 / N, theta.dtype)
            a_z0, a_rest = pullback_at_events((mask / N).astype(theta.dtype), a_Lambda)
            a_encoder = encoder_pullback(a_z0 - a_mean_kl, a_z0 * eps * std - a_log_std_kl)
            return np.concatenate([a_encoder, a_rest])

        return (np.sum(mask * log_intensity) - np.sum(Lambda)) / N - kl, pullback

    def intensity(self, ts, mask, T, grid, theta):
        """lambda at the times grid (J,) in [0, T], for the mean of q(z0 | events): (N, J)."""
        mean, _, _ = self.infer_vjp(ts, mask, T, theta)
        (log_intensity, _), _ = self.log_intensity_vjp(mean, np.tile(grid, (len(ts), 1)), T, theta)
        return np.exp(log_intensity)


def draw_events(rng, intensity, T, bound):
    """The events of a Poisson process in [0, T] by thinning, in increasing order: (K,), K is random too.

    Candidates come at the rate `bound`, and one at t is kept with probability intensity(t) / bound.

    rng        a numpy Generator
    intensity  a function of times (m,), in events per unit of time, between 0 and bound
    T          the end of the time
    bound      a number that the intensity never exceeds

    Raises ValueError where the intensity leaves [0, bound] at a candidate.
    Source: Lewis and Shedler (1979), Simulation of nonhomogeneous Poisson processes by thinning.

    >>> len(draw_events(np.random.default_rng(0), lambda t: 3 + 2 * np.sin(t), T=1000.0, bound=5.0)) / 1000
    3.01
    """
    candidates = np.sort(rng.uniform(0, T, rng.poisson(bound * T)))
    rates = np.broadcast_to(intensity(candidates), candidates.shape)
    if candidates.size and not (rates.min() >= 0 and rates.max() <= bound):
        raise ValueError(f"the intensity must stay in [0, bound = {bound:g}], got {rates.min():g} to {rates.max():g}")
    return candidates[rng.uniform(0, bound, candidates.size) < rates]


def pad_events(sequences):
    """ts and mask, both (N, K), of N sequences of events; K is the largest number of events, and at least 1."""
    K = max(1, *(len(events) for events in sequences))
    ts, mask = np.zeros((2, len(sequences), K))
    for n, events in enumerate(sequences):
        ts[n, : len(events)], mask[n, : len(events)] = events, 1
    return ts, mask
