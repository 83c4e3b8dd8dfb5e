"""Steps that are lent and steps that are owned; the shorter loop of equal steps beside the general one."""

from itertools import pairwise

import numpy as np
import pytest

from odelearn import (
    BOSH3,
    DOP853,
    DOPRI5,
    EULER,
    RK4,
    Backsolve,
    Checkpointed,
    Event,
    FixedSteps,
    Forward,
    Solver,
    SolverError,
    dopri5,
    odesolve,
    odesolve_vjp,
    rk4,
)
from odelearn.solvers.solver import Stepper, steps

TABLEAUS = [EULER, RK4, BOSH3, DOPRI5, DOP853]  # with and without first same as last
SOLVERS = [rk4(n=6), Solver(DOPRI5, FixedSteps(6)), dopri5(1e-5, 1e-7), Solver(BOSH3)]
Z0, TS = np.array([[1.0, 0.5], [0.2, -1.0]]), np.array([0.1, 0.7, 1.6])


def name(x):
    return getattr(x, "name", None) or f"{x.tableau.name} {type(x.control).__name__}"


def swing(z, t, theta):
    """Nonlinear, and it depends on t."""
    return np.stack([z[:, 1], -np.sin(z[:, 0]) + 0.3 * np.cos(2 * t)], axis=1)


def value(z, t, k):
    k[...] = swing(z, t, None)


def walk(stepper, ts=TS):
    """All steps of a loop as a user writes it, kept in a list."""
    z, kept = Z0, []
    for t, t_end in pairwise(ts.tolist()):
        for step in steps(stepper, z, t, t_end):
            kept.append(step)
            z = step.z_next
    return kept


def middle(step):
    return step((step.t + step.t_next) / 2)


def slopes(step):
    """k of the step, worked out by the formula: k_i = f(z + h sum_j A_ij k_j, t + c_i h)."""
    A, c, k = step.scheme.tableau.A, step.scheme.tableau.c, np.zeros_like(step.k)
    for i in range(len(k)):
        k[i] = swing(step.z + step.h * np.tensordot(A[i], k, 1), step.t + c[i] * step.h, None)
    return k


# ---- lent and owned


@pytest.mark.parametrize("solver", SOLVERS, ids=name)
def test_a_step_is_the_callers_to_keep(solver):
    """After the whole solve every step still has its own slopes, of which no two share memory."""
    kept = walk(solver.stepper(value, Z0, TS))
    for step in kept:
        np.testing.assert_allclose(step.k, slopes(step), rtol=0, atol=1e-13)
        assert step.own() is step
    assert not any(np.shares_memory(a.k, b.k) for a, b in pairwise(kept))


@pytest.mark.parametrize("solver", SOLVERS, ids=name)
def test_a_lent_step_is_good_until_the_next_one_and_own_is_for_keeping_it(solver):
    """The same steps, bit for bit. The slopes of all lent ones are one array; a copy by own() stays what it was."""
    owned, lent = walk(solver.stepper(value, Z0, TS)), []
    stepper, z = solver.stepper(value, Z0, TS, lend=True), Z0
    for t, t_end in pairwise(TS.tolist()):
        for step in steps(stepper, z, t, t_end):
            np.testing.assert_array_equal(step.k, owned[len(lent)].k)
            np.testing.assert_array_equal(
                step((step.t + step.t_next) / 2), owned[len(lent)]((step.t + step.t_next) / 2)
            )
            lent.append((step, step.own()))
            z = step.z_next
    assert len(lent) == len(owned) > 3
    for (step, own), expected in zip(lent, owned, strict=True):
        assert step.k is lent[-1][0].k
        assert own.own() is own
        for part in ("t", "h", "t_next", "z", "z_next", "k"):
            np.testing.assert_array_equal(getattr(own, part), getattr(expected, part))
        np.testing.assert_array_equal(step.again().k, expected.k)
    assert np.abs(lent[0][0].k - owned[0].k).max() > 0.01


