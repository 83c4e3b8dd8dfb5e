"""The measuring instruments are measured themselves: each against a derivative known in closed form."""

import math
import warnings

import numpy as np
import pytest

from odelearn.params import leaf_names, leaves, tree_map
from odelearn.verify.differences import difference_quotient, extrapolate
from odelearn.verify.gradient_check import (
    are_same,
    check_gradient,
    complex_step,
    dot_product_test,
    finite_difference,
    taylor_slope,
)
from odelearn.verify.gradient_diagnosis import diagnose, find_pattern
from odelearn.verify.gradient_report import Leaf, Report
from odelearn.verify.order import observed_order

EPS = np.finfo(float).eps


def f(x):
    return np.sin(x) * np.exp(x)


def df(x):
    return (np.sin(x) + np.cos(x)) * np.exp(x)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


# ---- differences


@pytest.mark.parametrize("scheme, order", [("forward", 1), ("backward", 1), ("central", 2)])
def test_the_error_of_differences_is_a_u(scheme, order):
    """Truncation falls like h^order on the right of the U; on its left round-off rises like eps / h."""
    error = lambda h: abs(finite_difference(f, 0.7, scheme, h) - df(0.7))
    h = 2.0 ** -np.arange(3, 9)
    assert observed_order([error(h_i) for h_i in h]) == pytest.approx(order, abs=0.1)
    tiny = 10.0 ** -np.arange(9, 14)
    noise = np.array([np.mean([error(h_i * (1 + 0.1 * j)) for j in range(20)]) for h_i in tiny])
    assert observed_order(noise, ratio=10) == pytest.approx(-1, abs=0.25)


