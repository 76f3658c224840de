"""Drawn membranes of real tissue give back the cells that they were drawn around."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from instance_cases import agreement
from scipy import ndimage as ndi

from napari_infoleak.instances import multicut, watershed

DATA = Path(os.environ.get("INFOLEAK_DATA", Path(__file__).parents[3] / "shared" / "data"))
METHODS = pytest.mark.parametrize("cells", [watershed.cells, multicut.cells])


def labels_of(name):
    tifffile = pytest.importorskip("tifffile")
    if not (DATA / name).is_file():
        pytest.skip(f"no {name} in the data folder; name the folder in INFOLEAK_DATA")
    return tifffile.imread(DATA / name)


@METHODS
@pytest.mark.parametrize(
    ("name", "wall"),
    [("isbi2012/val_label.tif", 1), ("alizarine_cornea/val_label_ignore255.tif", 1)],
)
def test_planes(cells, name, wall):
    drawn = labels_of(name)[0]
    truth = ndi.label((drawn != wall) & (drawn != 255))[0]
    thick = ndi.binary_dilation(drawn == wall) if "cornea" in name else drawn == wall
    found = cells(thick.astype(np.float32))
    assert agreement(found, truth) > 0.95


@METHODS
def test_volume(cells):
    from skimage.segmentation import find_boundaries

    bodies = labels_of("fib25/val_bodies.tif")[:24, :160, :160]
    wall = find_boundaries(bodies, mode="thick").astype(np.float32)
    found = cells(wall, spacing=(10, 10, 10))
    assert agreement(found, bodies) > 0.9
