"""Section 3 of the paper at toy scale: Table 1 and Figure 3 on handwritten digits; the limits of ODEs in the plane.

digits trains and measures the four nets of Table 1, plane the nets in the plane, classify_claims judges the numbers.
"""

from pathlib import Path

from ..fitting.store import atomic_write
from ..models.classify import FORMS
from ..verify.gradient_report import table as text_table
from . import digits, plane
from .claims import by_method
from .classify_claims import claims

__all__ = ["METHODS", "claims", "draw", "run", "settings", "table"]

METHODS = (*FORMS, *plane.PROBLEMS)


def settings(method, full=False):
    """What the numbers of a method depend on, besides the seed."""
    return digits.training_settings(method, full) if method in FORMS else dict(plane.SETTINGS)


def run(method, seed, full=False, progress=True):
    """Train and measure one of METHODS, see digits.cross_validate and plane.separate. Returns a dict.

    full: nets with convolutions for the digits; nothing changes in the plane.
    """
    if method in FORMS:
        return digits.cross_validate(method, seed, full, progress)
    return plane.separate(method, seed, progress)


def draw(results, folder):
    """Draw classify.png, the digits, and classify_plane.png, into a folder; returns their paths.

    Of several seeds the test errors are means, and everything else is that of the first.
    """
    from ..plotting import classify as pictures  # here, because matplotlib takes its time
    from ..plotting.style import save

    methods = by_method(results)
    seeds = {form: methods[form] for form in FORMS}
    paths = {
        "classify.png": lambda: pictures.digits_figure(seeds),
        "classify_plane.png": lambda: pictures.plane_figure({name: methods[name][0] for name in plane.PROBLEMS}),
    }
    for name, make in paths.items():
        with atomic_write(Path(folder) / name) as draft:
            save(make(), draft)
    return [Path(folder) / name for name in paths]


def table(results):
    """Table 1, and what came out in the plane, as text: a line for each result."""
    methods = by_method(results)
    digit_rows = [result for form in FORMS for result in methods.get(form, [])]
    plane_rows = [result for name in plane.PROBLEMS for result in methods.get(name, [])]
    return "\n\n".join([table_1(digit_rows), plane_table(plane_rows)])


def table_1(results):
    cells = [("digits", "seed", "test error", "", "parameters", "memory, peak", "x16 depth", "training, CPU", "a step")]
    for r in results:
        depth_bytes = r.get("depth_bytes")
        cells.append((
            r["method"],
            str(r["seed"]),
            f"{r['test_error']:.2f} %",
            f"+- {r['standard_error']:.2f}",
            f"{r['parameters']:,}",
            f"{r['peak_bytes'] / 1e6:.2f} MB",
            f"x {depth_bytes[-1] / depth_bytes[0]:.1f}" if depth_bytes else "",
            f"{r['training_seconds']:.1f} s",
            f"{1e3 * r['training_seconds'] / r['training_steps']:.2f} ms",
        ))  # fmt: skip
    drift = sum(r["drift_warnings"] for r in results)
    steps = sum(r["training_steps"] for r in results if r["method"] == "ode-net")
    return (
        f"{text_table(cells, '<' + '>' * (len(cells[0]) - 1))}\n"
        f"Error: {digits.FOLDS}-fold cross-validation, each of 1,797 images tested once; +- is its standard error. "
        f"Memory: one gradient, {digits.BATCH} images, {digits.FEW} with convolutions.\n"
        "x16 depth: its growth from 16 to 256 blocks or evaluations of f. "
        f"The adjoint of ode-net warned of drift in {drift} of {steps} steps."
    )


def plane_table(results):
    cells = [("in the plane", "seed", "training loss", "by finer steps", "wrong, of the training points")]
    for r in results:
        losses = f"{r['training_loss']:.2e}", f"{r['fine_loss']:.2e}"
        cells.append((r["method"], str(r["seed"]), *losses, f"{r['training_error']:.2f} %"))
    return text_table(cells, "<" + ">" * (len(cells[0]) - 1))
