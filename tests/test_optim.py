"""Descent on functions whose descent is known in closed form, and a training loop that loses nothing."""

import copy
import io
import multiprocessing
import pickle
import sys

import numpy as np
import pytest

from odelearn import SGD, Adam, DataError, TrainingStopped, batches, fit
from odelearn.fitting.options import SavedElsewhere, UsageError, WorseThanMean

EPS = np.finfo(float).eps
CURVATURES = np.array([1.0, 4.0, 9.0])


def quadratic(theta):
    """L = 1/2 sum lambda_i theta_i^2 with the curvatures lambda_i, and its gradient."""
    return 0.5 * np.sum(CURVATURES * theta**2), CURVATURES * theta


def gradients(n, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 3))


def walk(opt, theta, gs):
    for g in gs:
        theta = opt.step(theta, g)
    return theta


# ---- the steps


def test_adam_is_algorithm_1_of_kingma_and_ba():
    """m_hat and v_hat are weighted means of all gradients so far: the corrections make the weights sum to 1."""
    lr, beta1, beta2, eps = 0.05, 0.8, 0.95, 1e-6
    gs, theta = gradients(4), np.array([1.0, -2.0, 3.0])
    opt, expected = Adam(lr, (beta1, beta2), eps), theta
    for t in range(1, 5):
        past = np.arange(t)[::-1, np.newaxis]  # steps ago
        m_hat = np.sum((1 - beta1) * beta1**past * gs[:t], axis=0) / np.sum((1 - beta1) * beta1**past)
        v_hat = np.sum((1 - beta2) * beta2**past * gs[:t] ** 2, axis=0) / np.sum((1 - beta2) * beta2**past)
        expected = expected - lr * m_hat / (np.sqrt(v_hat) + eps)
        theta = opt.step(theta, gs[t - 1])
        assert np.allclose(theta, expected, rtol=20 * EPS, atol=0)


def test_the_first_step_of_adam_is_lr_whatever_the_gradient():
    """m_hat / sqrt(v_hat) = g / |g|; uncorrected it would be (1 - beta1) / sqrt(1 - beta2) = 3.2 times that."""
    theta = Adam(lr=0.01).step(np.zeros(3), np.array([1e-3, -5.0, 1e6]))
    assert np.allclose(theta, [-0.01, 0.01, -0.01], rtol=2e-5, atol=0)  # eps / |g| = 1e-5 in the first component


def test_the_defaults_of_adam_are_those_of_the_article():
    g = np.array([0.3, -2.0])
    assert np.array_equal(Adam().step(START[:2], g), Adam(1e-3, (0.9, 0.999), 1e-8).step(START[:2], g))


@pytest.mark.parametrize("c", [1e-6, 3.0, 1e6])
def test_adam_without_eps_does_not_feel_the_scale_of_the_loss(c):
    theta, gs = np.array([1.0, -2.0, 3.0]), gradients(20)
    assert np.allclose(walk(Adam(0.1, eps=0), theta, c * gs), walk(Adam(0.1, eps=0), theta, gs), rtol=1e-13, atol=0)


def test_gradient_descent_on_a_quadratic_is_a_power():
    """theta_n = (1 - lr lambda)^n theta_0 in each direction, so the best lr = 2 / (min + max) shrinks by 0.8 a step."""
    lr, n = 2 / (1.0 + 9.0), 30
    theta0 = np.array([1.0, -2.0, 3.0])
    theta, history = fit(quadratic, theta0, SGD(lr), n, progress=False)
    assert np.allclose(theta, (1 - lr * CURVATURES) ** n * theta0, rtol=1e-13, atol=0)
    powers = (1 - lr * CURVATURES) ** np.arange(n)[:, np.newaxis]
    assert np.allclose(history, 0.5 * np.sum(CURVATURES * (powers * theta0) ** 2, axis=1), rtol=1e-13, atol=0)


