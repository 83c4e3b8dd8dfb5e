# %% [markdown] tags=["header"]
# # 03 From Euler to Dormand-Prince
#
# | | |
# |---|---|
# | **You will be able to** | solve a differential equation by Euler's polygons, by any Runge-Kutta tableau, and by steps that choose their own length; prove the order of a method, observe it, and tell when a method is unstable |
# | **You need** | derivatives, Taylor's formula, matrices, NumPy; notebook 01 for the checks. No differential equations |
# | **Time** | {{minutes_to_read}} minutes to read, {{minutes_to_do}} for the checkpoints and exercises |
# | **Equations** | (1), (2) and (3): residual step, its limit, ODESolve; Figure 1 of the paper |
#
# A Neural ODE replaces the layers of a network by an ODE solver. So before we differentiate a solver we build one. It
# starts as three lines of Euler, and ends as the method that most libraries use by default, with each claim measured on
# the way.

# %%
import numpy as np

import odelearn
from odelearn import checks
from odelearn.plotting.course import solvers as figures
from odelearn.plotting.slider import slide

# %% [markdown]
# ## 1. An equation for a slope
#
# A *differential equation* says how fast something changes, given where it is:
#
# $$\frac{dz}{dt} = f(z, t, \theta), \qquad z(t_0) = z_0.$$
#
# Here $t$ is time, $z$ the *state* (a number or an array), $\theta$ are parameters, and $f$ is a function that we know.
# In a Neural ODE it is a network. What we look for is the curve $z(t)$ that starts at $z_0$ and has the slope
# $f(z(t), t, \theta)$ wherever it passes. Integrating both sides gives the equation (3) of the paper,
#
# $$z(t_1) = z(t_0) + \int_{t_0}^{t_1} f(z(t), t, \theta)\, dt = \text{ODESolve}(z(t_0), f, t_0, t_1, \theta).$$
#
# The integral does not solve anything yet, because the unknown $z(t)$ stands inside it.
#
# Our first example has $f = \theta z \cos t$. Its solution is $z(t) = z_0\, e^{\theta (\sin t - \sin t_0)}$.
# (Differentiate it, and see.) That makes it good for tests.


# %%
def f(z, t, theta):
    return theta[0] * z * np.cos(t)


def exact(t):
    return z0 * np.exp(theta[0] * (np.sin(t) - np.sin(t0)))


z0, t0, t1, theta = np.array([1.0]), 0.0, 5.0, np.array([1.0])

# %% [markdown]
# Draw a little line of slope $f(z, t, \theta)$ at many points $(t, z)$: a *direction field*. A solution is a curve that
# follows the lines. Euler's method (1768) follows them in the simplest way: go straight on in the present direction for
# a time $h$, the *step*, then look again.
#
# $$z_{next} = z + h\, f(z, t, \theta)$$


# %%
def euler_step(f, z, t, h, theta):
    return z + h * f(z, t, theta)


def solve(step, f, z0, t0, t1, n, theta):
    """n equal steps from t0 to t1: the times, and the states there."""
    h, ts, zs = (t1 - t0) / n, [t0], [z0]
    for i in range(n):
        zs.append(step(f, zs[-1], ts[-1], h, theta))
        ts.append(t0 + (i + 1) * h)
    return np.array(ts), np.array(zs)


fine = np.linspace(t0, t1, 200)
paths = {f"{n} steps": solve(euler_step, f, z0, t0, t1, n, theta) for n in (5, 10, 40)}
figures.polygons(lambda z, t: f(z, t, theta), (fine, exact(fine)), paths)

# %% [markdown] tags=["predict"]
# **Predict.** With 10 steps Euler's polygon ends
# {{abs(paths["10 steps"][1][-1] - exact(t1))[0]:.1f}} away from the truth. How many steps will it take until 6 digits
# are right?

# %%
for n in 10, 100, 1000, 10_000:
    ts, zs = solve(euler_step, f, z0, t0, t1, n, theta)
    print(f"{n:6} steps: error at the end {abs(zs[-1] - exact(t1))[0]:.1e}")

# %% [markdown]
# Ten times the steps, a tenth of the error. The *order* of Euler's method is 1. If that goes on, an error of $10^{-6}$
# takes {{n * abs(zs[-1] - exact(t1))[0]:.1f}} million steps.
#
# Where does that come from? By Taylor, one step of the exact solution is
# $z(t + h) = z + h f + \tfrac12 h^2 z'' + \dots$, so Euler drops $\tfrac12 h^2 z''$ in each step. There are
# $(t_1 - t_0) / h$ steps, and what is left at the end is of the size of $h$.

# %%
hs = (t1 - t0) / np.array([100, 50, 40, 30, 25, 20, 15, 10, 8, 6, 5, 4])
polygon = lambda h: solve(euler_step, f, z0, t0, t1, round((t1 - t0) / h), theta)
at_the_end = [abs(polygon(h)[1][-1] - exact(t1))[0] for h in hs]
slide(lambda h: figures.step_size(h, (fine, exact(fine)), polygon(h), (hs, at_the_end)), hs, start=hs[7], label="h")

# %% [markdown]
# In a live notebook a slider stands above this figure: drag $h$. For short steps the dots on the right lie on the grey
# line of slope 1. For long ones they leave it, because the next terms of the series count, too.

# %% [markdown]
# ## 2. A residual net is Euler with step 1
#
# A layer of a residual net adds something to what comes in. Equation (1) of the paper:
#
# $$h_{t+1} = h_t + f(h_t, \theta_t).$$
#
# (In this equation $h$ is the hidden state, which we call $z$; for us, $h$ stays the step.) That is Euler's step with
# $h = 1$: depth is time. The idea of the paper is to keep $f$, and to leave it to a solver where to evaluate it (2).
#
# Figure 1 of the paper shows both. Here it is with a field of our own. Circles are the points where $f$ was evaluated.


# %%
def layer(z, t, theta):
    return np.sin(1.3 * z + 2 * t) - 0.1 * z


