from __future__ import annotations

import pytest
import torch
from infer_fakes import FakeSegmenter, Spec, tiny
from torch import nn

from napari_infoleak.core.errors import BadInput
from napari_infoleak.infer import budget, free_memory
from napari_infoleak.infer.budget import bytes_a_pixel, default_tile, is_out_of_memory
from napari_infoleak.infer.free_memory import free_bytes

CPU = torch.device("cpu")


def test_a_plane_of_2048_is_answered_whole_where_there_is_room(monkeypatch):
    segmenter = tiny()
    monkeypatch.setattr(budget, "free_bytes", lambda _: 1 << 36)
    assert default_tile(segmenter, segmenter.remember(None), (2048, 2048), CPU) == 2048


@pytest.mark.parametrize("free", [1 << 20, 1 << 28, 1 << 29])
def test_scarce_memory_gives_smaller_tiles(monkeypatch, free):
    segmenter = tiny()
    memory = segmenter.remember(None)
    monkeypatch.setattr(budget, "free_bytes", lambda _: free)
    tile = default_tile(segmenter, memory, (4000, 4000), CPU)
    assert tile in (256, 512, 1024)
    assert tile == 256 or bytes_a_pixel(segmenter, memory, CPU) * tile**2 < free


@pytest.mark.parametrize("size", [(1, 1), (512, 512), (1024, 1024)])
def test_a_small_plane_is_not_even_estimated(monkeypatch, size):
    monkeypatch.setattr(budget, "free_bytes", lambda _: 1)
    segmenter = tiny()
    assert default_tile(segmenter, segmenter.remember(None), size, CPU) == 2048
    assert not segmenter.shapes


def test_an_unknown_memory_is_taken_for_enough(monkeypatch):
    monkeypatch.setattr(budget, "free_bytes", lambda _: None)
    segmenter = tiny()
    assert default_tile(segmenter, segmenter.remember(None), (9000, 9000), CPU) == 2048


class Swelling(nn.Module):
    """Holds 5 and 20 channels at a time, then 20 and 3; never all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 5, 1)
        self.last = nn.Conv2d(20, 3, 1)

    def forward(self, x):
        x = self.first(x)
        x = x.repeat(1, 4, 1, 1)
        return self.last(x)


def test_the_estimate_is_what_lives_at_a_time():
    segmenter = FakeSegmenter(Swelling(), Spec(halo=0, multiple_of=1), (1, 2, 3))
    found = bytes_a_pixel(segmenter, segmenter.remember(None), CPU)
    assert found == pytest.approx(4 * 25, rel=0.05)


def test_this_computer_has_some_memory():
    free = free_bytes(CPU)
    assert free is None or free > 1 << 20


def test_a_container_limits_the_memory(monkeypatch, tmp_path):
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 200\n")
    monkeypatch.setattr(free_memory, "_CGROUP", tmp_path)
    assert free_bytes(CPU) == 500
    (tmp_path / "memory.max").write_text("max\n")
    assert free_bytes(CPU) != 500


def test_a_system_that_tells_nothing_gives_none(monkeypatch, tmp_path):
    def no_sysconf(_name):
        raise OSError

    monkeypatch.setattr(free_memory, "_CGROUP", tmp_path)
    monkeypatch.setattr(free_memory, "_MEMINFO", tmp_path / "missing")
    monkeypatch.setattr(free_memory.os, "sysconf", no_sysconf, raising=False)
    assert free_bytes(CPU) is None


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: ...)"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_a_lack_of_memory_is_told_from_other_errors(error, expected):
    assert is_out_of_memory(error) is expected


def test_a_limit_of_the_user_counts_for_small_planes_too(monkeypatch):
    segmenter = tiny()
    monkeypatch.setenv(free_memory.LIMIT, "0.01")
    assert free_bytes(CPU) <= 10_000_000
    assert default_tile(segmenter, segmenter.remember(None), (1024, 1024), CPU) < 1024


@pytest.mark.parametrize("text", ["lots", "0", "-1", "inf", "nan"])
def test_a_limit_that_is_no_number_is_refused(monkeypatch, text):
    monkeypatch.setenv(free_memory.LIMIT, text)
    with pytest.raises(BadInput, match=free_memory.LIMIT):
        free_bytes(CPU)
