"""What the gates of a cell say of its run, held against the accepted baseline where there is one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rkbench.runs.collect import Collected
from rkbench.runs.comparison import highest_error, lowest_cosine, lowest_top1, refusals
from rkbench.runs.model import Output, RunResult
from rkbench.runs.night import Change, GateResult
from rkbench.stats.gates import (
    FAIL,
    NOT_MEASURED,
    QUANTITIES,
    Gate,
    Judgement,
    judge_budget,
    judge_change,
    judge_latency,
)

NO_BASELINE = "no baseline yet: bench baseline accept last"


@dataclass(frozen=True)
class Reference:
    """The accepted run of a cell, with its timed durations block by block."""

    run: RunResult
    blocks: Sequence[Sequence[float]]


_Value = Callable[[RunResult], "float | None"]


def _latency(field: str) -> _Value:
    return lambda run: getattr(run.latency, field) if run.latency else None


def _load(field: str) -> _Value:
    return lambda run: getattr(run.load, field) if run.load else None


def _lowest(field: str) -> _Value:
    return lambda run: min(
        (v for output in run.outputs if (v := getattr(output, field)) is not None), default=None
    )


_VALUES: dict[str, _Value] = {
    **{name: _latency(f"{name}_s") for name in ("p50", "p90", "p99", "mean", "min", "max")},
    "load time": _load("duration_s"),
    "load memory": _load("npu_total_bytes"),
    "load rss": _load("rss_delta_bytes"),
    "size": lambda run: run.variant.size_bytes,
    "throughput": lambda run: run.throughput_per_s,
    "cosine": lowest_cosine,
    "top-1": lowest_top1,
    "top-5": _lowest("top5_agreement"),
    "snr": _lowest("snr_db"),
    "max error": highest_error,
}
_OF_OUTPUTS = frozenset(("cosine", "top-1", "top-5", "snr", "max error"))
#: name, of the board and not of the model, value
_CONDITIONS: tuple[tuple[str, bool, Callable[[RunResult], object]], ...] = (
    ("model", False, lambda run: run.variant.sha256[:12]),
    ("toolkit", False, lambda run: run.variant.toolkit_version),
    ("golden", False, lambda run: (run.plan.golden_sha256 or "none")[:12]),
    ("runtime", True, lambda run: run.board.runtime_version),
    ("driver", True, lambda run: run.board.driver_version),
    ("kernel", True, lambda run: run.board.kernel),
    ("governor", True, lambda run: run.board.npu_governor),
    ("agent", False, lambda run: (run.board.agent_digest or "")[:12] or None),
)


def judge(gates: Sequence[Gate], collected: Collected, reference: Reference | None) -> tuple[GateResult, ...]:
    """Return what every gate says of a run that did not fail."""
    why_not = _refusal(collected.run, reference)
    return tuple(
        _result(gate, _judge(gate, collected, reference, why_not), quantity_unit(gate.quantity))
        for gate in gates
    )


def unmeasured(gates: Sequence[Gate], why: str) -> tuple[GateResult, ...]:
    """Return the gates of a cell without a good run."""
    judgement = Judgement(NOT_MEASURED, detail=why)
    return tuple(_result(gate, judgement, quantity_unit(gate.quantity)) for gate in gates)


def to_confirm(gates: Sequence[Gate], results: Sequence[GateResult]) -> bool:
    """Return whether a relative latency gate failed, so that the cell is to be measured again."""
    return any(
        gate.is_relative_latency and result.state == FAIL for gate, result in zip(gates, results, strict=True)
    )


def confirmed(
    gates: Sequence[Gate], first: Sequence[GateResult], second: Sequence[GateResult]
) -> tuple[GateResult, ...]:
    """Return `first` with what the second measurement says where a relative latency gate had failed."""
    return tuple(
        _joined(one, two) if gate.is_relative_latency and one.state == FAIL else one
        for gate, one, two in zip(gates, first, second, strict=True)
    )


def changes(run: RunResult, base: RunResult) -> tuple[Change, ...]:
    """Return what is not as it was when `base` ran."""
    return tuple(
        Change(name, _text(value(base)), _text(value(run)), environment)
        for name, environment, value in _CONDITIONS
        if value(base) != value(run)
    )


def quantity_unit(quantity: str) -> str:
    """Return the base unit in which values of a quantity are kept."""
    units = QUANTITIES[quantity].units
    return next((unit for unit, factor in units.items() if factor == 1.0), "")


def _judge(gate: Gate, collected: Collected, reference: Reference | None, why_not: str) -> Judgement:
    value = _value(gate, collected.run)
    base = _value(gate, reference.run) if reference and not why_not else None
    if not gate.is_relative:
        return judge_budget(gate, value, base)
    if reference is None or why_not:
        return Judgement(NOT_MEASURED, value, detail=why_not)
    if gate.is_relative_latency:
        return judge_latency(gate, (base, value), reference.blocks, collected.latencies.timed_blocks())
    return judge_change(gate, value, base)


def _value(gate: Gate, run: RunResult) -> float | None:
    """Return the figure of a run; NaN where outputs were compared and hold NaN or infinity."""
    value = _VALUES[gate.quantity](run)
    if gate.quantity in _OF_OUTPUTS and any(map(_broken, run.outputs)):
        return math.nan
    return value


def _broken(output: Output) -> bool:
    return output.case_count > 0 and output.nan_count + output.inf_count > 0


def _refusal(run: RunResult, reference: Reference | None) -> str:
    """Return why nothing may be held against the baseline; "" where it may."""
    if reference is None:
        return NO_BASELINE
    reasons = list(refusals(reference.run, run))
    for name in ("core_mask", "runtime"):
        before, now = getattr(reference.run.plan, name), getattr(run.plan, name)
        if before != now:
            reasons.append(f"{name.replace('_', ' ')} differs: {now}, baseline {before}")
    return f"not to be held against the baseline: {'; '.join(reasons)}" if reasons else ""


def _result(gate: Gate, judgement: Judgement, unit: str) -> GateResult:
    return GateResult(gate.text, gate.quantity, unit, judgement.state, (judgement,), judgement.detail)


def _joined(first: GateResult, second: GateResult) -> GateResult:
    both = (*first.measurements, *second.measurements)
    detail = {
        FAIL: "measured twice",
        NOT_MEASURED: f"beyond it once, and could not be measured again: {second.detail}",
    }.get(second.state, "beyond it once, not when measured again")
    return GateResult(first.gate, first.quantity, first.unit, second.state, both, detail)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
