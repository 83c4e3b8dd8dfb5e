"""Gradient descent, plain and adaptive, minibatches, and the loop that trains."""

import contextlib
import math
import sys
import warnings

import numpy as np


class SGD:
    """Steepest descent with momentum:  u = momentum u + g,  theta = theta - lr u,  from u = 0.

    lr        the step length, a positive number
    momentum  how much of the last step is kept, in [0, 1); 0 is plain steepest descent

    Raises ValueError for numbers outside of these ranges, TypeError for what is no number.
    Source: B. T. Polyak (1964), Some methods of speeding up the convergence of iteration methods.

    >>> opt = SGD(lr=0.1, momentum=0.5)
    >>> theta = opt.step(np.array([1.0, 2.0]), np.array([2.0, 4.0]))
    >>> theta
    array([0.8, 1.6])
    >>> opt.step(theta, np.array([0.0, 0.0]))  # the momentum goes on
    array([0.7, 1.4])
    """

    def __init__(self, lr, momentum=0.0):
        self.lr, self.momentum = positive("lr", lr), fraction("momentum", momentum)
        self.u = 0.0

    def step(self, theta, g):
        """The next theta, a new array with the shape and dtype of theta.

        theta  (P,) or any other shape, real; integers become float64
        g      the gradient dL/dtheta, of the shape of theta

        Raises ValueError if the shapes differ, TypeError if one of the two is complex, FloatingPointError for a g that
        is not finite; the optimiser is then as before.
        """
        theta, g = checked(theta, g)
        self.u = self.momentum * self.u + g
        return (theta - self.lr * self.u).astype(theta.dtype)

    def state(self):
        """What the next step depends on, as a dict of arrays or numbers: {"u": u}."""
        return {"u": self.u}

    def load(self, state):
        """Go on from a `state()`: all steps that follow have the bits that they had there."""
        self.u = moment(state["u"])


class Adam:
    """Adaptive moments: every parameter moves by about lr, whatever the scale of its gradient.

        m = beta1 m + (1 - beta1) g        a running mean of the gradient, from m = 0
        v = beta2 v + (1 - beta2) g^2      and of its square, from v = 0
        theta = theta - lr m_hat / (sqrt(v_hat) + eps)

    with  m_hat = m / (1 - beta1^t),  v_hat = v / (1 - beta2^t)  at step t = 1, 2, ...: the weights of the t gradients
    so far add up to 1 - beta^t, and the division makes them add up to 1.

    lr            the step length, a positive number; or a schedule, a function lr(n) of the number of steps made
                  before, n = 0, 1, ..., that returns a number, 0 or more
    betas         (beta1, beta2), both in [0, 1)
    eps           at least 0; it keeps the division finite where all gradients so far were 0
    weight_decay  w >= 0: the step also takes lr w theta away, with the theta before it (AdamW)
    clip          a positive number c: a gradient longer than c is shortened to it, g = g c / |g|, before all else.
                  |g| is the root of the sum of all squares; for theta (E, P) each member's own. None: no limit

    Raises ValueError for numbers outside of these ranges, TypeError for what is no number.
    Sources: Kingma and Ba (2015), Adam: a method for stochastic optimization, Algorithm 1. Loshchilov, Hutter (2019),
    Decoupled weight decay regularization, Algorithm 2. For clip, Pascanu, Mikolov and Bengio (2013), On the difficulty
    of training recurrent neural networks, Algorithm 1.

    >>> opt = Adam(lr=0.1)
    >>> opt.step(np.array([1.0, 2.0]), np.array([0.5, -400.0]))
    array([0.9, 2.1])
    >>> opt = Adam(lr=lambda n: 0.1 / (1 + n))
    >>> theta = opt.step(np.array([1.0, 2.0]), np.array([0.5, -400.0]))
    >>> opt.step(theta, np.array([0.5, -400.0]))  # half as far
    array([0.85, 2.15])
    """

    def __init__(self, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, *, weight_decay=0.0, clip=None):
        if np.shape(betas) != (2,):
            raise ValueError(f"betas must be two numbers (beta1, beta2), got {betas!r}")
        self.lr, self.eps = lr if callable(lr) else positive("lr", lr), not_negative("eps", eps)
        self.beta1, self.beta2 = fraction("betas[0]", betas[0]), fraction("betas[1]", betas[1])
        self.weight_decay = not_negative("weight_decay", weight_decay)
        self.clip = None if clip is None else positive("clip", clip)
        self.t, self.m, self.v = 0, 0.0, 0.0

    def step(self, theta, g):
        """The next theta, a new array with the shape and dtype of theta.

        theta  (P,) or any other shape, real; integers become float64
        g      the gradient dL/dtheta, of the shape of theta

        Raises ValueError if the shapes differ or the schedule gives what is no step length, TypeError if theta or g is
        complex, FloatingPointError for a g that is not finite; the optimiser is then as before.
        """
        theta, g = checked(theta, g)
        lr = not_negative(f"lr({self.t})", self.lr(self.t)) if callable(self.lr) else self.lr
        g = g if self.clip is None else clipped(g, self.clip)
        t = self.t + 1
        m = self.beta1 * self.m + (1 - self.beta1) * g
        v = self.beta2 * self.v + (1 - self.beta2) * g * g
        m_hat = m / (1 - self.beta1**t)
        v_hat = v / (1 - self.beta2**t)
        self.t, self.m, self.v = t, m, v
        kept = theta - lr * self.weight_decay * theta if self.weight_decay else theta
        return (kept - lr * m_hat / (np.sqrt(v_hat) + self.eps)).astype(theta.dtype, copy=False)

    def state(self):
        """What the next step depends on, as a dict of arrays or numbers: {"t": t, "m": m, "v": v}."""
        return {"t": self.t, "m": self.m, "v": self.v}

    def load(self, state):
        """Go on from a `state()`: all steps that follow have the bits that they had there."""
        self.t, self.m, self.v = int(state["t"]), moment(state["m"]), moment(state["v"])


