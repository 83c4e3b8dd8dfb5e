"""The public names: all there, all explained, none in the way of another; and what they cost to import."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import odelearn

PACKAGE = Path(odelearn.__file__).parent

FIXED = {  # name -> its parameters, in order; more may follow. Notebooks and other people's code rely on them
    "vjp": "fun args",
    "grad": "fun argnum",
    "value_and_grad": "fun argnum",
    "jacobian": "fun argnum",
    "custom": "value_and_pullback args",
    "ravel": "tree",
    "Dynamics": "fun vjp",
    "counted": "f",
    "MLP": "sizes activation time power",
    "ButcherTableau": "name A b c order b_err interpolant",
    "order_conditions": "tableau p weights",
    "FixedSteps": "n h",
    "AdaptiveSteps": "rtol atol norm first max_steps",
    "Solver": "tableau control dense",
    **dict.fromkeys(["euler", "midpoint", "heun", "ralston", "rk4", "rk38"], "n h dense"),
    **dict.fromkeys(["bosh3", "dopri5", "tsit5", "dop853"], "rtol atol dense"),
    "scipy_solver": "method rtol atol",
    "odesolve": "z0 f ts theta solver",
    "unrolled": "z0 f ts theta solver",
    "Event": "g",
    "Backsolve": "solver reset",
    "Interpolating": "solver",
    "Discrete": "",
    "Checkpointed": "every",
    "Forward": "",
    "Reversible": "coupling",
    "event_vjp": "z0 f ts theta event",
    "odesolve_vjp": "z0 f ts theta solver method",
    "odeint": "z0 f ts theta solver method",
    "odeint_event": "z0 f ts theta event solver method",
    "compare_gradients": "z0 f ts theta loss solver methods",
    "finite_difference": "fun x scheme eps",
    "complex_step": "fun x",
    "taylor_slope": "fun x gradient rng",
    "dot_product_test": "fun pullback x rng",
    "observed_order": "errors ratio",
    "check_gradient": "fun gradient x names rng",
    "audit": "solver",
    "Adam": "lr",
    "SGD": "lr momentum",
    "batches": "rng n size",
    "fit": "loss_and_grad theta opt steps progress",
    "load_csv": "",
    "lynx_hare": "",
    "fit_series": "source",
    "load": "path",
    "nn.Conv2d": "channels_in channels_out size",
    "datasets.two_moons": "rng n noise",
    "datasets.circles": "rng n noise",
    "nn.GRU": "inputs hidden",
    "datasets.irregular_spirals": "rng observations n noise",
    "datasets.sub_stretches": "rng ts xs length batch",
    "nn.losses.softmax_cross_entropy": "logits labels",
    "nn.losses.gaussian_log_likelihood": "x mean log_std",
    "nn.losses.gaussian_kl": "mean log_std",
    "checks.check_vjp": "",
    "checks.check_step": "step",
    "checks.check_solver": "",
    "checks.check_adjoint": "adjoint",
}
OTHERS = """
    EULER MIDPOINT HEUN RALSTON RK4 RK38 BOSH3 DOPRI5 TSIT5 DOP853 TABLEAUS SolverError Trajectory Gradients rms Report
    TrainingStopped DriftWarning DataError DataWarning FittedModel
    Interpolant interpolant_conditions certify spiral cubic_spiral windows
    nn.MLP nn.ACTIVATIONS checks.known_mistakes datasets.lynx_hare datasets.digits datasets.split_folds
    plotting.ledger plotting.save
""".split()


def find(name):
    found = odelearn
    for part in name.split("."):
        found = getattr(found, part)
    return found


def python(code):
    """What the code prints, in an interpreter of its own that has imported nothing yet."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, cwd=PACKAGE.parent, capture_output=True, text=True).stdout


@pytest.mark.parametrize("name", [*FIXED, *OTHERS])
def test_every_fixed_name_is_there_after_import_odelearn(name):
    assert find(name) is not None
    assert name.split(".")[0] in dir(odelearn)


