"""The hand-inlined limit: the same numbers from NumPy with nothing in between.

Each function prepares its buffers and views for one shape, which is not timed, and returns `run`, where little is left
but NumPy calls that write where they should. Three tricks make these calls few:

    rows [z, 1]     the state carries a column of ones, and its slopes one of zeros: b0 rides in the first product
    tanh(40) = 1    the hidden layer gets a column of ones from tanh itself: b1 rides in the second
    one product     each Runge-Kutta combination is one, and so is all of a_theta, at the end

It solves one network by one method and checks nothing. Readable code is measured against it, not modelled on it.
"""

import numpy as np

from odelearn import RK4

dot, multiply, subtract, add, tanh = np.dot, np.multiply, np.subtract, np.add, np.tanh


class Weights:
    """theta of an MLP (2, H, 2) laid out for rows [z, 1].

    back multiplies a_z: the power of z, negative where the pullback is to give -a df/dz.
    """

    def __init__(self, H, back):
        self.H, self.back = H, back
        self.W0, self.W1 = np.zeros((3, H + 1)), np.zeros((H + 1, 3))
        self.W0[2, H] = 40
        self.W0_back, self.W1_back = np.zeros((H + 1, 3)), np.zeros((3, H + 1))

    def load(self, theta):
        H = self.H
        self.W0[:, :H] = theta[: 3 * H].reshape(3, H)
        self.W1[:, :2] = theta[3 * H :].reshape(H + 1, 2)
        multiply(self.back, self.W0[:2].T, self.W0_back[:, :2])  # nobody wants the cotangent of the ones
        self.W1_back[...] = self.W1.T

    def gradient(self, X, A_pre, Y, A_k):
        """a_theta from the rows of all stages: X (..., 3), A_pre (..., H + 1), Y (..., H + 1), A_k (..., 3)."""
        H, out = self.H, np.empty(5 * self.H + 2)
        out[: 3 * H].reshape(3, H)[...] = dot(X.reshape(-1, 3).T, A_pre.reshape(-1, H + 1))[:, :H]
        out[3 * H :].reshape(H + 1, 2)[...] = dot(Y.reshape(-1, H + 1).T, A_k.reshape(-1, 3))[:, :2]
        return out


def flat(x):
    return x.reshape(-1)


def flat_rows(x):
    return x.reshape(len(x), -1)


def mean_square(zs, target, size):
    """(sum (zs - target)^2 / size, its gradient in rows [a, 0])."""
    r, a_zs = zs - target, np.zeros((*zs.shape[:-1], 3))
    multiply(r, 2 / size, a_zs[..., :2])
    return flat(r).dot(flat(r)) / size, a_zs


# --- RK4 with n steps in each interval: W1, W2, W4 --------------------------------------------------------------------


def rk4_weights(h):
    """Row i: what [z, k_1, ...] weigh in Z_2, Z_3, Z_4, z_next. Column j: what k_j adds to Z_{j+1}, ..., z_next."""
    W = np.ones((5, 5))
    W[:, 1:] = h * np.vstack([RK4.A, RK4.b])
    return [W[i + 1, : i + 2].copy() for i in range(4)], [W[j + 1 :, j + 1].copy() for j in range(4)]


class RK4Stages:
    """S[m] = [z, k_1, ..., k_4] of every step; Z, X = Z^power and Y of every stage, or, without keep, shared by all."""

    def __init__(self, H, N, ts, n, power, keep):
        self.hs = [(t1 - t0) / n for t0, t1 in zip(ts[:-1], ts[1:], strict=True) for _ in range(n)]
        M, Q = len(self.hs), 4 * len(self.hs) if keep else 1
        self.S = np.zeros((M + 1, 5, N, 3))
        self.Z, self.Z2, self.X = np.empty((3, Q, N, 3))
        if power == 1:
            self.X = self.Z
        self.Y = np.empty((Q, N, H + 1))
        self.calls = []  # (Z, Z^2, X, Y, k_i, weights, what they weigh, next Z)
        for m, h in enumerate(self.hs):
            for i, row in enumerate(rk4_weights(h)[0]):
                q, q_next = (4 * m + i, 4 * m + i + 1) if keep else (0, 0)
                z = self.S[m, 0] if i == 0 else self.Z[q]
                z_next = self.S[m + 1, 0] if i == 3 else self.Z[q_next]
                x = z if power == 1 else self.X[q]
                known = flat_rows(self.S[m, : i + 2])
                self.calls.append((z, self.Z2[q], x, self.Y[q], self.S[m, i + 1], row, known, flat(z_next)))


