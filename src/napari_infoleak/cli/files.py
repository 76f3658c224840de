"""Refuse what cannot be written before any work begins."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from napari_infoleak.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

IMAGES = (".ome.tif", ".ome.tiff", ".tif", ".tiff", ".png", ".npy", ".ome.zarr", ".zarr")
TABLES = (".csv",)
_ONE_PLANE = ".png"


def check_outputs(
    outputs: Mapping[str, Path | None],
    inputs: Iterable[Path | None],
    suffixes: Mapping[str, tuple[str, ...]] | None = None,
) -> None:
    """Refuse outputs that cannot be written or would destroy an input.

    Parameters
    ----------
    outputs : mapping of str to Path or None
        Path of each option such as ``--output``; None is not asked for.
    inputs : iterable of Path or None
        Files that are read.
    suffixes : mapping of str to tuple of str, optional
        Suffixes of an option, where they are not those of images.

    Raises
    ------
    BadInput
        One line that names the option.
    """
    read = [path for path in inputs if path is not None]
    for source in read:
        _check_local(source)
    taken: dict[str, str] = {}
    for option, path in outputs.items():
        if path is None:
            continue
        _check_name(option, path, (suffixes or {}).get(option, IMAGES))
        _check_place(option, path)
        for source in read:
            if same_file(path, source):
                raise BadInput(
                    f"{option} {path} is an input: it would be overwritten; choose another name"
                )
        key = os.path.normcase(_resolved(path))
        if key in taken:
            raise BadInput(f"{taken[key]} and {option} are the same file {path}; name two files")
        taken[key] = option


def check_one_plane(outputs: Mapping[str, Path | None], planes: int, flat: set[str]) -> None:
    """Refuse a PNG for what no PNG can hold.

    Parameters
    ----------
    outputs : mapping of str to Path or None
        Path of each option.
    planes : int
        Number of planes of the image that they will belong to.
    flat : set of str
        Options whose values are whole numbers with one plane a plane of the image.
    """
    for option, path in outputs.items():
        if path is None or path.suffix.lower() != _ONE_PLANE:
            continue
        if option not in flat:
            raise BadInput(
                f"{option} {path}: a PNG file holds no floating-point numbers; choose a name "
                f"ending in .tif, .ome.tif, .npy or .ome.zarr"
            )
        if planes > 1:
            raise BadInput(
                f"{option} {path}: a PNG file holds one plane, but the image has {planes}; choose "
                f"a name ending in .tif, .ome.tif or .ome.zarr"
            )


def same_file(first: Path, second: Path) -> bool:
    """Whether two names mean one file, or one lies inside the other, as in a zarr store."""
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        if first.expanduser().samefile(second.expanduser()):
            return True
    ones, others = (Path(os.path.normcase(_resolved(path))) for path in (first, second))
    return ones == others or _inside(ones, others) or _inside(others, ones)


def _inside(path: Path, store: Path) -> bool:
    """Whether a path lies within a zarr store."""
    return store.suffix == ".zarr" and store in path.parents


def _resolved(path: Path) -> Path:
    """Return a path without links; as it is, where links run in a circle."""
    try:
        return path.expanduser().resolve()
    except (OSError, RuntimeError):
        return path.absolute()


def _check_local(path: Path) -> None:
    """Refuse addresses; a path made of one has lost the second of its slashes."""
    if "\0" in str(path):
        raise BadInput(f"{str(path)!r} is no path: it holds a character that no file name can have")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:[/\\]", str(path)):
        raise BadInput(f"{path} is an address on the network; give a file on this computer")


def _check_name(option: str, path: Path, suffixes: tuple[str, ...]) -> None:
    _check_local(path)
    name = path.name.lower()
    if not any(name.endswith(suffix) and name != suffix for suffix in suffixes):
        raise BadInput(
            f"{option} {path} has no suffix that says how to write it; choose one of "
            f"{', '.join(suffixes)}"
        )


def _check_place(option: str, path: Path) -> None:
    target = path.expanduser()
    try:
        if not target.parent.is_dir():
            raise BadInput(
                f"{option} {path}: the folder {target.parent} does not exist; make it first"
            )
        if target.is_dir() and target.suffix.lower() != ".zarr":
            raise BadInput(f"{option} {path} is a folder; choose the name of a file")
        if not os.access(target.parent, os.W_OK):
            raise BadInput(
                f"{option} {path}: the folder {target.parent} may not be written to; choose another"
            )
    except (OSError, RuntimeError) as error:
        raise BadInput(f"{option} {path} is no path that can be written to: {error}") from error
