"""Algorithm 2 with switches: right as it stands, and wrong in every way that is often found.

Each mistake in an adjoint leaves its own wrong numbers. So a wrong gradient can be recognised by comparison:
`name_mistake` computes what each known mistake would give, and names the one that gives the same. The code is written
to be read, not to be fast; the adjoint to use is `gradients.backsolve.Backsolve`.
"""

import numpy as np

from ..solvers.odesolve import odesolve
from ..solvers.solver import dop853

SOLVER = dop853(rtol=1e-6, atol=1e-8)  # its errors are far below the differences between the mistakes


def algorithm2(z0, f, ts, theta, a_zs, solver=SOLVER, **mistakes):
    """dL/dz0, dL/dts and dL/dtheta by Algorithm 2: solve [z, a, a_theta, a_t] back from t_N to t_0.

        da/dt = -a df/dz,  da_theta/dt = -a df/dtheta,  da_t/dt = -a df/dt          eq. (50), interval by interval
        at t_i:  a jumps by dL/dz(t_i),  a_t by -dL/dt_i = -dL/dz(t_i).f            t_N included; a_t not at t_0

    Arguments:
        z0        (B, ..., D) or (D,); leading axes are a batch
        f         a Dynamics: f(z, t, theta) -> dz, and f.vjp(z, t, theta) -> dz, pullback
        ts        (T,) increasing or decreasing
        theta     (P,)
        a_zs      (T, *z0.shape), the cotangent dL/dzs of the states zs (T, *z0.shape)
        solver    a Solver for all solves
        mistakes  switches, each with its right value here:
            a_sign = theta_sign = t_sign = -1   of  a df/dz, a df/dtheta, a df/dt  in (50)
            boundary = -1     a_t starts at -dL/dt_N, and each observation adds its own (0: dropped; +1: wrong sign)
            t_jump = 1        a_t adds -dL/dt_i at every observation (0: only at t_N, where it starts)
            t_jump0 = 0       a_t does not jump at t_0 (1: it does)
            start = 1         a starts at dL/dz(t_N) (0: at zero)
            jump = jump0 = 1  a jumps by dL/dz(t_i), and by dL/dz(t_0) at the end (0: it does not)
            jump_at = "t_i"   where dL/dz(t_i) is added: "early", an interval before t_i is reached; "late", after the
                              interval that begins at t_i
            carry = 1         a_theta goes on from one interval to the next (0: starts from zero in each)
            f_now = 1         f inside dL/dt_0 is evaluated at t_0 (0: at t_N)
            t_now = 1         f is evaluated at the time of the step (0: always at the t_i where the interval begins)
            z_now = 1         each interval starts from z(t_i) (0: from z(t_(i-1)), where it ends)
            dts = "a f"       dL/dt_i = dL/dz(t_i).f ("-a df/dt": that in its place; "all of a": a(t_i).f)
            mean = 0          a_theta is summed over the batch (1: averaged)
            past = 0          each interval ends on t_i (past > 0: goes on beyond it by that fraction of its length;
                              -2: runs away from it, as with h > 0)

    Returns a_z0 (*z0.shape), a_ts (T,), a_theta (P,). Raises TypeError for a switch that does not exist.

    >>> from odelearn import Dynamics
    >>> f = Dynamics(lambda z, t, theta: theta * z)
    >>> problem = np.array([1.0]), f, np.array([0.0, 1.0]), np.array([-1.0]), np.array([[0.0], [1.0]])
    >>> [x.round(4).tolist() for x in algorithm2(*problem)]        # of L = z(1) = exp(theta)
    [[0.3679], [0.3679, -0.3679], [0.3679]]
    >>> algorithm2(*problem, a_sign=+1)[0].round(4)
    array([2.7183])
    """
    switch = set_switches(RIGHT, mistakes)
    z0, ts, theta = np.asarray(z0, float), np.asarray(ts, float), np.asarray(theta, float)
    zs = odesolve(z0, f, ts, theta, solver).zs
    n, N = z0.size, len(ts) - 1
    a, a_theta, a_t, a_ts = switch["start"] * a_zs[N], np.zeros(theta.size), 0.0, np.zeros(N + 1)

    def dynamics(y, t, _):
        z, a = y[:n].reshape(z0.shape), y[n : 2 * n].reshape(z0.shape)
        dz, pullback = f.vjp(z, t if switch["t_now"] else t_begin, theta)
        a_f_z, a_f_t, a_f_theta = pullback(a)
        signed = switch["a_sign"] * a_f_z.ravel(), switch["theta_sign"] * a_f_theta, [switch["t_sign"] * a_f_t]
        return np.concatenate([dz.ravel(), *signed])

    for i in range(N, 0, -1):
        t_begin = ts[i]
        dz, pullback = f.vjp(zs[i], t_begin, theta)
        dL_dt = {"a f": np.sum(a_zs[i] * dz), "-a df/dt": -pullback(a_zs[i])[1], "all of a": np.sum(a * dz)}
        a_ts[i] = dL_dt[switch["dts"]]
        a_t += switch["boundary"] * dL_dt["a f"] * (1 if i == N else switch["t_jump"])
        a = a + (switch["jump_at"] == "early") * a_zs[i - 1]
        y = np.concatenate([zs[i if switch["z_now"] else i - 1].ravel(), a.ravel(), switch["carry"] * a_theta, [a_t]])
        t_end = ts[i - 1] + switch["past"] * (ts[i - 1] - ts[i])
        y = odesolve(y, dynamics, (t_begin, t_end), None, solver).zs[-1]
        a, a_theta, a_t = y[n : 2 * n].reshape(z0.shape), y[2 * n : -1], y[-1]
        jump = {"t_i": switch["jump" if i > 1 else "jump0"] * a_zs[i - 1], "early": 0.0, "late": a_zs[i]}
        a_before_jump, a = a, a + jump[switch["jump_at"]]
    a_ts[0] = a_t if switch["f_now"] else -np.sum(a_before_jump * f(zs[N], ts[N], theta))
    a_ts[0] -= switch["t_jump0"] * np.sum(a_zs[0] * f(z0, ts[0], theta))
    return a, a_ts, a_theta / (z0[..., 0].size if switch["mean"] else 1)


