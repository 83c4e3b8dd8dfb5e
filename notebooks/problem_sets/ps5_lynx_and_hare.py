# %% [markdown]
# # PS5 Project: the lynx and the hare
#
# | | |
# |---|---|
# | **You will show that you can** | fit two models to a real series of 21 points, judge them on years that they have not seen, say how sure they are, and report what came out |
# | **You need** | notebooks 00, 05, 06 and 08; PS1 to PS3 |
# | **Points and time** | 11 parts, 36 points, about 12 hours |
#
# The series: pelts of hares and lynxes, in thousands, for the years 1900 to 1920. Model 1 is the equation of Lotka and Volterra (4 parameters). Model 2 is a
# Neural ODE, $dz/dt$ = a small network. Both are trained on the first 17 years, and judged on the last 4.
#
# The rules of the game: nothing about the last four years may enter a choice, neither a parameter, nor a scale, nor a number of steps. The report at
# the end counts most. A forecast that fails, and a report that says so and shows it, gets all its points.
#
# Solvers, gradients and networks may come from `odelearn` in parts 5 to 11. Parts 1 to 4 are written by hand.

# %% nbgrader={"grade_id": "imports", "locked": true}
import numpy as np

import odelearn
from odelearn import checks, datasets

SERIES = datasets.lynx_hare()
YEARS, COUNTS = SERIES[0], SERIES[1]  # (21,), (21, 2): hare, lynx
HELD = 4  # the last years are held out

# A toy to try parts 5 to 7 on: an orbit with noise, in units of part 1.
TOY_TIMES = np.linspace(0.0, 3.0, 9)
TOY = np.stack([np.cos(2 * TOY_TIMES), np.sin(2 * TOY_TIMES)], axis=1)
TOY_NET = odelearn.MLP([2, 8, 2])
TOY_START = np.concatenate([TOY[0], TOY_NET.init(np.random.default_rng(0))])

# %% [markdown]
# ## Part 1: An honest split (3 points)
#
# Return `t_train`, `y_train`, `t_test`, `y_test`, `mean` and `scale`: times are years since the first one; $y = (\log(\text{counts}) - mean) / scale$, where mean and scale (standard deviation, `np.std`), both (2,), are those of the *training* rows.


# %% nbgrader={"grade_id": "split", "solution": true}
def split(years, counts, held):
    """t_train, y_train, t_test, y_test, mean, scale"""
    ### BEGIN SOLUTION
    t, z, n = years - years[0], np.log(counts), len(years) - held
    mean, scale = z[:n].mean(0), z[:n].std(0)
    y = (z - mean) / scale
    return t[:n], y[:n], t[n:], y[n:], mean, scale
    ### END SOLUTION


# %% nbgrader={"grade_id": "split-tests", "grade": true, "points": 3}
t_train, y_train, t_test, y_test, mean, scale = split(YEARS, COUNTS, HELD)
assert y_train.shape == (17, 2) and y_test.shape == (4, 2), "17 rows to learn from, 4 held out"
assert t_train[0] == 0 and t_test[-1] == 20, "times are years since the first one"
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 1])
years, counts = 1950.0 + np.arange(12), rng.uniform(1, 100, size=(12, 2))
with by_hand("scipy"):
    parts = split(years, counts, 3)
    tampered = split(years, np.vstack([counts[:9], 1e6 * counts[9:]]), 3)
assert all(np.array_equal(parts[i], tampered[i]) for i in (0, 1, 4, 5)), (
    "held-out rows change what the model learns from: mean and scale are those of the training rows"
)
assert np.allclose(parts[1].mean(0), 0) and np.allclose(parts[1].std(0), 1), (
    "the training rows have mean 0 and standard deviation 1"
)
assert np.allclose(np.exp(parts[3] * parts[5] + parts[4]), counts[9:]), (
    "y * scale + mean is the logarithm of the counts, also for held-out rows"
)
### END HIDDEN TESTS

# %% [markdown]
# ## Part 2: A score and two baselines (3 points)
#
# `r_squared(y, prediction)` is $1 - \sum (y - \hat y)^2 / \sum y^2$, over all entries. In our units the training mean is 0, so a score of 0 is what the training mean would get; a forecast can be worse.
#
# `last_value(y_train, n)` repeats the last training row n times. `one_period_ago(y_train, n, period)` repeats the rows from `period` years before: forecast row i is the training row that is `period` rows before it (again and again, if n is longer than that).


