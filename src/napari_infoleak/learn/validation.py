"""How good a segmenter is on annotations that it has not learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F

from napari_infoleak.core.progress import NEVER, CancelToken
from napari_infoleak.infer.interrupt import interruptible
from napari_infoleak.infer.tiles import up_to

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from napari_infoleak.core.support import SupportSet
    from napari_infoleak.learn.batches import Annotated
    from napari_infoleak.learn.learner import Learner

_SIDE, _DEPTH = 384, 32
_WINDOWS = 12
_NEVER = -1e4  # score of a class that the segmenter cannot answer


@dataclass(frozen=True)
class Score:
    """How well held-out annotations are met.

    Attributes
    ----------
    miou : float
        Mean of `iou`, 0 to 1.
    iou : dict of int to float
        Intersection over union by class id, over annotated pixels, of the classes held out.
    loss : float
        Cross-entropy, each class counting the same.
    """

    miou: float
    iou: dict[int, float]
    loss: float

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> Score | None:
        """Read what `dataclasses.asdict` gave and JSON made of it; None stays None."""
        if value is None:
            return None
        iou = {int(number): float(one) for number, one in value["iou"].items()}
        return cls(float(value["miou"]), iou, float(value["loss"]))

    def beats(self, other: Score | None) -> bool:
        """Whether it is better: by the mean IoU, and where that is equal by the loss."""
        return other is None or (self.miou, -self.loss) > (other.miou, -other.loss)


class HeldOut:
    """Held-out annotations, cut into a few windows that are always the same.

    Parameters
    ----------
    data : sequence of Annotated
    support : SupportSet
        What was annotated for training; segmenters that read annotations get this and no more.
    dims : {2, 3}
    multiple_of : (int, int)
        Depth and sides of windows are multiples of it.
    """

    def __init__(
        self,
        data: Sequence[Annotated],
        support: SupportSet,
        *,
        dims: int = 2,
        multiple_of: tuple[int, int] = (1, 1),
    ) -> None:
        self._support = support
        self._dims = dims
        windows = [w for one in data for w in _windows(one, dims, multiple_of)]
        step = max(1, -(-len(windows) // _WINDOWS))
        self._windows = windows[step // 2 :: step]

    def __len__(self) -> int:
        """Number of windows."""
        return len(self._windows)

    def score(self, segmenter: Learner, device: torch.device, cancel: CancelToken = NEVER) -> Score:
        """Answer all windows.

        Raises
        ------
        Cancelled
            If the token was set.
        """
        classes = len(segmenter.classes)
        confusion = torch.zeros(classes, classes, dtype=torch.int64)
        surprise = torch.zeros(classes, dtype=torch.float64)
        with interruptible(segmenter.modules(), cancel):
            memory = segmenter.remember(self._support)
            places = [segmenter.classes.ids.index(number) for number in memory.class_ids]
            for image, truth in self._windows:
                found = segmenter.scores(image[None].to(device), memory)[0].float().cpu()
                scores = found.new_full((classes, *found.shape[1:]), _NEVER)
                scores[places] = found
                logs = scores.log_softmax(0)
                seen = truth >= 0
                real, said = truth[seen], logs.argmax(0)[seen]
                index = real * classes + said
                confusion += torch.bincount(index, minlength=classes**2).view(classes, classes)
                wrong = -logs[:, seen].gather(0, real[None])[0].double()
                surprise.index_add_(0, real, wrong)
        return _score(confusion, surprise, segmenter.classes.ids)


def _score(confusion: Tensor, surprise: Tensor, ids: Sequence[int]) -> Score:
    hits, truth, said = confusion.diagonal(), confusion.sum(1), confusion.sum(0)
    shown = truth > 0
    iou = hits[shown] / (truth + said - hits)[shown]
    by_id = {
        number: round(float(value), 6)
        for number, value in zip(
            [i for i, s in zip(ids, shown, strict=True) if s], iou, strict=True
        )
    }
    loss = float((surprise[shown] / truth[shown]).mean())
    return Score(round(float(iou.mean()), 6), by_id, round(loss, 6))


def _windows(
    one: Annotated, dims: int, multiple_of: tuple[int, int]
) -> list[tuple[Tensor, Tensor]]:
    """Boxes that hold annotations, padded by mirroring: (C *S) of grey, (*S) of class or -1."""
    step = (multiple_of[0] if dims == 3 else 1, multiple_of[1], multiple_of[1])
    longest = (_DEPTH if dims == 3 else 1, _SIDE, _SIDE)
    sides = [
        min(up_to(length, s), up_to(most, s))
        for length, s, most in zip(one.labels.shape, step, longest, strict=True)
    ]
    starts: list[range] = [
        range(0, length, side) for length, side in zip(one.labels.shape, sides, strict=True)
    ]
    found: list[tuple[Tensor, Tensor]] = []
    for z in starts[0]:
        for y in starts[1]:
            for x in starts[2]:
                corner = [
                    max(0, min(at, length - side))
                    for at, length, side in zip((z, y, x), one.labels.shape, sides, strict=True)
                ]
                box = tuple(slice(at, at + side) for at, side in zip(corner, sides, strict=True))
                labels = one.labels[box]
                if bool(labels.any()):
                    image, truth = _padded(one.image[(slice(None), *box)], labels, sides)
                    found.append((image, truth) if dims == 3 else (image[:, 0], truth[0]))
    return found


def _padded(image: Tensor, labels: Tensor, sides: Sequence[int]) -> tuple[Tensor, Tensor]:
    missing = [side - length for side, length in zip(sides, labels.shape, strict=True)]
    margins = [0, missing[2], 0, missing[1], 0, missing[0]]
    truth = F.pad(labels.long(), margins) - 1
    return F.pad(image[None], margins, mode="replicate")[0], truth
