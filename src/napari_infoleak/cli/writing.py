"""Write the arrays of a result, each to the file that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_infoleak import api

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_infoleak.cli.bar import Bar
    from napari_infoleak.core.classes import ClassTable
    from napari_infoleak.io.output import Kind


def write_arrays(
    wanted: Mapping[Kind, Path | None],
    arrays: Mapping[Kind, tuple[Any, ClassTable | None]],
    result: api.Result,
    bar: Bar,
) -> dict[str, str]:
    """Write what was asked for; each file appears whole or not at all.

    Parameters
    ----------
    wanted : mapping of Kind to Path or None
        None is not asked for.
    arrays : mapping of Kind to (array, ClassTable or None)
        In the axes of the result.
    result : Result
        Where the arrays lie, and what made them.
    bar : Bar
        Told of the writing.

    Returns
    -------
    dict of str to str
        Paths by kind.
    """
    written: dict[str, str] = {}
    for kind, path in wanted.items():
        if path is None:
            continue
        array, classes = arrays[kind]
        api.write(
            path,
            array,
            axes=result.axes,
            kind=kind,
            classes=classes,
            provenance=result.provenance,
            progress=bar,
            **result.calibration,
        )
        written[kind] = str(path)
    return written
