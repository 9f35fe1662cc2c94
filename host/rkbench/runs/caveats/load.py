"""What loads the board besides the run, and what memory does not come back."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench_agent.wire.caveats import Caveat, caveat

from rkbench.runs.caveats.rule import Evidence, Rule
from rkbench.runs.model import RunResult
from rkbench.stats.slope import RISES
from rkbench.units import format_bytes, format_ratio

#: NPU load of others, just before the run, that already disturbs it.
MAXIMUM_LOAD_BEFORE = 0.05


def _load_before(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    before = run.readings.npu_load_ratio_before if run.readings else None
    if before is not None and before > MAXIMUM_LOAD_BEFORE:
        yield caveat(
            "npu_busy",
            f"the NPU was {format_ratio(before)} busy before the run: somebody else uses it",
            "find who on the board (rknn processes), or wait",
        )


def _leak(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    for leak in run.load.cycles.leaks if run.load and run.load.cycles else ():
        if leak.judgement == RISES:
            what = "NPU buffers" if leak.memory == "dma_buf" else "process memory"
            bounds = f"95 %: {format_bytes(leak.low_bytes)} to {format_bytes(leak.high_bytes)}"
            yield caveat(
                "memory_leak",
                f"{what} grows by {format_bytes(leak.bytes_per_cycle)} with every load ({bounds})",
                "load once and keep the model; try another librknnrt",
            )


LOAD_RULES: tuple[Rule, ...] = (_load_before, _leak)
