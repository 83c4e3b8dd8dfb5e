"""Two spirals, learned from random windows: the linear one by its matrix, the cubic one by a network."""

from collections import namedtuple

import numpy as np

from ..datasets import synthetic
from ..fitting.store import atomic_write, writable_directory
from ..solvers.odesolve import odesolve
from ..solvers.solver import dopri5, euler, rk4
from .cubic import learn_cubic
from .windows import learn_from_windows

A = np.array([[-0.1, -1.0], [1.0, -0.1]])
Z0 = np.array([0.6, 0.3])
H = 0.005
SOLVERS = {f"Euler, h = {H}": euler(h=H), "Dormand-Prince": dopri5()}

Learned = namedtuple("Learned", "thetas errors")  # thetas (steps + 1, 4); errors (steps + 1,): max |A_learned - A|


def field(z, t, theta):
    """dz/dt = A z for each row z, with theta = A row by row: plain NumPy, differentiated by the tape."""
    return z @ theta.reshape(2, 2).T


def spiral(steps=None, seed=0, out="odelearn-out"):
    """The command `spiral`: learn both spirals from windows, print the errors, write spiral.png and spiral.gif.

        dz/dt = A z     learned: A (2, 2), from observations with noise 0.01, by Euler and by Dormand-Prince
        dz/dt = z^3 A   learned: a network in place of z^3 A, from observations without noise

    steps  of each training; None: 150 for A, 2500 for the network
    seed   of the noise, the windows and the first parameters
    out    the directory for the two files; it is made if need be

    Returns the exit status 0. Raises UsageError where `out` cannot be written to, KeyboardInterrupt after Ctrl-C.
    """
    out = writable_directory(out, "spiral.png", "spiral.gif")
    ts, zs_true, zs = synthetic.spiral(np.random.default_rng(seed))
    print(f"The linear spiral, dz/dt = A z: {len(ts)} observations with noise 0.01", flush=True)
    linear = {}
    for name, solver in SOLVERS.items():
        print(f"{name}, gradient by the adjoint", flush=True)
        linear[name] = learn_matrix(ts, zs, solver, steps or 150, np.random.default_rng(seed))
        print(f"max |A_learned - A| = {linear[name].errors[-1]:.4f}")
    bias = np.abs(H * A @ A / 2).max()
    print(f"Without any noise Euler would learn A_h with I + h A_h = exp(h A), off by h max |A^2| / 2 = {bias:.4f}.\n")

    print("The cubic spiral, dz/dt = z^3 A, by MLP([2, 50, 2], power=3)", flush=True)
    cubic = learn_cubic(steps or 2500, np.random.default_rng(seed))
    print(f"mean |z - z_true| over the whole spiral: {cubic.error:.4f}, where mean |z_true| is {cubic.size:.4f}")
    draw(out, ts, zs, zs_true, linear, cubic)
    return 0


def learn_matrix(ts, zs, solver, steps, rng):
    settings = {"steps": steps, "rng": rng, "length": 20, "batch": 40, "rates": (0.06, 0.02)}
    thetas, _ = learn_from_windows(field, rng.normal(0, 0.1, 4), ts, zs, solver, **settings)
    return Learned(thetas, np.abs(thetas - A.ravel()).max(axis=1))


def draw(out, ts, zs, zs_true, linear, cubic):
    from ..plotting import spiral as pictures  # here, because matplotlib takes its time
    from ..plotting.style import save

    fine = np.linspace(ts[0], ts[-1], 400)
    curve = lambda theta: odesolve(Z0, field, fine, theta, rk4(n=1)).zs
    with atomic_write(out / "spiral.png") as draft:
        curves = {name: curve(learned.thetas[-1]) for name, learned in linear.items()}
        errors = {name: learned.errors for name, learned in linear.items()}
        save(pictures.spiral_figure(zs, zs_true, curves, errors, cubic), draft)
    print(f"\nDrawn in {out / 'spiral.png'}", flush=True)
    with atomic_write(out / "spiral.gif") as draft:
        frames = film_steps(len(next(iter(linear.values())).errors))
        films = {name: [curve(learned.thetas[i]) for i in frames] for name, learned in linear.items()}
        pictures.spiral_film(zs, frames, films, errors, draft)
    print(f"Filmed in {out / 'spiral.gif'}")


def film_steps(steps, frames=40):
    """Which steps to show: close together at first, when most is learned."""
    return np.unique(np.round((steps - 1) * np.linspace(0, 1, frames) ** 1.5).astype(int))
