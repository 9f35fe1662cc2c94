"""What a soak found: outputs that change, calls that grow slower, memory that grows."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench_agent.wire.caveats import Caveat, caveat
from rkbench_agent.wire.words import CAPI, CAPI_ZERO_COPY

from rkbench.results.caveats.cures import cooler, ended_early, is_held, longer_soak, one_core
from rkbench.results.caveats.rule import Evidence, Rule
from rkbench.results.model import RunResult
from rkbench.results.soak import FEWEST_WINDOWS, is_short


def _advice(run: RunResult, code: str) -> str:
    """Return what tells more of a finding, or mends it: nothing that the soak had already."""
    in_c = run.plan.runtime in (CAPI, CAPI_ZERO_COPY)
    if code == "nondeterministic":
        return f"check driver and runtime versions, power supply and heat{one_core(run)}"
    if code == "memory_leak":
        if in_c:
            return "it is librknnrt's or the driver's: try another version of them, or load anew now and then"
        return "soak again with --runtime capi: what then stands still is RKNNLite's"
    pinned = "" if is_held(run) else "pin the clocks (--pin); "
    return f"{pinned}{cooler(run)}{'' if in_c else '; soak again with --runtime capi to rule out Python'}"


def _soak(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    if run.soak is None:
        return
    for finding in run.soak.findings:
        text = f"in {run.soak.elapsed_s:.0f} s: {finding.text}"
        yield caveat(finding.code, text, _advice(run, finding.code))


def _windows(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    """Say that a soak is too short to be called steady, and how long would do: as long for each window."""
    if run.soak is None or not is_short(run.soak):
        return
    count = len(run.soak.windows)
    windows = f"{count} window{'s' * (count != 1)}"
    yield caveat(
        "few_blocks",
        f"only {windows}: whether the level moves, or memory grows, is told by {FEWEST_WINDOWS} or more",
        ended_early(run) or f"soak longer: {longer_soak(run, FEWEST_WINDOWS / count)}",
    )


SOAK_RULES: tuple[Rule, ...] = (_soak, _windows)
