"""odelearn: Neural Ordinary Differential Equations (Chen et al. 2018) in NumPy, written to be read.

One idea at every scale, from a NumPy function to a whole ODE solve:

    y, pullback = thing.vjp(x)        # the value, and how a cotangent of y becomes one of x
    a_x = pullback(a_y)

Read in this order: verify, tape, dynamics, layers, tableau, rk, stepping, solve, discrete, adjoint, neural_ode.
"""

from .autodiff.tape import grad, jacobian, value_and_grad, vjp
from .datasets.csv_series import DataError, load_csv, lynx_hare
from .datasets.synthetic import cubic_spiral, spiral, windows
from .dynamics import Dynamics, counted
from .gradients.backsolve import Backsolve
from .gradients.base import Gradients
from .gradients.checkpointed import Checkpointed
from .gradients.discrete import Discrete
from .gradients.drift import DriftWarning
from .gradients.event_time import event_vjp
from .gradients.forward import Forward
from .gradients.interpolating import Interpolating
from .gradients.reversible import Reversible
from .neural_ode import odeint, odeint_event, odesolve_vjp
from .nn.mlp import MLP
from .optim import SGD, Adam, TrainingStopped, fit
from .params import ravel
from .solvers.coefficients import BOSH3, DOP853, DOPRI5, EULER, HEUN, MIDPOINT, RALSTON, RK4, RK38, TABLEAUS, TSIT5
from .solvers.errors import SolverError
from .solvers.events import Event
from .solvers.odesolve import Trajectory, odesolve
from .solvers.order_conditions import certify, interpolant_conditions, order_conditions
from .solvers.solver import Solver, bosh3, dop853, dopri5, euler, heun, midpoint, ralston, rk4, rk38, tsit5
from .solvers.step_size import AdaptiveSteps, FixedSteps, rms
from .solvers.tableau import ButcherTableau, Interpolant
from .solvers.unrolled import unrolled
from .verify.compare import compare_gradients
from .verify.gradient_check import (
    Report,
    check_gradient,
    complex_step,
    dot_product_test,
    finite_difference,
    taylor_slope,
)
from .verify.order import observed_order
from .verify.solver_audit import audit

__version__ = "0.1.0"
__all__ = [name for name in dir() if not name.startswith("_")]


def __getattr__(name):
    """scipy_solver, which imports SciPy, when it is asked for."""
    if name == "scipy_solver":
        from .solvers import scipy_bridge

        return getattr(scipy_bridge, name)
    raise AttributeError(f"module 'odelearn' has no attribute {name!r}")
