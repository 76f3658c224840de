"""Read the masks of Cellpose's ``_seg.npy``, a pickled dictionary, without running code.

A pickle may name any function to be called. The only ones that are let through here are those that
arrays, their types and plain numbers are made of; whatever else a file names, it is refused.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.errors import BadInput
from napari_infoleak.io.stored import Stored

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

_MAKERS = {"_reconstruct", "scalar", "_frombuffer"}
_ALLOWED = {("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")} | {
    (f"{package}.{module}", name)
    for package in ("numpy.core", "numpy._core")
    for module in ("multiarray", "numeric")
    for name in _MAKERS
}


def holds_objects(path: Path) -> bool:
    """Tell whether an NPY file holds Python objects, without looking at them."""
    with path.open("rb") as file:
        return _is_object(file)


def read_seg(path: Path) -> Stored:
    """Read the masks of a ``_seg.npy`` file: one number a cell, 0 between cells.

    Raises
    ------
    BadInput
        If it holds anything but numbers, texts and arrays, or no masks.
    """
    with path.open("rb") as file:
        if not _is_object(file):
            raise BadInput(f"{path} is no _seg.npy of Cellpose")
        try:
            content = _Numbers(file).load()
        except BadInput as error:
            raise BadInput(f"{path} is not read: {error}") from error
        except MemoryError:
            raise
        except Exception as error:  # a pickle is a small program, and fails in as many ways
            raise BadInput(f"{path} is damaged, or no _seg.npy of Cellpose ({error})") from error
    found = content.item() if isinstance(content, np.ndarray) and content.ndim == 0 else content
    masks = found.get("masks") if isinstance(found, dict) else None
    if not isinstance(masks, np.ndarray) or masks.dtype.kind not in "iu" or masks.ndim < 2:
        raise BadInput(f"{path} holds no masks; save them in Cellpose again")
    return Stored(array=masks)


class _Numbers(pickle.Unpickler):
    """Builds arrays, numbers, texts, lists and dictionaries, and nothing else."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        """Let through what arrays are made of."""
        if (module, name) not in _ALLOWED:
            raise BadInput(
                f"it asks for {module}.{name}, which no file of masks needs; do not open it with "
                f"programs that would run it"
            )
        return super().find_class(module, name)

    def persistent_load(self, pid: Any) -> Any:
        """Refuse references to things outside the file."""
        raise BadInput("it refers to things outside itself")


def _is_object(file: BinaryIO) -> bool:
    """Read the header of an NPY file; the file stands at its content then."""
    try:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        return bool(read(file)[2].hasobject)
    except MemoryError:
        raise
    except Exception:  # the header is a Python literal, and fails in as many ways
        return False
