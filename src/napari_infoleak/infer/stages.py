"""Read, compute and write at a time: two threads around the caller, bounded queues, one stop.

The caller's own thread does the middle stage. The first error of any stage stops all of them, and
`run` comes back only when both threads have ended.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from napari_infoleak.core.progress import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from napari_infoleak.core.progress import CancelToken

Item = TypeVar("Item")
Result = TypeVar("Result")

_GLANCE = 0.05  # seconds between two looks at the cancel token while a queue is waited for


class _Stopped(Exception):
    """Another stage has failed; this one ends quietly."""


class _Stop:
    """The one stop of a run: the first error wins and wakes everybody."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.error: BaseException | None = None

    def fail(self, error: BaseException) -> None:
        """Stop the run; only the first error is kept."""
        with self.changed:
            self.error = self.error or error
            self.changed.notify_all()

    def check(self) -> None:
        """Raise if the run has been stopped."""
        if self.error is not None:
            raise _Stopped


class _Channel(Generic[Item]):
    """A bounded queue that ends with its run."""

    def __init__(self, depth: int, stop: _Stop, cancel: CancelToken = NEVER) -> None:
        self._items: deque[Item] = deque()
        self._depth = depth
        self._stop = stop
        self._cancel = cancel
        self._closed = False

    def put(self, item: Item) -> None:
        """Add an item as soon as there is room."""
        with self._stop.changed:
            self._wait_for(lambda: len(self._items) < self._depth)
            self._items.append(item)
            self._stop.changed.notify_all()

    def close(self) -> None:
        """Say that no item follows."""
        with self._stop.changed:
            self._closed = True
            self._stop.changed.notify_all()

    def __iter__(self) -> Iterator[Item]:
        """Give the items as they come, until the channel is closed."""
        while True:
            with self._stop.changed:
                self._wait_for(lambda: bool(self._items) or self._closed)
                if not self._items:
                    return
                item = self._items.popleft()
                self._stop.changed.notify_all()
            yield item

    def _wait_for(self, ready: Callable[[], bool]) -> None:
        self._stop.check()
        while not ready():
            self._cancel.check()
            self._stop.changed.wait(_GLANCE)
            self._stop.check()


def run(
    source: Iterable[Item],
    work: Callable[[Iterator[Item]], Iterable[Result]],
    sink: Callable[[Result], None],
    *,
    depth: int = 2,
    cancel: CancelToken = NEVER,
) -> None:
    """Send every item of a source through some work into a sink.

    Parameters
    ----------
    source : iterable
        Read in a thread of its own, at most ``depth`` items ahead.
    work : callable
        Takes the iterator of items and gives results; runs in the caller's thread.
    sink : callable
        Takes one result; called in a thread of its own, in the order of the results.
    depth : int
        Items that may wait before the work, and results that may wait after it.
    cancel : CancelToken
        Looked at before each result and while waiting.

    Raises
    ------
    Cancelled
        If the token was set.
    Exception
        The first error of any stage. Whatever happens, both threads have ended by then.
    """
    stop = _Stop()
    before: _Channel[Item] = _Channel(depth, stop, cancel)
    after: _Channel[Result] = _Channel(depth, stop, cancel)
    threads = [
        _start("infoleak-read", stop, lambda: _fill(before, source)),
        _start("infoleak-write", stop, lambda: _drain(after, sink)),
    ]
    try:
        for result in work(iter(before)):
            cancel.check()
            after.put(result)
        after.close()
    except _Stopped:
        pass
    except BaseException as error:
        stop.fail(error)
    finally:
        _join(threads, stop)
    if stop.error is not None:
        raise stop.error


def _fill(channel: _Channel[Item], source: Iterable[Item]) -> None:
    for item in source:
        channel.put(item)
    channel.close()


def _drain(channel: _Channel[Result], sink: Callable[[Result], None]) -> None:
    for result in channel:
        sink(result)


def _start(name: str, stop: _Stop, stage: Callable[[], None]) -> threading.Thread:
    """Run a stage in a thread whose error stops the whole run."""

    def body() -> None:
        try:
            stage()
        except _Stopped:
            pass
        except BaseException as error:
            stop.fail(error)

    thread = threading.Thread(target=body, name=name, daemon=True)
    thread.start()
    return thread


def _join(threads: list[threading.Thread], stop: _Stop) -> None:
    """Wait for the threads, even when the waiting itself is interrupted."""
    for thread in threads:
        while thread.is_alive():
            try:
                thread.join(_GLANCE)
            except BaseException as error:  # Ctrl-C: stop, and still leave nothing running
                stop.fail(error)
