"""Known fields, learned from noisy trajectories as if they were not known: by a net, by their form, by an energy.

    two-centres, pendulum, lotka-volterra    -net   dz/dt = MLP(z), learned from windows of the trajectories
                                             -form  the true equation with unknown parameters, by least squares
    energy                                   -net, -hamiltonian  a pendulum without friction, 100 units of time

Sixteen trajectories of 51 observations with noise 0.05 are there to learn from, eight for validation and eight for the
test. The default width, window and number of steps were chosen on validation trajectories of seeds 100 and 101; the
long run (full) chooses anew among its CANDIDATES. The test is looked at once, at the end. field_learning.py does it.
"""

import numpy as np

from ..datasets.vector_fields import FIELDS
from ..fitting.store import atomic_write
from ..verify.gradient_report import table as lay_out
from . import field_learning as learning
from .claims import Claim, by_method, judge, mean_and_spread

METHODS = (*(f"{field}-{kind}" for field in FIELDS for kind in ("net", "form")), "energy-net", "energy-hamiltonian")


def settings(method, full=False):
    """What the numbers of a method depend on, besides the seed."""
    shared = {
        "noise": learning.NOISE,
        "trajectories": learning.TRAJECTORIES,
        "validation and test": learning.OTHERS,
        "until": [10, 20],
    }
    if method.endswith("-form"):
        return shared | {"stages": learning.STAGES}
    return shared | ({"candidates": learning.CANDIDATES} if full else learning.NET)


def run(method, seed, full=False, progress=True):
    """Train one method. Returns errors of the field and of trajectories, or of the energy, and what the figures need.

    method    one of METHODS
    seed      of the trajectories, which are the same for -net and -form, of the first theta and of the windows
    full      choose among field_learning.CANDIDATES on validation, each trained 4000 steps
    progress  whether to show a bar
    """
    name, kind = method.rsplit("-", 1)
    field = learning.FRICTIONLESS if name == "energy" else FIELDS[name]
    data = learning.draw_data(field, seed)
    if kind == "form":
        learned, found = learning.recover(field, data)
    else:
        learned, found = learning.learn(kind, data, seed, full, progress)
    measure = learning.measure_energy if name == "energy" else learning.measure_field
    shown = learning.pictured(data) if method.endswith("-net") else {}
    return {"field": name, **found, **measure(field, learned, data), **shown}


# ---- telling


def table(results):
    """A row for each method: errors of field and trajectories; parameters recovered; drift of the energy."""
    fields = [r for r in results if "field_error" in r]
    text = []
    if fields:
        cells = [("field", "learned as", "parameters", "field error", "rmse, t <= 10", "10 < t <= 20", "relative")]
        for r in fields:
            kind = "net" if r["method"].endswith("-net") else "true form"
            numbers = [f"{r[key]:.3g}" for key in ("field_error", "rmse_known", "rmse_beyond", "relative_beyond")]
            cells.append((r["field"], kind, str(r["parameters"]), *numbers))
        text.append(
            f"{lay_out(cells, '<<>>>>>')}\nField error: median over the box of |learned - true|, relative to the root "
            "mean square of the true field. Relative: rmse for 10 < t <= 20 over the standard deviation of the states."
        )
    for r in results:
        if "theta" in r:
            rows = zip(r["names"], r["true"], r["theta"], r["standard_errors"], strict=True)
            cells = [("", "true", "recovered", "standard error")]
            cells += [(name, f"{true:g}", f"{x:.4f}", f"{error:.4f}") for name, true, x, error in rows]
            text.append(f"{r['field']}, parameters\n{lay_out(cells, '<>>>')}")
    energies = [r for r in results if "drift" in r]
    if energies:
        cells = [("energy over 100 time units", "parameters", "drift", "largest deviation", "at the start")]
        for r in energies:
            numbers = [f"{r[key]:.3g}" for key in ("drift", "deviation", "energy_start")]
            cells.append((r["method"].removeprefix("energy-"), str(r["parameters"]), *numbers))
        text.append(lay_out(cells, "<>>>>"))
    return "\n\n".join(text)


def draw(results, folder):
    """vector_field.png and vector_field_energy.png, of the first seed among the results. Returns their paths."""
    from ..plotting import fields as pictures  # here, because matplotlib takes its time
    from ..plotting.style import save

    first = {method: found[0] for method, found in by_method(results).items()}
    true = {name: field.f(learning.grid(field.box), 0.0, field.theta) for name, field in FIELDS.items()}
    paths = []
    for name, picture in (
        ("vector_field.png", lambda: pictures.fields_figure(first, true, learning.BEYOND, learning.TS[-1])),
        ("vector_field_energy.png", lambda: pictures.energy_figure(first, learning.ENERGY_TS[::10])),
    ):
        with atomic_write(folder / name) as draft:
            save(picture(), draft)
        paths.append(folder / name)
    return paths


def claims(results):
    """Rows of the scoreboard: is the field learned, does it extrapolate, are parameters recovered, is energy kept?"""
    methods = by_method(results)
    column = lambda method, key: np.array([r[key] for r in methods[method]])
    rows = []
    for name in FIELDS:
        error, form = column(f"{name}-net", "field_error"), column(f"{name}-form", "field_error")
        beyond, form_beyond = (column(f"{name}-{kind}", "relative_beyond") for kind in ("net", "form"))
        rows.append(
            Claim(
                f"a net learns the field {name} from noisy trajectories",
                "demo of the paper's code",
                "none",
                mean_and_spread(100 * error, unit=" %"),
                judge(0.05 - error),
                "holds if the median error of the field over the box is below 5 %; "
                f"with the form known it is {100 * form.mean():.2g} %",
            )
        )
        rows.append(
            Claim(
                f"the learned field {name} extrapolates to twice the time",
                "section 5 claims it of latent ODEs",
                "none",
                mean_and_spread(100 * beyond, unit=" %"),
                judge(0.1 - beyond),
                "holds if the error for 10 < t <= 20 is below 10 % of the standard deviation of the states; errors of "
                f"the field add up to one of the phase; with the form known it is {100 * form_beyond.mean():.2g} %",
            )
        )
    z = np.array([[worst(r) for r in methods[f"{name}-form"]] for name in FIELDS]).max(axis=0)
    rows.append(
        Claim(
            "with the form known, all parameters are recovered within their standard errors",
            "least squares",
            "none",
            mean_and_spread(z, unit=" standard errors"),
            judge(3.5 - z),
            "holds if the worst of the 16 parameters is off by less than 3.5 standard errors, "
            "which normal errors exceed once in 135 runs",
        )
    )
    for key, what in ("drift", "drift"), ("deviation", "largest deviation"):
        ratio = column("energy-net", key) / column("energy-hamiltonian", key)
        rows.append(
            Claim(
                f"a Hamiltonian net's energy has a {what} 10 times smaller over 100 time units",
                "Greydanus et al. 2019",
                "none",
                mean_and_spread(ratio, unit=" times"),
                judge(ratio / 10 - 1),
                f"holds if plain over Hamiltonian is above 10; {what} {column('energy-hamiltonian', key).mean():.2g} "
                f"against {column('energy-net', key).mean():.2g}",
            )
        )
    return rows


def worst(result):
    """The largest |recovered - true| in standard errors."""
    theta, true, errors = (np.array(result[key]) for key in ("theta", "true", "standard_errors"))
    return np.max(np.abs(theta - true) / errors)
