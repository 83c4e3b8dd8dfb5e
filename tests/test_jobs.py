"""Experiments as jobs: what is finished is a file and is kept, what fails is named, and the rest goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import toy_experiment

from odelearn.__main__ import main
from odelearn.experiments import EXPERIMENTS, jobs
from odelearn.experiments.claims import VERDICTS, Claim, by_method, judge, mean_and_spread
from odelearn.experiments.jobs import Job, jobs_of, read_record, run_jobs
from odelearn.fitting.options import UsageError
from odelearn.optim import SGD, fit


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """The folder that toy_experiment looks into, and a table of experiments that has it alone."""
    folder = tmp_path / "toy"
    folder.mkdir()
    monkeypatch.setenv("TOY", str(folder))
    monkeypatch.setitem(EXPERIMENTS, "toy", ("toy_experiment", "a toy"))
    monkeypatch.chdir(tmp_path)
    return folder


def runs(toy):
    """What was run so far, as (method, seed)."""
    path = toy / "log"
    return [tuple(line.split()[:2]) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_job_is_a_file_with_all_that_it_depends_on(toy, tmp_path):
    run_jobs([Job("toy", "fast-8", 3, full=True)], tmp_path / "out", progress=None)
    path = tmp_path / "out/toy/fast-8-seed3-full.json"
    record = json.loads(path.read_text())
    times = [record.pop("seconds"), record.pop("cpu_seconds")]
    assert all(0 <= seconds < 10 for seconds in times)
    assert set(record.pop("versions")) == {"odelearn", "numpy", "python"}
    head = {"experiment": "toy", "method": "fast-8", "seed": 3, "full": True, "settings": {"lr": 0.5, "steps": 20}}
    assert record == head | {"result": {"error": 2.0, "curve": [1, 2], "progress": False}}
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_results_are_in_the_order_of_the_jobs_and_the_same_from_a_file(toy, tmp_path):
    wanted = jobs_of("toy", [1, 0])
    assert [(job.method, job.seed) for job in wanted] == [("plain", 1), ("fast-8", 1), ("plain", 0), ("fast-8", 0)]
    fresh = run_jobs(wanted, tmp_path, progress=None)
    read = run_jobs(wanted, tmp_path, progress=None)
    assert fresh == read and len(runs(toy)) == 4 and not fresh.failures
    assert [(r["method"], r["seed"], r["error"]) for r in read.results] == [
        ("plain", 1, 1.0), ("fast-8", 1, 1.0), ("plain", 0, 0.5), ("fast-8", 0, 0.5)
    ]  # fmt: skip


def test_a_long_run_and_a_short_one_do_not_meet(toy, tmp_path):
    short, long = Job("toy", "plain", 0), Job("toy", "plain", 0, full=True)
    run_jobs([short], tmp_path, progress=None)
    run_jobs([short, long], tmp_path, progress=None)
    assert len(runs(toy)) == 2 and read_record(short, tmp_path)[0]["settings"]["steps"] == 2


BROKEN = {
    "half": ("cannot be read", lambda text: text[: len(text) // 2]),
    "empty": ("cannot be read", lambda text: ""),
    "list": ("not the file of a job", lambda text: "[1, 2]"),
    "no result": ("not the file of a job", lambda text: '{"experiment": "toy"}'),
    "seed": ("seed = 5, not 0", lambda text: text.replace('"seed": 0', '"seed": 5')),
    "settings": ("'lr': 0.25", lambda text: text.replace('"lr": 0.5', '"lr": 0.25')),
}


@pytest.mark.parametrize(("words", "break_it"), BROKEN.values(), ids=BROKEN)
def test_a_file_that_is_not_that_of_the_job_is_named_and_computed_again(toy, tmp_path, capsys, words, break_it):
    job = Job("toy", "plain", 0)
    before = run_jobs([job], tmp_path, progress=None)
    path = job.path(tmp_path)
    path.write_text(break_it(path.read_text()))
    assert run_jobs([job], tmp_path, progress=None).results[0]["error"] == before.results[0]["error"]
    told = capsys.readouterr().err
    assert str(path) in told and words in told and "computed again" in told
    assert len(runs(toy)) == 2 and read_record(job, tmp_path)[1] is None


def test_an_error_in_one_job_names_it_and_the_others_go_on(toy, tmp_path, capsys):
    (toy / "fail-plain-0").touch()
    wanted = jobs_of("toy", [0, 1])
    results, failures = run_jobs(wanted, tmp_path, progress=None)
    assert len(results) == 3 and list(failures) == [wanted[0]]
    told = capsys.readouterr().err
    assert "toy plain, seed 0" in told and "fails" in told
    traceback = wanted[0].path(tmp_path).with_suffix(".traceback")
    assert str(traceback) in told and "ZeroDivisionError" in traceback.read_text()
    (toy / "fail-plain-0").unlink()
    assert len(run_jobs(wanted, tmp_path, progress=None).results) == 4
    assert len(runs(toy)) == 5 and not traceback.exists()


def test_a_result_that_json_does_not_know_is_an_error_of_that_job(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(toy_experiment, "run", lambda *args, **kwargs: {"error": {1, 2}})
    results, failures = run_jobs([Job("toy", "plain", 0)], tmp_path, progress=None)
    assert not results and "numbers, strings, lists and dicts, got set" in failures[Job("toy", "plain", 0)]


def test_ctrl_c_keeps_what_is_finished(toy, tmp_path):
    (toy / "interrupt-plain-1").touch()
    wanted = jobs_of("toy", [0, 1])
    with pytest.raises(KeyboardInterrupt):
        run_jobs(wanted, tmp_path, progress=None)
    (toy / "interrupt-plain-1").unlink()
    assert len(run_jobs(wanted, tmp_path, progress=None).results) == 4 and len(runs(toy)) == 5


def test_a_training_that_ctrl_c_cut_short_is_no_result(toy, tmp_path, monkeypatch):
    """odelearn.fit returns then, as if it were done."""

    def run(method, seed, full, progress):
        def loss_and_grad(theta):
            raise KeyboardInterrupt

        fit(loss_and_grad, 1.0, SGD(lr=0.1), 3, progress=False)
        return {}

    monkeypatch.setattr(toy_experiment, "run", run)
    with pytest.raises(KeyboardInterrupt):
        run_jobs([Job("toy", "plain", 0)], tmp_path, progress=None)
    assert not Job("toy", "plain", 0).path(tmp_path).exists()


def test_two_processes_do_the_same(toy, tmp_path):
    (toy / "fail-plain-1").touch()
    wanted = jobs_of("toy", [0, 1])
    results, failures = run_jobs(wanted, tmp_path / "two", n_jobs=2, progress=None)
    assert list(failures) == [wanted[2]] and "fails" in failures[wanted[2]]
    assert str(os.getpid()) not in (toy / "log").read_text()
    one = run_jobs(wanted, tmp_path / "one", progress=None)
    differ = ("seconds", "cpu_seconds")
    assert [{k: v for k, v in r.items() if k not in differ} for r in results] == [
        {k: v for k, v in r.items() if k not in differ} for r in one.results
    ]


def test_what_is_missing_is_said_before_any_work(toy, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "joblib", None)
    with pytest.raises(UsageError, match=r"needs joblib: pip install 'odelearn\[scoreboard\]'"):
        run_jobs(jobs_of("toy", [0]), tmp_path, n_jobs=2, progress=None)
    with pytest.raises(UsageError, match=r"joblib: pip install 'odelearn\[dask\]'"):
        run_jobs(jobs_of("toy", [0]), tmp_path, dask="tcp://127.0.0.1:1", progress=None)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="file"):
        run_jobs(jobs_of("toy", [0]), tmp_path / "file", progress=None)
    with pytest.raises(UsageError, match="no method 'quick'; there are plain, fast-8"):
        Job("toy", "quick", 0)
    with pytest.raises(UsageError, match="no experiment 'toys'; there are .*toy"):
        Job("toys", "plain", 0)
    assert not runs(toy)


# ---- the command


def test_the_command_runs_all_methods_and_draws(toy, capsys):
    assert main(["toy", "--seed", "2", "--out", "here"]) == 0
    told = capsys.readouterr().out
    assert "plain 2: 1.50\nfast-8 2: 1.50" in told and f"Drawn in {Path('here/toy.png')}" in told
    assert (Path("here/toy.png")).read_text() == "2" and Path("here/toy/plain-seed2.json").exists()
    assert main(["toy", "--seed", "2", "--out", "here"]) == 0
    assert len(runs(toy)) == 2


def test_the_command_hands_on_what_it_is_given(toy):
    assert main(["toy", "--full", "--quiet"]) == 0
    record = json.loads(Path("odelearn-out/toy/plain-seed0-full.json").read_text())
    assert record["settings"]["steps"] == 20 and record["result"]["progress"] is False
    assert main(["toy"]) == 0
    assert json.loads(Path("odelearn-out/toy/plain-seed0.json").read_text())["result"]["progress"] is True


def test_a_failure_is_status_1_and_keeps_the_rest(toy, capsys):
    (toy / "fail-plain-0").touch()
    assert main(["toy"]) == 1
    told = capsys.readouterr()
    assert "1 of 2 methods failed" in told.err and "Drawn" not in told.out
    assert Path("odelearn-out/toy/fast-8-seed0.json").exists()


@pytest.mark.parametrize("arguments", [["--jobs", "0"], ["--seed", "-1"], ["--seed", "x"], ["--out", "toy/log/x"]])
def test_wrong_arguments_are_status_2_and_nothing_is_run(toy, capsys, arguments):
    (toy / "log").touch()
    assert main(["toy", *arguments]) == 2
    assert arguments[0] in capsys.readouterr().err and not runs(toy)


CHILD = """
import sys
from odelearn.__main__ import main
from odelearn.experiments import EXPERIMENTS
EXPERIMENTS["toy"] = ("toy_experiment", "a toy")
sys.exit(main(["toy", *sys.argv[1:]]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_sigterm_in_the_middle_is_status_130_and_keeps_the_finished_file(toy, tmp_path, jobs):
    """Here the file of one method is there already, and the other waits."""
    run_jobs([Job("toy", "plain", 0)], tmp_path / "odelearn-out", progress=None)
    (toy / "wait").touch()
    paths = os.pathsep.join(str(path) for path in (Path(__file__).parent.parent, Path(__file__).parent))
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, "--jobs", jobs], env=os.environ | {"PYTHONPATH": paths}, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while len(runs(toy)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    told = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 130 and "stopped by SIGTERM" in told
    assert [path.name for path in (tmp_path / "odelearn-out/toy").iterdir()] == ["plain-seed0.json"]


# ---- the table, and claims


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_has_the_form_that_jobs_asks_for(name):
    module = jobs.module_of(name)
    assert all(callable(getattr(module, part)) for part in ("settings", "run", "draw", "table", "claims"))
    assert len(set(module.METHODS)) == len(module.METHODS) > 0
    for job in jobs_of(name, [0]):
        assert job.head()["settings"] == jobs.as_json(module.settings(job.method, full=False))
        assert set(job.path("x").name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def test_a_claim_has_one_of_three_verdicts():
    row = dict.fromkeys(("claim", "where", "paper", "ours", "why"), "x")
    assert all(Claim(**row, verdict=verdict).verdict == verdict for verdict in VERDICTS)
    with pytest.raises(ValueError, match="verdict must be one of 'holds', .* got 'true'"):
        Claim(**row, verdict="true")
    with pytest.raises(TypeError, match="ours of a Claim must be a string, got 0.3"):
        Claim(**row | {"ours": 0.3}, verdict="holds")


def test_the_verdict_follows_from_the_seeds():
    assert judge([1e-9, 1]) == "holds" and judge([0.0, 1]) == "holds weakly" and judge([-1, 2]) == "holds weakly"
    assert judge([-1, 1]) == judge([-2, 1]) == judge([float("nan"), 9]) == judge([0.0]) == "does not hold"
    with pytest.raises(ValueError, match="at least one seed"):
        judge([])


def test_mean_and_spread():
    assert mean_and_spread([1, 3, 5]) == "3 +- 2 (3 seeds)"  # the deviations -2, 0, 2; n - 1 = 2
    assert mean_and_spread([118, 373, 628]) == "373 +- 260 (3 seeds)"
    assert mean_and_spread([0.012345], unit=" s") == "0.0123 s (1 seed)"
    with pytest.raises(ValueError, match="at least one seed"):
        mean_and_spread([])


def test_results_by_method_stand_in_the_order_of_the_seeds():
    results = [{"method": m, "seed": s} for s in (2, 0, 1) for m in "ba"]
    assert {m: [r["seed"] for r in rs] for m, rs in by_method(results).items()} == {"a": [0, 1, 2], "b": [0, 1, 2]}
