"""The documents of the store, read back whichever version wrote them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rkbench_agent.wire.caveats import DOUBT, WEIGHTS
from rkbench_agent.wire.words import CPU, DDR, NPU

from rkbench.decoding.documents import parse, typed
from rkbench.results.model import RunResult


def load_run(text: str, run_id: str = "") -> RunResult:
    """Return the run that a line of JSON holds; raises DocumentError, which names it."""
    what = f"the stored run {run_id}" if run_id else "a stored run"
    value = parse(text, what)
    if not isinstance(value, dict):
        return typed(RunResult, value, what)
    _upgrade(value)
    named = run_id or value.get("id", "without an id")
    return typed(RunResult, value, f"the stored run {named}")


def _upgrade(run: dict[str, Any]) -> None:
    """Add what the first version did not write; what has no known form stays, for `typed` to name."""
    if isinstance(run.get("caveats"), list):
        run["caveats"] = [_weighed(caveat) for caveat in run["caveats"]]
    readings, held = run.get("readings"), run.get("conditions")
    if isinstance(readings, dict) and isinstance(readings.get("sensors"), list):
        readings["sensors"] = [_with_quantity(sensor) for sensor in readings["sensors"]]
    if isinstance(held, dict) and isinstance(held.get("settings"), dict) and not held.get("clocks"):
        held["clocks"] = list(_clocks_written(held["settings"]))


def _weighed(caveat: Any) -> Any:
    """Give a caveat of the first version its weight: what its code means, and doubt for an unknown one."""
    if not isinstance(caveat, dict):
        return caveat
    return {"weight": WEIGHTS.get(str(caveat.get("code")), DOUBT), **caveat}


def _with_quantity(sensor: Any) -> Any:
    """Give a sensor of the first version, which was named `quantity[part]`, both apart."""
    if not isinstance(sensor, dict) or sensor.get("quantity") or not isinstance(sensor.get("name"), str):
        return sensor
    quantity, bracket, part = sensor["name"].partition("[")
    return {**sensor, "quantity": quantity, "part": part[:-1] if bracket else None}


#: A folder of sysfs with a clock of its own, as the first version recorded what it wrote there.
_FOLDER = re.compile(r"/(?:devfreq/(?P<device>[^/]+)|cpufreq/(?P<policy>[^/]+))/")


def _clocks_written(settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what was held, of the files and what was written to them; cpufreq counts in kHz."""
    written: dict[tuple[str, int], list[str]] = {}
    for path, value in settings.items():
        found = _FOLDER.search(path)
        if found is not None and isinstance(value, str):
            device, policy = found["device"], found["policy"]
            part = f"{CPU} {policy}" if policy else DDR if device == "dmc" else NPU
            written.setdefault((part, 1000 if policy else 1), []).append(value)
    for (part, unit), values in written.items():
        clocks = [int(value) * unit for value in values if value.isdigit()]
        governors = [value for value in values if not value.isdigit()]
        governor, clock_hz = next(iter(governors), None), next(iter(clocks), None)
        yield {"part": part, "governor": governor, "clock_hz": clock_hz}
