# %% [markdown]
# # PS1 Solvers
#
# | | |
# |---|---|
# | **You will show that you can** | write a Runge-Kutta method from its tableau, measure its order, control its step, find where it becomes unstable, and read the record of a solve |
# | **You need** | notebooks 00, 01 and 03 |
# | **Points and time** | 11 parts, 28 points, about 6 hours |
#
# Write your code where it says so, and run the cells in their order. A cell that begins with **Checkpoint** tells you
# what is probably wrong; it gives no points. The cells with tests give points. They hold further tests that you do not see.
# Everything in this problem set is written by hand: NumPy is allowed, a solver of a library is not.
#
# Throughout, `f(z, t, theta)` is the slope $dz/dt$ at state `z` (an array of any shape, or a number) and time `t`, and `h`
# is a step, which is negative when time runs backwards.

# %% nbgrader={"grade_id": "imports", "locked": true}
import numpy as np

import odelearn
from odelearn import checks

EULER = (np.array([[0.0]]), np.array([1.0]), np.array([0.0]))  # A, b, c
MIDPOINT = (np.array([[0.0, 0.0], [0.5, 0.0]]), np.array([0.0, 1.0]), np.array([0.0, 0.5]))
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
BOSH3_HAT = np.array([7 / 24, 1 / 4, 1 / 3, 1 / 8])  # weights of the second-order solution inside BOSH3

# %% [markdown]
# ## Part 1: Euler's step (2 points)
#
# $$z_{next} = z + h\, f(z, t, \theta)$$


# %% nbgrader={"grade_id": "euler", "solution": true}
def euler_step(f, z, t, h, theta):
    """z_next after one step of Euler's method."""
    ### BEGIN SOLUTION
    return z + h * f(z, t, theta)
    ### END SOLUTION


# %% [markdown]
# **Checkpoint.**

# %% nbgrader={"grade_id": "euler-checkpoint", "locked": true}
checks.check_step(euler_step, like=odelearn.EULER)

# %% nbgrader={"grade_id": "euler-tests", "grade": true, "points": 2}
assert euler_step(lambda z, t, theta: theta, 1.0, 0.0, 0.5, 3.0) == 2.5, "slope 3 for a time of 0.5, starting at 1"
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 1])
z, h = rng.normal(size=(3, 2)), rng.uniform(0.05, 0.2)
kept = z.copy()
for step in (h, -h):
    with by_hand("scipy"):
        z_next = euler_step(lambda z, t, theta: theta * z * np.cos(t), z, 0.3, step, 0.7)
    assert np.shape(z_next) == (3, 2), "z_next has the shape of z"
    assert np.allclose(z_next, kept * (1 + step * 0.7 * np.cos(0.3)), rtol=1e-13), (
        "f depends on t here, and h may be negative"
    )
assert np.array_equal(z, kept), "z was changed in place"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 2: A solve with n equal steps (2 points)
#
# Start at `z0` and take `n` steps of `step(f, z, t, h, theta)` from `t0` to `t1`. Return all times, `ts` of shape
# `(n + 1,)`, and all states, `zs` of shape `(n + 1, *z0.shape)`. The last time must be `t1` exactly: adding `h` again and
# again does not get there.


# %% nbgrader={"grade_id": "solve", "solution": true}
def solve(step, f, z0, t0, t1, n, theta):
    """(ts, zs) of n equal steps from t0 to t1."""
    ### BEGIN SOLUTION
    ts = np.linspace(t0, t1, n + 1)
    zs = [np.asarray(z0, float)]
    for i in range(n):
        zs.append(step(f, zs[-1], ts[i], (t1 - t0) / n, theta))
    return ts, np.array(zs)
    ### END SOLUTION


