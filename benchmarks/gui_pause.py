"""How long the window stands still while the dock works.

A real napari window with the dock, in which a timer should tick every 5 ms. The view scrolls
through the slices, first with nothing running, then while the stack is segmented, cells are made,
and the probabilities are saved, all from the press of the button until the result is on screen. A
pause is the time between two ticks. Prints a Markdown table and whether the goals are met.

    python benchmarks/gui_pause.py --slices 48 --side 512 --publish

Needs a screen, for example of Xvfb; without a graphics card, drawing itself takes its time.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari
import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from _rows import hardware, markdown, publish, verdict
from napari_infoleak.io import read
from napari_infoleak.io.samples import sample_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

TICK_MS, SCROLL_MS = 5, 50
GOAL_MS = 50
GOAL_CANCEL = 1.0  # seconds
FIRST = ", the first time"
PATIENCE = 500  # seconds
TABLE = "gui_pause"

PROTOCOL = """\
Milliseconds in which the window does nothing, between two ticks of a timer that should tick every
{tick} ms, while the view goes to the next slice every {scroll} ms: the median, what one in a
hundred is longer than, and the longest, over {repeats} rounds. The stack has {slices} x {side} x
{side} pixels. *Most work* is the most that the thread of the window computed between two ticks:
unlike a pause it does not grow when other programs are busy. Each job counts from the press of its
button until its result is on screen. *The first time* napari makes the layers of a result, which
takes most of it without a graphics card; after that they are filled anew. *Seconds to cancel* are
the longest from the press of Cancel in the middle of a job until nothing runs.
"""


class Ticks:
    """Pauses between the ticks of a timer, while the view scrolls."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._last = self._last_work = 0.0
        self.pauses: list[float] = []
        self.work: list[float] = []
        self._clock, self._scroll = QTimer(), QTimer()
        self._clock.timeout.connect(self._tick)
        self._scroll.timeout.connect(self._next_slice)

    def during(self, ends: Callable[[], bool]) -> NDArray[np.float64]:
        """Let the window live until something has ended; return pauses and work in milliseconds."""
        self.pauses, self.work = [], []
        self._last, self._last_work = time.perf_counter(), time.thread_time()
        self._clock.start(TICK_MS)
        self._scroll.start(SCROLL_MS)
        until = time.monotonic() + PATIENCE
        while not ends() and time.monotonic() < until:
            QApplication.processEvents()
            time.sleep(0.0005)
        self._tick()
        self._clock.stop()
        self._scroll.stop()
        return np.array([self.pauses, self.work])

    def _tick(self) -> None:
        now, work = time.perf_counter(), time.thread_time()
        self.pauses.append(1000 * (now - self._last))
        self.work.append(1000 * (work - self._last_work))
        self._last, self._last_work = now, work

    def _next_slice(self) -> None:
        slices = self._viewer.dims.nsteps[0]
        self._viewer.dims.set_current_step(0, (self._viewer.dims.current_step[0] + 1) % slices)


def rounds(
    options: argparse.Namespace, folder: Path
) -> tuple[dict[str, list[NDArray[np.float64]]], dict[str, list[float]]]:
    """Measure every job as often as wanted."""
    viewer = napari.Viewer(show=False)
    viewer.window.resize(1280, 900)
    viewer.add_image(_stack(options.slices, options.side), name="stack", scale=(5, 1, 1))
    _, dock = viewer.window.add_plugin_dock_widget("napari-infoleak")
    viewer.show()
    ticks = Ticks(viewer)
    _paint(dock)
    _after(ticks, 3)  # the child starts, the window is drawn for the first time
    jobs: dict[str, Callable[[], Any]] = {
        "nothing": lambda: None,
        "segmenting the stack": dock.segment.segment_stack,
        "making cells": dock.cells.make_cells,
        "saving the probabilities": lambda: dock.export.save_to(folder / "p.npy", "probabilities"),
    }
    found: dict[str, list[NDArray[np.float64]]] = {}
    for number in range(options.repeats + 1):
        for job, start in jobs.items():
            name = job + FIRST if number == 0 and job != "nothing" else job
            start_at, work_at = time.perf_counter(), time.thread_time()
            start()
            pressed = time.perf_counter() - start_at, time.thread_time() - work_at
            end = time.monotonic() + options.seconds
            pauses = ticks.during(
                lambda job=job, end=end: (
                    time.monotonic() > end if job == "nothing" else not dock.worker.busy
                )
            )
            found.setdefault(name, []).append(np.column_stack([pauses, 1000 * np.array(pressed)]))
            _after(ticks, 0.5)
    late = cancels(dock, jobs, ticks, options)
    viewer.close()
    return found, late


