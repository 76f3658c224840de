"""What explanations are: plain values, known to those who show them without any network."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DoubtfulPlace:
    """A place worth painting.

    Attributes
    ----------
    t, z, y, x : int
    class_ids : tuple of int
        All classes, the likeliest first: the question is which of the first two it is.
    probabilities : tuple of float
        In that order.
    doubt : float
        Of the answer there, 0 sure to 1 unsure.
    gain : float
        Pixels' worth of doubt that a stroke there is expected to settle, in what was looked at.
    """

    t: int
    z: int
    y: int
    x: int
    class_ids: tuple[int, ...]
    probabilities: tuple[float, ...]
    doubt: float
    gain: float


@dataclass(frozen=True)
class LeakedPatch:
    """An annotated place that leaked into an answer.

    Attributes
    ----------
    source : str
        Name of the annotated image.
    t, z, y, x : int
        The pixel of that image whose paint was read.
    class_id : int
        The class it is painted with.
    weight : float
        Its share, with that of its surroundings, of all that was read from annotations: 0 to 1.
    likeness : float
        How much it looks, to the network, like the place asked about: -1 to 1.
    """

    source: str
    t: int
    z: int
    y: int
    x: int
    class_id: int
    weight: float
    likeness: float


@dataclass(frozen=True)
class Why:
    """Where the answer for a pixel comes from.

    Attributes
    ----------
    class_ids : tuple of int
        Ids of the K classes, in the order of what follows.
    probabilities : tuple of float
        The answer.
    alone : tuple of float
        What it would be with a leak of 0.
    read : tuple of float
        Share of each class in what was read from annotations; all 0 if nothing was.
    patches : tuple of LeakedPatch
        Strongest first.
    """

    class_ids: tuple[int, ...]
    probabilities: tuple[float, ...]
    alone: tuple[float, ...]
    read: tuple[float, ...]
    patches: tuple[LeakedPatch, ...]
