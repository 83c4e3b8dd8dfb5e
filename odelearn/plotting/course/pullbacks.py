"""The figures of notebook 02 Value and pullback."""

from matplotlib import rc_context

from ..style import BLUE, GREY, INK, ORANGE, STYLE, Figure

NOTE = "#555555"
ARROW = dict(arrowstyle="-|>", lw=1.4, shrinkA=0, shrinkB=0)
BACK = ARROW | dict(color=ORANGE, ls="--")


@rc_context(STYLE)
def way_back(values, layers):
    """A network forwards, its pullback backwards below it, and what each layer remembers between the two.

    values  names in TeX, the input first
    layers  (name in TeX, [names of its parameters]) between each of the values and the next
    Returns the Figure.
    """
    fig = Figure(figsize=(9, 2.3))
    ax = fig.subplots()
    for i, name in enumerate(values):
        ax.text(3 * i, 1, f"${name}$", ha="center", va="center", fontsize=12, color=INK)
        ax.text(3 * i, 0, f"$a_{{{name}}}$", ha="center", va="center", fontsize=12, color=ORANGE)
    for i, (name, parameters) in enumerate(layers):
        _arrow(ax, (3 * i + 0.7, 1), (3 * i + 2.3, 1), ARROW | dict(color=BLUE))
        _arrow(ax, (3 * i + 2.3, 0), (3 * i + 0.7, 0), BACK)
        _arrow(ax, (3 * i + 1.5, 0.88), (3 * i + 1.5, 0.12), ARROW | dict(color=GREY, ls=":"))
        ax.text(3 * i + 1.5, 1.2, f"${name}$", ha="center", color=BLUE)
        also = ", ".join(f"$a_{{{parameter}}}$" for parameter in parameters)
        ax.text(3 * i + 1.5, -0.42, "pullback" + (also and f", and {also}"), ha="center", color=ORANGE)
        ax.text(3 * i + 1.6, 0.5, "remembered", color=NOTE, va="center", fontsize=9)
    ax.text(-0.6, 1, "value", ha="right", va="center", color=NOTE)
    ax.text(-0.6, 0, "cotangent", ha="right", va="center", color=NOTE)
    ax.set(xlim=(-1.7, 3 * len(layers) + 0.7), ylim=(-0.6, 1.5))
    ax.axis("off")
    return fig


def _arrow(ax, start, end, style):
    ax.annotate("", end, start, arrowprops=style)


@rc_context(STYLE)
def tape(nodes, shares):
    """The operations of a tape from left to right, and below them the shares of the cotangent that go back.

    nodes   (name in TeX, value) of each, in the order of the tape; the last one is the loss
    shares  (sender, receiver, share) by the numbers of the nodes, in the order in which they are sent
    Returns the Figure.
    """
    fig = Figure(figsize=(9, 3.5))
    ax = fig.subplots()
    total = {len(nodes) - 1: 1.0}
    for order, (sender, receiver, share) in enumerate(shares, 1):
        total[receiver] = total.get(receiver, 0.0) + share
        _arc(ax, receiver, sender, color=BLUE)
        _arc(ax, sender, receiver, color=ORANGE, ls="--")
        place = 1.4 * sender + 1.6 * receiver, -BEND * 1.5 * (sender - receiver)  # on the arc, a little past its middle
        box = dict(facecolor="white", edgecolor="none", pad=0.3)
        ax.text(*place, f"share {order}: {share:g}", ha="center", va="center", color=ORANGE, bbox=box)
    for i, (name, value) in enumerate(nodes):
        ax.plot(3 * i, 0, "o", ms=30, mfc="white", mec=INK)
        ax.text(3 * i, 0, f"{value:g}", ha="center", va="center", fontsize=12)
        ax.text(3 * i, 0.5, f"{i}: ${name}$", ha="center", va="bottom")
        ax.text(3 * i + 0.1, -0.5, f"$a_{i} = {total.get(i, 0.0):g}$", ha="center", va="top", color=ORANGE)
    ax.text(-1, 1.8, "forwards: what each value is made of", va="top", color=BLUE)
    ax.text(-1, -1.8, "backwards: shares of the cotangent", color=ORANGE)
    ax.set(xlim=(-1, 3 * len(nodes) - 2), ylim=(-1.9, 1.9), aspect="equal")
    ax.axis("off")
    return fig


BEND = 0.36  # how much an arc is bent: its middle is BEND / 2 of its length away from the line


def _arc(ax, start, end, **style):
    bent = dict(connectionstyle=f"arc3,rad={-BEND}", shrinkA=17, shrinkB=17)
    _arrow(ax, (3 * start, 0), (3 * end, 0), ARROW | bent | style)
