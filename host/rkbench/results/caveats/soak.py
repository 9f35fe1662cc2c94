"""What a soak found: outputs that change, calls that grow slower, memory that grows."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench_agent.wire.caveats import Caveat, caveat
from rkbench_agent.wire.words import CAPI, CAPI_ZERO_COPY

from rkbench.language.said import Said, say
from rkbench.results.caveats.cures import cooler, ended_early, is_held, longer_soak, one_core
from rkbench.results.caveats.rule import Evidence, Rule
from rkbench.results.model import RunResult
from rkbench.results.soak import FEWEST_WINDOWS, is_short


def _advice(run: RunResult, code: str) -> Said:
    """Return what tells more of a finding, or mends it: nothing that the soak had already."""
    in_c = run.plan.runtime in (CAPI, CAPI_ZERO_COPY)
    if code == "nondeterministic":
        return say(
            "check driver and runtime versions, power supply and heat{one_core}", one_core=one_core(run)
        )
    if code == "memory_leak":
        if in_c:
            return say(
                "it is librknnrt's or the driver's: try another version of them, or load anew now and then"
            )
        return say("soak again with --runtime capi: what then stands still is RKNNLite's")
    cure = cooler(run) if is_held(run) else say("pin the clocks (--pin); {cooler}", cooler=cooler(run))
    return cure if in_c else say("{cure}; soak again with --runtime capi to rule out Python", cure=cure)


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
        ended_early(run) or say("soak longer: {longer}", longer=longer_soak(run, FEWEST_WINDOWS / count)),
    )


SOAK_RULES: tuple[Rule, ...] = (_soak, _windows)
