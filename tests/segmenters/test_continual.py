"""Class vectors: they are learned, and what is near none of them is strange."""

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


def made(classes: ClassTable = TABLE, **options: Any) -> ContinualSegmenter:
    torch.manual_seed(0)
    return ContinualSegmenter.fresh(classes, widths=(4, 6, 8), features=6, dimensions=8, **options)


def batch() -> Batch:
    """Dark or bright."""
    images = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    return Batch(images, (images[:, 0] < 0).long())


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
    taught(segmenter, batch())
    return segmenter


def test_classes_are_told_apart(old: ContinualSegmenter) -> None:
    assert right(old, batch()) > 0.9


def test_what_looks_like_no_class_is_strange(old: ContinualSegmenter) -> None:
    given = batch()
    memory = old.remember(SupportSet())
    known = old.strangeness(given.images, memory)
    assert known.shape == given.truth.shape
    with torch.no_grad():
        foreign = made()
        foreign.net.load_state_dict(old.net.state_dict())
        foreign.net.head.weight.neg_()  # as if nothing looked like what was learned
    assert float(foreign.strangeness(given.images, memory).mean()) > float(known.mean()) + 0.5


@pytest.mark.parametrize("lower", ["teach", "forward"])
def test_both_readings_of_the_lower_layer_leak_learn(lower: str) -> None:
    segmenter = made(lower=lower)
    terms = segmenter.loss(batch())
    assert ("from below" in terms) == (lower == "teach")
    taught(segmenter, batch(), steps=3)
    if lower == "forward":
        assert segmenter.net.alpha != 0
        memory, given = segmenter.remember(SupportSet()), batch().images
        cut = segmenter.with_leak(0.0).scores(given, memory)
        assert not torch.equal(segmenter.scores(given, memory), cut)


def test_the_margin_is_off_at_test() -> None:
    segmenter = made()
    given = batch().images
    memory = segmenter.remember(SupportSet())
    net: ContinualNet = segmenter.net
    assert torch.equal(segmenter.scores(given, memory), net.head(net.embed(given)[0]))
