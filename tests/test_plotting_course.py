"""The functions that draw the figures of the notebooks: each draws what it is given, and its axes say what they are."""

import importlib
import pkgutil
import sys
from inspect import getdoc, isfunction
from types import SimpleNamespace

import numpy as np
import pytest
from figure_checks import assert_labelled, faults_of
from PIL import Image

import odelearn
from odelearn import plotting
from odelearn.plotting import course
from odelearn.plotting.film import film
from odelearn.plotting.slider import slide
from odelearn.plotting.style import Figure

FAKE_IPYTHON = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel="live"))
MODULES = {
    module.name: importlib.import_module(f"{course.__name__}.{module.name}")
    for module in pkgutil.iter_modules(course.__path__)
}

t = np.linspace(0, 1, 21)
xy = np.stack([t, np.sin(5 * t)], 1)  # (21, 2): a curve in the plane
hs, ns = np.logspace(-12, -1, 12), np.array([4, 8, 16])
falling = lambda n: np.logspace(0, -4, n)
net = lambda z, t: np.cos(3 * z + t)
solved = odelearn.odesolve([1.0, 0.5], lambda z, t, theta: -z, [0.0, 1.0])
methods = {name: falling(3) for name in ("Backsolve", "Discrete", "Reversible")}
x, back = np.linspace(-1, 1, 21), np.linspace(1, 0, 100)

