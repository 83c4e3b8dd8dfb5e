"""Learning z0 and theta of dz/dt = f(z, t, theta) from a series: which rows each step looks at, the steps, and R^2."""

import math
import time
from functools import partial

import numpy as np

from ..autodiff.tape import vjp
from ..optim import Adam, TrainingStopped, batches, fit
from .bootstrap import bootstrap_targets
from .forecast import NOISE_RATE, no_warnings
from .groups import Piece
from .loss import Misfit
from .validation import Converged, Validation

FIRST_ROWS = 4  # that the loss looks at when training begins
SAVE_EVERY = 30.0  # seconds: with steps no longer than that, what is saved is never older than a minute
GROWN = 0.5  # of the steps planned: from there on the loss looks at all rows
BOOTSTRAP = 0.6  # of the steps planned: from there on each member learns from its own residuals
LAST_RATE = 0.01  # of the learning rate: where a cosine ends
MORE = {"left_at": "E", "at_bootstrap": "p", "best_p": "p", "best_loss": "E", "best_step": "E", "validation": "any"}


class Training(Misfit):
    """The model z(t) = ODESolve(z0, f, t, theta) on its way to a series.

    `planned` steps are to be made; `history` holds the loss before each step made so far, of an ensemble the mean over
    its members. `more` are ensemble, seed, hidden, noise, window, batch, interpolation, lr_schedule, weight_decay and
    clip, as on the command line.
    """

    def __init__(self, series, model, solver, method, lr, planned, *, seed=0, batch=64, lr_schedule="constant",
                 weight_decay=0.0, clip=None, **of_forecaster):  # fmt: skip
        super().__init__(series, model, solver, method, **of_forecaster)
        self.lr, self.planned, self.seed, self.batch = lr, planned, seed, batch
        self.history, self.at_bootstrap, self.own_targets = [], None, None
        self.p = self.first_p()
        self.opt = ThetaDecay(self.x_size, self.P, schedule(lr, lr_schedule, planned), weight_decay, clip)
        self.validation = Validation(self) if series.validate else None

    def first_p(self):
        """x0 from the first values observed, theta0, s = 0.3. States that are not observed begin near 0."""
        series, theta0 = self.series, self.model.theta0
        observed = (np.atleast_2d(series.first_values) - series.mean) / series.scale  # (K, D)
        ps = []
        for e in range(self.members or 1):
            x0 = np.zeros((self.K, self.S))
            x0[:, : self.D] = observed
            x0[:, self.D :] = 0.1 * np.random.default_rng([self.seed + e, 1]).normal(size=(self.K, self.hidden))
            q = np.full(self.D if self.noise else 0, np.log(0.3) / NOISE_RATE)
            theta = theta0 if theta0.ndim == 1 else theta0[e]
            ps.append(np.concatenate([x0.ravel()[: self.x_size], theta, q]))
        return ps[0] if self.members is None else np.stack(ps)

    def restore(self, p, history, adam, more=None):
        """Stand where another training of the same model stood; `more` is its more_state()."""
        self.p, self.history = p, history
        self.opt.load(adam)
        if more:
            self.left_at = more.get("left_at", self.left_at).astype(int)
            self.at_bootstrap = more.get("at_bootstrap")
            if self.validation is not None:
                self.validation.load(more)

    def more_state(self):
        """What the steps to come depend on, beside p, history and Adam's moments: arrays by their names in MORE."""
        state = {"left_at": self.left_at, "at_bootstrap": self.at_bootstrap} if self.members else {}
        return state if self.validation is None else state | self.validation.state()

    @property
    def chosen(self):
        """The parameters to forecast with: the last ones, or those that were best in validation."""
        p = self.p if self.validation is None else self.validation.best(self.p)
        return p if self.members is None else p[self.alive]

    # ---- which rows a step looks at

    def rows_at(self, step):
        """How far the loss looks at a step: at a few rows first, at all of them from half way on.

        Far from the answer, the loss of a long trajectory has many valleys (a cycle too early, a cycle too late); that
        of a short one has not, and its answer is a good start for a longer one. Windows are short from the beginning.
        """
        if self.window:
            return self.horizon
        grown = FIRST_ROWS + (self.horizon - FIRST_ROWS) * step / (GROWN * self.planned)
        return min(self.horizon, max(FIRST_ROWS, int(grown)))

    def groups_at(self, step):
        """The Groups that a step looks at: all trials; or a minibatch of windows, each once an epoch."""
        if not self.window:
            return self.groups_of(self.rows_at(step))
        epoch, i = divmod(step, -(-len(self.places) // self.batch))
        if self.cached.get("epoch") != epoch:
            rng = np.random.default_rng([self.seed, epoch])
            self.cached = {"epoch": epoch, "batches": batches(rng, len(self.places), self.batch)}
        places = self.places[self.cached["batches"][i]]
        return self.grouping.groups([Piece(int(k), int(first), self.horizon) for k, first in places])

    def targets_at(self, step, p):
        """Each member's own observations (E, N, D), once all of them have seen all rows; None before."""
        if self.members is None or self.window or step < BOOTSTRAP * self.planned:
            return None
        if self.at_bootstrap is None:
            self.at_bootstrap = p
        if self.own_targets is None:
            self.own_targets = bootstrap_targets(self, self.at_bootstrap)
        return self.own_targets

    # ---- the steps

    def learn(self, steps, save=None, progress=True):
        """Make `steps` steps of Adam; returns False if Ctrl-C came first.

        p, the moments of Adam and the history then stand where the last whole step left them, so that going on later
        gives the same bits as never having stopped. So they do whenever save() is called, between two steps, every
        SAVE_EVERY seconds. Raises TrainingStopped for a step that fails, with p where it was last good.
        """
        history_before = self.history
        losses = list(history_before)
        snapshot = self.p, len(losses), self.opt.state()
        saved_at = time.monotonic()

        def loss_and_grad(p):
            nonlocal snapshot, saved_at
            snapshot = p, len(losses), self.opt.state()  # what belongs together, at one moment of each step
            if save is not None and time.monotonic() - saved_at >= SAVE_EVERY:
                self.p, self.history = p, list(losses)
                save()
                saved_at = time.monotonic()
            step = len(losses)
            if self.validation is not None:
                self.validation.look(p, step)
            loss, g = self.step_loss(p, step)
            losses.append(loss)
            return loss, g

        complete = False
        try:
            p, history = minimise(loss_and_grad, self.p, self.opt, steps, progress)
            complete = len(history) == steps
        except TrainingStopped as stopped:
            complete = isinstance(stopped.__cause__, Converged)
            if not complete:
                self.p, self.history = stopped.theta, history_before + stopped.history
                raise
            p = snapshot[0]
        except KeyboardInterrupt:  # between two steps
            pass
        if complete:
            self.p, self.history = p, losses
            if self.validation is not None:
                self.validation.look_at_the_end(p, len(losses))
        else:
            p, steps_done, adam = snapshot
            self.restore(p, losses[:steps_done], adam)
        return complete

    def step_loss(self, p, step):
        """The loss before a step, of an ensemble the mean over its members, and the gradient of their sum.

        A member whose loss or gradient is not finite is left out from then on; if it is the last one, that is an error.
        """
        groups, targets = self.groups_at(step), self.targets_at(step, p)
        loss, pullback = vjp(lambda p: self.loss_of(groups, p, targets=targets), p)
        if self.members is None:
            return float(loss), pullback(np.ones(()))[0]
        (g,) = pullback(np.ones(len(p)))
        going = self.alive & np.isfinite(loss) & np.isfinite(g).all(axis=1)
        if not going.any():
            raise FloatingPointError(f"the loss of every member is not finite: {loss[self.alive][0]}")
        self.left_at[self.alive & ~going] = step
        return float(np.mean(loss[going])), np.where(going[:, np.newaxis], g, np.nan)


class ThetaDecay(Adam):
    """Adam whose weight decay shrinks theta, the middle part of p = [x0, theta, q], and nothing else."""

    def __init__(self, before, size, lr, weight_decay, clip):
        super().__init__(lr=lr, clip=clip)
        self.part, self.decay = slice(before, before + size), weight_decay

    def step(self, p, g):
        n = self.t
        new = super().step(p, g)
        if self.decay:
            new[..., self.part] -= (self.lr(n) if callable(self.lr) else self.lr) * self.decay * p[..., self.part]
        return new


def schedule(lr, name, planned):
    """The learning rate: a number, or falling along a cosine from lr to LAST_RATE lr over the steps planned."""
    if name == "constant":
        return lr
    return partial(cosine, lr, planned)


def cosine(lr, planned, n):
    fall = (1 + math.cos(math.pi * min(n / planned, 1.0))) / 2
    return lr * (LAST_RATE + (1 - LAST_RATE) * fall)


@no_warnings()
def minimise(loss_and_grad, p, opt, steps, progress=True, callback=None):
    return fit(loss_and_grad, p, opt, steps, progress=progress, callback=callback)


def r_squared(zs, observations):
    """1 - sum (z - observed)^2 / sum (observed - mean)^2, over all columns, each with its mean; nan if none varies."""
    observed = ~np.isnan(observations)
    residual = total = 0.0
    for z, observation, seen in zip(zs.T, observations.T, observed.T, strict=True):
        residual += np.sum((z - observation)[seen] ** 2)
        total += np.var(observation[seen]) * seen.sum() if seen.any() else 0.0
    return 1 - residual / total if total > 0 else np.nan
