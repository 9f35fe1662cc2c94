"""How far each output lies from what was expected: case by case, and part by part."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rkbench.results.output import Output, snr_of
from rkbench.views.report.charts.spec import SOFT, WHOLE_NUMBERS, Chart, Spec, drawn, points, quantity, series
from rkbench.views.report.names import Named, mark_of_any

Rows = list[dict[str, object]]


def output_charts(runs: Sequence[Named]) -> list[Chart]:
    """Return a drawing of the cases of all outputs, and one of the parts of those that have several."""
    outputs = [(item, output) for item in runs for output in item.collected.run.outputs]
    if not outputs:
        return []
    several = len({output.name for _, output in outputs}) > 1
    return [*_cases(runs, outputs, several=several), *_parts(runs, outputs)]


def _cases(runs: Sequence[Named], outputs: Sequence[tuple[Named, Output]], *, several: bool) -> list[Chart]:
    rows: Rows = []
    exact = 0
    for item, output in outputs:
        for case in output.per_case:
            snr = snr_of(case)
            if snr is None or math.isinf(snr):
                exact += snr is not None
                continue
            row = f"{item.name} · {output.name}" if several else item.name
            rows.append({"row": row, "series": item.name, "case": case.case, "snr": round(snr, 3)})
    if not rows:
        return []
    order = list(dict.fromkeys(str(row["row"]) for row in rows))
    spec: Spec = {
        "height": max(40, 26 * len(order)),
        "data": {"values": rows},
        "mark": {"type": "tick", "thickness": 1.5, "opacity": 0.75},
        "encoding": {
            "x": quantity("snr", f"{mark_of_any(runs)}SNR of a case (dB)", scale={"zero": False}),
            "y": {"field": "row", "type": "nominal", "sort": order, "title": None},
            "color": {**series([item.name for item in runs])["color"], "legend": None},
        },
    }  # fmt: skip
    note = (
        "A stroke is a case of the golden: signal to error, more is nearer."
        " 20 dB is an error of a tenth, 40 dB of a hundredth."
    )
    note += f" {exact} more are bit-exact, or expected to be zero throughout." if exact else ""
    return [drawn("cases", "Output error: case by case", note, spec, long_names=True)]


def _parts(runs: Sequence[Named], outputs: Sequence[tuple[Named, Output]]) -> list[Chart]:
    charts = []
    for name in dict.fromkeys(output.name for _, output in outputs):
        rows: Rows = [
            {"series": item.name, "part": part, "snr": round(snr, 3)}
            for item, output in outputs
            if output.name == name and output.parts is not None and len(output.parts.snr_db) > 1
            for part, snr in enumerate(output.parts.snr_db)
            if snr is not None and math.isfinite(snr)
        ]
        if rows:
            charts.append(_part_chart(runs, name, rows))
    return charts


def _part_chart(runs: Sequence[Named], name: str, rows: Rows) -> Chart:
    spec: Spec = {
        "height": 150,
        "layer": [
            {
                "mark": {"type": "rule", "color": SOFT, "strokeDash": [4, 4]},
                "data": {"values": [{"snr": 0}]},
                "encoding": {"y": quantity("snr", None)},
            },
            {
                "data": {"values": rows},
                "mark": {"type": "point", "filled": True, "size": 26},
                "encoding": {
                    "x": quantity("part", f"part (channel) of {name}", axis=WHOLE_NUMBERS),
                    "y": quantity("snr", f"{mark_of_any(runs)}SNR (dB)"),
                    **points([item.name for item in runs]),
                },
            },
        ],
    }
    note = "Over all cases. At 0 dB (dashed) a part has as much error as signal; bit-exact parts have no dot."
    return drawn(f"parts-{name}", f"Output error: parts of {name}", note, spec)