@pytest.mark.parametrize("name", FIXED)
def test_the_parameters_keep_their_names_and_their_order(name):
    expected = FIXED[name].split()
    assert list(inspect.signature(find(name)).parameters)[: len(expected)] == expected


def test_all_is_written_out_and_complete():
    """A list of strings in the source; and all that `import odelearn` brings in, but modules and what is private."""
    (assigned,) = [
        node.value
        for node in ast.parse((PACKAGE / "__init__.py").read_text()).body
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__"
    ]
    assert ast.literal_eval(assigned) == odelearn.__all__
    assert len(set(odelearn.__all__)) == len(odelearn.__all__)
    public = {k for k, v in vars(odelearn).items() if not k.startswith("_") and not isinstance(v, ModuleType)}
    assert public - {"LAZY", "scipy_solver"} == set(odelearn.__all__)


def test_imports_and_all_stand_in_the_same_rooms():
    """Every comment of a room stands above the imports and above the names, and the same names stand below both."""
    rooms, room = {"import": {}, "__all__": {}}, None
    where = "import"
    for line in (PACKAGE / "__init__.py").read_text().splitlines():
        if line.startswith("__all__"):
            where = "__all__"
        if line.strip().startswith("# ") and line.rstrip().endswith(("/", ".py")):
            room = line.strip()
        elif where == "import" and line.startswith("from ."):
            names = line.partition(" import ")[2].partition("#")[0]
            rooms[where].setdefault(room, set()).update(names.replace(" ", "").split(","))
        elif where == "__all__" and line.startswith('    "') and ":" not in line:
            rooms[where].setdefault(room, set()).update(ast.literal_eval(line.strip()))
    assert rooms["import"].pop("# The rooms whose names are not repeated here", set()) == set()
    last = list(rooms["import"])[-1]
    rooms["import"][last] -= {"checks", "datasets", "models", "nn"}
    assert rooms["import"] == rooms["__all__"] and len(rooms["import"]) > 5


@pytest.mark.parametrize("name", [*odelearn.__all__, "scipy_solver"])
def test_every_public_name_has_a_docstring(name):
    found = find(name)
    if callable(found):  # tableaus are data; their class has one
        assert (found.__doc__ or "").strip()


def test_no_public_name_is_the_name_of_a_module_or_folder():
    """Or else the one would hide the other."""
    modules = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert {"params", "solvers", "checks"} <= modules
    assert not modules & set(odelearn.__all__)
    for name in modules - {"__init__", "__main__"}:
        assert isinstance(getattr(odelearn, name, None), ModuleType | None)


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'odelearn' has no attribute 'odesolv'"):
        odelearn.odesolv  # noqa: B018, looking is the test


def test_import_odelearn_imports_numpy_and_nothing_else():
    """Its time beyond NumPy's own is measured by benchmarks/startup.py."""
    code = """
import sys
import numpy
before = set(sys.modules)
import odelearn, odelearn.checks, odelearn.datasets, odelearn.nn
from odelearn import *
dir(odelearn)
print(*{name.split(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)
"""
    assert python(code).split() == ["odelearn"]


@pytest.mark.parametrize("missing, name", [("scipy", "scipy_solver"), ("matplotlib", "plotting")])
def test_without_scipy_or_matplotlib_the_rest_works_and_the_message_says_what_to_install(missing, name):
    code = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
import odelearn
print(odelearn.odesolve(1.0, lambda z, t, theta: z, (0.0, 1.0)).zs.shape)
try:
    odelearn.{name}
except ImportError as error:
    print(error)
"""
    shape, message = python(code).splitlines()
    assert shape == "(2,)" and message == f"odelearn.{name} needs {missing}: pip install {missing}"


def test_what_the_stiffness_error_advises_can_be_called():
    solver = odelearn.scipy_solver("Radau")
    zs = odelearn.odesolve(1.0, lambda y, t, theta: -1e4 * (y - np.cos(t)), (0.0, 1.0), None, solver).zs
    assert zs[-1] == pytest.approx(np.cos(1.0), abs=1e-3)
