"""Where an answer goes: arrays that are given or made, filled box by box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_infoleak.core.errors import BadInput, WriteFailed
from napari_infoleak.infer.uncertainty import entropy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_infoleak.core.region import Region
    from napari_infoleak.infer.tiles import Box


class Writable(Protocol):
    """Anything that takes values by index: a numpy array, a zarr array, a memory map."""

    def __setitem__(self, index: Any, values: Any, /) -> None:
        """Write values at an index."""
        ...


@dataclass(frozen=True)
class Outputs:
    """What is wanted of an answer; whatever is None is not computed.

    Attributes
    ----------
    labels : Writable, shape (T, Z, Y, X), uint8, optional
        Class ids.
    probabilities : Writable, shape (K, T, Z, Y, X), float32, optional
        One plane a class.
    uncertainty : Writable, shape (T, Z, Y, X), float32, optional
        Normalised entropy, 0 sure to 1 unsure.
    """

    labels: Any = None
    probabilities: Any = None
    uncertainty: Any = None

    @classmethod
    def arrays(
        cls,
        shape: tuple[int, ...],
        classes: int,
        *,
        labels: bool = True,
        probabilities: bool = True,
        uncertainty: bool = False,
    ) -> Outputs:
        """Make numpy arrays for what is wanted.

        Parameters
        ----------
        shape : (int, int, int, int)
            Sizes of T, Z, Y, X.
        classes : int
            Number of classes, K.
        labels, probabilities, uncertainty : bool
            What is wanted.

        Returns
        -------
        Outputs
            Arrays of zeros.
        """
        return cls(
            np.zeros(shape, np.uint8) if labels else None,
            np.zeros((classes, *shape), np.float32) if probabilities else None,
            np.zeros(shape, np.float32) if uncertainty else None,
        )

    def check(self, shape: tuple[int, ...], classes: int) -> None:
        """Refuse arrays of another shape than the answer will have.

        Parameters
        ----------
        shape : (int, int, int, int)
            Sizes of T, Z, Y, X of the answer.
        classes : int
            Number of classes, K.

        Raises
        ------
        BadInput
            If an array has another shape.
        """
        wanted = {
            "labels": shape,
            "probabilities": (classes, *shape),
            "uncertainty": shape,
        }
        for name, size in wanted.items():
            given = getattr(getattr(self, name), "shape", size)
            if tuple(given) != tuple(size):
                raise BadInput(
                    f"the output array for {name} has shape {tuple(given)}, but the answer has"
                    f" {tuple(size)}: give an array of that shape"
                )


@dataclass(frozen=True)
class Answer:
    """What a segmenter says about a region of an image, in canonical axes.

    Attributes
    ----------
    labels : array, shape (T, Z, Y, X), uint8, or None
        Class ids.
    probabilities : array, shape (K, T, Z, Y, X), float32, or None
        One plane a class, in the order of ``class_ids``; they sum to 1 over K.
    uncertainty : array, shape (T, Z, Y, X), float32, or None
        Normalised entropy, 0 sure to 1 unsure.
    class_ids : tuple of int
        The ids of the K classes.
    """

    labels: Any
    probabilities: Any
    uncertainty: Any
    class_ids: tuple[int, ...]


@dataclass(frozen=True)
class Piece:
    """A box of one plane with its probabilities.

    Attributes
    ----------
    index : (int, int)
        t and z of the plane in the image.
    box : Box
        Where it lies, in pixels of the plane.
    probabilities : ndarray, shape (K, Y, X), float32
        They sum to 1 over K.
    """

    index: tuple[int, int]
    box: Box
    probabilities: NDArray[np.float32]


class Writer:
    """Writes pieces into the outputs.

    Parameters
    ----------
    out : Outputs
        Arrays that cover the region.
    region : Region
        What part of the image the arrays cover.
    class_ids : tuple of int
        Ids of the classes, in the order of the probabilities.
    """

    def __init__(self, out: Outputs, region: Region, class_ids: tuple[int, ...]) -> None:
        self._out = out
        self._region = region
        self._ids = np.asarray(class_ids, np.uint8)

    def __call__(self, piece: Piece) -> None:
        """Write one piece.

        Raises
        ------
        WriteFailed
            If the array cannot be written to, for the disk is full or locked.
        """
        try:
            self._write(piece)
        except OSError as error:
            raise WriteFailed(
                f"the answer could not be written ({error.strerror or error}): free some space or"
                " choose another place"
            ) from error

    def _write(self, piece: Piece) -> None:
        region = self._region
        place = (
            piece.index[0] - region.t0,
            piece.index[1] - region.z0,
            *piece.box.moved(-region.y0, -region.x0).slices,
        )
        if self._out.labels is not None:
            self._out.labels[place] = self._ids[_best(piece.probabilities)]
        if self._out.probabilities is not None:
            self._out.probabilities[(slice(None), *place)] = piece.probabilities
        if self._out.uncertainty is not None:
            self._out.uncertainty[place] = entropy(piece.probabilities)


def _best(probabilities: NDArray[np.float32]) -> NDArray[Any]:
    """Find the most probable class; of equals the first. Two classes need no argmax."""
    if len(probabilities) == 2:
        return np.asarray(probabilities[1] > probabilities[0], np.uint8)
    return np.asarray(np.argmax(probabilities, axis=0))
