"""Rings on the image that show places: where a leak came from, where to paint next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_infoleak.widgets.layers import KEY, identity, note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari import Viewer

    from napari_infoleak.widgets.layers import Source

Place = tuple[int, int, int, int]
_SIZE = 15  # pixels of the image


@dataclass(frozen=True)
class Marker:
    """A ring around a pixel.

    Parameters
    ----------
    place : (int, int, int, int)
        t, z, y, x.
    colour : str
        Of the ring.
    symbol : str
        As napari names it.
    """

    place: Place
    colour: str
    symbol: str = "disc"


def show_markers(viewer: Viewer, source: Source, kind: str, markers: Sequence[Marker]) -> None:
    """Put markers on an image, in place of those of the same kind.

    Parameters
    ----------
    viewer : napari Viewer
    source : Source
        The image.
    kind : str
        ``"why here"`` or ``"doubtful places"``; the layer is called so.
    markers : sequence of Marker
        None of them removes the layer.
    """
    clear_markers(viewer, kind)
    if not markers:
        return
    active = viewer.layers.selection.active
    viewer.add_points(
        np.array([_coordinates(source, marker.place) for marker in markers], float),
        name=kind,
        size=_SIZE,
        symbol=[marker.symbol for marker in markers],
        face_color="transparent",
        border_color=[marker.colour for marker in markers],
        border_width=0.14,
        metadata={KEY: {"kind": kind, "image": identity(source.layer)}},
        **source.grid.calibration(),
    )
    viewer.layers.selection.active = active


def clear_markers(viewer: Viewer, kind: str) -> None:
    """Take the markers of a kind away."""
    for layer in [layer for layer in viewer.layers if note(layer).get("kind") == kind]:
        viewer.layers.remove(layer)


def _coordinates(source: Source, place: Place) -> list[int]:
    """Return a place in the dimensions of a layer that lies on the image."""
    at = dict(zip("TZYX", place, strict=True))
    return [at.get(letter, 0) for letter in source.grid_letters]
