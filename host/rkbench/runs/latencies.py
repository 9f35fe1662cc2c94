"""The raw latencies of one run, as they were measured: integers in nanoseconds, warm-up included."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from rkbench_agent.wire.messages import Latencies


def _int64() -> array[int]:
    return array("q")


@dataclass(frozen=True)
class RawLatencies:
    """Columns of equal length, one entry an iteration, in order.

    The stage columns are empty where the runtime does not tell the stages apart; `device_ns`, the
    runtime's own figure of the NPU's time within `run_ns`, where it gives none.
    """

    start_ns: array[int] = field(default_factory=_int64)
    duration_ns: array[int] = field(default_factory=_int64)
    block: array[int] = field(default_factory=_int64)
    warmup: array[int] = field(default_factory=_int64)
    set_inputs_ns: array[int] = field(default_factory=_int64)
    run_ns: array[int] = field(default_factory=_int64)
    get_outputs_ns: array[int] = field(default_factory=_int64)
    device_ns: array[int] = field(default_factory=_int64)

    def append(self, batch: Latencies) -> None:
        """Take over one batch; a stage that any batch lacks is dropped for the whole run."""
        before = len(self.duration_ns)
        self.start_ns.extend(batch.start_ns)
        self.duration_ns.extend(batch.duration_ns)
        self.block.extend([batch.block] * len(batch.duration_ns))
        self.warmup.extend([int(batch.warmup)] * len(batch.duration_ns))
        for name in STAGES:
            values, column = getattr(batch, f"{name}_ns"), getattr(self, f"{name}_ns")
            if values is not None and len(column) == before:
                column.extend(values)
            else:
                del column[:]

    def timed(self, column: str = "duration_ns") -> list[int]:
        """Return the timed entries of a column, warm-up left out; empty where the column is."""
        values: array[int] = getattr(self, column)
        return (
            [value for value, warmup in zip(values, self.warmup, strict=True) if not warmup] if values else []
        )

    def timed_blocks(self) -> list[list[int]]:
        """Return the timed durations (ns), block by block, in order."""
        blocks: dict[int, list[int]] = {}
        for duration, block, warmup in zip(self.duration_ns, self.block, self.warmup, strict=True):
            if not warmup:
                blocks.setdefault(block, []).append(duration)
        return list(blocks.values())

    def window_ns(self) -> tuple[int, int] | None:
        """Return when the first timed iteration began and the last ended; None without any."""
        ends = [
            (start, start + duration)
            for start, duration, warmup in zip(self.start_ns, self.duration_ns, self.warmup, strict=True)
            if not warmup
        ]
        return (min(start for start, _ in ends), max(end for _, end in ends)) if ends else None

    def block_windows_ns(self) -> list[tuple[int, int]]:
        """Return when the first iteration of each timed block began and its last one ended."""
        windows: dict[int, tuple[int, int]] = {}
        columns = zip(self.start_ns, self.duration_ns, self.block, self.warmup, strict=True)
        for start, duration, block, warmup in columns:
            if not warmup:
                first, _ = windows.get(block, (start, 0))
                windows[block] = (first, start + duration)
        return list(windows.values())

    def throughput_per_s(self) -> float | None:
        """Return timed iterations per second inside the blocks, gaps between calls included."""
        count = len(self.warmup) - sum(self.warmup)
        total_ns = sum(end - first for first, end in self.block_windows_ns())
        return count * 1e9 / total_ns if total_ns > 0 else None

    def rows(self) -> Iterator[dict[str, int | None]]:
        """Yield one dict an iteration: start_ns, duration_ns, block, warmup and the stages (or None)."""
        for index in range(len(self.duration_ns)):
            yield {name: column[index] if column else None for name, column in vars(self).items()}


STAGES = ("set_inputs", "run", "get_outputs", "device")
