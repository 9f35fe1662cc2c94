"""A night in words: what console, Markdown and JUnit say alike."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from rkbench_agent.wire.caveats import DOUBT, WEIGHTS

from rkbench.results.measures import GATED, QUANTITIES
from rkbench.results.model import SUSPECT
from rkbench.results.night import (
    FAILED,
    GREEN,
    PAIRED,
    CellResult,
    ConditionChange,
    Fault,
    GateResult,
    Night,
    PooledGate,
)
from rkbench.stats.gates import CANNOT_TELL, FAIL, NOT_MEASURED, Gate, State, is_relative, parse_gate
from rkbench.stats.history.verdicts import NOT_ENOUGH_DATA
from rkbench.stats.judging import Judgement
from rkbench.units import (
    BYTES,
    SECONDS,
    SIMILARITY,
    UNKNOWN,
    Unit,
    format_between,
    format_moment,
    text_beside,
)

SIMULATED = "simulated by virtual boards"
#: What is not green, the worst first, in the words of headlines and lines.
NOT_GREEN: tuple[tuple[State, str], ...] = (
    (FAIL, "crossed"),
    (NOT_MEASURED, "not measured"),
    (CANNOT_TELL, "undecided"),
)


def headline(night: Night) -> str:
    """Return the night in one line: RED, NOT GREEN or GREEN, and why."""
    total = sum(len(cell.gates) for cell in night.cells)
    parts = counted(gate for cell in night.cells for gate in cell.gates)
    pools = len(pooled_in(night, FAIL))
    color = {GREEN: "GREEN", FAILED: "NOT GREEN"}.get(night.exit_code, "RED")
    kept = f"all {total} gates so far kept" if night.interrupted else f"all {total} gates kept"
    rest = f"{', '.join(parts)} of {total} gates" if parts else kept if total else "nothing measured"
    if pools:
        rest += f", {pools} crossed over all boards"
    broken = "interrupted, " if night.interrupted else ""
    mark = f" ({SIMULATED})" if night.simulated else ""
    return f"{color}: {night.suite}, {broken}{rest}{mark}"


def counted(gates: Iterable[GateResult]) -> list[str]:
    """Return how many gates are not green, as `2 crossed`, by kind."""
    states = [gate.state for gate in gates]
    return [f"{states.count(state)} {words}" for state, words in NOT_GREEN if state in states]


def count(night: Night, state: State) -> int:
    """Return how many gates of the night are in `state`."""
    return sum(gate.state == state for cell in night.cells for gate in cell.gates)


def gates_in(night: Night, state: State) -> Iterable[tuple[CellResult, GateResult]]:
    """Yield the gates of the night that are in `state`, with their cells."""
    return ((cell, gate) for cell in night.cells for gate in cell.gates if gate.state == state)


def where(cell: CellResult) -> str:
    """Return what was measured, and where."""
    plan = "" if cell.plan == "default" else f", plan {cell.plan}"
    return f"{cell.variant} on {cell.board}{plan}"


def gate_line(cell: CellResult, gate: GateResult) -> str:
    """Return one gate in one line: what, where, how much, how sure, what changed since the baseline."""
    mark = " (simulated)" if cell.simulated else ""
    if gate.history is not None and gate.history.label != NOT_ENOUGH_DATA:
        return f"{where(cell)}{mark}: {gate.gate}: {against_history(gate)}"
    first, *again = gate.measurements
    parts = [amount(gate, first), *(f"again {amount(gate, item)}" for item in again[:1])]
    parts += [f"together {_difference(gate, item)}" for item in again[1:]]
    told = "; ".join(parts)
    detail = f" ({gate.detail})" if gate.detail and gate.detail not in told else ""
    return f"{where(cell)}{mark}: {gate.gate}: {told}{detail}{_since(cell)}"


def against_history(gate: GateResult) -> str:
    """Return what the nights before say: the word, how much, how sure, by what, since when."""
    assert gate.history is not None
    *singles, told = gate.measurements
    parts = [f"{gate.detail}: {_difference(gate, told) if told.value is None else amount(gate, told)}"]
    if singles:
        parts.append("tonight " + ", ".join(format_value(gate, item.value) for item in singles))
    if gate.history.deviation_percent is not None:
        scatter = f"a night scatters by {gate.history.deviation_percent:.2g} %"
        parts.append(f"{gate.history.nights} nights, {scatter} (sd)")
    if gate.history.since is not None:
        parts.append(f"since {gate.history.since}{_on_day(gate.history.since_unix_s)}")
    return "; ".join(parts)


def _on_day(unix_s: float | None) -> str:
    return "" if unix_s is None else f" ({format_moment(unix_s, '%Y-%m-%d')})"


def pooled_line(item: PooledGate) -> str:
    """Return a gate over all boards of a SoC in one line."""
    plan = "" if item.plan == "default" else f", plan {item.plan}"
    mark = " (simulated)" if item.simulated else ""
    boards = f"{len(item.boards)} boards of {item.soc}"
    return f"{item.variant} on {boards}{plan}{mark}: {item.result.gate}: {against_history(item.result)}"


def pooled_in(night: Night, state: State) -> list[PooledGate]:
    """Return the gates over all boards of a SoC that are in `state`."""
    return [item for item in night.pooled if item.result.state == state]


def too_few_nights(night: Night) -> list[str]:
    """Return how many gates have no nights enough to be judged by, one line for each reason."""
    reasons = Counter(gate.detail for _, gate in gates_in(night, CANNOT_TELL) if has_too_few(gate))
    return [f"{count} gates on history: {why}" for why, count in reasons.items()]


def has_too_few(gate: GateResult) -> bool:
    """Return whether there are too few nights to judge a gate by, and nothing else did."""
    few = gate.history is not None and gate.history.label == NOT_ENOUGH_DATA
    return few and gate.state == CANNOT_TELL and gate.last.difference_percent is None


def scatter_lines(night: Night) -> list[str]:
    """Return how far nights lie apart, a line for each figure that a history judges."""
    lines = []
    for item in night.scatter:
        shared = f"by {item.pairs} pairs so far: too few, all of it is taken for the night's"
        if item.shared_ratio is not None:
            share = f"{item.shared_ratio * 100:.0f} % of its variance"
            shared = f"{share} comes again when measured again ({item.pairs} pairs)"
        deviation = f"a night scatters by {item.deviation_percent:.2g} % (sd, {item.cells} cells)"
        lines.append(f"{item.quantity}: {deviation}; {shared}")
    return lines


def epoch_lines(night: Night) -> list[str]:
    """Return which epochs are young, what began them, and the difference across, a line for each."""
    lines = []
    for item in night.epochs:
        words = change_words(item.changes) or "what is recorded of it"
        across = UNKNOWN if item.difference_percent is None else f"{item.difference_percent:+.1f} %"
        lines.append(
            f"{item.board}: {words}: {across} across it (median of {item.cells} cells), which no gate judges;"
            f" {item.nights} nights of it before tonight"
        )
    return lines


def amount(gate: GateResult, judgement: Judgement) -> str:
    """Return how much, and how sure: the difference with its interval, and the values."""
    if judgement.value is None:
        return judgement.detail or NOT_MEASURED
    value = _value_beside_limit(gate, judgement.value)
    if judgement.low is not None and judgement.high is not None:
        bounds = format_between(_unit(gate), judgement.low, judgement.high, _limit(gate))
        value += f" (95 %: {bounds})"
    base = format_value(gate, judgement.baseline)
    values = value if judgement.baseline is None else f"{base} → {value}"
    if judgement.difference_percent is None or (not gate.unit and not is_relative(gate.gate)):
        return values
    return f"{_difference(gate, judgement)}, {values}"


def _difference(gate: GateResult, judgement: Judgement) -> str:
    sure = ""
    if judgement.low_percent is not None and judgement.high_percent is not None:
        low, high = (_percent_beside(item, gate) for item in (judgement.low_percent, judgement.high_percent))
        sure = f" (95 %: {low} to {high} %)"
    assert judgement.difference_percent is not None
    return f"{_percent_beside(judgement.difference_percent, gate)} %{sure}"


def format_value(gate: GateResult, value: float | None) -> str:
    """Return a value of the gate's quantity with its unit."""
    if value is None or math.isnan(value):
        return UNKNOWN if value is None else "NaN"
    return _unit(gate).text(value)