def watched(f, points):
    """f, which notes where it is asked."""

    def g(z, t, theta):
        points.append((z[0], t))
        return f(z, t, theta)

    return g


residual, ode, fine = [], [], np.linspace(0, 5, 200)
for start in np.linspace(-4.5, 4.5, 11):
    at_layers, anywhere = [], []
    depth, zs = solve(euler_step, watched(layer, at_layers), np.array([start]), 0.0, 5.0, 5, None)
    curve = odelearn.odesolve([start], watched(layer, anywhere), [0, 5], None, odelearn.bosh3(1e-2, 1e-2))
    residual.append((depth, zs[:, 0], at_layers))
    ode.append((fine, curve(fine)[:, 0], anywhere))
figures.depth(lambda z, t: layer(z, t, None), residual, ode)

# %% [markdown]
# Left: one evaluation a layer, at depths that are fixed by the architecture. Right: a vector field at every depth, and
# a solver that asks where it needs to, more often where the curve bends. Some circles lie beside their curve: a step looks
# at $f$ in points that it tries on the way, and they need not lie on the curve (section 4). Look for something that the
# left side can do and the right side cannot. Exercise 3 comes back to it.

# %% [markdown]
# ## 3. Better slopes
#
# Euler takes the slope at the beginning and trusts it for the whole step. The slope in the middle would be better, but
# we do not know $z$ there. So take half an Euler step to find out:
#
# $$k_1 = f(z, t), \qquad k_2 = f\!\left(z + \tfrac{h}{2} k_1,\; t + \tfrac{h}{2}\right), \qquad
# z_{next} = z + h\, k_2.$$
#
# This is the *midpoint method* (Runge 1895). Each $k_i$ is called a *stage*. Kutta (1901) found the classical way to
# combine four of them.


# %%
def midpoint_step(f, z, t, h, theta):
    k1 = f(z, t, theta)
    k2 = f(z + h / 2 * k1, t + h / 2, theta)
    return z + h * k2


def rk4_step(f, z, t, h, theta):
    k1 = f(z, t, theta)
    k2 = f(z + h / 2 * k1, t + h / 2, theta)
    k3 = f(z + h / 2 * k2, t + h / 2, theta)
    k4 = f(z + h * k3, t + h, theta)
    return z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


# %% [markdown] tags=["predict"]
# **Predict.** Per step, RK4 evaluates $f$ four times as often as Euler. Is it worth it? Guess the error of Euler with
# 400 steps, of the midpoint method with 200, and of RK4 with 100: the same 400 evaluations each.

# %%
for name, step, n in ("Euler", euler_step, 400), ("midpoint", midpoint_step, 200), ("RK4", rk4_step, 100):
    error = abs(solve(step, f, z0, t0, t1, n, theta)[1][-1] - exact(t1))[0]
    print(f"{name:9} {n:4} steps, 400 evaluations: error {error:.1e}")

# %% [markdown]
# The exponent makes it. A method has *order* $p$ if its error is about $C h^p$. In a log-log plot that is a line of
# slope $p$, and the slope is what we measure.


# %%
def errors(step, ns):
    return np.array([abs(solve(step, f, z0, t0, t1, n, theta)[1][-1] - exact(t1))[0] for n in ns])


def fitted_slope(hs, errors):
    return np.polyfit(np.log(hs), np.log(errors), 1)[0]


ns = np.array([20, 40, 80, 160, 320, 640])
hs = (t1 - t0) / ns
curves = {}
for name, step in ("Euler", euler_step), ("midpoint", midpoint_step), ("RK4", rk4_step):
    e = errors(step, ns)
    curves[f"{name}, slope {fitted_slope(hs[-3:], e[-3:]):.2f}"] = e
figures.orders(hs, curves)

# %% [markdown] tags=["checkpoint"]
# **Checkpoint.** Another method with two stages is Heun's: go a whole Euler step to see the slope at the far end, then
# take the mean of both slopes, $z_{next} = z + \tfrac{h}{2}(k_1 + k_2)$. The function below runs, and on $y' = -y$ it
# is even of order 2. The check knows better. Change the marked line.

# %% tags=["checkpoint"]


def heun_step(f, z, t, h, theta):
    k1 = f(z, t, theta)
    k2 = f(z + h * k1, t, theta)  # <- yours
    return z + h / 2 * (k1 + k2)


checks.check_step(heun_step, like=odelearn.HEUN)

# %% [markdown] tags=["solution"]
# <details><summary><b>Answer</b></summary>
#
# The second slope belongs to the far end in *time* as well. On $y' = -y$ nobody notices, since that $f$ never looks at
# its watch. This is the most common slip of all, and the reason why our test problems depend on $t$.
#
# ```python
# def heun_step(f, z, t, h, theta):
#     k1 = f(z, t, theta)
#     k2 = f(z + h * k1, t + h, theta)
#     return z + h / 2 * (k1 + k2)
#
#
# assert checks.check_step(heun_step, like=odelearn.HEUN)
# ```
#
# </details>

# %% [markdown]
# ## 4. A method is a table
#
# All of these follow one pattern. Stage $i$ stands at time $t + c_i h$ and at a point reached with the stages before
# it; the step is a weighted mean of all slopes:
#
# $$k_i = f\Bigl(z + h \sum_{j<i} A_{ij} k_j,\; t + c_i h,\; \theta\Bigr), \qquad z_{next} = z + h \sum_i b_i k_i.$$
#
# So a method *is* the numbers $A$, $b$ and $c$. They are written as a *Butcher tableau*. This is the one of RK4:
#
# $$\begin{array}{c|cccc} 0 & & & & \\ \tfrac12 & \tfrac12 & & & \\ \tfrac12 & 0 & \tfrac12 & & \\ 1 & 0 & 0 & 1 & \\
# \hline & \tfrac16 & \tfrac26 & \tfrac26 & \tfrac16 \end{array} \qquad \begin{array}{c|c} c & A \\ \hline & b
# \end{array}$$
#
# With the method as data, one function steps them all.


