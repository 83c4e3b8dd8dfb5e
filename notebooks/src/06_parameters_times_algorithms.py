# %% [markdown] tags=["header"]
# # 06 Parameters, times and the algorithms
#
# | | |
# |---|---|
# | **You will be able to** | derive the gradients of parameters and times from the adjoint equation, and write Algorithms 1 and 2 from memory |
# | **You need** | notebook 05 (the adjoint equation and its jumps). Have the paper open at Appendices B.2 and C |
# | **Time** | {{minutes_to_read}} minutes to read, {{minutes_to_do}} for the checkpoints and exercises |
# | **Equations** | (47) to (52), which is Appendix B.2; Algorithm 1, Algorithm 2 (Appendix C) |
#
# Notebook 05 has proved that the adjoint $a(t) = dL/dz(t)$ obeys
#
# $$\frac{da(t)}{dt} = -a(t) \frac{\partial f(z(t), t, \theta)}{\partial z}, \tag{35}$$
#
# and jumps by $\partial \ell_i / \partial z(t_i)$ at each observation. A training needs $dL/d\theta$, and perhaps
# $dL/dt_i$. This notebook gets them from (35), and puts everything into two algorithms. Again each equation of the paper
# stands beside the line of the library that says the same.

# %%
import inspect

import numpy as np

import odelearn
from odelearn import checks
from odelearn.checks import known_mistakes
from odelearn.gradients import appendix_b as B
from odelearn.gradients import backsolve
from odelearn.plotting.course import algorithms as figures

rng = np.random.default_rng(1)

# %% [markdown]
# The example is the pushed pendulum of notebooks 04 and 05: $z = (x, v)$ is angle and velocity, $\theta$ is gravity, friction
# and push, and $dz/dt = f(z, t, \theta)$ with
#
# $$f(z, t, \theta) = \bigl(v, \; -\theta_0 \sin x - \theta_1 v + \theta_2 \cos t\bigr).$$
#
# We need its three derivatives. Vectors are rows, as in Appendix B. `df_dz` holds $\partial f_i / \partial z_j$ in row
# $i$ and column $j$, so a small change $\delta z$ moves $f$ by $\frac{df}{dz} \delta z$, and the chain rule for a row
# $a$ is $a \frac{df}{dz}$.


# %%
def f(z, t, theta):
    x, v = z[..., 0], z[..., 1]
    return np.stack([v, -theta[0] * np.sin(x) - theta[1] * v + theta[2] * np.cos(t)], axis=-1)


def df_dz(z, t, theta):
    return np.array([[0, 1], [-theta[0] * np.cos(z[0]), -theta[1]]])


def df_dt(z, t, theta):
    return np.array([0, -theta[2] * np.sin(t)])


def df_dtheta(z, t, theta):
    return np.array([[0, 0, 0], [-np.sin(z[0]), -z[1], np.cos(t)]])


theta = np.array([3.0, 0.2, 1.0])
z0, t0, tN = np.array([1.2, 0.5]), 0.5, 2.5

z_test = rng.normal(size=2)
assert np.allclose(df_dz(z_test, 0.7, theta), odelearn.complex_step(lambda z: f(z, 0.7, theta), z_test), rtol=1e-14)
assert np.allclose(df_dt(z_test, 0.7, theta), odelearn.complex_step(lambda t: f(z_test, t, theta), 0.7), rtol=1e-14)
assert np.allclose(df_dtheta(z_test, 0.7, theta), odelearn.complex_step(lambda p: f(z_test, 0.7, p), theta), rtol=1e-14)

# %% [markdown]
# As in notebook 05, "exact" solutions come from a solver of order 8 with a tolerance of $10^{-12}$. `flow` says where a
# solution that is at $z$ at time $t$ will be at another time, and `z_and_a` is (35) with the state beside it. The loss
# looks at the end, $L = \tfrac12 |z(t_N)|^2$; from section 3 on, there are observations on the way.


# %%
EXACT = odelearn.dop853(rtol=1e-12, atol=1e-14)


def flow(z, t, t_end):
    return z if t_end == t else odelearn.odesolve(z, f, (t, t_end), theta, EXACT).zs[-1]


def z_and_a(s, t, theta):
    z, a = s[:2], s[2:]
    return np.concatenate([f(z, t, theta), -a @ df_dz(z, t, theta)])  # (35)


z_N = flow(z0, t0, tN)
t, eps = 1.2, 0.4
z = flow(z0, t0, t)
size = lambda x: np.abs(x).max()


# %% [markdown]
# And this puts our number for an equation beside the library's function for it, as in notebook 05.

# %%
agreed = {}


def beside(equation, naive, function, *args, rtol=1e-9):
    flat = lambda x: np.concatenate([np.ravel(part) for part in x]) if isinstance(x, tuple) else np.ravel(x)
    ours, theirs = flat(naive), flat(function(*args))
    agreed[equation] = np.abs(ours - theirs).max() < rtol * np.abs(ours).max()
    print(f"appendix_b.{function.__name__}:   {inspect.getsource(function).splitlines()[-1].strip()}")
    print(f"the same numbers: {agreed[equation]}")


# %% [markdown]
# ## 1. Parameters and time become states: (47) to (50)
#
# The loss also depends on $\theta$, and on the times. The paper gets these gradients without a new proof, by a trick:
# make $\theta$ and $t$ part of the state. Then the $a$ of the larger state contains them.
#
# Parameters do not move, and time runs at speed one:
#
# $$\frac{\partial \theta(t)}{\partial t} = 0, \qquad \frac{dt(t)}{dt} = 1. \tag{47}$$
#
# Put the three together into one state $[z, \theta, t]$ with dynamics
#
# $$\frac{d}{dt} \begin{bmatrix} z \\ \theta \\ t \end{bmatrix}(t) = f_{aug}([z, \theta, t]) :=
# \begin{bmatrix} f([z, \theta, t]) \\ 0 \\ 1 \end{bmatrix}, \qquad
# a_{aug} := \begin{bmatrix} a & a_\theta & a_t \end{bmatrix}, \quad
# a_\theta(t) := \frac{dL}{d\theta(t)}, \quad a_t(t) := \frac{dL}{dt(t)}. \tag{48}$$
#
# **The missing sentences.** $dL/d\theta(t)$ means, as in (34): change the parameters *at time t*, and since they
# do not move, they stay changed from then on. Hence $a_\theta(t_N) = 0$, for a change that comes at the end comes too
# late; and $a_\theta(t_0) = dL/d\theta$, for a change at the beginning is there all the time. $dL/dt(t)$ means: put the
# *clock* forward at time $t$. We shall have to be careful with that one.
#
# The new right-hand side has no explicit time in it, so it is an ordinary system with a larger state, and (35) applies.
#
# (47) and (48) are definitions. What can be checked is that the larger system does what it should, and that $f_{aug}$ is
# its velocity: we measure that by differences of where $z$, $\theta$ and $t$ are after a time $\varepsilon$.


