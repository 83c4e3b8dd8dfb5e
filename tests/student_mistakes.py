"""Wrong code as students write it, for each of the four checks: a name, the code, and what the check has to say.

Each entry is (check, wrong function, text): check(wrong function) is false, and one of its mistakes begins with text.
None: the check refuses it, but does not name it. RIGHT has the same for right code in different styles.
"""

from functools import partial

import numpy as np

from odelearn import HEUN, MIDPOINT, RK4, Backsolve, Discrete, Dynamics, Forward, odeint, odesolve, rk4, vjp
from odelearn.checks import check_adjoint, check_solver, check_step, check_vjp
from odelearn.solvers.solver import dopri5, euler, midpoint

rng = np.random.default_rng(0)
X, W, B = rng.normal(size=(4, 3)), rng.normal(size=(3, 3)), rng.normal(size=3)

# ---- check_vjp: y = tanh(x W + b), and small functions

check_layer = lambda fun: check_vjp(fun, X, W, B)
check_at = lambda *args: lambda fun: check_vjp(fun, *args)


def layer(pullback):
    """y = tanh(x W + b), with pullback(a, x, W, y) -> a_x, a_W, a_b."""

    def fun(x, W, b):
        y = np.tanh(x @ W + b)
        return y, lambda a: pullback(a, x, W, y)

    return fun


def back(a, x, W, y):
    a = a * (1 - y * y)
    return a @ W.T, x.T @ a, a.sum(0)


def sign_of_a_x(a, x, W, y):
    a_x, a_W, a_b = back(a, x, W, y)
    return -a_x, a_W, a_b


def w_not_transposed(a, x, W, y):
    a = a * (1 - y * y)
    return a @ W, x.T @ a, a.sum(0)


def a_w_transposed(a, x, W, y):
    a = a * (1 - y * y)
    return a @ W.T, a.T @ x, a.sum(0)


def bias_not_summed(a, x, W, y):
    a = a * (1 - y * y)
    return a @ W.T, x.T @ a, a


def bias_averaged(a, x, W, y):
    a = a * (1 - y * y)
    return a @ W.T, x.T @ a, a.mean(0)


def bias_summed_over_the_wrong_axis(a, x, W, y):
    a = a * (1 - y * y)
    return a @ W.T, x.T @ a, a.sum(1)


def bias_forgotten(a, x, W, y):
    a_x, a_W, _ = back(a, x, W, y)
    return a_x, a_W, np.zeros(3)


def weights_forgotten(a, x, W, y):
    a_x, _, a_b = back(a, x, W, y)
    return a_x, a_b


def order_swapped(a, x, W, y):
    a_x, a_W, a_b = back(a, x, W, y)
    return a_W, a_x, a_b


def one_is_none(a, x, W, y):
    a_x, a_W, _ = back(a, x, W, y)
    return a_x, a_W, None


def a_is_changed(a, x, W, y):
    a *= 1 - y * y
    return a @ W.T, x.T @ a, a.sum(0)


def a_is_not_used(a, x, W, y):
    return back(np.ones_like(a), x, W, y)


def activation_forgotten(a, x, W, y):
    return a @ W.T, x.T @ a, a.sum(0)


def square_forgotten(a, x, W, y):
    a = a * (1 - y)
    return a @ W.T, x.T @ a, a.sum(0)


def half_of_a_square(x):
    return x * x, lambda a: a * x


def one_of_two_uses(x):
    return np.sin(x) * x, lambda a: a * np.cos(x) * x


def abs_of_the_slope(x):
    return np.cos(x), lambda a: a * np.abs(np.sin(x))


def cotangents_of_a_product(x, y):
    return x * y * y, lambda a: (a * 2 * x * y, a * y * y)


def derivative_is_nan(x):
    return np.where(x > 0, np.sqrt(np.abs(x)), 0 * x), lambda a: np.where(x > 0, a / (2 * np.sqrt(np.abs(x))), np.nan)


def argument_changed(x):
    y = np.exp(x)
    x *= 0
    return y, lambda a: a * y


def accumulates(x):
    kept = np.zeros_like(x)

    def pullback(a):
        nonlocal kept
        kept = kept + a * np.cos(x)
        return kept

    return np.sin(x), pullback


def last_component_dropped(x):
    return x**3, lambda a: a * 3 * x**2 * [1, 1, 0]


def mean_for_sum(x):
    return np.sum(x * x), lambda a: a * 2 * x / x.size


def value_alone(x):
    return np.sin(x)


