"""What a correction changed in an image of cells, small enough to keep many, and to take back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Ids = NDArray[np.unsignedinteger]

_STEPS: Final = 50
"""Steps that can always be taken back."""

_BYTES: Final = 256 << 20
"""Beyond so many bytes, only those."""


@dataclass(frozen=True, eq=False)
class Change:
    """The difference between two images of cells, kept within the box that it lies in.

    Attributes
    ----------
    box : tuple of slice
        Part of the image.
    where : ndarray of uint8
        A bit for each pixel of the box: 1 where it changed.
    before, after : ndarray
        Ids of the changed pixels, in their order.
    """

    box: tuple[slice, ...]
    where: NDArray[np.uint8]
    before: Ids
    after: Ids

    @classmethod
    def to(cls, cells: Ids, box: tuple[slice, ...], wanted: Ids) -> Change:
        """Note what has to change for a box of an image to hold what is wanted.

        Parameters
        ----------
        cells : ndarray of uint
            The image; it is not changed.
        box : tuple of slice
            With a start and an end on each axis.
        wanted : ndarray of uint, shape of the box
            Ids.

        Returns
        -------
        Change
        """
        now = cells[box]
        differs = now != wanted
        bits = np.packbits(differs)
        return cls(box, bits, _lean(now[differs]), _lean(wanted[differs].astype(cells.dtype)))

    def __bool__(self) -> bool:
        """Tell whether any pixel changes."""
        return self.before.size > 0

    @property
    def nbytes(self) -> int:
        """Memory that it takes, about."""
        lean = sum(v.itemsize if 0 in v.strides else v.nbytes for v in (self.before, self.after))
        return int(self.where.nbytes + lean)

    def apply(self, cells: Ids) -> None:
        """Make the change in an image."""
        self._put(cells, self.after)

    def revert(self, cells: Ids) -> None:
        """Take the change back."""
        self._put(cells, self.before)

    def _put(self, cells: Ids, ids: Ids) -> None:
        part = cells[self.box]
        part[np.unpackbits(self.where, count=part.size).view(bool).reshape(part.shape)] = ids


@dataclass(frozen=True, eq=False)
class Step:
    """One correction.

    Attributes
    ----------
    what : str
        In words: "split of cell 3".
    place : (int, int)
        Frame and plane that it was made on.
    cells : tuple of int
        Cells that it is about.
    change : Change or None
        What it changed in the frame.
    finished : (frozenset of int, frozenset of int)
        The finished cells before and after.
    gained : int
        Cells more than before; below 0 if there are fewer.
    anew : (ndarray, ndarray) or None
        Where all cells were made anew: those before and those after, (T, Z, Y, X), not copied.
    """

    what: str
    place: tuple[int, int]
    cells: tuple[int, ...]
    change: Change | None
    finished: tuple[frozenset[int], frozenset[int]]
    gained: int = 0
    anew: tuple[Ids, Ids] | None = None


class History:
    """Corrections that were made, and those that were taken back.

    Parameters
    ----------
    steps : int
        So many can be taken back whatever they weigh, if no cells were made anew between them.
    nbytes : int
        More than that are kept only as long as all weigh no more than this.
    """

    def __init__(self, steps: int = _STEPS, nbytes: int = _BYTES) -> None:
        self._steps, self._bytes = steps, nbytes
        self._done: list[Step] = []
        self._undone: list[Step] = []

    @property
    def done(self) -> Sequence[Step]:
        """What can be taken back, the oldest first."""
        return tuple(self._done)

    @property
    def undone(self) -> Sequence[Step]:
        """What can be made again, the next one last."""
        return tuple(self._undone)

    def add(self, step: Step) -> None:
        """Keep a step that was just made; what was taken back before is gone."""
        self._done.append(step)
        self._undone.clear()
        weight = sum(_weight(one) for one in self._done)
        while weight > self._bytes and (
            len(self._done) > self._steps or any(one.anew for one in self._done[:-1])
        ):
            weight -= _weight(self._done.pop(0))

    def back(self) -> Step | None:
        """Move the last step to those taken back, and return it; None if there is none."""
        return _move(self._done, self._undone)

    def forth(self) -> Step | None:
        """The other way."""
        return _move(self._undone, self._done)


def _move(source: list[Step], target: list[Step]) -> Step | None:
    if not source:
        return None
    target.append(source.pop())
    return target[-1]


def _weight(step: Step) -> int:
    change = step.change.nbytes if step.change is not None else 0
    return change if step.anew is None else change + step.anew[0].nbytes


def _lean(ids: Ids) -> Ids:
    """Keep one number for many that are equal."""
    if ids.size and (ids == ids[0]).all():
        return np.broadcast_to(ids[:1].copy(), ids.shape)
    return ids
