"""Events: the moments on the way at which a function of the state becomes zero."""

import math
from collections import namedtuple
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from .dense_output import Observations
from .solver import states_like, steps
from .step_size import AdaptiveSteps

Crossing = namedtuple("Crossing", "t z")  # when an event occurred, and the state then


@dataclass(frozen=True)
class Event:
    """g(z(t), t, theta) = 0, where g(z, t, theta) is one real number and continuous in t.

    terminal   the solve ends where it occurs first
    direction  +1: only where g rises through zero as the solve goes on, be that back in time; -1: only where it falls;
               0: either

    g is evaluated four times a step, on the dense output. A zero is found between two evaluations of opposite signs.
    Two zeros between two evaluations are not found (max_step brings them closer), nor is one that g only touches. A
    zero at the start does not count: g must have left it first.

    Raises TypeError or ValueError for a g that cannot be called, another direction, and, in the solve, for a value of g
    that is not one finite real number.

    >>> from odelearn import odesolve
    >>> ball = lambda z, t, theta: np.array([z[1], -9.81])
    >>> fall = odesolve([0.0, 2.0], ball, (0.0, 9.0), event=Event(lambda z, t, theta: z[0]))
    >>> float(fall.ts[-1].round(6))                                                 # 2 v / g seconds
    0.407747
    """

    g: callable
    terminal: bool = True
    direction: int = 0

    def __post_init__(self):
        if not callable(self.g):
            raise TypeError(f"an Event takes a function g(z, t, theta), got {type(self.g).__name__}")
        if self.direction not in (-1, 0, 1):
            raise ValueError(f"direction must be -1, 0 or 1, got {self.direction}")

    def value(self, z, t, theta):
        if isinstance(z, np.ndarray):  # and not a scalar, which cannot be written to
            z = z.view()
            z.flags.writeable = False
        try:
            g = self.g(z, t, theta)
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            raise ValueError(
                "g(z, t, theta) of an Event changed its argument z in place (z += ...); compute in a new array"
            ) from error
        if isinstance(g, bool | np.bool):
            raise TypeError(
                "g(z, t, theta) of an Event must be a number that passes through zero, got a boolean: write z[0] - 0.5 "
                "in the place of z[0] < 0.5"
            )
        if np.ndim(g) or np.iscomplexobj(g):
            raise TypeError(f"g(z, t, theta) of an Event must be one real number, got {g!r}")
        if not math.isfinite(g):
            raise ValueError(f"g(z, t, theta) of an Event must be finite, got {g} at t = {t:.6g}")
        return float(g)


def as_events(event):
    """A list of Events, from None, one Event, or several."""
    events = [] if event is None else list(event) if isinstance(event, list | tuple) else [event]
    for event in events:
        if not isinstance(event, Event):
            raise TypeError(f"event must be an Event(lambda z, t, theta: ...) or a list of them, got {event!r}")
    return events


def solve_with_events(stepper, z0, ts, watches):
    """(ts, zs, steps): the observations on the way, and the accepted steps as (i, step).

    A terminal event is the last observation, later ones are dropped.
    """
    if len(ts) > 2 and getattr(stepper, "dense", False):
        return solve_dense_with_events(stepper, z0, ts, watches)
    z, times, zs, kept = z0, [ts[0]], [z0], []
    for i, (t, t_end) in enumerate(pairwise(ts.tolist())):
        for step in steps(stepper, z, t, t_end):
            step, ended = through(step, watches)
            kept.append((i, step))
            if ended:
                break
        z = step.z_next
        times.append(step.t_next)
        zs.append(z)
        if ended:
            break
    return np.array(times), np.stack(zs), kept


def solve_dense_with_events(stepper, z0, ts, watches):
    """The same for a solver with dense=True, whose steps go from ts[0] to ts[-1]."""
    observations, zs, kept = Observations(ts), states_like(z0, ts), []
    zs[0] = z0
    for step in steps(stepper, z0, float(ts[0]), float(ts[-1])):
        step, ended = through(step, watches)
        observations.read(step, zs)
        kept.append((0, step))
        if ended:
            break
    reached = observations.inside(step).stop
    reached -= ts[reached - 1] == step.t_next  # the event occurred at an observation
    return np.append(ts[:reached], step.t_next), np.stack([*zs[:reached], step.z_next]), kept


