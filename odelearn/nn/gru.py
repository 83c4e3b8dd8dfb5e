"""A gated recurrent unit: a state h that reads one input x after another. The pullbacks are derived by hand."""

import math

import numpy as np


def sigmoid(x):
    """1 / (1 + e^-x) = (1 + tanh(x / 2)) / 2, which never overflows."""
    return 0.5 * (1 + np.tanh(0.5 * x))


def cell(p, q, h):
    """One step for p = x W + b and q = h U + c, both (N, 3 H), and h (N, H).

        r, u = sigmoid(p + q) in their columns,  n = tanh(p_n + r q_n),  h_next = (1 - u) n + u h

    Returns h_next (N, H), and pullback(a) -> a_p, a_q, a_h; this a_h is that of the h in u h, without that of q.
    """
    H = h.shape[-1]
    ru = sigmoid(p[..., : 2 * H] + q[..., : 2 * H])  # (N, 2 H)
    r, u, q_n = ru[..., :H], ru[..., H:], q[..., 2 * H :]  # (N, H) each
    n = np.tanh(p[..., 2 * H :] + r * q_n)
    h_next = n + u * (h - n)

    def pullback(a):
        a_h = a * u
        a_n = (a - a_h) * (1 - n * n)  # to the argument of the tanh
        a_ru = np.concatenate([a_n * q_n, a * (h - n)], axis=-1) * (ru * (1 - ru))  # to that of the sigmoid
        return np.concatenate([a_ru, a_n], axis=-1), np.concatenate([a_ru, a_n * r], axis=-1), a_h

    return h_next, pullback


