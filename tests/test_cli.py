"""The command line as a user meets it: a process with an exit status, two streams and files."""

import csv
import errno
import itertools
import json
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
from odelearn.fitting.model_file import is_own
from odelearn.fitting.predict import predict

ROOT = Path(__file__).parent.parent
COMMAND = [sys.executable, "-m", "odelearn"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "TQDM_MININTERVAL": "0.05", "PYTHONUNBUFFERED": ""}

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
    assert "Beside it, by the same code: Lotka-Volterra, 4 parameters" in done.stdout
    assert "Drawn in odelearn-out/lynx_hare.png" in done.stdout
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
def test_a_run_stopped_and_resumed_has_the_bits_of_one_never_stopped(folder, capsys, monkeypatch, moments_updated):
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
    assert "the model after 2 steps, the last of which looked at 4 rows. To go on:" in capsys.readouterr().out
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


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_sigterm_and_sighup_are_treated_like_ctrl_c(folder, name):
    options = ["--model", "linear", "--columns", "prey", "--steps", "100000"]
    process = start("fit", "good.csv", *options, cwd=folder, until="loss")
    process.send_signal(getattr(signal, name))
    out, _ = process.communicate(timeout=60)
    path = Path("odelearn-out/good.npz")
    assert process.returncode == 130
    assert f"Stopped by {name}. Saved in {path}" in out and f"--resume {path}" in out
    assert "Traceback" not in (folder / "stderr").read_text()
    with np.load(path) as arrays:
        assert len(arrays["history"]) > 0


def test_a_process_that_ignores_sighup_goes_on(folder, monkeypatch):
    """That is what nohup is for; and afterwards all handlers are what they were."""
    monkeypatch.setattr("odelearn.fitting.fit.draw", lambda *_: os.kill(os.getpid(), signal.SIGHUP))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert main(["fit", "good.csv", "--model", "linear", "--steps", "1"]) == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert main(["fit", "good.csv", "--model", "linear", "--steps", "1"]) == 130  # now it is not ignored
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


class Killed(BaseException):
    """As a process ends that is killed: nothing is done about it."""


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("lr", ["0.01", "0.3"])
def test_a_run_that_is_killed_goes_on_from_the_last_save_with_the_same_bits(folder, monkeypatch, lr):
    """Saved between two steps, and killed within the fourth; another seed, so that the state is not a default one."""
    options = ["--columns", "prey", "--model", "mlp", "--steps", "6", "--lr", lr, "--seed", "5"]
    assert main(["fit", "good.csv", *options, "--out", "straight"]) == 0
    step, calls = Adam.step, itertools.count(1)

    def killed(self, theta, g):
        if next(calls) == 4:
            raise Killed
        return step(self, theta, g)

    with monkeypatch.context() as patch:
        patch.setattr(Adam, "step", killed)
        patch.setattr("odelearn.fitting.training.SAVE_EVERY", 0.0)
        with pytest.raises(Killed):
            main(["fit", "good.csv", *options, "--out", "killed"])
    with np.load("killed/good.npz") as arrays:
        assert len(arrays["history"]) == 3
    assert main(["fit", "--resume", "killed/good.npz"]) == 0
    assert Path("killed/good.npz").read_bytes() == Path("straight/good.npz").read_bytes()


@pytest.mark.usefixtures("undrawn")
def test_the_model_is_saved_at_least_every_minute(folder, monkeypatch):
    """By a clock on which a step takes 22 seconds; the end of the training is not counted."""
    now, saves = itertools.count(0, 22), []
    monkeypatch.setattr("odelearn.fitting.training.time.monotonic", lambda: clock[0])
    clock = [0.0]
    step = Adam.step

    def slow_step(self, theta, g):
        clock[0] = float(next(now))
        return step(self, theta, g)

    from odelearn.fitting import fit as module

    save_model = module.save_model
    monkeypatch.setattr(Adam, "step", slow_step)
    monkeypatch.setattr(module, "save_model", lambda *args: (saves.append(clock[0]), save_model(*args)))
    assert main(["fit", "good.csv", "--model", "linear", "--steps", "20", "--out", "out"]) == 0
    assert len(saves) >= 5 and saves[0] <= 60 and np.diff(saves).max() <= 60


