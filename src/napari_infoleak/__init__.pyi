from napari_infoleak.api import (
    Model,
    Result,
    cells,
    evaluate,
    methods,
    models,
    read,
    read_labels,
    segment,
    train,
    write,
)
from napari_infoleak.core import (
    BadInput,
    Cancelled,
    CancelToken,
    ClassTable,
    Image,
    InfoleakError,
    Region,
    SupportSet,
)

__version__: str

__all__ = [
    "BadInput",
    "CancelToken",
    "Cancelled",
    "ClassTable",
    "Image",
    "InfoleakError",
    "Model",
    "Region",
    "Result",
    "SupportSet",
    "__version__",
    "cells",
    "evaluate",
    "methods",
    "models",
    "read",
    "read_labels",
    "segment",
    "train",
    "write",
]
