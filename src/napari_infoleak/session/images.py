"""Images as a session refers to them: where they lie, and by what they are known again."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.errors import BadInput
from napari_infoleak.io import read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_infoleak.core.image import Image

READ, PLANES = 16 << 20, 3
"""Bytes and planes of an image that are looked at to know it again."""


@dataclass(frozen=True)
class ImageReference:
    """An image of a session; the pixels stay in their file.

    Parameters
    ----------
    name : str
        What people call it.
    path : str or None
        Its file; None if it lies in none.
    axes : str
        Axes of its pixels.
    shape : tuple of int
        (T, Z, Y, X) of its labels.
    fingerprint : str
        See `fingerprint`.
    rgb : bool
        Whether its channels are colours.
    scale, translate, units : mapping
        As `Image` has them; they may have been mended since the file was written.
    """

    name: str
    path: str | None
    axes: str
    shape: tuple[int, int, int, int]
    fingerprint: str
    rgb: bool = False
    scale: Mapping[str, float] = field(default_factory=dict)
    translate: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, image: Image, known: str | None = None) -> ImageReference:
        """Refer to an image; `known` is its fingerprint, where that was taken already."""
        path = None if image.source is None else os.path.abspath(image.source)
        return cls(
            name=image.name,
            path=path,
            axes=image.axes,
            shape=image.label_shape,
            fingerprint=known or fingerprint(image),
            rgb=image.rgb,
            scale=dict(image.scale),
            translate=dict(image.translate),
            units=dict(image.units),
        )

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ImageReference:
        """Read what `to_json` gave; what a newer version added is passed over."""
        try:
            t, z, y, x = (int(size) for size in value["shape"])
            if min(t, z, y, x) < 1:
                raise ValueError
            return cls(
                name=str(value["name"]),
                path=None if value["path"] is None else str(value["path"]),
                axes=str(value["axes"]),
                shape=(t, z, y, x),
                fingerprint=str(value["fingerprint"]),
                rgb=bool(value.get("rgb", False)),
                **{name: dict(value.get(name) or {}) for name in ("scale", "translate", "units")},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput("the session does not say which image it belongs to") from error

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self) | {"shape": list(self.shape)}

    def relative_to(self, folder: Path) -> ImageReference:
        """Return a reference whose path leads from a folder, where there is such a way."""
        if self.path is None:
            return self
        try:
            way = os.path.relpath(self.path, folder)
        except ValueError:  # another drive of Windows
            return self
        return replace(self, path=Path(way).as_posix())

    def from_folder(self, folder: Path) -> ImageReference:
        """Return a reference whose path leads from anywhere."""
        if self.path is None or _is_absolute(self.path):
            return self
        return replace(self, path=os.path.abspath(folder / self.path))

    def load(self, path: str | Path | None = None) -> Image:
        """Read the image, with the axes and the calibration that it had in the session.

        Parameters
        ----------
        path : str or Path, optional
            Its file, where that is another by now.

        Raises
        ------
        BadInput
            If there is no file, or it holds another image.
        """
        place = self.path if path is None else str(path)
        if place is None or not Path(place).exists():
            where = "lies in no file" if place is None else f"is not at {place} any more"
            raise BadInput(
                f"the image {self.name} of the session {where}; say which file it is: "
                f"--image {self.name}=FILE"
            )
        image = read(place, self.axes)
        if image.label_shape != self.shape or fingerprint(image) != self.fingerprint:
            raise BadInput(
                f"{place} is not the image {self.name} that was worked on: its pixels differ; say "
                f"which file it is with --image {self.name}=FILE, or do the steps of the session "
                f"on this one with --on {Path(place).name}"
            )
        return self.described(image)

    def described(self, image: Image) -> Image:
        """Return an image with the calibration of this one."""
        return replace(
            image,
            name=self.name,
            scale=self.scale,
            translate=self.translate,
            units=self.units,
            rgb=self.rgb,
        )


def fingerprint(image: Image) -> str:
    """Return what tells an image from others, without reading all of a large one.

    A sha256 over size, type and pixels: of a few planes spread evenly over the image, of which the
    middle is taken where a plane is large. Whether an axis is called T or Z does not matter.

    Raises
    ------
    BadInput
        If the pixels cannot be read.
    """
    _, channels, _, rows, columns = image.data.shape
    places = [(t, c, z) for t, z in np.ndindex(*image.label_shape[:2]) for c in range(channels)]
    dtype = image.dtype.newbyteorder("<")
    digest = hashlib.sha256(f"{len(places)} {rows} {columns} {dtype.str}".encode())
    side = int(np.sqrt(READ // PLANES // dtype.itemsize))
    cut = tuple(slice(max(0, (n - side) // 2), (n + side) // 2 + 1) for n in (rows, columns))
    for index in np.unique(np.linspace(0, len(places) - 1, min(PLANES, len(places))).round()):
        try:
            plane = np.asarray(image.data[places[int(index)]][cut])
        except Exception as error:  # any codec or file system may stand behind a lazy array
            raise BadInput(f"the pixels of {image.name} cannot be read ({error})") from error
        digest.update(np.ascontiguousarray(plane, dtype=dtype).data)
    return digest.hexdigest()


def _is_absolute(path: str) -> bool:
    """Tell whether a path is absolute on any system."""
    return Path(path).is_absolute() or path[1:3] in (":\\", ":/") or path.startswith("\\\\")
