"""Measures that only some scenarios have; `measures.MEASURES` holds them with all others."""

from __future__ import annotations

from rkbench.results.measure_types import Family, Measure, NumberGroup
from rkbench.results.model import RunResult
from rkbench.units import BYTES, COUNT, PER_SECOND, RATIO, UNKNOWN


def _saturation_text(run: RunResult) -> str:
    """Return at how many contexts an offline run saturates, and how they lie; `or more` where it does not."""
    if run.offline is None:
        return UNKNOWN
    point = run.offline.saturation
    return f"{point.contexts}{'' if point.is_reached else ' or more'} ({point.placement})"


def _loss_text(run: RunResult) -> str:
    """Return the part of its rate that a run loses beside another model."""
    if run.interference is None:
        return UNKNOWN
    return f"{round(run.interference.chosen.own.loss_ratio * 100, 1) + 0.0:.1f} %"


def bounds_of_rate(run: RunResult) -> tuple[float, float] | None:
    """Return the bounds of the rate at which an offline run saturates; None where it has none."""
    if run.offline is None:
        return None
    point = run.offline.saturation
    return next(
        (
            (step.low_per_s, step.high_per_s)
            for step in run.offline.steps
            if (step.placement, step.contexts) == (point.placement, point.contexts)
            if step.low_per_s is not None and step.high_per_s is not None
        ),
        None,
    )


def _bounds_of_loss(run: RunResult) -> tuple[float, float] | None:
    own = run.interference.chosen.own if run.interference else None
    if own is None or own.loss_low is None or own.loss_high is None:
        return None
    return own.loss_low, own.loss_high


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
    Measure(
        "interference_loss_ratio",
        RATIO,
        NumberGroup.LATENCY,
        lambda run: run.interference.chosen.own.loss_ratio if run.interference else None,
        label="loss beside",
        shown=_loss_text,
        gate="interference loss",
        instead="interference loss <= 10%",
        bounds=_bounds_of_loss,
        narrower="a longer measurement (--duration)",
        family=Family("rkbench_interference_loss_ratio", "Part of the rate lost beside another model."),
        compared=True,
    ),
    Measure(
        "interference_other_loss_ratio",
        RATIO,
        NumberGroup.LATENCY,
        lambda run: run.interference.chosen.other.loss_ratio if run.interference else None,
        family=Family("rkbench_interference_other_loss_ratio", "What the other model loses of its rate."),
        compared=True,
    ),
    Measure(
        "interference_changed_outputs",
        COUNT,
        NumberGroup.OUTPUTS,
        lambda run: run.interference.changed_outputs if run.interference else None,
        family=Family("rkbench_interference_changed_outputs", "Outputs that change beside another model."),
        compared=True,
    ),
)
