"""Fold batch norms into the convolutions before them: the same numbers with a layer less.

In evaluation a batch norm is a scale and a shift for each channel, which the convolution can do at
no cost. Measured on two cores this makes a U-Net about a fifth faster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torch.nn.utils.parametrize import is_parametrized

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Convolution = (
        nn.Conv1d
        | nn.Conv2d
        | nn.Conv3d
        | nn.ConvTranspose1d
        | nn.ConvTranspose2d
        | nn.ConvTranspose3d
    )
    Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_TRANSPARENT = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


def fold(modules: Iterable[nn.Module]) -> int:
    """Fold, in place, all batch norms that directly follow a convolution.

    In a `Sequential` "follow" is certain. In any other module it is read off the order in which the
    layers were assigned (``conv``, then ``bn``), so a folded network must be compared with the
    plain one before it is trusted.

    Parameters
    ----------
    modules : iterable of Module
        In evaluation mode. Folded convolutions get new weights; folded norms become `Identity`.

    Returns
    -------
    int
        Number of norms folded.
    """
    roots = list(modules)
    parents = list(dict.fromkeys(part for root in roots for part in root.modules()))
    used = _uses(parents)
    folded: dict[nn.Module, nn.Module] = {}
    for convolution, norm in (pair for parent in parents for pair in _pairs(parent)):
        # A layer that occurs twice does two jobs; its weights can be folded for one of them only.
        if used[convolution] == used[norm] == 1 and norm not in folded:
            _absorb(convolution, norm)
            folded[norm] = nn.Identity()
    for parent in parents:
        for name, child in list(parent.named_children()):
            if child in folded:
                setattr(parent, name, folded[child])
    return len(folded)


def _uses(parents: list[nn.Module]) -> dict[nn.Module, int]:
    """Count in how many places each module is held."""
    count: dict[nn.Module, int] = {}
    for parent in parents:
        for child in parent._modules.values():
            if child is not None:
                count[child] = count.get(child, 0) + 1
    return count


def _pairs(parent: nn.Module) -> Iterator[tuple[Convolution, Norm]]:
    """Find the convolutions of a module that are directly followed by their norm."""
    if isinstance(parent, nn.ModuleList | nn.ModuleDict):
        return  # a shelf: the order says nothing about who feeds whom
    before: nn.Module | None = None
    for child in parent.children():
        if isinstance(child, _TRANSPARENT):
            continue
        if (
            isinstance(before, _CONVOLUTIONS + _TRANSPOSED)
            and isinstance(child, _NORMS)
            and _fit(before, child)
        ):
            yield before, child
        before = child


def _fit(convolution: Convolution, norm: Norm) -> bool:
    """Tell whether a norm has fixed statistics for just the channels of a convolution."""
    same_dims = type(norm).__name__[-2:] == type(convolution).__name__[-2:]
    grouped = isinstance(convolution, _TRANSPOSED) and convolution.groups > 1
    return (
        same_dims
        and not grouped
        and not is_parametrized(convolution)  # its weights are worked out anew each time
        and not norm.training
        and norm.running_mean is not None
        and norm.num_features == convolution.out_channels
    )


def _absorb(convolution: Convolution, norm: Norm) -> None:
    """Give a convolution the weights that do the norm's work too."""
    if norm.running_mean is None or norm.running_var is None:
        return
    convolution.weight, convolution.bias = fuse_conv_bn_weights(
        convolution.weight,
        convolution.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
        transpose=isinstance(convolution, _TRANSPOSED),
    )
