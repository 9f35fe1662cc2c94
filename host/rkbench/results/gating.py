"""What gates say of one run by itself: the budgets of a night, the requirements of a push."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rkbench_agent.wire.words import SINGLE_STREAM, SOAK

from rkbench.errors import UsageError, choice_hint
from rkbench.results.collect import Collected
from rkbench.results.extras import Requirement
from rkbench.results.measures import GATED, QUANTITIES
from rkbench.results.model import RunResult
from rkbench.results.server import is_overloaded
from rkbench.results.task_measures import TASK_MEASURES
from rkbench.results.told import clusters_of_run
from rkbench.stats.gates import CANNOT_TELL, FAIL, NOT_MEASURED, Gate, State, parse_gate, plain_word
from rkbench.stats.judging import (
    Judgement,
    judge_bounded,
    judge_budget,
    judge_latency_budget,
    judge_rate_budget,
)

#: `top1 >= 70%`, in any spelling.
_OF_CLASSES = re.compile(r"^\s*top[ _-]?([15])\s*(?=[<>≤≥]|within|$)", re.IGNORECASE)


#: Scenarios of one context, whose rate is the inverse of what a call takes.
_ONE_AFTER_THE_OTHER = (SINGLE_STREAM, SOAK)


def with_requirements(collected: Collected, gates: Sequence[Gate]) -> Collected:
    """Return a run with what each of `gates`, all of them budgets, says of it; one that failed keeps none."""
    found = tuple(_requirement(gate, collected) for gate in gates)
    return replace(collected, run=replace(collected.run, requirements=found))


def exit_code(runs: Sequence[RunResult]) -> int:
    """Return 3 where a requirement was crossed, as a night does, else 1 where something lacks.

    That is a run that ended early, a requirement without a value, or a metric of the task that was asked for
    and could not be computed.
    """
    states = {told.state for run in runs for told in run.requirements}
    if FAIL in states:
        return 3
    is_unscored = any(metric.detail for run in runs for metric in run.task_metrics)
    has_failed = any(run.failure is not None for run in runs)
    return 1 if has_failed or is_unscored or NOT_MEASURED in states else 0


def parse_requirements(texts: Sequence[str], *, labelled: bool = False) -> tuple[Gate, ...]:
    """Return the gates of `--require`; raises UsageError for what is none, or needs a night's baseline.

    `labelled`: the true classes are known, and top-1 is meant of them, not of the golden.
    """
    gates = tuple(parse_gate(meant(text, labelled=labelled), QUANTITIES) for text in texts)
    for gate in gates:
        if gate.is_relative:
            raise UsageError(
                f"requirement {gate.text!r} needs a baseline, which nights have",
                hint="give a limit, as in: p99 <= 12ms; or write a suite: docs/nightly.md",
            )
    return gates


def meant(gate: Any, *, labelled: bool) -> Any:
    """Return a gate as it is meant where the true classes are known: `top1` is of them, not of the golden."""
    if not labelled:
        return gate
    if isinstance(gate, dict) and isinstance(gate.get("metric"), str):
        return {**gate, "metric": _OF_CLASSES.sub(r"top-\1 accuracy", gate["metric"])}
    return _OF_CLASSES.sub(r"top-\1 accuracy ", gate) if isinstance(gate, str) else gate


def parse_minimize(text: str | None) -> str:
    """Return the word of the measure that `--minimize` names, as gates write it; "" for None.

    Names of JSON and CSV (`latency_p99_s`) are known too. Raises UsageError for what cannot be ranked.
    """
    if text is None:
        return ""
    named = {measure.name: word for word, measure in GATED.items()}
    word = named.get(text.strip(), plain_word(text))
    small = minimizable()
    if word not in GATED:
        unknown = f"--minimize {text!r}: {word!r} is nothing that is measured"
        raise UsageError(unknown, hint=choice_hint(word, small))
    if word not in small:
        instead = _INSTEAD.get(word, f"--require '{word} >= ...' with what it costs to --minimize")
        raise UsageError(
            f"--minimize {text!r} ranks no variants: {_WHY_NOT.get(word, _HIGHER)}", hint=instead
        )
    return word


def minimizable() -> list[str]:
    """Return the words of what variants can be ranked by."""
    return [word for word, item in GATED.items() if not (item.higher_is_better or word in _WHY_NOT)]


_HIGHER = "of it, higher is better"
_ONE_CALL = "it is one call out of all, which nothing tells apart from another"
_WHY_NOT = {"max": _ONE_CALL, "min": _ONE_CALL, "interference loss": "variants take no turns there"}
_INSTEAD = {
    "max": "--minimize p99",
    "min": "--minimize p50",
    "throughput": "--minimize mean",
    "interference loss": "leave --minimize away",
}


def _requirement(gate: Gate, collected: Collected) -> Requirement:
    run = collected.run
    if run.failure is not None:
        told = Judgement(NOT_MEASURED, detail="the run ended early")
    else:
        told = judge_against(gate, (None, value_of(gate, run)), collected)
    return Requirement(
        gate.text,
        gate.quantity.word,
        gate.quantity.unit.base,
        told.state,
        told.value,
        told.low,
        told.high,
        _no_output(gate, run)
        or _not_scored(gate, run)
        or told.detail
        or ("no error at all" if told.value == math.inf else ""),
    )


def judge_against(gate: Gate, values: tuple[float | None, float | None], collected: Collected) -> Judgement:
    """Return what a budget says: `values` are the baseline's, which is only shown, and the run's own."""
    if gate.is_of_latency and is_overloaded(collected.run.server):
        return of_growing_queue(judge_budget(gate, values[1], values[0]))
    if gate.is_of_latency:
        return judge_latency_budget(gate, values, clusters_of_run(collected.run, collected.latencies, 1e9))
    base, value = values
    measure = GATED[gate.quantity.word]
    bounds = measure.bounds(collected.run)
    if value is not None and bounds is not None:
        return judge_bounded(gate, value, bounds, base, measure.narrower)
    if gate.quantity.inverse_of and collected.run.plan.scenario in _ONE_AFTER_THE_OTHER:
        clusters = clusters_of_run(collected.run, collected.latencies, 1e9)
        return judge_rate_budget(gate, values, clusters)
    return judge_budget(gate, value, base)


def of_growing_queue(told: Judgement) -> Judgement:
    """Return what a latency says that is the longer the longer was measured: that it is beyond a limit, or
    nothing. `told` is what its value alone says."""
    state: State = FAIL if told.state == FAIL else CANNOT_TELL
    return replace(told, state=state, detail="the queue grew for as long as was measured")


def value_of(gate: Gate, run: RunResult) -> float | None:
    """Return the figure of a run, of the output that the gate names or of the worst.

    NaN where an output and its golden differ in a value that is not finite.
    """
    measure = GATED[gate.quantity.word]
    if measure.per_output is None:
        return measure.value(run)
    asked = [output for output in run.outputs if gate.output in (None, output.name)]
    if any(output.is_broken for output in asked):
        return math.nan
    return measure.value(replace(run, outputs=tuple(asked)))


def _not_scored(gate: Gate, run: RunResult) -> str:
    """Return why a metric of the task that a gate speaks of has no value."""
    if GATED[gate.quantity.word] not in TASK_MEASURES or value_of(gate, run) is not None:
        return ""
    told = next((item.detail for item in run.task_metrics if item.detail), "")
    return told or "nothing scored it: --labels FILE, or --metric FILE.py:function"


def _no_output(gate: Gate, run: RunResult) -> str:
    """Return which outputs there are, where the one that a gate names is none of them."""
    names = [output.name for output in run.outputs]
    if gate.output is None or gate.output in names:
        return ""
    return f"no output {gate.output!r}: {', '.join(names) or 'none was compared'}"
