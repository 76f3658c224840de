"""Floor 0: the values that travel through the whole program.

Everything above speaks in these words and no others:

``axes``
    Which letter of T, C, Z, Y, X each dimension of an array is. Inside the program every image is
    TCZYX; `to_canonical` leads there, `from_canonical` leads back. No other file transposes.
``Image``
    A canonical array, in memory or lazy, with its name, scale, translation and units.
    `Image.plane` is the one way to get pixels: a (Y, X) plane in float32.
``normalise``
    A plane at a common range of grey values, whatever the microscope wrote.
``Region``
    A box of whole pixels over T, Z, Y, X, clipped to an image: "segment the view".
``ClassTable``
    Id, name and colour of each class. 0 is unlabelled; ids never change once given.
``SupportSet``
    The user's annotated planes. Each change makes a successor with a new version and hash.
``Progress``, ``CancelToken``, ``Rate``
    How long work reports, is stopped and is timed, without knowing who listens.
``provenance``
    What made a result, as plain JSON.
``InfoleakError`` and ``BadInput``
    Errors for people: one line that says what was given, what was expected, what to do.

The floor needs numpy alone (`config`, imported by name, adds pydantic) and imports no other floor.
"""

from __future__ import annotations

from napari_infoleak.core.arraylike import lazy_or_numpy
from napari_infoleak.core.axes import (
    CANONICAL,
    from_canonical,
    guess_axes,
    labels_from_canonical,
    labels_to_canonical,
    parse_axes,
    planes_from_canonical,
    planes_to_canonical,
    to_canonical,
    without_channel,
)
from napari_infoleak.core.calibration import calibration
from napari_infoleak.core.classes import ClassEntry, ClassTable
from napari_infoleak.core.errors import (
    BadInput,
    BadModelFile,
    Cancelled,
    EmptySupportError,
    InfoleakError,
    OutOfMemory,
    WriteFailed,
)
from napari_infoleak.core.image import Image, plane_hash
from napari_infoleak.core.normalise import normalise
from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress, Rate
from napari_infoleak.core.provenance import provenance
from napari_infoleak.core.region import Region
from napari_infoleak.core.support import SupportPlane, SupportSet

__all__ = [
    "CANONICAL",
    "NEVER",
    "NULL",
    "BadInput",
    "BadModelFile",
    "CancelToken",
    "Cancelled",
    "ClassEntry",
    "ClassTable",
    "EmptySupportError",
    "Image",
    "InfoleakError",
    "OutOfMemory",
    "Progress",
    "Rate",
    "Region",
    "SupportPlane",
    "SupportSet",
    "WriteFailed",
    "calibration",
    "from_canonical",
    "guess_axes",
    "labels_from_canonical",
    "labels_to_canonical",
    "lazy_or_numpy",
    "normalise",
    "parse_axes",
    "plane_hash",
    "planes_from_canonical",
    "planes_to_canonical",
    "provenance",
    "to_canonical",
    "without_channel",
]
