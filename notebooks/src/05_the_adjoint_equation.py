# %% [markdown] tags=["header"]
# # 05 The adjoint equation, line by line
#
# | | |
# |---|---|
# | **You will be able to** | prove the adjoint equation, check each line of the proof with a few lines of NumPy, and run it backwards through a series of observations |
# | **You need** | notebook 01 (the complex step); notebooks 03 and 04 help. Have the paper open at Appendix B |
# | **Time** | {{minutes_to_read}} minutes to read, {{minutes_to_do}} for the checkpoints and exercises |
# | **Equations** | (34) to (46), which is Appendix B.1; Figure 2 |
#
# The paper *Neural Ordinary Differential Equations* proves its gradient in two pages. They are short pages: a sentence
# is missing here and there, and it is the sentence that a reader needs. This notebook and the next go through all the
# displayed equations in their order. Each is stated as the paper has it, argued in words, checked as a number, and shown
# next to the line of `odelearn/gradients/appendix_b.py` that says the same. Here is the proof; notebook 06 has the
# parameters, the times and the algorithms.

# %%
import inspect

import numpy as np

import odelearn
from odelearn import checks
from odelearn.gradients import appendix_b as B
from odelearn.plotting.course import appendix_b as figures
from odelearn.plotting.slider import slide

rng = np.random.default_rng(1)

# %% [markdown]
# The example is the pushed pendulum of notebook 04: $z = (x, v)$ is angle and velocity, $\theta$ is gravity, friction
# and push, and $dz/dt = f(z, t, \theta)$ with
#
# $$f(z, t, \theta) = \bigl(v, \; -\theta_0 \sin x - \theta_1 v + \theta_2 \cos t\bigr).$$
#
# We need its derivative with respect to $z$. Vectors are rows, as in Appendix B. `df_dz` holds $\partial f_i / \partial z_j$ in row
# $i$ and column $j$, so a small change $\delta z$ moves $f$ by $\frac{df}{dz} \delta z$, and the chain rule for a row
# $a$ is $a \frac{df}{dz}$.


# %%
def f(z, t, theta):
    x, v = z[..., 0], z[..., 1]
    return np.stack([v, -theta[0] * np.sin(x) - theta[1] * v + theta[2] * np.cos(t)], axis=-1)


def df_dz(z, t, theta):
    return np.array([[0, 1], [-theta[0] * np.cos(z[0]), -theta[1]]])


theta = np.array([3.0, 0.2, 1.0])
z0, t0, tN = np.array([1.2, 0.5]), 0.5, 2.5

z_test = rng.normal(size=2)
assert np.allclose(df_dz(z_test, 0.7, theta), odelearn.complex_step(lambda z: f(z, 0.7, theta), z_test), rtol=1e-14)

# %% [markdown]
# The proof speaks of exact solutions. Ours come from a solver of order 8 with a tolerance of $10^{-12}$, so "equal"
# will mean equal to eight digits or more. `flow` says where a solution that is at $z$ at time $t$ will be at another
# time:


# %%
EXACT = odelearn.dop853(rtol=1e-12, atol=1e-14)


def flow(z, t, t_end):
    return z if t_end == t else odelearn.odesolve(z, f, (t, t_end), theta, EXACT).zs[-1]


# %% [markdown]
# And this puts our number for an equation beside the library's function for it. It prints the function's last line,
# with the equation's number at its end. The library is given the bare `f`, which it differentiates by its tape and
# solves by another method, so nothing of ours enters its side. On our side we go another way wherever there is one.

# %%
agreed = {}


def beside(equation, naive, function, *args, rtol=1e-9):
    flat = lambda x: np.concatenate([np.ravel(part) for part in x]) if isinstance(x, tuple) else np.ravel(x)
    ours, theirs = flat(naive), flat(function(*args))
    agreed[equation] = np.abs(ours - theirs).max() < rtol * np.abs(ours).max()
    print(f"appendix_b.{function.__name__}:   {inspect.getsource(function).splitlines()[-1].strip()}")
    print(f"the same numbers: {agreed[equation]}")


# %% [markdown]
# ## 1. What the adjoint is: (34)
#
# There is a loss $L$, and it looks at the state at the end, $z(t_N)$. Ours is $L = \tfrac12 |z(t_N)|^2$: the pendulum
# should come to rest at the bottom. The paper defines the **adjoint** as
#
# $$a(t) = \frac{dL}{dz(t)}. \tag{34}$$
#
# **The missing sentence.** $L$ is a function of $z(t_N)$. How can it be differentiated with respect to $z(t)$, at an
# earlier time? What is meant is this. Stop at time $t$, put the state at any $z$ you like, and let the dynamics run on
# to $t_N$. What comes out is a function of $z$, the *loss to come*:
#
# $$L_t(z) = L\bigl(\text{the state at } t_N \text{ of the solution that is at } z \text{ at time } t\bigr).$$
#
# Then $a(t)$ is the gradient of $L_t$ at the point $z = z(t)$ where the solution really is. At the end there is nothing
# to come, $L_{t_N} = L$, so $a(t_N) = dL/dz(t_N)$ is known. At the beginning, $a(t_0) = dL/dz(t_0)$ is what we want.


# %%
def loss_to_come(z, t):
    return 0.5 * np.sum(flow(z, t, tN) ** 2, axis=-1)


def adjoint(t):
    """a(t) from the definition alone: the gradient of the loss to come, by the complex step."""
    return odelearn.complex_step(lambda z: loss_to_come(z, t), flow(z0, t0, t))


z_N = flow(z0, t0, tN)
beside(34, adjoint(t0), B.adjoint, z_N, f, z0, t0, tN, theta)

# %% [markdown]
# Here is the definition as a picture. The lines are those on which the loss to come is constant; a state may move along
# its line, and the outcome will be equally good. The arrow is $a(t)$. As a gradient it stands at right angles to the
# line.

# %%
path = odelearn.odesolve(z0, f, (t0, tN), theta, EXACT)
figures.loss_to_come(path, adjoint, loss_to_come, (t0, 1.5, tN))

