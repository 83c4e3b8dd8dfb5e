"""Make the notebooks: src/NN_name.py (jupytext py:percent) becomes the executed NN_name.ipynb, the same bytes each time.

    python notebooks/build.py                all of them
    python notebooks/build.py 01 02          those whose names begin so
    python notebooks/build.py --check 01     execute, and compare with the notebook that is there; write nothing

What would differ from run to run is left out: times, random cell ids, version stamps. README.md explains the tags.
"""

import base64
import difflib
import hashlib
import os
import re
import struct
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
SOLUTION_CODE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def sources(names):
    """The sources whose names begin with one of `names`; all of them if there are none."""
    paths = sorted((HERE / "src").glob("*.py"))
    found = [path for path in paths if not names or any(path.name.startswith(Path(name).stem) for name in names)]
    if not found:
        sys.exit(f"no notebook begins with {' or '.join(names)}; there are {', '.join(path.stem for path in paths)}")
    return found


def target(source):
    return HERE / f"{source.stem}.ipynb"


def unexecuted(source):
    """The notebook as its source tells it, each cell with an id made from its place and its text."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for i, cell in enumerate(notebook.cells):
        cell.id = f"{i:02d}-{hashlib.sha256(cell.source.encode()).hexdigest()[:8]}"
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
    return notebook


def executed(source):
    """The notebook with its outputs. The code inside the folded solutions is run too, after everything else, and must
    run through, so that it cannot rot; but it leaves no trace."""
    notebook = unexecuted(source)
    visible = len(notebook.cells)
    for cell in notebook.cells[:visible]:
        if "solution" in cell.metadata.get("tags", ()):
            notebook.cells += [nbformat.v4.new_code_cell(code) for code in SOLUTION_CODE.findall(cell.source)]
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
    client.execute()
    del notebook.cells[visible:]
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            tidy(output)
    return notebook


def tidy(output):
    """Images without the text chunks in which matplotlib signs them, and no metadata."""
    if "metadata" in output:
        output["metadata"] = {}
    for kind, data in output.get("data", {}).items():
        if kind == "image/png":
            png = without_text(base64.b64decode(data))
            output["data"][kind] = base64.b64encode(png).decode()


def without_text(png):
    """A PNG is a signature and then chunks: length, type, data, checksum. Those of type tEXt go."""
    kept, i = png[:8], 8
    while i < len(png):
        size = 12 + struct.unpack(">I", png[i : i + 4])[0]
        if png[i + 4 : i + 8] != b"tEXt":
            kept += png[i : i + size]
        i += size
    return kept


def text(notebook):
    return nbformat.writes(notebook) + "\n"  # nbformat sorts the keys


# ---- comparing


def differences(new, old):
    """Lines that say where two notebooks differ: in their sources, or in what their cells put out.

    Words must be the same and numbers nearly so; of images only that they are there, for fonts differ between machines.
    """
    if [cell.source for cell in new.cells] != [cell.source for cell in old.cells]:
        yield from difflib.unified_diff(listing(old), listing(new), "notebook", "source", lineterm="", n=0)
        return
    for n, o in zip(new.cells, old.cells, strict=True):
        shown, was = shown_by(n), shown_by(o)
        if not alike(shown, was):
            yield f"cell {n.id} puts out"
            yield from difflib.unified_diff(was.split("\n"), shown.split("\n"), "notebook", "now", lineterm="", n=0)


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


def alike(a, b):
    """Whether two texts differ only in numbers, and those by no more than 1 %, or by round-off around zero."""
    numbers = zip(NUMBER.findall(a), NUMBER.findall(b), strict=False)
    return NUMBER.sub("#", a).split() == NUMBER.sub("#", b).split() and all(
        abs(float(x) - float(y)) <= max(0.01 * abs(float(y)), 1e-9) for x, y in numbers
    )


def main(arguments):
    check = "--check" in arguments
    wrong = []
    for source in sources([name for name in arguments if name != "--check"]):
        notebook = executed(source)
        if not check:
            target(source).write_text(text(notebook), encoding="utf-8")
            print(f"wrote {target(source).name}")
            continue
        old = nbformat.read(target(source), as_version=4)
        lines = list(differences(notebook, old))
        print(f"{target(source).name}: {'differs' if lines else 'as its source makes it'}", *lines, sep="\n")
        wrong += lines
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
