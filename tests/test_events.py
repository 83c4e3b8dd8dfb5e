"""Events: where they are found, what they do to a trajectory, and how their time and state depend on everything."""

import math

import numpy as np
import pytest

from odelearn import (
    DOPRI5,
    EULER,
    RK4,
    Backsolve,
    Discrete,
    FixedSteps,
    Solver,
    SolverError,
    bosh3,
    check_gradient,
    complex_step,
    counted,
    dopri5,
    euler,
    grad,
    midpoint,
    observed_order,
    odesolve,
    rk4,
)
from odelearn.gradients.checkpointed import Checkpointed
from odelearn.gradients.event_time import event_vjp
from odelearn.gradients.forward import Forward
from odelearn.gradients.interpolating import Interpolating
from odelearn.gradients.reversible import Reversible
from odelearn.neural_ode import odeint_event
from odelearn.solvers.events import Event, zero
from odelearn.solvers.solver import dop853, tsit5

SOLVERS = dict(rk4=rk4(n=7), bosh3=bosh3(), dopri5=dopri5(), tsit5=tsit5(), dop853=dop853(), midpoint=midpoint(h=0.3))
with_solver = pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)

GROUND = Event(lambda z, t, theta: z[0])


def falling(z, t, theta):
    """Height and speed under gravity theta[0]: a parabola, on which every method of order 2 or more is exact."""
    return np.stack([z[1], 0 * z[1] - theta[0]])


def fall(height, speed, g):
    """The time until height 0, in closed form: height + speed t = g t^2 / 2."""
    return (speed + (speed * speed + 2 * g * height) ** 0.5) / g


def oscillator(z, t, theta):
    return np.stack([z[1], -z[0]])


def pendulum(z, t, theta):
    """Damped in turns, by a damping that depends on time."""
    return np.stack([z[1], -theta[0] * np.sin(z[0]) - theta[1] * z[1] * np.cos(t)])


MOVING_LINE = Event(lambda z, t, theta: z[0] - 0.3 * theta[2] * np.cos(t))  # depends on z, t and theta


# ---- where a terminal event ends a trajectory


