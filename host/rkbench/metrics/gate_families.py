"""The gates of the last nights as metrics."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from rkbench.stats.gates import STATES
from rkbench.store.base import GateState

_LABELS = ("suite", "model", "variant", "board", "plan", "gate", "simulated")


def gate_families(gates: Sequence[GateState]) -> list[Metric]:
    """Return the state of every gate: 1 for the state that it has, 0 for the others."""
    if not gates:
        return []
    states = GaugeMetricFamily(
        "rkbench_gate_state", "1 for the state of a gate in its last night.", labels=(*_LABELS, "state")
    )
    times = GaugeMetricFamily(
        "rkbench_gate_measured_timestamp_seconds", "When the gate's number was measured.", labels=_LABELS
    )
    for gate in gates:
        labels = [str(getattr(gate, name)) for name in _LABELS[:-1]]
        labels.append(str(gate.simulated).lower())
        for state in STATES:
            states.add_metric([*labels, _word(state)], int(gate.state == state))
        if gate.measured_unix_s is not None:
            times.add_metric(labels, gate.measured_unix_s)
    return [metric for metric in (states, times) if metric.samples]


def _word(state: str) -> str:
    """Return `can't tell` as `cant_tell`: easier to write in a query."""
    return state.replace("'", "").replace(" ", "_")
