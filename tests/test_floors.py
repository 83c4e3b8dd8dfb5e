"""The house stands: a room imports only from floors below its own, and the core needs NumPy alone.

A room is a folder of odelearn/, or a file that stands beside the folders. Where a folder says less than is true of one
of its files, the file is named here.
"""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "odelearn"

FLOORS = [  # the ground floor first
    ["params", "autodiff", "optim", "plotting"],
    ["dynamics"],
    ["nn", "solvers"],
    ["gradients", "datasets"],
    ["neural_ode"],
    ["verify"],
    ["checks", "models", "fitting"],
    ["experiments", "course"],
    ["__init__"],  # odelearn itself: the public names
    ["__main__"],
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
FROM_FIRST_PRINCIPLES = {
    f"verify.{name}" for name in ("differences", "gradient_check", "gradient_report", "gradient_diagnosis", "order")
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path):
    """The module's name inside odelearn: "params", "solvers.tableau"; "solvers" for the folder's own __init__."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


NAMES = {name_of(path): path for path in MODULES}


def room(name):
    return name.split(".")[0]


def imports(path):
    """(modules of odelearn, other top-level packages) that the file imports, wherever in the file."""
    inside, outside = set(), set()
    package = ["odelearn", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            outside |= {alias.name.split(".")[0] for alias in node.names} - {"odelearn"}
            inside |= {"__init__" for alias in node.names if alias.name.split(".")[0] == "odelearn"}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            full = ".".join([*base, *filter(None, [node.module])])
            if full.split(".")[0] != "odelearn":
                outside.add(full.split(".")[0])
                continue
            module = full.removeprefix("odelearn").strip(".")
            for alias in node.names:
                submodule = f"{module}.{alias.name}".strip(".")
                inside.add(submodule if submodule in NAMES else module or "__init__")
    return inside, outside


@pytest.mark.parametrize("name", NAMES)
def test_modules_import_only_from_floors_below(name):
    assert room(name) in FLOOR, f"{name} has no floor yet"
    for other in imports(NAMES[name])[0]:
        same_room = room(other) == room(name)
        assert same_room or FLOOR[room(other)] < FLOOR[room(name)], f"{name} imports {other}, which is not below it"


@pytest.mark.parametrize("folder", sorted({room(name) for name in NAMES if "." in name}))
def test_the_files_of_a_folder_import_each_other_in_no_circle(folder):
    graph = {name: imports(NAMES[name])[0] for name in NAMES if name.startswith(f"{folder}.")}
    TopologicalSorter(graph).prepare()  # raises CycleError


@pytest.mark.parametrize("name", NAMES)
def test_matplotlib_and_scipy_enter_by_one_door_each(name):
    _, outside = imports(NAMES[name])
    assert "matplotlib" not in outside or room(name) == "plotting"
    assert "scipy" not in outside or name in ("solvers.scipy_bridge", "fitting.forcing")  # the latter: interpolators


@pytest.mark.parametrize("name", [name for name in NAMES if room(name) in ("solvers", "gradients")])
def test_solvers_and_gradient_methods_never_import_the_tape(name):
    assert not any(room(other) == "autodiff" for other in imports(NAMES[name])[0])


@pytest.mark.parametrize("name", sorted(FROM_FIRST_PRINCIPLES))
def test_a_gradient_check_knows_nothing_of_how_the_gradient_was_found(name):
    assert imports(NAMES[name])[0] <= FROM_FIRST_PRINCIPLES | {"params"}


def test_every_folder_says_what_is_in_it_and_names_all_its_files():
    for folder in {room(name) for name in NAMES if "." in name}:
        text = ast.get_docstring(ast.parse((PACKAGE / folder / "__init__.py").read_text()))
        for path in (PACKAGE / folder).glob("[!_]*.py"):
            assert path.stem in text, f"{folder}/__init__.py does not name {path.stem}"


def test_the_core_needs_numpy_alone():
    """With scipy, matplotlib and tqdm made unimportable, a gradient through a solve still comes out."""
    code = """
import sys
for name in ("scipy", "matplotlib", "tqdm"):
    sys.modules[name] = None
import numpy as np, odelearn
f = lambda z, t, theta: theta * z * np.cos(t)
loss = lambda theta: np.sum(odelearn.odeint(np.ones(1), f, [0.0, 1.0], theta)[-1])
a = 0.7
exact = np.sin(1.0) * np.exp(a * np.sin(1.0))
assert abs(odelearn.grad(loss)(np.array([a]))[0] - exact) < 1e-5 * exact
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PACKAGE.parent)
