"""The Jacobian of an MLP with respect to z, its trace, and their pullbacks, by hand.

Rows are batch and W is (in, out), so J[n, i, j] = d dz_nj / d z_ni: a row of J for every input. With x = z^p,
pre_l = x_l W_l + b_l and x_{l+1} = sigma(pre_l) the chain rule is a product of matrices, for each n:

    J = diag(p z^(p-1)) W_0 diag(s_0) W_1 diag(s_1) ... W_L,        s_l = sigma'(pre_l)

z enters it in two ways, through p z^(p-1) and through every s_l, whose slope is sigma''. So does the pullback.
"""

import numpy as np

from .activations import SECOND


def jacobian_vjp(f, z, t, theta, v=None):
    """The value of an MLP and its Jacobian df/dz for every row, and the pullback of both.

    f      an MLP; t and theta (P,) as in f(z, t, theta)
    z      (N, D)
    v      None: the whole Jacobian, J (N, D, D_out). Or (N, D): the derivative along v alone, J (N, 1, D_out) with
           J[n, 0, j] = sum_i v[n, i] d dz_nj / d z_ni, at the cost of one input instead of D

    Returns dz (N, D_out), J, and pullback(a, a_J) -> a_z (N, D), a_t, a_theta (P,), where a and a_J are the cotangents
    of dz and of J, of their shapes. v is a constant. Raises ValueError for a z, v or theta that does not fit.
    """
    check_rows(f, z, theta, v)
    layers, D, last = f._layers(theta), f.sizes[0], len(f.sizes) - 2
    x, input_pullback = f._input(z, t)
    M, first_pullback = first_factor(z, f.power, layers[0][0][:D], v)
    xs, pres, pullbacks = [x], [], [first_pullback]
    for (W, b, (sigma, sigma_pullback)), (W_next, _, _) in zip(layers, layers[1:], strict=False):
        pres.append(np.dot(x, W) + b)  # (N, H)
        x = sigma(pres[-1])  # (N, H)
        M, pullback = next_factor(M, sigma_pullback(np.ones_like(x), x, pres[-1]), W_next)  # M = W_0 diag(s_0) ... W_l
        xs.append(x)
        pullbacks.append(pullback)
    dz = np.dot(x, layers[last][0]) + layers[last][1]

    def pullback(a, a_J):
        a_pre, a_M, parts = a, a_J, []
        for l in range(last, 0, -1):
            W, (_, sigma_pullback), y = layers[l][0], layers[l - 1][2], xs[l]
            a_M, a_s, a_W = pullbacks[l](a_M)
            parts += [np.add.reduce(a_pre), (np.dot(y.T, a_pre) + a_W).reshape(-1)]
            a_pre = sigma_pullback(np.dot(a_pre, W.T), y, pres[l - 1])  # of pre_{l-1}, by way of dz,
            a_pre = a_pre + a_s * SECOND[f.activation](y, pres[l - 1])  # and by way of s_{l-1}
        a_z, a_W = first_pullback(a_M)
        a_W0 = np.dot(xs[0].T, a_pre)  # (D, H), or (D + 1, H): J does not see the row of t
        parts += [np.add.reduce(a_pre), np.concatenate([a_W0[:D] + a_W, a_W0[D:]]).reshape(-1)]
        a_x, a_t = input_pullback(np.dot(a_pre, layers[0][0].T))
        return a_z + a_x, a_t, np.concatenate(parts[::-1])

    return dz, np.broadcast_to(M, (len(z), *M.shape[1:])), pullback


def value_and_trace_vjp(f, z, t, theta):
    """dz (N, D) of an MLP, the trace of df/dz (N,), and pullback(a, a_trace) -> a_z, a_t, a_theta."""
    if f.sizes[0] != f.sizes[-1]:
        raise ValueError(f"{f} has no trace: sizes[-1] must be sizes[0]")
    dz, J, pullback = jacobian_vjp(f, z, t, theta)
    I = np.eye(f.sizes[0], dtype=dz.dtype)
    return dz, np.einsum("nii->n", J), lambda a, a_trace: pullback(a, a_trace[:, np.newaxis, np.newaxis] * I)


def first_factor(z, p, W, v):
    """diag(p z^(p-1)) W (N, D, H), or v times it (N, 1, H); W (1, D, H) where p = 1. The pullback: a_M -> a_z, a_W."""
    lower = z ** (p - 2) if p > 1 else 0 * z
    slope = p * z * lower if p > 1 else np.ones_like(z)  # (N, D)
    if v is not None:
        M, pull = (
            np.dot(v * slope, W)[:, np.newaxis],
            lambda a_M: (np.dot(a_M[:, 0], W.T) * v, (v * slope).T @ a_M[:, 0]),
        )
    elif p == 1:
        M, pull = W[np.newaxis], lambda a_M: (0 * z, np.add.reduce(a_M))
    else:
        M = slope[:, :, np.newaxis] * W
        pull = lambda a_M: (np.einsum("nih,ih->ni", a_M, W), np.einsum("nih,ni->ih", a_M, slope))

    def pullback(a_M):
        a_slope, a_W = pull(a_M)
        return a_slope * (p * (p - 1) * lower), a_W

    return M, pullback


def next_factor(M, s, W):
    """M diag(s) W (N, R, H_next) for every row of s (N, H), with M (N, R, H). The pullback: a -> a_M, a_s, a_W.

    M (1, R, H) belongs to all rows: then M diag(s_n) W = sum_h s_nh C_h with C_h = M[:, h] W[h], one product.
    """
    (_, R, H), K = M.shape, W.shape[1]
    if len(M) == 1:
        C = (M[0].T[:, :, np.newaxis] * W[:, np.newaxis, :]).reshape(H, R * K)

        def pullback(a):
            a = a.reshape(len(s), R * K)
            a_C = np.dot(s.T, a).reshape(H, R, K)
            a_M = np.einsum("hrk,hk->rh", a_C, W)[np.newaxis]
            return a_M, np.dot(a, C.T), np.einsum("hrk,rh->hk", a_C, M[0])

        return np.dot(s, C).reshape(len(s), R, K), pullback

    B = (M * s[:, np.newaxis]).reshape(-1, H)  # (N R, H): products of matrices are faster than those of stacks

    def pullback(a):
        a = a.reshape(-1, K)
        a_B = np.dot(a, W.T).reshape(M.shape)
        return a_B * s[:, np.newaxis], np.add.reduce(a_B * M, axis=1), np.dot(B.T, a)

    return np.dot(B, W).reshape(-1, R, K), pullback


def check_rows(f, z, theta, v):
    """Raises ValueError for anything but rows z (N, D), one theta (P,), and v like z."""
    if len(z.shape) != 2 or z.shape[1] != f.sizes[0]:
        raise ValueError(f"z must be (N, {f.sizes[0]}) for {f}, got shape {z.shape}")
    if len(getattr(theta, "shape", ())) == 2:
        raise ValueError(
            f"theta of shape {theta.shape} is an ensemble; take the Jacobian of one member, theta[e], at a time"
        )
    if v is not None and v.shape != z.shape:
        raise ValueError(f"v must have the shape of z, {z.shape}, got {v.shape}")