V = np.array([0.7, -1.2, 0.4])
VJP = {
    "the minus of a_x": (check_layer, layer(sign_of_a_x), "a_x: sign"),
    "W where W^T belongs": (check_layer, layer(w_not_transposed), "a_x: transposed: it is made with W"),
    "a^T x where x^T a belongs": (check_layer, layer(a_w_transposed), "a_W: transposed"),
    "bias not summed over the batch": (check_layer, layer(bias_not_summed), "a_b has shape (4, 3), but b has (3,)"),
    "bias averaged over the batch": (check_layer, layer(bias_averaged), "a_b: averaged over the batch of 4"),
    "bias summed over the wrong axis": (check_layer, layer(bias_summed_over_the_wrong_axis), "a_b has shape (4,)"),
    "bias forgotten": (check_layer, layer(bias_forgotten), "a_b: missing: gradient = 0"),
    "one cotangent too few": (check_layer, layer(weights_forgotten), "pullback returned 2 cotangents"),
    "cotangents in another order": (check_layer, layer(order_swapped), "wrong order"),
    "None for a cotangent": (check_layer, layer(one_is_none), "a_b is None"),
    "a_y changed in place": (check_layer, layer(a_is_changed), "pullback(a) changed a in place"),
    "a_y not used": (check_layer, layer(a_is_not_used), "a_x: pullback does not use a_y"),
    "activation forgotten": (check_layer, layer(activation_forgotten), "activation: the derivative of tanh, 1 - y^2"),
    "1 - y for 1 - y^2": (check_layer, layer(square_forgotten), "activation: it has 1 - y where"),
    "the 2 of a square": (check_at(V), half_of_a_square, "a_x: factor: gradient = 0.5 reference"),
    "one of two uses": (check_at(V), one_of_two_uses, None),
    "abs in a slope": (check_at(V), abs_of_the_slope, "a_x: sign"),
    "two cotangents swapped": (check_at(V, V + 2), cotangents_of_a_product, "wrong order: a_x and a_y are swapped"),
    "nan at one component": (check_at(V), derivative_is_nan, "a_x: not finite: gradient, first at x[1]"),
    "argument changed in place": (check_at(V), argument_changed, "your function changed its argument x in place"),
    "pullback accumulates": (check_at(V), accumulates, "a_x: called twice, pullback returns something else"),
    "a component dropped": (check_at(V), last_component_dropped, "a_x: missing: only x[2] is zero"),
    "mean for sum": (check_at(V), mean_for_sum, "a_x: factor: gradient = 0.33333 reference"),
    "no pullback": (check_at(V), value_alone, "your function must return two things"),
}

# ---- check_step

step_of_order = lambda order: partial(check_step, order=order)
step_like = lambda like: partial(check_step, like=like)


def euler_step(f, z, t, h, theta):
    return z + h * f(z, t, theta)


def midpoint_step(f, z, t, h, theta):
    k1 = f(z, t, theta)
    return z + h * f(z + h / 2 * k1, t + h / 2, theta)


def heun_step(f, z, t, h, theta):
    k1 = f(z, t, theta)
    k2 = f(z + h * k1, t + h, theta)
    return z + h / 2 * (k1 + k2)


def rk4_step(f, z, t, h, theta, weights=(1 / 6, 2 / 6, 2 / 6, 1 / 6), nodes=(1 / 2, 1 / 2, 1), z3=None):
    k1 = f(z, t, theta)
    k2 = f(z + h / 2 * k1, t + nodes[0] * h, theta)
    k3 = f(z + h / 2 * (k1 if z3 else k2), t + nodes[1] * h, theta)
    k4 = f(z + h * k3, t + nodes[2] * h, theta)
    return z + h * sum(b * k for b, k in zip(weights, (k1, k2, k3, k4), strict=True))


def h_forgotten(f, z, t, h, theta):
    return z + f(z, t, theta)


def h_forgotten_in_the_stage(f, z, t, h, theta):
    k1 = f(z, t, theta)
    return z + h * f(z + k1 / 2, t + h / 2, theta)


def h_forgotten_in_the_time(f, z, t, h, theta):
    k1 = f(z, t, theta)
    return z + h * f(z + h / 2 * k1, t + 1 / 2, theta)


def minus_in_the_step(f, z, t, h, theta):
    return z - h * f(z, t, theta)


def absolute_h(f, z, t, h, theta):
    return z + abs(h) * f(z, t, theta)


def absolute_h_in_the_stage(f, z, t, h, theta):
    k1 = f(z, t, theta)
    return z + h * f(z + abs(h) / 2 * k1, t + h / 2, theta)


