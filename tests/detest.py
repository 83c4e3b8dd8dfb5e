"""The 25 non-stiff problems of DETEST, all over [0, 20]: A single equations, B small systems, C moderate systems,
D orbits, E equations of higher order.

Hull, Enright, Fellen, Sedgwick, Comparing numerical methods for ordinary differential equations, SIAM J. Numer. Anal. 9
(1972) 603-637. Where a solution in closed form is known, it is here; ENDS has the values at t = 20 of the others, from
Enright, Pryce, Two FORTRAN packages for assessing initial value methods, ACM TOMS 13 (1987) 1-27 and 28-34.
"""

import numpy as np
from problems import Problem
from scipy.special import ellipj

TS = np.array([0.0, 20.0])


def problem(name, f, z0, exact=None):
    return Problem(name, lambda y, t, theta: f(y, t), np.atleast_1d(np.array(z0, float)), TS, None, exact)


def linear(name, A, z0, exact=None):
    """y' = A y. If A is symmetric, exp(A t) z0 by its eigenvectors."""
    if exact is None:
        rates, V = np.linalg.eigh(A)
        exact = lambda t: V @ (np.exp(rates * t) * (V.T @ z0))
    return problem(name, lambda y, t: A @ y, z0, exact)


# ---- A


def a4(t):
    return np.array([20 / (1 + 19 * np.exp(-t / 4))])


A = [
    problem("A1", lambda y, t: -y, 1, lambda t: np.exp([-t])),
    problem("A2", lambda y, t: -(y**3) / 2, 1, lambda t: np.array([1 / np.sqrt(1 + t)])),
    problem("A3", lambda y, t: y * np.cos(t), 1, lambda t: np.exp([np.sin(t)])),
    problem("A4", lambda y, t: y / 4 * (1 - y / 20), 1, a4),
    problem("A5", lambda y, t: (y - t) / (y + t), 4),
]


# ---- B


def torus(y, t):
    r = np.hypot(y[0], y[1])
    return np.array([-y[1] - y[0] * y[2] / r, y[0] - y[1] * y[2] / r, y[0] / r])


CHAIN = np.diag([-1.0, -2.0, -1.0]) + np.diag([1.0, 1.0], 1) + np.diag([1.0, 1.0], -1)

B = [
    problem("B1", lambda y, t: np.array([2 * (y[0] - y[0] * y[1]), -(y[1] - y[0] * y[1])]), [1, 3]),
    linear("B2", CHAIN, np.array([2.0, 0.0, 1.0])),
    problem("B3", lambda y, t: np.array([-y[0], y[0] - y[1] ** 2, y[1] ** 2]), [1, 0, 0]),
    problem("B4", torus, [3, 0, 0]),
    problem(
        "B5",
        lambda y, t: np.array([y[1] * y[2], -y[0] * y[2], -0.51 * y[0] * y[1]]),
        [0, 1, 1],
        lambda t: np.array(ellipj(t, 0.51)[:3]),  # sn, cn, dn
    ),
]


# ---- C


def first(n):
    return np.eye(n)[0]


def decay_chain(rates):
    """Each of ten substances decays into the next; the last one stays."""
    return np.diag(-np.append(rates, 0.0)) + np.diag(rates, -1)


def c1(t):
    y = np.exp(-t) * np.cumprod([1, *(t / np.arange(1, 9))])  # as of a Poisson process
    return np.append(y, 1 - y.sum())


def c2(t):
    y = np.exp(-t) * (1 - np.exp(-t)) ** np.arange(9)  # as of a Yule process
    return np.append(y, 1 - y.sum())


def diffusion(n):
    return np.diag(np.full(n, -2.0)) + np.diag(np.ones(n - 1), 1) + np.diag(np.ones(n - 1), -1)


K2, SUN = 2.95912208286, 1.00000597682  # time in units of 100 days
PLANETS = np.array([0.000954786104043, 0.000285583733151, 0.0000437273164546, 0.0000517759138449, 2.77777777778e-6])
# fmt: off
SKY = np.array([  # position and velocity around the sun of Jupiter, Saturn, Uranus, Neptune and Pluto
    [  3.42947415189,   3.35386959711,   1.35494901715, -0.557160570446,   0.505696783289,   0.230578543901 ],
    [  6.64145542550,   5.97156957878,   2.18231499728, -0.415570776342,   0.365682722812,   0.169143213293 ],
    [ 11.2630437207,   14.6952576794,    6.27960525067, -0.325325669158,   0.189706021964,   0.0877265322780],
    [-30.1552268759,    1.65699966404,   1.43785752721, -0.0240476254170, -0.287659532608,  -0.117219543175 ],
    [-21.1238353380,   28.4465098142,   15.3882659679,  -0.176860753121,  -0.216393453025,  -0.0148647893090],
])
# fmt: on


