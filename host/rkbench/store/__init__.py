"""Where runs, nights and baselines are kept: `open_store` gives a `Store`, whatever lies behind it."""

from rkbench.store.base import Store
from rkbench.store.opening import default_address, open_store, read_store

__all__ = ["Store", "default_address", "open_store", "read_store"]