def absolute_h_in_the_time(f, z, t, h, theta):
    k1 = f(z, t, theta)
    return z + h * f(z + h / 2 * k1, t + abs(h) / 2, theta)


def only_the_change(f, z, t, h, theta):
    return h * f(z, t, theta)


def sum_not_mean(f, z, t, h, theta):
    k1 = f(z, t, theta)
    return z + h * (k1 + f(z + h * k1, t + h, theta))


def in_place(f, z, t, h, theta):
    z += h * f(z, t, theta)
    return z


def stale_time(f, z, t, h, theta):
    k1 = f(z, t, theta)
    return z + h * f(z + h / 2 * k1, t, theta)


def time_of_the_end(f, z, t, h, theta):
    k1 = f(z, t, theta)
    return z + h * f(z + h / 2 * k1, t + h, theta)


def stage_without_k1(f, z, t, h, theta):
    return z + h * f(z, t + h / 2, theta)


def returns_time_as_well(f, z, t, h, theta):
    return t + h, z + h * f(z, t, theta)


def arguments_swapped(f, z, t, h, theta):
    return z + h * f(t, z, theta)


def theta_forgotten(f, z, t, h, theta):
    return z + h * f(z, t)


def wrong_stage_point(f, z, t, h, theta):
    k1 = f(z, t, theta)
    return z + h * f(z + h / 3 * k1, t + h / 3, theta)


def one_component(f, z, t, h, theta):
    return z[0] + h * f(z, t, theta)[0]


def divides_by_zero(f, z, t, h, theta):
    with np.errstate(all="ignore"):
        return z + h * f(z, t, theta) * [1, np.float64(0) / 0]


STEP = {
    "h forgotten": (step_of_order(1), h_forgotten, "missing h: the state moved by f"),
    "h forgotten in the stage": (step_of_order(2), h_forgotten_in_the_stage, "missing h in the state of stage 2"),
    "h forgotten in the time": (step_of_order(2), h_forgotten_in_the_time, "missing h in the time of stage 2"),
    "a minus": (step_of_order(1), minus_in_the_step, "sign: the state moved by -h f"),
    "abs(h)": (step_of_order(1), absolute_h, "sign: for h = -0.1 the state moved forwards"),
    "abs(h) in the stage": (step_of_order(2), absolute_h_in_the_stage, "sign: abs(h) in the state of stage 2"),
    "abs(h) in the time": (step_of_order(2), absolute_h_in_the_time, "sign: abs(h) in the time of stage 2"),
    "the change alone": (step_of_order(1), only_the_change, "the step returned only the change"),
    "a sum of slopes, no mean": (step_of_order(2), sum_not_mean, "factor: the state moved by 2 h f"),
    "z changed in place": (step_of_order(1), in_place, "z was changed in place"),
    "t for t + h/2": (step_of_order(2), stale_time, "stale time: stage 2"),
    "t + h for t + h/2": (step_of_order(2), time_of_the_end, "stale time: stage 2"),
    "a stage without k1": (step_of_order(2), stage_without_k1, "stage 1 stands still"),
    "time returned as well": (step_of_order(1), returns_time_as_well, "your function returned 2 things"),
    "f(t, z)": (step_of_order(1), arguments_swapped, "the arguments of f are f(z, t, theta)"),
    "f without theta": (step_of_order(1), theta_forgotten, "theta: f(z, t, theta) was not given the theta"),
    "h/3 for h/2": (step_of_order(2), wrong_stage_point, "coefficients: they do not satisfy the conditions of order 2"),
    "one component": (step_of_order(1), one_component, "z_next has shape ()"),
    "nan": (step_of_order(1), divides_by_zero, "not finite: z_next[1] is nan"),
    "Euler for order 2": (step_of_order(2), euler_step, "coefficients: they do not satisfy the conditions of order 2"),
    "Euler for midpoint": (step_like(MIDPOINT), euler_step, "another method: this is EULER, asked for is MIDPOINT"),
    "Heun for midpoint": (step_like(MIDPOINT), heun_step, "another method: this is HEUN, asked for is MIDPOINT"),
    "RK4 for midpoint": (step_like(MIDPOINT), rk4_step, "another method: this is RK4, asked for is MIDPOINT"),
    "midpoint for Heun": (step_like(HEUN), midpoint_step, "another method: this is MIDPOINT, asked for is HEUN"),
    "RK4 with equal weights": (
        step_like(RK4), partial(rk4_step, weights=(1 / 4,) * 4), "another method: b[0] = 0.25, RK4 has 0.1667"),
    "RK4, k1 for k2 in Z_3": (step_of_order(4), partial(rk4_step, z3=1), "coefficients: they do not satisfy the"),
    "RK4, times one late": (step_of_order(4), partial(rk4_step, nodes=(0, 1 / 2, 1 / 2)), "stale time: stage 2"),
    "nothing returned": (step_of_order(1), lambda f, z, t, h, theta: None, "nothing to check yet"),
}  # fmt: skip

