"""What stands below the table of a push on a terminal: caveats, refusals, conditions, failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.words import INTERRUPTED

from rkbench.catalogue import SCOPES
from rkbench.runs.caveats.cures import is_out_of_time
from rkbench.runs.comparison import Comparison
from rkbench.runs.conditions import CORE_MASK, is_of_other_conditions
from rkbench.runs.latency_tests import needed_text
from rkbench.runs.model import Failure, RunResult
from rkbench.runs.names import run_names
from rkbench.runs.noise_words import floor_note
from rkbench.stats.gates import CANNOT_TELL
from rkbench.units import UNKNOWN
from rkbench.views.push.extras import is_sweep
from rkbench.views.push.paragraphs import print_paragraph
from rkbench.views.push.table import legend

if TYPE_CHECKING:
    from rich.console import Console

LOG_LINES = 5


def print_notes(
    runs: Sequence[RunResult], comparison: Comparison, numbers: Mapping[Caveat, int], console: Console
) -> None:
    """Print what to doubt, what is not compared, and which conditions differ."""
    by_id = {run.id: run for run in runs}
    names = run_names(runs)
    if legend(runs):
        print_paragraph(console, "", legend(runs), style="yellow")
    for index, (caveat, number) in enumerate(numbers.items()):
        print_paragraph(console, f"{number:>2}  ", _with_advice(caveat), style="", space=index == 0)
    if comparison.noise_floor is not None:
        note = floor_note(comparison.noise_floor, simulated=any(run.simulated for run in runs))
        print_paragraph(console, "", note, style="")
    for text in latency_notes(runs, comparison, names):
        print_paragraph(console, "", text, style="yellow")
    for refusal in comparison.refused:
        base = by_id[comparison.baseline or refusal.run]
        if is_of_other_conditions(base, by_id[refusal.run]):
            text = f"{names[refusal.run]} is not compared: {'; '.join(refusal.reasons)}"
            print_paragraph(console, "", text, style="yellow")
    for condition in comparison.conditions:
        if condition.name == CORE_MASK.name and is_sweep(runs):
            continue  # the table is about nothing else
        text = (
            f"{names[condition.run]}: {condition.name} is {condition.value or UNKNOWN}, "
            f"the baseline's {condition.baseline or UNKNOWN}"
        )
        print_paragraph(console, "", text, style="yellow")


def latency_notes(runs: Sequence[RunResult], comparison: Comparison, names: Mapping[str, str]) -> list[str]:
    """Return why latency could not be told, and what would tell."""
    out_of_time = any(map(is_out_of_time, runs))
    untold: dict[str, list[str]] = {}
    for test in comparison.latency_tests:
        if test.judgement == CANNOT_TELL:
            option = "in a longer --max-duration" if out_of_time else f"--{test.unit}s {test.needed}"
            way = f" ({option})" if test.needed else ""
            untold.setdefault(f"{needed_text(test)}{way}", []).append(names[test.run])
    return [f"latency of {', '.join(who)} can't be told: {why}" for why, who in untold.items()]


def print_failure(name: str, failure: Failure, console: Console) -> None:
    """Print where and why a run failed, the end of its log, and what helps."""
    if failure.reason == INTERRUPTED:
        print_paragraph(console, "■  ", f"{name} was stopped", style="yellow")
        print_paragraph(console, "   ", failure.message, style="", space=False)
        return
    how = ", ".join(part for part in (failure.reason.replace("_", " "), failure.signal) if part)
    print_paragraph(
        console, "✗  ", f"{name} failed in {failure.stage.replace('_', ' ')} ({how})", style="red"
    )
    print_paragraph(console, "   ", failure.message, style="", space=False)
    for line in failure.log_tail[-LOG_LINES:]:
        print_paragraph(console, "   │ ", line, style="dim", space=False)
    for diagnosis in failure.diagnoses:
        other = f", said by {SCOPES[diagnosis.scope]}" if SCOPES.get(diagnosis.scope) else ""
        row = f" (catalogue {diagnosis.number}{other})" if diagnosis.number else ""
        print_paragraph(console, "   = ", f"{diagnosis.cause}{row}", style="bold", space=False)
        print_paragraph(console, "   → ", diagnosis.advice, style="", space=False)
    if failure.advice and not failure.diagnoses:
        print_paragraph(console, "   → ", failure.advice, style="", space=False)


def _with_advice(caveat: Caveat) -> str:
    return f"{caveat.message} → {caveat.advice}" if caveat.advice else caveat.message
