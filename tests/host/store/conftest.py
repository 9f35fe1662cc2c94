"""The stores that the contract is held against: an address of each kind, not yet opened."""

from __future__ import annotations

from pathlib import Path

import pytest
from rkbench.store.opening import STORES


@pytest.fixture(params=["sqlite", "memory"])
def address(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a store that is not there yet. A new store takes part by a line here."""
    monkeypatch.setitem(STORES, "memory", "memory_store")
    kinds = {"sqlite": str(tmp_path / "folder" / "results.sqlite"), "memory": f"memory://{tmp_path}"}
    return kinds[request.param]
