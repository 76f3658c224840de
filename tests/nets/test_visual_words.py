"""Visual words: how they are found and how they are read."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from napari_infoleak.core.errors import BadInput
from napari_infoleak.nets.clusters import k_means
from napari_infoleak.nets.visual_words import WordsNet, patches_of


def net(**options: Any) -> WordsNet:
    torch.manual_seed(0)
    made = WordsNet(1, 3, widths=(4, 6, 8), features=4, window=16, **{"words": 5, **options})
    torch.nn.init.normal_(made.out.weight)  # as if it had learned to use what it reads
    return made.eval()


def image(batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, 1, 16, 32, generator=torch.Generator().manual_seed(1))


def test_a_fresh_one_is_a_plain_unet() -> None:
    made = WordsNet(1, 3, widths=(4, 6, 8), features=4, window=16).eval()
    assert torch.equal(made(image()), made.head(made.body(image())))


def test_without_the_leak_it_is_the_transformer_without_words() -> None:
    with_words, without = net(), net(words=0)
    weights = {k: v for k, v in with_words.state_dict().items() if k not in ("words", "mark")}
    without.load_state_dict(weights, strict=False)
    assert torch.equal(with_words(image(), leak=0.0), without(image()))
    assert not torch.allclose(with_words(image()), without(image()))


def test_the_order_of_words_does_not_matter() -> None:
    made = net()
    before = made(image())
    with torch.no_grad():
        made.words.copy_(made.words.flip(0))
    torch.testing.assert_close(made(image()), before)


def test_other_words_give_another_answer() -> None:
    made = net()
    before = made(image())
    with torch.no_grad():
        made.words.normal_()
    assert (made(image()) - before).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["trainable", "clustered", "free"])
def test_only_words_that_are_to_be_trained_get_a_gradient(kind: str) -> None:
    made = net(kind=kind)
    made(image()).square().mean().backward()
    assert (made.words.grad is not None) == (kind != "clustered")
    assert made.embed.weight.grad is not None


def test_clusters_are_found_again_and_are_the_means_of_theirs() -> None:
    centres = torch.tensor([[0.0, 0], [10, 0], [0, 10]])
    noise = torch.randn(50, 3, 2, generator=torch.Generator().manual_seed(0))
    points = (centres + 0.1 * noise).flatten(0, 1)
    found = k_means(points, 3)
    assert torch.equal(found, k_means(points, 3))
    assert torch.cdist(centres, found).amin(1).max() < 0.1


def test_clusters_that_cannot_be_are_refused() -> None:
    with pytest.raises(BadInput, match="1 different"):
        k_means(torch.ones(20, 4), 2)
    with pytest.raises(BadInput, match="2 different"):
        k_means(torch.eye(2), 3)
    with pytest.raises(BadInput, match="0 different"):
        k_means(torch.zeros(0, 2), 3)
    with pytest.raises(BadInput, match="no numbers"):
        k_means(torch.tensor([[float("nan")], [1.0]]), 1)


def test_half_of_the_patches_show_where_classes_meet() -> None:
    images = torch.zeros(1, 1, 64, 64)
    images[..., 32:] = 1
    truth = torch.full((1, 64, 64), -1)
    truth[0, :, 30:32], truth[0, :, 32:34] = 0, 1
    found = patches_of(images, truth, 8, 100, torch.Generator().manual_seed(0))
    assert found.shape == (100, 1, 8, 8)
    assert (found[:50].flatten(1).amin(1) == 0).all()
    assert (found[:50].flatten(1).amax(1) == 1).all()
    unlabelled = patches_of(
        images, torch.full_like(truth, -1), 8, 100, torch.Generator().manual_seed(0)
    )
    assert len(unlabelled) == 50
