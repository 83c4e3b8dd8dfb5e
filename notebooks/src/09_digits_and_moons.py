# %% [markdown] tags=["header"]
# # 09 Digits and moons
#
# | | |
# |---|---|
# | **You will be able to** | build a residual net and an ODE net from the same pieces, train both to read digits, test a claim about them fairly, and say what an ODE in the plane cannot do |
# | **You need** | notebooks 00, 02 and 04; 08 for what the adjoint costs |
# | **Time** | {{minutes_to_read}} minutes to read, {{minutes_to_do}} for the checkpoints and exercises |
# | **Equations** | (1) and (3); section 3 of the paper, Table 1 and Figure 3 |
#
# Section 3 of the paper makes a claim that can be tested: put an ODE in the place of the residual blocks of a classifier,
# and it has the same error with fewer parameters, in memory that does not grow with depth. The paper uses MNIST. We use
# 1,797 images of 8 by 8 pixels, so that everything here trains while you watch. `python -m odelearn classify` makes the
# whole table, with all images tested; this notebook makes a smaller one, and shows how.

# %%
import numpy as np

import odelearn
from odelearn import checks
from odelearn.datasets import circles, digits, split_folds
from odelearn.experiments import digits as study
from odelearn.experiments import plane
from odelearn.models import classify
from odelearn.plotting.course import digits_and_moons as figures

# %% [markdown]
# ## 1. Three layers out of one network
#
# Let $f(z, t, \theta)$ be a small network that returns something of the shape of $z$. It can be used as a layer in three
# ways:
#
# | layer | value | name |
# |---|---|---|
# | once | $y = f(z)$ | an ordinary layer |
# | residual | $y = z + f(z)$ | a block of a residual net, equation (1) |
# | ODE | $y = z(1)$ with $dz/dt = f(z, t)$, $z(0) = z$ | an ODE net, equation (3) |
#
# As everywhere in this course, a layer is a function that returns its value and its pullback.

# %% [markdown] tags=["checkpoint"]
# **Checkpoint.** Here is a residual block. One line of its pullback is wrong: think of the two ways by which $z$ reaches
# $y$.

# %% tags=["checkpoint"]
small = odelearn.MLP([3, 5, 3])


def residual(z, theta):
    dz, f_pullback = small.vjp(z, 0.0, theta)

    def pullback(a_y):
        a_z, _, a_theta = f_pullback(a_y)
        return a_z, a_theta  # <- yours

    return z + dz, pullback


z_small, theta_small = np.random.default_rng(0).normal(size=(4, 3)), small.init(np.random.default_rng(1))
checks.check_vjp(residual, z_small, theta_small)

# %% [markdown] tags=["solution"]
# <details><summary><b>Answer</b></summary>
#
# $z$ also goes straight to $y$, so $a_y$ comes straight back: $a_z = a_y + a_y\, \partial f / \partial z$. This path is
# why deep residual nets can be trained at all.
#
# ```python
# def residual(z, theta):
#     dz, f_pullback = small.vjp(z, 0.0, theta)
#
#     def pullback(a_y):
#         a_z, _, a_theta = f_pullback(a_y)
#         return a_y + a_z, a_theta
#
#     return z + dz, pullback
#
#
# assert checks.check_vjp(residual, z_small, theta_small)
# ```
#
# </details>

# %% [markdown]
# The ODE block is shorter, because `odesolve_vjp` does the work, by whatever method we like. A net is a chain of layers:
# forwards through all of them, backwards through their pullbacks in reverse order.


# %%
def ode_block(z, theta, f, solver, method):
    zs, solve_pullback = odelearn.odesolve_vjp(z, f, (0.0, 1.0), theta, solver, method)

    def pullback(a_y):
        g = solve_pullback(np.stack([np.zeros_like(a_y), a_y]))  # the loss does not look at z(0)
        return g.z0, g.theta

    return zs[-1], pullback


