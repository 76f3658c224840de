"""The one call of this floor: an image, a segmenter and its memory in, an answer out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from napari_infoleak.core.errors import BadInput, OutOfMemory
from napari_infoleak.core.progress import NEVER, NULL
from napari_infoleak.core.region import Region
from napari_infoleak.infer.budget import default_tile
from napari_infoleak.infer.devices import choose_device
from napari_infoleak.infer.interrupt import interruptible
from napari_infoleak.infer.network import Network
from napari_infoleak.infer.outputs import Answer, Outputs, Writer
from napari_infoleak.infer.planes import read_planes, sources
from napari_infoleak.infer.prepare import device_of
from napari_infoleak.infer.slabs import DEPTH, read_slabs, takes_volumes
from napari_infoleak.infer.stages import run
from napari_infoleak.infer.tiles import Box, plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_infoleak.core.image import Image
    from napari_infoleak.core.progress import CancelToken, Progress
    from napari_infoleak.segmenters.protocol import Segmenter

__all__ = ["Answer", "Outputs", "answer"]

_SMALLEST_TILE = 16


def answer(
    image: Image,
    segmenter: Segmenter,
    memory: Any,
    *,
    channel: int | None = None,
    region: Region | None = None,
    device: str | torch.device = "auto",
    tile: int | None = None,
    out: Outputs | None = None,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> Answer:
    """Segment an image, or a region of it, plane by plane.

    Each plane is normalised as a whole and then tiled. For networks with a finite view the answer
    is the same for any tile size and any region, up to rounding; on the CPU the same call gives the
    same bytes.

    Parameters
    ----------
    image : Image
        Canonical TCZYX, lazy or in memory.
    segmenter : Segmenter
        Made ready by `prepare`.
    memory : Memory
        What that very segmenter made of the support set, by ``remember``.
    channel : int, optional
        Channel of the image to look at.
    region : Region, optional
        What to answer; the whole image by default. It is clipped to the image.
    device : str or torch.device
        auto is the device that the segmenter was prepared for.
    tile : int, optional
        Longest side of a tile in pixels. By default planes up to 2048 x 2048 are answered whole,
        and larger ones in such tiles, or smaller ones where memory is short.
    out : Outputs, optional
        What is wanted, and arrays of the region's shape to write it to. By default numpy arrays for
        labels and probabilities are made.
    progress : Progress
        Called in the caller's thread, in units of tiles.
    cancel : CancelToken
        Looked at before every layer of the network.

    Returns
    -------
    Answer
        Arrays that cover the region.

    Raises
    ------
    BadInput
        If device, tile, channel, region or outputs do not fit.
    OutOfMemory
        If even the smallest tile does not fit into memory.
    WriteFailed
        If the outputs cannot be written to.
    Cancelled
        If the token was set; nothing is left running.
    """
    region = (region or Region.whole(image.label_shape)).clip(image.label_shape)
    where = _device(segmenter, device)
    _check(segmenter, tile)
    sources(image, channel, segmenter.spec.channels)
    class_ids = tuple(int(one) for one in memory.class_ids)
    try:
        out = out or Outputs.arrays(region.shape, len(class_ids))
        out.check(region.shape, len(class_ids))
        with torch.inference_mode(), interruptible(segmenter.modules(), cancel):
            reader = read_slabs if takes_volumes(segmenter) else read_planes
            network = _network(image, segmenter, memory, region, tile, where, progress)
            run(
                reader(image, region, channel, segmenter.spec.channels, _step(segmenter)),
                network.answer,
                Writer(out, region, class_ids),
                cancel=cancel,
            )
    except MemoryError as error:
        raise OutOfMemory(
            f"memory ran out beside the network: the answer for {region.shape} pixels (T, Z, Y, X)"
            " does not fit; segment a part of the image, or write to a file"
        ) from error
    return Answer(out.labels, out.probabilities, out.uncertainty, class_ids)


def _network(
    image: Image,
    segmenter: Segmenter,
    memory: Any,
    region: Region,
    tile: int | None,
    device: torch.device,
    progress: Progress,
) -> Network:
    height, width = image.label_shape[2:]
    box = Box(region.y0, region.y1, region.x0, region.x1)
    halo = max(0, segmenter.spec.halo)
    if tile is None:
        depth = min(DEPTH, image.label_shape[1]) if takes_volumes(segmenter) else 1
        read = height, width
        if segmenter.spec.halo >= 0:
            read = min(height, box.shape[0] + 2 * halo), min(width, box.shape[1] + 2 * halo)
        tile = default_tile(segmenter, memory, read, device, depth)
    tiles = len(plan(height, width, tile, halo, _step(segmenter), box))
    planes = region.shape[0] * region.shape[1]
    return Network(
        segmenter,
        memory,
        size=(height, width),
        box=box,
        tile=tile,
        device=device,
        tick=_ticker(progress, planes, tiles, box.area),
        again=planes * tiles == 1,  # what a user looks at, and paints on
    )


def _ticker(progress: Progress, planes: int, tiles: int, area: int) -> Callable[[int], None]:
    """Turn pixels just answered into steps of a progress bar, which are tiles.

    Pixels are what adds up even when tiles are halved on the way.
    """
    done = 0

    def tick(pixels: int) -> None:
        nonlocal done
        done += pixels
        plane = min(planes, done // area + 1)
        progress(done * tiles // area, planes * tiles, f"plane {plane} of {planes}")

    tick(0)
    return tick


def _step(segmenter: Segmenter) -> int:
    return max(1, int(segmenter.spec.multiple_of))


def _device(segmenter: Segmenter, wanted: str | torch.device) -> torch.device:
    """Find the device that the tiles must be sent to."""
    own = device_of(segmenter)
    if own is None or str(wanted) != "auto":
        chosen = choose_device(wanted)
        if own is not None and chosen.type != own.type:
            raise BadInput(
                f"device '{wanted}' was asked for, but the model was prepared for '{own}': prepare"
                f" it for '{wanted}', and make its memory anew"
            )
    return own or chosen


def _check(segmenter: Segmenter, tile: int | None) -> None:
    if tile is not None and tile < _SMALLEST_TILE:
        raise BadInput(
            f"a tile of {tile} pixels was asked for: give {_SMALLEST_TILE} or more, or none to"
            " choose"
        )
