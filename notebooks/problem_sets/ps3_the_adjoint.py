# %% [markdown]
# # PS3 The adjoint
#
# | | |
# |---|---|
# | **You will show that you can** | derive the adjoint equation, write the discrete adjoint of Euler, Algorithm 1 and Algorithm 2 of the paper, and verify each gradient with differences of your own |
# | **You need** | notebooks 04, 05 and 06; the paper, sections 2 and Appendices B and C |
# | **Points and time** | 11 parts, 32 points, about 9 hours |
#
# Write your code where it says so, and run the cells in their order. A cell after **Checkpoint** tells you what is
# probably wrong; it gives no points. The cells with tests give points, and hold further tests that you do not see. Everything
# is written by hand: NumPy is allowed, a solver or a tape of a library is not.
#
# Dynamics come as a function `f_vjp(z, t, theta)`. It returns $dz/dt$ and a pullback, `pullback(a) -> (a_z, a_t, a_theta)`, which are
# $a\,\partial f/\partial z$, $a\,\partial f/\partial t$ and $a\,\partial f/\partial \theta$. States are vectors `z` (D,), parameters `theta` (P,).

# %% nbgrader={"grade_id": "imports", "locked": true}
import numpy as np

from odelearn import checks


def f_vjp(z, t, theta):
    """An example: dz/dt = tanh(theta_0 z_rolled) + theta_1 sin(t) z, and its pullback."""
    rolled, s = np.roll(z, 1), np.sin(t)
    y = np.tanh(theta[0] * rolled)

    def pullback(a):
        a_pre = a * (1 - y * y)
        a_z = np.roll(theta[0] * a_pre, -1) + theta[1] * s * a
        a_t = np.sum(a * theta[1] * np.cos(t) * z)
        return a_z, a_t, np.array([np.sum(a_pre * rolled), np.sum(a * s * z)])

    return y + theta[1] * s * z, pullback


Z0, THETA = np.array([0.8, -0.5, 0.3]), np.array([0.9, 0.6])


def integrate(g, s0, t0, t1, n):
    """s(t1) of ds/dt = g(s, t) from s(t0) = s0, by n equal steps of RK4; t1 may be less than t0."""
    s, h = np.asarray(s0), (t1 - t0) / n
    for i in range(n):
        t = t0 + i * h
        k1 = g(s, t)
        k2 = g(s + h / 2 * k1, t + h / 2)
        k3 = g(s + h / 2 * k2, t + h / 2)
        k4 = g(s + h * k3, t + h)
        s = s + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return s


# %% [markdown] nbgrader={"grade_id": "derive", "grade": true, "solution": true, "points": 4}
# ## Part 1: Derive equation (35) (4 points, marked by hand)
#
# Let $a(t) = \partial L / \partial z(t)$. Derive $\dfrac{da(t)}{dt} = -a(t) \dfrac{\partial f(z(t), t, \theta)}{\partial z}$, on paper or here. Start from the chain rule over a short
# time $\varepsilon$, say what is expanded and to which order, and say what must be assumed of $f$.
#
# === BEGIN MARK SCHEME ===
# 1 point: a(t) = a(t + eps) dT_eps(z)/dz, the chain rule (38), with T_eps the map over the time eps.
# 1 point: T_eps(z) = z + eps f(z, t) + O(eps^2), hence dT_eps/dz = I + eps df/dz + O(eps^2).
# 1 point: the difference quotient (a(t + eps) - a(t)) / eps = -a(t + eps) df/dz + O(eps), and its limit.
# 1 point: what is assumed: f continuously differentiable in z (so that T_eps is differentiable and the remainder is uniform); a continuous in t.
# === END MARK SCHEME ===

# %% [markdown]
# ## Part 2: Differences of your own (2 points)
#
# You will need a gradient to compare with. Central differences: $\partial L/\partial x_i \approx (L(x + \varepsilon e_i) - L(x - \varepsilon e_i)) / 2\varepsilon$. `x` has any shape.


# %% nbgrader={"grade_id": "differences", "solution": true}
def central_differences(fun, x, eps=1e-5):
    """The gradient of the scalar function fun at x, shaped like x."""
    ### BEGIN SOLUTION
    x = np.asarray(x, float)
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = eps
        gradient[i] = (fun(x + e) - fun(x - e)) / (2 * eps)
    return gradient
    ### END SOLUTION


