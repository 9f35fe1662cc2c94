"""The agent runs from one file, as it is pushed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipapp
from pathlib import Path

import pytest
from agent_bench import AGENT, START, AgentProcess, Bench, of_kind
from rkbench_agent import __version__
from rkbench_agent.wire.messages import Failed, Finished, Hello


@pytest.fixture
def archive(bench: Bench) -> Path:
    """The agent as a zipapp where a push puts it."""
    path = bench.cache / "agents" / "agent.pyz"
    path.parent.mkdir()
    zipapp.create_archive(
        AGENT,
        path,
        main="rkbench_agent.__main__:main",
        filter=lambda name: name.suffix == ".py" and not {"exporter", "recorder"} & set(name.parts),
        compressed=True,
    )
    return path


def test_a_plan_runs_from_the_zipapp_which_tells_its_digest(bench: Bench, archive: Path) -> None:
    agent = AgentProcess(bench, {}, archive)
    try:
        hello = agent.until(Hello)
        assert hello.digest == hashlib.sha256(archive.read_bytes()).hexdigest()
        messages = agent.run(bench.plan(bench.spec("a", golden=bench.golden(), replay=bench.replay())))
        assert of_kind(messages, Failed) == []
        assert of_kind(messages, Finished)[0].iterations == 100
    finally:
        agent.kill()


def test_the_zipapp_is_small_even_with_its_docstrings(archive: Path) -> None:
    """What is pushed is without them, and smaller: tests/host/boards/test_boot.py."""
    assert archive.stat().st_size < 200_000


def test_the_cache_is_where_the_zipapp_lies(bench: Bench, archive: Path) -> None:
    code = (
        "import sys; sys.path[0] = sys.argv[1]; from rkbench_agent.line import server; "
        "print(server._default_cache())"
    )
    result = subprocess.run([sys.executable, "-c", code, str(archive)], stdout=subprocess.PIPE, check=True)
    assert result.stdout.decode().strip() == str(bench.cache)


def test_version_and_usage_are_told_on_the_command_line(archive: Path) -> None:
    version = run_main(archive, "version")
    assert (version.returncode, version.stdout.decode().strip()) == (0, __version__)
    usage = run_main(archive, "x")
    assert (usage.returncode, usage.stderr[:20]) == (2, b"usage: rkbench-agent")


def run_main(archive: Path, *args: str) -> subprocess.CompletedProcess[bytes]:
    """Run one sub-command of the agent to its end."""
    return subprocess.run(
        [sys.executable, "-c", START, str(archive), *args],
        capture_output=True,
        check=False,
    )


def test_the_supervisor_imports_neither_numpy_nor_psutil() -> None:
    code = (
        "import sys; sys.path[0] = sys.argv[1]; import rkbench_agent.line.server; "
        "print(sorted({'numpy', 'psutil', 'rknnlite'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code, str(AGENT)], stdout=subprocess.PIPE, check=True)
    assert result.stdout.decode().strip() == "[]"
