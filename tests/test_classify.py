"""Section 3: the layers and nets have right gradients, they learn, and what is measured of them is what it says."""

import json
import tracemalloc
import warnings

import numpy as np
import pytest

from odelearn import (
    MLP,
    Backsolve,
    Discrete,
    DriftWarning,
    TrainingStopped,
    check_gradient,
    complex_step,
    dopri5,
    euler,
    odesolve,
    rk4,
    value_and_grad,
)
from odelearn.datasets import digits
from odelearn.experiments import classify, plane
from odelearn.experiments import digits as study
from odelearn.experiments.classify_claims import claims
from odelearn.experiments.classify_settings import validate
from odelearn.models.classify import (
    FORMS,
    Augment,
    Chain,
    MeanPool,
    ODEBlock,
    Once,
    Reshape,
    Residual,
    cross_entropy_vjp,
    digit_classifier,
    loss_and_gradient,
    predict_classes,
    train_classifier,
)
from odelearn.nn import Conv2d, ConvDynamics
from odelearn.nn.losses import softmax_cross_entropy
from odelearn.plotting.classify import digits_figure, plane_figure

EPS = np.finfo(float).eps
FIELD = MLP([3, 4, 3], time="concat")
LAYERS = {  # a layer, and the shape of its items
    "once": (Once(MLP([3, 2])), (3,)),
    "residual": (Residual(FIELD), (3,)),
    "ode": (ODEBlock(FIELD, rk4(n=3), Discrete()), (3,)),
    "reshape": (Reshape(2, 3), (6,)),
    "pool": (MeanPool(), (4, 2, 3)),
    "augment": (Augment(2), (3,)),
    "conv": (Conv2d(2, 3), (3, 4, 2)),
    "chain": (Chain(Augment(1), ODEBlock(FIELD, rk4(n=2), Discrete()), Reshape(3), Once(MLP([3, 2]))), (2,)),
    "images": (
        Chain(Reshape(4, 4, 1), Conv2d(1, 2), Residual(ConvDynamics(2, 2)), MeanPool(), Reshape(8), Once(MLP([8, 3]))),
        (4, 4),
    ),
}


def close(x, y, ulps=500):
    x, y = np.asarray(x), np.asarray(y)
    return x.shape == y.shape and np.abs(x - y).max(initial=0) <= ulps * EPS * max(1, np.abs(y).max(initial=0))


@pytest.mark.parametrize("name", LAYERS)
def test_the_pullback_of_a_layer_agrees_with_the_complex_step(name):
    layer, shape = LAYERS[name]
    rng = np.random.default_rng(0)
    x, theta = rng.normal(size=(4, *shape)), rng.normal(size=layer.size)
    y, pullback = layer.vjp(x, theta)
    a = rng.normal(size=y.shape)
    a_x, a_theta = pullback(a)
    assert close(a_x, complex_step(lambda x: np.sum(a * layer.vjp(x, theta)[0]), x))
    assert a_theta.shape == layer.init(rng).shape == (layer.size,) and np.abs(a_x).min() > 0
    if layer.size:
        assert close(a_theta, complex_step(lambda theta: np.sum(a * layer.vjp(x + 0j, theta)[0]), theta))


def test_a_residual_block_is_a_step_of_euler():
    """(1) beside (3): the same numbers, and the same gradients."""
    rng = np.random.default_rng(1)
    z, theta, a = rng.normal(size=(5, 3)), rng.normal(size=FIELD.size), rng.normal(size=(5, 3))
    one, other = Residual(FIELD).vjp(z, theta), ODEBlock(FIELD, euler(n=1), Discrete()).vjp(z, theta)
    assert close(one[0], other[0])
    assert all(map(close, one[1](a), other[1](a)))


def test_pooling_keeps_the_mean_and_augmenting_the_start():
    x = np.random.default_rng(2).normal(size=(2, 4, 6, 3))
    y = MeanPool().vjp(x, np.zeros(0))[0]
    assert y.shape == (2, 2, 3, 3) and close(y.mean(axis=(1, 2)), x.mean(axis=(1, 2)))
    assert close(y[1, 1, 2], x[1, 2:, 4:].mean(axis=(0, 1)))
    y = Augment(2).vjp(x[0, :, :, 0], np.zeros(0))[0]
    assert np.array_equal(y, np.c_[x[0, :, :, 0], np.zeros((4, 2))])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_cross_entropy_by_hand_is_that_of_the_tape(dtype):
    """Logits so large that exp of them would overflow, too."""
    rng = np.random.default_rng(3)
    logits, labels = (rng.normal(size=(7, 10)) * [[1], [1], [1], [1], [9], [99], [999]]).astype(dtype), np.arange(7)
    loss, a_logits = cross_entropy_vjp(logits, labels)
    taped_loss, taped = value_and_grad(softmax_cross_entropy)(logits, labels)
    ulps = 50 * np.finfo(dtype).eps
    assert abs(loss - taped_loss) < ulps * taped_loss and np.abs(a_logits - taped).max() < ulps
    assert a_logits.dtype == dtype and np.abs(a_logits.sum(axis=1)).max() < ulps


