from __future__ import annotations

import copy

import pytest
import torch
from infer_fakes import Block
from torch import nn

from napari_infoleak.infer.fold import fold


def lively(module):
    """Give batch norms something to do."""
    torch.manual_seed(1)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            part.running_mean.uniform_(-1, 1)
            part.running_var.uniform_(0.5, 2)
            if part.affine:
                nn.init.uniform_(part.weight, 0.5, 1.5)
                nn.init.uniform_(part.bias, -1, 1)
    return module.eval()


class PreActivation(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm2d(2)
        self.conv = nn.Conv2d(2, 2, 3)

    def forward(self, x):
        return self.conv(self.bn(x))


class Tied(nn.Module):
    """One convolution, two norms."""

    def __init__(self):
        super().__init__()
        self.a = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2))
        self.b = nn.Sequential(self.a[0], nn.BatchNorm2d(2))

    def forward(self, x):
        return self.a(x) + self.b(x)


@pytest.mark.parametrize(
    ("module", "shape", "pairs"),
    [
        (nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)), (1, 2, 8, 8), 1),
        (nn.Sequential(nn.Conv2d(2, 3, 3, bias=False), nn.BatchNorm2d(3)), (1, 2, 8, 8), 1),
        (nn.Sequential(nn.Conv2d(4, 4, 3, groups=2), nn.BatchNorm2d(4)), (1, 4, 8, 8), 1),
        (nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3, affine=False)), (1, 2, 8, 8), 1),
        (nn.Sequential(nn.Conv2d(2, 3, 3), nn.Dropout(), nn.BatchNorm2d(3)), (1, 2, 8, 8), 1),
        (nn.Sequential(nn.Conv3d(2, 3, 3), nn.BatchNorm3d(3)), (1, 2, 5, 5, 5), 1),
        (nn.Sequential(nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3)), (1, 2, 8), 1),
        (nn.Sequential(nn.ConvTranspose2d(2, 3, 2, 2), nn.BatchNorm2d(3)), (1, 2, 8, 8), 1),
        (nn.Sequential(Block(2, 3), nn.Sequential(Block(3, 3), Block(3, 2))), (1, 2, 8, 8), 3),
        # Not to be folded:
        (nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.BatchNorm2d(3)), (1, 2, 8, 8), 0),
        (nn.Sequential(nn.BatchNorm2d(2), nn.Conv2d(2, 2, 3)), (1, 2, 8, 8), 0),
        (
            nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3, track_running_stats=False)),
            (1, 2, 8, 8),
            0,
        ),
        (PreActivation(), (1, 2, 8, 8), 0),
        (Tied(), (1, 2, 8, 8), 0),
    ],
)
def test_folding_changes_no_answer(module, shape, pairs):
    plain = lively(module) if pairs or not isinstance(module, nn.Sequential) else module.eval()
    folded = copy.deepcopy(plain)
    assert fold([folded]) == pairs
    x = torch.randn(shape)
    with torch.no_grad():
        torch.testing.assert_close(folded(x), plain(x), atol=1e-5, rtol=1e-5)


def test_a_norm_in_training_is_not_folded():
    assert fold([nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)).train()]) == 0


def test_modules_may_be_listed_with_all_their_parts():
    module = lively(nn.Sequential(Block(2, 3), Block(3, 2)))
    assert fold(module.modules()) == 2
    assert not any(isinstance(part, nn.BatchNorm2d) for part in module.modules())