def chain(layers, x, thetas):
    pullbacks = []
    for layer, theta in zip(layers, thetas, strict=True):
        x, pullback = layer(x, theta)
        pullbacks.append(pullback)

    def pullback(a):
        a_thetas = []
        for back in reversed(pullbacks):
            a, a_theta = back(a)
            a_thetas.append(a_theta)
        return a, a_thetas[::-1]

    return x, pullback


# %% [markdown]
# `odelearn/models/classify.py` has the same three layers as classes, and four nets made of them. All of them go from 64
# pixels to 10 scores, one for each digit:
#
# - `mlp`: one hidden layer;
# - `resnet`: one layer to 64 numbers, **six** residual blocks, each with a $\theta$ of its own, one layer to 10 scores;
# - `rk-net`: the same with **one** ODE in the place of the six blocks, RK4 in two steps, backpropagation through them;
# - `ode-net`: that ODE again, with adaptive steps and the adjoint method.

# %%
nets = {form: classify.digit_classifier(form) for form in classify.FORMS}
for form, net in nets.items():
    print(f"{form:8} {net.size:6,} parameters, {net.size / nets['resnet'].size:4.0%} of the residual net's")

# %% [markdown]
# The hidden layer of `mlp` is as wide as makes it equal in parameters to the ODE nets. A comparison in which the baseline
# is also smaller would prove nothing.

# %% [markdown]
# ## 2. A fair test
#
# We learn from four fifths of the images, and count the errors on the last fifth. Nothing of that fifth may be used
# before: no learning rate, no number of epochs may be chosen by looking at it.

# %% [markdown] tags=["predict"]
# **Predict.** Suppose that a net gets 1.3 % wrong in the long run, and we test it on 360 images. How far will the counted
# share be from 1.3 %, typically? If two nets differ by 0.5 % on these images, is one of them better?

# %%
x, labels = digits()
(train, test), *_ = split_folds(np.random.default_rng(0), len(x))
standard_error = lambda p, n: 100 * np.sqrt(p * (1 - p) / n)
print(f"standard error: {standard_error(0.013, len(test)):.2f} % with {len(test)} images", end=", ")
print(f"{standard_error(0.013, len(x)):.2f} % with {len(x):,}")

# %% [markdown]
# A share $p$ counted on $n$ images has the standard error $\sqrt{p (1 - p) / n}$. With {{len(test)}} images it is
# {{standard_error(0.013, len(test)):.1f}} %, so half a percent means nothing. The command therefore does it five times, each
# fifth being the test part once (*five-fold cross-validation*): then all {{len(x):,}} images are tested, and the standard
# error is {{standard_error(0.013, len(x)):.2f}} %. Here we train on one fold only, with fewer epochs.

# %% tags=["measured"]
thetas, wrong = {}, {}
for form, net in nets.items():
    options = {**study.TRAINING[form], "epochs": 20, "progress": False}
    thetas[form], history = classify.train_classifier(net, x[train], labels[train], np.random.default_rng(1), **options)
    predicted = classify.predict_classes(net, thetas[form], x[test])
    wrong[form] = test[predicted != labels[test]]
    print(f"{form:8} loss {history[0]:.1f} to {np.mean(history[-23:]):.2f}; {len(wrong[form])} of {len(test)} wrong")

# %% [markdown] tags=["measured"]
# Each batch gets fresh noise on its pixels, for all four nets. How much, and how large the steps are, was chosen on
# validation parts, cut out of the training parts (`experiments/classify_settings.py` has the table): without noise they
# all learn the training images by heart and err more often.
#
# What do they get wrong? Above each image: what it is, and what `ode-net` takes it for.

# %% tags=["measured"]
theta = thetas["ode-net"]
guess = classify.predict_classes(nets["ode-net"], theta, x)
missed = [i for i in test if guess[i] != labels[i]]
shown = [*missed, *[i for i in test if i not in missed]][:8]
figures.images(
    {
        "learned from": [(x[i], str(labels[i])) for i in train[:8]],
        "tested on": [(x[i], f"{labels[i]} as {guess[i]}" if i in missed else str(labels[i])) for i in shown],
    }
)

