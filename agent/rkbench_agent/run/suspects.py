"""Why an output may be another network's: each usual mistake is tried on one case, to see what undoes it.

Inputs are changed as the mistake would have changed them and run again; outputs are turned, and held against
the other cases. What then comes close to the golden is the cause, and how close is the evidence.

A model that normalises by (m1, s1) where (m0, s0) was meant sees (x - m1) / s1; fed
x' = (x - m0) / s0 * s1 + m1 it sees what was meant.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from rkbench_agent.run.accuracy import output_error
from rkbench_agent.wire.outputs import OutputError, OutputSuspect
from rkbench_agent.wire.plan import RunSpec, TensorSpec
from rkbench_agent.wire.words import CASE_ORDER, CHANNEL_ORDER, INPUT_LAYOUT, NORMALISATION, OUTPUT_LAYOUT

if TYPE_CHECKING:
    from rkbench_agent.run.golden import Case, Golden
    from rkbench_agent.runtimes.base import Array

#: An output that is nearer than this is the golden's network, however roughly it computes.
NEAR_SNR_DB = 10.0
#: So many other cases are looked at.
MOST_CASES = 64
#: So many cases at most, and so many at least, show that the order of all is another.
MOST_ORDERED, FEWEST_ORDERED = 8, 2
#: What images are usually normalised by: (mean, std) for values of 0 to 255, and of 0 to 1 (torchvision).
USUAL = (
    ((0.0,), (1.0,)),
    ((0.0,), (255.0,)),
    ((127.5,), (127.5,)),
    ((127.5,), (128.0,)),
    ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
)
Run = Callable[[List[Any]], Optional[List[Any]]]
Change = Tuple[str, str, Callable[[Any], Any]]


def suspects(
    spec: RunSpec, case: Case, outputs: Sequence[Array], golden: Golden, run: Run
) -> Iterator[OutputSuspect]:
    """Yield what each mistake, undone, makes of the outputs that are far from what `case` expects.

    `run` returns the outputs for other inputs, or None where they cannot be had.
    """
    far = {
        index: error
        for index, expected in case.expected.items()
        if _is_far(error := _error(spec, index, outputs[index], expected))
    }
    if not far:
        return
    for cause, detail, inputs in _changed_inputs(spec, case.inputs):
        found = run(inputs)
        for index in far if found else ():
            yield _suspect(spec, index, cause, detail, found[index], case.expected[index])  # type: ignore[index]  # found
    for index in far:
        yield from _turned(spec, index, outputs[index], case.expected[index])
        yield from _other_cases(spec, index, outputs[index], case.expected[index], golden, run)


def _is_far(error: OutputError) -> bool:
    return error.snr_infinite == -1 or (error.snr_db is not None and error.snr_db < NEAR_SNR_DB)


def _changed_inputs(spec: RunSpec, inputs: Sequence[Array]) -> Iterator[Tuple[str, str, List[Any]]]:
    """Yield the inputs with one image of them changed."""
    for place, tensor in enumerate(spec.inputs):
        for cause, detail, change in _changes(tensor):
            changed = list(inputs)
            changed[place] = np.ascontiguousarray(change(inputs[place]))
            yield cause, detail, changed


def _changes(tensor: TensorSpec) -> Iterator[Change]:
    if len(tensor.shape) != 4 or tensor.layout != "NHWC" or tensor.shape[3] not in (1, 3):
        return
    batch, height, width, channels = tensor.shape
    yield from _normalisations(tensor, channels)
    if channels == 3:
        yield CHANNEL_ORDER, "with its channels swapped (RGB and BGR)", lambda x: x[..., ::-1]
        planes = (batch, channels, height, width)
        yield (
            INPUT_LAYOUT,
            "read as NCHW",
            lambda x: x.reshape(planes).transpose(0, 2, 3, 1),
        )
        yield INPUT_LAYOUT, "written as NCHW", lambda x: x.transpose(0, 3, 1, 2).reshape(x.shape)


def _normalisations(tensor: TensorSpec, channels: int) -> Iterator[Change]:
    own_mean, own_std = np.array(tensor.mean or [0.0]), np.array(tensor.std or [1.0])
    for mean, std in USUAL:
        if len(mean) not in (1, channels) or (_same(mean, own_mean) and _same(std, own_std)):
            continue
        change = partial(_normalised, np.array(mean), np.array(std), own_mean, own_std)
        yield NORMALISATION, f"normalised by mean {_listed(mean)}, std {_listed(std)}", change


def _normalised(mean: Any, std: Any, own_mean: Any, own_std: Any, x: Any) -> Any:
    return ((x.astype(np.float64) - mean) / std * own_std + own_mean).astype(np.float32)


def _same(values: Sequence[float], own: Any) -> bool:
    return bool(np.allclose(np.array(values), own, rtol=1e-3))


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _turned(spec: RunSpec, index: int, actual: Array, expected: Array) -> Iterator[OutputSuspect]:
    """Yield what an output is, taken as the other layout of four dimensions."""
    if actual.ndim != 4 or actual.shape[1] == 1 or actual.shape[2] * actual.shape[3] == 1:
        return
    batch, channels, height, width = actual.shape
    turned = actual.reshape(batch, height, width, channels).transpose(0, 3, 1, 2)
    yield _suspect(spec, index, OUTPUT_LAYOUT, "taken as NHWC", turned, expected)


def _other_cases(
    spec: RunSpec, index: int, actual: Array, expected: Array, golden: Golden, run: Run
) -> Iterator[OutputSuspect]:
    """Yield the other case that the output of case 0 is nearest to, where the order explains more.

    That one output is near another case is no evidence, as cases of one class are alike: else the output as
    it is stands for what was tried in vain.
    """
    if golden.count < 2:
        return
    match, found = _nearest(spec, index, 0, actual, golden)
    if found.snr_db < NEAR_SNR_DB or _is_permuted(spec, index, match, golden, run):
        yield found
    else:
        yield _suspect(spec, index, CASE_ORDER, "as what other cases expect", actual, expected)


def _nearest(
    spec: RunSpec, index: int, case: int, actual: Array, golden: Golden
) -> Tuple[int, OutputSuspect]:
    """Return the case, other than `case`, whose expected output is nearest, and how near it is."""
    others = (other for other in range(min(golden.count, MOST_CASES)) if other != case)
    found = [
        (
            other,
            _suspect(
                spec,
                index,
                CASE_ORDER,
                f"as what case {other} expects",
                actual,
                golden.expected(index, other),
            ),
        )
        for other in others
    ]
    return max(found, key=lambda pair: pair[1].snr_db)


def _is_permuted(spec: RunSpec, index: int, match: int, golden: Golden, run: Run) -> bool:
    """Return whether most cases that are wrong, two at least, are each near another of its own.

    Case 0 is near case `match`. Looked at are a few cases, those first that others are near to.
    """
    matches, wrong, seen = {0: match}, 1, {0}
    waiting = [match, *range(1, golden.count)]
    while waiting and len(seen) < MOST_ORDERED:
        case = waiting.pop(0)
        if case in seen:
            continue
        seen.add(case)
        fed = golden.case(case)
        outputs = run(fed.inputs)
        if outputs is None or not _is_far(_error(spec, index, outputs[index], fed.expected[index])):
            continue
        wrong += 1
        other, found = _nearest(spec, index, case, outputs[index], golden)
        if found.snr_db >= NEAR_SNR_DB:
            matches[case] = other
            waiting.insert(0, other)
    is_apart = len(set(matches.values())) == len(matches)
    return is_apart and len(matches) >= FEWEST_ORDERED and 2 * len(matches) > wrong


def _suspect(
    spec: RunSpec, index: int, cause: str, detail: str, actual: Array, expected: Array
) -> OutputSuspect:
    error = _error(spec, index, actual, expected)
    return OutputSuspect(spec.run, index, cause, detail, error.cosine or 0.0, _bounded_snr(error))


def _bounded_snr(error: OutputError) -> float:
    """Return the SNR, an infinite one as 200 dB: more than float32 can tell."""
    if error.snr_infinite:
        return 200.0 * error.snr_infinite
    return -200.0 if error.snr_db is None else error.snr_db


def _error(spec: RunSpec, index: int, actual: Array, expected: Array) -> OutputError:
    return output_error(spec.run, 0, index, spec.outputs[index].name, actual, expected)