def _value_beside_limit(gate: GateResult, value: float) -> str:
    """Return a value that never reads like the limit of a budget unless it is equal to it."""
    limit = _limit(gate)
    if limit is None or math.isnan(value):
        return format_value(gate, value)
    return text_beside(_unit(gate), value, limit)


def _limit(gate: GateResult) -> float | None:
    return _gate(gate).limit if gate.quantity in QUANTITIES else None


def _percent_beside(percent: float, gate: GateResult) -> str:
    """Return a percentage that never reads like the gate's own percent unless it is equal to it."""
    limit = _gate(gate).within_percent if gate.quantity in QUANTITIES else None
    if limit is None:
        return f"{percent:+.1f}"
    decimals, size = 1, abs(percent)  # what falls crosses it below 0
    while size != limit and decimals < 15 and f"{size:.{decimals}f}" == f"{limit:.{decimals}f}":
        decimals += 1
    return f"{percent:+.{decimals}f}"


def _unit(gate: GateResult) -> Unit:
    """Return the unit of a gate; that of a quantity which is no longer known has no spellings but its own."""
    unit = GATED[gate.quantity].unit if gate.quantity in GATED else Unit(gate.unit, {gate.unit: 1.0}, str)
    if unit in (SECONDS, BYTES, SIMILARITY) or unit.is_ratio:
        return unit
    return replace(unit, text=lambda value: f"{value:.5g}{gate.unit and ' '}{gate.unit}")


