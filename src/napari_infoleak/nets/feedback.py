"""Feedback U-Net: the answer returns to the input, and a second round thinks it over.

After Shibuya, Hotta 2020, arXiv 2004.14581, and 2022, doi 10.1007/s00371-021-02221-3. Confirmed by
the papers: two rounds at training and at test, the output of the first returns to the input layer,
convolutional LSTMs carry features from round to round. Reconstructed here: soft probabilities as
the signal, where the LSTMs sit and how they join, the loss of each round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from napari_infoleak.nets.familiar import Familiar, widened
from napari_infoleak.nets.heads import grown
from napari_infoleak.nets.silent import silent
from napari_infoleak.nets.stages import decode, encode
from napari_infoleak.nets.unet import UNet

if TYPE_CHECKING:
    from collections.abc import Sequence

State = dict[int, tuple[Tensor, Tensor]]
"""Hidden and cell state of the LSTM of each level, of one forward pass only."""


class ConvLSTM(nn.Module):
    """A convolutional LSTM without peepholes whose time is the round.

    Parameters
    ----------
    channels : int
        Of the input and of the hidden state.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(2 * channels, 4 * channels, 3, padding=1)

    def forward(
        self, x: Tensor, state: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """(B C Y X) and what the last round left, None in the first -> the same after this one."""
        hidden, cell = state or (torch.zeros_like(x), torch.zeros_like(x))
        take, keep, show, new = self.gates(torch.cat([x, hidden], 1)).chunk(4, 1)
        cell = keep.sigmoid() * cell + take.sigmoid() * new.tanh()
        hidden = show.sigmoid() * cell.tanh()
        return hidden, (hidden, cell)


class FeedbackUNet(nn.Module):
    """A U-Net that sees its own answer of the round before.

    Parameters
    ----------
    channels, classes : int
        Channels of the image; classes.
    widths, features
        See `UNet`.
    rounds : int
        How often the image is looked at; 1 is a plain U-Net.
    memory : sequence of int
        Levels of the encoder that have an LSTM, 0 is full size; empty: feedback alone.
    joint : {"add", "replace"}
        "add": the hidden state, through a 1 x 1 convolution that starts at zero, is added to the
        level's map, so that a trained U-Net can be taken over. "replace": the LSTM stands in for
        the second convolution of the level.
    detach : bool
        Whether no gradient returns through the answer that is fed back.
    early : float
        Weight of the loss of the rounds before the last.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        widths: Sequence[int] = (16, 32, 64, 128),
        features: int = 32,
        rounds: int = 2,
        memory: Sequence[int] = (1, 2),
        joint: Literal["add", "replace"] = "add",
        detach: bool = False,
        early: float = 1.0,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "channels": channels,
            "classes": classes,
            "widths": list(widths),
            "features": features,
            "rounds": rounds,
            "memory": list(memory),
            "joint": joint,
            "detach": detach,
            "early": early,
        }
        self.rounds = rounds
        self.replaces = joint == "replace"
        self.detach = detach
        self.body = UNet(channels + classes, widths, features)
        self.head = nn.Conv2d(features, classes, 1)
        self.recurrent = nn.ModuleDict({str(level): ConvLSTM(widths[level]) for level in memory})
        self.join = nn.ModuleDict()
        for level in memory:
            if self.replaces:
                block: Any = self.body.stem if level == 0 else self.body.down[level - 1]
                block[1] = nn.Identity()
            else:
                self.join[str(level)] = silent(nn.Conv2d(widths[level], widths[level], 1))
        self.familiar = Familiar(classes)
        self._mute_feedback(channels)
        self.multiple_of: int = self.body.multiple_of

    @property
    def reach(self) -> int:
        """Pixels to each side that an answer can depend on: every round looks as far again."""
        lstm = sum(2 ** int(level) for level in self.recurrent)
        once = self.body.reach + (0 if self.replaces else lstm)
        return -(-self.rounds * once // self.multiple_of) * self.multiple_of

    def round(self, x: Tensor, answer: Tensor, state: State) -> tuple[Tensor, State]:
        """Look once.

        Parameters
        ----------
        x : Tensor, shape (B, C, Y, X)
        answer : Tensor, shape (B, K, Y, X)
            Probabilities of the round before, 0 in the first.
        state : dict
            What the LSTMs kept of the round before, empty in the first.

        Returns
        -------
        scores : Tensor, shape (B, K, Y, X)
        state : dict
        """
        after: State = {}

        def remember(level: int, found: Tensor) -> Tensor:
            if str(level) not in self.recurrent:
                return found
            hidden: Tensor
            hidden, after[level] = self.recurrent[str(level)](found, state.get(level))
            return hidden if self.replaces else found + self.join[str(level)](hidden)

        maps = encode(self.body, torch.cat([x, answer], 1), remember)
        scores: Tensor = self.head(decode(self.body, maps))
        return scores, after

    def looks(self, x: Tensor, leak: float = 1.0) -> list[Tensor]:
        """Scores of every round.

        Parameters
        ----------
        x : Tensor, shape (B, C, Y, X)
        leak : float
            How much of the answer and of the LSTMs' state reaches the next round; at 0 every round
            is the first.

        Returns
        -------
        list of Tensor, shape (B, K, Y, X)
        """
        answer = x.new_zeros(len(x), self.head.out_channels, *x.shape[2:])
        state: State = {}
        found = []
        for _ in range(self.rounds):
            scores, state = self.round(x, answer, state)
            found.append(scores)
            answer = leak * self.familiar(scores.detach() if self.detach else scores)
            state = {level: (leak * h, leak * c) for level, (h, c) in state.items()}
        return found

    def forward(self, x: Tensor, leak: float = 1.0) -> Tensor:
        """(B C Y X) -> (B K Y X), of the last round."""
        return self.looks(x, leak)[-1]

    def grow(self, count: int) -> None:
        """Append classes; they are fed back from the first step of training on."""
        self.head = grown(self.head, count)
        first: Any = self.body.stem[0]
        first.conv = widened(first.conv, count)

    @torch.no_grad()
    def _mute_feedback(self, seen: int) -> None:
        """Let the first layer look at its first `seen` channels alone."""
        first: Any = self.body.stem[0]
        first.conv.weight[:, seen:] = 0
