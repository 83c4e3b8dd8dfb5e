"""The notebooks are what their sources make, run through, and follow the template of notebooks/README.md; the gallery
has the figures that they show."""

import importlib.util
import json
import re
from functools import cache
from inspect import isfunction
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
PAGES = sorted((NOTEBOOKS / "src").glob("*.py"))  # all of them

spec = importlib.util.spec_from_file_location("build", NOTEBOOKS / "build.py")
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)
SOURCES = list(filter(build.is_course, PAGES))  # the notebooks of the course, which have a template


unexecuted = cache(build.unexecuted)  # read once; a test that changes one makes its own


@cache
def committed_notebook(source):
    return nbformat.read(build.target(source), as_version=4)


@pytest.fixture(params=PAGES, ids=lambda path: path.stem)
def page(request):
    return request.param


@pytest.fixture(params=SOURCES, ids=lambda path: path.stem)
def source(request):
    return request.param


@pytest.fixture
def cells(source):
    return unexecuted(source).cells


@pytest.fixture
def committed(source):
    return committed_notebook(source)


def tagged(cells, tag):
    return [cell for cell in cells if tag in cell.metadata.get("tags", ())]


def test_every_source_has_its_notebook_and_every_notebook_its_source():
    assert [build.target(path).name for path in PAGES] == sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))


def test_the_committed_notebook_has_the_cells_of_its_source(page):
    committed = committed_notebook(page)
    nbformat.validate(committed)
    for cell, made in zip(committed.cells, unexecuted(page).cells, strict=True):
        assert (cell.id, cell.cell_type, cell.metadata) == (made.id, made.cell_type, made.metadata)
        assert cell.source == made.source or cell.cell_type == "markdown" and numbers_in(cell.source, made.source)
    assert build.target(page).read_text(encoding="utf-8") == build.text(committed)


def numbers_in(prose, template):
    """What stands in the place of each {{mark}} of the template, as numbers: 1,024 and 5% too."""
    match = re.fullmatch("(.+?)".join(map(re.escape, build.MARK.split(template)[::2])), prose)
    assert match, template
    return [float(value.replace(",", "").rstrip("%")) for value in match.groups()]


def test_nothing_in_a_notebook_depends_on_when_and_where_it_was_made(page):
    text = build.target(page).read_text(encoding="utf-8")
    text = re.sub(r'"image/png": "[^"]*"', "", text)  # in whose base64 anything may stand, /tmp/ too
    assert not re.search(r"0x[0-9a-f]{6,}|iopub|/(home|tmp|root|Users|work)/|\d(\.\d+)? (ms|us|µs)\b", text)


def test_every_notebook_follows_the_template(cells):
    (header,) = tagged(cells, "header")
    assert header is cells[0] and header.source.startswith("# ")
    assert all(row in header.source for row in ("You will be able to", "You need", "Time", "Equations"))
    assert "{{minutes_to_read}}" in header.source and "{{minutes_to_do}}" in header.source
    (summary,) = tagged(cells, "summary")
    assert summary is cells[-1] and "odelearn" in summary.source and "Sources" in summary.source
    assert tagged(cells, "predict") and tagged(cells, "break-it")
    assert any("checks.check_" in cell.source for cell in tagged(cells, "checkpoint"))
    assert any("assert " in cell.source for cell in tagged(cells, "agree"))
    assert tagged(cells, "pay-off") or header.source.startswith("# 00")


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


# ---- reading times


def written(path, text):
    path.write_text(text)
    return path


def test_reading_times_follow_the_rule_of_the_readme(tmp_path):
    words = "# " + "word " * 1500 + "\n"  # 10 minutes
    code = "x = 1\n\n" * 150  # 15 minutes: empty lines are not read
    exercise = '# %% [markdown] tags=["exercise"]\n# **1 (fill in).** {} ' + "word " * 900 + "\n"
    solution = '# %% [markdown] tags=["solution"]\n' + words
    times = lambda text: build.reading_times(build.unexecuted(written(tmp_path / "99_times.py", text)))
    assert times("# %% [markdown]\n" + words) == {"minutes_to_read": 10, "minutes_to_do": 0}
    assert times("# %%\n" + code + solution) == {"minutes_to_read": 15, "minutes_to_do": 0}
    assert times("# %%\n" + code + "figures.one(x)\n")["minutes_to_read"] == 20  # a line and a figure more, rounded up
    assert times(exercise.format("") + solution) == {"minutes_to_read": 0, "minutes_to_do": 15}
    assert times(exercise.format("(40 minutes)"))["minutes_to_do"] == 40
    assert times('# %% [markdown] tags=["checkpoint"]\n# Try.')["minutes_to_do"] == 10


def test_the_card_and_the_readme_tell_the_computed_times(source):
    committed = committed_notebook(source)
    times = build.reading_times(unexecuted(source))
    assert f"{times['minutes_to_read']} minutes to read, {times['minutes_to_do']} for" in committed.cells[0].source
    readme = (NOTEBOOKS / "README.md").read_text()
    assert build.with_times(readme) == readme  # else: python notebooks/build.py --times
    assert f"| {source.name[:2]} | {times['minutes_to_read']} | {times['minutes_to_do']} |" in readme


