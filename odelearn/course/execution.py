"""Running a submission cell by cell: a cell that loops, ends its process or eats its memory loses its own marks only.

`Execution` runs cells in a sandbox. When a cell kills the process, or takes too long, a new process is started, the
cells before it are run again, and that cell is left out from then on.
"""

import json
import secrets
import selectors
import time

import nbformat

from .sandbox import Sandbox

START = 120.0  # seconds that Python and IPython may take to start; they are not the student's
LONGEST_ANSWER = 64 << 20  # bytes; a worker that says more than this is broken, or does not speak for itself


class Execution:
    """The cells of one submission, in order.

    limits  a Limits
    names   what the tests may use by name beside what the student defined: {"COURSE_SEED": 7}
    """

    def __init__(self, limits, names):
        self.limits, self.names = limits, names
        self.sources = []  # of the student's cells that ran to their end; run again in a new process
        self.sandbox = None
        self.spent = 0.0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.sandbox is not None:
            self.sandbox.kill()
            self.sandbox = None

    def run(self, source):
        """Run a cell of the student; return its outputs."""
        outputs, survived = self.ask({"source": source})
        if survived:
            self.sources.append(source)
        return outputs

    def test(self, source):
        """Run a test on what the cells so far have defined, in a copy of their process; return its outputs."""
        outputs, _ = self.ask({"source": source, "names": self.names}, fork=True)
        return outputs

    def ask(self, request, fork=False):
        """(outputs, whether the process lives on)"""
        try:
            if self.sandbox is None:
                self.restart()
            return self.exchange(request, fork), True
        except Stopped as stopped:
            self.stop()
            return [error_output("Stopped", str(stopped))], False

    def restart(self):
        """A new process, in which the cells that ran before are run again."""
        self.sandbox, self.unread = Sandbox(self.limits), b""
        self.read_line(START)
        for source in self.sources:
            self.exchange({"source": source}, fork=False)

    def exchange(self, request, fork):
        request = {**request, "token": secrets.token_hex(16)}
        lines = [{"fork": True}, request] if fork else [request]
        left = self.limits.seconds - self.spent
        if left <= 0:
            raise Stopped(f"the submission has used its {self.limits.seconds:g} seconds")
        begun = time.monotonic()
        try:
            self.sandbox.process.stdin.write("".join(json.dumps(line) + "\n" for line in lines).encode())
            self.sandbox.process.stdin.flush()
            answer = json.loads(self.read_line(min(self.limits.cell, left)))
            if fork and "ended" not in answer:
                self.read_line(self.limits.cell)  # that the copy has ended
        except BrokenPipeError:
            raise Stopped("the process has ended") from None
        except ValueError:
            raise Stopped("what the process answers cannot be read") from None
        finally:
            self.spent += time.monotonic() - begun
        if answer.get("token") != request["token"]:
            raise Stopped("the process of this test has ended: os._exit, out of memory, or killed")
        return [nbformat.from_dict(output) for output in answer["outputs"]]

    def read_line(self, seconds):
        """The next line of the worker, within so many seconds."""
        out, end = self.sandbox.process.stdout, time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(out, selectors.EVENT_READ)
            while b"\n" not in self.unread:
                if not selector.select(max(0, end - time.monotonic())):
                    raise Stopped(f"stopped after {seconds:.0f} seconds: does it end, and is it that slow?")
                part = out.read1(1 << 16)
                if not part:
                    raise Stopped("the process has ended: os._exit, out of memory, or killed")
                self.unread += part
                if len(self.unread) > LONGEST_ANSWER:
                    raise Stopped("the outputs are too long")
        line, self.unread = self.unread.split(b"\n", 1)
        return line


class Stopped(Exception):
    """A cell did not come to its end; the message says why."""


def error_output(name, message):
    return nbformat.v4.new_output("error", ename=name, evalue=message, traceback=[f"{name}: {message}"])
