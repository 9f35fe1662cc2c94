"""What stands below the table of a push on a terminal: caveats, refusals, conditions, failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.words import INTERRUPTED

from rkbench.catalogue import SCOPES
from rkbench.language.choice import spoken
from rkbench.language.said import NOTHING, say
from rkbench.results.comparison import Comparison
from rkbench.results.model import Failure, RunResult
from rkbench.views.push.notes import noise_note, warnings_of, with_advice
from rkbench.views.push.paragraphs import print_paragraph
from rkbench.views.push.table import legend

if TYPE_CHECKING:
    from rich.console import Console

LOG_LINES = 5


def print_notes(
    runs: Sequence[RunResult], comparison: Comparison, numbers: Mapping[Caveat, int], console: Console
) -> None:
    """Print what to doubt, what is not compared, and which conditions differ."""
    if legend(runs):
        print_paragraph(console, "", legend(runs), style="yellow")
    language = spoken(console.encoding)
    for index, (caveat, number) in enumerate(numbers.items()):
        print_paragraph(console, f"{number:>2}  ", with_advice(caveat, language), style="", space=index == 0)
    print_paragraph(console, "", noise_note(runs, comparison), style="")
    for text in warnings_of(runs, comparison):
        print_paragraph(console, "", text, style="yellow")


def failures(runs: Sequence[RunResult]) -> dict[Failure, list[str]]:
    """Return how runs failed, each with the variants that failed so: equal failures once."""
    found: dict[Failure, list[str]] = {}
    for run in runs:
        if run.failure is not None:
            found.setdefault(run.failure, []).append(run.variant.name)
    return found


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
    language = spoken(console.encoding)
    for diagnosis in failure.diagnoses:
        cause, row, scope = language.known(diagnosis.cause), diagnosis.number, SCOPES.get(diagnosis.scope)
        if row:
            cause = language.say(
                "{cause} (catalogue {number}{other})",
                cause=cause,
                number=row,
                other=say(", said by {scope}", scope=scope) if scope else NOTHING,
            )
        print_paragraph(console, "   = ", cause, style="bold", space=False)
        print_paragraph(console, "   → ", language.known(diagnosis.advice), style="", space=False)
    if failure.advice and not failure.diagnoses:
        print_paragraph(console, "   → ", language.known(failure.advice), style="", space=False)
