"""Is the gradient of this loss, with this model, right? Before training, and after it."""

import warnings
from dataclasses import replace

import numpy as np

from ..autodiff.tape import grad
from ..gradients.backsolve import Backsolve
from ..gradients.discrete import Discrete
from ..gradients.drift import DriftWarning
from ..solvers.solver import Solver
from ..solvers.step_size import AdaptiveSteps, FixedSteps
from ..verify.gradient_check import check_gradient
from .forecast import no_warnings
from .model_file import place
from .options import UsageError, one_line, steps_of

ROWS = 12  # that the check looks at: enough to see every term, and cheap
MOST_STEPS = 1_000_000  # in one solve of a training: a gradient keeps thousands of bytes for each


@no_warnings()
def dry_run(training, settings):
    """One loss and one gradient. Raises UsageError for a model that cannot even do that, and for steps too many."""
    for trial in training.series.trials:
        rows = min(training.window or trial.rows, trial.rows)
        if (steps := steps_of(training.solver, rows - 1, trial.ts[rows - 1] - trial.ts[0])) > MOST_STEPS:
            text = f"every solve would take {steps:.3g} steps, at most {MOST_STEPS:,} are allowed"
            raise UsageError(f"--solver {settings['solver']}: {text}")
    try:
        grad(training.loss)(first_member(training), 2)
    except Exception as error:
        where = place(error, training.model.file)
        raise UsageError(f"--model {settings['model']}: the first step fails: {where}{one_line(error)}") from error


def first_member(training):
    """p of the model, or of the first member of an ensemble."""
    return training.p if training.members is None else training.p[0]


@no_warnings()
def check_training(training):
    """(passed, text): what is known about the gradient at the start of training, on fixed steps of the same tableau.

    Discrete is the exact derivative of the numbers computed, so it must meet the complex step to round-off. Backsolve
    is the gradient of the exact flow by the same solver: its gap to Discrete must close like h^p when steps are halved.
    Of an ensemble the first member is checked.
    """
    p, rows = first_member(training), min(training.horizon, ROWS)
    coarse, fine = with_fixed_steps(training.solver), with_fixed_steps(training.solver, halved=True)

    def gradient(solver, method):
        return grad(lambda p: training.loss(p, rows, solver, method))(p)

    report = check_gradient(
        lambda x: training.loss(np.concatenate(list(x.values())), rows, coarse, Discrete()),
        training.parts(gradient(coarse, Discrete())),
        training.parts(p),
    )
    gaps = [relative_gap(gradient(solver, Backsolve()), gradient(solver, Discrete())) for solver in (coarse, fine)]
    return report.passed, f"{report}\n{REFERENCE}\n{convergence_line(gaps, coarse.tableau)}"


REFERENCE = """\
complex step: through the whole solve, once extrapolated finite differences have confirmed it along a random direction
differences: extrapolated, component by component, where the loss does not take complex numbers"""


def convergence_line(gaps, tableau):
    text = f"|Backsolve - Discrete| / |Discrete| = {gaps[0]:.1e}; with steps half as long {gaps[1]:.1e}"
    if gaps[1] < 1e-12:
        return f"{text}: round-off"
    ratio, p = gaps[0] / gaps[1], tableau.order
    return f"{text}, {ratio:.1f} times smaller (theory: about {2**p}, as {tableau.name} is of order {p})"


def drift_note(training):
    """What the last gradient of the training has to say about drift, as a line to print, or ""."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DriftWarning)
        grad(training.loss)(first_member(training), training.horizon)
    drift = [str(warning.message) for warning in caught if warning.category is DriftWarning]
    return f"Warning: {drift[0]}. Here: --method discrete.\n" if drift else ""


def with_fixed_steps(solver, halved=False):
    """The solver with fixed steps: its own, or 2 an interval if they are adaptive; half as long on demand."""
    control = FixedSteps(n=2) if isinstance(solver.control, AdaptiveSteps) else solver.control
    if halved:
        control = replace(control, h=control.h / 2) if control.n is None else replace(control, n=2 * control.n)
    return Solver(solver.tableau, control)


def relative_gap(g, reference):
    return np.linalg.norm(g - reference) / np.linalg.norm(reference)
