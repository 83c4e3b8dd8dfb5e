# %% [markdown] tags=["header"]
# # 02 Value and pullback
#
# | | |
# |---|---|
# | **You will be able to** | write the derivative of a neural network by hand and be sure of it; build, in about 60 lines, a program that does it for ordinary NumPy code, and say why it can differentiate its own derivatives |
# | **You need** | notebook 01, matrix products, Python classes |
# | **Time** | {{minutes_to_read}} minutes to read, {{minutes_to_do}} for the checkpoints and exercises |
# | **Equations** | (36), the chain rule from one layer to the next; and what stands behind every $a\, \partial f / \partial z$ in (35) and (50) |
#
# There is one idea in this notebook, and the whole library is made of it: a function that can be differentiated returns
# **its value, and the way back**. Layers do it, whole networks do it, and later a differential equation will do it too.

# %%
import itertools

import numpy as np

import odelearn
from odelearn import checks
from odelearn.plotting.course import pullbacks as figures

rng = np.random.default_rng(1)

# %% [markdown]
# ## 1. The way back
#
# Let $y = F(x)$, and let $L$ be a number that is computed from $y$ later on: a loss. The **cotangent** of a quantity is
# the derivative of $L$ with respect to it. It has the shape of that quantity, and we write it as $a$ with its name:
#
# $$a_y = \frac{\partial L}{\partial y}, \qquad a_x = \frac{\partial L}{\partial x} = a_y \frac{\partial y}{\partial x}.$$
#
# The **pullback** is the map $a_y \mapsto a_x$. It is linear in $a_y$, and it needs to know neither $L$ nor what comes
# after $y$. Here are two functions with their pullbacks. What a pullback needs from the way forward, it simply remembers.


# %%
def sine(x):
    y = np.sin(x)
    return y, lambda a_y: a_y * np.cos(x)


def square(x):
    y = x * x
    return y, lambda a_y: a_y * 2 * x


# %% [markdown]
# **The chain rule is a change of direction.** If $x \to u \to y$, then $a_y \to a_u \to a_x$. This is equation (36) of the
# paper: what a layer does to the cotangent, one layer after the other, from the last to the first.


# %%
def chain(*layers):
    """The layers one after the other, as one function with one pullback."""

    def fun(x):
        pullbacks = []
        for layer in layers:
            x, pullback = layer(x)
            pullbacks.append(pullback)

        def pullback(a):
            for pull in reversed(pullbacks):
                a = pull(a)
            return a

        return x, pullback

    return fun


y, pullback = chain(sine, square, sine)(0.7)  # sin(sin(x)^2)
print("value", y.round(6), "  derivative", pullback(1.0).round(6))
checks.check_vjp(chain(sine, square, sine), 0.7)

# %% [markdown] tags=["predict"]
# **Predict.** Three layers, each with 1000 numbers in and 1000 numbers out, and a loss at the end. The Jacobians
# $J_1, J_2, J_3$ are 1000 by 1000 matrices, and the gradient is $a\, J_3 J_2 J_1$ with a row $a$ of 1000 numbers. How many
# multiplications does it take from left to right, $((a J_3) J_2) J_1$? How many from right to left, $a\,(J_3 (J_2 J_1))$?

# %%
n = 1000
print(f"left to right, a row times a matrix, three times:  {3 * n**2:.0e}")
print(f"right to left, two products of matrices, then one: {2 * n**3 + n**2:.0e}")

# %% [markdown]
# The product is the same, and the way back takes {{(2 * n**3 + n**2) / (3 * n**2):.0f}} times fewer
# multiplications, because a loss is *one* number. That is why we go backwards. (For one input and many outputs it is
# the other way round.) And a pullback never builds the matrix $J$.

# %% [markdown]
# ## 2. A dense layer, by hand
#
# A layer works on a batch: $N$ inputs at a time, one in each **row** of $x$. With weights $W$ and a bias $b$,
#
# $$y = x W + b, \qquad y_{nj} = \sum_i x_{ni} W_{ij} + b_j,$$
#
# where $x$ is $(N, D)$, $W$ is $(D, H)$, $b$ is $(H,)$ and $y$ is $(N, H)$. To find the pullback, change everything a
# little and see what $L$ does:
#
# $$dL = \sum_{nj} (a_y)_{nj}\, dy_{nj}
#      = \sum_{nj} (a_y)_{nj} \Bigl( \sum_i dx_{ni} W_{ij} + \sum_i x_{ni}\, dW_{ij} + db_j \Bigr).$$
#
# The cotangent of each thing is what multiplies its change. Read off:
#
# $$a_x = a_y W^T, \qquad a_W = x^T a_y, \qquad a_b = \sum_n (a_y)_n.$$
#
# The shapes can be checked at a glance: $(N, D) = (N, H)(H, D)$ and $(D, H) = (D, N)(N, H)$. And every row used the same
# $W$ and the same $b$, so **the rows add up**: the batch disappears in a sum.


