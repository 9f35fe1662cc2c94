"""Fixtures of the agent's tests: they need numpy, psutil and pytest, and nothing of the host."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Callable, Iterator, List, Optional

import pytest

AGENT = Path(__file__).parents[2] / "agent"
if str(AGENT) not in sys.path:
    sys.path.insert(0, str(AGENT))
sys.path.insert(0, str(Path(__file__).parent))

from agent_bench import TREES, AgentProcess, Bench  # noqa: E402  # the path must be set first
from agent_forks import Forks  # noqa: E402


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A cache, a model factory and the environment of an agent."""
    return Bench(tmp_path)


@pytest.fixture
def board(bench: Bench, tmp_path: Path) -> Bench:
    """A bench whose rk3588 tree may be written."""
    bench.root = tmp_path / "root"
    shutil.copytree(TREES / "rk3588", bench.root, symlinks=True)
    return bench


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """The process whose forks are agents."""
    running = Forks()
    yield running
    running.close()


@pytest.fixture
def start(bench: Bench, forks: Forks) -> Iterator[Callable[..., AgentProcess]]:
    """Start agents on the bench, as forks; whatever is left at the end is killed."""
    yield from _starter(bench, forks)


@pytest.fixture
def start_anew(bench: Bench) -> Iterator[Callable[..., AgentProcess]]:
    """Start agents on the bench, each with an interpreter of its own, and so their workers."""
    yield from _starter(bench, None)


def _starter(bench: Bench, forks: Optional[Forks]) -> Iterator[Callable[..., AgentProcess]]:
    started: List[AgentProcess] = []

    def starter(**environ: str) -> AgentProcess:
        started.append(AgentProcess(bench, environ, forks=forks))
        return started[-1]

    yield starter
    for agent in started:
        agent.kill()