# %% nbgrader={"grade_id": "score", "solution": true}
def r_squared(y, prediction):
    ### BEGIN SOLUTION
    return 1 - np.sum((y - prediction) ** 2) / np.sum(y**2)
    ### END SOLUTION


def last_value(y_train, n):
    """(n, 2)"""
    ### BEGIN SOLUTION
    return np.repeat(y_train[-1:], n, axis=0)
    ### END SOLUTION


def one_period_ago(y_train, n, period=10):
    """(n, 2)"""
    ### BEGIN SOLUTION
    return np.stack([y_train[len(y_train) - period + i % period] for i in range(n)])
    ### END SOLUTION


# %% nbgrader={"grade_id": "score-tests", "grade": true, "points": 3}
assert r_squared(np.ones((2, 2)), np.ones((2, 2))) == 1.0 and r_squared(np.ones((2, 2)), np.zeros((2, 2))) == 0.0
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 2])
y, p = rng.normal(size=(5, 2)) + 3, rng.normal(size=(5, 2))
with by_hand("scipy"):
    score, last, cycle = r_squared(y, p), last_value(y, 3), one_period_ago(y, 7, 3)
assert np.isclose(score, 1 - np.sum((y - p) ** 2) / np.sum(y * y)), (
    "the sum of squares is about 0, the training mean, not about the mean of the held-out rows"
)
assert np.shape(last) == (3, 2) and np.allclose(last, y[4]), "last_value repeats the last training row"
assert np.shape(cycle) == (7, 2), "one_period_ago returns n rows"
assert np.allclose(cycle, y[[2, 3, 4, 2, 3, 4, 2]]), "with period 3 the rows 2, 3, 4 of 5 come again and again"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 3: Lotka and Volterra (2 points)
#
# Hares $x$ and lynxes $y$: $\dot x = \alpha x - \beta x y$, $\dot y = -\gamma y + \delta x y$. With $u = \log x$, $v = \log y$ this is $\dot u = \alpha - \beta e^v$, $\dot v = -\gamma + \delta e^u$.
# All four are positive, so let `theta` (4,) be their logarithms, in the order alpha, beta, gamma, delta. `z` is (..., 2).


# %% nbgrader={"grade_id": "lv", "solution": true}
def lotka_volterra(z, t, theta):
    """dz/dt, shaped like z = [u, v]."""
    ### BEGIN SOLUTION
    alpha, beta, gamma, delta = np.exp(theta)
    return np.stack([alpha - beta * np.exp(z[..., 1]), -gamma + delta * np.exp(z[..., 0])], axis=-1)
    ### END SOLUTION


# %% nbgrader={"grade_id": "lv-tests", "grade": true, "points": 2}
assert np.allclose(lotka_volterra(np.zeros(2), 0.0, np.zeros(4)), 0.0), "with all parameters 1, x = y = 1 is at rest"
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 3])
z, theta = rng.normal(size=(5, 2)), rng.normal(size=4)
with by_hand("scipy"):
    dz = lotka_volterra(z, 0.0, theta)
x, y, p = np.exp(z[:, 0]), np.exp(z[:, 1]), np.exp(theta)
assert np.shape(dz) == (5, 2), "dz is shaped like z, also for a batch"
assert np.allclose(dz[:, 0], (p[0] * x - p[1] * x * y) / x), "du/dt = (dx/dt) / x = alpha - beta y"
assert np.allclose(dz[:, 1], (-p[2] * y + p[3] * x * y) / y), "dv/dt = (dy/dt) / y = -gamma + delta x"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 4: Its pullback (3 points)
#
# Return `dz` and `pullback(a) -> (a_z, a_t, a_theta)`, for `z` (2,) or a batch (N, 2). $f$ does not depend on t, so `a_t` is 0.0; `a_theta` (4,) is summed over the batch.