# %%
def stages(f, z, t, h, theta, tableau):
    k = []
    for A_i, c_i in zip(tableau.A, tableau.c, strict=True):
        Z = z + h * sum(A_ij * k_j for A_ij, k_j in zip(A_i, k, strict=False))
        k.append(f(Z, t + c_i * h, theta))
    return np.array(k)


def stepper(tableau):
    def step(f, z, t, h, theta):
        return z + h * np.tensordot(tableau.b, stages(f, z, t, h, theta, tableau), 1)

    return step


same = solve(stepper(odelearn.RK4), f, z0, t0, t1, 50, theta)[1] - solve(rk4_step, f, z0, t0, t1, 50, theta)[1]
print("the tableau's RK4 is ours:", np.abs(same).max() < 1e-14)
print(checks.check_step(stepper(odelearn.DOPRI5), order=5))

# %% [markdown]
# `DOPRI5` is the method of Dormand and Prince (1980), of order {{odelearn.DOPRI5.order}}. It has
# {{odelearn.DOPRI5.stages}} stages. The last one is the slope at the end of the step, which is also the first slope of
# the next step (*first same as last*), so it costs {{odelearn.DOPRI5.stages - 1}}.

# %% [markdown]
# ## 5. Why that order: conditions on the table
#
# Nobody needs to take an order on trust, nor to measure it. Expand both the exact solution and the step in powers of $h$.
# The terms must agree one by one, because $f$ may be anything, and each term gives one condition on the numbers in the
# table. The appendix does it up to $h^3$. ($f'$ is the matrix of the $\partial f_i / \partial z_j$, $f''$ stands for the
# second derivatives, and each row of $A$ adds up to $c_i$.)
#
# | order | term | condition |
# |---|---|---|
# | 1 | $f$ | $\sum b_i = 1$ |
# | 2 | $f' f$ | $\sum b_i c_i = 1/2$ |
# | 3 | $f''(f, f)$ | $\sum b_i c_i^2 = 1/3$ |
# | 3 | $f' f' f$ | $\sum b_i A_{ij} c_j = 1/6$ |
#
# From order 4 on one lets the computer list the terms: there are
# {{len(odelearn.order_conditions(odelearn.DOP853, 5))}} of them up to order 5, and
# {{len(odelearn.order_conditions(odelearn.DOP853, 8))}} up to order 8.


# %%
def first_conditions(tableau):
    A, b, c = tableau.A, tableau.b, tableau.c
    return {"f": b.sum() - 1, "f'f": b @ c - 1 / 2, "f''(f,f)": b @ c**2 - 1 / 3, "f'f'f": b @ A @ c - 1 / 6}


def holds_to(tableau, weights=None):
    """The highest order whose conditions all hold."""
    p = 0
    while max(map(abs, odelearn.order_conditions(tableau, p + 1, weights).values())) < 1e-11:
        p += 1
    return p


print(f"{'':9}" + "".join(f"{term:>10}" for term in first_conditions(odelearn.EULER)) + "   proved order")
for tableau in odelearn.EULER, odelearn.MIDPOINT, odelearn.BOSH3, odelearn.RK4, odelearn.DOPRI5, odelearn.DOP853:
    residuals = "".join(f"{r + 0.0 if abs(r) > 1e-12 else 0.0:10.3f}" for r in first_conditions(tableau).values())
    print(f"{tableau.name:9}{residuals}   {holds_to(tableau)}")

# %% [markdown] tags=["break-it"]
# ## 6. Break it
#
# Here are tableaus with one thing wrong. For each we measure the slope on three problems and ask the order conditions.
# **Before you run the cell:** which of the slips will go unnoticed on $y' = -y$? Which on $y' = y \cos t$?
#
# The third problem is a pair, $u' = u v$ and $v' = -\log u$, with the solution $u = e^{\sin t}$, $v = \cos t$. It is
# nonlinear, but $f$ does not depend on $t$.


# %% tags=["break-it"]
def changed(tableau, **new):
    """The tableau with some entries replaced: changed(RK4, c={1: 0.3}, A={(1, 0): 0.3})."""
    parts = {name: getattr(tableau, name).copy() for name in "Abc"}
    for name, entries in new.items():
        for place, value in entries.items():
            parts[name][place] = value
    return odelearn.ButcherTableau("changed", order=tableau.order, **parts)


problems = {
    "-y": (lambda y, t, theta: -y, lambda t: np.exp(-t) * np.ones(1)),
    "y cos t": (lambda y, t, theta: y * np.cos(t), lambda t: np.exp(np.sin(t)) * np.ones(1)),
    "(uv, -log u)": (
        lambda z, t, theta: np.array([z[0] * z[1], -np.log(z[0])]),
        lambda t: np.array([np.exp(np.sin(t)), np.cos(t)]),
    ),
}


def observed(tableau, f, exact, ns=(32, 48, 64)):
    ends = [solve(stepper(tableau), f, exact(0.3), 0.3, 2.3, n, None)[1][-1] for n in ns]
    return fitted_slope(1 / np.array(ns), [np.abs(end - exact(2.3)).max() for end in ends])


RK4, DOPRI5 = odelearn.RK4, odelearn.DOPRI5
slips = {
    "RK4 as it is": RK4,
    "c_2 = 0, a stale time": changed(RK4, c={1: 0.0}),
    "b = 2/6, 1/6, 1/6, 2/6": changed(RK4, b={0: 2 / 6, 1: 1 / 6, 2: 1 / 6, 3: 2 / 6}),
    "A_32 = 1/3": changed(RK4, A={(2, 1): 1 / 3}),
    "1/4, 1/3, 1/2, then all": odelearn.ButcherTableau(
        "linear", order=4, c=[0, 1 / 4, 1 / 3, 1 / 2], A=np.diag([1 / 4, 1 / 3, 1 / 2], -1), b=[0, 0, 0, 1]
    ),
    "DOPRI5 as it is": DOPRI5,
    "DOPRI5, two digits swapped": changed(DOPRI5, A={(3, 0): 44 / 54}),
}
seen = {name: [observed(tableau, *problem) for problem in problems.values()] for name, tableau in slips.items()}
print(f"{'observed order on y':28}" + "".join(f"{name:>14}" for name in problems) + "   proved")
for name, tableau in slips.items():
    print(f"{name:28}" + "".join(f"{slope:14.1f}" for slope in seen[name]) + f"   {holds_to(tableau):6}")

