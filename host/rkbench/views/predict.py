"""Predicted latencies on a terminal or as JSON: what a model will take, and what bounds each layer."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rkbench.inspect.latency import PredictedModel
from rkbench.npu import LatencyPrediction, LayerLatency
from rkbench.runs.serialize import to_json
from rkbench.units import MARK, UNKNOWN, format_bytes, format_hertz, format_ratio, format_seconds
from rkbench.views.inspect.show import layer_limit
from rkbench.views.inspect.terminal import Style, heading, shorten, terminal_width, wants_colour, wrap
from rkbench.views.output import STDOUT, write_text

SCHEMA: Literal["rkbench-predict/1"] = "rkbench-predict/1"
BOUNDS = {"macs": "MACs", "memory": "memory", "tables": "tables", "tasks": "tasks"}
NARROWEST = 60


@dataclass(frozen=True)
class PredictDocument:
    """What the models will take, in the order in which they were asked for; nothing was measured."""

    schema: Literal["rkbench-predict/1"]
    models: tuple[PredictedModel, ...]


def show_predictions(models: Sequence[PredictedModel], *, layers: str, json_to: str | None) -> None:
    """Show the predictions on stdout, and write them as JSON where a file is named (`-`: JSON alone)."""
    most = layer_limit(layers)
    if json_to is not None:
        document = to_json(PredictDocument(SCHEMA, tuple(models)))
        write_text(json_to, json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n")
    if json_to != STDOUT:
        style = Style(wants_colour(sys.stdout.isatty()))
        print(render_predictions(models, max(terminal_width(), NARROWEST), most, style), end="")


def render_predictions(models: Sequence[PredictedModel], width: int, layers: int | None, style: Style) -> str:
    """Return a paragraph and, where layers are asked for, a table of them for each model."""
    return "\n".join("\n".join(_model(model, width, layers, style)) + "\n" for model in models)


def _model(model: PredictedModel, width: int, layers: int | None, style: Style) -> Iterator[str]:
    name = Path(model.path).name
    latency = model.latency
    if latency is None:
        size = f"{MARK} {format_bytes(model.converted_bytes)} for {model.target} at int8"
        yield from _wrapped(f"{name}: no latency before it is converted; the .rknn will have {size}", width)
        yield from _wrapped(f"convert it, then: bench predict {Path(name).stem}.rknn", width, "  → ")
        return
    yield f"{style.bold}{shorten(name, width - 2)}{style.end}"
    yield from _wrapped(_sentence(latency), width, "  ")
    for line in _doubts(latency):
        yield from _wrapped(line, width, "  · ")
    if layers != 0:
        yield from ["", *_layers(latency, width, layers, style)]


def _wrapped(text: str, width: int, first: str = "") -> list[str]:
    return wrap(text, width, " " * len(first), first).splitlines()


def _sentence(latency: LatencyPrediction) -> str:
    band = ""
    if latency.low_s is not None and latency.high_s is not None:
        band = f" ({format_seconds(latency.low_s)} to {format_seconds(latency.high_s)})"
    cores = "one core" if latency.cores == 1 else f"{latency.cores} cores"
    return (
        f"{MARK} {format_seconds(latency.latency_s)}{band} predicted for rknn_run on {cores} of an "
        f"{latency.soc} at {format_hertz(latency.clock_hz)}, bound by {BOUNDS[latency.bound]}"
    )


def _doubts(latency: LatencyPrediction) -> Iterator[str]:
    if latency.outside:
        yield f"no band: {'; '.join(latency.outside)}"
    if latency.provisional:
        yield f"provisional: {latency.provisional}"
    if latency.not_counted:
        more = f" and {len(latency.not_counted) - 3} more" if len(latency.not_counted) > 3 else ""
        yield f"not counted: {', '.join(latency.not_counted[:3])}{more}"


def _layers(latency: LatencyPrediction, width: int, most: int | None, style: Style) -> Iterator[str]:
    ranked = sorted(latency.layers, key=lambda layer: -layer.latency_s)
    shown = ranked if most is None else ranked[:most]
    rest = f" (first {len(shown)} of {len(ranked)}; --layers all)" if len(shown) < len(ranked) else ""
    yield heading(f"  Layers by predicted time{rest}", style)
    wide = width >= 100
    room = width - 2 - 9 - 7 - 8 - (9 + 7 + 10 + 7 if wide else 0)
    head = f"  {'layer':<{room}}{'time':>9}{'share':>7}{'bound':>8}"
    yield f"{style.dim}{head}{_columns('MACs', 'full', 'DDR', 'tasks') if wide else ''}{style.end}"
    for layer in shown:
        yield _layer(layer, latency.latency_s, room, wide)


def _layer(layer: LayerLatency, whole_s: float, room: int, wide: bool) -> str:
    share = layer.latency_s / whole_s if whole_s else 0.0
    line = f"  {shorten(layer.name, room - 1):<{room}}{format_seconds(layer.latency_s):>9}"
    line += f"{format_ratio(share):>7}{BOUNDS[layer.bound]:>8}"
    if not wide:
        return line
    costs = layer.costs
    fill = format_ratio(costs.mac_fill_ratio)
    return line + _columns(format_macs(costs.macs), fill, format_bytes(costs.ddr_bytes), str(costs.tasks))


def _columns(macs: str, full: str, ddr: str, tasks: str) -> str:
    return f"{macs:>9}{full:>7}{ddr:>10}{tasks:>7}"


def format_macs(value: int) -> str:
    """Return a number of multiply-accumulates as `12.3 M`; a dash where there are none."""
    if not value:
        return UNKNOWN
    for limit, factor, unit in ((1e6, 1e3, "k"), (1e9, 1e6, "M"), (float("inf"), 1e9, "G")):
        if value < 0.9995 * limit:
            size = value / factor
            return f"{size:.{0 if size >= 99.95 else 1 if size >= 9.995 else 2}f} {unit}"
    raise AssertionError("unreachable")
