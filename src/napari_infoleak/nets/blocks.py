"""The bricks of the networks."""

from __future__ import annotations

from torch import Tensor, nn


class ConvNormAct(nn.Module):
    """3 x 3 convolution, batch norm, ReLU.

    The norm is a batch norm because it folds into the convolution once training is over, and
    because it looks at no other pixel then: a tile is answered as the whole image is.
    """

    def __init__(self, inputs: int, outputs: int, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation, bias=False)
        self.bn = nn.BatchNorm2d(outputs, momentum=0.03)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B C Y X) -> (B outputs Y X)."""
        out: Tensor = self.act(self.bn(self.conv(x)))
        return out


def double(inputs: int, outputs: int) -> nn.Sequential:
    """Two `ConvNormAct` in a row."""
    return nn.Sequential(ConvNormAct(inputs, outputs), ConvNormAct(outputs, outputs))