# %% [markdown]
# The stale time is invisible wherever $f$ does not depend on $t$: order
# {{seen["c_2 = 0, a stale time"][0]:.1f}} and {{seen["c_2 = 0, a stale time"][2]:.1f}} there, and
# {{seen["c_2 = 0, a stale time"][1]:.1f}} where it does. In the fifth tableau stage $i$ uses only the one before it,
# and the last slope is taken for the whole step. It has order {{seen["1/4, 1/3, 1/2, then all"][0]:.1f}} on $y' = -y$,
# a linear equation with constant coefficients, and {{seen["1/4, 1/3, 1/2, then all"][1]:.1f}} on the other two: it
# violates the condition of $f''(f, f)$, and on $y' = -y$ this term is zero. So $y' = -y$, the usual test problem, lets
# both pass.
#
# The order conditions look at the table itself, and depend on no test problem. `odelearn` asks them of every tableau in
# its tests, and `checks.check_step` tries *your* step on four problems.

# %% [markdown]
# ## 7. Steps that choose themselves
#
# How long should a step be? Long where the solution is smooth, short where it bends. A solver can find out while it
# goes, with a second method on the *same slopes*: other weights $\hat b$, of lower order. The difference of the two
# results
#
# $$e = h \sum_i (b_i - \hat b_i)\, k_i$$
#
# costs no further evaluation, and estimates the error of the step. It is compared with what the user tolerates, an
# absolute part and a relative one:
#
# $$\text{err} = \mathrm{rms}\!\left( \frac{e}{\text{atol} + \text{rtol}\, \max(|z|, |z_{next}|)} \right), \qquad
# \mathrm{rms}(x) = \sqrt{\tfrac1n \textstyle\sum_i x_i^2},$$
#
# where $n$ is the number of components of the state. If $\text{err} \le 1$ the step is accepted, otherwise it is tried
# again, shorter. Either way the next length follows from the order: with $\hat b$ of order $q$, $\text{err}$ grows like
# $h^{q+1}$, so the length with $\text{err} = 1$ is $h\, \text{err}^{-1/(q+1)}$. Take 0.9 of that, to be on the safe
# side, and do not change by more than a factor.


# %%
def adaptive(f, z, t, t_end, theta, tableau, rtol, atol, h):
    """The accepted times and states, and the ledger of all attempts: t, h, err, accepted."""
    ts, zs, ledger, most = [t], [z], [], 10.0
    while t < t_end:
        h = min(h, t_end - t)
        k = stages(f, z, t, h, theta, tableau)
        z_next, e = z + h * np.tensordot(tableau.b, k, 1), h * np.tensordot(tableau.b_err, k, 1)  # b_err = b - b_hat
        err = np.sqrt(np.mean((e / (atol + rtol * np.maximum(abs(z), abs(z_next)))) ** 2))
        ledger.append((t, h, err, err <= 1))
        if err <= 1:
            t, z = t_end if h == t_end - t else t + h, z_next
            ts.append(t)
            zs.append(z)
        h = h * min(most, max(0.2, 0.9 * err ** (-1 / (tableau.embedded_order + 1))))
        most = 10.0 if err <= 1 else 1.0  # right after a rejection, do not grow
    return np.array(ts), np.array(zs), ledger


# %% [markdown]
# Try it on van der Pol's oscillator (1926), a circuit that charges slowly and discharges suddenly:
#
# $$z_1' = z_2, \qquad z_2' = \mu (1 - z_1^2)\, z_2 - z_1, \qquad \mu = 3.$$
#
# Three pictures: the solution; Euler with as many evaluations as the adaptive solver made; and the adaptive solver. The
# ticks below the last two are the times at which $f$ was evaluated.


# %%
def van_der_pol(z, t, mu):
    return np.array([z[1], mu[0] * (1 - z[0] ** 2) * z[1] - z[0]])


start, end, mu = np.array([2.0, 0.0]), 10.0, np.array([3.0])
asked = []
ts, zs, ledger = adaptive(watched(van_der_pol, asked), start, 0.0, end, mu, DOPRI5, 1e-3, 1e-3, h=0.01)
truth = odelearn.odesolve(start, van_der_pol, [0.0, end], mu, odelearn.dop853(1e-10, 1e-12))
n = len(asked)
euler_ts, euler_zs = solve(euler_step, van_der_pol, start, 0.0, end, n, mu)

gaps = [abs(states[-1] - truth.zs[-1])[0] for states in (euler_zs, zs)]
print(f"{n} evaluations each; error of z_1 at the end: Euler {gaps[0]:.1e}, adaptive {gaps[1]:.1e}")
fine = np.linspace(0, end, 600)
equal, chosen = (euler_ts, euler_zs[:, 0], euler_ts[:-1]), (ts, zs[:, 0], [t for _, t in asked])
figures.spending((fine, truth(fine)[:, 0]), equal, chosen)

# %% [markdown] tags=["predict"]
# **Predict.** The ledger holds every attempt. Sketch the step length over time for the curve above. By what factor do
# the longest and the shortest step differ? Where are steps rejected: where the solution is slow, where it is fast, on the
# way into a jump, or on the way out of it?