# %% [markdown]
# On the right the lines are circles around rest, the loss itself. To the left they are the same circles, carried back
# by the dynamics: turned, stretched and bent. The adjoint method is a way to carry the arrow back without the lines.
#
# What the paper claims, and what the next two sections prove, is that $a$ has a differential equation of its own:
#
# $$\frac{da(t)}{dt} = -a(t) \frac{\partial f(z(t), t, \theta)}{\partial z}. \tag{35}$$

# %% [markdown]
# ## 2. One layer, then a layer of any thickness: (36) to (38)
#
# In a network with hidden states $h_t$ the gradient goes from one layer to the one before by the chain rule:
#
# $$\frac{dL}{dh_t} = \frac{dL}{dh_{t+1}} \frac{dh_{t+1}}{dh_t}. \tag{36}$$
#
# A row times a matrix. In code nobody forms the matrix: the layer's *pullback* does the product at once. Here is a
# layer $h_{t+1} = \tanh(h_t W)$, the product by hand on one side and the pullback on the other.

# %%
W, h_t, dL_dh_next = rng.normal(size=(2, 2)), rng.normal(size=2), rng.normal(size=2)


def layer(h):
    y = np.tanh(h @ W)
    return y, lambda a_y: (a_y * (1 - y * y)) @ W.T


dh_next_dh = odelearn.complex_step(lambda h: layer(h)[0], h_t)
beside(36, dL_dh_next @ dh_next_dh, B.through_layer, dL_dh_next, layer, h_t, rtol=1e-13)

# %% [markdown]
# Now the hidden state is continuous. Where a network has "the next layer", a flow has "a little later". The paper names
# the map from the state at $t$ to the state at $t + \varepsilon$:
#
# $$z(t + \varepsilon) = z(t) + \int_t^{t+\varepsilon} f(z(t'), t', \theta)\, dt' = T_\varepsilon(z(t), t). \tag{37}$$
#
# **The missing sentence.** The integral contains $z(t')$ for all the times between. That it depends on $z(t)$ alone, so
# that $T_\varepsilon$ is a function, is the theorem of Picard and Lindelöf: when $f$ is continuous in $t$ and
# *Lipschitz* in $z$, through each $(z, t)$ goes one solution and no other. Lipschitz means that the slope is bounded:
# there is a number $C$ with $|f(z, t, \theta) - f(\tilde z, t, \theta)| \le C\, |z - \tilde z|$ for any two states.
# (The paper writes $t$ for the variable of integration, too; ours has a dash.)
#
# The cell computes the integral literally, as a weighted sum of $f$ at 20 Gauss points of the interval.

# %%
t, eps = 1.2, 0.4
z = flow(z0, t0, t)


def gauss(start, end, n=20):
    """Points and weights: the integral from start to end is the sum of weight times value."""
    x, w = np.polynomial.legendre.leggauss(n)
    return start + (end - start) * (1 + x) / 2, (end - start) * w / 2


points, weights = gauss(t, t + eps)
z_there = odelearn.odesolve(z, f, [t, *points], theta, EXACT).zs[1:]
integral = sum(w * f(zi, ti, theta) for w, zi, ti in zip(weights, z_there, points, strict=True))
beside(37, z + integral, B.T, eps, f, z, t, theta)

# %% [markdown]
# $T_\varepsilon$ is a layer, so the chain rule (36) holds for it word for word:
#
# $$a(t) = \frac{dL}{dz(t)} = \frac{dL}{dz(t+\varepsilon)} \frac{dz(t+\varepsilon)}{dz(t)}
# = a(t + \varepsilon) \frac{\partial T_\varepsilon(z(t), t)}{\partial z(t)}. \tag{38}$$
#
# **The missing sentence.** The loss to come does not depend on where we stop to look:
# $L_t(z) = L_{t+\varepsilon}(T_\varepsilon(z, t))$, because to run from $t$ to $t_N$ is to run from $t$ to
# $t + \varepsilon$ and then on. Differentiate both sides at $z = z(t)$; that is (38).

# %% [markdown] tags=["predict"]
# **Predict.** How small must $\varepsilon$ be for (38) to hold to nine digits? Would $\varepsilon = 1.3$ do, which goes
# from $t = 1.2$ to the very end?


# %%
def jacobian(eps):
    """dT_eps/dz at z, shape (2, 2), by the complex step."""
    return odelearn.complex_step(lambda z: flow(z, t, t + eps), z)


for eps in 1e-3, 0.4, 1.3:
    gap = np.abs(adjoint(t + eps) @ jacobian(eps) - adjoint(t)).max()
    print(f"eps = {eps:5}:   a(t + eps) dT/dz = a(t)   {gap < 1e-9}")
eps = 0.4
beside(38, adjoint(t + eps) @ jacobian(eps), B.a_before, adjoint(t + eps), eps, f, z, t, theta)

# %% [markdown]
# Any $\varepsilon$ will do. (38) is the chain rule, and nothing has been approximated yet. It is not useful yet either:
# who wants the Jacobian of a solve? The next section makes $\varepsilon$ small, because then the Jacobian becomes
# simple.

# %% [markdown]
# ## 3. The limit: (39) to (45)
#
# A derivative is the limit of a difference quotient:
#
# $$\frac{da(t)}{dt} = \lim_{\varepsilon \to 0^+} \frac{a(t + \varepsilon) - a(t)}{\varepsilon} \tag{39}$$
#
# (39) is a definition, and its quotient nothing new. We look at it for one $\varepsilon$ and keep the numbers for later.
# Ours has the two adjoints from the complex step, the library's has its own two, from pullbacks.

# %%
a_now, eps = adjoint(t), 0.1
a_after, J = adjoint(t + eps), jacobian(eps)
library_a = [B.adjoint(z_N, f, flow(z0, t0, ti), ti, tN, theta) for ti in (t + eps, t)]
beside(39, (a_after - a_now) / eps, B.quotient, *library_a, eps, rtol=1e-8)

# %% [markdown]
# By (38), $a(t)$ can be replaced. Now everything is expressed by the later adjoint, and by what happens between:
#
# $$= \lim_{\varepsilon \to 0^+} \frac{a(t+\varepsilon) - a(t+\varepsilon) \frac{\partial}{\partial z(t)}
# T_\varepsilon(z(t), t)}{\varepsilon} \tag{40}$$

# %%
beside(40, (a_after - a_after @ J) / eps, B.quotient_through_layer, a_after, eps, f, z, t, theta, rtol=1e-8)