# %% nbgrader={"grade_id": "differences-tests", "grade": true, "points": 2}
assert np.allclose(central_differences(lambda x: np.sum(x**2), np.array([1.0, 2.0])), [2, 4]), (
    "the gradient of sum x^2 is 2 x"
)
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 2])
x, w = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
kept = x.copy()
with by_hand("scipy"):
    found = central_differences(lambda x: np.sum(w * x**3), x, 1e-3)
assert np.array_equal(x, kept), "x was changed in place"
assert np.shape(found) == (2, 3), "the gradient is shaped like x"
assert np.allclose(found, 3 * w * x**2 + 1e-6 * w, rtol=1e-8), (
    "central differences of x^3 are 3 x^2 + eps^2 exactly: is eps used, and on both sides?"
)
### END HIDDEN TESTS

# %% [markdown]
# ## Part 3: Euler, forwards and back (5 points)
#
# Euler's steps are $z_{i+1} = z_i + h f(z_i, t_i, \theta)$, $i = 0 \dots n-1$, $h = (t_1 - t_0)/n$. Differentiate *this loop*: with $a_{n} = \partial L/\partial z_n$,
#
# $$a_i = a_{i+1} + h\, a_{i+1} \frac{\partial f}{\partial z}(z_i, t_i), \qquad \frac{\partial L}{\partial \theta} = \sum_i h\, a_{i+1} \frac{\partial f}{\partial \theta}(z_i, t_i) .$$
#
# Return `z_n` and a function `pullback(a) -> (dL/dz0, dL/dtheta)`. It is exact: what differs from the complex step is round-off.


# %% nbgrader={"grade_id": "euler", "solution": true}
def euler_vjp(f_vjp, z0, t0, t1, theta, n):
    """z_n, pullback."""
    ### BEGIN SOLUTION
    z, h, pullbacks = z0, (t1 - t0) / n, []
    for i in range(n):
        dz, pullback = f_vjp(z, t0 + i * h, theta)
        pullbacks.append(pullback)
        z = z + h * dz

    def back(a):
        a_theta = np.zeros_like(theta)
        for pullback in reversed(pullbacks):
            step_z, _, step_theta = pullback(a)
            a, a_theta = a + h * step_z, a_theta + h * step_theta
        return a, a_theta

    return z, back
    ### END SOLUTION


# %% nbgrader={"grade_id": "euler-tests", "grade": true, "points": 5}
z_n, pullback = euler_vjp(f_vjp, Z0, 0.0, 1.0, THETA, 10)
a_z0, a_theta = pullback(np.ones(3))
loss = lambda z0: np.sum(euler_vjp(f_vjp, z0, 0.0, 1.0, THETA, 10)[0])
assert np.allclose(a_z0, central_differences(loss, Z0), rtol=1e-4), "dL/dz0 differs from central differences"
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 3])
z0, theta, a = rng.normal(size=4), rng.uniform(0.5, 1.5, size=2), rng.normal(size=4)


def loop(z, theta, t0, t1, n):
    for i in range(n):
        z = z + (t1 - t0) / n * f_vjp(z, t0 + i * (t1 - t0) / n, theta)[0]
    return np.sum(a * z)


for t0, t1 in ((0.3, 1.9), (1.9, 0.3)):
    with by_hand("scipy"):
        z_n, pullback = euler_vjp(f_vjp, z0, t0, t1, theta, 7)
        a_z0, a_theta = pullback(a)
        again, _ = pullback(a)
    assert np.isclose(np.sum(a * z_n), loop(z0, theta, t0, t1, 7), rtol=1e-12), "the end of Euler's polygon is wrong"
    right_z0 = np.array([loop(z0 + 1e-30j * e, theta, t0, t1, 7).imag for e in np.eye(4)]) / 1e-30
    right_theta = np.array([loop(z0, theta + 1e-30j * e, t0, t1, 7).imag for e in np.eye(2)]) / 1e-30
    assert np.allclose(a_z0, right_z0, rtol=1e-11), (
        "dL/dz0 is not exact: are the pullbacks those at (z_i, t_i), in reverse order?"
    )
    assert np.allclose(a_theta, right_theta, rtol=1e-11), "dL/dtheta is not exact: it uses a_{i+1}, and h"
    assert np.array_equal(again, a_z0), "pullback gives the same when it is called again"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 4: The augmented dynamics (3 points)
