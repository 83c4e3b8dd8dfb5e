# %% [markdown] tags=["header"]
# # 07 Errata
#
# | | |
# |---|---|
# | **You will be able to** | recognise the well-known slips around the adjoint method, say how it comes about, show that it is one, and write the right form |
# | **You need** | notebooks 01 (checks), 05 (the proof) and 06 (Algorithm 2) |
# | **Time** | {{minutes_to_read}} minutes to read, {{minutes_to_do}} for the checkpoints and exercises |
# | **Equations** | (6), (8), (10), (33), (39) to (45), (48) to (52), Algorithm 2, Appendix E |
#
# The paper's text has a few misprints. Tutorials have added slips of their own, and some have been copied for years,
# because code with a wrong gradient runs and often even learns. Here they are, without names, for everybody makes them.
# For each: how one arrives at it, what it does to the numbers, which check finds it, and the right form beside it.

# %%
import numpy as np

import odelearn
from odelearn import checks
from odelearn.checks.known_mistakes import KNOWN_MISTAKES, algorithm2
from odelearn.plotting.course import errata as figures

rng = np.random.default_rng(1)

# %% [markdown]
# ## 1. The judge
#
# To convict a gradient we need one that is beyond doubt. Take a problem with a solution in closed form,
#
# $$\frac{dz}{dt} = f = \theta z \cos t, \qquad z(t) = z_0\, e^{\theta (\sin t - \sin t_0)},$$
#
# a batch of two rows, observed at $t_0 = 0.2$, $t_1 = 0.9$ and $t_2 = 1.7$, and a loss that looks at two of the states:
# $L = \sum_{rows} \bigl( z(t_1)^2 + 3 z(t_2) \bigr)$. No solver is needed to compute $L$. The complex step (notebook
# 01) gives all of its derivatives to 16 digits, those with respect to the times included.


# %%
def true_states(z0, ts, theta):
    return np.stack([z0 * np.exp(theta[0] * (np.sin(t) - np.sin(ts[0]))) for t in ts])


def loss(zs):
    return np.sum(zs[1] ** 2) + 3 * np.sum(zs[2])


z0, ts, theta = np.array([[1.3], [0.8]]), np.array([0.2, 0.9, 1.7]), np.array([0.7])
true_z0 = odelearn.complex_step(lambda z0: loss(true_states(z0, ts, theta)), z0)
true_ts = odelearn.complex_step(lambda ts: loss(true_states(z0, ts, theta)), ts)
true_theta = odelearn.complex_step(lambda theta: loss(true_states(z0, ts, theta)), theta)
print("dL/dz0   ", true_z0.ravel().round(6))
print("dL/dts   ", true_ts.round(6))
print("dL/dtheta", true_theta.round(6))

# %% [markdown]
# ## 2. The right form, and its reason: H = a f
#
# Algorithm 2 solves four things backwards: $z$, the adjoint $a = dL/dz$, and the sums $a_\theta$ and $a_t$.
#
# $$\frac{da}{dt} = -a \frac{\partial f}{\partial z}, \qquad
# \frac{da_\theta}{dt} = -a \frac{\partial f}{\partial \theta}, \qquad
# \frac{da_t}{dt} = -a \frac{\partial f}{\partial t} \qquad (50).$$
#
# Most slips concern the last one, and one idea settles them all: the number $H(t) = a(t)\, f(z(t), t, \theta)$. (In a batch
# it is summed over the rows.) Section 3 of notebook 06 has the argument: $-H$ has the same slope as $a_t$, and with
# $dL/dt_N = H(t_N)$ and $dL/dt_0 = -H(t_0)$
#
# $$a_t = -H \text{ all the way}, \qquad a_t(t_N) = -\frac{dL}{dt_N}.$$
#
# At an observation in between, $a$ jumps by $dL/dz(t_i)$, so $H$ jumps by $dL/dz(t_i)\, f = dL/dt_i$, and $a_t$ jumps by
# minus that.


# %%
f = odelearn.Dynamics(lambda z, t, theta: theta[0] * z * np.cos(t))  # the tape supplies f.vjp
accurate = odelearn.dop853(1e-10, 1e-12)


def back(f, z, a, a_theta, a_t, t, t_before, theta, signs=(-1, -1, -1)):
    """Solve [z, a, a_theta, a_t] from t back to t_before, eq. (50): the trajectory, and a, a_theta, a_t there."""
    n, P = z.size, theta.size

    def aug_dynamics(s, t, _):
        dz, pullback = f.vjp(s[:n].reshape(z.shape), t, theta)
        a_df_dz, a_df_dt, a_df_dtheta = pullback(s[n : 2 * n].reshape(z.shape))
        return np.concatenate([dz.ravel(), signs[0] * a_df_dz.ravel(), signs[1] * a_df_dtheta, [signs[2] * a_df_dt]])

    s = np.concatenate([z.ravel(), a.ravel(), a_theta, [a_t]])
    traj = odelearn.odesolve(s, aug_dynamics, [t, t_before], None, accurate)
    s = traj.zs[-1]
    return traj, s[n : 2 * n].reshape(z.shape), s[2 * n : 2 * n + P], s[-1]


