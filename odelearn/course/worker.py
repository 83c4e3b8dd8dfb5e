"""Runs the cells of one submission. It is itself a process inside the sandbox: python -m odelearn.course.worker LIMITS

It says when it is ready. Then requests come as lines of JSON on standard input, and each gets one line of JSON as its
answer:

    {"source": "...", "token": "..."}      run the cell here; what it defines stays
    {"fork": true}                         the next line is for a copy of this process, which ends when it has answered;
                                           then one line more tells that it has ended

Tests are run in copies. So a test finds all that the student's cells have defined, and the process that runs the cells
of the student never sees the source of a test. IPython runs the cells, as it does in a notebook.
"""

import json
import os
import resource
import sys
from contextlib import redirect_stderr, redirect_stdout


def main(limits):
    requests, answers = take_over_standard_streams()
    set_limits(limits)
    shell = make_shell()
    answer(answers, {"ready": True}, "")
    while line := requests.readline():
        request = json.loads(line)
        if not request.get("fork"):
            answer(answers, run_cell(shell, request["source"], limits["output"]), request["token"])
        elif child := os.fork():
            _, status = os.waitpid(child, 0)
            answer(answers, {"ended": status}, "")
        else:
            request = json.loads(requests.readline())
            shell.push(request["names"])
            answer(answers, run_cell(shell, request["source"], limits["output"]), request["token"])
            os._exit(0)


def take_over_standard_streams():
    """Requests and answers on descriptors of their own; 0, 1 and 2 become the null device."""
    requests = open(os.dup(0), "rb", buffering=0)  # unbuffered: a line that is meant for the copy stays in the pipe
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    return requests, answers


def set_limits(limits):
    """Limits of this process and of all that it starts: bytes of memory and of a file, seconds of the processor,
    number of processes."""
    for kind, value in (
        (resource.RLIMIT_AS, limits["memory"]),
        (resource.RLIMIT_FSIZE, limits["file_size"]),
        (resource.RLIMIT_CPU, int(limits["seconds"]) + 1),
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (value, value))


def make_shell():
    """IPython's shell without a history file, and with pictures as PNG."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "NoColor"
    shell = InteractiveShell.instance(config=config)
    shell.showtraceback = lambda *args, **kwargs: None  # errors are taken from the result of run_cell
    return shell


def run_cell(shell, source, characters):
    """{"outputs": outputs of a cell in nbformat's terms}; text beyond so many characters is dropped."""
    from IPython.utils.capture import capture_output

    out, err = Bounded(characters), Bounded(characters)
    with capture_output(display=True) as captured, redirect_stdout(out), redirect_stderr(err):
        result = shell.run_cell(source, store_history=False)
    outputs = [stream(name, text) for name, text in (("stdout", out.text()), ("stderr", err.text())) if text]
    for shown in captured.outputs:
        data = {kind: value for kind, value in shown.data.items() if len(str(value)) <= 20 * characters}
        outputs.append({"output_type": "display_data", "data": data, "metadata": {}})
    if isinstance(result.result, (int, float)):  # the last line of a test may say how many points it gives
        text = {"text/plain": repr(float(result.result))}
        outputs.append({"output_type": "execute_result", "data": text, "metadata": {}, "execution_count": None})
    error = result.error_before_exec or result.error_in_exec
    if error is not None:
        message = str(error)[:characters]
        lines = shell.InteractiveTB.structured_traceback(type(error), error, error.__traceback__)
        traceback = [line[:characters] for line in lines[-40:]]
        outputs.append(
            {"output_type": "error", "ename": type(error).__name__, "evalue": message, "traceback": traceback}
        )
    return {"outputs": outputs}


def stream(name, text):
    return {"output_type": "stream", "name": name, "text": text}


class Bounded:
    """A text stream that keeps its first `characters` characters and drops the rest."""

    encoding = "utf-8"

    def __init__(self, characters):
        self.characters, self.parts, self.dropped = characters, [], 0

    def write(self, text):
        kept = text[: self.characters]
        if kept:
            self.parts.append(kept)
        self.characters -= len(kept)
        self.dropped += len(text) - len(kept)
        return len(text)

    def flush(self):
        pass

    def isatty(self):
        return False

    def text(self):
        note = f"\n... {self.dropped:,} characters more were dropped\n" if self.dropped else ""
        return "".join(self.parts) + note


def answer(answers, value, token):
    answers.write(json.dumps({**value, "token": token}) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
