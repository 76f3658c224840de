"""What a frame is answered with: annotated frames for good, labelled neighbours for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_infoleak.spread.order import looked_at, neighbours

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_infoleak.core.image import Image
    from napari_infoleak.core.support import SupportSet
    from napari_infoleak.spread.order import Series

    Labels = NDArray[np.uint8]
    Floats = NDArray[np.float32]

SURE = 0.8
"""Probability from which on the label of a pixel is looked up by the neighbours of its frame."""
_WEIGHT, _FADE = 0.5, 0.9  # of a frame whose answer is certain; from a distance to the next


class FrameSupport:
    """Support sets of the frames of one series.

    Parameters
    ----------
    image : Image
    channel : int or None
    series : Series
    painted : mapping of int to ndarray, shape (Y, X), uint8
        Its annotated frames; 0 unlabelled.
    others : SupportSet
        Other annotated images, which every frame is answered with.
    reach : int
        Frames to each side whose labels are looked up.
    """

    def __init__(
        self,
        image: Image,
        channel: int | None,
        series: Series,
        painted: Mapping[int, Labels],
        others: SupportSet,
        reach: int,
    ) -> None:
        self._image = image
        self._channel = channel
        self._series = series
        self._painted = painted
        self._strokes = {frame: _strokes(paint) for frame, paint in painted.items()}
        self._others = others
        self._reach = reach
        self._annotated: dict[tuple[int, ...], SupportSet] = {}
        self._labelled: dict[int, tuple[Labels, float, int]] = {}

    def of(self, frame: int, distance: int) -> SupportSet:
        """All that a frame is answered with: of its neighbours those that are nearer to paint."""
        support = self.annotated(frame)
        nearer = [other for other, (_, _, own) in self._labelled.items() if own < distance]
        for other in neighbours(frame, nearer, self._reach):
            labels, weight, _ = self._labelled[other]
            plane = self._plane(other)
            support = support.add(plane, labels, axes="YX", weight=weight, permanent=False)
        return support

    def annotated(self, frame: int) -> SupportSet:
        """What people annotated, as far as a frame depends on it."""
        frames = tuple(looked_at(frame, self._strokes))
        if frames not in self._annotated:
            support = self._others
            for other in frames:
                support = support.add(self._plane(other), self._painted[other], axes="YX")
            self._annotated[frames] = support
        return self._annotated[frames]

    def accept(
        self, frame: int, distance: int, labels: Labels, probabilities: Floats, confidence: float
    ) -> None:
        """Let the neighbours of a frame look its labels up, where they are sure.

        Parameters
        ----------
        frame, distance : int
        labels : ndarray, shape (Y, X), uint8
        probabilities : ndarray, shape (K, Y, X), float32
        confidence : float
        """
        if not self._reach or confidence <= 0:
            return
        sure = np.where(probabilities.max(0) >= SURE, labels, 0).astype(np.uint8)
        if frame in self._painted:
            sure = np.where(self._painted[frame] > 0, self._painted[frame], sure)
        if sure.any():
            self._labelled[frame] = sure, _WEIGHT * _FADE**distance * confidence, distance

    def _plane(self, frame: int) -> Floats:
        return self._image.plane(*self._series.place(frame), self._channel)


def _strokes(paint: Labels) -> dict[int, int]:
    counts = np.bincount(paint.ravel())
    return {int(k): int(counts[k]) for k in np.flatnonzero(counts) if k}
