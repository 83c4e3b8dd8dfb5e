# %% [markdown] tags=["header"]
# # 01 Derivatives you can trust
#
# | | |
# |---|---|
# | **You will be able to** | tell a right derivative from a wrong one without knowing how it was made, by four tests: differences, the complex step, the Taylor slope and the dot-product test |
# | **You need** | derivatives, Taylor's formula, matrices, NumPy arrays |
# | **Time** | {{minutes_to_read}} minutes to read, {{minutes_to_do}} for the checkpoints and exercises |
# | **Equations** | none of the paper's yet; these are the tools that will check (34) to (52) |
#
# A program with a wrong gradient seldom crashes. It trains, a little worse than it should, and nobody knows why. So
# before we differentiate anything difficult we learn to *test* derivatives. A good test knows nothing of how the
# derivative was found. All it may do is to evaluate the function.

# %%
import numpy as np

import odelearn
from odelearn import checks
from odelearn.plotting.course import derivatives as figures

rng = np.random.default_rng(1)

# %% [markdown]
# ## 1. A slope from two values
#
# Here is a function of one number $x$, and its derivative by hand:
#
# $$F(x) = e^x \sin 3x, \qquad F'(x) = e^x (\sin 3x + 3 \cos 3x).$$
#
# We will pretend that we do not quite trust $F'$.


# %%
def F(x):
    return np.exp(x) * np.sin(3 * x)


def F_prime(x):
    return np.exp(x) * (np.sin(3 * x) + 3 * np.cos(3 * x))


x = 1.0

# %% [markdown]
# The derivative is the limit of a difference quotient. Take a small step $h$ instead of the limit, and Taylor's formula
# tells what that costs:
#
# $$\frac{F(x+h) - F(x)}{h} = F'(x) + \tfrac{1}{2} h\, F''(x) + \dots$$
#
# The error is about $\tfrac12 h\,|F''|$. It is called the *truncation error*, because it comes from cutting off a series,
# and it is *of first order*: ten times smaller for a step ten times smaller.


# %%
def forward(fun, x, h):
    return (fun(x + h) - fun(x)) / h


for h in 1e-1, 1e-2, 1e-3, 1e-4:
    print(f"h = {h:.0e}   error = {abs(forward(F, x, h) - F_prime(x)):.1e}")

# %% [markdown]
# Stepping to both sides is better. In the *central* difference the terms with even powers of $h$ cancel:
#
# $$\frac{F(x+h) - F(x-h)}{2h} = F'(x) + \tfrac{1}{6} h^2 F'''(x) + \dots$$
#
# which is of second order: a hundred times smaller for a step ten times smaller.


# %%
def central(fun, x, h):
    return (fun(x + h) - fun(x - h)) / (2 * h)


for h in 1e-1, 1e-2, 1e-3, 1e-4:
    print(f"h = {h:.0e}   error = {abs(central(F, x, h) - F_prime(x)):.1e}")

# %% [markdown] tags=["predict"]
# **Predict.** So a smaller $h$ is better. What will the two errors be at $h = 10^{-8}$, and at $h = 10^{-15}$? Write down
# four numbers before you go on.

# %%
hs = 10.0 ** np.arange(-16, 0, 0.25)


def errors(derivative, hs):
    return np.array([abs(derivative(F, x, h) - F_prime(x)) for h in hs])


figures.differences(hs, errors(forward, hs), errors(central, hs))

