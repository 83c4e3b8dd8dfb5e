"""What has been learned, as curves: trajectories, predictions at the rows of the series, forecasts, and their bands."""

import warnings
from contextlib import contextmanager

import numpy as np

from ..gradients.drift import DriftWarning
from ..solvers.errors import SolverError
from ..solvers.members import EnsembleWarning
from ..solvers.odesolve import odesolve
from .groups import Grouping, Piece
from .options import steps_of

PIECE = 1000  # steps of a forecast that are made, and kept, at a time
NOISE_RATE = 5.0
SOLVED_TOGETHER = 64  # windows in one solve
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
NORMAL = np.array([-1.6448536269514722, -0.6744897501960817, 0.0, 0.6744897501960817, 1.6448536269514722])  # of LEVELS


class Forecaster:
    """A model of a series with its parameters, one vector p = [x0, theta, q], or (E, ...) for an ensemble.

    x0 = (z0 - mean) / scale is the initial value of every trial, K S numbers, so that z0 has no units either; states
    that are not observed have mean 0 and scale 1. With `window` rows a trajectory there is no x0: each window begins at
    what was observed. With `noise` there is q (D,), and s = e^(5 q): s scale is the standard deviation of each column's
    noise, and log s moves five times as fast as the other numbers, as it has the longest way.
    """

    def __init__(self, series, model, solver, *, hidden=0, noise=False, window=0, interpolation="linear"):
        self.series, self.model, self.solver = series, model, solver
        self.hidden, self.noise, self.window = hidden, noise, window
        self.D, self.P, self.S = len(series.columns), model.theta0.shape[-1], len(series.columns) + hidden
        self.members = len(model.theta0) if model.theta0.ndim == 2 else None
        self.K = len(series.trials)
        self.several = self.K > 1 or window > 0
        self.x_size = 0 if window else self.K * self.S
        self.mean, self.scale = np.append(series.mean, np.zeros(hidden)), np.append(series.scale, np.ones(hidden))
        self.grouping = Grouping(series, model, interpolation, self.several)
        self.p = None
        self.left_at = np.full(self.members or 1, -1)  # the step at which a member was left out

    # ---- the parts of p

    def split(self, p):
        """z0 and theta from p: z0 is (S,) for one trial, (K, S) for several, with E in front for an ensemble."""
        lead = p.shape[:-1]
        x0, theta = p[..., : self.x_size], p[..., self.x_size : self.x_size + self.P]
        shape = (*lead, self.K, self.S) if self.several else (*lead, self.S)
        return (None if self.window else self.mean + self.scale * x0.reshape(shape)), theta

    def log_s(self, p):
        return NOISE_RATE * p[..., self.x_size + self.P :]

    def parts(self, p):
        """p (n,) as its parts by name: z0, theta, and noise."""
        parts = {
            "z0": p[: self.x_size],
            "theta": p[self.x_size : self.x_size + self.P],
            "noise": p[self.x_size + self.P :],
        }
        return {name: part for name, part in parts.items() if part.size}

    @property
    def alive(self):
        """(E,) the members that have not been left out."""
        return self.left_at < 0

    @property
    def chosen(self):
        """The parameters to forecast with: p, or of an ensemble that of the members that go on."""
        return self.p if self.members is None else self.p[self.alive]

    def start(self, k=0, row=0):
        """The state (S,) or (E, S) in which trial k begins, or its window that begins at a row."""
        p = self.chosen
        if self.window:
            z0 = self.series.trials[k].zs[row]
            return z0 if p.ndim == 1 else np.tile(z0, (len(p), 1))
        z0, _ = self.split(p)
        return z0[..., k, :] if self.several else z0

    def starts(self, k=0, rows=None):
        """The rows at which trajectories of trial k begin: 0; or every `window` rows, where all is observed.

        Windows begin among the first `rows` rows: None for those to learn from.
        """
        if not self.window:
            return [0]
        trial = self.series.trials[k]
        whole = np.flatnonzero(trial.observed[: trial.rows if rows is None else rows].all(axis=1))
        starts, at = [], 0
        while (i := np.searchsorted(whole, at)) < len(whole):
            starts.append(int(whole[i]))
            at = starts[-1] + self.window
        return starts

    def field(self, k=0):
        """f of trial k for one row (S,), or (E, S)."""
        one = Grouping(self.series, self.model, self.grouping.interpolation, False)
        return one.field([self.series.trials[k]], np.zeros(1))

    # ---- curves

    def trajectory(self, ts, k=0):
        """The Trajectory of trial k at times ts that begin at its first."""
        return odesolve(self.start(k), self.field(k), ts, self.split(self.chosen)[1], self.solver)

    def mesh(self, until, k=0, row=0):
        """The observation times from a row on as far as `until`, continued to it at their median spacing if it lies
        beyond."""
        ts = self.series.trials[k].ts
        gap, ts = np.median(np.diff(ts)), ts[row:]
        start = ts[0] if until < ts[0] else ts[-1]
        if ts[0] <= until <= ts[-1]:
            within = ts[: np.searchsorted(ts, until) + 1]
            return within
        steps = int(np.ceil(abs(until - start) / gap))
        beyond = np.linspace(start, until, steps + 1)
        return beyond if until < start else np.concatenate([ts, beyond[1:]])

    def forecast(self, ts, k=0):
        """z (m, S), or (m, E, S), at any times ts (m,) that lead away from the start, by the steps that the model was
        trained with."""
        return np.concatenate([zs for _, zs in self.forecast_pieces(ts, k)])

    def forecast_pieces(self, ts, k=0):
        """The same, a part of ts after the other, so that a long forecast needs little memory: yields the part (k,) and
        z (k, S). Fixed steps give the same bits in one piece or in many.
        """
        starts, times = self.starts(k), self.series.trials[k].ts
        if ts[-1] < times[starts[0]] or len(starts) == 1:
            yield from self.pieces_from(starts[0], ts, k)
            return
        begins = np.searchsorted(ts, times[starts[1:]])  # the curve starts anew at these places of ts
        for row, part in zip(starts, np.split(ts, begins), strict=True):
            if len(part):
                yield from self.pieces_from(row, part, k)

    def pieces_from(self, row, ts, k):
        """The forecast from the state at a row of trial k on."""
        theta, f = self.split(self.chosen)[1], self.field(k)
        z, mesh, done = self.start(k, row), self.mesh(ts[-1], k, row), 0
        if len(mesh) == 1:  # ts is the time of the row alone
            yield ts, np.stack([z] * len(ts))
            return
        intervals, direction = len(mesh) - 1, np.sign(mesh[-1] - mesh[0])
        size = max(1, int(PIECE * intervals / steps_of(self.solver, intervals, abs(mesh[-1] - mesh[0]))))
        for i in range(0, intervals, size):
            trajectory = odesolve(z, f, mesh[i : i + size + 1], theta, self.solver)
            z, end = trajectory.zs[-1], trajectory.ts[-1]
            ready = len(ts) if i + size >= intervals else np.searchsorted(direction * ts, direction * end)
            for j in range(done, ready, 10 * PIECE):
                part = ts[j : min(j + 10 * PIECE, ready)]
                yield part, trajectory(part)
            done = ready

    def member_predictions(self):
        """z at every row of the series, observed states only: (N, D), or (N, E, D). nan in the rows held out, if the
        model blows up there."""
        return np.concatenate([self.predictions_of(k) for k in range(self.K)])

    def predictions_of(self, k):
        trial = self.series.trials[k]
        try:
            return self.rows_of(k, len(trial.ts))
        except SolverError:
            known = self.rows_of(k, trial.rows)
            zs = np.full((len(trial.ts), *known.shape[1:]), np.nan)
            zs[: trial.rows] = known
            return zs

    def rows_of(self, k, rows):
        """z at the first rows of trial k, observed states only. Raises SolverError if the model fails among them."""
        with no_warnings():
            if self.window:
                return self.windows_at_rows(k, rows)[..., : self.D]
            return self.trajectory(self.series.trials[k].ts[:rows], k).zs[..., : self.D]

    def windows_at_rows(self, k, rows):
        """Every window of the trial from what was observed at its begin; of the rows held out, too."""
        starts, trial, theta = self.starts(k, rows), self.series.trials[k], self.split(self.chosen)[1]
        zs = np.full((rows, *theta.shape[:-1], self.S), np.nan)
        pieces = [Piece(k, row, end - row) for row, end in zip(starts, [*starts[1:], rows], strict=True)]
        for i in range(0, len(pieces), SOLVED_TOGETHER):
            for group in self.grouping.groups(pieces[i : i + SOLVED_TOGETHER]):
                solved = odesolve(self.window_starts(group, theta), group.f, group.ts, theta, self.solver).zs
                zs[group.rows - trial.start] = np.moveaxis(solved, -2, 1)  # (n, K, ..., S)
        if starts[0]:
            zs[: starts[0]] = self.forecast(trial.ts[: starts[0]][::-1], k)[::-1]
        return zs

    def window_starts(self, group, theta):
        """(K, S) or (E, K, S): what was observed in the first row of each piece of a group."""
        z0 = group.targets[0].astype(np.result_type(group.targets, theta.dtype))
        return z0 if theta.ndim == 1 else np.tile(z0, (len(theta), 1, 1))

    def predictions(self):
        """(N, D) z at every row of the series: the model's, or the median of its members'."""
        zs = self.member_predictions()
        return zs if self.members is None else median(zs)

    def noise_scale(self):
        """(D,) the standard deviation of the noise: learned, or else the root of the mean square of what is left in the
        rows for validation, or where there are none in the rows trained on."""
        if self.noise:
            log_s = self.log_s(self.chosen)
            return self.series.scale * np.exp(log_s if log_s.ndim == 1 else np.median(log_s, axis=0))
        valid = self.series.rows_that(lambda trial: (trial.learned, trial.rows))
        left = (self.predictions() - self.series.zs)[valid if valid.any() else self.series.learned]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Mean of empty slice")
            return np.nan_to_num(np.sqrt(np.nanmean(left * left, axis=0)))

    def bands(self, zs):
        """(m, D, 5) quantiles 5, 25, 50, 75, 95 % of an observation, from the members' zs (m, E, D).

        The members' own quantiles, and those of normal noise: distances from the median add up as squares do. This is
        exact where both are normal.
        """
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "All-NaN slice")
            members = np.moveaxis(np.nanquantile(zs, LEVELS, axis=1), 0, -1)  # (m, D, 5)
        middle = members[..., 2:3]
        spread = np.hypot(members - middle, self.noise_scale()[:, np.newaxis] * NORMAL)
        return middle + np.sign(NORMAL) * spread


def median(zs):
    """Over the members (m, E, D) that are not nan: (m, D)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice")
        return np.nanmedian(zs, axis=1)


@contextmanager
def no_warnings():
    """Without those after Ctrl-C, about drift, and of members that diverge: the commands say that in their own words,
    and once."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "stopped by")
        warnings.filterwarnings("ignore", "member .* is left out")
        warnings.simplefilter("ignore", EnsembleWarning)
        warnings.simplefilter("ignore", DriftWarning)
        yield
