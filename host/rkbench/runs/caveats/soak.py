"""What a soak found: outputs that change, calls that grow slower, memory that grows."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench_agent.wire.caveats import Caveat, caveat

from rkbench.runs.caveats.cures import ended_early, is_held, longer_soak
from rkbench.runs.caveats.rule import Evidence, Rule
from rkbench.runs.model import RunResult
from rkbench.runs.soak import FEWEST_WINDOWS, is_short

_ADVICE = {
    "nondeterministic": "check driver and runtime versions, power supply and heat; try --cores 0",
    "drift": "cool the board (--cool-below 50); soak again with --runtime capi to rule out Python",
    "memory_leak": "soak again with --runtime capi: what then stands still is RKNNLite's",
}


def _soak(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    if run.soak is None:
        return
    for finding in run.soak.findings:
        text = f"in {run.soak.elapsed_s:.0f} s: {finding.text}"
        moves = finding.code == "drift" and not is_held(run)
        yield caveat(
            finding.code, text, ("pin the clocks (--pin); " if moves else "") + _ADVICE[finding.code]
        )


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
