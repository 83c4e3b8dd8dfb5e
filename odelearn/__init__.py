"""odelearn: Neural Ordinary Differential Equations (Chen et al. 2018) in NumPy, written to be read.

One idea at every scale, from a NumPy function to a whole ODE solve:

    y, pullback = thing.vjp(x)        # the value, and how a cotangent of y becomes one of x
    a_x = pullback(a_y)

Read the rooms in this order; the first lines of each folder's __init__.py name its files in reading order:

    params.py        theta is one vector
    verify/          derivatives from first principles (then, at the end, solvers put to the test)
    autodiff/        reverse mode for NumPy code
    dynamics.py      f(z, t, theta) and its pullback
    nn/              networks as dynamics, with pullbacks by hand
    solvers/         Runge-Kutta methods, their order, their steps, the solution
    gradients/       the chain rule through every step, Appendix B, Algorithm 2, and four more methods
    neural_ode.py    odeint: the whole solve as one function with a pullback
    optim.py         Adam, SGD, minibatches, and the loop that trains

Around them stand checks/ (for your own code), datasets/ and plotting/; fitting/, experiments/ and __main__.py are the
command line.
"""

# params.py, autodiff/
from .params import ravel
from .autodiff.tape import custom, grad, jacobian, value_and_grad, vjp

# dynamics.py, nn/
from .dynamics import Dynamics, counted
from .nn.mlp import MLP

# solvers/
from .solvers.tableau import ButcherTableau, Interpolant
from .solvers.coefficients import BOSH3, DOP853, DOPRI5, EULER, HEUN, MIDPOINT, RALSTON, RK4, RK38, TABLEAUS, TSIT5
from .solvers.order_conditions import certify, interpolant_conditions, order_conditions
from .solvers.step_size import AdaptiveSteps, FixedSteps, rms
from .solvers.solver import Solver, bosh3, dop853, dopri5, euler, heun, midpoint, ralston, rk4, rk38, tsit5
from .solvers.odesolve import Trajectory, odesolve
from .solvers.events import Event
from .solvers.errors import SolverError
from .solvers.members import EnsembleWarning
from .solvers.unrolled import unrolled

# gradients/
from .gradients.base import Gradients
from .gradients.discrete import Discrete
from .gradients.checkpointed import Checkpointed
from .gradients.backsolve import Backsolve
from .gradients.drift import DriftWarning
from .gradients.interpolating import Interpolating
from .gradients.forward import Forward
from .gradients.reversible import Reversible
from .gradients.event_time import event_vjp

# neural_ode.py, optim.py
from .neural_ode import odeint, odeint_event, odesolve_vjp
from .optim import SGD, Adam, TrainingStopped, batches, fit

# verify/
from .verify.differences import complex_step, finite_difference
from .verify.gradient_check import check_gradient, dot_product_test, taylor_slope
from .verify.gradient_report import Report
from .verify.order import observed_order
from .verify.compare import compare_gradients
from .verify.solver_audit import audit

# datasets/
from .datasets.cells import DataError, DataWarning
from .datasets.csv_series import load_csv, lynx_hare
from .datasets.synthetic import cubic_spiral, spiral, windows

# fitting/
from .fitting.fit_series import fit_series
from .fitting.fitted import FittedModel
from .fitting.load import load

# The rooms whose names are not repeated here: odelearn.checks.check_vjp, odelearn.nn.ACTIVATIONS, ...
from . import checks, datasets, models, nn  # noqa: F401

__version__ = "0.1.0"

# fmt: off
__all__ = [
    # params.py, autodiff/
    "ravel", "vjp", "grad", "value_and_grad", "jacobian", "custom",
    # dynamics.py, nn/
    "Dynamics", "counted", "MLP",
    # solvers/
    "ButcherTableau", "Interpolant", "order_conditions", "interpolant_conditions", "certify",
    "EULER", "MIDPOINT", "HEUN", "RALSTON", "RK4", "RK38", "BOSH3", "DOPRI5", "TSIT5", "DOP853", "TABLEAUS",
    "FixedSteps", "AdaptiveSteps", "rms",
    "Solver", "euler", "midpoint", "heun", "ralston", "rk4", "rk38", "bosh3", "dopri5", "tsit5", "dop853",
    "odesolve", "Trajectory", "Event", "SolverError", "EnsembleWarning", "unrolled",
    # gradients/
    "Gradients", "Discrete", "Checkpointed", "Backsolve", "DriftWarning", "Interpolating", "Forward", "Reversible",
    "event_vjp",
    # neural_ode.py, optim.py
    "odesolve_vjp", "odeint", "odeint_event", "Adam", "SGD", "batches", "fit", "TrainingStopped",
    # verify/
    "finite_difference", "complex_step", "taylor_slope", "dot_product_test", "check_gradient", "Report",
    "observed_order", "compare_gradients", "audit",
    # datasets/
    "load_csv", "lynx_hare", "DataError", "DataWarning", "spiral", "cubic_spiral", "windows",
    # fitting/
    "fit_series", "load", "FittedModel",
]
# fmt: on

LAZY = {  # what needs SciPy or matplotlib is imported when it is asked for; `from odelearn import *` leaves it out
    "scipy_solver": ".solvers.scipy_bridge",
    "plotting": ".plotting",
}


def __getattr__(name):
    if name not in LAZY:
        raise AttributeError(f"module 'odelearn' has no attribute {name!r}")
    from importlib import import_module

    try:
        module = import_module(LAZY[name], __name__)
    except ModuleNotFoundError as error:
        raise ImportError(f"odelearn.{name} needs {error.name}: pip install {error.name}", name=error.name) from error
    return module if LAZY[name] == f".{name}" else getattr(module, name)


def __dir__():
    return sorted({*globals(), *LAZY})
