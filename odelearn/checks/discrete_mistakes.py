"""The chain rule back through every step of a solver, with switches: right as it stands, and wrong in known ways.

This is for exercises that ask for the gradient of the computed numbers (`check_adjoint(..., exact=solver)`). Many of
these mistakes vanish with h: only a comparison to round-off finds them.
"""

import numpy as np

from ..solvers.odesolve import odesolve
from .known_mistakes import relative_gap, set_switches


def discrete_adjoint(z0, f, ts, theta, a_zs, solver, **mistakes):
    """dL/dz0, dL/dts and dL/dtheta of the numbers that `solver` computes, by the chain rule (36) through every step.

        stage i:   Z_i = z_n + h sum_j A_ij k_j,   k_i = f(Z_i, t_n + c_i h, theta);    z_(n+1) = z_n + h sum_i b_i k_i
        back:      a_k_i = h b_i a_(n+1) + h sum_j A_ji a_Z_j,   a_Z_i = a_k_i df/dz;   a_n = a_(n+1) + sum_i a_Z_i

    and a_theta += a_k_i df/dtheta. The mesh is t_n = ts[i] + s_n (ts[i+1] - ts[i]) with s_n held constant.

    Arguments: those of `algorithm2`; `solver` is a Solver, and `mistakes` are switches, here at their right values:
            a_sign = theta_sign = 1   of a_Z in a_n, of a_k df/dtheta in a_theta
            a_h = theta_h = 1         a factor h in what is added to a, to a_theta (0: without it)
            start = 1                 a starts at dL/dz(t_N) (0: at zero)
            jump = jump0 = 1          a jumps by dL/dz(t_i) in between, and at t_0 (0: it does not)
            jump_at = "t_i"           where dL/dz(t_i) is added ("early", "late": as in algorithm2)
            carry = 1                 a_theta goes on from one interval to the next (0: starts from zero in each)
            a_of = "n+1"              the a that goes into a_theta ("n": that after the step back)
            z_of = "n"                the state that df/dz and df/dtheta belong to ("n+1": that at the end of the step)
            t_of = "n"                the time they belong to ("n+1": that of the end; "ts[i]": that of the interval)
            chain = 1                 earlier stages feel later ones (0: a_k_i = h b_i a_(n+1))
            mesh = 1                  h depends on ts (0: only the times t_n do)
            mean = 0                  a_theta is summed over the batch (1: averaged)

    Returns a_z0 (*z0.shape), a_ts (T,), a_theta (P,). Raises TypeError for a switch that does not exist.
    """
    switch = set_switches(RIGHT, mistakes)
    N, sign, tableau = len(ts) - 1, np.sign(ts[-1] - ts[0]), solver.tableau
    a, a_theta, a_ts = switch["start"] * a_zs[N], np.zeros(theta.size), np.zeros(N + 1)
    steps = odesolve(z0, f, ts, theta, solver).steps
    interval_of = lambda step: np.searchsorted(sign * ts, sign * (step.t + step.h / 2)) - 1
    for i in reversed(range(N)):
        a = a + find_jump(switch, a_zs, i + 1) + (switch["jump_at"] == "early") * a_zs[i]
        a_theta, span = switch["carry"] * a_theta, ts[i + 1] - ts[i]
        for step in reversed([step for step in steps if interval_of(step) == i]):
            stages = evaluate_stages(step, f, theta, tableau, switch, ts[i])
            a_next = a
            a, a_t, a_h, part = step_back(stages, step, tableau, a_next, switch)
            if switch["a_of"] == "n":
                *_, part = step_back(stages, step, tableau, a, switch)
            a_theta = a_theta + switch["theta_sign"] * part / (1 if switch["theta_h"] else step.h)
            before, length = (step.t - ts[i]) / span, switch["mesh"] * step.h / span  # as fractions of the interval
            a_ts[i] += (1 - before) * a_t - length * a_h
            a_ts[i + 1] += before * a_t + length * a_h
    return a + find_jump(switch, a_zs, 0), a_ts, a_theta / (z0[..., 0].size if switch["mean"] else 1)


def find_jump(switch, a_zs, i):
    """What is added to a when it has arrived at ts[i]; nothing at ts[N], where it starts."""
    if i == len(a_zs) - 1 or switch["jump_at"] == "early":
        return 0.0
    return a_zs[i + 1] if switch["jump_at"] == "late" else switch["jump" if i else "jump0"] * a_zs[i]


def evaluate_stages(step, f, theta, tableau, switch, t_begin):
    """(k_i, pullback_i) of every stage of a step."""
    z = step.z if switch["z_of"] == "n" else step.z_next
    t = {"n": step.t, "n+1": step.t + step.h, "ts[i]": t_begin}[switch["t_of"]]
    stages = []
    for A_i, c_i in zip(tableau.A, tableau.c, strict=True):
        Z = z + step.h * sum((A_ij * k_j for A_ij, (k_j, _) in zip(A_i, stages, strict=False)), np.zeros_like(z))
        stages.append(f.vjp(Z, t + float(c_i) * step.h, theta))
    return stages


