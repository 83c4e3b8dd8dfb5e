"""What students run on their own code: the right passes, and every planted mistake is called by its name."""

import numpy as np
import pytest

from odelearn import MLP, Backsolve, Dynamics, counted, dopri5, odesolve, rk4
from odelearn.checks import Verdict, check_adjoint, check_solver, check_step, check_vjp
from odelearn.checks.adjoint import problems
from odelearn.checks.known_mistakes import RIGHT, SLIPS, algorithm2, what_slip

# ---- (value, pullback)


def field(slip=None, a_t=True):
    """dz/dt = tanh(z W) cos t, W = theta as a (2, 2) matrix, with its pullback by hand; slip changes the cotangents."""

    def f(z, t, theta):
        W = theta.reshape(2, 2)
        y = np.tanh(z @ W)

        def pullback(a):
            a_pre = a * np.cos(t) * (1 - y * y)
            right = a_pre @ W.T, -np.sum(a * y) * np.sin(t), (z.T @ a_pre).ravel()
            return slip(*right) if slip else right

        return y * np.cos(t), pullback

    return f


def dense(slip=None):
    def f(x, W, b):
        def pullback(a):
            right = a @ W.T, x.T @ a, a.sum(0)
            return slip(a, *right) if slip else right

        return x @ W + b, pullback

    return f


@pytest.fixture
def layer():
    rng = np.random.default_rng(0)
    return rng.normal(size=(4, 3)), rng.normal(size=(3, 3)), rng.normal(size=3)


def test_right_pullbacks_pass(layer):
    assert check_vjp(field())
    assert check_vjp(dense(), *layer)
    assert check_vjp(MLP([2, 8, 2], time="concat"))
    assert check_vjp(MLP([5, 8, 5]), np.ones((2, 5)), 0.3, 0.1 * np.arange(93))
    assert check_vjp(Dynamics(lambda z, t, theta: theta * z * np.sin(t)), np.ones(4), 0.3, np.arange(1.0, 5))
    assert check_vjp(lambda x: (np.sin(x), lambda a: a * np.cos(x)), 0.3)  # one number, and a bare cotangent


@pytest.mark.parametrize(
    "slip, named",
    [
        (lambda z, t, th: (-z, t, th), "a_z: sign"),
        (lambda z, t, th: (z, -t, th), "a_t: sign"),
        (lambda z, t, th: (z, 0.0, th), "a_t: missing"),
        (lambda z, t, th: (z, t, th / 3), "a_theta: averaged over the batch of 3, not summed"),
        (lambda z, t, th: (z, t, 2 * th), "a_theta: factor: gradient = 2 reference"),
        (lambda z, t, th: (z, t, th * [1, 1, 1, 0]), "a_theta: missing: only theta[3] is zero"),
        (lambda z, t, th: (z, t, th.reshape(2, 2)), r"a_theta has shape (2, 2), but theta has (4,)"),
        (lambda z, t, th: (z, th), "pullback returned 2 cotangents, but there are 3 arguments: z, t, theta"),
        (lambda z, t, th: (z, None, th), "a_t is None"),
        (lambda z, t, th: (z * np.nan, t, th), "a_z: not finite"),
        (lambda z, t, th: (z**2 + 1, t, th), "a_z: no simple pattern"),
    ],
)
def test_a_wrong_pullback_of_dynamics_is_named(slip, named):
    verdict = check_vjp(field(slip))
    assert not verdict and len(verdict.mistakes) == 1 and verdict.mistakes[0].startswith(named)


@pytest.mark.parametrize(
    "slip, named",
    [
        (lambda a, x, W, b: (x, W.T, b), "a_W: transposed"),
        (lambda a, x, W, b: (x, W, b / 4), "a_b: averaged over the batch of 4"),
        (lambda a, x, W, b: (x, W, a), "a_b has shape (4, 3), but b has (3,). What was broadcast"),
        (lambda a, x, W, b: (x.T, W, b), "a_x has shape (3, 4), but x has (4, 3). Transposed"),
    ],
)
def test_a_wrong_pullback_of_a_layer_is_named(slip, named, layer):
    verdict = check_vjp(dense(slip), *layer)
    assert not verdict and len(verdict.mistakes) == 1 and verdict.mistakes[0].startswith(named)


