# %% [markdown] tags=["header"]
# # 12 A latent ODE
#
# | | |
# |---|---|
# | **You will be able to** | model a series at irregular times as a trajectory that nobody sees, infer its start, check the bound that trains it, and extrapolate; tell the rate of events in the same way |
# | **You need** | notebooks 02 (pullbacks), 04 (through a solver), and the end of 07 (the evidence bound) |
# | **Time** | {{minutes_to_read}} minutes to read, {{minutes_to_do}} for the checkpoint and the exercises |
# | **Equations** | (11) to (13), (53); Table 2 and Figures 6 to 10 of the paper, at toy scale |
#
# Observations often come at irregular times: a patient is measured when there is a reason to. A recurrent net takes one
# step an observation and has no notion of the time between. Section 5 of the paper puts time where it belongs, into an
# ODE. What is observed is a noisy view of a state $z(t)$, and this state obeys $dz/dt = f(z)$.

# %%
import numpy as np

import odelearn
from odelearn import MLP, checks
from odelearn.datasets import irregular_spirals, latent_spirals
from odelearn.experiments.latent import latent_ode, recurrent
from odelearn.models.encoder import Encoder
from odelearn.models.irregular import solve_at_vjp
from odelearn.models.latent import LatentODE, kl_vjp
from odelearn.models.poisson import draw_events
from odelearn.models.stretches import cosine, stretch_loss
from odelearn.nn import GRU
from odelearn.plotting.course import latent_ode as figures

rng = np.random.default_rng(0)

# %% [markdown]
# ## 1. Spirals at irregular times
#
# Half of our spirals run clockwise. Each has its own start, and is seen 50 times during its first turn, with noise, at
# times of its own. The question is where it will be during its second turn.

# %%
data = irregular_spirals(rng, observations=50, n=400)
print("the first gaps between observations of two spirals:", np.diff(data.ts[:2, :6]).round(2).tolist())
print(f"{data.clockwise.mean():.0%} run clockwise; a component has the standard deviation {data.xs.std():.2f}")

# %%
ways = [np.flatnonzero(data.clockwise == way)[0] for way in (True, False)]
fine = np.linspace(0, 4 * np.pi, 200)


def spiral(n):
    angle = data.phase[n] + (-fine if data.clockwise[n] else fine)
    return (data.radius[n] + fine / (8 * np.pi))[:, np.newaxis] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


figures.spirals([data.xs[n] for n in ways], [spiral(n) for n in ways])

# %% [markdown]
# ## 2. A trajectory that nobody sees
#
# The model tells how such a series comes about. Draw a start, (11); let it move, (12); look at it with noise, (13):
#
# $$z_{t_0} \sim N(0, I), \qquad z_{t_1}, \dots, z_{t_N} = \text{ODESolve}(z_{t_0}, f, \theta_f, t_0, \dots, t_N),
#   \qquad x_{t_i} \sim N(g(z_{t_i}), \sigma^2).$$
#
# $f$ and $g$ are small nets. The times $t_i$ are an argument of the solver, and so they may be any. The state has four
# components here. An observation has two, but the state must also know which way it turns.

# %%
model = latent_ode(50)
theta = model.init(rng)
ts = np.sort(rng.uniform(0, 6, (3, 8)), axis=1)  # three series, eight times each
means, _ = model.decode_vjp(rng.normal(size=(3, 4)), ts, theta)
print("f:", model.f, " g:", model.decoder, " means of x:", means.shape)

# %% [markdown]
# All rows are solved together, in steps of equal length, and each is read at its own times from the cubic between two
# steps (`models.irregular.solve_at_vjp`). So 50 observations cost no more evaluations of $f$ than one.

# %% [markdown] tags=["predict"]
# **Predict.** The last observation is at $t = 6$. We ask for 10 times as many observations in the same time. By which
# factor does the number of evaluations of $f$ grow? And in a recurrent net, which takes a step an observation?

# %%
for K in 8, 80:
    f = odelearn.counted(model.f)
    solve_at_vjp(np.zeros((1, 4)), f, np.linspace(0, 6, K)[np.newaxis], model.unravel(theta)["f"], model.h)
    print(f"{K:3} observations: {f.evals} evaluations of f")

# %% [markdown]
# ## 3. Reading backwards
#
# To go on from the data we need $z_{t_0}$. A net guesses it, and says how sure it is: $q(z_{t_0} | x) = N(\mu, s^2)$ in
# each component. It is a gated recurrent unit (`nn.gru.GRU`), which reads the observations and the gaps between them
# from the last to the first, because $z_{t_0}$ belongs to the first time. A gate decides how much of its memory $h$ is
# kept:
#
# $$h_{\text{next}} = (1 - u)\, n + u\, h, \qquad u = \text{sigmoid}(\dots), \quad n = \tanh(\dots).$$