@pytest.mark.parametrize(
    "scheme, power", [("forward", 1 / 2), ("backward", 1 / 2), ("central", 2 / 3), ("richardson", 0.8)]
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_default_step_stands_at_the_bottom_of_the_u(scheme, power, dtype, rng):
    """At the best h both errors are of size eps^(1/2), for central differences eps^(2/3); extrapolation leaves less."""
    x = rng.uniform(-1, 1, 20).astype(dtype)
    error = np.abs(np.diagonal(finite_difference(f, x, scheme)) - df(x.astype(float)))
    assert error.max() < 10 * float(np.finfo(dtype).eps) ** power


@pytest.mark.parametrize("scheme, slope", [("forward", 6.5), ("backward", 5.5), ("central", 6.0)])
def test_each_scheme_looks_to_its_own_side(scheme, slope):
    """Of x^2 at 3 the quotients are 6 + h, 6 - h and 6, to the last bit for h = 1/2."""
    assert finite_difference(lambda x: x * x, 3.0, scheme, eps=0.5) == slope


def test_the_step_follows_the_size_of_x():
    """At x = 1e8 a step of 6e-6 would be lost in the spacing of the floats, 1.5e-8; 1 / x comes out anyway."""
    x = np.array([1e8, 1.5])
    np.testing.assert_allclose(np.diagonal(finite_difference(np.log, x)), 1 / x, rtol=1e-8)
    np.testing.assert_allclose(np.diagonal(finite_difference(np.log, x, "richardson")), 1 / x, rtol=1e-9)


def test_richardson_needs_no_step_to_be_chosen(rng):
    """13 digits, where the best central difference has 10; and a fun that is fast, slow, or undefined on one side."""
    x = rng.uniform(-1, 1, 20)
    np.testing.assert_allclose(np.diagonal(finite_difference(f, x, "richardson")), df(x), atol=1e-11)
    for omega in (1e-3, 1.0, 50.0):
        slope = finite_difference(lambda x, w=omega: np.sin(w * x), 0.7, "richardson")
        assert slope == pytest.approx(omega * math.cos(omega * 0.7), rel=1e-9)
    assert finite_difference(np.log, 0.01, "richardson") == pytest.approx(100, rel=1e-9)  # x - 0.1 has no logarithm


def test_richardson_knows_its_error(rng):
    """The estimate covers the error, ten times over at most it is too small, even where two entries agree by chance."""
    for _ in range(200):
        x, c, omega = np.float64(rng.standard_normal()), 10.0 ** rng.uniform(-3, 6), 10.0 ** rng.uniform(-2, 2)
        slope, error, _ = extrapolate(lambda x: c + np.sin(omega * x), x)  # noqa: B023
        assert abs(slope - omega * np.cos(omega * x)) < 10 * error


def test_a_difference_quotient_knows_the_size_of_what_it_subtracts():
    """Round-off is a part of the larger value, whatever its sign."""
    for line in (lambda x: x, lambda x: x - 3, lambda x: 3 - x):
        for sign in 1, -1:
            quotient, size = difference_quotient(lambda x: sign * line(x), np.float64(0.5), 1.0, 1.0)  # noqa: B023
            assert abs(quotient) == 1 and size == max(abs(line(1.5)), abs(line(-0.5)))
    assert are_same(np.array([1.0, 2.0]), np.array([1.0, 2.0])) and not are_same(np.array([1.0, 2]), np.array([1.0, 3]))


def test_derivatives_have_the_shape_of_fun_and_then_of_x(rng):
    W, x = rng.standard_normal((3, 4)), rng.standard_normal((2, 3))
    exact = np.einsum("ij,kl->iljk", np.eye(2), W)  # d(x W)_il / dx_jk
    for derivative in (finite_difference(lambda x: x @ W, x), complex_step(lambda x: x @ W, x)):
        assert derivative.shape == (2, 4, 2, 3)
        np.testing.assert_allclose(derivative, exact, atol=1e-9)
    for number in (2, 2.0, np.array(2.0), np.float32(2)):
        assert finite_difference(lambda x: x**3, number, "richardson") == pytest.approx(12, rel=1e-4)
        assert complex_step(lambda x: x**3, number) == pytest.approx(12, rel=1e-6)
        assert complex_step(lambda x: [x, x**2], number).tolist() == pytest.approx([1, 4])


def test_differences_leave_x_alone(rng):
    x = rng.standard_normal(3)
    before = x.copy()
    finite_difference(f, x), complex_step(f, x), taylor_slope(lambda x: np.sum(f(x)), x, df, rng)
    np.testing.assert_array_equal(x, before)


def test_an_unknown_scheme_is_refused():
    with pytest.raises(ValueError, match="forward, backward, central, richardson, got 'centred'"):
        finite_difference(f, 1.0, "centred")


def test_x_must_be_real():
    for derivative in (finite_difference, complex_step):
        with pytest.raises(TypeError, match="x must be real numbers, got complex128"):
            derivative(f, 1j)


# ---- the complex step


def test_the_complex_step_is_exact_to_round_off(rng):
    x = rng.uniform(-1, 1, 50)
    np.testing.assert_allclose(np.diagonal(complex_step(f, x)), df(x), rtol=4 * EPS, atol=4 * EPS)
    np.testing.assert_allclose(np.diagonal(complex_step(np.tanh, x)), 1 - np.tanh(x) ** 2, rtol=8 * EPS)


def test_the_complex_step_keeps_single_precision():
    assert complex_step(lambda z: z * z * z, np.float32(2)).dtype == np.float32


@pytest.mark.parametrize(
    "fun",
    [
        lambda x: abs(x) ** 2,
        lambda x: np.real(x),
        lambda x: math.sin(x),
        lambda x: np.linalg.norm(x),
        lambda x: np.array([x, 1.0]).astype(float),
        lambda x: float(x > 0),
    ],
)
def test_a_fun_that_drops_the_imaginary_part_is_told_so(fun):
    with pytest.raises(
        TypeError, match="(does not take complex numbers|drops the imaginary part).*analytic fun: write x"
    ):
        complex_step(fun, 0.7)


def test_a_lost_imaginary_part_is_noticed_on_the_way():
    """NumPy only warns when a complex number goes into a real array; the result may be complex all the same."""

    def fun(x):
        buffer = np.zeros(1)
        buffer[0] = x
        return buffer[0] + x * x

    with pytest.raises(TypeError, match="discards the imaginary part"):
        complex_step(fun, 0.7)


@pytest.mark.parametrize(
    "fun",
    [
        lambda x: np.array([x, 1.0]).astype(float),
        lambda x: np.real(x),
        lambda x: abs(x) ** 2,
        lambda x: into_a_real_array(x) + x * x,
    ],
)
def test_a_dropped_imaginary_part_is_an_error_also_where_warnings_are_ignored(fun):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(TypeError, match="imaginary part"):
            complex_step(fun, 0.7)


def into_a_real_array(x):
    buffer = np.zeros(1)
    buffer[0] = x
    return buffer[0]


# ---- Taylor slope, dot product, order


def g_of_quartic(x):
    return 4 * x**3


def test_taylor_slope_is_2_for_the_gradient_and_1_for_anything_else(rng):
    x = rng.standard_normal(5)
    quartic = lambda x: np.sum(x**4)
    assert taylor_slope(quartic, x, g_of_quartic(x), rng) == pytest.approx(2, abs=0.01)
    assert taylor_slope(quartic, x, g_of_quartic, rng) == pytest.approx(2, abs=0.01)
    assert taylor_slope(quartic, x, -g_of_quartic(x), rng) == pytest.approx(1, abs=0.01)
    assert taylor_slope(quartic, x, g_of_quartic(x) + [0, 0, 0, 0, 1], rng) == pytest.approx(1, abs=0.05)
    assert taylor_slope(lambda x: x**3, 0.0, 0.0, rng) == pytest.approx(3, abs=0.01)  # no curvature at 0
    assert taylor_slope(lambda x: -np.log(x), 0.03, -1 / 0.03, rng) == pytest.approx(2, abs=0.1)  # undefined at x - 0.1
    assert taylor_slope(lambda x: np.sin(30 * x), 0.3, 30 * math.cos(9), rng) == pytest.approx(
        2, abs=0.01
    )  # h < 1 / 30
    assert taylor_slope(lambda x: (1e-6 * x) ** 4, 3e6, 4e-6 * 27, rng) == pytest.approx(2, abs=0.01)  # h ~ 1e6
    assert taylor_slope(quartic, x.astype(np.float32), g_of_quartic, rng) == pytest.approx(2, abs=0.2)


def test_taylor_slope_where_there_is_none(rng):
    """Of an affine fun nothing remains but round-off: inf. With the wrong gradient the slope is 1 as ever."""
    w, x = rng.standard_normal(5), rng.standard_normal(5)
    for _ in range(20):
        assert taylor_slope(lambda x: w @ x + 3, x, w, rng) == math.inf
    assert taylor_slope(lambda x: w @ x + 3, x, 2 * w, rng) == pytest.approx(1, abs=1e-6)
    assert math.isnan(taylor_slope(lambda x: w @ x + 3, x, w * math.nan, rng))
    with pytest.raises(ValueError, match="fun must return one number"):
        taylor_slope(f, x, df(x), rng)


def test_taylor_slope_of_an_affine_function_of_value_zero(rng):
    """Round-off is then a part of h g.v alone."""
    for _ in range(20):
        w, x = rng.standard_normal(5), rng.standard_normal(5)
        assert taylor_slope(lambda y: w @ (y - x), x, w, rng) == math.inf  # noqa: B023
        assert taylor_slope(lambda y: w @ y, np.zeros(5), w, rng) == math.inf  # noqa: B023
    w, x = rng.standard_normal(5000), rng.standard_normal(5000)
    assert taylor_slope(lambda y: w @ (y - x), x, w, rng) == math.inf


def test_taylor_slope_of_an_affine_function_of_large_value(rng):
    """Round-off is then a part of the value."""
    w, x = rng.standard_normal(5), rng.standard_normal(5)
    assert taylor_slope(lambda y: w @ y + 1e6, x, w, rng) == math.inf


def test_arguments_may_be_named(rng):
    x = np.array([1.0, 2.0])
    cube, g = (lambda x: np.sum(x**3)), 3 * x**2
    assert taylor_slope(fun=cube, x=x, gradient=g, rng=rng) == pytest.approx(2, abs=0.01)
    assert check_gradient(fun=cube, gradient=g, x=x)
    for function in taylor_slope, check_gradient:
        assert "The arguments stand in the order" in function.__doc__


def test_dot_product_test_of_a_zero_pullback_is_one(rng):
    x = rng.standard_normal(3)
    assert dot_product_test(lambda x: np.sum(x * x), lambda a: 0 * x, x, rng) == pytest.approx(1, rel=1e-12)
    assert dot_product_test(lambda x: 0 * np.sum(x), lambda a: a * x, x, rng) > 0.01


def test_dot_product_test_of_a_linear_map(rng):
    """Round-off for the transpose, and for nothing else; analytic or not, pullback a tuple or not."""
    A, x = rng.standard_normal((4, 3)), rng.standard_normal(3)
    assert dot_product_test(lambda x: A @ x, lambda a: A.T @ a, x, rng) < 100 * EPS
    assert dot_product_test(lambda x: A @ x, lambda a: (A.T @ a, "more"), x, rng) < 100 * EPS
    assert dot_product_test(lambda x: np.real(A @ x), lambda a: A.T @ a, x, rng) < 1e-10
    assert dot_product_test(lambda x: 0 * x, lambda a: 0 * a, x, rng) == 0
    B = rng.standard_normal((3, 3))
    assert dot_product_test(lambda x: B @ x, lambda a: B @ a, x, rng) > 0.01


def test_dot_product_test_of_a_nonlinear_map(rng):
    """A layer tanh(x W), its pullback, and three slips in that."""
    W, x = rng.standard_normal((3, 3)), rng.standard_normal((5, 3))
    layer = lambda x: np.tanh(x @ W)
    slope = 1 - layer(x) ** 2
    assert dot_product_test(layer, lambda a: (a * slope) @ W.T, x, rng) < 100 * EPS
    assert dot_product_test(layer, lambda a: (a * slope) @ W, x, rng) > 0.01
    assert dot_product_test(layer, lambda a: a @ W.T, x, rng) > 0.01
    assert dot_product_test(layer, lambda a: (a * slope) @ W.T / 5, x, rng) > 0.01
    assert math.isnan(dot_product_test(layer, lambda a: (a * slope) @ W.T * math.nan, x, rng))
    with pytest.raises(ValueError, match=r"shape of x, \(5, 3\), got \(3,\)"):
        dot_product_test(layer, lambda a: np.ones(3), x, rng)


def test_dot_product_test_believes_differences_where_the_complex_step_errs(rng):
    """|x|^2 + x^3 is complex where x is, but the imaginary part of the first term is gone."""
    fun = lambda x: abs(x) ** 2 + x**3
    x = rng.standard_normal(4)
    assert dot_product_test(fun, lambda a: a * (2 * x + 3 * x**2), x, rng) < 1e-9
    assert dot_product_test(fun, lambda a: a * 3 * x**2, x, rng) > 0.01


def test_observed_order_is_the_slope():
    assert observed_order([3.0, 3 / 2**4, 3 / 4**4]) == pytest.approx(4, abs=1e-12)
    assert observed_order([1e-2, -1e-4], ratio=10) == pytest.approx(2, abs=1e-12)
    for errors in ([1.0], [1.0, 0.0], [1.0, math.nan]):
        with pytest.raises(ValueError, match="two or more finite numbers above round-off"):
            observed_order(errors)


# ---- check_gradient: right gradients pass


class Net:
    """L = sum over the batch of weights * tanh(z0 W + b)^2, its gradient by hand, and a tree of everything in it."""

    def __init__(self, rng, batch=5):
        self.weights = rng.standard_normal((batch, 4))
        self.x = {
            "z0": rng.standard_normal((batch, 3)),
            "theta": {"W": rng.standard_normal((3, 4)), "V": rng.standard_normal((4, 4)), "b": rng.standard_normal(4)},
        }

    def loss(self, x):
        theta = x["theta"]
        return np.sum(self.weights * (np.tanh(x["z0"] @ theta["W"] + theta["b"]) @ theta["V"]) ** 2)

    def gradient(self, x):
        theta = x["theta"]
        y = np.tanh(x["z0"] @ theta["W"] + theta["b"])
        a_out = 2 * self.weights * (y @ theta["V"])
        a_pre = a_out @ theta["V"].T * (1 - y * y)
        a_theta = {"W": x["z0"].T @ a_pre, "V": y.T @ a_out, "b": a_pre.sum(axis=0)}
        return {"z0": a_pre @ theta["W"].T, "theta": a_theta}


@pytest.fixture
def net(rng):
    return Net(rng)


def test_a_right_gradient_passes_to_round_off(net):
    report = check_gradient(net.loss, net.gradient, net.x)
    assert report and report.passed and report.diagnosis == ""
    assert report.slope == pytest.approx(2, abs=0.01)
    for leaf in report.rows:
        assert leaf.method == "complex step"
        assert np.max(leaf.gap) < 100 * EPS * leaf.scale
    lines = str(report).splitlines()
    assert lines[0] == "gradient check passed"
    assert [line.split()[0] for line in lines[2:]] == ["z0", "theta.W", "theta.V", "theta.b"]
    assert all(line.endswith("ok") for line in lines[2:])


def test_a_gradient_may_be_given_as_array_or_as_function(net):
    x, rest = net.x["theta"]["W"], net.x
    loss = lambda W: net.loss({"z0": rest["z0"], "theta": rest["theta"] | {"W": W}})
    g = net.gradient(rest)["theta"]["W"]
    for gradient in (g, lambda W: g, g.tolist()):
        assert check_gradient(loss, gradient, x)
        assert not check_gradient(loss, lambda W: -g, x)
    assert check_gradient(loss, g, x).worst.startswith("x[")


def test_differences_stand_in_where_the_complex_step_is_refused(net):
    """float() refuses complex numbers: Richardson takes over, and still sees an error of 1e-7."""
    report = check_gradient(lambda x: float(net.loss(x)), net.gradient, net.x)
    assert report and {leaf.method for leaf in report.rows} == {"differences"}
    wrong = net.gradient(net.x)
    wrong["theta"]["W"][1, 2] *= 1 + 1e-7
    assert check_gradient(lambda x: float(net.loss(x)), wrong, net.x).worst == "theta.W[1, 2]"


def test_differences_overrule_a_complex_step_that_errs(rng):
    """|x_0|^2 loses its imaginary part and x^3 does not, so the complex step misses a term without a warning."""
    x = rng.standard_normal(3)
    fun = lambda x: abs(x[0]) ** 2 + np.sum(x**3)
    right = 3 * x**2 + [2 * x[0], 0, 0]
    assert complex_step(fun, x) == pytest.approx(3 * x**2)
    assert check_gradient(fun, right, x)
    report = check_gradient(fun, 3 * x**2, x)
    assert not report and "gradient = complex step, but not = differences" in report.diagnosis


def test_no_right_gradient_fails_and_no_wrong_one_passes(rng):
    """Many scales, frequencies and shapes; an error of 1e-6 in one component is seen by differences as well."""
    for _ in range(30):
        n, scale, omega = rng.integers(1, 6), 10.0 ** rng.uniform(-3, 3), 10.0 ** rng.uniform(-1, 1)
        x, w = rng.standard_normal(n), rng.standard_normal(n)
        fun = lambda x: scale * (np.sum(w * np.sin(omega * x)) + np.sum(x) ** 2)  # noqa: B023
        g = scale * (w * omega * np.cos(omega * x) + 2 * np.sum(x))
        wrong = np.where(np.abs(g) == np.max(np.abs(g)), g * (1 + 1e-6), g)
        for form in (fun, lambda x: float(np.real(fun(x)))):  # noqa: B023
            assert check_gradient(form, g, x, rng=rng)
            assert not check_gradient(form, wrong, x, rng=rng)


def test_double_precision_is_held_to_nine_digits(net):
    g = net.gradient(net.x)
    assert not check_gradient(net.loss, {"z0": g["z0"] * (1 + 1e-9), "theta": g["theta"]}, net.x)


def test_single_precision_is_held_to_four_digits_against_double(net):
    single = lambda tree: tree_map(lambda _, leaf: leaf.astype(np.float32), tree)
    x = single(net.x)
    g = single(net.gradient(x))
    report = check_gradient(net.loss, g, x)
    assert report
    exact = leaves(net.gradient(tree_map(lambda _, leaf: leaf.astype(float), x)))
    for leaf in report.rows:
        np.testing.assert_allclose(leaf.reference, exact[leaf.name], atol=100 * EPS * leaf.scale)
    g["theta"]["b"] = g["theta"]["b"] * np.float32(1.001)
    assert not check_gradient(net.loss, g, x)


def test_small_leaves_are_held_to_their_own_size(net):
    """dL/db ten thousand times smaller than the rest, and wrong in its seventh digit."""
    loss = lambda x: net.loss({"z0": x["z0"], "theta": x["theta"] | {"b": 1e-4 * x["b"]}})
    x = {"z0": net.x["z0"], "theta": {k: net.x["theta"][k] for k in "WV"}, "b": 1e4 * net.x["theta"]["b"]}
    g = net.gradient(net.x)
    b = 1e-4 * g["theta"].pop("b")
    assert check_gradient(loss, g | {"b": b}, x)
    assert not check_gradient(loss, g | {"b": b * (1 + 1e-6)}, x)


X3 = np.array([0.7, -1.2, 0.3])
NEAR_ZERO = {  # fun and its gradient at x = s X3
    "a square": lambda s: (lambda x: np.sum(x**2), 2 * s * X3),
    "a cube": lambda s: (lambda x: np.sum(x**3), 3 * (s * X3) ** 2),
    "a wave as short as x": lambda s: (lambda x: np.sum(np.sin(x / s)), np.cos(X3) / s),
    "a small and short wave": lambda s: (lambda x: s * np.sum(np.sin(x / s)), np.cos(X3)),
    "a long wave": lambda s: (lambda x: np.sum(np.sin(x)), np.cos(s * X3)),
    "far from zero": lambda s: (lambda x: np.sum(np.exp(x)), np.exp(s * X3)),
    "a small value": lambda s: (lambda x: s * np.sum(np.sin(x + 1)), s * np.cos(s * X3 + 1)),
}


@pytest.mark.parametrize("s", [1e-5, 1e-12, 1e-20, 1e-150, 1e-300])
@pytest.mark.parametrize("kind", NEAR_ZERO)
@pytest.mark.parametrize("complex_step", [True, False], ids=["complex step", "differences"])
def test_right_gradients_pass_and_wrong_ones_fail_at_values_near_zero(kind, s, complex_step):
    """Whether fun varies on the scale of x or on the scale of 1; all is in the range of floats, some only just."""
    fun, g = NEAR_ZERO[kind](s)
    form = fun if complex_step else lambda x: float(np.real(fun(x)))
    report = check_gradient(form, g, s * X3)
    assert report, report
    if "the true gradient is zero" in str(report):  # as far as anyone can tell who sees fun only: x^2 is 0 in floats
        assert kind in ("a square", "a cube") and np.max(np.abs(g)) < 1e-20
    else:
        assert not check_gradient(form, g * 1.01, s * X3)
        assert not check_gradient(form, g * [1, 1, 0], s * X3)
        assert report.slope > 1.5


@pytest.mark.parametrize("s", [1e-300, 1e-150, 1e150, 1e300])
def test_very_small_and_very_large_gradients_are_diagnosed_like_any_other(s):
    fun = lambda x: s * np.sum(np.sin(x))
    g = s * np.cos(X3)
    assert check_gradient(fun, g, X3)
    assert check_gradient(fun, -g, X3).diagnosis == "x: sign: gradient = -reference"
    assert check_gradient(fun, 2 * g, X3).diagnosis.startswith("x: factor: gradient = 2 reference")
    assert check_gradient(fun, g * [1, 0, 1], X3).diagnosis == "x: missing: only x[1] is zero"
    assert not check_gradient(fun, np.full(3, 1e308), X3)


def test_components_of_very_different_size_are_each_measured_on_their_own_scale():
    x = np.array([1e-8, 1.0, 0.0])
    for form in (lambda x: np.log(x[0]) + np.sin(x[1]) + x[2], lambda x: float(np.log(x[0]) + np.sin(x[1]) + x[2])):
        assert check_gradient(form, [1e8, np.cos(1.0), 1.0], x)
    np.testing.assert_allclose(finite_difference(lambda x: np.log(x[0]) + x[1] ** 2, x[:2], "richardson"), [1e8, 2])
    slope = finite_difference(lambda x: (x[0] + 1e-8) ** 2 + 0 * x[1], np.array([0.0, 1e-8]), "richardson")
    np.testing.assert_allclose(slope, [2e-8, 0.0], atol=1e-18)  # at 0 the scale is that of the others


def test_an_approximate_gradient_may_be_given_its_tolerance(net):
    g = net.gradient(net.x)
    g["z0"] = g["z0"] + 1e-6 * np.max(np.abs(g["z0"])) * np.cos(np.arange(15.0)).reshape(5, 3)
    report = check_gradient(net.loss, g, net.x)
    assert not report and report.diagnosis.startswith("z0: close")
    assert check_gradient(net.loss, g, net.x, rtol=1e-5)


def test_a_fun_that_computes_in_complex_numbers_is_real(rng):
    x = rng.standard_normal(3)
    assert check_gradient(lambda x: np.sum((x + 0j) ** 2), 2 * x, x)
    by_differences = check_gradient(lambda x: np.sum(abs(x) ** 2) + 0j, 2 * x, x)
    assert by_differences and by_differences.rows[0].reference.dtype == float
    with pytest.raises(ValueError, match="fun must be real where x is"):
        check_gradient(lambda x: np.sum(x**2) + 1j, 2 * x, x)


def test_the_same_seed_gives_the_same_report(net):
    reports = [str(check_gradient(net.loss, net.gradient, net.x, rng=np.random.default_rng(3))) for _ in range(2)]
    assert reports[0] == reports[1] == str(check_gradient(net.loss, net.gradient, net.x, rng=np.random.default_rng(3)))
    assert repr(check_gradient(net.loss, net.gradient, net.x)) == str(check_gradient(net.loss, net.gradient, net.x))


# ---- trees and names


def test_components_are_named_by_the_tree_or_by_hand(net):
    g = net.gradient(net.x)
    g["theta"]["W"][2, 1] += 1
    assert check_gradient(net.loss, g, net.x).worst == "theta.W[2, 1]"
    x = np.array([1.0, 2.0])
    report = check_gradient(lambda x: np.sum(x**2), np.array([2.0, 5.0]), x, names=["rate", "mass"])
    assert report.worst == "mass" and "only mass is wrong" in report.diagnosis


def test_lists_tuples_numbers_and_empty_leaves():
    """A list of numbers is a vector; a list of arrays is a tree; an empty leaf (no parameters) counts for nothing."""
    assert check_gradient(lambda x: np.sum(np.asarray(x) ** 2), [2.0, 4.0], [1.0, 2.0]).worst.startswith("x[")
    assert check_gradient(lambda x: x**3, 12.0, 2).worst == "x"
    x = (np.array([1.0, 2.0]), {"a": 3.0, "none": np.zeros(0)})
    gradient = lambda x: (x[1]["a"] * 2 * x[0], {"a": np.sum(x[0] ** 2), "none": np.zeros(0)})
    report = check_gradient(lambda x: x[1]["a"] * np.sum(x[0] ** 2), gradient, x)
    assert report and [leaf.name for leaf in report.rows] == ["[0]", "[1].a"]


def test_a_leaf_may_insist_on_being_real(rng):
    """A solve wants its times real: then the other leaves keep their complex step, and the times get differences."""

    def fun(x):
        if np.iscomplexobj(x["ts"]):
            raise TypeError("ts must be real")
        if np.iscomplexobj(x["theta"]) and not np.iscomplexobj(x["z0"]):
            raise TypeError("make z0 complex too")
        return np.sum(x["z0"] * np.exp(x["theta"] * x["ts"]))

    x = {"theta": rng.standard_normal(3), "ts": rng.standard_normal(3), "z0": rng.standard_normal(3)}
    e = np.exp(x["theta"] * x["ts"])
    g = {"z0": e, "theta": x["z0"] * x["ts"] * e, "ts": x["z0"] * x["theta"] * e}
    report = check_gradient(fun, g, x)
    assert report
    assert {leaf.name: leaf.method for leaf in report.rows} == {
        "theta": "complex step",
        "ts": "differences",
        "z0": "complex step",
    }


# ---- what is refused, and what does not pass


@pytest.mark.parametrize(
    "fun, gradient, x, error, text",
    [
        (np.sin, np.cos, np.ones(3), ValueError, r"one number, got float64 of shape \(3,\).*np.sum"),
        (lambda x: None, np.cos, np.ones(3), ValueError, "one number, got object"),
        (np.sum, np.ones(2), np.ones(3), ValueError, r"at x it is \(2,\), x is \(3,\)"),
        (lambda x: x["a"], {"b": 1.0}, {"a": 1.0}, ValueError, "with the leaves a; got b"),
        (np.sum, np.ones(3), np.ones(3) * 1j, TypeError, "x must be real numbers, got complex128"),
        (np.sum, np.ones(3) * 1j, np.ones(3), TypeError, "gradient at x must be real numbers, got complex128"),
        (lambda x: 1.0, {}, {}, ValueError, "nothing to check"),
    ],
)
def test_errors_say_what_to_do(fun, gradient, x, error, text):
    with pytest.raises(error, match=text):
        check_gradient(fun, gradient, x)


@pytest.mark.parametrize("kind", [np.ma.MaskedArray, np.matrix], ids=["masked", "matrix"])
def test_subclasses_of_arrays_are_refused(kind, rng):
    """A mask would be lost without a word, and a matrix changes what * means."""
    x = np.ones((2, 2)).view(kind)
    square = lambda x: np.sum(np.asarray(x) ** 2)
    for call in (
        lambda: finite_difference(square, x),
        lambda: complex_step(square, x),
        lambda: taylor_slope(square, x, 2 * np.ones((2, 2)), rng),
        lambda: dot_product_test(square, lambda a: a * np.ones((2, 2)), x, rng),
        lambda: check_gradient(square, 2 * np.ones((2, 2)), x),
        lambda: check_gradient(square, x, np.ones((2, 2))),
        lambda: check_gradient(lambda x: square(x["a"]), {"a": 2 * np.ones((2, 2))}, {"a": x}),
    ):
        with pytest.raises(TypeError, match="give an ordinary array"):
            call()


def test_layout_and_byte_order_of_x_do_not_matter(rng):
    x = rng.standard_normal((3, 2))
    cube, g = (lambda x: np.sum(x**3)), 3 * x**2
    read_only = x.copy()
    read_only.flags.writeable = False
    for same in (np.asfortranarray(x), x.astype(">f8"), np.repeat(x, 2, axis=0)[::2], read_only):
        np.testing.assert_array_equal(complex_step(cube, same), complex_step(cube, x))
        np.testing.assert_array_equal(
            finite_difference(cube, same, "richardson"), finite_difference(cube, x, "richardson")
        )
        assert check_gradient(cube, g, same) and not check_gradient(cube, g.T.reshape(3, 2), same)


def test_names_must_be_complete():
    with pytest.raises(ValueError, match="names must name all 3 components of x, got 1"):
        check_gradient(np.sum, np.ones(3), np.ones(3), names=["a"])


def test_what_is_not_finite_does_not_pass(rng):
    """nan compares false with everything, so a careless check lets it through."""
    x = rng.uniform(1, 2, 3)
    cube = lambda x: np.sum(x**3)
    report = check_gradient(cube, np.array([3 * x[0] ** 2, math.nan, math.inf]), x)
    assert not report and report.worst == "x[1]" and math.isnan(report.slope)
    assert report.diagnosis == "x: not finite: gradient, first at x[1], which is nan; 2 of 3 components"
    report = check_gradient(cube, np.where([0, 0, 1], math.inf, 3 * x**2), x)
    assert report.diagnosis == "x: not finite: gradient, first at x[2], which is inf; 1 of 3 components"
    report = check_gradient(lambda x: cube(x) * math.nan, 3 * x**2, x)
    assert not report and report.diagnosis.startswith("not finite: fun(x) = nan") and "FAILED" in str(report)
    assert report.worst is None
    alone = lambda y: cube(y) if np.array_equal(np.real(y), x) else math.nan  # finite at x, and nowhere else
    report = check_gradient(alone, 3 * x**2, x)
    assert not report and "not finite: the differences of fun near x" in report.diagnosis


def test_a_probe_that_fun_refuses_is_no_verdict(rng):
    """Neighbouring times 0.02 apart: a step of 0.1 would cross them and fun raises; shorter steps tell all there is."""

    def fun(ts):
        if not np.all(np.diff(ts) > 0):
            raise ValueError("ts must increase")
        return float(np.sum(np.sin(ts) * [1, 2, 3]))

    ts = np.array([0.3, 0.32, 0.9])
    assert check_gradient(fun, np.cos(ts) * [1, 2, 3], ts)
    assert not check_gradient(fun, np.cos(ts) * [1, 2, 4], ts)


def test_a_zero_gradient_passes_with_a_warning(net):
    loss = lambda x: net.loss(x["net"]) + 0 * np.sum(x["idle"])
    g = {"net": net.gradient(net.x), "idle": np.zeros(2)}
    report = check_gradient(loss, g, {"net": net.x, "idle": np.ones(2)})
    assert report and "warning: idle: the true gradient is zero: this check proves little" in str(report)
    assert "warning" not in str(check_gradient(net.loss, net.gradient, net.x))
    g["idle"] = np.array([0, 1e-3])
    report = check_gradient(loss, g, {"net": net.x, "idle": np.ones(2)})
    assert not report and report.diagnosis.startswith("idle: spurious")


def test_zero_is_what_round_off_cannot_tell_from_zero(rng):
    """sin^2 b + cos(2 b) / 2 is constant, but its derivatives come out as 1e-16; and 0 is 0."""
    x = {"a": rng.standard_normal(3), "b": rng.standard_normal(3)}
    fun = lambda x: np.sum(x["a"] ** 2) + 100 * np.sum(np.sin(x["b"]) ** 2 + np.cos(2 * x["b"]) / 2)
    for form in (fun, lambda x: float(fun(x))):
        report = check_gradient(form, {"a": 2 * x["a"], "b": np.zeros(3)}, x)
        assert report and "b: the true gradient is zero" in str(report)
    assert check_gradient(lambda x: 0 * np.sum(x), np.zeros(3), np.ones(3))


def test_zero_beside_large_components_is_zero_up_to_their_round_off(rng):
    """The value is 0, the gradient 1e3 and 0: off by 1e-13 is round-off, off by 1e-9 is not."""
    x = {"large": np.zeros(3), "idle": rng.standard_normal(2)}
    fun = lambda x: 1e3 * np.sum(np.sin(x["large"])) + 0 * np.sum(x["idle"])
    large = np.full(3, 1e3)
    assert check_gradient(fun, {"large": large, "idle": np.array([1e-13, 0])}, x)
    assert not check_gradient(fun, {"large": large, "idle": np.array([1e-9, 0])}, x)


def test_noise_does_not_excuse_a_wrong_gradient(rng):
    """Differences that scatter by 100 % would allow anything; they are allowed 1 % at most."""
    x = rng.standard_normal(3)
    fun = lambda x: float(np.sum(x**2)) + math.sin(1e9 * float(np.sum(x)))
    assert not check_gradient(fun, np.zeros(3), x)


def test_noise_is_pointed_out(rng):
    """A ripple of 1e-7 with wave length 1e-7: differences cannot see through it, the Taylor slope says so."""
    x = rng.standard_normal(3)
    fun = lambda x: np.sum(x**2) + 1e-6 * float(np.sum(np.real(x)) * 1e7 % 1)
    report = check_gradient(fun, 2 * x, x, rtol=0.1)
    assert report and report.slope < 1.5 and "fun has a kink, or noise" in str(report)


# ---- what a wrong gradient looks like


def planted(net, leaf, slip):
    g = net.gradient(net.x)
    place = g["theta"] if leaf in g["theta"] else g
    place[leaf] = slip(place[leaf])
    return check_gradient(net.loss, g, net.x).diagnosis


def zero_row(g):
    g[1] = 0
    return g


def wrong_column(g):
    g[:, 2] += 1 + np.arange(len(g))
    return g


@pytest.mark.parametrize(
    "leaf, slip, diagnosis",
    [
        ("W", lambda g: -g, "theta.W: sign: gradient = -reference"),
        ("z0", lambda g: -g, "z0: sign"),
        ("b", lambda g: 2 * g, "theta.b: factor: gradient = 2 reference, as if counted twice"),
        ("V", lambda g: 0.1 * g, "theta.V: factor: gradient = 0.1 reference (1 / 10)"),
        ("V", lambda g: -0.3 * g, "theta.V: factor: gradient = -0.3 reference (1 / -3.3333)"),
        ("b", lambda g: g * [1, -1, -1, 1], "theta.b: sign: all is right but the sign of theta.b[1], theta.b[2]"),
        (
            "W",
            lambda g: g * np.where(g > g.min(), -1, 1),
            "theta.W: sign: all is right but the sign of theta.W[0, 1], ",
        ),
        ("z0", lambda g: g * [1, 1, -1.1], "z0: local: only column 2 is wrong"),
        ("W", lambda g: g / 5, "theta.W: batch averaged, not summed: gradient = reference / 5"),
        ("W", lambda g: g / 15, "theta.W: batch averaged, not summed: gradient = reference / 15"),
        ("W", lambda g: g / 3, "theta.W: factor"),
        ("z0", lambda g: g / 5, "z0: factor: gradient = 0.2 reference (1 / 5)"),
        ("V", lambda g: g.T, "theta.V: transposed"),
        ("W", lambda g: g.T.reshape(3, 4), "theta.W: transposed"),
        ("W", lambda g: g.reshape(4, 3).T, "theta.W: transposed"),
        ("W", lambda g: 0 * g, "theta.W: missing: gradient = 0"),
        ("W", zero_row, "theta.W: missing: only row 1 is zero"),
        ("V", wrong_column, "theta.V: local: only column 2 is wrong"),
        ("b", lambda g: g + [0, 0, 1, 0], "theta.b: local: only theta.b[2] is wrong"),
        ("b", lambda g: g + [0, 0, 1e-4, 0] * g, "theta.b: local: only theta.b[2] is wrong"),
        ("b", lambda g: g * [1, 0, 1, 1], "theta.b: missing: only theta.b[1] is zero"),
        ("b", lambda g: g + 1e-7 * np.max(np.abs(g)), "theta.b: close"),
        ("W", lambda g: g**2 + 1, "theta.W: no simple pattern"),
        ("b", lambda g: g**2 + 1, "theta.b: no simple pattern"),
    ],
)
def test_a_slip_is_known_by_its_pattern(net, leaf, slip, diagnosis):
    assert planted(net, leaf, slip).startswith(diagnosis)


def test_a_corner_of_an_array_of_three_axes_is_found(rng):
    """Rows are along the first axis, columns along the last."""
    x = rng.standard_normal((3, 2, 4))
    cube = lambda x: np.sum(x**3)
    for where, said in ((np.s_[1], "row 1"), (np.s_[..., 3], "column 3"), (np.s_[:, :, 1], "column 1")):
        g = 3 * x**2
        g[where] += rng.uniform(1, 2, g[where].shape)
        assert check_gradient(cube, g, x).diagnosis == f"x: local: only {said} is wrong"
    g = 3 * x**2
    g[:, 1] += 1
    assert check_gradient(cube, g, x).diagnosis == "x: no simple pattern"


def test_one_slip_in_many_leaves_is_told_once(net):
    negative = {"z0": -net.gradient(net.x)["z0"], "theta": {k: -v for k, v in net.gradient(net.x)["theta"].items()}}
    report = check_gradient(net.loss, negative, net.x)
    assert report.diagnosis == "z0, theta.W, theta.V, theta.b: sign: gradient = -reference"
    assert "diagnosis:\n  z0, theta.W" in str(report) and "traj.replay" in str(report)


def leaf(name, gradient, reference, allowed=1e-9, frozen=False):
    g, r = np.asarray(gradient, float), np.asarray(reference, float)
    error, allowed = np.zeros(r.shape), np.full(r.shape, allowed)
    return Leaf(name, leaf_names({name: r}), g, r, error, allowed, "complex step", 2.0, frozen)


RIGHT_Z0 = leaf("z0", np.ones((4, 3, 2)), np.ones((4, 3, 2)))
WRONG_Z0 = leaf("z0", [1.0, 2.5], [1.0, 2.0])
T3 = np.array([1.0, 2.0, 3.0])

# fmt: off
LEAVES = [  # a wrong leaf, the leaves beside it, and its diagnosis
    (leaf("a", [1, np.nan, -np.inf], T3), [],        "not finite: gradient, first at a[1], which is nan; 2 of 3 c"),
    (leaf("a", T3, [1, 2, np.inf]),       [],        "not finite: the differences of fun near x, first at a[2], w"),
    (leaf("a", 2 * T3, T3, frozen=True),  [],        "frozen mesh"),
    (leaf("a", T3 * 1.0009, T3),          [],        "close"),
    (leaf("a", T3 * 1.0011, T3),          [],        "factor: gradient = 1.0011 reference"),
    (leaf("a", T3 + [0, 0, 1e-3], T3),    [],        "local: only a[2] is wrong"),
    (leaf("a", -T3, T3),                  [],        "sign: gradient = -reference"),
    (leaf("a", -1.002 * T3, T3),          [],        "factor: gradient = -1.002 reference"),
    (leaf("a", 2 * T3, T3),               [],        "factor: gradient = 2 reference, as if counted twice"),
    (leaf("a", 2.002 * T3, T3),           [],        "factor: gradient = 2.002 reference (1 / 0.4995): a step h"),
    (leaf("a", 0.5 * T3, T3),             [],        "factor: gradient = 0.5 reference (1 / 2): a step h"),
    (leaf("a", [3.0], [1.0]),             [],        "no simple pattern"),
    (leaf("a", [0.5], [1.0]),             [],        "factor: gradient = 0.5 reference (1 / 2): a step h"),
    (leaf("a", [0.502], [1.0]),           [],        "no simple pattern"),
    (leaf("a", [0, 1e-3, 0], 0 * T3),     [],        "spurious: the true gradient is zero, this one is up to"),
    (leaf("a", 0 * T3, T3),               [],        "missing: gradient = 0"),
    (leaf("a", T3 / 4, T3),               [RIGHT_Z0], "batch averaged, not summed: gradient = reference / 4, and z0"),
    (leaf("a", T3 / 12, T3),              [RIGHT_Z0], "batch averaged, not summed: gradient = reference / 12"),
    (leaf("a", T3 / 24, T3),              [RIGHT_Z0], "batch averaged, not summed: gradient = reference / 24"),
    (leaf("a", T3 / 3, T3),               [RIGHT_Z0], "factor: gradient = 0.33333 reference (1 / 3)"),
    (leaf("a", T3 / 2, T3),               [WRONG_Z0], "factor: gradient = 0.5 reference (1 / 2)"),
    (leaf("a", T3 * [1, -1, 1], T3),      [],        "sign: all is right but the sign of a[1]"),
    (leaf("a", [-1, -2, -3, 4], [1, 2, 3, 4]), [],   "sign: all is right but the sign of a[0], a[1], a[2]"),
    (leaf("a", [-1, -2, -3, -4, 5], [1, 2, 3, 4, 5]), [], "sign: all is right but the sign of a[0], a[1], a[2], ..."),
    (leaf("a", T3 * [1, -1.1, 1], T3),    [],        "local: only a[1] is wrong"),
    (leaf("a", T3 * [1, 0, 1], T3),       [],        "missing: only a[1] is zero"),
    (leaf("a", T3 * [1, 0, 0], T3),       [],        "no simple pattern"),
    (leaf("a", [1.3, 2.1, 3, 4, 5], [1, 2, 3, 4, 5]), [], "no simple pattern"),
    (leaf("a", np.eye(4) + 1, 3 * np.eye(4)), [],    "no simple pattern"),
    (leaf("ts", T3 * [1, 1, 0], T3),      [RIGHT_Z0], "time term missing: all is right but ts[2]. dL/dt_i"),
    (leaf("p.t", 3.0, 1.0),               [RIGHT_Z0], "time term missing: all is right but p.t. dL/dt_i"),
    (leaf("ts", T3 * [1, 1, 0], T3),      [WRONG_Z0], "missing: only ts[2] is zero"),
    (leaf("ts", T3 * [0.9, 0, 1], T3),    [WRONG_Z0], "jump dropped: ts[1] zero. The loss looks at z(t_i) directly"),
    (leaf("ts", T3 * [0.9, 1, 1], T3),    [WRONG_Z0], "jump dropped, it seems: a is wrong at t_0"),
    (leaf("ts", T3[:2] * [0.9, 1], T3[:2]), [WRONG_Z0], "jump dropped, it seems: a is wrong at t_0"),
    (leaf("ts", T3 * [1, 1, 0.9], T3),    [WRONG_Z0], "local: only ts[2] is wrong"),
    (leaf("ts", [3.0], [1.0]),            [WRONG_Z0], "no simple pattern"),
]
# fmt: on


@pytest.mark.parametrize("wrong, others, said", LEAVES, ids=range(len(LEAVES)))
def test_what_a_wrong_leaf_looks_like(wrong, others, said):
    text = find_pattern(wrong, [*others, wrong])
    assert text.startswith(said) and (text == said or len(said) > 40 or text[len(said)] in ",:;. (")
    rest = "".join(f"{other.name}: {find_pattern(other, others)}\n" for other in others if not other.passed)
    assert diagnose([*others, wrong]) == f"{rest}{wrong.name}: {text}"


def test_the_worst_component_breaks_its_allowance_by_the_largest_factor():
    row = leaf("a", [1.0, 2.5, 3.1], T3)._replace(allowed=np.array([1.0, 1.0, 0.01]))
    assert row.worst == (pytest.approx(10), 2) and row.bad.tolist() == [False, False, True] and not row.passed
    assert leaf("a", [1, np.nan, 9], T3).worst[1] == 1 and leaf("a", T3, T3).worst == (0, 0)
    other = leaf("b", [1.0], [2.0], allowed=0.5)
    assert Report([row, other]).worst == "a[2]" and Report([other, row]).worst == "a[2]"
    assert Report([other._replace(slope=1.0), row]).slope == 1 and not Report([other, leaf("a", T3, T3)])
    assert Report([leaf("a", T3, T3)]) and Report([leaf("a", T3, T3)]).diagnosis == ""


def test_the_table_of_a_report():
    rows = [leaf("a", [1.0, 2.5, 3.0], T3)._replace(slope=1.0), leaf("idle", [0.0, 1e-12], [0.0, 0.0])]
    heading, first, second, *rest = str(Report(rows)).split("\n")[1:]
    names = ["leaf", "worst", "component", "gradient", "reference", "error", "allowed", "reference", "by", "slope"]
    assert heading.split() == names
    assert first.split() == ["a", "a[1]", "2.5", "2", "1.7e-01", "3.3e-10", "complex", "step", "1.00", "WRONG"]
    assert second.split() == ["idle", "idle[1]", "1e-12", "0", "1.0e-12", "1.0e-09", "complex", "step", "2.00", "ok"]
    assert rest[0] == "warning: idle: the true gradient is zero: this check proves little"
    slow = str(Report([leaf("a", T3, T3)._replace(slope=1.4)])).split("\n")
    assert slow[0] == "gradient check passed" and slow[-1].startswith("warning: a: Taylor slope 1.40, not 2")
    assert "warning" not in str(Report([leaf("a", T3, T3)._replace(slope=1.6)]))


def test_a_single_number_is_not_called_a_multiple():
    """Any number is some multiple of any other, so only a telling factor is told."""
    diagnosis = lambda factor: check_gradient(lambda x: x**3, 12.0 * factor, 2.0).diagnosis
    assert diagnosis(1.37) == "x: no simple pattern"
    assert diagnosis(-1) == "x: sign: gradient = -reference"
    assert diagnosis(2).startswith("x: factor") and diagnosis(0.5).startswith("x: factor")
    assert diagnosis(0) == "x: missing: gradient = 0"


# ---- an ODE problem: z0, theta and every t_i in one call


def euler(z0, theta, ts, n=8):
    """dz/dt = theta_0 z cos t + theta_1 z^2 by n Euler steps in each interval: zs (T, B)."""
    zs, z = [z0], z0
    for t0, t1 in zip(ts, ts[1:], strict=False):
        h = (t1 - t0) / n
        for i in range(n):
            z = z + h * (theta[0] * z * np.cos(t0 + i * h) + theta[1] * z * z)
        zs.append(z)
    return zs


def loss(x):
    """Looks at the middle and at the end; a different weight for each of the batch."""
    zs = euler(x["z0"], x["theta"], x["ts"])
    return np.sum(np.array([1.0, -2.0, 0.5]) * (zs[1] ** 2 + zs[2] ** 3))


@pytest.fixture(params=[(0.2, 0.9, 1.4), (1.4, 0.9, 0.2)], ids=["forwards", "backwards"])
def problem(request):
    x = {"z0": np.array([0.5, 0.8, -0.3]), "theta": np.array([0.7, -0.4]), "ts": np.array(request.param)}
    gradient = {name: complex_step(lambda leaf, name=name: loss(x | {name: leaf}), x[name]) for name in x}
    return x, gradient


def test_z0_theta_and_ts_in_one_call(problem):
    x, g = problem
    report = check_gradient(loss, g, x)
    assert report and [leaf.name for leaf in report.rows] == ["z0", "theta", "ts"]
    assert np.min(np.abs(np.concatenate(list(g.values())))) > 1e-3  # no zero is checked against zero


@pytest.mark.parametrize(
    "slip, diagnosis",
    [
        (lambda g: {"ts": g["ts"] + [0.1, 0, 0]}, "ts: time term missing: all is right but ts[0]."),
        (lambda g: {"ts": g["ts"] * [1, 1, 0]}, "ts: time term missing: all is right but ts[2]."),
        (lambda g: {"ts": np.zeros(3)}, "ts: time term missing: all is right but ts[0], ts[1], ts[2]."),
        (lambda g: {"ts": -g["ts"]}, "ts: sign"),
        (lambda g: {"theta": g["theta"] / 3}, "theta: batch averaged, not summed: gradient = reference / 3"),
        (lambda g: {"theta": g["theta"] / 0.0625}, "theta: factor: gradient = 16 reference (1 / 0.0625): a step h"),
        (
            lambda g: {"z0": g["z0"] + 1, "ts": g["ts"] * [0.9, 0, 1]},
            "z0: no simple pattern\nts: jump dropped: ts[1] zero",
        ),
        (
            lambda g: {"z0": g["z0"] + 1, "ts": g["ts"] * [0.9, 1, 1]},
            "z0: no simple pattern\nts: jump dropped, it seems",
        ),
        (lambda g: {"z0": g["z0"] + 1, "ts": g["ts"] * [0.9, 1, 1.1]}, "z0, ts: no simple pattern"),
        (lambda g: {"z0": g["z0"] + 1, "ts": g["ts"] * [1, 0.5, 1]}, "z0: no simple pattern\nts: local: only ts[1]"),
        (lambda g: {"z0": g["z0"] + 1, "ts": g["ts"] * [0, 1, 0]}, "z0, ts: no simple pattern"),
        (lambda g: {"theta": 2 * g["theta"], "ts": g["ts"] * [1, 0, 1]}, "theta: factor: gradient = 2 reference, as"),
        (
            lambda g: {"theta": g["theta"] + 1, "ts": g["ts"] * [0.9, 0, 1]},
            "theta, ts: no simple pattern",
        ),
        (
            lambda g: {"theta": -g["theta"], "ts": g["ts"] * [0.9, 1, 1]},
            "theta: sign: gradient = -reference\nts: local: only ts[0]",
        ),
    ],
)
def test_slips_of_an_adjoint(problem, slip, diagnosis):
    x, g = problem
    report = check_gradient(loss, g | slip(g), x)
    assert not report and report.diagnosis.startswith(diagnosis)


def test_a_gradient_of_the_frozen_mesh_is_recognised():
    """dz/dt = theta z cos t, steps chosen from |z| as an error control does. The complex step sees the frozen mesh,
    differences see the mesh move; the gradient on the frozen mesh fails against them, and the report says why."""

    def mesh(z, theta):
        ts = [0.0]
        while ts[-1] < 1:
            h = 0.1 / (1 + abs(z) ** 2)
            z = z + h * theta * z * np.cos(ts[-1])
            ts.append(ts[-1] + h)
        return ts

    def replay(theta, ts):
        z = 1.3
        for t0, t1 in zip(ts, ts[1:], strict=False):
            z = z + (t1 - t0) * theta * z * np.cos(t0)
        return z * z

    ts = mesh(1.3, 0.7)
    frozen = complex_step(lambda theta: replay(theta, ts), 0.7)
    adaptive = lambda theta: replay(theta, mesh(1.3, theta))
    assert complex_step(adaptive, 0.7) == pytest.approx(frozen, rel=1e-13)
    assert abs(finite_difference(adaptive, 0.7, "richardson") / frozen - 1) > 1e-4
    report = check_gradient(adaptive, frozen, 0.7)
    assert not report and "frozen mesh" in report.diagnosis and "traj.replay" in str(report)
    assert check_gradient(lambda theta: replay(theta, ts), frozen, 0.7)


def test_a_report_of_nothing_is_no_success():
    assert not Report([], "nothing was compared")
