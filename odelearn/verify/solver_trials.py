"""One trial solve: an f that notes how it was called, and what came out."""

import warnings
from collections import namedtuple

import numpy as np

from .solver_problems import SPANS

MOST_EVALS = 30_000  # before a solve is given up: a loop that waits for t >= t1 never ends backwards


class Watched:
    """f as a solver sees it, called as f(z, t) or f(z, t, theta). Notes the time of every call."""

    def __init__(self, f, most):
        self.f, self.most, self.times = f, most, []

    def __call__(self, z, t, theta=None):
        if np.ndim(t) > 0:
            raise TypeError(
                f"f was called with a time of shape {np.shape(t)}; its arguments are f(z, t), in this order"
            )
        if len(self.times) == self.most:
            raise RuntimeError(f"given up after {self.most} evaluations of f, at t = {float(t):.6g}")
        self.times.append(float(t))
        z = np.asarray(z)
        return self.f(z, float(t)).astype(z.dtype, copy=False)


class Trial(namedtuple("Trial", "problem ts zs times trajectory raised")):
    """One solve. zs is None where the solver raised an error; trajectory is what it returned, if that can be called."""

    __slots__ = ()

    @property
    def evals(self):
        return len(self.times)

    @property
    def exact(self):
        return self.problem.exact(self.ts)

    @property
    def error(self):
        """max |z - exact| / max |exact| over all observations; inf where there is nothing to compare."""
        return self.distance(self.zs, self.ts)

    @property
    def dense_error(self):
        """The error at 0.3 and 0.7 of the way between observations."""
        t = np.concatenate([self.ts[:-1] + x * np.diff(self.ts) for x in (0.3, 0.7)])
        return self.distance(None if self.zs is None else self.trajectory(t), t)

    def distance(self, zs, t):
        exact = self.problem.exact(t)
        if np.shape(zs) != exact.shape or not np.isfinite(zs).all():
            return np.inf
        return float(np.abs(zs - exact).max() / np.abs(exact).max())


class Bench:
    """Where trials are run. It keeps what no error shows: how far outside f was called, what inputs were written to."""

    def __init__(self, most=MOST_EVALS):
        self.most = most
        self.open = list(SPANS)  # the directions of time that are worth measuring
        self.climbed = {}  # series of trials that have been run already
        self.outside = dict.fromkeys(SPANS, 0.0)
        self.changed = dict.fromkeys(SPANS, "")

    def run(self, solve, problem, ts, dtype=float):
        """The Trial of solve(z0, f, ts) on a problem, from its exact z(ts[0])."""
        z0 = problem.exact(ts[0]).astype(dtype)
        given_z0, given_ts, f = z0.copy(), ts.copy(), Watched(problem.f, self.most)
        result = zs = raised = None
        with (
            np.errstate(all="ignore"),
            warnings.catch_warnings(action="ignore"),
        ):  # a long step may leave the domain of f
            warnings.simplefilter("error", np.exceptions.ComplexWarning)  # what is lost here is not noise
            try:
                result = solve(given_z0, f, given_ts)
                zs = as_states(getattr(result, "zs", result))
            except Exception as error:  # whatever a stranger's solver may raise
                raised = f"{type(error).__name__}: {error}"
        self.note(f.times, ts, {"z0": (z0, given_z0), "ts": (ts, given_ts)})
        return Trial(problem, ts, zs, f.times, result if callable(result) else None, raised)

    def both(self, measure):
        """[measure(direction) for both directions of time], nan for one that is not open."""
        return [measure(direction) if direction in self.open else np.nan for direction in SPANS]

    def note(self, times, ts, inputs):
        direction = "forwards" if ts[-1] > ts[0] else "backwards"
        low, high = sorted((ts[0], ts[-1]))
        beyond = max([low - min(times), max(times) - high]) / (high - low) if times else 0.0
        if beyond > 1e-12:  # t0 + n h may miss t1 by round-off
            self.outside[direction] = max(self.outside[direction], beyond)
        for name, (before, after) in inputs.items():
            if not np.array_equal(before, after):
                self.changed[direction] = name


def as_states(zs):
    zs = np.asarray(zs)
    if zs.dtype.kind not in "fc":
        raise TypeError(f"the solver must return an array of floats, got {zs.dtype}")
    return zs
