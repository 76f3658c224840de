from __future__ import annotations

from instance_cases import agreement, voronoi

from napari_infoleak.instances import watershed


def test_a_faint_border_holds_and_clutter_does_not():
    truth, membrane = voronoi((200, 200), 25, seed=9)
    assert agreement(watershed.cells(membrane * 0.45, threshold=0.25), truth) > 0.97
    assert watershed.cells(membrane * 0.2, threshold=0.1).max() == 1


def test_what_the_user_says_counts():
    truth, membrane = voronoi((200, 200), 25, seed=9)
    faint = membrane * 0.5  # half of the probability is missing everywhere
    shy = watershed.cells(faint, threshold=0.25, border=0.1)
    assert agreement(shy, truth) > 0.97
    assert watershed.cells(faint, threshold=0.25, border=0.9).max() == 1
