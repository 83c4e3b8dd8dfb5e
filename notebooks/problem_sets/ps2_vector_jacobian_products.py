# %% [markdown]
# # PS2 Vector-Jacobian products
#
# | | |
# |---|---|
# | **You will show that you can** | write pullbacks of layers by hand, check them, and build a tape that composes them |
# | **You need** | notebooks 01 and 02 |
# | **Points and time** | 11 parts, 28 points, about 6 hours |
#
# Write your code where it says so, and run the cells in their order. A cell after **Checkpoint** tells you what is
# probably wrong; it gives no points. The cells with tests give points, and hold further tests that you do not see. Everything is written
# by hand: NumPy is allowed, a tape of a library is not.
#
# A *cotangent* `a` of `y` is the array of derivatives $\partial L / \partial y$, shaped like `y`. A *pullback* turns it into the
# cotangents of the inputs. A batch has `N` rows, one an example. Gradients of parameters are summed over the batch.

# %% nbgrader={"grade_id": "imports", "locked": true}
import numpy as np

from odelearn import checks

# %% [markdown]
# ## Part 1: tanh (2 points)
#
# $y = \tanh x$, elementwise. Return `y` and its pullback. The derivative can be computed from `y`.


# %% nbgrader={"grade_id": "tanh", "solution": true}
def tanh_vjp(x):
    """y, pullback: pullback(a_y) -> a_x, shaped like x."""
    ### BEGIN SOLUTION
    y = np.tanh(x)
    return y, lambda a_y: a_y * (1 - y * y)
    ### END SOLUTION


# %% nbgrader={"grade_id": "tanh-tests", "grade": true, "points": 2}
y, pullback = tanh_vjp(np.array([0.0, 1.0]))
assert np.allclose(y, np.tanh([0.0, 1.0])), "the value is tanh(x)"
assert np.isclose(pullback(np.array([1.0, 1.0]))[0], 1.0), "at 0 the slope of tanh is 1"
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 1])
x, a = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
with by_hand("scipy"):
    y, pullback = tanh_vjp(x)
    a_x = pullback(a)
assert np.allclose(a_x, a / np.cosh(x) ** 2, rtol=1e-12), "a_x is a_y times 1 - tanh(x)^2"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 2: A dense layer on a batch (4 points)
#
# $y = x W + b$ with `x` (N, D), `W` (D, H), `b` (H,).


# %% nbgrader={"grade_id": "dense", "solution": true}
def dense_vjp(x, W, b):
    """y, pullback: pullback(a_y) -> (a_x, a_W, a_b)."""
    ### BEGIN SOLUTION
    return x @ W + b, lambda a_y: (a_y @ W.T, x.T @ a_y, a_y.sum(0))
    ### END SOLUTION


# %% nbgrader={"grade_id": "dense-tests", "grade": true, "points": 4}
y, pullback = dense_vjp(np.ones((2, 3)), np.ones((3, 4)), np.zeros(4))
assert [np.shape(part) for part in pullback(np.ones((2, 4)))] == [(2, 3), (3, 4), (4,)], (
    "each cotangent has the shape of its input"
)
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 2])
x, W, b, a = rng.normal(size=(5, 3)), rng.normal(size=(3, 3)), rng.normal(size=3), rng.normal(size=(5, 3))
with by_hand("scipy"):
    y, pullback = dense_vjp(x, W, b)
    a_x, a_W, a_b = pullback(a)
assert np.allclose(y, np.einsum("nd,dh->nh", x, W) + b), "the value is x W + b"
assert np.allclose(a_x, np.einsum("nh,dh->nd", a, W), rtol=1e-12), "a_x is wrong when W is square: is W transposed?"
assert not np.allclose(a_W, np.einsum("nd,nh->dh", x, a) / 5), "a_W is averaged over the batch; it is a sum"
assert np.allclose(a_W, np.einsum("nd,nh->dh", x, a), rtol=1e-12), "a_W is the sum over the batch of x_nd a_nh"
assert np.allclose(a_b, np.einsum("nh->h", a), rtol=1e-12), "a_b is the sum over the batch of a"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 3: A network (4 points)
#
# $f(z) = \tanh(z W_0 + b_0)\, W_1 + b_1$, put together from parts 1 and 2. `params` is the tuple `(W0, b0, W1, b1)`. The
# pullback goes through the layers in reverse order.


