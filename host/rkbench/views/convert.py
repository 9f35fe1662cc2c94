"""Recipes, conversions while they run, and what came of them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TextIO

from rkbench.conversion.build import Built
from rkbench.conversion.by_layer import BAD_COSINE, first_bad
from rkbench.conversion.draft import Draft, Recipe
from rkbench.conversion.plan import Conversion
from rkbench.conversion.typed import ConvertOutcome, Delivered
from rkbench.results.records import SimulatorError
from rkbench.units import UNKNOWN, format_bytes, format_difference, format_seconds, printable
from rkbench.variants.conversion_record import VendorLayerError
from rkbench.views.output import show_and_write
from rkbench.views.terminal import make_console


class ConvertProgress:
    """A line when a conversion begins and one when it ends."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._began: dict[str, float] = {}

    def __enter__(self) -> ConvertProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.flush()

    def __call__(self, draft: Draft, conversion: Conversion | None) -> None:
        """Show that a draft begins, or what came of it."""
        if conversion is None:
            self._began[draft.name] = time.monotonic()
            text = f"{draft.name}: converting for {draft.target} with rknn-toolkit2 {draft.toolkit}"
        else:
            began = self._began.get(draft.name)
            took = "" if began is None else f" ({format_seconds(time.monotonic() - began)})"
            text = f"{draft.name}: {_ended(conversion)}{took}"
        print(printable(text), file=self._out, flush=True)


def _ended(conversion: Conversion) -> str:
    if not isinstance(conversion, Built):
        return "failed"
    size = format_bytes(conversion.record.size_bytes)
    return size if conversion.fresh else f"{size}, converted before"


def show_recipes(recipes: Sequence[Recipe], out: TextIO | None = None) -> None:
    """Print every recipe with what it does."""
    from rich.table import Table
    from rich.text import Text

    console = make_console(out or sys.stdout)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("recipe", no_wrap=True)
    table.add_column("what it does", overflow="fold")
    for recipe in recipes:
        table.add_row(Text(recipe.form or recipe.word), Text(recipe.summary))
    console.print(table)
    console.print(Text("composed with commas: --recipe fix,int8-mmse --recipe single-core,fp16"))


def show_conversions(outcome: ConvertOutcome, json_file: str | None, out: TextIO | None = None) -> None:
    """Print one line a recipe; write JSON where it is asked for, whatever becomes of the other."""
    show_and_write(
        lambda: _print_conversions(outcome, out or sys.stdout),
        json_file,
        lambda: json.dumps(to_json(outcome), indent=2) + "\n",
    )


def _print_conversions(outcome: ConvertOutcome, out: TextIO) -> None:
    from rich.table import Table
    from rich.text import Text

    console = make_console(out)
    if outcome.delivered:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
        table.add_column("recipe", overflow="fold")
        simulated = any(each.built.record.simulator for each in outcome.delivered)
        titles = ("size", "to the first", *(("cosine", "max. error") if simulated else ()), "took")
        for title in titles:
            table.add_column(title, justify="right", no_wrap=True)
        table.add_column("file", overflow="fold")
        first = outcome.delivered[0].built.record.size_bytes
        for each in outcome.delivered:
            table.add_row(*(Text(cell) for cell in _row(each, first, simulated=simulated)))
        console.print(table)
    for each in outcome.delivered:
        for line in layer_lines(each.built.draft.name, each.built.record.layers):
            console.print(Text(line), soft_wrap=True)
    for line in _notes(outcome):
        console.print(Text(line))


def layer_lines(recipe: str, layers: Sequence[VendorLayerError]) -> list[str]:
    """Return the vendor's error of each layer as a table, and the first that is bad; [] without any."""
    if not layers:
        return []
    width = max(len(layer.name) for layer in layers)
    rows = [
        f"{layer.name:<{width}}  {layer.own_cosine:>9.5f}  {layer.cosine:>9.5f}  {layer.op}"
        for layer in layers
    ]
    bad = first_bad(layers)
    told = (
        f"first bad layer: {bad.name} ({bad.op}), its own cosine is {bad.own_cosine:.5f}"
        if bad
        else f"no layer is bad by itself: all have a cosine of {BAD_COSINE} or more"
    )
    return [
        "",
        f"{recipe}: each layer in the vendor's accuracy_analysis, by itself and from the inputs on",
        f"{'':<{width}}  {'own':>9}  {'so far':>9}",
        *rows,
        f"{recipe}: {told}",
    ]


def _row(each: Delivered, first_bytes: int, *, simulated: bool) -> tuple[str, ...]:
    record = each.built.record
    took = format_seconds(sum(record.duration_s.values())) if each.built.fresh else "before"
    difference = format_difference(record.size_bytes / first_bytes - 1)
    accuracy = simulator_cells(record.simulator) if simulated else ()
    size = format_bytes(record.size_bytes)
    return each.built.draft.name, size, difference, *accuracy, took, str(each.path)


def simulator_cells(errors: Sequence[SimulatorError]) -> tuple[str, str]:
    """Return the lowest cosine and the largest error of all outputs in the vendor's simulator."""
    cosines = [error.cosine for error in errors if error.cosine is not None]
    largest = [error.max_abs_error for error in errors if error.max_abs_error is not None]
    return (
        f"{min(cosines):.6f}" if cosines else UNKNOWN,
        f"{max(largest):.3g}" if largest else UNKNOWN,
    )


def _notes(outcome: ConvertOutcome) -> list[str]:
    """Return what is to be said below the table."""
    lines = [
        f"{each.built.draft.name}: {text}"
        for each in outcome.delivered
        for text in each.built.record.source.changes
    ]
    if any(
        each.built.record.calibration and each.built.record.calibration.is_random
        for each in outcome.delivered
    ):
        lines.append(
            "calibrated on random inputs: outputs of integer models say nothing, sizes and latencies do"
        )
    if any(each.built.record.simulator for each in outcome.delivered):
        lines.append(
            "cosine and error: the vendor's simulator against the golden, the worst of all its cases"
        )
    lines += [f"left out: {each.draft.name}: {each.reason}" for each in outcome.left_out]
    for failed in outcome.failed:
        lines.append(f"failed: {failed.draft.name}: {failed.error.message}")
        lines += [f"  next: {failed.error.hint}"] if failed.error.hint else []
    return lines


def to_json(outcome: ConvertOutcome) -> dict[str, Any]:
    """Return plain JSON values (schema `rkbench-convert/1`); sizes in bytes, durations in seconds."""
    return {
        "schema": "rkbench-convert/1",
        "onnx": str(outcome.asked.onnx),
        "target": outcome.asked.target,
        "variants": [
            {"path": str(each.path), "fresh": each.built.fresh, **asdict(each.built.record)}
            for each in outcome.delivered
        ],
        "left_out": [{"recipe": each.draft.name, "reason": each.reason} for each in outcome.left_out],
        "failed": [
            {"recipe": each.draft.name, "error": each.error.message, "hint": each.error.hint}
            for each in outcome.failed
        ],
    }
