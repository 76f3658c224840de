"""What a file says of its axes and the size of its pixels, where the layer does not know.

napari's own reader gives the pixels of a TIFF and leaves the rest behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from napari_infoleak.core.axes import CANONICAL
from napari_infoleak.core.errors import InfoleakError
from napari_infoleak.io import read
from napari_infoleak.widgets.layers import file_of
from napari_infoleak.widgets.scale_editor import calibrate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari import Viewer

    from napari_infoleak.core.image import Image
    from napari_infoleak.widgets.layers import Source

_SILENT = (".png", ".npy")  # say nothing of it, and would be read as a whole


@dataclass(frozen=True)
class Told:
    """Letters of a layer's dimensions, and their steps and units as far as they are known."""

    letters: str
    scale: Mapping[str, float]
    units: Mapping[str, str]

    def put_into(self, source: Source, viewer: Viewer) -> bool:
        """Give the layer of a source with these letters steps and units, see `calibrate`."""
        steps = zip(source.letters, source.layer.scale, strict=True)
        units = zip(source.letters, source.layer.units, strict=True)
        return calibrate(
            viewer,
            source.layer,
            [self.scale.get(letter, float(step)) for letter, step in steps],
            [self.units.get(letter, str(unit)) for letter, unit in units],
        )


def told_by_file(source: Source) -> Told | None:
    """Read what the file of a layer says of it; None if that is nothing, or of other pixels.

    Parameters
    ----------
    source : Source
        Colour pictures and several files as one layer are left alone.
    """
    path = file_of(source.layer)
    if path is None or source.rgb or Path(path).suffix.lower() in _SILENT:
        return None
    try:
        changed = Path(path).stat().st_mtime
    except OSError:
        return None
    return _told(path, changed, tuple(source.data.shape))


@lru_cache(maxsize=16)  # a layer is looked at whenever its data change
def _told(path: str, changed: float, shape: tuple[int, ...]) -> Told | None:
    """Read a file as it is since it was changed, for an array of its pixels."""
    try:
        image = read(path)
    except (InfoleakError, OSError):
        return None
    letters = _letters(image, shape)
    return Told(letters, image.scale, image.units) if letters and image.scale else None


def _letters(image: Image, shape: tuple[int, ...]) -> str | None:
    """Letters of a file's axes, for an array of its pixels that may lack those of length 1."""
    sizes = dict(zip(CANONICAL, image.data.shape, strict=True))
    for axes in (image.axes, "".join(one for one in image.axes if sizes[one] > 1)):
        if tuple(sizes[letter] for letter in axes) == shape:
            return axes
    return None