#
# Algorithm 1 integrates $s = [z, a, a_\theta]$ backwards, with $\dot s = [f,\; -a\,\partial f/\partial z,\; -a\,\partial f/\partial\theta]$. Return the function
# `g(s, t)` for `integrate`; `s` is one flat vector of length 2 D + P.


# %% nbgrader={"grade_id": "augmented", "solution": true}
def augmented_dynamics(f_vjp, theta, D):
    """g(s, t) -> ds/dt, both (2 D + P,)."""

    ### BEGIN SOLUTION
    def g(s, t):
        dz, pullback = f_vjp(s[:D], t, theta)
        a_z, _, a_theta = pullback(s[D : 2 * D])
        return np.concatenate([dz, -a_z, -a_theta])

    return g
    ### END SOLUTION


# %% nbgrader={"grade_id": "augmented-tests", "grade": true, "points": 3}
s = np.concatenate([Z0, np.ones(3), np.zeros(2)])
ds = augmented_dynamics(f_vjp, THETA, 3)(s, 0.4)
assert np.shape(ds) == (8,), "ds/dt has length 2 D + P"
assert np.allclose(ds[:3], f_vjp(Z0, 0.4, THETA)[0]), "the first D entries are f"
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 4])
s, theta, t = rng.normal(size=12), rng.uniform(0.5, 1.5, size=2), rng.uniform(0, 1)
with by_hand("scipy"):
    ds = augmented_dynamics(f_vjp, theta, 5)(s, t)
dz, pullback = f_vjp(s[:5], t, theta)
a_z, _, a_theta = pullback(s[5:10])
assert np.allclose(ds[:5], dz, rtol=1e-12), "the first D entries are f at the state z inside s, not at a stored one"
assert np.allclose(ds[5:10], -a_z, rtol=1e-12), "da/dt = -a df/dz, with the a inside s (35)"
assert np.allclose(ds[10:], -a_theta, rtol=1e-12), "da_theta/dt = -a df/dtheta"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 5: Algorithm 1 (4 points)
#
# Given $z(t_1)$ and $a(t_1) = \partial L/\partial z(t_1)$, integrate $s$ from $t_1$ to $t_0$ with `n` steps of `integrate`. Return $z(t_0)$ as it was rebuilt, $\partial L/\partial z(t_0)$ and $\partial L/\partial\theta$.


# %% nbgrader={"grade_id": "algorithm1", "solution": true}
def algorithm_1(f_vjp, z1, a1, t0, t1, theta, n):
    """z0, dL/dz0, dL/dtheta"""
    ### BEGIN SOLUTION
    D = len(z1)
    s = np.concatenate([z1, a1, np.zeros_like(theta)])
    s = integrate(augmented_dynamics(f_vjp, theta, D), s, t1, t0, n)
    return s[:D], s[D : 2 * D], s[2 * D :]
    ### END SOLUTION


# %% [markdown]
# **Checkpoint.** The check asks for the gradients of a small network with a batch of states, and compares with gradients that it knows.


# %% nbgrader={"grade_id": "algorithm1-checkpoint", "locked": true}
def my_adjoint(z0, f, ts, theta, a_zs):
    """Your Algorithm 1 in the form of the check: the batch as one long vector, one interval after the other."""

    def flat_vjp(z, t, theta):
        dz, pullback = f.vjp(z.reshape(z0.shape), t, theta)

        def flat_pullback(a):
            a_z, a_t, a_theta = pullback(a.reshape(z0.shape))
            return a_z.ravel(), a_t, a_theta

        return dz.ravel(), flat_pullback

    zs = [z0.ravel()]
    for i in range(len(ts) - 1):
        zs.append(integrate(lambda z, t: flat_vjp(z, t, theta)[0], zs[-1], ts[i], ts[i + 1], 20))
    a, a_theta = a_zs[-1].ravel(), np.zeros_like(theta)
    for i in range(len(ts) - 1, 0, -1):
        _, a, more = algorithm_1(flat_vjp, zs[i], a, ts[i - 1], ts[i], theta, 20)
        a, a_theta = a + a_zs[i - 1].ravel(), a_theta + more
    return a.reshape(z0.shape), None, a_theta


