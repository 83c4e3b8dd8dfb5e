# %% [markdown] tags=["header"]
# # 11 Normalizing flows
#
# | | |
# |---|---|
# | **You will be able to** | carry a probability density along with the points of an ODE; differentiate a trace by hand; estimate a trace by one random vector; train a flow on a density and on data, and report a likelihood that can be trusted |
# | **You need** | notebooks 02 and 04; determinants and traces; what a probability density is |
# | **Time** | {{minutes_to_read}} minutes to read, {{minutes_to_do}} for the checkpoints and exercises |
# | **Equations** | (6) to (10): change of variables, planar flow, Theorem 1, planar continuous flow |
#
# A normalizing flow turns simple noise into data by an invertible map, and knows the density of what comes out. With
# layers, the price of that is a determinant for each of them. With an ODE it is a trace. This notebook derives that,
# runs it, and measures what it is worth.

# %%
import numpy as np

import odelearn
from odelearn import checks, datasets
from odelearn.models.flow import draw_noise, log_density, log_standard_normal, push_forward, with_log_density
from odelearn.models.planar import PlanarField, PlanarFlow
from odelearn.plotting.course import flows as figures

# %% [markdown]
# ## 1. From determinants to a trace
#
# Let $z_0$ have the density $p_0$, and $z_1 = f(z_0)$ with an invertible $f$. What lay in a small volume around $z_0$ now
# lies in one that is $\lvert\det \partial f / \partial z_0\rvert$ times as large. The probability is the same, so (6):
#
# $$\log p_1(z_1) = \log p_0(z_0) - \log \left\lvert \det \frac{\partial f}{\partial z_0} \right\rvert.$$
#
# A determinant of a $D \times D$ matrix costs $O(D^3)$. The planar flow (7), $z + u\, h(w^T z + b)$, avoids that by
# having one hidden unit: then $\det = 1 + u^T \frac{\partial h}{\partial z}$. One unit bends space along one direction
# only, so many layers are needed.
#
# Now let the map be a short step of an ODE, $T_\epsilon(z) = z + \epsilon f(z) + O(\epsilon^2)$. With $J = \partial f / \partial z$ its
# determinant is
#
# $$\det(I + \epsilon J + O(\epsilon^2)) = 1 + \epsilon\, \mathrm{tr}\, J + O(\epsilon^2).$$
#
# (Multiply out: a product with two factors off the diagonal has $\epsilon^2$.) Take logarithms, divide by $\epsilon$, and let it go to
# 0. That is Theorem 1 of the paper, (8):
#
# $$\frac{d \log p(z(t))}{dt} = -\mathrm{tr}\left( \frac{\partial f}{\partial z} \right).$$

# %%
J = np.array([[0.3, -1.0, 0.2], [0.7, -0.8, 0.4], [0.1, 0.5, 0.9]])
for eps in 0.1, 0.01, 0.001:
    print(f"eps = {eps:5}: log det(I + eps J) / eps = {np.log(np.linalg.det(np.eye(3) + eps * J)) / eps:.5f}")
print(f"                                  tr J = {np.trace(J):.5f}")

# %% [markdown] tags=["predict"]
# **Predict.** A linear flow $dz/dt = A z$ has the same trace everywhere. By how much does $\log p$ fall along a path from
# $t = 0$ to $t = T$? Does it matter where the path begins? What if $\mathrm{tr}\, A = 0$?

# %%
A, T = np.array([[0.3, -1.0], [0.7, -0.8]]), 1.7
flow = with_log_density(lambda z, t, theta: z @ theta.reshape(2, 2).T)
z0 = np.random.default_rng(0).normal(size=(5, 2))
x, log_p = push_forward(z0, flow, A.ravel(), (0.0, T))
print("change of log p:", np.round(log_p - log_standard_normal(z0), 6))
print("-T tr A:        ", round(-T * np.trace(A), 6))

