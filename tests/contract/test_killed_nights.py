"""The host of a night is killed: the next one goes on where it was."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from killed_night import Hosts, Steps, run_in_steps
from night_lab import NightLab

MOMENTS = 10
pytestmark = pytest.mark.xdist_group("killed nights")  # they share a process and the count of the steps


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    running = Hosts()
    yield running
    running.close()


@pytest.fixture(scope="module")
def step_count(tmp_path_factory: pytest.TempPathFactory) -> int:
    """So many steps a whole night has."""
    steps = Steps()
    assert run_in_steps(NightLab(tmp_path_factory.mktemp("whole")), steps).exit_code == 1
    assert steps.count > 10 * MOMENTS
    return steps.count


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_a_host_killed_twice_at_any_moment_goes_on_where_it_was(
    hosts: Hosts, step_count: int, tmp_path: Path, moment: int
) -> None:
    """The second time, in what is left of the night: half of it, or its very end."""
    lab = NightLab(tmp_path)
    last = 1 + (step_count - 1) * moment // MOMENTS
    assert hosts.run(lab, last) == signal.SIGKILL
    assert hosts.run(lab, max(1, (step_count - last) // 2)) == signal.SIGKILL
    assert run_in_steps(lab, Steps()).exit_code == 1
    lab.assert_nothing_lost_or_doubled()
    assert lab.rows("SELECT count(*) FROM nights WHERE ended_unix_s IS NULL") == [(0,)]
