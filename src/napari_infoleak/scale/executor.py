"""A child process that runs functions by name, one at a time.

The caller never waits: `Executor.submit`, `Job.poll` and `Job.cancel` return at once. Starting
the child, writing large arrays and ending a child that does not answer are done by one thread of
the executor's own, which sleeps unless there is something to do.
"""

from __future__ import annotations

import atexit
import contextlib
import shutil
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_infoleak.core.errors import BadInput, InfoleakError
from napari_infoleak.scale.events import CancelledEvent, Done, Failed, Progress
from napari_infoleak.scale.failures import describe, one_line
from napari_infoleak.scale.folder import PrivateFolder
from napari_infoleak.scale.job import Job
from napari_infoleak.scale.messages import fetch, stow
from napari_infoleak.scale.process import ChildProcess
from napari_infoleak.scale.transfer import file_behind, pack, save_array, unpack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    import numpy as np

__all__ = ["CancelledEvent", "Done", "Executor", "Failed", "Job", "Progress"]

PRELOAD = ("napari_infoleak.infer.pipeline",)
"""Modules that a child loads as it starts: torch, above all, which takes its seconds."""

GRACE = 0.6
"""Seconds a cancelled job gets to stop by itself before its process is ended."""

LAST_WORD = 0.15
"""Seconds a process gets to unwind before it is killed."""