@with_solver
def test_a_falling_body_lands_when_it_must(solver):
    trajectory = odesolve([10.0, 2.0], falling, (0.0, 1.0, 2.0, 50.0), [9.81], solver, event=GROUND)
    end = fall(10.0, 2.0, 9.81)
    np.testing.assert_allclose(trajectory.ts, [0, 1, end], rtol=1e-14)  # 2 and 50 are not reached
    np.testing.assert_allclose(trajectory.zs[-1], [0, 2 - 9.81 * end], rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(trajectory.zs[1], [10 + 2 - 9.81 / 2, 2 - 9.81], rtol=1e-13)
    ((crossing,),) = trajectory.events
    assert crossing.t == trajectory.ts[-1] and (crossing.z == trajectory.zs[-1]).all()


@with_solver
def test_what_a_cut_trajectory_offers_is_that_of_any_other(solver):
    f = counted(pendulum)
    trajectory = odesolve([1.0, 0.2], f, (0.3, 0.8, 6.0), [1.3, 0.2, 0.5], solver, event=MOVING_LINE)
    assert trajectory.stats.evals == f.evals
    assert trajectory.stats.accepted == len(trajectory.steps) and trajectory.steps[-1].t_next == trajectory.ts[-1]
    np.testing.assert_allclose(trajectory(trajectory.ts), trajectory.zs, rtol=1e-13)
    with pytest.raises(ValueError, match="outside the solved interval"):
        trajectory(trajectory.ts[-1] + 1e-6)
    again = trajectory.replay([1.0, 0.2], [1.3, 0.2, 0.5])
    np.testing.assert_allclose(again.zs, trajectory.zs, rtol=1e-13)


def test_the_end_is_as_accurate_as_a_step():
    """y = sqrt(C + sin t) meets the moving mark where C + sin t = (1 + t / 10)^2: the time has the method's order."""
    f, mark = lambda y, t, theta: np.cos(t) / (2 * y), Event(lambda y, t, theta: y - 1 - t / 10)
    exact = zero(lambda t: (1 + t / 10) ** 2 - 1.5 - np.sin(t), 2.0, 4.0, -1.0, 1.0, 1e-15)
    for tableau in (EULER, RK4, DOPRI5):
        errors = []
        for h in (0.2, 0.1, 0.05, 0.025):
            solver = Solver(tableau, FixedSteps(h=h))
            errors.append(abs(odesolve(1.5**0.5, f, (0.0, 5.0), None, solver, event=mark).ts[-1] - exact))
        assert observed_order(errors) == pytest.approx(tableau.order, abs=0.35)


def test_an_event_that_meets_an_observation_or_nothing():
    clock = lambda at: Event(lambda z, t, theta: t - at)
    met = odesolve([1.0, 0.0], oscillator, (0.0, 0.5, 1.0), None, rk4(n=2), event=clock(0.5))
    assert met.ts.tolist() == [0.0, 0.5] and met.events[0][0].t == 0.5
    missed = odesolve([1.0, 0.0], oscillator, (0.0, 0.5, 1.0), None, rk4(n=2), event=clock(1.5))
    assert missed.ts.tolist() == [0.0, 0.5, 1.0] and missed.events == [[]]
    assert odesolve([1.0, 0.0], oscillator, (0.0, 1.0)).events == []
    assert odesolve([1.0, 0.0], oscillator, (0.0,), event=clock(0.5)).events == [[]]


def test_a_far_horizon_does_not_discourage_a_solve_that_an_event_will_end():
    """Stiff, and with 10^9 to go it would never be done; but it is to stop at t = 1."""
    f, event = lambda y, t, theta: -1e4 * (y - np.cos(t)), Event(lambda y, t, theta: t - 1.0)
    with pytest.raises(SolverError, match="stiff"):
        odesolve(1.0, f, (0.0, 1e9))
    trajectory = odesolve(1.0, f, (0.0, 1e9), event=event)
    assert trajectory.ts[-1] == pytest.approx(1.0, rel=1e-15) and trajectory.stats.accepted > 2000


# ---- all zeros, in both directions of time and of g


@pytest.mark.parametrize("ts", [(1.0, 20.0), (20.0, 1.0)], ids=["forwards", "backwards"])
def test_every_zero_is_found_to_round_off_of_the_dense_output(ts):
    start = [np.sin(ts[0]), np.cos(ts[0])]
    watch = lambda direction: Event(lambda z, t, theta: z[0], terminal=False, direction=direction)
    solver = dopri5(1e-10, 1e-12)
    trajectory = odesolve(start, oscillator, ts, None, solver, event=[watch(0), watch(1), watch(-1)])
    either, rising, falling = ([crossing.t for crossing in found] for found in trajectory.events)
    exact = np.pi * np.arange(1, 7)
    assert np.abs(np.sort(either) - exact).max() < 1e-9
    assert max(abs(trajectory(t)[0]) for t in either) < 1e-14
    for crossing in trajectory.events[0]:
        np.testing.assert_allclose(crossing.z, trajectory(crossing.t), rtol=0, atol=1e-15)
    assert either == sorted(either, reverse=ts[0] > ts[1])
    ups = exact[1::2] if ts[0] < ts[1] else exact[::2]  # seen backwards, sin rises where it fell
    assert np.abs(np.sort(rising) - ups).max() < 1e-9
    assert sorted(rising + falling) == sorted(either)


def test_several_events_in_one_step_come_in_the_order_of_the_solve():
    """z = t over a single step of length 1, forwards and backwards."""
    at = lambda value, terminal=False: Event(lambda z, t, theta: z - value, terminal)
    f = lambda z, t, theta: np.ones_like(z)
    events = [at(0.7), at(0.2), at(0.6, terminal=True), at(0.9)]
    for ts, found in (((0.0, 1.0), [[], [0.2], [0.6], []]), ((1.0, 0.0), [[0.7], [], [0.6], [0.9]])):
        trajectory = odesolve(ts[0], f, ts, None, euler(n=1), event=events)
        times = [[crossing.t for crossing in crossings] for crossings in trajectory.events]
        np.testing.assert_allclose(sum(times, []), sum(found, []), rtol=1e-15)
        assert list(map(len, times)) == list(map(len, found)) and trajectory.ts[-1] == times[2][0]
    waves = Event(lambda z, t, theta: np.cos(4 * np.pi * z), terminal=False)  # zero at 1/8, 3/8, 5/8, 7/8
    (found,) = odesolve(0.0, f, (0.0, 1.0), None, euler(n=1), event=waves).events
    np.testing.assert_allclose([crossing.t for crossing in found], [0.125, 0.375, 0.625, 0.875], rtol=1e-14)


# ---- what is no event


def test_a_zero_at_the_start_does_not_count():
    up = odesolve([0.0, 5.0], falling, (0.0, 9.0), [9.81], event=GROUND)
    assert up.ts[-1] == pytest.approx(2 * 5 / 9.81, rel=1e-14)
    for height in (1e-16, -1e-16):  # no more does the round-off of a solve that has ended there
        again = odesolve([height, 5.0], falling, (0.0, 9.0), [9.81], event=GROUND)
        assert again.ts[-1] == pytest.approx(2 * 5 / 9.81, rel=1e-14)
    below = odesolve([-0.01, 5.0], falling, (0.0, 9.0), [9.81], event=GROUND)
    assert below.ts[-1] == pytest.approx((5 - np.sqrt(25 - 2 * 9.81 * 0.01)) / 9.81, rel=1e-13)


def test_an_oscillator_goes_on_from_each_zero_to_the_next():
    z, t = np.array([0.0, 1.0]), 0.0
    for n in range(1, 6):
        trajectory = odesolve(z, oscillator, (t, 100.0), None, dopri5(1e-11, 1e-13), event=GROUND)
        z, t = trajectory.zs[-1], trajectory.ts[-1]
        assert t == pytest.approx(n * np.pi, abs=1e-9)


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-9, 0.0, -1e-9])
def test_grazing(gap):
    """The top of a parabola at 1 + gap, and a mark at 1: two zeros if a look falls between them, none below."""
    f = lambda z, t, theta: -2 * (t - 0.5) * np.ones_like(z)
    mark = Event(lambda z, t, theta: z - 1.0, terminal=False)
    (found,) = odesolve(0.75 + gap, f, (0.0, 1.0), None, rk4(n=1), event=mark).events
    if gap > 0:  # round-off in z is divided by the slope there, 2 sqrt(gap)
        expected = [0.5 - gap**0.5, 0.5 + gap**0.5]
        np.testing.assert_allclose([crossing.t for crossing in found], expected, atol=1e-15 / gap**0.5, rtol=0)
    elif gap < 0:
        assert not found


