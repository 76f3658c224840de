from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

# The test modules share cases that are no fixtures.
sys.path.insert(0, str(Path(__file__).parent))

from instance_cases import voronoi


@pytest.fixture
def epithelium():
    """A plane of 40 cells, and their membranes as a shaky network would see them."""
    cells, membrane = voronoi((180, 200), 40, seed=3)
    rng = np.random.default_rng(0)
    return cells, np.clip(membrane + rng.normal(0, 0.15, membrane.shape), 0, 1).astype(np.float32)
