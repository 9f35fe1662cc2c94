"""The documents of the store, read back whichever version wrote them."""

from __future__ import annotations

from typing import Any

from rkbench_agent.wire.caveats import DOUBT, WEIGHTS

from rkbench.decoding.documents import parse, typed
from rkbench.runs.model import RunResult


def load_run(text: str) -> RunResult:
    """Return the run that a line of JSON holds; raises StoreError."""
    value = parse(text, "a stored run")
    if not isinstance(value, dict):
        return typed(RunResult, value, "a stored run")
    if isinstance(value.get("caveats"), list):
        value["caveats"] = [_weighed(caveat) for caveat in value["caveats"]]
    return typed(RunResult, value, f"the stored run {value.get('id', 'without an id')}")


def _weighed(caveat: Any) -> Any:
    """Give a caveat of the first version its weight: what its code means, and doubt for an unknown one."""
    if not isinstance(caveat, dict):
        return caveat
    return {"weight": WEIGHTS.get(str(caveat.get("code")), DOUBT), **caveat}