# %%
def dense(x, W, b):
    y = x @ W + b  # (N, H)

    def pullback(a_y):
        return a_y @ W.T, x.T @ a_y, a_y.sum(axis=0)  # a_x (N, D), a_W (D, H), a_b (H,)

    return y, pullback


def tanh(x):
    y = np.tanh(x)
    return y, lambda a_y: a_y * (1 - y * y)  # tanh' = 1 - tanh^2, from the stored y


x, W, b = rng.normal(size=(4, 3)), rng.normal(size=(3, 2)), rng.normal(size=2)
checks.check_vjp(dense, x, W, b)

# %% [markdown] tags=["checkpoint"]
# **Checkpoint.** A *scale* layer multiplies each column of $x$ by its own number: $y_{nj} = x_{nj}\, s_j$. Here it is with a
# pullback in which somebody thought that a gradient ought to be a mean over the batch. Read what the check says of it,
# and put it right.

# %% tags=["checkpoint"]


def scale(x, s):
    y = x * s

    def pullback(a_y):
        return a_y * s, np.mean(a_y * x, axis=0)  # <- yours

    return y, pullback


checks.check_vjp(scale, rng.normal(size=(5, 3)), rng.normal(size=3))

# %% [markdown] tags=["solution"]
# <details><summary><b>Answer</b></summary>
#
# $dL = \sum_{nj} (a_y)_{nj} (dx_{nj}\, s_j + x_{nj}\, ds_j)$, so $(a_s)_j = \sum_n (a_y)_{nj} x_{nj}$: a sum. If the loss is a
# mean over the batch, then $a_y$ carries the $1/N$ already, and dividing again would count it twice.
#
# ```python
# def scale(x, s):
#     return x * s, lambda a_y: (a_y * s, np.sum(a_y * x, axis=0))
#
#
# assert checks.check_vjp(scale, rng.normal(size=(5, 3)), rng.normal(size=3))
# ```
#
# </details>

# %% [markdown]
# ## 3. A network as dynamics
#
# From notebook 03 on, a network will say how fast a state $z$ moves: $dz/dt = f(z, t, \theta)$. Here is the one that we will
# use most, with one hidden layer, and the time $t$ as one more input:
#
# $$f(z, t, \theta) = \tanh([z, t]\, W_0 + b_0)\, W_1 + b_1.$$
#
# All weights and biases are kept end to end in *one* vector $\theta$ with $P$ components, because solvers, optimisers and
# checks want a vector. The code has the shape of its own derivation: forward above, backward below, in reverse order.

# %%
D, H = 2, 8  # the size of z and of the hidden layer
shapes = [(D + 1, H), (H,), (H, D), (D,)]  # W0, b0, W1, b1
sizes = [int(np.prod(shape)) for shape in shapes]
P = sum(sizes)


def unravel(theta):
    """W0, b0, W1, b1 as views of theta."""
    ends = np.cumsum(sizes)
    return [theta[end - size : end].reshape(shape) for end, size, shape in zip(ends, sizes, shapes, strict=True)]


def network(z, t, theta):
    W0, b0, W1, b1 = unravel(theta)
    zt = np.concatenate([z, t * np.ones((len(z), 1))], axis=1)  # (N, D + 1)
    pre, pullback_0 = dense(zt, W0, b0)  # (N, H)
    hidden, pullback_tanh = tanh(pre)  # (N, H)
    dz, pullback_1 = dense(hidden, W1, b1)  # (N, D)

    def pullback(a):
        a_hidden, a_W1, a_b1 = pullback_1(a)
        a_pre = pullback_tanh(a_hidden)
        a_zt, a_W0, a_b0 = pullback_0(a_pre)
        a_z, a_t = a_zt[:, :-1], np.sum(a_zt[:, -1])  # one t for all rows: its cotangents add up
        return a_z, a_t, np.concatenate([a_W0.ravel(), a_b0, a_W1.ravel(), a_b1])

    return dz, pullback


z, t, theta = rng.normal(size=(5, D)), 0.3, rng.normal(size=P)
checks.check_vjp(network, z, t, theta)

# %%
layers = [("W_0, b_0", ["W_0", "b_0"]), (r"\tanh", []), ("W_1, b_1", ["W_1", "b_1"])]  # and their parameters
figures.way_back(["[z, t]", "pre", "hidden", "dz"], layers)

