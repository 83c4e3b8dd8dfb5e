"""The hand-written pullbacks against the tape, the complex step and the plain formula."""

import numpy as np
import pytest

from odelearn import MLP, Discrete, complex_step, counted, grad, odeint, odesolve, ravel, rk4
from odelearn.autodiff import tape
from odelearn.nn import mlp_fast, mlp_tanh
from odelearn.nn.activations import ACTIVATIONS, ONE, SLOPE_FROM_Y
from odelearn.nn.mlp import integer_power

EPS = np.finfo(float).eps

# fmt: off
FORMULAS = {  # one row an activation: sigma as a book writes it
    "identity": lambda x: x,
    "tanh":     np.tanh,
    "sigmoid":  lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.log(1 + np.exp(x)),
    "relu":     lambda x: np.where(x > 0, x, 0),
    "elu":      lambda x: np.where(x > 0, x, np.exp(x) - 1),
    "sin":      np.sin,
}
# fmt: on

NETS = [
    MLP([2, 2]),
    MLP([2, 50, 2], power=3),
    MLP([3, 5, 4, 2], power=2, time="concat"),
    MLP([1, 1, 1], time="concat"),
    MLP([2, 2], time="concat", power=5),
    *[MLP([2, 7, 3, 2], name, time="concat") for name in ACTIVATIONS],
]
BATCHES = [(), (4,), (3, 2), (2, 1, 3)]


def point(f, batch=(4,), seed=0):
    """z, t, theta with no entry zero, and a cotangent of dz."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(*batch, f.sizes[0]))
    theta = f.init(rng) + 0.1 * rng.normal(size=f.size)  # biases too
    return z, 0.7, theta, rng.normal(size=(*batch, f.sizes[-1]))


def close(x, y, ulps=500):
    """Equal to accumulated round-off: the sums have at most a few hundred terms of the size of the largest entry."""
    x, y = np.asarray(x), np.asarray(y)
    return x.shape == y.shape and np.abs(x - y).max() <= ulps * EPS * np.abs(y).max()


def test_every_activation_has_its_row():
    assert FORMULAS.keys() == ACTIVATIONS.keys() == ONE.keys() >= SLOPE_FROM_Y


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_where_y_is_said_to_tell_the_slope_it_does(name):
    """There, and only there, the pullback does not look at x."""
    x = np.linspace(-2, 2, 40)
    sigma, pullback = ACTIVATIONS[name]
    y, a_y = sigma(x), np.ones(40)
    assert np.array_equal(pullback(a_y, y, np.full(40, np.nan)), pullback(a_y, y, x)) == (name in SLOPE_FROM_Y)


def test_an_activation_whose_slope_needs_both_x_and_y(monkeypatch):
    """A row of one's own: x sigmoid(x), whose slope is y + sigmoid(x) (1 - y)."""
    sigmoid = ACTIVATIONS["sigmoid"][0]
    monkeypatch.setitem(FORMULAS, "silu", lambda x: x * sigmoid(x))
    silu = FORMULAS["silu"], lambda a_y, y, x: a_y * (y + sigmoid(x) * (1 - y))
    monkeypatch.setitem(ACTIVATIONS, "silu", silu)
    monkeypatch.setitem(ONE, "silu", 1.2784645427610738)
    f = MLP([2, 7, 3, 2], "silu", time="concat")
    test_the_pullback_agrees_with_the_tape_to_round_off(f, (4,))
    z, t, theta, a = point(f)
    gradients = Discrete().vjp(z, f, (0.0, 0.5), theta, rk4(n=2))[1](np.stack([a, a]))
    plain = Discrete().vjp(z, lambda *p: f(*p), (0.0, 0.5), theta, rk4(n=2))[1](np.stack([a, a]))
    assert close(gradients.z0, plain.z0) and close(gradients.theta, plain.theta)


