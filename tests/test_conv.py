"""Convolutions: the value is SciPy's; the pullbacks are those of the tape, of the complex step, of an adjoint map."""

import numpy as np
import pytest
from scipy.signal import correlate

from odelearn import Backsolve, Discrete, check_gradient, complex_step, dopri5, dot_product_test, odesolve, rk4
from odelearn.autodiff import tape
from odelearn.nn import Conv2d, ConvDynamics

EPS = np.finfo(float).eps
LAYERS = [Conv2d(1, 1), Conv2d(3, 2), Conv2d(2, 4, size=1), Conv2d(2, 1, size=5)]
FIELDS = [ConvDynamics(2, 3), ConvDynamics(1, 2, "sin", size=1), ConvDynamics(2, 2, "softplus", time=False)]


def close(x, y, ulps=500):
    x, y = np.asarray(x), np.asarray(y)
    return x.shape == y.shape and np.abs(x - y).max() <= ulps * EPS * max(1, np.abs(y).max())


def point(layer, seed=0):
    """x (2, 4, 5, C_in): two images, no side as long as another; theta, and a cotangent of y."""
    rng = np.random.default_rng(seed)
    _, _, C_in, C_out = layer.shape
    return rng.normal(size=(2, 4, 5, C_in)), rng.normal(size=layer.size), rng.normal(size=(2, 4, 5, C_out))


def shifted_sums(layer, x, theta):
    """The formula, one neighbour after the other, in operations that the tape knows."""
    size, _, C_in, C_out = layer.shape
    W, b = theta[:-C_out].reshape(size, size, C_in, C_out), theta[-C_out:]
    N, H, width, _ = x.shape
    r = size // 2
    x = np.concatenate([np.zeros((N, r, width, C_in)), x, np.zeros((N, r, width, C_in))], axis=1)
    x = np.concatenate([np.zeros((N, H + 2 * r, r, C_in)), x, np.zeros((N, H + 2 * r, r, C_in))], axis=2)
    shifts = [(p, q) for p in range(size) for q in range(size)]
    return sum(x[:, p : p + H, q : q + width] @ W[p, q] for p, q in shifts) + b


def field_by_formula(f, z, t, theta):
    sigma = {"tanh": np.tanh, "sin": np.sin, "softplus": lambda x: np.log1p(np.exp(x))}[f.activation]
    times = lambda x: np.concatenate([x, t * np.ones((*x.shape[:-1], 1))], axis=-1) if f.time else x
    y = sigma(shifted_sums(f.first, times(z), theta[: f.first.size]))
    return shifted_sums(f.second, times(y), theta[f.first.size :])


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_the_value_is_that_of_scipy(layer):
    """SciPy's correlation in two dimensions, channel by channel."""
    x, theta, _ = point(layer)
    W, b = layer.unravel(theta).values()
    y, _ = layer.vjp(x, theta)
    for n in range(2):
        for o in range(layer.shape[3]):
            channels = [correlate(x[n, :, :, c], W[:, :, c, o], "same") for c in range(layer.shape[2])]
            assert close(y[n, :, :, o], b[o] + sum(channels))


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_the_pullback_is_that_of_the_tape_and_of_the_complex_step(layer):
    x, theta, a_y = point(layer)
    y, pullback = layer.vjp(x, theta)
    a_x, a_theta = pullback(a_y)
    y_tape, tape_pullback = tape.vjp(lambda x, theta: shifted_sums(layer, x, theta), x, theta)
    assert close(y, y_tape)
    for mine, taped in zip((a_x, a_theta), tape_pullback(a_y), strict=True):
        assert close(mine, taped)
    assert close(a_x, complex_step(lambda x: np.sum(a_y * layer.vjp(x, theta)[0]), x))
    assert close(a_theta, complex_step(lambda theta: np.sum(a_y * layer.vjp(x, theta)[0]), theta))


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_the_pullback_is_the_adjoint_of_a_linear_map(layer):
    """With b = 0 the layer is linear in x: <a, layer(v)> = <pullback(a), v>, for any a and v, to round-off."""
    x, theta, _ = point(layer)
    theta[-layer.shape[3] :] = 0
    gap = dot_product_test(
        lambda x: layer.vjp(x, theta)[0], lambda a: layer.vjp(x, theta)[1](a)[0], x, np.random.default_rng(1)
    )
    assert gap < 100 * EPS


