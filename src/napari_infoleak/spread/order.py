"""Which frames of a stack are asked when, and what each may look at.

A series is the run of frames along the axis that labels spread on; the other axis of a stack with
five axes makes as many series. What is near an annotated frame comes first: a frame that is d
frames away from the nearest annotated one is answered after all that are nearer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

Axis = Literal["Z", "T"]
Place = tuple[int, int]
"""t and z of a frame."""

ENOUGH = 4096
"""Annotated pixels of a class from which on farther frames have little to add on it."""


@dataclass(frozen=True)
class Series:
    """Frames along one axis.

    Attributes
    ----------
    axis : {"Z", "T"}
    other : int
        Place on the other axis.
    length : int
        Number of frames.
    """

    axis: Axis
    other: int
    length: int

    def place(self, frame: int) -> Place:
        """T and z of a frame."""
        return (frame, self.other) if self.axis == "T" else (self.other, frame)

    @property
    def places(self) -> list[Place]:
        """T and z of all frames."""
        return [self.place(frame) for frame in range(self.length)]


def series_of(label_shape: tuple[int, int, int, int], axis: Axis) -> list[Series]:
    """Cut a stack into series; label_shape is (T, Z, Y, X)."""
    frames, depth = label_shape[:2]
    length, others = (frames, depth) if axis == "T" else (depth, frames)
    return [Series(axis, other, length) for other in range(others)]


@dataclass(frozen=True)
class Turn:
    """A frame and how it is reached.

    Attributes
    ----------
    frame : int
    distance : int
        Frames to the nearest annotated one; 0 if it is annotated itself.
    sides : tuple of int
        From where it is reached: -1 from the frame before it, 1 from the one after; both in the
        middle between two annotated frames, none for an annotated frame.
    """

    frame: int
    distance: int
    sides: tuple[int, ...]


def turns(length: int, annotated: Collection[int]) -> list[Turn]:
    """Frames in the order in which they are asked.

    Parameters
    ----------
    length : int
        Number of frames.
    annotated : collection of int
        At least one.

    Returns
    -------
    list of Turn
        Ascending in the distance; of one distance ascending in the frame.

    Examples
    --------
    >>> [(turn.frame, turn.distance) for turn in turns(4, [1])]
    [(1, 0), (0, 1), (2, 1), (3, 2)]
    """
    found = []
    for frame in range(length):
        distance = min(abs(frame - a) for a in annotated)
        sides = tuple(s for s in (-1, 1) if distance and frame + s * distance in annotated)
        found.append(Turn(frame, distance, sides))
    return sorted(found, key=lambda turn: (turn.distance, turn.frame))


def rounds(turns: Sequence[Turn], most: int) -> list[list[Turn]]:
    """Part turns into rounds of neighbouring distances.

    Parameters
    ----------
    turns : sequence of Turn
        Ascending in the distance.
    most : int
        Rounds, at most.

    Returns
    -------
    list of list of Turn
        About as many distances in each; the annotated frames are in the first.
    """
    distances = max(turn.distance for turn in turns)
    each = -(-distances // most) or 1
    found: list[list[Turn]] = [[] for _ in range(-(-distances // each) or 1)]
    for turn in turns:
        found[max(0, turn.distance - 1) // each].append(turn)
    return found


def looked_at(frame: int, strokes: Mapping[int, Mapping[int, int]]) -> list[int]:
    """Annotated frames that a frame's answer depends on: the nearest, until they say enough.

    Parameters
    ----------
    frame : int
    strokes : mapping of int to mapping of int to int
        Of each annotated frame the labelled pixels by class.

    Returns
    -------
    list of int
        The nearest on each side, and farther ones until each class that is annotated in the series
        has `ENOUGH` pixels; ascending.
    """
    classes = {number for own in strokes.values() for number in own}
    nearest = sorted(strokes, key=lambda a: (abs(a - frame), a))
    before = [a for a in nearest if a <= frame][:1]
    after = [a for a in nearest if a >= frame][:1]
    chosen = {*before, *after}
    held = {k: sum(strokes[a].get(k, 0) for a in chosen) for k in classes}
    for distance in sorted({abs(a - frame) for a in nearest}):
        if all(pixels >= ENOUGH for pixels in held.values()):
            break
        for a in (a for a in nearest if abs(a - frame) == distance and a not in chosen):
            chosen.add(a)
            for number, pixels in strokes[a].items():
                held[number] += pixels
    return sorted(chosen)


def neighbours(frame: int, accepted: Iterable[int], reach: int) -> list[int]:
    """Accepted frames next to a frame, at most `reach` away, ascending."""
    return sorted(other for other in accepted if 0 < abs(other - frame) <= reach)
