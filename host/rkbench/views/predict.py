"""Predicted latencies on a terminal or as JSON: what a model will take, and what bounds each layer."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rkbench.inspection.latency import DEFAULT_TARGET, DTYPE, PredictedModel
from rkbench.language.choice import spoken
from rkbench.language.said import Said, say
from rkbench.results.serialize import to_json
from rkbench.units import MARK, format_bytes, printable
from rkbench.views.inspect.latency_lines import latency_lines, wrapped
from rkbench.views.inspect.terminal import Style, layer_limit, shorten, terminal_width, wants_colour
from rkbench.views.output import show_and_write

SCHEMA: Literal["rkbench-predict/1"] = "rkbench-predict/1"
NARROWEST = 60


@dataclass(frozen=True)
class PredictDocument:
    """What the models will take, in the order in which they were asked for; nothing was measured."""

    schema: Literal["rkbench-predict/1"]
    models: tuple[PredictedModel, ...]


def show_predictions(models: Sequence[PredictedModel], *, layers: str, json_to: str | None) -> None:
    """Show the predictions on stdout, and write them as JSON where a file is named (`-`: JSON alone)."""
    most = layer_limit(layers)

    def show() -> None:
        style = Style(wants_colour(sys.stdout.isatty()), spoken(sys.stdout.encoding))
        print(render_predictions(models, max(terminal_width(), NARROWEST), most, style), end="")

    def document() -> str:
        found = to_json(PredictDocument(SCHEMA, tuple(models)))
        return json.dumps(found, indent=2, allow_nan=False, ensure_ascii=False) + "\n"

    show_and_write(show, json_to, document)


def render_predictions(models: Sequence[PredictedModel], width: int, layers: int | None, style: Style) -> str:
    """Return a paragraph and, where layers are asked for, a table of them for each model."""
    return "\n".join("\n".join(_model(model, width, layers, style)) + "\n" for model in models)


def _model(model: PredictedModel, width: int, layers: int | None, style: Style) -> Iterator[str]:
    name = Path(model.path).name
    latency = model.latency
    if model.error is not None:
        yield from wrapped(printable(model.error), width)
        if model.hint:
            yield from wrapped(printable(model.hint), width, "  → ")
        return
    if latency is None:
        yield from wrapped(style.tell(_before_conversion(model)), width)
        yield from _conversion(model.path, model.target or DEFAULT_TARGET)
        return
    yield f"{style.bold}{shorten(name, width - 2)}{style.end}"
    yield from latency_lines(latency, width, layers, style)


def _before_conversion(model: PredictedModel) -> Said:
    return say(
        "{name}: no latency before it is converted; the .rknn will have {size} for {target} at int8",
        name=Path(model.path).name,
        size=f"{MARK} {format_bytes(model.converted_bytes)}",
        target=model.target,
    )


def _conversion(path: str, target: str) -> Iterator[str]:
    """Yield the commands that make a .rknn of an .onnx and predict it, unbroken, to be copied."""
    convert = f"bench convert {shlex.quote(path)} --target {target} --recipe {DTYPE} --random-calibration"
    yield f"  → {convert}"
    yield f"  → bench predict {shlex.quote(f'{Path(path).stem}.{target}.{DTYPE}.rknn')}"