def test_momentum_on_a_quadratic_is_a_two_term_recursion():
    """theta_{n+1} = (1 + mu - lr lambda) theta_n - mu theta_{n-1}: powers of the x with x^2 = (...) x - mu."""
    lr, mu, n = 0.1, 0.6, 25
    theta0 = np.array([1.0, -2.0, 3.0])
    opt, theta = SGD(lr, momentum=mu), theta0
    for _ in range(n):
        theta = opt.step(theta, CURVATURES * theta)
    half = (1 + mu - lr * CURVATURES) / 2 + 0j
    x1, x2 = half + np.sqrt(half**2 - mu), half - np.sqrt(half**2 - mu)
    c1 = theta0 * (1 - lr * CURVATURES - x2) / (x1 - x2)  # theta_1 = (1 - lr lambda) theta_0
    assert np.allclose(theta, (c1 * x1**n + (theta0 - c1) * x2**n).real, rtol=1e-11, atol=0)


def test_a_schedule_is_asked_with_the_number_of_steps_made_before():
    """The steps are those of one lr each; also after a load."""
    asked, theta, gs = [], START, gradients(6)

    def schedule(n):
        asked.append(n)
        return 0.1 / (1 + n)

    opt = Adam(schedule)
    scheduled = walk(opt, theta, gs[:3])
    later = Adam(schedule)
    later.load(opt.state())
    scheduled = walk(later, scheduled, gs[3:])
    assert asked == [0, 1, 2, 3, 4, 5]
    by_hand, expected = Adam(1.0), theta
    for n, g in enumerate(gs):
        by_hand.lr = 0.1 / (1 + n)
        expected = by_hand.step(expected, g)
    assert np.array_equal(scheduled, expected)


def test_a_constant_schedule_is_the_number_and_zero_makes_no_move():
    theta, gs = START, gradients(5)
    assert np.array_equal(walk(Adam(lambda n: 0.05), theta, gs), walk(Adam(0.05), theta, gs))
    assert np.array_equal(walk(Adam(lambda n: 0, weight_decay=0.1), theta, gs), theta)


@pytest.mark.parametrize(("bad", "error"), [(-0.1, ValueError), (np.nan, ValueError), ("0.1", TypeError)])
def test_a_schedule_that_gives_no_step_length_is_named_and_changes_nothing(bad, error):
    opt, g = Adam(lambda n: 0.1 if n < 2 else bad), gradients(1)[0]
    theta = walk(opt, START, [g, g])
    before = opt.state()
    with pytest.raises(error, match=r"lr\(2\) must be .*at least 0, got"):
        opt.step(theta, g)
    assert opt.state()["t"] == 2 and np.array_equal(opt.state()["m"], before["m"])


def test_weight_decay_is_decoupled_from_the_moments():
    """AdamW: with lr w taken off theta at each step. In the gradient it would be divided by sqrt(v_hat) as all else."""
    lr, w, theta, gs = 0.05, 0.3, START, gradients(8)
    plain, decayed, expected = Adam(lr), Adam(lr, weight_decay=w), theta
    for g in gs:
        theta, before = decayed.step(theta, g), expected
        expected = before * (1 - lr * w) + (plain.step(before, g) - before)
        assert np.allclose(theta, expected, rtol=20 * EPS, atol=0)
    assert np.array_equal(plain.m, decayed.m) and np.array_equal(plain.v, decayed.v)
    without = Adam(lr, weight_decay=w)  # with no gradient at all theta shrinks like (1 - lr w)^n
    assert np.allclose(walk(without, START, np.zeros((8, 3))), START * (1 - lr * w) ** 8, rtol=20 * EPS, atol=0)


def test_the_decay_follows_the_schedule():
    opt = Adam(lambda n: [0.1, 0.01][n], weight_decay=0.5)
    assert np.allclose(walk(opt, START, np.zeros((2, 3))), START * 0.95 * 0.995, rtol=4 * EPS, atol=0)


def test_clip_shortens_the_gradient_to_its_length_and_keeps_its_direction():
    short, long = np.array([0.3, -0.4, 0.0]), np.array([30.0, -40.0, 0.0])  # of length 0.5 and 50
    for g, expected in ((short, short), (long, long / 50), (np.zeros(3), np.zeros(3))):
        clipped, plain = Adam(0.1, clip=1.0), Adam(0.1)
        clipped.step(START, g)
        plain.step(START, expected)
        assert np.allclose(clipped.m, plain.m, rtol=4 * EPS, atol=0)
        assert np.allclose(clipped.v, plain.v, rtol=8 * EPS, atol=0)
    exact = Adam(0.1, clip=0.5)
    exact.step(START, short)
    assert np.allclose(exact.m, 0.1 * short, rtol=2 * EPS, atol=0)


