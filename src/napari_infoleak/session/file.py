"""A session as one file, to be opened on another day or another computer.

A zip of the session's records, of the models that it uses, and of the results that are kept. It
holds numbers and words only, no code. Images stay where they are; their paths lead from the folder
of the session's file.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_infoleak.core.errors import BadInput
from napari_infoleak.io.atomic import atomic
from napari_infoleak.io.weights import weights_hash
from napari_infoleak.session.images import ImageReference
from napari_infoleak.session.journal import line_of, parse_journal
from napari_infoleak.session.results import KINDS, files
from napari_infoleak.session.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari_infoleak.session.session import Record

SUFFIX = ".infoleak"
_RECORDS = "records"
_MODELS = "models/"
_RESULTS = "results/"
_MOST = 4 << 30  # bytes of a part, packed out
_NAMES_OF_MODELS = ("model", "init", "output", "path")


def save_session(path: str | Path, session: Session, results: Path | None = None) -> Path:
    """Write a session to one file.

    Parameters
    ----------
    path : str or Path
        Ends in ``.infoleak``; what is there is replaced.
    session : Session
        The session.
    results : Path, optional
        Folder of results that are kept beside its journal; they go into the file.

    Returns
    -------
    Path

    Raises
    ------
    BadInput
        If the suffix is another, the folder does not exist, or a model's file is gone.
    WriteFailed
        If the disk is full or may not be written to; nothing is left behind.
    """
    target = Path(path).expanduser()
    if target.suffix != SUFFIX:
        raise BadInput(f"the file of a session ends in {SUFFIX}; {target.name} does not")
    folder = target.resolve().parent
    short = session.compact()
    names = _names(short)
    there = _renamed(short, lambda one: one.relative_to(folder), names)
    with atomic(target) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(_RECORDS, b"".join(map(line_of, there)))
        for model, name in names.items():
            file.write(model, name, zipfile.ZIP_STORED)
        for one in () if results is None else files(results):
            file.write(one, _RESULTS + one.name, zipfile.ZIP_STORED)
    return target


def load_session(path: str | Path, models: Path) -> Session:
    """Read the file of a session.

    Parameters
    ----------
    path : str or Path
        The file.
    models : Path
        Folder that the models in it are put into; one that is there already is taken as it is.

    Returns
    -------
    Session
        Images are not read; those that are missing are told by `ImageReference.load`.

    Raises
    ------
    BadInput
        If it is no session, damaged, or of a newer version.
    WriteFailed
        If the models cannot be put into their folder.
    """
    place = Path(path).expanduser()
    if not place.is_file():
        raise BadInput(f"there is no session {place}; check the name and the folder")
    try:
        with zipfile.ZipFile(place) as file:
            records = parse_journal(_part(file, _RECORDS), place.name)
            session = Session(records)
            names = {
                name: _unpacked(file, name, models, sha256)
                for name, sha256 in session.models.items()
                if name.startswith(_MODELS)
            }
    except (zipfile.BadZipFile, KeyError, EOFError, zlib.error, RuntimeError) as error:
        # A RuntimeError is a part that is encrypted, or packed in a way that is not known here.
        raise BadInput(f"{place} is no session of this program, or it is damaged") from error
    except OSError as error:
        raise BadInput(f"{place} cannot be read: {error.strerror or error}") from error
    folder = place.resolve().parent
    return Session(_renamed(session, lambda one: one.from_folder(folder), names))


def take_results(path: str | Path, folder: Path) -> None:
    """Put the results in the file of a session beside a journal.

    Raises
    ------
    BadInput
        If the file is damaged.
    OSError, WriteFailed
        If they cannot be written.
    """
    try:
        with zipfile.ZipFile(Path(path).expanduser()) as file:
            for kind in KINDS:
                name = f"{_RESULTS}{kind}.npz"
                if name in file.namelist():
                    folder.mkdir(exist_ok=True)
                    with atomic(folder / f"{kind}.npz") as part:
                        part.write_bytes(_part(file, name))
    except (zipfile.BadZipFile, KeyError, EOFError, zlib.error, RuntimeError) as error:
        raise BadInput(f"the results in {path} are damaged") from error


def _names(session: Session) -> dict[str, str]:
    """Choose the name in the file of each model that is there, unchanged."""
    names: dict[str, str] = {}
    for path, sha256 in session.models.items():
        if not Path(path).is_file() or weights_hash(path) != sha256:
            raise BadInput(
                f"the model {Path(path).name} of the session is gone, or it was changed since; "
                f"put it back to {path}, or choose another model"
            )
        place = Path(path)
        names[path] = f"{_MODELS}{sha256[:12]}/{place.name}"
    return names


def _renamed(
    session: Session,
    image: Callable[[ImageReference], ImageReference],
    models: Mapping[str, str],
) -> list[Record]:
    """Return the records of a session with other paths of images and models."""
    return [_with_paths(record, image, models) for record in session.records]


def _with_paths(
    record: Record,
    image: Callable[[ImageReference], ImageReference],
    models: Mapping[str, str],
) -> Record:
    if record["kind"] == "image":
        return record | image(ImageReference.from_json(record)).to_json()
    if record["kind"] == "model":
        return record | {"path": models.get(record["path"], record["path"])}
    for part in ("settings", "arguments", "result"):
        values: Mapping[str, Any] | None = record.get(part)
        if values is not None:
            new = {
                name: models.get(values[name], values[name])
                for name in _NAMES_OF_MODELS
                if isinstance(values.get(name), str)
            }
            record = record | {part: dict(values) | new}
    return record


def _part(file: zipfile.ZipFile, name: str) -> bytes:
    """Read a part of the file, unless it would fill the memory."""
    if file.getinfo(name).file_size > _MOST:
        raise BadInput(f"the part {name} of the session is too large to be one")
    return file.read(name)


def _unpacked(file: zipfile.ZipFile, name: str, folder: Path, sha256: str) -> str:
    """Put a model into the folder, and return its path."""
    content = _part(file, name)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise BadInput(f"the model {Path(name).name} in the session is damaged")
    target = folder / os.path.basename(name)
    if target.exists() and weights_hash(target) != sha256:
        target = folder / f"{target.stem}_{sha256[:8]}{target.suffix}"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with atomic(target) as part:
            part.write_bytes(content)
    return str(target)
