"""The workloads: a problem each, who runs it, and how many times the others' time odelearn may take.

There are targets against the hand-inlined limit and between forms of odelearn. Against peers there are none, but for
the ensembles: what they take depends on the processor, and the table says it.
"""

from collections import namedtuple
from functools import partial

import numpy as np

from odelearn import (
    MLP,
    RK4,
    RK38,
    Backsolve,
    Discrete,
    Dynamics,
    FixedSteps,
    Solver,
    dopri5,
    odesolve,
    odesolve_vjp,
    vjp,
)
from odelearn.dynamics import Bound

from . import limit, limit_adaptive, peers
from .peers import Contender

ROTATION = np.array([[-0.1, 2.0], [-2.0, -0.1]])  # the damped rotation of the paper's spiral demo


class Problem:
    """dz/dt = MLP(z^power) (+ z A), z0 (N, 2), observed at ts and compared with a target by the mean squared error.

    n RK4 steps in each interval, or, for n = None, DOPRI5 at rtol and atol.
    """

    def __init__(self, H, N, ts, n=None, rtol=1e-6, atol=1e-8, power=1, A=None, size=1.0):
        rng = np.random.default_rng(0)
        self.H, self.N, self.ts, self.n, self.rtol, self.atol, self.power, self.A = H, N, ts, n, rtol, atol, power, A
        self.net = MLP([2, H, 2], power=power)
        self.theta = size * (self.net.init(rng) + 0.1 * rng.normal(size=self.net.size))
        self.z0, self.target = rng.normal(size=(N, 2)), rng.normal(size=(len(ts), N, 2))
        self.f = self.net if A is None else LinearPlusNet(A, self.net)

    def solver(self, tableau=RK4):
        return dopri5(self.rtol, self.atol) if self.n is None else Solver(tableau, FixedSteps(self.n))

    def plain(self, z, t, theta):
        """f as an ordinary NumPy function, as a user would write it."""
        H = self.H
        W0, b0 = theta[: 2 * H].reshape(2, H), theta[2 * H : 3 * H]
        W1, b1 = theta[3 * H : 5 * H].reshape(H, 2), theta[5 * H :]
        x = z * z * z if self.power == 3 else z
        dz = np.tanh(x @ W0 + b0) @ W1 + b1
        return dz if self.A is None else dz + z @ self.A


class LinearPlusNet(Dynamics):
    """dz/dt = z A + net(z, t, theta): what is known of the dynamics, and a net for the rest."""

    def __init__(self, A, net):
        self.A, self.net = A, net

    def __call__(self, z, t, theta):
        return np.dot(z, self.A) + self.net(z, t, theta)

    def vjp(self, z, t, theta):
        dz, net_pullback = self.net.vjp(z, t, theta)
        return dz + np.dot(z, self.A), partial(self.pullback, net_pullback)

    def bind(self, theta, z0):
        net, A = self.net.bind(theta, z0), self.A

        def value(z, t, out):
            net.value(z, t, out)
            out += z.dot(A)

        def vjp(z, t, out):
            net_pullback = net.vjp(z, t, out)
            out += z.dot(A)
            return partial(self.pullback, net_pullback)

        return Bound(value, vjp, net.sum_theta)

    def pullback(self, net_pullback, a):
        a_z, a_t, term = net_pullback(a)
        a_z += a.dot(self.A.T)
        return a_z, a_t, term


class Ensemble(Problem):
    """E members in one solve: theta (E, P), z0 (E, N, 2), each with a start, a target and initial weights of its own.

    The loss is the mean over all of them. members() are the same as E problems by themselves.
    """

    def __init__(self, E, H, N, ts, n):
        super().__init__(H, N, ts, n)
        rng = np.random.default_rng(1)
        self.theta = np.stack([self.net.init(rng) + 0.1 * rng.normal(size=self.net.size) for _ in range(E)])
        self.z0, self.target = rng.normal(size=(E, N, 2)), rng.normal(size=(len(ts), E, N, 2))

    def members(self):
        for e, theta in enumerate(self.theta):
            member = Problem(self.H, self.N, self.ts, self.n)
            member.theta, member.z0, member.target = theta, self.z0[e], self.target[:, e]
            yield member

    def first(self):
        """The ensemble of the first member alone."""
        one = Ensemble(1, self.H, self.N, self.ts, self.n)
        one.theta, one.z0, one.target = self.theta[:1], self.z0[:1], self.target[:, :1]
        return one