# ---- nothing learned is lost


def full_disk(monkeypatch, directory, real=np.savez):
    """Every model that is written below `directory` fails as on a full disk."""

    def savez(file, **arrays):
        if Path(file.name).resolve().is_relative_to(directory.resolve()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(file, **arrays)

    monkeypatch.setattr(np, "savez", savez)


@pytest.fixture
def other_places(tmp_path_factory, monkeypatch):
    """The temporary directory and the home directory, outside of the working directory."""
    places = [tmp_path_factory.mktemp("temporary"), tmp_path_factory.mktemp("home")]
    monkeypatch.setattr("tempfile.tempdir", str(places[0]))
    monkeypatch.setenv("HOME", str(places[1]))
    return places


@pytest.mark.usefixtures("undrawn")
def test_a_model_that_cannot_be_saved_goes_to_a_second_place(folder, capsys, monkeypatch, other_places):
    full_disk(monkeypatch, folder)
    assert main(["fit", "good.csv", "--model", "linear", "--steps", "2", "--out", "out"]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    (second,) = other_places[0].rglob("good.npz")
    assert "out/good.npz: No space left on device" in line and line.endswith(f"the model is in {second}")
    assert main(["fit", "--resume", str(second), "--steps", "1"]) == 0
    assert not Path("out/good.npz").exists() and list(Path("out").iterdir()) == []


@pytest.mark.usefixtures("undrawn")
def test_a_model_goes_to_a_third_place_and_a_step_that_failed_says_where(folder, capsys, monkeypatch, other_places):
    (folder / "runaway.py").write_text("theta0 = [0.1]\ndef f(z, t, theta): return theta * z\n")
    full_disk(monkeypatch, folder)
    other_places[0].rmdir()
    options = ["--model", "runaway.py:f", "--lr", "1000", "--steps", "50", "--out", "out"]
    assert main(["fit", "good.csv", *options]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    (third,) = other_places[1].rglob("good.npz")
    assert "No space left" in line and line.endswith(f"saved in {third}")


@pytest.mark.usefixtures("undrawn")
def test_a_disk_that_is_full_for_a_while_does_not_end_the_training(folder, capsys, monkeypatch):
    from odelearn.fitting import fit as module

    save_model, calls = module.save_model, itertools.count(1)

    def sometimes(*args):
        if next(calls) < 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save_model(*args)

    monkeypatch.setattr(module, "save_model", sometimes)
    monkeypatch.setattr("odelearn.fitting.training.SAVE_EVERY", 0.0)
    assert main(["fit", "good.csv", "--model", "linear", "--steps", "5", "--out", "out"]) == 0
    assert capsys.readouterr().err.count("No space left on device; training goes on") == 2
    with np.load("out/good.npz") as arrays:
        assert len(arrays["history"]) == 5


@pytest.mark.parametrize("name", ["good.npz", "good.png"])
def test_a_directory_in_the_place_of_an_output_is_found_before_training(folder, capsys, monkeypatch, name):
    monkeypatch.setattr("odelearn.fitting.fit.train", interrupting)
    (folder / "out" / name).mkdir(parents=True)
    line = fails(capsys, "fit", "good.csv", "--steps", 1, "--out", "out")
    assert f"out/{name} is a directory" in line


def test_a_forecast_that_cannot_be_written_is_refused_before_the_work(folder, capsys, undrawn, monkeypatch):
    assert main(["fit", "good.csv", "--model", "linear", "--steps", "1", "--out", "out"]) == 0
    monkeypatch.setattr("odelearn.fitting.forecast.odesolve", interrupting)
    assert "cannot write" in fails(capsys, "predict", "out/good.npz", "--until", 9, "--out", "good.csv/f.csv")
    assert "is a directory" in fails(capsys, "predict", "out/good.npz", "--until", 9, "--out", "out")


STUDIES = {"spiral": "spiral.gif", "compare": "gradients.png", "audit": "work_precision.png"}


@pytest.mark.parametrize(("command", "name"), STUDIES.items(), ids=STUDIES)
def test_the_studies_look_at_their_outputs_first(folder, capsys, command, name):
    (folder / "out" / name).mkdir(parents=True)
    line = fails(capsys, command, "--out", "out")
    assert f"out/{name} is a directory" in line


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


# ---- a saved model with a Python file of its own


def fails(capsys, *arguments):
    """The one line that a command says when it refuses."""
    capsys.readouterr()
    assert main([*map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    return line


TELLTALE = "import pathlib\npathlib.Path(__file__).with_name('was_run').touch()\n" + OWN


@pytest.fixture
def saved(folder, capsys, undrawn):
    """A saved model of own.py:f, which leaves a file whenever it is run; not run since."""
    (folder / "own.py").write_text(TELLTALE)
    assert main(["fit", "good.csv", "--model", "own.py:f", "--steps", "2", "--out", "out"]) == 0
    (folder / "was_run").unlink()
    capsys.readouterr()
    return Path("out/good.npz")


AGAIN = (["predict", "out/good.npz", "--until", "9"], ["fit", "--resume", "out/good.npz", "--steps", "1"])


@pytest.mark.parametrize("command", AGAIN, ids=["predict", "resume"])
def test_a_saved_model_runs_no_file_unless_it_is_named_again_or_trusted(folder, saved, capsys, command):
    line = fails(capsys, *command)
    assert not Path("was_run").exists()
    assert "--trust" in line and f"--model {folder / 'own.py'}:f" in line
    for consent in (["--trust"], ["--model", "own.py:f"]):
        assert main([*command, *consent]) == 0
        assert f"Running {folder / 'own.py'}" in capsys.readouterr().out
        Path("was_run").unlink()


@pytest.mark.parametrize("command", AGAIN, ids=["predict", "resume"])
def test_a_file_that_changed_since_is_run_only_if_named_and_trusted(folder, saved, capsys, command):
    (folder / "own.py").write_text(TELLTALE.replace("np.cos", "np.sin"))
    for consent in (["--trust"], ["--model", "own.py:f"]):
        line = fails(capsys, *command, *consent)
        assert "own.py has changed (its sha256 is " in line and "--trust" in line
        assert not Path("was_run").exists()
    assert main([*command, "--model", "own.py:f", "--trust"]) == 0
    assert Path("was_run").exists() and "although" in capsys.readouterr().out
    if command[0] == "fit":  # from now on this is the file
        assert main([*command, "--trust"]) == 0


def test_a_file_that_moved_is_found_again(folder, saved, capsys):
    (folder / "elsewhere").mkdir()
    (folder / "own.py").rename("elsewhere/renamed.py")
    assert "no such file" in fails(capsys, "predict", saved, "--until", 9, "--trust")
    assert main(["predict", str(saved), "--until", "9", "--model", "elsewhere/renamed.py:f"]) == 0


def test_another_function_or_model_is_not_the_saved_one(folder, saved, capsys):
    (folder / "own.py").write_text(TELLTALE + "g = f\n")
    line = fails(capsys, "predict", saved, "--until", 9, "--model", "own.py:g")
    assert "the model was" in line and "own.py:g" in line
    assert "mlp" in fails(capsys, "predict", saved, "--until", 9, "--model", "mlp")
    (folder / "own.py").write_text(OWN.replace("0.1]", "0.1, 3.0]"))
    assert "5 numbers, but 4 were saved" in fails(
        capsys, "predict", saved, "--until", 9, "--model", "own.py:f", "--trust"
    )


@pytest.mark.usefixtures("undrawn")
def test_a_model_of_a_built_in_kind_takes_no_file(folder, capsys):
    assert main(["fit", "good.csv", "--model", "linear", "--steps", "1", "--out", "out"]) == 0
    assert "cannot go with" in fails(capsys, "predict", "out/good.npz", "--until", 9, "--model", "own.py:f")
    assert main(["predict", "out/good.npz", "--until", "9"]) == 0
    assert "--trust goes with --resume" in fails(capsys, "fit", "good.csv", "--trust")


@pytest.mark.usefixtures("undrawn")
def test_a_baseline_from_a_file_needs_consent_too(folder, capsys):
    options = ["--model", "linear", "--beside", "own.py:f", "--steps", "2", "--out", "out"]
    assert main(["fit", "good.csv", *options]) == 0
    resume = ["fit", "--resume", "out/good.npz", "--steps", "1"]
    assert f"--beside {folder / 'own.py'}:f" in fails(capsys, *resume)
    assert main([*resume, "--beside", "own.py:f"]) == 0
    (folder / "own.py").write_text(OWN + "\n")
    assert "has changed" in fails(capsys, *resume, "--trust")


@pytest.mark.usefixtures("undrawn")
def test_a_model_file_may_import_its_neighbour_which_is_watched_too(folder, capsys):
    """Two folders, each with a neighbour of the same name: each model has its own."""
    for name, rate in (("one", "-0.2"), ("two", "-0.3")):
        (folder / name).mkdir()
        (folder / name / "neighbour.py").write_text(f"rate = {rate}\n")
        (folder / name / "own.py").write_text(
            "from neighbour import rate\ntheta0 = [rate]\ndef f(z, t, theta): return theta * z\n"
        )
        assert (
            main(["fit", "good.csv", "--model", f"{name}/own.py:f", "--lr", "1e-9", "--steps", "1", "--out", name]) == 0
        )
        with np.load(f"{name}/good.npz") as arrays:
            assert np.isclose(arrays["theta"][0], float(rate), rtol=1e-6)
    assert "neighbour" not in sys.modules
    (folder / "one" / "neighbour.py").write_text("rate = -0.4\n")
    assert "neighbour.py has changed" in fails(capsys, "predict", "one/good.npz", "--until", 9, "--trust")


@pytest.mark.usefixtures("undrawn")
def test_libraries_that_a_model_file_imports_are_not_its_own(folder, monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    (folder / "own.py").write_text("import colorsys\n" + OWN)
    assert main(["fit", "good.csv", "--model", "own.py:f", "--steps", "1", "--out", "out"]) == 0
    assert "colorsys" in sys.modules
    with np.load("out/good.npz") as arrays:
        assert json.loads(str(arrays["settings"]))["sources"]["model"].keys() == {"own.py"}
    assert is_own(folder / "a" / "b.py", folder) and not is_own(folder.parent / "b.py", folder)
    assert not is_own(ROOT / "odelearn" / "optim.py", ROOT)  # a model file may stand beside odelearn
    assert not is_own(folder / ".venv" / "lib" / "site-packages" / "numpy.py", folder)


LINES = {  # a model file, the arguments, words that the line must have
    "at the top": ("import numpy as np\n\ntheta0 = np.array([missing])\n", ["own.py, line 3: NameError"]),
    "syntax": ("theta0 = [1.0]\ndef f(z, t, theta:\n", ["SyntaxError", "line 2"]),
    "in f": ("theta0 = [1.0]\n\ndef f(z, t, theta):\n    return theta[7] * z\n", ["own.py, line 4: ValueError"]),
    "in a helper": (
        "theta0 = [1.0]\ndef g(z):\n    raise RuntimeError('no')\ndef f(z, t, theta):\n    return g(z)\n",
        ["own.py, line 3: RuntimeError: no"],
    ),
    "in a neighbour": ("import neighbour\ntheta0 = [1.0]\n", ["neighbour.py, line 2: ZeroDivisionError"]),
    "it exits": ("import sys\nsys.exit('done')\n", ["own.py, line 2: SystemExit: done"]),
}


@pytest.mark.parametrize(("text", "words"), LINES.values(), ids=LINES)
def test_an_error_in_a_model_file_carries_its_line(folder, capsys, text, words):
    (folder / "neighbour.py").write_text("\n1 / 0\n")
    (folder / "own.py").write_text(text)
    line = fails(capsys, "fit", "good.csv", "--model", "own.py:f")
    assert all(word in line for word in words), line


@pytest.mark.usefixtures("undrawn")
def test_an_error_in_a_model_file_after_training_carries_its_line(folder, capsys):
    """In the rows held out, and in a forecast: f raises after the last of the rows to learn from, at t = 5."""
    (folder / "own.py").write_text(
        "theta0 = [0.1]\n\ndef f(z, t, theta):\n"
        "    if t > 5.1:\n        raise ValueError('too late')\n    return theta * z\n"
    )
    assert main(["fit", "good.csv", "--model", "own.py:f", "--steps", "2", "--out", "out"]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line == "odelearn: own.py, line 5: ValueError: too late"
    assert main(["predict", "out/good.npz", "--until", "5", "--trust"]) == 0
    capsys.readouterr()
    assert main(["predict", "out/good.npz", "--until", "9", "--trust"]) == 1
    assert capsys.readouterr().err == "odelearn: own.py, line 5: ValueError: too late\n"


@pytest.mark.usefixtures("undrawn")
def test_an_error_in_a_model_file_during_training_carries_its_line(folder, capsys):
    (folder / "own.py").write_text(
        "theta0 = [0.1]\n\ndef f(z, t, theta):\n"
        "    if theta[0] > 1:\n        raise ValueError('theta is too large')\n    return theta * z\n"
    )
    assert main(["fit", "good.csv", "--model", "own.py:f", "--lr", "1", "--steps", "50", "--out", "out"]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert "theta is too large" in line and "own.py, line 5" in line and line.endswith("saved in out/good.npz")


# ---- a run that ends worse than the mean


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("steps", ["600", "20"])
def test_a_learning_rate_that_blows_up_is_status_3(folder, capsys, steps):
    assert main(["fit", "good.csv", "--lr", "30", "--steps", steps, "--out", "out"]) == 3
    out, err = capsys.readouterr()
    line = err.splitlines()[-1]
    assert line.startswith("odelearn: the model ends worse than the mean") and "--lr (it was 30)" in line
    score = float(re.search(r"R\^2 = (\S+) in sample", line)[1])
    (row,) = [row for row in out.splitlines() if row.startswith("Neural ODE (")]
    assert score < 0 and float(row.split()[-2]) == pytest.approx(score, rel=1e-2)
    assert Path("out/good.npz").exists()


@pytest.mark.usefixtures("undrawn")
def test_a_short_run_may_end_worse_than_the_mean_but_says_so(folder, capsys):
    assert main(["fit", "good.csv", "--steps", "2", "--out", "out"]) == 0
    assert "worse than the mean of each column" in capsys.readouterr().out


@pytest.mark.usefixtures("undrawn")
def test_a_long_run_that_stays_worse_than_the_mean_is_status_3_although_it_improved(folder, capsys):
    options = ["good.csv", "--lr", "1e-6", "--out", "out"]
    assert main(["fit", *options, "--steps", "99"]) == 0
    assert main(["fit", *options, "--steps", "100"]) == 3
    assert main(["fit", "good.csv", "--steps", "150", "--out", "out"]) == 0
    assert "worse than" not in capsys.readouterr().out.rpartition("R^2")[2]


@pytest.mark.usefixtures("undrawn")
def test_a_training_that_has_not_looked_at_all_rows_is_not_judged(folder, capsys, monkeypatch):
    """Stopped after 3 of 100 steps, and resumed for 3 more, with a rate that makes it worse by far."""
    step, calls = Adam.step, itertools.count(1)

    def interrupted(self, theta, g):
        if next(calls) == 4:
            raise KeyboardInterrupt
        return step(self, theta, g)

    monkeypatch.setattr(Adam, "step", interrupted)
    options = ["--model", "linear", "--lr", "5", "--steps", "100", "--out", "out"]
    assert main(["fit", "good.csv", *options]) == 130
    assert main(["fit", "--resume", "out/good.npz", "--steps", "3"]) == 0
    scores = [float(line.split()[-2]) for line in capsys.readouterr().out.splitlines() if line.startswith("linear (")]
    assert 1 - scores[1] > 2 * (1 - scores[0])


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
        options = ["--until", "9", "--points", "10", "--model", "../own.py:f"]
        done = odelearn("predict", "../out/good.npz", *options, cwd=folder / "elsewhere")
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
    assert main(["predict", "out/good.npz", "--until", "-3", "--points", "4", "--out", "back.csv", "--trust"]) == 0
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


@pytest.fixture(scope="module")
def linear_bytes(tmp_path_factory):
    directory = tmp_path_factory.mktemp("linear")
    (directory / "good.csv").write_text(GOOD)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("odelearn.fitting.fit.draw", lambda *_: None)
        options = ["--model", "linear", "--steps", "1", "--out", str(directory)]
        assert main(["fit", str(directory / "good.csv"), *options]) == 0
    return (directory / "good.npz").read_bytes()


@pytest.fixture
def linear(folder, undrawn, linear_bytes):
    """A saved model of good.csv, whose times are 0, 1, ..., 6, with 2 steps of RK4 an interval."""
    Path("out").mkdir()
    Path("out/good.npz").write_bytes(linear_bytes)
    return Path("out/good.npz")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--until", "1e12"], ["--until 1e+12", "2e+12 steps", "10,000,000", "6"]),
        (["--until=-1e12"], ["--until -1e+12", "2e+12 steps"]),
        (["--until", "1.7e308"], ["--until 1.7e+308", "steps"]),
        (["--until", "5000001"], ["1e+07 steps"]),
        (["--until", "9", "--points", "1000000000"], ["--points 1000000000", "60 GB", "10,000,000"]),
        (["--until", "9", "--points", "10000001"], ["--points 10000001", "0.6 GB"]),
    ],
)
def test_a_forecast_too_long_is_refused_at_once(linear, capsys, monkeypatch, arguments, words):
    monkeypatch.setattr("odelearn.fitting.forecast.odesolve", interrupting)
    monkeypatch.setattr(np, "linspace", interrupting)
    line = fails(capsys, "predict", linear, *arguments)
    assert all(word in line for word in words), line


def test_the_limits_are_where_they_are_said_to_be(linear, monkeypatch):
    from odelearn.fitting import predict as module

    written = []
    monkeypatch.setattr(module, "write_forecast", lambda path, training, times, ks: written.extend(map(len, times)))
    assert main(["predict", str(linear), "--until", "5000000", "--points", "10000000"]) == 0
    assert written == [10_000_000]


@pytest.mark.usefixtures("undrawn")
def test_steps_too_many_for_a_training_are_refused_at_once(folder, capsys, monkeypatch):
    """5 intervals to learn from, over a time of 5."""
    monkeypatch.setattr("odelearn.fitting.gradient_check.grad", interrupting)
    for solver, steps in (("rk4:n=200001", "1e+06"), ("rk4:h=4.9e-6", "1.02e+06"), ("euler:h=1e-300", "5e+300")):
        line = fails(capsys, "fit", "good.csv", "--solver", solver)
        assert f"--solver {solver}: every solve would take {steps} steps, at most 1,000,000" in line
    assert main(["fit", "good.csv", "--solver", "rk4:n=200000"]) == 130  # as far as the first gradient


@pytest.mark.parametrize(("given", "used"), [(None, "2"), ("0.5", "0.5")])
def test_a_log_file_gets_fewer_bars_than_a_screen(linear, monkeypatch, given, used):
    monkeypatch.setenv("TQDM_MININTERVAL", given or "")
    if given is None:
        del os.environ["TQDM_MININTERVAL"]
    assert main(["predict", str(linear), "--until", "9"]) == 0
    assert os.environ["TQDM_MININTERVAL"] == used


def test_a_long_forecast_shows_a_bar_and_a_short_one_does_not(linear, capsys, monkeypatch):
    assert main(["predict", str(linear), "--until", "9"]) == 0
    assert capsys.readouterr().err == ""
    from odelearn.fitting import predict as module

    bar = module.progress_bar
    monkeypatch.setattr(module, "progress_bar", lambda **options: bar(**options | {"delay": 0}))
    assert main(["predict", str(linear), "--until", "9"]) == 0
    assert "100%|" in capsys.readouterr().err


@pytest.mark.parametrize("until", ["40", "-40"])
def test_a_forecast_in_pieces_has_the_bits_of_one_in_one_piece(linear, monkeypatch, until):
    """Pieces of 6 steps, that is 3 intervals, and points in parts of 60, some of them on the ends of pieces."""
    options = ["--until", until, "--points", "401"]
    assert main(["predict", str(linear), *options, "--out", "whole.csv"]) == 0
    monkeypatch.setattr("odelearn.fitting.forecast.PIECE", 6)
    assert main(["predict", str(linear), *options, "--out", "pieces.csv"]) == 0
    assert Path("pieces.csv").read_bytes() == Path("whole.csv").read_bytes()
    assert len(Path("whole.csv").read_text().splitlines()) == 402


# ---- a model file that was altered


def altered(path, **changes):
    """The model file again, with changes: arrays, or settings as settings__name."""
    with np.load(path) as file:
        arrays = dict(file)
    settings = json.loads(str(arrays["settings"]))
    for key, value in changes.items():
        if key.startswith("settings__"):
            settings[key.removeprefix("settings__")] = value
        elif key.startswith("series__"):
            settings["series"][key.removeprefix("series__")] = value
        elif value is None:
            del arrays[key]
        else:
            arrays[key] = value(arrays[key]) if callable(value) else value
    np.savez("altered.npz", **arrays | {"settings": json.dumps(settings)})
    return Path("altered.npz")


def with_nan(x):
    x = x.copy()
    x[-1] = np.nan
    return x


ALTERED = {
    "a part lost": ({"p": None}, "'p'"),
    "times not in order": ({"ts": lambda ts: ts[::-1]}, "ts are not times that increase"),
    "times of another length": ({"ts": lambda ts: ts[:-1]}, "ys are not 2 columns of 6 numbers"),
    "a time missing": ({"ts": with_nan}, "ts are not times that increase"),
    "values infinite": ({"ys": lambda ys: ys + np.inf}, "ys are not 2 columns"),
    "no values": ({"ys": lambda ys: ys * np.nan}, "ys have a column without values to learn from"),
    "p not finite": ({"p": with_nan}, "p is not finite"),
    "text for numbers": ({"p": np.array(["a", "b"])}, "could not convert"),
    "theta changed": ({"theta": lambda theta: theta + 1}, "z0 and theta are not those in p"),
    "z0 changed": ({"z0": lambda z0: z0 + 1}, "z0 and theta are not those in p"),
    "moments of another shape": ({"adam_m": np.zeros(3)}, "adam_m has shape (3,)"),
    "moments not finite": ({"adam_v": with_nan}, "adam_v is not finite"),
    "moments lost": ({"adam_v": None}, "'v'"),
    "another number of steps": ({"adam_t": np.array(7)}, "adam_t = 7.0 after 1 steps"),
    "history not finite": ({"history": with_nan}, "history is not finite"),
    "no such solver": ({"settings__solver": "rk5"}, "no solver 'rk5'"),
    "no such method": ({"settings__method": "guess"}, "no method 'guess'"),
    "no such rate": ({"settings__lr": -1}, "lr must be positive"),
    "no such seed": ({"settings__seed": -1}, "seed"),
    "no such number of steps": ({"settings__planned": 0}, "planned = 0"),
    "a model without a name": ({"settings__model": 7}, "no names"),
    "settings of another program": ({"settings__epochs": 7}, "epochs"),
    "sources lost": ({"settings__sources": {}}, "sources"),
    "all held out": ({"series__hold_out": 5}, "hold_out = 5 of 7 rows"),
    "less than nothing held out": ({"series__hold_out": -1}, "hold_out = -1 of 7 rows"),
    "no columns": ({"series__columns": []}, "ys are not 0 columns"),
    "columns without names": ({"series__columns": [1, 2]}, "the names are not text"),
    "logarithms of what": ({"series__log": "yes"}, "log is not true or false"),
    "logarithms of nothing": ({"series__log": True, "ys": lambda ys: 0 * ys}, "values that have no logarithm"),
    "another kind of series": ({"series__unit": "day"}, "unit"),
    "another model": ({"settings__model": "mlp"}, "mlp has 84 numbers, but 8 were saved"),
    "no such model": ({"settings__model": "arima"}, "arima"),
}


@pytest.mark.parametrize(("changes", "words"), ALTERED.values(), ids=ALTERED)
def test_an_altered_model_file_gets_one_line(linear, capsys, changes, words):
    altered(linear, **changes)
    for command in (["predict", "altered.npz", "--until", 9], ["fit", "--resume", "altered.npz"]):
        line = fails(capsys, *command)
        assert words in line and "Traceback" not in line, line


@pytest.mark.usefixtures("undrawn")
def test_the_shortest_series_can_be_saved_and_read(folder):
    """3 rows, none held out."""
    (folder / "short.csv").write_text("t,a\n0,1\n1,2\n2,3\n")
    assert main(["fit", "short.csv", "--model", "linear", "--hold-out", "0", "--steps", "1", "--out", "out"]) == 0
    assert main(["predict", "out/short.npz", "--until", "9"]) == predict("out/short.npz", 9, out="same.csv") == 0
    assert len(table("out/short_forecast.csv")[1]) == len(table("same.csv")[1]) == 201


def test_a_model_file_that_was_not_altered_is_read(linear):
    assert main(["predict", str(altered(linear)), "--until", "9"]) == 0


# ---- streams that are closed


def shell(command, cwd):
    """A command of bash, in which $RUN is python -m odelearn with stdout buffered as usual."""
    return subprocess.run(
        ["bash", "-c", command], cwd=cwd, env=ENVIRONMENT | {"RUN": " ".join(COMMAND)}, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip


@pytest.mark.usefixtures("undrawn")
def test_a_broken_pipe_gets_one_line(folder):
    """The reader has gone before anything is written: at the end of a forecast, at the beginning of a training."""
    assert main(["fit", "good.csv", "--model", "linear", "--steps", "2", "--out", "out"]) == 0
    for arguments in ("fit good.csv", "predict out/good.npz --until 9"):
        done = shell(f"$RUN {arguments} | true; exit ${{PIPESTATUS[0]}}", folder)
        assert done.stderr == "odelearn: nobody reads the output any more (broken pipe)\n"
        assert done.returncode == 1


def test_a_full_disk_behind_stdout_gets_one_line(folder):
    done = shell("$RUN fit good.csv --model linear --steps 2 >/dev/full", folder)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and "No space left" in done.stderr


def test_without_stderr_there_is_no_bar_and_the_one_line_is_on_stdout(folder):
    done = shell("$RUN fit good.csv --model linear --steps 2 2>&-", folder)
    assert done.returncode == 0 and "Saved in" in done.stdout and "100%|" not in done.stdout
    done = shell("$RUN fit bad.csv 2>&-", folder)
    assert done.returncode == 2 and done.stdout == "odelearn: bad.csv: No such file or directory\n"


def test_a_training_goes_on_when_nobody_sees_its_bar(folder):
    """stderr is a pipe without a reader, or a file on a full disk; or both streams are closed."""
    run = "$RUN fit good.csv --model linear --columns prey --steps 50"
    for streams in ("2>&1 >log | true", "2>/dev/full >log", "2>&- >&-"):
        assert shell(f"rm -rf odelearn-out; {run} {streams}; exit ${{PIPESTATUS[0]}}", folder).returncode == 0
        assert Path("odelearn-out/good.png").exists()
    assert "Saved in" in Path("log").read_text()


@pytest.mark.usefixtures("undrawn")
def test_a_forecast_that_blows_up_is_status_1(folder, capsys):
    """dz/dt = theta z^2 from z0 = 1 at t = 0 is 1 / (1 - theta t): with theta = 0.1 it ends at t = 10."""
    (folder / "blowup.csv").write_text("t,z\n0,1\n1,1.1111\n2,1.25\n3,1.4286\n9,10\n")
    (folder / "blowup.py").write_text("theta0 = [0.1]\ndef f(z, t, theta): return theta * z * z\n")
    options = ["--model", "blowup.py:f", "--solver", "dopri5", "--lr", "1e-9", "--steps", "1", "--out", "out"]
    assert main(["fit", "blowup.csv", *options]) == 0
    assert main(["predict", "out/blowup.npz", "--until", "12", "--trust"]) == 1
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
    others = re.compile(r"\d\d_|.*`(benchmarks|experiments\.(classify|vector_field|flow|latent|poisson))\b")
    own = {name for name, row in rows if not others.match(name + row)}
    assert {path.name for path in tmp_path.iterdir()} - {"lynx_hare.npz"} == own
    assert {name for name, _ in rows} == {
        path.name for path in (ROOT / "figures").iterdir() if path.suffix in (".png", ".gif")
    }
