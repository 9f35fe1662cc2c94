"""One variant on several boards of a kind: how far they lie apart, and which of them is odd."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rkbench_agent.wire.words import SINGLE_STREAM

from rkbench.results.conditions import CONDITIONS
from rkbench.results.latencies import RawLatencies
from rkbench.results.model import RunResult
from rkbench.results.pairs import turns_of
from rkbench.stats.boards import (
    Runs,
    board_levels,
    board_variance,
    distance,
    odd_boards,
    two_boards,
)
from rkbench.stats.paired import EFFECT


@dataclass(frozen=True)
class BoardLevel:
    """The p50 of a board over its runs, and by how many percent it is longer (+) than the others' median."""

    board: str
    runs: tuple[str, ...]
    p50_s: float
    difference_percent: float
    is_odd: bool = False


@dataclass(frozen=True)
class BoardCondition:
    """A condition of board or software under which the boards differ: the values, by board."""

    name: str
    values: Mapping[str, str | None]


@dataclass(frozen=True)
class AcrossBoards:
    """The latency of one variant on boards of one SoC, by the same runtime on the same cores.

    The deviations are standard deviations in percent: between boards, between the runs of a board, between
    the blocks of a run, each without what the levels below it explain; None where nothing tells. Low and high
    bound that of boards with 90 %, and with 95 % the difference of two boards, of which none is called odd.
    """

    variant: str
    sha256: str
    soc: str | None
    runtime: str | None
    core_mask: str
    simulated: bool
    boards: tuple[BoardLevel, ...]
    board_sd_percent: float | None
    board_sd_low_percent: float | None
    board_sd_high_percent: float | None
    run_sd_percent: float | None
    block_sd_percent: float | None
    conditions: tuple[BoardCondition, ...] = ()
    two_low_percent: float | None = None
    two_high_percent: float | None = None
    effect_percent: float = EFFECT * 100


def across_boards(
    runs: Sequence[RunResult], latencies: Mapping[str, RawLatencies]
) -> tuple[AcrossBoards, ...]:
    """Return what is known of every variant that ran on several boards of one kind, in the order of `runs`.

    Of single-stream runs that ended well, with latencies; simulated ones and real ones apart.
    """
    groups: dict[tuple[object, ...], dict[str, list[RunResult]]] = {}
    for run in runs:
        if run.failure is None and run.latency is not None and run.plan.scenario == SINGLE_STREAM:
            key = (run.variant.sha256, run.board.soc, run.plan.runtime, run.plan.core_mask, run.simulated)
            groups.setdefault(key, {}).setdefault(run.board.name, []).append(run)
    found = (_across(boards, latencies) for boards in groups.values() if len(boards) > 1)
    return tuple(item for item in found if item is not None)


def _across(
    boards: Mapping[str, Sequence[RunResult]], latencies: Mapping[str, RawLatencies]
) -> AcrossBoards | None:
    levels: dict[str, Runs] = {}
    for name, runs in boards.items():
        told = [loads for run in runs if (loads := _block_levels(latencies.get(run.id, RawLatencies())))]
        if told:
            levels[name] = told
    if len(levels) < 2:
        return None
    first = next(iter(boards.values()))[0]
    effect = first.plan.effect_percent / 100
    middle, variance = board_levels(levels), board_variance(list(levels.values()))
    odd = odd_boards(middle, effect)
    two = two_boards(*levels.values()) if len(levels) == 2 else None
    return AcrossBoards(
        variant=first.variant.name,
        sha256=first.variant.sha256,
        soc=first.board.soc,
        runtime=first.plan.runtime,
        core_mask=first.plan.core_mask,
        simulated=first.simulated,
        boards=tuple(
            BoardLevel(
                name,
                tuple(run.id for run in boards[name]),
                math.exp(middle[name]) / 1e9,
                distance(middle, name) * 100,
                name in odd,
            )
            for name in levels
        ),
        board_sd_percent=_percent(variance.board),
        board_sd_low_percent=_percent(variance.board_low),
        board_sd_high_percent=_percent(variance.board_high),
        run_sd_percent=_percent(variance.run),
        block_sd_percent=_percent(variance.block),
        conditions=tuple(_conditions({name: boards[name][-1] for name in levels})),
        two_low_percent=_percent(two.low) if two else None,
        two_high_percent=_percent(two.high) if two else None,
        effect_percent=first.plan.effect_percent,
    )


def _block_levels(raw: RawLatencies) -> list[list[float]]:
    """Return the levels (logarithms of ns) of a run's blocks, load by load."""
    loads: dict[int, list[float]] = {}
    for turn in turns_of(raw):
        loads.setdefault(turn.load, []).append(turn.level)
    return list(loads.values())


def _conditions(runs: Mapping[str, RunResult]) -> list[BoardCondition]:
    found: dict[str, BoardCondition] = {}
    for item in CONDITIONS:
        values = {name: item.value(run) for name, run in runs.items()}
        if item.of_noise and len(set(values.values())) > 1:
            told = {name: None if value is None else str(value) for name, value in values.items()}
            word = item.night_name or item.name
            found.setdefault(word, BoardCondition(word, told))
    return list(found.values())


def _percent(part: float | None) -> float | None:
    return None if part is None else part * 100
