"""Measures of a task, where labels or a user's function score it; `measures.MEASURES` holds them."""

from __future__ import annotations

from rkbench.results.measure_types import Family, Measure, NumberGroup
from rkbench.results.model import RunResult
from rkbench.units import OUTPUT_UNIT, RATIO, Unit


def _measure(metric: str, name: str, label: str, gate: str, unit: Unit = RATIO) -> Measure:
    def value(run: RunResult) -> float | None:
        return next((item.value for item in run.task_metrics if item.name == metric), None)

    return Measure(
        name,
        unit,
        NumberGroup.OUTPUTS,
        value,
        higher_is_better=True,
        label=label,
        gate=gate,
        family=Family("rkbench_task_metric", "A metric of the model's task.", (("metric", metric),)),
        compared=True,
    )


TASK_MEASURES = (
    _measure("top1", "top1_accuracy", "top-1 true", "top-1 accuracy"),
    _measure("top5", "top5_accuracy", "top-5 true", "top-5 accuracy"),
    _measure("map", "mean_average_precision", "mAP 50-95", "map"),
    _measure("map50", "mean_average_precision_50", "mAP 50", "map50"),
    _measure("mean_iou", "mean_iou", "mean IoU", "mean iou"),
    _measure("metric", "own_metric", "own metric", "metric", OUTPUT_UNIT),
)
