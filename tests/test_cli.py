"""The command line as a user meets it: a process with an exit status, two streams and files."""

import csv
import itertools
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from odelearn import Adam
from odelearn.__main__ import main

ROOT = Path(__file__).parent.parent
COMMAND = [sys.executable, "-m", "odelearn"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}

GOOD = "day,prey,predator\n0,30,4\n1,47,6.1\n2,70,9.8\n3,77,35\n4,36,59\n5,20,41\n6,18,19\n"
GAPS = "label,when,a,b,c\nx,0,,1,5\nx,0.5,2,NA,5.5\nx,2,2.5,1.5,nan\nx,2.25,2,2,4\nx,4,1.5,2.5,\nx,7,1,2,6\n"
OWN = """\
import numpy as np
theta0 = np.array([-0.2, 0.1])
def f(z, t, theta):
    return theta[0] * z + theta[1] * np.cos(t)
"""


def odelearn(*arguments, cwd):
    return subprocess.run([*COMMAND, *arguments], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.csv").write_text(GOOD)
    (tmp_path / "gaps.csv").write_text(GAPS)
    (tmp_path / "own.py").write_text(OWN)
    return tmp_path


@pytest.fixture
def undrawn(monkeypatch):
    """Pictures take a second each; most tests are about something else."""
    monkeypatch.setattr("odelearn.fitting.fit.draw", lambda *_: None)


# ---- fit


def test_the_main_job_needs_no_arguments_but_here_few_steps(folder):
    """It checks its gradient, shows the loss, measures, and leaves a model and a figure."""
    done = odelearn("--steps", "3", cwd=folder)
    assert done.returncode == 0
    for text in ("gradient check passed", "complex step", "R^2 of log counts", "Neural ODE", "Lotka-Volterra"):
        assert text in done.stdout
    assert "loss" in done.stderr and "3/3" in done.stderr
    assert sorted(path.name for path in (folder / "odelearn-out").iterdir()) == ["lynx_hare.npz", "lynx_hare.png"]
    assert (folder / "odelearn-out" / "lynx_hare.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_main_job_explains_nine_tenths_of_the_variance(folder, capsys):
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    (neural,) = [line for line in lines if line.startswith("Neural ODE (")]
    assert float(neural.split()[-2]) >= 0.9


@pytest.mark.parametrize(
    "arguments",
    [
        ["good.csv"],
        ["good.csv", "--model", "lotka-volterra", "--columns", "prey,predator"],
        ["good.csv", "--model", "lotka-volterra", "--log", "--beside", "linear"],
        ["good.csv", "--model", "linear", "--method", "discrete", "--solver", "dopri5:rtol=1e-4,atol=1e-6"],
        ["good.csv", "--columns", "prey", "--solver", "euler:h=0.3", "--hold-out", "0", "--no-log"],
        ["gaps.csv", "--time", "when"],  # irregular times, missing cells (the very first too), text beside: 3 columns
        ["gaps.csv", "--time", "when", "--columns", "a,b", "--log", "--model", "own.py:f", "--lr", "0.1"],
    ],
)
@pytest.mark.usefixtures("undrawn")
def test_any_series_can_be_fitted(folder, capsys, arguments):
    assert main(["fit", *arguments, "--steps", "2", "--out", "out"]) == 0
    assert "gradient check passed" in capsys.readouterr().out
    name = Path(arguments[0]).stem
    with np.load(folder / "out" / f"{name}.npz") as saved:
        assert len(saved["history"]) == 2 and np.isfinite(saved["theta"]).all()


@pytest.mark.usefixtures("undrawn")
def test_drift_of_the_adjoint_is_said_once(folder, capsys):
    """dz/dt = -20 z contracts by e^20 in the time between observations: what is rebuilt backwards is lost."""
    (folder / "stiff.py").write_text("theta0 = [-20.0]\ndef f(z, t, theta): return theta * z\n")
    options = ["--model", "stiff.py:f", "--columns", "prey", "--steps", "2", "--solver", "dopri5"]
    assert main(["fit", "good.csv", *options]) == 0
    assert capsys.readouterr().out.count("rebuilt backwards") == 1
    assert main(["fit", "good.csv", *options, "--method", "discrete"]) == 0
    assert "rebuilt backwards" not in capsys.readouterr().out


def test_the_same_seed_gives_the_same_bytes(folder):
    """Model and figure, from two processes; another seed gives others."""
    for out, seed in (("one", "7"), ("two", "7"), ("three", "8")):
        options = ["--columns", "prey", "--steps", "2", "--seed", seed, "--out", out]
        assert odelearn("fit", "good.csv", "--model", "linear", *options, cwd=folder).returncode == 0
    for name in ("good.npz", "good.png"):
        one, two, three = ((folder / out / name).read_bytes() for out in ("one", "two", "three"))
        assert one == two != three


@pytest.mark.usefixtures("undrawn")
def test_a_wrong_pullback_is_named_before_training(folder, capsys):
    """dz/dt = theta z, with a lost sign in a df/dtheta."""
    (folder / "slip.py").write_text(
        "import numpy as np\nfrom odelearn import Dynamics\ntheta0 = [-0.2]\n"
        "def vjp(z, t, theta):\n"
        "    return theta * z, lambda a: (a * theta, 0.0, np.array([-np.sum(a * z)]))\n"
        "f = Dynamics(lambda z, t, theta: theta * z, vjp)\n"
    )
    main(["fit", "good.csv", "--model", "slip.py:f", "--steps", "1"])
    out = capsys.readouterr().out
    assert "gradient check FAILED" in out and "theta: sign: gradient = -reference" in out and "may be wrong" in out


# ---- what cannot be done is said in one line


BAD = {  # content of bad.csv, arguments, words that the line must have
    "no such file": (None, [], ["bad.csv", "No such file"]),
    "empty": ("", [], ["bad.csv", "empty"]),
    "two rows": ("t,a\n1,2\n2,3\n", [], ["bad.csv", "2 rows", "3"]),
    "no such column": ("t,a\n1,2\n2,3\n3,4\n", ["--columns", "a,b"], ["bad.csv", "'b'", "t, a"]),
    "no such time": ("t,a\n1,2\n2,3\n3,4\n", ["--time", "T"], ["bad.csv", "'T'", "t, a"]),
    "text": ("t,a\n1,2\n2,three\n3,4\n", [], ["bad.csv", "row 3", "'a'", "'three'"]),
    "duplicate time": ("t,a\n1,2\n1,3\n3,4\n", [], ["bad.csv", "row 3", "'t'", "1"]),
    "unsorted times": ("t,a\n1,2\n5,3\n4,4\n", [], ["bad.csv", "row 4", "'t'", "4", "5"]),
    "missing time": ("t,a\n1,2\n,3\n3,4\n", [], ["bad.csv", "row 3", "'t'"]),
    "ragged": ("t,a\n1,2\n2,3,4\n3,4\n", [], ["bad.csv", "row 3", "3 cells"]),
    "not a logarithm": ("t,a\n1,2\n\n2,-3\n3,4\n", ["--log"], ["bad.csv", "row 4", "'a'", "-3"]),
    "column never observed": ("t,a,b\n1,,1\n2,,2\n3,,3\n4,4,4\n", ["--hold-out", "1", "--columns", "a"], ["'a'"]),
    "all held out": ("t,a\n1,2\n2,3\n3,4\n4,5\n", ["--hold-out", "2"], ["bad.csv", "2 of 4"]),
}


@pytest.mark.parametrize(("content", "arguments", "words"), BAD.values(), ids=BAD)
def test_a_bad_csv_gets_one_line_and_status_2(folder, content, arguments, words):
    if content is not None:
        (folder / "bad.csv").write_text(content)
    done = odelearn("fit", "bad.csv", *arguments, cwd=folder)
    assert done.returncode == 2 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert all(word in line for word in words), line
    assert not (folder / "odelearn-out").exists()


WRONG = {  # arguments, words that the line must have
    "unknown command": (["guess"], ["'guess'"]),
    "unknown option": (["fit", "--stepz", "3"], ["--stepz"]),
    "no steps": (["fit", "--steps", "0"], ["--steps", "'0'"]),
    "not a number": (["fit", "--lr", "fast"], ["--lr", "'fast'"]),
    "negative rate": (["fit", "--lr", "-1"], ["--lr", "'-1'"]),
    "unknown model": (["fit", "--model", "arima"], ["arima", "mlp", "FILE.py:f"]),
    "unknown baseline": (["fit", "--beside", "arima"], ["arima"]),
    "one column of two": (["fit", "--model", "lotka-volterra", "--columns", "hare"], ["2 columns", "hare"]),
    "negative counts": (["fit", "minus.csv", "--model", "lotka-volterra"], ["means", "-1"]),
    "no such model file": (["fit", "--model", "nothing.py:f"], ["nothing.py", "no such file"]),
    "broken model file": (["fit", "--model", "broken.py:f"], ["broken.py", "SyntaxError"]),
    "no f": (["fit", "--model", "own.py:g"], ["own.py", "does not define g"]),
    "no theta0": (["fit", "--model", "bare.py:f"], ["bare.py", "does not define theta0"]),
    "theta0 of text": (["fit", "--model", "text.py:f"], ["text.py", "ValueError"]),
    "theta0 a matrix": (["fit", "--model", "matrix.py:f"], ["theta0", "(1, 2)"]),
    "f of another shape": (["fit", "--model", "shape.py:f"], ["shape.py", "(3,)", "(2,)"]),
    "unknown solver": (["fit", "--solver", "rk5"], ["rk5", "rk4", "dopri5"]),
    "unknown setting": (["fit", "--solver", "rk4:m=3"], ["rk4:m=3", "n=STEPS"]),
    "setting without value": (["fit", "--solver", "dopri5:rtol"], ["rtol=R"]),
    "impossible setting": (["fit", "--solver", "rk4:n=0"], ["rk4:n=0", "at least 1"]),
    "nowhere to write": (["fit", "--out", "good.csv/out"], ["--out", "good.csv/out", "cannot write"]),
    "resume what is no model": (["fit", "--resume", "good.csv"], ["good.csv", "not a model file"]),
    "resume nothing": (["fit", "--resume", "nothing.npz"], ["nothing.npz", "No such file"]),
    "predict what is no model": (["predict", "good.csv", "--until", "9"], ["good.csv", "not a model file"]),
    "predict a directory": (["predict", ".", "--until", "9"], ["directory"]),
    "predict until when": (["predict", "good.npz"], ["--until"]),
    "spiral to nowhere": (["spiral", "--out", "good.csv"], ["--out", "good.csv"]),
}


@pytest.mark.parametrize(("arguments", "words"), WRONG.values(), ids=WRONG)
def test_wrong_arguments_get_one_line_and_status_2(folder, capsys, arguments, words):
    (folder / "minus.csv").write_text("t,a,b\n0,-1,2\n1,-1,3\n2,-1,4\n")
    (folder / "broken.py").write_text("def f(z, t, theta:\n")
    (folder / "bare.py").write_text("def f(z, t, theta): return -z\n")
    for name, theta0 in (("text", "'one'"), ("matrix", "[[1.0, 2.0]]")):
        (folder / f"{name}.py").write_text(f"theta0 = {theta0}\ndef f(z, t, theta): return -z\n")
    (folder / "shape.py").write_text("import numpy as np\ntheta0 = [1.0]\ndef f(z, t, theta): return np.zeros(3)\n")
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert all(word in line for word in words), line
    assert out == ""


def test_help_and_version_are_answered(folder, capsys):
    for arguments in (["--help"], ["fit", "--help"], ["predict", "--help"], ["spiral", "--help"], ["--version"]):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 0
    assert "--hold-out" in capsys.readouterr().out


# ---- stopping and going on


def start(*arguments, cwd, until):
    """A process whose stderr has shown `until`: training is under way."""
    with open(cwd / "stderr", "w") as stderr:
        streams = {"stdout": subprocess.PIPE, "stderr": stderr, "text": True}
        process = subprocess.Popen([*COMMAND, *arguments], cwd=cwd, env=ENVIRONMENT, **streams)
    deadline = time.monotonic() + 60
    while until not in (cwd / "stderr").read_text():
        assert process.poll() is None and time.monotonic() < deadline, (cwd / "stderr").read_text()
        time.sleep(0.05)
    return process


def test_ctrl_c_saves_what_was_learned_and_resume_goes_on(folder, capsys):
    options = ["--model", "linear", "--columns", "hare", "--beside", "none", "--steps", "100000", "--out", "out"]
    process = start("fit", *options, cwd=folder, until="loss")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    path = Path("out/lynx_hare.npz")
    assert process.returncode == 130
    assert f"Stopped by Ctrl-C. Saved in {path}" in out and f"--resume {path}" in out
    assert "Traceback" not in (folder / "stderr").read_text()
    assert (folder / "out" / "lynx_hare.png").exists()
    with np.load(path) as saved:
        before = saved["history"]
    assert len(before) > 0

    assert main(["fit", "--resume", str(path), "--steps", "2"]) == 0
    with np.load(path) as saved:
        assert np.array_equal(saved["history"][: len(before)], before)
        assert len(saved["history"]) == len(before) + 2


@pytest.mark.parametrize("moments_updated", [False, True])
def test_a_run_stopped_and_resumed_has_the_bits_of_one_never_stopped(folder, monkeypatch, moments_updated):
    """6 steps are planned; Ctrl-C comes within the third, before or after Adam has taken note of its gradient."""
    options = ["--columns", "prey", "--model", "linear", "--steps", "6", "--beside", "linear"]
    assert main(["fit", "good.csv", *options, "--out", "straight"]) == 0

    step, calls = Adam.step, itertools.count(1)

    def interrupted(self, theta, g):
        if next(calls) != 3:
            return step(self, theta, g)
        if moments_updated:
            step(self, theta, g)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Adam, "step", interrupted)
        assert main(["fit", "good.csv", *options, "--out", "stopped"]) == 130
    with np.load("stopped/good.npz") as stopped:
        assert len(stopped["history"]) == 2
    assert main(["fit", "--resume", "stopped/good.npz"]) == 0  # the 4 steps that were left
    for name in ("good.npz", "good.png"):
        assert Path("stopped", name).read_bytes() == Path("straight", name).read_bytes()


@pytest.mark.usefixtures("undrawn")
def test_ctrl_c_before_training_and_in_the_baseline_is_status_130(folder, monkeypatch, capsys):
    """The model itself is saved before anything is set beside it."""
    step, calls = Adam.step, itertools.count(1)

    def interrupted(self, theta, g):
        if next(calls) == 4:
            raise KeyboardInterrupt
        return step(self, theta, g)

    monkeypatch.setattr(Adam, "step", interrupted)
    assert main(["fit", "good.csv", "--steps", "3", "--beside", "linear", "--out", "out"]) == 130
    assert Path("out/good.npz").exists()
    monkeypatch.setattr("odelearn.fitting.fit.check_training", interrupting)
    assert main(["fit", "good.csv", "--steps", "3"]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "odelearn: stopped by Ctrl-C"


def interrupting(*_):
    raise KeyboardInterrupt


def test_a_background_job_takes_sigint_too(folder):
    """A shell starts background jobs with SIGINT ignored; here it still means: stop and save."""
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = start(
            "fit", "good.csv", "--model", "linear", "--columns", "prey", "--steps", "100000", cwd=folder, until="loss"
        )
    finally:
        signal.signal(signal.SIGINT, ignored)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130 and Path("odelearn-out/good.npz").exists()


@pytest.mark.usefixtures("undrawn")
def test_a_step_that_fails_saves_too_and_is_status_1(folder, capsys):
    """dz/dt = theta z with a rate that runs away: the solve overflows. One line says so, and where the rest is."""
    (folder / "runaway.py").write_text("theta0 = [0.1]\ndef f(z, t, theta): return theta * z\n")
    assert main(["fit", "good.csv", "--model", "runaway.py:f", "--lr", "1000", "--steps", "50", "--out", "out"]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("odelearn: step ") and "failed with" in line and line.endswith("saved in out/good.npz")
    with np.load("out/good.npz") as saved:
        assert np.isfinite(saved["theta"]).all() and len(saved["history"]) > 0


@pytest.mark.usefixtures("undrawn")
def test_resume_takes_no_other_data_or_settings(folder, capsys):
    assert main(["fit", "good.csv", "--model", "linear", "--steps", "1", "--out", "out"]) == 0
    for extra in (["good.csv"], ["--model", "mlp"], ["--hold-out", "1"], ["--no-log"]):
        assert main(["fit", *extra, "--resume", "out/good.npz"]) == 2
        assert "cannot go with --resume out/good.npz" in capsys.readouterr().err
    assert main(["fit", "--resume", "out/good.npz", "--steps", "3", "--out", "other"]) == 0
    with np.load("out/good.npz") as old, np.load("other/good.npz") as new:
        assert len(old["history"]) == 1 and len(new["history"]) == 4
        assert main(["fit", "--resume", "other/good.npz"]) == 0  # none left: as many again as were planned, 1
    with np.load("other/good.npz") as new:
        assert len(new["history"]) == 5


@pytest.mark.usefixtures("undrawn")
def test_a_model_file_that_changed_since_is_noticed(folder, capsys):
    assert main(["fit", "good.csv", "--model", "own.py:f", "--steps", "1", "--out", "out"]) == 0
    (folder / "own.py").write_text(OWN.replace("0.1]", "0.1, 3.0]"))
    assert main(["predict", "out/good.npz", "--until", "9"]) == 2
    assert "5 numbers, but 4 were saved" in capsys.readouterr().err
    (folder / "own.py").unlink()
    assert main(["predict", "out/good.npz", "--until", "9"]) == 2
    assert "no such file" in capsys.readouterr().err


# ---- predict


def table(path):
    with open(path, newline="") as file:
        header, *rows = csv.reader(file)
    return header, np.array(rows, float)


@pytest.mark.usefixtures("undrawn")
def test_predict_writes_the_curve_in_the_names_and_units_of_the_data(folder):
    """From another directory, by another process. In log coordinates or not, the file holds counts."""
    for log in ("--log", "--no-log"):
        assert main(["fit", "good.csv", "--model", "own.py:f", log, "--steps", "1", "--out", "out"]) == 0
        (folder / "elsewhere").mkdir(exist_ok=True)
        done = odelearn("predict", "../out/good.npz", "--until", "9", "--points", "10", cwd=folder / "elsewhere")
        assert done.returncode == 0 and "good_forecast.csv" in done.stdout and done.stderr == ""
        header, rows = table("out/good_forecast.csv")
        assert header == ["day", "prey", "predator"]
        assert np.array_equal(rows[:, 0], np.arange(10))
        with np.load("out/good.npz") as saved:
            start = np.exp(saved["z0"]) if log == "--log" else saved["z0"]
        assert np.array_equal(rows[0, 1:], start)


@pytest.mark.usefixtures("undrawn")
def test_a_forecast_does_not_depend_on_where_one_looks(folder):
    """`points` chooses times on one curve, made by the steps of the training: its last value is always the same."""
    assert main(["fit", "good.csv", "--solver", "rk4:n=1", "--steps", "1", "--out", "out"]) == 0
    ends = []
    for points in ("2", "31"):
        assert main(["predict", "out/good.npz", "--until", "15", "--points", points, "--out", "forecast.csv"]) == 0
        ends.append(table("forecast.csv")[1][-1])
    assert np.array_equal(*ends) and ends[0][0] == 15


@pytest.mark.usefixtures("undrawn")
def test_time_runs_both_ways(folder):
    """Before the first observation the curve is continued backwards: on dz/dt = theta cos t by the sine."""
    (folder / "sine.py").write_text(
        "import numpy as np\ntheta0 = [3.0]\ndef f(z, t, theta): return theta * np.cos(t)\n"
    )
    options = ["--model", "sine.py:f", "--columns", "prey", "--solver", "dopri5:rtol=1e-10,atol=1e-10"]
    assert main(["fit", "good.csv", *options, "--steps", "1", "--out", "out"]) == 0
    assert main(["predict", "out/good.npz", "--until", "-3", "--points", "4", "--out", "back.csv"]) == 0
    _, rows = table("back.csv")
    with np.load("out/good.npz") as saved:
        z0, theta = saved["z0"], saved["theta"]
    assert np.array_equal(rows[:, 0], [0, -1, -2, -3])
    assert np.allclose(rows[:, 1], z0 + theta * np.sin(rows[:, 0]), rtol=1e-8)


@pytest.mark.usefixtures("undrawn")
def test_a_forecast_needs_somewhere_to_go(folder, capsys):
    assert main(["fit", "good.csv", "--model", "linear", "--steps", "1", "--out", "out"]) == 0
    for extra in (["--until", "0"], ["--until", "nan"], ["--until", "inf"], ["--until", "9", "--points", "1"]):
        assert main(["predict", "out/good.npz", *extra]) == 2
        assert "two times" in capsys.readouterr().err


@pytest.mark.usefixtures("undrawn")
def test_a_forecast_that_blows_up_is_status_1(folder, capsys):
    """dz/dt = theta z^2 from z0 = 1 at t = 0 is 1 / (1 - theta t): with theta = 0.1 it ends at t = 10."""
    (folder / "blowup.csv").write_text("t,z\n0,1\n1,1.1111\n2,1.25\n3,1.4286\n9,10\n")
    (folder / "blowup.py").write_text("theta0 = [0.1]\ndef f(z, t, theta): return theta * z * z\n")
    options = ["--model", "blowup.py:f", "--solver", "dopri5", "--lr", "1e-9", "--steps", "1", "--out", "out"]
    assert main(["fit", "blowup.csv", *options]) == 0
    assert main(["predict", "out/blowup.npz", "--until", "12"]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("odelearn: ") and "t = " in line
    assert not Path("out/blowup_forecast.csv").exists()


# ---- spiral


def test_the_spirals_leave_a_picture_and_a_film(folder, capsys):
    assert main(["spiral", "--steps", "2", "--out", "out"]) == 0
    out = capsys.readouterr().out
    assert out.count("max |A_learned - A| = ") == 2 and "mean |z - z_true|" in out
    assert Path("out/spiral.png").read_bytes().startswith(b"\x89PNG")
    assert Path("out/spiral.gif").read_bytes().startswith(b"GIF89a")


@pytest.mark.slow
def test_the_linear_spiral_is_learned_to_two_hundredths(folder, capsys):
    """By Euler and by Dormand-Prince, from observations with noise 0.01."""
    assert main(["spiral", "--out", "out"]) == 0
    lines = capsys.readouterr().out.splitlines()
    errors = [float(line.split()[-1]) for line in lines if line.startswith("max |A_learned - A|")]
    assert len(errors) == 2 and max(errors) < 0.02
    assert Path("out/spiral.gif").stat().st_size < 2e6


def test_ctrl_c_ends_the_spirals(folder, monkeypatch):
    monkeypatch.setattr(Adam, "step", interrupting)
    assert main(["spiral", "--steps", "2"]) == 130


@pytest.mark.slow
def test_one_command_writes_every_figure_of_the_gallery(tmp_path, capsys):
    assert main(["figures", "--quick", "--out", str(tmp_path)]) == 0
    gallery = (ROOT / "figures" / "README.md").read_text()
    rows = re.findall(r"^\| !\[\]\((.+?)\) \|(.+)$", gallery, re.MULTILINE)
    others = re.compile(r"\d\d_|.*`benchmarks\.")  # by notebooks/build.py, and by python -m benchmarks
    own = {name for name, row in rows if not others.match(name + row)}
    assert {path.name for path in tmp_path.iterdir()} - {"lynx_hare.npz"} == own
    assert {name for name, _ in rows} == {
        path.name for path in (ROOT / "figures").iterdir() if path.suffix in (".png", ".gif")
    }
