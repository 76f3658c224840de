from __future__ import annotations

import threading

import dask.array as da
import numpy as np
import pytest
import torch
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from infer_fakes import FakeSegmenter, Limited, Spec, tiny
from torch import nn

from napari_infoleak.core.errors import (
    BadInput,
    Cancelled,
    InfoleakError,
    OutOfMemory,
    WriteFailed,
)
from napari_infoleak.core.image import Image
from napari_infoleak.core.normalise import normalise
from napari_infoleak.core.progress import CancelToken
from napari_infoleak.core.region import Region
from napari_infoleak.infer.backends import prepare
from napari_infoleak.infer.pipeline import Outputs, answer
from napari_infoleak.infer.tiles import pad


def picture(*shape, axes=None, seed=0):
    values = np.random.default_rng(seed).normal(100, 20, size=shape).astype(np.float32)
    return Image.from_array(values, axes or "TCZYX"[-len(shape) :])


def by_hand(image, segmenter, t, z):
    """Probabilities of one plane, without any of the machinery."""
    plane = pad(normalise(image.plane(t, z))[None], segmenter.spec.multiple_of)
    with torch.no_grad():
        scores = segmenter.net(torch.from_numpy(plane)[None])[0]
    height, width = image.label_shape[2:]
    return torch.softmax(scores, 0)[:, :height, :width].numpy()


def ask(image, segmenter, **options):
    return answer(image, segmenter, segmenter.remember(None), **options)


# ---------------------------------------------------------------------------- the answer


def test_a_stack_is_answered_plane_by_plane():
    image, segmenter = picture(2, 1, 3, 50, 41, axes="TCZYX"), tiny()
    out = ask(image, segmenter, tile=1024)
    assert out.labels.shape == (2, 3, 50, 41)
    assert out.labels.dtype == np.uint8
    assert out.probabilities.shape == (2, 2, 3, 50, 41)
    assert out.probabilities.dtype == np.float32
    assert out.uncertainty is None
    assert out.class_ids == (1, 2)
    for t, z in np.ndindex(2, 3):
        expected = by_hand(image, segmenter, t, z)
        np.testing.assert_allclose(out.probabilities[:, t, z], expected, atol=1e-5)
    np.testing.assert_allclose(out.probabilities.sum(0), 1, atol=1e-5)
    np.testing.assert_array_equal(out.labels, 1 + out.probabilities.argmax(0))


@settings(deadline=None, max_examples=25)
@given(
    st.integers(1, 130),
    st.integers(1, 130),
    st.integers(16, 200),
    st.integers(0, 99),
)
def test_the_tile_size_does_not_matter(height, width, tile, seed):
    image, segmenter = picture(2, height, width, seed=seed), tiny(seed)
    whole = ask(image, segmenter, tile=4096)
    tiled = ask(image, segmenter, tile=tile)
    np.testing.assert_allclose(tiled.probabilities, whole.probabilities, atol=1e-5)


@settings(deadline=None, max_examples=25)
@given(st.data(), st.integers(1, 120), st.integers(1, 120), st.sampled_from([32, 77, 80, 4096]))
def test_a_region_is_cut_from_the_whole_answer(data, height, width, tile):
    def part(size):
        start = data.draw(st.integers(0, size - 1))
        return start, data.draw(st.integers(start + 1, size))

    image, segmenter = picture(3, height, width), tiny()
    region = Region(0, 1, *part(3), *part(height), *part(width))
    cut = ask(image, segmenter, region=region, tile=tile)
    whole = ask(image, segmenter, tile=4096)
    assert cut.labels.shape == region.shape
    expected = whole.probabilities[(slice(None), *region.slices)]
    np.testing.assert_allclose(cut.probabilities, expected, atol=1e-5)


def test_a_region_beyond_the_image_is_clipped():
    out = ask(picture(40, 40), tiny(), region=Region(0, 9, 0, 9, 30, 99, 20, 99))
    assert out.labels.shape == (1, 1, 10, 20)


def test_the_same_call_gives_the_same_bytes():
    image, segmenter = picture(3, 90, 110), tiny()
    first, second = (ask(image, segmenter, tile=96) for _ in range(2))
    assert first.labels.tobytes() == second.labels.tobytes()
    assert first.probabilities.tobytes() == second.probabilities.tobytes()


def test_a_prepared_segmenter_gives_the_plain_one_s_answer():
    image, segmenter = picture(70, 70), tiny()
    plain, ready = ask(image, segmenter), ask(image, prepare(segmenter, "cpu"))
    np.testing.assert_allclose(ready.probabilities, plain.probabilities, atol=1e-5)