# %% [markdown]
# Next, what does $T_\varepsilon$ look like for a small $\varepsilon$? Like a step of Euler's method. The paper calls it
# the Taylor series around $z(t)$:
#
# $$= \lim_{\varepsilon \to 0^+} \frac{a(t+\varepsilon) - a(t+\varepsilon) \frac{\partial}{\partial z(t)}
# \bigl( z(t) + \varepsilon f(z(t), t, \theta) + O(\varepsilon^2) \bigr)}{\varepsilon} \tag{41}$$
#
# $O(\varepsilon^2)$ stands for anything that is at most a constant times $\varepsilon^2$ when $\varepsilon$ is small.
#
# **The missing sentence.** During a time $\varepsilon$ the state moves by $O(\varepsilon)$, and the clock by
# $\varepsilon$. When $f$ is Lipschitz in both, its value changes by $O(\varepsilon)$ on the way. So in the integral
# (37) we may put $f(z(t), t, \theta)$ for all of it, with an error of $O(\varepsilon)$, and integrating that over a
# time $\varepsilon$ gives $T_\varepsilon(z(t), t) = z(t) + \varepsilon f(z(t), t, \theta) + O(\varepsilon^2)$.
#
# Our side does not use that: it measures how fast the flow leaves $z(t)$, by differences of $T_\varepsilon$ in $\varepsilon$.

# %%
speed = odelearn.finite_difference(lambda e: flow(z, t, t + e), 0.0, "richardson")
beside(41, z + eps * speed, B.T_taylor, eps, f, z, t, theta, rtol=1e-9)

# %% [markdown]
# Then the bracket is differentiated, term by term:
#
# $$= \lim_{\varepsilon \to 0^+} \frac{a(t+\varepsilon) - a(t+\varepsilon) \bigl( I +
# \varepsilon \frac{\partial f(z(t), t, \theta)}{\partial z(t)} + O(\varepsilon^2) \bigr)}{\varepsilon} \tag{42}$$
#
# **The missing argument.** This is right, and it needs more than the paper says. The derivative of something small need
# not be small: $\varepsilon^2 \sin(z / \varepsilon^2)$ is $O(\varepsilon^2)$, and its derivative
# $\cos(z / \varepsilon^2)$ is not. So the $O(\varepsilon^2)$ in (42) does not follow from the one in (41). It has a
# proof of its own. Let $J(s) = \partial z(s) / \partial z(t)$, so that $J(t) = I$. Differentiate
# $dz/ds = f(z, s, \theta)$ with respect to $z(t)$, with the chain rule on the right:
#
# $$\frac{dJ}{ds} = \frac{\partial f}{\partial z}(z(s), s, \theta)\, J, \qquad J(t) = I.$$
#
# This is called the *variational equation*. It is a differential equation like any other, and what (42) says of $J$ is
# what (41) says of $z$: the first step is a step of Euler's method, now from $I$. It needs $\partial f / \partial z$ to
# exist and to be continuous. Section 6 is about what happens when it is not. Let us see that the variational equation
# gives the Jacobian:


# %%
def z_and_J(s, t, theta):
    z, J = s[:2], s[2:].reshape(2, 2)
    return np.concatenate([f(z, t, theta), (df_dz(z, t, theta) @ J).ravel()])


J_end = odelearn.odesolve(np.concatenate([z, np.eye(2).ravel()]), z_and_J, (t, t + eps), theta, EXACT).zs[-1, 2:]
print("the variational equation gives dT/dz:", np.allclose(J_end.reshape(2, 2), J, rtol=1e-9))

naive = a_after @ (np.eye(2) + eps * df_dz(z, t, theta))
beside(42, naive, B.a_before_taylor, a_after, eps, f, z, t, theta, rtol=1e-13)

# %% [markdown] tags=["predict"]
# **Predict.** When $\varepsilon$ is halved, by which factor shrinks what (41) and (42) leave out? And by which factor
# the distance of the quotient (39) from its limit?

# %%
epsilons = 0.4 * 0.5 ** np.arange(9)
size = lambda x: np.abs(x).max()
step_back = -a_now @ df_dz(z, t, theta)  # the limit, (35)
left_out_41 = [size(flow(z, t, t + e) - (z + e * f(z, t, theta))) for e in epsilons]
left_out_42 = [size(jacobian(e) - (np.eye(2) + e * df_dz(z, t, theta))) for e in epsilons]
off_39 = [size((adjoint(t + e) - a_now) / e - step_back) for e in epsilons]
off_43 = [
    size((a_e - a_e @ jacobian(e)) / e + a_e @ df_dz(z, t, theta)) for e, a_e in ((e, adjoint(t + e)) for e in epsilons)
]

remainders = {"(41)": left_out_41, "(42)": left_out_42, "(39) - (45)": off_39, "(40) - (44)": off_43}
for name, errors in remainders.items():
    print(f"{name:12} shrinks like eps^{odelearn.observed_order(errors[-5:]):.2f}")
figures.limits(epsilons, (left_out_41, left_out_42), (off_39, off_43))

# %%
around = np.linspace(0, 0.45, 40)
a_around = np.array([adjoint(t + e) for e in around])
ends = {e: adjoint(t + e) for e in epsilons}
curve = (t + around, a_around[:, 0])
chord = lambda e: ((t, t + e), (a_now[0], ends[e][0]))
gaps = epsilons, off_39
slide(lambda e: figures.short_time(e, curve, chord(e), step_back[0], gaps), epsilons, start=0.4, label="eps")

# %% [markdown]
# Slope 2 on the left, slope 1 on the right, as the $O$-symbols say. The second figure shows (39) itself, for one component of
# $a$. In a live notebook it has a slider: make $\varepsilon$ smaller, and the chord turns into the tangent. The rest is algebra. In (42) the $I$ cancels the
# first term:
#
# $$= \lim_{\varepsilon \to 0^+} \frac{-\varepsilon\, a(t+\varepsilon) \frac{\partial f(z(t), t, \theta)}{\partial z(t)} +
# O(\varepsilon^2)}{\varepsilon} \tag{43}$$
#
# and what is left can be divided by $\varepsilon$:
#
# $$= \lim_{\varepsilon \to 0^+} -a(t+\varepsilon) \frac{\partial f(z(t), t, \theta)}{\partial z(t)} +
# O(\varepsilon) \tag{44}$$
#
# **The missing words.** The remainder of (42) was multiplied by $a(t + \varepsilon)$, and stays $O(\varepsilon^2)$
# because $a$ is bounded near $t$.
#
# Both lines are algebra. So the cell puts one number, the quotient of (43) with our Jacobian, beside both of them: the
# library's (43), and its (44), where nothing is subtracted and divided any more.

