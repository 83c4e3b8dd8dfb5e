"""Ctrl-C, SIGTERM (kill, a batch system) and SIGHUP (a terminal that closes): each means "stop, and save"."""

import signal
import threading
from contextlib import contextmanager

NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
if hasattr(signal, "SIGHUP"):  # not on Windows
    NAMES[signal.SIGHUP] = "SIGHUP"

last = "Ctrl-C"  # the name of the signal that came last


def stop(number, frame):
    global last
    last = NAMES[number]
    raise KeyboardInterrupt


@contextmanager
def signals_stop():
    """In here each of the three signals raises KeyboardInterrupt.

    A SIGHUP that is ignored stays ignored: that is what nohup is for. A SIGINT that is ignored does not: a shell starts
    background jobs that way, and it still means stop.
    """
    global last
    last = "Ctrl-C"
    ignored = {number for number in NAMES if signal.getsignal(number) is signal.SIG_IGN} - {signal.SIGINT}
    with handled(stop, NAMES.keys() - ignored):
        yield


@contextmanager
def signals_deferred():
    """A signal that comes in here is noted, and takes effect at the end."""
    noted = []
    try:
        with handled(lambda number, frame: noted.append(number), NAMES):
            yield
    finally:
        if noted:
            signal.raise_signal(noted[0])


@contextmanager
def handled(handler, numbers):
    """In here `handler` receives these signals. Python allows it in the main thread only; elsewhere nothing changes."""
    before = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number in numbers:
                before[number] = signal.signal(number, handler)
        yield
    finally:
        for number, handler_before in before.items():
            signal.signal(number, handler_before or signal.SIG_DFL)
