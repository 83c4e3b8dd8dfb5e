"""The recognition network of (53): q(z0 | x) = N(mean, exp(log_std)^2), from a GRU that reads the series backwards."""

import numpy as np

from ..nn.mlp import MLP


class Encoder:
    """A GRU that reads a series from its last observation to its first, and a linear layer on its last state.

        h = gru([x_i, (t_i+1 - t_i) / gap], h)   for i = K - 1, ..., 0, from h = 0; the gap read first is 0
        [mean, log_std] = h W + b

    Backwards, because z0 belongs to the first time: what was read last is remembered best. The gaps tell the irregular
    times; their origin does not matter.

    gru     a GRU whose inputs are the D numbers of one observation, and the gap: GRU(D + 1, H)
    latent  L, the width of z0
    gap     a typical gap, in the unit of t: a GRU learns best from numbers near 1

    theta (P,) is that of gru, then W (H, 2 L) row by row, then b. P is `size`.
    """

    def __init__(self, gru, latent, gap=1.0):
        self.gru, self.latent, self.gap = gru, latent, gap
        self.readout = MLP([gru.hidden, 2 * latent])
        self.size = gru.size + self.readout.size

    def init(self, rng):
        """Random theta (P,): that of the layers, W scaled to a tenth, so that q starts near N(0, I)."""
        return np.concatenate([self.gru.init(rng), 0.1 * self.readout.init(rng)])

    def vjp(self, xs, ts, theta, mask=None):
        """The parameters of q(z0 | x) for each row of a batch, and their pullback.

        xs     (N, K, D), the observations of each row, padded to the same number K
        ts     (N, K), their times, none before the one on its left
        theta  (P,)
        mask   (N, K), 1 for an observation, 0 for padding; padding stands at the end. None: all are observations

        Returns mean (N, L), log_std (N, L), and pullback(a_mean, a_log_std) -> a_theta (P,). Data have no cotangent.
        Raises ValueError for shapes that do not fit, and for times that decrease.
        """
        xs, ts, mask = checked_series(xs, ts, mask, self.gru.inputs - 1)
        gaps = np.diff(ts, append=ts[:, -1:]) / self.gap  # (N, K), the last of them 0
        if mask is not None:
            gaps = gaps * np.roll(mask, -1, axis=1)  # 0 where padding follows
        inputs = np.concatenate([xs, gaps[:, :, np.newaxis]], axis=2)[:, ::-1].swapaxes(0, 1)  # (K, N, D + 1)
        start = np.zeros((len(ts), self.gru.hidden), theta.dtype)
        flags = None if mask is None else mask[:, ::-1].T
        cut = self.gru.size
        hs, gru_pullback = self.gru.scan_vjp(np.ascontiguousarray(inputs, theta.dtype), start, theta[:cut], flags)
        out, readout_pullback = self.readout.vjp(hs[-1], 0.0, theta[cut:])

        def pullback(a_mean, a_log_std):
            a_h, _, a_readout = readout_pullback(np.concatenate([a_mean, a_log_std], axis=1))
            a_hs = np.zeros_like(hs)
            a_hs[-1] = a_h
            return np.concatenate([gru_pullback(a_hs)[2], a_readout])

        return out[:, : self.latent], out[:, self.latent :], pullback


def checked_series(xs, ts, mask, width):
    """xs, ts and mask as arrays. Raises ValueError where they do not fit, or the times of a row decrease."""
    xs, ts = np.asarray(xs), np.asarray(ts)
    if ts.ndim != 2 or xs.shape != (*ts.shape, width) or not ts.size:
        raise ValueError(f"xs must be (N, K, {width}) and ts (N, K), K >= 1, got {xs.shape} and {ts.shape}")
    mask = None if mask is None else np.asarray(mask)
    if mask is not None and mask.shape != ts.shape:
        raise ValueError(f"mask must have the shape of ts, {ts.shape}, got {mask.shape}")
    backwards = np.diff(ts, axis=1) * (1 if mask is None else mask[:, 1:]) < 0
    if backwards.any():
        n, k = (int(i) for i in np.argwhere(backwards)[0])
        times = f"ts[{n}, {k}] = {ts[n, k]:g}, ts[{n}, {k + 1}] = {ts[n, k + 1]:g}"
        raise ValueError(f"the times of each row must not decrease, got {times}; sort xs and ts by time")
    return xs, ts, mask
