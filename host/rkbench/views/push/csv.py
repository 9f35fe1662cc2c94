"""Runs and raw latencies as CSV: one header line, units in the names, unknown is empty."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TextIO

from rkbench.results.latencies import RawLatencies
from rkbench.results.measure_types import Measure
from rkbench.results.measures import MEASURES
from rkbench.results.model import NPU_CLOCK, TEMPERATURE, PercentileBounds, RunResult
from rkbench.streams import has_lost_reader
from rkbench.units import printable

#: How a cell begins that a spreadsheet computes, once tabs and line ends are escaped.
_FORMULA = ("=", "+", "-", "@")
_Row = dict[str, object]


def write_runs(runs: Iterable[RunResult], out: TextIO) -> int:
    """Write one line a run: who, where, every measure that is compared, and how it ended.

    Returns how many lines were written.
    """
    return write_rows((_row(run) for run in runs), out)


def write_latencies(raw: Iterable[tuple[RunResult, RawLatencies]], out: TextIO) -> int:
    """Write one line an iteration of every run, warm-up included and marked (1); return how many."""
    return write_rows(_raw_rows(raw), out)


def _row(run: RunResult) -> _Row:
    return {
        "run": run.id,
        "push": run.push,
        "started_at": run.started_at,
        "board": run.board.name,
        "soc": run.board.soc,
        "runtime": run.board.runtime,
        "runtime_version": run.board.runtime_version,
        "driver_version": run.board.driver_version,
        "simulated": int(run.simulated),
        "partial": int(run.partial),
        "verdict": run.verdict,
        "variant": run.variant.name,
        "sha256": run.variant.sha256,
        "toolkit_version": run.variant.toolkit_version,
        "core_mask": run.plan.core_mask,
        "iterations": run.latency.count if run.latency else None,
        **{name: value for measure in MEASURES if measure.compared for name, value in _columns(measure, run)},
        "npu_clock_min_hz": min(_readings(run, NPU_CLOCK, "min"), default=None),
        "npu_clock_max_hz": max(_readings(run, NPU_CLOCK, "max"), default=None),
        "hottest_celsius": max(_readings(run, TEMPERATURE, "max"), default=None),
        "requirements": "; ".join(f"{told.gate}: {told.state}" for told in run.requirements),
        "load_provenance": run.provenance.load,
        "latency_provenance": run.provenance.latency,
        "outputs_provenance": run.provenance.outputs,
        "caveats": " ".join(caveat.code for caveat in run.caveats),
        "failure_stage": run.failure.stage if run.failure else None,
        "failure": run.failure.message if run.failure else None,
    }


def _readings(run: RunResult, quantity: str, figure: str) -> list[float]:
    """Return a figure of every sensor of a quantity while a run was timed."""
    return [getattr(sensor, figure) for sensor in run.readings.of(quantity)] if run.readings else []


def _columns(measure: Measure, run: RunResult) -> Iterator[tuple[str, float | None]]:
    """Yield the column of a measure, and those of its bounds or its range where it has any."""
    yield measure.name, measure.value(run)
    if measure.load_figure:
        found = measure.range_of(run)
        name, _, unit = measure.name.rpartition("_")
        yield f"{name}_low_{unit}", found.low if found else None
        yield f"{name}_high_{unit}", found.high if found else None
    if measure.percent is not None:
        bounds = run.latency.within(measure.percent) if run.latency else PercentileBounds(measure.percent)
        name = measure.name.removesuffix("_s")
        yield f"{name}_low_s", bounds.low_s
        yield f"{name}_high_s", bounds.high_s


def _raw_rows(raw: Iterable[tuple[RunResult, RawLatencies]]) -> Iterator[_Row]:
    for run, latencies in raw:
        for iteration, row in enumerate(latencies.rows()):
            yield {
                "run": run.id,
                "variant": run.variant.name,
                "simulated": int(run.simulated),
                "iteration": iteration,
                **row,
            }


def write_rows(rows: Iterable[_Row], out: TextIO) -> int:
    """Write rows of the same columns under their names, one by one while somebody reads; return how many.

    What a spreadsheet would compute is text.
    """
    writer: csv.DictWriter[str] | None = None
    written = 0
    for row in rows:
        if has_lost_reader(out):
            break
        if writer is None:
            writer = csv.DictWriter(out, list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow({name: _cell(value) for name, value in row.items()})
        written += 1
    return written


def _cell(value: object) -> object:
    """Return text as what neither a spreadsheet nor a terminal acts on; numbers as they are."""
    return _text(value) if isinstance(value, str) else value


@lru_cache(maxsize=10_000)  # of 100,000 rows most words come again
def _text(value: str) -> str:
    shown = printable(value)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