# %% [markdown]
# `with_log_density` makes a field on states $[z, \log p]$ of a field on $z$. An ordinary solver does the rest.
#
# ## 2. A sum of fields costs a sum of traces
#
# A trace is linear, a determinant is not. So $M$ units together cost $M$ times one of them. The paper's planar continuous
# flow is (9), and (10) with the minus sign of (8), which the paper's (10) lacks:
#
# $$\frac{dz}{dt} = \sum_{m=1}^M \sigma_m(t)\, u_m \tanh(w_m^T z + b_m), \qquad
# \frac{d \log p}{dt} = -\sum_{m=1}^M \sigma_m(t)\, u_m^T w_m \tanh'(w_m^T z + b_m).$$
#
# The gates $\sigma_m(t) \in (0, 1)$ let a unit work at its own time.

# %%
field = PlanarField(M=6)
theta = field.init(np.random.default_rng(1))
W, b, U, alpha, beta = field.unravel(theta)
z, t, trace = np.random.default_rng(2).normal(size=(4, 2)), 0.3, 0.0
for m in range(6):
    gate = 1 / (1 + np.exp(-(alpha[m] * t + beta[m])))
    trace = trace + gate * (U[m] @ W[:, m]) / np.cosh(z @ W[:, m] + b[m]) ** 2  # (10), unit by unit
print(trace)
print(field.trace_vjp(z, t, theta)[0])

# %% [markdown] tags=["checkpoint"]
# **Checkpoint.** To train through (8) we need the derivative of the trace. For one hidden layer without gates,
# $f(z) = \tanh(z W + b)\, U$, the trace of row $n$ is $\sum_m s_{nm} c_m$ with $s = 1 - y^2$, $y = \tanh(z W + b)$ and
# $c_m = \sum_d W_{dm} U_{md}$. Write its pullback. You need $\tanh'' = -2 \tanh \tanh'$, and `W` is used twice.

# %% tags=["checkpoint"]


def my_trace(z, W, b, U):
    y = np.tanh(z @ W + b)  # (N, M)
    s, c = 1 - y * y, np.sum(W.T * U, axis=1)  # (N, M), (M,)

    def pullback(a):  # a (N,)
        a_c = s.T @ a
        a_pre = np.zeros_like(y)  # <- yours
        a_z, a_W, a_b, a_U = (
            a_pre @ W.T,
            z.T @ a_pre,
            a_pre.sum(axis=0),
            a_c[:, np.newaxis] * W.T,
        )  # <- and one of these
        return a_z, a_W, a_b, a_U

    return s @ c, pullback


checks.check_vjp(my_trace, z, W, b, U)

# %% [markdown] tags=["solution"]
# <details><summary><b>Answer</b></summary>
#
# $s_{nm}$ depends on $z$, $W$ and $b$ by way of `pre`, with the slope $\tanh'' = -2 y s$. And $W$ stands in $c$ as well.
#
# ```python
# def my_trace(z, W, b, U):
#     y = np.tanh(z @ W + b)
#     s, c = 1 - y * y, np.sum(W.T * U, axis=1)
#
#     def pullback(a):
#         a_c = s.T @ a
#         a_pre = -2 * y * s * a[:, np.newaxis] * c
#         a_W = z.T @ a_pre + (a_c[:, np.newaxis] * U).T
#         return a_pre @ W.T, a_W, a_pre.sum(axis=0), a_c[:, np.newaxis] * W.T
#
#     return s @ c, pullback
#
#
# assert checks.check_vjp(my_trace, z, W, b, U)
# ```
#
# </details>

