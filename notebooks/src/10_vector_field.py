# %% [markdown] tags=["header"]
# # 10 A field from noisy data
#
# | | |
# |---|---|
# | **You will be able to** | learn a field from noisy trajectories, say where it is wrong, fit the parameters of a known form with their errors, and build an energy into a net |
# | **You need** | notebooks 00 to 03; least squares |
# | **Time** | {{minutes_to_read}} minutes to read, {{minutes_to_do}} for the checkpoints and exercises |
# | **Equations** | (3) and (5), with a field that we know |
#
# So far a loss told whether a field had been learned. But a small loss says only that trajectories pass near some points.
# Here we know the field, and look at what was learned of it: place by place, beyond the data, and over a long time.

# %%
import numpy as np

import odelearn
from odelearn import checks
from odelearn.datasets import FIELDS, noisy_trajectories, windows
from odelearn.models.hamiltonian import HamiltonianNet
from odelearn.models.least_squares import fit_parameters
from odelearn.plotting.course import vector_field as figures

rng = np.random.default_rng(10)

# %% [markdown]
# ## 1. Two centres
#
# The field comes from one of the first notebooks on Neural ODEs (M. Surtsukov). There is a spiral around $c$ and another
# around $-c$, and a sigmoid $\sigma$ that leads from one to the other:
#
# $$\frac{dz}{dt} = \sigma(z \cdot c)\, A\, (z - c) + \sigma(-z \cdot c)\, B\, (z + c).$$
#
# It has ten parameters: $A$, $B$ and $c$. We are given twelve trajectories from random starts, observed at 41 times with
# noise.

# %%
FIELD = FIELDS["two-centres"]
NOISE, ts = 0.05, np.linspace(0, 8, 41)
zs_true, zs = noisy_trajectories(rng, FIELD, ts, 12, NOISE)
print(dict(zip(FIELD.names, FIELD.theta.tolist(), strict=True)))

# %% [markdown]
# ## 2. A net in place of the field
#
# We do not solve from $t = 0$ to 8 while the field is still wrong everywhere: the end would say little about the
# beginning. Instead each step of the optimiser takes random *windows* of eleven observations, starts from the first, and
# compares the others:
#
# $$L(\theta) = \text{mean} \left| \text{ODESolve}(z_k, f_\theta, t_k, t_{k+j}) - z_{k+j} \right|^2, \qquad j = 0, \ldots, 10.$$

# %% [markdown] tags=["predict"]
# **Predict.** The noise has a standard deviation of {{NOISE}} on each component. If the net were the true field, would the
# loss be the variance of the noise? Note where a window starts.

# %%
net = odelearn.MLP([2, 32, 32, 2])
SOLVER = odelearn.rk4(n=1)  # one step from each observation to the next


def learn(f, zs, steps, rng):
    """theta of f after `steps` steps of Adam on random windows, and the losses."""

    def loss(theta, z0s, window_ts, targets):
        return np.mean((odelearn.odeint(z0s, f, window_ts, theta, SOLVER, odelearn.Discrete()) - targets) ** 2)

    loss_and_grad = lambda theta: odelearn.value_and_grad(loss)(theta, *windows(rng, ts, zs, length=11, batch=6))
    opt = odelearn.Adam(lr=lambda step: 0.02 * 0.05 ** (step / steps))  # from 0.02 down to 0.001
    return odelearn.fit(loss_and_grad, f.init(rng), opt, steps, progress=False)


theta, losses = learn(net, zs, 900, rng)
start_ts, starts = ts[:11], zs[[0, 10, 20, 30]]
loss_of_truth = np.mean(
    [
        (odelearn.odesolve(zs[k], FIELD.f, ts[k : k + 11], FIELD.theta, SOLVER).zs - zs[k : k + 11]) ** 2
        for k in (0, 10, 20, 30)
    ]
)
print(f"loss: {losses[0]:.3f} at first, {np.mean(losses[-100:]):.4f} at last")
print(f"of the true field: {loss_of_truth:.4f}; variance of the noise: {NOISE**2:.4f}")

# %% [markdown]
# Each window starts from a noisy observation, and that noise is carried along. So even the true field has a loss of
# {{loss_of_truth / NOISE**2:.1f}} times the variance. The net's loss is near that of the truth. Is its field?

# %% [markdown]
# ## 3. Where is it wrong?


