"""ODESolve: the state at the observation times, and all the way between them."""

from bisect import bisect_right
from collections import namedtuple

import numpy as np

from .dense_output import mesh_times
from .events import Watch, as_events, solve_with_events, without_horizon
from .members import members_of
from .problem import check_memory, initial_value_problem
from .solver import Solver, checked_solver, dopri5, solve, states_like
from .step_size import FixedSteps, RecordedSteps

Stats = namedtuple("Stats", "evals accepted rejected attempts")


class Trajectory:
    """The solution of dz/dt = f(z, t, theta) from z(ts[0]) = z0.

    ts (T,), zs (T, *shape)   the observation times and the states there
    stats                     evals of f;  accepted + rejected = attempts
    steps                     the accepted Steps
    ledger                    every attempted step: t, h, error (accepted when <= 1; nan for fixed steps), accepted
    traj(t)                   z at any t between ts[0] and ts[-1], of shape (*t.shape, *shape)
    events                    for each event of the solve, a list of its Crossings (t, z), in the order of the solve
    """

    def __init__(self, zs, steps, stepper, problem, events=()):
        self.zs, self.problem, self.events = zs, problem, list(events)  # problem: f, ts, theta, solver
        self.intervals = [i for i, _ in steps]
        self.steps = [step for _, step in steps]
        self.ledger = stepper.ledger
        attempts = stepper.accepted + stepper.rejected
        self.stats = Stats(stepper.evals, stepper.accepted, stepper.rejected, attempts)

    def __setstate__(self, state):
        """A copy, by pickle or deepcopy: its steps evaluate f anew."""
        self.__dict__.update(state)
        f, _, theta, _ = self.problem
        for scheme in {id(step.scheme): step.scheme for step in self.steps if hasattr(step, "scheme")}.values():
            scheme.field = f.bind(theta, self.zs[0]).value

    @property
    def ts(self):
        return self.problem[1]

    @property
    def solver(self):
        return self.problem[3]

    def __call__(self, t):
        """z(t) from the step that covers t, by its tableau's interpolant, of order p - 1 at least.

        Raises ValueError for a t outside the interval.
        """
        t = np.asarray(t, float)
        low, high = min(self.ts[0], self.ts[-1]), max(self.ts[0], self.ts[-1])
        outside = t[~((low <= t) & (t <= high))]
        if outside.size:
            raise ValueError(f"t = {outside.flat[0]:g} is outside the solved interval [{low:g}, {high:g}]")
        z = np.empty((*t.shape, *self.zs.shape[1:]), self.zs.dtype)
        for where, t_i in np.ndenumerate(t):
            z[where] = self.step_at(t_i)(t_i) if self.steps else self.zs[0]
        return z

    def step_at(self, t):
        """The step that covers t: binary search, in the direction of time."""
        direction = np.sign(self.ts[-1] - self.ts[0])
        i = bisect_right(self.steps, direction * t, key=lambda step: direction * step.t)
        return self.steps[max(i - 1, 0)]

    def replay(self, z0, theta, ts=None):
        """The Trajectory from another z0, theta and ts (T,) on the same mesh, without step-size control.

        The accepted steps are repeated as fractions of each interval [ts[i], ts[i+1]], or of the whole [ts[0], ts[-1]]
        for a dense solver. Discrete differentiates exactly
        this map. The adaptive solve itself also moves its mesh, in jumps that spoil finite differences.
        Raises ValueError if the number of observation times differs.
        """
        f, own_ts, _, solver = self.problem
        ts = own_ts if ts is None else np.asarray(ts, float)
        if ts.shape != own_ts.shape:
            raise ValueError(f"ts must have as many times as the solve to replay, {len(own_ts)}, got shape {ts.shape}")
        mesh = mesh_times(solver, own_ts)
        ends = [[] for _ in mesh[1:]]
        for i, step in zip(self.intervals, self.steps, strict=True):
            t0, t1 = mesh[i], mesh[i + 1]
            ends[i].append(1.0 if step.t_next == t1 else float((step.t_next - t0) / (t1 - t0)))
        return odesolve(z0, f, ts, theta, Solver(solver.tableau, RecordedSteps(tuple(map(tuple, ends))), solver.dense))


def odesolve(z0, f, ts, theta=None, solver=dopri5(), event=None):  # noqa: B008, a Solver is frozen
    """z(t_i) = z0 + int_{t_0}^{t_i} f(z, t, theta) dt  at every t_i of ts: ODESolve(z0, f, ts, theta) of eq. (3).

    z0      any shape; leading axes are a batch. float32, float64, complex64 and complex128 stay, other numbers become
            float64
    f       f(z, t, theta) -> dz/dt of the shape and dtype of z: a function or a Dynamics
    ts      (T,) strictly increasing or strictly decreasing, T >= 1; ts[0] belongs to z0
    theta   (P,), or None for no parameters. (E, P) is an ensemble in one solve, with z0 (E, ..., D): member e moves by
            theta[e]
    solver  a Solver: its tableau and where the steps go, such as dopri5(rtol, atol) or rk4(n=10). Every time of ts ends
            a step; where they are many take dense=True, which reads zs from inside longer steps
    event   an Event or a list of them, to be found in Trajectory.events. A terminal one ends the Trajectory: its time
            is the last of Trajectory.ts, after those of ts that were reached

    Returns a Trajectory with zs (T, *z0.shape), zs[0] = z0. Raises ValueError or TypeError for bad arguments before
    the first step, and SolverError when the solve cannot go on. The inputs are not changed.

    >>> solution = odesolve([1.0, 0.0], lambda z, t, theta: np.stack([z[1], -z[0]]), (0.0, np.pi))
    >>> solution.zs.shape, bool(abs(solution.zs[-1, 0] + 1) < 1e-5)
    ((2, 2), True)
    """
    z0, f, ts, theta = initial_value_problem(z0, f, ts, theta)
    watches = [Watch(event, z0, ts[0], theta) for event in as_events(event)]
    if watches and theta is not None and theta.ndim == 2:
        raise ValueError("an ensemble has no events: its members would end at different times; solve them one by one")
    if watches:
        solver = without_horizon(checked_solver(solver), [watch.event for watch in watches])
    elif isinstance(getattr(solver, "control", None), FixedSteps):
        check_memory(solver.control.steps_for(mesh_times(solver, ts)), solver.tableau.stages, z0)
    stepper = checked_solver(solver).stepper(f.bind(theta, z0).value, z0, ts, [], members_of(theta, z0))
    with np.errstate(all="ignore"):  # a non-finite value is reported by the solver, which has more to say
        if watches:
            ts, zs, steps = solve_with_events(stepper, z0, ts, watches)
        else:
            zs = states_like(z0, ts)
            steps = list(solve(stepper, z0, zs, ts))
    return Trajectory(zs, steps, stepper, (f, ts, theta, solver), [watch.found for watch in watches])