# %% [markdown] tags=["pay-off"]
# The whole table is in [the scoreboard](scoreboard.md), from several seeds. In short: the ODE forms are within one standard
# error of the residual net with a quarter of its parameters, as the paper says. But so is `mlp`: these digits are too easy
# to need depth, and on them the claim is true without saying much.

# %% [markdown]
# ## 3. Memory
#
# To go back through a layer one needs what it computed. Backpropagation keeps that of all layers, or of all stages of a
# solver. The adjoint method computes it anew on its way back.

# %% [markdown] tags=["predict"]
# **Predict.** We measure the peak of the memory of one gradient (64 images) for 16, 64 and 256 residual blocks, and for
# ODEs with as many evaluations of $f$. Which lines rise, and how steeply? Which of the two rising ones is higher, and why?

# %% tags=["measured"]
first, names = x[:64].astype(np.float32), labels[:64]
sizes = {form: study.memory(form, False, first, names) for form in classify.FORMS[1:]}
peaks = {form: size["depth_bytes"] for form, size in sizes.items()}
depths = 16, 64, 256
assert depths == study.DEPTHS
figures.memory(depths, peaks)

# %% [markdown] tags=["measured"]
# From 16 to 256 the peak grows {{peaks["resnet"][-1] / peaks["resnet"][0]:.1f}} times for the residual net,
# {{peaks["rk-net"][-1] / peaks["rk-net"][0]:.1f}} times for backpropagation through the solver, and
# {{peaks["ode-net"][-1] / peaks["ode-net"][0]:.2f}} times for the adjoint. The residual net also carries a gradient for each
# of its blocks. But as they are trained here, with 8 evaluations forward, backpropagation needs
# {{sizes["rk-net"]["peak_bytes"] / 1e6:.1f}} MB and the adjoint {{sizes["ode-net"]["peak_bytes"] / 1e6:.1f}} MB: it pays off
# in depth.

# %% [markdown]
# ## 4. Error for speed
#
# A residual net has the number of layers that it has. An ODE net can be asked for more or less after its training, by the
# tolerance. This is Figure 3 of the paper.

# %% [markdown] tags=["predict"]
# **Predict.** The net was trained at the tolerance $10^{-3}$. We solve the test images at $10^{-1}$ to $10^{-8}$. What
# happens to the number of evaluations? To the error of $z(1)$? And to the number of images that come out wrong?

# %% tags=["measured"]
measured = study.measure_tolerances(nets["ode-net"], theta, x[test], labels[test])
print("tolerance      " + "".join(f"{tolerance:8.0e}" for tolerance in measured["tolerances"]))
for name, row in ("evaluations", "forward"), ("images wrong", "wrong"):
    print(f"{name:15}" + "".join(f"{number:8}" for number in measured[row]))
ratio = np.divide(measured["backward"], measured["forward"])

# %% tags=["measured"]
figures.tolerances(measured)

# %% [markdown] tags=["measured"]
# More evaluations buy a smaller error of $z(1)$, as the paper shows. But the *classes* hardly depend on it: the loosest
# tolerance gets {{measured["wrong"][0]}} images wrong, the tightest {{measured["wrong"][-1]}}. A classifier does not need
# $z(1)$ to eight digits, so after its training it can do with fewer evaluations.
#
# The backward pass takes {{ratio.min():.1f}} to {{ratio.max():.1f}} times the evaluations of the forward pass, and not the
# paper's half. Notebook 08 shows why that number is no property of the method: it depends on the error norm and the solver.

# %% [markdown]
# ## 5. What an ODE cannot do
#
# Solutions of $dz/dt = f(z, t)$ with a Lipschitz $f$ never meet: through each point at each time goes one solution. In one
# dimension this means that they keep their order. So no ODE on a line takes $-1$ to $+1$ and $+1$ to $-1$. A residual block
# can: with $f(z) = -2z$ it is $z + f(z) = -z$.