# %%
def relative_error(learned, field, points=25):
    """|learned - true| on a grid of the field's box, in units of the root mean square of the true field."""
    grid = np.stack(np.meshgrid(*[np.linspace(*side, points) for side in field.box]), axis=-1)
    true = field.f(grid, 0.0, field.theta)
    rms = np.sqrt(np.mean(np.sum(true**2, axis=-1)))
    return true, np.linalg.norm(learned(grid) - true, axis=-1) / rms


by_net = lambda z: net(z, 0.0, theta)
true, error_net = relative_error(by_net, FIELD)
grid = np.stack(np.meshgrid(*[np.linspace(*side, 25) for side in FIELD.box]), axis=-1)
distance = np.linalg.norm(grid[:, :, np.newaxis] - zs.reshape(-1, 2), axis=-1).min(axis=-1)  # to an observation
print(f"the net: median error {np.median(error_net):.1%}, worst {error_net.max():.0%}")
for near, far in ((0.0, 0.2), (0.2, 0.5), (0.5, 5.0)):
    there = (distance >= near) & (distance < far)
    print(f"  {near} to {far} from the nearest observation: {np.median(error_net[there]):.1%}")
figures.where_it_is_wrong(FIELD.box, true, zs, {"the net": error_net})

# %% [markdown]
# The error grows with the distance from the observations. Nothing in the loss asks for anything where none of them is.

# %% [markdown]
# ## 4. The true form, with unknown parameters
#
# Suppose somebody tells us the equation, but not $A$, $B$ and $c$. Then there are ten numbers to find, and for each
# trajectory its true start, since $z(0)$ was observed with noise too. With residuals $r(x)$ and $x = (\theta, z_0)$ this is
# a least-squares problem, and *Gauss and Newton's* method solves it: replace $r(x + s)$ by $r + J s$, with $J = dr/dx$.
# The best $s$ obeys
#
# $$J^T J\, s = -J^T r.$$
#
# A column of $J$ is the derivative of a whole solve with respect to one number. The complex step of notebook 01 gives it
# to round-off by one solve, as long as $f$ is analytic. Here it is for a field with one parameter, a decay.


# %%
def decay(z, t, theta):
    return theta[0] * z


decay_zs = 2 * np.exp(-0.7 * ts)[:, np.newaxis] + NOISE * rng.normal(size=(41, 1))  # one trajectory, one component


def solve(x):
    return odelearn.odesolve(x[1:], decay, ts, x[:1], SOLVER).zs[:, 0]


x = np.array([0.0, decay_zs[0, 0]])  # (theta, z0)
for _ in range(8):
    r = solve(x) - decay_zs[:, 0]
    J = np.stack([solve(x + 1e-20j * e).imag / 1e-20 for e in np.eye(2)], axis=1)  # (41, 2)
    print(f"theta = {x[0]:.6f}, z0 = {x[1]:.6f}, sum of squares {r @ r:.6f}")
    x = x - np.linalg.solve(J.T @ J, J.T @ r)

# %% [markdown]
# The covariance of the result is $s^2 (J^T J)^{-1}$ with $s^2$ the variance of the residuals: where the data hardly
# depend on a parameter, $J$ is small and the error large. `fit_parameters` does the same for many trajectories, and
# shortens a step that does not lower the sum (Levenberg and Marquardt). We begin with short stretches, for the reason of
# section 2.

# %%
guess = 0.5 + 0.1 * rng.normal(size=10)
stretches = np.concatenate([zs[k : k + 6] for k in range(0, 36, 5)], axis=1)  # eight for each trajectory
rough = fit_parameters(FIELD.f, guess, ts[:6], stretches)
fitted = fit_parameters(FIELD.f, FIELD.canonical(rough.theta), ts, zs)
print(f"noise found: {fitted.noise:.4f}, after {len(rough.losses) - 1} and {len(fitted.losses) - 1} steps")
for name, *numbers in zip(FIELD.names, FIELD.theta, fitted.theta, fitted.errors, strict=True):
    print(f"{name:5}{numbers[0]:6.1f}{numbers[1]:9.4f} +- {numbers[2]:.4f}")
figures.parameters(FIELD.names, FIELD.theta, fitted.theta, fitted.errors)

# %% [markdown] tags=["predict"]
# **Predict.** Now both go on to $t = 16$, twice as far as the data, from three starts that neither has seen. Which will be
# nearer, and by how much?

