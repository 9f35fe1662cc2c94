"""What two models did to each other's outputs."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench_agent.wire.caveats import Caveat, caveat
from rkbench_agent.wire.words import CAPI, CAPI_ZERO_COPY, SPREAD

from rkbench.language.said import NOTHING, Said, say
from rkbench.results.caveats.rule import Evidence, Rule
from rkbench.results.interference import Interference, InterferencePlacement, Shared
from rkbench.results.model import RunResult

_APART = say("give each model cores of its own: --placement spread; ")


def _outputs_beside(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    found = run.interference
    if found is not None and found.changed_outputs:
        text = "; ".join(told for told in _told(run.variant.name, found) if told)
        yield caveat(
            "outputs_beside", f"outputs differ from those of a call alone: {text}", _advice(run, found)
        )


def _advice(run: RunResult, found: Interference) -> Said:
    """Return what may help: not to lie apart, where they did."""
    lay_apart = any(item.placement == SPREAD and _differs(item) for item in found.placements)
    return say(
        "{apart}look at driver and runtime versions (bench boards check NAME){capi}",
        apart=NOTHING if lay_apart else _APART,
        capi=NOTHING if run.plan.runtime in (CAPI, CAPI_ZERO_COPY) else say("; try --runtime capi"),
    )


def _differs(item: InterferencePlacement) -> bool:
    return any(shared.outputs is not None and shared.outputs.changed for shared in (item.own, item.other))


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
