"""A progress bar on the standard error, where a person looks at it."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from typing import TextIO

from napari_infoleak.core.progress import Rate

REDRAW = 0.1
WIDTH = 24


class Bar:
    """Draw progress on one line; silent where the stream is no terminal.

    Parameters
    ----------
    stream : text stream, optional
        The standard error by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._shown = bool(getattr(self._stream, "isatty", bool)())
        self._rate = Rate()
        self._last = float("-inf")
        self._drawn = False
        self._drawing = threading.Lock()

    def __enter__(self) -> Bar:
        """Use the bar for a while."""
        return self

    def __exit__(self, *details: object) -> None:
        """Take the line away again."""
        self.clear()

    def __call__(self, done: int, total: int, message: str = "") -> None:
        """Take note of a step; draws ten times a second at most."""
        if not self._shown:
            return
        now = time.monotonic()
        with self._drawing:
            left = self._rate(done, total)
            if now - self._last < REDRAW and done < total:
                return
            self._last = now
            self._draw(line(done, total, message, left, self._blocks()))

    def clear(self) -> None:
        """Remove the bar, so that the next line stands alone."""
        with self._drawing:
            if self._drawn:
                self._draw("")
                self._stream.write("\r")
                self._stream.flush()
                self._drawn = False

    def _blocks(self) -> str:
        """Characters of the full and the empty part that the terminal can show."""
        encoding = (getattr(self._stream, "encoding", None) or "ascii").lower()
        return "█░" if encoding.startswith("utf") else "#-"

    def _draw(self, text: str) -> None:
        columns = shutil.get_terminal_size().columns - 1
        self._stream.write("\r" + text[:columns].ljust(columns))
        self._stream.flush()
        self._drawn = True


def line(done: int, total: int, message: str, left: float | None, blocks: str = "#-") -> str:
    """Write a bar as text.

    Parameters
    ----------
    done, total : int
        Steps.
    message : str
        What is being done.
    left : float or None
        Seconds to go.
    blocks : str
        The characters of the full and the empty part.
    """
    share = min(max(done / total, 0.0), 1.0) if total > 0 else 0.0
    full = round(WIDTH * share)
    drawn = blocks[0] * full + blocks[1] * (WIDTH - full)
    ahead = "" if left is None or done >= total else f"  {duration(left)} left"
    return f"{drawn} {100 * share:3.0f} %  {message}{ahead}"


def duration(seconds: float) -> str:
    """Say a duration as people do.

    Examples
    --------
    >>> duration(8), duration(75), duration(7300)
    ('8 s', '1 min 15 s', '2 h 2 min')
    """
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
