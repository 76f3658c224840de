"""The loop that runs inside the child process: one job at a time, cancel at any time.

The main thread works; a second thread reads the parent's messages, so that a cancel arrives
while the work goes on, and so that the child ends when its parent does.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import queue
import shutil
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from napari_infoleak.core.errors import BadInput, Cancelled, InfoleakError
from napari_infoleak.core.progress import CancelToken
from napari_infoleak.scale.failures import describe
from napari_infoleak.scale.messages import fetch, receive, send, stow
from napari_infoleak.scale.transfer import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Callable

REPORT_EVERY = 0.05
"""Seconds between two reports of progress."""

FAREWELL = 0.3
"""Seconds a job gets to stop by itself when the parent is gone."""


class _Terminated(BaseException):
    """The parent asked this process to end; not an Exception, so that no job swallows it."""


class _Reporter:
    """Progress of one job, thinned out; safe to call from several threads."""

    def __init__(self, post: Callable[..., None], number: int) -> None:
        self._post = post
        self._number = number
        self._last = 0.0

    def __call__(self, done: int, total: int, message: str = "") -> None:
        now = time.monotonic()
        if now - self._last >= REPORT_EVERY or done >= total:
            self._last = now
            self._post("progress", self._number, int(done), int(total), str(message))


class Child:
    """One worker: reads jobs from a stream, answers on another.

    Parameters
    ----------
    incoming, outgoing : binary streams
        Both ends of the pipes to the parent.
    folder : Path
        The folder for large arrays, made and removed by the parent.
    """

    def __init__(self, incoming: IO[bytes], outgoing: IO[bytes], folder: Path) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._folder = folder
        self._sending = threading.Lock()
        self._inbox: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self._tokens: dict[int, CancelToken] = {}

    def run(self) -> None:
        """Work until the parent is gone."""
        threading.Thread(target=self._listen, name="infoleak-listener", daemon=True).start()
        self._post("ready", os.getpid())
        while True:
            number, function, stowed = self._inbox.get()
            try:
                self._answer(number, function, stowed)
            finally:
                self._tokens.pop(number, None)

    def _listen(self) -> None:
        """Sort the parent's messages; its silence ends this process."""
        while (message := receive(self._incoming)) is not None:
            kind, number, *details = message
            if kind == "run":
                self._tokens[number] = CancelToken()
                self._inbox.put((number, *details))
            elif number in self._tokens:
                self._tokens[number].cancel()
        self._end()

    def _end(self) -> None:
        """Let a running job clean up for a moment, then leave without waiting for it."""
        busy = list(self._tokens.values())
        for token in busy:
            token.cancel()
        until = time.monotonic() + FAREWELL
        while busy and self._tokens and time.monotonic() < until:
            time.sleep(0.01)
        shutil.rmtree(self._folder, ignore_errors=True)
        os._exit(0)

    def _post(self, *message: Any) -> None:
        """Send a message; a parent that is gone is noticed by the listener."""
        with self._sending, contextlib.suppress(OSError, ValueError):
            send(self._outgoing, message)

    def _answer(self, number: int, function: str, stowed: bytes | str) -> None:
        """Run one job and report how it ended."""
        token = self._tokens[number]
        try:
            token.check()
            arguments = _arguments(function, stowed)
            progress = _Reporter(self._post, number)
            result = resolve(function)(**arguments, progress=progress, cancel=token)
            self._post("done", number, self._parcel(function, result))
        except Cancelled:
            self._post("cancelled", number)
        except Exception as error:
            self._post("failed", number, *_failure(error))
        except SystemExit as error:
            self._post("failed", number, *_failure(InfoleakError(f"{function} left: {error}")))

    def _parcel(self, function: str, result: Any) -> bytes | str:
        """Pack a result, with a plain word if it cannot travel."""
        try:
            return stow(pack(result, self._folder, by_name=False), self._folder)
        except (OSError, MemoryError):
            raise
        except Exception as error:
            text = f"the result of {function} cannot be sent back: {error}"
            raise InfoleakError(text) from error


def resolve(function: str) -> Callable[..., Any]:
    """Find a function by its dotted name, ``package.module.function``.

    Raises
    ------
    BadInput
        If there is no such module or function.
    """
    module, _, name = function.replace(":", ".").rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadInput(f"no function {function!r} to run: {error}") from error
    if not callable(found):
        raise BadInput(f"{function!r} is not a function")
    return found  # type: ignore[no-any-return]


def _arguments(function: str, stowed: bytes | str) -> dict[str, Any]:
    """Unpack the arguments of a job."""
    try:
        arguments: dict[str, Any] = unpack(fetch(stowed))
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise BadInput(f"the arguments of {function} cannot be read here: {error}") from error
    return arguments


def _failure(error: BaseException) -> tuple[str, int, str, str]:
    """Describe an exception for the parent: message, exit code, class, traceback."""
    message, code = describe(error)
    return message, code, type(error).__name__, "".join(traceback.format_exception(error))


def _terminate(signum: int, frame: object) -> None:
    """Unwind the job, so that it removes what it has half written."""
    raise _Terminated


def main() -> None:
    """Run a child; the parent starts it with the folder and the modules to load as arguments."""
    # Whatever prints or reads in a job must not disturb the messages.
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    # Ctrl-C in a terminal reaches the whole group; here the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _terminate)
    folder, *modules = sys.argv[1:]
    with contextlib.suppress(_Terminated):
        _prepare(modules)
        Child(incoming, outgoing, Path(folder)).run()
    os._exit(0)


def _prepare(modules: list[str]) -> None:
    """Load what the first job would wait for, and tune this process, which is ours, for torch."""
    for module in modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    if "torch" in sys.modules:
        from napari_infoleak.infer.process import tune_allocator

        tune_allocator()
