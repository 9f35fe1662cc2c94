"""What two models did to each other's outputs."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench_agent.wire.caveats import Caveat, caveat

from rkbench.runs.caveats.rule import Evidence, Rule
from rkbench.runs.interference import Interference, Shared
from rkbench.runs.model import RunResult

_ADVICE = (
    "give each model cores of its own: --placement spread; look at driver and runtime versions"
    " (bench boards check NAME); try --runtime capi"
)


def _outputs_beside(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    found = run.interference
    if found is not None and found.changed_outputs:
        text = "; ".join(told for told in _told(run.variant.name, found) if told)
        yield caveat("outputs_beside", f"outputs differ from those of a call alone: {text}", _ADVICE)


def _told(own: str, found: Interference) -> Iterator[str]:
    for item in found.placements:
        for name, shared in ((own, item.own), (found.other, item.other)):
            yield _changed(name, item.placement, shared)


def _changed(name: str, placement: str, shared: Shared) -> str:
    if shared.outputs is None or not shared.outputs.changed:
        return ""
    outputs = ", ".join(f"{item.name} in {item.count}" for item in shared.outputs.changed)
    return f"{name} ({placement}): {outputs} of {shared.outputs.compared} calls"


INTERFERENCE_RULES: tuple[Rule, ...] = (_outputs_beside,)
