"""Makes the Grafana dashboards: `python deploy/dashboards.py` writes grafana/*.json, which are committed.

A dashboard is a title, variables and rows of panels; a panel is a title, a unit and queries. The data
source is chosen in Grafana, so that nothing of any installation is written down here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "grafana"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24
#: Grafana's names of our units.
SECONDS, BYTES, CELSIUS, HERTZ, RATIO, NUMBER, RATE, DECIBEL = (
    *("s", "bytes", "celsius", "hertz", "percentunit", "short", "ops", "dB"),
)
VERSIONS = ("sha256", "toolkit_version", "driver_version", "runtime_version")
BOARD = '{board=~"$board"}'
RESULT = '{model=~"$model", variant=~"$variant", board=~"$board"}'
#: The buckets that every result has, for sums; those between them it has only where it has latencies.
COARSE = RESULT.replace("}", r', le=~"0\\.0*[125]|[125]\\.0|10\\.0|\\+Inf"}')

Panel = dict[str, Any]
Query = tuple[str, str]


def graph(title: str, unit: str, *queries: Query, width: int = 12, text: str = "") -> Panel:
    """Return a panel of lines over time; a query is (PromQL, legend)."""
    custom = {"lineWidth": 1, "fillOpacity": 8, "showPoints": "never", "spanNulls": False}
    return _panel("timeseries", title, unit, queries, width, 8, text, custom=custom)


def number(title: str, unit: str, query: str, *, width: int = 4, bad_from: float | None = None) -> Panel:
    """Return one big number; red from `bad_from`."""
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if bad_from is not None:
        steps.append({"color": "red", "value": bad_from})
    panel = _panel("stat", title, unit, ((query, ""),), width, 4, "")
    panel["fieldConfig"]["defaults"]["thresholds"] = {"mode": "absolute", "steps": steps}
    return panel


def table(title: str, query: str, columns: tuple[str, ...], *, text: str = "") -> Panel:
    """Return the labels `columns` of the series of an info metric, as a table."""
    panel = _panel("table", title, NUMBER, ((query, ""),), COLUMNS, 8, text)
    panel["targets"][0].update(format="table", instant=True, range=False)
    panel["transformations"] = [
        {"id": "filterFieldsByName", "options": {"include": {"names": list(columns)}}}
    ]
    return panel


def heatmap(title: str, query: str, *, width: int = 12, text: str = "") -> Panel:
    """Return a histogram over time; `query` yields cumulative buckets by `le`."""
    panel = _panel("heatmap", title, SECONDS, ((query, "{{le}}"),), width, 8, text)
    panel["targets"][0]["format"] = "heatmap"
    panel["options"] = {"calculate": False, "yAxis": {"unit": SECONDS}, "cellGap": 1}
    return panel


def farm() -> dict[str, Any]:
    """Return the overview of all boards."""
    return _dashboard(
        "rkbench-farm",
        "rkbench: the farm",
        [_variable("board", "label_values(rkbench_exporter_info, board)")],
        number("Boards up", NUMBER, 'sum(up{job="rkbench-boards"})'),
        number("Boards down", NUMBER, 'sum(up{job="rkbench-boards"} == bool 0)', bad_from=1),
        number("Benchmarks running", NUMBER, f"sum(rkbench_benchmark_running{BOARD})"),
        number("Blind sensor groups", NUMBER, f"sum(rkbench_sensor_success{BOARD} == bool 0)", bad_from=1),
        number("Gates red", NUMBER, 'sum(rkbench_gate_state{state="fail"})', bad_from=1),
        number("Gates not measured", NUMBER, 'sum(rkbench_gate_state{state="not_measured"})', bad_from=1),
        graph("NPU load, busiest core", RATIO, (f"board:rkbench_npu_load_ratio:max{BOARD}", "{{board}}")),
        graph("Hottest zone", CELSIUS, (f"board:rkbench_temperature_celsius:max{BOARD}", "{{board}}")),
        graph("Memory available", RATIO, (f"board:rkbench_memory_available_ratio{BOARD}", "{{board}}")),
        graph(
            "NPU clock, share of its highest", RATIO, (f"board:rkbench_npu_clock_ratio{BOARD}", "{{board}}")
        ),
        graph(
            "Alerts that fire",
            NUMBER,
            ('count by (alertname) (ALERTS{alertstate="firing"})', "{{alertname}}"),
        ),
        graph(
            "Gates by state", NUMBER, ("sum by (suite, state) (rkbench_gate_state)", "{{suite}} {{state}}")
        ),
        table(
            "Boards",
            f"rkbench_board_info{BOARD}",
            ("board", "instance", "soc", "model", "kernel", "driver_version", "runtime_version", "simulated"),
        ),
    )


def board() -> dict[str, Any]:
    """Return everything about one board."""
    return _dashboard(
        "rkbench-board",
        "rkbench: one board",
        [_variable("board", "label_values(rkbench_exporter_info, board)", several=False)],
        number("Answers", NUMBER, f"up{BOARD}"),
        number("Benchmark running", NUMBER, f"rkbench_benchmark_running{BOARD}"),
        number("Blind sensor groups", NUMBER, f"sum(rkbench_sensor_success{BOARD} == bool 0)", bad_from=1),
        number("Exporter: CPU", RATIO, f"rate(process_cpu_seconds_total{BOARD}[$__rate_interval])"),
        number("Exporter: reading", SECONDS, f"rkbench_scrape_duration_seconds{BOARD}"),
        number("dma-bufs", BYTES, f"rkbench_dma_buf_bytes{BOARD}"),
        graph("NPU load", RATIO, (f"rkbench_npu_load_ratio{BOARD}", "core {{core}}")),
        graph("Temperatures", CELSIUS, (f"rkbench_temperature_celsius{BOARD}", "{{zone}}")),
        graph(
            "Clocks of NPU, memory, GPU",
            HERTZ,
            (f"rkbench_npu_clock_hertz{BOARD}", "NPU"),
            (f"rkbench_ddr_clock_hertz{BOARD}", "memory"),
            (f"rkbench_gpu_clock_hertz{BOARD}", "GPU"),
        ),
        graph("Clocks of the CPUs", HERTZ, (f"rkbench_cpu_clock_hertz{BOARD}", "{{policy}}")),
        graph(
            "Memory",
            BYTES,
            (f"rkbench_memory_total_bytes{BOARD}", "all"),
            (f"rkbench_memory_available_bytes{BOARD}", "available"),
        ),
        graph(
            "Contiguous memory (CMA)",
            BYTES,
            (f"rkbench_cma_total_bytes{BOARD}", "all"),
            (f"rkbench_cma_free_bytes{BOARD}", "free"),
        ),
        graph(
            "Load of the memory controller", RATIO, (f"rkbench_ddr_load_ratio{BOARD}", "memory controller")
        ),
        graph("Sensor groups that can be read", NUMBER, (f"rkbench_sensor_success{BOARD}", "{{group}}")),
        table("Governors", f"rkbench_governor_info{BOARD}", ("board", "part", "governor")),
        table("Who benchmarked", f"rkbench_benchmark_info{BOARD}", ("board", "owner", "what")),
    )


def model() -> dict[str, Any]:
    """Return one model over time, with the versions behind its numbers."""
    legend = "{{variant}} on {{board}} ({{runtime}}, cores {{core_mask}})"
    quantile = '{quantile="%s", model=~"$model", variant=~"$variant", board=~"$board"}'
    return _dashboard(
        "rkbench-model",
        "rkbench: one model over time",
        [
            _variable("model", "label_values(rkbench_result_info, model)", several=False),
            _variable("variant", 'label_values(rkbench_result_info{model=~"$model"}, variant)'),
            _variable("board", 'label_values(rkbench_result_info{model=~"$model"}, board)'),
        ],
        graph("Latency, p50", SECONDS, ("rkbench_latency_seconds" + quantile % "0.5", legend)),
        graph("Latency, p99", SECONDS, ("rkbench_latency_seconds" + quantile % "0.99", legend)),
        heatmap("Latencies", f"sum by (le) (rkbench_latency_distribution_seconds_bucket{COARSE})"),
        graph("Throughput", RATE, (f"rkbench_throughput_inferences_per_second{RESULT}", legend)),
        graph(
            "Load memory", BYTES, (f"rkbench_load_memory_bytes{RESULT}", "{{variant}} on {{board}}: {{kind}}")
        ),
        graph("Load time", SECONDS, (f"rkbench_load_duration_seconds{RESULT}", legend)),
        graph("File size", BYTES, (f"rkbench_model_file_bytes{RESULT}", legend)),
        graph(
            "Output: cosine, worst case",
            NUMBER,
            (f"rkbench_output_cosine_similarity{RESULT}", "{{variant}}: {{output}}"),
        ),
        graph(
            "Output: greatest error",
            NUMBER,
            (f"rkbench_output_max_abs_error{RESULT}", "{{variant}}: {{output}}"),
        ),
        graph("Caveats", NUMBER, (f"rkbench_result_caveats{RESULT}", legend)),
        graph(
            "Age of the last success", SECONDS, (f"result:rkbench_last_success_age_seconds{RESULT}", legend)
        ),
        graph(
            "Gates",
            NUMBER,
            (
                'sum by (gate, state) (rkbench_gate_state{variant=~"$variant", board=~"$board"})',
                "{{gate}}: {{state}}",
            ),
        ),
        table(
            "Versions behind the numbers",
            f"rkbench_result_info{RESULT}",
            (
                "variant",
                "board",
                "run",
                "sha256",
                "toolkit_version",
                "driver_version",
                "runtime_version",
                "kernel",
                "agent_version",
                "simulated",
            ),
        ),
        graph(
            "Versions over time",
            NUMBER,
            (
                f"count by (variant, {', '.join(VERSIONS)}) (rkbench_result_info{RESULT})",
                "{{variant}} " + " ".join(f"{name} {{{{{name}}}}}" for name in VERSIONS),
            ),
            width=COLUMNS,
            text="A line that ends and one that begins: what changed, and when.",
        ),
    )


def render() -> dict[str, str]:
    """Return every dashboard: file name -> JSON text."""
    made = {"farm.json": farm(), "board.json": board(), "model.json": model()}
    return {
        name: json.dumps(dashboard, indent=1, ensure_ascii=False) + "\n" for name, dashboard in made.items()
    }


def _panel(
    kind: str,
    title: str,
    unit: str,
    queries: tuple[Query, ...],
    width: int,
    height: int,
    text: str,
    **custom: Any,
) -> Panel:
    targets = [
        {
            "refId": chr(ord("A") + index),
            "datasource": SOURCE,
            "expr": expr,
            "legendFormat": legend or "__auto",
        }
        for index, (expr, legend) in enumerate(queries)
    ]
    return {
        "type": kind,
        "title": title,
        "description": text,
        "datasource": SOURCE,
        "targets": targets,
        "gridPos": {"w": width, "h": height},
        "fieldConfig": {"defaults": {"unit": unit, **custom}, "overrides": []},
    }


def _variable(name: str, query: str, *, several: bool = True) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": several,
        "includeAll": several,
        "current": {"text": "All", "value": "$__all"} if several else {},
    }


def _dashboard(uid: str, title: str, variables: list[dict[str, Any]], *panels: Panel) -> dict[str, Any]:
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    return {
        "uid": uid,
        "title": title,
        "tags": ["rkbench"],
        "schemaVersion": 38,
        "version": 1,
        "editable": True,
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "30s",
        "templating": {"list": [source, *variables]},
        "panels": _placed(panels),
    }


def _placed(panels: tuple[Panel, ...]) -> list[Panel]:
    """Give the panels their places, from left to right and from top to bottom, and their numbers."""
    left = top = height = 0
    placed = []
    for number_, panel in enumerate(panels, 1):
        size = panel["gridPos"]
        if left + size["w"] > COLUMNS:
            left, top, height = 0, top + height, 0
        placed.append({"id": number_, **panel, "gridPos": {"x": left, "y": top, **size}})
        left, height = left + size["w"], max(height, size["h"])
    return placed


if __name__ == "__main__":
    for file_name, text_ in render().items():
        (FOLDER / file_name).write_text(text_, encoding="utf-8")
