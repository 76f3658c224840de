from __future__ import annotations

import numpy as np
import pytest

from napari_infoleak.spread.confidence import confidence


def membrane(probability: float, inside: float = 1.0) -> np.ndarray:
    """A line that is membrane with a probability; far from it all is sure."""
    share = np.full((40, 40), 1 - inside, np.float32)
    share[12:24] = 1 - probability
    share[16:20] = probability
    return np.stack([1 - share, share])


def test_the_surer_the_better():
    found = [confidence(membrane(p)) for p in (0.55, 0.7, 0.9, 1.0)]
    assert found == pytest.approx([0.55, 0.7, 0.9, 1.0], abs=1e-6)


def test_what_is_far_from_a_border_does_not_count():
    assert confidence(membrane(0.7, inside=1.0)) == confidence(membrane(0.7, inside=0.6))


def test_a_frame_without_border_counts_as_a_whole():
    share = np.full((8, 8), 0.75, np.float32)
    assert confidence(np.stack([share, 1 - share])) == 0.75
    assert confidence(np.ones((1, 8, 8), np.float32)) == 1.0


def test_classes_and_directions_are_alike():
    two = membrane(0.8)
    for other in (two[::-1], two[:, ::-1], two.swapaxes(1, 2)):
        assert confidence(other) == pytest.approx(confidence(two), abs=1e-6)
    three = np.concatenate([two, np.zeros_like(two[:1])])
    assert confidence(three) == confidence(two)
