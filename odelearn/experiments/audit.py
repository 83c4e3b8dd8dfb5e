"""Every solver of the house and of SciPy on the bench: a table of what was observed, and the work-precision diagram."""

from functools import partial

import numpy as np

from ..audit import audit as examine
from ..failures import SolverError
from ..solve import odesolve
from ..stepping import bosh3, dop853, dopri5, euler, heun, midpoint, ralston, rk4, rk38, tsit5
from .store import whole_file, writable_directory

FIXED = {solver.__name__: solver for solver in (euler, midpoint, heun, ralston, rk4, rk38)}
ADAPTIVE = {solver.__name__: solver for solver in (bosh3, dopri5, tsit5, dop853)}
SCIPYS = {"RK23": 3, "RK45": 5, "DOP853": 8, "LSODA": None, "Radau": None, "BDF": None}  # None: it varies, or by work only

STEPS = [10 * 2**k for k in range(13)]
TOLERANCES = [10.0**-k for k in range(2, 13)]
MOST_EVALS = 20_000  # where a curve of the diagram ends


def audit(out="figures", quick=False):
    """Print a line for every solver, write work_precision.png into `out`; returns the exit status: 1 if one failed.

    quick: three solvers only, and few points in the diagram.
    """
    out = writable_directory(out)
    scipys = scipy_solvers()
    solvers = {name: make(n=1) for name, make in FIXED.items()}
    solvers |= {name: make() for name, make in (ADAPTIVE | scipys).items()}
    failed = []
    print(f"{'':14}{'order':>7}{'forwards':>11}{'backwards':>11}{'dense output':>14}{'error / tolerance':>19}")
    for name, solver in solvers.items():
        if not quick or name in ("euler", "dopri5", "SciPy RK45"):
            report = examine(solver, SCIPYS.get(name.removeprefix("SciPy ")), name)
            print(line(name, solver, report), flush=True)
            failed += [] if report else [report]
    print("Orders: the least that was observed on four problems, from the lengths of the steps; ~ from evaluations only.")
    for report in failed:
        print(f"\n{report}")
    draw(out, scipys, quick)
    return 1 if failed else 0


def scipy_solvers():
    """name -> a function of rtol and atol; none without SciPy."""
    try:
        from ..scipy_bridge import scipy_solver
    except ImportError:
        print("SciPy is not installed: only our own solvers are audited.\n")
        return {}
    return {f"SciPy {name}": partial(scipy_solver, name) for name in SCIPYS}


def line(name, solver, report):
    """One line of the table: the worst of what was observed on all problems."""
    checks = {row.check: (row.forwards, row.backwards) for row in report.rows}
    orders = np.min(list(report.orders.values()), axis=0) if report.orders else [np.nan, np.nan]
    by_work = "~" if name.startswith("SciPy") else ""
    dense = min(checks.get("order of dense output", [np.nan]))
    error = max(checks.get("error / tolerance, at most", [np.nan]))
    declared = SCIPYS.get(name.removeprefix("SciPy ")) if by_work else solver.tableau.order
    return (
        f"{name:14}{declared or 'varies':>7}{by_work + f'{orders[0]:.2f}':>11}{by_work + f'{orders[1]:.2f}':>11}"
        f"{dense:14.2f}{error:19.2g}  {'passed' if report else 'FAILED'}"
    ).replace("nan", "  -")


# ---- work and precision


def lotka_volterra(z, t, theta):
    x, y = z
    return np.array([x * (1.5 - y), y * (x - 3.0)])


MOON = 0.012277471


def arenstorf(z, t, theta):
    """A satellite of the earth and the moon, in coordinates that turn with them: a closed orbit through close encounters.
    Hairer, Norsett, Wanner, Solving ODEs I, section II.0."""
    x, y, vx, vy = z
    from_earth = ((x + MOON) ** 2 + y * y) ** 1.5
    from_moon = ((x - 1 + MOON) ** 2 + y * y) ** 1.5
    ax = x + 2 * vy - (1 - MOON) * (x + MOON) / from_earth - MOON * (x - 1 + MOON) / from_moon
    ay = y - 2 * vx - (1 - MOON) * y / from_earth - MOON * y / from_moon
    return np.array([vx, vy, ax, ay])


def van_der_pol(z, t, theta):
    x, y = z
    return np.array([y, 30 * (1 - x * x) * y - x])


ORBIT = [0.994, 0.0, 0.0, -2.00158510637908252240537862224]
PROBLEMS = {
    "Smooth: Lotka and Volterra": (lotka_volterra, [1.0, 1.0], [0.0, 10.0]),
    "Close encounters: Arenstorf's orbit": (arenstorf, ORBIT, [0.0, 17.0652165601579625588917206249]),
    "Stiff: Van der Pol, μ = 30": (van_der_pol, [2.0, 0.0], [0.0, 60.0]),
}


def draw(out, scipys, quick):
    from .. import plotting_solvers  # here, because matplotlib takes its time

    curves = {name: work_precision(problem, scipys, quick) for name, problem in PROBLEMS.items()}
    with whole_file(out / "work_precision.png") as draft:
        plotting_solvers.save(plotting_solvers.work_precision_figure(curves), draft)
    print(f"\nDrawn in {out / 'work_precision.png'}")


def work_precision(problem, scipys, quick):
    """name of a solver -> [(evaluations, error at the end), ...]."""
    f, z0, ts = problem
    exact = z0 if f is arenstorf else odesolve(z0, f, ts, None, dop853(1e-13, 1e-13)).zs[-1]
    knobs = {name: (FIXED[name](n=n) for n in STEPS) for name in ("euler", "midpoint", "rk4")}
    knobs |= {name: (make(tol, tol) for tol in TOLERANCES) for name, make in (ADAPTIVE | scipys).items()}
    return {name: curve(z0, f, ts, solvers, exact, 3000 if quick else MOST_EVALS) for name, solvers in knobs.items()}


def curve(z0, f, ts, solvers, exact, most):
    points = []
    for solver in solvers:
        try:
            traj = odesolve(z0, f, ts, None, solver)
        except SolverError:  # steps too long to survive
            continue
        if traj.stats.evals > most:
            break
        points.append((traj.stats.evals, np.abs(traj.zs[-1] - exact).max()))
    return points
