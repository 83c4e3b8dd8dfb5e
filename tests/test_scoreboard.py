"""The scoreboard: what has not been run is never invented, and the page follows from the JSON files alone."""

import json
import os
import warnings
from pathlib import Path

import pytest
import toy_experiment
from test_jobs import runs, toy  # noqa: F401  (toy is a fixture)

from odelearn.__main__ import main
from odelearn.experiments import EXPERIMENTS, scoreboard
from odelearn.experiments.jobs import Job, jobs_of, run_jobs
from odelearn.experiments.scoreboard import markdown, page_of

ROOT = Path(__file__).parent.parent


@pytest.fixture
def board(toy):  # noqa: F811
    """A scoreboard whose only experiment is the toy, in which both methods have the same errors."""
    real = dict(EXPERIMENTS)
    EXPERIMENTS.clear()
    EXPERIMENTS["toy"] = real["toy"]
    yield toy
    EXPERIMENTS.clear()
    EXPERIMENTS.update(real)  # in their order


def cells(page):
    """The rows of all tables, but for their heads."""
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    return [row for row in rows if row[0] not in ("claim", "---")]


def test_the_command_runs_all_and_writes_the_page(board, capsys):
    assert main(["scoreboard", "--page", "page.md", "--out", "results", "--quiet"]) == 0
    assert sorted(runs(board)) == sorted((method, str(seed)) for method in toy_experiment.METHODS for seed in range(3))
    page = Path("page.md").read_text(encoding="utf-8")
    assert cells(page) == [
        ["fast is better", "here", "none", "1 +- 0.5 (3 seeds)", "does not hold", "the same numbers"]
    ]
    assert "Seeds 0, 1, 2; 6 trainings" in page and "Not run" not in page
    assert "**1 does not hold**" in page and "1 does not hold" in capsys.readouterr().out
    assert main(["scoreboard", "--page", "page.md", "--out", "results", "--quiet"]) == 0
    assert len(runs(board)) == 6 and Path("page.md").read_text(encoding="utf-8") == page


def test_rendering_runs_nothing_and_invents_nothing(board):
    assert main(["scoreboard", "--page", "page.md", "--out", "results", "--render"]) == 0
    page = Path("page.md").read_text(encoding="utf-8")
    assert not runs(board) and not Path("results").exists()
    assert [row[4] for row in cells(page)] == ["not run"] and "**1 not run**" in page
    assert "Not run: plain, seeds 0, 1, 2; fast-8, seeds 0, 1, 2." in page


def test_figures_are_drawn_of_the_first_complete_seed(board, tmp_path, capsys):
    arguments = ["scoreboard", "--page", "page.md", "--out", "results", "--quiet", "--draw", "pictures"]
    (board / "fail-plain-0").touch()
    assert main(arguments) == 1
    assert Path("pictures/toy.png").read_text() == "2" and "Drawn in" in capsys.readouterr().out
    assert main(["scoreboard", "--page", "page.md", "--out", "nothing", "--render", "--draw", "none"]) == 0
    assert not Path("none/toy.png").exists()


def test_only_seeds_that_every_method_has_are_judged(board, tmp_path):
    jobs = jobs_of("toy", range(3))
    run_jobs([job for job in jobs if job != Job("toy", "plain", 1)], tmp_path, progress=None)
    page, troubles = page_of(tmp_path)
    assert not troubles and "1 +- 0.71 (2 seeds)" in page.replace("1 +- 0.7071", "1 +- 0.71")
    assert "Seeds 0, 2; 4 trainings" in page and "fewer than 3" in page and "Not run: plain, seed 1." in page


def test_a_file_of_other_settings_counts_as_not_run_and_says_why(board, tmp_path, monkeypatch):
    run_jobs(jobs_of("toy", range(3)), tmp_path, progress=None)
    monkeypatch.setattr(toy_experiment, "LR", 0.25)
    page, _ = page_of(tmp_path)
    assert [row[4] for row in cells(page)] == ["not run"] and "'lr': 0.5" in page


def test_a_broken_file_is_no_result(board, tmp_path):
    run_jobs(jobs_of("toy", range(3)), tmp_path, progress=None)
    Job("toy", "plain", 2).path(tmp_path).write_text("{")
    page, _ = page_of(tmp_path)
    assert "cannot be read" in page and "Seeds 0, 1;" in page


