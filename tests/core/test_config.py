from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from napari_infoleak.core.config import SegmentConfig
from napari_infoleak.core.errors import BadInput


def test_the_defaults_are_possible() -> None:
    config = SegmentConfig.checked()
    assert (config.model, config.leak, config.device) == ("membrane", 1.0, "auto")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"leak": 1.5}, "leak"),
        ({"leak": float("nan")}, "leak"),
        ({"device": "tpu"}, "device"),
        ({"tile": 3}, "tile"),
        ({"threads": 0}, "threads"),
        ({"channel": -1}, "channel"),
        ({"model": ""}, "model"),
        ({"leek": 1.0}, "no setting 'leek'; the settings are model"),
    ],
)
def test_impossible_settings_are_told_in_one_line(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput) as caught:
        SegmentConfig.checked(**settings)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_configuration_does_not_change() -> None:
    with pytest.raises(ValidationError):
        SegmentConfig().leak = 0.5  # type: ignore[misc]
