"""What the cache has of what the host wants, and what is to be doubted of it."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, List

from rkbench_agent.errors import StorageError
from rkbench_agent.line.storage import TMPFS, Cache, file_system
from rkbench_agent.wire.caveats import Caveat, caveat
from rkbench_agent.wire.messages import Have, Want


def look_up(want: Want, cache: Cache, mounts: Path, pulse: Callable[[], object] = lambda: None) -> Have:
    """Return the answer to `want`; `mounts` is the board's list of file systems.

    A cache that cannot be read has nothing. `pulse` is called while files are verified.
    """
    have: List[str] = []
    partial: Dict[str, int] = {}
    caveats: List[Caveat] = []
    try:
        have, partial = cache.have(want.digests, pulse), cache.partial_sizes(want.digests)
    except StorageError as error:
        advice = "look at the cache folder on the board; what it has is sent again"
        caveats.append(caveat("cache_unreadable", f"cache: {error}", advice))
    if file_system(cache.folder, mounts) == TMPFS:
        text = f"{cache.folder} is in memory (tmpfs): cached models take the RAM that is being measured"
        caveats.append(caveat("cache_in_memory", text, "name a folder on a disk: cache_dir in bench.toml"))
    return Have(have, partial, cache.free_bytes(want.digests), str(cache.folder), caveats)
