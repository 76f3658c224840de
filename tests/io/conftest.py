from __future__ import annotations

from hypothesis import settings

# A busy machine is no reason for a law to fail.
settings.register_profile("laws", deadline=None, max_examples=60)
settings.load_profile("laws")