def adjoint(z0, f, ts, theta, a_zs, boundary=-1, signs=(-1, -1, -1)):
    """Algorithm 2: a_z0, a_ts, a_theta, and the trajectories. boundary = -1 and the signs are what the paper has."""
    zs = odelearn.odesolve(z0, f, ts, theta, accurate).zs
    a, a_theta, a_t, a_ts, trajs = a_zs[-1], np.zeros(theta.size), 0.0, np.zeros(len(ts)), []
    for i in reversed(range(1, len(ts))):
        a_ts[i] = np.sum(a_zs[i] * f(zs[i], ts[i], theta))  # dL/dt_i = dL/dz(t_i) f
        a_t = a_t + boundary * a_ts[i]
        traj, a, a_theta, a_t = back(f, zs[i], a, a_theta, a_t, ts[i], ts[i - 1], theta, signs)
        a = a + a_zs[i - 1]
        trajs.append(traj)
    a_ts[0] = a_t
    return a, a_ts, a_theta, trajs


zs = odelearn.odesolve(z0, f, ts, theta, accurate).zs
a_zs = np.stack([np.zeros_like(z0), 2 * zs[1], np.full_like(z0, 3.0)])  # dL/dzs


def verdict(name, a_z0, a_ts, a_theta, *_):
    pairs = (a_z0, true_z0), (a_ts, true_ts), (a_theta, true_theta)
    gaps = [np.max(np.abs(found - true)) / np.max(np.abs(true)) for found, true in pairs]
    words = ["right" if gap < 1e-7 else f"off by {gap:.0%}" for gap in gaps]
    print(f"{name:40}" + "".join(f"{word:>13}" for word in words))


print(f"{'':40}" + "".join(f"{name:>13}" for name in ("dL/dz0", "dL/dts", "dL/dtheta")))
right = adjoint(z0, f, ts, theta, a_zs)
verdict("Algorithm 2", *right)

# %% [markdown]
# ## 3. Four slips in the gradient of the times
#
# **The boundary term dropped.** (52) reads $dL/dt_0 = a_t(t_N) - \int_{t_N}^{t_0} a\, \partial f/\partial t\, dt$ and
# leaves $a_t(t_N)$ open. Two lines above stands $a_\theta(t_N) = 0$, so one takes $a_t(t_N) = 0$ as well.
#
# **The boundary term with the wrong sign.** (48) defines $a_t(t) = dL/dt(t)$, so $a_t(t_N)$ looks like $dL/dt_N$, which
# (52) has just given. Algorithm 2 has the minus: $s_0 = [\dots, -dL/dt_1]$.

# %% [markdown] tags=["predict"]
# **Predict.** All three versions of $a_t$ obey the same differential equation. How will their curves lie to each other,
# from $t_2$ back to $t_0$? By how much will $dL/dt_0$ be off, in terms of the $dL/dt_i$?

# %%
versions, minus_H = [], []
for boundary in -1, 0, +1:  # right, dropped, wrong sign
    trajs = adjoint(z0, f, ts, theta, a_zs, boundary)[-1]
    versions.append([(t := np.linspace(*traj.ts, 60), traj(t)[:, -1]) for traj in trajs])
for traj in right[-1]:
    t = np.linspace(*traj.ts, 12)
    minus_H.append((t, [-np.sum(s[2:4] * f(s[0:2], t_i, theta)) for s, t_i in zip(traj(t), t, strict=True)]))
verdict("boundary term dropped", *adjoint(z0, f, ts, theta, a_zs, boundary=0))
verdict("boundary term with the wrong sign", *adjoint(z0, f, ts, theta, a_zs, boundary=+1))
figures.boundary_terms(versions, minus_H, ts, true_ts[0])

# %% [markdown]
# The curves are parallel, and only one of them is $-H$. In $dL/dt_0$ the sum of all later $dL/dt_i$ is missing once, or
# twice.
#
# The dropped form is not nonsense. It is the derivative of something else:
# $\int_{t_0}^{t_N} a\, \partial f / \partial t\, dt$ says what happens to the loss if *all* times are shifted together,
# and the clock inside $f$ with them. (Exercise 2.) To get the effect of $t_0$ alone, one has to take away what the
# other times contribute. That is the boundary term.
#
# Notice also what the table says: $dL/dz_0$ and $dL/d\theta$ are right. Whoever only trains $\theta$ will never know.
#
# **A stale $f$ in $dL/dt_0$.** Instead of $a_t$ one may use $dL/dt_0 = -a(t_0) f(z(t_0), t_0, \theta)$ directly. An $f$
# is at hand: the one that was needed for $dL/dt_N$ before the way back began. But it belongs to another time.
#
# **$dL/dt_i = -a\, \partial f / \partial t$.** (50) has this expression, and calls the thing on the left $a_t$. But it
# is the *rate* at which $a_t$ changes, not a value. What an observation time does is to move $z(t_i)$ with velocity
# $f$.


# %%
def stale_f(z0, f, ts, theta, a_zs):
    a_z0, a_ts, a_theta, _ = adjoint(z0, f, ts, theta, a_zs)
    f_N = f(zs[-1], ts[-1], theta)
    return a_z0, np.array([-np.sum((a_z0 - a_zs[0]) * f_N), *a_ts[1:]]), a_theta  # a(t_0), before the loss sees z(t_0)


def rate_for_value(z0, f, ts, theta, a_zs):
    a_z0, a_ts, a_theta, _ = adjoint(z0, f, ts, theta, a_zs)
    for i in 1, 2:
        _, pullback = f.vjp(zs[i], ts[i], theta)
        a_ts[i] = -pullback(a_zs[i])[1]  # -a df/dt
    return a_z0, a_ts, a_theta


for name, version in ("stale f in dL/dt_0", stale_f), ("dL/dt_i = -a df/dt", rate_for_value):
    found = version(z0, f, ts, theta, a_zs)
    verdict(name, *found)
    print(f"    dL/dts = {found[1].round(3)}, should be {true_ts.round(3)}")

