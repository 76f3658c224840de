"""Self-distillation: layers near the answer teach layers far from it.

Inspired by Ando, Hotta, MIRU 2022, of which nothing but the title is known to us. That layers far
from the loss are hard to train is the point of a paper by the same authors (arXiv 2101.07983); the
form is that of Zhang et al. 2019, arXiv 1905.08094, on the levels of a U-Net. All of it is
reconstruction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn import functional as F

from napari_infoleak.nets.heads import grown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Pupils(nn.Module):
    """A head for each map far from the answer, and a view of the map to be compared with the last.

    Parameters
    ----------
    widths : mapping of str to int
        Channels of the maps by name.
    features : int
        Channels of the last map.
    classes : int
    """

    def __init__(self, widths: Mapping[str, int], features: int, classes: int) -> None:
        super().__init__()
        self.heads = nn.ModuleDict({name: nn.Conv2d(w, classes, 1) for name, w in widths.items()})
        self.views = nn.ModuleDict({name: nn.Conv2d(w, features, 1) for name, w in widths.items()})

    def forward(
        self, maps: Mapping[str, Tensor], size: Sequence[int]
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """Answer from each map.

        Parameters
        ----------
        maps : mapping of str to Tensor, shape (B, W, y, x)
        size : (int, int)
            Of the answer.

        Returns
        -------
        dict of str to tuple of Tensor
            Scores (B, K, Y, X) and view (B, F, Y, X) of each.
        """
        return {
            name: (_to(size, self.heads[name](one)), _to(size, self.views[name](one)))
            for name, one in maps.items()
        }

    def grow(self, count: int) -> None:
        """Append classes."""
        heads: dict[str, Any] = dict(self.heads.items())
        for name, head in heads.items():
            self.heads[name] = grown(head, count)


def _to(size: Sequence[int], x: Tensor) -> Tensor:
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


def softened_divergence(scores: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """How far answers are from the teacher's, both softened.

    Parameters
    ----------
    scores, teacher : Tensor, shape (B, K, *S)
        No gradient reaches the teacher.
    temperature : float

    Returns
    -------
    Tensor, scalar
        Mean over pixels, times the squared temperature.
    """
    ours = (scores.float() / temperature).log_softmax(1)
    theirs = (teacher.detach().float() / temperature).log_softmax(1)
    return (theirs.exp() * (theirs - ours)).sum(1).mean() * temperature**2


def distance(view: Tensor, features: Tensor) -> Tensor:
    """Squared distance between a view and the last map, mean over pixels; (B F Y X) each."""
    return (view - features.detach()).square().sum(1).mean()
