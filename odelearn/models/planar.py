"""Planar flows: the discrete one, (7), and the continuous one, (9) and (10), side by side. Pullbacks are by hand."""

import numpy as np

from ..dynamics import Dynamics
from ..nn.activations import sigmoid, softplus


class PlanarField(Dynamics):
    """The planar continuous flow with M units:  dz/dt = sum_m g_m(t) u_m tanh(w_m^T z + b_m),  (9).

    Its trace is a sum over the units, so log p costs O(M):  d log p/dt = -sum_m g_m(t) tanh'(w_m^T z + b_m) u_m^T w_m,
    (10) with the minus sign of (8), which the paper's (10) lacks. g_m(t) = sigmoid(alpha_m t + beta_m) are gates: each
    unit has its time.

    M, D   units and dimension; z is (N, D)
    gated  False: all g_m = 1, and the field does not depend on t

    theta is W (D, M), b (M,), U (M, D), and then alpha (M,), beta (M,) if gated, end to end.
    Raises ValueError for a theta or z that does not fit. Source: Chen et al. 2018, section 4.

    >>> f = PlanarField(8)
    >>> theta = f.init(np.random.default_rng(0))
    >>> f(np.zeros((5, 2)), 0.0, theta).shape, f.size
    ((5, 2), 56)
    """

    def __init__(self, M, D=2, gated=True):
        self.M, self.D, self.gated = int(M), int(D), gated
        self.size = self.M * (2 * self.D + 1 + 2 * gated)

    def __repr__(self):
        return f"PlanarField({self.M}, D={self.D}, gated={self.gated})"

    def init(self, rng):
        """Random theta (P,): W, b ~ N(0, 1), U ~ N(0, 1 / M), gates that are half open, each with its own slope."""
        M, D = self.M, self.D
        parts = [rng.normal(size=D * M), rng.normal(size=M), rng.normal(0, M**-0.5, M * D)]
        return np.concatenate([*parts, rng.normal(size=M), np.zeros(M)] if self.gated else parts)

    def unravel(self, theta):
        """W (D, M), b (M,), U (M, D), alpha (M,), beta (M,), as views of theta; the last two None if not gated."""
        if getattr(theta, "shape", None) != (self.size,):
            raise ValueError(f"theta must have shape ({self.size},) for {self}, got {getattr(theta, 'shape', theta)}")
        M, D = self.M, self.D
        W, b, U, alpha, beta = np.split(theta, np.cumsum([D * M, M, M * D, M * self.gated]))
        gates = (alpha, beta) if self.gated else (None, None)
        return W.reshape(D, M), b, U.reshape(M, D), *gates

    def __call__(self, z, t, theta):
        return self.vjp(z, t, theta)[0]

    def vjp(self, z, t, theta):
        """As for any Dynamics. t may also be (N, 1), a time for each row; a_t is then (N, 1)."""
        self.check_rows(z)
        W, b, U, alpha, beta = self.unravel(theta)
        y, g = np.tanh(np.dot(z, W) + b), self.gates(t, alpha, beta)  # (N, M); (M,) or (N, M)

        def pullback(a):
            a_gy = np.dot(a, U.T)
            a_pre = a_gy * g * (1 - y * y)
            parts = [np.dot(z.T, a_pre).reshape(-1), np.add.reduce(a_pre), np.dot((g * y).T, a).reshape(-1)]
            a_t = 0.0
            if self.gated:
                a_logit = a_gy * y * (g * (1 - g))  # (N, M)
                parts += [np.add.reduce(a_logit * t), np.add.reduce(a_logit)]
                a_t = np.dot(a_logit, alpha)
                a_t = a_t[:, np.newaxis] if np.ndim(t) else np.add.reduce(a_t)
            return np.dot(a_pre, W.T), a_t, np.concatenate(parts)

        return np.dot(g * y, U), pullback  # (9)

    def gates(self, t, alpha, beta):
        """g_m(t), or 1."""
        t = float(t) if isinstance(t, float) else t  # NumPy's own float64 would turn float32 into float64
        return sigmoid(alpha * t + beta) if self.gated else 1.0

    def check_rows(self, z):
        if len(z.shape) != 2 or z.shape[1] != self.D:
            raise ValueError(f"z must be (N, {self.D}) for {self}, got shape {z.shape}")

    def trace_vjp(self, z, t, theta):
        """tr df/dz (N,), and pullback(a) -> a_z, a_t, a_theta."""
        dz, trace, pullback = self.value_and_trace_vjp(z, t, theta)
        return trace, lambda a: pullback(np.zeros_like(dz), a)

    def value_and_trace_vjp(self, z, t, theta):
        """dz (N, D), tr df/dz (N,), and pullback(a, a_trace) -> a_z, a_t, a_theta."""
        units, pullback = self.units_vjp(z, t, theta)
        dz, slope, gU, W = units
        c = np.sum(W.T * gU, axis=1)  # g_m u_m^T w_m

        def trace_pullback(a, a_trace):
            a_c = np.dot(slope.T, a_trace)[:, np.newaxis]  # (M, 1)
            return pullback(a, a_trace[:, np.newaxis] * c, a_c * W.T, (a_c * gU).T)

        return dz, np.dot(slope, c), trace_pullback  # (10)

    def jacobian_vjp(self, z, t, theta):
        """dz (N, D), J (N, D, D) with J[n, i, j] = d dz_nj / d z_ni, and pullback(a, a_J) -> a_z, a_t, a_theta."""
        units, pullback = self.units_vjp(z, t, theta)
        dz, slope, gU, W = units
        C = (W.T[:, :, np.newaxis] * gU[:, np.newaxis, :]).reshape(self.M, -1)  # J_n = sum_m slope_nm C_m

        def jacobian_pullback(a, a_J):
            a_J = a_J.reshape(len(z), -1)
            a_C = np.dot(slope.T, a_J).reshape(self.M, self.D, self.D)
            a_gU, a_W = np.einsum("mij,im->mj", a_C, W), np.einsum("mij,mj->im", a_C, gU)
            return pullback(a, np.dot(a_J, C.T), a_gU, a_W)

        return dz, np.dot(slope, C).reshape(-1, self.D, self.D), jacobian_pullback

    def units_vjp(self, z, t, theta):
        """(dz, slope, gU, W) with slope = tanh' (N, M) and gU = g_m u_m (M, D), and the pullback of these four:

        pullback(a, a_slope, a_gU, a_W) -> a_z, a_t, a_theta. One t for all rows.
        """
        self.check_rows(z)
        W, b, U, alpha, beta = self.unravel(theta)
        g = self.gates(t, alpha, beta) * np.ones_like(b)  # (M,)
        y = np.tanh(np.dot(z, W) + b)  # (N, M)
        slope, gU = 1 - y * y, g[:, np.newaxis] * U

        def pullback(a, a_slope, a_gU, a_W):
            a_pre = slope * (np.dot(a, gU.T) - 2 * y * a_slope)  # tanh' = slope, tanh'' = -2 tanh slope
            a_gU = a_gU + np.dot(y.T, a)
            a_W, a_U = a_W + np.dot(z.T, a_pre), g[:, np.newaxis] * a_gU
            parts, a_t = [a_W.reshape(-1), np.add.reduce(a_pre), a_U.reshape(-1)], 0.0
            if alpha is not None:
                a_logit = np.sum(a_gU * U, axis=1) * (g * (1 - g))
                parts += [a_logit * t, a_logit]
                a_t = np.dot(a_logit, alpha)
            return np.dot(a_pre, W.T), a_t, np.concatenate(parts)

        return (np.dot(y, gU), slope, gU, W), pullback  # (9)


