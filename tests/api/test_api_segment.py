from __future__ import annotations

import json
import os
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import zarr

import napari_infoleak as il
from napari_infoleak.core.errors import BadInput, Cancelled, EmptySupportError
from napari_infoleak.segmenters import registry

from tiny_segmenter import TinySegmenter  # isort: skip


def test_a_result_has_the_axes_of_its_image_without_channels(tiny, stack, strokes):
    image, membranes = stack
    result = il.segment(image, annotations=strokes, axes="ZYX", uncertainty=True)
    assert result.axes == "ZYX"
    assert result.labels.shape == image.shape
    assert result.labels.dtype == np.uint8
    assert result.probabilities.shape == (2, *image.shape)
    assert result.probabilities.dtype == np.float32
    assert result.uncertainty.shape == image.shape
    np.testing.assert_allclose(result.probabilities.sum(0), 1, atol=1e-5)
    assert result.class_ids == (1, 2)
    assert result.classes[2].name == "membrane"
    assert ((result.labels == 2) == membranes).mean() > 0.7


@pytest.mark.parametrize(
    ("axes", "shape"),
    [
        ("YX", (20, 24)),
        ("TYX", (2, 20, 24)),
        ("TZYX", (2, 3, 20, 24)),
        ("TZCYX", (2, 3, 2, 20, 24)),
        ("YXC", (20, 24, 3)),
        ("CYX", (2, 20, 24)),
        ("ZYXT", (3, 20, 24, 2)),
        ("XY", (24, 20)),
    ],
)
def test_all_axes_come_back(tiny, axes, shape):
    image = np.random.default_rng(1).normal(size=shape)
    result = il.segment(image, axes=axes)
    kept = [size for letter, size in zip(axes, shape, strict=True) if letter != "C"]
    assert result.axes == axes.replace("C", "")
    assert result.labels.shape == tuple(kept)
    assert result.probabilities.shape == (2, *kept)


def test_numpy_dask_zarr_and_files_give_the_same_bytes(tiny, stack, strokes, tmp_path):
    image, _ = stack
    path = tmp_path / "with space ü.tif"
    il.write(path, image, axes="ZYX", kind="image")
    painted = tmp_path / "painted.tif"
    il.write(painted, strokes, axes="ZYX", kind="labels")
    expected = il.segment(image, annotations=strokes, axes="ZYX")
    others = [
        il.segment(da.from_array(image, chunks=(1, 20, 20)), annotations=strokes, axes="ZYX"),
        il.segment(zarr.array(image), annotations=zarr.array(strokes), axes="ZYX"),
        il.segment(path, annotations=painted),
        il.segment(str(path), annotations=str(painted), axes="zyx"),
        il.segment(il.read(path), annotations=strokes),
        il.segment([image, image[:, ::2, ::2]], annotations=strokes, axes="ZYX"),
    ]
    for other in others:
        np.testing.assert_array_equal(other.labels, expected.labels)
        np.testing.assert_array_equal(other.probabilities, expected.probabilities)


def test_painted_pixels_keep_their_class(tiny, stack, strokes):
    image, _ = stack
    strokes[1, 6, 4:8] = 2  # against all evidence: the inside of a cell
    result = il.segment(image, annotations=strokes, axes="ZYX")
    assert (result.labels[1, 6, 4:8] == 2).all()
    painted = strokes > 0
    np.testing.assert_array_equal(result.labels[painted], strokes[painted])


def test_support_of_another_image_reaches_the_answer(tiny, stack, strokes):
    image, _ = stack
    swapped = np.where(strokes > 0, 3 - strokes, 0)
    support = il.SupportSet().add(image[1], swapped[1])
    plain = il.segment(image, axes="ZYX").labels
    taught = il.segment(image, support, axes="ZYX").labels
    assert (plain != taught).mean() > 0.5
    assert len(support) == 1  # the caller's own is left as it was


def test_annotations_join_the_support_set(tiny, stack, strokes):
    image, _ = stack
    support = il.SupportSet().add(image[1], np.where(strokes[1] > 0, 7, 0))
    result = il.segment(image, support, annotations=strokes, axes="ZYX")
    assert result.class_ids == (1, 2, 7)
    assert result.classes[7].name == "class 7"
    assert len(support) == 1