# %% [markdown]
# ## 3. One random vector instead of D derivatives
#
# In two dimensions a trace is cheap. In $D$ dimensions a general net needs $D$ derivatives for it. Hutchinson (1990) takes
# one: for random $\varepsilon$ with mean 0 and covariance $I$
#
# $$E[\varepsilon^T J \varepsilon] = \sum_{ij} J_{ij} E[\varepsilon_i \varepsilon_j] = \mathrm{tr}\, J.$$
#
# The variance depends on the noise. With components $\pm 1$ (Rademacher) $\varepsilon_i^2 = 1$ always, so the diagonal of
# $J$ adds none, and what is left is $\sum_{i<j} (J_{ij} + J_{ji})^2$. Normal components add $2 \sum_i J_{ii}^2$.

# %%
rng, draws = np.random.default_rng(3), {}
pairs = sum((J[i, j] + J[j, i]) ** 2 for i in range(3) for j in range(i))
for kind, variance in ("rademacher", pairs), ("gaussian", pairs + 2 * np.sum(np.diag(J) ** 2)):
    eps = draw_noise(rng, 100_000, 3, kind)
    draws[kind] = np.einsum("ni,ij,nj->n", eps, J, eps)
    print(f"{kind:10}: mean {draws[kind].mean():.3f}, variance {draws[kind].var():.3f}, by the formula {variance:.3f}")
figures.estimator(draws, np.trace(J))

# %% [markdown]
# In a solve the noise is drawn once, and stays the same at every stage and step. Then the solver sees one smooth field,
# and the estimate of $\int \mathrm{tr}\, dt$ has the right mean.
#
# ## 4. A flow learns a density
#
# Figure 4 of the paper: given is a density up to a factor, $e^{-U(x)}$. We draw $z_0 \sim N(0, I)$, let it flow to $x$,
# and lower $E[\log q(x) + U(x)]$, which is the Kullback-Leibler divergence minus $\log Z$. Its least value is
# $-\log Z = -\log \int e^{-U} dx$. We train a continuous flow (CNF) with 8 units and a planar flow (NF) with 8 layers, for
# the same number of iterations.

# %%
U1 = datasets.POTENTIALS["U1"]


def lr(step):
    return 0.03 * (1 - step / 500) + 3e-4


def train(loss_and_grad, theta, rng):
    step = lambda theta: loss_and_grad(theta, rng.normal(size=(128, 2)))
    return odelearn.fit(step, theta, odelearn.Adam(lr=lr), 500, progress=False)[0]


cnf, nf, rng = PlanarField(8), PlanarFlow(8), np.random.default_rng(0)


def cnf_loss(theta, z0, solver):
    x, log_q = push_forward(z0, with_log_density(cnf), theta, solver=solver)
    return np.mean(log_q + U1(x))


def nf_loss_and_grad(theta, z0):
    (x, log_det), pullback = nf.vjp(z0, theta)  # (7)
    potential, a_x = odelearn.value_and_grad(lambda x: np.mean(U1(x)))(x)
    loss = np.mean(log_standard_normal(z0) - log_det) + potential
    return loss, pullback(a_x, np.full(len(z0), -1 / len(z0)))[1]


theta_cnf = train(
    lambda theta, z0: odelearn.value_and_grad(lambda p: cnf_loss(p, z0, odelearn.rk4(n=4)))(theta), cnf.init(rng), rng
)
theta_nf = train(nf_loss_and_grad, nf.init(rng), rng)

z0 = rng.normal(size=(4000, 2))
losses = cnf_loss(theta_cnf, z0, odelearn.dopri5(1e-6, 1e-6)), nf_loss_and_grad(theta_nf, z0)[0]
print(f"CNF {losses[0]:.2f}, NF {losses[1]:.2f}, the least possible {datasets.lowest_loss(U1):.2f}")

# %%
axis = np.linspace(-4, 4, 100)
square = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
clouds = {
    "CNF, M = 8": push_forward(z0, with_log_density(cnf), theta_cnf, solver=odelearn.rk4(n=8))[0],
    "NF, K = 8": nf(z0, theta_nf)[0],
}
figures.matched((4, np.exp(-U1(square)).reshape(100, 100)), clouds)