# %% [markdown]
# Each error has the shape of a U. Down the right arm it is truncation, as Taylor said: the grey lines have the slopes of
# $h$ and $h^2$. The left arm is *round-off*.
#
# A float has about 16 digits. The next one after 1 is $1 + \varepsilon_{mach}$ with $\varepsilon_{mach} = 2.2 \cdot
# 10^{-16}$, so a number that is rounded to a float is off by up to half of $\varepsilon_{mach}$ of its size. When $h$
# is small, $F(x+h)$ and $F(x)$ have most of their digits in common. The subtraction removes those, the digits that are
# left are the unsure ones, and dividing by $h$ makes them large: the error is about $\varepsilon_{mach} |F| / h$.
#
# The bottom of the U lies where both errors are alike:
#
# | difference | truncation | best $h$ | error there |
# |---|---|---|---|
# | forward | $h$ | $\varepsilon_{mach}^{1/2} \approx 10^{-8}$ | $\varepsilon_{mach}^{1/2}$: 8 digits of 16 |
# | central | $h^2$ | $\varepsilon_{mach}^{1/3} \approx 6 \cdot 10^{-6}$ | $\varepsilon_{mach}^{2/3}$: 10 to 11 digits |
#
# This is why a gradient check with a fixed `h = 1e-8` and a tolerance of `1e-2`, as one often sees it, is a weak test:
# it lets through any mistake that is smaller than one per cent.

# %% [markdown]
# ## 2. A derivative without a subtraction
#
# The trouble is the subtraction, so we do without. Step into the complex plane, from $x$ to $x + ih$ with $i^2 = -1$:
#
# $$F(x + ih) = F(x) + ih\, F'(x) - \tfrac12 h^2 F''(x) - \dots$$
#
# The derivative stands alone in the imaginary part. Nothing has to be taken from it:
#
# $$F'(x) = \frac{\mathrm{Im}\, F(x + ih)}{h} + O(h^2).$$
#
# ($O(h^2)$ stands for anything that is at most a constant times $h^2$ when $h$ is small.)
#
# This is the *complex step* (Lyness and Moler 1967; Squire and Trapp 1998). NumPy's functions take complex numbers, so it
# is one line of code.


# %%
def complex_step(fun, x, h):
    return np.imag(fun(x + 1j * h)) / h


# %% [markdown] tags=["predict"]
# **Predict.** Draw the error of the complex step into the picture above, from $h = 10^{-1}$ down to $h = 10^{-16}$.

# %%
eps = np.finfo(float).eps
all_errors = [errors(derivative, hs) for derivative in (forward, central, complex_step)]
figures.complex_step(hs, *all_errors, round_off=eps * abs(F_prime(x)))

# %% [markdown]
# There is a right arm, and no left arm. (An error of exactly zero is drawn at $10^{-17}$.) We may take $h = 10^{-20}$ and
# forget about truncation: $h^2 = 10^{-40}$ is far below round-off.
#
# The price: $F$ has to be *analytic*, that is, built from arithmetic, exp, sin, tanh and the like. `abs`, `.real` or
# `np.linalg.norm` throw the imaginary part away, and then the answer is zero or nonsense. So we use both: the complex
# step for its 16 digits, and differences to confirm that it may be used.

# %%
print("complex step of |x| at -2:      ", complex_step(abs, -2.0, 1e-20), " (should be -1)")
print("central difference of |x| at -2:", round(central(abs, -2.0, 1e-6), 6))

# %% [markdown]
# ## 3. Many variables at once: the Taylor slope
#
# Now $x$ has $n$ components, $F$ still gives one number (a *loss*), and $g$ is a vector that claims to be its gradient.
# Component by component, differences need $2n$ evaluations. With a million parameters that is too much, and often we want
# just one answer: right or wrong?
#
# Choose one random direction $v$ and look at what the gradient does *not* explain:
#
# $$r(h) = \bigl| F(x + h v) - F(x) - h\, g \cdot v \bigr|.$$
#
# If $g$ is the gradient, Taylor says $r(h) = O(h^2)$. If it is not, a term $h\,(\nabla F - g) \cdot v$ is left, and
# $r(h) = O(h)$. In a log-log plot the slope is **2 if the gradient is right and 1 if it is wrong**. No tolerance is needed.
#
# Our example is a small fit: 20 rows of data $X$ with targets $y$, a model $\tanh(X w)$, and the loss
# $F(w) = \sum_n (\tanh(X w)_n - y_n)^2$.

# %%
X, y, w = rng.normal(size=(20, 5)), rng.normal(size=20), rng.normal(size=5)


def loss(w):
    return np.sum((np.tanh(X @ w) - y) ** 2)


