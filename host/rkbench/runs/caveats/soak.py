"""What a soak found: outputs that change, calls that grow slower, memory that grows."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench_agent.wire.caveats import Caveat, caveat

from rkbench.runs.caveats.cures import is_held
from rkbench.runs.caveats.rule import Evidence, Rule
from rkbench.runs.model import RunResult

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


SOAK_RULES: tuple[Rule, ...] = (_soak,)