# %%
def f_aug(s):
    """s = [z, theta, t], shape (6,)."""
    return np.concatenate([f(s[:2], s[5], s[2:5]), np.zeros(3), np.ones(1)])


s = np.concatenate([z, theta, [t]])
ran = odelearn.odesolve(s, lambda s, _, __: f_aug(s), (0, eps), None, EXACT).zs[-1]  # its own clock starts at 0
print("z has moved by the flow:", np.allclose(ran[:2], flow(z, t, t + eps), rtol=1e-9))
print("theta has not moved:    ", np.array_equal(ran[2:5], theta))
print("the clock shows t + eps:", np.isclose(ran[5], t + eps, rtol=1e-12))
moved = lambda e: np.concatenate([flow(z, t, t + e), theta, [t + e]])
beside(48, odelearn.finite_difference(moved, 0.0, "richardson"), B.f_aug, z, theta, t, f)
agreed[47] = agreed[48]  # the same line, as its tag says

# %% [markdown]
# (35) wants the Jacobian of the right-hand side. Two of its three block rows are zero, because $0$ and $1$ are
# constants:
#
# $$\frac{\partial f_{aug}}{\partial [z, \theta, t]} =
# \begin{bmatrix} \frac{\partial f}{\partial z} & \frac{\partial f}{\partial \theta} & \frac{\partial f}{\partial t} \\
# 0 & 0 & 0 \\ 0 & 0 & 0 \end{bmatrix}(t) \tag{49}$$

# %% [markdown] tags=["predict"]
# **Predict.** For the pendulum this matrix has 6 rows and 6 columns. How many of its 36 entries can be other than zero?

# %%
J_aug = odelearn.complex_step(f_aug, s)
blocks = np.zeros((6, 6))
blocks[:2, :2], blocks[:2, 2:5], blocks[:2, 5] = df_dz(z, t, theta), df_dtheta(z, t, theta), df_dt(z, t, theta)
names = ["x", "v", "theta_0", "theta_1", "theta_2", "t"]
print(" " * 8 + "".join(f"{name:>8}" for name in names))
for name, row in zip(names, J_aug + 0.0, strict=True):
    print(f"{name:8}" + "".join(f"{entry:8.2f}" for entry in row))
print("by hand, the same:", np.allclose(J_aug, blocks, rtol=1e-13))
beside(49, J_aug, B.df_aug, z, theta, t, f, rtol=1e-13)

# %% [markdown]
# {{blocks[:2].size}} stand in the first block row, and of those the pendulum has {{np.count_nonzero(J_aug[:2])}} that
# are not zero. Now (35) for the augmented state, $d a_{aug}/dt = -a_{aug}\, \partial f_{aug} / \partial [z, \theta,
# t]$, is a row times this matrix:
#
# $$\frac{d a_{aug}(t)}{dt} = -\begin{bmatrix} a(t) & a_\theta(t) & a_t(t) \end{bmatrix}
# \frac{\partial f_{aug}}{\partial [z, \theta, t]}(t)
# = -\begin{bmatrix} a \frac{\partial f}{\partial z} & a \frac{\partial f}{\partial \theta} &
# a \frac{\partial f}{\partial t} \end{bmatrix}(t). \tag{50}$$
#
# **What the zero rows do.** $a_\theta$ and $a_t$ are multiplied by them, so they do not appear on the right. The first
# component is (35) again, untouched. The other two are driven by $a$, and drive nothing: they are *sums that are kept
# along the way*, not unknowns. We check it with an $a_\theta$ and an $a_t$ drawn at random.

# %%
a_aug = rng.normal(size=6)
beside(50, -a_aug @ J_aug, B.da_aug_dt, a_aug[:2], z, theta, t, f, rtol=1e-13)

# %% [markdown]
# ## 2. The parameters: (51), and Algorithm 1
#
# Integrate the middle component of (50) from $t_N$, where it is zero, to $t_0$:
#
# $$\frac{dL}{d\theta} = a_\theta(t_0) =
# -\int_{t_N}^{t_0} a(t) \frac{\partial f(z(t), t, \theta)}{\partial \theta}\, dt. \tag{51}$$
#
# Everything is in place for **Algorithm 1**, the paper's method for one interval: put $z$, $a$ and $a_\theta$ into one
# vector, and solve it from $t_1 = t_N$ back to $t_0$.
#
# | Algorithm 1 | in words | in the cell |
# |---|---|---|
# | $s_0 = [z(t_1), \frac{\partial L}{\partial z(t_1)}, 0]$ | the state, its adjoint, and an empty sum | `s0` |
# | $\text{aug-dynamics}([z, a, \cdot], t, \theta) = [f, -a \frac{\partial f}{\partial z}, -a \frac{\partial f}{\partial \theta}]$ | (48), (35) and (51) side by side; the dot is $a_\theta$, which is not looked at | `aug_dynamics` |
# | $[z(t_0), \frac{\partial L}{\partial z(t_0)}, \frac{\partial L}{\partial \theta}] = \text{ODESolve}(s_0, \text{aug-dynamics}, t_1, t_0, \theta)$ | one solve, backwards | `odesolve` |