# %% [markdown] tags=["predict"]
# **Predict.** The network has $P = {{P}}$ parameters. Central differences would call it
# {{2 * P}} times for one gradient. How much work is one pullback, compared with one call of the network? Count the
# matrix products in `network`, forwards and backwards.

# %% [markdown]
# Forwards there are two products, one for each `dense`. Backwards there are four, since each `dense` gives $a_x$ and $a_W$.
# Each is as large as the one forwards, so a pullback costs **about two evaluations, for any number of parameters**. With a
# million parameters central differences need two million: what takes a second by a pullback takes them more than a week.

# %% [markdown]
# ## 4. A tape of 60 lines
#
# Pullbacks by hand are fast, and tedious. Look at what we did for `network`: we wrote down which operations were carried
# out, and then walked through the list from the end, with one small rule for each operation. A program can do that.
#
# **The table of rules.** For $y = \text{fun}(u, v)$, the table holds one rule for each argument. A rule turns the cotangent
# $a$ of $y$ into that of the argument; it may use $y$, $u$ and $v$.


# %%
def shape(x):
    return getattr(x, "shape", ())


def to(a, x):
    """The way back through broadcasting: where x was repeated along new axes, its cotangents add up."""
    while len(shape(a)) > len(shape(x)):
        a = np.sum(a, 0)
    return a


# fmt: off
RULES = {
    np.add:       [lambda a, y, u, v: to(a, u),      lambda a, y, u, v: to(a, v)],
    np.subtract:  [lambda a, y, u, v: to(a, u),      lambda a, y, u, v: to(-a, v)],
    np.multiply:  [lambda a, y, u, v: to(a * v, u),  lambda a, y, u, v: to(a * u, v)],
    np.divide:    [lambda a, y, u, v: to(a / v, u),  lambda a, y, u, v: to(-a * y / v, v)],
    np.matmul:    [lambda a, y, x, W: a @ W.T,       lambda a, y, x, W: x.T @ a],
    np.negative:  [lambda a, y, x: -a],
    np.exp:       [lambda a, y, x: a * y],
    np.tanh:      [lambda a, y, x: a * (1 - y * y)],
    np.sin:       [lambda a, y, x: a * np.cos(x)],
    np.cos:       [lambda a, y, x: -a * np.sin(x)],
    np.transpose: [lambda a, y, x: np.transpose(a)],
    np.sum:       [lambda a, y, x, axis=0: a * np.ones(shape(x))],      # of all entries, or over the first axis
}
# fmt: on

# %% [markdown]
# **The stand-in.** How do we find out which operations a function carries out? We call it with stand-ins instead of
# arrays. NumPy asks every argument whether it would like to take over, and a class with the two methods below hears of
# everything that is done to it; the appendix says how. All that they do is to call `record`, which carries out the
# operation and writes it down.


# %%
class Tape:
    numbers = itertools.count()

    def __init__(self):
        self.number, self.nodes = next(Tape.numbers), []


class Var(np.lib.mixins.NDArrayOperatorsMixin):
    """Stands for a value. Its node on the tape: the function that made it, and the links (index, rule) to the arguments."""

    def __init__(self, value, tape, fun=None, links=()):
        self.value, self.tape, self.index = value, tape, len(tape.nodes)
        tape.nodes.append((self, fun, links))

    def __array_ufunc__(self, ufunc, method, *args):
        return record(ufunc, *args)

    def __array_function__(self, fun, types, args, kwargs):
        return record(fun, *args)

    shape = property(lambda self: shape(self.value))
    T = property(lambda self: np.transpose(self))


def record(fun, *args):
    """Carry out y = fun(*args) on the values, and write down on the innermost tape how cotangents go back."""
    tape = max((x.tape for x in args if isinstance(x, Var)), key=lambda tape: tape.number)
    mine = [isinstance(x, Var) and x.tape is tape for x in args]
    values = [x.value if is_mine else x for x, is_mine in zip(args, mine, strict=True)]
    y = fun(*values)
    rules = zip(args, mine, RULES[fun], strict=False)
    links = [(x.index, lambda a, rule=rule: rule(a, y, *values)) for x, is_mine, rule in rules if is_mine]
    return Var(y, tape, fun, links)


# %% [markdown]
# **The way back.** The tape lists the operations in the order in which they happened. A value always comes after
# everything it was made of. So if we walk from the end to the beginning, then by the time we reach a value, everything
# that used it has already sent its share of the cotangent, and the sum of these shares is complete.