# %% nbgrader={"grade_id": "network", "solution": true}
def network_vjp(z, params):
    """y, pullback: pullback(a_y) -> (a_z, (a_W0, a_b0, a_W1, a_b1))."""
    ### BEGIN SOLUTION
    W0, b0, W1, b1 = params
    pre, dense0 = dense_vjp(z, W0, b0)
    hidden, tanh0 = tanh_vjp(pre)
    y, dense1 = dense_vjp(hidden, W1, b1)

    def pullback(a_y):
        a_hidden, a_W1, a_b1 = dense1(a_y)
        a_z, a_W0, a_b0 = dense0(tanh0(a_hidden))
        return a_z, (a_W0, a_b0, a_W1, a_b1)

    return y, pullback
    ### END SOLUTION


# %% nbgrader={"grade_id": "network-tests", "grade": true, "points": 4}
params = (np.ones((2, 3)), np.zeros(3), np.ones((3, 2)), np.zeros(2))
y, pullback = network_vjp(np.zeros((1, 2)), params)
a_z, a_params = pullback(np.ones((1, 2)))
assert np.allclose(a_z, 6.0), "at z = 0 the network is linear: each a_z is the sum of 3 x 2 paths of weight 1"
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 3])
params = tuple(rng.normal(size=shape) for shape in ((2, 4), (4,), (4, 2), (2,)))
z, a, v = rng.normal(size=(6, 2)), rng.normal(size=(6, 2)), rng.normal(size=(6, 2))
with by_hand("scipy"):
    y, pullback = network_vjp(z, params)
    a_z, a_params = pullback(a)
    again, _ = pullback(2 * a)
network = lambda z, W0, b0, W1, b1: np.tanh(z @ W0 + b0) @ W1 + b1
assert np.allclose(y, network(z, *params)), "the value of the network is wrong"
directional = np.sum(a * network(z + 1e-30j * v, *params).imag) / 1e-30  # the complex step: exact to round-off
assert np.isclose(np.sum(a_z * v), directional, rtol=1e-10), "a_z is not the derivative of <a, f(z)>"
for i, name in enumerate(("W0", "b0", "W1", "b1")):
    assert np.shape(a_params[i]) == params[i].shape, f"a_{name} has another shape than {name}"
    w = rng.normal(size=params[i].shape)
    moved = tuple(p + 1e-30j * w if j == i else p for j, p in enumerate(params))
    directional = np.sum(a * network(z, *moved).imag) / 1e-30
    assert np.isclose(np.sum(a_params[i] * w), directional, rtol=1e-10), (
        f"a_{name} is not the derivative of <a, f> by {name}"
    )
assert np.allclose(again, 2 * a_z), "a pullback is linear, and can be called more than once"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 4: Time as an input (3 points)
#
# Dynamics $f(z, t)$ see time as one more column: the network's input is $[z, t]$, of shape (N, D + 1), with the same `t` in
# every row. `W0` then has D + 1 rows. Because `t` is one number for the whole batch, its cotangent is one number.


# %% nbgrader={"grade_id": "time", "solution": true}
def dynamics_vjp(z, t, params):
    """dz, pullback: pullback(a) -> (a_z (N, D), a_t a number, a_params)."""
    ### BEGIN SOLUTION
    dz, network = network_vjp(np.column_stack([z, np.full(len(z), t)]), params)

    def pullback(a):
        a_input, a_params = network(a)
        return a_input[:, :-1], a_input[:, -1].sum(), a_params

    return dz, pullback
    ### END SOLUTION


# %% [markdown]
# **Checkpoint.** The check calls your function with a flat vector of parameters, as the library does.