# %%
def aug_dynamics(s, t, theta):
    z, a = s[:2], s[2:4]
    return np.concatenate([f(z, t, theta), -a @ df_dz(z, t, theta), -a @ df_dtheta(z, t, theta)])


def algorithm1(z1, dL_dz1, t0, t1, theta):
    s0 = np.concatenate([z1, dL_dz1, np.zeros(3)])
    s = odelearn.odesolve(s0, aug_dynamics, (t1, t0), theta, EXACT).zs[-1]
    return s[:2], s[2:4], s[4:]


_, a_z0, a_theta = algorithm1(z_N, z_N, t0, tN, theta)
a_theta_end = a_theta
loss_of_theta = lambda p: 0.5 * np.sum(odelearn.odesolve(z0 + 0j, f, (t0, tN), p, EXACT).zs[-1] ** 2)
print("dL/dtheta =", a_theta.round(6))
through_the_solve = odelearn.complex_step(loss_of_theta, theta)
print("the complex step through the solve agrees:", np.allclose(a_theta, through_the_solve, rtol=1e-9))

# %% [markdown]
# In `odelearn`, `Backsolve` does this, with a pullback where we have matrices, and a batch where we have one vector. It
# has two ways to it. For a solver that is a black box, such as SciPy's, it is the algorithm to the letter, one vector
# with everything in it. For a Runge-Kutta method it solves for $z$ and $a$ only: $a_\theta$ is a sum that nothing
# depends on, as the zero rows say, so it is added up beside the solve, with the weights $h\, b_i$ that a Runge-Kutta
# step would give it as a state. For a network with a million parameters that keeps the state small. Both give the same
# numbers. Here are the lines of `odelearn/gradients/backsolve.py` that carry the number (51):


# %%
def lines_of(number):
    """The lines of odelearn/gradients/backsolve.py that are tagged with an equation's number."""
    lines = inspect.getsource(backsolve).splitlines()
    return [line.strip() for line in lines if "#" in line and f"({number})" in line.split("#")[-1]]


print(*lines_of(51), sep="\n")
_, pullback = odelearn.Backsolve().vjp(z0, f, (t0, tN), theta, EXACT)
g = pullback(np.stack([0 * z0, z_N]))  # the loss looks at the second of the two observations only
agreed[51] = np.allclose(g.theta, a_theta, rtol=1e-9) and np.allclose(g.z0, a_z0, rtol=1e-9)
print("\nthe same numbers:", agreed[51])

# %% [markdown] tags=["checkpoint"]
# **Checkpoint.** Algorithm 1 for a batch, a general $f$ and several observations. `z` and `a` have shape `(3, 2)` here,
# so they are kept flat in the vector `s`. You have `pullback(a)`, which returns $a \frac{df}{dz}$, $a \frac{df}{dt}$,
# $a \frac{df}{d\theta}$. Delete the first line, and complete the two marked ones.

# %% tags=["checkpoint"]


def my_adjoint(z0, f, ts, theta, a_zs):
    return None  # <- yours: delete this line

    zs, n = odelearn.odesolve(z0, f, ts, theta).zs, z0.size

    def aug_dynamics(s, t, theta):
        z, a = s[:n].reshape(z0.shape), s[n : 2 * n].reshape(z0.shape)
        dz, pullback = f.vjp(z, t, theta)
        a_f_z, a_f_t, a_f_theta = pullback(a)
        return np.concatenate([dz.ravel(), 0 * a_f_z.ravel(), 0 * a_f_theta])  # <- yours

    a, a_theta = a_zs[-1], np.zeros_like(theta)
    for i in reversed(range(len(ts) - 1)):
        s = np.concatenate([zs[i + 1].ravel(), a.ravel(), a_theta])
        s = odelearn.odesolve(s, aug_dynamics, (ts[i + 1], ts[i]), theta).zs[-1]
        a, a_theta = s[n : 2 * n].reshape(z0.shape), s[2 * n :]  # <- yours: something happens at ts[i]
    return a, None, a_theta


checks.check_adjoint(my_adjoint, of=("z0", "theta"))

# %% [markdown] tags=["solution"]
# <details><summary><b>Answer</b></summary>
#
# Two minus signs, from (35) and (51), and the jump. $a_\theta$ does not jump: the observation looks at $z(t_i)$, not at
# $\theta$. It goes on from one interval to the next.
#
# ```python
# def my_adjoint(z0, f, ts, theta, a_zs):
#     zs, n = odelearn.odesolve(z0, f, ts, theta).zs, z0.size
#
#     def aug_dynamics(s, t, theta):
#         z, a = s[:n].reshape(z0.shape), s[n : 2 * n].reshape(z0.shape)
#         dz, pullback = f.vjp(z, t, theta)
#         a_f_z, a_f_t, a_f_theta = pullback(a)
#         return np.concatenate([dz.ravel(), -a_f_z.ravel(), -a_f_theta])
#
#     a, a_theta = a_zs[-1], np.zeros_like(theta)
#     for i in reversed(range(len(ts) - 1)):
#         s = np.concatenate([zs[i + 1].ravel(), a.ravel(), a_theta])
#         s = odelearn.odesolve(s, aug_dynamics, (ts[i + 1], ts[i]), theta).zs[-1]
#         a, a_theta = s[n : 2 * n].reshape(z0.shape) + a_zs[i], s[2 * n :]
#     return a, None, a_theta
#
#
# assert checks.check_adjoint(my_adjoint, of=("z0", "theta"))
# ```
#
# </details>

# %% [markdown]
# ## 3. The times: (52), and Algorithm 2
#
# What if the last observation is made a little later? Then $z(t_N)$ has moved on, with velocity $f$:
#
# $$\frac{dL}{dt_N} = \frac{dL}{dz(t_N)} \frac{dz(t_N)}{dt_N} = a(t_N) f(z(t_N), t_N, \theta). \tag{52, first half}$$
#
# For the beginning, the paper takes the third component of (50):
#
# $$\frac{dL}{dt_0} = a_t(t_0) = a_t(t_N) - \int_{t_N}^{t_0} a(t) \frac{\partial f(z(t), t, \theta)}{\partial t}\, dt.
# \tag{52, second half}$$
#
# **The missing sentence** is the one everybody trips over: what is $a_t(t_N)$? Equation (52) does not say. Three
# answers suggest themselves.
#
# - $a_t(t_N) = 0$, like $a_\theta(t_N)$: a clock that is put forward at the very end makes no difference.
# - $a_t(t_N) = dL/dt_N$: it is the name of the thing, after all.
# - $a_t(t_N) = -dL/dt_N$: that is what Algorithm 2 in Appendix C does.