DENSE = [(form, False) for form in FORMS]
CONVOLUTIONAL = [("resnet", True), ("rk-net", True), pytest.param("ode-net", True, marks=pytest.mark.slow)]


@pytest.mark.parametrize(("form", "convolutional"), DENSE + CONVOLUTIONAL)
def test_the_gradient_of_every_net_is_right(form, convolutional):
    """Into z, through the middle, out of it and the loss: some parameters of every layer, by differences."""
    net, (x, labels) = digit_classifier(form, convolutional), digits()
    for layer in net.layers:
        if isinstance(layer, ODEBlock) and layer.method == Backsolve():
            layer.solver = dopri5(1e-11, 1e-11)  # the adjoint is the gradient of the flow, up to the tolerance
    rng = np.random.default_rng(4)
    theta = net.init(rng) + 0.1 * rng.normal(size=net.size)
    starts = [0, *net.ends[:-1]]
    some = np.concatenate([rng.integers(i, j, 2) for i, j in zip(starts, net.ends, strict=True) if i < j])
    x, labels = (x[:1], labels[:1]) if convolutional else (x[:3], labels[:3])

    def loss(part):
        moved = theta.copy()
        moved[some] = part
        return loss_and_gradient(net, moved, x, labels)[0]

    gradient = loss_and_gradient(net, theta, x, labels)[1]
    assert gradient.shape == theta.shape
    report = check_gradient(loss, gradient[some], theta[some])
    assert report, str(report)


def test_the_parameters_are_as_many_as_the_table_says():
    sizes = {form: digit_classifier(form).size for form in FORMS}
    block, into, out = 2 * (64 * 64 + 64), 64 * 64 + 64, 64 * 10 + 10
    assert sizes["resnet"] == into + 6 * block + out and sizes["rk-net"] == into + block + 64 + out
    assert sizes["rk-net"] == sizes["ode-net"] < 0.3 * sizes["resnet"]
    assert abs(sizes["mlp"] / sizes["rk-net"] - 1) < 0.01
    assert digit_classifier("ode-net", True).size < 0.3 * digit_classifier("resnet", True).size


def test_rk_net_and_ode_net_are_one_function_up_to_the_error_of_the_solver():
    x, _ = digits()
    one, other = digit_classifier("rk-net"), digit_classifier("ode-net")
    theta = one.init(np.random.default_rng(5))
    assert np.abs(one.vjp(x[:9], theta)[0] - other.vjp(x[:9], theta)[0]).max() < 0.01


# ---- training


def some_digits(n=200):
    x, labels = digits()
    return x[:n].astype(np.float32), labels[:n]


@pytest.mark.parametrize("form", FORMS)
def test_a_short_training_lowers_the_loss_tenfold_and_repeats_itself(form):
    (x, labels), net = some_digits(), digit_classifier(form)
    runs = [train_classifier(net, x, labels, np.random.default_rng(6), epochs=15, progress=False) for _ in "12"]
    (theta, history), (again, history_again) = runs
    assert np.mean(history[-4:]) < history[0] / 10 and np.mean(predict_classes(net, theta, x) == labels) > 0.95
    assert np.array_equal(theta, again) and history == history_again and len(history) == 15 * 4
    assert theta.dtype == np.float32


def test_the_convolutional_net_learns():
    (x, labels), net = some_digits(100), digit_classifier("rk-net", True)
    _, history = train_classifier(net, x, labels, np.random.default_rng(7), epochs=12, lr=0.02, progress=False)
    assert np.mean(history[-4:]) < history[0] / 4