# %%
starts = np.linspace(-1, 1, 9)[:, np.newaxis]
ts = np.linspace(0, 1, 41)
turn = lambda z, t, theta: -2 * z
solved = odelearn.odesolve(starts, turn, ts).zs[:, :, 0]
figures.order(ts, solved, np.stack([starts[:, 0], (starts + turn(starts, 0.0, None))[:, 0]]))

# %% [markdown]
# In the plane, solutions can pass beside each other; but a closed ring of them stays a closed ring, and what was inside
# stays inside. Now take points on two concentric circles, and ask a net to send them to two sides of a straight line.

# %% [markdown] tags=["predict"]
# **Predict.** A net moves the points by an ODE in the plane, then cuts the plane by a line. How small can its training loss
# get? What changes if each point gets a third coordinate, 0 at first (Dupont, Doucet and Teh 2019)?

# %% tags=["measured"]
points, colours = circles(np.random.default_rng(0), 2000, noise=0.05)
paths, losses, final = {}, {}, {}
for title, extra in ("in the plane", 0), ("one dimension more", 1):
    net = plane.plane_net(extra)
    rng = np.random.default_rng(2)
    moved, history = classify.train_classifier(net, points, colours, rng, epochs=60, batch=200, progress=False)
    paths[title] = plane.follow(net, moved, points[:80])
    losses[title] = np.reshape(history, (60, 10)).mean(axis=1)
    final[title], _ = classify.loss_and_gradient(net, moved, points, colours)
    print(f"{title:20} training loss {final[title]:.1e}")
plain, augmented = final.values()

# %% tags=["measured"]
figures.ways(paths, colours[:80], losses)

# %% [markdown] tags=["measured"]
# With one dimension more the loss is {{plain / augmented:,.0f}} times lower. There the inner circle is lifted out of the
# outer one. In the plane the outer ring is stretched thin at one place, and the inside is pushed out there as far as that
# allows. A longer training stretches it further, and 2,000 points leave small gaps. For the circles themselves the loss
# cannot become 0.
#
# Is this about the ODE or about our solver? A coarse solver *can* jump over a path, as the residual block above does. The
# experiment solves the same field once more with eight times as many steps, and the loss is the same.

# %% [markdown] tags=["break-it"]
# ## 6. Break it
#
# Four nets with a slip in them. **Before you run the cell:** which of them will still learn, so that the falling loss
# deceives you? Which does the gradient check catch?

# %% tags=["break-it", "measured"]


class Slipped:
    """A layer whose pullback has a slip."""

    def __init__(self, layer, slip):
        self.layer, self.slip, self.size, self.init = layer, slip, layer.size, layer.init

    def vjp(self, z, theta):
        y, pullback = self.layer.vjp(z, theta)
        return y, lambda a_y: self.slip(a_y, *pullback(a_y))


slips = {
    "none": lambda a_y, a_z, a_theta: (a_z, a_theta),
    "residual: z's straight way forgotten": lambda a_y, a_z, a_theta: (a_z - a_y, a_theta),
    "residual: a_theta divided by the batch": lambda a_y, a_z, a_theta: (a_z, a_theta / len(a_y)),
    "residual: a_theta with the wrong sign": lambda a_y, a_z, a_theta: (a_z, -a_theta),
    "residual: a_z only, theta not learned": lambda a_y, a_z, a_theta: (a_z, 0 * a_theta),
}
few, few_labels = x[train[:256]], labels[train[:256]]
for name, slip in slips.items():
    block = Slipped(classify.Residual(odelearn.MLP([64, 32, 64])), slip)
    net = classify.Chain(
        classify.Reshape(64), classify.Once(odelearn.MLP([64, 64])), block, classify.Once(odelearn.MLP([64, 10]))
    )
    theta_0 = net.init(np.random.default_rng(3))
    some = np.linspace(0, net.size - 1, 40).astype(int)

    def loss(part, net=net, theta_0=theta_0, some=some):
        at = theta_0.copy()
        at[some] = part
        return classify.loss_and_gradient(net, at, few[:8], few_labels[:8])[0]

    gradient = classify.loss_and_gradient(net, theta_0, few[:8], few_labels[:8])[1]
    report = odelearn.check_gradient(loss, gradient[some], theta_0[some])
    _, history = classify.train_classifier(net, few, few_labels, np.random.default_rng(3), epochs=30, progress=False)
    print(f"{name:42} loss {history[0]:.1f} to {history[-1]:.3f}   gradient {'right' if report else 'WRONG'}")