class PlanarFlow:
    """The planar normalizing flow with K layers, (7):  z_{k+1} = z_k + u tanh(w^T z_k + b), each with its own u, w, b.

    log p falls by  log|1 + u^T w tanh'(w^T z_k + b)|  a layer. A layer can be inverted where u^T w >= -1. That holds
    for every theta because the u of (7) is not the parameter v itself, but

        u = v + (m(w^T v) - w^T v) w / |w|^2,     m(x) = -1 + log(1 + e^x),     so  w^T u = m(w^T v) > -1

    K, D   layers and dimension; z is (N, D)

    theta is w (D,), b, v (D,) of the first layer, then of the next, end to end, K (2 D + 1) numbers.
    Source: Rezende and Mohamed 2015, (10) to (13) and appendix A.1 (arXiv 1505.05770); Chen et al. 2018, (7).

    >>> flow = PlanarFlow(4)
    >>> (x, log_det), pullback = flow.vjp(np.zeros((5, 2)), flow.init(np.random.default_rng(0)))
    >>> x.shape, log_det.shape, flow.size
    ((5, 2), (5,), 20)
    """

    def __init__(self, K, D=2):
        self.K, self.D = int(K), int(D)
        self.size = self.K * (2 * self.D + 1)

    def __repr__(self):
        return f"PlanarFlow({self.K}, D={self.D})"

    def init(self, rng):
        """Random theta (P,), every entry N(0, 0.1^2): at first the flow is nearly the identity."""
        return rng.normal(0, 0.1, self.size)

    def __call__(self, z, theta):
        """z_K (N, D), and sum_k log|det dz_{k+1}/dz_k| (N,)."""
        return self.vjp(z, theta)[0]

    def vjp(self, z, theta):
        """(z_K (N, D), log_det (N,)), and pullback(a, a_log_det) -> a_z (N, D), a_theta (P,).

        With the density p_0 of z, that of z_K is  log p = log p_0(z) - log_det.
        """
        if getattr(theta, "shape", None) != (self.size,):
            raise ValueError(f"theta must have shape ({self.size},) for {self}, got {getattr(theta, 'shape', theta)}")
        log_det, pullbacks = 0.0, []
        for row in theta.reshape(self.K, -1):
            z, term, pullback = planar_layer(z, row)
            log_det = log_det + term
            pullbacks.append(pullback)

        def pullback(a, a_log_det):
            a_rows = []
            for layer_pullback in reversed(pullbacks):
                a, a_row = layer_pullback(a, a_log_det)
                a_rows.append(a_row)
            return a, np.concatenate(a_rows[::-1])

        return (z, log_det), pullback