# %%
def vjp(fun, *args):
    """The value of fun(*args), and its pullback."""
    tape = Tape()
    leaves = [Var(x, tape) for x in args]
    y = fun(*leaves)

    def pullback(a_y):
        a = {y.index: a_y}  # the cotangents, by the index of their node
        for node, _, links in reversed(tape.nodes[: y.index + 1]):
            for i, rule in links:
                if node.index in a:
                    share = rule(a[node.index])
                    a[i] = a[i] + share if i in a else share
        return tuple(a.get(leaf.index, 0.0) for leaf in leaves)

    pullback.tape = tape  # only so that we can look at it below
    return y.value, pullback


def grad(fun):
    return lambda x: vjp(fun, x)[1](1.0)[0]


# %% [markdown]
# That is all: about 60 lines without the empty ones. NumPy code that is made of the {{len(RULES)}} functions in the table
# now has a derivative, and nobody has to work it out. (All other code gives an error, or worse, a wrong number. The
# appendix adds what a tape must refuse.)


# %%
def plain_network(zt, W0, b0, W1, b1):
    return np.tanh(zt @ W0 + b0) @ W1 + b1


zt = np.concatenate([z, t * np.ones((len(z), 1))], axis=1)
dz, pullback = vjp(plain_network, zt, *unravel(theta))
a = rng.normal(size=dz.shape)
a_zt, *a_weights = pullback(a)
by_hand = network(z, t, theta)[1](a)
print("the tape and the hand agree:", np.allclose(np.concatenate([part.ravel() for part in a_weights]), by_hand[2]))

# %% [markdown] tags=["predict"]
# **Predict.** Below is the tape of $L = (u + v)\, u$ for $u = 3$, $v = 4$. The value $u$ is used twice. In which order do its
# two shares arrive, and what are they?


# %%
def product(u, v):
    return (u + v) * u


L, pullback = vjp(product, 3.0, 4.0)
print("node  made by    value  from")
for node, fun, links in pullback.tape.nodes:
    print(f"{node.index:3}   {fun.__name__ if fun else 'argument':9} {node.value:6.1f}  {[i for i, _ in links] or ''}")
print("a_u, a_v =", *pullback(1.0))

# %% [markdown]
# The same as a picture. The number in a circle is the value of that node. Above, arrows lead from the arguments of an
# operation to its value. Below, the walk back, one share after the other. (This cell does what `pullback` did, and
# keeps what is sent.)

# %%
nodes, cotangents, shares = pullback.tape.nodes, {3: 1.0}, []
for node, _, links in reversed(nodes):
    for i, rule in links:
        share = rule(cotangents[node.index])
        shares.append((node.index, i, share))
        cotangents[i] = cotangents.get(i, 0.0) + share
names = ["u", "v", "u + v", "(u + v) u"]
figures.tape([(name, node.value) for name, (node, _, _) in zip(names, nodes, strict=True)], shares)

# %% [markdown]
# We start with $a_3 = 1$ at the product. It sends $u = {{shares[0][2]:g}}$ to node 2, the sum, and $u + v
# = {{shares[1][2]:g}}$ to node 0. Then the sum hands its {{cotangents[2]:g}} on to $u$ and to $v$. So $a_u =
# {{shares[1][2]:g}} + {{shares[2][2]:g}} = {{cotangents[0]:g}}$ and $a_v = {{cotangents[1]:g}}$: the derivative of $u^2
# + uv$, as it should be.

# %% [markdown]
# ## 5. Why it nests
#
# The derivative of a derivative is needed sooner than one thinks: for curvature, and in continuous normalizing flows for
# the gradient of a trace. Our tape can do it already. `grad(fun)` is a function like any other, so we may put it into
# `grad` again:

# %%
cube = lambda x: x * x * x
print("x^3 at 2 and its derivatives:", cube(2.0), grad(cube)(2.0), grad(grad(cube))(2.0), grad(grad(grad(cube)))(2.0))

# %% [markdown]
# Two decisions make that work.
#
# **The rules are written in functions that have rules.** The pullback of `np.tanh` is `a * (1 - y * y)`, which is made of
# multiplications and a subtraction. When an outer tape is listening, it writes those down as well.
#
# **A tape unwraps only what is its own.** Look at `record`. Among the tapes of the arguments it chooses the innermost one,
# that is, the latest. It takes *that* tape's stand-ins off the values; stand-ins of outer tapes stay on and count as
# constants. Then it calls `fun` on what is left, and if that is traced by an outer tape, `record` is called once more.
#
# The classic test of this is the following. Inside, $y$ moves and $x$ is a constant, so the inner derivative is 1, and
#
# $$\frac{d}{dx} \Bigl( x \cdot \frac{d}{dy} (x + y) \Bigr) = \frac{d}{dx} (x \cdot 1) = 1.$$
#
# A program that mixes up the two levels answers 2. That is known as *perturbation confusion* (Siskind and Pearlmutter 2005).