def test_a_pullback_that_writes_into_its_argument_is_told():
    def f(x):
        def pullback(a):
            a *= np.cos(x)
            return a

        return np.sin(x), pullback

    assert "changed a in place" in check_vjp(f, np.ones(3)).mistakes[0]


def test_what_is_no_pair_of_value_and_pullback_is_told():
    assert "two things" in check_vjp(lambda z, t, theta: z).mistakes[0]
    assert "returned None" in check_vjp(lambda z, t, theta: None).mistakes[0]


def test_two_mistakes_are_two_sentences():
    verdict = check_vjp(field(lambda z, t, th: (-z, t, th / 3)))
    assert [text.split(":")[0] for text in verdict.mistakes] == ["a_z", "a_theta"]
    assert verdict.details.worst


# ---- steps


def euler(f, z, t, h, theta):
    return z + h * f(z, t, theta)


def midpoint(f, z, t, h, theta, c=0.5, a=0.5, b=1.0):
    k1 = f(z, t, theta)
    return z + h * (b * f(z + a * h * k1, t + c * h, theta) + (1 - b) * k1)


def classic(f, z, t, h, theta, nodes=(0.5, 0.5, 1)):
    k1 = f(z, t, theta)
    k2 = f(z + h / 2 * k1, t + nodes[0] * h, theta)
    k3 = f(z + h / 2 * k2, t + nodes[1] * h, theta)
    k4 = f(z + h * k3, t + nodes[2] * h, theta)
    return z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def changed(**options):
    return lambda *args: midpoint(*args, **options)


def in_place(f, z, t, h, theta):
    z += h * f(z, t, theta)
    return z


def test_right_steps_pass_and_tell_their_order():
    for step, order in (euler, 1), (midpoint, 2), (classic, 4):
        assert f"order {order}.0" in str(check_step(step)) and check_step(step, order)
    assert "c = 0, 0.5, 0.5, 1" in check_step(classic).evidence


@pytest.mark.parametrize(
    "step, order, named",
    [
        (lambda f, z, t, h, theta: z + f(z, t, theta), 1, "missing h"),
        (lambda f, z, t, h, theta: z - h * f(z, t, theta), 1, "sign: the state moved by -h f"),
        (lambda f, z, t, h, theta: z + abs(h) * f(z, t, theta), 1, "sign: for h = -0.1 the state moved forwards"),
        (lambda f, z, t, h, theta: z + h * f(z, t, theta) / 2, 1, "factor: the state moved by 0.5 h f"),
        (lambda f, z, t, h, theta: h * f(z, t, theta), 1, "the step returned only the change"),
        (lambda f, z, t, h, theta: z + h * h + 0 * f(z, t, theta), 1, "factor: the state moved by 0.1 h f"),
        (lambda f, z, t, h, theta: z + h * f(z, t, theta) * [1, 2], 1, "on dz/dt = 1 the state must move by h"),
        (lambda f, z, t, h, theta: None, None, "nothing to check yet"),
        (lambda f, z, t, h, theta: z[0], 1, "z_next has shape (), but z has (2,)"),
        (in_place, 1, "z was changed in place"),
        (changed(c=0), 2, "stale time"),
        (changed(c=0), None, "stale time"),
        (lambda *args: classic(*args, nodes=(0, 0.5, 0.5)), 4, "stale time"),
        (lambda f, z, t, h, theta: classic(f, z, 0.0, h, theta), 4, "stale time"),
        (changed(b=0.9), 2, "declared 2, observed"),
        (changed(a=0.4), 2, "stale time"),
        (euler, 2, "declared 2, observed"),
    ],
)
def test_a_wrong_step_is_named(step, order, named):
    verdict = check_step(step, order)
    assert not verdict and any(text.startswith(named) for text in verdict.mistakes)


# ---- solvers


def solver(
    step=midpoint, steps=lambda n: range(n), n=3, h=lambda ts, i: ts[i + 1] - ts[i], time=lambda ts, i, k: ts[i] + k
):
    def solve(z0, f, ts, theta):
        zs = [z0]
        for i in range(len(ts) - 1):
            z, h_i = zs[-1], h(ts, i) / n
            for k in steps(n):
                z = step(f, z, time(ts, i, k * h_i), h_i, theta)
            zs.append(z)
        return np.stack(zs)

    return solve


