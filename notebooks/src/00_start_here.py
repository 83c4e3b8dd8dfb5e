# %% [markdown] tags=["header"]
# # 00 Start here
#
# | | |
# |---|---|
# | **You will be able to** | say what a Neural ODE is, run one, train one, and check your own code with `odelearn.checks` |
# | **You need** | derivatives, matrix products, NumPy; no differential equations |
# | **Time** | {{minutes_to_read}} minutes to read, {{minutes_to_do}} for the checkpoints and exercises |
# | **Equations** | (1) to (5), as a promise; notebooks 03 to 06 keep it |
#
# This course follows one paper: Chen, Rubanova, Bettencourt and Duvenaud, *Neural Ordinary Differential Equations* (2018),
# [arXiv 1806.07366](https://arxiv.org/abs/1806.07366). Keep it beside you. Numbers of equations are those of the paper.
# Here we see the whole idea once, quickly. The other notebooks take it apart, prove each piece and check it.

# %%
import numpy as np

import odelearn
from odelearn import checks
from odelearn.checks import known_mistakes
from odelearn.plotting.course import start_here as figures

rng = np.random.default_rng(3)

# %% [markdown]
# ## 1. A residual network
#
# A layer of a *residual network* does not replace its input, it adds a little to it. This is equation (1):
#
# $$z_{t+1} = z_t + f(z_t, \theta_t).$$
#
# Here $z_t$ is what the network knows after layer $t$ (the paper writes $h_t$ in this place), $\theta_t$ are the weights of
# that layer, and $f$ is any small network. Let us take points in the plane, and the same $\theta$ in all layers:

# %%
W = np.array([[0.2, 2.2], [-2.2, 0.2]])


def f(z, t, theta):
    """How z is to change. theta holds a 2 by 2 matrix, row by row; t is not used."""
    return np.tanh(z @ theta.reshape(2, 2))


def residual_network(z0, theta, layers):
    zs = [z0]
    for t in range(layers):
        zs.append(zs[-1] + f(zs[-1], t, theta))
    return np.stack(zs)


z0, theta = np.array([1.0, 0.0]), W.ravel()
print(residual_network(z0, theta, 3).round(3))

# %% [markdown]
# ## 2. More layers, smaller steps
#
# Now take ten times as many layers, and let each of them do a tenth of the work. With $n$ layers for a unit of time,
# each adds $h f$ with $h = 1/n$:
#
# $$z(t + h) = z(t) + h\, f(z(t), t, \theta).$$
#
# In this form it is called *Euler's method*, and it is from 1768.


# %%
def euler(z0, theta, T, n):
    """n steps from time 0 to T: every state on the way, (n + 1, 2)."""
    h, zs = T / n, [z0]
    for i in range(n):
        zs.append(zs[-1] + h * f(zs[-1], i * h, theta))
    return np.stack(zs)


# %% [markdown] tags=["predict"]
# **Predict.** The total time is $T = 3$. We take 3, 6, 12, 24, ... steps. Does the last state settle down? If so, what happens
# to the distance from its limit each time the number of steps is doubled?

# %%
T = 3.0
very_exact = odelearn.dopri5(1e-10, 1e-12)  # a far better solver than Euler's; section 3 says what it is asked for
limit = odelearn.odesolve(z0, f, [0.0, T], theta, very_exact).zs[-1]
for n in 3, 6, 12, 24, 48, 96, 192, 384:
    z_T = euler(z0, theta, T, n)[-1]
    print(f"{n:4} steps:  z(T) = {z_T.round(3)},  distance from the limit {np.linalg.norm(z_T - limit):.3f}")

# %% [markdown]
# There is a limit, and for many steps the distance is halved each time. The limit obeys
#
# $$\frac{dz(t)}{dt} = f(z(t), t, \theta),$$
#
# which is equation (2): an *ordinary differential equation*, ODE for short. In words: at each place $z$ and time $t$, the
# network $f$ tells the *velocity*. The layers are gone. The depth of the network has become time.

# %%
smooth = odelearn.odesolve(z0, f, np.linspace(0, T, 200), theta).zs
figures.layers(smooth, {n: euler(z0, theta, T, n) for n in (6, 24)})

# %% [markdown]
# ## 3. An ODE net
#
# So we need not fix the number of layers. We hand $f$ to a solver, say from when to when, and how exact we want it to be.
# This is equation (3):
#
# $$z(t_1) = z(t_0) + \int_{t_0}^{t_1} f(z(t), t, \theta)\, dt = \text{ODESolve}(z(t_0), f, t_0, t_1, \theta).$$
#
# The solver decides how often it asks $f$: often where the path bends, seldom where it is straight. How exact we want it is
# a number, the *tolerance*: about the largest error that it may make in a single step.