@pytest.mark.parametrize(("dtype", "huge"), [(np.float32, 1e30), (np.float64, 1e300)])
def test_a_gradient_whose_square_overflows_is_clipped_all_the_same(dtype, huge):
    opt = Adam(0.1, clip=5.0)
    theta = opt.step(np.ones(2, dtype), np.array([3 * huge, -4 * huge], dtype))
    assert np.allclose(opt.m, [0.3, -0.4], rtol=8 * np.finfo(dtype).eps) and theta.dtype == dtype


def test_each_member_of_an_ensemble_takes_the_steps_that_it_would_take_alone():
    """Its clip norm is its own: the long gradient of one member does not shorten that of the others."""
    make = lambda: Adam(lambda n: 0.1 / (1 + n), weight_decay=0.2, clip=1.0)
    thetas, gs = gradients(4, seed=1), gradients(4 * 6).reshape(6, 4, 3) * np.array([[0.01], [1.0], [100.0], [1e6]])
    together = walk(make(), thetas, gs)
    for e in range(4):
        assert np.allclose(together[e], walk(make(), thetas[e], gs[:, e]), rtol=20 * EPS, atol=0)


def test_all_options_keep_float32():
    for g in (np.full(3, 2, np.float32), np.array([1.0, 2.0, -3.0])):
        opt = Adam(lambda n: np.float64(0.1), weight_decay=np.float64(0.1), clip=np.float64(0.5))
        assert opt.step(opt.step(np.ones(3, np.float32), g), g).dtype == np.float32
        assert opt.m.dtype == g.dtype


# ---- minibatches


@pytest.mark.parametrize(("n", "size"), [(10, 4), (8, 4), (3, 5), (1, 1), (100, 1)])
def test_batches_hold_every_item_once_and_the_last_one_what_is_left(n, size):
    found = batches(np.random.default_rng(0), n, size)
    assert sorted(np.concatenate(found).tolist()) == list(range(n))
    assert [len(batch) for batch in found] == [size] * (n // size) + [n % size] * (n % size > 0)
    assert all(batch.dtype.kind == "i" for batch in found)


def test_batches_are_the_same_for_a_seed_and_others_in_each_epoch():
    rng, again = np.random.default_rng(3), np.random.default_rng(3)
    first, second = np.concatenate(batches(rng, 50, 7)), np.concatenate(batches(rng, 50, 7))
    assert np.array_equal(first, np.concatenate(batches(again, 50, 7)))
    assert np.array_equal(second, np.concatenate(batches(again, 50, 7))) and not np.array_equal(first, second)


@pytest.mark.parametrize("value", [0, -3, 2.5, True, None, "4"])
def test_batches_of_no_whole_number_are_refused(value):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="n must be a whole number above 0, got"):
        batches(rng, value, 4)
    with pytest.raises(ValueError, match="size must be a whole number above 0, got"):
        batches(rng, 4, value)


@pytest.mark.parametrize("rng", [0, None, np.random.RandomState(0)])
def test_batches_want_a_generator(rng):
    with pytest.raises(TypeError, match=r"rng must be a numpy.random.Generator, such as np.random.default_rng\(0\)"):
        batches(rng, 10, 2)


def test_adam_reaches_the_minimum_of_a_quadratic():
    theta, history = fit(quadratic, np.array([1.0, -2.0, 3.0]), Adam(0.1), 1000, progress=False)
    assert np.abs(theta).max() < 1e-8 and history[-1] < 1e-16 * history[0]


