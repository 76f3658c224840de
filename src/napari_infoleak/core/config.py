"""Settings of a segmentation and of a training, checked before any work begins."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_infoleak.core.errors import BadInput

Device = Literal["auto", "cpu", "cuda", "mps"]


class _Checked(BaseModel):
    """Settings that say in one line what is wrong with them. Frozen; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def checked(cls, **settings: Any) -> Self:
        """Make a configuration, with a one-line error for a person.

        Parameters
        ----------
        **settings
            The fields of the class.

        Raises
        ------
        BadInput
            If a setting is unknown or out of range.
        """
        try:
            return cls(**settings)
        except ValidationError as error:
            raise BadInput(_in_one_line(error, tuple(cls.model_fields))) from error


class SegmentConfig(_Checked):
    """How an image is segmented."""

    model: str = Field(default="membrane", min_length=1)
    """Name of a shipped or trained model, or the path of its file."""
    axes: str | None = None
    """Axis letters of the image; None guesses."""
    channel: int | None = Field(default=None, ge=0)
    """Channel to look at, from 0; None is the first, or the mean of colours."""
    leak: float = Field(default=1.0, ge=0.0, le=1.0)
    """How strongly annotations leak into the answer, 0 (not at all) to 1."""
    device: Device = "auto"
    """Where to compute."""
    tile: int | None = Field(default=None, ge=16)
    """Edge of a tile in pixels; None chooses."""
    threads: int | None = Field(default=None, ge=1)
    """Threads of the network on the CPU; None chooses."""
    probabilities: bool = True
    """Whether class probabilities are returned."""
    uncertainty: bool = False
    """Whether an uncertainty map is returned."""
    rounds: bool = False
    """Whether the probabilities after each look of the network are returned."""


class TrainConfig(_Checked):
    """How a segmenter is trained."""

    method: str = Field(default="unet", min_length=1)
    """Name of the method."""
    steps: int | None = Field(default=None, ge=1)
    """Steps to take in all; None asks `minutes`."""
    minutes: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Time to take in all; where both are given, what is reached first ends it."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Of the first weights, the crops and the held-out annotations."""
    crop: int = Field(default=192, ge=16)
    """Side of a crop in pixels, rounded up to what the network takes."""
    depth: int = Field(default=16, ge=1)
    """Planes of a crop, for networks that take volumes; rounded up likewise."""
    batch: int = Field(default=4, ge=1)
    """Crops a step."""
    rate: float = Field(default=2e-3, gt=0, le=1)
    """Highest rate of learning."""
    average: float = Field(default=0.99, ge=0, lt=1)
    """How much of the averaged weights a step keeps; 0 takes the newest."""
    hold_out: bool = True
    """Whether some of the annotations are kept from training, to tell how good the model is."""
    mixed: bool = True
    """Whether to compute in bfloat16 where the hardware does."""
    device: Device = "auto"
    """Where to compute."""
    threads: int | None = Field(default=None, ge=1)
    """Threads of the processor; None leaves torch's choice."""


def _in_one_line(error: ValidationError, known: tuple[str, ...]) -> str:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"there is no setting {name!r}; the settings are {', '.join(known)}"
    return f"setting {name} = {first['input']!r} is not possible: {first['msg'].lower()}"