# %%
for tol in 1e-2, 1e-4, 1e-6, 1e-8:
    trajectory = odelearn.odesolve(z0, f, [0.0, T], theta, odelearn.dopri5(rtol=tol, atol=tol))
    error = np.linalg.norm(trajectory.zs[-1] - limit)
    print(f"tolerance {tol:.0e}:  {trajectory.stats.evals:3} evaluations of f, error {error:.0e}")

# %% [markdown]
# Euler's method was still off by {{np.linalg.norm(z_T - limit):.2f}} after {{n}} evaluations. Notebook 03
# explains how a solver does better.

# %% [markdown]
# ## 4. One gradient
#
# To train, we need the gradient of a loss $L$ with respect to $\theta$. One could go back through all operations of the
# solver, and keep every number it ever computed. The paper's idea is another one. Let $a(t) = \partial L / \partial
# z(t)$ be how much the loss would change if the state were nudged at time $t$. This *adjoint* obeys a differential
# equation of its own, which runs backwards in time (4), and the gradient is an integral along it (5):
#
# $$\frac{da(t)}{dt} = -a(t)\, \frac{\partial f}{\partial z}, \qquad
#   \frac{dL}{d\theta} = -\int_{t_1}^{t_0} a(t)\, \frac{\partial f}{\partial \theta}\, dt.$$
#
# Here $a$ is a row, and $\partial f / \partial z$ is the matrix with the derivative of the $i$-th component of $f$ by
# the $j$-th of
# $z$ in row $i$ and column $j$; so $a\, \partial f / \partial z$ is a row times a matrix. The walk begins at the end, where
# $a(t_1) = \partial L / \partial z(t_1)$ is known.
#
# So the same solver finds the gradient, and no step has to be kept. Notebooks 05 and 06 prove it line by line. Here we believe it
# for five minutes, and check it: `odeint` is `odesolve` with this derivative, and `grad(loss)` is the function that
# computes the gradient of `loss`.


# %%
def loss(theta):
    z_T = odelearn.odeint(z0, f, [0.0, T], theta)[-1]
    return np.sum((z_T - np.array([0.0, 1.0])) ** 2)


gradient = odelearn.grad(loss)(theta)
print("by the adjoint:    ", gradient.round(4))
print("by differences:    ", odelearn.finite_difference(loss, theta).round(4))

# %% [markdown] tags=["predict"]
# **Predict.** In (4) there is a minus sign. Suppose someone leaves it out. Will the program stop? Will the gradient be zero,
# the negative of the right one, or something that looks quite plausible?

# %% [markdown] tags=["break-it"]
# **Break it.** The paper calls its method Algorithm 2. `known_mistakes` is a module of `odelearn.checks` that has this
# algorithm with a switch for each mistake that is found in the wild: `a_sign=+1`, say, is a missing minus in (4). It takes
# the dynamics as a `Dynamics`: the function $f$ together with its derivatives, which `odelearn.Dynamics(f)` finds by
# itself. We flip the sign of $a\, \partial f / \partial z$ and look at the
# gradient. Then we let a check look at it. Notebook 07 has {{len(known_mistakes.KNOWN_MISTAKES)}} of these.

# %% tags=["break-it"]
a_zs = np.stack([np.zeros(2), 2 * (limit - np.array([0.0, 1.0]))])  # dL/dz at the times 0 and T
problem = z0, odelearn.Dynamics(f), np.array([0.0, T]), theta, a_zs
print("right:       ", known_mistakes.algorithm2(*problem)[2].round(4))
print("sign flipped:", known_mistakes.algorithm2(*problem, a_sign=+1)[2].round(4))
checks.check_adjoint(lambda *problem: known_mistakes.algorithm2(*problem, a_sign=+1))

# %% [markdown]
# It runs, and it looks like a gradient. The check tells at once.

# %% [markdown]
# ## 5. One picture
#
# Here are 30 noisy observations of a point that moves on a spiral. We pretend not to know why it moves so. The velocity
# becomes a network with one hidden layer of 32, and we choose $\theta$ so that the solution of $dz/dt = f(z, \theta)$ passes
# through the observations. The optimiser (Adam) asks for the gradient 200 times; each answer is one adjoint solve.

# %%
ts = np.linspace(0, 6, 30)
spiral = np.exp((-0.25 + 1.2j) * ts) * 2
data = np.stack([spiral.real, spiral.imag], axis=1) + 0.05 * rng.normal(size=(30, 2))

net = odelearn.MLP([2, 32, 2])
solver = odelearn.rk4(n=1)  # one step of the classic Runge-Kutta method from each observation to the next


