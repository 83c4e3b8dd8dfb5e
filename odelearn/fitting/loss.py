"""How far a model is from its series: the loss, for one model or for every member, over trials or windows."""

import numpy as np

from ..neural_ode import odeint
from .forecast import Forecaster
from .groups import Piece


class Misfit(Forecaster):
    """A Forecaster and the loss of its parameters, whose gradient is taken by `method`.

    horizon   the rows of the longest trial that are trained on, or those of a window
    """

    def __init__(self, series, model, solver, method, **of_forecaster):
        super().__init__(series, model, solver, **of_forecaster)
        self.method, self.cached = method, {}
        longest = max(trial.learned for trial in series.trials)
        self.horizon = min(self.window, longest) if self.window else longest
        if self.window:
            self.places = self.grouping.windows(self.horizon)

    def loss(self, p, rows, solver=None, method=None):
        """The mean of ((z(t_i) - z_i) / scale)^2 over what was observed in the first rows; over all the rows to learn
        from that is 1 - R^2, column by column. With noise it is the mean of r^2 / 2 s^2 + log s, the negative
        log-likelihood of normal noise without its constant. (E,) for an ensemble: of each member."""
        groups = self.groups_of(rows) if not self.window else self.grouping.groups(self.some_windows(8))
        return self.loss_of(groups, p, solver, method)

    def loss_of(self, groups, p, solver=None, method=None, targets=None):
        """The same for any Groups; targets (E, N, D) are each member's own, instead of what was observed."""
        z0, theta = self.split(p)
        total, count = 0.0, 0.0
        for group in groups:
            zs = odeint(self.group_start(group, z0, theta), group.f, group.ts, theta, solver or self.solver,
                        method or self.method)  # (n, S), (n, E, S), (n, K, S) or (n, E, K, S)  # fmt: skip
            zs = zs[..., : self.D] if self.hidden else zs
            observed, target = group.observed, group.targets
            if p.ndim == 2:
                observed = observed[:, np.newaxis]
                target = target[:, np.newaxis] if targets is None else np.moveaxis(targets[:, group.rows], 0, 1)
            residuals = observed * (zs - target) / self.series.scale
            total = total + self.terms(residuals, observed, p)
            count += np.sum(group.observed)
        return total / max(1, count)

    def terms(self, residuals, observed, p):
        """The sum of what each residual adds to the loss, member by member."""
        if self.noise:
            log_s = self.log_s(p)
            if p.ndim == 2:
                log_s = log_s.reshape(len(p), *[1] * (residuals.ndim - 3), self.D)
            terms = residuals * residuals * np.exp(-2 * log_s) / 2 + observed * log_s
        else:
            terms = residuals * residuals
        return np.sum(terms, axis=(0, *range(2, terms.ndim))) if p.ndim == 2 else np.sum(terms)

    def group_start(self, group, z0, theta):
        """Where the trajectories of a group begin."""
        if self.window:
            return self.window_starts(group, theta)
        if not self.several:
            return z0
        ks = [piece.k for piece in group.pieces]
        return z0 if ks == list(range(self.K)) else z0[..., ks, :]

    def groups_of(self, rows):
        """The Groups of all trials, each as far as its first `rows` rows."""
        if self.cached.get("rows") != rows:
            pieces = [Piece(k, 0, min(rows, trial.learned)) for k, trial in enumerate(self.series.trials)]
            self.cached = {"rows": rows, "groups": self.grouping.groups(pieces)}
        return self.cached["groups"]

    def some_windows(self, count):
        """`count` windows, evenly spread."""
        chosen = np.linspace(0, len(self.places) - 1, min(count, len(self.places))).astype(int)
        return [Piece(int(k), int(first), self.horizon) for k, first in self.places[chosen]]
