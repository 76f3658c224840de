"""Paint as a session keeps it: the painted planes of an annotation, and differences between two."""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.axes import labels_from_canonical
from napari_infoleak.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

Shape = tuple[int, int, int, int]
_COLUMNS = (8, 8, 1)  # bytes of a run: gap to the run before, length, class id


@dataclass(frozen=True, eq=False)
class Difference:
    """Pixels that changed, and what they held before and after.

    Parameters
    ----------
    where : numpy array, int64
        Places in the flattened (T, Z, Y, X) annotation, ascending.
    before, after : numpy array, uint8
        Class ids.
    """

    where: npt.NDArray[np.int64]
    before: npt.NDArray[np.uint8]
    after: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        """Return the number of pixels."""
        return len(self.where)

    def undone(self) -> Difference:
        """Return the difference that leads back."""
        return Difference(self.where, self.after, self.before)

    def then(self, later: Difference) -> Difference:
        """Return this difference and a later one as a single one."""
        where = np.union1d(self.where, later.where)
        before, after = np.empty((2, len(where)), np.uint8)
        # The later one first: where both changed a pixel, each of them knows one end.
        before[np.searchsorted(where, later.where)] = later.before
        before[np.searchsorted(where, self.where)] = self.before
        after[np.searchsorted(where, self.where)] = self.after
        after[np.searchsorted(where, later.where)] = later.after
        changed = before != after
        return Difference(where[changed], before[changed], after[changed])

    def encode(self) -> str:
        """Return the new values as text: runs of one class, packed and in base 64."""
        if not len(self):
            return ""
        new = np.ones(len(self), bool)
        new[1:] = (np.diff(self.where) != 1) | (np.diff(self.after) != 0)
        first = np.flatnonzero(new)
        lengths = np.diff(np.append(first, len(self)))
        starts = self.where[first]
        gaps = np.diff(starts, prepend=0)
        columns = (gaps.astype("<i8"), lengths.astype("<i8"), self.after[first])
        # Byte by byte across the runs: the high bytes are all zero and take no room.
        parts = (np.frombuffer(c.tobytes(), np.uint8).reshape(len(first), -1).T for c in columns)
        packed = zlib.compress(b"".join(part.tobytes() for part in parts), 3)
        return base64.b64encode(packed).decode("ascii")


class Paint:
    """The annotation of an image, of which only painted planes are held.

    Parameters
    ----------
    shape : tuple of int
        (T, Z, Y, X) of the image.
    """

    def __init__(self, shape: Shape) -> None:
        t, z, y, x = (int(size) for size in shape)
        self.shape: Shape = (t, z, y, x)
        self.planes: dict[tuple[int, int], npt.NDArray[np.uint8]] = {}

    def __bool__(self) -> bool:
        """Tell whether anything is painted."""
        return any(plane.any() for plane in self.planes.values())

    def plane(self, t: int, z: int) -> npt.NDArray[np.uint8]:
        """Return one plane, (Y, X); not to be written to."""
        found = self.planes.get((t, z))
        return np.zeros(self.shape[2:], np.uint8) if found is None else found

    def whole(self, axes: str) -> Any:
        """Return the annotation in the axes of its image, without C."""
        array = np.zeros(self.shape, np.uint8)
        for place, plane in self.planes.items():
            array[place] = plane
        return labels_from_canonical(array, axes)

    def copy(self) -> Paint:
        """Return a paint that does not follow this one."""
        twin = Paint(self.shape)
        twin.planes = {place: plane.copy() for place, plane in self.planes.items()}
        return twin

    def become(self, t: int, z: int, plane: npt.NDArray[Any]) -> Difference:
        """Take over a plane as it is now, and return what changed."""
        now = np.asarray(plane).astype(np.uint8, copy=False)
        known = self.planes.get((t, z))
        if known is None and not now.any():
            return _NONE
        changed = np.flatnonzero(now if known is None else now != known)
        if not len(changed):
            return _NONE
        before = np.zeros(len(changed), np.uint8) if known is None else known.ravel()[changed]
        after = np.ascontiguousarray(now).ravel()[changed]
        self.planes[t, z] = np.array(now, order="C")
        return Difference(changed + self._offset(t, z), before, after)

    def apply(self, difference: Difference) -> None:
        """Change pixels."""
        for (t, z), where, values in self._by_plane(difference.where, difference.after):
            plane = self.planes.setdefault((t, z), np.zeros(self.shape[2:], np.uint8))
            plane.ravel()[where] = values

    def apply_text(self, text: str) -> None:
        """Change pixels as `Difference.encode` wrote it.

        Raises
        ------
        BadInput
            If the text is damaged, or means pixels that are not there.
        """
        where, after = _decode(text, int(np.prod(self.shape, dtype=np.int64)))
        self.apply(Difference(where, after, after))

    def since(self, other: Paint) -> Difference:
        """Return what leads from another paint of the same image to this one."""
        twin, found = other.copy(), []
        for place in sorted({*self.planes, *other.planes}):
            found.append(twin.become(*place, self.plane(*place)))
        return joined(found)

    def places(self, difference: Difference) -> list[tuple[int, int]]:
        """Return the planes (t, z) in which a difference changes anything."""
        return [place for place, _, _ in self._by_plane(difference.where, difference.after)]

    def _offset(self, t: int, z: int) -> int:
        _, depth, rows, columns = self.shape
        return (t * depth + z) * rows * columns

    def _by_plane(
        self, where: npt.NDArray[np.int64], values: npt.NDArray[np.uint8]
    ) -> Iterator[tuple[tuple[int, int], npt.NDArray[np.int64], npt.NDArray[np.uint8]]]:
        """Cut ascending places into planes."""
        _, depth, rows, columns = self.shape
        number, inside = np.divmod(where, rows * columns)
        planes, first = np.unique(number, return_index=True)
        ends = np.append(first, len(where))[1:]
        for plane, start, end in zip(planes, first, ends, strict=True):
            place = divmod(int(plane), depth)
            yield place, inside[start:end], values[start:end]


def joined(differences: list[Difference]) -> Difference:
    """Return differences of planes that follow on each other as one."""
    if not differences:
        return _NONE
    return Difference(
        np.concatenate([each.where for each in differences]),
        np.concatenate([each.before for each in differences]),
        np.concatenate([each.after for each in differences]),
    )


def _decode(text: str, size: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Read runs; whatever a stranger wrote into them, no pixel outside is meant."""
    if not text:
        return _NONE.where, _NONE.after
    width = sum(_COLUMNS)
    try:
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(base64.b64decode(text, validate=True), width * size + 1)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise BadInput("a stroke of the session is damaged") from error
    count, rest = divmod(len(raw), width)
    if not count or rest or unpacker.unconsumed_tail or not unpacker.eof:
        raise BadInput("a stroke of the session is damaged")
    table = np.frombuffer(raw, np.uint8).reshape(width, count).T
    gaps = np.ascontiguousarray(table[:, :8]).view("<i8").ravel()
    lengths = np.ascontiguousarray(table[:, 8:16]).view("<i8").ravel()
    ids = table[:, 16]
    ok = (gaps >= 0) & (gaps < size) & (lengths > 0) & (lengths <= size)
    starts = np.cumsum(gaps)
    ends = starts + lengths
    if not ok.all() or (starts < 0).any() or ends[-1] > size or (starts[1:] < ends[:-1]).any():
        raise BadInput("a stroke of the session lies outside its image")
    steps = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.repeat(starts, lengths) + steps, np.repeat(ids, lengths)


_NONE = Difference(np.zeros(0, np.int64), np.zeros(0, np.uint8), np.zeros(0, np.uint8))
