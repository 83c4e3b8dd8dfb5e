"""SciPy's solvers as black boxes for the adjoint method, and our tableaus as methods for SciPy's solve_ivp.

    odeint(z0, f, ts, theta, scipy_solver("LSODA"))                     # the paper's "any ODE solver", implicit or not
    solve_ivp(fun, (0, 1), y0, method=as_ode_solver(TSIT5))

The only importer of scipy. SciPy's states have one axis and double precision; shape and dtype change hands here.
"""

import math
import warnings
from dataclasses import dataclass

import numpy as np
from scipy import integrate

from ..dynamics import Dynamics
from . import errors
from .errors import SolverError
from .solver import Log, Solver, accepted_steps, first_slope
from .step_size import AdaptiveSteps, is_finite

METHODS = {  # and the dtypes of z. Implicit methods take differences of f, which single precision is too coarse for
    "RK23": "fdFD",
    "RK45": "fdFD",
    "DOP853": "fdFD",
    "Radau": "d",
    "BDF": "dD",
    "LSODA": "d",
}


def scipy_solver(method="LSODA", rtol=1e-6, atol=1e-9, first=None, max_step=math.inf, max_steps=100_000):
    """A solver for odesolve, odeint and Backsolve that leaves it to SciPy: RK23, RK45, DOP853, Radau, BDF or LSODA.

    Radau and BDF are implicit, and LSODA is where it needs to be: they solve stiff problems. Every observation is the
    end of a step, where SciPy starts anew. The arguments are those of AdaptiveSteps.
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

    def steps(self, measure, z0, ts, log, land=None):
        """The stream of (i, step), as in stepping.accepted_steps. SciPy keeps its rejected steps to itself."""
        if len(ts) < 2:
            return
        if z0.dtype.char not in METHODS[self.method]:
            raise TypeError(f"SciPy's {self.method} does not solve for z of {z0.dtype}; RK45 does, or make z0 float64")
        _, kept = first_slope(measure, z0, float(ts[0]), log)
        if kept is not None:  # pullbacks are wanted, to go back through stages
            raise no_stages(self.method)
        f, z = Measured(measure, z0), z0
        for i in range(len(ts) - 1):
            t, t_end = float(ts[i]), float(ts[i + 1])
            scipys = self.begin(f, t, z, t_end)
            while t != t_end:
                if log.accepted == self.control.max_steps:
                    raise too_many_steps(self, z, t, t_end)
                step = advanced(scipys, f, t, z, t_end, log.accepted + 1)
                log.note(step, f.collect_evals(), math.nan, True)
                t, z = step.t_next, step.z_next if land is None else land(i, step)
                yield i, step

    def begin(self, f, t, z, t_end):
        c, method = self.control, getattr(integrate, self.method)
        first = None if c.first is None else min(c.first, abs(t_end - t))
        return method(f, t, z.flatten(), t_end, rtol=c.rtol, atol=c.atol, first_step=first, max_step=c.max_step)


def no_stages(method):
    return TypeError(
        f"SciPy's {method} is a black box: its steps cannot be repeated, or differentiated one by one. Backsolve() and "
        "Interpolating() need its solutions only"
    )


class Measured:
    """f as SciPy calls it, on vectors. evals: how often; bad: the last (t, dz) if not finite; error: that of f."""

    def __init__(self, measure, z0):
        self.measure, self.z0 = measure, z0
        self.evals, self.bad, self.error = 0, None, None

    def __call__(self, t, y):
        dz = np.empty_like(self.z0)
        try:
            self.measure(like(y, self.z0), float(t), dz)
        except Exception as error:
            self.error = error
            raise
        self.evals += 1
        self.bad = None if is_finite(dz) else (t, dz)
        return dz.reshape(-1)

    def collect_evals(self):
        evals, self.evals = self.evals, 0
        return evals


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

    def until(self, t):
        return ScipyStep(self.t, t, self.z, self(t), self.dense)

    @property
    def held(self):
        return [self.z, *vars(self.dense).values()]


def advanced(scipys, f, t, z, t_end, number):
    """SciPy's next step. Raises SolverError where SciPy gives up, and where it should."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "lsoda:")  # says more than LSODA's own message
            reason = scipys.step()
    except (UserWarning, ValueError) as error:  # ValueError: the linear algebra in an implicit method met nan or inf
        if error is f.error:
            raise
        reason = str(error)
    z_next = like(scipys.y, z)
    if reason is None and not is_finite(z_next):
        reason = "the state became nan or inf"
    if reason is None and scipys.t == t:
        reason = "the steps have become too short to move t"
    if reason is not None:
        raise gave_up(scipys, reason, f, t, z, t_end, number)
    return ScipyStep(t, t_end if scipys.status == "finished" else float(scipys.t), z, z_next, scipys.dense_output())


