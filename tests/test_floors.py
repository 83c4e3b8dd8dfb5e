"""The house stands: modules import only from floors below, and the core needs NumPy alone."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "odelearn"

FLOORS = [  # the ground floor first; on one floor, what stands to the left may be imported by what stands to the right
    ["params", "differences", "gradcheck", "verify", "trees", "dop853", "tableau"],
    ["traced", "rules", "rules_arrays", "rules_linalg", "tape"],
    ["dynamics", "activations", "prepared", "layers"],
    ["problem", "rk"],
    ["failures", "control", "mesh", "stepping", "events", "solve", "unrolled"],
    ["trials", "suspects", "measurements", "manners", "audit"],
    ["gradients", "discrete", "checkpointed", "drift", "forward", "reversible", "adjoint", "interpolating"],
    ["neural_ode", "compare"],
    ["verdict", "slips", "checks_solvers", "checks"],
    ["optim", "data"],
    ["plotting", "plotting_lab", "plotting_solvers", "plotting_course", "scipy_bridge"],
    ["experiments", "__main__"],
]
ORDER = {name: rank for rank, name in enumerate(name for floor in FLOORS for name in floor)}
MOVED = {"autodiff", "nn", "solvers", "gradients", "verify", "checks", "datasets", "plotting", "fitting", "experiments"}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def room(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imports(path):
    """(room imported from odelearn, other top-level package) names that the file imports, wherever in the file."""
    inside, outside = set(), set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").split(".")[0] == "odelearn"):
            module = (node.module or "").removeprefix("odelearn").strip(".")
            same_folder = node.level == 1 and path.parent != PACKAGE
            names = [module.split(".")[0]] if module else [alias.name for alias in node.names]
            inside |= {room(path)} if same_folder else set(names)
        elif isinstance(node, ast.ImportFrom):
            outside.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            outside |= {alias.name.split(".")[0] for alias in node.names}
    return inside, outside


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_modules_import_only_from_floors_below(path):
    if MOVED & {room(path)}:
        return  # the floors of folders are asserted when all of them stand
    inside, _ = imports(path)
    assert room(path) in ORDER, f"{path.name} has no floor yet"
    for name in inside - {room(path)} - MOVED:
        if name not in ORDER:  # a public name, from odelearn itself: the roof may look at the whole house
            assert room(path) in FLOORS[-1], f"{path.name} imports {name} from odelearn; import it from its module"
            continue
        assert ORDER[name] < ORDER[room(path)], f"{path.name} imports {name}, which is not below it"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_matplotlib_and_scipy_enter_by_one_door_each(path):
    _, outside = imports(path)
    assert "matplotlib" not in outside or room(path).startswith("plotting")
    assert "scipy" not in outside or path.stem == "scipy_bridge"


def test_the_solvers_and_adjoints_never_import_the_tape():
    for name in ("solve", "discrete", "adjoint"):
        for path in PACKAGE.rglob(f"{name}.py"):
            inside, _ = imports(path)
            assert not inside & {"autodiff"}


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
