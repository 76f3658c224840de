"""Attention stays within its window, its weights sum to 1, and order means nothing."""

from __future__ import annotations

import torch

from napari_infoleak.nets.attention import (
    WindowedAttention,
    attend_in_windows,
    from_windows,
    into_windows,
)


def maps(channels: int = 4) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, channels, 8, 12, generator=generator) for _ in range(3)]


def test_windows_are_put_back_where_they_were() -> None:
    (x, *_) = maps()
    assert torch.equal(from_windows(into_windows(x, 4), 4, 8, 12), x)


def test_a_constant_is_read_as_it_is() -> None:
    query, key, _ = maps()
    found = attend_in_windows(query, key, torch.full_like(key, 3.0), 4)
    torch.testing.assert_close(found, torch.full_like(found, 3.0))


def test_nothing_outside_its_window_is_read() -> None:
    query, key, value = maps()
    found = attend_in_windows(query, key, value, 4)
    key, value = key.clone(), value.clone()
    key[0, :, 4:], value[0, :, 4:] = 7, 7
    changed = attend_in_windows(query, key, value, 4)
    assert torch.equal(found[0, :, :4], changed[0, :, :4])
    assert not torch.allclose(found[0, :, 4:], changed[0, :, 4:])
    assert torch.equal(found[1], changed[1])


def test_where_a_key_lies_within_the_window_means_nothing() -> None:
    query, key, value = maps()
    found = attend_in_windows(query, key, value, 4)
    for one in (key, value):
        one[:, :, :4, :4] = one[:, :, :4, :4].flip(2, 3)
    torch.testing.assert_close(attend_in_windows(query, key, value, 4), found)


def test_it_adds_nothing_before_it_has_learned() -> None:
    asking, answering, _ = maps()
    fresh = WindowedAttention(4, 4, 6, 5, pool=2, window=4)
    assert torch.equal(fresh(asking, answering), torch.zeros(2, 6, 8, 12))
