"""What is to be written: checked, canonical, and handed out plane by plane."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_infoleak.core.axes import CANONICAL, parse_axes, to_canonical
from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

    from napari_infoleak.core.classes import ClassTable

Kind = Literal["labels", "probabilities", "cells", "uncertainty", "image"]


@dataclass(frozen=True, eq=False)
class Output:
    """An array on its way into a file.

    Parameters
    ----------
    data : numpy or dask array, TCZYX
        For probabilities, C is the class axis K.
    axes : str
        Letters in the order the caller has them, C for K.
    dtype : numpy dtype
        Type in the file.
    kind : str
        What the values mean.
    scale, translate, units : mapping
        By letter out of T, Z, Y, X.
    channel_names : tuple of str
        Names along C, or empty.
    classes : ClassTable or None
        Names and colours of the ids.
    record : dict
        What this program notes in the file.
    progress, cancel
        Told of each plane; asked before each.
    """

    data: Any
    axes: str
    dtype: np.dtype[Any]
    kind: Kind
    scale: Mapping[str, float] = field(default_factory=dict)
    translate: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    channel_names: tuple[str, ...] = ()
    classes: ClassTable | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    progress: Progress = NULL
    cancel: CancelToken = NEVER

    @property
    def sizes(self) -> dict[str, int]:
        """Length of each of T, C, Z, Y, X."""
        return dict(zip(CANONICAL, map(int, self.data.shape), strict=True))

    @property
    def has_classes(self) -> bool:
        """Whether there is a class axis."""
        return self.kind == "probabilities"

    @property
    def nbytes(self) -> int:
        """Size of the pixels in the file, before compression."""
        return int(np.prod(self.data.shape, dtype=np.int64)) * self.dtype.itemsize

    @property
    def shown_shape(self) -> str:
        """Axes and shape for messages, such as ``ZYX 3 x 64 x 64``."""
        shape = " x ".join(str(size) for size in self.shape_in(self.axes))
        return f"{self.axes.replace('C', 'K') if self.has_classes else self.axes} {shape}"

    def noting(self, noted: Mapping[str, Any]) -> Output:
        """Return the same output with another record."""
        return replace(self, record=noted)

    def shape_in(self, axes: str) -> tuple[int, ...]:
        """Return the shape in these axes."""
        return tuple(self.sizes[letter] for letter in axes)

    def ordered(self, order: str) -> str:
        """Return our axes in another order, such as TZCYX; Y and X come last in files."""
        return "".join(letter for letter in order if letter in self.axes)

    def canonical_view(self, array: Any) -> Any:
        """Return a TCZYX view of an array that has our axes, to write into."""
        return to_canonical(array, self.axes)

    def places(self, axes: str = CANONICAL) -> Iterator[tuple[int, int, int]]:
        """Go through (t, c, z) of all planes, the last of `axes` fastest.

        Parameters
        ----------
        axes : str
            Order of the planes in the file; letters that are missing have length 1.
        """
        leading = [letter for letter in axes if letter not in "YX"]
        for position in np.ndindex(*(self.sizes[letter] for letter in leading)):
            at = dict(zip(leading, position, strict=True))
            yield at.get("T", 0), at.get("C", 0), at.get("Z", 0)

    def planes(self, axes: str = CANONICAL) -> Iterator[npt.NDArray[Any]]:
        """Hand out all planes (Y, X) in the type of the file, in the order of `places`."""
        total = int(np.prod(self.data.shape[:3], dtype=np.int64))
        for done, place in enumerate(self.places(axes)):
            self.cancel.check()
            yield self._converted(np.asarray(self.data[place]))
            self.progress(done + 1, total, "writing")

    def _converted(self, plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a plane in the file's type, refusing ids that it cannot hold."""
        if plane.dtype != self.dtype and self.dtype.kind == "u" and plane.dtype.kind in "iu":
            low, high = int(plane.min()), int(plane.max())
            if low < 0 or high > np.iinfo(self.dtype).max:
                raise BadInput(
                    f"{self.kind} hold the value {low if low < 0 else high}; expected 0 to "
                    f"{np.iinfo(self.dtype).max}"
                    + ("; write cells with kind='cells'" if self.kind == "labels" else "")
                )
        return np.ascontiguousarray(plane, dtype=self.dtype)


def checked_axes(array: Any, axes: str, kind: Kind) -> str:
    """Return the letters of an array to be written, C for the class axis K.

    Parameters
    ----------
    array : numpy or dask array
        Labels and the like have the image's axes without C, probabilities K in front.
    axes : str
        The image's axes, or the array's own (with K).
    kind : str
        What the array holds.

    Raises
    ------
    BadInput
        If axes and array do not fit.
    """
    letters = str(axes).strip().upper()
    if kind == "image":
        return parse_axes(letters, tuple(array.shape))
    letters = letters.removeprefix("K").replace("C", "").replace("S", "")
    expected = len(letters) + (kind == "probabilities")
    if array.ndim != expected:
        extra = "the class axis K, then " if kind == "probabilities" else ""
        raise BadInput(
            f"{kind} have {array.ndim} dimensions {tuple(array.shape)}; expected {expected}: "
            f"{extra}{letters}"
        )
    if kind == "probabilities":
        letters = "C" + letters
    return parse_axes(letters, tuple(array.shape))
