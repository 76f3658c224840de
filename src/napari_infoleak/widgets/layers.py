"""What a napari layer means to the rest of the package: pixels, axes, calibration, and the grid.

An image layer and the layers that lie on it (annotation, labels, cells) may differ in their number
of dimensions, since labels have no C. napari lines layers up by their *last* dimensions, so a C in
front can simply be left out; a C between other axes stays, as one long pixel that spans all the
channels. `Grid` knows which of the two it is.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.axes import guess_axes, without_channel
from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.image import Image
from napari_infoleak.core.region import Region
from napari_infoleak.core.units import UNKNOWN_UNIT, factor

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image as ImageLayer
    from napari.layers import Layer

KEY = "infoleak"
"""Where our notes lie in a layer's metadata."""

_LETTERS = "TCZYX"
_FIELD = 320  # pixels of the image that are shown around a place to paint on


@dataclass(frozen=True)
class Grid:
    """Shape and calibration of a layer that lies on an image, without its channels.

    Parameters
    ----------
    shape : tuple of int
        Shape of the layer's data.
    channel_axis : int or None
        Where the one-pixel C axis stands; None if the data have none.
    scale, translate : tuple of float
        As napari wants them, one a dimension.
    units, axis_labels : tuple of str
        Likewise.
    """

    shape: tuple[int, ...]
    channel_axis: int | None
    scale: tuple[float, ...]
    translate: tuple[float, ...]
    units: tuple[str, ...]
    axis_labels: tuple[str, ...]

    @classmethod
    def of(
        cls,
        letters: str,
        sizes: Mapping[str, int],
        scale: Sequence[float],
        translate: Sequence[float],
        units: Sequence[str],
        axis_labels: Sequence[str],
    ) -> Grid:
        """Leave the channels of an image out.

        Parameters
        ----------
        letters : str
            One a dimension that napari shows; the sequences have one entry for each.
        sizes : mapping of str to int
            Length along each letter.
        scale, translate, units, axis_labels : sequence
            Calibration of the image.
        """
        keep_channel = "C" in letters[1:]
        axes = letters if keep_channel else without_channel(letters)
        at = [letters.index(letter) for letter in axes]
        steps = np.asarray(scale, float)[at]
        offsets = np.asarray(translate, float)[at]
        shape = [sizes[letter] for letter in axes]
        channel = axes.index("C") if keep_channel else None
        if channel is not None:
            offsets[channel] += steps[channel] * (shape[channel] - 1) / 2
            steps[channel] *= shape[channel]
            shape[channel] = 1
        return cls(
            shape=tuple(shape),
            channel_axis=channel,
            scale=tuple(steps.tolist()),
            translate=tuple(offsets.tolist()),
            units=tuple(units[i] for i in at),
            axis_labels=tuple(axis_labels[i] for i in at),
        )

    def calibration(self) -> dict[str, Any]:
        """Return the keyword arguments that place a layer."""
        return {
            "scale": self.scale,
            "translate": self.translate,
            "units": self.units,
            "axis_labels": self.axis_labels,
        }

    def put_on(self, array: Any) -> Any:
        """Give labels, in the image's axes without C, the dimensions of the layer."""
        return array if self.channel_axis is None else np.expand_dims(array, self.channel_axis)

    def take_off(self, array: Any) -> Any:
        """Undo `put_on`; arrays that never had the C axis pass as they are."""
        if self.channel_axis is None or array.ndim < len(self.shape):
            return array
        return array[(slice(None),) * self.channel_axis + (0,)]

    def slices(self, region: Region, letters: str) -> tuple[slice, ...]:
        """Return the slices of the layer's data that a region covers."""
        by_letter = dict(zip("TZYX", region.slices, strict=True))
        kept = [by_letter[letter] for letter in without_channel(letters)]
        if self.channel_axis is not None:
            kept.insert(self.channel_axis, slice(0, 1))
        return tuple(kept)


