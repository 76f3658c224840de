"""From paint to answers: gathers the request, hands it to the child, puts the answer on screen."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.api._result import membrane_index
from napari_infoleak.core.axes import without_channel
from napari_infoleak.core.errors import InfoleakError
from napari_infoleak.core.region import Region
from napari_infoleak.widgets import jobs, steps
from napari_infoleak.widgets.annotation import Annotation, blank
from napari_infoleak.widgets.state import OVERLAYS, Answer, Basis, others
from napari_infoleak.widgets.travel import Painted, Pixels, sendable

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_infoleak.core.classes import ClassTable
    from napari_infoleak.widgets.layers import Source
    from napari_infoleak.widgets.results import Results
    from napari_infoleak.widgets.state import DockState
    from napari_infoleak.widgets.worker import Worker


class Segmenting:
    """The main job of the dock.

    Parameters
    ----------
    state : DockState
        What to ask, and where to keep the answer.
    worker : Worker
        The child process.
    results : Results
        The layers that show the answer.
    """

    def __init__(self, state: DockState, worker: Worker, results: Results) -> None:
        self._state, self._worker, self._results = state, worker, results
        state.events.overlays.connect(self._show_overlays)

    def start(
        self, region: Region, what: str, *, answered: Callable[[], None] | None = None
    ) -> bool:
        """Ask about a region of the image; False if that is not possible now.

        Parameters
        ----------
        region : Region
            The part of the image.
        what : str
            What is done, for the user.
        answered : callable, optional
            Called once the answer is on screen; with it, the work is done in the background.
        """
        state, source = self._state, self._state.source
        if source is None:
            return False
        try:
            request = self._request(source, region, looks=state.looks and answered is None)
        except InfoleakError as error:
            self._worker.failed.emit(str(error))
            return False
        classes, basis = state.classes, asked(state)

        def take(result: Any) -> None:
            self.take(source, region, classes, result, basis)
            if answered is not None:
                answered()

        background = answered is not None
        return self._worker.start(
            what,
            f"{jobs.HERE}.segment",
            take,
            background=background,
            noted=not background or request["region"] is None,  # a glance is no step of the work
            **request,
        )

    def _request(self, source: Source, region: Region, *, looks: bool) -> dict[str, Any]:
        """Gather what the child needs."""
        whole = region == Region.whole(source.image.label_shape)
        return {
            **leaking(self._state, source),
            "region": None if whole else region,
            "uncertainty": "uncertainty" in self._state.overlays,
            "rounds": looks,
        }

    def take(
        self,
        source: Source,
        region: Region,
        classes: ClassTable,
        result: Any,
        basis: Basis,
        *,
        complete: bool = True,
        spread: bool = False,
    ) -> None:
        """Put an answer on screen, unless its image was closed or replaced meanwhile.

        Parameters
        ----------
        source : Source
            The image.
        region : Region
            The part of it that was answered.
        classes : ClassTable
            Names and colours.
        result : Result
            The answer; it becomes the layers' own.
        basis : Basis
            What it depends on.
        complete : bool
            Whether all of the region was labelled.
        spread : bool
            Whether labels were spread from frame to frame.
        """
        if source.layer not in self._results.viewer.layers:
            return
        if not source.stands:
            self._worker.failed.emit(
                f"“{source.name}” has another shape now than the answer: segment it again."
            )
            return
        known = classes.with_ids(result.class_ids)
        part = None if region == Region.whole(source.image.label_shape) else region
        self._results.show(
            source, "labels", result.labels, part, visible=self._wants("labels"), classes=known
        )
        membrane = membrane_index(result.class_ids, known)
        planes = result.probabilities
        if planes is not None:
            self._results.show(
                source, "membrane", planes[membrane], part, visible=self._wants("membrane")
            )
        for number, thought in enumerate(result.rounds, 1):
            self._results.show(source, f"look {number}", thought[membrane], part)
        if result.uncertainty is not None:
            self._results.show(
                source, "uncertainty", result.uncertainty, part, visible=self._wants("uncertainty")
            )
        if source is self._state.source:
            fresh = not steps.older_cells(self._state)
            answer = self._answer(source, part, result, basis, complete)
            self._state.answer = replace(answer, spread=spread)
            if self._state.cells is not None and fresh and steps.older_cells(self._state):
                self._state.overlays = self._state.overlays - {"cells"} | {"labels"}

    def _answer(
        self, source: Source, part: Region | None, result: Any, basis: Basis, labelled: bool
    ) -> Answer:
        """Keep what layers do not hold: the probabilities of all classes."""
        ids = tuple(int(number) for number in result.class_ids)
        last = self._state.answer
        planes = result.probabilities
        goes_on = last is not None and (last.source, last.class_ids, last.model) == (
            source,
            ids,
            basis.model,
        )
        if part is not None and planes is not None:
            letters = without_channel(source.axes)
            sizes = tuple(source.sizes[letter] for letter in letters)
            whole = last.probabilities if goes_on and last is not None else None
            if whole is None or not getattr(whole, "flags", np.zeros(1).flags).writeable:
                whole = blank((len(ids), *sizes), np.float32)
            by_letter = dict(zip("TZYX", part.slices, strict=True))
            whole[(slice(None), *(by_letter[letter] for letter in letters))] = planes
            planes = whole
        was_complete = goes_on and last is not None and last.complete
        complete = part is None or was_complete
        rest = last.oldest if last is not None and was_complete and part is not None else basis
        return Answer(
            source=source,
            class_ids=ids,
            probabilities=planes,
            uncertainty=result.uncertainty is not None,
            complete=complete and labelled,
            model=basis.model,
            basis=basis,
            oldest=rest,
            provenance=result.provenance,
        )

    def _wants(self, overlay: str) -> bool:
        return overlay in self._state.overlays

    def _show_overlays(self, overlays: frozenset[str]) -> None:
        """Show and hide the result layers of the image."""
        source = self._state.source
        if source is None:
            return
        for name in OVERLAYS:
            layer = self._results.find(source, name)
            if layer is not None:
                layer.visible = name in overlays
        answer = self._state.answer
        if "uncertainty" in overlays and answer is not None and not answer.uncertainty:
            self._measure_doubt(answer)

    def _measure_doubt(self, answer: Answer) -> None:
        """Measure the uncertainty of an answer that was given without it."""

        def take(doubt: Any) -> None:
            if answer is self._state.answer:
                shown = self._wants("uncertainty")
                self._results.show(answer.source, "uncertainty", doubt, visible=shown)
                self._state.answer = replace(answer, uncertainty=True)

        if answer.probabilities is not None:
            function = f"{jobs.HERE}.doubt"
            self._worker.start(
                "Measuring the uncertainty", function, take, probabilities=answer.probabilities
            )


def asked(state: DockState) -> Basis:
    """Return what an answer that is asked for now depends on; its paint was packed just now."""
    own = state.count.digest if state.annotation is None else state.annotation.digest
    supports = others(pair.counted() for pair in state.supports)
    return replace(Basis.of(state), paint=own, supports=supports)


def leaking(state: DockState, source: Source) -> dict[str, Any]:
    """Gather what any question about an image is answered with: pixels, paint, model, leak.

    The paint is copied as it is now, so that painting can go on.
    """
    own = state.annotation
    painted = None if own is None else own.pack()
    if isinstance(painted, Painted) and not painted.patches:
        painted = None
    return {
        "pixels": pixels_of(source),
        "annotation": painted,
        "supports": [
            (pixels_of(pair.source), Annotation(pair.annotation, pair.source).pack())
            for pair in state.supports
        ],
        "model": state.model,
        "channel": state.channel,
        "leak": state.leak,
    }


def pixels_of(source: Source) -> Pixels:
    """Pack an image; its pixels are neither copied nor read here."""
    data = sendable(source.data)
    return Pixels(data, source.axes, source.description())