def naive(f, z, t, theta):
    """The formula of one row at a time, in a loop over the slices of theta."""
    sigma, x = FORMULAS[f.activation], z**f.power
    sizes = list(f.sizes)
    if f.time:
        x, sizes[0] = np.append(x, t), sizes[0] + 1
    for i, (n_in, n_out) in enumerate(zip(sizes, f.sizes[1:], strict=False)):
        W, b, theta = theta[: n_in * n_out], theta[n_in * n_out : n_in * n_out + n_out], theta[n_in * n_out + n_out :]
        x = x @ W.reshape(n_in, n_out) + b
        x = x if i == len(sizes) - 2 else sigma(x)
    assert theta.size == 0
    return x


@pytest.mark.parametrize("f", NETS)
@pytest.mark.parametrize("batch", BATCHES)
def test_the_value_is_the_formula_for_each_row(f, batch):
    z, t, theta, _ = point(f, batch)
    expected = np.apply_along_axis(lambda row: naive(f, row, t, theta), -1, z)
    assert close(f(z, t, theta), expected)
    assert np.array_equal(f.vjp(z, t, theta)[0], f(z, t, theta))


@pytest.mark.parametrize("f", NETS)
@pytest.mark.parametrize("batch", BATCHES)
def test_the_pullback_agrees_with_the_tape_to_round_off(f, batch):
    z, t, theta, a = point(f, batch)
    dz, pullback = f.vjp(z, t, theta)
    dz_tape, tape_pullback = tape.vjp(f, z, t, theta)
    assert close(dz, dz_tape)
    for mine, taped in zip(pullback(a), tape_pullback(a), strict=True):
        assert close(mine, taped)


@pytest.mark.parametrize("f", NETS)
def test_the_pullback_agrees_with_the_complex_step(f):
    """Analytic wherever no row meets a kink, which random rows do not."""
    z, t, theta, a = point(f, (3, 2))
    _, pullback = f.vjp(z, t, theta)
    a_z, a_t, a_theta = pullback(a)
    assert close(a_z, complex_step(lambda z: np.sum(a * f(z, t, theta)), z))
    assert close(a_theta, complex_step(lambda theta: np.sum(a * f(z + 0j, t, theta)), theta))
    assert close(a_t, complex_step(lambda t: np.sum(a * f(z + 0j, t, theta)), np.float64(t)))
    assert (a_t != 0) == (f.time is not None)


@pytest.mark.parametrize("f", NETS)
def test_gradients_are_themselves_complex_steppable(f):
    """Cotangents are bilinear, so the pullback is analytic: its derivative along v is that of the tape's pullback."""
    z, t, theta, a = point(f)
    v, eps = np.random.default_rng(1).normal(size=z.shape), 1e-30
    for mine, taped in zip(
        f.vjp(z + 1j * eps * v, t, theta + 0j)[1](a), tape.vjp(f, z + 1j * eps * v, t, theta + 0j)[1](a), strict=True
    ):
        assert close(np.imag(mine), np.imag(taped))


def test_the_pullback_can_itself_go_on_the_tape():
    """Hessian-vector products: the pullback is made of operations that have pullbacks."""
    f = MLP([2, 6, 2], "sigmoid", time="concat", power=3)
    z, t, theta, a = point(f)
    v = np.random.default_rng(1).normal(size=z.shape)

    def a_z_along_v(z, t, theta):
        return np.sum(v * f.vjp(z, t, theta)[1](a)[0])

    for mine, stepped in zip(
        tape.vjp(a_z_along_v, z, t, theta)[1](1.0),
        [
            complex_step(lambda z: a_z_along_v(z, t, theta + 0j), z),
            complex_step(lambda t: a_z_along_v(z + 0j, t, theta + 0j), np.float64(t)),
            complex_step(lambda theta: a_z_along_v(z + 0j, t, theta), theta),
        ],
        strict=True,
    ):
        assert close(mine, stepped)


@pytest.mark.parametrize("traced", ["z", "t", "theta"])
def test_each_argument_can_be_traced_alone(traced):
    f = MLP([2, 5, 2], time="concat", power=3)
    z, t, theta, a = point(f, (3, 2))
    arguments = {"z": z, "t": t, "theta": theta}
    _, pullback = tape.vjp(lambda x: f(**{**arguments, traced: x}), arguments[traced])
    mine = dict(zip(("z", "t", "theta"), f.vjp(z, t, theta)[1](a), strict=True))
    assert close(mine[traced], pullback(a)[0])