@dataclass(frozen=True, eq=False)
class Source:
    """An image layer with the meaning of its dimensions.

    Parameters
    ----------
    layer : napari image layer
        The layer, never copied.
    letters : str
        One axis letter a dimension that napari shows (the colours of an RGB layer are none).
    """

    layer: ImageLayer
    letters: str

    @property
    def name(self) -> str:
        """Name of the layer."""
        return str(self.layer.name)

    @property
    def rgb(self) -> bool:
        """Whether the layer holds colours in its last dimension."""
        return bool(self.layer.rgb)

    @property
    def axes(self) -> str:
        """Axis letters of the data, with a C at the end for colours."""
        return self.letters + "C" if self.rgb else self.letters

    @property
    def data(self) -> Any:
        """The pixels as the layer holds them, at full resolution: numpy, dask or zarr."""
        return full_resolution(self.layer)

    @cached_property
    def array(self) -> Any:
        """The pixels that the letters were given to; the layer may have others by now."""
        return full_resolution(self.layer)

    @property
    def stands(self) -> bool:
        """Whether the data of the layer still have the shape that the letters were given to."""
        return tuple(self.data.shape) == tuple(self.array.shape)

    @property
    def sizes(self) -> dict[str, int]:
        """Length along each axis letter of the data."""
        return dict(zip(self.axes, (int(n) for n in self.array.shape), strict=True))

    @property
    def steps(self) -> dict[str, float]:
        """Step per axis letter as the layer has it, C left out."""
        return self._per_letter(self.layer.scale)

    @property
    def scale(self) -> dict[str, float]:
        """Physical step per axis letter, as far as it is known.

        napari has no word for "unknown": it shows pixels of size 1, in time and in space.
        """
        steps, units = self.steps, self.units
        known: dict[str, float] = {}
        for together in ("T", "ZYX"):
            part = {letter: steps[letter] for letter in together if letter in steps}
            if any(step != 1 or units[letter] != UNKNOWN_UNIT for letter, step in part.items()):
                known.update(part)
        return known

    @property
    def translate(self) -> dict[str, float]:
        """Physical origin per axis letter, C left out."""
        return self._per_letter(self.layer.translate)

    @property
    def units(self) -> dict[str, str]:
        """Unit per axis letter, C left out; "pixel" where none is known."""
        return {k: v for k, v in zip(self.letters, _units(self.layer), strict=True) if k != "C"}

    @cached_property
    def image(self) -> Image:
        """The same as a canonical image; views only, nothing is read.

        Made once, so its name and calibration are of then: `described` has those of now.
        """
        return Image.from_array(self.array, self.axes, **self.description())

    @property
    def described(self) -> Image:
        """The image with the name and the calibration that its layer has now."""
        return replace(self.image, **self.description())

    def description(self) -> dict[str, Any]:
        """Return what `Image.from_array` wants to know besides the pixels and the axes."""
        return {
            **self.calibration,
            "name": self.name,
            "rgb": self.rgb,
            "source": file_of(self.layer),
        }

    @property
    def calibration(self) -> dict[str, dict[str, Any]]:
        """Scale, translate and units, as the layer has them now."""
        return {"scale": self.scale, "translate": self.translate, "units": self.units}

    @property
    def channels(self) -> int:
        """Number of channels or colours; 1 if there is no such axis."""
        return self.sizes.get("C", 1)

    @property
    def grid(self) -> Grid:
        """Where labels of this image lie."""
        layer = self.layer
        labels = tuple(layer.axis_labels)
        return Grid.of(
            self.letters, self.sizes, layer.scale, layer.translate, _units(layer), labels
        )

    @property
    def grid_letters(self) -> str:
        """Axis letters of the layers that lie on this image, C among them if the grid has it."""
        keep = self.grid.channel_axis is not None
        return self.letters if keep else without_channel(self.letters)

    def _per_letter(self, values: Any) -> dict[str, float]:
        pairs = zip(self.letters, np.asarray(values, float).tolist(), strict=True)
        return {letter: value for letter, value in pairs if letter != "C"}


def source_of(layer: ImageLayer, letters: str | None = None) -> Source:
    """Read a layer, with given letters or with remembered or guessed ones.

    Parameters
    ----------
    layer : napari image layer
        The layer.
    letters : str or None
        One letter a dimension that napari shows.

    Raises
    ------
    BadInput
        If the layer is rotated, sheared or warped, if the letters do not fit, or if the pixels are
        no picture.
    """
    reason = refusal(layer)
    if reason:
        raise BadInput(reason)
    source = Source(layer, (letters or guess_letters(layer)).upper())
    source.image  # noqa: B018 - checks letters, dtype and shape, and keeps the view
    return source


