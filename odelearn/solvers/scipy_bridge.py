"""SciPy's solvers as black boxes for the adjoint method.

    odeint(z0, f, ts, theta, scipy_solver("LSODA"))                     # the paper's "any ODE solver", implicit or not

The only importer of scipy. SciPy's states have one axis and double precision; shape and dtype change hands here.
"""

import math
import warnings
from dataclasses import dataclass

import numpy as np
from scipy import integrate

from . import errors
from .errors import MethodError, SolverError
from .problem import is_finite
from .solver import Attempt
from .step_size import AdaptiveSteps

METHODS = {  # and the dtypes of z. Implicit methods take differences of f, which single precision is too coarse for
    "RK23": "fdFD",
    "RK45": "fdFD",
    "DOP853": "fdFD",
    "Radau": "d",
    "BDF": "dD",
    "LSODA": "d",
}


def scipy_solver(method="LSODA", rtol=1e-6, atol=1e-9, first=None, max_step=math.inf, max_steps=100_000):
    """A solver for odesolve, odeint, Backsolve and Interpolating that leaves the steps to SciPy.

    method       "RK23", "RK45", "DOP853", or for stiff problems "Radau", "BDF" (implicit) and "LSODA" (implicit where
                 it needs to be)
    rtol, atol   numbers; first, max_step, max_steps: as in AdaptiveSteps

    Every observation is the end of a step, where SciPy starts anew. Returns a solver that has no tableau: methods which
    repeat or differentiate single steps refuse it. Raises ValueError for another method or tolerances that are arrays;
    the solve raises TypeError for a dtype that SciPy's method does not take.

    >>> from odelearn import odesolve
    >>> stiff = lambda z, t, theta: -1e4 * (z - np.cos(t))
    >>> bool(abs(odesolve(1.0, stiff, (0.0, 1.0), solver=scipy_solver("Radau")).zs[-1] - np.cos(1)) < 1e-3)
    True
    """
    return ScipySolver(method, AdaptiveSteps(rtol, atol, first=first, max_step=max_step, max_steps=max_steps))


@dataclass(frozen=True)
class ScipySolver:
    """A black box: it goes from one time to another, and knows z in between. There are no stages to differentiate."""

    method: str
    control: AdaptiveSteps

    def __post_init__(self):
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, got {self.method!r}")
        if np.ndim(self.control.rtol) or np.ndim(self.control.atol):
            raise ValueError("rtol and atol must be numbers: SciPy also has to solve for [z, a, a_theta, a_t]")

    @property
    def tableau(self):
        raise no_stages(self.method)

    def stepper(self, field, z0, ts, ledger=None, members=None, lend=False):
        """What makes the steps of one solve; see solver.Stepper. Here every step is the caller's."""
        return ScipyStepper(self, field, z0, ledger)


