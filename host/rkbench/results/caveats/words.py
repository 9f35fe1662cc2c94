"""The word for a whole run, from what is doubted about it."""

from __future__ import annotations

from collections.abc import Sequence

from rkbench_agent.wire.caveats import CLOCKS, INFORMATION, Caveat

from rkbench.results.model import SUSPECT, UNPINNED, VALID, Verdict


def verdict_of(caveats: Sequence[Caveat]) -> Verdict:
    """Return VALID; UNPINNED where only clocks may have moved; SUSPECT where a number is in doubt."""
    weights = {item.weight for item in caveats} - {INFORMATION}
    if not weights:
        return VALID
    return UNPINNED if weights == {CLOCKS} else SUSPECT
