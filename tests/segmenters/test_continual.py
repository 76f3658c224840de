"""A class joins a trained model: what is new is learned, what was known is kept."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.core.support import SupportSet
from napari_infoleak.nets.continual import ContinualNet
from napari_infoleak.segmenters.batch import Batch
from napari_infoleak.segmenters.continual import ContinualSegmenter

TABLE = ClassTable.membrane()
MORE = TABLE.add("mitochondria")


def made(classes: ClassTable = TABLE, **options: Any) -> ContinualSegmenter:
    torch.manual_seed(0)
    return ContinualSegmenter.fresh(classes, widths=(4, 6, 8), features=6, dimensions=8, **options)


def batch(new: bool) -> Batch:
    """Dark or bright; very bright is new, and with it nothing else is annotated."""
    images = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    truth = (images[:, 0] < 0).long()
    if new:
        truth = torch.where(images[:, 0] > 1, 2, -1)
    return Batch(images, truth, torch.ones(3 if new else 2))


def taught(segmenter: ContinualSegmenter, given: Batch, steps: int = 40) -> None:
    segmenter.begin(given)
    parameters = list(segmenter.groups()["network"])
    optimiser = torch.optim.Adam(parameters, lr=0.01)
    for number in range(steps):
        torch.manual_seed(number)
        segmenter.net.train()
        optimiser.zero_grad()
        sum(segmenter.loss(given).values()).backward()  # type: ignore[union-attr]
        optimiser.step()
    segmenter.net.eval()


def right(segmenter: ContinualSegmenter, given: Batch) -> float:
    found = segmenter.scores(given.images, segmenter.remember(SupportSet())).argmax(1)
    seen = given.truth >= 0
    return float((found == given.truth)[seen].float().mean())


@pytest.fixture(scope="module")
def old() -> ContinualSegmenter:
    segmenter = made()
    taught(segmenter, batch(new=False))
    return segmenter


def test_a_new_class_is_learned_and_old_ones_are_kept(old: ContinualSegmenter) -> None:
    assert right(old, batch(new=False)) > 0.9
    new = made(MORE)
    new.adopt(old.tensors(), old.classes)
    taught(new, batch(new=True))
    assert new.host == 0, "very bright was bright"
    assert right(new, batch(new=True)) > 0.9
    dark = batch(new=False)
    kept = Batch(dark.images, torch.where(dark.truth == 1, 1, -1), dark.balance)
    assert right(new, kept) > 0.85, "dark was never annotated again"


def test_a_joining_class_finds_the_old_model_as_teacher(old: ContinualSegmenter) -> None:
    new = made(MORE)
    new.adopt(old.tensors(), old.classes)
    assert "kept" in new.loss(batch(new=True))
    assert len(list(new.modules())) == 2
    frozen = {id(one) for one in new.net.body.stem.parameters()}
    assert not frozen & {id(one) for one in new.groups()["network"]}


def test_a_model_of_another_kind_does_not_teach() -> None:
    new = made(MORE)
    new.adopt({"head.weight": torch.zeros(2, 6, 1, 1)}, TABLE)
    assert "kept" not in new.loss(batch(new=True))


def test_settling_forgets_the_teacher_and_keeps_the_answer_near(old: ContinualSegmenter) -> None:
    new = made(MORE)
    new.adopt(old.tensors(), old.classes)
    before = new.tensors()["project.weight"].clone()
    with torch.no_grad():
        new.net.project.weight += 1
    new.settle()
    share = (1 / 3) ** 0.5
    torch.testing.assert_close(new.tensors()["project.weight"], before + share)
    assert len(list(new.modules())) == 1


@pytest.mark.parametrize("lower", ["teach", "forward"])
def test_both_readings_of_the_lower_layer_leak_learn(lower: str) -> None:
    segmenter = made(lower=lower)
    terms = segmenter.loss(batch(new=False))
    assert ("from below" in terms) == (lower == "teach")
    taught(segmenter, batch(new=False), steps=3)
    if lower == "forward":
        assert segmenter.net.alpha != 0
        memory, given = segmenter.remember(SupportSet()), batch(new=False).images
        cut = segmenter.with_leak(0.0).scores(given, memory)
        assert not torch.equal(segmenter.scores(given, memory), cut)


def test_the_margin_is_off_at_test() -> None:
    segmenter = made()
    given = batch(new=False).images
    memory = segmenter.remember(SupportSet())
    net: ContinualNet = segmenter.net
    assert torch.equal(segmenter.scores(given, memory), net.head(net.embed(given)[0]))
