"""What comes in is read for what it is or refused in words, and what comes out shares nothing with what is kept."""

import copy
import math
import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odelearn import (
    MLP,
    AdaptiveSteps,
    Backsolve,
    Checkpointed,
    Discrete,
    Dynamics,
    Event,
    FixedSteps,
    Forward,
    Interpolating,
    Reversible,
    Solver,
    SolverError,
    check_gradient,
    compare_gradients,
    dop853,
    dopri5,
    euler,
    grad,
    odeint,
    odesolve,
    odesolve_vjp,
    rk4,
    scipy_solver,
)

METHODS = [Backsolve(), Backsolve(reset=False), Interpolating(), Discrete(), Checkpointed(), Forward(), Reversible()]
TS = (0.0, 0.4, 1.0)


def rotate(z, t, theta):
    """A field that depends on t, for states (..., 2)."""
    return np.stack([theta[0] * z[..., 1], -theta[1] * z[..., 0] * np.cos(t)], axis=-1)


Z0, THETA = np.array([1.0, 0.5]), np.array([0.8, 1.3])


def gradients(method, a_zs=None, z0=Z0, ts=TS, theta=THETA, solver=rk4(n=5)):  # noqa: B008, a Solver is frozen
    zs, pullback = odesolve_vjp(z0, rotate, ts, theta, solver, method)
    g = pullback(np.ones_like(zs) if a_zs is None else a_zs)
    return g.z0, g.ts, g.theta


# ---- what comes out shares nothing with what is kept