checks.check_adjoint(my_adjoint, of=("z0", "theta"))

# %% nbgrader={"grade_id": "algorithm1-tests", "grade": true, "points": 4}
z1 = integrate(lambda z, t: f_vjp(z, t, THETA)[0], Z0, 0.0, 1.0, 50)
z0, a_z0, a_theta = algorithm_1(f_vjp, z1, np.ones(3), 0.0, 1.0, THETA, 50)
assert np.allclose(z0, Z0, rtol=1e-6), "the state that is rebuilt backwards is z0, up to the error of RK4"
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 5])
z0, theta, a = rng.normal(size=3), rng.uniform(0.5, 1.5, size=2), rng.normal(size=3)
for t0, t1 in ((0.3, 1.5), (1.5, 0.3)):
    end = lambda z0, theta: integrate(lambda z, t: f_vjp(z, t, theta)[0], z0, t0, t1, 60)
    with by_hand("scipy"):
        rebuilt, a_z0, a_theta = algorithm_1(f_vjp, end(z0, theta), a, t0, t1, theta, 60)
    right_z0 = np.array([np.sum(a * end(z0 + 1e-30j * e, theta)).imag for e in np.eye(3)]) / 1e-30
    right_theta = np.array([np.sum(a * end(z0, theta + 1e-30j * e)).imag for e in np.eye(2)]) / 1e-30
    way = "forwards" if t1 > t0 else "backwards"
    assert np.allclose(rebuilt, z0, atol=1e-6), f"time {way}: z(t0) is not rebuilt"
    assert np.allclose(a_z0, right_z0, atol=1e-6), f"time {way}: dL/dz0 is wrong"
    assert np.allclose(a_theta, right_theta, atol=1e-6), (
        f"time {way}: dL/dtheta is wrong; its sign comes out of the direction of the integral"
    )
### END HIDDEN TESTS

# %% [markdown]
# ## Part 6: Several observations (4 points)
#
# The loss depends on $z(t_0), z(t_1), \dots, z(t_N)$. Going back, $a$ jumps by $\partial L/\partial z(t_i)$ at each observation (Figure 2), also at $t_0$. `zs` (N + 1, D) are the states of the forward solve; start
# each interval from them (not from what was rebuilt). Use `n` steps in each interval.


# %% nbgrader={"grade_id": "jumps", "solution": true}
def adjoint_with_jumps(f_vjp, zs, a_zs, ts, theta, n):
    """dL/dz0, dL/dtheta"""
    ### BEGIN SOLUTION
    a, a_theta = a_zs[-1], np.zeros_like(theta)
    for i in range(len(ts) - 1, 0, -1):
        _, a, more = algorithm_1(f_vjp, zs[i], a, ts[i - 1], ts[i], theta, n)
        a, a_theta = a + a_zs[i - 1], a_theta + more
    return a, a_theta
    ### END SOLUTION


# %% nbgrader={"grade_id": "jumps-tests", "grade": true, "points": 4}
ts = np.array([0.0, 0.4, 1.0])
zs = np.stack([integrate(lambda z, t: f_vjp(z, t, THETA)[0], Z0, 0.0, t, 60) if t else Z0 for t in ts])
only_start = np.zeros((3, 3))
only_start[0] = [1.0, 2.0, 3.0]
assert np.allclose(adjoint_with_jumps(f_vjp, zs, only_start, ts, THETA, 20)[0], [1, 2, 3]), (
    "a loss of z(t0) alone has the gradient a_zs[0]"
)
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 6])
z0, theta, a_zs = rng.normal(size=3), rng.uniform(0.5, 1.5, size=2), rng.normal(size=(4, 3))
for ts in (np.array([0.2, 0.5, 1.1, 1.4]), np.array([1.4, 1.1, 0.5, 0.2])):

    def solve(z0, theta):
        zs = [z0]
        for i in range(3):
            zs.append(integrate(lambda z, t: f_vjp(z, t, theta)[0], zs[-1], ts[i], ts[i + 1], 30))
        return np.stack(zs)

    with by_hand("scipy"):
        a_z0, a_theta = adjoint_with_jumps(f_vjp, solve(z0, theta), a_zs, ts, theta, 30)
    right_z0 = np.array([np.sum(a_zs * solve(z0 + 1e-30j * e, theta)).imag for e in np.eye(3)]) / 1e-30
    right_theta = np.array([np.sum(a_zs * solve(z0, theta + 1e-30j * e)).imag for e in np.eye(2)]) / 1e-30
    assert np.allclose(a_z0, right_z0, atol=1e-6), (
        "dL/dz0 is wrong: every observation is one jump, the one at t0 too, none twice"
    )
    assert np.allclose(a_theta, right_theta, atol=1e-6), "dL/dtheta is the sum over all intervals"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 7: Algorithm 2: the gradients of the times (4 points)
