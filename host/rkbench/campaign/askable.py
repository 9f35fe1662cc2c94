"""What gates may be asked of a push: only what its settings measure. Refused before any board is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rkbench_agent.wire.plan import RunSettings
from rkbench_agent.wire.words import INTERFERENCE, SERVER

from rkbench.errors import UsageError, choice_hint
from rkbench.results.measure_types import NumberGroup
from rkbench.results.measures import GATED
from rkbench.results.task_measures import TASK_MEASURES
from rkbench.stats.gates import Gate
from rkbench.variants.variant import PreparedVariant

GOODPUT, LOSS, METRIC = "goodput", "interference loss", "metric"


@dataclass(frozen=True)
class Given:
    """What the outputs of a push are held against."""

    golden: bool = False
    labels: bool = False
    metric: bool = False


@dataclass(frozen=True)
class Words:
    """How people write what is missing: on the command line, or in a suite."""

    goodput: str = "--scenario server --find-rate --slo 'p99 <= 30ms'"
    loss: str = "--interfere-with OTHER.rknn"
    golden: str = "--golden FILE.npz, or --onnx MODEL.onnx"
    labels: str = "--labels FILE"
    metric: str = "--metric FILE.py:function"


def check_gates(
    gates: Sequence[Gate], settings: RunSettings, given: Given, words: Words, what: str = "this push"
) -> None:
    """Raise UsageError for a gate on something that `settings` never measure, with what would.

    `what` they are settings of.
    """
    for gate in gates:
        missing = _missing(gate.quantity.word, settings, given, words)
        if missing:
            why, hint = missing
            raise UsageError(f"{gate.text!r} cannot be told: {what} has {why}", hint=hint)


def check_outputs_named(gates: Sequence[Gate], variants: Sequence[PreparedVariant]) -> None:
    """Raise UsageError for a gate on an output that a variant has not."""
    for variant in variants:
        check_outputs_of(gates, variant.description.name, [output.name for output in variant.outputs])


def check_outputs_of(gates: Sequence[Gate], name: str, outputs: Sequence[str]) -> None:
    """Raise UsageError for a gate on an output that is none of those of the model `name`."""
    for gate in gates:
        if gate.output is not None and gate.output not in outputs:
            raise UsageError(
                f"no output {gate.output!r} in {name}: {gate.text!r} cannot be told",
                hint=choice_hint(gate.output, outputs),
            )


def _missing(word: str, settings: RunSettings, given: Given, words: Words) -> tuple[str, str] | None:
    """Return what a gate of this word lacks, and what to write; None where nothing."""
    measure = GATED[word]
    if word == GOODPUT and not (settings.scenario == SERVER and settings.slo):
        return "no random arrivals with an objective to keep", words.goodput
    if word == LOSS and settings.scenario != INTERFERENCE:
        return "no second model", words.loss
    if measure.group is NumberGroup.OUTPUTS and not given.golden:
        return "no golden", words.golden
    if word == METRIC and not given.metric:
        return "no metric of your own", words.metric
    if word != METRIC and measure in TASK_MEASURES and not given.labels:
        return "no labels", words.labels
    return None
