"""How far a file lies from itself on a board: what equal files can show there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rkbench.results.conditions import noise_conditions
from rkbench.results.latency_tests import LatencyTest, Unit
from rkbench.results.model import RunResult


@dataclass(frozen=True)
class NoiseFloor:
    """How far two runs of one file lay apart, measured as variants are, in percent of a call.

    `low_percent` and `high_percent` bound their difference with 95 %; the floor is the bound that lies
    farther from 0. It holds where board and `conditions` are the same; the unit that was compared, load or
    quad, is one of them. `push` is the push that measured it.
    """

    board: str
    conditions: Mapping[str, str | None]
    push: str
    measured_at: str
    variant: str
    sha256: str
    floor_percent: float
    difference_percent: float
    low_percent: float
    high_percent: float
    units: int


def floor_conditions(run: RunResult, unit: Unit) -> dict[str, str | None]:
    """Return under what the noise floor of a comparison holds, by name."""
    return {**noise_conditions(run), "unit": unit}


def noise_floor_of(run: RunResult, test: LatencyTest) -> NoiseFloor | None:
    """Return the noise floor that the test of `run` beside itself shows; None where it has no interval."""
    if test.difference_percent is None or test.low_percent is None or test.high_percent is None:
        return None
    return NoiseFloor(
        board=run.board.name,
        conditions=floor_conditions(run, test.unit),
        push=run.push,
        measured_at=run.started_at,
        variant=run.variant.name,
        sha256=run.variant.sha256,
        floor_percent=max(abs(test.low_percent), abs(test.high_percent)),
        difference_percent=test.difference_percent,
        low_percent=test.low_percent,
        high_percent=test.high_percent,
        units=test.units,
    )
