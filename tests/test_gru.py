"""The gated recurrent unit against its formula, the tape and the complex step, one step and a sequence."""

import numpy as np
import pytest

from odelearn import complex_step, dot_product_test, nn
from odelearn.autodiff import tape

EPS = np.finfo(float).eps
SHAPES = [(1, 1, (4,)), (3, 5, ()), (3, 5, (4,)), (2, 7, (3, 2))]


def point(inputs, hidden, batch, seed=0):
    """A GRU, x, h, theta with no entry zero, and a cotangent of h_next."""
    gru, rng = nn.GRU(inputs, hidden), np.random.default_rng(seed)
    x, h, a = (rng.normal(size=(*batch, width)) for width in (inputs, hidden, hidden))
    return gru, x, h, gru.init(rng) + 0.2 * rng.normal(size=gru.size), a


def close(x, y, ulps=500):
    x, y = np.asarray(x), np.asarray(y)
    return x.shape == y.shape and np.abs(x - y).max() <= ulps * EPS * np.abs(y).max()


def formula(gru, x, h, theta):
    """One row, as a book writes it, with theta cut by hand."""
    I, H = gru.inputs, gru.hidden
    W, U = theta[: 3 * I * H].reshape(I, 3 * H), theta[3 * I * H : 3 * (I + H) * H].reshape(H, 3 * H)
    b, c = theta[3 * (I + H) * H :].reshape(2, 3 * H)
    part = lambda v, k: v[..., k * H : (k + 1) * H]
    gate = lambda k: 1 / (1 + np.exp(-(x @ part(W, k) + part(b, k) + h @ part(U, k) + part(c, k))))
    r, u = gate(0), gate(1)
    n = np.tanh(x @ part(W, 2) + part(b, 2) + r * (h @ part(U, 2) + part(c, 2)))
    return (1 - u) * n + u * h


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_value_is_the_formula_for_each_row(shape):
    gru, x, h, theta, _ = point(*shape)
    rows = [formula(gru, *row, theta) for row in zip(x.reshape(-1, shape[0]), h.reshape(-1, shape[1]), strict=True)]
    assert close(gru(x, h, theta), np.array(rows).reshape(h.shape))
    assert np.array_equal(gru.vjp(x, h, theta)[0], gru(x, h, theta))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_pullback_agrees_with_the_tape_and_the_complex_step(shape):
    gru, *point_, a = point(*shape)
    by_hand, by_tape = gru.vjp(*point_)[1](a), tape.vjp(gru, *point_)[1](a)
    for i, (mine, taped) in enumerate(zip(by_hand, by_tape, strict=True)):
        along = lambda v, i=i: np.sum(a * gru(*point_[:i], v, *point_[i + 1 :]))
        assert close(mine, taped) and close(mine, complex_step(along, point_[i]))


def sequence(T=6, N=3, seed=1):
    gru, _, h, theta, _ = point(2, 4, (N,), seed)
    rng = np.random.default_rng(seed)
    return gru, rng.normal(size=(T, N, 2)), h, theta, rng.normal(size=(T, N, 4)), rng.random((T, N)) < 0.6


def scan(gru, xs, h, theta, mask=None):
    hs = []
    for i, x in enumerate(xs):
        h_next = gru(x, h, theta)
        h = h_next if mask is None else mask[i][:, np.newaxis] * h_next + (1 - mask[i])[:, np.newaxis] * h
        hs.append(h)
    return np.stack(hs)


@pytest.mark.parametrize("masked", [False, True])
def test_a_sequence_is_its_steps(masked):
    gru, xs, h, theta, a_hs, mask = sequence()
    mask = mask * 1.0 if masked else None
    hs, pullback = gru.scan_vjp(xs, h, theta, mask)
    by_tape, tape_pullback = tape.vjp(lambda *p: scan(gru, *p, mask), xs, h, theta)
    assert close(hs, by_tape)
    for mine, taped in zip(pullback(a_hs), tape_pullback(a_hs), strict=True):
        assert close(mine, taped)


