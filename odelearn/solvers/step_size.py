"""Where the steps go: a number of equal ones, or as long as an error estimate allows.

FixedSteps and AdaptiveSteps are what the user writes: frozen data. Their controller is the same rule at work in one
solve:

    controller.enter(t0, t1)                       the next interval between observations begins
    controller.propose(t, t_end) -> h, t_next      the next step to try
    controller.accept(step) -> error, accepted     whether it may stay
"""

import math
from dataclasses import dataclass
from numbers import Real

import numpy as np

from . import errors
from .problem import is_finite
from .tableau import parts_equal

MOST_STEPS = 10**8  # that a solve by fixed steps may take: hours


@dataclass(frozen=True)
class FixedSteps:
    """Equal steps in every interval [ts[i], ts[i+1]]: n of them, or ceil(|ts[i+1] - ts[i]| / h). Give one of the two.
    In a Solver with dense=True there is one interval, [ts[0], ts[-1]].

    n   a whole number, >= 1
    h   the largest length of a step, > 0, in the unit of t; the direction comes from ts. 0.3 / 0.1 is three steps

    Raises ValueError for other values, and if none or both are given.
    """

    n: int | None = None
    h: float | None = None

    def __post_init__(self):
        if (self.n is None) == (self.h is None):
            raise ValueError(
                f"give either n (steps in each interval) or h (largest step), got n = {self.n}, h = {self.h}"
            )
        if self.n is not None and not is_count(self.n):
            raise ValueError(f"n must be a whole number of steps, at least 1, got {self.n!r}")
        if self.h is not None and not is_length(self.h):
            raise ValueError(f"h must be a positive length (the direction comes from ts), got {self.h!r}")

    def count(self, dt):
        if self.n is not None:
            return int(self.n)
        return max(1, math.ceil(abs(dt) / self.h * (1 - 1e-9)))  # 0.3 / 0.1 is three steps, whatever the round-off

    def steps_for(self, ts):
        """How many steps a solve at the times ts takes. Raises ValueError if that would never end."""
        if self.n is not None:
            steps = float(self.n) * (len(ts) - 1)
        else:
            steps = float(np.sum(np.ceil(np.abs(np.diff(ts)) / self.h)))
        if steps > MOST_STEPS:
            given, remedy = (f"n = {self.n}", "fewer") if self.n is not None else (f"h = {self.h:g}", "longer")
            raise ValueError(
                f"{given} makes {steps:.3g} steps from ts[0] = {ts[0]:g} to ts[-1] = {ts[-1]:g}, of at most "
                f"{MOST_STEPS:.0e}; take {remedy} ones"
            )
        return steps

    def controller(self, scheme, z, slope, ts):
        self.steps_for(ts)
        return FixedController(self)


class FixedController:
    """n equal steps in each interval. Every step is accepted if it is finite."""

    def __init__(self, control):
        self.control = control
        self.attempts = 0
        self.step = None  # the last one attempted

    def enter(self, t0, t1):
        self.t0, self.k, self.n = t0, 0, self.control.count(t1 - t0)
        self.h = (t1 - t0) / self.n

    def propose(self, t, t_end):
        self.k += 1
        return self.h, t_end if self.k == self.n else self.t0 + self.k * self.h

    def accept(self, step):
        self.attempts += 1
        if not is_finite(step.z_next):
            raise errors.non_finite(step, self.attempts, self.step)
        self.step = step
        return math.nan, True


@dataclass(frozen=True, eq=False)
class RecordedSteps:
    """The steps of an earlier solve: fractions[i] = (s_1, ..., 1) are where they ended in interval i, from 0 to 1."""

    fractions: tuple

    def controller(self, *_):
        return RecordedController(self)


class RecordedController(FixedController):
    """The recorded fractions of each interval, one after the other."""

    def __init__(self, control):
        super().__init__(control)
        self.intervals = iter(control.fractions)

    def enter(self, t0, t1):
        self.t0, self.span, self.ends = t0, t1 - t0, iter(next(self.intervals))
        self.s = 0.0

    def propose(self, t, t_end):
        s_before, self.s = self.s, next(self.ends)
        return (self.s - s_before) * self.span, t_end if self.s == 1 else self.t0 + self.s * self.span


def rms(x):
    """sqrt(mean |x|^2) over all components."""
    return math.sqrt(np.vdot(x, x).real / x.size)