def _gate(gate: GateResult) -> Gate:
    return parse_gate(gate.gate, QUANTITIES)


def change_words(changes: Iterable[ConditionChange]) -> str:
    """Return what changed, as `runtime 2.3.0 → 2.3.2, kernel 5.10 → 6.1`."""
    return ", ".join(f"{item.name} {item.baseline or UNKNOWN} → {item.value or UNKNOWN}" for item in changes)


def environment_changes(night: Night) -> list[tuple[str, str]]:
    """Return every change of a board's environment, once per board: (board, words)."""
    found: dict[tuple[str, str], None] = {}
    for cell in night.cells:
        words = change_words(item for item in cell.changes if item.environment)
        if words:
            found[cell.board, words] = None
    return list(found)


def faults(night: Night) -> list[str]:
    """Return what broke, one line each, with what helps: boards, cells, the store."""
    lines = [
        f"{board.name} took no part: {_fault_words(board.fault)}" for board in night.boards if board.fault
    ]
    told = {board.fault.message for board in night.boards if board.fault}
    lines += [
        f"{where(cell)}: {_fault_words(cell.fault)}"
        for cell in night.cells
        if cell.fault and cell.fault.message not in told
    ]
    return [*lines, *night.problems]


def _fault_words(fault: Fault) -> str:
    hint = "; ".join(fault.hint.splitlines())
    return f"{fault.message} → {hint}" if hint else fault.message


def retries(night: Night) -> list[str]:
    """Return which cells were begun anew because link, board or agent broke, one line each."""
    return [f"{where(cell)}, after: {cell.retried}" for cell in night.cells if cell.retried]


def doubted(night: Night) -> list[str]:
    """Return which runs are SUSPECT, whatever their gates say, and by which caveats, one line each."""
    return [
        f"{where(cell)}{' (simulated)' if cell.simulated else ''}: {SUSPECT}: {_doubts(cell)}"
        for cell in night.cells
        if cell.verdict == SUSPECT
    ]


def _doubts(cell: CellResult) -> str:
    """Return the codes of a cell's caveats that doubt a number; one that is not known here does."""
    return ", ".join(code for code in cell.caveats if WEIGHTS.get(code, DOUBT) == DOUBT) or UNKNOWN


def by_history(night: Night) -> list[str]:
    """Return why cells were not measured beside their baseline's model, with how many, one line each."""
    held = [cell for cell in night.cells if cell.compared is not None]
    reasons = Counter(cell.not_paired for cell in held if cell.not_paired)
    return [f"{count} of {len(held)} cells: {why}" for why, count in reasons.items()]


def _since(cell: CellResult) -> str:
    if cell.baseline is None:
        return ""
    words = change_words(cell.changes)
    beside = "; in turns with the baseline's model" if cell.compared == PAIRED else ""
    return f"{beside}; changed since the baseline: {words or 'nothing that is recorded'}"
