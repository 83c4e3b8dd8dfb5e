"""The figures of notebook 10 A field from noisy data."""

import numpy as np
from matplotlib import rc_context
from matplotlib.colors import LogNorm

from ..style import BLUE, GREEN, GREY, INK, ORANGE, STYLE, Figure

COLOURS = (BLUE, ORANGE, GREEN)


@rc_context(STYLE)
def where_it_is_wrong(box, true, observed, errors):
    """The true field with the observations on it, and heat maps of relative errors.

    box       ((left, right), (bottom, top))
    true      (G, G, 2), the true dz/dt on a grid of the box, rows from bottom to top
    observed  (T, n, 2), the noisy trajectories
    errors    {what was learned: (G, G), |learned - true| over the root mean square of the true field}
    Returns the Figure.
    """
    fig = Figure(figsize=(4 * (1 + len(errors)), 3.8))
    first, *others = fig.subplots(1, 1 + len(errors))
    (left, right), (bottom, top) = box
    x, y = np.linspace(left, right, true.shape[1]), np.linspace(bottom, top, true.shape[0])
    first.streamplot(x, y, *true.transpose(2, 0, 1), color=INK, linewidth=0.6, arrowsize=0.7, density=0.9)
    first.plot(*observed.reshape(-1, 2).T, ".", color=ORANGE, ms=3, mew=0)
    first.set(xlabel="$z_1$", ylabel="$z_2$", title="true field, observations", xlim=box[0], ylim=box[1])
    for ax, (label, error) in zip(others, errors.items(), strict=True):
        options = {"origin": "lower", "extent": (left, right, bottom, top), "aspect": "auto", "cmap": "magma"}
        image = ax.imshow(np.maximum(error, 1e-3), norm=LogNorm(1e-3, 1), **options)
        ax.plot(observed[..., 0], observed[..., 1], color="white", lw=0.35, alpha=0.5)
        ax.set(xlabel="$z_1$", title=f"error of {label}", xlim=box[0], ylim=box[1])
    fig.colorbar(image, ax=others[-1], label="relative error of the field")
    return fig


@rc_context(STYLE)
def beyond(ts, true, learned, known):
    """The first component of trajectories that were not learned from, as far as data went and on.

    ts       (T,)
    true     (T, n, 2), from at most three starts
    learned  {what was learned: (T, n, 2)}
    known    the time up to which there were observations
    Returns the Figure.
    """
    fig = Figure(figsize=(5 * len(learned), 3.3))
    axes = np.atleast_1d(fig.subplots(1, len(learned), sharey=True))
    for ax, (label, zs) in zip(axes, learned.items(), strict=True):
        ax.axvspan(known, ts[-1], color="#EFEFEF", lw=0)
        for i, colour in zip(range(true.shape[1]), COLOURS, strict=False):
            ax.plot(ts, zs[:, i, 0], color=colour, lw=1.7, alpha=0.8)
            ax.plot(ts, true[:, i, 0], color=INK, lw=0.9, ls=":", label="true" if i == 0 else None)
        ax.set(xlabel="$t$", ylabel="$z_1$", title=f"{label}; beyond the data in grey", xlim=(ts[0], ts[-1]))
        ax.legend(loc="upper left", fontsize=8.5)
    return fig


@rc_context(STYLE)
def parameters(names, true, theta, errors):
    """Recovered minus true parameters, with two standard errors to both sides.

    names, true, theta, errors  (P,) each
    Returns the Figure.
    """
    fig = Figure(figsize=(5, 0.3 * len(names) + 1))
    ax = fig.subplots()
    places = np.arange(len(names))[::-1]
    ax.axvline(0, color=GREY, lw=0.8)
    ax.errorbar(
        np.subtract(theta, true), places, xerr=2 * np.asarray(errors), fmt="o", color=BLUE, ms=4, capsize=2, lw=1
    )
    ax.set(yticks=places, yticklabels=names, xlabel="recovered - true, with 2 standard errors", ylabel="parameter")
    return fig


@rc_context(STYLE)
def energy(ts, energies, paths):
    """The true energy along learned fields, and their paths in the phase plane.

    ts        (T,)
    energies  {what was learned: (T, n), a column for each start}
    paths     {what was learned: (T, 2), one path}
    Returns the Figure.
    """
    fig = Figure(figsize=(11, 3.6))
    over_time, *planes = fig.subplots(1, 1 + len(paths), width_ratios=(1.5, *[1] * len(paths)))
    limits = 1.08 * np.max([np.abs(path).max(axis=0) for path in paths.values()], axis=0)
    for ax, colour, (label, path) in zip(planes, (ORANGE, BLUE), paths.items(), strict=True):
        over_time.plot(ts, energies[label], color=colour, lw=0.9)
        over_time.plot([], [], color=colour, label=label)  # one entry of the legend for all its lines
        ax.plot(*path.T, color=colour, lw=0.5)
        ax.set(xlabel="$q$", ylabel="$p$", title=label, xlim=(-limits[0], limits[0]), ylim=(-limits[1], limits[1]))
    over_time.set(xlabel="$t$", ylabel="true energy $p^2 / 2 + 1 - \\cos q$")
    over_time.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
    return fig
