from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr

from napari_infoleak.core.errors import BadInput
from napari_infoleak.io import read, read_labels

PIXELS = np.arange(2 * 4 * 16 * 18, dtype=np.uint16).reshape(2, 4, 16, 18)


def axis(name: str, kind: str = "space", **more: str) -> dict[str, str]:
    return {"name": name, "type": kind, **more}


CZYX = [
    axis("c", "channel"),
    axis("z", unit="micrometer"),
    axis("y", unit="nanometer"),
    axis("x", unit="nanometer"),
]


def multiscale(axes: Any, *transforms: dict[str, Any], **more: Any) -> dict[str, Any]:
    datasets = [{"path": "s0", "coordinateTransformations": list(transforms)}, {"path": "s1"}]
    return {"axes": axes, "datasets": datasets, **more}


def make(path: Path, version: str, told: dict[str, Any], pixels: np.ndarray = PIXELS) -> Path:
    """A store as another program would write it."""
    zarr_format = 3 if version == "0.5" else 2
    group = zarr.open_group(str(path), mode="w", zarr_format=zarr_format)
    for name, level in (("s0", pixels), ("s1", pixels[..., ::2, ::2])):
        chunks = (1,) * (pixels.ndim - 2) + (8, 9)
        stored = group.create_array(name, shape=level.shape, chunks=chunks, dtype=level.dtype)
        stored[...] = level
    group.attrs.update({"ome": {"version": version, **told}} if version == "0.5" else told)
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_stores_of_other_programs_are_read_lazily(tmp_path: Path, version: str) -> None:
    told = {
        "multiscales": [
            multiscale(
                CZYX,
                {"type": "scale", "scale": [1, 2, 4, 5]},
                {"type": "translation", "translation": [0, 7, 8, 9]},
            )
        ],
        "omero": {"channels": [{"label": "actin"}, {"label": "DNA"}]},
    }
    image = read(make(tmp_path / "é a.ome.zarr", version, told))
    assert isinstance(image.data, da.Array)
    assert image.axes == "CZYX"
    assert dict(image.scale) == {"Z": 2.0, "Y": 4.0, "X": 5.0}
    assert dict(image.translate) == {"Z": 7.0, "Y": 8.0, "X": 9.0}
    assert [image.units[n] for n in "TZYX"] == ["pixel", "micrometer", "nanometer", "nanometer"]
    assert image.channel_names == ("actin", "DNA")
    assert image.name == "é a"
    np.testing.assert_array_equal(image.plane(0, 3, channel=1), PIXELS[1, 3])


def test_a_plane_reads_only_its_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = read(make(tmp_path / "a.zarr", "0.5", {"multiscales": [multiscale(CZYX)]}))
    keys: list[str] = []
    get = zarr.storage.LocalStore.get

    async def noting(store: Any, key: str, *args: Any, **kwargs: Any) -> Any:
        keys.append(key)
        return await get(store, key, *args, **kwargs)

    monkeypatch.setattr(zarr.storage.LocalStore, "get", noting)
    image.plane(0, 2, channel=1)
    chunks = sorted(key for key in keys if "/c/" in key)
    assert chunks == [f"s0/c/1/2/{y}/{x}" for y in (0, 1) for x in (0, 1)]


def test_transformations_of_all_levels_come_second(tmp_path: Path) -> None:
    told = multiscale(
        CZYX,
        {"type": "scale", "scale": [1, 1, 2, 2]},
        {"type": "translation", "translation": [0, 0, 3, 3]},
        coordinateTransformations=[{"type": "scale", "scale": [1, 10, 10, 10]}],
    )
    image = read(make(tmp_path / "a.zarr", "0.4", {"multiscales": [told]}))
    assert dict(image.scale) == {"Z": 10.0, "Y": 20.0, "X": 20.0}
    assert (image.translate["Y"], image.translate["X"]) == (30.0, 30.0)


@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        (["t", "z", "y", "x"], "TZYX"),  # 0.3
        ([axis("channel", "channel"), axis("z"), axis("y"), axis("x")], "CZYX"),
        ([axis("time", "time"), axis("z"), axis("y"), axis("x")], "TZYX"),
    ],
)
def test_axes_in_other_spellings(tmp_path: Path, axes: Any, expected: str) -> None:
    path = make(tmp_path / "a.zarr", "0.4", {"multiscales": [multiscale(axes)]})
    assert read(path).axes == expected