def test_noise_is_drawn_anew_for_each_batch_and_only_for_the_training():
    class Net(Once):
        def vjp(self, x, theta):
            seen.append(x.copy())
            return super().vjp(x, theta)

    seen, x, labels = [], np.zeros((50, 4), np.float32), np.zeros(50, int)
    net = Net(MLP([4, 2]))
    train_classifier(net, x, labels, np.random.default_rng(8), epochs=40, batch=20, noise=0.5, progress=False)
    noise = np.concatenate(seen)
    assert noise.shape == (2000, 4) and noise.dtype == np.float32 and not x.any()
    assert abs(noise.mean()) < 5 * 0.5 / np.sqrt(noise.size) and abs(noise.std() / 0.5 - 1) < 5 / np.sqrt(
        2 * noise.size
    )
    assert len(np.unique(noise)) > 7900


def test_the_learning_rate_falls_to_zero():
    """With one item and a linear net the gradient keeps its sign, and Adam's step is about lr: it shrinks to 0."""
    thetas, net = [], Once(MLP([1, 2]))
    options = {"epochs": 50, "lr": 0.1, "progress": False, "callback": lambda step, theta, loss: thetas.append(theta)}
    theta, _ = train_classifier(net, np.ones((1, 1)), np.array([1]), np.random.default_rng(0), **options)
    steps = np.abs(np.diff([*thetas, theta], axis=0)).max(axis=1)
    assert steps[0] == pytest.approx(0.1, rel=0.01) and steps[-1] < 0.001


def test_a_training_that_diverges_keeps_the_last_good_theta():
    x, labels = some_digits()
    net = digit_classifier("ode-net")
    with pytest.raises(TrainingStopped, match=r"step \d+ of 40 failed .* smaller lr|no step was made") as stopped:
        train_classifier(net, x, labels, np.random.default_rng(0), epochs=10, lr=1e25, progress=False)
    assert np.isfinite(stopped.value.theta).all() and np.isfinite(stopped.value.history).all()


def test_ctrl_c_keeps_what_was_learned_and_an_experiment_does_not_take_it_for_a_result():
    (x, labels), net = some_digits(), digit_classifier("mlp")

    def interrupt(step, theta, loss):
        if step == 5:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="stopped by Ctrl-C after 5 of 8 steps"):
        theta, history = train_classifier(
            net, x, labels, np.random.default_rng(0), epochs=2, progress=False, callback=interrupt
        )
    assert len(history) == 5 and theta.shape == (net.size,)
    settings = {**study.TRAINING["mlp"], "epochs": 2}
    with pytest.raises(KeyboardInterrupt), warnings.catch_warnings(action="ignore"):
        study.train_fold(net, x, labels, 0, settings, False, interrupt)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="form must be one of mlp, resnet, rk-net, ode-net, got 'cnn'"):
        digit_classifier("cnn")
    net = digit_classifier("mlp")
    with pytest.raises(ValueError, match=r"theta must have shape \(13135,\), got \(3,\); init\(rng\) makes one"):
        net.vjp(np.ones((1, 64)), np.ones(3))
    with pytest.raises(ValueError, match="x and labels must be of one length, got 2 and 3"):
        train_classifier(net, np.ones((2, 64)), np.ones(3, int), np.random.default_rng(0), epochs=1)


# ---- what is measured


def test_the_peak_is_that_of_arrays_in_use_at_one_time():
    class Greedy(Once):
        def vjp(self, x, theta):
            np.ones(250_000)  # 2 MB, dropped at once
            return super().vjp(x, theta)

    net = Once(MLP([4, 2]))
    x, labels, theta = np.ones((3, 4)), np.zeros(3, int), net.init(np.random.default_rng(0))
    small, large = study.peak_bytes(net, theta, x, labels), study.peak_bytes(Greedy(net.f), theta, x, labels)
    assert small < 20_000 and large == pytest.approx(2_000_000, rel=0.01)
    assert not tracemalloc.is_tracing()


def test_memory_grows_with_depth_for_all_but_the_adjoint():
    x, labels = some_digits(64)
    sizes = {form: study.memory(form, False, x, labels) for form in FORMS}
    growth = {form: np.divide(*np.array(sizes[form]["depth_bytes"])[[-1, 0]]) for form in FORMS[1:]}
    assert growth["resnet"] > 8 and growth["rk-net"] > 4 and growth["ode-net"] < 1.05
    assert "depths" not in sizes["mlp"] and sizes["mlp"]["peak_bytes"] > 13135 * 4


@pytest.fixture(scope="module")
def results():
    """Of all methods, trained much too shortly."""
    with pytest.MonkeyPatch.context() as patch:
        for form in FORMS:
            patch.setitem(study.TRAINING, form, {**study.TRAINING[form], "epochs": 2})
        patch.setitem(plane.SETTINGS, "epochs", 2)
        patch.setitem(plane.SETTINGS, "points", 400)
        return [
            {"method": method, "seed": 0} | json.loads(json.dumps(classify.run(method, 0, progress=False)))
            for method in classify.METHODS
        ]