# %% [markdown]
# A quick test by thought for the last one: if $f$ does not depend on $t$, then $\partial f / \partial t = 0$, and it
# would not matter at all when we observe. It does.

# %% [markdown] tags=["checkpoint"]
# **Checkpoint.** This adjoint has the boundary term of $t_N$, but one line is missing: look at what happens at the
# observation in between. Change the marked line until the check passes. (It tries your function on a network of its
# own, in both directions of time.)

# %% tags=["checkpoint"]


def my_adjoint(z0, f, ts, theta, a_zs):
    zs = odelearn.odesolve(z0, f, ts, theta, accurate).zs
    dL_dt = lambda i: np.sum(a_zs[i] * f(zs[i], ts[i], theta))
    a, a_theta, a_t, a_ts = a_zs[-1], np.zeros(theta.size), -dL_dt(-1), np.zeros(len(ts))
    for i in reversed(range(1, len(ts))):
        a_ts[i] = dL_dt(i)
        _, a, a_theta, a_t = back(f, zs[i], a, a_theta, a_t, ts[i], ts[i - 1], theta)
        a = a + a_zs[i - 1]
        a_t = a_t + 0.0  # <- yours
    a_ts[0] = a_t
    return a, a_ts, a_theta


checks.check_adjoint(my_adjoint)

# %% [markdown] tags=["solution"]
# <details><summary><b>Answer</b></summary>
#
# Where $a$ jumps by $dL/dz(t_i)$, $H = a f$ jumps by $dL/dt_i$, and $a_t = -H$ by minus that. Not at $t_0$, however:
# after the last interval $a_t$ has arrived, and what the loss sees at $t_0$ itself is $z_0$, which does not move with
# $t_0$.
#
# ```python
# def my_adjoint(z0, f, ts, theta, a_zs):
#     zs = odelearn.odesolve(z0, f, ts, theta, accurate).zs
#     dL_dt = lambda i: np.sum(a_zs[i] * f(zs[i], ts[i], theta))
#     a, a_theta, a_t, a_ts = a_zs[-1], np.zeros(theta.size), -dL_dt(-1), np.zeros(len(ts))
#     for i in reversed(range(1, len(ts))):
#         a_ts[i] = dL_dt(i)
#         _, a, a_theta, a_t = back(f, zs[i], a, a_theta, a_t, ts[i], ts[i - 1], theta)
#         a = a + a_zs[i - 1]
#         a_t = a_t - dL_dt(i - 1) if i > 1 else a_t
#     a_ts[0] = a_t
#     return a, a_ts, a_theta
#
#
# assert checks.check_adjoint(my_adjoint)
# ```
#
# </details>

# %% [markdown]
# ## 4. Flipped signs
#
# "We run backwards in time, so the minus becomes a plus." It sounds right, and is found in many forms. But the sign of
# the direction is already in the step: from $t_N$ to $t_0$ every $h$ is negative, and $s + h\, ds/dt$ goes back by
# itself. The equations (50) hold in *time*, whichever way one walks along it. (Who reverses time by a substitution
# $\tau = -t$ must flip **all** signs, that of $f$ included, and solve with positive steps.)

# %%
for name, signs in (
    ("sign of da/dt", (+1, -1, -1)),
    ("sign of da_theta/dt", (-1, +1, -1)),
    ("sign of da_t/dt", (-1, -1, +1)),
    ("all three", (+1, +1, +1)),
):
    verdict(name, *adjoint(z0, f, ts, theta, a_zs, signs=signs))

# %% [markdown]
# ## 5. One step too many
#
# `while t >= t0: t = t - h` and `np.arange(t1, t0 - h, -h)` make one step more than there is room for. The solve ends
# at $t_0 - h$. So does the adjoint, by and large: the gradient is off by something of the size of $h$.

# %% [markdown] tags=["predict"]
# **Predict.** We plot the error of $dL/d\theta$ over the number of steps $n$, for Euler and for RK4, once with $n$
# steps in each interval and once with $n + 1$ of the same length. Which slopes will the four curves have? Will you be
# able to tell the wrong Euler from the right one?


# %%
def fixed_step_a_theta(step, n, extra):
    """dL/dtheta by Algorithm 2 with n + extra steps of length 1/n of each interval."""
    a, a_theta = a_zs[-1].ravel(), 0.0

    def rhs(s, t):  # s = [z, a, a_theta], written out for this f: two rows
        z, a, cos = s[0:2], s[2:4], np.cos(t)
        return np.concatenate([theta[0] * z * cos, -theta[0] * a * cos, [-np.sum(a * z) * cos]])

    for i in 2, 1:
        z_i, h = true_states(z0, ts, theta)[i], (ts[i - 1] - ts[i]) / n
        s = np.concatenate([z_i.ravel(), a, [a_theta]])
        for j in range(n + extra):
            s = step(rhs, s, ts[i] + j * h, h)
        a, a_theta = s[2:4] + a_zs[i - 1].ravel(), s[4]
    return a_theta


def euler_step(g, s, t, h):
    return s + h * g(s, t)


def rk4_step(g, s, t, h):
    k1 = g(s, t)
    k2 = g(s + h / 2 * k1, t + h / 2)
    k3 = g(s + h / 2 * k2, t + h / 2)
    return s + h / 6 * (k1 + 2 * k2 + 2 * k3 + g(s + h * k3, t + h))


ns, errors = np.array([10, 20, 40, 80]), {}
for name, step in ("RK4", rk4_step), ("Euler", euler_step):
    for extra in 0, 1:
        errors[name, extra] = [abs(fixed_step_a_theta(step, n, extra) - true_theta[0]) for n in ns]
