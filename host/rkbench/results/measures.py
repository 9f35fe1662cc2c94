"""The table of measures: every number of a run that is compared, gated, exported or kept, declared once.

A new measure is one entry of `MEASURES`. Console, JSON, CSV, Prometheus, gates and history read the table.
"""

from __future__ import annotations

from collections.abc import Callable

from rkbench.results.latency_measures import DEVICE_P50, of_latency, percentile_measure
from rkbench.results.loads import bounds_of_median
from rkbench.results.measure_types import Family, Measure, NumberGroup
from rkbench.results.model import RunResult
from rkbench.results.output import Output
from rkbench.results.plausibility import predicted_ratio, predicted_text
from rkbench.results.scenario_measures import SCENARIO_MEASURES, bounds_of_rate
from rkbench.results.task_measures import TASK_MEASURES
from rkbench.stats.figures import Statistic
from rkbench.stats.gates import Quantity
from rkbench.units import (
    BYTES,
    COUNT,
    DECIBELS,
    OUTPUT_UNIT,
    PER_SECOND,
    RATIO,
    SECONDS,
    SIMILARITY,
    UNKNOWN,
    Unit,
    format_rate,
    format_ratio,
)

_Value = Callable[[RunResult], "float | None"]


def _load(figure: str) -> _Value:
    return lambda run: getattr(run.load, figure) if run.load else None


def _bounds_of_load_time(run: RunResult) -> tuple[float, float] | None:
    return bounds_of_median(run.load, "duration_s") if run.load else None


def _worst(value: Callable[[Output], float | None], *, higher_is_better: bool) -> _Value:
    """Return what gives the worst known value of a run's outputs; none where one of them is broken."""

    def of_run(run: RunResult) -> float | None:
        if any(output.is_broken for output in run.outputs):
            return None
        known = [found for output in run.outputs if (found := value(output)) is not None]
        return (min(known) if higher_is_better else max(known)) if known else None

    return of_run


def _reference_text(run: RunResult) -> str:
    """Return the share of Rockchip's own figure, and that figure."""
    found = run.reference
    return f"{format_ratio(found.ratio)} of {format_rate(found.rate_per_s)}" if found else UNKNOWN


def _of_memory(kind: str, group: NumberGroup, label: str = "", gate: str = "") -> Measure:
    figure = f"{kind}_bytes"
    return Measure(
        f"load_{figure}",
        BYTES,
        group,
        _load(figure),
        label=label,
        gate=gate,
        family=Family("rkbench_load_memory_bytes", "Memory that loading the model took.", (("kind", kind),)),
        compared=bool(label),
        load_figure=figure,
    )


def _of_output(
    name: str,
    unit: Unit,
    value: Callable[[Output], float | None],
    family: Family | None = None,
    *,
    higher_is_better: bool = False,
    label: str = "",
    gate: str = "",
) -> Measure:
    of_run = _worst(value, higher_is_better=higher_is_better)
    return Measure(
        name,
        unit,
        NumberGroup.OUTPUTS,
        of_run,
        higher_is_better,
        label,
        gate,
        family=family,
        per_output=value,
        compared=bool(label),
    )


SIZE = Measure(
    "size_bytes",
    BYTES,
    NumberGroup.FILE,
    lambda run: run.variant.size_bytes,
    label="file size",
    gate="size",
    family=Family("rkbench_model_file_bytes", "Size of the model's file."),
    compared=True,
)
CPU_LAYERS = Measure(
    "cpu_layers",
    COUNT,
    NumberGroup.FILE,
    lambda run: run.variant.cpu_layers,
    label="CPU layers",
    gate="cpu layers",
    instead="cpu layers == 0",
    shown_from=1,
)
FLOAT_LAYERS = Measure(
    "float_layers",
    COUNT,
    NumberGroup.FILE,
    lambda run: run.variant.float_layers,
    gate="float layers",
    instead="float layers == 0",
)
NPU_MEMORY = _of_memory("npu_total", NumberGroup.NPU_MEMORY, "NPU memory", "load memory")
LATENCY_P50 = percentile_measure(Statistic.P50)
LATENCY_P99 = percentile_measure(Statistic.P99)
THROUGHPUT = Measure(
    "throughput_per_s",
    PER_SECOND,
    NumberGroup.LATENCY,
    lambda run: run.throughput_per_s,
    higher_is_better=True,
    label="throughput",
    gate="throughput",
    instead="mean within {}%",
    inverse_of=Statistic.MEAN,
    bounds=bounds_of_rate,
    narrower="a longer measurement (--duration)",
    family=Family(
        "rkbench_throughput_inferences_per_second", "Inferences per second, gaps between calls included."
    ),
    compared=True,
)
COSINE = _of_output(
    "cosine",
    SIMILARITY,
    lambda out: out.cosine,
    Family("rkbench_output_cosine_similarity", "Cosine of output and golden, worst case, -1 to 1."),
    higher_is_better=True,
    label="lowest cosine",
    gate="cosine",
)
SNR = _of_output(
    "snr_db",
    DECIBELS,
    lambda out: out.snr,
    Family("rkbench_output_snr_decibels", "Signal to noise ratio of an output, worst case."),
    higher_is_better=True,
    label="lowest SNR",
    gate="snr",
)
MAX_ERROR = _of_output(
    "max_abs_error",
    OUTPUT_UNIT,
    lambda out: out.max_abs_error,
    Family("rkbench_output_max_abs_error", "Greatest absolute error of an output."),
    label="max. error",
    gate="max error",
)
TOP1 = _of_output(
    "top1_agreement",
    RATIO,
    lambda out: out.top1_agreement,
    Family("rkbench_output_top1_agreement_ratio", "Share of cases with the golden's class."),
    higher_is_better=True,
    label="top-1 agrees",
    gate="top-1",
)

