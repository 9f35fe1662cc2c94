"""What stored runs side by side come to, in sentences: boards that lie apart, runtimes that differ."""

from __future__ import annotations

from rkbench_agent.wire.words import CAPI, CAPI_ZERO_COPY, LITE, VIRTUAL

from rkbench.results.across_boards import AcrossBoards, BoardLevel
from rkbench.results.across_runtimes import SMALLEST_PART, AcrossRuntimes, RuntimeOutputs
from rkbench.units import MARK, UNKNOWN, signed

RUNTIME_WORDS = {LITE: "RKNNLite", CAPI: "C API", CAPI_ZERO_COPY: "C API, zero copy", VIRTUAL: "simulator"}
_PROVENANCES = {"computed": "rkbench's NPU model", "vendor_simulator": "vendor's simulator"}


def runtime_word(told: RuntimeOutputs) -> str:
    """Return what people call a runtime; of a simulated run whose simulator it was."""
    word = RUNTIME_WORDS.get(told.runtime, told.runtime)
    source = _PROVENANCES.get(told.provenance or "", "")
    return f"{word} ({source})" if source and told.runtime == VIRTUAL else word


def spread_sentence(found: AcrossBoards) -> str:
    """Return how far boards, their runs and their blocks lie apart."""
    mark = MARK if found.simulated else ""
    between = _sd(found.board_sd_percent, mark)
    low, high = found.board_sd_low_percent, found.board_sd_high_percent
    if low is not None and high is not None:
        between += f" ({mark}{low:.2f} to {mark}{high:.2f} %)"
    parts = (
        f"boards {between}",
        f"runs of a board {_sd(found.run_sd_percent, mark) or 'unknown, one run each'}",
        f"blocks of a run {_sd(found.block_sd_percent, mark) or UNKNOWN}",
    )
    return f"standard deviations: {', '.join(parts)}"


def _sd(percent: float | None, mark: str) -> str:
    return "" if percent is None else f"{mark}{percent:.2f} %"


def odd_sentence(found: AcrossBoards) -> str:
    """Return which board is odd, that none is, or what two boards differ by."""
    mark = MARK if found.simulated else ""
    if len(found.boards) == 2:
        return _two_sentence(found, mark)
    odd = [item for item in found.boards if item.is_odd]
    others = len(found.boards) - len(odd)
    if odd:
        told = " and ".join(f"{item.board} ({_slower(item, mark)})" for item in odd)
        verb = "is odd" if len(odd) == 1 else "are odd"
        advice = f"look at cooling, clocks and power: bench boards check {odd[0].board}"
        rare = f"among boards like the other {others} one lies so far off by chance in at most 5 of 100 cases"
        return f"{told} {verb}: {rare}; {advice}"
    return f"none of the {len(found.boards)} boards is odd by more than {found.effect_percent:g} %"


def _slower(item: BoardLevel, mark: str) -> str:
    word = "slower" if item.difference_percent > 0 else "faster"
    return f"{mark}{abs(item.difference_percent):.1f} % {word}"


def _two_sentence(found: AcrossBoards, mark: str) -> str:
    first, second = found.boards
    word = "slower" if second.difference_percent > 0 else "faster"
    percent = f"{mark}{abs(second.difference_percent):.1f} %"
    apart = f"{second.board} is {percent} {word} than {first.board}"
    if percent == f"{mark}0.0 %":  # faster by nothing is no word for it
        apart = f"{first.board} and {second.board} lie {percent} apart"
    low, high = found.two_low_percent, found.two_high_percent
    if low is None or high is None:
        alone = [item.board for item in found.boards if len(item.runs) == 1]
        of = "of one run each" if len(alone) == 2 else f"of one run on {alone[0]}"
        return f"{apart}, {of}: another may show something else; which of two is odd nobody can tell"
    within = f"{mark}{signed(low)} to {mark}{signed(high)} %"
    if low <= 0 <= high:
        return f"no difference between {first.board} and {second.board} is shown ({within})"
    return f"{apart} ({within}); which of two is odd nobody can tell: measure a third"


def runtimes_sentence(found: AcrossRuntimes) -> str:
    """Return which runtime is the first whose outputs differ from those before it."""
    words = {item.runtime: runtime_word(item) for item in found.runtimes}
    first = found.first
    if first is None:
        names = ", ".join(words.values())
        return f"no difference in outputs of {SMALLEST_PART * 100:g} % of the signal or more: {names}"
    where = f"output {first.output}" + ("" if first.case is None else f", case {first.case}")
    by = (
        "values that are not finite on one side"
        if first.part is None
        else f"at least {first.part * 100:.1f} % of the signal"
    )
    return f"the first that differs is {words[first.runtime]}: from {words[first.before]} by {by} ({where})"
