"""Runs as a trace that Perfetto and Chrome open: blocks, calls with their stages, clocks, heat, load.

The format is Chrome's "Trace Event Format" (JSON): complete events `X` with begin and duration in µs,
counters `C`, names of processes and threads as metadata `M`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from rkbench_agent.wire.board import Reading

from rkbench.results.collect import Collected
from rkbench.results.latencies import RawLatencies
from rkbench.views.report.names import Named, named

Event = dict[str, Any]
_BLOCKS, _CALLS = 1, 2
_STAGES = ("set_inputs", "run", "get_outputs")
_NS_PER_US = 1e3


def render_trace(collected: Sequence[Collected]) -> str:
    """Return the trace of these runs; each is a process of its own, the sensors of each push another.

    Each push begins at 0: times are of its board's own clock, which says nothing of another's.
    """
    pushes: dict[str, list[tuple[int, Named]]] = {}
    for pid, item in enumerate(named(collected), 1):
        pushes.setdefault(item.collected.run.push, []).append((pid, item))
    events: list[Event] = []
    for place, runs in enumerate(pushes.values()):
        begins = [min(item.collected.latencies.start_ns, default=None) for _, item in runs]
        begin_ns = min((begin for begin in begins if begin is not None), default=0)
        events += [event for pid, item in runs for event in _run_events(pid, item, begin_ns)]
        pid = 0 if place == 0 else len(collected) + place
        events += _sensors(pid, [item.collected for _, item in runs], begin_ns)
    simulated = any(item.run.simulated for item in collected)
    return json.dumps(
        {
            "traceEvents": events,
            "displayTimeUnit": "ms",
            "otherData": {"made by": "bench report", "simulated": simulated},
        },
        separators=(",", ":"),
    )


def _run_events(pid: int, item: Named, begin_ns: int) -> Iterator[Event]:
    run, raw = item.collected.run, item.collected.latencies
    mark = "≈ simulated: " if run.simulated else ""
    yield _name(pid, f"{mark}{item.name}", "process_name")
    yield _name(pid, "blocks", "thread_name", _BLOCKS)
    yield _name(pid, "calls", "thread_name", _CALLS)
    yield from _blocks(pid, raw, begin_ns)
    for place, (start, duration) in enumerate(zip(raw.start_ns, raw.duration_ns, strict=True)):
        unread = bool(raw.warmup[place]) or bool(raw.unread and raw.unread[place])
        yield _slice(pid, _CALLS, "call, not counted" if unread else "call", start - begin_ns, duration)
        yield from _stages(pid, raw, place, start - begin_ns)


def _blocks(pid: int, raw: RawLatencies, begin_ns: int) -> Iterator[Event]:
    spans: dict[tuple[int, int], tuple[int, int]] = {}
    for place, (start, duration) in enumerate(zip(raw.start_ns, raw.duration_ns, strict=True)):
        key = (raw.load[place] if raw.load else 0, raw.block[place])
        first, _ = spans.get(key, (start, 0))
        spans[key] = (first, start + duration)
    for (load, block), (first, end) in spans.items():
        yield _slice(pid, _BLOCKS, f"load {load}, block {block}", first - begin_ns, end - first)


def _stages(pid: int, raw: RawLatencies, place: int, start_ns: int) -> Iterator[Event]:
    """Yield the stages of a call one after the other, where the runtime tells all of them apart."""
    columns = [getattr(raw, f"{stage}_ns") for stage in _STAGES]
    if not all(columns):
        return
    for stage, column in zip(_STAGES, columns, strict=True):
        yield _slice(pid, _CALLS, stage.replace("_", " "), start_ns, column[place])
        start_ns += column[place]


def _sensors(pid: int, collected: Sequence[Collected], begin_ns: int) -> Iterator[Event]:
    """Yield what the sensors of a push's board said."""
    readings = {sample.time_ns: sample for item in collected for sample in item.readings}
    if readings:
        yield _name(pid, f"board {collected[0].run.board.name}", "process_name")
    for time in sorted(readings):
        yield from _counters(pid, readings[time], begin_ns)


def _counters(pid: int, sample: Reading, begin_ns: int) -> Iterator[Event]:
    clocks = (("NPU", sample.npu_clock_hz), ("DDR", sample.ddr_clock_hz))
    loads = enumerate(sample.npu_load_ratio or ())
    found: dict[str, dict[str, float]] = {
        "clock (MHz)": {part: hertz / 1e6 for part, hertz in clocks if hertz is not None},
        "temperature (°C)": dict(sample.temperature_celsius or {}),
        "NPU load (%)": {f"core {core}": ratio * 100 for core, ratio in loads},
        "CPU load (%)": {} if sample.cpu_load_ratio is None else {"CPUs": sample.cpu_load_ratio * 100},
    }
    at = (sample.time_ns - begin_ns) / _NS_PER_US
    for name, values in found.items():
        if values:
            yield {"ph": "C", "pid": pid, "ts": at, "name": name, "args": values}


def _slice(pid: int, tid: int, name: str, start_ns: int, duration_ns: int) -> Event:
    times = {"ts": start_ns / _NS_PER_US, "dur": duration_ns / _NS_PER_US}
    return {"ph": "X", "pid": pid, "tid": tid, "name": name, **times}


def _name(pid: int, name: str, what: str, tid: int = 0) -> Event:
    return {"ph": "M", "pid": pid, "tid": tid, "name": what, "args": {"name": name}}
