"""The raw latencies of one run, as they were measured: integers in nanoseconds, warm-up included."""

from __future__ import annotations

import operator
from array import array
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from rkbench_agent.wire.messages import Latencies

from rkbench.stats.clusters import waits_for_none

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def _int64() -> array[int]:
    return array("q")


@dataclass(frozen=True)
class RawLatencies:
    """Columns of equal length, one entry an iteration, in order.

    The stage columns are empty where the runtime does not tell the stages apart; `device_ns`, the
    runtime's own figure of the NPU's time within `run_ns`, where it gives none. `load` numbers the loads in
    which variants took turns, and `unread` (1) marks what followed a switch and counts for nothing; both are
    empty in runs of the first version, which had one load and read all. What is *timed* is neither warm-up
    nor unread.
    """

    start_ns: array[int] = field(default_factory=_int64)
    duration_ns: array[int] = field(default_factory=_int64)
    block: array[int] = field(default_factory=_int64)
    warmup: array[int] = field(default_factory=_int64)
    set_inputs_ns: array[int] = field(default_factory=_int64)
    run_ns: array[int] = field(default_factory=_int64)
    get_outputs_ns: array[int] = field(default_factory=_int64)
    device_ns: array[int] = field(default_factory=_int64)
    load: array[int] = field(default_factory=_int64)
    unread: array[int] = field(default_factory=_int64)

    def append(self, batch: Latencies) -> None:
        """Take over one batch; a stage that any batch lacks is dropped for the whole run."""
        before, count = len(self.duration_ns), len(batch.duration_ns)
        self.start_ns.extend(batch.start_ns)
        self.duration_ns.extend(batch.duration_ns)
        self.block.extend([batch.block] * count)
        self.warmup.extend([int(batch.warmup)] * count)
        self.load.extend([batch.load] * count)
        self.unread.extend([1] * batch.unread + [0] * (count - batch.unread))
        for name in STAGES:
            values, column = getattr(batch, f"{name}_ns"), getattr(self, f"{name}_ns")
            if values is not None and len(column) == before:
                column.extend(values)
            else:
                del column[:]

    def extend(self, other: RawLatencies) -> None:
        """Take over all entries of another; a stage that either lacks is dropped for all."""
        before = len(self.duration_ns)
        for name, column in vars(self).items():
            more = getattr(other, name)
            if len(column) == before and len(more) == len(other.duration_ns):
                column.extend(more)
            else:
                del column[:]

    def timed(self, column: str = "duration_ns") -> list[int]:
        """Return the timed entries of a column; empty where the column is."""
        values: array[int] = getattr(self, column)
        return (
            [value for value, left in zip(values, self._left_out(), strict=True) if not left]
            if values
            else []
        )

    def timed_blocks(self) -> list[list[int]]:
        """Return the timed durations (ns), block by block, in order."""
        return [[duration for _, duration in block] for block in self.timed_block_calls()]

    def timed_block_calls(self) -> list[list[tuple[int, int]]]:
        """Return start and duration (ns) of the timed calls, block by block, in order."""
        return list(self.lanes().values())

    def timed_loads(self) -> list[list[list[int]]]:
        """Return the timed blocks of each load (durations in ns), in order."""
        loads: dict[int, list[list[int]]] = {}
        for load, block in zip(self.block_loads(), self.timed_blocks(), strict=True):
            loads.setdefault(load, []).append(block)
        return list(loads.values())

    def lanes(self) -> dict[int, list[tuple[int, int]]]:
        """Return start and duration (ns) of the timed calls of each block, in order."""
        order, numbers, bounds = self._timed_by_block()
        starts, durations = self._column("start_ns")[order], self._column("duration_ns")[order]
        calls = list(zip(starts.tolist(), durations.tolist(), strict=True))
        return {
            block: calls[first:end]
            for block, (first, end) in zip(numbers, pairwise(bounds.tolist()), strict=True)
        }

    def only(self, blocks: Container[int]) -> RawLatencies:
        """Return the entries of these blocks."""
        import numpy as np  # not at the top: a help page and a list of runs need none

        wanted = [block for block in np.unique(self._column("block")).tolist() if block in blocks]
        return self._at(np.flatnonzero(np.isin(self._column("block"), wanted)))

    def in_parts(self, count: int) -> RawLatencies:
        """Return the entries in the order in which they began, their timed ones in `count` equal blocks."""
        import numpy as np

        found = self._at(np.argsort(self._column("start_ns"), kind="stable"))
        timed, blocks = np.flatnonzero(found._is_timed()), found._column("block").copy()
        blocks[timed] = np.arange(len(timed)) * count // max(1, len(timed))
        return replace(found, block=array("q", blocks.tobytes()))

    def in_busy_periods(self, contexts: int) -> RawLatencies:
        """Return the timed entries in the order in which they were due, each busy period a block."""
        import numpy as np

        timed = np.flatnonzero(self._is_timed())
        found = self._at(timed[np.argsort(self._column("start_ns")[timed], kind="stable")])
        free = waits_for_none(found._column("start_ns"), found._column("duration_ns"), contexts)
        return replace(found, block=array("q", np.cumsum(free, dtype=np.int64).tobytes()))

    def timed_in_order(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return start and duration (ns) of the timed entries, in the order in which they began."""
        import numpy as np

        timed = self._is_timed()
        starts, durations = self._column("start_ns")[timed], self._column("duration_ns")[timed]
        order = np.argsort(starts, kind="stable")
        return starts[order], durations[order]

    def firsts_of_blocks(self) -> RawLatencies:
        """Return the first entry of each block; of each stretch of one that comes more than once."""
        import numpy as np

        blocks = self._column("block")
        return self._at(np.flatnonzero(np.diff(blocks, prepend=blocks[:1] - 1)))

    def timed_arrays(self, column: str = "duration_ns") -> list[NDArray[np.int64]]:
        """Return the timed entries of a column, an array a block, in the order of the blocks' numbers.

        Empty where the column is.
        """
        import numpy as np

        values, lengths = self.timed_blocks_cut(column)
        return np.split(values, np.cumsum(lengths)[:-1]) if len(lengths) else []

    def timed_blocks_cut(self, column: str = "duration_ns") -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the timed entries of a column, block after block by their numbers, and each block's length.

        Both are empty where the column is.
        """
        import numpy as np  # not at the top: a help page and a list of runs need none

        values = self._column(column)
        if not len(values):
            return values, values
        timed = self._is_timed()
        values, blocks = values[timed], self._column("block")[timed]
        if np.any(np.diff(blocks) < 0):
            order = np.argsort(blocks, kind="stable")
            values, blocks = values[order], blocks[order]
        if not len(values):
            return values, values
        return values, np.diff(np.flatnonzero(np.diff(blocks)) + 1, prepend=0, append=len(values))

    def load_arrays(self) -> list[list[NDArray[np.int64]]]:
        """Return the timed durations (ns) of each load, an array a block, in order."""
        durations, loads = self.timed_arrays(), self.timed_arrays("load")
        found: dict[int, list[NDArray[np.int64]]] = {}
        for place, block in enumerate(durations):
            found.setdefault(int(loads[place][0]) if loads else 0, []).append(block)
        return list(found.values())

    def window_ns(self) -> tuple[int, int] | None:
        """Return when the first timed iteration began and the last ended; None without any."""
        windows = self.block_windows_ns()
        return (min(first for first, _ in windows), max(end for _, end in windows)) if windows else None

    def block_windows_ns(self) -> list[tuple[int, int]]:
        """Return when the first iteration of each timed block began and its last one ended."""
        order, _, bounds = self._timed_by_block()
        starts, durations = self._column("start_ns")[order], self._column("duration_ns")[order]
        lasts = bounds[1:] - 1
        return list(
            zip(starts[bounds[:-1]].tolist(), (starts[lasts] + durations[lasts]).tolist(), strict=True)
        )

    def block_loads(self) -> list[int]:
        """Return the load of each timed block, in order."""
        loads = self.load or [0] * len(self.block)
        columns = zip(self.block, loads, self._left_out(), strict=True)
        return list({block: load for block, load, left in columns if not left}.values())

    def throughput_per_s(self) -> float | None:
        """Return timed iterations per second inside the blocks, gaps between calls included."""
        count = sum(1 for left in self._left_out() if not left)
        total_ns = sum(end - first for first, end in self.block_windows_ns())
        return count * 1e9 / total_ns if total_ns > 0 else None

    def rows(self) -> Iterator[dict[str, int | None]]:
        """Yield one dict an iteration, with all columns by name; None where a column is empty."""
        for index in range(len(self.duration_ns)):
            yield {name: column[index] if column else None for name, column in vars(self).items()}

    def _timed_by_block(self) -> tuple[NDArray[np.int64], list[int], NDArray[np.int64]]:
        """Return the places of the timed entries, block by block as they first come; the blocks' numbers; and
        where each of them begins there, with the end of the last."""
        import numpy as np

        timed = np.flatnonzero(self._is_timed())
        numbers, firsts, of_which = np.unique(
            self._column("block")[timed], return_index=True, return_inverse=True
        )
        by_coming = np.argsort(firsts)
        turn = np.argsort(by_coming)[of_which]
        bounds = np.concatenate([[0], np.cumsum(np.bincount(turn))]).astype(np.int64)
        return timed[np.argsort(turn, kind="stable")], numbers[by_coming].tolist(), bounds

    def _at(self, indices: NDArray[np.int64]) -> RawLatencies:
        columns = {
            name: array("q", self._column(name)[indices].tobytes() if column else ())
            for name, column in vars(self).items()
        }
        return RawLatencies(**columns)

    def _column(self, name: str) -> NDArray[np.int64]:
        import numpy as np

        return np.frombuffer(getattr(self, name), dtype=np.int64)

    def _is_timed(self) -> NDArray[np.bool_]:
        timed: NDArray[np.bool_] = self._column("warmup") == 0
        return timed & (self._column("unread") == 0) if self.unread else timed

    def _left_out(self) -> Iterable[int]:
        """Return for each iteration whether (1) it is of the warm-up or unread."""
        return map(operator.or_, self.warmup, self.unread) if self.unread else self.warmup


STAGES = ("set_inputs", "run", "get_outputs", "device")
