"""What a soak found: outputs that change, calls that grow slower, memory that grows."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench_agent.wire.caveats import Caveat, caveat

from rkbench.runs.caveats.rule import Evidence, Rule
from rkbench.runs.model import RunResult

_ADVICE = {
    "nondeterministic": "check driver and runtime versions, power supply and heat; try --cores 0",
    "drift": "pin the clocks (--pin), cool the board; soak again with --runtime capi to rule out Python",
    "memory_leak": "soak again with --runtime capi: what then stands still is RKNNLite's",
}


def _soak(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    if run.soak is None:
        return
    for finding in run.soak.findings:
        text = f"in {run.soak.elapsed_s:.0f} s: {finding.text}"
        yield caveat(finding.code, text, _ADVICE[finding.code])


SOAK_RULES: tuple[Rule, ...] = (_soak,)