@pytest.mark.parametrize("method", METHODS)
def test_zs_can_be_written_to_before_the_pullback(method):
    """zs -= target is how a residual is often computed; it must not change the gradient."""
    zs, pullback = odesolve_vjp(Z0, rotate, TS, THETA, rk4(n=5), method)
    a_zs = np.random.default_rng(0).normal(size=zs.shape)
    zs -= 100.0
    g = pullback(a_zs)
    for x, y in zip((g.z0, g.ts, g.theta), gradients(method, a_zs), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("method", METHODS)
def test_gradients_can_be_written_to_and_the_pullback_called_again(method):
    zs, pullback = odesolve_vjp(Z0, rotate, TS, THETA, rk4(n=5), method)
    a_zs = np.random.default_rng(0).normal(size=zs.shape)
    given_a_zs, first = a_zs.copy(), pullback(a_zs)
    kept = [x.copy() for x in (first.z0, first.ts, first.theta)]
    for x in (first.z0, first.ts, first.theta):
        x += 1.0
    np.testing.assert_array_equal(a_zs, given_a_zs)
    again = pullback(a_zs)
    for x, y in zip((again.z0, again.ts, again.theta), kept, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("method", METHODS)
def test_one_observation_is_its_own_gradient_and_not_the_same_array(method):
    zs, pullback = odesolve_vjp(Z0, rotate, TS[:1], THETA, rk4(n=5), method)
    a_zs = np.array([[3.0, -2.0]])
    g = pullback(a_zs)
    g.z0 += 1.0
    np.testing.assert_array_equal(a_zs, [[3.0, -2.0]])
    np.testing.assert_array_equal(pullback(a_zs).z0, [3.0, -2.0])


# ---- masks, matrices, byte order, layouts

MASKED = np.ma.masked_array(Z0, mask=[False, True])


@pytest.mark.parametrize(
    "solve, name",
    [
        (lambda: odesolve(MASKED, rotate, TS, THETA), "z0 is a masked array"),
        (lambda: odesolve(Z0, rotate, np.ma.masked_array(TS, mask=[0, 1, 0]), THETA), "ts is a masked array"),
        (lambda: odesolve(Z0, rotate, TS, np.ma.masked_array(THETA, mask=[0, 1])), "theta is a masked array"),
        (lambda: odesolve(Z0, lambda z, t, theta: np.ma.masked_array(z, mask=[0, 1]), TS), "f returned a masked array"),
        (lambda: odesolve(np.eye(2).view(np.matrix), rotate, TS, THETA), "z0 must be an ordinary array, got matrix"),
        (lambda: odesolve(np.eye(2), lambda z, t, theta: z.view(np.matrix), TS), "f must return an ordinary array"),
        (lambda: gradients(Discrete(), np.ma.ones((3, 2))), "a_zs is a masked array"),
        (lambda: odeint(MASKED, rotate, TS, THETA), "z0 is a masked array"),
        (lambda: odesolve(np.rec.array(Z0), rotate, TS, THETA), "z0 must be an ordinary array, got recarray"),
    ],
)
def test_subclasses_of_arrays_are_refused_with_advice(solve, name):
    with pytest.raises(TypeError, match=name) as error:
        solve()
    assert "masked" not in name or "index" in str(error.value)


def test_a_masked_target_in_a_loss_is_refused():
    target = np.ma.masked_array(np.ones((3, 2)), mask=[[0, 0], [0, 1], [0, 0]])
    with pytest.raises(TypeError, match="mask"):
        grad(lambda theta: np.mean((odeint(Z0, rotate, TS, theta) - target) ** 2))(THETA)


def layouts(x):
    """The same numbers in other layouts, with the names of these."""
    yield "another byte order", x.astype(x.dtype.newbyteorder())
    yield "Fortran order", np.asfortranarray(x)
    yield "strides", np.repeat(x, 2, axis=0)[::2]
    yield "negative strides", x[::-1].copy()[::-1]
    frozen = x.copy()
    frozen.flags.writeable = False
    yield "read-only", frozen
    yield "a list", x.tolist()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.sampled_from(METHODS))
def test_layouts_change_nothing(i, j, k, m, method):
    """Bit for bit, for z0, ts, theta and a_zs each in any layout, through every method."""
    rng = np.random.default_rng(3)
    z0, ts, a_zs = rng.normal(size=(3, 2)), np.array(TS), rng.normal(size=(3, 3, 2))
    f = MLP([2, 3, 2], time="concat")
    theta = f.init(rng)
    pick = lambda x, n: list(layouts(x))[n][1]

    def all_numbers(z0, ts, theta, a_zs):
        zs, pullback = odesolve_vjp(z0, f, ts, theta, rk4(n=3), method)
        g = pullback(a_zs)
        assert all(x.dtype.isnative for x in (zs, g.z0, g.ts, g.theta))
        return zs, g.z0, g.ts, g.theta

    plain = all_numbers(z0, ts, theta, a_zs)
    for x, y in zip(all_numbers(pick(z0, i), pick(ts, j), pick(theta, k), pick(a_zs, m)), plain, strict=True):
        np.testing.assert_array_equal(x, y)


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(["f4", "f8", "c8", "c16"]), st.sampled_from([(), (1,), (2, 1, 3)]), st.sampled_from(METHODS))
def test_every_dtype_and_shape_keeps_its_own(dtype, shape, method):
    """z' = theta z (1 - t / 2): dL/dz0 = exp(3/4 theta) for L = sum z(1), to the accuracy of RK4 and of the dtype."""
    z0 = np.full(shape, 0.5, dtype)
    f = lambda z, t, theta: theta[0] * z * (1 - t / 2)
    zs, pullback = odesolve_vjp(z0, f, (0.0, 1.0), np.array([0.7]), rk4(n=20), method)
    g = pullback(np.stack([np.zeros(shape), np.ones(shape)]))
    assert zs.dtype == g.z0.dtype == g.theta.dtype == np.dtype(dtype) and zs.shape == (2, *shape)
    assert g.ts.dtype in (np.float64, np.complex128)
    np.testing.assert_allclose(g.z0, np.exp(0.7 * 0.75), rtol=max(1e-6, 300 * np.finfo(dtype).eps))


def test_what_f_returns_as_plain_python_takes_the_dtype_of_z():
    cases = ("f8", [1, 2]), ("f4", [1.5, 2]), ("f4", [1, 2]), ("c8", [1.5, 2]), ("c16", [1j, 2]), ("c8", [1j, 2])
    for dtype, values in cases:
        zs = odesolve(np.zeros(2, dtype), lambda z, t, theta, v=values: v, (0.0, 2.0), None, euler(n=2)).zs
        assert zs.dtype == np.dtype(dtype)
        np.testing.assert_array_equal(zs[-1], 2 * np.array(values))
    for wrong in ([1j, 2], ["a", "b"]):
        with pytest.raises((TypeError, ValueError), match="f returned"):
            odesolve(np.zeros(2), lambda z, t, theta, v=wrong: v, (0.0, 2.0))


