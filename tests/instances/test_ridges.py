"""Strokes beside a line come to lie on it, dark or bright, and follow it all along."""

from __future__ import annotations

import numpy as np
import pytest

from napari_infoleak.instances.curves import trace
from napari_infoleak.instances.ridges import along_ridge, line_width


def ring(width, sign, noise=0.0):
    """A picture of a ring of radius 40 around (64, 64)."""
    y, x = np.indices((128, 128))
    far = np.abs(np.hypot(y - 64, x - 64) - 40)
    rng = np.random.default_rng(0)
    return (
        100
        + sign * 50 * np.exp(-((far / (width / 2.35)) ** 2) / 2)
        + rng.normal(0, 1, far.shape) * noise
    )


def circle(radius, end=2 * np.pi):
    angle = np.linspace(0, end, 60)
    places = np.stack([64 + radius * np.sin(angle), 64 + radius * np.cos(angle)], 1)
    return trace(places, (128, 128))


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("end", [1.0, 3.0, 2 * np.pi])
def test_a_shaky_stroke_comes_to_lie_on_the_line(sign, end):
    path = along_ridge(ring(4, sign, noise=8), circle(44, end), 6, 4)
    radius = np.hypot(*(path - 64).T)
    assert np.abs(radius - 40).mean() < 1
    angle = np.arctan2(*(path - 64).T) % (2 * np.pi)
    assert len(np.unique((angle / 0.2).astype(int))) >= 0.85 * end / 0.2, "it goes all the way"
    assert (np.abs(np.diff(path, axis=0)).max(1) <= 1).all(), "without a gap"


def test_a_dot_comes_to_lie_on_the_line_too():
    path = along_ridge(ring(4, -1), np.array([[64, 107]]), 6, 4)
    assert abs(np.hypot(*(path[0] - 64)) - 40) <= 1


def test_strokes_at_the_edge_and_on_flat_pictures_stay_near():
    for stroke in ([(0, 0), (0, 60)], [(127, 127), (90, 127)], [(5, 5), (5, 5)]):
        line = trace(stroke, (128, 128))
        path = along_ridge(np.zeros((128, 128)), line, 5, 3)
        far = np.abs(path[:, None] - line[None]).max(-1).min(1)
        assert far.max() <= 5


def test_the_width_of_lines_is_found():
    widths = [line_width(ring(width, -1, noise=1)) for width in (3, 5, 9)]
    assert widths == sorted(widths)
    assert widths[0] < 4
    assert 4 <= widths[1] <= 7
    assert widths[2] > 7
    assert line_width(np.zeros((9, 300))) > 0
