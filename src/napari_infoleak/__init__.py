"""Segment membranes and cells in microscopy stacks from a few painted strokes.

The public names below are loaded when they are first used; importing the package loads neither
torch nor Qt. ``help(napari_infoleak.api)`` lists them with examples.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_HOME = {
    "BadInput": "core",
    "CancelToken": "core",
    "Cancelled": "core",
    "ClassTable": "core",
    "Corrections": "api",
    "Image": "core",
    "InfoleakError": "core",
    "Linked": "api",
    "Model": "api",
    "Region": "core",
    "Result": "api",
    "Spread": "api",
    "SupportSet": "core",
    "add_class": "api",
    "annotation_of_cells": "api",
    "cells": "api",
    "doubtful": "api",
    "evaluate": "api",
    "link": "api",
    "methods": "api",
    "models": "api",
    "propagate": "api",
    "read": "api",
    "read_labels": "api",
    "replay": "api",
    "review": "api",
    "segment": "api",
    "shrink": "api",
    "train": "api",
    "unknown": "api",
    "why": "api",
    "write": "api",
}

__all__ = [
    "BadInput",
    "CancelToken",
    "Cancelled",
    "ClassTable",
    "Corrections",
    "Image",
    "InfoleakError",
    "Linked",
    "Model",
    "Region",
    "Result",
    "Spread",
    "SupportSet",
    "__version__",
    "add_class",
    "annotation_of_cells",
    "cells",
    "doubtful",
    "evaluate",
    "link",
    "methods",
    "models",
    "propagate",
    "read",
    "read_labels",
    "replay",
    "review",
    "segment",
    "shrink",
    "train",
    "unknown",
    "why",
    "write",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for."""
    if name == "__version__":
        from napari_infoleak.core.provenance import package_version

        value: Any = package_version()
    elif name in _HOME:
        # By name and not by an import statement: to the import rule this file is no floor.
        value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted({*globals(), *__all__})


class _Callable(ModuleType):
    """A subpackage that is also the public function of its name.

    Python binds every imported subpackage to its parent, so ``evaluate`` the package would hide
    ``evaluate`` the function from then on.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        api = importlib.import_module("napari_infoleak.api")
        return getattr(api, self.__name__.rpartition(".")[2])(*args, **kwargs)


class _Package(ModuleType):
    """The package; a subpackage bound over a public function keeps the function callable."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _HOME and isinstance(value, ModuleType):
            value.__class__ = _Callable
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
