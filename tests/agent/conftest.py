"""Fixtures of the agent's tests: they need numpy, psutil and pytest, and nothing of the host."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Callable, Iterator

import pytest

AGENT = Path(__file__).parents[2] / "agent"
if str(AGENT) not in sys.path:
    sys.path.insert(0, str(AGENT))
sys.path.insert(0, str(Path(__file__).parent))

from agent_bench import AgentProcess, Bench  # noqa: E402  # the path must be set first


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A cache, a model factory and the environment of an agent."""
    return Bench(tmp_path)


@pytest.fixture
def start(bench: Bench) -> Iterator[Callable[..., AgentProcess]]:
    """Start agents on the bench; whatever is left at the end is killed."""
    started: list[AgentProcess] = []

    def starter(**environ: str) -> AgentProcess:
        started.append(AgentProcess(bench, environ))
        return started[-1]

    yield starter
    for agent in started:
        agent.kill()
