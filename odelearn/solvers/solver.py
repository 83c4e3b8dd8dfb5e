"""A solver is a tableau and a rule for its steps. At work it is a Stepper, which makes one accepted step.

    stepper = solver.stepper(field, z0, ts)          # field: value or vjp of f.bind(theta, z0)
    step = stepper.step(z, t, t_end)                 # from (t, z) towards t_end, and not beyond

Every step is the caller's, to be kept. With lend=True it is good until the next one is made: the gradient methods that
look at each step once ask for that, and step.own() is for whoever keeps one after all.

Loops belong to whoever loops. `steps` goes from one time to another, `solve` from one observation to the next:

    for step in steps(stepper, z, t, t_end): ...
    for i, step in solve(stepper, z0, zs, ts): ...

A loop of your own may go on from another z after any step: a new array, not the old one changed in place. Time runs
backwards where t_end < t.
"""

import math
from collections import namedtuple
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from . import errors
from .coefficients import BOSH3, DOP853, DOPRI5, EULER, HEUN, MIDPOINT, RALSTON, RK4, RK38, TSIT5
from .dense_output import Observations, mesh_times
from .problem import is_finite
from .runge_kutta import Scheme, rk_step
from .step_size import AdaptiveSteps, FixedSteps
from .tableau import ButcherTableau


@dataclass(frozen=True)
class Solver:
    """A Butcher tableau and a rule for its steps, as frozen data: what odesolve and odeint take as `solver`.

    tableau  a ButcherTableau
    control  FixedSteps(n=...), FixedSteps(h=...) or AdaptiveSteps(rtol, atol, ...)
    dense    False: every time of ts is the end of a step. True: the steps are those from ts[0] to ts[-1], and the
             states at the times between are read from the interpolants of the steps, which costs no evaluation of f,
             or a few in each step that is read, and not one for each time. FixedSteps(n) is then n steps in all. A
             tolerance is that of the steps; inside long ones the interpolant, of order p - 1 at least, may be less
             accurate. Forward() and Reversible() take no such solver

    Raises TypeError for anything else, ValueError for AdaptiveSteps with a tableau that has no error estimate (b_err).
    The functions euler, midpoint, heun, ralston, rk4, rk38, bosh3, dopri5, tsit5 and dop853 make the usual ones.

    >>> Solver(RK4, FixedSteps(n=10)) == rk4(n=10)
    True
    """

    tableau: ButcherTableau = DOPRI5
    control: FixedSteps | AdaptiveSteps = AdaptiveSteps()
    dense: bool = False

    def __post_init__(self):
        if not (isinstance(self.tableau, ButcherTableau) and hasattr(self.control, "controller")):
            raise TypeError(
                "Solver takes a ButcherTableau and FixedSteps(...) or AdaptiveSteps(...), "
                f"got {self.tableau!r} and {self.control!r}"
            )
        if not isinstance(self.dense, bool):
            raise TypeError(f"dense must be True or False, got {self.dense!r}")
        if isinstance(self.control, AdaptiveSteps) and self.tableau.b_err is None:
            raise ValueError(
                f"{self.tableau.name} has no error estimate (b_err); use FixedSteps, or DOPRI5, BOSH3 or HEUN"
            )

    def stepper(self, field, z0, ts, ledger=None, members=None, lend=False):
        """The Stepper of one solve for states like z0 at the times ts."""
        stepper = FixedStepper if isinstance(self.control, FixedSteps) else Stepper
        return stepper(self, field, z0, mesh_times(self, ts), ledger, members, lend)


Attempt = namedtuple("Attempt", "t h error accepted")  # error: the scaled norm, accepted when <= 1 (nan: not estimated)


