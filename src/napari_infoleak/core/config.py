"""Settings of a segmentation, checked before any work begins."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_infoleak.core.errors import BadInput

Device = Literal["auto", "cpu", "cuda", "mps"]


class SegmentConfig(BaseModel):
    """How an image is segmented. Frozen; unknown settings are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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

    @classmethod
    def checked(cls, **settings: Any) -> SegmentConfig:
        """Make a configuration, with a one-line error for a person.

        Parameters
        ----------
        **settings
            The fields above.

        Raises
        ------
        BadInput
            If a setting is unknown or out of range.
        """
        try:
            return cls(**settings)
        except ValidationError as error:
            raise BadInput(_in_one_line(error, tuple(cls.model_fields))) from error


def _in_one_line(error: ValidationError, known: tuple[str, ...]) -> str:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"there is no setting {name!r}; the settings are {', '.join(known)}"
    return f"setting {name} = {first['input']!r} is not possible: {first['msg'].lower()}"
