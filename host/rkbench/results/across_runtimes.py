"""One variant by several runtimes on the same golden: whose outputs are the first that differ.

A run keeps the error of its outputs, not the outputs: two that are wrong by parts e and f of the signal
differ by |e - f| of it at least. That is what is asked, case by case, along the way from the file to the
application: simulator, C API, RKNNLite.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rkbench_agent.wire.words import CAPI, CAPI_ZERO_COPY, LITE, VIRTUAL

from rkbench.results.model import RunResult
from rkbench.results.output import Output, OutputCase, snr_of

#: What differs by less of the signal (-40 dB) is what an NPU and its simulator round differently.
SMALLEST_PART = 0.01
#: From the file to the application: each has what the one before it has, and something of its own.
ORDER = (VIRTUAL, CAPI, CAPI_ZERO_COPY, LITE)


@dataclass(frozen=True)
class RuntimeOutputs:
    """The worst figures of a run's outputs by one runtime; `provenance` says where the outputs come from."""

    run: str
    runtime: str
    provenance: str | None
    simulated: bool
    cosine: float | None
    snr_db: float | None
    max_abs_error: float | None


@dataclass(frozen=True)
class FirstDifference:
    """The first runtime whose outputs are not those of the one before it, and where that is largest.

    `part` is by how much of the signal they differ at least (0.02 = 2 %); None where values are not finite on
    one side alone. `case` is None where only the worst of all cases is known.
    """

    runtime: str
    before: str
    output: str
    case: int | None
    part: float | None


@dataclass(frozen=True)
class AcrossRuntimes:
    """One variant's outputs by several runtimes on one golden; `first` is None where none differs."""

    variant: str
    sha256: str
    golden_sha256: str
    runtimes: tuple[RuntimeOutputs, ...]
    first: FirstDifference | None


def across_runtimes(runs: Sequence[RunResult]) -> tuple[AcrossRuntimes, ...]:
    """Return what is known of every variant that ran by several runtimes on the same golden.

    Of each runtime the last run that has outputs counts.
    """
    groups: dict[tuple[str, str], dict[str, RunResult]] = {}
    for run in runs:
        if run.outputs and run.plan.golden_sha256 and run.plan.runtime in ORDER:
            found = groups.setdefault((run.variant.sha256, run.plan.golden_sha256), {})
            found[run.plan.runtime] = run
    return tuple(_across(golden, found) for (_, golden), found in groups.items() if len(found) > 1)


def _across(golden: str, runs: dict[str, RunResult]) -> AcrossRuntimes:
    ordered = sorted(runs.items(), key=lambda item: ORDER.index(item[0]))
    variant = ordered[0][1].variant
    differing = (_difference(*pair) for pair in pairwise(ordered))
    return AcrossRuntimes(
        variant.name,
        variant.sha256,
        golden,
        tuple(_told(runtime, run) for runtime, run in ordered),
        next((item for item in differing if item is not None), None),
    )


def _told(runtime: str, run: RunResult) -> RuntimeOutputs:
    known = run.outputs
    return RuntimeOutputs(
        run.id,
        runtime,
        run.provenance.outputs,
        run.simulated,
        min((item.cosine for item in known if item.cosine is not None), default=None),
        min((item.snr_db for item in known if item.snr_db is not None), default=None),
        max((item.max_abs_error for item in known if item.max_abs_error is not None), default=None),
    )


def _difference(one: tuple[str, RunResult], two: tuple[str, RunResult]) -> FirstDifference | None:
    (before, first), (runtime, second) = one, two
    by_name = {output.name: output for output in first.outputs}
    found = [
        FirstDifference(runtime, before, output.name, case, part)
        for output in second.outputs
        if output.name in by_name
        for case, part in _parts(by_name[output.name], output)
        if part is None or part >= SMALLEST_PART
    ]
    return max(found, key=lambda item: math.inf if item.part is None else item.part, default=None)


def _parts(one: Output, two: Output) -> Iterator[tuple[int | None, float | None]]:
    """Yield by how much two outputs differ at least: case by case, where both have the same cases."""
    cases = {item.case: item for item in one.per_case}
    both = [(cases[item.case], item) for item in two.per_case if item.case in cases]
    pairs: list[tuple[int | None, Output | OutputCase, Output | OutputCase]]
    pairs = [(item.case, before, item) for before, item in both] or [(None, one, two)]
    for case, before, item in pairs:
        if before.is_broken != item.is_broken:
            yield case, None
        elif (wrong := _wrong_part(before)) is not None and (other := _wrong_part(item)) is not None:
            yield case, abs(wrong - other)


def _wrong_part(figures: Output | OutputCase) -> float | None:
    """Return the error as a part of the signal: 0.01 at 40 dB; None where it is unknown."""
    snr = snr_of(figures)
    if snr is None:
        return None
    return 1.0 if snr == -math.inf else 10 ** (-snr / 20)
