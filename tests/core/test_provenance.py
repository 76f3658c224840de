from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.core.config import SegmentConfig
from napari_infoleak.core.provenance import provenance
from napari_infoleak.core.region import Region


def test_it_is_plain_json_whatever_is_noted() -> None:
    noted = provenance(
        model="membrane",
        path=Path("a") / "b",
        settings=SegmentConfig(leak=0.5),
        region=Region(0, 1, 0, 1, 0, 2, 0, 3),
        classes=ClassTable.membrane(),
        ids={3, 1, 2},
        number=np.float32(0.5),
        array=np.arange(3),
        not_a_number=float("nan"),
        nothing=None,
    )
    back = json.loads(json.dumps(noted, allow_nan=False))
    assert back == noted
    assert noted["settings"]["leak"] == 0.5
    assert noted["ids"] == [1, 2, 3]
    assert noted["array"] == [0, 1, 2]
    assert noted["region"]["x1"] == 3
    assert noted["not_a_number"] == "nan"
    assert "nothing" not in noted


def test_it_says_what_when_and_with_what() -> None:
    noted = provenance()
    assert noted["program"] == "napari-infoleak"
    assert noted["version"]
    assert noted["libraries"]["numpy"] == np.__version__
    made = datetime.fromisoformat(noted["time"])
    assert abs((datetime.now(UTC) - made).total_seconds()) < 60
