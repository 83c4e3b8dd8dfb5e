"""What students run on their own code: the right passes, and every planted mistake is called by its name."""

import numpy as np
import pytest
import student_mistakes

from odelearn import (
    HEUN,
    MIDPOINT,
    MLP,
    RK4,
    TABLEAUS,
    Backsolve,
    ButcherTableau,
    Discrete,
    Dynamics,
    counted,
    dopri5,
    euler,
    heun,
    odesolve,
    rk4,
)
from odelearn.checks import Verdict, check_adjoint, check_solver, check_step, check_vjp
from odelearn.checks.adjoint import gradients_by, problems
from odelearn.checks.discrete_mistakes import DISCRETE_MISTAKES, discrete_adjoint
from odelearn.checks.known_mistakes import KNOWN_MISTAKES, RIGHT, algorithm2, name_mistake
from odelearn.checks.step_coefficients import read_moves

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
        (lambda z, t, th: (z + z[::-1], t, th), "a_z: no simple pattern"),
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


def test_arguments_are_named_as_the_function_names_them_and_numbered_where_it_does_not():
    """A function of *args has no names for them; its local variables are none."""

    def times(*factors):
        first, second = factors
        return first * second, lambda a: (a * second, -a * first)

    class Scale:
        def vjp(self, z, *rest):
            (factor,) = rest
            return z * factor, lambda a: (-a * factor, a * z)

        def apply(self, z, factor):
            kept = z
            return z * factor, lambda a: (a * factor, -a * kept)

    assert check_vjp(times, 2.0, 3.0).mistakes[0].startswith("a_x1: sign")
    assert check_vjp(Scale(), 2.0, 3.0).mistakes[0].startswith("a_x0: sign")
    assert check_vjp(Scale().apply, 2.0, 3.0).mistakes[0].startswith("a_factor: sign")
    assert (
        "a_x0, a_x1"
        in check_vjp(np.frompyfunc(lambda x, y: (x * y, lambda a: (a * y, a * x)), 2, 2), 2.0, 3.0).evidence
    )


def test_the_callers_arrays_are_left_alone():
    x = np.array([1.0, 2.0])

    def doubles(x):
        x *= 2
        return x, lambda a: 2 * a

    assert check_vjp(doubles, x).mistakes[0].startswith("your function changed its argument x in place")
    np.testing.assert_array_equal(x, [1.0, 2.0])


def test_a_pullback_is_linear_and_may_be_called_twice():
    for wrong, named in (
        (lambda x: (np.sin(x), lambda a: np.cos(x)), "a_x: pullback does not use a_y"),
        (lambda x: (np.sin(x), lambda a: a * np.cos(x) + 1), "a_x: pullback is not linear"),
        (lambda x: (np.sin(x), lambda a: a * a * np.cos(x)), "a_x: pullback is not linear"),
    ):
        assert check_vjp(wrong, np.array([0.3, 0.8])).mistakes[0].startswith(named)


def test_the_derivative_along_a_is_not_the_pullback():
    A = np.array([[1.0, 2.0, 0.0], [0.5, -1.0, 3.0], [0.0, 0.7, 1.0]])
    along = lambda x: (A @ np.sin(x), lambda a: A @ (np.cos(x) * a))
    assert check_vjp(along, np.array([0.3, 0.8, -0.4])).mistakes[0].startswith("a_x: transposed: this is J a")


SLOPE_OF = {  # y = g(x) and its slope
    "tanh": (np.tanh, lambda y: 1 - y * y),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda y: y * (1 - y)),
    "exp": (np.exp, lambda y: y),
    "relu": (lambda x: np.maximum(x, 0), lambda y: np.where(y > 0, 1.0, 0.0)),
}


