"""Mutual leakage: a segmenting network and its judge leak into each other.

After Tsuda, Hotta 2022, arXiv 2203.10455. Confirmed by the paper: features of the judge enter the
segmenting network as attention (ATA), and a map of difficult pixels enters its decoder and the
judge, from coarse to fine (PDA). The forms of both are those of public code from the laboratory,
unsigned and not proven to be the paper's, with its defects mended. Ours are the widths, attention
in windows, and what happens where nothing is annotated.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from napari_infoleak.nets.attention import WindowedAttention
from napari_infoleak.nets.blocks import ConvNormAct
from napari_infoleak.nets.familiar import Familiar, widened
from napari_infoleak.nets.heads import grown
from napari_infoleak.nets.stages import decode, encode
from napari_infoleak.nets.unet import UNet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Maps = dict[int, Tensor]
"""By level, 1 is half size."""


class Judge(nn.Module):
    """The discriminator: tell annotations from what the network made of an image.

    Parameters
    ----------
    channels, classes : int
    width : int
        Doubled at each step.
    steps : int
        How often the size is halved.
    """

    def __init__(self, channels: int, classes: int, width: int, steps: int) -> None:
        super().__init__()
        self.image = nn.Conv2d(channels, width // 2, 3, padding=1)
        self.answer = nn.Conv2d(classes, width - width // 2, 3, padding=1)
        widths = [width * 2**k for k in range(steps + 1)]
        self.steps = nn.ModuleList(
            nn.Sequential(
                spectral_norm(nn.Conv2d(a, b, 4, stride=2, padding=1)),
                nn.BatchNorm2d(b, momentum=0.03),
                nn.Mish(),
            )
            for a, b in itertools.pairwise(widths)
        )
        self.verdict = nn.Conv2d(widths[-1], 1, 1)

    @property
    def reach(self) -> int:
        """Pixels to each side that its lowest map can depend on."""
        return 1 + int(3 * 2 ** len(self.steps))

    def forward(self, x: Tensor, answer: Tensor, difficulty: Mapping[int, Tensor]) -> Judgement:
        """Judge.

        Parameters
        ----------
        x : Tensor, shape (B, C, Y, X)
        answer : Tensor, shape (B, K, Y, X)
            Probabilities, or an annotation with one class 1.
        difficulty : mapping of int to Tensor, shape (B, 1, Y/2**level, X/2**level)
            Leaks into the features of these levels.

        Returns
        -------
        Judgement
        """
        found = torch.cat([self.image(x), self.answer(answer)], 1)
        found = F.leaky_relu(found, 0.2)
        features: Maps = {}
        for level, step in enumerate(self.steps, 1):
            found = step(found)
            if level in difficulty:
                found = found * (1 + difficulty[level])
            features[level] = found
        return Judgement(features, self.verdict(found))


@dataclass(frozen=True)
class Judgement:
    """What the judge says.

    Attributes
    ----------
    features : dict of int to Tensor, shape (B, F, Y/2**level, X/2**level)
    verdict : Tensor, shape (B, 1, y, x)
        Of each patch, the logit of being an annotation.
    """

    features: Maps
    verdict: Tensor


@dataclass(frozen=True)
class Pass:
    """What one pass of the segmenting network gives.

    Attributes
    ----------
    scores : Tensor, shape (B, K, Y, X)
    early : list of Tensor, shape (B, K, Y, X)
        Scores of the lower levels of the decoder, coarse to fine.
    difficulty : dict of int to Tensor
        See `Judge`; without a gradient.
    """

    scores: Tensor
    early: list[Tensor]
    difficulty: Maps


class MutualLeakageNet(nn.Module):
    """A U-Net and its judge.

    Parameters
    ----------
    channels, classes : int
    widths, features
        See `UNet`.
    leaks : {"both", "ata", "pda", "none"}
        Which leaks there are; "none" is a U-Net with an ordinary adversarial loss.
    difficulty : {"guess", "truth"}
        What the difficulty of an annotated pixel is in training: one minus the probability of the
        likeliest class, as at test, or of the true class.
    window : int
        Side of the field of the attention, in pixels of the image.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        widths: Sequence[int] = (16, 32, 64, 128),
        features: int = 32,
        leaks: Literal["both", "ata", "pda", "none"] = "both",
        difficulty: Literal["guess", "truth"] = "guess",
        window: int = 64,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "channels": channels,
            "classes": classes,
            "widths": list(widths),
            "features": features,
            "leaks": leaks,
            "difficulty": difficulty,
            "window": window,
        }
        self.reads_truth = difficulty == "truth"
        self.body = UNet(channels, widths, features)
        self.head = nn.Conv2d(features, classes, 1)
        self.familiar = Familiar(classes)
        steps = len(widths) - 1
        self.judge = Judge(channels, classes, widths[0], steps)
        self.attention = nn.ModuleDict()
        self.early = nn.ModuleDict()
        if leaks in ("both", "ata"):
            for level in range(1, steps + 1):
                judged, pool = widths[0] * 2**level, 4 if level <= 2 else 2
                self.attention[str(level)] = WindowedAttention(
                    judged, judged, widths[level], widths[0], pool, window // 2**level
                )
        if leaks in ("both", "pda"):
            for level in range(1, steps):
                width = widths[level]
                self.early[str(level)] = nn.Sequential(
                    ConvNormAct(width, width), nn.Conv2d(width, classes, 1)
                )
        self.multiple_of: int = math.lcm(
            self.body.multiple_of, window if self.attention else self.body.multiple_of
        )

    @property
    def reach(self) -> int:
        """Pixels to each side that an answer can depend on."""
        once = self.body.reach + 3 * sum(2 ** int(level) for level in self.early)
        window = int(self.config["window"])
        both = 2 * once + self.judge.reach + 2 * window if self.attention else once
        return -(-int(both) // self.multiple_of) * self.multiple_of

    def answer(
        self,
        x: Tensor,
        judged: Mapping[int, Tensor] | None = None,
        truth: Tensor | None = None,
        leak: float = 1.0,
    ) -> Pass:
        """Segment once.

        Parameters
        ----------
        x : Tensor, shape (B, C, Y, X)
        judged : mapping of int to Tensor, optional
            Features of the judge; without them this is the first pass.
        truth : Tensor, shape (B, Y, X), int64, optional
            Annotation, -1 where there is none; for training.
        leak : float
            Strength of both leaks.
        """
        early: list[Tensor] = []
        difficulty: Maps = {}

        def attend(level: int, found: Tensor) -> Tensor:
            if judged is None or str(level) not in self.attention:
                return found
            added: Tensor = self.attention[str(level)](judged[level], judged[level], F.max_pool2d)
            return found + leak * added

        def weigh(level: int, found: Tensor) -> Tensor:
            if str(level) not in self.early:
                return found
            scores = F.interpolate(
                self.early[str(level)](found),
                scale_factor=2.0**level,
                mode="bilinear",
                align_corners=False,
            )
            early.append(scores)
            hard = difficulty_of(self.familiar(scores), truth if self.reads_truth else None)
            difficulty[level] = leak * F.avg_pool2d(hard, 2**level)
            return found * (1 + difficulty[level])

        features = decode(self.body, encode(self.body, x, attend), weigh)
        return Pass(self.head(features), early, difficulty)

    def judged(self, x: Tensor, leak: float = 1.0) -> Maps:
        """Segment without the judge, the first pass, and have that judged."""
        first = self.answer(x, leak=leak)
        found: Judgement = self.judge(x, self.familiar(first.scores), {})
        return found.features

    def forward(self, x: Tensor, leak: float = 1.0) -> Tensor:
        """(B C Y X) -> (B K Y X), of the second pass where there is one."""
        if not self.attention:
            return self.answer(x, leak=leak).scores
        return self.answer(x, self.judged(x, leak), leak=leak).scores

    def grow(self, count: int) -> None:
        """Append classes; they leak from the first step of training on."""
        self.head = grown(self.head, count)
        self.judge.answer = widened(self.judge.answer, count)
        for early in self.early.values():
            early[-1] = grown(early[-1], count)  # type: ignore[index, operator]


def difficulty_of(shares: Tensor, truth: Tensor | None = None) -> Tensor:
    """How far from certain each pixel is.

    Parameters
    ----------
    shares : Tensor, shape (B, K, Y, X)
        Probabilities.
    truth : Tensor, shape (B, Y, X), int64, optional
        Annotation, -1 where there is none.

    Returns
    -------
    Tensor, shape (B, 1, Y, X)
        One minus the probability of the true class, and of the likeliest where that is not known;
        without a gradient.
    """
    shares = shares.detach()
    sure = shares.amax(1, keepdim=True)
    if truth is not None:
        right = shares.gather(1, truth.clamp(min=0)[:, None])
        sure = torch.where((truth >= 0)[:, None], right, sure)
    return 1 - sure


def shown_to_judge(answer: Tensor, truth: Tensor) -> Tensor:
    """The annotation where there is one, the network's answer elsewhere.

    Parameters
    ----------
    answer : Tensor, shape (B, K, Y, X)
        Probabilities.
    truth : Tensor, shape (B, Y, X), int64
        -1 where nothing is annotated.

    Returns
    -------
    Tensor, shape (B, K, Y, X)
    """
    hot = F.one_hot(truth.clamp(min=0), answer.shape[1]).movedim(-1, 1).to(answer.dtype)
    return torch.where((truth >= 0)[:, None], hot, answer)


def verdict_loss(verdict: Tensor, real: bool, truth: Tensor) -> Tensor:
    """Cross-entropy of the judge over the patches that hold an annotated pixel.

    Parameters
    ----------
    verdict : Tensor, shape (B, 1, y, x)
    real : bool
        What the verdict should be.
    truth : Tensor, shape (B, Y, X), int64
        -1 where nothing is annotated.

    Returns
    -------
    Tensor, scalar
    """
    patch = truth.shape[-1] // verdict.shape[-1]
    seen = F.max_pool2d((truth >= 0)[:, None].float(), patch)
    loss = F.binary_cross_entropy_with_logits(
        verdict.float(),
        torch.full_like(verdict, float(real), dtype=torch.float32),
        reduction="none",
    )
    return (loss * seen).sum() / seen.sum().clamp(min=1)
