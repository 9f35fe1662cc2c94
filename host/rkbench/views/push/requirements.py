"""The requirements of a push, as lines: what was asked, and what each run made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rkbench.results.extras import Requirement
from rkbench.results.gating import parse_requirements
from rkbench.results.measure_types import NumberGroup
from rkbench.results.measures import GATED
from rkbench.results.model import RunResult
from rkbench.stats.gates import CANNOT_TELL, FAIL, NOT_MEASURED, PASS
from rkbench.units import MARK, format_between, text_beside

_SIGNS = {PASS: "✓", FAIL: "✗", CANNOT_TELL: "?", NOT_MEASURED: "–"}
_STYLES = {PASS: "green", FAIL: "red", CANNOT_TELL: "yellow", NOT_MEASURED: "yellow"}


@dataclass(frozen=True)
class RequirementLine:
    """One line: its sign, its words, the style that tells the state."""

    lead: str
    text: str
    style: str
    is_first: bool


def requirement_lines(runs: Sequence[RunResult]) -> list[RequirementLine]:
    """Return a line for each requirement of each run, run by run."""
    told = [(run, item) for run in runs for item in run.requirements]
    return [
        RequirementLine(
            f"{_SIGNS[item.state]}  ",
            f"{run.variant.name}: {item.gate}: {_amount(item, run)}",
            _STYLES[item.state],
            index == 0,
        )
        for index, (run, item) in enumerate(told)
    ]


def _amount(item: Requirement, run: RunResult) -> str:
    """Return the value, which reads like the limit only where it is equal, and why nothing can be told."""
    if item.value is None:
        return item.detail or item.state
    (gate,) = parse_requirements([item.gate])
    unit = gate.quantity.unit
    value = text_beside(unit, item.value, gate.limit) if gate.limit is not None else unit.text(item.value)
    is_of_file = GATED[gate.quantity.word].group is NumberGroup.FILE
    mark = MARK if run.simulated and not is_of_file else ""
    sure = (
        ""
        if item.low is None or item.high is None
        else (f" (95 %: {mark}{format_between(unit, item.low, item.high, gate.limit)})")
    )
    return f"{mark}{value}{sure}{f', {item.detail}' if item.detail else ''}"
