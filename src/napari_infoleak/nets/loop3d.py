"""3-D Loop ResNet: a deep map returns to an early stage, which sees the volume again.

Inspired by Kakamu, Hotta, "Predicting Human Behavior Using 3D Loop ResNet", ICPR 2022, of which
nothing beyond title, authors and venue is known to us: all of it is reconstruction, in the spirit
of the laboratory's other feedback networks. Residual stages in 3-D follow Hara et al. 2018, arXiv
1711.09577. The encoder-decoder for stacks is ours.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_infoleak.nets.heads import grown

if TYPE_CHECKING:
    from collections.abc import Sequence

# Within this file stacks are (B Z C Y X), so that the planes of all stacks are one batch of a 2-D
# convolution, and the planes around one are more of its channels. On processors that is five times
# as fast as torch's 3-D convolutions, and the numbers are the same.


def with_neighbours(x: Tensor, depth: int) -> Tensor:
    """Give each plane the channels of those around it, 0 beyond the ends.

    Parameters
    ----------
    x : Tensor, shape (B, Z, C, Y, X)
    depth : int
        1 or 3 planes.

    Returns
    -------
    Tensor, shape (B * Z, depth * C, Y, X)
    """
    if depth == 1:
        return x.flatten(0, 1)
    beyond = torch.zeros_like(x[:, :1])
    before, after = torch.cat([beyond, x[:, :-1]], 1), torch.cat([x[:, 1:], beyond], 1)
    return torch.cat([before, x, after], 2).flatten(0, 1)


def _normed(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs, momentum=0.03),
    )


class Residual(nn.Module):
    """Two convolutions beside a shortcut, applied once or several times.

    Parameters
    ----------
    inputs, outputs : int
    depth : int
        Of the kernels along z: 1 or 3.
    times : int
        How often the two convolutions are applied, with the same weights.
    """

    def __init__(self, inputs: int, outputs: int, depth: int, times: int = 1) -> None:
        super().__init__()
        self.depth = depth
        self.times = times
        self.enter = _normed(inputs, outputs, 1)
        self.first = _normed(depth * outputs, outputs, 3)
        self.second = _normed(depth * outputs, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(B Z C Y X) -> (B Z outputs Y X)."""
        stack = x.shape[:2]
        x = self.enter(x.flatten(0, 1)).unflatten(0, stack)
        for _ in range(self.times):
            found = F.relu(self.first(with_neighbours(x, self.depth))).unflatten(0, stack)
            found = self.second(with_neighbours(found, self.depth)).unflatten(0, stack)
            x = F.relu(x + found)
        return x