def test_labels_hold_the_ids_of_the_classes():
    segmenter = tiny()
    segmenter.classes = (7, 200)
    out = ask(picture(40, 40), segmenter)
    assert set(np.unique(out.labels)) == {7, 200}
    np.testing.assert_array_equal(out.labels == 200, out.probabilities.argmax(0) == 1)


class Ramp(nn.Module):
    """Three classes by grey value."""

    def forward(self, x):
        return torch.cat([-x, torch.zeros_like(x), x], 1)


def test_more_than_two_classes():
    segmenter = FakeSegmenter(Ramp(), Spec(halo=0, multiple_of=1), (1, 2, 5))
    out = ask(picture(30, 30), segmenter)
    assert set(np.unique(out.labels)) == {1, 2, 5} - {2}
    assert out.probabilities.shape[0] == 3


def test_a_picture_of_one_pixel_and_a_constant_one():
    for image in (picture(1, 1), Image.from_array(np.full((33, 20), 7, np.uint16), "YX")):
        out = ask(image, tiny())
        assert np.isfinite(out.probabilities).all()
        assert out.labels.shape[2:] == image.label_shape[2:]


def test_non_finite_pixels_do_not_spread():
    values = np.random.default_rng(0).normal(size=(40, 40)).astype(np.float32)
    values[3, 3], values[30, 30] = np.nan, np.inf
    out = ask(Image.from_array(values, "YX"), tiny())
    assert np.isfinite(out.probabilities).all()


# -------------------------------------------------------------------------- input, output


def test_lazy_planes_are_read_once_each():
    reads = []

    def load(block_info=None):
        reads.append(block_info[None]["chunk-location"])
        return np.random.default_rng(len(reads)).normal(size=(1, 48, 48)).astype(np.float32)

    stack = da.map_blocks(
        load, chunks=((1,) * 4, (48,), (48,)), dtype=np.float32, meta=np.empty((0, 0, 0), "f4")
    )
    image = Image.from_array(stack, "ZYX")
    reads.clear()
    ask(image, tiny(), tile=80)
    assert len(reads) == 4
    assert len(set(reads)) == 4


def test_answers_are_written_to_zarr(tmp_path):
    image, segmenter = picture(3, 100, 90), tiny()
    shape = image.label_shape
    out = Outputs(
        labels=zarr.create_array(tmp_path / "l", shape=shape, chunks=(1, 1, 32, 32), dtype="u1"),
        uncertainty=zarr.create_array(tmp_path / "u", shape=shape, chunks=shape, dtype="f4"),
    )
    got = ask(image, segmenter, tile=80, out=out)
    expected = ask(image, segmenter, out=Outputs.arrays(shape, 2, uncertainty=True))
    assert got.labels is out.labels
    assert got.probabilities is None
    assert (got.labels[:] == expected.labels).mean() > 0.999
    np.testing.assert_allclose(got.uncertainty[:], expected.uncertainty, atol=1e-4)


def test_an_output_of_another_shape_is_refused():
    image = picture(20, 20)
    for out in (
        Outputs(labels=np.zeros((20, 20), np.uint8)),
        Outputs(probabilities=np.zeros((3, 1, 1, 20, 20), np.float32)),
    ):
        with pytest.raises(BadInput, match=r"output array for \w+ has shape"):
            ask(image, tiny(), out=out)


class FullDisk:
    def __setitem__(self, index, values):
        raise OSError(28, "No space left on device")


def test_a_full_disk_is_said_so():
    with pytest.raises(WriteFailed, match="No space left"):
        ask(picture(5, 40, 40), tiny(), out=Outputs(labels=FullDisk()))


def test_an_error_while_reading_comes_through():
    def broken(block_info=None):
        raise OSError("the file is truncated")

    stack = da.map_blocks(
        broken, chunks=((1,) * 4, (8,), (8,)), dtype=np.float32, meta=np.empty((0, 0, 0), "f4")
    )
    with pytest.raises(BadInput, match="truncated"):
        ask(Image.from_array(stack, "ZYX"), tiny())


def test_channels_of_the_image_feed_those_of_the_network():
    image = picture(1, 3, 1, 32, 32, axes="TCZYX")
    seen = []

    class Look(nn.Module):
        def forward(self, x):
            seen.append(x)
            return x[:, :2]

    three = FakeSegmenter(Look(), Spec(halo=0, multiple_of=1, channels=3))
    ask(image, three)
    ask(image, three, channel=1)
    planes = [torch.from_numpy(normalise(image.plane(0, 0, c))) for c in range(3)]
    assert torch.equal(seen[0][0], torch.stack(planes))
    assert torch.equal(seen[1][0], torch.stack([planes[1]] * 3))