def step_back(stages, step, tableau, a_next, switch):
    """From a_(n+1): a_n, the cotangents of t_n and of h, and the step's part of a_theta."""
    A, b, h = tableau.A, tableau.b, step.h
    a_Z, a_theta, a_t, a_h = [None] * len(b), 0.0, 0.0, 0.0
    for i in reversed(range(len(b))):
        k, pullback = stages[i]
        later = sum((A[j, i] * a_Z[j] for j in range(i + 1, len(b))), np.zeros_like(a_next))
        a_k = h * (b[i] * a_next + switch["chain"] * later)
        a_Z[i], a_tau, part = pullback(a_k)
        a_theta, a_t = a_theta + part, a_t + a_tau
        a_h += tableau.c[i] * a_tau + np.sum(k * a_k) / h
    return a_next + switch["a_sign"] * sum(a_Z) / (1 if switch["a_h"] else h), a_t, a_h, a_theta


# fmt: off
RIGHT = dict(
    a_sign=1, theta_sign=1, a_h=1, theta_h=1, start=1, jump=1, jump0=1, jump_at="t_i", carry=1,
    a_of="n+1", z_of="n", t_of="n", chain=1, mesh=1, mean=0,
)

DISCRETE_MISTAKES = {  # name: (the switches, what to do about it)
    "sign of a df/dz": (
        dict(a_sign=-1),
        "a step is z + h f, so a_n = a_(n+1) + h a_(n+1) df/dz, with a plus, in both directions of time"),
    "sign of a_theta": (
        dict(theta_sign=-1),
        "a step is z + h f, so it adds + h a_(n+1) df/dtheta to a_theta, in both directions of time"),
    "both signs": (
        dict(a_sign=-1, theta_sign=-1),
        "a step is z + h f, so both cotangents come with a plus; the minus of eq. (35) belongs to a solve backwards"),
    "missing h in a": (
        dict(a_h=0),
        "a step is z + h f, so a_n = a_(n+1) + h a_(n+1) df/dz"),
    "missing h in a_theta": (
        dict(theta_h=0),
        "a step is z + h f, so it adds h a_(n+1) df/dtheta to a_theta"),
    "missing h in both": (
        dict(a_h=0, theta_h=0),
        "a step is z + h f, so both cotangents come with a factor h"),
    "a_n for a_(n+1) in a_theta": (
        dict(a_of="n"),
        "the step's part of dL/dtheta uses a_(n+1), the a before the update: call pullback(a) once for both"),
    "df/dz at z_(n+1)": (
        dict(z_of="n+1", t_of="n+1"),
        "the step evaluated f at (z_n, t_n), so its derivatives belong there; keep z_n or the pullback of every step"),
    "df/dz at z_(n+1), with t_n": (
        dict(z_of="n+1"),
        "the step evaluated f at z_n, so its derivatives belong there; keep z_n or the pullback of every step"),
    "t_(n+1) for t_n": (
        dict(t_of="n+1"),
        "the step evaluated f at t_n, so its derivatives belong there"),
    "stale time": (
        dict(t_of="ts[i]"),
        "every step has its own t_n = ts[i] + n h; here all steps of an interval use the t where it begins"),
    "dL/dz(t_N) forgotten": (
        dict(start=0),
        "a starts at dL/dz(t_N), not at zero"),
    "dropped jump": (
        dict(jump=0),
        "the loss looks at z(t_i) directly, so at each observation a = a + dL/dz(t_i)"),
    "dropped jump at t_0": (
        dict(jump0=0),
        "the loss may look at z(t_0) too: the last thing to add is dL/dz(t_0)"),
    "all jumps dropped": (
        dict(jump=0, jump0=0),
        "only the loss at t_N has reached the adjoint; on the way back add dL/dz(t_i) at each t_i, t_0 among them"),
    "jump on the wrong side of the interval": (
        dict(jump_at="late", start=0),
        "first add dL/dz(t_(i+1)), then go back through the steps from t_i to t_(i+1); at the end add dL/dz(t_0)"),
    "jump an interval too early": (
        dict(jump_at="early"),
        "dL/dz(t_i) is added when a has arrived at t_i, not before the steps from t_(i+1) to t_i"),
    "jump by another observation's dL/dz": (
        dict(jump_at="late"),
        "when a has arrived at t_i, add dL/dz(t_i), not dL/dz(t_(i+1)) again"),
    "a_theta forgotten between intervals": (
        dict(carry=0),
        "every interval adds to dL/dtheta: go on from the a_theta that the interval before has left"),
    "stages not chained": (
        dict(chain=0),
        "a later stage used k_i, too: a_k_i = h b_i a_(n+1) + h sum_j A_ji a_Z_j"),
    "h does not move with ts": (
        dict(mesh=0),
        "h = (ts[i+1] - ts[i]) / n depends on both ends of the interval, so dL/dh is a part of dL/dts"),
    "averaged over the batch": (
        dict(mean=1),
        "the gradient of theta is the sum over the batch; a mean belongs in the loss, if anywhere"),
}
# fmt: on


@np.errstate(all="ignore")  # without its h a sum may overflow
def name_discrete_mistake(found, right, *problem, close=1e-7):
    """(name, advice) of the known mistake that gives the wrong gradients `found` to round-off, or None.

    Arguments as for `name_mistake`; problem: z0, f, ts, theta, a_zs, solver.
    """
    found, right = list(found), list(right)
    for name, (switches, advice) in DISCRETE_MISTAKES.items():
        wrong = discrete_adjoint(*problem, **switches)
        if relative_gap(found, wrong) < close < relative_gap(found, right):
            return name, advice
    return None