def set_switches(right, mistakes):
    """All switches, those of `mistakes` at their wrong values. Raises TypeError for one that does not exist."""
    if unknown := [name for name in mistakes if name not in right]:
        raise TypeError(f"no mistake is called {', '.join(unknown)}; the switches are {', '.join(right)}")
    return {**right, **mistakes}


# fmt: off
RIGHT = dict(
    a_sign=-1, theta_sign=-1, t_sign=-1, boundary=-1, t_jump=1, t_jump0=0, start=1, jump=1, jump0=1, jump_at="t_i",
    carry=1, f_now=1, t_now=1, z_now=1, dts="a f", mean=0, past=0,
)

KNOWN_MISTAKES = {  # name: (the switches, what to do about it)
    "boundary term dropped": (
        dict(boundary=0),
        "a_t starts at -dL/dt_N, not at 0 (Algorithm 2): with H = a.f, a_t = -H all the way to dL/dt_0 = -H(t_0)"),
    "boundary term with the wrong sign": (
        dict(boundary=+1),
        "a_t starts at -dL/dt_N, not at +dL/dt_N (Algorithm 2): with H = a.f, a_t = -H, so dL/dt_0 = -H(t_0)"),
    "a_t does not jump": (
        dict(t_jump=0),
        "where a jumps by dL/dz(t_i), H = a.f jumps by dL/dt_i, and a_t = -H by minus that; only not at t_0"),
    "a_t jumps at t_0 too": (
        dict(t_jump0=1),
        "dL/dt_0 = -a.f with the a before its jump at t_0: z(t_0) = z0 is held, so what the loss sees of it directly "
        "does not depend on t_0"),
    "stale f in dL/dt_0": (
        dict(f_now=0),
        "dL/dt_0 = -a(t_0).f(z(t_0), t_0, theta), with f where and when the solve starts, not the f of t_N"),
    "stale time": (
        dict(t_now=0),
        "f is evaluated at the t where the interval begins, all the way; hand on the t of each step"),
    "z of the wrong end": (
        dict(z_now=0),
        "the solve from t_i back to t_(i-1) starts from z(t_i), not from z(t_(i-1))"),
    "dropped jump": (
        dict(jump=0),
        "the loss looks at z(t_i) directly, so at each observation a = a + dL/dz(t_i)"),
    "dropped jump at t_0": (
        dict(jump0=0),
        "the loss may look at z(t_0) too: the last thing to add is dL/dz(t_0)"),
    "all jumps dropped": (
        dict(jump=0, jump0=0),
        "only the loss at t_N has reached the adjoint; on the way back add dL/dz(t_i) at each t_i, t_0 among them"),
    "dL/dz(t_N) forgotten": (
        dict(start=0),
        "a starts at dL/dz(t_N), not at zero"),
    "jump on the wrong side of the interval": (
        dict(jump_at="late", start=0),
        "a is solved back from t_i to t_(i-1) after dL/dz(t_i) has been added, not before; at the end add dL/dz(t_0)"),
    "jump an interval too early": (
        dict(jump_at="early"),
        "dL/dz(t_i) is added when a has arrived at t_i, not before the solve from t_(i+1) to t_i"),
    "jump by another observation's dL/dz": (
        dict(jump_at="late"),
        "when a has arrived at t_(i-1), add dL/dz(t_(i-1)), not dL/dz(t_i) again"),
    "sign of da/dt": (
        dict(a_sign=+1),
        "da/dt = -a df/dz, eq. (35); the minus stays when time runs backwards, because h is negative there"),
    "sign of a_theta": (
        dict(theta_sign=+1),
        "da_theta/dt = -a df/dtheta, eq. (50); the minus stays when time runs backwards"),
    "sign of a_t": (
        dict(t_sign=+1),
        "da_t/dt = -a df/dt, eq. (50); the minus stays when time runs backwards"),
    "solved away from t_(i-1)": (
        dict(past=-2),
        "from t_i to t_(i-1) every h is t_(i-1) - t_i or a part of it, with its sign; no abs(h), no sorted ts"),
    "dL/dt_i = -a df/dt": (
        dict(dts="-a df/dt"),
        "z(t_i) moves with velocity f, so dL/dt_i = dL/dz(t_i).f, eq. (52); a df/dt belongs in the integral"),
    "dL/dt_i with all of a": (
        dict(dts="all of a"),
        "dL/dt_i = dL/dz(t_i).f for i > 0: only what the loss sees at t_i moves with t_i, later observations do not"),
    "a_theta forgotten between intervals": (
        dict(carry=0),
        "every interval adds to dL/dtheta: go on from the a_theta that the interval before has left"),
    "averaged over the batch": (
        dict(mean=1),
        "the gradient of theta is the sum over the batch; a mean belongs in the loss, if anywhere"),
}
# fmt: on


