"""Every figure of the README, of figures/ and of the notebooks, each by the experiment or function it belongs to."""

from tqdm import tqdm

from ..fitting.fit import fit
from ..fitting.store import whole_file, writable_directory
from .adjoint_film import film
from .audit import audit
from .compare import compare
from .spiral import spiral


def figures(out="figures", quick=False):
    """Write lynx_hare.png, spiral.png, spiral.gif, gradients.png, work_precision.png, adjoint.gif and the figures of
    the notebooks into `out`.

    quick: a few training steps and few points, to see that all of it runs. Returns 0, or the first status that is not.
    """
    steps = 5 if quick else None
    studies = [
        lambda: fit(out=out, steps=steps),
        lambda: spiral(out=out, steps=steps),
        lambda: compare(out=out, quick=quick),
        lambda: audit(out=out, quick=quick),
        lambda: film(out=out, frames=4 if quick else 60),
        lambda: course(out=out),
    ]
    for study in studies:
        status = study()
        if status:
            return status
    return 0


def course(out="figures"):
    """Write the figures of the notebooks into `out`. Returns the status 0."""
    from ..plotting.style import save  # here, because matplotlib takes its time

    out, functions = writable_directory(out), course_figures()
    for name, function in tqdm(functions.items(), desc="figures of the notebooks"):
        with whole_file(out / name) as draft:
            save(function(), draft)
    return 0


def course_figures():
    """{file name: function of nothing -> Figure}, in the order of the notebooks."""
    from ..plotting.course import (
        appendix_b,
        backpropagation,
        derivatives,
        errata,
        promises,
        pullbacks,
        solvers,
        start_here,
    )

    notebooks = (start_here, derivatives, pullbacks, solvers, backpropagation, appendix_b, errata, promises)
    return {name: function for module in notebooks for name, function in module.FIGURES.items()}