# %% [markdown]
# The first two slips cannot be seen in the loss at all: Adam does not mind a factor, and the layers around the block make
# up for the rest. Even with the wrong sign the loss falls. A falling loss proves little about a gradient; a check finds all
# four.

# %% [markdown] tags=["agree"]
# ## 7. Ours and the library's

# %% tags=["agree"]
f = odelearn.MLP([64, 64, 64], time="concat")
z, theta, a = (np.random.default_rng(4).normal(size=shape) for shape in ((5, 64), (f.size,), (5, 64)))
theta = theta / 8
for solver, method in (classify.RK, odelearn.Discrete()), (classify.ODE, odelearn.Backsolve()):
    ours = ode_block(z, theta, f, solver, method)
    library = classify.ODEBlock(f, solver, method).vjp(z, theta)
    assert np.array_equal(ours[0], library[0])
    assert all(map(np.array_equal, ours[1](a), library[1](a)))

blocks = [classify.Once(odelearn.MLP([64, 64])), classify.ODEBlock(f, classify.RK, odelearn.Discrete())]
whole = classify.Chain(*blocks)
theta = whole.init(np.random.default_rng(5))
y, pullback = chain([block.vjp for block in blocks], z, np.split(theta, [blocks[0].size]))
y_library, pullback_library = whole.vjp(z, theta)
assert np.array_equal(y, y_library) and np.array_equal(np.concatenate(pullback(a)[1]), pullback_library(a)[1])
assert augmented < plain / 50
assert peaks["rk-net"][-1] > 4 * peaks["rk-net"][0] and peaks["ode-net"][-1] < 1.1 * peaks["ode-net"][0]
print("all agree")

# %% [markdown] tags=["exercise"]
# ## Exercises
#
# **1 (fill in).** A layer that halves an image takes the mean of each square of 2 by 2 pixels. Write its pullback: what
# does a pixel of $x$ contribute to $y$, and so, how much of $a_y$ comes back to it?

# %% tags=["exercise"]


