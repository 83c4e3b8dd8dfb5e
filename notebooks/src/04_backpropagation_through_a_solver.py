# %% [markdown] tags=["header"]
# # 04 Backpropagation through a solver
#
# | | |
# |---|---|
# | **You will be able to** | differentiate an Euler solve and a Runge-Kutta solve by hand, check that to the last digit, and see the paper's adjoint equation appear in what you wrote as the steps shrink |
# | **You need** | notebooks 01 to 03: the complex step, pullbacks, Euler and Runge-Kutta steps |
# | **Time** | {{minutes_to_read}} minutes to read, {{minutes_to_do}} for the checkpoints and exercises |
# | **Equations** | (36), with a step of the solver as the layer; (35), (51) and (52) as its limits |
#
# There are two ways to the gradient of a Neural ODE. One may solve first and then differentiate the numbers that were
# computed, or differentiate first, on paper, and then solve the equation that comes out. This notebook takes the first
# way, which needs the chain rule and nothing else. At the end of it the second way comes into sight.

# %%
import numpy as np

import odelearn
from odelearn import checks
from odelearn.gradients import appendix_b
from odelearn.plotting.course import backpropagation as figures

rng = np.random.default_rng(1)

# %% [markdown]
# ## 1. A solve is a deep network
#
# Our example is a pendulum that is pushed to and fro. Its state $z = (x, v)$ is its angle and its velocity, and it
# moves by $dz/dt = f(z, t, \theta)$ with
#
# $$f(z, t, \theta) = \bigl(v, \; -\theta_0 \sin x - \theta_1 v + \theta_2 \cos t\bigr).$$
#
# The parameters $\theta$ are the strength of gravity, the friction and the strength of the push. It is small enough to
# differentiate by hand, and it has everything that matters: it is not linear in $z$, and it depends on $t$. Nothing
# below looks inside $f$, so you may think of a neural network instead.
#
# Vectors are rows, as in the paper's Appendix B. The matrix `df_dz` has $\partial f_i / \partial z_j$ in row $i$ and
# column $j$, so that the chain rule reads $a\, \frac{df}{dz}$, with the row $a$ on the left.


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

# %% [markdown]
# Derivatives by hand are to be checked before they are used. A pullback made of these three matrices is a `Dynamics`
# that the library can work with, and `check_vjp` compares it with the complex step:


# %%
def f_vjp(z, t, theta):
    def pullback(a):
        return a @ df_dz(z, t, theta), a @ df_dt(z, t, theta), a @ df_dtheta(z, t, theta)

    return f(z, t, theta), pullback


pendulum = odelearn.Dynamics(f, f_vjp)
checks.check_vjp(f_vjp, z0, t0, theta)

# %% [markdown]
# Euler's method with $N$ steps of length $h = (t_N - t_0) / N$ is
#
# $$z_{n+1} = z_n + h\, f(z_n, t_n, \theta), \qquad t_n = t_0 + n h.$$
#
# Compare that with a residual network, eq. (1) of the paper: $h_{t+1} = h_t + f(h_t, \theta_t)$. It is the same thing:
# $N$ layers, each of which adds a little to its input. All that is special is that the layers share one $\theta$.
#
# At the end stands a loss. We would like the pendulum to be at rest at the bottom at time $t_N$, so
# $L = \tfrac12 |z_N|^2$, with $dL/dz_N = z_N$.


# %%
def euler(z0, theta, N):
    """The states z_0 ... z_N, shape (N + 1, 2)."""
    h, zs = (tN - t0) / N, [z0]
    for n in range(N):
        zs.append(zs[n] + h * f(zs[n], t0 + n * h, theta))
    return np.stack(zs)


def loss(z_N):
    return 0.5 * np.sum(z_N**2)


zs = euler(z0, theta, 24)
print(f"z_N = {zs[-1].round(3)}   L = {loss(zs[-1]):.3f}")

# %% [markdown]
# ## 2. The chain rule, last layer first
#
# Write $a_n = dL/dz_n$: how the loss changes when $z_n$ is changed *and the layers after it run on as they do*. At the
# end we know it, $a_N = dL/dz_N = z_N$.
#
# A change of $z_n$ reaches the loss only through $z_{n+1}$. So the chain rule through one layer, eq. (36) of the paper,
# is all there is to say:
#
# $$a_n = a_{n+1} \frac{dz_{n+1}}{dz_n} = a_{n+1} \Bigl( I + h \frac{df}{dz}(z_n, t_n, \theta) \Bigr).$$
#
# The parameters are used in every layer. Layer $n$ alone feels a change of $\theta$ by $h\, df/d\theta$ at its output
# $z_{n+1}$, and the rest of the network passes that on by $a_{n+1}$. The shares of the layers add up:
#
# $$\frac{dL}{d\theta} = \sum_{n=0}^{N-1} h\, a_{n+1} \frac{df}{d\theta}(z_n, t_n, \theta).$$

