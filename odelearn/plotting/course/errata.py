"""The figures of notebook 06 Errata."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from ...dynamics import Dynamics
from ...gradients.appendix_b import da_aug_dt
from ...solvers.odesolve import odesolve
from ...solvers.solver import dop853, euler, rk4
from ...verify.gradient_check import complex_step
from ...verify.order import observed_order
from ..style import BLUE, GREY, INK, ORANGE, SKY, STYLE


def boundary_terms(versions, minus_H, ts, dL_dt0):
    """a_t solved back with the right boundary terms, without them, and with the wrong sign: only one of them is -H.

    versions  three lists of pairs t, a_t, one pair for each interval: right, dropped, wrong sign
    minus_H   a list of pairs t, -a f; dL_dt0: the true one
    """
    lines = [
        (BLUE, "-", 3, "right: $a_t(t_N) = -dL/dt_N$"),
        (ORANGE, "--", 1.8, "dropped: 0"),
        (SKY, "-.", 1.8, "wrong sign: $+dL/dt_N$"),
    ]
    with matplotlib.rc_context(STYLE):
        fig = Figure(figsize=(7.6, 4))
        ax = fig.subplots()
        for pieces, (colour, dash, width, label) in zip(versions, lines, strict=True):
            for i, piece in enumerate(pieces):
                ax.plot(*piece, dash, color=colour, lw=width, label="_" * (i > 0) + label)
        for i, piece in enumerate(minus_H):
            ax.plot(*piece, "o", color=INK, ms=3, label="_" * (i > 0) + "$-H = -a f$", zorder=4)
        ax.plot(ts[0], dL_dt0, "*", color=INK, ms=14, label="the true $dL/dt_0$", zorder=5)
        ax.axhline(0, color=GREY, lw=0.6, zorder=0)
        ax.set(xlabel="$t$  (solved from right to left)", ylabel="$a_t$", xticks=ts)
        ax.set_xticklabels([f"$t_{i}$" for i in range(len(ts))])
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


def one_too_many(n, errors):
    """The error of dL/dtheta over the number of steps, for n steps in each interval and for one more than that.

    errors  {("RK4" or "Euler", 0 or 1 step more): the error for each n}
    """
    beside = {("RK4", 1): 3, ("Euler", 1): 1, ("Euler", 0): 0.3, ("RK4", 0): 1}  # where the label stands
    with matplotlib.rc_context(STYLE):
        fig = Figure(figsize=(6.8, 3.9))
        ax = fig.subplots()
        for (name, extra), points in errors.items():
            marker, dash = "s" if name == "Euler" else "o", "--" if extra else "-"
            ax.loglog(n, points, marker + dash, color=ORANGE if extra else BLUE, ms=5, lw=1.3)
            label = f"{name}, $n{'+1' if extra else ''}$ steps: order {observed_order(points[-2:]):.1f}"
            place = (1.45 * n[-1], points[-1] * beside[name, extra])
            line = dict(arrowstyle="-", color=GREY, lw=0.8, shrinkA=2, shrinkB=5)
            ax.annotate(label, (n[-1], points[-1]), place, va="center", arrowprops=line)
        ax.set(xlabel="steps $n$ in an interval", ylabel=r"error of $dL/d\theta$", xlim=(0.9 * n[0], 6.5 * n[-1]))
        ax.set(xticks=n, xticklabels=n)
        ax.minorticks_off()
    return fig


def evidence_bound(sigma, minus_KL, plus_KL, log_evidence, best):
    """The ELBO over sigma of q, right and with the sign of KL turned: the right one touches log p(x) at `best`."""
    with matplotlib.rc_context(STYLE):
        fig = Figure(figsize=(6.5, 3.6))
        ax = fig.subplots()
        ax.semilogx(sigma, minus_KL, "-", color=BLUE, lw=1.8)
        ax.semilogx(sigma, plus_KL, "--", color=ORANGE, lw=1.8)
        ax.text(0.02, -5.1, "minus KL", color=BLUE)
        ax.text(0.02, 4.0, "plus KL", color=ORANGE)
        ax.axhline(log_evidence, color=INK, lw=1)
        ax.text(sigma[0], log_evidence + 0.15, r"$\log p(x)$")
        ax.plot(best, log_evidence, "o", color=INK, ms=5)
        line = dict(arrowstyle="-", color="#666666")
        ax.annotate("the posterior", (best, log_evidence), (0.13, -4.2), arrowprops=line)
        ax.set(xlabel=r"$\sigma$ of $q$", ylabel="ELBO", ylim=(-8, 5))
    return fig


# ---- the same with odelearn's numbers: dz/dt = theta z cos t, two rows, L = sum z(t_1)^2 + 3 z(t_2)


f = Dynamics(lambda z, t, theta: theta[0] * z * np.cos(t))
Z0, TS, THETA = np.array([[1.3], [0.8]]), np.array([0.2, 0.9, 1.7]), np.array([0.7])


def states(ts, theta):
    return np.stack([Z0 * np.exp(theta[0] * (np.sin(t) - np.sin(ts[0]))) for t in ts])


def loss(ts, theta):
    zs = states(ts, theta)
    return np.sum(zs[1] ** 2) + 3 * np.sum(zs[2])


def algorithm2(solver, boundary=-1, beyond=0.0):
    """s = [z, a, a_theta, a_t], shape (6,), solved back: one Trajectory for each interval, the last interval first.

    boundary, beyond  the slips: the sign of the boundary terms; the part of an interval by which a solve goes too far
    """

    def aug_dynamics(s, t, _):
        z, a = s[:2].reshape(2, 1), s[2:4].reshape(2, 1)
        return np.concatenate([np.ravel(part) for part in (f(z, t, THETA), *da_aug_dt(a, z, THETA, t, f))])

    zs, s, pieces = states(TS, THETA), np.zeros(6), []
    for i, dL_dz in (2, np.full((2, 1), 3.0)), (1, 2 * zs[1]):
        s[:2] = zs[i].ravel()
        s[2:4] += dL_dz.ravel()
        s[5] += boundary * np.sum(dL_dz * f(zs[i], TS[i], THETA))
        end = TS[i - 1] + beyond * (TS[i - 1] - TS[i])
        pieces.append(odesolve(s, aug_dynamics, (TS[i], end), None, solver))
        s = pieces[-1].zs[-1].copy()
    return pieces


def boundary_terms_by_odelearn():
    solved = [algorithm2(dop853(1e-9, 1e-11), boundary) for boundary in (-1, 0, +1)]
    curve = lambda piece, n: (t := np.linspace(*piece.ts, n), piece(t))
    versions = [[(t, s[:, 5]) for t, s in (curve(piece, 60) for piece in pieces)] for pieces in solved]
    minus_H = []
    for t, s in (curve(piece, 12) for piece in solved[0]):
        minus_H.append((t, [-s_i[2:4] @ f(s_i[:2], t_i, THETA) for t_i, s_i in zip(t, s, strict=True)]))
    return boundary_terms(versions, minus_H, TS, complex_step(lambda ts: loss(ts, THETA), TS)[0])


def one_too_many_by_odelearn():
    n, errors = np.array([10, 20, 40, 80]), {}
    truth = complex_step(lambda theta: loss(TS, theta), THETA)[0]
    for (name, solver), extra in ((x, extra) for x in (("RK4", rk4), ("Euler", euler)) for extra in (0, 1)):
        a_theta = [algorithm2(solver(n=int(k) + extra), beyond=extra / k)[-1].zs[-1, 4] for k in n]
        errors[name, extra] = np.abs(np.array(a_theta) - truth)
    return one_too_many(n, errors)


def evidence_bound_by_odelearn():
    """On paper: prior N(0, 1), x = 1.2 of N(z, s^2) with s = 0.5; q has the posterior's mean."""
    x, s, sigma = 1.2, 0.5, np.geomspace(0.002, 2, 200)
    mu, best = x / (1 + s**2), s / np.sqrt(1 + s**2)
    expected = -0.5 * np.log(2 * np.pi * s**2) - ((x - mu) ** 2 + sigma**2) / (2 * s**2)
    KL = 0.5 * (mu**2 + sigma**2 - 1) - np.log(sigma)
    log_evidence = -0.5 * np.log(2 * np.pi * (1 + s**2)) - x**2 / (2 * (1 + s**2))
    return evidence_bound(sigma, expected - KL, expected + KL, log_evidence, best)


FIGURES = {
    "06_boundary_terms.png": boundary_terms_by_odelearn,
    "06_one_too_many.png": one_too_many_by_odelearn,
    "06_evidence_bound.png": evidence_bound_by_odelearn,
}