@pytest.mark.parametrize("name", SLOPE_OF)
def test_a_forgotten_activation_is_named(name):
    g, slope = SLOPE_OF[name]
    x = np.array([[0.7, -0.4, 1.3], [-1.1, 0.2, 0.5]])
    W = np.array([[1.0, 0.3], [-0.5, 2.0], [0.8, -0.7]])

    def layer(right):
        def fun(x, W):
            y = g(x @ W)
            scaled = (lambda a: a * slope(y)) if right else (lambda a: a)
            return y, lambda a: (scaled(a) @ W.T, x.T @ scaled(a))

        return fun

    assert check_vjp(layer(True), x, W)
    (mistake,) = check_vjp(layer(False), x, W).mistakes
    assert mistake.startswith(f"activation: the derivative of {'the ' if name == 'sigmoid' else ''}{name}")


def test_two_mistakes_are_two_sentences():
    verdict = check_vjp(field(lambda z, t, th: (-z, t, th / 3)))
    assert [text.split(":")[0] for text in verdict.mistakes] == ["a_z", "a_theta"]
    assert verdict.details.worst


# ---- steps


def euler_step(f, z, t, h, theta):
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
    for step, order in (euler_step, 1), (midpoint, 2), (classic, 4):
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
        (euler_step, 2, "declared 2, observed"),
    ],
)
def test_a_wrong_step_is_named(step, order, named):
    verdict = check_step(step, order)
    assert not verdict and any(text.startswith(named) for text in verdict.mistakes)


@pytest.mark.parametrize("tableau", TABLEAUS.values())
def test_a_step_of_a_method_passes_as_that_method_and_as_no_other(tableau):
    step = student_mistakes.butcher_loop(tableau)
    assert check_step(step, like=tableau)
    other = HEUN if tableau is not HEUN else MIDPOINT
    verdict = check_step(step, like=other)
    assert not verdict
    assert f"another method: this is {tableau.name}, asked for is {other.name}" in verdict.mistakes


def test_a_stage_that_only_an_error_estimate_uses_may_be_left_out():
    """Bogacki and Shampine's method with three stages, where the tableau has a fourth."""

    def three_stages(f, z, t, h, theta):
        k1 = f(z, t, theta)
        k2 = f(z + h / 2 * k1, t + h / 2, theta)
        k3 = f(z + 3 * h / 4 * k2, t + 3 * h / 4, theta)
        return z + h / 9 * (2 * k1 + 3 * k2 + 4 * k3)

    assert check_step(three_stages, like=TABLEAUS["BOSH3"])
    assert "this is BOSH3, asked for is HEUN" in check_step(three_stages, like=HEUN).mistakes[0]


def test_a_stale_time_is_told_once_with_its_stage_beside_what_the_audit_says():
    mistakes = check_step(changed(c=0), 2).mistakes
    assert [text.split(":")[0] for text in mistakes].count("stale time") == 1 and "stage 2" in mistakes[0]
    assert any(text.startswith("declared 2, observed 1.0 on y' = y cos t") for text in mistakes[1:])
    mistakes = check_step(changed(c=0.9, a=1.0), 2).mistakes  # seen by the audit too, if no stage can be named
    assert any(text.startswith("stale time: stage 2") for text in mistakes)


def test_the_difference_between_two_methods_is_shown():
    theta_method = ButcherTableau("MINE", order=2, A=[[0, 0], [0.6, 0]], b=[1 / 6, 5 / 6], c=[0, 0.6])
    step = student_mistakes.butcher_loop(theta_method)
    assert check_step(step, like=theta_method) and check_step(step, order=2)
    assert (
        "another method: c[1] = 0.6, MIDPOINT has 0.5, asked for is MIDPOINT"
        in check_step(step, like=MIDPOINT).mistakes
    )
    called = "another method: f is called 2 times, RK4 has 4 stages, asked for is RK4"
    assert called in check_step(step, like=RK4).mistakes
    third = lambda *args: classic(*args) + 0 * args[0](args[1], args[2], args[4])
    assert check_step(third, like=RK4)  # the value counts, not the number of calls