# %%
print("nested tapes answer:", grad(lambda x: x * grad(lambda y: x + y)(1.0))(2.0))


# %% [markdown] tags=["break-it"]
# **Break it.** Many small autodiff programs keep cotangents in a field of the value, `.grad`, and add to it. Then there is
# only one place for the cotangent of $x$, and two levels that add to it. Here is our `vjp` in that style. What will it
# answer? And what does it answer when one asks twice for the same gradient?

# %% tags=["break-it"]


def grad_in_a_field(fun):
    def gradient(x):
        leaf = x if isinstance(x, Var) else Var(x, Tape())
        y = fun(leaf)
        a = {y.index: 1.0}
        for node, _, links in reversed(leaf.tape.nodes[: y.index + 1]):
            for i, rule in links:
                if node.index in a:
                    share = rule(a[node.index])
                    a[i] = a[i] + share if i in a else share
        for node, _, _ in leaf.tape.nodes:
            if node.index in a:
                node.grad = getattr(node, "grad", 0.0) + a[node.index]  # added to what is already there
        return leaf.grad

    return gradient


shared = Tape()
x_var = Var(2.0, shared)


def confused(x):
    return x * grad_in_a_field(lambda y: x + y)(Var(1.0, shared))


print("cotangents in a field, first answer: ", grad_in_a_field(confused)(x_var))
print("cotangents in a field, second answer:", grad_in_a_field(confused)(x_var))

# %% [markdown]
# This is why in `odelearn` what flows back is a *return value*. There is no `.grad`, no `backward()`, and nothing to reset.

# %% [markdown] tags=["break-it"]
# **Break it again.** We plant mistakes in the tape, one after the other, and ask `check_vjp` about a small function that
# uses everything. Which of them would you have found by looking at a loss curve?

# %% tags=["break-it"]
function = lambda z, W, b: np.sum(np.tanh(z @ W + b) * z, 0)
arguments = rng.normal(size=(4, 3)), rng.normal(size=(3, 3)), rng.normal(size=3)
slips = {
    "none": {},
    "tanh' = 1 - tanh": {np.tanh: [lambda a, y, x: a * (1 - y)]},
    "a W instead of a W^T": {np.matmul: [lambda a, y, x, W: a @ W, RULES[np.matmul][1]]},
    "a^T x instead of x^T a": {np.matmul: [RULES[np.matmul][0], lambda a, y, x, W: a.T @ x]},
    "mean instead of sum for b": {np.add: [RULES[np.add][0], lambda a, y, u, v: np.sum(a, 0) / len(a)]},
    "product rule with one term": {np.multiply: [RULES[np.multiply][0], lambda a, y, u, v: 0 * a]},
}
for name, slip in slips.items():
    right_rules = {fun: RULES[fun] for fun in slip}
    RULES.update(slip)
    verdict = checks.check_vjp(lambda *args: vjp(function, *args), *arguments)
    RULES.update(right_rules)
    print(f"{name:28}", "passed" if verdict else "; ".join(text.split(". ")[0] for text in verdict.mistakes))

# %% [markdown]
# (The arguments have no names here, since they pass through `*args`: `x0` is $z$, `x1` is $W$, `x2` is $b$.)
#
# A wrong rule for one operation spoils the cotangents of everything before it, and leaves those behind it alone. That
# helps to find the place: the rule that is wrong belongs to the operation after which all is still well.

# %% [markdown] tags=["agree"]
# ## 6. Ours and the library's
#
# `odelearn.nn` has the layers by hand, `odelearn.autodiff` the tape. The latter knows more than a hundred functions
# instead of {{len(RULES)}}, takes options such as `axis` and undoes all broadcasting, refuses what would go wrong (an
# in-place write, say) and is careful with dtypes. But it is the same walk along the same list, so everything must
# agree:

# %% tags=["agree"]
mlp = odelearn.MLP([D, H, D], time="concat")
dz_mlp, pullback_mlp = mlp.vjp(z, t, theta)
dz_ours, pullback_ours = network(z, t, theta)
assert np.allclose(dz_mlp, dz_ours, rtol=1e-13)
for ours, theirs in zip(pullback_ours(a), pullback_mlp(a), strict=True):
    assert np.allclose(ours, theirs, rtol=1e-12, atol=1e-14)