# %%
mean, log_std, pullback = model.encoder.vjp(data.xs[:3], data.ts[:3], theta[: model.encoder.size])
print("mean of q:", mean.round(2).tolist()[0], " standard deviation:", np.exp(log_std[0]).round(2))

# %% [markdown]
# Its pullback is written by hand. Here is one gate with its pullback.

# %% [markdown] tags=["checkpoint"]
# **Checkpoint.** The state $h$ is used twice: in the mixture, and inside of $u$. One of the two was forgotten on the way
# back.

# %% tags=["checkpoint"]


def gate(h, U, n):
    u = 1 / (1 + np.exp(-h @ U))

    def pullback(a):
        a_u = a * (h - n) * u * (1 - u)
        a_h = a * u  # <- yours
        return a_h, h.T @ a_u, a * (1 - u)

    return (1 - u) * n + u * h, pullback


checks.check_vjp(gate, rng.normal(size=(4, 3)), rng.normal(size=(3, 3)), rng.normal(size=(4, 3)))

# %% [markdown] tags=["solution"]
# <details><summary><b>Answer</b></summary>
#
# ```python
# def gate(h, U, n):
#     u = 1 / (1 + np.exp(-h @ U))
#
#     def pullback(a):
#         a_u = a * (h - n) * u * (1 - u)
#         return a * u + a_u @ U.T, h.T @ a_u, a * (1 - u)
#
#     return (1 - u) * n + u * h, pullback
#
#
# assert checks.check_vjp(gate, rng.normal(size=(4, 3)), rng.normal(size=(3, 3)), rng.normal(size=(4, 3)))
# ```
#
# </details>

# %% [markdown]
# ## 4. The bound
#
# The likelihood of the data is an integral over all starts $z_{t_0}$, and out of reach. For any $q$ there is a bound, (53):
#
# $$\log p(x) \;\ge\; \text{ELBO} = E_{q}\Big[\sum_i \log p(x_{t_i} | z_{t_i})\Big] - \text{KL}(q \,\|\, p(z_{t_0})),$$
#
# and what is missing is exactly $\text{KL}(q \,\|\, p(z_{t_0} | x))$. We train $f$, $g$, $\sigma$ and the encoder together to
# raise it. For the expectation one sample is enough, $z_{t_0} = \mu + s\, \varepsilon$: it is a function of $\mu$ and $s$,
# and so it has a pullback.
#
# When everything is linear, all is known. Let $z$ be one number, $dz/dt = -z/2$ and $g(z) = 2z$. Then $x$ is normal with
# the covariance $J J^T + \sigma^2 I$, where $J_i = 2 e^{-t_i/2}$, and so is the posterior of $z_{t_0}$.

# %%
linear = LatentODE(Encoder(GRU(2, 3), 1), MLP([1, 1]), MLP([1, 1]), h=0.05)
weights = np.concatenate([np.zeros(linear.encoder.size), [-0.5, 0.0], [2.0, 0.0], [np.log(0.6)]])
ts, x = np.array([[0.0, 0.3, 1.1, 2.0]]), np.array([[[1.9], [0.7], [1.6], [0.2]]])
J, s2 = 2 * np.exp(-0.5 * ts[0]), 0.6**2
covariance = np.outer(J, J) + s2 * np.eye(4)
evidence = -0.5 * (x[0, :, 0] @ np.linalg.solve(covariance, x[0, :, 0]) + np.linalg.slogdet(2 * np.pi * covariance)[1])
variance = 1 / (1 + J @ J / s2)
posterior = variance * (J @ x[0, :, 0]) / s2, np.sqrt(variance)


def elbo(mean, std, kl_sign=-1):
    """Without chance: the bound is quadratic in eps, and eps = -1, 1 has mean 0 and variance 1."""
    q = np.array([[mean]]), np.log([[std]])
    bound = np.mean([linear.bound_vjp(x, ts, *q, np.array([[eps]]), weights)[0] for eps in (-1.0, 1.0)])
    return bound + (1 + kl_sign) * kl_vjp(*q)[0]


print(f"log p(x) = {evidence:.4f}")
for mean, std in (0.0, 1.0), (0.5, 0.3), posterior:
    print(f"q = N({mean:.2f}, {std:.2f}^2): ELBO = {elbo(mean, std):.4f}")

# %% [markdown]
# The last $q$ is the posterior. There the bound is the evidence itself.