box, slopes = ((0.0, 1.0), (0.0, 1.0)), np.ones((5, 5, 2))
CALLS = {  # "module.function": (positional arguments, of the shapes that the docstring asks for)
    "start_here.layers": (xy, {6: xy[:7], 20: xy}),
    "start_here.learned": (lambda z: -z, xy, xy, xy, falling(9), 1e-3),
    "derivatives.differences": (hs, hs, hs**2),
    "derivatives.complex_step": (hs, hs, hs**2, 0 * hs, 1e-16),
    "derivatives.taylor": (hs, {"right": hs**2, "wrong": hs}),
    "pullbacks.way_back": (["x", "y"], [("W", ["W"])]),
    "pullbacks.tape": ([("u", 1.0), ("u u", 1.0)], [(1, 0, 1.0), (1, 0, 1.0)]),
    "solvers.polygons": (net, (t, t), {"5 steps": (t[::4], t[::4])}),
    "solvers.step_size": (0.5, (t, t), (t[::4], t[::4, None]), (falling(4)[::-1], falling(4)[::-1])),
    "solvers.depth": (net, [(t, t, [(0.5, 0.5), (0.1, 0.0)])], [(t, t, [(0.5, 0.5)])]),
    "solvers.orders": (hs, {"Euler": hs, "midpoint": hs**2}),
    "solvers.spending": ((t, t), (t, t, t), (t, t, t)),
    "solvers.attempts": ([(0.0, 0.1, 0.5, True), (0.1, 0.2, 3.0, False), (0.1, 0.1, 0.9, True)],),
    "solvers.stability": (x[None] + 1j * x[:, None], {"EULER": abs(1 + x[None] + 1j * x[:, None])}, {20: (t, t)}),
    "backpropagation.arrows": (xy, xy[:5], xy[:5]),
    "backpropagation.limit": (t, xy, {n: xy[: n + 1] for n in ns}),
    "backpropagation.orders": (falling(4), {(name, 1): falling(4) for name in "abc"}),
    "backpropagation.riemann": (t, t, [t[:3], t[:12]]),
    "backpropagation.memory": (ns, {(name, 1): 8.0 * ns for name in "abc"}),
    "appendix_b.loss_to_come": (solved, lambda t: np.ones(2), lambda z, t: np.sum(z**2, axis=-1), (0.0, 1.0)),
    "appendix_b.limits": (falling(4), (falling(4), falling(4)), (falling(4), falling(4))),
    "appendix_b.short_time": (0.1, (t, t), (t[:2], t[:2]), 1.0, (falling(4), falling(4))),
    "appendix_b.jumps": ((t, t), (np.arange(3), np.ones(3), np.zeros(3)), [(1 + back, back), (back, back)]),
    "algorithms.starts": (t[::-1], [t, t + 1, t + 2], t, 1.0),
    "appendix_b.kink": (falling(4)[::-1], [falling(4)] * 5, (falling(4),) * 3, (falling(4),) * 3),
    "errata.boundary_terms": ([[(t, t)]] * 3, [(t, t)], np.array([0.0, 1.0]), 0.5),
    "errata.one_too_many": (ns, {(name, extra): falling(3) for name in ("RK4", "Euler") for extra in (0, 1)}),
    "errata.evidence_bound": (falling(4)[::-1], np.ones(4), np.ones(4), -1.5, 0.4),
    "vector_field.where_it_is_wrong": (box, slopes, xy[:, None], {"the net": np.full((5, 5), 0.1)}),
    "vector_field.beyond": (t, xy[:, None], {"net": xy[:, None]}, 0.5),
    "vector_field.parameters": ("ab", [1.0, 2.0], [1.1, 2.0], [0.1, 0.2]),
    "vector_field.energy": (t, {"plain": xy, "kept": xy}, {"plain": xy, "kept": xy}),
    "latent_ode.spirals": ([xy, xy[:5]], [xy, xy]),
    "latent_ode.learning": ({"latent": falling(40), "rnn": falling(40)}, {"latent": (1.0, 0.2), "rnn": (1.0, 0.3)}),
    "latent_ode.forecasts": ([xy, xy], [xy[:5], xy[:5]], [xy, xy]),
    "latent_ode.between": (np.stack([xy, xy, xy]), [-1.0, 0.1, 1.0]),
    "latent_ode.rates": (t, 2 + t, t[::3], np.arange(1, 5)),
    "promises.memory": (ns, {name: 100 * ns for name in methods}),
    "promises.way_back": (-np.arange(1.0, 4.0), falling(3), methods, 1e-9),
    "promises.frozen_mesh": (x, x, x, x[::10]),
    "digits_and_moons.images": ({name: [(np.eye(8), "1"), (np.eye(8), "2")] for name in "ab"},),
    "digits_and_moons.memory": (ns, {name: 1e6 * ns for name in ("resnet", "rk-net", "ode-net")}),
    "digits_and_moons.tolerances": (dict.fromkeys(("tolerances", "forward", "backward", "error"), [8, 16, 32]),),
    "digits_and_moons.order": (t, np.stack([t, -t], 1), np.array([[0.0, 1.0], [1.0, 0.0]])),
    "digits_and_moons.ways": (
        {"a": np.ones((3, 2, 2)), "b": np.ones((3, 2, 3))},
        np.array([0, 1]),
        {"a": falling(9), "b": falling(9)},
    ),
    "promises.precision": ({name: list(zip(ns, line, strict=True)) for name, line in methods.items()},),
    "promises.members": (
        x,
        np.stack([np.stack([x + 8, x + 9], axis=1)] * 2, axis=2),
        ns,
        np.stack([ns, ns], axis=1),
        2,
    ),
    "flows.estimator": ({"rademacher": x, "gaussian": 2 * x}, 0.4),
    "flows.matched": ((4, np.outer(t, t)), {"CNF": xy, "NF": xy}),
    "flows.samples": (np.stack([xy, 2 * xy]), [0.0, 1.0], xy),
}


def function_of(name):
    module, function = name.split(".")
    return getattr(MODULES[module], function)


def test_every_function_is_tried_below_and_says_what_it_returns():
    public = {f"{name}.{key}" for name, module in MODULES.items() for key, value in vars(module).items()
              if isfunction(value) and value.__module__ == module.__name__ and not key.startswith("_")}  # fmt: skip
    assert public == set(CALLS)
    assert all("Returns the Figure." in getdoc(function_of(name)) for name in public)