def without_horizon(solver, events):
    """The solver, with a terminal event without `patience`: ts[-1] may be far away, but the event may come soon."""
    if any(event.terminal for event in events) and isinstance(solver.control, AdaptiveSteps):
        return replace(solver, control=replace(solver.control, patience=math.inf))
    return solver


LOOKS = 0.25, 0.5, 0.75, 1.0  # where in a step g is looked at


class Watch:
    """One event during one solve: the sign that g had last, and the Crossings found."""

    def __init__(self, event, z0, t0, theta):
        self.event, self.theta = event, theta
        self.g, self.at_start = event.value(z0, float(t0), theta), True
        self.found = []

    def brackets(self, looks):
        """(a, b, g(a), g(b)), in fractions of the step, for each passage through zero in the event's direction."""
        gs = [self.at(look) for look in looks]
        if self.at_start and abs(self.g) <= math.sqrt(np.finfo(looks[0].z.dtype).eps) * max(map(abs, gs)):
            self.g = 0.0  # it is zero but for round-off: another solve may have ended here
        self.at_start = False
        for a, b, g_b in zip((0.0, *LOOKS), LOOKS, gs, strict=False):
            g_a, self.g = self.g, g_b
            if g_a != 0 and g_a * g_b <= 0 and g_a * self.event.direction <= 0:
                yield a, b, g_a, g_b

    def at(self, point):
        return self.event.value(point.z, point.t, self.theta)


def inside(step, x):
    """(t, z) at a fraction x of the step, from its dense output."""
    return Crossing(step.t_next, step.z_next) if x == 1 else Crossing(t := step.t + x * step.h, step(t))


def shortened(step, x):
    """The step from the same start that is only a fraction x as long."""
    return step if x == 1 else step.until(step.t + x * step.h)


def through(step, watches):
    """The step and False; or, if a terminal event occurs in it, the step cut short there and True.

    A zero is found on the dense output, to round-off. A terminal one is found once more, as a zero of g at the end of
    a shorter step: so the last state is as accurate as any other observation, and the steps can be replayed.
    """
    resolution = max(math.ulp(step.t), math.ulp(step.t_next)) / abs(step.h)
    looks, zeros = [inside(step, x) for x in LOOKS], []
    for watch in watches:
        for bracket in watch.brackets(looks):
            x = zero(lambda x, watch=watch: watch.at(inside(step, x)), *bracket, resolution)
            zeros.append((x, watch.event.terminal, watch, bracket))
    for x, terminal, watch, bracket in sorted(zeros, key=lambda found: found[:2]):
        if terminal:
            x = zero(lambda x, watch=watch: watch.at(inside(shortened(step, x), 1)), *bracket, resolution)
            last = shortened(step, x)
            watch.found.append(inside(last, 1))
            return last, True
        watch.found.append(inside(step, x))
    return step, False


def zero(g, a, b, g_a, g_b, resolution):
    """The first b at which g has changed its sign, or is zero, found to the resolution; g_a g_b <= 0 to begin with.

    The secant rule, nudged towards the middle so that the bracket [a, b] closes from both sides: for a smooth g its
    width is squared again and again. Where a secant does not halve the bracket, the next step does, so that no g takes
    more than twice the evaluations of bisection. After Dekker 1969.
    """
    width, halved = b - a, True
    while b - a > resolution:
        before, middle, secant = b - a, (a + b) / 2, (g_b * a - g_a * b) / (g_b - g_a)
        nudge = max(0.1 * before**2 / width, resolution / 2)
        x = secant + math.copysign(min(nudge, abs(middle - secant)), middle - secant) if halved else middle
        g_x = g(x)
        a, b, g_a, g_b = (x, b, g_x, g_b) if g_x * g_a > 0 else (a, x, g_a, g_x)
        halved = b - a <= before / 2
    return b