# %% nbgrader={"grade_id": "lv-vjp", "solution": true}
def lotka_volterra_vjp(z, t, theta):
    """dz, pullback"""
    ### BEGIN SOLUTION
    alpha, beta, gamma, delta = np.exp(theta)
    x, y = np.exp(z[..., 0]), np.exp(z[..., 1])

    def pullback(a):
        a_u, a_v = a[..., 0], a[..., 1]
        a_z = np.stack([a_v * delta * x, -a_u * beta * y], axis=-1)
        a_theta = np.array(
            [np.sum(a_u) * alpha, -np.sum(a_u * y) * beta, -np.sum(a_v) * gamma, np.sum(a_v * x) * delta]
        )
        return a_z, 0.0, a_theta

    return np.stack([alpha - beta * y, -gamma + delta * x], axis=-1), pullback
    ### END SOLUTION


# %% [markdown]
# **Checkpoint.**

# %% nbgrader={"grade_id": "lv-vjp-checkpoint", "locked": true}
checks.check_vjp(lotka_volterra_vjp, np.random.default_rng(1).normal(size=(5, 2)), 0.3, np.array([0.1, -0.4, 0.2, 0.3]))

# %% nbgrader={"grade_id": "lv-vjp-tests", "grade": true, "points": 3}
dz, pullback = lotka_volterra_vjp(np.zeros(2), 0.0, np.zeros(4))
a_z, a_t, a_theta = pullback(np.array([1.0, 0.0]))
assert np.allclose(a_z, [0, -1]) and np.shape(a_theta) == (4,), "du/dt falls when there are more lynxes"
### BEGIN HIDDEN TESTS
from odelearn.course.hand_written import by_hand

rng = np.random.default_rng([COURSE_SEED, 4])
for shape in ((2,), (5, 2)):
    z, theta, a, v, w = (
        rng.normal(size=shape),
        rng.normal(size=4),
        rng.normal(size=shape),
        rng.normal(size=shape),
        rng.normal(size=4),
    )
    with by_hand("scipy"):
        dz, pullback = lotka_volterra_vjp(z, 0.0, theta)
        a_z, a_t, a_theta = pullback(a)

    def field(z, theta):
        p = np.exp(theta)
        return np.stack([p[0] - p[1] * np.exp(z[..., 1]), -p[2] + p[3] * np.exp(z[..., 0])], axis=-1)

    assert np.allclose(dz, field(z, theta)), "the value is wrong"
    assert np.isclose(np.sum(a_z * v), np.sum(a * field(z + 1e-30j * v, theta)).imag / 1e-30), "a_z is wrong"
    assert np.isclose(np.sum(a_theta * w), np.sum(a * field(z, theta + 1e-30j * w)).imag / 1e-30), (
        "a_theta is wrong (theta are logarithms, and a batch is summed)"
    )
    assert a_t == 0, "f does not depend on t"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 5: A loss and its gradient (4 points)
#
# What is learned is one vector, `parameters` = $[z_0, \theta]$: the state at the first time, then theta. `f` is a `Dynamics` of odelearn, `y` (T, 2) are observations at `ts`. The states are those of `odelearn.rk4(n=4)`. Return
# the mean of the squared differences and its gradient, shaped like `parameters`, by `odelearn.odesolve_vjp` with the method `odelearn.Discrete()`.


# %% nbgrader={"grade_id": "loss", "solution": true}
def loss_and_gradient(parameters, f, ts, y):
    """loss, gradient"""
    ### BEGIN SOLUTION
    zs, pullback = odelearn.odesolve_vjp(parameters[:2], f, ts, parameters[2:], odelearn.rk4(n=4), odelearn.Discrete())
    g = pullback(2 * (zs - y) / y.size)
    return np.mean((zs - y) ** 2), np.concatenate([g.z0, g.theta])
    ### END SOLUTION


# %% nbgrader={"grade_id": "loss-tests", "grade": true, "points": 4}
loss, g = loss_and_gradient(TOY_START, TOY_NET, TOY_TIMES, TOY)
assert np.shape(g) == (len(TOY_START),) and np.isfinite(loss), "the gradient is shaped like the parameters"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng([COURSE_SEED, 5])
net = odelearn.MLP([2, 5, 2])
parameters, ts, y = (
    np.concatenate([rng.normal(size=2), net.init(rng)]),
    np.array([0.0, 0.5, 1.5, 2.0]),
    rng.normal(size=(4, 2)),
)
loss, g = loss_and_gradient(parameters, net, ts, y)


def by_complex_step(p):
    return np.mean((odelearn.odesolve(p[:2], net, ts, p[2:], odelearn.rk4(n=4)).zs - y) ** 2)