def mismatch(theta):
    return np.mean((odelearn.odeint(data[0], net, ts, theta, solver) - data) ** 2)


start = net.init(rng)
learned, history = odelearn.fit(odelearn.value_and_grad(mismatch), start, odelearn.Adam(lr=0.03), 200, progress=False)
print(
    f"mean squared distance from the data: {history[0]:.2f} before, {history[-1]:.4f} after; the noise alone is {0.05**2:.4f}"
)

# %%
fine = np.linspace(0, 6, 300)
before, after = (odelearn.odesolve(data[0], net, fine, weights).zs for weights in (start, learned))
figures.learned(lambda z: net(z, 0.0, learned), before, after, data, history, noise=0.05**2)

# %% [markdown]
# The arrows are what the network has learned: a velocity for *every* place, not only where we looked.

# %% [markdown]
# ## 6. What it is good for
#
# The same few lines work on data from the field. For 200 years the Hudson's Bay Company bought pelts, and its books tell how
# many hares and lynxes there were. A Neural ODE learned from the years up to the dotted line, and from nothing else:
#
# ![The number of hare and lynx pelts over the years, as curves that rise and fall in turn, with the forecasts of two models for the last years](../figures/lynx_hare.png)

# %% [markdown]
# ## 7. How to use the checks
#
# In this course you will write steps, solvers, pullbacks and adjoints yourself. A *pullback* is the way back through a
# function: it turns the derivative of the loss by the function's value into the derivatives by its arguments. Such a
# derivative by a value is also called a *cotangent*, and the product of a row with a Jacobian that a pullback computes a
# *vector-Jacobian product*, **vjp** for short. So `f.vjp(z, t, theta)` returns the value of $f$ and its pullback. Notebook
# 02 builds them. Four checks tell you whether what you wrote is right:
#
# | check | your function |
# |---|---|
# | `checks.check_vjp(f)` | `f(z, t, theta) -> dz, pullback` (notebook 02) |
# | `checks.check_step(step, order)` | `step(f, z, t, h, theta) -> z_next` (notebook 03) |
# | `checks.check_solver(solve, order)` | `solve(z0, f, ts, theta) -> zs` (notebook 03) |
# | `checks.check_adjoint(adjoint)` | `adjoint(z0, f, ts, theta, a_zs) -> a_z0, a_ts, a_theta` (notebooks 04 to 06) |
#
# A check runs your function on problems with known answers. It says "passed", or "not yet" and what is probably wrong.

# %% [markdown] tags=["checkpoint"]
# **Checkpoint.** (5 minutes) Here is an Euler step with one thing missing. Run the cell, read, repair it, and run it again.

# %% tags=["checkpoint"]


def my_step(f, z, t, h, theta):
    return z + f(z, t, theta)  # <- yours


checks.check_step(my_step, order=1)

# %% [markdown] tags=["solution"]
# <details><summary><b>Answer</b></summary>
#
# A velocity times a time is a distance. Without $h$, a step is the residual layer of section 1.
#
# ```python
# def my_step(f, z, t, h, theta):
#     return z + h * f(z, t, theta)
#
#
# assert checks.check_step(my_step, order=1)
# ```
#
# </details>

# %% [markdown] tags=["agree"]
# ## 8. Ours and the library's
#
# Each notebook ends its lesson in this way: what we built in a few lines must agree with the module of `odelearn` that does
# the same with more care.

# %% tags=["agree"]
ours = euler(z0, theta, T, 24)[-1]
assert np.allclose(ours, odelearn.odesolve(z0, f, [0.0, T], theta, odelearn.euler(n=24)).zs[-1], rtol=1e-13)
assert np.allclose(residual_network(z0, theta, 3), euler(z0, theta, 3.0, 3), rtol=1e-13)  # a residual layer: h = 1
assert np.allclose(gradient, known_mistakes.algorithm2(*problem)[2], rtol=1e-3, atol=1e-4)
assert np.allclose(gradient, odelearn.finite_difference(loss, theta), rtol=1e-3, atol=1e-3)
assert history[-1] < 0.01
print("all agree")

# %% [markdown] tags=["exercise"]
# ## Exercises
#
# **1 (fill in).** (5 minutes) Euler's step uses the velocity at its beginning all the way. The *midpoint* method goes half a step with
# it, asks $f$ there (at time $t + h/2$), and takes the whole step with that answer. Write it. It is of order 2: twice as many
# steps, a quarter of the error.

# %% tags=["exercise"]


def midpoint_step(f, z, t, h, theta):
    k1 = f(z, t, theta)
    return z + h * k1  # yours