class Stepper:
    """A Solver at work in one solve.

    field(Z, t, k)     writes the slope into k and returns what is to be kept of the stage; it must not keep Z
    z0                 the state at ts[0], or any state of its shape and dtype
    ts                 the times that end steps; the step-size controller wants the first and the last
    ledger             a list that receives every Attempt, or None
    members            the Members of an ensemble, or None
    lend               each step is good until the next one is made, which saves a copy of its slopes

    evals, accepted, rejected count evaluations of f and steps.

    The first slope of a step is not evaluated again where it is known: a rejected attempt hands it to the next one, and
    a first-same-as-last tableau hands on its last slope, as long as z is the very state that the last step returned.
    """

    def __init__(self, solver, field, z0, ts, ledger=None, members=None, lend=False):
        self.scheme, self.control, self.ts = Scheme(solver.tableau, field, z0), solver.control, ts
        self.dense, self.ledger, self.members, self.lend = solver.dense, ledger, members, lend
        self.accepted = self.rejected = 0
        self.controller = self.t_end = None
        self.z = self.first_slope = None  # the state that the last step returned, and (slope, kept) there

    @property
    def evals(self):
        return self.scheme.evals

    def step(self, z, t, t_end):
        """The next accepted Step from (t, z) towards t_end. Raises SolverError where there is none."""
        if t_end != self.t_end:
            self.enter(z, t, t_end)
        if z is not self.z:
            self.first_slope = None
        while True:
            step = rk_step(self.scheme, z, t, *self.controller.propose(t, t_end), self.first_slope, self.lend)
            error, accepted = self.accept(step)
            if self.ledger is not None:
                self.ledger.append(Attempt(t, step.h, error, accepted))
            if accepted:
                self.accepted += 1
                self.z = step.z_next
                self.first_slope = (step.k[-1], step.kept[-1]) if self.scheme.tableau.fsal else None
                return step
            self.rejected += 1
            self.first_slope = step.k[0], step.kept[0]

    def accept(self, step):
        """error, accepted: what the controller says."""
        return self.controller.accept(step) if self.members is None else self.members.accept(self.controller, step)

    def slope(self, z, t):
        """(slope, kept) of the field at (t, z), with which the next step from this z begins."""
        if z is not self.z or self.first_slope is None:
            slope = np.empty_like(z)
            self.z, self.first_slope = z, (slope, self.scheme.field(z, t, slope))
            self.scheme.evals += 1
        return self.first_slope

    def enter(self, z, t, t_end):
        """Begin the interval that ends at t_end. Before the first of all, look at f and choose a step size."""
        if self.controller is None:
            slope, _ = self.slope(z, t)
            control, members = self.control, self.members
            if members is not None:
                z, slope = members.fill(z), members.fill(slope)
                if isinstance(control, AdaptiveSteps):
                    control = replace(control, norm=members.norm(control.norm))
            if not is_finite(slope):
                raise errors.non_finite_start(slope, t)
            self.controller = control.controller(self.scheme, z, slope, self.ts)
        self.t_end = t_end
        self.controller.enter(t, t_end)


class FixedStepper(Stepper):
    """A Stepper for n equal steps in each interval: the same numbers from a shorter loop, as none is ever rejected."""

    def step(self, z, t, t_end):
        if t_end != self.t_end:
            self.enter(z, t, t_end)
        plan = self.controller  # what it proposes and accepts is written out here
        plan.k += 1
        t_next = t_end if plan.k == plan.n else plan.t0 + plan.k * plan.h
        step = rk_step(self.scheme, z, t, plan.h, t_next, self.first_slope if z is self.z else None, self.lend)
        if not is_finite(step.z_next):
            plan.attempts = self.accepted
            self.accept(step)  # raises the error, or drops members of an ensemble
        self.accepted += 1
        if self.ledger is not None:
            self.ledger.append(Attempt(t, plan.h, math.nan, True))
        plan.step, self.z = step, step.z_next
        self.first_slope = (step.k[-1], step.kept[-1]) if self.scheme.tableau.fsal else None
        return step


def steps(stepper, z, t, t_end):
    """The accepted steps from (t, z) to t_end, which is the end of the last."""
    while t != t_end:
        step = stepper.step(z, t, t_end)
        yield step
        z, t = step.z_next, step.t_next


def solve(stepper, z0, zs, ts):
    """The accepted steps from z0 at ts[0] to ts[-1], as (i, step) for a step between ts[i] and ts[i + 1].

    Every ts[i] is the end of a step. The states there are written into zs (T, *z0.shape).
    For a dense solver i is 0: the steps go from ts[0] to ts[-1], and the states between are read after each of them.
    """
    zs[0] = z = z0
    if len(ts) > 2 and getattr(stepper, "dense", False):
        observations = Observations(ts)
        for step in steps(stepper, z, float(ts[0]), float(ts[-1])):
            observations.read(step, zs)
            yield 0, step
        zs[-1] = step.z_next
        return
    for i, (t, t_end) in enumerate(pairwise(ts.tolist())):
        for step in steps(stepper, z, t, t_end):
            yield i, step
        zs[i + 1] = z = step.z_next


def checked_solver(solver):
    """The solver, if it is one. Raises TypeError for anything that has no `stepper`."""
    if isinstance(solver, type) or not hasattr(solver, "stepper"):
        raise TypeError(f"solver must be a Solver, such as dopri5() or rk4(n=10), with its parentheses; got {solver!r}")
    return solver


def states_like(z0, ts):
    """Room for the states at ts (T, *z0.shape)."""
    return np.empty((len(ts), *z0.shape), z0.dtype)


# ---- the usual ones, by name


def euler(n=None, h=None, *, dense=False):
    """Explicit Euler, order 1, 1 evaluation of f a step:  z_next = z + h f(z, t, theta).

    n  steps in every interval [ts[i], ts[i+1]]; or else
    h  the largest length of a step (> 0): ceil(|ts[i+1] - ts[i]| / h) steps. Give one of the two
    dense  True: n (or h) is for the whole of [ts[0], ts[-1]], and what lies between is interpolated; see Solver

    Returns a Solver. Raises ValueError if n is no whole number >= 1, h not positive, or not exactly one is given.
    Source: Hairer, Norsett, Wanner, Solving ODEs I, section I.7. midpoint, heun, ralston, rk4 and rk38 take the same.

    >>> from odelearn import odesolve
    >>> float(odesolve(1.0, lambda z, t, theta: -z, (0.0, 1.0), solver=euler(n=2)).zs[-1])
    0.25
    """
    return Solver(EULER, FixedSteps(n, h), dense)