right = np.array([by_complex_step(parameters + 1e-30j * e).imag for e in np.eye(len(parameters))]) / 1e-30
assert np.isclose(loss, by_complex_step(parameters), rtol=1e-12), (
    "the loss is the mean over all entries of (zs - y)^2, with rk4(n=4)"
)
assert np.allclose(g[:2], right[:2], rtol=1e-8, atol=1e-12), "the gradient with respect to z0 is wrong"
assert np.allclose(g[2:], right[2:], rtol=1e-8, atol=1e-12), "the gradient with respect to theta is wrong"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 6: When to stop (3 points)
#
# A network of this size can learn 17 points by heart. Set the last `validation` training rows aside, train on the rest with `odelearn.Adam(lr)`, and measure the loss on the rows that were set aside after every step (the model solved from the first row to the last training row; the loss of the last `validation` rows). Return
# the number of steps (0 to `steps`) that had the smallest validation loss, the smaller one if two are equal, and the parameters at that step. `loss_and_gradient` is yours.


# %% nbgrader={"grade_id": "stop", "solution": true}
def choose_steps(start, f, ts, y, validation, steps, lr):
    """best_step, parameters at that step"""
    ### BEGIN SOLUTION
    adam, parameters, n = odelearn.Adam(lr=lr), start, len(ts) - validation

    def validation_loss(p):
        zs = odelearn.odesolve(p[:2], f, ts, p[2:], odelearn.rk4(n=4)).zs
        return np.mean((zs[n:] - y[n:]) ** 2)

    best, best_step, kept = validation_loss(start), 0, start
    for step in range(1, steps + 1):
        _, g = loss_and_gradient(parameters, f, ts[:n], y[:n])
        parameters = adam.step(parameters, g)
        loss = validation_loss(parameters)
        if loss < best:
            best, best_step, kept = loss, step, parameters
    return best_step, kept
    ### END SOLUTION


# %% nbgrader={"grade_id": "stop-tests", "grade": true, "points": 3}
best_step, kept = choose_steps(TOY_START, TOY_NET, TOY_TIMES, TOY, 2, 5, 0.01)
assert 0 <= best_step <= 5 and np.shape(kept) == np.shape(TOY_START), (
    "one of the steps 0 to 5, and the parameters there"
)
### BEGIN HIDDEN TESTS
rng = np.random.default_rng([COURSE_SEED, 6])
net, ts, y = odelearn.MLP([2, 4, 2]), np.linspace(0, 3, 8), rng.normal(size=(8, 2))
begin = np.concatenate([y[0], net.init(rng)])
adam, path = odelearn.Adam(lr=0.05), [begin]
for _ in range(30):
    zs, pullback = odelearn.odesolve_vjp(
        path[-1][:2], net, ts[:6], path[-1][2:], odelearn.rk4(n=4), odelearn.Discrete()
    )
    g = pullback(2 * (zs - y[:6]) / 12)
    path.append(adam.step(path[-1], np.concatenate([g.z0, g.theta])))
losses = [np.mean((odelearn.odesolve(p[:2], net, ts, p[2:], odelearn.rk4(n=4)).zs[6:] - y[6:]) ** 2) for p in path]
step, kept = choose_steps(begin, net, ts, y, 2, 30, 0.05)
assert step == int(np.argmin(losses)), (
    f"step {step} was chosen; the validation loss is smallest at step {int(np.argmin(losses))}"
)
assert np.allclose(kept, path[step]), "the parameters are not those of that step"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 7: Twenty seeds (4 points)
#
# Train an ensemble in one solve: `starts` (E, 2 + P), a row for each member. `odelearn.odesolve_vjp` takes `theta` (E, P) with `z0` (E, 2); states are then (T, E, 2). Minimise the *sum over members* of each member's own mean squared error by `odelearn.Adam(lr)` for `steps` steps, and return the parameters (E, 2 + P). Member e must come out
# as if it had been trained alone.