weights = unravel(theta)
for ours, theirs in zip(
    vjp(plain_network, zt, *weights)[1](a), odelearn.vjp(plain_network, zt, *weights)[1](a), strict=True
):
    assert np.allclose(ours, theirs, rtol=1e-12, atol=1e-14)

energy = lambda x: np.sum(np.tanh(x @ W) * np.exp(-x @ W))
slope_along = lambda grad: grad(lambda x: np.sum(grad(energy)(x) * x))  # a derivative of a derivative
assert np.allclose(slope_along(grad)(x), slope_along(odelearn.grad)(x), rtol=1e-12)
assert odelearn.grad(lambda x: x * odelearn.grad(lambda y: x + y)(1.0))(2.0) == 1.0
assert checks.check_vjp(mlp, z, t, theta) and checks.check_vjp(network, z, t, theta)
table = odelearn.autodiff.tracer
assert len(table.RULES) + len(table.COMPOSED) > 100
print("all agree")

# %% [markdown] tags=["pay-off"]
# ## 7. What it is good for: a curve, learned by our own tape
#
# Sixty lines are enough to train a network. It has one hidden layer of 16, and shall learn $\sin 2x$ from 40 noisy points.

# %% tags=["pay-off"]
at = np.linspace(-2, 2, 40)[:, None]
noisy = np.sin(2 * at) + 0.05 * rng.normal(size=at.shape)
shapes = (1, 16), (16,), (16, 1), (1,)
learned = [rng.normal(size=size) for size in shapes]


def squares(*weights):
    gap = plain_network(at, *weights) - noisy
    return np.sum(np.sum(gap * gap, 0))


first = squares(*learned)
for _ in range(3000):
    total, pullback = vjp(squares, *learned)
    learned = [w - 0.002 * a_w for w, a_w in zip(learned, pullback(1.0), strict=True)]
off = np.sqrt(np.mean((plain_network(at, *learned) - np.sin(2 * at)) ** 2))
print(f"squares {first:.1f} before, {total:.3f} after; root mean square distance from sin 2x: {off:.3f}")

# %% [markdown] tags=["pay-off"]
# The curve is within {{off:.2f}} of $\sin 2x$, with points whose noise is 0.05. Every derivative came from the table of
# section 4.

# %% [markdown] tags=["exercise"]
# ## Exercises
#
# **1 (fill in).** The softmax turns each row of $x$ into probabilities, $p_{nj} = e^{x_{nj}} / \sum_k e^{x_{nk}}$. Write its
# pullback. The derivative is $\partial p_j / \partial x_k = p_j (\delta_{jk} - p_k)$ within a row, where $\delta_{jk}$ is 1
# if $j = k$ and otherwise 0.

# %% tags=["exercise"]


def softmax(x):
    e = np.exp(x - np.max(x.real, axis=1, keepdims=True))  # the shift changes nothing, and avoids overflow
    p = e / np.sum(e, axis=1, keepdims=True)

    def pullback(a_p):
        return a_p * p  # yours: only the diagonal part so far

    return p, pullback


checks.check_vjp(softmax, rng.normal(size=(4, 3)))

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# $(a_x)_k = \sum_j (a_p)_j\, p_j (\delta_{jk} - p_k) = p_k \bigl( (a_p)_k - \sum_j (a_p)_j p_j \bigr)$: take the mean of $a_p$
# under $p$ away, then multiply by $p$. No matrix is built. A check: adding a constant to $a_p$ changes nothing,
# as the probabilities always add up to 1.
#
# ```python
# def softmax(x):
#     e = np.exp(x - np.max(x.real, axis=1, keepdims=True))
#     p = e / np.sum(e, axis=1, keepdims=True)
#
#     def pullback(a_p):
#         return p * (a_p - np.sum(a_p * p, axis=1, keepdims=True))
#
#     return p, pullback
#
#
# assert checks.check_vjp(softmax, rng.normal(size=(4, 3)))
# ```
#
# </details>

