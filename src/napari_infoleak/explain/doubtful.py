"""Next doubtful places: where one more stroke is expected to change the most for the better.

A place is worth painting if the network is in doubt there, if many other doubtful places look like
it, and if nothing that is annotated looks like them yet. All three are one sum. A stroke at p would
be heard by a pixel q with the share

    share(q, p) = exp(likeness(q, p) / tau) / (exp(likeness(q, p) / tau) + heard(q)),

where heard(q) is what the annotations say to q already; the expected gain of p is the doubt that
would be heard out, the sum over q of doubt(q) share(q, p). After each choice the stroke is taken as
painted, so that the next place is another kind of place. Like the expected model output change of
Freytag, Rodner, Denzler 2014, doi 10.1007/978-3-319-10593-2_37, with the change read off the
attention instead of painting and answering anew.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from scipy import ndimage as ndi
from scipy.special import expit

from napari_infoleak.core.progress import NEVER, NULL, CancelToken, Progress
from napari_infoleak.explain.lookup import looking_up
from napari_infoleak.explain.reasons import DoubtfulPlace
from napari_infoleak.infer.interrupt import interruptible
from napari_infoleak.infer.tiles import Box, Tile, down_to, plan, up_to
from napari_infoleak.infer.uncertainty import entropy
from napari_infoleak.segmenters.protocol import Repeatable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_infoleak.segmenters.protocol import LooksUp, Segmenter

_TILE = 1024  # longest side of what is looked at at a time
_QUERIES = 1024  # cells of a tile that stand for all of it
_CANDIDATES = 256  # cells of a tile that may be proposed
_MOST = 4096  # of either, over all tiles
_CLEAR = 8  # pixels around paint where nothing is proposed
_APART = 24  # pixels between two places of a plane
_EDGE = 8  # pixels from the border of what is looked at
_STROKE = 2.5  # log of the entries that a stroke makes
_OWN = 0.5  # likeness at which a stroke is heard as loud as the network's own opinion

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Field:
    """A part of a plane to look for places in.

    Attributes
    ----------
    t, z : int
    values : ndarray, shape (C, Y, X), float32
        The whole plane, normalised and padded, see `infer.planes.read_planes`.
    painted : ndarray of bool, shape (Y, X)
        What is annotated of the plane, before padding.
    box : Box
        Rows and columns to look at.
    """

    t: int
    z: int
    values: Floats
    painted: NDArray[np.bool_]
    box: Box


def doubtful(
    segmenter: Segmenter,
    memory: Any,
    fields: Iterable[Field],
    total: int,
    count: int = 5,
    progress: Progress = NULL,
    cancel: CancelToken = NEVER,
) -> list[DoubtfulPlace]:
    """Find the places where paint is expected to help most.

    Parameters
    ----------
    segmenter : Segmenter
        Made ready by `infer.prepare`.
    memory : Memory
        What that very segmenter made of the annotations; it may be empty.
    fields : iterable of Field
        Read one at a time.
    total : int
        How many fields there are.
    count : int
        Most places named.
    progress, cancel
        Told of each field; asked before each layer of the network.

    Returns
    -------
    list of DoubtfulPlace
        The best first, each with the ones before it taken as painted.

    Raises
    ------
    BadInput
        If the segmenter looks no annotation up.
    """
    looking = looking_up(segmenter)
    rng = np.random.default_rng(0)
    asked, offered = [], []
    with torch.inference_mode(), interruptible(segmenter.modules(), cancel):
        for done, field in enumerate(fields):
            progress(done, total, f"plane {done + 1} of {total}")
            for tile in _tiles(segmenter, looking, field):
                cells = _look(segmenter, looking, memory, field, tile)
                asked.append(cells.drawn(_QUERIES, rng))
                offered.append(cells.proposable(field).most_doubtful(_CANDIDATES))
    if not asked:
        return []
    queries = _Cells.joined(asked).drawn(_MOST, rng)
    candidates = _Cells.joined(offered).most_doubtful(_MOST)
    chosen = _choose(queries, candidates, looking.tau, _loudness(memory), count)
    return [candidates.place(index, gain, memory.class_ids) for index, gain in chosen]


@dataclass(frozen=True, eq=False)
class _Cells:
    """N cells of the memory's grid, with their D keys and K classes."""

    places: NDArray[np.int64]  # (N, 4): t, z, y, x of the most doubtful pixel of each
    keys: Floats  # (N, D)
    heard: Floats  # (N,), logarithm of what the annotations say to it
    doubt: Floats  # (N,), mean of its pixels
    probabilities: Floats  # (N, K), at the most doubtful pixel
    pixels: Floats  # (N,), that it stands for

    @classmethod
    def joined(cls, parts: Sequence[_Cells]) -> _Cells:
        """Put the cells of several tiles together."""
        names = [one.name for one in dataclasses.fields(cls)]
        return cls(**{n: np.concatenate([getattr(part, n) for part in parts]) for n in names})

    def __len__(self) -> int:
        return len(self.doubt)

    def __getitem__(self, which: NDArray[Any]) -> _Cells:
        names = [one.name for one in dataclasses.fields(self)]
        return _Cells(**{name: getattr(self, name)[which] for name in names})

    def drawn(self, most: int, rng: np.random.Generator) -> _Cells:
        """Draw some cells that stand for all."""
        if len(self) <= most:
            return self
        some = self[rng.permutation(len(self))[:most]]
        return dataclasses.replace(some, pixels=some.pixels * np.float32(len(self) / most))

    def most_doubtful(self, most: int) -> _Cells:
        """Keep the cells of the greatest doubt, greatest first."""
        return self[np.argsort(-self.doubt, kind="stable")[:most]]

    def proposable(self, field: Field) -> _Cells:
        """Leave out cells at the border, where little is seen, and with paint on or beside them."""
        box = field.box
        inner = np.zeros(field.painted.shape, bool)
        inner[box.y0 + _EDGE : box.y1 - _EDGE, box.x0 + _EDGE : box.x1 - _EDGE] = True
        if field.painted.any():
            inner &= ndi.distance_transform_edt(~field.painted) > _CLEAR
        return self[inner[self.places[:, 2], self.places[:, 3]]]

    def place(self, index: int, gain: float, class_ids: Sequence[int]) -> DoubtfulPlace:
        """Describe a cell."""
        t, z, y, x = self.places[index].tolist()
        order = np.argsort(-self.probabilities[index], kind="stable")
        likely = tuple(class_ids[k] for k in order)
        shares = tuple(self.probabilities[index][order].tolist())
        return DoubtfulPlace(t, z, y, x, likely, shares, float(self.doubt[index]), gain)


