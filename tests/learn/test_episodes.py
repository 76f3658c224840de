"""Synthetic scenes, strokes and episodes; and the one rule that makes leakage work."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest
import torch

from napari_infoleak.io.weights import load_weights
from napari_infoleak.learn.episode_loss import episode_losses, questions
from napari_infoleak.learn.episodes import Episode, Source, _places, episodes
from napari_infoleak.learn.recipes import pretrain as recipe
from napari_infoleak.learn.recipes.pretrain import pretrain
from napari_infoleak.learn.strokes import paint
from napari_infoleak.learn.synthesis import MEMBRANE, Kind, synthesise
from napari_infoleak.nets.leakage_net import LeakageNet
from napari_infoleak.nets.losses import cross_entropy, dice, log_likelihood

if TYPE_CHECKING:
    from pathlib import Path

KINDS = get_args(Kind)


@pytest.mark.parametrize("kind", KINDS)
def test_scenes_are_whole_and_come_again_from_their_seed(kind: Kind) -> None:
    first, second = (synthesise(np.random.default_rng(4), (2, 96, 128), kind) for _ in range(2))
    assert first.image.shape == first.classes.shape == first.cells.shape == (2, 96, 128)
    assert np.isfinite(first.image).all()
    assert first.cells.min() >= 1
    np.testing.assert_array_equal(first.image, second.image)


def test_membranes_lie_on_the_borders_of_cells() -> None:
    scene = synthesise(np.random.default_rng(1), (1, 128, 128), "em")
    cells, membrane = scene.cells[0], scene.classes[0] == MEMBRANE
    border = cells[:, 1:] != cells[:, :-1]
    assert membrane[:, 1:][border].mean() > 0.9
    assert (scene.margin[0][membrane] <= 0.5).mean() > 0.9


def sources() -> list[Source]:
    found = []
    for seed, kind in enumerate(KINDS):
        scene = synthesise(np.random.default_rng(seed), (1, 256, 256), kind)
        found.append(Source([scene.image[0]], [scene.classes[0]], [scene.margin[0]], (0.8, 1.5)))
    return found


def some(count: int, crops: int = 3) -> list[Episode]:
    stream = episodes(sources(), crops, 64, np.random.default_rng(0))
    return [next(stream) for _ in range(count)]


def test_paint_is_always_true() -> None:
    for episode in some(12):
        where = episode.painted >= 0
        np.testing.assert_array_equal(episode.painted[where], episode.truth[where])


def test_strokes_are_sparse_and_of_every_class() -> None:
    truth = np.zeros((96, 96), np.int64)
    truth[:, 40:44] = 1
    painted = paint(truth, 3, np.random.default_rng(0), width=2, length=30)
    assert set(np.unique(painted)) == {-1, 0, 1}
    assert (painted >= 0).mean() < 0.1


def small() -> LeakageNet:
    """A network whose fusion does something."""
    torch.manual_seed(0)
    net = LeakageNet(widths=(4, 4, 4, 4), features=4, dimensions=4)
    for parameter in net.fusion.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return net


def first_read(episode: Episode, net: LeakageNet) -> list[torch.Tensor]:
    """What the first crop is told, by whatever way labels could reach it."""
    images = torch.from_numpy(episode.images)[:, None]
    with torch.no_grad():
        features = net.eval().body(images)
        own = net.own(features).log_softmax(1)
        torch.manual_seed(0)
        told = next(questions(net, features, own, episode, np.random.default_rng(0)))
        return [*net.fuse(*told[:-2]), told.read, told.linear, told.affinity, told.frequency]


def test_an_image_never_reads_its_own_annotation() -> None:
    net = small()
    episode = next(e for e in some(20, crops=2) if set(np.unique(e.painted[1])) >= {0, 1})
    changed = episode.painted.copy()
    changed[0] = 1 - changed[0].clip(0, 1)
    lied = dataclasses.replace(episode, painted=changed)
    for a, b in zip(first_read(episode, net), first_read(lied, net), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    other = episode.painted.copy()
    known = other[1] >= 0
    other[1][known] = 1 - other[1][known].clip(0, 1)
    told = first_read(dataclasses.replace(episode, painted=other), net)
    for a, b in zip(first_read(episode, net), told, strict=True):
        assert not torch.equal(a, b)


def test_crops_of_one_episode_share_no_pixel() -> None:
    """Else an image would read its own annotation by way of another crop."""
    one = np.arange(40 * 40).reshape(40, 40)
    classes = [np.ones((40, 40), np.uint8)]
    for images in ([one], [one + 1600 * i for i in range(8)]):
        source = Source(images, classes * len(images), None, (1.0, 1.0))
        for seed in range(5):
            places = _places(source, 4, np.random.default_rng(seed))
            pixels = np.concatenate([images[index][window].ravel() for index, window in places])
            assert len(places) == 4
            assert len(np.unique(pixels)) == len(pixels)


def test_a_source_without_margins_says_nothing_of_membranes() -> None:
    image = np.random.default_rng(0).normal(size=(128, 128))
    classes = np.ones((128, 128), np.uint8)
    classes[::2] = 5
    stream = episodes(
        [Source([image], [classes], None, (1.0, 1.5))], 2, 32, np.random.default_rng(0)
    )
    for _ in range(5):
        assert (next(stream).membrane == -1).all()


def test_a_picture_of_which_nothing_is_known_is_passed_over() -> None:
    image = np.random.default_rng(0).normal(size=(128, 128))
    unknown = Source([image], [np.zeros((128, 128), np.uint8)], None, (1.0, 1.5), weight=50)
    stream = episodes([unknown, *sources()], 2, 32, np.random.default_rng(0))
    for _ in range(3):
        assert (next(stream).truth >= 0).any()


def test_every_parameter_learns() -> None:
    net = small()
    rng = np.random.default_rng(0)
    for episode in some(6):
        features = net.body(torch.from_numpy(episode.images)[:, None])
        terms = episode_losses(net, features, episode, rng)
        losses = [value for values in terms.values() for value in values]
        if losses:
            torch.stack(losses).sum().backward()
    idle = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert not idle


def test_unlabelled_pixels_carry_no_loss() -> None:
    scores = torch.randn(1, 3, 8, 8)
    truth = torch.full((1, 8, 8), -1)
    assert cross_entropy(scores, truth) == 0
    assert dice(scores, truth) == 0
    truth[0, 0] = 2
    other = scores.clone()
    other[..., 4:, :] += 10
    for loss in (cross_entropy, dice):
        assert loss(scores, truth) == loss(other, truth)
    assert log_likelihood(scores.softmax(1), truth) == pytest.approx(
        float(cross_entropy(scores, truth)), abs=1e-2
    )


def test_a_step_whose_slope_is_no_number_is_left_out() -> None:
    net = small()
    optimiser = torch.optim.SGD(net.parameters(), 1.0)
    before = [parameter.clone() for parameter in net.parameters()]
    for terms in ({}, {"own": net.own.weight.sum() * torch.nan}):
        recipe._step(net, optimiser, terms)
        assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
    weight = net.own.weight.clone()
    recipe._step(net, optimiser, {"own": net.own.weight.square().sum()})
    assert not torch.equal(weight, net.own.weight)


def test_pretraining_goes_on_from_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe, "SIZE", 64)
    monkeypatch.setattr(recipe, "_SAVE_SECONDS", 1e9)  # however short a run is
    weights = pretrain(tmp_path, 0.05, None, scenes=2, threads=1)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert state["step"] >= 1
    pretrain(tmp_path, 0.05, None, scenes=2, threads=1)
    later = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert later["step"] > state["step"]
    path = recipe.export(weights, tmp_path / "model.safetensors")
    header = load_weights(path)[1]
    assert header["method"] == "annotation-leakage"
    assert header["config"]["widths"] == LeakageNet().config["widths"]


def test_the_preference_for_membranes_is_within_its_range() -> None:
    from napari_infoleak.learn.recipes.membrane_offset import OFFSETS, best_offset

    net = LeakageNet(widths=(4, 4, 4, 4), features=4, dimensions=4).eval()
    offset = best_offset(net, sources()[:1], tasks=2, size=64)
    assert OFFSETS[0] <= offset <= OFFSETS[-1]
    assert offset == best_offset(net, sources()[:1], tasks=2, size=64)
