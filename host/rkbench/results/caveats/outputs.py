"""What to doubt of outputs by themselves, however near they are to the golden."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench_agent.wire.caveats import Caveat, caveat

from rkbench.language.said import say
from rkbench.results.caveats.cures import one_core
from rkbench.results.caveats.rule import Evidence, Rule
from rkbench.results.model import RunResult

#: Which layer loses what the golden has.
LAYERS = "bench inspect MODEL.rknn --against MODEL.onnx"


def _not_finite(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    for output in run.outputs:
        if output.nan_count + output.inf_count > output.equal_nonfinite:
            yield caveat(
                "not_finite",
                say(
                    "output {output} holds {nans} NaN and {infinite} infinite values",
                    output=repr(output.name),
                    nans=output.nan_count,
                    infinite=output.inf_count,
                ),
                say(
                    "fp16 overflows above 65504: quantize, or scale the layer before it, which tells:"
                    " {command}",
                    command=LAYERS,
                ),
            )
        elif output.golden_nonfinite:
            yield caveat(
                "not_finite",
                say(
                    "output {output} has numbers where the golden holds {count} infinite values",
                    output=repr(output.name),
                    count=output.golden_nonfinite,
                ),
                say("if they are a mask, give the golden the number that stands for it, as -65504 in fp16"),
            )
        elif output.equal_nonfinite:
            yield caveat(
                "equal_nonfinite",
                say(
                    "output {output}: {count} values are NaN or infinite in the golden as well; they count as"
                    " equal and are in no figure",
                    output=repr(output.name),
                    count=output.equal_nonfinite,
                ),
                say("nothing to do where they are a mask"),
            )


def _constant(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    for output in run.outputs:
        if output.constant and not (output.nan_count or output.inf_count):  # told as that, with its own cure
            yield caveat(
                "constant_output",
                say("output {output} has one value only, whatever the input", output=repr(output.name)),
                say(
                    "its numbers mean nothing: check input layout and quantization, layer by layer:"
                    " {command}",
                    command=LAYERS,
                ),
            )


def _repeatable(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    for output in run.outputs:
        if output.deterministic is False:
            yield caveat(
                "nondeterministic",
                say(
                    "output {output} differs bitwise when the same input is fed twice",
                    output=repr(output.name),
                ),
                say("check driver and runtime versions{one_core}", one_core=one_core(run)),
            )


def _ties(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    for output in run.outputs:
        if output.tied_count and not output.constant:  # which ties everything, and is told as that
            yield caveat(
                "ties",
                say(
                    "output {output}: in {tied} of {cases} cases several classes share the highest value;"
                    " they count as agreeing where the golden's class is among them",
                    output=repr(output.name),
                    tied=output.tied_count,
                    cases=output.case_count,
                ),
                say("what takes the first of them may answer otherwise: keep the last layer in float16"),
            )


OUTPUT_RULES: tuple[Rule, ...] = (_not_finite, _constant, _repeatable, _ties)
