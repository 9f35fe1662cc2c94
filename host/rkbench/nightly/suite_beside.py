"""The second model of a plan, which every model of it has beside it: the scenario `interference`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rkbench_agent.wire.words import INTERFERENCE

from rkbench.errors import UsageError

_ASKED = 'interfere_with = "OTHER.rknn"'


def other_of(values: Mapping[str, Any], folder: Path) -> Path | None:
    """Return the second model that a plan names, as seen from `folder`; None where it names none.

    Raises UsageError for one that is not there, and for a scenario that has none, or lacks one.
    """
    told, scenario = values.get("interfere_with"), values.get("scenario")
    if told is None:
        if scenario == INTERFERENCE:
            raise UsageError(f"scenario = {INTERFERENCE!r} needs a second model", hint=_ASKED)
        return None
    if scenario not in (None, INTERFERENCE):
        hint = "it is a scenario of its own: leave scenario away"
        raise UsageError(f"interfere_with means nothing with scenario = {scenario!r}", hint=hint)
    found = folder / Path(told)
    if not found.is_file():
        raise UsageError(f"no interfere_with {found}", hint=f"name a file there: {_ASKED}")
    return found
