"""A run as one row of figures: what the past is asked by, without reading whole documents."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from rkbench.results.measures import MEASURES
from rkbench.results.model import RunResult

MEASURE_NAMES = tuple(measure.name for measure in MEASURES)


@dataclass(frozen=True)
class HistoryRow:
    """What tells a run from another, and its measures by name; unknown is None.

    `failed_stage` is where it failed, None where it did not. `beside` another it was measured as the baseline
    of a night: the latest of nothing. `night` is the id of the night that measured it, None where none did,
    which only a store knows.
    """

    run: str
    push: str
    started_at: str
    started_unix_s: float | None
    board: str
    soc: str | None
    variant: str
    sha256: str
    runtime: str | None
    runtime_version: str | None
    driver_version: str | None
    toolkit_version: str | None
    agent_version: str | None
    rkbench_version: str | None
    core_mask: str | None
    scenario: str | None
    simulated: bool
    partial: bool
    failed: bool
    failed_stage: str | None
    verdict: str | None
    measures: Mapping[str, float | None]
    beside: bool = False
    night: str | None = None


def history_row(run: RunResult) -> HistoryRow:
    """Return the row of a run."""
    return HistoryRow(
        run=run.id,
        push=run.push,
        started_at=run.started_at,
        started_unix_s=started_unix_s(run),
        board=run.board.name,
        soc=run.board.soc,
        variant=run.variant.name,
        sha256=run.variant.sha256,
        runtime=run.plan.runtime,
        runtime_version=run.board.runtime_version,
        driver_version=run.board.driver_version,
        toolkit_version=run.variant.toolkit_version,
        agent_version=run.board.agent_version,
        rkbench_version=run.rkbench_version,
        core_mask=run.plan.core_mask,
        scenario=run.plan.scenario,
        simulated=run.simulated,
        partial=run.partial,
        failed=run.failure is not None,
        failed_stage=run.failure.stage if run.failure else None,
        verdict=run.verdict,
        beside=run.variant.is_baseline,
        measures={measure.name: _finite(measure.value(run)) for measure in MEASURES},
    )


def started_unix_s(run: RunResult) -> float | None:
    """Return when the run started; None where it holds no time that can be read."""
    try:
        return datetime.fromisoformat(run.started_at).timestamp()
    except ValueError:
        return None


def _finite(value: float | None) -> float | None:
    """Return `value` as what a column can hold: a document may have a whole number that no float can."""
    try:
        number = None if value is None else float(value)
    except OverflowError:
        return None
    return number if number is not None and math.isfinite(number) else None