def test_what_odesolve_returns_is_owned_also_with_events():
    """Trajectories are read at any time later: dense output, and the step that an event has cut short."""
    for event in None, [Event(lambda z, t, theta: z[0, 0] - 0.9, terminal=False), Event(lambda z, t, theta: t - 1.3)]:
        traj = odesolve(Z0, swing, TS, None, rk4(n=6), event)
        for step in traj.steps:
            np.testing.assert_allclose(step.k, slopes(step), rtol=0, atol=1e-13)
    assert traj.ts[-1] == pytest.approx(1.3, abs=1e-12)


def test_every_step_of_scipy_is_its_own():
    pytest.importorskip("scipy")
    from odelearn import scipy_solver

    stepper = scipy_solver("RK45").stepper(value, Z0, TS, lend=True)
    for step, seen in [(step, middle(step)) for step in walk(stepper)]:
        assert step.own() is step
        np.testing.assert_array_equal(middle(step), seen)


@pytest.mark.parametrize("solver", [rk4(n=50), Solver(DOPRI5, FixedSteps(50)), dopri5(max_steps=300)], ids=name)
@pytest.mark.parametrize("method", [Backsolve(), Checkpointed(), Forward()])
def test_a_failure_is_told_in_the_same_words_where_steps_are_lent(method, solver):
    """What made a slope infinite stands in the step before, whose slopes have been written over."""
    for f in (
        lambda z, t, theta: z * z,  # infinite at t = 1
        lambda z, t, theta: -np.sqrt(1.5 - t) + 0 * z,  # nan after t = 1.5, z harmless
        lambda z, t, theta: -1e5 * z,  # steps too long
    ):
        messages = []
        for solve in (
            lambda f=f: odesolve([1.0, 0.5], f, (0.0, 2.0), None, solver),
            lambda f=f: odesolve_vjp([1.0, 0.5], f, (0.0, 2.0), None, solver, method),
        ):
            with pytest.raises(SolverError) as caught:
                solve()
            messages.append(str(caught.value))
        assert messages[0] == messages[1]


# ---- equal steps


@pytest.mark.parametrize("ts", [TS, TS[::-1]], ids=["forwards", "backwards"])
@pytest.mark.parametrize("control", [FixedSteps(5), FixedSteps(h=0.11)], ids=["n", "h"])
@pytest.mark.parametrize("tableau", TABLEAUS, ids=name)
def test_the_loop_of_equal_steps_is_the_general_one_bit_for_bit(tableau, control, ts):
    solver, ledgers = Solver(tableau, control), ([], [])
    short, general = solver.stepper(value, Z0, ts, ledgers[0]), Stepper(solver, value, Z0, ts, ledgers[1])
    assert type(short) is not Stepper
    for a, b in zip(walk(short, ts), walk(general, ts), strict=True):
        assert (a.t, a.h, a.t_next) == (b.t, b.h, b.t_next)
        np.testing.assert_array_equal(a.k, b.k)
        np.testing.assert_array_equal(a.z_next, b.z_next)
    assert str(ledgers[0]) == str(ledgers[1])  # nan for the error: it is not estimated
    assert (short.evals, short.accepted, short.rejected) == (general.evals, general.accepted, general.rejected)


@pytest.mark.parametrize("tableau", TABLEAUS, ids=name)
def test_a_user_may_go_on_from_another_state_after_any_of_equal_steps(tableau):
    """A first slope that was handed on is forgotten then."""
    solver = Solver(tableau, FixedSteps(8))
    for lend in False, True:
        stepper, z, t = solver.stepper(value, Z0, TS[:2], lend=lend), Z0, TS[0]
        while t != TS[1]:
            step = stepper.step(z, t, TS[1])
            np.testing.assert_allclose(step.k, slopes(step), rtol=0, atol=1e-13)
            z, t = 0.9 * step.z_next, step.t_next


@pytest.mark.parametrize("tableau", [EULER, DOPRI5], ids=name)
def test_equal_steps_are_all_checked(tableau):
    """The error of the general loop, from the step where the state stops to be finite."""

    def blows_up(z, t, k):
        k[...] = np.where(t > 1, np.inf, z)

    messages = []
    for make in Solver(tableau, FixedSteps(10)).stepper, lambda *args: Stepper(Solver(tableau, FixedSteps(10)), *args):
        with np.errstate(all="ignore"), pytest.raises(SolverError) as caught:
            walk(make(blows_up, Z0, TS), TS)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert "not finite" in messages[0]
