"""One explicit Runge-Kutta step, its interpolant, its pullback.

With the points  Z_1 = z, Z_2, ..., Z_m  and the slopes  k_i = f(Z_i, t + c_i h, theta)  a step is

    Z_i    = z + h sum_{j<i} A_ij k_j         i = 2 ... m
    z_next = z + h sum_j     b_j  k_j

so z_next is just one more combination of z and the slopes, the last row of one triangular array of weights.
Each row is applied as one product  [1, h A_i1, h A_i2, ...] @ [z, k_1, k_2, ...].
Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I, section II.1, eq. (1.8).
"""

import numpy as np


class Scheme:
    """A tableau made ready for the steps of one solve: the weights of z and k_1 ... k_m in Z_1 ... Z_m and z_next.

    field(Z, t, k) writes the slope f(Z, t, theta) into k and returns what is to be kept of the stage: it is `value` or
    `vjp` of f.bind(theta, z0). Z is lent: the next stage stands in the same array. z0: a state of the solve.

    A first-same-as-last tableau has m = s - 1 slopes in the step itself: its last stage is f(z_next), and serves the
    error estimate and the next step. Any other tableau has m = s. estimate=False leaves out stages that z_next does
    not need. evals counts the evaluations of the field.
    """

    def __init__(self, tableau, field, z0, estimate=True):
        s, dtype = tableau.stages, z0.dtype
        self.Z_flat = np.empty(z0.size, dtype)
        self.Z = self.Z_flat.reshape(z0.shape)
        self.tableau, self.field, self.evals = tableau, field, 0
        self.m = s - 1 if tableau.fsal else s
        self.nodes = tableau.c[: s if estimate else self.m].tolist()
        self.real = np.dtype(dtype).type(0).real.dtype
        self.per_h = np.zeros((self.m + 1, self.m), self.real)  # column j weighs k_{j+1}
        self.per_h[: s if tableau.fsal else -1] = tableau.A[:, : self.m]
        if not tableau.fsal:
            self.per_h[-1] = tableau.b
        W = np.ones((self.m + 1, self.m + 1), self.real)  # column 0 weighs z
        self.h, self.of_k = None, W[:, 1:]
        self.rows = [W[i, : i + 1] for i in range(self.m + 1)]
        self.columns = [W[j:, j] for j in range(self.m + 1)]

    def __reduce__(self):
        """A copy has no field, which is a function of one solve."""
        return Scheme, (self.tableau, None, self.Z, len(self.nodes) == self.tableau.stages)

    @property
    def error_order(self):
        """p where the error estimate is O(h^(p+1)): the embedded order; for Hairer's combined estimate, order - 1."""
        tableau = self.tableau
        return tableau.embedded_order if tableau.b_err3 is None else tableau.order - 1

    def scale_to(self, h):
        """Set rows and columns to the weights of a step of length h, until another h is set.

        rows[i] makes Z_{i+1} (the last row: z_next) of [z, k_1 ... k_i]. columns[0] is what z adds to Z_1 ... z_next,
        columns[j] what k_j adds to Z_{j+1} ... z_next. Both are views of one array.
        """
        if h != self.h:
            self.h = h
            np.multiply(self.per_h, h, self.of_k)


class Step:
    """One accepted step from (t, z) to (t_next, z_next), with h = t_next - t signed.

    k (s, *shape)    the slopes
    kept             what the field returned at each stage: its pullback, or None
    error (*shape)   the embedded estimate h sum_i b_err_i k_i, or None
    step(t)          z(t) inside the step, by the tableau's interpolant
    extra            (slopes, kept) of all stages, those of the interpolant included, once it was used; or None
    """

    __slots__ = ("scheme", "t", "h", "t_next", "z", "z_next", "k", "kept", "extra")

    def __init__(self, scheme, t, h, t_next):
        self.scheme, self.t, self.h, self.t_next = scheme, t, h, t_next
        self.extra = None

    @property
    def error(self):
        b_err = self.scheme.tableau.b_err
        return None if b_err is None else self.combine(b_err, self.k)

    def combine(self, weights, k):
        """h sum_i weights_i k_i, of the shape of z."""
        weights = (self.h * weights).astype(self.scheme.real, copy=False)
        return weights.dot(k.reshape(len(k), -1)).reshape(self.z.shape)

    def __call__(self, t):
        """z(t + x h) = z + h sum_i b_i(x) k_i  with the tableau's polynomials b_i.

        t (...) in [t, t_next]; returns (..., *shape).
        """
        weights = (self.h * self.scheme.tableau.dense.weights((t - self.t) / self.h)).astype(self.scheme.real)
        k, _ = self.dense_stages()
        return self.z + weights.dot(k.reshape(len(k), -1)).reshape((*weights.shape[:-1], *self.z.shape))

    def until(self, t):
        """The step from the same start that ends at t instead. Its first slope is known."""
        return rk_step(self.scheme, self.z, self.t, t - self.t, t, (self.k[0], self.kept[0]))

    @property
    def held(self):
        """What a step holds on to, to be counted: its arrays, and what its stages kept."""
        return [self.z, self.k, *self.kept[: self.scheme.m]]

    def dense_stages(self):
        """(slopes, kept) of the stages that the interpolant weighs: those of the step, and extra ones.

        The extra ones are evaluated when they are first asked for.
        """
        dense, s = self.scheme.tableau.dense, len(self.k)
        if not len(dense.c):
            return self.k, self.kept
        if self.extra is None:
            k, kept = np.empty((s + len(dense.c), *self.z.shape), self.z.dtype), list(self.kept)
            k[:s] = self.k
            for i, (A_i, c_i) in enumerate(zip(dense.A, dense.c, strict=True), start=s):
                t_i = self.t_next if c_i == 1 else self.t + float(c_i) * self.h
                kept.append(self.scheme.field(self.z + self.combine(A_i[:i], k[:i]), t_i, k[i, ...]))
            self.scheme.evals += len(dense.c)
            self.extra = k, kept
        return self.extra