# ---- check_solver

solver_of_order = lambda order: partial(check_solver, order=order)


def euler_solver(
    steps=range, h=lambda ts, i: ts[i + 1] - ts[i], t=lambda ts, i, s: ts[i] + s, n=3, z=lambda zs: zs[-1]
):
    """Euler's method, n steps in each interval; the arguments put mistakes in."""

    def solve(z0, f, ts, theta):
        zs = [z0]
        for i in range(len(ts) - 1):
            z_i, h_i = z(zs), h(ts, i) / n
            for k in steps(n):
                z_i = z_i + h_i * f(z_i, t(ts, i, k * h_i), theta)
            zs.append(z_i)
        return np.stack(zs)

    return solve


def z0_not_stored(z0, f, ts, theta):
    return euler_solver()(z0, f, ts, theta)[1:]


def last_state_only(z0, f, ts, theta):
    return euler_solver()(z0, f, ts, theta)[-1]


def batch_first(z0, f, ts, theta):
    return np.moveaxis(euler_solver()(z0, f, ts, theta), 0, 1)


def one_buffer_for_all(z0, f, ts, theta):
    z, zs = z0.copy(), []
    for i in range(len(ts)):
        zs.append(z)
        if i + 1 < len(ts):
            z += (ts[i + 1] - ts[i]) * f(z, ts[i], theta)
    return np.stack(zs)


def z0_overwritten(z0, f, ts, theta):
    zs = [z0.copy()]
    for i in range(len(ts) - 1):
        z0 += (ts[i + 1] - ts[i]) * f(z0, ts[i], theta)
        zs.append(z0.copy())
    return np.stack(zs)


def starts_with_the_first_step(z0, f, ts, theta):
    zs = euler_solver()(z0, f, ts, theta)
    return np.concatenate([zs[1:], zs[-1:]])


def waits_for_t_to_grow(z0, f, ts, theta):
    z, t, zs = z0, ts[0], [z0]
    for t_next in ts[1:]:
        while t < t_next - 1e-9:
            h = min(0.1, t_next - t)
            z, t = z + h * f(z, t, theta), t + h
        zs.append(z)
    return np.stack(zs)


def last_step_not_shortened(z0, f, ts, theta):
    z, t, zs = z0, ts[0], [z0]
    for t_next in ts[1:]:
        h = 0.3 * np.sign(t_next - t)
        while abs(t_next - t) > 1e-9 and (t_next - t) * h > 0:
            z, t = z + h * f(z, t, theta), t + h
        zs.append(z)
        t = t_next
    return np.stack(zs)


def solver_without_theta(z0, f, ts, theta):
    return euler_solver()(z0, lambda z, t, theta: f(z, t), ts, theta)


def solver_swaps_arguments(z0, f, ts, theta):
    return euler_solver()(z0, lambda z, t, theta: f(t, z, theta), ts, theta)


def empty_rows(z0, f, ts, theta):
    zs = np.full((len(ts), *z0.shape), np.nan)
    zs[:-1] = euler_solver()(z0, f, ts, theta)[:-1]
    return zs