# %% nbgrader={"grade_id": "ensemble", "solution": true}
def train_ensemble(starts, f, ts, y, steps, lr):
    """(E, 2 + P)"""
    ### BEGIN SOLUTION
    adam, parameters = odelearn.Adam(lr=lr), starts
    for _ in range(steps):
        zs, pullback = odelearn.odesolve_vjp(
            parameters[:, :2], f, ts, parameters[:, 2:], odelearn.rk4(n=4), odelearn.Discrete()
        )
        g = pullback(2 * (zs - y[:, np.newaxis]) / y.size)
        parameters = adam.step(parameters, np.concatenate([g.z0, g.theta], axis=1))
    return parameters
    ### END SOLUTION


# %% nbgrader={"grade_id": "ensemble-tests", "grade": true, "points": 4}
assert train_ensemble(np.stack(3 * [TOY_START]), TOY_NET, TOY_TIMES, TOY, 2, 0.01).shape == (3, len(TOY_START))
### BEGIN HIDDEN TESTS
rng = np.random.default_rng([COURSE_SEED, 7])
net, ts, y = odelearn.MLP([2, 4, 2]), np.linspace(0, 2, 5), rng.normal(size=(5, 2))
begin = np.stack([np.concatenate([y[0], net.init(rng)]) for _ in range(3)])
kept = begin.copy()
together = train_ensemble(begin, net, ts, y, 15, 0.03)
assert np.array_equal(begin, kept), "starts was changed in place"
for e in range(3):
    adam, p = odelearn.Adam(lr=0.03), begin[e]
    for _ in range(15):
        zs, pullback = odelearn.odesolve_vjp(p[:2], net, ts, p[2:], odelearn.rk4(n=4), odelearn.Discrete())
        g = pullback(2 * (zs - y) / y.size)
        p = adam.step(p, np.concatenate([g.z0, g.theta]))
    assert np.allclose(together[e], p, rtol=1e-8, atol=1e-10), f"member {e} differs from what it becomes alone"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 8: Bands and their coverage (3 points)
#
# `bands(predictions, level)`: from `predictions` (E, T, 2) the lower and upper quantiles over the members that enclose `level` of them (level 0.5: the quantiles 0.25 and 0.75), each (T, 2). `coverage(y, low, high)`: the share of the entries of `y` that lie in [low, high].