# %% [markdown] tags=["exercise"]
# **2 (derive).** Let $y = A^{-1} b$, the solution of the linear system $A y = b$. Derive $a_b$ and $a_A$. Start from
# $dA\, y + A\, dy = db$, solve for $dy$, and read off what multiplies $db$ and $dA$ in $dL = a_y \cdot dy$.

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# $dy = A^{-1} (db - dA\, y)$, so $dL = a_y \cdot A^{-1} (db - dA\, y) = (A^{-T} a_y) \cdot (db - dA\, y)$. Hence
# $a_b = A^{-T} a_y$, the solution of one more system, with the transposed matrix; and $a_A = -a_b\, y^T$, the outer product.
# The solver that found $y$ was not opened: what defines $y$ is enough. The adjoint of a differential equation will
# be found in the same way.
#
# ```python
# def solve(A, b):
#     y = np.linalg.solve(A, b)
#
#     def pullback(a_y):
#         a_b = np.linalg.solve(A.T, a_y)
#         return -np.outer(a_b, y), a_b
#
#     return y, pullback
#
#
# assert checks.check_vjp(solve, rng.normal(size=(4, 4)) + 4 * np.eye(4), rng.normal(size=4))
# ```
#
# </details>

# %% [markdown] tags=["exercise"]
# **3 (explore).** A residual network adds a little at each layer: $z \leftarrow z + h\, \tanh(z W)$, with $h = 1/n$ for
# $n$ layers. How long is the tape for 10, 100 and 1000 layers, and why can none of it be thrown away before the way
# back?

# %% tags=["exercise"]


def residual_network(z, W, n):
    for _ in range(n):
        z = z + (1 / n) * np.tanh(z @ W)
    return np.sum(z * z)


value, pullback = vjp(lambda W: residual_network(z, W, 10), rng.normal(size=(2, 2)))
print("10 layers:", len(pullback.tape.nodes), "nodes")

# %% [markdown] tags=["solution"]
# <details><summary><b>Solution</b></summary>
#
# There are four operations a layer (matmul, tanh, times $h$, plus), two for the loss, and the argument itself:
# {{lengths[0]}} nodes for 10 layers, {{lengths[1]}} for 100, {{lengths[2]}} for 1000. (In the first layer $z$ itself is
# a constant, but $zW$ is not.) Each node keeps its value, because the rules need it: `tanh` its $y$, `matmul` its $x$.
# So memory grows like the number of layers.
#
# A layer of this kind is one Euler step of $dz/dt = \tanh(zW)$. In notebook 05 the values are not kept but computed again
# backwards in time, and memory does not grow at all. In notebook 08 we will see what that costs.
#
# ```python
# lengths = [len(vjp(lambda W, n=n: residual_network(z, W, n), np.eye(2))[1].tape.nodes) for n in (10, 100, 1000)]
# assert lengths == [43, 403, 4003]
# ```
#
# </details>

# %% [markdown] tags=["appendix"]
# ## Appendix. NumPy's protocols, and what a tape must refuse
#
# NumPy has two *protocols* for classes that stand for arrays. Its compiled functions, the *ufuncs* (`np.tanh`, `np.add`,
# `np.matmul`), look for a method `__array_ufunc__` of their arguments; those written in Python, such as `np.sum`, look for
# `__array_function__`. If it is there, NumPy calls it, with the function and all arguments, and returns what it returns.
# NumPy's own mixin turns the operators `+ - * / @` into ufuncs. A ufunc can also be called by a *method*, `np.add.reduce`
# say, and with options, `np.sum(x, axis=0)`. The tape of section 4 looks at neither.
#
# Code that the table does not cover must be refused, in words that help, for a wrong derivative is worse than none. A power
# has no rule here; a sum goes over all entries or over the first axis; and `to` undoes the broadcasting along new axes
# only, so that a column which was stretched to a matrix gets back too much. Here is the same tape with its guards:
# `record` looks at the function and its options, `of_shape` at the shapes.


# %% tags=["appendix"]
class Tape:
    numbers = itertools.count()

    def __init__(self):
        self.number, self.nodes = next(Tape.numbers), []


class Var(np.lib.mixins.NDArrayOperatorsMixin):
    """Stands for a value. Its node on the tape: the function that made it, and the links (index, rule) to the arguments."""

    def __init__(self, value, tape, fun=None, links=()):
        if len(shape(value)) > 2:
            raise TypeError(f"this tape is for numbers, vectors and matrices, not for an array of shape {shape(value)}")
        self.value, self.tape, self.index = value, tape, len(tape.nodes)
        tape.nodes.append((self, fun, links))

    def __array_ufunc__(self, ufunc, method, *args, **kwargs):
        return record(ufunc if method == "__call__" else getattr(ufunc, method), *args, **kwargs)

    def __array_function__(self, fun, types, args, kwargs):
        return record(fun, *args, **kwargs)

    shape = property(lambda self: shape(self.value))
    T = property(lambda self: np.transpose(self))


