"""Animated GIFs."""

import matplotlib
from matplotlib.animation import FuncAnimation, PillowWriter

from .style import STYLE


def film(fig, draw, frames, path, fps):
    """Write an animated GIF that runs for ever and rests for a second on its last frame.

    fig     the Figure, with everything on it that does not move, and room for what does: it is laid out once
    draw    draw(frame) changes fig to show that frame
    frames  a list of what draw is given, one after the other
    path    the name of the GIF
    fps     frames per second, a whole number
    Returns None. Raises OSError where the file cannot be written.
    """
    with matplotlib.rc_context(STYLE):
        fig.draw_without_rendering()
        fig.set_layout_engine("none")  # what was found now is kept: nothing jumps between frames
        frames = [*frames, *[frames[-1]] * fps]
        FuncAnimation(fig, draw, frames, cache_frame_data=False).save(path, PillowWriter(fps=fps), dpi=80)