# ---- derivatives


METHODS = [Discrete(), Checkpointed(), Forward(), Reversible(), Backsolve(), Interpolating()]


@pytest.mark.parametrize("method", METHODS)
@with_solver
def test_the_derivative_of_a_fall_in_closed_form(solver, method):
    """t = t0 + (v + s) / g with s = sqrt(v^2 + 2 g h), and the speed of impact is -s."""
    h, v, g, t0 = 10.0, 2.0, 9.81, 0.4
    s = np.sqrt(v * v + 2 * g * h)
    (t, z), pullback = event_vjp([h, v], falling, (t0, 40.0), [g], GROUND, solver, method=method)
    assert t - t0 == pytest.approx((v + s) / g, rel=1e-12) and z[1] == pytest.approx(-s, rel=1e-12)
    of_t = pullback(1.0, np.zeros(2))
    np.testing.assert_allclose(of_t.z0, [1 / s, (v + s) / (g * s)], rtol=1e-11)
    np.testing.assert_allclose(of_t.theta, [h / (g * s) - (v + s) / g**2], rtol=1e-11)
    np.testing.assert_allclose(of_t.ts, [1, 0], rtol=1e-11, atol=1e-12)  # a later throw is a later landing
    of_speed = pullback(0.0, np.array([0.0, 1.0]))
    np.testing.assert_allclose(of_speed.z0, [-g / s, -v / s], rtol=1e-11)
    np.testing.assert_allclose(of_speed.theta, [-h / s], rtol=1e-11)