# ---- captions and alt texts


def test_every_figure_has_a_number_a_caption_and_an_alt_text(source):
    committed = committed_notebook(source)
    captions = [cell.source for cell in tagged(committed.cells, "caption")]
    number = source.name[:2]
    for i, caption in enumerate(captions, 1):
        assert re.fullmatch(rf"\*\*Figure {number}\.{i}\.\*\* \S.{{15,}}\.", caption, re.DOTALL), caption
    pictures = [name for cell in committed.cells for name in build.names_of_figures(cell, number)]
    assert len(captions) == len(pictures) and all((build.FIGURES / name).exists() for name in pictures)
    for cell, below in zip(committed.cells, committed.cells[1:], strict=False):
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                assert output.metadata["image/png"]["alt"] == below.source.replace("**", "")
    images = re.findall(r"!\[(.*?)\]\(", "\n".join(c.source for c in committed.cells if c.cell_type == "markdown"))
    assert all(len(alt.split()) >= 5 for alt in images)


# ---- executed: once, for two tests

CATCH = """
import importlib, inspect
drawn_figures = {{}}
module = importlib.import_module("odelearn.plotting.course.{module}")
for name, function in list(vars(module).items()):
    if inspect.isfunction(function) and function.__module__ == module.__name__ and name[0] != "_":
        def catch(*args, name=name, function=function, **kwargs):
            return drawn_figures.setdefault(name, function(*args, **kwargs))
        setattr(module, name, catch)
del importlib, inspect, module, name, function, catch
"""
JUDGE = """
import json, pathlib, sys, traceback
sys.path.insert(0, {tests!r})
from figure_checks import faults_of
pathlib.Path({verdicts!r}).write_text(json.dumps({{name: faults_of(fig) for name, fig in drawn_figures.items()}}))
"""


@pytest.fixture(scope="module", params=SOURCES, ids=lambda path: path.stem)
def run(request, tmp_path_factory):
    """The notebook executed, and {figure: what is wrong with it, or ""}, looked at in the same kernel."""
    verdicts = tmp_path_factory.mktemp("verdicts") / "verdicts.json"
    (module,) = re.findall(r"^from odelearn\.plotting\.course import (\w+) as", request.param.read_text(), re.MULTILINE)
    judge = JUDGE.format(tests=str(Path(__file__).parent), verdicts=str(verdicts))
    notebook = build.executed(request.param, CATCH.format(module=module), judge)
    return request.param, notebook, json.loads(verdicts.read_text())


@pytest.mark.slow
def test_executing_the_source_gives_the_committed_notebook(run):
    source, notebook, _ = run
    assert not list(build.differences(notebook, committed_notebook(source)))


@pytest.mark.slow
def test_the_axes_are_labelled_and_nothing_is_cut_off_at_the_edge_of_a_figure(run):
    """On the figures themselves: what the functions return that draw them."""
    source, _, faults = run
    assert faults == dict.fromkeys([name[3:-4] for name in figures_of(source)], "")


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page not in SOURCES], ids=lambda path: path.stem)
def test_executing_the_source_of_a_page_without_number_gives_what_is_committed(page):
    assert not list(build.differences(build.executed(page), committed_notebook(page)))


# ---- the numbers in prose


