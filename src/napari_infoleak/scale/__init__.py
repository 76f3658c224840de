"""Floor 5: where the work runs.

`executor.Executor` keeps one child process of our own. A caller that must not wait (the dock)
submits the dotted name of a function with its arguments, polls the job for events, and cancels
it; the child keeps the networks it has loaded from one job to the next.

* `events`: what a job reports, plain dataclasses.
* `failures`: any exception as one line and an exit status.
* `transfer`: arguments and results as bytes, large arrays as memory-mapped files.
* `folder`, `scratch`: private temporary folders, and large results in them.
* `process`: the child as its parent sees it.
* `child`: the loop that runs inside it.
* `executor`: jobs, queue, cancel, close.
"""

from __future__ import annotations

from napari_infoleak.scale.events import CancelledEvent, Done, Event, Failed, Progress
from napari_infoleak.scale.executor import Executor, Job

__all__ = ["CancelledEvent", "Done", "Event", "Executor", "Failed", "Job", "Progress"]
