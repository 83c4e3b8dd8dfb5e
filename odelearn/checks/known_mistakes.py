"""Algorithm 2 with switches: right as it stands, and wrong in every way that is found in the wild.

The slips of an adjoint are few, and each leaves its own wrong numbers. So a wrong gradient can be told by comparison:
`what_slip` computes what each slip would give, and names the one that gives the same. Slow and plain on purpose; the
adjoint to use is `gradients.backsolve.Backsolve`.
"""

import numpy as np

from ..solvers.odesolve import odesolve
from ..solvers.solver import dop853

SOLVER = dop853(rtol=1e-6, atol=1e-8)  # far below the differences between the slips


def algorithm2(z0, f, ts, theta, a_zs, solver=SOLVER, **slips):
    """a_z0, a_ts, a_theta: solve [z, a, a_theta, a_t] back from t_N to t_0, interval by interval.

    Each slip is one argument, at its right value here:
        a_sign = theta_sign = t_sign = -1   of  a df/dz, a df/dtheta, a df/dt  in (50)
        boundary = -1      a_t starts at -dL/dt_N, and each observation adds its own (0: dropped; +1: wrong sign)
        t_jump = 1         a_t adds -dL/dt_i at every observation (0: only at t_N, where it starts)
        jump = jump0 = 1   a jumps by dL/dz(t_i), and by dL/dz(t_0) at the end (0: it does not)
        carry = 1          a_theta goes on from one interval to the next (0: starts from zero in each)
        f_now = 1          f inside dL/dt_0 belongs to t_0 (0: stale, it is that of t_N)
        t_now = 1          f is evaluated at the time that it is (0: stale, always at the t_i where the interval begins)
        dts = "a f"        dL/dt_i = dL/dz(t_i).f ("-a df/dt": not that)
        mean = 0           a_theta is summed over the batch (1: averaged)
        past = 0           each interval ends on t_i (past > 0: goes on beyond it by that fraction of its length)
    """
    s = {**RIGHT, **slips}
    z0, ts, theta = np.asarray(z0, float), np.asarray(ts, float), np.asarray(theta, float)
    zs = odesolve(z0, f, ts, theta, solver).zs
    n, N = z0.size, len(ts) - 1
    a, a_theta, a_t, a_ts = a_zs[N], np.zeros(theta.size), 0.0, np.zeros(N + 1)

    def dynamics(y, t, _):
        z, a = y[:n].reshape(z0.shape), y[n : 2 * n].reshape(z0.shape)
        dz, pullback = f.vjp(z, t if s["t_now"] else t_begin, theta)
        a_df_dz, a_df_dt, a_df_dtheta = pullback(a)
        signed = s["a_sign"] * a_df_dz.ravel(), s["theta_sign"] * a_df_dtheta, [s["t_sign"] * a_df_dt]
        return np.concatenate([dz.ravel(), *signed])

    for i in range(N, 0, -1):
        t_begin = ts[i]
        dz, pullback = f.vjp(zs[i], t_begin, theta)
        a_ts[i] = np.sum(a_zs[i] * dz) if s["dts"] == "a f" else -pullback(a_zs[i])[1]
        a_t += s["boundary"] * np.sum(a_zs[i] * dz) * (1 if i == N else s["t_jump"])
        y = np.concatenate([zs[i].ravel(), a.ravel(), s["carry"] * a_theta, [a_t]])
        t_end = ts[i - 1] + s["past"] * (ts[i - 1] - ts[i])
        y = odesolve(y, dynamics, (t_begin, t_end), None, solver).zs[-1]
        a, a_theta, a_t = y[n : 2 * n].reshape(z0.shape), y[2 * n : -1], y[-1]
        a_before_jump, a = a, a + s["jump" if i > 1 else "jump0"] * a_zs[i - 1]
    a_ts[0] = a_t if s["f_now"] else -np.sum(a_before_jump * f(zs[N], ts[N], theta))
    return a, a_ts, a_theta / (z0[..., 0].size if s["mean"] else 1)