# %%
long_ts = np.linspace(0, 16, 161)
test, _ = noisy_trajectories(rng, FIELD, long_ts, 3, 0.0)
by_form = lambda z: FIELD.f(z, 0.0, fitted.theta)
_, error_form = relative_error(by_form, FIELD)
solved = {
    label: odelearn.odesolve(test[0], lambda z, t, theta, learned=learned: learned(z), long_ts).zs
    for label, learned in {"net": by_net, "true form": by_form}.items()
}
off = {label: np.sqrt(np.mean((paths[81:] - test[81:]) ** 2)) for label, paths in solved.items()}
print(f"error of the field: net {np.median(error_net):.2%}, form {np.median(error_form):.2%} (medians)")
print("error beyond the data:", ", ".join(f"{label} {size:.3f}" for label, size in off.items()))
figures.beyond(long_ts, test, solved, ts[-1])

# %% [markdown]
# One of the three comes near the line that parts left turns from right turns. There a small error of the field decides
# between two ways, and the net takes the wrong one. The other two it follows. Knowing the form is worth a factor of
# {{np.median(error_net) / np.median(error_form):.0f}} in the field. A net is for fields of which nobody knows the form. In
# between there are nets that know a part of it.

# %% [markdown] tags=["pay-off"]
# ## 5. A net that knows that energy is kept
#
# A pendulum without friction keeps $H = p^2/2 + 1 - \cos q$. Any function $H(q, p)$ makes a field that keeps it:
#
# $$\frac{dq}{dt} = \frac{\partial H}{\partial p}, \quad \frac{dp}{dt} = -\frac{\partial H}{\partial q}, \qquad
#   \frac{dH}{dt} = \frac{\partial H}{\partial q} \frac{\partial H}{\partial p}
#     - \frac{\partial H}{\partial p} \frac{\partial H}{\partial q} = 0.$$
#
# So let a net be the energy, not the field (Greydanus et al. 2019). Its field is $J \nabla H$, with
# $J = \begin{pmatrix} 0 & 1 \\ -1 & 0 \end{pmatrix}$, and the pullback of a cotangent $a$ needs the derivative of
# $a \cdot J \nabla H$: a second derivative of $H$ in one direction. The tape of notebook 02 nests, so it can do that.

# %%
small = odelearn.MLP([2, 8, 1])


def energy_field(z, t, theta):
    slope = odelearn.grad(lambda z: np.sum(small(z, t, theta)))(z)  # (N, 2)
    return np.concatenate([slope[:, 1:], -slope[:, :1]], axis=1)


z, small_theta = rng.normal(size=(3, 2)), small.init(rng)
checks.check_vjp(odelearn.Dynamics(energy_field).vjp, z, 0.0, small_theta)

# %% [markdown]
# `HamiltonianNet` has the same by hand. It is trained like the plain net, on a pendulum that was observed until $t = 8$.
# Then both run for 100 units of time, and we watch the *true* energy.

# %%
PENDULUM = FIELDS["pendulum"]._replace(theta=np.array([1.0, 0.0]))
_, swings = noisy_trajectories(rng, PENDULUM, ts, 12, NOISE)
swing_starts = noisy_trajectories(rng, PENDULUM, [0.0], 5, 0.0)[0][0]
nets = {"plain net": odelearn.MLP([2, 32, 2]), "Hamiltonian net": HamiltonianNet([2, 32, 1])}
century = np.linspace(0, 100, 501)
H = lambda z: z[..., 1] ** 2 / 2 + 1 - np.cos(z[..., 0])
energies, paths, drift = {}, {}, {}
for label, f in nets.items():
    weights, _ = learn(f, swings, 500, np.random.default_rng(1))
    run = odelearn.odesolve(swing_starts, f, century, weights, odelearn.dopri5(1e-7, 1e-9)).zs
    energies[label], paths[label] = H(run), run[:, np.argmax(H(swing_starts))]
    drift[label] = np.mean(np.abs(energies[label][-50:].mean(axis=0) - energies[label][:50].mean(axis=0)))
    largest = np.abs(energies[label] - energies[label][0]).max(axis=0).mean()
    print(f"{label:16} {f.size:5} parameters: drift {drift[label]:.4f}, largest deviation {largest:.4f}")
figures.energy(century, energies, paths)

# %% [markdown]
# The plain net has a friction of its own, positive or negative, and it adds up. The Hamiltonian net's $H$ is not the true
# one, so the true energy wobbles along its solution; but it comes back each time, and its drift is
# {{drift["plain net"] / drift["Hamiltonian net"]:.0f}} times smaller.

# %% [markdown] tags=["checkpoint"]
# **Checkpoint.** Here is the pullback for the energy of a spring, $H = \frac{1}{2}(\theta_1 q^2 + \theta_2 p^2)$, so
# $dq/dt = \theta_2 p$ and $dp/dt = -\theta_1 q$. Somebody forgot that $J^T = -J$. Run it, read, and repair it.