# %% nbgrader={"grade_id": "time-checkpoint", "locked": true}
SHAPES = ((3, 4), (4,), (4, 2), (2,))


def unflatten(theta):
    """The tuple of parameters of a 3-4-2 network from a flat vector (26,)."""
    parts = np.split(theta, np.cumsum([int(np.prod(shape)) for shape in SHAPES])[:-1])
    return tuple(part.reshape(shape) for part, shape in zip(parts, SHAPES, strict=True))


def flat_vjp(z, t, theta):
    dz, pullback = dynamics_vjp(z, t, unflatten(theta))

    def flat_pullback(a):
        a_z, a_t, a_params = pullback(a)
        return a_z, a_t, np.concatenate([np.ravel(part) for part in a_params])

    return dz, flat_pullback


rng = np.random.default_rng(0)
checks.check_vjp(flat_vjp, rng.normal(size=(5, 2)), 0.3, rng.normal(size=26))

# %% nbgrader={"grade_id": "time-tests", "grade": true, "points": 3}
dz, pullback = dynamics_vjp(np.zeros((4, 2)), 0.0, (np.ones((3, 5)), np.zeros(5), np.ones((5, 2)), np.zeros(2)))
a_z, a_t, _ = pullback(np.ones((4, 2)))
assert np.shape(a_z) == (4, 2) and np.shape(a_t) == (), "a_z is shaped like z, and a_t is one number"
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 4])
params = tuple(rng.normal(size=shape) for shape in ((4, 5), (5,), (5, 3), (3,)))
z, t, a = rng.normal(size=(6, 3)), rng.normal(), rng.normal(size=(6, 3))
with by_hand("scipy"):
    dz, pullback = dynamics_vjp(z, t, params)
    a_z, a_t, a_params = pullback(a)


def dynamics(z, t, W0, b0, W1, b1):
    return np.tanh(z @ W0[:-1] + t * W0[-1] + b0) @ W1 + b1


assert np.allclose(dz, dynamics(z, t, *params)), "the last row of W0 belongs to t"
directional = np.sum(a * dynamics(z, t + 1e-30j, *params).imag) / 1e-30
assert not np.isclose(a_t, directional / 6), "a_t is averaged over the batch; it is a sum"
assert np.isclose(a_t, directional, rtol=1e-10), "a_t is not the derivative of <a, f> by t"
v = rng.normal(size=(6, 3))
assert np.isclose(np.sum(a_z * v), np.sum(a * dynamics(z + 1e-30j * v, t, *params).imag) / 1e-30, rtol=1e-10), (
    "a_z is wrong"
)
### END HIDDEN TESTS

# %% [markdown]
# ## Part 5: The dot-product test (2 points)
#
# For the Jacobian $J$ of `fun` at `x`, any `v` and any `a`: $\langle a, J v\rangle = \langle J^T a, v\rangle$. The left side is
# $\big\langle a,\; (fun(x + \varepsilon v) - fun(x - \varepsilon v)) / 2\varepsilon \big\rangle$ with $\varepsilon = 10^{-6}$; the right side uses the pullback. Return the relative gap, $|left - right| / \max(|left|, |right|)$.


# %% nbgrader={"grade_id": "dot", "solution": true}
def dot_product_gap(fun, pullback, x, v, a):
    """The relative gap between <a, J v> by central differences and <pullback(a), v>."""
    ### BEGIN SOLUTION
    eps = 1e-6
    left = np.sum(a * (fun(x + eps * v) - fun(x - eps * v))) / (2 * eps)
    right = np.sum(pullback(a) * v)
    return abs(left - right) / max(abs(left), abs(right))
    ### END SOLUTION


