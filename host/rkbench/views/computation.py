"""`bench run` in words: what was computed, and the range of every output."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import TextIO

from rkbench_agent.wire.words import COMPUTED

from rkbench.units import UNKNOWN, format_seconds
from rkbench.variants.computation import Computation, TensorRange
from rkbench.views.output import show_and_write
from rkbench.views.terminal import make_console

_COLUMNS = (("tensor", False), ("shape", False), ("min", True), ("max", True))


def show_computation(done: Computation, json_file: str | None = None, out: TextIO | None = None) -> None:
    """Print the outputs, and the layers where they were asked for; with `-` stdout holds the JSON alone."""
    show_and_write(
        lambda: _print(done, out or sys.stdout),
        json_file,
        lambda: json.dumps(computation_document(done), indent=2) + "\n",
    )


def _print(done: Computation, out: TextIO) -> None:
    from rich.text import Text

    console = make_console(out)
    cases = "1 case" if done.cases == 1 else f"{done.cases} cases"
    each = format_seconds(done.duration_s / max(1, done.cases))
    console.print(
        Text(
            f"{done.model.name}: {cases} computed by rkbench's model of the {done.target} NPU, {each} a case"
        )
    )
    if done.shape:
        console.print(Text(f"for {done.shape} (another: --graph N)"))
    if done.layers:
        _print_table(console, "layer", done.layers)
        console.print()
    _print_table(console, "", done.outputs)
    wrong = sum(each.not_finite for each in done.outputs)
    if wrong:
        console.print(Text(f"{wrong:,} output values are NaN or infinite", style="yellow"))
    if done.written is not None:
        console.print(Text(f"wrote {done.written}"))


def _print_table(console: object, first: str, ranges: Sequence[TensorRange]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    assert isinstance(console, Console)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    columns = ((first, False), *_COLUMNS) if first else (("output", False), *_COLUMNS[1:])
    for title, right in columns:
        table.add_column(title, justify="right" if right else "left", overflow="fold")
    for each in ranges:
        shape = "x".join(str(size) for size in each.shape)
        cells = [each.name, shape, _number(each.minimum), _number(each.maximum)]
        table.add_row(*(Text(cell) for cell in ([each.layer, *cells] if first else cells)))
    console.print(table)


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.4g}"


def computation_document(done: Computation) -> dict[str, object]:
    """Return what is printed as a JSON object; durations in seconds, sizes of tensors as shapes."""
    return {
        "schema": "rkbench-run/1",
        "provenance": {"outputs": COMPUTED},
        "model": str(done.model),
        "target": done.target,
        "cases": done.cases,
        "shape": None if done.shape is None else dataclasses.asdict(done.shape),
        "duration_s": done.duration_s,
        "written": None if done.written is None else str(done.written),
        "outputs": [dataclasses.asdict(each) for each in done.outputs],
        "layers": [dataclasses.asdict(each) for each in done.layers],
    }