SOLVER = {
    "h forgotten": (solver_of_order(1), euler_solver(h=lambda ts, i: 3.0), "missing h: by ts[1] the state has moved"),
    "one step too many": (
        solver_of_order(1), euler_solver(steps=lambda n: range(n + 1)),
        "factor: time passes 1.33 times as fast as it should, like 4 steps where 3"),
    "one step too few": (
        solver_of_order(1), euler_solver(steps=lambda n: range(1, n)),
        "factor: time passes 0.667 times as fast as it should, like 2 steps where 3"),
    "one h for all": (solver_of_order(1), euler_solver(h=lambda ts, i: ts[1] - ts[0]), "one h for all"),
    "h from the mean spacing": (
        solver_of_order(1), euler_solver(h=lambda ts, i: (ts[-1] - ts[0]) / (len(ts) - 1)), "one h for all"),
    "the sign of h": (solver_of_order(1), euler_solver(h=lambda ts, i: ts[i] - ts[i + 1]), "sign: the state moves"),
    "abs(h)": (
        solver_of_order(1), euler_solver(h=lambda ts, i: abs(ts[i + 1] - ts[i])), "backwards in time: sign: an abs()"),
    "t of the first observation": (solver_of_order(1), euler_solver(t=lambda ts, i, s: ts[0]), "stale time"),
    "t of the interval": (solver_of_order(1), euler_solver(t=lambda ts, i, s: ts[i]), "stale time"),
    "t one interval ahead": (
        solver_of_order(1), euler_solver(t=lambda ts, i, s: ts[i + 1] + s), "f was asked at t = 1.96667, outside"),
    "every interval from z0": (
        solver_of_order(1), euler_solver(z=lambda zs: zs[0]), "each interval starts from z0"),
    "z0 not stored": (solver_of_order(1), z0_not_stored, "zs has shape (3, 3, 2); for 4 times"),
    "the last state only": (solver_of_order(1), last_state_only, "zs has shape (3, 2); for 4 times"),
    "batch before time": (solver_of_order(1), batch_first, "zs has shape (3, 4, 2); for 4 times"),
    "one buffer for all": (solver_of_order(1), one_buffer_for_all, "zs[0] is not z0"),
    "z0 overwritten": (solver_of_order(1), z0_overwritten, "z0 was changed in place"),
    "starts with the first step": (solver_of_order(1), starts_with_the_first_step, "zs[0] is not z0"),
    "waits for t to grow": (
        solver_of_order(1), waits_for_t_to_grow, "backwards in time: the state never moves; does the loop run"),
    "last step not shortened": (
        solver_of_order(1), last_step_not_shortened, "the solve from ts[0] = 0.2 to ts[1] = 0.9 ends 0.2 past its end"),
    "f without theta": (solver_of_order(1), solver_without_theta, "theta: f(z, t, theta) was not given the theta"),
    "f(t, z)": (solver_of_order(1), solver_swaps_arguments, "the arguments of f are f(z, t, theta)"),
    "rows left empty": (solver_of_order(1), empty_rows, "not finite: zs[3, 0, 0] is nan"),
    "Euler for order 2": (solver_of_order(2), euler_solver(), "declared 2, observed 1.0"),
    "nothing returned": (solver_of_order(1), lambda z0, f, ts, theta: None, "nothing to check yet"),
}  # fmt: skip

# ---- check_adjoint

adjoint_of = lambda *names, **options: partial(check_adjoint, of=names, **options)


def continuous(
    n=20,
    signs=(-1, -1, -1),
    boundary=-1,
    start=lambda a_zs: a_zs[-1],
    before=lambda a_zs, i: 0.0,
    jump=lambda a_zs, i: a_zs[i - 1],
    carry=True,
    mean=False,
    h_a=True,
    h_theta=True,
    span=lambda ts, i: ts[i - 1] - ts[i],
    ts_of=None,
    dL_dt=lambda i, a, a_zs, f, zs, ts, theta: np.sum(a_zs[i] * f(zs[i], ts[i], theta)),
    t_jump=True,
    time=lambda t, t_i: t,
    z_start=lambda zs, i: zs[i],
):
    """Algorithm 2: RK4 for z, the midpoint rule for a, sums for a_theta and a_t. The arguments put mistakes in."""

    def adjoint(z0, f, ts, theta, a_zs):
        zs = odesolve(z0, f, ts, theta, rk4(n=n)).zs
        a, a_theta, a_ts = start(a_zs), np.zeros(theta.size), np.zeros(len(ts))
        a_t = 0.0
        for i in range(len(ts) - 1, 0, -1):
            a_ts[i] = dL_dt(i, a, a_zs, f, zs, ts, theta)
            if t_jump or i == len(ts) - 1:
                a_t = a_t + boundary * np.sum(a_zs[i] * f(zs[i], ts[i], theta))
            a = a + before(a_zs, i)
            z, t, h = z_start(zs, i), ts[i], span(ts, i) / n
            a_theta = a_theta if carry else 0 * a_theta
            for _ in range(n):
                z_mid = odesolve(z, f, (t, t + h / 2), theta, rk4(n=1)).zs[-1]
                half = a + h / 2 * signs[0] * f.vjp(z, time(t, ts[i]), theta)[1](a)[0]
                a_z, a_tau, a_th = f.vjp(z_mid, time(t + h / 2, ts[i]), theta)[1](half)
                z, t = odesolve(z, f, (t, t + h), theta, rk4(n=1)).zs[-1], t + h
                a = a + (h if h_a else 1) * signs[0] * a_z
                a_theta = a_theta + (h if h_theta else 1) * signs[1] * a_th
                a_t = a_t + h * signs[2] * a_tau
            a_before, a = a, a + jump(a_zs, i)
        a_ts[0] = ts_of(a_before, a, a_t, f, zs, ts, theta, a_zs) if ts_of else a_t
        return a, a_ts, a_theta / (3 if mean else 1)

    return adjoint