def test_an_array_from_f_must_have_the_dtype_of_z_in_whatever_byte_order():
    for wrong in (np.array([1, 2]), np.float32([1, 2]), np.array([1j, 2])):
        with pytest.raises(TypeError, match=f"f returned {wrong.dtype} for a state z of float64"):
            odesolve(np.zeros(2), lambda z, t, theta, v=wrong: v, (0.0, 2.0))
    swapped = np.array([1.0, 2.0]).astype(np.dtype(float).newbyteorder())
    zs = odesolve(np.zeros(2), lambda z, t, theta: swapped, (0.0, 2.0), None, euler(n=2)).zs
    np.testing.assert_array_equal(zs[-1], [2.0, 4.0])


# ---- a_zs


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_gradient_of_the_loss_that_is_not_finite_is_named(method, bad):
    """One missing value in the data must not be blamed on f, nor become a gradient that is nan without a word."""
    a_zs = np.ones((3, 2))
    a_zs[1, 0] = bad
    with pytest.raises(ValueError, match=r"a_zs\[1, 0\] = (nan|inf).*missing"):
        gradients(method, a_zs)


@pytest.mark.parametrize("method", METHODS)
def test_a_complex_or_misshapen_cotangent_is_refused(method):
    with pytest.raises(TypeError, match="a_zs is complex but zs is float64"):
        gradients(method, np.ones((3, 2), complex))
    with pytest.raises(ValueError, match=r"a_zs = dL/dzs must have the shape of zs, \(3, 2\), got \(2,\)"):
        gradients(method, np.ones(2))


# ---- Algorithm 2 takes f at the solution's own states


@pytest.mark.parametrize("solver", [rk4(n=3), scipy_solver("RK45", 1e-4, 1e-6)])
@pytest.mark.parametrize("ts", [(0.0, 0.7, 1.5, 2.0), (2.0, 1.1, 0.3)])
def test_dL_dt_i_is_a_times_f_at_zs_i_for_both_variants(solver, ts):
    """Appendix C: dL/dt_i = dL/dz(t_i) f(zs[i], t_i), whether z is reset or rebuilt."""
    a_zs = np.random.default_rng(5).normal(size=(len(ts), 2))
    for reset in True, False:
        zs, pullback = odesolve_vjp(Z0, rotate, ts, THETA, solver, Backsolve(reset=reset))
        own = [np.sum(a * rotate(z, t, THETA)) for a, z, t in zip(a_zs, zs, ts, strict=True)]
        np.testing.assert_allclose(pullback(a_zs).ts[1:], own[1:], rtol=1e-13)


# ---- events


def test_an_event_function_cannot_change_the_solution():
    def g(z, t, theta):
        z[0] = 7.0
        return z[1]

    with pytest.raises(ValueError, match="g.* changed its argument z in place"):
        odesolve(Z0, rotate, (0.0, 9.0), THETA, event=Event(g))


def test_an_event_function_that_is_a_condition_is_refused():
    for g in (lambda z, t, theta: z[0] < 0.5, lambda z, t, theta: bool(z[0] < 0.5)):
        with pytest.raises(TypeError, match=r"boolean.*z\[0\] - 0.5"):
            odesolve(Z0, rotate, (0.0, 9.0), THETA, event=Event(g))


# ---- pickle and deepcopy

NET = MLP([2, 3, 2])
NET_THETA = NET.init(np.random.default_rng(0))
TRAJECTORIES = {
    "fixed": lambda: odesolve(Z0, NET, TS, NET_THETA, rk4(n=2)),
    "dense output with extra slopes": lambda: odesolve(Z0, NET, TS, NET_THETA, dop853()),
    "events": lambda: odesolve(Z0, rotate, (0.0, 9.0), THETA, event=Event(first_component, terminal=False)),
    "SciPy's": lambda: odesolve(Z0, NET, TS, NET_THETA, scipy_solver("RK45")),
}


def first_component(z, t, theta):
    return z[0]


def sum_of_squares(x):
    return np.sum(x**2)


def error_of_a_solve():
    try:
        odesolve(1.0, lambda z, t, theta: z * z, (0.0, 2.0))
    except SolverError as error:
        return error