# %%
t, h, err, accepted = np.array(ledger).T
accepted = accepted == 1
print(f"{accepted.sum()} accepted, {(~accepted).sum()} rejected")
between = h[accepted][1:-1]
print(f"longest step / shortest step, without the first and the last: {between.max() / between.min():.1f}")
speed = lambda t: abs(truth(t)[:, 1])  # z_2 is the slope of z_1
faster = speed(t[~accepted] + h[~accepted]) > speed(t[~accepted])
print(f"rejected: {faster.sum()} steps over which z_1 gets faster, {(~faster).sum()} over which it gets slower")
print(f"err of the accepted steps: median {np.median(err[accepted]):.2f}")
figures.attempts(ledger)

# %% [markdown]
# The controller believes that the next step will be like the last one. Where the solution changes its
# speed, that is wrong, and steps are rejected: {{faster.sum()}} on the way into a jump, {{(~faster).sum()}} on the way
# out of one. Accepted steps stay on the safe side. The controller aims at $0.9^5 = {{0.9**5:.2f}}$, and half of them
# have an err below {{np.median(err[accepted]):.2f}}. (The first step is short because we said so, the last because it
# lands on the end.)
#
# What did the user buy with a tolerance? Not an error of that size at the end. Errors of single steps add up, and the
# equation makes them grow or shrink on the way. But the one follows the other:

# %%
print(f"{'rtol':>6}" + "".join(f"{name + ': evals, error':>26}" for name in ("bosh3 (3)", "dopri5 (5)", "dop853 (8)")))
for rtol in 1e-3, 1e-5, 1e-7, 1e-9:
    line = f"{rtol:6.0e}"
    for make in odelearn.bosh3, odelearn.dopri5, odelearn.dop853:
        traj = odelearn.odesolve(start, van_der_pol, [0.0, end], mu, make(rtol, rtol))
        line += f"{traj.stats.evals:16}  {np.abs(traj.zs[-1] - truth.zs[-1]).max():8.0e}"
    print(line)

# %% [markdown]
# The error at the end falls with the tolerance, and is not equal to it. At rtol $10^{-3}$ the method of order 3 needs the
# fewest evaluations. The tighter the tolerance, the more a high order pays.
#
# ### Looking without stepping
#
# Data have times of their own. If a step ends at each of them, the solver takes short steps because somebody looks. It
# need not. At both ends of a step it knows the state and its slope, and these four determine a cubic, Hermite's:
#
# $$z(t + x h) \approx (1 - 3x^2 + 2x^3)\, z + (3x^2 - 2x^3)\, z_{next} + (x - 2x^2 + x^3)\, h f(z) + (x^3 - x^2)\, h f(z_{next}),
# \qquad 0 \le x \le 1.$$


# %%
def hermite(f, step, x, theta):
    """The cubic with the states and the slopes of both ends of a step, at t + x h."""
    f_begin, f_end = f(step.z, step.t, theta), f(step.z_next, step.t_next, theta)
    states = (1 - 3 * x**2 + 2 * x**3) * step.z + (3 * x**2 - 2 * x**3) * step.z_next
    return states + step.h * ((x - 2 * x**2 + x**3) * f_begin + (x**3 - x**2) * f_end)


# %% [markdown]
# It is wrong by $O(h^4)$, as much as a method of order 4 is at the end. DOPRI5 has a polynomial of degree 4 which
# uses all of its slopes, and is wrong by $O(h^5)$. With `dense=True` the library reads the times between from it.

# %% [markdown] tags=["predict"]
# **Predict.** We ask for van der Pol's oscillator at 2, 101 and 1001 times. How many evaluations does DOPRI5 need when
# every time ends a step, and how many when it does not? Which of the two is more accurate?

# %%
evals, errors = {}, {}
print("                every time ends a step      dense=True")
print("rtol   times    evaluations    error        evaluations    error")
for rtol in 1e-3, 1e-6:
    for T in 2, 101, 1001:
        when, line = np.linspace(0, end, T), f"{rtol:.0e} {T:6}"
        for dense in False, True:
            traj = odelearn.odesolve(start, van_der_pol, when, mu, odelearn.dopri5(rtol, rtol, dense=dense))
            evals[rtol, T, dense], errors[rtol, T, dense] = traj.stats.evals, np.abs(traj.zs - truth(when)).max()
            line += f"{evals[rtol, T, dense]:{19 if dense else 15}} {errors[rtol, T, dense]:8.0e}"
        print(line)

# %% [markdown]
# With 1001 times {{evals[1e-6, 1001, False]}} evaluations become {{evals[1e-6, 1001, True]}}, as many as for the end
# alone. The short steps are more accurate than anybody asked for; here the tolerance decides on the accuracy, as it
# should. It says nothing of the polynomial, though. At rtol $10^{-3}$ the steps are long, and between their ends the
# error rises to {{errors[1e-3, 1001, True]:.2f}}; at $10^{-6}$ it is as small as that of the steps.
#
# The interpolant is a sum of $z$ and the slopes, so the chain rule of notebook 04 goes through it too:
# `odelearn.Discrete` differentiates it to round-off.

# %% [markdown]
# ## 8. Stability: what no order protects from
#
# Take $y' = \lambda y$ with $\lambda = -50$. The solution $e^{-50 t}$ is below one per cent at $t = 0.1$, and as good
# as zero from then on. Nothing seems to be easier.

# %% [markdown] tags=["predict"]
# **Predict.** Euler goes from $t = 0$ to $t = 1$, once with $n = 24$ equal steps and once with $n = 26$. What is
# $y(1)$?

# %%
decay = lambda y, t, theta: theta[0] * y
for n in 24, 26, 100:
    y1 = solve(euler_step, decay, np.array([1.0]), 0.0, 1.0, n, np.array([-50.0]))[1][-1, 0]
    print(f"n = {n:3}: h lambda = {-50 / n:6.3f}, y(1) = {y1:.1e}")

