"""Every solver of odelearn and of SciPy put to the test: a table of orders, and the work-precision diagram."""

from functools import partial

import numpy as np

from ..fitting.store import atomic_write, writable_directory
from ..optim import progress_bar
from ..solvers.solver import bosh3, dop853, dopri5, euler, heun, midpoint, ralston, rk4, rk38, tsit5
from ..verify.gradient_report import table
from ..verify.solver_audit import audit as audit_solver
from ..verify.solver_problems import Problem
from ..verify.solver_trials import Trials, solve_by

FIXED = {solver.__name__: solver for solver in (euler, midpoint, heun, ralston, rk4, rk38)}
ADAPTIVE = {solver.__name__: solver for solver in (bosh3, dopri5, tsit5, dop853)}
SCIPY_ORDERS = {  # the order, where evaluations show it
    "SciPy RK23": 3,
    "SciPy RK45": 5,
    "SciPy DOP853": 8,
    "SciPy LSODA": None,
    "SciPy Radau": None,
    "SciPy BDF": None,
}
QUICK = "euler", "dopri5", "SciPy RK45"

STEPS = [10 * 2**k for k in range(13)]
TOLERANCES = [10.0**-k for k in range(2, 13)]
MOST_EVALS = 5000  # where a curve of the diagram ends


def audit(out="figures", quick=False):
    """The command `audit`: every solver of odelearn, and of SciPy if it is installed, on problems with known solutions.

    Prints a line for every solver (its order as observed in both directions of time, that of its dense output, its
    error over its tolerance), then what is wrong with those that failed, and draws work_precision.png.

    out    the directory for the picture; it is made if need be
    quick  three solvers only, and few points in the picture

    Returns the exit status: 0, or 1 if a solver failed. Raises UsageError where `out` cannot be written to.
    """
    out = writable_directory(out, "work_precision.png")
    scipys = {name: solver for name, solver in scipy_solvers().items() if not quick or name in QUICK}
    ours = {name: make(n=1) for name, make in FIXED.items()} | {name: make() for name, make in ADAPTIVE.items()}
    audited = {name: solver for name, solver in (ours | scipys).items() if not quick or name in QUICK}
    cells, failed = [("", "order", "forwards", "backwards", "dense output", "error / tolerance", "")], []
    for name, solver in progress_bar(audited.items(), desc="audit", unit="solver"):
        report = audit_solver(solver, SCIPY_ORDERS.get(name), name)
        cells.append(cells_of(report, by_steps=name in ours))
        failed += [] if report else [report]
    print(table(cells, "<>>>>><"))
    print("Orders: the least that was seen on four problems, by the lengths of the steps; ~ by evaluations only.")
    for report in failed:
        print(f"\n{report}")
    draw(out, scipys, quick)
    return 1 if failed else 0


def scipy_solvers():
    """name -> SciPy's own solver as (z0, f, ts, tol) -> zs; none where SciPy is not installed."""
    try:
        from ..solvers.scipy_bridge import integrate
    except ImportError:
        print("SciPy is not installed: only our own solvers are audited.\n")
        return {}

    def solver(method):
        def solve(z0, f, ts, tol=1e-6):
            span = ts[0], ts[-1]
            return integrate.solve_ivp(lambda t, z: f(z, t, None), span, z0, method, t_eval=ts, rtol=tol, atol=tol).y.T

        return solve

    return {name: solver(name.removeprefix("SciPy ")) for name in SCIPY_ORDERS}


def cells_of(report, by_steps):
    """One row of the table: the worst of what was observed on all problems."""
    seen = {row.check: (row.forwards, row.backwards) for row in report.rows}
    forwards, backwards = np.min(list(report.orders.values()) or [[np.nan, np.nan]], axis=0)
    dense = min(seen.get("order of dense output", [np.nan]))
    error = max(seen.get("error / tolerance, at most", [np.nan]))
    about = "" if by_steps else "~"
    numbers = f"{about}{forwards:.2f}", f"{about}{backwards:.2f}", f"{dense:.2f}", f"{error:.2g}"
    numbers = ["-" if "nan" in number else number for number in numbers]
    return report.name, str(report.declared or "varies"), *numbers, "passed" if report else "FAILED"


# ---- work and precision


def lotka_volterra(z, t, theta):
    x, y = z
    return np.array([x * (1.5 - y), y * (x - 3.0)])


MU = 0.012277471  # the mass of the moon over that of the earth and the moon


def arenstorf(z, t, theta):
    """A satellite of the earth and the moon, in coordinates that turn with them: closed, with close encounters.
    Hairer, Norsett, Wanner, Solving ODEs I, section II.0."""
    x, y, vx, vy = z
    from_earth = ((x + MU) ** 2 + y * y) ** 1.5
    from_moon = ((x - 1 + MU) ** 2 + y * y) ** 1.5
    ax = x + 2 * vy - (1 - MU) * (x + MU) / from_earth - MU * (x - 1 + MU) / from_moon
    ay = y - 2 * vx - (1 - MU) * y / from_earth - MU * y / from_moon
    return np.array([vx, vy, ax, ay])


def van_der_pol(z, t, theta):
    x, y = z
    return np.array([y, 15 * (1 - x * x) * y - x])


ORBIT = [0.994, 0.0, 0.0, -2.00158510637908252240537862224]
PROBLEMS = {
    "Smooth: Lotka and Volterra": (lotka_volterra, [1.0, 1.0], [0.0, 10.0]),
    "Close encounters: Arenstorf's orbit": (arenstorf, ORBIT, [0.0, 17.0652165601579625588917206249]),
    "Stiff: Van der Pol, μ = 15": (van_der_pol, [2.0, 0.0], [0.0, 30.0]),
}


def draw(out, scipys, quick):
    from ..plotting import solvers, style  # here, because matplotlib takes its time

    curves = {name: work_precision(problem, scipys, quick) for name, problem in PROBLEMS.items()}
    with atomic_write(out / "work_precision.png") as draft:
        style.save(solvers.work_precision_figure(curves), draft)
    print(f"\nDrawn in {out / 'work_precision.png'}")


def work_precision(problem, scipys, quick):
    """name of a solver -> [(evaluations, error at the end), ...]."""
    f, z0, ts = problem
    z0, ts = np.array(z0), np.array(ts)
    end = z0 if f is arenstorf else solve_by(dop853(1e-13, 1e-13))(z0, f, ts).zs[-1]
    known = Problem("", lambda z, t: f(z, t, None), lambda t: np.where(t[..., None] == ts[0], z0, end))
    solves = {name: [solve_by(FIXED[name](n=n)) for n in STEPS] for name in ("euler", "midpoint", "rk4")}
    solves |= {name: [solve_by(make(tol, tol)) for tol in TOLERANCES] for name, make in ADAPTIVE.items()}
    solves |= {name: [partial(solve, tol=tol) for tol in TOLERANCES] for name, solve in scipys.items()}
    return {name: errors_of(known, ts, refined[:7:3] if quick else refined) for name, refined in solves.items()}


def errors_of(problem, ts, solves):
    """(evaluations, error at the end) of one solve after the other, each finer than the last, until they are long."""
    points = []
    for solve in solves:
        trial = Trials(2 * MOST_EVALS).run(solve, problem, ts)
        if trial.evals > MOST_EVALS:
            break
        if np.isfinite(trial.error):  # steps may be too long to survive
            points.append((trial.evals, trial.error))
    return points