for extra in 0, 1:
    gap = errors["RK4", extra][-1] / abs(true_theta[0])
    print(f"RK4, {ns[-1]} steps{' and one more' * extra}: dL/dtheta {'right' if gap < 1e-7 else f'off by {gap:.0%}'}")
order = {which: odelearn.observed_order(points[-2:]) for which, points in errors.items()}
print(", ".join(f"{name} with n{'+1' * extra}: order {p:.1f}" for (name, extra), p in order.items()))
figures.one_too_many(ns, errors)

# %% [markdown]
# The judge catches it, and RK4 gives it away: its order falls from {{order["RK4", 0]:.1f}} to {{order["RK4", 1]:.1f}}.
# Euler hides it, since its own error is of the size of $h$ as well. Its two curves have the slopes
# {{order["Euler", 0]:.1f}} and {{order["Euler", 1]:.1f}} and lie close together. What finds it at once is a *clock*:
# solve $dz/dt = 1$, and see what time it is at the end.


# %%
def one_too_many(z0, f, ts, theta, n=20):
    zs = [z0]
    for t, t_next in zip(ts[:-1], ts[1:], strict=True):
        z, h = zs[-1], (t_next - t) / n
        for tau in np.linspace(t, t_next, n + 1):
            z = z + h * f(z, tau, theta)
        zs.append(z)
    return np.stack(zs)


print(checks.check_solver(one_too_many))
overlong = lambda *problem: algorithm2(*problem, past=1 / 20)  # the adjoint, each interval too long by 1 step of 20
print(checks.check_adjoint(overlong))

# %% [markdown]
# `np.linspace(t, t_next, n + 1)` has $n + 1$ points: $n$ steps lead from the first to the last, but the loop steps from
# the last one, too. The right form is `np.linspace(t, t_next, n + 1)[:-1]`, the $n$ times at which a step *begins*. The
# last line of the output is a gradient check: it has been told nothing of steps, and finds the slip in the gradients.

# %% [markdown]
# ## 6. A mean that nobody asked for
#
# The parameters are shared by all rows of a batch, so by the chain rule $dL/d\theta$ is the **sum** over the rows. In
# code where everything else has a leading batch axis, $a_\theta$ has none, and an average sneaks in to make it
# disappear.

# %%
verdict("a_theta divided by the batch", right[0], right[1], right[2] / len(z0))
report = odelearn.check_gradient(
    lambda x: loss(true_states(z0, ts, x["theta"])), {"theta": right[2] / len(z0)}, {"theta": theta}
)
print(report.diagnosis)

# %% [markdown]
# If the *loss* is a mean, the factor $1/B$ is already in $a = dL/dz$, and the sum is still right. Why does nobody
# notice? Because Adam divides each component of the gradient by its own size. A constant factor changes nothing, not even
# a factor of its own for each component. Here two optimisers go downhill on $|x - x_*|^2 + |x|^2 / 2$, whose second term
# stands for weight decay. The gradient of the whole is halved, or of one component, or of the first term alone.

# %%
goal = np.array([1.0, -2.0])


def descended(opt, factor, of_decay):
    x = np.zeros(2)
    for _ in range(60):
        x = opt.step(x, factor * 2 * (x - goal) + of_decay * x)
    return x


print(f"{'':28}{'Adam':>20}{'SGD':>20}")
for name, factors in {
    "right": (1, 1),
    "all halved": (1 / 2, 1 / 2),
    "one component halved": (np.array([1 / 2, 1]), np.array([1 / 2, 1])),
    "the first term alone halved": (1 / 2, 1),
}.items():
    ends = [descended(opt, *factors).round(3) for opt in (odelearn.Adam(lr=0.02), odelearn.SGD(lr=0.01))]
    print(f"{name:28}" + "".join(f"{str(end):>20}" for end in ends))

# %% [markdown]
# With plain gradient descent the factor is a smaller step, and after the same number of steps one has not come as far. With
# Adam it is not seen at all, until something else is added to the gradient that does not carry the factor: weight decay,
# or a second loss. (A threshold for clipping is of that kind, too.)

# %% [markdown]
# ## 7. The paper's text
#
# **(10) has lost a minus, and (33) a letter.** Draw $z(t_0)$ at random, with a density $p$ (the share of samples that
# fall into a small box, divided by its size), and let it move along $dz/dt = f$. By (8) the density around it changes
# like
#
# $$\frac{d \log p(z(t))}{dt} = -\mathrm{tr}\, \frac{\partial f}{\partial z}
# = -\sum_i \frac{\partial f_i}{\partial z_i},$$
#
# because where the flow spreads out, the density falls. (9) and (32) say so. (10), the same for a sum of fields, is
# printed without the minus, and (33), the same beside $z$ as one vector, is printed with $\partial f_i / \partial t$ in
# the place of $\partial f_i / \partial z_i$. The judge is the ordinary change of variables (6) for the whole flow,
#
# $$\log p(z(t_1)) = \log p(z(t_0)) - \log \left\lvert \det \frac{\partial z(t_1)}{\partial z(t_0)} \right\rvert :$$
#
# a small box grows by the determinant, and the density in it falls by as much. The Jacobian comes from the complex
# step.

# %%
M = 3  # hidden units; f(z) = sum_m u_m tanh(w_m z + b_m), each row of z one sample
U, W, b = (
    np.array([[1.0, 0.5], [-0.4, 1.2], [0.3, -0.6]]),
    np.array([[1.5, 0.2], [0.3, 1.0], [-0.8, 0.7]]),
    np.array([0.1, -0.4, 0.6]),
)


