"""An ensemble in one solve: theta (E, P), z0 (E, ..., D). Each member gets the numbers that it gets alone."""

import warnings

import numpy as np
import pytest

from odelearn import (
    MLP,
    Adam,
    Backsolve,
    Checkpointed,
    Discrete,
    EnsembleWarning,
    Event,
    FixedSteps,
    Forward,
    Interpolating,
    Reversible,
    SolverError,
    bosh3,
    dopri5,
    fit,
    heun,
    odeint,
    odesolve,
    odesolve_vjp,
    rk4,
    scipy_solver,
    value_and_grad,
)
from odelearn.autodiff.tape import vjp
from odelearn.nn.activations import ACTIVATIONS

METHODS = [Backsolve(), Backsolve(reset=False), Interpolating(), Discrete(), Checkpointed(), Reversible()]
TS = [(0.0, 0.4, 1.0), (1.0, 0.7, -0.2)]
E = 3


def ensemble(net, batch=(), seed=0):
    """theta (E, P), z0 (E, *batch, D) of members that differ."""
    rng = np.random.default_rng(seed)
    theta = np.stack([net.init(rng) + 0.1 * rng.normal(size=net.size) for _ in range(E)])
    return theta, rng.normal(size=(E, *batch, net.sizes[0]))


def spread(theta, z, t):
    """A plain function of theta (E, P) and z (E, N, 2), that depends on t."""
    return theta[:, np.newaxis, :2] * z[..., ::-1] - theta[:, np.newaxis, 2:] * z * (1 + t)


def numbers(z0, f, ts, theta, solver, method, a_zs):
    zs, pullback = odesolve_vjp(z0, f, ts, theta, solver, method)
    g = pullback(a_zs)
    return zs, g.z0, g.ts, g.theta


def assert_each_is_its_own(f, z0, ts, theta, solver, method, rtol=1e-12):
    """zs, dL/dz0 and dL/dtheta member by member; dL/dts is the sum over them."""
    a_zs = np.random.default_rng(1).normal(size=(len(ts), *z0.shape))
    zs, a_z0, a_ts, a_theta = numbers(z0, f, ts, theta, solver, method, a_zs)
    assert zs.shape == (len(ts), *z0.shape) and a_z0.shape == z0.shape and a_theta.shape == theta.shape
    alone = [numbers(z0[e], f, ts, theta[e], solver, method, a_zs[:, e]) for e in range(E)]
    close = lambda x, y: np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol * np.abs(y).max())
    for e in range(E):
        close(zs[:, e], alone[e][0])
        close(a_z0[e], alone[e][1])
        close(a_theta[e], alone[e][3])
    close(a_ts, sum(own[2] for own in alone))


