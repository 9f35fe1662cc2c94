"""The search for the first wrong layer: pure.

A question is `is_bad(K)`: is any output of the first K layers wrong, of those that later layers read? It need
not be monotone: a later layer may hide an error. So the search keeps a K that was found good and a larger one
that was found bad, and ends where they are neighbours: what layer K + 1 reads is right, and what it writes is
not. That is a wrong layer whatever lies before; where an error before it was hidden, it is not the first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

#: So many cuts that cannot be told are tried before the rest is left as it is.
MOST_UNKNOWN = 6


@dataclass(frozen=True)
class Bracket:
    """Of how many layers all outputs are right, of how many more not; `unknown` lie between, untold."""

    good: int
    bad: int
    unknown: tuple[int, ...] = ()

    @property
    def is_exact(self) -> bool:
        """Whether one layer alone lies between."""
        return self.bad == self.good + 1


def find_first_bad(count: int, is_bad: Callable[[int], bool | None]) -> Bracket:
    """Return the bracket around a wrong layer of a network whose `count` layers give a wrong output.

    `is_bad` is asked at most about log2(count) times, once more for each None: it cannot be told there.
    """
    good, bad = 0, count
    unknown: set[int] = set()
    while len(unknown) < MOST_UNKNOWN:
        left = [place for place in range(good + 1, bad) if place not in unknown]
        if not left:
            break
        middle = min(left, key=lambda place: abs(2 * place - good - bad))
        answer = is_bad(middle)
        if answer is None:
            unknown.add(middle)
        elif answer:
            bad = middle
        else:
            good = middle
    return Bracket(good, bad, tuple(sorted(place for place in unknown if good < place < bad)))