@pytest.mark.parametrize("f", NETS)
@pytest.mark.parametrize("batch", BATCHES)
def test_each_row_may_have_its_own_time(f, batch):
    """t (..., 1): each row is what it would be alone at its time; by hand, on the tape and by the complex step."""
    z, _, theta, a = point(f, batch)
    t = np.random.default_rng(1).normal(size=(*batch, 1))
    dz, pullback = f.vjp(z, t, theta)
    a_z, a_t, a_theta = pullback(a)
    assert np.array_equal(dz, f(z, t, theta)) and a_t.shape == t.shape
    assert np.all((a_t != 0) == (f.time is not None))
    alone = [f.vjp(z[n], float(t[n][0]), theta) for n in np.ndindex(batch)]
    assert close(dz.reshape(-1, f.sizes[-1]), np.stack([own for own, _ in alone]))
    own_z, own_t, own_theta = zip(
        *[pull(a[n]) for n, (_, pull) in zip(np.ndindex(batch), alone, strict=True)], strict=True
    )
    assert close(a_z, np.reshape(own_z, z.shape)) and close(a_t, np.reshape(own_t, t.shape))
    assert close(a_theta, sum(own_theta))
    for mine, taped in zip((a_z, a_t, a_theta), tape.vjp(f, z, t, theta)[1](a), strict=True):
        assert close(mine, taped)
    assert close(a_t, complex_step(lambda t: np.sum(a * f(z + 0j, t, theta)), t))
    assert close(a_theta, complex_step(lambda theta: np.sum(a * f(z + 0j, t, theta)), theta))


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_times_of_rows_keep_the_dtype_of_z(dtype):
    f = MLP([2, 5, 2], time="concat")
    z, _, theta, a = point(f)
    dz, pullback = f.vjp(z.astype(dtype), np.linspace(0, 1, 4)[:, np.newaxis], theta.astype(dtype))
    assert all(x.dtype == dtype for x in (dz, *pullback(a.astype(dtype))))


@pytest.mark.parametrize("shape", [(4,), (1, 4), (4, 2), (3, 1), (1,)])
def test_times_that_are_not_one_a_row_are_refused(shape):
    for time in None, "concat":
        f = MLP([2, 3, 2], time=time)
        z, _, theta, _ = point(f)
        with pytest.raises(ValueError, match=r"t must be a number, or a time for each row, of shape \(4, 1\) .* got"):
            f(z, np.ones(shape), theta)
        with pytest.raises(ValueError, match=r"t must be a number, or a time for each row"):
            f.vjp(z, np.ones(shape), theta)


@pytest.mark.parametrize("f", NETS)
def test_a_batch_is_its_rows_and_theta_feels_their_sum(f):
    z, t, theta, a = point(f, (5,))
    a_z, a_t, a_theta = f.vjp(z, t, theta)[1](a)
    rows = [f.vjp(z_n, t, theta)[1](a_n) for z_n, a_n in zip(z, a, strict=True)]
    assert close(a_z, np.stack([row[0] for row in rows]))
    assert close(a_t, sum(row[1] for row in rows))
    assert close(a_theta, sum(row[2] for row in rows))


@pytest.mark.parametrize("f", [f for f in NETS if f.sizes[0] == f.sizes[-1]])
@pytest.mark.parametrize("batch", BATCHES)
def test_what_is_bound_for_solvers_is_the_plain_formula(f, batch):
    """Biases in the product, rows in place, a_theta put off: in exact arithmetic nothing has changed."""
    z, t, theta, a = point(f, batch)
    plain = f(z, t, theta), *f.vjp(z, t, theta)[1](a)
    k, dz, bound = np.empty_like(z), np.empty_like(z), f.bind(theta, np.ones_like(z))
    bound.value(z, t, k)
    assert close(k, plain[0])
    a_z, a_t, term = bound.vjp(z, t, dz)(a)
    for x, y in zip((dz, a_z, a_t, bound.sum_theta([term])), plain, strict=True):
        assert close(x, y)
    assert close(dz, np.apply_along_axis(lambda row: naive(f, row, t, theta), -1, z))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_where_an_activation_is_one(name):
    assert abs(ACTIVATIONS[name][0](np.array([ONE[name]])) - 1) <= 2 * EPS


