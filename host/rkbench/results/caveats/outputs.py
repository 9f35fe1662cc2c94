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
                f"output {output.name!r} holds {output.nan_count} NaN and {output.inf_count} infinite values",
                say(
                    "fp16 overflows above 65504: quantize, or scale the layer before it, which tells:"
                    " {command}",
                    command=LAYERS,
                ),
            )
        elif output.golden_nonfinite:
            yield caveat(
                "not_finite",
                f"output {output.name!r} has numbers where the golden holds"
                f" {output.golden_nonfinite} infinite values",
                say("if they are a mask, give the golden the number that stands for it, as -65504 in fp16"),
            )
        elif output.equal_nonfinite:
            yield caveat(
                "equal_nonfinite",
                f"output {output.name!r}: {output.equal_nonfinite} values are NaN or infinite in the"
                " golden as well; they count as equal and are in no figure",
                say("nothing to do where they are a mask"),
            )


def _constant(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    for output in run.outputs:
        if output.constant and not (output.nan_count or output.inf_count):  # told as that, with its own cure
            yield caveat(
                "constant_output",
                f"output {output.name!r} has one value only, whatever the input",
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
                f"output {output.name!r} differs bitwise when the same input is fed twice",
                say("check driver and runtime versions{one_core}", one_core=one_core(run)),
            )


def _ties(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    for output in run.outputs:
        if output.tied_count and not output.constant:  # which ties everything, and is told as that
            yield caveat(
                "ties",
                f"output {output.name!r}: in {output.tied_count} of {output.case_count} cases several classes"
                " share the highest value; they count as agreeing where the golden's class is among them",
                say("what takes the first of them may answer otherwise: keep the last layer in float16"),
            )


OUTPUT_RULES: tuple[Rule, ...] = (_not_finite, _constant, _repeatable, _ties)
