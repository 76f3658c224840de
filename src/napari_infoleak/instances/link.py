"""Cells of one frame found again in the next, by how much they overlap.

A cell and the one that it overlaps most have one number, if the overlap is mutual and not too
small. What else lies within it was split from it; what else it covers was merged into it. The
largest part keeps the number in both cases, and the event is noted. No cell is followed over a
frame in which it is missing, and nothing is known of movement: for that there are programs of their
own, which read what `track` and `io.tracks.write_tracks` make.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    Ids = NDArray[np.integer]

LEAST = 0.2
"""Intersection over union below which two cells are not one."""
_WITHIN = 0.5  # of the area of a part, that lies within the whole


@dataclass(frozen=True)
class LinkEvent:
    """A cell that became several, or several that became one.

    Attributes
    ----------
    kind : {"split", "merge"}
    frame : int
        The first frame after it.
    one : int
        The whole.
    parts : tuple of int
        The parts, ascending; one of them has the number of the whole.
    """

    kind: Literal["split", "merge"]
    frame: int
    one: int
    parts: tuple[int, ...]


@dataclass(frozen=True)
class Track:
    """A cell from its first to its last frame, as the Cell Tracking Challenge counts.

    Attributes
    ----------
    label, begin, end : int
    parent : int
        The cell that it was split from; 0 if it was not.
    """

    label: int
    begin: int
    end: int
    parent: int = 0


@dataclass(frozen=True, eq=False)
class _Overlaps:
    """Pairs of cells that share pixels: place `i` in `before`, place `j` in this frame."""

    before: Ids
    i: Ids
    j: Ids
    shared: Ids
    area_before: Ids
    area_here: Ids

    @classmethod
    def of(cls, last: Ids, here: Ids, index: Ids) -> _Overlaps:
        """Overlaps of the last frame with one whose cells `here` lie at `index`."""
        before, place = np.unique(last, return_inverse=True)
        pairs, shared = np.unique(place.ravel() * len(here) + index.ravel(), return_counts=True)
        i, j = np.divmod(pairs, len(here))
        area_before = np.bincount(i, shared, len(before))
        area_here = np.bincount(j, shared, len(here))
        cells = (before[i] != 0) & (here[j] != 0)
        return cls(before, i[cells], j[cells], shared[cells], area_before, area_here)

    @property
    def likeness(self) -> NDArray[np.float64]:
        """Intersection over union of each pair."""
        union = self.area_before[self.i] + self.area_here[self.j] - self.shared
        return np.asarray(self.shared / union)


class Links:
    """Links frames as they come.

    Parameters
    ----------
    first_free : int
        The smallest number that a cell may get.
    least : float
        See `LEAST`.
    """

    def __init__(self, first_free: int = 1, least: float = LEAST) -> None:
        self.events: list[LinkEvent] = []
        self.next_free = first_free
        self._least = least
        self._last: Ids | None = None
        self._frame = 0

    def add(self, cells: Ids) -> NDArray[np.uint32]:
        """Number the cells of the next frame.

        Parameters
        ----------
        cells : ndarray of int, shape (Y, X) or (Z, Y, X)
            0 between cells; the numbers need not have anything to do with those before.

        Returns
        -------
        ndarray, uint32
        """
        here, index = np.unique(cells, return_inverse=True)
        index = index.reshape(cells.shape)
        numbers = np.zeros(len(here), np.uint32)
        overlaps = None if self._last is None else _Overlaps.of(self._last, here, index)
        if overlaps is not None:
            self._hand_on(overlaps, numbers)
        new = (numbers == 0) & (here != 0)
        numbers[new] = np.arange(self.next_free, self.next_free + int(new.sum()))
        self.next_free += int(new.sum())
        if overlaps is not None:
            self._note_events(overlaps, numbers, new)
        linked = numbers[index]
        self._last = linked
        self._frame += 1
        return linked

    def _hand_on(self, overlaps: _Overlaps, numbers: NDArray[np.uint32]) -> None:
        """Give cells the number of the one that they overlap most, if that is mutual."""
        likeness = overlaps.likeness
        order = np.argsort(likeness, kind="stable")  # of several assignments the last one stays
        i, j = overlaps.i[order], overlaps.j[order]
        best_here = np.full(len(overlaps.before), -1)
        best_before = np.full(len(numbers), -1)
        best_here[i], best_before[j] = j, i
        mutual = (best_here[i] == j) & (best_before[j] == i) & (likeness[order] >= self._least)
        numbers[j[mutual]] = overlaps.before[i[mutual]]

    def _note_events(
        self, overlaps: _Overlaps, numbers: NDArray[np.uint32], new: NDArray[np.bool_]
    ) -> None:
        """Note what lies within a cell that goes on, and what was covered by one."""
        i, j, shared = overlaps.i, overlaps.j, overlaps.shared
        before, goes_on = overlaps.before, {int(k) for k in numbers}
        split: dict[int, set[int]] = {}
        for a, b in zip(*(x[new[j] & (shared > _WITHIN * overlaps.area_here[j])] for x in (i, j)),
                        strict=True):  # fmt: skip
            if int(before[a]) in goes_on:
                split.setdefault(int(before[a]), set()).add(int(numbers[b]))
        merged: dict[int, set[int]] = {}
        for a, b in zip(*(x[~new[j] & (shared > _WITHIN * overlaps.area_before[i])]
                          for x in (i, j)), strict=True):  # fmt: skip
            if int(before[a]) not in goes_on:
                merged.setdefault(int(numbers[b]), set()).add(int(before[a]))
        for one in sorted(split):
            self._note("split", one, {one, *split[one]})
        for one in sorted(merged):
            self._note("merge", one, {one, *merged[one]})

    def _note(self, kind: Literal["split", "merge"], one: int, parts: Iterable[int]) -> None:
        self.events.append(LinkEvent(kind, self._frame, one, tuple(sorted(set(parts)))))


def track(
    frames: Sequence[Ids], events: Sequence[LinkEvent]
) -> tuple[list[NDArray[np.uint16]], list[Track]]:
    """Number linked cells as the Cell Tracking Challenge wants it.

    There a cell that is split ends, and all its parts are new.

    Parameters
    ----------
    frames : sequence of ndarray of int
        As `Links.add` numbered them.
    events : sequence of LinkEvent

    Returns
    -------
    masks : list of ndarray, uint16
        Numbers from 1 without gaps.
    tracks : list of Track
        Ascending in the number.

    Raises
    ------
    OverflowError
        If there are more cells than 16 bits can count.
    """
    splits = {(event.frame, part): event.one for event in events if event.kind == "split"
              for part in event.parts}  # fmt: skip
    current: dict[int, Track] = {}
    done: list[Track] = []
    masks = []
    count = 0
    for n, frame in enumerate(frames):
        here, index = np.unique(frame, return_inverse=True)
        parents = {int(k): current[splits[n, int(k)]].label for k in here if (n, int(k)) in splits}
        labels = np.zeros(len(here), np.int64)
        going_on: dict[int, Track] = {}
        for j, k in enumerate(map(int, here)):
            if k == 0:
                continue
            if k in parents or k not in current:
                count += 1
                going_on[k] = Track(count, n, n, parents.get(k, 0))
            else:
                old = current[k]
                going_on[k] = Track(old.label, old.begin, n, old.parent)
            labels[j] = going_on[k].label
        kept = {one.label for one in going_on.values()}
        done += [one for one in current.values() if one.label not in kept]
        current = going_on
        if count > np.iinfo(np.uint16).max:
            raise OverflowError("more cells than 16 bits can count")
        masks.append(labels.astype(np.uint16)[index].reshape(frame.shape))
    return masks, sorted([*done, *current.values()], key=lambda one: one.label)
