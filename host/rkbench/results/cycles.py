"""Load cycles, from the agent's messages: first and warm load, and what does not come back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rkbench_agent.wire.messages import LoadCycle

from rkbench.results.extras import Leak, LoadCycleRecord, LoadCycles
from rkbench.stats.slope import find_leak
from rkbench.stats.summary import median

NS_PER_S = 1e9
#: Not the proportional share (pss): it moves with every other process that maps the same libraries.
_LOOKED_AT = ("rss_bytes", "dma_buf_bytes")


def load_cycles(messages: Sequence[LoadCycle]) -> LoadCycles | None:
    """Return the cycles with what they say; None without any."""
    if not messages:
        return None
    ordered = sorted(messages, key=lambda message: message.cycle)
    loads_s = [message.duration_ns / NS_PER_S for message in ordered]
    return LoadCycles(
        count=len(ordered),
        first_s=loads_s[0],
        warm_s=median(loads_s[1:]) if len(loads_s) > 1 else None,
        leaks=tuple(_leaks(ordered[1:])),
        cycles=tuple(_cycle(message) for message in ordered),
    )


def _leaks(messages: Sequence[LoadCycle]) -> Iterator[Leak]:
    """Yield one entry for the process and one for the NPU's buffers, where they are known throughout.

    The first cycle is left out: what a library keeps from its first use is no leak.
    """
    for name in _LOOKED_AT:
        if _known(messages, name):
            values = [float(getattr(message, name)) for message in messages]
            slope = find_leak(values)
            memory = name.removesuffix("_bytes")
            yield Leak(memory, slope.judgement, slope.per_step, slope.low, slope.high, slope.method)


def _known(messages: Sequence[LoadCycle], name: str) -> bool:
    return bool(messages) and all(getattr(message, name) is not None for message in messages)


def _cycle(message: LoadCycle) -> LoadCycleRecord:
    return LoadCycleRecord(
        duration_s=message.duration_ns / NS_PER_S,
        release_s=message.release_ns / NS_PER_S,
        rss_bytes=message.rss_bytes,
        dma_buf_bytes=message.dma_buf_bytes,
    )