def planar(z):
    return np.tanh(z @ W.T + b) @ U


def trace(z):
    return np.sum((1 - np.tanh(z @ W.T + b) ** 2) * np.sum(U * W, axis=1))


def change_of_log_p(rate, z):
    """Solve z' = f(z), (log p)' = rate(z) over one unit of time: the change of log p."""
    both = lambda s, t, theta: np.append(planar(s[:2]), rate(s[:2]))
    return odelearn.odesolve(np.append(z, 0.0), both, [0.0, 1.0], None, accurate).zs[-1, 2]


z_start = np.array([0.4, -0.3])
flow = lambda z: odelearn.odesolve(z, lambda z, t, theta: planar(z), [0.0, 1.0], None, accurate).zs[-1]
columns = [np.imag(flow(z_start + 1e-20j * e)) / 1e-20 for e in np.eye(2)]
print(f"(6), the judge: -log|det|      {-np.log(abs(np.linalg.det(columns))):9.6f}")
print(f"(8): -tr df/dz                 {change_of_log_p(lambda z: -trace(z), z_start):9.6f}")
print(f"(10) as printed: +tr df/dz     {change_of_log_p(trace, z_start):9.6f}")
print(f"(33) as printed: -sum df_i/dt  {change_of_log_p(lambda z: 0.0, z_start):9.6f}   (this f does not depend on t)")

# %% [markdown]
# **(39) to (45) look to one side only.** The proof takes the limit $\varepsilon \to 0^+$, from the right. And it
# expands $T_\varepsilon$, which needs $f$ to be continuously differentiable in $z$; the Lipschitz condition that the
# paper states for existence is not enough. With $\mathrm{relu}(z) = \max(z, 0)$ one can see the difference. Take
# $dz/dt = 1 + \mathrm{relu}(z)$ from $z(0) = -1$: it reaches the kink at $t = 1$.

# %%
a_at = lambda t: np.exp(1.0) if t < 1 else np.exp(2.0 - t)  # a(t) = dL/dz(t) for L = z(2): the growth still to come
for eps in 1e-1, 1e-2, 1e-3:
    from_right, from_left = (a_at(1 + eps) - a_at(1)) / eps, (a_at(1) - a_at(1 - eps)) / eps
    print(f"eps = {eps:g}: quotient from the right {from_right:7.4f}, from the left {from_left:.4f}")
print(f"-a(1) df/dz is {-a_at(1):.4f} with relu' = 1, and 0 with relu' = 0")

# %% [markdown]
# At the kink $da/dt$ does not exist, although (39) finds a limit. It does no harm, because the solution passes the kink
# in an instant: $a$ itself is continuous, and the integral (46) does not feel one point. It does harm when the solution
# *stays* there. For $dz/dt = \mathrm{relu}(z)$ from $z(0) = 0$, the state at $t = 1$ grows by $e$ for each unit
# that $z(0)$ is raised, and by 1 for each that it is lowered. There is no gradient; each library has its own opinion.
#
# **(52) does not say what $a_t(t_N)$ is.** See section 2. Algorithm 2, a page later, is right.
#
# **About half as many evaluations backward as forward**, Figure 3c, is an observation with one solver on one problem,
# and no law. Notebook 08 measures it.

# %% [markdown]
# ## 8. Plus KL
#
# A latent ODE explains what was observed, $x$, by a state $z$ that was not. A *prior* density $p(z)$ says which $z$ are
# likely beforehand, and $p(x \mid z)$ how likely $x$ is, given $z$. The *evidence* $\log p(x)$, with
# $p(x) = \int p(x \mid z)\, p(z)\, dz$, would be the thing to maximise, but nobody can do the integral. So an encoder
# proposes a density $q(z)$, and one maximises a lower bound (Appendix E). Write $\mathbb{E}_q$ for the mean over $z$
# drawn from $q$, and $\text{KL}(q \parallel p) = \mathbb{E}_q [\log q(z) - \log p(z)]$, which is never negative and is
# zero only for $q = p$. Then the bound is
#
# $$\text{ELBO} = \mathbb{E}_q \bigl[ \log p(x \mid z) + \log p(z) - \log q(z) \bigr]
# = \mathbb{E}_q \log p(x \mid z) - \text{KL}(q \parallel p) \;\le\; \log p(x).$$
#
# The last minus is easily lost: some copies of Appendix E read $\dots + \log p(z_{t_0})\ \log q(\dots)$. And since one
# *minimises* a loss, the sign has to be turned once, and is sometimes turned twice: a loss of
# $-\log p(x|z) - \text{KL}$ is the same as adding KL to the bound.
#
# Our example can be solved on paper. $N(\mu, \sigma^2)$ is the normal density with mean $\mu$ and variance $\sigma^2$.
# Let the prior be $N(0, 1)$, and let $x$ be $z$ with noise, $p(x \mid z) = N(z, s^2)$. Then $x$ has the density
# $N(0, 1 + s^2)$, and the best $q = N(\mu, \sigma^2)$ is the *posterior*, the density of $z$ when $x$ is known, with
# $\mu = x / (1 + s^2)$ and $\sigma^2 = s^2 / (1 + s^2)$. There the bound is tight: it equals the evidence. For normal
# densities both parts of the bound are sums of squares and logarithms, which the cell writes out.

# %%
x, s = 1.2, 0.5
log_evidence = -0.5 * np.log(2 * np.pi * (1 + s**2)) - x**2 / (2 * (1 + s**2))
posterior = np.array([x / (1 + s**2), 0.5 * np.log(s**2 / (1 + s**2))])  # mu, log sigma


