"""What all tests share: where the data lies, and what a skip means."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

DATA = Path(__file__).parent / "data"
SHARED_MODELS = Path(__file__).parents[2] / "shared" / "data" / "models"


@pytest.fixture
def data() -> Path:
    """The recorded files that the tests read: `boards/`, `models/`."""
    return DATA


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """In CI everything a test needs is installed, so a skip hides a fault: count it as a failure."""
    report = yield
    if os.environ.get("RKBENCH_NO_SKIP") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped in CI: {report.longrepr}"
    return report
