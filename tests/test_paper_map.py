"""Every equation tag in the code has its row in the paper map, and every row its tag, its function and its test."""

import importlib
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
TAG = re.compile(r"#.*?((?:\(\d+\)(?:, )?)+)")


def tags(module):
    """The numbers (n) in comments at the ends of lines of odelearn/module.py."""
    found = set()
    for line in (ROOT / "odelearn" / f"{module}.py").read_text().splitlines():
        for group in TAG.findall(line):
            found |= set(re.findall(r"\((\d+)\)", group))
    return found


def rows():
    """(equation numbers, modules.names, tests) of each row of the table."""
    for line in (ROOT / "notebooks" / "paper_map.md").read_text().splitlines():
        if line.startswith("| ("):
            equation, _, _, code, _, test = (cell.strip() for cell in line.strip("|").split("|"))
            yield re.findall(r"\((\d+)\)", equation), re.findall(r"`([\w.]+)`", code), re.findall(r"`([\w./:]+)`", test)


def test_every_tag_has_a_row_and_every_row_a_tag():
    tagged = {(n, module) for module in ("adjoint", "discrete") for n in tags(module)}
    mapped = {(n, name.split(".")[0]) for numbers, names, _ in rows() for n in numbers for name in names}
    assert {n for n, _ in tagged} == {n for n, _ in mapped}
    assert {n for n, _ in tagged} >= {str(n) for n in range(34, 53)}


def test_every_row_names_code_and_tests_that_exist():
    assert len(list(rows())) > 10
    for _, names, tests in rows():
        assert names and tests
        for name in names:
            found = importlib.import_module("odelearn." + name.split(".")[0])
            for part in name.split(".")[1:]:
                found = getattr(found, part)
        for test in tests:
            file, function = test.split("::")
            assert f"def {function}(" in (ROOT / "tests" / file).read_text()
