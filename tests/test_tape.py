"""vjp, grad, jacobian and custom: what they promise, whatever the function."""

import math
import tracemalloc

import numpy as np
import pytest

from odelearn import Backsolve, Discrete, Dynamics, complex_step, euler, finite_difference, odeint, ravel, rk4
from odelearn.autodiff import rules_arrays, rules_linalg
from odelearn.autodiff.tape import custom, grad, jacobian, value_and_grad, vjp

rng = np.random.default_rng(2)
z, V, W = rng.normal(size=(4, 2)), rng.normal(size=3), np.array([0.5, -1.5, 2.0])
theta = rng.normal(size=2 * 5 + 5 + 5 * 2 + 2)


def mlp(z, t, theta):
    """A plain NumPy vector field: theta unravelled by slices, time in the nonlinearity."""
    W0, b0 = theta[:10].reshape(2, 5), theta[10:15]
    W1, b1 = theta[15:25].reshape(5, 2), theta[25:]
    return np.tanh(z**3 @ W0 + b0 * np.cos(t)) @ W1 + b1


def mlp_by_hand(z, t, theta, a):
    W0, b0, W1 = theta[:10].reshape(2, 5), theta[10:15], theta[15:25].reshape(5, 2)
    h = np.tanh(z**3 @ W0 + b0 * np.cos(t))
    a_pre = a @ W1.T * (1 - h * h)
    a_b0, a_W0, a_W1 = a_pre.sum(0) * np.cos(t), (z**3).T @ a_pre, h.T @ a
    a_t = -np.sin(t) * np.sum(a_pre * b0)
    return a_pre @ W0.T * 3 * z**2, a_t, np.concatenate([a_W0.ravel(), a_b0, a_W1.ravel(), a.sum(0)])


def close(x, y, rtol=1e-13):
    np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol)


# --- vjp --------------------------------------------------------------------------------------------------------------


def test_the_pullback_of_an_mlp_is_the_one_derived_by_hand():
    y, pullback = vjp(mlp, z, 0.4, theta)
    assert np.array_equal(y, mlp(z, 0.4, theta))
    for a in rng.normal(size=(3, *z.shape)):  # one pullback serves any number of cotangents
        for mine, by_hand in zip(pullback(a), mlp_by_hand(z, 0.4, theta, a), strict=True):
            close(mine, by_hand)


def test_a_chain_of_20000_operations():
    """No recursion anywhere: x -> x + c sin x, again and again; the derivative is the product of all 1 + c cos x."""

    def chain(x, c=1e-4):
        for _ in range(7_000):
            x = x + c * np.sin(x)
        return x

    def derivative(x, c=1e-4):
        product = 1.0
        for _ in range(7_000):
            x, product = x + c * np.sin(x), product * (1 + c * np.cos(x))
        return product

    close(grad(chain)(0.3), derivative(0.3), rtol=1e-11)


def test_cotangents_are_fresh_arrays():
    """Rules hand on views, and one array to two arguments; what the user gets can be written into."""
    _, pullback = vjp(lambda x, y: x + y, V, V)
    a = np.ones(3)
    a_x, a_y = pullback(a)
    a_x += 1
    assert np.all(a_y == 1) and np.all(a == 1)
    g = grad(np.sum)(V)
    g *= 2
    assert np.all(g == 2)


def test_inputs_are_not_modified():
    before = z.copy(), theta.copy()
    vjp(mlp, z, 0.4, theta)[1](np.ones_like(z))
    assert np.array_equal(z, before[0]) and np.array_equal(theta, before[1])


def test_arguments_that_do_not_matter_get_zeros():
    y, pullback = vjp(lambda x, t, w: 2 * x, V, 0.5, z)
    a_x, a_t, a_w = pullback(np.ones(3))
    assert np.all(a_x == 2) and a_t == 0.0 and np.shape(a_t) == () and np.array_equal(a_w, np.zeros_like(z))
    for fun in (lambda x: np.zeros(2), lambda x: [1, 2] @ np.ones(2), lambda x: 3):
        y, pullback = vjp(fun, V)
        assert np.array_equal(y, fun(V)) and np.array_equal(pullback(np.ones(np.shape(y)))[0], np.zeros(3))


def test_an_argument_handed_through_keeps_its_cotangent():
    _, pullback = vjp(lambda x, y: y, V, V)
    a_x, a_y = pullback([1.0, 2.0, 3.0])
    assert np.all(a_x == 0) and np.array_equal(a_y, [1.0, 2.0, 3.0])