# fmt: off
RIGHT = dict(
    a_sign=-1, theta_sign=-1, t_sign=-1, boundary=-1, t_jump=1, jump=1, jump0=1,
    carry=1, f_now=1, t_now=1, dts="a f", mean=0, past=0,
)

SLIPS = {  # name: (the switches, what to do about it)
    "boundary term dropped": (
        dict(boundary=0),
        "a_t starts at -dL/dt_N, not at 0 (Algorithm 2): with H = a.f, a_t = -H all the way to dL/dt_0 = -H(t_0)"),
    "boundary term with the wrong sign": (
        dict(boundary=+1),
        "a_t starts at -dL/dt_N, not at +dL/dt_N (Algorithm 2): with H = a.f, a_t = -H, so dL/dt_0 = -H(t_0)"),
    "a_t does not jump": (
        dict(t_jump=0),
        "where a jumps by dL/dz(t_i), H = a.f jumps by dL/dt_i, and a_t = -H by minus that; only not at t_0"),
    "stale f in dL/dt_0": (
        dict(f_now=0),
        "dL/dt_0 = -a(t_0).f(z(t_0), t_0, theta), with f where and when the solve starts, not the f of t_N"),
    "stale time": (
        dict(t_now=0),
        "f is asked at the t where the interval begins, all the way; hand on the t of each step"),
    "dropped jump": (
        dict(jump=0),
        "the loss looks at z(t_i) directly, so at each observation a = a + dL/dz(t_i)"),
    "dropped jump at t_0": (
        dict(jump0=0),
        "the loss may look at z(t_0) too: the last thing to add is dL/dz(t_0)"),
    "all jumps dropped": (
        dict(jump=0, jump0=0),
        "only the loss at t_N has reached the adjoint; on the way back add dL/dz(t_i) at each t_i, t_0 among them"),
    "sign of da/dt": (
        dict(a_sign=+1),
        "da/dt = -a df/dz, eq. (35); the minus stays when time runs backwards, because h is negative there"),
    "sign of a_theta": (
        dict(theta_sign=+1),
        "da_theta/dt = -a df/dtheta, eq. (50); the minus stays when time runs backwards"),
    "sign of a_t": (
        dict(t_sign=+1),
        "da_t/dt = -a df/dt, eq. (50); the minus stays when time runs backwards"),
    "dL/dt_i = -a df/dt": (
        dict(dts="-a df/dt"),
        "z(t_i) moves with velocity f, so dL/dt_i = dL/dz(t_i).f, eq. (52); a df/dt belongs in the integral"),
    "a_theta forgotten between intervals": (
        dict(carry=0),
        "every interval adds to dL/dtheta: go on from the a_theta that the interval before has left"),
    "averaged over the batch": (
        dict(mean=1),
        "the gradient of theta is the sum over the batch; a mean belongs in the loss, if anywhere"),
}
# fmt: on


def what_slip(found, right, *problem, close=0.05):
    """(name, advice) of the slip that gives the wrong gradients `found` = (a_z0, a_ts, a_theta), or None.

    right: the true gradients; problem: z0, f, ts, theta, a_zs. Items of `found` that are None are not looked at.
    Close means to 5 %, since the solver behind `found` may be a coarse one.
    """
    candidates = {name: algorithm2(*problem, **slip) for name, (slip, _) in SLIPS.items()}
    gaps = {name: distance(found, wrong) for name, wrong in candidates.items()}
    name = min(gaps, key=gaps.get)
    if gaps[name] < close and gaps[name] < 0.5 * distance(found, right):
        return name, SLIPS[name][1]
    return too_far(found, list(right), problem)


def too_far(found, right, problem, small=0.01):
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


def distance(found, right):
    """The largest error of any item, relative to the size of that item."""
    pairs = [(np.asarray(x), np.asarray(r)) for x, r in zip(found, right, strict=True) if x is not None]
    return max(float(np.max(np.abs(x - r)) / np.max(np.abs(r))) for x, r in pairs)