def cancels(
    dock: Any, jobs: dict[str, Callable[[], Any]], ticks: Ticks, options: argparse.Namespace
) -> dict[str, list[float]]:
    """Cancel every job in its middle; return the seconds until nothing runs any more."""
    dock.train.minutes.setValue(30)
    late: dict[str, list[float]] = {}
    for name, start in (jobs | {"training": dock.train.train}).items():
        late[name] = []
        for _ in range(options.repeats if name != "nothing" else 0):
            start()
            _after(ticks, 4 if name == "training" else 0.7)
            if not dock.worker.busy:
                continue  # it was ready before
            pressed = time.perf_counter()
            dock.footer.cancel.click()
            ticks.during(lambda: not dock.worker.busy)
            late[name].append(time.perf_counter() - pressed)
    return late


def _after(ticks: Ticks, seconds: float) -> None:
    end = time.monotonic() + seconds
    ticks.during(lambda: time.monotonic() > end)


def _stack(slices: int, side: int) -> NDArray[Any]:
    """Lay the sample side by side, with noise that makes every slice another."""
    sample = np.asarray(read(sample_path("em_stack")).data)[0, 0]
    sizes = zip((slices, side, side), sample.shape, strict=True)
    repeats = [-(-wanted // have) for wanted, have in sizes]
    tiled = np.tile(sample, repeats)[:slices, :side, :side]
    noise = np.random.default_rng(0).integers(0, 9, tiled.shape)
    return (tiled // 2 + noise).astype(np.uint8)


def _paint(dock: Any) -> None:
    """Two strokes, so that there is something to leak."""
    dock.annotate.make_layer()
    layer = dock.annotate.layer.layer
    for number, row in ((1, 40), (2, 80)):
        columns = np.arange(20, 90)
        layer.data_setitem((np.zeros(70, int), np.full(70, row), columns), number)
    dock.annotate.count_now()


def table(found: dict[str, list[NDArray[np.float64]]], late: dict[str, list[float]]) -> str:
    """A line a job."""
    lines = []
    found = found | {name: [] for name in late if name not in found}
    for name, own in found.items():
        cancel = f"{max(late[name]):.2f}" if late.get(name) else "-"
        if not own:
            lines.append((name, "-", "-", "-", "-", "-", cancel))
            continue
        pauses, work = np.concatenate(own, axis=1)
        figures = (np.median(pauses), np.percentile(pauses, 99), pauses.max(), work.max())
        seconds = np.median([one[0].sum() / 1000 for one in own])
        lines.append((name, *(f"{value:.0f}" for value in figures), f"{seconds:.1f}", cancel))
    head = ("while", "median", "1 in 100", "longest", "most work", "seconds it took")
    head = (*head, "seconds to cancel")
    return markdown(head, lines)


def main() -> None:
    """Measure, print, and publish if wanted."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--slices", type=int, default=48)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8, help="length of the baseline")
    parser.add_argument("--publish", action="store_true", help="put the table into the pages")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found, late = rounds(options, Path(folder))
    numbers = {name: getattr(options, name) for name in ("slices", "side", "repeats")}
    text = f"{PROTOCOL.format(tick=TICK_MS, scroll=SCROLL_MS, **numbers)}\n{table(found, late)}"
    text += f"\n\n{hardware()}, napari {napari.__version__}."
    idle = max(pauses.max() for pauses in found["nothing"])
    worst = max(pauses.max() for own in list(found.values())[1:] for pauses in own)
    slowest = max((seconds for own in late.values() for seconds in own), default=float("nan"))
    print(text, verdict("longest pause, ms", worst, "<=", max(GOAL_MS, idle)), sep="\n\n")
    print(verdict("slowest cancel, s", slowest, "<=", GOAL_CANCEL))
    if options.publish:
        publish(TABLE, f"{text}\n\nPrinted by `benchmarks/gui_pause.py`.")


if __name__ == "__main__":
    main()