def euler_chain(z0, f, ts, theta, a_zs, n=10, keep="pullback", after=False, h_a=True, h_theta=True, sign=1, jump=None):
    """The chain rule through n Euler steps in each interval, as in notebook 04; the arguments put mistakes in."""
    z, tape = z0, []
    for i in range(len(ts) - 1):
        h = (ts[i + 1] - ts[i]) / n
        for j in range(n):
            t = ts[i] + j * h
            dz, pullback = f.vjp(z, t, theta)
            z = z + h * dz
            if keep == "end":
                _, pullback = f.vjp(z, t + h, theta)
            elif keep == "stale":
                _, pullback = f.vjp(z - h * dz, ts[i], theta)
            tape.append((i, j, h, pullback))
    a, a_theta = a_zs[-1], np.zeros_like(theta)
    for i, j, h, pullback in reversed(tape):
        a_z, _, a_th = pullback(a)
        a = a + sign * (h if h_a else 1) * a_z
        a_theta = a_theta + (h if h_theta else 1) * (pullback(a)[2] if after else a_th)
        if j == 0:
            a = a + (a_zs[i] if jump is None else jump(a_zs, i))
    return a, None, a_theta


def by(method, solver):
    """The adjoint of the library."""

    def adjoint(z0, f, ts, theta, a_zs):
        _, pullback = method.vjp(z0, f, ts, theta, solver)
        g = pullback(a_zs)
        return g.z0, g.ts, g.theta

    return adjoint


def times(*factors):
    return lambda *problem: tuple(c * x for c, x in zip(factors, by(Backsolve(), dopri5())(*problem), strict=True))


def nan_at(place):
    def adjoint(*problem):
        a_z0, a_ts, a_theta = by(Backsolve(), dopri5())(*problem)
        a_theta = a_theta.copy()
        a_theta[place] = np.nan
        return a_z0, a_ts, a_theta

    return adjoint


def t0(rule):
    return continuous(ts_of=rule)


