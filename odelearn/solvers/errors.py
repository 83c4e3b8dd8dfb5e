"""Failures that teach: what a solve says when it cannot go on.

A message says what happened and where (the time, the step, the component and its value), then the likely cause, with a
number to it, and what to do. It is worked out when all is over, from the last step and a few more values of f.
"""

import numpy as np


class SolverError(RuntimeError):
    """The solve cannot go on. The message names the time, the step and the component, and says what to do."""


class MethodError(TypeError):
    """A gradient method cannot work with this solver. The message says which methods can."""


# ---- what happened


def non_finite_start(dz, t):
    return SolverError(
        f"f is not finite at the start: {component('dz/dt', dz, bad(dz))} at t = {t:.6g}. Look at f(z0, ts[0], theta)"
    )


def non_finite(step, number, before):
    """The first thing in a step that is not finite: a slope k_i = f(Z_i, t_i, theta), or else the new state."""
    where = f"in step {number} of length h = {step.h:.3g}. {why_not_finite(step, before)}"
    for i, k_i in enumerate(step.k):
        if not np.isfinite(k_i).all():
            t, at = step.t + step.scheme.nodes[i] * step.h, bad(k_i)
            slope, stage = component("dz/dt", k_i, at), component("z", stage_point(step, i), at)
            return SolverError(f"f is not finite: {slope} at t = {t:.6g}, where {stage}, {where}")
    state = component("z", step.z_next, bad(step.z_next))
    return SolverError(f"the state is not finite: {state} at t = {step.t_next:.6g}, {where}")


def step_underflow(step, number, error, smallest, min_step):
    """The error estimate exceeds the tolerance however short the step."""
    worst = largest(step.error)
    what = (
        f"the step size fell to h = {step.h:.3g} at t = {step.t:.6g} in step {number}, and still the error is "
        f"{error:.3g} times the tolerance, most of it in {component('z', step.z, worst)}. "
    )
    if smallest == min_step:
        return SolverError(f"{what}min_step = {min_step:g} forbids shorter ones: lower it, or loosen rtol and atol")
    if grows_within(1000 * step.h, step.z, step.k[0]):
        return SolverError(what + blow_up(step.z, step.k[0], step.t))
    return SolverError(
        f"{what}{component('dz/dt', step.k[0], worst)}: f seems to be singular there, or to jump, since no step is "
        "short enough to see it smooth. Stop before that (ts, or an Event), or write f so that it stays finite"
    )


def too_many_steps(step, attempts, max_steps, t, t_last, rest):
    """Out of steps; or sure to run out: at the present pace t_last is `rest` more attempts away."""
    made = f"max_steps = {attempts}" if attempts == max_steps else f"{attempts} of max_steps = {max_steps}"
    return SolverError(
        f"{made} attempts led only to t = {t:.6g} of {t_last:.6g}, the last of length h = {step.h:.3g}, with most of "
        f"the error in {component('z', step.z, largest(step.error))}. At this pace the rest takes {rest:.2g} more. "
        f"{why_so_many(step, t_last - t)}"
    )


# ---- why, and what to do


def why_not_finite(step, before):
    """before: the attempt before, or None; what to look at if the step did not even begin with a finite slope."""
    if not np.isfinite(step.k[0]).all():
        if before is None:
            return "Look at f there"
        step = before.again()
    if h_lambda(step) < -stability_limit(step.scheme.tableau):
        return "The steps are too long: " + unstable(step)
    if grows_within(step.h, step.z, step.k[0]) or np.abs(step.z).max() > HUGE:
        return blow_up(step.z, step.k[0], step.t)
    return (
        f"Until then z was harmless, max|z| = {np.abs(step.z).max():.3g}, so look at f: a division by zero, a root or "
        "a logarithm of what has become negative, an overflow"
    )


def why_so_many(step, time_left):
    if is_stiff(step):
        return "The problem is stiff: " + unstable(step)
    if grows_within(time_left / 1000, step.z, step.k[0]) and grows_ever_faster(step):
        return blow_up(step.z, step.k[0], step.t)
    return accurate(step)


def unstable(step):
    x, end, name = h_lambda(step), stability_limit(step.scheme.tableau), step.scheme.tableau.name
    return (
        f"deviations decay at the rate lambda = {x / step.h:.3g}, but {name} is stable for h lambda in [-{end:.3g}, 0] "
        f"only (now {x:.3g}), so for h up to {abs(step.h * end / x):.2g}, whatever the tolerance. Implicit methods "
        'have no such limit: odelearn.scipy_solver("Radau"), or "LSODA"; then take gradients by '
        "Interpolating(), since Backsolve() solves for z backwards, where deviations grow"
    )