# %% [markdown] tags=["break-it"]
# **Break it.** In Appendix E the minus before $\log q$ is lost. Then KL is added instead of taken away. Is it still a bound?

# %% tags=["break-it"]
grid = [(mean, std) for mean in np.linspace(-1, 2, 13) for std in (0.1, 0.2, 0.5, 1.0)]
print("right sign: largest ELBO - log p(x) =", f"{max(elbo(*q) for q in grid) - evidence:.2f}")
print("wrong sign: largest ELBO - log p(x) =", f"{max(elbo(*q, kl_sign=+1) for q in grid) - evidence:.2f}")

# %% [markdown]
# ## 5. Training on stretches
#
# Each step takes random stretches of random series. The encoder reads the first part of a stretch, and the bound scores all
# of it. That is still a bound, since it holds for any $q$, and it asks for what we want in the end: go on from what was read.
# The recurrent net beside it gets the same stretches, as many steps, and about as many parameters. It reads
# $x_{t_i}$ and the gap to $t_{i+1}$, predicts $x_{t_{i+1}}$, and beyond what was read it reads its own predictions.

# %%
learn, test = slice(0, 350), slice(350, 400)
models, losses, errors = {"latent": latent_ode(50), "rnn": recurrent(50)}, {}, {}


def rmse(model, theta, read=20):
    """On the second turn, from the last 20 observations of the first."""
    forecast = model.predict(data.xs[test, -read:], data.ts[test, -read:], data.ts_beyond[test], theta)
    return np.sqrt(np.mean((forecast - data.xs_beyond[test]) ** 2)) / data.xs.std()


for name, model in models.items():
    start = model.init(np.random.default_rng(1)).astype(np.float32)
    loss_and_grad = stretch_loss(
        model, data.ts[learn], data.xs[learn], np.random.default_rng(2), batch=25, lengths=(15, 40), shares=(0.35, 0.85)
    )
    theta, losses[name] = odelearn.fit(loss_and_grad, start, odelearn.Adam(cosine(0.02, 500)), 500, progress=False)
    errors[name] = rmse(model, start), rmse(model, theta)
    print(
        f"{name}: {model.size:,} parameters, RMSE on the second turn {errors[name][0]:.2f}, then {errors[name][1]:.2f}"
    )

# %%
figures.learning(losses, errors)

# %% [markdown]
# RMSE is in units of the data's standard deviation, so 1 is about as good as knowing nothing. The two losses cannot be
# compared: the net's is the likelihood of each observation after all before it, ours is a bound, and what it says follows
# from one state. 500 steps are a beginning. The long run of `python -m odelearn latent --full` takes 8 times as many, on
# larger batches; its weights come with odelearn.

# %%
trained, theta = latent_ode(50), latent_spirals(50)
print(f"after the long run: RMSE {rmse(trained, theta):.3f}; sigma = {np.exp(theta[-1]):.3f}, and the noise is 0.1")

# %%
shown = [350 + n for way in (True, False) for n in np.flatnonzero(data.clockwise[test] == way)[:2]]
ahead = np.linspace(data.ts[shown, -20], 4 * np.pi, 120, axis=1)
found = trained.predict(data.xs[shown, -20:], data.ts[shown, -20:], ahead, theta)
figures.forecasts([spiral(n) for n in shown], [data.xs[n, -20:] for n in shown], list(found))

# %% [markdown]
# These spirals were not trained on, and 20 noisy points of a fraction of a turn were read of each.

# %% [markdown] tags=["pay-off"]
# ## 6. Between two spirals
#
# A start $z_{t_0}$ is a point in a space of four dimensions, and a spiral is what follows from it. What lies between the
# start of a clockwise spiral and that of a counter-clockwise one?

# %% [markdown] tags=["predict"]
# **Predict.** We walk on a straight line from one start to the other, and solve from nine points of it. What do the spirals
# in the middle look like?

# %%
z0, _, _ = trained.encoder.vjp(data.xs[ways].astype(np.float32), data.ts[ways], trained.unravel(theta)["encoder"])
w = np.linspace(0, 1, 9, dtype=np.float32)[:, np.newaxis]
curves, _ = trained.decode_vjp((1 - w) * z0[0] + w * z0[1], np.tile(np.linspace(0, 2 * np.pi, 60), (9, 1)), theta)
x1, x2 = curves[:, :, 0], curves[:, :, 1]
area = np.sum(x1[:, :-1] * x2[:, 1:] - x1[:, 1:] * x2[:, :-1], axis=1)
turns = area / (2 * np.pi * np.mean(x1**2 + x2**2, axis=1))
figures.between(curves, turns)