# %% [markdown] tags=["predict"]
# **Predict.** Which of the three ends at $dL/dt_0$, the derivative of the loss when the solve starts a little later,
# from the same $z_0$, and ends at the same $t_N$?

# %%
dL_dtN = z_N @ f(z_N, tN, theta)
measured = odelearn.finite_difference(lambda t0: 0.5 * np.sum(flow(z0, t0, tN) ** 2), t0, "richardson")


def with_a_t(s, t, theta):
    z, a = s[:2], s[2:4]
    return np.concatenate([z_and_a(s[:4], t, theta), [-a @ df_dt(z, t, theta)]])


backwards, a_t = np.linspace(tN, t0, 100), []
for label, a_t_N in ("from 0", 0), ("from dL/dt_N", dL_dtN), ("from -dL/dt_N", -dL_dtN):
    run = odelearn.odesolve(np.concatenate([z_N, z_N, [a_t_N]]), with_a_t, (tN, t0), theta, EXACT)
    a_t.append(run(backwards)[:, 4])
    print(f"{label:14} ends at {run.zs[-1, 4]:8.5f}")
minus_af = [-s[2:4] @ f(s[:2], ti, theta) for s, ti in zip(run(backwards), backwards, strict=True)]
print(f"dL/dt_0, measured:     {measured:8.5f}")
figures.starts(backwards, a_t, minus_af, measured)

# %% [markdown]
# Algorithm 2 is right. Why?
#
# Read "dL/dt(t)" as section 1 did: put the clock of the augmented system forward by $\delta$ at time $t$, and let it
# run for *as long as it would have run*. It then ends at clock time $t_N + \delta$. Started with $a_t(t_N) = 0$, the
# integral answers this question: what if *the whole window* moves, with $z_0$ held, from $[t_0, t_N]$ to
# $[t_0 + \delta, t_N + \delta]$? In formulas it is $dL/dt_0 + dL/dt_N$. We want $t_0$ to move alone, so $dL/dt_N$ has
# to be taken off, and it may be taken off at the start. Hence $a_t(t_N) = -dL/dt_N$.
#
# There is a shorter way to see it. Let
#
# $$H(t) = a(t) f(z(t), t, \theta),$$
#
# a number that is called the *Hamiltonian*, in mechanics and in optimal control. Along the solution, by the product
# rule, the chain rule and (35),
#
# $$\frac{dH}{dt} = \frac{da}{dt} f + a \frac{\partial f}{\partial z} f + a \frac{\partial f}{\partial t}
# = -a \frac{\partial f}{\partial z} f + a \frac{\partial f}{\partial z} f + a \frac{\partial f}{\partial t}
# = a \frac{\partial f}{\partial t}.$$
#
# But $da_t/dt = -a\, \partial f / \partial t$ by (50). So $a_t + H$ is constant, and with Algorithm 2's start it is
# zero:
#
# $$a_t(t) = -H(t) \text{ throughout}, \qquad \frac{dL}{dt_N} = H(t_N), \qquad \frac{dL}{dt_0} = -H(t_0).$$
#
# The white circles in the picture are $-H$. The signs make sense: to end later is to go on *with* the flow; to start
# later is to go *without* the flow for that time.

# %%
along = [row[4] + row[2:4] @ f(row[:2], ti, theta) for row, ti in zip(run(backwards), backwards, strict=True)]
print("a_t + a f = 0 all along:             ", np.abs(along).max() < 1e-7)
shift = odelearn.finite_difference(lambda d: 0.5 * np.sum(flow(z0, t0 + d, tN + d) ** 2), 0.0, "richardson")
print("moving the window: dL/dt_0 + dL/dt_N:", np.isclose(shift, measured + dL_dtN, rtol=1e-7))

# %% [markdown]
# With several observations $y_i$, as in section 5 of notebook 05, each $t_i$ has a share in the loss and a velocity, so
# $dL/dt_i = \frac{\partial L}{\partial z(t_i)} f$, and each takes its share off $a_t$: where $a$ jumps by
# $\partial L / \partial z(t_i)$, $H$ jumps by that times $f$, and $a_t = -H$ has to follow.
#
# That is **Algorithm 2** complete. In the cell it is written as in the paper, for any number of observations.


# %%
ts = np.array([0.5, 1.4, 2.6, 3.3, 4.5])
theta_true = np.array([3.6, 0.3, 1.4])
ys = odelearn.odesolve(z0, f, ts, theta_true).zs + 0.6 * rng.normal(size=(5, 2))  # as if somebody had measured them
zs = odelearn.odesolve(z0, f, ts, theta, EXACT).zs
a_zs = zs - ys  # row i: the derivative of l_i = |z(t_i) - y_i|^2 / 2 with respect to z(t_i)


def algorithm2(zs, a_zs, ts, theta, solver=EXACT):
    """dL/dz0, dL/dts and dL/dtheta, from the states zs and the cotangents a_zs = dL/dzs at the times ts."""

    def aug_dynamics(s, t, theta):
        z, a = s[:2], s[2:4]
        rows = -a @ df_dz(z, t, theta), -a @ df_dtheta(z, t, theta), [-a @ df_dt(z, t, theta)]
        return np.concatenate([f(z, t, theta), *rows])  # (50)

    a, a_theta, a_t, a_ts = a_zs[-1], np.zeros(3), 0.0, np.zeros(len(ts))
    for i in reversed(range(1, len(ts))):
        a_ts[i] = a_zs[i] @ f(zs[i], ts[i], theta)  # dL/dt_i
        a_t = a_t - a_ts[i]
        s0 = np.concatenate([zs[i], a, a_theta, [a_t]])
        s = odelearn.odesolve(s0, aug_dynamics, (ts[i], ts[i - 1]), theta, solver).zs[-1]
        a, a_theta, a_t = s[2:4] + a_zs[i - 1], s[4:7], s[7]
    a_ts[0] = a_t  # dL/dt_0
    return a, a_ts, a_theta