def elbo(q, sign=-1):
    mu, log_sigma = q
    expected = -0.5 * np.log(2 * np.pi * s**2) - ((x - mu) ** 2 + np.exp(2 * log_sigma)) / (2 * s**2)
    KL = 0.5 * (mu**2 + np.exp(2 * log_sigma) - 1) - log_sigma
    return expected + sign * KL


# %% [markdown] tags=["predict"]
# **Predict.** We take the gradient of both versions by the complex step, and check it. Will the gradient check find the
# wrong sign? What will the gradient be at the true posterior?

# %%
for name, sign in ("minus KL", -1), ("plus KL", +1):
    g = odelearn.complex_step(lambda q, sign=sign: elbo(q, sign), posterior)
    passed = odelearn.check_gradient(lambda q, sign=sign: elbo(q, sign), g, posterior).passed
    print(f"{name:9} gradient check passed: {passed}   gradient at the posterior: {g.round(6) + 0.0}")

sigma = np.geomspace(0.002, 2, 200)
minus_KL, plus_KL = ([elbo((posterior[0], np.log(value)), sign) for value in sigma] for sign in (-1, +1))
figures.evidence_bound(sigma, minus_KL, plus_KL, log_evidence, np.exp(posterior[1]))

# %% [markdown]
# This is the one slip that a gradient check cannot find by itself. The gradient is right; it is the gradient of the
# wrong function. What finds it is a point where the gradient is *known*: at the true posterior it must be zero. And the
# name: a lower bound that climbs above what it bounds is none. With plus KL the optimiser makes $\sigma$ ever smaller,
# and the "bound" grows without end.

# %% [markdown] tags=["break-it"]
# ## 9. Break it: which test is blind to which slip?
#
# Three kinds of slip are still missing, and need only a sentence each.
#
# - *Dropped jump.* At an observation the loss looks at $z(t_i)$ directly, and $a$ must jump by $dL/dz(t_i)$. The line is
#   forgotten at $t_0$, or at the observations in between, or altogether: then only the loss at $t_N$ reaches the adjoint.
# - *Stale time.* $f$ is asked at the $t$ where the interval begins, all the way through the interval.
# - *$a_\theta$ forgotten.* It starts from zero in each interval, so that only the interval next to $t_0$ counts.
#
# `odelearn.checks.known_mistakes` has Algorithm 2 with a switch for each slip. Here they all run on a small network
# with a batch of three, and four tests look at the result: one that compares only $dL/d\theta$; one where $f$ does not
# depend on $t$; one where the loss looks at the last state only; and `checks.check_adjoint`, where everything is
# compared, $f$ depends on $t$, and the loss looks at every state. **Before you run the cell:** which of the slips would
# get past the first three?

# %% tags=["break-it"]
with_time, without_time = odelearn.MLP([2, 3, 2], time="concat"), odelearn.MLP([2, 3, 2])
batch, at_all, rows_zs = rng.normal(size=(3, 2)), rng.normal(size=(3, 3, 2)), np.array([0.2, 0.9, 1.7])
at_last = at_all * np.array([0.0, 0.0, 1.0])[:, None, None]


def caught(f, a_zs, items, switches):
    problem = batch, f, rows_zs, np.sin(np.arange(1.0, f.size + 1)), a_zs
    pairs = zip(algorithm2(*problem, **switches), algorithm2(*problem), strict=True)
    gaps = [np.max(np.abs(found - true)) / np.max(np.abs(true)) for found, true in pairs]
    return "caught" if max(gaps[i] for i in items) > 1e-3 else "."


print(f"{'':40}{'dL/dtheta':>10}{'no t in f':>11}{'last state':>12}   check_adjoint")
for name, (switches, _) in KNOWN_MISTAKES.items():
    row = caught(with_time, at_all, [2], switches), caught(without_time, at_all, [0, 1, 2], switches)
    row += (caught(with_time, at_last, [0, 1, 2], switches),)
    says = checks.check_adjoint(lambda *problem, switches=switches: algorithm2(*problem, **switches))
    named = "." if says else "names it" if says.mistakes[0].startswith(name) else "caught"
    print(f"{name:40}{row[0]:>10}{row[1]:>11}{row[2]:>12}   {named}")

# %% [markdown]
# Each column with a dot is a test that somebody trusted. A loss that looks at the last state only, for example, cannot
# see that a jump is dropped: $a$ has none to make. Take a problem where **nothing is zero**: an $f$ that depends
# on $t$, a loss that sees every state, a batch, and all three gradients compared.

# %% [markdown] tags=["agree"]
# ## 10. Ours and the library's

# %% tags=["agree"]
_, pullback = odelearn.Backsolve().vjp(z0, f, ts, theta, accurate)
g = pullback(a_zs)
for ours, library, true in zip(right, (g.z0, g.ts, g.theta), (true_z0, true_ts, true_theta), strict=False):
    assert np.allclose(ours, true, rtol=1e-8) and np.allclose(library, true, rtol=1e-8)

versions = {
    "boundary term dropped": adjoint(z0, f, ts, theta, a_zs, boundary=0),
    "boundary term with the wrong sign": adjoint(z0, f, ts, theta, a_zs, boundary=+1),
    "stale f in dL/dt_0": stale_f(z0, f, ts, theta, a_zs),
    "dL/dt_i = -a df/dt": rate_for_value(z0, f, ts, theta, a_zs),
    "sign of da/dt": adjoint(z0, f, ts, theta, a_zs, signs=(+1, -1, -1)),
    "sign of a_theta": adjoint(z0, f, ts, theta, a_zs, signs=(-1, +1, -1)),
    "sign of a_t": adjoint(z0, f, ts, theta, a_zs, signs=(-1, -1, +1)),
    "averaged over the batch": (right[0], right[1], right[2] / 2),
}
for name, ours in versions.items():
    library = algorithm2(z0, f, ts, theta, a_zs, solver=accurate, **KNOWN_MISTAKES[name][0])
    assert all(np.allclose(x, y, rtol=1e-7) for x, y in zip(ours, library, strict=False)), name