# %% [markdown] tags=["predict"]
# **Predict.** The loop below walks through the layers backwards. Which states does it need that a forward solve would
# have been free to forget? And how many evaluations of $f$ does it make?


# %%
def euler_adjoint(zs, theta, a_N):
    """a_0 ... a_N, shape (N + 1, 2), and dL/dtheta."""
    N = len(zs) - 1
    h, a, a_theta = (tN - t0) / N, [None] * N + [a_N], np.zeros(3)
    for n in reversed(range(N)):
        t = t0 + n * h
        a[n] = a[n + 1] + h * a[n + 1] @ df_dz(zs[n], t, theta)  # (36)
        a_theta += h * a[n + 1] @ df_dtheta(zs[n], t, theta)
    return np.stack(a), a_theta


a, a_theta = euler_adjoint(zs, theta, a_N=zs[-1])
print("dL/dz0    =", a[0].round(4))
print("dL/dtheta =", a_theta.round(4))

# %% [markdown]
# It needs all of them: the Jacobian of layer $n$ stands at $z_n$. And it evaluates $f$ not at all, only the derivatives
# of $f$.
#
# Is it right? The whole solve is ordinary arithmetic, so the complex step goes through it, and tells the derivative of
# the *computed* loss to the last digits.

# %%
L_of_z0 = lambda z0: loss(euler(z0, theta, 24)[-1])
L_of_theta = lambda theta: loss(euler(z0, theta, 24)[-1])
print("dL/dz0    exact to round-off:", np.allclose(a[0], odelearn.complex_step(L_of_z0, z0), rtol=1e-13))
print("dL/dtheta exact to round-off:", np.allclose(a_theta, odelearn.complex_step(L_of_theta, theta), rtol=1e-13))

# %% [markdown]
# With 24 coarse steps the *solution* is poor, as the picture below shows. The *gradient* is exact all the same: it is the
# gradient of the poor solution. This is what `odelearn.Discrete` computes for any solver, and what
# backpropagation through an unrolled loop computes in any framework.
#
# Here is what we have found. Each arrow is an $a_n$: the direction in which a small push of $z_n$ would raise the loss
# most.

# %%
exact_path = odelearn.odesolve(z0, f, (t0, tN), theta, odelearn.dop853(1e-10, 1e-12))
figures.arrows(exact_path(np.linspace(t0, tN, 200)), zs, a)

# %% [markdown]
# At the end $a_N$ points straight away from rest, as the gradient of $\tfrac12 |z|^2$ must. Going back along the chain
# it turns, since what matters at an earlier time is not where the state is but where it will be carried.

# %% [markdown] tags=["checkpoint"]
# **Checkpoint.** Now for a general $f$, a batch of states, and a loss that looks at several observations
# $z(t_0), \dots, z(t_N)$. Given is $a_{zs}$, with one row $a_{zs,i} = \partial L / \partial z(t_i)$ for each. The
# forward loop is there, and has kept the pullback of every step; `pullback(a)` returns $a\,\frac{df}{dz}$,
# $a\,\frac{df}{dt}$ and $a\,\frac{df}{d\theta}$. Write the backward loop: what a step adds to `a_theta`, how `a` goes
# through it, and what happens to `a` on arrival at an observation. (The second item that is returned, for the times,
# stays `None`: `of` says that this exercise does not ask for it. `exact` compares with the gradient of the numbers that
# ten Euler steps an interval compute, to round-off.)

# %% tags=["checkpoint"]


def my_adjoint(z0, f, ts, theta, a_zs, n=10):
    z, tape = z0, []
    for i in range(len(ts) - 1):
        h = (ts[i + 1] - ts[i]) / n
        for j in range(n):
            dz, pullback = f.vjp(z, ts[i] + j * h, theta)
            tape.append((i, j, h, pullback))
            z = z + h * dz

    # <- yours: begin with a = a_zs[-1], and loop over reversed(tape); where j == 0 you are back at ts[i]
    return None  # <- yours: a, None, a_theta


checks.check_adjoint(my_adjoint, of=("z0", "theta"), exact=odelearn.euler(n=10))

