"""Cross cooperative learning: two different networks share what they see, at two places.

After Ikedo, Hotta 2022 (VISAPP, SciTePress 108898), and 2021, arXiv 2101.07905. Confirmed by the
papers: two networks with different backbones are trained together, with connections both ways at
two places, one at the bottom and one in the decoder; better than either and than their ensemble.
Reconstructed here: the form of a connection and the losses. The two small U-Nets are ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from napari_infoleak.nets.familiar import Familiar
from napari_infoleak.nets.heads import grown
from napari_infoleak.nets.stages import climb, cross, encode
from napari_infoleak.nets.unet import UNet
from napari_infoleak.nets.wide_unet import WideUNet

if TYPE_CHECKING:
    from collections.abc import Sequence


class Connection(nn.Module):
    """What each network gives the other at a place; starts by giving nothing.

    Parameters
    ----------
    width : int
        Channels of both maps.
    ways : {"both", "one"}
        "one": the first gives, the second takes.
    """

    def __init__(self, width: int, ways: Literal["both", "one"]) -> None:
        super().__init__()
        self.to_second = _projection(width)
        self.to_first: nn.Module | None = _projection(width) if ways == "both" else None

    def forward(self, first: Tensor, second: Tensor, leak: float) -> tuple[Tensor, Tensor]:
        """Both (B W Y X) -> both; each is given what the other was before."""
        given = leak * self.to_second(first)
        taken = 0 if self.to_first is None else leak * self.to_first(second)
        return first + taken, second + given


def _projection(width: int) -> nn.Sequential:
    norm = nn.BatchNorm2d(width, momentum=0.03)
    nn.init.zeros_(norm.weight)
    return nn.Sequential(nn.Conv2d(width, width, 1, bias=False), norm)


class CooperativeNet(nn.Module):
    """A U-Net that sees fine and one that sees wide, side by side.

    Parameters
    ----------
    channels, classes : int
    widths, features
        Of both, see `UNet`.
    places : sequence of {"bottom", "decoder"}
        Where they are connected; none: an ensemble.
    ways : {"both", "one"}
        See `Connection`.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        widths: Sequence[int] = (16, 32, 64, 128),
        features: int = 32,
        places: Sequence[Literal["bottom", "decoder"]] = ("bottom", "decoder"),
        ways: Literal["both", "one"] = "both",
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "channels": channels,
            "classes": classes,
            "widths": list(widths),
            "features": features,
            "places": list(places),
            "ways": ways,
        }
        self.body = UNet(channels, widths, features)
        self.head = nn.Conv2d(features, classes, 1)
        self.second_body = WideUNet(channels, widths, features)
        self.second_head = nn.Conv2d(features, classes, 1)
        levels = {"bottom": len(widths) - 1, "decoder": 1}
        self.connections = nn.ModuleDict(
            {str(levels[place]): Connection(widths[levels[place]], ways) for place in places}
        )
        self.familiar = Familiar(classes)
        self.multiple_of: int = self.body.multiple_of

    @property
    def reach(self) -> int:
        """Pixels to each side that an answer can depend on."""
        return max(self.body.reach, self.second_body.reach)

    def both(self, x: Tensor, leak: float = 1.0) -> tuple[Tensor, Tensor]:
        """(B C Y X) -> scores of the first and of the second, (B K Y X) each."""
        bodies: tuple[UNet, UNet] = self.body, self.second_body
        maps = [encode(body, x) for body in bodies]
        level = len(maps[0]) - 1
        found = [cross(body, own) for body, own in zip(bodies, maps, strict=True)]
        while True:
            if str(level) in self.connections:
                found = list(self.connections[str(level)](*found, leak))
            if level == 0:
                break
            level -= 1
            found = [
                climb(body, level, one, own)
                for body, one, own in zip(bodies, found, maps, strict=True)
            ]
        return self.head(self.body.head(found[0])), self.second_head(
            self.second_body.head(found[1])
        )

    def forward(self, x: Tensor, leak: float = 1.0) -> Tensor:
        """(B C Y X) -> (B K Y X), logarithms of the mean of both networks' probabilities."""
        known = int(self.familiar.count)
        logs = [one - one[:, :known].logsumexp(1, keepdim=True) for one in self.both(x, leak)]
        return torch.logaddexp(*logs)

    def grow(self, count: int) -> None:
        """Append classes."""
        self.head = grown(self.head, count)
        self.second_head = grown(self.second_head, count)