class ScipyStepper:
    """SciPy's solver at work in one solve: `step` makes one accepted step. Rejected steps are SciPy's own affair."""

    def __init__(self, solver, field, z0, ledger=None):
        if z0.dtype.char not in METHODS[solver.method]:
            raise TypeError(
                f"SciPy's {solver.method} does not solve for z of {z0.dtype}; RK45 does, or make z0 float64"
            )
        self.solver, self.f, self.ledger = solver, Evaluated(field, z0), ledger
        self.accepted = self.rejected = 0
        self.scipys = self.z = self.t_end = None  # SciPy's solver for one interval, the state it reached, where it ends

    @property
    def evals(self):
        return self.f.evals

    def step(self, z, t, t_end):
        """The next ScipyStep from (t, z) towards t_end. Raises SolverError where there is none."""
        if z is not self.z or t_end != self.t_end:
            self.begin(z, t, t_end)
        if self.accepted == self.solver.control.max_steps:
            raise too_many_steps(self.solver, z, t, t_end)
        step = self.advance(z, t, t_end)
        self.accepted += 1
        if self.ledger is not None:
            self.ledger.append(Attempt(t, step.h, math.nan, True))
        self.z = step.z_next
        return step

    def begin(self, z, t, t_end):
        """A solver of SciPy's for the interval from (t, z) to t_end; before the first of all, look at f."""
        if self.t_end is None:
            slope = np.empty_like(z)
            kept = self.f.field(z, t, slope)
            self.f.evals += 1
            if not is_finite(slope):
                raise errors.non_finite_start(slope, t)
            if kept is not None:  # pullbacks are wanted, to go back through stages
                raise no_stages(self.solver.method)
        self.t_end, c, method = t_end, self.solver.control, getattr(integrate, self.solver.method)
        first_step = None if c.first is None else min(c.first, abs(t_end - t))
        options = dict(rtol=c.rtol, atol=c.atol, first_step=first_step, max_step=c.max_step)
        self.scipys = method(self.f, t, z.flatten(), t_end, **options)

    def advance(self, z, t, t_end):
        """SciPy's next step. Raises SolverError where SciPy gives up, and where it should."""
        scipys = self.scipys
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("error", "lsoda:")  # says more than LSODA's own message
                reason = scipys.step()
        except (
            UserWarning,
            ValueError,
        ) as error:  # ValueError: the linear algebra of an implicit method met nan or inf
            if error is self.f.error:
                raise
            reason = str(error)
        z_next = like(scipys.y, z)
        if reason is None and not is_finite(z_next):
            reason = "the state became nan or inf"
        if reason is None and scipys.t == t:
            reason = "the steps have become too short to move t"
        if reason is not None:
            raise self.failure(reason, z, t, t_end)
        return ScipyStep(t, t_end if scipys.status == "finished" else float(scipys.t), z, z_next, scipys.dense_output())

    def failure(self, reason, z, t, t_end):
        """SciPy's reason, with the place, and with what f says about it."""
        bad, dz, why = self.f.bad, like(self.f(t, z.reshape(-1)), z), ""
        if bad is not None:
            why = f"f was not finite: {errors.component('dz/dt', bad[1], errors.bad(bad[1]))} at t = {bad[0]:.6g}"
        elif errors.grows_within((t_end - t) / 1000, z, dz):
            why = errors.blow_up(z, dz, t)
        at = f"in step {self.accepted + 1} at t = {t:.6g}, {errors.component('z', z, errors.largest(z))}"
        return SolverError(f"SciPy's {self.solver.method} failed {at}: {reason.rstrip('.')}. {why}".rstrip())


def no_stages(method):
    return MethodError(
        f"SciPy's {method} is a black box: its steps cannot be repeated, or differentiated one by one. Backsolve() and "
        "Interpolating() need its solutions only"
    )


class Evaluated:
    """f as SciPy calls it, on vectors. evals: how often; bad: the last (t, dz) if not finite; error: that of f."""

    def __init__(self, field, z0):
        self.field, self.z0 = field, z0
        self.evals, self.bad, self.error = 0, None, None

    def __call__(self, t, y):
        dz = np.empty_like(self.z0)
        try:
            self.field(like(y, self.z0), float(t), dz)
        except Exception as error:
            self.error = error
            raise
        self.evals += 1
        self.bad = None if is_finite(dz) else (t, dz)
        return dz.reshape(-1)


def like(y, z):
    """SciPy's vector as a copy of its own with the shape and dtype of z."""
    return y.astype(z.dtype).reshape(z.shape)


class ScipyStep:
    """A step from (t, z) to (t_next, z_next), of which no more is known than SciPy's dense output."""

    __slots__ = ("t", "h", "t_next", "z", "z_next", "dense")

    def __init__(self, t, t_next, z, z_next, dense):
        self.t, self.h, self.t_next, self.z, self.z_next, self.dense = t, t_next - t, t_next, z, z_next, dense

    def __call__(self, t):
        return like(self.dense(t), self.z)

    def own(self):
        return self

    def until(self, t):
        return ScipyStep(self.t, t, self.z, self(t), self.dense)

    @property
    def held(self):
        return [self.z, *vars(self.dense).values()]


def too_many_steps(solver, z, t, t_end):
    return SolverError(
        f"max_steps = {solver.control.max_steps} steps of SciPy's {solver.method} led only to t = {t:.6g} of "
        f"{t_end:.6g}, where {errors.component('z', z, errors.largest(z))}. If the problem is stiff, take Radau, "
        "BDF or LSODA; otherwise loosen rtol and atol, or raise max_steps"
    )