class ResNet3D(nn.Module):
    """Residual stages down, and up again.

    Parameters
    ----------
    channels : int
    widths : sequence of int
        Channels at full, half, quarter ... size.
    flat : int
        So many levels from the top have flat kernels, and z is not halved before the level `flat`:
        for stacks whose planes lie further apart than their pixels.
    times : int
        See `Residual`.
    """

    def __init__(self, channels: int, widths: Sequence[int], flat: int = 2, times: int = 1) -> None:
        super().__init__()
        depths = [1 if level < flat else 3 for level in range(len(widths))]
        self.halves_z = [level >= flat for level in range(1, len(widths))]
        inputs = (channels, *widths)
        self.down = nn.ModuleList(
            Residual(a, b, depth, times)
            for (a, b), depth in zip(itertools.pairwise(inputs), depths, strict=True)
        )
        pairs = list(itertools.pairwise(widths))
        self.narrow = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairs)
        self.up = nn.ModuleList(
            Residual(a, a, depth, times) for (a, _), depth in zip(pairs, depths, strict=False)
        )
        self.times = times
        self.multiple_of: int = 2 ** len(pairs)

    @property
    def reach(self) -> int:
        """Pixels to each side, in the plane, that an answer can depend on."""
        levels = len(self.halves_z)
        total = 2 * self.times * 2  # at full size, down and up
        for level in range(1, levels + 1):
            ways = 2 if level < levels else 1
            total += 2**level * (2 * self.times * ways + 1)  # and what upsampling reads
        return -(-int(total) // self.multiple_of) * self.multiple_of

    def into_stacks(self, x: Tensor) -> Tensor:
        """(B C Z Y X) -> (B Z C Y X), the last plane repeated until z can be halved."""
        step: int = 2 ** sum(self.halves_z)
        missing = -x.shape[2] % step
        if missing:
            x = F.pad(x, (0, 0, 0, 0, 0, missing), mode="replicate")
        return x.transpose(1, 2)

    def stage(self, level: int, below: Tensor) -> Tensor:
        """Go down to a level from the one above it, or from the image to level 0."""
        if level:
            below = F.max_pool2d(below.flatten(0, 1), 2).unflatten(0, below.shape[:2])
            if self.halves_z[level - 1]:
                below = torch.maximum(below[:, ::2], below[:, 1::2])
        found: Tensor = self.down[level](below)
        return found

    def rise(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps of all levels, full size first -> (B Z widths[0] Y X)."""
        x = maps[-1]
        for level in reversed(range(len(maps) - 1)):
            narrow = self.narrow[level](x.flatten(0, 1)).unflatten(0, x.shape[:2])
            x = self.up[level](resized(narrow, maps[level]) + maps[level])
        return x


class Feedback(nn.Module):
    """From a deep map to an early one; starts by saying nothing.

    Parameters
    ----------
    deep, early : int
        Channels.
    form : {"plain", "bottleneck"}
        One convolution of 1, or a residual block on a quarter of the channels before it.
    """

    def __init__(self, deep: int, early: int, form: Literal["plain", "bottleneck"]) -> None:
        super().__init__()
        self.thin: Residual | None = None
        if form == "bottleneck":
            self.thin = Residual(deep, max(4, deep // 4), 3)
            deep = max(4, deep // 4)
        self.back = _normed(deep, early, 1)
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, deep: Tensor, early: Tensor) -> Tensor:
        """Deep and early map -> what is added to the early one."""
        if self.thin is not None:
            deep = self.thin(deep)
        told = self.back(deep.flatten(0, 1)).unflatten(0, deep.shape[:2])
        scaled: Tensor = self.gain * resized(told, early)
        return scaled


def resized(x: Tensor, like: Tensor) -> Tensor:
    """Bring a map to the size of another: bilinear in the plane, planes repeated."""
    planes = F.interpolate(
        x.flatten(0, 1), size=like.shape[3:], mode="bilinear", align_corners=False
    )
    stacks: Tensor = planes.unflatten(0, x.shape[:2])
    return stacks.repeat_interleave(like.shape[1] // x.shape[1], 1)


def looped(
    body: ResNet3D, feedback: Feedback, x: Tensor, rounds: int, target: int, leak: float
) -> list[list[Tensor]]:
    """Run the stages, and run them again from an early one that was told of the deepest.

    Parameters
    ----------
    body : ResNet3D
    feedback : Feedback
    x : Tensor, shape (B, Z, C, Y, X)
    rounds : int
    target : int
        Level that is told.
    leak : float
        Strength of what it is told.

    Returns
    -------
    list of list of Tensor
        Of each round, the maps of all levels, full size first.
    """
    levels = len(body.down)
    maps: list[Tensor] = []
    for level in range(levels):
        maps.append(body.stage(level, maps[-1] if maps else x))
    found, early = [maps], maps[target]
    for _ in range(1, rounds):
        maps = [*maps[:target], early + leak * feedback(maps[-1], early)]
        for level in range(target + 1, levels):
            maps.append(body.stage(level, maps[-1]))
        found.append(maps)
    return found


class LoopNet3D(nn.Module):
    """A two-round segmenter of stacks.

    Parameters
    ----------
    channels, classes : int
    widths
        See `ResNet3D`.
    rounds : int
        How often the volume is looked at; 1 is the plain residual network.
    target : int
        Level that the deepest is fed back to, 0 is full size.
    flat, times
        See `ResNet3D`.
    form : {"plain", "bottleneck"}
        See `Feedback`.
    early : float
        Weight of the loss of the rounds before the last.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        widths: Sequence[int] = (8, 16, 32, 64),
        rounds: int = 2,
        target: int = 0,
        flat: int = 2,
        times: int = 1,
        form: Literal["plain", "bottleneck"] = "plain",
        early: float = 0.5,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "channels": channels,
            "classes": classes,
            "widths": list(widths),
            "rounds": rounds,
            "target": target,
            "flat": flat,
            "times": times,
            "form": form,
            "early": early,
        }
        self.rounds = rounds
        self.target = target
        self.body = ResNet3D(channels, widths, flat, times)
        self.feedback = Feedback(widths[-1], widths[target], form)
        self.head = nn.Conv2d(widths[0], classes, 1)
        self.multiple_of: int = self.body.multiple_of

    @property
    def reach(self) -> int:
        """Pixels to each side that an answer can depend on: every round looks as far again."""
        again = self.body.reach + 2 ** len(self.body.down)
        return -(-int(self.rounds * again) // self.multiple_of) * self.multiple_of

    def looks(self, x: Tensor, leak: float = 1.0) -> list[Tensor]:
        """Scores of every round, (B C Z Y X) -> (B K Z Y X) each; any number of planes."""
        stacks = self.body.into_stacks(x)
        rounds = looped(self.body, self.feedback, stacks, self.rounds, self.target, leak)
        found = []
        for maps in rounds:
            scores = self.head(self.body.rise(maps).flatten(0, 1))
            found.append(scores.unflatten(0, stacks.shape[:2])[:, : x.shape[2]].transpose(1, 2))
        return found

    def forward(self, x: Tensor, leak: float = 1.0) -> Tensor:
        """(B C Z Y X) -> (B K Z Y X), of the last round."""
        return self.looks(x, leak)[-1]

    def grow(self, count: int) -> None:
        """Append classes."""
        self.head = grown(self.head, count)


class LoopClassifier(nn.Module):
    """A two-round classifier of short clips: one class for all frames, such as a division ahead.

    Parameters
    ----------
    channels, classes : int
    widths, rounds, target, form
        See `LoopNet3D`; time is where a stack has z.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        widths: Sequence[int] = (8, 16, 32, 64),
        rounds: int = 2,
        target: int = 0,
        form: Literal["plain", "bottleneck"] = "plain",
    ) -> None:
        super().__init__()
        self.rounds = rounds
        self.target = target
        self.body = ResNet3D(channels, widths, flat=1)
        del self.body.narrow, self.body.up  # a class for all frames needs no way up
        self.feedback = Feedback(widths[-1], widths[target], form)
        self.head = nn.Linear(widths[-1], classes)

    def looks(self, clip: Tensor, leak: float = 1.0) -> list[Tensor]:
        """(B C T Y X) -> scores (B K) of every round; any number of frames."""
        stacks = self.body.into_stacks(clip)
        rounds = looped(self.body, self.feedback, stacks, self.rounds, self.target, leak)
        return [self.head(maps[-1].mean((1, 3, 4))) for maps in rounds]

    def forward(self, clip: Tensor, leak: float = 1.0) -> Tensor:
        """(B C T Y X) -> (B K)."""
        return self.looks(clip, leak)[-1]


def loop_loss(looks: Sequence[Tensor], classes: Tensor) -> Tensor:
    """What is wrong with the last look of a classifier, and half as much with those before.

    Parameters
    ----------
    looks : sequence of Tensor, shape (B, K)
    classes : Tensor, shape (B,), int64

    Returns
    -------
    Tensor, scalar
    """
    *before, last = (F.cross_entropy(scores, classes) for scores in looks)
    return last + 0.5 * sum(before, torch.zeros_like(last))
