"""The behaviour file of the virtual runtime: what shall go other than well.

JSON; `RKBENCH_VIRTUAL_BEHAVIOUR` names the file. Every key is optional, unknown keys are an error, and
`per_model: {VARIANT NAME: {...}}` overrides the keys beside it for one variant.

    seed            int: of the jitter and of all distributions, together with the variant's name
    latency         {"factor": 2.0} and/or {"distribution": "lognormal" | "normal" | "constant",
                    "median_ms": 5.0, "sigma": 0.1}; sigma is of the logarithm, or for `normal`
                    relative to the median. Replaces the model of the run stage.
                    {"coefficients": [0.7, 3.2, 2.9, 4e-6]}: the level is these times what the host tells
                    of the file: seconds of roofline, memory, tables, and tasks (docs/npu.md)
    scatter         {"block": 0.01, "load": 0.005, "night": 0.01, "night_number": 7}: standard deviation,
                    of the logarithm, of the level from block to block, load to load, night to night
    wander          {"memory": 0.99, "sd": 0.04}: the level wanders from call to call, AR(1)
    drift           {"ratio": 0.05, "over_s": 30}: 5 % slower within 30 s, evenly
    cold            {"calls": 20, "factor": 1.5}: the first calls of a load are slower
    slow_turns      {"calls": 3, "factor": 1.2}: the first calls of every block are slower
    switches        {"calls": 5, "factor": 1.2}: the first calls after another model had the NPU are slower
    outliers        {"share": 0.01, "factor": 1.3}: so many calls are slower
    modes           [{"share": 0.5, "factor": 1}, {"share": 0.5, "factor": 1.08}]: each call is in one of them
    periodic        {"every_s": 0.977, "extra_ms": 5}: what runs just then takes so much longer
    host_ms         float: what a call costs beside setting inputs, run and getting outputs
    growth_bytes    int: so many bytes stay behind in the process with every inference
    clock           {"hz": 200000000, "factor": 5}: the NPU's clock, the whole time
    flapping        {"factor": 1.5, "period_iterations": 40} or
                    {"factor": 1.5, "period_s": 0.5, "hz": 600000000}: every other period is `factor` slower,
                    as by a clock that flaps between two steps
    throttling      {"after_iterations": 500, "factor": 1.8} or
                    {"after_s": 20, "factor": 1.8, "hz": 600000000, "celsius": 85}: slower from then on; the
                    temperature rises until then
    others          {"npu": [0, 0.4, 0], "cpu": 0.6, "after_s": 5, "factor": 1.1}: others load the board
    cores           {"0-1": 1.6, "all": 2}: by what a core mask is faster (default: see `virtual_npu`)
    contention      0.1: a run is so much longer for each other core that is busy when it begins
    most_contexts   int: no memory for more contexts of the model at once
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
    wrong_outputs   list of outputs by name: they alone are "wrong", in whichever model has them
    outputs_beside  as `outputs`, only while another context is busy
    nondeterministic  true: equal inputs yield unequal outputs
    log             list of AT + {"text": "...", "stream": "stdout" | "stderr"}: printed through libc

Seconds are of the board's work: the sum of all blocks of its plan, warm-up included. `hz`, `celsius`, `npu`
and `cpu` move the files of the board's sensors too; a governor that holds clocks (`--pin`) ends `clock` and
`flapping`.

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
        *("seed", "latency", "load_s", "outputs", "nondeterministic", "per_model", "leak_bytes", "profile"),
        *("scatter", "wander", "drift", "cold", "slow_turns", "switches", "outliers", "modes", "periodic"),
        *("clock", "flapping", "throttling", "others", "cores", "host_ms", "growth_bytes"),
        *("contention", "most_contexts", "outputs_beside", "wrong_outputs"),
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
