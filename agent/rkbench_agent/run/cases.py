"""What a worker does with golden cases: feed them, compare the outputs, look for constant outputs."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, List, Optional

import numpy as np

from rkbench_agent.errors import NpzError, RuntimeFailureError, ShapeMismatchError
from rkbench_agent.run.accuracy import output_error
from rkbench_agent.run.golden import Golden
from rkbench_agent.run.output_watch import OutputWatch
from rkbench_agent.run.returned import output_values
from rkbench_agent.run.suspects import Run, suspects
from rkbench_agent.runtimes.base import Runtime
from rkbench_agent.runtimes.npz import NpzFile
from rkbench_agent.wire.messages import Progress
from rkbench_agent.wire.plan import RunSpec
from rkbench_agent.wire.words import BAD_INPUT, GOLDEN

if TYPE_CHECKING:
    from rkbench_agent.run.answers import AnswerStream, Counter

SEED = 20240229
#: Hundreds of cases may take no time: how far they are is told no more often than anybody reads it.
TOLD_EVERY_S = 0.2


def first_inputs(spec: RunSpec, golden_path: Optional[str]) -> List[Any]:
    """Return the inputs for timing: the first golden case, or seeded noise where there is none."""
    if golden_path is None:
        return _noise(spec, SEED)
    try:
        with NpzFile(golden_path) as file:
            return Golden(file, spec.inputs, spec.outputs).case(0).inputs
    except NpzError as error:
        raise _does_not_fit(error) from error


def compare(
    spec: RunSpec, golden_path: str, runtime: Runtime, answers: AnswerStream, counter: Counter
) -> None:
    """Run all golden cases, one in memory at a time, and send an OutputError per case and output."""
    watch, first, told_s = OutputWatch(), None, -math.inf
    try:
        with NpzFile(golden_path) as file:
            golden = Golden(file, spec.inputs, spec.outputs)
            for case in golden.cases():
                if time.monotonic() - told_s >= TOLD_EVERY_S:
                    told_s = time.monotonic()
                    answers.send(Progress(spec.run, GOLDEN, case.index, golden.count, "cases"))
                outputs = _run(runtime, case.inputs, counter)
                if outputs is not None:
                    _send_errors(spec, case, outputs, runtime.provenance().outputs, answers)
                    _return(spec, case.index, outputs, answers)
                    watch.add(case.inputs, outputs, case.expected)
                    if case.index == 0 and not runtime.replays:
                        watch.repeat(outputs, _run(runtime, case.inputs, counter) or [])
                    if case.index == 0:
                        first = case, outputs
                answers.mark()
            answers.send(Progress(spec.run, GOLDEN, golden.count, golden.count, "cases"))
            if first is not None:
                for suspect in suspects(spec, *first, golden, _attempt(runtime, answers, counter)):
                    answers.send(suspect)
    except (NpzError, ShapeMismatchError) as error:
        raise _does_not_fit(error) from error
    _send_checks(spec, watch, answers)


def _return(spec: RunSpec, case: int, outputs: List[Any], answers: AnswerStream) -> None:
    """Send the outputs themselves where the plan asks for them."""
    if spec.returned_bytes:
        for values in output_values(spec.run, case, outputs):
            answers.send(values)


def probe(spec: RunSpec, runtime: Runtime, answers: AnswerStream, counter: Counter) -> None:
    """Where there is no golden, see with noise whether outputs repeat, and depend on the input."""
    watch = OutputWatch()
    for seed in (SEED, SEED + 1):
        inputs = _noise(spec, seed)
        outputs = _run(runtime, inputs, counter)
        if outputs is None:
            return
        watch.add(inputs, outputs)
        if seed == SEED and not runtime.replays:
            watch.repeat(outputs, _run(runtime, inputs, counter) or [])
    _send_checks(spec, watch, answers)


def _send_checks(spec: RunSpec, watch: OutputWatch, answers: AnswerStream) -> None:
    names = [tensor.name for tensor in spec.outputs]
    for check in watch.checks(spec.run, names):
        answers.send(check)
    for parts in watch.parts(spec.run):
        answers.send(parts)


def _run(runtime: Runtime, inputs: List[Any], counter: Counter) -> Optional[List[Any]]:
    runtime.feed(inputs)
    result = runtime.infer()
    if result is None:
        raise RuntimeFailureError("the runtime returned no outputs")
    counter.increment()
    return runtime.outputs(result)


def _attempt(runtime: Runtime, answers: AnswerStream, counter: Counter) -> Run:
    """Return what runs inputs that the golden does not hold, where outputs can be had for them."""
    replayed: Optional[Run] = getattr(runtime, "replayed", None)

    def run(inputs: List[Any]) -> Optional[List[Any]]:
        answers.mark()
        return replayed(inputs) if replayed else _run(runtime, inputs, counter)

    return run


def _send_errors(
    spec: RunSpec, case: Any, outputs: List[Any], source: Optional[str], answers: AnswerStream
) -> None:
    if len(outputs) != len(spec.outputs):
        raise ShapeMismatchError(
            f"the runtime returned {len(outputs)} outputs, the file has {len(spec.outputs)}"
        )
    for index, expected in case.expected.items():
        name = spec.outputs[index].name
        error = output_error(
            spec.run, case.index, index, name, outputs[index], expected, classes=spec.classes
        )
        answers.send(replace(error, source=source) if case.index == 0 else error)


def _noise(spec: RunSpec, seed: int) -> List[Any]:
    random = np.random.RandomState(seed)
    arrays = []
    for tensor in spec.inputs:
        dtype = np.dtype(tensor.dtype)
        if dtype.kind == "f":
            arrays.append(random.random_sample(tensor.shape).astype(dtype))
        else:
            low = -128 if dtype.kind == "i" else 0
            arrays.append(random.randint(low, low + 256, tensor.shape).astype(dtype))
    return arrays


def _does_not_fit(error: Exception) -> RuntimeFailureError:
    return RuntimeFailureError(
        str(error), reason=BAD_INPUT, advice="make the golden anew for this model: bench golden"
    )