def test_a_run_has_what_its_docstring_says(results):
    by_name = {result["method"]: result for result in results}
    for form in FORMS:
        r = by_name[form]
        assert r["test_error"] == pytest.approx(100 * sum(r["wrong"]) / 1797, abs=1e-4) and len(r["wrong"]) == 5
        p = sum(r["wrong"]) / 1797
        assert r["standard_error"] == pytest.approx(100 * np.sqrt(p * (1 - p) / 1797), abs=1e-4)
        assert np.shape(r["history"]) == (5, 2) and r["training_steps"] == 5 * 2 * 23
        assert r["test_error"] < 30  # two epochs are enough for that
    figure = by_name["ode-net"]["figure_3"]
    assert figure["forward"] == sorted(figure["forward"]) and np.polyfit(range(8), np.log(figure["error"]), 1)[0] < -1
    assert [len(counts) for counts in figure["evaluations"].values()] == [2, 2]
    coarse, fine = figure["evaluations"].values()
    assert coarse[1] <= fine[1] and min(coarse) >= 8
    for name in plane.PROBLEMS:
        r = by_name[name]
        assert r["fine_loss"] == pytest.approx(r["training_loss"], rel=0.05) and r["fine_loss"] != r["training_loss"]
        assert np.shape(r["paths"])[0::2] == (plane.FRAMES, 3 if name.endswith("augmented") else 2)
        assert np.shape(r["probabilities"]) == (plane.PIXELS, plane.PIXELS)


def test_the_same_seed_gives_the_same_numbers(results):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(study.TRAINING, "mlp", {**study.TRAINING["mlp"], "epochs": 2})
        again, other = (classify.run("mlp", seed, progress=False) for seed in (0, 1))
    assert again["wrong"] == results[0]["wrong"] and again["history"] == results[0]["history"] != other["history"]


def test_a_fold_is_tested_on_what_it_has_not_seen(monkeypatch):
    seen = []
    monkeypatch.setitem(study.TRAINING, "mlp", {**study.TRAINING["mlp"], "epochs": 1})
    monkeypatch.setattr(study, "train_fold", lambda net, x, labels, *_: (x, [1.0], 0.0))
    monkeypatch.setattr(study, "predict_classes", lambda net, train, x: seen.append((train, x)) or np.full(len(x), -1))
    result = study.cross_validate("mlp", 0)
    rows = lambda x: {row.tobytes() for row in x}
    assert len(seen) == 5 and all(len(train) + len(test) == 1797 for train, test in seen)
    assert all(not rows(train) & rows(test) for train, test in seen)  # no two digits are equal
    assert result["test_error"] == 100


def test_settings_are_validated_on_training_parts_only(monkeypatch):
    """The validation parts of all folds lie in their training parts, and are learned by nobody."""
    from odelearn.experiments import classify_settings as module

    learned = []
    monkeypatch.setattr(module, "train_fold", lambda net, x, *_, **__: learned.append(x) or (None, [], 0.0))
    monkeypatch.setattr(module, "predict_classes", lambda net, theta, x: kept.append(x) or np.zeros(len(x), int))
    kept = []
    wrong, n = validate("mlp", study.TRAINING["mlp"])
    rows = lambda x: {row.tobytes() for row in x}
    folds = module.split_folds(np.random.default_rng(module.SEED), 1797, 5)
    x, labels = study.images_and_labels()
    for (_, test), x_learned, x_kept in zip(folds, learned, kept, strict=True):
        assert not rows(x_learned) & rows(x_kept) and not rows(x[test]) & (rows(x_kept) | rows(x_learned))
    assert n == sum(map(len, kept)) and wrong < n


def test_ways_start_at_the_points_and_end_where_the_net_looks():
    net, x = plane.plane_net(1), np.random.default_rng(9).normal(size=(6, 2))
    theta = net.init(np.random.default_rng(0))
    paths = plane.follow(net, theta, x)
    assert np.array_equal(paths[0], np.c_[x, np.zeros(6)])
    exact = odesolve(paths[0], net.layers[1].f, (0.0, 1.0), theta[: net.layers[1].size], dopri5(1e-9, 1e-9)).zs[-1]
    assert np.abs(paths[-1] - exact).max() < 1e-6
    p = plane.probabilities(net, theta, [[-1, 1], [-2, 2]])
    logits, _ = net.vjp(np.array([[1.0, -2.0]]), theta)
    assert p[0, -1] == pytest.approx(np.exp(logits[0, 1]) / np.exp(logits[0]).sum())


