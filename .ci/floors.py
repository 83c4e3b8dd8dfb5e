"""The floors of odelearn, drawn from its imports: a room stands one floor above the highest room that it imports.

    python .ci/floors.py              prints the picture
    python .ci/floors.py --write      puts it into CONTRIBUTING.md

A room is a folder of odelearn/ or a file beside the folders. An arrow that follows from others is left out.
"""

import ast
import re
import sys
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "odelearn"


def imported_rooms(path):
    """The rooms that a file imports, wherever in the file; "__init__" stands for odelearn itself."""
    folder = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import) and "odelearn" in [alias.name for alias in node.names]:
            yield "__init__"
        elif isinstance(node, ast.ImportFrom) and node.level:
            inside = [*folder[: len(folder) + 1 - node.level], *(node.module or "").split(".")]
            yield next(filter(None, inside), None) or node.names[0].name


def rooms():
    """{room: the rooms below that it imports}. odelearn/__init__.py only repeats names, and is left out."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        found.setdefault(name, set()).update(set(imported_rooms(path)) - {name, "__init__"})
    del found["__init__"]
    return found


def picture(below):
    """A mermaid flowchart, the highest floor first. Raises graphlib.CycleError where rooms import each other."""
    floor, reach, order = {}, {}, sorted(below)
    for room in TopologicalSorter(below).static_order():
        floor[room] = 1 + max((floor[other] for other in below[room]), default=-1)
        reach[room] = below[room].union(*(reach[other] for other in below[room]))
    lines = ["```mermaid", "flowchart TD"]
    for n in range(max(floor.values()), -1, -1):
        on_it = [room for room in order if floor[room] == n]
        lines += [f'    subgraph floor{n}["floor {n}"]', f"        {' & '.join(on_it)}", "    end"]
    for room in sorted(order, key=floor.get, reverse=True):
        arrows = below[room] - set().union(*(reach[other] for other in below[room]))
        lines += [f"    {room} --> {' & '.join(sorted(arrows))}"] if arrows else []
    return "\n".join([*lines, "```"])


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        guide = ROOT / "CONTRIBUTING.md"
        guide.write_text(re.sub(r"```mermaid.*?```", picture(rooms()), guide.read_text(), flags=re.DOTALL))
    else:
        print(picture(rooms()))
