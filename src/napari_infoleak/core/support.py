"""The support set: annotated planes, which the segmenter reads when it answers."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_infoleak.core.arraylike import lazy_or_numpy
from napari_infoleak.core.axes import labels_to_canonical
from napari_infoleak.core.classes import LARGEST_ID, ClassTable
from napari_infoleak.core.errors import BadInput, EmptySupportError
from napari_infoleak.core.image import Image, plane_hash

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class SupportPlane:
    """One annotated plane.

    Parameters
    ----------
    image : numpy array, (Y, X), float32
        Raw values, not normalised.
    annotation : numpy array, (Y, X), uint8
        Class ids; 0 is unlabelled.
    weight : float
        How much it counts, above 0.
    permanent : bool
        True for the user's own annotations, False for propagated ones.
    source : str
        Name of the image.
    index : tuple of int
        (t, z) of the plane in that image.
    hash : str
        sha256 over image, annotation, weight and permanence.
    image_hash : str
        sha256 over the image alone, by which it is known again.
    """

    image: npt.NDArray[np.float32]
    annotation: npt.NDArray[np.uint8]
    weight: float
    permanent: bool
    source: str
    index: tuple[int, int]
    hash: str
    image_hash: str

    @cached_property
    def strokes(self) -> dict[int, int]:
        """Number of labelled pixels of each painted class."""
        counts = np.bincount(self.annotation.ravel())
        return {int(i): int(counts[i]) for i in np.flatnonzero(counts) if i != 0}


class SupportSet:
    """Annotated planes and their classes. It never changes: each change makes a successor.

    Parameters
    ----------
    classes : ClassTable or None
        Classes known from the start; it grows with the ids seen. None starts empty.

    Examples
    --------
    >>> import numpy as np
    >>> strokes = np.zeros((8, 8), np.uint8)
    >>> strokes[2, 2:6] = 2
    >>> support = SupportSet().add(np.ones((8, 8)), strokes)
    >>> len(support), support.class_ids, support.version
    (1, (2,), 1)
    """

    def __init__(self, classes: ClassTable | None = None) -> None:
        self._planes: tuple[SupportPlane, ...] = ()
        self._classes = classes or ClassTable()
        self._version = 0

    @property
    def planes(self) -> tuple[SupportPlane, ...]:
        """The annotated planes, in the order they were added."""
        return self._planes

    @property
    def classes(self) -> ClassTable:
        """Names and colours of all classes, painted or not."""
        return self._classes

    @property
    def class_ids(self) -> tuple[int, ...]:
        """Ids that are painted somewhere, ascending."""
        return tuple(sorted(self.strokes()))

    @property
    def version(self) -> int:
        """Number of changes since the empty set."""
        return self._version

    @property
    def hash(self) -> str:
        """sha256 over the planes; the order in which they were added does not matter."""
        digest = hashlib.sha256()
        for one in sorted(plane.hash for plane in self._planes):
            digest.update(bytes.fromhex(one))
        return digest.hexdigest()

    @property
    def image_hashes(self) -> frozenset[str]:
        """Hashes of the annotated image planes, see `plane_hash`; none of them may be scored on."""
        return frozenset(plane.image_hash for plane in self._planes)

    def __len__(self) -> int:
        """Return the number of annotated planes."""
        return len(self._planes)

    def __bool__(self) -> bool:
        """Tell whether anything is annotated."""
        return bool(self._planes)

    def __repr__(self) -> str:
        """Return a short description."""
        return f"SupportSet({len(self)} planes, classes {list(self.class_ids)}, {self.hash[:8]})"

    def strokes(self) -> dict[int, int]:
        """Return the number of labelled pixels of each painted class."""
        total: Counter[int] = Counter()
        for plane in self._planes:
            total.update(plane.strokes)
        return dict(sorted(total.items()))

    def add(
        self,
        image: Image | Any,
        annotation: Any,
        *,
        axes: str | None = None,
        channel: int | None = None,
        weight: float = 1.0,
        permanent: bool = True,
        name: str | None = None,
    ) -> SupportSet:
        """Return a successor that also holds an annotated image.

        Only the planes that hold a label are kept. A plane that is already there with the same
        annotation is not added again. To replace the annotation of an image, call `without` first.

        Parameters
        ----------
        image : Image or array
            The annotated image.
        annotation : integer array
            The image's axes without C; 0 is unlabelled, ids are 1 to 255. Axes T and Z of length 1
            may be left out.
        axes : str or None
            Axes of `image` where it is an array; None guesses.
        channel : int or None
            Channel to look at, see `Image.plane`.
        weight : float
            How much it counts, above 0.
        permanent : bool
            True for the user's own annotations, False for propagated ones.
        name : str or None
            Name under which `without` finds it; None takes the image's.

        Raises
        ------
        EmptySupportError
            If nothing is annotated.
        BadInput
            If the annotation does not fit the image or holds no class ids.
        """
        shown = image if isinstance(image, Image) else Image.from_array(image, axes)
        painted = _canonical_annotation(annotation, shown)
        if not math.isfinite(weight) or weight <= 0:
            raise BadInput(f"weight {weight} is not possible; expected a number above 0")
        known = {plane.hash for plane in self._planes}
        new: list[SupportPlane] = []
        found = False
        for t, z in np.ndindex(*painted.shape[:2]):
            labels = np.asarray(painted[t, z])
            if not labels.any():
                continue
            found = True
            plane = _support_plane(
                shown.plane(t, z, channel),
                _class_ids(labels),
                weight=float(weight),
                permanent=permanent,
                source=shown.name if name is None else name,
                index=(t, z),
            )
            if plane.hash not in known:
                known.add(plane.hash)
                new.append(plane)
        if not found:
            raise EmptySupportError(
                f"the annotation of {name or shown.name} holds no label; paint at least one "
                f"stroke of each class, such as one along a membrane and one inside a cell"
            )
        return self._successor((*self._planes, *new))

    def without(self, source: str) -> SupportSet:
        """Return a successor that has forgotten all planes of an image; its classes stay.

        Parameters
        ----------
        source : str
            Name of the image. A name that is not there changes nothing but the version.
        """
        return self._successor(plane for plane in self._planes if plane.source != source)

    def with_classes(self, classes: ClassTable) -> SupportSet:
        """Return a successor with other names and colours; ids that are painted are kept."""
        successor = self._successor(self._planes)
        successor._classes = classes.with_ids(self.class_ids)
        return successor

    def _successor(self, planes: Iterable[SupportPlane]) -> SupportSet:
        successor = SupportSet(self._classes)
        successor._planes = tuple(planes)
        successor._version = self._version + 1
        successor._classes = self._classes.with_ids(successor.class_ids)
        return successor


def _canonical_annotation(annotation: Any, image: Image) -> Any:
    """Check type and shape of an annotation and bring it to TZYX."""
    annotation = lazy_or_numpy(annotation)
    dtype = np.dtype(annotation.dtype)
    if dtype.kind == "b":
        raise BadInput(
            "the annotation is boolean; expected integer class ids, so multiply it by the id of "
            "its class (2 is membrane in the preset)"
        )
    if dtype.kind not in "iu":
        raise BadInput(
            f"the annotation has the type {dtype}; expected integer class ids, 0 for unlabelled"
        )
    shape = tuple(int(size) for size in annotation.shape)
    axes = image.label_axes
    longer_than_one = "".join(n for n in axes if n in "YX" or image.sizes[n] > 1)
    for letters in (axes, longer_than_one):
        if shape == tuple(image.sizes[letter] for letter in letters):
            return labels_to_canonical(annotation, letters)
    expected = tuple(image.sizes[letter] for letter in axes)
    raise BadInput(
        f"the annotation has the shape {_shown(shape)}, but the image {image.name} has {axes} "
        f"{_shown(expected)}; an annotation has the image's shape without channels"
    )


def _class_ids(labels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high > LARGEST_ID:
        wrong = low if low < 0 else high
        raise BadInput(
            f"the annotation holds the value {wrong}; class ids are 1 to {LARGEST_ID} and 0 is "
            f"unlabelled"
            + ("; is this a map of cell ids instead of classes?" if high > LARGEST_ID else "")
        )
    return labels.astype(np.uint8)


def _support_plane(
    image: npt.NDArray[np.float32],
    annotation: npt.NDArray[np.uint8],
    *,
    weight: float,
    permanent: bool,
    source: str,
    index: tuple[int, int],
) -> SupportPlane:
    image_hash = plane_hash(image)
    settings = f"{image_hash} {weight!r} {permanent}".encode()
    return SupportPlane(
        image=image,
        annotation=annotation,
        weight=weight,
        permanent=permanent,
        source=source,
        index=index,
        hash=plane_hash(annotation, settings),
        image_hash=image_hash,
    )


def _shown(shape: tuple[int, ...]) -> str:
    return " x ".join(str(size) for size in shape)
