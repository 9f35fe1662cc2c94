"""The gates of the last nights, as the store holds them: what Prometheus and `bench baseline` read."""

from __future__ import annotations

from dataclasses import dataclass

from rkbench.store.sqlite import Store


@dataclass(frozen=True)
class GateState:
    """What one gate said of one variant on one board, by one plan, in the last night of its suite.

    `state` is one of `stats.gates.STATES` (pass, fail, can't tell, not measured). `model` is the name of
    the suite's entry, `variant` the file's stem. `measured_unix_s` is None where nothing was measured.
    """

    suite: str
    model: str
    variant: str
    board: str
    plan: str
    gate: str
    state: str
    simulated: bool
    measured_unix_s: float | None


def latest_gates(store: Store) -> list[GateState]:
    """Return the gates of the newest night that came to its end, of every suite. Raises StoreError."""
    rows = store.query(
        "SELECT suite, model, variant, board, plan, gate, state, simulated, measured_unix_s FROM gates"
        " WHERE night IN (SELECT id FROM nights AS n WHERE ended_unix_s IS NOT NULL AND rowid ="
        " (SELECT max(rowid) FROM nights WHERE suite = n.suite AND ended_unix_s IS NOT NULL))"
        " ORDER BY suite, variant, board, plan, gate"
    )
    return [
        GateState(suite, model, variant, board, plan, gate, state, bool(simulated), unix_s)
        for suite, model, variant, board, plan, gate, state, simulated, unix_s in rows
    ]
