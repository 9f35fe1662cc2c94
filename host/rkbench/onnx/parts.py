"""Proof by parts: each changed part of a network alone, on the values that reach it in the original.

Some networks magnify rounding: their own answer moves by four hundredths where their input changes by 1e-7.
There two graphs that compute the same differ in the end, and a limit that let them pass would let faults
pass. So the graphs are cut at the values that both have. Nodes that are the same in both need no proof;
every other part is run on what the original computed before it, and has to give what the original has behind
it, to a limit that leaves room for rounding alone. A value that a rewrite keeps in another form (channels in
another order, a normalization moved before it) is no place to cut at: the part goes on behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rkbench.onnx.model import LARGEST_PROTOBUF_BYTES
from rkbench.onnx.named_graph import NamedGraph, described, reads
from rkbench.onnx.runtime import Arrays, CannotRunError, begin, run

TOLERANCE = 1e-5
"""A hundredth of what the outputs may differ by: rounding of one part, and nothing else."""
MOST_ROUNDS = 16
"""In each, values at which the graphs cannot be cut join the parts behind them; rewrites need two to five."""

MADE = " as it is made"
"""Behind the name of a value that is compared; what is read under the name itself is the original's."""

Compare = Callable[[list[np.ndarray], list[np.ndarray]], float]


def part_difference(original: Path, rewritten: Path, cases: Sequence[Arrays], compare: Compare) -> float:
    """Return the largest difference of a part of `rewritten` alone, by `compare`.

    Infinite where a part computes something else, does not run alone, or the networks are too large.
    """
    try:
        return _difference(original, rewritten, cases, compare)
    except CannotRunError:  # both ran whole: what cannot be cut is not proved
        return float("inf")


def _difference(original: Path, rewritten: Path, cases: Sequence[Arrays], compare: Compare) -> float:
    first, second = NamedGraph.load(original), NamedGraph.load(rewritten)
    if max(first.size_bytes, second.size_bytes) > LARGEST_PROTOBUF_BYTES:
        return float("inf")
    shared = [name for name in second.makers if name in first.makers]
    whole = begin(original, first.with_outputs(shared))
    cuts = _alike(whole, begin(rewritten, second.with_outputs(shared)), shared)
    if any(name in second.makers and name not in cuts for name in second.outputs):
        return float("inf")
    same = {id(node) for node in second.nodes if second.is_same(node, first)}
    for _ in range(MOST_ROUNDS):
        part = _ChangedPart.of(second, cuts, same)
        worst = part.differences(second, whole, cases, compare, (original, rewritten))
        wrong = {name for name, difference in worst.items() if not difference < TOLERANCE}
        if not wrong:
            return max(worst.values(), default=0.0)
        spoilt = {name for name in wrong if not part.sources[name] & wrong}
        if spoilt.intersection(second.outputs):
            break
        cuts -= spoilt
    return float("inf")


def _alike(one: Any, other: Any, names: Sequence[str]) -> set[str]:
    """Return those names of values that two sessions return by the same type and sizes."""
    kinds, others = (
        {value.name: (value.type, value.shape) for value in session.get_outputs()} for session in (one, other)
    )
    return {name for name in names if _may_be_same(kinds[name], others[name])}


def _may_be_same(one: tuple[str, list[Any]], other: tuple[str, list[Any]]) -> bool:
    """Return whether two values can hold the same array: a size that is open fits any."""
    sizes = zip(one[1], other[1], strict=False)
    return (
        one[0] == other[0]
        and one[0].startswith("tensor(")
        and len(one[1]) == len(other[1])
        and all(a == b for a, b in sizes if isinstance(a, int) and isinstance(b, int))
    )


@dataclass(frozen=True)
class _ChangedPart:
    """What has to be run of the rewritten network: all that is not the same, and what reads values that are
    not."""

    nodes: tuple[Any, ...]
    fed: tuple[str, ...]
    """Values of the original that are read."""
    found: tuple[str, ...]
    """Values that the original has too, to be compared."""
    sources: dict[str, frozenset[str]]
    """The fed values that each of `found` is made from."""

    @classmethod
    def of(cls, graph: NamedGraph, cuts: set[str], same: set[int]) -> _ChangedPart:
        """Return it for the values at which the graphs are cut."""
        nodes, fed, found = [], set[str](), []
        sources: dict[str, frozenset[str]] = {}
        for node in graph.nodes:
            read = reads(node)
            if id(node) in same and _all_cut(read, node, graph, cuts):
                continue
            nodes.append(node)
            own = read & cuts
            fed |= own | (read - set(graph.makers) - set(graph.constants))
            before = own.union(*(sources[name] for name in read - cuts if name in sources))
            sources |= dict.fromkeys(filter(None, node.output), before)
            found += [name for name in node.output if name in cuts]
        return cls(tuple(nodes), tuple(sorted(fed)), tuple(found), sources)

    def differences(
        self,
        graph: NamedGraph,
        whole: Any,
        cases: Sequence[Arrays],
        compare: Compare,
        paths: tuple[Path, Path],
    ) -> dict[str, float]:
        """Return how far each of `found` is from the original, at most over the cases.

        `whole` is a session of the original that returns every value; `paths` are both files.
        """
        original, rewritten = paths
        worst = dict.fromkeys(self.found, 0.0)
        session = None
        for case in cases:
            values = self._values(whole, case, original)
            feeds = {name: values[name] for name in self.fed}
            if session is None and self.nodes:
                session = begin(rewritten, self._model(graph, feeds))
            asked = [name + MADE for name in self.found]
            made = run(session, feeds, rewritten, asked) if session else []
            for name, array in zip(self.found, made, strict=True):
                worst[name] = max(worst[name], compare([values[name]], [array]))
        return worst

    def _values(self, whole: Any, case: Arrays, original: Path) -> Arrays:
        """Return what the original makes of a case: all that is fed, and all that is compared."""
        wanted = [name for name in dict.fromkeys((*self.fed, *self.found)) if name not in case]
        found = run(whole, case, original, wanted) if wanted else []
        return {**case, **dict(zip(wanted, found, strict=True))}

    def _model(self, graph: NamedGraph, feeds: Arrays) -> bytes:
        given = {name: described(name, array) for name, array in feeds.items()}
        return graph.piece(self.nodes, given, self.found, MADE)


def _all_cut(read: set[str], node: Any, graph: NamedGraph, cuts: set[str]) -> bool:
    return all(name in cuts for name in (*read, *filter(None, node.output)) if name in graph.makers)