def clipped(g, c):
    """g, or where it is longer than c the vector of length c in its direction; each row of g (E, P) by itself."""
    axis = 1 if g.ndim == 2 else None
    largest = np.max(np.abs(g), axis, keepdims=True, initial=0.0)
    largest = np.where(largest > 0, largest, 1)  # taken out, so that no square overflows
    length = np.sqrt(np.sum((g / largest) ** 2, axis, keepdims=True))  # |g| / largest
    return g * np.minimum(1, c / largest / np.maximum(length, 1))  # length >= 1, unless g = 0


def moment(x):
    """A copy of x. A single number becomes a Python float, which leaves the precision of the gradient as it is."""
    x = np.array(x)
    return x if x.ndim else float(x)


# ---- minibatches


def batches(rng, n, size):
    """The minibatches of one epoch: the numbers 0 ... n - 1 in random order, cut into pieces of `size`.

    rng   a numpy.random.Generator. It is used once; the same seed gives the same batches
    n     how many items there are
    size  how many of them a batch has. The last batch has what is left, from 1 to `size`

    Returns a list of ceil(n / size) arrays of integers; x[batch] are the items. Every item is in one batch.
    Raises TypeError for an rng that is none, ValueError for an n or a size that is not a whole number above 0.

    >>> [len(batch) for batch in batches(np.random.default_rng(0), n=10, size=4)]
    [4, 4, 2]
    """
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy.random.Generator, such as np.random.default_rng(0), got {rng!r}")
    for name, value in ("n", n), ("size", size):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"{name} must be a whole number above 0, got {value!r}")
    order = rng.permutation(n)
    return [order[i : i + size] for i in range(0, n, size)]


# ---- what may come in


def positive(name, value):
    return in_range(name, value, lambda x: 0 < x < math.inf, "positive and finite")


def not_negative(name, value):
    return in_range(name, value, lambda x: 0 <= x < math.inf, "finite and at least 0")


def fraction(name, value):
    return in_range(name, value, lambda x: 0 <= x < 1, "in [0, 1)")


def in_range(name, value, allowed, description):
    """value as a float. Raises TypeError if it is no number, ValueError if it is not allowed."""
    try:
        number = float(value + 0.0)  # a string is no number, although float() reads one
    except TypeError:
        raise TypeError(f"{name} must be a number, {description}, got {value!r}") from None
    if not allowed(number):
        raise ValueError(f"{name} must be {description}, got {value}")
    return number


def checked(theta, g):
    """theta and g as arrays of one shape, real and g finite."""
    theta, g = np.asarray(theta), np.asarray(g)
    if g.shape != theta.shape:
        raise ValueError(f"the gradient has shape {g.shape}, theta has shape {theta.shape}; they must agree")
    for name, x in ("theta", theta), ("the gradient", g):
        if x.dtype.kind not in "biuf":
            raise TypeError(f"{name} must be real, got {x.dtype}; take real and imaginary parts as two parameters")
    if not math.isfinite(np.vdot(g, g)) and not np.isfinite(g).all():  # the first is faster, but may overflow
        i = tuple(int(n) for n in np.argwhere(~np.isfinite(g))[0])
        raise FloatingPointError(f"the gradient is not finite: g[{', '.join(map(str, i))}] = {g[i]}")
    return (theta if theta.dtype.kind == "f" else theta.astype(float)), g


# ---- the loop


