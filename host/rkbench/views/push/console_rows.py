"""A push of many variants on a terminal: a row each, equal caveats in one line, what all names share once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rkbench_agent.wire.caveats import CLOCKS, DOUBT, INFORMATION, WEIGHTS, Caveat

from rkbench.language.choice import spoken
from rkbench.language.language import ENGLISH, Language
from rkbench.results.comparison import Comparison
from rkbench.results.model import RunResult
from rkbench.results.names import FoldedNames, folded_names
from rkbench.views.push.fitting import WHOLE, Screenful
from rkbench.views.push.grid import print_grid
from rkbench.views.push.many import FEWEST_ROWS
from rkbench.views.push.notes import noise_note, warnings_of, with_advice
from rkbench.views.push.overview import GROUPS, overview
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
    runs: Sequence[RunResult],
    comparison: Comparison,
    names: FoldedNames,
    console: Console,
    sort: str,
    fold: Screenful = WHOLE,
) -> None:
    """Print a row for each run, and below what to doubt and what differs, folded as is asked for."""
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
    print_paragraph(console, "", legend(runs, GROUPS), style="yellow", space=not fold.is_dense)
    _print_told(called, comparison, console, fold)


def _print_told(runs: Sequence[RunResult], comparison: Comparison, console: Console, fold: Screenful) -> None:
    """Print what to doubt and what differs."""
    apart = not fold.is_dense
    told = [*doubts(runs, spoken(console.encoding), fold), noise_note(runs, comparison)]
    for place, text in enumerate(text for text in told if text):
        print_paragraph(console, "", text, style="", space=apart and place == 0)
    for place, text in enumerate(_folded_notes(warnings_of(runs, comparison), fold)):
        print_paragraph(console, "", text, style="yellow", space=apart and place == 0)


def _folded_notes(notes: Sequence[str], fold: Screenful) -> list[str]:
    more = 0 if fold.notes is None else len(notes) - fold.notes
    if more < 2:
        return list(notes)
    return [*notes[: fold.notes], f"{more} more notes: {fold.whole}"]


_Found = Sequence[tuple[RunResult, Caveat]]


def kinds_of(runs: Sequence[RunResult]) -> dict[str, list[tuple[RunResult, Caveat]]]:
    """Return the caveats of all runs by their codes, but that they are simulated."""
    kinds: dict[str, list[tuple[RunResult, Caveat]]] = {}
    for run in runs:
        for caveat in run.caveats:
            if caveat.code != "simulated":
                kinds.setdefault(caveat.code, []).append((run, caveat))
    return kinds


def doubts(runs: Sequence[RunResult], language: Language = ENGLISH, fold: Screenful = WHOLE) -> list[str]:
    """Return a line for each kind of caveat: whom it concerns, and its words for the first of them.

    Where not all are told in full those are that doubt a number; one line names the others.
    """
    kinds = kinds_of(runs)
    by_weight = sorted(kinds, key=lambda code: _ORDER.index(WEIGHTS.get(code, DOUBT)))
    in_full = {*by_weight[: fold.doubts]} if fold.doubts is not None else {*kinds}
    told = [_doubt(found, len(runs), language) for code, found in kinds.items() if code in in_full]
    folded = [_counted(code, kinds[code], len(runs)) for code in by_weight if code not in in_full]
    if folded:
        lead = f"{len(folded)} more kinds of caveats" if told else f"{len(folded)} kinds of caveats"
        told.append(f"{lead if len(folded) > 1 else lead[:-1]}: {', '.join(folded)}; in words: {fold.whole}")
    return told


#: What is told in full before what.
_ORDER = (DOUBT, CLOCKS, INFORMATION)


def _counted(code: str, found: _Found, every: int) -> str:
    """Return what a kind of caveat is called, and how many runs have it."""
    runs = len({run.id for run, _ in found})
    who = f"all {every}" if runs == every else f"{runs} run{'s' * (runs > 1)}"
    return f"{code.replace('_', ' ')} ({who})"


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
