"""Make the notebooks: src/NN_name.py (jupytext py:percent) becomes the executed NN_name.ipynb, and what its cells draw
becomes NN_*.png in figures/: the same bytes each time.

    python notebooks/build.py                all of them
    python notebooks/build.py 01 02          those whose names begin so
    python notebooks/build.py --check 01     execute, and compare with the notebook that is there; write nothing
    python notebooks/build.py --times        the reading times alone; README.md gets their sum

What would differ from run to run is left out: times, random cell ids, version stamps. README.md explains the tags of
cells, {{numbers}} in their prose, the names of figures with their captions, and how reading times are computed.
"""

import base64
import difflib
import hashlib
import math
import os
import re
import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
FIGURES = HERE.parent / "figures"
FIGURE = re.compile(r"^(?:slide\(lambda \w+: )?figures\.(\w+)\(", re.MULTILINE)
PICTURE = re.compile(r"^!\[.+\]\(\.\./figures/(\w+\.\w+)\)$", re.MULTILINE)
MARK = re.compile(r"\{\{(.+?)\}\}")
SOLUTION_CODE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def sources(names):
    """The sources whose names begin with one of `names`; all of them if there are none."""
    paths = sorted((HERE / "src").glob("*.py"))
    found = [path for path in paths if not names or any(path.name.startswith(Path(name).stem) for name in names)]
    if not found:
        sys.exit(f"no notebook begins with {' or '.join(names)}; there are {', '.join(path.stem for path in paths)}")
    return found


def is_course(source):
    """Whether this is a notebook of the course, 00 to 99. A page without a number keeps its figures for itself."""
    return source.name[:2].isdigit()


def target(source):
    return HERE / f"{source.stem}.ipynb"


