"""The behaviour file of the virtual runtime: what shall go other than well.

JSON; `RKBENCH_VIRTUAL_BEHAVIOUR` names the file. Every key is optional, unknown keys are an error, and
`per_model: {VARIANT NAME: {...}}` overrides the keys beside it for one variant.

    seed            int: of the jitter and of all distributions (default: from the variant's name)
    latency         {"factor": 2.0} and/or {"distribution": "lognormal" | "normal" | "constant",
                    "median_ms": 5.0, "sigma": 0.1}; sigma is of the logarithm, or for `normal`
                    relative to the median. Replaces the model of the run stage.
    flapping        {"factor": 1.5, "period_iterations": 40}: every other period is `factor` slower,
                    as by a clock that flaps between two steps
    throttling      {"after_iterations": 500, "factor": 1.8}: slower from that iteration on
    leak_bytes      int: so many bytes stay behind in the process with every load
    profile         path of a table of layers, as a runtime would print it
    load_s          float: what initialising takes, on the virtual clock
    hang            AT: sleeps until it is killed
    crash           AT + {"signal": "SIGSEGV"}: the process sends itself the signal
    exit            AT + {"code": 3}: the process leaves without a word
    fail            AT + {"message": "..."}: the runtime returns an error
    out_of_memory   AT: the runtime says that the NPU's memory is used up
    swallowed       AT: rknn_run fails, which only a line on stderr tells; the outputs are stale
    outputs         "wrong" | "constant" | "nan": instead of the replayed outputs
    nondeterministic  true: equal inputs yield unequal outputs
    log             list of AT + {"text": "...", "stream": "stdout" | "stderr"}: printed through libc

AT is {"stage": "load" | "first_inference" | "golden" | "warmup" | "inference" | "release"} and
optionally "iteration": the n-th inference of that stage, from 0 (default 0).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Optional

from rkbench_agent.errors import RuntimeFailureError
from rkbench_agent.wire.words import BAD_INPUT

KEYS = frozenset(
    (
        *("seed", "latency", "flapping", "throttling", "load_s", "outputs", "nondeterministic", "per_model"),
        *("leak_bytes", "profile"),
        *("hang", "crash", "exit", "fail", "out_of_memory", "swallowed", "log"),
    )
)


class Behaviour:
    """What the file says of one variant."""

    def __init__(self, values: Dict[str, Any]) -> None:
        self._values = values

    def get(self, key: str) -> Any:
        """Return the value of a key, or None."""
        return self._values.get(key)

    def at(self, event: str, stage: str, iteration: int) -> List[Dict[str, Any]]:
        """Return the entries of `event` that are due at this point."""
        value = self._values.get(event)
        entries = value if isinstance(value, list) else [value] if value else []
        return [entry for entry in entries if _is_due(entry, stage, iteration)]


def read_behaviour(path: Optional[str], name: str) -> Behaviour:
    """Return what the file at `path` says of the variant `name`; raises RuntimeFailureError(bad_input)."""
    if not path:
        return Behaviour({})
    try:
        values = json.loads(Path(path).read_bytes().decode("utf-8"))
    except (OSError, ValueError) as error:
        raise RuntimeFailureError(f"behaviour file: {error}", reason=BAD_INPUT) from error
    values = dict(values, **values.get("per_model", {}).get(name, {}))
    unknown = sorted(set(values) - KEYS)
    if unknown:
        raise RuntimeFailureError(
            f"behaviour file {path}: unknown key {', '.join(unknown)}",
            reason=BAD_INPUT,
            advice=f"the keys are {', '.join(sorted(KEYS))}",
        )
    return Behaviour(values)


def _is_due(entry: Dict[str, Any], stage: str, iteration: int) -> bool:
    return bool(entry.get("stage") == stage and entry.get("iteration", 0) == iteration)