@dataclass(frozen=True, eq=False)
class AdaptiveSteps:
    """Steps as long as the embedded error estimate e allows: accepted when

        norm(e / (atol + rtol max(|z|, |z_next|))) <= 1.

    The next step is  safety error^(-1/q)  times as long, within [shrink, grow], where q - 1 is the order of the
    embedded estimate. beta > 0 makes the controller PI instead of I: the factor becomes
    safety error^(-1/q + 0.75 beta) previous_error^beta; beta = 0.04 calms the steps of DOPRI5.

    rtol, atol          >= 0, numbers or arrays that broadcast with z
    norm                function of the scaled error (shape of z) -> float
    first               length of the first step; None: estimated from f
    max_steps           attempts in the whole solve before it is given up
    min_step, max_step  lengths that no step may leave
    patience            a solve is given up sooner, when at its present rate the rest would take more than
                        patience * max_steps attempts; math.inf: never

    Raises ValueError for values outside these ranges; the solve raises it for tolerances that do not fit z.
    Source: Hairer, Norsett, Wanner, Solving ODEs I, section II.4, eqs. (4.11), (4.13), (4.14); PI control: Hairer,
    Wanner, Solving ODEs II, section IV.2. The factors are those of SciPy's RK45, so that the steps are the same.
    """

    rtol: float = 1e-6
    atol: float = 1e-9
    norm: callable = rms
    first: float | None = None
    max_steps: int = 100_000
    min_step: float = 0.0
    max_step: float = math.inf
    beta: float = 0.0
    safety: float = 0.9
    shrink: float = 0.2
    grow: float = 10.0
    patience: float = 25.0

    def __eq__(self, other):
        return isinstance(other, AdaptiveSteps) and parts_equal(self, other)

    def __hash__(self):
        return hash((float(np.max(self.rtol)), float(np.max(self.atol)), self.first, self.max_steps))

    def __post_init__(self):
        for name in ("rtol", "atol"):
            value = np.asarray(getattr(self, name))
            if value.dtype.kind not in "biuf":
                raise TypeError(f"{name} must be a number or an array of numbers, got {getattr(self, name)!r}")
            if not (np.isfinite(value).all() and (value >= 0).all()):
                raise ValueError(f"{name} must be finite and not negative, got {value}")
        if not np.all(np.asarray(self.rtol) + np.asarray(self.atol) > 0):
            raise ValueError(f"rtol and atol must not both be zero, got rtol = {self.rtol}, atol = {self.atol}")
        if not callable(self.norm):
            raise TypeError(f"norm must be a function of the scaled error, such as odelearn.rms, got {self.norm!r}")
        for name in ("max_steps", "min_step", "max_step", "beta", "safety", "shrink", "grow", "patience"):
            if not isinstance(getattr(self, name), Real):
                raise TypeError(f"{name} must be a number, got {getattr(self, name)!r}")
        if self.first is not None and not is_length(self.first):
            raise ValueError(f"first must be a positive length (the direction comes from ts), got {self.first!r}")
        if not 0 <= self.min_step <= self.max_step or self.max_step == 0:
            raise ValueError(f"0 <= min_step <= max_step, got min_step = {self.min_step}, max_step = {self.max_step}")
        if self.max_steps < 1:
            raise ValueError(f"max_steps must be at least 1, got {self.max_steps}")
        if not 0 < self.shrink < 1 < self.grow:
            raise ValueError(f"0 < shrink < 1 < grow, got shrink = {self.shrink}, grow = {self.grow}")
        if not (0 < self.safety <= 1 and self.beta >= 0 and self.patience > 0):
            raise ValueError(
                "0 < safety <= 1, beta >= 0, patience > 0, "
                f"got safety = {self.safety}, beta = {self.beta}, patience = {self.patience}"
            )

    def controller(self, scheme, z, slope, ts):
        for name in ("rtol", "atol"):
            check_broadcasts(name, getattr(self, name), z)
        check_tolerance(self, z)
        h = initial_step(self, scheme, z, slope, ts) if self.first is None else self.first
        return AdaptiveController(self, min(max(h, self.min_step), self.max_step), scheme.error_order, ts)


def check_broadcasts(name, tolerance, z):
    try:
        fits = np.broadcast_shapes(np.shape(tolerance), z.shape) == z.shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{name} has shape {np.shape(tolerance)}, which does not broadcast with z, of shape {z.shape}")


def check_tolerance(control, z):
    """A component of z that is 0 needs an atol. Raises ValueError for one without a tolerance."""
    zero = np.argwhere(control.atol + control.rtol * np.abs(z) == 0)
    if len(zero):
        i = tuple(zero[0].tolist())
        atol = np.broadcast_to(control.atol, z.shape)[i]
        raise ValueError(
            f"atol = {atol:g} leaves no tolerance for z0{list(i) or ''} = 0, where rtol |z| is 0 too; give an atol > 0"
        )


