"""A room that is heated on several days, simulated: trials, two inputs, and a state that is not observed, the walls.

python -m odelearn.datasets.heated_room > odelearn/datasets/heated_room.csv       makes the file, the same bytes
"""

import os
import sys

import numpy as np

from ..solvers.odesolve import odesolve
from ..solvers.solver import rk4

HEATED_ROOM = os.path.join(os.path.dirname(__file__), "heated_room.csv")

AIR, WALLS = 0.5, 5.0  # kWh / K, what they store
AIR_TO_WALLS, AIR_TO_OUTSIDE, WALLS_TO_OUTSIDE = 0.5, 0.05, 0.08  # kW / K, what flows between them


def heated_room(rng, days=8, noise=0.1):
    """Measurements of a heated room, on several days, every half hour:

        AIR   dT/dt = AIR_TO_WALLS (W - T) + AIR_TO_OUTSIDE (o(t) - T) + q(t)
        WALLS dW/dt = AIR_TO_WALLS (T - W) + WALLS_TO_OUTSIDE (o(t) - W)

    T, the air of the room, is measured with noise; W, its walls, is not measured; o, the temperature outside, and q,
    the heating, are known.

    rng    a numpy Generator: it draws the weather, when it is heated, where a day begins, and the noise
    days   how many days, each of 15 or 18 hours
    noise  the standard deviation of what is measured, in degrees Celsius

    Returns a list of (ts, ys, us), one for each day: ts (T,) in hours of the day; ys (T, 1), the room in degrees
    Celsius; us (T, 2), outside in degrees Celsius and heating in kW. Between two times inputs are straight lines.

    >>> trials = heated_room(np.random.default_rng(0))
    >>> len(trials), [part.shape for part in trials[0]]
    (8, [(37,), (37, 1), (37, 2)])
    """
    trials = []
    for day in range(days):
        ts = 4.0 + np.arange(31 if day % 3 == 2 else 37) / 2
        outside = rng.uniform(-6, 8) + rng.uniform(2, 5) * np.sin(2 * np.pi * (ts - 9) / 24)
        heating = heated_hours(rng, ts)
        z0 = rng.uniform(14, 19) + np.array([0.0, rng.uniform(-2, 1)])
        f = lambda z, t, theta, us=(ts, outside, heating): field(z, t, *us)
        room = odesolve(z0, f, ts, solver=rk4(n=4)).zs[:, 0] + noise * rng.normal(size=len(ts))
        trials.append((ts, room[:, np.newaxis], np.column_stack([outside, heating])))
    return trials


def field(z, t, ts, outside, heating):
    T, W = z
    o, q = np.interp(t, ts, outside), np.interp(t, ts, heating)
    return np.array([
        (AIR_TO_WALLS * (W - T) + AIR_TO_OUTSIDE * (o - T) + q) / AIR,
        (AIR_TO_WALLS * (T - W) + WALLS_TO_OUTSIDE * (o - W)) / WALLS,
    ])  # fmt: skip


def heated_hours(rng, ts):
    """q (T,): from one to three times a day for some hours, with 1 to 2.5 kW."""
    q = np.zeros(len(ts))
    for _ in range(rng.integers(1, 4)):
        begin, hours = rng.uniform(5, 18), rng.uniform(1, 4)
        q[(ts >= begin) & (ts < begin + hours)] = rng.uniform(1, 2.5)
    return q


def as_csv(trials):
    """The text of the file, a row for each measurement."""
    lines = ["day,hour,outside,heating,room"]
    for day, (ts, ys, us) in enumerate(trials, start=1):
        for t, (room,), (outside, heating) in zip(ts, ys, us, strict=True):
            lines.append(f"{day},{t:g},{outside:.2f},{heating:.2f},{room:.2f}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(as_csv(heated_room(np.random.default_rng(2018))))
