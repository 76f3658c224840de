"""Questions about the answer: why here, is all painted well, where to paint next."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_infoleak.core.errors import InfoleakError
from napari_infoleak.widgets import questions
from napari_infoleak.widgets.layers import go_to, visible_region
from napari_infoleak.widgets.markers import Marker, clear_markers, show_markers
from napari_infoleak.widgets.segmenting import leaking
from napari_infoleak.widgets.state import Basis

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from napari import Viewer

    from napari_infoleak.core.region import Region
    from napari_infoleak.explain.reasons import DoubtfulPlace
    from napari_infoleak.widgets.layers import Source
    from napari_infoleak.widgets.markers import Place
    from napari_infoleak.widgets.state import DockState
    from napari_infoleak.widgets.worker import Worker

NEXT, WHY = "doubtful places", "why here"
"""Names of the layers that show places."""
_COUNT = 8  # places that are looked for at a time
_PLANES = 8
_PIXELS = 4_000_000  # that are looked at for them: some seconds
_RING = "#ffd400"


class Explaining(QObject):
    """Asks the child process, one question at a time; a question that comes too early waits.

    Parameters
    ----------
    state : DockState
        What the questions are about, and where the answers are kept.
    worker : Worker
        The child process.
    viewer : napari Viewer
        Is moved to doubtful places.
    """

    said = Signal(str)
    explained = Signal(object)  # Why, or None where there is nothing to explain

    def __init__(self, state: DockState, worker: Worker, viewer: Viewer) -> None:
        super().__init__(worker)
        self._state, self._worker, self._viewer = state, worker, viewer
        self._waiting: Callable[[], None] | None = None
        self._places: list[DoubtfulPlace] = []
        self._shown = 0
        self._asked_of: Hashable = None
        worker.ended.connect(lambda: QTimer.singleShot(0, self._go_on))
        events = state.events
        for signal in (events.source, events.count, events.supports, events.model):
            signal.connect(self._outdated)
        events.source.connect(self._image_changed)

    def ask_why(self, place: Place) -> None:
        """Ask what leaked into the answer for a pixel."""
        source = self._state.source
        if source is None:
            return
        at = dict(zip("TZYX", place, strict=True))
        index = tuple(at[letter] for letter in source.image.label_axes)
        self._ask("Looking why", "why", self.explained.emit, place=index)

    def ask_review(self) -> None:
        """Ask which strokes and images hurt."""
        source, begun = self._state.source, Basis.of(self._state)

        def take(review: Any) -> None:
            """Keep it, unless it is of another image or of other paint."""
            if source is self._state.source and Basis.of(self._state) == begun:
                self._state.review = review
            else:
                self.said.emit("The paint has changed since it was checked: check it again.")

        self._ask("Checking the paint", "review", take)

    def next_place(self) -> None:
        """Go to the next doubtful place; look for some if the paint has changed since."""
        source = self._state.source
        if source is None:
            return
        if self._places and self._asked_of == self._question():
            self._show(source, (self._shown + 1) % len(self._places))
            return
        region, planes = self._where(source)
        take = partial(self._take_places, source, self._question())
        self._ask(
            "Looking for doubtful places",
            "doubtful",
            take,
            region=region,
            planes=planes,
            count=_COUNT,
        )

    def _ask(self, what: str, name: str, take: Callable[[Any], None], **details: Any) -> None:
        if self._worker.busy:
            self._waiting = partial(self._ask, what, name, take, **details)
            return
        source = self._state.source
        if source is None:
            return
        try:
            request = leaking(self._state, source)
        except InfoleakError as error:
            self._worker.failed.emit(str(error))
            return
        self._worker.start(what, f"{questions.HERE}.{name}", take, **request, **details)

    def _go_on(self) -> None:
        """Ask what had to wait."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting()

    def _where(self, source: Source) -> tuple[Region | None, int]:
        """Return where to look, and on how many planes: as much as takes a few seconds."""
        _, _, height, width = source.image.label_shape
        planes = min(_PLANES, _PIXELS // (height * width))
        return (None, planes) if planes > 1 else (visible_region(self._viewer, source), 1)

    def _question(self) -> Hashable:
        """Return what the places depend on."""
        state = self._state
        painted = (tuple(sorted(state.count.total.items())), state.count.slices)
        about = (id(state.source), state.channel, state.model, state.leak)
        return about, painted, tuple(map(id, state.supports))

    def _take_places(self, source: Source, question: Hashable, places: list[DoubtfulPlace]) -> None:
        if source is not self._state.source:
            return
        if not places:
            self.said.emit("No doubtful place is left where nothing is painted.")
            return
        self._places, self._asked_of = places, question
        self._show(source, 0)

    def _show(self, source: Source, index: int) -> None:
        """Go to a place and say what is asked there."""
        self._shown = index
        place = self._places[index]
        at = (place.t, place.z, place.y, place.x)
        show_markers(self._viewer, source, NEXT, [Marker(at, _RING)])
        go_to(self._viewer, source, at)
        classes = self._state.classes.with_ids(place.class_ids)
        one, other = (f"“{classes[number].name}”" for number in place.class_ids[:2])
        self.said.emit(
            f"Place {index + 1} of {len(self._places)}: {one} or {other}? Paint it, then press N."
        )

    def _outdated(self, value: Any = None) -> None:
        """The scores were of other paint, or of another model."""
        self._state.review = None

    def _image_changed(self, source: Any) -> None:
        self._places, self._waiting = [], None
        for kind in (NEXT, WHY):
            clear_markers(self._viewer, kind)