# %% [markdown]
# Above each curve stands how often it goes around the origin. The ends go around once, in opposite directions. Between them
# the model has never seen anything, and bends one into the other.

# %% [markdown]
# ## 7. Events
#
# An observation may also be the mere fact that something happens, at a time $t_i$. If events come at the rate $\lambda(t)$,
# and independently of each other, the log-likelihood of those in $[0, T]$ is
#
# $$\log p(t_1, \dots, t_K) = \sum_i \log \lambda(t_i) - \int_0^T \lambda(t)\, dt.$$
#
# With $\lambda = e^{g(z(t))}$ the integral is one more state of the same solve: $d\Lambda/dt = \lambda(z)$. Such events are
# drawn by *thinning*: candidates come at a constant rate that is high enough, and one at $t$ is kept with the
# probability $\lambda(t)$ by that rate.

# %%
rate = lambda t: 10 * (1 + 0.8 * np.sin(t))
T = 4 * np.pi
events = draw_events(rng, rate, T, bound=18.0)
t = np.linspace(0, T, 300)
print(f"{len(events)} events; {np.trapezoid(rate(t), t):.1f} were expected")

# %%
figures.rates(t, rate(t), events, np.histogram(events, 32, (0, T))[0])

# %% [markdown]
# `python -m odelearn latent` trains a model on 800 such sequences, each with its own level and phase, and recovers the rates
# of others from their events (`models.poisson.LatentPoisson`, and figures/poisson.png).

# %% [markdown] tags=["agree"]
# ## 8. Ours and the library's

# %% tags=["agree"]
# The bound of section 4 plus what it misses is the evidence (rk4 is exact to h^4).
mean, std = 0.5, 0.3
missing = 0.5 * ((std**2 + (mean - posterior[0]) ** 2) / variance - 1 - np.log(std**2 / variance))
assert abs(elbo(mean, std) + missing - evidence) < 1e-5

# A step of the GRU, in one line a gate, is the module's.
gru, h, x_i = GRU(3, 5), rng.normal(size=(2, 5)), rng.normal(size=(2, 3))
weights = rng.normal(size=gru.size)
W, U, b, c = gru.unravel(weights).values()
sigmoid = lambda v: 1 / (1 + np.exp(-v))
r, u = sigmoid(x_i @ W + b + h @ U + c)[:, :5], sigmoid(x_i @ W + b + h @ U + c)[:, 5:10]
n = np.tanh((x_i @ W + b)[:, 10:] + r * (h @ U + c)[:, 10:])
assert np.allclose((1 - u) * n + u * h, gru.vjp(x_i, h, weights)[0], rtol=1e-13)

# The gradient of everything together passes a check from first principles.
small = LatentODE(Encoder(GRU(3, 4), 2), MLP([2, 5, 2]), MLP([2, 4, 2]), h=0.5)
start, eps = small.init(rng), rng.normal(size=(3, 2))
batch = data.xs[:3, :6], data.ts[:3, :6], eps
report = odelearn.check_gradient(lambda p: small.elbo_vjp(*batch, p)[0], small.elbo_vjp(*batch, start)[1](), start)
assert report.passed
print("all agree")

# %% [markdown] tags=["exercise"]
# ## Exercises
#
# **1 (fill in).** The field of section 7 with the integral as a state: $[z, \Lambda]$ moves by $[Az, e^{w \cdot z}]$. Two
# terms of the cotangent of $z$ are needed, and one is missing.

# %% tags=["exercise"]


def with_integral(s, A, w):
    """s = [z, Lambda] (N, 3), A (2, 2), w (2,)."""
    z = s[:, :2]
    rate = np.exp(z @ w)

    def pullback(a):
        a_z = a[:, :2] @ A  # yours: one term is missing
        a_s = np.concatenate([a_z, 0 * a[:, 2:]], axis=1)
        return a_s, a[:, :2].T @ z, (a[:, 2] * rate) @ z

    return np.concatenate([z @ A.T, rate[:, np.newaxis]], axis=1), pullback


checks.check_vjp(with_integral, rng.normal(size=(4, 3)), rng.normal(size=(2, 2)), rng.normal(size=2))

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# The rate depends on $z$ as well: $a_\Lambda\, \lambda\, w$ is to be added.
#
# ```python
# def with_integral(s, A, w):
#     z = s[:, :2]
#     rate = np.exp(z @ w)
#
#     def pullback(a):
#         a_z = a[:, :2] @ A + (a[:, 2] * rate)[:, np.newaxis] * w
#         return np.concatenate([a_z, 0 * a[:, 2:]], axis=1), a[:, :2].T @ z, (a[:, 2] * rate) @ z
#
#     return np.concatenate([z @ A.T, rate[:, np.newaxis]], axis=1), pullback
#
#
# assert checks.check_vjp(with_integral, rng.normal(size=(4, 3)), rng.normal(size=(2, 2)), rng.normal(size=2))
# from odelearn.models.poisson import WithIntegral
#
# assert checks.check_vjp(WithIntegral(MLP([2, 2]), MLP([2, 1])), rng.normal(size=(4, 3)), 0.3, rng.normal(size=9))
# ```
#
# </details>