# %% nbgrader={"grade_id": "bands", "solution": true}
def bands(predictions, level):
    """low (T, 2), high (T, 2)"""
    ### BEGIN SOLUTION
    low, high = np.quantile(predictions, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high
    ### END SOLUTION


def coverage(y, low, high):
    """a number between 0 and 1"""
    ### BEGIN SOLUTION
    return float(np.mean((low <= y) & (y <= high)))
    ### END SOLUTION


# %% nbgrader={"grade_id": "bands-tests", "grade": true, "points": 3}
low, high = bands(np.arange(5.0).reshape(5, 1, 1) * np.ones((1, 4, 2)), 0.5)
assert low.shape == (4, 2) and np.allclose(low, 1.0) and np.allclose(high, 3.0), (
    "of 0, 1, 2, 3, 4 the middle half is 1 to 3"
)
### BEGIN HIDDEN TESTS
rng = np.random.default_rng([COURSE_SEED, 8])
predictions = rng.normal(size=(40, 6, 2))
for level in (0.5, 0.9):
    low, high = bands(predictions, level)
    assert np.allclose(low, np.quantile(predictions, 0.5 - level / 2, axis=0)), (
        f"the lower quantile of level {level} is {0.5 - level / 2:.2f}"
    )
    assert np.allclose(high, np.quantile(predictions, 0.5 + level / 2, axis=0)), (
        f"the upper quantile of level {level} is {0.5 + level / 2:.2f}"
    )
assert np.isclose(
    coverage(np.array([[0.0, 1.0], [2.0, 5.0]]), np.zeros((2, 2)), np.array([[1.0, 1.0], [1.0, 9.0]])), 0.75
), "three of four lie inside; the ends count"
### END HIDDEN TESTS

# %% [markdown]
# ## Part 9: The experiment (2 points)
#
# Now use all of it. Choose the number of steps by part 6 (training rows only), train 10 networks of the shape `MLP([2, 8, 2])` for that number of steps on all 17 rows, and forecast the 4 held-out years.
# Put the results into the dictionary `results`:
#
# - `"steps"`: the number of steps chosen; `"members"`: the number of members,
# - `"r2 train"`, `"r2 test"`: the scores of the ensemble's median, in the units of part 1,
# - `"r2 last value"`, `"r2 one period ago"`: the scores of the baselines on the held-out rows (period 10),
# - `"coverage 50"`, `"coverage 90"`: of the bands on the held-out rows.
#
# This cell should run in less than 20 seconds.

# %% nbgrader={"grade_id": "experiment", "solution": true}
results = {}
### BEGIN SOLUTION
t_train, y_train, t_test, y_test, mean, scale = split(YEARS, COUNTS, HELD)
net = odelearn.MLP([2, 8, 2])
rng = np.random.default_rng(0)
starts = np.stack([np.concatenate([y_train[0], net.init(rng)]) for _ in range(10)])
steps, _ = choose_steps(starts[0], net, t_train, y_train, 4, 100, 0.03)
steps = max(steps, 1)
trained = train_ensemble(starts, net, t_train, y_train, steps, 0.03)
all_times = np.concatenate([t_train, t_test])
predictions = odelearn.odesolve(trained[:, :2], net, all_times, trained[:, 2:], odelearn.rk4(n=4)).zs.swapaxes(0, 1)
median, held = np.median(predictions, axis=0), predictions[:, len(t_train) :]
results = {
    "steps": steps,
    "members": len(trained),
    "r2 train": r_squared(y_train, median[: len(t_train)]),
    "r2 test": r_squared(y_test, median[len(t_train) :]),
    "r2 last value": r_squared(y_test, last_value(y_train, HELD)),
    "r2 one period ago": r_squared(y_test, one_period_ago(y_train, HELD)),
    "coverage 50": coverage(y_test, *bands(held, 0.5)),
    "coverage 90": coverage(y_test, *bands(held, 0.9)),
}
### END SOLUTION
results

# %% nbgrader={"grade_id": "experiment-tests", "grade": true, "points": 2}
assert set(results) == {
    "steps",
    "members",
    "r2 train",
    "r2 test",
    "r2 last value",
    "r2 one period ago",
    "coverage 50",
    "coverage 90",
}
### BEGIN HIDDEN TESTS
assert results["members"] == 10, "ten members"
assert 1 <= results["steps"], "at least one step of training"
logs = np.log(COUNTS)
scaled = (logs - logs[:17].mean(0)) / logs[:17].std(0)
held = scaled[17:]
assert np.isclose(results["r2 last value"], 1 - np.sum((held - scaled[16]) ** 2) / np.sum(held**2), rtol=1e-6), (
    "the score of the last value is another"
)
assert np.isclose(results["r2 one period ago"], 1 - np.sum((held - scaled[7:11]) ** 2) / np.sum(held**2), rtol=1e-6), (
    "the score of one period ago is another"
)
assert results["r2 train"] <= 1 and results["r2 test"] <= 1, "a score is at most 1"
assert 0 <= results["coverage 50"] <= results["coverage 90"] <= 1, "the wider band covers at least as much"
assert np.isclose(8 * results["coverage 50"] % 1, 0) and np.isclose(8 * results["coverage 90"] % 1, 0), (
    "a coverage of 8 entries is a number of eighths"
)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade_id": "figure", "grade": true, "solution": true, "points": 1}
# ## Part 10: One figure (1 point, marked by hand)
#
# Describe your figure here, and draw it in a cell of your own below: data, median and both bands over all 21 years, the held-out years marked.
#
# === BEGIN MARK SCHEME ===
# 1 point: axes with names and units, training and held-out years told apart, bands visible, the caption says what is seen.
# === END MARK SCHEME ===

# %% [markdown] nbgrader={"grade_id": "report", "grade": true, "solution": true, "points": 8}
# ## Part 11: The report (8 points, marked by hand)
#
# One page: question, method, results in a table with both baselines, what the bands say and how far they can be trusted, what does not work and why, what you would try next.
#
# === BEGIN MARK SCHEME ===
# 2 points: method: what was fitted, on which rows, how the number of steps was chosen, and that nothing of the last four years was used.
# 2 points: results: all scores in a table, baselines beside them, numbers agree with part 9.
# 2 points: uncertainty: what the spread over seeds means (and what it leaves out: noise of the data, the form of the model), measured coverage, 8 entries are few.
# 1 point: honesty: a failed forecast is called one; no choice is justified by held-out years.
# 1 point: language: one thought a sentence, figure referred to, at most one page.
# === END MARK SCHEME ===
