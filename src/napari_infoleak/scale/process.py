"""The child process as its parent sees it.

The child is a fresh interpreter, as with the start method *spawn*, but it never imports the
parent's main module: a script without a ``__main__`` guard, a notebook or napari itself is not
run a second time. It hears the parent through its standard input and answers on its standard
output, so no socket is opened and it ends when the parent does.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from multiprocessing import spawn
from typing import IO, TYPE_CHECKING, Any, cast

from napari_infoleak.scale.failures import one_line
from napari_infoleak.scale.messages import receive, send

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

# The first line of the standard input is the parent's sys.path; it is read byte by byte, so that
# the messages behind it stay in the pipe.
_START = (
    "import json, os, sys; "
    "line = b''.join(iter(lambda: os.read(0, 1), b'\\n')); "
    "sys.path[:] = json.loads(line); "
    "from napari_infoleak.scale.child import main; main()"
)

_SIGNALLED = "the worker process was killed (signal {}); most likely the memory was full"
_ENDED = "the worker process ended unexpectedly (status {})"


class ChildProcess:
    """One running child.

    Parameters
    ----------
    folder : Path
        Existing private folder for large arrays and the child's log.
    on_message : callable
        Called in a thread of its own with this object and each message of the child, and with
        None once the child has ended.
    threads : int, optional
        Number of threads the child's arithmetic may use.
    preload : sequence of str
        Modules the child imports before its first job.
    environment : mapping of str to str, optional
        Environment variables besides those of this process.
    """

    def __init__(
        self,
        folder: Path,
        on_message: Callable[[ChildProcess, tuple[Any, ...] | None], None],
        threads: int | None = None,
        preload: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._log = folder / "worker.log"
        self._on_message = on_message
        self._sending = threading.Lock()
        self._over = threading.Event()
        with self._open_log() as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [_interpreter(), "-c", _START, str(folder), *preload],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=_environment(threads) | dict(environment or {}),
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        self._stdin = cast("IO[bytes]", self._process.stdin)
        self._stdout = cast("IO[bytes]", self._process.stdout)
        with contextlib.suppress(OSError):
            self._stdin.write(json.dumps([path for path in sys.path if path]).encode() + b"\n")
            self._stdin.flush()
        self._reader = threading.Thread(target=self._read, name="infoleak-reader", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the child has ended."""
        return self._over.is_set()

    def send(self, *message: Any) -> None:
        """Send a message; a child that has ended is noticed by the reader."""
        with self._sending, contextlib.suppress(OSError, ValueError):
            send(self._stdin, message)

    def stop(self, patience: float) -> None:
        """End the child: politely, then after ``patience`` seconds by force."""
        with contextlib.suppress(OSError):
            self._process.terminate()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(OSError):
                self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)
        with self._sending, contextlib.suppress(OSError):
            self._stdin.close()
        if threading.current_thread() is not self._reader:
            self._reader.join(1.0)

    def last_words(self) -> str:
        """Say in one line how the child ended."""
        try:
            status = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            return "the worker process closed its answers"
        if status < 0:
            return _SIGNALLED.format(-status)
        # Windows reports a crash as a large number that means something only in hexadecimal.
        said = _ENDED.format(status if status < 256 else hex(status))
        lines = self._log_lines()
        return f"{said}: {one_line(lines[-1])}" if lines and status else said

    def _read(self) -> None:
        """Pass the child's messages on until it ends."""
        while (message := receive(self._stdout)) is not None:
            self._on_message(self, message)
        self._stdout.close()
        self._over.set()
        self._on_message(self, None)

    def _open_log(self) -> IO[bytes]:
        """Open the file that takes what the child prints; for debugging, the parent's own."""
        if os.environ.get("INFOLEAK_DEBUG", "0") not in ("", "0"):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                return os.fdopen(os.dup(sys.stderr.fileno()), "wb")
        return self._log.open("wb")

    def _log_lines(self) -> list[str]:
        """Lines the child has printed that hold text."""
        with contextlib.suppress(OSError):
            text = self._log.read_text(errors="replace")
            return [line for line in text.splitlines() if line.strip()]
        return []


def _interpreter() -> str:
    """Path of the interpreter that this program runs in, as `multiprocessing` knows it."""
    return os.fsdecode(spawn.get_executable() or sys.executable)


def _environment(threads: int | None) -> dict[str, str]:
    """Environment of the child; the number of threads must be known before torch is loaded."""
    environment = dict(os.environ)
    if threads is not None:
        environment |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    return environment
