"""A stroke more costs next to nothing, and a stroke less leaves no trace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_infoleak.core.normalise import normalise
from napari_infoleak.core.support import SupportSet
from napari_infoleak.io.array_cache import ArrayCache
from napari_infoleak.nets.leakage_net import LeakageNet
from napari_infoleak.segmenters import encoding
from napari_infoleak.segmenters.annotation_leakage import AnnotationLeakage
from napari_infoleak.segmenters.memory import LeakageMemory

SIDE = 96


def made(cache: ArrayCache | None = None) -> AnnotationLeakage:
    torch.manual_seed(0)
    net = LeakageNet(widths=(4, 4, 8), features=8, dimensions=8)
    for parameter in net.fusion.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return AnnotationLeakage(net, cache=cache)


class Looks:
    """How many times a segmenter's body has looked at something."""

    def __init__(self, segmenter: AnnotationLeakage) -> None:
        self.count = 0
        segmenter.net.body.register_forward_hook(self._look)

    def _look(self, *_: object) -> None:
        self.count += 1


def picture(seed: int = 0, side: int = SIDE) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(side, side)).astype(np.float32)


def strokes(*rows: int, side: int = SIDE) -> np.ndarray:
    """A line a row, of class 1 and 2 by turns."""
    out = np.zeros((side, side), np.uint8)
    for number, row in enumerate(rows):
        out[row : row + 3, 10:60] = number % 2 + 1
    return out


def painted(*rows: int, seed: int = 0, side: int = SIDE) -> SupportSet:
    return SupportSet().add(picture(seed, side), strokes(*rows, side=side), axes="YX")


def tile(seed: int = 9, side: int = SIDE) -> torch.Tensor:
    return torch.from_numpy(normalise(picture(seed, side)))[None, None]


def same(one: LeakageMemory, other: LeakageMemory) -> bool:
    names = ("keys", "values", "bias", "rule", "affinity", "frequency", "places")
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in names)


def test_the_body_looks_at_a_painted_plane_once() -> None:
    segmenter = made()
    looks = Looks(segmenter)
    for rows in ((10, 30), (10, 30, 50), (10, 30, 50, 70), (30, 10)):
        segmenter.remember(painted(*rows))
    assert looks.count == 1


def test_the_body_looks_at_a_view_once_whatever_is_painted() -> None:
    segmenter = made()
    looks = Looks(segmenter)
    answers = []
    for rows in ((10, 30), (10, 30, 50)):
        memory = segmenter.remember(painted(*rows))
        answers.append(segmenter.scores_again(tile(), memory))
        assert torch.equal(answers[-1], segmenter.with_leak(1.0).scores_again(tile(), memory))
    assert looks.count == 2
    assert not torch.equal(*answers)
    assert torch.equal(answers[-1], segmenter.scores(tile(), memory))


def test_a_view_of_the_painted_plane_itself_needs_no_look_of_its_own() -> None:
    segmenter = made()
    looks = Looks(segmenter)
    memory = segmenter.remember(painted(10, 30))
    segmenter.scores_again(tile(0), memory)
    assert looks.count == 1


def test_only_the_blocks_that_are_painted_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "_WHOLE", 128)
    monkeypatch.setattr(encoding, "_BLOCK", 100)
    segmenter = made()
    looks = Looks(segmenter)
    segmenter.remember(painted(10, 30, side=300))
    assert looks.count == 1
    segmenter.remember(painted(10, 30, 60, side=300))
    assert looks.count == 1
    segmenter.remember(painted(10, 30, 200, side=300))
    assert looks.count == 2


def test_blocks_tell_what_the_whole_plane_does(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = made().remember(painted(10, 98, 150, 270, side=300))
    monkeypatch.setattr(encoding, "_WHOLE", 128)
    monkeypatch.setattr(encoding, "_BLOCK", 100)
    blocks = made().remember(painted(10, 98, 150, 270, side=300))
    order = [blocks.places.tolist().index(place) for place in whole.places.tolist()]
    torch.testing.assert_close(blocks.keys[order], whole.keys, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(blocks.rule, whole.rule, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("on_disk", [False, True])
def test_an_erased_stroke_leaves_no_trace_at_all(tmp_path: Path, on_disk: bool) -> None:
    segmenter = made(ArrayCache(tmp_path, 10**8) if on_disk else None)
    segmenter.remember(painted(10, 30, 50))
    view = segmenter.scores_again(tile(), segmenter.remember(painted(10, 30, 50, 70)))
    erased = segmenter.remember(painted(10, 30))
    never = made()
    memory = never.remember(painted(10, 30))
    assert same(erased, memory)
    answer = segmenter.scores_again(tile(), erased)
    assert torch.equal(answer, never.scores_again(tile(), memory))
    assert not torch.equal(answer, view)


def test_the_order_of_planes_and_strokes_does_not_matter() -> None:
    one, other = made(), made()
    one.remember(painted(10, 30))
    one.remember(painted(10, 30, 50))
    other.remember(painted(10, 30, 70))
    both = [(picture(s), strokes(10, 30, 50)) for s in (0, 1)]
    first = SupportSet().add(*both[0], axes="YX").add(*both[1], axes="YX")
    second = SupportSet().add(*both[1], axes="YX").add(*both[0], axes="YX")
    assert same(one.remember(first), other.remember(second))


def test_encodings_stay_from_one_run_to_the_next(tmp_path: Path) -> None:
    cache = ArrayCache(tmp_path, 10**8)
    before = made(cache).remember(painted(10, 30))
    again = made(ArrayCache(tmp_path, 10**8))
    looks = Looks(again)
    after = again.remember(painted(10, 30))
    assert looks.count == 0
    assert same(before, after)
    again.remember(painted(10, 30, 50))  # the first stroke of the day looks again
    assert looks.count == 1


def test_a_damaged_encoding_is_made_anew(tmp_path: Path) -> None:
    before = made(ArrayCache(tmp_path, 10**8)).remember(painted(10, 30))
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-200])
    after = made(ArrayCache(tmp_path, 10**8)).remember(painted(10, 30))
    assert same(before, after)


def test_encodings_of_other_weights_are_not_taken(tmp_path: Path) -> None:
    made(ArrayCache(tmp_path, 10**8)).remember(painted(10, 30))
    other = made(ArrayCache(tmp_path, 10**8))
    other.net.body.stem[0].conv.weight.data.mul_(1.1)
    plain = made()
    plain.net.body.stem[0].conv.weight.data.mul_(1.1)
    assert same(other.remember(painted(10, 30)), plain.remember(painted(10, 30)))
