"""A push of many variants on a terminal: a row each, equal caveats in one line, what all names share once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rkbench_agent.wire.caveats import Caveat

from rkbench.language.choice import spoken
from rkbench.language.language import ENGLISH, Language
from rkbench.results.comparison import Comparison
from rkbench.results.model import RunResult
from rkbench.results.names import FoldedNames, folded_names
from rkbench.views.push.grid import print_grid
from rkbench.views.push.many import FEWEST_ROWS
from rkbench.views.push.notes import noise_note, warnings_of, with_advice
from rkbench.views.push.overview import overview
from rkbench.views.push.paragraphs import print_paragraph
from rkbench.views.push.table import legend, ordered_runs

if TYPE_CHECKING:
    from rich.console import Console


#: So many of those that a doubt concerns are named.
_NAMED = 3


def folded(runs: Sequence[RunResult]) -> FoldedNames:
    """Return the variants' names as rows show them: in full where there are few."""
    names = [run.variant.name for run in runs]
    if len(runs) < FEWEST_ROWS:
        return FoldedNames("", "", {name: name for name in names})
    return folded_names(names)


def print_rows(
    runs: Sequence[RunResult], comparison: Comparison, names: FoldedNames, console: Console, sort: str
) -> None:
    """Print a row for each run, and below what to doubt and what differs."""
    called = [replace(run, variant=replace(run.variant, name=names.short[run.variant.name])) for run in runs]
    called = ordered_runs(called, comparison)
    found = overview(called, comparison, sort, console.width)
    assert found is not None
    if names.told:
        print_paragraph(console, "", f"variants {names.told}", style="dim")
    else:
        console.print()
    print_grid(console, found.titles, found.rows)
    print_paragraph(console, "", found.told, style="dim", space=False)
    print_paragraph(console, "", legend(runs), style="yellow")
    for place, text in enumerate([*doubts(called, spoken(console.encoding)), noise_note(called, comparison)]):
        print_paragraph(console, "", text, style="", space=place == 0)
    for place, text in enumerate(warnings_of(called, comparison)):
        print_paragraph(console, "", text, style="yellow", space=place == 0)


def doubts(runs: Sequence[RunResult], language: Language = ENGLISH) -> list[str]:
    """Return a line for each kind of caveat: whom it concerns, and its words for the first of them."""
    kinds: dict[str, list[tuple[RunResult, Caveat]]] = {}
    for run in runs:
        for caveat in run.caveats:
            if caveat.code != "simulated":
                kinds.setdefault(caveat.code, []).append((run, caveat))
    return [_doubt(found, len(runs), language) for found in kinds.values()]


def _doubt(found: Sequence[tuple[RunResult, Caveat]], every: int, language: Language) -> str:
    who = list(dict.fromkeys(run.variant.name for run, _ in found))
    concerned = f"all {every}" if len({run.id for run, _ in found}) == every else _some(who)
    first = found[0][1]
    differs = len({caveat.message for _, caveat in found}) > 1
    of = f" (of {who[0]}; the others alike)" if differs else ""
    return f"{concerned}: {with_advice(first, language)}{of}"


def _some(who: Sequence[str]) -> str:
    """Return names, of many the first of them."""
    more = len(who) - _NAMED
    return ", ".join(who) if more < 2 else f"{', '.join(who[:_NAMED])} and {more} more"


def shortened(text: str, names: FoldedNames) -> str:
    """Return a sentence with the short names for the whole ones, the longest first."""
    for name in sorted(names.short, key=len, reverse=True):
        text = text.replace(name, names.short[name])
    return text
