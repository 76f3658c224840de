"""``python -m napari_infoleak`` is the command line."""

from __future__ import annotations

import sys

from napari_infoleak.cli import main

if __name__ == "__main__":
    sys.exit(main())
