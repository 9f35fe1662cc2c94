"""What to doubt about a result, and what to do about it: small rules over result and latencies."""

from __future__ import annotations

from collections.abc import Sequence

from rkbench_agent.wire.board import Reading
from rkbench_agent.wire.caveats import Caveat, caveat

from rkbench.language.said import say
from rkbench.results.caveats.clocks import CLOCK_RULES
from rkbench.results.caveats.heat import HEAT_RULES
from rkbench.results.caveats.impossible import impossible_latencies, impossible_numbers
from rkbench.results.caveats.interference import INTERFERENCE_RULES
from rkbench.results.caveats.load import LOAD_RULES
from rkbench.results.caveats.made import MADE_RULES
from rkbench.results.caveats.outputs import OUTPUT_RULES
from rkbench.results.caveats.parts import PART_RULES
from rkbench.results.caveats.plan import PLAN_RULES, simulated
from rkbench.results.caveats.rule import Evidence, Rule
from rkbench.results.caveats.series import SERIES_RULES
from rkbench.results.caveats.server import SERVER_RULES
from rkbench.results.caveats.soak import SOAK_RULES
from rkbench.results.caveats.words import verdict_of
from rkbench.results.caveats.wrong import is_wrong, wrong_outputs
from rkbench.results.latencies import RawLatencies
from rkbench.results.model import RunResult

__all__ = ["caveats_of", "golden_caveats", "is_wrong", "verdict_of"]


def caveats_of(
    run: RunResult,
    latencies: RawLatencies,
    readings: Sequence[Reading] = (),
    beside: Sequence[RawLatencies] = (),
) -> tuple[Caveat, ...]:
    """Return every doubt about `run`, which was made of these; the gravest stand first.

    `beside` are the latencies of the other runs of its push.
    """
    evidence = Evidence(latencies, tuple(readings), tuple(beside))
    # A series that holds impossible calls has no level that could move.
    unread = SERIES_RULES if impossible_latencies(latencies) else ()
    return tuple(found for rule in _RULES if rule not in unread for found in rule(run, evidence))


def golden_caveats(assumptions: Sequence[str]) -> tuple[Caveat, ...]:
    """Return what was assumed to make a golden fit, one caveat each."""
    return tuple(
        caveat(
            "golden_assumed",
            f"golden: {assumed}",
            say(
                "if that is wrong, so is the output error: name the members inputs/NAME and outputs/NAME as"
                " the model does, or let bench golden MODEL.onnx make it"
            ),
        )
        for assumed in assumptions
    )


_RULES: tuple[Rule, ...] = (
    impossible_numbers,
    wrong_outputs,
    simulated,
    *HEAT_RULES,
    *SERIES_RULES,
    *CLOCK_RULES,
    *LOAD_RULES,
    *OUTPUT_RULES,
    *PART_RULES,
    *SERVER_RULES,
    *MADE_RULES,
    *SOAK_RULES,
    *INTERFERENCE_RULES,
    *PLAN_RULES,
)
