"""The boards that one variant ran on: a row each, how far they lie apart, which is odd."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rkbench.results.across_boards import AcrossBoards, BoardCondition
from rkbench.results.condition_words import value_in_words
from rkbench.results.side_words import odd_sentence, spread_sentence
from rkbench.units import MARK, UNKNOWN, format_seconds, signed
from rkbench.views.push.grid import plain, print_grid
from rkbench.views.push.paragraphs import print_paragraph
from rkbench.views.push.table import TableCell, Tone

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class AcrossText:
    """A variant over several boards in words: the fastest board first, what differs, the verdict."""

    title: str
    titles: tuple[str, ...]
    rows: tuple[tuple[TableCell, ...], ...]
    spread: str
    conditions: tuple[str, ...]
    verdict: str


def across_text(found: AcrossBoards) -> AcrossText:
    """Return what is told of a variant on several boards."""
    mark = MARK if found.simulated else ""
    words = f"{found.soc or UNKNOWN}, {found.runtime or UNKNOWN}, cores {found.core_mask}"
    rows = tuple(
        (
            plain(item.board),
            plain(str(len(item.runs))),
            plain(f"{mark}{format_seconds(item.p50_s)}"),
            TableCell(
                f"{mark}{signed(item.difference_percent)} %", tone=Tone.BAD if item.is_odd else Tone.PLAIN
            ),
            TableCell("odd" if item.is_odd else "", tone=Tone.BAD),
        )
        for item in sorted(found.boards, key=lambda item: item.p50_s)
    )
    titles = ("board", "runs", "p50", "to the others", "")
    shown = len(titles) if any(row[-1].value for row in rows) else len(titles) - 1
    return AcrossText(
        f"{found.variant} on {len(found.boards)} boards ({words})",
        titles[:shown],
        tuple(row[:shown] for row in rows),
        spread_sentence(found),
        tuple(f"{condition.name} differs: {_by_value(condition)}" for condition in found.conditions),
        odd_sentence(found),
    )


def print_across(told: AcrossText, console: Console) -> None:
    """Print the boards, and how far they lie apart."""
    print_paragraph(console, "", told.title, style="bold")
    print_grid(console, told.titles, told.rows)
    print_paragraph(console, "", told.spread, style="", space=False)
    for line in told.conditions:
        print_paragraph(console, "", line, style="yellow", space=False)
    print_paragraph(console, "", told.verdict, style="bold", space=False)


def _by_value(condition: BoardCondition) -> str:
    """Return who has which value: those whose value fewest have first, by name; the largest group last."""
    groups: dict[str, list[str]] = {}
    for board, value in condition.values.items():
        groups.setdefault(value_in_words(condition.name, value), []).append(board)
    *few, (most, boards) = sorted(groups.items(), key=lambda item: len(item[1]))
    told = [f"{value} on {', '.join(who)}" for value, who in few]
    return "; ".join([*told, f"{most} on {boards[0] if len(boards) == 1 else f'the {len(boards)} others'}"])
