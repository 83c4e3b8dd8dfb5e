"""Section 5 of the paper: a latent ODE and an RNN on spirals at irregular times (Table 2, Figures 8 to 10), and events
(Figure 7)."""

import numpy as np

from ..datasets.irregular_spirals import irregular_spirals, spiral_at
from ..fitting.store import atomic_write
from ..models.encoder import Encoder
from ..models.latent import LatentODE
from ..models.recurrent import RecurrentForecast
from ..models.stretches import cosine, stretch_loss
from ..nn.gru import GRU
from ..nn.mlp import MLP
from ..optim import Adam, fit
from ..verify.gradient_report import table as text_table
from . import poisson
from .claims import Claim, by_method, judge, mean_and_spread

OBSERVATIONS = (30, 50, 100)
METHODS = (*(f"{name}-{K}" for K in OBSERVATIONS for name in ("latent", "rnn")), "poisson")
PAPER = {"rnn": {30: 0.3937, 50: 0.3202, 100: 0.1813}, "latent": {30: 0.1642, 50: 0.1502, 100: 0.1346}}  # Table 2
NAMES = {"latent": "latent ODE", "rnn": "RNN"}
TRAIN, VALIDATE, TEST = slice(0, 800), slice(800, 900), slice(900, 1000)
READS = (10, 15, 20, 30, 50, 100)  # how many of the last observations are read before the forecast: chosen on VALIDATE

# Chosen on the validation spirals of seed 0: the rate for each model by itself, the rest for both.
RATES = {"latent": 0.02, "rnn": 0.01}
LENGTHS = {30: (15, 30), 50: (20, 50), 100: (30, 100)}
SETTINGS = {"batch": 50, "shares": (0.35, 0.85), "noise": 0.1}
STEPS = {False: 2500, True: 4000}


def latent_ode(K):
    """Latent space 4 as in the paper; 6,235 parameters. K observations in a turn tell the typical gap."""
    encoder = Encoder(GRU(3, 40), 4, gap=2 * np.pi / K)
    return LatentODE(encoder, MLP([4, 40, 4], "elu"), MLP([4, 20, 2], "elu"), h=0.6)


def recurrent(K):
    """About as many, 6,541 parameters."""
    return RecurrentForecast(GRU(3, 41), MLP([41, 20, 2], "elu"), gap=2 * np.pi / K)


MODELS = {"latent": latent_ode, "rnn": recurrent}


def settings(method, full=False):
    """What the numbers of a method depend on, besides the seed."""
    if method == "poisson":
        return poisson.settings(full)
    name, K = split(method)
    return {**SETTINGS, "lr": RATES[name], "lengths": LENGTHS[K], "steps": STEPS[full], "reads": READS}


def split(method):
    """ "latent-30" -> "latent", 30."""
    name, _, K = method.partition("-")
    return name, int(K)


def run(method, seed, full=False, progress=True):
    """Train one model on the spirals of this seed, choose on the validation spirals, report the test spirals once.

    RMSE is over both components of all spirals and all times of the second turn, against the spiral without noise,
    divided by the standard deviation of the observations to learn from.
    """
    if method == "poisson":
        return poisson.run(seed, full, progress)
    name, K = split(method)
    model, data = MODELS[name](K), irregular_spirals(np.random.default_rng([seed, K]), K, noise=SETTINGS["noise"])
    theta, history, validation = train(model, data, seed, settings(method, full), progress)
    read = min(validation[-1]["rmse"], key=validation[-1]["rmse"].get)
    result = {
        "parameters": model.size,
        "loss": smooth(history),
        "validation": validation,
        "read": int(read),
        "rmse": rmse(model, theta, data, TEST, int(read)),
        "examples": examples(model, theta, data, int(read)),
    }
    if name == "latent":
        result["interpolation"] = interpolation(model, theta, data)
        if full and seed == 0:
            result["theta"] = [float(f"{x:.7g}") for x in theta]
    return result


