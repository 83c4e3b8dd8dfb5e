"""The spirals: what was learned, as a figure and as a film."""

from matplotlib import rc_context

from .film import film
from .fit import draw_field
from .style import BLUE, GREY, INK, ORANGE, STYLE, Figure


@rc_context(STYLE)
def spiral_figure(zs, zs_true, curves, errors, cubic):
    """The linear spiral with what was learned of it and how fast; the cubic spiral in its learned field and over time.

    zs, zs_true  (T, 2): the observations, and the spiral without noise
    curves       {name of the solver: (m, 2), the spiral that was learned with it}; two solvers
    errors       {the same names: (steps + 1,), the error max |A_learned - A| after each step of Adam}
    cubic        has .ts (T,), .zs_true (T, 2), .zs (T, 2) learned, .error = mean |zs - zs_true|, .field(z) -> dz/dt
    Returns the Figure.
    """
    fig = Figure(figsize=(10.5, 8.2))
    (plane, learning), (cubic_plane, over_time) = fig.subplots(2, 2)
    draw_spiral(plane, zs, curves)
    plane.plot(*zs_true.T, color=INK, lw=0.8, ls=":", label="true")
    plane.set_title("dz/dt = A z: observations and learned spirals")
    plane.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8.5)
    draw_errors(learning, errors)
    learning.set_title("A, learned from random windows by the adjoint")
    draw_cubic_plane(cubic_plane, cubic)
    draw_cubic_over_time(over_time, cubic)
    return fig


SPIRAL_LINES = [{"color": ORANGE, "lw": 3.2, "alpha": 0.75}, {"color": BLUE, "lw": 1.4}]


def draw_spiral(ax, zs, curves):
    ax.plot(*zs.T, "o", color=GREY, ms=2.5, mew=0, label="observed")
    for (name, curve), line in zip(curves.items(), SPIRAL_LINES, strict=False):
        ax.plot(*curve.T, label=name, **line)
    ax.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal")


def draw_errors(ax, errors):
    for (name, error), line in zip(errors.items(), SPIRAL_LINES, strict=True):
        ax.semilogy(error, label=f"{name}: {error[-1]:.4f} at last", **line)
    ax.axhline(0.02, color=GREY, lw=0.8, ls="--")
    ax.text(0, 0.0205, "0.02", color="#555555", fontsize=8.5, va="bottom")
    ax.set(xlabel="steps of Adam", ylabel="max $|A_\\mathrm{learned} - A|$")
    ax.legend(loc="upper right", fontsize=8.5)


def draw_cubic_plane(ax, cubic):
    ax.plot(*cubic.zs_true.T, color=INK, lw=0.9, ls=":", label="true")
    ax.plot(*cubic.zs.T, color=BLUE, lw=1.4, label="learned by the network")
    ax.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal", title="dz/dt = $z^3$ A: learned field and spiral from $z_0$")
    draw_field(ax, cubic.field)


def draw_cubic_over_time(ax, cubic):
    ax.plot(cubic.ts, cubic.zs_true[:, 0], color=INK, lw=0.9, ls=":", label="true")
    ax.plot(cubic.ts, cubic.zs[:, 0], color=BLUE, lw=1.4, label="learned by the network")
    ax.set(xlabel="$t$", ylabel="$z_1$", title=f"over time: mean $|z - z_\\mathrm{{true}}|$ = {cubic.error:.3f}")
    ax.legend(loc="lower right", fontsize=8.5)


@rc_context(STYLE)
def spiral_film(zs, steps, films, errors, path):
    """Write a GIF of the learning: a panel for each solver, with the spiral that it has learned so far.

    zs      (T, 2): the observations
    steps   the numbers of the steps of Adam that are shown, a frame for each
    films   {name of the solver: the curves (m, 2) learned after each of steps}; two solvers
    errors  {name of the solver: (number of all steps + 1,), the error max |A_learned - A| after each step}
    path    the name of the GIF
    Returns None. Raises OSError where the file cannot be written.
    """
    fig = Figure(figsize=(7.2, 3.9))
    panels = []
    for ax, name, line in zip(fig.subplots(1, 2), films, SPIRAL_LINES, strict=True):
        draw_spiral(ax, zs, {})
        ax.set(xlim=(-0.75, 0.75), ylim=(-0.75, 0.75), xticks=(-0.5, 0, 0.5), yticks=(-0.5, 0, 0.5), title="\n")
        panels.append((name, ax, *ax.plot([], [], **line)))

    def draw(frame):
        step = steps[frame]
        for name, ax, line in panels:
            line.set_data(*films[name][frame].T)
            ax.set_title(f"{name}, step {step}\nmax $|A_\\mathrm{{learned}} - A|$ = {errors[name][step]:.3f}")

    film(fig, draw, range(len(steps)), path, fps=8)