def test_drift_is_counted_and_other_warnings_are_passed_on():
    with pytest.warns(UserWarning, match="something else"), study.counted_drift() as drift:
        warnings.warn("z rebuilt", DriftWarning, stacklevel=1)
        warnings.warn("z rebuilt", DriftWarning, stacklevel=1)
        warnings.warn("something else", stacklevel=1)
    assert len(drift) == 2


# ---- what is told of it


def test_the_settings_tell_the_long_run_from_the_short_one():
    for form in FORMS:
        assert classify.settings(form) != classify.settings(form, full=True)
    assert classify.settings("moons-plain") == plane.SETTINGS


def test_the_table_has_a_line_for_each_result(results):
    text = classify.table(results)
    assert all(text.count(f"\n{method} ") + text.startswith(method) == 1 for method in classify.METHODS)
    assert "13,194" in text and "warned of drift in" in text


def test_the_figures_are_drawn_of_one_seed_or_more(results, tmp_path):
    other = [{**result, "seed": 1} for result in results]
    assert [path.name for path in classify.draw(results + other, tmp_path)] == ["classify.png", "classify_plane.png"]
    assert all(path.stat().st_size > 20_000 for path in tmp_path.iterdir())
    by_name = {result["method"]: result for result in results}
    titles = [ax.get_title() for ax in digits_figure({form: [by_name[form]] for form in FORMS}).axes]
    assert [title[:2] for title in titles] == ["Ta", "3a", "3b", "Ta", "3c", "3d"]
    assert len(plane_figure({name: by_name[name] for name in plane.PROBLEMS}).axes) == 6


def made_up(**changes):
    """Results of one seed in which every claim holds, except for the changes: {"ode-net": {...}, ...}."""
    figure = {
        "tolerances": [1e-1, 1e-2, 1e-3],
        "forward": [10, 20, 40],
        "backward": [5, 10, 20],
        "error": [1e-1, 1e-2, 1e-3],
        "seconds": [0.1, 0.2, 0.4],
        "wrong": [3, 3, 3],
        "evaluations": {"0.001": [8, 14, 20], "1e-06": [20, 30, 40]},
    }
    net = {"test_error": 1.3, "standard_error": 0.3, "parameters": 240, "peak_bytes": 9}
    net |= {"depths": [16, 256], "depth_bytes": [100, 1600]}
    methods = {
        "mlp": net,
        "resnet": {**net, "parameters": 1000},
        "rk-net": {**net, "test_error": 1.7},
        "ode-net": {**net, "test_error": 1.5, "depth_bytes": [100, 101], "figure_3": figure},
        "circles-plain": {"training_loss": 1e-1},
        "circles-augmented": {"training_loss": 1e-3},
    }
    for method, change in changes.items():
        methods[method.replace("_", "-")] |= change
    return [{"method": method, "seed": 0, **result} for method, result in methods.items()]


FIGURE = made_up()[3]["figure_3"]
AGAINST = [  # what makes each claim fail, in the order of the claims
    {"ode_net": {"test_error": 1.61}},
    {"ode_net": {"depth_bytes": [100, 111]}},
    {"ode_net": {"figure_3": {**FIGURE, "error": [1e-3, 1e-2, 1e-3]}}},
    {"ode_net": {"figure_3": {**FIGURE, "seconds": [0.4, 0.1, 0.4]}}},
    {"ode_net": {"figure_3": {**FIGURE, "backward": [7, 14, 28]}}},
    {"ode_net": {"figure_3": {**FIGURE, "evaluations": {"0.001": [8, 14, 20], "1e-06": [20, 40, 40]}}}},
    {"circles_augmented": {"training_loss": 2.1e-3}},
]


def test_a_verdict_follows_from_the_numbers():
    assert [claim.verdict for claim in claims(made_up())] == ["holds"] * 7
    for i, change in enumerate(AGAINST):
        verdicts = [claim.verdict for claim in claims(made_up(**change))]
        assert verdicts == ["holds"] * i + ["does not hold"] + ["holds"] * (6 - i)
    assert claims(made_up(resnet={"parameters": 700}))[0].verdict == "does not hold"  # 34 % of the parameters
    assert "Dupont" in claims(made_up())[-1].where
