"""Annotation leakage: annotated images leak into the answer at test time, without training.

The network has an opinion of its own on membranes. Of annotated images it keeps keys and label
patches (the memory); for a new image it looks up similar places there, reads their labels, and a
fusion adds to its opinion what was read. After Kato, Hotta 2023, arXiv 2304.07991 (label attention
at test time); the memory over many images, the closed-form rule and the fusion are ours.
"""

from __future__ import annotations

import copy
import hashlib
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.core.errors import BadInput, BadModelFile
from napari_infoleak.core.normalise import normalise
from napari_infoleak.io.array_cache import user_cache
from napari_infoleak.nets.leakage_net import LeakageNet, frequency, prior_scores
from napari_infoleak.nets.read_out import ridge
from napari_infoleak.segmenters.encoding import EncodedPlane, encode, features_of, padded
from napari_infoleak.segmenters.encodings import Encodings
from napari_infoleak.segmenters.features import Features, Window
from napari_infoleak.segmenters.fingerprint import weights_hash
from napari_infoleak.segmenters.fitted_head import (
    ENOUGH,
    FOLDS,
    HeldBack,
    corrected,
    fit_head,
    folds,
    fullest,
    head_inputs,
    joined,
    painted_cells,
)
from napari_infoleak.segmenters.memory import LeakageMemory, balance, choose
from napari_infoleak.segmenters.pixel_rule import fit_rule
from napari_infoleak.segmenters.protocol import SegmenterSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_infoleak.core.support import SupportPlane, SupportSet
    from napari_infoleak.io.array_cache import ArrayCache

METHOD = "annotation-leakage"
_PRESET = (1, 2)  # interior, membrane
_FITTED_PLANES, _FITTED_SIDE = 3, 384  # that a head is fitted to: in well under a second