OBJECTS = {
    "solvers": lambda: [rk4(n=3), dopri5(1e-3), Solver(control=AdaptiveSteps(1e-3)), scipy_solver("LSODA")],
    "control": lambda: [FixedSteps(h=0.1), AdaptiveSteps(1e-5, [1e-6, 1e-7])],
    "methods": lambda: METHODS,
    "net": lambda: NET,
    "dynamics": lambda: Dynamics(rotate),
    "event": lambda: Event(first_component),
    "gradients": lambda: odesolve_vjp(Z0, rotate, TS, THETA, rk4(n=2), Discrete())[1](np.ones((3, 2))),
    "error": error_of_a_solve,
    "report": lambda: check_gradient(sum_of_squares, 2 * Z0, Z0),
    "comparison": lambda: compare_gradients(Z0, rotate, TS, THETA, sum_of_squares, rk4(n=2)),
}


@pytest.mark.parametrize("way", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy], ids=["pickle", "deepcopy"])
@pytest.mark.parametrize("name", OBJECTS)
def test_what_is_public_survives_pickle_and_deepcopy(name, way):
    made = OBJECTS[name]()
    again = way(made)
    assert type(again) is type(made)
    if name in ("report", "comparison", "error"):
        assert str(again) == str(made)


@pytest.mark.parametrize("way", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy], ids=["pickle", "deepcopy"])
@pytest.mark.parametrize("name", TRAJECTORIES)
def test_a_trajectory_survives_pickle_and_deepcopy(name, way):
    made = TRAJECTORIES[name]()
    again = way(made)
    t = np.linspace(made.ts[0], made.ts[-1], 13)
    np.testing.assert_array_equal(again(t), made(t))
    assert again.stats == made.stats
    np.testing.assert_array_equal(np.array(again.ledger, float), np.array(made.ledger, float))
    if name != "SciPy's":
        np.testing.assert_array_equal(again.replay(Z0, made.problem[2]).zs, made.replay(Z0, made.problem[2]).zs)


DATA = [*METHODS, rk4(n=3), dopri5(), rk4(n=3).control, AdaptiveSteps(), scipy_solver("RK45")]


@pytest.mark.parametrize("made", [*DATA, pytest.param(Event(first_component), id="Event")])
def test_solvers_methods_and_events_are_frozen_data(made):
    """They stand as defaults of arguments. Copies are equal and have one hash; nothing can be set."""
    assert copy.deepcopy(made) == made and hash(copy.deepcopy(made)) == hash(made)
    for name in [*vars(made), "anything"]:
        with pytest.raises(FrozenInstanceError):
            setattr(made, name, 1)


def test_solvers_with_array_tolerances_are_compared_by_value():
    make = lambda last: dopri5(1e-3, np.array([1e-6, last]))
    assert make(1e-7) == make(1e-7) and hash(make(1e-7)) == hash(make(1e-7)) and make(1e-7) != make(1e-8)
    assert dopri5(1e-3) != dopri5(1e-4) and dopri5(1e-3) != rk4(n=3)


# ---- work that would never end


@pytest.mark.parametrize(
    "solve, message",
    [
        (lambda: odesolve(1.0, lambda z, t, theta: -z, (0.0, 1.0), None, rk4(h=1e-300)), r"h = 1e-300.*1e\+300 steps"),
        (lambda: odesolve(1.0, lambda z, t, theta: -z, (0.0, 1e300), None, rk4(h=1.0)), r"h = 1.*1e\+300 steps"),
        (
            lambda: odesolve(1.0, lambda z, t, theta: -z, (0.0, 1.0), None, rk4(n=10**12)),
            r"n = 10{12} .*e\+12 steps",
        ),
        (lambda: odesolve(np.ones(10**6), lambda z, t, theta: -z, (0.0, 1.0), None, rk4(n=10**6)), "GB"),
    ],
)
def test_a_solve_that_would_not_end_is_refused_before_it_begins(solve, message):
    with pytest.raises(ValueError, match=message):
        solve()