def test_none_is_handed_on_untouched():
    y, pullback = vjp(lambda x, p: x * (2 if p is None else 3), V, None)
    a_x, a_p = pullback(np.ones(3))
    assert a_p is None and np.all(a_x == 2)


def test_integers_and_lists_count_as_float64():
    assert grad(lambda n: n**2 / 4)(3) == 1.5
    g = grad(lambda n: np.sum(n / 4))([1, 2])
    assert g.dtype == np.float64 and np.all(g == 0.25)
    assert grad(lambda n: np.sum(n / 4))(np.array([True, False])).dtype == np.float64


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_the_dtype_is_that_of_the_untraced_call(dtype):
    """A Python float t is weak, so it must not turn float32 into float64 while it is traced either."""
    zs, thetas = z.astype(dtype), theta.astype(dtype)

    def f(z, t, theta):
        return mlp(z, 2 * t, theta) * abs(t) + np.maximum(z, 0) * t**2

    y, pullback = vjp(f, zs, 0.4, thetas)
    a_z, a_t, a_theta = pullback(np.ones_like(z))
    assert y.dtype == f(zs, 0.4, thetas).dtype and a_z.dtype == a_theta.dtype == dtype
    assert np.shape(a_t) == () and a_t != 0


def test_each_cotangent_has_the_precision_of_its_argument():
    _, pullback = vjp(lambda x, y: x * y, V.astype(np.float32), V)
    a_x, a_y = pullback(V)
    assert a_x.dtype == np.float32 and a_y.dtype == np.float64


def test_the_precision_is_that_of_the_argument_also_where_an_outer_tape_traces_the_cotangent():
    """The rule of 2^x in double precision gives a gradient in single, before and after it is differentiated."""
    x = V.astype(np.float32)
    inner = lambda x: grad(lambda x: np.sum(2.0**x * x * x))(x)
    y, pullback = vjp(inner, x)
    assert inner(x).dtype == y.dtype == pullback(np.ones(3))[0].dtype == np.float32
    _, pullback = vjp(lambda x: x * x, x)
    y, again = vjp(lambda a: pullback(a)[0], V)  # a cotangent in double precision, of an argument in single
    assert y.dtype == np.float32 and again(np.ones(3))[0].dtype == np.float64
    with pytest.raises(TypeError, match="a cotangent is made of numbers"):
        vjp(lambda x: 2.0 * x, V)[1](np.array(["1", "2", "3"]))


def test_cotangents_are_bilinear():
    """a_x = a . dy/dx, without conjugation, for complex x and for complex a."""
    x, c, a = V + 1j * V[::-1], 2.0 - 3.0j, 0.5 + 1.0j
    close(vjp(lambda x: np.sum(c * x * x), x)[1](a)[0], a * 2 * c * x)
    close(vjp(lambda x: np.sum(x * x), V)[1](a)[0], a * 2 * V)
    close(vjp(lambda x: np.sum(c * x * x), V)[1](a)[0], a * 2 * c * V)


def test_the_complex_step_runs_through_a_gradient():
    f, h = lambda x: np.sum(np.exp(x) * np.tanh(x @ x)), 1e-30
    hessian = np.stack([grad(f)(V + 1j * h * e).imag / h for e in np.eye(3)])
    close(hessian, jacobian(grad(f))(V))


# --- grad, jacobian ---------------------------------------------------------------------------------------------------


def test_grad_with_respect_to_any_argument():
    f = lambda x, s, y: s * np.sum(x * x * y)
    close(grad(f)(V, 2.0, V), 4 * V * V)
    close(grad(f, 1)(V, 2.0, V), np.sum(V**3))
    close(grad(f, -1)(V, 2.0, V), 2 * V**2)
    close(value_and_grad(f)(V, 2.0, V)[1], 4 * V * V)
    value, g = value_and_grad(f, argnum=2)(V, 2.0, V)
    assert value == f(V, 2.0, V) and type(value) is type(grad(f, 1)(V, 2.0, V)) is np.float64
    close(g, 2 * V**2)


def test_jacobian_has_the_shape_of_y_then_of_x():
    A = rng.normal(size=(5, 2))
    J = jacobian(lambda z: np.sin(z @ A.T))(z)
    expected = np.einsum("bi,ij,bc->bicj", np.cos(z @ A.T), A, np.eye(4))
    assert J.shape == (4, 5, 4, 2)
    close(J, expected)
    close(jacobian(lambda t: t * V)(0.5), V)
    close(jacobian(lambda z, s: s * z, argnum=1)(z, 0.5), z)
    close(jacobian(lambda s, z: s * z)(0.5, z), z)


