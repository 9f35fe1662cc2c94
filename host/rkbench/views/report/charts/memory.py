"""What loading each variant took of the board's memory, phase by phase."""

from __future__ import annotations

from collections.abc import Sequence

from rkbench.views.report.charts.spec import Chart, Spec, bytes_scale, drawn, quantity, series
from rkbench.views.report.names import Named, mark_of_any

_KINDS = (("process memory (RSS)", "rss_bytes"), ("NPU memory", "npu_total_bytes"))


def memory_charts(runs: Sequence[Named]) -> list[Chart]:
    """Return one drawing with a panel for each kind of memory that was read."""
    panels, phases = [], _phases(runs)
    for title, field in _KINDS:
        found = [
            (item.name, phase.name.replace("_", " "), size)
            for item in runs
            if (load := item.collected.run.load) is not None
            for phase in load.phases
            if (size := getattr(phase, field)) is not None
        ]
        if not found:
            continue
        scale = bytes_scale(max(size for _, _, size in found))
        rows = [
            {"series": name, "phase": phase, "memory": round(scale.of(size), 4)}
            for name, phase, size in found
        ]
        words = f"{mark_of_any(runs)}{title} ({scale.unit})"
        panels.append(_panel(rows, words, phases, [item.name for item in runs]))
    if not panels:
        return []
    panels[0]["encoding"].update(series([item.name for item in runs]))
    apart = {"color": "independent", "strokeDash": "independent"}
    spec: Spec = {"vconcat": panels, "spacing": 22, "resolve": {"scale": apart}}
    note = "At the end of each phase of the first load, from before the file is read to the last inference."
    return [drawn("memory", "Memory while loading", note, spec)]


def _phases(runs: Sequence[Named]) -> list[str]:
    loads = [item.collected.run.load for item in runs]
    names = [phase.name.replace("_", " ") for load in loads if load for phase in load.phases]
    return list(dict.fromkeys(names))


def _panel(rows: list[dict[str, object]], title: str, phases: Sequence[str], names: Sequence[str]) -> Spec:
    told = {channel: {**encoding, "legend": None} for channel, encoding in series(names).items()}
    return {
        "height": 120,
        "data": {"values": rows},
        "mark": {"type": "line", "point": {"filled": True, "size": 34}, "strokeWidth": 2},
        "encoding": {
            "x": {"field": "phase", "type": "ordinal", "title": None, "axis": {"labelAngle": -25},
                  "scale": {"type": "point", "padding": 0.4, "domain": list(phases)}},
            "y": quantity("memory", title, scale={"zero": True}),
            **told,
        },
    }  # fmt: skip