def record(fun, *args, **kwargs):
    """Carry out y = fun(*args) on the values, and write down on the innermost tape how cotangents go back."""
    if fun not in RULES:
        raise TypeError(f"this tape has no rule for np.{fun.__name__}; it knows {[f.__name__ for f in RULES]}")
    if kwargs or len(args) > len(RULES[fun]) and (fun, *args[1:]) != (np.sum, 0):
        raise TypeError(f"this tape knows np.{fun.__name__} without options; np.sum also as np.sum(x, 0)")
    tape = max((x.tape for x in args if isinstance(x, Var)), key=lambda tape: tape.number)
    mine = [isinstance(x, Var) and x.tape is tape for x in args]
    values = [x.value if is_mine else x for x, is_mine in zip(args, mine, strict=True)]
    y = fun(*values)
    links = [
        (x.index, lambda a, rule=rule: rule(a, y, *values))
        for x, is_mine, rule in zip(args, mine, RULES[fun], strict=False)
        if is_mine
    ]
    return Var(y, tape, fun, links)


def of_shape(a, x, name):
    """a, which must have the shape of x: a cotangent has the shape of what it belongs to."""
    if shape(a) != shape(x):
        raise TypeError(f"{name}: a cotangent of shape {shape(a)} came back for a value of shape {shape(x)}")
    return a


def vjp(fun, *args):
    """The value of fun(*args), and its pullback."""
    tape = Tape()
    leaves = [Var(x, tape) for x in args]
    y = fun(*leaves)

    def pullback(a_y):
        a = {y.index: of_shape(a_y, y.value, "pullback")}  # the cotangents, by the index of their node
        for node, maker, links in reversed(tape.nodes[: y.index + 1]):
            for i, rule in links:
                if node.index in a:
                    share = of_shape(rule(a[node.index]), tape.nodes[i][0].value, f"np.{maker.__name__}")
                    a[i] = a[i] + share if i in a else share
        return tuple(a.get(leaf.index, 0.0) for leaf in leaves)

    pullback.tape = tape  # only so that we can look at it below
    return y.value, pullback


# %% tags=["appendix"]
square, column, matrices = np.ones((3, 3)), np.ones((3, 1)), np.ones((3, 3, 3))
outside = {
    "x**2": (lambda x: x**2, square),
    "np.sum(x, 1)": (lambda x: np.sum(x, 1), square),
    "np.sum(x, axis=0)": (lambda x: np.sum(x, axis=0), square),
    "column + square": (lambda x: np.sum(x + square), column),
    "gradient of a matrix": (lambda x: x * x, square),
    "batch of matrices": (np.sum, matrices),
}
for case, (fun, start) in outside.items():
    try:
        print(f"{case:21}", grad(fun)(start))
    except TypeError as error:
        print(f"{case:21}", error)

# %% [markdown] tags=["appendix"]
# `odelearn.autodiff` refuses in the same way what it cannot differentiate.

# %% [markdown] tags=["summary"]
# ## Summary
#
# | idea | formula | in odelearn |
# |---|---|---|
# | the way back | $a_x = a_y\, \partial y / \partial x$, a return value | every `.vjp`: `y, pullback = thing.vjp(x)` |
# | chain rule, (36) | pullbacks in reverse order | `gradients.appendix_b.through_layer`, `nn.mlp.MLP.vjp` |
# | dense layer | $a_x = a_y W^T$, $a_W = x^T a_y$, $a_b = \sum_n (a_y)_n$ | `nn.mlp.dense`, `nn.mlp.a_theta` |
# | table of rules | one small pullback for each operation | `rules.py`, `rules_arrays.py`, `rules_linalg.py` in `autodiff/` |
# | stand-ins | `__array_ufunc__`, `__array_function__` | `autodiff.tracer.Traced`, `autodiff.tracer.record` |
# | the walk back | from the last node to the first | `autodiff.tape.vjp` |
#
# - A cotangent has the shape of what it belongs to. What was shared on the way forward is summed on the way back.
# - One pullback costs about two evaluations, for any number of parameters.
# - Tapes nest because rules are made of functions with rules, and because a tape unwraps only what is its own.
#
# **Sources.** R. E. Wengert, *A simple automatic derivative evaluation program*, Comm. ACM 7 (1964): the list. A. Griewank,
# A. Walther, *Evaluating Derivatives*, 2nd edition, SIAM (2008): cost and memory. J. M. Siskind, B. A. Pearlmutter,
# *Perturbation confusion and referential transparency*, IFL (2005). M. B. Giles, *Collected matrix derivative results for
# forward and reverse mode algorithmic differentiation* (2008): linear algebra. D. Maclaurin, D. Duvenaud, R. P. Adams,
# *Autograd: effortless gradients in NumPy*, AutoML workshop (2015).