@dataclass(frozen=True, eq=False)
class _Task:
    """A job with its arguments.

    Parameters
    ----------
    job : Job
        What the caller has of it.
    parcel : bytes or str
        The arguments, or the name of their file.
    folder : Path
        Where their files lie; it goes when the job has ended, however it ends.
    needs : frozenset of Path
        Files of held arrays that are among the arguments.
    """

    job: Job
    parcel: bytes | str
    folder: Path
    needs: frozenset[Path]

    def end(self, event: Done | Failed | CancelledEvent) -> None:
        """Remove what the child has not taken, and report."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.job.report(event)


class Executor:
    """Run functions in a child process that stays alive between jobs.

    Parameters
    ----------
    threads : int, optional
        Number of threads the child's arithmetic may use; None leaves the choice to torch.
    preload : sequence of str
        Modules the child imports as soon as it starts. If torch is among what they load, the
        child's allocator is tuned for it.
    grace : float
        Seconds a cancelled job gets to stop by itself.

    Notes
    -----
    A function is named by its dotted path and is called with the keyword arguments of
    `submit` and with ``progress`` and ``cancel``. Jobs run one after the other in the order they
    were submitted. A child that dies fails its job with one line; the next job gets a new child.

    Examples
    --------
    >>> with Executor() as executor:  # doctest: +SKIP
    ...     job = executor.submit("napari_infoleak.api.segment", image="stack.tif")
    ...     labels = job.result().labels
    """

    def __init__(
        self,
        threads: int | None = None,
        preload: Sequence[str] = PRELOAD,
        *,
        grace: float = GRACE,
    ) -> None:
        self._threads = threads
        self._environment: dict[str, str] = {}
        self._preload = tuple(preload)
        self._grace = grace
        self._changed = threading.Condition()
        self._queue: deque[_Task] = deque()
        self._running: _Task | None = None
        self._deadline: float | None = None
        self._child: ChildProcess | None = None
        self._wanted = False
        self._stale = False
        self._closed = False
        self._count = 0
        self._folder: PrivateFolder | None = None
        self._held: dict[int, tuple[np.ndarray[Any, Any], Path]] = {}
        self._unsaved: dict[Path, np.ndarray[Any, Any]] = {}
        self._leaving: set[Path] = set()
        self._lost: dict[Path, str] = {}
        self._supervisor: threading.Thread | None = None

    def __enter__(self) -> Executor:
        """Use the executor in a ``with`` block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close at the end of the block."""
        self.close()

    # ------------------------------------------------------------------ for the caller

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits."""
        with self._changed:
            return self._running is not None or bool(self._queue)

    @property
    def pid(self) -> int | None:
        """Number of the child process, None while there is none."""
        child = self._child
        return child.pid if child is not None else None

    def start(self) -> None:
        """Start the child now, so that the first job need not wait for it. Never waits."""
        with self._changed:
            self._check_open()
            self._wanted = True
            self._wake()

    def configure(self, environment: Mapping[str, str]) -> None:
        """Set environment variables of the child. Never waits.

        Parameters
        ----------
        environment : mapping of str to str
            Added to those of this process, in place of what was set before. A child that lives
            gives way to a new one at the next job.
        """
        with self._changed:
            if self._closed or dict(environment) == self._environment:
                return
            self._environment = dict(environment)
            self._stale = self._child is not None
            self._wanted = self._wanted or self._stale
            if self._stale:
                self._wake()

    def submit(self, function: str, /, **kwargs: Any) -> Job:
        """Queue a function.

        Parameters
        ----------
        function : str
            Dotted name, ``"package.module.function"``; resolved in the child.
        **kwargs
            Its arguments as they are now: later changes to them do not reach the job.

        Returns
        -------
        Job
            Its events, its cancel, its result.

        Raises
        ------
        BadInput
            If an argument cannot be sent to another process; the message names it.
        InfoleakError
            If the executor is closed, or the arguments do not fit on the disk.
        """
        with self._changed:
            self._check_open()
            self._count += 1
            job = Job(self._count, function, self._cancel)
            folder = self._private_folder() / f"job-{job.number}"
            held = {key: path for key, (_, path) in self._held.items()}
        task = _Task(job, *_pack_arguments(function, kwargs, folder, held))
        with self._changed:
            self._check_open()
            self._queue.append(task)
            self._wake()
        return job

    def hold(self, array: np.ndarray[Any, Any]) -> None:
        """Hand an array over once, for all jobs that will have it among their arguments.

        Parameters
        ----------
        array : ndarray
            Recognised by identity, wherever it hides in the arguments. It must not change until
            `release`. Object arrays, and arrays that are a file already, are ignored; one that
            cannot be written is forgotten, and travels with each job again.
        """
        with self._changed:
            self._check_open()
            if id(array) in self._held or array.dtype.hasobject or file_behind(array) is not None:
                return
            path = self._private_folder() / f"held-{uuid.uuid4().hex}.npy"
            self._held[id(array)] = (array, path)
            self._unsaved[path] = array
            self._wake()

    def release(self, array: np.ndarray[Any, Any]) -> None:
        """Forget an array given to `hold`; its file goes once no job submitted before needs it."""
        with self._changed:
            _, path = self._held.pop(id(array), (None, None))
            if path is not None:
                self._leaving.add(path)
                self._remove_leaving()

    def close(self) -> None:
        """End the child at once, cancel what runs or waits, remove all files. Idempotent."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            tasks, child = self._tasks, self._child
            self._queue.clear()
            self._held.clear()
            self._running = self._child = None
            self._changed.notify_all()
        for task in tasks:
            task.job.report(CancelledEvent())
        if child is not None:
            child.stop(LAST_WORD)
        if self._supervisor is not None:
            self._supervisor.join(1.0)
        if self._folder is not None:
            self._folder.remove()
        atexit.unregister(self.close)

    # ------------------------------------------------------------------ inside, under the lock

    def _check_open(self) -> None:
        """Refuse to work after `close`."""
        if self._closed:
            raise InfoleakError("this executor is closed: make a new one")

    def _private_folder(self) -> Path:
        """Make the folder on first use; only this user can read it."""
        if self._folder is None:
            self._folder = PrivateFolder()
            atexit.register(self.close)
        return self._folder.path

    def _wake(self) -> None:
        """Tell the supervisor that there is something to do."""
        if self._supervisor is None:
            self._supervisor = threading.Thread(
                target=self._supervise, name="infoleak-executor", daemon=True
            )
            self._supervisor.start()
        self._changed.notify_all()

    @property
    def _tasks(self) -> list[_Task]:
        """What runs and what waits."""
        return [*self._queue] if self._running is None else [self._running, *self._queue]

    def _remove_leaving(self) -> None:
        """Remove the files of released arrays that no job needs any more."""
        for path in self._leaving.difference(*(task.needs for task in self._tasks)):
            self._leaving.remove(path)
            self._unsaved.pop(path, None)
            _unlink(path)

    def _cancel(self, job: Job, patience: float | None) -> None:
        """Drop a waiting job; ask a running one to stop."""
        with self._changed:
            if self._running is None or self._running.job is not job:
                dropped = [task for task in self._queue if task.job is job]
                self._queue = deque(task for task in self._queue if task.job is not job)
                self._remove_leaving()
                for task in dropped:
                    task.end(CancelledEvent())
                job.report(CancelledEvent())
                return
            if self._deadline is None:
                grace = self._grace if patience is None else patience
                self._deadline = time.monotonic() + grace
            child = self._child
            self._changed.notify_all()
        if child is not None:
            child.send("cancel", job.number)

    def _overdue(self) -> bool:
        """Whether a cancelled job has had its time."""
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _idle(self) -> bool:
        """Whether the supervisor has nothing to do."""
        ready = self._running is None and bool(self._queue)
        starting = self._wanted and self._running is None and (self._stale or self._child is None)
        return not (self._closed or ready or starting or self._unsaved or self._overdue())

    # ------------------------------------------------------------------ the supervisor

    def _supervise(self) -> None:
        """Do what may take time, so that no caller waits."""
        while True:
            with self._changed:
                while self._idle():
                    left = self._deadline and max(self._deadline - time.monotonic(), 0.0)
                    self._changed.wait(left)
                if self._closed:
                    return
            if self._overdue():
                self._end_overdue()
            elif self._unsaved:
                self._save_held()
            else:
                self._begin_next()

    def _end_overdue(self) -> None:
        """Give up on a child that does not hear the cancel."""
        with self._changed:
            if not self._overdue():
                return
            task, child = self._running, self._child
            self._running = self._child = self._deadline = None
            self._remove_leaving()
        if task is not None:
            task.end(CancelledEvent())
        if child is not None:
            child.stop(LAST_WORD)

    def _save_held(self) -> None:
        """Write one held array; one that cannot be written is held no longer."""
        with self._changed:
            if not self._unsaved:
                return
            path, array = next(iter(self._unsaved.items()))
        trouble = ""
        try:
            save_array(array, path.parent).replace(path)
        except (OSError, MemoryError) as error:
            trouble = describe(error)[0]
        with self._changed:
            if self._unsaved.pop(path, None) is None:  # released meanwhile
                _unlink(path)
            elif trouble:
                self._lost[path] = trouble
                if self._held.get(id(array), (None, None))[1] == path:
                    del self._held[id(array)]

    def _begin_next(self) -> None:
        """Start the child if there is none, and hand it the next job."""
        try:
            self._ensure_child()
        except OSError as error:
            self._fail_next(f"the worker process cannot start: {describe(error)[0]}")
            return
        with self._changed:
            child = self._child
            if child is None or self._stale or self._running is not None or not self._queue:
                return
            task = self._queue.popleft()
            job = task.job
            trouble = next((self._lost[path] for path in task.needs if path in self._lost), "")
            if not trouble:
                self._running = task
        if trouble:
            task.end(Failed(_unwritten(job.function, trouble)))
        else:
            child.send("run", job.number, job.function, task.parcel)

    def _ensure_child(self) -> None:
        """Start a child unless one lives that is as it should be."""
        self._end_stale()
        with self._changed:
            if self._child is not None or self._closed:
                return
            folder, environment = self._private_folder(), self._environment
        child = ChildProcess(folder, self._on_message, self._threads, self._preload, environment)
        with self._changed:
            self._stale = environment != self._environment  # set while the child started
            self._wanted = self._stale
            closed: bool = self.closed
            self._child = None if closed or child.ended else child
        if closed:
            child.stop(LAST_WORD)
        elif child.ended:  # before we had a name for it, so nobody has noticed
            self._fail_next(child.last_words())

    def _end_stale(self) -> None:
        """End an idle child whose environment is not wanted any more."""
        with self._changed:
            if not self._stale or self._running is not None:
                return
            child, self._child, self._stale = self._child, None, False
        if child is not None:
            child.stop(LAST_WORD)

    def _fail_next(self, message: str) -> None:
        """Fail the next job, or drop the wish for a child when there is none."""
        with self._changed:
            self._wanted = False
            task = self._queue.popleft() if self._queue else None
            self._remove_leaving()
        if task is not None:
            task.end(Failed(message))

    # ------------------------------------------------------------------ the child's messages

    def _on_message(self, child: ChildProcess, message: tuple[Any, ...] | None) -> None:
        """Turn a message of the child into an event; None says that the child has ended."""
        if message is None:
            self._on_end(child)
            return
        kind, number, *details = message
        with self._changed:
            task = self._running if child is self._child else None
            if task is None or task.job.number != number:
                return
            cancelled = self._deadline is not None
        if kind == "progress":
            task.job.report(Progress(*details))
            return
        event = _end_event(kind, details)
        self._finish(task, CancelledEvent() if cancelled else event)

    def _on_end(self, child: ChildProcess) -> None:
        """Fail the job of a child that has died; a child we ended ourselves is forgotten."""
        with self._changed:
            if child is not self._child:
                return
            self._child = None
            task, cancelled = self._running, self._deadline is not None
        if task is not None:
            failed = Failed(child.last_words(), error="ProcessDied")
            self._finish(task, CancelledEvent() if cancelled else failed)

    def _finish(self, task: _Task, event: Done | Failed | CancelledEvent) -> None:
        """Note that the running job has ended, and go on with the next."""
        with self._changed:
            if self._running is task:
                self._running = self._deadline = None
            self._remove_leaving()
            self._changed.notify_all()
        task.end(event)


def _pack_arguments(
    function: str, kwargs: dict[str, Any], folder: Path, held: dict[int, Path]
) -> tuple[bytes | str, Path, frozenset[Path]]:
    """Pack the arguments of a job, for its task; say which one cannot travel."""
    try:
        folder.mkdir()
        parcel = pack(kwargs, folder, held)
        needs = frozenset(path for path in held.values() if path.name.encode() in parcel)
        return stow(parcel, folder), folder, needs
    except Exception as error:
        fault = _fault(function, kwargs, folder, error)
        shutil.rmtree(folder, ignore_errors=True)
        raise fault from error


def _fault(function: str, kwargs: dict[str, Any], folder: Path, error: Exception) -> InfoleakError:
    """Say why arguments cannot travel."""
    if isinstance(error, InfoleakError):  # said by the argument itself
        return error
    if isinstance(error, OSError):
        return InfoleakError(_unwritten(function, describe(error)[0]))
    if isinstance(error, MemoryError):
        return InfoleakError(describe(error)[0])
    return BadInput(_which_fails(function, kwargs, folder, error))


def _unwritten(function: str, trouble: str) -> str:
    return f"the arguments of {function} cannot be written: {trouble}"


def _unlink(path: Path) -> None:
    """Remove a file; on Windows one that is mapped goes with its folder."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _which_fails(function: str, kwargs: dict[str, Any], folder: Path, error: Exception) -> str:
    """Name the argument that pickle refuses."""
    for name, value in kwargs.items():
        try:
            parcel = pack(value, folder)
            unpack(parcel)  # so that the files of the good ones go away again
        except Exception as fault:
            return (
                f"argument {name!r} of {function} cannot be sent to the worker process: "
                f"{one_line(fault)}"
            )
    return f"the arguments of {function} cannot be sent: {one_line(error)}"


def _end_event(kind: str, details: list[Any]) -> Done | Failed | CancelledEvent:
    """Read how a job ended."""
    if kind == "done":
        try:
            return Done(unpack(fetch(details[0])))
        except Exception as error:
            return Failed(f"the result cannot be read: {describe(error)[0]}")
    if kind == "failed":
        return Failed(*details)
    return CancelledEvent()
