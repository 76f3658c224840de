"""Cells by a multicut: for leaky membranes.

The same pieces as for the watershed, but all borders are weighed at once: a border speaks for a
cut by its membrane probability and its length, and the division is sought that agrees best with
all of them (a signed region graph, Andres et al. 2011, doi 10.1109/ICCV.2011.6126550).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress
from napari_infoleak.instances.divide import divide, plan
from napari_infoleak.instances.membranes import membrane_map
from napari_infoleak.instances.usual import HOLDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_infoleak.instances.engine import Engine
    from napari_infoleak.instances.graph import Borders

_SURE: Final = 0.01
"""No border is surer than this, so that one of them cannot outweigh all others."""


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
    """Make cells of membranes by a multicut.

    Parameters
    ----------
    membrane, membrane_ids, spacing, dims, threshold
        As for `napari_infoleak.instances.watershed.cells`.
    border : float, optional
        Mean probability along a border from which it speaks for a cut, between 0 and 1; by
        default as for the watershed. Lower it if cells run together.
    min_size, keep_membrane, tile, engine, progress, cancel
        As for `napari_infoleak.instances.watershed.cells`.

    Returns
    -------
    ndarray of uint32, the same shape
        Cell ids from 1 on without a gap, 0 between cells.

    Raises
    ------
    BadInput
        If the membranes or a setting cannot be used; the message says what to give instead.
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
    if border is not None and not 0 < border < 1:
        raise BadInput(f"border {border} is not between 0 and 1: give a number between them")

    def join(borders: Borders, engine: Engine) -> NDArray[np.uint32]:
        even = HOLDS[settled.dims] if border is None else border
        return engine.cut(borders, costs(borders, even))

    return divide(shown, settled, join, engine=engine, progress=progress, cancel=cancel)


def costs(borders: Borders, even: float) -> NDArray[np.float64]:
    """Weigh borders: above 0 they should stay uncut, below 0 they should be cut.

    Parameters
    ----------
    borders : Borders
        Heights are mean membrane probabilities, 0 to 1.
    even : float
        Probability at which a border speaks neither for nor against a cut.

    Returns
    -------
    ndarray of float64, shape (borders,)
        Log-odds against a cut, times the length of the border.
    """
    height = np.clip(borders.height, _SURE, 1 - _SURE)
    weighed: NDArray[np.float64] = borders.sizes * (_log_odds(even) - _log_odds(height))
    return weighed


def _log_odds(probability: Any) -> Any:
    return np.log(probability) - np.log1p(-probability)
