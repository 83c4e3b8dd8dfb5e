"""Every figure of the README and of the studies in figures/, each by the experiment that it belongs to."""

from ..fitting.fit import fit
from ..fitting.store import writable_directory
from .adjoint_film import film
from .audit import audit
from .compare import compare
from .spiral import spiral


def figures(out="figures", quick=False):
    """Write lynx_hare.png, spiral.png, spiral.gif, gradients.png, work_precision.png and adjoint.gif into `out`.

    out    a directory; it is made if need be
    quick  a few training steps and few points, to see that all of it runs
    Returns 0, or the first status that is not. Raises UsageError where nothing can be written into `out`. The figures
    of the notebooks come from the notebooks: notebooks/build.py.
    """
    writable_directory(out, "lynx_hare.png", "spiral.gif", "gradients.png", "work_precision.png", "adjoint.gif")
    steps = 5 if quick else None
    studies = [
        lambda: fit(out=out, steps=steps),
        lambda: spiral(out=out, steps=steps),
        lambda: compare(out=out, quick=quick),
        lambda: audit(out=out, quick=quick),
        lambda: film(out=out, frames=4 if quick else 60),
    ]
    for study in studies:
        status = study()
        if status:
            return status
    return 0