@pytest.mark.parametrize("batch", [(3,), (), (600,)])
def test_the_sum_of_many_terms_is_the_weighted_sum_of_their_gradients(batch):
    """Many small stages in one product, large ones each by itself: in exact arithmetic the same."""
    f = MLP([2, 6, 2], time="concat", power=3)
    stages = [point(f, batch, seed) for seed in range(5)]
    theta = stages[0][2]
    weights = np.array([0.5, -1.25, 3.0, 0.125, 2.0])
    expected, terms, bound = 0, [], f.bind(theta, stages[0][0])
    for i, (z, _, _, a) in enumerate(stages):
        expected = expected + weights[i] * f.vjp(z, i, theta)[1](a)[2]
        dz = np.empty_like(z)
        a_z, a_t, term = bound.vjp(z, i, dz)(a)
        for bound_value, plain in zip((dz, a_z, a_t), (f(z, i, theta), *f.vjp(z, i, theta)[1](a)[:2]), strict=True):
            assert close(bound_value, plain)
        terms.append(term)
    assert close(bound.sum_theta(terms, weights), expected, ulps=2000)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.complex128])
def test_the_dtype_of_z_is_kept(name, dtype):
    """Also where NumPy's own float64 comes in: as the time, or as the weights of a quadrature."""
    f = MLP([2, 5, 2], name, time="concat", power=3)
    z, t, theta, a = point(f)
    z, theta, a = z.astype(dtype), theta.astype(dtype), a.astype(dtype)
    dz, pullback = f.vjp(z, np.float64(t), theta)
    a_z, a_t, a_theta = pullback(a)
    bound = f.bind(theta, z)
    term = bound.vjp(z, np.float64(t), np.empty_like(z))(a)[2]
    summed = bound.sum_theta([term, term], np.array([0.5, 0.25], dz.real.dtype))
    for x in (dz, a_z, a_t, a_theta, f(z, t, theta), summed):
        assert x.dtype == dtype
    exact = f.vjp(z.astype(complex), t, theta.astype(complex))[1](a.astype(complex))
    assert np.abs(a_theta - exact[2]).max() <= 500 * np.finfo(dtype).eps * np.abs(exact[2]).max()


def test_activations_neither_overflow_nor_lose_their_tails():
    x = np.array([-1000.0, -40.0, 0.0, 40.0, 1000.0])
    tail = np.exp(-40.0)
    sigmoid, softplus, elu = (ACTIVATIONS[name][0] for name in ("sigmoid", "softplus", "elu"))
    assert np.allclose(sigmoid(x), [0, tail / (1 + tail), 0.5, 1, 1], rtol=4 * EPS, atol=0)
    assert np.allclose(softplus(x), [0, np.log1p(tail), np.log(2), 40, 1000], rtol=4 * EPS, atol=0)
    assert np.allclose(elu(x), [-1, np.expm1(-40.0), 0, 40, 1000], rtol=4 * EPS, atol=0)
    for sigma, pullback in ACTIVATIONS.values():
        assert np.isfinite(pullback(np.ones(5), sigma(x), x)).all()


def test_the_slopes_at_the_kinks():
    """At 0 relu counts as flat; elu has no kink, its slope is 1 from both sides."""
    zero = np.zeros(1)
    for name, slope in (("relu", 0.0), ("elu", 1.0)):
        sigma, pullback = ACTIVATIONS[name]
        assert pullback(np.ones(1), sigma(zero), zero) == slope


@pytest.mark.parametrize("p", [1, 2, 3, 7])
def test_integer_powers(p):
    z = np.random.default_rng(0).normal(size=(4, 2))
    x, pullback = integer_power(z, p)
    assert close(x, z**p)
    assert close(pullback(np.ones_like(z)), p * z ** (p - 1))


