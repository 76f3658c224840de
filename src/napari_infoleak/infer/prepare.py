"""A copy of a segmenter, made ready to answer fast on its device."""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.normalise import normalise
from napari_infoleak.core.support import SupportSet
from napari_infoleak.infer.devices import choose_device
from napari_infoleak.infer.fold import fold
from napari_infoleak.infer.slabs import takes_volumes
from napari_infoleak.infer.tiles import up_to

if TYPE_CHECKING:
    from torch import Tensor, nn

    from napari_infoleak.segmenters.protocol import Segmenter

_LOG = logging.getLogger(__name__)

AnySegmenter = TypeVar("AnySegmenter", bound="Segmenter")


def prepare(segmenter: AnySegmenter, device: str | torch.device = "auto") -> AnySegmenter:
    """Copy a segmenter and make the copy ready for a device.

    The copy is in evaluation mode, its batch norms are folded into its convolutions, and its
    convolutions are laid out channels last. It must make the memory as well as the answers, so that
    keys and queries come from the same numbers. Folding is checked on a small made-up image, and
    dropped if the scores differ by more than rounding.

    Parameters
    ----------
    segmenter : Segmenter
        Left as it is.
    device : str or torch.device
        auto, cpu, cuda or mps.

    Returns
    -------
    Segmenter
        A copy on that device.

    Raises
    ------
    BadInput
        If this computer lacks the device.
    """
    where = choose_device(device)
    plain = _evaluating(copy.deepcopy(segmenter))
    folded = copy.deepcopy(plain)
    pairs = fold(folded.modules())
    ready = plain
    if pairs and _agree(plain, folded):
        ready = folded
    elif pairs:
        _LOG.warning("batch norms of %s are not folded: scores differ", plain.spec.name)
    for module in ready.modules():
        module.to(where)
        channels_last(module)
    return ready


def device_of(segmenter: Segmenter) -> torch.device | None:
    """Tell where a segmenter's weights lie; None if it has none."""
    for module in segmenter.modules():
        for tensor in (*module.parameters(), *module.buffers()):
            return tensor.device
    return None


def channels_last(module: nn.Module) -> None:
    """Lay the weights of 2-D convolutions out in memory as CPUs and GPUs like them best."""
    for parameter in module.parameters():
        if parameter.dim() == 4:
            parameter.data = _channels_last(parameter.data)


def _channels_last(weight: Tensor) -> Tensor:
    """Lay a weight out anew, with strides that say so.

    `contiguous` leaves one with a single input channel as it is, for it is laid out both ways at
    once; torch then takes the wrong one for the network's first convolution, and is slower.
    """
    _, channels, rows, columns = weight.shape
    strides = (rows * columns * channels, 1, columns * channels, channels)
    return torch.empty_strided(
        weight.shape, strides, dtype=weight.dtype, device=weight.device
    ).copy_(weight)


def _evaluating(segmenter: AnySegmenter) -> AnySegmenter:
    for module in segmenter.modules():
        module.eval()
        module.requires_grad_(False)
    return segmenter


def _agree(plain: Segmenter, folded: Segmenter) -> bool:
    """Compare the scores of two versions of a segmenter on a made-up image."""
    try:
        # Of copies, so that a segmenter that keeps what it has encoded keeps nothing of this.
        first, second = (_probe(copy.deepcopy(one)) for one in (plain, folded))
    except BadInput:  # it cannot be asked about this image: do not fold what cannot be checked
        return False
    if first.shape != second.shape:
        return False
    difference = (first - second).abs().flatten()
    limit = 1e-3 * max(1.0, float(first.abs().max()))
    # A read-out may take another of two equally near neighbours here and there; no more than that.
    return float((difference <= limit).float().mean()) >= 0.99


def _probe(segmenter: Segmenter) -> Tensor:
    """Give a segmenter's scores for a made-up image, of which it has seen a few strokes."""
    side = up_to(96, segmenter.spec.multiple_of)
    image = np.random.default_rng(0).normal(size=(side, side)).cumsum(0).cumsum(1)
    strokes = np.zeros((side, side), np.uint8)
    strokes[side // 4, 8:-8] = 1
    strokes[side // 2, 8:-8] = 2
    values = torch.from_numpy(normalise(image)).expand(1, segmenter.spec.channels, side, side)
    if takes_volumes(segmenter):
        values = values[:, :, None].expand(-1, -1, 4, -1, -1)
    with torch.inference_mode():
        memory = segmenter.remember(SupportSet().add(image, strokes, axes="YX"))
        scores = segmenter.scores(values.to(device_of(segmenter) or "cpu"), memory)
    return scores.float().cpu()