chain = adjoint_of("z0", "theta", exact=euler(n=10))
no_ts = adjoint_of("z0", "theta")
ADJOINT = {
    "None for all": (check_adjoint, lambda *p: (None, None, None), "a_z0 is None, and this exercise asks for it"),
    "None for a_theta": (
        no_ts, lambda *p: (by(Backsolve(), dopri5())(*p)[0], None, None), "a_theta is None, and this exercise asks"),
    "another order": (check_adjoint, lambda *p: by(Backsolve(), dopri5())(*p)[::-1], "wrong order"),
    "two things": (check_adjoint, lambda *p: by(Backsolve(), dopri5())(*p)[:2], "your function must return three"),
    "nan at one component": (check_adjoint, nan_at(3), "not finite: a_theta[3] is nan"),
    "sign of da/dt": (check_adjoint, continuous(signs=(+1, -1, -1)), "sign of da/dt"),
    "sign of a_theta": (check_adjoint, continuous(signs=(-1, +1, -1)), "sign of a_theta"),
    "sign of a_t": (check_adjoint, continuous(signs=(-1, -1, +1)), "sign of a_t"),
    "boundary term dropped": (check_adjoint, continuous(boundary=0), "boundary term dropped"),
    "boundary term, sign": (check_adjoint, continuous(boundary=+1), "boundary term with the wrong sign"),
    "no jump": (check_adjoint, continuous(jump=lambda a_zs, i: 0.0), "all jumps dropped"),
    "no jump at t_0": (check_adjoint, continuous(jump=lambda a, i: a[i - 1] * (i > 1)), "dropped jump at t_0"),
    "no jump in between": (check_adjoint, continuous(jump=lambda a, i: a[i - 1] * (i == 1)), "dropped jump"),
    "jump after the interval": (
        no_ts, continuous(start=lambda a: 0 * a[-1], jump=lambda a, i: a[i]), "jump on the wrong side of the interval"),
    "jump before the interval": (
        no_ts, continuous(before=lambda a, i: a[i - 1], jump=lambda a, i: 0.0), "jump an interval too early"),
    "jump with another index": (no_ts, continuous(jump=lambda a, i: a[i]), "jump by another observation's dL/dz"),
    "the last cotangent forgotten": (no_ts, continuous(start=lambda a: 0 * a[-1]), "dL/dz(t_N) forgotten"),
    "a_theta from zero": (check_adjoint, continuous(carry=False), "a_theta forgotten between intervals"),
    "mean over the batch": (check_adjoint, continuous(mean=True), "averaged over the batch"),
    "h forgotten in a_theta": (check_adjoint, continuous(h_theta=False), "missing h in a_theta"),
    "h forgotten in a": (adjoint_of("z0"), continuous(h_a=False), "a_z0: missing h, it seems"),
    "positive h": (no_ts, continuous(span=lambda ts, i: ts[i] - ts[i - 1]), "solved away from t_(i-1)"),
    "z of the other end": (no_ts, continuous(z_start=lambda zs, i: zs[i - 1]), "z of the wrong end"),
    "time of the interval": (no_ts, continuous(time=lambda t, t_i: t_i), "stale time"),
    "a_t without its jumps": (check_adjoint, continuous(t_jump=False), "a_t does not jump"),
    "all of a in dL/dt_i": (
        check_adjoint,
        continuous(dL_dt=lambda i, a, a_zs, f, zs, ts, th: np.sum(a * f(zs[i], ts[i], th))),
        "dL/dt_i with all of a",
    ),
    "-a df/dt for dL/dt_i": (
        check_adjoint,
        continuous(dL_dt=lambda i, a, a_zs, f, zs, ts, th: -f.vjp(zs[i], ts[i], th)[1](a_zs[i])[1]),
        "dL/dt_i = -a df/dt",
    ),
    "f of t_N in dL/dt_0": (
        check_adjoint, t0(lambda ab, a, at, f, zs, ts, th, a_zs: -np.sum(ab * f(zs[-1], ts[-1], th))),
        "stale f in dL/dt_0"),
    "a after the jump in dL/dt_0": (
        check_adjoint, t0(lambda ab, a, at, f, zs, ts, th, a_zs: -np.sum(a * f(zs[0], ts[0], th))), "a_t jumps at t_0"),
    "sign of dL/dt_0": (
        check_adjoint, t0(lambda ab, a, at, f, zs, ts, th, a_zs: np.sum(ab * f(zs[0], ts[0], th))),
        "a_ts: sign: all is right but the sign of a_ts[0]"),
    "dL/dt_0 left at zero": (
        check_adjoint, t0(lambda *arguments: 0.0), "a_ts: missing: only a_ts[0] is zero"),
    "everything doubled": (check_adjoint, times(2, 2, 2), "a_z0: factor: gradient = 2 reference, as if counted twice"),
    "one step too many": (check_adjoint, continuous(span=lambda ts, i: 1.05 * (ts[i - 1] - ts[i])), "one step too"),
    "chain: a_n for a_(n+1)": (chain, partial(euler_chain, after=True), "a_n for a_(n+1) in a_theta"),
    "chain: df/dz at z_(n+1)": (chain, partial(euler_chain, keep="end"), "df/dz at z_(n+1)"),
    "chain: stale time": (chain, partial(euler_chain, keep="stale"), "stale time"),
    "chain: h forgotten in a": (chain, partial(euler_chain, h_a=False), "missing h in a"),
    "chain: h forgotten in a_theta": (chain, partial(euler_chain, h_theta=False), "missing h in a_theta"),
    "chain: h forgotten": (chain, partial(euler_chain, h_a=False, h_theta=False), "missing h in both"),
    "chain: the minus of (35)": (chain, partial(euler_chain, sign=-1), "sign of a df/dz"),
    "chain: no jump": (chain, partial(euler_chain, jump=lambda a, i: 0.0), "all jumps dropped"),
    "chain: jump with another index": (
        chain, partial(euler_chain, jump=lambda a, i: a[i + 1]), "jump by another observation's dL/dz"),
    "chain: other steps": (chain, partial(euler_chain, n=40), "another discretisation"),
    "chain: the continuous adjoint": (chain, by(Backsolve(), euler(n=10)), "continuous adjoint"),
}  # fmt: skip

MISTAKES = {
    f"{check}: {name}": case
    for check, table in (("vjp", VJP), ("step", STEP), ("solver", SOLVER), ("adjoint", ADJOINT))
    for name, case in table.items()
}

# ---- right code, in different styles


def by_einsum(x, W, b):
    y = np.tanh(np.einsum("ni,ij->nj", x, W) + b)

    def pullback(a):
        a = np.einsum("nj,nj->nj", a, 1 - y**2)
        return np.einsum("nj,ij->ni", a, W), np.einsum("ni,nj->ij", x, a), np.einsum("nj->j", a)

    return y, pullback


