"""Short work beside the window: what is soon done, or waits for the disk."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer

if TYPE_CHECKING:
    from collections.abc import Callable

_POLL_MS = 40


class Thread(QObject):
    """Runs one function after the other in a thread, and hands on what they return.

    Parameters
    ----------
    name : str
        Of the thread.
    parent : QObject, optional
        Owner.
    """

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread = ThreadPoolExecutor(1, name)
        self._under_way: list[tuple[Future[Any], Callable[[Any], None]]] = []
        self._poll = QTimer(self)
        self._poll.setInterval(_POLL_MS)
        self._poll.timeout.connect(self._look)

    @property
    def busy(self) -> bool:
        """Whether something runs, or has run and is not handed on yet."""
        return bool(self._under_way)

    def run(self, work: Callable[[], Any], take: Callable[[Any], None]) -> None:
        """Run a function once those before it have run; `take` gets what it returns, here."""
        self._under_way.append((self._thread.submit(work), take))
        self._poll.start()

    def wait(self) -> None:
        """Wait until all has run."""
        for future, _ in self._under_way:
            future.exception()

    def close(self) -> None:
        """Hand nothing on any more; the thread ends once all has run."""
        self._poll.stop()
        self._under_way.clear()
        self._thread.shutdown(wait=False)

    def _look(self) -> None:
        """Hand on what has run."""
        while self._under_way and self._under_way[0][0].done():
            future, take = self._under_way.pop(0)
            take(future.result())
        if not self._under_way:
            self._poll.stop()
