"""Failures that teach: what a solve says when it cannot go on."""

import numpy as np


class SolverError(RuntimeError):
    """The solve cannot go on. The message names the time, the step and the component, and says what to do."""


def non_finite(step, number):
    """The first thing in a step that is not finite: a slope k_i = f(Z_i, ...), or else the new state."""
    for i, k_i in enumerate(step.k):
        if not np.isfinite(k_i).all():
            t = step.t + step.scheme.nodes[i] * step.h
            return SolverError(f"f is not finite: {component('dz/dt', k_i)} at t = {t:.6g}, {in_step(step, number)}")
    return SolverError(
        f"the state is not finite: {component('z', step.z_next)} at t = {step.t_next:.6g}, {in_step(step, number)}"
    )


def non_finite_start(dz, t):
    return SolverError(
        f"f is not finite at the start: {component('dz/dt', dz)} at t = {t:.6g}. Look at f(z0, ts[0], theta)"
    )


def in_step(step, number):
    largest = np.abs(step.z).max()
    return (
        f"in step {number} of length h = {step.h:.3g}. The step began with max|z| = {largest:.3g}. If z should stay "
        f"finite, the step is too long for f (take more steps, or tighter tolerances); otherwise the solution blows up"
    )


def component(name, x):
    """The first non-finite component of x, by name, with its value."""
    where = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
    return f"{name}[{', '.join(map(str, where))}] = {x[where]}"


def step_underflow(step, number, error, smallest):
    worst = np.unravel_index(np.abs(step.error).argmax(), step.z.shape)
    return SolverError(
        f"the step size fell to h = {step.h:.3g} at t = {step.t:.6g} in step {number}, below {smallest:.3g}: the error is still "
        f"{error:.3g} times the tolerance, most of it in z[{', '.join(str(int(i)) for i in worst)}]. "
        f"The solution may blow up or jump there; stop before it, or loosen rtol and atol"
    )


def too_many_steps(max_steps, t, t_end, h):
    return SolverError(
        f"max_steps = {max_steps} attempts led only to t = {t:.6g} of {t_end:.6g}, the last of length h = {h:.3g}. "
        f"Loosen rtol and atol, raise max_steps, or take an implicit solver if the problem is stiff"
    )
