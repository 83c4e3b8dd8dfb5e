"""The figures of notebook 11 Normalizing flows."""

from matplotlib import rc_context

from ..style import BLUE, GREY, INK, ORANGE, STYLE, Figure


@rc_context(STYLE)
def estimator(draws, trace):
    """Histograms of Hutchinson's estimates for two kinds of noise, and the trace.

    draws  {name of the noise: estimates (n,)}, two of them
    trace  what they estimate
    Returns the Figure.
    """
    fig = Figure(figsize=(6.5, 2.6))
    ax = fig.subplots()
    for (name, values), color in zip(draws.items(), (BLUE, ORANGE), strict=True):
        ax.hist(values, 80, range=(trace - 6, trace + 6), density=True, color=color, alpha=0.5, label=name)
    ax.axvline(trace, color=INK, lw=1, label="trace")
    ax.set(xlabel=r"$\varepsilon^T J \varepsilon$", ylabel="density")
    ax.legend()
    return fig


@rc_context(STYLE)
def matched(target, clouds):
    """A density that was to be matched, then points of the flows that were trained for it.

    target  (extent, density (n, n)) of the square [-extent, extent]^2
    clouds  {title: points (n, 2)}
    Returns the Figure.
    """
    half, density = target
    fig = Figure(figsize=(3 * (1 + len(clouds)), 3.1))
    first, *others = fig.subplots(1, 1 + len(clouds), sharex=True, sharey=True)
    first.imshow(density, origin="lower", extent=(-half, half, -half, half), cmap="Blues")
    first.set(title="$e^{-U}$", xlabel="$z_1$", ylabel="$z_2$")
    for ax, (title, points) in zip(others, clouds.items(), strict=True):
        ax.plot(*points.T, ".", color=BLUE, ms=1.5, alpha=0.4)
        ax.set(title=title, xlabel="$z_1$", aspect="equal", xlim=(-half, half), ylim=(-half, half))
    return fig


@rc_context(STYLE)
def samples(paths, ts, data):
    """Points on their way from noise to data, and the data.

    paths  (T, n, 2), at the times ts (T,)
    data   (m, 2)
    Returns the Figure.
    """
    fig = Figure(figsize=(2.2 * (len(ts) + 1), 2.5))
    axes = fig.subplots(1, len(ts) + 1, sharex=True, sharey=True)
    for ax, points, t in zip(axes, paths, ts, strict=False):
        ax.plot(*points.T, ".", color=BLUE, ms=2, alpha=0.6)
        ax.set(title=f"t = {t:g}", xlabel="$z_1$")
    axes[-1].plot(*data.T, ".", color=GREY, ms=2, alpha=0.6)
    axes[-1].set(title="data", xlabel="$x_1$")
    axes[0].set(ylabel="$z_2$", xlim=(-2.7, 2.7), ylim=(-2.7, 2.7))
    return fig