#
# One interval, from $t_0$ to $t_1$; the loss depends on $z(t_1)$. Algorithm 2 adds $a_t$ to the state: $\dot a_t = -a\,\partial f/\partial t$, starting at $-\partial L/\partial t_1$. Return
# $\partial L/\partial t_0$ and $\partial L/\partial t_1$.


# %% nbgrader={"grade_id": "algorithm2", "solution": true}
def time_gradients(f_vjp, z1, a1, t0, t1, theta, n):
    """dL/dt0, dL/dt1"""
    ### BEGIN SOLUTION
    D = len(z1)
    dL_dt1 = np.sum(a1 * f_vjp(z1, t1, theta)[0])

    def g(s, t):
        dz, pullback = f_vjp(s[:D], t, theta)
        a_z, a_t, _ = pullback(s[D : 2 * D])
        return np.concatenate([dz, -a_z, [-a_t]])

    s = integrate(g, np.concatenate([z1, a1, [-dL_dt1]]), t1, t0, n)
    return s[-1], dL_dt1
    ### END SOLUTION


# %% nbgrader={"grade_id": "algorithm2-tests", "grade": true, "points": 4}
steady = lambda z, t, theta: (theta[0] * np.ones_like(z), lambda a: (0 * z, 0.0, np.array([np.sum(a), 0.0])))
dt0, dt1 = time_gradients(steady, np.ones(2), np.ones(2), 0.0, 1.0, np.array([3.0, 0.0]), 5)
assert np.isclose(dt1, 6.0) and np.isclose(dt0, -6.0), (
    "with a steady slope of 3, L = z_1 + z_2 grows by 6 a unit of t1, and falls by 6 a unit of t0"
)
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 7])
z0, theta, a = rng.normal(size=3), rng.uniform(0.5, 1.5, size=2), rng.normal(size=3)
for t0, t1 in ((0.3, 1.5), (1.5, 0.3)):
    end = lambda t0, t1: integrate(lambda z, t: f_vjp(z, t, theta)[0], z0, t0, t1, 60)
    with by_hand("scipy"):
        dt0, dt1 = time_gradients(f_vjp, end(t0, t1), a, t0, t1, theta, 60)
    right0 = np.sum(a * end(t0 + 1e-30j, t1)).imag / 1e-30
    right1 = np.sum(a * end(t0, t1 + 1e-30j)).imag / 1e-30
    assert np.isclose(dt1, right1, atol=1e-6), "dL/dt1 = a(t1) f(z(t1), t1): f at the end, and no minus"
    assert not np.isclose(dt0, -right0, atol=1e-6), "dL/dt0 has the wrong sign"
    assert np.isclose(dt0, right0, atol=1e-6), "dL/dt0 is wrong: a_t starts at -dL/dt1, and f depends on t here"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 8: The times of several observations (2 points)
#
# For the loss of part 6: when only the inner time $t_i$ moves, $z(t_i)$ moves along the solution, and nothing else changes. So
# $\partial L/\partial t_i = \frac{\partial L}{\partial z(t_i)} f(z(t_i), t_i)$ with the *direct* derivative `a_zs[i]`, for $0 < i \le N$. Return these N numbers.


# %% nbgrader={"grade_id": "inner-times", "solution": true}
def observation_time_gradients(f_vjp, zs, a_zs, ts, theta):
    """dL/dt_i for i = 1 ... N, (N,)"""
    ### BEGIN SOLUTION
    return np.array([np.sum(a_zs[i] * f_vjp(zs[i], ts[i], theta)[0]) for i in range(1, len(ts))])
    ### END SOLUTION