a_z0, a_ts, a_theta = algorithm2(zs, a_zs, ts, theta)
_, pullback = odelearn.Backsolve().vjp(z0, f, ts, theta, EXACT)
g = pullback(a_zs)
agreed[52] = all(np.allclose(*pair, rtol=1e-8) for pair in ((a_z0, g.z0), (a_ts, g.ts), (a_theta, g.theta)))
print(*lines_of(52), sep="\n")
print("\nthe same numbers:", agreed[52])

# %% [markdown]
# Line for line:
#
# | Algorithm 2 | the cell above | `odelearn/gradients/backsolve.py` |
# |---|---|---|
# | $\frac{\partial L}{\partial t_1} = \frac{\partial L}{\partial z(t_1)} f(z(t_1), t_1, \theta)$ | `a_ts[i] = ...` | a line with (52); for a Runge-Kutta method the $f$ is that of the first stage of the backward step, so it costs nothing |
# | $s_0 = [z(t_1), \frac{\partial L}{\partial z(t_1)}, 0, -\frac{\partial L}{\partial t_1}]$ | `a_t = a_t - a_ts[i]`, then `s0` | `Backsolve.vjp` begins with $z$ and $a$, the line with (34); $a_\theta$ and $a_t$ begin beside them |
# | $\text{aug-dynamics} = [f, -a \frac{\partial f}{\partial z}, -a \frac{\partial f}{\partial \theta}, -a \frac{\partial f}{\partial t}]$ | `aug_dynamics` | $f$ and (35) for $z$ and $a$; (51) and (52) for the rest, as sums or, for a black box, as states |
# | $\text{ODESolve}(s_0, \text{aug-dynamics}, t_1, t_0, \theta)$ | `odesolve(..., (ts[i], ts[i - 1]), ...)` | one solve an interval |
# | Figure 2: adjust $a$ at each observation | `+ a_zs[i - 1]` | the line that says "a jumps" |

# %% [markdown] tags=["checkpoint"]
# **Checkpoint.** Now the gradients of the times, for a batch and a general $f$. The solve is there. Only the
# book-keeping of `a_t` is incomplete: one marked line, and it should have become two.

# %% tags=["checkpoint"]


def my_time_adjoint(z0, f, ts, theta, a_zs):
    zs, n = odelearn.odesolve(z0, f, ts, theta).zs, z0.size

    def aug_dynamics(s, t, theta):
        dz, pullback = f.vjp(s[:n].reshape(z0.shape), t, theta)
        a_f_z, a_f_t, a_f_theta = pullback(s[n : 2 * n].reshape(z0.shape))
        return np.concatenate([dz.ravel(), -a_f_z.ravel(), [-a_f_t]])

    a, a_t, a_ts = a_zs[-1], 0.0, np.zeros(len(ts))
    for i in reversed(range(1, len(ts))):
        a_ts[i] = np.sum(a_zs[i] * f(zs[i], ts[i], theta))  # <- yours
        s = np.concatenate([zs[i].ravel(), a.ravel(), [a_t]])
        s = odelearn.odesolve(s, aug_dynamics, (ts[i], ts[i - 1]), theta).zs[-1]
        a, a_t = s[n : 2 * n].reshape(z0.shape) + a_zs[i - 1], s[-1]
    a_ts[0] = a_t
    return a, a_ts, None


checks.check_adjoint(my_time_adjoint, of=("z0", "ts"))

# %% [markdown] tags=["solution"]
# <details><summary><b>Answer</b></summary>
#
# After the marked line: `a_t = a_t - a_ts[i]`. At $t_N$ it is the start of Algorithm 2, at the other observations it is
# the jump of $-H$.
#
# ```python
# def my_time_adjoint(z0, f, ts, theta, a_zs):
#     zs, n = odelearn.odesolve(z0, f, ts, theta).zs, z0.size
#
#     def aug_dynamics(s, t, theta):
#         dz, pullback = f.vjp(s[:n].reshape(z0.shape), t, theta)
#         a_f_z, a_f_t, a_f_theta = pullback(s[n : 2 * n].reshape(z0.shape))
#         return np.concatenate([dz.ravel(), -a_f_z.ravel(), [-a_f_t]])
#
#     a, a_t, a_ts = a_zs[-1], 0.0, np.zeros(len(ts))
#     for i in reversed(range(1, len(ts))):
#         a_ts[i] = np.sum(a_zs[i] * f(zs[i], ts[i], theta))
#         a_t = a_t - a_ts[i]
#         s = np.concatenate([zs[i].ravel(), a.ravel(), [a_t]])
#         s = odelearn.odesolve(s, aug_dynamics, (ts[i], ts[i - 1]), theta).zs[-1]
#         a, a_t = s[n : 2 * n].reshape(z0.shape) + a_zs[i - 1], s[-1]
#     a_ts[0] = a_t
#     return a, a_ts, None
#
#
# assert checks.check_adjoint(my_time_adjoint, of=("z0", "ts"))
# ```
#
# </details>

