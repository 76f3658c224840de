"""Model files: safetensors, with a JSON header under the key "infoleak". Never a pickle."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_infoleak.core.errors import BadInput, BadModelFile, OutOfMemory
from napari_infoleak.core.provenance import plain_json
from napari_infoleak.io.atomic import atomic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

FORMAT_VERSION = 1

_KEY = "infoleak"
_LENGTH_BYTES = 8  # safetensors begins with the length of its JSON part
_LONGEST_JSON = 64 << 20
_SIGNATURES = {
    b"\x80": "a Python pickle, which can run any program",
    b"PK\x03\x04": "a zip archive, such as torch.save writes, which can run any program",
    b"\x89HDF": "an HDF5 file",
    b"ONNX": "an ONNX file",
}


def save_weights(
    path: str | Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]
) -> Path:
    """Write a model file, whole or not at all.

    Parameters
    ----------
    path : str or Path
        Where to; the suffix ``.safetensors`` is expected and not added.
    tensors : mapping of str to Tensor
        Weights by name. They are copied to the CPU; no two share memory in the file.
    header : mapping
        Method, configuration, classes, provenance: anything that `plain_json` can write.
        ``format_version`` is added.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    BadInput
        If there is no tensor, or the folder does not exist.
    WriteFailed
        If the disk is full or may not be written to.
    """
    from safetensors.torch import save

    if not tensors:
        raise BadInput(f"there are no weights to be saved in {path}")
    target = Path(path)
    plain = {
        name: tensor.detach().to("cpu").clone().contiguous() for name, tensor in tensors.items()
    }
    noted = plain_json(dict(header)) | {"format_version": FORMAT_VERSION}
    content = save(plain, metadata={_KEY: json.dumps(noted, ensure_ascii=False)})
    with atomic(target) as part:
        part.write_bytes(content)
    return target


def load_weights(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a model file.

    Parameters
    ----------
    path : str or Path
        A file that `save_weights` wrote.

    Returns
    -------
    tensors : dict of str to Tensor
        Weights by name, on the CPU.
    header : dict
        What was noted with them, and ``format_version``.

    Raises
    ------
    BadModelFile
        If the file is missing, broken, cut short, of another kind or of a newer format. Nothing
        in it is ever executed.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    source = Path(path)
    header = read_header(source)
    try:
        return load_file(source, device="cpu"), header
    except MemoryError as error:
        raise OutOfMemory(f"no memory left to load {source}") from error
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise BadModelFile(
            f"model file {source} is damaged ({error}); copy or download it again"
        ) from error


def read_header(path: str | Path) -> dict[str, Any]:
    """Read what was noted with the weights, without torch and without the weights.

    Raises
    ------
    BadModelFile
        As `load_weights`.
    """
    source = Path(path)
    entries = _json_part(source)
    metadata = entries.pop("__metadata__", None)
    if not isinstance(metadata, dict) or _KEY not in metadata:
        raise BadModelFile(
            f"{source} holds weights of another program; expected a model that this program "
            f"trained or ships"
        )
    try:
        header = json.loads(metadata[_KEY])
        version = int(header["format_version"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadModelFile(f"the header of model file {source} is damaged") from error
    if version > FORMAT_VERSION:
        raise BadModelFile(
            f"model file {source} has format {version}, this program knows up to "
            f"{FORMAT_VERSION}; update napari-infoleak"
        )
    return dict(header)


def weights_hash(path: str | Path) -> str:
    """Return the sha256 of a model file, by which results name it.

    Raises
    ------
    BadModelFile
        If there is no such file.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadModelFile(f"model file {path} cannot be read: {error.strerror}") from error


def _json_part(source: Path) -> dict[str, Any]:
    """Read and check the JSON at the start: its length, its form, and the size of the file."""
    try:
        size = source.stat().st_size
        with source.open("rb") as file:
            start = file.read(_LENGTH_BYTES)
            length = int.from_bytes(start, "little")
            _refuse_foreign(source, start, length, size)
            text = file.read(length)
    except OSError as error:
        raise BadModelFile(
            f"model file {source} cannot be read: {error.strerror or error}"
        ) from error
    try:
        entries = json.loads(text)
        ends = [int(e["data_offsets"][1]) for n, e in entries.items() if n != "__metadata__"]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise BadModelFile(f"{source} is no model file, or is damaged") from error
    if _LENGTH_BYTES + length + max(ends, default=0) != size:
        raise BadModelFile(
            f"model file {source} has {size} bytes where "
            f"{_LENGTH_BYTES + length + max(ends, default=0)} were expected; it was cut short or "
            f"changed: copy or download it again"
        )
    return dict(entries)


def _refuse_foreign(source: Path, start: bytes, length: int, size: int) -> None:
    for signature, what in _SIGNATURES.items():
        # A pickle's first byte can also be the length of a short header: the second tells.
        if start.startswith(signature) and length + _LENGTH_BYTES > size:
            raise BadModelFile(
                f"{source} is {what}; it was not opened: expected a .safetensors model"
            )
    if len(start) < _LENGTH_BYTES or not 2 <= length <= min(_LONGEST_JSON, size - _LENGTH_BYTES):
        raise BadModelFile(
            f"{source} is no model file, or was cut short ({size} bytes); expected a .safetensors "
            f"model"
        )