# %% [markdown]
# The experiment `python -m odelearn flow` does it for three densities and three sizes, also with as much time and as many
# parameters for the NF, and a better way of training it. The scoreboard says what comes out.

# %% [markdown] tags=["pay-off"]
# ## 5. A flow learns from data
#
# With data $x$ the flow runs the other way: from $x$ back to $z(t_0)$, where the density is known, and
# $\log p(x) = \log p_0(z(t_0)) - \int \mathrm{tr}\, dt$. An ODE runs backwards at the price of running forwards, so the same
# field gives densities and samples.


# %%
def moons(rng, n):
    """Two moons, centred, each coordinate with variance 1."""
    return (datasets.two_moons(rng, n, noise=0.08)[0] - [0.5, 0.25]) / [0.8697, 0.5006]


rng = np.random.default_rng(0)
data, held_out = moons(rng, 4000), moons(rng, 1000)
field = PlanarField(32)
flow = with_log_density(field)


def nats(theta, x, solver):
    """-log p per point."""
    return -np.mean(log_density(x, flow, theta, solver=solver))


def learn(solver, steps, lr):
    rng = np.random.default_rng(1)
    batch = lambda: data[rng.integers(len(data), size=128)].astype(np.float32)
    loss_and_grad = lambda theta: odelearn.value_and_grad(lambda p, x: nats(p, x, solver))(theta, batch())
    opt = odelearn.Adam(lr=lambda step: lr * (1 - step / steps) + 1e-4)
    return odelearn.fit(loss_and_grad, field.init(rng), opt, steps, progress=False)[0]


theta = learn(odelearn.rk4(n=8), 600, 0.03)
z0 = np.random.default_rng(2).normal(size=(500, 2))
ts = [0.0, 0.25, 0.5, 0.75, 1.0]
paths = odelearn.odesolve(z0, field, ts, theta, odelearn.rk4(n=3)).zs
figures.samples(paths, ts, held_out[:500])

# %%
tight = odelearn.dopri5(1e-6, 1e-6)
scale = np.array([0.8697, 0.5006])
log_true = datasets.log_two_moons(held_out * scale + [0.5, 0.25], 0.08) + np.log(scale).sum()
print(
    f"the flow {nats(theta, held_out, tight):.3f} nats, the density of which the points were drawn {-log_true.mean():.3f}"
)

# %% [markdown] tags=["predict"]
# **Predict.** Half the steps, half the time: we train with `rk4(n=2)` at a large learning rate. What does that solver say
# of the result, and what does a tight one say? Can a model be better than the true density?

# %%
theta_coarse = learn(odelearn.rk4(n=2), 900, 0.06)
claimed, is_true = nats(theta_coarse, held_out, odelearn.rk4(n=2)), nats(theta_coarse, held_out, tight)
print(f"trained with rk4(n=2): it claims {claimed:.3f} nats, and has {is_true:.3f}")

# %% [markdown]
# (8) belongs to the exact flow. The map of a coarse solver is another map, and the integral of the trace is not its
# determinant. Training lowers what it is told to lower, and so it finds fields for which the two part. **Report a
# likelihood by a tight solver, whatever the training used.**

# %% [markdown] tags=["break-it"]
# ## 6. Break it
#
# Three slips in the field of $[z, \log p]$: the sign of (10) as printed; the noise of Hutchinson's estimator drawn anew at
# every stage; the trace at the wrong time. **Before you run the cell:** each density is summed over a grid. Which slips does
# the sum show, which only the determinant of the flow map?

# %% tags=["break-it"]
small = PlanarField(6)
theta_small = small.init(np.random.default_rng(6))
axis = np.linspace(-7, 7, 141)
grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
point = np.array([[0.4, -0.7]])