# %% nbgrader={"grade_id": "solve-tests", "grade": true, "points": 2}
ts, zs = solve(
    lambda f, z, t, h, theta: z + h * f(z, t, theta), lambda z, t, theta: 1.0, np.zeros(2), 1.0, 3.0, 4, None
)
assert ts.shape == (5,) and zs.shape == (5, 2), "ts has shape (n + 1,), zs (n + 1, *z0.shape), the start included"
assert np.allclose(zs[:, 0], ts - 1.0), "with slope 1 the state shows the time that has passed"
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 2])
z0, n = rng.normal(size=3), int(rng.integers(5, 12))
euler = lambda f, z, t, h, theta: z + h * f(z, t, theta)
for t0, t1 in ((0.2, 1.7), (1.7, 0.2)):
    times = []
    with by_hand("scipy"):
        ts, zs = solve(euler, lambda z, t, theta: times.append(t) or theta * z * np.cos(t), z0, t0, t1, n, 0.7)
    assert np.shape(ts) == (n + 1,) and np.shape(zs) == (n + 1, 3), f"{n} steps give {n + 1} times and states"
    assert ts[-1] == t1, "the last time is t1 exactly"
    assert np.allclose(times, np.linspace(t0, t1, n + 1)[:-1]), (
        "each step starts at its own time; time may run backwards"
    )
    expected = z0 * np.prod([1 + (t1 - t0) / n * 0.7 * np.cos(t) for t in times])
    assert np.allclose(zs[-1], expected, rtol=1e-12), "the end of Euler's polygon is wrong"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 3: The midpoint method (2 points)
#
# Go half an Euler step, look at the slope there, and take the whole step with that slope:
# $z_{next} = z + h\, f\big(z + \tfrac h2 f(z, t, \theta),\; t + \tfrac h2,\; \theta\big)$.


# %% nbgrader={"grade_id": "midpoint", "solution": true}
def midpoint_step(f, z, t, h, theta):
    """z_next after one step of the midpoint method."""
    ### BEGIN SOLUTION
    k = f(z, t, theta)
    return z + h * f(z + h / 2 * k, t + h / 2, theta)
    ### END SOLUTION


# %% [markdown]
# **Checkpoint.**

# %% nbgrader={"grade_id": "midpoint-checkpoint", "locked": true}
checks.check_step(midpoint_step, like=odelearn.MIDPOINT)

# %% nbgrader={"grade_id": "midpoint-tests", "grade": true, "points": 2}
assert midpoint_step(lambda z, t, theta: 2 * t, 0.0, 0.0, 1.0, None) == 1.0, (
    "the slope 2 t is integrated exactly: 0 to 1"
)
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 3])
z, h = rng.normal(size=4), rng.uniform(0.05, 0.2)
f = lambda z, t, theta: theta * z * np.cos(t)
with by_hand("scipy"):
    z_next = midpoint_step(f, z, 0.3, h, 0.7)
half = z + h / 2 * f(z, 0.3, 0.7)
assert np.allclose(z_next, z + h * f(half, 0.3 + h / 2, 0.7), rtol=1e-13), (
    "the second slope belongs to t + h / 2 and to the half step"
)
### END HIDDEN TESTS

# %% [markdown]
# ## Part 4: Any explicit Runge-Kutta method (4 points)
#
# A tableau is `(A, b, c)`. With $s$ stages,
#
# $$k_i = f\Big(z + h \sum_{j < i} A_{ij} k_j,\; t + c_i h,\; \theta\Big), \qquad z_{next} = z + h \sum_i b_i k_i .$$
#
# Return `z_next` and the slopes `k`, an array of shape `(s, *z.shape)`.


# %% nbgrader={"grade_id": "rk", "solution": true}
def rk_step(tableau, f, z, t, h, theta):
    """(z_next, k) after one step of an explicit Runge-Kutta method."""
    A, b, c = tableau
    ### BEGIN SOLUTION
    k = np.zeros((len(b), *np.shape(z)))
    for i in range(len(b)):
        k[i] = f(z + h * np.tensordot(A[i, :i], k[:i], 1), t + c[i] * h, theta)
    return z + h * np.tensordot(b, k, 1), k
    ### END SOLUTION


# %% [markdown]
# **Checkpoint.**

# %% nbgrader={"grade_id": "rk-checkpoint", "locked": true}
checks.check_step(lambda f, z, t, h, theta: rk_step(RK4, f, z, t, h, theta)[0], like=odelearn.RK4)

