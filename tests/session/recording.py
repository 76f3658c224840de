"""A session as the dock would record it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_infoleak.io import read
from napari_infoleak.session import ImageReference, Session
from napari_infoleak.session import session as records
from napari_infoleak.session.paint import Paint


class Recording:
    """Records strokes on an image, and steps."""

    def __init__(self, image: Path, axes: str = "ZYX") -> None:
        self.session = Session([records.header()])
        self.numbers: dict[int, Paint] = {}
        self.add_image(0, image, axes)
        self.settings = {"model": "membrane", "leak": 1.0, "channel": None}

    def add_image(self, number: int, path: Path, axes: str = "ZYX") -> None:
        reference = ImageReference.of(read(path, axes))
        self.session.take(records.image(number, reference))
        self.session.take(records.layer(number + 1, number, f"paint {number}"))
        self.numbers[number] = Paint(reference.shape)
        supports = [other + 1 for other in self.numbers if other]
        self.session.take(records.use(1, supports))

    def paint(self, strokes: Any, number: int = 0) -> None:
        """Make the annotation of an image be this."""
        known = self.numbers[number]
        planes = np.asarray(strokes).reshape(known.shape)
        for t, z in np.ndindex(*known.shape[:2]):
            change = known.become(t, z, planes[t, z])
            if len(change):
                self.session.take(records.paint(number + 1, change))

    def step(self, name: str, **arguments: Any) -> None:
        if name == "segment":
            arguments = {**self.settings, "region": None, "uncertainty": False} | arguments
        number = self.session.next_step
        self.session.take(records.step(number, name, arguments))
        self.session.take(records.done(number, {}))