# %% [markdown] tags=["solution"]
# <details><summary><b>Answer</b></summary>
#
# The step is $z + h f$, so both cotangents come with a factor $h$ and a plus. A state that the loss looks at has two
# ways to the loss, through the next step and directly, and the two contributions add up.
#
# ```python
# def my_adjoint(z0, f, ts, theta, a_zs, n=10):
#     z, tape = z0, []
#     for i in range(len(ts) - 1):
#         h = (ts[i + 1] - ts[i]) / n
#         for j in range(n):
#             dz, pullback = f.vjp(z, ts[i] + j * h, theta)
#             tape.append((i, j, h, pullback))
#             z = z + h * dz
#
#     a, a_theta = a_zs[-1], np.zeros_like(theta)
#     for i, j, h, pullback in reversed(tape):
#         a_f_z, a_f_t, a_f_theta = pullback(a)
#         a_theta = a_theta + h * a_f_theta
#         a = a + h * a_f_z
#         if j == 0:
#             a = a + a_zs[i]
#     return a, None, a_theta
#
#
# assert checks.check_adjoint(my_adjoint, of=("z0", "theta"), exact=odelearn.euler(n=10))
# ```
#
# The step's share of $dL/d\theta$ uses $a_{n+1}$, the $a$ before the update. Here `pullback(a)` was called once for
# both, which makes it impossible to get wrong.
#
# With $a_n$ in its place the gradient would still be right up to $O(h)$. The check compares to round-off, and names it.
#
# </details>

# %% [markdown]
# ## 3. A differential equation appears
#
# Look once more at the recursion, and bring $a_{n+1}$ to the other side:
#
# $$a_n = a_{n+1} + h\, a_{n+1} \frac{df}{dz}(z_n, t_n, \theta) \qquad\Longleftrightarrow\qquad
# \frac{a_{n+1} - a_n}{h} = -\,a_{n+1} \frac{df}{dz}(z_n, t_n, \theta).$$
#
# On the left stands a difference quotient of $a$. The equation holds exactly, for every $h$, without any limit. Now let
# $h \to 0$ with $t_n$ held at a time $t$. The quotient becomes a derivative, $z_n$ becomes $z(t)$, both $a_n$ and
# $a_{n+1}$ become $a(t)$:
#
# $$\frac{da}{dt} = -\,a(t)\, \frac{df}{dz}(z(t), t, \theta),$$
#
# and that is eq. (35), the adjoint equation of the paper. The minus comes from moving a term across an equals sign; the
# loop above had a plus because it steps backwards. This is a picture, not yet a proof: it assumes that $a_n$ does tend
# to something. Notebook 05 has the proof. Here we watch.
#
# To have something to compare with, we solve (35) as accurately as we can: forwards for $z$, then backwards for $z$ and
# $a$ together, from $z(t_N)$ and $a(t_N) = dL/dz(t_N) = z(t_N)$.


# %%
accurate = odelearn.dop853(rtol=1e-12, atol=1e-14)
z_N = odelearn.odesolve(z0, f, (t0, tN), theta, accurate).zs[-1]


def z_and_a(s, t, theta):
    z, a = s[:2], s[2:]
    return np.concatenate([f(z, t, theta), -a @ df_dz(z, t, theta)])  # (35)


def exact_a(ts):
    """a(t) at increasing times that begin with t0 and end with tN."""
    s = odelearn.odesolve(np.concatenate([z_N, z_N]), z_and_a, ts[::-1], theta, accurate).zs
    return s[::-1, 2:]


# %%
fine, discrete = np.linspace(t0, tN, 200), {}
for N in 10, 40, 160:
    path = euler(z0, theta, N)
    discrete[N], _ = euler_adjoint(path, theta, path[-1])
figures.limit(fine, exact_a(fine), discrete)

# %% [markdown]
# Read the curves from right to left, for that is how they were computed.

# %% [markdown] tags=["predict"]
# **Predict.** The gap between $a_n$ and $a(t_n)$ closes as $h \to 0$. By which factor does it shrink when the number of
# steps is doubled? And what, if Euler is replaced by the classical Runge-Kutta method of order 4?

# %% [markdown]
# Here is the same for a loss that looks at the state six times (prey and predators, another example). Between two looks the
# adjoint follows (35), and at each look it jumps, as the cotangent of a layer does when its output is used twice. Notebook
# 05 has the jumps.
#
# ![The adjoint runs back in time: above, the solution and its observations; below, the curve of the adjoint grows from right to left and jumps at each observation](../figures/adjoint.gif)

# %% [markdown]
# ## 4. The same for every Runge-Kutta method
#
# A Runge-Kutta step is a small network of its own. With the letters of notebook 03, it has stages
#
# $$Z_i = z + h \sum_{j<i} A_{ij} k_j, \qquad k_i = f(Z_i, t + c_i h, \theta), \qquad z_{next} = z + h \sum_i b_i k_i.$$
#
# To go back through it, ask of each quantity where it was used. The slope $k_j$ went into $z_{next}$ with weight
# $h b_j$, and into every later $Z_i$ with weight $h A_{ij}$. The point $Z_j$ went into $k_j$ alone. And $z$ went into
# $z_{next}$ and into every $Z_j$, with weight one. So, last stage first,
#
# $$a_{k_j} = h\, b_j\, a_{next} + h \sum_{i>j} A_{ij}\, a_{Z_i}, \qquad a_{Z_j} = a_{k_j} \frac{df}{dz}(Z_j), \qquad
# a_z = a_{next} + \sum_j a_{Z_j}.$$