def rk4_forward(H, N, ts, n, power, stages=None, w=None):
    """run(z0, theta) -> zs (T, N, 2)."""
    stages, w = stages or RK4Stages(H, N, ts, n, power, keep=False), w or Weights(H, power)
    S, calls, W0, W1, cube = stages.S, stages.calls, w.W0, w.W1, power == 3
    S[0, 0, :, 2] = 1

    def run(z0, theta):
        w.load(theta)
        S[0, 0, :, :2] = z0
        for z, z2, x, y, k, row, known, z_next in calls:
            if cube:
                multiply(z, z, z2)
                multiply(z2, z, x)
            dot(x, W0, y)
            tanh(y, y)
            dot(y, W1, k)
            dot(row, known, z_next)
        return S[::n, 0, :, :2].copy()

    return run


def rk4_discrete(H, N, ts, n, power, size=None):
    """run(z0, theta, target) -> loss, zs, a_z0, a_theta: back through the stages that the forward run has kept."""
    w, stages, size = Weights(H, power), RK4Stages(H, N, ts, n, power, keep=True), size or len(ts) * N * 2
    forward = rk4_forward(H, N, ts, n, power, stages, w)
    S, X, Y, cube, W0_back, W1_back = stages.S, stages.X, stages.Y, power == 3, w.W0_back, w.W1_back
    M, ones, temp = len(stages.hs), np.ones(5), np.empty((N, H + 1))
    A_k, A_pre, A_Z = np.empty((4 * M, N, 3)), np.empty((4 * M, N, H + 1)), np.empty((2, 5, N, 3))
    steps = []
    for m in reversed(range(M)):
        here, columns, calls = A_Z[m % 2], rk4_weights(stages.hs[m])[1], []
        for j in reversed(range(4)):
            q, later = 4 * m + j, flat_rows(here[j + 1 :])
            calls.append((columns[j], later, flat(A_k[q]), A_k[q], A_pre[q], Y[q], here[j], stages.Z2[q]))
        a = A_Z[(m - 1) % 2, 4]
        steps.append((calls, flat_rows(here), flat(a), a, m // n if m % n == 0 else None))

    def run(z0, theta, target):
        zs = forward(z0, theta)
        loss, a_zs = mean_square(zs, target, size)
        A_Z[(M - 1) % 2, 4] = a_zs[-1]
        for calls, rows, a_flat, a, i in steps:
            for column, later, a_k_flat, a_k, a_pre, y, a_z, z2 in calls:
                dot(column, later, a_k_flat)
                dot(a_k, W1_back, a_pre)
                multiply(a_pre, y, temp)
                multiply(temp, y, temp)
                subtract(a_pre, temp, a_pre)
                dot(a_pre, W0_back, a_z)
                if cube:
                    multiply(a_z, z2, a_z)
            dot(ones, rows, a_flat)
            if i is not None:
                add(a, a_zs[i], a)
        if not cube:
            X[::4] = S[:-1, 0]  # the first stage of a step stands at z itself
        return loss, zs, a[:, :2].copy(), w.gradient(X, A_pre, Y, A_k)

    return run


def rk4_backsolve(H, N, ts, n, power):
    """run(z0, theta, target) -> loss, zs, a_z0, a_theta: Algorithm 2 on [z, a], each interval from the stored z."""
    w, cube, size, forward = Weights(H, -power), power == 3, len(ts) * N * 2, rk4_forward(H, N, ts, n, power)
    W0, W1, W0_back, W1_back = w.W0, w.W1, w.W0_back, w.W1_back
    hs = [(t1 - t0) / n for t0, t1 in zip(ts[:0:-1], ts[-2::-1], strict=True) for _ in range(n)]
    M, Q = len(hs), 4 * len(hs)
    S, P, X = np.zeros((M + 1, 5, 2, N, 3)), np.empty((Q + 1, 2, N, 3)), np.empty((Q, N, 3))
    Z2, A_pre, Y, temp = np.empty((N, 3)), np.empty((Q, N, H + 1)), np.empty((Q, N, H + 1)), np.empty((N, H + 1))
    steps = []
    for m, h in enumerate(hs):
        calls = []
        for i, row in enumerate(rk4_weights(h)[0]):
            q, (k, a_k) = 4 * m + i, S[m, i + 1]
            z, a = S[m, 0] if i == 0 else P[q]
            there = S[m + 1, 0] if i == 3 else P[q + 1]
            x = z if power == 1 else X[q]
            calls.append((z, a, x, Y[q], A_pre[q], k, a_k, row, flat_rows(S[m, : i + 2]), flat(there)))
        steps.append((calls, S[m + 1, 0], len(ts) - 2 - m // n if m % n == n - 1 else None))
    weights = np.outer(-np.array(hs), RK4.b).reshape(Q, 1, 1)  # (51)

    def run(z0, theta, target):
        zs = forward(z0, theta)
        loss, a_zs = mean_square(zs, target, size)
        w.load(theta)
        S[0, 0, 0, :, :2], S[0, 0, 0, :, 2], S[0, 0, 1] = zs[-1], 1, a_zs[-1]
        for calls, (z_back, a_back), i in steps:
            for z, a, x, y, a_pre, k, a_k, row, known, there in calls:
                if cube:
                    multiply(z, z, Z2)
                    multiply(Z2, z, x)
                dot(x, W0, y)
                tanh(y, y)
                dot(y, W1, k)
                dot(a, W1_back, a_pre)
                multiply(a_pre, y, temp)
                multiply(temp, y, temp)
                subtract(a_pre, temp, a_pre)
                dot(a_pre, W0_back, a_k)
                if cube:
                    multiply(a_k, Z2, a_k)
                dot(row, known, there)
            if i is not None:
                z_back[:, :2] = zs[i]
                add(a_back, a_zs[i], a_back)
        P[:Q:4] = S[:M, 0]
        A = P[:Q, 1] * weights
        return loss, zs, a_back[:, :2].copy(), w.gradient((X if cube else P[:Q, 0]) * weights, A_pre, Y, A)

    return run


def in_blocks(rows, H, N, ts, n):
    """rk4_discrete for a large batch, a block of rows at a time, so that the stages of a block stay in the cache."""
    run_block = rk4_discrete(H, rows, ts, n, power=1, size=len(ts) * N * 2)

    def run(z0, theta, target):
        blocks = [run_block(z0[r : r + rows], theta, target[:, r : r + rows]) for r in range(0, N, rows)]
        losses, zs, a_z0, a_theta = zip(*blocks, strict=True)
        return sum(losses), np.concatenate(zs, axis=1), np.concatenate(a_z0), sum(a_theta)

    return run


# --- The products and tanh alone --------------------------------------------------------------------------------------


def products_and_tanh(H, N, evals, pullbacks):
    """run(): the matrix products and tanh that so many evaluations and pullbacks of f cannot do without."""
    together = max(1, min(pullbacks, 10_000 // (N * H)))  # stages whose a_theta is one product
    X, Y, A = np.ones((N, 3)), np.zeros((N, H + 1)), np.zeros((together * N, H + 1))
    W0, W1, k, rows = np.zeros((3, H + 1)), np.zeros((H + 1, 3)), np.zeros((N, 3)), np.ones((3, together * N))
    W0_back, W1_back, out = np.zeros((H + 1, 3)), np.zeros((3, H + 1)), np.empty((3, H + 1))

    def run():
        for _ in range(evals):
            dot(X, W0, Y)
            tanh(Y, Y)
            dot(Y, W1, k)
        for _ in range(pullbacks):
            dot(k, W1_back, Y)
            dot(Y, W0_back, k)
        for _ in range(0, pullbacks, together):
            dot(rows, A, out)  # a_W0 and a_b0
            dot(rows, A, out)  # a_W1 and a_b1

    return run
