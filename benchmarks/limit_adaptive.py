"""The hand-inlined limit of an adaptive solve: DOPRI5 with the controller of AdaptiveSteps, for dz/dt = z A + MLP(z).

The same three tricks as in `limit.py`. The numbers of steps are those of odelearn, or the numbers would not agree.
"""

import math

import numpy as np

from odelearn import DOPRI5

from .limit import Weights, add, dot, flat, flat_rows, mean_square, multiply, subtract, tanh

MOST = 1000  # steps for which there are buffers


class Pace:
    """The step lengths of odelearn.AdaptiveSteps, nothing more: the numbers of steps must agree."""

    def __init__(self, h):
        self.h, self.landing, self.just_rejected = h, False, False

    def propose(self, t, t_end):
        self.landing = self.h >= abs(t_end - t) * (1 - 1e-12)
        t_next = t_end if self.landing else t + math.copysign(self.h, t_end - t)
        return t_next - t, t_next

    def accept(self, error, length):
        factor = 10.0 if error == 0 else 0.9 * error**-0.2
        if error > 1:
            self.h, self.just_rejected = length * max(0.2, factor), True
            return False
        wish = length * min(1.0 if self.just_rejected else 10.0, factor)
        self.h, self.just_rejected = max(wish, self.h) if self.landing else wish, False
        return True


def first_length(slope, s, k, span, rtol, atol):
    """odelearn.solvers.step_size.initial_step, where slope(s) is the slope at s and columns of ones are left out."""
    real = s[..., :2]
    scale = atol + rtol * np.abs(real)
    rms = lambda x: math.sqrt(np.vdot(x, x) / x.size)
    d0, d1 = rms(real / scale), rms(k[..., :2] / scale)
    h0 = min(1e-6 if d0 < 1e-5 or d1 < 1e-5 else 0.01 * d0 / d1, abs(span))
    d2 = rms((slope(s + math.copysign(h0, span) * k) - k)[..., :2] / scale) / h0
    return min(100 * h0, (0.01 / max(d1, d2)) ** 0.2, abs(span))


A_DOPRI5 = np.ones((7, 7))
A_DOPRI5[:, 1:] = DOPRI5.A[:, :6]  # row i - 1: what [z, k_1, ..., k_6] weigh in Z_i, but for h; Z_7 = z_next
B_ERR = DOPRI5.b_err


def rotation(A):
    R = np.zeros((3, 3))
    R[:2, :2] = A
    return R


class DOPRI5Stages:
    """S[n] = [z, k_1, ..., k_7]; Z and Y of 6 stages a step, the 7th being the first of the next step. Without keep
    there are arrays for two steps, used in turns."""

    def __init__(self, H, N, keep):
        steps = MOST if keep else 2
        self.S = np.zeros((steps + 1, 8, N, 3))
        self.Z, self.Y = np.zeros((6 * steps + 1, N, 3)), np.empty((6 * steps + 1, N, H + 1))
        self.W = np.ones((7, 7))
        self.calls = [[self.call(n, i) for i in range(1, 7)] for n in range(steps)]

    def call(self, n, i):
        """What stage i + 1 of step n needs: weights, what they weigh, Z twice, Y, k."""
        Z = self.Z[6 * n + i]
        return self.W[i, : i + 1], flat_rows(self.S[n, : i + 1]), flat(Z), Z, self.Y[6 * n + i], self.S[n, i + 1]