# %%
def rk_step(z, t, h, theta, tableau):
    """z_next, and the points Z_i of the stages."""
    Z, k = [], []
    for A_i, c_i in zip(tableau.A, tableau.c, strict=True):
        Z.append(z + h * sum(A_ij * k_j for A_ij, k_j in zip(A_i, k, strict=False)))
        k.append(f(Z[-1], t + c_i * h, theta))
    return z + h * tableau.b @ np.stack(k), Z


def rk_step_back(a_next, Z, t, h, theta, tableau):
    """a_z, and the step's share of dL/dtheta."""
    A, b, c = tableau.A, tableau.b, tableau.c
    a_Z, a_theta = [0] * len(b), np.zeros(3)
    for j in reversed(range(len(b))):  # only later stages used k_j: when we reach it, its cotangent is complete
        a_k = h * b[j] * a_next + h * sum(A[i, j] * a_Z[i] for i in range(j + 1, len(b)))
        a_Z[j] = a_k @ df_dz(Z[j], t + c[j] * h, theta)
        a_theta += a_k @ df_dtheta(Z[j], t + c[j] * h, theta)
    return a_next + sum(a_Z), a_theta


# %% [markdown]
# A solve and its adjoint are then two loops, as before. With one stage they are the loops for Euler.


# %%
def discrete_adjoint(tableau, N, z0=z0, theta=theta):
    """zs and a, shape (N + 1, 2) each, and dL/dtheta."""
    h, zs, stages = (tN - t0) / N, [z0], []
    for n in range(N):
        z, Z = rk_step(zs[n], t0 + n * h, h, theta, tableau)
        zs.append(z)
        stages.append(Z)
    a, a_theta = [zs[-1]], np.zeros(3)  # dL/dz_N = z_N
    for n in reversed(range(N)):
        a_n, share = rk_step_back(a[0], stages[n], t0 + n * h, h, theta, tableau)
        a, a_theta = [a_n, *a], a_theta + share
    return np.stack(zs), np.stack(a), a_theta


# %%
for tableau in odelearn.EULER, odelearn.RK4:
    zs_n, a_n, a_theta_n = discrete_adjoint(tableau, 24)
    solver = odelearn.Solver(tableau, odelearn.FixedSteps(n=24))
    zs_lib, pullback = odelearn.Discrete().vjp(z0, pendulum, (t0, tN), theta, solver)
    g = pullback(np.stack([0 * z0, zs_lib[-1]]))  # the loss looks at the second of the two observations only
    same = np.allclose(a_n[0], g.z0, rtol=1e-13) and np.allclose(a_theta_n, g.theta, rtol=1e-13)
    print(f"{tableau.name:6} our loops and odelearn.Discrete() agree to round-off: {same}")

# %% [markdown]
# Now the answer to the prediction. The gap is the largest $|a_n - a(t_n)|$ over all $n$.

# %%
Ns = np.array([8, 16, 32, 64, 128, 256])
gaps = {}
for tableau in odelearn.EULER, odelearn.MIDPOINT, odelearn.RK4:
    found = {N: discrete_adjoint(tableau, N)[1] for N in Ns}
    gap = [np.abs(found[N] - exact_a(np.linspace(t0, tN, N + 1))).max() for N in Ns]
    gaps[tableau.name, tableau.order] = gap
    print(f"{tableau.name:9} observed order {odelearn.observed_order(gap[-3:]):.1f}")
figures.orders((tN - t0) / Ns, gaps)

# %% [markdown]
# Nobody asked the backward loop to be accurate. It only undid a forward step. Yet the *discrete adjoint* of a method of
# order $p$ approximates the solution of (35) with order $p$. The reason: $a_0$ is the exact derivative of the computed
# $L(z_N)$ with respect to $z_0$. For a smooth $f$ the computed $z_N$ differs from the flow by $h^p e(z_0)$ and terms
# with higher powers of $h$, where $e$ is a smooth function of $z_0$ that does not contain $h$. So the derivatives with
# respect to $z_0$ differ by $h^p\, de/dz_0$ and higher powers: $O(h^p)$ too. (That the difference is *small* would not
# be enough. Notebook 05 has an example, at (42), of something small with a derivative that is not.) The same holds for
# each $a_n$, with $z_n$ in the place of $z_0$.
#
# One can say more: the backward sweep is a Runge-Kutta method for (35) in its own right, with coefficients made from
# $A$ and $b$ (Sanz-Serna 2016).

