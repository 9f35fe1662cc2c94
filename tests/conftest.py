"""What all tests share: where the data lies, what a skip means, and the signals of what they start."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

DATA = Path(__file__).parent / "data"
IGNORED = "RKBENCH_TESTS_IGNORE"
#: As `bench` does, before anything loads numpy; for what tests start, and workers, too.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
#: What is expected is English, whatever the locale of who runs the tests.
os.environ["LC_ALL"] = "C.UTF-8"
LONGEST_ID = 100
LONG = ("T1", "T2", "T3", "prometheus", "staged", "readme")
SHARED_MODELS = Path(__file__).parents[2] / "shared" / "data" / "models"


def pytest_configure() -> None:
    """Give what the tests start the usual signals, also where this was started by `nohup` or in a script.

    There SIGHUP or SIGINT is ignored, which a program inherits. A handler is not inherited, so the workers
    of pytest-xdist are told by a variable to ignore them too.
    """
    told = os.environ.get(IGNORED, "").split()
    ignored = [
        name
        for name in ("SIGHUP", "SIGINT")
        if name in told or signal.getsignal(signal.Signals[name]) == signal.SIG_IGN
    ]
    os.environ[IGNORED] = " ".join(ignored)
    for name in ignored:
        signal.signal(signal.Signals[name], lambda *_: None)


@pytest.fixture
def data() -> Path:
    """The recorded files that the tests read: `boards/`, `models/`."""
    return DATA


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for 24 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("a small file system can only be mounted by root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the groups that one worker has to run alone for long, so that the others fill the rest."""
    items.sort(key=lambda item: not any(mark.args[0] in LONG for mark in item.iter_markers("xdist_group")))


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a long value by its length and beginning: megabytes of names went to every worker and back."""
    if isinstance(val, (str, bytes)) and len(val) > LONGEST_ID:
        return f"{val[:20]!r} and so on, {len(val)}"
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """In CI everything a test needs is installed, so a skip hides a fault: count it as a failure."""
    report = yield
    if os.environ.get("RKBENCH_NO_SKIP") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped in CI: {report.longrepr}"
    return report


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Let SIGINT raise KeyboardInterrupt, as where a process begins, also where its starter ignored it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
