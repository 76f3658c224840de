"""A store in memory for arrays that are too large to hold and mostly empty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zarr.storage import MemoryStore

if TYPE_CHECKING:
    from collections.abc import MutableMapping


class SparseStore(MemoryStore):
    """Holds the chunks that were written, and says which.

    Parameters
    ----------
    store_dict : mapping, optional
        Where the chunks are kept.
    read_only : bool
        Whether writing is refused.
    """

    def __init__(
        self, store_dict: MutableMapping[str, Any] | None = None, *, read_only: bool = False
    ) -> None:
        self.written: MutableMapping[str, Any] = {} if store_dict is None else store_dict
        super().__init__(self.written, read_only=read_only)