@pytest.mark.parametrize("ts", [(0.3, 6.0), (6.0, 0.3)], ids=["forwards", "backwards"])
@pytest.mark.parametrize("solver", [euler(n=12), midpoint(n=5), rk4(n=6)])
def test_discrete_differentiates_the_very_t_and_z_that_come_out(solver, ts):
    """However coarse the steps: differences of the computed event agree, in z0, theta and ts[0]."""
    x = np.array([1.0, 0.2, 1.3, 0.2, 0.5, ts[0]])

    def event(x, method):
        return event_vjp(x[:2], pendulum, (x[5], ts[1]), x[2:5], MOVING_LINE, solver, method=method)

    def loss(x):
        (t, z), _ = event(x, Checkpointed())  # Discrete's numbers, without its pullbacks
        return t + z @ [0.3, -0.7]

    (t, z), pullback = event(x, Discrete())
    assert abs(MOVING_LINE.g(z, t, x[2:5])) < 1e-14
    g = pullback(1.0, np.array([0.3, -0.7]))
    report = check_gradient(loss, np.concatenate([g.z0, g.theta, g.ts[:1]]), x)
    assert report.passed and np.abs(g.theta).min() > 1e-3, report


@pytest.mark.parametrize("method", [Backsolve(), Interpolating()])
def test_the_adjoint_agrees_at_tight_tolerance(method):
    problem = [1.0, 0.2], pendulum, (0.3, 6.0), [1.3, 0.2, 0.5], MOVING_LINE, dop853(1e-11, 1e-13)
    (t, z), exact = event_vjp(*problem, method=Discrete())
    (t_adjoint, _), pullback = event_vjp(*problem, method=method)
    assert t_adjoint == pytest.approx(t, rel=1e-13)
    g, reference = pullback(1.0, np.array([0.3, -0.7])), exact(1.0, np.array([0.3, -0.7]))
    np.testing.assert_allclose(g.z0, reference.z0, rtol=1e-8)
    np.testing.assert_allclose(g.theta, reference.theta, rtol=1e-8)
    np.testing.assert_allclose(g.ts, reference.ts, rtol=1e-8)
    assert g.stats.evals > 0 and g.stats.pullbacks > 0


@pytest.mark.parametrize("method", [Discrete(), Backsolve()])
def test_a_bouncing_ball_on_the_tape(method):
    """Dropped from h, it bounces at sqrt(2 h / g) (1 + 2 e + 2 e^2 + ...), keeping e of its speed each time."""

    def third_bounce(theta):
        z, ts = np.stack([theta[1], 0.0]), np.array([0.0, 20.0])
        for _ in range(3):
            t, z = odeint_event(z, falling, ts, theta, GROUND, dopri5(1e-10, 1e-10), method=method)
            z, ts = np.stack([0.0, -theta[2] * z[1]]), np.stack([t, 20.0])
        return t

    exact = lambda theta: (2 * theta[1] / theta[0]) ** 0.5 * (1 + 2 * theta[2] + 2 * theta[2] ** 2)
    theta = np.array([9.81, 3.0, 0.8])
    assert third_bounce(theta) == pytest.approx(exact(theta), rel=1e-13)
    np.testing.assert_allclose(grad(third_bounce)(theta), complex_step(exact, theta), rtol=1e-11)