# %% [markdown]
# ## 5. A sum becomes an integral
#
# The same limit for the parameters. What the loop adds up is a Riemann sum:
#
# $$\frac{dL}{d\theta} = \sum_{n=0}^{N-1} h\, a_{n+1} \frac{df}{d\theta}(z_n, t_n, \theta) \;\longrightarrow\;
# \int_{t_0}^{t_N} a(t) \frac{df}{d\theta}\, dt = - \int_{t_N}^{t_0} a(t) \frac{df}{d\theta}\, dt.$$
#
# The right-hand side is eq. (51). The paper writes the integral from $t_N$ to $t_0$, since it is computed on the way
# back; hence its minus sign. Here is the sum for the parameter $\theta_0$, gravity:


# %%
def shares(N):
    """a_{n+1} df/dtheta at step n, shape (N, 3): the heights of the bars."""
    path = euler(z0, theta, N)
    a_n, _ = euler_adjoint(path, theta, path[-1])
    t = np.linspace(t0, tN, N + 1)
    return np.stack([a_n[n + 1] @ df_dtheta(path[n], t[n], theta) for n in range(N)])


z_fine = odelearn.odesolve(z0, f, fine, theta, accurate).zs
integrand = np.stack([a @ df_dtheta(z, t, theta) for a, z, t in zip(exact_a(fine), z_fine, fine, strict=True)])

turns = fine[:-1][np.diff(np.sign(integrand[:, 0])) != 0]
print(
    f"the integral: {np.trapezoid(integrand[:, 0], fine):.3f}; the integrand is positive from {turns[0]:.1f} to {turns[1]:.1f}"
)
figures.riemann(fine, integrand[:, 0], [shares(12)[:, 0], shares(60)[:, 0]])

# %% [markdown]
# The picture also tells *when* gravity matters to this loss: pulling harder from $t = {{turns[0]:.1f}}$ to
# ${{turns[1]:.1f}}$ would raise it, and pulling harder before or after would lower it. An integrand says more than its
# integral.

# %% [markdown]
# ## 6. Two gradients, one limit
#
# So there are two gradients. The **discrete** one belongs to the numbers that were computed. The **continuous** one
# belongs to the exact flow, and a solver has to approximate it: `odelearn.Backsolve` solves (35) backwards in time,
# with the same method and steps here.

# %% [markdown] tags=["predict"]
# **Predict.** For Euler with 20, 40, 80 steps we compare both with the derivative of the computed loss, and with that
# of the exact loss. Of the four errors for each $N$, which are zero to round-off? Which shrink like $h$?

# %%
exact_theta = odelearn.complex_step(
    lambda th: loss(odelearn.odesolve(z0 + 0j, f, (t0, tN), th, accurate).zs[-1]), theta
)
print("                 from the computed loss      from the exact loss")
print("steps             Discrete  Backsolve        Discrete  Backsolve")
for N in 20, 40, 80, 160:
    computed = odelearn.complex_step(lambda th, N=N: loss(euler(z0 + 0j, th, N)[-1]), theta)
    errors = []
    for truth in computed, exact_theta:
        for method in odelearn.Discrete(), odelearn.Backsolve():
            zs_lib, pullback = method.vjp(z0, pendulum, (t0, tN), theta, odelearn.euler(n=N))
            gap = np.abs(pullback(np.stack([0 * z0, zs_lib[-1]])).theta - truth).max()
            errors.append("round-off" if gap < 1e-12 else f"{gap:.2f}")
    print(f"{N:5}        {errors[0]:>13}{errors[1]:>11}   {errors[2]:>13}{errors[3]:>11}")

# %% [markdown]
# Only one of them is exact, and of only one thing: `Discrete` of the computed loss. All others are off by $O(h)$, which
# is the method's order.
#
# Does it matter? An optimiser walks on the *computed* loss. With the discrete gradient a short step goes downhill on
# it, however coarse the solver. With the continuous one it does so only as far as the solver is accurate. On the other
# side, the continuous gradient needs no stored states, and that was the paper's reason for it.

# %% [markdown]
# ## 7. What has to be kept
#
# Our loop kept $z_0, \dots, z_N$ and, for Runge-Kutta, every stage as well. The memory grows with the number of steps.
# Two ways out:
#
# - **Checkpointing** keeps only about $\sqrt N$ of the states, and solves each piece between them again when the
#   backward sweep arrives there: the same gradient bit for bit, for one more evaluation of every stage.
# - **Backsolve** keeps nothing but the observations, and rebuilds $z(t)$ by solving backwards. It pays in accuracy, as
#   above; notebook 08 shows how much, and when.

