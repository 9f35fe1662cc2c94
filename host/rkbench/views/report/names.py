"""What a report calls its runs: by their variants, told apart where that is not enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rkbench.results.collect import Collected
from rkbench.results.model import RunResult
from rkbench.results.names import FoldedNames, folded_names
from rkbench.units import MARK, printable

#: Two names stand side by side in full.
FEWEST_FOLDED_NAMES = 3


@dataclass(frozen=True)
class Named:
    """A run with its name in a report, which no other run has."""

    name: str
    collected: Collected


def shared_name(collected: Sequence[Collected]) -> FoldedNames:
    """Return the variants' names without what all of them begin and end with, from three on."""
    names = [item.run.variant.name for item in collected]
    return (
        folded_names(names)
        if len(set(names)) >= FEWEST_FOLDED_NAMES
        else FoldedNames("", "", dict(zip(names, names, strict=True)))
    )


def mark_of_any(runs: Sequence[Named]) -> str:
    """Return what stands before an axis that holds a number which no board yielded."""
    return f"{MARK} " if any(item.collected.run.simulated for item in runs) else ""


#: What tells runs of one variant apart, in the order in which it is tried.
_APART: tuple[Callable[[RunResult], str], ...] = (
    lambda run: run.board.name,
    lambda run: run.plan.core_mask,
    lambda run: run.started_at[:16].replace("T", " "),
    lambda run: run.id,
)


def named(collected: Sequence[Collected]) -> list[Named]:
    """Return the runs with names of their own: variants without what all share, and what tells them apart."""
    short = shared_name(collected).short
    labels = [printable(short[item.run.variant.name]) for item in collected]
    for tell in _APART:
        counts = Counter(labels)
        if max(counts.values(), default=0) < 2:
            break
        for label in [label for label, count in counts.items() if count > 1]:
            places = [place for place, found in enumerate(labels) if found == label]
            told = [printable(tell(collected[place].run)) for place in places]
            if len(set(told)) > 1:
                for place, text in zip(places, told, strict=True):
                    labels[place] = f"{label} · {text}"
    return [Named(label, item) for label, item in zip(labels, collected, strict=True)]
