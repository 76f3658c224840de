from __future__ import annotations

import os

# Tests leave nothing behind in the user's cache, nor do the processes that they start.
os.environ["INFOLEAK_CACHE_GB"] = "0"