def accurate(step):
    x, end, name = h_lambda(step), stability_limit(step.scheme.tableau), step.scheme.tableau.name
    return (
        f"It is not stiff (h lambda = {x:.2g}, where {name} is stable down to -{end:.3g}): accuracy asks for so short "
        "steps. Loosen rtol and atol, take a higher order (dop853), or raise max_steps"
    )


def blow_up(z, dz, t):
    at, end = largest(z), t + time_to_infinity(z, dz)
    return (
        f"The solution blows up: {component('z', z, at)} and {component('dz/dt', dz, at)} at t = {t:.6g}; if it goes "
        f"on like y' = y^2, it is infinite at t = {end:.6g}. Stop before that (ts, or an Event), or look for a wrong "
        "sign in f"
    )


# ---- the numbers


HUGE = 1e30  # a state that has grown so far is not going to stop
PROBES = 4  # values of f that h_lambda takes


def h_lambda(step):
    """h lambda, where lambda is the largest eigenvalue of df/dz: its real part, by the power method.

    v <- J v  with  J v = (f(z + small v) - f(z)) / small,  and  lambda = v.Jv / v.v.  To begin with, v = k_s - k_1, in
    which f has been applied s times: where f is stiff, most of it is in that eigenspace already.
    """
    z, k1, k = step.z, step.k[0], np.empty_like(step.z)
    small = float(np.sqrt(np.finfo(z.dtype).eps) * (np.abs(z).max() or 1))
    v, rate = step.k[-1] - k1, 0.0
    v = v if usable(v) else np.ones_like(z)
    for _ in range(PROBES):
        v = v / np.abs(v).max()
        step.scheme.field(z + small * v, step.t, k)
        step.scheme.evals += 1
        Jv = (k - k1) / small
        if usable(Jv):
            rate, v = float(np.vdot(v, Jv).real / np.vdot(v, v).real), Jv
    return step.h * rate


def usable(v):
    return np.isfinite(v).all() and v.any()


def stability_limit(tableau):
    """The largest x with |R(-x)| <= 1 all the way from 0, where z_next = R(h lambda) z for z' = lambda z.

    R(x) = 1 + sum_i x^i b A^(i-1) 1.  Hairer, Wanner, Solving ODEs II, section IV.2.
    """
    x, R, A_1 = np.arange(2000) / 100, 1.0, np.ones(tableau.stages)
    for i in range(1, tableau.stages + 1):
        R = R + (-x) ** i * tableau.b.dot(A_1)
        A_1 = tableau.A.dot(A_1)
    return float(x[np.argmax(np.abs(R) > 1) - 1])


def is_stiff(step):
    """Whether stability, not accuracy, keeps the step short: h lambda is about as low as it may be."""
    return h_lambda(step) < -stability_limit(step.scheme.tableau) / 2


def time_to_infinity(z, dz):
    """z / z' of the largest component: for y' = y^2, 1/y falls at the rate 1, and is 0 at t + y / y'."""
    rate = (dz / z)[largest(z)].real
    return 1 / rate if rate else np.inf


def grows_ever_faster(step):
    """Whether the time to infinity shrinks: it falls by h in a step for y' = y^2, is constant for y' = y, and grows for
    y = sin t."""
    change = time_to_infinity(step.z_next, step.k[-1]) - time_to_infinity(step.z, step.k[0])
    return change / step.h < -0.1


def grows_within(duration, z, dz):
    return 0 < time_to_infinity(z, dz) / duration < 1


# ---- names


def stage_point(step, i):
    """Z_i, where the slope k_i was evaluated."""
    return step.z if i == 0 else step.z + step.combine(step.scheme.tableau.A[i, :i], step.k[:i])


def component(name, x, at):
    """One component of x, with its value: z[1, 0] = 3.2."""
    place = f"[{', '.join(str(int(i)) for i in at)}]" if x.ndim else ""
    return f"{name}{place} = {x[at]:.6g}"


def bad(x):
    """The first place where x is not finite."""
    return tuple(np.argwhere(~np.isfinite(x))[0])


def largest(x):
    """The place where |x| is largest."""
    return np.unravel_index(np.abs(x).argmax(), x.shape)