# %% nbgrader={"grade_id": "rk-tests", "grade": true, "points": 4}
z_next, k = rk_step(RK4, lambda z, t, theta: 4 * t**3 + 0 * z, np.zeros(2), 0.0, 1.0, None)
assert k.shape == (4, 2), "k has shape (s, *z.shape)"
assert np.allclose(z_next, 1.0), "RK4 integrates 4 t^3 from 0 to 1 exactly"
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 4])
s = 4
A = np.tril(rng.normal(size=(s, s)), -1)  # no known method: so nothing can be remembered
tableau = (A, rng.normal(size=s), A.sum(1) + rng.normal(size=s))  # c is not the row sum either
z, h = rng.normal(size=(2, 3)), -0.2
f = lambda z, t, theta: theta * np.sin(z) * np.cos(t)
with by_hand("scipy"):
    z_next, k = rk_step(tableau, f, z, 0.4, h, 0.7)
A, b, c = tableau
slopes = []
for i in range(s):
    slopes.append(f(z + h * sum((A[i, j] * slopes[j] for j in range(i)), np.zeros_like(z)), 0.4 + c[i] * h, 0.7))
assert np.shape(k) == (s, 2, 3), "k has shape (s, *z.shape), also when z is a matrix"
for i in range(s):
    assert np.allclose(k[i], slopes[i], rtol=1e-12), (
        f"k[{i}] is wrong for a tableau with random entries (A is lower triangular)"
    )
assert np.allclose(z_next, z + h * sum(b[i] * slopes[i] for i in range(s)), rtol=1e-12), (
    "the k are right, z_next is not: it is z + h sum b_i k_i"
)
### END HIDDEN TESTS

# %% [markdown]
# ## Part 5: Conditions for the order (3 points)
#
# A method has order 3 if and only if four numbers are zero:
#
# $$\sum_i b_i - 1, \qquad \sum_i b_i c_i - \tfrac12, \qquad \sum_i b_i c_i^2 - \tfrac13, \qquad \sum_{ij} b_i A_{ij} c_j - \tfrac16 .$$
#
# Return them as an array of shape `(4,)`, in this order.


# %% nbgrader={"grade_id": "conditions", "solution": true}
def order_residuals(tableau):
    """The residuals of the four conditions for order 3, (4,)."""
    A, b, c = tableau
    ### BEGIN SOLUTION
    return np.array([b.sum() - 1, b @ c - 1 / 2, b @ c**2 - 1 / 3, b @ A @ c - 1 / 6])
    ### END SOLUTION


# %% nbgrader={"grade_id": "conditions-tests", "grade": true, "points": 3}
assert np.allclose(order_residuals(EULER), [0, -1 / 2, -1 / 3, -1 / 6]), "Euler fulfils the first condition only"
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 5])
A = np.tril(rng.normal(size=(3, 3)), -1)
b, c = rng.normal(size=3), rng.normal(size=3)
with by_hand("scipy"):
    found = order_residuals((A, b, c))
    assert np.allclose(order_residuals(RK4), 0, atol=1e-15), "RK4 fulfils all four"
right = [
    sum(b) - 1,
    sum(b * c) - 1 / 2,
    sum(b * c * c) - 1 / 3,
    sum(b[i] * A[i, j] * c[j] for i in range(3) for j in range(3)) - 1 / 6,
]
for i in range(4):
    assert np.isclose(found[i], right[i], rtol=1e-12), f"condition {i + 1} is wrong for a random tableau"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 6: Measure an order (2 points)
#
# If the error at the end is $E(n) \approx C n^{-p}$ for $n$ steps, then $p \approx \log_2 \big(E(n) / E(2n)\big)$. Given
# errors for $n$, $2n$, $4n$, ..., return the array of the orders seen from each to the next.


# %% nbgrader={"grade_id": "observe", "solution": true}
def observed_orders(errors):
    """(m - 1,) orders from the errors (m,) with n, 2 n, 4 n, ... steps."""
    ### BEGIN SOLUTION
    errors = np.asarray(errors, float)
    return np.log2(errors[:-1] / errors[1:])
    ### END SOLUTION


# %% nbgrader={"grade_id": "observe-tests", "grade": true, "points": 2}
assert np.allclose(observed_orders([1.0, 0.25, 0.0625]), [2, 2]), "halving h quarters the error: order 2"
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

p = 1 + np.random.default_rng([COURSE_SEED, 6]).uniform(0, 4)
with by_hand("scipy"):
    found = observed_orders([3.0 * 2.0 ** (-p * i) for i in range(5)])
