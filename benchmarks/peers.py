"""The frameworks on the same problems. Each builder imports its framework, so that one that is missing costs nothing.

All in float64, on one thread, written as their documentation recommends, and compiled where they can be.
"""

from collections import namedtuple

import numpy as np

Contender = namedtuple("Contender", "run to_numpy descend compiles", defaults=(lambda result: result, None, False))
Contender.__doc__ = """run() -> a result of the framework's own kind; to_numpy(result) -> zs, or (loss, a_z0, a_theta);
descend(result, lr): theta = theta - lr a_theta for the runs that follow; compiles: the first run does."""


def step_length(problem):
    """h for problem.n equal steps in an interval, a hair longer: round-off must not add a step."""
    return float(problem.ts[1] - problem.ts[0]) / problem.n * (1 + 1e-12)


# --- torchdiffeq ------------------------------------------------------------------------------------------------------


def torchdiffeq(problem, gradient=None):
    """gradient: None for the forward solve, "backprop" or "adjoint". Its "rk4" is the 3/8 rule, RK38 here."""
    import torch
    from torchdiffeq import odeint, odeint_adjoint

    torch.set_num_threads(1)
    net = torch_field(torch, problem)
    z0, ts, target = (torch.tensor(x) for x in (problem.z0, problem.ts, problem.target))
    solve = odeint_adjoint if gradient == "adjoint" else odeint
    if problem.n is None:
        how = {"method": "dopri5", "rtol": problem.rtol, "atol": problem.atol}
    else:
        how = {"method": "rk4", "options": {"step_size": step_length(problem)}}

    def forward():
        with torch.no_grad():
            return solve(net, z0, ts, **how)

    if gradient is None:
        return Contender(forward, lambda zs: zs.numpy())

    def run():
        leaf = z0.clone().requires_grad_()
        loss = torch.mean((solve(net, leaf, ts, **how) - target) ** 2)
        a_z0, *parts = torch.autograd.grad(loss, [leaf, *net.parameters()])
        return loss, a_z0, parts

    def to_numpy(result):
        loss, a_z0, parts = result
        return loss.item(), a_z0.numpy(), np.concatenate([part.numpy().T.reshape(-1) for part in parts])

    @torch.no_grad()
    def descend(result, lr):
        for parameter, part in zip(net.parameters(), result[2], strict=True):
            parameter -= lr * part

    return Contender(run, to_numpy, descend)


def torch_field(torch, problem):
    class Field(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer0 = torch.nn.Linear(2, problem.H, dtype=torch.float64)
            self.layer1 = torch.nn.Linear(problem.H, 2, dtype=torch.float64)
            self.A = None if problem.A is None else torch.tensor(problem.A)
            with torch.no_grad():
                for parameter, part in zip(self.parameters(), problem.net.unravel(problem.theta).values(), strict=True):
                    parameter.copy_(torch.tensor(part.T))

        def forward(self, t, z):
            dz = self.layer1(torch.tanh(self.layer0(z**3 if problem.power == 3 else z)))
            return dz if self.A is None else dz + z @ self.A

    return Field()


def torch_vmap(problem):
    """An ensemble: torch.func.vmap of the field of a member, in torchdiffeq's solve, with backpropagation.

    The solve as a whole cannot be mapped: torchdiffeq 0.2.5 writes into its solution in place.
    """
    import torch
    from torchdiffeq import odeint

    torch.set_num_threads(1)
    H, how = problem.H, {"method": "rk4", "options": {"step_size": step_length(problem)}}
    z0, theta, ts, target = (torch.tensor(x) for x in (problem.z0, problem.theta, problem.ts, problem.target))

    def field_of_one(z, theta):
        W0, b0, W1, b1 = theta.split((2 * H, H, 2 * H, 2))
        return torch.tanh(z @ W0.reshape(2, H) + b0) @ W1.reshape(H, 2) + b1

    field = torch.func.vmap(field_of_one)

    def run():
        leaf, parameters = z0.clone().requires_grad_(), theta.clone().requires_grad_()
        zs = odeint(lambda t, z: field(z, parameters), leaf, ts, **how)
        loss = torch.mean((zs - target) ** 2)
        return loss, *torch.autograd.grad(loss, (leaf, parameters))

    return Contender(run, lambda result: tuple(x.detach().numpy() for x in result))


# --- JAX: Diffrax, jax.experimental.ode, and lax.scan by hand ---------------------------------------------------------


def jax_field(problem):
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    H = problem.H

    def f(z, t, theta):
        W0, b0, W1, b1 = jnp.split(theta, (2 * H, 3 * H, 5 * H))
        x = z**3 if problem.power == 3 else z
        dz = jnp.tanh(x @ W0.reshape(2, H) + b0) @ W1.reshape(H, 2) + b1
        return dz if problem.A is None else dz + z @ problem.A

    return f


def jitted(problem, solve, gradient):
    """The jitted solve(z0, theta) -> zs, or the mean squared error with its gradient."""
    import jax
    import jax.numpy as jnp

    z0, theta, target = (jnp.asarray(x) for x in (problem.z0, problem.theta, problem.target))
    if not gradient:
        compiled = jax.jit(solve)
        return Contender(lambda: jax.block_until_ready(compiled(z0, theta)), np.asarray, compiles=True)

    loss = lambda z0, theta: jnp.mean((solve(z0, theta) - target) ** 2)
    compiled = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))

    def run():
        return jax.block_until_ready(compiled(z0, theta))

    def to_numpy(result):
        loss, (a_z0, a_theta) = result
        return float(loss), np.asarray(a_z0), np.asarray(a_theta)

    def descend(result, lr):
        nonlocal theta
        theta = theta - lr * result[1][1]

    return Contender(run, to_numpy, descend, compiles=True)