def midpoint(n=None, h=None, *, dense=False):
    """The explicit midpoint rule, order 2, 2 evaluations a step:  z_next = z + h f(z + h/2 k_1, t + h/2).

    n, h, dense, the Solver returned and errors raised are those of `euler`.
    Source: Runge 1895; Hairer, Norsett, Wanner, Solving ODEs I, section II.1.
    """
    return Solver(MIDPOINT, FixedSteps(n, h), dense)


def heun(n=None, h=None, *, dense=False):
    """Heun's method, the explicit trapezoidal rule, order 2, 2 evaluations a step:  z_next = z + h/2 (k_1 + k_2).

    n, h, dense, the Solver returned and errors raised are those of `euler`.
    Source: Hairer, Norsett, Wanner, Solving ODEs I, section II.1. Euler is embedded: Solver(HEUN, AdaptiveSteps()).
    """
    return Solver(HEUN, FixedSteps(n, h), dense)


def ralston(n=None, h=None, *, dense=False):
    """Ralston's method, order 2, 2 evaluations a step:  z_next = z + h (k_1 / 4 + 3 k_2 / 4), with c_2 = 2/3.

    Of all methods with 2 stages its bound on the local error is the smallest.
    n, h, dense, the Solver returned and errors raised are those of `euler`.
    Source: Ralston 1962, Mathematics of Computation 16.
    """
    return Solver(RALSTON, FixedSteps(n, h), dense)


def rk4(n=None, h=None, *, dense=False):
    """The classical Runge-Kutta method, order 4, 4 evaluations a step:  z_next = z + h/6 (k_1 + 2 k_2 + 2 k_3 + k_4).

    n, h, dense, the Solver returned and errors raised are those of `euler`.
    Source: Kutta 1901; Hairer, Norsett, Wanner, Solving ODEs I, table II.1.2.
    """
    return Solver(RK4, FixedSteps(n, h), dense)


def rk38(n=None, h=None, *, dense=False):
    """Kutta's 3/8 rule, order 4, 4 evaluations a step:  z_next = z + h/8 (k_1 + 3 k_2 + 3 k_3 + k_4).

    n, h, dense, the Solver returned and errors raised are those of `euler`.
    Source: Kutta 1901; Hairer, Norsett, Wanner, Solving ODEs I, table II.1.2. torchdiffeq calls this one "rk4".
    """
    return Solver(RK38, FixedSteps(n, h), dense)


def bosh3(rtol=1e-6, atol=1e-9, *, dense=False, **control):
    """Bogacki and Shampine's pair of orders 3 and 2, with adaptive steps: 3 evaluations a step, 1 handed on.

    rtol, atol  >= 0, numbers or arrays that broadcast with z, in the unit of z (atol) and relative to |z| (rtol):
                a step is accepted when the norm of  error / (atol + rtol max(|z|, |z_next|))  is at most 1
    dense       True: the states at ts are interpolated where they lie inside steps, and end none; see Solver
    control     what else AdaptiveSteps takes: norm, first, max_steps, min_step, max_step, ...

    Returns a Solver. Raises ValueError for tolerances that are negative, not finite, or both zero.
    Source: Bogacki and Shampine 1989, Applied Mathematics Letters 2. For loose tolerances, 1e-2 to 1e-4.
    """
    return Solver(BOSH3, AdaptiveSteps(rtol, atol, **control), dense)


def dopri5(rtol=1e-6, atol=1e-9, *, dense=False, **control):
    """Dormand and Prince's pair of orders 5 and 4, with adaptive steps: 6 evaluations a step, 1 handed on.

    The default of odesolve and odeint, and SciPy's RK45.
    rtol, atol, dense, control, the Solver returned and errors raised are those of `bosh3`.
    Source: Dormand and Prince 1980, Journal of Computational and Applied Mathematics 6.
    """
    return Solver(DOPRI5, AdaptiveSteps(rtol, atol, **control), dense)


def tsit5(rtol=1e-6, atol=1e-9, *, dense=False, **control):
    """Tsitouras' pair of orders 5 and 4, with adaptive steps: 6 evaluations a step, 1 handed on.

    rtol, atol, dense, control, the Solver returned and errors raised are those of `bosh3`.
    Source: Tsitouras 2011, Computers and Mathematics with Applications 62. Diffrax takes it by default.
    """
    return Solver(TSIT5, AdaptiveSteps(rtol, atol, **control), dense)


def dop853(rtol=1e-6, atol=1e-9, *, dense=False, **control):
    """Dormand and Prince's method of order 8, with adaptive steps: 12 evaluations a step, none handed on.

    The error estimate combines those of orders 5 and 3. For tight tolerances, 1e-8 to 1e-13.
    rtol, atol, dense, control, the Solver returned and errors raised are those of `bosh3`.
    Source: Hairer, Norsett, Wanner, Solving ODEs I, sections II.5 and II.10, and their program dop853.f.
    """
    return Solver(DOP853, AdaptiveSteps(rtol, atol, **control), dense)
