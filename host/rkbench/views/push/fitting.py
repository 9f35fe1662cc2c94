"""A push of many variants on one screen: what gives way where it would be longer, and where all of it is.

Rows, the verdict and where numbers come from stay. Doubts give way first, those that cast none on a number
before the others: they are named with the number of runs, and `bench show` of the push has their words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

#: So many lines have a push of up to so many variants; each further one has a line more.
LINES, VARIANTS = 40, 12
#: So many of them are progress: on a terminal what was noted, else a line a step too.
NOTED, TOLD = 2, 7


@dataclass(frozen=True)
class Screenful:
    """What is told in full: so many kinds of doubts and so many notes, None for all of them.

    `is_dense`: no blank lines between paragraphs, and not what was sent. `whole` is what shows all of it.
    """

    doubts: int | None = None
    notes: int | None = None
    is_dense: bool = False
    whole: str = ""


WHOLE = Screenful()


def print_fitting(
    console: Console, show: Callable[[Screenful], None], *, runs: int, kinds: int, whole: str
) -> None:
    """Let `show` print as much as fits a screen; of all ways the first that does, else the shortest."""
    room = LINES - (NOTED if console.is_terminal else TOLD) + max(0, runs - VARIANTS)
    for fold in _folds(kinds, whole):
        with console.capture() as captured:
            show(fold)
        if captured.get().count("\n") <= room:
            break
    console.file.write(captured.get())


def _folds(kinds: int, whole: str) -> Iterator[Screenful]:
    yield WHOLE
    for doubts in range(kinds - 1, -1, -1):
        yield Screenful(doubts, whole=whole)
    yield Screenful(0, 1, whole=whole)
    yield Screenful(0, 1, is_dense=True, whole=whole)
