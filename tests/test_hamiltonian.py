"""HamiltonianNet: its pullback, by the tape and by first principles, and that its solutions keep its energy."""

import numpy as np
import pytest

from odelearn import (
    MLP,
    Backsolve,
    Discrete,
    Dynamics,
    check_gradient,
    dopri5,
    grad,
    observed_order,
    odeint,
    odesolve,
    rk4,
    value_and_grad,
)
from odelearn.datasets.vector_fields import FIELDS, noisy_trajectories
from odelearn.experiments.windows import learn_from_windows
from odelearn.models.hamiltonian import HamiltonianNet

NETS = [HamiltonianNet([2, 5, 1]), HamiltonianNet([2, 6, 5, 1]), HamiltonianNet([4, 4, 5, 3, 1])]


def draw(f, rng, batch=(3,)):
    theta = f.init(rng) + 0.3 * rng.normal(size=f.size)  # biases that are not 0
    return rng.normal(size=(*batch, f.sizes[0])), theta


def by_the_tape(f):
    """The same field from its definition: J times the gradient of the net, by the tape, which nests."""
    d = f.sizes[0] // 2

    def field(z, t, theta):
        slope = grad(lambda z: np.sum(MLP(f.sizes)(z, 0.0, theta)))(z)
        return np.concatenate([slope[..., d:], -slope[..., :d]], axis=-1)

    return Dynamics(field)


@pytest.mark.parametrize("f", NETS, ids=repr)
@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_value_and_pullback_are_those_of_the_tape(f, batch):
    rng = np.random.default_rng(5)
    z, theta = draw(f, rng, batch)
    a = rng.normal(size=z.shape)
    dz, pullback = f.vjp(z, 0.4, theta)
    dz_tape, pullback_tape = by_the_tape(f).vjp(z, 0.4, theta)
    assert np.allclose(dz, dz_tape, rtol=1e-12, atol=1e-13) and np.array_equal(dz, f(z, 0.4, theta))
    for ours, theirs in zip(pullback(a), pullback_tape(a), strict=True):
        assert np.shape(ours) == np.shape(theirs) and np.allclose(ours, theirs, rtol=1e-11, atol=1e-13)
    assert np.abs(pullback(a)[2][:-1]).min() > 0 and pullback(a)[2][-1] == 0  # only the last bias moves nothing


@pytest.mark.parametrize("f", NETS, ids=repr)
@pytest.mark.parametrize("method", [Discrete(), Backsolve()])
@pytest.mark.parametrize("ts", [[0.0, 0.3, 0.9], [0.9, 0.3, 0.0]])
def test_the_gradient_of_a_solve_passes_the_check(f, method, ts):
    """Discrete to round-off. The adjoint meets it as rk4's steps become short."""
    z0, theta = draw(f, np.random.default_rng(7), batch=(2,))
    n = 2 if method == Discrete() else 40
    loss = lambda theta: np.sum(odeint(z0, f, ts, theta, rk4(n=n), method) ** 2)
    gradient = grad(loss)(theta)
    if method == Discrete():
        assert check_gradient(loss, gradient, theta)
    exact = grad(lambda theta: np.sum(odeint(z0, f, ts, theta, rk4(n=40), Discrete()) ** 2))(theta)
    if method == Backsolve():
        assert np.allclose(gradient, exact, rtol=1e-6, atol=1e-8 * np.abs(exact).max())


@pytest.mark.parametrize("f", NETS, ids=repr)
def test_the_gradient_of_the_energy_is_that_of_the_energy(f):
    z, theta = draw(f, np.random.default_rng(3))
    assert check_gradient(lambda z: np.sum(f.energy(z, theta)), f.energy_gradient(z, theta), z)
    assert f.energy(z, theta).shape == z.shape[:-1]


@pytest.mark.parametrize("f", NETS, ids=repr)
def test_solutions_keep_the_energy_as_well_as_the_solver_is_exact(f):
    """The field is orthogonal to grad H to round-off; the error of H over a solve falls with rk4's fourth order."""
    z0, theta = draw(f, np.random.default_rng(11))
    slope, dz = f.energy_gradient(z0, theta), f(z0, 0.0, theta)
    assert np.abs(np.sum(slope * dz, axis=-1)).max() < 1e-14 * np.abs(slope).max() ** 2 * f.sizes[0]
    start = f.energy(z0, theta)
    errors = [
        np.abs(f.energy(odesolve(z0, f, [0, 2], theta, rk4(n=n)).zs[-1], theta) - start).max() for n in (8, 16, 32)
    ]
    assert observed_order(errors) > 3.7  # rk4 conserves some energies at order 5


def test_it_trains_in_both_senses():
    """80 steps from windows of a noisy pendulum: the loss falls tenfold, and the gradient of that loss is right."""
    field = FIELDS["pendulum"]._replace(theta=np.array([1.0, 0.0]))
    rng, ts = np.random.default_rng(0), np.linspace(0, 4, 21)
    _, zs = noisy_trajectories(rng, field, ts, 8, 0.05)
    f = HamiltonianNet([2, 16, 1])
    options = {"steps": 80, "length": 6, "batch": 4, "rates": (0.05, 0.01), "method": Discrete(), "progress": False}
    _, losses = learn_from_windows(f, f.init(rng), ts, zs, rk4(n=1), rng=rng, **options)
    assert np.mean(losses[-10:]) < losses[0] / 10


@pytest.mark.parametrize(
    ("sizes", "words"),
    [([3, 5, 1], "even"), ([2, 1], "hidden"), ([2, 5, 2], r"got \[2, 5, 2\]"), ([2, 0, 1], "positive")],
)
def test_sizes_that_make_no_energy(sizes, words):
    with pytest.raises(ValueError, match=words):
        HamiltonianNet(sizes)


def test_a_state_or_theta_of_another_shape_is_named():
    f = HamiltonianNet([2, 5, 1])
    with pytest.raises(ValueError, match=r"z must have sizes\[0\] = 2"):
        f(np.zeros((3, 4)), 0.0, np.zeros(f.size))
    with pytest.raises(ValueError, match=r"theta must be an array of shape \(21,\)"):
        f(np.zeros((3, 2)), 0.0, np.zeros(5))


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_the_dtype_follows_the_state(dtype):
    f = HamiltonianNet([2, 5, 1])
    z0, theta = draw(f, np.random.default_rng(0))
    solved = odesolve(z0.astype(dtype), f, [0, 1], theta, dopri5(1e-3, 1e-3)).zs
    assert solved.dtype == dtype
    value, gradient = value_and_grad(lambda z: np.sum(f(z, 0.0, theta) ** 2))(z0)
    assert np.isfinite(value) and gradient.shape == z0.shape