print("all agree, in what is right and in what is wrong")

# %% [markdown] tags=["pay-off"]
# ## 11. What it is good for: when did it start?
#
# What we observe began at $t_0$, from a known $z_0$; but when? The states at $t_1$ and $t_2$ were measured, with a noise of
# 0.2. The descent follows $-dL/dt_0$, with the boundary term and without it.

# %% tags=["pay-off"]
seen = true_states(z0, ts, theta) + 0.2 * rng.normal(size=(3, 2, 1))


def gap(t_start):
    """z - seen at the three times; nothing is observed at t_0."""
    return (true_states(z0, np.array([t_start, *ts[1:]]), theta) - seen) * np.array([0, 1, 1])[:, None, None]


def find_start(boundary, t_start=0.5):
    for _ in range(40):
        times = np.array([t_start, *ts[1:]])
        t_start = t_start - 0.05 * adjoint(z0, f, times, theta, gap(t_start), boundary)[1][0]
    return t_start


starts = {boundary: find_start(boundary) for boundary in (-1, 0)}
slopes = {b: odelearn.complex_step(lambda t: 0.5 * np.sum(gap(t) ** 2), start) for b, start in starts.items()}
print(f"true t_0 = {ts[0]}")
for boundary, name in (-1, "with the boundary term"), (0, "without it"):
    print(f"{name:23} ends at {starts[boundary]:.4f}, where the slope of the loss is {slopes[boundary]:.1e}")

# %% [markdown] tags=["pay-off"]
# With the right form the descent ends where the loss is least: at {{starts[-1]:.2f}}, as near to the truth as the noise lets
# it come. Without the boundary term it ends at {{starts[0]:.2f}}, where the loss still has a slope of
# {{abs(slopes[0]):.2f}}. No error message tells.

# %% [markdown] tags=["exercise"]
# ## Exercises
#
# **1 (fill in).** Here is a test of $dL/dts$ that needs no judge. If $f$ does not depend on $t$, then shifting *all*
# times by the same amount cannot change the loss. So some simple number made of $dL/dts$ must be zero. Write it, and
# see which slips it finds. The first line is Algorithm 2 without a slip: there it must find nothing.

# %% tags=["exercise"]


def must_be_zero(a_ts):
    return 0.0  # yours


weights = np.sin(np.arange(1.0, without_time.size + 1))
all_a_zs = [at_all, *np.random.default_rng(5).normal(size=(2, 3, 3, 2))]  # three losses, so that chance finds nothing
algorithms = {"no slip": {}} | {name: switches for name, (switches, _) in KNOWN_MISTAKES.items()}
dL_dts = {
    name: [algorithm2(batch, without_time, rows_zs, weights, a_zs, **switches)[1] for a_zs in all_a_zs]
    for name, switches in algorithms.items()
}


def finds(test):
    """The names of the algorithms for which the number is not zero."""
    return [name for name, tries in dL_dts.items() if any(abs(test(a_ts)) > 1e-3 * max(abs(a_ts)) for a_ts in tries)]


found = finds(must_be_zero)
for name in dL_dts:
    print(f"{name:40}{'found' if name in found else '.'}")
if "no slip" in found:
    print("not yet: your number is not zero for the right algorithm")
else:
    print("passed" if found else "not yet: your number is zero whatever the slip")

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# By the chain rule the derivative with respect to a common shift is $\sum_i dL/dt_i$. It finds {{len(found)}} of the
# {{len(KNOWN_MISTAKES)}} slips, without any reference: the dropped boundary term, the wrong sign of it, the stale $f$ and $-a\,
# \partial f / \partial t$ among them. It cannot find what an $f$ without $t$ hides, and says nothing of $\theta$.
#
# Do not judge a test by what it finds. `a_ts[0]` is away from zero for {{len(finds(lambda a_ts: a_ts[0])) - 1}} of the
# slips, and for the right algorithm, too.
#
# ```python
# def must_be_zero(a_ts):
#     return np.sum(a_ts)
#
#
# found = set(finds(must_be_zero))
# assert {"boundary term dropped", "boundary term with the wrong sign", "stale f in dL/dt_0"} <= found
# assert "dL/dt_i = -a df/dt" in found
# assert not found & {"no slip", "sign of a_theta", "averaged over the batch", "stale time", "sign of a_t"}
# assert "no slip" in finds(lambda a_ts: a_ts[0])
# ```
#
# </details>

# %% [markdown] tags=["exercise"]
# **2 (derive).** Section 3 claims that with the boundary term dropped, $a_t$ arrives at the derivative of $L$ with
# respect to a common shift of all times. Prove it, from $a_t + H = \text{const}$ between observations. What does
# $\sum_i dL/dt_i$ become when $f$ does depend on $t$?

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# The dropped version starts at 0, makes no jumps, and obeys the same equation. The right one starts at $-dL/dt_N$ and
# makes the jumps $-dL/dt_i$. Their difference is constant between observations, and in the end it is
# $\sum_{i \ge 1} dL/dt_i$. So the dropped version arrives at $dL/dt_0 + \sum_{i \ge 1} dL/dt_i$, the derivative with
# respect to a common shift. Since it is also $-\int_{t_N}^{t_0} a\, \partial f / \partial t\, dt$, we have in general
# $\sum_i dL/dt_i = \int_{t_0}^{t_N} a\, \partial f / \partial t\, dt$: the effect of the clock inside $f$.
#
# ```python
# dropped = adjoint(z0, f, ts, theta, a_zs, boundary=0)[1][0]
# assert np.isclose(dropped, true_ts.sum(), rtol=1e-8)
# shifted = odelearn.complex_step(lambda c: loss(true_states(z0, ts + c, theta)), 0.0)
# assert np.isclose(dropped, shifted, rtol=1e-8)
# ```
#
# </details>

