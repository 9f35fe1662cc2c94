"""How many iterations the next block has, and whose turn it is: pure functions of a run's settings."""

from __future__ import annotations

import math
from typing import List, NamedTuple, Optional, Sequence

from rkbench_agent.wire.plan import RunSettings


class BlockSize(NamedTuple):
    """`limit_ns` ends the block early once its durations sum up to it (0: never)."""

    iterations: int
    limit_ns: int


def next_block(settings: RunSettings, done_iterations: int, done_ns: int) -> Optional[BlockSize]:
    """Return the size of a run's next block, or None when the run is over.

    A run is over with min_iterations *and* min_duration_s, or with max_duration_s. The last block is
    cut to what is missing, by the mean latency so far.
    """
    limit_ns = int(settings.max_duration_s * 1e9)
    if limit_ns and done_ns >= limit_ns:
        return None
    missing = max(0, settings.min_iterations - done_iterations)
    missing_ns = max(0, int(settings.min_duration_s * 1e9) - done_ns)
    if missing_ns:
        mean_ns = max(1.0, done_ns / done_iterations) if done_iterations else 0.0
        by_time = math.ceil(missing_ns / mean_ns) if mean_ns else settings.block_iterations
        missing = max(missing, by_time)
    if not missing:
        return None
    iterations = min(missing, max(1, settings.block_iterations))
    return BlockSize(iterations, limit_ns - done_ns if limit_ns else 0)


def turns(runs: Sequence[str], round_number: int) -> List[str]:
    """Return the order of one round: A B, then B A, then A B again.

    Each pair of rounds is A B B A, in which a drift that is linear in time hits all runs alike.
    """
    return list(runs) if round_number % 2 == 0 else list(reversed(runs))