def loss_gradient(w):
    p = np.tanh(X @ w)
    return X.T @ (2 * (p - y) * (1 - p**2))  # tanh' = 1 - tanh^2


# %% [markdown]
# And here is the same gradient with a mistake that is easy to make: $1 - \tanh$ instead of $1 - \tanh^2$.


# %%
def wrong_gradient(w):
    p = np.tanh(X @ w)
    return X.T @ (2 * (p - y) * (1 - p))


v = rng.normal(size=5)
v /= np.linalg.norm(v)


def remainder(g, h):
    return abs(loss(w + h * v) - loss(w) - h * g @ v)


def slope(g):
    hs = 0.5 ** np.arange(8, 14)
    return np.polyfit(np.log(hs), np.log([remainder(g, h) for h in hs]), 1)[0]


h_taylor = 0.5 ** np.arange(2, 16)
remainders = {}
for label, g in ("right", loss_gradient(w)), ("wrong", wrong_gradient(w)):
    remainders[f"{label}: slope {slope(g):.2f}"] = [remainder(g, h) for h in h_taylor]
    print(f"{label}: slope {slope(g):.2f}")
figures.taylor(h_taylor, remainders)

# %% [markdown]
# One direction is enough. A random $v$ is perpendicular to a given error $\nabla F - g$ with probability zero.

# %% [markdown]
# ## 4. Vectors in, vectors out: the dot-product test
#
# Let $y = F(x)$ be a vector as well. Its derivative is the *Jacobian* matrix $J$ with $J_{ij} = \partial y_i / \partial x_j$.
# A small change $v$ of $x$ changes $y$ by $J v$. Nobody wants to store $J$ for a large network. Reverse-mode
# differentiation, the subject of the next notebook, works with another map instead: the **pullback**
#
# $$a_x = \text{pullback}(a_y) = a_y J.$$
#
# Here $a_y$ is a *cotangent*: how much the loss changes per unit of each $y_i$. The pullback turns it into the same for
# $x$. If $L$ is the loss and $a_y = \partial L / \partial y$, then $a_y J = \partial L / \partial x$; that is the chain
# rule, with vectors written as rows.
#
# To test a pullback, use that $(a_y J)\, v = a_y\, (J v)$. On the left stands the pullback, on the right a derivative
# along $v$, which the complex step gives. Both sides are single numbers:
#
# $$\langle \text{pullback}(a), v \rangle = \langle a, J v \rangle \qquad \text{for random } a \text{ and } v.$$
#
# ($\langle u, v \rangle$ is the sum of $u_i v_i$ over all components, whatever the shape of the arrays.)
#
# From here on we write every differentiable function in this way: it returns **the value and the pullback**.


# %%
def model(w):
    """p = tanh(X w) and its pullback."""
    p = np.tanh(X @ w)

    def pullback(a_p):
        return (a_p * (1 - p**2)) @ X

    return p, pullback


def dot_product_gap(fun, x):
    y, pullback = fun(x)
    a, v = rng.normal(size=y.shape), rng.normal(size=x.shape)
    J_v = np.imag(fun(x + 1e-20j * v)[0]) / 1e-20  # the complex step, along v
    left, right = np.sum(pullback(a) * v), np.sum(a * J_v)
    return abs(left - right) / max(abs(left), abs(right))


print("the two sides agree to round-off:", dot_product_gap(model, w) < 1e-13)

# %% [markdown] tags=["checkpoint"]
# **Checkpoint.** Now you. This function takes a matrix $W$ and returns $y = x W$ for a fixed batch of rows $x$, so
# $y_{nj} = \sum_i x_{ni} W_{ij}$. What is the cotangent $a_W$, when $a_y$ is given? The shapes are a strong hint: $x$ is
# `(4, 3)`, $W$ is `(3, 2)` and $a_y$ is `(4, 2)`. Change the marked line, and run the cell again until the check passes.

# %% tags=["checkpoint"]
x_rows = rng.normal(size=(4, 3))


