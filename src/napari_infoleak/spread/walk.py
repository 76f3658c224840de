"""Go from the annotated frames outward, and say how far the answers can be trusted.

After Mano, Kato, Hotta 2023 (VISAPP, SciTePress 117218): frames are labelled in the order of their
distance from the annotated ones. There a network learns from each round of frames before the next
one is labelled; here it may (`Tuner`), and by default nothing is trained. What was labelled can be
looked up by the frames that follow, and labels stop where they cannot be trusted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from napari_infoleak.core.errors import Cancelled
from napari_infoleak.core.image import plane_hash
from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress
from napari_infoleak.core.region import Region
from napari_infoleak.infer.pipeline import answer
from napari_infoleak.segmenters.fingerprint import fingerprint
from napari_infoleak.spread.confidence import confidence
from napari_infoleak.spread.frame import SpreadFrame
from napari_infoleak.spread.order import rounds, turns
from napari_infoleak.spread.support import FrameSupport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_infoleak.core.image import Image
    from napari_infoleak.core.support import SupportSet
    from napari_infoleak.infer.outputs import Outputs
    from napari_infoleak.segmenters.protocol import Segmenter
    from napari_infoleak.spread.frame import State
    from napari_infoleak.spread.order import Place, Series, Turn

    Labels = NDArray[np.uint8]
    Floats = NDArray[np.float32]

ROUNDS = 6
"""How often a model learns on the way, at most."""
FIRST = 0.3
"""Share of the learning that comes before the first frame."""
FADE = 0.9
"""Of the weight of a labelled frame that is learned from, from a distance to the next."""
_FINER = 20  # steps of the progress a frame, where learning is to be seen in it
_VERSION = 1  # of what a frame's answer depends on


class Tuner(Protocol):
    """What learns while labels spread, see `learn.recipes.fine_tuning`."""

    @property
    def work(self) -> float:
        """How long all of the learning takes, in pixels that could be answered meanwhile."""

    def learn(self, share: float, progress: Progress, cancel: CancelToken) -> Segmenter:
        """Learn until a share of the budget is spent; give the segmenter as it is then, ready."""

    def accept(self, plane: Floats, labels: Labels, weight: float) -> None:
        """Learn from a labelled frame, too, from now on."""


@dataclass(frozen=True, eq=False)
class FrameAnswer:
    """What a segmenter says of a frame.

    Attributes
    ----------
    labels : ndarray, shape (Y, X), uint8
        Painted pixels keep their class.
    probabilities : ndarray, shape (K, Y, X), float32
    confidence : float
    """

    labels: Labels
    probabilities: Floats
    confidence: float


@dataclass(frozen=True, eq=False)
class _Way:
    """One series while it is walked."""

    series: Series
    painted: Mapping[int, Labels]
    known: FrameSupport
    tuner: Tuner | None
    cancel: CancelToken
    found: dict[int, SpreadFrame] = field(default_factory=dict)

    def leads_to(self, turn: Turn) -> bool:
        """Whether labels come to a frame, as far as is known."""
        places = (turn.frame + side for side in turn.sides)
        sources = [self.found[place] for place in places if place in self.found]
        return not sources or any(source.passes_on for source in sources)

    def unreached(self, turn: Turn) -> SpreadFrame:
        """A frame that stays unlabelled."""
        return SpreadFrame(*self.series.place(turn.frame), turn.distance, None, "unreached")


class _Told:
    """Progress of a series: frames, and learning as long as so many frames take."""

    def __init__(self, progress: Progress, series: Series, learning: float) -> None:
        self._progress, self._series = progress, series
        self._work = learning
        self._finer = _FINER if learning else 1
        self._frames, self._learned = -1, 0.0

    def frame(self, number: int) -> None:
        """A frame has its turn."""
        self._frames += 1
        self._say(f"{self._series.axis} = {number}")

    def learning(self, done: int, total: int, message: str = "") -> None:
        """Learning goes on, `done` of `total` of all of it."""
        self._learned = done / total
        self._say(f"learning, {message}" if message else "learning")

    def end(self) -> None:
        """All is done."""
        self._frames, self._learned = self._series.length, 1.0
        self._say(f"{self._series.axis} is done")

    def _say(self, text: str) -> None:
        total = self._series.length + self._work
        done = max(0, self._frames) + self._learned * self._work
        self._progress(round(done * self._finer), round(total * self._finer), text)


class Walk:
    """A segmenter on its way along the series of one image.

    Parameters
    ----------
    image : Image
    segmenter : Segmenter
        Made ready by `infer.backends.prepare`.
    class_ids : tuple of int
        All classes that are annotated anywhere; the order of K.
    out : Outputs
        Arrays of zeros for the labels and, if wanted, the probabilities of the whole image.
    channel, tile : int, optional
        See `infer.pipeline.answer`.
    stop_below : float
        Frames whose confidence is lower pass nothing on.
    before : mapping of str to FrameAnswer
        Answers that are known already, by `SpreadFrame.key`.
    """

    def __init__(
        self,
        image: Image,
        segmenter: Segmenter,
        class_ids: tuple[int, ...],
        out: Outputs,
        *,
        channel: int | None = None,
        tile: int | None = None,
        stop_below: float = 0.0,
        before: Mapping[str, FrameAnswer] | None = None,
    ) -> None:
        self._image = image
        self._ids = class_ids
        self._out = out
        self._channel = channel
        self._tile = tile
        self._stop_below = stop_below
        self._before = before or {}
        self._begun = False  # whether a frame is labelled
        self._use(segmenter)

    def _use(self, segmenter: Segmenter) -> None:
        """Answer with a segmenter from now on."""
        self._segmenter = segmenter
        made_by = [fingerprint(module) for module in segmenter.modules()]
        leak = getattr(segmenter, "leak", 1.0)
        self._made_by = f"{_VERSION} {made_by} {leak} {self._tile} {self._ids}"

    def along(
        self,
        series: Series,
        painted: Mapping[int, Labels],
        others: SupportSet,
        *,
        reach: int,
        tuner: Tuner | None = None,
        progress: Progress = NULL,
        cancel: CancelToken = NEVER,
    ) -> list[SpreadFrame]:
        """Label one series.

        Parameters
        ----------
        series : Series
        painted : mapping of int to ndarray, shape (Y, X), uint8
            Its annotated frames; 0 unlabelled.
        others : SupportSet
            Other annotated images, or none.
        reach : int
            Frames to each side whose labels are looked up; 0 looks up what is annotated alone.
        tuner : Tuner, optional
            Learns before each round of frames from those before. If it is cancelled then, frames
            that are labelled already stay so.
        progress, cancel
            Told of each frame; looked at before each layer of the network.

        Returns
        -------
        list of SpreadFrame
            In the order of the frames.

        Raises
        ------
        BadInput
            If only one class is annotated.
        """
        if not painted:
            return [SpreadFrame(t, z, None, None, "unreached") for t, z in series.places]
        known = FrameSupport(self._image, self._channel, series, painted, others, reach)
        way = _Way(series, painted, known, tuner, cancel)
        order = turns(series.length, painted)
        parts = rounds(order, ROUNDS) if tuner else [order]
        told = _Told(progress, series, self._work(tuner))
        try:
            for number, part in enumerate(parts):
                if tuner and any(way.leads_to(turn) for turn in part):
                    share = FIRST + (1 - FIRST) * number / max(1, len(parts) - 1)
                    self._use(tuner.learn(share, told.learning, cancel))
                for turn in part:
                    cancel.check()
                    told.frame(turn.frame)
                    way.found[turn.frame] = self._turn(turn, way)
                    self._begun = True
        except Cancelled:
            if not tuner or not self._begun:
                raise
        told.end()
        return [
            way.found.get(turn.frame) or way.unreached(turn)
            for turn in sorted(order, key=lambda turn: turn.frame)
        ]

    def _work(self, tuner: Tuner | None) -> float:
        """How long learning takes, in frames that could be answered meanwhile."""
        height, width = self._image.label_shape[2:]
        return 0.0 if tuner is None else tuner.work / (height * width)

    def _turn(self, turn: Turn, way: _Way) -> SpreadFrame:
        """Label a frame, if labels come to it."""
        if not way.leads_to(turn):
            return way.unreached(turn)
        place = way.series.place(turn.frame)
        support = way.known.of(turn.frame, turn.distance)
        key, reused, one = self._answer(place, support, way.painted.get(turn.frame), way.cancel)
        state = self._state(turn, one.confidence)
        frame = SpreadFrame(*place, turn.distance, one.confidence, state, key, reused)
        if frame.passes_on:
            way.known.accept(
                turn.frame, turn.distance, one.labels, one.probabilities, one.confidence
            )
            if way.tuner:
                weight = one.confidence * FADE**turn.distance
                way.tuner.accept(self._image.plane(*place, self._channel), one.labels, weight)
        return frame

    def _state(self, turn: Turn, sure: float) -> State:
        if turn.distance == 0:
            return "annotated"
        return "accepted" if sure >= self._stop_below else "stopped"

    def _answer(
        self, place: Place, support: SupportSet, paint: Labels | None, cancel: CancelToken
    ) -> tuple[str, bool, FrameAnswer]:
        """Answer a frame, unless the answer is known, and write it down."""
        plane = self._image.plane(*place, self._channel)
        key = hashlib.sha256(f"{self._made_by} {support.hash} {plane_hash(plane)}".encode())
        if paint is not None:
            key.update(plane_hash(paint).encode())
        name = key.hexdigest()
        one = self._before.get(name)
        reused = one is not None
        one = one or self._ask(place, support, paint, cancel)
        if self._out.labels is not None:
            self._out.labels[place] = one.labels
        if self._out.probabilities is not None:
            self._out.probabilities[(slice(None), *place)] = one.probabilities
        return name, reused, one

    def _ask(
        self, place: Place, support: SupportSet, paint: Labels | None, cancel: CancelToken
    ) -> FrameAnswer:
        """Ask the segmenter."""
        t, z = place
        found = answer(
            self._image,
            self._segmenter,
            self._segmenter.remember(support),
            channel=self._channel,
            region=Region.from_slices(self._image.label_shape, t=t, z=z),
            tile=self._tile,
            cancel=cancel,
        )
        labels = found.labels[0, 0]
        if paint is not None:
            labels[paint > 0] = paint[paint > 0]
        probabilities = np.zeros((len(self._ids), *labels.shape), np.float32)
        for number, share in zip(found.class_ids, found.probabilities, strict=True):
            probabilities[self._ids.index(number)] = share[0, 0]
        return FrameAnswer(labels, probabilities, confidence(probabilities))