# %% [markdown] tags=["exercise"]
# **2 (derive).** Let $q = N(\mu, s^2)$ be a number's distribution, and $p = N(0, 1)$. Show that
# $\text{KL}(q \,\|\, p) = E_q[\log q - \log p] = \frac{1}{2} (\mu^2 + s^2 - 1) - \log s$, that it is never negative, and
# where it is zero.

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# $\log q(z) = -\frac{1}{2} ((z - \mu)/s)^2 - \log s + c$ and $\log p(z) = -\frac{1}{2} z^2 + c$ with the same $c$. Under $q$ the
# first square has the mean 1, and $z^2$ has $\mu^2 + s^2$. The difference of the means is the formula. Its derivative in $s$
# is $s - 1/s$, which is zero at $s = 1$ alone, negative before and positive after; and $\mu^2 \ge 0$. So the least value
# is at $\mu = 0$, $s = 1$, and is 0: there $q = p$.
#
# ```python
# z = np.random.default_rng(0).normal(0.5, 0.3, 10**6)
# sampled = np.mean(-0.5 * ((z - 0.5) / 0.3) ** 2 - np.log(0.3) + 0.5 * z**2)
# assert abs(sampled - kl_vjp(np.array([[0.5]]), np.log([[0.3]]))[0]) < 5e-3
# ```
#
# </details>

# %% [markdown] tags=["exercise"]
# **3 (explore).** How far does the forecast of the trained model carry? Ask for the third and the fourth turn, and look at
# how the error grows with time.

# %% tags=["exercise"]
angle_error = []
for turn in 1, 2, 3:
    times = np.tile(np.linspace(2 * np.pi * turn, 2 * np.pi * (turn + 1), 40), (50, 1))
    forecast = trained.predict(data.xs[test, -20:], data.ts[test, -20:], times, theta)
    sign = np.where(data.clockwise[test], -1, 1)[:, np.newaxis]
    w_true = (data.radius[test, np.newaxis] + times / (8 * np.pi)) * np.exp(
        1j * (data.phase[test, np.newaxis] + sign * times)
    )
    w = forecast[:, :, 0] + 1j * forecast[:, :, 1]
    angle_error.append(np.mean(np.abs(np.angle(w / w_true))))
    print(
        f"turn {turn + 1}: mean error of the angle {angle_error[-1]:.3f}, of the radius {np.mean(np.abs(abs(w) - abs(w_true))):.3f}"
    )

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# The error of the angle goes from {{angle_error[0]:.2f}} in the second turn to {{angle_error[2]:.2f}} in the fourth. A speed
# that is slightly wrong adds up to an angle that is more and more wrong. The radius also leaves what the model has seen
# in training. Nothing tells $f$ what to do there.
#
# ```python
# assert angle_error[2] > angle_error[0]
# ```
#
# </details>

# %% [markdown] tags=["summary"]
# ## Summary
#
# | idea | equation | in odelearn |
# |---|---|---|
# | a start, a trajectory, noisy views | (11), (12), (13) | `models.latent.LatentODE` |
# | rows at times of their own | | `models.irregular.solve_at_vjp` |
# | infer the start, reading backwards | (53) $q(z_{t_0} \mid x) = N(\mu, s^2)$ | `models.encoder.Encoder`, `nn.gru.GRU` |
# | the bound | (53) | `LatentODE.elbo_vjp`, `models.latent.kl_vjp` |
# | the recurrent net beside it | | `models.recurrent.RecurrentForecast` |
# | events | $\sum_i \log \lambda(t_i) - \int \lambda\, dt$ | `models.poisson.LatentPoisson`, `models.poisson.draw_events` |
#
# **Sources.** R. T. Q. Chen et al. (2018), section 5 and Appendix E. D. P. Kingma, M. Welling, *Auto-encoding variational
# Bayes* (2014). Y. Rubanova, R. T. Q. Chen, D. Duvenaud, *Latent ODEs for irregularly-sampled time series* (2019). K. Cho
# et al., *Learning phrase representations using RNN encoder-decoder* (2014). P. A. W. Lewis, G. S. Shedler, *Simulation of
# nonhomogeneous Poisson processes by thinning* (1979).
