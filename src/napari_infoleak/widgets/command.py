"""The command line that does what the dock did."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from napari_infoleak.widgets.layers import file_of

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_infoleak.widgets.layers import Source
    from napari_infoleak.widgets.state import DockState

DEFAULT_MODEL = "membrane"


@dataclass
class Command:
    """A command line, and what has to be saved before it can run.

    Parameters
    ----------
    words : list of str
        Program and arguments.
    missing : list of str
        Layers that lie in no file yet, with the file names that the command takes for them.
    """

    words: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The line, quoted for the shell of this system."""
        return subprocess.list2cmdline(self.words) if os.name == "nt" else shlex.join(self.words)


def segment_command(state: DockState) -> Command:
    """Return the command that gives the dock's labels.

    Parameters
    ----------
    state : DockState
        With a source.
    """
    source = state.source
    if source is None:
        return Command()
    command = Command(["infoleak", "segment"])
    image = _file(command, source.layer, f"{stem(source.name)}.tif")
    command.words.append(image)
    if state.annotation is not None and state.count.total:
        layer = state.annotation.layer
        path = _file(command, layer, f"{stem(source.name)}_annotation.tif")
        command.words += ["--annotations", path]
    for pair in state.supports:
        other = _file(command, pair.source.layer, f"{stem(pair.source.name)}.tif")
        paint = _file(command, pair.annotation, f"{stem(pair.annotation.name)}.tif")
        command.words += ["--support", other, paint]
    command.words += _options(state, source)
    command.words += ["--output", str(Path(image).with_name(f"{bare(image)}_labels.ome.tif"))]
    return command


def stem(name: str) -> str:
    """Return a layer's name as part of a file name."""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name).strip("_") or "image"


def bare(path: str) -> str:
    """Return a file's name without its endings, "a" for "a.ome.tif"."""
    name = Path(path).name
    for ending in (".ome.tif", ".ome.tiff", ".ome.zarr"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return Path(name).stem


def _options(state: DockState, source: Source) -> list[str]:
    words: list[str] = []
    if state.model != DEFAULT_MODEL:
        words += ["--model", state.model]
    words += ["--axes", source.axes]
    if state.channel is not None and source.channels > 1:
        words += ["--channel", str(state.channel)]
    others = {pair.source.axes for pair in state.supports} - {source.axes}
    if others:
        words += ["--support-axes", others.pop()]
    if state.leak != 1.0:
        words += ["--leak", f"{state.leak:g}"]
    return words


def _file(command: Command, layer: Layer, otherwise: str) -> str:
    """Return the file of a layer, or the name it has to be saved under."""
    path = file_of(layer)
    if path is None:
        command.missing.append(f"“{layer.name}” as {otherwise}")
        return otherwise
    return path