def test_a_region_is_the_cut_of_the_whole_with_its_own_corner(tiny, stack, strokes):
    image, _ = stack
    calibrated = il.Image.from_array(
        image, "ZYX", scale={"Z": 2.0, "Y": 0.5, "X": 0.5}, translate={"Y": 10.0}
    )
    region = il.Region(0, 1, 1, 2, 8, 40, 4, 60)
    whole = il.segment(calibrated, annotations=strokes)
    part = il.segment(calibrated, annotations=strokes, region=region)
    np.testing.assert_array_equal(part.labels, whole.labels[1:2, 8:40, 4:60])
    np.testing.assert_allclose(
        part.probabilities, whole.probabilities[:, 1:2, 8:40, 4:60], atol=1e-6
    )
    assert part.translate == {"Z": 2.0, "Y": 14.0, "X": 2.0}
    assert part.scale == whole.scale == {"Z": 2.0, "Y": 0.5, "X": 0.5}
    with pytest.raises(BadInput, match="outside"):
        il.segment(image, axes="ZYX", region=il.Region(0, 1, 0, 1, 100, 200, 0, 10))


def test_tiles_do_not_show(tiny, stack):
    image, _ = stack
    whole = il.segment(image, axes="ZYX")
    tiled = il.segment(image, axes="ZYX", tile=16)
    np.testing.assert_allclose(tiled.probabilities, whole.probabilities, atol=1e-5)


def test_the_leak_has_a_strength(tiny, stack, strokes):
    image, _ = stack
    off = il.segment(image, annotations=strokes, axes="ZYX", leak=0.0).probabilities
    on = il.segment(image, annotations=strokes, axes="ZYX").probabilities
    np.testing.assert_allclose(off, 0.5)
    assert np.abs(on - 0.5).mean() > 0.2


def test_what_is_not_wanted_is_not_made(tiny, stack):
    result = il.segment(stack[0], axes="ZYX", probabilities=False)
    assert result.probabilities is None
    assert result.uncertainty is None


def test_the_channel_is_looked_at(tiny, stack):
    image, membranes = stack
    both = np.stack([np.random.default_rng(2).normal(size=image.shape), image], axis=1)
    result = il.segment(both, axes="ZCYX", channel=1)
    assert ((result.labels == 2) == membranes).mean() > 0.7
    with pytest.raises(BadInput, match="channel 2"):
        il.segment(both, axes="ZCYX", channel=2)


def test_a_flat_annotation_fits_an_image_with_axes_of_length_one(tiny):
    image = np.random.default_rng(0).normal(size=(1, 1, 20, 24))
    strokes = np.zeros((20, 24), np.uint8)
    strokes[3, 3:9], strokes[9, 3:9] = 1, 2
    result = il.segment(image, annotations=strokes, axes="TZYX")
    assert result.labels.shape == image.shape
    assert (result.labels[0, 0, 3, 3:9] == 1).all()


def test_progress_goes_up_to_the_end(tiny, stack):
    steps = []
    il.segment(stack[0], axes="ZYX", progress=lambda *step: steps.append(step))
    tiles = [step for step in steps if step[1] == 3]
    assert [done for done, _, _ in tiles] == sorted(done for done, _, _ in tiles)
    assert tiles[-1][:2] == (3, 3)


def test_cancel_stops_before_and_in_the_middle(tiny, stack):
    token = il.CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        il.segment(stack[0], axes="ZYX", cancel=token)
    later = il.CancelToken()
    with pytest.raises(Cancelled):
        il.segment(
            stack[0],
            axes="ZYX",
            cancel=later,
            progress=lambda done, total, message: later.cancel() if done else None,
        )


def test_a_model_is_loaded_once(tiny, stack, tmp_path):
    il.segment(stack[0], axes="ZYX")
    il.segment(stack[0], axes="ZYX")
    assert tiny == ["membrane"]
    path = tmp_path / "own.safetensors"
    path.write_bytes(b"1")
    il.segment(stack[0], model=path, axes="ZYX")
    il.segment(stack[0], model=path, axes="ZYX")
    assert len(tiny) == 2
    path.write_bytes(b"other")  # trained further: load it again
    il.segment(stack[0], model=path, axes="ZYX")
    assert len(tiny) == 3


def test_threads_are_the_callers_again_afterwards(tiny, stack):
    import torch

    before = torch.get_num_threads()
    il.segment(stack[0], axes="ZYX", threads=before + 1)
    assert torch.get_num_threads() == before


def test_large_results_lie_on_disk_and_go_with_their_arrays(tiny, stack, monkeypatch):
    image, _ = stack
    expected = il.segment(image, axes="ZYX")
    monkeypatch.setattr("napari_infoleak.infer.free_memory.free_bytes", lambda device: 1000)
    result = il.segment(image, axes="ZYX")
    np.testing.assert_array_equal(result.labels, expected.labels)
    np.testing.assert_array_equal(result.probabilities, expected.probabilities)
    base = result.labels
    while not isinstance(base, np.memmap):
        base = base.base
    path = Path(base.filename)
    assert path.exists()
    del result, base
    assert os.name == "nt" or not path.exists()


