"""The annotation layer: made, keyed, counted, and packed for the child process."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.axes import labels_from_canonical, labels_to_canonical
from napari_infoleak.core.classes import LARGEST_ID, ClassTable
from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.region import Region
from napari_infoleak.widgets.layers import (
    KEY,
    Source,
    full_resolution,
    identity,
    note,
    write_note,
)
from napari_infoleak.widgets.travel import Painted, Patch, sendable

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    from napari import Viewer
    from napari.layers import Labels

BRUSH = 3
COUNT_AFTER_MS = 120
"""How long paint may wait to be counted."""
MOST_CLASSES = 40
"""More numbers than this are taken for cells, not for classes."""
_NAPARI_BRUSH = 10  # what a layer has that nobody chose a brush for
LARGEST_IN_MEMORY = 512 << 20  # bytes; beyond, a layer is kept in chunks that exist once painted
_SMALL = 32 << 20  # bytes that are counted in a moment
_BLOCK = 1 << 20
_CLASSES = 256


@dataclass(frozen=True)
class Count:
    """How many pixels are painted.

    Parameters
    ----------
    total : mapping of int to int
        Pixels per class id; classes that are not painted are left out.
    here : mapping of int to int
        The same for the slice on screen.
    slices : int
        Number of slices that hold paint.
    digest : int
        What tells this paint from other paint; 0 where nothing is painted.
    """

    total: Mapping[int, int] = field(default_factory=dict)
    here: Mapping[int, int] = field(default_factory=dict)
    slices: int = 0
    digest: int = 0


class Annotation:
    """A labels layer that annotates an image, with a running count of what is painted.

    Parameters
    ----------
    layer : napari labels layer
        The layer.
    source : Source
        The image it annotates.

    Raises
    ------
    BadInput
        If the layer holds numbers that are no classes.
    """

    def __init__(self, layer: Labels, source: Source) -> None:
        self.layer = layer
        self.source = source
        self._planes: dict[tuple[int, int], npt.NDArray[np.int64]] = {}
        self._digests: dict[tuple[int, int], int] = {}
        self._seen: tuple[Any, npt.NDArray[Any]] | None = None
        self.recount_all()
        ids = len(self.count(0, 0).total)
        if ids > MOST_CLASSES:
            raise BadInput(
                f"“{layer.name}” holds {ids} different numbers, which look like cells; an "
                f"annotation holds one number for each class"
            )

    @property
    def in_memory(self) -> bool:
        """Whether every plane can be looked at without reading a file."""
        return isinstance(self._data, np.ndarray) or _blank_chunks(self._data) is not None

    def recount_all(self) -> None:
        """Count every slice anew; slices of files are counted once they are on screen."""
        self._planes.clear()
        self._digests.clear()
        if self.in_memory:
            for t, z in self.places():
                self.recount(t, z)

    def places(self) -> list[tuple[int, int]]:
        """Return the (t, z) of slices that may hold paint."""
        chunks = _blank_chunks(self._data)
        everywhere = np.ndindex(*self.source.image.label_shape[:2])
        return [(t, z) for t, z in everywhere if chunks is None or self._touched(chunks, t, z)]

    def recount_near(self, t: int, z: int) -> None:
        """Count what may have changed: one slice, or all of a small annotation."""
        if isinstance(self._data, np.ndarray) and self._data.nbytes <= _SMALL:
            self.recount_all()
        else:
            self.recount(t, z)

    def recount(self, t: int, z: int) -> None:
        """Count one slice anew."""
        plane = self.plane(t, z)
        if not plane.any():
            self._planes.pop((t, z), None)
            self._digests.pop((t, z), None)
            return
        if plane.dtype != np.uint8:
            self._refuse_no_classes(plane)
        ids = np.ascontiguousarray(plane, np.uint8)
        self._planes[t, z] = _histogram(ids)
        self._digests[t, z] = zlib.crc32(ids.data)

    def _refuse_no_classes(self, plane: npt.NDArray[Any]) -> None:
        """Refuse numbers that are no class ids, such as those of cells."""
        low, high = int(plane.min()), int(plane.max())
        if low < 0 or high > LARGEST_ID:
            raise BadInput(
                f"“{self.layer.name}” holds numbers from {low} to {high}; an annotation holds "
                f"class ids from 1 to {LARGEST_ID}, and 0 where nothing is painted"
            )

    def count(self, t: int, z: int) -> Count:
        """Return what is painted in all, and on one slice."""
        if not self._planes:
            return Count()
        total = np.sum(list(self._planes.values()), axis=0)
        here = self._planes.get((t, z), np.zeros(_CLASSES, np.int64))
        return Count(_per_class(total), _per_class(here), len(self._planes), self.digest)

    @property
    def digest(self) -> int:
        """What tells what is painted from other paint; 0 for nothing, and for a file's."""
        if not self.in_memory or not self._digests:
            return 0
        rows = [(t, z, digest) for (t, z), digest in sorted(self._digests.items())]
        return zlib.crc32(np.array(rows, np.int64).tobytes())

    def by_slice(self) -> dict[tuple[int, int], dict[int, int]]:
        """Return the painted pixels of each class, by the (t, z) of the slice."""
        return {place: _per_class(counts) for place, counts in self._planes.items()}

    def plane(self, t: int, z: int) -> npt.NDArray[Any]:
        """Return one slice, (Y, X)."""
        data = self._data
        if isinstance(data, np.ndarray):
            return np.asarray(self._canonical(data)[t, z])
        block = np.asarray(data[self._slices(t, z)])
        return np.asarray(labels_to_canonical(self._grid.take_off(block), self.source.axes)[0, 0])

    def put(self, t: int, z: int, plane: npt.NDArray[Any]) -> None:
        """Replace one slice, (Y, X); the layer has to be refreshed."""
        block = labels_from_canonical(plane[np.newaxis, np.newaxis], self.source.axes)
        self._data[self._slices(t, z)] = self._grid.put_on(block)
        self.recount(t, z)

    def pack(self) -> Painted | Any:
        """Return a copy of the painted slices, or the lazy array itself where it is a file's."""
        self.recount_all()
        if not self.in_memory:
            return sendable(self._data)
        patches = tuple(_patch(t, z, self.plane(t, z)) for t, z in sorted(self._planes))
        return Painted(self.source.image.label_shape, np.dtype(self._data.dtype), patches)

    @property
    def _data(self) -> Any:
        return full_resolution(self.layer)

    @cached_property
    def _grid(self) -> Any:
        """The image's grid, without the long C pixel where the layer came without it.

        Looked up once: asking the layer for every slice of a stack would take longer than counting.
        """
        grid = self.source.grid
        if self._data.ndim == len(grid.shape):
            return grid
        return replace(grid, shape=tuple(self._data.shape), channel_axis=None)

    def _canonical(self, data: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the data as TZYX, a view, which is made once: it is asked for slice by slice."""
        if self._seen is None or self._seen[0] is not data:
            view = labels_to_canonical(self._grid.take_off(data), self.source.axes)
            self._seen = data, np.asarray(view)
        return self._seen[1]

    def _slices(self, t: int, z: int) -> tuple[slice, ...]:
        region = Region.from_slices(self.source.image.label_shape, t=t, z=z)
        slices: tuple[slice, ...] = self._grid.slices(region, self.source.letters)
        return slices

    def _touched(self, chunks: Mapping[str, Any], t: int, z: int) -> bool:
        """Tell whether any chunk of a slice of a blank array exists."""
        leading = "/".join(str(part.start) for part in self._slices(t, z)[:-2])
        return any(key.startswith(f"c/{leading}/") for key in chunks)


def new_annotation(
    viewer: Viewer,
    source: Source,
    classes: ClassTable,
    data: Any = None,
    name: str = "",
    **notes: Any,
) -> Labels:
    """Add an annotation layer on an image, ready to paint with; empty without data."""
    grid = source.grid
    layer = viewer.add_labels(
        blank(grid.shape, np.uint8) if data is None else data,
        name=name or f"{source.name} annotation",
        opacity=0.8,
        metadata={
            KEY: {
                "kind": "annotation",
                "image": identity(source.layer),
                "axes": source.grid_letters,
                **notes,
            }
        },
        **grid.calibration(),
    )
    adopt(layer, classes)
    layer.selected_label = classes.ids[0]
    layer.mode = "paint"
    return layer


def adopt(layer: Labels, classes: ClassTable) -> None:
    """Give a layer the colours of the classes, and the keys 1 to 9 that choose them.

    On this layer alone they stand before napari's own, which choose its tools and have letters as
    well; a number without a class keeps napari's meaning, and a key that another plugin has bound
    on the layer stays its.
    """
    write_note(layer, classes=classes.to_json())
    layer.colormap = class_colours(classes)
    if layer.brush_size == _NAPARI_BRUSH:
        layer.brush_size = BRUSH
    for number in range(1, 10):
        if number in classes and _is_free(layer, number):
            layer.bind_key(str(number), _chooser(number), overwrite=True)


def give_back_keys(layer: Labels) -> None:
    """Let the number keys of a layer mean what they mean to napari."""
    for number in range(1, 10):
        if _bound(layer, number) is not None and _is_free(layer, number):
            layer.bind_key(str(number), None, overwrite=True)


def _bound(layer: Labels, number: int) -> Any:
    """Return what a number key of this layer does; None where it was given nothing to do."""
    from napari.utils.key_bindings import coerce_keybinding

    return layer.keymap.get(coerce_keybinding(str(number)))


def _is_free(layer: Labels, number: int) -> bool:
    """Tell whether a number key of this layer is nobody else's."""
    bound = _bound(layer, number)
    return bound is None or getattr(bound, "__module__", "") == __name__


def classes_of(layer: Labels) -> ClassTable | None:
    """Return the class table that a layer remembers."""
    saved = note(layer).get("classes")
    return None if saved is None else ClassTable.from_json(saved)


def class_colours(classes: ClassTable) -> Any:
    """Return napari's colour map of a class table; ids without a class are grey."""
    from napari.utils.colormaps import DirectLabelColormap

    colours: dict[int | None, Any] = {None: "#808080", 0: "transparent"}
    colours.update({entry.id: entry.colour for entry in classes})
    return DirectLabelColormap(color_dict=colours)


def choose_class(layer: Labels, class_id: int) -> None:
    """Paint with a class from now on; hidden paint is shown, for napari paints in none."""
    layer.visible = True
    layer.selected_label = class_id
    if layer.mode in ("pan_zoom", "erase", "transform", "pick"):
        layer.mode = "paint"


def blank(shape: tuple[int, ...], dtype: Any) -> Any:
    """Return an array of zeros that costs memory only where it is written to."""
    if int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize <= LARGEST_IN_MEMORY:
        return np.zeros(shape, dtype)
    import zarr

    from napari_infoleak.widgets.sparse import SparseStore

    plane = tuple(min(size, 1024) for size in shape[-2:])
    return zarr.create_array(
        store=SparseStore(),
        shape=shape,
        dtype=np.dtype(dtype),
        chunks=(1,) * (len(shape) - 2) + plane,
        fill_value=0,
    )


def _chooser(number: int) -> Any:
    def choose(layer: Labels) -> None:
        table = classes_of(layer)
        if table is not None and number in table:
            choose_class(layer, number)

    return choose


def _histogram(plane: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Count ids in blocks: numpy widens what it counts to eight bytes."""
    counts = np.zeros(_CLASSES, np.int64)
    flat = np.ravel(plane)
    for start in range(0, flat.size, _BLOCK):
        block = flat[start : start + _BLOCK]
        if block.any():
            counts += np.bincount(block, minlength=_CLASSES)
    return counts


def _patch(t: int, z: int, plane: npt.NDArray[Any]) -> Patch:
    """Copy the box around the paint of a slice."""
    rows, columns = np.flatnonzero(plane.any(1)), np.flatnonzero(plane.any(0))
    y, x = int(rows[0]), int(columns[0])
    return Patch(t, z, y, x, plane[y : rows[-1] + 1, x : columns[-1] + 1].copy())


def _per_class(counts: npt.NDArray[np.int64]) -> dict[int, int]:
    return {int(i): int(counts[i]) for i in np.flatnonzero(counts) if i > 0}


def _blank_chunks(array: Any) -> Mapping[str, Any] | None:
    """Return the written chunks of an array that `blank` made; None for any other array."""
    return getattr(getattr(array, "store", None), "written", None)