def times_W(W):
    y = x_rows @ W

    def pullback(a_y):
        return np.zeros((3, 2))  # <- yours

    return y, pullback


checks.check_vjp(times_W, rng.normal(size=(3, 2)))

# %% [markdown] tags=["solution"]
# <details><summary><b>Answer</b></summary>
#
# The loss changes by $\sum_{nj} (a_y)_{nj}\, dy_{nj} = \sum_{nij} (a_y)_{nj}\, x_{ni}\, dW_{ij}$. What multiplies
# $dW_{ij}$ is $(a_W)_{ij} = \sum_n x_{ni} (a_y)_{nj}$, that is $a_W = x^T a_y$: each row of the batch adds its share.
#
# ```python
# def times_W(W):
#     return x_rows @ W, lambda a_y: x_rows.T @ a_y
#
#
# assert checks.check_vjp(times_W, rng.normal(size=(3, 2)))
# ```
#
# </details>

# %% [markdown]
# ## 5. A check that says what is wrong
#
# `odelearn.check_gradient` puts these tests together. For each array of a gradient it compares every component with the
# complex step, if differences confirm that, and with extrapolated differences otherwise. It adds the Taylor slope, and it
# chooses every $h$ itself. The report is true if the gradient passed, and otherwise has a `diagnosis`.

# %%
print(odelearn.check_gradient(loss, loss_gradient, w))

# %% [markdown] tags=["break-it"]
# ## 6. Break it
#
# Wrong gradients are seldom wrong at random. Below are six slips, each a single character or so away from the truth.
# **Before you run the cell:** which of them could a Taylor slope miss? Which would you find by looking at the numbers?

# %% tags=["break-it"]
right = loss_gradient(w)
slips = {
    "a minus sign lost": -right,
    "the 2 forgotten": right / 2,
    "mean instead of sum": right / len(X),
    "tanh' = 1 - tanh": wrong_gradient(w),
    "last component dropped": right * [1, 1, 1, 1, 0],
    "too large by one per mille": right * 1.001,
}
for name, g in slips.items():
    report = odelearn.check_gradient(loss, g, w)
    print(f"{name + ':':28}slope {report.slope:.2f}   {report.diagnosis.removeprefix('x: ').split(':')[0]}")

# %% [markdown]
# The last one is instructive. A gradient that is off by one per mille is wrong, and a tolerance of one
# per cent would never have noticed. Its slope is {{report.slope:.2f}}, not quite 1: only at a small $h$ does the term
# with $h$ outgrow the one with
# $h^2$.
#
# One thing no test can do: find a wrong factor where the truth is zero. Twice zero is zero.

# %% tags=["break-it"]
flat = lambda w: np.sum((X @ w) ** 2)  # at w = 0 its gradient is zero, and so is the wrong gradient below
print(odelearn.check_gradient(flat, lambda w: -17 * X.T @ (X @ w), np.zeros(5)))

# %% [markdown]
# It passes, with a warning. So: **test at a random point, where every true component is far from zero.**

# %% [markdown] tags=["agree"]
# ## 7. Ours and the library's
#
# The functions above are all there is to it. The folder `odelearn.verify` chooses $h$ with more care, works
# on arrays of any shape and says more when something is wrong. Where both are defined, they agree:

# %% tags=["agree"]
assert np.isclose(complex_step(F, x, 1e-20), odelearn.complex_step(F, x), rtol=1e-15)
assert np.isclose(forward(F, x, 1e-8), odelearn.finite_difference(F, x, "forward", eps=1e-8), rtol=1e-7)
assert np.isclose(central(F, x, 6e-6), odelearn.finite_difference(F, x, "central", eps=6e-6), rtol=1e-9)
assert abs(slope(right) - odelearn.taylor_slope(loss, w, loss_gradient, rng)) < 0.1
assert abs(slope(slips["a minus sign lost"]) - odelearn.taylor_slope(loss, w, -right, rng)) < 0.1
assert odelearn.dot_product_test(lambda w: model(w)[0], model(w)[1], w, rng) < 1e-13
assert checks.check_vjp(model, w)
print("all agree")