def mean_pool(x):
    N, H, W, C = x.shape
    y = x.reshape(N, H // 2, 2, W // 2, 2, C).mean(axis=(2, 4))

    def pullback(a_y):
        return np.repeat(np.repeat(a_y, 2, axis=1), 2, axis=2)  # yours

    return y, pullback


checks.check_vjp(mean_pool, np.random.default_rng(6).normal(size=(2, 4, 6, 3)))

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# Each pixel enters one mean, with the weight 1/4. So it gets a quarter of that mean's cotangent.
#
# ```python
# def mean_pool(x):
#     N, H, W, C = x.shape
#     y = x.reshape(N, H // 2, 2, W // 2, 2, C).mean(axis=(2, 4))
#     return y, lambda a_y: np.repeat(np.repeat(a_y / 4, 2, axis=1), 2, axis=2)
#
#
# images = np.random.default_rng(6).normal(size=(2, 4, 6, 3))
# assert checks.check_vjp(mean_pool, images)
# library_y, library_pullback = classify.MeanPool().vjp(images, np.zeros(0))
# assert np.array_equal(mean_pool(images)[1](library_y), library_pullback(library_y)[0])
# ```
#
# </details>

# %% [markdown] tags=["exercise"]
# **2 (derive).** Let $J(t) = \partial z(t) / \partial z(0)$ for an ODE in the plane. Show that
# $\frac{d}{dt} \log \det J = \operatorname{tr} \frac{\partial f}{\partial z}$, and conclude that $\det J(1) > 0$: the
# map $z(0) \mapsto z(1)$ never folds the plane. Which residual block of the plane has $\det < 0$?

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# $J$ obeys $dJ/dt = \frac{\partial f}{\partial z} J$ with $J(0) = I$, and by Jacobi's formula $\frac{d}{dt} \det J =
# \det J \operatorname{tr}(J^{-1} dJ/dt) = \det J \operatorname{tr} \frac{\partial f}{\partial z}$. So $\det J(1) = \exp
# \int_0^1 \operatorname{tr} \frac{\partial f}{\partial z}\, dt > 0$. (This is the reason behind Theorem 1, too.) The block
# with $f(z) = (-2 z_1, 0)$ mirrors the plane: $z + f(z) = (-z_1, z_2)$, with determinant $-1$.
#
# ```python
# field = odelearn.MLP([2, 8, 2], time="concat")
# theta_field = 2 * field.init(np.random.default_rng(7))
# end = lambda z: odelearn.odesolve(z, field, (0.0, 1.0), theta_field, odelearn.dopri5(1e-9, 1e-9)).zs[-1]
# step = 1e-5 * np.eye(2)
# J = lambda z: np.stack([(end(z + e) - end(z - e)) / 2e-5 for e in step], axis=1)
# assert all(np.linalg.det(J(z)) > 0 for z in np.random.default_rng(8).normal(size=(20, 2)))
# ```
#
# </details>

# %% [markdown] tags=["exercise"]
# **3 (explore).** With 2,000 points the plane net cannot open the ring. Train it on fewer, and look at the loss. Where does
# it get out? Then give the ODE more hidden units.

# %% tags=["exercise"]
fewer = {}
for n in 2000, 200:
    sample, sides = circles(np.random.default_rng(0), n, noise=0.05)
    net = plane.plane_net(0)
    rng = np.random.default_rng(2)
    moved, _ = classify.train_classifier(net, sample, sides, rng, epochs=600 * 200 // n, batch=200, progress=False)
    fewer[n], _ = classify.loss_and_gradient(net, moved, sample, sides)
    print(f"{n:5} points: training loss {fewer[n]:.1e} after 600 steps")

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# With 200 points the loss is {{fewer[2000] / fewer[200]:.0f}} times lower: the outer ring has gaps, the net finds one,
# widens it and lets the inside out. It has learned the sample by heart. On new points of the same circles the loss is
# {{fresh:.1e}}, and those are wrong that lie in the gap. More hidden units make it easier to bend the field into a gap.
#
# ```python
# fresh_points, fresh_sides = circles(np.random.default_rng(9), 2000, noise=0.05)
# fresh, _ = classify.loss_and_gradient(net, moved, fresh_points, fresh_sides)
# assert fresh > 2 * fewer[200]
# ```
#
# </details>

# %% [markdown] tags=["summary"]
# ## Summary
#
# | idea | formula | in odelearn |
# |---|---|---|
# | residual block | $y = z + f(z)$ | `models.classify.Residual` |
# | ODE block | $y = z(1)$, $dz/dt = f(z, t)$ | `models.classify.ODEBlock` |
# | layers in a row | forwards, then backwards | `models.classify.Chain` |
# | cross-entropy | $a_{\text{logits}} = (\text{softmax} - \text{one-hot}) / N$ | `models.classify.cross_entropy_vjp` |
# | cross-validation | standard error $\sqrt{p (1 - p) / n}$ | `datasets.digits.split_folds` |
# | augmented ODE | $z(0) = [x, 0]$ | `models.classify.Augment` |
#
# - Compare nets of equal size, choose nothing on test data, and know the standard error before you read a difference.
# - The adjoint's memory is constant; whether that matters depends on the depth.
# - Solutions cannot cross. One dimension more, and they need not.
#
# **Sources.** R. T. Q. Chen et al. (2018), section 3. E. Dupont, A. Doucet, Y. W. Teh, *Augmented Neural ODEs* (2019). K. He
# et al., *Deep residual learning* (2016). The digits: E. Alpaydin, C. Kaynak (1998), UCI Machine Learning Repository, CC BY
# 4.0.
