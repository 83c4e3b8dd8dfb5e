"""The figures of notebook 03 From Euler to Dormand-Prince."""

from itertools import cycle

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from ...solvers.coefficients import DOPRI5, EULER, RK4
from ...solvers.odesolve import odesolve
from ...solvers.solver import bosh3, dop853, dopri5, euler, midpoint, rk4
from ..style import BLUE, GREY, INK, ORANGE, SKY, STYLE

NOTE = "#555555"
STYLES = [dict(color=ORANGE, marker="s"), dict(color=SKY, marker="^"), dict(color=BLUE, marker="o")]


@rc_context(STYLE)
def polygons(field, exact, paths):
    """Euler's polygons with more and more steps beside the exact solution, on the direction field that they follow.

    field(z, t) -> dz/dt, of arrays;  exact (ts, zs);  paths: label -> (ts, zs)
    """
    fig = Figure(figsize=(6.5, 4))
    ax = fig.subplots()
    low, high = (choose([choose(zs) for _, zs in [exact, *paths.values()]]) for choose in (np.min, np.max))
    low, room = min(low, 0), 0.07 * (high - low)
    T, Z = np.meshgrid(np.linspace(exact[0][0], exact[0][-1], 26), np.linspace(low, high + room / 2, 17))
    slope = field(Z, T)
    lines = dict(pivot="mid", headwidth=1, headlength=0, headaxislength=0, color="#BBBBBB", width=2.5e-3, scale=38)
    ax.quiver(T, Z, 1 / np.hypot(1, slope), slope / np.hypot(1, slope), angles="xy", **lines)
    ax.plot(*exact, color=INK, lw=1.5, label="exact")
    for (label, path), style in zip(paths.items(), cycle(STYLES), strict=False):
        ax.plot(*path, ms=min(5, 60 / len(path[0])), lw=1, label=label, **style)
    ax.set(xlabel="$t$", ylabel="$z$", ylim=(low, high + room), title="Euler's polygons on the direction field of $f$")
    ax.legend(loc="upper right", frameon=True, framealpha=0.9, edgecolor="none")
    return fig


@rc_context(STYLE)
def depth(field, residual, ode):
    """A residual net and an ODE net, state across and depth upwards, with the points at which f is evaluated.

    field(z, t) -> dz/dt, of arrays;  residual, ode: for each input (ts, zs, points), the points being pairs (z, t)
    """
    fig = Figure(figsize=(9, 4.6))
    left, right = fig.subplots(1, 2, sharey=True)
    layers = sorted({t for _, _, points in residual for _, t in points})
    _draw_net(left, field, residual, layers, ORANGE)
    _draw_net(right, field, ode, np.linspace(0, 4.8, 17), BLUE)
    left.set(title="residual net", ylabel="depth $t$")
    right.set(title="ODE net")
    return fig


def _draw_net(ax, field, curves, levels, colour):
    reach = 1.1 * max(np.abs(zs).max() for _, zs, _ in curves)
    Z, T = np.meshgrid(np.linspace(-reach, reach, 26), levels)
    dz = field(Z, T)
    ax.quiver(Z, T, dz, np.ones_like(dz), angles="xy", color="#B8B8B8", scale=40, width=2.6e-3, headwidth=4)
    for ts, zs, points in curves:
        ax.plot(zs, ts, color=colour, lw=1.1)
        ax.plot(*np.transpose(points), "o", mfc="white", mec=INK, mew=0.7, ms=3.2)
    ax.set(xlabel="state $z$: input below, output above", xlim=(-1.08 * reach, 1.08 * reach))


@rc_context(STYLE)
def orders(hs, errors):
    """The error at the end over the step, on logarithmic axes: a line for each method, whose slope is its order.

    errors  label -> the errors at hs, whose last is the shortest
    """
    fig = Figure(figsize=(6.5, 3.8))
    ax = fig.subplots()
    for (label, e), style in zip(errors.items(), cycle(STYLES), strict=False):
        ax.loglog(hs, e, ms=5, lw=1.2, **style)
        ax.text(hs[-1] * 0.92, e[-1], label, ha="right", va="center")
    ax.set(xlabel="step $h$", ylabel="error at $t_1$", xlim=(hs[-1] / 5, 1.6 * hs[0]))
    return fig


