"""Rows that judge a training while it goes on: the best parameters are kept, and it ends when they stay the best."""

import numpy as np

from ..solvers.errors import SolverError
from .groups import Piece

EVERY = 10  # steps from one look to the next
PATIENCE = 0.25  # of the steps planned: so long a training goes on without getting better


class Converged(RuntimeError):
    """No member got better for a long time: the training is over."""


class Validation:
    """The loss on the rows for validation, every 10 steps once the training looks at all of its rows.

    best_loss, best_p, best_step   (E,), like p, (E,): of each member, or of the only one
    history                        {step: loss}, of an ensemble the mean over members
    """

    def __init__(self, training):
        self.training = training
        E = training.members or 1
        self.best_loss, self.best_step = np.full(E, np.inf), np.zeros(E, int)
        self.best_p, self.history, self.known = training.p.copy(), {}, None

    def best(self, p):
        """The best parameters of each member so far; p itself before the first look."""
        seen = np.isfinite(self.best_loss)
        if not seen.any():
            return p
        return self.best_p if p.ndim == 1 else np.where(seen[:, np.newaxis], self.best_p, p)

    def state(self):
        """best_p, best_loss, best_step, and the history (M, 2) of steps and losses."""
        history = np.array(list(self.history.items()), float).reshape(-1, 2)
        return {"best_p": self.best_p, "best_loss": self.best_loss, "best_step": self.best_step, "validation": history}

    def load(self, state):
        self.best_p, self.best_loss = state["best_p"], state["best_loss"].astype(float)
        self.best_step = state["best_step"].astype(int)
        self.history = {int(step): float(loss) for step, loss in state["validation"]}

    def look(self, p, step):
        """Take note of the loss before a step, if it is one to look at. Raises Converged if nothing gets better."""
        training = self.training
        full = training.rows_at(step) == training.horizon
        if step % EVERY or not full:
            return
        self.note(p, step)
        patience = max(5 * EVERY, PATIENCE * training.planned)
        if (step - self.best_step[training.alive] >= patience).all() and np.isfinite(self.best_loss).any():
            raise Converged(f"no better since step {self.best_step.max()}")

    def look_at_the_end(self, p, step):
        if step not in self.history:
            self.note(p, step)

    def note(self, p, step):
        loss = np.atleast_1d(self.loss(p))
        better = loss < self.best_loss  # nan is not
        self.best_loss = np.where(better, loss, self.best_loss)
        self.best_step = np.where(better, step, self.best_step)
        which = better[:, np.newaxis] if p.ndim == 2 else better
        self.best_p = np.where(which, p, self.best_p)
        finite = np.isfinite(loss) & self.training.alive
        if finite.any():
            self.history[step] = float(np.mean(loss[finite]))

    def loss(self, p):
        """The loss over the rows for validation: each trial goes on to them from its start; or windows within them."""
        training = self.training
        if self.known is None:
            self.known = self.groups()
        return validation_loss(training, self.known, p)

    def groups(self):
        training = self.training
        trials = training.series.trials
        if training.window:
            length = min(training.horizon, min(trial.rows - trial.learned + 1 for trial in trials))
            places = training.grouping.windows(max(2, length), "valid")
            chosen = places[np.unique(np.linspace(0, len(places) - 1, 64).astype(int))]
            pieces = [Piece(int(k), int(first), max(2, length)) for k, first in chosen]
        else:
            pieces = [Piece(k, 0, trial.rows) for k, trial in enumerate(trials)]
        groups = training.grouping.groups(pieces)
        return [without(group, training.series.learned) for group in groups]


def without(group, learned):
    """The group with those rows that are trained on masked."""
    masked = group.observed & ~learned[group.rows][..., np.newaxis]
    return group._replace(observed=masked)


def validation_loss(training, groups, p):
    """(E,) or a number; inf for a model that blows up on its way."""
    try:
        return training.loss_of(groups, p)
    except SolverError:
        return np.full(training.members, np.inf) if training.members else np.inf
