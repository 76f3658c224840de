"""What made a result, as plain JSON that goes into the files written."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Set
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import numpy as np

_PACKAGE = "napari-infoleak"
_REPORTED = ("torch", "numpy")


def provenance(**what: Any) -> dict[str, Any]:
    """Say what made a result.

    Parameters
    ----------
    **what
        Anything to be remembered: model name and hash, support hash, settings. Numpy values,
        paths, dataclasses, pydantic models and sets become plain JSON; None is left out.

    Returns
    -------
    dict
        Program and version, UTC time, versions of torch and numpy as far as they are loaded, and
        `what`; all of it serialisable by `json`.

    Examples
    --------
    >>> provenance(model="membrane")["model"]
    'membrane'
    """
    loaded = {name: _version_of(name) for name in _REPORTED if name in sys.modules}
    record: dict[str, Any] = {
        "program": _PACKAGE,
        "version": package_version(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": ".".join(map(str, sys.version_info[:3])),
        "libraries": loaded,
    }
    record.update({key: plain_json(value) for key, value in what.items() if value is not None})
    return record


def package_version() -> str:
    """Return the installed version, or "0+unknown" where the package is not installed."""
    try:
        return metadata.version(_PACKAGE)
    except metadata.PackageNotFoundError:
        return "0+unknown"


def plain_json(value: Any) -> Any:
    """Turn a value into what `json` can write; what has no such form becomes its text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else str(value)
    if isinstance(value, np.generic | np.ndarray):
        return plain_json(value.tolist())
    if hasattr(value, "model_dump"):
        return plain_json(value.model_dump(mode="json"))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return plain_json(parts)
    if isinstance(value, Mapping):
        return {str(key): plain_json(part) for key, part in value.items()}
    if isinstance(value, Set):
        return sorted((plain_json(part) for part in value), key=repr)
    if isinstance(value, list | tuple):
        return [plain_json(part) for part in value]
    return str(value)


def _version_of(name: str) -> str:
    return str(getattr(sys.modules[name], "__version__", "unknown"))