def test_too_few_channels_are_refused():
    segmenter = tiny(channels=3)
    with pytest.raises(BadInput, match="expects 3 channels, but the image has 2"):
        ask(picture(1, 2, 1, 32, 32, axes="TCZYX"), segmenter)
    with pytest.raises(BadInput):
        ask(picture(1, 2, 1, 32, 32, axes="TCZYX"), tiny(), channel=5)


@pytest.mark.parametrize("tile", [0, -5, 15])
def test_a_tile_too_small_is_refused(tile):
    with pytest.raises(BadInput, match="16 or more"):
        ask(picture(20, 20), tiny(), tile=tile)


def test_a_device_other_than_the_prepared_one_is_refused(monkeypatch):
    monkeypatch.setattr("napari_infoleak.infer.pipeline.choose_device", torch.device)
    with pytest.raises(BadInput, match="prepared for 'cpu'"):
        ask(picture(20, 20), tiny(), device="meta")


# ------------------------------------------------------------------------ broken networks


def test_scores_that_are_not_numbers_are_refused():
    segmenter = tiny()
    segmenter.net.head.bias.data[0] = np.nan
    with pytest.raises(InfoleakError, match="not numbers"):
        ask(picture(3, 20, 20), segmenter)


def test_scores_of_another_shape_are_refused():
    segmenter = tiny()
    segmenter.classes = (1, 2, 3)
    with pytest.raises(InfoleakError, match="shape"):
        ask(picture(20, 20), segmenter)