def by_loops(x, W, b):
    y = np.tanh(x @ W + b)

    def pullback(a):
        a_x, a_W, a_b = np.zeros(x.shape), np.zeros(W.shape), np.zeros(b.shape)
        for n in range(len(x)):
            for j in range(W.shape[1]):
                a_pre = a[n, j] * (1 - y[n, j] ** 2)
                a_x[n] += a_pre * W[:, j]
                a_W[:, j] += a_pre * x[n]
                a_b[j] += a_pre
        return [a_x, a_W, a_b]

    return y, pullback


def by_the_tape(x, W, b):
    return vjp(lambda x, W, b: np.tanh(x @ W + b), x, W, b)


def butcher_loop(tableau):
    def step(f, z, t, h, theta):
        k = []
        for row, node in zip(tableau.A, tableau.c, strict=True):
            k.append(f(z + h * sum((a * k_j for a, k_j in zip(row, k, strict=False)), 0 * z), t + node * h, theta))
        return z + h * np.tensordot(tableau.b, np.array(k), 1)

    return step


def two_half_euler_steps(f, z, t, h, theta):
    """The midpoint method as it is found in books for mechanics: where half an Euler step leads, look, and jump."""
    half = euler_step(f, z, t, h / 2, theta)
    return z + (2 * (h / 2)) * f(half, t + 0.5 * h, theta)


def step_by_the_library(f, z, t, h, theta):
    return odesolve(z, f, [t, t + h], theta, midpoint(n=1)).zs[-1]


def preallocated(z0, f, ts, theta):
    zs = np.empty((len(ts), *z0.shape))
    zs[0] = z0
    for i, h in enumerate(np.diff(ts)):
        zs[i + 1] = midpoint_step(f, zs[i], ts[i], h, theta)
    return zs


def recursive(z0, f, ts, theta):
    if len(ts) == 1:
        return z0[None]
    z1 = midpoint_step(f, z0, ts[0], ts[1] - ts[0], theta)
    return np.concatenate([z0[None], recursive(z1, f, ts[1:], theta)])


def while_loop(z0, f, ts, theta, n=4):
    zs, z = [z0], z0
    for t, t_next in zip(ts[:-1], ts[1:], strict=True):
        h, steps = (t_next - t) / n, 0
        while steps < n:
            z, t, steps = midpoint_step(f, z, t, h, theta), t + h, steps + 1
        zs.append(z)
    return zs


def forward_sensitivities(z0, f, ts, theta, a_zs):
    return by(Forward(), rk4(n=10))(z0, f, ts, theta, a_zs)


def by_odeint_on_the_tape(z0, f, ts, theta, a_zs):
    _, pullback = vjp(lambda z0, ts, theta: odeint(z0, f, ts, theta, rk4(n=10), Discrete()), z0, ts, theta)
    return pullback(a_zs)


RIGHT = {
    "vjp: by hand": (check_layer, layer(back)),
    "vjp: einsum": (check_layer, by_einsum),
    "vjp: loops, and a list": (check_layer, by_loops),
    "vjp: the tape": (check_layer, by_the_tape),
    "vjp: Dynamics": (check_vjp, Dynamics(lambda z, t, theta: theta[:2] * z * np.sin(t + theta[2]) - theta[3])),
    "step: by hand": (step_like(MIDPOINT), midpoint_step),
    "step: a tableau": (step_like(MIDPOINT), butcher_loop(MIDPOINT)),
    "step: half steps": (step_like(MIDPOINT), two_half_euler_steps),
    "step: the library": (step_like(MIDPOINT), step_by_the_library),
    "step: RK4": (step_like(RK4), rk4_step),
    "solver: a list": (solver_of_order(1), euler_solver()),
    "solver: preallocated": (solver_of_order(2), preallocated),
    "solver: recursive": (solver_of_order(2), recursive),
    "solver: while": (solver_of_order(2), while_loop),
    "adjoint: Algorithm 2": (check_adjoint, continuous()),
    "adjoint: the library": (check_adjoint, by(Backsolve(), dopri5())),
    "adjoint: sensitivities": (check_adjoint, forward_sensitivities),
    "adjoint: the tape": (check_adjoint, by_odeint_on_the_tape),
    "adjoint: the chain rule": (chain, euler_chain),
    "adjoint: the chain rule of the library": (partial(check_adjoint, exact=rk4(n=7)), by(Discrete(), rk4(n=7))),
}
