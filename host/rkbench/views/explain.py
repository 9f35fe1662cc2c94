"""What a log means, on a terminal or as JSON; control characters of its text are shown, not obeyed."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rkbench.catalogue.explain import Explanation
from rkbench.catalogue.facts import BoardState
from rkbench.catalogue.match import Diagnosis
from rkbench.catalogue.rows import SCOPES, Circumstance
from rkbench.language.choice import spoken
from rkbench.language.language import ENGLISH, Language
from rkbench.language.said import Said, listed, say
from rkbench.results.serialize import to_json
from rkbench.units import format_bytes, printable
from rkbench.views.output import ESCAPE, STDOUT, show_and_write
from rkbench.views.push.paragraphs import print_paragraph
from rkbench.views.terminal import make_console

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA: Literal["rkbench-explain/1"] = "rkbench-explain/1"
STYLES = {"fatal": "red", "error": "red", "warning": "yellow", "harmless": "green"}
SEVERITIES = {
    "fatal": say("fatal"),
    "error": say("error"),
    "warning": say("warning"),
    "harmless": say("harmless"),
}


@dataclass(frozen=True)
class ExplainDocument:
    """What the messages of a log mean, the most telling first.

    `board` is what the log tells of the board; `unknown` are the first of the `unknown_count` lines that
    sound like trouble and that the catalogue does not know.
    """

    schema: Literal["rkbench-explain/1"]
    source: str
    line_count: int
    harmless_count: int
    unknown_count: int
    unknown: tuple[str, ...]
    board: BoardState
    diagnoses: tuple[Diagnosis, ...]


def show_explanation(source: str, found: Explanation, json_file: str | None = None) -> None:
    """Show what was found on stdout, and write it as JSON where a file is named (`-`: JSON alone)."""
    show_and_write(
        lambda: print_explanation(source, found, make_console(sys.stdout), spoken(sys.stdout.encoding)),
        json_file,
        lambda: render_explanation(source, found),
    )


def render_explanation(source: str, found: Explanation) -> str:
    """Return the explanation as JSON text of schema rkbench-explain/1."""
    document = ExplainDocument(
        SCHEMA,
        source,
        found.line_count,
        found.harmless_count,
        found.unknown_count,
        found.unknown,
        found.state,
        found.diagnoses,
    )
    text = json.dumps(to_json(document), indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    return text.encode("utf-8", ESCAPE).decode("utf-8")


def print_explanation(
    source: str, found: Explanation, console: Console, language: Language = ENGLISH
) -> None:
    """Print each known message with cause and cure, then what is harmless and what was not understood."""
    print_paragraph(console, "", language.tell(_headline(source, found)), style="bold", space=False)
    for item in found.diagnoses:
        _print_diagnosis(item, found.row.when if found.row else (), console, language)
    if found.unknown:
        lines = _lines(found.unknown_count)
        lead = language.say("not understood, though it sounds like trouble ({lines}):", lines=lines)
        print_paragraph(console, "?  ", lead, style="yellow")
        for line in found.unknown:
            print_paragraph(console, "   │ ", _clean(line), style="dim", space=False)
    if found.unknown_count > len(found.unknown):
        rest = language.say("… and {number} more", number=found.unknown_count - len(found.unknown))
        print_paragraph(console, "   ", rest, style="dim", space=False)


def _print_diagnosis(
    item: Diagnosis, when: tuple[Circumstance, ...], console: Console, language: Language
) -> None:
    heard = language.say(
        "{severity}: {cause} (catalogue {number})",
        severity=SEVERITIES[item.severity],
        cause=language.known(item.cause),
        number=item.number,
    )
    print_paragraph(console, "•  ", heard, style=STYLES[item.severity])
    print_paragraph(console, "   │ ", _clean(item.line), style="dim", space=False)
    print_paragraph(console, "   → ", language.known(item.advice), style="", space=False)
    for circumstance in when:
        advice = language.tell(say(circumstance.advice, **dict.fromkeys(BoardState().words(), "…")))
        text = language.say("{when}: {advice}", when=circumstance.words(), advice=advice)
        print_paragraph(console, "   → ", text, style="", space=False)
    print_paragraph(console, "   ", language.tell(_seen(item)), style="dim", space=False)


def _seen(item: Diagnosis) -> Said:
    seen = say("seen with {seen}; source: {source}", seen=item.seen, source=item.source)
    scope = SCOPES[item.scope]
    return say("said by {scope}; {seen}", scope=scope, seen=seen) if scope else seen


def _headline(source: str, found: Explanation) -> Said:
    if found.row:
        return say("catalogue {number}", number=found.row.number)
    name = "stdin" if source == STDOUT else printable(source)
    known = _known(len(found.diagnoses))
    told = say("{name}: {known} in {lines}", name=name, known=known, lines=_lines(found.line_count))
    if found.harmless_count:
        told = say("{told}, {number} harmless", told=told, number=found.harmless_count)
    board = _facts(found.state)
    return say("{told}; the log tells of {board}", told=told, board=listed(board)) if board else told


def _known(number: int) -> Said:
    if not number:
        return say("no known failure")
    return say("1 known message") if number == 1 else say("{number} known messages", number=number)


def _lines(number: int) -> Said:
    return say("1 line") if number == 1 else say("{number} lines", number=number)


def _facts(state: BoardState) -> list[str]:
    iommu = {None: "", True: say("iommu on"), False: say("iommu off")}[state.iommu]
    memory = state.memory_total_bytes
    driver, runtime = (printable(version or "") for version in (state.driver_version, state.runtime_version))
    told = (
        printable(state.soc or ""),
        say("driver {version}", version=driver) if driver else "",
        f"librknnrt {runtime}" if runtime else "",
        format_bytes(memory) if memory else "",
        iommu,
    )
    return [item for item in told if item]


def _clean(line: str) -> str:
    return printable(line.expandtabs(4))