def test_a_shifted_image_gives_a_shifted_result_away_from_the_edge():
    layer = Conv2d(2, 3)
    x, theta, _ = point(layer)
    inside = np.zeros((2, 9, 9, 2))
    inside[:, 2:6, 2:7] = x
    y, y_shifted = layer.vjp(inside, theta)[0], layer.vjp(np.roll(inside, (1, 1), axis=(1, 2)), theta)[0]
    assert np.array_equal(y_shifted[:, 1:, 1:], y[:, :-1, :-1])


@pytest.mark.parametrize("f", FIELDS, ids=str)
def test_the_field_is_its_formula_and_its_pullback_that_of_the_tape(f):
    rng = np.random.default_rng(2)
    z, t, theta = rng.normal(size=(2, 3, 4, f.second.shape[3])), 0.7, rng.normal(size=f.size)
    a = rng.normal(size=z.shape)
    dz, pullback = f.vjp(z, t, theta)
    dz_tape, tape_pullback = tape.vjp(lambda *p: field_by_formula(f, *p), z, t, theta)
    assert close(dz, dz_tape) and np.array_equal(dz, f(z, t, theta))
    for mine, taped in zip(pullback(a), tape_pullback(a), strict=True):
        assert close(mine, taped)
    assert (pullback(a)[1] != 0) == f.time


@pytest.mark.parametrize("f", FIELDS, ids=str)
def test_the_gradient_through_a_solve_is_right(f):
    """There and back in time: by the complex step through the same solve."""
    rng = np.random.default_rng(3)
    z0, theta = rng.normal(size=(1, 3, 2, f.second.shape[3])), 0.3 * rng.normal(size=f.size)
    weights = rng.normal(size=(2, *z0.shape))
    for ts in (0.0, 1.0), (1.0, 0.2):
        gradients = Discrete().vjp(z0, f, ts, theta, rk4(n=2))[1](weights)
        loss = lambda theta, ts=ts: np.sum(weights * odesolve(z0 + 0j, f, ts, theta, rk4(n=2)).zs)
        assert check_gradient(loss, gradients.theta, theta)
        tight = dopri5(1e-9, 1e-11)
        adjoint, exact = (method.vjp(z0, f, ts, theta, tight)[1](weights) for method in (Backsolve(), Discrete()))
        assert np.abs(adjoint.theta - exact.theta).max() < 1e-6 * np.abs(exact.theta).max()


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_the_dtype_is_kept(dtype):
    f = FIELDS[0]
    z, theta = np.ones((1, 2, 2, 2), dtype), np.ones(f.size, dtype)
    dz, pullback = f.vjp(z, np.float64(0.5), theta)
    assert {x.dtype for x in (dz, *pullback(dz))} == {np.dtype(dtype)}


def test_first_weights_keep_the_variance_as_those_of_a_dense_layer():
    layer = Conv2d(20, 30, size=5)
    W, b = layer.unravel(layer.init(np.random.default_rng(0))).values()
    assert abs(np.mean(W * W) * 25 * 50 / 2 - 1) < 5 * np.sqrt(2 / W.size) and not b.any()


def test_arguments_are_left_alone():
    layer = LAYERS[1]
    arguments = point(layer)
    copies = [x.copy() for x in arguments]
    layer.vjp(*arguments[:2])[1](arguments[2])
    assert all(np.array_equal(x, copy) for x, copy in zip(arguments, copies, strict=True))


def test_what_does_not_fit_is_refused_by_name():
    layer = Conv2d(2, 3)
    x, theta, _ = point(layer)
    with pytest.raises(ValueError, match=r"x must have shape \(N, H, W, 2\) for Conv2d\(2, 3.*\), got \(4, 5, 2\)"):
        layer.vjp(x[0], theta)
    with pytest.raises(ValueError, match=r"x must have shape \(N, H, W, 2\).* got \(2, 4, 5, 1\)"):
        layer.vjp(x[..., :1], theta)
    with pytest.raises(ValueError, match=r"theta must have shape \(57,\).*got \(56,\); init\(rng\) makes one"):
        layer.vjp(x, theta[1:])
    with pytest.raises(ValueError, match="channels_out must be a positive integer, got 0"):
        Conv2d(1, 0)
    with pytest.raises(ValueError, match="size must be odd.* got 2"):
        Conv2d(1, 1, size=2)
    with pytest.raises(ValueError, match="activation must be one of identity, tanh.*got 'tahn'"):
        ConvDynamics(2, 3, "tahn")