def name_mistake(found, right, *problem, close=0.05):
    """(name, advice) of the known mistake that gives the wrong gradients `found`, or None.

    Arguments:
        found    a_z0, a_ts, a_theta; items that are None are not looked at
        right    the true gradients, in the same order
        problem  z0, f, ts, theta, a_zs, as for algorithm2
        close    largest relative error to be called the same; 5 %, since the solver behind `found` may be a coarse one
    """
    found, right = list(found), list(right)
    gaps = {}
    for name, (switches, _) in KNOWN_MISTAKES.items():
        gaps[name] = relative_gap(found, algorithm2(*problem, **switches))
    name = min(gaps, key=gaps.get)
    if gaps[name] < min(close, 0.5 * relative_gap(found, right)):
        return name, KNOWN_MISTAKES[name][1]
    return name_overrun(found, right, problem) or name_missing_h(found, right, problem, close)


def name_overrun(found, right, problem, small=0.01):
    """Whether `found` is what a solve gives that runs beyond the end of each interval by some fraction of it.

    To first order in the fraction it adds  fraction * direction;  least squares tells how much of that is in `found`.
    """
    items = [i for i, x in enumerate(found) if x is not None]
    flat = lambda gradients: np.concatenate([np.ravel(gradients[i]) / np.max(np.abs(right[i])) for i in items])
    direction = (flat(algorithm2(*problem, past=small)) - flat(right)) / small
    error = flat(found) - flat(right)
    fraction = error.dot(direction) / direction.dot(direction)
    if fraction > 0 and np.linalg.norm(error - fraction * direction) < 0.3 * np.linalg.norm(error):
        return "one step too many", (
            f"it looks as if each interval went on for {fraction:.1%} of its length beyond t_i. n steps of "
            "(t_i - t_(i+1)) / n end on t_i"
        )


def name_missing_h(found, right, problem, close):
    """Whether a_theta alone is wrong, and made of the two intervals of the problem in inverse proportion to their h.

    Without h an interval of n steps of length h = span / n adds 1 / h times its part of the integral (51).
    """
    a_theta = found[2]
    if a_theta is None or relative_gap([*found[:2], None], right) > close:
        return None
    part_0 = algorithm2(*problem, carry=0)[2]  # of the interval that begins at t_0
    parts, spans = np.stack([part_0, right[2] - part_0]), np.diff(problem[2])
    weights, *_ = np.linalg.lstsq(parts.T, a_theta, rcond=None)
    n, other = np.abs(weights * spans)
    if n > 0.5 and abs(other - n) < close * n and relative_gap([weights @ parts], [a_theta]) < close:
        return "missing h in a_theta", (
            f"each step adds h a df/dtheta, not a df/dtheta; the numbers are those of about {n:.0f} steps an interval"
        )


def relative_gap(found, right):
    """The largest error of any item, relative to the size of that item. Items that are None are not looked at."""
    pairs = [(np.asarray(x), np.asarray(r)) for x, r in zip(found, right, strict=True) if x is not None]
    return max((float(np.max(np.abs(x - r)) / np.max(np.abs(r))) for x, r in pairs), default=0.0)