# %%
A = np.eye(2) + eps * df_dz(z, t, theta)
beside(43, (a_after - a_after @ A) / eps, B.quotient_taylor, a_after, eps, f, z, t, theta)
print()
beside(44, (a_after - a_after @ A) / eps, B.quotient_reduced, a_after, f, z, t, theta)

# %% [markdown]
# Last, let $\varepsilon \to 0$:
#
# $$= -a(t) \frac{\partial f(z(t), t, \theta)}{\partial z(t)}. \tag{45}$$
#
# **The missing words.** $a(t + \varepsilon) \to a(t)$ means that $a$ is continuous, which we have not said yet. It is
# in (38): $a(t) - a(t + \varepsilon) = a(t + \varepsilon) \bigl( \frac{\partial T_\varepsilon}{\partial z} - I \bigr)$,
# and by (42) the bracket is $O(\varepsilon)$.
#
# And the limit was taken from one side only. For $\varepsilon < 0$ every line holds as it stands, with $T_\varepsilon$
# running back in time, and gives the same. So $a$ is differentiable, and (35) is proved.
#
# This is the line that everything was for, so the evidence should not use it. On our side stands the limit itself: the
# derivative of $a(t)$, as it was defined in (34), by differences that are extrapolated to $\varepsilon = 0$.

# %%
beside(45, odelearn.finite_difference(adjoint, t, "richardson"), B.da_dt, a_now, f, z, t, theta, rtol=1e-8)
agreed[35] = agreed[45]  # the same line, as its tag says
from_below = [size((adjoint(t - e) - a_now) / -e - step_back) for e in epsilons]
print(f"from below, too, the quotient tends to it like eps^{odelearn.observed_order(from_below[-5:]):.2f}")

# %% [markdown]
# ## 4. Running it backwards: (46)
#
# A differential equation needs a value to start from. We know the one at the end, so we integrate (35) from $t_N$ back
# to $t_0$:
#
# $$a(t_N) = \frac{dL}{dz(t_N)}, \qquad
# a(t_0) = a(t_N) + \int_{t_N}^{t_0} \frac{da(t)}{dt}\, dt
# = a(t_N) - \int_{t_N}^{t_0} a(t) \frac{\partial f(z(t), t, \theta)}{\partial z(t)}\, dt. \tag{46}$$
#
# First the integral, literally, with $a(t)$ from its definition at 30 points in time:

# %%
points, weights = gauss(tN, t0, 30)
integrand = [adjoint(ti) @ df_dz(flow(z0, t0, ti), ti, theta) for ti in points]
naive = z_N - sum(w * row for w, row in zip(weights, integrand, strict=True))
beside(46, naive, B.a_at_start, z_N, z_N, f, np.array([t0, tN]), theta)

# %% [markdown]
# That is a check and not a method, since it used the $a(t)$ that it computes. The method is to *solve*: $a$ on the
# right of (35) is the unknown.
#
# **The missing sentence.** (35) needs $z(t)$ at every $t$, because that is where $\partial f / \partial z$ stands. We
# could have kept it from the forward solve. The paper's idea is to compute it again: start from $z(t_N)$ and solve $z$
# backwards together with $a$, as one system of twice the size. Then nothing has to be kept. (What that costs in
# accuracy is the subject of notebook 08.) Running backwards needs no new code, since a solver takes $t_N$ and $t_0$ in
# either order.


# %%
def z_and_a(s, t, theta):
    z, a = s[:2], s[2:]
    return np.concatenate([f(z, t, theta), -a @ df_dz(z, t, theta)])  # (35)


back = odelearn.odesolve(np.concatenate([z_N, z_N]), z_and_a, (tN, t0), theta, EXACT)
print("z back at t0 is z0:          ", np.allclose(back.zs[-1, :2], z0, rtol=1e-9))
print("a back at t0 is dL/dz0:      ", np.allclose(back.zs[-1, 2:], adjoint(t0), rtol=1e-9))
print("and half-way, it is a(t) too:", np.allclose(back(1.5)[2:], adjoint(1.5), rtol=1e-7))

# %% [markdown]
# One solve gave $dL/dz(t_0)$, both components of it. With a million components it would still be one solve. Compare the
# definition, which costs a solve for each component.

# %% [markdown]
# ## 5. Observations on the way: Figure 2
#
# Usually the loss looks at the state more than once. Say there are observations $y_0, \dots, y_N$ at times
# $t_0, \dots, t_N$, and $L = \sum_i \ell_i(z(t_i))$ with $\ell_i = \tfrac12 |z(t_i) - y_i|^2$.
#
# **The missing sentence.** What is $a(t)$ now? Still the gradient of the loss *to come*, and that is the sum of those
# $\ell_i$ whose time is not over: $L_t = \sum_{t_i > t} \ell_i$. Between two observations nothing is added, and (35)
# holds as before. When we pass $t_i$ on the way back, one more term joins the sum, and its gradient joins $a$:
#
# $$a(t_i) \leftarrow a(t_i) + \frac{\partial \ell_i}{\partial z(t_i)}.$$
#
# So $a$ **jumps**. The state has two ways to the loss, directly through $\ell_i$ and through everything that comes
# later, and the two gradients add up. The paper says it in one sentence below (46), and draws it in its Figure 2.

# %%
ts = np.array([0.5, 1.4, 2.6, 3.3, 4.5])
theta_true = np.array([3.6, 0.3, 1.4])
ys = odelearn.odesolve(z0, f, ts, theta_true).zs + 0.6 * rng.normal(size=(5, 2))  # as if somebody had measured them
zs = odelearn.odesolve(z0, f, ts, theta, EXACT).zs
a_zs = zs - ys  # row i: the derivative of l_i with respect to z(t_i)