def test_an_event_in_single_precision_and_without_parameters():
    f, z0 = lambda z, t, theta: np.stack([z[1], 0 * z[1] - 9.81]), np.array([10.0, 2.0], np.float32)
    t, z = odeint_event(z0, f, (0.0, 9.0), None, GROUND, dopri5(1e-4, 1e-5))
    assert z.dtype == np.float32 and t == pytest.approx(fall(10, 2, 9.81), rel=1e-6)
    a_v = grad(lambda v: odeint_event(np.stack([10.0, v]), f, (0.0, 9.0), None, GROUND)[0])(2.0)
    assert a_v == pytest.approx(fall(10, 2, 9.81) / np.sqrt(4 + 2 * 9.81 * 10), rel=1e-6)


def test_second_derivatives_of_an_event_are_refused():
    time = lambda v: odeint_event(np.stack([10.0, v]), falling, (0.0, 9.0), np.array([9.81]), GROUND)[0]
    with pytest.raises(TypeError, match="first derivatives only"):
        grad(grad(time))(2.0)


# ---- the root finder


@pytest.mark.parametrize(
    "g, root, most",
    [
        (lambda x: x - 0.3, 0.3, 12),
        (lambda x: math.cos(3 * x) - math.cos(0.9), 0.3, 12),
        (lambda x: math.exp(20 * (x - 0.7)) - 1, 0.7, 16),
        (lambda x: x - 1.0, 1.0, 12),
        (lambda x: (x - 0.3) ** 9, 0.3, 2 * 52 + 1),
        (lambda x: -1.0 if x < 0.3 else 1e6, 0.3, 2 * 52 + 1),
    ],
)
def test_a_zero_is_found_to_round_off_for_few_values_of_g(g, root, most):
    """From a bracket of width 1 to 2^-52: bisection takes 52."""
    calls = []
    x = zero(lambda x: calls.append(x) or g(x), 0.0, 1.0, g(0.0), g(1.0), 2.0**-52)
    assert abs(x - root) <= 2.0**-51 or abs(g(x)) <= 1e-140
    assert len(calls) <= most and g(x) * g(0.0) <= 0


# ---- mistakes


@pytest.mark.parametrize(
    "event, error, message",
    [
        (lambda: Event(3), TypeError, "takes a function g"),
        (lambda: Event(len, direction=2), ValueError, "direction must be -1, 0 or 1, got 2"),
        (lambda: lambda z, t, theta: z[0], TypeError, "event must be an Event"),
        (lambda: [GROUND, 3], TypeError, "event must be an Event"),
        (lambda: Event(lambda z, t, theta: z), TypeError, "must be one real number"),
        (lambda: Event(lambda z, t, theta: 1j), TypeError, "must be one real number"),
        (lambda: Event(lambda z, t, theta: np.nan), ValueError, "must be finite, got nan at t = 0"),
    ],
)
def test_bad_events_are_named(event, error, message):
    with pytest.raises(error, match=message):
        odesolve([1.0, 2.0], oscillator, (0.0, 1.0), event=event())


def test_events_without_a_time_or_without_a_derivative_are_named():
    with pytest.raises(SolverError, match=r"did not occur between ts\[0\] = 0 and ts\[1\] = 0.5"):
        odeint_event([10.0, 2.0], falling, (0.0, 0.5), [9.81], GROUND)
    with pytest.raises(ValueError, match="ts must be two times here, .* got 3"):
        odeint_event([10.0, 2.0], falling, (0.0, 0.5, 9.0), [9.81], GROUND)
    cubed = Event(lambda z, t, theta: z**3)
    with pytest.raises(SolverError, match="touches g = 0"):
        event_vjp(-1.0, lambda z, t, theta: 1.0 + 0 * z, (0.0, 4.0), None, cubed, euler(n=4), method=Discrete())
