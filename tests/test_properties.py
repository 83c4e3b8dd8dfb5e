"""What is true of every solve, on problems that hypothesis makes up."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odelearn import TABLEAUS, FixedSteps, Solver, bosh3, counted, dopri5, odesolve
from odelearn.solvers.solver import dop853, tsit5

examples = settings(deadline=None, derandomize=True, max_examples=30, database=None)

rates = st.floats(0.1, 2.0)
states = st.lists(st.floats(-3.0, 3.0), min_size=1, max_size=4).map(np.array)
observations = st.lists(st.integers(-16, 16), min_size=2, max_size=6, unique=True)
times = st.builds(lambda ts, way: np.sort(ts)[::way] / 8.0, observations, st.sampled_from([1, -1]))
adaptive = st.sampled_from([bosh3, dopri5, tsit5, dop853])
fixed = st.builds(
    lambda tableau, n: Solver(tableau, FixedSteps(n=n)), st.sampled_from([*TABLEAUS.values()]), st.integers(1, 5)
)
solvers = fixed | adaptive.map(lambda solver: solver(1e-4, 1e-6))


def f(z, t, a):
    """z' = cos t - a z / (1 + |z|^2), for each component by itself: nonlinear, forced, and nowhere steeper than a."""
    return math.cos(t) - a[0] * z / (1 + abs(z) ** 2)


def solve(z0, ts, a, solver):
    return odesolve(z0, f, ts, np.array([a]), solver)


@examples
@given(states, times, rates, adaptive)
def test_back_again_is_where_it_began(z0, ts, a, solver):
    """An error grows like exp(a |t1 - t0|) at most, whichever way time runs."""
    solver = solver(1e-10, 1e-10)
    there = solve(z0, ts, a, solver).zs
    back = solve(there[-1], ts[::-1], a, solver).zs[::-1]
    assert np.abs(back - there).max() < 1000 * 1e-10 * math.exp(a * abs(ts[-1] - ts[0]))


@examples
@given(states, times, rates, st.integers(-64, 64), solvers)
def test_a_later_start_makes_no_difference_if_f_starts_later_as_well(z0, ts, a, shift, solver):
    one = solve(z0, ts, a, solver)
    other = odesolve(z0, lambda z, t, theta: f(z, t - shift, theta), ts + shift, np.array([a]), solver)
    np.testing.assert_allclose(other.zs, one.zs, rtol=1e-9, atol=1e-9)
    assert other.stats == one.stats


@examples
@given(states, times, rates, solvers, st.integers(0, 2**32))
def test_a_batch_has_no_order(z0, ts, a, solver, seed):
    batch = np.stack([z0, z0 + 1, 2 * z0, -z0])
    shuffled = np.random.default_rng(seed).permutation(4)
    zs = solve(batch, ts, a, solver).zs
    np.testing.assert_allclose(solve(batch[shuffled], ts, a, solver).zs, zs[:, shuffled], rtol=1e-12, atol=1e-12)


@examples
@given(states, times, rates, adaptive, st.integers(2, 40))
def test_observing_more_often_does_not_change_the_accuracy(z0, ts, a, solver, T):
    """At the end, and at the times in between, where it is no worse than at the end."""
    t = np.linspace(ts[0], ts[-1], T)
    reference = solve(z0, t, a, dop853(1e-12, 1e-12)).zs
    allowed = 100 * 1e-7 * math.exp(a * abs(ts[-1] - ts[0]))
    assert np.abs(solve(z0, t[[0, -1]], a, solver(1e-7, 1e-7)).zs[-1] - reference[-1]).max() < allowed
    often = solve(z0, t, a, solver(1e-7, 1e-7))
    assert np.abs(often.zs - reference).max() < allowed
    assert np.abs(often(t) - reference).max() < allowed


@examples
@given(states, times, rates, fixed)
def test_equal_steps_are_the_same_steps_in_one_solve_or_in_several(z0, ts, a, solver):
    """Each interval by itself, from where the one before ended: bit for bit."""
    zs = solve(z0, ts, a, solver).zs
    for i in range(len(ts) - 1):
        assert np.array_equal(solve(zs[i], ts[i : i + 2], a, solver).zs[-1], zs[i + 1])


@examples
@given(states, times, rates, solvers, st.sampled_from([np.float32, np.float64, np.complex64, np.complex128]))
def test_the_dtype_is_kept_and_the_inputs_are_untouched(z0, ts, a, solver, dtype):
    z0 = (z0 * (1 + 0.5j) if np.issubdtype(dtype, np.complexfloating) else z0).astype(dtype)
    theta, seen = np.array([a]), set()

    def watched(z, t, theta):
        seen.add((z.dtype, z.shape, type(t)))
        return f(z, t, theta)

    before = z0.copy(), ts.copy(), theta.copy()
    traj = odesolve(z0, watched, ts, theta, solver)
    assert all(map(np.array_equal, before, (z0, ts, theta)))
    assert seen == {(np.dtype(dtype), z0.shape, float)}
    assert traj.zs.dtype == traj(ts[0]).dtype == dtype and traj.zs.shape == (len(ts), *z0.shape)
    assert np.array_equal(traj.zs[0], z0)


@examples
@given(states, times, rates, solvers)
def test_the_books_balance(z0, ts, a, solver):
    g = counted(f)
    traj = odesolve(z0, g, ts, np.array([a]), solver)
    stats = traj.stats
    assert stats.accepted + stats.rejected == stats.attempts == len(traj.ledger)
    assert stats.accepted == len(traj.steps) >= len(ts) - 1
    assert stats.evals == g.evals
    if isinstance(solver.control, FixedSteps):
        fsal = solver.tableau.fsal
        assert stats.accepted == solver.control.n * (len(ts) - 1)
        assert stats.evals == stats.accepted * (solver.tableau.stages - fsal) + fsal
    t = [traj.steps[0].t, *(step.t_next for step in traj.steps)]
    assert np.all(np.diff(t) * (ts[-1] - ts[0]) > 0) and set(ts) <= set(t)
    assert sum(step.h for step in traj.steps) == pytest.approx(ts[-1] - ts[0], rel=1e-13)


@examples
@given(states, times, rates, solvers)
def test_dense_output_is_one_curve_through_the_observations(z0, ts, a, solver):
    traj = solve(z0, ts, a, solver)
    np.testing.assert_allclose(traj(ts), traj.zs, rtol=1e-12, atol=1e-12)
    t = np.array([step.t_next for step in traj.steps[:-1]])
    for before, after in ((np.nextafter(t, ts[0]), t), (t, np.nextafter(t, ts[-1]))):
        np.testing.assert_allclose(traj(before), traj(after), rtol=1e-9, atol=1e-9)