def slipped(sign=1.0, late=0.0, fresh=None):
    """The field of Theorem 1 with a switch for each slip."""

    def g(s, t, theta):
        z = s[:, :-1]
        dz, trace, _ = small.value_and_trace_vjp(z, t + late, theta)
        if fresh is not None:
            eps = draw_noise(fresh, *z.shape)
            trace = np.einsum("ni,nij,nj->n", eps, small.jacobian_vjp(z, t, theta)[1], eps)
        return np.concatenate([small(z, t, theta), -sign * trace[:, np.newaxis]], axis=1)

    return g


def flow_map(z):
    return odelearn.odesolve(z[np.newaxis], small, (0.0, 1.0), theta_small, odelearn.rk4(n=20)).zs[-1][0]


log_det = np.log(np.abs(np.linalg.det(odelearn.finite_difference(flow_map, point[0]))))
caught = {}
for name, switches in {
    "right": {},
    "plus sign": {"sign": -1.0},
    "trace half a unit late": {"late": 0.5},
    "fresh noise": {"fresh": np.random.default_rng(0)},
}.items():
    total = np.sum(np.exp(log_density(grid, slipped(**switches), theta_small, solver=odelearn.rk4(n=20)))) * 0.1**2
    change = push_forward(point, slipped(**switches), theta_small, solver=odelearn.rk4(n=20))[1] - log_standard_normal(
        point
    )
    caught[name] = abs(total - 1), abs(change[0] + log_det)
    print(f"{name:24} total probability {total:.4f}   log p + log|det| off by {caught[name][1]:.4f}")

# %% [markdown]
# Both checks catch all three. The noise that is drawn anew is nearly right in the sum, where its errors average out over
# the grid, and wrong for each single point. Its slope also jumps from stage to stage, which no solver expects.

# %% [markdown] tags=["agree"]
# ## 7. Ours and the library's
#
# `my_trace` in section 2 was for one field. `nn/mlp_jacobian.py` does it for an `MLP` of any depth, and `with_log_density`
# lets the tape do it for any function.

# %% tags=["agree"]
plain = with_log_density(lambda z, t, theta: small(z, t, theta))
s = np.concatenate([z, np.zeros((4, 1))], axis=1)
a = np.random.default_rng(0).normal(size=s.shape)
for by_hand, taped in zip(
    with_log_density(small).vjp(s, 0.3, theta_small)[1](a), plain.vjp(s, 0.3, theta_small)[1](a), strict=True
):
    assert np.allclose(by_hand, taped, rtol=1e-10, atol=1e-12)
assert caught["right"][0] < 1e-4 and caught["right"][1] < 1e-5
assert all(total > 1e-3 and gap > 1e-3 for name, (total, gap) in caught.items() if name != "right")
assert np.allclose(push_forward(np.zeros((1, 2)), with_log_density(small), theta_small)[1],
                   push_forward(np.zeros((1, 2)), slipped(), theta_small)[1])  # fmt: skip
print("agreed")

# %% [markdown] tags=["exercise"]
# ## Exercises
#
# **1 (fill in).** The density of a point $x$, by one solve of the augmented state from $t = 1$ back to $t = 0$. One sign is
# wrong, and the start of the last component is missing. Compare with `log_density`.

# %% tags=["exercise"]


def my_log_density(x, theta):
    s = np.concatenate([x, np.ones((len(x), 1))], axis=1)  # yours: what does the last component start from?
    s = odelearn.odesolve(s, with_log_density(small), (1.0, 0.0), theta, tight).zs[-1]
    return log_standard_normal(s[:, :-1]) + s[:, -1]  # yours


print(my_log_density(point, theta_small), log_density(point, with_log_density(small), theta_small))

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# Start from 0. On the way back the last component collects $-\int_1^0 \mathrm{tr}\, dt$, with its sign the change of
# $\log p$ from data to noise. So $\log p(x)$ is $\log p_0$ minus it.
#
# ```python
# def my_log_density(x, theta):
#     s = np.concatenate([x, np.zeros((len(x), 1))], axis=1)
#     s = odelearn.odesolve(s, with_log_density(small), (1.0, 0.0), theta, tight).zs[-1]
#     return log_standard_normal(s[:, :-1]) - s[:, -1]
#
#
# assert np.allclose(my_log_density(point, theta_small), log_density(point, with_log_density(small), theta_small))
# ```
#
# </details>

