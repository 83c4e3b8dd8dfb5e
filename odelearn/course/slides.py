"""Slides for a lecture: the sources in notebooks/slides/ become pages of reveal.js that need no network."""

import shutil
import warnings
from importlib.resources import files
from pathlib import Path

from .errors import CourseError
from .sources import find_notebooks, read_source

PACKAGES = {  # folder beside the page: (package, where it has the files)
    "reveal": ("sphinx_revealjs", "_static/revealjs"),
    "mathjax": ("jupyter_server_mathjax", "static"),
}


def write_slides(out):
    """Write each deck as OUT/NAME.html, its pictures inside, and reveal.js and MathJax as folders beside it.

    out  a folder; made if it is not there

    Returns the list of the pages. Raises CourseError if the sources or the packages are not there.
    """
    from nbconvert.exporters import SlidesExporter
    from traitlets.config import Config

    out, slides = Path(out), find_notebooks() / "slides"
    if out.exists() and not out.is_dir():
        raise CourseError(f"OUT = {out} is a file; name a folder")
    copy_libraries(out)
    config = Config()
    config.SlidesExporter.template_name = "template"
    config.SlidesExporter.extra_template_basedirs = [str(slides)]
    config.SlidesExporter.reveal_url_prefix = "reveal"
    config.SlidesExporter.reveal_theme = "white"
    config.SlidesExporter.mathjax_url = "mathjax/MathJax.js?config=TeX-AMS-MML_HTMLorMML-full,Safe"
    config.SlidesExporter.embed_images = True
    pages = []
    for source in sorted(slides.glob("*.py")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nbconvert's own
            page, _ = SlidesExporter(config=config).from_notebook_node(
                deck(source), {"metadata": {"name": source.stem.replace("_", " "), "path": str(slides.parents[1])}}
            )
        pages.append(out / f"{source.stem}.html")
        pages[-1].write_text(page, encoding="utf-8")
    return pages


def deck(source):
    """The notebook of a deck: each cell is a slide, its pictures named from the top of the checkout."""
    notebook = read_source(source)
    for cell in notebook.cells:
        cell.source = cell.source.replace("](../../", "](")
        cell.metadata["slideshow"] = {"slide_type": "slide"}
    return notebook


def copy_libraries(out):
    """Copy reveal.js and MathJax from the packages that bring them."""
    for folder, (package, place) in PACKAGES.items():
        try:
            source = Path(str(files(package))) / place
        except ImportError:
            raise CourseError(f"{package} is not installed; slides need its {folder}: pip install '.[teach]'") from None
        if not (out / folder).is_dir():
            shutil.copytree(source, out / folder)
