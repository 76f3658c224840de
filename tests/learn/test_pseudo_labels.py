"""Pseudo-labels: whose turn it is, that nothing hidden is read, and going on after a stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_infoleak.core.config import TrainConfig
from napari_infoleak.core.image import Image
from napari_infoleak.core.support import SupportSet
from napari_infoleak.learn import loop as loops
from napari_infoleak.learn.batches import Crops, annotated
from napari_infoleak.learn.checkpoints import Store
from napari_infoleak.learn.frames import Frame, by_distance, others
from napari_infoleak.learn.loop import Outcome, Report
from napari_infoleak.learn.recipes.pseudo_labels import Spreading, _ordered, pseudo_labels
from napari_infoleak.learn.recipes.supervised import supervised
from tiny_trainable import TinyTrainable, stack


def movie(labelled: tuple[int, ...] = (2,), planes: int = 6) -> tuple[SupportSet, list[Frame]]:
    image, truth = stack(planes)
    painted = np.zeros_like(truth)
    for index in labelled:
        painted[index] = truth[index]
    shown = Image.from_array(image, "TYX")
    support = SupportSet().add(shown, painted)
    return support, list(others(shown, None, support.planes))


def config(**settings: Any) -> TrainConfig:
    plain = {"crop": 32, "batch": 4, "steps": 10, "device": "cpu", "hold_out": False}
    return TrainConfig.checked(**plain | settings)


def made() -> TinyTrainable:
    torch.manual_seed(0)
    return TinyTrainable.fresh(movie()[0].classes)


def spreading(folder: Path | None = None, sure: float = 0.0) -> Spreading:
    support, frames = movie()
    own = Crops(annotated(support, support.classes), 2, (1, 32, 32))
    found = by_distance(frames, [(p.source, p.index) for p in support.planes])
    rounds = [[(frame, distance) for frame in one] for distance, one in found.items()]
    return Spreading(made(), own, rounds, sure, folder, 0)


def test_frames_are_what_is_not_annotated() -> None:
    _, frames = movie((1, 4))
    assert [frame.index for frame in frames] == [(0, 0), (2, 0), (3, 0), (5, 0)]
    assert frames[0].read().shape == (1, 1, 48, 64)


def test_the_nearest_come_first_from_both_sides() -> None:
    support, frames = movie((1, 5), planes=8)
    places = [(plane.source, plane.index) for plane in support.planes]
    found = by_distance(frames, places)
    rounds = {distance: [frame.index[0] for frame in one] for distance, one in found.items()}
    assert rounds == {1: [0, 2, 4, 6], 2: [3, 7]}
    assert by_distance(frames, [("another image", (0, 0))]) == {}


def test_each_gets_its_turn_in_order() -> None:
    source = spreading()
    seen = []
    for share in (0.0, 0.29, 0.3, 0.6, 0.9):
        source.draw(0, 4, share)
        seen.append(len(source.labelled))
    assert seen == [0, 0, 2, 4, 5]
    assert all(not one.permanent for one in source.labelled)
    weights = [one.weight for one in source.labelled]
    assert weights == sorted(weights, reverse=True)


def test_half_of_a_batch_stays_annotated() -> None:
    source = spreading()
    alone, with_others = source.draw(5, 4, 0.0), source.draw(5, 4, 0.9)
    assert torch.equal(alone.images[:2], with_others.images[:2])
    assert torch.equal(alone.truth[:2], with_others.truth[:2])
    assert len(with_others) == 4


def test_who_is_never_sure_labels_nothing() -> None:
    source = spreading(sure=1.1)
    assert torch.equal(source.draw(5, 4, 0.0).images, source.draw(5, 4, 0.9).images)


def test_labels_of_an_earlier_run_are_taken(tmp_path: Path) -> None:
    first, second = spreading(tmp_path), spreading(tmp_path)
    first.draw(0, 4, 0.9)
    with torch.no_grad():  # were it asked again, it would say something else
        second._segmenter.net.head.weight.neg_()
    second.draw(0, 4, 0.9)
    for one, other in zip(first.labelled, second.labelled, strict=True):
        assert torch.equal(one.labels, other.labels)


@pytest.mark.parametrize("order", ["time", "once", "random"])
def test_it_trains_in_every_order(order: str) -> None:
    support, frames = movie()
    outcome = pseudo_labels(made(), support, config(), frames=frames, order=order)  # type: ignore[arg-type]
    assert outcome.steps == 10


@pytest.mark.parametrize("order", ["time", "once", "random"])
def test_near_frames_count_more_in_every_order(order: Any) -> None:
    support, frames = movie()
    rounds = _ordered(by_distance(frames, [("image", (2, 0))]), order, 0)
    distances = {frame.index[0]: distance for one in rounds for frame, distance in one}
    assert distances == {0: 2, 1: 1, 3: 1, 4: 2, 5: 3}
    own = Crops(annotated(support, support.classes), 2, (1, 32, 32))
    source = Spreading(made(), own, rounds, 0.0, None, 0)
    source.draw(0, 4, 0.9)
    assert sorted(one.weight for one in source.labelled) == pytest.approx(
        [0.9**3, 0.9**2, 0.9**2, 0.9, 0.9]
    )


def test_one_crop_a_step_is_annotated_and_labelled_in_turn() -> None:
    source = spreading()
    source.draw(0, 4, 0.9)
    own = Crops(source._own.data, 2, (1, 32, 32))
    assert torch.equal(source.draw(6, 1, 0.9).images, own.draw(6, 1).images)
    assert not torch.equal(source.draw(7, 1, 0.9).images, own.draw(7, 1).images)


@pytest.mark.parametrize("step", [2, 5, 9])
def test_resumed_after_a_crash_it_comes_to_the_same_weights(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "SAVE_SECONDS", 0.0)
    support, frames = movie()

    def cut_off(report: Report) -> None:
        if report.step >= step:
            raise InterruptedError

    def run(name: str, **others: Any) -> Outcome:
        store = Store(tmp_path / name, {"is": "one"})
        return pseudo_labels(made(), support, config(), frames=frames, store=store, **others)

    whole = run("whole")
    with pytest.raises(InterruptedError):
        run("parted", listen=cut_off)
    parted = run("parted", resume=True)
    assert all(torch.equal(whole.tensors[name], parted.tensors[name]) for name in whole.tensors)


def test_where_all_is_annotated_it_says_so_and_learns_as_usual() -> None:
    support, _ = movie()
    told = []
    found = pseudo_labels(
        made(), support, config(), progress=lambda _done, _total, what: told.append(what)
    )
    usual = supervised(made(), support, config())
    assert any("nothing to label" in what for what in told)
    assert all(torch.equal(found.tensors[name], usual.tensors[name]) for name in usual.tensors)