# %% [markdown]
# ## 4. A second route: a Lagrange multiplier
#
# A result is safer when two roads lead to it. This one is older than the paper (it is how optimal control found the
# adjoint), and it is shorter, because it does not ask what $a$ is.
#
# Think of $L(z(t_N))$ under the constraint that $z$ solves the differential equation at every moment. Take any smooth
# row $\lambda(t)$, and add the constraint with $\lambda$ as its multiplier:
#
# $$\mathcal{L} = L(z(t_N)) + \int_{t_0}^{t_N} \lambda(t) \Bigl( f(z(t), t, \theta) - \frac{dz}{dt} \Bigr)\, dt.$$
#
# The bracket is zero, so $\mathcal{L} = L$ whatever $\lambda$ is. Now change $\theta$ by $\delta\theta$, with $z_0$
# held. The solution changes by some $\delta z(t)$ with $\delta z(t_0) = 0$, and
#
# $$\delta L = \frac{dL}{dz(t_N)} \delta z(t_N) + \int_{t_0}^{t_N} \lambda \Bigl( \frac{\partial f}{\partial z} \delta z +
# \frac{\partial f}{\partial \theta} \delta\theta - \frac{d\, \delta z}{dt} \Bigr)\, dt.$$
#
# The derivative of $\delta z$ is moved over to $\lambda$, by integration by parts:
# $-\int \lambda \frac{d\, \delta z}{dt} dt = -\lambda(t_N)\, \delta z(t_N) + \int \frac{d\lambda}{dt} \delta z\, dt$.
# Sorted:
#
# $$\delta L = \underbrace{\Bigl( \frac{dL}{dz(t_N)} - \lambda(t_N) \Bigr) \delta z(t_N)}_{\text{the end}} +
# \underbrace{\int_{t_0}^{t_N} \Bigl( \frac{d\lambda}{dt} + \lambda \frac{\partial f}{\partial z} \Bigr)
# \delta z\, dt}_{\text{the way}} +
# \underbrace{\int_{t_0}^{t_N} \lambda \frac{\partial f}{\partial \theta}
# \delta\theta\, dt}_{\text{the parameters}}.$$
#
# This holds for *every* $\lambda$. We cannot choose $\delta z$, but we can choose $\lambda$, and there is one choice
# that makes both terms with $\delta z$ vanish: $\lambda(t_N) = dL/dz(t_N)$ and
# $d\lambda/dt = -\lambda\, \partial f / \partial z$. That is (46) and (35): **the multiplier is the adjoint**. And what
# is left over is (51). (If $z_0$ changes too, the integration by parts leaves one term more,
# $\lambda(t_0)\, \delta z(t_0)$. So $dL/dz_0 = a(t_0)$.)

# %% [markdown] tags=["predict"]
# **Predict.** The cell takes one direction $\delta\theta$, computes $\delta z(t)$ by the complex step, and evaluates
# the three terms for three multipliers: $\lambda = 0$, $\lambda = (1, \sin t)$ and $\lambda = a$. What will the three
# sums be?

# %%
delta_theta = rng.normal(size=3)
x, w = np.polynomial.legendre.leggauss(40)  # Gauss points and weights on [-1, 1], moved to [t0, tN]
points, weights = t0 + (tN - t0) * (1 + x) / 2, (tN - t0) * w / 2
perturbed = odelearn.odesolve(z0 + 0j, f, [t0, *points, tN], theta + 1e-20j * delta_theta, EXACT).zs
delta_z = perturbed.imag / 1e-20
a_there = odelearn.odesolve(np.concatenate([z_N, z_N]), z_and_a, [tN, *points[::-1]], theta, EXACT).zs[:0:-1, 2:]
J_there = [df_dz(zi, ti, theta) for zi, ti in zip(perturbed.real[1:-1], points, strict=True)]
P_there = [df_dtheta(zi, ti, theta) for zi, ti in zip(perturbed.real[1:-1], points, strict=True)]


def three_terms(lam, dlam_dt, lam_N):
    the_end = (z_N - lam_N) @ delta_z[-1]
    the_way = sum(
        w * (d + m @ J) @ dz for w, m, d, J, dz in zip(weights, lam, dlam_dt, J_there, delta_z[1:-1], strict=True)
    )
    the_parameters = sum(w * m @ P @ delta_theta for w, m, P in zip(weights, lam, P_there, strict=True))
    return the_end, the_way, the_parameters


one = np.ones_like(points)
sin, cos = np.stack([one, np.sin(points)], axis=1), np.stack([0 * one, np.cos(points)], axis=1)
choices = {
    "0": (0 * sin, 0 * cos, np.zeros(2)),
    "(1, sin t)": (sin, cos, np.array([1, np.sin(tN)])),
    "a": (a_there, [-a @ J for a, J in zip(a_there, J_there, strict=True)], z_N),
}
sums = {}
print("lambda         the end   the way   the parameters     sum")
for name, choice in choices.items():
    terms = np.array(three_terms(*choice))
    sums[name] = terms.sum()
    print(f"{name:12}{terms[0]:10.5f}{terms[1]:10.5f}{terms[2]:17.5f}{terms.sum():8.5f}")

# %% [markdown]
# All the same, as they must be. With $\lambda = 0$ one needs $\delta z(t_N)$: *one solve for every direction*
# $\delta\theta$, the way of forward sensitivities. With $\lambda = a$ no $\delta z$ is needed, so *one backward solve
# serves all directions at once*. With a million parameters that is the difference between a million solves and two.

# %% [markdown] tags=["break-it"]
# ## 5. Break it
#
# `odelearn.checks.known_mistakes.algorithm2` is the cell of section 3 with a switch for each known mistake. We flip
# some, and ask two kinds of check. *Measured*: does each gradient equal the derivative of the loss, by the complex step
# or by differences? *Conserved*: is $a_t + a f$ zero at $t_0$, as section 3 says it must be? The second needs no extra
# solve.
#
# **Before you run the cell:** which of the slips leave $a_t + a f = 0$ untouched?

# %% tags=["break-it"]


def f_vjp(z, t, theta):
    def pullback(a):
        return a @ df_dz(z, t, theta), a @ df_dt(z, t, theta), a @ df_dtheta(z, t, theta)

    return f(z, t, theta), pullback


def total(z0, ts, theta):
    return 0.5 * np.sum((odelearn.odesolve(z0, f, ts, theta, EXACT).zs - ys) ** 2)