# %% [markdown]
# One Euler step multiplies $y$ by $1 + h\lambda$. With $n = 24$ that is ${{1 - 50 / 24:.2f}}$, and the
# state swings back and forth and grows. A method is *stable* for $h\lambda$ where its factor is at most 1 in size. For
# a tableau the factor is
#
# $$R(h\lambda) = 1 + h\lambda\; b^T (I - h\lambda A)^{-1} \mathbf{1},$$
#
# where $I$ is the identity matrix and $\mathbf{1}$ a column of ones. (Put $f = \lambda y$ into section 4, and solve for
# the stages.) It is a polynomial, since $A$ is strictly lower triangular. For a method of order $p$ with $p$ stages it
# is the series of $e^{h\lambda}$, cut off after the power $p$. In a system the eigenvalues of $df/dz$ take the place of
# $\lambda$, and they may be complex.


# %%
def R(tableau, x):
    """The factor of one step of y' = lambda y, for an array of x = h lambda."""
    k = []
    for A_i in tableau.A:
        k.append(x * (1 + sum(A_ij * k_j for A_ij, k_j in zip(A_i, k, strict=False))))
    return 1 + sum(b_i * k_i for b_i, k_i in zip(tableau.b, k, strict=True))


x = np.linspace(-5.2, 1.6, 300)[None, :] + 1j * np.linspace(-4, 4, 300)[:, None]
factors = {tableau.name: abs(R(tableau, x)) for tableau in (odelearn.EULER, odelearn.RK4, DOPRI5)}
runs = {n: solve(euler_step, decay, np.array([1.0]), 0.0, 1.0, n, np.array([-50.0])) for n in (24, 26, 100)}
negative = np.linspace(0, -5, 5001)
left_end = negative[np.argmax(abs(R(DOPRI5, negative)) > 1)]
print(f"on the negative axis DOPRI5 is stable to {left_end:.1f}")
figures.stability(x, factors, runs)

# %% [markdown]
# Euler's $h\lambda = -50/24$ lies just outside its circle, and $-50/26$ just inside. (The two small islands belong to
# DOPRI5 as well, and are of no use: the exact solution grows there, and the method makes it shrink.)
#
# When an adaptive solver becomes unstable its state swings, and the error estimate grows with it. So it takes short steps
# instead, however smooth the solution is. With $y' = \lambda (y - \cos t)$ the solution is
# close to $\cos t$ for any large $-\lambda$, but look at the price:

# %%
pulled = lambda y, t, theta: theta[0] * (y - np.cos(t))
typical = {}
for lam in -1.0, -10.0, -100.0, -1000.0:
    traj = odelearn.odesolve([1.0], pulled, [0.0, 10.0], [lam], odelearn.dopri5(1e-4, 1e-4))
    typical[lam] = lam * np.median([step.h for step in traj.steps])
    print(f"lambda = {lam:6g}: {traj.stats.evals:6} evaluations, typical h lambda = {typical[lam]:5.1f}")

# %% [markdown]
# For $\lambda = -100$ the typical $h\lambda$ is {{typical[-100]:.1f}}, for $\lambda = -1000$ it is
# {{typical[-1000]:.1f}}: near the left end of the stable region, {{left_end:.1f}}. There stability decides on the step,
# not accuracy. Such a problem is called *stiff*, and calls for implicit methods, which this course leaves out.
#
# Keep one thing in mind for later. Backwards in time $y' = -50y$ *grows*, by a factor $e^{50}$ in one unit of time. The
# paper's adjoint solves $z$ backwards, and notebook 08 shows what comes of it.

# %% [markdown] tags=["agree"]
# ## 9. Ours and the library's
#
# `odelearn/solvers/` has these cells with bookkeeping: any shape and dtype, both directions of time, observation
# times, dense output, errors that explain themselves. The numbers are the same: every step to round-off, the whole ledger
# included.

# %% tags=["agree"]
solvers = {euler_step: odelearn.euler, midpoint_step: odelearn.midpoint, rk4_step: odelearn.rk4}
for step, make in solvers.items():
    ours = solve(step, f, z0, t0, t1, 20, theta)[1][-1]
    assert np.allclose(ours, odelearn.odesolve(z0, f, [t0, t1], theta, make(n=20)).zs[-1], rtol=1e-13)
for name, tableau in odelearn.TABLEAUS.items():
    ours = solve(stepper(tableau), f, z0, t0, t1, 20, theta)[1][-1]
    library = odelearn.Solver(tableau, odelearn.FixedSteps(n=20))
    assert np.allclose(ours, odelearn.odesolve(z0, f, [t0, t1], theta, library).zs[-1], rtol=1e-13), name
    assert holds_to(tableau) == tableau.order
    assert np.allclose(
        list(first_conditions(tableau).values()), list(odelearn.order_conditions(tableau, 3).values()), atol=1e-14
    )

library = odelearn.odesolve(start, van_der_pol, [0.0, end], mu, odelearn.dopri5(1e-3, 1e-3, first=0.01))
assert np.allclose([attempt[:2] for attempt in library.ledger], [attempt[:2] for attempt in ledger], rtol=1e-9)
assert library.stats.evals < len(asked)
assert evals[1e-6, 1001, True] == evals[1e-6, 2, False] < evals[1e-6, 1001, False] / 5
for step in odelearn.odesolve(start, van_der_pol, [0.0, end], mu, odelearn.rk4(n=50)).steps:
    assert np.allclose(hermite(van_der_pol, step, 0.3, mu), step(step.t + 0.3 * step.h), rtol=1e-12)
assert [attempt.accepted for attempt in library.ledger] == [bool(attempt[3]) for attempt in ledger]
assert np.allclose([step.z_next for step in library.steps], zs[1:], rtol=1e-9)
print("all agree")

# %% [markdown]
# One thing differs: the library hands the last slope of a step on to the next, and so needs
# {{library.stats.evals}} evaluations instead of our {{len(asked)}}.

# %% [markdown] tags=["pay-off"]
# ## 10. What it is good for: an orbit that closes
#
# A satellite is drawn by the earth and by the moon. Arenstorf found starts from which it comes back to where it was, and
# does so for ever. It passes very close to the moon, so no single length of step is good for the whole way. (The numbers
# are those of Hairer, Nørsett and Wanner, section II.0.)