# %% [markdown] tags=["pay-off"]
# ## 8. What it is good for: where is the comet?
#
# Kepler's equation $E - e \sin E = M$ gives the angle $E$ of a planet or a comet at the time $M$ (as an angle, $2\pi$ a
# round). It cannot be solved for $E$. Newton's method can: $E \leftarrow E - F(E) / F'(E)$, and the derivative is one call of
# the complex step. Halley's comet has $e = 0.967$.

# %% tags=["pay-off"]
eccentricity, M = 0.967, 1.0


def kepler(E):
    return E - eccentricity * np.sin(E) - M


E = np.pi
for i in range(5):
    E = E - kepler(E) / complex_step(kepler, E, 1e-20)
    print(f"step {i + 1}:  E = {E:.12f}   left over {abs(kepler(E)):.0e}")
assert abs(kepler(E)) < 1e-14

# %% [markdown] tags=["pay-off"]
# Each step doubles the number of right digits. With a derivative that is only nearly right it would not.

# %% [markdown] tags=["exercise"]
# ## Exercises
#
# **1 (fill in).** Dividing a vector by its length, $y = x / |x|$ with $|x| = \sqrt{\sum_i x_i^2}$, is a function with
# vectors on both sides. Write its pullback. (The derivative of $|x|$ is $x / |x|$.)

# %% tags=["exercise"]


def unit(x):
    length = np.sqrt(np.sum(x * x))
    y = x / length

    def pullback(a_y):
        return a_y / length  # yours: something is missing

    return y, pullback


checks.check_vjp(unit, rng.normal(size=4))

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# By the quotient rule $dy = dx / |x| - x\, (x \cdot dx) / |x|^3 = (dx - y\, (y \cdot dx)) / |x|$. So
# $a_y \cdot dy = (a_y - (a_y \cdot y)\, y) \cdot dx / |x|$, and what multiplies $dx$ is the cotangent of $x$. In words: the
# part of $a_y$ along $y$ is removed, since making $x$ longer does not change $y$.
#
# ```python
# def unit(x):
#     length = np.sqrt(np.sum(x * x))
#     y = x / length
#
#     def pullback(a_y):
#         return (a_y - np.sum(a_y * y) * y) / length
#
#     return y, pullback
#
#
# assert checks.check_vjp(unit, rng.normal(size=4))
# ```
#
# </details>

# %% [markdown] tags=["exercise"]
# **2 (derive).** The error of the central difference is about $\tfrac16 h^2 |F'''(x)| + \varepsilon_{mach} |F(x)| / h$.
# Which $h$ makes it smallest, and how small is it then? Compare with the picture of section 1.

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# Set the derivative with respect to $h$ to zero: $\tfrac13 h |F'''| = \varepsilon_{mach} |F| / h^2$, so
# $h = (3\, \varepsilon_{mach} |F / F'''|)^{1/3}$. There, round-off is twice the truncation error, and both together are
# $\tfrac12 h^2 |F'''|$, which is proportional to $\varepsilon_{mach}^{2/3}$.
#
# Here $F'''(x) = e^x (-26 \sin 3x - 18 \cos 3x)$, from differentiating $F'$ twice more.
#
# ```python
# F3 = np.exp(x) * (-26 * np.sin(3 * x) - 18 * np.cos(3 * x))
# best_h = (3 * eps * abs(F(x) / F3)) ** (1 / 3)
# best_error = best_h**2 * abs(F3) / 2
# assert 1e-6 < best_h < 1e-5
# assert abs(central(F, x, best_h) - F_prime(x)) < 3 * best_error
# ```
#
# </details>

# %% [markdown] tags=["exercise"]
# **3 (explore).** Neural networks are full of $\mathrm{relu}(x) = \max(x, 0)$, which has a kink at 0. What do the
# central difference and the complex step say of it at $x = 1$, at $x = 10^{-3}$ and at $x = 0$? What does the answer $g$ of
# the complex step leave unexplained, $r(h)$ of section 3 with $h = 10^{-2}$, to the right and to the left? And what do the two
# say of `abs`? Rewrite `abs` so that the complex step works.