def five_bodies(y, t):
    """The five outer planets: the pull of the sun, of each other, and what the others do to the sun."""
    x, v = y.reshape(2, 5, 3)
    r3 = np.sum(x * x, axis=1) ** 1.5
    apart = x[None, :] - x[:, None]  # from j to k
    d3 = np.sum(apart * apart, axis=2) ** 1.5 + np.eye(5)
    others = PLANETS[:, None] * (apart / d3[..., None] - (x / r3[:, None])[None, :])
    others[np.arange(5), np.arange(5)] = 0
    pull = -(SUN + PLANETS)[:, None] * x / r3[:, None] + others.sum(axis=1)
    return np.concatenate([v, K2 * pull]).reshape(-1)


C = [
    linear("C1", decay_chain(np.ones(9)), first(10), c1),
    linear("C2", decay_chain(np.arange(1.0, 10.0)), first(10), c2),
    linear("C3", diffusion(10), first(10)),
    linear("C4", diffusion(51), first(51)),
    problem("C5", five_bodies, np.concatenate([SKY[:, :3], SKY[:, 3:]]).reshape(-1)),
]


# ---- D


def orbit(name, e):
    """Kepler's problem from the perihelion, with eccentricity e."""

    def f(y, t):
        r3 = (y[0] ** 2 + y[1] ** 2) ** 1.5
        return np.array([y[2], y[3], -y[0] / r3, -y[1] / r3])

    def exact(t):
        E = t + 0.85 * e * np.sign(np.sin(t))  # Kepler's equation E - e sin E = t, by Newton's method
        for _ in range(30):
            E -= (E - e * np.sin(E) - t) / (1 - e * np.cos(E))
        b, r = np.sqrt(1 - e * e), 1 - e * np.cos(E)
        return np.array([np.cos(E) - e, b * np.sin(E), -np.sin(E) / r, b * np.cos(E) / r])

    return problem(name, f, [1 - e, 0, 0, np.sqrt((1 + e) / (1 - e))], exact)


D = [orbit(f"D{i}", e) for i, e in enumerate((0.1, 0.3, 0.5, 0.7, 0.9), start=1)]


# ---- E


def e1(t):
    """The Bessel function of order 1/2, at t + 1."""
    s = t + 1
    y = np.sqrt(2 / (np.pi * s)) * np.sin(s)
    return np.array([y, np.sqrt(2 / (np.pi * s)) * np.cos(s) - y / (2 * s)])


def e4(t):
    v = np.sqrt(0.08)
    return np.array([30 + np.log(np.cosh(0.4 * v * t)) / 0.4, v * np.tanh(0.4 * v * t)])


def e5(t):
    q = 25 / (25 - t)
    return np.array([12.5 * np.log(q) - t / 2 + t * t / 100, (q - 1 / q) / 2])


def second_order(acceleration):
    return lambda y, t: np.array([y[1], acceleration(y[0], y[1], t)])


E = [
    problem("E1", second_order(lambda y, v, t: -(v / (t + 1) + (1 - 0.25 / (t + 1) ** 2) * y)), e1(0.0), e1),
    problem("E2", second_order(lambda y, v, t: (1 - y * y) * v - y), [2, 0]),
    problem("E3", second_order(lambda y, v, t: y**3 / 6 - y + 2 * np.sin(2.78535 * t)), [0, 0]),
    problem("E4", second_order(lambda y, v, t: 0.032 - 0.4 * v * v), [30, 0], e4),
    problem("E5", second_order(lambda y, v, t: np.sqrt(1 + v * v) / (25 - t)), [0, 0], e5),
]

DETEST = [*A, *B, *C, *D, *E]
# fmt: off
ENDS = {
    "A5": [-0.7887826688964196],
    "B1": [0.6761876008576667, 0.1860816099640036],
    "B3": [2.061153488557776e-09, 5.257228022048349e-02, 0.9474277177183630],
    "B4": [0.9826950928005993, 2.198447081694832, 0.9129452507276399],
    "C5": [-4.792730224323733, -2.420550725448973, -0.9212509306014886, -4.217310404035213, 7.356202947498970,
            3.223785985421212, 4.035559443262270, 17.19865528670555, 7.478910794233703, -29.98759326324844,
           -4.107310937550929, -0.9277008321754407, -24.42125302518482, 23.81459045746554, 14.92096306951359,
            0.3499208963063806, -0.5748487687912825, -0.2551694020879149, -0.5237040978903326, -0.2493000463579661,
           -0.08045341642044464, -0.3875289237334110, 0.05648603288767891, 0.03023606472143342, 0.04133856546712445,
           -0.2862393029841379, -0.1183032405136207, -0.1511986457359206, -0.2460068894318766, -0.03189687411323877],
    "E2": [2.008149762174948, -0.04250887527320057],
    "E3": [-0.1004178858647128, 0.2411400132095954],
}
# fmt: on


def end(problem):
    """y(20), by a closed form or as published."""
    return problem.exact(20.0) if problem.exact else np.array(ENDS[problem.name])