@pytest.mark.parametrize("i, name", list(enumerate(["xs", "h", "theta"])))
def test_the_dot_product_test_of_a_sequence(i, name):
    gru, *point_, _, _ = sequence()
    along = lambda v: gru.scan_vjp(*point_[:i], v, *point_[i + 1 :])[0]
    pullback = lambda a: gru.scan_vjp(*point_)[1](a)[i]
    assert dot_product_test(along, pullback, point_[i], np.random.default_rng(2)) < 1e-13


def test_a_row_without_inputs_keeps_its_state_and_a_masked_input_is_not_felt():
    gru, xs, h, theta, a_hs, mask = sequence()
    mask[:, 0] = False
    hs, pullback = gru.scan_vjp(xs, h, theta, mask)
    a_xs, a_h, _ = pullback(a_hs)
    assert np.array_equal(hs[:, 0], np.broadcast_to(h[0], hs[:, 0].shape))
    assert close(a_h[0], a_hs[:, 0].sum(0)) and not a_xs[~mask].any() and a_xs[mask].all()


def test_far_out_the_gates_are_0_and_1_and_nothing_overflows():
    gru, x, h, theta, a = point(3, 5, (4,))
    h_next, pullback = gru.vjp(1e4 * x, h, theta)
    assert all(np.isfinite(y).all() for y in (h_next, *pullback(a)))
    kept, proposed = np.isclose(h_next, h, atol=1e-12), np.isclose(np.abs(h_next), 1, atol=1e-12)
    assert (kept | proposed).all() and kept.any() and proposed.any()


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_the_dtype_is_kept_and_inputs_are_left_alone(dtype):
    gru, *arrays, a_hs, mask = sequence()
    arrays = [y.astype(dtype) for y in (*arrays, a_hs)]
    copies = [y.copy() for y in arrays]
    *point_, a = arrays
    hs, pullback = gru.scan_vjp(*point_, mask)
    assert {y.dtype for y in (hs, *pullback(a))} == {np.dtype(dtype)}
    assert {y.dtype for y in gru.vjp(point_[0][0], *point_[1:])[1](a[0])} == {np.dtype(dtype)}
    assert all(np.array_equal(y, copy) for y, copy in zip(arrays, copies, strict=True))


def test_parameters_and_their_first_values():
    gru = nn.GRU(30, 40)
    theta = gru.init(np.random.default_rng(0))
    parts = gru.unravel(theta)
    assert gru.size == theta.size == sum(part.size for part in parts.values()) == 3 * 40 * (30 + 40 + 2)
    assert np.array_equal(np.concatenate([part.ravel() for part in parts.values()]), theta)
    for name, width in ("W", 30), ("U", 40):
        W = parts[name]
        assert abs(np.mean(W * W) * width - 1) < 5 * np.sqrt(2 / W.size)
    assert not parts["b"].any() and not parts["c"].any()


def test_what_does_not_fit_is_refused_by_name():
    gru, x, h, theta, _ = point(3, 5, (4,))
    for wrong in (0, 2.5):
        with pytest.raises(ValueError, match=f"hidden must be a positive integer, got {wrong}"):
            nn.GRU(3, wrong)
    with pytest.raises(ValueError, match=r"x must have 3 as its last axis for GRU\(3, 5\), got shape \(4, 2\)"):
        gru.vjp(x[:, :2], h, theta)
    with pytest.raises(ValueError, match=r"h must have 5 as its last axis .* got shape \(4, 4\)"):
        gru(x, h[:, :4], theta)
    with pytest.raises(ValueError, match=r"same leading axes, got \(4, 3\) and \(2, 5\)"):
        gru(x, h[:2], theta)
    with pytest.raises(ValueError, match=r"theta must have shape \(150,\) .* got \(149,\); init"):
        gru(x, h, theta[1:])
