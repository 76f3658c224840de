"""Images go to the child process once, not with each question, and again when they change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable

    from napari import Viewer
    from napari.layers import Layer

    from napari_infoleak.widgets.state import DockState
    from napari_infoleak.widgets.worker import Worker


@dataclass
class _Handed:
    """An array of a layer, and what was on screen when the layer was drawn last."""

    layer: Layer
    array: np.ndarray[Any, Any]
    shown: Hashable


class Handing:
    """Hands the image and the other annotated images over.

    Parameters
    ----------
    state : DockState
        Says which images there are.
    worker : Worker
        Has the child process.
    viewer : napari Viewer
        Tells a layer that was changed from one that shows another slice.
    """

    def __init__(self, state: DockState, worker: Worker, viewer: Viewer) -> None:
        self._state, self._worker, self._viewer = state, worker, viewer
        self._handed: list[_Handed] = []
        state.events.source.connect(self._follow)
        state.events.supports.connect(self._follow)
        worker.ended.connect(self._follow)  # what a full disk had no room for is tried again
        self._follow()

    def disconnect_viewer(self) -> None:
        """Stop following the layers."""
        for one in self._handed:
            one.layer.events.set_data.disconnect(self._drawn)
        self._handed = []

    def _follow(self, value: Any = None) -> None:
        """Hand over what is new, and let go of what is used no more."""
        executor = self._worker.executor
        if executor.closed:
            return
        used = [self._state.source, *(pair.source for pair in self._state.supports)]
        wanted = {id(one.data): (one.layer, one.data) for one in used if one is not None}
        for one in [each for each in self._handed if id(each.array) not in wanted]:
            self._handed.remove(one)
            one.layer.events.set_data.disconnect(self._drawn)
            executor.release(one.array)
        known = {id(one.array) for one in self._handed}
        for key, (layer, array) in wanted.items():
            if isinstance(array, np.ndarray):
                executor.hold(array)
                if key not in known:
                    self._handed.append(_Handed(layer, array, self._shown()))
                    layer.events.set_data.connect(self._drawn)

    def _drawn(self, event: Any) -> None:
        """Hand an image over again whose pixels were changed in place and drawn anew."""
        self._follow()
        executor, shown = self._worker.executor, self._shown()
        for one in self._handed:
            if one.layer is event.source:
                if one.shown == shown:
                    executor.release(one.array)
                    executor.hold(one.array)
                one.shown = shown

    def _shown(self) -> Hashable:
        """Return what slice is on screen."""
        dims = self._viewer.dims
        return tuple(dims.point), tuple(dims.order), dims.ndisplay
