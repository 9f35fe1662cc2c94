"""A sweep: its plan, its variants side by side, who won, and by what the others lost."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TextIO

from rkbench.results.measure_types import Measure, NumberGroup
from rkbench.results.measures import COSINE, GATED, LATENCY_P50, NPU_MEMORY, SIZE
from rkbench.results.model import RunResult
from rkbench.sweep.asked import SweepOutcome
from rkbench.sweep.plan import PlannedVariant
from rkbench.sweep.verdict import MeasuredVariant
from rkbench.units import MARK, UNKNOWN, format_bytes
from rkbench.views.convert import simulator_cells
from rkbench.views.output import show_and_write
from rkbench.views.terminal import make_console

SCHEMA = "rkbench-sweep/1"
WINS, IN_FRONT = "wins", "front"
#: What such a line goes on with is copied: no line end of ours may be in it.
COPIED = ("file: ", "without rkbench: ")


def show_sweep(outcome: SweepOutcome, json_file: str | None, out: TextIO | None = None) -> None:
    """Print the plan, or the variants with the verdict; write JSON where it is asked for."""
    show_and_write(
        lambda: _print_sweep(outcome, out or sys.stdout),
        json_file,
        lambda: json.dumps(to_json(outcome), indent=2) + "\n",
    )


def _print_sweep(outcome: SweepOutcome, out: TextIO) -> None:
    from rich.text import Text

    console = make_console(out)
    if outcome.variants:
        console.print(
            _table(_titles(outcome), [_row(outcome, each) for each in outcome.variants], console.width)
        )
    elif outcome.verdict is None:
        rows = [(each.recipe, _predicted_text(each)) for each in outcome.plan.variants]
        console.print(_table(("recipe", "predicted"), rows, console.width))
    for line in lines(outcome):
        console.print(Text(line), soft_wrap=line.startswith(COPIED))


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Any:
    """Return a table that is so wide at most: long recipes go on below, behind a comma."""
    from rich.table import Table
    from rich.text import Text

    figures = (max(map(len, column)) + 2 for column in list(zip(titles, *rows, strict=True))[1:])
    left = width - sum(figures)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for place, title in enumerate(titles):
        table.add_column(title, justify="right" if place else "left", no_wrap=place > 0, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, (broken(row[0], left), *row[1:])))
    return table


def broken(recipe: str, width: int) -> str:
    """Return a recipe in lines of a width at most, where its words allow that."""
    lines = [""]
    for word in re.findall(r"[^,]+,?", recipe):
        if lines[-1] and len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] += word
    return "\n".join(lines)


def _measures(outcome: SweepOutcome) -> tuple[Measure, ...]:
    """Return the figures of a row: the usual ones, and what is to be small."""
    usual = (SIZE, NPU_MEMORY, LATENCY_P50, COSINE)
    own = GATED[outcome.options.minimize]
    return usual if own in usual else (*usual, own)


def _titles(outcome: SweepOutcome) -> tuple[str, ...]:
    return ("recipe", *(each.gate for each in _measures(outcome)), "simulator", "")


def _row(outcome: SweepOutcome, each: MeasuredVariant) -> tuple[str, ...]:
    figures = (_figure(measure, each.run) for measure in _measures(outcome))
    simulated = simulator_cells(each.delivered.built.record.simulator)[0]
    return each.recipe, *figures, simulated, _mark(outcome, each)


def _figure(measure: Measure, run: RunResult) -> str:
    value = measure.value(run)
    if value is None:
        return UNKNOWN
    mark = MARK if run.simulated and measure.group is not NumberGroup.FILE else ""
    return f"{mark}{value:.6f}" if measure is COSINE else f"{mark}{measure.unit.text(value)}"


def _mark(outcome: SweepOutcome, each: MeasuredVariant) -> str:
    if outcome.verdict is None:
        return ""
    if each.recipe == outcome.verdict.winner:
        return WINS
    return IN_FRONT if each.recipe in outcome.verdict.front else ""


def _predicted_text(each: PlannedVariant) -> str:
    return f"about {format_bytes(each.predicted.size_bytes)}" if each.predicted else UNKNOWN


def lines(outcome: SweepOutcome) -> list[str]:
    """Return what is said below the table, in whole sentences."""
    told = [outcome.cause] if outcome.cause else []
    if any(
        each.run.variant.made and each.run.variant.made.is_calibrated_on_noise for each in outcome.variants
    ):
        told.append(
            "Calibrated on random inputs: size, memory and latency hold, outputs do not for real inputs."
        )
    if any(each.run.simulated for each in outcome.variants):
        told.append(f"{MARK} simulated: no NPU involved; the outputs are those of the vendor's simulator.")
    told += [f"left out: {each.draft.name}: {each.reason}" for each in outcome.left_out]
    if (verdict := outcome.verdict) is None:
        return (
            [*told, f"{len(outcome.plan.variants)} variants would be built."]
            if not outcome.variants
            else told
        )
    told += [f"lost: {recipe}: {reason}" for recipe, reason in verdict.lost.items()]
    return [*told, *_cures(outcome), *_verdict(outcome)]


def _cures(outcome: SweepOutcome) -> list[str]:
    """Return what to do about conversions that failed, each cure once."""
    recipes: dict[str, list[str]] = {}
    for failed in outcome.failed:
        if failed.error.hint:
            recipes.setdefault(failed.error.hint, []).append(failed.draft.name)
    return [f"next, for {' and '.join(names)}: {hint}" for hint, names in recipes.items()]


def _verdict(outcome: SweepOutcome) -> list[str]:
    winner, verdict = outcome.winner, outcome.verdict
    assert verdict is not None
    required = " and ".join(gate.text for gate in outcome.options.gates)
    if winner is None:
        return [f"No variant wins{f': none keeps {required}' if required else ''}."]
    value = _figure(GATED[outcome.options.minimize], winner.run)
    kept = f" of those that keep {required}" if required else ""
    told = [f"{winner.recipe} wins: the least {outcome.options.minimize}{kept}, {value}."]
    told += [f"Not beyond doubt: {verdict.doubt}."] if verdict.doubt else []
    told.append(f"file: {winner.delivered.path}")
    return [*told, f"without rkbench: python {shlex.quote(str(outcome.script))}"] if outcome.script else told


def to_json(outcome: SweepOutcome) -> dict[str, Any]:
    """Return plain JSON values (schema `rkbench-sweep/1`); figures in base units, by their measure."""
    verdict, options = outcome.verdict, outcome.options
    return {
        "schema": SCHEMA,
        "onnx": str(options.onnx),
        "target": outcome.target,
        "minimize": options.minimize,
        "requirements": [gate.text for gate in options.gates],
        "cause": outcome.cause or None,
        "planned": [
            {"recipe": each.recipe, "predicted_bytes": each.predicted.size_bytes if each.predicted else None}
            for each in outcome.plan.variants
        ],
        "left_out": [{"recipe": each.draft.name, "reason": each.reason} for each in outcome.left_out],
        "failed": [
            {"recipe": each.draft.name, "error": each.error.message, "hint": each.error.hint}
            for each in outcome.failed
        ],
        "variants": [_variant_json(outcome, each) for each in outcome.variants],
        "measured": outcome.measured,
        "winner": verdict.winner if verdict else None,
        "doubt": (verdict.doubt or None) if verdict else None,
        "front": list(verdict.front) if verdict else [],
        "script": str(outcome.script) if outcome.script else None,
    }


def _variant_json(outcome: SweepOutcome, each: MeasuredVariant) -> dict[str, Any]:
    record = each.delivered.built.record
    lost = outcome.verdict.lost.get(each.recipe) if outcome.verdict else None
    return {
        "recipe": each.recipe,
        "path": str(each.delivered.path),
        "key": record.key,
        "fresh": each.delivered.built.fresh,
        "run": each.run.id,
        "simulated": each.run.simulated,
        **{measure.name: measure.value(each.run) for measure in _measures(outcome)},
        "simulator": [asdict(error) for error in record.simulator],
        "requirements": [asdict(told) for told in each.run.requirements],
        "lost_by": lost,
    }
