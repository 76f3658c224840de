"""Cells corrected by hand, step by step, with every step to be taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.axes import labels_to_canonical
from napari_infoleak.core.errors import BadInput
from napari_infoleak.instances import division, union
from napari_infoleak.instances.changes import Change, History, Step
from napari_infoleak.instances.curves import trace
from napari_infoleak.instances.lessons import lesson
from napari_infoleak.instances.pick import touched

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_infoleak.instances.changes import Ids
    from napari_infoleak.instances.curves import Points


class Corrections:
    """Corrections of an image of cells, in place.

    A stroke is a list of places, one number for each axis of the cells, in pixels. Strokes that
    divide lie in one plane. Work is done within the cells that are touched, so that a correction
    takes well under a second in large volumes, too. Each step is kept as a small difference and
    can be taken back, at least the last 50.

    Parameters
    ----------
    cells : ndarray of unsigned int
        Cell ids, 0 between cells. The array itself is changed: hand over a copy to keep it.
    axes : str, optional
        Letters of its axes, out of T, Z, Y, X; by default the last ones of TZYX.
    membrane : array of float, optional
        Probability of being membrane, in the same shape; borders follow it where it is there.
        Any array that can be sliced.
    finished : collection of int
        Cells that no correction changes.

    Raises
    ------
    BadInput
        If these are no cells that can be changed, or the membrane is of another shape.

    Examples
    --------
    >>> import numpy as np
    >>> cells = np.ones((20, 30), np.uint32)
    >>> corrections = Corrections(cells)
    >>> corrections.split([(0, 15), (19, 15)]).what
    'split of cell 1'
    >>> np.unique(cells).tolist()
    [1, 2]
    >>> corrections.undo().what, np.unique(cells).tolist()
    ('split of cell 1', [1])
    """

    def __init__(
        self,
        cells: Ids,
        *,
        axes: str | None = None,
        membrane: Any = None,
        finished: Collection[int] = (),
    ) -> None:
        if not isinstance(cells, np.ndarray) or cells.dtype.kind != "u":
            raise BadInput(
                f"cells of {getattr(cells, 'dtype', type(cells).__name__)}: expected a numpy array "
                f"of unsigned whole numbers, 0 between cells; try np.array(cells, np.uint32)"
            )
        if not cells.flags.writeable:
            raise BadInput("these cells cannot be written to: hand over a copy, cells.copy()")
        self.axes = (axes or "TZYX"[-cells.ndim :]).upper()
        self.finished: frozenset[int] = frozenset(int(cell) for cell in finished)
        self._history = History()
        self._use(cells)
        self._membrane: Any = None
        self.follow(membrane)

    @property
    def steps(self) -> Sequence[Step]:
        """The corrections that were made and not taken back, the oldest first."""
        return self._history.done

    @property
    def corrected(self) -> Sequence[Step]:
        """Those of them that were made on the cells as they were made last."""
        anew = [number for number, step in enumerate(self.steps, 1) if step.anew is not None]
        return self.steps[max(anew, default=0) :]

    @property
    def undone(self) -> Sequence[Step]:
        """The corrections that were taken back, the next one to be made again last."""
        return self._history.undone

    def follow(self, membrane: Any) -> None:
        """Let new borders follow another membrane probability from now on; None is none.

        Raises
        ------
        BadInput
            If it is of another shape than the cells.
        """
        shape = None if membrane is None else tuple(getattr(membrane, "shape", ()))
        if shape is not None and shape != self.cells.shape:
            raise BadInput(
                f"a membrane of shape {shape} for cells of {self.cells.shape}: expected an array "
                f"of the same shape"
            )
        self._membrane = None if membrane is None else labels_to_canonical(membrane, self.axes)

    def split(self, stroke: ArrayLike) -> Step:
        """Divide the cell that a stroke crosses, along the stroke.

        The stroke goes on straight for at most its own length to reach the edges of the cell, and
        the border moves onto a membrane within three pixels. In a volume the other planes of the
        cell are divided below and above.

        Raises
        ------
        BadInput
            If it does not cut a cell in two; nothing is changed then.
        """
        t, points = self._placed(stroke)
        found = division.split(self._frames[t], points, **self._with(t))
        return self._divided(f"split of cell {found.cell}", t, points, found)

    def split_by_seeds(self, one: ArrayLike, other: ArrayLike) -> Step:
        """Divide a cell between two strokes within it, where the membrane or a neck is.

        Raises
        ------
        BadInput
            If both do not lie in one cell; nothing is changed then.
        """
        (t, points), (also, others) = self._placed(one), self._placed(other)
        if also != t:
            raise BadInput(f"the seeds lie in frames {t} and {also}: paint both in one frame")
        found = division.split_by_seeds(self._frames[t], points, others, **self._with(t))
        return self._divided(f"split of cell {found.cell}", t, others, found)

    def close_gap(self, stroke: ArrayLike) -> Step:
        """Close a gap in a membrane between the ends of a short stroke.

        The line follows the membrane probability along the cheapest way.

        Raises
        ------
        BadInput
            If there is no gap between its ends; nothing is changed then.
        """
        t, points = self._placed(stroke)
        found = division.close_gap(self._frames[t], points, **self._with(t))
        what = "split of" if len(found.parts) > 1 else "line in"
        return self._divided(f"gap closed: {what} cell {found.cell}", t, points, found)

    def merge(self, stroke: ArrayLike) -> Step:
        """Make one cell of all that a stroke touches; the lowest number stays.

        Raises
        ------
        BadInput
            If it touches fewer than two unfinished cells; nothing is changed then.
        """
        t, points = self._placed(stroke)
        ids, change = union.merge(self._frames[t], points, finished=self.finished)
        what = f"merge of {len(ids)} cells"
        return self._made(what, t, points, ids, change, gained=1 - len(ids))

    def delete(self, stroke: ArrayLike) -> Step:
        """Take away the cells that a stroke touches, all of each.

        Raises
        ------
        BadInput
            If it touches no unfinished cell; nothing is changed then.
        """
        t, points = self._placed(stroke)
        ids = self._touched(t, points, "delete")
        change = union.remove(self._frames[t], ids)
        return self._made(f"removal of {_cells(ids)}", t, points, ids, change, gained=-len(ids))

    def paint(self, pixels: ArrayLike, cell: int | None = None) -> Step:
        """Give pixels to a cell; those of finished cells stay.

        Parameters
        ----------
        pixels : array, shape (pixels, axes)
            Places, in the axes of the cells.
        cell : int, optional
            The cell; 0 erases, None makes a new cell.

        Raises
        ------
        BadInput
            If the cell is finished, its number is none, or no pixel lies in the image; nothing is
            changed then.
        """
        t, points = self._placed(pixels, line=False)
        number = self._first_free() if cell is None else int(cell)
        if number in self.finished:
            raise BadInput(f"cell {number} is finished: take that back first to change it")
        frame = self._frames[t]
        ids = tuple(touched(frame, points))
        change = union.paint(frame, points, number, finished=self.finished)
        what = f"paint of cell {number}" if number else "erasure"
        concerned = tuple(dict.fromkeys((number, *ids) if number else ids))
        born = bool(change) and number > 0 and not (frame == number).any()
        gone = sum(_all_of(frame, one, change) for one in ids if one != number)
        return self._made(what, t, points, concerned, change, gained=born - gone)

    def finish(self, stroke: ArrayLike) -> Step:
        """Mark the cells that a stroke touches as finished, or as not if all of them are.

        Raises
        ------
        BadInput
            If it touches no cell.
        """
        t, points = self._placed(stroke)
        ids = tuple(touched(self._frames[t], points))
        if not ids:
            raise BadInput("the stroke touches no cell: draw it over the cells that are finished")
        after = self.finished ^ frozenset(ids)
        if not self.finished.issuperset(ids):
            after = self.finished | frozenset(ids)
        what = "finished" if after > self.finished else "not finished"
        return self._made(f"{_cells(ids)} {what}", t, points, ids, None, after)

    def replace(self, cells: Ids, gained: int = 0) -> Step:
        """Go on with cells that were made anew; taking the step back brings the old ones back.

        Parameters
        ----------
        cells : ndarray of unsigned int, the same shape
            They are changed in place from now on; `cells` is this array then.
        gained : int
            How many more there are.

        Raises
        ------
        BadInput
            If they are of another shape, or cannot be written to.
        """
        if cells.shape != self.cells.shape or cells.dtype.kind != "u" or not cells.flags.writeable:
            raise BadInput(
                f"cells of shape {cells.shape} and type {cells.dtype} in place of "
                f"{self.cells.shape}: expected unsigned numbers of the same shape, writeable"
            )
        kept = self.finished, self.finished
        step = Step("cells made anew", (0, 0), (), None, kept, gained, (self.cells, cells))
        self._history.add(step)
        self._use(cells)
        return step

    def undo(self) -> Step | None:
        """Take the last step back, and return it; None if there is none."""
        step = self._history.back()
        if step is not None:
            if step.anew is not None:
                self._use(step.anew[0])
            if step.change is not None:
                step.change.revert(self._frames[step.place[0]])
            self.finished = step.finished[0]
        return step

    def redo(self) -> Step | None:
        """Make a step again that was taken back, and return it; None if there is none."""
        step = self._history.forth()
        if step is not None:
            if step.anew is not None:
                self._use(step.anew[1])
            if step.change is not None:
                step.change.apply(self._frames[step.place[0]])
            self.finished = step.finished[1]
        return step

    def lessons(self) -> dict[tuple[int, int], NDArray[np.uint8]]:
        """Return what the corrections say about the planes that they were made on.

        Returns
        -------
        dict of (t, z) to ndarray of uint8, shape (Y, X)
            1 well inside each corrected cell, 2 on the borders between cells that were corrected
            together and around finished ones, 0 elsewhere.
        """
        planes: dict[tuple[int, int], NDArray[np.uint8]] = {}
        for step in self.corrected:
            t, z = step.place
            taught = lesson(self._frames[t, z], step.cells, self.finished)
            if taught.any():
                said = planes.setdefault(step.place, np.zeros_like(taught))
                np.maximum(said, taught, out=said)
        return planes

    # ------------------------------------------------------------------------------ steps

    def _use(self, cells: Ids) -> None:
        """Correct these cells from now on."""
        self.cells = cells
        self._frames = labels_to_canonical(cells, self.axes)
        self._first: int | None = None  # known once it is needed: it takes a look at all pixels

    def _first_free(self) -> int:
        """Return the lowest number that no cell has had."""
        if self._first is None:
            self._first = int(self.cells.max(initial=0)) + 1
        return self._first

    def _placed(self, stroke: ArrayLike, *, line: bool = True) -> tuple[int, Points]:
        """Return the frame and the pixels of a stroke, (Z, Y, X) each."""
        try:
            given = np.asarray(stroke, float)
        except (TypeError, ValueError) as error:
            raise BadInput(f"a stroke is a list of places, each of numbers: {error}") from error
        if given.ndim != 2 or given.shape[1] != self.cells.ndim or not len(given):
            raise BadInput(
                f"a stroke of shape {given.shape}: expected at least one place, and for each a "
                f"number along {', '.join(self.axes)}"
            )
        places = np.zeros((len(given), 4))
        places[:, ["TZYX".index(letter) for letter in self.axes]] = given
        if line and len(np.unique(np.rint(places[:, :2]), axis=0)) > 1:
            raise BadInput("the stroke lies in several planes: draw it in one")
        shape = self._frames.shape
        if line:
            pixels = trace(places, shape)
        else:
            whole = np.rint(places).astype(np.int64)
            pixels = whole[((whole >= 0) & (whole < shape)).all(1)]
        if not len(pixels):
            raise BadInput("the stroke lies beside the image")
        t = int(pixels[0, 0])
        if (pixels[:, 0] != t).any():
            raise BadInput("the pixels lie in several frames: paint one frame after the other")
        return t, pixels[:, 1:]

    def _with(self, t: int) -> dict[str, Any]:
        membrane = None if self._membrane is None else self._membrane[t]
        return {"membrane": membrane, "finished": self.finished, "first": self._first_free()}

    def _touched(self, t: int, points: Points, verb: str) -> tuple[int, ...]:
        found = tuple(touched(self._frames[t], points))
        free = tuple(cell for cell in found if cell not in self.finished)
        if not free:
            why = "only finished cells" if found else "no cell"
            raise BadInput(f"the stroke touches {why}: draw it over the cells to {verb}")
        return free

    def _divided(self, what: str, t: int, points: Points, found: division.Division) -> Step:
        gained = len(found.parts) - 1
        return self._made(what, t, points, found.parts, found.change, gained=gained)

    def _made(
        self,
        what: str,
        t: int,
        points: Points,
        ids: tuple[int, ...],
        change: Change | None,
        finished: frozenset[int] | None = None,
        gained: int = 0,
    ) -> Step:
        """Make a change and remember it."""
        after = self.finished if finished is None else finished
        highest = max(ids, default=0)
        place = t, int(points[0, 0])
        step = Step(what, place, ids, change, (self.finished, after), gained)
        if change is not None:
            change.apply(self._frames[t])
        if change or after != self.finished:
            self._history.add(step)
        self.finished = after
        if self._first is not None:
            self._first = max(self._first, highest + 1)
        return step


def _cells(ids: Sequence[int]) -> str:
    return f"cell {ids[0]}" if len(ids) == 1 else f"{len(ids)} cells"


def _all_of(frame: Ids, cell: int, change: Change) -> bool:
    """Tell whether a change takes the last pixel of a cell."""
    return int((frame == cell).sum()) == int((change.before == cell).sum())