# %% tags=["pay-off"]
moon, earth = 0.012277471, 1 - 0.012277471
launch, period = np.array([0.994, 0.0, 0.0, -2.00158510637908]), 17.0652165601580


def satellite(s, t, theta):
    x, y, v_x, v_y = s
    to_earth, to_moon = np.hypot(x + moon, y) ** 3, np.hypot(x - earth, y) ** 3
    a_x = x + 2 * v_y - earth * (x + moon) / to_earth - moon * (x - earth) / to_moon
    a_y = y - 2 * v_x - earth * y / to_earth - moon * y / to_moon
    return np.array([v_x, v_y, a_x, a_y])


orbit = odelearn.odesolve(launch, satellite, [0.0, period], None, odelearn.dopri5(1e-8, 1e-8))
equal_steps = orbit.stats.evals // 4
blind = odelearn.odesolve(launch, satellite, [0.0, period], None, odelearn.rk4(n=equal_steps))
misses = [np.linalg.norm(run.zs[-1, :2] - launch[:2]) for run in (orbit, blind)]
lengths = [step.h for step in orbit.steps]
print(
    f"DOPRI5: {orbit.stats.evals} evaluations, steps from {min(lengths):.1e} to {max(lengths):.1e}, back within {misses[0]:.1e}"
)
print(f"RK4: as many evaluations in {equal_steps} equal steps, off by {misses[1]:.1e}")

# %% [markdown] tags=["pay-off"]
# The longest step is {{max(lengths) / min(lengths):,.0f}} times the shortest. That is what choosing the step has saved.

# %% [markdown] tags=["exercise"]
# ## Exercises
#
# **1 (fill in).** Kutta's method of order 3 has the nodes $c = (0, \tfrac12, 1)$ and $A_{21} = \tfrac12$,
# $A_{31} = -1$, $A_{32} = 2$. Which weights $b$ does it need? Solve the conditions of section 5 on paper, put the
# numbers in, and see whether all four residuals vanish.

# %% tags=["exercise"]
b = [1 / 3, 1 / 3, 1 / 3]  # yours
kutta = odelearn.ButcherTableau("KUTTA3", order=3, c=[0, 1 / 2, 1], A=[[0, 0, 0], [1 / 2, 0, 0], [-1, 2, 0]], b=b)
print({term: round(float(r), 3) for term, r in first_conditions(kutta).items()}, "order", holds_to(kutta))

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# Three linear equations: $b_1 + b_2 + b_3 = 1$, $\tfrac12 b_2 + b_3 = \tfrac12$ and $\tfrac14 b_2 + b_3 = \tfrac13$.
# The difference of the last two is $\tfrac14 b_2 = \tfrac16$, so $b = (\tfrac16, \tfrac46, \tfrac16)$: Simpson's rule.
# The fourth condition $b_3 A_{32} c_2 = \tfrac16 \cdot 2 \cdot \tfrac12 = \tfrac16$ holds by itself.
#
# ```python
# b = [1 / 6, 4 / 6, 1 / 6]
# kutta = odelearn.ButcherTableau("KUTTA3", order=3, c=[0, 1 / 2, 1], A=[[0, 0, 0], [1 / 2, 0, 0], [-1, 2, 0]], b=b)
# assert holds_to(kutta) == 3
# assert checks.check_step(stepper(kutta), like=kutta)
# ```
#
# </details>

# %% [markdown] tags=["exercise"]
# **2 (derive).** With two stages, $c = (0, \alpha)$ and $A_{21} = \alpha$, which $b$ give order 2? No choice of
# $\alpha$ gives order 3. Why? Which $\alpha$ makes one of the two conditions of order 3 hold? Find the method in
# `odelearn.TABLEAUS`.

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# Order 2 wants $b_1 + b_2 = 1$ and $b_2 \alpha = \tfrac12$, so $b_2 = 1 / 2\alpha$ and $b_1 = 1 - 1 / 2\alpha$, for any
# $\alpha \neq 0$: midpoint for $\alpha = \tfrac12$, Heun for $\alpha = 1$. The condition of $f'f'f$ is
# $\sum b_i A_{ij} c_j = \tfrac16$, but $b_2 A_{21} c_1 = 0$, because $c_1 = 0$: two stages cannot see a derivative of a
# derivative. The other one, $b_2 \alpha^2 = \tfrac{\alpha}{2} = \tfrac13$, holds for $\alpha = \tfrac23$. That is
# Ralston's method (1962), the one of the smallest error bound.
#
# ```python
# for alpha in 1 / 2, 2 / 3, 1:
#     b2 = 1 / (2 * alpha)
#     family = odelearn.ButcherTableau("two stages", order=2, c=[0, alpha], A=[[0, 0], [alpha, 0]], b=[1 - b2, b2])
#     assert holds_to(family) == 2
#     assert np.isclose(first_conditions(family)["f''(f,f)"], alpha / 2 - 1 / 3)
#     assert np.isclose(first_conditions(family)["f'f'f"], -1 / 6)
# assert np.allclose(odelearn.RALSTON.c, [0, 2 / 3]) and np.allclose(odelearn.RALSTON.b, [1 / 4, 3 / 4])
# ```
#
# </details>

# %% [markdown] tags=["exercise"]
# **3 (explore).** In section 2 some lines of the residual net cross. Two solutions of one differential equation never
# do: through every point $(t, z)$ goes exactly one. The cell counts, for $n$ Euler steps through the same field, how
# many neighbours among 2000 starting points have changed places at the end. At which step $h = 5 / n$ does it stop?
# Find out from the formula of a step when it must stop.

