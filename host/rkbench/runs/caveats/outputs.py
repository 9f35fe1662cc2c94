"""What to doubt of outputs, by their error and by themselves."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench_agent.wire.caveats import Caveat, caveat

from rkbench.runs.caveats.rule import Evidence, Rule
from rkbench.runs.model import RunResult
from rkbench.runs.output import Output
from rkbench.units import format_ratio

#: Below this cosine three quarters of an output's energy are error: no quantization that works does that.
WRONG_COSINE = 0.5
#: A class vector that agrees in fewer cases than this is wrong as well where the cosine is no better than
#: WRONG_CLASS_COSINE; a few cases may be near ties.
WRONG_TOP1, WRONG_CLASS_COSINE, WRONG_CLASS_CASES = 0.5, 0.9, 4


def is_wrong(output: Output) -> bool:
    """Return whether an output has so little to do with what was expected that no rounding explains it."""
    cosine, top1 = output.cosine_mean, output.top1_agreement
    if cosine is None:
        return False
    few = output.case_count < WRONG_CLASS_CASES
    return cosine < WRONG_COSINE or (
        not few and top1 is not None and top1 < WRONG_TOP1 and cosine < WRONG_CLASS_COSINE
    )


def wrong_outputs(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    """Name outputs that are not what was expected, so that no speed is believed."""
    for output in run.outputs:
        if is_wrong(output):
            top1 = output.top1_agreement
            agreement = "" if top1 is None else f", top-1 agrees in {format_ratio(top1)} of the cases"
            yield caveat(
                "outputs_wrong",
                f"output {output.name!r} is not what was expected: mean cosine"
                f" {output.cosine_mean:.3f}{agreement}",
                "its speed means nothing until this is known: check that the golden is of this model and its"
                " outputs in this order, then mean, std and layout of the inputs, then the quantization",
            )


def _not_finite(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    for output in run.outputs:
        if output.nan_count + output.inf_count > output.equal_nonfinite:
            yield caveat(
                "not_finite",
                f"output {output.name!r} holds {output.nan_count} NaN and {output.inf_count} infinite values",
                "fp16 overflows above 65504: quantize, or scale the layer before it",
            )
        elif output.golden_nonfinite:
            yield caveat(
                "not_finite",
                f"output {output.name!r} has numbers where the golden holds"
                f" {output.golden_nonfinite} infinite values",
                "if they are a mask, give the golden the number that stands for it, as -65504 in fp16",
            )
        elif output.equal_nonfinite:
            yield caveat(
                "equal_nonfinite",
                f"output {output.name!r}: {output.equal_nonfinite} values are NaN or infinite in the"
                " golden as well; they count as equal and are in no figure",
                "nothing to do where they are a mask",
            )


def _constant(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    for output in run.outputs:
        if output.constant:
            yield caveat(
                "constant_output",
                f"output {output.name!r} has one value only, whatever the input",
                "check input layout and quantization: its numbers mean nothing",
            )


def _repeatable(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    for output in run.outputs:
        if output.deterministic is False:
            yield caveat(
                "nondeterministic",
                f"output {output.name!r} differs bitwise when the same input is fed twice",
                "check driver and runtime versions; try --cores 0",
            )


def _ties(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    for output in run.outputs:
        if output.tied_count:
            yield caveat(
                "ties",
                f"output {output.name!r}: in {output.tied_count} of {output.case_count} cases several classes"
                " share the highest value; they count as agreeing where the golden's class is among them",
                "what takes the first of them may answer otherwise: keep the last layer in float16",
            )


OUTPUT_RULES: tuple[Rule, ...] = (_not_finite, _constant, _repeatable, _ties)
