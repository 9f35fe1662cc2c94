"""What the captured logs say of a run, through the failure catalogue: diagnoses and doubts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rkbench_agent.wire.caveats import Caveat

from rkbench.catalogue import BoardState, harmless_in, match, searchable
from rkbench.results.model import Failure

#: Rows that the agent reports as caveats itself, with the codes that it gives them.
_AGENT_CODES: dict[int | None, str] = {
    19: "driver_old",
    43: "single_core_fallback",
    83: "single_core_fallback",
    45: "core_mask_replaced",
    63: "runtime_version_mismatch",
}


def diagnosed(failure: Failure, log: Sequence[str], state: BoardState | None = None) -> Failure:
    """Return `failure` with what its log, its last lines and its own message mean; the best advice stays.

    Harmless lines are no part of what it shows. A return code alone yields no diagnosis. `state` is what is
    known of the board, on which some advice depends.
    """
    lines = [*log, *failure.log_tail, *failure.message.splitlines()]
    found = tuple(match(dict.fromkeys(lines), state))
    harmless = harmless_in(searchable(lines))
    telling = tuple(line for line in failure.log_tail if line not in harmless)
    advice = failure.advice or next((item.advice for item in found if item.severity != "warning"), "")
    return replace(failure, diagnoses=found, log_tail=telling, advice=advice)


def log_caveats(
    log: Sequence[str], told: Sequence[Caveat], state: BoardState | None = None
) -> tuple[Caveat, ...]:
    """Return the doubts that the log of a finished run raises and that are not among those `told`."""
    known = {caveat.code for caveat in told}
    found = []
    for item in match(dict.fromkeys(log), state):
        code = _AGENT_CODES.get(item.number, f"catalogue_{item.number}")
        if item.severity != "fatal" and code not in known:
            known.add(code)
            found.append(Caveat(code, item.cause, item.advice))
    return tuple(found)
