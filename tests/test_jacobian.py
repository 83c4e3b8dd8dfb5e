"""The Jacobian and the trace of a net, by hand: against the tape's nested derivative, and the complex step."""

import numpy as np
import pytest

from odelearn import MLP, complex_step, vjp
from odelearn.autodiff import tape
from odelearn.nn.activations import ACTIVATIONS, SECOND
from odelearn.nn.mlp_jacobian import jacobian_vjp

EPS = np.finfo(float).eps
NETS = [
    MLP([2, 2]),
    MLP([3, 3], time="concat", power=3),
    MLP([2, 9, 2], power=3),
    MLP([2, 9, 2], time="concat"),
    MLP([3, 5, 4, 3], power=2, time="concat"),
    MLP([1, 4, 1], time="concat"),
    MLP([2, 6, 5, 4, 2]),
    *[MLP([2, 7, 3, 2], name, time="concat") for name in ACTIVATIONS],
]


def point(f, N=4, seed=0):
    """z, t, theta with no entry zero, and cotangents of dz and J."""
    rng = np.random.default_rng(seed)
    theta = f.init(rng) + 0.1 * rng.normal(size=f.size)  # biases too
    D, K = f.sizes[0], f.sizes[-1]
    return rng.normal(size=(N, D)), 0.7, theta, rng.normal(size=(N, K)), rng.normal(size=(N, D, K))


def close(x, y, ulps=1000):
    """Equal to accumulated round-off of the size of the largest entry."""
    x, y = np.asarray(x), np.asarray(y)
    return x.shape == y.shape and np.abs(x - y).max() <= ulps * EPS * np.abs(y).max()


def taped_jacobian(f, z, t, theta):
    """J[n, i, j] by K pullbacks of f, each of which can itself go on the tape."""
    _, pullback = tape.vjp(lambda z: f(z, t, theta), z)
    K = f.sizes[-1]
    return np.stack([pullback(np.ones((z.shape[0], 1)) * np.eye(K)[j])[0] for j in range(K)], axis=2)


@pytest.mark.parametrize("name", SECOND)
def test_second_derivatives_of_activations(name):
    """The slope of the slope, by the complex step, away from the kinks; at them the flat side counts."""
    x = np.array([-3.0, -0.7, 0.4, 2.0])
    sigma, pullback = ACTIVATIONS[name]
    slope = lambda x: np.sum(pullback(1 + 0 * x, sigma(x), x))
    assert np.allclose(SECOND[name](sigma(x), x), complex_step(slope, x), rtol=100 * EPS, atol=10 * EPS)
    assert SECOND[name](sigma(x), x).shape == x.shape
    assert SECOND.keys() == ACTIVATIONS.keys()


@pytest.mark.parametrize("f", NETS, ids=str)
def test_the_jacobian_is_that_of_the_tape_and_so_is_its_pullback(f):
    z, t, theta, a, a_J = point(f)
    dz, J, pullback = jacobian_vjp(f, z, t, theta)
    assert np.array_equal(dz, f(z, t, theta))
    assert close(J, taped_jacobian(f, z, t, theta))
    both = lambda z, t, theta: np.sum(a * f(z, t, theta)) + np.sum(a_J * taped_jacobian(f, z, t, theta))
    for mine, taped in zip(pullback(a, a_J), vjp(both, z, t, theta)[1](1.0), strict=True):
        assert close(mine, taped)


@pytest.mark.parametrize("f", [f for f in NETS if f.sizes[0] == f.sizes[-1]], ids=str)
def test_the_trace_and_its_pullback(f):
    z, t, theta, _, _ = point(f)
    a = np.random.default_rng(1).normal(size=len(z))
    trace, pullback = f.trace_vjp(z, t, theta)
    assert close(trace, np.einsum("nii->n", taped_jacobian(f, z, t, theta)))
    weighted = lambda z, t, theta: np.sum(a * f.trace_vjp(z, t, theta)[0])
    a_z, a_t, a_theta = pullback(a)
    for mine, stepped in (
        (a_z, complex_step(lambda z: weighted(z, t, theta + 0j), z)),
        (a_t, complex_step(lambda t: weighted(z + 0j, t, theta + 0j), np.float64(t))),
        (a_theta, complex_step(lambda theta: weighted(z + 0j, t, theta), theta)),
    ):
        assert np.abs(mine - stepped).max() <= 1000 * EPS * max(1, np.abs(stepped).max())
    curved = len(f.sizes) > 2 and f.activation not in ("identity", "relu")
    assert (a_t != 0) == (f.time is not None and curved)
    assert a_z.any() == (curved or f.power > 1) and a_theta.any()


@pytest.mark.parametrize("f", NETS, ids=str)
def test_the_derivative_along_v_is_v_times_the_jacobian(f):
    """Value and pullback: those of the whole Jacobian, contracted with v."""
    z, t, theta, a, a_J = point(f)
    v, a_v = np.random.default_rng(2).normal(size=z.shape), a_J[:, :1]
    _, J, pullback = jacobian_vjp(f, z, t, theta)
    _, J_v, along = jacobian_vjp(f, z, t, theta, v)
    assert close(J_v, np.einsum("ni,nij->nj", v, J)[:, np.newaxis])
    for mine, whole in zip(along(a, a_v), pullback(a, v[:, :, np.newaxis] * a_v), strict=True):
        assert close(mine, whole)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_the_dtype_is_kept(dtype):
    for f in MLP([2, 5, 2], time="concat"), MLP([2, 5, 4, 2], "sin", power=3):
        z, t, theta, _, _ = (x.astype(dtype) if np.ndim(x) else x for x in point(f))
        trace, pullback = f.trace_vjp(z, t, theta)
        assert [x.dtype for x in (trace, *pullback(trace)[::2])] == [dtype] * 3


def test_a_row_of_the_batch_knows_nothing_of_the_others():
    f = MLP([2, 5, 4, 2], time="concat", power=2)
    z, t, theta, _, _ = point(f)
    trace, pullback = f.trace_vjp(z, t, theta)
    rows = [f.trace_vjp(z[n : n + 1], t, theta) for n in range(4)]
    assert close(trace, np.concatenate([row[0] for row in rows]))
    a = np.array([1.0, -2.0, 0.5, 3.0])
    parts = [row[1](a[n : n + 1]) for n, row in enumerate(rows)]
    a_z, a_t, a_theta = pullback(a)
    assert close(a_z, np.concatenate([part[0] for part in parts]))
    assert close(a_t, sum(part[1] for part in parts)) and close(a_theta, sum(part[2] for part in parts))


def test_what_does_not_fit_is_refused_by_name():
    f = MLP([2, 3, 2])
    z, t, theta, _, _ = point(f)
    with pytest.raises(ValueError, match=r"z must be \(N, 2\).*got shape \(2,\)"):
        f.trace_vjp(z[0], t, theta)
    with pytest.raises(ValueError, match=r"theta of shape \(1, 17\) is an ensemble"):
        f.trace_vjp(z, t, theta[np.newaxis])
    with pytest.raises(ValueError, match=r"theta must be an array of shape \(17,\)"):
        f.trace_vjp(z, t, theta[:-1])
    with pytest.raises(ValueError, match=r"v must have the shape of z, \(4, 2\), got \(4, 3\)"):
        jacobian_vjp(f, z, t, theta, np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"has no trace: sizes\[-1\] must be sizes\[0\]"):
        MLP([2, 3, 1]).trace_vjp(z, t, np.ones(13))