class AnnotationLeakage:
    """The segmenter of test-time annotations.

    Parameters
    ----------
    net : LeakageNet
    classes : ClassTable, optional
        Classes of the answer without a support set; the membrane preset by default.
    leak : float
        Strength of the leak: 0 is the network's own opinion alone, 1 the whole of it.
    cap : int
        Most entries of a memory.
    membrane_offset : float
        Added to the score of membrane where classes are those of the preset, see
        `learn.recipes.membrane_offset`.
    cache : ArrayCache, optional
        Where encoded planes stay from one run to the next.
    """

    def __init__(
        self,
        net: LeakageNet,
        classes: ClassTable | None = None,
        leak: float = 1.0,
        cap: int = 2048,
        membrane_offset: float = 0.0,
        cache: ArrayCache | None = None,
    ) -> None:
        self.net = net.eval()
        self.classes = classes or ClassTable.membrane()
        self.leak = leak
        self.cap = cap
        self.membrane_offset = membrane_offset
        self.spec = SegmenterSpec(METHOD, (2,), net.reach, net.multiple_of, 1, needs_support=False)
        self.weights_hash = weights_hash(net.state_dict())
        self._features = Features(net.body)
        self._encodings = Encodings(net, self._features, cache)
        self._fitted: tuple[tuple[Any, ...], Tensor | None] | None = None

    @classmethod
    def fresh(cls, classes: ClassTable, channels: int = 1, **options: Any) -> AnnotationLeakage:
        """Make one that has learned nothing; its classes are those of the support set it is given.

        Parameters
        ----------
        classes : ClassTable
            What is painted; by itself it will answer with interior and membrane.
        channels : int
        **options
            Sizes, see `LeakageNet`.
        """
        return cls(LeakageNet(channels, **options))

    @classmethod
    def from_file(
        cls, tensors: Mapping[str, Tensor], header: Mapping[str, Any]
    ) -> AnnotationLeakage:
        """Build from what `io.weights.load_weights` read.

        Raises
        ------
        BadModelFile
            If tensors and configuration do not fit each other.
        """
        try:
            net = LeakageNet(**(header.get("config") or {}))
            net.load_state_dict(dict(tensors))
            classes = ClassTable.from_json(header["classes"])
            offset = float(header.get("membrane_offset", 0))
            if not math.isfinite(offset):
                raise ValueError("membrane_offset is not a number")
        except (RuntimeError, TypeError, ValueError, LookupError, ArithmeticError) as error:
            why = " ".join(str(error).split())  # torch tells it in many lines
            raise BadModelFile(
                f"the file holds no network for {METHOD}, or a damaged one: {why[:200]}"
            ) from error
        return cls(net, classes, membrane_offset=offset, cache=user_cache())

    def tensors(self) -> dict[str, Tensor]:
        """Weights by name."""
        return {name: tensor.contiguous() for name, tensor in self.net.state_dict().items()}

    def header(self) -> dict[str, Any]:
        """Method, configuration and classes, as plain JSON."""
        return {
            "method": METHOD,
            "config": self.net.config,
            "classes": self.classes.to_json(),
            "membrane_offset": self.membrane_offset,
        }

    def modules(self) -> Iterable[nn.Module]:
        """The network."""
        return [self.net]

    def with_leak(self, leak: float) -> AnnotationLeakage:
        """Return the same segmenter with another strength of the leak.

        Raises
        ------
        BadInput
            If `leak` is not within 0 to 1.
        """
        if not 0 <= leak <= 1:
            raise BadInput(f"the leak strength is {leak}; expected a number from 0 to 1")
        other = copy.copy(self)  # what was seen is shared: it does not depend on the leak
        other.leak = float(leak)
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> AnnotationLeakage:
        """Copy the network; what it has seen is left behind, for the copy may be folded."""
        other = copy.copy(self)
        other.net = copy.deepcopy(self.net, memo)
        other._fitted = None
        other._features = Features(other.net.body)
        other._encodings = Encodings(other.net, other._features, self._encodings.disk)
        return other

    @torch.inference_mode()
    def remember(self, support: SupportSet | None) -> LeakageMemory:
        """Make a memory of a support set; planes seen before are not encoded again.

        Parameters
        ----------
        support : SupportSet or None
            None or empty: the network answers by itself.

        Returns
        -------
        LeakageMemory
            The same for the same planes, in whatever order they were added.

        Raises
        ------
        BadInput
            If only one class is painted.
        """
        if not support:
            return self._alone()
        ids = support.class_ids
        if len(ids) < 2:
            raise BadInput(
                f"only class {ids[0]} is painted; paint at least one stroke of a second class"
            )
        planes = sorted(support.planes, key=lambda plane: plane.hash)
        version = f"{self.weights_hash[:16]}-{support.hash[:16]}"
        parts = self._encodings.of(planes)
        memory = self._memory(planes, parts, ids, version)
        head = self._head(_painted(planes, ids), memory)
        if head is None and not memory.preset:
            head = _pixel_rule(planes, parts, ids)
        return replace(memory, head=head).to(self._device)

    def _memory(
        self,
        planes: Sequence[SupportPlane],
        parts: Sequence[EncodedPlane],
        ids: tuple[int, ...],
        version: str,
    ) -> LeakageMemory:
        weights = _weights(planes)
        counts = torch.cat([part.counts(ids) for part in parts])
        sizes = torch.tensor([len(part.keys) for part in parts])
        origin = torch.arange(len(parts)).repeat_interleave(sizes)
        own = torch.tensor([plane.permanent for plane in planes])
        kept = self._kept(counts, own[origin])
        keys = torch.cat([part.keys for part in parts])
        patches = torch.cat([part.patches for part in parts])[kept]
        values = torch.stack([patches == k for k in ids], 1).float()
        places = torch.cat([origin[:, None], torch.cat([part.places for part in parts])], 1)
        painted, parts, shares = _learned_from(planes, parts, ids)
        affinity = _affinity(parts, shares, ids)
        return LeakageMemory(
            class_ids=ids,
            keys=keys[kept],
            values=values,
            bias=balance(values, torch.tensor(weights)[origin[kept]]),
            rule=self._rule(parts, shares, ids),
            affinity=affinity,
            frequency=_frequency(painted, parts, shares, ids),
            preset=ids == _PRESET and bool(affinity[1] >= affinity[0]),
            places=places[kept],
            version=version,
        )

    def _kept(self, counts: Tensor, permanent: Tensor) -> Tensor:
        """Entries that are kept; temporary ones have room of their own, half as much."""
        if bool(permanent.all()) or not bool(permanent.any()):
            return choose(counts, self.cap, torch.Generator().manual_seed(0))
        shared = []
        for own, room in ((permanent, self.cap), (~permanent, self.cap // 2)):
            entries = own.nonzero()[:, 0]
            generator = torch.Generator().manual_seed(0)
            shared.append(entries[choose(counts[entries], room, generator)])
        return torch.cat(shared).sort().values

    def _head(self, planes: Sequence[SupportPlane], memory: LeakageMemory) -> Tensor | None:
        """Fit a head to what is painted, see `fitted_head`; that of the last planes is kept."""
        cells = sum(painted_cells(plane.annotation) for plane in planes)
        if cells < ENOUGH:
            return None
        known_by = (memory.class_ids, *(plane.hash for plane in planes))
        if self._fitted is None or self._fitted[0] != known_by:
            self._fitted = known_by, self._fit(planes, memory, cells)
        return self._fitted[1]

    def _fit(
        self, planes: Sequence[SupportPlane], memory: LeakageMemory, cells: int
    ) -> Tensor | None:
        plain = self.with_leak(1.0)
        plain.membrane_offset = 0.0  # a preference is no likelihood
        shares = [folds(plane.annotation) for plane in planes]
        fullest_first = sorted(range(len(planes)), key=lambda i: -(shares[i] >= 0).sum())
        parts = []
        for k in range(FOLDS):
            rest = [_without(p, share == k) for p, share in zip(planes, shares, strict=True)]
            known = _memory_of(plain, rest, memory)
            if known is None:
                continue
            held = [
                plain._held_back(planes[i], shares[i] == k, known)
                for i in fullest_first[:_FITTED_PLANES]
            ]
            parts.append(joined(held))
        return fit_head(parts, cells)

    def _held_back(
        self, plane: SupportPlane, asked: NDArray[np.bool_], memory: LeakageMemory
    ) -> HeldBack:
        """Answer some painted pixels of a plane."""
        step = self.net.multiple_of
        asked = padded(asked, step, "constant")
        annotation = padded(plane.annotation, step, "constant")
        window = fullest(annotation * asked, _FITTED_SIDE, step)
        image = padded(normalise(plane.image), step, "reflect")
        features = features_of(self.net, self._features, image, window)
        scores, found = self._answer(features, memory)
        inputs = head_inputs(features, _found(*found))
        seen = torch.from_numpy(asked[window])
        paint = torch.from_numpy(annotation[window].astype(np.int64))[seen]
        index = torch.searchsorted(torch.tensor(memory.class_ids), paint)
        return HeldBack(scores[0].cpu()[:, seen].T, inputs[0].cpu()[:, seen].T, index)

    @torch.inference_mode()
    def scores(self, tiles: Tensor, memory: LeakageMemory) -> Tensor:
        """Answer tiles.

        Parameters
        ----------
        tiles : Tensor, shape (B, 1, Y, X), float32
            Grey values brought to range by `core.normalise`.
        memory : LeakageMemory

        Returns
        -------
        Tensor, shape (B, K, Y, X)
            Scores, K in the order of ``memory.class_ids``.

        Raises
        ------
        BadInput
            If the memory was made by other weights.
        """
        self._check(memory)
        return self._scores(self._features.of(tiles), memory)

    @torch.inference_mode()
    def scores_again(self, tiles: Tensor, memory: LeakageMemory) -> Tensor:
        """As `scores`, bit by bit, for tiles that will be asked about again: with other paint."""
        self._check(memory)
        return self._scores(self._features.again(tiles), memory)

    @torch.inference_mode()
    def scores_within(
        self, tiles: Tensor, memory: LeakageMemory, window: Window, *, again: bool = False
    ) -> Tensor:
        """Score a window of tiles, see `Windowed`: of the rest only the body takes notice.

        Parameters
        ----------
        tiles : Tensor, shape (B, 1, Y, X), float32
        memory : LeakageMemory
        window : (slice, slice)
            Rows and columns.
        again : bool
            Whether the tiles will be asked about again.

        Returns
        -------
        Tensor, shape (B, K, rows, columns)
        """
        self._check(memory)
        features = self._features.again(tiles) if again else self._features.of(tiles)
        outer, inner = zip(
            *(self._around(*one) for one in zip(window, tiles.shape[-2:], strict=True)),
            strict=True,
        )
        part = features[(..., *outer)].contiguous(memory_format=torch.channels_last)
        return self._scores(part, memory)[(..., *inner)]

    def _around(self, wanted: slice, size: int) -> tuple[slice, slice]:
        """What must be fused for a part of an axis to be right, and the part's place in it."""
        step, margin = self.net.multiple_of, self.net.margin
        low = max(0, wanted.start - margin) // step * step
        high = min(size, -(-(wanted.stop + margin) // step) * step)
        return slice(low, high), slice(wanted.start - low, wanted.stop - low)

    def _check(self, memory: LeakageMemory) -> None:
        if not memory.version.startswith(self.weights_hash[:16]):
            raise BadInput("the memory was made by other weights; make it again with remember")

    def _scores(self, features: Tensor, memory: LeakageMemory) -> Tensor:
        scores, found = self._answer(features, memory)
        if memory.head is None:
            return scores
        return corrected(scores, features, _found(*found), self.leak * memory.head)

    def _answer(self, features: Tensor, memory: LeakageMemory) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Scores, and what `_found` takes."""
        own: Tensor = self.net.own(features).log_softmax(1)
        base = own + own.new_tensor([0.0, self.membrane_offset])[:, None, None]
        if len(memory) == 0:
            return base, ()
        if not memory.preset:  # as far as the leak is off, what the network itself makes of them
            base = (1 - self.leak) * prior_scores(own, memory.affinity)
        keys = self.net.key_head.keys(features)
        read, likeness = self.net.read(keys, memory.keys, memory.values, memory.bias)
        linear = self.net.key_head.ruled(features, memory.rule)
        added = self.net.fuse(
            features,
            base,
            own,
            memory.affinity[None],
            memory.frequency[None],
            read,
            likeness,
            linear,
        )
        return base + self.leak * added[-1], (own, read, linear)

    @torch.inference_mode()
    def strangeness(self, tiles: Tensor, memory: LeakageMemory) -> Tensor:
        """How unlike everything annotated pixels are, see `Wonders`.

        Raises
        ------
        BadInput
            If nothing is annotated, or the memory was made by other weights.
        """
        self._check(memory)
        if not len(memory):
            raise BadInput("nothing is annotated, so all is unknown; paint some of each class")
        keys = self.keys(tiles).movedim(1, -1)
        nearest = (keys @ memory.keys.T).amax(-1)
        return 1 - nearest.repeat_interleave(self.stride, 1).repeat_interleave(self.stride, 2)

    @property
    def stride(self) -> int:
        """Pixels a side of a cell of the memory."""
        return self.net.key_head.stride

    @property
    def tau(self) -> float:
        """Temperature of the read-out."""
        return float(self.net.key_head.tau.detach())

    @torch.inference_mode()
    def keys(self, tiles: Tensor) -> Tensor:
        """Say what the cells of tiles look like: (B 1 Y X) -> (B D Y/stride X/stride)."""
        return self.net.key_head.keys(self._features.again(tiles))

    @property
    def _device(self) -> torch.device:
        return self.net.log_penalty.device

    def _rule(
        self, parts: Sequence[EncodedPlane], weights: Sequence[float], ids: tuple[int, ...]
    ) -> Tensor:
        """Linear rule from the sums of all planes, in double precision."""
        totals = []
        for k in ids:
            own = [
                [weight * s for s in part.moments[k]]
                for part, weight in zip(parts, weights, strict=True)
                if k in part.moments
            ]
            totals.append([torch.stack(s).sum(0) for s in zip(*own, strict=True)])
        outer, first, count = (torch.stack(s) for s in zip(*totals, strict=True))
        return ridge(outer, first, count, self.net.penalty.cpu().double()).float()

    def _alone(self) -> LeakageMemory:
        """The empty memory: the network's own opinion answers."""
        dimensions = self.net.key_head.to_key.out_channels
        cell = self.net.key_head.stride**2
        return LeakageMemory(
            class_ids=_PRESET,
            keys=torch.zeros(0, dimensions),
            values=torch.zeros(0, len(_PRESET), cell),
            bias=torch.zeros(0),
            rule=torch.zeros(len(_PRESET), dimensions + 1),
            affinity=torch.tensor([0.0, 1.0]),
            frequency=torch.zeros(len(_PRESET)),
            preset=True,
            places=torch.zeros((0, 3), dtype=torch.int64),
            version=f"{self.weights_hash[:16]}-none",
        ).to(self._device)


def _painted(planes: Sequence[SupportPlane], ids: tuple[int, ...]) -> Sequence[SupportPlane]:
    """What people annotated: rules learned from the answers of others would only repeat them.

    All planes, where a class is in the others alone.
    """
    permanent = [plane for plane in planes if plane.permanent]
    held = {k for plane in permanent for k in plane.strokes}
    return permanent if held == set(ids) else planes


def _learned_from(
    planes: Sequence[SupportPlane], parts: Sequence[EncodedPlane], ids: tuple[int, ...]
) -> tuple[Sequence[SupportPlane], list[EncodedPlane], list[float]]:
    """Planes that rules are learned from, what they are encoded to, and their weights."""
    painted = _painted(planes, ids)
    used = [
        (part, weight)
        for part, plane, weight in zip(parts, planes, _weights(planes), strict=True)
        if plane in painted
    ]
    return painted, [part for part, _ in used], [weight for _, weight in used]


def _pixel_rule(
    planes: Sequence[SupportPlane], parts: Sequence[EncodedPlane], ids: tuple[int, ...]
) -> Tensor:
    """A rule of what is painted, as a head, see `pixel_rule`."""
    _, used, shares = _learned_from(planes, parts, ids)
    classes = torch.searchsorted(torch.tensor(ids), torch.cat([part.pixel_ids for part in used]))
    weights = torch.cat(
        [torch.full((len(p.pixels),), share) for p, share in zip(used, shares, strict=True)]
    )
    inputs = torch.cat([part.pixels for part in used])
    return fit_rule(inputs, classes, weights, others=_others(len(ids)))


def _without(plane: SupportPlane, held_back: NDArray[np.bool_]) -> SupportPlane:
    """A plane less some of its paint."""
    rest = np.where(held_back, 0, plane.annotation).astype(plane.annotation.dtype)
    digest = hashlib.sha256(plane.hash.encode() + np.packbits(held_back).tobytes())
    return replace(plane, annotation=rest, hash=digest.hexdigest())


def _memory_of(
    segmenter: AnnotationLeakage, planes: Sequence[SupportPlane], like: LeakageMemory
) -> LeakageMemory | None:
    """A memory of the same classes; None if a class has no paint left."""
    painted = [plane for plane in planes if plane.annotation.any()]
    if {k for plane in painted for k in plane.strokes} != set(like.class_ids):
        return None
    parts = [encode(segmenter.net, segmenter._features, plane) for plane in painted]
    memory = segmenter._memory(painted, parts, like.class_ids, like.version)
    return replace(memory, preset=like.preset).to(segmenter._device)


def _found(own: Tensor, read: Tensor, linear: Tensor) -> Tensor:
    """What a head takes beside the features; all (B .. Y X)."""
    return torch.cat([own[:, 1:] - own[:, :1], (read + 1e-4).log(), 4 * linear], 1)


def _others(classes: int) -> int:
    """Channels of `_found`."""
    return 1 + 2 * classes


def _weights(planes: Sequence[SupportPlane]) -> list[float]:
    """Weights beside the largest one: only their proportions count, and none overflows."""
    largest = max(plane.weight for plane in planes)
    return [max(plane.weight / largest, 1e-6) for plane in planes]


def _affinity(
    parts: Sequence[EncodedPlane], weights: Sequence[float], ids: tuple[int, ...]
) -> Tensor:
    """How much of each class's paint the network takes for membrane, 0 to 1."""
    pairs = list(zip(parts, weights, strict=True))
    membrane = [sum(w * e.membrane.get(k, 0.0) for e, w in pairs) for k in ids]
    pixels = [sum(w * float(e.moments[k][2]) for e, w in pairs if k in e.moments) for k in ids]
    return torch.tensor(membrane) / torch.tensor(pixels)


def _frequency(
    planes: Sequence[SupportPlane],
    parts: Sequence[EncodedPlane],
    weights: Sequence[float],
    ids: tuple[int, ...],
) -> Tensor:
    """How often each class was painted, see `nets.leakage_net.frequency`."""
    pairs = list(zip(parts, weights, strict=True))
    labelled = [sum(w * float(e.moments[k][2]) for e, w in pairs if k in e.moments) for k in ids]
    pixels = sum(w * p.image.size for p, w in zip(planes, weights, strict=True))
    return frequency(torch.tensor(labelled), pixels)