def train(model, data, seed, settings, progress, looks=12):
    """theta, the loss of every step, and what the validation spirals say of `looks` theta's on the way and the last."""
    rng = np.random.default_rng([seed, 1])
    start, steps = model.init(rng).astype(np.float32), settings["steps"]
    loss_and_grad = stretch_loss(
        model, data.ts[TRAIN], data.xs[TRAIN], rng, settings["batch"], settings["lengths"], settings["shares"]
    )
    validation = []

    def look(step, theta, loss=None):
        if step % -(-steps // looks) == 0 or step == steps:
            scores = {str(read): rmse(model, theta, data, VALIDATE, read) for read in READS if read <= data.ts.shape[1]}
            validation.append({"step": step, "rmse": scores})

    opt = Adam(lr=cosine(settings["lr"], steps))
    theta, history = fit(loss_and_grad, start, opt, steps, progress=progress, callback=look)
    look(steps, theta)
    return theta, history, validation


def rmse(model, theta, data, rows, read):
    """Of the forecast of the second turn from the last `read` observations, in units of the data's deviation."""
    xs, ts = data.xs[rows, -read:].astype(theta.dtype), data.ts[rows, -read:]
    error = model.predict(xs, ts, data.ts_beyond[rows], theta) - data.xs_beyond[rows]
    return float(np.sqrt(np.mean(error**2)) / data.xs[TRAIN].std())


def smooth(history, points=100):
    """Means of the loss over equal parts of the training."""
    return [float(part.mean()) for part in np.array_split(np.array(history), min(points, len(history)))]


# ---- what is drawn


def examples(model, theta, data, read):
    """The first clockwise and the first counter-clockwise test spiral: observations, truth and forecast."""
    found = []
    for n in (TEST.start + np.flatnonzero(data.clockwise[TEST] == way)[0] for way in (True, False)):
        one, fine = slice(n, n + 1), np.linspace(0, 4 * np.pi, 160)[np.newaxis]
        xs, ts = data.xs[one, -read:].astype(theta.dtype), data.ts[one, -read:]
        ahead = data.ts_beyond[one]
        if isinstance(model, LatentODE):  # it can tell the state at any time from the first that was read on
            ahead = np.linspace(ts[0, 0], 4 * np.pi, 120)[np.newaxis]
        forecast = model.predict(xs, ts, ahead, theta)[0]
        truth = spiral_at(fine, data.clockwise[one], data.phase[one], data.radius[one])[0]
        found.append({"observed": rounded(data.xs[n]), "truth": rounded(truth), "forecast": rounded(forecast)})
    return found


def interpolation(model, theta, data, points=9):
    """Curves of one turn from z0 on a straight line between those of a clockwise and a counter-clockwise spiral."""
    n = [TEST.start + np.flatnonzero(data.clockwise[TEST] == way)[0] for way in (True, False)]
    z0, _, _ = model.encoder.vjp(data.xs[n].astype(theta.dtype), data.ts[n], model.unravel(theta)["encoder"])
    w = np.linspace(0, 1, points, dtype=theta.dtype)[:, np.newaxis]
    ts = np.tile(np.linspace(0, 2 * np.pi, 60), (points, 1))
    curves, _ = model.decode_vjp((1 - w) * z0[0] + w * z0[1], ts, theta)
    return {"curves": rounded(curves), "turns": rounded(count_turns(curves))}


def count_turns(curves):
    """How often each of the curves (n, m, 2) goes around the origin, negative if clockwise: (n,).

    It is the area that a curve sweeps, by that of a circle with its mean radius^2, and so a smooth function of the
    curve, also where it runs through the origin.
    """
    x, y = np.moveaxis(curves, 2, 0)
    swept = np.sum(x[:, :-1] * y[:, 1:] - x[:, 1:] * y[:, :-1], axis=1)  # twice the area
    return swept / (2 * np.pi * np.mean(x * x + y * y, axis=1))


def rounded(x, digits=3):
    return np.round(np.asarray(x, float), digits).tolist()


# ---- the numbers of all seeds


def table(results):
    """RMSE beside the paper's, and the Poisson process."""
    cells, found = [("observations", "model", "parameters", "read", "RMSE", "the paper's")], by_method(results)
    for method in [method for method in METHODS[:-1] if method in found]:
        (name, K), of_seeds = split(method), found[method]
        ours, reads = mean_and_spread([r["rmse"] for r in of_seeds]), ", ".join(str(r["read"]) for r in of_seeds)
        cells.append((str(K), NAMES[name], f"{of_seeds[0]['parameters']:,}", reads, ours, str(PAPER[name][K])))
    lines = [
        text_table(cells, "><>><>"),
        "RMSE in the second turn, in units of the data's standard deviation; the paper's spirals are others.",
        "read: how many of the last observations were read, for each seed.",
    ]
    return "\n".join([*lines, "", poisson.table(found["poisson"])] if "poisson" in found else lines)


def claims(results):
    """The rows of the scoreboard."""
    found, rows = by_method(results), []
    for K in OBSERVATIONS:
        if f"latent-{K}" in found and f"rnn-{K}" in found:
            rows += table_2(K, *([r["rmse"] for r in found[f"{name}-{K}"]] for name in ("latent", "rnn")))
    most = f"latent-{OBSERVATIONS[-1]}"
    if most in found:
        rows.append(interpolation_claim([r["interpolation"]["turns"] for r in found[most]]))
    return rows + (poisson.claims(found["poisson"]) if "poisson" in found else [])


def table_2(K, latent, rnn):
    where, paper = "section 5, Table 2", {name: PAPER[name][K] for name in PAPER}
    yield Claim(
        f"From {K} observations at irregular times a latent ODE extrapolates better than an RNN.",
        where,
        f"RMSE {paper['latent']} against {paper['rnn']}",
        f"{mean_and_spread(latent)} against {mean_and_spread(rnn)}",
        judge(np.array(rnn) - latent),
        "Holds if its RMSE is lower with every seed. Both models have the same spirals, stretches, steps and about the "
        "same number of parameters; the RNN is told the time gaps.",
    )
    yield Claim(
        f"From {K} observations a latent ODE extrapolates with an RMSE below {paper['latent']}.",
        where,
        str(paper["latent"]),
        mean_and_spread(latent),
        judge(paper["latent"] - np.array(latent)),
        "Holds if it is below the paper's number with every seed. Ours is in units of the data's standard deviation, "
        "over one turn beyond; the paper does not state its units.",
    )


def interpolation_claim(curves):
    """curves: the "turns" along the interpolation of each seed, by the model of most observations."""
    ends = [min(-turns[0], turns[-1]) - 0.5 for turns in curves]
    steps = [np.diff(turns).min() for turns in curves]
    return Claim(
        "On a straight line in latent space, clockwise spirals become counter-clockwise ones.",
        "section 5, Figures 8 to 10",
        "pictures",
        f"turns from {mean_and_spread([turns[0] for turns in curves], 2)} to "
        f"{mean_and_spread([turns[-1] for turns in curves], 2)}, each in {len(curves[0])} curves",
        judge(np.minimum(ends, 0.1 + np.array(steps))),
        "Holds if with every seed the ends make more than half a turn each, in opposite directions, and on the way "
        "between them the turns never fall by more than a tenth.",
    )


def draw(results, folder):
    """latent.png, latent_interpolation.png, poisson.png; and latent_spirals.npz, if a result has the weights."""
    from ..plotting import latent as pictures  # here, because matplotlib takes its time
    from ..plotting.style import save

    found = by_method(results)
    figures = {}
    if any(method != "poisson" for method in found):
        figures["latent.png"] = lambda: pictures.extrapolation(found, OBSERVATIONS, PAPER)
    curves = [(K, found[f"latent-{K}"][0]["interpolation"]) for K in OBSERVATIONS if f"latent-{K}" in found]
    if curves:
        figures["latent_interpolation.png"] = lambda: pictures.interpolation(*curves[-1])
    if "poisson" in found:
        figures["poisson.png"] = lambda: pictures.intensities(found["poisson"][0])
    written = []
    for name, figure in figures.items():
        with atomic_write(folder / name) as draft:
            save(figure(), draft)
        written.append(folder / name)
    thetas = {f"observations_{split(r['method'])[1]}": np.float32(r["theta"]) for r in results if "theta" in r}
    if thetas:
        with atomic_write(folder / "latent_spirals.npz") as draft, open(draft, "wb") as file:
            np.savez_compressed(file, **thetas)
        written.append(folder / "latent_spirals.npz")
    return written
