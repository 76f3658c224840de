"""Fine-tuning annotation leakage: tasks of the user's own, none that answers itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_infoleak.core.config import TrainConfig
from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.support import SupportSet
from napari_infoleak.learn.batches import annotated
from napari_infoleak.learn.recipes.episodic import Reader, Tasks, disjoint, episodic
from napari_infoleak.nets.leakage_net import LeakageNet
from napari_infoleak.segmenters.annotation_leakage import AnnotationLeakage
from tiny_trainable import painted, sparse, stack


def small() -> AnnotationLeakage:
    torch.manual_seed(0)
    return AnnotationLeakage(LeakageNet(widths=(4, 8), features=6, dimensions=6))


def config(**settings: object) -> TrainConfig:
    plain = {"crop": 32, "batch": 3, "steps": 4, "device": "cpu"}
    return TrainConfig.checked(**plain | settings)


@pytest.mark.parametrize("support", [painted(8), painted(1), sparse()], ids=["8", "1", "strokes"])
def test_parts_share_no_annotated_pixel(support: SupportSet) -> None:
    data = annotated(support, support.classes)
    parts = disjoint(data, 2)
    assert len(parts) >= 2
    places = [{id(one.image): one.labels > 0 for one in part} for part in parts]
    for number, one in enumerate(places):
        for other in places[number + 1 :]:
            for image in one.keys() & other.keys():
                assert not (one[image] & other[image]).any()


def test_neighbouring_planes_are_in_one_part() -> None:
    support = painted(8)
    data = annotated(support, support.classes)
    places = [[data.index(one) for one in part] for part in disjoint(data, 2)]
    assert places == [[0, 1], [2, 3, 4], [5, 6, 7]]


def test_two_strokes_are_too_little() -> None:
    image, _ = stack(1)
    strokes = np.zeros_like(image, np.uint8)
    strokes[0, 5, 3:12], strokes[0, 40, 3:12] = 1, 2
    support = SupportSet().add(image, strokes, axes="ZYX")
    with pytest.raises(BadInput, match="two strokes of each class"):
        episodic(small(), support, config())


def test_a_task_has_a_crop_of_each_part() -> None:
    support = painted(8)
    parts = disjoint(annotated(support, support.classes), 2)
    for batch, crops in ((1, 3), (3, 3), (7, 6)):
        assert len(Tasks(parts, 2, (1, 32, 32), 0, 0).draw(0, batch)) == crops


def test_it_learns_to_read_and_answers_like_the_file_of_it() -> None:
    segmenter = small()
    before = {name: tensor.clone() for name, tensor in segmenter.tensors().items()}
    outcome = episodic(segmenter, painted(8), config(steps=8))
    assert outcome.steps == 8
    assert outcome.score is not None
    moved = [name for name, tensor in outcome.tensors.items() if not tensor.equal(before[name])]
    assert outcome.step == 0 or {"own.weight", "key_head.to_key.weight"} <= set(moved)
    again = AnnotationLeakage.from_file(outcome.tensors, outcome.header)
    memory = again.remember(painted(2))
    assert torch.isfinite(again.scores(torch.randn(1, 1, 32, 32), memory)).all()


def test_all_that_it_learns_with_gets_a_gradient() -> None:
    segmenter, support = small(), painted(8)
    parts = disjoint(annotated(support, support.classes), 2)
    reader = Reader(segmenter, support.classes, len(parts))
    silent = {name for name, _ in segmenter.net.named_parameters()}
    for step in range(3):
        segmenter.net.train().zero_grad()
        torch.manual_seed(step)
        batch = Tasks(parts, 2, (1, 32, 32), 0, 0).draw(step, 6)
        sum(reader.loss(batch).values()).backward()
        for name, parameter in segmenter.net.named_parameters():
            if parameter.grad is not None and bool(parameter.grad.abs().sum()):
                silent.discard(name)
        with torch.no_grad():
            for parameter in segmenter.net.parameters():
                if parameter.grad is not None:  # the fusion starts at zero, and all before it
                    parameter -= 0.1 * parameter.grad.clamp(-1, 1)
    assert not silent


def test_the_same_seed_gives_the_same_weights() -> None:
    one, other = (episodic(small(), painted(8), config()) for _ in range(2))
    assert all(one.tensors[name].equal(other.tensors[name]) for name in one.tensors)


def test_classes_without_membrane_are_learned_too() -> None:
    image, truth = stack(8)
    support = SupportSet().add(image, np.where(truth == 2, 5, 4).astype(np.uint8), axes="ZYX")
    outcome = episodic(small(), support, config())
    assert outcome.score is not None
    assert set(outcome.score.iou) == {4, 5}