class AdaptiveController:
    """Steps as long as the error estimate allows. h is the length that the controller wants next."""

    def __init__(self, control, h, error_order, ts):
        self.control, self.h = control, h
        self.exponent = 1 / (error_order + 1)
        self.attempts = 0
        self.t_last = float(ts[-1])
        self.step = None  # the last one attempted
        self.plan_review(float(ts[0]), 0.0)
        self.cut_short = False  # the step ends early, at an observation
        self.just_rejected = False
        self.previous = 1.0

    def enter(self, t0, t1):
        pass  # h goes on across observations

    def propose(self, t, t_end):
        if self.attempts == self.next_review:
            self.review(t)
        self.attempts += 1
        h = max(self.h, 10 * math.ulp(t))
        self.cut_short = h >= abs(t_end - t) * (1 - 1e-12)  # never beyond the observation, and no tiny step before it
        t_next = t_end if self.cut_short else t + math.copysign(h, t_end - t)
        return t_next - t, t_next

    def review(self, t):
        """Stop at max_steps, or sooner if max_steps will not suffice by far: after 2 % of them and not after all."""
        c, (attempts_then, t_then, rate_then) = self.control, self.reviewed
        rate = abs(t - t_then) / (self.attempts - attempts_then)  # time an attempt
        rest = abs(self.t_last - t) / rate if rate > 0 else math.inf  # attempts still to be made
        too_slow = rest > c.patience * c.max_steps and rate <= 1.1 * rate_then
        if self.attempts == c.max_steps or too_slow:
            raise errors.too_many_steps(self.step, self.attempts, c.max_steps, t, self.t_last, rest)
        self.plan_review(t, rate)

    def plan_review(self, t, rate):
        self.reviewed = self.attempts, t, rate
        self.next_review = min(self.attempts + max(self.control.max_steps // 100, 500), self.control.max_steps)

    def accept(self, step):
        error, length = self.error(step), abs(step.h)
        if error <= 1:
            h = length * self.factor(error)
            self.h = max(h, self.h) if self.cut_short else h  # an observation is no reason for shorter steps after it
            self.previous, self.just_rejected = max(error, 1e-4), False
        else:
            smallest = max(self.control.min_step, 10 * math.ulp(step.t))
            if length <= smallest * (1 + 1e-9):
                if error == math.inf:
                    raise errors.non_finite(step, self.attempts, self.step)
                raise errors.step_underflow(step, self.attempts, error, smallest, self.control.min_step)
            self.h = length * max(self.control.shrink, self.control.safety * error**-self.exponent)
            self.just_rejected = True
        self.h = min(max(self.h, self.control.min_step), self.control.max_step)
        self.step = step
        return error, error <= 1

    def factor(self, error):
        """How much longer the step after an accepted one may be; not longer at all right after a rejection."""
        c = self.control
        most = 1.0 if self.just_rejected else c.grow
        if error == 0:
            return most
        return min(most, c.safety * error ** (0.75 * c.beta - self.exponent) * self.previous**c.beta)

    def error(self, step):
        """norm(e / (atol + rtol max(|z|, |z_next|))); inf where anything is not finite.

        DOP853 has two estimates, of order 5 and 3, and takes e5^2 / sqrt(e5^2 + 0.01 e3^2), of order 7.
        Hairer, Norsett, Wanner, Solving ODEs I, section II.10, eq. (10.17).
        """
        norm, b_err3 = self.control.norm, step.scheme.tableau.b_err3
        scale = self.control.atol + self.control.rtol * np.maximum(np.abs(step.z), np.abs(step.z_next))
        error = norm(step.error / scale)
        if b_err3 is not None and error > 0:
            error3 = norm(step.combine(b_err3, step.k) / scale)
            error *= error / math.hypot(error, 0.1 * error3)
        return error if math.isfinite(error) and is_finite(step.z_next) else math.inf


def initial_step(control, scheme, z, slope, ts):
    """A first step length from the sizes of z, dz/dt and d^2z/dt^2: an Euler step of 1 % of |z| / |dz/dt| tells
    the curvature; the step then makes h^(p+1) max(|dz/dt|, |d^2z/dt^2|) = 0.01, with p the order of the error estimate.
    Hairer, Norsett, Wanner, Solving ODEs I, section II.4, "Starting step size".
    """
    t0, span = float(ts[0]), float(ts[-1] - ts[0])
    scale = control.atol + control.rtol * np.abs(z)
    d0, d1 = control.norm(z / scale), control.norm(slope / scale)
    h0 = 1e-6 if d0 < 1e-5 or d1 < 1e-5 else 0.01 * d0 / d1
    h0 = min(h0, abs(span), control.max_step)
    h = math.copysign(h0, span)
    slope_after = np.empty_like(z)
    scheme.field(z + z.dtype.type(h) * slope, t0 + h, slope_after)
    scheme.evals += 1
    d2 = control.norm((slope_after - slope) / scale) / h0
    d = max(d1, d2)
    h1 = max(1e-6, h0 * 1e-3) if d <= 1e-15 else (0.01 / d) ** (1 / (scheme.error_order + 1))
    return min(100 * h0, h1, abs(span)) if math.isfinite(h1) else h0


def is_count(n):
    """A whole number, >= 1."""
    return isinstance(n, Real) and math.isfinite(n) and int(n) == n and n >= 1


def is_length(h):
    """A finite number, > 0."""
    return isinstance(h, Real) and 0 < h < math.inf
