"""Every equation has its row in the paper map, and every row its tag, its function, its section and its test. What the
other texts say of odelearn is there, too."""

import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest

import odelearn

ROOT = Path(__file__).parent.parent
TAG = re.compile(r"#.*?((?:\(\d+\)(?:, )?)+)")


def tags(module):
    """The numbers (n) in comments at the ends of lines of odelearn/gradients/module.py."""
    found = set()
    for line in (ROOT / "odelearn" / "gradients" / f"{module}.py").read_text().splitlines():
        for group in TAG.findall(line):
            found |= set(re.findall(r"\((\d+)\)", group))
    return found


def rows():
    """(equation numbers or name, modules.names, (notebook, sections), tests) of each row of the table."""
    for line in (ROOT / "notebooks" / "paper_map.md").read_text().splitlines():
        if re.match(r"\| (\(|Algorithm|Figure)", line):
            equation, _, _, code, where, test = (cell.strip() for cell in line.strip("|").split("|"))
            sections = re.findall(r"(\d\d)((?:(?:, | and )\d+)*)", where)
            places = [(notebook, re.findall(r"\d+", numbers)) for notebook, numbers in sections]
            numbers = re.findall(r"\((\d+)\)", equation) or [equation]
            yield numbers, re.findall(r"`([\w.]+)`", code), places, re.findall(r"`([\w./:]+)`", test)


TEXTS = [
    *[ROOT / name for name in ("README.md", "figures/README.md", "notebooks/README.md")],
    *sorted((ROOT / "notebooks" / "src").glob("*.py")),
]
ROOMS = "|".join(path.stem for path in (ROOT / "odelearn").glob("[!_]*"))
APPENDIX_B = {str(n) for n in range(34, 53)}


def test_every_equation_has_its_row():
    mapped = [n for numbers, *_ in rows() for n in numbers]
    assert len(mapped) == len(set(mapped))
    assert set(mapped) >= APPENDIX_B | set("12345") | {"Algorithm 1", "Algorithm 2"}


def test_every_tag_has_a_row_and_every_row_of_appendix_b_a_tag():
    tagged = {n for module in ("appendix_b", "backsolve", "discrete") for n in tags(module)}
    assert APPENDIX_B <= tagged <= {n for numbers, *_ in rows() for n in numbers}


def test_every_row_names_code_sections_and_tests_that_exist():
    for _, names, places, tests in rows():
        assert names and places and tests
        for name in names:
            assert pkgutil.resolve_name(f"odelearn.{name}")
        for notebook, sections in places:
            (source,) = (ROOT / "notebooks" / "src").glob(f"{notebook}_*.py")
            assert all(f"\n# ## {section}. " in source.read_text() for section in sections), (notebook, sections)
        for test in tests:
            file, function = test.split("::")
            assert f"def {function}(" in (ROOT / "tests" / file).read_text()


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_a_text_says_of_odelearn_is_there(text):
    """Dotted names such as `solvers.odesolve.odesolve`, and files such as `solvers/odesolve.py`, from README on."""
    for quoted in re.findall(r"`([\w./]+)`", text.read_text()):
        name, path = quoted.removeprefix("odelearn."), quoted.removeprefix("odelearn/")
        if re.match(rf"({ROOMS})\.(?!py$)\w", name):
            assert pkgutil.resolve_name(f"odelearn.{name}"), quoted
        if re.match(rf"({ROOMS})(/|\.py$)", path):
            assert (ROOT / "odelearn" / path).exists(), quoted


# ---- (1) and (2), which have no line of their own in the code

NET = odelearn.MLP([2, 8, 2])
THETA, Z0 = NET.init(np.random.default_rng(1)), np.array([0.3, -0.8])


def test_1_a_residual_net_is_euler_with_step_1():
    h = Z0
    for _ in range(5):
        h = h + NET(h, 0.0, THETA)  # h_{t+1} = h_t + f(h_t, theta)
    for solve in lambda *p: odelearn.odesolve(*p).zs, odelearn.unrolled:
        np.testing.assert_allclose(solve(Z0, NET, (0.0, 5.0), THETA, odelearn.euler(n=5))[-1], h, rtol=1e-14)


def test_2_smaller_steps_tend_to_the_ode():
    """The layers come ever closer to a curve whose slope is f."""
    curve = odelearn.odesolve(Z0, NET, (0.0, 5.0), THETA, odelearn.dop853(1e-11, 1e-13))
    end = lambda n: odelearn.odesolve(Z0, NET, (0.0, 5.0), THETA, odelearn.euler(n=n)).zs[-1]
    errors = [np.abs(end(n) - curve.zs[-1]).max() for n in (100, 200, 400)]
    assert odelearn.observed_order(errors) == pytest.approx(1, abs=0.05)
    slope = (curve(2.0 + 1e-5) - curve(2.0 - 1e-5)) / 2e-5
    np.testing.assert_allclose(slope, NET(curve(2.0), 2.0, THETA), atol=1e-6)