# %% nbgrader={"grade_id": "inner-times-tests", "grade": true, "points": 2}
assert np.shape(
    observation_time_gradients(f_vjp, np.ones((3, 3)), np.ones((3, 3)), np.array([0.0, 0.4, 1.0]), THETA)
) == (2,), "one number for each t_i but the first"
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 8])
z0, theta, a_zs, ts = (
    rng.normal(size=3),
    rng.uniform(0.5, 1.5, size=2),
    rng.normal(size=(4, 3)),
    np.array([0.2, 0.5, 1.1, 1.4]),
)
states = lambda ts: np.stack([z0, *(integrate(lambda z, t: f_vjp(z, t, theta)[0], z0, ts[0], t, 90) for t in ts[1:])])
with by_hand("scipy"):
    found = observation_time_gradients(f_vjp, states(ts), a_zs, ts, theta)
right = np.array([np.sum(a_zs * states(ts + 1e-30j * e)).imag for e in np.eye(4)[1:]]) / 1e-30
assert np.allclose(found, right, atol=1e-6), "dL/dt_i = a_zs[i] f(z(t_i), t_i)"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 9: How exact is it? (2 points)
#
# Algorithm 1 has an error of its own, because it rebuilds $z$. Let $g_n$ be $\partial L/\partial z_0$ by `algorithm_1` with `n` steps, where `z1` is the end of a forward solve with `n` steps too. Return
# the largest entry of $|g_n - g|$ for each `n` in `ns`, where `g` are your central differences of the loss *of that forward solve with 400 steps*. The loss is $\sum_i z_i(t_1)$.


# %% nbgrader={"grade_id": "gap", "solution": true}
def adjoint_gaps(f_vjp, z0, t0, t1, theta, ns):
    """(len(ns),)"""
    ### BEGIN SOLUTION
    end = lambda z0, n: integrate(lambda z, t: f_vjp(z, t, theta)[0], z0, t0, t1, n)
    g = central_differences(lambda z0: np.sum(end(z0, 400)), z0)
    return np.array([abs(algorithm_1(f_vjp, end(z0, n), np.ones_like(z0), t0, t1, theta, n)[1] - g).max() for n in ns])
    ### END SOLUTION


# %% nbgrader={"grade_id": "gap-tests", "grade": true, "points": 2}
gaps = adjoint_gaps(f_vjp, Z0, 0.0, 2.0, THETA, [2, 4, 8])
assert np.shape(gaps) == (3,) and gaps[0] > gaps[1] > gaps[2], "the gap closes with the number of steps"
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

z0 = np.random.default_rng([COURSE_SEED, 9]).normal(size=3)
with by_hand("scipy"):
    gaps = adjoint_gaps(f_vjp, z0, 0.0, 2.0, THETA, [8, 16, 32])
slopes = np.log2(gaps[:-1] / gaps[1:])
assert np.all(abs(slopes - 4) < 0.8), (
    f"with RK4 the gap closes like n^-4; here like n^-{slopes[0]:.1f} and n^-{slopes[1]:.1f}"
)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade_id": "minus", "grade": true, "solution": true, "points": 1}
# ## Part 10: Where the minus comes from (1 point, marked by hand)
#
# Why does Algorithm 2 start $a_t$ at $-\partial L/\partial t_1$? Use $H = a \cdot f$.
#
# === BEGIN MARK SCHEME ===
# 1 point: along the solution dH/dt = a df/dt, while da_t/dt = -a df/dt; so a_t + H is constant. At t0 it must be 0, since dL/dt0 = -H(t0); hence a_t(t1) = -H(t1) = -dL/dt1.
# === END MARK SCHEME ===

# %% [markdown] nbgrader={"grade_id": "memory", "grade": true, "solution": true, "points": 1}
# ## Part 11: What it costs (1 point, marked by hand)
#
# Compare parts 3 and 5: what does each keep in memory for n steps, and what does each get wrong?
#
# === BEGIN MARK SCHEME ===
# Half a point: the discrete adjoint keeps n pullbacks (O(n)), Algorithm 1 keeps only the end (O(1)). Half a point: the discrete one is the exact gradient of an inexact solve;
# Algorithm 1 is an inexact gradient of the exact solution, with an error that shrinks with the step.
# === END MARK SCHEME ===