assert np.shape(found) == (4,), "m errors give m - 1 orders"
assert np.allclose(found, p, rtol=1e-12), f"errors that fall like n^-{p:.2f} have order {p:.2f}"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 7: An embedded pair (2 points)
#
# BOSH3 has two sets of weights for the same slopes: `b` of order 3 and `b_hat` of order 2. Their difference estimates the
# error of one step: $e = h \sum_i (b_i - \hat b_i) k_i$. Return `z_next` (with `b`) and `e`, by your `rk_step`.


# %% nbgrader={"grade_id": "pair", "solution": true}
def pair_step(tableau, b_hat, f, z, t, h, theta):
    """(z_next, error estimate) after one step, both shaped like z."""
    ### BEGIN SOLUTION
    z_next, k = rk_step(tableau, f, z, t, h, theta)
    return z_next, h * np.tensordot(tableau[1] - b_hat, k, 1)
    ### END SOLUTION


# %% nbgrader={"grade_id": "pair-tests", "grade": true, "points": 2}
z_next, e = pair_step(BOSH3, BOSH3_HAT, lambda z, t, theta: 3 * t**2 + 0 * z, np.zeros(2), 0.0, 1.0, None)
assert e.shape == (2,) and np.allclose(z_next, 1.0), "BOSH3 integrates 3 t^2 from 0 to 1 exactly"
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 7])
z, b_hat = rng.normal(size=3), rng.normal(size=4)
f = lambda z, t, theta: theta * z * np.cos(t)
estimates = {}
for h in (0.3, -0.3):
    with by_hand("scipy"):
        z_next, estimates[h] = pair_step(BOSH3, b_hat, f, z, 0.4, h, 0.7)
    k = []
    for i in range(4):
        k.append(f(z + h * sum((BOSH3[0][i, j] * k[j] for j in range(i)), 0 * z), 0.4 + BOSH3[2][i] * h, 0.7))
    assert np.allclose(z_next, z + h * sum(BOSH3[1][i] * k[i] for i in range(4)), rtol=1e-12), (
        "z_next is the solution with b"
    )
    right = h * sum((BOSH3[1][i] - b_hat[i]) * k[i] for i in range(4))
    assert np.allclose(estimates[h], right, rtol=1e-10), (
        "the error estimate is h sum (b_i - b_hat_i) k_i: is h there, and the sign?"
    )
### END HIDDEN TESTS

# %% [markdown]
# ## Part 8: Steps that choose their length (5 points)
#
# Solve from `t0` to `t1` (either direction) with BOSH3 and the rules
#
# - scaled error $E = \sqrt{\text{mean}\big((e / (atol + rtol \max(|z|, |z_{next}|)))^2\big)}$, all componentwise;
# - the step is *accepted* if $E \le 1$: time and state move on; otherwise it is *rejected*, and tried again from the same place;
# - in both cases the next $|h|$ is $|h| \cdot \min\big(5, \max(0.2,\; 0.9\, E^{-1/3})\big)$; with $E = 0$ the factor is 5;
# - the last step is shortened so that it ends at `t1` exactly;
# - the first step has the length `h0` (positive).
#
# Return `ts` and `zs` (start included, accepted steps only) and the number of rejected steps. Raise `ValueError` when more than
# 10,000 steps were tried.


# %% nbgrader={"grade_id": "adaptive", "solution": true}
def solve_adaptive(f, z0, t0, t1, theta, rtol, atol, h0):
    """(ts, zs, rejected)"""
    ### BEGIN SOLUTION
    z, t, h, sign = np.asarray(z0, float), t0, h0, np.sign(t1 - t0)
    ts, zs, rejected = [t], [z], 0
    while t != t1:
        if len(ts) + rejected > 10_000:
            raise ValueError("more than 10,000 steps")
        last = h >= abs(t1 - t)
        h = min(h, abs(t1 - t))
        z_next, e = pair_step(BOSH3, BOSH3_HAT, f, z, t, sign * h, theta)
        E = np.sqrt(np.mean((e / (atol + rtol * np.maximum(abs(z), abs(z_next)))) ** 2))
        if E <= 1:
            t, z = t1 if last else t + sign * h, z_next
            ts.append(t)
            zs.append(z)
        else:
            rejected += 1
        h *= min(5, max(0.2, 0.9 * E ** (-1 / 3))) if E > 0 else 5
    return np.array(ts), np.array(zs), rejected
    ### END SOLUTION