@pytest.mark.parametrize("ts", TS, ids=["forwards", "backwards"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("batch", [(), (4,), (2, 3)])
def test_every_method_gives_each_member_its_own(method, batch, ts):
    net = MLP([2, 5, 2], time="concat", power=3)
    theta, z0 = ensemble(net, batch)
    assert_each_is_its_own(net, 0.7 * z0, ts, theta, rk4(n=3), method)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("time, power", [(None, 1), ("concat", 1), (None, 2), ("concat", 3)])
def test_every_kind_of_net(activation, time, power):
    net = MLP([2, 6, 5, 2], activation, time=time, power=power)
    theta, z0 = ensemble(net, (3,))
    for method in Discrete(), Backsolve():
        assert_each_is_its_own(net, 0.5 * z0, TS[0], 0.7 * theta, heun(n=3), method)


@pytest.mark.parametrize("rows", [1, 400])
def test_small_and_large_batches(rows):
    """Small stages wait for a common product, large ones have one each."""
    net = MLP([2, 8, 2])
    theta, z0 = ensemble(net, (rows,))
    assert_each_is_its_own(net, z0, TS[0], theta, rk4(n=6), Discrete(), rtol=1e-11)


def test_forward_sensitivities_of_an_ensemble():
    net = MLP([2, 3, 2], time="concat")
    theta, z0 = ensemble(net)
    assert_each_is_its_own(net, z0, TS[0], theta, rk4(n=3), Forward())


@pytest.mark.parametrize("method", [Discrete(), Backsolve(), Checkpointed()])
def test_a_plain_function_receives_all_of_theta(method):
    """The tape supplies its pullback. Alone, a member is an ensemble of one."""
    rng = np.random.default_rng(2)
    theta, z0 = rng.normal(size=(E, 4)), rng.normal(size=(E, 3, 2))
    f = lambda z, t, theta: spread(theta, z, t)
    a_zs = rng.normal(size=(3, E, 3, 2))
    zs, a_z0, _, a_theta = numbers(z0, f, TS[0], theta, rk4(n=4), method, a_zs)
    for e in range(E):
        one = slice(e, e + 1)
        own = numbers(z0[one], f, TS[0], theta[one], rk4(n=4), method, a_zs[:, one])
        for x, y in (zs[:, one], own[0]), (a_z0[one], own[1]), (a_theta[one], own[3]):
            np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("solver", [dopri5(1e-10, 1e-12), bosh3(1e-8, 1e-10), scipy_solver("RK45", 1e-9, 1e-11)])
def test_an_adaptive_solver_chooses_one_step_for_all(solver):
    """Then a member alone has other steps, and agrees to the tolerance."""
    net = MLP([2, 5, 2], time="concat")
    theta, z0 = ensemble(net, (2,))
    assert_each_is_its_own(net, z0, TS[0], theta, solver, Backsolve(), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_the_dtype_is_kept(dtype):
    net = MLP([2, 5, 2])
    theta, z0 = ensemble(net, (2,))
    theta, z0 = theta.astype(dtype), (z0 * (1 + 0.3j if dtype == np.complex128 else 1)).astype(dtype)
    zs, pullback = odesolve_vjp(z0, net, TS[0], theta, rk4(n=3), Discrete())
    g = pullback(np.ones_like(zs))
    assert zs.dtype == g.z0.dtype == g.theta.dtype == dtype


def test_the_plain_formula_of_a_net_is_that_of_its_members():
    net = MLP([2, 5, 2], time="concat", power=3)
    theta, z = ensemble(net, (4,))
    dz, pullback = net.vjp(z, 0.3, theta)
    a_z, a_t, a_theta = pullback(z)
    own = [net.vjp(z[e], 0.3, theta[e])[1](z[e]) for e in range(E)]
    np.testing.assert_array_equal(dz, np.stack([net(z[e], 0.3, theta[e]) for e in range(E)]))
    np.testing.assert_array_equal(a_theta, np.stack([part[2] for part in own]))
    np.testing.assert_array_equal(a_z, np.stack([part[0] for part in own]))
    assert a_t == sum(part[1] for part in own)


@pytest.mark.parametrize("time", [None, "concat"])
def test_each_row_of_each_member_may_have_its_own_time(time):
    net = MLP([2, 5, 2], time=time, power=3)
    theta, z = ensemble(net, (4,))
    t = np.random.default_rng(5).normal(size=(E, 4, 1))
    dz, pullback = net.vjp(z, t, theta)
    a_z, a_t, a_theta = pullback(z)
    assert a_t.shape == t.shape and np.all((a_t != 0) == (time is not None))
    for e in range(E):
        own, pull = net.vjp(z[e], t[e], theta[e])
        np.testing.assert_array_equal(dz[e], own)
        for x, y in zip((a_z[e], a_t[e], a_theta[e]), pull(z[e]), strict=True):
            np.testing.assert_array_equal(x, y)
    np.testing.assert_array_equal(net(z, t, theta), dz)
    for mine, taped in zip((a_z, a_t, a_theta), vjp(net, z, t, theta)[1](z), strict=True):
        np.testing.assert_allclose(mine, taped, rtol=1e-12, atol=1e-13)
    with pytest.raises(ValueError, match=r"t must be a number, or a time for each row, of shape \(3, 4, 1\)"):
        net(z, t[0], theta)


def test_training_an_ensemble_is_training_its_members():
    """The loss is a sum over members, and Adam moves every parameter by its own gradient."""
    net = MLP([2, 6, 2])
    theta, z0 = ensemble(net, (2,))
    ts, target = (0.0, 0.5, 1.0), np.random.default_rng(3).normal(size=(3, E, 2, 2))

    def loss(theta, z0, target):
        r = odeint(z0, net, ts, theta, rk4(n=2), Discrete()) - target
        return np.sum(r * r)

    together, history = fit(value_and_grad(lambda th: loss(th, z0, target)), theta, Adam(0.05), 30, progress=False)
    assert history[-1] < 0.6 * history[0]
    for e in range(E):
        own_loss = lambda th, e=e: loss(th, z0[e], target[:, e])
        alone, _ = fit(value_and_grad(own_loss), theta[e], Adam(0.05), 30, progress=False)
        np.testing.assert_allclose(together[e], alone, rtol=1e-9, atol=1e-11)


# ---- a member that diverges


def growing(z, t, theta):
    """z' = theta z^2: z = 1 / (1 / z0 - theta t), infinite at t = 1 / (theta z0); theta (E, 1), z (E, 2)."""
    return theta * z * z


GROWTH, START = np.array([[0.2], [2.0], [-1.0]]), np.array([[1.0, 0.5], [1.0, 0.9], [1.0, 2.0]])
LATE = (0.0, 0.3, 2.0)
REST = np.array([0, 2])  # member 1 is infinite at t = 0.5


@pytest.mark.parametrize("solver", [rk4(n=200), dopri5(1e-8, 1e-10), bosh3(1e-5, 1e-7)])
def test_a_member_that_diverges_becomes_nan_and_the_others_go_on(solver):
    with pytest.warns(EnsembleWarning, match=r"member 1 diverged and is nan from there on; .* blows up"):
        zs = odesolve(START, growing, LATE, GROWTH, solver).zs
    exact = 1 / (1 / START - GROWTH * np.array(LATE)[:, np.newaxis, np.newaxis])
    np.testing.assert_allclose(zs[1], exact[1], rtol=1e-4)
    np.testing.assert_allclose(zs[2, REST], exact[2, REST], rtol=1e-4)
    assert np.isnan(zs[2, 1]).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("solver", [rk4(n=60), dopri5(1e-9, 1e-11)])
def test_the_gradient_of_the_others_is_their_own(method, solver):
    """Also where the loss is nan: it was computed from the rows that are."""
    with pytest.warns(EnsembleWarning, match="member 1 diverged"):
        zs, pullback = odesolve_vjp(START, growing, LATE, GROWTH, solver, method)
    g = pullback(2 * zs)  # of L = sum z^2, which is nan
    own_zs, own_pullback = odesolve_vjp(START[REST], growing, LATE, GROWTH[REST], solver, method)
    own = own_pullback(2 * own_zs)
    rtol = 1e-12 if isinstance(solver.control, FixedSteps) else 1e-5
    np.testing.assert_allclose(g.z0[REST], own.z0, rtol=rtol)
    np.testing.assert_allclose(g.theta[REST], own.theta, rtol=rtol)
    assert np.isnan(g.theta[1]).all() and np.isnan(g.z0[1]).all()


@pytest.mark.parametrize("solver", [rk4(n=60), dopri5(1e-6, 1e-8)])
@pytest.mark.parametrize("method", [Discrete(), Backsolve()])
def test_a_net_whose_member_diverges_leaves_the_others_alone(method, solver):
    """A linear net grows like e^(10^5 t) in one member, and is out of range before t = 1."""
    net = MLP([2, 2])
    theta, z0 = ensemble(net, (2,))
    theta[1, :4] = [1e5, 0.0, 0.0, 1e5]
    with pytest.warns(EnsembleWarning, match="member 1 diverged"):
        zs, pullback = odesolve_vjp(z0, net, (0.0, 1.0), theta, solver, method)
    g = pullback(np.ones_like(zs))
    own_zs, own_pullback = odesolve_vjp(z0[REST], net, (0.0, 1.0), theta[REST], solver, method)
    own = own_pullback(np.ones_like(own_zs))
    rtol = 1e-12 if isinstance(solver.control, FixedSteps) else 1e-4
    for x, y in (zs[:, REST], own_zs), (g.z0[REST], own.z0), (g.theta[REST], own.theta):
        np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol)


def test_forward_sensitivities_know_no_members():
    with pytest.raises(SolverError, match="blows up"):
        odesolve_vjp(START, growing, LATE, GROWTH, rk4(n=60), Forward())


def test_if_all_diverge_it_is_the_error():
    for solver in rk4(n=200), dopri5():
        with pytest.raises(SolverError, match="blows up"), warnings.catch_warnings():
            warnings.simplefilter("ignore", EnsembleWarning)
            odesolve(START, growing, LATE, np.array([[3.0], [2.0], [1.5]]), solver)


def test_training_goes_on_without_the_member_that_diverged():
    """Its theta stays what it was; the others learn as they would alone."""
    target = 1 / (1 / START - np.array([[0.1], [0.1], [-0.5]]) * 2.0)

    def loss(theta, who=slice(None)):
        r = odeint(START[who], growing, (0.0, 2.0), theta, rk4(n=80), Discrete())[-1] - target[who]
        return np.sum(r * r)

    with pytest.warns() as caught:
        theta, history = fit(value_and_grad(loss), GROWTH, Adam(0.01), 20, progress=False)
    texts = [str(warning.message) for warning in caught]
    assert any("member 1 diverged" in text for text in texts)
    assert sum("member 1 of theta is left out of the training" in text for text in texts) == 1
    assert theta[1] == GROWTH[1] and len(history) == 20
    alone, _ = fit(value_and_grad(lambda th: loss(th, REST)), GROWTH[REST], Adam(0.01), 20, progress=False)
    np.testing.assert_allclose(theta[REST], alone, rtol=1e-9)


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda net, th, z: odesolve(z[0], net, TS[0], th),
            r"theta of shape \(3, 22\) has 3 members, so z0",
        ),
        (lambda net, th, z: odesolve(z[:2], net, TS[0], th), r"z0 must be \(3, ..., D\).*got shape \(2, 2\)"),
        (lambda net, th, z: odesolve(z, net, TS[0], th[:, 1:]), "theta must have the 22 parameters of f, got 21"),
        (lambda net, th, z: odesolve(z, net, TS[0], th[np.newaxis]), r"theta must be one flat vector \(P,\)"),
        (lambda net, th, z: odesolve(z, net, TS[0], th, event=Event(lambda z, t, theta: 1.0)), "has no events"),
        (lambda net, th, z: net(z[:2], 0.0, th), r"z must be \(3, ..., D\) for theta of shape \(3, 22\)"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    net = MLP([2, 4, 2])
    theta, z0 = ensemble(net)
    with pytest.raises(ValueError, match=message):
        call(net, theta, z0)
