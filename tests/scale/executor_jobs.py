"""Functions that the child process runs in the tests; found by their dotted names."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from napari_infoleak.core.errors import BadInput, Cancelled


def double(*, array, progress, cancel):
    return {"array": array * 2, "nested": [array]}


def echo(*, value=None, progress, cancel):
    return value


def variable(*, key, progress, cancel):
    return os.environ.get(key)


def pid(*, progress, cancel):
    return os.getpid()


def count(*, steps, progress, cancel):
    for step in range(steps):
        cancel.check()
        progress(step + 1, steps, f"step {step + 1}")
        time.sleep(0.02)
    return steps


def wait_politely(*, started=None, progress, cancel):
    progress(0, 1, "waiting")
    if started is not None:
        Path(started).touch()
    while True:
        cancel.check()
        time.sleep(0.01)


def wait_deaf(*, started, progress, cancel):
    Path(started).touch()
    while True:
        time.sleep(0.01)


def swallow_everything(*, started, progress, cancel):
    Path(started).touch()
    while True:
        with contextlib.suppress(BaseException):  # the worst a library can do
            time.sleep(0.01)


def clean_up(*, started, cleaned, progress, cancel):
    try:
        wait_deaf(started=started, progress=progress, cancel=cancel)
    finally:
        Path(cleaned).touch()


def finish_despite_cancel(*, started, progress, cancel):
    Path(started).touch()
    while not cancel.cancelled:
        time.sleep(0.01)
    return np.zeros(500_000)


def raise_bad_input(*, progress, cancel):
    raise BadInput("the thing is wrong: give another thing")


def raise_bug(*, progress, cancel):
    raise KeyError("first line\nsecond line")


def raise_memory(*, progress, cancel):
    raise MemoryError


def raise_cancelled(*, progress, cancel):
    raise Cancelled


def leave(*, progress, cancel):
    sys.exit(3)


def die(*, progress, cancel):
    os._exit(7)


def be_killed(*, progress, cancel):
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def chatter(*, progress, cancel):
    print("noise on the standard output" * 1000)
    os.write(1, b"raw noise\n" * 1000)
    return sys.stdin.read()


def unpicklable(*, progress, cancel):
    return lambda: None


def change(*, array, progress, cancel):
    array[...] = 7
    return float(array.sum())


def where(*, array, progress, cancel):
    base = array
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    return None if base is None else str(base.filename)


def modules(*, progress, cancel):
    return sorted(name for name in sys.modules if "." not in name)


NOT_A_FUNCTION = 5