# %% [markdown] tags=["exercise"]
# **3 (explore).** Does a wrong gradient learn? The cell fits $\theta$ by gradient descent to data made with
# $\theta = 0.5$, once without noise and once with it, by the right gradient and with two of the slips. What do you see,
# and why? (Hint: what is $a$ when the fit is perfect?)

# %% tags=["exercise"]
noise = rng.normal(size=(3, 2, 1))


def descend(target, theta, switches, rate=0.04, steps=60):
    for _ in range(steps):
        zs = true_states(z0, ts, theta)
        _, _, a_theta = algorithm2(z0, f, ts, theta, 2 * (zs - target), solver=odelearn.rk4(n=4), **switches)
        theta = theta - rate * a_theta
    return theta[0]


for name in "right", "stale time", "averaged over the batch":
    switches = {} if name == "right" else KNOWN_MISTAKES[name][0]
    clean = true_states(z0, ts, np.array([0.5]))
    fits = [descend(target, np.array([0.2]), switches) for target in (clean, clean + noise)]
    print(f"{name:25} without noise {fits[0]:.4f}   with noise {fits[1]:.4f}")

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# Without noise the fit becomes perfect. Then $dL/dz(t_i) = 0$, so $a = 0$, and *every* version of the gradient is zero
# at the truth, since all are linear in $a$. As long as it points roughly downhill, a wrong gradient gets there, and a
# loss curve will never tell. With noise the residuals stay, and the stale gradient vanishes at another $\theta$ than
# the right one. The mean over the batch only changes the speed: its zeros are those of the sum.
#
# ```python
# right_fit, stale_fit, mean_fit = (
#     descend(clean + noise, np.array([0.2]), switches, steps=100)
#     for switches in ({}, KNOWN_MISTAKES["stale time"][0], KNOWN_MISTAKES["averaged over the batch"][0])
# )
# assert np.isclose(right_fit, mean_fit, rtol=1e-3)
# assert abs(stale_fit - right_fit) > 1e-3
# stale_clean = descend(clean, np.array([0.2]), KNOWN_MISTAKES["stale time"][0], steps=100)
# assert np.isclose(stale_clean, 0.5, atol=1e-4)
# ```
#
# </details>

# %% [markdown] tags=["summary"]
# ## Summary
#
# | slip | right form | found by | in odelearn |
# |---|---|---|---|
# | $a_t(t_N) = 0$ or $+dL/dt_N$ | $a_t(t_N) = -dL/dt_N$, since $a_t = -H$ | comparing $dL/dt_0$; $\sum_i dL/dt_i = 0$ without $t$ in $f$ | `gradients.backsolve.Backsolve` |
# | stale $f$ at $t_0$ | $dL/dt_0 = -a(t_0) f(z(t_0), t_0, \theta)$ | the same | `gradients.backsolve.Backsolve` |
# | $dL/dt_i = -a\, \partial f/\partial t$ | $dL/dt_i = dL/dz(t_i)\, f$, (52) | the same | `gradients.backsolve.Backsolve` |
# | flipped signs in (50) | $-a\, \partial f/\partial \cdot$ in either direction; $h$ has the sign | comparing all three | `gradients.appendix_b.da_aug_dt` |
# | one step too many | $n$ steps of $(t_{i+1} - t_i)/n$ | a clock, $dz/dt = 1$; the order of RK4 | `checks.check_solver`, `checks.check_adjoint` |
# | dropped jumps | $a + dL/dz(t_i)$ at every observation | a loss that looks at every state | `gradients.backsolve.Backsolve` |
# | $a_\theta$ divided by the batch | a sum over rows | factor $1/B$ in `check_gradient` | `gradients.backsolve.Backsolve` |
# | (10), (33) | $d \log p/dt = -\sum_i \partial f_i/\partial z_i$, (8) | $\lvert\det\rvert$ of the flow, (6) | |
# | plus KL | ELBO $= \mathbb{E} \log p(x \mid z) - \text{KL}$ | the gradient at a known posterior | |
#
# All of them: `checks.known_mistakes.KNOWN_MISTAKES`; the check that names them: `checks.check_adjoint`.
#
# - One number explains the time gradients: $H = a f$, $dH/dt = a\, \partial f/\partial t$, $dL/dt_N = +H(t_N)$,
#   $dL/dt_0 = -H(t_0)$.
# - Most slips leave $dL/d\theta$ right, or right up to a factor. Training does not test a gradient.
# - Test where nothing is zero: $t$ in $f$, several observations, a batch.
#
# **Sources.** R. T. Q. Chen et al., *Neural Ordinary Differential Equations* (2018), arXiv 1806.07366, section 4 and
# Appendices A, B, C, E. L. S. Pontryagin et al., *The Mathematical Theory of Optimal Processes* (1962), for $H$. D. P.
# Kingma, M. Welling, *Auto-Encoding Variational Bayes* (2014), for the bound.