@pytest.mark.parametrize("power", [2, 4])
def test_an_even_power_of_the_input_is_differentiated_through_a_solve(power):
    """The discrete gradient meets the complex step through the same solve, by hand and on the tape: to round-off."""
    f = MLP([2, 4, 2], power=power)
    z0, _, theta, _ = point(f, (3,))
    ts, solver = (0.0, 0.3, 0.8), rk4(n=4)
    weights = np.random.default_rng(1).normal(size=(3, *z0.shape))

    def loss(z0, theta):
        return np.sum(weights * odesolve(z0, f, ts, theta, solver).zs)

    gradients = Discrete().vjp(z0, f, ts, theta, solver)[1](weights)
    exact_z0 = complex_step(lambda z0: loss(z0, theta), z0)
    exact_theta = complex_step(lambda theta: loss(z0 + 0j, theta), theta)
    assert close(gradients.z0, exact_z0) and close(gradients.theta, exact_theta)
    taped = grad(lambda theta: np.sum(weights * odeint(z0, lambda *p: f(*p), ts, theta, solver, Discrete())))(theta)
    assert close(taped, exact_theta)


def test_parameters_have_names_and_views():
    f = MLP([2, 3, 2], time="concat")
    theta = np.arange(float(f.size))
    parts = f.unravel(theta)
    assert {name: part.shape for name, part in parts.items()} == {"W0": (3, 3), "b0": (3,), "W1": (3, 2), "b1": (2,)}
    assert f.size == 20 and np.array_equal(ravel(parts)[0], theta)
    assert all(np.shares_memory(part, theta) for part in parts.values())


def test_a_change_of_theta_is_seen_at_once():
    """Also one in place."""
    f = MLP([2, 3, 2])
    z, t, theta, _ = point(f)
    before = f(z, t, theta)
    assert not np.allclose(f(z, t, 2 * theta), before)
    assert np.array_equal(f(z, t, theta), before)
    theta[:] = 2 * theta
    assert np.array_equal(f(z, t, theta), f(z, t, theta.copy())) and not np.allclose(f(z, t, theta), before)


def test_arguments_are_left_alone():
    f = MLP([2, 5, 2], time="concat", power=3)
    z, t, theta, a = point(f)
    copies = [x.copy() for x in (z, theta, a)]
    f.vjp(z, t, theta)[1](a)
    assert all(np.array_equal(x, copy) for x, copy in zip((z, theta, a), copies, strict=True))


def test_work_is_counted_as_for_any_dynamics():
    f = counted(MLP([2, 5, 2]))
    z, t, theta, a = point(f.f)
    f(z, t, theta)
    f.vjp(z, t, theta)[1](a)
    bound = f.bind(theta, z)
    bound.value(z, t, np.empty_like(z))
    bound.vjp(z, t, np.empty_like(z))(a)
    assert (f.evals, f.pullbacks) == (4, 2)


def test_initial_weights_keep_variances_and_biases_are_zero():
    """Var W = 2 / (in + out): the sample variance of n normal numbers is within 5 sqrt(2 / n) of it."""
    f = MLP([40, 90, 40])
    parts = f.unravel(f.init(np.random.default_rng(3)))
    for name in ("W0", "W1"):
        W = parts[name]
        assert abs(np.mean(W * W) * (40 + 90) / 2 - 1) < 5 * np.sqrt(2 / W.size)
        assert abs(W.mean()) < 5 * np.sqrt(2 / 130 / W.size)
    assert not parts["b0"].any() and not parts["b1"].any()
    assert np.array_equal(f.init(np.random.default_rng(3)), f.init(np.random.default_rng(3)))


def test_initial_weights_neither_blow_up_nor_die_out_in_depth():
    """Equal widths n, linear: E|y|^2 = |x|^2 forwards and E|a_x|^2 = |a_y|^2 backwards, through 20 layers."""
    n, depth = 200, 20
    f = MLP([n] * (depth + 1), "identity")
    rng = np.random.default_rng(0)
    theta, x, a = f.init(rng), rng.normal(size=n), rng.normal(size=n)
    y, pullback = f.vjp(x, 0.0, theta)
    spread = 5 * np.sqrt(2 * depth / n)  # of log |y|^2 / |x|^2: each layer adds a variance of 2 / n
    assert abs(np.log(np.sum(y * y) / np.sum(x * x))) < spread
    assert abs(np.log(np.sum(pullback(a)[0] ** 2) / np.sum(a * a))) < spread


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sizes": [2]}, r"sizes must be two or more positive integers.*got \[2\]"),
        ({"sizes": [2, 0, 2]}, "sizes must be"),
        ({"sizes": [2, 2.5, 2]}, "sizes must be"),
        ({"sizes": [2, 2], "activation": "tahn"}, "activation must be one of identity, tanh.*got 'tahn'"),
        ({"sizes": [2, 2], "time": True}, 'time must be None or "concat".*got True'),
        ({"sizes": [2, 2], "power": 0}, "power must be a positive integer, got 0"),
        ({"sizes": [2, 2], "power": 1.5}, "power must be a positive integer, got 1.5"),
    ],
)
def test_a_net_that_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        MLP(**arguments)


