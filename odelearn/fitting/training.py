"""Learning z0 and theta of dz/dt = f(z, t, theta) from a series: the loss, the steps, the forecast, and R^2."""

import time
import warnings
from contextlib import contextmanager

import numpy as np

from ..autodiff.tape import value_and_grad
from ..gradients.drift import DriftWarning
from ..neural_ode import odeint
from ..optim import Adam, TrainingStopped, fit
from ..solvers.errors import SolverError
from ..solvers.odesolve import odesolve
from .options import steps_of

FIRST_ROWS = 4  # that the loss looks at when training begins
SAVE_EVERY = 30.0  # seconds: with steps no longer than that, what is saved is never older than a minute
PIECE = 1000  # steps of a forecast that are made, and kept, at a time


class Training:
    """The model z(t) = ODESolve(z0, f, t, theta) on its way to a series.

    What is learned is one vector p = [x0, theta] with x0 = (z0 - mean) / scale, so that z0 has no units either.
    `planned` steps are to be made; `history` holds the loss before each step made so far.
    """

    def __init__(self, series, model, solver, method, lr, planned):
        self.series, self.model, self.solver, self.method, self.planned = series, model, solver, method, planned
        self.p = np.concatenate([(series.first_values - series.mean) / series.scale, model.theta0])
        self.opt, self.history = Adam(lr=lr), []

    def restore(self, p, history, adam):
        """Stand where another training of the same model stood."""
        self.p, self.history = p, history
        self.opt.load(adam)

    def split(self, p):
        """z0 and theta from p."""
        D = len(self.series.columns)
        return self.series.mean + self.series.scale * p[:D], p[D:]

    def loss(self, p, rows, solver=None, method=None):
        """The mean of ((z(t_i) - z_i) / scale)^2 over what was observed in the first rows. Over all the rows to learn
        from that is 1 - R^2, column by column."""
        z0, theta = self.split(p)
        ts = self.series.ts[:rows]
        zs = odeint(z0, self.model.f, ts, theta, solver or self.solver, method or self.method)  # (rows, D)
        observed = self.series.observed[:rows]
        residuals = observed * (zs - np.where(observed, self.series.zs[:rows], 0.0)) / self.series.scale
        return np.sum(residuals * residuals) / max(1, np.sum(observed))

    def rows_at(self, step):
        """How far the loss looks at a step: at a few rows first, at all of them from half way on.

        Far from the answer, the loss of a long trajectory has many valleys (a cycle too early, a cycle too late); that
        of a short one has not, and its answer is a good start for a longer one.
        """
        rows = self.series.rows
        grown = FIRST_ROWS + (rows - FIRST_ROWS) * 2 * step / self.planned
        return min(rows, max(FIRST_ROWS, int(grown)))

    def learn(self, steps, save=None):
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
            loss, g = value_and_grad(self.loss)(p, self.rows_at(len(losses)))
            losses.append(loss)
            return loss, g

        try:
            p, history = minimise(loss_and_grad, self.p, self.opt, steps)
        except TrainingStopped as stopped:
            self.p, self.history = stopped.theta, history_before + stopped.history
            raise
        except KeyboardInterrupt:  # between two steps
            history = []
        complete = len(history) == steps
        if complete:
            self.p, self.history = p, losses
        else:
            p, steps_done, adam = snapshot
            self.restore(p, losses[:steps_done], adam)
        return complete

    def trajectory(self, ts):
        z0, theta = self.split(self.p)
        return odesolve(z0, self.model.f, ts, theta, self.solver)

    def predictions(self):
        """z at every observation time (T, D): nan in the rows held out if the model blows up there."""
        ts, rows = self.series.ts, self.series.rows
        try:
            return self.trajectory(ts).zs
        except SolverError:
            zs = np.full(self.series.ys.shape, np.nan)
            zs[:rows] = self.trajectory(ts[:rows]).zs
            return zs

    def mesh(self, until):
        """The observation times as far as `until`, continued to it at their median spacing if it lies beyond."""
        ts = self.series.ts
        start = ts[0] if until < ts[0] else ts[-1]
        if ts[0] <= until <= ts[-1]:
            return ts[: np.searchsorted(ts, until) + 1]
        steps = int(np.ceil(abs(until - start) / np.median(np.diff(ts))))
        beyond = np.linspace(start, until, steps + 1)
        return beyond if until < start else np.concatenate([ts, beyond[1:]])

    def forecast(self, ts):
        """z (m, D) at any times ts (m,) that lead away from the start, by the steps that the model was trained with."""
        return np.concatenate([zs for _, zs in self.forecast_pieces(ts)])

    def forecast_pieces(self, ts):
        """The same, a part of ts after the other, so that a long forecast needs little memory: yields the part (k,) and
        z (k, D). Fixed steps give the same bits in one piece or in many.
        """
        (z, theta), mesh, done = self.split(self.p), self.mesh(ts[-1]), 0
        intervals, direction = len(mesh) - 1, np.sign(ts[-1] - ts[0])
        size = max(1, int(PIECE * intervals / steps_of(self.solver, intervals, abs(mesh[-1] - mesh[0]))))
        for i in range(0, intervals, size):
            trajectory = odesolve(z, self.model.f, mesh[i : i + size + 1], theta, self.solver)
            z, end = trajectory.zs[-1], trajectory.ts[-1]
            ready = len(ts) if i + size >= intervals else np.searchsorted(direction * ts, direction * end)
            for j in range(done, ready, 10 * PIECE):
                part = ts[j : min(j + 10 * PIECE, ready)]
                yield part, trajectory(part)
            done = ready


@contextmanager
def no_warnings():
    """Without those after Ctrl-C and about drift: the commands say that in their own words, and once."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "stopped by")
        warnings.simplefilter("ignore", DriftWarning)
        yield


@no_warnings()
def minimise(loss_and_grad, p, opt, steps, callback=None):
    return fit(loss_and_grad, p, opt, steps, callback=callback)


def r_squared(zs, observations):
    """1 - sum (z - observed)^2 / sum (observed - mean)^2, over all columns, each with its mean; nan if none varies."""
    observed = ~np.isnan(observations)
    residual = total = 0.0
    for z, observation, seen in zip(zs.T, observations.T, observed.T, strict=True):
        residual += np.sum((z - observation)[seen] ** 2)
        total += np.var(observation[seen]) * seen.sum() if seen.any() else 0.0
    return 1 - residual / total if total > 0 else np.nan