def diffrax(problem, gradient=None):
    """gradient: None, "backsolve" or "checkpoint". It has no RK4, but makes a solver of its tableau."""
    field = jax_field(problem)
    import diffrax
    import jax.numpy as jnp

    ts = jnp.asarray(problem.ts)
    adjoint = diffrax.BacksolveAdjoint() if gradient == "backsolve" else diffrax.RecursiveCheckpointAdjoint()
    if problem.n is None:
        controller = diffrax.PIDController(rtol=problem.rtol, atol=problem.atol)
        how = {"solver": diffrax.Dopri5(), "stepsize_controller": controller, "dt0": None}
    else:
        how = {"solver": diffrax_rk4(diffrax), "dt0": step_length(problem), "max_steps": problem.n * (len(ts) - 1)}

    def solve(z0, theta):
        term = diffrax.ODETerm(lambda t, z, theta: field(z, t, theta))
        saveat = diffrax.SaveAt(ts=ts)
        return diffrax.diffeqsolve(
            term, t0=ts[0], t1=ts[-1], y0=z0, args=theta, saveat=saveat, adjoint=adjoint, **how
        ).ys

    return jitted(problem, solve, gradient)


def diffrax_rk4(diffrax):
    class ClassicalRK4(diffrax.AbstractERK):
        tableau = diffrax.ButcherTableau(
            a_lower=(np.array([0.5]), np.array([0.0, 0.5]), np.array([0.0, 0.0, 1.0])),
            b_sol=np.array([1.0, 2.0, 2.0, 1.0]) / 6,
            b_error=np.zeros(4),
            c=np.array([0.5, 0.5, 1.0]),
        )
        interpolation_cls = diffrax.ThirdOrderHermitePolynomialInterpolation.from_k

        def order(self, terms):
            return 4

    return ClassicalRK4()


def jax_odeint(problem, gradient=None):
    """jax.experimental.ode: DOPRI5 only; its gradient is the adjoint."""
    field = jax_field(problem)
    import jax.numpy as jnp
    from jax.experimental.ode import odeint

    ts = jnp.asarray(problem.ts)
    solve = lambda z0, theta: odeint(field, z0, ts, theta, rtol=problem.rtol, atol=problem.atol)
    return jitted(problem, solve, gradient)


def jax_scan(problem, gradient=None):
    """No library: RK4 written out and scanned over the steps."""
    return jitted(problem, scanned(problem), gradient)


def jax_vmap(problem):
    """An ensemble: the same solve of one member under jax.vmap, jitted, and its gradient."""
    solve = scanned(problem)
    import jax

    return jitted(problem, jax.vmap(solve, out_axes=1), gradient=True)


def scanned(problem):
    """solve(z0, theta) -> zs, RK4 scanned over the steps of each interval and over the intervals."""
    field = jax_field(problem)
    import jax
    import jax.numpy as jnp

    ts, n = jnp.asarray(problem.ts), problem.n

    def solve(z0, theta):
        def interval(z, times):
            h = (times[1] - times[0]) / n

            def step(z, j):
                t = times[0] + j * h
                k1 = field(z, t, theta)
                k2 = field(z + h / 2 * k1, t + h / 2, theta)
                k3 = field(z + h / 2 * k2, t + h / 2, theta)
                k4 = field(z + h * k3, t + h, theta)
                return z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), None

            z, _ = jax.lax.scan(step, z, jnp.arange(n))
            return z, z

        _, zs = jax.lax.scan(interval, z0, jnp.stack([ts[:-1], ts[1:]], axis=1))
        return jnp.concatenate([z0[None], zs])

    return solve


# --- autograd and SciPy -----------------------------------------------------------------------------------------------


def autograd(problem, gradient="backprop"):
    """No ODE solver of its own for fixed steps: RK4 written out in its NumPy, and its gradient."""
    import autograd.numpy as anp
    from autograd import value_and_grad

    H, ts, n = problem.H, problem.ts, problem.n

    def f(z, theta):
        W0, b0 = anp.reshape(theta[: 2 * H], (2, H)), theta[2 * H : 3 * H]
        W1, b1 = anp.reshape(theta[3 * H : 5 * H], (H, 2)), theta[5 * H :]
        return anp.dot(anp.tanh(anp.dot(z**problem.power, W0) + b0), W1) + b1

    def loss(both):
        z, theta = both
        zs = [z]
        for t0, t1 in zip(ts[:-1], ts[1:], strict=True):
            h = (t1 - t0) / n
            for _ in range(n):
                k1 = f(z, theta)
                k2 = f(z + h / 2 * k1, theta)
                k3 = f(z + h / 2 * k2, theta)
                k4 = f(z + h * k3, theta)
                z = z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            zs.append(z)
        return anp.mean((anp.stack(zs) - problem.target) ** 2)

    both = value_and_grad(loss)
    to_numpy = lambda result: (float(result[0]), *result[1])
    return Contender(lambda: both((problem.z0, problem.theta)), to_numpy)


def scipy(problem, gradient=None):
    """solve_ivp's RK45: DOPRI5 with the controller of AdaptiveSteps, read off at ts by its interpolant."""
    from scipy.integrate import solve_ivp

    z0, ts, theta = problem.z0, problem.ts, problem.theta
    field = lambda t, y: problem.plain(y.reshape(z0.shape), t, theta).reshape(-1)
    how = {"method": "RK45", "t_eval": ts, "rtol": problem.rtol, "atol": problem.atol}
    run = lambda: solve_ivp(field, (ts[0], ts[-1]), z0.reshape(-1), **how).y
    return Contender(run, lambda y: y.T.reshape(-1, *z0.shape))
