"""A trained model: what `train` returns and `segment` takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_infoleak.core.errors import BadInput
from napari_infoleak.io.weights import save_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_infoleak.core.classes import ClassTable
    from napari_infoleak.segmenters.protocol import Segmenter

SUFFIX = ".safetensors"


@dataclass(frozen=True, eq=False)
class Model:
    """What a training came to; `segment` takes it as its model.

    Attributes
    ----------
    segmenter : Segmenter
        On the processor.
    method : str
    classes : ClassTable
    steps, step : int
        How many steps were taken, and after which the weights were so.
    seconds : float
    before, score : mapping or None
        Of the annotations held out: ``miou``, ``iou`` by class id and ``loss``, by the weights that
        were started from and by these; None where nothing could be held out.
    stopped : bool
        Whether it was cancelled before its time.
    provenance : mapping
        What made it, plain JSON; `save` writes it.
    path : Path or None
        Its file, once there is one.
    """

    segmenter: Segmenter
    method: str
    classes: ClassTable
    steps: int
    step: int
    seconds: float
    before: Mapping[str, Any] | None
    score: Mapping[str, Any] | None
    stopped: bool
    provenance: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None

    def __str__(self) -> str:
        """Name it, as results do."""
        return self.path.name if self.path else f"{self.method} trained here"

    @property
    def trained_on(self) -> tuple[str, ...]:
        """Short hashes of the image planes it has learned from; none may be scored on."""
        return tuple(self.provenance.get("trained_on", ()))

    def save(self, path: str | Path) -> Path:
        """Write a model file.

        Parameters
        ----------
        path : str or Path
            Ends in ``.safetensors``.

        Returns
        -------
        Path

        Raises
        ------
        BadInput
            If the suffix is another, or the folder does not exist.
        WriteFailed
            If the disk is full or may not be written to.
        """
        return save_weights(
            model_path(path), self.segmenter.tensors(), self.segmenter.header() | self._noted()
        )

    def _noted(self) -> dict[str, Any]:
        score = f", mean IoU {self.score['miou']:.2f} on held-out paint" if self.score else ""
        return {
            "description": f"Trained on your annotations: {self.method}{score}.",
            "trained_on": list(self.trained_on),
            "provenance": dict(self.provenance),
        }


def model_path(path: str | Path) -> Path:
    """Check where a model shall be written to.

    Raises
    ------
    BadInput
        If the suffix is not ``.safetensors``, or the folder does not exist.
    """
    target = Path(path).expanduser()
    if target.suffix != SUFFIX:
        raise BadInput(f"a model file ends in {SUFFIX}; {target.name} does not")
    if not target.parent.is_dir():
        raise BadInput(f"the folder {target.parent} does not exist; make it first")
    return target