@pytest.mark.parametrize("argnum", [0, 1, -1, -2, np.int64(1)])
def test_argnum_counts_like_an_index(argnum):
    x, y = V, W
    expected = [2 * x * y, x**2][argnum]
    f = lambda x, y: np.sum(x * x * y)
    close(grad(f, argnum)(x, y), expected)
    close(value_and_grad(f, argnum=argnum)(x, y)[1], expected)
    close(jacobian(f, argnum)(x, y), expected)


@pytest.mark.parametrize("argnum", [2, -3])
def test_an_argnum_that_there_is_not_is_named(argnum):
    for derivative in grad, value_and_grad, jacobian:
        with pytest.raises(IndexError, match=f"argnum = {argnum}, but this call has 2 arguments; argnum = 0 is"):
            derivative(lambda x, y: x * y, argnum)(1.0, 2.0)
        with pytest.raises(TypeError, match="argnum is one whole number, got .0, 1.; for several arguments take vjp"):
            derivative(lambda x, y: x * y, (0, 1))


@pytest.mark.parametrize("entry", [vjp, grad, value_and_grad, jacobian])
def test_a_value_in_the_place_of_the_function_is_named(entry):
    """grad(loss(theta)) for grad(loss)(theta)."""
    with pytest.raises(
        TypeError, match=rf"^{entry.__name__} wants a function, got float64: write {entry.__name__}\(fun"
    ):
        entry(np.sum(V))


def test_the_jacobian_of_no_entries_is_empty():
    for dtype in np.float32, np.float64:
        J = jacobian(lambda x: np.sin(x[:0]))(V.astype(dtype))
        assert J.shape == (0, 3) and J.dtype == dtype
    assert jacobian(lambda x: 2 * x)(np.zeros((0, 2))).shape == (0, 2, 0, 2)


# --- Nesting ----------------------------------------------------------------------------------------------------------


def test_no_perturbation_confusion():
    """d/dx (x d/dy (x + y)) = d/dx x = 1, though x is being traced inside too."""
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(2.0) == 1.0
    assert grad(lambda x: x * grad(lambda y: x * y)(x))(2.0) == 4.0  # d/dx x^2, of y only the slot counts
    assert grad(lambda x: grad(lambda y: x * x * y + y**3)(x))(2.0) == 16.0  # d/dx (x^2 + 3 x^2)
    assert grad(lambda x: grad(lambda y: y * y * x)(3.0))(2.0) == 6.0  # whichever of the two stands on the left
    assert grad(lambda x: x + grad(lambda y: x * x)(1.0))(2.0) == 1.0  # to the inner tape x * x is a constant
    assert vjp(lambda x: vjp(lambda y: x * x, 1.0)[0], 3.0)[1](1.0) == (6.0,)  # and to the outer one it is not
    assert grad(lambda x: grad(lambda y: grad(lambda z: z * y * x)(1.0) + y * x)(1.0) * x)(3.0) == 12.0  # d/dx 2 x^2


def test_derivatives_of_any_order():
    f = lambda t: np.sin(2 * t)
    for factor, expected in [(2, np.cos), (-4, np.sin), (-8, np.cos), (16, np.sin)]:
        f = grad(f)
        close(f(0.3), factor * expected(0.6))


def test_hessian_vector_product_is_symmetric_and_right():
    loss = lambda theta: np.sum(mlp(z, 0.4, theta) ** 2)
    v, w = rng.normal(size=(2, theta.size))
    Hv = grad(lambda theta: np.dot(grad(loss)(theta), v))
    H = jacobian(grad(loss))(theta)
    close(H, H.T, rtol=1e-12)
    close(Hv(theta), H @ v, rtol=1e-12)
    close(w @ Hv(theta), grad(lambda theta: np.dot(grad(loss)(theta), w))(theta) @ v, rtol=1e-12)


def test_gradient_of_the_trace_of_a_jacobian():
    """For f = tanh(W z): tr(df/dz) = sum_i (1 - tanh^2) W_ii, whose gradient in W is known."""
    W, x = rng.normal(size=(3, 3)), V
    trace = lambda W: np.trace(jacobian(lambda x: np.tanh(W @ x))(x))
    s = np.tanh(W @ x)
    close(trace(W), np.sum((1 - s * s) * np.diag(W)))
    expected = np.diag(1 - s * s) - np.outer(2 * s * (1 - s * s) * np.diag(W), x)
    close(grad(trace)(W), expected)