# %% tags=["exercise"]
crowd = np.linspace(-4.5, 4.5, 2000)
exchanged = {}
for n in 2, 3, 4, 5, 8, 20:
    final = solve(euler_step, layer, crowd, 0.0, 5.0, n, None)[1][-1]
    exchanged[n] = np.sum(np.diff(final) < 0)
    print(f"n = {n:2}, h = {5 / n:.2f}: {exchanged[n]:4} of {len(crowd) - 1} pairs of neighbours have changed places")

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# A step is the map $z \mapsto z + h f(z)$. Neighbours keep their places if it increases,
# $1 + h\, \partial f / \partial z > 0$. Here $\partial f / \partial z = 1.3 \cos(\cdot) - 0.1 \ge -1.4$, so it must
# stop for $h < 1 / 1.4 \approx {{1 / 1.4:.2f}}$. In general $h < 1 / \max |\partial f / \partial z|$ makes a residual
# layer invertible. It may stop earlier, where the lines do not come by the places of strongest contraction.
#
# Crossing lines alone do not mean that something is lost. The layer $z - 2z$ of notebook 00 exchanges all pairs, and is
# one to one. Here, with 5 layers, {{exchanged[5]}} of {{len(crowd) - 1}} pairs change places and the others do not. So
# the map from the input to the output falls in some places and rises in others: it folds the line, and two inputs have
# one output. No ODE net can do either. What is a limitation for a classifier is what makes densities computable:
# equation (8) of the paper, which follows the density of a random $z$ along the flow, needs a map that can be inverted.
# (Notebook 07 meets it.)
#
# ```python
# def changed_places(n):
#     return np.sum(np.diff(solve(euler_step, layer, crowd, 0.0, 5.0, n, None)[1][-1]) < 0)
#
#
# assert changed_places(3) > 0
# assert all(changed_places(n) == 0 for n in (8, 10, 20))     # h < 0.71
# ```
#
# </details>

# %% [markdown] tags=["appendix"]
# ## Appendix. Where the order conditions come from
#
# Section 5 compares the exact solution and the step in powers of $h$. Count $t$ as one more
# component of the state, with the slope 1. Then $dz/dt = f(z)$, and there is only one kind of derivative. Write $f'$ for the matrix of the $\partial f_i / \partial z_j$, so $f' f$ is that matrix
# times the vector $f$, and $f' f' f$ is the matrix times that. Write $f''(u, v)$ for the vector of second derivatives
# along $u$ and $v$, with components $\sum_{jk} \frac{\partial^2 f_i}{\partial z_j \partial z_k} u_j v_k$.
#
# By the chain rule $z' = f$, then $z'' = f' z' = f' f$, and once more, by the product rule,
# $z''' = f''(f, f) + f' f' f$. That is the first line below. For the second, expand each stage:
# $k_i = f + h\, c_i\, f' f + \dots$, put these into the $k_j$ on the right of the formula for $k_i$, and add up. All
# derivatives are taken at the beginning of the step:
#
# $$z(t + h) = z + h f + \tfrac{h^2}{2} f' f + \tfrac{h^3}{6} \bigl( f''(f, f) + f' f' f \bigr) + \dots$$
#
# $$z_{next} = z + h\, \textstyle\sum_i b_i\; f + h^2 \sum_i b_i c_i\; f' f +
# h^3 \bigl( \tfrac12 \sum_i b_i c_i^2\; f''(f, f) + \sum_{ij} b_i A_{ij} c_j\; f' f' f \bigr) + \dots$$
#
# (It uses that each row of $A$ adds up to $c_i$.) What stands in front of $f$, $f' f$, $f''(f, f)$ and $f' f' f$ must be
# the same in both lines. These are the four conditions of section 5.
#
# Each term is a *rooted tree*: an $f$ is a node, and what a derivative is applied to hangs below it. $f' f' f$ is a chain
# of three nodes; $f''(f, f)$ is a node with two below it. One condition belongs to each tree. `odelearn.order_conditions`
# makes the trees of any order, and their conditions.

# %% [markdown] tags=["summary"]
# ## Summary
#
# | idea | formula | in odelearn |
# |---|---|---|
# | the problem | $z(t_1) = \text{ODESolve}(z_0, f, t_0, t_1, \theta)$, (3) | `solvers.odesolve.odesolve` |
# | residual layer, Euler's step | $z + h f(z, t, \theta)$, (1) | `solvers.coefficients.EULER`, `solvers.solver.euler` |
# | one step of any tableau | $z + h \sum_i b_i k_i$ | `solvers/runge_kutta.py` |
# | inside a step | $z + h \sum_i b_i(x) k_i$ | `solvers/dense_output.py`, `dopri5(dense=True)` |
# | why it has its order | one condition for each rooted tree | `solvers.order_conditions.order_conditions`, `solvers.order_conditions.certify` |
# | how order is observed | slope of $\log$ error over $\log h$ | `verify.order.observed_order`, `verify.solver_audit.audit` |
# | error estimate | $h \sum_i (b_i - \hat b_i) k_i$ | `error` of each of `Trajectory.steps` |
# | next step length | $0.9\, h\, \text{err}^{-1/(q+1)}$ | `solvers.step_size.AdaptiveSteps` |
# | every attempt | $t, h, \text{err}$, accepted | `Trajectory.ledger` |
#
# - Order is an exponent: it beats any constant as soon as you want more than a few digits.
# - Test on problems that depend on $t$ and are nonlinear. $y' = -y$ lets almost everything pass.
# - A tolerance bounds the error of a *step*. What the equation makes of it on the way is another matter.
#
# **Sources.** L. Euler, *Institutionum calculi integralis* (1768). C. Runge, Math. Ann. 46 (1895). W. Kutta, Z. Math.
# Phys. 46 (1901). J. R. Dormand, P. J. Prince, *A family of embedded Runge-Kutta formulae*, J. Comput. Appl. Math. 6
# (1980). E. Hairer, S. P. Nørsett, G. Wanner, *Solving Ordinary Differential Equations I*, Springer (1993): II.1 to
# II.5 for the methods, II.2 for the trees, II.4 for step control; volume II, IV.2 and IV.3, for stability. R. T. Q.
# Chen et al., *Neural Ordinary Differential Equations* (2018), Figure 1.
