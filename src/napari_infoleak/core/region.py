"""A box of whole pixels over T, Z, Y, X: the part of an image that is asked about."""

from __future__ import annotations

from dataclasses import dataclass

from napari_infoleak.core.errors import BadInput


@dataclass(frozen=True)
class Region:
    """Bounds over T, Z, Y, X in pixels; starts are inside, ends are outside.

    Parameters
    ----------
    t0, t1, z0, z1, y0, y1, x0, x1 : int
        Start and end along each axis, ``0 <= start < end``.

    Raises
    ------
    BadInput
        If a start is negative or an end does not lie behind its start.

    Examples
    --------
    >>> Region.whole((1, 3, 64, 64)).shape
    (1, 3, 64, 64)
    """

    t0: int
    t1: int
    z0: int
    z1: int
    y0: int
    y1: int
    x0: int
    x1: int

    def __post_init__(self) -> None:
        """Check the bounds."""
        for letter, (start, end) in zip("TZYX", self.bounds, strict=True):
            if start < 0 or end <= start:
                raise BadInput(
                    f"region {letter} {start}:{end} is empty or negative; expected 0 <= start < "
                    f"end inside the image"
                )

    @classmethod
    def whole(cls, label_shape: tuple[int, int, int, int]) -> Region:
        """Return the region of all pixels of an image with this (T, Z, Y, X) shape."""
        t, z, y, x = label_shape
        return cls(0, t, 0, z, 0, y, 0, x)

    @classmethod
    def from_slices(
        cls,
        label_shape: tuple[int, int, int, int],
        *,
        t: slice | int | None = None,
        z: slice | int | None = None,
        y: slice | int | None = None,
        x: slice | int | None = None,
    ) -> Region:
        """Make a region from slices, as in numpy, clipped to an image.

        Parameters
        ----------
        label_shape : tuple of int
            (T, Z, Y, X) of the image.
        t, z, y, x : slice, int or None
            Part along each axis; None is all of it, an integer one position. Steps are refused.

        Raises
        ------
        BadInput
            If nothing of the image is left, or a slice has a step.
        """
        bounds: list[int] = []
        for letter, part, size in zip("TZYX", (t, z, y, x), label_shape, strict=True):
            bounds.extend(_bounds(letter, part, size))
        return cls(*bounds)

    @property
    def bounds(self) -> tuple[tuple[int, int], ...]:
        """Pairs (start, end) along T, Z, Y, X."""
        return (
            (self.t0, self.t1),
            (self.z0, self.z1),
            (self.y0, self.y1),
            (self.x0, self.x1),
        )

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Size along T, Z, Y, X in pixels."""
        return (self.t1 - self.t0, self.z1 - self.z0, self.y1 - self.y0, self.x1 - self.x0)

    @property
    def slices(self) -> tuple[slice, slice, slice, slice]:
        """Slices that cut the region out of a TZYX array."""
        return (
            slice(self.t0, self.t1),
            slice(self.z0, self.z1),
            slice(self.y0, self.y1),
            slice(self.x0, self.x1),
        )

    @property
    def planes(self) -> list[tuple[int, int]]:
        """All (t, z) of the region, in order."""
        return [(t, z) for t in range(self.t0, self.t1) for z in range(self.z0, self.z1)]

    def clip(self, label_shape: tuple[int, int, int, int]) -> Region:
        """Return the part of the region that lies inside an image.

        Raises
        ------
        BadInput
            If nothing of the region lies inside.
        """
        bounds: list[int] = []
        for letter, (start, end), size in zip("TZYX", self.bounds, label_shape, strict=True):
            if start >= size:
                raise BadInput(
                    f"region {letter} {start}:{end} lies outside an image with {size} of it; "
                    f"choose a part between 0 and {size}"
                )
            bounds.extend((start, min(end, size)))
        return Region(*bounds)


def _bounds(letter: str, part: slice | int | None, size: int) -> tuple[int, int]:
    if part is None:
        return 0, size
    if not isinstance(part, slice):
        position = int(part) + size if part < 0 else int(part)
        if not 0 <= position < size:
            raise BadInput(f"region {letter} {part} lies outside an image with {size} of it")
        return position, position + 1
    start, end, step = part.indices(size)
    if step != 1:
        raise BadInput(f"region {letter} has a step of {step}; only steps of 1 are possible")
    if end <= start:
        raise BadInput(
            f"region {letter} {part.start}:{part.stop} holds nothing of an image with {size} of "
            f"it; choose a part between 0 and {size}"
        )
    return start, end
