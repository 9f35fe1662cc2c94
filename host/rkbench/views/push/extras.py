"""What stands beside the table of a push: core masks, load cycles, the time of each layer. Pure text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rkbench_agent.wire.words import PREDICTED

from rkbench.results.extras import FallbackCost, LayerTime, Leak, LoadCycles, Profile
from rkbench.results.measure_types import Measure
from rkbench.results.measures import LATENCY_P50, LATENCY_P99, THROUGHPUT
from rkbench.results.model import RunResult
from rkbench.results.records import ON_CPU
from rkbench.stats.slope import RISES
from rkbench.units import MARK, UNKNOWN, format_bytes, format_ratio, format_seconds

#: So many of the slowest layers are shown; all of them are in the JSON.
SHOWN_LAYERS = 15
SHOWN_FALLBACKS = 4
_PROFILED = "a run of its own, which profiling slows down"
_PREDICTED = "predicted; what runs on the CPU is not counted"
SHOWN_RAW_LINES = 40
Lines = list[str]


def is_sweep(runs: Sequence[RunResult]) -> bool:
    """Return whether the runs differ in their cores, and one variant has several of them."""
    cores = {(run.variant.name, run.plan.core_mask) for run in runs}
    return len(cores) > len({run.variant.name for run in runs})


def sweep_rows(runs: Sequence[RunResult], mark: str) -> Iterator[tuple[str, ...]]:
    """Yield the table of core masks, its heads first; `mark` stands before numbers of no real board.

    The gain is the throughput against the variant's first mask.
    """
    yield "variant", "cores", "p50", "p99", "throughput", "against", "doubts"
    first: dict[str, RunResult] = {}
    for run in runs:
        base = first.setdefault(run.variant.name, run)
        yield (
            run.variant.name if base is run else "",
            run.plan.core_mask,
            _marked(LATENCY_P50, run, mark),
            _marked(LATENCY_P99, run, mark),
            _marked(THROUGHPUT, run, mark),
            base.plan.core_mask + " " + _gain(base, run) if base is not run else "",
            "failed" if run.failure else ", ".join(c.code for c in run.caveats if c.code in _ABOUT_CORES),
        )


def _marked(measure: Measure, run: RunResult, mark: str) -> str:
    known = run.latency is not None and measure.value(run) is not None
    return f"{mark if run.simulated and known else ''}{measure.text(run)}"


_ABOUT_CORES = frozenset(
    {"single_core_fallback", "core_mask_ignored", "core_mask_replaced", "cores_not_modelled"}
)


def cycles_text(name: str, cycles: LoadCycles, mark: str = "") -> str:
    """Return in words what the load cycles of a variant say; `mark` stands before what no board yielded."""
    warm = f", then {mark}{format_seconds(cycles.warm_s)} (median)" if cycles.warm_s is not None else ""
    told = "; ".join(_leak_text(leak, mark) for leak in cycles.leaks)
    times = f"{cycles.count} time{'s' * (cycles.count != 1)}"
    return (
        f"{name}: loaded and released {times} in one worker of its own: first load "
        f"{mark}{format_seconds(cycles.first_s)}{warm}{'; ' if told else ''}{told}"
    )


def profile_lines(name: str, profile: Profile, mark: str = "") -> Lines:
    """Return the slowest layers of a variant as lines of a table; the raw text where its form is unknown.

    `mark` stands before what no board yielded.
    """
    if not profile.layers:
        raw = profile.text.splitlines()
        more = (
            [f"... {len(raw) - SHOWN_RAW_LINES} more lines in the JSON"] if len(raw) > SHOWN_RAW_LINES else []
        )
        head = f"{name}: the runtime's table of layers has a form that is not known; as it is:"
        return [head, *raw[:SHOWN_RAW_LINES], *more]
    slowest = sorted(profile.layers, key=lambda layer: -layer.duration_s)[:SHOWN_LAYERS]
    units = ", ".join(_unit_text(unit, profile) for unit in ("NPU", "CPU", "GPU") if _of_unit(unit, profile))
    predicted = profile.provenance == PREDICTED
    mark = MARK if predicted else mark
    total = f"{mark}{format_seconds(profile.total_s)}"
    how = _PREDICTED if predicted else _PROFILED
    head = f"{name}: {len(profile.layers)} layers, {total}: {units} ({how})"
    rows = [("time", "share", "unit", "op", "layer")]
    rows += [
        (
            mark + format_seconds(layer.duration_s),
            f"{layer.share * 100:.1f} %",
            layer.unit,
            layer.op,
            _label(layer),
        )
        for layer in slowest
    ]
    rest = len(profile.layers) - len(slowest)
    left = 1 - sum(layer.share for layer in slowest)
    more = [f"... {rest} more layers, {left * 100:.1f} % of the time; all are in the JSON"] if rest else []
    return [head, *_aligned(rows), *more, *(_fallback_text(cost, mark) for cost in profile.fallbacks)]


def _fallback_text(cost: FallbackCost, mark: str) -> str:
    """Return in a sentence what the layers of one kind of fallback cost."""
    plural, place = cost.layers != 1, "on the CPU" if cost.kind == ON_CPU else "in float"
    who = f"{cost.layers} layer{'s' * plural} {place}"
    if cost.duration_s is None or cost.share is None:
        return f"{who}: no time is known of {'them' if plural else 'it'}"
    named = ", ".join(cost.slowest[:SHOWN_FALLBACKS])
    more = f" and {cost.timed - SHOWN_FALLBACKS} more" if cost.timed > SHOWN_FALLBACKS else ""
    known = "" if cost.timed == cost.layers else f", as far as known ({cost.timed} of them)"
    took = f"{mark}{format_ratio(cost.share)} of the time ({mark}{format_seconds(cost.duration_s)})"
    return f"{who} cost{'s' * (not plural)} {took}{known}: {named}{more}"


def _gain(base: RunResult, run: RunResult) -> str:
    if not base.throughput_per_s or not run.throughput_per_s:
        return UNKNOWN
    return f"{run.throughput_per_s / base.throughput_per_s:.2f}×"


def _leak_text(leak: Leak, mark: str) -> str:
    what = "NPU buffers" if leak.memory == "dma_buf" else "process memory"
    if leak.bytes_per_cycle is None:
        return f"{what}: too few cycles to say whether it leaks"
    bounds = f"95 %: {mark}{format_bytes(leak.low_bytes)} to {format_bytes(leak.high_bytes)}"
    verdict = "it leaks" if leak.judgement == RISES else "no leak seen"
    return f"{what}: {mark}{format_bytes(leak.bytes_per_cycle)} a cycle ({bounds}), {verdict}"


def _of_unit(unit: str, profile: Profile) -> list[LayerTime]:
    return [layer for layer in profile.layers if layer.unit == unit]


def _unit_text(unit: str, profile: Profile) -> str:
    layers = _of_unit(unit, profile)
    return f"{unit} {format_ratio(sum(layer.share for layer in layers))} in {len(layers)}"


def _label(layer: LayerTime) -> str:
    return layer.onnx_node or layer.name or f"(layer {layer.number})"


def _aligned(rows: Sequence[tuple[str, ...]]) -> Lines:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if index < 2 else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def aligned_sweep(runs: Sequence[RunResult], mark: str) -> Lines:
    """Return the table of core masks as lines."""
    rows = list(sweep_rows(runs, mark))
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if 2 <= index <= 4 else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