truth = (
    odelearn.complex_step(lambda z0: total(z0, ts, theta), z0),
    odelearn.finite_difference(lambda ts: total(z0, ts, theta), ts, "richardson"),
    odelearn.complex_step(lambda p: total(z0 + 0j, ts, p), theta),
)
planted = {
    "none": {},
    "sign of da/dt": dict(a_sign=+1),
    "sign of a_theta": dict(theta_sign=+1),
    "sign of a_t": dict(t_sign=+1),
    "a_t starts at 0": dict(boundary=0),
    "no jump at the observations": dict(jump=0),
    "no jump at t_0": dict(jump0=0),
    "a_theta starts anew in each interval": dict(carry=0),
}
print(f"{'slip':38}{'dL/dz0':>11}{'dL/dts':>11}{'dL/dtheta':>11}{'a_t + a f':>11}")
for name, slip in planted.items():
    found = known_mistakes.algorithm2(z0, odelearn.Dynamics(f, f_vjp), ts, theta, a_zs, **slip)
    jump0 = slip.get("jump0", 1) * a_zs[0]
    conserved = found[1][0] + (found[0] - jump0) @ f(z0, ts[0], theta)  # a just after t_0, before the jump there
    gaps = [size(x - r) for x, r in zip(found, truth, strict=True)] + [abs(conserved)]
    print(f"{name:38}" + "".join(f"{'ok' if gap < 1e-4 else 'WRONG':>11}" for gap in gaps))

# %% [markdown]
# The law $a_t + a f = 0$ ties the times to $a$, so it notices a wrong $a$ between observations and a wrong $a_t$. It
# knows nothing of $\theta$, and nothing of what happens at $t_0$ itself. A measured gradient sees everything, at the
# price of more solves. Good tests have both. Notebook 07 meets these slips in the wild.

# %% [markdown] tags=["agree"]
# ## 6. Ours and the library's
#
# Every displayed equation of Appendix B.2 has been put beside its function in `odelearn.gradients`. What that proves
# differs. (47) and (48) are *definitions*. (49) and (50) say which derivatives of $f$ go where: there a matrix stands on
# our side, and a pullback on the other. (51) and (52) are statements about the *flow*: the two sides were found in ways
# that do not know of each other.

# %% tags=["agree"]
assert sorted(agreed) == list(range(47, 53)) and all(agreed.values())
assert np.allclose(list(sums.values()), a_theta_end @ delta_theta, rtol=1e-9)  # section 4: any multiplier will do
for ours, measured_one in zip(algorithm2(zs, a_zs, ts, theta), truth, strict=True):
    assert np.allclose(ours, measured_one, rtol=1e-6)
for method in odelearn.Backsolve(), odelearn.Discrete():
    _, pullback = method.vjp(z0, f, ts, theta, EXACT)
    g = pullback(a_zs)
    for ours, theirs in zip(algorithm2(zs, a_zs, ts, theta), (g.z0, g.ts, g.theta), strict=True):
        assert np.allclose(ours, theirs, rtol=1e-7)
assert checks.check_adjoint(
    lambda *problem: known_mistakes.algorithm2(*problem), rtol=1e-6
)  # and for a network and a batch
print("all agree")

# %% [markdown] tags=["pay-off"]
# ## 7. What it is good for: a wrong clock
#
# A pendulum is let go at $t_0$ and observed 20 times, with a noise of 0.05. Somebody wrote the times down from a clock
# that is slow by an unknown $d$: what it calls $t_i$ is $t_i + d$. Gravity, friction and push are unknown, too. All four
# are found together, for Algorithm 2 has all the derivatives: $\frac{dL}{dd} = \sum_{i \ge 1} \frac{dL}{dt_i}$.

# %% tags=["pay-off"]
noise, slow, clock = 0.05, 0.35, np.linspace(0.5, 8.0, 21)
late = np.r_[0.0, np.ones(20)]  # t_0 is right
RK4 = odelearn.rk4(n=4)
seen = odelearn.odesolve(z0, f, clock + slow * late, theta_true, EXACT).zs + noise * rng.normal(size=(21, 2))


def loss_and_grad(unknown):
    theta, d = unknown[:3], unknown[3]
    times = clock + d * late
    zs = odelearn.odesolve(z0, f, times, theta, RK4).zs
    _, a_ts, a_theta = algorithm2(zs, zs - seen, times, theta, RK4)
    return 0.5 * np.sum((zs - seen) ** 2), np.append(a_theta, a_ts @ late)


unknown, history = odelearn.fit(loss_and_grad, np.append(theta, 0.0), odelearn.Adam(lr=0.03), 200, progress=False)
print(f"loss {history[0]:.2f} before, {history[-1]:.3f} after 200 steps; the noise alone makes {20 * noise**2:.3f}")
for name, found, true in zip(("gravity", "friction", "push", "clock"), unknown, [*theta_true, slow], strict=True):
    print(f"{name:9} found {found:6.3f}, true {true:6.3f}")

# %% [markdown] tags=["pay-off"]
# The clock is slow by {{unknown[3]:.3f}}: found from the observations alone, within {{abs(unknown[3] - slow):.3f}} of the
# truth.

# %% [markdown] tags=["exercise"]
# ## Exercises
#
# **1 (fill in).** $a_t = -H$ means that $a_t$ need not be computed at all: all of $dL/dt_i$ can be read off $a$ and
# $f$. The cell has the loop for $a$. Fill in `a_ts`. Mind which side of the jump $a$ is on when you get to $t_0$.

# %% tags=["exercise"]


def no_a_t(z0, f, ts, theta, a_zs):
    zs, a_ts = odelearn.odesolve(z0, f, ts, theta).zs, np.zeros(len(ts))

    def dynamics(s, t, theta):
        dz, pullback = f.vjp(s[0], t, theta)
        return np.stack([dz, -pullback(s[1])[0]])

    a = a_zs[-1]
    for i in reversed(range(1, len(ts))):
        a_ts[i] = 0.0  # yours
        s = np.stack([zs[i], a])
        a = odelearn.odesolve(s, dynamics, (ts[i], ts[i - 1]), theta).zs[-1, 1] + a_zs[i - 1]
    a_ts[0] = 0.0  # yours
    return a, a_ts, None


