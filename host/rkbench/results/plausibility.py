"""Is a rate plausible? Against Rockchip's own figures, else against what the file's NPU tasks foretell. Pure.

The figures (`reference/model_zoo_2.3.2.tsv`) are those of the RKNN model zoo 2.3.2, 2025-04-08: frames a
second of `rknn_run` alone, through the C API, at maximum clocks, on one core of an RK3588 or RK3576.
So they are compared with the run stage where there is one; a whole call takes longer by nature.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rkbench_agent.wire.caveats import Caveat, caveat
from rkbench_agent.wire.socs import find_soc
from rkbench_agent.wire.words import AUTO

from rkbench.language.said import Said, listed, literal, say
from rkbench.results.model import NPU_CLOCK, RUN_ALONE, WHOLE_CALL, Reference, ReferenceStage, RunResult
from rkbench.results.records import Variant
from rkbench.units import UNKNOWN, format_hertz, format_rate, format_ratio, format_seconds

SOURCE = "RKNN model zoo 2.3.2 (rknn_run only, C API, maximum clocks, one core)"
TABLE = Path(__file__).parent / "reference/model_zoo_2.3.2.tsv"
#: What is farther from the figure than this deserves an explanation.
BAND_RATIO = 0.15
#: Columns of the table by SoC; the RK3566's NPU is the RK3568's.
COLUMNS = (("rk3566", 3), ("rk3568", 3), ("rk3562", 4), ("rk3588", 5), ("rk3576", 6))
#: The same networks, as their files are usually called.
ALIASES = {"mobilenetv2-12": ("mobilenetv2",), "resnet50-v2-7": ("resnet50v2",)}
#: What may stand in a file name beside the model's: it says nothing of another network.
_BESIDE = re.compile(
    r"rk35\d\d|rk3588s|rknn|int8|i8|w8a8|fp16|fp|f16|float16|quant|quantized|v?\d+|opt|zoo|"
    r"\d+x\d+|tk[\d.]+|npu|model|baseline|batch1|b1"
)
#: A clock below this share of the maximum explains a slow run.
_FULL_CLOCK_RATIO = 0.97


@dataclass(frozen=True)
class Figure:
    """One line of the table: frames a second by SoC."""

    model: str
    shape: tuple[int, ...]
    dtype: str
    rates_per_s: tuple[tuple[str, float], ...]

    def rate_per_s(self, soc: str | None) -> float | None:
        """Return the figure for `soc`; None where there is none."""
        known = find_soc(soc)
        return next((rate for name, rate in self.rates_per_s if known and name == known.name), None)


@cache
def figures() -> tuple[Figure, ...]:
    """Return the figures that are rates of models with one input of known shape."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")][1:]
    return tuple(_figure(row) for row in rows if row[1].startswith("[") and "RTF" not in row[3])


def find_figure(variant: Variant) -> Figure | None:
    """Return the figure of the model that `variant` is by name, input shape and dtype, or None.

    A name with a word that we do not know (`yolov5s_pruned`) is another network, so it has no figure.
    """
    if not variant.input_shapes:
        return None
    dtype = "INT8" if set(variant.input_dtypes) & {"INT8", "UINT8"} else "FP16"
    words = _words(variant.name.rpartition("/")[2])
    fitting = [
        figure
        for figure in figures()
        if figure.dtype == dtype
        and _same_shape(figure.shape, variant.input_shapes[0])
        and _is(figure.model, words)
    ]
    return max(fitting, key=lambda figure: len(figure.model), default=None)


def reference_of(run: RunResult) -> Reference | None:
    """Return how `run` stands to Rockchip's figure; None for simulated runs, and where there is none."""
    measured = _measured(run)
    figure = find_figure(run.variant) if measured else None
    rate = figure.rate_per_s(run.board.soc) if figure else None
    if figure is None or rate is None or measured is None:
        return None
    p50_s, stage = measured
    return Reference(figure.model, SOURCE, rate, stage, 1 / p50_s, 1 / p50_s / rate)


def implausible(run: RunResult, reference: Reference | None) -> Iterator[Caveat]:
    """Yield the doubt about a rate that is more than 15 % off Rockchip's figure, with likely causes.

    Of a model that they did not publish: about a latency outside of the band that its tasks foretell.
    """
    if reference is None:
        yield from _unforeseen(run)
        return
    if abs(reference.ratio - 1) <= BAND_RATIO:
        return
    what = "rknn_run" if reference.stage == RUN_ALONE else "the whole call"
    message = (
        f"{format_rate(reference.measured_per_s)} ({what}) is {format_ratio(reference.ratio)} of Rockchip's"
        f" {format_rate(reference.rate_per_s)} for {reference.model} on this SoC, which means rknn_run alone"
    )
    causes = [*_slow(run, reference.stage), _version(run)] if reference.ratio < 1 else [*_fast(run)]
    yield caveat(
        "implausible_rate", message, say("likely, in this order: {causes}", causes=listed(causes, "; "))
    )


def predicted_ratio(run: RunResult) -> float | None:
    """Return measured over predicted latency, of rknn_run alone where it is known; None where nothing is."""
    predicted, measured = run.variant.predicted, _measured(run)
    return measured[0] / predicted.latency_s if predicted and predicted.latency_s and measured else None


