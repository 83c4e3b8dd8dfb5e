"""The recurrent baseline of section 5: a GRU that predicts the next observation, told how long it is until then."""

import numpy as np

from .encoder import checked_series
from .latent import log_likelihood_vjp


class RecurrentForecast:
    """A GRU that reads x_i and the gap to t_i+1, and predicts x_i+1; beyond the data it reads its own predictions.

        h = gru([x_i, (t_i+1 - t_i) / gap], h),   x_i+1 ~ N(decoder(h), sigma^2)

    gru      GRU(D + 1, H)
    decoder  from h to the mean of the next x: MLP([H, ..., D])
    gap      a typical gap, in the unit of t, as for the Encoder

    theta (P,) is that of gru and decoder end to end, then log sigma. P is `size`.

    >>> from odelearn.nn import GRU, MLP
    >>> model = RecurrentForecast(GRU(2 + 1, 28), MLP([28, 20, 2]))
    >>> xs, ts = np.ones((5, 7, 2)), np.sort(np.random.default_rng(1).random((5, 7)))
    >>> model.predict(xs, ts, ts[:, -1:] + 1, model.init(np.random.default_rng(0))).shape
    (5, 1, 2)
    """

    def __init__(self, gru, decoder, gap=1.0):
        if decoder.sizes[0] != gru.hidden or gru.inputs != decoder.sizes[-1] + 1:
            raise ValueError(f"{gru} must have the inputs [x, gap], and {decoder} must lead from h to x")
        self.gru, self.decoder, self.gap = gru, decoder, gap
        self.size = gru.size + decoder.size + 1

    def init(self, rng):
        """Random theta (P,), with sigma = 1."""
        return np.concatenate([self.gru.init(rng), self.decoder.init(rng), [0.0]])

    def unravel(self, theta):
        """{"gru": ..., "decoder": ..., "log_sigma": ()}, as views of theta (P,)."""
        if getattr(theta, "shape", None) != (self.size,):
            got = getattr(theta, "shape", theta)
            raise ValueError(f"theta must have shape ({self.size},), got {got}; init(rng) makes one")
        i, j = self.gru.size, self.gru.size + self.decoder.size
        return {"gru": theta[:i], "decoder": theta[i:j], "log_sigma": theta[j]}

    def forecast_vjp(self, xs, ts, theta, read):
        """The mean of x_1 ... x_K-1, each told by what was before it: (N, K - 1, D), and pullback(a) -> a_theta.

        xs (N, K, D), ts (N, K). The first `read` observations are read; from there on only the times are, and in the
        place of each later observation stands its prediction. So xs need not be known beyond `read`.
        """
        parts = self.unravel(theta)
        N, K = ts.shape
        gaps = (np.diff(ts, axis=1) / self.gap)[:, :, np.newaxis].astype(theta.dtype)  # (N, K - 1, 1)
        inputs = np.concatenate([xs[:, :read].astype(theta.dtype), gaps[:, :read]], axis=2).swapaxes(0, 1)
        hs, scan_pullback = self.gru.scan_vjp(inputs, np.zeros((N, self.gru.hidden), theta.dtype), parts["gru"])
        first, first_pullback = self.decoder.vjp(hs, 0.0, parts["decoder"])  # (read, N, D), of x_1 ... x_read
        h, predictions, pullbacks = hs[-1], list(first), []
        for i in range(read, K - 1):
            h, gru_pullback = self.gru.vjp(np.concatenate([predictions[-1], gaps[:, i]], axis=1), h, parts["gru"])
            x, decoder_pullback = self.decoder.vjp(h, 0.0, parts["decoder"])
            predictions.append(x)
            pullbacks.append((gru_pullback, decoder_pullback))

        def pullback(a):
            a = a.swapaxes(0, 1)  # (K - 1, N, D)
            a_h, a_x, a_gru, a_decoder = np.zeros_like(h), np.zeros_like(a[0]), 0.0, 0.0
            for i, (gru_pullback, decoder_pullback) in reversed(list(enumerate(pullbacks, read))):
                a_by_x, _, a_theta = decoder_pullback(a[i] + a_x)  # x_i+1 is looked at, and read by the next step
                a_decoder = a_decoder + a_theta
                a_input, a_h, a_theta = gru_pullback(a_h + a_by_x)
                a_gru, a_x = a_gru + a_theta, a_input[:, :-1]
            a_first = a[:read].copy()
            a_first[-1] += a_x
            a_hs, _, a_theta = first_pullback(a_first)
            a_decoder = a_decoder + a_theta
            a_hs[-1] += a_h
            return np.concatenate([a_gru + scan_pullback(a_hs)[2], a_decoder, np.zeros(1, theta.dtype)])

        return np.stack(predictions, axis=1), pullback

    def log_likelihood_vjp(self, xs, ts, theta, read):
        """sum_i log p(x_i | what was before it) for i = 1 ... K - 1: the mean over the batch, pullback() -> a_theta."""
        xs, ts, _ = checked_series(xs, ts, None, self.decoder.sizes[-1])
        means, forecast_pullback = self.forecast_vjp(xs, ts, theta, read)
        value, value_pullback = log_likelihood_vjp(xs[:, 1:], means, self.unravel(theta)["log_sigma"])

        def pullback():
            a_means, a_log_sigma = value_pullback()
            a_theta = forecast_pullback(a_means)
            a_theta[-1] = a_log_sigma
            return a_theta

        return value, pullback

    def objective_vjp(self, xs, ts, theta, read, rng):
        """What training maximises: log_likelihood_vjp. Nothing is drawn from rng."""
        return self.log_likelihood_vjp(xs, ts, theta, read)

    def predict(self, xs, ts, ts_new, theta):
        """The mean of x at the times ts_new (N, J) after ts (N, K), each row's times increasing: (N, J, D)."""
        nothing = np.zeros((*ts_new.shape, xs.shape[2]))
        padded, times = np.concatenate([xs, nothing], axis=1), np.concatenate([ts, ts_new], axis=1)
        return self.forecast_vjp(padded, times, theta, xs.shape[1])[0][:, -ts_new.shape[1] :]
