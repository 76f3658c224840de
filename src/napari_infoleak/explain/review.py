"""Support scores: what each annotation does to how well all the others are answered.

Each stroke is left out in turn, and the others are read from what remains. The read-out is a
weighted vote of labels, so the votes of a stroke can be taken out of the sums without voting again:
all strokes are left out in the time of one. After the valuation of training data for neighbour
classifiers of Jia et al. 2019, arXiv 1908.08619; here the effect is leave-one-out, and a stroke is
never read from itself or from paint beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_infoleak.core.errors import EmptySupportError
from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress
from napari_infoleak.explain.lookup import in_order, looking_up
from napari_infoleak.explain.strokes import strokes

if TYPE_CHECKING:
    from napari_infoleak.core.support import SupportSet
    from napari_infoleak.segmenters.protocol import LooksUp, Segmenter

_BESIDE = 24  # pixels: nearer paint of a plane is as good as the stroke itself
_STROKE_HARM = 0.2  # strokes' worth of right answers lost by a stroke that is called suspect
_PLANE_HARM = 0.08  # planes' worth
_CONTRADICTED = 0.4  # answered rightly to less than this share
_NOTHING = 1e-4  # labels that are read where nothing is

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class StrokeScore:
    """What one stroke is worth.

    Attributes
    ----------
    source : str
        Name of the annotated image.
    t, z, y, x : int
        A pixel of it, near its middle.
    class_id : int
    pixels : int
    effect : float or None
        By how much more of the other strokes is answered rightly with it than without it, -1 to 1;
        negative harms. None if there is nothing to judge it by.
    agreement : float or None
        Share of it that the other strokes answer as it is painted, 0 to 1; None if no other stroke
        has its class.
    suspect : bool
        Whether it harms the others and they contradict it: look whether it is painted wrongly.
    """

    source: str
    t: int
    z: int
    y: int
    x: int
    class_id: int
    pixels: int
    effect: float | None
    agreement: float | None
    suspect: bool


@dataclass(frozen=True)
class PlaneScore:
    """What the paint on one plane is worth to the strokes on other planes.

    Attributes
    ----------
    source : str
        Name of the annotated image.
    t, z : int
        Its plane.
    strokes : int
        How many were judged.
    effect, agreement : float or None
        As of `StrokeScore`; None if no other plane is annotated.
    suspect : bool
        Whether it harms the others.
    """

    source: str
    t: int
    z: int
    strokes: int
    effect: float | None
    agreement: float | None
    suspect: bool


@dataclass(frozen=True)
class Review:
    """Scores of a support set.

    Attributes
    ----------
    planes : tuple of PlaneScore
        Most harmful first.
    strokes : tuple of StrokeScore
        Most harmful first. A stroke that found no room in the memory is not listed.
    """

    planes: tuple[PlaneScore, ...]
    strokes: tuple[StrokeScore, ...]

    @property
    def suspects(self) -> tuple[PlaneScore | StrokeScore, ...]:
        """All that should be looked at again."""
        every: list[PlaneScore | StrokeScore] = [*self.planes, *self.strokes]
        return tuple(one for one in every if one.suspect)


def review(
    segmenter: Segmenter,
    support: SupportSet,
    memory: Any,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> Review:
    """Score each stroke and each plane of a support set.

    Parameters
    ----------
    segmenter : Segmenter
        Made ready by `infer.prepare`.
    support : SupportSet
        What `memory` was made of.
    memory : Memory
        What that very segmenter made of it.
    progress, cancel
        Told of, and asked before, each stroke.

    Returns
    -------
    Review

    Raises
    ------
    BadInput
        If the segmenter looks no annotation up.
    EmptySupportError
        If nothing is annotated.
    """
    looking = looking_up(segmenter)
    if not support:
        raise EmptySupportError("nothing is annotated: paint some strokes of each class first")
    judge = _Judge(looking, support, memory)
    scores = []
    for done, number in enumerate(judge.listed):
        cancel.check()
        progress(done, len(judge.listed), f"stroke {done + 1} of {len(judge.listed)}")
        scores.append(judge.stroke(number))
    planes = [judge.plane(number) for number in range(len(support))]
    return Review(tuple(sorted(planes, key=_rank)), tuple(sorted(scores, key=_rank)))


class _Judge:
    """Scores one annotation at a time.

    Parameters
    ----------
    looking : LooksUp
    support : SupportSet
    memory : Memory
    """

    def __init__(self, looking: LooksUp, support: SupportSet, memory: Any) -> None:
        self._planes = in_order(support)
        self._found, stroke_of = _strokes_of_entries(support, memory, looking.stride)
        self._votes = _Votes(looking, memory, stroke_of, len(self._found))
        self._stroke_of = stroke_of
        self._plane_of = np.array([plane for plane, _ in self._found])
        self._class_of = np.array([stroke.class_id for _, stroke in self._found])
        right = self._votes.right(np.zeros(len(stroke_of), bool))
        self._right = self._votes.per_stroke(np.where(self._votes.answerable(), right, np.nan))
        self.listed: list[int] = np.unique(stroke_of).tolist()

    def stroke(self, number: int) -> StrokeScore:
        """Leave a stroke out."""
        plane, stroke = self._found[number]
        effect = self._effect(np.arange(len(self._found)) == number)
        agreement = self._right[number]
        known = not np.isnan(agreement)
        harms = effect is not None and -effect * (len(self.listed) - 1) > _STROKE_HARM
        return StrokeScore(
            source=self._planes[plane].source,
            t=self._planes[plane].index[0],
            z=self._planes[plane].index[1],
            y=stroke.y,
            x=stroke.x,
            class_id=stroke.class_id,
            pixels=stroke.pixels,
            effect=effect,
            agreement=float(agreement) if known else None,
            suspect=bool(harms and known and agreement < _CONTRADICTED),
        )

    def plane(self, number: int) -> PlaneScore:
        """Leave all strokes of a plane out."""
        own = self._plane_of == number
        effect = self._effect(own)
        known = self._right[own & ~np.isnan(self._right)]
        return PlaneScore(
            source=self._planes[number].source,
            t=self._planes[number].index[0],
            z=self._planes[number].index[1],
            strokes=int(np.isin(self.listed, np.flatnonzero(own)).sum()),
            effect=effect,
            agreement=float(known.mean()) if len(known) else None,
            suspect=effect is not None and -effect * (len(self._planes) - 1) > _PLANE_HARM,
        )

    def _effect(self, left_out: Flags) -> float | None:
        """Say how much less of the other strokes is answered rightly without some."""
        judges = ~left_out & ~np.isnan(self._right)
        if not judges.any():
            return None
        without = self._votes.per_stroke(self._votes.right(left_out[self._stroke_of]))
        loss = self._right - without
        classes = np.unique(self._class_of[judges])
        return float(np.mean([loss[judges & (self._class_of == one)].mean() for one in classes]))


class _Votes:
    """What every entry of a memory reads from the others.

    Parameters
    ----------
    looking : LooksUp
    memory : Memory
    stroke_of : ndarray, shape (M,)
        Stroke of each entry.
    strokes : int
        How many there are, with those that have no entry.
    """

    def __init__(
        self, looking: LooksUp, memory: Any, stroke_of: NDArray[np.intp], strokes: int
    ) -> None:
        keys, values = (part.cpu().double().numpy() for part in (memory.keys, memory.values))
        self._stroke_of, self._strokes = stroke_of, strokes
        self._values = values  # (M, K, P)
        self._labelled = values.sum((1, 2))
        self._class_of = values.sum(2).argmax(1)
        self._share = np.exp(memory.bias.cpu().double().numpy())
        likeness = keys @ keys.T / looking.tau
        likeness[~self._apart(memory.places.numpy())] = -np.inf
        highest = likeness.max(1, keepdims=True)
        # (M, M): how much an entry hears of another, but for the other's share of its class.
        self._heard = np.exp(likeness - np.where(np.isfinite(highest), highest, 0))
        self._read = self._said(np.ones(len(keys), bool))
        self._sum = self._heard @ self._share

    def right(self, left_out: Flags) -> Floats:
        """Return how much of each entry's paint is read as it is painted, without some entries.

        Parameters
        ----------
        left_out : ndarray of bool, shape (M,)
            Entries that do not vote.

        Returns
        -------
        ndarray, shape (M,), float64
            0 to 1.
        """
        read = np.maximum(self._read - self._said(left_out), 0)
        total = np.maximum(self._sum - self._heard[:, left_out] @ self._share[left_out], 0)
        # Every class weighs the same, however much of it is left.
        kept = np.where(left_out, 0, self._share)
        left = np.bincount(self._class_of, kept, self._values.shape[1])
        read = read / np.maximum(left, 1e-9)[:, None]
        read += (_NOTHING / len(left)) * total[:, None, None] + 1e-300
        chance = (read / read.sum(1, keepdims=True) * self._values).sum((1, 2))
        result: Floats = chance / np.maximum(self._labelled, 1)
        return result

    def per_stroke(self, of_entries: Floats) -> Floats:
        """Mean over the entries of each stroke; NaN for one without entries, or with a NaN."""
        entries = np.bincount(self._stroke_of, minlength=self._strokes)
        sums = np.bincount(self._stroke_of, of_entries, self._strokes)
        return np.where(entries > 0, sums / np.maximum(entries, 1), np.nan)

    def answerable(self) -> Flags:
        """Tell which entries have any other of their class to hear."""
        same = self._class_of[:, None] == self._class_of[None, :]
        found: Flags = ((self._heard > 0) & same).any(1)
        return found

    def _said(self, by: Flags) -> Floats:
        """Sums of the labels that some entries say to each; (M, K, P)."""
        said = self._share[by, None, None] * self._values[by]
        sums: Floats = np.tensordot(self._heard[:, by], said, 1)
        return sums

    def _apart(self, places: NDArray[np.int64]) -> Flags:
        """Tell which entries may hear which: of other strokes, and not beside them."""
        distance = np.abs(places[:, None, 1:] - places[None, :, 1:]).max(2)
        beside = (places[:, None, 0] == places[None, :, 0]) & (distance < _BESIDE)
        own = self._stroke_of[:, None] == self._stroke_of[None, :]
        apart: Flags = ~(beside | own)
        return apart


def _strokes_of_entries(
    support: SupportSet, memory: Any, stride: int
) -> tuple[list[tuple[int, Any]], NDArray[np.intp]]:
    """All strokes with their planes, and the stroke that most of each entry's paint belongs to."""
    found: list[tuple[int, Any]] = []
    numbers = []
    for index, plane in enumerate(in_order(support)):
        of_pixel, here = strokes(plane.annotation)
        numbers.append(np.where(of_pixel > 0, of_pixel + len(found), 0))
        found += [(index, stroke) for stroke in here]
    stroke_of = np.zeros(len(memory), np.intp)
    for entry, (plane, y, x) in enumerate(memory.places.tolist()):
        cell = numbers[plane][y : y + stride, x : x + stride]
        stroke_of[entry] = np.bincount(cell[cell > 0]).argmax() - 1
    return found, stroke_of


def _rank(score: PlaneScore | StrokeScore) -> tuple[bool, float]:
    """Suspects first, then the most harmful first."""
    return not score.suspect, 0.0 if score.effect is None else score.effect