def _choose(
    queries: _Cells, candidates: _Cells, tau: float, loudness: float, count: int
) -> list[tuple[int, float]]:
    """Take the best place, take it as painted, and so on: index and gain of each."""
    said = queries.keys @ candidates.keys.T / tau + loudness
    heard = np.logaddexp(queries.heard, _OWN / tau + loudness)
    worth = queries.doubt * queries.pixels
    open_ = np.ones(len(candidates), bool)
    chosen: list[tuple[int, float]] = []
    while open_.any() and len(chosen) < count:
        gain = worth @ expit(said - heard[:, None])
        best = int(np.where(open_, gain, -1).argmax())
        chosen.append((best, float(gain[best])))
        heard = np.logaddexp(heard, said[:, best])
        apart = np.abs(candidates.places - candidates.places[best])
        open_ &= apart[:, :2].any(1) | (apart[:, 2:].max(1) >= _APART)
    return chosen


def _loudness(memory: Any) -> float:
    """Logarithm of the weight that a stroke would have beside what is annotated."""
    return _STROKE + (float(memory.bias.mean()) if len(memory.bias) else 0.0)


def _tiles(segmenter: Segmenter, looking: LooksUp, field: Field) -> list[Tile]:
    """Cover a field, less the cells that stick out of it."""
    stride, height, width = looking.stride, *field.values.shape[1:]
    box = Box(
        up_to(field.box.y0, stride),
        down_to(field.box.y1, stride),
        up_to(field.box.x0, stride),
        down_to(field.box.x1, stride),
    )
    if min(box.shape) <= 0:
        return []
    halo = max(height, width) if segmenter.spec.halo < 0 else segmenter.spec.halo
    return plan(height, width, _TILE, halo, segmenter.spec.multiple_of, box)


def _look(segmenter: Segmenter, looking: LooksUp, memory: Any, field: Field, tile: Tile) -> _Cells:
    """Answer a tile, and see what its cells look like."""
    stride = looking.stride
    values = torch.from_numpy(field.values[(..., *tile.outer.slices)].copy())[None]
    values = values.to(memory.keys.device)
    ask = segmenter.scores_again if isinstance(segmenter, Repeatable) else segmenter.scores
    rows, columns = tile.crop
    scores = ask(values, memory)[0, :, rows, columns].float().softmax(0).cpu().numpy()
    rows, columns = (slice(one.start // stride, one.stop // stride) for one in tile.crop)
    keys = looking.keys(values)[0, :, rows, columns].flatten(1).T
    heard = (keys @ memory.keys.T / looking.tau + memory.bias).logsumexp(1)
    doubt = rearrange(entropy(scores), "(y a) (x b) -> (y x) (a b)", a=stride, b=stride)
    most = doubt.argmax(1)
    corners = np.indices([n // stride for n in tile.inner.shape]).reshape(2, -1) * stride
    y, x = corners + np.stack(np.divmod(most, stride))
    there = np.full((2, len(most)), [[field.t], [field.z]])
    return _Cells(
        places=np.stack([*there, y + tile.inner.y0, x + tile.inner.x0], 1),
        keys=keys.float().cpu().numpy(),
        heard=heard.float().cpu().numpy(),
        doubt=doubt.mean(1),
        probabilities=scores[:, y, x].T,
        pixels=np.full(len(most), stride**2, np.float32),
    )