@rc_context(STYLE)
def spending(exact, equal, adaptive):
    """The same number of evaluations spent in equal steps of Euler, and where Dormand-Prince needs them.

    exact (t, z_1);  equal, adaptive (t, z_1, times at which f was evaluated)
    """
    fig = Figure(figsize=(10.5, 3.2))
    axes = fig.subplots(1, 3, sharey=True)
    low, high = np.min(exact[1]), np.max(exact[1])
    for ax in axes:
        ax.plot(*exact, color=INK, lw=1.2, label="exact")
        ax.set(xlabel="$t$", ylim=(low - 0.3 * (high - low), high + 0.15 * (high - low)))  # room for the ticks below
    axes[1].plot(*equal[:2], color=ORANGE, lw=1.6, ls=(0, (4, 1.2)), label="Euler")
    axes[2].plot(*adaptive[:2], "o", color=BLUE, ms=4, label="Dormand-Prince")
    for ax, times, colour in (axes[1], equal[2], ORANGE), (axes[2], adaptive[2], BLUE):
        in_panel = dict(transform=ax.get_xaxis_transform())  # heights as parts of the panel
        ax.vlines(times, 0.025, 0.085, color=colour, lw=0.5, snap=False, **in_panel)
        ax.text(times[0], 0.095, "evaluations of $f$", color=NOTE, fontsize=8.5, va="bottom", **in_panel)
        ax.legend(loc="upper center", fontsize=8.5)
    axes[0].set(ylabel="$z_1$", title="exact")
    axes[1].set(title=f"Euler, {len(equal[0]) - 1} equal steps")
    axes[2].set(title=f"Dormand-Prince, {len(adaptive[0]) - 1} steps")
    return fig


@rc_context(STYLE)
def attempts(ledger):
    """The length and the scaled error of every step that was tried, and which of them were rejected.

    ledger  [(t, h, err, accepted), ...]
    """
    fig = Figure(figsize=(7, 4.6))
    above, below = fig.subplots(2, 1, sharex=True)
    t, h, err, accepted = np.array(ledger).T
    for kind, style in (
        (accepted == 1, dict(color=BLUE, marker="o", ms=4, label="accepted")),
        (accepted == 0, dict(color=ORANGE, marker="x", ms=6, mew=1.5, ls="none", label="rejected")),
    ):
        above.semilogy(t[kind], h[kind], **dict(lw=0.8) | style)
        below.semilogy(t[kind], err[kind], **style | dict(ls="none"))
    above.set(ylabel="step $h$")
    above.legend(ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1), borderaxespad=0.1)
    below.axhline(1, color=GREY, lw=1)
    below.text(1, 1.2, "tolerance", ha="right", va="bottom", color=NOTE, transform=below.get_yaxis_transform())
    below.set(xlabel="$t$", ylabel="err")
    return fig


@rc_context(STYLE)
def stability(x, factors, runs):
    """Left: where in the plane of h lambda each method is stable; right: Euler outside, inside and well inside of it.

    x (n, m) complex;  factors: name -> |R(x)|;  runs: number of steps -> (ts, ys)
    """
    fig = Figure(figsize=(9.5, 3.8))
    left, right = fig.subplots(1, 2, width_ratios=(1, 1.4))
    for (name, factor), style, dash in zip(factors.items(), cycle(STYLES), cycle([":", "--", "-"]), strict=False):
        line = dict(colors=[style["color"]], linestyles=[dash], linewidths=1.8)
        left.contour(x.real, x.imag, factor, [1], **line)
        left.plot([], [], color=style["color"], ls=dash, lw=1.8, label=name)
    left.axhline(0, color=GREY, lw=0.6, zorder=0)
    left.axvline(0, color=GREY, lw=0.6, zorder=0)
    left.set(xlabel=r"Re $h\lambda$", ylabel=r"Im $h\lambda$", title="stable inside", aspect="equal")
    left.legend(loc="upper left", fontsize=8.5, borderaxespad=0)
    for (n, (ts, ys)), style in zip(runs.items(), cycle(STYLES), strict=False):
        right.plot(ts, ys, "-", ms=min(4, 200 / n), lw=0.9, label=f"$n = {n}$", **style)
    right.set(xlabel="$t$", ylabel="$y$", title=r"Euler on $y' = \lambda y$ with $n$ steps")
    right.legend(loc="lower left", ncols=3)
    return fig


