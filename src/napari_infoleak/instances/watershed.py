"""Cells by a seeded watershed: the default.

Every deepest place between membranes is a seed; seeds between which the membrane is on average
too faint to be one are taken together, so a noisy map is not shattered and a gap does not open a
membrane that holds elsewhere. From the seeds the cells grow until they meet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress
from napari_infoleak.instances.divide import divide, plan
from napari_infoleak.instances.membranes import membrane_map
from napari_infoleak.instances.usual import HOLDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_infoleak.instances.engine import Engine
    from napari_infoleak.instances.graph import Borders


def cells(
    membrane: Any,
    *,
    membrane_ids: Sequence[int] | int | None = None,
    spacing: Sequence[float] | None = None,
    dims: int | None = None,
    threshold: float = 0.5,
    border: float | None = None,
    min_size: int | None = None,
    keep_membrane: bool = True,
    tile: int | Sequence[int] | None = None,
    engine: Engine | None = None,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> NDArray[np.uint32]:
    """Make cells of membranes by a seeded watershed.

    Parameters
    ----------
    membrane : array, shape (Y, X) or (Z, Y, X)
        Probability of being membrane, 0 to 1, or a mask; or class ids, with `membrane_ids`.
        Numpy, or anything that can be sliced; large images are read tile by tile.
    membrane_ids : int or sequence of int, optional
        The classes that are membrane, where `membrane` holds class ids. Id 0, unlabelled, is
        then counted as membrane, too: nobody said that a cell is there.
    spacing : sequence of float, optional
        Distance of pixels along each axis, in any unit. Without it pixels are taken as cubes,
        and planes are divided one by one.
    dims : {2, 3}, optional
        2 divides each plane by itself, 3 the volume. By default 3 if planes are at most four
        times as far apart as pixels, and the spacing is known. In a time-lapse give one frame
        at a time.
    threshold : float
        From this probability on a pixel is membrane.
    border : float, optional
        Mean probability along the border of two cells from which it holds; by default 0.3 in
        planes and 0.35 in volumes. Lower it if cells run together, raise it if they are
        shattered.
    min_size : int, optional
        Fewest pixels of a cell; by default 50 in planes, 250 in volumes. Smaller ones are given
        to the neighbour behind the weakest border, or are noise within a membrane.
    keep_membrane : bool
        Whether membrane pixels stay 0. If not, they are divided among the cells.
    tile : int or sequence of int, optional
        Size of tiles; by default an image is cut into tiles beyond 33 million pixels.
    engine : Engine, optional
        Who does the costly steps; by default bioimage-cpp where it is installed.
    progress, cancel
        Told of each plane or tile; asked at each.

    Returns
    -------
    ndarray of uint32, the same shape
        Cell ids from 1 on without a gap, 0 between cells; no id on two planes where planes are
        divided one by one. The same input gives the same cells, always.

    Raises
    ------
    BadInput
        If the membranes or a setting cannot be used; the message says what to give instead.

    Examples
    --------
    >>> import numpy as np
    >>> membrane = np.zeros((40, 61), np.float32)
    >>> membrane[:, 29:32] = 0.9
    >>> int(cells(membrane).max())
    2
    """
    shown = membrane_map(membrane, membrane_ids)
    settled = plan(
        shown.shape,
        spacing=spacing,
        dims=dims,
        threshold=threshold,
        min_size=min_size,
        keep_membrane=keep_membrane,
        tile=tile,
    )
    if border is not None and not 0 <= border <= 1:
        raise BadInput(f"border {border} is not a probability: give 0 to 1, or leave it out")

    def join(borders: Borders, engine: Engine) -> NDArray[np.uint32]:
        holds = HOLDS[settled.dims] if border is None else border
        return engine.merge(borders, holds)

    return divide(shown, settled, join, engine=engine, progress=progress, cancel=cancel)