@pytest.mark.parametrize("name", CALLS)
def test_a_function_draws_what_it_is_given_and_its_axes_are_labelled(name):
    figure = function_of(name)(*CALLS[name])
    assert isinstance(figure, Figure)
    assert_labelled(figure)
    figure.draw_without_rendering()


def test_faults_of_a_figure_are_told():
    good, unlabelled, outside = (Figure(figsize=(4, 3), layout="constrained") for _ in range(3))
    for figure in good, unlabelled, outside:
        figure.subplots().set(xlabel="x", ylabel="y")
    unlabelled.axes[0].set_xlabel("")
    outside.text(0.9, 0.5, "a text that is too long")
    assert faults_of(good) == ""
    assert faults_of(unlabelled).startswith("assert_labelled") and faults_of(outside).startswith("assert_inside")


def test_a_student_may_draw_more_curves_than_the_notebook_does():
    start_here, derivatives, solvers = (MODULES[name] for name in ("start_here", "derivatives", "solvers"))
    start_here.layers(xy, {n: np.ones((n + 1, 2)) for n in range(1, 6)})
    derivatives.taylor(hs, {str(p): hs**p for p in range(1, 6)})
    solvers.polygons(net, (t, t), {str(n): (t, n * t) for n in range(5)})
    solvers.orders(hs, {str(p): hs**p for p in range(1, 6)})


def test_a_slider_is_its_first_figure_where_no_kernel_is_live(monkeypatch):
    draw = lambda h: MODULES["start_here"].layers(xy, {1: h * np.ones((2, 2))})
    assert isinstance(slide(draw, [0.5, 1.0], start=1.0, label="h"), Figure)
    with pytest.raises(ValueError, match=r"start must be one of .* got 0\.7; there are \[0\.5, 1\.0\]"):
        slide(draw, [0.5, 1.0], start=0.7, label="h")
    monkeypatch.delenv("ODELEARN_STATIC", raising=False)
    monkeypatch.setitem(sys.modules, "IPython", FAKE_IPYTHON)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)  # not installed
    assert isinstance(slide(draw, [0.5, 1.0], start=1.0, label="h"), Figure)


def test_a_slider_redraws_the_figure(monkeypatch):
    pytest.importorskip("ipywidgets")
    draw = lambda h: MODULES["start_here"].layers(xy, {1: h * np.ones((2, 2))})
    monkeypatch.delenv("ODELEARN_STATIC", raising=False)
    monkeypatch.setattr("odelearn.plotting.slider.sys", SimpleNamespace(modules={"IPython": FAKE_IPYTHON}))
    slider, image = slide(draw, [0.5, 1.0], start=1.0, label="h").children
    assert slider.value == 1.0 and image.value == draw(1.0)._repr_png_()
    slider.value = 0.5
    assert image.value == draw(0.5)._repr_png_()


def test_a_figure_shows_itself_as_the_bytes_that_save_writes(tmp_path):
    figure = MODULES["start_here"].layers(*CALLS["start_here.layers"])
    plotting.save(figure, tmp_path / "layers.png")
    png = (tmp_path / "layers.png").read_bytes()
    assert png == figure._repr_png_() and png.startswith(b"\x89PNG")
    assert b"tEXt" not in png  # no chunk of text, in which the version of matplotlib would stand


def test_a_film_shows_every_frame_and_rests_on_the_last(tmp_path):
    figure = Figure(figsize=(2, 1))
    (dot,) = figure.subplots().plot([0], [0], "o")
    film(figure, lambda i: dot.set_data([i], [i / 9]), [0, 0.02, 0.04], tmp_path / "dot.gif", fps=5)
    with Image.open(tmp_path / "dot.gif") as gif:
        assert gif.n_frames == 3 and gif.info["loop"] == 0 and gif.size == (160, 80)
        durations = []
        for i in range(gif.n_frames):
            gif.seek(i)
            durations.append(gif.info["duration"])
    assert durations == [200, 200, 1200]  # ms, and one second more
