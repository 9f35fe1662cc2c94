"""Models that several boards run are prepared once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from rkbench.variants.variant import PreparedVariant, prepare_variants

_Wanted = tuple[tuple[Path, ...], "Path | None", "str | None", bool]


class Variants:
    """Prepares every model once for all boards: a hash, a header and a golden made to fit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._prepared: dict[_Wanted, tuple[PreparedVariant, ...]] = {}

    def __call__(
        self,
        paths: Sequence[Path],
        *,
        golden: Path | None = None,
        soc: str | None = None,
        force: bool = False,
    ) -> tuple[PreparedVariant, ...]:
        """Return the variants as `prepare_variants` does, and raise what it raises."""
        key = (tuple(paths), golden, soc, force)
        with self._lock:
            if key not in self._prepared:
                self._prepared[key] = prepare_variants(paths, golden=golden, soc=soc, force=force)
            return self._prepared[key]