def adjoint_with_jumps(zs, a_zs):
    """a(t_0), and the pieces of the backward solution, one for each interval."""
    a, pieces = a_zs[-1], []
    for i in reversed(range(len(ts) - 1)):
        s = np.concatenate([zs[i + 1], a])
        piece = odelearn.odesolve(s, z_and_a, (ts[i + 1], ts[i]), theta, EXACT)
        a = piece.zs[-1, 2:] + a_zs[i]  # the jump
        pieces.append(piece)
    return a, pieces


total = lambda z0: 0.5 * np.sum((odelearn.odesolve(z0, f, ts, theta, EXACT).zs - ys) ** 2)
a0, pieces = adjoint_with_jumps(zs, a_zs)
print("a(t0) is the derivative of the sum:", np.allclose(a0, odelearn.complex_step(total, z0), rtol=1e-9))

# %% [markdown] tags=["predict"]
# **Predict.** Before you run the next cell, sketch it: above, the angle over time with the observations; below,
# $dL/dx(t)$, as you go from right to left. Does it go up or down at an observation that lies *above* the solution?

# %%
fine = np.linspace(ts[0], ts[-1], 300)
x = odelearn.odesolve(z0, f, (ts[0], ts[-1]), theta, EXACT)(fine)[:, 0]
a_x = [(t_piece := np.linspace(*piece.ts, 100), piece(t_piece)[:, 2]) for piece in pieces]
figures.jumps((fine, x), (ts, zs[:, 0], ys[:, 0]), a_x)

# %% [markdown]
# Read the lower panel from right to left. The adjoint starts from 0 behind $t_N$, where nothing is to come. At each
# observation it jumps by the number that is orange in the upper panel: down where the observation lies above the
# solution, for there a larger $x$ would have been better. Between observations it follows (35). What arrives on the
# left, after the last jump, is $dL/dz(t_0)$.

# %% [markdown]
# The same in motion, for prey and predators:
#
# ![The adjoint runs back in time: above, the solution and its observations; below, the curve of the adjoint grows from right to left and jumps at each observation](../figures/adjoint.gif)

# %% [markdown] tags=["checkpoint"]
# **Checkpoint.** The same for a batch and a general $f$. `z` and `a` have shape `(3, 2)` here, and `s` holds both,
# shape `(2, 3, 2)`. You have `pullback(a)`, which returns $a \frac{df}{dz}$, $a \frac{df}{dt}$, $a \frac{df}{d\theta}$.
# The marked line is not complete.

# %% tags=["checkpoint"]


def my_adjoint(z0, f, ts, theta, a_zs):
    zs = odelearn.odesolve(z0, f, ts, theta).zs

    def z_and_a(s, t, theta):
        dz, pullback = f.vjp(s[0], t, theta)
        a_f_z, _, _ = pullback(s[1])
        return np.stack([dz, -a_f_z])

    a = a_zs[-1]
    for i in reversed(range(1, len(ts))):
        s = odelearn.odesolve(np.stack([zs[i], a]), z_and_a, (ts[i], ts[i - 1]), theta).zs[-1]
        a = s[1]  # <- yours: something happens at ts[i - 1]
    return a, None, None


checks.check_adjoint(my_adjoint, of=("z0",))

# %% [markdown] tags=["solution"]
# <details><summary><b>Answer</b></summary>
#
# The jump. It comes when $t_{i-1}$ is reached, so the index is $i - 1$.
#
# ```python
# def my_adjoint(z0, f, ts, theta, a_zs):
#     zs = odelearn.odesolve(z0, f, ts, theta).zs
#
#     def z_and_a(s, t, theta):
#         dz, pullback = f.vjp(s[0], t, theta)
#         a_f_z, _, _ = pullback(s[1])
#         return np.stack([dz, -a_f_z])
#
#     a = a_zs[-1]
#     for i in reversed(range(1, len(ts))):
#         s = odelearn.odesolve(np.stack([zs[i], a]), z_and_a, (ts[i], ts[i - 1]), theta).zs[-1]
#         a = s[1] + a_zs[i - 1]
#     return a, None, None
#
#
# assert checks.check_adjoint(my_adjoint, of=("z0",))
# ```
#
# </details>

# %% [markdown]
# ## 6. What the proof uses, and what a ReLU does to it
#
# The paper asks for an $f$ that is Lipschitz in $z$ and continuous in $t$. Let us collect what the lines above have
# used. In the table, $o(\varepsilon)$ is a remainder that vanishes even when it is divided by $\varepsilon$; for a
# limit of quotients that is enough.
#
# | line | what it uses | why |
# |---|---|---|
# | (37) | Lipschitz in $z$, continuous in $t$ | there is one solution through each point |
# | (34), (38) | $f$ continuously differentiable in $z$ | the flow has a derivative with respect to $z$, which solves the variational equation |
# | (41) | Lipschitz in $z$ and $t$ | for $O(\varepsilon^2)$; continuity in $t$ alone gives $o(\varepsilon)$ |
# | (42) | $\partial f / \partial z$ continuous | for $o(\varepsilon)$, enough for the limit; $O(\varepsilon^2)$ wants it Lipschitz |
# | (45) | $\partial f / \partial z$ continuous along the solution | the limit is its value *there* |
# | (51), notebook 06 | $f$ continuously differentiable in $\theta$ | it is (35) for the augmented state |
# | (52), notebook 06 | $f$ continuously differentiable in $t$ | the same; but $dL/dt_0 = -H(t_0)$ does without |
#
# A network with $\tanh$ or softplus satisfies all of it. A network with ReLUs is Lipschitz, and it is not continuously
# differentiable: $\mathrm{relu}(z) = \max(z, 0)$ has a kink, where its slope jumps from 0 to 1. The smallest example:
#
# $$\frac{dz}{dt} = 1 + \mathrm{relu}(z).$$
#
# It goes at speed 1 up to $z = 0$, and faster from there on. Its solution is known: $z$ rises like $t$ to the kink, and
# then like $e^t - 1$. Its smooth sister has $\mathrm{softplus}(z) = \log(1 + e^z)$ in place of the ReLU.


# %%
def T_relu(eps, z):
    """Where z is after a time eps, and the derivative of that with respect to z."""
    if z >= 0:
        return (1 + z) * np.exp(eps) - 1, np.exp(eps)
    return (z + eps, 1.0) if eps < -z else (np.expm1(eps + z), np.exp(eps + z))