# %% tags=["checkpoint"]


def spring(z, t, theta):
    q, p = z[:, 0], z[:, 1]
    dz = np.stack([theta[1] * p, -theta[0] * q], axis=1)

    def pullback(a):
        v = np.stack([a[:, 1], -a[:, 0]], axis=1)  # <- yours: J^T a
        a_z = v * theta
        a_theta = np.array([np.sum(v[:, 0] * q), np.sum(v[:, 1] * p)])
        return a_z, 0.0, a_theta

    return dz, pullback


checks.check_vjp(spring, rng.normal(size=(3, 2)), 0.0, np.array([1.0, 2.0]))

# %% [markdown] tags=["solution"]
# <details><summary><b>Answer</b></summary>
#
# $a \cdot J \nabla H = (J^T a) \cdot \nabla H$ with $J^T a = (-a_2, a_1)$.
#
# ```python
# def spring(z, t, theta):
#     q, p = z[:, 0], z[:, 1]
#     dz = np.stack([theta[1] * p, -theta[0] * q], axis=1)
#
#     def pullback(a):
#         v = np.stack([-a[:, 1], a[:, 0]], axis=1)
#         return v * theta, 0.0, np.array([np.sum(v[:, 0] * q), np.sum(v[:, 1] * p)])
#
#     return dz, pullback
#
#
# assert checks.check_vjp(spring, rng.normal(size=(3, 2)), 0.0, np.array([1.0, 2.0]))
# ```
#
# </details>

# %% [markdown] tags=["break-it"]
# **Break it.** Two shortcuts in the least squares, on the decay of section 4. The first takes the noisy $z(0)$ for the
# true one. The second forgets that the sum of squares has fewer degrees of freedom than numbers. We repeat each with a
# thousand draws of the noise, and compare the spread of $\theta$ with the standard error that the formula gives.

# %% tags=["break-it"]


def fit_decay(zs, free_start=True, freedom=2):
    """theta and its standard error, by Gauss and Newton in closed form: here z = z0 exp(theta t)."""
    theta, z0 = -0.5, zs[0]
    for _ in range(8):
        model = z0 * np.exp(theta * few_ts)
        J = np.stack([few_ts * model, model / z0], axis=1)[:, : 1 + free_start]
        step = np.linalg.lstsq(J, zs - model, rcond=None)[0]
        theta, z0 = theta + step[0], z0 + (step[1] if free_start else 0.0)
    r = zs - z0 * np.exp(theta * few_ts)
    return theta, np.sqrt(r @ r / (len(zs) - freedom) * np.linalg.inv(J.T @ J)[0, 0])


few_ts = ts[:9:2]  # five observations
few_true, draws = 2 * np.exp(-0.7 * few_ts), rng.normal(size=(1000, 5))
for label, options in {
    "right": {},
    "start taken as true": {"free_start": False, "freedom": 1},
    "no degrees of freedom": {"freedom": 0},
}.items():
    thetas, stated = np.transpose([fit_decay(few_true + NOISE * draw, **options) for draw in draws])
    print(f"{label:22}: spread of theta {thetas.std():.4f}, standard error stated {np.sqrt(np.mean(stated**2)):.4f}")

# %% [markdown]
# All three run and give a $\theta$ near the truth. The test is the repetition: an error bar is a claim about what happens
# with other noise.

# %% [markdown] tags=["agree"]
# ## 6. Ours and the library's

# %% tags=["agree"]
library = fit_parameters(decay, [0.0], ts, decay_zs[:, np.newaxis], SOLVER, tol=1e-14)
assert np.allclose([library.theta[0], library.z0s[0, 0]], x, rtol=1e-7)
r = solve(x) - decay_zs[:, 0]
assert np.isclose(library.noise, np.sqrt(r @ r / 39), rtol=1e-6)
assert np.isclose(library.errors[0], library.noise * np.sqrt(np.linalg.inv(J.T @ J)[0, 0]), rtol=1e-4)
by_hand = HamiltonianNet([2, 8, 1])
a = rng.normal(size=z.shape)
values = [f.vjp(z, 0.0, small_theta) for f in (by_hand, odelearn.Dynamics(energy_field))]
assert np.allclose(values[0][0], values[1][0], rtol=1e-12)
assert all(
    np.allclose(ours, tape, rtol=1e-10, atol=1e-14) for ours, tape in zip(values[0][1](a), values[1][1](a), strict=True)
)
assert (
    np.max(np.abs(fitted.theta - FIELD.theta) / fitted.errors) < 4
    and drift["Hamiltonian net"] < drift["plain net"] / 10
)
print("all agree")