def test_a_pullback_may_be_called_on_traced_cotangents():
    """a -> a . dy/dx is linear, so its own pullback is the Jacobian-vector product."""
    A = rng.normal(size=(2, 3))
    _, pullback = vjp(lambda x: np.tanh(A @ x), V)
    _, forward = vjp(lambda a: pullback(a)[0], np.zeros(2))
    close(forward(V)[0], (1 - np.tanh(A @ V) ** 2) * (A @ V))


# --- Slices: their cotangents are added up in one array ---------------------------------------------------------------


@pytest.mark.parametrize("leaves", [2, 20, 200])
def test_the_gradient_through_unravel_fills_theta_once_however_many_leaves_there_are(monkeypatch, leaves):
    """One array of zeros, and each entry of it written once: O(P), where one array for each leaf would be O(P leaves).

    All used twice, and beside them theta as a whole.
    """
    filled, scatter = [], rules_arrays.scatter
    monkeypatch.setattr(rules_arrays, "scatter", lambda *args: filled.append(args[2]) or scatter(*args))
    start, unravel = ravel({f"W{i}": rng.normal(size=(2, 3)) for i in range(leaves)})

    def loss(theta):
        parts = unravel(theta).values()
        return sum(np.sum(np.sin(W)) for W in parts) + sum(np.sum(W * W) for W in parts) + np.sum(theta)

    close(grad(loss)(start), np.cos(start) + 2 * start + 1)
    assert filled == [(6 * leaves,)]
    held = []
    monkeypatch.setattr(rules_arrays, "scatter", scatter)
    tracemalloc.start()
    for P in (10_000, 20_000):
        start, unravel = ravel([np.ones(P // leaves) for _ in range(leaves)])
        _, pullback = vjp(lambda theta, unravel=unravel: sum(np.sum(np.sin(W)) for W in unravel(theta)), start)
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        pullback(1.0)
        held.append(tracemalloc.get_traced_memory()[1] - before)
    tracemalloc.stop()
    assert held[1] - held[0] < 3 * 8 * 10_000  # of 10,000 more numbers: the sum, and one leaf or a copy


# fmt: off
@pytest.mark.parametrize("fun", [
    lambda x: np.sum(np.sin(x[:4])) + np.sum(np.cos(x[2:])),                        # overlapping
    lambda x: np.sum(np.sin(x[:4])) + np.sum(np.cos(x)) + np.sum(x[1:] ** 3),       # and the whole between them
    lambda x: np.sum(x**2) + np.sum(np.sin(x[::2])) * x[1] + x[-1] * x[1],
    lambda x: np.sum(np.sin(x[[0, 0, 3]])) + np.sum(x[[1, 1]] ** 2) + np.sum(np.exp(x[:2])),  # one entry several times
    lambda x: np.sum(np.sin(x[x > 0])) + np.sum(x[None, 2:5] ** 3) + x[..., 0] ** 2,
    lambda x: np.sum(x.reshape(2, 3)[1] ** 2 * x.reshape(2, 3)[:, 0].sum()) + np.prod(x[:3]),
    lambda x: x[2] * 1.0,
], ids=range(7))
# fmt: on
def test_slices_of_every_kind_add_up(fun):
    x = np.array([0.3, -0.8, 1.1, 0.6, -0.2, 0.9])
    x_before = x.copy()
    y, pullback = vjp(fun, x)
    once, again = pullback(1.0)[0], pullback(1.0)[0]
    close(once, complex_step(fun, x))
    assert np.array_equal(once, again) and not np.shares_memory(once, again) and np.array_equal(x, x_before)
    close(jacobian(grad(fun))(x), finite_difference(grad(fun), x), rtol=1e-7)
    close(vjp(grad(fun), x)[1](x)[0], jacobian(grad(fun))(x) @ x)  # the Hessian is symmetric
    assert grad(fun)(x.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("order", [1, -1])
def test_pieces_of_several_precisions_take_the_widest(order):
    """One slice goes on in single precision, and so does its cotangent; the other one's keeps all its digits."""
    double = lambda x: (2 * x, lambda a: (2 * a,))
    single = lambda x: np.sum(custom(double, x[1:].astype(np.float32)))
    parts = [lambda x: np.sum(x[:2] ** 2), single][::order]
    g = vjp(lambda x: parts[0](x) + parts[1](x), V)[1](1.0)[0]
    assert g.dtype == float and np.array_equal(g, [2 * V[0], 2 * V[1] + 2, 2])


def test_an_outer_tape_may_trace_some_of_the_pieces():
    def inner(y):
        return np.sum(grad(lambda x: np.sum(x[:2] ** 3) + np.sum(y * x[1:] ** 2) + np.sum(x**2))(V) ** 2)

    close(grad(inner)(W[:2]), complex_step(inner, W[:2]))


@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 5, 3), (4, 1, 2, 3)])
def test_a_matrix_that_multiplies_a_stack_gets_one_product(monkeypatch, shape):
    """a_W = sum over all rows of x^T a: no stack of products that is summed afterwards."""
    x, A = rng.normal(size=shape), rng.normal(size=(3, 4))
    y, pullback = vjp(lambda x, A: x @ A, x, A)
    a = rng.normal(size=y.shape)
    monkeypatch.setattr(rules_linalg, "unbroadcast", None)
    a_x, a_A = pullback(a)
    close(a_x, a @ A.T)
    close(a_A, sum(np.outer(x[n], a[n]) for n in np.ndindex(shape[:-1])))
    hessian_product = lambda A: vjp(lambda x: np.sin(x @ A), x)[1](a)[0]
    close(vjp(hessian_product, A)[1](x)[0], complex_step(lambda A: np.sum(x * hessian_product(A)), A))


# --- custom -----------------------------------------------------------------------------------------------------------


def product(x, y):
    """x y, with its pullback."""
    return x * y, lambda a: (a * y, a * x)


def test_custom_is_one_operation_with_its_own_pullback():
    close(grad(lambda x: np.sum(custom(product, np.sin(x), x) * x))(V), V * V * np.cos(V) + 2 * V * np.sin(V))
    close(grad(lambda x: np.sum(custom(product, V, x)))(V), V)
    assert np.array_equal(custom(product, V, V), V * V)


def test_custom_nests():
    cube = lambda x: custom(product, x, custom(product, x, x))
    assert grad(grad(grad(cube)))(2.0) == 6.0
    assert grad(lambda x: grad(lambda y: custom(product, x, y * y))(3.0))(2.0) == 6.0


def test_custom_mistakes_are_named():
    with pytest.raises(ValueError, match="gave 1 cotangents for 2 arguments"):
        grad(lambda x: np.sum(custom(lambda x, y: (x * y, lambda a: (a * y,)), x, V)))(V)
    with pytest.raises(ValueError, match=r"of shape \(3,\) .* got one of shape \(\)"):
        grad(lambda x: np.sum(custom(lambda x: (2 * x, lambda a: (2 * np.sum(a),)), x)))(V)
    with pytest.raises(TypeError, match="a cotangent is made of numbers"):
        grad(lambda x: custom(lambda x: (2 * x, lambda a: (None,)), x))(2.0)
    with pytest.raises(TypeError, match="uses a traced value from outside; pass it as an argument"):
        grad(lambda x: np.sum(custom(lambda y: (x * y, lambda a: (a * x,)), x)))(V)
    with pytest.raises(TypeError, match="uses a traced value from outside"):
        grad(lambda x: grad(lambda y: np.sum(custom(lambda x: (x * y, lambda a: (a * y,)), x)))(V)[0])(V)
    with pytest.raises(TypeError, match=r"gives a tuple, one cotangent for each argument, got ndarray; .* \(a_x,\)"):
        grad(lambda x: np.sum(custom(lambda x: (2 * x, lambda a: 2 * a), x)))(V)


@pytest.mark.parametrize("differentiate", [grad, lambda fun: fun], ids=["traced", "plain"])
@pytest.mark.parametrize(("given", "message"), [
    (V,                                              "custom wants a function, got ndarray"),
    (lambda x: 2 * x,                                "must return y, pullback: a value and a function; got"),
    (lambda x: (x, 2 * x),                           "must return y, pullback: a value and a function; got tuple"),
    (lambda x: (x, lambda a: (a,), None),            "must return y, pullback"),
    (lambda x: ((x, x), lambda a: (a[0] + a[1],)),   "one array or number, got tuple; join several by np.stack"),
    (lambda x: (None, lambda a: (a,)),               "one array or number, got NoneType"),
])  # fmt: skip
def test_what_is_no_value_and_pullback_is_refused_traced_or_not(differentiate, given, message):
    with pytest.raises(TypeError, match=message):
        differentiate(lambda x: np.sum(custom(given, x)))(V)


def test_custom_takes_several_arguments_traced_or_not_in_any_shapes():
    """y = A x + c: each argument alone, all together, and one that is no number."""

    def affine(A, x, c, name):
        assert name == "affine"
        return A @ x + c, lambda a: (a[:, np.newaxis] * x, a @ A, a, None)

    A, x, c, a = rng.normal(size=(2, 3)), V, rng.normal(size=2), rng.normal(size=2)
    y, pullback = vjp(lambda A, x, c: custom(affine, A, x, c, "affine"), A, x, c)
    close(y, A @ x + c)
    for mine, expected in zip(pullback(a), (np.outer(a, x), a @ A, a), strict=True):
        close(mine, expected)
    close(vjp(lambda x: custom(affine, A, x, c, "affine"), x)[1](a)[0], a @ A)


def test_several_outputs_travel_in_one_array():
    def sin_and_cos(x):
        s, c = np.sin(x), np.cos(x)
        return np.stack([s, c]), lambda a: (a[0] * c - a[1] * s,)

    def loss(x):
        s, c = custom(sin_and_cos, x)
        return np.sum(W * s * c)

    close(grad(loss)(V), W * np.cos(2 * V))
    close(jacobian(grad(loss))(V), np.diag(-2 * W * np.sin(2 * V)))


def test_second_derivatives_of_a_custom_function_are_right_or_an_error_that_says_why():
    """Written in NumPy it is differentiated again; a number made by other means cannot be, and says so."""
    by_numpy = lambda x: (x**3, lambda a: (a * 3 * x**2,))
    close(jacobian(grad(lambda x: np.sum(custom(by_numpy, x))))(V), np.diag(6 * V))
    by_math = lambda x: (math.sin(x), lambda a: (a * math.cos(x),))
    close(grad(lambda x: custom(by_math, x))(0.4), np.cos(0.4))
    with pytest.raises(TypeError, match="would cut the trace"):
        grad(grad(lambda x: custom(by_math, x)))(0.4)
    by_asarray = lambda x: (np.sum(x**2), lambda a: (2 * a * np.asarray(x),))
    close(grad(lambda x: custom(by_asarray, x))(V), 2 * V)
    with pytest.raises(TypeError, match="an ordinary array cannot hold traced values"):
        jacobian(grad(lambda x: custom(by_asarray, x)))(V)


@pytest.mark.parametrize("tree", [{"W": V, "b": 1.0}, (V, theta), [V, 1.0, {"b": V}], [[1.0, 2.0], [3.0]]])
def test_a_tree_in_the_place_of_an_argument_is_told_to_ravel(tree):
    for differentiate in (grad, value_and_grad, jacobian):
        with pytest.raises(TypeError, match=r"derivatives need one array.*theta, unravel = odelearn\.ravel\(tree\)"):
            differentiate(lambda tree: 0.0)(tree)


# --- What a pullback holds on to --------------------------------------------------------------------------------------


# fmt: off
@pytest.mark.parametrize("f, arrays", [  # how many arrays like z the pullback holds, beyond that of z * theta[0]
    (lambda z, t, theta: np.sin(z) * theta[0],                     1),  # sin z
    (lambda z, t, theta: np.sin(z * theta[0]) * np.cos(z),         3),  # z theta, its sine, cos z
    (lambda z, t, theta: np.stack([z, t * z])[1] * theta[0],       3),  # t z, and the stack, which is two
    (lambda z, t, theta: np.where(z > 0, z, 2.0) * theta[0], 1 + 1/8),  # what np.where gives; and truths, a byte each
])
# fmt: on
def test_the_bytes_held_by_pullbacks_of_the_tape_are_counted(f, arrays):
    """What the rules look at, and nothing twice."""
    z0, theta = np.linspace(-1, 1, 1001), np.array([0.5, 2.0])

    def held(f, n, theta=theta):
        zs, pullback = Discrete().vjp(z0, f, (0.0, 1.0), theta, euler(n=n))
        return pullback(np.ones_like(zs)).stats.bytes

    for n in 1, 3:
        beyond = held(f, n) - held(lambda z, t, theta: z * theta[0], n)
        assert 0 <= beyond - n * arrays * z0.nbytes < n * 100  # a few single numbers too
        assert held(f, n, np.append(theta, np.zeros(5000))) == held(f, n)  # theta is shared by all, and not counted


def test_the_bytes_held_by_pullbacks_of_the_tape_are_what_tracemalloc_sees():
    f = lambda z, t, theta: np.concatenate([np.tanh(theta[0] * z[:1]) * t, np.where(z > 0.5, z * z, z)[1:]])
    z0, theta, ts = np.linspace(0, 1, 20_000).reshape(4, 5000), np.array([0.5]), (0.0, 0.5, 1.0)
    tracemalloc.start()
    zs, pullback = Discrete().vjp(z0, f, ts, theta, rk4(n=3))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert pullback(zs).stats.bytes == pytest.approx(held, rel=0.02)


# --- Errors at the line -----------------------------------------------------------------------------------------------


def write_item(x):
    x[0] = 1.0


def write_into_array(x):
    np.zeros(3)[:2] = x[:2]


def write_into_entry(x):
    np.zeros(3)[0] = x[0]


def write_into_entry_of_matrix(x):
    np.zeros((3, 3), np.float32)[1, 2] = x[0] * x[1]


def write_into_all_entries(x):
    np.zeros(3).fill(x[0])


def write_into_integers(x):
    np.zeros(3, int)[0] = x[0]


def add_in_place(x):
    x += 1.0
    return x


def matmul_in_place(x):
    x @= np.eye(3)
    return x


def add_in_place_to_array(x):
    y = np.zeros(3)
    y += x
    return y


# fmt: off
@pytest.mark.parametrize("fun, error, message", [
    (write_item,                               TypeError,  r"x\[i\] = y writes .* np\.where or np\.concatenate"),
    (write_into_array,                         TypeError,  r"instead of z\[i\] = x .* np\.stack"),
    (write_into_entry,                         TypeError,  r"z\[i\] = x would write .* z = np\.stack\(\[x0, x1\]\)"),
    (write_into_entry_of_matrix,               TypeError,  r"z\[i\] = x would write .* z = np\.stack\(\[x0, x1\]\)"),
    (write_into_all_entries,                   TypeError,  r"z\[i\] = x would write .* z = np\.stack\(\[x0, x1\]\)"),
    (write_into_integers,                      TypeError,  r"instead of z\[i\] = x .* np\.stack"),
    (add_in_place,                             TypeError,  r"y \+= x writes .* write y = y \+ x"),
    (matmul_in_place,                          TypeError,  r"y \+= x writes .* write y = y \+ x"),
    (add_in_place_to_array,                    TypeError,  r"y \+= x \(and out=y\) writes .* write y = y \+ x"),
    (lambda x: np.exp(x, out=np.zeros(3)),     TypeError,  r"out=y\) writes"),
    (lambda x: np.array([x[0], x[1]]),         TypeError,  r"write np\.stack\(\[x, y\]\)"),
    (lambda x: np.asarray(x),                  TypeError,  r"for np\.asarray\(x\) just x"),
    (lambda x: np.eye(3).dot(x),               TypeError,  r"for A\.dot\(x\) A @ x"),
    (lambda x: float(x[0]),                    TypeError,  r"grad wants a scalar result"),
    (lambda x: int(x[0]),                      TypeError,  r"would cut the trace"),
    (lambda x: math.sin(x[0]),                 TypeError,  r"write np\.sin\(x\)"),
    (lambda x: (x, x),                         TypeError,  r"must return one array, got tuple; .* np\.stack"),
    (lambda x: [x[1], -x[0]],                  TypeError,  r"must return one array, got list"),
    (lambda x: None,                           TypeError,  r"must return one array, got NoneType"),
    (lambda x: "x",                            TypeError,  r"derivatives need numbers, got an array of dtype <U1"),
    (lambda x: {x},                            TypeError,  r"unhashable"),
    (lambda x: x[0].nothing,                   AttributeError, r"nothing"),
])
# fmt: on
def test_what_would_cut_the_trace_raises_at_the_line(fun, error, message):
    with pytest.raises(error, match=message):
        vjp(fun, V)


def rotation(z, t, theta):
    """What a beginner writes: dz/dt filled entry by entry."""
    dz = np.zeros(2)
    dz[0] = theta[0] * z[1]
    dz[1] = -z[0]
    return dz


@pytest.mark.parametrize("method", [Backsolve(), Discrete()])
def test_filling_an_array_entry_by_entry_gets_the_advice_as_its_message(method):
    """NumPy asks for float(x) here, and puts an error of its own on top of ours: the advice is what comes out."""
    z0, theta = np.array([1.0, 0.0]), np.array([0.5])
    for differentiate in (
        lambda: vjp(rotation, z0, 0.0, theta),
        lambda: vjp(lambda theta: grad(lambda z: np.sum(rotation(z, 0.0, theta)))(z0), theta),
        lambda: Dynamics(rotation).vjp(z0, 0.0, theta),
        lambda: grad(lambda theta: np.sum(odeint(z0, rotation, (0.0, 1.0), theta, rk4(n=3), method)))(theta),
    ):
        with pytest.raises(TypeError, match=r"z\[i\] = x would write .* z = np\.stack") as info:
            differentiate()
        assert info.value.__cause__ is None and info.value.__suppress_context__
        assert "dz[0] = theta[0] * z[1]" in str(info.traceback[-1].statement)


def test_other_errors_of_the_function_come_out_as_they_are():
    def fails(x):
        try:
            float(x)
        except TypeError as error:
            raise ValueError("mine") from error

    with pytest.raises(ValueError, match="no such thing"):
        vjp(lambda x: {}.get(0) or (_ for _ in ()).throw(ValueError("no such thing")), V)
    with pytest.raises(TypeError, match="z = np.stack"):  # as NumPy does it: float(x) failed, and something on top
        vjp(fails, 1.0)


def test_grad_of_an_array_names_its_shape():
    with pytest.raises(TypeError, match=r"grad wants a scalar .* shape \(3,\); sum it, or use jacobian"):
        grad(np.sin)(V)


def test_a_cotangent_of_the_wrong_shape_names_both():
    _, pullback = vjp(lambda x: x[:2], V)
    with pytest.raises(ValueError, match=r"of a value of shape \(2,\) has that shape, got one of shape \(3,\)"):
        pullback(V)
    with pytest.raises(ValueError, match=r"shape \(2,\) has that shape, got one of shape \(\)"):
        pullback(1.0)


def test_a_traced_value_that_escapes_is_caught():
    kept = []
    vjp(lambda x: kept.append(x) or np.sum(x), V)
    with pytest.raises(RuntimeError, match="after its vjp .* had ended"):
        kept[0] + 1
    with pytest.raises(RuntimeError, match="after its vjp .* had ended"):
        grad(lambda x: np.sum(x * kept[0]))(V)
    with pytest.raises(TypeError, match="must return one array, got Traced"):
        vjp(lambda x: kept[0], V)


# --- A stand-in behaves as the array ----------------------------------------------------------------------------------


def test_a_traced_value_looks_like_its_array():
    seen = []

    def look(z, t):
        seen.append(
            (z.shape, z.ndim, z.size, z.dtype, len(z), t.shape, t.ndim, t.size, t.dtype, bool(t), f"{t:.2f}", repr(t))
        )
        return np.sum(z) * t

    vjp(look, z, 0.5)
    f8 = np.dtype(float)
    assert seen == [((4, 2), 2, 8, f8, 4, (), 0, 1, f8, True, "0.50", "Traced(0.5)")]


def test_branches_and_loops_follow_the_values():
    def f(x):
        total = 0.0
        for x_i in x:
            total += x_i * x_i if x_i > 0 else -3 * x_i  # += on a scalar is a new scalar, as in NumPy
        return total

    close(grad(f)(V), np.where(V > 0, 2 * V, -3))


def test_unpacking_and_stacking_a_vector_field():
    def lotka_volterra(z, t, theta):
        x, y = z.T
        alpha, beta, gamma, delta = theta
        return np.stack([alpha * x - beta * x * y, delta * x * y - gamma * y], axis=-1)

    rates, a = np.array([1.1, 0.4, 0.4, 0.1]), rng.normal(size=z.shape)
    (x, y), (a_x, a_y) = z.T, a.T
    _, _, a_theta = vjp(lotka_volterra, z, 0.0, rates)[1](a)
    close(a_theta, [a_x @ x, -a_x @ (x * y), -a_y @ y, a_y @ (x * y)])


@pytest.mark.parametrize("left", [2, 2.0, np.float64(2), np.full(3, 2.0), [2.0, 2.0, 2.0]])
def test_anything_may_stand_left_of_an_operator(left):
    x = np.abs(V) + 1
    close(grad(lambda x: np.sum(left + x))(x), np.ones(3))
    close(grad(lambda x: np.sum(left - x))(x), -np.ones(3))
    close(grad(lambda x: np.sum(left * x))(x), np.full(3, 2.0))
    close(grad(lambda x: np.sum(left / x))(x), -2 / x**2)
    close(grad(lambda x: np.sum(left**x))(x), 2**x * np.log(2))
    close(grad(lambda x: np.sum(left % x + 0 * x))(x), -np.floor(2 / x))
    assert np.array_equal(vjp(lambda x: left // x, x)[0], 2 // x)


def test_astype_and_0d():
    assert vjp(lambda x: x.astype(np.float32), V)[0].dtype == np.float32
    close(grad(lambda x: np.sum(x.astype(complex) ** 2))(V), 2 * V)
    assert vjp(lambda x: x.astype(np.float32), V)[1](V)[0].dtype == np.float64
    assert vjp(lambda x: x.astype(np.float32, copy=False), 0.5)[0].dtype == np.float32  # a Python float, too
    assert vjp(lambda x: x.astype(int), 2.5)[0] == 2
    close(grad(lambda x: x.astype(np.float64, copy=False) ** 2)(3.0), 6.0)
    close(grad(lambda x: x * x)(np.array(3.0)), 6.0)
