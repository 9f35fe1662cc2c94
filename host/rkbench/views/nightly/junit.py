"""A night as JUnit XML: a test case for every model, board and gate.

A crossed gate is a failure, one that was not measured an error, an undecided one is skipped; CI systems
show the first two red.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from rkbench.results.night import CellResult, GateResult, Night, PooledGate
from rkbench.stats.gates import CANNOT_TELL, FAIL, NOT_MEASURED
from rkbench.units import format_moment
from rkbench.views.nightly.sentences import count, gate_line, pooled_in, pooled_line

#: What XML 1.0 cannot hold, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\n'
_ISO = "%Y-%m-%dT%H:%M:%S+00:00"
_TAGS = {FAIL: "failure", NOT_MEASURED: "error", CANNOT_TELL: "skipped"}


def render_junit(night: Night) -> str:
    """Return `night` as one test suite."""
    total = sum(len(cell.gates) for cell in night.cells) + len(night.pooled)
    started = format_moment(night.started_unix_s, _ISO)
    figures = {
        "name": _clean(night.suite),
        "tests": str(total),
        "failures": str(count(night, FAIL) + len(pooled_in(night, FAIL))),
        "errors": str(count(night, NOT_MEASURED)),
        "skipped": str(count(night, CANNOT_TELL)),
        "time": f"{sum(cell.duration_s or 0.0 for cell in night.cells):.3f}",
    }
    root = ElementTree.Element("testsuites", figures)
    suite = ElementTree.SubElement(root, "testsuite", {**figures, "timestamp": started})
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (("night", night.id), ("simulated", str(night.simulated).lower())):
        ElementTree.SubElement(properties, "property", {"name": name, "value": value})
    for cell in night.cells:
        for gate in cell.gates:
            suite.append(_case(night, cell, gate))
    for item in night.pooled:
        suite.append(_pooled_case(night, item))
    ElementTree.indent(root)
    return f"{_DECLARATION}{ElementTree.tostring(root, encoding='unicode')}\n"


def _case(night: Night, cell: CellResult, gate: GateResult) -> ElementTree.Element:
    """Return one test case; the time of a cell stands at its first gate, so that the sum is right."""
    first = gate is cell.gates[0]
    place = f"{night.suite}.{cell.board}.{cell.plan}"
    case = ElementTree.Element(
        "testcase",
        {
            "classname": _clean(place),
            "name": _clean(f"{cell.variant}: {gate.gate}"),
            "time": f"{(cell.duration_s or 0.0) if first else 0.0:.3f}",
        },
    )
    told = ElementTree.SubElement(case, "properties")
    for name, value in _figures(cell, gate).items():
        ElementTree.SubElement(told, "property", {"name": name, "value": _clean(value)})
    tag = _TAGS.get(gate.state)
    if tag is not None:
        line = _clean(gate_line(cell, gate))
        element = ElementTree.SubElement(case, tag, {"message": line})
        if tag != "skipped":
            element.set("type", gate.state)
            hint = cell.fault.hint if cell.fault else ""
            element.text = _clean(f"{line}\n{hint}".strip())
    return case


def _pooled_case(night: Night, item: PooledGate) -> ElementTree.Element:
    """Return the test case of a model over all boards of a SoC."""
    place, name = f"{night.suite}.{item.soc}.{item.plan}", f"{item.variant}: {item.result.gate}"
    case = ElementTree.Element(
        "testcase", {"classname": _clean(place), "name": _clean(name), "time": "0.000"}
    )
    if item.result.state == FAIL:
        line = _clean(pooled_line(item))
        failure = ElementTree.SubElement(case, "failure", {"message": line, "type": FAIL})
        failure.text = line
    return case


def _figures(cell: CellResult, gate: GateResult) -> dict[str, str]:
    """Return what a gate looked at, in the base unit of its quantity; without what is unknown."""
    last = gate.measurements[-1] if gate.measurements else None
    measured = cell.measured_unix_s
    figures = {
        "verdict": cell.verdict,
        "unit": gate.unit or None,
        "value": last.value if last else None,
        "baseline": last.baseline if last else None,
        "difference_percent": last.difference_percent if last else None,
        "p50_s": cell.p50_s,
        "measured_at": None if measured is None else format_moment(measured, _ISO),
        "simulated": "true" if cell.simulated else None,
    }
    return {
        name: f"{value:.9g}" if isinstance(value, float) else str(value)
        for name, value in figures.items()
        if value is not None
    }


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("�", text)
