"""The outputs of a result, each made from the messages that speak of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from rkbench_agent.wire.outputs import OutputCheck, OutputError, OutputParts, OutputSuspect

from rkbench.results.output import Output, OutputCase, PartFigures, Suspect, snr_of


def outputs(
    errors: Sequence[OutputError],
    checks: Sequence[OutputCheck],
    parts: Sequence[OutputParts] = (),
    suspects: Sequence[OutputSuspect] = (),
) -> tuple[Output, ...]:
    """Return one entry per output of the model, in its order."""
    by_output: dict[int, list[OutputError]] = {}
    for error in errors:
        by_output.setdefault(error.output, []).append(error)
    checked = {check.output: check for check in checks}
    told = {part.output: _parts(part) for part in parts}
    found = (
        _output(index, by_output.get(index, []), checked.get(index), told.get(index))
        for index in sorted({*by_output, *checked})
    )
    return tuple(replace(output, suspects=_suspects(output.index, suspects)) for output in found)


def _suspects(index: int, told: Sequence[OutputSuspect]) -> tuple[Suspect, ...]:
    return tuple(
        Suspect(item.cause, item.detail, item.cosine, item.snr_db) for item in told if item.output == index
    )


def _output(
    index: int, errors: Sequence[OutputError], check: OutputCheck | None, parts: PartFigures | None
) -> Output:
    first = errors[0] if errors else None
    cases = tuple(map(_case, errors))
    # Where numbers are missing in one case, the others tell nothing of the output.
    known = () if any(case.is_broken for case in cases) else cases
    snr = _over(min, map(snr_of, known))
    return Output(
        index=index,
        name=first.name if first else check.name if check else "",
        shape=tuple(first.shape) if first else (),
        dtype=first.dtype if first else None,
        case_count=len(cases),
        cosine=_over(min, (case.cosine for case in known)),
        cosine_mean=_over(_mean, (case.cosine for case in known)),
        max_abs_error=_over(max, (case.max_abs_error for case in known)),
        mean_abs_error=_over(_mean, (case.mean_abs_error for case in known)),
        mse=_over(_mean, (case.mse for case in known)),
        snr_db=snr if snr is not None and math.isfinite(snr) else None,
        snr_infinite=int(math.copysign(1, snr)) if snr is not None and math.isinf(snr) else 0,
        top1_agreement=_over(_mean, (case.top1_agreement for case in known)),
        top5_agreement=_over(_mean, (case.top5_agreement for case in known)),
        tied_count=sum(case.top1_tied is True for case in cases),
        nan_count=sum(case.nan_count for case in cases),
        inf_count=sum(case.inf_count for case in cases),
        equal_nonfinite=sum(case.equal_nonfinite for case in cases),
        golden_nonfinite=sum(case.golden_nonfinite for case in cases),
        deterministic=check.deterministic if check else None,
        constant=check.constant if check else None,
        per_case=cases,
        parts=parts,
    )


def _case(error: OutputError) -> OutputCase:
    return OutputCase(
        case=error.case,
        cosine=error.cosine,
        max_abs_error=error.max_abs_error,
        mean_abs_error=error.mean_abs_error,
        mse=error.mse,
        snr_db=error.snr_db,
        snr_infinite=error.snr_infinite,
        top1_agreement=error.top1_agreement,
        top1_tied=error.top1_tied,
        top5_agreement=error.top5_agreement,
        nan_count=error.nan_count,
        inf_count=error.inf_count,
        equal_nonfinite=error.equal_nonfinite,
        golden_nonfinite=error.golden_nonfinite,
    )


def _parts(told: OutputParts) -> PartFigures:
    return PartFigures(
        axis=told.axis,
        low=tuple(told.low),
        high=tuple(told.high),
        distinct=tuple(told.distinct),
        expected_low=tuple(told.expected_low),
        expected_high=tuple(told.expected_high),
        max_abs_error=tuple(told.max_abs_error),
        mean_abs_error=tuple(told.mean_abs_error),
        snr_db=tuple(told.snr_db),
    )


def _over(function: Callable[[list[float]], float], values: Iterable[float | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return function(known) if known else None


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