class TrainingStopped(RuntimeError):
    """A step of a training failed. The exception that made it fail is its cause.

    theta    the last theta whose loss and gradient could be computed, of the shape of the first one
    history  the losses up to there, a list
    """

    def __init__(self, message, theta, history):
        super().__init__(message)
        self.theta, self.history = theta, history

    def __reduce__(self):  # pickle would call the class with the message alone
        return type(self), (*self.args, self.theta, self.history), self.__dict__


def fit(loss_and_grad, theta, opt, steps, progress=True, callback=None):
    """Minimise a loss:  L, g = loss_and_grad(theta),  theta = opt.step(theta, g),  `steps` times.

    loss_and_grad  function of theta that returns L, a number, and g = dL/dtheta, such as value_and_grad(loss)
    theta          where to start, (P,) or any other shape. (E, P) may be an ensemble: a member whose gradient is not
                   finite is left out from there on, with a UserWarning, and the others go on
    opt            the optimiser: Adam(...), SGD(...), or anything with step(theta, g) -> theta
    steps          how many steps, a whole number, 0 or more
    progress       whether to show a bar with the loss on stderr; it needs tqdm
    callback       callback(step, theta, L) sees each theta with its own loss, before the step away from it

    Returns theta after the last step, and history, the list of the losses before each step.
    Ctrl-C ends the training early: fit returns what was learned so far and warns with a UserWarning.
    Raises TypeError or ValueError for an opt or steps that cannot be used, and TrainingStopped where a step fails, with
    the last good theta: in loss_and_grad (a SolverError, say), or because the loss or the gradient is not finite.

    >>> loss_and_grad = lambda theta: (np.sum((theta - 3) ** 2), 2 * (theta - 3))
    >>> theta, history = fit(loss_and_grad, np.array([1.0, 7.0]), SGD(lr=0.5), steps=2, progress=False)
    >>> theta
    array([3., 3.])
    >>> history
    [20.0, 0.0]
    """
    if isinstance(opt, type) or not hasattr(opt, "step"):
        raise TypeError(f"opt must be an optimiser, such as Adam(lr=0.01), with its parentheses; got {opt!r}")
    if not (steps >= 0 and steps // 1 == steps):
        raise ValueError(f"steps must be a whole number, 0 or more, got {steps}")
    good, history, going = theta, [], np.ones(1, bool)
    bar = progress_bar(range(int(steps)), unit="step") if progress else range(int(steps))
    try:
        for step in bar:
            loss, g = loss_and_grad(theta)
            loss, going = float(loss), members_going(g, going)
            if not math.isfinite(loss) and going.all():
                raise FloatingPointError(f"the loss is {loss}")
            if callback is not None:
                callback(step, theta, loss)
            if not going.all():
                g = np.where(going[:, np.newaxis], g, 0.0)
            good, theta = theta, opt.step(theta, g)
            if not going.all():
                theta = np.where(going[:, np.newaxis], theta, good)  # momentum does not move who is left out
            history.append(loss)
            if progress:
                bar.set_postfix_str(f"loss {loss:.4g}", refresh=False)
    except KeyboardInterrupt:
        message = f"stopped by Ctrl-C after {len(history)} of {steps} steps; theta is what was learned so far"
        warnings.warn(message, stacklevel=2)
    except Exception as error:
        raise TrainingStopped(stopped_message(error, steps, history), good, history) from error
    return theta, history


def members_going(g, going):
    """(E,) whose gradient g (E, P) is finite and was so before; all, for a g that is no ensemble, or where nobody is.

    Warns when a member is left out.
    """
    g = np.asarray(g)
    if g.ndim != 2:
        return going
    now = np.isfinite(g).all(axis=1) & going
    if not now.any():
        return np.ones(len(g), bool)
    for e in np.flatnonzero(~now & going):
        warnings.warn(f"member {e} of theta is left out of the training: its gradient is not finite", stacklevel=3)
    return now


def progress_bar(iterable=None, **options):
    """tqdm's bar on stderr. Raises ModuleNotFoundError where tqdm is not installed."""
    from tqdm import tqdm  # here, because only this needs more than NumPy

    return tqdm(iterable, file=ForgivingStderr(), **options)


class ForgivingStderr:
    """stderr as it is now, closed or not: what cannot be written is dropped, since no training should end for that."""

    def write(self, text):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            sys.stderr.write(text)

    def flush(self):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            sys.stderr.flush()

    def __getattr__(self, name):
        return getattr(sys.stderr, name)


def stopped_message(error, steps, history):
    if history:
        so_far = (
            f"the loss went from {history[0]:.6g} to {history[-1]:.6g}; .theta and .history of this error keep that"
        )
        advice = "go on from there with a smaller lr, or clip or penalise what grows"
    else:
        so_far = "no step was made"
        advice = "check loss_and_grad(theta) at the initial theta"
    return f"step {len(history)} of {steps} failed with {type(error).__name__}: {error}. So far {so_far}; {advice}"
