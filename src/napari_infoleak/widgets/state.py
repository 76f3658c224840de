"""What the window knows: a plain evented object that is handed to every panel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from psygnal import SignalGroupDescriptor

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.widgets.annotation import Annotation, Count
from napari_infoleak.widgets.layers import identity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from napari.layers import Labels

    from napari_infoleak.explain.review import Review
    from napari_infoleak.widgets.layers import Source

OVERLAYS = ("labels", "membrane", "uncertainty", "cells")


@dataclass(frozen=True, eq=False)
class SupportPair:
    """Another annotated image, whose annotation leaks into the answers.

    Parameters
    ----------
    source : Source
        The image.
    annotation : napari labels layer
        What is painted on it.

    Attributes
    ----------
    digest : int
        What tells its paint, as it is while the pair is made, from other paint.

    Raises
    ------
    BadInput
        If the layer holds numbers that are no classes.
    """

    source: Source
    annotation: Labels
    digest: int = field(init=False)

    def __post_init__(self) -> None:
        """Count what is painted."""
        object.__setattr__(self, "digest", Annotation(self.annotation, self.source).digest)

    def counted(self) -> SupportPair:
        """Return the pair with the paint as it is now."""
        return SupportPair(self.source, self.annotation)


@dataclass(frozen=True)
class Basis:
    """What an answer depends on, besides the pixels: with any other it would be another answer.

    Parameters
    ----------
    paint : int
        Digest of what is painted on the image.
    supports : tuple of (str, int)
        Identities of the annotations of other images, and digests of what is painted in them.
    model : str
        Name or path of the model.
    leak : float
        How much the annotations may say.
    channel : int or None
        Channel of the image.
    """

    paint: int
    supports: tuple[tuple[str, int], ...]
    model: str
    leak: float
    channel: int | None

    @classmethod
    def of(cls, state: DockState) -> Basis:
        """Return what an answer would depend on now."""
        return cls(
            state.count.digest, others(state.supports), state.model, state.leak, state.channel
        )


def others(pairs: Iterable[SupportPair]) -> tuple[tuple[str, int], ...]:
    """Return what an answer depends on of other images."""
    return tuple((str(identity(pair.annotation)), pair.digest) for pair in pairs)


@dataclass(frozen=True, eq=False)
class Answer:
    """What the network last said about the image.

    Parameters
    ----------
    source : Source
        The image.
    class_ids : tuple of int
        Classes in the order of the first axis of `probabilities`.
    probabilities : array or None
        K, then the axes of labels of the image; zero where nothing was asked.
    uncertainty : bool
        Whether the uncertainty was asked for.
    complete : bool
        Whether the whole image was asked about, and not only the visible field.
    model : str
        Name or path of the model that gave it.
    basis : Basis
        What its newest part was given to.
    oldest : Basis
        What the rest was given to; the same where all is of one.
    spread : bool
        Whether labels were spread from frame to frame.
    provenance : mapping
        What made it, for files.
    """

    source: Source
    class_ids: tuple[int, ...]
    probabilities: Any
    uncertainty: bool
    complete: bool
    model: str
    basis: Basis
    oldest: Basis
    spread: bool = False
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class DockState:
    """The state of one dock.

    Every field can be listened to: ``state.events.source.connect(...)``.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    source: Source | None = None
    """The image, with the meaning of its axes; None until one can be used."""
    refusal: str = ""
    """Why the chosen layer cannot be used."""
    channel: int | None = None
    """Channel from 0; None is the first channel, or the mean of the colours."""
    classes: ClassTable = field(default_factory=ClassTable.membrane)
    annotation: Annotation | None = None
    """The annotation layer of the image."""
    count: Count = field(default_factory=Count)
    """What is painted in it."""
    chosen: int = 1
    """The class to paint with."""
    supports: tuple[SupportPair, ...] = ()
    """Other annotated images."""
    model: str = "membrane"
    """Name or path of the model."""
    needs_support: bool = False
    """Whether that model answers only with annotations."""
    leak: float = 1.0
    """How much the annotations may say, 0 to 1."""
    looks: bool = False
    """Whether what the model thinks after each of its looks is shown, too."""
    live: bool = False
    """Whether every stroke is answered at once."""
    live_stack: bool = False
    """Whether the answer then goes on to the whole image."""
    overlays: frozenset[str] = frozenset({"labels", "cells"})
    """Which results are shown."""
    busy: str = ""
    """What is being worked on, in words; empty if nothing is."""
    answer: Answer | None = None
    """The last segmentation of the image."""
    cells: int | None = None
    """Number of cells found; None until they were looked for."""
    cells_of: tuple[Basis, Basis] | None = None
    """What the answer that they were made of was given to: its newest and its oldest part."""
    review: Review | None = None
    """What the strokes and images are worth, as painted now; None until it was asked."""
