"""What whoever carries on relies on: the picture of the floors, the walks, and the same checks in three places."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import odelearn

ROOT = Path(__file__).parent.parent
GUIDE = (ROOT / "CONTRIBUTING.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_picture_is_what_the_script_draws_from_the_imports():
    command = [sys.executable, str(ROOT / ".ci" / "floors.py")]
    drawn = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    assert drawn in GUIDE, "the imports have changed: python .ci/floors.py --write"
    assert {"dynamics --> autodiff", "gradients --> solvers"} <= set(map(str.strip, drawn.splitlines()))


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:odelearn|tests|notebooks|\.ci)/[\w./]*)`", GUIDE))))
def test_the_guide_names_files_that_exist(path):
    assert (ROOT / path).exists() or "NN_name" in path


@pytest.mark.parametrize(
    "file, name",
    [
        ("tests/test_rules.py", "ANALYTIC"),
        ("tests/test_rules.py", "REAL"),
        ("tests/test_layers.py", "FORMULAS"),
        ("tests/test_tableau.py", "KNOWN"),
        ("tests/test_methods.py", "METHODS"),
        ("tests/test_public_names.py", "FIXED"),
        ("odelearn/nn/activations.py", "TABLE"),
        ("odelearn/solvers/coefficients.py", "TABLEAUS"),
        ("odelearn/verify/compare.py", "METHODS"),
    ],
)
def test_the_tables_that_the_guide_names_are_where_it_says(file, name):
    assert f"`{name}`" in GUIDE and f"`{file}`" in GUIDE
    assert re.search(rf"^{name}\b.* = ", (ROOT / file).read_text(), re.MULTILINE)


def test_pre_commit_and_ci_run_the_same_checks():
    entries = re.findall(r"^ +entry: python (.+)$", (ROOT / ".pre-commit-config.yaml").read_text(), re.MULTILINE)
    assert entries == ["-m ruff check .", "-m ruff format --check .", "-m pytest"]
    run = (ROOT / ".ci" / "run").read_text()
    assert all(f".venv/bin/python {entry}" in run for entry in entries)


def test_the_test_extra_is_what_requirements_txt_installs():
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and line[0] not in "#."]
    extras = PROJECT["optional-dependencies"]
    assert sorted(lines) == sorted({*PROJECT["dependencies"], *extras["test"]})
    assert set(extras["scipy"]) <= set(extras["test"])


def test_version_and_licence_are_the_same_everywhere():
    citation = (ROOT / "CITATION.cff").read_text()
    assert PROJECT["version"] == odelearn.__version__
    assert f"\nversion: {odelearn.__version__}\n" in citation and f"\nlicense: {PROJECT['license']}\n" in citation
    assert f"## {odelearn.__version__}" in (ROOT / "CHANGELOG.md").read_text()
