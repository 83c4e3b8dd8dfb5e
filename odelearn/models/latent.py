"""The latent ODE of section 5: a series at irregular times as noisy views of one trajectory of a hidden state.

    z0 ~ N(0, I)                                              (11)
    z_1, ..., z_K = ODESolve(z0, f, theta_f, t_1 ... t_K)     (12)
    x_i ~ N(g(z_i), sigma^2)                                  (13)

It is trained by the evidence lower bound (53), with q(z0 | x) from an encoder, and z0 = mean + exp(log_std) eps from q:

    ELBO = E_q[sum_i log p(x_i | z_i)] - KL(q(z0 | x) || N(0, I))  <=  log p(x)
"""

import numpy as np

from .encoder import checked_series
from .irregular import solve_at_vjp


class LatentODE:
    """A latent ODE from its three networks.

    encoder  an Encoder, whose `latent` is L
    f        the dynamics of z, a Dynamics for states (N, L) that does not depend on t: MLP([L, ..., L])
    decoder  g, from z to the mean of x: MLP([L, ..., D])
    h        the longest step of the solver, in the unit of t

    theta (P,) is that of encoder, f and decoder end to end, then log sigma. P is `size`. Time counts from the first
    observation of each series: z0 is the state there.

    >>> from odelearn.models.encoder import Encoder
    >>> from odelearn.nn import GRU, MLP
    >>> model = LatentODE(Encoder(GRU(2 + 1, 25), 4), MLP([4, 20, 4]), MLP([4, 20, 2]), h=0.3)
    >>> theta = model.init(np.random.default_rng(0))
    >>> xs, ts = np.ones((5, 7, 2)), np.sort(np.random.default_rng(1).random((5, 7)))
    >>> model.predict(xs, ts, ts[:, -1:] + 1, theta).shape
    (5, 1, 2)
    """

    def __init__(self, encoder, f, decoder, h):
        if not f.sizes[0] == f.sizes[-1] == decoder.sizes[0] == encoder.latent:
            raise ValueError(f"z has encoder.latent = {encoder.latent} components, but f is {f}, decoder {decoder}")
        if encoder.gru.inputs != decoder.sizes[-1] + 1:
            raise ValueError(f"{encoder.gru} must have {decoder.sizes[-1] + 1} inputs: an observation, and the gap")
        self.encoder, self.f, self.decoder, self.h = encoder, f, decoder, h
        self.size = sum(part.size for part in (encoder, f, decoder)) + 1

    def init(self, rng):
        """Random theta (P,) with sigma = 1. f is scaled to a tenth: at first, z hardly moves, and cannot run away."""
        encoder, f, decoder = (part.init(rng) for part in (self.encoder, self.f, self.decoder))
        return np.concatenate([encoder, 0.1 * f, decoder, [0.0]])

    def unravel(self, theta):
        """{"encoder": ..., "f": ..., "decoder": ..., "log_sigma": ()}, as views of theta (P,)."""
        if getattr(theta, "shape", None) != (self.size,):
            got = getattr(theta, "shape", theta)
            raise ValueError(f"theta must have shape ({self.size},), got {got}; init(rng) makes one")
        i, j, k = np.cumsum([self.encoder.size, self.f.size, self.decoder.size])
        return {"encoder": theta[:i], "f": theta[i:j], "decoder": theta[j:k], "log_sigma": theta[k]}

    def decode_vjp(self, z0, ts, theta):
        """The mean of x at times ts (N, K) >= 0 after that of z0 (N, L): (N, K, D); pullback(a) -> a_z0, a_f, a_g."""
        parts = self.unravel(theta)
        zs, solve_pullback = solve_at_vjp(z0, self.f, ts, parts["f"], self.h)  # (12)
        means, decoder_pullback = self.decoder.vjp(zs, 0.0, parts["decoder"])

        def pullback(a):
            a_zs, _, a_decoder = decoder_pullback(a)
            a_z0, a_f = solve_pullback(a_zs)
            return a_z0, a_f, a_decoder

        return means, pullback

    def bound_vjp(self, xs, ts, mean, log_std, eps, theta, mask=None):
        """The bound (53) for a given q = N(mean, exp(log_std)^2), by the sample z0 = mean + exp(log_std) eps.

            sum_i log p(x_i | z_i)  -  KL(q || N(0, I)),   averaged over the batch

        xs (N, K, D), ts (N, K), mask (N, K) as for the encoder; mean, log_std, eps (N, L), with eps drawn from N(0, I).
        The KL is the exact one, not that of the sample. Returns a number, and pullback() -> a_mean, a_log_std,
        a_theta; the part of the encoder is not in this a_theta.
        """
        log_sigma, std = self.unravel(theta)["log_sigma"], np.exp(log_std)
        times = ts - ts[:, :1] if mask is None else np.where(mask, ts - ts[:, :1], 0)
        x_means, decode_pullback = self.decode_vjp(mean + std * eps, times, theta)
        fit, fit_pullback = log_likelihood_vjp(xs, x_means, log_sigma, mask)
        kl, a_mean_kl, a_log_std_kl = kl_vjp(mean, log_std)

        def pullback():
            a_means, a_log_sigma = fit_pullback()
            a_z0, a_f, a_decoder = decode_pullback(a_means)
            a_theta = np.concatenate([np.zeros(self.encoder.size, theta.dtype), a_f, a_decoder, [a_log_sigma]])
            return a_z0 - a_mean_kl, a_z0 * eps * std - a_log_std_kl, a_theta.astype(theta.dtype)

        return fit - kl, pullback

    def elbo_vjp(self, xs, ts, eps, theta, read=None, mask=None):
        """The bound (53) with q from the encoder: a number, the mean over the batch, and pullback() -> a_theta (P,).

        read  how many observations the encoder sees, from the first on; None: all. The bound holds for any q, so the
              rest may be there to be predicted
        xs, ts, eps, mask  as in bound_vjp
        """
        xs, ts, mask = checked_series(xs, ts, mask, self.decoder.sizes[-1])
        seen = None if mask is None else mask[:, :read]
        mean, log_std, encoder_pullback = self.encoder.vjp(
            xs[:, :read], ts[:, :read], self.unravel(theta)["encoder"], seen
        )
        elbo, bound_pullback = self.bound_vjp(xs, ts, mean, log_std, eps, theta, mask)

        def pullback():
            a_mean, a_log_std, a_theta = bound_pullback()
            a_theta[: self.encoder.size] = encoder_pullback(a_mean, a_log_std)
            return a_theta

        return elbo, pullback

    def objective_vjp(self, xs, ts, theta, read, rng):
        """What training maximises: elbo_vjp with an eps that rng draws."""
        eps = rng.normal(size=(len(ts), self.encoder.latent)).astype(theta.dtype)
        return self.elbo_vjp(xs, ts, eps, theta, read)

    def predict(self, xs, ts, ts_new, theta, mask=None):
        """The mean of x at the times ts_new (N, J), none before ts[:, 0], from the mean of q(z0 | x): (N, J, D)."""
        mean, _, _ = self.encoder.vjp(xs, ts, self.unravel(theta)["encoder"], mask)
        return self.decode_vjp(mean, ts_new - ts[:, :1], theta)[0]


def log_likelihood_vjp(xs, means, log_sigma, mask=None):
    """sum log N(xs; means, sigma^2) over times and components (N, K, D), averaged over the batch N.

    mask (N, K) is 1 where there is an observation. Returns a number, and pullback() -> a_means, a_log_sigma.
    """
    N, weight = len(xs), 1.0 if mask is None else mask[:, :, np.newaxis]
    scaled = (xs - means) * np.exp(-log_sigma)
    each = -0.5 * scaled * scaled - log_sigma - 0.5 * np.log(2 * np.pi)

    def pullback():
        return weight * scaled * np.exp(-log_sigma) / N, np.sum(weight * (scaled * scaled - 1)) / N

    return np.sum(weight * each) / N, pullback


def kl_vjp(mean, log_std):
    """KL(N(mean, exp(log_std)^2) || N(0, I)) >= 0, averaged over the batch, and its slopes a_mean, a_log_std (N, L).

    KL = sum_l (mean_l^2 + exp(2 log_std_l) - 1) / 2 - log_std_l
    """
    N, variance = len(mean), np.exp(2 * log_std)
    return np.sum(0.5 * (mean * mean + variance - 1) - log_std) / N, mean / N, (variance - 1) / N