def dopri5_forward(H, N, A, ts, rtol, atol, stages=None, w=None, record=None):
    """run(z0, theta) -> zs (T, N, 2). record, a list, receives (i, h) of every accepted step."""
    keep = stages is not None
    stages, w = stages or DOPRI5Stages(H, N, keep=False), w or Weights(H, 1)
    S, Z, Y, W, R, W0, W1 = stages.S, stages.Z, stages.Y, stages.W, rotation(A), w.W0, w.W1
    ts = [float(t) for t in ts]
    zs, errs = np.empty((len(ts), N, 2)), np.empty(7)
    size_now, size_next, scale, e, k_R = np.empty((5, N, 3))
    slopes, e_flat = [flat_rows(S[n, 1:]) for n in range(len(S))], flat(e)

    def slope(z):
        return dot(tanh(dot(z, W0)), W1) + dot(z, R)

    def run(z0, theta):
        nonlocal size_now, size_next
        w.load(theta)
        zs[0] = S[0, 0, :, :2] = Z[0, :, :2] = z0
        S[0, 0, :, 2] = Z[0, :, 2] = 1
        dot(Z[0], W0, Y[0])
        tanh(Y[0], Y[0])
        S[0, 1] = dot(Y[0], W1) + dot(Z[0], R)
        pace = Pace(first_length(slope, S[0, 0], S[0, 1], ts[-1] - ts[0], rtol, atol))
        np.abs(S[0, 0], size_now)
        n, t = 0, ts[0]
        for i in range(1, len(ts)):
            t_end = ts[i]
            while t != t_end:
                h, t_next = pace.propose(t, t_end)
                multiply(A_DOPRI5, h, W)
                W[:, 0] = 1
                calls = stages.calls[n]
                for row, known, z_flat, z, y, k in calls:
                    dot(row, known, z_flat)
                    dot(z, W0, y)
                    tanh(y, y)
                    dot(y, W1, k)
                    dot(z, R, k_R)
                    add(k, k_R, k)
                multiply(B_ERR, h, errs)
                dot(errs, slopes[n], e_flat)
                np.abs(z, size_next)
                np.maximum(size_now, size_next, out=scale)
                multiply(scale, rtol, scale)
                add(scale, atol, scale)
                np.divide(e, scale, e)
                if pace.accept(math.sqrt(e_flat.dot(e_flat) / (2 * N)), abs(h)):
                    n_next = n + 1 if keep else 1 - n
                    S[n_next, 0], S[n_next, 1] = z, k
                    size_now, size_next = size_next, size_now
                    if record is not None:
                        record.append((i - 1, h))
                    n, t = n_next, t_next
            zs[i] = z[:, :2]
        return zs.copy()

    return run


def dopri5_discrete(H, N, A, ts, rtol, atol):
    """run(z0, theta, target) -> loss, zs, a_z0, a_theta."""
    w, stages, record, size = Weights(H, 1), DOPRI5Stages(H, N, keep=True), [], len(ts) * N * 2
    forward = dopri5_forward(H, N, A, ts, rtol, atol, stages, w, record)
    Z, Y, R_back, W0_back, W1_back = stages.Z, stages.Y, rotation(np.transpose(A)), w.W0_back, w.W1_back
    A_k, A_pre, A_Z = np.empty((6 * MOST, N, 3)), np.empty((6 * MOST, N, H + 1)), np.empty((2, 7, N, 3))
    W, temp, a_R, ones = np.empty((7, 6)), np.empty((N, H + 1)), np.empty((N, 3)), np.ones(7)

    def call(n, j):
        q, here = 6 * n + j, A_Z[n % 2]
        return W[j + 1 :, j], flat_rows(here[j + 1 :]), flat(A_k[q]), A_k[q], A_pre[q], Y[q], here[j]

    steps = [[call(n, j) for j in reversed(range(6))] for n in range(MOST)]

    def run(z0, theta, target):
        record.clear()
        zs = forward(z0, theta)
        loss, a_zs = mean_square(zs, target, size)
        n = len(record)
        A_Z[(n - 1) % 2, 6] = a_zs[-1]
        i_after = len(ts) - 2
        for i, h in reversed(record):
            n -= 1
            if i < i_after:
                A_Z[n % 2, 6] += a_zs[i + 1]
                i_after = i
            multiply(A_DOPRI5[:, 1:], h, W)
            for column, later, a_k_flat, a_k, a_pre, y, a_z in steps[n]:
                dot(column, later, a_k_flat)
                dot(a_k, W1_back, a_pre)
                multiply(a_pre, y, temp)
                multiply(temp, y, temp)
                subtract(a_pre, temp, a_pre)
                dot(a_pre, W0_back, a_z)
                dot(a_k, R_back, a_R)
                add(a_z, a_R, a_z)
            dot(ones, flat_rows(A_Z[n % 2]), flat(A_Z[(n - 1) % 2, 6]))
        Q = 6 * len(record)
        a_z0 = (A_Z[1, 6] + a_zs[0])[:, :2]
        return loss, zs, a_z0, w.gradient(Z[:Q], A_pre[:Q], Y[:Q], A_k[:Q])

    return run


