"""Live: every stroke asks again, the visible field first, and only the newest answer is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_infoleak.core.region import Region
from napari_infoleak.widgets import steps
from napari_infoleak.widgets.layers import not_on_screen, position, visible_region

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari import Viewer
    from napari.layers import Labels

    from napari_infoleak.widgets.annotation import Annotation
    from napari_infoleak.widgets.layers import Source
    from napari_infoleak.widgets.segmenting import Segmenting
    from napari_infoleak.widgets.state import DockState
    from napari_infoleak.widgets.worker import Worker

AFTER_MS = 150
"""Pause after a stroke, or a move of the view, before it is answered."""
_VIEW, _SLICE, _ALL = "the view", "the slice", "all slices"


class Live(QObject):
    """Answers again whenever the paint, the model or the view changes.

    A change makes every answer that is under way stale: it is dropped, not shown. What is asked
    next is the visible field, then the rest of the slice, then, if the user wants that, all. Any
    button goes before it.

    Parameters
    ----------
    state : DockState
        Says whether it is on, and what the answers depend on.
    viewer : napari Viewer
        Says what is on screen.
    worker : Worker
        Does it in the background.
    segmenting : Segmenting
        Asks, and shows the answers.
    """

    said = Signal(str)

    def __init__(
        self, state: DockState, viewer: Viewer, worker: Worker, segmenting: Segmenting
    ) -> None:
        super().__init__(worker)
        self._state, self._viewer = state, viewer
        self._worker, self._segmenting = worker, segmenting
        self._layer: Labels | None = None
        self._total: Any = None
        self._answered: list[Region] = []
        self._asked: Region | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(AFTER_MS)
        self._timer.timeout.connect(self._ask)
        self._connect()
        self._follow(state.annotation)

    def disconnect_viewer(self) -> None:
        """Stop following the viewer."""
        self._follow(None)
        self._timer.stop()
        for event in self._moves():
            event.disconnect(self._moved)

    def _connect(self) -> None:
        events = self._state.events
        events.annotation.connect(self._follow)
        events.count.connect(self._counted)
        for signal in (events.source, events.channel, events.model, events.leak, events.supports):
            signal.connect(self._changed)
        events.live.connect(self._switched)
        events.live_stack.connect(self._moved)
        for event in self._moves():
            event.connect(self._moved)
        self._worker.ended.connect(self._moved)
        self._worker.failed.connect(lambda message: self.said.emit(""))

    def _moves(self) -> Iterator[Any]:
        """Return the events of the viewer that bring something else on screen."""
        scene = self._viewer.scene if hasattr(self._viewer, "scene") else self._viewer  # napari 0.9
        yield self._viewer.dims.events.current_step
        yield self._viewer.dims.events.ndisplay
        yield scene.camera.events.center
        yield scene.camera.events.zoom

    def _follow(self, annotation: Annotation | None) -> None:
        """Listen to the strokes of another layer."""
        if self._layer is not None:
            self._layer.events.paint.disconnect(self._changed)
        self._layer = None if annotation is None else annotation.layer
        if self._layer is not None:
            self._layer.events.paint.connect(self._changed)
        self._changed()

    def _counted(self, count: Any) -> None:
        """Notice paint that came by other ways than strokes, such as undo."""
        if count.total != self._total:
            self._total = count.total
            self._changed()

    def _switched(self, on: bool) -> None:
        if on:
            self._changed()
        else:
            self._timer.stop()
            self._worker.drop_background()
            self.said.emit("")

    def _changed(self, value: Any = None) -> None:
        """Take back all answers: they are of other paint, or of another model."""
        self._answered = []
        if self._state.live:
            self._worker.drop_background()
            self._timer.start()

    def _moved(self, value: Any = None) -> None:
        """Look whether what is on screen is answered, once the view rests."""
        if self._state.live:
            self._timer.start()

    def _ask(self) -> None:
        """Ask about the next part, unless something else runs."""
        source = self._state.source
        if not self._state.live or source is None or self._worker.busy:
            return
        reason = steps.why_not_segment(self._state)
        if reason:
            self.said.emit(reason)
            return
        for what, region in self._wanted(source):
            if any(_holds(known, region) for known in self._answered):
                continue
            if not (self._worker.in_background and region == self._asked):
                self._start(region, what)
            return
        self.said.emit("Up to date." if self._answered else "")

    def _wanted(self, source: Source) -> Iterator[tuple[str, Region]]:
        """Return what should be answered, in this order."""
        if not not_on_screen(self._viewer, source):
            yield _VIEW, visible_region(self._viewer, source)
        shape = source.image.label_shape
        t, z = position(self._viewer, source)
        yield _SLICE, Region.from_slices(shape, t=t, z=z)
        if self._state.live_stack:
            yield _ALL, Region.whole(shape)

    def _start(self, region: Region, what: str) -> None:
        """Ask in the background; a larger part that is under way gives way to what is on screen."""
        self._asked = region

        def take() -> None:
            self._answered.append(region)
            self._moved()

        self.said.emit(f"Answering {what}…")
        self._segmenting.start(region, f"Answering {what}", answered=take)


def _holds(outer: Region, inner: Region) -> bool:
    """Tell whether a region lies within another."""
    pairs = zip(outer.slices, inner.slices, strict=True)
    return all(a.start <= b.start and b.stop <= a.stop for a, b in pairs)
