"""Self-distillation by attention over wrong pixels: the RA-Module.

After Ikedo, Nagata, Hotta, MIRU 2022, and code that is taken to be the first author's. From that
code: scores ask scores of the same image by attention; what is found is added where the network
erred; the result is a teacher. That it is the method of the talk is not confirmed. Ours: nothing is
learned through the teacher (in the code the distance to it shrinks the correction instead), pooled
keys within windows, and that pixels which the network is unsure of stand in for wrong ones at test.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_infoleak.nets.attention import from_windows, into_windows
from napari_infoleak.nets.familiar import Familiar
from napari_infoleak.nets.heads import grown
from napari_infoleak.nets.unet import UNet

if TYPE_CHECKING:
    from collections.abc import Sequence


class WrongPixelAttention(nn.Module):
    """What scores find among the scores of their window.

    Parameters
    ----------
    classes : int
    pool : int
        Of keys and values.
    window : int
        Side of the field, in pixels.
    """

    def __init__(self, classes: int, pool: int, window: int) -> None:
        super().__init__()
        self.pool = pool
        self.window = window
        self.query = nn.Conv2d(classes, classes, 1)
        self.key = nn.Conv2d(classes, classes, 1)
        self.value = nn.Conv2d(classes, classes, 1)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, scores: Tensor) -> Tensor:
        """(B K Y X) -> (B K Y X), to be added to the scores of wrong pixels."""
        query = into_windows(self.query(scores), self.window)
        key, value = (
            into_windows(F.avg_pool2d(layer(scores), self.pool), self.window // self.pool)
            for layer in (self.key, self.value)
        )
        found = F.scaled_dot_product_attention(query, key, value, scale=1.0)
        return (self.gamma + 0.1) * from_windows(found, self.window, *scores.shape[-2:])

    @torch.no_grad()
    def grow(self, count: int) -> None:
        """Append classes; what the old ones find stays, for the new are not asked about yet."""
        classes = self.query.out_channels
        for name in ("query", "key", "value"):
            old: nn.Conv2d = getattr(self, name)
            wide: Any = nn.Conv2d(classes + count, classes + count, 1).to(old.weight)
            wide.weight[:, classes:] = 0
            wide.weight[:classes, :classes] = old.weight
            wide.bias[:classes] = old.bias
            if name == "query":
                wide.weight[classes:], wide.bias[classes:] = 0, 0
            setattr(self, name, wide)


class SelfTeachingUNet(nn.Module):
    """A U-Net that thinks again about pixels that it is unsure of.

    Parameters
    ----------
    channels, classes : int
    widths, features
        See `UNet`.
    sure : float
        Pixels whose likeliest class is less probable are thought about again at test.
    pool, window : int
        See `WrongPixelAttention`.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        widths: Sequence[int] = (16, 32, 64, 128),
        features: int = 32,
        sure: float = 0.7,
        pool: int = 4,
        window: int = 64,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "channels": channels,
            "classes": classes,
            "widths": list(widths),
            "features": features,
            "sure": sure,
            "pool": pool,
            "window": window,
        }
        self.sure = sure
        self.body = UNet(channels, widths, features)
        self.head = nn.Conv2d(features, classes, 1)
        self.again = WrongPixelAttention(classes, pool, window)
        self.familiar = Familiar(classes)
        self.multiple_of: int = math.lcm(self.body.multiple_of, window)

    @property
    def reach(self) -> int:
        """Pixels to each side that an answer can depend on."""
        beyond = self.body.reach + int(self.config["window"])
        return -(-beyond // self.multiple_of) * self.multiple_of

    def plain(self, x: Tensor) -> Tensor:
        """(B C Y X) -> (B K Y X), without thinking again."""
        scores: Tensor = self.head(self.body(x))
        return scores

    def unsure(self, scores: Tensor) -> Tensor:
        """(B K Y X) -> (B 1 Y X), bool."""
        return self.familiar(scores).amax(1, keepdim=True) < self.sure  # type: ignore[no-any-return]

    def corrected(self, scores: Tensor, where: Tensor, leak: float = 1.0) -> Tensor:
        """Think again about some pixels.

        Parameters
        ----------
        scores : Tensor, shape (B, K, Y, X)
        where : Tensor, shape (B, 1, Y, X), bool
        leak : float

        Returns
        -------
        Tensor, shape (B, K, Y, X)
            No gradient passes the other pixels.
        """
        return torch.where(where, scores + leak * self.again(scores), scores.detach())

    def forward(self, x: Tensor, leak: float = 1.0) -> Tensor:
        """(B C Y X) -> (B K Y X)."""
        scores = self.plain(x)
        return self.corrected(scores, self.unsure(scores), leak)

    def grow(self, count: int) -> None:
        """Append classes."""
        self.head = grown(self.head, count)
        self.again.grow(count)


def wrong(scores: Tensor, truth: Tensor, most: int) -> Tensor:
    """Find annotated pixels that are answered wrongly.

    Parameters
    ----------
    scores : Tensor, shape (B, K, Y, X)
    truth : Tensor, shape (B, Y, X), int64
        -1 where nothing is annotated.
    most : int
        If there are more, so many are drawn, by torch's global generator.

    Returns
    -------
    Tensor, shape (B, 1, Y, X), bool
    """
    found = (scores.argmax(1) != truth) & (truth >= 0)
    places = found.flatten().nonzero()[:, 0]
    if len(places) > most:
        dropped = places[torch.randperm(len(places), device=places.device)[most:]]
        found.view(-1)[dropped] = False
    return found[:, None]
