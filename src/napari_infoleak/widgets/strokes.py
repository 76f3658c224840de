"""Strokes of the mouse on a layer that lies on an image, and paint laid down for the user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_infoleak.core.axes import without_channel
from napari_infoleak.widgets.layers import full_resolution, identity, pixel_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from napari import Viewer
    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_infoleak.widgets.annotation import Annotation
    from napari_infoleak.widgets.layers import Source

_PAINTING = ("paint", "erase")


class Strokes(QObject):
    """Follows the mouse while it paints in a layer.

    napari draws the stroke; here are the pixels that the mouse went over, in their order.

    Parameters
    ----------
    viewer : napari Viewer
    parent : QObject, optional
        Owner.
    """

    begun = Signal()  # before anything of it is painted
    drawn = Signal(object)  # array, (points, 4): t, z, y, x

    def __init__(self, viewer: Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Labels | None = None
        self._source: Source | None = None

    def follow(self, layer: Labels | None, source: Source | None) -> None:
        """Follow the mouse on this layer from now on; None is none."""
        if self._layer is not None and self._dragged in self._layer.mouse_drag_callbacks:
            self._layer.mouse_drag_callbacks.remove(self._dragged)
        self._layer, self._source = layer, source
        if layer is not None:
            layer.mouse_drag_callbacks.insert(0, self._dragged)  # before the brush

    def _dragged(self, layer: Labels, event: Any) -> Iterator[None]:
        if str(layer.mode) not in _PAINTING or getattr(event, "button", 1) != 1:
            return
        self.begun.emit()
        places = [self._place(event)]
        yield
        while event.type == "mouse_move":
            places.append(self._place(event))
            yield
        hit = [place for place in places if place is not None]
        if hit:  # once napari has drawn the end of it
            QTimer.singleShot(0, lambda: self._tell(layer, np.array(hit)))

    def _tell(self, layer: Labels, places: NDArray[np.int64]) -> None:
        # By their ids: a plugin sees layers through napari's proxies.
        if self._layer is not None and identity(layer) == identity(self._layer):
            self.drawn.emit(places)

    def _place(self, event: Any) -> tuple[int, int, int, int] | None:
        if self._source is None or self._source.layer not in self._viewer.layers:
            return None
        return pixel_at(self._viewer, self._source, event.position)


def lay_down(
    annotation: Annotation,
    t: int,
    z: int,
    y: NDArray[np.integer[Any]],
    x: NDArray[np.integer[Any]],
    ids: NDArray[np.integer[Any]],
) -> None:
    """Paint in an annotation, as if by hand: napari can undo it, and who listens is told.

    An annotation that is hidden is shown.

    Parameters
    ----------
    annotation : Annotation
    t, z : int
        The slice.
    y, x, ids : ndarray of int, shape (pixels,)
        Where on it, and which classes; 0 erases.
    """
    if not len(y):
        return
    layer, letters = annotation.layer, _letters(annotation)
    at = {"T": np.full_like(y, t), "Z": np.full_like(y, z), "Y": y, "X": x}
    indices = tuple(at.get(letter, np.zeros_like(y)) for letter in letters)
    layer.visible = True  # of a hidden layer napari holds no slice that it could paint in
    layer.data_setitem(indices, ids.astype(full_resolution(layer).dtype))


def painted_planes(annotation: Annotation, atoms: Iterable[Any]) -> set[tuple[int, int]] | None:
    """Return the (t, z) of the slices that paint reached, by what napari says of it.

    Parameters
    ----------
    annotation : Annotation
    atoms : iterable
        Value of the layer's event ``paint``.

    Returns
    -------
    set of (int, int), or None
        None if it cannot be told; then any slice may hold new paint.
    """
    letters = _letters(annotation)
    found: set[tuple[int, int]] = set()
    for atom in atoms:
        key = atom[0] if isinstance(atom, tuple) else getattr(atom, "slice_key", None)
        if key is None or len(key) != len(letters):
            return None
        t, z = (key[letters.index(one)] if one in letters else slice(0, 1) for one in "TZ")
        if isinstance(t, np.ndarray) and isinstance(z, np.ndarray):  # pixel by pixel
            found |= set(zip(t.tolist(), z.tolist(), strict=True))
        else:
            found |= {(a, b) for a in _places(t) for b in _places(z)}
    return found


def _places(along: Any) -> Iterable[int]:
    """Places along an axis: of a slice, of indices, or a single one."""
    if isinstance(along, slice):
        return range(along.start or 0, along.stop)
    return [int(one) for one in np.unique(along)]


def _letters(annotation: Annotation) -> str:
    letters = annotation.source.grid_letters
    return letters if annotation.layer.ndim == len(letters) else without_channel(letters)
