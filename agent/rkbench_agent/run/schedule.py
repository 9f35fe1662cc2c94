"""How many iterations the next block has, whose turn it is, and when it is over: pure functions.

What they need to know of the runs is a `Standing` of each. Nothing here judges what was measured: how much
is enough for a comparison, the host says.
"""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Sequence

from rkbench_agent.wire.plan import RunSettings, read_iterations


class BlockSize(NamedTuple):
    """`iterations` with the first `unread` of them; `limit_ns` ends the block early (0: never)."""

    iterations: int
    unread: int = 0
    limit_ns: int = 0


class Standing(NamedTuple):
    """What a run has: iterations read, their time, and blocks, the last of them begun perhaps."""

    iterations: int = 0
    duration_ns: int = 0
    blocks: float = 0


def block_size(settings: RunSettings, call_ns: float, done_ns: int = 0, *, in_turns: bool) -> BlockSize:
    """Return the size of a block of calls that take about `call_ns` (0: nobody knows)."""
    read = read_iterations(settings, call_ns)
    unread = settings.unread_iterations if in_turns else 0
    limit_ns = int(settings.max_duration_s * 1e9)
    return BlockSize(read + unread, unread, max(1, limit_ns - done_ns) if limit_ns else 0)


def mean_call_ns(standing: Standing, warm_call_ns: Optional[float] = None) -> float:
    """Return how long a call takes: the mean of what was timed, else that of the warm-up; 0: unknown."""
    if standing.iterations:
        return standing.duration_ns / standing.iterations
    return warm_call_ns or 0.0


def is_over_alone(settings: RunSettings, standing: Standing) -> bool:
    """Tell whether a run that is measured alone has all that its plan asks for, or its time is up."""
    return is_time_up(settings, standing) or _has_share(settings, standing, 1, 1)


def is_load_over(settings: RunSettings, load: int, rounds: int, standings: Sequence[Standing]) -> bool:
    """Tell whether the load number `load` (from 0) is over after so many rounds.

    It then has its quads, and every run its share of what the plan asks for.
    """
    loads = settings.loads or 1
    share = min(load + 1, loads)
    return rounds >= (settings.quads or 1) and all(
        _has_share(settings, standing, share, loads) for standing in standings
    )


def is_plan_over(settings: RunSettings, loads: int, standings: Sequence[Standing], *, resident: bool) -> bool:
    """Tell whether runs that take turns have all that their plan asks for after so many loads.

    Where they are not `resident` together every block loads anew, and each load has one round.
    """
    wanted = settings.loads or 1
    if not resident:
        wanted = max(wanted, settings.quads or 1)
    return loads >= wanted and all(_has_share(settings, standing, 1, 1) for standing in standings)


def is_time_up(settings: RunSettings, standing: Standing) -> bool:
    """Tell whether a run has used the time that it has at most."""
    return settings.max_duration_s > 0 and standing.duration_ns >= settings.max_duration_s * 1e9


def round_of(runs: Sequence[str]) -> List[str]:
    """Return the order of one round, A B C C B A: every two runs have a quad in it, as A B B A.

    A drift that is linear in time hits both runs of a quad alike.
    """
    return [*runs, *reversed(runs)]


def total_blocks(settings: RunSettings, *, in_turns: bool) -> int:
    """Return how many blocks each run has at least."""
    if not in_turns:
        return settings.min_blocks
    return max(settings.min_blocks, 2 * (settings.loads or 1) * (settings.quads or 1))


def _has_share(settings: RunSettings, standing: Standing, share: int, shares: int) -> bool:
    return (
        standing.blocks * shares >= settings.min_blocks * share
        and standing.iterations * shares >= settings.min_iterations * share
        and standing.duration_ns * shares >= settings.min_duration_s * 1e9 * share
    )