def predicted_text(run: RunResult) -> str:
    """Return measured over predicted latency, and what was predicted."""
    predicted, ratio = run.variant.predicted, predicted_ratio(run)
    return f"{ratio:.2f}x of {format_seconds(predicted.latency_s)}" if predicted and ratio else UNKNOWN


def _measured(run: RunResult) -> tuple[float, ReferenceStage] | None:
    """Return the median of rknn_run, else of the whole call; None of simulated runs."""
    if run.simulated or run.latency is None:
        return None
    stage = run.latency.stages.run
    p50_s = stage.p50_s if stage else run.latency.p50_s
    return (p50_s, RUN_ALONE if stage else WHOLE_CALL) if p50_s > 0 else None


def _unforeseen(run: RunResult) -> Iterator[Caveat]:
    predicted, measured, ratio = run.variant.predicted, _measured(run), predicted_ratio(run)
    if predicted is None or measured is None or ratio is None:
        return
    if predicted.low_s is None or predicted.high_s is None:
        return
    p50_s, stage = measured
    if predicted.low_s <= p50_s <= predicted.high_s:
        return
    what = "rknn_run" if stage == RUN_ALONE else "the whole call"
    told, low, high = map(format_seconds, (predicted.latency_s, predicted.low_s, predicted.high_s))
    message = (
        f"{format_seconds(p50_s)} ({what}) is {ratio:.2g}x the prediction of {told} ({low} to {high})"
        " from its NPU tasks, for rknn_run on one core"
    )
    causes = list(_slow(run, stage) if ratio > 1 else _fast(run))
    if predicted.provisional:
        causes.append(say("the prediction itself is provisional: {why}", why=literal(predicted.provisional)))
    yield caveat(
        "implausible_rate", message, say("likely, in this order: {causes}", causes=listed(causes, "; "))
    )


def _slow(run: RunResult, stage: ReferenceStage) -> Iterator[Said]:
    board, pinned = run.board, run.conditions is not None and run.conditions.pinned
    clock, top = _mean(run, NPU_CLOCK) or board.npu_clock_hz, board.npu_max_clock_hz
    if clock and top and clock < _FULL_CLOCK_RATIO * top:
        yield say(
            "the NPU ran at {clock} of {top}: hold it still with --pin",
            clock=format_hertz(clock),
            top=format_hertz(top),
        )
    elif not clock:
        yield say("the NPU's clock is not known: log in as root, and hold it still with --pin")
    elif not pinned and board.npu_governor not in ("performance", None):
        yield say(
            "the NPU governor {governor} lets the clock fall between readings: --pin",
            governor=board.npu_governor,
        )
    if stage == WHOLE_CALL:
        yield say(
            "the figure is of rknn_run alone, and this is the whole call with its Python: --runtime capi"
        )
    if not pinned and board.ddr_governor not in ("performance", "userspace"):
        told = (
            say("the DDR governor is {governor}", governor=board.ddr_governor)
            if board.ddr_governor
            else say("the DDR clock is not known")
        )
        yield say("{told}, and most layers wait for memory: --pin", told=told)
    if any(found.code == "single_core_fallback" for found in run.caveats) or run.plan.core_mask not in (
        AUTO,
        "0",
    ):
        yield say("cores {mask}: measure with --cores 0", mask=run.plan.core_mask)
    yield say("other load on the NPU or on memory; heat")


def _version(run: RunResult) -> Said:
    return say(
        "another version than the figure's 2.3.2: librknnrt {runtime}, toolkit {toolkit}",
        runtime=run.board.runtime_version or "?",
        toolkit=run.variant.toolkit_version or "?",
    )


def _fast(run: RunResult) -> Iterator[Said]:
    if run.plan.core_mask not in ("0", "1", "2"):
        yield say(
            "several cores at work (cores {mask}; the figure is of one): --cores 0", mask=run.plan.core_mask
        )
    yield say("the file is not that model (fewer layers, pruned, another input): bench inspect MODEL.rknn")
    yield say("a newer toolkit or librknnrt than 2.3.2; an over-clocked NPU")


def _mean(run: RunResult, quantity: str) -> float | None:
    sensors = run.readings.of(quantity) if run.readings else ()
    return sensors[0].mean if sensors else None


def _figure(row: list[str]) -> Figure:
    rates = tuple((soc, float(row[column])) for soc, column in COLUMNS)
    return Figure(row[0], tuple(json.loads(row[1])), row[2], rates)


def _same_shape(told: tuple[int, ...], given: tuple[int, ...]) -> bool:
    """Tell whether two shapes are one, NCHW or NHWC."""
    turned = (told[0], *told[2:], told[1]) if len(told) == 4 else told
    return tuple(given) in (told, turned)


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[-_. ]+", name.lower()) if word]


def _is(model: str, words: list[str]) -> bool:
    """Tell whether a file name, in words, is the model's name and nothing that tells of another one."""
    names = {"".join(_words(name)) for name in (model, *ALIASES.get(model, ()))}
    for start in range(len(words)):
        for end in range(start + 1, len(words) + 1):
            rest = words[:start] + words[end:]
            if "".join(words[start:end]) in names and all(_BESIDE.fullmatch(word) for word in rest):
                return True
    return False
