"""What was handed in may be anything. What nbgrader gets has all the named cells of the release, in their order."""

import warnings

import nbformat


def hand_over(path, target, release):
    """Write a submission in the form of the release: answers by the names of their cells, the student's own cells too.

    path     the file that was handed in
    target   the file to write
    release  the notebook that the student got

    Returns what was wrong with the file, or "".
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of nbformat, about cells without an id
        problem, cells = "", []
        try:
            cells = list(map(readable, nbformat.reads(path.read_text(encoding="utf-8"), as_version=4).cells))
        except Exception as error:  # a file of a student may hold anything
            problem = f"{path.name} cannot be read as a notebook ({type(error).__name__}), and gets no points"
        notebook = nbformat.read(release, as_version=4)
        notebook.cells = arrange(cells, notebook.cells)
        nbformat.write(notebook, target)
    return problem


def readable(cell):
    """A cell as a new one, with nothing but its kind, its source and its name. Raises if it has no source."""
    kind, source = str(cell.cell_type), "".join(cell.source)
    new = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}.get(
        kind, nbformat.v4.new_raw_cell
    )
    made = new(source)
    made.metadata.name = grade_id(cell)
    return made


def grade_id(cell):
    """The name that nbgrader knows a cell by, or None for cells of prose and the student's own."""
    nbgrader = cell.get("metadata", {}).get("nbgrader", {})
    return nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None


def arrange(cells, released):
    """The named cells of the release in their order, with the student's sources; each is followed by the unnamed cells
    that followed it in the student's notebook. Of two cells with one name, the last counts."""
    names = [grade_id(cell) for cell in released]
    sources, followers, last = {}, {None: []}, None
    for cell in cells:
        name = cell.metadata.pop("name")
        if name in names and name is not None:
            sources[name], last = cell.source, name
            followers.setdefault(name, [])
        else:
            followers[last].append(cell)
    arranged = followers[None]
    for cell, name in zip(released, names, strict=True):
        if name is not None:
            cell.source = sources.get(name, cell.source)
            arranged += [cell, *followers.get(name, [])]
    return arranged
