# %% [markdown]
# # PS4 Find the bug
#
# | | |
# |---|---|
# | **You will show that you can** | find a mistake that runs without an error message, repair it, and write the test that would have caught it |
# | **You need** | notebooks 01 to 07 |
# | **Points and time** | 9 parts, 40 points, about 8 hours |
#
# Here are eight pieces of code. Each is broken in one place. Each breaks in a way that has been found in published software
# or tutorials: the code runs, and its numbers look reasonable. For each piece write
#
# - the repaired function (2 points): the same arguments and results, and right;
# - a test (2 points): a function that is given a candidate, and returns nothing if the candidate is right. If it is wrong, the test raises
#   `AssertionError` with a message. It is tried on the good code, on the broken code, and on other right versions that you do not see. It must decide by
#   what the candidate *computes*, not by looking at its source: candidates come without source.
#
# Part 9 asks for the explanations. Write your own references (a formula, a complex step, a difference). A library is not
# allowed in a repaired function, but is in a test.

# %% nbgrader={"grade_id": "imports", "locked": true}
import numpy as np

from odelearn.course.bug_hunt import try_test

RK4 = (
    np.array([[0.0, 0.0, 0.0, 0.0], [0.5, 0.0, 0.0, 0.0], [0.0, 0.5, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]),
    np.array([1.0, 2.0, 2.0, 1.0]) / 6,
    np.array([0.0, 0.5, 0.5, 1.0]),
)
BOSH3 = (
    np.array([[0.0, 0, 0, 0], [1 / 2, 0, 0, 0], [0, 3 / 4, 0, 0], [2 / 9, 1 / 3, 4 / 9, 0]]),
    np.array([2 / 9, 1 / 3, 4 / 9, 0.0]),
    np.array([0.0, 1 / 2, 3 / 4, 1.0]),
)
BOSH3_HAT = np.array([7 / 24, 1 / 4, 1 / 3, 1 / 8])


# %% [markdown]
# ## Part 1: A Runge-Kutta step (4 points)
#
# `rk4_step(f, z, t, h)` makes one step of the classical method for $dz/dt = f(z, t)$. On $z' = -z$ it is of order 4.


# %% nbgrader={"grade_id": "nodes-broken", "locked": true}
def rk4_step_broken(f, z, t, h):
    A, b, c = RK4
    k = []
    for i in range(4):
        z_i = z + h * sum((A[i, j] * k[j] for j in range(i)), 0 * z)
        k.append(f(z_i, t + c[max(i - 1, 0)] * h))
    return z + h * sum(b[i] * k[i] for i in range(4))


# %% nbgrader={"grade_id": "nodes", "solution": true}
def rk4_step(f, z, t, h):
    ### BEGIN SOLUTION
    A, b, c = RK4
    k = []
    for i in range(4):
        z_i = z + h * sum((A[i, j] * k[j] for j in range(i)), 0 * z)
        k.append(f(z_i, t + c[i] * h))
    return z + h * sum(b[i] * k[i] for i in range(4))
    ### END SOLUTION


def test_rk4_step(candidate):
    """Raises AssertionError if candidate(f, z, t, h) is not a step of RK4."""
    ### BEGIN SOLUTION
    z_next = candidate(lambda z, t: 4 * t**3 + 0 * z, np.zeros(2), 0.5, 0.5)
    assert np.allclose(z_next, 1 - 0.5**4, rtol=1e-13), "4 t^3 is integrated exactly by a method of order 4"
    z_next = candidate(lambda z, t: -z, np.ones(1), 0.0, -0.1)
    assert np.allclose(z_next, sum(0.1**p / q for p, q in enumerate((1, 1, 2, 6, 24)))), "e^x up to x^4"
    ### END SOLUTION


# %% nbgrader={"grade_id": "nodes-checkpoint", "locked": true}
try_test(test_rk4_step, rk4_step, rk4_step_broken)

# %% nbgrader={"grade_id": "nodes-tests", "grade": true, "points": 4}
### BEGIN HIDDEN TESTS
from odelearn.course.bug_hunt import judge

rng = np.random.default_rng([COURSE_SEED, 1])


def _right(f, z, t, h):
    k1 = f(z, t)
    k2 = f(z + h / 2 * k1, t + h / 2)
    k3 = f(z + h / 2 * k2, t + h / 2)
    k4 = f(z + h * k3, t + h)
    return z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def _cases():
    for h in (0.2, -0.3):
        w = rng.normal()
        yield (lambda z, t: np.sin(w * z) * np.cos(3 * t)), rng.normal(size=3), rng.normal(), h


judge(
    rk4_step,
    test_rk4_step,
    good=[_right, lambda f, z, t, h: _right(f, np.asarray(z, float), t, h) + 0.0],
    broken=[rk4_step_broken],
    cases=_cases(),
)
### END HIDDEN TESTS

# %% [markdown]
# ## Part 2: An embedded pair (4 points)
#
# `pair_step(f, z, t, h)` returns the third-order solution of BOSH3 and an estimate of its error: $h \sum_i (b_i - \hat b_i) k_i$. The solver
# that uses it gets accurate results, with somewhat too many steps.


# %% nbgrader={"grade_id": "weights-broken", "locked": true}
def pair_step_broken(f, z, t, h):
    A, b, c = BOSH3
    k = []
    for i in range(4):
        k.append(f(z + h * sum((A[i, j] * k[j] for j in range(i)), 0 * z), t + c[i] * h))
    z_next = z + h * sum(BOSH3_HAT[i] * k[i] for i in range(4))
    return z_next, h * sum((b[i] - BOSH3_HAT[i]) * k[i] for i in range(4))


# %% nbgrader={"grade_id": "weights", "solution": true}
def pair_step(f, z, t, h):
    ### BEGIN SOLUTION
    A, b, c = BOSH3
    k = []
    for i in range(4):
        k.append(f(z + h * sum((A[i, j] * k[j] for j in range(i)), 0 * z), t + c[i] * h))
    z_next = z + h * sum(b[i] * k[i] for i in range(4))
    return z_next, h * sum((b[i] - BOSH3_HAT[i]) * k[i] for i in range(4))
    ### END SOLUTION


def test_pair_step(candidate):
    """Raises AssertionError if candidate(f, z, t, h) does not return the third-order solution and its error estimate."""
    ### BEGIN SOLUTION
    z_next, e = candidate(lambda z, t: 3 * t**2 + 0 * z, np.zeros(2), 0.0, 0.5)
    assert np.allclose(z_next, 0.125, rtol=1e-12), "3 t^2 is integrated exactly by a method of order 3"
    c, d = BOSH3[2], BOSH3[1] - BOSH3_HAT
    assert np.allclose(e, 0.5 * sum(d * 3 * (0.5 * c) ** 2), rtol=1e-10), "the estimate is h sum (b - b_hat) k"
    z_next, _ = candidate(lambda z, t: -z, np.ones(1), 0.0, 0.1)
    assert np.isclose(z_next[0], 1 - 0.1 + 0.005 - 0.001 / 6, rtol=1e-12), "e^x up to x^3"
    ### END SOLUTION


# %% nbgrader={"grade_id": "weights-checkpoint", "locked": true}
try_test(test_pair_step, pair_step, pair_step_broken)

# %% nbgrader={"grade_id": "weights-tests", "grade": true, "points": 4}
### BEGIN HIDDEN TESTS
from odelearn.course.bug_hunt import judge

rng = np.random.default_rng([COURSE_SEED, 2])


def _right(f, z, t, h):
    k1 = f(z, t)
    k2 = f(z + h / 2 * k1, t + h / 2)
    k3 = f(z + 3 * h / 4 * k2, t + 3 * h / 4)
    z_next = z + h * (2 * k1 + 3 * k2 + 4 * k3) / 9
    k4 = f(z_next, t + h)
    return z_next, z_next - (z + h * (7 * k1 / 24 + k2 / 4 + k3 / 3 + k4 / 8))


def _cases():
    for h in (0.2, -0.3):
        w = rng.normal()
        yield (lambda z, t: np.sin(w * z) * np.cos(3 * t)), rng.normal(size=3), rng.normal(), h


judge(pair_step, test_pair_step, good=[_right], broken=[pair_step_broken], cases=_cases())
### END HIDDEN TESTS

# %% [markdown]
# ## Part 3: How long may the next step be? (4 points)
#
# `scaled_error(k, z, z_next, h, rtol, atol)` judges a step of BOSH3: with $e = h \sum_i (b_i - \hat b_i) k_i$ it returns the root of the mean of
# $\big(e / (atol + rtol \max(|z|, |z_{next}|))\big)^2$. `k` has shape (4, D). The solver that uses it works well for steps near 1, and is far too careful when steps are short.


# %% nbgrader={"grade_id": "estimate-broken", "locked": true}
def scaled_error_broken(k, z, z_next, h, rtol, atol):
    e = np.tensordot(BOSH3[1] - BOSH3_HAT, k, 1)
    return np.sqrt(np.mean((e / (atol + rtol * np.maximum(abs(z), abs(z_next)))) ** 2))


# %% nbgrader={"grade_id": "estimate", "solution": true}
def scaled_error(k, z, z_next, h, rtol, atol):
    ### BEGIN SOLUTION
    e = h * np.tensordot(BOSH3[1] - BOSH3_HAT, k, 1)
    return np.sqrt(np.mean((e / (atol + rtol * np.maximum(abs(z), abs(z_next)))) ** 2))
    ### END SOLUTION


def test_scaled_error(candidate):
    """Raises AssertionError if candidate(k, z, z_next, h, rtol, atol) is not the scaled error of a step."""
    ### BEGIN SOLUTION
    k, z, z_next = np.outer([1.0, -2.0, 0.5, 3.0], [1.0, 2.0]), np.array([1.0, -3.0]), np.array([-2.0, 1.0])
    for h in (0.5, 0.01, -0.1):
        e = h * np.array([sum((BOSH3[1] - BOSH3_HAT) * k[:, j]) for j in range(2)])
        right = np.sqrt(np.mean((e / (0.1 + 0.2 * np.array([2.0, 3.0]))) ** 2))
        assert np.isclose(candidate(k, z, z_next, h, 0.2, 0.1), right, rtol=1e-12), f"wrong for h = {h}"
    ### END SOLUTION


# %% nbgrader={"grade_id": "estimate-checkpoint", "locked": true}
try_test(test_scaled_error, scaled_error, scaled_error_broken)

# %% nbgrader={"grade_id": "estimate-tests", "grade": true, "points": 4}
### BEGIN HIDDEN TESTS
from odelearn.course.bug_hunt import judge

rng = np.random.default_rng([COURSE_SEED, 3])


def _right(k, z, z_next, h, rtol, atol):
    difference = [1 / 9 * 2 - 7 / 24, 1 / 3 - 1 / 4, 4 / 9 - 1 / 3, -1 / 8]
    e = h * sum(d * k_i for d, k_i in zip(difference, k, strict=True))
    return np.linalg.norm(e / (atol + rtol * np.maximum(abs(z), abs(z_next)))) / np.sqrt(np.size(z))


def _cases():
    for h in (0.2, -0.03, 1e-3):
        yield rng.normal(size=(4, 3)), rng.normal(size=3), rng.normal(size=3), h, 1e-3, 1e-6


judge(scaled_error, test_scaled_error, good=[_right], broken=[scaled_error_broken], cases=_cases())
### END HIDDEN TESTS

# %% [markdown]
# ## Part 4: A solve in several intervals (4 points)
#
# `heun_solve(f, z0, ts)` makes one step of Heun's method in each interval, $z_{next} = z + \tfrac h2 (k_1 + k_2)$, $k_1 = f(z, t)$, $k_2 = f(z + h k_1, t + h)$, and returns all states. To save work it keeps the slope at the end of a step
# for the next one.


# %% nbgrader={"grade_id": "stale-broken", "locked": true}
def heun_solve_broken(f, z0, ts):
    zs, k1 = [np.asarray(z0, float)], f(z0, ts[0])
    for t, t_next in zip(ts[:-1], ts[1:], strict=True):
        h = t_next - t
        k2 = f(zs[-1] + h * k1, t_next)
        zs.append(zs[-1] + h / 2 * (k1 + k2))
        k1 = k2
    return np.stack(zs)


# %% nbgrader={"grade_id": "stale", "solution": true}
def heun_solve(f, z0, ts):
    ### BEGIN SOLUTION
    zs = [np.asarray(z0, float)]
    for t, t_next in zip(ts[:-1], ts[1:], strict=True):
        h = t_next - t
        k1 = f(zs[-1], t)
        k2 = f(zs[-1] + h * k1, t_next)
        zs.append(zs[-1] + h / 2 * (k1 + k2))
    return np.stack(zs)
    ### END SOLUTION


def test_heun_solve(candidate):
    """Raises AssertionError if candidate(f, z0, ts) does not return the states of Heun's method."""
    ### BEGIN SOLUTION
    f, ts = lambda z, t: np.cos(t) * z, np.array([0.0, 0.3, 0.5, 1.1])
    zs, z = candidate(f, np.array([1.0, 2.0]), ts), np.array([1.0, 2.0])
    for i in range(3):
        h = ts[i + 1] - ts[i]
        k1 = f(z, ts[i])
        z = z + h / 2 * (k1 + f(z + h * k1, ts[i + 1]))
        assert np.allclose(zs[i + 1], z, rtol=1e-12), f"state {i + 1} is not that of Heun's method"
    ### END SOLUTION


# %% nbgrader={"grade_id": "stale-checkpoint", "locked": true}
try_test(test_heun_solve, heun_solve, heun_solve_broken)

# %% nbgrader={"grade_id": "stale-tests", "grade": true, "points": 4}
### BEGIN HIDDEN TESTS
from odelearn.course.bug_hunt import judge

rng = np.random.default_rng([COURSE_SEED, 4])


def _right(f, z0, ts):
    zs = np.empty((len(ts), *np.shape(z0)))
    zs[0] = z0
    for i in range(len(ts) - 1):
        euler = zs[i] + (ts[i + 1] - ts[i]) * f(zs[i], ts[i])
        zs[i + 1] = (zs[i] + euler + (ts[i + 1] - ts[i]) * f(euler, ts[i + 1])) / 2
    return zs


def _cases():
    for sign in (1, -1):
        w = rng.uniform(0.5, 1.5)
        yield (lambda z, t: np.sin(w * z) * np.cos(t)), rng.normal(size=2), sign * np.cumsum(rng.uniform(0.1, 0.5, 5))


judge(heun_solve, test_heun_solve, good=[_right], broken=[heun_solve_broken], cases=_cases())
### END HIDDEN TESTS

# %% [markdown]
# ## Part 5: The gradient of the initial time (4 points)
#
# The scalar equation $z' = \theta z \cos t$ has the solution $z(t_1) = z_0 e^{\theta (\sin t_1 - \sin t_0)}$. For $L = z(t_1)^2$, `time_gradients(z0, t0, t1, theta)` returns $(\partial L/\partial t_0, \partial L/\partial t_1)$, by
# $H = a f$ at both ends.


# %% nbgrader={"grade_id": "boundary-broken", "locked": true}
def time_gradients_broken(z0, t0, t1, theta):
    z1 = z0 * np.exp(theta * (np.sin(t1) - np.sin(t0)))
    a1 = 2 * z1
    a0 = a1 * np.exp(theta * (np.sin(t1) - np.sin(t0)))
    return a0 * theta * z0 * np.cos(t0), a1 * theta * z1 * np.cos(t1)


# %% nbgrader={"grade_id": "boundary", "solution": true}
def time_gradients(z0, t0, t1, theta):
    ### BEGIN SOLUTION
    z1 = z0 * np.exp(theta * (np.sin(t1) - np.sin(t0)))
    a1 = 2 * z1
    a0 = a1 * np.exp(theta * (np.sin(t1) - np.sin(t0)))
    return -a0 * theta * z0 * np.cos(t0), a1 * theta * z1 * np.cos(t1)
    ### END SOLUTION


def test_time_gradients(candidate):
    """Raises AssertionError if candidate(z0, t0, t1, theta) does not return dL/dt0 and dL/dt1."""
    ### BEGIN SOLUTION
    L = lambda t0, t1: (1.3 * np.exp(0.7 * (np.sin(t1) - np.sin(t0)))) ** 2
    dt0, dt1 = candidate(1.3, 0.2, 1.1, 0.7)
    assert np.isclose(dt0, L(0.2 + 1e-30j, 1.1).imag / 1e-30, rtol=1e-10), "dL/dt0"
    assert np.isclose(dt1, L(0.2, 1.1 + 1e-30j).imag / 1e-30, rtol=1e-10), "dL/dt1"
    ### END SOLUTION


# %% nbgrader={"grade_id": "boundary-checkpoint", "locked": true}
try_test(test_time_gradients, time_gradients, time_gradients_broken)

# %% nbgrader={"grade_id": "boundary-tests", "grade": true, "points": 4}
### BEGIN HIDDEN TESTS
from odelearn.course.bug_hunt import judge

rng = np.random.default_rng([COURSE_SEED, 5])


def _right(z0, t0, t1, theta):
    L = (z0 * np.exp(theta * (np.sin(t1) - np.sin(t0)))) ** 2
    return -2 * theta * np.cos(t0) * L, 2 * theta * np.cos(t1) * L


def _flipped_both(z0, t0, t1, theta):
    dt0, dt1 = _right(z0, t0, t1, theta)
    return -dt0, -dt1


_cases = [tuple(rng.uniform(0.3, 1.2, size=4)) for _ in range(3)]
judge(time_gradients, test_time_gradients, good=[_right], broken=[time_gradients_broken, _flipped_both], cases=_cases)
### END HIDDEN TESTS

# %% [markdown]
# ## Part 6: The gradient of a batch (4 points)
#
# `layer_vjp(x, W)` is $y = \tanh(x W)$ on a batch, `x` (N, D). Its pullback returns $(a_x, a_W)$. By the convention of the course the gradient of
# parameters is *summed* over the batch. With a batch of one, all checks pass.


# %% nbgrader={"grade_id": "batch-broken", "locked": true}
def layer_vjp_broken(x, W):
    y = np.tanh(x @ W)

    def pullback(a):
        a_pre = a * (1 - y * y)
        return a_pre @ W.T, x.T @ a_pre / len(x)

    return y, pullback


# %% nbgrader={"grade_id": "batch", "solution": true}
def layer_vjp(x, W):
    ### BEGIN SOLUTION
    y = np.tanh(x @ W)

    def pullback(a):
        a_pre = a * (1 - y * y)
        return a_pre @ W.T, x.T @ a_pre

    return y, pullback
    ### END SOLUTION


def test_layer_vjp(candidate):
    """Raises AssertionError if candidate(x, W) is not tanh(x W) and its pullback."""
    ### BEGIN SOLUTION
    rng = np.random.default_rng(0)
    x, W, a, v, w = (rng.normal(size=shape) for shape in ((5, 3), (3, 2), (5, 2), (5, 3), (3, 2)))
    y, pullback = candidate(x, W)
    a_x, a_W = pullback(a)
    assert np.allclose(y, np.tanh(x @ W)), "the value"
    assert np.isclose(np.sum(a_x * v), np.sum(a * np.tanh((x + 1e-30j * v) @ W).imag) / 1e-30), "a_x"
    assert np.isclose(np.sum(a_W * w), np.sum(a * np.tanh(x @ (W + 1e-30j * w)).imag) / 1e-30), "a_W"
    ### END SOLUTION


# %% nbgrader={"grade_id": "batch-checkpoint", "locked": true}
try_test(test_layer_vjp, layer_vjp, layer_vjp_broken)

# %% nbgrader={"grade_id": "batch-tests", "grade": true, "points": 4}
### BEGIN HIDDEN TESTS
from odelearn.course.bug_hunt import judge

rng = np.random.default_rng([COURSE_SEED, 6])


def _right(x, W):
    y = np.tanh(np.einsum("nd,dh->nh", x, W))
    return y, lambda a: (np.einsum("nh,nh,dh->nd", a, 1 - y**2, W), np.einsum("nd,nh,nh->dh", x, a, 1 - y**2))


def _shown(candidate):
    """A pullback is judged by what it returns."""

    def run(x, W, a):
        y, pullback = candidate(x, W)
        return (y, *pullback(a))

    return run


_cases = [(rng.normal(size=(6, 3)), rng.normal(size=(3, 3)), rng.normal(size=(6, 3))) for _ in range(2)]
judge(layer_vjp, test_layer_vjp, good=[_right], broken=[layer_vjp_broken], cases=_cases, shown=_shown)
### END HIDDEN TESTS

# %% [markdown]
# ## Part 7: The trace of a Jacobian (4 points)
#
# A continuous normalizing flow needs $\mathrm{tr}\,\partial f/\partial z$ (equation 8). `trace(f_vjp, z)` computes it for one state `z` (D,), with D pullbacks; `f_vjp(z)` returns
# $f$ and its pullback.


# %% nbgrader={"grade_id": "trace-broken", "locked": true}
def trace_broken(f_vjp, z):
    _, pullback = f_vjp(z)
    return sum(pullback(e)[0] for e in np.eye(len(z)))


# %% nbgrader={"grade_id": "trace", "solution": true}
def trace(f_vjp, z):
    ### BEGIN SOLUTION
    _, pullback = f_vjp(z)
    return sum(pullback(e)[i] for i, e in enumerate(np.eye(len(z))))
    ### END SOLUTION


def test_trace(candidate):
    """Raises AssertionError if candidate(f_vjp, z) is not the trace of the Jacobian."""
    ### BEGIN SOLUTION
    J = np.array([[1.0, 20.0, 3.0], [40.0, 5.0, 60.0], [7.0, 80.0, 9.0]])
    assert np.isclose(candidate(lambda z: (J @ z, lambda a: a @ J), np.ones(3)), 15.0), "1 + 5 + 9 = 15"
    ### END SOLUTION


# %% nbgrader={"grade_id": "trace-checkpoint", "locked": true}
try_test(test_trace, trace, trace_broken)

# %% nbgrader={"grade_id": "trace-tests", "grade": true, "points": 4}
### BEGIN HIDDEN TESTS
from odelearn.course.bug_hunt import judge

rng = np.random.default_rng([COURSE_SEED, 7])


def _field(W):
    def f_vjp(z):
        y = np.tanh(z @ W)
        return y, lambda a: (a * (1 - y * y)) @ W.T

    return f_vjp


def _right(f_vjp, z):
    return float(np.trace(np.array([f_vjp(z)[1](e) for e in np.eye(len(z))])))


def _sum_of_all(f_vjp, z):
    return float(np.sum([f_vjp(z)[1](e) for e in np.eye(len(z))]))


_cases = [(_field(rng.normal(size=(4, 4))), rng.normal(size=4)) for _ in range(3)]
judge(trace, test_trace, good=[_right], broken=[trace_broken, _sum_of_all], cases=_cases)
### END HIDDEN TESTS

# %% [markdown]
# ## Part 8: Noise in a solve (4 points)
#
# Hutchinson's estimator replaces the trace by $\epsilon^T J \epsilon$ with random signs $\epsilon$. `log_density_change(f_vjp, z0, T, n, rng)` integrates $z' = f(z)$, $\ell' = -\epsilon^T J(z)\, \epsilon$ from 0 to T with `n` steps of
# Heun's method, starting at $\ell = 0$, and returns $\ell(T)$. It uses one draw `rng.choice([-1.0, 1.0], size=D)`. With a new draw in every evaluation of f, the dynamics are no function of the state any more: no error control works, and a backward
# solve meets another field.


# %% nbgrader={"grade_id": "noise-broken", "locked": true}
def log_density_change_broken(f_vjp, z0, T, n, rng):
    def g(s):
        noise = rng.choice([-1.0, 1.0], size=len(s) - 1)
        dz, pullback = f_vjp(s[:-1])
        return np.append(dz, -pullback(noise) @ noise)

    s, h = np.append(z0, 0.0), T / n
    for _ in range(n):
        k = g(s)
        s = s + h / 2 * (k + g(s + h * k))
    return s[-1]


# %% nbgrader={"grade_id": "noise", "solution": true}
def log_density_change(f_vjp, z0, T, n, rng):
    ### BEGIN SOLUTION
    noise = rng.choice([-1.0, 1.0], size=len(z0))

    def g(s):
        dz, pullback = f_vjp(s[:-1])
        return np.append(dz, -pullback(noise) @ noise)

    s, h = np.append(z0, 0.0), T / n
    for _ in range(n):
        k = g(s)
        s = s + h / 2 * (k + g(s + h * k))
    return s[-1]
    ### END SOLUTION


def test_log_density_change(candidate):
    """Raises AssertionError if candidate(f_vjp, z0, T, n, rng) does not use one draw for the whole solve, or is wrong."""
    ### BEGIN SOLUTION
    J = np.array([[0.2, 1.0], [0.5, -0.1]])
    linear = lambda z: (J @ z, lambda a: a @ J)
    for seed in range(6):
        noise = np.random.default_rng(seed).choice([-1.0, 1.0], size=2)
        found = candidate(linear, np.array([1.0, -1.0]), 1.5, 7, np.random.default_rng(seed))
        assert np.isclose(found, -1.5 * noise @ J @ noise, rtol=1e-10), (
            "with a constant Jacobian it is -T noise J noise"
        )
    ### END SOLUTION


# %% nbgrader={"grade_id": "noise-checkpoint", "locked": true}
try_test(test_log_density_change, log_density_change, log_density_change_broken)

# %% nbgrader={"grade_id": "noise-tests", "grade": true, "points": 4}
### BEGIN HIDDEN TESTS
from odelearn.course.bug_hunt import judge

rng = np.random.default_rng([COURSE_SEED, 8])


def _field(W):
    def f_vjp(z):
        y = np.tanh(z @ W)
        return y, lambda a: (a * (1 - y * y)) @ W.T

    return f_vjp


def _right(f_vjp, z0, T, n, rng):
    noise, z, change, h = rng.choice([-1.0, 1.0], size=len(z0)), np.asarray(z0), 0.0, T / n
    for _ in range(n):
        k, pullback = f_vjp(z)
        k_end, pullback_end = f_vjp(z + h * k)
        change -= h / 2 * (pullback(noise) @ noise + pullback_end(noise) @ noise)
        z = z + h / 2 * (k + k_end)
    return change


def _a_draw_a_step(f_vjp, z0, T, n, rng):
    z, change, h = np.asarray(z0), 0.0, T / n
    for _ in range(n):
        noise = rng.choice([-1.0, 1.0], size=len(z0))
        k, pullback = f_vjp(z)
        k_end, pullback_end = f_vjp(z + h * k)
        change -= h / 2 * (pullback(noise) @ noise + pullback_end(noise) @ noise)
        z = z + h / 2 * (k + k_end)
    return change


def _seeded(candidate):
    return lambda f_vjp, z0, T, n, seed: candidate(f_vjp, z0, T, n, np.random.default_rng(seed))


_cases = [(_field(rng.normal(size=(3, 3))), rng.normal(size=3), 1.2, 6, int(rng.integers(1000))) for _ in range(3)]
judge(
    log_density_change,
    test_log_density_change,
    good=[_right],
    broken=[log_density_change_broken, _a_draw_a_step],
    cases=_cases,
    shown=_seeded,
)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade_id": "explanations", "grade": true, "solution": true, "points": 8}
# ## Part 9: Explanations (8 points, marked by hand)
#
# For each of the eight parts write two or three sentences: in which line the mistake is, why the code still looks right (which usual test does not
# see it), and what it does to a user.
#
# === BEGIN MARK SCHEME ===
# A point for each part: the line (a quarter), why a usual test is blind (half), the consequence (a quarter).
# 1: c[max(i - 1, 0)]: nodes shifted by a stage; invisible when f does not depend on t; order drops to 1 or 2 on non-autonomous problems.
# 2: BOSH3_HAT in z_next: weights swapped; the estimate is the same up to sign, and results still converge, with order 2 instead of 3.
# 3: h is missing in e: right at h = 1; the estimate falls one power of h too slowly, so steps get far too short.
# 4: k1 = k2: the slope belongs to the Euler point z + h k1, not to the new state; invisible where f does not depend on z (or in a single step); it costs the order.
# 5: the sign of dL/dt0: H = a f is right at both ends, but dL/dt0 = -H(t0); a check that looks at sizes or squares does not see it.
# 6: / len(x): the mean over the batch; invisible for N = 1 and in directions only; learning rates depend on the batch size.
# 7: [0]: the first column instead of the diagonal; right for D = 1 and for symmetric situations such as multiples of the identity plus rank one in z; wrong densities.
# 8: the draw inside g: unbiased in each call, so averages look right; error estimates never get small, and the backward solve sees other noise.
# === END MARK SCHEME ===