# ---- the gallery, with odelearn's numbers


def _growing(z, t, theta):
    return theta[0] * z * np.cos(t)


def _layer(z, t, theta):
    return np.sin(1.3 * z + 2 * t) - 0.1 * z


def _van_der_pol(z, t, mu):
    return np.array([z[1], mu[0] * (1 - z[0] ** 2) * z[1] - z[0]])


def _watched(f, points):
    """f, which notes where it is asked."""

    def g(z, t, theta):
        points.append((z[0], t))
        return f(z, t, theta)

    return g


def _every_step(f, z0, t_end, n, theta):
    """n steps of Euler from 0 to t_end: the times, and the first component of the states there."""
    ts = np.linspace(0, t_end, n + 1)
    return ts, odesolve(z0, f, ts, theta, euler(n=1)).zs[:, 0]


def _polygons():
    ts, one = np.linspace(0, 5, 200), np.ones(1)
    paths = {f"{n} steps": _every_step(_growing, one, 5, n, one) for n in (5, 10, 40)}
    return polygons(lambda z, t: _growing(z, t, one), (ts, np.exp(np.sin(ts))), paths)


def _depth():
    fine, residual, ode = np.linspace(0, 5, 200), [], []
    for start in np.linspace(-4.5, 4.5, 11):
        at_layers, anywhere = [], []
        residual.append((*_every_step(_watched(_layer, at_layers), [start], 5, 5, None), at_layers))
        curve = odesolve([start], _watched(_layer, anywhere), [0, 5], None, bosh3(1e-2, 1e-2))
        ode.append((fine, curve(fine)[:, 0], anywhere))
    return depth(lambda z, t: _layer(z, t, None), residual, ode)


def _orders():
    ns, one = np.array([20, 40, 80, 160, 320, 640]), np.ones(1)
    errors = {}
    for name, make in {"Euler": euler, "midpoint": midpoint, "RK4": rk4}.items():
        ends = np.array([odesolve(one, _growing, [0, 5], one, make(n=n)).zs[-1, 0] for n in ns])
        e = abs(ends - np.exp(np.sin(5)))
        errors[f"{name}, slope {np.polyfit(np.log(5 / ns[-3:]), np.log(e[-3:]), 1)[0]:.2f}"] = e
    return orders(5 / ns, errors)


def _spending():
    z0, mu, asked, fine = np.array([2.0, 0.0]), np.array([3.0]), [], np.linspace(0, 10, 600)
    ours = odesolve(z0, _watched(_van_der_pol, asked), [0, 10], mu, dopri5(1e-3, 1e-3, first=0.01))
    ts, zs = [0, *[step.t_next for step in ours.steps]], [2, *[step.z_next[0] for step in ours.steps]]
    equal = _every_step(_van_der_pol, z0, 10, len(asked), mu)
    truth = odesolve(z0, _van_der_pol, fine, mu, dop853(1e-10, 1e-12))
    return spending((fine, truth.zs[:, 0]), (*equal, equal[0][:-1]), (ts, zs, [t for _, t in asked]))


def _attempts():
    ours = odesolve([2.0, 0.0], _van_der_pol, [0, 10], [3.0], dopri5(1e-3, 1e-3, first=0.01))
    return attempts(ours.ledger)


def _stability():
    x = np.linspace(-5.2, 1.6, 300)[None, :] + 1j * np.linspace(-4, 4, 300)[:, None]
    decay = lambda y, t, theta: -50 * y
    runs = {n: _every_step(decay, np.ones(1), 1, n, None) for n in (24, 26, 100)}
    return stability(x, {tableau.name: abs(_factor(tableau, x)) for tableau in (EULER, RK4, DOPRI5)}, runs)


def _factor(tableau, x):
    """What one step multiplies y by, for y' = lambda y and an array of x = h lambda."""
    k = []
    for row in tableau.A:
        k.append(x * (1 + sum(A_ij * k_j for A_ij, k_j in zip(row, k, strict=False))))
    return 1 + sum(b_i * k_i for b_i, k_i in zip(tableau.b, k, strict=True))


FIGURES = {
    "03_polygons.png": _polygons,
    "03_depth.png": _depth,
    "03_orders.png": _orders,
    "03_spending.png": _spending,
    "03_attempts.png": _attempts,
    "03_stability.png": _stability,
}
