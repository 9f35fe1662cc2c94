"""What the runs of a push are called: by their variants, with their cores where these differ."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rkbench.results.model import RunResult


def run_names(runs: Sequence[RunResult]) -> dict[str, str]:
    """Return by run id what its variant is called, with its cores where those differ and tell runs apart."""
    alike = len({run.variant.name for run in runs}) < len(runs)
    several = alike and len({run.plan.core_mask for run in runs}) > 1
    return {
        run.id: f"{run.variant.name}, cores {run.plan.core_mask}" if several else run.variant.name
        for run in runs
    }


def told_apart(runs: Sequence[RunResult]) -> list[RunResult]:
    """Return the runs with variants that are called as `run_names` calls them: for sentences."""
    names = run_names(runs)
    return [replace(run, variant=replace(run.variant, name=names[run.id])) for run in runs]


#: Less than that is not worth a line that says what the sign stands for.
FEWEST_FOLDED = 6
FOLDED = "…"
SHORTEST = 3


@dataclass(frozen=True)
class FoldedNames:
    """Names by what tells them apart, with the parts that all of them begin and end with ("": none)."""

    start: str
    end: str
    short: dict[str, str]

    @property
    def told(self) -> str:
        """What the folded names are, as `mobilenet.rk3588.… .rknn`; "" where nothing is folded."""
        return f"{self.start}{FOLDED}{self.end}" if self.start or self.end else ""


def folded_names(names: Sequence[str]) -> FoldedNames:
    """Return names without the whole words that all of them begin, or end, with."""
    different = list(dict.fromkeys(names))
    words = [_WORD.findall(name) for name in different]
    fewest = min(map(len, words), default=0)
    start = next((n for n in range(fewest) if len({tuple(found[: n + 1]) for found in words}) > 1), 0)
    most = max(0, fewest - start - 1)
    end = next(
        (n for n in range(most) if len({tuple(found[len(found) - n - 1 :]) for found in words}) > 1), most
    )
    while start and any(len("".join(found[start : len(found) - end])) < SHORTEST for found in words):
        start -= 1  # a name of a sign or two is none that sentences can be of
    shared = (*words[0][:start], *words[0][len(words[0]) - end :]) if words else ()
    if len(different) < 2 or sum(map(len, shared)) < FEWEST_FOLDED:
        return FoldedNames("", "", {name: name for name in different})
    short = ["".join(found[start : len(found) - end]) for found in words]
    signs = {text[-1:] for text in short} if end else set()
    sign = signs.pop() if len(signs) == 1 and signs <= set("._/+-") else ""
    return FoldedNames(
        "".join(words[0][:start]),
        sign + "".join(words[0][len(words[0]) - end :]),
        {name: text.removesuffix(sign) for name, text in zip(different, short, strict=True)},
    )


#: Words end behind their sign, so that what is left of a name is a name.
_WORD = re.compile(r"[^._/+-]*[._/+-]|[^._/+-]+")