def test_long_runs_have_their_own_table(board, tmp_path):
    run_jobs(jobs_of("toy", range(3)), tmp_path, progress=None)
    assert "--full" not in page_of(tmp_path)[0]
    run_jobs(jobs_of("toy", [0], full=True), tmp_path, progress=None)
    page, _ = page_of(tmp_path)
    assert "## toy --full" in page and "0.5 (1 seed)" in page and len(cells(page)) == 2


def test_claims_that_fail_do_not_take_the_page_with_them(board, monkeypatch, capsys):
    def claims(results):
        raise KeyError("error")

    monkeypatch.setattr(toy_experiment, "claims", claims)
    assert main(["scoreboard", "--page", "page.md", "--out", "results", "--quiet", "--seeds", "1"]) == 1
    assert "toy: KeyError: 'error'" in capsys.readouterr().err
    assert "not judged" in Path("page.md").read_text(encoding="utf-8")


def test_a_training_that_fails_is_status_1_and_not_run(board, capsys):
    (board / "fail-plain-1").touch()
    assert main(["scoreboard", "--page", "page.md", "--out", "results", "--quiet"]) == 1
    assert "1 of 6 trainings failed" in capsys.readouterr().err
    page = Path("page.md").read_text(encoding="utf-8")
    assert "Not run: plain, seed 1" in page and "Seeds 0, 2" in page


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["toys"], "no experiment 'toys'; there are toy"),
        (["--seeds", "0"], "--seeds"),
        (["--page", "."], "is a directory"),
        (["--dask", "tcp://127.0.0.1:9"], "no scheduler answers there"),
    ],
)
def test_wrong_arguments_are_status_2(board, capsys, monkeypatch, arguments, words):
    monkeypatch.setattr("odelearn.experiments.jobs.PATIENCE", "0.2s")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of distributed, about a scheduler that is not there
        assert main(["scoreboard", "--out", "results", *arguments]) == 2
    assert words in capsys.readouterr().err and not runs(board)


def test_a_bar_counts_the_jobs(board, capsys):
    assert main(["scoreboard", "--page", "page.md", "--out", "results"]) == 0
    assert "6/6" in capsys.readouterr().err


def test_a_bar_in_a_cell_is_escaped():
    assert markdown([("a", "b"), ("|x|", "two\nlines")]) == "| a | b |\n| --- | --- |\n| \\|x\\| | two lines |"


def test_the_page_of_the_repository_is_what_its_files_say():
    """notebooks/scoreboard.md is made by `python -m odelearn scoreboard`, from figures/scoreboard."""
    page, troubles = page_of(ROOT / "figures/scoreboard", scoreboard.SEEDS)
    assert not troubles
    assert (ROOT / "notebooks/scoreboard.md").read_text(encoding="utf-8") == page
    assert sum(path.stat().st_size for path in (ROOT / "figures/scoreboard").rglob("*")) < 6_000_000


# ---- Dask


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of distributed and what it stands on
def test_a_job_whose_worker_is_killed_is_run_again_and_nothing_is_lost(board, monkeypatch):
    """On a local cluster of two processes. The job's first run kills the process that it is in."""
    distributed = pytest.importorskip("distributed")
    (board / "kill-plain-1").touch()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT), str(ROOT / "tests"))))
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster:
        arguments = ["--page", "page.md", "--out", "results", "--quiet", "--dask", cluster.scheduler_address]
        assert main(["scoreboard", *arguments]) == 0
    page = Path("page.md").read_text(encoding="utf-8")
    assert "Seeds 0, 1, 2; 6 trainings" in page and "Not run" not in page
    assert runs(board).count(("plain", "1")) == 2 and not (board / "kill-plain-1").exists()
    assert str(os.getpid()) not in (board / "log").read_text()
    errors = {
        (job.method, job.seed): json.loads(job.path("results").read_text())["result"]["error"]
        for job in jobs_of("toy", range(3))
    }
    assert errors == {(method, seed): (seed + 1) / 2 for method in toy_experiment.METHODS for seed in range(3)}
