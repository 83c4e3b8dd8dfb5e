"""The notebooks are what their sources make, run through, and follow the template of notebooks/README.md."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
SOURCES = sorted((NOTEBOOKS / "src").glob("*.py"))

spec = importlib.util.spec_from_file_location("build", NOTEBOOKS / "build.py")
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)


@pytest.fixture(params=SOURCES, ids=lambda path: path.stem)
def source(request):
    return request.param


@pytest.fixture
def cells(source):
    return build.unexecuted(source).cells


def tagged(cells, tag):
    return [cell for cell in cells if tag in cell.metadata.get("tags", ())]


def test_every_source_has_its_notebook_and_every_notebook_its_source():
    assert [build.target(path).name for path in SOURCES] == sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))


def test_the_committed_notebook_has_the_cells_of_its_source(source):
    committed = nbformat.read(build.target(source), as_version=4)
    nbformat.validate(committed)
    strip = lambda cells: [(cell.id, cell.cell_type, cell.source, cell.metadata) for cell in cells]
    assert strip(committed.cells) == strip(build.unexecuted(source).cells)
    assert build.target(source).read_text(encoding="utf-8") == build.text(committed)


def test_nothing_in_a_notebook_depends_on_when_and_where_it_was_made(source):
    text = build.target(source).read_text(encoding="utf-8")
    assert not re.search(r"0x[0-9a-f]{6,}|iopub|/(home|tmp|root|Users|work)/|\d(\.\d+)? (ms|us|µs)\b", text)


def test_every_notebook_follows_the_template(cells):
    (header,) = tagged(cells, "header")
    assert header is cells[0] and header.source.startswith("# ")
    assert all(row in header.source for row in ("You will be able to", "You need", "Time", "Equations"))
    (summary,) = tagged(cells, "summary")
    assert summary is cells[-1] and "odelearn" in summary.source and "Sources" in summary.source
    assert tagged(cells, "predict") and tagged(cells, "break-it")
    assert any("checks.check_" in cell.source for cell in tagged(cells, "checkpoint"))
    assert any("assert " in cell.source for cell in tagged(cells, "agree"))


def test_every_notebook_has_three_exercises_with_folded_solutions(cells):
    kinds = [re.match(r"(?:## Exercises\s+)?\*\*\d \((.+?)\)\.", c.source) for c in tagged(cells, "exercise")]
    assert [kind[1] for kind in kinds if kind] == ["fill in", "derive", "explore"]
    for exercise in tagged(cells, "exercise"):
        after = cells[cells.index(exercise) + 1]
        assert tagged([after], "solution") or tagged([after], "exercise")
    for solution in tagged(cells, "solution"):
        assert solution.source.startswith("<details><summary>") and solution.source.endswith("</details>")
    assert sum(bool(build.SOLUTION_CODE.search(cell.source)) for cell in tagged(cells, "solution")) >= 2


def test_no_notebook_uses_the_network_or_chance_without_a_seed(cells):
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    assert not re.search(r"urllib|requests|http|np\.random\.(?!default_rng|Generator)|default_rng\(\)|%time", code)


@pytest.mark.slow
def test_executing_the_source_gives_the_committed_notebook(source):
    command = [sys.executable, str(NOTEBOOKS / "build.py"), "--check", source.stem]
    result = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert result.returncode == 0, result.stdout + result.stderr


# ---- the comparison itself


def test_words_must_agree_and_numbers_nearly():
    assert build.alike("slope 2.00, gap 3e-16", "slope 1.99,  gap 1.2e-15")
    assert not build.alike("slope 2.00", "slope 1.00")
    assert not build.alike("passed", "not yet")
    assert not build.alike("1 2", "1 2 3")


def test_a_change_of_source_or_output_is_told(source):
    notebook = build.unexecuted(source)
    changed = build.unexecuted(source)
    assert not list(build.differences(notebook, changed))
    changed.cells[1].outputs = [nbformat.v4.new_output("stream", text="42")]
    assert any("42" in line for line in build.differences(changed, notebook))
    changed.cells[1].source += "\nmore"
    assert any("+more" in line for line in build.differences(changed, notebook))