def planar_layer(z, row):
    """One layer of (7) with row = [w, b, v]: z_next, log|det|, and pullback(a, a_log_det) -> a_z, a_row."""
    D = z.shape[1]
    w, b, v = row[:D], row[D], row[D + 1 :]
    u, u_pullback = invertible(w, v)
    y = np.tanh(np.dot(z, w) + b)  # (N,)
    slope, wu = 1 - y * y, np.dot(w, u)
    det = 1 + wu * slope  # > 0, because w^T u > -1

    def pullback(a, a_log_det):
        a_det = a_log_det / det
        a_pre = slope * (np.dot(a, u) - 2 * y * wu * a_det)  # tanh'' = -2 tanh tanh'
        a_wu = np.dot(a_det, slope)
        a_w_of_u, a_v = u_pullback(np.dot(y, a) + a_wu * w)
        a_w = np.dot(a_pre, z) + a_wu * u + a_w_of_u
        return a + a_pre[:, np.newaxis] * w, np.concatenate([a_w, [np.sum(a_pre)], a_v])

    return z + y[:, np.newaxis] * u, np.log(det), pullback


def invertible(w, v):
    """u = v + (m(w^T v) - w^T v) w / |w|^2 with m(x) = -1 + log(1 + e^x). The pullback: a_u -> a_w, a_v."""
    ww, wv = np.dot(w, w), np.dot(w, v)
    r = (softplus(wv) - 1 - wv) / ww

    def pullback(a_u):
        a_r = np.dot(a_u, w)
        a_wv = a_r * (sigmoid(wv) - 1) / ww
        a_ww = -a_r * r / ww
        return r * a_u + a_wv * v + 2 * a_ww * w, a_u + a_wv * w

    return v + r * w, pullback
