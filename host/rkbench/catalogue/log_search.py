"""A log made ready to be searched by many expressions: a line is tried only where a word of theirs stands."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from rkbench.catalogue.needles import needles


@dataclass(frozen=True)
class SearchedLog:
    """`lines` of a log; `text` is all of them in lower case, `starts` where each begins in it, and its end.

    `found` keeps what was searched for, because several questions are asked of one log.
    """

    lines: Sequence[str]
    text: str
    starts: Sequence[int]
    found: dict[re.Pattern[str], list[str]] = field(default_factory=dict, compare=False)

    def matching(self, pattern: re.Pattern[str]) -> list[str]:
        """Return the lines that the expression matches, in their order."""
        if pattern not in self.found:
            self.found[pattern] = [line for line in self._candidates(pattern) if pattern.search(line)]
        return self.found[pattern]

    def _candidates(self, pattern: re.Pattern[str]) -> Sequence[str]:
        words = needles(pattern.pattern)
        held = {number for word in words for number in self._holding(word)}
        return [self.lines[number] for number in sorted(held)] if words else self.lines

    def _holding(self, word: str) -> Iterator[int]:
        """Yield the number of each line in which the word stands."""
        at = self.text.find(word)
        while at >= 0:
            number = bisect_right(self.starts, at) - 1
            yield number
            at = self.text.find(word, self.starts[number + 1])


def searchable(lines: Iterable[str]) -> SearchedLog:
    """Return the lines with what a search in them needs."""
    told = tuple(lines)
    lowered = [line.lower() for line in told]
    starts = accumulate((len(line) + 1 for line in lowered), initial=0)
    return SearchedLog(told, "\n".join(lowered), tuple(starts))