def test_before_axes_were_named_there_were_five(tmp_path: Path) -> None:
    told = {"multiscales": [{"datasets": [{"path": "s0"}], "version": "0.1"}]}
    assert read(make(tmp_path / "a.zarr", "0.4", told, PIXELS[None])).axes == "TCZYX"


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_bare_array_is_an_image(tmp_path: Path, zarr_format: Any) -> None:
    names = ["t", "z", "y", "x"] if zarr_format == 3 else None  # and else a guess
    stored = zarr.create_array(
        str(tmp_path / "a.zarr"), shape=PIXELS.shape, dtype="uint16", zarr_format=zarr_format,
        dimension_names=names,
    )  # fmt: skip
    stored[...] = PIXELS
    image = read(tmp_path / "a.zarr")
    assert image.axes == "TZYX"
    np.testing.assert_array_equal(image.data[:, 0], PIXELS)


def test_a_path_may_lead_into_the_store(tmp_path: Path) -> None:
    path = make(tmp_path / "a.zarr", "0.5", {"multiscales": [multiscale(CZYX)]})
    assert read(path / "s1").sizes["X"] == 9
    make(path / "labels" / "cells", "0.5", {"multiscales": [multiscale(CZYX[1:])]}, PIXELS[0])
    labels, axes = read_labels(path / "labels" / "cells")
    assert axes == "ZYX"
    np.testing.assert_array_equal(labels, PIXELS[0])


def test_the_wrapper_of_one_image_is_opened(tmp_path: Path) -> None:
    root = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    make(tmp_path / "a.zarr" / "0", "0.4", {"multiscales": [multiscale(CZYX)]})
    assert read(tmp_path / "a.zarr").axes == "CZYX"
    make(tmp_path / "a.zarr" / "1", "0.4", {"multiscales": [multiscale(CZYX)]})
    with pytest.raises(BadInput, match=r"2 images \(0, 1\); give the path of one"):
        read(tmp_path / "a.zarr")


def test_a_plate_is_told(tmp_path: Path) -> None:
    root = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=2)
    root.attrs["plate"] = {"rows": []}
    with pytest.raises(BadInput, match="a plate with many images"):
        read(tmp_path / "a.zarr")


def test_a_group_of_arrays_is_told(tmp_path: Path) -> None:
    make(tmp_path / "a.zarr", "0.5", {})
    with pytest.raises(BadInput, match="it holds s0, s1: give the path of one array"):
        read(tmp_path / "a.zarr")


@pytest.mark.parametrize("told", [{}, {"multiscales": []}, {"multiscales": [{"datasets": []}]}])
def test_metadata_without_an_image_are_told(tmp_path: Path, told: dict[str, Any]) -> None:
    zarr.open_group(str(tmp_path / "a.zarr"), mode="w").attrs.update({"ome": told})
    with pytest.raises(BadInput) as caught:
        read(tmp_path / "a.zarr")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"zarr_format": 99}'])
def test_damaged_metadata_are_told(tmp_path: Path, text: str) -> None:
    path = make(tmp_path / "a.zarr", "0.5", {"multiscales": [multiscale(CZYX)]})
    (path / "zarr.json").write_text(text)
    with pytest.raises(BadInput):
        read(path)
    path = make(tmp_path / "b.zarr", "0.5", {"multiscales": [multiscale(CZYX)]})
    (path / "s0" / "zarr.json").write_text(text)
    with pytest.raises(BadInput):
        read(path)


def test_a_damaged_chunk_is_told_when_it_is_read(tmp_path: Path) -> None:
    path = make(tmp_path / "a.zarr", "0.5", {"multiscales": [multiscale(CZYX)]})
    chunk = path / "s0" / "c" / "0" / "0" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-20])
    image = read(path)
    with pytest.raises(BadInput, match="damaged"):
        image.plane(0, 0, channel=0)
    assert image.plane(0, 1, channel=0).shape == (16, 18)


def test_a_missing_level_is_told(tmp_path: Path) -> None:
    told = multiscale(CZYX)
    told["datasets"][0]["path"] = "nowhere"
    path = make(tmp_path / "a.zarr", "0.5", {"multiscales": [told]})
    with pytest.raises(BadInput, match="incomplete"):
        read(path)


def test_an_empty_folder_with_the_name_of_a_store_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(BadInput):
        read(tmp_path / "a.zarr")


def test_json_of_another_program_beside_a_store_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "settings.json").write_text(json.dumps({"a": 1}))
    with pytest.raises(BadInput, match="is a folder"):
        read(tmp_path / "notes")