def dopri5_backsolve(H, N, A, ts, rtol, atol):
    """run(z0, theta, target) -> loss, zs, a_z0, a_theta: Algorithm 2 on [z, a], each interval from the stored z."""
    w, size = Weights(H, -1), len(ts) * N * 2
    forward = dopri5_forward(H, N, A, ts, rtol, atol)
    R, R_back, W0, W1, W0_back, W1_back = rotation(A), -rotation(np.transpose(A)), w.W0, w.W1, w.W0_back, w.W1_back
    S, P = np.zeros((8, 2, N, 3)), np.zeros((MOST, 7, 2, N, 3))  # [s, k_1, ..., k_7] of one step; the points of all
    Y, A_pre, weights = np.zeros((MOST, 7, N, H + 1)), np.zeros((MOST, 7, N, H + 1)), np.zeros((MOST, 7))
    W, errs, k_R, temp = np.ones((7, 7)), np.empty(7), np.empty((N, 3)), np.empty((N, H + 1))
    size_now, size_next, scale, e = np.empty((4, 2, N, 3))
    known, slopes, e_flat = [flat_rows(S[: i + 1]) for i in range(7)], flat_rows(S[1:]), flat(e)
    calls = [
        [(W[i, : i + 1], known[i], flat(P[n, i]), *P[n, i], Y[n, i], A_pre[n, i], *S[i + 1]) for i in range(7)]
        for n in range(MOST)
    ]
    times = [float(t) for t in ts[::-1]]

    def stage(row, known, s_flat, z, a, y, a_pre, k, a_k):
        dot(row, known, s_flat)
        dot(z, W0, y)
        tanh(y, y)
        dot(y, W1, k)
        dot(z, R, k_R)
        add(k, k_R, k)
        dot(a, W1_back, a_pre)
        multiply(a_pre, y, temp)
        multiply(temp, y, temp)
        subtract(a_pre, temp, a_pre)
        dot(a_pre, W0_back, a_k)
        dot(a, R_back, k_R)
        add(a_k, k_R, a_k)

    def slope(s):
        z, a = s
        y = tanh(dot(z, W0))
        return np.stack([dot(y, W1) + dot(z, R), dot(dot(a, W1_back) * (1 - y * y), W0_back) + dot(a, R_back)])

    def run(z0, theta, target):
        zs = forward(z0, theta)
        loss, a_zs = mean_square(zs, target, size)
        w.load(theta)
        weights[...] = 0
        S[0, 0, :, :2], S[0, 0, :, 2], S[0, 1] = zs[-1], 1, a_zs[-1]
        stage(*calls[0][0])
        pace = Pace(first_length(slope, S[0], S[1], times[-1] - times[0], rtol, atol))
        n, t, first = 0, times[0], weights[0, :1]
        for i in range(len(ts) - 2, -1, -1):
            t_end = times[len(ts) - 1 - i]
            if n > 0:
                stage(*calls[n][0])
                first = weights[n, :1]
            np.abs(S[0], size_now)
            while t != t_end:
                h, t_next = pace.propose(t, t_end)
                multiply(A_DOPRI5, h, W)
                W[:, 0] = 1
                for call in calls[n][1:]:
                    stage(*call)
                multiply(B_ERR, h, errs)
                dot(errs, slopes, e_flat)
                s = P[n, 6]
                np.abs(s, size_next)
                np.maximum(size_now, size_next, out=scale)
                multiply(scale, rtol, scale)
                add(scale, atol, scale)
                np.divide(e, scale, e)
                if pace.accept(math.sqrt(e_flat.dot(e_flat) / (4 * N)), abs(h)):
                    first -= h * DOPRI5.b[0]  # (51); k_1 may be the last slope of the step before
                    weights[n, 1:6] = -h * DOPRI5.b[1:6]
                    first = weights[n, 6:]
                    S[0], S[1] = s, S[7]
                    np.abs(s, size_now)
                    n, t = n + 1, t_next
            S[0, 0, :, :2] = zs[i]
            S[0, 1] += a_zs[i]
        used = weights[:n, :, np.newaxis, np.newaxis]
        return loss, zs, S[0, 1, :, :2].copy(), w.gradient(P[:n, :, 0] * used, A_pre[:n], Y[:n], P[:n, :, 1] * used)

    return run