# %% [markdown] tags=["exercise"]
# **2 (derive).** Show that the variance of $\varepsilon^T J \varepsilon$ is $\sum_{i<j} (J_{ij} + J_{ji})^2$ for independent
# components $\pm 1$, and $2 \sum_i J_{ii}^2$ more for normal ones. For which matrices is Rademacher noise exact?

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# Write $\varepsilon^T J \varepsilon = \sum_i J_{ii} \varepsilon_i^2 + \sum_{i<j} (J_{ij} + J_{ji})\, \varepsilon_i \varepsilon_j$. The
# products $\varepsilon_i \varepsilon_j$ with $i < j$ have mean 0 and variance 1, and are uncorrelated with each other and with
# all $\varepsilon_i^2$. So their variances add up. The variance of $\varepsilon_i^2$ is 0 for components $\pm 1$, and
# $E[\varepsilon_i^4] - 1 = 2$ for normal ones. Rademacher noise is exact where $J_{ij} + J_{ji} = 0$ off the diagonal: for a
# diagonal matrix, for a rotation, and for sums of both.
#
# </details>

# %% [markdown] tags=["exercise"]
# **3 (explore).** How do the evaluations of an adaptive solver grow while a flow learns? Train on two moons for 0, 100, 300
# and 600 steps, and count the evaluations that `dopri5(1e-5, 1e-5)` takes from the data to the noise.

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# They grow from {{counts[0]}} to {{counts[-1]}}. Nothing in the likelihood asks for paths that are easy to follow. The
# penalties of `models/flow_penalties.py` do.
#
# ```python
# counts = []
# for steps in 1, 100, 300, 600:
#     learned = learn(odelearn.rk4(n=8), steps, 0.03)
#     start = np.concatenate([held_out, np.zeros((1000, 1))], axis=1)
#     counts.append(odelearn.odesolve(start, flow, (1.0, 0.0), learned, odelearn.dopri5(1e-5, 1e-5)).stats.evals)
# assert counts[-1] > counts[0]
# ```
#
# </details>

# %% [markdown] tags=["summary"]
# ## Summary
#
# | formula | in words | in odelearn |
# |---|---|---|
# | $\log p_1 = \log p_0 - \log \lvert\det\rvert$ | (6), change of variables | `models.planar.PlanarFlow` |
# | $z + u\, h(w^T z + b)$ | (7), one unit a layer, a determinant that is a number | `models.planar.planar_layer` |
# | $d \log p / dt = -\mathrm{tr}\, \partial f / \partial z$ | (8), Theorem 1 | `models.flow.with_log_density` |
# | $\sum_m \sigma_m(t)\, u_m \tanh(w_m^T z + b_m)$ | (9), (10): traces add up | `models.planar.PlanarField` |
# | $\varepsilon^T J \varepsilon$ | a trace by one random vector | `models.flow.draw_noise` |
#
# - A flow is evaluated and sampled at the same cost: it is one solve, in one direction or the other.
# - A likelihood belongs to a solver. Report it by a tight one.
# - Total probability and the determinant of the flow map check any field of $[z, \log p]$.
#
# **Sources.** R. T. Q. Chen et al. (2018), section 4. D. J. Rezende, S. Mohamed, *Variational inference with normalizing
# flows* (2015). W. Grathwohl et al., *FFJORD* (2019). M. F. Hutchinson (1990). C. Finlay et al., *How to train your Neural
# ODE* (2020). Y. Lipman et al., *Flow matching for generative modeling* (2023).