#: Words of gates that only make sense where the outputs are scores of classes: who asks for them says so.
OF_CLASSES = ("top-1", "top-5")
#: In the order in which they are shown.
MEASURES: tuple[Measure, ...] = (
    SIZE,
    CPU_LAYERS,
    FLOAT_LAYERS,
    Measure(
        "load_duration_s",
        SECONDS,
        NumberGroup.LOAD_DURATION,
        _load("duration_s"),
        label="load time",
        gate="load time",
        instead="load time <= 500ms",
        bounds=_bounds_of_load_time,
        narrower="a plan of more loads (--loads)",
        family=Family("rkbench_load_duration_seconds", "Reading the model and initialising the runtime."),
        compared=True,
        load_figure="duration_s",
    ),
    NPU_MEMORY,
    _of_memory("npu_weight", NumberGroup.NPU_MEMORY),
    _of_memory("npu_internal", NumberGroup.NPU_MEMORY),
    _of_memory("dma_buf", NumberGroup.NPU_MEMORY),
    _of_memory("rss_delta", NumberGroup.PROCESS_MEMORY, "process memory", "load rss"),
    _of_memory("peak_rss", NumberGroup.PROCESS_MEMORY),
    Measure(
        "load_file_copy_bytes",
        BYTES,
        NumberGroup.PROCESS_MEMORY,
        _load("file_copy_bytes"),
        label="… of it the file",
    ),
    _of_memory("system_delta", NumberGroup.PROCESS_MEMORY),
    LATENCY_P50,
    percentile_measure(Statistic.P90),
    percentile_measure(Statistic.P95, is_shown=False),
    LATENCY_P99,
    percentile_measure(Statistic.P999, is_shown=False),
    of_latency("max", lambda latency: latency.max_s, label="latency max", instead="p99 within {}%"),
    of_latency("mean", lambda latency: latency.mean_s, Statistic.MEAN),
    of_latency("min", lambda latency: latency.min_s, instead="p50 within {}%"),
    DEVICE_P50,
    THROUGHPUT,
    *SCENARIO_MEASURES,
    Measure(
        "reference_ratio",
        RATIO,
        NumberGroup.LATENCY,
        lambda run: run.reference.ratio if run.reference else None,
        higher_is_better=True,
        label="Rockchip's rate",
        shown=_reference_text,
    ),
    Measure(
        "predicted_ratio",
        RATIO,
        NumberGroup.LATENCY,
        predicted_ratio,
        label="of predicted",
        shown=predicted_text,
    ),
    COSINE,
    SNR,
    MAX_ERROR,
    TOP1,
    *TASK_MEASURES,
    _of_output("top5_agreement", RATIO, lambda out: out.top5_agreement, higher_is_better=True, gate="top-5"),
    _of_output(
        "mean_abs_error",
        OUTPUT_UNIT,
        lambda out: out.mean_abs_error,
        Family("rkbench_output_mean_abs_error", "Mean absolute error of an output."),
    ),
    _of_output(
        "mse",
        OUTPUT_UNIT,
        lambda out: out.mse,
        Family("rkbench_output_mean_squared_error", "Mean squared error of an output."),
    ),
    _of_output(
        "nan_count",
        COUNT,
        lambda out: out.nan_count,
        Family("rkbench_output_nan_values", "NaNs in an output."),
    ),
    _of_output(
        "inf_count",
        COUNT,
        lambda out: out.inf_count,
        Family("rkbench_output_infinite_values", "Infinities in an output."),
    ),
)

#: What a gate can speak of, by the words that people write.
GATED: dict[str, Measure] = {measure.gate: measure for measure in MEASURES if measure.gate}
QUANTITIES: dict[str, Quantity] = {word: measure.quantity for word, measure in GATED.items()}