# %% nbgrader={"grade_id": "dot-tests", "grade": true, "points": 2}
x = np.array([0.3, -0.2])
assert dot_product_gap(np.sin, lambda a: a * np.cos(x), x, np.ones(2), np.ones(2)) < 1e-8, (
    "the pullback of sin is right here"
)
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 5])
J, x, v, a = rng.normal(size=(4, 3)), rng.normal(size=3), rng.normal(size=3), rng.normal(size=4)
fun = lambda x: np.tanh(J @ x)
slope = lambda x: 1 - np.tanh(J @ x) ** 2
with by_hand("scipy"):
    good = dot_product_gap(fun, lambda a: J.T @ (a * slope(x)), x, v, a)
    doubled = dot_product_gap(fun, lambda a: 2 * J.T @ (a * slope(x)), x, v, a)
    flipped = dot_product_gap(fun, lambda a: -J.T @ (a * slope(x)), x, v, a)
assert good < 1e-7, "a right pullback has a gap near round-off"
assert np.isclose(doubled, 0.5, rtol=1e-4), "a pullback that is twice too large has the relative gap 1/2"
assert np.isclose(flipped, 2.0, rtol=1e-4), "a pullback of the wrong sign has the relative gap 2"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 6: Undo a broadcast (2 points)
#
# NumPy stretches arrays: in `x + y` with `x` (4, 1) and `y` (3,), both become (4, 3). The cotangent of an input that was
# stretched is summed over the copies. Return `a` summed to `shape`, for any shape that NumPy can stretch to that of `a`.


# %% nbgrader={"grade_id": "unbroadcast", "solution": true}
def unbroadcast(a, shape):
    """a, summed to an array of the given shape."""
    ### BEGIN SOLUTION
    a = a.sum(tuple(range(a.ndim - len(shape))))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and a.shape[i] != 1)
    return a.sum(stretched, keepdims=True).reshape(shape)
    ### END SOLUTION


# %% nbgrader={"grade_id": "unbroadcast-tests", "grade": true, "points": 2}
assert unbroadcast(np.ones((4, 3)), (3,)).tolist() == [4, 4, 4], "each of the three entries had four copies"
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 6])
for shape in ((), (5,), (1,), (4, 5), (4, 1), (1, 5), (1, 1), (2, 4, 5), (2, 1, 5), (1, 1, 1)):
    a, x = rng.normal(size=(2, 4, 5)), rng.normal(size=shape)
    with by_hand("scipy"):
        found = unbroadcast(a, shape)
    assert np.shape(found) == shape, f"from (2, 4, 5) to {shape} the result has shape {np.shape(found)}"
    assert np.isclose(np.sum(found * x), np.sum(a * x), rtol=1e-10), (
        f"from (2, 4, 5) to {shape} the sum over the copies is wrong"
    )
### END HIDDEN TESTS

# %% [markdown]
# ## A tape
#
# A `Node` holds a value and where it came from: pairs of a parent and a pullback. `add` and `total` are given.


# %% nbgrader={"grade_id": "node", "locked": true}
class Node:
    """A value on the tape. links: [(parent, pullback), ...], pullback(a) -> the cotangent that the parent receives."""

    def __init__(self, value, links=()):
        self.value, self.links = np.asarray(value, float), list(links)


def add(x, y):
    return Node(
        x.value + y.value,
        [(x, lambda a: unbroadcast(a, x.value.shape)), (y, lambda a: unbroadcast(a, y.value.shape))],
    )


def total(x):
    return Node(x.value.sum(), [(x, lambda a: np.broadcast_to(a, x.value.shape))])


# %% [markdown]
# ## Part 7: Two more operations (2 points)
#
# Write `multiply(x, y)`, elementwise with broadcasting, and `tanh(x)`.


# %% nbgrader={"grade_id": "operations", "solution": true}
def multiply(x, y):
    """The Node of x * y."""
    ### BEGIN SOLUTION
    return Node(
        x.value * y.value,
        [
            (x, lambda a: unbroadcast(a * y.value, x.value.shape)),
            (y, lambda a: unbroadcast(a * x.value, y.value.shape)),
        ],
    )
    ### END SOLUTION


def tanh(x):
    """The Node of tanh(x)."""
    ### BEGIN SOLUTION
    y, pullback = tanh_vjp(x.value)
    return Node(y, [(x, pullback)])
    ### END SOLUTION