class GRU:
    """A gated recurrent unit (Cho et al. 2014): h_next is a mixture of h and of what x and h propose.

        r = sigmoid(x W_r + b_r + h U_r + c_r)            how much of h is seen by the proposal
        u = sigmoid(x W_u + b_u + h U_u + c_u)            how much of h is kept
        n = tanh(x W_n + b_n + r (h U_n + c_n))           the proposal
        h_next = (1 - u) n + u h

    inputs   I, the width of x
    hidden   H, the width of h

    x is (..., I) and h (..., H), with the same leading axes, the batch. theta (P,) is W (I, 3 H), U (H, 3 H), b (3 H,),
    c (3 H,) end to end, the matrices row by row, their columns in the order r, u, n. P = 3 H (I + H + 2) is `size`.
    The results have the widest dtype of x, h and theta; complex numbers are welcome.
    Raises ValueError for widths that are no positive integers, and for arguments whose shapes do not fit.
    Source: K. Cho et al., Learning phrase representations using RNN encoder-decoder (2014). Here, as in cuDNN, r acts
    after the product: r (h U_n + c_n).

    >>> gru = GRU(inputs=1, hidden=2)
    >>> theta = np.zeros(gru.size)              # all gates are 1/2, the proposal is 0: half of h is kept
    >>> gru(np.ones((3, 1)), np.ones((3, 2)), theta)[0]
    array([0.5, 0.5])
    """

    def __init__(self, inputs, hidden):
        for name, n in ("inputs", inputs), ("hidden", hidden):
            if n != int(n) or n < 1:
                raise ValueError(f"{name} must be a positive integer, got {n}")
        self.inputs, self.hidden = I, H = int(inputs), int(hidden)
        self.shapes = {"W": (I, 3 * H), "U": (H, 3 * H), "b": (3 * H,), "c": (3 * H,)}
        self.size = sum(math.prod(shape) for shape in self.shapes.values())

    def __repr__(self):
        return f"GRU({self.inputs}, {self.hidden})"

    def init(self, rng):
        """Random theta (P,): W, U ~ N(0, 1 / in), where `in` is I for W and H for U; b = c = 0."""
        I, H = self.inputs, self.hidden
        W, U = rng.normal(0, I**-0.5, (I, 3 * H)), rng.normal(0, H**-0.5, (H, 3 * H))
        return np.concatenate([W.reshape(-1), U.reshape(-1), np.zeros(6 * H)])

    def unravel(self, theta):
        """{"W": (I, 3 H), "U": (H, 3 H), "b": (3 H,), "c": (3 H,)}, as views of theta (P,)."""
        if getattr(theta, "shape", None) != (self.size,):
            got = getattr(theta, "shape", theta)
            raise ValueError(f"theta must have shape ({self.size},) for {self}, got {got}; init(rng) makes one")
        parts, start = {}, 0
        for name, shape in self.shapes.items():
            stop = start + math.prod(shape)
            parts[name], start = theta[start:stop].reshape(shape), stop
        return parts

    def __call__(self, x, h, theta):
        """h_next (..., H), in plain NumPy: what the tape can follow."""
        self._check(x, h)
        W, U, b, c = self.unravel(theta).values()
        return cell(x @ W + b, h @ U + c, h)[0]

    def vjp(self, x, h, theta):
        """h_next (..., H), and pullback(a) -> a_x (..., I), a_h (..., H), a_theta (P,), summed over the batch."""
        self._check(x, h)
        W, U, b, c = self.unravel(theta).values()
        h_next, cell_pullback = cell(x @ W + b, h @ U + c, h)

        def pullback(a):
            a_p, a_q, a_h = cell_pullback(a)
            a_theta = self._a_theta(x, a_p, h, a_q)
            return a_p @ W.T, a_h + a_q @ U.T, a_theta

        return h_next, pullback

    def scan_vjp(self, xs, h, theta, mask=None):
        """The states of a whole sequence,  hs[i] = gru(xs[i], hs[i-1], theta)  with hs[-1] = h,  and their pullback.

        xs     (T, N, I), the inputs in the order in which they are read
        h      (N, H), the state before the first
        theta  (P,)
        mask   (T, N), 1 where there is an input, 0 where there is none: there the state stays. None: all are there

        Returns hs (T, N, H), and pullback(a_hs) -> a_xs (T, N, I), a_h (N, H), a_theta (P,). The products with W, and
        those for a_theta, are one for all times.
        """
        self._check(xs[0], h)
        W, U, b, c = self.unravel(theta).values()
        ps, before, hs, pullbacks = xs @ W + b, [], [], []  # ps (T, N, 3 H)
        for i, p in enumerate(ps):
            before.append(h)
            h_next, pullback_i = cell(p, h.dot(U) + c, h)
            h = h_next if mask is None else np.where(mask[i][:, np.newaxis], h_next, h)
            hs.append(h)
            pullbacks.append(pullback_i)

        def pullback(a_hs):
            a_h, a_ps, a_qs, U_T = 0 * h, np.empty_like(ps), np.empty_like(ps), U.T.copy()
            for i in reversed(range(len(ps))):
                a_h = a_h + a_hs[i]  # whoever looks at hs[i], beside the steps that come after it
                seen = a_h if mask is None else np.where(mask[i][:, np.newaxis], a_h, 0)
                a_ps[i], a_qs[i], a_before = pullbacks[i](seen)
                a_h = a_before + a_qs[i].dot(U_T) + (0 if mask is None else a_h - seen)
            return a_ps @ W.T, a_h, self._a_theta(xs, a_ps, np.stack(before), a_qs)

        return np.stack(hs), pullback

    def _a_theta(self, x, a_p, h, a_q):
        """a_W, a_U, a_b, a_c end to end: every row used the same W, U, b, c, so the rows of x^T a_p, ... add up."""
        x, a_p, h, a_q = (y.reshape(-1, y.shape[-1]) for y in (x, a_p, h, a_q))
        a_W, a_U = x.T.dot(a_p), h.T.dot(a_q)  # (I, 3 H), (H, 3 H)
        return np.concatenate([a_W.reshape(-1), a_U.reshape(-1), a_p.sum(0), a_q.sum(0)])

    def _check(self, x, h):
        for name, y, width in ("x", x, self.inputs), ("h", h, self.hidden):
            if np.shape(y)[-1:] != (width,):
                raise ValueError(f"{name} must have {width} as its last axis for {self}, got shape {np.shape(y)}")
        if np.shape(x)[:-1] != np.shape(h)[:-1]:
            raise ValueError(f"x and h must have the same leading axes, got {np.shape(x)} and {np.shape(h)}")