smooth = lambda z, t, theta: 1 + np.log1p(np.exp(z))


def T_smooth(eps, z):
    solve = lambda z: odelearn.odesolve(z, smooth, (0, eps), None, EXACT).zs[-1]
    return solve(np.array([z]))[0], odelearn.complex_step(solve, np.array([z]))[0, 0]


def left_out(T, eps, z, slope, speed):
    """What (41) and (42) leave out."""
    end, J = T(eps, z)
    return abs(end - (z + eps * speed)), abs(J - (1 + eps * slope))


# %% [markdown] tags=["predict"]
# **Predict.** Let the solution stand exactly on the kink, $z = 0$, where `df_dz` is taken to be 0, as most libraries
# do. Which of the two remainders, that of (41) and that of (42), is still $O(\varepsilon^2)$? And what if $z = -0.03$,
# just before the kink?

# %%
e = 10.0 ** np.arange(-3, 0.01, 0.125)
smooth_41, smooth_42 = np.array([left_out(T_smooth, x, 0.0, 0.5, 1 + np.log(2)) for x in e]).T
on_41, on_42 = np.array([left_out(T_relu, x, 0.0, 0.0, 1.0) for x in e]).T
_, before_42 = np.array([left_out(T_relu, x, -0.03, 0.0, 1.0) for x in e]).T
for name, remainder in ("(41)", on_41), ("(42)", on_42):
    order = odelearn.observed_order(remainder[8::-1], ratio=10**0.125)
    print(f"ReLU, on the kink: what {name} leaves out shrinks like eps^{order:.1f}")

# %% [markdown]
# (41) has survived: it needed a Lipschitz $f$, and that is what we have. **(42) has lost an order.** Divided by
# $\varepsilon$, its remainder does not vanish. After the kink $da/dt = -a$, before it $da/dt = 0$, and *on* it the
# quotient (39) has one limit from above and another from below: $a$ has no derivative there, and (35) cannot be right
# with any one value of $\partial f / \partial z$. From a point before the kink all is well, until $\varepsilon$ is
# large enough to reach across.
#
# Yet a solution that crosses a kink spends no time on it. $f$ itself does not jump there, so $J$ and $a$ stay
# continuous, and (35) holds before and after. The integral (46) does not see a single moment. The *result* of Appendix
# B is saved, then. The price is paid by the solver, which assumed that the solution is smooth. Here is RK4, with its
# exact discrete gradient, as the solution runs through the kink:

# %%


def error_of_rk4(field, exact, exact_gradient, n):
    """Of z(2) and of dz(2)/dz(0), from z(0) = -0.7, by n steps of RK4."""
    zs, pullback = odelearn.Discrete().vjp(np.array([-0.7]), field, (0, 2), None, odelearn.rk4(n=int(n)))
    g = pullback(np.array([[0.0], [1.0]]))
    return abs(zs[-1, 0] - exact), abs(g.z0[0] - exact_gradient)


relu_field = odelearn.Dynamics(
    lambda z, t, theta: 1 + np.maximum(z, 0),
    lambda z, t, theta: (1 + np.maximum(z, 0), lambda a: (a * (z > 0), 0.0, np.zeros(0))),
)
ns = np.unique(np.round(10 ** np.arange(0.6, 2.4, 0.04))).astype(int)
rk4_relu = np.array([error_of_rk4(relu_field, *T_relu(2.0, -0.7), n) for n in ns]).T
rk4_smooth = np.array([error_of_rk4(smooth, *T_smooth(2.0, -0.7), n) for n in ns[::4]]).T

slopes = {}
for name, n, errors in ("ReLU", ns, rk4_relu), ("softplus", ns[::4], rk4_smooth):
    slopes[name] = [np.polyfit(np.log(2 / n), np.log(error), 1)[0] for error in errors]
    print(f"{name:9} error of the solution like h^{slopes[name][0]:.1f}, of its gradient like h^{slopes[name][1]:.1f}")
adaptive = odelearn.odesolve([-0.7], relu_field, (0, 2), None, odelearn.dopri5(1e-9, 1e-9))
shortest = min(adaptive.steps[1:-1], key=lambda step: step.h)
typical = np.median([step.h for step in adaptive.steps])
print(f"an adaptive solver, ReLU: shortest step {shortest.h:.4f} at t = {shortest.t:.2f}, typical step {typical:.4f}")
short = on_42, before_42, on_41, smooth_42, smooth_41
figures.kink(e, short, (2 / ns, *rk4_relu), (2 / ns[::4], *rk4_smooth))

# %% [markdown]
# For softplus both errors fall like $h^4$: the fitted slopes are {{slopes["softplus"][0]:.1f}} and
# {{slopes["softplus"][1]:.1f}}. For the ReLU the slope of the solution's error is {{slopes["ReLU"][0]:.1f}}, and **that
# of its gradient {{slopes["ReLU"][1]:.1f}}**. One expects 2 and 1, whatever the order of the method. The points
# scatter because it matters where in a step the kink happens to lie; where it falls on a mesh point by chance, nothing
# is lost. An adaptive solver notices: its shortest step, {{shortest.h:.4f}}, is at the kink.
#
# There is a worse case. For $dz/dt = \mathrm{relu}(z)$ a solution that starts at $z = 0$ *stays* on the kink, and
# $T_\varepsilon(z) = z$ on the one side, $e^\varepsilon z$ on the other. That has no derivative at $z = 0$, so there is
# no $a$ to speak of. A library returns a number all the same.
#
# Hence the advice: in the $f$ of a Neural ODE, take $\tanh$ or softplus.

# %% [markdown] tags=["break-it"]
# ## 7. Break it
#
# There is a law that an adjoint must obey. Let $z_0$ change by a small $\delta z_0$. The solution changes by
# $\delta z(t)$, which solves the variational equation of section 3. By the product rule and (35),
#
# $$\frac{d}{dt} (a\, \delta z) = -a \frac{\partial f}{\partial z} \delta z + a \frac{\partial f}{\partial z} \delta z
# = 0.$$
#
# Between two observations the number $a(t)\, \delta z(t)$ does not change. The check costs one solve.
#
# The cell is the loop of section 5 with a switch for each mistake, and asks two kinds of check. *Measured*: is what
# arrives the derivative of the loss, by the complex step? *Conserved*: is $a\, \delta z$ the same at both ends of each
# interval?
#
# **Before you run the cell:** which of the slips leave $a\, \delta z$ constant?

