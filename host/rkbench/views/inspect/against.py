"""`bench inspect --against`: the error of each layer, and the first bad one."""

from __future__ import annotations

import dataclasses
import json
import sys
from math import isfinite
from typing import TYPE_CHECKING, Literal, TextIO

from rkbench_agent.wire.words import COMPUTED

from rkbench.inspection.against import AgainstOnnx, LayerError
from rkbench.language.choice import spoken
from rkbench.language.language import Language
from rkbench.language.said import NOTHING, Said, say
from rkbench.views.inspect.terminal import wrap
from rkbench.views.output import show_and_write
from rkbench.views.terminal import make_console

if TYPE_CHECKING:
    from rich.console import Console

_COLUMNS: tuple[tuple[Said, Literal["left", "right"]], ...] = (
    (say("layer"), "left"),
    (say("tensor"), "left"),
    (say("own cosine"), "right"),
    (say("so far"), "right"),
    (say("max. error"), "right"),
    (say("range"), "right"),
)


def show_against(found: AgainstOnnx, json_file: str | None = None, out: TextIO | None = None) -> None:
    """Print the answer, then a line for each layer; with `-` stdout holds the JSON alone."""
    show_and_write(
        lambda: _print_against(found, make_console(out or sys.stdout), spoken((out or sys.stdout).encoding)),
        json_file,
        lambda: json.dumps(against_document(found), indent=2, allow_nan=False) + "\n",
    )


def _print_against(found: AgainstOnnx, console: Console, language: Language) -> None:
    from rich.table import Table
    from rich.text import Text

    def put(line: Said) -> None:  # elsewhere than on a terminal a line stays a line: scripts read them
        told = language.tell(line)
        console.print(Text(wrap(told, console.width) if console.is_terminal else told), soft_wrap=True)

    put(answer(found))
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for title, side in _COLUMNS:
        table.add_column(language.tell(title), justify=side, overflow="fold", no_wrap=side == "right")
    for each in found.layers:
        numbers = (
            f"{each.own_cosine:.5f}",
            f"{each.cosine:.5f}",
            _short(each.largest_error),
            _short(each.range),
        )
        style = "bold red" if each.is_bad else None
        table.add_row(*(Text(cell) for cell in (each.layer, each.tensor, *numbers)), style=style)
    if found.layers:
        console.print(table)
    if found.unmatched:
        put(say("not in the ONNX by name: {names}", names=", ".join(found.unmatched)))
    if found.shape:
        put(say("for {shape}", shape=found.shape.words()))
    put(_how(found))


def _how(found: AgainstOnnx) -> Said:
    names = ", ".join(found.whole_inputs)
    return say(
        "computed by rkbench's model of the NPU, on standard normal inputs{whole}; own: the layer alone, fed "
        "with what the .rknn computed before it; so far: from the inputs on",
        whole=say(" ({names}: whole numbers)", names=names) if names else NOTHING,
    )


def answer(found: AgainstOnnx) -> Said:
    """Return the first line: which layer is bad, or how good the worst is."""
    name, bad = found.model.name, found.first_bad
    if not found.layers:
        return say(
            "{name}: no layer is of the size that {onnx} has for its name", name=name, onnx=found.onnx.name
        )
    if bad is not None:
        how = say("its values overflow")
        if isfinite(bad.own_cosine):
            how = say("cosine {cosine:.5f} by itself", cosine=bad.own_cosine)
        return say("{name}: the first bad layer is {layer}: {how}", name=name, layer=bad.layer, how=how)
    worst = min(found.layers, key=lambda each: each.own_cosine)
    return say(
        "{name}: no bad layer; the worst by itself is {layer}: cosine {cosine:.5f}{unread}",
        name=name,
        layer=worst.layer,
        cosine=worst.own_cosine,
        unread=say(", where nothing reads it") if worst.is_harmless else NOTHING,
    )


def _short(value: float) -> str:
    return f"{value:.3g}"


def against_document(found: AgainstOnnx) -> dict[str, object]:
    """Return the comparison as a JSON object."""
    return {
        "schema": "rkbench-against/1",
        "provenance": COMPUTED,
        "model": str(found.model),
        "onnx": str(found.onnx),
        "first_bad": None if found.first_bad is None else found.first_bad.layer,
        "layers": [_row(each) for each in found.layers],
        "unmatched": list(found.unmatched),
        "shape": None if found.shape is None else dataclasses.asdict(found.shape),
    }


def _row(layer: LayerError) -> dict[str, object]:
    """Return a layer's fields; null where a number is none: JSON has no NaN."""
    return {
        name: None if isinstance(value, float) and not isfinite(value) else value
        for name, value in dataclasses.asdict(layer).items()
    }
