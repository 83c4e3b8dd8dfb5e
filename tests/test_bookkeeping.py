"""What a solve and its gradient say of their own work: evaluations, states and bytes kept, steps."""

import copy
import pickle
import tracemalloc

import numpy as np
import pytest
from problems import LINEAR, LOTKA_VOLTERRA, backwards, cotangent

from odelearn import (
    BOSH3,
    DOPRI5,
    RK4,
    AdaptiveSteps,
    Backsolve,
    Checkpointed,
    Discrete,
    FixedSteps,
    Interpolating,
    Reversible,
    Solver,
    bosh3,
    counted,
    dop853,
    dopri5,
    odesolve,
    rk4,
    scipy_solver,
    tsit5,
)
from odelearn.solvers.coefficients import DOP853, TSIT5


def stats_of(p, method, solver, ts=None):
    zs, pullback = method.vjp(p.z0, p.f, p.ts if ts is None else ts, p.theta, solver)
    return pullback(np.ones_like(zs)).stats


# ---- Checkpointed


@pytest.mark.parametrize("every", [1, 2, 5, 12, 13, 100])
@pytest.mark.parametrize("p", [LOTKA_VOLTERRA, backwards(LOTKA_VOLTERRA)])
def test_checkpointed_keeps_every_so_many_states(p, every):
    """z0 and one state after every E of N steps, beside the T states of zs. An adaptive mesh takes 4 numbers a step."""
    T = len(p.ts)
    N = 4 * (T - 1)
    held = stats_of(p, Checkpointed(every), rk4(n=4)).bytes
    assert held == (T + 1 + N // every) * p.z0.nbytes
    solver = dopri5(1e-9, 1e-11)
    N = odesolve(p.z0, p.f, p.ts, p.theta, solver).stats.accepted
    assert N > 12
    assert stats_of(p, Checkpointed(every), solver).bytes == (T + 1 + N // every) * p.z0.nbytes + 32 * N


@pytest.mark.parametrize("every", [1, 2, 5, 7, 12, 13, 100])
@pytest.mark.parametrize("tableau", [RK4, DOPRI5, BOSH3])
def test_checkpointed_repeats_every_step_once(tableau, every):
    """s evaluations a step; s - 1 and one for each stretch where the last slope of a step is the first of the next."""
    p, N, s = LINEAR, 12, tableau.stages
    stretches = -(-N // every)
    f = counted(p.f)
    zs, pullback = Checkpointed(every).vjp(p.z0, f, p.ts, p.theta, Solver(tableau, FixedSteps(n=4)))
    forward = f.evals
    stats = pullback(cotangent(p)).stats
    assert stats.evals == f.evals - forward == (N * (s - 1) + stretches if tableau.fsal else N * s)
    assert stats.pullbacks == f.pullbacks == N * (s - 1 if tableau.fsal else s)


def test_checkpointed_doubles_its_spacing_when_twice_as_many_states_are_kept():
    """1 state and E = 1 to begin with; 2 E + 1 states become every second of them, so 1 + N // E are kept."""
    E = 1
    for N in [*range(1, 20), 31, 32, 33]:
        if N // E + 1 > 2 * E:
            E *= 2
        kept = stats_of(LINEAR, Checkpointed(), rk4(n=N), (0.0, 1.0)).bytes / LINEAR.z0.nbytes - 2
        assert kept == 1 + N // E


def test_reversible_keeps_the_last_two_states_and_an_adaptive_mesh():
    """Beside zs, twice; the mesh takes 4 numbers a step, and none where the steps are equal."""
    p, solver = LOTKA_VOLTERRA, bosh3(1e-4, 1e-6)
    T = len(p.ts)
    assert stats_of(p, Reversible(), rk4(n=4)).bytes == (2 * T + 2) * p.z0.nbytes
    mesh = stats_of(p, Reversible(), solver).bytes - (2 * T + 2) * p.z0.nbytes
    N = stats_of(p, Reversible(), solver).pullbacks / (2 * 3)  # two steps of 3 stages for each step of the mesh
    assert mesh == 32 * N > 0


# ---- Backsolve without reset


@pytest.mark.parametrize("solver", [rk4(n=3), dopri5(1e-5, 1e-7), scipy_solver("RK45")])
def test_the_work_of_an_adjoint_that_is_not_reset_is_counted(solver):
    """f at each inner zs[i] is one evaluation more, without a pullback."""
    p = LOTKA_VOLTERRA
    f = counted(p.f)
    zs, pullback = Backsolve(reset=False).vjp(p.z0, f, p.ts, p.theta, solver)
    forward = f.evals
    stats = pullback(cotangent(p)).stats
    assert (stats.evals, stats.pullbacks) == (f.evals - forward, f.pullbacks)
    assert stats.evals == stats.pullbacks + len(p.ts) - 2
    assert stats.bytes == 2 * zs.nbytes


# ---- bytes


@pytest.mark.parametrize("solver", [dopri5(1e-5, 1e-7), rk4(n=8)])
@pytest.mark.parametrize("method", [Discrete(), Interpolating(), Checkpointed()])
def test_bytes_held_by_pullbacks_of_the_tape_are_what_tracemalloc_sees(method, solver):
    """f is an ordinary function: each stage's pullback is a closure over all that the tape has written down."""
    f = lambda z, t, theta: np.tanh(z @ theta.reshape(2, 2)) * np.cos(t) - z
    z0, theta = np.random.default_rng(0).normal(size=(2000, 2)), np.array([0.1, 0.2, -0.3, 0.4])
    method.vjp(z0, f, (0.0, 0.5, 1.0), theta, solver)
    tracemalloc.start()
    zs, pullback = method.vjp(z0, f, (0.0, 0.5, 1.0), theta, solver)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 1 <= held / pullback(zs).stats.bytes < 1.1


def test_theta_does_not_count_as_held():
    """All pullbacks close over the one theta, which is the caller's."""
    P = 10**5
    f = lambda z, t, theta: z * theta[0] + theta[1]
    zs, pullback = Discrete().vjp(np.ones(2), f, (0.0, 1.0), np.ones(P), rk4(n=3))
    assert pullback(zs).stats.bytes < 8 * P


def test_gradients_print_all_that_they_are():
    zs, pullback = Backsolve().vjp([1.0, 2.0], lambda z, t, theta: theta * z, [0.0, 1.0], [0.5, 0.25], rk4(n=2))
    g = pullback(np.ones_like(zs))
    for name in ("z0", "ts", "theta", "stats", "drift"):
        assert f"{name}={getattr(g, name)!r}" in repr(g)


# ---- solvers by name


@pytest.mark.parametrize("solver, tableau", [(bosh3, BOSH3), (dopri5, DOPRI5), (tsit5, TSIT5), (dop853, DOP853)])
def test_the_adaptive_solvers_are_their_tableaus_at_the_documented_tolerances(solver, tableau):
    assert solver() == solver(rtol=1e-6, atol=1e-9) == Solver(tableau, AdaptiveSteps(1e-6, 1e-9))
    assert solver(1e-3, 1e-5, max_steps=7) == Solver(tableau, AdaptiveSteps(rtol=1e-3, atol=1e-5, max_steps=7))


def test_scipys_solver_has_the_documented_defaults():
    assert scipy_solver() == scipy_solver("LSODA", 1e-6, 1e-9, None, np.inf, 100_000)
    assert scipy_solver("RK45", 1e-3, 1e-5, 0.1, 0.5, 7).control == AdaptiveSteps(
        1e-3, 1e-5, first=0.1, max_step=0.5, max_steps=7
    )


def test_bytes_are_counted_when_they_are_asked_for_and_keep_two_steps_at_most_alive(monkeypatch):
    """To count takes time, which a training does not have."""
    from odelearn.gradients import base

    calls, count = [], base.bytes_of
    monkeypatch.setattr(base, "bytes_of", lambda *args: calls.append(1) or count(*args))
    zs, pullback = Discrete().vjp(np.ones((1000, 2)), lambda z, t, theta: -z, (0.0, 1.0), None, rk4(n=50))
    g = pullback(zs)
    assert not calls
    tracemalloc.start()
    zs, pullback = Discrete().vjp(np.ones((1000, 2)), lambda z, t, theta: -z, (0.0, 1.0), None, rk4(n=50))
    g = pullback(zs)
    del pullback
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert left < g.stats.bytes / 10
    assert calls and pickle.loads(pickle.dumps(g)).stats.bytes == g.stats.bytes == copy.deepcopy(g).stats.bytes