# %% tags=["break-it"]
u = rng.normal(size=2)
delta_z = odelearn.odesolve(z0 + 1e-20j * u, f, ts, theta, EXACT).zs.imag / 1e-20  # (5, 2)
truth = odelearn.complex_step(total, z0)


def with_slips(sign=-1, transposed=False, frozen=False, jump=1, jump0=1):
    """a(t_0), and by how much a dz changes in an interval, at most."""

    def dynamics(s, t, theta):
        z, a = s[:2], s[2:]
        J = df_dz(zs[-1] if frozen else z, t, theta)
        return np.concatenate([f(z, t, theta), sign * a @ (J.T if transposed else J)])

    a, change = a_zs[-1], 0.0
    for i in reversed(range(1, len(ts))):
        a_early = odelearn.odesolve(np.concatenate([zs[i], a]), dynamics, (ts[i], ts[i - 1]), theta, EXACT).zs[-1, 2:]
        change = max(change, abs(a_early @ delta_z[i - 1] - a @ delta_z[i]))
        a = a_early + (jump0 if i == 1 else jump) * a_zs[i - 1]
    return a, change


planted = {
    "none": {},
    "sign of da/dt": dict(sign=+1),
    "Jacobian transposed": dict(transposed=True),
    "df/dz always at z(t_N)": dict(frozen=True),
    "no jump at the observations": dict(jump=0),
    "a jump of the wrong sign": dict(jump=-1),
    "no jump at t_0": dict(jump0=0),
}
print(f"{'slip':30}{'dL/dz0':>11}{'a dz':>11}")
for name, slip in planted.items():
    found, change = with_slips(**slip)
    print(f"{name:30}" + "".join(f"{'ok' if gap < 1e-6 else 'WRONG':>11}" for gap in (size(found - truth), change)))

# %% [markdown]
# The law sees what is wrong *between* the observations, and is blind to what happens *at* them. A measured gradient sees
# everything, at the price of more solves. Good tests have both.

# %% [markdown] tags=["agree"]
# ## 8. Ours and the library's
#
# Every displayed equation of Appendix B.1 has been put beside its function in `odelearn.gradients`. What that proves
# differs.
#
# - (39) is a *definition*. (40), (43) and (44) are *algebra*: one expression put into another.
# - (36) is the chain rule; (42) says which derivative of $f$ goes where. There a matrix stands on our side, and a
#   pullback on the other.
# - (34), (37), (38), (41), (45) and (46) are statements about the *flow*. There the two sides were found in ways that do
#   not know of each other: the complex step, differences or quadrature here, a solve there.
# - That the remainders vanish, which is the proof's real claim, is seen in the slopes of section 3.

# %% tags=["agree"]
assert sorted(agreed) == list(range(34, 47)) and all(agreed.values())

for remainder, order in (left_out_41, 2), (left_out_42, 2), (off_39, 1), (off_43, 1), (from_below, 1):
    assert abs(odelearn.observed_order(remainder[-5:]) - order) < 0.05
for method in odelearn.Backsolve(), odelearn.Discrete():
    _, pullback = method.vjp(z0, f, ts, theta, EXACT)
    assert np.allclose(adjoint_with_jumps(zs, a_zs)[0], pullback(a_zs).z0, rtol=1e-7)
print("all agree")

# %% [markdown] tags=["pay-off"]
# ## 9. What it is good for: where did it start?
#
# A pendulum was seen at five moments, with a noise of 0.1 on angle and velocity. Gravity, friction and push are known.
# The state at $t_0$ is not. We guess that it hung at rest, and follow $-a(t_0)$, which our own loop computes, downhill.

# %% tags=["pay-off"]
noise, true_start = 0.1, np.array([-0.9, 1.6])
seen = odelearn.odesolve(true_start, f, ts, theta, EXACT).zs + noise * rng.normal(size=(5, 2))


def loss_and_grad(start):
    zs = odelearn.odesolve(start, f, ts, theta, EXACT).zs
    return 0.5 * np.sum((zs - seen) ** 2), adjoint_with_jumps(zs, zs - seen)[0]


start, history = odelearn.fit(loss_and_grad, np.zeros(2), odelearn.Adam(lr=0.1), 80, progress=False)
print(f"loss {history[0]:.2f} before, {history[-1]:.3f} after 80 steps")
print("start found:", start.round(2), "  the true one:", true_start)
off = np.linalg.norm(start - true_start)

# %% [markdown] tags=["pay-off"]
# The start is found, {{off:.2f}} away from the true one. It cannot be exact, for the observations are noisy.

# %% [markdown] tags=["exercise"]
# ## Exercises
#
# **1 (fill in).** If the path of the forward solve is kept, $z$ need not be solved backwards: a trajectory can be asked
# for its state at any time, `path(t)`. Then $a$ is solved alone. Complete its velocity.

# %% tags=["exercise"]


def along_the_path(z0, f, ts, theta, a_zs):
    path, a = odelearn.odesolve(z0, f, ts, theta), a_zs[-1]

    def da_dt(a, t, theta):
        _, pullback = f.vjp(path(t), t, theta)
        return pullback(a)[0]  # yours

    for i in reversed(range(1, len(ts))):
        a = odelearn.odesolve(a, da_dt, (ts[i], ts[i - 1]), theta).zs[-1] + a_zs[i - 1]
    return a, None, None


checks.check_adjoint(along_the_path, of=("z0",))

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# ```python
# def along_the_path(z0, f, ts, theta, a_zs):
#     path, a = odelearn.odesolve(z0, f, ts, theta), a_zs[-1]
#
#     def da_dt(a, t, theta):
#         _, pullback = f.vjp(path(t), t, theta)
#         return -pullback(a)[0]
#
#     for i in reversed(range(1, len(ts))):
#         a = odelearn.odesolve(a, da_dt, (ts[i], ts[i - 1]), theta).zs[-1] + a_zs[i - 1]
#     return a, None, None
#
#
# assert checks.check_adjoint(along_the_path, of=("z0",))
# ```
#
# The state of the backward solve is half as long, and nothing of $z$ can be lost on the way back. The price is memory for
# the path. Notebook 08 compares the two.
#
# </details>