# %% [markdown] tags=["exercise"]
# ## Exercises
#
# **1 (fill in).** Friction is missing from a Hamiltonian net. Write the field $J \nabla H - \gamma\, (0, p)$ with $\gamma$ as
# the last number of $\theta$, in plain NumPy around `small` above. The tape supplies the pullback.

# %% tags=["exercise"]


def damped(z, t, theta):
    dz = energy_field(z, t, theta[:-1])
    return dz  # yours


with_friction = np.append(small_theta, 0.3)
lost = damped(z, 0.0, with_friction) - energy_field(z, 0.0, small_theta)
print("done" if np.allclose(lost, np.stack([0 * z[:, 1], -0.3 * z[:, 1]], axis=1)) else "not yet")

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# ```python
# def damped(z, t, theta):
#     friction = theta[-1] * np.concatenate([0 * z[:, 1:], z[:, 1:]], axis=1)
#     return energy_field(z, t, theta[:-1]) - friction
#
#
# lost = damped(z, 0.0, with_friction) - energy_field(z, 0.0, small_theta)
# assert np.allclose(lost, np.stack([0 * z[:, 1], -0.3 * z[:, 1]], axis=1))
# assert checks.check_vjp(odelearn.Dynamics(damped).vjp, z, 0.0, with_friction)
# ```
#
# </details>

# %% [markdown] tags=["exercise"]
# **2 (derive).** A Hamiltonian field has no divergence, whatever $H$ is. Show it. What does that mean for an area of the
# phase plane that is carried along by the field? And for a fixed point that attracts?

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# $\text{div} = \partial_q \partial_p H - \partial_p \partial_q H = 0$, because second derivatives commute. By Liouville's
# theorem areas are kept: log-densities do not change along the flow, which is equation (8) with a trace of zero. So no
# fixed point can attract, since a disc around it would have to shrink.
#
# ```python
# jacobian_z = odelearn.jacobian(lambda z: energy_field(z[np.newaxis], 0.0, small_theta)[0])(z[0])
# assert abs(np.trace(jacobian_z)) < 1e-12 and np.abs(jacobian_z).max() > 1e-3
# ```
#
# </details>

# %% [markdown] tags=["exercise"]
# **3 (explore).** How do the standard errors shrink with more trajectories? Run the cell, and compare with $1/\sqrt n$.

# %% tags=["exercise"]
sizes = (3, 12, 48)
mean_errors = []
for n in sizes:
    _, more = noisy_trajectories(np.random.default_rng(5), FIELDS["pendulum"], ts, n, NOISE)
    mean_errors.append(fit_parameters(FIELDS["pendulum"].f, [0.9, 0.1], ts, more).errors)
    print(f"n = {n:2}: standard errors {mean_errors[-1].round(5)}")

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# Four times as many trajectories halve the errors, up to the luck of where they start: from $n = 12$ to 48 the first one
# falls {{mean_errors[1][0] / mean_errors[2][0]:.2f}} times. $J^T J$ is a sum over trajectories.
#
# ```python
# assert 1.6 < mean_errors[1][0] / mean_errors[2][0] < 2.4
# ```
#
# </details>

# %% [markdown] tags=["summary"]
# ## Summary
#
# | idea | formula | in odelearn |
# |---|---|---|
# | learn from windows | $\text{mean}\, \lvert \text{ODESolve}(z_k, f_\theta) - z_{k+j} \rvert^2$ | `datasets.windows`, `odeint` |
# | error of a field | $\lvert f_\theta - f \rvert$ over the root mean square of $f$, place by place | `experiments.vector_field` |
# | parameters of a known form | $J^T J\, s = -J^T r$, errors $s^2 (J^T J)^{-1}$ | `models.least_squares.fit_parameters` |
# | energy built in | $dz/dt = J \nabla H$ | `models.hamiltonian.HamiltonianNet` |
#
# - A small loss says something where the data are. Look at the field elsewhere before you trust it there.
# - The more of the form is known, the further one sees beyond the data.
# - `python -m odelearn vector-field` does it for three fields, with validation and test apart.
#
# **Sources.** M. Surtsukov, *Neural ODEs* (2019), github.com/msurtsukov/neural-ode, for the field of two centres. K.
# Levenberg (1944), D. W. Marquardt (1963), on least squares. S. Greydanus, M. Dzamba, J. Yosinski, *Hamiltonian neural
# networks* (2019), arXiv 1906.01563. R. T. Q. Chen et al. (2018).