checks.check_step(midpoint_step, like=odelearn.MIDPOINT)

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# ```python
# def midpoint_step(f, z, t, h, theta):
#     k1 = f(z, t, theta)
#     k2 = f(z + h / 2 * k1, t + h / 2, theta)
#     return z + h * k2
#
#
# assert checks.check_step(midpoint_step, like=odelearn.MIDPOINT)
# ```
#
# With `t` in place of `t + h / 2` the check says "stale time": the order falls to 1 where $f$ depends on $t$, and nowhere else.
#
# </details>

# %% [markdown] tags=["exercise"]
# **2 (derive).** (10 minutes) For one number $z$ and $f = \theta z$ the solution is $z(t) = e^{\theta t} z(0)$. Let $L = z(1)$. Find
# $dL/d\theta$ directly. Then find $a(t)$ from (4), starting from $a(1) = 1$, put it into (5), and see that the same comes out.

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# Directly: $L = e^\theta z(0)$, so $dL/d\theta = e^\theta z(0)$. By the adjoint: $\partial f / \partial z = \theta$, so
# $da/dt = -\theta a$ with $a(1) = 1$. That is $a(t) = e^{\theta (1 - t)}$: differentiate it, and see. And
# $\partial f / \partial \theta = z$, so
# $dL/d\theta = \int_0^1 a(t)\, z(t)\, dt = \int_0^1 e^{\theta (1 - t)} e^{\theta t} z(0)\, dt = e^\theta z(0)$. The integrand does
# not depend on $t$.
#
# ```python
# linear = lambda z, t, theta: theta * z
# L = lambda theta: odelearn.odeint(np.array([1.5]), linear, [0.0, 1.0], theta, odelearn.dopri5(1e-9, 1e-11))[-1][0]
# assert np.allclose(odelearn.grad(L)(np.array([0.7])), 1.5 * np.exp(0.7), rtol=1e-7)
# ```
#
# </details>

# %% [markdown] tags=["exercise"]
# **3 (explore).** (10 minutes) A residual network with one number $z$ can turn $+1$ into $-1$ and $-1$ into $+1$ at the same time, with
# $f(z) = -2z$. Can an ODE $dz/dt = f(z, t, \theta)$ do it? Change `theta` below and look at where the two points end up.

# %% tags=["exercise"]
push = lambda z, t, theta: theta[0] * np.tanh(theta[1] * z + theta[2]) + theta[3] * t
both = np.array([1.0, -1.0])
for trial in [-2.0, 1.0, 0.0, 0.0], [-3.0, 1.5, 0.5, -1.0], [3.0, -2.0, 1.0, 2.0]:
    print(trial, "->", odelearn.odesolve(both, push, [0.0, 1.0], np.array(trial)).zs[-1].round(4))

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# It cannot. To change places the two paths would have to meet at some time. But from one place, at one time, there is one
# velocity, and so one way to go on (for a smooth $f$): paths that met would be the same path. On a line the order of points
# is kept for ever. A residual layer jumps over the other point. In a plane there is room to go around, and that is
# why one sometimes adds a dimension (Dupont, Doucet and Teh 2019).
#
# ```python
# for _ in range(20):
#     end = odelearn.odesolve(both, push, [0.0, 1.0], rng.normal(size=4)).zs[-1]
#     assert end[0] > end[1]
# ```
#
# </details>

# %% [markdown] tags=["summary"]
# ## Summary
#
# | idea | equation | in odelearn |
# |---|---|---|
# | residual layer | (1) $z_{t+1} = z_t + f(z_t, \theta_t)$ | `solvers.solver.euler` with `h=1` |
# | its limit | (2) $dz/dt = f(z(t), t, \theta)$ | any function `f(z, t, theta)`, or `nn.mlp.MLP` |
# | solve | (3) $z(t_1) = \text{ODESolve}(z(t_0), f, t_0, t_1, \theta)$ | `solvers.odesolve.odesolve` |
# | the adjoint | (4), (5) | `gradients.backsolve.Backsolve`, behind `neural_ode.odeint` |
# | train | | `autodiff.tape.value_and_grad`, `optim.fit` |
# | is it right? | | `checks.check_vjp`, `check_step`, `check_solver`, `check_adjoint` |
#
# Where to go from here: 01 and 02 are about derivatives, 03 is about solvers, 04 to 06 bring both together, 07 collects
# the mistakes, and 08 measures what the method is worth. 09 to 12 use it: images, fields from data, densities, series.
#
# **Sources.** R. T. Q. Chen, Y. Rubanova, J. Bettencourt, D. Duvenaud, *Neural ordinary differential equations*,
# NeurIPS (2018). L. Euler, *Institutionum calculi integralis*, vol. 1 (1768). E. Dupont, A. Doucet, Y. W. Teh,
# *Augmented neural ODEs*, NeurIPS (2019).
