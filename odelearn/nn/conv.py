"""Convolution of images by hand, and dynamics made of it."""

import numpy as np

from ..dynamics import Dynamics
from .activations import ACTIVATIONS
from .mlp import with_time


def patches(x, size):
    """The neighbourhood of every pixel, 0 beyond the edge: (N, H, W, C) -> (N, H, W, size, size, C), a view.

    patches(x, 3)[n, i, j, p, q, c] = x[n, i + p - 1, j + q - 1, c].
    """
    r = size // 2
    padded = np.pad(x, ((0, 0), (r, r), (r, r), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))  # (N, H, W, C, size, size)
    return np.moveaxis(windows, 3, -1)


def correlate(x, W):
    """y[n, i, j, o] = sum_pqc patches[n, i, j, p, q, c] W[p, q, c, o]  as one product; and the rows of patches."""
    size, _, C_in, C_out = W.shape
    rows = patches(x, size).reshape(-1, size * size * C_in)  # (N H W, size^2 C_in), a copy
    return rows.dot(W.reshape(-1, C_out)).reshape(*x.shape[:-1], C_out), rows


class Conv2d:
    """Every pixel sees its neighbours, all by the same weights:

        y[n, i, j, o] = b[o] + sum_pqc x[n, i + p - r, j + q - r, c] W[p, q, c, o],    r = (size - 1) / 2

    with x = 0 beyond the edge, so that y has the height and width of x. (Mathematics calls this a correlation.)

    channels_in   C_in, the last axis of x
    channels_out  C_out, the last axis of y
    size          of the square of neighbours, odd

    x is (N, H, W, C_in), y (N, H, W, C_out). theta is W (size, size, C_in, C_out) and then b (C_out,), end to end; its
    length is `.size`. Raises ValueError for numbers that are not positive integers, an even size, and for an x or theta
    that does not fit. Source: LeCun et al. (1989), Backpropagation applied to handwritten zip code recognition.

    >>> blur = Conv2d(1, 1)
    >>> theta = np.append(np.ones(9), 0.0)                 # W = 1, b = 0: each pixel becomes the sum of 9
    >>> y, pullback = blur.vjp(np.ones((1, 3, 3, 1)), theta)
    >>> y[0, :, :, 0]
    array([[4., 6., 4.],
           [6., 9., 6.],
           [4., 6., 4.]])
    """

    def __init__(self, channels_in, channels_out, size=3):
        for name, n in ("channels_in", channels_in), ("channels_out", channels_out), ("size", size):
            if n != int(n) or n < 1:
                raise ValueError(f"{name} must be a positive integer, got {n}")
        if size % 2 == 0:
            raise ValueError(f"size must be odd, so that a pixel is in the middle of its neighbours, got {size}")
        self.shape = int(size), int(size), int(channels_in), int(channels_out)  # of W
        self.size = int(np.prod(self.shape)) + self.shape[-1]

    def __repr__(self):
        return f"Conv2d({self.shape[2]}, {self.shape[3]}, size={self.shape[0]})"

    def init(self, rng):
        """Random theta: W ~ N(0, 2 / (size^2 (C_in + C_out))), b = 0, as MLP.init (Glorot and Bengio 2010)."""
        size, _, C_in, C_out = self.shape
        W = rng.normal(0, np.sqrt(2 / (size * size * (C_in + C_out))), self.shape)
        return np.concatenate([W.reshape(-1), np.zeros(C_out)])

    def unravel(self, theta):
        """{"W": (size, size, C_in, C_out), "b": (C_out,)}, as views of theta (P,)."""
        if getattr(theta, "shape", None) != (self.size,):
            got = getattr(theta, "shape", theta)
            raise ValueError(f"theta must have shape ({self.size},) for {self}, got {got}; init(rng) makes one")
        return {"W": theta[: -self.shape[-1]].reshape(self.shape), "b": theta[-self.shape[-1] :]}

    def vjp(self, x, theta):
        """y, and pullback(a_y) -> a_x, a_theta."""
        if x.ndim != 4 or x.shape[-1] != self.shape[2]:
            raise ValueError(f"x must have shape (N, H, W, {self.shape[2]}) for {self}, got {x.shape}")
        W, b = self.unravel(theta).values()
        y, rows = correlate(x, W)
        y += b

        def pullback(a_y):
            flat = a_y.reshape(-1, self.shape[-1])  # (N H W, C_out)
            a_W, a_b = rows.T.dot(flat), np.add.reduce(flat)
            a_x, _ = correlate(a_y, W[::-1, ::-1].swapaxes(2, 3))  # whom pixel i + p saw by W[p] sees it by W[-p]
            return a_x, np.concatenate([a_W.reshape(-1), a_b])

        return y, pullback


class ConvDynamics(Dynamics):
    """dz/dt = [sigma([z, t] * W0 + b0), t] * W1 + b1 for images z (N, H, W, C): two convolutions, * being Conv2d.

    The time is one more channel of each, the same number in every pixel.

    channels    C
    hidden      channels in between
    activation  a name in ACTIVATIONS
    size        of both convolutions, odd
    time        True, or False for a field that does not see t

    theta is W0, b0, W1, b1 end to end, its length is `.size`. Raises what Conv2d raises, and ValueError for an unknown
    activation.
    """

    def __init__(self, channels, hidden, activation="tanh", size=3, time=True):
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
        self.time, self.activation = bool(time), activation
        self.first = Conv2d(channels + self.time, hidden, size)
        self.second = Conv2d(hidden + self.time, channels, size)
        self.size = self.first.size + self.second.size

    def __repr__(self):
        C, H = self.second.shape[-1], self.first.shape[-1]
        return f"ConvDynamics({C}, {H}, {self.activation!r}, size={self.first.shape[0]}, time={self.time})"

    def init(self, rng):
        """Random theta, as Conv2d.init."""
        return np.concatenate([self.first.init(rng), self.second.init(rng)])

    def __call__(self, z, t, theta):
        return self.vjp(z, t, theta)[0]

    def vjp(self, z, t, theta):
        """dz, and pullback(a) -> a_z, a_t, a_theta."""
        theta_0, theta_1 = theta[: self.first.size], theta[self.first.size :]
        sigma, sigma_pullback = ACTIVATIONS[self.activation]
        x, time_pullback_0 = self.join_time(z, t)
        pre, first_pullback = self.first.vjp(x, theta_0)
        y = sigma(pre)
        x, time_pullback_1 = self.join_time(y, t)
        dz, second_pullback = self.second.vjp(x, theta_1)

        def pullback(a):
            a_x, a_theta_1 = second_pullback(a)
            a_y, a_t_1 = time_pullback_1(a_x)
            a_x, a_theta_0 = first_pullback(sigma_pullback(a_y, y, pre))
            a_z, a_t_0 = time_pullback_0(a_x)
            return a_z, a_t_0 + a_t_1, np.concatenate([a_theta_0, a_theta_1])

        return dz, pullback

    def join_time(self, z, t):
        """[z, t], the time as the last channel. The pullback: a_x -> a_z, a_t."""
        if not self.time:
            return z, lambda a_x: (a_x, 0.0)
        x, rows_pullback = with_time(z.reshape(-1, z.shape[-1]), t)

        def pullback(a_x):
            a_z, a_t = rows_pullback(a_x.reshape(-1, a_x.shape[-1]))
            return a_z.reshape(z.shape), a_t

        return x.reshape(*z.shape[:-1], x.shape[-1]), pullback