# %% nbgrader={"grade_id": "adaptive-tests", "grade": true, "points": 5}
ts, zs, rejected = solve_adaptive(lambda z, t, theta: -z, np.ones(1), 0.0, 2.0, None, 1e-6, 1e-9, 0.1)
assert ts[0] == 0.0 and ts[-1] == 2.0, "the solve starts at t0, and ends at t1 exactly"
assert abs(zs[-1, 0] - np.exp(-2)) < 1e-5, "the error at the end should be near the tolerance"
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 8])
theta, z0 = rng.uniform(3, 5), rng.uniform(0.5, 1.5, size=2)
f = lambda z, t, theta: theta * np.cos(5 * t) * z


def reference(z, t, t1, h):
    ts, zs, rejected, sign = [t], [z], 0, np.sign(t1 - t)
    while t != t1:
        full = h >= abs(t1 - t)
        h = min(h, abs(t1 - t))
        k = []
        for i in range(4):
            k.append(
                f(
                    z + sign * h * sum((BOSH3[0][i, j] * k[j] for j in range(i)), 0 * z),
                    t + BOSH3[2][i] * sign * h,
                    theta,
                )
            )
        z_next = z + sign * h * sum(BOSH3[1][i] * k[i] for i in range(4))
        e = sign * h * sum((BOSH3[1][i] - BOSH3_HAT[i]) * k[i] for i in range(4))
        E = np.sqrt(np.mean((e / (1e-9 + 1e-5 * np.maximum(abs(z), abs(z_next)))) ** 2))
        if E <= 1:
            t, z = t1 if full else t + sign * h, z_next
            ts.append(t), zs.append(z)
        else:
            rejected += 1
        h *= min(5, max(0.2, 0.9 * E ** (-1 / 3)))
    return np.array(ts), np.array(zs), rejected


for t0, t1 in ((0.0, 1.5), (1.5, 0.0)):
    with by_hand("scipy"):
        ts, zs, rejected = solve_adaptive(f, z0, t0, t1, theta, 1e-5, 1e-9, 0.5)
    right_ts, right_zs, right_rejected = reference(z0, t0, t1, 0.5)
    direction = "forwards" if t1 > t0 else "backwards"
    assert ts[-1] == t1, f"{direction} in time, the last time is not t1"
    error = abs(zs[-1] - z0 * np.exp(theta / 5 * (np.sin(5 * t1) - np.sin(5 * t0)))).max()
    assert error < 1e-2, f"{direction} in time, the end is wrong by {error:.1g}"
    assert rejected == right_rejected, f"{direction}: {rejected} steps rejected; by the rules it is {right_rejected}"
    assert len(ts) == len(right_ts), (
        f"{direction}: {len(ts) - 1} accepted steps; by the rules it is {len(right_ts) - 1}"
    )
    assert np.allclose(zs, right_zs, rtol=1e-9), f"{direction}: the accepted states differ from those of the rules"
try:
    with by_hand("scipy"):
        solve_adaptive(lambda z, t, theta: -1e6 * z, np.ones(1), 0.0, 100.0, None, 1e-6, 1e-9, 0.1)
except ValueError:
    pass
else:
    raise AssertionError("more than 10,000 steps must end in a ValueError")
### END HIDDEN TESTS

# %% [markdown]
# ## Part 9: Break stability (2 points)
#
# On $z' = \lambda z$ one step multiplies the state by a polynomial $R(h\lambda)$, the *stability function*. The solution stays bounded only
# if $|R(h\lambda)| \le 1$. Compute $R(x)$ for a tableau and a number $x$ (real or complex): with $\mathbf 1 = (1, \dots, 1)$,
#
# $$R(x) = 1 + x\, b^T (I - x A)^{-1} \mathbf 1 .$$


# %% nbgrader={"grade_id": "stability", "solution": true}
def stability_function(tableau, x):
    """R(x), a number."""
    A, b, c = tableau
    ### BEGIN SOLUTION
    s = len(b)
    return 1 + x * (b @ np.linalg.solve(np.eye(s) - x * A, np.ones(s)))
    ### END SOLUTION