# %% nbgrader={"grade_id": "operations-tests", "grade": true, "points": 2}
x, y = Node(2.0), Node(3.0)
product = multiply(x, y)
assert product.value == 6.0 and [pullback(1.0) for _, pullback in product.links] == [3.0, 2.0], (
    "d(xy)/dx = y, d(xy)/dy = x"
)
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 7])
x, y, a = Node(rng.normal(size=(4, 1))), Node(rng.normal(size=3)), rng.normal(size=(4, 3))
with by_hand("scipy"):
    product, bent = multiply(x, y), tanh(y)
    a_x, a_y = (pullback(a) for _, pullback in product.links)
    a_bent = bent.links[0][1](a[0])
assert [parent for parent, _ in product.links] == [x, y] and bent.links[0][0] is y, (
    "a link holds the parent Node itself"
)
assert np.shape(a_x) == (4, 1) and np.shape(a_y) == (3,), "multiply must undo the broadcast"
assert np.allclose(a_x, (a * y.value).sum(1, keepdims=True)) and np.allclose(a_y, (a * x.value).sum(0)), (
    "multiply: wrong cotangent"
)
assert np.allclose(a_bent, a[0] / np.cosh(y.value) ** 2), "tanh: wrong cotangent"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 8: The way back (4 points)
#
# `gradient(fun, x)` calls `fun` on a Node, gets a scalar Node, and returns the gradient with respect to `x`. A value may be used many times:
# its cotangents add up, and it must not be passed on before all of them have arrived. So visit the nodes in an order in
# which each comes before its parents (a reversed topological order), and call every pullback once.


# %% nbgrader={"grade_id": "sweep", "solution": true}
def gradient(fun, x):
    """d fun(x) / dx, an array shaped like x. fun takes a Node and returns a Node with a scalar value."""
    ### BEGIN SOLUTION
    start = Node(x)
    end = fun(start)
    order, seen, stack = [], set(), [(end, False)]
    while stack:
        node, finished = stack.pop()
        if finished:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack += [(parent, False) for parent, _ in node.links]
    cotangents = {id(end): np.ones(())}
    for node in reversed(order):
        a = cotangents[id(node)]
        for parent, pullback in node.links:
            cotangents[id(parent)] = cotangents.get(id(parent), 0) + pullback(a)
    return cotangents.get(id(start), np.zeros_like(start.value))
    ### END SOLUTION


# %% nbgrader={"grade_id": "sweep-tests", "grade": true, "points": 4}
assert np.allclose(gradient(lambda x: total(multiply(x, x)), np.array([1.0, 2.0])), [2, 4]), (
    "the gradient of sum x^2 is 2 x"
)
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

calls = []


def own_multiply(x, y):
    def link(parent, other):
        return parent, lambda a: calls.append(1) or unbroadcast(a * other.value, parent.value.shape)

    return Node(x.value * y.value, [link(x, y), link(y, x)])


def own_tanh(x):
    y = np.tanh(x.value)
    return Node(y, [(x, lambda a: calls.append(1) or a * (1 - y * y))])


rng = np.random.default_rng([COURSE_SEED, 8])
x, weights = rng.normal(size=(3, 4)), Node(rng.normal(size=4))


def diamond(x):  # x is used three times, h twice, along paths of different length
    h = own_tanh(own_multiply(x, weights))
    return total(add(own_multiply(h, own_tanh(own_tanh(h))), own_multiply(x, x)))


with by_hand("scipy"):
    found = gradient(diamond, x)


def diamond_of_arrays(x):
    h = np.tanh(x * weights.value)
    return np.sum(h * np.tanh(np.tanh(h)) + x * x)


with np.errstate(all="ignore"):
    right = np.array([diamond_of_arrays(x + 1e-30j * e.reshape(3, 4)).imag for e in np.eye(12)]).reshape(3, 4) / 1e-30