# ---- arguments of the wrong kind, in the wrong place


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: odesolve([[1.0, 2.0], [3.0]], rotate, TS), "z0 must be an array of numbers.*same length"),
        (lambda: odesolve({"x": 1.0}, rotate, TS), "z0 must be an array of numbers, got dict.*ravel"),
        (lambda: odesolve((np.ones(2), np.ones(3)), rotate, TS), "z0 .*ravel"),
        (lambda: odesolve(Z0, rotate, TS, {"W": THETA}), r"theta must be one flat vector \(P,\), got dict; .*ravel"),
        (lambda: odesolve(Z0, rotate, TS, (THETA, np.ones(9))), r"theta must be one flat vector \(P,\); .*ravel"),
        (lambda: odesolve(rotate, Z0, TS, THETA), r"z0 is a function.*odesolve\(z0, f, ts, theta\)"),
        (lambda: odeint(rotate, Z0, TS, THETA), r"z0 is a function.*\(z0, f, ts, theta\)"),
        (lambda: odesolve(Z0, TS, rotate, THETA), r"f must be a function"),
        (lambda: odesolve(Z0, rotate, rotate), "ts must be real numbers"),
        (lambda: odesolve(Z0, rotate, np.ones((3, 2)), THETA), r"ts must be .*\(3, 2\)"),
        (lambda: AdaptiveSteps("a"), "rtol must be a number or an array of numbers, got 'a'"),
        (lambda: AdaptiveSteps(atol="1e-3"), "atol must be a number or an array of numbers, got '1e-3'"),
        (lambda: AdaptiveSteps(norm="rms"), "norm must be a function.*got 'rms'"),
        (lambda: AdaptiveSteps(max_steps="many"), "max_steps"),
        (lambda: AdaptiveSteps(1e-3, 1e-6, first="a"), "first"),
        (lambda: rk4(n=np.nan), "n must be a whole number of steps, at least 1, got nan"),
        (lambda: rk4(n="ten"), "n must be a whole number of steps, at least 1, got 'ten'"),
        (lambda: rk4(n=2.5), "n must be a whole number"),
        (lambda: rk4(h="small"), "h must be a positive length"),
        (lambda: rk4(h=np.nan), "h must be a positive length"),
        (lambda: Checkpointed("a"), "every must be a whole number"),
        (lambda: Reversible("a"), "coupling must lie in"),
        (
            lambda: odesolve_vjp(Z0, rotate, TS, THETA, dopri5(), Discrete),
            r"method must be .*Discrete\(\), with its par",
        ),
        (lambda: odesolve_vjp(Z0, rotate, TS, THETA, dopri5(), "dopri5"), r"method must be .*got 'dopri5'"),
        (lambda: odeint(Z0, rotate, TS, THETA, method="dopri5"), r"method must be .*solver=dopri5\(\)"),
        (lambda: odesolve_vjp(Z0, rotate, TS, THETA, Discrete(), dopri5()), "solver and method .*swapped"),
        (lambda: odesolve(Z0, rotate, TS, THETA, "dopri5"), r"solver must be a Solver.*got 'dopri5'"),
        (lambda: odesolve(Z0, rotate, TS, THETA, dopri5), "solver must be a Solver.*with its parentheses"),
        (lambda: scipy_solver("LSODA", rtol=[1e-3, 1e-3]), "rtol and atol must be numbers"),
        (lambda: scipy_solver("LSODA", atol=np.array([1e-3, 1e-3])), "rtol and atol must be numbers"),
        (lambda: AdaptiveSteps(rtol=0.0, atol=[1e-3, 0.0]), "rtol and atol must not both be zero"),
        (lambda: odesolve([1.0, 0.0], rotate, TS, THETA, dopri5(1e-3, 0.0)), r"atol = 0.*z0\[1\] = 0"),
    ],
)
def test_a_wrong_argument_is_named_with_its_remedy(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_f_of_a_beginner_that_fills_an_array_gets_the_advice_as_the_message():
    def f(z, t, theta):
        dz = np.zeros(2)
        dz[0], dz[1] = theta[0] * z[1], -z[0]
        return dz

    with pytest.raises(TypeError, match=r"np\.stack"):
        grad(lambda theta: np.sum(odeint(Z0, f, TS, theta, rk4(n=2), Discrete())))(THETA)


def test_a_whole_number_of_the_time_is_refused_on_the_tape():
    """int(t) in f makes f jump; the tape cannot see that, and says what to write."""
    f = lambda z, t, theta: z * int(t)
    with pytest.raises(TypeError, match=r"int\(|float"):
        grad(lambda ts: np.sum(odeint(Z0, f, ts, None, rk4(n=2), Discrete())))(np.array(TS))


# ---- times of their own, and values that are looked up by time

STAGES = np.array([0.5, 1.5, -1.0])


@pytest.mark.parametrize(
    "field",
    [
        lambda z, t, theta: theta * z * STAGES[int(t)],
        lambda z, t, theta: theta * z * list(STAGES)[t],
        lambda z, t, theta: theta * z * STAGES[math.floor(t)],
        lambda z, t, theta: theta * z * STAGES[round(t)],
        lambda z, t, theta: theta * z * STAGES[t],
    ],
)
def test_an_index_made_of_a_traced_time_says_what_to_write(field):
    """A field that is given to the tape; without it (odesolve), Python's own int(t) is as good as any other number."""
    with pytest.raises(TypeError, match=r"int\(np\.floor\(x\)\).*np\.interp"):
        odesolve_vjp(Z0, field, (0.0, 2.0), [0.3], rk4(n=2), Discrete())


def test_what_the_error_of_int_advises_works():
    """A step of t has derivative 0 between its jumps, so all of dL/dts comes from the ends; np.interp has a slope."""
    steps = lambda z, t, theta: theta[0] * z * STAGES[int(np.floor(t))]
    _, pullback = odesolve_vjp(1.0, steps, (0.1, 0.9), [0.3], dopri5(1e-10, 1e-12), Discrete())
    g, z_end = pullback(np.array([0.0, 1.0])), np.exp(0.3 * 0.5 * 0.8)
    np.testing.assert_allclose(g.ts, [-0.15 * z_end, 0.15 * z_end], rtol=1e-8)
    ramp = lambda z, t, theta: theta[0] * np.interp(t, [0.0, 2.0], [0.0, 2.0]) + 0 * z
    _, pullback = odesolve_vjp(1.0, ramp, (0.1, 0.9), [0.3], rk4(n=3), Discrete())
    np.testing.assert_allclose(pullback(np.array([0.0, 1.0])).ts, [-0.3 * 0.1, 0.3 * 0.9], rtol=1e-12)


def test_rows_with_times_of_their_own_are_told_what_to_do_and_it_works():
    """Two rows, with 3 times each from the same start: by all their times, and by a unit of time for each row."""
    own = np.array([[0.0, 0.0], [0.3, 0.5], [0.8, 1.0]])
    z0, f = np.array([[1.0], [2.0]]), lambda z, t, theta: theta * z * np.cos(t)
    exact = z0[:, 0] * np.exp(0.7 * np.sin(own))
    for call in odesolve, odeint:
        with pytest.raises(ValueError, match=r"got shape \(3, 2\).*np\.unique\(ts\).*dense=True.*span f\("):
            call(z0, f, own, [0.7])
    ts, where = np.unique(own, return_inverse=True)
    zs = odesolve(z0, f, ts, [0.7], dopri5(1e-9, 1e-11, dense=True)).zs
    np.testing.assert_allclose(zs[where.reshape(own.shape), [0, 1], 0], exact, rtol=1e-7)
    start, span = own[0][:, None], (own[-1] - own[0])[:, None]
    scaled = lambda z, s, theta: span * f(z, start + s * span, theta)
    np.testing.assert_allclose(odesolve(z0, scaled, (0, 1), [0.7], dopri5(1e-9)).zs[-1, :, 0], exact[-1], rtol=1e-7)


def test_a_tree_is_told_to_ravel_wherever_it_comes_in():
    tree = {"x": np.ones(2), "v": np.ones((3, 2))}
    f = lambda z, t, theta: z
    for z0 in tree, tuple(tree.values()):
        with pytest.raises((TypeError, ValueError), match=r"z0, unravel = odelearn\.ravel\(tree\)"):
            odesolve(z0, f, TS)
    for theta in tree, tuple(tree.values()):
        with pytest.raises(ValueError, match=r"theta, unravel = odelearn\.ravel\(tree\)"):
            odesolve(Z0, f, TS, theta)
    for dz in tree, tuple(tree.values()):
        with pytest.raises(TypeError, match=f"f returned a {type(dz).__name__}; .*odelearn.ravel"):
            odesolve(Z0, lambda z, t, theta, dz=dz: dz, TS)