def starts_late(z0, f, ts, theta):
    zs = solver()(z0, f, ts, theta)
    return np.concatenate([zs[1:], zs[-1:]])


def writes_into_z0(z0, f, ts, theta):
    zs = solver()(z0, f, ts, theta)
    z0 += 1
    return zs


def test_right_solvers_pass():
    assert check_solver(solver(), order=2)
    assert check_solver(lambda *args: odesolve(*args, rk4(n=2)).zs, order=4)
    adaptive = check_solver(lambda *args: odesolve(*args, dopri5()).zs)
    assert adaptive and "steps of its own" in adaptive.evidence


@pytest.mark.parametrize(
    "solve, named",
    [
        (
            solver(steps=lambda n: range(n + 1)),
            "factor: time passes 1.33 times as fast as it should, like 4 steps where 3",
        ),
        (
            solver(steps=lambda n: range(1, n)),
            "factor: time passes 0.667 times as fast as it should, like 2 steps where 3",
        ),
        (solver(n=1, steps=lambda n: range(2)), "factor: time passes 2 times as fast as it should"),
        (solver(h=lambda ts, i: ts[1] - ts[0]), "one h for all"),
        (solver(h=lambda ts, i: ts[i] - ts[i + 1]), "sign: the state moves against time"),
        (solver(h=lambda ts, i: abs(ts[i + 1] - ts[i])), "backwards in time: sign: an abs()"),
        (solver(h=lambda ts, i: 3.0), "missing h: by ts[1] the state has moved by 3"),
        (solver(h=lambda ts, i: 0.0), "the state never moves"),
        (
            solver(h=lambda ts, i: 0.3 * np.ceil((ts[i + 1] - ts[i]) / 0.3)),
            "the solve from ts[0] = 0.2 to ts[1] = 0.9 ends 0.2 past",
        ),
        (
            solver(h=lambda ts, i: 0.3 * np.floor((ts[i + 1] - ts[i]) / 0.3)),
            "the solve from ts[1] = 0.9 to ts[2] = 1.7 ends 0.2 short",
        ),
        (solver(time=lambda ts, i, s: ts[0]), "stale time"),
        (solver(time=lambda ts, i, s: ts[i]), "stale time"),
        (solver(time=lambda ts, i, s: ts[i + 1] + s), "f was asked at t = 1.96667, outside"),
        (solver(step=euler), "declared 2, observed"),
        (lambda z0, f, ts, theta: None, "nothing to check yet"),
        (lambda *args: solver()(*args)[1:], "zs has shape (3, 3, 2); for 4 times and z0 (3, 2) it must be (4, 3, 2)"),
        (starts_late, "zs[0] is not z0"),
        (writes_into_z0, "z0 was changed in place"),
    ],
)
def test_a_wrong_solver_is_named(solve, named):
    verdict = check_solver(solve, order=2)
    assert not verdict and any(text.startswith(named) for text in verdict.mistakes)


# ---- adjoints


def by(method, solver):
    def adjoint(z0, f, ts, theta, a_zs):
        _, pullback = method.vjp(z0, f, ts, theta, solver)
        g = pullback(a_zs)
        return g.z0, g.ts, g.theta

    return adjoint


COARSE = rk4(n=6)


def with_slip(solver=COARSE, **slip):
    return lambda *problem: algorithm2(*problem, solver=solver, **slip)


def test_right_adjoints_pass():
    assert check_adjoint(by(Backsolve(), dopri5()), rtol=1e-5)
    assert check_adjoint(with_slip(dopri5(1e-9, 1e-11)), rtol=1e-7)


def test_algorithm2_with_every_switch_at_its_right_value_is_algorithm2():
    _, problem = next(problems())
    for plain, switched in zip(algorithm2(*problem), algorithm2(*problem, **RIGHT), strict=True):
        assert np.array_equal(plain, switched)