def test_a_method_is_compared_in_both_directions_of_time():
    for step in student_mistakes.absolute_h_in_the_stage, student_mistakes.absolute_h_in_the_time:
        mistakes = check_step(step, like=MIDPOINT).mistakes
        assert mistakes[0].startswith("sign: abs(h)") and mistakes[1].startswith("another method")


def test_the_order_asked_for_wins_over_that_of_the_method():
    assert not check_step(midpoint, order=3, like=MIDPOINT)


def test_the_coefficients_of_a_step_are_read_off():
    for tableau in TABLEAUS.values():
        for h in (0.1, -0.25):
            moves = read_moves(student_mistakes.butcher_loop(tableau), tableau.stages, h, np.array([2.0]))
            np.testing.assert_allclose(moves.Z / h, tableau.A, atol=1e-14)
            np.testing.assert_allclose(moves.t / h, tableau.c, atol=1e-14)
            np.testing.assert_allclose(moves.z_next / h, tableau.b, atol=1e-14)
    assert read_moves(midpoint, 3, 0.1, np.array([2.0])) is None  # f is called twice, not three times


def test_the_first_condition_that_fails_is_shown():
    """Up to order 3 with its value; all of a lower order hold."""
    kutta = dict(order=3, b=[1 / 6, 4 / 6, 1 / 6], c=[0, 1 / 2, 1])
    without_k2 = ButcherTableau("MINE", A=[[0, 0, 0], [1 / 2, 0, 0], [0, 1, 0]], **kutta)
    right = ButcherTableau("KUTTA3", A=[[0, 0, 0], [1 / 2, 0, 0], [-1, 2, 0]], **kutta)
    for tableau, order, said in (
        (HEUN, 3, "order 3: sum b_i c_i^2 = 0.5 and should be 0.3333"),
        (without_k2, 3, "order 3: sum b_i A_ij c_j = 0.08333 and should be 0.1667"),
        (right, 4, "order 4: one of them fails"),
    ):
        mistake = check_step(student_mistakes.butcher_loop(tableau), order).mistakes[0]
        assert mistake == f"coefficients: they do not satisfy the conditions of {said}"
    assert check_step(student_mistakes.butcher_loop(right), 3)


def test_a_failing_condition_is_shown_with_its_value():
    mistakes = check_step(changed(b=0.9), 2).mistakes
    assert (
        mistakes[0]
        == "coefficients: they do not satisfy the conditions of order 2: sum b_i c_i = 0.45 and should be 0.5"
    )


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
        (solver(step=euler_step), "declared 2, observed"),
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

NAMES = "z0", "ts", "theta"


def by(method, solver):
    def adjoint(z0, f, ts, theta, a_zs):
        _, pullback = method.vjp(z0, f, ts, theta, solver)
        g = pullback(a_zs)
        return g.z0, g.ts, g.theta

    return adjoint


COARSE = rk4(n=6)


def with_mistake(solver=COARSE, **switches):
    return lambda *problem: algorithm2(*problem, solver=solver, **switches)


def test_right_adjoints_pass():
    assert check_adjoint(by(Backsolve(), dopri5()), rtol=1e-5)
    assert check_adjoint(with_mistake(dopri5(1e-9, 1e-11)), rtol=1e-7)


def test_algorithm2_with_every_switch_at_its_right_value_is_algorithm2():
    _, problem = next(problems())
    for plain, switched in zip(algorithm2(*problem), algorithm2(*problem, **RIGHT), strict=True):
        assert np.array_equal(plain, switched)


@pytest.mark.parametrize("name", KNOWN_MISTAKES)
def test_every_known_mistake_of_an_adjoint_is_named(name):
    switches, advice = KNOWN_MISTAKES[name]
    verdict = check_adjoint(with_mistake(**switches))
    assert not verdict and verdict.mistakes == [f"{name}: {advice}"]


def test_a_switch_that_does_not_exist_is_refused():
    _, problem = next(problems())
    with pytest.raises(TypeError, match="no mistake is called a_sgn; the switches are a_sign, theta_sign"):
        algorithm2(*problem, a_sgn=1)
    with pytest.raises(TypeError, match="no mistake is called boundary"):
        discrete_adjoint(*problem, euler(n=2), boundary=1)