def test_provenance_is_plain_and_says_what_answered(tiny, stack, strokes):
    result = il.segment(stack[0], annotations=strokes, axes="ZYX", leak=0.5)
    made = json.loads(json.dumps(result.provenance))
    assert made["model"]["name"] == "membrane"
    assert made["settings"]["leak"] == 0.5
    assert made["image"]["axes"] == "ZYX"
    assert len(made["image"]["planes"]) == 3
    assert set(made["support"]["planes"]) < set(made["image"]["planes"])


# ---------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"axes": "YX"}, "2 letters"),
        ({"axes": "QYX"}, "'Q'"),
        ({"channel": 5}, "channel 5"),
        ({"channel": -1}, "channel"),
        ({"leak": 2.0}, "leak"),
        ({"leak": float("nan")}, "leak"),
        ({"device": "tpu"}, "device"),
        ({"tile": 3}, "tile"),
        ({"threads": 0}, "threads"),
        ({"support": [1, 2]}, "SupportSet"),
        ({"annotations": np.zeros((3, 48, 64), np.uint8)}, "no label"),
        ({"annotations": np.ones((3, 48, 60), np.uint8)}, "shape"),
        ({"annotations": np.ones((48, 64), np.uint8)}, "shape"),
        ({"annotations": np.ones((3, 48, 64))}, "integer"),
        ({"annotations": np.full((3, 48, 64), 300)}, "300"),
        ({"annotations": np.full((3, 48, 64), -1)}, "-1"),
        ({"annotations": np.full((3, 48, 64), 2)}, "only class 2"),
        ({"annotations": "no such file.tif"}, "no such file"),
        ({"image": "no such file.tif"}, "no such file"),
        ({"image": np.zeros((0, 4, 4))}, "no pixel"),
        ({"image": np.zeros(5), "axes": None}, "1 dimensions"),
        ({"image": np.zeros((4, 4), complex), "axes": "YX"}, "complex"),
        ({"image": np.array([["a", "b"]]), "axes": "YX"}, "cannot be used"),
        ({"image": {"a": 1}}, "dict"),
        ({"image": None}, "NoneType"),
        ({"region": (0, 5)}, "region"),
    ],
)
def test_bad_input_is_told_in_one_line(tiny, stack, change, words):
    given = {"image": stack[0], "axes": "ZYX"} | change
    with pytest.raises(BadInput, match=words) as caught:
        il.segment(**given)
    assert "\n" not in str(caught.value)


def test_a_model_that_is_not_there(stack):
    with pytest.raises(BadInput, match="membrain"):
        il.segment(stack[0], axes="ZYX", model="membrain")


def test_a_model_that_needs_annotations_says_so(tiny, stack, monkeypatch):
    monkeypatch.setattr(registry, "load", lambda model, device="cpu": TinySegmenter(True))
    with pytest.raises(EmptySupportError, match="stroke"):
        il.segment(stack[0], axes="ZYX")


def test_axes_that_contradict_an_image(tiny, stack):
    image = il.Image.from_array(stack[0], "TYX")
    assert il.segment(image, axes="tyx").axes == "TYX"
    with pytest.raises(BadInput, match="TYX already"):
        il.segment(image, axes="ZYX")


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, 255.0])
def test_strange_pixels_do_not_stop_it(tiny, value):
    image = np.full((2, 20, 24), value)  # the first plane shows nothing at all
    image[1] = np.arange(24)
    image[1, 5:9] = value
    labels = il.segment(image, axes="ZYX").labels
    assert set(np.unique(labels)) <= {1, 2}


@pytest.mark.parametrize(("value", "why"), [(np.nan, "no pixel is a number"), (7.0, "value 7")])
@pytest.mark.parametrize("shape", [(1, 1), (20, 24), (3, 20, 24)])
def test_an_image_that_shows_nothing_is_refused(tiny, value, why, shape):
    with pytest.raises(BadInput, match=why):
        il.segment(np.full(shape, value), axes="ZYX"[-len(shape) :])


@pytest.mark.parametrize("shape", [(1, 40), (7, 3), (2, 1)])
def test_small_images(tiny, shape):
    image = np.arange(np.prod(shape)).reshape(shape)
    assert il.segment(image, axes="YX").labels.shape == shape
