"""Who can be asked: segmenters that look places up in a memory of annotated ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_infoleak.core.errors import BadInput
from napari_infoleak.segmenters.protocol import LooksUp

if TYPE_CHECKING:
    from napari_infoleak.core.support import SupportPlane, SupportSet
    from napari_infoleak.segmenters.protocol import Segmenter


def looking_up(segmenter: Segmenter) -> LooksUp:
    """Return a segmenter that keeps a memory.

    Raises
    ------
    BadInput
        If this one answers from its weights alone.
    """
    if isinstance(segmenter, LooksUp):
        return segmenter
    raise BadInput(
        f"a model of the method {segmenter.spec.name} answers from its weights alone and looks no "
        f"annotation up: choose the model membrane, or another of annotation-leakage"
    )


def in_order(support: SupportSet) -> list[SupportPlane]:
    """Planes of a support set in the order in which a memory counts them."""
    return sorted(support.planes, key=lambda plane: plane.hash)