def rk_step(scheme, z, t, h, t_next, first_slope=None):
    """The step of length h = t_next - t from (t, z).

    first_slope: (slope, kept) at (t, z), if it is known already.
    """
    scheme.scale_to(h)
    rows, nodes, field, shape, m, s = scheme.rows, scheme.nodes, scheme.field, z.shape, scheme.m, len(scheme.nodes)
    stages = np.empty((s + 1, z.size), z.dtype)  # z, k_1, ..., k_s: one contiguous array
    stages[0] = z.ravel()
    k, kept = stages[1:].reshape(s, *shape), [None] * s
    if first_slope is None:
        kept[0] = field(z, t, k[0, ...])
    else:
        k[0], kept[0] = first_slope
    Z, Z_flat = scheme.Z, scheme.Z_flat
    for i in range(1, m):
        rows[i].dot(stages[: i + 1], Z_flat)
        kept[i] = field(Z, t_next if nodes[i] == 1 else t + nodes[i] * h, k[i, ...])
    z_next = rows[m].dot(stages[: m + 1]).reshape(shape)
    if m < s:
        kept[m] = field(z_next, t_next, k[m, ...])  # first same as last
    scheme.evals += s - (first_slope is not None)
    step = Step(scheme, t, h, t_next)
    step.z, step.z_next, step.k, step.kept = z, z_next, k, kept
    return step


class PointCotangents:
    """Room for a_Z_1 ... a_Z_m and a_next, the cotangents of the points of a step: made once, for many steps."""

    def __init__(self, scheme):
        m, Z = scheme.m, scheme.Z
        self.a_Z = np.empty((m + 1, *Z.shape), Z.dtype)
        self.rows = self.a_Z.reshape(m + 1, -1)
        self.later = [self.rows[j + 1 :] for j in range(m)]  # those of the points after stage j


def rk_step_pullback(step, a_next, room=None, a_k_read=None):
    """From a_next = dL/dz_next to (a_z, a_t, a_h, terms): the chain rule through the step, last stage first.

        a_k_j = h b_j a_next + h sum_{i>j} A_ij a_Z_i               only later points used k_j
        a_Z_j, a_tau_j, a_theta_j = pullback_j(a_k_j)               tau_j = t + c_j h
        a_z   = a_next + sum_j a_Z_j
        a_t   = sum_j a_tau_j
        a_h   = sum_j k_j . a_k_j / h + c_j a_tau_j                 each k_j enters multiplied by h

    terms: what `sum_theta` of the bound field makes a_theta = sum_j a_theta_j of. The field of the step must be `vjp`.
    room: PointCotangents to be used again for every step of a sweep.
    a_k_read (m, z.size): what is to be added to a_k because the interpolant was read (dense_output.py), or None.
    """
    scheme, kept, shape = step.scheme, step.kept, step.z.shape
    scheme.scale_to(step.h)
    room = room or PointCotangents(scheme)
    m, nodes, columns, a_Z, later = scheme.m, scheme.nodes, scheme.columns, room.a_Z, room.later
    a_k_rows = np.empty((m, a_next.size), a_next.dtype)  # of its own: terms may keep it
    a_k = a_k_rows.reshape(m, *shape)
    a_Z[m] = a_next
    a_t = a_h = 0.0
    terms = [None] * m
    for j in range(m - 1, -1, -1):
        columns[j + 1].dot(later[j], a_k_rows[j])
        if a_k_read is not None:
            a_k_rows[j] += a_k_read[j]
        a_Z[j], a_tau_j, terms[j] = kept[j](a_k[j, ...])
        a_t += a_tau_j
        a_h += nodes[j] * a_tau_j
    a_h += a_k_rows.ravel().dot(step.k[:m].ravel()) / step.h
    return columns[0].dot(room.rows).reshape(shape), a_t, a_h, terms