def test_what_does_not_fit_the_net_is_refused_by_name():
    f = MLP([2, 3, 2])
    z, t, theta, _ = point(f)
    with pytest.raises(ValueError, match=r"z must have sizes\[0\] = 2 as its last axis, got shape \(4, 3\)"):
        f(np.ones((4, 3)), t, theta)
    with pytest.raises(ValueError, match=r"z must have sizes\[0\]"):
        f.vjp(np.float64(1.0), t, theta)
    with pytest.raises(ValueError, match=r"theta must be an array of shape \(17,\).*got \(16,\); init"):
        f(z, t, theta[:-1])
    with pytest.raises(ValueError, match=r"theta must .* got None"):
        f.vjp(z, t, None)
    with pytest.raises(ValueError, match=r"z must have sizes\[0\] = 2 as its last axis, got shape \(4, 1\)"):
        odesolve(np.ones((4, 1)), f, (0.0, 1.0), theta)
    with pytest.raises(ValueError, match=r"MLP\(\[2, 3\].* is no dynamics"):
        odesolve(z, MLP([2, 3]), (0.0, 1.0), np.ones(9))


@pytest.mark.parametrize("dtype", ["f", "d", "F", "D"])
@pytest.mark.parametrize("shape", [(2,), (5, 2), (3, 4, 2), (40, 2)], ids=str)
@pytest.mark.parametrize("power", [1, 2, 3, 5])
def test_one_hidden_layer_of_tanh_written_out_is_the_general_form_bit_for_bit(power, shape, dtype):
    """40 rows of 30 units are a stage too large to wait. In weighted sums the factors may stand in another place."""
    f = MLP((2, 30, 2), power=power)
    rng = np.random.default_rng(power)
    draw = lambda *shape: (rng.normal(size=shape) + (1j * rng.normal(size=shape) if dtype in "FD" else 0)).astype(dtype)
    theta, Zs, a = 0.3 * draw(f.size), draw(3, *shape), draw(*shape)
    assert mlp_tanh.fits(f) and not mlp_tanh.fits(MLP((2, 30, 2), "sin")) and not mlp_tanh.fits(MLP((2, 4, 4, 2)))
    out, general = mlp_tanh.bind(f, theta, Zs[0]), mlp_fast.bind(f, theta, Zs[0])
    terms = [], []
    for Z in Zs:
        k = np.empty((4, *shape), dtype)
        out.value(Z, 0.0, k[0, ...])
        general.value(Z, 0.0, k[1, ...])
        pulls = out.vjp(Z, 0.0, k[2, ...]), general.vjp(Z, 0.0, k[3, ...])
        assert (k == k[0]).all() and k[0].any()
        (a_z, a_t, term), (b_z, b_t, other) = (pull(a) for pull in pulls)
        np.testing.assert_array_equal(a_z, b_z)
        assert a_z.dtype == dtype and a_t == b_t == 0
        terms[0].append(term)
        terms[1].append(other)
    np.testing.assert_array_equal(out.sum_theta(terms[0]), general.sum_theta(terms[1]))
    weights = np.array([0.5, -1.0, 2.0], np.dtype(dtype).type(0).real.dtype)
    x, y = out.sum_theta(terms[0], weights), general.sum_theta(terms[1], weights)
    assert x.shape == (f.size,) and np.abs(x - y).max() < 20 * np.finfo(dtype).eps * np.abs(y).max()