def unexecuted(source):
    """The notebook as its source tells it, each cell with an id made from its place and its text."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.cells = list(with_captions(notebook.cells, source.name[:2]))
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for i, cell in enumerate(notebook.cells):
        cell.id = f"{i:02d}-{hashlib.sha256(cell.source.encode()).hexdigest()[:8]}"
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
    return notebook


# ---- captions


def gallery():
    """{file name: what it shows}, from the tables of figures/README.md."""
    rows = re.findall(
        r"^\| !\[\]\((\S+)\) \| (.+?) \|", (FIGURES / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    return dict(rows)


def with_captions(cells, number):
    """The cells, and below each that shows a figure a cell with its caption: "**Figure 03.2.** What it shows."

    number  of the notebook: "03". The words are those of figures/README.md; a figure without its row there has none.
    """
    shown, told = 0, gallery()
    for cell in cells:
        yield cell
        for name in names_of_figures(cell, number):
            shown += 1
            what = told.get(name, "")
            caption = f"**Figure {number}.{shown}.** {what[:1].upper()}{what[1:]}" + "." * bool(what)
            yield nbformat.v4.new_markdown_cell(caption, metadata={"tags": ["caption"]})


def names_of_figures(cell, number):
    if cell.cell_type == "code":
        return [f"{number}_{name}.png" for name in FIGURE.findall(cell.source)]
    return PICTURE.findall(cell.source)


def add_alt_texts(cells):
    """Put what a figure shows into the metadata of its image, too, as `alt`.

    nbconvert's template "classic" makes the alt text of it. Its template "lab" does not look there (7.17): then the
    caption below the figure is all that a screen reader finds.
    """
    for cell, below in zip(cells, cells[1:], strict=False):
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}) and "caption" in below.metadata.get("tags", ()):
                output.metadata = nbformat.from_dict({"image/png": {"alt": below.source.replace("**", "")}})


# ---- reading times

WORDS_A_MINUTE, LINES_A_MINUTE, MINUTES_A_FIGURE = 150, 10, 1
MINUTES = {"checkpoint": 10, "exercise": 15}  # unless its text says "(20 minutes)"
STATED = re.compile(r"\((\d+) minutes\)")


def reading_times(notebook):
    """{"minutes_to_read": ..., "minutes_to_do": ...}, in steps of 5 minutes; a folded solution takes none.

    To read: a minute for 150 words of prose, for 10 lines of code, for a figure. To do: what each checkpoint and
    exercise states, or else 10 minutes for a checkpoint and 15 for an exercise.
    """
    read = do = 0.0
    for cell in notebook.cells:
        tags, prose = set(cell.metadata.get("tags", ())), cell.cell_type == "markdown"
        (kind,) = tags & MINUTES.keys() or [None]
        if kind and prose:
            stated = STATED.findall(cell.source)
            do += float(stated[0]) if stated else MINUTES[kind]
        elif "caption" in tags:
            read += MINUTES_A_FIGURE
        elif not kind and "solution" not in tags and prose:
            read += len(re.findall(r"\S*\w\S*", cell.source)) / WORDS_A_MINUTE
        elif not kind and "solution" not in tags:
            read += len(re.findall(r"^.*\S", cell.source, re.MULTILINE)) / LINES_A_MINUTE
    return {name: 5 * math.ceil(minutes / 5) for name, minutes in (("minutes_to_read", read), ("minutes_to_do", do))}


def write_times():
    """Put the table of reading times between its two marks in README.md."""
    path = HERE / "README.md"
    path.write_text(with_times(path.read_text(encoding="utf-8")), encoding="utf-8")


def with_times(readme):
    times = {
        source.stem: tuple(reading_times(unexecuted(source)).values()) for source in filter(is_course, sources([]))
    }
    read, do = (sum(column) for column in zip(*times.values(), strict=True))
    rows = [f"| {stem[:2]} | {a} | {b} |" for stem, (a, b) in times.items()]
    total = f"| all | {read} (about {read / 60:.0f} hours) | {do} (about {do / 60:.0f} hours) |"
    table = "\n".join(["| notebook | minutes to read | minutes to do |", "|---|---|---|", *rows, total])
    return re.sub(r"(<!-- times -->\n).*?(<!-- end -->)", rf"\1{table}\n\2", readme, flags=re.DOTALL)


# ---- executing


def executed(source, before="", after=""):
    """The notebook with its outputs, and its prose with the numbers that are computed: {{len(zs)}} becomes 25.

    The code inside the folded solutions is run too, after everything else, and must run through, so that it cannot
    rot; but it leaves no trace. Nor does what a test wants to run in the same kernel, before the first cell and after
    the last.
    """
    notebook = unexecuted(source)
    times = reading_times(notebook)
    os.environ["ODELEARN_STATIC"] = "1"  # a slider shows its first figure
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    client = NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(HERE)}},
    )
    with client.setup_kernel():
        printed(before, client)
        for i, cell in enumerate(notebook.cells):
            client.execute_cell(cell, i)
            if not is_solution(cell):
                fill(cell, client, times)
        for cell in filter(is_solution, notebook.cells):
            for code in SOLUTION_CODE.findall(cell.source):
                printed(code, client)
            fill(cell, client)
        printed(after, client)
    add_alt_texts(notebook.cells)
    return notebook


def is_solution(cell):
    return "solution" in cell.metadata.get("tags", ())


def fill(cell, client, times=None):
    """Put the numbers into a cell of prose: {{x:.2f}} becomes what f"{x:.2f}" is now, after the cells before.

    times  what stands for {{minutes_to_read}} and {{minutes_to_do}}
    """
    if cell.cell_type == "markdown":
        for name, minutes in (times or {}).items():
            cell.source = cell.source.replace("{{" + name + "}}", str(minutes))
        marks = MARK.findall(cell.source)
        values = iter(printed("\n".join(f"print(f'''{{{mark}}}''')" for mark in marks), client).splitlines())
        cell.source = MARK.sub(lambda _: next(values), cell.source)


def printed(code, client):
    """What a piece of code prints. It runs among the cells of the notebook, and is not counted as one of them."""
    client.nb.cells.append(nbformat.v4.new_code_cell(code))
    client.execute_cell(client.nb.cells[-1], -1, store_history=False)
    return "".join(output.get("text", "") for output in client.nb.cells.pop().outputs)


def figures(notebook, number):
    """{file name: PNG} of what the cells show: figures.layers(...) in notebook 00 is the figure 00_layers.png."""
    pngs = {}
    for cell in notebook.cells:
        names = names_of_figures(cell, number) if cell.cell_type == "code" else []
        images = [
            output.data["image/png"] for output in cell.get("outputs", ()) if "image/png" in output.get("data", {})
        ]
        if len(names) > 1 or len(names) != len(images) or pngs.keys() & names:
            raise ValueError(
                f"cell {cell.id} shows {len(images)} pictures, and calls {names}: each function of `figures` has one "
                "cell, which ends with figures.name(...) and shows nothing else"
            )
        pngs |= zip(names, map(base64.b64decode, images), strict=True)
    return pngs


def text(notebook):
    return nbformat.writes(notebook) + "\n"  # nbformat sorts the keys


# ---- comparing


def differences(new, old):
    """Lines that say where two notebooks differ: in their sources, or in what their cells put out.

    Words must be the same and numbers nearly so: to 1 %, and in cells with the tag "measured" to a factor of 2, for there
    they depend on the Python. Of images only that they are there, for fonts differ between machines.
    """
    if len(new.cells) != len(old.cells) or not all(map(same_source, new.cells, old.cells)):
        yield from difflib.unified_diff(listing(old), listing(new), "notebook", "source", lineterm="", n=0)
        return
    for n, o in zip(new.cells, old.cells, strict=True):
        shown, was = shown_by(n), shown_by(o)
        if not alike(shown, was, tolerance(n)):
            yield f"cell {n.id} puts out"
            yield from difflib.unified_diff(was.split("\n"), shown.split("\n"), "notebook", "now", lineterm="", n=0)


def same_source(new, old):
    """Code must be the same; in prose, numbers may be computed."""
    prose = new.cell_type == old.cell_type == "markdown"
    return alike(new.source, old.source, tolerance(new)) if prose else new.source == old.source


def tolerance(cell):
    return 0.5 if "measured" in cell.metadata.get("tags", ()) else 0.01


def listing(notebook):
    return [line for cell in notebook.cells for line in cell.source.split("\n")]


def shown_by(cell):
    """What a cell puts out, as text."""
    parts = []
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        parts += [output.get("text", ""), data.get("text/plain", "")]
        parts += ["<image>" for kind in data if kind.startswith("image/")]
    return "\n".join(parts)


NUMBER = re.compile(r"[-+]?\d+\.?\d*(?:e[-+]?\d+)?")


def alike(a, b, rtol=0.01):
    """Whether two texts differ only in numbers, and those by no more than rtol, or by round-off around zero."""
    numbers = zip(NUMBER.findall(a), NUMBER.findall(b), strict=False)
    return NUMBER.sub("#", a).split() == NUMBER.sub("#", b).split() and all(
        abs(float(x) - float(y)) <= max(rtol * max(abs(float(x)), abs(float(y))), 1e-9) for x, y in numbers
    )


def main(arguments):
    if "--times" in arguments:
        return write_times()
    check = "--check" in arguments
    wrong = []
    for source in sources([name for name in arguments if name != "--check"]):
        notebook = executed(source)
        if not check:
            target(source).write_text(text(notebook), encoding="utf-8")
            pngs = figures(notebook, source.name[:2]) if is_course(source) else {}
            for name, png in pngs.items():
                (FIGURES / name).write_bytes(png)
            print(f"wrote {target(source).name} and {len(pngs)} figures")
            continue
        old = nbformat.read(target(source), as_version=4)
        lines = list(differences(notebook, old))
        print(f"{target(source).name}: {'differs' if lines else 'as its source makes it'}", *lines, sep="\n")
        wrong += lines
    if not check:
        write_times()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