# --- odelearn, its limit, and the products and tanh alone -------------------------------------------------------------


def forward(p, tableau=RK4):
    solver = p.solver(tableau)
    return Contender(lambda: odesolve(p.z0, p.f, p.ts, p.theta, solver).zs)


def gradient(p, method, tableau=RK4, f=None):
    f, theta, solver = f or p.f, p.theta, p.solver(tableau)

    def run():
        zs, pullback = odesolve_vjp(p.z0, f, p.ts, theta, solver, method)
        r = zs - p.target
        g = pullback(2 / r.size * r)
        return np.vdot(r, r) / r.size, g.z0, g.theta

    def descend(result, lr):
        nonlocal theta
        theta = theta - lr * result[2]

    return Contender(run, descend=descend)


def through_tape(p):
    return gradient(p, Discrete(), f=p.plain)


def limit_forward(p):
    if p.n is None:
        run = limit_adaptive.dopri5_forward(p.H, p.N, p.A, p.ts, p.rtol, p.atol)
    else:
        run = limit.rk4_forward(p.H, p.N, p.ts, p.n, p.power)
    return Contender(lambda: run(p.z0, p.theta))


def limit_gradient(p, method):
    if p.n is None:
        build = limit_adaptive.dopri5_backsolve if method == Backsolve() else limit_adaptive.dopri5_discrete
        run = build(p.H, p.N, p.A, p.ts, p.rtol, p.atol)
    elif method == Backsolve():
        run = limit.rk4_backsolve(p.H, p.N, p.ts, p.n, p.power)
    elif p.N * p.H > 65536:
        run = limit.in_blocks(65536 // p.H, p.H, p.N, p.ts, p.n)
    else:
        run = limit.rk4_discrete(p.H, p.N, p.ts, p.n, p.power)
    return Contender(lambda: run(p.z0, p.theta, p.target), lambda result: (result[0], *result[2:]))


def products_and_tanh(p, method=None):
    """As many evaluations and pullbacks as odelearn says it made."""
    evals, pullbacks = odesolve(p.z0, p.f, p.ts, p.theta, p.solver()).stats.evals, 0
    if method is not None:
        zs, pullback = odesolve_vjp(p.z0, p.f, p.ts, p.theta, p.solver(), method)
        stats = pullback(np.ones_like(zs)).stats
        evals, pullbacks = evals + stats.evals, stats.pullbacks
    return Contender(limit.products_and_tanh(p.H, p.N, evals, pullbacks))


# --- Ensembles --------------------------------------------------------------------------------------------------------


def one_by_one(p, method):
    """A solve for each member."""
    runs = [gradient(member, method).run for member in p.members()]

    def to_numpy(results):
        losses, a_z0, a_theta = (np.stack(x) for x in zip(*results, strict=True))
        return losses.mean(), a_z0 / len(runs), a_theta / len(runs)

    return Contender(lambda: [run() for run in runs], to_numpy)


def ensemble_of_one(p, method):
    return gradient(p.first(), method)


def one_member(p, method):
    return gradient(next(p.members()), method)


# --- One vector-Jacobian product of f ---------------------------------------------------------------------------------


def vjp_by_hand(p):
    def run():
        dz, pullback = p.net.vjp(p.z0, 0.0, p.theta)
        a_z, _, a_theta = pullback(p.target[0])
        return dz, a_z, a_theta

    return Contender(run)


def vjp_by_tape(p):
    def run():
        dz, pullback = vjp(p.plain, p.z0, 0.0, p.theta)
        a_z, _, a_theta = pullback(p.target[0])
        return dz, a_z, a_theta

    return Contender(run)


# --- Who meets whom ---------------------------------------------------------------------------------------------------

Workload = namedtuple("Workload", "name title problem entries")
Entry = namedtuple("Entry", "name build targets check", defaults=({}, None))
Entry.__doc__ = """A contender: build(problem) -> Contender.

targets: {an odelearn entry: how many times this entry's time it may take; None: shown without a target}
check: build(problem) -> the Contender of odelearn that must give the same numbers to 1e-8"""

HAND, TAPE, BACK, DISC = "odelearn", "odelearn, f through the tape", "odelearn Backsolve", "odelearn Discrete"
LIMIT, PURE = "NumPy limit", "products and tanh alone"
ONE = "odelearn, ensemble of 1"
OWN = {HAND, TAPE, BACK, DISC, ONE}

backsolve, discrete = partial(gradient, method=Backsolve()), partial(gradient, method=Discrete())
limit_backsolve, limit_discrete = (partial(limit_gradient, method=m) for m in (Backsolve(), Discrete()))
pure_backsolve, pure_discrete = (partial(products_and_tanh, method=m) for m in (Backsolve(), Discrete()))
torch, diffrax = peers.torchdiffeq, peers.diffrax
torch_adjoint, torch_backprop = partial(torch, gradient="adjoint"), partial(torch, gradient="backprop")
diffrax_backsolve, diffrax_checkpoint = partial(diffrax, gradient="backsolve"), partial(diffrax, gradient="checkpoint")
scan_gradient, jax_gradient = partial(peers.jax_scan, gradient=True), partial(peers.jax_odeint, gradient=True)
rk38, rk38_backsolve, rk38_discrete = (partial(run, tableau=RK38) for run in (forward, backsolve, discrete))

alone, alone_ensemble, separate = (partial(run, method=Discrete()) for run in (one_member, ensemble_of_one, one_by_one))

spiral = partial(Problem, H=50, N=20, ts=np.linspace(0, 1, 10), n=4, power=3)
rotation = partial(Problem, H=16, N=20, ts=np.linspace(0, 25, 100), A=ROTATION, size=0.3)


# fmt: off
def w1():
    return Workload("W1", "forward, RK4, 36 steps", spiral(), [
        Entry(HAND,                   forward),
        Entry(LIMIT,                  limit_forward,      {HAND: 1.4},                  forward),
        Entry(PURE,                   products_and_tanh,  {HAND: None}),
        Entry("torchdiffeq",          torch,              {HAND: None},                 rk38),
        Entry("Diffrax",              diffrax,            {HAND: None},                 forward),
        Entry("jax.lax.scan by hand", peers.jax_scan,     {HAND: None},                 forward),
    ])


def w2a():
    return Workload("W2a", "gradient of W1 by Backsolve", spiral(), [
        Entry(BACK,                   backsolve),
        Entry(LIMIT,                  limit_backsolve,    {BACK: 1.7},                  backsolve),
        Entry(PURE,                   pure_backsolve,     {BACK: None}),
        Entry("torchdiffeq adjoint",  torch_adjoint,      {BACK: None},                 rk38_backsolve),
        Entry("Diffrax Backsolve",    diffrax_backsolve,  {BACK: None},                 backsolve),
    ])


def w2b():
    return Workload("W2b", "gradient of W1 by Discrete", spiral(), [
        Entry(DISC,                   discrete),
        Entry(TAPE,                   through_tape,       {DISC: None},                 discrete),
        Entry(LIMIT,                  limit_discrete,     {DISC: 1.65},                 discrete),
        Entry(PURE,                   pure_discrete,      {DISC: None}),
        Entry("torchdiffeq backprop", torch_backprop,     {DISC: None, TAPE: None},     rk38_discrete),
        Entry("autograd",             peers.autograd,     {DISC: None, TAPE: None},     discrete),
        Entry("Diffrax checkpointed", diffrax_checkpoint, {DISC: None, TAPE: None},     discrete),
        Entry("jax.lax.scan by hand", scan_gradient,      {DISC: None},                 discrete),
    ])


def w3():
    return Workload("W3", "forward, DOPRI5, rtol 1e-6, atol 1e-8", rotation(), [
        Entry(HAND,                   forward),
        Entry(LIMIT,                  limit_forward,      {HAND: 1.6},                  forward),
        Entry(PURE,                   products_and_tanh,  {HAND: None}),
        Entry("SciPy RK45",           peers.scipy,        {HAND: None},                 forward),
        Entry("torchdiffeq",          torch,              {HAND: None},                 forward),
        Entry("Diffrax",              diffrax,            {HAND: None},                 forward),
        Entry("jax odeint",           peers.jax_odeint,   {HAND: None},                 forward),
    ])


def w3_gradient():
    return Workload("W3 gradient", "of the same, by Discrete and by Backsolve", rotation(), [
        Entry(DISC,                   discrete),
        Entry(BACK,                   backsolve),
        Entry(f"{LIMIT}, Discrete",   limit_discrete,     {DISC: 1.5},                  discrete),
        Entry(f"{LIMIT}, Backsolve",  limit_backsolve,    {BACK: 1.45},                 backsolve),
        Entry(f"{PURE}, Discrete",    pure_discrete,      {DISC: None}),
        Entry(f"{PURE}, Backsolve",   pure_backsolve,     {BACK: None}),
        Entry("torchdiffeq adjoint",  torch_adjoint,      {BACK: None},                 backsolve),
        Entry("torchdiffeq backprop", torch_backprop,     {DISC: None},                 discrete),
        Entry("Diffrax checkpointed", diffrax_checkpoint, {DISC: None},                 discrete),
        Entry("Diffrax Backsolve",    diffrax_backsolve,  {DISC: None, BACK: None},     backsolve),
        Entry("jax odeint",           jax_gradient,       {BACK: None},                 backsolve),
    ])


def w4(H, N):
    problem = Problem(H, N, np.linspace(0, 1, 2), n=20)
    bound = {(16, 1): 2.1, (16, 16): 2.0}.get((H, N), {1: 2.0, 16: 1.6, 256: 2.0}.get(N))
    return Workload(f"W4 H={H} N={N}", "gradient by Discrete, RK4, 20 steps", problem, [
        Entry(DISC,                   discrete),
        Entry(LIMIT,                  limit_discrete,     {DISC: bound},                discrete),
        Entry(PURE,                   pure_discrete,      {DISC: None}),
        Entry("torchdiffeq backprop", torch_backprop,     {DISC: None},                 rk38_discrete),
        Entry("Diffrax checkpointed", diffrax_checkpoint, {DISC: None},                 discrete),
    ])


def w6(H, N, E=20):
    problem = Ensemble(E, H, N, np.linspace(0, 1, 10), n=4)
    bound, faster = (2.0, None) if N == 1 else ({16: 4.0, 50: 6.0}[H], 1.0)
    return Workload(f"W6 H={H} N={N}", f"gradients of an ensemble of {E} by Discrete, RK4, 36 steps", problem, [
        Entry(DISC,                   discrete),
        Entry(ONE,                    alone_ensemble,     {DISC: bound}),
        Entry("odelearn, one member", alone,              {ONE: 1.1}),
        Entry(f"odelearn, {E} solves", separate,          {DISC: None},                 discrete),
        Entry("jax.vmap of a scan",   peers.jax_vmap,     {DISC: faster},               discrete),
        Entry("torchdiffeq, vmap of f", peers.torch_vmap, {DISC: None},                 rk38_discrete),
    ])


def tape():
    return Workload("tape", "value and pullback of W1's f, once", spiral(), [
        Entry(TAPE,                   vjp_by_tape),
        Entry("MLP.vjp, by hand",     vjp_by_hand,        {TAPE: 4.0},                  vjp_by_tape),
    ])
# fmt: on

ENSEMBLES = [(16, 1), (16, 20), (50, 20)]
GRID = [(H, N) for H in (16, 64, 256, 1024) for N in (1, 16, 256)] + [(16, 4096), (64, 4096)]


def all_workloads(grid=GRID):
    return [
        w1(),
        w2a(),
        w2b(),
        w3(),
        w3_gradient(),
        tape(),
        *(w4(H, N) for H, N in grid),
        *(w6(H, N) for H, N in ENSEMBLES),
    ]


# --- The same numbers first -------------------------------------------------------------------------------------------


def disagreement(workload, entry, contender):
    """The largest difference of the contender's numbers from odelearn's, relative to the largest of each array.

    Peers that choose their steps differently are compared at tolerances where that no longer matters.
    """
    p = workload.problem
    if p.n is None and LIMIT not in entry.name:
        p = rotation(rtol=1e-10, atol=1e-11)
        contender = entry.build(p)
    mine, theirs = numbers(entry.check(p)), numbers(contender)
    return max(float(np.abs(x - y).max() / np.abs(x).max()) for x, y in zip(mine, theirs, strict=True))


def numbers(contender):
    result = contender.to_numpy(contender.run())
    return [np.asarray(x) for x in (result if isinstance(result, tuple) else (result,))]