# %% tags=["exercise"]
relu = lambda x: np.maximum(x, 0)
h = 1e-2
for point in 1.0, 1e-3, 0.0:
    g = complex_step(relu, point, 1e-20)
    right, left = (abs(relu(point + v * h) - relu(point) - v * h * g) for v in (1, -1))
    print(
        f"x = {point:g}:  central {central(relu, point, h):.2f}   complex step {g:.2f}   r {right:.3f} and {left:.3f}"
    )

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# Away from the kink all is well. At $x = 10^{-3}$ the central difference with $h = 10^{-2}$ straddles the kink and
# gives a mixture, {{central(relu, 1e-3, h):.2f}}, of the slopes 0 and 1. The complex step looks at one side only:
# NumPy's `maximum` compares real parts first, so it answers {{complex_step(relu, 1e-3, 1e-20):.0f}}. At $x = 0$ there
# is no derivative. The central difference gives {{central(relu, 0.0, h):.2f}}, the complex step
# {{complex_step(relu, 0.0, 1e-20):.0f}}. Each is a *choice*; so is the 0 that many libraries return.
#
# A Taylor slope tells little here. A relu is straight on both sides of its kink, so $r(h)$ is exactly zero as long as
# the step does not cross it, and there is no slope to measure. `odelearn.taylor_slope` then says inf, and means that
# nothing is left to explain: in {{np.sum(np.isinf(slopes))}} of {{len(slopes)}} trials. Only from $x = 0$ to the left,
# or from $10^{-3}$ by a step that is long enough, does it see the kink.
#
# `abs` of a complex number is its modulus, which is real. Branching on the sign of the real part keeps the imaginary part:
#
# ```python
# def analytic_abs(x):
#     return np.where(np.real(x) < 0, -x, x)
#
#
# assert complex_step(analytic_abs, -2.0, 1e-20) == -1
# assert complex_step(analytic_abs, 3.0, 1e-20) == 1
# slopes = [
#     odelearn.taylor_slope(lambda x: np.sum(relu(x)), np.array([point]), np.ones(1), np.random.default_rng(seed))
#     for point in (1.0, 1e-3, 0.0)
#     for seed in range(5)
# ]
# assert abs(central(relu, 1e-3, 1e-2) - 0.55) < 1e-12 and np.isinf(slopes[:5]).all()
# ```
#
# </details>

# %% [markdown] tags=["summary"]
# ## Summary
#
# | test | formula | when it is right | in odelearn |
# |---|---|---|---|
# | differences | $(F(x+h) - F(x-h)) / 2h$ | 10 digits at the best $h$ | `verify.differences.finite_difference` |
# | complex step | $\mathrm{Im}\, F(x + ih) / h$ | 16 digits, if $F$ is analytic | `verify.differences.complex_step` |
# | Taylor slope | $\lvert F(x + hv) - F(x) - h\, g \cdot v \rvert$ | slope 2 (1 if wrong) | `verify.gradient_check.taylor_slope` |
# | dot-product test | $\langle \text{pullback}(a), v \rangle = \langle a, Jv \rangle$ | equal to round-off | `verify.gradient_check.dot_product_test` |
# | all together | every component, with a diagnosis | report is true | `verify.gradient_check.check_gradient`, `checks.check_vjp` |
#
# - Smaller steps are better only down to where round-off takes over.
# - Test at random points, where the true gradient is not zero.
# - Write a differentiable function as **(value, pullback)**. The next notebook builds everything from that.
#
# **Sources.** J. N. Lyness, C. B. Moler, *Numerical differentiation of analytic functions*, SIAM J. Numer. Anal. 4 (1967).
# W. Squire, G. Trapp, *Using complex variables to estimate derivatives of real functions*, SIAM Review 40 (1998).
# A. Griewank, A. Walther, *Evaluating Derivatives*, 2nd edition, SIAM (2008).
