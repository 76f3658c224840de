"""Encoded planes: in memory while they are in use, on disk for the next time."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_infoleak.segmenters.encoding import EncodedPlane, encode
from napari_infoleak.segmenters.fingerprint import fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_infoleak.core.support import SupportPlane
    from napari_infoleak.io.array_cache import ArrayCache
    from napari_infoleak.nets.leakage_net import LeakageNet
    from napari_infoleak.segmenters.features import Features

_VERSION = 2  # of what an encoded plane holds
_KEPT_BYTES = 2**28


class Encodings:
    """Encodes annotated planes, each but once.

    A plane is known again by its content, paint included, and by the weights. What is kept is what
    encoding would give, bit by bit, so that no answer depends on what was kept.

    Parameters
    ----------
    net : LeakageNet
    features : Features
        Of its body.
    disk : ArrayCache, optional
        Where encodings stay from one run to the next.
    """

    def __init__(self, net: LeakageNet, features: Features, disk: ArrayCache | None = None) -> None:
        self.disk = disk
        self._net = net
        self._features = features
        self._kept: OrderedDict[str, EncodedPlane] = OrderedDict()

    def of(self, planes: Sequence[SupportPlane]) -> list[EncodedPlane]:
        """Encode planes, in their order."""
        unknown = any(plane.hash not in self._kept for plane in planes)
        made_by = fingerprint(self._net) if unknown and self.disk else ""
        found = []
        for plane in planes:
            one = self._kept.pop(plane.hash, None) or self._encode(plane, made_by)
            self._kept[plane.hash] = one
            found.append(one)
        self._forget()
        return found

    def _encode(self, plane: SupportPlane, made_by: str) -> EncodedPlane:
        if self.disk is None:
            return encode(self._net, self._features, plane)
        text = f"{_VERSION} {plane.hash} {made_by}"
        name = hashlib.sha256(text.encode()).hexdigest()
        kept = self.disk.read(name)
        if kept is not None:
            return _from_arrays(kept)
        made = encode(self._net, self._features, plane)
        self.disk.write(name, _to_arrays(made))
        return made

    def _forget(self) -> None:
        """Drop the encodings that were used longest ago, as far as they take much memory."""
        size = sum(one.size_bytes for one in list(self._kept.values()))
        while size > _KEPT_BYTES:
            size -= self._kept.popitem(last=False)[1].size_bytes


def _to_arrays(plane: EncodedPlane) -> dict[str, NDArray[Any]]:
    ids = sorted(plane.moments)
    outer, first, count = (
        torch.stack(part).numpy() for part in zip(*(plane.moments[k] for k in ids), strict=True)
    )
    return {
        "keys": plane.keys.numpy(),
        "patches": plane.patches.numpy(),
        "places": plane.places.numpy(),
        "ids": np.array(ids),
        "outer": outer,
        "first": first,
        "count": count,
        "membrane": np.array([plane.membrane[k] for k in ids]),
        "pixels": plane.pixels.numpy(),
        "pixel_ids": plane.pixel_ids.numpy(),
    }


def _from_arrays(arrays: Mapping[str, NDArray[Any]]) -> EncodedPlane:
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    ids = [int(k) for k in arrays["ids"]]
    sums = zip(tensors["outer"], tensors["first"], tensors["count"], strict=True)
    return EncodedPlane(
        tensors["keys"],
        tensors["patches"],
        tensors["places"],
        dict(zip(ids, sums, strict=True)),
        dict(zip(ids, arrays["membrane"].tolist(), strict=True)),
        tensors["pixels"],
        tensors["pixel_ids"],
    )