def test_numbers_in_prose_are_computed_after_the_cells_before_them(tmp_path):
    source = tmp_path / "99_numbers.py"
    source.write_text("""# %%
x = {"n": 1000}
# %% [markdown]
# It is {{x["n"]:,}} at first, $\\frac{a_{n}}{b}$.
# %% [markdown] tags=["solution"]
# {{x + 1}} and then {{100 * x:.1f}}
#
# ```python
# x = x * 2
# ```
# %%
x = 0.25
x
""")
    notebook = build.executed(source)
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    assert prose[0] == r"It is 1,000 at first, $\frac{a_{n}}{b}$."
    assert prose[1].startswith("1.5 and then 50.0\n")  # after its own code, which runs after everything else
    assert [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"] == [1, 2]
    assert len(notebook.cells) == 4


NUMBER = re.compile(r"(?<![\w.])\d[\d,]*\.?\d*(?:e[-+]?\d+)?(?!\^)")


def numbers(text):
    """The numbers in a text, but not whole ones of one digit, nor the 10 of a power of 10."""
    found = {number.strip(".,").replace(",", "") for number in NUMBER.findall(text)}
    return {number for number in found if "." in number or len(number.split("e")[0].lstrip("0")) > 1}


def repeats(number, outputs):
    """Whether a typed number is one of those put out, perhaps rounded: 0.02 repeats 0.022."""
    digits = len(number.partition(".")[2])
    return any(float(number) in (float(output), round(float(output), digits)) for output in outputs)


def typed_results(cells, shown):
    """[(cell, number), ...]: numbers typed in prose that repeat what one of the four code cells before it puts out.

    A number that stands in code is an input, wherever it is repeated. shown: what each cell puts out.
    """
    inputs = {float(number) for cell in cells if cell.cell_type == "code" for number in numbers(cell.source)}
    before, typed = [], []
    for cell, output in zip(cells, shown, strict=True):
        if cell.cell_type == "code":
            before.append(numbers(output))
            continue
        prose = build.SOLUTION_CODE.sub("", build.MARK.sub("", cell.source))
        prose = re.sub(r"^\*\*Figure [\d.]+\*\*", "", prose)
        results = set().union(*before[-4:])
        typed += [(cell.id, x) for x in numbers(prose) if float(x) not in inputs and repeats(x, results)]
    return typed


def test_a_number_that_repeats_an_output_is_a_mark_in_the_source(page):
    """So text and output cannot part: the build fills it in."""
    committed = committed_notebook(page)
    assert not typed_results(unexecuted(page).cells, map(build.shown_by, committed.cells))


def test_typed_results_are_found():
    code, prose = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    cells = [code("n = 384"), prose("{{n}}: 0.02 after 384; it has 12 digits, $10^{-6}$, and 277 of 1,024 bytes.")]
    typed = typed_results(cells, ["384 steps, 0.022, 277 evaluations, 10 rows, 1024 bytes", ""])
    assert sorted(x for _, x in typed) == ["0.02", "1024", "277"]


# ---- the figures


def figures_of(source):
    """{file name: PNG} of the committed notebook."""
    return build.figures(committed_notebook(source), source.name[:2])


def test_every_figure_is_what_one_cell_of_the_notebook_shows_to_the_byte(source):
    assert figures_of(source)
    for name, png in figures_of(source).items():
        assert (build.FIGURES / name).read_bytes() == png, name


def test_the_gallery_shows_the_figures_of_the_notebooks_in_their_order_and_names_their_functions():
    names = [name for source in SOURCES for name in figures_of(source)]
    gallery = (build.FIGURES / "README.md").read_text()
    assert re.findall(r"!\[\]\((\d\d_\w+\.png)\).*`plotting\.course\.\w+\.(\w+)`", gallery) == [
        (name, name[3:-4]) for name in names
    ]
    assert sorted(names) == sorted(path.name for path in build.FIGURES.glob("[0-9][0-9]_*"))


def test_a_notebook_draws_with_all_functions_of_its_module_and_with_nothing_else(source):
    text = source.read_text()
    (line,) = re.findall(r"^from odelearn\.plotting\.course import \w+ as figures$", text, re.MULTILINE)
    exec(line, namespace := {})
    module = namespace["figures"]
    own = {name for name, value in vars(module).items() if isfunction(value) and value.__module__ == module.__name__}
    assert {name for name in own if name[0] != "_"} == {name[3:-4] for name in figures_of(source)}
    assert not re.search(r"matplotlib|plt\.|subplots", text)


def cell(code, images=1):
    data = {"image/png": "AAAA"}
    outputs = [nbformat.v4.new_output("execute_result", data) for _ in range(images)]
    return nbformat.v4.new_code_cell(code, outputs=outputs)


def test_a_cell_shows_one_figure_and_a_function_has_one_cell():
    notebook = lambda *cells: SimpleNamespace(cells=cells)
    one, two = cell("x = 1\nfigures.one(x)"), cell("figures.two(2)")
    assert list(build.figures(notebook(one, two), "00")) == ["00_one.png", "00_two.png"]
    for wrong in (
        [cell("figures.one(1)", images=0)],  # not the last line of its cell
        [cell("fig", images=1)],
        [cell("figures.one(1)", images=2)],
        [cell("figures.one(1)\nfigures.two(2)")],
        [one, one],
    ):
        with pytest.raises(ValueError, match=r"shows \d pictures, and calls"):
            build.figures(notebook(*wrong), "00")


# ---- the comparison itself


def test_words_must_agree_and_numbers_nearly():
    assert build.alike("slope 2.00, gap 3e-16", "slope 1.99,  gap 1.2e-15")
    assert not build.alike("slope 2.00", "slope 1.00")
    assert not build.alike("passed", "not yet")
    assert not build.alike("1 2", "1 2 3")


def test_what_depends_on_the_python_must_agree_to_a_factor_of_two(source):
    new, old = build.unexecuted(source), build.unexecuted(source)
    for notebook, number in (new, 10.5), (old, 6.1):
        notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text=f"peak {number} MB")]
    assert list(build.differences(new, old))
    new.cells[1].metadata["tags"] = ["measured"]
    assert not list(build.differences(new, old))
    new.cells[1].outputs[0].text = "peak 12.5 MB"
    assert list(build.differences(new, old))


def test_a_change_of_source_or_output_is_told(source):
    notebook = build.unexecuted(source)
    changed = build.unexecuted(source)
    assert not list(build.differences(notebook, changed))
    changed.cells[1].outputs = [nbformat.v4.new_output("stream", text="42")]
    assert any("42" in line for line in build.differences(changed, notebook))
    changed.cells[1].source += "\nmore"
    assert any("+more" in line for line in build.differences(changed, notebook))
