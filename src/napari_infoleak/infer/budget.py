"""How large a tile may be, and what to do when it was too large."""

from __future__ import annotations

import gc
import math
from typing import TYPE_CHECKING, Any

import torch

from napari_infoleak.infer.free_memory import free_bytes, memory_limit
from napari_infoleak.infer.peak import Peak
from napari_infoleak.infer.slabs import takes_volumes
from napari_infoleak.infer.tiles import up_to

if TYPE_CHECKING:
    from napari_infoleak.segmenters.protocol import Segmenter

LARGEST = 2048  # side of the default tile; a plane up to this size is answered whole
_SAFE = 1024  # a tile of this side is tried unasked, unless the user has set a limit
_SHARE = 0.6  # of the free memory that a tile may take
_SPARE = 1.5  # beside the tensors that are seen: what operations take for themselves, the answer
_PROBE = 128  # side of the tile that memory is measured on
_PLANES = 8  # and how many planes it has, where networks look at volumes
_SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "failed to allocate")


def default_tile(
    segmenter: Segmenter,
    memory: Any,
    size: tuple[int, int],
    device: torch.device,
    depth: int = 1,
) -> int:
    """Choose the tile for what is read of planes.

    Only powers of two below 2048 are chosen, and less than 2048 only when memory is really short:
    the same computer tiles the same plane alike, today and tomorrow.

    Parameters
    ----------
    segmenter : Segmenter
        Segmenter.
    memory : Memory
        What the segmenter made of the support set.
    size : (int, int)
        Height and width in pixels of the planes, or of the part that is read.
    device : torch.device
        Where the segmenter is.
    depth : int
        Planes that are answered at a time.

    Returns
    -------
    int
        Longest side of a tile in pixels.
    """
    tile = LARGEST
    area = min(size[0], tile) * min(size[1], tile) * depth
    free = free_bytes(device)
    if free is None or (area <= _SAFE**2 and memory_limit() is None):
        return tile
    need = bytes_a_pixel(segmenter, memory, device) * _SPARE * depth
    while tile > 256 and need * min(size[0], tile) * min(size[1], tile) > free * _SHARE:
        tile //= 2
    return tile


def bytes_a_pixel(segmenter: Segmenter, memory: Any, device: torch.device) -> float:
    """Measure the memory that an answer takes, on a small empty tile.

    Parameters
    ----------
    segmenter : Segmenter
        Segmenter.
    memory : Memory
        What the segmenter made of the support set.
    device : torch.device
        Where the segmenter is.

    Returns
    -------
    float
        Bytes of all tensors that live at a time, for one pixel of a tile.
    """
    side = up_to(_PROBE, segmenter.spec.multiple_of)
    size = (_PLANES, side, side) if takes_volumes(segmenter) else (side, side)
    empty = torch.zeros(1, segmenter.spec.channels, *size, device=device)
    with torch.inference_mode(), Peak() as peak:
        segmenter.scores(empty, memory)
    return float(peak.bytes / math.prod(size))


def is_out_of_memory(error: BaseException) -> bool:
    """Tell a lack of memory, on any device, from any other error."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)


def release(device: torch.device) -> None:
    """Give back what torch keeps of a failed attempt."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