def refusal(layer: Layer) -> str:
    """Return why the placement of a layer is beyond us; empty if it is not."""
    ndim = layer.ndim
    origin = np.asarray(layer.data_to_world(np.zeros(ndim)))
    steps = np.stack([np.asarray(layer.data_to_world(unit)) - origin for unit in np.eye(ndim)])
    if not np.allclose(steps, np.diag(np.diagonal(steps)), atol=1e-9):
        return (
            f"“{layer.name}” is rotated or sheared; choose a layer without, or "
            "save it resampled and open that"
        )
    if not (np.allclose(np.diagonal(steps), layer.scale) and np.allclose(origin, layer.translate)):
        return (
            f"“{layer.name}” has an affine transform besides its scale and translate; "
            "move it into those two and try again"
        )
    return ""


def guess_letters(layer: ImageLayer) -> str:
    """Return remembered letters, or those the layer names, or a guess from the shape."""
    remembered = note(layer).get("axes", "")
    if len(remembered) == layer.ndim:
        return str(remembered)
    named = "".join(str(label) for label in layer.axis_labels).upper()
    telling = len(set(named)) == len(named) == layer.ndim and set(named) <= set(_LETTERS)
    if telling and set("YX") <= set(named):
        return named
    axes = guess_axes(tuple(full_resolution(layer).shape), rgb=bool(layer.rgb))
    return axes[:-1] if layer.rgb else axes


def swap_letter(letters: str, position: int, letter: str) -> str:
    """Put a letter at a position; where it stood before comes the one it drives out."""
    old = letters[position]
    moved = letters.replace(letter, old)
    return moved[:position] + letter + moved[position + 1 :]


def remember_letters(source: Source) -> None:
    """Keep the letters with the layer."""
    write_note(source.layer, axes=source.letters)


def note(layer: Layer) -> Mapping[str, Any]:
    """Return our notes on a layer; empty if there are none."""
    found = layer.metadata.get(KEY)
    return found if isinstance(found, Mapping) else {}


def write_note(layer: Layer, **notes: Any) -> None:
    """Add to our notes on a layer."""
    layer.metadata[KEY] = {**note(layer), **notes}


def identity(layer: Layer) -> Hashable:
    """Return what tells this layer from every other one."""
    return str(layer.unique_id)


def full_resolution(layer: Layer) -> Any:
    """Return a layer's array, the finest one of several resolutions."""
    return layer.data[0] if layer.multiscale else layer.data


def file_of(layer: Layer) -> str | None:
    """Return the file that holds a layer as it is now, if there is one."""
    notes = note(layer)
    path = notes.get("file") or layer.source.path
    return None if path is None or notes.get("changed") else str(path)


def beside(layer: Layer, name: str) -> str:
    """Return where a file is offered to be saved: beside the layer's own, or at the user's home."""
    path = None if layer.source.sample else file_of(layer)
    folder = Path.home() if path is None else Path(path).parent
    return str((folder if folder.is_dir() else Path.home()) / name)


def fits(labels: Layer, source: Source) -> bool:
    """Tell whether a labels layer can be an annotation of an image."""
    shape = tuple(int(n) for n in full_resolution(labels).shape)
    grid = source.grid
    if shape == grid.shape:
        return True
    plain = tuple(n for axis, n in enumerate(grid.shape) if axis != grid.channel_axis)
    return shape == plain


def position(viewer: Viewer, source: Source) -> tuple[int, int]:
    """Return (t, z) of the slice on screen; 0 for an axis that the image does not have."""
    if not source.stands:
        return 0, 0
    point = np.asarray(viewer.dims.point, float)[-source.layer.ndim :]
    where, sizes = _pixel(source, point * _change(viewer, source.layer)), source.sizes
    t, z = (min(max(where.get(k, 0), 0), sizes.get(k, 1) - 1) for k in "TZ")
    return t, z


