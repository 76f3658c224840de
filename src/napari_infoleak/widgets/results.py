"""Results as layers: each kind of an image has one layer, which is updated and never piled up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.widgets.annotation import blank, class_colours
from napari_infoleak.widgets.layers import KEY, Source, fits, identity, note, write_note
from napari_infoleak.widgets.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari import Viewer
    from napari.layers import Layer

    from napari_infoleak.core.classes import ClassTable
    from napari_infoleak.core.region import Region

_LOOK: dict[str, dict[str, Any]] = {
    "labels": {"opacity": 0.4},
    "membrane": {"contrast_limits": (0, 1), "blending": "translucent"},
    "uncertainty": {"contrast_limits": (0, 1), "blending": "translucent"},
    "cells": {"opacity": 0.5},
    "finished": {"opacity": 0.9},
}
_LABELS = ("labels", "cells", "finished")


class Results:
    """The result layers of one viewer.

    Parameters
    ----------
    viewer : napari Viewer
        The viewer they live in.
    """

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self._colours = Settings().overlays()

    def use_colours(self, colours: Mapping[str, str]) -> None:
        """Show overlays in these colours, ``"#rrggbb"`` by kind, those on screen too."""
        self._colours = dict(colours)
        for layer in self.viewer.layers:
            kind = str(note(layer).get("kind"))
            if kind in colours:
                layer.colormap = glow(kind, colours[kind])

    def find(self, source: Source, kind: str) -> Layer | None:
        """Return the layer of an image that shows a kind of result, if there is one."""
        wanted = (kind, identity(source.layer))
        for layer in self.viewer.layers:
            notes = note(layer)
            if (notes.get("kind"), notes.get("image")) == wanted:
                return layer
        return None

    def values(self, source: Source, kind: str) -> Any:
        """Return a result in the image's axes without C, or None."""
        layer = self.find(source, kind) if source.stands else None
        return None if layer is None else source.grid.take_off(layer.data)

    @staticmethod
    def finished(layer: Layer | None) -> frozenset[int]:
        """Return the cells of a layer that stay as they are."""
        return frozenset() if layer is None else frozenset(note(layer).get("finished", ()))

    def show(
        self,
        source: Source,
        kind: str,
        values: Any,
        region: Region | None = None,
        *,
        visible: bool = True,
        classes: ClassTable | None = None,
    ) -> Layer:
        """Put a result into its layer, made if need be.

        Parameters
        ----------
        source : Source
            The image.
        kind : str
            ``"labels"``, ``"membrane"``, ``"uncertainty"``, ``"cells"``, ``"finished"``, or
            ``"look 1"`` and so on.
        values : array
            The result in the image's axes without C.
        region : Region or None
            The part of the image it covers; None is all.
        visible : bool
            Whether a layer that has to be made is shown.
        classes : ClassTable, optional
            Colours of ``"labels"``.
        """
        layer = self.find(source, kind)
        data = self._filled(layer, source, values, region)
        if layer is None:
            layer = self._add(source, kind, data, visible)
        elif data is not layer.data:
            layer.data = data
        else:
            layer.refresh()
        self._place(layer, source)
        if classes is not None and note(layer).get("classes") != classes.to_json():
            write_note(layer, classes=classes.to_json())
            layer.colormap = class_colours(classes)
        return layer

    def follow(self, source: Source) -> None:
        """Move all layers of an image, its annotation among them, to where the image is now."""
        for layer in self.viewer.layers:
            if note(layer).get("image") == identity(source.layer) and fits(layer, source):
                self._place(layer, source)

    def _filled(
        self, layer: Layer | None, source: Source, values: Any, region: Region | None
    ) -> Any:
        """Return the data of a layer with a result put in, in place where that is possible."""
        grid = source.grid
        placed = grid.put_on(values)
        if region is None or placed.shape == grid.shape:
            return placed
        usable = (
            layer is not None
            and tuple(layer.data.shape) == grid.shape
            and layer.data.dtype == placed.dtype
            and getattr(getattr(layer.data, "flags", None), "writeable", True)
        )
        data = layer.data if layer is not None and usable else blank(grid.shape, placed.dtype)
        data[grid.slices(region, source.letters)] = placed
        return data

    def _add(self, source: Source, kind: str, data: Any, visible: bool) -> Layer:
        """Make a layer below what is being painted, and leave the selection as it was."""
        layers = self.viewer.layers
        active = layers.selection.active
        colour = self._colours.get("membrane" if kind.startswith("look ") else kind)
        add = self.viewer.add_labels if kind in _LABELS else self.viewer.add_image
        layer = add(
            data,
            name=f"{source.name} {kind}",
            visible=visible,
            metadata={
                KEY: {"kind": kind, "image": identity(source.layer), "axes": source.grid_letters}
            },
            **_LOOK.get(kind, _LOOK["membrane"]),
            **({"colormap": glow(kind, colour)} if colour else {}),
            **source.grid.calibration(),
        )
        self._keep_paint_on_top(source)
        if active is not None:
            layers.selection.active = active
        return layer

    def _keep_paint_on_top(self, source: Source) -> None:
        """Lift the annotations of an image above the rest, in the order that they have."""
        layers = self.viewer.layers
        wanted = ("annotation", identity(source.layer))
        paint = [one for one in layers if (note(one).get("kind"), note(one).get("image")) == wanted]
        if list(layers)[-len(paint) :] != paint:
            for layer in paint:
                layers.move(layers.index(layer), len(layers))

    @staticmethod
    def _place(layer: Layer, source: Source) -> None:
        """Follow the image, whose calibration may have been mended since."""
        grid = source.grid
        if layer.ndim != len(grid.shape):
            return  # an annotation that came without the long C pixel
        if not np.allclose(layer.scale, grid.scale):
            layer.scale = grid.scale
        if not np.allclose(layer.translate, grid.translate):
            layer.translate = grid.translate
        if tuple(str(unit) for unit in layer.units) != grid.units:
            layer.units = grid.units


def glow(name: str, colour: str) -> Any:
    """Return a colour map from clear to a colour, which lies well on dark and bright images."""
    from napari.utils.colormaps import Colormap

    rgb = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return Colormap([[*rgb, 0.0], [*rgb, 0.9]], name=f"infoleak {name}")