# %% nbgrader={"grade_id": "stability-tests", "grade": true, "points": 2}
assert np.isclose(stability_function(EULER, -0.5), 0.5), "Euler: R(x) = 1 + x"
assert np.isclose(stability_function(RK4, -1.0), 1 - 1 + 1 / 2 - 1 / 6 + 1 / 24), "RK4: the first terms of exp(x)"
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 9])
A, b = np.tril(rng.normal(size=(3, 3)), -1), rng.normal(size=3)
x = complex(*rng.normal(size=2))
with by_hand("scipy"):
    found = stability_function((A, b, A.sum(1)), x)
k = []
for i in range(3):
    k.append(x * (1 + sum(A[i, j] * k[j] for j in range(i))))
assert np.isclose(found, 1 + sum(b[i] * k[i] for i in range(3)), rtol=1e-12), (
    "R(x) of a random tableau at a complex x is wrong"
)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade_id": "explode", "grade": true, "solution": true, "points": 2}
# ## Part 10: Why it explodes (2 points, marked by hand)
#
# Euler's method solves $z' = -50 z$, $z(0) = 1$ up to $t = 1$. With 30 steps the result is near $10^{-6}$, with 20 steps it is near $10^{3}$, though the
# true solution falls in both cases. Explain it with $R(x)$: at which number of steps does it change, and what happens at
# exactly that number? Write at most six sentences.
#
# === BEGIN MARK SCHEME ===
# 1 point: the step multiplies the state by R = 1 - 50 h; it grows when |1 - 50 h| > 1, that is for h > 0.04: fewer than 25 steps.
# 1 point: at 25 steps R = -1: the state jumps between 1 and -1 for ever, neither growing nor falling. (Half a point if only "unstable" is said.)
# === END MARK SCHEME ===

# %% [markdown]
# ## Part 11: Read a ledger (2 points)
#
# A solve of odelearn keeps a ledger, a row for each step that was *tried*. Each row has `.t` (where the step began), `.h` (its signed length),
# `.error` ($E$ as in part 8) and `.accepted`. Write a function that reads such a list of rows, and returns a dictionary:
#
# - `"accepted"`: the number of accepted steps,
# - `"rejected"`: the number of rejected steps,
# - `"longest"`: the length $|h|$ of the longest accepted step,
# - `"hardest"`: the time at which the shortest accepted step began.


# %% nbgrader={"grade_id": "ledger", "solution": true}
def read_ledger(ledger):
    """{"accepted": int, "rejected": int, "longest": float, "hardest": float}"""
    ### BEGIN SOLUTION
    accepted = [row for row in ledger if row.accepted]
    return {
        "accepted": len(accepted),
        "rejected": len(ledger) - len(accepted),
        "longest": max(abs(row.h) for row in accepted),
        "hardest": min(accepted, key=lambda row: abs(row.h)).t,
    }
    ### END SOLUTION


# %% nbgrader={"grade_id": "ledger-tests", "grade": true, "points": 2}
pulse = lambda z, t, theta: 20.0 * np.exp(-200.0 * (t - 0.6) ** 2) - z
ledger = odelearn.odesolve(np.ones(1), pulse, [0.0, 2.0], None, odelearn.bosh3(1e-6, 1e-8)).ledger
reading = read_ledger(ledger)
assert reading["accepted"] + reading["rejected"] == len(ledger), "every row is accepted or rejected"
### BEGIN HIDDEN TESTS
from types import SimpleNamespace

from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 11])
rows = [
    SimpleNamespace(t=float(t), h=-float(h), error=float(e), accepted=bool(e <= 1))
    for t, h, e in zip(rng.normal(size=30), rng.uniform(0.1, 1, 30), rng.uniform(0, 2, 30), strict=True)
]
rows.append(SimpleNamespace(t=9.0, h=-5.0, error=7.0, accepted=False))  # the longest of all was rejected
rows.append(SimpleNamespace(t=8.0, h=-1e-3, error=7.0, accepted=False))  # and the shortest too
with by_hand("scipy"):
    reading = read_ledger(rows)
good = [row for row in rows if row.accepted]
assert reading["accepted"] == len(good) and reading["rejected"] == len(rows) - len(good), "the counts are wrong"
assert reading["longest"] == max(-row.h for row in good), (
    "the longest step: |h| of accepted rows only (h is negative here)"
)
assert reading["hardest"] == min(good, key=lambda row: -row.h).t, (
    "the hardest place: where the shortest accepted step began"
)
### END HIDDEN TESTS
