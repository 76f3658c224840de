"""Read and write PNG: one plane of grey values or ids, or colours."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.errors import BadInput
from napari_infoleak.io import record
from napari_infoleak.io.stored import Stored

if TYPE_CHECKING:
    from pathlib import Path

    from napari_infoleak.io.output import Output

_COLOURED = {"RGB", "RGBA", "CMYK", "YCbCr"}


def read_png(path: Path, *, as_ids: bool = False) -> Stored:
    """Read a PNG file.

    Parameters
    ----------
    path : Path
        An existing file.
    as_ids : bool
        True returns the indices of a palette picture, which are ids; False its colours.

    Raises
    ------
    BadInput
        If it is damaged, cut short, too large, or no PNG file.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=["PNG"]) as picture:
                noted = record.from_text(picture.info.get(record.KEY))
                array, rgb = _pixels(picture, as_ids=as_ids)
    except Image.DecompressionBombError as error:
        raise BadInput(f"{path} is too large for a PNG file; convert it to TIFF") from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise BadInput(
            f"{path} cannot be read as PNG ({error}); it is damaged, cut short, or no PNG file"
        ) from error
    return Stored(array=array, hint="YXS" if array.ndim == 3 else "YX", rgb=rgb, record=noted)


def write_png(part: Path, output: Output) -> None:
    """Write one plane, and what is noted of it as text inside the file.

    Raises
    ------
    BadInput
        If it has more than one plane, or a type that PNG cannot hold.
    """
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    sizes = output.sizes
    if output.has_classes or sizes["T"] * sizes["Z"] * sizes["C"] > 1:
        raise BadInput(
            f"a PNG file holds one plane, but {output.kind} have {output.shown_shape}; choose a "
            f"name ending in .tif, .ome.tif or .ome.zarr"
        )
    if output.dtype not in (np.uint8, np.uint16):
        raise BadInput(
            f"a PNG file holds 8- or 16-bit whole numbers, but {output.kind} are {output.dtype}; "
            f"choose a name ending in .tif, .ome.tif or .npy"
        )
    text = PngInfo()
    text.add_text(record.KEY, record.to_text(output.record))
    for plane in output.planes():
        Image.fromarray(plane).save(part, format="PNG", pnginfo=text)


def _pixels(picture: Any, *, as_ids: bool) -> tuple[np.ndarray[Any, Any], bool]:
    """Return the pixels, and whether they are colours."""
    if picture.mode == "1":
        return np.asarray(picture).astype(np.uint8), False
    if picture.mode == "P" and as_ids:
        return np.asarray(picture), False
    if picture.mode in ("P", "PA"):
        colours = np.asarray(picture.convert("RGB"))
        grey = bool((colours == colours[..., :1]).all())
        return (np.ascontiguousarray(colours[..., 0]), False) if grey else (colours, True)
    if picture.mode in ("LA", "La"):
        return np.asarray(picture)[..., 0], False
    return np.asarray(picture), picture.mode in _COLOURED
