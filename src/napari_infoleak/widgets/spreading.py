"""From paint on some frames to labels on all: asks the child process, keeps what it said."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_infoleak.core.errors import InfoleakError
from napari_infoleak.core.region import Region
from napari_infoleak.scale.folder import PrivateFolder
from napari_infoleak.widgets import jobs
from napari_infoleak.widgets.layers import show_plane
from napari_infoleak.widgets.segmenting import asked, leaking

if TYPE_CHECKING:
    from napari import Viewer

    from napari_infoleak.api import Spread
    from napari_infoleak.spread.frame import SpreadFrame
    from napari_infoleak.widgets.layers import Source
    from napari_infoleak.widgets.segmenting import Segmenting
    from napari_infoleak.widgets.state import DockState
    from napari_infoleak.widgets.worker import Worker

_STOP = "stop"  # the file that ends it


class Spreading(QObject):
    """Spreads labels over the frames of the image.

    Parameters
    ----------
    state : DockState
        What is painted.
    worker : Worker
        The child process.
    segmenting : Segmenting
        Puts the labels on screen.
    viewer : napari Viewer
        Is moved to frames.
    """

    spread = Signal(object)  # Spread, or None where it belongs to no image any more

    def __init__(
        self, state: DockState, worker: Worker, segmenting: Segmenting, viewer: Viewer
    ) -> None:
        super().__init__(worker)
        self._state, self._worker = state, worker
        self._segmenting, self._viewer = segmenting, viewer
        self._last: tuple[Source, Spread] | None = None
        self._stop: PrivateFolder | None = None
        worker.ended.connect(self.close)
        state.events.source.connect(self._forget)

    def last(self, source: Source) -> Spread | None:
        """Return how labels were spread over an image the last time."""
        return self._last[1] if self._last is not None and self._last[0] is source else None

    def show(self, source: Source, spread: Spread) -> None:
        """Show how labels were spread over an image; they themselves are shown already."""
        self._last = source, spread
        self.spread.emit(spread)

    @property
    def learning(self) -> bool:
        """Whether a model learns on the way just now."""
        return self._stop is not None

    def start(self, axis: str, stop_below: float, *, fine_tune: bool = False) -> bool:
        """Spread what is painted on the image; False if that is not possible now."""
        state, source = self._state, self._state.source
        if source is None:
            return False
        try:
            request = leaking(state, source)
            stop = PrivateFolder() if fine_tune else None
        except InfoleakError as error:
            self._worker.failed.emit(str(error))
            return False
        classes, basis = state.classes, asked(state)

        def take(result: Spread) -> None:
            complete = all(frame.state != "unreached" for frame in result.frames)
            whole = Region.whole(source.image.label_shape)
            # Copies, for the layers' own will be painted on.
            shown = replace(
                result,
                labels=np.array(result.labels),
                probabilities=np.array(result.probabilities),
            )
            self._segmenting.take(
                source, whole, classes, shown, basis, complete=complete, spread=True
            )
            if source is state.source:
                self.show(source, result)

        started = self._worker.start(
            f"Spreading labels along {axis}",
            f"{jobs.HERE}.propagate",
            take,
            **request,
            axis=axis,
            stop_below=stop_below,
            fine_tune=fine_tune,
            stop=None if stop is None else stop.path / _STOP,
            previous=None if self._last is None else self._last[1],
        )
        if started:
            self._stop = stop
        elif stop is not None:
            stop.remove()
        return started

    def stop_and_keep(self) -> None:
        """End it before all frames have had their turn; those that are labelled stay so."""
        if self._stop is not None:
            (self._stop.path / _STOP).touch()

    def show_frame(self, frame: SpreadFrame) -> None:
        """Bring a frame on screen; the field of view stays where it is."""
        source = self._state.source
        if source is not None:
            show_plane(self._viewer, source, frame.t, frame.z)

    def close(self) -> None:
        """Remove the folder by which it is stopped; it has ended."""
        if self._stop is not None:
            self._stop.remove()
            self._stop = None

    def _forget(self, source: Any) -> None:
        """Another image, or another meaning of its axes."""
        if self._last is not None and self._last[0] is not source:
            self._last = None
            self.spread.emit(None)