@pytest.mark.parametrize("make", [lambda: Adam(0.1), lambda: SGD(0.1, momentum=0.9)], ids=["Adam", "SGD"])
def test_half_the_steps_and_the_other_half_are_all_the_steps(make):
    """Bit for bit, also through a file."""
    theta, gs = np.array([1.0, -2.0, 3.0]), gradients(20)
    first, second = make(), make()
    half = walk(first, theta, gs[:10])
    second.load({name: np.array(x) for name, x in first.state().items()})
    assert np.array_equal(walk(second, half, gs[10:]), walk(make(), theta, gs))
    assert not np.array_equal(walk(make(), half, gs[10:]), walk(make(), theta, gs))  # so the state matters


@pytest.mark.parametrize("make", [Adam, lambda: SGD(0.1, momentum=0.9)], ids=["Adam", "SGD"])
def test_a_step_makes_a_new_array_in_the_same_precision(make):
    theta, g = np.ones(3, np.float32), np.full(3, 2, np.float32)
    opt = make()
    stepped = opt.step(opt.step(theta, g), g)
    assert stepped.dtype == np.float32
    assert (theta == 1).all() and (g == 2).all() and not np.shares_memory(theta, stepped)


def test_a_float32_theta_stays_float32_whatever_the_gradient_and_lr_are():
    theta, g = np.ones(3, np.float32), np.array([1.0, 2.0, -3.0])
    for opt in (Adam(np.float64(0.1)), SGD(np.float64(0.1), momentum=np.float64(0.5))):
        assert opt.step(opt.step(theta, g), g).dtype == np.float32


def test_integers_become_float64():
    for opt in (Adam(0.1), SGD(0.1)):
        assert opt.step([1, 2], [3, 4]).dtype == np.float64


@pytest.mark.parametrize("make", [lambda: Adam(0.1), lambda: SGD(0.1, momentum=0.9)], ids=["Adam", "SGD"])
def test_a_state_loaded_before_the_first_step_changes_no_bit_in_single_precision(make):
    theta, gs = np.ones(3, np.float32), gradients(5).astype(np.float32)
    for state in (make().state(), {name: np.array(x) for name, x in make().state().items()}):
        loaded = make()
        loaded.load(state)
        assert np.array_equal(walk(loaded, theta, gs), walk(make(), theta, gs))


@pytest.mark.parametrize("opt", [Adam(), SGD(0.1)], ids=["Adam", "SGD"])
def test_complex_parameters_are_refused(opt):
    for theta, g in ((np.ones(2) + 0j, np.ones(2)), (np.ones(2), np.ones(2) * 1j)):
        with pytest.raises(TypeError, match="real"):
            opt.step(theta, g)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Adam(lr=0), "lr must be positive and finite, got 0"),
        (lambda: Adam(lr=np.nan), "lr must be positive"),
        (lambda: SGD(lr=-1.0), "lr must be positive and finite, got -1.0"),
        (lambda: SGD(lr=0.1, momentum=1.0), r"momentum must be in \[0, 1\), got 1.0"),
        (lambda: Adam(lr=np.inf), "lr must be positive and finite, got inf"),
        (lambda: SGD(lr=np.inf), "lr must be positive and finite, got inf"),
        (lambda: SGD(lr=0.1, momentum=-0.1), r"momentum must be in \[0, 1\), got -0.1"),
        (lambda: Adam(betas=(-0.1, 0.9)), r"betas\[0\] must be in \[0, 1\), got -0.1"),
        (lambda: Adam(betas=(0.9, 1.5)), r"betas\[1\] must be in \[0, 1\), got 1.5"),
        (lambda: Adam(betas=0.9), r"betas must be two numbers \(beta1, beta2\), got 0.9"),
        (lambda: Adam(eps=-1), "eps must be finite and at least 0, got -1"),
        (lambda: Adam(eps=np.inf), "eps must be finite and at least 0, got inf"),
        (lambda: Adam(eps=np.nan), "eps must be finite and at least 0, got nan"),
        (lambda: Adam(weight_decay=-0.1), "weight_decay must be finite and at least 0, got -0.1"),
        (lambda: Adam(clip=0), "clip must be positive and finite, got 0"),
        (lambda: Adam(clip=np.inf), "clip must be positive and finite, got inf"),
    ],
)
def test_options_that_cannot_work_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("lr", ["fast", "0.1", None, [0.1, 0.2]])
def test_options_that_are_no_numbers_are_refused(lr):
    for make in (Adam, SGD):
        with pytest.raises(TypeError, match="lr must be a number, positive and finite, got"):
            make(lr)


