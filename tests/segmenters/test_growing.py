"""A class joins a trained segmenter: what is new is learned, what was known is kept."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.core.errors import BadInput
from napari_infoleak.core.support import SupportSet
from napari_infoleak.segmenters import registry
from napari_infoleak.segmenters.batch import Batch
from napari_infoleak.segmenters.growing import Codes, Growing, _evenly

sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))

from test_every_leak import SMALL

TABLE = ClassTable.membrane()
NEW = TABLE.add("mitochondria").entries[-1]
PLANES = [name for name in SMALL if registry.method(name).dims == (2,)]


def batch(classes: int, truth: Any = None) -> Batch:
    """Bright is interior, dark is membrane; very bright will be the new class."""
    noise = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    images = 2 * torch.nn.functional.avg_pool2d(noise, 3, 1, 1)
    labels = (images[:, 0] < 0).long() if truth is None else truth(images[:, 0])
    return Batch(images, labels, share=0.5)


def only_new(images: torch.Tensor) -> torch.Tensor:
    return torch.where(images > 1, 2, -1)


def taught(learner: Any, given: Batch, steps: int, rate: float = 0.01) -> None:
    learner.begin(given)
    groups = {name: list(found) for name, found in learner.groups().items()}
    optimiser = torch.optim.Adam([one for found in groups.values() for one in found], lr=rate)
    for number in range(steps):
        torch.manual_seed(number)
        for module in learner.modules():
            module.train()
        optimiser.zero_grad()
        sum(term for term in learner.loss(given).values() if term.requires_grad).backward()
        optimiser.step()
    for module in learner.modules():
        module.eval()


def made(method: str, steps: int = 0) -> Any:
    torch.manual_seed(0)
    segmenter: Any = registry.fresh(method, TABLE, **SMALL[method])
    taught(segmenter, batch(2), steps)
    for module in segmenter.modules():
        module.eval()
    kind: Any = type(segmenter)
    return kind.from_file(segmenter.tensors(), segmenter.header())  # as it comes from its file


def answer(learner: Any, images: torch.Tensor) -> torch.Tensor:
    found: torch.Tensor = learner.scores(images, learner.remember(SupportSet()))
    return found


@pytest.mark.parametrize("method", PLANES)
def test_whatever_the_method_old_answers_teach(method: str) -> None:
    segmenter = made(method, 2)
    before = answer(segmenter, batch(2).images)
    weights = {name: one.clone() for name, one in segmenter.tensors().items()}
    learner = Growing(segmenter, NEW)
    assert learner.classes.ids == (1, 2, 3)
    born = answer(learner, batch(2).images)
    assert torch.equal(born[:, :2], before), "no old score changes when a class joins"
    assert torch.equal(born.argmax(1), before.argmax(1)), "the new class is silent at first"
    given = batch(Codes(3).count, only_new)
    learner.begin(given)
    for module in learner.modules():
        module.train()
    assert learner.loss(given)["kept"].requires_grad
    taught(learner, given, 2)
    for name, one in learner.tensors().items():
        # A layer that reads answers reads one more.
        if "running" in name and one.shape == weights[name].shape:
            assert torch.equal(one, weights[name]), f"{name} should have stayed"


@pytest.mark.parametrize("method", ["unet", "continual"])
def test_a_new_class_is_learned_and_old_ones_are_kept(method: str) -> None:
    old = made(method, 60)
    shown = batch(2)
    assert float((answer(old, shown.images).argmax(1) == shown.truth).float().mean()) > 0.9
    learner = Growing(old, NEW)
    taught(learner, batch(Codes(3).count, only_new), 240)
    found, new = answer(learner, shown.images).argmax(1), shown.images[:, 0] > 1
    assert int(learner.before.host) == 0, "very bright was bright"
    assert float((found == 2)[new].float().mean()) > 0.9
    assert float((found == 1)[shown.truth == 1].float().mean()) > 0.85, "dark was never shown again"


def test_the_new_class_may_hide_in_earlier_annotations() -> None:
    codes = Codes(3)
    learner = Growing(made("unet", 60), NEW)
    given = batch(codes.count, only_new)
    learner.begin(given)
    before, (features,) = learner.before.answer(given.images)
    earlier = (given.images[:, 0] < 0).long()
    new = given.images[:, 0] > 1
    hidden = (earlier == learner.before.host) & learner.before.strange(features)
    found = learner._labelled(earlier, hidden, torch.zeros_like(hidden), before, features)
    assert (found[earlier == 1] == 1).all(), "what is no host is taken at its word"
    assert float((found[new] == -1).float().mean()) > 0.6, "bright was interior, and may be new"


def test_what_is_said_to_be_old_is_not_new() -> None:
    codes = Codes(3)
    learner = Growing(made("unet", 5), NEW)
    given = batch(codes.count, lambda x: torch.where(x > 1, 2, codes.old))
    learner.begin(given)
    wrong = learner.loss(given)["not new"]
    assert wrong > 0
    assert learner.loss(batch(codes.count, only_new))["not new"] == 0


def test_rare_classes_count_as_much_as_frequent_ones() -> None:
    labels = torch.tensor([[[0, 0, 0, 2, -1]]])
    assert _evenly(labels, 4).tolist() == pytest.approx([1 / 3, 1, 1, 1])


def test_codes_say_what_they_mean() -> None:
    codes = Codes(3)
    place = torch.tensor([-1, 0, 2])
    known, earlier, old = codes.read(torch.cat([place, codes.earlier(place[1:])]))
    assert known.tolist() == [-1, 0, 2, -1, -1]
    assert earlier.tolist() == [-1, -1, -1, 0, 2]
    assert not old.any()
    assert codes.read(torch.tensor([codes.old]))[2].all()


def test_the_lower_layer_may_teach() -> None:
    learner = Growing(made("unet", 5), NEW, lower=0.1)
    given = batch(Codes(3).count, only_new)
    learner.begin(given)
    assert float(learner.loss(given)["from below"].detach()) > 0


def test_settling_averages_with_the_weights_from_before() -> None:
    learner = Growing(made("continual", 5), NEW)
    before = learner.tensors()["project.weight"].clone()
    after = {name: one + 1 for name, one in learner.tensors().items()}
    share = (1 / 3) ** 0.5
    mixed = learner.settled(after)
    torch.testing.assert_close(mixed["project.weight"], before + share)
    assert torch.equal(mixed["head.weight"][2], after["head.weight"][2]), "it has no before"


@pytest.mark.parametrize("method", ["loop-resnet-3d"])
def test_what_cannot_grow_says_so(method: str) -> None:
    segmenter: Any = registry.fresh(method, TABLE, **SMALL[method])
    with pytest.raises(BadInput, match="no class can join"):
        Growing(segmenter, NEW)


def test_both_networks_of_a_pair_keep_what_is_known() -> None:
    pair = made("cross-cooperative", 5)
    learner, given = Growing(pair, NEW), batch(3, only_new)
    learner.begin(given)
    terms = learner.loss(given)
    for name in ("kept", "evenly"):
        for head in (pair.net.head, pair.net.second_head):
            (slope,) = torch.autograd.grad(terms[name], head.weight, retain_graph=True)
            assert bool(slope.any()), name