def gave_up(scipys, reason, f, t, z, t_end, number):
    bad, dz, why = f.bad, like(f(t, z.reshape(-1)), z), ""
    if bad is not None:
        why = f"f was not finite: {errors.component('dz/dt', bad[1], errors.bad(bad[1]))} at t = {bad[0]:.6g}"
    elif errors.grows_within((t_end - t) / 1000, z, dz):
        why = errors.blow_up(z, dz, t)
    at = f"in step {number} at t = {t:.6g}, {errors.component('z', z, errors.largest(z))}"
    return SolverError(f"SciPy's {type(scipys).__name__} failed {at}: {reason.rstrip('.')}. {why}".rstrip())


def too_many_steps(solver, z, t, t_end):
    return SolverError(
        f"max_steps = {solver.control.max_steps} steps of SciPy's {solver.method} led only to t = {t:.6g} of "
        f"{t_end:.6g}, where {errors.component('z', z, errors.largest(z))}. If the problem is stiff, take Radau, "
        "BDF or LSODA; otherwise loosen rtol and atol, or raise max_steps"
    )


# ---- the other way: our tableaus for solve_ivp


def as_ode_solver(tableau):
    """A class for solve_ivp(..., method=as_ode_solver(TSIT5)): our steps with SciPy's events, t_eval and dense_output.

    The options are rtol, atol, first_step and max_step. Raises ValueError for a tableau without an error estimate.
    """
    Solver(tableau)
    return type(f"Odelearn{tableau.name}", (OurSolver,), {"tableau": tableau, "__doc__": OurSolver.__doc__})


class OurSolver(integrate.OdeSolver):
    """The steps of a Butcher tableau under AdaptiveSteps, as an OdeSolver of SciPy's."""

    def __init__(self, fun, t0, y0, t_bound, vectorized, rtol=1e-3, atol=1e-6, first_step=None, max_step=math.inf):
        super().__init__(fun, t0, y0, t_bound, vectorized, support_complex=True)
        control = AdaptiveSteps(rtol, atol, first=first_step, max_step=max_step, max_steps=2**60)  # SciPy has no limit
        f, ts = Dynamics(lambda y, t, _: self.fun(t, y)), np.array([t0, t_bound], float)
        self.stream = accepted_steps(f.stage(self.y, None), self.y, ts, Solver(self.tableau, control), Log())

    def _step_impl(self):
        try:
            with np.errstate(all="ignore"):
                _, self.last = next(self.stream)
        except SolverError as error:
            return False, str(error)
        self.t, self.y = self.last.t_next, self.last.z_next
        return True, None

    def _dense_output_impl(self):
        return OurDenseOutput(self.last)


class OurDenseOutput(integrate.DenseOutput):
    def __init__(self, step):
        super().__init__(step.t, step.t_next)
        self.step = step

    def _call_impl(self, t):
        return np.stack([self.step(t_i) for t_i in t], axis=-1) if t.ndim else self.step(t)
