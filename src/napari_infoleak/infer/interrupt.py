"""Cancel inside a forward pass, not only between two."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import nn

    from napari_infoleak.core.progress import CancelToken


@contextmanager
def interruptible(modules: Iterable[nn.Module], cancel: CancelToken) -> Iterator[None]:
    """Look at the cancel token before each layer, as long as the block lasts.

    A tile of 2048 x 2048 can take half a minute on a small computer; a layer of it takes about a
    second.

    Parameters
    ----------
    modules : iterable of Module
        Their innermost layers are watched.
    cancel : CancelToken
        `Cancelled` is raised out of the forward pass once it is set.

    Yields
    ------
    None
        The modules are as before when the block ends.
    """

    def look(_module: nn.Module, _inputs: Any) -> None:
        cancel.check()

    layers = {layer for module in modules for layer in module.modules()}
    hooks = [
        layer.register_forward_pre_hook(look)
        for layer in layers
        if next(layer.children(), None) is None
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