@pytest.mark.parametrize("n", [10, 30])
def test_one_step_too_many_is_named(n):
    verdict = check_adjoint(with_mistake(past=1 / n))
    assert not verdict and verdict.mistakes[0].startswith("one step too many")
    fraction = float(verdict.mistakes[0].split("went on for ")[1].split("%")[0]) / 100
    assert fraction == pytest.approx(1 / n, rel=0.2)  # to first order in 1/n


def test_a_mistake_that_shows_only_backwards_in_time_is_told_so():
    def adjoint(z0, f, ts, theta, a_zs):
        a_z0, a_ts, a_theta = algorithm2(z0, f, ts, theta, a_zs)
        return a_z0, a_ts, a_theta * np.sign(ts[1] - ts[0])

    assert check_adjoint(adjoint).mistakes[0].startswith("only when time runs backwards: sign of a_theta")


def test_factors_and_corners_are_named_when_no_known_mistake_explains_them():
    def times(a, b, c):
        return lambda *problem: [s * x for s, x in zip((a, b, c), algorithm2(*problem), strict=True)]

    assert check_adjoint(times(1, 1, 50)).mistakes[0].startswith("a_theta: factor: gradient = 50 reference")
    assert check_adjoint(times(-1, -1, -1)).mistakes[0].startswith("a_z0: sign")
    assert check_adjoint(times(1, [1, 0, 1], 1)).mistakes == ["a_ts: missing: only a_ts[1] is zero"]
    assert check_adjoint(times(1, 1, np.linspace(2, 3, 20))).mistakes == ["a_theta: no simple pattern"]
    assert check_adjoint(times(1, 1, 1.02)).mistakes[0].startswith("close")


def test_every_output_is_demanded():
    """Nothing is skipped because it is None; an exercise that asks for less says so, and the verdict does."""
    nothing = lambda *problem: (None, None, None)
    assert check_adjoint(nothing).mistakes == [f"a_{name} is None, and this exercise asks for it" for name in NAMES]
    for name in NAMES:
        assert check_adjoint(nothing, of=name).mistakes == [f"a_{name} is None, and this exercise asks for it"]
        without = lambda *problem, name=name: [None if n == name else x for n, x in zip(NAMES, algorithm2(*problem))]  # noqa: B905
        assert check_adjoint(without).mistakes == [f"a_{name} is None, and this exercise asks for it"]
        others = [other for other in NAMES if other != name]
        verdict = check_adjoint(without, of=others)
        assert verdict and verdict.evidence.endswith(f"Not looked at: a_{name}.")
        assert all(f"a_{other} off by" in verdict.evidence for other in others)
    assert "Not looked at" not in str(check_adjoint(algorithm2))
    assert check_adjoint(nothing, of=("theta", "z0")).evidence == "Not looked at: a_ts."


def test_what_is_not_asked_for_is_not_looked_at():
    wrong_ts = lambda *problem: (algorithm2(*problem)[0], "anything", algorithm2(*problem)[2])
    assert check_adjoint(wrong_ts, of=("z0", "theta"))
    mistake = lambda *problem: (algorithm2(*problem, jump=0)[0], None, None)
    assert check_adjoint(mistake, of=["z0"]).mistakes[0].startswith("dropped jump:")
    mistake = lambda *problem: (algorithm2(*problem, jump=0, jump0=0)[0], None, None)
    assert check_adjoint(mistake, of="z0").mistakes[0].startswith("all jumps dropped:")


def test_what_cannot_be_asked_for_is_refused():
    for of in ("z", (), ("z0", "t")):
        with pytest.raises(ValueError, match="of must be one or more of z0, ts, theta"):
            check_adjoint(algorithm2, of=of)
    for exact in (RK4, 1e-3, rk4):
        with pytest.raises(TypeError, match=r"exact must be a Solver, such as euler\(n=10\)"):
            check_adjoint(algorithm2, exact=exact)
    for like in ("midpoint", heun(n=1)):
        with pytest.raises(TypeError, match="like must be a ButcherTableau, such as MIDPOINT"):
            check_step(euler_step, like=like)


