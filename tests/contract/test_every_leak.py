"""What every trained method must do: learn with all it has, use its leak, keep its classes."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import torch

from napari_infoleak.core.classes import ClassTable
from napari_infoleak.core.support import SupportSet
from napari_infoleak.infer.fold import fold
from napari_infoleak.nets.losses import cross_entropy
from napari_infoleak.segmenters import registry
from napari_infoleak.segmenters.batch import Batch
from napari_infoleak.segmenters.protocol import Trainable

TINY = {"widths": (4, 6, 8), "features": 6}
SMALL: dict[str, dict[str, Any]] = {
    "unet": TINY,
    "feedback-unet": TINY,
    "mutual-leakage": TINY | {"window": 32},
    "class-distillation": TINY | {"teacher_widths": (4, 8), "teacher_features": 4},
    "continual": TINY | {"dimensions": 8},
    "feedback-attention": TINY | {"dimensions": 4, "window": 32},
    "self-distillation": TINY,
    "attention-self-distillation": TINY | {"window": 32},
    "shuffle-mixing": {"widths": (4, 8), "features": 6, "depths": (1, 1)},
    "axial-local": TINY | {"levels": (1, 2), "heads": 2, "window": 16},
    "feature-aggregation": TINY | {"levels": (0, 1), "window": 3},
    "object-queries": TINY | {"queries": 5, "window": 16},
    "cross-cooperative": TINY,
    "loop-resnet-3d": {"widths": (4, 6, 8), "flat": 1},
    "time-series": TINY,
    "word-patches": TINY | {"words": 6, "window": 32},
}
"""Sizes at which each method is tried."""

AT_TEST = ["feedback-unet", "mutual-leakage", "word-patches", "feedback-attention"]
"""Methods whose leak is a part of the answer; the others leak while they learn."""

CLASSES = ClassTable.membrane().add("mitochondria")


def made(name: str) -> Trainable:
    torch.manual_seed(0)
    return registry.fresh(name, CLASSES, **SMALL[name])


def side(segmenter: Trainable) -> int:
    step = segmenter.spec.multiple_of
    return step * max(1, -(-32 // step))


def tiles(segmenter: Trainable, batch: int = 2, steps: int = 1) -> torch.Tensor:
    size = [steps * side(segmenter)] * (3 if segmenter.spec.dims == (3,) else 2)
    return torch.randn(batch, 1, *size, generator=torch.Generator().manual_seed(1))


def batch(segmenter: Trainable, share: float = 0.5) -> Batch:
    """Dark is membrane, bright mitochondria; every other line is unlabelled."""
    images = torch.nn.functional.avg_pool2d(tiles(segmenter).flatten(0, -4), 5, 1, 2) * 3
    images = images.reshape(tiles(segmenter).shape)
    truth = (images[:, 0] < -0.3).long() + 2 * (images[:, 0] > 0.5).long()
    truth[..., ::2] = -1
    return Batch(images, truth, share)


def learn(segmenter: Trainable, steps: int, rate: float = 0.02) -> dict[str, float]:
    """Take steps as the training loop does; return how far each parameter was moved."""
    for module in segmenter.modules():
        module.train()
    groups = {name: list(parameters) for name, parameters in segmenter.groups().items()}
    first = next(iter(groups))
    segmenter.begin(batch(segmenter))
    moved: dict[int, float] = {}
    for number in range(steps):
        torch.manual_seed(number)
        terms = segmenter.loss(batch(segmenter, number / steps))
        changes = []
        for group, parameters in groups.items():
            own = [t for k, t in terms.items() if (k.split("/")[0] if "/" in k else first) == group]
            total = sum(t for t in own if t.requires_grad)
            assert isinstance(total, torch.Tensor), f"nothing moves {group}"
            found = torch.autograd.grad(total, parameters, retain_graph=True, allow_unused=True)
            changes += list(zip(parameters, found, strict=True))
        with torch.no_grad():
            for parameter, gradient in changes:
                if gradient is not None:
                    size = float(gradient.abs().max())
                    moved[id(parameter)] = moved.get(id(parameter), 0.0) + size
                    parameter -= rate * gradient / (size + 1e-8)
    for module in segmenter.modules():
        module.eval()
    named = [
        (f"{number}.{name}" if number else name, parameter)
        for number, module in enumerate(segmenter.modules())
        for name, parameter in module.named_parameters()
    ]
    return {name: moved.get(id(parameter), 0.0) for name, parameter in named}


def answer(segmenter: Trainable, given: torch.Tensor) -> torch.Tensor:
    return segmenter.scores(given, segmenter.remember(SupportSet()))


@pytest.fixture(scope="module", params=list(SMALL))
def taught(request: pytest.FixtureRequest) -> tuple[Trainable, dict[str, float]]:
    segmenter = made(request.param)
    return segmenter, learn(segmenter, 8)


def test_every_method_that_trains_is_tried_here() -> None:
    others = {"annotation-leakage"}  # its tests are its own: it learns to read, not to know
    assert {one.name for one in registry.methods() if one.trains} - others == set(SMALL)


def test_every_parameter_learns(taught: tuple[Trainable, dict[str, float]]) -> None:
    silent = [name for name, size in taught[1].items() if not size]
    assert not silent


def test_the_answers_get_better(taught: tuple[Trainable, dict[str, float]]) -> None:
    given = batch(taught[0])
    fresh, after = (
        cross_entropy(answer(segmenter, given.images), given.truth)
        for segmenter in (made(taught[0].spec.name), taught[0])
    )
    assert after < fresh


def test_answers_have_a_finite_plane_a_class(taught: tuple[Trainable, dict[str, float]]) -> None:
    given = tiles(taught[0])
    found = answer(taught[0], given)
    assert found.shape == (2, 3, *given.shape[2:])
    assert torch.isfinite(found).all()
    assert torch.isfinite(answer(taught[0], torch.full_like(given, 5.0))).all()


def test_the_same_question_gets_the_same_answer(taught: tuple[Trainable, dict[str, float]]) -> None:
    given = tiles(taught[0])
    first = answer(taught[0], given)
    answer(taught[0], given.flip(-1))
    assert torch.equal(first, answer(taught[0], given))


def test_no_tile_of_a_batch_sees_another(taught: tuple[Trainable, dict[str, float]]) -> None:
    given = tiles(taught[0])
    single = torch.cat([answer(taught[0], given[i : i + 1]) for i in range(2)])
    torch.testing.assert_close(answer(taught[0], given), single, atol=1e-4, rtol=1e-4)


def test_a_part_is_answered_as_the_whole(taught: tuple[Trainable, dict[str, float]]) -> None:
    spec = taught[0].spec
    if spec.halo < 0:
        pytest.skip("sees without bound")
    step = spec.multiple_of
    halo = -(-spec.halo // step) * step
    whole = torch.randn(1, 1, step, 2 * halo + 3 * step)
    if spec.dims == (3,):
        whole = whole[:, :, None].expand(-1, -1, step, -1, -1)
    kept = slice(halo + step, halo + 2 * step)
    part = answer(taught[0], whole[..., step : 2 * halo + 2 * step])
    torch.testing.assert_close(
        part[..., halo : halo + step], answer(taught[0], whole)[..., kept], atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("name", AT_TEST)
def test_without_its_leak_the_answer_is_another(name: str) -> None:
    segmenter = made(name)
    with torch.no_grad():  # as if it had learned for long to use what starts at zero
        for parameter in (p for module in segmenter.modules() for p in module.parameters()):
            parameter.add_(0.2 * torch.randn_like(parameter))
    given = tiles(segmenter)
    whole, half, cut = (answer(segmenter.with_leak(s), given) for s in (1.0, 0.5, 0.0))
    assert (whole - cut).abs().max() > 1e-3
    assert (whole - half).abs().max() > 1e-3
    assert torch.equal(whole, answer(segmenter, given))


def test_folding_its_norms_changes_nothing(taught: tuple[Trainable, dict[str, float]]) -> None:
    given, folded = tiles(taught[0]), copy.deepcopy(taught[0])
    fold(folded.modules())
    torch.testing.assert_close(
        answer(folded, given), answer(taught[0], given), atol=1e-3, rtol=1e-3
    )


def test_it_survives_the_way_through_a_file(taught: tuple[Trainable, dict[str, float]]) -> None:
    segmenter = taught[0]
    header = json.loads(json.dumps(segmenter.header()))
    again = type(segmenter).from_file(segmenter.tensors(), header)  # type: ignore[attr-defined]
    assert again.header() == segmenter.header()
    assert torch.equal(*(answer(s, tiles(segmenter)) for s in (segmenter, again)))


@pytest.mark.parametrize("name", list(SMALL))
def test_a_class_that_joins_changes_no_old_score(name: str) -> None:
    segmenter = made(name)
    learn(segmenter, 2)
    given = tiles(segmenter)
    before = answer(segmenter, given)
    segmenter.grow(CLASSES.add("synapse").entries[-1:])
    after = answer(segmenter, given)
    assert after.shape[1] == 4
    torch.testing.assert_close(after[:, :3], before, atol=1e-4, rtol=1e-4)
    more = learn(segmenter, 2)
    assert all(size for name, size in more.items() if name.startswith("head."))


@pytest.mark.parametrize("name", list(SMALL))
def test_another_model_of_its_kind_is_taken_over_whole(name: str) -> None:
    first = made(name)
    learn(first, 2)
    torch.manual_seed(7)
    second = registry.fresh(name, CLASSES, **SMALL[name])
    taken = second.adopt(first.tensors(), first.classes)
    assert set(taken) == set(first.tensors())
    given = tiles(first)
    torch.testing.assert_close(answer(first, given), answer(second, given))


def test_of_a_network_of_another_size_nothing_is_taken() -> None:
    torch.manual_seed(0)
    large, small = (
        registry.fresh("unet", CLASSES, widths=widths, features=4) for widths in ((8, 12), (4, 6))
    )
    assert small.adopt(large.tensors(), CLASSES) == []


NO_OP = (
    "axial-local",
    "feature-aggregation",
    "feedback-attention",
    "feedback-unet",
    "object-queries",
    "self-distillation",
    "time-series",
    "word-patches",
)
"""Methods that start as the plain U-Net of the weights that they take over."""


@pytest.mark.parametrize(
    "name", [one.name for one in registry.methods() if one.init and one.name in SMALL]
)
def test_shipped_weights_are_what_it_starts_from(name: str) -> None:
    shipped = registry.load("membrane")
    segmenter, plain = (registry.fresh(one, ClassTable.membrane()) for one in (name, "unet"))
    taken = segmenter.adopt(shipped.tensors(), shipped.classes)
    assert sum(one.startswith("body.") for one in taken) > 50
    plain.adopt(shipped.tensors(), shipped.classes)
    if name in NO_OP:
        given = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(answer(segmenter, given), answer(plain, given))