# %%
steps, held = 4 ** np.arange(2, 6), {}
for method, slope in (odelearn.Discrete(), 1), (odelearn.Checkpointed(), 1 / 2), (odelearn.Backsolve(), 0):
    name, found = type(method).__name__, []
    for N in steps:
        zs_lib, pullback = method.vjp(z0, pendulum, (t0, tN), theta, odelearn.rk4(n=int(N)))
        found.append(pullback(zs_lib).stats.bytes)
    held[name, slope] = found
    print(f"{name:13} {found[0]:5} bytes for {steps[0]} steps, {found[-1]:7} for {steps[-1]}")
figures.memory(steps, held)

# %% [markdown] tags=["break-it"]
# ## 8. Break it
#
# Four slips in the backward loop. **Before you run the cell:** two of them will never be noticed by somebody who
# compares with the solution of (35) on a fine mesh. Which two, and why?

# %% tags=["break-it"]


def slipped(N, sign=+1, jacobian_at=0, a_at=1, weight=None):
    """euler_adjoint with a switch for each slip."""
    h, path, a_theta = (tN - t0) / N, euler(z0, theta, N), np.zeros(3)
    a_n = path[-1]
    for n in reversed(range(N)):
        m, a_next = n + jacobian_at, a_n
        a_n = a_next + sign * h * a_next @ df_dz(path[m], t0 + m * h, theta)
        a_theta += (weight or h) * (a_next if a_at else a_n) @ df_dtheta(path[n], t0 + n * h, theta)
    return a_theta


slips = {
    "none": {},
    "minus in front of df/dz": dict(sign=-1),
    "df/dz at z_{n+1}": dict(jacobian_at=1),
    "a_n, not a_{n+1}, in dL/dtheta": dict(a_at=0),
    "h forgotten in dL/dtheta": dict(weight=1),
}
print(f"{'error of dL/dtheta, relative to':34}the computed loss (N = 20)    the exact loss (N = 20, 80, 320)")
for name, slip in slips.items():
    computed = odelearn.complex_step(lambda th: loss(euler(z0 + 0j, th, 20)[-1]), theta)
    own = np.abs(slipped(20, **slip) - computed).max() / np.abs(computed).max()
    far = [np.abs(slipped(N, **slip) - exact_theta).max() / np.abs(exact_theta).max() for N in (20, 80, 320)]
    print(f"{name:34}{'round-off' if own < 1e-12 else f'{own:.3f}':>16}{'':16}" + "  ".join(f"{x:8.3f}" for x in far))

# %% [markdown]
# Taking the Jacobian at the other end of the step, or $a$ at the other end, is a perfectly good approximation of the
# *integral* and of the *differential equation*: the error vanishes like $h$, as for the right loop. It is not the
# gradient of the computed loss, and only a check against that, to round-off, can tell. This is why the tests of
# `odelearn` check `Discrete` against the complex step through the whole solve, and not against a fine solution.

# %% [markdown] tags=["agree"]
# ## 9. Ours and the library's
#
# `odelearn/gradients/discrete.py` does what the two loops above do, for any $f$ with a pullback, any explicit tableau,
# fixed and adaptive steps. The step and the way back through it are in `odelearn/solvers/runge_kutta.py`.

# %% tags=["agree"]
for tableau in odelearn.EULER, odelearn.HEUN, odelearn.MIDPOINT, odelearn.RK38, odelearn.RK4, odelearn.DOPRI5:
    zs_n, a_n, a_theta_n = discrete_adjoint(tableau, 10)
    solver = odelearn.Solver(tableau, odelearn.FixedSteps(n=10))
    zs_lib, pullback = odelearn.Discrete().vjp(z0, pendulum, (t0, tN), theta, solver)
    g = pullback(np.stack([0 * z0, zs_lib[-1]]))
    assert np.allclose(zs_n[-1], zs_lib[-1], rtol=1e-13)
    assert np.allclose(a_n[0], g.z0, rtol=1e-12) and np.allclose(a_theta_n, g.theta, rtol=1e-12)

one_stage = discrete_adjoint(odelearn.EULER, 24)
for by_tableau, by_hand in zip(one_stage, (zs, a, a_theta), strict=True):
    assert np.allclose(by_tableau, by_hand, rtol=1e-12)
assert np.allclose(exact_a(fine)[0], appendix_b.adjoint(z_N, pendulum, z0, t0, tN, theta), rtol=1e-9)
for (name, order), gap in gaps.items():
    assert abs(odelearn.observed_order(gap[-3:]) - order) < 0.15, name
print("all agree")

# %% [markdown] tags=["pay-off"]
# ## 10. What it is good for: a pendulum that comes to rest
#
# With our own loop for RK4, choose gravity, friction and push so that the pendulum is at rest at the bottom at $t_N$. The
# loss is $\tfrac12 |z(t_N)|^2$, and 24 steps of RK4 are a network of 96 layers.

# %% tags=["pay-off"]


def rest(p):
    zs_n, _, a_p = discrete_adjoint(odelearn.RK4, 24, theta=p)
    return loss(zs_n[-1]), a_p