# ---- adjoints of the computed numbers


@pytest.mark.parametrize("solver", [euler(n=10), heun(n=3), rk4(n=2), dopri5(1e-3, 1e-4)])
def test_discrete_adjoint_with_every_switch_at_its_right_value_is_discrete(solver):
    for _, problem in problems():
        for ours, g in zip(discrete_adjoint(*problem, solver), gradients_by(Discrete(), problem, solver), strict=True):
            np.testing.assert_allclose(ours, g, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", DISCRETE_MISTAKES)
def test_every_mistake_in_a_chain_rule_is_named(name):
    """With three steps an interval, and with a method of two stages: everything that can differ does."""
    switches, advice = DISCRETE_MISTAKES[name]
    verdict = check_adjoint(lambda *p: discrete_adjoint(*p, heun(n=3), **switches), exact=heun(n=3))
    assert not verdict and verdict.mistakes == [f"{name}: {advice}"]


def test_exact_means_to_round_off():
    """A gap of O(h) passes against the exact flow, and is found against the numbers of the solver."""
    late = lambda *p: discrete_adjoint(*p, euler(n=300), a_of="n")
    assert check_adjoint(late, of=("z0", "theta"), rtol=0.02)
    assert not check_adjoint(late, of=("z0", "theta"), exact=euler(n=300))
    verdict = check_adjoint(lambda *p: discrete_adjoint(*p, rk4(n=4)), exact=rk4(n=4))
    assert verdict and "(relative to Discrete() of RK4(n=4))" in verdict.evidence
    off = lambda *p: [x * (1 + 1e-8) for x in discrete_adjoint(*p, rk4(n=4))]
    assert not check_adjoint(off, exact=rk4(n=4)) and check_adjoint(off, exact=rk4(n=4), rtol=1e-7)


def test_the_gradient_of_other_numbers_is_named():
    other = check_adjoint(lambda *p: gradients_by(Discrete(), p, rk4(n=20)), exact=euler(n=10))
    assert other.mistakes[0].startswith("another discretisation: closer to the gradient of the exact flow")
    continuous = check_adjoint(lambda *p: gradients_by(Backsolve(), p, euler(n=10)), exact=euler(n=10))
    assert continuous.mistakes[0].startswith("continuous adjoint: this is eq. (35) solved backwards by EULER(n=10)")
    doubled = lambda *p: [c * x for c, x in zip((1, 1, 2), gradients_by(Discrete(), p, euler(n=10)), strict=True)]
    assert check_adjoint(doubled, exact=euler(n=10)).mistakes == [
        "a_theta: factor: gradient = 2 reference, as if counted twice"
    ]


def test_a_factor_is_named_though_nothing_else_is_asked_for():
    scaled = lambda *p: (1.5 * algorithm2(*p)[0], None, None)
    assert check_adjoint(scaled, of="z0").mistakes[0].startswith("a_z0: factor: gradient = 1.5 reference")


def test_items_in_another_order_are_told():
    assert (
        check_adjoint(lambda *p: algorithm2(*p)[::-1]).mistakes[0].startswith("wrong order: return a_z0, a_ts, a_theta")
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_a_gradient_that_has_grown_beyond_all_bounds_points_to_a_missing_h(sign):
    grown = lambda *p: (sign * 1e5 * np.exp(algorithm2(*p)[0]), None, None)
    assert check_adjoint(grown, of="z0").mistakes[0].startswith("a_z0: missing h, it seems: ")
    large = lambda *p: (sign * 100 * np.exp(algorithm2(*p)[0] / 4), None, None)
    assert check_adjoint(large, of="z0").mistakes == ["a_z0: no simple pattern"]


@pytest.mark.parametrize("n", [10, 200])
def test_a_missing_h_in_a_theta_is_named_with_the_number_of_steps(n):
    def adjoint(*problem):
        a_z0, a_ts, a_theta = algorithm2(*problem)
        part = algorithm2(*problem, carry=0)[2]
        spans = np.diff(problem[2]) / n
        return a_z0, a_ts, part / spans[0] + (a_theta - part) / spans[1]

    (mistake,) = check_adjoint(adjoint).mistakes
    assert mistake.startswith("missing h in a_theta") and f"about {n} steps" in mistake


def test_what_is_no_adjoint_is_told():
    nothing = check_adjoint(lambda *problem: None, of="z0")
    assert "returned None" in nothing.mistakes[0] and nothing.evidence == ""
    assert "three things" in check_adjoint(lambda z0, f, ts, theta, a_zs: z0).mistakes[0]
    wrong_shape = lambda z0, f, ts, theta, a_zs: (z0[0], ts, theta)
    assert check_adjoint(wrong_shape).mistakes == ["a_z0 has shape (2,), but what it belongs to has (3, 2)"]


def test_the_right_gradient_is_no_mistake():
    _, problem = next(problems())
    right = algorithm2(*problem)
    assert name_mistake(right, right, *problem) is None


def test_the_problem_is_one_that_tells_mistakes_apart():
    """Every part of the gradient is well away from zero, and f depends on t."""
    for _, (z0, f, ts, theta, a_zs) in problems():
        f = counted(f)
        assert all(np.min(np.abs(x)) > 1e-3 for x in algorithm2(z0, f, ts, theta, a_zs))
        assert abs(f.vjp(z0, ts[0], theta)[1](a_zs[0])[1]) > 0.01


# ---- what is not finite


def test_what_is_not_finite_is_named_with_its_place():
    """By every check: which array, which component, and what it is."""

    def nan_in_theta(*problem):
        a_z0, a_ts, a_theta = algorithm2(*problem)
        a_theta[[3, 5]] = np.nan
        return a_z0, a_ts, a_theta

    def infinite(f, z, t, h, theta):
        return z + [h * 1.0, np.inf] * f(z, t, theta)

    def nan_at_the_end(z0, f, ts, theta):
        zs = solver()(z0, f, ts, theta)
        zs[3, 1, 0] = np.nan
        return zs

    mistakes = check_adjoint(nan_in_theta).mistakes
    assert mistakes == ["not finite: a_theta[3] is nan; 2 of 20 components are not finite"]
    assert check_step(infinite).mistakes == ["not finite: z_next[1] is inf; 1 of 2 components are not finite"]
    assert check_solver(nan_at_the_end).mistakes[0].startswith("not finite: zs[3, 1, 0] is nan; 1 of 24")
    nan_in_z = lambda z, t, th: (np.where([[1, 1], [1, 0], [1, 1]], z, np.nan), t, th)
    assert check_vjp(field(nan_in_z)).mistakes[0].startswith("a_z: not finite: gradient, first at z[1, 1]")
    assert (
        check_vjp(lambda x: (x * x, lambda a: np.nan), 0.3)
        .mistakes[0]
        .startswith("a_x: not finite: gradient, first at x")
    )


# ---- wrong and right code, as students write it


@pytest.mark.parametrize("name", student_mistakes.MISTAKES)
def test_a_students_mistake_is_refused_and_named(name):
    check, wrong, named = student_mistakes.MISTAKES[name]
    verdict = check(wrong)
    assert not verdict
    assert named is None or any(text.startswith(named) for text in verdict.mistakes), verdict.mistakes


def test_nearly_all_mistakes_are_named():
    named = [name for name, (_, _, text) in student_mistakes.MISTAKES.items() if text]
    assert len(student_mistakes.MISTAKES) >= 40 and len(named) >= 0.9 * len(student_mistakes.MISTAKES)


@pytest.mark.parametrize("name", student_mistakes.RIGHT)
def test_right_code_in_any_style_passes(name):
    check, right = student_mistakes.RIGHT[name]
    assert check(right), check(right)


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
