"""What a report calls its runs: by their variants, told apart where that is not enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rkbench.runs.collect import Collected
from rkbench.runs.model import RunResult
from rkbench.units import MARK, printable


@dataclass(frozen=True)
class Named:
    """A run with its name in a report, which no other run has."""

    name: str
    collected: Collected


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
    """Return the runs with names of their own: the variant, and what tells several of it apart."""
    labels = [printable(item.run.variant.name) for item in collected]
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