@pytest.mark.parametrize("name", SLIPS)
def test_every_slip_of_an_adjoint_is_named(name):
    verdict = check_adjoint(with_slip(**SLIPS[name][0]))
    assert not verdict and verdict.mistakes == [f"{name}: {SLIPS[name][1]}"]


@pytest.mark.parametrize("n", [10, 30])
def test_one_step_too_many_is_named(n):
    verdict = check_adjoint(with_slip(past=1 / n))
    assert not verdict and verdict.mistakes[0].startswith("one step too many")
    fraction = float(verdict.mistakes[0].split("went on for ")[1].split("%")[0]) / 100
    assert fraction == pytest.approx(1 / n, rel=0.2)  # to first order in 1/n


def test_a_slip_that_shows_only_backwards_in_time_is_told_so():
    def adjoint(z0, f, ts, theta, a_zs):
        a_z0, a_ts, a_theta = algorithm2(z0, f, ts, theta, a_zs)
        return a_z0, a_ts, a_theta * np.sign(ts[1] - ts[0])

    assert check_adjoint(adjoint).mistakes[0].startswith("only when time runs backwards: sign of a_theta")


def test_factors_and_corners_are_named_when_no_slip_explains_them():
    def times(a, b, c):
        return lambda *problem: [s * x for s, x in zip((a, b, c), algorithm2(*problem), strict=True)]

    assert check_adjoint(times(1, 1, 50)).mistakes[0].startswith("a_theta: factor: gradient = 50 reference")
    assert check_adjoint(times(-1, -1, -1)).mistakes[0].startswith("a_z0: sign")
    assert check_adjoint(times(1, [1, 0, 1], 1)).mistakes == ["a_ts: missing: only a_ts[1] is zero"]
    assert check_adjoint(times(1, 1, np.linspace(2, 3, 20))).mistakes == ["a_theta: no simple pattern"]
    assert check_adjoint(times(1, 1, 1.02)).mistakes[0].startswith("close")


def test_items_may_be_missing_and_are_not_looked_at():
    verdict = check_adjoint(lambda *problem: (algorithm2(*problem)[0], None, None))
    assert verdict and "a_z0" in verdict.evidence and "a_theta" not in verdict.evidence
    slip = lambda *problem: (*algorithm2(*problem, jump=0)[:1], None, None)
    assert check_adjoint(slip).mistakes[0].startswith("dropped jump:")
    slip = lambda *problem: (*algorithm2(*problem, jump=0, jump0=0)[:1], None, None)
    assert check_adjoint(slip).mistakes[0].startswith("all jumps dropped:")


def test_what_is_no_adjoint_is_told():
    assert "returned None" in check_adjoint(lambda *problem: None).mistakes[0]
    assert "three things" in check_adjoint(lambda z0, f, ts, theta, a_zs: z0).mistakes[0]
    wrong_shape = lambda z0, f, ts, theta, a_zs: (z0[0], ts, theta)
    assert check_adjoint(wrong_shape).mistakes == ["a_z0 has shape (2,), but what it belongs to has (3, 2)"]


def test_the_right_gradient_is_no_slip():
    _, problem = next(problems())
    right = algorithm2(*problem)
    assert what_slip(right, right, *problem) is None


def test_the_problem_is_one_that_tells_slips_apart():
    """Every part of the gradient is well away from zero, and f depends on t."""
    for _, (z0, f, ts, theta, a_zs) in problems():
        f = counted(f)
        assert all(np.min(np.abs(x)) > 1e-3 for x in algorithm2(z0, f, ts, theta, a_zs))
        assert abs(f.vjp(z0, ts[0], theta)[1](a_zs[0])[1]) > 0.01


# ---- the verdict


def test_a_verdict_is_true_or_false_and_speaks():
    passed, failed = Verdict("check", "Order 2.", []), Verdict("check", "", ["a < b"])
    assert passed and not failed
    assert str(passed) == repr(passed) == "check: passed. Order 2."
    assert str(failed) == "check: not yet.\n  - a < b"
    assert "&#10003; check: passed" in passed._repr_html_() and "<li>a &lt; b</li>" in failed._repr_html_()


def test_an_exception_in_the_students_function_comes_through():
    with pytest.raises(ZeroDivisionError):
        check_step(lambda f, z, t, h, theta: 1 / 0)