@pytest.mark.parametrize("steps", [-1, 2.5, np.nan, np.inf])
def test_a_number_of_steps_that_is_none_is_refused(steps):
    with pytest.raises(ValueError, match=f"steps must be a whole number, 0 or more, got {steps}"):
        fit(quadratic, START, SGD(0.1), steps, progress=False)


@pytest.mark.parametrize("opt", [Adam, None])
def test_an_optimiser_without_its_parentheses_is_refused(opt):
    with pytest.raises(TypeError, match=r"opt must be an optimiser, such as Adam\(lr=0.01\)"):
        fit(quadratic, START, opt, 1, progress=False)


@pytest.mark.parametrize("opt", [Adam(), SGD(0.1)], ids=["Adam", "SGD"])
def test_gradients_that_cannot_be_used_are_refused(opt):
    with pytest.raises(ValueError, match=r"the gradient has shape \(2,\), theta has shape \(3,\)"):
        opt.step(np.ones(3), np.ones(2))
    with pytest.raises(FloatingPointError, match=r"not finite: g\[1\] = nan"):
        opt.step(np.ones(3), np.array([1.0, np.nan, np.inf]))


# ---- the loop

START = np.array([1.0, -2.0, 3.0])


def test_history_and_callback_pair_each_theta_with_its_own_loss():
    seen = []
    theta, history = fit(quadratic, START, SGD(0.1), 5, False, lambda *now: seen.append(now))
    assert [step for step, _, _ in seen] == [0, 1, 2, 3, 4]
    assert [loss for _, _, loss in seen] == history == [quadratic(theta)[0] for _, theta, _ in seen]
    assert np.array_equal(seen[0][1], START) and quadratic(theta)[0] < history[-1]


def test_the_history_holds_python_floats():
    """Whatever kind of number the loss is, so that it can be written as JSON."""
    _, history = fit(lambda theta: (np.array(2.0), theta), START, SGD(0.1), 2, progress=False)
    assert [type(loss) for loss in history] == [float, float]


def test_no_steps_change_nothing():
    theta, history = fit(quadratic, START, Adam(), 0, progress=False)
    assert np.array_equal(theta, START) and history == []


def test_the_progress_bar_shows_the_loss(capsys):
    shown, _ = fit(quadratic, START, SGD(0.1), 4)
    assert "4/4" in (err := capsys.readouterr().err) and "loss " in err
    hidden, _ = fit(quadratic, START, SGD(0.1), 4, progress=False)
    assert capsys.readouterr().err == "" and np.array_equal(shown, hidden)


def test_the_progress_bar_is_closed_before_an_error_is_shown(capsys):
    with pytest.raises(TrainingStopped) as caught:
        fit(failing(2, RuntimeError()), START, SGD(0.1), 4)
    assert caught.value.history and capsys.readouterr().err.endswith("\n")


def test_without_progress_tqdm_is_not_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    fit(quadratic, START, SGD(0.1), 2, progress=False)


def failing(step, error):
    """The quadratic, which raises at one step."""
    calls = iter(range(100))

    def loss_and_grad(theta):
        if next(calls) == step:
            raise error
        return quadratic(theta)

    return loss_and_grad


@pytest.mark.parametrize("progress", [True, False])
def test_ctrl_c_keeps_what_was_learned(progress):
    with pytest.warns(UserWarning, match="stopped by Ctrl-C after 3 of 10 steps") as caught:
        theta, history = fit(failing(3, KeyboardInterrupt()), START, SGD(0.1), 10, progress)
    expected, expected_history = fit(quadratic, START, SGD(0.1), 3, progress=False)
    assert np.array_equal(theta, expected) and history == expected_history
    assert caught[0].filename == __file__


