"""A bisection: the parts that were asked, the wrong layer, whose fault it is."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TextIO

from rkbench.bisect.asked import BisectOutcome, FoundLayer, Kind, Probe, TensorError
from rkbench.bisect.reproduction import FAULTS
from rkbench.bisect.words import part_text, snr_text
from rkbench.results.measures import SNR
from rkbench.results.serialize import to_json
from rkbench.units import MARK, UNKNOWN
from rkbench.views.output import show_and_write
from rkbench.views.terminal import make_console

SCHEMA: Final = "rkbench-bisect/1"


@dataclass(frozen=True)
class ProbeDocument:
    """A part that was converted and run: how many layers it has, its ends, its errors, the stored run.

    `is_bad` is null where nothing could be compared. Of an SNR null is infinite: there is no error.
    """

    layers: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    is_bad: bool | None
    failure: str | None
    run: str | None
    simulated: bool
    errors: tuple[TensorError, ...]


@dataclass(frozen=True)
class LayerDocument:
    """The wrong layer: its number from 1 on, its name and operator in the ONNX, the tensors that it writes.

    `candidates` are the names of all that it may be, where parts between could not be converted. `fault` is
    board, quantization, conversion or unknown; `is_jump`: the error is at least twice what came in.
    """

    number: int
    name: str
    op: str
    outputs: tuple[str, ...]
    candidates: tuple[str, ...]
    fault: Kind
    is_jump: bool


@dataclass(frozen=True)
class BisectDocument:
    """What `bench bisect --json` writes. `layer` is null where the whole network is right.

    `reproduction` is the smallest part that fails, `saved` the folder that it was written to.
    """

    schema: Literal["rkbench-bisect/1"]
    onnx: str
    board: str
    target: str
    recipe: str
    limit: str
    layer_count: int
    layer: LayerDocument | None
    probes: tuple[ProbeDocument, ...]
    reproduction: ProbeDocument | None
    saved: str | None
    notes: tuple[str, ...]


def document_of(outcome: BisectOutcome) -> BisectDocument:
    """Return an outcome as the document of its JSON."""
    return BisectDocument(
        SCHEMA,
        str(outcome.options.onnx),
        outcome.board,
        outcome.target,
        outcome.recipe,
        outcome.gate.text,
        outcome.layer_count,
        _layer(outcome.found) if outcome.found else None,
        tuple(map(_probe, outcome.probes)),
        _probe(outcome.reproduction) if outcome.reproduction else None,
        str(outcome.saved) if outcome.saved else None,
        outcome.notes,
    )


def _layer(found: FoundLayer) -> LayerDocument:
    layer = found.layer
    names = tuple(each.name for each in found.candidates)
    return LayerDocument(found.number, layer.name, layer.op, layer.outputs, names, found.kind, found.is_jump)


def _probe(probe: Probe) -> ProbeDocument:
    return ProbeDocument(
        probe.layers,
        probe.part.inputs,
        probe.part.outputs,
        probe.is_bad,
        probe.failure or None,
        probe.run or None,
        probe.simulated,
        probe.errors,
    )


def show_bisect(outcome: BisectOutcome, json_file: str | None, out: TextIO | None = None) -> None:
    """Print the parts and the answer; write JSON where it is asked for."""
    show_and_write(
        lambda: _show(outcome, out or sys.stdout),
        json_file,
        lambda: json.dumps(to_json(document_of(outcome)), indent=2) + "\n",
    )


def _show(outcome: BisectOutcome, out: TextIO) -> None:
    from rich.text import Text

    console = make_console(out)
    console.print(Text(_head(outcome)))
    console.print(_table([_row(probe) for probe in outcome.probes]))
    for line in lines(outcome):
        console.print(Text(line))


def _head(outcome: BisectOutcome) -> str:
    return (
        f"{outcome.options.onnx.name}: {outcome.layer_count} layers, {outcome.recipe} for {outcome.target} "
        f"on {outcome.board}, {outcome.options.cases} cases against onnxruntime; right is {outcome.gate.text}"
    )


def _table(rows: Sequence[Sequence[str]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for place, title in enumerate(("layers", "board", "simulator", "", "output")):
        justify: Any = "right" if place < 3 else "left"
        table.add_column(title, justify=justify, no_wrap=place < 4, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _row(probe: Probe) -> tuple[str, ...]:
    """Return a part by its worst output."""
    state = {True: "wrong", False: "right", None: "not known"}[probe.is_bad]
    if probe.failure:
        return str(probe.layers), UNKNOWN, UNKNOWN, state, probe.failure
    worst = min(probe.errors, key=_snr, default=None)
    if worst is None:
        return str(probe.layers), UNKNOWN, UNKNOWN, state, ", ".join(probe.part.outputs)
    mark = MARK if probe.simulated and worst.board else ""
    return str(probe.layers), mark + snr_text(worst.board), snr_text(worst.simulator), state, worst.name


def _snr(error: TensorError) -> float:
    if error.board is None:
        return float("inf")
    if error.board.is_broken:
        return float("-inf")
    return float("inf") if error.board.snr_db is None else error.board.snr_db


def lines(outcome: BisectOutcome) -> list[str]:
    """Return the answer below the table, in whole sentences."""
    told = [f"not told: {note}" for note in outcome.notes]
    if any(probe.simulated for probe in outcome.probes):
        told.append(f"{MARK} simulated: no NPU involved.")
    found, count = outcome.found, len(outcome.probes)
    parts = f"{count} part{'s' * (count != 1)} converted and run."
    if found is None:
        said = f"The network is right: all of its outputs keep {outcome.gate.text}. {parts}"
        return [*told, said, *_parts_below(outcome)]
    return [*told, *_answer(outcome, found), parts]


def _answer(outcome: BisectOutcome, found: FoundLayer) -> list[str]:
    place = f"layer {found.number} of {outcome.layer_count}"
    said = [f"First wrong layer: {found.layer.name} ({found.layer.op}), {place}: what it reads is right."]
    if len(found.candidates) > 1:
        names = ", ".join(layer.name for layer in found.candidates)
        said = [f"The first wrong layer is one of {names}: parts between them cannot be told."]
    said += _worst_parts(found.wrong, found.wrong.wrong)
    said.append(FAULTS[found.kind])
    if not found.is_jump:
        said.append(
            "The error does not jump there: it grows from layer to layer, and crosses the limit. "
            "Another limit: --require"
        )
    smallest = outcome.reproduction
    if smallest is not None:
        alone = "the layer alone" if smallest.layers == 1 else f"{smallest.layers} layers"
        said.append(f"The smallest part that fails: {alone}.{_place(outcome)}")
    return said


def _parts_below(outcome: BisectOutcome) -> list[str]:
    """Return the outputs of a right network of which a part by itself does not keep a limit of the SNR."""
    limit = outcome.gate.limit
    if outcome.gate.quantity.word != SNR.gate or limit is None:
        return []
    (whole, *_) = outcome.probes
    below = [
        each
        for each in whole.errors
        if each.board and each.board.worst_part and each.board.worst_part.snr_db < limit
    ]
    return [f"A part by itself does not keep it: {text}" for text in _worst_parts(whole, below)]


def _worst_parts(probe: Probe, errors: Sequence[TensorError]) -> list[str]:
    """Return the worst part of each of some outputs, which is told and not judged."""
    mark = MARK if probe.simulated else ""
    return [f"{each.name}, {text}." for each in errors if (text := part_text(each, mark))]


def _place(outcome: BisectOutcome) -> str:
    return f" It stands in {outcome.saved}/." if outcome.saved else " Keep it: --save DIR"
