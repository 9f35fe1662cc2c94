"""Measures that only some scenarios have; `measures.MEASURES` holds them with all others."""

from __future__ import annotations

from rkbench.runs.measure_types import Family, Measure, NumberGroup
from rkbench.runs.model import RunResult
from rkbench.units import BYTES, COUNT, PER_SECOND, UNKNOWN


def _saturation_text(run: RunResult) -> str:
    """Return at how many contexts an offline run saturates, and how they lie."""
    return f"{run.offline.saturation.contexts} {run.offline.saturation.placement}" if run.offline else UNKNOWN


SCENARIO_MEASURES = (
    Measure(
        "offline_contexts",
        COUNT,
        NumberGroup.LATENCY,
        lambda run: run.offline.saturation.contexts if run.offline else None,
        label="saturates at",
        shown=_saturation_text,
        family=Family("rkbench_offline_contexts", "Contexts at once at which the rate saturates."),
    ),
    Measure(
        "offline_one_per_s",
        PER_SECOND,
        NumberGroup.LATENCY,
        lambda run: run.offline.one_per_s if run.offline else None,
        higher_is_better=True,
        family=Family("rkbench_offline_one_context_per_second", "Inferences per second of one context."),
        compared=True,
    ),
    Measure(
        "offline_context_npu_bytes",
        BYTES,
        NumberGroup.NPU_MEMORY,
        lambda run: run.offline.npu_bytes_per_context if run.offline else None,
        family=Family("rkbench_offline_context_npu_bytes", "NPU memory of each further context."),
        compared=True,
    ),
    Measure(
        "server_goodput_per_s",
        PER_SECOND,
        NumberGroup.LATENCY,
        lambda run: run.server.goodput_per_s if run.server else None,
        higher_is_better=True,
        label="goodput",
        gate="goodput",
        instead="goodput >= 100/s",
        family=Family("rkbench_server_goodput_per_second", "Highest rate tried that keeps the objective."),
        compared=True,
    ),
)
