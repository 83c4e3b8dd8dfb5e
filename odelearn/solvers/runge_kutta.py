"""One explicit Runge-Kutta step, its interpolant, its pullback.

With the points  Z_1 = z, Z_2, ..., Z_m  and the slopes  k_i = f(Z_i, t + c_i h, theta)  a step is

    Z_i    = z + h sum_{j<i} A_ij k_j         i = 2 ... m
    z_next = z + h sum_j     b_j  k_j

so z_next is just one more combination of z and the slopes, the last row of one triangular array of weights.
Each row is applied as one product  [1, h A_i1, h A_i2, ...] @ [z, k_1, k_2, ...].
Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I, section II.1, eq. (1.8).
"""

from copy import copy

import numpy as np


class Scheme:
    """A tableau made ready for the steps of one solve: the weights of z and k_1 ... k_m in Z_1 ... Z_m and z_next.

    field(Z, t, k) writes the slope f(Z, t, theta) into k and returns what is to be kept of the stage: it is `value` or
    `vjp` of f.bind(theta, z0). z0: a state of the solve. The arrays of a step are made here once, with their views, and
    used for every step: the next stage stands in the same Z, the next step has the same slopes k.

    A first-same-as-last tableau has m = s - 1 slopes in the step itself: its last stage is f(z_next), and serves the
    error estimate and the next step. Any other tableau has m = s. estimate=False leaves out stages that z_next does
    not need. evals counts the evaluations of the field.
    """

    def __init__(self, tableau, field, z0, estimate=True):
        s, dtype = tableau.stages, z0.dtype
        self.tableau, self.field, self.evals = tableau, field, 0
        self.m = s - 1 if tableau.fsal else s
        self.nodes = tableau.c[: s if estimate else self.m].tolist()
        self.Z_flat = np.empty(z0.size, dtype)
        self.Z = self.Z_flat.reshape(z0.shape)
        self.stages = np.empty((len(self.nodes) + 1, z0.size), dtype)  # z, k_1, ..., k_s: one contiguous array
        self.z, *self.slopes = (row.reshape(z0.shape) for row in self.stages)
        self.k = self.stages[1:].reshape(-1, *z0.shape)
        self.real = np.dtype(dtype).type(0).real.dtype
        self.per_h = np.zeros((self.m + 1, self.m), self.real)  # column j weighs k_{j+1}
        self.per_h[: s if tableau.fsal else -1] = tableau.A[:, : self.m]
        if not tableau.fsal:
            self.per_h[-1] = tableau.b
        W = np.ones((self.m + 1, self.m + 1), self.real)  # column 0 weighs z
        self.h, self.of_k = None, W[:, 1:]
        self.rows = [W[i, : i + 1] for i in range(self.m + 1)]
        self.columns = [W[j:, j] for j in range(self.m + 1)]
        known = [self.stages[: i + 1] for i in range(self.m + 1)]  # what rows[i] weighs
        self.points = list(zip(self.rows, known, self.nodes, self.slopes, strict=False))[1 : self.m]
        self.last = self.rows[self.m], known[self.m]

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

    The slopes of a lent step are those of the scheme, and good until the next step is made; whoever keeps the step
    takes step.own().
    """

    __slots__ = ("scheme", "t", "h", "t_next", "z", "z_next", "k", "kept", "extra")

    def __init__(self, scheme, t, h, t_next, z, z_next, k, kept):
        self.scheme, self.t, self.h, self.t_next = scheme, t, h, t_next
        self.z, self.z_next, self.k, self.kept = z, z_next, k, kept
        self.extra = None

    def own(self):
        """This step with slopes of its own, to be kept: a copy if it is lent, itself if not."""
        if self.k is not self.scheme.k:
            return self
        step = copy(self)
        step.k = self.k.copy()
        return step

    def again(self):
        """This step once more: its slopes may have been lent, and written over since."""
        scheme = Scheme(self.scheme.tableau, self.scheme.field, self.z)
        return rk_step(scheme, self.z, self.t, self.h, self.t_next)

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


def rk_step(scheme, z, t, h, t_next, first_slope=None, lend=False):
    """The step of length h = t_next - t from (t, z).

    first_slope: (slope, kept) at (t, z), if it is known already. lend: the step is good until the next one is made.
    """
    scheme.scale_to(h)
    field, slopes, Z, Z_flat, m = scheme.field, scheme.slopes, scheme.Z, scheme.Z_flat, scheme.m
    scheme.z[...] = z
    if first_slope is None:
        kept = [field(z, t, slopes[0])]
        scheme.evals += len(slopes)
    else:
        slopes[0][...], first_kept = first_slope
        kept = [first_kept]
        scheme.evals += len(slopes) - 1
    for row, known, node, k in scheme.points:
        row.dot(known, Z_flat)
        kept.append(field(Z, t_next if node == 1 else t + node * h, k))
    row, known = scheme.last
    z_next = row.dot(known).reshape(z.shape)
    if m < len(slopes):
        kept.append(field(z_next, t_next, slopes[m]))  # first same as last
    return Step(scheme, t, h, t_next, z, z_next, scheme.k if lend else scheme.k.copy(), kept)


class PointCotangents:
    """Room for a_Z_1 ... a_Z_m and a_next, the cotangents of the points of a step: made once, for many steps."""

    def __init__(self, scheme):
        m, Z = scheme.m, scheme.Z
        self.a_Z = np.empty((m + 1, *Z.shape), Z.dtype)
        self.rows = self.a_Z.reshape(m + 1, -1)
        self.a_next = self.a_Z[m, ...]
        # last stage first: what its k weighs in later points, their cotangents, those of its own point
        self.stages = [(j, scheme.columns[j + 1], self.rows[j + 1 :], self.a_Z[j, ...]) for j in range(m)][::-1]


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
    scheme, kept, m = step.scheme, step.kept, step.scheme.m
    scheme.scale_to(step.h)
    room = room or PointCotangents(scheme)
    a_k = np.empty((m, *step.z.shape), a_next.dtype)  # of its own: terms may keep it
    a_k_rows = a_k.reshape(m, -1)
    room.a_next[...] = a_next
    a_t = a_h = 0.0
    terms = [None] * m
    for j, column, later, a_Z_j in room.stages:
        column.dot(later, a_k_rows[j])
        if a_k_read is not None:
            a_k_rows[j] += a_k_read[j]
        a_Z_j[...], a_tau_j, terms[j] = kept[j](a_k[j, ...])
        a_t += a_tau_j
        a_h += scheme.nodes[j] * a_tau_j
    a_h += a_k.ravel().dot(step.k[:m].ravel()) / step.h
    return scheme.columns[0].dot(room.rows).reshape(step.z.shape), a_t, a_h, terms