assert np.shape(found) == (3, 4), "the gradient is shaped like x"
assert np.allclose(found, right, rtol=1e-10), (
    "a value that is used several times gets the sum, and passes it on when all is there"
)


def doubling(x):
    for _ in range(16):
        x = own_multiply(x, x)
    return x


calls.clear()
with by_hand("scipy"):
    found = gradient(doubling, np.array(0.9999))
assert np.isclose(found, 2.0**16 * 0.9999 ** (2**16 - 1), rtol=1e-8), "x^(2^16): the gradient is wrong"
assert len(calls) == 32, f"16 products have 32 pullbacks; {len(calls)} were called: each is to be called once"


def chain(x):
    for _ in range(3000):
        x = own_tanh(x)
    return x


with by_hand("scipy"):
    gradient(chain, np.array(0.5))  # deeper than Python's recursion limit
with by_hand("scipy"):
    assert np.allclose(gradient(lambda x: total(weights), np.ones(4)), 0), (
        "a result that does not depend on x has gradient 0"
    )
### END HIDDEN TESTS

# %% [markdown]
# ## Part 9: A rule of your own: softmax (3 points)
#
# $y_i = e^{x_i} / \sum_j e^{x_j}$ along the last axis, for any leading axes. Subtract the maximum first, so that large `x`
# do no harm. Derive the pullback on paper: $\partial y_i / \partial x_j = y_i (\delta_{ij} - y_j)$.


# %% nbgrader={"grade_id": "softmax", "solution": true}
def softmax_vjp(x):
    """y, pullback: pullback(a_y) -> a_x, shaped like x."""
    ### BEGIN SOLUTION
    e = np.exp(x - x.max(-1, keepdims=True))
    y = e / e.sum(-1, keepdims=True)
    return y, lambda a: y * (a - np.sum(a * y, -1, keepdims=True))
    ### END SOLUTION


# %% nbgrader={"grade_id": "softmax-tests", "grade": true, "points": 3}
y, pullback = softmax_vjp(np.array([[0.0, 0.0], [1000.0, 0.0]]))
assert np.allclose(y, [[0.5, 0.5], [1.0, 0.0]]), "each row sums to 1, also when x is large"
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 9])
for shape in ((5,), (3, 5), (2, 3, 5)):
    x, a, v = rng.normal(size=shape), rng.normal(size=shape), rng.normal(size=shape)
    with by_hand("scipy"):
        y, pullback = softmax_vjp(x)
        a_x = pullback(a)
    assert np.shape(a_x) == shape, f"a_x has shape {np.shape(a_x)} for x {shape}"
    moved = np.exp(x + 1e-30j * v)
    directional = np.sum(a * (moved / moved.sum(-1, keepdims=True)).imag) / 1e-30
    assert np.isclose(np.sum(a_x * v), directional, rtol=1e-9), (
        f"a_x is wrong for x {shape}: each row has a Jacobian of its own"
    )
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade_id": "derive", "grade": true, "solution": true, "points": 1}
# ## Part 10: The derivation (1 point, marked by hand)
#
# Write the derivation of your pullback of softmax: from $a_{x_j} = \sum_i a_i\, \partial y_i / \partial x_j$ to a formula without a matrix.
#
# === BEGIN MARK SCHEME ===
# 1 point: sum_i a_i y_i (delta_ij - y_j) = y_j a_j - y_j sum_i a_i y_i = y_j (a_j - sum_i a_i y_i).
# === END MARK SCHEME ===

# %% [markdown] nbgrader={"grade_id": "cost", "grade": true, "solution": true, "points": 1}
# ## Part 11: Why backwards (1 point, marked by hand)
#
# A loss depends on 10,000 parameters. How many evaluations of the loss do central differences need for the gradient, and about how many times the cost of one evaluation
# does one way back need? Where does the price of the way back show instead?
#
# === BEGIN MARK SCHEME ===
# Half a point: 20,000 evaluations against a small constant (2 to 4) times one evaluation. Half a point: memory, since values of the forward pass are kept.
# === END MARK SCHEME ===
