"""From membranes to cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_infoleak.api._membranes import Membranes, membranes_of
from napari_infoleak.api._spread import Spread
from napari_infoleak.core.axes import labels_from_canonical, labels_to_canonical
from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.image import calibration
from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress
from napari_infoleak.core.units import in_one_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

Method = Literal["watershed", "multicut"]
METHODS = ("watershed", "multicut")


def cells(
    membranes: Any,
    *,
    axes: str | None = None,
    membrane: int | None = None,
    method: Method = "watershed",
    spacing: Mapping[str, float] | Sequence[float] | None = None,
    dims: int | None = None,
    threshold: float = 0.5,
    border: float | None = None,
    min_size: int | None = None,
    keep_membrane: bool = True,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> NDArray[np.uint32]:
    """Make cells of membranes.

    Parameters
    ----------
    membranes : Result, Image, Membranes, array or path
        Floating-point numbers are probabilities: of being membrane, or of all classes with the
        class axis first. Whole numbers are class ids.
    axes : str, optional
        Axes of the image, where `membranes` are an array; guessed if None.
    membrane : int, optional
        Id of the membrane class; by default the class of that name, else 2.
    method : {"watershed", "multicut"}
        Watershed from seeds between the membranes, or multicut, which closes gaps.
    spacing : mapping of letters, or a number for each axis, optional
        Distance of pixels along Z, Y, X in one unit; by default what the source says.
    dims : {2, 3}, optional
        2 divides each plane by itself, 3 the volume. By default 3 if the spacing is known and
        planes are at most four times as far apart as pixels.
    threshold : float
        From this probability on a pixel is membrane.
    border : float, optional
        Mean probability along the border of two cells from which it holds.
    min_size : int, optional
        Fewest pixels of a cell; by default 50 in planes, 250 in volumes.
    keep_membrane : bool
        Whether membrane pixels stay 0; if not, they are divided among the cells.
    progress, cancel
        Told of each frame, plane or tile; asked between them.

    Returns
    -------
    numpy array, uint32
        Cell ids in the axes of the source without C; 0 between cells. Frames of a time-lapse are
        divided one by one, and no id occurs in two of them.

    Raises
    ------
    BadInput
        If there are no membranes in it, or a setting cannot be used.
    """
    make = _maker(method)
    found = membranes_of(membranes, axes, membrane)
    walls = _walls(found, membrane)
    frames, planes = walls.shape[:2]
    settings = {
        "spacing": _spacing(found, spacing) or None,
        "dims": dims,
        "threshold": threshold,
        "border": border,
        "min_size": min_size,
        "keep_membrane": keep_membrane,
    }
    result = np.zeros(walls.shape, np.uint32)
    highest = 0
    for t in range(frames):
        cancel.check()
        steps = _part(progress, t, frames)
        frame = walls[t] if planes > 1 else walls[t, 0]
        ids = make(frame, **settings, progress=steps, cancel=cancel)
        result[t] = np.where(ids > 0, ids + np.uint32(highest), 0)
        highest += int(ids.max())
    if isinstance(membranes, Spread):  # no cells where no label came
        result[labels_to_canonical(membranes.labels, membranes.axes) == 0] = 0
    back: NDArray[np.uint32] = labels_from_canonical(result, found.axes)
    return back


def _maker(method: str) -> Callable[..., NDArray[np.uint32]]:
    """Find the method."""
    if method not in METHODS:
        raise BadInput(f"method {method!r} is unknown; choose one of {', '.join(METHODS)}")
    if method == "multicut":
        from napari_infoleak.instances.multicut import cells as by_multicut

        return by_multicut
    from napari_infoleak.instances.watershed import cells as by_watershed

    return by_watershed


def _walls(found: Membranes, membrane: int | None) -> Any:
    """Return probabilities as they are; of class ids a mask, over all frames alike."""
    if not found.are_labels:
        return found.data
    from napari_infoleak.instances.membranes import membrane_map

    if np.dtype(found.data.dtype).kind == "b":
        return found.data
    return membrane_map(found.data, found.membrane_id if membrane is None else membrane)


def _spacing(
    found: Membranes, given: Mapping[str, float] | Sequence[float] | None
) -> tuple[float, ...]:
    """Return the distance of pixels along Z, Y, X; empty if it is not known in one unit."""
    letters = "ZYX" if found.data.shape[1] > 1 else "YX"
    sizes = (1.0,) * len(letters) if given is not None else in_one_unit(found.units, letters)
    known = found.scale if given is None else calibration(given, found.axes, "spacing")
    if sizes is None or not all(letter in known for letter in letters):
        return ()
    return tuple(known[letter] * size for letter, size in zip(letters, sizes, strict=True))


def _part(progress: Progress, frame: int, frames: int) -> Progress:
    """Let the steps of one frame count as its share of all frames."""
    if frames == 1:
        return progress

    def step(done: int, total: int, message: str = "") -> None:
        progress(frame * total + done, frames * total, f"frame {frame + 1} of {frames}")

    return step
