"""``infoleak doctor``: what works on this computer, and what does not."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_infoleak import api
from napari_infoleak.cli.console import print_json, table
from napari_infoleak.cli.options import Json
from napari_infoleak.core.provenance import package_version
from napari_infoleak.io.array_cache import cache_folder
from napari_infoleak.scale.failures import describe

MODEL = "membrane"
SIDE = 256
LINES = 5
_GUI = ("napari", "qtpy", "magicgui", "superqt", "psygnal")
_BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")


def doctor(*, json: Json = False) -> int:
    """Check the installation, and segment a small generated image.

    Parameters
    ----------
    json
        Print the findings as JSON.

    Returns
    -------
    int
        0 if an image can be segmented, else 1.
    """
    answer = _answer()
    found: dict[str, Any] = {
        "version": package_version(),
        "python": f"{platform.python_version()} ({platform.system()} {platform.machine()})",
        "executable": sys.executable,
        "libraries": {name: _version(name) for name in ("torch", "numpy", "zarr", "tifffile")},
        "devices": _devices(),
        "threads": _threads(),
        "models": _models(),
        "cache": _cache(),
        "gui": _gui(),
        "answer": answer,
        "healthy": answer["works"],
    }
    if json:
        print_json(found)
    else:
        _say(found)
    return 0 if found["healthy"] else 1


def five_lines(side: int = SIDE, lines: int = LINES) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Draw dark membranes on a bright, noisy ground.

    Parameters
    ----------
    side : int
        Pixels along an edge.
    lines : int
        Number of wavy lines.

    Returns
    -------
    image : ndarray, shape (side, side), float32
    membranes : ndarray, shape (side, side), bool
    """
    rows, columns = np.mgrid[:side, :side]
    step = side / lines
    centres = step * (np.arange(lines) + 0.5)[:, None, None]
    waves = centres + step / 4 * np.sin(columns / side * 2 * np.pi + centres)
    distance = np.abs(rows - waves).min(axis=0)
    noise = np.random.default_rng(0).normal(0, 12, (side, side))
    image = 180 - 120 * np.exp(-((distance / 2.5) ** 2)) + noise
    return image.astype(np.float32), distance < 2.5


def _version(name: str) -> str:
    """Return a library's version, or a word on what is wrong with it."""
    try:
        return str(importlib.import_module(name).__version__)
    except ImportError as error:
        return f"missing: {describe(error)[0]}"


def _devices() -> list[dict[str, Any]]:
    """List the devices, with the reason where one cannot be used."""
    from napari_infoleak.infer.backends import describe_devices

    return [
        {"name": one.kind, "usable": one.available, "detail": one.detail}
        for one in describe_devices()
    ]


def _threads() -> dict[str, int | None]:
    """Return the threads that torch uses and the processors there are."""
    from napari_infoleak.infer.backends import set_threads

    return {"used": set_threads(), "processors": os.cpu_count()}


def _models() -> list[dict[str, Any]]:
    """Load every shipped model; a damaged one is told, not raised."""
    from napari_infoleak.segmenters import registry

    try:
        shipped = api.models()
    except Exception as error:
        return [{"name": MODEL, "loads": False, "detail": describe(error)[0]}]
    found = []
    for one in shipped:
        try:
            registry.load(one.name)
            loads, detail = True, f"{one.size_bytes / 1e6:.1f} MB, sha256 {one.sha256[:12]}"
        except Exception as error:
            loads, detail = False, describe(error)[0]
        found.append({"name": one.name, "loads": loads, "detail": detail})
    return found


def _cache() -> dict[str, Any]:
    """Say where files are kept between runs, and whether they can be."""
    folder = cache_folder()
    existing = next(one for one in (folder, *folder.parents) if one.exists())
    return {"folder": str(folder), "writable": os.access(existing, os.W_OK)}


def _gui() -> dict[str, Any]:
    """Say whether the dock could open here; nothing of it is loaded."""
    missing = [name for name in _GUI if importlib.util.find_spec(name) is None]
    bindings = [name for name in _BINDINGS if importlib.util.find_spec(name) is not None]
    if not bindings:
        missing.append("PyQt6 or PySide6")
    return {"present": not missing, "missing": missing, "bindings": bindings}


def _answer() -> dict[str, Any]:
    """Segment the generated image with a few strokes, and compare."""
    image, membranes = five_lines()
    strokes = np.zeros(image.shape, np.uint8)
    column = slice(SIDE // 8, SIDE // 4)
    strokes[:, column] = np.where(membranes, 2, 1)[:, column]
    try:
        api.segment(image[:64, :64], axes="YX")  # loads what the first answer waits for
        begin = time.perf_counter()
        result = api.segment(image, annotations=strokes, axes="YX")
        seconds = time.perf_counter() - begin
    except Exception as error:
        return {"works": False, "detail": describe(error)[0]}
    got, seen = result.labels == 2, strokes == 0
    overlap = float((got & membranes & seen).sum() / max(((got | membranes) & seen).sum(), 1))
    detail = f"{LINES} lines on {SIDE} x {SIDE} pixels, overlap {overlap:.2f}"
    return {"works": True, "seconds": round(seconds, 3), "overlap": overlap, "detail": detail}


def _say(found: dict[str, Any]) -> None:
    """Tell a person what was found."""
    answer, gui = found["answer"], found["gui"]
    took = f" in {answer['seconds']:.2f} s" if answer["works"] else ""
    rows = [
        ("napari-infoleak", found["version"]),
        ("Python", found["python"]),
        *((name, version) for name, version in found["libraries"].items()),
        *((f"device {d['name']}", _yes(d["usable"], d["detail"])) for d in found["devices"]),
        ("threads", "{used} of {processors} processors".format(**found["threads"])),
        *((f"model {m['name']}", _yes(m["loads"], m["detail"])) for m in found["models"]),
        *([] if found["models"] else [("model", "no: none is installed; install again")]),
        ("cache", _yes(found["cache"]["writable"], found["cache"]["folder"])),
        ("window", _yes(gui["present"], _gui_detail(gui))),
        ("answer", _yes(answer["works"], answer["detail"] + took)),
    ]
    print(table(rows))


def _yes(good: bool, detail: str) -> str:
    """Begin with whether it works."""
    return f"{'yes' if good else 'no'}: {detail}"


def _gui_detail(gui: dict[str, Any]) -> str:
    """Name what is there, or what to install."""
    if gui["present"]:
        return f"napari with {', '.join(gui['bindings'])}"
    missing = ", ".join(gui["missing"])
    return f'{missing} missing; pip install "napari-infoleak[gui]" to have the dock'