def pixel_at(
    viewer: Viewer, source: Source, point: Sequence[float]
) -> tuple[int, int, int, int] | None:
    """Return (t, z, y, x) of the pixel at a point of the viewer's world; None outside the image."""
    layer = source.layer
    world = np.asarray(point, float)[-layer.ndim :] * _change(viewer, layer)
    where, sizes = _pixel(source, world), source.sizes
    t, z, y, x = (where.get(letter, 0) for letter in "TZYX")
    inside = all(0 <= n < sizes.get(k, 1) for n, k in zip((t, z, y, x), "TZYX", strict=True))
    return (t, z, y, x) if inside else None


def show_plane(viewer: Viewer, source: Source, t: int, z: int, y: int = 0, x: int = 0) -> Any:
    """Bring a slice on screen, and return a pixel of it in the units of the viewer's world."""
    layer, letters = source.layer, source.letters
    at = dict(zip("TZYX", (t, z, y, x), strict=True))
    data = [at.get(letter, 0) for letter in letters]
    world = np.asarray(layer.data_to_world(data)) / _change(viewer, layer)
    first = viewer.dims.ndim - layer.ndim
    for axis, letter in enumerate(letters):
        if letter in "TZ":
            viewer.dims.set_point(first + axis, world[axis])
    return world


def go_to(viewer: Viewer, source: Source, place: tuple[int, int, int, int]) -> None:
    """Bring a pixel (t, z, y, x) into the middle of the screen, large enough to paint on."""
    world = show_plane(viewer, source, *place)
    letters = source.letters
    if not_on_screen(viewer, source):
        return
    y, x = (float(world[letters.index(letter)]) for letter in "YX")
    shown = visible_region(viewer, source).shape
    camera = viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera  # napari 0.9
    camera.zoom *= max(1.0, min(shown[2:]) / _FIELD)
    camera.center = (*camera.center[:-2], y, x)


def _pixel(source: Source, world: Any) -> dict[str, int]:
    """Return the index along each letter of a point in the units of the layer."""
    at = np.rint(source.layer.world_to_data(world)).astype(int)
    return dict(zip(source.letters, at.tolist(), strict=True))


def _change(viewer: Viewer, layer: Layer) -> Any:
    """Return by what to multiply the viewer's units to have a layer's; they may differ."""
    shown = tuple(getattr(viewer.dims, "units", None) or ())[-layer.ndim :]  # since napari 0.9
    if not shown:
        return np.ones(layer.ndim)
    changes = (factor(str(a), b) or 1.0 for a, b in zip(shown, _units(layer), strict=False))
    return np.array(list(changes))


def not_on_screen(viewer: Viewer, source: Source) -> str:
    """Return why there is no visible field to speak of; empty if there is one."""
    if viewer.dims.ndisplay != 2:
        return "Segment view needs the 2-D view; press Ctrl+Y (or the cube button) to go back to it"
    ndim = viewer.dims.ndim
    shown = {axis - (ndim - source.layer.ndim) for axis in viewer.dims.displayed}
    if shown != {source.letters.index("Y"), source.letters.index("X")}:
        return "Segment view needs Y and X on screen; turn the axes back, or mend the letters"
    return ""


def visible_region(viewer: Viewer, source: Source) -> Region:
    """Return the part of the current slice that is on screen.

    A field that has not been drawn yet counts as the whole slice.
    """
    t, z = position(viewer, source)
    layer = source.layer
    corners = np.asarray(layer.corner_pixels, float)
    corners[1] += 1  # the last pixel is inside
    if layer.multiscale:
        corners = corners * np.asarray(layer.downsample_factors[layer.data_level])
    bounds = {}
    for letter in "YX":
        axis, size = source.letters.index(letter), source.sizes[letter]
        start = int(np.clip(np.floor(corners[0, axis]), 0, size))
        end = int(np.clip(np.ceil(corners[1, axis]), 0, size))
        bounds[letter] = slice(start, end) if end - start > 1 else slice(0, size)
    shape = source.image.label_shape
    return Region.from_slices(shape, t=t, z=z, y=bounds["Y"], x=bounds["X"])


def _units(layer: Layer) -> tuple[str, ...]:
    return tuple(str(unit) for unit in layer.units)