def test_an_error_of_the_network_comes_through():
    segmenter = Limited(tiny(), 0, RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        ask(picture(9, 40, 40), segmenter)


# ------------------------------------------------------------------------- out of memory

FAILURES = [
    torch.OutOfMemoryError("CUDA out of memory."),
    RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
]


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("pixels", [80**2, 100**2, 200**2])
def test_out_of_memory_gives_smaller_tiles_and_the_same_answer(pixels, error):
    image, segmenter = picture(2, 110, 230), tiny()
    steps = []
    limited = Limited(segmenter, pixels, error)
    got = ask(image, limited, progress=lambda done, total, _: steps.append((done, total)))
    expected = ask(image, segmenter)
    np.testing.assert_allclose(got.probabilities, expected.probabilities, atol=1e-5)
    assert steps == sorted(steps)
    assert steps[-1] == (2, 2)
    assert all(b * h * w <= pixels for b, _, h, w in limited.shapes)


def test_out_of_memory_makes_batches_smaller_first():
    image, segmenter = picture(20, 64, 64), tiny()
    limited = Limited(segmenter, 2 * 64 * 64, MemoryError())
    got = ask(image, limited)
    np.testing.assert_allclose(got.probabilities, ask(image, segmenter).probabilities, atol=1e-5)
    assert {shape[2:] for shape in limited.shapes} == {(64, 64)}


def test_out_of_memory_with_the_smallest_tile_is_said_so():
    with pytest.raises(OutOfMemory, match="does not fit into the memory of cpu"):
        ask(picture(300, 300), Limited(tiny(), 10, FAILURES[0]))


def test_out_of_memory_for_the_answer_is_said_so(monkeypatch):
    def full(*_args, **_options):
        raise MemoryError

    monkeypatch.setattr(Outputs, "arrays", full)
    with pytest.raises(OutOfMemory, match="memory ran out"):
        ask(picture(40, 40), tiny())


# ----------------------------------------------------------------- progress and cancelling


@pytest.mark.parametrize("tile", [80, 128, 4096])
def test_progress_counts_tiles_in_the_caller_s_thread(tile):
    steps, threads = [], set()

    def progress(done, total, message=""):
        steps.append((done, total))
        threads.add(threading.current_thread())

    segmenter = tiny()
    ask(picture(5, 200, 150), segmenter, tile=tile, progress=progress)
    tiles = sum(shape[0] for shape in segmenter.shapes)
    assert steps[0] == (0, tiles)
    assert steps[-1] == (tiles, tiles)
    assert steps == sorted(steps)
    assert len(steps) == tiles + 1
    assert threads == {threading.main_thread()}


def test_cancel_stops_after_the_tile_in_hand():
    cancel, segmenter = CancelToken(), tiny()

    def progress(done, total, message=""):
        if done == 3:
            cancel.cancel()

    with pytest.raises(Cancelled):
        ask(picture(50, 300, 300), segmenter, tile=300, progress=progress, cancel=cancel)
    assert len(segmenter.shapes) <= 4


def test_cancel_stops_within_a_tile():
    cancel, segmenter = CancelToken(), tiny()
    reached = []
    segmenter.net.middle.register_forward_hook(lambda *_: cancel.cancel())
    segmenter.net.head.register_forward_hook(lambda *_: reached.append(1))
    with pytest.raises(Cancelled):
        ask(picture(40, 40), segmenter, cancel=cancel)
    assert not reached
    assert not any(module._forward_pre_hooks for module in segmenter.net.modules())


def test_a_token_set_beforehand_stops_at_once():
    cancel, segmenter = CancelToken(), tiny()
    cancel.cancel()
    with pytest.raises(Cancelled):
        ask(picture(40, 40), segmenter, cancel=cancel)
    assert not segmenter.shapes


def test_a_listener_that_fails_leaves_nothing_running():
    def progress(done, total, message=""):
        if done:
            raise RuntimeError("the window is gone")

    with pytest.raises(RuntimeError, match="window"):
        ask(picture(9, 40, 40), tiny(), progress=progress)


# ----------------------------------------------------------- networks with an endless view


class Global(nn.Module):
    """Looks at the mean of the whole tile."""

    def forward(self, x):
        x = x + 0.1 * x.mean((2, 3), keepdim=True)
        return torch.cat([x, -x], 1)


def endless(net=None):
    return FakeSegmenter(net or Global(), Spec(halo=-1, multiple_of=4))


class PerPixel(nn.Module):
    def forward(self, x):
        return torch.cat([x, -x], 1)


def test_blending_a_network_that_sees_one_pixel_changes_nothing():
    image, segmenter = picture(2, 150, 130), endless(PerPixel())
    whole, tiled = ask(image, segmenter), ask(image, segmenter, tile=40)
    np.testing.assert_allclose(tiled.probabilities, whole.probabilities, atol=1e-5)


def test_blended_answers_have_no_seams_and_sum_to_one():
    image = Image.from_array(np.tile(np.linspace(0, 1, 200, dtype="f4"), (120, 1)), "YX")
    got = ask(image, endless(), tile=64).probabilities
    np.testing.assert_allclose(got.sum(0), 1, atol=1e-5)
    assert np.abs(np.diff(got[0, 0, 0], axis=1)).max() < 0.05


@pytest.mark.parametrize("tile", [40, 64, 4096])
def test_a_blended_region_is_cut_from_the_whole_answer(tile):
    image, segmenter = picture(150, 130), endless()
    region = Region(0, 1, 0, 1, 33, 71, 5, 128)
    cut = ask(image, segmenter, region=region, tile=tile).probabilities
    whole = ask(image, segmenter, tile=tile).probabilities
    np.testing.assert_allclose(cut, whole[(slice(None), *region.slices)], atol=1e-6)


def test_blending_survives_a_lack_of_memory():
    image = picture(2, 150, 130)
    limited = Limited(endless(PerPixel()), 60**2, MemoryError())
    steps = []
    got = ask(image, limited, progress=lambda done, total, _: steps.append((done, total)))
    expected = ask(image, endless(PerPixel()))
    np.testing.assert_allclose(got.probabilities, expected.probabilities, atol=1e-5)
    assert steps[-1] == (2, 2)
    with pytest.raises(OutOfMemory):
        ask(image, Limited(endless(), 5, MemoryError()))


# ------------------------------------------------------------------ while a user is painting


class Windowing(FakeSegmenter):
    """Answers a window of its tiles, and notes how many it was told to keep."""

    kept = 0

    def scores_within(self, tiles, memory, window, *, again):
        self.kept += again
        return self.scores(tiles, memory)[(..., *window)]


@pytest.mark.parametrize(
    ("shape", "region", "tile", "kept"),
    [
        ((64, 64), None, None, 1),
        ((3, 64, 64), {"z": 1, "y": slice(0, 40), "x": slice(8, 64)}, None, 1),
        ((3, 64, 64), None, None, 0),  # a stack would drive out what the user looks at
        ((400, 64), None, 128, 0),
    ],
)
def test_a_window_of_a_tile_is_asked_for_and_kept_if_it_is_the_view(shape, region, tile, kept):
    plain = tiny()
    segmenter = Windowing(plain.net, plain.spec)
    image = picture(*shape)
    where = None if region is None else Region.from_slices(image.label_shape, **region)
    out = ask(image, segmenter, region=where, tile=tile)
    assert segmenter.kept == kept
    expected = ask(image, plain, region=where, tile=tile)
    np.testing.assert_array_equal(out.probabilities, expected.probabilities)