checks.check_adjoint(no_a_t, of=("z0", "ts"))

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# $dL/dt_i = \frac{\partial L}{\partial z(t_i)} f$ for $i \ge 1$, as before. For $t_0$ it is $-a f$ with the $a$ that
# has *not yet* jumped: what the loss sees of $z(t_0)$ directly does not depend on $t_0$, since $z(t_0) = z_0$ is held.
#
# ```python
# def no_a_t(z0, f, ts, theta, a_zs):
#     zs, a_ts = odelearn.odesolve(z0, f, ts, theta).zs, np.zeros(len(ts))
#
#     def dynamics(s, t, theta):
#         dz, pullback = f.vjp(s[0], t, theta)
#         return np.stack([dz, -pullback(s[1])[0]])
#
#     a = a_zs[-1]
#     for i in reversed(range(1, len(ts))):
#         a_ts[i] = np.sum(a_zs[i] * f(zs[i], ts[i], theta))
#         s = np.stack([zs[i], a])
#         a = odelearn.odesolve(s, dynamics, (ts[i], ts[i - 1]), theta).zs[-1, 1] + a_zs[i - 1]
#     a_ts[0] = -np.sum((a - a_zs[0]) * f(z0, ts[0], theta))
#     return a, a_ts, None
#
#
# assert checks.check_adjoint(no_a_t, of=("z0", "ts"))
# ```
#
# </details>

# %% [markdown] tags=["exercise"]
# **2 (derive).** Time runs faster: $\frac{dz}{dt} = \theta f(z)$ with one number $\theta$, and $f$ does not look at $t$.
# Show with (51) that $\frac{dL}{d\theta} = (t_N - t_0)\, a(t)\, f(z(t))$, at any time $t$. Then find the same without an
# adjoint: on what does $z(t_N)$ depend?

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# By (51), $\frac{dL}{d\theta} = -\int_{t_N}^{t_0} a f\, dt = \int_{t_0}^{t_N} a f\, dt$. The Hamiltonian is
# $H = a\, \theta f$. Its derivative is $a$ times the explicit derivative of $\theta f$ by $t$, which is zero. So
# $a f = H / \theta$ is constant, and the integral is the length of the interval times it.
#
# Without an adjoint: in the time $\tau = \theta t$ the equation is $dz/d\tau = f(z)$. So $z(t_N)$ depends on
# $\theta\, (t_N - t_0)$ alone. To raise $\theta$ is to raise $t_N$, scaled:
# $\frac{dL}{d\theta} = \frac{t_N - t_0}{\theta} \frac{dL}{dt_N} = \frac{t_N - t_0}{\theta}\, a\, \theta f$.
#
# ```python
# faster = lambda z, t, p: p[0] * np.stack([z[..., 1], -3 * np.sin(z[..., 0])], axis=-1)
# p = np.array([1.3])
# ends, pullback = odelearn.Backsolve().vjp(z0, faster, (t0, tN), p, EXACT)
# g = pullback(np.stack([0 * z0, ends[1]]))
# assert np.allclose(g.theta[0], (tN - t0) * ends[1] @ faster(ends[1], tN, p) / p[0], rtol=1e-9)
# assert np.allclose(g.theta[0], (tN - t0) * g.z0 @ faster(z0, t0, p) / p[0], rtol=1e-9)
# ```
#
# </details>

# %% [markdown] tags=["exercise"]
# **3 (explore).** When is the best moment to stop? Let $t_N$ go downhill on $L = \tfrac12 |z(t_N)|^2$ by
# $t_N \leftarrow t_N - 0.05\, \frac{dL}{dt_N}$, from $t_N = 1$, $2.5$ and $4$. Where does it come to rest, and what is $H$
# there?

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# At moments with $H = dL/dt_N = 0$, where the pendulum is nearest to rest at the bottom, compared with just before and
# just after. There are several, and which one is found depends on the start. In optimal control, $H(t_N) = 0$ is the
# condition for a free end time.
#
# ```python
# for t_end in 1.0, 2.5, 4.0:
#     for _ in range(200):
#         z_end = flow(z0, t0, t_end)
#         t_end = t_end - 0.05 * z_end @ f(z_end, t_end, theta)
#     H = z_end @ f(z_end, t_end, theta)
#     print(f"t_N = {t_end:.3f}, H = {H:.1e}")
#     assert abs(H) < 1e-4
#     assert all(np.sum(flow(z0, t0, t_end + d) ** 2) > np.sum(z_end**2) for d in (-0.1, 0.1))
# ```
#
# </details>

# %% [markdown] tags=["summary"]
# ## Summary
#
# | equation | formula | section | in odelearn |
# |---|---|---|---|
# | (47), (48) | $[z, \theta, t]$ moves by $[f, 0, 1]$ | 1 | `gradients.appendix_b.f_aug` |
# | (49), (50) | two zero rows; $-[a\, \partial f / \partial z, a\, \partial f / \partial \theta, a\, \partial f / \partial t]$ | 1 | `gradients.appendix_b.df_aug`, `gradients.appendix_b.da_aug_dt` |
# | (51), Algorithm 1 | $dL/d\theta = -\int_{t_N}^{t_0} a\, \partial f / \partial \theta\, dt$ | 2 | `gradients.backsolve.Backsolve` |
# | (52), Algorithm 2 | $dL/dt_N = H(t_N)$, $dL/dt_0 = -H(t_0)$, $H = a f$, $a_t = -H$ | 3 | `gradients.backsolve.Backsolve` |
#
# - $\theta$ and $t$ are states that do not look at themselves; so their adjoints are sums, collected on the way back.
# - The sign of the times: $a_t = -a f$, from $-dL/dt_N$ to $dL/dt_0$.
# - A Lagrange multiplier leads to the same equations, and shows why one backward solve serves all parameters.
#
# **Sources.** R. T. Q. Chen, Y. Rubanova, J. Bettencourt, D. Duvenaud, *Neural Ordinary Differential Equations*, arXiv
# 1806.07366, Appendices B.2 and C. L. S. Pontryagin and others, *The Mathematical Theory of Optimal Processes* (1962).