tuned, history = odelearn.fit(rest, theta, odelearn.Adam(lr=0.05), 400, progress=False)
print(f"loss {history[0]:.3f} before, {history[-1]:.1e} after 400 steps")
print("gravity, friction, push:", theta.round(2), "before,", tuned.round(2), "after")
print("state at t_N:           ", discrete_adjoint(odelearn.RK4, 24, theta=tuned)[0][-1].round(3))

# %% [markdown] tags=["pay-off"]
# The gradient is that of the computed loss, to round-off, so the loss can fall as far as the optimiser takes it.

# %% [markdown] tags=["exercise"]
# ## Exercises
#
# **1 (fill in).** A step of the midpoint method as one function with a pullback. The Jacobians of $f$ come from
# `f_vjp(z, t, theta) -> dz, pullback`. Four cotangents are wanted, for everything the step depends on; two are wrong.

# %% tags=["exercise"]


def midpoint_step(z, t, h, theta):
    k1, pullback_1 = f_vjp(z, t, theta)
    k2, pullback_2 = f_vjp(z + h / 2 * k1, t + h / 2, theta)

    def pullback(a_next):
        a_Z2, a_t2, a_theta2 = pullback_2(h * a_next)
        a_Z1, a_t1, a_theta1 = pullback_1(h / 2 * a_Z2)
        a_z = a_next + a_Z2  # yours
        a_h = a_next @ k2  # yours: h stands in three places
        return a_z, a_t1 + a_t2, a_h, a_theta1 + a_theta2

    return z + h * k2, pullback


checks.check_vjp(midpoint_step, z0, 0.7, 0.1, theta)

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# $z$ went into $z_{next}$, into $Z_2 = z + \frac h2 k_1$ and into $k_1$: three cotangents. $h$ stands in front of
# $k_2$, in front of $k_1$ as $\frac h2$, and in the time $t + \frac h2$ of the second stage: three again.
#
# ```python
# def midpoint_step(z, t, h, theta):
#     k1, pullback_1 = f_vjp(z, t, theta)
#     k2, pullback_2 = f_vjp(z + h / 2 * k1, t + h / 2, theta)
#
#     def pullback(a_next):
#         a_Z2, a_t2, a_theta2 = pullback_2(h * a_next)
#         a_Z1, a_t1, a_theta1 = pullback_1(h / 2 * a_Z2)
#         a_z = a_next + a_Z2 + a_Z1
#         a_h = a_next @ k2 + a_Z2 @ k1 / 2 + a_t2 / 2
#         return a_z, a_t1 + a_t2, a_h, a_theta1 + a_theta2
#
#     return z + h * k2, pullback
#
#
# assert checks.check_vjp(midpoint_step, z0, 0.7, 0.1, theta)
# ```
#
# </details>

# %% [markdown] tags=["exercise"]
# **2 (derive).** The loss depends on $t_N$ as well: with $N$ fixed, $h = (t_N - t_0) / N$ and $t_n = t_0 + n h$ move
# with it. Write down $dL/dt_N$ for Euler's method as a sum over the layers. Then let $h \to 0$, and use
# $\frac{d}{dt} (a f) = a \frac{df}{dt}$ along the solution to show that the limit is $a(t_N)\, f(z(t_N), t_N, \theta)$,
# the first half of eq. (52).

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# In $z_{n+1} = z_n + h f(z_n, t_n, \theta)$ the factor $h$ changes by $1/N$ per unit of $t_N$ and $t_n$ by $n/N$. So
#
# $$\frac{dL}{dt_N} = \sum_{n=0}^{N-1} a_{n+1} \Bigl( \frac1N f(z_n, t_n, \theta) +
# \frac nN\, h \frac{df}{dt}(z_n, t_n, \theta) \Bigr).$$
#
# With $1/N = h / (t_N - t_0)$ and $n/N = (t_n - t_0) / (t_N - t_0)$ this is a Riemann sum, and with $H = a f$ its limit
# is
#
# $$\frac{1}{t_N - t_0} \int_{t_0}^{t_N} \Bigl( H + (t - t_0) \frac{dH}{dt} \Bigr) dt
# = \frac{1}{t_N - t_0} \int_{t_0}^{t_N} \frac{d}{dt} \bigl( (t - t_0) H \bigr)\, dt = H(t_N).$$
#
# The rule for $dH/dt$ is the product rule: $\frac{da}{dt} f + a \frac{df}{dz} f + a \frac{df}{dt}$, and by (35) the
# first two terms cancel.
#
# ```python
# def dL_dtN(N):
#     path = euler(z0, theta, N)
#     a_n, _ = euler_adjoint(path, theta, path[-1])
#     h, t = (tN - t0) / N, np.linspace(t0, tN, N + 1)
#     both = [f(path[n], t[n], theta) / N + n / N * h * df_dt(path[n], t[n], theta) for n in range(N)]
#     return sum(a_n[n + 1] @ both[n] for n in range(N))
#
#
# zs_lib, pullback = odelearn.Discrete().vjp(z0, pendulum, (t0, tN), theta, odelearn.euler(n=24))
# assert np.isclose(dL_dtN(24), pullback(np.stack([0 * z0, zs_lib[-1]])).ts[1], rtol=1e-12)
# limit = z_N @ f(z_N, tN, theta)
# assert abs(odelearn.observed_order([dL_dtN(N) - limit for N in (200, 400, 800)]) - 1) < 0.15
# ```
#
# </details>

