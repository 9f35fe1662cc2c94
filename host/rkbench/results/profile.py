"""Reads the table of layers that librknnrt prints (RKNN_QUERY_PERF_DETAIL), by its header.

Runtimes differ in their columns: 1.3 to 1.5 have `DDR Cycles`, `NPU Cycles`, `Total Cycles`, later ones
`Cycles(DDR/NPU/Total)`; a workload column comes with several cores; cells may be empty behind `Time(us)`.
Up to there no cell is empty or holds a blank. What does not fit is no table: nothing is guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from rkbench_agent.wire.words import MEASURED

from rkbench.results.extras import LayerTime, Profile

_LOG_PREFIX = re.compile(r"^[DIWE] RKNN: (\[[^\]]*\] ?)?")
_COLUMN = re.compile(r"(?:DDR|NPU|Total|Max|Task|Lut|Regcmd) (?:Cycles|Number|Size)|\S+")
_FIRST = ["ID", "OpType", "DataType", "Target"]
_TIME, _NAME, _MOVED, _CYCLES = "Time(us)", "FullName", "RW(KB)", "Cycles(DDR/NPU/Total)"
#: A header of the columns that are needed.
LEAST_HEADER = " ".join([*_FIRST, _TIME, _NAME])
_APART = (("DDR Cycles", "NPU Cycles"), ("DDRCycles", "NPUCycles"))
UNITS = ("NPU", "CPU", "GPU")


def read_profile(runtime: str, text: str, provenance: str = MEASURED) -> Profile:
    """Return the profile of what a runtime printed; without layers where its form is not known."""
    layers = parse_layers(text)
    total_s = sum(layer.duration_s for layer in layers) if layers else None
    return Profile(runtime, layers, total_s, text, provenance)


def parse_layers(text: str) -> tuple[LayerTime, ...]:
    """Return the layers of the last table in `text`; empty where there is none, or one of another form."""
    found: list[LayerTime] = []
    header = ""
    for said in text.splitlines():
        line = _LOG_PREFIX.sub("", said).rstrip()
        if _is_header(line):
            header, found = line, []
        elif header and re.match(r"\s*\d+\s", line):
            layer = _layer(header, line)
            if layer is None:
                return ()
            found.append(layer)
        elif found and line.strip() and not line.strip().startswith("-"):
            header = ""  # the totals and the ranking by operator follow
    return _with_shares(found)


def map_layers(profile: Profile, node_names: Sequence[str]) -> Profile:
    """Return `profile` with the .rknn's nodes: of one name, in their order."""
    from rkbench.rknn.names import origin_of  # not at the top: who reads stored runs reads no .rknn

    places: dict[str, list[int]] = {}
    for index, name in enumerate(node_names):
        places.setdefault(name, []).append(index)
    layers = []
    for layer in profile.layers:
        left = places.get(layer.name)
        node = left.pop(0) if left else None
        origin = origin_of(layer.name, layer.op).onnx_node if node is not None else None
        layers.append(replace(layer, node=node, onnx_node=origin))
    return replace(profile, layers=tuple(layers))


def _is_header(line: str) -> bool:
    columns = _COLUMN.findall(line)
    return columns[:4] == _FIRST and _TIME in columns


def _layer(header: str, line: str) -> LayerTime | None:
    """Return the layer of one row, or None where it does not fit its header."""
    columns, cells = _COLUMN.findall(header), line.split()
    time_at = columns.index(_TIME)
    if len(cells) <= time_at or cells[3] not in UNITS:
        return None
    before = dict(zip(columns[:time_at], cells, strict=False))
    try:
        duration_s = float(cells[time_at]) / 1e6
        ddr, npu = _cycles(before)
    except ValueError:
        return None
    if not math.isfinite(duration_s):
        return None
    name = _name(header, line, cells[time_at + 1 :])
    return LayerTime(
        number=int(cells[0]),
        name=name,
        op=cells[1],
        unit=cells[3],
        dtype=cells[2],
        duration_s=duration_s,
        share=0.0,
        ddr_cycles=ddr,
        npu_cycles=npu,
        moved_bytes=_moved_bytes(columns, cells, name),
    )


def _cycles(before: dict[str, str]) -> tuple[int | None, int | None]:
    """Return DDR and NPU cycles; raises ValueError where their cells hold no numbers."""
    if _CYCLES in before:
        ddr, npu, _ = (int(part) for part in before[_CYCLES].split("/"))
        return ddr, npu
    for names in _APART:
        if all(name in before for name in names):
            return int(before[names[0]]), int(before[names[1]])
    return None, None


def _name(header: str, line: str, behind: Sequence[str]) -> str:
    """Return the full name: what stands under its column, else the last cell; "" where it is empty."""
    at = header.find(_NAME)
    if at < 0 or not behind:
        return ""
    under = line[at:].strip()
    if under and line[at - 1 : at].isspace() and ":" in under:
        return under
    last = behind[-1]
    return "" if re.fullmatch(r"[\d.,/%\\-]+", last) else last


def _moved_bytes(columns: Sequence[str], cells: Sequence[str], name: str) -> int | None:
    """Return what the layer reads and writes: the cell before the name, which is in units of 1024 bytes."""
    if columns[-2:] != [_MOVED, _NAME]:
        return None
    named = len(name.split())
    try:
        return round(float(cells[-1 - named]) * 1024)
    except (ValueError, IndexError):
        return None


def _with_shares(layers: Sequence[LayerTime]) -> tuple[LayerTime, ...]:
    total_s = sum(layer.duration_s for layer in layers)
    if total_s <= 0:
        return tuple(layers)
    return tuple(replace(layer, share=layer.duration_s / total_s) for layer in layers)
