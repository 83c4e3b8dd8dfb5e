"""Known fields and what was learned of them: where it is wrong, how it extrapolates, the parameters, the energy."""

import numpy as np
from matplotlib import rc_context
from matplotlib.colors import LogNorm

from .style import BLUE, GREY, INK, ORANGE, STYLE, Figure

ERRORS = LogNorm(1e-3, 1)  # of the heat maps, one scale for all


@rc_context(STYLE)
def fields_figure(results, true, ts, known):
    """A row for each field: the true field with the data, the error of a net and of the form, trajectories, parameters.

    results  {method: result} with FIELD-net and FIELD-form for every field
    true     {name of the field: (G, G, 2), the true dz/dt on the grid of its box}
    ts       (T,), the times of the trajectories of the test
    known    the time up to which trajectories were observed
    Returns the Figure.
    """
    fig = Figure(figsize=(15, 3.5 * len(true)))
    grid = fig.add_gridspec(len(true), 5, width_ratios=(1, 1, 1, 1.35, 0.8))
    for row, (name, slopes) in enumerate(true.items()):
        axes = [fig.add_subplot(grid[row, column]) for column in range(5)]
        net, form = results[f"{name}-net"], results[f"{name}-form"]
        draw_true_field(axes[0], net, slopes)
        axes[0].set_title(f"{name}: true, observed")
        image = draw_error(axes[1], net, net["observed"])
        axes[1].set_title(f"error of the net: median {100 * net['field_error']:.2g} %")
        draw_error(axes[2], form, net["observed"])
        axes[2].set_title(f"of the fitted form: {100 * form['field_error']:.2g} %")
        fig.colorbar(image, ax=axes[2], label="relative error of the field", shrink=0.85)
        draw_paths(axes[3], net, ts, known)
        draw_parameters(axes[4], form)
    return fig


def draw_true_field(ax, result, slopes):
    observed, ((left, right), (bottom, top)) = np.array(result["observed"]), result["box"]
    ax.plot(*observed.reshape(-1, 2).T, ".", color=ORANGE, ms=2.5, mew=0)
    xs, ys = np.linspace(left, right, slopes.shape[1]), np.linspace(bottom, top, slopes.shape[0])
    ax.streamplot(xs, ys, slopes[..., 0], slopes[..., 1], color=INK, linewidth=0.6, arrowsize=0.7, density=0.8)
    ax.set(xlabel="$z_1$", ylabel="$z_2$", xlim=(left, right), ylim=(bottom, top))


def draw_error(ax, result, observed):
    """The heat map of |learned - true| over the box, with the trajectories that were observed there."""
    observed, ((left, right), (bottom, top)) = np.array(observed), result["box"]
    options = {"origin": "lower", "extent": (left, right, bottom, top), "aspect": "auto", "cmap": "magma"}
    error = np.maximum(result["heat"], ERRORS.vmin)  # what is rounded to 0 has a colour too
    image = ax.imshow(error, norm=ERRORS, interpolation="nearest", **options)
    ax.plot(observed[..., 0], observed[..., 1], color="white", lw=0.35, alpha=0.5)
    ax.set(xlabel="$z_1$", xlim=(left, right), ylim=(bottom, top))
    return image


def draw_paths(ax, result, ts, known):
    """The first component of three trajectories of the test: true, and by the net from the same starts."""
    paths, true = np.array(result["paths"]), np.array(result["paths_true"])
    ax.axvspan(known, ts[-1], color="#EFEFEF", lw=0)
    for i, color in enumerate((BLUE, ORANGE, "#009E73")):
        ax.plot(ts, true[:, i], color=INK, lw=0.9, ls=":", zorder=3, label="true" if i == 0 else None)
        ax.plot(ts, paths[:, i], color=color, lw=1.6, alpha=0.8, label="net" if i == 0 else None)
    ax.text(known, 1.0, " extrapolated", transform=ax.get_xaxis_transform(), va="top", fontsize=8.5, color="#555555")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 0.98), ncols=2, fontsize=8.5, borderaxespad=0.1)
    ax.set(xlabel="$t$", ylabel="$z_1$", xlim=(ts[0], ts[-1]))
    ax.margins(y=0.12)


def draw_parameters(ax, result):
    """Recovered minus true, with two standard errors to both sides."""
    error, bars = 1000 * np.subtract(result["theta"], result["true"]), 2000 * np.array(result["standard_errors"])
    places = np.arange(len(error))[::-1]
    ax.axvline(0, color=GREY, lw=0.8)
    ax.errorbar(error, places, xerr=bars, fmt="o", color=BLUE, ms=4, capsize=2, lw=1)
    ax.set(yticks=places, yticklabels=[symbol(name) for name in result["names"]], ylim=(-0.7, len(error) - 0.3))
    ax.set(xlabel="1000 (recovered - true)", title="parameters, $\\pm 2$ s.e.")
    ax.locator_params(axis="x", nbins=4)


def symbol(name):
    """alpha or A_11, as mathematics."""
    letter, _, index = name.partition("_")
    letter = f"\\{letter}" if len(letter) > 1 else letter
    return f"${letter}_{{{index}}}$" if index else f"${letter}$"


KINDS = {"energy-net": ("plain net", ORANGE), "energy-hamiltonian": ("Hamiltonian net", BLUE)}


@rc_context(STYLE)
def energy_figure(results, ts):
    """The energy of a pendulum over 100 time units, by a plain and by a Hamiltonian net, and both in the phase plane.

    results  {method: result} with energy-net and energy-hamiltonian
    ts       (m,), the times of the energies
    Returns the Figure.
    """
    fig = Figure(figsize=(11, 3.9))
    over_time, *planes = fig.subplots(1, 3, width_ratios=(1.5, 1, 1))
    for method, (label, color) in KINDS.items():
        energies = np.array(results[method]["energies"])  # (m, starts)
        over_time.plot(ts, energies[:, 0], color=color, lw=1.2, label=label)
        over_time.plot(ts, energies[:, 1:], color=color, lw=0.7, alpha=0.6)
    over_time.set(
        xlabel="$t$", ylabel="true energy $p^2 / 2 + 1 - \\cos q$", title="eight starts, learned from $t < 10$"
    )
    over_time.legend(loc="lower left", bbox_to_anchor=(0, 1.07), ncols=2, borderaxespad=0)
    for ax, (method, (label, color)) in zip(planes, KINDS.items(), strict=True):
        path = np.array(results[method]["path"])
        ax.plot(*path.T, color=color, lw=0.5)
        ax.set(xlabel="$q$", ylabel="$p$", title=f"{label}: drift {results[method]['drift']:.2g}")
    limits = [max(np.abs(results[method]["path"]).max(axis=0)[i] for method in KINDS) * 1.08 for i in (0, 1)]
    for ax in planes:
        ax.set(xlim=(-limits[0], limits[0]), ylim=(-limits[1], limits[1]))
    return fig