# %% [markdown] tags=["exercise"]
# **3 (explore).** Write the backward sweep of Euler with checkpoints: keep only every $c$-th state, and solve each
# piece again when you get there. Show that the gradient is the same *bit for bit*. How many states are held at the same
# time, as a function of $N$ and $c$, and which $c$ is best for $N = 400$?

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# There are $N / c$ checkpoints, and $c$ more states while one piece is being worked on. $N / c + c$ is smallest at
# $c = \sqrt N = {{min(held, key=held.get)}}$, where it is {{held[20]}}, one part in {{400 / held[20]:.0f}} of what it was. The price is one more forward solve. The same bits come
# out since the same operations are applied to the same numbers in the same order.
#
# ```python
# def checkpointed(N, c):
#     h, z, kept = (tN - t0) / N, z0, []
#     for n in range(N):
#         if n % c == 0:
#             kept.append(z)
#         z = z + h * f(z, t0 + n * h, theta)
#     a, a_theta, most = z, np.zeros(3), 0
#     for start in reversed(range(0, N, c)):
#         piece = [kept.pop()]
#         for n in range(start, min(start + c, N) - 1):
#             piece.append(piece[-1] + h * f(piece[-1], t0 + n * h, theta))
#         most = max(most, len(kept) + len(piece))
#         for n in reversed(range(start, min(start + c, N))):
#             z, t = piece.pop(), t0 + n * h
#             a_next, a = a, a + h * a @ df_dz(z, t, theta)
#             a_theta += h * a_next @ df_dtheta(z, t, theta)
#     return a, a_theta, most
#
#
# path = euler(z0, theta, 400)
# a_stored, a_theta_stored = euler_adjoint(path, theta, path[-1])
# held = {}
# for c in 1, 5, 10, 20, 40, 80, 400:
#     a_0, a_theta_c, held[c] = checkpointed(400, c)
#     assert np.array_equal(a_0, a_stored[0]) and np.array_equal(a_theta_c, a_theta_stored)
# assert min(held, key=held.get) == 20 and held[20] <= 40
# ```
#
# One may do it again within each piece. With $\log N$ levels the memory is $O(\log N)$ (Griewank and Walther 2000).
#
# </details>

# %% [markdown] tags=["summary"]
# ## Summary
#
# | formula | in words | in odelearn |
# |---|---|---|
# | $a_n = a_{n+1} (I + h\, df/dz)$ | (36), a step as the layer | `gradients.discrete.Discrete`, `gradients.appendix_b.through_layer` |
# | $a_{k_j} = h b_j a_{next} + h \sum_i A_{ij} a_{Z_i}$ | the same inside a Runge-Kutta step | `solvers/runge_kutta.py` |
# | $\sum_n h\, a_{n+1}\, df/d\theta$ | the shares of all layers; its limit is (51) | `gradients/base.py` |
# | $da/dt = -a\, df/dz$ | (35), the limit $h \to 0$ | `gradients.appendix_b.da_dt` |
# | $\lvert a_n - a(t_n) \rvert = O(h^p)$ | the gap closes with the order of the method | tests/test_gradients.py |
# | every $c$-th state | memory $O(\sqrt N)$, the same bits | `gradients.checkpointed.Checkpointed` |
#
# - A solve is a network whose layers share one $\theta$; its gradient is the chain rule, last layer first.
# - *Discretise, then differentiate* gives the exact gradient of the computed loss. *Differentiate, then discretise*
#   gives an approximation of the exact loss's gradient. They meet in the limit.
# - Some slips vanish in the limit too. Only a check to round-off finds those.
#
# **Sources.** R. T. Q. Chen, Y. Rubanova, J. Bettencourt, D. Duvenaud, *Neural Ordinary Differential Equations*, arXiv
# 1806.07366, Appendix B. J. M. Sanz-Serna, *Symplectic Runge-Kutta schemes for adjoint equations, automatic
# differentiation, optimal control, and more*, SIAM Review 58 (2016). A. Griewank, A. Walther, *Algorithm 799: revolve*,
# ACM Trans. Math. Software 26 (2000).
