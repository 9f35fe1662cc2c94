"""The measures of a run's latency: percentiles that its iterations can carry, mean and extremes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rkbench.results.measure_types import Family, Measure, NumberGroup
from rkbench.results.model import Latency, RunResult, percentile_field
from rkbench.stats.figures import Statistic
from rkbench.stats.quantiles import calls_for
from rkbench.units import SECONDS, UNKNOWN

_Value = Callable[[RunResult], "float | None"]

#: Quantiles are measures; count and sum come with them.
LATENCY_FAMILY = Family(
    "rkbench_latency_seconds", "Latency of one inference in the newest successful run.", is_quantile=True
)


def _latency(value: Callable[[Latency], float | None]) -> _Value:
    return lambda run: value(run.latency) if run.latency else None


def of_latency(
    figure: str,
    value: Callable[[Latency], float | None],
    statistic: Statistic | None = None,
    label: str = "",
    instead: str = "",
) -> Measure:
    return Measure(
        f"latency_{figure}_s",
        SECONDS,
        NumberGroup.LATENCY,
        _latency(value),
        label=label,
        gate=figure,
        statistic=statistic,
        instead=instead,
        compared=bool(label),
    )


def percentile_measure(statistic: Statistic, *, is_shown: bool = True) -> Measure:
    """Return the measure of a percentile: unknown where the iterations of a run cannot carry it."""
    figure, percent = statistic.value, statistic.percent
    assert percent is not None
    name = percentile_field(percent)

    def value(latency: Latency) -> float | None:
        found: float | None = getattr(latency, name)
        return found if latency.count >= calls_for(percent) else None

    def text(run: RunResult) -> str:
        if run.latency is None or value(run.latency) is not None:
            return SECONDS.text(value(run.latency) if run.latency else None)
        return f"{UNKNOWN} ({run.latency.count} of {calls_for(percent)})"

    quantile = (("quantile", f"{percent / 100:g}"),)
    return replace(
        of_latency(figure, value, statistic),
        name=f"latency_{name}",
        label=f"latency {figure}" if is_shown else "",
        family=replace(LATENCY_FAMILY, labels=quantile),
        compared=True,
        shown=text,
    )


DEVICE_P50 = Measure(
    "latency_device_p50_s",
    SECONDS,
    NumberGroup.LATENCY,
    _latency(lambda latency: latency.stages.device.p50_s if latency.stages.device else None),
    label="NPU's own p50",
    compared=True,
)