# %% [markdown] tags=["exercise"]
# **2 (derive).** Let the loss be a *running cost*, $L = \int_{t_0}^{t_N} \ell(z(t))\, dt$. What is the differential
# equation for $a(t)$, and with which value does it start at $t_N$? Hint: make the cost so far a state,
# $dc/dt = \ell(z)$, and use (35) for the larger state. Check your answer for the pendulum with $\ell = \tfrac12 |z|^2$.

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# With the state $[z, c]$ the loss is $L = c(t_N)$, so the adjoint of the larger state, $[a, a_c]$, starts at $[0, 1]$.
# The right-hand side $[f, \ell]$ has the Jacobian
# $\begin{bmatrix} \partial f / \partial z & 0 \\ \partial \ell / \partial z & 0 \end{bmatrix}$: nothing depends on $c$.
# So $da_c/dt = 0$ and $a_c = 1$ throughout, and
#
# $$\frac{da}{dt} = -a \frac{\partial f}{\partial z} - \frac{\partial \ell}{\partial z}, \qquad a(t_N) = 0.$$
#
# The jumps of section 5 have become continuous: an observation at every moment.
#
# ```python
# def z_and_c(s, t, theta):
#     return np.concatenate([f(s[:2], t, theta), [0.5 * s[:2] @ s[:2]]])
#
#
# def running(s, t, theta):
#     z, a = s[:2], s[2:]
#     return np.concatenate([f(z, t, theta), -a @ df_dz(z, t, theta) - z])
#
#
# cost = lambda z0: odelearn.odesolve(np.concatenate([z0, [0]]), z_and_c, (t0, tN), theta, EXACT).zs[-1, 2]
# a_at_t0 = odelearn.odesolve(np.concatenate([z_N, np.zeros(2)]), running, (tN, t0), theta, EXACT).zs[-1, 2:]
# assert np.allclose(a_at_t0, odelearn.complex_step(cost, z0), rtol=1e-9)
# ```
#
# </details>

# %% [markdown] tags=["exercise"]
# **3 (explore).** Between the ReLU and its smooth sister lies a family,
# $\mathrm{softplus}_\beta(z) = \log(1 + e^{\beta z}) / \beta$, which comes closer to the ReLU as $\beta$ grows. Measure
# the remainder of (42) at $z = 0$ for $\beta = 1, 10, 100, 1000$, over $\varepsilon$ from $10^{-4}$ to $1$. Where does
# slope 2 turn into slope 1, and what does that say about the steps that a solver should take?

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# At $\varepsilon \approx 1 / \beta$. A step much shorter than $1 / \beta$ sees a smooth function, and slope 2. A longer
# one sees a kink, and slope 1. "Smooth" is always meant in comparison with the step: a very steep softplus is no better
# than a ReLU, unless the steps are as short as the bend is.
#
# ```python
# def remainder_42(beta, eps):
#     field = lambda z, t, theta: 1 + np.log1p(np.exp(-beta * z)) / beta + z  # the same, without overflow for z > 0
#     end = lambda z: odelearn.odesolve(z, field, (0, eps), None, EXACT).zs[-1]
#     return abs(odelearn.complex_step(end, np.zeros(1))[0, 0] - (1 + eps * 0.5))
#
#
# for beta in 10, 100, 1000:
#     short, long = (np.array([0.1, 0.05]) / beta, np.array([20, 10]) / beta)
#     assert abs(odelearn.observed_order([remainder_42(beta, x) for x in short]) - 2) < 0.1
#     if long[0] < 0.5:
#         assert odelearn.observed_order([remainder_42(beta, x) for x in long]) < 1.3
# ```
#
# </details>

# %% [markdown] tags=["summary"]
# ## Summary
#
# | equation | formula | section | in odelearn |
# |---|---|---|---|
# | (34) | $a(t) = dL/dz(t)$, the gradient of the loss to come | 1 | `gradients.appendix_b.adjoint` |
# | (35), (45) | $da/dt = -a\, \partial f / \partial z$ | 3 | `gradients.appendix_b.da_dt` |
# | (36) | the chain rule through a layer | 2 | `gradients.appendix_b.through_layer` |
# | (37) | $T_\varepsilon(z(t), t) = z(t + \varepsilon)$ | 2 | `gradients.appendix_b.T` |
# | (38) | $a(t) = a(t + \varepsilon)\, \partial T_\varepsilon / \partial z$, for any $\varepsilon$ | 2 | `gradients.appendix_b.a_before` |
# | (39), (40) | the quotient; the same by (38) | 3 | `gradients.appendix_b.quotient`, `gradients.appendix_b.quotient_through_layer` |
# | (41), (42) | $T_\varepsilon = z + \varepsilon f + O(\varepsilon^2)$; its derivative, by the variational equation | 3 | `gradients.appendix_b.T_taylor`, `gradients.appendix_b.a_before_taylor` |
# | (43), (44) | $I$ cancels, $\varepsilon$ divides out | 3 | `gradients.appendix_b.quotient_taylor`, `gradients.appendix_b.quotient_reduced` |
# | (46) | $a(t_0) = a(t_N) - \int_{t_N}^{t_0} a\, \partial f / \partial z\, dt$ | 4 | `gradients.appendix_b.a_at_start` |
# | Figure 2 | $a$ jumps by $\partial L / \partial z(t_i)$ | 5 | `gradients.backsolve.Backsolve` |
#
# - The adjoint is the gradient of the loss to come. Its equation is the chain rule for a layer that lasts no time.
# - It jumps where the loss looks at the state.
# - The proof needs an $f$ with a continuous $\partial f / \partial z$. With a ReLU the result survives, the order does
#   not.
#
# **Sources.** R. T. Q. Chen, Y. Rubanova, J. Bettencourt, D. Duvenaud, *Neural Ordinary Differential Equations*, arXiv
# 1806.07366, Appendix B.1. E. Hairer, S. P. Nørsett, G. Wanner, *Solving Ordinary Differential Equations I* (1993), section I.14, on derivatives of
# a flow.