def test_a_failing_step_says_where_and_keeps_the_last_good_theta():
    cause = RuntimeError("step underflow at t = 0.3")
    with pytest.raises(
        TrainingStopped, match="step 3 of 10 failed with RuntimeError: step underflow at t = 0.3"
    ) as caught:
        fit(failing(3, cause), START, SGD(0.1), 10, progress=False)
    stopped = caught.value
    assert stopped.__cause__ is cause
    two, history = fit(quadratic, START, SGD(0.1), 2, progress=False)
    assert np.array_equal(stopped.theta, two)  # where the last finite loss was seen
    assert stopped.history == [*history, quadratic(two)[0]]
    assert f"from {stopped.history[0]:.6g} to {stopped.history[-1]:.6g}" in str(stopped)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ((np.nan, np.ones(3)), "FloatingPointError: the loss is nan"),
        ((1.0, np.array([1.0, np.inf, 0.0])), r"FloatingPointError: the gradient is not finite: g\[1\] = inf"),
        ((1.0, np.ones(2)), r"ValueError: the gradient has shape \(2,\)"),
    ],
)
def test_a_loss_or_gradient_that_is_not_finite_stops_the_training(result, message):
    with pytest.raises(TrainingStopped, match=f"step 0 of 5 failed with {message}.*no step was made") as caught:
        fit(lambda theta: result, START, Adam(), 5, progress=False)
    assert np.array_equal(caught.value.theta, START) and caught.value.history == []


def test_training_with_momentum_can_go_on_where_it_stopped():
    opt = Adam(0.1)
    theta, first = fit(quadratic, START, opt, 10, progress=False)
    resumed = Adam(0.1)
    resumed.load(opt.state())
    theta, second = fit(quadratic, theta, resumed, 10, progress=False)
    expected, history = fit(quadratic, START, Adam(0.1), 20, progress=False)
    assert np.array_equal(theta, expected) and first + second == history


# ---- errors travel between processes


def stopped_with_a_note():
    with pytest.raises(TrainingStopped) as caught:
        fit(failing(3, RuntimeError("no")), START, SGD(0.1), 10, progress=False)
    caught.value.add_note("a note")
    return caught.value


ERRORS = [stopped_with_a_note(), DataError("empty"), UsageError("--lr"), WorseThanMean("R^2"), SavedElsewhere("full")]


@pytest.mark.parametrize("error", ERRORS, ids=[type(error).__name__ for error in ERRORS])
@pytest.mark.parametrize("copied", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy], ids=["pickle", "deepcopy"])
def test_errors_survive_a_copy(error, copied):
    other = copied(error)
    assert type(other) is type(error) and str(other) == str(error)
    assert getattr(other, "__notes__", []) == getattr(error, "__notes__", [])
    if isinstance(error, TrainingStopped):
        assert np.array_equal(other.theta, error.theta) and other.history == error.history != []


def one_member(seed):
    return fit(failing(seed, RuntimeError(f"member {seed}")), START, SGD(0.1), 3, progress=False)[0]


def test_a_pool_over_fit_does_not_hang_when_a_member_raises():
    """Members 1 and 2 fail at that step, member 5 would fail later than it is trained for."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        first, fine, second = [pool.apply_async(one_member, (seed,)) for seed in (1, 5, 2)]
        for seed, result in (1, first), (2, second):
            with pytest.raises(TrainingStopped, match=f"step {seed} of 3 failed with RuntimeError: member") as caught:
                result.get(timeout=20)
            assert len(caught.value.history) == seed and caught.value.theta.shape == (3,)
        assert np.array_equal(fine.get(timeout=20), fit(quadratic, START, SGD(0.1), 3, progress=False)[0])


# ---- the bar


class Broken:
    """A stream that nobody reads any more."""

    def write(self, text=""):
        raise BrokenPipeError

    flush = write


@pytest.mark.parametrize("stream", [None, Broken(), io.StringIO()], ids=["closed", "broken", "open"])
def test_a_bar_that_cannot_be_shown_does_not_end_the_training(monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream)
    theta, history = fit(quadratic, START, SGD(0.1), 3)
    expected, expected_history = fit(quadratic, START, SGD(0.1), 3, progress=False)
    assert np.array_equal(theta, expected) and history == expected_history
