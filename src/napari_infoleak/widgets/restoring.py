"""Brings a session back on screen: image, annotations, classes, settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.axes import from_canonical, labels_from_canonical
from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.region import Region
from napari_infoleak.session.images import fingerprint
from napari_infoleak.session.session import OWN, Session
from napari_infoleak.widgets.annotation import Annotation, blank, new_annotation
from napari_infoleak.widgets.keeping import NUMBER
from napari_infoleak.widgets.layers import KEY, fits, identity, note, source_of, write_note
from napari_infoleak.widgets.samples import calibration
from napari_infoleak.widgets.state import SupportPair

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari import Viewer
    from napari.layers import Image as ImageLayer
    from napari.layers import Labels

    from napari_infoleak.session import ImageReference
    from napari_infoleak.session.session import Layer
    from napari_infoleak.widgets.keeping import Keeping
    from napari_infoleak.widgets.layers import Source
    from napari_infoleak.widgets.panel_annotate import AnnotatePanel
    from napari_infoleak.widgets.panel_image import ImagePanel
    from napari_infoleak.widgets.panel_segment import SegmentPanel
    from napari_infoleak.widgets.state import DockState
    from napari_infoleak.widgets.storing import Storing

    Ask = Callable[[ImageReference, str], Path | None]


class Restoring:
    """Puts a session on screen.

    Parameters
    ----------
    state : DockState
        Gets classes and support.
    viewer : napari Viewer
        Gets the layers.
    keeping : Keeping
        Goes on writing.
    storing : Storing
        Has the results.
    image, annotate, segment
        The panels that show what is chosen.
    """

    def __init__(
        self,
        state: DockState,
        viewer: Viewer,
        keeping: Keeping,
        storing: Storing,
        image: ImagePanel,
        annotate: AnnotatePanel,
        segment: SegmentPanel,
    ) -> None:
        self._state, self._viewer, self._keeping = state, viewer, keeping
        self._storing = storing
        self._image, self._annotate, self._segment = image, annotate, segment

    def resume(self, session: Session, path: Path) -> list[str]:
        """Go on with a journal of the image that is on screen.

        Returns
        -------
        list of str
            What could not be brought back, a sentence each.
        """
        reference = session.images[OWN]
        source = self._use(self._source(), reference)
        there = self._on_screen(session, source)
        unpainted = {n: one for n, one in there.items() if not self._keeping.is_painted(one)}
        self._keeping.go_on_with(Session(session.records), path, unpainted)
        missing = self._bring_back(session, source, _nobody, unpainted)
        self._storing.restore()
        return missing

    def open(self, session: Session, ask: Ask, path: Path) -> list[str]:
        """Go on with a session that was saved.

        Parameters
        ----------
        session : Session
            As `load_session` gave it.
        ask : callable
            Gets an image that is missing, and what is wrong; returns where it is, or None.
        path : Path
            Its file, which may hold results.

        Returns
        -------
        list of str
            What could not be brought back, a sentence each.

        Raises
        ------
        BadInput
            If its image is not to be had.
        """
        layer = self._layer_of(session.images[OWN], ask)
        self._image.layer.choose(layer)
        source = self._use(self._source(), session.images[OWN])
        there = self._on_screen(session, source)
        self._keeping.go_on_with(Session(session.records), layers=there)
        missing = self._bring_back(session, source, ask, there)
        self._storing.restore(path)
        return missing

    def _source(self) -> Source:
        source = self._state.source
        if source is None:
            raise BadInput(self._state.refusal or "the image of the session is not on screen")
        return source

    def _use(self, source: Source, reference: ImageReference) -> Source:
        """Give the dimensions of the image the letters that they had."""
        letters = reference.axes[:-1] if source.rgb else reference.axes
        if letters != source.letters and len(letters) == len(source.letters):
            self._image.use_letters(letters)
        return self._source()

    def _bring_back(
        self,
        session: Session,
        source: Source,
        ask: Ask,
        there: Mapping[int, Labels],
    ) -> list[str]:
        """Add the annotations, or fill those that are there, and choose what was chosen."""
        missing: list[str] = []
        self._state.classes = session.classes
        pairs: list[SupportPair] = []
        chosen: Labels | None = None
        for number, layer in session.layers.items():
            if layer.image == OWN and (layer.paint or number == session.annotation):
                added = self._annotation(source, session, layer, there.get(number))
                chosen = added if number == session.annotation else chosen
            elif number in session.supports:
                try:
                    other = self._layer_of(session.images[layer.image], ask)
                except BadInput as error:
                    missing.append(f"{error}.")
                    continue
                reference = session.images[layer.image]
                shown = source_of(other, reference.axes[:-1] if other.rgb else reference.axes)
                known = self._support_on_screen(shown, layer)
                pairs.append(SupportPair(shown, self._annotation(shown, session, layer, known)))
        if chosen is not None:
            self._annotate.layer.refresh()
            self._annotate.layer.choose(chosen)
            self._viewer.layers.selection.active = chosen
            self._keeping.catch_up()
        self._state.supports = tuple(pairs)
        self._choose(session, missing)
        return missing

    def _on_screen(self, session: Session, source: Source) -> dict[int, Labels]:
        """Find the annotations of a session among the layers, by their names."""
        found: dict[int, Labels] = {}
        for layer in self._viewer.layers:
            notes = note(layer)
            ours = (notes.get("kind"), notes.get("image")) == ("annotation", identity(source.layer))
            for number, known in session.layers.items():
                same = ours and known.image == OWN and known.name == str(layer.name)
                if same and fits(layer, source) and isinstance(layer.data, np.ndarray):
                    found.setdefault(number, layer)
        return found

    def _support_on_screen(self, source: Source, layer: Layer) -> Labels | None:
        """Find the annotation of a support image among those that are used now."""
        for pair in self._state.supports:
            if pair.source.layer is source.layer and str(pair.annotation.name) == layer.name:
                return pair.annotation
        return None

    def _annotation(
        self, source: Source, session: Session, layer: Layer, known: Labels | None
    ) -> Labels:
        """Add a layer with the paint of a session, or put it into one that is there."""
        if known is not None:
            return _filled(known, source, layer)
        grid = source.grid
        data = blank(grid.shape, np.uint8)
        for (t, z), plane in layer.paint.planes.items():
            block = labels_from_canonical(plane[np.newaxis, np.newaxis], source.axes)
            region = Region.from_slices(layer.paint.shape, t=t, z=z)
            data[grid.slices(region, source.letters)] = grid.put_on(block)
        notes = {NUMBER: layer.number, "changed": True}
        return new_annotation(self._viewer, source, session.classes, data, layer.name, **notes)

    def _layer_of(self, reference: ImageReference, ask: Ask) -> ImageLayer:
        """Find an image among the layers, or open its file, or ask where it is."""
        from napari.layers import Image

        for layer in self._viewer.layers:
            if isinstance(layer, Image) and "kind" not in note(layer):
                try:
                    shown = source_of(layer).image
                except BadInput:
                    continue
                if fingerprint(shown) == reference.fingerprint:
                    return layer
        path: Path | None = None
        while True:
            try:
                image = reference.load(path)
                break
            except BadInput as error:
                path = ask(reference, str(error))
                if path is None:
                    raise
        letters = image.axes[:-1] if image.rgb else image.axes
        return self._viewer.add_image(
            from_canonical(image.data, image.axes),
            name=image.name,
            rgb=image.rgb,
            metadata={KEY: {"axes": letters, "file": image.source}},
            **calibration(image, letters),
        )

    def _choose(self, session: Session, missing: list[str]) -> None:
        """Choose model, leak and channel as they were."""
        chosen: dict[str, Any] = session.settings
        model = str(chosen.get("model", "membrane"))
        if Path(model).suffix and not Path(model).is_file():
            missing.append(f"The model {model} is gone; choose another.")
        else:
            self._segment.use_model(model)
        self._segment.leak.setValue(float(chosen.get("leak", 1.0)))
        self._image.use_channel(chosen.get("channel"))


def _filled(known: Labels, source: Source, layer: Layer) -> Labels:
    """Let a layer hold what is painted in a session; what it held can be had back by undo."""
    annotation = Annotation(known, source)
    for place in sorted({*annotation.by_slice(), *layer.paint.planes}):
        annotation.put(*place, layer.paint.plane(*place))
    write_note(known, **{NUMBER: layer.number, "changed": True})
    known.refresh()
    return known


def _nobody(reference: ImageReference, reason: str) -> None:
    """Ask nobody where an image is."""
