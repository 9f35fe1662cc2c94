"""One thread at a time has msgspec look at a dataclass: where two do so for the first time, 0.22 crashes."""

from __future__ import annotations

from threading import RLock

BUILDING = RLock()
