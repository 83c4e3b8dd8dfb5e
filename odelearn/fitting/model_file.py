"""Models from a Python file, FILE.py:f: how it is run, where it fails, and whether a saved one may be run again."""

import hashlib
import sys
from collections import namedtuple
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np

from ..dynamics import as_dynamics
from ..optim import TrainingStopped
from ..solvers.errors import SolverError
from .options import ModelFileError, UsageError, one_line

ODELEARN = Path(__file__).resolve().parent.parent

# f(z, t, theta), a Dynamics; theta0 (P,); label, its name in tables; and of a model from a file: the file, and
# sources {name: sha256} of that file and of those beside it that it imported, named from its directory. by_rows: f
# takes states (..., S) and theta (E, P); if not, f is for one state (S,).
Model = namedtuple("Model", "f theta0 label file sources by_rows", defaults=(None, {}, False))


def is_file(spec):
    return ".py:" in spec


def absolute(spec):
    """The same model, also from another directory."""
    file, _, name = spec.rpartition(":")
    return f"{Path(file).resolve()}:{name}" if is_file(spec) else spec


def model_from_file(spec):
    """f(z, t, theta) by its name in a Python file, and `theta0` from there. f sees z and t in the units of the data.

    The file is run, and may import modules that stand beside it. Raises UsageError for whatever goes wrong.
    """
    file, _, name = spec.rpartition(":")
    file = Path(file).resolve()
    try:
        module, sources = run_file(file)
    except FileNotFoundError:
        raise UsageError(f"--model {spec}: there is no such file") from None
    except (Exception, SystemExit) as error:
        raise UsageError(f"--model {spec}: the file cannot be run: {place(error, file)}{one_line(error)}") from error
    for wanted in (name, "theta0"):
        if not hasattr(module, wanted):
            raise UsageError(f"--model {spec}: the file does not define {wanted}")
    try:
        f, theta0 = as_dynamics(getattr(module, name)), np.array(module.theta0, dtype=float)
    except (TypeError, ValueError) as error:
        raise UsageError(f"--model {spec}: {one_line(error)}") from None
    if theta0.ndim != 1:
        raise UsageError(f"--model {spec}: theta0 must be one flat vector (P,), got shape {theta0.shape}")
    return Model(f, theta0, name, file, sources)


def run_file(file):
    """The module that a Python file makes, and the hashes of what was run."""
    source = file.read_bytes()
    module = ModuleType(file.stem)
    module.__file__ = str(file)
    with importing_from(file.parent) as neighbours:
        exec(compile(source, str(file), "exec"), module.__dict__)
    hashes = {str(other.relative_to(file.parent)): sha256(other) for other in neighbours}
    return module, {file.name: hashlib.sha256(source).hexdigest()} | hashes


@contextmanager
def importing_from(folder):
    """In here, modules in the folder can be imported. The list of their files is filled at the end.

    The modules are forgotten then, so that a file in another folder finds its own.
    """
    before, files = set(sys.modules), []
    sys.path.insert(0, str(folder))
    try:
        yield files
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and is_own(file, folder) and name.partition(".")[0] not in before:
                files.append(Path(file))
                del sys.modules[name]


def is_own(file, folder):
    """Whether a file belongs to the model in that folder, and is not a library that happens to be installed there."""
    parents = Path(file).parents
    return folder in parents and "site-packages" not in Path(file).parts and ODELEARN not in parents


def place(error, file):
    """Where in the model's file, or in one beside it, an exception came from: "own.py, line 3: ", or "" elsewhere."""
    while error is not None and file is not None:
        traceback, found = error.__traceback__, ""
        while traceback is not None:
            frame_file = traceback.tb_frame.f_code.co_filename
            if is_own(frame_file, file.parent):
                found = f"{Path(frame_file).name}, line {traceback.tb_lineno}: "
            traceback = traceback.tb_next
        if found:
            return found
        error = error.__cause__ or error.__context__
    return ""


@contextmanager
def errors_with_their_line(model):
    """In here, an exception that comes from the model's file becomes a ModelFileError, which says where."""
    try:
        yield
    except (UsageError, SolverError, TrainingStopped):
        raise
    except Exception as error:
        if where := place(error, model.file):
            raise ModelFileError(f"{where}{one_line(error)}") from error
        raise


def sha256(file):
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


# ---- a saved model that has a file of its own


def confirmed(npz, role, settings, spec, trust):
    """The model that a saved one may go on with: "mlp", or "/path/own.py:f".

    A model from a file is code, and its name comes from another file, `npz`, which anybody may have written. So it is
    run only if the user names it again or says --trust; and if it is no longer what it was when the model was saved,
    only if the user does both.

    npz       the saved model
    role      "model", or "beside" for the one to compare with: the name of the option
    settings  those of the saved model: its spec, and {name: sha256} of the files that were run for it
    spec      what the option says now, None if it was not given

    Prints which file is run. Raises UsageError where the user has to decide.
    """
    saved_spec, sources = settings[role], settings["sources"][role]
    if not is_file(saved_spec):
        if spec is not None:
            raise UsageError(f"--{role} {spec} cannot go with {npz}, which has its own model")
        return saved_spec
    if spec is None and not trust:
        raise UsageError(
            f"{npz} names a Python file, and to use it means to run that file: look at the file, then say "
            f"--{role} {saved_spec}, or --trust"
        )
    chosen = absolute(spec or saved_spec)
    change = what_changed(saved_spec, sources, chosen)
    if change and not (spec and trust):
        raise UsageError(
            f"{npz}: since it was saved, {change}, so that its numbers may mean something else now. Restore what it "
            f"was, or say both --{role} {chosen} and --trust"
        )
    print(f"Running {chosen.rpartition(':')[0]}" + (f", although {change}" if change else ""), flush=True)
    return chosen


def what_changed(saved_spec, sources, chosen):
    """What is not as it was, in words; "" if the chosen model has the files of the saved one."""
    (old_file, _, old_name), (new_file, _, new_name) = saved_spec.rpartition(":"), chosen.rpartition(":")
    if new_name != old_name or not is_file(chosen):
        return f"the model was {saved_spec}, and now it is {chosen}"
    if Path(old_file).name not in sources:
        return f"{old_file} is not among the files it was made with"
    for name, old_hash in sources.items():
        file = Path(new_file) if name == Path(old_file).name else Path(new_file).parent / name
        if not file.is_file():
            return f"{file} has gone (there is no such file)"
        if sha256(file) != old_hash:
            return f"{file} has changed (its sha256 is {sha256(file)[:12]}..., and was {old_hash[:12]}...)"
    return ""
