"""One engine for fixed and adaptive steps: a stream of accepted Runge-Kutta steps, backwards as well as forwards."""

from collections import namedtuple
from dataclasses import dataclass

import numpy as np

from . import errors
from .coefficients import BOSH3, DOP853, DOPRI5, EULER, HEUN, MIDPOINT, RALSTON, RK4, RK38, TSIT5
from .runge_kutta import Scheme, rk_step
from .step_size import AdaptiveSteps, FixedSteps, is_finite
from .tableau import ButcherTableau


@dataclass(frozen=True)
class Solver:
    """A Butcher tableau and a rule for where its steps go. An adaptive rule needs a tableau with an error estimate."""

    tableau: ButcherTableau = DOPRI5
    control: FixedSteps | AdaptiveSteps = AdaptiveSteps()

    def __post_init__(self):
        if not (isinstance(self.tableau, ButcherTableau) and hasattr(self.control, "pace")):
            raise TypeError(
                "Solver takes a ButcherTableau and FixedSteps(...) or AdaptiveSteps(...), "
                f"got {self.tableau!r} and {self.control!r}"
            )
        if isinstance(self.control, AdaptiveSteps) and self.tableau.b_err is None:
            raise ValueError(
                f"{self.tableau.name} has no error estimate (b_err); use FixedSteps, or DOPRI5, BOSH3 or HEUN"
            )

    def steps(self, measure, z0, ts, log, land=None):
        """The stream of `accepted_steps`. A first-same-as-last tableau hands its last slope on to the next step; a
        rejected step hands its first slope to the next attempt."""
        if len(ts) < 2:
            return
        scheme = Scheme(self.tableau, z0.dtype)
        z, first = z0, first_slope(measure, z0, float(ts[0]), log)
        pace = self.control.pace(measure, z0, first[0], ts, scheme, log)
        for i in range(len(ts) - 1):
            t, t_end = float(ts[i]), float(ts[i + 1])
            pace.enter(t, t_end)
            while t != t_end:
                h, t_next = pace.propose(t, t_end)
                step = rk_step(measure, z, t, h, t_next, scheme, first)
                error, accepted = pace.judge(step)
                log.note(step, len(step.k) - (first is not None), error, accepted)
                if accepted:
                    z, t = step.z_next if land is None else land(i, step), t_next
                    first = (step.k[-1], step.kept[-1]) if self.tableau.fsal and z is step.z_next else None
                    yield i, step
                else:
                    first = step.k[0], step.kept[0]


# fmt: off
def euler(n=None, h=None):     return Solver(EULER, FixedSteps(n, h))
def midpoint(n=None, h=None):  return Solver(MIDPOINT, FixedSteps(n, h))
def heun(n=None, h=None):      return Solver(HEUN, FixedSteps(n, h))
def ralston(n=None, h=None):   return Solver(RALSTON, FixedSteps(n, h))
def rk4(n=None, h=None):       return Solver(RK4, FixedSteps(n, h))
def rk38(n=None, h=None):      return Solver(RK38, FixedSteps(n, h))

def bosh3(rtol=1e-6, atol=1e-9, **control):   return Solver(BOSH3, AdaptiveSteps(rtol, atol, **control))
def dopri5(rtol=1e-6, atol=1e-9, **control):  return Solver(DOPRI5, AdaptiveSteps(rtol, atol, **control))
def tsit5(rtol=1e-6, atol=1e-9, **control):   return Solver(TSIT5, AdaptiveSteps(rtol, atol, **control))
def dop853(rtol=1e-6, atol=1e-9, **control):  return Solver(DOP853, AdaptiveSteps(rtol, atol, **control))
# fmt: on


Attempt = namedtuple("Attempt", "t h error accepted")  # error: the scaled norm, accepted when <= 1 (nan: not estimated)


class Log:
    """What a solve did: how often f was evaluated, how often the step was right, and, if wanted, every attempt."""

    def __init__(self, ledger=None):
        self.evals = self.accepted = self.rejected = 0
        self.ledger = ledger

    def note(self, step, evals, error, accepted):
        self.evals += evals
        self.accepted += accepted
        self.rejected += not accepted
        if self.ledger is not None:
            self.ledger.append(Attempt(step.t, step.h, error, accepted))


def accepted_steps(measure, z0, ts, solver, log, land=None):
    """The stream of (i, step): the accepted steps from ts[0] to ts[-1], each within [ts[i], ts[i+1]].

    measure, from f.stage or f.stage_vjp, evaluates f. Every ts[i] is the end of a step. land(i, step), if given, is
    the state to go on with after a step instead of step.z_next: where the adjoint jumps. The solver makes the stream;
    it may be anything that has such a `steps`.
    """
    return checked_solver(solver).steps(measure, z0, ts, log, land)


def checked_solver(solver):
    if isinstance(solver, type) or not hasattr(solver, "steps"):
        raise TypeError(f"solver must be a Solver, such as dopri5() or rk4(n=10), with its parentheses; got {solver!r}")
    return solver


def first_slope(measure, z0, t0, log):
    """(slope, kept) at the start, and what is asked once: is it finite, did f leave z alone?"""
    k0, z = np.empty_like(z0), z0.copy()
    kept = measure(z0, t0, k0)
    log.evals += 1
    if not np.array_equal(z0, z):
        raise ValueError("f changed its argument z in place (z += ...); compute dz/dt in a new array")
    if not is_finite(k0):
        raise errors.non_finite_start(k0, t0)
    return k0, kept


def solution(measure, z0, ts, solver, log, steps=None):
    """zs (T, *shape), the states at ts. Accepted steps are appended to `steps` as (i, step), or else forgotten."""
    zs, times = np.empty((len(ts), *z0.shape), z0.dtype), ts.tolist()
    zs[0] = z0
    with np.errstate(all="ignore"):  # a non-finite value is reported by the engine, which has more to say
        for i, step in accepted_steps(measure, z0, ts, solver, log):
            if step.t_next == times[i + 1]:
                zs[i + 1] = step.z_next
            if steps is not None:
                steps.append((i, step))
    return zs
