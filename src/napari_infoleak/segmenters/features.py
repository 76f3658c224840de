"""What the body of a network sees in a tile: dear to compute, and the same whatever is annotated.

So a tile that is asked about again, with a stroke more, needs no second pass of the body.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_infoleak.segmenters.fingerprint import fingerprint

if TYPE_CHECKING:
    from torch import Tensor, nn

Window = tuple[slice, slice]

_KEPT_BYTES = 2**30  # 1024 x 1024 pixels of 32 channels take an eighth of it


class Features:
    """A network's body that can keep what it has seen.

    Features are kept in memory, as they are, by the content of the tile and of the weights: with
    and without them the answer is the same, bit by bit. Those used longest ago go first.

    Parameters
    ----------
    body : Module
        (B C Y X) -> (B F Y X), in evaluation mode.
    limit : int
        Most bytes that are kept.
    """

    def __init__(self, body: nn.Module, limit: int = _KEPT_BYTES) -> None:
        self._body = body
        self._limit = limit
        self._kept: OrderedDict[bytes, Tensor] = OrderedDict()

    def of(self, tiles: Tensor) -> Tensor:
        """See tiles; (B C Y X) -> (B F Y X)."""
        seen: Tensor = self._body(tiles.contiguous(memory_format=torch.channels_last))
        return seen.contiguous(memory_format=torch.channels_last)

    def again(self, tiles: Tensor, window: Window | None = None) -> Tensor:
        """See tiles that will be asked about again; seen before, they cost nothing.

        Parameters
        ----------
        tiles : Tensor, shape (B, C, Y, X)
            Each is seen by itself, so that its features do not depend on its company.
        window : (slice, slice), optional
            Rows and columns of the features that are wanted; all by default.

        Returns
        -------
        Tensor, shape (B, F, rows, columns)
            To be read only.
        """
        rows, columns = window or (slice(None), slice(None))
        if tiles.device.type != "cpu":  # a graphics card sees faster than it could be told
            return self.of(tiles)[..., rows, columns]
        weights = fingerprint(self._body)
        found = [self._one(tile, rows, columns, weights) for tile in tiles.split(1)]
        return found[0] if len(found) == 1 else torch.cat(found)

    def _one(self, tile: Tensor, rows: slice, columns: slice, weights: str) -> Tensor:
        height, width = tile.shape[-2:]
        part = (rows.indices(height), columns.indices(width))
        digest = hashlib.sha256(f"{weights} {tuple(tile.shape)} {part}".encode())
        digest.update(np.ascontiguousarray(tile.numpy()).data)
        key = digest.digest()
        kept = self._kept.pop(key, None)
        if kept is None:
            seen = self.of(tile)
            kept = seen[..., rows, columns]
            if kept.shape != seen.shape:  # a part alone, not the whole behind it
                kept = kept.clone(memory_format=torch.channels_last)
        self._kept[key] = kept
        self._forget()
        return kept

    def _forget(self) -> None:
        size = sum(features.nbytes for features in list(self._kept.values()))
        while size > self._limit:
            size -= self._kept.popitem(last=False)[1].nbytes
